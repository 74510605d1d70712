package bolt

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"sort"
	"time"

	bbolt "go.etcd.io/bbolt"

	"facesearch/pkg/face"
)

// CreateApplication implements face.Gallery.
func (s *Store) CreateApplication(ctx context.Context, application face.Application) error {
	return s.createApplication(ctx, application, func(tx *bbolt.Tx) error {
		_, err := audit(ctx, tx, application.ID, face.AuditApplication, application.ID, "")
		return err
	})
}

func (s *Store) createApplication(ctx context.Context, application face.Application, note func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if application.ID == "" {
		return face.Invalid("An application needs an ID.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.db.Update(func(tx *bbolt.Tx) error {
		all := tx.Bucket(applicationsBucket)
		if all.Bucket([]byte(application.ID)) != nil {
			return face.Conflict("There is an application with this ID already.")
		}
		bucket, err := all.CreateBucket([]byte(application.ID))
		if err != nil {
			return err
		}
		sets, err := readTemplateSets(tx)
		if err != nil {
			return err
		}
		for _, name := range append(sets.buckets(), sessionsBucket, idsBucket, picturesBucket, searchesBucket, ownersBucket, datesBucket, auditBucket) {
			if _, err := bucket.CreateBucket(name); err != nil {
				return err
			}
		}
		if err := putJSON(bucket, settingsKey, face.DefaultSettings()); err != nil {
			return err
		}
		if err := putJSON(bucket, recordKey, application); err != nil {
			return err
		}
		return note(tx)
	})
	if err != nil {
		return err
	}
	s.shards[application.ID] = s.newShard(s.model.Dim)
	return nil
}

// Applications implements face.Gallery.
func (s *Store) Applications(ctx context.Context) ([]face.Application, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	list := []face.Application{}
	err := s.db.View(func(tx *bbolt.Tx) error {
		all := tx.Bucket(applicationsBucket)
		return all.ForEachBucket(func(id []byte) error {
			var application face.Application
			if _, err := getJSON(all.Bucket(id), recordKey, &application); err != nil {
				return err
			}
			list = append(list, application)
			return nil
		})
	})
	sort.SliceStable(list, func(i, j int) bool { return list[i].CreatedAt.Before(list[j].CreatedAt) })
	return list, err
}

// RenameApplication implements face.Gallery.
func (s *Store) RenameApplication(ctx context.Context, application, name string) error {
	return s.update(ctx, application, func(r records) error {
		var record face.Application
		if _, err := getJSON(r.Bucket, recordKey, &record); err != nil {
			return err
		}
		if record.Name == name {
			return nil
		}
		record.Name = name
		if _, err := r.audit(ctx, face.AuditApplicationRename, application, ""); err != nil {
			return err
		}
		return putJSON(r.Bucket, recordKey, record)
	}, nil)
}

// Settings implements face.Gallery.
func (s *Store) Settings(ctx context.Context, application string) (face.Settings, error) {
	settings := face.DefaultSettings()
	err := s.view(ctx, application, func(r records) error {
		_, err := getJSON(r.Bucket, settingsKey, &settings)
		return err
	})
	return settings, err
}

// PutSettings implements face.Gallery.
func (s *Store) PutSettings(ctx context.Context, application string, settings face.Settings) error {
	if err := settings.Validate(); err != nil {
		return err
	}
	return s.update(ctx, application, func(r records) error {
		before := face.DefaultSettings()
		if _, err := getJSON(r.Bucket, settingsKey, &before); err != nil {
			return err
		}
		changed, err := face.SettingsDetail(before, settings)
		if err != nil || changed == "" {
			return err
		}
		if _, err := r.audit(ctx, face.AuditSettings, "", changed); err != nil {
			return err
		}
		return putJSON(r.Bucket, settingsKey, settings)
	}, nil)
}

// keyPrefixBytes of a digest are what a key is looked up by; the whole digest is then
// compared in constant time.
const keyPrefixBytes = 8

// CreateKey implements face.Gallery.
func (s *Store) CreateKey(ctx context.Context, key face.Key) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !key.Scope.Valid() {
		return face.Invalid("The scope of a key is search, enrol or manage.")
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		if _, err := applicationBucket(tx, key.Application); err != nil {
			return err
		}
		keys := tx.Bucket(keysBucket)
		if keys.Get(key.Digest[:keyPrefixBytes]) != nil {
			return face.Conflict("This key is there already.")
		}
		err := eachKey(keys, func(_ []byte, other face.Key) error {
			if other.Application == key.Application && other.ID == key.ID {
				return face.Conflict("There is a key with this ID already.")
			}
			return nil
		})
		if err != nil {
			return err
		}
		if _, err := audit(ctx, tx, key.Application, face.AuditKeyCreate, key.ID, face.KeyDetail(key)); err != nil {
			return err
		}
		return putJSON(keys, key.Digest[:keyPrefixBytes], key)
	})
}

// Keys implements face.Gallery.
func (s *Store) Keys(ctx context.Context, application string) ([]face.Key, error) {
	list := []face.Key{}
	err := s.view(ctx, application, func(r records) error {
		return eachKey(r.Tx().Bucket(keysBucket), func(_ []byte, key face.Key) error {
			if key.Application == application {
				list = append(list, key)
			}
			return nil
		})
	})
	sort.SliceStable(list, func(i, j int) bool { return list[i].CreatedAt.Before(list[j].CreatedAt) })
	return list, err
}

// RevokeKey implements face.Gallery.
func (s *Store) RevokeKey(ctx context.Context, application, id string) error {
	return s.update(ctx, application, func(r records) error {
		_, err := r.changeKey(id, func(key *face.Key) error {
			if !key.RevokedAt.IsZero() {
				return nil
			}
			key.RevokedAt = time.Now().UTC()
			_, err := r.audit(ctx, face.AuditKeyRevoke, id, "")
			return err
		})
		return err
	}, nil)
}

// ChangeKey implements face.Gallery.
func (s *Store) ChangeKey(ctx context.Context, application, id string, change func(*face.Key) error) (changed face.Key, err error) {
	err = s.update(ctx, application, func(r records) error {
		changed, err = r.changeKey(id, func(key *face.Key) error {
			before := *key
			if err := change(key); err != nil {
				return err
			}
			detail := face.KeyChangeDetail(before, *key)
			before.Name, before.ExpiresAt, before.LastUsedAt = key.Name, key.ExpiresAt, key.LastUsedAt
			if before != *key {
				return errors.New("only name, expiry and last use of a key can change")
			}
			if detail == "" {
				return nil
			}
			_, err := r.audit(ctx, face.AuditKeyChange, id, detail)
			return err
		})
		return err
	}, nil)
	if err != nil {
		return face.Key{}, err
	}
	return changed, nil
}

// changeKey stores what change makes of a key of this application.
func (r records) changeKey(id string, change func(*face.Key) error) (face.Key, error) {
	keys := r.Tx().Bucket(keysBucket)
	var found []byte
	var changed face.Key
	err := eachKey(keys, func(prefix []byte, key face.Key) error {
		if key.Application == r.application && key.ID == id {
			found, changed = bytes.Clone(prefix), key
		}
		return nil
	})
	if err != nil {
		return face.Key{}, err
	}
	if found == nil {
		return face.Key{}, face.NotFound("This application has no key of that ID.")
	}
	before := changed
	if err := change(&changed); err != nil || changed == before {
		return changed, err
	}
	return changed, putJSON(keys, found, changed)
}

// KeyByDigest implements face.Gallery.
func (s *Store) KeyByDigest(ctx context.Context, digest [32]byte) (face.Key, error) {
	if err := ctx.Err(); err != nil {
		return face.Key{}, err
	}
	key, found := storedKey(), false
	err := s.db.View(func(tx *bbolt.Tx) (err error) {
		found, err = getJSON(tx.Bucket(keysBucket), digest[:keyPrefixBytes], &key)
		return err
	})
	if err != nil {
		return face.Key{}, err
	}
	same := subtle.ConstantTimeCompare(key.Digest[:], digest[:]) == 1
	if !found || !same || key.Ended(time.Now()) {
		return face.Key{}, &face.Error{Code: face.CodeUnauthorized, Detail: "The API key is not one of this server, or was revoked, or has expired."}
	}
	return key, nil
}

// storedKey is what a key is read into: one that was stored before there were scopes may do
// everything.
func storedKey() face.Key { return face.Key{Scope: face.ScopeManage} }

func eachKey(keys *bbolt.Bucket, visit func(prefix []byte, key face.Key) error) error {
	cursor := keys.Cursor()
	for prefix, _ := cursor.First(); prefix != nil; prefix, _ = cursor.Next() {
		key := storedKey()
		if _, err := getJSON(keys, prefix, &key); err != nil {
			return err
		}
		if err := visit(prefix, key); err != nil {
			return err
		}
	}
	return nil
}
