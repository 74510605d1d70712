package opensearch

import (
	"context"
	"sync"
	"time"

	"facesearch/pkg/face"
)

// statsLife is how long figures are believed, so that whoever asks for them often does not burden
// the cluster; and how long an answer is waited for, and a failure remembered.
const statsLife = 5 * time.Second

// knownStats are the last figures, or why there are none.
type knownStats struct {
	mu    sync.Mutex // held while they are asked for: others wait for the same answer
	stats face.Stats
	err   error
	until time.Time
}

// Stats counts what the store holds, as it was at most statsLife ago. Of the index, which is the
// cluster's, it says the kind.
func (s *Store) Stats(ctx context.Context) (face.Stats, error) {
	s.known.mu.Lock()
	defer s.known.mu.Unlock()
	if time.Now().Before(s.known.until) {
		return s.known.stats, s.known.err
	}
	ctx, cancel := context.WithTimeout(ctx, min(s.timeout, statsLife))
	defer cancel()
	s.known.stats, s.known.err = s.countAll(ctx)
	s.known.until = time.Now().Add(statsLife)
	return s.known.stats, s.known.err
}

// countAll asks everything in one request. A session that is staged has no number yet.
func (s *Store) countAll(ctx context.Context) (face.Stats, error) {
	var questions []question
	for _, each := range []struct {
		index  string
		filter object
	}{
		{s.names.records, term("kind", kindApplication)},
		{s.names.sessions, object{"exists": object{"field": "number"}}},
		{s.names.sessions, term("in_gallery", true)},
		{s.names.sessions, blocklisted},
	} {
		questions = append(questions, question{each.index, object{"size": 0, "track_total_hits": true, "query": each.filter}})
	}
	pages, err := s.searchAll(ctx, questions)
	if err != nil {
		return face.Stats{}, err
	}
	count := func(at int) int { return pages[at].Hits.Total.Value }
	return face.Stats{
		Applications: count(0), Sessions: count(1), Searchable: count(2), Blocklisted: count(3),
		Index: string(s.kind), Remote: true,
	}, nil
}
