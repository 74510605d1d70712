package bench

import (
	"context"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"facesearch/index"
)

// A gallery is what an index is expected to hold.
type gallery struct {
	dim   int
	keys  []uint64 // by row
	flat  []float32
	rowOf []int // by key; -1: not there
}

func newGallery(data *Data) *gallery {
	g := &gallery{dim: data.Dim, flat: data.Vectors}
	for row := range data.Rows() {
		g.keys = append(g.keys, uint64(row))
		g.rowOf = append(g.rowOf, row)
	}
	return g
}

func (g *gallery) row(i int) []float32 { return g.flat[i*g.dim : (i+1)*g.dim : (i+1)*g.dim] }

func (g *gallery) holds(key int) bool { return key >= 0 && key < len(g.rowOf) && g.rowOf[key] >= 0 }

// distance is the definition that index gives: float64, in the order of the components.
func distance(a, b []float32) float64 {
	sum := 0.0
	for i, x := range a {
		d := float64(x) - float64(b[i])
		sum += float64(d * d)
	}
	return math.Sqrt(sum)
}

// A truth is the answer to one probe.
type truth struct {
	nearest []float64 // distances of the nearest neighbours, ascending
	within  int       // neighbours within the radius
}

// probesAtOnce share one pass of the oracle. Each sum stays in its order, the four of them hide each other's latency.
const probesAtOnce = 4

// oracle compares every probe with every row in float64, on all cores.
func (g *gallery) oracle(ctx context.Context, probes []Probe, k int, radius float64, progress Progress) ([]truth, error) {
	truths := make([]truth, len(probes))
	var next, done atomic.Int64
	var group sync.WaitGroup
	for range runtime.NumCPU() {
		group.Go(func() {
			for ctx.Err() == nil {
				end := int(next.Add(probesAtOnce))
				begin := end - probesAtOnce
				if begin >= len(probes) {
					return
				}
				end = min(end, len(probes))
				g.answer(ctx, probes[begin:end], truths[begin:end], k, radius)
				progress("finding the true neighbours", int(done.Add(int64(end-begin))), len(probes))
			}
		})
	}
	group.Wait()
	return truths, context.Cause(ctx)
}

// answer fills in the truths of up to probesAtOnce probes.
func (g *gallery) answer(ctx context.Context, probes []Probe, truths []truth, k int, radius float64) {
	var p [probesAtOnce][]float32
	for i := range p {
		p[i] = probes[min(i, len(probes)-1)].Vector
	}
	for row := range g.keys {
		if row%65536 == 0 && ctx.Err() != nil {
			return
		}
		var sums [probesAtOnce]float64
		a, b, c, d := p[0][:g.dim], p[1][:g.dim], p[2][:g.dim], p[3][:g.dim]
		for i, component := range g.row(row) {
			x := float64(component)
			da, db, dc, dd := float64(a[i])-x, float64(b[i])-x, float64(c[i])-x, float64(d[i])-x
			sums[0] += float64(da * da)
			sums[1] += float64(db * db)
			sums[2] += float64(dc * dc)
			sums[3] += float64(dd * dd)
		}
		for i := range truths {
			truths[i].add(math.Sqrt(sums[i]), k, radius)
		}
	}
}

func (t *truth) add(d float64, k int, radius float64) {
	if d <= radius {
		t.within++
	}
	if len(t.nearest) == k && d >= t.nearest[k-1] {
		return
	}
	at, _ := slices.BinarySearch(t.nearest, d)
	t.nearest = slices.Insert(t.nearest, at, d)
	if len(t.nearest) > k {
		t.nearest = t.nearest[:k]
	}
}

// distanceSlack is how far, relatively, a distance reported may be from the true one.
const distanceSlack = 1e-5

// check counts the hits that are different rows of the gallery within distanceMax of the probe, and those that are wrong:
// not stored, named twice, or reported at another distance.
func (g *gallery) check(probe []float32, hits []index.Hit, distanceMax float64) (right, wrong int) {
	seen := make(map[uint64]bool, len(hits))
	for _, hit := range hits {
		if hit.Key >= uint64(len(g.rowOf)) || g.rowOf[hit.Key] < 0 || seen[hit.Key] {
			wrong++
			continue
		}
		seen[hit.Key] = true
		d := distance(g.row(g.rowOf[hit.Key]), probe)
		if math.Abs(d-hit.Distance) > distanceSlack*(1+d) {
			wrong++
		} else if d <= distanceMax {
			right++
		}
	}
	return right, wrong
}

// A churn is a change of the gallery: keys that go, and vectors that come under keys not used before.
type churn struct {
	removed []uint64
	after   *gallery
}

// added are the rows of the gallery afterwards that were not in it before.
func (c *churn) added(visit func(key uint64, vector []float32) error) error {
	for row := len(c.after.keys) - len(c.removed); row < len(c.after.keys); row++ {
		if err := visit(c.after.keys[row], c.after.row(row)); err != nil {
			return err
		}
	}
	return nil
}

// newChurn removes ChurnShare of the rows and adds as many. Where the data has not enough fresh templates, removed ones
// come back under other keys.
func newChurn(data *Data, before *gallery) *churn {
	n := len(before.keys)
	random := newRandom(uint64(n))
	order := random.Perm(n)
	count := int(ChurnShare * float64(n))
	c := &churn{after: &gallery{dim: data.Dim, flat: make([]float32, 0, n*data.Dim), rowOf: make([]int, n+count)}}
	gone := make([]bool, n)
	for _, row := range order[:count] {
		gone[row] = true
		c.removed = append(c.removed, uint64(row))
	}
	for i := range c.after.rowOf {
		c.after.rowOf[i] = -1
	}
	put := func(key int, vector []float32) {
		c.after.rowOf[key] = len(c.after.keys)
		c.after.keys = append(c.after.keys, uint64(key))
		c.after.flat = append(c.after.flat, vector...)
	}
	for row := range n {
		if !gone[row] {
			put(row, before.row(row))
		}
	}
	for i := range count {
		if i < len(data.Fresh) {
			put(n+i, data.Fresh[i])
		} else {
			put(n+i, before.row(int(c.removed[i])))
		}
	}
	return c
}
