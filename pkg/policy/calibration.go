package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
)

// A Calibration says what distances mean for one embedding model. It is data that lies beside
// the model's file: see ParseCalibration.
//
// Similarity is 100·σ(Slope·(Middle−d)) / σ(Slope·Middle), where σ is the logistic function:
// 100 at distance 0, and falling. The false match rate is the share of pairs of strangers at
// or below a distance: log10(FMR) = FMRSlope·d + FMRBase, fitted between the distances FMRFrom
// and FMRTo, and an extrapolation elsewhere. CrowdShape is the shape of the gamma distribution
// that the squared distances from one template to many strangers follow: see Strangers.
type Calibration struct {
	Model             string
	Slope, Middle     float64
	FMRSlope, FMRBase float64
	FMRFrom, FMRTo    float64
	CrowdShape        float64
	Bands             []Band
}

// A Band is what a similarity in percent, and all above it, stands for, and the distance at
// which the measured error rates put it.
type Band struct {
	Similarity        float64            `json:"similarity"`
	Distance          float64            `json:"distance"`
	Meaning           string             `json:"meaning"`
	FalseMatchRate    float64            `json:"false_match_rate"`
	FalseNonMatchRate map[string]float64 `json:"false_non_match_rate"` // by kind of picture
}

// bandSlack is how far, in percent, the curve may pass a band's similarity at its distance.
const bandSlack = 0.5

// ParseCalibration reads a calibration file, which is JSON, and refuses one that no distances
// could follow: where the similarity does not fall, or the false match rate does not rise.
func ParseCalibration(data []byte) (Calibration, error) {
	var file struct {
		Model      string `json:"model"`
		Distance   string `json:"distance"`
		Similarity struct {
			Slope  float64 `json:"slope"`
			Middle float64 `json:"middle"`
		} `json:"similarity"`
		Bands          []Band `json:"bands"`
		FalseMatchRate struct {
			Slope      float64 `json:"slope"`
			Base       float64 `json:"base"`
			From       float64 `json:"from"`
			To         float64 `json:"to"`
			MeasuredOn string  `json:"measured_on"`
		} `json:"false_match_rate"`
		Crowd struct {
			Shape      float64 `json:"shape"`
			MeasuredOn string  `json:"measured_on"`
		} `json:"crowd"`
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return Calibration{}, fmt.Errorf("reading a calibration: %w", err)
	}
	if file.Distance != "euclidean" {
		return Calibration{}, fmt.Errorf("calibration of %s: the distance %q is not known, only euclidean is", file.Model, file.Distance)
	}
	c := Calibration{
		Model: file.Model, Slope: file.Similarity.Slope, Middle: file.Similarity.Middle, Bands: file.Bands,
		FMRSlope: file.FalseMatchRate.Slope, FMRBase: file.FalseMatchRate.Base,
		FMRFrom: file.FalseMatchRate.From, FMRTo: file.FalseMatchRate.To, CrowdShape: file.Crowd.Shape,
	}
	if err := c.validate(); err != nil {
		return Calibration{}, fmt.Errorf("calibration of %s: %w", file.Model, err)
	}
	return c, nil
}

func (c Calibration) validate() error {
	positive := func(v float64) bool { return v > 0 && !math.IsInf(v, 1) }
	switch {
	case !positive(c.Slope) || !positive(c.Middle):
		return fmt.Errorf("similarity has slope %v and middle %v: both have to be above 0, or the similarity does not fall", c.Slope, c.Middle)
	case !positive(c.FMRSlope) || !(c.FMRBase < 0) || math.IsInf(c.FMRBase, -1):
		return fmt.Errorf("false_match_rate has slope %v, to be above 0, and base %v, to be below 0", c.FMRSlope, c.FMRBase)
	case !positive(c.FMRFrom) || !positive(c.FMRTo) || c.FMRFrom >= c.FMRTo:
		return fmt.Errorf("false_match_rate was fitted from %v to %v, which is no range of distances", c.FMRFrom, c.FMRTo)
	case !(c.CrowdShape >= 1 && c.CrowdShape <= 1000):
		return fmt.Errorf("crowd has the shape %v, to be from 1 to 1000", c.CrowdShape)
	}
	for _, band := range c.Bands {
		if got := c.Similarity(band.Distance); !(math.Abs(got-band.Similarity) <= bandSlack) {
			return fmt.Errorf("the band %v is at distance %v, where the similarity is %.1f", band.Similarity, band.Distance, got)
		}
	}
	return nil
}

// extrapolated reports whether the false match rate at a similarity is beyond what was fitted.
func (c Calibration) extrapolated(similarity float64) bool {
	distance := c.Distance(similarity)
	return distance < c.FMRFrom || distance > c.FMRTo
}
