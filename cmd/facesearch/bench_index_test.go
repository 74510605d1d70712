package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"facesearch/pkg/bench"
	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/facetest"
)

// quickly are the flags of a run that takes a moment.
var quickly = []string{"bench", "index", "--n", "300,600", "--probes", "30", "--busy", "1ms", "--python", "", "--engines", "exact,plain"}

func TestBenchIndex(t *testing.T) {
	t.Run("OK files", func(t *testing.T) {
		folder := t.TempDir()
		data, page := filepath.Join(folder, "a.json"), filepath.Join(folder, "a.html")
		got := run(t, nil, append(quickly, "--json", data, "--html", page)...)
		got.ended(t, 0)
		for _, words := range []string{"300 rows of 128 dimensions", "600 rows", "plain float scan", "after churn", "radius recall"} {
			if !strings.Contains(got.out, words) {
				t.Errorf("the table has no %q:\n%s", words, got.out)
			}
		}
		text, err := os.ReadFile(data)
		if err != nil {
			t.Fatal(err)
		}
		requireRuns(t, text, 2)
		if html, err := os.ReadFile(page); err != nil || !strings.HasPrefix(string(html), "<!doctype html>") {
			t.Errorf("%v", err)
		}
	})
	t.Run("OK standard output", func(t *testing.T) {
		got := run(t, nil, append(quickly, "--no-churn", "--no-startup", "--radius", "0.4", "--json", "-")...)
		got.ended(t, 0)
		requireRuns(t, []byte(got.out), 2)
	})
	t.Run("OK templates", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "a.csv")
		if err := os.WriteFile(file, []byte("person,x0,x1\n"+strings.Repeat("a,1,2\nb,2,3\nc,3,4\n", 2)), 0o600); err != nil {
			t.Fatal(err)
		}
		got := run(t, nil, append(quickly, "--templates", file)...)
		got.ended(t, 0)
		if !strings.Contains(got.out, "left out: a gallery of 300: a.csv has templates for 3") {
			t.Error(got.out)
		}
	})
	t.Run("OK templates of a store", testBenchStore)
	t.Run("ErrUsage", func(t *testing.T) {
		run(t, nil, "bench", "index", "--engines", "magic").ended(t, 2, "magic")
		run(t, nil, "bench", "index", "--hnsw", "many").ended(t, 1, "M:K")
		run(t, nil, "bench", "index", "--hnsw", "1:1").ended(t, 1, "M is 1")
		run(t, nil, "bench", "index", "--n", "0").ended(t, 1, "a gallery of 0")
		run(t, nil, "bench", "index", "--templates", "nowhere.csv").ended(t, 1, "nowhere.csv")
		run(t, nil, "bench", "index", "--templates", "a.csv", "--data", "a").ended(t, 2, "--templates", "--data")
		run(t, nil, "bench", "index", "--application", "a").ended(t, 1, "--data")
		nowhere := filepath.Join(t.TempDir(), "nowhere")
		run(t, nil, "bench", "index", "--data", nowhere).ended(t, 1, "there is no store in")
		if _, err := os.Stat(nowhere); err == nil {
			t.Error("the directory was made")
		}
	})
}

func requireRuns(t *testing.T, text []byte, want int) {
	t.Helper()
	var report bench.IndexReport
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if len(report.Runs) != want || len(report.Runs[0].Engines) != 2 || *report.Runs[0].Engines[0].Fresh.Recall1 != 1 {
		t.Errorf("%s", text)
	}
}

func TestBenchIndexInterrupted(t *testing.T) {
	cmd := command(t, nil, "bench", "index", "--n", "300,3000000", "--probes", "30", "--busy", "1ms", "--python", "", "--engines", "exact")
	var out bytes.Buffer
	said := &facetest.Buffer{}
	cmd.Stdout, cmd.Stderr = &out, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); !strings.Contains(said.String(), "3000000: ") && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	cmd.Process.Signal(syscall.SIGINT)
	cmd.Wait()
	outcome{cmd.ProcessState.ExitCode(), out.String(), said.String()}.ended(t, 1, "3000000: ", "interrupt")
	if !strings.Contains(out.String(), "300 rows") || !strings.Contains(out.String(), "The run was interrupted") {
		t.Errorf("%s", &out)
	}
}

// testBenchStore wants the figures of a store's templates, and nothing of whose they are.
func testBenchStore(t *testing.T) {
	directory := t.TempDir()
	store, err := bolt.Open(directory, bolt.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 1))
	for application, people := range map[string]int{"application-one": 60, "application-two": 30} {
		if err := store.CreateApplication(t.Context(), face.Application{ID: application}); err != nil {
			t.Fatal(err)
		}
		for n := range people {
			enrolment := face.Enrolment{Session: face.Session{ID: fmt.Sprint("session-", n), VendorData: "a-person", Status: face.Approved}, Template: make(face.Template, face.TemplateDim)}
			for i := range enrolment.Template {
				enrolment.Template[i] = float32(random.NormFloat64() / 12)
			}
			if _, _, err := store.Enrol(t.Context(), application, enrolment); err != nil {
				t.Fatal(err)
			}
		}
	}
	measure := append(slices.Clone(quickly), "--n", "1000", "--json", "-", "--data", directory)
	run(t, nil, measure...).ended(t, 1, "in use by another process", "stop the server")
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	for application, rows := range map[string]int{"": 81, "application-one": 54, "application-two": 27} { // a tenth are strangers
		got := run(t, nil, append(slices.Clone(measure), "--application", application)...)
		got.ended(t, 0)
		var report bench.IndexReport
		if err := json.Unmarshal([]byte(got.out), &report); err != nil {
			t.Fatal(err)
		}
		if len(report.Runs) != 1 || report.Runs[0].N != rows || report.Runs[0].Strangers != rows/9 || report.Runs[0].Data != "a store" {
			t.Errorf("%q: %+v", application, report.Runs)
		}
		for _, private := range []string{"application-", "session-", "a-person", directory} {
			if strings.Contains(got.out+got.errors, private) {
				t.Errorf("the report holds %q", private)
			}
		}
	}
	run(t, nil, append(measure, "--application", "nobody's")...).ended(t, 1, "no such application")
}
