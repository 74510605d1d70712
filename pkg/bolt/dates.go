package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	bbolt "go.etcd.io/bbolt"

	"facesearch/pkg/face"
)

// The dates bucket orders sessions and saved searches by the time they were made. A key is
// ownsSession or ownsSearch, the time, and what the owners bucket has too: a session's number
// or a saved search's ID. The value is the record's flags.

const dateBytes = 1 + 8

// dateKey sorts times before 1970 before those after it.
func dateKey(kind byte, at time.Time, what []byte) []byte {
	key := binary.BigEndian.AppendUint64([]byte{kind}, uint64(unixNano(at))^1<<63)
	return append(key, what...)
}

// unixNano is the nearest that there is, for times beyond the year 2262 or before 1678.
func unixNano(at time.Time) int64 {
	switch {
	case at.Year() > 2261:
		return 1<<63 - 1
	case at.Year() < 1678:
		return -1 << 63
	}
	return at.UnixNano()
}

func (r records) putDate(kind byte, at time.Time, what []byte, flags byte) error {
	return r.Bucket.Bucket(datesBucket).Put(dateKey(kind, at, what), []byte{flags})
}

// eachDate visits what was made from one time until before another, until visit returns false.
// A zero time is no bound.
func (r records) eachDate(kind byte, from, to time.Time, oldestFirst bool, visit func(what []byte, flags byte) (bool, error)) error {
	first, end := []byte{kind}, []byte{kind + 1}
	if !from.IsZero() {
		first = dateKey(kind, from, nil)
	}
	if !to.IsZero() {
		end = dateKey(kind, to, nil)
	}
	cursor := r.Bucket.Bucket(datesBucket).Cursor()
	for key, value := start(cursor, first, end, oldestFirst); inside(key, first, end); key, value = step(cursor, oldestFirst) {
		if len(key) <= dateBytes || len(value) != flagsBytes {
			return errors.New("the list of dates is damaged")
		}
		if more, err := visit(key[dateBytes:], value[0]); err != nil || !more {
			return err
		}
	}
	return nil
}

func inside(key, first, end []byte) bool {
	return key != nil && bytes.Compare(key, first) >= 0 && bytes.Compare(key, end) < 0
}

func start(cursor *bbolt.Cursor, first, end []byte, oldestFirst bool) (key, value []byte) {
	if oldestFirst {
		return cursor.Seek(first)
	}
	if key, _ := cursor.Seek(end); key == nil {
		return cursor.Last()
	}
	return cursor.Prev()
}

func step(cursor *bbolt.Cursor, oldestFirst bool) (key, value []byte) {
	if oldestFirst {
		return cursor.Next()
	}
	return cursor.Prev()
}

// upgrade gives the applications of a store that was made before there were dates and an audit
// log both, and the saved searches their flags.
func (s *Store) upgrade(tx *bbolt.Tx) error {
	if _, err := tx.CreateBucketIfNotExists(auditBucket); err != nil {
		return err
	}
	all := tx.Bucket(applicationsBucket)
	return all.ForEachBucket(func(id []byte) error {
		r, err := s.records(string(id), all.Bucket(id))
		if err != nil {
			return err
		}
		if r.Bucket.Bucket(datesBucket) != nil {
			return nil
		}
		for _, name := range [][]byte{datesBucket, auditBucket} {
			if _, err := r.CreateBucket(name); err != nil {
				return err
			}
		}
		return errors.Join(r.dateSessions(), r.dateSearches())
	})
}

func (r records) dateSessions() error {
	return r.Bucket.Bucket(sessionsBucket).ForEach(func(number, _ []byte) error {
		var session face.Session
		found, err := r.openJSON(sessionsBucket, number, &session)
		if err != nil || !found {
			return err
		}
		return r.putDate(ownsSession, session.CreatedAt, number, flagsOf(&session))
	})
}

func (r records) dateSearches() error {
	var ids [][]byte // what is put while a bucket is read may be read again
	err := r.Bucket.Bucket(searchesBucket).ForEach(func(id, _ []byte) error {
		ids = append(ids, bytes.Clone(id))
		return nil
	})
	for _, id := range ids {
		var search face.SavedSearch
		found, openErr := r.openJSON(searchesBucket, id, &search)
		if openErr != nil {
			return openErr
		}
		if !found {
			continue
		}
		slot, slotErr := r.slot(searchesBucket, id)
		if err := errors.Join(slotErr, r.putSearch(slot, search)); err != nil {
			return err
		}
	}
	return err
}
