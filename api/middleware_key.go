package api

import (
	"context"
	"net/http"

	"facesearch/api/console"
	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// withKey finds the application that a request's x-api-key acts for, or the key that its
// sender is signed in to the console with.
func (s *Server) withKey(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		digest, ok := console.Digest(r.Context())
		if secret := r.Header.Get("x-api-key"); !ok {
			if secret == "" {
				s.fail(w, r, &face.Error{Code: face.CodeUnauthorized, Detail: "The x-api-key header is missing: send the API key of an application."})
				return
			}
			digest = search.Digest(secret)
		}
		key, err := s.keyByDigest(r.Context(), digest)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), applicationKey, key.Application)))
	})
}

// keyByDigest finds a valid key.
func (s *Server) keyByDigest(ctx context.Context, digest [32]byte) (face.Key, error) {
	ready := s.ready.Load()
	if ready == nil {
		return face.Key{}, notReady()
	}
	return ready.gallery.KeyByDigest(ctx, digest)
}

func application(ctx context.Context) string {
	id, _ := ctx.Value(applicationKey).(string)
	return id
}
