package bolt

import (
	"context"
	"errors"

	bbolt "go.etcd.io/bbolt"

	"facesearch/pkg/face"
)

// moveBatch is how many records are read in one transaction: while one is open, the file cannot
// use again what was freed.
const moveBatch = 50

// LastNumber is the highest session number that was ever given in an application.
func (s *Store) LastNumber(ctx context.Context, application string) (number uint64, err error) {
	err = s.view(ctx, application, func(r records) error {
		number = r.Bucket.Bucket(sessionsBucket).Sequence()
		return nil
	})
	return number, err
}

// RaiseLastNumber keeps sessions enrolled from now on above a number.
func (s *Store) RaiseLastNumber(ctx context.Context, application string, number uint64) error {
	return s.update(ctx, application, func(r records) error { return r.raiseLastNumber(number) }, nil)
}

func (r records) raiseLastNumber(number uint64) error {
	sessions := r.Bucket.Bucket(sessionsBucket)
	return sessions.SetSequence(max(sessions.Sequence(), number))
}

// EachSession visits the sessions above a number, in order, with their templates and pictures.
func (s *Store) EachSession(ctx context.Context, application string, after uint64, visit func(face.Enrolment) error) error {
	for {
		var batch []face.Enrolment
		err := s.view(ctx, application, func(r records) error {
			cursor := r.Bucket.Bucket(sessionsBucket).Cursor()
			for key, _ := cursor.Seek(numberKey(after + 1)); key != nil && len(batch) < moveBatch; key, _ = cursor.Next() {
				enrolment, err := r.enrolment(key)
				if err != nil {
					return err
				}
				batch = append(batch, enrolment)
			}
			return nil
		})
		if err != nil || len(batch) == 0 {
			return err
		}
		for _, enrolment := range batch {
			if err := visit(enrolment); err != nil {
				return err
			}
			after = enrolment.Session.Number
		}
	}
}

// enrolment reads everything that belongs to a session.
func (r records) enrolment(number []byte) (e face.Enrolment, err error) {
	found, err := r.openJSON(sessionsBucket, number, &e.Session)
	if err != nil {
		return e, err
	}
	if !found {
		return e, errors.New("a session was erased while the store was read")
	}
	if e.Template, err = r.template(r.set, number); err != nil {
		return e, err
	}
	if e.Session.PictureID != "" {
		e.Picture, err = r.picture(e.Session.PictureID)
	}
	return e, err
}

// Restore stores sessions under the numbers that they have. Those that are there already are
// left alone. CodeConflict: one is there with another number or other content, or its number or
// picture is another one's; then nothing is stored.
func (s *Store) Restore(ctx context.Context, application string, sessions []face.Enrolment) error {
	var stored []face.Enrolment
	return s.update(ctx, application, func(r records) error {
		for _, enrolment := range sessions {
			known, err := r.sessionByID(enrolment.Session.ID)
			if err != nil {
				return err
			}
			taken := r.Bucket.Bucket(sessionsBucket).Get(numberKey(enrolment.Session.Number)) != nil
			if known != nil && known.Number == enrolment.Session.Number && known.Fingerprint == enrolment.Session.Fingerprint {
				continue
			}
			if known != nil || taken || enrolment.Session.Number == 0 {
				return face.Conflict("Session number %d is taken, or is there as another one.", enrolment.Session.Number)
			}
			if err := s.restore(r, enrolment); err != nil {
				return err
			}
			stored = append(stored, enrolment)
		}
		return nil
	}, func(shard *shard) error {
		for i := range stored {
			session := &stored[i].Session
			shard.sessions.Add(1)
			if stored[i].Template == nil {
				continue
			}
			if err := shard.put(session.Number, stored[i].Template, flagsOf(session)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) restore(r records, enrolment face.Enrolment) error {
	// One that lost its template when the gallery changed its model is in no search.
	if enrolment.Template == nil && !enrolment.Session.InGallery() {
		bare, err := r.CreateBucketIfNotExists(bareBucket)
		if err != nil {
			return err
		}
		if err := bare.Put(numberKey(enrolment.Session.Number), []byte{}); err != nil {
			return err
		}
	} else if err := r.set.Accepts(enrolment.Template); err != nil {
		return err
	}
	slot, err := s.newSlot(r.Tx())
	if err != nil {
		return err
	}
	if err := r.raiseLastNumber(enrolment.Session.Number); err != nil {
		return err
	}
	return s.putEnrolment(r, slot, enrolment.Session, enrolment)
}

// EachSearch visits the saved searches, each with its picture.
func (s *Store) EachSearch(ctx context.Context, application string, visit func(face.SavedSearch, face.Picture) error) error {
	after := []byte(nil)
	for {
		var searches []face.SavedSearch
		var pictures []face.Picture
		err := s.view(ctx, application, func(r records) error {
			cursor := r.Bucket.Bucket(searchesBucket).Cursor()
			for key, _ := cursor.Seek(after); key != nil && len(searches) < moveBatch; key, _ = cursor.Next() {
				search, picture, err := r.search(key)
				if err != nil {
					return err
				}
				searches, pictures = append(searches, search), append(pictures, picture)
				after = append(append([]byte(nil), key...), 0) // the first key that may follow
			}
			return nil
		})
		if err != nil || len(searches) == 0 {
			return err
		}
		for i := range searches {
			if err := visit(searches[i], pictures[i]); err != nil {
				return err
			}
		}
	}
}

func (r records) search(key []byte) (search face.SavedSearch, picture face.Picture, err error) {
	found, err := r.openJSON(searchesBucket, key, &search)
	if err == nil && !found {
		err = errors.New("a saved search was erased while the store was read")
	}
	if err == nil && search.PictureID != "" {
		picture, err = r.picture(search.PictureID)
	}
	return search, picture, err
}

// RestoreApplication stores an application that was made in another store; one that is there already
// is left alone.
func (s *Store) RestoreApplication(ctx context.Context, application face.Application) error {
	err := s.createApplication(ctx, application, func(*bbolt.Tx) error { return nil })
	if face.CodeOf(err) == face.CodeConflict {
		return nil
	}
	return err
}

// RestoreAudit appends entries of another store's audit log, as they are; those that are there
// already are passed over. own says which are those of an application that there is. CodeConflict:
// they are not what follows, or another entry is in the place of one.
func (s *Store) RestoreAudit(ctx context.Context, entries []face.AuditEntry, own func(face.AuditEntry) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		log := tx.Bucket(auditBucket)
		var last face.AuditEntry
		if number, stored := log.Cursor().Last(); stored != nil {
			n, err := numberOf(number)
			if err != nil {
				return err
			}
			last = auditEntry(n, stored)
		}
		for _, entry := range entries {
			if entry.Number <= last.Number {
				if auditEntry(entry.Number, log.Get(numberKey(entry.Number))).Hash != entry.Hash {
					return face.Conflict("The audit logs differ at entry %d: begin with an empty store.", entry.Number)
				}
				continue
			}
			if entry.Number != last.Number+1 || entry.Previous != last.Hash || entry.Hash != entry.Sum() {
				return face.Conflict("The audit log is damaged at entry %d.", entry.Number)
			}
			if err := errors.Join(putEntry(log, entry), log.SetSequence(entry.Number)); err != nil {
				return err
			}
			if own(entry) {
				if err := ownEntry(tx, entry); err != nil {
					return err
				}
			}
			last = entry
		}
		return nil
	})
}
