package account

import (
	"fmt"
	"sync"
	"time"

	"facesearch/pkg/face"
)

// namesMax bounds the memory of a limit; further names are refused until its hour ends.
const namesMax = 100_000

// A limit counts by name what happens within an hour. The hours are the limit's own, and all
// counts begin anew with each.
type limit struct {
	max int
	now func() time.Time

	mu     sync.Mutex
	began  time.Time
	counts map[string]int
}

func newLimit(max int, now func() time.Time) *limit {
	return &limit{max: max, now: now, counts: map[string]int{}}
}

// A LimitError is a *face.Error of CodeRateLimited with the limit that was reached.
type LimitError struct {
	Refusal *face.Error
	Max     int
}

func (e *LimitError) Error() string { return e.Refusal.Error() }

// Unwrap is the refusal.
func (e *LimitError) Unwrap() error { return e.Refusal }

// take counts one more, or refuses it with a *LimitError.
func (l *limit) take(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if now.Sub(l.began) >= time.Hour {
		l.began = now
		clear(l.counts)
	}
	_, known := l.counts[name]
	if l.counts[name] >= l.max || !known && len(l.counts) >= namesMax {
		refusal := &face.Error{
			Code:       face.CodeRateLimited,
			Detail:     fmt.Sprintf("There were too many requests of this kind: at most %d an hour are answered, so wait and try again.", l.max),
			RetryAfter: l.began.Add(time.Hour).Sub(now),
		}
		return &LimitError{refusal, l.max}
	}
	l.counts[name]++
	return nil
}
