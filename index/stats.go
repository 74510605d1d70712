package index

// ExactStats say what an index holds and what its searches have cost.
type ExactStats struct {
	Rows   int
	Bytes  int // of memory: vectors, keys, codes and the table of keys
	Coded  int // rows that have codes; the others are compared in full
	Stale  int // rows whose codes are in older axes than the newest
	Coding bool

	// Since NewExact.
	Searches  int64
	RowsNear  int64 // looked at in the first pass
	RowsFar   int64 // in the second
	RowsExact int64 // in the third
	BytesRead int64 // by all three
}

// Stats are the figures of this moment and the counts since NewExact.
func (e *Exact) Stats() ExactStats {
	e.mu.RLock()
	defer e.mu.RUnlock()
	s := ExactStats{
		Rows:      e.rows,
		Coding:    e.coding,
		Searches:  e.work.searches.Load(),
		RowsNear:  e.work.near.Load(),
		RowsFar:   e.work.far.Load(),
		RowsExact: e.work.exact.Load(),
		Bytes:     4 * len(e.rowOf.slots),
	}
	s.BytesRead = s.RowsNear*(groupBytes/groupRows) + s.RowsFar*int64(e.dim+4) + s.RowsExact*int64(4*e.dim+8)
	for _, b := range e.blocks {
		s.Bytes += 8*blockRows + 4*len(b.data)
	}
	for at, p := range e.pages {
		for _, c := range []*codes{p.codes, p.next} {
			if c != nil {
				s.Bytes += c.bytes()
			}
		}
		if p.codes != nil {
			s.Coded += e.pageLen(at)
			if p.codes.axes != e.axes {
				s.Stale += e.pageLen(at)
			}
		}
	}
	return s
}

// MemoryBytes is what the index takes in memory.
func (e *Exact) MemoryBytes() int64 { return int64(e.Stats().Bytes) }

// BytesRead is what all searches together have read of it, since NewExact.
func (e *Exact) BytesRead() uint64 { return uint64(e.Stats().BytesRead) }
