package api_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/disintegration/imaging"

	"facesearch/pkg/facetest"
)

// TestFormats: the bytes tell the format, whatever the client declares, which is always a JPEG
// here.
func TestFormats(t *testing.T) {
	a := newTenant(t)
	a.enrol(t, portrait(t, "obama.jpg"), text("vendor_data", "person-obama"))
	for name, format := range map[string]imaging.Format{"JPEG": imaging.JPEG, "PNG": imaging.PNG, "TIFF": imaging.TIFF} {
		t.Run(name, func(t *testing.T) {
			var picture bytes.Buffer
			if err := imaging.Encode(&picture, facetest.Image(t, "obama2.jpg", 500), format); err != nil {
				t.Fatal(err)
			}
			if found := a.search(t, picture.Bytes()); found.first() != "person-obama" {
				t.Errorf("%s", found.raw)
			}
		})
	}
	t.Run("WebP", func(t *testing.T) { // Go has no encoder for it: a picture without a face has to do
		for _, name := range []string{"lossy.webp", "lossless.webp"} {
			picture, err := os.ReadFile(filepath.Join("..", "testdata", "photo", name))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "search-no-face.json", a.search(t, picture).raw)
		}
	})
}

// TestMatchesListed: the five most similar are listed unless an application asks for more, and
// all are counted.
func TestMatchesListed(t *testing.T) {
	a := newTenant(t)
	pictures := facetest.Variants(t, []string{"obama.jpg", "obama2.jpg", "obama3.jpg"}, 500, 6)
	for _, picture := range append(pictures, pictures[0]) { // the last one is equal to the first
		a.enrol(t, picture)
	}
	found := a.search(t, pictures[0])
	matches := found.FaceSearch.Matches
	if found.FaceSearch.TotalMatches != 7 || len(matches) != 5 {
		t.Fatalf("%s", found.raw)
	}
	if matches[0].SessionNumber != 1 || matches[1].SessionNumber != 7 || matches[1].SimilarityPercentage != 100 {
		t.Errorf("equal matches are not in the order of their numbers: %s", found.raw)
	}
	for i := 1; i < len(matches); i++ {
		if matches[i].SimilarityPercentage > matches[i-1].SimilarityPercentage {
			t.Errorf("match %d is more similar than the one before: %s", i, found.raw)
		}
	}
	a.patch(t, `{"max_matches": 7}`)
	if found := a.search(t, pictures[0]); len(found.FaceSearch.Matches) != 7 || found.FaceSearch.TotalMatches != 7 {
		t.Errorf("%s", found.raw)
	}
}
