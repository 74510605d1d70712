package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	bbolt "go.etcd.io/bbolt"

	"facesearch/index"
	"facesearch/pkg/face"
)

// Erase implements face.Gallery. In one transaction it deletes the records and dooms their
// keys; then it takes the rows out of the index and overwrites the keys. A process that is
// killed in between overwrites them when the store is opened again. Where overwriting fails the
// records are deleted all the same, but the caller gets the error: nobody is told that
// somebody was erased whose key is still there.
func (s *Store) Erase(ctx context.Context, application string, ids []string) (face.Erasure, error) {
	return s.erase(ctx, application, face.AuditErase, func(r records) (list doomedList, err error) {
		for _, id := range ids {
			number := r.Bucket.Bucket(idsBucket).Get([]byte(id))
			if number != nil {
				each, err := numberOf(number)
				if err != nil {
					return list, err
				}
				list.numbers = append(list.numbers, each)
			}
			// Both, where a client has enrolled under the request_id of a search.
			isSearch := r.Bucket.Bucket(searchesBucket).Get([]byte(id)) != nil
			if isSearch {
				list.searches = append(list.searches, id)
			}
			if number == nil && !isSearch {
				return list, face.NotFound("There is no session or saved search of that ID.")
			}
		}
		if len(ids) == 1 {
			list.object = ids[0]
			return list, nil
		}
		list.pairs = []string{"ids", strings.Join(ids, ",")}
		return list, nil
	})
}

// EraseOwners implements face.Gallery.
func (s *Store) EraseOwners(ctx context.Context, application string, vendorData []string) (face.Erasure, error) {
	return s.erase(ctx, application, face.AuditErasePeople, func(r records) (list doomedList, err error) {
		list.pairs = []string{"people", strconv.Itoa(len(vendorData))}
		for _, each := range vendorData {
			numbers, ids, err := s.owned(r, each)
			if err != nil {
				return list, err
			}
			list.numbers, list.searches = append(list.numbers, numbers...), append(list.searches, ids...)
		}
		return list, nil
	})
}

// EraseBefore implements face.Gallery.
func (s *Store) EraseBefore(ctx context.Context, application string, sessions, searches time.Time, max int) (face.Erasure, error) {
	return s.erase(ctx, application, face.AuditRetention, func(r records) (list doomedList, err error) {
		if max < 1 {
			return list, errors.New("at least one has to be erased at a time")
		}
		list.onlySome = true
		if !sessions.IsZero() {
			list.pairs = append(list.pairs, "sessions_before", sessions.UTC().Format(time.RFC3339))
			err = r.eachDate(ownsSession, time.Time{}, sessions, true, func(what []byte, _ byte) (bool, error) {
				number, err := numberOf(what)
				list.numbers = append(list.numbers, number)
				return len(list.numbers) < max, err
			})
		}
		if err != nil || searches.IsZero() {
			return list, err
		}
		list.pairs = append(list.pairs, "searches_before", searches.UTC().Format(time.RFC3339))
		err = r.eachDate(ownsSearch, time.Time{}, searches, true, func(what []byte, _ byte) (bool, error) {
			list.searches = append(list.searches, string(what))
			return len(list.searches) < max, nil
		})
		return list, err
	})
}

// A doomedList is what an erasure erases, and what its audit entry says of it.
type doomedList struct {
	numbers  []uint64 // of sessions
	searches []string
	object   string
	pairs    []string
	onlySome bool // it writes no entry where there is nothing to erase
}

func (s *Store) erase(ctx context.Context, application, action string, which func(records) (doomedList, error)) (face.Erasure, error) {
	var list doomedList
	var erasure face.Erasure
	err := s.update(ctx, application, func(r records) (err error) {
		if list, err = which(r); err != nil {
			return err
		}
		slices.Sort(list.numbers)
		list.numbers = slices.Compact(list.numbers)
		slices.Sort(list.searches)
		list.searches = slices.Compact(list.searches)
		erasure.Sessions, erasure.Searches = len(list.numbers), len(list.searches)
		if list.onlySome && erasure.Sessions+erasure.Searches == 0 {
			return nil
		}
		erasure.Entry, err = r.audit(ctx, action, list.object, face.ErasureDetail(erasure.Sessions, erasure.Searches, list.pairs...))
		if err != nil {
			return err
		}
		return s.deleteList(r, list)
	}, func(shard *shard) error {
		shard.sessions.Add(-int64(len(list.numbers)))
		shard.delete(list.numbers)
		if graph, ok := shard.approved.(*index.HNSW); ok && len(list.numbers) > 0 {
			s.rebuildSoon(graph) // its nodes hold the templates still, in memory
		}
		return nil
	})
	// Also after an error: who repeats an erasure whose keys could not be overwritten is told
	// that there is nothing to erase, which must then be true.
	if failure := s.destroyDoomed(); failure != nil {
		err = failure
	}
	if err != nil {
		return face.Erasure{}, err
	}
	return erasure, nil
}

func (s *Store) deleteList(r records, list doomedList) error {
	for _, number := range list.numbers {
		if err := s.deleteSession(r, numberKey(number)); err != nil {
			return err
		}
	}
	for _, id := range list.searches {
		if err := s.deleteSearch(r, id); err != nil {
			return err
		}
	}
	if len(list.numbers) == 0 {
		return nil
	}
	if err := r.deleteGraph(); err != nil { // it holds their templates
		return err
	}
	return addGeneration(r.Bucket)
}

func (s *Store) deleteSession(r records, number []byte) error {
	var session face.Session
	if _, err := r.openJSON(sessionsBucket, number, &session); err != nil {
		return err
	}
	if err := r.doom(sessionsBucket, number); err != nil {
		return err
	}
	if err := s.deleteOwner(r, session.VendorData, ownsSession, number); err != nil {
		return err
	}
	places := []location{
		{sessionsBucket, number}, {idsBucket, []byte(session.ID)}, {picturesBucket, []byte(session.PictureID)},
		{datesBucket, dateKey(ownsSession, session.CreatedAt, number)},
	}
	return r.deleteAll(append(places, r.templatesOf(number)...))
}

func (s *Store) deleteSearch(r records, id string) error {
	var search face.SavedSearch
	if _, err := r.openJSON(searchesBucket, []byte(id), &search); err != nil {
		return err
	}
	if err := r.doom(searchesBucket, []byte(id)); err != nil {
		return err
	}
	if err := s.deleteOwner(r, search.VendorData, ownsSearch, []byte(id)); err != nil {
		return err
	}
	return r.deleteAll([]location{
		{searchesBucket, []byte(id)}, {picturesBucket, []byte(search.PictureID)},
		{datesBucket, dateKey(ownsSearch, search.CreatedAt, []byte(id))},
	})
}

// A location is a key in a bucket.
type location struct{ bucket, key []byte }

func (r records) deleteAll(places []location) error {
	for _, each := range places {
		if len(each.key) == 0 {
			continue
		}
		if err := r.Bucket.Bucket(each.bucket).Delete(each.key); err != nil {
			return err
		}
	}
	return nil
}

// doom marks the key of a record for destruction.
func (r records) doom(bucket, key []byte) error {
	slot, err := r.slot(bucket, key)
	if err != nil || slot == 0 {
		return err
	}
	return r.doomSlot(slot)
}

func (r records) doomSlot(slot uint64) error {
	return r.Tx().Bucket(doomedBucket).Put(numberKey(slot), []byte{})
}

// destroyDoomed overwrites all keys that are doomed, and then forgets them. When it returns nil,
// all that were doomed before the call are overwritten, whoever did it.
func (s *Store) destroyDoomed() error {
	var slots []uint64
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(doomedBucket).ForEach(func(key, _ []byte) error {
			slots = append(slots, binary.BigEndian.Uint64(key))
			return nil
		})
	})
	if err != nil || len(slots) == 0 {
		return err
	}
	if err := s.vault.destroy(slots...); err != nil {
		return err
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		doomed := tx.Bucket(doomedBucket)
		var sum uint64
		for _, slot := range slots {
			if doomed.Get(numberKey(slot)) == nil {
				continue // by another erasure
			}
			sum += erasure(slot)
			if err := doomed.Delete(numberKey(slot)); err != nil {
				return err
			}
		}
		return addErasures(tx, sum)
	})
	if err != nil { // the keys are gone, which is what was asked for
		s.log.Warn("keys that were destroyed could not be forgotten; they are destroyed again at the next start", "error", err.Error())
	}
	return nil
}

// erasuresOf is the sum of the erasures that a store knows of, see vault.erasures; false when it
// does not say.
func erasuresOf(tx *bbolt.Tx) (sum uint64, known bool) {
	value := tx.Bucket(metaBucket).Get(erasuresKey)
	if len(value) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(value), true
}

func addErasures(tx *bbolt.Tx, more uint64) error {
	sum, known := erasuresOf(tx)
	if !known {
		return nil // the next start finds out
	}
	return tx.Bucket(metaBucket).Put(erasuresKey, numberKey(sum+more))
}

// forgetErased deletes records whose keys were destroyed. There are such where an older copy of
// the store was put back beside the keys of today: who was erased since then stays erased. Only
// then is every record looked at.
func (s *Store) forgetErased() error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		sum, err := s.vault.erasures(tx.Bucket(slotsBucket).Sequence())
		if err != nil {
			return err
		}
		if knows, known := erasuresOf(tx); known && knows == sum {
			return nil
		}
		if err := tx.Bucket(metaBucket).Put(erasuresKey, numberKey(sum)); err != nil {
			return err
		}
		all := tx.Bucket(applicationsBucket)
		return all.ForEachBucket(func(id []byte) error {
			r, err := s.records(string(id), all.Bucket(id))
			if err != nil {
				return err
			}
			// Pictures are looked at only where one of these is gone: they are too many pages.
			sessions, err := r.erased(sessionsBucket)
			if err != nil {
				return err
			}
			searches, err := r.erased(searchesBucket)
			if err != nil || len(sessions)+len(searches) == 0 {
				return err
			}
			s.log.Warn("the store is older than its keys; records that were erased since are deleted",
				"application", r.application, "sessions", len(sessions), "searches", len(searches))
			return r.forget(sessions, searches)
		})
	})
}

// erased lists the keys of records in a bucket that nobody can read any more.
func (r records) erased(bucket []byte) (keys [][]byte, err error) {
	keysOf := &window{vault: r.vault}
	err = r.Bucket.Bucket(bucket).ForEach(func(key, value []byte) error {
		if len(value) < flagsBytes {
			return nil // damaged, which is for its reader to find
		}
		slot, err := slotOf(value[flagsBytes:])
		if err != nil {
			return nil
		}
		gone, err := destroyed(keysOf, slot)
		if gone {
			keys = append(keys, bytes.Clone(key))
		}
		return err
	})
	return keys, err
}

// forget does what deleteSession and deleteSearch do, for records that cannot be opened.
func (r records) forget(sessions, searches [][]byte) error {
	var places []location
	gone := map[string]bool{}
	for _, number := range sessions {
		places = append(append(places, location{sessionsBucket, number}), r.templatesOf(number)...)
		gone[string(ownsSession)+string(number)] = true
	}
	for _, id := range searches {
		places = append(places, location{searchesBucket, id})
		gone[string(ownsSearch)+string(id)] = true
	}
	pictures, err := r.erased(picturesBucket)
	if err != nil {
		return err
	}
	for _, id := range pictures {
		places = append(places, location{picturesBucket, id})
	}
	err = r.Bucket.Bucket(idsBucket).ForEach(func(id, number []byte) error {
		if gone[string(ownsSession)+string(number)] {
			places = append(places, location{idsBucket, bytes.Clone(id)})
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = r.Bucket.Bucket(ownersBucket).ForEach(func(key, _ []byte) error {
		if len(key) > ownerHashBytes && gone[string(key[ownerHashBytes:])] {
			places = append(places, location{ownersBucket, bytes.Clone(key)})
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = r.Bucket.Bucket(datesBucket).ForEach(func(key, _ []byte) error {
		if len(key) > dateBytes && gone[string(key[:1])+string(key[dateBytes:])] {
			places = append(places, location{datesBucket, bytes.Clone(key)})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.deleteAll(places); err != nil {
		return err
	}
	return addGeneration(r.Bucket)
}
