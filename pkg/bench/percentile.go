package bench

import (
	"math"
	"sort"
	"time"
)

// Durations are measurements of one thing.
type Durations []time.Duration

// Percentile is the nearest-rank percentile, for a share from 0 to 1, in milliseconds; 0
// when nothing was measured.
func (d Durations) Percentile(share float64) float64 {
	if len(d) == 0 {
		return 0
	}
	sorted := append(Durations(nil), d...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i] < sorted[j] })
	rank := int(math.Ceil(share*float64(len(sorted)))) - 1
	return sorted[min(max(rank, 0), len(sorted)-1)].Seconds() * 1000
}
