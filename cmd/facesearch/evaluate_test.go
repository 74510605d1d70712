package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"facesearch/pkg/accuracy"
	"facesearch/pkg/facetest"
)

func TestEvaluate(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, map[string][]byte{
		"obama/1.jpg": facetest.Photograph(t, "obama.jpg"), "obama/2.jpg": facetest.Photograph(t, "obama2.jpg"),
		"biden/1.jpg": facetest.Photograph(t, "biden.jpg"), "astronaut.png": facetest.Photograph(t, "astronaut.png"),
		"broken/1.jpg": []byte("no picture"), "notes.txt": []byte("not a picture"),
		"list.csv": []byte("picture,who,cohort\nobama/1.jpg,o,men\nobama/2.jpg,o,men\nbiden/1.jpg,b,men\nastronaut.png,c,women\nastronaut.png,nobody,\nnotes.txt,nobody,\n"),
	})
	evaluate := func(t *testing.T, arguments ...string) (report accuracy.Report) {
		t.Helper()
		got := run(t, nil, append([]string{"evaluate", "--models", facetest.Models(t), "--workers", "2", "--json", "-"}, arguments...)...)
		got.ended(t, 0)
		if err := json.Unmarshal([]byte(got.out), &report); err != nil {
			t.Fatalf("%v: %s", err, got.out)
		}
		return report
	}
	t.Run("OK folder", func(t *testing.T) {
		page := filepath.Join(t.TempDir(), "report.html")
		r := evaluate(t, folder, "--html", page)
		if r.People != 3 || r.Pictures != 4 || r.Mated != 1 || r.Rank1.Rate != 1 || len(r.Failures) != 1 || r.Failures[0].File != filepath.Join("broken", "1.jpg") {
			t.Errorf("%+v", r)
		}
		if len(r.WorstMates) != 1 || r.WorstMates[0].Similarity < 85 || r.WorstMates[0].Similarity > 97 { // obama and obama2
			t.Errorf("%+v", r.WorstMates)
		}
		html, err := os.ReadFile(page)
		if err != nil || strings.Count(string(html), `src="data:image/jpeg;base64,/9j/`) != 2*(1+len(r.WorstStrangers)) {
			t.Errorf("%v: %d pictures for %d pairs", err, strings.Count(string(html), "data:image"), 1+len(r.WorstStrangers))
		}
	})
	t.Run("OK another model", func(t *testing.T) {
		r := evaluate(t, folder, "--embedder", tinyNetwork(t, 16), "--sizes", "100")
		if r.People != 3 || r.Pictures != 4 || len(r.WorstMates) != 1 || r.WorstMates[0].Similarity > 85 || len(r.Sizes) != 1 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("OK CSV", func(t *testing.T) {
		r := evaluate(t, filepath.Join(folder, "list.csv"), "--file-column", "picture", "--person-column", "who", "--nobody", "nobody", "--gallery", "100000")
		if r.People != 3 || r.Empty != 2 || len(r.EmptyFaces) != 1 || r.EmptyFaces[0] != "astronaut.png" || len(r.Failures) != 0 {
			t.Errorf("%+v", r)
		}
		if len(r.Cohorts) != 2 || r.Cohorts[0].Name != "men" || r.Cohorts[0].People != 2 || r.Chosen.Gallery != 100_000 || r.Chosen.Similarity < 90 {
			t.Errorf("%+v, %+v", r.Cohorts, r.Chosen)
		}
	})
	t.Run("OK manifest", func(t *testing.T) {
		described := t.TempDir()
		write(t, described, map[string][]byte{
			"a.jpg": facetest.Photograph(t, "obama.jpg"), "b.jpg": facetest.Photograph(t, "obama2.jpg"), "c.png": facetest.Photograph(t, "astronaut.png"),
			"d.jpg":        facetest.Photograph(t, "biden.jpg"),
			"manifest.csv": []byte("file,identity\na.jpg,o\nb.jpg,o\nc.png,(none)\nd.jpg,b\n"),
		})
		if r := evaluate(t, described); r.People != 2 || r.Pictures != 3 || r.Empty != 1 || len(r.EmptyFaces) != 1 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("OK templates", func(t *testing.T) {
		var table strings.Builder
		table.WriteString("person")
		for i := range 128 {
			table.WriteString(",x" + string(rune('a'+i%26)))
		}
		for _, row := range []string{"anna,1", "ben,2", "anna,1.3"} {
			table.WriteString("\n" + row + strings.Repeat(",0", 127))
		}
		file := filepath.Join(t.TempDir(), "a.csv")
		if err := os.WriteFile(file, []byte(table.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		r := evaluate(t, "--templates", file, "--sizes", "20")
		if r.People != 2 || r.Mated != 1 || r.Rules[0].FNIR.Events != 0 || len(r.Sizes) != 1 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("ErrUsage", func(t *testing.T) {
		run(t, nil, "evaluate").ended(t, 2, "name a folder or a CSV file")
		run(t, nil, "evaluate", folder, "--templates", "x.csv").ended(t, 2, "not both")
		run(t, nil, "evaluate", folder, "--sizes", "0").ended(t, 2, "--sizes")
		run(t, nil, "evaluate", filepath.Join(folder, "nowhere")).ended(t, 1, "nowhere")
		run(t, nil, "evaluate", filepath.Join(folder, "list.csv")).ended(t, 1, "has the columns picture, who, cohort", "--person-column")
		run(t, nil, "evaluate", filepath.Join(folder, "biden"), "--models", facetest.Models(t)).ended(t, 1, "1 people have a usable picture")
	})
}
