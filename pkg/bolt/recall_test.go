package bolt

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"facesearch/index"
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
