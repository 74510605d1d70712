// Package index finds the nearest neighbours of a vector in memory, by Euclidean distance.
//
// Exact looks at every stored vector and never misses one. HNSW walks a graph of github.com/coder/hnsw, may miss
// neighbours and says so in Result.Exact; whenever its graph is not there or not to be trusted, a scan answers instead.
// Both keep their vectors in memory only: the caller stores them and puts them back at the start.
package index

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Errors callers can test for with errors.Is. What is returned may say more.
var (
	// ErrDimension is returned when a vector or probe has not as many components as the index was made for.
	ErrDimension = errors.New("index: wrong dimension")

	// ErrNotFinite is returned when a component of a vector or probe is NaN or infinite.
	ErrNotFinite = errors.New("index: component is not a finite number")

	// ErrArgument is returned when k or limit is negative, distanceMax is NaN, PutAll is given more keys than vectors or
	// the reverse, or HNSWOptions are out of range.
	ErrArgument = errors.New("index: argument out of range")

	// ErrNotReady is returned by Snapshot when there is no graph or it holds dead nodes (Rebuild cures both), and by
	// Rebuild and Wait when PutAll threw away the graph that was being built.
	ErrNotReady = errors.New("index: graph is not ready")

	// ErrSnapshot is returned by Restore when a snapshot is damaged, cut short, too large, of another format, generation
	// or setting, or does not hold exactly the vectors of the index.
	ErrSnapshot = errors.New("index: snapshot refused")

	// ErrGraph is returned when coder/hnsw failed or panicked: by Rebuild and Wait once the build was given up, and by
	// Snapshot. Searches are never failed by it, they are answered by the scan.
	ErrGraph = errors.New("index: graph failed")

	// ErrClosed is returned by Rebuild, and by a Wait or Rebuild under way, after Close.
	ErrClosed = errors.New("index: closed")
)

// DimensionMax is the largest number of components a vector may have. The error margin of Exact holds up to it.
const DimensionMax = 1 << 16

// Hit is one stored vector and its distance from the probe.
type Hit struct {
	Key uint64
	// Distance is Euclidean, computed in float64 from the float32 components, in their order.
	Distance float64
}

// Result is the answer to one search.
type Result struct {
	// Hits are ordered nearest first, those at the same distance by Key, ascending. Never nil.
	Hits []Hit
	// Total is how many vectors lie within the distance asked for, listed or not. Nearest sets it to len(Hits).
	Total int
	// Exact is false when neighbours may be missing from Hits and Total. What is listed is right either way.
	Exact bool
}

// Index holds vectors of one dimension under unique keys and finds those nearest to a probe. Its methods may be called
// from any number of goroutines. A vector is copied by Put, and may be changed by the caller afterwards.
type Index interface {
	// Put adds a vector, or replaces the one stored under the same key. Searches that begin after Put returned see it. It
	// returns ErrDimension or ErrNotFinite, and has then changed nothing.
	Put(key uint64, vector []float32) error

	// Delete removes a vector, and reports whether it was there. Searches that begin afterwards do not find it.
	Delete(key uint64) bool

	// Len is the number of vectors stored.
	Len() int

	// Nearest returns the k vectors nearest to the probe, or all if there are fewer. It returns ErrDimension,
	// ErrNotFinite, ErrArgument for a negative k, or the error of a ctx that has ended.
	Nearest(ctx context.Context, probe []float32, k int) (Result, error)

	// Within counts the vectors with distance <= distanceMax and lists the nearest limit of them. A negative distanceMax
	// gives none, +Inf gives all. It returns ErrDimension, ErrNotFinite, ErrArgument for a negative limit or a distanceMax
	// that is NaN, or the error of a ctx that has ended.
	Within(ctx context.Context, probe []float32, distanceMax float64, limit int) (Result, error)
}

var (
	_ Index = (*Exact)(nil)
	_ Index = (*HNSW)(nil)
)

func checkVector(vector []float32, dim int) error {
	if len(vector) != dim {
		return fmt.Errorf("%w: %d components, not %d", ErrDimension, len(vector), dim)
	}
	for i, x := range vector {
		if x-x != 0 { // NaN for a NaN and for both infinities
			return fmt.Errorf("%w: component %d is %v", ErrNotFinite, i, x)
		}
	}
	return nil
}

// checkSearch is for both kinds of search: Nearest gives its k as the limit and a distanceMax of 0.
func checkSearch(probe []float32, dim int, distanceMax float64, limit int) error {
	if limit < 0 {
		return fmt.Errorf("%w: %d neighbours asked for", ErrArgument, limit)
	}
	if math.IsNaN(distanceMax) {
		return fmt.Errorf("%w: distanceMax is NaN", ErrArgument)
	}
	return checkVector(probe, dim)
}

// distance defines Hit.Distance. The conversion around the product forbids a fused multiply-add, so that every platform
// gives the same bits.
func distance(a, b []float32) float64 {
	b = b[:len(a)]
	sum := 0.0
	for i, x := range a {
		d := float64(x) - float64(b[i])
		sum += float64(d * d)
	}
	return math.Sqrt(sum)
}

func compareHits(a, b Hit) int {
	return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Key, b.Key))
}

// ranking keeps the best limit hits of those offered, as a heap with the worst of them on top.
type ranking struct {
	limit int
	hits  []Hit
}

// cutoff is the distance beyond which an offer is in vain.
func (r *ranking) cutoff() float64 {
	if len(r.hits) < r.limit {
		return math.Inf(1)
	}
	if r.limit == 0 {
		return -1
	}
	return r.hits[0].Distance
}

func (r *ranking) offer(hit Hit) {
	switch {
	case len(r.hits) < r.limit:
		r.hits = append(r.hits, hit)
		if len(r.hits) == r.limit {
			for i := r.limit/2 - 1; i >= 0; i-- {
				r.sink(i)
			}
		}
	case r.limit > 0 && compareHits(hit, r.hits[0]) < 0:
		r.hits[0] = hit
		r.sink(0)
	}
}

func (r *ranking) sink(i int) {
	for {
		child := 2*i + 1
		if child >= len(r.hits) {
			return
		}
		if child+1 < len(r.hits) && compareHits(r.hits[child], r.hits[child+1]) < 0 {
			child++
		}
		if compareHits(r.hits[i], r.hits[child]) >= 0 {
			return
		}
		r.hits[i], r.hits[child] = r.hits[child], r.hits[i]
		i = child
	}
}

// sorted ends the ranking.
func (r *ranking) sorted() []Hit {
	slices.SortFunc(r.hits, compareHits)
	if r.hits == nil {
		return []Hit{}
	}
	return r.hits
}
