package face

import (
	"errors"
	"fmt"
	"time"
)

// A Code says what kind of refusal an Error is. The api package turns each into a status.
type Code string

// The codes, and when each is returned.
const (
	// CodeInvalid: the request itself is wrong; sending it again unchanged fails again.
	CodeInvalid Code = "invalid_request"
	// CodeUnauthorized: no API key, or one that this server does not know.
	CodeUnauthorized Code = "unauthorized"
	// CodeForbidden: the key is known but may not do this, or a signed address is not valid.
	CodeForbidden Code = "forbidden"
	// CodeInsufficientCredits: the application's credits are metered, and used up.
	CodeInsufficientCredits Code = "insufficient_credits"
	// CodeNotFound: there is no such path, session, search or picture in this application.
	CodeNotFound Code = "not_found"
	// CodeConflict: what is asked for contradicts what is stored.
	CodeConflict Code = "conflict"
	// CodeRateLimited: the key, or the client's address, has sent too many requests for now.
	CodeRateLimited Code = "rate_limited"
	// CodeBusy: every worker is taken and the waiting line is full, or the server is starting.
	CodeBusy Code = "busy"
)

// An Error is a refusal that the caller can act on. Detail is one sentence, safe to send to
// a client: it never holds a name, a template or a path of the server.
type Error struct {
	Code   Code
	Detail string
	// RetryAfter is how long to wait before asking again; 0 where that is no remedy.
	RetryAfter time.Duration
	// Cause, when there is one, is for the log only.
	Cause error
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s (%v)", e.Code, e.Detail, e.Cause)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Detail)
}

func (e *Error) Unwrap() error { return e.Cause }

// Invalid is an Error with CodeInvalid; format and arguments make its sentence.
func Invalid(format string, arguments ...any) *Error {
	return &Error{Code: CodeInvalid, Detail: fmt.Sprintf(format, arguments...)}
}

// NotFound is an Error with CodeNotFound.
func NotFound(format string, arguments ...any) *Error {
	return &Error{Code: CodeNotFound, Detail: fmt.Sprintf(format, arguments...)}
}

// Conflict is an Error with CodeConflict.
func Conflict(format string, arguments ...any) *Error {
	return &Error{Code: CodeConflict, Detail: fmt.Sprintf(format, arguments...)}
}

// CodeOf returns the code of an Error anywhere in err's chain, or "" when err was not
// caused by the caller.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
