package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"facesearch/pkg/client"
	"facesearch/pkg/facetest"
)

var clientOptions = client.SearchOptions{}

func withKey(key string) []string { return []string{"FACESEARCH_API_KEY=" + key} }

func TestSearch(t *testing.T) {
	s := serve(t, t.TempDir(), nil, "--workers", "1", "--bootstrap-key", bootstrapKey)
	folder := t.TempDir()
	write(t, folder, map[string][]byte{
		"obama.jpg": facetest.Photograph(t, "obama2.jpg"), "wall.jpg": facetest.JPEG(t, facetest.Image(t, "astronaut.png", 20)),
	})
	fields := client.EnrolFields{"vendor_data": "person-obama"}
	if _, err := s.client(bootstrapKey).Enrol(t.Context(), facetest.Photograph(t, "obama.jpg"), fields); err != nil {
		t.Fatal(err)
	}
	person, wall, missing := filepath.Join(folder, "obama.jpg"), filepath.Join(folder, "wall.jpg"), filepath.Join(folder, "missing.jpg")
	t.Run("OK", func(t *testing.T) {
		got := run(t, withKey(bootstrapKey), "search", person, "--server", s.url)
		got.ended(t, 0)
		if !strings.Contains(got.out, "obama.jpg: In Review") || !strings.Contains(got.out, "person-obama") {
			t.Errorf("%s", got.out)
		}
	})
	t.Run("JSON", func(t *testing.T) {
		got := run(t, []string{"DIDIT_API_KEY=" + bootstrapKey}, "search", person, wall, "--server", s.url, "--json", "--rotate", "--vendor-data", "x")
		got.ended(t, 0)
		lines := strings.Split(strings.TrimSuffix(got.out, "\n"), "\n")
		if len(lines) != 2 {
			t.Fatalf("%d lines: %s", len(lines), got.out)
		}
		for i, want := range []string{"In Review", "Declined"} {
			var answer client.SearchAnswer
			if err := json.Unmarshal([]byte(lines[i]), &answer); err != nil || answer.FaceSearch.Status != want || answer.RequestID == "" {
				t.Errorf("line %d: %v: %s", i, err, lines[i])
			}
		}
	})
	t.Run("ErrMissing", func(t *testing.T) {
		got := run(t, withKey(bootstrapKey), "search", person, missing, wall, "--server", s.url)
		got.ended(t, 1, missing)
		if !strings.Contains(got.out, "obama.jpg: In Review") || !strings.Contains(got.out, "wall.jpg: Declined") {
			t.Errorf("one missing file kept the others from being searched:\n%s", got.out)
		}
	})
	t.Run("ErrKey", func(t *testing.T) {
		run(t, nil, "search", person, "--server", s.url).ended(t, 1, "no API key")
		run(t, withKey("not-a-key-of-this-server"), "search", person, "--server", s.url).ended(t, 1, "API key")
	})
}

func TestImport(t *testing.T) {
	s := serve(t, t.TempDir(), nil, "--workers", "2", "--bootstrap-key", bootstrapKey)
	importFrom := func(from string) outcome {
		return run(t, withKey(bootstrapKey), "import", from, "--server", s.url, "--parallel", "2")
	}
	people := map[string][]byte{
		"obama/portrait.jpg": facetest.Photograph(t, "obama.jpg"), "obama/later/standing.JPG": facetest.Photograph(t, "obama3.jpg"),
		"biden.jpg": facetest.Photograph(t, "biden.jpg"), "astronaut.png": facetest.Photograph(t, "astronaut.png"),
	}
	folder := t.TempDir()
	write(t, folder, people)
	write(t, folder, map[string][]byte{"notes.txt": []byte("not a picture"), ".hidden.jpg": []byte("not one either")})
	t.Run("Folder", func(t *testing.T) {
		importFrom(folder).ended(t, 0, "4 of 4 pictures are enrolled, 0 refused")
		for name, person := range map[string]string{"obama2.jpg": "obama", "biden.jpg": "biden"} {
			answer := s.search(t, bootstrapKey, facetest.Photograph(t, name))
			if len(answer.FaceSearch.Matches) == 0 || *answer.FaceSearch.Matches[0].VendorData != person {
				t.Errorf("%s: %s", name, answer.Raw)
			}
		}
	})
	t.Run("Again", func(t *testing.T) {
		before := s.count(t, bootstrapKey)
		importFrom(folder).ended(t, 0, "4 of 4 pictures are enrolled, 0 refused")
		if after := s.count(t, bootstrapKey); before != 5 || after != 6 {
			t.Errorf("%d sessions before the second import, %d with one more after it", before, after)
		}
	})
	t.Run("Refused", func(t *testing.T) {
		bad := t.TempDir()
		write(t, bad, map[string][]byte{
			"good.jpg": facetest.JPEG(t, facetest.Image(t, "obama2.jpg", 500)), "text.jpg": []byte("no picture"),
			"empty.png": nil, "large.jpg": make([]byte, 5*1024*1024+1),
			"two/people.jpg": facetest.JPEG(t, facetest.Beside(facetest.Image(t, "obama.jpg", 500), facetest.Image(t, "biden.jpg", 500))),
		})
		got := importFrom(bad)
		got.ended(t, 1, "1 of 5 pictures are enrolled, 4 refused")
		for file, why := range map[string]string{
			"text.jpg": "not a JPEG", "empty.png": "empty", "large.jpg": "5242881 bytes; at most 5242880", filepath.Join("two", "people.jpg"): "2 faces",
		} {
			line := regexpLine(got.errors, "refused "+filepath.Join(bad, file)+":")
			if !strings.Contains(line, why) {
				t.Errorf("%s: %q, want %q", file, line, why)
			}
		}
	})
	t.Run("CSV", func(t *testing.T) { testCSV(t, s, folder, importFrom) })
	t.Run("ErrWrong", func(t *testing.T) {
		importFrom(filepath.Join(folder, "none")).ended(t, 1, "none")
		importFrom(t.TempDir()).ended(t, 1, "has no pictures")
		run(t, withKey("not-a-key-of-this-server"), "import", folder, "--server", s.url).ended(t, 1, "stopped after 0 of 4")
	})
}

// regexpLine is the line of a text that starts with a prefix.
func regexpLine(text, prefix string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, prefix) {
			return line
		}
	}
	return ""
}

func testCSV(t *testing.T, s *server, folder string, importFrom func(string) outcome) {
	table := filepath.Join(folder, "people.csv")
	id := uuid.NewString()
	rows := "\ufefffile,vendor_data,full_name,document_type,document_number,status,verification_date,session_id\n" +
		"obama/portrait.jpg,csv-1,\"Obama, Barack\",Passport,P-123456,In Review,2025-06-10T10:30:00Z," + id + "\n" +
		"biden.jpg,csv-2,,,,,,\n" +
		"gone.jpg,csv-3,,,,,,\n"
	write(t, folder, map[string][]byte{"people.csv": []byte(rows)})
	before := s.count(t, bootstrapKey)
	for range 2 { // the second time enrols nothing new
		importFrom(table).ended(t, 1, "2 of 3 pictures are enrolled, 1 refused", "refused "+filepath.Join(folder, "gone.jpg"))
	}
	if after := s.count(t, bootstrapKey); after != before+3 {
		t.Errorf("%d sessions, want 2 and the counting one more than %d", after, before)
	}
	answer, err := s.client(bootstrapKey).Enrol(t.Context(), facetest.Photograph(t, "obama.jpg"), client.EnrolFields{
		"session_id": id, "vendor_data": "csv-1", "full_name": "Obama, Barack", "document_type": "Passport",
		"document_number": "P-123456", "status": "In Review", "verification_date": "2025-06-10T10:30:00Z",
	})
	if err != nil || answer.Status != "In Review" || int(answer.SessionNumber) <= before {
		t.Errorf("%+v, %v: the row was enrolled with other content", answer, err)
	}
	for name, rows := range map[string]string{
		"no column named file": "vendor_data\nx\n", `a column "files"`: "files\nbiden.jpg\n", "no heading": "", "reading the CSV file": "file,status\nbiden.jpg\n",
	} {
		write(t, folder, map[string][]byte{"wrong.csv": []byte(rows)})
		importFrom(filepath.Join(folder, "wrong.csv")).ended(t, 1, name)
	}
}

// TestKilledDuringImport kills the server, as kill -9 does, while an import runs and while
// other clients enrol. Everything that was acknowledged is there and found after the
// restart, and the import goes on.
func TestKilledDuringImport(t *testing.T) {
	const imported, own, acknowledgedMin = 18, 24, 8
	data := t.TempDir()
	pictures := facetest.Variants(t, []string{"obama.jpg", "biden.jpg", "obama2.jpg", "obama3.jpg"}, 360, imported+own)
	folder := t.TempDir()
	for i, picture := range pictures[:imported] {
		write(t, folder, map[string][]byte{fmt.Sprintf("person-%02d/a.jpg", i): picture})
	}
	first := serve(t, data, nil, "--workers", "2", "--bootstrap-key", bootstrapKey)
	address := strings.TrimPrefix(first.url, "http://")
	importing := make(chan outcome, 1)
	importCommand := command(t, withKey(bootstrapKey), "import", folder, "--server", first.url, "--parallel", "2")
	go func() { importing <- finish(t, importCommand) }()
	ids := make([]string, own)
	for i := range ids {
		ids[i] = uuid.NewString()
	}
	acknowledged := enrolUntilKilled(t, first, pictures[imported:], ids, acknowledgedMin)
	if len(acknowledged) < acknowledgedMin || len(acknowledged) == own {
		t.Fatalf("%d of %d enrolments were acknowledged before the server was killed", len(acknowledged), own)
	}

	second := serve(t, data, nil, "--workers", "2", "--addr", address)
	for _, i := range acknowledged {
		// The very same picture has distance 0: its session is the first match.
		answer := second.search(t, bootstrapKey, pictures[imported+i])
		if len(answer.FaceSearch.Matches) == 0 || answer.FaceSearch.Matches[0].SessionID != ids[i] {
			t.Errorf("an acknowledged enrolment is not found: %s in %s", ids[i], answer.Raw)
		}
	}
	(<-importing).ended(t, 0, fmt.Sprintf("%d of %d pictures are enrolled, 0 refused", imported, imported))
	for i := range ids { // what was not acknowledged may be there or not: sending it again settles it
		if _, err := second.client(bootstrapKey).Enrol(t.Context(), pictures[imported+i], client.EnrolFields{"session_id": ids[i]}); err != nil {
			t.Errorf("enrolling again: %v", err)
		}
	}
	run(t, withKey(bootstrapKey), "import", folder, "--server", second.url).ended(t, 0, "0 refused")
	if got := second.count(t, bootstrapKey); got != imported+own+1 {
		t.Errorf("%d sessions, want %d and the counting one", got, imported+own)
	}
	second.stop(t)
	if left, err := os.ReadDir(data); err != nil || len(left) > 2 {
		t.Errorf("%v, %v: files are left behind", left, err)
	}
}

// enrolUntilKilled enrols from two clients and kills the server once enough is acknowledged.
// It returns what was.
func enrolUntilKilled(t *testing.T, s *server, pictures [][]byte, ids []string, enough int) (acknowledged []int) {
	t.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	for half := range 2 {
		group.Go(func() {
			for i := half; i < len(pictures); i += 2 {
				_, err := s.client(bootstrapKey).Enrol(t.Context(), pictures[i], client.EnrolFields{"session_id": ids[i]})
				if err != nil {
					return // the server was killed
				}
				mu.Lock()
				acknowledged = append(acknowledged, i)
				if len(acknowledged) == enough {
					s.kill()
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return acknowledged
}
