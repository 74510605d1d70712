package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"

	bbolt "go.etcd.io/bbolt"

	"facesearch/index"
	"facesearch/pkg/face"
)

// Erase implements face.Gallery. In one transaction it deletes the records and dooms their
// keys; then it takes the rows out of the index and overwrites the keys. A process that is
// killed in between overwrites them when the store is opened again. Where overwriting fails the
// records are deleted all the same, but the caller gets the error: nobody is told that
// somebody was erased whose key is still there.
func (s *Store) Erase(ctx context.Context, application string, ids []string) error {
	return s.erase(ctx, application, func(r records) ([]uint64, []string, error) {
		var numbers []uint64
		var searches []string
		for _, id := range ids {
			number := r.Bucket.Bucket(idsBucket).Get([]byte(id))
			if number != nil {
				each, err := numberOf(number)
				if err != nil {
					return nil, nil, err
				}
				numbers = append(numbers, each)
			}
			// Both, where a client has enrolled under the request_id of a search.
			isSearch := r.Bucket.Bucket(searchesBucket).Get([]byte(id)) != nil
			if isSearch {
				searches = append(searches, id)
			}
			if number == nil && !isSearch {
				return nil, nil, face.NotFound("There is no session or saved search of that ID.")
			}
		}
		return numbers, searches, nil
	})
}

// EraseOwner implements face.Gallery.
func (s *Store) EraseOwner(ctx context.Context, application, vendorData string) (sessions, searches int, err error) {
	err = s.erase(ctx, application, func(r records) ([]uint64, []string, error) {
		numbers, ids, err := s.owned(r, vendorData)
		sessions, searches = len(numbers), len(ids)
		return numbers, ids, err
	})
	if err != nil {
		return 0, 0, err
	}
	return sessions, searches, nil
}

func (s *Store) erase(ctx context.Context, application string, which func(records) ([]uint64, []string, error)) error {
	var numbers []uint64
	err := s.update(ctx, application, func(r records) error {
		var searches []string
		var err error
		if numbers, searches, err = which(r); err != nil {
			return err
		}
		slices.Sort(numbers)
		numbers = slices.Compact(numbers)
		slices.Sort(searches)
		for _, number := range numbers {
			if err := s.deleteSession(r, numberKey(number)); err != nil {
				return err
			}
		}
		for _, id := range slices.Compact(searches) {
			if err := s.deleteSearch(r, id); err != nil {
				return err
			}
		}
		if len(numbers) == 0 {
			return nil
		}
		if err := r.deleteGraph(); err != nil { // it holds their templates
			return err
		}
		return addGeneration(r.Bucket)
	}, func(shard *shard) error {
		shard.sessions.Add(-int64(len(numbers)))
		shard.delete(numbers)
		if graph, ok := shard.approved.(*index.HNSW); ok && len(numbers) > 0 {
			s.rebuildSoon(graph) // its nodes hold the templates still, in memory
		}
		return nil
	})
	// Also after an error: who repeats an erasure whose keys could not be overwritten is told
	// that there is nothing to erase, which must then be true.
	if failure := s.destroyDoomed(); failure != nil {
		return failure
	}
	return err
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
	places := []location{{sessionsBucket, number}, {idsBucket, []byte(session.ID)}, {picturesBucket, []byte(session.PictureID)}}
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
	return r.deleteAll([]location{{searchesBucket, []byte(id)}, {picturesBucket, []byte(search.PictureID)}})
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
	if err := r.deleteAll(places); err != nil {
		return err
	}
	return addGeneration(r.Bucket)
}
