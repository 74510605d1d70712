package bolt

import (
	"context"

	"facesearch/index"
	"facesearch/pkg/face"
)

// Stats counts what the store holds in memory; it reads nothing from the disk.
func (s *Store) Stats(context.Context) (face.Stats, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	stats := face.Stats{Applications: len(s.shards), Index: string(s.kind)}
	for _, shard := range s.shards {
		shard.addTo(&stats)
	}
	return stats, nil
}

func (sh *shard) addTo(stats *face.Stats) {
	sh.moving.RLock()
	defer sh.moving.RUnlock()
	stats.Sessions += int(sh.sessions.Load())
	stats.Searchable += sh.approved.Len() + sh.blocklisted.Len()
	stats.Blocklisted += sh.blocklisted.Len()
	stats.IndexBytes += sh.blocklisted.MemoryBytes()
	switch approved := sh.approved.(type) {
	case *index.Exact:
		stats.IndexBytes += approved.MemoryBytes()
	case *index.HNSW:
		graph := approved.Stats()
		stats.IndexBytes += graph.Bytes
		stats.RecallSamples += graph.Samples
		stats.RecallWanted += graph.SampledWanted
		stats.RecallFound += graph.SampledFound
	}
}
