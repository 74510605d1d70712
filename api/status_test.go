package api_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"facesearch/api"
	"facesearch/pkg/face"
	"facesearch/pkg/facetest"
	"facesearch/pkg/photo"
	"facesearch/pkg/search"
)

func TestUnauthorized(t *testing.T) {
	a := newTenant(t)
	kind, body := form(file("user_image", facetest.JPEG(t, plain(64, 64))))
	unchanged := a.unchanged(t)
	for name, key := range map[string]string{
		"NoKey": "", "WrongKey": confide(search.NewSecret()), "ChangedKey": confide(a.key[:len(a.key)-1] + "_"),
		"LongerKey": a.key + "x", "KeyInOtherCase": strings.ToUpper(a.key), "KeyID": "deadbeef",
	} {
		t.Run(name, func(t *testing.T) {
			stranger := &tenant{world: a.world, id: a.id, key: key, url: a.url}
			for _, path := range []string{"/v3/face-search/", "/v3/face-search", "/v3/sessions/"} {
				stranger.send(t, http.MethodPost, path, kind, body).refused(t, 401, "unauthorized", "")
			}
		})
	}
	unchanged()
	t.Run("Revoked", func(t *testing.T) {
		secret, id := a.newKey(t)
		other := &tenant{world: a.world, id: a.id, key: secret, url: a.url}
		if got := other.send(t, http.MethodPost, "/v3/face-search/", kind, body); got.status != http.StatusOK {
			t.Fatalf("before: %d %s", got.status, got.body)
		}
		unchanged := a.unchanged(t)
		if err := a.gallery.RevokeKey(t.Context(), a.id, id); err != nil {
			t.Fatal(err)
		}
		other.send(t, http.MethodPost, "/v3/face-search/", kind, body).refused(t, 401, "unauthorized", "revoked")
		unchanged()
	})
}

func TestPathsAndMethods(t *testing.T) {
	a := newTenant(t)
	t.Run("NotFound", func(t *testing.T) {
		for _, path := range []string{"/", "/v3", "/v3/", "/v3/nothing/", "/v2/face-search/", "/v3/face-search/more", "/v3/media/", "/favicon.ico"} {
			for _, method := range []string{"GET", "POST", "DELETE"} {
				a.send(t, method, path, "", nil).refused(t, 404, "not_found", "There is nothing at")
			}
		}
	})
	t.Run("MethodNotAllowed", func(t *testing.T) {
		for path, allow := range map[string]string{
			"/v3/face-search/": "POST", "/v3/face-search": "POST", "/v3/sessions/": "GET, HEAD, POST",
			"/v3/media/some-id": "GET, HEAD", "/healthz": "GET, HEAD", "/readyz/": "GET, HEAD",
		} {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"} {
				if strings.Contains(allow, method) {
					continue
				}
				got := a.send(t, method, path, "", nil)
				if got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != allow {
					t.Errorf("%s %s: %d, Allow %q", method, path, got.status, got.header.Get("Allow"))
				}
				if method != "HEAD" {
					got.refused(t, 405, "method_not_allowed", method+" is not possible here")
				}
			}
		}
	})
	t.Run("Health", func(t *testing.T) {
		stranger := &tenant{world: a.world, url: a.url}
		for _, path := range []string{"/healthz", "/readyz", "/healthz/"} {
			if got := stranger.send(t, "GET", path, "", nil); got.status != http.StatusOK {
				t.Errorf("%s: %d %s", path, got.status, got.body)
			}
			if got := stranger.send(t, "HEAD", path, "", nil); got.status != http.StatusOK || len(got.body) != 0 {
				t.Errorf("HEAD %s: %d", path, got.status)
			}
		}
	})
	t.Run("RequestID", func(t *testing.T) {
		one, other := a.send(t, "GET", "/v3/", "", nil), a.send(t, "GET", "/v3/", "", nil)
		if id := one.header.Get("X-Request-Id"); id == "" || id == other.header.Get("X-Request-Id") {
			t.Errorf("X-Request-Id %q twice", id)
		}
	})
}

func TestNotReady(t *testing.T) {
	a := newTenant(t)
	starting := &tenant{world: a.world, id: a.id, key: a.key, url: notReady(t)}
	kind, body := form(file("user_image", facetest.JPEG(t, plain(64, 64))))
	for _, got := range []answer{
		starting.send(t, http.MethodPost, "/v3/face-search/", kind, body), starting.send(t, http.MethodGet, "/readyz", "", nil),
		starting.send(t, http.MethodGet, "/v3/media/x?application=y", "", nil),
	} {
		got.refused(t, 503, "busy", "starting")
		retryAfter(t, got)
	}
	if got := starting.send(t, http.MethodGet, "/healthz", "", nil); got.status != http.StatusOK {
		t.Errorf("/healthz %d before the server is ready", got.status)
	}
}

func retryAfter(t *testing.T, got answer) {
	t.Helper()
	if seconds, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || seconds < 1 {
		t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
	}
}

// A gate holds every picture up until it is opened, and is the real engine otherwise.
type gate struct {
	search.Engine
	entered chan struct{}
	open    chan struct{}
}

func newGate(engine search.Engine) *gate {
	return &gate{engine, make(chan struct{}, 100), make(chan struct{})}
}

func (g *gate) Find(ctx context.Context, p *photo.Photo, rotate bool) (face.Found, error) {
	g.entered <- struct{}{}
	select {
	case <-g.open:
	case <-ctx.Done():
		return face.Found{}, ctx.Err()
	}
	return g.Engine.Find(ctx, p, rotate)
}

func (g *gate) wait(t *testing.T) {
	t.Helper()
	select {
	case <-g.entered:
	case <-time.After(patience):
		t.Fatal("no picture reached the engine")
	}
}

func TestBusy(t *testing.T) {
	a := newTenant(t)
	kind, body := form(file("user_image", facetest.JPEG(t, plain(64, 64))))
	for _, waitingMax := range []int{0, 1, 3} {
		t.Run(strconv.Itoa(waitingMax), func(t *testing.T) {
			gate := newGate(a.engine)
			busy := &tenant{world: a.world, id: a.id, key: a.key, url: a.serve(t, api.Options{}, gate, 1, waitingMax)}
			const more = 8
			answers := make(chan answer, more+1)
			send := func() {
				request, err := http.NewRequest(http.MethodPost, busy.url+"/v3/face-search/", bytes.NewReader(body))
				if err == nil {
					request.Header = http.Header{"Content-Type": {kind}, "X-Api-Key": {a.key}}
					var got answer
					if got, err = do(request); err == nil {
						answers <- got
						return
					}
				}
				answers <- answer{body: []byte(err.Error())}
			}
			go send()
			gate.wait(t) // the one worker is taken
			for range more {
				go send()
			}
			saved := a.gallery.savedBy(a.id)
			for range more - waitingMax {
				got := <-answers
				got.refused(t, 503, "busy", "waiting line is full")
				retryAfter(t, got)
			}
			if a.gallery.savedBy(a.id) != saved {
				t.Error("a request that was turned away was saved")
			}
			close(gate.open)
			for range 1 + waitingMax {
				if got := <-answers; got.status != http.StatusOK {
					t.Errorf("%d %s", got.status, got.body)
				}
			}
		})
	}
}

// TestClientGoesAway: the worker of a request whose client has left is free again, whether
// the server knew the body's length or not.
func TestClientGoesAway(t *testing.T) {
	a := newTenant(t)
	kind, body := form(file("user_image", facetest.JPEG(t, plain(64, 64))))
	bodies := map[string]func() io.Reader{
		"Length":  func() io.Reader { return bytes.NewReader(body) },
		"Chunked": func() io.Reader { return io.MultiReader(bytes.NewReader(body)) },
	}
	for name, reader := range bodies {
		t.Run(name, func(t *testing.T) {
			gate := newGate(a.engine)
			one := &tenant{world: a.world, id: a.id, key: a.key, url: a.serve(t, api.Options{}, gate, 1, 10)}
			ctx, leave := context.WithCancel(t.Context())
			left := make(chan error, 1)
			request := one.request(t, http.MethodPost, "/v3/face-search/", kind, reader()).WithContext(ctx)
			go func() {
				_, err := do(request)
				left <- err
			}()
			gate.wait(t)
			saved := a.gallery.savedBy(a.id)
			leave()
			if err := <-left; !errors.Is(err, context.Canceled) {
				t.Fatalf("the first request ended with %v", err)
			}
			next := make(chan answer, 1)
			second := one.request(t, http.MethodPost, "/v3/face-search/", kind, bytes.NewReader(body))
			go func() {
				got, _ := do(second)
				next <- got
			}()
			gate.wait(t) // the gate is still shut: only a freed worker gets here
			if a.gallery.savedBy(a.id) != saved {
				t.Error("the search of a client that left was saved")
			}
			close(gate.open)
			if got := <-next; got.status != http.StatusOK {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
}

// broken fails in a way that no client caused.
type broken struct{ search.Engine }

func (broken) Find(_ context.Context, p *photo.Photo, _ bool) (face.Found, error) {
	if p.Width == 65 {
		panic("the engine fell over")
	}
	return face.Found{}, errors.New("the disk of machine-17 is gone")
}

func TestInternalErrors(t *testing.T) {
	a := newTenant(t)
	one := &tenant{world: a.world, id: a.id, key: a.key, url: a.serve(t, api.Options{}, broken{}, 1, 10)}
	for _, width := range []int{64, 65, 64} { // it goes on after each
		got := one.post(t, "/v3/face-search/", file("user_image", facetest.JPEG(t, plain(width, 64))))
		got.refused(t, 500, "internal_error", got.header.Get("X-Request-Id"))
		if bytes.Contains(got.body, []byte("machine-17")) || bytes.Contains(got.body, []byte("fell over")) {
			t.Errorf("the answer tells the cause: %s", got.body)
		}
	}
	if text := logged.String(); !strings.Contains(text, "machine-17") || !strings.Contains(text, "fell over") {
		t.Error("the log does not tell the cause")
	}
}
