package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"facesearch/pkg/face"
)

// mediaMinutes is how long the address of a picture is valid.
const mediaMinutes = 60

// A signer makes addresses of pictures that need no key: whoever has one may see the picture
// until it expires. The signature is an HMAC-SHA-256 over application, picture and expiry.
type signer struct {
	secret []byte
	now    func() time.Time
}

// address is the path and query for one picture.
func (s *signer) address(application, picture string) string {
	return s.addressUntil(application, picture, strconv.FormatInt(s.now().Add(mediaMinutes*time.Minute).Unix(), 10))
}

func (s *signer) addressUntil(application, picture, expires string) string {
	mac := hmac.New(sha256.New, s.secret)
	for _, part := range []string{"media/v1", application, picture, expires} {
		mac.Write([]byte(part))
		mac.Write([]byte{0})
	}
	return "/v3/media/" + url.PathEscape(picture) + "?application=" + url.QueryEscape(application) +
		"&expires=" + url.QueryEscape(expires) + "&signature=" + hex.EncodeToString(mac.Sum(nil))
}

// check refuses an address that differs in any character from the one that was signed, or
// that has expired.
func (s *signer) check(given *url.URL, application, picture, expires string) error {
	signed := s.addressUntil(application, picture, expires)
	if subtle.ConstantTimeCompare([]byte(given.EscapedPath()+"?"+given.RawQuery), []byte(signed)) != 1 {
		return &face.Error{Code: face.CodeForbidden, Detail: "The address of this picture is not valid: ask for the session again to get a new one."}
	}
	seconds, err := strconv.ParseInt(expires, 10, 64)
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
	if err := ready.media.check(r.URL, application, id, query.Get("expires")); err != nil {
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
