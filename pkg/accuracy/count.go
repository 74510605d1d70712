package accuracy

import "math"

// A histogram counts distances in steps of binWidth.
type histogram struct {
	bins  [binCount]int64
	total int64
}

const (
	binWidth = 0.001
	binCount = 2500
)

func (h *histogram) add(distance float64) {
	h.bins[min(int(distance/binWidth), binCount-1)]++
	h.total++
}

func (h *histogram) merge(other *histogram) {
	for i, count := range other.bins {
		h.bins[i] += count
	}
	h.total += other.total
}

// within counts those at a distance or below, to the step.
func (h *histogram) within(distance float64) int64 {
	count := int64(0)
	for i := 0; i < binCount && float64(i+1)*binWidth <= distance+1e-9; i++ {
		count += h.bins[i]
	}
	return count
}

// share is the share of those at a distance or below; NaN of none.
func (h *histogram) share(distance float64) float64 {
	return float64(h.within(distance)) / float64(h.total)
}

// A Rate is a share with the interval that holds the true one with 95 % confidence. Pictures
// of one person are not independent of each other, so the interval is that of as many trials
// as there are people.
type Rate struct {
	Rate   float64 `json:"rate"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	Events int     `json:"events"`
	Trials int     `json:"trials"`
	People int     `json:"people"`
}

// rateOf is nil for a share of nothing.
func rateOf(events, trials, people int) *Rate {
	if trials == 0 || people == 0 {
		return nil
	}
	rate := Rate{Rate: float64(events) / float64(trials), Events: events, Trials: trials, People: people}
	rate.Low, rate.High = wilson(rate.Rate, float64(people))
	return &rate
}

// A Share is one of pairs. Each person is in many of them, so that no interval is given.
type Share struct {
	Rate   float64 `json:"rate"`
	Events int     `json:"events"`
	Trials int     `json:"trials"`
}

// shareOf is nil for a share of nothing.
func shareOf(events, trials int) *Share {
	if trials == 0 {
		return nil
	}
	return &Share{Rate: float64(events) / float64(trials), Events: events, Trials: trials}
}

// wilson is E. B. Wilson's score interval ("Probable inference", 1927) at 95 %, which unlike
// the usual one is right for rates near 0 and few trials.
func wilson(rate, trials float64) (low, high float64) {
	const z = 1.959964
	middle := rate + z*z/(2*trials)
	spread := z * math.Sqrt(rate*(1-rate)/trials+z*z/(4*trials*trials))
	scale := 1 + z*z/trials
	return max(0, (middle-spread)/scale), min(1, (middle+spread)/scale)
}

// A tail is the false match rate at small distances: log10(FMR) = slope·d + base.
type tail struct {
	slope, base float64
	measured    bool // by these pictures; else it is the calibration's
}

const (
	// tailPairsMin pairs are needed at the near end of a fitted tail, and as many in it.
	tailPairsMin = 10
	// tailRateMax is its far end: further on the line bends.
	tailRateMax = 1e-3
)

// tailOf fits the rates between tailPairsMin pairs and tailRateMax, by least squares.
func (s *study) tailOf() tail {
	var n, sumX, sumY, sumXX, sumXY float64
	count := int64(0)
	for i := range binCount {
		count += s.strangers.bins[i]
		rate := float64(count) / float64(s.strangers.total)
		if count < tailPairsMin || s.strangers.bins[i] == 0 {
			continue
		}
		if rate > tailRateMax {
			break
		}
		x, y := float64(i+1)*binWidth, math.Log10(rate)
		n, sumX, sumY, sumXX, sumXY = n+1, sumX+x, sumY+y, sumXX+x*x, sumXY+x*y
	}
	slope := (n*sumXY - sumX*sumY) / (n*sumXX - sumX*sumX)
	if n < tailPairsMin || !(slope > 0) {
		c := s.options.Calibration
		return tail{slope: c.FMRSlope, base: c.FMRBase}
	}
	return tail{slope: slope, base: (sumY - slope*sumX) / n, measured: true}
}

// distance is where the rate is that.
func (t tail) distance(rate float64) float64 { return max(0, (math.Log10(rate)-t.base)/t.slope) }

func (t tail) rate(distance float64) float64 { return math.Pow(10, t.slope*distance+t.base) }

func (t tail) method() string {
	if t.measured {
		return "extrapolated by a line through the logarithm of the false match rate of these pictures"
	}
	return "too few pairs to fit; by the model's calibration"
}
