package api_test

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"facesearch/api"
	"facesearch/pkg/face"
	"facesearch/pkg/facetest"
)

// get asks for a path and query exactly as they are written, without a key.
func get(t *testing.T, method, server, target string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, server, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.URL.Opaque = target
	got, err := do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return got
}

// targetOf is the path and query of an address on a server.
func targetOf(t *testing.T, server string, address *string) string {
	t.Helper()
	if address == nil || !strings.HasPrefix(*address, server+"/v3/media/") {
		t.Fatalf("address %v is not one of %s", address, server)
	}
	return strings.TrimPrefix(*address, server)
}

func TestMedia(t *testing.T) {
	a := newTenant(t)
	made := a.enrol(t, facetest.Photograph(t, "obama.jpg"))
	target := targetOf(t, a.url, made.PortraitImageURL)
	t.Run("OK", func(t *testing.T) {
		got := get(t, http.MethodGet, a.url, target)
		if got.status != 200 || got.header.Get("Content-Type") != "image/jpeg" {
			t.Fatalf("%d %s", got.status, got.header)
		}
		picture, err := jpeg.Decode(bytes.NewReader(got.body))
		if err != nil || max(picture.Bounds().Dx(), picture.Bounds().Dy()) > 480 || picture.Bounds().Dx() < 100 {
			t.Errorf("%v, %v", picture.Bounds(), err)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store", "Content-Length": strconv.Itoa(len(got.body)),
		} {
			if got.header.Get(name) != want {
				t.Errorf("%s is %q, want %q", name, got.header.Get(name), want)
			}
		}
	})
	t.Run("OfAMatch", func(t *testing.T) {
		found := a.search(t, facetest.Photograph(t, "obama2.jpg"))
		got := get(t, http.MethodGet, a.url, targetOf(t, a.url, found.FaceSearch.Matches[0].MatchImageURL))
		if same := get(t, http.MethodGet, a.url, target); got.status != 200 || !bytes.Equal(got.body, same.body) {
			t.Errorf("%d, %d bytes", got.status, len(got.body))
		}
	})
	t.Run("HEAD", func(t *testing.T) {
		whole, head := get(t, http.MethodGet, a.url, target), get(t, http.MethodHead, a.url, target)
		if head.status != 200 || len(head.body) != 0 || head.header.Get("Content-Length") != strconv.Itoa(len(whole.body)) ||
			head.header.Get("Content-Type") != "image/jpeg" {
			t.Errorf("%d %s", head.status, head.header)
		}
	})
	t.Run("Original", func(t *testing.T) {
		settings := face.DefaultSettings()
		settings.KeepPicture = face.KeepOriginal
		if err := a.gallery.PutSettings(t.Context(), a.id, settings); err != nil {
			t.Fatal(err)
		}
		original := facetest.Photograph(t, "astronaut.png")
		made := a.enrol(t, original)
		got := get(t, http.MethodGet, a.url, targetOf(t, a.url, made.PortraitImageURL))
		if got.header.Get("Content-Type") != "image/png" || !bytes.Equal(got.body, original) {
			t.Errorf("%s, %d bytes", got.header.Get("Content-Type"), len(got.body))
		}
	})
}

// TestMediaChanged changes an address at every place in several ways: none shows the picture.
func TestMediaChanged(t *testing.T) {
	a := newTenant(t)
	target := targetOf(t, a.url, a.enrol(t, facetest.Photograph(t, "obama.jpg")).PortraitImageURL)
	if got := get(t, http.MethodGet, a.url, target); got.status != 200 {
		t.Fatalf("unchanged: %d %s", got.status, got.body)
	}
	changed := map[string]bool{target + "&more=1": true, target + "0": true, target + "&": true}
	for i := 1; i < len(target); i++ { // the first slash makes it a request at all
		before, character, after := target[:i], target[i], target[i+1:]
		for _, other := range []string{
			"", "0", "a", string(character) + string(character), fmt.Sprintf("%%%02x", character), fmt.Sprintf("%%%02X", character),
			string(character ^ 0x20), "/", "&", "=", ".",
		} {
			// Go's client sends no control characters, nor does a server read them.
			if next := before + other + after; next != target && !strings.ContainsFunc(next, unicode.IsControl) {
				changed[next] = true
			}
		}
	}
	for next := range changed {
		got := get(t, http.MethodGet, a.url, next)
		if got.status != 403 && got.status != 404 {
			t.Errorf("%s: status %d", next, got.status)
			continue
		}
		code := map[int]string{403: "forbidden", 404: "not_found"}[got.status]
		got.refused(t, got.status, code, "")
	}
	if len(changed) < 5*len(target) {
		t.Errorf("only %d changes were tried", len(changed))
	}
}

func TestMediaExpires(t *testing.T) {
	a := newTenant(t)
	var offset atomic.Int64
	now := time.Now()
	clock := func() time.Time { return now.Add(time.Duration(offset.Load())) }
	one := &tenant{world: a.world, id: a.id, key: a.key, url: a.serve(t, api.Options{Now: clock}, a.engine, 1, 10)}
	target := targetOf(t, one.url, one.enrol(t, facetest.Photograph(t, "obama.jpg")).PortraitImageURL)
	for after, status := range map[time.Duration]int{0: 200, 59*time.Minute + 59*time.Second: 200, 60*time.Minute + time.Second: 403, 1000 * time.Hour: 403} {
		offset.Store(int64(after))
		got := get(t, http.MethodGet, one.url, target)
		if got.status != status {
			t.Errorf("after %v: %d, want %d", after, got.status, status)
		}
		if status == 403 {
			got.refused(t, 403, "forbidden", "expired")
		}
	}
}

func TestMediaOfAnotherApplication(t *testing.T) {
	one, other := newTenant(t), newTenant(t)
	first := targetOf(t, one.url, one.enrol(t, facetest.Photograph(t, "obama.jpg")).PortraitImageURL)
	second := targetOf(t, other.url, other.enrol(t, facetest.Photograph(t, "biden.jpg")).PortraitImageURL)
	firstPath, firstQuery, _ := strings.Cut(first, "?")
	secondPath, secondQuery, _ := strings.Cut(second, "?")
	for _, target := range []string{
		firstPath + "?" + secondQuery, secondPath + "?" + firstQuery, firstPath,
		strings.Replace(first, one.id, other.id, 1), firstPath + "?application=" + one.id,
	} {
		get(t, http.MethodGet, one.url, target).refused(t, 403, "forbidden", "not valid")
	}
}

func TestPublicURL(t *testing.T) {
	a := newTenant(t)
	one := &tenant{world: a.world, id: a.id, key: a.key,
		url: a.serve(t, api.Options{PublicURL: "https://faces.example.org/"}, a.engine, 1, 10)}
	made := one.enrol(t, facetest.Photograph(t, "obama.jpg"))
	address, err := url.Parse(*made.PortraitImageURL)
	if err != nil || address.Scheme != "https" || address.Host != "faces.example.org" || !strings.HasPrefix(address.Path, "/v3/media/") {
		t.Fatalf("%s, %v", *made.PortraitImageURL, err)
	}
	if got := get(t, http.MethodGet, one.url, address.RequestURI()); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
}
