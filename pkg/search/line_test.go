package search_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// patience is how long a test waits for what must happen.
const patience = 3 * time.Minute

func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !happened(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen: %s", what)
		}
	}
}

func mustEnter(t *testing.T, line search.Line) (leave func()) {
	t.Helper()
	leave, err := line.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return leave
}

func TestLine(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		line := search.NewLine(2, 0)
		first, second := mustEnter(t, line), mustEnter(t, line)
		first()
		mustEnter(t, line)()
		second()
	})
	t.Run("ErrBusy", func(t *testing.T) {
		line := search.NewLine(1, 0)
		leave := mustEnter(t, line)
		_, err := line.Enter(t.Context())
		var refusal *face.Error
		if !errors.As(err, &refusal) || refusal.Code != face.CodeBusy || refusal.RetryAfter < time.Second {
			t.Fatalf("%v, want busy with a time to come again", err)
		}
		leave()
		mustEnter(t, line)()
	})
	t.Run("LeaveFreesWhoWaits", func(t *testing.T) {
		line := search.NewLine(1, 1)
		leave := mustEnter(t, line)
		entered := make(chan error, 1)
		go func() {
			next, err := line.Enter(context.Background())
			if err == nil {
				next()
			}
			entered <- err
		}()
		eventually(t, "one waits", func() bool { return line.Waiting() == 1 })
		if _, err := line.Enter(t.Context()); face.CodeOf(err) != face.CodeBusy {
			t.Errorf("%v, want busy while one waits already", err)
		}
		leave()
		if err := <-entered; err != nil {
			t.Error(err)
		}
		if line.Waiting() != 0 {
			t.Errorf("%d wait", line.Waiting())
		}
	})
	t.Run("ErrCanceled", func(t *testing.T) {
		line := search.NewLine(1, 1)
		leave := mustEnter(t, line)
		for range 3 { // the place in the line is given back each time
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				_, err := line.Enter(ctx)
				ended <- err
			}()
			eventually(t, "one waits", func() bool { return line.Waiting() == 1 })
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Fatalf("%v, want canceled", err)
			}
		}
		leave()
		mustEnter(t, line)()
	})
}

// TestLineBounds sends a crowd through: never more than the workers are inside, never more
// than the bound wait, everybody gets in or is turned away, and all places are free at the end.
func TestLineBounds(t *testing.T) {
	const workers, waitingMax, crowd = 3, 5, 400
	line := search.NewLine(workers, waitingMax)
	var inside, insideMax, served, refused atomic.Int64
	var group sync.WaitGroup
	for range crowd {
		group.Go(func() {
			leave, err := line.Enter(context.Background())
			if face.CodeOf(err) == face.CodeBusy {
				refused.Add(1)
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			now := inside.Add(1)
			for old := insideMax.Load(); now > old && !insideMax.CompareAndSwap(old, now); old = insideMax.Load() {
			}
			runtime.Gosched()
			inside.Add(-1)
			served.Add(1)
			leave()
		})
	}
	group.Wait()
	if insideMax.Load() > workers || served.Load()+refused.Load() != crowd || served.Load() < workers {
		t.Errorf("%d inside at once, %d served, %d refused", insideMax.Load(), served.Load(), refused.Load())
	}
	for range workers {
		defer mustEnter(t, line)()
	}
	if _, err := search.NewLine(1, 0).Enter(t.Context()); err != nil || line.Waiting() != 0 {
		t.Errorf("%v, %d wait", err, line.Waiting())
	}
}
