package index_test

import (
	"context"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"facesearch/index"
)

// churnVariable is the environment variable that says how long TestExactLongChurn goes on, such as 10m.
const churnVariable = "FACESEARCH_CHURN"

// TestExactLongChurn lets 8 goroutines add, remove, replace and search templates at once, many more than there are rows
// of codes at first, so that codes and axes are remade beside them. Three things are held:
//
//   - what nobody changes is found by every search around it, with its distance;
//   - a hit among what changes has a distance that its key had at some time;
//   - in the end, the answers are those of an oracle, and the memory is what it was after the first quarter.
func TestExactLongChurn(t *testing.T) {
	lasts := 3 * time.Second
	if given := os.Getenv(churnVariable); given != "" {
		var err error
		if lasts, err = time.ParseDuration(given); err != nil {
			t.Fatal(err)
		}
	}
	c := newChurner(t)
	started := time.Now()
	var heapEarly uint64
	for quarter := range 4 {
		c.run(t, started.Add(lasts*time.Duration(quarter+1)/4), int64(quarter+1)*churnSearchesMin/4, int64(quarter+1)*churnChangesMin/4)
		c.requireOracle(t)
		heap := heapInUse()
		if quarter == 0 {
			heapEarly = heap
		} else if heap > heapEarly+heapEarly/4+16<<20 {
			t.Errorf("the heap grew from %d to %d MB", heapEarly>>20, heap>>20)
		}
	}
	t.Logf("%d searches, %d changes in %v, heap %d MB", c.searches.Load(), c.changes.Load(), time.Since(started), heapInUse()>>20)
}

const (
	churnWorkers  = 8
	churnKeys     = 1500 // that each worker adds, removes and replaces
	churnVersions = 4    // of what a key may hold
	churnStill    = 400  // people that nobody changes
	churnRadius   = 0.75 // holds some of the strangers

	// However slow the machine is, there are so many.
	churnSearchesMin = 100
	churnChangesMin  = 1000
)

type churner struct {
	exact             *index.Exact
	made              [][churnVersions][]float32 // by key
	still             [][]float32                // under the keys after those
	stored            []oracle                   // by worker, its own keys
	searches, changes atomic.Int64
}

func newChurner(t *testing.T) *churner {
	c := &churner{exact: index.NewExact(dimFace), made: make([][churnVersions][]float32, churnWorkers*churnKeys)}
	faces := newFaces(11)
	for key := range c.made {
		for version := range churnVersions {
			c.made[key][version] = faces.picture(faces.person())
		}
	}
	for range churnStill {
		c.still = append(c.still, faces.picture(faces.person()))
	}
	for i, vector := range c.still {
		if err := c.exact.Put(c.stillKey(i), vector); err != nil {
			t.Fatal(err)
		}
	}
	for range churnWorkers {
		c.stored = append(c.stored, oracle{})
	}
	return c
}

func (c *churner) stillKey(i int) uint64 { return uint64(len(c.made) + i) }

// run lets the workers go on until a time, and until there were so many searches and changes since the beginning.
func (c *churner) run(t *testing.T, until time.Time, searches, changes int64) {
	var group sync.WaitGroup
	for worker := range churnWorkers {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), uint64(until.UnixNano())))
			for (time.Now().Before(until) || c.searches.Load() < searches || c.changes.Load() < changes) && !t.Failed() {
				if random.IntN(20) == 0 {
					c.search(t, random)
				} else {
					c.change(t, worker, random)
				}
			}
		})
	}
	group.Wait()
}

func (c *churner) change(t *testing.T, worker int, random *rand.Rand) {
	key := uint64(worker*churnKeys + random.IntN(churnKeys))
	mine := c.stored[worker]
	_, there := mine[key]
	c.changes.Add(1)
	if there && random.IntN(3) == 0 {
		if !c.exact.Delete(key) {
			t.Errorf("key %d was not there to delete", key)
		}
		delete(mine, key)
		return
	}
	mine[key] = c.made[key][random.IntN(churnVersions)]
	if err := c.exact.Put(key, mine[key]); err != nil {
		t.Error(err)
	}
}

// search looks around somebody who is never changed.
func (c *churner) search(t *testing.T, random *rand.Rand) {
	probe := c.still[random.IntN(len(c.still))]
	got, err := c.exact.Within(context.Background(), probe, churnRadius, len(c.made)+len(c.still))
	if err != nil {
		t.Error(err)
		return
	}
	c.searches.Add(1)
	if got.Total != len(got.Hits) {
		t.Errorf("%d hits of a total of %d", len(got.Hits), got.Total)
	}
	found := map[uint64]float64{}
	for _, hit := range got.Hits {
		found[hit.Key] = hit.Distance
		if hit.Key >= uint64(len(c.made)) {
			continue
		}
		known := false
		for _, version := range c.made[hit.Key] {
			known = known || oracle{0: version}.all(probe)[0].Distance == hit.Distance
		}
		if !known {
			t.Errorf("key %d was never at distance %v", hit.Key, hit.Distance)
		}
	}
	for i, vector := range c.still {
		distance := oracle{0: vector}.all(probe)[0].Distance
		if at, ok := found[c.stillKey(i)]; ok != (distance <= churnRadius) || ok && at != distance {
			t.Errorf("key %d at %v: found %v, at %v", c.stillKey(i), distance, ok, at)
		}
	}
}

// requireOracle compares with what is stored, while nobody changes it.
func (c *churner) requireOracle(t *testing.T) {
	t.Helper()
	stored := oracle{}
	for i, vector := range c.still {
		stored[c.stillKey(i)] = vector
	}
	for _, mine := range c.stored {
		for key, vector := range mine {
			stored[key] = vector
		}
	}
	if c.exact.Len() != len(stored) {
		t.Fatalf("%d rows instead of %d", c.exact.Len(), len(stored))
	}
	for _, probe := range c.still[:8] {
		all := stored.all(probe)
		want := within(all, churnRadius)
		got, err := c.exact.Within(context.Background(), probe, churnRadius, len(all))
		if err != nil {
			t.Fatal(err)
		}
		nearest, err := c.exact.Nearest(context.Background(), probe, 20)
		if err != nil {
			t.Fatal(err)
		}
		if got.Total != len(want) || !equalHits(got.Hits, want) || !equalHits(nearest.Hits, all[:20]) {
			t.Fatalf("%d hits instead of %d, or not the same", len(got.Hits), len(want))
		}
	}
}

func equalHits(a, b []index.Hit) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC() // what had finalizers is gone after the second
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
