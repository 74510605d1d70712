package index

import (
	"cmp"
	"math"
	"slices"
)

const (
	// tiers of codes stand in memory one after the other: the first pass reads one of them, or both.
	tiers = 2

	// tierSlots 4-bit codes of a row are in a tier, the last of which is the class of what the codes so far lose. That
	// leaves tierAxes for axes.
	tierSlots = 32
	tierAxes  = tierSlots - 1
	slots     = tiers * tierSlots

	// levels a first-pass code can have: it is 4 bits.
	levels = 16

	// levelWidth is the distance of two levels in standard deviations. 0.335 loses least of a normal distribution (J. Max,
	// "Quantizing for minimum distortion", 1960); a little more leaves fewer rows beyond the last level, which is worse for
	// the bound. Between 0.33 and 0.42 it makes next to no difference.
	levelWidth = 0.37

	// wild is the class of rows whose residual is above that of every other class, in any tier. No table entry lets them
	// pass; they are listed instead.
	wild    = levels - 1
	classes = levels - 1

	// rankedOf in ranked rows of the sample have a class.
	rankedOf, ranked = 998, 1000

	// farMax is the largest second-pass code. With DimensionMax components a sum of squared differences is at most
	// 65536 * 254^2 = 4,228,120,576 < 2^32.
	farMax = 127

	// margin covers the roundings of float64 arithmetic wherever a bound is computed: each is at most 2^-53, and even
	// those of a sum over DimensionMax components are below 1e-11 of it.
	margin = 1e-9
)

// axes are how the vectors of an index are coded: an origin, a few directions along which the vectors differ most, and
// the steps of the codes. They never change; an index gets new ones when its vectors have changed much. None of this has
// to be right for an answer to be right, see Exact.
type axes struct {
	mean    []float32 // the origin
	basis   []float32 // slots entries for each component, one for each direction, zeros where there is none
	stretch float64   // no vector becomes longer than this many times its length when projected

	// by slot; nothing in those of classes
	low     [slots]float64 // lowest level
	step    [slots]float64 // between two levels
	perUnit [slots]float64 // 1/step, or 0
	level   [slots][levels]float64

	bounds [tiers][classes]float64 // largest residual norm in a class, ascending
	spread float64                 // expected squared distance of two vectors within the axes of the first tier

	farStep    float64
	farPerUnit float64 // 1/farStep, or 0
}

// newAxes makes axes that suit a sample.
func newAxes(sample [][]float32) *axes {
	dim := len(sample[0])
	a := &axes{mean: medians(sample), basis: make([]float32, dim*slots)}
	sample = central(sample, a.mean)
	for j, direction := range principal(sample, a.mean, min(dim, tiers*tierAxes)) {
		for i, b := range direction {
			a.basis[i*slots+slotOf(j)] = float32(b)
		}
	}
	a.stretch = stretch(a.basis)
	projected := make([][]float32, len(sample))
	for r, vector := range sample {
		projected[r] = make([]float32, slots)
		fastest.project(vector, a.mean, a.basis, projected[r])
	}
	a.setLevels(projected)
	a.setFarStep(sample)
	a.setBounds(sample, projected)
	return a
}

// slotOf is where the code of an axis is, the first axes being the most important.
func slotOf(axis int) int {
	return axis/tierAxes*tierSlots + axis%tierAxes
}

// medians are those of each component. One enormous vector would make a mean useless.
func medians(sample [][]float32) []float32 {
	const rowsMax = 512
	mean, column := make([]float32, len(sample[0])), make([]float32, min(len(sample), rowsMax))
	for i := range mean {
		for r := range column {
			column[r] = sample[r*len(sample)/len(column)][i]
		}
		slices.Sort(column)
		mean[i] = column[len(column)/2]
	}
	return mean
}

// central leaves out the hundredth of the vectors that is farthest from the origin, for the same reason.
func central(sample [][]float32, mean []float32) [][]float32 {
	sorted := slices.Clone(sample)
	distances := make(map[*float32]float64, len(sample))
	for _, vector := range sample {
		distances[&vector[0]] = distance(vector, mean)
	}
	slices.SortFunc(sorted, func(a, b []float32) int { return cmp.Compare(distances[&a[0]], distances[&b[0]]) })
	return sorted[:len(sorted)-len(sorted)/100]
}

// setLevels lays the levels of each axis around what the sample projects to.
func (a *axes) setLevels(projected [][]float32) {
	n := float64(len(projected))
	for axis := range tiers * tierAxes {
		j := slotOf(axis)
		var sum, squares float64
		for _, p := range projected {
			sum += float64(p[j])
		}
		centre := sum / n
		for _, p := range projected {
			d := float64(p[j]) - centre
			squares += d * d
		}
		if !finite(squares) { // an overflow of float32: the axis stays without use
			continue
		}
		a.step[j] = levelWidth * math.Sqrt(squares/n)
		a.perUnit[j] = inverse(a.step[j])
		a.low[j] = centre - a.step[j]*(levels-1)/2
		if j < tierSlots {
			a.spread += 2 * squares / n
		}
		for k := range levels {
			a.level[j][k] = a.low[j] + float64(k)*a.step[j]
		}
	}
}

// setFarStep makes the codes reach as far as the components of 99 in 100 vectors of the sample, and a little farther.
func (a *axes) setFarStep(sample [][]float32) {
	largest := make([]float64, len(sample))
	for r, vector := range sample {
		for i, x := range vector {
			largest[r] = max(largest[r], math.Abs(float64(x)-float64(a.mean[i])))
		}
	}
	slices.Sort(largest)
	a.farStep = 1.1 * largest[len(largest)*99/100] / farMax
	a.farPerUnit = inverse(a.farStep)
}

// setBounds makes the classes about equally common. The few vectors beyond the last bound are better listed than given a
// class so wide that the tables become coarse.
func (a *axes) setBounds(sample, projected [][]float32) {
	residuals := [tiers][]float64{make([]float64, len(sample)), make([]float64, len(sample))}
	for r := range sample {
		_, both := a.nearest(projected[r], distance(sample[r], a.mean))
		for t := range tiers {
			residuals[t][r] = both[t]
		}
	}
	for t := range tiers {
		slices.Sort(residuals[t])
		for k := range classes {
			a.bounds[t][k] = residuals[t][(len(sample)-1)*(k+1)/classes]
		}
		a.bounds[t][classes-1] = residuals[t][(len(sample)-1)*rankedOf/ranked]
	}
}

// nearest are the levels nearest to a projection, and for each tier a bound of the distance between them, up to it, and
// the true projection of a vector that is norm away from the origin.
func (a *axes) nearest(projection []float32, norm float64) (codes [slots]byte, residuals [tiers]float64) {
	sum, off := 0.0, a.projectionError(norm)
	for j, p := range projection[:slots] {
		if j%tierSlots == tierAxes {
			residuals[j/tierSlots] = (math.Sqrt(sum) + off) * (1 + margin)
			continue
		}
		k := 0
		if at := (float64(p)-a.low[j])*a.perUnit[j] + 0.5; at > 0 { // not for a NaN
			k = int(min(at, levels-1))
		}
		d := float64(p) - a.level[j][k]
		codes[j] = byte(k)
		sum += d * d
	}
	return codes, residuals
}

// projectionError bounds the distance between a projection, as computed, and the true one, for a vector that is norm away
// from the origin.
//
// With u = 2^-24, each difference, product and sum in fs_project is off by at most u of it, which a component of the result
// has undergone at most dim+1 times: its error is at most g = (dim+2)u/(1-(dim+2)u) times the sum of the absolute
// products, and that at most the norm of the direction, itself at most stretch, times norm. Underflow adds at most 2^-126
// for each difference (times an entry of the basis, at most 2) and each product, whether denormal numbers are kept or
// taken for zero. An overflow gives no finite projection, and is looked after by the callers.
func (a *axes) projectionError(norm float64) float64 {
	dim := float64(len(a.mean))
	u := (dim + 2) / (1 << 24)
	one := u/(1-u)*a.stretch*norm + dim*0x1p-124
	return math.Sqrt(tiers*tierAxes) * one * (1 + margin)
}

// classify gives a row its class in each tier, the first with room for its residual, and reports whether there is one in
// every tier. If not, it is wild in all, or it would both be listed and pass some tables.
func (a *axes) classify(codes *[slots]byte, residuals [tiers]float64) bool {
	tame := true
	for t, residual := range residuals {
		class := 0
		for class < classes && !(residual <= a.bounds[t][class]) { // a NaN is in none
			class++
		}
		codes[t*tierSlots+tierAxes] = byte(class)
		tame = tame && class < classes
	}
	for t := range tiers {
		if !tame {
			codes[t*tierSlots+tierAxes] = wild
		}
	}
	return tame
}

func inverse(x float64) float64 {
	if y := 1 / x; finite(y) {
		return y
	}
	return 0
}

func finite(x float64) bool {
	return x-x == 0
}
