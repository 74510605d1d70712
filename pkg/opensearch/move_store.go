package opensearch

import (
	"context"
	"encoding/hex"
	"errors"

	"facesearch/pkg/face"
)

// Secrets are the store's own.
func (s *Store) Secrets(ctx context.Context) (face.Secrets, error) {
	ctx, cancel, err := s.bounded(ctx)
	if err != nil {
		return face.Secrets{}, err
	}
	defer cancel()
	body, err := s.secrets(ctx)
	return face.Secrets(body), err
}

// RestoreSecrets puts another store's secrets in the place of those of this one, which nobody else
// may be using. Where Secrets.Accounts is another one, there may be no account: they are found by
// what it hides.
func (s *Store) RestoreSecrets(ctx context.Context, secrets face.Secrets) error {
	ctx, cancel, err := s.bounded(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	if !secretBody(secrets).whole() {
		return errors.New("the secrets of the other store are damaged")
	}
	err = changeRecord(ctx, s, kindSecret, "", "", func(body *secretBody, _ bool) error {
		*body = secretBody(secrets)
		return nil
	})
	s.media.forget()
	if err == nil {
		s.accountSecret, s.receiptSeed = secrets.Accounts, secrets.Receipt
	}
	return err
}

// Accounts are all that there are, those included that are to be forgotten.
func (s *Store) Accounts(ctx context.Context) (map[face.AccountName]face.Account, error) {
	ctx, cancel, err := s.bounded(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	if err := s.refresh(ctx, s.names.records); err != nil {
		return nil, err
	}
	records, err := s.listRecords(ctx, kindAccount, "")
	if err != nil {
		return nil, err
	}
	accounts := map[face.AccountName]face.Account{}
	for _, r := range records {
		var account face.Account
		if err := r.read(&account); err != nil {
			return nil, err
		}
		name, err := hex.DecodeString(r.Name)
		if err != nil || len(name) != len(face.AccountName{}) {
			return nil, errors.New("a stored account is damaged")
		}
		accounts[face.AccountName(name)] = account
	}
	return accounts, nil
}

// RestoreAccounts stores accounts under the names that they have, in the place of those that are
// there, without an entry in the audit log.
func (s *Store) RestoreAccounts(ctx context.Context, accounts map[face.AccountName]face.Account) error {
	for name, account := range accounts {
		if err := s.restoreAccount(ctx, hex.EncodeToString(name[:]), account); err != nil {
			return err
		}
	}
	ctx, cancel, err := s.bounded(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	return s.refresh(ctx, s.names.records) // once, as many are written
}

func (s *Store) restoreAccount(ctx context.Context, name string, account face.Account) error {
	ctx, cancel, err := s.bounded(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	var there face.Account
	r, found, err := s.getRecord(ctx, kindAccount, "", name, &there)
	if err != nil {
		return err
	}
	if !found {
		r = record{Kind: kindAccount, Name: name}
	}
	_, err = s.writeRecord(ctx, r, account, false)
	if errors.Is(err, errTaken) {
		return face.Conflict("The store is in use: stop the servers that use it.")
	}
	return err
}
