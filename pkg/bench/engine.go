package bench

import (
	"context"
	"fmt"
	"io"
	"time"

	"facesearch/index"
)

// An Engine is a kind of index to measure.
type Engine struct {
	Name       string
	Parameters string
	// Approximate says that the engine is not expected to find everything.
	Approximate bool
	Open        func(dim int) index.Index
}

// ExactEngine is the index that misses nothing.
func ExactEngine() Engine {
	return Engine{Name: "exact", Open: func(dim int) index.Index { return index.NewExact(dim) }}
}

// PlainEngine is the baseline: a scan of float32 vectors with vek32, without any further thought.
func PlainEngine() Engine {
	return Engine{Name: "plain float scan", Open: func(dim int) index.Index { return newPlain(dim) }}
}

// HNSWEngine is the graph of coder/hnsw.
func HNSWEngine(options index.HNSWOptions) Engine {
	m, k := options.M, options.SearchK
	if m == 0 {
		m = index.DefaultM
	}
	if k == 0 {
		k = index.DefaultSearchK
	}
	return Engine{Name: "hnsw", Parameters: fmt.Sprintf("M=%d, k=%d", m, k), Approximate: true, Open: func(dim int) index.Index {
		return index.NewHNSW(dim, options)
	}}
}

// What an index may have beyond index.Index.
type (
	bulk interface { // takes many vectors at once
		PutAll(keys []uint64, vectors [][]float32) error
	}
	builder interface { // is not itself until it was built
		Ready() bool
		Rebuild(ctx context.Context) error
		Wait(ctx context.Context) error
	}
	snapshotter interface { // keeps what was built
		Snapshot(w io.Writer, generation uint64) error
		Restore(r io.Reader, generation uint64) error
	}
	closer interface{ Close() }
)

func closeIndex(x index.Index) {
	if c, ok := x.(closer); ok {
		c.Close()
	}
}

// putEvery vectors are added between two looks at the context.
const putEvery = 1024

// fill puts a whole gallery into an index and waits until the index is itself.
func fill(ctx context.Context, x index.Index, g *gallery, progress Progress) error {
	if b, ok := x.(bulk); ok {
		vectors := make([][]float32, len(g.keys))
		for i := range vectors {
			vectors[i] = g.row(i)
		}
		if err := b.PutAll(g.keys, vectors); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return settle(ctx, x, progress)
	}
	for i, key := range g.keys {
		if i%putEvery == 0 {
			progress("building", i, len(g.keys))
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
		if err := x.Put(key, g.row(i)); err != nil {
			return err
		}
	}
	return settle(ctx, x, progress)
}

// settle waits until an index that is built in the background is built.
func settle(ctx context.Context, x index.Index, progress Progress) error {
	b, ok := x.(builder)
	if !ok {
		return nil
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	built := make(chan error, 1)
	go func() {
		err := b.Wait(ctx)
		if !b.Ready() && ctx.Err() == nil {
			err = b.Rebuild(ctx)
		}
		built <- err
	}()
	for {
		select {
		case err := <-built:
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return err
		case <-tick.C:
			progress("building the graph", 0, 0)
		}
	}
}

// apply changes an index as the churn says.
func (c *churn) apply(ctx context.Context, x index.Index, progress Progress) error {
	for i, key := range c.removed {
		if i%putEvery == 0 {
			progress("removing", i, len(c.removed))
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
		if !x.Delete(key) {
			return fmt.Errorf("key %d was not there to be removed", key)
		}
	}
	done := 0
	err := c.added(func(key uint64, vector []float32) error {
		if done++; done%putEvery == 0 {
			progress("adding", done, len(c.removed))
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
		return x.Put(key, vector)
	})
	if err != nil {
		return err
	}
	return settle(ctx, x, progress)
}
