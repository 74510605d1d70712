package bolt

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	bbolt "go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"facesearch/pkg/face"
)

// Templates are those that searches look through, blocklisted ones included, of one application,
// or of all when application is empty, oldest session first. It reads the store in a directory and
// changes nothing in it. The last pair has the error that ended it, if any: ErrLocked when another
// process has the store open. A template may be used until the next one comes.
func Templates(directory, application string) iter.Seq2[face.Template, error] {
	return func(yield func(face.Template, error) bool) {
		store, err := openReadOnly(directory)
		if err != nil {
			yield(nil, err)
			return
		}
		err = store.readTemplates(application, func(template face.Template) error {
			if !yield(template, nil) {
				return errStopped
			}
			return nil
		})
		stopped := errors.Is(err, errStopped)
		if err = errors.Join(err, store.db.Close(), store.vault.close()); err != nil && !stopped {
			yield(nil, err)
		}
	}
}

var errStopped = errors.New("the reader has seen enough")

// openReadOnly opens a store without its indexes.
func openReadOnly(directory string) (*Store, error) {
	path := filepath.Join(directory, FileName)
	db, err := bbolt.Open(path, 0, &bbolt.Options{Timeout: lockWaitMax, ReadOnly: true})
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("there is no store in %s", directory)
	case errors.Is(err, bbolterrors.ErrTimeout):
		return nil, fmt.Errorf("%s: %w", path, ErrLocked)
	case err != nil:
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	store := &Store{db: db}
	if store.vault, err = openVaultToRead(filepath.Join(directory, KeysFileName)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := db.View(store.check); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), db.Close(), store.vault.close())
	}
	return store, nil
}

func (s *Store) readTemplates(application string, visit func(face.Template) error) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		all := tx.Bucket(applicationsBucket)
		if application != "" {
			bucket, err := applicationBucket(tx, application)
			if err != nil {
				return err
			}
			r, err := s.records(application, bucket)
			if err != nil {
				return err
			}
			return r.readTemplates(visit)
		}
		return all.ForEachBucket(func(id []byte) error {
			r, err := s.records(string(id), all.Bucket(id))
			if err != nil {
				return err
			}
			return r.readTemplates(visit)
		})
	})
}

func (r records) readTemplates(visit func(face.Template) error) error {
	return r.eachTemplates(1, func(batch *openedRows) error {
		for i, row := range batch.rows {
			if row.value[0]&(flagApproved|flagBlocklisted) == 0 {
				continue
			}
			if err := visit(batch.templates[i]); err != nil {
				return err
			}
		}
		return nil
	})
}
