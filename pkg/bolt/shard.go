package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"sync"
	"time"

	bbolt "go.etcd.io/bbolt"

	"facesearch/index"
	"facesearch/pkg/face"
)

// A shard is the index of one application. Blocklisted sessions have a part of their own,
// which is always searched exactly. Keys are session numbers.
type shard struct {
	writer      sync.Mutex // held from a transaction's begin until the index has its change
	approved    index.Index
	blocklisted *index.Exact
}

// The flags of a row; a session with neither is in no search.
const (
	flagApproved    = 1 << 0
	flagBlocklisted = 1 << 1
)

// A row is one byte of flags, the template as little-endian float32, and a CRC-32C of both:
// a template with a flipped bit would be a person who is never found again.
const rowBytes = 1 + 4*face.TemplateDim + crc32.Size

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func flagsOf(session *face.Session) byte {
	var flags byte
	if session.Status == face.Approved {
		flags |= flagApproved
	}
	if session.Blocklisted {
		flags |= flagBlocklisted
	}
	return flags
}

func encodeRow(flags byte, template *face.Template) []byte {
	row := make([]byte, 1, rowBytes)
	row[0] = flags
	for _, value := range template {
		row = binary.LittleEndian.AppendUint32(row, math.Float32bits(value))
	}
	return binary.LittleEndian.AppendUint32(row, crc32.Checksum(row, castagnoli))
}

func decodeRow(row []byte, template *face.Template) (flags byte, err error) {
	if len(row) != rowBytes {
		return 0, fmt.Errorf("a stored template has %d bytes instead of %d", len(row), rowBytes)
	}
	content := row[:rowBytes-crc32.Size]
	if binary.LittleEndian.Uint32(row[len(content):]) != crc32.Checksum(content, castagnoli) {
		return 0, errors.New("a stored template is damaged: its checksum is wrong")
	}
	for i := range template {
		template[i] = math.Float32frombits(binary.LittleEndian.Uint32(row[1+4*i:]))
	}
	return row[0], template.Validate()
}

func (s *Store) newShard() *shard {
	return &shard{approved: s.newIndex(), blocklisted: index.NewExact(face.TemplateDim)}
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
func (sh *shard) put(number uint64, template *face.Template, flags byte) error {
	var failures [2]error
	if flags&flagBlocklisted != 0 {
		sh.approved.Delete(number)
		failures[0] = sh.blocklisted.Put(number, template[:])
		return failures[0]
	}
	if flags&flagApproved != 0 {
		failures[1] = sh.approved.Put(number, template[:])
	} else {
		sh.approved.Delete(number)
	}
	sh.blocklisted.Delete(number)
	return errors.Join(failures[:]...)
}

// loadShards reads every application's templates into indexes.
func (s *Store) loadShards() error {
	applications, err := s.Applications(context.Background())
	if err != nil {
		return err
	}
	for _, application := range applications {
		started := time.Now()
		shard := s.newShard()
		s.shards[application.ID] = shard
		err := s.db.View(func(tx *bbolt.Tx) error {
			bucket, err := applicationBucket(tx, application.ID)
			if err != nil {
				return err
			}
			if graph, ok := shard.approved.(*index.HNSW); ok {
				return s.loadGraph(bucket, shard, graph)
			}
			return eachRow(bucket, shard.put)
		})
		if err != nil {
			return err
		}
		s.log.Info("gallery loaded", "application", application.ID, "index", string(s.kind),
			"sessions", shard.approved.Len()+shard.blocklisted.Len(), "seconds", time.Since(started).Seconds())
	}
	return nil
}

func eachRow(bucket *bbolt.Bucket, visit func(number uint64, template *face.Template, flags byte) error) error {
	return bucket.Bucket(templatesBucket).ForEach(func(key, row []byte) error {
		number, err := numberOf(key)
		if err != nil {
			return err
		}
		var template face.Template
		flags, err := decodeRow(row, &template)
		if err != nil {
			return fmt.Errorf("session %d: %w", number, err)
		}
		return visit(number, &template, flags)
	})
}

// Candidates implements face.Gallery.
func (s *Store) Candidates(ctx context.Context, application string, template *face.Template, distanceMax float64, listMax int) (face.Candidates, error) {
	shard, err := s.shard(application)
	if err != nil {
		return face.Candidates{}, err
	}
	approved, err := shard.approved.Within(ctx, template[:], distanceMax, listMax)
	if err != nil {
		return face.Candidates{}, err
	}
	// All of them, as each is a reason to decline, also one behind listMax nearer ones.
	blocklisted, err := shard.blocklisted.Within(ctx, template[:], distanceMax, math.MaxInt)
	if err != nil {
		return face.Candidates{}, err
	}
	result := face.Candidates{
		List: []face.Candidate{}, Blocklisted: []face.Candidate{},
		Total: approved.Total + blocklisted.Total, Exact: approved.Exact,
	}
	err = s.view(ctx, application, func(bucket *bbolt.Bucket) error {
		for _, hit := range merge(approved.Hits, blocklisted.Hits) {
			candidate, err := candidateOf(bucket, hit)
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

// candidateOf returns nil for a session that is no longer in the gallery.
func candidateOf(bucket *bbolt.Bucket, hit index.Hit) (*face.Candidate, error) {
	candidate := face.Candidate{Distance: hit.Distance}
	found, err := getJSON(bucket.Bucket(sessionsBucket), numberKey(hit.Key), &candidate.Session)
	if err != nil || !found || !candidate.Session.InGallery() {
		return nil, err
	}
	return &candidate, nil
}
