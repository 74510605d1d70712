package onnxface

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"gopkg.in/yaml.v3"

	"facesearch/pkg/face"
)

// A Description says how a network is fed and what it answers. It lies beside the network's
// file, under its name with .yaml or .json behind it.
type Description struct {
	// Name is for people.
	Name string `yaml:"name"`
	// InputSize is the width and the height of the chip in pixels.
	InputSize [2]int `yaml:"input_size"`
	// Points is where the landmarks come to lie in the chip, in its pixels, the middle of the
	// first one being 0, 0. Two of them at least are named.
	Points Points `yaml:"-"`
	// ColourOrder is rgb or bgr, Layout nchw (a plane for each colour) or nhwc (a pixel's colours
	// together).
	ColourOrder string `yaml:"colour_order"`
	Layout      string `yaml:"layout"`
	// A value of the network's input is (v - Mean) * Scale, with v from 0 to 255. Mean is in the
	// order of ColourOrder.
	Mean  [3]float64 `yaml:"mean"`
	Scale float64    `yaml:"scale"`
	// Input and Output name the tensors; empty where the network has only one.
	Input  string `yaml:"input"`
	Output string `yaml:"output"`
	// Dim is how many values a template has; 0: what the network says.
	Dim int `yaml:"dim"`
	// Normalise divides a template by its length.
	Normalise bool `yaml:"normalise"`
	// Metric is euclidean, or cosine, which orders normalised templates as the Euclidean distance
	// does: that is √(2 - 2·cosine).
	Metric string `yaml:"metric"`
	// Calibration says what distances mean; pkg/policy reads it. Nil when there is none.
	Calibration json.RawMessage `yaml:"-"`
}

// Points are the landmarks that a face can be aligned by: the middles of the eyes on the left and
// on the right of the picture, and the base of the nose, where it meets the lip.
type Points struct {
	LeftEye  *[2]float64 `yaml:"left_eye"`
	RightEye *[2]float64 `yaml:"right_eye"`
	NoseBase *[2]float64 `yaml:"nose_base"`
}

// Family is the description of the ArcFace family's networks, which is what a file leaves out.
//
// They were trained on faces aligned by the eyes, the tip of the nose and the corners of the
// mouth. dlib finds no mouth, and of the nose the base. So the eyes stand where the family has
// them, and the base of the nose where it lies under them in dlib's mean face: 0.7735 times the
// distance between the eyes.
func Family() Description {
	return Description{
		InputSize: [2]int{112, 112},
		Points: Points{
			LeftEye: &[2]float64{38.2946, 51.6963}, RightEye: &[2]float64{73.5318, 51.5014}, NoseBase: &[2]float64{56.06, 78.86},
		},
		ColourOrder: "rgb", Layout: "nchw", Mean: [3]float64{127.5, 127.5, 127.5}, Scale: 1 / 127.5,
		Normalise: true, Metric: "euclidean",
	}
}

// sideMax bounds a chip, and so the memory of a worker.
const sideMax = 1024

// endings are those of a description's file, behind the whole name of the network's.
var endings = []string{".yaml", ".yml", ".json"}

// ReadDescription reads the description beside a network's file.
func ReadDescription(network string) (Description, error) {
	for _, ending := range endings {
		data, err := os.ReadFile(network + ending)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Description{}, err
		}
		description, err := ParseDescription(data)
		if err != nil {
			return Description{}, fmt.Errorf("%s: %w", filepath.Base(network+ending), err)
		}
		return description, nil
	}
	return Description{}, fmt.Errorf("%s needs a description beside it, %s.yaml or .json: how the network is fed, and its calibration", network, filepath.Base(network))
}

// ParseDescription reads YAML or JSON. What it leaves out is as in Family.
func ParseDescription(data []byte) (Description, error) {
	file := struct {
		Description `yaml:",inline"`
		Points      *Points        `yaml:"points"` // in place of all of the family's
		Calibration map[string]any `yaml:"calibration"`
	}{Description: Family()}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		return Description{}, fmt.Errorf("reading the description: %w", err)
	}
	d := file.Description
	if file.Points != nil {
		d.Points = *file.Points
	}
	if file.Calibration != nil {
		var err error
		if d.Calibration, err = json.Marshal(file.Calibration); err != nil {
			return Description{}, fmt.Errorf("reading the description's calibration: %w", err)
		}
	}
	return d, d.validate()
}

func (d Description) validate() error {
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	given, _ := d.Points.used([5]point{})
	switch {
	case d.InputSize[0] < 1 || d.InputSize[1] < 1 || d.InputSize[0] > sideMax || d.InputSize[1] > sideMax:
		return fmt.Errorf("input_size is %v, to be a width and a height from 1 to %d", d.InputSize, sideMax)
	case len(given) < 2:
		return errors.New("points has to name two at least of left_eye, right_eye and nose_base")
	case degenerate(given):
		return errors.New("points lie on one another")
	case d.ColourOrder != "rgb" && d.ColourOrder != "bgr":
		return fmt.Errorf("colour_order is %q, to be rgb or bgr", d.ColourOrder)
	case d.Layout != "nchw" && d.Layout != "nhwc":
		return fmt.Errorf("layout is %q, to be nchw or nhwc", d.Layout)
	case !finite(d.Mean[0]) || !finite(d.Mean[1]) || !finite(d.Mean[2]) || !finite(d.Scale) || d.Scale == 0:
		return errors.New("mean and scale have to be numbers, and scale not 0")
	case d.Dim < 0 || d.Dim > face.TemplateDimMax:
		return fmt.Errorf("dim is %d, to be from 1 to %d", d.Dim, face.TemplateDimMax)
	case d.Metric != "euclidean" && d.Metric != "cosine":
		return fmt.Errorf("metric is %q, to be euclidean or cosine", d.Metric)
	case d.Metric == "cosine" && !d.Normalise:
		return errors.New("with the metric cosine, normalise has to be true")
	}
	return nil
}

// identity is everything of the description that a template depends on. The names of the fields
// are part of it: to change one is to make every store's templates those of another model.
func (d Description) identity() []byte {
	d.Name, d.Metric, d.Calibration = "", "", nil
	data, err := json.Marshal(d)
	if err != nil {
		panic(err) // validate has refused what cannot be written
	}
	return data
}
