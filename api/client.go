package api

import (
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"

	"github.com/go-chi/chi/v5/middleware"
)

// A proxies is whose X-Forwarded headers are believed: nobody's, when it is empty.
type proxies []netip.Prefix

// withClient finds out who sent a request: the connection's other end or, where that is a
// trusted proxy, the right-most address of X-Forwarded-For that is none.
func withClient(trusted proxies) func(http.Handler) http.Handler {
	if len(trusted) == 0 {
		return middleware.ClientIPFromRemoteAddr
	}
	prefixes := make([]string, len(trusted))
	for i, each := range trusted {
		prefixes[i] = each.String()
	}
	return middleware.ClientIPFromXFF(prefixes...)
}

// withForwardedWarning says once that there seems to be a proxy that nobody trusts: all of its
// clients are then one.
func withForwardedWarning(trusted proxies, log *slog.Logger) func(http.Handler) http.Handler {
	var once sync.Once
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Forwarded-For") != "" && !trusted.trust(peerOf(r)) {
				once.Do(func() {
					log.WarnContext(r.Context(), "a request has X-Forwarded-For and comes from no trusted proxy, so that it is not believed; if it is a proxy's, name that with --trusted-proxies")
				})
			}
			next.ServeHTTP(w, r)
		})
	}
}

// clientPrefixBits of an IPv6 address are what one client has to itself.
const clientPrefixBits = 64

// clientOf is the address that a request's client is counted by, the other end of the
// connection when the proxies do not name one. All of an IPv6 client's addresses are one.
func clientOf(r *http.Request) netip.Addr {
	address := middleware.GetClientIPAddr(r.Context())
	if !address.IsValid() {
		address = peerOf(r)
	}
	if address.Is6() {
		address = netip.PrefixFrom(address.WithZone(""), clientPrefixBits).Masked().Addr()
	}
	return address
}

// peerOf is the other end of the connection; not valid on a socket that has no addresses.
func peerOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap().WithZone("")
}

func (p proxies) trust(address netip.Addr) bool {
	for _, each := range p {
		if each.Contains(address) {
			return true
		}
	}
	return false
}

// forwarded is the scheme and host that a trusted proxy was asked for; empty where it says
// nothing that can be one.
func (p proxies) forwarded(r *http.Request) (scheme, host string) {
	if !p.trust(peerOf(r)) {
		return "", ""
	}
	if given := strings.ToLower(lastOf(r.Header.Values("X-Forwarded-Proto"))); given == "http" || given == "https" {
		scheme = given
	}
	given := lastOf(r.Header.Values("X-Forwarded-Host"))
	if parsed, err := url.Parse("http://" + given); err == nil && given != "" && parsed.Host == given {
		host = given
	}
	return scheme, host
}

// lastOf is the last of a list in headers: what the nearest proxy has added.
func lastOf(values []string) string {
	if len(values) == 0 {
		return ""
	}
	last := values[len(values)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}
