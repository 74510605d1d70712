package bolt

import (
	"context"
	"encoding/binary"
	"errors"

	bbolt "go.etcd.io/bbolt"

	"facesearch/pkg/face"
)

// Enrol implements face.Gallery.
func (s *Store) Enrol(ctx context.Context, application string, enrolment face.Enrolment) (face.Session, bool, error) {
	session := enrolment.Session
	if session.ID == "" || !session.Status.Valid() {
		return face.Session{}, false, errors.New("an enrolment needs a session ID and a status")
	}
	if err := enrolment.Template.Validate(); err != nil {
		return face.Session{}, false, err
	}
	var known *face.Session
	err := s.update(ctx, application, func(bucket *bbolt.Bucket) (err error) {
		known, err = sessionByID(bucket, session.ID)
		if err != nil || known != nil {
			return err
		}
		session.Number, err = bucket.Bucket(sessionsBucket).NextSequence()
		if err != nil {
			return err
		}
		return putEnrolment(bucket, session, enrolment)
	}, func(shard *shard) error {
		if known != nil {
			return nil
		}
		return shard.put(session.Number, &enrolment.Template, flagsOf(&session))
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

func putEnrolment(bucket *bbolt.Bucket, session face.Session, enrolment face.Enrolment) error {
	number := numberKey(session.Number)
	if err := putJSON(bucket.Bucket(sessionsBucket), number, session); err != nil {
		return err
	}
	if err := bucket.Bucket(idsBucket).Put([]byte(session.ID), number); err != nil {
		return err
	}
	row := encodeRow(flagsOf(&session), &enrolment.Template)
	if err := bucket.Bucket(templatesBucket).Put(number, row); err != nil {
		return err
	}
	if err := putPicture(bucket, session.PictureID, enrolment.Picture); err != nil {
		return err
	}
	return addGeneration(bucket)
}

// sessionByID returns nil when there is none.
func sessionByID(bucket *bbolt.Bucket, id string) (*face.Session, error) {
	number := bucket.Bucket(idsBucket).Get([]byte(id))
	if number == nil {
		return nil, nil
	}
	var session face.Session
	found, err := getJSON(bucket.Bucket(sessionsBucket), number, &session)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, errors.New("the store names a session that it does not hold")
	}
	return &session, nil
}

// Session implements face.Gallery.
func (s *Store) Session(ctx context.Context, application, id string) (face.Session, error) {
	var session *face.Session
	err := s.view(ctx, application, func(bucket *bbolt.Bucket) (err error) {
		session, err = sessionByID(bucket, id)
		return err
	})
	if err != nil {
		return face.Session{}, err
	}
	if session == nil {
		return face.Session{}, face.NotFound("There is no session of that ID.")
	}
	return *session, nil
}

// Size implements face.Gallery.
func (s *Store) Size(ctx context.Context, application string) (int, error) {
	shard, err := s.shard(application)
	if err != nil {
		return 0, err
	}
	return shard.approved.Len() + shard.blocklisted.Len(), ctx.Err()
}

// SaveSearch implements face.Gallery.
func (s *Store) SaveSearch(ctx context.Context, application string, search face.SavedSearch, picture face.Picture) error {
	return s.update(ctx, application, func(bucket *bbolt.Bucket) error {
		if err := putPicture(bucket, search.PictureID, picture); err != nil {
			return err
		}
		return putJSON(bucket.Bucket(searchesBucket), []byte(search.ID), search)
	}, nil)
}

// SavedSearch implements face.Gallery.
func (s *Store) SavedSearch(ctx context.Context, application, id string) (face.SavedSearch, error) {
	var search face.SavedSearch
	var found bool
	err := s.view(ctx, application, func(bucket *bbolt.Bucket) (err error) {
		found, err = getJSON(bucket.Bucket(searchesBucket), []byte(id), &search)
		return err
	})
	if err == nil && !found {
		err = face.NotFound("There is no saved search of that ID.")
	}
	return search, err
}

// A stored picture is the length of its content type in one byte, the type, the data.
func putPicture(bucket *bbolt.Bucket, id string, picture face.Picture) error {
	if id == "" {
		return nil
	}
	if len(picture.Data) == 0 || len(picture.ContentType) > 255 {
		return errors.New("a picture to keep needs data and a content type of at most 255 bytes")
	}
	value := make([]byte, 0, 1+len(picture.ContentType)+len(picture.Data))
	value = append(value, byte(len(picture.ContentType)))
	value = append(value, picture.ContentType...)
	return bucket.Bucket(picturesBucket).Put([]byte(id), append(value, picture.Data...))
}

// Picture implements face.Gallery.
func (s *Store) Picture(ctx context.Context, application, id string) (face.Picture, error) {
	var picture face.Picture
	err := s.view(ctx, application, func(bucket *bbolt.Bucket) error {
		value := bucket.Bucket(picturesBucket).Get([]byte(id))
		if value == nil {
			return face.NotFound("There is no picture of that ID.")
		}
		if len(value) < 1+int(value[0]) {
			return errors.New("a stored picture is damaged")
		}
		data := value[1+int(value[0]):]
		picture.ContentType = string(value[1 : 1+int(value[0])])
		picture.Data = append([]byte(nil), data...)
		return nil
	})
	return picture, err
}

// numberOf reads a key of the sessions and templates buckets.
func numberOf(key []byte) (uint64, error) {
	if len(key) != 8 {
		return 0, errors.New("a session number in the store is damaged")
	}
	return binary.BigEndian.Uint64(key), nil
}
