package migrate_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"facesearch/pkg/face"
	"facesearch/pkg/migrate"
)

const (
	registered = "somebody@example.org"
	half       = "half@example.org"
	forgotten  = "forgotten@example.org"
)

// accounts are one that is verified, one with a code that was tried, and one that is forgotten.
var accounts = map[string]face.Account{
	registered: {CreatedAt: moment, Password: "$of$a$password", Application: "one", VerifiedAt: moment.Add(time.Minute)},
	half: {CreatedAt: moment, Password: "$of$another", Code: "$of$a$code", CodeExpiresAt: moment.Add(time.Hour), CodeTries: 3,
		Application: "two", ForgetAt: time.Now().Add(time.Hour).UTC()},
	forgotten: {CreatedAt: moment, Code: "$of$a$code", ForgetAt: time.Now().Add(-time.Hour).UTC()},
}

func populateAccounts(t *testing.T, store migrate.Store) {
	t.Helper()
	for email, account := range accounts {
		putAccount(t, store, email, account)
	}
	if err := store.RotateMediaSecret(t.Context(), false); err != nil {
		t.Fatal(err)
	}
}

func putAccount(t *testing.T, store migrate.Store, email string, account face.Account) {
	t.Helper()
	_, err := store.ChangeAccount(t.Context(), email, func(there *face.Account) error { *there = account; return nil })
	if err != nil {
		t.Fatal(err)
	}
}

var errSeen = errors.New("only looked at")

// requireAccounts wants each account to be found by its address, as it was, and nobody else's.
func requireAccounts(t *testing.T, store migrate.Store) {
	t.Helper()
	for _, email := range []string{registered, half, forgotten, "nobody@example.org"} {
		var want, got face.Account
		if email != forgotten {
			want = accounts[email]
		}
		_, err := store.ChangeAccount(t.Context(), email, func(there *face.Account) error { got = *there; return errSeen })
		if !errors.Is(err, errSeen) || inJSON(t, got) != inJSON(t, want) {
			t.Errorf("the account of %s: %+v, %v; want %+v", email, got, err, want)
		}
	}
}

// requireSecrets wants addresses and receipts to be signed as they were.
func requireSecrets(t *testing.T, from, to migrate.Store) {
	t.Helper()
	want, err := from.MediaSecrets(t.Context())
	got, gotErr := to.MediaSecrets(t.Context())
	key, keyErr := from.ReceiptKey(t.Context())
	moved, movedErr := to.ReceiptKey(t.Context())
	if err := errors.Join(err, gotErr, keyErr, movedErr); err != nil {
		t.Fatal(err)
	}
	if len(want) != 2 || inJSON(t, got) != inJSON(t, want) {
		t.Errorf("secrets for addresses: %d in the old store, %d in the new one, or others", len(want), len(got))
	}
	if !key.Public().(ed25519.PublicKey).Equal(moved.Public()) {
		t.Error("receipts are signed with another key")
	}
}

func inJSON(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// testOthersStore: what is not an empty store, nor one that this store was moved to, is left alone.
func testOthersStore(t *testing.T, from migrate.Store, openTo func(*testing.T) migrate.Store) {
	for name, use := range map[string]func(*testing.T, migrate.Store){
		"sessions": func(t *testing.T, to migrate.Store) {
			createApplication(t, to, "one")
			enrol(t, to, "one", 1)
		},
		"an application": func(t *testing.T, to migrate.Store) { createApplication(t, to, "other") },
		"an account":     func(t *testing.T, to migrate.Store) { putAccount(t, to, registered, face.Account{CodeTries: 1}) },
		"moved and used since": func(t *testing.T, to migrate.Store) {
			move(t, from, to)
			if err := to.RotateMediaSecret(t.Context(), true); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			to := openTo(t)
			use(t, to)
			before, err := to.Secrets(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := migrate.Move(t.Context(), from, to, ignore); face.CodeOf(err) != face.CodeConflict {
				t.Errorf("%v", err)
			}
			if after, err := to.Secrets(t.Context()); err != nil || inJSON(t, after) != inJSON(t, before) {
				t.Errorf("its secrets were changed, %v", err)
			}
		})
	}
}

func (f *faulty) RestoreSecrets(ctx context.Context, secrets face.Secrets) error {
	return errors.Join(f.Store.RestoreSecrets(ctx, secrets), f.fault())
}

func (f *faulty) RestoreAccounts(ctx context.Context, accounts map[face.AccountName]face.Account) error {
	if err := f.fault(); err != nil {
		for name, account := range accounts {
			one := map[face.AccountName]face.Account{name: account}
			return errors.Join(f.Store.RestoreAccounts(ctx, one), err)
		}
		return err
	}
	return f.Store.RestoreAccounts(ctx, accounts)
}
