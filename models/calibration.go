package models

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed *.calibration
var calibrations embed.FS

// Calibration is what the distances between templates of a model's file mean, as it was
// measured; pkg/policy reads it.
func Calibration(file string) ([]byte, error) {
	name := strings.TrimSuffix(file, ".dat") + ".calibration"
	data, err := calibrations.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("there is no calibration of the model %s: %w", file, err)
	}
	return data, nil
}
