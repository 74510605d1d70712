package policy_test

import (
	"math"
	"strings"
	"testing"

	"facesearch/models"
	"facesearch/pkg/policy"
)

func TestParseCalibration(t *testing.T) {
	data, err := models.Calibration(models.Embedder)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("OK", func(t *testing.T) {
		c, err := policy.ParseCalibration(data)
		if err != nil {
			t.Fatal(err)
		}
		if c.Model != "dlib_face_recognition_resnet_model_v1" || c.Slope != 13.5 || c.FMRBase != -14.92 || c.CrowdShape != 22 {
			t.Errorf("%+v", c)
		}
		// The bands that clients know.
		if len(c.Bands) != 2 || c.Bands[0].Similarity != 90 || c.Bands[1].Similarity != policy.ThresholdMin {
			t.Errorf("bands %+v", c.Bands)
		}
		for _, band := range c.Bands {
			// What was measured and the fitted line may differ by as much as the line is extrapolated.
			rate := math.Pow(10, c.FMRSlope*band.Distance+c.FMRBase)
			if rate > 3*band.FalseMatchRate || rate < band.FalseMatchRate/3 {
				t.Errorf("band %v: rate %v, the line says %v", band.Similarity, band.FalseMatchRate, rate)
			}
		}
	})
	for name, change := range map[string][2]string{
		"not JSON":         {`"model"`, `model`},
		"another distance": {`"euclidean"`, `"cosine"`},
		"a field more":     {`"model"`, `"modell": 1, "model"`},
		"slope falls":      {`"slope": 13.5`, `"slope": -13.5`},
		"no middle":        {`"middle": 0.5628`, `"middle": 0`},
		"rate falls":       {`"slope": 22.94`, `"slope": -22.94`},
		"base above 0":     {`"base": -14.92`, `"base": 14.92`},
		"no range":         {`"from": 0.42`, `"from": 0.52`},
		"no shape":         {`"shape": 22`, `"shape": 0`},
		"band elsewhere":   {`"similarity": 90, "distance": 0.40`, `"similarity": 90, "distance": 0.43`},
		"not finite":       {`"slope": 13.5`, `"slope": 1e999`},
	} {
		t.Run("Err "+name, func(t *testing.T) {
			spoiled := strings.Replace(string(data), change[0], change[1], 1)
			if spoiled == string(data) {
				t.Fatal("nothing was changed")
			}
			if c, err := policy.ParseCalibration([]byte(spoiled)); err == nil {
				t.Errorf("%+v", c)
			}
		})
	}
}
