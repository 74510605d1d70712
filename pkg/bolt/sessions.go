package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"strconv"

	"facesearch/pkg/face"
)

// Enrol implements face.Gallery.
func (s *Store) Enrol(ctx context.Context, application string, enrolment face.Enrolment) (face.Session, bool, error) {
	session := enrolment.Session
	if session.ID == "" || !session.Status.Valid() {
		return face.Session{}, false, errors.New("an enrolment needs a session ID and a status")
	}
	var known *face.Session
	err := s.update(ctx, application, func(r records) (err error) {
		if err := r.set.Accepts(enrolment.Template); err != nil {
			return err
		}
		known, err = r.sessionByID(session.ID)
		if err != nil || known != nil {
			return err
		}
		session.Number, err = r.Bucket.Bucket(sessionsBucket).NextSequence()
		if err != nil {
			return err
		}
		slot, err := s.newSlot(r.Tx())
		if err != nil {
			return err
		}
		if err := s.putEnrolment(r, slot, session, enrolment); err != nil {
			return err
		}
		_, err = r.audit(ctx, face.AuditEnrol, session.ID, face.AuditDetail("number", strconv.FormatUint(session.Number, 10),
			"status", string(session.Status), "blocklisted", strconv.FormatBool(session.Blocklisted)))
		return err
	}, func(shard *shard) error {
		if known != nil {
			return nil
		}
		shard.sessions.Add(1)
		return shard.put(session.Number, enrolment.Template, flagsOf(&session))
	})
	if err != nil {
		return face.Session{}, false, err
	}
	if known == nil {
		return session, true, nil
	}
	if known.Fingerprint != session.Fingerprint {
		return face.Session{}, false, face.Conflict("There is a session with this session_id already, with other content.")
	}
	return *known, false, nil
}

func (s *Store) putEnrolment(r records, slot uint64, session face.Session, enrolment face.Enrolment) error {
	number := numberKey(session.Number)
	if err := r.Bucket.Bucket(idsBucket).Put([]byte(session.ID), number); err != nil {
		return err
	}
	if err := s.putOwner(r, session.VendorData, ownsSession, number); err != nil {
		return err
	}
	if err := r.putSession(slot, session, enrolment.Template); err != nil {
		return err
	}
	if err := r.putPicture(slot, session.PictureID, enrolment.Picture); err != nil {
		return err
	}
	return addGeneration(r.Bucket)
}

// putSession stores a session's record and its template, if it has one, each behind its flags.
func (r records) putSession(slot uint64, session face.Session, template face.Template) error {
	number, flags := numberKey(session.Number), flagsOf(&session)
	if err := r.putDate(ownsSession, session.CreatedAt, number, flags); err != nil {
		return err
	}
	if err := r.sealJSON(slot, sessionsBucket, number, flags, session); err != nil {
		return err
	}
	if template == nil {
		return nil
	}
	// Numbers ascend and a template never grows: half a page would stay empty for ever.
	r.Bucket.Bucket(r.set.bucket()).FillPercent = 1
	return r.seal(slot, r.set.bucket(), number, flags, encodeTemplate(template))
}

// sessionByID returns nil when there is none, or only what an erasure has left to a reader that
// began before it.
func (r records) sessionByID(id string) (*face.Session, error) {
	number := r.Bucket.Bucket(idsBucket).Get([]byte(id))
	if number == nil {
		return nil, nil
	}
	var session face.Session
	found, err := r.openJSON(sessionsBucket, number, &session)
	if err != nil {
		return nil, err
	}
	if !found && r.Bucket.Bucket(sessionsBucket).Get(number) == nil {
		return nil, errors.New("the store names a session that it does not hold")
	}
	if !found {
		return nil, nil
	}
	return &session, nil
}

func unknownSession() error { return face.NotFound("There is no session of that ID.") }

// Session implements face.Gallery.
func (s *Store) Session(ctx context.Context, application, id string) (face.Session, error) {
	var session *face.Session
	err := s.view(ctx, application, func(r records) (err error) {
		session, err = r.sessionByID(id)
		return err
	})
	if err != nil {
		return face.Session{}, err
	}
	if session == nil {
		return face.Session{}, unknownSession()
	}
	return *session, nil
}

// Change implements face.Gallery.
func (s *Store) Change(ctx context.Context, application, id string, change func(*face.Session)) (face.Session, error) {
	var session face.Session
	var template face.Template
	var moved bool
	err := s.update(ctx, application, func(r records) error {
		found, err := r.sessionByID(id)
		if err != nil {
			return err
		}
		if found == nil {
			return unknownSession()
		}
		session = *found
		change(&session)
		if !changeable(*found, session) {
			return errors.New("only status, comment, blocklist and details of a session can change, and the status to one that there is")
		}
		moved = flagsOf(found) != flagsOf(&session)
		if session == *found {
			return nil
		}
		template, err = r.replaceSession(session, moved)
		if err != nil {
			return err
		}
		return r.auditChange(ctx, *found, session)
	}, func(shard *shard) error {
		if !moved { // to put the same template again would wear a graph out
			return nil
		}
		return shard.put(session.Number, template, flagsOf(&session))
	})
	if err != nil {
		return face.Session{}, err
	}
	return session, nil
}

// auditChange writes an entry for each thing that was changed about a session.
func (r records) auditChange(ctx context.Context, from, to face.Session) error {
	var failures []error
	write := func(changed bool, action, detail string) {
		if changed {
			_, err := r.audit(ctx, action, to.ID, detail)
			failures = append(failures, err)
		}
	}
	write(from.Status != to.Status || from.Comment != to.Comment, face.AuditStatus,
		face.AuditDetail("from", string(from.Status), "to", string(to.Status)))
	write(from.Blocklisted != to.Blocklisted, face.AuditBlocklist, face.AuditDetail("blocklisted", strconv.FormatBool(to.Blocklisted)))
	write(from.Details != to.Details, face.AuditDetails, "")
	return errors.Join(failures...)
}

// changeable reports whether a session became another only in what may change.
func changeable(from, to face.Session) bool {
	from.Status, from.Blocklisted, from.Details, from.Comment = to.Status, to.Blocklisted, to.Details, to.Comment
	return from == to && to.Status.Valid()
}

// replaceSession stores a changed session under the key that it has, and returns its template;
// nil when none could be made of it by the model in use.
func (r records) replaceSession(session face.Session, moved bool) (face.Template, error) {
	number := numberKey(session.Number)
	template, err := r.template(r.set, number)
	if err != nil {
		return nil, err
	}
	if template == nil && session.InGallery() {
		return nil, face.Conflict("The session has no template of the embedding model in use, so that no search could find it: enrol the person again from a picture.")
	}
	slot, err := r.slot(sessionsBucket, number)
	if err != nil {
		return nil, err
	}
	if err := r.putSession(slot, session, template); err != nil {
		return nil, err
	}
	if !moved {
		return template, nil // a snapshot of the index is as good as before
	}
	if err := r.putFlagsOfNext(slot, session); err != nil {
		return nil, err
	}
	return template, addGeneration(r.Bucket)
}

// Sessions implements face.Gallery.
func (s *Store) Sessions(ctx context.Context, application string, filter face.SessionFilter) (list []face.Session, total int, err error) {
	list = []face.Session{}
	err = s.view(ctx, application, func(r records) error {
		visit := func(number, value []byte) error {
			if len(value) == 0 || !passes(filter, value[0]) {
				return nil
			}
			listed := total >= filter.Offset && len(list) < filter.Limit
			if !listed && filter.Name == "" && filter.Number == 0 { // counted without being opened
				total++
				return nil
			}
			if err := ctx.Err(); err != nil { // a name opens them all
				return err
			}
			var session face.Session
			found, err := r.openJSON(sessionsBucket, number, &session)
			if err != nil || !found || !filter.Fits(&session) { // not found: erased since this reader began
				return err
			}
			total++
			if listed {
				list = append(list, session)
			}
			return nil
		}
		if filter.Number != 0 {
			number := numberKey(filter.Number)
			return visit(number, r.Bucket.Bucket(sessionsBucket).Get(number))
		}
		if filter.VendorData != "" {
			return s.eachOwned(r, filter.VendorData, visit)
		}
		cursor := r.Bucket.Bucket(sessionsBucket).Cursor()
		for number, value := cursor.Last(); number != nil; number, value = cursor.Prev() {
			if err := visit(number, value); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return list, total, nil
}

// eachOwned visits the sessions of one vendor_data, newest first.
func (s *Store) eachOwned(r records, vendorData string, visit func(number, value []byte) error) error {
	numbers, _, err := s.owned(r, vendorData)
	if err != nil {
		return err
	}
	for i := len(numbers) - 1; i >= 0; i-- {
		number := numberKey(numbers[i])
		if err := visit(number, r.Bucket.Bucket(sessionsBucket).Get(number)); err != nil {
			return err
		}
	}
	return nil
}

func passes(filter face.SessionFilter, flags byte) bool {
	return (filter.Status == "" || filter.Status == statusOf(flags)) &&
		(filter.Blocklisted == nil || *filter.Blocklisted == (flags&flagBlocklisted != 0))
}

// Size implements face.Gallery.
func (s *Store) Size(ctx context.Context, application string) (int, error) {
	shard, err := s.shard(application)
	if err != nil {
		return 0, err
	}
	return shard.len(), ctx.Err()
}

// A stored picture is the length of its content type in one byte, the type, the data.
func (r records) putPicture(slot uint64, id string, picture face.Picture) error {
	if id == "" {
		return nil
	}
	if len(picture.Data) == 0 || len(picture.ContentType) > 255 {
		return errors.New("a picture to keep needs data and a content type of at most 255 bytes")
	}
	if r.Bucket.Bucket(picturesBucket).Get([]byte(id)) != nil {
		return face.Conflict("There is a picture with this ID already.") // and it is somebody else's to erase
	}
	value := make([]byte, 0, 1+len(picture.ContentType)+len(picture.Data))
	value = append(value, byte(len(picture.ContentType)))
	value = append(value, picture.ContentType...)
	return r.seal(slot, picturesBucket, []byte(id), 0, append(value, picture.Data...))
}

// Picture implements face.Gallery.
func (s *Store) Picture(ctx context.Context, application, id string) (face.Picture, error) {
	var picture face.Picture
	err := s.view(ctx, application, func(r records) (err error) {
		picture, err = r.picture(id)
		return err
	})
	return picture, err
}

func (r records) picture(id string) (picture face.Picture, err error) {
	value, _, err := r.open(picturesBucket, []byte(id))
	if err != nil {
		return picture, err
	}
	if value == nil {
		return picture, face.NotFound("There is no picture of that ID.")
	}
	if len(value) < 1+int(value[0]) {
		return picture, errors.New("a stored picture is damaged")
	}
	picture.ContentType = string(value[1 : 1+int(value[0])])
	picture.Data = value[1+int(value[0]):]
	return picture, nil
}

// numberOf reads a key of the sessions and templates buckets.
func numberOf(key []byte) (uint64, error) {
	if len(key) != 8 {
		return 0, errors.New("a session number in the store is damaged")
	}
	return binary.BigEndian.Uint64(key), nil
}
