package console_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// A visit is a request for the console, as a browser or somebody else would send it.
type visit struct {
	method, path, body string
	header             map[string]string
}

func (s *server) visit(t *testing.T, v visit) (*http.Response, string) {
	t.Helper()
	var body io.Reader
	if v.body != "" {
		body = strings.NewReader(v.body)
	}
	request, err := http.NewRequestWithContext(t.Context(), v.method, s.url+v.path, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range v.header {
		request.Header.Set(name, value)
	}
	response, data := s.do(t, request)
	return response, string(data)
}

// fromPage are the headers that the console's own pages send, and more.
func fromPage(more ...string) map[string]string {
	header := map[string]string{"X-Facesearch-Console": "1"}
	for i := 0; i+1 < len(more); i += 2 {
		header[more[i]] = more[i+1]
	}
	return header
}

const signInBody = `{"api_key": "` + bootstrapKey + `"}`

// cookie signs in and returns the cookie as it is sent back.
func (s *server) cookie(t *testing.T) string {
	t.Helper()
	response, body := s.visit(t, visit{"POST", "/console/session", signInBody, fromPage()})
	if response.StatusCode != 200 || !strings.Contains(body, `"signed_in":true`) || strings.Contains(body, bootstrapKey) {
		t.Fatal(response.StatusCode, body)
	}
	cookie := response.Header.Get("Set-Cookie")
	for _, want := range []string{"HttpOnly", "SameSite=Strict", "Path=/console/", "Max-Age=43200"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie %q lacks %s", cookie, want)
		}
	}
	if strings.Contains(cookie, "Secure") {
		t.Errorf("a browser would not send %q over http", cookie)
	}
	name, _, _ := strings.Cut(cookie, ";")
	return name
}

func TestSignIn(t *testing.T) {
	s := serve(t)
	cookie := s.cookie(t)
	api := "/console/api/v3/sessions/"
	for _, row := range []struct {
		name string
		visit
		status int
		words  string
	}{
		{"OK", visit{"GET", api, "", fromPage("Cookie", cookie)}, 200, `"count":0`},
		{"OK who", visit{"GET", "/console/session", "", fromPage("Cookie", cookie)}, 200, `"key_name":"first"`},
		{"OK nobody", visit{"GET", "/console/session", "", fromPage()}, 200, `"signed_in":false`},
		{"ErrNoCookie", visit{"GET", api, "", fromPage()}, 401, "sign in"},
		{"ErrOtherCookie", visit{"GET", api, "", fromPage("Cookie", cookie+"x")}, 401, "sign in"},
		{"ErrCookieIsNoKey", visit{"GET", "/v3/sessions/", "", fromPage("Cookie", cookie)}, 401, "x-api-key"},
		{"ErrKeyIsNoCookie", visit{"GET", api, "", fromPage("X-Api-Key", bootstrapKey)}, 401, "sign in"},
		{"ErrNotThere", visit{"GET", "/console/api/v3/nowhere/", "", fromPage("Cookie", cookie)}, 404, "/v3/nowhere/"},
		{"ErrOutside", visit{"GET", "/console/api/metrics", "", fromPage("Cookie", cookie)}, 404, "/console/"},
		{"ErrWrongKey", visit{"POST", "/console/session", `{"api_key": "another-key-of-the-tests"}`, fromPage()}, 401, ""},
		{"ErrNoKey", visit{"POST", "/console/session", `{}`, fromPage()}, 400, "api_key"},
		{"ErrNoJSON", visit{"POST", "/console/session", `api_key=x`, fromPage()}, 400, "api_key"},
		{"ErrLong", visit{"POST", "/console/session", `{"api_key": "` + strings.Repeat("x", 5000) + `"}`, fromPage()}, 400, "api_key"},
		{"ErrMethod", visit{"PUT", "/console/session", `{}`, fromPage()}, 405, "Allow"},
		{"ErrMethodOfPage", visit{"POST", "/console/", `{}`, fromPage()}, 405, "Allow"},
	} {
		t.Run(row.name, func(t *testing.T) {
			response, body := s.visit(t, row.visit)
			if response.StatusCode != row.status || !strings.Contains(body, row.words) {
				t.Errorf("%d %s, want %d with %q", response.StatusCode, body, row.status, row.words)
			}
		})
	}
	t.Run("OK sign out", func(t *testing.T) {
		other := s.cookie(t)
		if response, body := s.visit(t, visit{"DELETE", "/console/session", "", fromPage("Cookie", cookie)}); response.StatusCode != 204 || !strings.Contains(response.Header.Get("Set-Cookie"), "Max-Age=0") {
			t.Error(response.StatusCode, body)
		}
		for cookie, status := range map[string]int{cookie: 401, other: 200} {
			if response, _ := s.visit(t, visit{"GET", api, "", fromPage("Cookie", cookie)}); response.StatusCode != status {
				t.Errorf("status %d, want %d", response.StatusCode, status)
			}
		}
	})
}

// TestOtherOrigins: what a page of another origin can make a browser send changes and tells
// nothing, even with the cookie.
func TestOtherOrigins(t *testing.T) {
	s := serve(t)
	cookie := s.cookie(t)
	foreign := map[string]map[string]string{
		"another site":                 {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
		"another port of this machine": {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
		"an old browser":               {"Origin": "https://evil.example"},
		"a sandboxed frame":            {"Origin": "null"},
	}
	for name, header := range foreign {
		for _, v := range []visit{
			{"PATCH", "/console/api/v3/settings/", `{"max_matches": 9}`, nil},
			{"POST", "/console/api/v3/users/delete/", `{"vendor_data_list": ["x"]}`, nil},
			{"DELETE", "/console/session", "", nil},
			{"POST", "/console/session", signInBody, nil},
		} {
			t.Run(name+"/"+v.method+v.path, func(t *testing.T) {
				// Even if it could send the header that it has to ask for first.
				v.header = fromPage("Cookie", cookie, "Content-Type", "application/json")
				for key, value := range header {
					v.header[key] = value
				}
				response, body := s.visit(t, v)
				if response.StatusCode != 403 || response.Header.Get("Set-Cookie") != "" || response.Header.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("%d %s", response.StatusCode, body)
				}
			})
		}
	}
	for _, v := range []visit{
		{"GET", "/console/api/v3/sessions/", "", nil}, {"GET", "/console/session", "", nil},
		{"POST", "/console/api/v3/users/delete/", `{"vendor_data_list": ["x"]}`, nil}, {"POST", "/console/session", signInBody, nil},
	} {
		t.Run("no header of the pages/"+v.method+v.path, func(t *testing.T) {
			v.header = map[string]string{"Cookie": cookie, "Content-Type": "application/json"}
			if response, body := s.visit(t, v); response.StatusCode != 403 {
				t.Errorf("%d %s", response.StatusCode, body)
			}
		})
	}
	t.Run("OK its own pages", func(t *testing.T) {
		own := fromPage("Cookie", cookie, "Sec-Fetch-Site", "same-origin", "Origin", s.url, "Content-Type", "application/json")
		if response, body := s.visit(t, visit{"PATCH", "/console/api/v3/settings/", `{"max_matches": 9}`, own}); response.StatusCode != 200 {
			t.Errorf("%d %s", response.StatusCode, body)
		}
	})
}

// TestRevokedKey: whoever is signed in with a key is signed out when it is revoked.
func TestRevokedKey(t *testing.T) {
	s := serve(t)
	cookie := s.cookie(t)
	var keys []struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(s.command(t, "keys", "list", "--json")), &keys); err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	s.command(t, "keys", "revoke", keys[0].ID)
	for path, want := range map[string]string{"/console/api/v3/sessions/": `"unauthorized"`, "/console/session": `"signed_in":false`} {
		if _, body := s.visit(t, visit{"GET", path, "", fromPage("Cookie", cookie)}); !strings.Contains(body, want) {
			t.Errorf("%s: %s", path, body)
		}
	}
}

// pagesBytesMax is the most that all of the console's files may weigh together.
const pagesBytesMax = 150_000

func TestWeight(t *testing.T) {
	list, err := os.ReadDir("static")
	if err != nil {
		t.Fatal(err)
	}
	weight := int64(0)
	for _, each := range list {
		info, err := each.Info()
		if err != nil {
			t.Fatal(err)
		}
		weight += info.Size()
	}
	if weight < 50_000 || weight > pagesBytesMax {
		t.Errorf("%d files weigh %d bytes, at most %d wanted", len(list), weight, pagesBytesMax)
	}
}

func TestFiles(t *testing.T) {
	s := serve(t)
	t.Run("OK", func(t *testing.T) {
		for name, kind := range map[string]string{
			"": "text/html", "style.css": "text/css", "app.js": "text/javascript", "icon.svg": "image/svg+xml",
		} {
			response, _ := s.visit(t, visit{"GET", "/console/" + name, "", nil})
			if response.StatusCode != 200 || !strings.HasPrefix(response.Header.Get("Content-Type"), kind) {
				t.Errorf("%s: %d %s", name, response.StatusCode, response.Header.Get("Content-Type"))
			}
			policy := response.Header.Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
				if !strings.Contains(policy, want) {
					t.Errorf("%s: the policy %q lacks %s", name, policy, want)
				}
			}
			if strings.Contains(policy, "unsafe") || response.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %v", name, response.Header)
			}
			again, rest := s.visit(t, visit{"GET", "/console/" + name, "", map[string]string{"If-None-Match": response.Header.Get("ETag")}})
			if again.StatusCode != 304 || rest != "" {
				t.Errorf("%s, known already: %d", name, again.StatusCode)
			}
		}
	})
	t.Run("OK without the last slash", func(t *testing.T) {
		if response, _ := s.visit(t, visit{"GET", "/console", "", nil}); response.StatusCode != 301 || response.Header.Get("Location") != "console/" {
			t.Error(response.StatusCode, response.Header)
		}
	})
	for _, path := range []string{"/console/nothing.js", "/console/../api.go", "/console/%2e%2e/session.go", "/console/static/app.js"} {
		t.Run("Err"+path, func(t *testing.T) {
			if response, body := s.visit(t, visit{"GET", path, "", nil}); response.StatusCode != 404 {
				t.Errorf("%d %s", response.StatusCode, body)
			}
		})
	}
}
