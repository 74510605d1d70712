package bench_test

import (
	"testing"
	"time"

	"facesearch/pkg/bench"
)

func TestSpearman(t *testing.T) {
	for _, c := range []struct {
		name string
		x, y []float64
		want float64
	}{
		{"OK same order", []float64{1, 2, 9}, []float64{10, 20, 21}, 1},
		{"OK reverse", []float64{1, 2, 3, 4}, []float64{4, 3, 2, 1}, -1},
		// 1 - 6·Σd²/(n(n²-1)) with d = 1, 1, 1, 1, 0
		{"OK by the formula", []float64{1, 2, 3, 4, 5}, []float64{2, 1, 4, 3, 5}, 0.8},
		// ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: the correlation is 4.5/sqrt(4.5·5)
		{"OK ties", []float64{1, 2, 2, 3}, []float64{1, 2, 3, 4}, 0.9486832980505138},
		{"OK ties on both sides", []float64{1, 1, 2, 2}, []float64{5, 5, 7, 7}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := bench.Spearman(c.x, c.y)
			if got == nil {
				t.Fatal("nothing")
			}
			within(t, "the correlation", *got, c.want, 1e-12)
		})
	}
	for name, pairs := range map[string][2][]float64{
		"OK too few": {{1, 2}, {1, 2}}, "OK all the same": {{1, 1, 1}, {1, 2, 3}}, "OK none": {nil, nil}, "OK unequal": {{1, 2, 3}, {1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := bench.Spearman(pairs[0], pairs[1]); got != nil {
				t.Errorf("%v", *got)
			}
		})
	}
}

func TestPercentile(t *testing.T) {
	var durations bench.Durations
	for i := 100; i > 0; i-- {
		durations = append(durations, time.Duration(i)*time.Millisecond)
	}
	for share, want := range map[float64]float64{0: 1, 0.005: 1, 0.5: 50, 0.9: 90, 0.99: 99, 0.999: 100, 1: 100} {
		within(t, "a percentile", durations.Percentile(share), want, 1e-9)
	}
	if (bench.Durations{}).Percentile(0.5) != 0 {
		t.Error("nothing has a percentile")
	}
}
