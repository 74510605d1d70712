package bolt

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"facesearch/index"
	"facesearch/pkg/face"
)

func TestWatchRecall(t *testing.T) {
	tests := []struct {
		name          string
		found, wanted uint64
		samples       []uint64
		warnings      int
	}{
		{"OK", 95, 100, []uint64{1, 20, 32, 64}, 0},
		{"OK too few to say", 10, 100, []uint64{1, 2, 19}, 0},
		{"ErrFloor at each doubling", 80, 100, []uint64{19, 20, 21, 32, 33, 64, 65}, 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			store := &Store{log: slog.New(slog.NewTextHandler(&log, nil))}
			for _, samples := range test.samples {
				store.watchRecall(index.HNSWStats{Samples: samples, SampledWanted: test.wanted, SampledFound: test.found})
			}
			if got := strings.Count(log.String(), "level=WARN"); got != test.warnings {
				t.Errorf("%d warnings instead of %d:\n%s", got, test.warnings, log.String())
			}
		})
	}
}

// TestStatsRecall: what a graph was found to miss is in the store's figures.
func TestStatsRecall(t *testing.T) {
	graph := index.NewHNSW(1, index.HNSWOptions{M: 4, SearchK: 10, SampleEvery: 1})
	defer graph.Close()
	shard := &shard{approved: graph, blocklisted: index.NewExact(1)}
	for i := range uint64(2000) {
		if err := shard.put(i+1, face.Template{float32(i)}, flagApproved); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		if _, _, err := shard.within(t.Context(), face.Template{float32(10 * i)}, 1.5, 3); err != nil {
			t.Fatal(err)
		}
	}
	var stats face.Stats
	shard.addTo(&stats)
	if want := graph.Stats(); stats.RecallSamples != 5 || stats.RecallSamples != want.Samples || stats.RecallWanted != want.SampledWanted ||
		stats.RecallFound != want.SampledFound || stats.RecallFound == 0 || stats.IndexBytes < 2000*2*512 {
		t.Errorf("%+v, the graph has %+v", stats, want)
	}
}
