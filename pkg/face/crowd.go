package face

import (
	"math"
	"slices"
)

// A Crowd is how near the sessions of a gallery lie to one template, told by a random sample
// of them: what is needed to say how many strangers can be expected within a distance.
type Crowd struct {
	// Rows is how many sessions the sample has, but for those at distance 0.
	Rows int
	// Nearest are the distances to the nearest of them, in ascending order: those of the
	// CrowdShare of Rows, rounded up.
	Nearest []float64
}

const (
	// CrowdRows is how many sessions a sample should have, if there are so many: enough for 15
	// in its nearest 0.3 %, and few enough to be compared with in less time than an index of a
	// million takes to search.
	CrowdRows = 5_000
	// CrowdShare of a sample is near enough to matter.
	CrowdShare = 0.05
)

// NewCrowd makes a Crowd of the distances from a template to the sessions of a sample, which
// it reorders. Those at distance 0 are left out: the template's own session, or the same
// picture enrolled again, which are no strangers.
func NewCrowd(distances []float32) Crowd {
	others := distances[:0]
	for _, distance := range distances {
		if distance > 0 {
			others = append(others, distance)
		}
	}
	count := int(math.Ceil(CrowdShare * float64(len(others))))
	selectNearest(others, count)
	nearest := make([]float64, count)
	for i := range nearest {
		nearest[i] = float64(others[i])
	}
	slices.Sort(nearest)
	return Crowd{Rows: len(others), Nearest: nearest}
}

// selectNearest brings the count smallest values to the front, in any order: sorting all of a
// sample would take longer than to compute it. It is Hoare's quickselect with the middle of
// three values as the pivot.
func selectNearest(values []float32, count int) {
	low, high := 0, len(values)-1
	for low < high && count > 0 {
		pivot := middleOf(values[low], values[low+(high-low)/2], values[high])
		i, j := low, high
		for i <= j {
			for values[i] < pivot {
				i++
			}
			for values[j] > pivot {
				j--
			}
			if i <= j {
				values[i], values[j] = values[j], values[i]
				i++
				j--
			}
		}
		switch {
		case count-1 <= j:
			high = j
		case count-1 >= i:
			low = i
		default:
			return
		}
	}
}

func middleOf(a, b, c float32) float32 { return max(min(a, b), min(max(a, b), c)) }
