package migrate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"facesearch/pkg/face"
)

// moveSecrets comes first: it tells a store that an earlier run has begun from one of somebody
// else's, and people are stored by what the secrets hide of them.
func moveSecrets(ctx context.Context, from, to Store) error {
	secrets, there, err := both(ctx, from, to, Store.Secrets)
	if err != nil || sameJSON(secrets, there) {
		return err
	}
	if sameStore(secrets, there) {
		if there.Media[0].Since.After(secrets.Media[0].Since) {
			return face.Conflict("The other store has a newer secret for addresses of pictures, so it was used since: begin with an empty store.")
		}
		return to.RestoreSecrets(ctx, secrets)
	}
	applications, err := to.Applications(ctx)
	if err != nil {
		return err
	}
	accounts, err := to.Accounts(ctx)
	if err != nil {
		return err
	}
	if len(applications) > 0 || len(accounts) > 0 {
		return face.Conflict("The other store has applications or accounts that were not moved there: begin with an empty store.")
	}
	return to.RestoreSecrets(ctx, secrets)
}

// sameStore: the secrets that a store keeps for good.
func sameStore(a, b face.Secrets) bool {
	return bytes.Equal(a.Accounts, b.Accounts) && bytes.Equal(a.Receipt, b.Receipt)
}

// verifySecrets counts those that addresses of pictures are signed with.
func verifySecrets(ctx context.Context, from, to Store) (media int, err error) {
	want, got, err := both(ctx, from, to, Store.Secrets)
	switch {
	case err != nil:
		return 0, err
	case !bytes.Equal(want.Receipt, got.Receipt):
		return 0, errors.New("the keys that sign receipts differ")
	case !bytes.Equal(want.Accounts, got.Accounts):
		return 0, errors.New("the secrets that hide e-mail addresses differ")
	case !sameJSON(want.Media, got.Media):
		return 0, errors.New("the secrets for addresses of pictures differ")
	}
	return len(want.Media), nil
}

// both asks both stores the same question.
func both[T any](ctx context.Context, from, to Store, ask func(Store, context.Context) (T, error)) (old, new T, err error) {
	if old, err = ask(from, ctx); err != nil {
		return old, new, err
	}
	new, err = ask(to, ctx)
	return old, new, err
}

// sameJSON compares records with times in them, which may name one moment in several ways in
// memory, but not in a store.
func sameJSON(a, b any) bool {
	one, oneErr := json.Marshal(a)
	other, otherErr := json.Marshal(b)
	return oneErr == nil && otherErr == nil && bytes.Equal(one, other)
}
