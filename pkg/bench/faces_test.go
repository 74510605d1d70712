package bench_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"facesearch/pkg/bench"
)

func distance(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return math.Sqrt(sum)
}

func within(t *testing.T, what string, got, want, off float64) {
	t.Helper()
	if !(math.Abs(got-want) <= off) {
		t.Errorf("%s is %.4f, want %.4f ± %.4f", what, got, want, off)
	}
}

// participation is (Σλ)²/Σλ² of the covariance's eigenvalues λ: the square of its trace over the sum of its squares.
func participation(vectors [][]float32) float64 {
	dim := len(vectors[0])
	mean := make([]float64, dim)
	for _, vector := range vectors {
		for i, x := range vector {
			mean[i] += float64(x) / float64(len(vectors))
		}
	}
	covariance := make([]float64, dim*dim)
	for _, vector := range vectors {
		for i, x := range vector {
			for j, y := range vector {
				covariance[i*dim+j] += (float64(x) - mean[i]) * (float64(y) - mean[j])
			}
		}
	}
	trace, squares := 0.0, 0.0
	for i, value := range covariance {
		squares += value * value
		if i%(dim+1) == 0 {
			trace += value
		}
	}
	return trace * trace / squares
}

func TestFaces(t *testing.T) {
	t.Run("OK geometry", func(t *testing.T) {
		for _, dim := range []int{64, 128} {
			faces := bench.NewFaces(7, dim)
			const people = 3000
			var vectors [][]float32
			norm, mates, strangers := 0.0, 0.0, 0.0
			for i := range people {
				person := faces.Person()
				vectors = append(vectors, faces.Template(person))
				norm += distance(vectors[i], make([]float32, dim)) / people
				mates += distance(vectors[i], faces.Template(person)) / people
				strangers += distance(vectors[i], vectors[max(0, i-1)]) / people
			}
			within(t, "the norm", norm, 1.4, 0.02)
			within(t, "the distance of mates", mates, 0.39, 0.01)
			within(t, "the distance of strangers", strangers, 0.86, 0.01)
			if dim == 128 {
				within(t, "the participation ratio", participation(vectors), 57, 3)
			}
		}
	})
	t.Run("OK the seed decides", func(t *testing.T) {
		first := func(seed uint64) []float32 {
			faces := bench.NewFaces(seed, 16)
			return faces.Template(faces.Person())
		}
		if !slices.Equal(first(3), first(3)) || slices.Equal(first(3), first(4)) {
			t.Error("templates do not follow from the seed")
		}
	})
}

func TestSynthetic(t *testing.T) {
	ctx, silent := context.Background(), func(string, int, int) {}
	t.Run("OK", func(t *testing.T) {
		data, err := bench.Synthetic(ctx, 1, 1000, 32, 100, silent)
		if err != nil {
			t.Fatal(err)
		}
		mates := 0
		for _, probe := range append(slices.Clone(data.Probes), data.Tuning...) {
			if probe.Mate >= 0 {
				mates++
				d := distance(probe.Vector, data.Vectors[probe.Mate*32:(probe.Mate+1)*32])
				if d > 0.8 {
					t.Errorf("a probe is %.2f from its mate", d)
				}
			}
		}
		if data.Rows() != 1000 || len(data.Probes) != 200 || len(data.Tuning) != 50 || mates != 125 || len(data.Fresh) != 200 {
			t.Errorf("%d rows, %d probes, %d to tune, %d mates, %d fresh", data.Rows(), len(data.Probes), len(data.Tuning), mates, len(data.Fresh))
		}
	})
	t.Run("OK fewer people than probes", func(t *testing.T) {
		data, err := bench.Synthetic(ctx, 1, 3, 8, 100, silent)
		if err != nil || data.Rows() != 3 || len(data.Probes) != 103 {
			t.Errorf("%v", err)
		}
	})
	t.Run("ErrCanceled", func(t *testing.T) {
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := bench.Synthetic(ended, 1, 10, 8, 1, silent); err == nil {
			t.Error("it went on")
		}
	})
}
