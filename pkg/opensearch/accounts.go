package opensearch

import (
	"context"
	"encoding/hex"
	"time"

	"facesearch/pkg/face"
)

// accountName hides an e-mail address.
func (s *Store) accountName(email string) string {
	name := face.NameAccount(s.accountSecret, email)
	return hex.EncodeToString(name[:])
}

// ChangeAccount implements face.Gallery. The upkeep deletes accounts that are to be forgotten.
func (s *Store) ChangeAccount(ctx context.Context, email string, change func(*face.Account) error) (face.Account, error) {
	ctx, cancel, err := s.bounded(ctx)
	if err != nil {
		return face.Account{}, err
	}
	defer cancel()
	s.accountMu.Lock() // quicker than to be overtaken in the cluster
	defer s.accountMu.Unlock()
	var before, after face.Account
	err = changeRecord(ctx, s, kindAccount, "", s.accountName(email), func(account *face.Account, _ bool) error {
		if forgotten(*account) {
			*account = face.Account{}
		}
		before = *account
		err := change(account)
		after = *account
		return err
	})
	if err != nil {
		return face.Account{}, err
	}
	for _, action := range face.AccountActions(before, after) {
		entry := newEntry(ctx, "", action, "", "")
		entry.Application = after.Application
		// It may have been deleted while somebody's registration led to it.
		if tenant, err := s.tenant(ctx, after.Application); err == nil {
			entry.Tenant = tenant
		}
		if _, err := s.writeEntry(ctx, entry, false); err != nil {
			return face.Account{}, err
		}
	}
	return after, nil
}

func forgotten(account face.Account) bool {
	return !account.ForgetAt.IsZero() && !time.Now().Before(account.ForgetAt)
}

// deleteAccounts deletes those that pass.
func (s *Store) deleteAccounts(ctx context.Context, which func(face.Account) bool) error {
	records, err := s.listRecords(ctx, kindAccount, "")
	if err != nil {
		return err
	}
	for _, r := range records {
		var account face.Account
		if err := r.read(&account); err != nil {
			return err
		}
		if which(account) {
			if err := s.deleteRecord(ctx, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// pruneEvery is how often accounts are deleted that are to be forgotten.
const pruneEvery = time.Hour

func (s *Store) pruneAccounts(ctx context.Context) error {
	if time.Since(s.pruned) < pruneEvery {
		return nil
	}
	s.pruned = time.Now()
	return s.deleteAccounts(ctx, forgotten)
}
