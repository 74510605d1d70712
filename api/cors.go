package api

import (
	"net/http"

	"github.com/go-chi/cors"
)

// corsSeconds is how long a browser may remember what it was allowed.
const corsSeconds = 600

// withCORS lets pages of these origins call the API from a browser, with a key but without
// cookies, of which there are none. Without an origin it does nothing at all.
func withCORS(origins []string) func(http.Handler) http.Handler {
	if len(origins) == 0 {
		return func(next http.Handler) http.Handler { return next }
	}
	return cors.Handler(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{"GET", "HEAD", "POST", "PATCH", "DELETE"},
		AllowedHeaders: []string{"x-api-key", "Content-Type"},
		ExposedHeaders: []string{
			"X-Request-Id", "Server-Timing", "Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset",
		},
		MaxAge: corsSeconds,
	})
}
