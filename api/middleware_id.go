package api

import (
	"context"
	"net/http"

	"github.com/google/uuid"
)

type contextKey int

const (
	requestIDKey contextKey = iota
	keyKey
)

// withRequestID names each request, for the log and for whoever asks about it.
func withRequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := uuid.NewString()
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey, id)))
	})
}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey).(string)
	return id
}
