package main_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"facesearch/pkg/client"
	"facesearch/pkg/facetest"
)

func TestDuplicates(t *testing.T) {
	s := serve(t, t.TempDir(), nil, "--workers", "1", "--bootstrap-key", bootstrapKey)
	duplicates := func(arguments ...string) outcome {
		return run(t, withKey(bootstrapKey), append([]string{"duplicates", "--server", s.url}, arguments...)...)
	}
	duplicates().ended(t, 0, "0 sessions compared", "in 0 groups")
	enrol := func(photograph, vendorData string) {
		fields := client.EnrolFields{"vendor_data": vendorData}
		if _, err := s.client(bootstrapKey).Enrol(t.Context(), facetest.Photograph(t, photograph), fields); err != nil {
			t.Fatal(err)
		}
	}
	enrol("obama.jpg", "one")
	enrol("obama2.jpg", "two <b>")
	enrol("biden.jpg", "other")
	folder := t.TempDir()
	file := func(name string) string { return filepath.Join(folder, name) }
	got := duplicates("--fresh", "--similarity", "85", "--csv", file("pairs.csv"), "--json", file("groups.json"), "--html", file("page.html"))
	got.ended(t, 0, "3 sessions compared with each other: 1 pairs are at least 85 % similar, in 1 groups")
	if lines := strings.Split(strings.TrimSpace(got.out), "\n"); len(lines) != 2 || !strings.Contains(lines[1], "one") || !strings.Contains(lines[1], "two <b>") {
		t.Errorf("%s", got.out)
	}
	table, err := os.Open(file("pairs.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	lines, err := csv.NewReader(table).ReadAll()
	if err != nil || len(lines) != 2 || len(lines[0]) != 13 || lines[1][5] != "one" || lines[1][10] != "two <b>" || lines[1][2] != "false" {
		t.Errorf("%v: %q", err, lines)
	}
	var groups client.DuplicatesAnswer
	if data, err := os.ReadFile(file("groups.json")); err != nil || json.Unmarshal(data, &groups) != nil || len(groups.Results) != 1 || len(groups.Results[0].People) != 2 {
		t.Errorf("%v: %+v", err, groups)
	}
	page, err := os.ReadFile(file("page.html"))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(page); strings.Count(text, `<img src="data:image/jpeg;base64,`) != 2 || !strings.Contains(text, "two &lt;b&gt;") || strings.Contains(text, "<b>") || strings.Contains(text, "://") {
		t.Errorf("the page:\n%.9000s", text)
	}
	if got := duplicates("--similarity", "85", "--csv", "-"); strings.Count(got.out, "\n") != 2 || !strings.HasPrefix(got.out, "group,") {
		t.Errorf("%s", got.out)
	}
	duplicates("--similarity", "0.5").ended(t, 1, "similarity is")
}

// TestDuplicatesBegunAnew: a server that is killed and started again meanwhile compares anew.
func TestDuplicatesBegunAnew(t *testing.T) {
	const killed = "killed"
	answer := func(status string, started, examined, pairs, count int, results string) string {
		return fmt.Sprintf(`{"status": %q, "similarity_percentage": 90, "started_at": "2025-06-10T10:30:%02dZ",
			"sessions_examined": %d, "sessions_total": 900, "total_pairs": %d, "count": %d, "results": [%s]}`, status, started, examined, pairs, count, results)
	}
	for name, each := range map[string]struct {
		answers []string
		status  int
		words   string
	}{
		"OK it goes on": {[]string{
			answer("running", 0, 512, 0, 0, ""), killed, killed, answer("running", 9, 0, 0, 0, ""), answer("done", 9, 900, 1, 1, `{"people": [], "pairs": []}`),
		}, 0, "900 sessions compared with each other: 1 pairs"},
		"OK between pages": {[]string{
			answer("done", 0, 900, 300, 201, ""), killed, answer("running", 9, 0, 0, 0, ""), answer("done", 9, 900, 300, 201, ""),
		}, 0, "300 pairs are at least 90 % similar, in 201 groups"},
		"Err between pages": {[]string{
			answer("done", 0, 900, 300, 201, ""), answer("done", 9, 900, 299, 201, ""),
		}, 1, "found others: run this again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				text := each.answers[min(int(asked.Add(1)), len(each.answers))-1]
				if text == killed {
					panic(http.ErrAbortHandler)
				}
				io.WriteString(w, text)
			}))
			defer server.Close()
			got := run(t, withKey("some-key"), "duplicates", "--server", server.URL)
			got.ended(t, each.status, each.words)
			if int(asked.Load()) != len(each.answers) {
				t.Errorf("asked %d times, not %d", asked.Load(), len(each.answers))
			}
		})
	}
}
