package index

import (
	"math"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
)

// cutoff is the largest sum of table entries of a row that may be in the answer.
const cutoff = 254

// slackRadius is how much larger than need be the radius may be that tables were made for.
const slackRadius = 1.01

// crowd is the share of rows, one in so many, that the first tier may leave before the second is read too: a row costs
// in the second pass about as much as so many do there.
const crowd = 24

// worker is what one goroutine needs for its part of a search.
type worker struct {
	*search
	best   ranking
	total  int
	err    error
	buffer []uint32 // candidates of a page: row in the lower 16 bits, sum of table entries above
	lenses []*lens

	// promising are rows to begin with, those of a sum above cutoff being of no interest any more.
	promising []promising
	cutoff    uint32

	work struct{ near, far, exact int } // rows looked at
}

var workers = sync.Pool{New: func() any { return &worker{buffer: make([]uint32, pageRows)} }}

func newWorker(s *search) *worker {
	w := workers.Get().(*worker)
	w.search, w.best, w.total, w.err, w.cutoff = s, ranking{limit: s.limit}, 0, nil, cutoff
	return w
}

func (w *worker) release() {
	w.index.work.add(w)
	clear(w.lenses)
	w.search, w.best, w.lenses, w.promising = nil, ranking{}, w.lenses[:0], w.promising[:0]
	w.work.near, w.work.far, w.work.exact = 0, 0, 0
	workers.Put(w)
}

// candidates are the rows of a page that may be within the radius. They are valid until the next call.
func (w *worker) candidates(c *codes, rows int, radius float64) []uint32 {
	if c == nil {
		w.work.exact += rows
		return w.all(rows)
	}
	l := w.lens(c.axes)
	list := w.near(c, l, rows, radius)
	w.work.far += len(list)
	list = list[:fastest.far(c.far, c.slack, l.far, l.farUnit, l.farReach(radius), list)]
	w.work.exact += len(list)
	return list
}

// near is the first pass. It reads both tiers when the first does not leave few enough.
func (w *worker) near(c *codes, l *lens, rows int, radius float64) []uint32 {
	first, both := &l.tiers[0], &l.tiers[1]
	if l.aim(0, radius); first.blind {
		return w.all(rows)
	}
	if radius < l.crowded {
		w.work.near += rows
		list := w.buffer[:fastest.near(c.near[0], nil, rows, &first.tables, cutoff, w.buffer)]
		if len(list)*crowd <= rows || len(l.far) <= tierAxes {
			return appendWild(list, c.wild)
		}
		l.crowded = radius
	}
	if l.aim(1, radius); both.blind {
		return w.all(rows)
	}
	w.work.near += tiers * rows
	list := w.buffer[:fastest.near(c.near[0], c.near[1], rows, &both.tables, cutoff, w.buffer)]
	return appendWild(list, c.wild)
}

func (w *worker) all(rows int) []uint32 {
	for row := range rows {
		w.buffer[row] = uint32(row)
	}
	return w.buffer[:rows]
}

// appendWild adds the rows of class wild, which no table lets pass, so that there is room for them.
func appendWild(list []uint32, wild []uint64) []uint32 {
	for group, set := range wild {
		for ; set != 0; set &= set - 1 {
			list = append(list, uint32(group*groupRows+bits.TrailingZeros64(set)))
		}
	}
	return list
}

// promising is a row by its sum of table entries.
type promising struct {
	sum uint32
	row int
}

// promise looks for the rows of a page that seem nearest, of all those looked at.
func (w *worker) promise(p int) {
	c, rows := w.index.pages[p].codes, w.index.pageLen(p)
	if c == nil {
		return
	}
	l := w.lens(c.axes)
	first := &l.tiers[0]
	if first.aim(l, 0, c.axes.spread/2, 0); first.blind { // rows farther than most are of no interest
		return
	}
	want := max(seeds, w.limit+w.limit/4)
	w.work.near += rows
	for _, candidate := range w.buffer[:fastest.near(c.near[0], nil, rows, &first.tables, byte(w.cutoff), w.buffer)] {
		w.promising = append(w.promising, promising{sum: candidate >> 16, row: p*pageRows + int(candidate&rowMask)})
		if len(w.promising) == 2*want {
			slices.SortFunc(w.promising, func(a, b promising) int { return int(a.sum) - int(b.sum) })
			w.promising = w.promising[:want]
			w.cutoff = min(w.cutoff, w.promising[want-1].sum)
		}
	}
}

// lens is the probe as seen in some axes. There are two in a search at most, while new axes are brought in.
func (w *worker) lens(a *axes) *lens {
	for _, l := range w.lenses {
		if l.axes == a {
			return l
		}
	}
	l := newLens(a, w.probe)
	w.lenses = append(w.lenses, l)
	return l
}

type lens struct {
	axes       *axes
	projection [slots]float32
	error      float64 // bound of the distance to the true projection

	tiers   [tiers]tables
	crowded float64 // radius from which on the first tier leaves too many rows

	far         []int8
	farUnit     float64 // squared step of the far codes, a little less
	farResidual float64 // bound of the distance of the probe to what far stands for
}

func newLens(a *axes, probe []float32) *lens {
	l := &lens{axes: a, far: make([]int8, len(probe)), crowded: math.Inf(1)}
	for t := range l.tiers {
		l.tiers[t].radius, l.tiers[t].blind = math.Inf(1), true
	}
	var norm float64
	norm, l.farResidual = a.far(probe, l.far)
	l.farUnit = a.farStep * a.farStep * (1 - margin)
	fastest.project(probe, a.mean, a.basis, l.projection[:])
	l.error = a.projectionError(norm)
	for _, p := range l.projection {
		l.error += 0 * float64(p) // NaN for an overflow, and so is all that follows from it
	}
	return l
}

// farReach bounds what codes that stand exactly for their vectors may be away from those of the probe.
func (l *lens) farReach(radius float64) float64 {
	return (radius + l.farResidual) * (1 + margin)
}

// tables are for up to a tier. The last one has the classes.
type tables struct {
	radius float64 // they are for
	blind  bool    // they are of no use, for numbers too large
	tables [tablesBytes]byte
}

// aim makes the tables of a tier for a radius. Those of a radius a little larger are as good.
func (l *lens) aim(tier int, radius float64) {
	t := &l.tiers[tier]
	if radius <= t.radius && radius*slackRadius >= t.radius {
		return
	}
	t.radius = radius
	reach := l.axes.stretch*radius*(1+margin) + l.error // T, but for the bound of the class
	widest := reach + l.axes.bounds[tier][classes-1]
	t.aim(l, tier, widest*widest, reach)
}

// aim makes tables for T², see Exact. The classes are left out when reach is 0, as nothing is to be proven then.
func (t *tables) aim(l *lens, tier int, squared, reach float64) {
	const most = 1e300
	unit := cutoff / squared * (1 - margin)
	if t.blind = !(squared < most && unit < most); t.blind {
		return
	}
	for j := range (tier + 1) * tierSlots {
		p := float64(l.projection[j])
		for k, level := range &l.axes.level[j] {
			t.tables[j*levels+k] = byte(min(unit*(p-level)*(p-level), 255))
		}
	}
	for slot := tierAxes; slot < (tier+1)*tierSlots; slot += tierSlots {
		clear(t.tables[slot*levels:][:levels])
		t.tables[slot*levels+wild] = 255
	}
	if reach == 0 {
		return
	}
	widest := l.axes.bounds[tier][classes-1]
	for k, bound := range l.axes.bounds[tier] {
		t.tables[(tier*tierSlots+tierAxes)*levels+k] = byte(min(unit*(widest-bound)*(2*reach+widest+bound), 255))
	}
}

// work counts rows looked at, by pass, since the index was made.
type work struct {
	searches, near, far, exact atomic.Int64
}

func (t *work) add(w *worker) {
	t.near.Add(int64(w.work.near))
	t.far.Add(int64(w.work.far))
	t.exact.Add(int64(w.work.exact))
}
