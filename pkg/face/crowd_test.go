package face_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"facesearch/pkg/face"
)

// TestNewCrowd compares with a sort, for samples with many and without any ties.
func TestNewCrowd(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, 2, 3, 19, 20, 21, 40, 999, 1000, 20_000} {
		for _, values := range []int{1, 2, 7, 1 << 30} {
			sample := make([]float32, size)
			for i := range sample {
				sample[i] = float32(random.IntN(values)) / 8
			}
			want := slices.DeleteFunc(slices.Clone(sample), func(d float32) bool { return d == 0 })
			slices.Sort(want)
			got := face.NewCrowd(sample)
			if got.Rows != len(want) || len(got.Nearest) != int(math.Ceil(0.05*float64(len(want)))) {
				t.Fatalf("%d of %d values: %d rows, %d nearest", size, values, got.Rows, len(got.Nearest))
			}
			for i, distance := range got.Nearest {
				if distance != float64(want[i]) {
					t.Fatalf("%d of %d values: the %dth is %v, want %v", size, values, i, distance, want[i])
				}
			}
		}
	}
	t.Run("OK not a number", func(t *testing.T) {
		if got := face.NewCrowd([]float32{float32(math.NaN()), 0.5}); got.Rows != 1 || got.Nearest[0] != 0.5 {
			t.Errorf("%+v", got)
		}
	})
}

func BenchmarkNewCrowd(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	sample := make([]float32, face.CrowdRows)
	for b.Loop() {
		for i := range sample {
			sample[i] = random.Float32()
		}
		face.NewCrowd(sample)
	}
}
