package bench

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"facesearch/pkg/client"
)

// The pause of a client that was refused without being told how long to wait, and the longest
// that it may be told.
const (
	refusedPause    = time.Second
	refusedPauseMax = 30 * time.Second
)

// loadClients lets Clients send one request after the other to the one target until Duration
// is over, and returns what became of each. One that is refused pauses as Retry-After says.
func (o *LoadOptions) loadClients(ctx context.Context) []outcome {
	var group sync.WaitGroup
	var next atomic.Int64
	lists := make([][]outcome, o.Clients)
	started := time.Now()
	until := started.Add(o.Duration)
	for number := range o.Clients {
		group.Go(func() {
			for ctx.Err() == nil && time.Now().Before(until) {
				i := next.Add(1) - 1
				if i >= RequestsMax {
					return
				}
				one := outcome{due: time.Since(started)}
				err := o.send(ctx, o.Targets[0].Server, o.Pictures[int(i)%len(o.Pictures)].Data, &one)
				one.latency = time.Since(started) - one.due
				lists[number] = append(lists[number], one)
				o.Progress("seconds", min(int(time.Since(started).Seconds()), int(o.Duration.Seconds())), int(o.Duration.Seconds()))
				if err != nil {
					sleepUntil(ctx, time.Now().Add(min(pauseAfter(err), time.Until(until))))
				}
			}
		})
	}
	group.Wait()
	var all []outcome
	for _, list := range lists {
		all = append(all, list...)
	}
	slices.SortFunc(all, func(a, b outcome) int { return cmp.Compare(a.due, b.due) })
	return all
}

// pauseAfter is how long a client waits that was refused.
func pauseAfter(err error) time.Duration {
	var refused *client.Error
	if errors.As(err, &refused) && refused.RetryAfter > 0 {
		return min(refused.RetryAfter, refusedPauseMax)
	}
	return refusedPause
}
