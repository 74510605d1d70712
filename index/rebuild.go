package index

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

const (
	// buildAttemptsMax panics in a row end a build; the scan answers until Rebuild or Restore is called.
	buildAttemptsMax = 3

	// catchUpMax is how many keys that changed during a build may be left for its last step, in which writers and
	// searches wait.
	catchUpMax = 16
)

// errWorn ends an attempt at a build whose vectors changed so much that too many of its nodes are dead already, or of
// which some may not stay in memory.
var errWorn = errors.New("too many dead nodes")

// build is one under way in the background.
type build struct {
	cancel  context.CancelFunc
	changed map[uint64]struct{} // keys put or deleted that it may not have seen; under HNSW.mu
	deleted bool                // a vector that it may have as a node; under HNSW.mu
	again   atomic.Bool         // asked for once more since, see RebuildSoon
	done    chan struct{}       // closed at the end, err is set then
	err     error
}

// setGraph installs a graph, or with nil throws the present one away, and abandons a build under way. The caller holds mu.
func (h *HNSW) setGraph(g *graph) {
	if h.build != nil {
		h.build.cancel()
	}
	h.graph, h.build, h.failure = g, nil, nil
}

// startBuild throws the graph away and builds one of the vectors stored, unless that is being done already. The caller
// holds mu. It returns nil after Close.
func (h *HNSW) startBuild() *build {
	if h.closed || h.build != nil {
		return h.build
	}
	ctx, cancel := context.WithCancel(h.building)
	b := &build{cancel: cancel, changed: map[uint64]struct{}{}, done: make(chan struct{})}
	h.setGraph(nil)
	h.build = b
	h.background.Go(func() {
		defer close(b.done)
		defer cancel()
		b.err = h.run(ctx, b)
	})
	return b
}

func (h *HNSW) run(ctx context.Context, b *build) error {
	err := h.attempt(ctx, b)
	for failed := 0; err != nil && ctx.Err() == nil; err = h.attempt(ctx, b) {
		if errors.Is(err, errWorn) {
			continue
		}
		h.mu.Lock()
		h.panics++
		h.mu.Unlock()
		if failed++; failed == buildAttemptsMax {
			break
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed && err != nil {
		err = ErrClosed
	}
	if h.build == b {
		h.build, h.failure = nil, err
	}
	return err
}

// attempt builds a graph beside the searches and writers, catches up with what changed meanwhile, and installs it.
func (h *HNSW) attempt(ctx context.Context, b *build) error {
	h.mu.Lock()
	g := newGraph(h.options, h.distance)
	clear(b.changed)
	b.deleted = false
	b.again.Store(false)
	keys := h.vectors.keys()
	h.mu.Unlock()
	for {
		for _, key := range keys {
			if err := ctx.Err(); err != nil {
				return err
			}
			if b.again.Load() {
				return errWorn
			}
			if err := g.update(key, h.vectors); err != nil {
				return err
			}
		}
		if g.worn() {
			return errWorn
		}
		installed, err := h.install(ctx, b, g)
		if installed || err != nil {
			return err
		}
		keys = h.takeChanged(b)
	}
}

// takeChanged empties the list of changed keys.
func (h *HNSW) takeChanged(b *build) []uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	keys := make([]uint64, 0, len(b.changed))
	for key := range b.changed {
		keys = append(keys, key)
	}
	clear(b.changed)
	return keys
}

// install makes a graph the one that answers, unless too many keys changed since it was last brought up to date.
func (h *HNSW) install(ctx context.Context, b *build, g *graph) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if b.again.Load() {
		return false, errWorn
	}
	if len(b.changed) > catchUpMax {
		return false, nil
	}
	for key := range b.changed {
		if err := g.update(key, h.vectors); err != nil {
			return false, err
		}
	}
	h.setGraph(g)
	h.rebuilds++
	return true, nil
}

// update brings a graph up to date with what is stored under a key.
func (g *graph) update(key uint64, vectors *Exact) error {
	vector := vectors.vector(key)
	if vector == nil {
		g.drop(key)
		return nil
	}
	return g.put(key, vector)
}

// RebuildSoon throws the graph away and builds it anew from the vectors stored, in the background: afterwards no vector is in
// its memory that was deleted before the call. It reports whether that began a build. One that is under way already is
// used instead, begun again if it may have such a vector: however often this is called, one build at a time is under way,
// and none waits behind it.
func (h *HNSW) RebuildSoon() (begun bool) {
	_, begun = h.rebuildSoon()
	return begun
}

func (h *HNSW) rebuildSoon() (b *build, begun bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.build == nil {
		b = h.startBuild()
		return b, b != nil
	}
	if h.build.deleted {
		h.build.again.Store(true)
	}
	return h.build, false
}

// Rebuild builds the graph anew from the vectors stored and returns when it answers; a build that is under way already
// is waited for instead, as in RebuildSoon. The scan answers meanwhile. It returns the error of a ctx that has
// ended (the build then goes on in the background), ErrGraph when coder/hnsw panicked again and again, ErrNotReady when
// PutAll came between, or ErrClosed. While vectors change faster than a build takes them in, it does not end.
func (h *HNSW) Rebuild(ctx context.Context) error {
	b, _ := h.rebuildSoon()
	if b == nil {
		return ErrClosed
	}
	return h.await(ctx, b)
}

// Wait returns when the build under way has ended, with the errors of Rebuild. If none is, it returns at once: nil, or why
// the last one was given up, ErrGraph or ErrClosed.
func (h *HNSW) Wait(ctx context.Context) error {
	h.mu.RLock()
	b, failure := h.build, h.failure
	h.mu.RUnlock()
	if b == nil {
		return failure
	}
	return h.await(ctx, b)
}

func (h *HNSW) await(ctx context.Context, b *build) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-b.done:
	}
	if !errors.Is(b.err, context.Canceled) {
		return b.err
	}
	if !h.Ready() {
		return fmt.Errorf("%w: its build was abandoned", ErrNotReady)
	}
	return nil // Restore was quicker
}

// Close stops a build under way and waits for its end. The index goes on answering, but no graph is built any more. It
// may be called twice.
func (h *HNSW) Close() {
	h.mu.Lock()
	h.closed = true
	h.stop()
	h.mu.Unlock()
	h.background.Wait()
}
