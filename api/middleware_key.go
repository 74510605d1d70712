package api

import (
	"context"
	"net/http"

	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// withKey finds the application that a request's x-api-key acts for.
func (s *Server) withKey(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secret := r.Header.Get("x-api-key")
		if secret == "" {
			s.fail(w, r, &face.Error{Code: face.CodeUnauthorized, Detail: "The x-api-key header is missing: send the API key of an application."})
			return
		}
		from := origin{clientOf(r), search.Digest(secret)}
		if err := s.guesses.check(from, s.options.Now()); err != nil {
			s.metrics.limited("address")
			s.fail(w, r, err)
			return
		}
		key, err := s.ready.Load().gallery.KeyByDigest(r.Context(), from.digest)
		if err == nil || face.CodeOf(err) == face.CodeUnauthorized {
			s.guesses.remember(from, err == nil, s.options.Now())
		}
		if err == nil {
			err = s.admit(r.Context(), w.Header(), key)
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), applicationKey, key.Application)))
	})
}

func application(ctx context.Context) string {
	id, _ := ctx.Value(applicationKey).(string)
	return id
}
