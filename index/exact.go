package index

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// blockRows is how many vectors share one allocation: at 128 dimensions 128 KiB, little enough for an application with
// ten faces. It divides pageRows, and groupRows divides it.
const blockRows = 256

// Exact finds neighbours by looking at a few bits of every vector, and at all of the few that this leaves. Its answers are
// those of float64 arithmetic, ties included, and Result.Exact is always true.
//
// # Three passes
//
// Vectors are coded relative to axes: an origin m and 62 directions along which a sample of them differs most. A search
// for all vectors x within R of the probe y
//
//  1. reads 16 bytes a row, the levels nearest to the first 31 projections in 4 bits each and the class of what that
//     loses, and adds up one table entry for each; rows whose sum is above a limit are done with. Where that leaves one
//     row in 24 or more, a second tier of 16 bytes does the same for all 62 directions;
//  2. reads for the others one byte a component, and compares with the probe's;
//  3. computes the distance of what is left in float64, as distance defines it.
//
// Nearest does the same with the distance of the k-th best so far as R, after one more first pass that finds rows to begin
// with. Axes are made anew in the background when the vectors have doubled or changed since; until the first ones are
// there, under axesRowsMin rows, every row comes to 3.
//
// # Why no neighbour is missed
//
// Let d(x, y) be what distance returns. It differs from |x-y| by a few roundings of float64, so d(x, y) <= R implies
// |x-y| <= R(1+margin). There is no underflow in it, as the squares of float32 differences are zero or above 1e-91, nor
// overflow. In Nearest R is at all times the k-th best distance of some rows, so that nothing beyond is in the answer.
//
// First pass, with one tier or both. Let B be the map with the directions, as stored in float32, as rows, and s >= the norm
// of B: see stretch; the directions need not be at right angles, nor principal. Let p(x) be B(x-m) as fs_project computes
// it and e(x) a bound of its error: see projectionError. Let L(x) be the levels stored for x, and U(x) >= |p(x)-L(x)| +
// e(x) the bound of its class: see nearest and classify. For x in the answer, by the triangle inequality,
//
//	|L(x)-p(y)| <= |L(x)-p(x)| + |p(x)-B(x-m)| + |B(x-y)| + |B(y-m)-p(y)| <= U(x) + s R(1+margin) + e(y) =: T(x)
//
// With T the largest T(x) of any class and f = 254/T², the table entry of a level of axis j is at most f times the square
// of its distance to p(y) in j, rounded down, and that of a class at most f(T²-T(x)²), so that x in the answer has a sum of
// at most f T(x)² + f(T²-T(x)²) = 254, the limit. Entries and sums stop at 255, which is above it. Roundings of the entries
// are covered by a factor 1-margin. Rows of no class (outliers, projections that overflow) are listed apart and go on to the
// second pass; if T² overflows, all do.
//
// Second pass. The far codes stand for m + h q(x), with the same step h for all components, q(x) from -127 to 127. With
// r(x) >= |x - m - h q(x)|, computed in float64 and rounded up, and r(y) likewise, x in the answer has
//
//	h |q(x)-q(y)| <= r(x) + R(1+margin) + r(y)
//
// The sum of squares on the left is exact in 32 bits: see farMax. The square of h is scaled by 1-margin to cover roundings.
// Neither pass needs a vector to be like the sample: those that are not have large residuals, which costs time only.
//
// # Concurrency
//
// A search holds a read lock from its beginning to its end, so a writer waits for the searches under way. New axes are
// brought in page by page; searches are held up only while pointers are exchanged. Memory at 128 dimensions is about 693
// bytes a vector, 512 of them its components, and is given back after deletes.
type Exact struct {
	dim    int
	active atomic.Int32 // searches under way
	work   work

	mu     sync.RWMutex
	rows   int
	blocks []*block // all full but the last
	pages  []*page  // all full but the last
	rowOf  rowTable

	axes       *axes // of new pages; nil before the first
	axesRows   int   // when axes were made
	changes    int   // puts since
	coding     bool  // axes are being made, or brought in
	background sync.WaitGroup
}

type block struct {
	keys [blockRows]uint64
	data []float32 // blockRows vectors, one after the other
}

// NewExact returns an empty index for vectors of dim components. It panics unless 1 <= dim <= DimensionMax.
func NewExact(dim int) *Exact {
	if dim < 1 || dim > DimensionMax {
		panic(fmt.Sprintf("index: dimension %d", dim))
	}
	e := &Exact{dim: dim}
	e.rowOf = newRowTable(e.key)
	return e
}

// Put adds or replaces a vector, see Index.
func (e *Exact) Put(key uint64, vector []float32) error {
	if err := checkVector(vector, e.dim); err != nil {
		return err
	}
	e.put(key, vector)
	return nil
}

// put stores a vector that was checked.
func (e *Exact) put(key uint64, vector []float32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.replace(e.place(key), vector)
	e.changes++
	if e.startCoding() {
		e.background.Go(func() { e.code(1) })
	}
}

// place is the row of a key, a new one if need be, for which there is room then. The caller holds the lock.
func (e *Exact) place(key uint64) (row int) {
	if slot, ok := e.rowOf.find(key); ok {
		return e.rowOf.row(slot)
	}
	row = e.rows
	if row == len(e.blocks)*blockRows {
		e.blocks = append(e.blocks, &block{})
	}
	if row == len(e.pages)*pageRows {
		e.pages = append(e.pages, &page{})
		if e.axes != nil {
			e.pages[len(e.pages)-1].codes = &codes{axes: e.axes}
		}
	}
	e.rows++
	e.blocks[row/blockRows].keys[row%blockRows] = key
	e.rowOf.add(key, row)
	p := e.pages[row/pageRows]
	for _, c := range []*codes{p.codes, p.next} {
		if c != nil {
			c.grow(row%pageRows + 1)
		}
	}
	return row
}

// replace stores a vector in a row that was placed. Rows of different blocks may be replaced at the same time. The caller
// holds the lock.
func (e *Exact) replace(row int, vector []float32) {
	b := e.blocks[row/blockRows]
	if b.data == nil {
		b.data = make([]float32, blockRows*e.dim)
	}
	copy(e.row(row), vector)
	p := e.pages[row/pageRows]
	for _, c := range []*codes{p.codes, p.next} {
		if c != nil {
			e.encode(c, row, row+1)
		}
	}
}

// projections are room for a group's. It is on the heap, as C may write there.
var projections = sync.Pool{New: func() any { return new([groupRows * slots]float32) }}

// encode puts rows of one block into codes.
func (e *Exact) encode(c *codes, from, to int) {
	room := projections.Get().(*[groupRows * slots]float32)
	projected := room[:min(groupRows, to-from)*slots]
	for ; from < to; from += groupRows {
		count := min(groupRows, to-from)
		at := from % blockRows * e.dim
		vectors := e.blocks[from/blockRows].data[at : at+count*e.dim]
		fastest.project(vectors, c.axes.mean, c.axes.basis, projected[:count*slots])
		for i := range count {
			c.put((from+i)%pageRows, vectors[i*e.dim:][:e.dim], projected[i*slots:][:slots])
		}
	}
	clear(projected) // of somebody's template
	projections.Put(room)
}

// row is the memory of one vector. The caller holds the lock.
func (e *Exact) row(row int) []float32 {
	at := row % blockRows * e.dim
	return e.blocks[row/blockRows].data[at : at+e.dim : at+e.dim]
}

func (e *Exact) key(row int) uint64 {
	return e.blocks[row/blockRows].keys[row%blockRows]
}

// pageLen is how many rows a page has.
func (e *Exact) pageLen(page int) int {
	return min(pageRows, e.rows-page*pageRows)
}

// Delete removes a vector, see Index. Its memory is overwritten.
func (e *Exact) Delete(key uint64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	slot, ok := e.rowOf.find(key)
	if !ok {
		return false
	}
	row, last := e.rowOf.row(slot), e.rows-1
	e.rowOf.remove(slot)
	if row != last {
		lastKey := e.key(last)
		slot, _ = e.rowOf.find(lastKey)
		e.rowOf.set(slot, row)
		e.blocks[row/blockRows].keys[row%blockRows] = lastKey
		e.replace(row, e.row(last))
	}
	e.dropLast()
	e.rowOf.shrink()
	return true
}

// dropLast wipes the last row and gives back what it was the only one to use. The caller holds the lock.
func (e *Exact) dropLast() {
	e.rows--
	last := e.rows
	clear(e.row(last))
	p := e.pages[last/pageRows]
	for _, c := range []*codes{p.codes, p.next} {
		if c != nil && last%pageRows < len(c.slack) { // next may not have come that far
			c.drop(last % pageRows)
		}
	}
	if last%blockRows == 0 {
		e.blocks[last/blockRows] = nil
		e.blocks = e.blocks[:last/blockRows]
	}
	if last%pageRows == 0 {
		e.pages[last/pageRows] = nil
		e.pages = e.pages[:last/pageRows]
	}
}

// Len is the number of vectors stored.
func (e *Exact) Len() int {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.rows
}

// keys are those stored, in no order.
func (e *Exact) keys() []uint64 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	keys := make([]uint64, 0, e.rows)
	for row := range e.rows {
		keys = append(keys, e.key(row))
	}
	return keys
}

// vector returns a copy of what is stored under a key, nil for nothing.
func (e *Exact) vector(key uint64) []float32 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	slot, ok := e.rowOf.find(key)
	if !ok {
		return nil
	}
	return slices.Clone(e.row(e.rowOf.row(slot)))
}

// holds reports whether exactly this vector is stored under a key, bit for bit.
func (e *Exact) holds(key uint64, vector []float32) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	slot, ok := e.rowOf.find(key)
	return ok && slices.EqualFunc(e.row(e.rowOf.row(slot)), vector, func(a, b float32) bool {
		return math.Float32bits(a) == math.Float32bits(b)
	})
}
