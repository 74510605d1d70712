package index

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/viterin/vek/vek32"
)

const (
	// blockRows is how many vectors share one allocation: at 128 dimensions 128 KiB, little enough for an application with
	// ten faces.
	blockRows = 256

	// blocksPerCheck blocks are scanned between two looks at the context, 2048 rows or about 50 µs at 128 dimensions.
	blocksPerCheck = 8

	// rowsShrinkMin is the number of rows below which the map of keys is not worth shrinking.
	rowsShrinkMin = 4096
)

// Exact finds neighbours by looking at every vector. Its answers are those of float64 arithmetic, ties included, and
// Result.Exact is always true.
//
// A search holds a read lock from its beginning to its end, so a writer waits for the searches under way. Memory is four
// bytes a component and about 40 a vector, and is given back after deletes.
type Exact struct {
	dim int

	mu     sync.RWMutex
	blocks []*block       // all full but the last
	rowOf  map[uint64]int // key to row; row r is in blocks[r/blockRows]
	peak   int            // most rows since rowOf was made; a Go map never gives memory back
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
	return &Exact{dim: dim, rowOf: map[uint64]int{}}
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
	row, ok := e.rowOf[key]
	if !ok {
		row = len(e.rowOf)
		if row == len(e.blocks)*blockRows {
			e.blocks = append(e.blocks, &block{data: make([]float32, blockRows*e.dim)})
		}
		e.rowOf[key] = row
		e.peak = max(e.peak, len(e.rowOf))
	}
	e.blocks[row/blockRows].keys[row%blockRows] = key
	copy(e.row(row), vector)
}

// row is the memory of one vector. The caller holds the lock.
func (e *Exact) row(row int) []float32 {
	at := row % blockRows * e.dim
	return e.blocks[row/blockRows].data[at : at+e.dim : at+e.dim]
}

// Delete removes a vector, see Index. Its memory is overwritten.
func (e *Exact) Delete(key uint64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	row, ok := e.rowOf[key]
	if !ok {
		return false
	}
	last := len(e.rowOf) - 1
	lastKey := e.blocks[last/blockRows].keys[last%blockRows]
	copy(e.row(row), e.row(last))
	clear(e.row(last))
	e.blocks[row/blockRows].keys[row%blockRows] = lastKey
	e.rowOf[lastKey] = row
	delete(e.rowOf, key)
	if last%blockRows == 0 {
		e.blocks[last/blockRows] = nil
		e.blocks = e.blocks[:last/blockRows]
	}
	e.shrink()
	return true
}

// shrink replaces the map of keys once three quarters of it are unused. The caller holds the lock.
func (e *Exact) shrink() {
	if e.peak < rowsShrinkMin || len(e.rowOf) > e.peak/4 {
		return
	}
	rowOf := make(map[uint64]int, len(e.rowOf))
	for key, row := range e.rowOf {
		rowOf[key] = row
	}
	e.rowOf, e.peak = rowOf, len(rowOf)
}

// Len is the number of vectors stored.
func (e *Exact) Len() int {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return len(e.rowOf)
}

// Nearest returns the k vectors nearest to the probe, see Index.
func (e *Exact) Nearest(ctx context.Context, probe []float32, k int) (Result, error) {
	if err := checkSearch(probe, e.dim, 0, k); err != nil {
		return Result{}, err
	}
	best := ranking{limit: k}
	err := e.scan(ctx, probe, best.cutoff(), func(hit Hit) float64 {
		best.offer(hit)
		return best.cutoff()
	})
	if err != nil {
		return Result{}, err
	}
	hits := best.sorted()
	return Result{Hits: hits, Total: len(hits), Exact: true}, nil
}

// Within counts and lists the vectors within a distance of the probe, see Index.
func (e *Exact) Within(ctx context.Context, probe []float32, distanceMax float64, limit int) (Result, error) {
	if err := checkSearch(probe, e.dim, distanceMax, limit); err != nil {
		return Result{}, err
	}
	best, total := ranking{limit: limit}, 0
	err := e.scan(ctx, probe, distanceMax, func(hit Hit) float64 {
		total++
		best.offer(hit)
		return distanceMax
	})
	if err != nil {
		return Result{}, err
	}
	return Result{Hits: best.sorted(), Total: total, Exact: true}, nil
}

// scan calls found for every vector with distance <= distanceMax; found returns the distanceMax for the rest of the scan,
// which may only fall. A negative one ends it.
func (e *Exact) scan(ctx context.Context, probe []float32, distanceMax float64, found func(Hit) float64) error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	rows := len(e.rowOf)
	roughMax := e.roughMax(distanceMax)
	for i, b := range e.blocks {
		if distanceMax < 0 {
			break
		}
		if i%blocksPerCheck == blocksPerCheck-1 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		for j := range min(blockRows, rows-i*blockRows) {
			vector := b.data[j*e.dim : (j+1)*e.dim]
			// Overflow in float32 comes out as NaN or +Inf depending on the processor; neither rules a row out.
			if rough := float64(vek32.Distance(vector, probe)); rough > roughMax && rough <= math.MaxFloat32 {
				continue
			}
			if d := distance(vector, probe); d <= distanceMax {
				distanceMax = found(Hit{Key: b.keys[j], Distance: d})
				roughMax = e.roughMax(distanceMax)
			}
		}
	}
	return nil
}

// roughMax bounds what vek32.Distance can return for a vector at distanceMax: any vector for which it returns a larger
// finite number is farther away.
//
// With u = 2^-24, a float32 sum of n squared differences is at most (1+u)^(n+4) times the true one plus n·2^-149 for
// underflow; the root halves the exponent. vek's AVX2 code takes the root by RSQRTSS (relative error 1.5·2^-12) and one
// Newton step, which leaves 1.5·(1.5·2^-12)² = 2e-7 and a few roundings, under 2^-20. Both terms below are at least twice
// what is needed up to DimensionMax. It also returns 0 for a sum under 2^-126, which errs on the safe side.
func (e *Exact) roughMax(distanceMax float64) float64 {
	const underflow = 1.0 / (1 << 60)
	relative := float64(e.dim+16)/(1<<24) + 1.0/(1<<19)
	return distanceMax*(1+relative) + underflow
}

// keys are those stored, in no order.
func (e *Exact) keys() []uint64 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	keys := make([]uint64, 0, len(e.rowOf))
	for key := range e.rowOf {
		keys = append(keys, key)
	}
	return keys
}

// vector returns a copy of what is stored under a key, nil for nothing.
func (e *Exact) vector(key uint64) []float32 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	row, ok := e.rowOf[key]
	if !ok {
		return nil
	}
	return slices.Clone(e.row(row))
}

// holds reports whether exactly this vector is stored under a key, bit for bit.
func (e *Exact) holds(key uint64, vector []float32) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	row, ok := e.rowOf[key]
	return ok && slices.EqualFunc(e.row(row), vector, func(a, b float32) bool {
		return math.Float32bits(a) == math.Float32bits(b)
	})
}
