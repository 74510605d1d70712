package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"facesearch/api"
)

// networkFlags say how a server is reached, and by whom.
type networkFlags struct {
	TLSCert        string   `help:"Certificate chain in PEM, with --tls-key: the server then speaks HTTPS. Both files are read again when they change." name:"tls-cert" placeholder:"FILE"`
	TLSKey         string   `help:"Key of the certificate, in PEM." name:"tls-key" placeholder:"FILE"`
	TrustedProxies []string `help:"Proxies whose X-Forwarded-For, -Proto and -Host are believed, as addresses or CIDR, separated by commas." name:"trusted-proxies" placeholder:"CIDR"`
	CORSOrigin     []string `help:"Origin whose pages may call the API from a browser, such as https://app.example.org; * for any. Can be given several times." name:"cors-origin" placeholder:"ORIGIN"`
	MetricsAddr    string   `help:"Address to answer GET /metrics at, and nowhere else; without it, the server's own." name:"metrics-addr" placeholder:"ADDR"`
	OpenTopUp      bool     `help:"Let any key add credits with POST /v3/billing/top-up/." name:"open-top-up"`
}

// into fills in what api needs to know of the flags, and refuses what they may not be.
func (f *networkFlags) into(options *api.Options) (err error) {
	options.OpenTopUp, options.MetricsApart = f.OpenTopUp, f.MetricsAddr != ""
	if options.TrustedProxies, err = parseProxies(f.TrustedProxies); err != nil {
		return err
	}
	for _, origin := range f.CORSOrigin {
		if !isOrigin(origin) {
			return fmt.Errorf("--cors-origin %q is not an origin: write it as https://app.example.org, without a path, or *", origin)
		}
	}
	options.CORSOrigins = f.CORSOrigin
	return nil
}

// parseProxies reads addresses, which stand for themselves alone, and prefixes.
func parseProxies(given []string) (list []netip.Prefix, err error) {
	for _, each := range given {
		each = strings.TrimSpace(each)
		prefix, err := netip.ParsePrefix(each)
		if address, e := netip.ParseAddr(each); e == nil {
			prefix, err = netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("--trusted-proxies has %q, which is not an address or a range such as 10.0.0.0/8", each)
		}
		list = append(list, prefix.Masked())
	}
	return list, nil
}

func isOrigin(given string) bool {
	if given == "*" {
		return true
	}
	parsed, err := url.Parse(given)
	return err == nil && (parsed.Scheme == "http" || parsed.Scheme == "https") && parsed.Host != "" &&
		given == parsed.Scheme+"://"+parsed.Host && !strings.Contains(given, "*")
}

// serveMetrics answers GET /metrics at an address of its own until stop is called; without
// one it does nothing.
func (f *networkFlags) serveMetrics(handler http.Handler, server *http.Server) (address string, stop func() error, err error) {
	if f.MetricsAddr == "" {
		return "", func() error { return nil }, nil
	}
	listener, err := net.Listen("tcp", f.MetricsAddr)
	if err != nil {
		return "", nil, fmt.Errorf("listening at %s for metrics: %w", f.MetricsAddr, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", handler)
	server.Handler = mux
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	return addressOf(listener, false), func() error {
		err := server.Close() // a scrape that is cut short is made again
		if failed := <-served; !errors.Is(failed, http.ErrServerClosed) {
			err = errors.Join(err, failed)
		}
		return err
	}, nil
}
