package policy

import (
	"math"

	"facesearch/pkg/face"
)

// A crowd is how many strangers of a gallery lie within a distance of one template, told by
// those nearest to it: log10 of the share is weight + log10 P(shape, shape·d²/e^position), with
// P the regularised lower incomplete gamma function.
//
// Squared distances between templates of one kind of people follow a gamma distribution, whose
// tail bends as a straight line or a parabola in d does not. A template that is one of a group
// which the model tells apart badly has that group nearest to it: then position says how near
// the group lies, and weight how large its share of the gallery is. So both are fitted, to
// nothing but the near tail, and the shape is the model's.
type crowd struct {
	weight   float64 // log10, at most 0
	position float64 // ln of the squared distance around which the strangers lie
	far      float64 // distance of the farthest that was fitted to
}

const (
	// crowdRowsMin sessions in a sample are needed to fit a crowd.
	crowdRowsMin = 500
	// The tail is fitted between the nearest 0.3 % and 5 % of the sample, but not to the nearest
	// seven, which are too few to count, and may be the person's own other pictures.
	tailFrom    = 0.003
	tailRankMin = 8
	tailPoints  = 12
)

// fitCrowd fits a crowd; false when the sample is too small.
func (c Calibration) fitCrowd(sample face.Crowd) (crowd, bool) {
	to := len(sample.Nearest)
	if sample.Rows < crowdRowsMin || to <= tailRankMin {
		return crowd{}, false
	}
	from := min(max(tailFrom*float64(sample.Rows), tailRankMin), float64(to))
	var logs, shares []float64
	for i := range tailPoints {
		part := float64(i) / (tailPoints - 1)
		rank := int(math.Round(from * math.Pow(float64(to)/from, part)))
		logs = append(logs, 2*math.Log(max(sample.Nearest[rank-1], 1e-9)))
		shares = append(shares, math.Log10((float64(rank)-0.5)/float64(sample.Rows)))
	}
	fitted := crowd{far: sample.Nearest[to-1]}
	fitted.position = lowest(logs[0]-1, logs[tailPoints-1]+4, func(position float64) float64 {
		spread := 0.0
		fitted.weight, spread = c.residual(logs, shares, position)
		return spread
	})
	fitted.weight, _ = c.residual(logs, shares, fitted.position)
	return fitted, true
}

// residual is the weight that suits a position best, and how far the tail is then from the
// sample's.
func (c Calibration) residual(logs, shares []float64, position float64) (weight, spread float64) {
	residuals := make([]float64, len(logs))
	for i := range logs {
		residuals[i] = shares[i] - c.tail(logs[i]-position)
		weight += residuals[i] / float64(len(logs))
	}
	weight = min(weight, 0)
	for _, residual := range residuals {
		spread += (residual - weight) * (residual - weight)
	}
	return weight, spread
}

// tail is log10 P(shape, shape·e^u).
func (c Calibration) tail(u float64) float64 {
	return log10GammaP(c.CrowdShape, c.CrowdShape*math.Exp(u))
}

// share is log10 of the share of the gallery within a distance, or a lower bound of it beyond
// what was fitted: the group that lies nearest says nothing of all the others.
func (c Calibration) share(of crowd, distance float64) float64 {
	share := of.weight + c.tail(2*math.Log(max(distance, 1e-9))-of.position)
	if distance > of.far {
		share = max(share, math.Log10(face.CrowdShare))
	}
	return share
}

// log10GammaP is the logarithm of the regularised lower incomplete gamma function, by its
// series (Abramowitz and Stegun 6.5.29), in logarithms because the values themselves underflow.
func log10GammaP(shape, x float64) float64 {
	if x > 8*shape { // as good as 1, and the series would be long
		return 0
	}
	term, sum := 1.0, 1.0
	for n := 1.0; term > 1e-12*sum; n++ {
		term *= x / (shape + n)
		sum += term
	}
	logGamma, _ := math.Lgamma(shape + 1)
	return min(0, (shape*math.Log(x)-x-logGamma+math.Log(sum))/math.Ln10)
}

// lowest finds where a function with one minimum has it, by golden section.
func lowest(low, high float64, f func(float64) float64) float64 {
	const ratio = 0.6180339887498949
	a, b := high-ratio*(high-low), low+ratio*(high-low)
	fa, fb := f(a), f(b)
	for high-low > 1e-6 {
		if fa < fb {
			high, b, fb = b, a, fa
			a = high - ratio*(high-low)
			fa = f(a)
		} else {
			low, a, fa = a, b, fb
			b = low + ratio*(high-low)
			fb = f(b)
		}
	}
	return (low + high) / 2
}
