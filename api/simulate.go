package api

import (
	"net/http"
	"strconv"
	"time"

	"facesearch/pkg/face"
)

// What X-Simulate leads to. The limit is that of no key; it is there to be read by clients.
const (
	simulatedLimit = 60
	simulatedRetry = 30 * time.Second
	simulatedWait  = 5 * time.Second
)

// withSimulation lets clients of a server that runs with --dev ask for a refusal, by the header
// X-Simulate. Otherwise the header is read over.
func (s *Server) withSimulation(next http.Handler) http.Handler {
	if !s.options.Dev {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("X-Simulate") {
		case "":
			next.ServeHTTP(w, r)
		case "401":
			s.fail(w, r, &face.Error{Code: face.CodeUnauthorized, Detail: "The API key is not one of this server, or was revoked, or has expired."})
		case "403":
			s.fail(w, r, &face.Error{Code: face.CodeInsufficientCredits, Detail: "The application has no credits left: top them up, or let the server's owner run facesearch credits add."})
		case "429":
			limitHeaders(w, simulatedLimit, s.options.Now().Add(simulatedRetry))
			s.fail(w, r, &face.Error{Code: face.CodeRateLimited, RetryAfter: simulatedRetry,
				Detail: "This API key has sent as many requests as its application allows in a minute: wait until X-RateLimit-Reset."})
		case "503":
			s.fail(w, r, &face.Error{Code: face.CodeBusy, RetryAfter: time.Second,
				Detail: "Every face worker is busy and the waiting line is full: send the request again in a moment."})
		case "slow":
			select {
			case <-time.After(simulatedWait):
				next.ServeHTTP(w, r)
			case <-r.Context().Done():
				s.fail(w, r, r.Context().Err())
			}
		default:
			s.fail(w, r, face.Invalid("X-Simulate is 401, 403, 429, 503 or slow."))
		}
	})
}

// limitHeaders say of which limit nothing is left, and until when.
func limitHeaders(w http.ResponseWriter, limit int, reset time.Time) {
	w.Header().Set("X-RateLimit-Limit", strconv.Itoa(limit))
	w.Header().Set("X-RateLimit-Remaining", "0")
	w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
}
