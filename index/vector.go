package index

// Vector returns a copy of the vector stored under a key, nil for none.
func (e *Exact) Vector(key uint64) []float32 { return e.vector(key) }

// Scan is the exact index beside the graph, which holds the same vectors. It must not be changed.
func (h *HNSW) Scan() *Exact { return h.vectors }
