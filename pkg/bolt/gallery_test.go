package bolt_test

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"testing"

	"facesearch/pkg/bolt"
	"facesearch/pkg/gallerytest"
)

// The environment variables with which this test binary runs itself as the process that is
// killed.
const (
	childDirectory = "FACESEARCH_BOLT_CHILD_DIRECTORY"
	childIndex     = "FACESEARCH_BOLT_CHILD_INDEX"
)

func TestMain(m *testing.M) {
	if directory := os.Getenv(childDirectory); directory != "" {
		fmt.Fprintln(os.Stderr, child(directory, bolt.IndexKind(os.Getenv(childIndex))))
		os.Exit(1)
	}
	if directory := os.Getenv(reembedDirectory); directory != "" {
		fmt.Fprintln(os.Stderr, reembedChild(directory))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func child(directory string, kind bolt.IndexKind) error {
	store, err := bolt.Open(directory, quiet(kind))
	if err != nil {
		return err
	}
	return gallerytest.Child(store, os.Stdout)
}

func quiet(kind bolt.IndexKind) bolt.Options {
	return bolt.Options{Index: kind, Log: slog.New(slog.DiscardHandler)}
}

// childCommand is this test binary as a process that enrols until it is killed.
func childCommand(t testing.TB, directory string, kind bolt.IndexKind) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), program)
	command.Env = append(os.Environ(), childDirectory+"="+directory, childIndex+"="+string(kind))
	return command
}

func TestGallery(t *testing.T) {
	for _, kind := range []bolt.IndexKind{bolt.ExactIndex, bolt.HNSWIndex} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel() // each waits for the disk most of the time
			gallerytest.Run(t, func(t testing.TB) gallerytest.Harness {
				directory := t.TempDir()
				return gallerytest.Harness{
					Open: func(t testing.TB) gallerytest.Store {
						t.Helper()
						store, err := bolt.Open(directory, quiet(kind))
						if err != nil {
							t.Fatal(err)
						}
						return store
					},
					Child:       func(t testing.TB) *exec.Cmd { return childCommand(t, directory, kind) },
					Approximate: kind == bolt.HNSWIndex,
				}
			})
		})
	}
}
