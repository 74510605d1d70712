package bolt

import (
	"crypto/aes"
	"crypto/cipher"
	"os"

	bbolt "go.etcd.io/bbolt"

	"facesearch/pkg/face"
)

// Fill enrols many sessions in one transaction, which Enrol would take minutes for. The
// store has to be opened again before it searches them.
func (s *Store) Fill(application string, enrolments []face.Enrolment) ([]face.Session, error) {
	var sessions []face.Session
	err := s.db.Update(func(tx *bbolt.Tx) error {
		bucket, err := applicationBucket(tx, application)
		if err != nil {
			return err
		}
		var slots []uint64
		for range enrolments {
			slot, err := tx.Bucket(slotsBucket).NextSequence()
			if err != nil {
				return err
			}
			slots = append(slots, slot)
		}
		if err := s.vault.create(slots...); err != nil {
			return err
		}
		for i, enrolment := range enrolments {
			session := enrolment.Session
			if session.Number, err = bucket.Bucket(sessionsBucket).NextSequence(); err != nil {
				return err
			}
			r := records{s.vault, application, bucket}
			if err := s.putEnrolment(r, slots[i], session, enrolment); err != nil {
				return err
			}
			sessions = append(sessions, session)
		}
		return nil
	})
	return sessions, err
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
