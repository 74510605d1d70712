package bench

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Templates of a file, by person in the order of the file.
type Templates struct {
	Name   string
	Dim    int
	People [][][]float32
}

// templateBytesMax bounds what is read of a file, unpacked.
const templateBytesMax = 16 << 30

// ReadTemplates reads a CSV file with a heading (a column person; all others are components), packed with gzip or not, or
// else raw little-endian float32, dim to a row, each row a person.
func ReadTemplates(file string, dim int) (*Templates, error) {
	opened, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	from := bufio.NewReaderSize(opened, 1<<20)
	var unpacked io.Reader = from
	if magic, _ := from.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		if unpacked, err = gzip.NewReader(from); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	unpacked = io.LimitReader(unpacked, templateBytesMax)
	templates := &Templates{Name: filepath.Base(file), Dim: dim}
	if strings.HasSuffix(strings.TrimSuffix(file, ".gz"), ".csv") {
		err = templates.readCSV(unpacked)
	} else {
		err = templates.readRaw(unpacked)
	}
	if err == nil && len(templates.People) == 0 {
		err = errors.New("there are no templates in it")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return templates, nil
}

func (t *Templates) readCSV(from io.Reader) error {
	reader := csv.NewReader(from)
	reader.ReuseRecord = true
	heading, err := reader.Read()
	if err != nil {
		return fmt.Errorf("the heading: %w", err)
	}
	column := -1
	for i, name := range heading {
		if name == "person" {
			column = i
		}
	}
	if column < 0 || len(heading) < 2 {
		return errors.New("the heading has to be person,x0,x1,…")
	}
	t.Dim = len(heading) - 1
	numbers := map[string]int{}
	for row := 1; ; row++ {
		record, err := reader.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		person, vector := record[column], make([]float32, 0, t.Dim)
		for i, text := range record {
			if i == column {
				continue
			}
			value, err := strconv.ParseFloat(text, 32)
			if err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
				return fmt.Errorf("row %d, column %s: %q is not a finite number", row, heading[i], text)
			}
			vector = append(vector, float32(value))
		}
		number, known := numbers[person]
		if !known {
			number = len(t.People)
			numbers[strings.Clone(person)] = number
			t.People = append(t.People, nil)
		}
		t.People[number] = append(t.People[number], vector)
	}
}

func (t *Templates) readRaw(from io.Reader) error {
	row := make([]byte, 4*t.Dim)
	for {
		_, err := io.ReadFull(from, row)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("row %d of %d float32: %w", len(t.People), t.Dim, err)
		}
		vector := make([]float32, t.Dim)
		for i := range vector {
			vector[i] = math.Float32frombits(binary.LittleEndian.Uint32(row[4*i:]))
			if vector[i]-vector[i] != 0 {
				return fmt.Errorf("row %d: component %d is %v", len(t.People), i, vector[i])
			}
		}
		t.People = append(t.People, [][]float32{vector})
	}
}

// strangersShare of the people stay out of the gallery, at least as many as have to.
const strangersShare = 10

// Data makes a gallery of up to n people, with their first templates; their second ones and people who stay out of it are
// the probes. Each run over the same file with the same seed has the same data.
func (t *Templates) Data(seed uint64, n, probes int) (*Data, error) {
	random := rand.New(rand.NewPCG(seed, 1))
	order := random.Perm(len(t.People))
	strangers := order[:min(probes, len(order)/strangersShare)]
	pool := order[len(strangers):]
	n = min(n, len(pool))
	data := &Data{Name: t.Name, Dim: t.Dim}
	for key, person := range pool[:n] {
		pictures := t.People[person]
		data.Vectors = append(data.Vectors, pictures[0]...)
		if len(pictures) < 2 {
			continue
		}
		probe := Probe{pictures[1], key}
		if len(data.Tuning)*tuningShare < len(data.Probes) {
			data.Tuning = append(data.Tuning, probe)
		} else if len(data.Probes) < probes {
			data.Probes = append(data.Probes, probe)
		}
	}
	for _, person := range strangers {
		data.Probes = append(data.Probes, Probe{t.People[person][0], noMate})
	}
	if len(data.Probes) == 0 {
		return nil, fmt.Errorf("%s has too few people to measure with: %d", t.Name, len(t.People))
	}
	if len(data.Tuning) == 0 {
		data.Tuning = data.Probes
	}
	for _, person := range pool[n:min(len(pool), n+int(ChurnShare*float64(n)))] {
		data.Fresh = append(data.Fresh, t.People[person][0])
	}
	return data, nil
}
