package api

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"

	"facesearch/pkg/face"
)

// Codes that only HTTP has.
const (
	codeMethod   face.Code = "method_not_allowed"
	codeInternal face.Code = "internal_error"
)

// statusOf is the one table from codes to statuses.
var statusOf = map[face.Code]int{
	face.CodeInvalid:             http.StatusBadRequest,
	face.CodeUnauthorized:        http.StatusUnauthorized,
	face.CodeForbidden:           http.StatusForbidden,
	face.CodeInsufficientCredits: http.StatusForbidden,
	face.CodeNotFound:            http.StatusNotFound,
	codeMethod:                   http.StatusMethodNotAllowed,
	face.CodeConflict:            http.StatusConflict,
	face.CodeRateLimited:         http.StatusTooManyRequests,
	face.CodeBusy:                http.StatusServiceUnavailable,
	codeInternal:                 http.StatusInternalServerError,
}

// statusGone is logged, never sent, for a client that went away before its answer.
const statusGone = 499

// fail answers with an error. What a client did not cause is logged, and answered without
// saying what it was.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		w.WriteHeader(statusGone)
		return
	}
	// A client that expects 100 Continue has not sent its body yet, and now need not.
	if r.Header.Get("Expect") == "" {
		drain(r)
	}
	var refusal *face.Error
	if !errors.As(err, &refusal) || statusOf[refusal.Code] == 0 {
		s.options.Log.ErrorContext(r.Context(), "internal error", "request_id", requestID(r.Context()), "error", err.Error())
		refusal = &face.Error{Code: codeInternal, Detail: "Something went wrong in the server; its log has the cause under request " + requestID(r.Context()) + "."}
	}
	if refusal.Code == face.CodeInsufficientCredits {
		s.metrics.creditsRefused.Inc()
	}
	if refusal.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(refusal.RetryAfter.Seconds()))))
	}
	writeJSON(w, statusOf[refusal.Code], map[string]string{"error": string(refusal.Code), "detail": refusal.Detail})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.Encode(value) // an error here is a client that went away
}
