package index_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"facesearch/index"
)

// A sampled index is one with the scan that its samples come from.
type sampled struct {
	index.Index
	putAll func(keys []uint64, vectors [][]float32) error
	scan   *index.Exact
}

// TestSampleDistances stores vectors on a line, so that a distance tells which one it is of.
func TestSampleDistances(t *testing.T) {
	exact, graph := index.NewExact(2), newHNSW(t, 2, index.HNSWOptions{})
	for name, x := range map[string]sampled{"exact": {exact, exact.PutAll, exact}, "hnsw": {graph, graph.PutAll, graph.Scan()}} {
		t.Run(name, func(t *testing.T) {
			sample := func(rowsMax int, points ...float32) [][]float32 {
				t.Helper()
				var asked [][]float32
				for _, at := range points {
					asked = append(asked, []float32{at, 0})
				}
				got, err := x.scan.SampleDistances(t.Context(), asked, rowsMax)
				if err != nil || len(got) != len(points) {
					t.Fatal(got, err)
				}
				return got
			}
			if got := sample(10, 0); len(got[0]) != 0 {
				t.Errorf("an empty index has %v", got)
			}
			const rows = 10_000
			var keys []uint64
			var vectors [][]float32
			for i := range rows {
				keys, vectors = append(keys, uint64(i)), append(vectors, []float32{float32(i), 0})
			}
			if err := x.putAll(keys, vectors); err != nil {
				t.Fatal(err)
			}
			for i, d := range sorted(sample(rows, 0)[0]) {
				if number(d) != i {
					t.Fatalf("a sample of all has %v in place of %d", d, i)
				}
			}
			got := sample(1000, 0, rows)
			again := sample(1000, 0)
			if !slices.Equal(got[0], again[0]) {
				t.Error("another sample at the second call")
			}
			named := sorted(got[0])
			if len(slices.Compact(slices.Clone(named))) != 1000 {
				t.Errorf("%d rows, some twice", len(named))
			}
			for i, d := range got[0] { // the same rows for each point
				if number(d)+number(got[1][i]) != rows {
					t.Fatalf("row %d: %v and %v", i, d, got[1][i])
				}
			}
			evenly(t, named, rows)
			if !x.Delete(uint64(number(named[500]))) || slices.Contains(sample(1000, 0)[0], named[500]) {
				t.Error("a deleted vector is in the sample")
			}
			if vector, ok := x.scan.Vector(7); !ok || !slices.Equal(vector, []float32{7, 0}) {
				t.Error(vector, ok)
			}
			if vector, ok := x.scan.Vector(rows); ok {
				t.Error(vector)
			}
			if len(sample(0, 1)[0]) != 0 || len(sample(5)) != 0 {
				t.Error("nothing asked for, something given")
			}
		})
	}
}

// evenly checks that a sample is spread over the rows, and does not keep step with anything.
func evenly(t *testing.T, named []float32, rows int) {
	t.Helper()
	for from := 0; from < rows; from += rows / 10 {
		count := 0
		for _, row := range named {
			if number(row) >= from && number(row) < from+rows/10 {
				count++
			}
		}
		if count != len(named)/10 {
			t.Errorf("%d of %d rows are from %d on", count, len(named), from)
		}
	}
	for _, period := range []int{2, 5, 10} {
		counts := make([]int, period)
		for _, row := range named {
			counts[number(row)%period]++
		}
		for _, count := range counts {
			mean := float64(len(named)) / float64(period)
			if math.Abs(float64(count)-mean) > 5*math.Sqrt(mean) {
				t.Errorf("by remainder of %d: %v", period, counts)
				break
			}
		}
	}
}

func sorted(values []float32) []float32 { return slices.Sorted(slices.Values(values)) }

// number takes back what float32 lost.
func number(distance float32) int { return int(math.Round(float64(distance))) }

func TestSampleDistancesRefused(t *testing.T) {
	x := index.NewExact(2)
	if err := x.Put(1, []float32{1, 2}); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, each := range map[string]struct {
		ctx   context.Context
		point []float32
		rows  int
		want  error
	}{
		"dimension": {t.Context(), []float32{1}, 1, index.ErrDimension},
		"NaN":       {t.Context(), []float32{1, float32(math.NaN())}, 1, index.ErrNotFinite},
		"negative":  {t.Context(), []float32{1, 2}, -1, index.ErrArgument},
		"cancelled": {ended, []float32{1, 2}, 1, context.Canceled},
	} {
		if got, err := x.SampleDistances(each.ctx, [][]float32{each.point}, each.rows); !errors.Is(err, each.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func BenchmarkSampleDistances(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		keys, vectors, mates := newFaces(1).gallery(n, 6)
		x := index.NewExact(dimFace)
		if err := x.PutAll(keys, vectors); err != nil {
			b.Fatal(err)
		}
		for _, points := range []int{1, 6} {
			b.Run(fmt.Sprintf("n=%d points=%d", n, points), func(b *testing.B) {
				for b.Loop() {
					if _, err := x.SampleDistances(b.Context(), mates[:points], 5_000); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
