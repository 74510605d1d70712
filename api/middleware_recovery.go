package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
)

// withRecovery turns a panic into a 500, and keeps the server going.
func withRecovery(log *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				cause := recover()
				if cause == nil {
					return
				}
				if cause == http.ErrAbortHandler {
					panic(cause)
				}
				log.ErrorContext(r.Context(), "panic", "request_id", requestID(r.Context()),
					"cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
				writeJSON(w, http.StatusInternalServerError, map[string]string{
					"error":  string(codeInternal),
					"detail": "Something went wrong in the server; its log has the cause under request " + requestID(r.Context()) + ".",
				})
			}()
			next.ServeHTTP(w, r)
		})
	}
}
