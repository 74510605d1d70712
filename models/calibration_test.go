package models_test

import (
	"encoding/json"
	"testing"

	"facesearch/models"
)

func TestCalibration(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		data, err := models.Calibration(models.Embedder)
		if err != nil || !json.Valid(data) {
			t.Fatalf("%q, %v", data, err)
		}
	})
	t.Run("ErrNone", func(t *testing.T) {
		if data, err := models.Calibration(models.CNNDetector); err == nil {
			t.Errorf("%q", data)
		}
	})
}
