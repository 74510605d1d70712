package index_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"facesearch/index"
)

// coded is an index whose rows have codes, and what is in it.
func coded(t testing.TB, vectors [][]float32) (*index.Exact, oracle) {
	t.Helper()
	x, truth := index.NewExact(len(vectors[0])), oracle{}
	var keys []uint64
	for row, vector := range vectors {
		keys = append(keys, uint64(row)*7919)
		truth[keys[row]] = vector
	}
	if err := x.PutAll(keys, vectors); err != nil {
		t.Fatal(err)
	}
	x.Recode()
	if s := x.Stats(); s.Coded != len(vectors) || s.Stale != 0 || s.Coding || s.Rows != len(vectors) {
		t.Fatalf("%+v", s)
	}
	return x, truth
}

// TestExactCodes is TestExactOracle for what the codes could go wrong on.
func TestExactCodes(t *testing.T) {
	const n = 300
	rng := rand.New(rand.NewPCG(1, 7))
	put := func(t *testing.T, x *index.Exact, truth oracle, vectors [][]float32) {
		for i, vector := range vectors {
			truth[uint64(i+1)] = vector
			if err := x.Put(uint64(i+1), vector); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, dim := range []int{2, 40, dimFace} {
		normal := fill(n, dim, func(_, i int) float32 { return float32(rng.NormFloat64() / float64(i+3)) })
		t.Run("OK largest residuals", func(t *testing.T) {
			x, truth := coded(t, normal)
			hardest := x.Hardest(normal[4])
			put(t, x, truth, hardest)
			for _, probe := range append(hardest, normal[4]) {
				requireExact(t, x, truth, probe)
			}
		})
		t.Run("OK outliers beside", func(t *testing.T) {
			x, truth := coded(t, normal)
			outliers := hardData(rng, 3, dim)
			put(t, x, truth, slices.Concat(outliers["mixed"], outliers["mixed rows"], outliers["huge"], outliers["denormal"], outliers["far"]))
			for _, probe := range [][]float32{normal[4], outliers["far"][0], outliers["mixed"][0]} {
				requireExact(t, x, truth, probe)
				x.Recode()
			}
		})
		t.Run("OK a shell", func(t *testing.T) {
			// All at nearly the same distance from the probe, so that almost every bound is a near miss.
			probe := make([]float32, dim)
			shell := fill(n, dim, func(_, _ int) float32 { return float32(rng.NormFloat64()) })
			for _, vector := range shell {
				norm := 0.0
				for _, v := range vector {
					norm += float64(v) * float64(v)
				}
				for i := range vector {
					vector[i] /= float32(math.Sqrt(norm))
				}
			}
			x, truth := coded(t, shell)
			requireExact(t, x, truth, probe)
		})
	}
}

// TestExactFaces has pages enough for the second tier to be used, and several axes.
func TestExactFaces(t *testing.T) {
	_, vectors, mates := newFaces(3).gallery(8300, 1)
	x, truth := coded(t, vectors)
	requireAll := func() {
		for _, probe := range [][]float32{mates[0], vectors[77]} {
			sorted := truth.all(probe)
			for _, k := range []int{1, 10, 2000} {
				got, err := x.Nearest(context.Background(), probe, k)
				requireResult(t, "Nearest", got, err, sorted[:k], k)
			}
			for _, radius := range []float64{0.35, 0.6, 0.8, sorted[50].Distance} {
				want := within(sorted, radius)
				got, err := x.Within(context.Background(), probe, radius, 10)
				requireResult(t, "Within", got, err, want[:min(10, len(want))], len(want))
			}
		}
	}
	requireAll()
	s := x.Stats()
	if s.RowsNear == 0 || s.RowsFar > s.RowsNear || s.RowsExact > s.RowsFar || s.BytesRead == 0 {
		t.Errorf("%+v", s)
	}
	if perRow := s.Bytes / s.Rows; perRow > 720 { // a page that is not full included
		t.Errorf("%d bytes a row", perRow)
	}
	for key := range truth {
		if key%3 == 0 {
			x.Delete(key)
			delete(truth, key)
		}
	}
	requireAll()
}

func TestExactFilter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 8))
	vectors := fill(600, 8, func(_, _ int) float32 { return float32(rng.IntN(5)) })
	x, truth := coded(t, vectors)
	ctx, probe := context.Background(), vectors[0]
	for _, divisor := range []uint64{1, 2, 50, math.MaxUint64} {
		keep := func(key uint64) bool { return key%divisor == 0 }
		kept := oracle{}
		for key, vector := range truth {
			if keep(key) {
				kept[key] = vector
			}
		}
		sorted := kept.all(probe)
		got, err := x.NearestFunc(ctx, probe, 9, keep)
		requireResult(t, "NearestFunc", got, err, sorted[:min(9, len(sorted))], min(9, len(sorted)))
		inside := within(sorted, 3)
		got, err = x.WithinFunc(ctx, probe, 3, 2, keep)
		requireResult(t, "WithinFunc", got, err, inside[:min(2, len(inside))], len(inside))
	}
	if _, err := x.WithinFunc(ctx, nil, 3, 2, nil); !errors.Is(err, index.ErrDimension) {
		t.Error(err)
	}
}

func TestExactPutAll(t *testing.T) {
	t.Run("OK the last of a key counts", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 9))
		const dim, n = 3, 10_000
		x, truth := index.NewExact(dim), oracle{}
		for range 2 {
			var keys []uint64
			vectors := fill(n, dim, func(_, _ int) float32 { return float32(rng.NormFloat64()) })
			for _, vector := range vectors {
				key := rng.Uint64N(n)
				keys = append(keys, key)
				truth[key] = vector
			}
			if err := x.PutAll(keys, vectors); err != nil {
				t.Fatal(err)
			}
			requireExact(t, x, truth, vectors[0])
		}
	})
	t.Run("ErrArgument", func(t *testing.T) {
		x := index.NewExact(2)
		if err := x.PutAll([]uint64{1}, nil); !errors.Is(err, index.ErrArgument) {
			t.Error(err)
		}
		if err := x.PutAll([]uint64{1, 2}, [][]float32{{1, 2}, {1}}); !errors.Is(err, index.ErrDimension) || x.Len() != 0 {
			t.Error(err)
		}
	})
}

// TestExactAllCores has a gallery that one search splits up.
func TestExactAllCores(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	rng := rand.New(rand.NewPCG(1, 10))
	vectors := fill(140_000, 2, func(_, _ int) float32 { return float32(rng.NormFloat64()) })
	x, truth := coded(t, vectors)
	ctx := context.Background()
	for _, probe := range vectors[:1] {
		sorted := truth.all(probe)
		for _, k := range []int{1, 50, 3000} {
			got, err := x.Nearest(ctx, probe, k)
			requireResult(t, "Nearest", got, err, sorted[:k], k)
		}
		for _, radius := range []float64{0.001, 0.2} {
			want := within(sorted, radius)
			got, err := x.Within(ctx, probe, radius, 5)
			requireResult(t, "Within", got, err, want[:min(5, len(want))], len(want))
		}
	}
	ended, cancel := context.WithCancel(ctx)
	if _, err := x.WithinFunc(ended, vectors[0], 9, 1, func(uint64) bool { cancel(); return true }); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended in the middle: %v", err)
	}
}

// recoding brings in new axes until it is told to stop.
func recoding(x *index.Exact) (stop func()) {
	var group sync.WaitGroup
	done := make(chan struct{})
	group.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				x.Recode()
				runtime.Gosched()
			}
		}
	})
	return func() { close(done); group.Wait(); x.Settle() }
}

func TestExactRecoding(t *testing.T) {
	t.Run("OK under writers", func(t *testing.T) {
		const dim = 6
		x := index.NewExact(dim)
		stop := recoding(x)
		truth := churn(t, x, dim)
		stop()
		requireExact(t, x, truth, make([]float32, dim))
	})
	t.Run("OK under readers", func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 11))
		x, truth := coded(t, fill(9000, 4, func(_, _ int) float32 { return float32(rng.NormFloat64()) }))
		stop := recoding(x)
		var readers sync.WaitGroup
		for r := range 8 {
			readers.Go(func() {
				probe := truth[uint64(r)*7919]
				want := truth.all(probe)
				inside := within(want, 0.5)
				for range 12 {
					got, err := x.Within(context.Background(), probe, 0.5, 7)
					if err != nil || got.Total != len(inside) || !slices.Equal(got.Hits, inside[:min(7, len(inside))]) {
						t.Errorf("Within: %v %v", got, err)
					}
					if got, err = x.Nearest(context.Background(), probe, 7); err != nil || !slices.Equal(got.Hits, want[:7]) {
						t.Errorf("Nearest: %v %v", got, err)
					}
				}
			})
		}
		readers.Wait()
		stop()
	})
	t.Run("OK everything deleted meanwhile", func(t *testing.T) {
		x, truth := coded(t, fill(600, 2, func(row, _ int) float32 { return float32(row) }))
		stop := recoding(x)
		for range 20 {
			for key := range truth {
				x.Delete(key)
			}
			for key, vector := range truth {
				if err := x.Put(key, vector); err != nil {
					t.Fatal(err)
				}
			}
		}
		stop()
		requireExact(t, x, truth, []float32{5, 5})
	})
}

// FuzzExactCodes makes rows enough for codes of a few bytes each, and compares with the oracle.
func FuzzExactCodes(f *testing.F) {
	f.Add([]byte("no two rows alike, but for a few"), uint8(3), 1.0)
	f.Add([]byte{0, 0, 0, 255}, uint8(40), 1e-40)
	f.Add([]byte{1, 128, 7, 255, 0, 0, 3}, uint8(33), 1e30)
	f.Fuzz(func(t *testing.T, data []byte, dim uint8, scale float64) {
		if len(data) == 0 || dim == 0 || !(math.Abs(scale) < 1e36) {
			return
		}
		rng := rand.New(rand.NewPCG(uint64(len(data)), 12))
		at := 0
		vectors := fill(300, int(dim), func(row, i int) float32 {
			at++
			x := float64(data[at%len(data)]) - 100
			if row%3 == 0 {
				x += rng.NormFloat64()
			}
			return float32(x * scale)
		})
		x, truth := coded(t, vectors)
		requireExact(t, x, truth, vectors[0])
		requireExact(t, x, truth, vectors[299])
	})
}
