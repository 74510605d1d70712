package main_test

import (
	"encoding/json"
	"testing"

	"facesearch/pkg/bench"
	"facesearch/pkg/facetest"
)

func TestBenchDetect(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, map[string][]byte{"obama.jpg": facetest.JPEG(t, facetest.Image(t, "obama.jpg", 400))})
	command := []string{"bench", "detect", folder, "--models", facetest.Models(t)}
	t.Run("OK", func(t *testing.T) {
		got := run(t, nil, append(command, "--kind", "as it is", "--kind", "sunglasses", "--json")...)
		got.ended(t, 0)
		var rows []bench.DetectRow
		if err := json.Unmarshal([]byte(got.out), &rows); err != nil || len(rows) != 2 {
			t.Fatalf("%v: %s", err, got.out)
		}
		if good := rows[0]; good.Pictures != 1 || good.Ways[0].Largest != 1 || len(good.Ways) != 3 || good.Judged != 1 || good.Flagged != 0 {
			t.Errorf("%+v, want a good face", good)
		}
		if covered := rows[1]; covered.Ways[0].Largest != 1 || covered.Reasons["partly_covered"] != 1 {
			t.Errorf("%+v, want a covered face", covered)
		}
	})
	t.Run("ErrKind", func(t *testing.T) {
		run(t, nil, append(command, "--kind", "invisible")...).ended(t, 1, "no kind of copy")
	})
	t.Run("ErrEvery", func(t *testing.T) {
		run(t, nil, append(command, "--every", "0")...).ended(t, 1, "--every is")
	})
}
