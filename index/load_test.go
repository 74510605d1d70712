package index_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"

	"facesearch/index"
)

// loadable is what both kinds of index can do.
type loadable interface {
	index.Index
	Load(fill func(put func(keys []uint64, vectors [][]float32) error) error) error
}

// loadEach puts vectors from four goroutines, in portions, of which each uses its memory again.
func loadEach(x loadable, n, dim int) error {
	const goroutines, portion = 4, 130
	return x.Load(func(put func([]uint64, [][]float32) error) error {
		var group sync.WaitGroup
		failures := make(chan error, n)
		for g := range goroutines {
			group.Go(func() {
				keys, vectors := make([]uint64, portion), make([][]float32, portion)
				for i := range vectors {
					vectors[i] = make([]float32, dim)
				}
				for from := g * portion; from < n; from += goroutines * portion {
					count := min(portion, n-from)
					for i := range count {
						keys[i] = uint64(from + i)
						copy(vectors[i], version(keys[i], 0, dim))
					}
					failures <- put(keys[:count], vectors[:count])
				}
			})
		}
		group.Wait()
		close(failures)
		var all []error
		for err := range failures {
			all = append(all, err)
		}
		return errors.Join(all...)
	})
}

func TestLoad(t *testing.T) {
	const n, dim = 3000, 8
	truth := oracle{}
	for key := range uint64(n) {
		truth[key] = version(key, 0, dim)
	}
	requireAll := func(t *testing.T, x index.Index) {
		t.Helper()
		probe := version(1, 1, dim)
		want := truth.all(probe)
		got, err := x.Within(context.Background(), probe, math.Inf(1), n)
		requireResult(t, "Within", got, err, want, n)
		got, err = x.Nearest(context.Background(), probe, 20)
		requireResult(t, "Nearest", got, err, want[:20], 20)
	}
	t.Run("OK exact", func(t *testing.T) {
		x := index.NewExact(dim)
		if err := loadEach(x, n, dim); err != nil {
			t.Fatal(err)
		}
		requireAll(t, x)
		if s := x.Stats(); s.Coded != n || s.Stale != 0 || s.Coding {
			t.Errorf("%+v", s)
		}
		if err := loadEach(x, n, dim); err != nil { // replaces them
			t.Fatal(err)
		}
		requireAll(t, x)
	})
	t.Run("OK axes are made once", func(t *testing.T) {
		x := index.NewExact(dim)
		err := x.Load(func(put func([]uint64, [][]float32) error) error {
			for key := range uint64(n) {
				if err := put([]uint64{key}, [][]float32{truth[key]}); err != nil {
					return err
				}
			}
			if err := x.Put(5, truth[5]); err != nil { // which makes axes otherwise
				return err
			}
			x.Settle()
			requireAll(t, x)
			if s := x.Stats(); s.Coded != 0 {
				t.Errorf("before the end: %+v", s)
			}
			return nil
		})
		if s := x.Stats(); err != nil || s.Coded != n || s.Coding {
			t.Errorf("%+v, %v", s, err)
		}
	})
	t.Run("OK hnsw", func(t *testing.T) {
		h := newHNSW(t, dim, sparse)
		putEach(t, h, []uint64{1}, [][]float32{{1, 1, 1, 1, 1, 1, 1, 1}})
		if err := loadEach(h, n, dim); err != nil {
			t.Fatal(err)
		}
		requireAll(t, h)
		if h.Ready() {
			t.Error("the graph of before was left")
		}
		if err := h.Rebuild(context.Background()); err != nil {
			t.Fatal(err)
		}
		requireReady(t, h)
	})
	t.Run("ErrFill", func(t *testing.T) {
		for _, x := range []loadable{index.NewExact(dim), newHNSW(t, dim, sparse)} {
			failure := errors.New("no more")
			err := x.Load(func(put func([]uint64, [][]float32) error) error {
				for key := range uint64(300) {
					if err := put([]uint64{key}, [][]float32{truth[key]}); err != nil {
						return err
					}
				}
				for _, refused := range []error{
					put([]uint64{1, 2}, [][]float32{truth[1]}), put([]uint64{900}, [][]float32{truth[1][1:]}),
					put([]uint64{900, 901}, [][]float32{truth[1], slices.Repeat([]float32{float32(math.NaN())}, dim)}),
				} {
					if refused == nil {
						t.Error("put took what is no vector")
					}
				}
				return failure
			})
			if !errors.Is(err, failure) || x.Len() != 300 {
				t.Errorf("%d vectors, %v", x.Len(), err)
			}
			if err := loadEach(x, n, dim); err != nil { // it goes on working
				t.Fatal(err)
			}
			requireAll(t, x)
		}
	})
}
