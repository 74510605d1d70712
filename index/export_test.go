package index

import (
	"fmt"
	"math"
	"slices"
)

// SetDistance makes the graph there is, and those built later, measure by f, so that a test can make coder/hnsw panic or
// stand still.
func (h *HNSW) SetDistance(f func(a, b []float32) float32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.distance = f
	if h.graph != nil {
		h.graph.nodes.Distance = f
	}
}

// Euclidean is what a graph measures by otherwise.
var Euclidean = euclidean

// CheckGraph tells how the live nodes of the graph differ from the vectors stored.
func (h *HNSW) CheckGraph() error {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.graph == nil {
		return ErrNotReady
	}
	if len(h.graph.nodeOf) != h.vectors.Len() || h.graph.nodes.Len() != len(h.graph.keyOf) {
		return fmt.Errorf("%d live nodes for %d vectors", len(h.graph.nodeOf), h.vectors.Len())
	}
	for key, id := range h.graph.nodeOf {
		vector, ok := h.graph.nodes.Lookup(id)
		if !ok || !h.vectors.holds(key, vector) {
			return fmt.Errorf("node %d is not the vector of key %d", id, key)
		}
	}
	return nil
}

// Settle waits until no axes are being made or brought in. No writer may run.
func (e *Exact) Settle() {
	e.background.Wait()
}

// Recode makes new axes and brings them in, unless that is being done already.
func (e *Exact) Recode() {
	e.mu.Lock()
	mine := !e.coding
	e.coding = true
	e.mu.Unlock()
	if mine {
		e.code(2)
	}
}

// Hardest are vectors that the codes of the index lose most of: their components, or their projections, lie in the middle
// between two levels or beyond the last. base is a vector like those stored.
func (e *Exact) Hardest(base []float32) [][]float32 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	a := e.axes
	middle, beyond, between, outside := slices.Clone(base), slices.Clone(base), slices.Clone(a.mean), slices.Clone(a.mean)
	for i := range base {
		middle[i] = float32(float64(a.mean[i]) + (math.Round(float64(base[i]-a.mean[i])*a.farPerUnit)+0.5)*a.farStep)
		beyond[i] = float32(float64(a.mean[i]) + (farMax+20)*a.farStep)
		for j := range slots {
			between[i] += float32(float64(a.basis[i*slots+j]) * (a.low[j] + float64(j%levels)*a.step[j] + a.step[j]/2))
			outside[i] += float32(float64(a.basis[i*slots+j]) * (a.low[j] + (levels+1)*a.step[j]))
		}
	}
	return [][]float32{middle, beyond, between, outside}
}

// Blocks is how many blocks of vectors are allocated.
func (e *Exact) Blocks() int {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return len(e.blocks)
}

// Remembers reports whether a component is anywhere in the memory of the vectors, freed rows included.
func (e *Exact) Remembers(component float32) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return slices.ContainsFunc(e.blocks, func(b *block) bool { return slices.Contains(b.data, component) })
}
