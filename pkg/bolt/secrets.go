package bolt

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	bbolt "go.etcd.io/bbolt"

	"facesearch/pkg/face"
)

// The store's own secrets are encrypted with the first key of the vault. secretsSlot is its
// place.
const secretsSlot = 1

func (s *Store) sealSecret(tx *bbolt.Tx, name, secret []byte) error {
	sealed, err := s.vault.seal(secretsSlot, place("", metaBucket, name), secret)
	if err != nil {
		return err
	}
	return tx.Bucket(metaBucket).Put(name, sealed)
}

// openSecrets reads those that addresses and receipts are signed with. It makes them where the
// store has none yet: a new store, or one that was made before there were such. The latter has
// one secret for addresses, in the clear.
func (s *Store) openSecrets(tx *bbolt.Tx) error {
	meta := tx.Bucket(metaBucket)
	if meta.Get(mediaKey) == nil {
		first := face.MediaSecret{Secret: slices.Clone(meta.Get(secretKey)), Since: time.Now().UTC()}
		if first.Secret == nil {
			first.Secret = newSecret()
		}
		if err := s.putMediaSecrets(tx, []face.MediaSecret{first}); err != nil {
			return err
		}
		if err := meta.Delete(secretKey); err != nil {
			return err
		}
	}
	if meta.Get(receiptKey) == nil {
		if err := s.sealSecret(tx, receiptKey, newSecret()); err != nil {
			return err
		}
	}
	data, err := s.vault.open(place("", metaBucket, mediaKey), meta.Get(mediaKey))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &s.media); err != nil || len(s.media) == 0 {
		return errors.New("the store's secrets are damaged")
	}
	for _, each := range s.media {
		if len(each.Secret) != secretBytes {
			return errors.New("a secret of the store is damaged")
		}
	}
	seed, err := s.vault.open(place("", metaBucket, receiptKey), meta.Get(receiptKey))
	if err == nil && len(seed) != ed25519.SeedSize {
		err = errors.New("the key that signs receipts is damaged")
	}
	s.receiptSeed = seed
	return err
}

func newSecret() []byte {
	secret := make([]byte, secretBytes)
	rand.Read(secret) // never fails: crypto/rand ends the program rather than return less
	return secret
}

func (s *Store) putMediaSecrets(tx *bbolt.Tx, secrets []face.MediaSecret) error {
	data, err := json.Marshal(secrets)
	if err != nil {
		return err
	}
	return s.sealSecret(tx, mediaKey, data)
}

// MediaSecrets implements face.Gallery.
func (s *Store) MediaSecrets(context.Context) ([]face.MediaSecret, error) {
	s.mediaMu.RLock()
	defer s.mediaMu.RUnlock()
	list := slices.Clone(s.media)
	for i := range list {
		list[i].Secret = slices.Clone(list[i].Secret)
	}
	return list, nil
}

// RotateMediaSecret implements face.Gallery.
func (s *Store) RotateMediaSecret(ctx context.Context, revoke bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mediaMu.Lock()
	defer s.mediaMu.Unlock()
	now := time.Now().UTC()
	secrets := []face.MediaSecret{{Secret: newSecret(), Since: now}}
	replaced := now
	for _, each := range s.media {
		if !revoke && now.Before(replaced.Add(face.MediaLife)) {
			secrets = append(secrets, each)
		}
		replaced = each.Since
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		if err := s.putMediaSecrets(tx, secrets); err != nil {
			return err
		}
		_, err := audit(ctx, tx, "", face.AuditSecret, "", face.AuditDetail("revoke", strconv.FormatBool(revoke)))
		return err
	})
	if err == nil {
		s.media = secrets
	}
	return err
}

// ReceiptKey implements face.Gallery.
func (s *Store) ReceiptKey(context.Context) (ed25519.PrivateKey, error) {
	return ed25519.NewKeyFromSeed(s.receiptSeed), nil
}
