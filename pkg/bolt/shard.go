package bolt

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	bbolt "go.etcd.io/bbolt"

	"facesearch/index"
	"facesearch/pkg/face"
)

// A shard is the index of one application. Blocklisted sessions have a part of their own,
// which is always searched exactly. Keys are session numbers.
type shard struct {
	writer sync.Mutex // held from a transaction's begin until the index has its change
	// moving is held for reading by searches of both parts, and for writing by whoever moves a
	// session from one to the other: no search may miss it on the way, or find it twice.
	moving      sync.RWMutex
	approved    index.Index
	blocklisted *index.Exact
	sessions    atomic.Int64 // stored, in the index or not
}

func (s *Store) newShard(dim int) *shard {
	return &shard{approved: s.newIndex(dim), blocklisted: index.NewExact(dim)}
}

func (s *Store) shard(application string) (*shard, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	shard, ok := s.shards[application]
	if !ok {
		return nil, unknownApplication()
	}
	return shard, nil
}

// put brings the index in step with a session's flags.
func (sh *shard) put(number uint64, template face.Template, flags byte) error {
	sh.moving.Lock()
	defer sh.moving.Unlock()
	if flags&flagBlocklisted != 0 {
		sh.approved.Delete(number)
		return sh.blocklisted.Put(number, template)
	}
	sh.blocklisted.Delete(number)
	if flags&flagApproved != 0 {
		return sh.approved.Put(number, template)
	}
	sh.approved.Delete(number)
	return nil
}

func (sh *shard) delete(numbers []uint64) {
	sh.moving.Lock()
	defer sh.moving.Unlock()
	for _, number := range numbers {
		sh.approved.Delete(number)
		sh.blocklisted.Delete(number)
	}
}

func (sh *shard) len() int {
	sh.moving.RLock()
	defer sh.moving.RUnlock()
	return sh.approved.Len() + sh.blocklisted.Len()
}

// scan is the exact index of the approved sessions.
func (sh *shard) scan() *index.Exact {
	if graph, ok := sh.approved.(*index.HNSW); ok {
		return graph.Scan()
	}
	return sh.approved.(*index.Exact)
}

// vector is the template of a session of the gallery, nil and false for none. The caller holds moving.
func (sh *shard) vector(number uint64) ([]float32, bool) {
	if vector, there := sh.scan().Vector(number); there {
		return vector, true
	}
	return sh.blocklisted.Vector(number)
}

// within searches both parts as they are at one moment.
func (sh *shard) within(ctx context.Context, template face.Template, distanceMax float64, listMax int) (approved, blocklisted index.Result, err error) {
	sh.moving.RLock()
	defer sh.moving.RUnlock()
	if approved, err = sh.approved.Within(ctx, template, distanceMax, listMax); err != nil {
		return approved, blocklisted, err
	}
	// All of them, as each is a reason to decline, also one behind listMax nearer ones.
	blocklisted, err = sh.blocklisted.Within(ctx, template, distanceMax, math.MaxInt)
	return approved, blocklisted, err
}

// loadShards reads every application's templates into indexes.
func (s *Store) loadShards() error {
	applications, err := s.Applications(context.Background())
	if err != nil {
		return err
	}
	for _, application := range applications {
		started := time.Now()
		shard := s.newShard(s.model.Dim)
		s.shards[application.ID] = shard
		err := s.db.View(func(tx *bbolt.Tx) error {
			bucket, err := applicationBucket(tx, application.ID)
			if err != nil {
				return err
			}
			r, err := s.records(application.ID, bucket)
			if err != nil {
				return err
			}
			if err := r.loadShard(shard); err != nil {
				return err
			}
			shard.sessions.Add(int64(r.countBare()))
			if graph, ok := shard.approved.(*index.HNSW); ok {
				s.loadGraph(r, graph)
			}
			return nil
		})
		if err != nil {
			return err
		}
		s.log.Info("gallery loaded", "application", application.ID, "index", string(s.kind),
			"sessions", shard.len(), "seconds", time.Since(started).Seconds())
	}
	return nil
}

// Candidates implements face.Gallery.
func (s *Store) Candidates(ctx context.Context, application string, template face.Template, distanceMax float64, listMax int) (face.Candidates, error) {
	shard, err := s.shard(application)
	if err != nil {
		return face.Candidates{}, err
	}
	approved, blocklisted, err := shard.within(ctx, template, distanceMax, listMax)
	if err != nil {
		return face.Candidates{}, err
	}
	result := face.Candidates{
		List: []face.Candidate{}, Blocklisted: []face.Candidate{},
		Total: approved.Total + blocklisted.Total, Exact: approved.Exact,
	}
	err = s.view(ctx, application, func(r records) error {
		for _, hit := range merge(approved.Hits, blocklisted.Hits) {
			candidate, err := r.candidate(hit)
			if err != nil {
				return err
			}
			if candidate == nil {
				result.Total-- // it left the gallery after the index had answered
				continue
			}
			if candidate.Session.Blocklisted {
				result.Blocklisted = append(result.Blocklisted, *candidate)
			}
			if len(result.List) < listMax {
				result.List = append(result.List, *candidate)
			}
		}
		return nil
	})
	return result, err
}

// merge joins two lists of hits, each nearest first, into one.
func merge(a, b []index.Hit) []index.Hit {
	merged := make([]index.Hit, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		next := &a
		if b[0].Distance < a[0].Distance || b[0].Distance == a[0].Distance && b[0].Key < a[0].Key {
			next = &b
		}
		merged = append(merged, (*next)[0])
		*next = (*next)[1:]
	}
	return append(append(merged, a...), b...)
}

// candidate returns nil for a session that is no longer in the gallery.
func (r records) candidate(hit index.Hit) (*face.Candidate, error) {
	candidate := face.Candidate{Distance: hit.Distance}
	found, err := r.openJSON(sessionsBucket, numberKey(hit.Key), &candidate.Session)
	if err != nil || !found || !candidate.Session.InGallery() {
		return nil, err
	}
	return &candidate, nil
}
