package dlib_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"facesearch/models"
	"facesearch/pkg/bench"
	"facesearch/pkg/dlib"
	"facesearch/pkg/photo"
)

// open loads an engine with the given number of workers.
func open(tb testing.TB, workers int) *dlib.Engine {
	tb.Helper()
	directory := os.Getenv("FACESEARCH_MODELS")
	if err := models.Verify(directory); err != nil {
		tb.Fatalf("run the tests with make test, which fetches the models: %v", err)
	}
	engine, err := dlib.Open(context.Background(), directory, workers)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(engine.Close)
	return engine
}

// photograph reads one of the photographs that make test fetches.
func photograph(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(os.Getenv("FACESEARCH_PHOTOGRAPHS"), name))
	if err != nil {
		tb.Fatalf("run the tests with make test, which fetches the photographs: %v", err)
	}
	return data
}

func decode(tb testing.TB, data []byte) *photo.Photo {
	tb.Helper()
	decoded, err := photo.Decode(data)
	if err != nil {
		tb.Fatal(err)
	}
	return decoded
}

func BenchmarkFind(b *testing.B) {
	engine := open(b, 1)
	samples, err := bench.Samples(photograph(b, "obama.jpg"))
	if err != nil {
		b.Fatal(err)
	}
	for _, sample := range samples {
		for _, angles := range []string{"upright", "any"} {
			b.Run(sample.Name+"/"+angles, func(b *testing.B) {
				picture := decode(b, sample.JPEG)
				for b.Loop() {
					if _, err := engine.Find(context.Background(), picture, angles == "any"); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkEmbed(b *testing.B) {
	engine := open(b, 1)
	picture := decode(b, photograph(b, "obama.jpg"))
	found, err := engine.Find(context.Background(), picture, false)
	if err != nil || len(found.Faces) != 1 {
		b.Fatalf("%d faces, %v", len(found.Faces), err)
	}
	for b.Loop() {
		if _, ok, err := engine.Embed(context.Background(), picture, found.Angle, found.Faces[0].Box); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
