package index_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"facesearch/index"
)

// oracle answers by the definition: every distance in float64, everything sorted.
type oracle map[uint64][]float32

func (o oracle) all(probe []float32) []index.Hit {
	hits := make([]index.Hit, 0, len(o))
	for key, vector := range o {
		var sum float64
		for i := range vector {
			difference := float64(vector[i]) - float64(probe[i])
			sum += float64(difference * difference) // the conversion forbids a fused multiply-add, on arm64 too
		}
		hits = append(hits, index.Hit{Key: key, Distance: math.Sqrt(sum)})
	}
	slices.SortFunc(hits, func(a, b index.Hit) int {
		if a.Distance != b.Distance {
			return cmp.Compare(a.Distance, b.Distance)
		}
		return cmp.Compare(a.Key, b.Key)
	})
	return hits
}

func within(sorted []index.Hit, distanceMax float64) []index.Hit {
	for i, hit := range sorted {
		if hit.Distance > distanceMax {
			return sorted[:i]
		}
	}
	return sorted
}

// requireExact compares both searches with the oracle, the radii being distances that occur and their neighbours.
func requireExact(t *testing.T, x index.Index, truth oracle, probe []float32) {
	t.Helper()
	ctx, sorted := context.Background(), truth.all(probe)
	n := len(sorted)
	for _, k := range []int{0, 1, 7, n, math.MaxInt} {
		got, err := x.Nearest(ctx, probe, k)
		want := sorted[:min(k, n)]
		requireResult(t, fmt.Sprint("Nearest ", k), got, err, want, len(want))
	}
	radii := []float64{-1, 0, math.Inf(1), math.Inf(-1), 1e300}
	for _, i := range []int{0, 1, n / 3, n - 1} {
		if i >= 0 && i < n {
			d := sorted[i].Distance
			radii = append(radii, d, math.Nextafter(d, 0), math.Nextafter(d, math.Inf(1)))
		}
	}
	for _, radius := range radii {
		inside := within(sorted, radius)
		for _, limit := range []int{0, 7, math.MaxInt} {
			got, err := x.Within(ctx, probe, radius, limit)
			want := inside[:min(limit, len(inside))]
			requireResult(t, fmt.Sprint("Within ", radius, " ", limit), got, err, want, len(inside))
		}
	}
}

func requireResult(t *testing.T, what string, got index.Result, err error, want []index.Hit, total int) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if got.Hits == nil || !got.Exact || got.Total != total || !slices.Equal(got.Hits, want) {
		t.Fatalf("%s: exact %v, total %d, hits %v\nwant total %d, hits %v", what, got.Exact, got.Total,
			got.Hits[:min(9, len(got.Hits))], total, want[:min(9, len(want))])
	}
}

func fill(n, dim int, component func(row, i int) float32) [][]float32 {
	vectors := make([][]float32, n)
	for row := range vectors {
		vectors[row] = make([]float32, dim)
		for i := range vectors[row] {
			vectors[row][i] = component(row, i)
		}
	}
	return vectors
}

// hardData are n vectors each on which a careless scan goes wrong.
func hardData(rng *rand.Rand, n, dim int) map[string][][]float32 {
	base := fill(8, dim, func(_, _ int) float32 { return float32(rng.NormFloat64()) })
	shuffled := fill(n, dim, func(row, i int) float32 { return base[0][i] })
	for _, vector := range shuffled {
		rng.Shuffle(dim, func(i, j int) { vector[i], vector[j] = vector[j], vector[i] })
	}
	scales := []float32{1e-45, 1e-40, 1e-30, 1e-20, 1e-10, 1, 1e10, 1e18, 1e19, 1e20, 1e30, math.MaxFloat32}
	sign := func() float32 { return float32(1 - 2*rng.IntN(2)) }
	return map[string][][]float32{
		"random": fill(n, dim, func(_, _ int) float32 { return float32(rng.NormFloat64()) }),
		"clustered": fill(n, dim, func(row, i int) float32 {
			return base[row%8][i] + 1e-3*float32(rng.NormFloat64())
		}),
		"duplicates": fill(n, dim, func(row, i int) float32 { return base[row%4][i] }),
		"near ties": fill(n, dim, func(row, i int) float32 {
			return math.Float32frombits(math.Float32bits(base[0][i]) + uint32(rng.IntN(3)))
		}),
		"permuted":  shuffled,
		"far":       fill(n, dim, func(row, i int) float32 { return 1e6 + base[row%8][i] }),
		"huge":      fill(n, dim, func(_, _ int) float32 { return 1e30 * float32(rng.NormFloat64()) }),
		"largest":   fill(n, dim, func(_, _ int) float32 { return sign() * math.MaxFloat32 }),
		"overflows": fill(n, dim, func(_, _ int) float32 { return float32(1.6e18 * (1 + rng.Float64())) }),
		"denormal":  fill(n, dim, func(_, _ int) float32 { return sign() * math.Float32frombits(uint32(rng.IntN(1<<12))) }),
		"underflow": fill(n, dim, func(_, _ int) float32 { return float32(1e-20 * rng.NormFloat64()) }),
		"mixed rows": fill(n, dim, func(row, _ int) float32 {
			return sign() * scales[row%len(scales)] * float32(rng.Float64())
		}),
		"mixed": fill(n, dim, func(_, _ int) float32 { return sign() * scales[rng.IntN(len(scales))] }),
		"zeros": fill(n, dim, func(row, _ int) float32 { return 0 * sign() }),
	}
}

func TestExactOracle(t *testing.T) {
	const n = 700 // three blocks, the last one not full
	for _, dim := range []int{1, 3, 33, dimFace} {
		rng := rand.New(rand.NewPCG(uint64(dim), 2))
		for name, vectors := range hardData(rng, n, dim) {
			t.Run(fmt.Sprintf("OK %s %d", name, dim), func(t *testing.T) {
				x, truth := index.NewExact(dim), oracle{}
				for row, key := range rng.Perm(n) {
					truth[uint64(key)] = vectors[row]
					if err := x.Put(uint64(key), vectors[row]); err != nil {
						t.Fatal(err)
					}
				}
				x.Settle()
				away := slices.Clone(vectors[1])
				away[0] = -away[0] / 3
				for _, probe := range [][]float32{vectors[0], away, make([]float32, dim)} {
					requireExact(t, x, truth, probe)
				}
			})
		}
	}
}

func TestExactPutDelete(t *testing.T) {
	t.Run("OK random sequences", func(t *testing.T) {
		const dim = 5
		for seed := range uint64(6) {
			rng := rand.New(rand.NewPCG(seed, 3))
			x, truth := index.NewExact(dim), oracle{}
			for step := range 6000 {
				key := rng.Uint64N(1200)
				growing := step/1500%2 == 0
				if rng.IntN(10) < 7 == growing {
					vector := fill(1, dim, func(_, _ int) float32 { return float32(rng.IntN(6)) })[0]
					if err := x.Put(key, vector); err != nil {
						t.Fatal(err)
					}
					truth[key] = slices.Clone(vector)
					vector[0] = 99 // the index has a copy
				} else {
					_, there := truth[key]
					if x.Delete(key) != there {
						t.Fatalf("Delete(%d) = %v", key, !there)
					}
					delete(truth, key)
				}
				if x.Len() != len(truth) {
					t.Fatalf("Len %d, want %d", x.Len(), len(truth))
				}
				if step%500 == 499 {
					requireExact(t, x, truth, make([]float32, dim))
				}
			}
		}
	})
	t.Run("OK memory is given back", func(t *testing.T) {
		x := index.NewExact(2)
		for round := range 2 {
			for key := range uint64(10000) {
				if err := x.Put(key, []float32{float32(key), 1}); err != nil {
					t.Fatal(err)
				}
			}
			full := x.Blocks()
			for key := range uint64(9900) {
				x.Delete(key)
			}
			if few := x.Blocks(); full < 10 || few > 1 {
				t.Fatalf("round %d: %d blocks for 10000 vectors, %d for 100", round, full, few)
			}
			if x.Remembers(1234) {
				t.Fatal("a deleted vector is still in memory")
			}
			got, err := x.Nearest(context.Background(), []float32{0, 1}, 1)
			requireResult(t, "Nearest", got, err, []index.Hit{{Key: 9900, Distance: 9900}}, 1)
		}
	})
	t.Run("OK empty", func(t *testing.T) {
		x := index.NewExact(2)
		requireExact(t, x, oracle{}, []float32{1, 2})
		if x.Delete(1) || x.Len() != 0 {
			t.Error("an empty index holds something")
		}
	})
}

// testRefusals is for both kinds of index.
func testRefusals(t *testing.T, x index.Index) {
	ctx := context.Background()
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	good := []float32{1, 2, 3}
	for _, c := range []struct {
		name   string
		vector []float32
		want   error
	}{
		{"ErrDimension nil", nil, index.ErrDimension},
		{"ErrDimension short", []float32{1, 2}, index.ErrDimension},
		{"ErrDimension long", []float32{1, 2, 3, 4}, index.ErrDimension},
		{"ErrNotFinite NaN", []float32{1, 2, nan}, index.ErrNotFinite},
		{"ErrNotFinite +Inf", []float32{inf, 2, 3}, index.ErrNotFinite},
		{"ErrNotFinite -Inf", []float32{1, -inf, 3}, index.ErrNotFinite},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := x.Put(1, c.vector); !errors.Is(err, c.want) {
				t.Errorf("Put: %v", err)
			}
			if _, err := x.Nearest(ctx, c.vector, 1); !errors.Is(err, c.want) {
				t.Errorf("Nearest: %v", err)
			}
			if _, err := x.Within(ctx, c.vector, 1, 1); !errors.Is(err, c.want) {
				t.Errorf("Within: %v", err)
			}
			if x.Len() != 0 {
				t.Error("something was stored")
			}
		})
	}
	t.Run("ErrArgument", func(t *testing.T) {
		if _, err := x.Nearest(ctx, good, -1); !errors.Is(err, index.ErrArgument) {
			t.Errorf("k: %v", err)
		}
		if _, err := x.Within(ctx, good, 1, -1); !errors.Is(err, index.ErrArgument) {
			t.Errorf("limit: %v", err)
		}
		if _, err := x.Within(ctx, good, math.NaN(), 1); !errors.Is(err, index.ErrArgument) {
			t.Errorf("distanceMax: %v", err)
		}
	})
	t.Run("ErrCanceled", func(t *testing.T) {
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := x.Nearest(ended, good, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("Nearest: %v", err)
		}
		if _, err := x.Within(ended, good, 1, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("Within: %v", err)
		}
	})
}

func TestExactRefusals(t *testing.T) {
	testRefusals(t, index.NewExact(3))
	t.Run("ErrDimension of the index", func(t *testing.T) {
		for _, dim := range []int{-1, 0, index.DimensionMax + 1} {
			requirePanic(t, func() { index.NewExact(dim) })
		}
	})
}

func requirePanic(t *testing.T, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	f()
}

// endsAfter is a context that ends after it was asked a number of times.
type endsAfter struct {
	context.Context
	left, asked int
}

func (c *endsAfter) Err() error {
	if c.asked++; c.asked > c.left {
		return context.Canceled
	}
	return nil
}

func TestExactCancel(t *testing.T) {
	const rows = 20000
	x := index.NewExact(1)
	for key := range uint64(rows) {
		if err := x.Put(key, []float32{float32(key)}); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("OK", func(t *testing.T) {
		ctx := &endsAfter{Context: context.Background(), left: math.MaxInt}
		if _, err := x.Nearest(ctx, []float32{1}, 1); err != nil {
			t.Fatal(err)
		}
		if ctx.asked < rows/4096 {
			t.Errorf("the context was looked at %d times in %d rows", ctx.asked, rows)
		}
	})
	t.Run("ErrCanceled in the middle", func(t *testing.T) {
		ctx := &endsAfter{Context: context.Background(), left: 3}
		if _, err := x.Within(ctx, []float32{1}, 1, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if ctx.asked != 4 {
			t.Errorf("the scan went on: asked %d times", ctx.asked)
		}
	})
}

// version is what a key holds at some time, so that a reader can tell whether a distance belongs to any of its times.
func version(key uint64, number, dim int) []float32 {
	rng := rand.New(rand.NewPCG(key, uint64(number)))
	return fill(1, dim, func(_, _ int) float32 { return float32(rng.NormFloat64()) })[0]
}

// churn lets 8 writers replace and delete vectors of their own keys for as long as 4 readers check the hits of 2000
// searches each. It returns what is stored in the end.
func churn(t *testing.T, x index.Index, dim int) oracle {
	const writers, readers, keysEach, versions, searches = 8, 4, 40, 6, 2000
	history := make([]oracle, writers*keysEach) // of a key, by version
	for key := range history {
		history[key] = oracle{}
		for v := range versions {
			history[key][uint64(v)] = version(uint64(key), v, dim)
		}
	}
	var (
		writing, reading sync.WaitGroup
		read             atomic.Bool
		mu               sync.Mutex
		final            = oracle{}
		checked          atomic.Int64
	)
	for w := range writers {
		writing.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 5))
			mine := oracle{}
			for !read.Load() {
				key := uint64(w*keysEach + rng.IntN(keysEach))
				if rng.IntN(4) > 0 {
					mine[key] = history[key][rng.Uint64N(versions)]
					if err := x.Put(key, mine[key]); err != nil {
						t.Error(err)
					}
				} else {
					_, there := mine[key]
					if x.Delete(key) != there {
						t.Errorf("Delete(%d) = %v", key, !there)
					}
					delete(mine, key)
				}
				runtime.Gosched()
			}
			mu.Lock()
			defer mu.Unlock()
			for key, vector := range mine {
				final[key] = vector
			}
		})
	}
	for r := range readers {
		reading.Go(func() {
			for round := range searches {
				probe := history[r][uint64(round%versions)]
				got, err := x.Nearest(context.Background(), probe, 5)
				if round%2 == 0 {
					got, err = x.Within(context.Background(), probe, 3, 5)
				}
				if err != nil {
					t.Error(err)
				}
				for _, hit := range got.Hits {
					then := func(known index.Hit) bool { return known.Distance == hit.Distance }
					if !slices.ContainsFunc(history[hit.Key].all(probe), then) {
						t.Errorf("key %d was never at distance %v", hit.Key, hit.Distance)
					}
				}
				checked.Add(int64(len(got.Hits)))
				runtime.Gosched() // or the writers wait for the end of a time slice at every step
			}
		})
	}
	reading.Wait()
	read.Store(true)
	writing.Wait()
	if checked.Load() < readers*searches {
		t.Errorf("only %d hits were checked", checked.Load())
	}
	return final
}

func TestExactConcurrent(t *testing.T) {
	const dim = 6
	x := index.NewExact(dim)
	truth := churn(t, x, dim)
	requireExact(t, x, truth, make([]float32, dim))
}

// FuzzExact reads components bit by bit from the input, so that any float32 may come up, and compares with the oracle.
func FuzzExact(f *testing.F) {
	const dim, row = 3, 3*4 + 1
	f.Add([]byte("some thirteen-byte rows, some thirteen-byte rows, some thirteen-byte rows"))
	f.Add(make([]byte, 5*row))
	f.Add(slices.Repeat([]byte{1, 0xff, 0xff, 0x7f, 0x7f, 0, 0, 0, 0, 0xff, 0xff, 0x7f, 0xff}, 4))
	f.Fuzz(func(t *testing.T, data []byte) {
		x, truth := index.NewExact(dim), oracle{}
		probe := make([]float32, dim)
		for ; len(data) >= row; data = data[row:] {
			key := uint64(data[0] & 7)
			if data[0]&0x80 != 0 {
				_, there := truth[key]
				if x.Delete(key) != there {
					t.Fatalf("Delete(%d) = %v", key, !there)
				}
				delete(truth, key)
				continue
			}
			vector := make([]float32, dim)
			finite := true
			for i := range vector {
				bits := binary.LittleEndian.Uint32(data[1+4*i:])
				vector[i] = math.Float32frombits(bits)
				finite = finite && bits>>23&0xff != 0xff
			}
			err := x.Put(key, vector)
			if finite != (err == nil) {
				t.Fatalf("Put(%v): %v", vector, err)
			}
			if finite {
				truth[key], probe = vector, vector
			}
		}
		requireExact(t, x, truth, probe)
		requireExact(t, x, truth, make([]float32, dim))
	})
}
