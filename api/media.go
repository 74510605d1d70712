package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"

	"facesearch/pkg/face"
)

// A signer makes addresses of pictures that need no key: whoever has one may see the picture
// until it expires. The signature is an HMAC-SHA-256 over application, picture and expiry, with
// the newest of the gallery's secrets.
type signer struct {
	gallery face.Gallery
	secrets atomic.Pointer[[]face.MediaSecret] // newest first, as they were last read
	now     func() time.Time
}

// load reads the secrets, again after they have changed.
func (s *signer) load(ctx context.Context) error {
	secrets, err := s.gallery.MediaSecrets(ctx)
	if err == nil {
		s.secrets.Store(&secrets)
	}
	return err
}

// current are the secrets as they are now: another server of the same gallery may have changed
// them. While the gallery cannot be asked, they are those of before.
func (s *signer) current(ctx context.Context) []face.MediaSecret {
	_ = s.load(ctx)
	return *s.secrets.Load()
}

// address is the path and query for one picture.
func (s *signer) address(ctx context.Context, application, picture string) string {
	expires := strconv.FormatInt(s.now().Add(face.MediaLife).Unix(), 10)
	return addressUntil(s.current(ctx)[0].Secret, application, picture, expires)
}

func addressUntil(secret []byte, application, picture, expires string) string {
	mac := hmac.New(sha256.New, secret)
	for _, part := range []string{"media/v1", application, picture, expires} {
		mac.Write([]byte(part))
		mac.Write([]byte{0})
	}
	return "/v3/media/" + url.PathEscape(picture) + "?application=" + url.QueryEscape(application) +
		"&expires=" + url.QueryEscape(expires) + "&signature=" + hex.EncodeToString(mac.Sum(nil))
}

// check refuses an address that differs in any character from the one that was signed, or
// that has expired. All secrets are tried, whichever fits. One that was replaced cannot have
// signed what expires later than the life of an address after that: who has got hold of an old
// secret can make no new address with it.
func (s *signer) check(ctx context.Context, given *url.URL, application, picture, expires string) error {
	seconds, err := strconv.ParseInt(expires, 10, 64)
	valid := 0
	last := int64(math.MaxInt64)
	for _, each := range s.current(ctx) {
		signed := addressUntil(each.Secret, application, picture, expires)
		same := subtle.ConstantTimeCompare([]byte(given.EscapedPath()+"?"+given.RawQuery), []byte(signed))
		if seconds <= last {
			valid |= same
		}
		last = each.Since.Add(face.MediaLife).Unix()
	}
	if valid != 1 {
		return &face.Error{Code: face.CodeForbidden, Detail: "The address of this picture is not valid: ask for the session again to get a new one."}
	}
	if err != nil || s.now().Unix() > seconds {
		return &face.Error{Code: face.CodeForbidden, Detail: "The address of this picture has expired: ask for the session again to get a new one."}
	}
	return nil
}

// media answers GET /v3/media/{id}.
func (s *Server) media(w http.ResponseWriter, r *http.Request) {
	ready := s.ready.Load()
	id := chi.URLParam(r, "id")
	query := r.URL.Query()
	application := query.Get("application")
	if err := ready.media.check(r.Context(), r.URL, application, id, query.Get("expires")); err != nil {
		s.fail(w, r, err)
		return
	}
	picture, err := ready.gallery.Picture(r.Context(), application, id)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", picture.ContentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(picture.Data)))
	w.Header().Set("Cache-Control", "private, no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	w.Write(picture.Data)
}
