package index_test

import (
	"context"
	"fmt"
	"testing"

	"facesearch/index"
)

// benchmarkSearches measures both searches with probes that have a mate among n people. The radius of 0.45 is that of a
// similarity of 82.
func benchmarkSearches(b *testing.B, x index.Index, n int, mates [][]float32) {
	b.Run(fmt.Sprint("Nearest ", n), func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := x.Nearest(context.Background(), mates[i%len(mates)], 1); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(fmt.Sprint("Within ", n), func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := x.Within(context.Background(), mates[i%len(mates)], 0.45, 10); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkExact(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		keys, vectors, mates := newFaces(1).gallery(n, 500)
		x := index.NewExact(dimFace)
		putEach(b, x, keys, vectors)
		benchmarkSearches(b, x, n, mates)
	}
}

// BenchmarkHNSW reports the recall of Nearest beside the time.
func BenchmarkHNSW(b *testing.B) {
	const n = 10_000
	keys, vectors, mates := newFaces(1).gallery(n, 500)
	h := newHNSW(b, dimFace, index.HNSWOptions{Seed: 1})
	x := index.NewExact(dimFace)
	putEach(b, x, keys, vectors)
	if err := h.PutAll(keys, vectors); err != nil {
		b.Fatal(err)
	}
	if err := h.Rebuild(context.Background()); err != nil {
		b.Fatal(err)
	}
	benchmarkSearches(b, h, n, mates)
	b.Run(fmt.Sprint("Recall ", n), func(b *testing.B) {
		found, asked := 0, 0
		for b.Loop() {
			probe := mates[asked%len(mates)]
			want, err := x.Nearest(context.Background(), probe, 1)
			if err != nil {
				b.Fatal(err)
			}
			got, err := h.Nearest(context.Background(), probe, 1)
			if err != nil {
				b.Fatal(err)
			}
			if got.Hits[0].Key == want.Hits[0].Key {
				found++
			}
			asked++
		}
		b.ReportMetric(float64(found)/float64(asked), "recall@1")
	})
}
