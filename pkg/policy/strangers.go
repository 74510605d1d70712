package policy

import (
	"math"
	"strconv"

	"facesearch/pkg/face"
)

// Strangers says how many strangers a search of one gallery can be expected to find as near to
// its probe as a candidate is.
//
// Both sides have a say: how many of the gallery lie so near to the probe, and how many so near
// to the candidate, as the geometric mean of the two. A probe or a candidate that is like many
// others makes a match less surprising, one that is like nobody more.
type Strangers struct {
	calibration Calibration
	people      int
	probe       crowd
	fitted      bool
}

const (
	// candidateSay bounds how far the candidate's side can lower what the probe's side expects,
	// so that the candidates that matter lie within a known distance of the probe.
	candidateSay = 10.0
	// ExpectedMin is the least that is claimed: smaller rates were never seen, and mean nothing.
	ExpectedMin = 1e-9
)

// NewStrangers is for a gallery of that many sessions, whose crowd around the probe is given.
func NewStrangers(calibration Calibration, people int, probe face.Crowd) *Strangers {
	s := &Strangers{calibration: calibration, people: people}
	s.probe, s.fitted = calibration.fitCrowd(probe)
	return s
}

// Calibrated reports whether the gallery has too few sessions to tell, so that the
// calibration's false match rate decides.
func (s *Strangers) Calibrated() bool { return !s.fitted }

// Expected is how many strangers are expected at that distance from the probe or nearer, with
// two significant digits. A zero Crowd leaves it to the probe's side.
func (s *Strangers) Expected(distance float64, candidate face.Crowd) float64 {
	c := s.calibration
	share := c.FMRSlope*distance + c.FMRBase
	if s.fitted {
		share = c.share(s.probe, distance)
		if other, ok := c.fitCrowd(candidate); ok {
			share = max((share+c.share(other, distance))/2, share-math.Log10(candidateSay))
		}
	}
	expected := max(float64(s.people)*math.Pow(10, min(share, 0)), ExpectedMin)
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(expected, 'e', 1, 64), 64)
	return rounded
}

// Radius is the distance within which all lie of whom Expected is at most that many. Where the
// calibration decides, it is that of AutoThreshold.
func (s *Strangers) Radius(expected float64) float64 {
	c := s.calibration
	if !s.fitted {
		return c.Distance(c.AutoThreshold(s.people, expected))
	}
	const rounding = 1.06 // of Expected to two digits
	share := math.Log10(expected * rounding * candidateSay / float64(s.people))
	low, high := 0.0, distanceMax
	for high-low > 1e-9 {
		if middle := (low + high) / 2; c.share(s.probe, middle) <= share {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}

// distanceMax is farther than any two templates are apart.
const distanceMax = 16.0
