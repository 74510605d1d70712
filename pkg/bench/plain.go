package bench

import (
	"context"
	"math"
	"slices"
	"sync"

	"github.com/viterin/vek/vek32"

	"facesearch/index"
)

// plain is what one would write first: all vectors in one array, each compared with the probe in float32.
type plain struct {
	dim   int
	mu    sync.RWMutex
	keys  []uint64
	flat  []float32
	rowOf map[uint64]int
	read  readCounter
}

func newPlain(dim int) *plain { return &plain{dim: dim, rowOf: map[uint64]int{}} }

func (p *plain) row(i int) []float32 { return p.flat[i*p.dim : (i+1)*p.dim] }

func (p *plain) Put(key uint64, vector []float32) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if row, ok := p.rowOf[key]; ok {
		copy(p.row(row), vector)
		return nil
	}
	p.rowOf[key] = len(p.keys)
	p.keys = append(p.keys, key)
	p.flat = append(p.flat, vector...)
	return nil
}

func (p *plain) Delete(key uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	row, ok := p.rowOf[key]
	if !ok {
		return false
	}
	last := len(p.keys) - 1
	copy(p.row(row), p.row(last))
	p.keys[row] = p.keys[last]
	p.rowOf[p.keys[row]] = row
	delete(p.rowOf, key)
	p.keys, p.flat = p.keys[:last], p.flat[:last*p.dim]
	return true
}

func (p *plain) Len() int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return len(p.keys)
}

func (p *plain) Nearest(ctx context.Context, probe []float32, k int) (index.Result, error) {
	hits, _, err := p.scan(ctx, probe, math.Inf(1), k)
	return index.Result{Hits: hits, Total: len(hits)}, err
}

func (p *plain) Within(ctx context.Context, probe []float32, distanceMax float64, limit int) (index.Result, error) {
	hits, total, err := p.scan(ctx, probe, distanceMax, limit)
	return index.Result{Hits: hits, Total: total}, err
}

// scan keeps the best hits in a sorted list, which is quick enough for the few that are asked for.
func (p *plain) scan(ctx context.Context, probe []float32, distanceMax float64, limit int) ([]index.Hit, int, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	hits, total, cutoff := []index.Hit{}, 0, distanceMax
	for row, key := range p.keys {
		if row%65536 == 0 && ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		d := float64(vek32.Distance(p.row(row), probe))
		if d > distanceMax {
			continue
		}
		total++
		if limit == 0 || d > cutoff {
			continue
		}
		at, _ := slices.BinarySearchFunc(hits, d, func(hit index.Hit, d float64) int {
			if hit.Distance <= d {
				return -1
			}
			return 1
		})
		hits = slices.Insert(hits, at, index.Hit{Key: key, Distance: d})
		hits = hits[:min(len(hits), limit)]
		if len(hits) == limit {
			cutoff = hits[limit-1].Distance
		}
	}
	p.read.add(len(p.flat) * 4)
	return hits, total, nil
}

// BytesRead implements byteCounter.
func (p *plain) BytesRead() uint64 { return p.read.total.Load() }
