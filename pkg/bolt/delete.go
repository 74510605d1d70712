package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"facesearch/index"
	"facesearch/pkg/face"
)

// DeleteApplication implements face.Gallery. Like Erase it deletes the records and dooms their
// keys in one transaction, then drops the index and overwrites the keys; what stays in free
// pages in the clear is the names of the application and its API keys. Its entries stay in the
// audit log, which knows IDs alone.
func (s *Store) DeleteApplication(ctx context.Context, application string) error {
	err := s.update(ctx, application, func(r records) error {
		if err := r.deleteKeys(); err != nil {
			return err
		}
		ours := func(account face.Account) bool { return account.Application == application }
		if err := deleteAccounts(r.Tx().Bucket(accountsBucket), ours); err != nil {
			return err
		}
		// Templates and pictures share the keys of their sessions and searches.
		sessions, err := r.doomAll(sessionsBucket)
		if err != nil {
			return err
		}
		searches, err := r.doomAll(searchesBucket)
		if err != nil {
			return err
		}
		if _, err := r.audit(ctx, face.AuditApplicationDelete, application, face.ErasureDetail(sessions, searches)); err != nil {
			return err
		}
		if err := r.deleteGraph(); err != nil {
			return err
		}
		return r.Tx().Bucket(applicationsBucket).DeleteBucket([]byte(application))
	}, func(dropped *shard) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.shards[application] == dropped { // and not one that was made under the ID since
			delete(s.shards, application)
		}
		if graph, ok := dropped.approved.(*index.HNSW); ok {
			go graph.Close() // it waits for what is being built
		}
		return nil
	})
	// Also after an error, for the same reason as in erase.
	if failure := s.destroyDoomed(); failure != nil {
		return failure
	}
	return err
}

// deleteKeys deletes the API keys of the application.
func (r records) deleteKeys() error {
	keys := r.Tx().Bucket(keysBucket)
	var doomed [][]byte
	err := eachKey(keys, func(prefix []byte, key face.Key) error {
		if key.Application == r.application {
			doomed = append(doomed, bytes.Clone(prefix))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return deleteFrom(keys, doomed)
}

// doomAll dooms the key of every record of a bucket, and counts them. Only what opens is believed: a damaged
// record may name the key of somebody in another application.
func (r records) doomAll(bucket []byte) (doomed int, err error) {
	err = r.Bucket.Bucket(bucket).ForEach(func(key, value []byte) error {
		_, _, err := r.openValue(bucket, key, value)
		if errors.Is(err, errErased) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("nothing was deleted: %w", err)
		}
		doomed++
		return r.doom(bucket, key)
	})
	return doomed, err
}
