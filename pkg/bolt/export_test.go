package bolt

import (
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
