package index_test

import (
	"context"
	"testing"

	"facesearch/index"
)

// TestSample holds what Stats say of recall against what the answers show.
func TestSample(t *testing.T) {
	const people, searches, every = 2000, 120, 4
	calls := 0
	graph := index.NewHNSW(dimFace, index.HNSWOptions{
		M: 8, SearchK: 40, SampleEvery: every, OnSample: func(stats index.HNSWStats) { calls++ },
	})
	defer graph.Close()
	truth := index.NewExact(dimFace)
	made := newFaces(7)
	var mates [][]float32
	for key := range people {
		person := made.person()
		vector := made.picture(person)
		if key < searches {
			mates = append(mates, made.picture(person))
		}
		for _, x := range []index.Index{graph, truth} {
			if err := x.Put(uint64(key), vector); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := graph.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	if stats := graph.Stats(); stats.Samples != 0 || stats.Recall() != 1 {
		t.Fatalf("before the first search: %+v", stats)
	}
	wanted, found := 0, 0
	for i, probe := range mates {
		got, err := graph.Nearest(context.Background(), probe, 10)
		if err != nil {
			t.Fatal(err)
		}
		if got.Exact {
			t.Fatal("the scan answered, so that nothing was sampled")
		}
		if (i+1)%every != 0 {
			continue
		}
		want, err := truth.Nearest(context.Background(), probe, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, hit := range want.Hits {
			wanted++
			for _, other := range got.Hits {
				if other.Key == hit.Key {
					found++
				}
			}
		}
	}
	stats := graph.Stats()
	if stats.Samples != searches/every || calls != searches/every {
		t.Errorf("%d samples and %d calls, want %d", stats.Samples, calls, searches/every)
	}
	if int(stats.SampledWanted) != wanted || int(stats.SampledFound) != found {
		t.Errorf("%d of %d sampled, the answers themselves named %d of %d", stats.SampledFound, stats.SampledWanted, found, wanted)
	}
	if found == wanted {
		t.Error("a graph this poor found everything: the test shows nothing")
	}
}

// TestSampleNone switches sampling off.
func TestSampleNone(t *testing.T) {
	graph := index.NewHNSW(dimFace, index.HNSWOptions{SearchK: 40, SampleEvery: -1})
	defer graph.Close()
	made := newFaces(8)
	for key := range 500 {
		if err := graph.Put(uint64(key), made.picture(made.person())); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 {
		if _, err := graph.Nearest(context.Background(), made.picture(made.person()), 1); err != nil {
			t.Fatal(err)
		}
	}
	if stats := graph.Stats(); stats.Samples != 0 {
		t.Errorf("%d samples", stats.Samples)
	}
}
