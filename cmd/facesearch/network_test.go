package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"facesearch/pkg/facetest"
)

// certificatePair makes a certificate for the loopback address, and its key, in PEM.
func certificatePair(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}

// replace puts a file in the place of another at once, as renewing programs do.
func replace(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// secureGet asks a server that shows this certificate and no other.
func secureGet(t *testing.T, address string, cert []byte, version uint16) (*http.Response, error) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	client := &http.Client{Timeout: patience, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: version}, ForceAttemptHTTP2: version == 0, DisableKeepAlives: true,
	}}
	response, err := client.Get(address)
	if err == nil {
		response.Body.Close()
	}
	return response, err
}

func TestTLS(t *testing.T) {
	folder := t.TempDir()
	certFile, keyFile := filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	cert, key := certificatePair(t, "first")
	write(t, folder, map[string][]byte{"cert.pem": cert, "key.pem": key})
	s := start(t, t.TempDir(), nil, "--workers", "1", "--bootstrap-key", bootstrapKey, "--tls-cert", certFile, "--tls-key", keyFile)
	s.waitFor(t, "facesearch is ready at https://")
	s.url = regexp.MustCompile(`facesearch is ready at (https://\S+)`).FindStringSubmatch(s.said.String())[1]
	if !strings.Contains(s.said.String(), "curl -s "+s.url+"/v3/face-search/") {
		t.Errorf("no curl line with https:\n%s", s.said)
	}
	get := func(cert []byte, version uint16) (*http.Response, error) {
		return secureGet(t, s.url+"/readyz", cert, version)
	}
	response, err := get(cert, 0)
	if err != nil || response.StatusCode != 200 || response.ProtoMajor != 2 || response.TLS.Version != tls.VersionTLS13 {
		t.Fatalf("%v, %v", response, err)
	}
	if response, err := get(cert, tls.VersionTLS12); err != nil || response.StatusCode != 200 {
		t.Errorf("TLS 1.2: %v", err)
	}
	if _, err := get(cert, tls.VersionTLS11); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	if got := status(t, http.MethodGet, strings.Replace(s.url, "https", "http", 1)+"/readyz"); got != 400 {
		t.Errorf("without TLS: %d", got)
	}
	renewed, renewedKey := certificatePair(t, "second")
	replace(t, certFile, renewed)
	if _, err := get(cert, 0); err != nil { // the key does not fit it yet
		t.Errorf("in the middle of a renewal: %v", err)
	}
	s.waitFor(t, "the one before stays")
	replace(t, keyFile, renewedKey)
	if _, err := get(renewed, 0); err != nil {
		t.Errorf("after a renewal: %v", err)
	}
	if _, err := get(cert, 0); err == nil {
		t.Error("the old certificate is still shown")
	}
	s.stop(t)
}

func TestNetworkFlags(t *testing.T) {
	folder := t.TempDir()
	cert, key := certificatePair(t, "one")
	other, _ := certificatePair(t, "other")
	write(t, folder, map[string][]byte{"cert.pem": cert, "key.pem": key, "other.pem": other, "nonsense.pem": []byte("no certificate")})
	file := func(name string) string { return filepath.Join(folder, name) }
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, each := range map[string]struct {
		arguments []string
		words     string
	}{
		"CertAlone":       {[]string{"--tls-cert", file("cert.pem")}, "belong together"},
		"KeyAlone":        {[]string{"--tls-key", file("key.pem")}, "belong together"},
		"NoSuchCert":      {[]string{"--tls-cert", file("none.pem"), "--tls-key", file("key.pem")}, "cannot be used: open"},
		"NoCertificate":   {[]string{"--tls-cert", file("nonsense.pem"), "--tls-key", file("key.pem")}, "cannot be used"},
		"KeyOfAnother":    {[]string{"--tls-cert", file("other.pem"), "--tls-key", file("key.pem")}, "cannot be used"},
		"ProxyName":       {[]string{"--trusted-proxies", "10.0.0.0/8,proxy.example.org"}, `"proxy.example.org"`},
		"ProxyRange":      {[]string{"--trusted-proxies", "10.0.0.0/33"}, "not an address or a range"},
		"OriginWithPath":  {[]string{"--cors-origin", "https://app.example.org/"}, "not an origin"},
		"OriginAlone":     {[]string{"--cors-origin", "app.example.org"}, "not an origin"},
		"OriginWildcard":  {[]string{"--cors-origin", "https://*.example.org"}, "not an origin"},
		"MetricsAddrUsed": {[]string{"--metrics-addr", taken.Addr().String()}, "for metrics"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, t.TempDir(), nil, append(each.arguments, "--workers", "1")...)
			if got := s.wait(t); got != 1 || !strings.Contains(s.said.String(), each.words) {
				t.Errorf("exit status %d:\n%s", got, s.said)
			}
		})
	}
}

// TestNetwork starts one server with all flags that another test does not need alone.
func TestNetwork(t *testing.T) {
	data := t.TempDir()
	s := serve(t, data, []string{"FACESEARCH_TRUSTED_PROXIES=192.0.2.0/24,127.0.0.1"}, "--workers", "1", "--bootstrap-key", bootstrapKey,
		"--metrics-addr", "127.0.0.1:0", "--cors-origin", "https://one.example.org", "--cors-origin", "https://two.example.org", "--open-top-up")
	t.Run("Metrics", func(t *testing.T) {
		if got := status(t, http.MethodGet, s.url+"/metrics"); got != 404 {
			t.Errorf("on the server's own address: %d", got)
		}
		apart := regexp.MustCompile(`address=(http://127\.0\.0\.1:\d+)/metrics`).FindStringSubmatch(s.said.String())
		if apart == nil {
			t.Fatalf("no address for metrics:\n%s", s.said)
		}
		response, err := http.Get(apart[1] + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != 200 || !strings.Contains(string(body), "facesearch_gallery_sessions 0") {
			t.Errorf("%d, %v\n%s", response.StatusCode, err, body)
		}
		if got := status(t, http.MethodGet, apart[1]+"/v3/settings/"); got != 404 {
			t.Errorf("the API where the metrics are: %d", got)
		}
	})
	t.Run("ForwardedAndCORS", func(t *testing.T) {
		session, err := s.client(bootstrapKey).Enrol(t.Context(), facetest.JPEG(t, facetest.Image(t, "obama.jpg", 500)), nil)
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/v3/session/"+session.SessionID+"/decision/", nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{
			"x-api-key": bootstrapKey, "X-Forwarded-Proto": "https", "X-Forwarded-Host": "faces.example.org", "Origin": "https://two.example.org",
		} {
			request.Header.Set(name, value)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil || !strings.Contains(string(body), `"https://faces.example.org/v3/media/`) ||
			response.Header.Get("Access-Control-Allow-Origin") != "https://two.example.org" {
			t.Errorf("%v %v\n%s", err, response.Header, body)
		}
	})
	t.Run("Bounds", func(t *testing.T) {
		long := strings.Repeat("x", 80_000)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Anything", long)
		response, err := http.DefaultClient.Do(request)
		if err != nil || response.StatusCode != 431 {
			t.Fatal(response, err)
		}
		response.Body.Close()
		for _, path := range []string{"/" + long, "/healthz?x=" + long} {
			if got := status(t, http.MethodGet, s.url+path); got != 431 {
				t.Errorf("a path of %d bytes: %d", len(path), got)
			}
		}
	})
	t.Run("TopUpAndCredits", func(t *testing.T) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/v3/billing/top-up/", strings.NewReader(`{"amount_in_dollars": 50}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header = http.Header{"X-Api-Key": {bootstrapKey}, "Content-Type": {"application/json"}}
		response, err := http.DefaultClient.Do(request)
		if err != nil || response.StatusCode != 200 {
			t.Fatal(response, err)
		}
		response.Body.Close()
		requireCredits(t, data, "1000\n", "show")
		requireCredits(t, data, "1007\n", "add", "7")
		for _, credits := range []string{"0", "1000000000000"} {
			run(t, nil, "credits", "add", "--data", data, credits).ended(t, 1, "t ")
		}
		run(t, nil, "credits", "add", "--data", data, "many").ended(t, 2)
		run(t, nil, "credits", "show", "--data", data, "--application", "none").ended(t, 1, "no such application")
		run(t, nil, "credits", "add", "--data", data, "--application", "none", "5").ended(t, 1, "no such application")
	})
	if said := s.said.String(); strings.Contains(said, "X-Forwarded-For") {
		t.Errorf("a trusted proxy is warned of:\n%s", said)
	}
	s.stop(t)
	requireCredits(t, data, "1010\n", "add", "3") // while no server runs
	requireCredits(t, data, "1010\n", "show")
}

func requireCredits(t *testing.T, data, want string, arguments ...string) {
	t.Helper()
	got := run(t, nil, append([]string{"credits", arguments[0], "--data", data}, arguments[1:]...)...)
	got.ended(t, 0)
	if got.out != want {
		t.Errorf("credits %v: %q, want %q", arguments, got.out, want)
	}
}
