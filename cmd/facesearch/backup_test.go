package main_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"facesearch/pkg/facetest"
)

// erase sends a deletion and returns the receipt's header.
func (s *server) erase(t *testing.T, id string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, s.url+"/v3/session/"+id+"/delete/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("x-api-key", bootstrapKey)
	response, err := http.DefaultClient.Do(request)
	if err != nil || response.StatusCode != http.StatusNoContent {
		t.Fatal(response, err)
	}
	response.Body.Close()
	return response.Header.Get("X-Erasure-Receipt")
}

// enrolled enrols a photograph and returns the session's ID.
func (s *server) enrolled(t *testing.T, photograph []byte) string {
	t.Helper()
	answer, err := s.client(bootstrapKey).Enrol(t.Context(), photograph, nil)
	if err != nil {
		t.Fatal(err)
	}
	return answer.SessionID
}

// enrolAndErase goes on enrolling and erasing a photograph until stop is called.
func (s *server) enrolAndErase(t *testing.T, photograph []byte) (stop func()) {
	ending, ended := make(chan struct{}), make(chan error, 1)
	once := func() error {
		answer, err := s.client(bootstrapKey).Enrol(t.Context(), photograph, nil)
		if err != nil {
			return err
		}
		request, err := http.NewRequest(http.MethodDelete, s.url+"/v3/session/"+answer.SessionID+"/delete/", nil)
		if err != nil {
			return err
		}
		request.Header.Set("x-api-key", bootstrapKey)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusNoContent {
			return fmt.Errorf("erasing: %s", response.Status)
		}
		return nil
	}
	go func() {
		for {
			select {
			case <-ending:
				ended <- nil
				return
			default:
			}
			if err := once(); err != nil {
				ended <- err
				return
			}
		}
	}()
	return func() {
		t.Helper()
		close(ending)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
}

// TestBackup backs up a server that goes on enrolling and erasing, ends it, and restores.
func TestBackup(t *testing.T) {
	data, folder := t.TempDir(), t.TempDir()
	obama, biden := facetest.JPEG(t, facetest.Image(t, "obama.jpg", 500)), facetest.JPEG(t, facetest.Image(t, "biden.jpg", 500))
	s := serve(t, data, nil, "--workers", "1", "--bootstrap-key", bootstrapKey)
	s.enrolled(t, obama)
	gone, later := s.enrolled(t, biden), s.enrolled(t, biden)
	s.erase(t, gone)
	stop := s.enrolAndErase(t, obama)
	first, second := filepath.Join(folder, "first.tar"), filepath.Join(folder, "second.tar")
	run(t, nil, "backup", first, "--data", data).ended(t, 0, "backed up: 1 application(s)", "the audit log's head is ")
	piped := run(t, nil, "backup", "-", "--data", data)
	piped.ended(t, 0, "backed up")
	write(t, folder, map[string][]byte{"second.tar": []byte(piped.out)})
	stop()
	run(t, nil, "backup", first, "--data", data).ended(t, 1, "is there already")
	s.erase(t, later)
	t.Run("Names", func(t *testing.T) {
		entries, err := os.ReadDir(folder)
		if err != nil || len(entries) != 2 {
			t.Errorf("%v, %v", entries, err)
		}
	})
	t.Run("ErrRunning", func(t *testing.T) {
		run(t, nil, "restore", first, "--data", data, "--keep-erased").ended(t, 1, "stop the server first")
		run(t, nil, "restore", first, "--data", data).ended(t, 1, "holds a store already")
	})
	s.stop(t)
	t.Run("Restored", func(t *testing.T) {
		for _, backup := range []string{first, second} {
			restored := filepath.Join(t.TempDir(), "restored")
			run(t, nil, "restore", backup, "--data", restored).ended(t, 0, "restored: 1 application(s)")
			run(t, nil, "audit", "verify", "--data", restored).ended(t, 0, "is whole")
			again := serve(t, restored, nil, "--workers", "1")
			if answer := again.search(t, bootstrapKey, obama); answer.FaceSearch.TotalMatches < 1 {
				t.Errorf("%+v", answer)
			}
			// Whoever was erased before the backup is gone; who was erased later is in it.
			if answer := again.search(t, bootstrapKey, biden); answer.FaceSearch.TotalMatches != 1 {
				t.Errorf("%+v", answer)
			}
			again.stop(t)
		}
	})
	t.Run("KeepErased", func(t *testing.T) {
		run(t, nil, "restore", first, "--data", data, "--keep-erased").ended(t, 0, "restored: 1 application(s)")
		again := serve(t, data, nil, "--workers", "1")
		if answer := again.search(t, bootstrapKey, biden); answer.FaceSearch.TotalMatches != 0 {
			t.Errorf("who was erased is back: %+v", answer)
		}
		again.stop(t)
	})
	t.Run("Stopped", func(t *testing.T) {
		third := filepath.Join(folder, "third.tar")
		run(t, nil, "backup", third, "--data", data).ended(t, 0, "backed up")
		run(t, nil, "backup", third+"4", "--data", t.TempDir()).ended(t, 1, "there is no store in")
		whole, err := os.ReadFile(third)
		if err != nil {
			t.Fatal(err)
		}
		damaged := bytes.Clone(whole)
		damaged[len(damaged)/2] ^= 1
		for name, made := range map[string][]byte{"flipped.tar": damaged, "short.tar": whole[:len(whole)-2048], "empty.tar": {}} {
			write(t, folder, map[string][]byte{name: made})
			into := filepath.Join(t.TempDir(), "into")
			run(t, nil, "restore", filepath.Join(folder, name), "--data", into).ended(t, 1, "the backup is damaged")
			if entries, err := os.ReadDir(into); err != nil || len(entries) != 0 {
				t.Errorf("%s left %v, %v", name, entries, err)
			}
		}
		run(t, nil, "restore", filepath.Join(folder, "none.tar"), "--data", t.TempDir()).ended(t, 1, "no such file")
	})
}

func TestAuditCommand(t *testing.T) {
	data := t.TempDir()
	obama := facetest.JPEG(t, facetest.Image(t, "obama.jpg", 500))
	s := serve(t, data, nil, "--workers", "1", "--bootstrap-key", bootstrapKey)
	header := s.erase(t, s.enrolled(t, obama))
	file := filepath.Join(t.TempDir(), "receipt")
	write(t, filepath.Dir(file), map[string][]byte{"receipt": []byte(header + "\n")})
	var head string
	check := func(t *testing.T) {
		t.Helper()
		verified := run(t, nil, "audit", "verify", "--data", data)
		verified.ended(t, 0, "is whole")
		head = strings.TrimSpace(verified.out)
		run(t, nil, "audit", "verify", "--data", data, "--expect-head", head).ended(t, 0)
		run(t, nil, "audit", "verify", "--data", data, "--expect-head", "99"+head).ended(t, 1, "entries are missing at the end")
		run(t, nil, "audit", "verify", "--data", data, "--expect-head", "x").ended(t, 1, "a number, a colon")
		for limit, words := range map[string]string{"1": "erase", "4": "enrol"} {
			listed := run(t, nil, "audit", "list", "--data", data, "--limit", limit)
			if listed.ended(t, 0); !strings.Contains(listed.out, words) || fmt.Sprint(strings.Count(listed.out, "\n")-1) != limit {
				t.Errorf("%s", listed.out)
			}
		}
		run(t, nil, "audit", "receipt", file).ended(t, 0, "The receipt is good: 1 session(s) and 0 saved search(es)")
		run(t, nil, "audit", "receipt", file, "--data", data).ended(t, 0, "The receipt is good")
	}
	check(t)
	t.Run("Rotate", func(t *testing.T) {
		id := s.enrolled(t, obama)
		before := address(t, s, id)
		run(t, nil, "media", "rotate", "--data", data).ended(t, 0, "good until they expire")
		if got := status(t, http.MethodGet, before); got != 200 {
			t.Error(got)
		}
		run(t, nil, "media", "rotate", "--data", data, "--revoke").ended(t, 0, "all that were given out are refused")
		if got := status(t, http.MethodGet, before); got != 403 {
			t.Error(got)
		}
		if got := status(t, http.MethodGet, address(t, s, id)); got != 200 {
			t.Error(got)
		}
		s.erase(t, id)
	})
	s.stop(t)
	check(t)
	t.Run("ErrReceipt", func(t *testing.T) {
		changed := []byte(header)
		changed[len(changed)/2] ^= 4
		write(t, filepath.Dir(file), map[string][]byte{"changed": changed})
		if got := run(t, nil, "audit", "receipt", filepath.Join(filepath.Dir(file), "changed")); got.status != 1 {
			t.Errorf("%+v", got)
		}
		other := t.TempDir()
		serve(t, other, nil, "--workers", "1", "--bootstrap-key", bootstrapKey).stop(t)
		run(t, nil, "audit", "receipt", file, "--data", other).ended(t, 1, "has not signed this receipt")
		run(t, nil, "audit", "receipt", file, "--public-key", strings.Repeat("0", 64)).ended(t, 1, "another key")
	})
}

// address is that of a session's picture.
func address(t *testing.T, s *server, id string) string {
	t.Helper()
	var shown struct {
		Address string `json:"portrait_image_url"`
	}
	getJSON(t, s, "/v3/session/"+id+"/decision/", &shown)
	return shown.Address
}

// TestRetentionAtStart: what is too old when the server starts is erased.
func TestRetentionAtStart(t *testing.T) {
	data := t.TempDir()
	s := serve(t, data, nil, "--workers", "1", "--bootstrap-key", bootstrapKey)
	s.search(t, bootstrapKey, facetest.JPEG(t, facetest.Image(t, "obama.jpg", 500)))
	s.stop(t)
	backdate(t, data)
	s = serve(t, data, nil, "--workers", "1")
	s.waitFor(t, "what was too old is erased")
	if text := s.said.String(); !strings.Contains(text, "sessions=1 searches=1") {
		t.Errorf("%s", text)
	}
	var list struct{ Count int }
	getJSON(t, s, "/v3/searches/", &list)
	if list.Count != 1 {
		t.Errorf("%d searches are left, one is new", list.Count)
	}
	response, err := http.Get(s.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, err := io.ReadAll(response.Body); err != nil || !strings.Contains(string(text), "\nfacesearch_erasures_total 2\n") {
		t.Errorf("erasures_total is not 2: %v", err)
	}
	s.stop(t)
}
