// Package facetest gives the tests of several packages the same models, photographs and
// pictures made of them. Only tests import it.
package facetest

import (
	"bytes"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/disintegration/imaging"

	"facesearch/models"
)

// verified checks the model files once for each test binary: 47 MB are hashed.
var verified = sync.OnceValue(func() error { return models.Verify(os.Getenv("FACESEARCH_MODELS")) })

// Models is the directory of the model files.
func Models(tb testing.TB) string {
	tb.Helper()
	if err := verified(); err != nil {
		tb.Fatalf("run the tests with make test, which fetches the models: %v", err)
	}
	directory, err := filepath.Abs(os.Getenv("FACESEARCH_MODELS"))
	if err != nil {
		tb.Fatal(err)
	}
	return directory
}

// Photograph reads one of the photographs that make test fetches.
func Photograph(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(os.Getenv("FACESEARCH_PHOTOGRAPHS"), name))
	if err != nil {
		tb.Fatalf("run the tests with make test, which fetches the photographs: %v", err)
	}
	return data
}

// images are those that Image has made, by photograph and height: Go's decoders are slow
// under the race detector.
var images sync.Map

type imageKey struct {
	name      string
	heightMax int
}

// Image is a photograph decoded, with its height shrunk to heightMax pixels, so that what is
// made of it is quick to make. It must not be changed.
func Image(tb testing.TB, name string, heightMax int) image.Image {
	tb.Helper()
	key := imageKey{name, heightMax}
	if made, ok := images.Load(key); ok {
		return made.(image.Image)
	}
	made := shrunk(tb, name, heightMax)
	images.Store(key, made)
	return made
}

func shrunk(tb testing.TB, name string, heightMax int) image.Image {
	tb.Helper()
	decoded, err := imaging.Decode(bytes.NewReader(Photograph(tb, name)))
	if err != nil {
		tb.Fatal(err)
	}
	if decoded.Bounds().Dy() <= heightMax {
		return decoded
	}
	return imaging.Resize(decoded, 0, heightMax, imaging.Box)
}

// jpegQuality of the pictures that tests make.
const jpegQuality = 92

// JPEG encodes a picture.
func JPEG(tb testing.TB, picture image.Image) []byte {
	tb.Helper()
	var buffer bytes.Buffer
	if err := jpeg.Encode(&buffer, picture, &jpeg.Options{Quality: jpegQuality}); err != nil {
		tb.Fatal(err)
	}
	return buffer.Bytes()
}

// Beside puts two pictures side by side on one canvas: two people in one picture.
func Beside(left, right image.Image) image.Image {
	width, height := left.Bounds().Dx(), left.Bounds().Dy()
	canvas := imaging.New(width+right.Bounds().Dx(), max(height, right.Bounds().Dy()), image.White)
	canvas = imaging.Paste(canvas, left, image.Pt(0, 0))
	return imaging.Paste(canvas, right, image.Pt(width, 0))
}

// Variants are count distinct JPEG pictures of the people in the named photographs, in turn:
// each a little brighter or darker than the last of the same person, and cut a little tighter.
func Variants(tb testing.TB, names []string, heightMax, count int) [][]byte {
	tb.Helper()
	sources := make([]image.Image, len(names))
	for i, name := range names {
		sources[i] = Image(tb, name, heightMax)
	}
	variants := make([][]byte, count)
	for i := range variants {
		round := i / len(names)
		source := sources[i%len(names)]
		inner := source.Bounds()
		inner.Min.X += 2 * (round % 4)
		inner.Max.Y -= 3 * (round / 4)
		cut := imaging.Crop(source, inner)
		variants[i] = JPEG(tb, imaging.AdjustBrightness(cut, float64(round%5)-2))
	}
	return variants
}
