package policy_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"facesearch/pkg/policy"
)

// TestSimilarity holds the mapping to the points at which the error rates were measured.
func TestSimilarity(t *testing.T) {
	for _, row := range []struct{ distance, want, within float64 }{
		{0, 100, 1e-9},
		{0.30, 97.3, 0.05},
		{0.35, 94.7, 0.05},
		{0.40, 90, 0.06}, // 90.05
		{0.45, 82, 0.15}, // 82.1, given there in whole percent
		{0.50, 70, 0.05},
		{0.60, 38, 0.5},
		{2, 0, 1e-5},
		{1e9, 0, 0},
	} {
		t.Run(fmt.Sprint(row.distance), func(t *testing.T) {
			if got := dlib.Similarity(row.distance); math.Abs(got-row.want) > row.within {
				t.Errorf("%v %%, want %v", got, row.want)
			}
		})
	}
	t.Run("falls", func(t *testing.T) {
		for d := 0.0; d < 1.5; d += 0.001 {
			near, far := dlib.Similarity(d), dlib.Similarity(d+0.001)
			if !(near > far && near <= 100+1e-9 && far >= 0) {
				t.Fatalf("%v %% at %v and %v %% after it", near, d, far)
			}
		}
	})
}

func TestDistance(t *testing.T) {
	t.Run("is the inverse of Similarity", func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 1))
		for range 10_000 {
			similarity := 0.01 + 99.99*random.Float64()
			if got := dlib.Similarity(dlib.Distance(similarity)); math.Abs(got-similarity) > 1e-9 {
				t.Fatalf("%v %% came back as %v", similarity, got)
			}
			distance := 1.2 * random.Float64()
			if got := dlib.Distance(dlib.Similarity(distance)); math.Abs(got-distance) > 1e-9 {
				t.Fatalf("distance %v came back as %v", distance, got)
			}
		}
	})
	t.Run("falls", func(t *testing.T) {
		for similarity := 0.1; similarity < 99.95; similarity += 0.1 {
			if !(dlib.Distance(similarity) > dlib.Distance(similarity+0.1)) {
				t.Fatalf("does not fall at %v %%", similarity)
			}
		}
	})
	t.Run("ends", func(t *testing.T) {
		// A NaN would be no radius at all.
		for similarity, want := range map[float64]float64{
			100: 0, 100.04: 0, 101: 0, 1000: 0, math.Inf(1): 0, 0: math.Inf(1), -1: math.Inf(1),
		} {
			if got := dlib.Distance(similarity); !(got == want || math.Abs(got-want) < 1e-12) {
				t.Errorf("at %v %%: %v, want %v", similarity, got, want)
			}
		}
	})
}

// TestPercentage checks what a client sees against what the gallery was asked: a session
// within the radius of a threshold shows at least that threshold, one beyond shows less.
func TestPercentage(t *testing.T) {
	show := func(distance float64) float64 { return policy.Percentage(dlib.Similarity(distance)) }
	t.Run("no threshold is shown that was not reached", func(t *testing.T) {
		random := rand.New(rand.NewPCG(2, 2))
		for tenths := 10; tenths <= 1000; tenths++ { // every threshold that settings allow with one decimal
			threshold := float64(tenths) / 10
			radius := dlib.Distance(threshold)
			within := []float64{0, radius, math.Nextafter(radius, 0), max(0, radius-1e-6), max(0, radius-1e-12)}
			beyond := []float64{radius + 1.001e-6, radius + 1e-5, radius + 1e-3, radius + 1}
			for range 20 {
				within = append(within, radius*random.Float64())
				beyond = append(beyond, radius+1.001e-6+random.ExpFloat64()*1e-4)
			}
			for _, distance := range within {
				if got := show(distance); got < threshold {
					t.Fatalf("threshold %v, radius %v: a session within it, at %v, shows %v", threshold, radius, distance, got)
				}
			}
			for _, distance := range beyond {
				if got := show(distance); got >= threshold {
					t.Fatalf("threshold %v, radius %v: a session beyond it, at %v, shows %v", threshold, radius, distance, got)
				}
			}
		}
	})
	t.Run("monotone, with one decimal, from 0 to 100", func(t *testing.T) {
		last := 100.0
		for d := 0.0; d < 1.5; d += 0.00037 {
			got := show(d)
			if got > last || got < 0 || got > 100 || got != math.Round(got*10)/10 {
				t.Fatalf("%v at distance %v, %v before it", got, d, last)
			}
			last = got
		}
		if last != 0 {
			t.Errorf("ends at %v", last)
		}
	})
	t.Run("rounds down", func(t *testing.T) {
		for similarity, want := range map[float64]float64{
			89.99: 89.9, 89.95: 89.9, 90: 90, 90.0999: 90, 90.1: 90.1, 69.999: 69.9, 99.99: 99.9, 100: 100, 0.05: 0, 0: 0,
			math.Nextafter(90, 0): 90, // what the inverse loses in floating point
		} {
			if got := policy.Percentage(similarity); got != want {
				t.Errorf("%v is shown as %v, want %v", similarity, got, want)
			}
		}
	})
}

func TestAutoThreshold(t *testing.T) {
	auto := dlib.AutoThreshold
	t.Run("known points", func(t *testing.T) {
		for _, row := range []struct {
			people int
			want   float64
		}{{1_000, 76}, {10_000, 85}, {100_000, 91}, {1_000_000, 95}} {
			if got := auto(row.people, 0.1); math.Abs(got-row.want) > 0.6 {
				t.Errorf("%d people: %v, want about %v", row.people, got, row.want)
			}
		}
	})
	t.Run("never under 70", func(t *testing.T) {
		for _, people := range []int{-1, 0, 1, 10, 100} {
			if got := auto(people, 0.1); got != policy.ThresholdMin {
				t.Errorf("%d people: %v", people, got)
			}
		}
		if got := auto(10_000, 100); got != policy.ThresholdMin {
			t.Errorf("100 strangers expected: %v", got)
		}
		if policy.ThresholdMin != 70 {
			t.Errorf("the least is %v", policy.ThresholdMin)
		}
	})
	t.Run("never 100", func(t *testing.T) {
		for _, people := range []int{1e12, math.MaxInt} {
			if got := auto(people, 1e-6); got >= 100 || got < 99 {
				t.Errorf("%d people: %v", people, got)
			}
		}
	})
	t.Run("monotone in people and in strangers, with one decimal", func(t *testing.T) {
		for _, strangers := range []float64{1e-6, 0.01, 0.1, 1, 10, 100} {
			last := 0.0
			for people := 1; people < 1<<40; people += 1 + people/3 {
				got := auto(people, strangers)
				if got < last || got < policy.ThresholdMin || got != math.Round(got*10)/10 || got < auto(people, strangers*2) {
					t.Fatalf("%d people, %v strangers: %v, %v for fewer people", people, strangers, got, last)
				}
				last = got
			}
		}
	})
	t.Run("expects no more strangers than asked for", func(t *testing.T) {
		c, random := dlib, rand.New(rand.NewPCG(3, 3))
		for range 2_000 {
			people := 1 + int(math.Pow(10, 7*random.Float64()))
			strangers := math.Pow(10, -3+4*random.Float64())
			threshold := auto(people, strangers)
			if threshold > 99.8 { // where the cap, not the rate, decides
				continue
			}
			expected := float64(people) * math.Pow(10, c.FMRSlope*c.Distance(threshold)+c.FMRBase)
			if expected > strangers*(1+1e-5) {
				t.Fatalf("%d people at %v %%: %v strangers expected, at most %v wanted", people, threshold, expected, strangers)
			}
			// A tenth of a percent less would be too little, or the floor was reached.
			lower := float64(people) * math.Pow(10, c.FMRSlope*c.Distance(threshold-0.1)+c.FMRBase)
			if threshold > policy.ThresholdMin && lower < strangers {
				t.Fatalf("%d people: %v %% is more than is needed for %v strangers", people, threshold, strangers)
			}
		}
	})
}
