package api

import (
	"net/http"
	"time"

	"facesearch/pkg/face"
)

// whenReady turns requests away while models and gallery are being loaded.
func (s *Server) whenReady(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.ready.Load() == nil {
			s.fail(w, r, notReady())
			return
		}
		next.ServeHTTP(w, r)
	})
}

func notReady() error {
	return &face.Error{
		Code: face.CodeBusy, RetryAfter: time.Second,
		Detail: "The server is starting: models and gallery are being loaded.",
	}
}

// health says that the process answers.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readiness says whether searches are answered.
func (s *Server) readiness(w http.ResponseWriter, r *http.Request) {
	if s.ready.Load() == nil {
		s.fail(w, r, notReady())
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}
