package index

// Scan is the exact index beside the graph, which holds the same vectors. It must not be changed.
func (h *HNSW) Scan() *Exact { return h.vectors }
