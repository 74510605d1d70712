package search

import (
	"context"
	"sync/atomic"
	"time"

	"facesearch/pkg/face"
)

// A line admits as many requests as there are workers, lets some more wait, and turns away
// the rest at once: a request that would wait for long is better sent again later than kept.
type line struct {
	slots      chan struct{}
	waiting    atomic.Int64
	waitingMax int64
	refused    atomic.Uint64
	// serviceNanos is a running mean of how long a request holds its slot.
	serviceNanos atomic.Int64
}

func newLine(workers, waitingMax int) *line {
	l := &line{slots: make(chan struct{}, workers), waitingMax: int64(waitingMax)}
	l.serviceNanos.Store(int64(100 * time.Millisecond))
	return l
}

// enter waits for a slot. leave must be called when the work is done. It returns CodeBusy
// when the waiting line is full, and the context's error when that ends first.
func (l *line) enter(ctx context.Context) (leave func(), err error) {
	select {
	case l.slots <- struct{}{}:
	default:
		if waiting := l.waiting.Add(1); waiting > l.waitingMax {
			l.waiting.Add(-1)
			l.refused.Add(1)
			return nil, &face.Error{
				Code:       face.CodeBusy,
				Detail:     "Every face worker is busy and the waiting line is full: send the request again in a moment.",
				RetryAfter: l.drainTime(),
			}
		}
		defer l.waiting.Add(-1)
		select {
		case l.slots <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	started := time.Now()
	return func() {
		<-l.slots
		old := l.serviceNanos.Load()
		l.serviceNanos.Store(old + (int64(time.Since(started))-old)/16)
	}, nil
}

// drainTime is how long the requests that wait now will take, at least a second.
func (l *line) drainTime() time.Duration {
	rounds := float64(l.waitingMax)/float64(cap(l.slots)) + 1
	return max(time.Second, time.Duration(rounds*float64(l.serviceNanos.Load())))
}
