package index

import (
	"fmt"
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
