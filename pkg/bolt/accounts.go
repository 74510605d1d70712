package bolt

import (
	"bytes"
	"context"
	"time"

	bbolt "go.etcd.io/bbolt"

	"facesearch/pkg/face"
)

// accountKey hides an e-mail address as ownerKey hides a vendor_data, and with the same secret,
// which is in the file of keys: whoever has only the store cannot try out addresses.
func (s *Store) accountKey(email string) []byte {
	name := face.NameAccount(s.ownersSecret, email)
	return name[:]
}

// pruneEvery is how often accounts are deleted that are to be forgotten.
const pruneEvery = time.Hour

// ChangeAccount implements face.Gallery. Now and then it also deletes the accounts that are to
// be forgotten; when, does not depend on the address, or its time would tell who is known.
func (s *Store) ChangeAccount(ctx context.Context, email string, change func(*face.Account) error) (face.Account, error) {
	if err := ctx.Err(); err != nil {
		return face.Account{}, err
	}
	var account face.Account
	err := s.db.Update(func(tx *bbolt.Tx) error {
		accounts, key, now := tx.Bucket(accountsBucket), s.accountKey(email), time.Now()
		if _, err := getJSON(accounts, key, &account); err != nil {
			return err
		}
		if forgotten(account, now) {
			account = face.Account{}
		}
		before := account
		if err := change(&account); err != nil {
			return err
		}
		for _, action := range face.AccountActions(before, account) {
			if _, err := audit(ctx, tx, account.Application, action, "", ""); err != nil {
				return err
			}
		}
		if now.Sub(s.pruned) >= pruneEvery {
			s.pruned = now
			gone := func(other face.Account) bool { return forgotten(other, now) }
			if err := deleteAccounts(accounts, gone); err != nil {
				return err
			}
		}
		return putJSON(accounts, key, account)
	})
	if err != nil {
		return face.Account{}, err
	}
	return account, nil
}

func forgotten(account face.Account, now time.Time) bool {
	return !account.ForgetAt.IsZero() && !now.Before(account.ForgetAt)
}

func deleteAccounts(accounts *bbolt.Bucket, which func(face.Account) bool) error {
	var doomed [][]byte
	err := accounts.ForEach(func(key, _ []byte) error {
		var account face.Account
		if _, err := getJSON(accounts, key, &account); err != nil {
			return err
		}
		if which(account) {
			doomed = append(doomed, bytes.Clone(key))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return deleteFrom(accounts, doomed)
}

func deleteFrom(bucket *bbolt.Bucket, keys [][]byte) error {
	for _, key := range keys {
		if err := bucket.Delete(key); err != nil {
			return err
		}
	}
	return nil
}
