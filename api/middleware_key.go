package api

import (
	"context"
	"net/http"

	"facesearch/api/console"
	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// withKey finds the application that a request's x-api-key acts for, or the key that its sender
// is signed in to the console with, and whether the key may do what is asked.
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
	if digest, ok := console.Digest(r.Context()); ok {
		return s.keyByDigest(r, digest)
	}
	secret := r.Header.Get("x-api-key")
	if secret == "" {
		return face.Key{}, &face.Error{Code: face.CodeUnauthorized, Detail: "The x-api-key header is missing: send the API key of an application."}
	}
	return s.keyByDigest(r, search.Digest(secret))
}

// keyByDigest finds a valid key for whoever sent a request.
func (s *Server) keyByDigest(r *http.Request, digest [32]byte) (face.Key, error) {
	ready := s.ready.Load()
	if ready == nil {
		return face.Key{}, notReady()
	}
	if !s.options.Dev && digest == search.Digest(search.DevKey) {
		return face.Key{}, &face.Error{Code: face.CodeUnauthorized, Detail: "The development key is only valid at a server that runs with --dev."}
	}
	from := origin{clientOf(r), digest}
	if err := s.guesses.check(from, s.options.Now()); err != nil {
		s.metrics.limited("address")
		return face.Key{}, err
	}
	key, err := ready.gallery.KeyByDigest(r.Context(), digest)
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
