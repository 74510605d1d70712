package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"facesearch/pkg/face"
)

// moveAccounts comes after all that they lead to.
func moveAccounts(ctx context.Context, from, to Store) error {
	accounts, there, err := both(ctx, from, to, Store.Accounts)
	if err != nil {
		return err
	}
	missing := map[face.AccountName]face.Account{}
	for name, account := range remembered(accounts, time.Now()) {
		if known, ok := there[name]; !ok || !sameJSON(known, account) {
			missing[name] = account
		}
	}
	return to.RestoreAccounts(ctx, missing)
}

// remembered are those that were not to be forgotten by a time: a store may have deleted the
// others, or not yet.
func remembered(accounts map[face.AccountName]face.Account, now time.Time) map[face.AccountName]face.Account {
	list := map[face.AccountName]face.Account{}
	for name, account := range accounts {
		if account.ForgetAt.IsZero() || now.Before(account.ForgetAt) {
			list[name] = account
		}
	}
	return list
}

func verifyAccounts(ctx context.Context, from, to Store) (count int, err error) {
	want, got, err := both(ctx, from, to, Store.Accounts)
	if err != nil {
		return 0, err
	}
	now := time.Now()
	want, got = remembered(want, now), remembered(got, now)
	if len(want) != len(got) {
		return 0, fmt.Errorf("the numbers of accounts differ: %d in the old store, %d in the new one", len(want), len(got))
	}
	for name, account := range want {
		if there, ok := got[name]; !ok || !sameJSON(there, account) {
			return 0, errors.New("an account is another one in the new store")
		}
	}
	return len(want), nil
}
