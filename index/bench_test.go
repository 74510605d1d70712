package index_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viterin/vek/vek32"

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

// radiusAuto is that of the similarity which lets 0.1 stranger pass in a search of so many people.
func radiusAuto(n int) float64 {
	if n >= 1_000_000 {
		return 0.345
	}
	return 0.39
}

// measure runs a search for probe after probe. Beside the mean it reports the median, and from the counts of the index how
// much memory a search reads and how fast; a search that is alone may use as many threads as said.
func measure(b *testing.B, name string, x *index.Exact, threads int, probes [][]float32, search func(probe []float32) error) {
	b.Run(fmt.Sprintf("%s threads=%d", name, threads), func(b *testing.B) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		var times []time.Duration
		before := x.Stats()
		for i := 0; b.Loop(); i++ {
			start := time.Now()
			if err := search(probes[i%len(probes)]); err != nil {
				b.Fatal(err)
			}
			times = append(times, time.Since(start))
		}
		slices.Sort(times)
		bytes := float64(x.Stats().BytesRead - before.BytesRead)
		b.ReportMetric(times[len(times)/2].Seconds()*1e6, "p50-µs")
		b.ReportMetric(bytes/float64(b.N), "bytes/op")
		b.ReportMetric(bytes/b.Elapsed().Seconds()/1e9, "GB/s")
	})
}

// BenchmarkExact has two peers in the same run: a plain scan with vek32, and how fast memory can be read at all.
func BenchmarkExact(b *testing.B) {
	ctx, cores := context.Background(), runtime.GOMAXPROCS(0)
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		if n > 100_000 && testing.Short() {
			continue
		}
		keys, vectors, mates := newFaces(1).gallery(n, 500)
		_, strangers, _ := newFaces(2).gallery(500, 0)
		x := index.NewExact(dimFace)
		if err := x.PutAll(keys, vectors); err != nil {
			b.Fatal(err)
		}
		for _, threads := range []int{1, cores} {
			for who, probes := range map[string][][]float32{"mates": mates, "strangers": strangers} {
				name := fmt.Sprintf("n=%d %s", n, who)
				measure(b, "Within auto "+name, x, threads, probes, func(probe []float32) error {
					_, err := x.Within(ctx, probe, radiusAuto(n), 10)
					return err
				})
				measure(b, "Within 0.5 "+name, x, threads, probes, func(probe []float32) error {
					_, err := x.Within(ctx, probe, 0.5, 10)
					return err
				})
				measure(b, "Nearest 1 "+name, x, threads, probes, func(probe []float32) error {
					_, err := x.Nearest(ctx, probe, 1)
					return err
				})
			}
		}
		benchmarkAllAtOnce(b, x, n, mates)
		benchmarkPlain(b, n, vectors, mates)
	}
}

// benchmarkAllAtOnce has a search on every core at the same time: the time is one core's share.
func benchmarkAllAtOnce(b *testing.B, x *index.Exact, n int, probes [][]float32) {
	b.Run(fmt.Sprintf("Within auto n=%d many at once", n), func(b *testing.B) {
		var next atomic.Int64
		before := x.Stats().BytesRead
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				probe := probes[int(next.Add(1))%len(probes)]
				if _, err := x.Within(context.Background(), probe, radiusAuto(n), 10); err != nil {
					b.Error(err)
				}
			}
		})
		b.ReportMetric(float64(x.Stats().BytesRead-before)/b.Elapsed().Seconds()/1e9, "GB/s")
	})
}

// benchmarkPlain is the simplest exact scan, in float32 by AVX2, and a plain sum over the same memory.
func benchmarkPlain(b *testing.B, n int, vectors, probes [][]float32) {
	flat := slices.Concat(vectors...)
	b.Run(fmt.Sprintf("vek32 n=%d threads=1", n), func(b *testing.B) {
		b.SetBytes(int64(4 * len(flat)))
		for i := 0; b.Loop(); i++ {
			probe, total := probes[i%len(probes)], 0
			for at := 0; at < len(flat); at += dimFace {
				if float64(vek32.Distance(flat[at:at+dimFace], probe)) <= radiusAuto(n) {
					total++
				}
			}
			runtime.KeepAlive(total)
		}
	})
	b.Run(fmt.Sprintf("memory n=%d threads=1", n), func(b *testing.B) {
		b.SetBytes(int64(4 * len(flat)))
		for b.Loop() {
			runtime.KeepAlive(vek32.Sum(flat))
		}
	})
}

func BenchmarkExactPut(b *testing.B) {
	const n = 100_000
	keys, vectors, _ := newFaces(1).gallery(n, 0)
	perVector := func(b *testing.B) {
		b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(b.N)/n, "µs/vector")
	}
	b.Run("PutAll", func(b *testing.B) {
		for b.Loop() {
			x := index.NewExact(dimFace)
			if err := x.PutAll(keys, vectors); err != nil {
				b.Fatal(err)
			}
		}
		perVector(b)
	})
	b.Run("Put", func(b *testing.B) {
		for b.Loop() {
			putEach(b, index.NewExact(dimFace), keys, vectors)
		}
		perVector(b)
	})
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
