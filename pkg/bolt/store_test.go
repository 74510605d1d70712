package bolt_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/gallerytest"
)

// bothIndexes runs a test for each kind of index.
func bothIndexes(t *testing.T, test func(t *testing.T, kind bolt.IndexKind)) {
	for _, kind := range []bolt.IndexKind{bolt.ExactIndex, bolt.HNSWIndex} {
		t.Run(string(kind), func(t *testing.T) { test(t, kind) })
	}
}

func openStore(t testing.TB, directory string, options bolt.Options) *bolt.Store {
	t.Helper()
	store, err := bolt.Open(directory, options)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func closeStore(t testing.TB, store *bolt.Store) {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// edit changes the file of a closed store behind its back.
func edit(t testing.TB, directory string, change func(tx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(directory, bolt.FileName), 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(change), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// bucketOf walks down from the root.
func bucketOf(tx *bbolt.Tx, path ...string) *bbolt.Bucket {
	bucket := tx.Bucket([]byte(path[0]))
	for _, name := range path[1:] {
		bucket = bucket.Bucket([]byte(name))
	}
	return bucket
}

// copyStore copies a store as it is, also while it is open: what a kill would leave.
func copyStore(t testing.TB, directory string) string {
	t.Helper()
	to := t.TempDir()
	for _, name := range []string{bolt.FileName, bolt.KeysFileName} {
		data, err := os.ReadFile(filepath.Join(directory, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// A recorder is a log that a test can read.
type recorder struct {
	slog.Handler
	mu    sync.Mutex
	lines []string
}

func newRecorder() *recorder { return &recorder{Handler: slog.DiscardHandler} }

func (r *recorder) Enabled(context.Context, slog.Level) bool { return true }

func (r *recorder) Handle(_ context.Context, record slog.Record) error {
	line := record.Level.String() + " " + record.Message
	record.Attrs(func(a slog.Attr) bool {
		line += " " + a.String()
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
	return nil
}

func (r *recorder) says(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.lines, func(line string) bool { return strings.Contains(line, text) })
}

func (r *recorder) all() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}

func (r *recorder) waitFor(t testing.TB, text string) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !r.says(text); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log never said %q:\n%s", text, r.all())
		}
	}
}

// people makes enrolments of strangers, every twentieth on the blocklist.
func people(n int) []face.Enrolment {
	random := rand.New(rand.NewPCG(uint64(n), 11))
	list := make([]face.Enrolment, n)
	for i := range list {
		list[i].Session = face.Session{ID: fmt.Sprintf("person-%d", i), Status: face.Approved, Blocklisted: i%20 == 7}
		list[i].Template = make(face.Template, face.TemplateDim)
		for j := range list[i].Template {
			list[i].Template[j] = float32(random.NormFloat64() * 0.86 / 16) // 0.86 apart
		}
	}
	return list
}

// filledStore is a closed store with that many people in gallerytest.Application.
func filledStore(t testing.TB, n int) (directory string, oracle *gallerytest.Oracle, enrolments []face.Enrolment) {
	t.Helper()
	directory, oracle, enrolments = t.TempDir(), &gallerytest.Oracle{}, people(n)
	store := openStore(t, directory, quiet(bolt.ExactIndex))
	if err := store.CreateApplication(context.Background(), face.Application{ID: gallerytest.Application}); err != nil {
		t.Fatal(err)
	}
	sessions, err := store.Fill(gallerytest.Application, enrolments)
	if err != nil {
		t.Fatal(err)
	}
	for i, session := range sessions {
		oracle.Add(session, enrolments[i].Template)
	}
	closeStore(t, store)
	return directory, oracle, enrolments
}

func TestOpen(t *testing.T) {
	t.Run("OK makes the directory", func(t *testing.T) {
		directory := filepath.Join(t.TempDir(), "a", "b")
		closeStore(t, openStore(t, directory, quiet("")))
		if _, err := os.Stat(filepath.Join(directory, bolt.FileName)); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("OK only the owner reads it", func(t *testing.T) {
		directory := filepath.Join(t.TempDir(), "data")
		closeStore(t, openStore(t, directory, quiet("")))
		for _, path := range []string{directory, filepath.Join(directory, bolt.FileName)} {
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Fatalf("%s has mode %v, %v", filepath.Base(path), info.Mode(), err)
			}
		}
	})
	t.Run("ErrLocked", func(t *testing.T) {
		directory := t.TempDir()
		store := openStore(t, directory, quiet(""))
		if _, err := bolt.Open(directory, quiet("")); !errors.Is(err, bolt.ErrLocked) {
			t.Fatalf("a second time: %v", err)
		}
		if _, err := store.Applications(t.Context()); err != nil {
			t.Fatal("the first one after that:", err)
		}
		closeStore(t, store)
		closeStore(t, openStore(t, directory, quiet("")))
	})
	t.Run("ErrIndex", func(t *testing.T) {
		directory := filepath.Join(t.TempDir(), "data")
		requireRefused(t, directory, "faiss", `"faiss"`, "exact", "hnsw")
		if _, err := os.Stat(directory); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("a wrong option left a directory: %v", err)
		}
	})
	t.Run("ErrNotAStore", func(t *testing.T) {
		directory := t.TempDir()
		if err := os.WriteFile(filepath.Join(directory, bolt.FileName), make([]byte, 1<<16), 0o600); err != nil {
			t.Fatal(err)
		}
		requireRefused(t, directory, bolt.ExactIndex, bolt.FileName)
	})
}

// requireRefused wants Open to fail with a message that holds these words, and to have let go
// of the file.
func requireRefused(t *testing.T, directory string, kind bolt.IndexKind, words ...string) {
	t.Helper()
	for range 2 {
		_, err := bolt.Open(directory, quiet(kind))
		if err == nil || errors.Is(err, bolt.ErrLocked) {
			t.Fatalf("got %v", err)
		}
		for _, word := range words {
			if !strings.Contains(err.Error(), word) {
				t.Fatalf("%q does not say %q", err, word)
			}
		}
	}
}

func TestOpenSchema(t *testing.T) {
	for name, row := range map[string]struct {
		value []byte
		says  string
	}{
		"ErrSchema newer":   {binary.BigEndian.AppendUint32(nil, 3), "schema version 3"},
		"ErrSchema older":   {binary.BigEndian.AppendUint32(nil, 0), "schema version 0"},
		"ErrSchema longer":  {binary.BigEndian.AppendUint64(nil, 7), "schema version 7"},
		"ErrSchema shorter": {[]byte{9}, "schema version 9"},
		"ErrSchema missing": {nil, "schema version 0"},
	} {
		t.Run(name, func(t *testing.T) {
			directory, _, _ := filledStore(t, 3)
			edit(t, directory, func(tx *bbolt.Tx) error {
				if row.value == nil {
					return bucketOf(tx, "meta").Delete([]byte("schema"))
				}
				return bucketOf(tx, "meta").Put([]byte("schema"), row.value)
			})
			requireRefused(t, directory, bolt.ExactIndex, row.says, "this program reads 1")
		})
	}
	for _, name := range []string{"media", "receipt"} {
		t.Run("ErrSecret "+name, func(t *testing.T) {
			directory, _, _ := filledStore(t, 3)
			edit(t, directory, func(tx *bbolt.Tx) error {
				sealed := slices.Clone(bucketOf(tx, "meta").Get([]byte(name)))
				sealed[len(sealed)-1] ^= 1
				return bucketOf(tx, "meta").Put([]byte(name), sealed)
			})
			requireRefused(t, directory, bolt.ExactIndex, "damaged")
		})
	}
	t.Run("ErrSecret of an old store", func(t *testing.T) {
		directory, _, _ := filledStore(t, 3)
		edit(t, directory, func(tx *bbolt.Tx) error {
			return errors.Join(bucketOf(tx, "meta").Delete([]byte("media")), bucketOf(tx, "meta").Put([]byte("secret"), []byte("short")))
		})
		requireRefused(t, directory, bolt.ExactIndex, "secret")
	})
}

func TestOpenDamagedTemplate(t *testing.T) {
	const flagsBytes = 1
	for name, damage := range map[string]func(row []byte) []byte{
		"ErrDamaged cut short": func(row []byte) []byte { return row[:len(row)-1] },
		"ErrDamaged too long":  func(row []byte) []byte { return append(row, 0) },
		"ErrDamaged empty":     func([]byte) []byte { return nil },
		"ErrDamaged bit of a value": func(row []byte) []byte {
			row[flagsBytes+4*50] ^= 1
			return row
		},
		"ErrDamaged flags": func(row []byte) []byte {
			row[0] ^= 1
			return row
		},
	} {
		t.Run(name, func(t *testing.T) {
			bothIndexes(t, func(t *testing.T, kind bolt.IndexKind) {
				for _, number := range []uint64{2, 8} { // an ordinary one and a blocklisted one
					directory, _, _ := filledStore(t, 10)
					edit(t, directory, func(tx *bbolt.Tx) error {
						rows := bucketOf(tx, "applications", gallerytest.Application, "templates")
						key := binary.BigEndian.AppendUint64(nil, number)
						return rows.Put(key, damage(slices.Clone(rows.Get(key))))
					})
					requireRefused(t, directory, kind, fmt.Sprintf("session %d:", number))
				}
			})
		})
	}
	t.Run("ErrDamaged number", func(t *testing.T) {
		directory, _, _ := filledStore(t, 10)
		edit(t, directory, func(tx *bbolt.Tx) error {
			return bucketOf(tx, "applications", gallerytest.Application, "templates").Put([]byte("odd"), make([]byte, 513))
		})
		requireRefused(t, directory, bolt.ExactIndex, "session number")
	})
}

// TestEnrolRefuses has what this store refuses beyond what every gallery does.
func TestEnrolRefuses(t *testing.T) {
	directory, _, enrolments := filledStore(t, 1)
	store := openStore(t, directory, quiet(""))
	defer closeStore(t, store)
	for name, spoil := range map[string]func(*face.Enrolment){
		"ErrID":            func(e *face.Enrolment) { e.Session.ID = "" },
		"ErrID too long":   func(e *face.Enrolment) { e.Session.ID = strings.Repeat("x", 1<<16) },
		"ErrStatus":        func(e *face.Enrolment) { e.Session.Status = "Expired" },
		"ErrPicture empty": func(e *face.Enrolment) { e.Session.PictureID = "picture" },
		"ErrPicture type": func(e *face.Enrolment) {
			e.Session.PictureID = "picture"
			e.Picture = face.Picture{ContentType: strings.Repeat("x", 256), Data: []byte("x")}
		},
		"ErrPicture ID too long": func(e *face.Enrolment) {
			e.Session.PictureID = strings.Repeat("x", 1<<16)
			e.Picture.Data = []byte("x")
		},
		"ErrTime": func(e *face.Enrolment) { e.Session.VerifiedAt = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		t.Run(name, func(t *testing.T) {
			enrolment := enrolments[0]
			enrolment.Session.ID = "new"
			spoil(&enrolment)
			if session, created, err := store.Enrol(t.Context(), gallerytest.Application, enrolment); err == nil || created {
				t.Fatalf("%+v, created %v, %v", session, created, err)
			}
			if size, err := store.Size(t.Context(), gallerytest.Application); err != nil || size != 1 {
				t.Fatalf("%d sessions, %v", size, err)
			}
			_, err := store.Session(t.Context(), gallerytest.Application, "new")
			if face.CodeOf(err) != face.CodeNotFound {
				t.Fatalf("after the refusal: %v", err)
			}
		})
	}
	t.Run("OK the next number follows", func(t *testing.T) {
		enrolment := enrolments[0]
		enrolment.Session.ID = "new"
		session, _, err := store.Enrol(t.Context(), gallerytest.Application, enrolment)
		if err != nil || session.Number != 2 {
			t.Fatalf("%+v, %v", session, err)
		}
	})
}
