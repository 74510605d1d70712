package index_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"testing"

	"facesearch/index"
)

const generation = 41

// snapshotOf returns the snapshot of n vectors of 4 dimensions, and what is in it.
func snapshotOf(t testing.TB, n int) (snapshot []byte, keys []uint64, vectors [][]float32) {
	t.Helper()
	h := newHNSW(t, 4, sparse)
	for key := range uint64(n) {
		keys, vectors = append(keys, key*7), append(vectors, version(key, 0, 4))
	}
	putEach(t, h, keys, vectors)
	var file bytes.Buffer
	if err := h.Snapshot(&file, generation); err != nil {
		t.Fatal(err)
	}
	return file.Bytes(), keys, vectors
}

// restoring returns an index as it is at a start, with the vectors but no graph.
func restoring(t testing.TB, options index.HNSWOptions, keys []uint64, vectors [][]float32) *index.HNSW {
	t.Helper()
	h := newHNSW(t, 4, options)
	if err := h.PutAll(keys, vectors); err != nil {
		t.Fatal(err)
	}
	return h
}

// requireRefused wants ErrSnapshot, and the scan to go on answering.
func requireRefused(t testing.TB, h *index.HNSW, snapshot io.Reader, generation uint64) {
	t.Helper()
	if err := h.Restore(snapshot, generation); !errors.Is(err, index.ErrSnapshot) {
		t.Fatalf("Restore: %v", err)
	}
	probe := []float32{1, 2, 3, 4}
	got, err := h.Within(context.Background(), probe, math.Inf(1), 0)
	if err != nil || !got.Exact || got.Total != h.Len() || h.Ready() || h.Stats().Nodes != 0 {
		t.Fatalf("after a refused snapshot: %+v, ready %v, %v", got, h.Ready(), err)
	}
}

func TestSnapshot(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		snapshot, keys, vectors := snapshotOf(t, 300)
		h, truth := restoring(t, sparse, keys, vectors), oracle{}
		for i, key := range keys {
			truth[key] = vectors[i]
		}
		if err := h.Restore(bytes.NewReader(snapshot), generation); err != nil {
			t.Fatal(err)
		}
		requireReady(t, h)
		if h.Stats().Rebuilds != 0 || !requireSound(t, h, truth, vectors[5]) {
			t.Error("the graph was not restored, but built, or does not answer")
		}
		// The restored graph has to take changes, and make a snapshot again.
		for key := range uint64(50) {
			truth[key+5000] = version(key, 2, 4)
			putEach(t, h, []uint64{key + 5000}, [][]float32{truth[key+5000]})
		}
		requireSound(t, h, truth, vectors[5])
		var again bytes.Buffer
		if err := h.Snapshot(&again, generation+1); err != nil {
			t.Fatal(err)
		}
		if err := h.Restore(&again, generation+1); err != nil {
			t.Error(err)
		}
		requireReady(t, h)
		if stats := h.Stats(); stats.Panics != 0 || stats.Nodes != 350 {
			t.Errorf("%+v", stats)
		}
	})
	t.Run("OK of few", func(t *testing.T) {
		for n := range 12 {
			snapshot, keys, vectors := snapshotOf(t, n)
			h := restoring(t, sparse, keys, vectors)
			if err := h.Restore(bytes.NewReader(snapshot), generation); err != nil {
				t.Fatal(n, err)
			}
			requireReady(t, h)
		}
	})
	t.Run("OK instead of the build under way", func(t *testing.T) {
		snapshot, keys, vectors := snapshotOf(t, 100)
		h := restoring(t, sparse, keys, vectors)
		gate := make(chan struct{})
		h.SetDistance(func(a, b []float32) float32 {
			<-gate
			return index.Euclidean(a, b)
		})
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		if err := h.Rebuild(ended); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if err := h.Restore(bytes.NewReader(snapshot), generation); err != nil {
			t.Fatal(err)
		}
		close(gate)
		requireReady(t, h)
		h.Close()
		if h.Stats().Rebuilds != 0 {
			t.Error("the abandoned build was installed")
		}
	})
	t.Run("ErrNotReady", func(t *testing.T) {
		_, keys, vectors := snapshotOf(t, 100)
		h := restoring(t, sparse, keys, vectors)
		if err := h.Snapshot(io.Discard, generation); !errors.Is(err, index.ErrNotReady) {
			t.Errorf("without a graph: %v", err)
		}
		if err := h.Rebuild(context.Background()); err != nil {
			t.Fatal(err)
		}
		h.Delete(keys[3])
		var file bytes.Buffer
		if err := h.Snapshot(&file, generation); !errors.Is(err, index.ErrNotReady) || file.Len() > 0 {
			t.Errorf("with a deleted vector in the graph: %v, %d bytes", err, file.Len())
		}
		if err := h.Rebuild(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := h.Snapshot(&file, generation); err != nil {
			t.Error(err)
		}
	})
	t.Run("ErrWriter", func(t *testing.T) {
		snapshot, keys, vectors := snapshotOf(t, 20)
		h := restoring(t, sparse, keys, vectors)
		if err := h.Restore(bytes.NewReader(snapshot), generation); err != nil {
			t.Fatal(err)
		}
		for size := range len(snapshot) {
			if err := h.Snapshot(&full{left: size}, generation); !errors.Is(err, io.ErrShortWrite) {
				t.Fatalf("room for %d bytes of %d: %v", size, len(snapshot), err)
			}
		}
	})
}

// full is a writer with room for so many bytes.
type full struct{ left int }

func (w *full) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	w.left -= n
	if n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

func TestRestoreRefuses(t *testing.T) {
	snapshot, keys, vectors := snapshotOf(t, 60)
	if len(snapshot) < 2048 {
		t.Fatalf("%d bytes are too few for what follows", len(snapshot))
	}
	t.Run("ErrSnapshot bit flipped", func(t *testing.T) {
		h := restoring(t, sparse, keys, vectors)
		for bit := range 8 * len(snapshot) {
			if bit >= 8*1024 && bit%13 != 0 {
				continue
			}
			damaged := slices.Clone(snapshot)
			damaged[bit/8] ^= 1 << (bit % 8)
			requireRefused(t, h, bytes.NewReader(damaged), generation)
		}
	})
	t.Run("ErrSnapshot cut short or too long", func(t *testing.T) {
		h := restoring(t, sparse, keys, vectors)
		for size := range len(snapshot) {
			requireRefused(t, h, bytes.NewReader(snapshot[:size]), generation)
		}
		requireRefused(t, h, bytes.NewReader(append(slices.Clone(snapshot), 0)), generation)
		requireRefused(t, h, bytes.NewReader(slices.Repeat(snapshot, 2)), generation)
	})
	t.Run("ErrSnapshot larger than it can be", func(t *testing.T) {
		h := restoring(t, sparse, keys, vectors)
		const payloadAt, read = 48, 1 << 10
		swollen := slices.Clone(snapshot[:payloadAt+8])
		copy(swollen[payloadAt:], []byte{0, 0, 0, 0, 0, 1, 0, 0}) // 1 TiB
		rest := &io.LimitedReader{R: zeros{}, N: 1 << 50}
		requireRefused(t, h, io.MultiReader(bytes.NewReader(swollen), rest), generation)
		if got := 1<<50 - rest.N; got > read {
			t.Errorf("%d bytes read", got)
		}
	})
	t.Run("ErrSnapshot stale", func(t *testing.T) {
		for name, change := range map[string]func(*index.HNSW) error{
			"replaced by a neighbour": func(h *index.HNSW) error {
				near := slices.Clone(vectors[9])
				near[2] = math.Nextafter32(near[2], 9)
				return h.Put(keys[9], near)
			},
			"swapped": func(h *index.HNSW) error {
				return h.PutAll(keys[:2], [][]float32{vectors[1], vectors[0]})
			},
			"added":   func(h *index.HNSW) error { return h.Put(1, vectors[0]) },
			"deleted": func(h *index.HNSW) error { h.Delete(keys[0]); return nil },
			"under another key": func(h *index.HNSW) error {
				h.Delete(keys[0])
				return h.Put(1, vectors[0])
			},
		} {
			h := restoring(t, sparse, keys, vectors)
			if err := change(h); err != nil {
				t.Fatal(name, err)
			}
			requireRefused(t, h, bytes.NewReader(snapshot), generation)
		}
	})
	t.Run("ErrSnapshot sign of zero", func(t *testing.T) {
		zero, minus := [][]float32{{0, 0, 0, 0}}, [][]float32{{0, float32(math.Copysign(0, -1)), 0, 0}}
		was := newHNSW(t, 4, sparse)
		putEach(t, was, []uint64{1}, minus)
		var file bytes.Buffer
		if err := was.Snapshot(&file, generation); err != nil {
			t.Fatal(err)
		}
		requireRefused(t, restoring(t, sparse, []uint64{1}, zero), &file, generation)
	})
	t.Run("ErrSnapshot generation", func(t *testing.T) {
		h := restoring(t, sparse, keys, vectors)
		for _, other := range []uint64{0, generation - 1, generation + 1, 1 << 63} {
			requireRefused(t, h, bytes.NewReader(snapshot), other)
		}
	})
	t.Run("ErrSnapshot options", func(t *testing.T) {
		for _, options := range []index.HNSWOptions{{M: 13}, {M: 12, Ml: 0.3}} {
			requireRefused(t, restoring(t, options, keys, vectors), bytes.NewReader(snapshot), generation)
		}
		wider := newHNSW(t, 5, sparse)
		if err := wider.Restore(bytes.NewReader(snapshot), generation); !errors.Is(err, index.ErrSnapshot) {
			t.Errorf("another dimension: %v", err)
		}
	})
	t.Run("ErrSnapshot leaves a graph alone", func(t *testing.T) {
		h := restoring(t, sparse, keys, vectors)
		if err := h.Restore(bytes.NewReader(snapshot), generation); err != nil {
			t.Fatal(err)
		}
		if err := h.Restore(bytes.NewReader(snapshot[:99]), generation); !errors.Is(err, index.ErrSnapshot) {
			t.Fatal(err)
		}
		requireReady(t, h)
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// FuzzRestore wants every input refused, without a panic, but one that restores exactly what is stored.
func FuzzRestore(f *testing.F) {
	snapshot, keys, vectors := snapshotOf(f, 9)
	f.Add(snapshot)
	f.Add(snapshot[:len(snapshot)/2])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		h := restoring(t, sparse, keys, vectors)
		// Besides the seed itself, the seed of another run is as good: the order of its nodes is up to chance.
		if err := h.Restore(bytes.NewReader(data), generation); err == nil {
			requireReady(t, h)
		} else if !errors.Is(err, index.ErrSnapshot) || h.Ready() {
			t.Fatalf("ready %v: %v", h.Ready(), err)
		}
	})
}
