package bench

import (
	"context"
	"fmt"
)

// ChurnShare of the gallery is removed, and as much added, before an index is measured again.
const ChurnShare = 0.2

// noMate marks a probe of somebody who is not in the gallery.
const noMate = -1

// A Probe is a template to search for.
type Probe struct {
	Vector []float32
	Mate   int // key of the same person's template in the gallery, or noMate
}

// Data is what one run measures with. The key of a row is its number.
type Data struct {
	Name    string
	Dim     int
	Vectors []float32   // the gallery, row after row
	Fresh   [][]float32 // added by the churn
	Probes  []Probe
	Tuning  []Probe // for choosing parameters of approximate engines, so that they do not know the probes
}

// Rows is the size of the gallery.
func (d *Data) Rows() int { return len(d.Vectors) / d.Dim }

// tuningShare of the probes of each kind are made in addition, for Data.Tuning.
const tuningShare = 4

// Synthetic makes up a gallery of n people with one template each, probes pictures of others of its people, and probes
// pictures of strangers.
func Synthetic(ctx context.Context, seed uint64, n, dim, probes int, progress Progress) (*Data, error) {
	faces := NewFaces(seed, dim)
	data := &Data{Name: fmt.Sprintf("synthetic, seed %d", seed), Dim: dim, Vectors: make([]float32, 0, n*dim)}
	mates := min(probes+probes/tuningShare, n)
	var mated []Probe
	for i := range n {
		person := faces.Person()
		data.Vectors = append(data.Vectors, faces.Template(person)...)
		// Evenly spread: a graph serves those that were added first better than others.
		if (i+1)*mates/n > i*mates/n {
			mated = append(mated, Probe{faces.Template(person), i})
		}
		if i%4096 == 0 {
			progress("making up templates", i, n)
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
		}
	}
	for i, probe := range mated {
		if i%(tuningShare+1) == tuningShare {
			data.Tuning = append(data.Tuning, probe)
		} else {
			data.Probes = append(data.Probes, probe)
		}
	}
	for range probes {
		data.Probes = append(data.Probes, Probe{faces.Template(faces.Person()), noMate})
	}
	for range probes / tuningShare {
		data.Tuning = append(data.Tuning, Probe{faces.Template(faces.Person()), noMate})
	}
	for range int(ChurnShare * float64(n)) {
		data.Fresh = append(data.Fresh, faces.Template(faces.Person()))
	}
	return data, nil
}
