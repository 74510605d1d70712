// Package policy turns what was found into what is answered: distances into similarities,
// settings, faces and candidates into a decision. Its functions are pure: no clock, no
// store, no randomness.
package policy

import "math"

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// Similarity is the similarity in percent at a distance, from 0 to 100, unrounded.
func (c Calibration) Similarity(distance float64) float64 {
	return 100 * sigmoid(c.Slope*(c.Middle-distance)) / sigmoid(c.Slope*c.Middle)
}

// Distance is the distance at which the similarity is the given percentage: the radius of a
// search with that threshold. It is the inverse of Similarity; 0 percent and less give
// +Inf, 100 and more give 0.
func (c Calibration) Distance(similarity float64) float64 {
	share := similarity / 100 * sigmoid(c.Slope*c.Middle)
	switch {
	case share <= 0:
		return math.Inf(1)
	case share >= 1: // a logarithm of a negative number would be NaN, which is no radius
		return 0
	}
	return math.Max(0, c.Middle-math.Log(share/(1-share))/c.Slope)
}

// Percentage is a similarity as it is shown: one decimal, rounded down, so that it never
// shows a threshold that was not reached. (The small addend takes back what the inverse
// loses in floating point.)
func Percentage(similarity float64) float64 {
	return math.Floor(similarity*10+1e-6) / 10
}

// ThresholdMin is the lowest threshold that "auto" chooses: below it, faces are of different
// people more often than not.
const ThresholdMin = 70.0

// thresholdMax keeps "auto" short of 100, which only the same picture reaches.
const thresholdMax = 99.9

// AutoThreshold is the similarity, in percent with one decimal, at which a search of a
// gallery of that many people is expected to return at most falseMatches strangers, by the
// calibration's false match rate; never under ThresholdMin.
func (c Calibration) AutoThreshold(people int, falseMatches float64) float64 {
	if people < 1 {
		return ThresholdMin
	}
	distance := (math.Log10(falseMatches/float64(people)) - c.FMRBase) / c.FMRSlope
	threshold := math.Ceil(c.Similarity(math.Max(0, distance))*10-1e-6) / 10
	return math.Min(math.Max(threshold, ThresholdMin), thresholdMax)
}
