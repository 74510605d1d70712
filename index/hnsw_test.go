package index_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"facesearch/index"
)

// sparse makes the graph answer, not the scan, in galleries of a few hundred.
var sparse = index.HNSWOptions{M: 12, SearchK: 60, Seed: 1}

func newHNSW(t testing.TB, dim int, options index.HNSWOptions) *index.HNSW {
	t.Helper()
	h := index.NewHNSW(dim, options)
	t.Cleanup(h.Close)
	return h
}

func putEach(t testing.TB, x index.Index, keys []uint64, vectors [][]float32) {
	t.Helper()
	for i, key := range keys {
		if err := x.Put(key, vectors[i]); err != nil {
			t.Fatal(err)
		}
	}
}

// requireReady waits for the background and then wants a graph of exactly what is stored.
func requireReady(t *testing.T, h *index.HNSW) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := h.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if err := h.CheckGraph(); err != nil || !h.Ready() {
		t.Fatalf("ready %v: %v", h.Ready(), err)
	}
}

// requireSound wants every hit to be stored, at its true distance, in order, and says whether the graph answered.
func requireSound(t *testing.T, h *index.HNSW, truth oracle, probe []float32) (byGraph bool) {
	t.Helper()
	const k, radius, limit = 9, 2.5, 4
	ctx, sorted := context.Background(), truth.all(probe)
	distances := map[index.Hit]bool{}
	for _, hit := range sorted {
		distances[hit] = true
	}
	nearest, err := h.Nearest(ctx, probe, k)
	if err != nil || nearest.Total != len(nearest.Hits) || len(nearest.Hits) != min(k, len(truth)) {
		t.Fatalf("Nearest: %+v, %v", nearest, err)
	}
	inside, err := h.Within(ctx, probe, radius, limit)
	if err != nil || len(inside.Hits) != min(limit, inside.Total) || inside.Total > len(within(sorted, radius)) {
		t.Fatalf("Within: %+v, %v", inside, err)
	}
	for _, got := range []index.Result{nearest, inside} {
		seen := map[uint64]bool{}
		for i, hit := range got.Hits {
			if !distances[hit] || seen[hit.Key] || i > 0 && got.Hits[i-1].Distance > hit.Distance {
				t.Fatalf("hit %d, %+v, is wrong, twice there or out of order", i, hit)
			}
			seen[hit.Key] = true
		}
	}
	if nearest.Exact && !slices.Equal(nearest.Hits, sorted[:len(nearest.Hits)]) {
		t.Fatalf("Nearest %v is said to be exact, but is %v", nearest.Hits, sorted[:len(nearest.Hits)])
	}
	return !nearest.Exact
}

func TestHNSWRefusals(t *testing.T) {
	testRefusals(t, newHNSW(t, 3, index.HNSWOptions{}))
	t.Run("ErrArgument options", func(t *testing.T) {
		for _, options := range []index.HNSWOptions{
			{M: 1}, {M: -1}, {M: 1025}, {SearchK: -1}, {SearchK: 1<<20 + 1}, {Ml: 1}, {Ml: -0.5}, {Ml: math.NaN()},
		} {
			if err := options.Validate(); !errors.Is(err, index.ErrArgument) {
				t.Errorf("%+v: %v", options, err)
			}
			requirePanic(t, func() { index.NewHNSW(3, options) })
		}
		if err := (index.HNSWOptions{}).Validate(); err != nil {
			t.Error(err)
		}
	})
	t.Run("ErrArgument PutAll", func(t *testing.T) {
		h := newHNSW(t, 2, index.HNSWOptions{})
		if err := h.PutAll([]uint64{1, 2}, [][]float32{{1, 2}}); !errors.Is(err, index.ErrArgument) {
			t.Error(err)
		}
		if err := h.PutAll([]uint64{1, 2}, [][]float32{{1, 2}, {1}}); !errors.Is(err, index.ErrDimension) {
			t.Error(err)
		}
		if h.Len() != 0 || !h.Ready() {
			t.Error("a refused PutAll changed something")
		}
	})
}

func TestHNSWRecall(t *testing.T) {
	const n, probes = 2000, 300
	f := newFaces(11)
	keys, vectors, mates := f.gallery(n, probes)
	h := newHNSW(t, dimFace, index.HNSWOptions{SearchK: 400, Seed: 1})
	exact := index.NewExact(dimFace)
	putEach(t, exact, keys, vectors)
	if err := h.PutAll(keys, vectors); err != nil {
		t.Fatal(err)
	}
	if err := h.Rebuild(context.Background()); err != nil {
		t.Fatal(err)
	}
	requireReady(t, h)
	found, foundWithin := 0, 0
	for _, probe := range mates {
		want, err := exact.Nearest(context.Background(), probe, 1)
		if err != nil {
			t.Fatal(err)
		}
		got, err := h.Nearest(context.Background(), probe, 1)
		if err != nil || got.Exact {
			t.Fatalf("exact %v, %v: the graph was not asked", got.Exact, err)
		}
		if slices.Equal(got.Hits, want.Hits) {
			found++
		}
		got, err = h.Within(context.Background(), probe, want.Hits[0].Distance, 1)
		if err != nil || got.Total > 1 {
			t.Fatal(got, err)
		}
		foundWithin += got.Total
	}
	t.Logf("recall@1 %.3f, of Within %.3f", float64(found)/probes, float64(foundWithin)/probes)
	// An answer of 400 vectors taken at random would hold the right one in 0.2 of the cases.
	const recallMin = 0.45
	if float64(found) < recallMin*probes || float64(foundWithin) < recallMin*probes {
		t.Errorf("recall@1 %.3f, of Within %.3f", float64(found)/probes, float64(foundWithin)/probes)
	}
}

func TestHNSWPutDelete(t *testing.T) {
	t.Run("OK random sequences", func(t *testing.T) {
		const dim = 6
		for seed := range uint64(3) {
			rng := rand.New(rand.NewPCG(seed, 4))
			h, truth, byGraph := newHNSW(t, dim, sparse), oracle{}, 0
			for step := range 2500 {
				key := rng.Uint64N(600)
				if rng.IntN(10) < 7 {
					vector := version(key, step, dim)
					if err := h.Put(key, vector); err != nil {
						t.Fatal(err)
					}
					truth[key] = vector
				} else {
					_, there := truth[key]
					if h.Delete(key) != there {
						t.Fatalf("Delete(%d) = %v", key, !there)
					}
					delete(truth, key)
				}
				if step%10 == 0 && requireSound(t, h, truth, version(key, step, dim)) {
					byGraph++
				}
				if step%100 == 50 { // otherwise the steps are done before the first build is
					requireReady(t, h)
				}
			}
			requireReady(t, h)
			stats := h.Stats()
			if byGraph < 30 || stats.Rebuilds < 3 || stats.Panics > 0 || h.Len() != len(truth) {
				t.Errorf("%d answers by graph, %+v, %d vectors of %d", byGraph, stats, h.Len(), len(truth))
			}
		}
	})
	t.Run("OK empty again and again", func(t *testing.T) {
		h, truth := newHNSW(t, 2, sparse), oracle{}
		for range 3 {
			requireSound(t, h, truth, []float32{1, 1})
			for key := range uint64(100) {
				truth[key] = []float32{float32(key), 1}
				putEach(t, h, []uint64{key}, [][]float32{truth[key]})
			}
			requireReady(t, h)
			if !requireSound(t, h, truth, []float32{1, 1}) {
				t.Error("the graph did not answer")
			}
			for key := range uint64(100) {
				h.Delete(key)
				delete(truth, key)
			}
		}
		requireReady(t, h)
	})
	t.Run("OK one key replaced often", func(t *testing.T) {
		h, truth := newHNSW(t, 2, sparse), oracle{}
		for key := range uint64(400) {
			truth[key] = []float32{float32(key), 9}
			putEach(t, h, []uint64{key}, [][]float32{truth[key]})
		}
		// Dead nodes all around the probe must not leave the answer short.
		for i := range 70 {
			truth[7] = []float32{7, float32(i) / 100}
			putEach(t, h, []uint64{7}, [][]float32{truth[7]})
		}
		if stats := h.Stats(); stats.Dead != 70 {
			t.Fatalf("%+v", stats)
		}
		requireSound(t, h, truth, []float32{7, 0})
	})
	t.Run("OK huge and denormal values", func(t *testing.T) {
		const n = 300
		for name, vectors := range hardData(rand.New(rand.NewPCG(9, 9)), n, 4) {
			h, truth := newHNSW(t, 4, sparse), oracle{}
			for key, vector := range vectors {
				truth[uint64(key)] = vector
			}
			for key, vector := range truth {
				putEach(t, h, []uint64{key}, [][]float32{vector})
			}
			requireSound(t, h, truth, vectors[0])
			if stats := h.Stats(); stats.Panics > 0 || stats.Nodes != n {
				t.Errorf("%s: %+v", name, stats)
			}
		}
	})
}

func TestHNSWWithin(t *testing.T) {
	const side = 32
	grid := func() *index.HNSW {
		h := newHNSW(t, 2, sparse)
		for key := range uint64(side * side) {
			putEach(t, h, []uint64{key}, [][]float32{{float32(key % side), float32(key / side)}})
		}
		return h
	}
	h := grid()
	probe := []float32{side / 2, side / 2}
	t.Run("OK asks until one lies beyond", func(t *testing.T) {
		// 317 points of the grid are that near; the graph is asked for 124 at first. One graph in twenty, by chance, has one
		// that is far away among those, which ends the search.
		longest := 0
		for range 8 {
			got, err := grid().Within(context.Background(), probe, 10, 5)
			if err != nil || got.Exact || got.Total > 317 || len(got.Hits) != 5 {
				t.Fatalf("%+v, %v", got, err)
			}
			longest = max(longest, got.Total)
		}
		if longest <= 124 {
			t.Errorf("%d found", longest)
		}
	})
	t.Run("OK all of it", func(t *testing.T) {
		got, err := h.Within(context.Background(), probe, 2*side, 5)
		if err != nil || !got.Exact || got.Total != side*side {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestHNSWConcurrent(t *testing.T) {
	const dim = 6
	h := newHNSW(t, dim, index.HNSWOptions{M: 6, SearchK: 30})
	truth := churn(t, h, dim)
	requireReady(t, h)
	if h.Len() != len(truth) {
		t.Errorf("%d vectors, want %d", h.Len(), len(truth))
	}
	requireSound(t, h, truth, make([]float32, dim))
	if h.Stats().Rebuilds == 0 {
		t.Error("the churn caused no rebuild")
	}
}

// someHNSW holds n vectors of 4 dimensions in a graph that is ready.
func someHNSW(t *testing.T, n int) (*index.HNSW, oracle) {
	t.Helper()
	h, truth := newHNSW(t, 4, sparse), oracle{}
	for key := range uint64(n) {
		truth[key] = version(key, 0, 4)
		putEach(t, h, []uint64{key}, [][]float32{truth[key]})
	}
	return h, truth
}

func TestHNSWPanic(t *testing.T) {
	probe := make([]float32, 4)
	t.Run("OK in a search", func(t *testing.T) {
		h, truth := someHNSW(t, 300)
		var armed atomic.Bool
		h.SetDistance(func(a, b []float32) float32 {
			if armed.CompareAndSwap(true, false) {
				panic("broken")
			}
			return index.Euclidean(a, b)
		})
		armed.Store(true)
		if requireSound(t, h, truth, probe) {
			t.Error("a graph that panicked answered")
		}
		requireReady(t, h)
		if stats := h.Stats(); stats.Panics != 1 || stats.Rebuilds != 1 || stats.Nodes != 300 {
			t.Errorf("%+v", stats)
		}
		if !requireSound(t, h, truth, probe) {
			t.Error("the new graph did not answer")
		}
	})
	t.Run("OK in Put and in the build after it", func(t *testing.T) {
		h, truth := someHNSW(t, 300)
		var left atomic.Int32
		left.Store(2)
		h.SetDistance(func(a, b []float32) float32 {
			if left.Add(-1) >= 0 {
				panic("broken")
			}
			return index.Euclidean(a, b)
		})
		truth[1000] = probe
		putEach(t, h, []uint64{1000}, [][]float32{probe})
		requireReady(t, h)
		if stats := h.Stats(); stats.Panics != 2 || stats.Nodes != 301 {
			t.Errorf("%+v", stats)
		}
		requireSound(t, h, truth, probe)
	})
	t.Run("ErrGraph always", func(t *testing.T) {
		h, truth := someHNSW(t, 300)
		h.SetDistance(func(_, _ []float32) float32 { panic("broken") })
		if err := h.Rebuild(context.Background()); !errors.Is(err, index.ErrGraph) {
			t.Errorf("Rebuild: %v", err)
		}
		if err := h.Wait(context.Background()); !errors.Is(err, index.ErrGraph) {
			t.Errorf("Wait: %v", err)
		}
		if h.Ready() || requireSound(t, h, truth, probe) {
			t.Error("a graph answered")
		}
		h.SetDistance(index.Euclidean)
		if err := h.Rebuild(context.Background()); err != nil {
			t.Error(err)
		}
		requireReady(t, h)
	})
}

func TestHNSWRebuild(t *testing.T) {
	// held makes every build stand still until the returned function is called.
	held := func(h *index.HNSW) (release func()) {
		gate := make(chan struct{})
		h.SetDistance(func(a, b []float32) float32 {
			<-gate
			return index.Euclidean(a, b)
		})
		return func() { close(gate) }
	}
	keys, vectors := []uint64{}, [][]float32{}
	for key := range uint64(300) {
		keys, vectors = append(keys, key), append(vectors, version(key, 0, 4))
	}
	t.Run("OK changes during it", func(t *testing.T) {
		h, truth := newHNSW(t, 4, sparse), oracle{}
		if err := h.PutAll(keys, vectors); err != nil {
			t.Fatal(err)
		}
		if h.Ready() || h.Stats().Nodes != 0 {
			t.Fatal("PutAll left a graph")
		}
		for i, key := range keys {
			truth[key] = vectors[i]
		}
		release := held(h)
		short, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if err := h.Rebuild(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		for key := range uint64(40) {
			h.Delete(key)
			delete(truth, key)
			truth[key+100] = version(key, 1, 4)
			putEach(t, h, []uint64{key + 100}, [][]float32{truth[key+100]})
			if requireSound(t, h, truth, truth[key+100]) {
				t.Fatal("a graph answered during the build")
			}
		}
		release()
		requireReady(t, h)
		if !requireSound(t, h, truth, truth[100]) {
			t.Error("the graph did not answer after the build")
		}
	})
	t.Run("OK asked for many times", func(t *testing.T) {
		h := newHNSW(t, 4, sparse)
		if err := h.PutAll(keys, vectors); err != nil {
			t.Fatal(err)
		}
		gate, first, once := make(chan struct{}), make(chan struct{}), sync.Once{}
		h.SetDistance(func(a, b []float32) float32 {
			once.Do(func() { close(first) })
			<-gate
			return index.Euclidean(a, b)
		})
		begun := 0
		for key := range uint64(40) {
			h.Delete(key)
			if h.RebuildSoon() {
				begun++
				<-first // it has nodes already, which are deleted now
			}
		}
		close(gate)
		if err := h.Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
		requireReady(t, h)
		if stats := h.Stats(); begun != 1 || stats.Rebuilds != 1 || stats.Dead != 0 || stats.Nodes != len(keys)-40 {
			t.Errorf("%d builds begun, %+v", begun, stats)
		}
	})
	t.Run("ErrNotReady PutAll during it", func(t *testing.T) {
		h := newHNSW(t, 4, sparse)
		putEach(t, h, keys, vectors)
		release := held(h)
		failed := make(chan error)
		go func() { failed <- h.Rebuild(context.Background()) }()
		for h.Ready() {
			time.Sleep(time.Millisecond)
		}
		if err := h.PutAll([]uint64{1000}, [][]float32{{1, 2, 3, 4}}); err != nil {
			t.Fatal(err)
		}
		release()
		if err := <-failed; !errors.Is(err, index.ErrNotReady) {
			t.Error(err)
		}
		if h.Ready() {
			t.Error("an abandoned build was installed")
		}
		if err := h.Rebuild(context.Background()); err != nil {
			t.Error(err)
		}
		requireReady(t, h)
	})
	t.Run("ErrClosed", func(t *testing.T) {
		h := newHNSW(t, 4, sparse)
		putEach(t, h, keys, vectors)
		release := held(h)
		failed := make(chan error)
		go func() { failed <- h.Rebuild(context.Background()) }()
		for h.Ready() {
			time.Sleep(time.Millisecond)
		}
		time.AfterFunc(10*time.Millisecond, release)
		h.Close()
		h.Close()
		if err := <-failed; !errors.Is(err, index.ErrClosed) {
			t.Errorf("Rebuild under way: %v", err)
		}
		if err := h.Rebuild(context.Background()); !errors.Is(err, index.ErrClosed) {
			t.Errorf("Rebuild: %v", err)
		}
		if err := h.Put(1000, []float32{1, 2, 3, 4}); err != nil || !h.Delete(0) {
			t.Errorf("an index that is closed does not take changes: %v", err)
		}
		got, err := h.Nearest(context.Background(), []float32{1, 2, 3, 4}, 1)
		requireResult(t, "Nearest", got, err, []index.Hit{{Key: 1000}}, 1)
	})
}
