package index

import (
	"context"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	// parallelRows is the size above which a search that is alone uses all cores; below, starting goroutines costs more
	// than it brings.
	parallelRows = 1 << 17

	// rowsPerCheck distances are computed between two looks at the context: about a quarter of a millisecond at 128
	// dimensions.
	rowsPerCheck = 1024

	// seeds rows, or a few more than are wanted, are ranked before a search for the nearest begins, unless those are more
	// than seedsMax.
	seeds    = 32
	seedsMax = 1024
)

// Nearest returns the k vectors nearest to the probe, see Index.
func (e *Exact) Nearest(ctx context.Context, probe []float32, k int) (Result, error) {
	return e.NearestFunc(ctx, probe, k, nil)
}

// NearestFunc is Nearest among the vectors whose key keep accepts, all if it is nil. It is called for the few rows that
// may be in the answer only, from several goroutines at a time, and must not call the index.
func (e *Exact) NearestFunc(ctx context.Context, probe []float32, k int, keep func(key uint64) bool) (Result, error) {
	if err := checkSearch(probe, e.dim, 0, k); err != nil {
		return Result{}, err
	}
	best := ranking{limit: k}
	s := &search{index: e, ctx: ctx, probe: probe, keep: keep, limit: k, nearest: true}
	s.setRadius(best.cutoff())
	return s.run()
}

// Within counts and lists the vectors within a distance of the probe, see Index.
func (e *Exact) Within(ctx context.Context, probe []float32, distanceMax float64, limit int) (Result, error) {
	return e.WithinFunc(ctx, probe, distanceMax, limit, nil)
}

// WithinFunc is Within among the vectors whose key keep accepts, see NearestFunc.
func (e *Exact) WithinFunc(ctx context.Context, probe []float32, distanceMax float64, limit int, keep func(key uint64) bool) (Result, error) {
	if err := checkSearch(probe, e.dim, distanceMax, limit); err != nil {
		return Result{}, err
	}
	s := &search{index: e, ctx: ctx, probe: probe, keep: keep, limit: limit}
	s.setRadius(distanceMax)
	return s.run()
}

// search is one search under way, shared by those who work on it.
type search struct {
	index   *Exact
	ctx     context.Context
	probe   []float32
	keep    func(key uint64) bool // nil: all
	limit   int
	nearest bool

	bits atomic.Uint64 // of the radius, beyond which no row is of interest; it only falls
	next atomic.Int64  // page

	mu    sync.Mutex
	best  ranking
	total int
	err   error
}

func (s *search) radius() float64 {
	return math.Float64frombits(s.bits.Load())
}

func (s *search) setRadius(radius float64) {
	s.bits.Store(math.Float64bits(radius))
}

// lowerRadius is for what several workers found.
func (s *search) lowerRadius(radius float64) {
	for {
		old := s.bits.Load()
		if radius >= math.Float64frombits(old) || s.bits.CompareAndSwap(old, math.Float64bits(radius)) {
			return
		}
	}
}

func (s *search) run() (Result, error) {
	if err := s.ctx.Err(); err != nil {
		return Result{}, err
	}
	e := s.index
	alone := e.active.Add(1) == 1
	defer e.active.Add(-1)
	e.mu.RLock()
	defer e.mu.RUnlock()
	s.best.limit = s.limit
	if s.radius() >= 0 && e.rows > 0 {
		workers := 1
		if alone && e.rows > parallelRows {
			workers = runtime.GOMAXPROCS(0)
		}
		if s.nearest {
			s.seed(workers)
		}
		s.walk(workers, (*worker).page, s.collect)
	}
	if s.err != nil {
		return Result{}, s.err
	}
	e.work.searches.Add(1)
	hits := s.best.sorted()
	if s.nearest {
		s.total = len(hits)
	}
	return Result{Hits: hits, Total: s.total, Exact: true}, nil
}

// walk calls look for each page, which workers share, until there are none left.
func (s *search) walk(workers int, look func(w *worker, page int), done func(w *worker)) {
	s.next.Store(0)
	parallel(workers, func() {
		w := newWorker(s)
		defer w.release()
		for s.radius() >= 0 && w.err == nil {
			p := int(s.next.Add(1) - 1)
			if p >= len(s.index.pages) {
				break
			}
			if w.err = s.ctx.Err(); w.err == nil {
				look(w, p)
			}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if w.err != nil && s.err == nil {
			s.err = w.err
			s.setRadius(-1) // for the other workers
		}
		done(w)
	})
}

// seed gives a search for the nearest a radius to begin with: the distance of the k-th best of some rows that look near,
// of all by the first pass. Reading that twice takes less time than to bring the radius down from far away.
func (s *search) seed(workers int) {
	e := s.index
	if s.limit > seedsMax || e.rows < axesRowsMin {
		return
	}
	best := ranking{limit: s.limit}
	s.walk(workers, (*worker).promise, func(w *worker) {
		for _, promising := range w.promising {
			if hit, ok := s.hit(promising.row); ok {
				best.offer(hit)
			}
		}
		w.work.exact += len(w.promising)
	})
	s.lowerRadius(best.cutoff())
}

// hit computes the distance of a row, unless it is not to be kept.
func (s *search) hit(row int) (hit Hit, ok bool) {
	key := s.index.key(row)
	if s.keep != nil && !s.keep(key) {
		return Hit{}, false
	}
	return Hit{Key: key, Distance: distance(s.index.row(row), s.probe)}, true
}

// collect adds what a worker found.
func (s *search) collect(w *worker) {
	s.total += w.total
	for _, hit := range w.best.hits {
		s.best.offer(hit)
	}
}

// page looks at the rows of a page.
func (w *worker) page(p int) {
	e := w.index
	for n, candidate := range w.candidates(e.pages[p].codes, e.pageLen(p), w.radius()) {
		if n%rowsPerCheck == rowsPerCheck-1 {
			if w.err = w.ctx.Err(); w.err != nil {
				return
			}
		}
		hit, ok := w.hit(p*pageRows + int(candidate&rowMask))
		if !ok || hit.Distance > w.radius() {
			continue
		}
		w.total++
		w.best.offer(hit)
		if w.nearest {
			w.lowerRadius(w.best.cutoff())
		}
	}
}
