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
		key, err := s.ready.Load().gallery.KeyByDigest(r.Context(), search.Digest(secret))
		if err != nil {
			s.fail(w, r, err)
			return
		}
		ctx := face.WithActor(r.Context(), face.Actor{ID: key.ID, Name: key.Name})
		next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, applicationKey, key.Application)))
	})
}

func application(ctx context.Context) string {
	id, _ := ctx.Value(applicationKey).(string)
	return id
}
