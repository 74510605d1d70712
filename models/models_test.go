package models_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"facesearch/models"
)

func TestFiles(t *testing.T) {
	lists := map[string][]models.File{"Files": models.Files(), "Photographs": models.Photographs()}
	for name, files := range lists {
		t.Run(name, func(t *testing.T) {
			names := map[string]bool{}
			for _, f := range files {
				for field, value := range map[string]string{
					"Name": f.Name, "Purpose": f.Purpose, "Licence": f.Licence, "Member": f.Member,
					"Package": f.Archive.Package, "Version": f.Archive.Version, "FileName": f.Archive.FileName,
				} {
					if value == "" {
						t.Errorf("%s: %s is empty", f.Name, field)
					}
				}
				if len(f.SHA256) != 64 || len(f.Archive.SHA256) != 64 {
					t.Errorf("%s: a sha256 has not 64 digits", f.Name)
				}
				if f.Bytes <= 0 || f.Archive.Bytes <= f.Bytes/2 {
					t.Errorf("%s: %d bytes of an archive of %d", f.Name, f.Bytes, f.Archive.Bytes)
				}
				if !strings.Contains(f.Archive.FileName, f.Archive.Version) {
					t.Errorf("%s: %s is not version %s", f.Name, f.Archive.FileName, f.Archive.Version)
				}
				if names[f.Name] {
					t.Errorf("%s is listed twice", f.Name)
				}
				names[f.Name] = true
			}
		})
	}
}

func TestPhotographsAreListed(t *testing.T) {
	page, err := os.ReadFile("../testdata/photographs/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range models.Photographs() {
		row := "| " + f.Name + " | " + f.Purpose + " |"
		if !bytes.Contains(page, []byte(row)) || !bytes.Contains(page, []byte("| "+f.SHA256+" |")) {
			t.Errorf("the page does not list %s with its checksum", f.Name)
		}
	}
}

// FACESEARCH_MODELS names the fetched files, as "make test" sets it.
func TestVerifyFetched(t *testing.T) {
	dir := os.Getenv("FACESEARCH_MODELS")
	if dir == "" {
		t.Skip("FACESEARCH_MODELS is not set")
	}
	if err := models.Verify(dir); err != nil {
		t.Fatal(err)
	}
	for _, status := range models.Inspect(dir) {
		if status.State != models.StateOK {
			t.Errorf("%s is %s", status.Name, status.State)
		}
	}
}

func TestVerify(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var genderBytes int64
	for _, f := range models.Files() {
		if f.Name == models.Gender {
			genderBytes = f.Bytes
		}
	}
	write(models.Age, []byte("half a download"))
	write(models.Gender, make([]byte, genderBytes))
	write(models.CNNDetector, bytes.Repeat([]byte{1}, 1<<20))
	if err := os.Mkdir(filepath.Join(dir, models.Embedder), 0o755); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		models.ShapePredictor: models.StateMissing,
		models.Age:            models.StateCutOff,
		models.Gender:         models.StateWrong,
		models.CNNDetector:    models.StateWrong,
		models.Embedder:       models.StateUnreadable,
		models.ONNXRuntime:    models.StateMissing,
	}
	for _, f := range models.Files() {
		if _, ok := want[f.Name]; !ok {
			want[f.Name] = models.StateMissing
		}
	}

	t.Run("ErrNamed", func(t *testing.T) {
		err := models.Verify(dir)
		if err == nil {
			t.Fatal("a folder of bad files passed")
		}
		for name, state := range want {
			if !strings.Contains(err.Error(), name+" is "+state) {
				t.Errorf("%q does not say that %s is %s", err, name, state)
			}
		}
		if !strings.Contains(err.Error(), "facesearch models fetch") {
			t.Errorf("%q does not say how to mend it", err)
		}
	})
	t.Run("Inspect", func(t *testing.T) {
		for _, status := range models.Inspect(dir) {
			if status.State != want[status.Name] {
				t.Errorf("%s is %q, want %q", status.Name, status.State, want[status.Name])
			}
		}
	})
	t.Run("ErrNoFolder", func(t *testing.T) {
		if err := models.Verify(filepath.Join(dir, "nowhere")); err == nil {
			t.Fatal("a folder that does not exist passed")
		}
	})
}
