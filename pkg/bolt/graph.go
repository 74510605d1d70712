package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	bbolt "go.etcd.io/bbolt"

	"facesearch/index"
)

// recallFloor is the share of true neighbours below which a graph is not worth having, and
// recallSamplesMin how many compared answers it takes to say so.
const (
	recallFloor      = 0.9
	recallSamplesMin = 20
)

// watchRecall warns, at each doubling of the number of compared answers, while the graph
// misses more than it may.
func (s *Store) watchRecall(stats index.HNSWStats) {
	doubled := stats.Samples&(stats.Samples-1) == 0
	if stats.Samples == recallSamplesMin || stats.Samples > recallSamplesMin && doubled {
		if recall := stats.Recall(); recall < recallFloor {
			s.log.Warn("the graph misses neighbours: use the exact index", "recall", recall, "compared", stats.Samples)
		}
	}
}

// graphChunkBytes is the size of one stored part of a graph's snapshot: small enough for
// bbolt's pages, large enough to be few.
const graphChunkBytes = 1 << 20

// loadGraph reads the graph of an index that has its vectors already from its snapshot. A
// snapshot in any doubt is not believed; the graph is then rebuilt in the background, and the
// exact scan answers meanwhile.
func (s *Store) loadGraph(r records, graph *index.HNSW) {
	if err := graph.Restore(r.graphReader(), generation(r.Bucket)); err != nil {
		s.log.Info("the graph is rebuilt from the templates; searches are exact until it is ready",
			"sessions", graph.Len(), "reason", err.Error())
		s.rebuildSoon(graph)
		return
	}
	s.log.Info("the graph was read from its snapshot", "sessions", graph.Len())
}

// rebuildSoon has a graph built anew in the background. Many erasures in a row share one build,
// and whoever began it waits for its end.
func (s *Store) rebuildSoon(graph *index.HNSW) {
	if graph.RebuildSoon() {
		go s.awaitGraph(graph)
	}
}

func (s *Store) awaitGraph(graph *index.HNSW) {
	started := time.Now()
	err := graph.Wait(context.Background())
	switch {
	case err == nil:
		s.log.Info("the graph was rebuilt", "sessions", graph.Len(), "seconds", time.Since(started).Seconds())
	case errors.Is(err, index.ErrClosed): // the store was closed first: the next start rebuilds
	default:
		s.log.Warn("the graph could not be rebuilt; searches stay exact", "error", err.Error())
	}
}

// graphReader reads the chunks of a snapshot in order, up to the first that is missing or
// cannot be opened.
func (r records) graphReader() io.Reader {
	if r.Bucket.Bucket(graphBucket) == nil {
		return bytes.NewReader(nil)
	}
	number := uint32(0)
	return &chunkReader{next: func() ([]byte, error) {
		chunk, _, err := r.open(graphBucket, chunkKey(number))
		number++
		return chunk, err
	}}
}

func chunkKey(number uint32) []byte { return binary.BigEndian.AppendUint32(nil, number) }

// A chunkReader reads one chunk after the other; nil ends it.
type chunkReader struct {
	next func() ([]byte, error)
	rest []byte
}

func (c *chunkReader) Read(into []byte) (int, error) {
	if len(c.rest) == 0 {
		chunk, err := c.next()
		if err != nil {
			return 0, err
		}
		if len(chunk) == 0 {
			return 0, io.EOF
		}
		c.rest = chunk
	}
	n := copy(into, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// closeShard saves the graph of one application, if it has one that is whole.
func (s *Store) closeShard(application string, shard *shard) error {
	graph, ok := shard.approved.(*index.HNSW)
	if !ok {
		return nil
	}
	graph.Close()
	if !graph.Ready() || graph.Len() == 0 {
		return nil
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		bucket, err := applicationBucket(tx, application)
		if err != nil {
			return err
		}
		var snapshot bytes.Buffer
		if err := graph.Snapshot(&snapshot, generation(bucket)); err != nil {
			s.log.Info("the graph was not saved and is rebuilt at the next start", "reason", err.Error())
			return nil
		}
		slot, err := s.newSlot(tx)
		if err != nil {
			return err
		}
		r, err := s.records(application, bucket)
		if err != nil {
			return err
		}
		return r.putGraph(slot, snapshot.Bytes())
	})
	return errors.Join(err, s.destroyDoomed())
}

// deleteGraph dooms the key of a snapshot and deletes it. All its chunks are looked at, as the
// first may be damaged, which must not save the rest; and only what opens is believed, as a
// damaged chunk may name the key of somebody who is not to be erased.
func (r records) deleteGraph() error {
	chunks := r.Bucket.Bucket(graphBucket)
	if chunks == nil {
		return nil
	}
	slots := map[uint64]bool{}
	err := chunks.ForEach(func(key, chunk []byte) error {
		if _, _, err := r.openValue(graphBucket, key, chunk); err != nil {
			return nil
		}
		slot, err := slotOf(chunk[flagsBytes:])
		slots[slot] = true
		return err
	})
	if err != nil {
		return err
	}
	for slot := range slots {
		if err := r.doomSlot(slot); err != nil {
			return err
		}
	}
	return r.DeleteBucket(graphBucket)
}

func (r records) putGraph(slot uint64, snapshot []byte) error {
	if err := r.deleteGraph(); err != nil {
		return err
	}
	if _, err := r.CreateBucket(graphBucket); err != nil {
		return err
	}
	for number := uint32(0); len(snapshot) > 0; number++ {
		size := min(len(snapshot), graphChunkBytes)
		if err := r.seal(slot, graphBucket, chunkKey(number), 0, snapshot[:size]); err != nil {
			return fmt.Errorf("storing a part of the graph: %w", err)
		}
		snapshot = snapshot[size:]
	}
	return nil
}
