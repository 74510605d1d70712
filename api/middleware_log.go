package api

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// withLog writes a line for each request. It names the route, never the address as it was
// sent: that may hold a signature or somebody's reference.
func withLog(log *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			started := time.Now()
			wrapped := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
			next.ServeHTTP(wrapped, r)
			route := chi.RouteContext(r.Context()).RoutePattern()
			if route == "/healthz" || route == "/readyz" || route == "/metrics" {
				return
			}
			log.InfoContext(r.Context(), "request", "request_id", requestID(r.Context()), "method", r.Method,
				"route", route, "status", wrapped.Status(), "bytes", wrapped.BytesWritten(),
				"milliseconds", float64(time.Since(started).Microseconds())/1000)
		})
	}
}
