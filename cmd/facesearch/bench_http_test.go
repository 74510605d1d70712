package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"facesearch/pkg/bench"
)

func TestBenchHTTP(t *testing.T) {
	var asked atomic.Int64
	keys := map[string]*atomic.Int64{"one-key": {}, "other-key": {}}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if counter := keys[r.Header.Get("X-Api-Key")]; counter != nil {
			counter.Add(1)
		}
		if r.FormValue("save_api_request") == "false" && r.FormValue("rotate_image") == "true" {
			asked.Add(1)
		}
		io.WriteString(w, `{"face_search":{"status":"Approved","matches":[]}}`)
	}))
	defer api.Close()
	folder := t.TempDir()
	write(t, folder, map[string][]byte{"anna.jpg": []byte("a"), "notes.txt": []byte("b"), "ben/1.png": []byte("c")})
	load := []string{"bench", "http", "--server", api.URL, "--rate", "100", "--duration", "200ms", "--arrivals", "constant", "--rotate", "--pictures", folder}

	t.Run("OK", func(t *testing.T) {
		got := run(t, withKey("one-key"), append(load, "--json", "-", "--against", api.URL, "--against-key", "other-key")...)
		got.ended(t, 0)
		var report bench.HTTPReport
		if err := json.Unmarshal([]byte(got.out), &report); err != nil {
			t.Fatal(err)
		}
		if len(report.Servers) != 2 || report.Servers[0].Succeeded != 20 || report.Servers[1].Succeeded != 20 || report.Pictures != 2 || report.Agreement.Compared != 20 {
			t.Errorf("%s", got.out)
		}
		if asked.Load() != 40 || keys["one-key"].Load() != 20 || keys["other-key"].Load() != 20 {
			t.Errorf("%d requests as they should be, %d with one key", asked.Load(), keys["one-key"].Load())
		}
		if strings.Contains(got.out, "one-key") {
			t.Error("the report has the key")
		}
	})
	t.Run("OK table", func(t *testing.T) {
		got := run(t, withKey("one-key"), load...)
		got.ended(t, 0)
		if !strings.Contains(got.out, api.URL) || !strings.Contains(got.out, "succeeded/s") {
			t.Error(got.out)
		}
	})
	t.Run("OK clients", func(t *testing.T) {
		got := run(t, withKey("one-key"), append(load, "--clients", "4", "--pid", strconv.Itoa(os.Getpid()))...)
		got.ended(t, 0)
		if !strings.Contains(got.out, "4 clients for 0.2 s") || !strings.Contains(got.out, "resident memory: ") {
			t.Error(got.out)
		}
	})
	t.Run("ErrTooManyRequests", func(t *testing.T) {
		run(t, withKey("one-key"), append(load, "--rate", "100000", "--duration", "1h")...).ended(t, 1, "100000 requests")
	})
	t.Run("ErrKey", func(t *testing.T) {
		run(t, nil, load...).ended(t, 1, "FACESEARCH_API_KEY")
		run(t, withKey("one-key"), append(load, "--against", api.URL)...).ended(t, 1, "--against-key")
	})
	t.Run("ErrPictures", func(t *testing.T) {
		run(t, withKey("one-key"), append(load, "--pictures", t.TempDir())...).ended(t, 1, "no pictures")
	})
}
