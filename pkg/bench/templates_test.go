package bench_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"facesearch/pkg/bench"
)

func written(t *testing.T, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func packed(t *testing.T, text string) []byte {
	var buffer bytes.Buffer
	writer := gzip.NewWriter(&buffer)
	if _, err := writer.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

func TestReadTemplates(t *testing.T) {
	const table = "x0,person,x1\n1,anna,2\n3,ben,4\n5,anna,6\n"
	t.Run("OK CSV", func(t *testing.T) {
		for _, file := range []string{written(t, "a.csv", []byte(table)), written(t, "a.csv.gz", packed(t, table))} {
			templates, err := bench.ReadTemplates(file, 128)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(templates.Dim, templates.People); got != "2 [[[1 2] [5 6]] [[3 4]]]" {
				t.Error(got)
			}
		}
	})
	t.Run("OK raw", func(t *testing.T) {
		var raw []byte
		for i := range 6 {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(i)))
		}
		templates, err := bench.ReadTemplates(written(t, "a.f32", raw), 3)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(templates.People); got != "[[[0 1 2]] [[3 4 5]]]" {
			t.Error(got)
		}
		if _, err := bench.ReadTemplates(written(t, "a.f32", raw[:23]), 3); err == nil {
			t.Error("half a row was taken")
		}
	})
	for name, text := range map[string]string{
		"Err empty": "", "Err no person": "x0,x1\n1,2\n", "Err only a heading": "person,x0\n",
		"Err no number": "person,x0\na,b\n", "Err NaN": "person,x0\na,NaN\n", "Err too large": "person,x0\na,1e99\n",
		"Err short row": "person,x0,x1\na,1\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := bench.ReadTemplates(written(t, "a.csv", []byte(text)), 2); err == nil {
				t.Error("taken")
			}
		})
	}
}

func TestTemplatesData(t *testing.T) {
	var text strings.Builder
	text.WriteString("person,x0\n")
	for person := range 100 {
		for picture := range 2 {
			fmt.Fprintf(&text, "%d,%d.%d\n", person, person, picture)
		}
	}
	templates, err := bench.ReadTemplates(written(t, "a.csv", []byte(text.String())), 1)
	if err != nil {
		t.Fatal(err)
	}
	data, err := templates.Data(1, 60, 20)
	if err != nil {
		t.Fatal(err)
	}
	enrolled := map[int]bool{}
	for _, x := range data.Vectors {
		enrolled[int(x)] = true
	}
	strangers := 0
	for _, probe := range data.Probes {
		person := int(probe.Vector[0])
		if probe.Mate < 0 {
			strangers++
			if enrolled[person] {
				t.Errorf("stranger %d is in the gallery", person)
			}
		} else if int(data.Vectors[probe.Mate]) != person {
			t.Errorf("the mate of %d is %v", person, data.Vectors[probe.Mate])
		}
	}
	if data.Rows() != 60 || len(enrolled) != 60 || strangers != 10 || len(data.Probes) != 30 || len(data.Fresh) != 12 || len(data.Tuning) == 0 {
		t.Errorf("%d rows of %d people, %d probes, %d strangers, %d fresh", data.Rows(), len(enrolled), len(data.Probes), strangers, len(data.Fresh))
	}
	if all, err := templates.Data(1, 1e6, 20); err != nil || all.Rows() != 90 || len(all.Fresh) != 0 {
		t.Errorf("all of them: %v", err)
	}
}
