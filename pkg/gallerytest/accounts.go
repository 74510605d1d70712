package gallerytest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"facesearch/pkg/face"
)

func testChangeAccount(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	const address, other = "somebody@example.org", "somebody@example.com"
	put := func(t *testing.T, email string, before, after face.Account) {
		t.Helper()
		got, err := f.store.ChangeAccount(t.Context(), email, func(account *face.Account) error {
			requireSame(t, "the account that is changed", *account, before)
			*account = after
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		requireSame(t, "the changed account", got, after)
	}
	whole := face.Account{
		CreatedAt: moment(1), Password: "$of$a$password", Code: "$of$a$code", CodeExpiresAt: moment(2), CodeTries: 3,
		Application: ours, VerifiedAt: moment(4), ForgetAt: time.Now().Add(time.Hour).UTC(),
	}
	t.Run("OK", func(t *testing.T) {
		put(t, address, face.Account{}, whole)
		put(t, other, face.Account{}, face.Account{CodeTries: 1})
		f.reopen()
		put(t, address, whole, face.Account{Password: "another"}) // zero values replace others
		put(t, address, face.Account{Password: "another"}, whole)
		put(t, other, face.Account{CodeTries: 1}, face.Account{CodeTries: 2})
	})
	t.Run("ErrOfTheCaller", func(t *testing.T) {
		refused := errors.New("refused")
		for _, email := range []string{address, "nobody@example.org"} {
			_, err := f.store.ChangeAccount(t.Context(), email, func(account *face.Account) error {
				account.CodeTries = 99
				return refused
			})
			if !errors.Is(err, refused) {
				t.Fatal(err)
			}
		}
		put(t, address, whole, whole)
		put(t, "nobody@example.org", face.Account{}, face.Account{})
	})
	t.Run("OK it is forgotten", func(t *testing.T) {
		past := whole
		past.ForgetAt = time.Now().Add(-time.Millisecond)
		put(t, address, whole, past)
		put(t, "one-more@example.org", face.Account{}, whole)
		put(t, address, face.Account{}, whole)
		put(t, "one-more@example.org", whole, whole)
	})
}

func testChangeAccountConcurrently(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			_, err := f.store.ChangeAccount(t.Context(), "contested@example.org", func(account *face.Account) error {
				account.CodeTries++
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	account, err := f.store.ChangeAccount(t.Context(), "contested@example.org", func(*face.Account) error { return nil })
	if err != nil || account.CodeTries != 20 {
		t.Fatalf("%+v, %v", account, err)
	}
}

func testRenameApplication(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	if err := f.store.CreateApplication(t.Context(), face.Application{ID: theirs, Name: "theirs", CreatedAt: moment(1)}); err != nil {
		t.Fatal(err)
	}
	if err := f.store.RenameApplication(t.Context(), ours, "renamed Ærøskøbing"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		list, err := f.store.Applications(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		requireSame(t, "applications", list, []face.Application{
			{ID: ours, Name: "renamed Ærøskøbing", CreatedAt: moment(0)}, {ID: theirs, Name: "theirs", CreatedAt: moment(1)},
		})
		f.reopen()
	}
}

func testDeleteApplication(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	f.createApplication(theirs)
	names := f.fill(ours)
	f.fill(theirs)
	for email, application := range map[string]string{"ours@example.org": ours, "theirs@example.org": theirs} {
		_, err := f.store.ChangeAccount(t.Context(), email, func(account *face.Account) error {
			account.Application = application
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// The list of applications is in the state, so the other's is compared without it.
	if err := f.store.DeleteApplication(t.Context(), ours); err != nil {
		t.Fatal(err)
	}
	before := f.state(theirs)
	for _, when := range []string{"", " after a restart"} {
		t.Run("OK"+when, func(t *testing.T) {
			for _, c := range calls(names) {
				requireCode(t, c.name, c.call(t.Context(), f.store, ours), face.CodeNotFound)
			}
			_, err := f.store.KeyByDigest(t.Context(), newKey(ours, names.key).Digest)
			requireCode(t, "its key", err, face.CodeUnauthorized)
			requireCode(t, "once more", f.store.DeleteApplication(t.Context(), ours), face.CodeNotFound)
			list, err := f.store.Applications(t.Context())
			if err != nil || len(list) != 1 || list[0].ID != theirs {
				t.Fatalf("%v, %v", list, err)
			}
			requireSame(t, "the other application", f.state(theirs), before)
		})
		f.reopen()
	}
	t.Run("OK accounts", func(t *testing.T) {
		for email, want := range map[string]string{"ours@example.org": "", "theirs@example.org": theirs} {
			account, err := f.store.ChangeAccount(t.Context(), email, func(*face.Account) error { return nil })
			if err != nil || account.Application != want {
				t.Fatalf("%s: %+v, %v", email, account, err)
			}
		}
	})
	t.Run("OK the ID is free", func(t *testing.T) {
		f.createApplication(ours)
		if keys, err := f.store.Keys(t.Context(), ours); err != nil || len(keys) != 0 || f.size(ours) != 0 {
			t.Fatalf("%v, %d sessions, %v", keys, f.size(ours), err)
		}
		if got := f.enrol(ours, newEnrolment(names.session)); got.Number != 1 {
			t.Fatalf("number %d", got.Number)
		}
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		for _, unknown := range []string{"", "unknown", ours + "x", "../" + ours, "sessions"} {
			requireCode(t, unknown, f.store.DeleteApplication(t.Context(), unknown), face.CodeNotFound)
		}
	})
}

// testDeleteApplicationConcurrently deletes an application while others write to it: each
// write is done or refused, and nothing of any is left.
func testDeleteApplicationConcurrently(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	f.createApplication(theirs)
	started := make(chan struct{}, 100)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for {
				enrolment := newEnrolment(newID())
				_, _, err := f.store.Enrol(t.Context(), ours, enrolment)
				if err != nil {
					if face.CodeOf(err) != face.CodeNotFound {
						t.Error("Enrol:", err)
					}
					return
				}
				_, err = f.store.Candidates(t.Context(), ours, enrolment.Template, everything, 5)
				if err != nil && face.CodeOf(err) != face.CodeNotFound {
					t.Error("Candidates:", err)
				}
				select {
				case started <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 8 {
		<-started
	}
	if err := f.store.DeleteApplication(t.Context(), ours); err != nil {
		t.Fatal(err)
	}
	group.Wait()
	for range 2 {
		list, err := f.store.Applications(t.Context())
		if err != nil || len(list) != 1 || list[0].ID != theirs {
			t.Fatalf("%v, %v", list, err)
		}
		f.reopen()
	}
	f.createApplication(ours)
	if f.size(ours) != 0 {
		t.Fatalf("%d sessions", f.size(ours))
	}
}
