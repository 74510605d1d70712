package api_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"facesearch/api"
)

// TestForwarded: the address of pictures follows X-Forwarded-Proto and -Host from a trusted
// proxy alone, and never what cannot be one.
func TestForwarded(t *testing.T) {
	a := newTenant(t)
	session := a.enrol(t, portrait(t, "obama.jpg"))
	trusting := api.Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32")}}
	distrusting := api.Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	public := trusting
	public.PublicURL = "https://public.example.org/"
	for name, each := range map[string]struct {
		options           api.Options
		proto, host, want string
	}{
		"Trusted":          {trusting, "https", "faces.example.org", "https://faces.example.org/"},
		"TrustedPort":      {trusting, "HTTPS", "faces.example.org:8443", "https://faces.example.org:8443/"},
		"LastOfAList":      {trusting, "http, https", "evil.example.com, faces.example.org", "https://faces.example.org/"},
		"ProtoAlone":       {trusting, "https", "", "https://OWN/"},
		"HostAlone":        {trusting, "", "faces.example.org", "http://faces.example.org/"},
		"BadProto":         {trusting, "javascript", "faces.example.org", "http://faces.example.org/"},
		"HostWithPath":     {trusting, "https", "evil.example.com/x", "https://OWN/"},
		"HostWithUser":     {trusting, "https", "a@evil.example.com", "https://OWN/"},
		"HostWithQuery":    {trusting, "https", "evil.example.com?x", "https://OWN/"},
		"HostWithSpace":    {trusting, "https", "evil example.com", "https://OWN/"},
		"NobodyTrusted":    {api.Options{}, "https", "evil.example.com", "http://OWN/"},
		"AnotherTrusted":   {distrusting, "https", "evil.example.com", "http://OWN/"},
		"PublicURLDecides": {public, "http", "evil.example.com", "https://public.example.org/"},
	} {
		t.Run(name, func(t *testing.T) {
			one := a.on(t, each.options)
			request := one.request(t, http.MethodGet, "/v3/session/"+session.SessionID+"/decision/", "", nil)
			request.Header.Set("X-Forwarded-Proto", each.proto)
			request.Header.Set("X-Forwarded-Host", each.host)
			got, err := do(request)
			if err != nil {
				t.Fatal(err)
			}
			var shown enrolled
			got.decode(t, 200, &shown)
			want := strings.Replace(each.want, "OWN", strings.TrimPrefix(one.url, "http://"), 1) + "v3/media/"
			if !strings.HasPrefix(*shown.PortraitImageURL, want) {
				t.Errorf("%s, want %s…", *shown.PortraitImageURL, want)
			}
		})
	}
}

// TestClientAddress: who a request came from is the right-most address that is no proxy.
func TestClientAddress(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:f::/48")}
	for name, each := range map[string]struct {
		proxies   []netip.Prefix
		peer      string
		forwarded []string
		want      string
	}{
		"Direct":             {nil, "192.0.2.1:5", nil, "192.0.2.1"},
		"NobodyTrusted":      {nil, "192.0.2.1:5", []string{"198.51.100.7"}, "192.0.2.1"},
		"PeerUntrusted":      {proxies, "192.0.2.1:5", []string{"198.51.100.7"}, "192.0.2.1"},
		"Trusted":            {proxies, "10.1.2.3:5", []string{"198.51.100.7"}, "198.51.100.7"},
		"ForgedFirst":        {proxies, "10.1.2.3:5", []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7"},
		"ForgedAsAProxy":     {proxies, "10.1.2.3:5", []string{"10.9.9.9, 198.51.100.7, 10.1.1.1"}, "198.51.100.7"},
		"ForgedFirstHeader":  {proxies, "10.1.2.3:5", []string{"203.0.113.9", "198.51.100.7"}, "198.51.100.7"},
		"Garbage":            {proxies, "10.1.2.3:5", []string{"198.51.100.7, nonsense"}, "10.1.2.3"},
		"GarbageFurtherLeft": {proxies, "10.1.2.3:5", []string{"nonsense, 198.51.100.7"}, "198.51.100.7"},
		"NothingForwarded":   {proxies, "10.1.2.3:5", nil, "10.1.2.3"},
		"OnlyProxies":        {proxies, "10.1.2.3:5", []string{"10.4.4.4"}, "10.1.2.3"},
		"MappedPeer":         {proxies, "[::ffff:10.1.2.3]:5", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		"IPv6":               {proxies, "[2001:db8:f::1]:5", []string{"2001:db8:1:2:3:4:5:6"}, "2001:db8:1:2::"},
		"IPv6Zone":           {nil, "[fe80::1:2:3:4%eth0]:5", nil, "fe80::"},
		"Socket":             {proxies, "@", []string{"198.51.100.7"}, "invalid IP"},
	} {
		t.Run(name, func(t *testing.T) {
			request := httptest.NewRequest(http.MethodGet, "/", nil)
			request.RemoteAddr = each.peer
			for _, value := range each.forwarded {
				request.Header.Add("X-Forwarded-For", value)
			}
			if got := api.ClientOf(each.proxies, request); got != each.want {
				t.Errorf("%s, want %s", got, each.want)
			}
		})
	}
}

// TestForwardedWarning: a proxy that nobody trusts is told of, once.
func TestForwardedWarning(t *testing.T) {
	for name, each := range map[string]struct {
		trusted  []netip.Prefix
		warnings int
	}{"Untrusted": {nil, 1}, "Trusted": {[]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, 0}} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			server := api.New(api.Options{TrustedProxies: each.trusted, Log: slog.New(slog.NewTextHandler(&log, nil))})
			for i := range 3 {
				request := httptest.NewRequest(http.MethodGet, "/healthz", nil)
				if i > 0 {
					request.Header.Set("X-Forwarded-For", "198.51.100.7")
				}
				server.ServeHTTP(httptest.NewRecorder(), request)
			}
			if got := strings.Count(log.String(), "--trusted-proxies"); got != each.warnings || strings.Contains(log.String(), "198.51.100.7") {
				t.Errorf("%d warnings:\n%s", got, &log)
			}
		})
	}
}

func TestCORS(t *testing.T) {
	const origin = "https://app.example.org"
	a := newTenant(t)
	ask := func(t *testing.T, of *tenant, method, origin, wants string) answer {
		t.Helper()
		request := of.request(t, method, "/v3/sessions/", "", nil)
		request.Header.Set("Origin", origin)
		if wants != "" {
			request.Header.Del("x-api-key")
			request.Header.Set("Access-Control-Request-Method", wants)
			request.Header.Set("Access-Control-Request-Headers", "x-api-key, content-type")
		}
		response, err := http.DefaultTransport.RoundTrip(request) // a preflight is not in the document
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return answer{status: response.StatusCode, header: response.Header}
	}
	t.Run("Off", func(t *testing.T) {
		for _, got := range []answer{ask(t, a, "OPTIONS", origin, "POST"), ask(t, a, "GET", origin, "")} {
			for name := range got.header {
				if strings.HasPrefix(name, "Access-Control") {
					t.Errorf("%d with %s", got.status, name)
				}
			}
		}
		if got := ask(t, a, "OPTIONS", origin, "POST"); got.status != 405 {
			t.Errorf("preflight: %d", got.status)
		}
	})
	t.Run("On", func(t *testing.T) {
		on := a.on(t, api.Options{CORSOrigins: []string{origin, "http://localhost:3000"}})
		for _, from := range []string{origin, "http://localhost:3000"} {
			got := ask(t, on, "OPTIONS", from, "POST")
			if got.status != 200 || got.header.Get("Access-Control-Allow-Origin") != from || got.header.Get("Access-Control-Allow-Methods") != "POST" ||
				!strings.Contains(strings.ToLower(got.header.Get("Access-Control-Allow-Headers")), "x-api-key") || got.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("preflight from %s: %d %v", from, got.status, got.header)
			}
			got = ask(t, on, "GET", from, "")
			exposed := got.header.Get("Access-Control-Expose-Headers")
			if got.status != 200 || got.header.Get("Access-Control-Allow-Origin") != from || !strings.Contains(got.header.Get("Vary"), "Origin") {
				t.Errorf("from %s: %d %v", from, got.status, got.header)
			}
			for _, name := range []string{"X-Request-Id", "Server-Timing", "Retry-After", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"} {
				if !strings.Contains(exposed, name) {
					t.Errorf("%s is not in %q", name, exposed)
				}
			}
		}
		for _, from := range []string{"https://evil.example.com", "https://app.example.org.evil.example.com", "null", "http://app.example.org"} {
			for _, got := range []answer{ask(t, on, "OPTIONS", from, "POST"), ask(t, on, "GET", from, "")} {
				if got.header.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("from %s: %d %v", from, got.status, got.header)
				}
			}
		}
		if got := ask(t, on, "OPTIONS", origin, "PUT"); got.header.Get("Access-Control-Allow-Methods") != "" {
			t.Errorf("PUT is allowed: %v", got.header)
		}
	})
	t.Run("Any", func(t *testing.T) {
		on := a.on(t, api.Options{CORSOrigins: []string{"*"}})
		if got := ask(t, on, "GET", "https://anything.example.com", ""); got.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%v", got.header)
		}
	})
}
