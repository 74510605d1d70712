package bolt

import (
	"context"
	"encoding/binary"
	"slices"

	bbolt "go.etcd.io/bbolt"

	"facesearch/index"
	"facesearch/pkg/face"
)

// Erase implements face.Gallery. In one transaction it deletes the records and dooms their
// keys; then it takes the rows out of the index and overwrites the keys. A process that is
// killed in between overwrites them when the store is opened again.
func (s *Store) Erase(ctx context.Context, application string, ids []string) error {
	return s.erase(ctx, application, func(r records) ([]uint64, []string, error) {
		var numbers []uint64
		var searches []string
		for _, id := range ids {
			number := r.Bucket.Bucket(idsBucket).Get([]byte(id))
			switch {
			case number != nil:
				each, err := numberOf(number)
				if err != nil {
					return nil, nil, err
				}
				numbers = append(numbers, each)
			case r.Bucket.Bucket(searchesBucket).Get([]byte(id)) != nil:
				searches = append(searches, id)
			default:
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
		for _, number := range numbers {
			shard.approved.Delete(number)
			shard.blocklisted.Delete(number)
		}
		if graph, ok := shard.approved.(*index.HNSW); ok && len(numbers) > 0 {
			go s.rebuild(graph) // its nodes hold the templates still, in memory
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.destroyDoomed()
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
	return r.deleteAll([]location{
		{sessionsBucket, number}, {templatesBucket, number},
		{idsBucket, []byte(session.ID)}, {picturesBucket, []byte(session.PictureID)},
	})
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
	return r.Tx().Bucket(doomedBucket).Put(numberKey(slot), []byte{})
}

// destroyDoomed overwrites all keys that are doomed, and then forgets them.
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
	return s.db.Update(func(tx *bbolt.Tx) error {
		for _, slot := range slots {
			if err := tx.Bucket(doomedBucket).Delete(numberKey(slot)); err != nil {
				return err
			}
		}
		return nil
	})
}
