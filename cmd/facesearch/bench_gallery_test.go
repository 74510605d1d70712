package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"facesearch/pkg/bench"
)

func TestBenchGallery(t *testing.T) {
	page := filepath.Join(t.TempDir(), "a.html")
	flags := []string{"bench", "gallery", "--n", "300,600", "--probes", "20", "--k", "3", "--html", page}
	got := run(t, nil, append(flags, "--json", "-")...)
	got.ended(t, 0)
	var report bench.GalleryReport
	if err := json.Unmarshal([]byte(got.out), &report); err != nil || len(report.Runs) != 2 {
		t.Fatalf("%d runs, %v", len(report.Runs), err)
	}
	for _, run := range report.Runs {
		if len(run.Engines) != 1 || run.Probes != 40 {
			t.Fatalf("%d galleries, %d probes", len(run.Engines), run.Probes)
		}
		bolt := run.Engines[0]
		for what, share := range map[string]*float64{"radius": bolt.RadiusRecall, "nearest": bolt.Recall1, "nearest 3": bolt.RecallK} {
			if share == nil || *share != 1 {
				t.Errorf("%d people: the recall of the %s is not 1", run.N, what)
			}
		}
		if bolt.WrongTotals != 0 || bolt.ExactAnswers != 40 || bolt.RadiusNeighbours < 5 || bolt.Within.P50 <= 0 || bolt.Nearest.P99 <= 0 || bolt.Enrol.P50 <= 0 || bolt.EnrolPerSecond <= 0 {
			t.Errorf("%+v", bolt)
		}
	}
	if html, err := os.ReadFile(page); err != nil || !strings.Contains(string(html), "recall@3") {
		t.Errorf("%v", err)
	}
	table := run(t, nil, flags...)
	table.ended(t, 0)
	if !strings.Contains(table.out, "bolt exact") || !strings.Contains(table.out, "600 people") {
		t.Error(table.out)
	}
	run(t, nil, "bench", "gallery", "--n", "5").ended(t, 1, "a gallery of 5")
	run(t, nil, "bench", "gallery", "--opensearch-home", "nowhere").ended(t, 1, "nowhere")
}
