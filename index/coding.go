package index

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	// axesRowsMin rows are scanned without codes, in about 40 µs at 128 dimensions.
	axesRowsMin = 256

	// replacedMax times as many puts as rows (or replacedRowsMin) bring new axes, however little the index has grown.
	replacedMax     = 4
	replacedRowsMin = 4096

	// sampleMax vectors are looked at for new axes, fewer when a covariance matrix of so many takes more than sampleWork
	// multiplications.
	sampleMax  = 4096
	sampleMin  = 512
	sampleWork = 1 << 26
)

// startCoding reports whether it is time for new axes; the caller, who holds the lock, has to call code then.
func (e *Exact) startCoding() bool {
	grown := e.rows >= axesRowsMin && e.rows >= 2*e.axesRows
	replaced := e.rows >= axesRowsMin && e.changes >= replacedMax*max(e.rows, replacedRowsMin)
	if e.coding || !grown && !replaced {
		return false
	}
	e.coding = true
	return true
}

// code makes new axes and codes every page in them, while searches and writers go on.
func (e *Exact) code(workers int) {
	for more := true; more; {
		fresh := newAxes(e.sample())
		e.mu.Lock()
		e.axes, e.axesRows, e.changes = fresh, e.rows, 0
		e.mu.Unlock()
		var next atomic.Int64
		parallel(workers, func() {
			for e.codePage(int(next.Add(1)-1), fresh) {
			}
		})
		e.mu.Lock()
		e.coding = false
		more = e.startCoding()
		e.mu.Unlock()
	}
}

// sample copies vectors from all over the index, at least one.
func (e *Exact) sample() [][]float32 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	size := min(e.rows, sampleMax, max(sampleWork/e.dim/e.dim, sampleMin))
	if size == 0 { // everything was deleted meanwhile
		return [][]float32{make([]float32, e.dim)}
	}
	all := make([]float32, size*e.dim)
	sample := make([][]float32, size)
	for i := range sample {
		sample[i] = all[i*e.dim:][:e.dim:e.dim]
		copy(sample[i], e.row(int(int64(i)*int64(e.rows)/int64(size))))
	}
	return sample
}

// codePage brings new axes to a page. It reports whether there is such a page.
func (e *Exact) codePage(at int, fresh *axes) bool {
	e.mu.Lock()
	if at >= len(e.pages) {
		e.mu.Unlock()
		return false
	}
	p := e.pages[at]
	if p.codes != nil && p.codes.axes == fresh {
		e.mu.Unlock()
		return true
	}
	next := &codes{axes: fresh}
	next.grow(e.pageLen(at))
	p.next = next
	e.mu.Unlock()

	for from := at * pageRows; e.codeGroup(p, at, from); from += groupRows {
	}

	e.mu.Lock()
	old := p.codes
	p.codes, p.next = next, nil
	e.mu.Unlock()
	if old != nil {
		old.wipe() // no search has it: they hold the lock from beginning to end
	}
	return true
}

// codeGroup codes up to groupRows rows from one on, unless there are none, or the page was given back. It writes codes
// that nobody reads, with a read lock: that keeps writers away, and lets searches go on.
func (e *Exact) codeGroup(p *page, at, from int) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if at >= len(e.pages) || e.pages[at] != p || from >= at*pageRows+e.pageLen(at) {
		return false
	}
	e.encode(p.next, from, min(from+groupRows, at*pageRows+e.pageLen(at)))
	return true
}

// PutAll adds or replaces many vectors, as Put for each in turn would, with all cores; when it returns the index is as fast
// as it gets, unless new axes were being brought in already. Searches go on between portions of it. It returns ErrDimension, ErrNotFinite, or ErrArgument when there are
// not as many keys as vectors, and has then changed nothing.
func (e *Exact) PutAll(keys []uint64, vectors [][]float32) error {
	if err := checkVectors(keys, vectors, e.dim); err != nil {
		return err
	}
	e.putAll(keys, vectors)
	return nil
}

// Load is PutAll in portions, so that nobody has to hold all vectors twice. fill calls put as often as it likes, from any
// number of goroutines, and may use both slices for something else once put has returned. put returns PutAll's errors, and
// has then changed nothing; Load returns what fill does, and what was put before an error stays.
func (e *Exact) Load(fill func(put func(keys []uint64, vectors [][]float32) error) error) error {
	e.mu.Lock()
	held := !e.coding
	e.coding = true // no axes before the last portion: they would have to be made again
	e.mu.Unlock()
	err := fill(func(keys []uint64, vectors [][]float32) error {
		if err := checkVectors(keys, vectors, e.dim); err != nil {
			return err
		}
		e.putPortions(keys, vectors)
		return nil
	})
	e.mu.Lock()
	if held {
		e.coding = false
	}
	now := e.startCoding()
	e.mu.Unlock()
	if now {
		e.code(runtime.GOMAXPROCS(0))
	}
	return err
}

// checkVectors is what PutAll asks of its arguments.
func checkVectors(keys []uint64, vectors [][]float32, dim int) error {
	if len(keys) != len(vectors) {
		return fmt.Errorf("%w: %d keys and %d vectors", ErrArgument, len(keys), len(vectors))
	}
	var (
		next atomic.Int64
		mu   sync.Mutex
		all  error
	)
	parallel(min(runtime.GOMAXPROCS(0), 1+len(vectors)/pageRows), func() {
		for from := int(next.Add(pageRows) - pageRows); from < len(vectors); from = int(next.Add(pageRows) - pageRows) {
			for i, vector := range vectors[from:min(from+pageRows, len(vectors))] {
				if err := checkVector(vector, dim); err != nil {
					mu.Lock()
					all = fmt.Errorf("vector %d of key %d: %w", from+i, keys[from+i], err)
					mu.Unlock()
					return
				}
			}
		}
	})
	return all
}

// putAll stores vectors that were checked.
func (e *Exact) putAll(keys []uint64, vectors [][]float32) {
	e.putPortions(keys, vectors)
	e.mu.Lock()
	now := e.startCoding()
	e.mu.Unlock()
	if now {
		e.code(runtime.GOMAXPROCS(0))
	}
}

func (e *Exact) putPortions(keys []uint64, vectors [][]float32) {
	for ; len(keys) > 0; keys, vectors = keys[min(pageRows, len(keys)):], vectors[min(pageRows, len(keys)):] {
		n := min(pageRows, len(keys))
		e.putPortion(keys[:n], vectors[:n])
	}
}

// putPortion stores what is new in parallel, a block of rows at a time, after what replaces rows that were there.
func (e *Exact) putPortion(keys []uint64, vectors [][]float32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	first := e.rows
	var fresh [][]float32 // by row from first on
	for i, key := range keys {
		switch row := e.place(key); {
		case row < first:
			e.replace(row, vectors[i])
		case row == first+len(fresh):
			fresh = append(fresh, vectors[i])
		default:
			fresh[row-first] = vectors[i]
		}
	}
	e.changes += len(keys)
	var next atomic.Int64
	next.Store(int64(first / blockRows))
	parallel(min(runtime.GOMAXPROCS(0), 1+len(fresh)/blockRows), func() {
		for {
			from := int(next.Add(1)-1) * blockRows
			for row := max(from, first); row < min(from+blockRows, e.rows); row++ {
				e.replace(row, fresh[row-first])
			}
			if from >= e.rows {
				return
			}
		}
	})
}

// parallel runs f in so many goroutines, this one included, and waits for them.
func parallel(workers int, f func()) {
	var others sync.WaitGroup
	for range workers - 1 {
		others.Go(f)
	}
	f()
	others.Wait()
}
