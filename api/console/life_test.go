package console_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"facesearch/api/console"
	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// A clocked console is one whose time the test sets; every key is valid.
type clocked struct {
	now    time.Time
	router chi.Router
}

func newClocked() *clocked {
	c := &clocked{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), router: chi.NewRouter()}
	pages := console.New(console.Options{
		Key: func(_ *http.Request, digest [32]byte) (face.Key, error) {
			return face.Key{ID: "key", Digest: digest, Scope: face.ScopeManage}, nil
		},
		Fail:   func(w http.ResponseWriter, _ *http.Request, err error) { http.Error(w, err.Error(), http.StatusTeapot) },
		Origin: "https://faces.example.org/behind",
		Base:   func(*http.Request) string { return "https://faces.example.org/behind" },
		Now:    func() time.Time { return c.now },
	})
	c.router.Use(pages.Forward)
	pages.Routes(c.router)
	return c
}

func (c *clocked) send(method, body, cookie string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, "/console/session", strings.NewReader(body))
	request.Header.Set("X-Facesearch-Console", "1")
	request.Header.Set("Cookie", cookie)
	recorder := httptest.NewRecorder()
	c.router.ServeHTTP(recorder, request)
	return recorder
}

func (c *clocked) signIn(t *testing.T) (cookie string) {
	t.Helper()
	response := c.send("POST", signInBody, "")
	cookie, attributes, _ := strings.Cut(response.Header().Get("Set-Cookie"), ";")
	if response.Code != 200 || !strings.Contains(attributes, "Secure") {
		t.Fatal(response.Code, response.Body, attributes)
	}
	return cookie
}

func (c *clocked) signedIn(t *testing.T, cookie string) (yes bool) {
	t.Helper()
	var answer struct {
		SignedIn bool `json:"signed_in"`
	}
	response := c.send("GET", "", cookie)
	if err := json.Unmarshal(response.Body.Bytes(), &answer); err != nil {
		t.Fatal(err, response.Body)
	}
	return answer.SignedIn
}

func TestSignInEnds(t *testing.T) {
	c := newClocked()
	cookie := c.signIn(t)
	c.now = c.now.Add(12*time.Hour - time.Second)
	if !c.signedIn(t, cookie) {
		t.Error("it ended before its time")
	}
	c.now = c.now.Add(time.Second)
	if c.signedIn(t, cookie) {
		t.Error("it goes on after 12 hours")
	}
}

// TestSignInsBounded: the thousand and first sign-in ends the first.
func TestSignInsBounded(t *testing.T) {
	c := newClocked()
	var cookies []string
	for range 1001 {
		cookies = append(cookies, c.signIn(t))
		c.now = c.now.Add(time.Millisecond)
	}
	if c.signedIn(t, cookies[0]) || !c.signedIn(t, cookies[1]) || !c.signedIn(t, cookies[1000]) {
		t.Error("it is not the first of 1,001 sign-ins that ends")
	}
}

// TestForward: the API sees the path and the key that it would without the console.
func TestForward(t *testing.T) {
	c := newClocked()
	c.router.HandleFunc("/v3/*", func(w http.ResponseWriter, r *http.Request) {
		digest, ok := console.Digest(r.Context())
		if !ok || digest != search.Digest(bootstrapKey) {
			t.Error("without the key that signed in")
		}
		w.Write([]byte(r.URL.EscapedPath()))
	})
	cookie := c.signIn(t)
	for path, want := range map[string]string{
		"/console/api/v3/sessions/": "/v3/sessions/", "/console/api/v3/media/a%2Fb?x=1": "/v3/media/a%2Fb",
	} {
		request := httptest.NewRequest("GET", path, nil)
		request.Header.Set("X-Facesearch-Console", "1")
		request.Header.Set("Cookie", cookie)
		recorder := httptest.NewRecorder()
		c.router.ServeHTTP(recorder, request)
		if got := recorder.Body.String(); got != want {
			t.Errorf("%s became %q, want %q", path, got, want)
		}
	}
}

// TestProxy: behind a proxy that asks for another host, the console's own pages are still let in.
func TestProxy(t *testing.T) {
	c := newClocked()
	for origin, status := range map[string]int{"https://faces.example.org": 200, "http://faces.example.org": 418, "https://evil.example": 418} {
		request := httptest.NewRequest("POST", "http://10.0.0.7/console/session", strings.NewReader(signInBody))
		request.Header.Set("X-Facesearch-Console", "1")
		request.Header.Set("Origin", origin)
		recorder := httptest.NewRecorder()
		c.router.ServeHTTP(recorder, request)
		if recorder.Code != status {
			t.Errorf("from %s: %d, want %d", origin, recorder.Code, status)
		}
	}
}
