package bolt

import (
	"crypto/aes"
	"crypto/cipher"
	"os"
	"slices"

	bbolt "go.etcd.io/bbolt"

	"facesearch/index"
	"facesearch/pkg/face"
)

// fillBatch sessions are written in one transaction: bbolt splits pages only when one ends.
const fillBatch = 20_000

// Fill enrols many sessions in few transactions, which Enrol would take minutes for. The
// store has to be opened again before it searches them.
func (s *Store) Fill(application string, enrolments []face.Enrolment) ([]face.Session, error) {
	var sessions []face.Session
	for batch := range slices.Chunk(enrolments, fillBatch) {
		err := s.db.Update(func(tx *bbolt.Tx) error {
			filled, err := s.fill(tx, application, batch)
			sessions = append(sessions, filled...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return sessions, nil
}

func (s *Store) fill(tx *bbolt.Tx, application string, enrolments []face.Enrolment) (sessions []face.Session, err error) {
	bucket, err := applicationBucket(tx, application)
	if err != nil {
		return nil, err
	}
	slots := make([]uint64, len(enrolments))
	for i := range slots {
		if slots[i], err = tx.Bucket(slotsBucket).NextSequence(); err != nil {
			return nil, err
		}
	}
	if err := s.vault.create(slots...); err != nil {
		return nil, err
	}
	r, err := s.records(application, bucket)
	if err != nil {
		return nil, err
	}
	for i, enrolment := range enrolments {
		session := enrolment.Session
		if session.Number, err = bucket.Bucket(sessionsBucket).NextSequence(); err != nil {
			return nil, err
		}
		if err := s.putEnrolment(r, slots[i], session, enrolment); err != nil {
			return nil, err
		}
		sessions = append(sessions, session)
	}
	return sessions, nil
}

// Opens reports whether a record's value, flags included, can be read with a key.
func Opens(key []byte, application string, bucket, recordKey, value []byte) bool {
	block, err := aes.NewCipher(key)
	if err != nil {
		return false
	}
	aead, err := cipher.NewGCM(block)
	if err != nil || len(value) < flagsBytes+sealedOverhead {
		return false
	}
	sealed := value[flagsBytes+8:]
	at := append(place(application, bucket, recordKey), value[0])
	_, err = aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], at)
	return err == nil
}

// LockKeys makes the file of keys one that cannot be written, until the function that it
// returns is called.
func (s *Store) LockKeys() (unlock func() error, err error) {
	whole := s.vault.file
	locked, err := os.Open(whole.Name())
	if err != nil {
		return nil, err
	}
	s.vault.mu.Lock()
	defer s.vault.mu.Unlock()
	s.vault.file = locked
	return func() error {
		s.vault.mu.Lock()
		defer s.vault.mu.Unlock()
		s.vault.file = whole
		return locked.Close()
	}, nil
}

// RestoreDamaged does with the first chunk of a graph's snapshot what a start does, when it is
// damaged as it is stored or, sealed again, in what was sealed. It returns why the snapshot is not
// believed, and leaves the store as it was.
func (s *Store) RestoreDamaged(application string, inside bool, damage func(chunk []byte)) error {
	shard, err := s.shard(application)
	if err != nil {
		return err
	}
	tx, err := s.db.Begin(true)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	bucket, err := applicationBucket(tx, application)
	if err != nil {
		return err
	}
	r, err := s.records(application, bucket)
	if err != nil {
		return err
	}
	first := chunkKey(0)
	chunks := r.Bucket.Bucket(graphBucket)
	if inside {
		slot, err := r.slot(graphBucket, first)
		if err != nil {
			return err
		}
		data, _, err := r.open(graphBucket, first)
		if err != nil {
			return err
		}
		damage(data)
		if err := r.seal(slot, graphBucket, first, 0, data); err != nil {
			return err
		}
	} else {
		sealed := slices.Clone(chunks.Get(first))
		damage(sealed)
		if err := chunks.Put(first, sealed); err != nil {
			return err
		}
	}
	return shard.approved.(*index.HNSW).Restore(r.graphReader(), generation(bucket))
}
