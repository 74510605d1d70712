package api

import (
	"context"
	"net/http"

	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// withKey finds the application that a request's x-api-key acts for, and whether the key may do
// what is asked.
func (s *Server) withKey(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, err := s.findKey(r)
		if err == nil {
			err = s.admit(r.Context(), w.Header(), key)
		}
		if err == nil {
			err = checkScope(key, r)
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		ctx := face.WithActor(r.Context(), face.Actor{ID: key.ID, Name: key.Name})
		next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, keyKey, key)))
	})
}

func (s *Server) findKey(r *http.Request) (face.Key, error) {
	secret := r.Header.Get("x-api-key")
	if secret == "" {
		return face.Key{}, &face.Error{Code: face.CodeUnauthorized, Detail: "The x-api-key header is missing: send the API key of an application."}
	}
	if secret == search.DevKey && !s.options.Dev {
		return face.Key{}, &face.Error{Code: face.CodeUnauthorized, Detail: "The development key is only valid at a server that runs with --dev."}
	}
	from := origin{clientOf(r), search.Digest(secret)}
	if err := s.guesses.check(from, s.options.Now()); err != nil {
		s.metrics.limited("address")
		return face.Key{}, err
	}
	ready := s.ready.Load()
	key, err := ready.gallery.KeyByDigest(r.Context(), from.digest)
	if err == nil || face.CodeOf(err) == face.CodeUnauthorized {
		s.guesses.remember(from, err == nil, s.options.Now())
	}
	if err != nil {
		return face.Key{}, err
	}
	ready.usage.Note(key, s.options.Now())
	return key, nil
}

// keyOf is the key that a request came with.
func keyOf(ctx context.Context) face.Key {
	key, _ := ctx.Value(keyKey).(face.Key)
	return key
}

func application(ctx context.Context) string { return keyOf(ctx).Application }
