package gallerytest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"facesearch/pkg/face"
)

// An auditStep is something that is done, and the entries that it leaves: "application action
// object detail", a line for each, "-" for none of an application.
type auditStep struct {
	want string
	do   func(context.Context, Store) error
}

func (f *fixture) requireAuditSteps(t *testing.T, steps []auditStep) {
	t.Helper()
	ctx := face.WithActor(t.Context(), face.OwnerActor)
	for i, step := range steps {
		before := len(f.whole())
		if err := step.do(ctx, f.store); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		var got []string
		for _, entry := range f.whole()[before:] {
			application := entry.Application
			if application == "" {
				application = "-"
			}
			got = append(got, strings.Join([]string{application, entry.Action, entry.Object, entry.Detail}, " "))
			if entry.Actor != face.OwnerActor.ID {
				t.Errorf("step %d: %+v", i, entry)
			}
		}
		if strings.Join(got, "\n") != step.want {
			t.Errorf("step %d: got  %q\nwant %q", i, strings.Join(got, "\n"), step.want)
		}
	}
}

// testAuditOwnerActions does what owners do with applications, keys and credits, and what
// registration does, with what of it leaves no entry.
func testAuditOwnerActions(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	steps := append(keySteps(), creditSteps()...)
	steps = append(steps, accountSteps()...)
	rename := func(ctx context.Context, s Store) error { return s.RenameApplication(ctx, ours, "another name") }
	f.requireAuditSteps(t, append(steps, auditStep{ours + " application_rename " + ours + " ", rename}, auditStep{"", rename}))
	f.requireAuditWhole(t)
	f.requireNothingPersonal(t)
}

func keySteps() []auditStep {
	expiring := newKey(ours, "key-1")
	expiring.ExpiresAt = time.Date(2100, 1, 2, 3, 4, 5, 6, time.UTC)
	change := func(change func(*face.Key) error) func(context.Context, Store) error {
		return func(ctx context.Context, s Store) error {
			_, err := s.ChangeKey(ctx, ours, "key-1", change)
			return err
		}
	}
	rename := change(func(key *face.Key) error {
		key.Name = "another name"
		return nil
	})
	return []auditStep{
		{ours + " key_create key-1 scope=enrol expires_at=2100-01-02T03%3A04%3A05Z", func(ctx context.Context, s Store) error { return s.CreateKey(ctx, expiring) }},
		{"", func(ctx context.Context, s Store) error {
			if err := s.CreateKey(ctx, expiring); face.CodeOf(err) != face.CodeConflict {
				return errors.New("the same key was stored twice")
			}
			return nil
		}},
		{ours + " key_change key-1 renamed=true", rename},
		{"", rename},
		{ours + " key_change key-1 expires_at=2100-01-02T03%3A04%3A06Z", change(func(key *face.Key) error {
			key.ExpiresAt = key.ExpiresAt.Add(time.Second)
			return nil
		})},
		{"", change(func(key *face.Key) error {
			key.LastUsedAt = moment(7)
			return nil
		})},
		{ours + " key_change key-1 renamed=true expires_at=never", change(func(key *face.Key) error {
			key.Name, key.ExpiresAt, key.LastUsedAt = "the name of key-1", time.Time{}, moment(8)
			return nil
		})},
	}
}

func creditSteps() []auditStep {
	add := func(credits int64) func(context.Context, Store) error {
		return func(ctx context.Context, s Store) error {
			_, err := s.AddCredits(ctx, ours, credits)
			return err
		}
	}
	charge := func(credits int64) func(context.Context, Store) error {
		return func(ctx context.Context, s Store) error {
			_, err := s.Charge(ctx, ours, credits)
			return err
		}
	}
	return []auditStep{
		{ours + " credits_add  added=7 balance=7", add(7)},
		{"", charge(1)},
		{"", charge(-1)},
		{"", charge(2)},
		{"", add(0)},
		{ours + " credits_add  added=-5 balance=0", add(-5)},
		{"", func(ctx context.Context, s Store) error {
			if err := add(-1)(ctx, s); face.CodeOf(err) != face.CodeInsufficientCredits {
				return errors.New("there was less than nothing")
			}
			return nil
		}},
	}
}

func accountSteps() []auditStep {
	change := func(change func(*face.Account)) func(context.Context, Store) error {
		return func(ctx context.Context, s Store) error {
			_, err := s.ChangeAccount(ctx, "nobody@example.org", func(account *face.Account) error {
				change(account)
				return nil
			})
			return err
		}
	}
	return []auditStep{
		{"- account_register  ", change(func(account *face.Account) { account.CreatedAt, account.Code = moment(1), "$of$a$code" })},
		{"", change(func(account *face.Account) { account.CodeTries++ })},
		{"", change(func(account *face.Account) { account.Code, account.Application = "", ours })},
		{ours + " account_verify  ", change(func(account *face.Account) { account.VerifiedAt = moment(2) })},
		{"", change(func(*face.Account) {})},
		{"", func(ctx context.Context, s Store) error {
			refused := errors.New("refused")
			_, err := s.ChangeAccount(ctx, "somebody@example.org", func(account *face.Account) error {
				account.CreatedAt = moment(1)
				return refused
			})
			if !errors.Is(err, refused) {
				return errors.New("a refused change was stored")
			}
			return nil
		}},
	}
}

// testAuditDeletedApplication: the entries of an application outlive it, in the log of the whole
// store, and are not those of another one under its ID.
func testAuditDeletedApplication(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	f.createApplication(theirs)
	for _, id := range []string{"session-1", "session-2"} {
		f.enrol(ours, newEnrolment(id))
	}
	search, picture := newSearch("search-1")
	if err := f.store.SaveSearch(t.Context(), ours, search, picture); err != nil {
		t.Fatal(err)
	}
	before := f.whole()
	f.requireAuditSteps(t, []auditStep{
		{ours + " application_delete " + ours + " sessions=2 searches=1", func(ctx context.Context, s Store) error { return s.DeleteApplication(ctx, ours) }},
		{"", func(ctx context.Context, s Store) error {
			requireCode(t, "once more", s.DeleteApplication(ctx, ours), face.CodeNotFound)
			return nil
		}},
		{ours + " account_verify  ", func(ctx context.Context, s Store) error {
			_, err := s.ChangeAccount(ctx, "nobody@example.org", func(account *face.Account) error {
				account.Application, account.VerifiedAt = ours, moment(1)
				return nil
			})
			return err
		}},
	})
	f.reopen()
	requireSame(t, "the entries of before", f.whole()[:len(before)], before)
	_, _, err := f.store.Audit(t.Context(), ours, face.AuditPage{Limit: 5})
	requireCode(t, "Audit", err, face.CodeNotFound)
	f.createApplication(ours)
	list, total, err := f.store.Audit(t.Context(), ours, face.AuditPage{Limit: 5})
	if err != nil || total != 1 || list[0].Action != face.AuditApplication {
		t.Errorf("%v, %v", list, err)
	}
	f.requireAuditWhole(t)
	f.requireNothingPersonal(t)
}
