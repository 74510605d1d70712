package bolt

import (
	"context"
	"errors"

	bbolt "go.etcd.io/bbolt"

	"facesearch/pkg/face"
)

// Secrets are the store's own.
func (s *Store) Secrets(ctx context.Context) (face.Secrets, error) {
	media, err := s.MediaSecrets(ctx)
	return face.Secrets{Accounts: s.ownersSecret, Receipt: s.receiptSeed, Media: media}, err
}

// RestoreSecrets puts another store's secrets in the place of those of this one, which nobody else
// may be using. Where Secrets.Accounts is another one, there may be no application and no account:
// people are found by what it hides.
func (s *Store) RestoreSecrets(ctx context.Context, secrets face.Secrets) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mediaMu.Lock()
	defer s.mediaMu.Unlock()
	err := s.db.Update(func(tx *bbolt.Tx) error {
		if err := s.sealSecret(tx, ownersKey, secrets.Accounts); err != nil {
			return err
		}
		if err := s.sealSecret(tx, receiptKey, secrets.Receipt); err != nil {
			return err
		}
		return s.putMediaSecrets(tx, secrets.Media)
	})
	if err == nil {
		s.ownersSecret, s.receiptSeed, s.media = secrets.Accounts, secrets.Receipt, secrets.Media
	}
	return err
}

// Accounts are all that there are, those included that are to be forgotten.
func (s *Store) Accounts(ctx context.Context) (map[face.AccountName]face.Account, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	accounts := map[face.AccountName]face.Account{}
	err := s.db.View(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(accountsBucket)
		return bucket.ForEach(func(key, _ []byte) error {
			if len(key) != len(face.AccountName{}) {
				return errors.New("a stored account is damaged")
			}
			var account face.Account
			_, err := getJSON(bucket, key, &account)
			accounts[face.AccountName(key)] = account
			return err
		})
	})
	return accounts, err
}

// RestoreAccounts stores accounts under the names that they have, in the place of those that are
// there, without an entry in the audit log.
func (s *Store) RestoreAccounts(ctx context.Context, accounts map[face.AccountName]face.Account) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		for name, account := range accounts {
			if err := putJSON(tx.Bucket(accountsBucket), name[:], account); err != nil {
				return err
			}
		}
		return nil
	})
}
