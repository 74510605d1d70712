package bolt_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	bbolt "go.etcd.io/bbolt"

	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/gallerytest"
)

// readAll returns what came before the error.
func readAll(directory, application string) (templates []face.Template, err error) {
	for template, err := range bolt.Templates(directory, application) {
		if err != nil {
			return templates, err
		}
		templates = append(templates, slices.Clone(template))
	}
	return templates, nil
}

func TestTemplates(t *testing.T) {
	const n, other = 2_500, "another"
	directory, _, enrolments := filledStore(t, n)
	store := openStore(t, directory, quiet(""))
	if err := store.CreateApplication(t.Context(), face.Application{ID: other}); err != nil {
		t.Fatal(err)
	}
	var others []face.Enrolment
	for i, enrolment := range people(7)[:4] {
		enrolment.Session.Status = []face.Status{face.Approved, face.InReview, face.Declined, face.Declined}[i]
		enrolment.Session.Blocklisted = i == 3
		if _, _, err := store.Enrol(t.Context(), other, enrolment); err != nil {
			t.Fatal(err)
		}
		others = append(others, enrolment)
	}
	t.Run("ErrLocked", func(t *testing.T) {
		if got, err := readAll(directory, ""); !errors.Is(err, bolt.ErrLocked) || len(got) > 0 {
			t.Fatalf("%d templates, %v", len(got), err)
		}
	})
	closeStore(t, store)
	before := filesOf(t, directory)
	t.Run("OK one application", func(t *testing.T) {
		got, err := readAll(directory, gallerytest.Application)
		if err != nil || len(got) != n {
			t.Fatalf("%d templates, %v", len(got), err)
		}
		for i := range got {
			if !slices.Equal(got[i], enrolments[i].Template) {
				t.Fatalf("template %d is another", i)
			}
		}
	})
	t.Run("OK those that are searched", func(t *testing.T) {
		got, err := readAll(directory, other)
		if err != nil || len(got) != 2 || !slices.Equal(got[0], others[0].Template) || !slices.Equal(got[1], others[3].Template) {
			t.Fatalf("%d templates, %v", len(got), err)
		}
	})
	t.Run("OK all", func(t *testing.T) {
		if got, err := readAll(directory, ""); err != nil || len(got) != n+2 {
			t.Fatalf("%d templates, %v", len(got), err)
		}
	})
	t.Run("OK stopped", func(t *testing.T) {
		for range bolt.Templates(directory, "") {
			break
		}
	})
	if !bytes.Equal(before, filesOf(t, directory)) {
		t.Error("reading changed the store")
	}
	closeStore(t, openStore(t, directory, quiet(""))) // nothing was left locked
	t.Run("ErrApplication", func(t *testing.T) {
		if _, err := readAll(directory, "nobody's"); face.CodeOf(err) != face.CodeNotFound {
			t.Fatal(err)
		}
	})
}

func filesOf(t *testing.T, directory string) (all []byte) {
	t.Helper()
	for _, name := range []string{bolt.FileName, bolt.KeysFileName} {
		data, err := os.ReadFile(filepath.Join(directory, name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data...)
	}
	return all
}

func TestTemplatesRefuses(t *testing.T) {
	requireRefused := func(t *testing.T, directory, says string) {
		t.Helper()
		for range 2 { // it lets go of the files
			if got, err := readAll(directory, ""); err == nil || !strings.Contains(err.Error(), says) || errors.Is(err, bolt.ErrLocked) {
				t.Fatalf("%d templates, %v", len(got), err)
			}
		}
	}
	t.Run("ErrNoStore", func(t *testing.T) {
		directory := filepath.Join(t.TempDir(), "nowhere")
		requireRefused(t, directory, "there is no store in")
		if _, err := os.Stat(directory); !errors.Is(err, os.ErrNotExist) {
			t.Error("it was made")
		}
	})
	t.Run("ErrKeys", func(t *testing.T) {
		directory, _, _ := filledStore(t, 3)
		if err := os.Remove(filepath.Join(directory, bolt.KeysFileName)); err != nil {
			t.Fatal(err)
		}
		requireRefused(t, directory, "without its keys")
	})
	t.Run("ErrSchema", func(t *testing.T) {
		directory, _, _ := filledStore(t, 3)
		edit(t, directory, func(tx *bbolt.Tx) error { return bucketOf(tx, "meta").Put([]byte("schema"), []byte{0, 0, 0, 9}) })
		requireRefused(t, directory, "schema version 9")
	})
	t.Run("ErrNotAStore", func(t *testing.T) {
		directory, _, _ := filledStore(t, 3)
		edit(t, directory, func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("meta")) })
		requireRefused(t, directory, "not a store")
	})
	t.Run("ErrDamaged", func(t *testing.T) {
		directory, _, _ := filledStore(t, 3)
		edit(t, directory, func(tx *bbolt.Tx) error {
			rows := bucketOf(tx, "applications", gallerytest.Application, "templates")
			return rows.Put([]byte{0, 0, 0, 0, 0, 0, 0, 2}, make([]byte, 99))
		})
		requireRefused(t, directory, "session 2:")
	})
	t.Run("OK those erased since an older copy are passed over", func(t *testing.T) {
		directory, _, enrolments := filledStore(t, 5)
		old := copyStore(t, directory)
		store := openStore(t, directory, quiet(""))
		if _, err := store.Erase(t.Context(), gallerytest.Application, []string{enrolments[1].Session.ID}); err != nil {
			t.Fatal(err)
		}
		closeStore(t, store)
		copyFile(t, directory, old, bolt.KeysFileName)
		got, err := readAll(old, "")
		if err != nil || len(got) != 4 || !slices.Equal(got[0], enrolments[0].Template) || !slices.Equal(got[1], enrolments[2].Template) {
			t.Fatalf("%d templates, %v", len(got), err)
		}
	})
}
