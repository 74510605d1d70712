package attributes_test

import (
	"context"
	"image"
	"math/rand/v2"
	"os"
	"testing"

	"facesearch/models"
	"facesearch/pkg/attributes"
	"facesearch/pkg/dlib"
	"facesearch/pkg/face"
)

func open(tb testing.TB) *attributes.Estimator {
	tb.Helper()
	directory := os.Getenv("FACESEARCH_MODELS")
	if err := models.Verify(directory); err != nil {
		tb.Fatalf("run the tests with make test, which fetches the models: %v", err)
	}
	files := attributes.Files{Runtime: models.ONNXRuntime, Age: models.Age, Gender: models.Gender}
	estimator, err := attributes.Open(directory, files, 1, dlib.Chip)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(estimator.Close)
	return estimator
}

// noise is a picture of the size that faces are cut to, with a face's landmarks.
func noise() face.Embedding {
	crop := image.NewRGBA(image.Rect(0, 0, 210, 210))
	random := rand.New(rand.NewPCG(1, 2))
	for i := range crop.Pix {
		crop.Pix[i] = uint8(random.UintN(256))
		if i%4 == 3 {
			crop.Pix[i] = 255
		}
	}
	return face.Embedding{Crop: crop, Landmarks: [5]image.Point{{X: 145, Y: 85}, {X: 120, Y: 86}, {X: 65, Y: 85}, {X: 90, Y: 86}, {X: 105, Y: 125}}}
}

func BenchmarkDescribe(b *testing.B) {
	estimator, embedding := open(b), noise()
	for b.Loop() {
		if _, err := estimator.Describe(context.Background(), embedding, 100, 1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkChip(b *testing.B) {
	embedding := noise()
	for b.Loop() {
		if _, err := dlib.Chip(embedding.Crop, embedding.Landmarks, attributes.AgeSide, attributes.Padding); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEstimate(b *testing.B) {
	estimator, embedding := open(b), noise()
	age, _ := dlib.Chip(embedding.Crop, embedding.Landmarks, attributes.AgeSide, attributes.Padding)
	gender, _ := dlib.Chip(embedding.Crop, embedding.Landmarks, attributes.GenderSide, attributes.Padding)
	for b.Loop() {
		if _, _, err := estimator.Estimate(context.Background(), age, gender); err != nil {
			b.Fatal(err)
		}
	}
}
