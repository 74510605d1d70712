package facetest

import (
	"facesearch/models"
	"facesearch/pkg/policy"
)

// Calibration is that of the model that the server uses.
func Calibration() policy.Calibration {
	data, err := models.Calibration(models.Embedder)
	if err != nil {
		panic(err)
	}
	calibration, err := policy.ParseCalibration(data)
	if err != nil {
		panic(err)
	}
	return calibration
}
