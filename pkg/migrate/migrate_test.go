package migrate_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/migrate"
)

func openBolt(t *testing.T) migrate.Store {
	t.Helper()
	store, err := bolt.Open(t.TempDir(), bolt.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func TestMove(t *testing.T) { testMove(t, openBolt, openBolt) }

// testMove moves from one kind of store to another.
func testMove(t *testing.T, openFrom, openTo func(*testing.T) migrate.Store) {
	from := openFrom(t)
	populate(t, from)
	t.Run("OK", func(t *testing.T) {
		to := openTo(t)
		move(t, from, to)
		requireMoved(t, from, to)
		move(t, from, to) // again changes nothing
		requireMoved(t, from, to)
		requireInUse(t, to)
	})
	t.Run("OK stopped again and again", func(t *testing.T) {
		to := openTo(t)
		for left := 1; ; left++ {
			err := migrate.Move(t.Context(), from, &faulty{Store: to, left: left}, ignore)
			if err == nil {
				break
			}
			if !errors.Is(err, errFault) {
				t.Fatal(err)
			}
		}
		requireMoved(t, from, to)
	})
	t.Run("ErrConflict a store in use", func(t *testing.T) { testOthersStore(t, from, openTo) })
	t.Run("ErrDiffers", func(t *testing.T) { testVerify(t, from, openTo) })
}

func ignore(string, int, int, int) {}

func move(t *testing.T, from, to migrate.Store) {
	t.Helper()
	var last [3]int
	err := migrate.Move(t.Context(), from, to, func(_ string, sessions, of, searches int) { last = [3]int{sessions, of, searches} })
	if err != nil {
		t.Fatal(err)
	}
	if last[0] != last[1] {
		t.Errorf("at the end, %d of %d sessions are told", last[0], last[1])
	}
}

func requireMoved(t *testing.T, from, to migrate.Store) {
	t.Helper()
	report, err := migrate.Verify(t.Context(), from, to, 1000)
	if err != nil {
		t.Fatal(err)
	}
	want := migrate.Report{Applications: 2, Keys: 4, Sessions: sessionsEach - 2 + 1, Searches: 4, Accounts: 2, MediaSecrets: 2, Sampled: sessionsEach - 2 + 1}
	if report != want {
		t.Errorf("compared %+v, want %+v", report, want)
	}
	if verdict, err := face.VerifyAudit(t.Context(), to); err != nil || verdict.Broken != 0 {
		t.Errorf("the moved audit log: %+v, %v", verdict, err)
	}
	requireSecrets(t, from, to)
	requireAccounts(t, to)
	for _, application := range []string{"one", "two"} {
		requireAuditMoved(t, from, to, application)
		if got, want := everything(t, to, application), everything(t, from, application); got != want {
			t.Errorf("application %s:\n got %s\nwant %s", application, got, want)
		}
	}
}

// requireAuditMoved wants the entries of an application to be there as they were, before those that
// were written since.
func requireAuditMoved(t *testing.T, from, to migrate.Store, application string) {
	t.Helper()
	page := face.AuditPage{Limit: 1 << 20, OldestFirst: true}
	want, _, err := from.Audit(t.Context(), application, page)
	got, _, gotErr := to.Audit(t.Context(), application, page)
	if err := errors.Join(err, gotErr); err != nil {
		t.Fatal(err)
	}
	if len(want) == 0 || len(got) < len(want) || !slices.EqualFunc(got[:len(want)], want, func(a, b face.AuditEntry) bool { return a.Hash == b.Hash }) {
		t.Errorf("application %s: of %d entries, %d are there, or others", application, len(want), len(got))
	}
}

// everything is all that a store hands out of an application, and its records.
func everything(t *testing.T, store migrate.Store, application string) string {
	t.Helper()
	ctx := t.Context()
	sessions := []face.Enrolment{}
	searches := map[string]any{}
	applications, err := store.Applications(ctx)
	keys, keysErr := store.Keys(ctx, application)
	settings, settingsErr := store.Settings(ctx, application)
	credits, creditsErr := store.Credits(ctx, application)
	sessionsErr := store.EachSession(ctx, application, 0, func(e face.Enrolment) error { sessions = append(sessions, e); return nil })
	searchesErr := store.EachSearch(ctx, application, func(s face.SavedSearch, p face.Picture) error { searches[s.ID] = []any{s, p}; return nil })
	if err := errors.Join(err, keysErr, settingsErr, creditsErr, sessionsErr, searchesErr); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal([]any{applications, keys, settings, credits, sessions, searches})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// requireInUse wants the moved store to go on where the old one was.
func requireInUse(t *testing.T, to migrate.Store) {
	t.Helper()
	if session := enrol(t, to, "one", sessionsEach); session.Number != sessionsEach+1 {
		t.Errorf("the next number is %d", session.Number)
	}
	if key, err := to.KeyByDigest(t.Context(), sha256.Sum256([]byte("one 0"))); err != nil || key.Application != "one" {
		t.Errorf("%+v, %v", key, err)
	}
	if _, err := to.KeyByDigest(t.Context(), sha256.Sum256([]byte("one 1"))); face.CodeOf(err) != face.CodeUnauthorized {
		t.Errorf("a revoked key: %v", err)
	}
	erased, err := to.EraseOwners(t.Context(), "one", []string{"vendor 7"})
	sessions := erased.Sessions
	if err != nil || sessions == 0 {
		t.Errorf("%d sessions of a moved person are erased, %v", sessions, err)
	}
}

// sessionsEach is how many were enrolled in the application that has many: more than two batches.
const sessionsEach = 230

func createApplication(t *testing.T, store migrate.Store, id string) {
	t.Helper()
	if err := store.CreateApplication(t.Context(), face.Application{ID: id, Name: "named " + id, CreatedAt: moment}); err != nil {
		t.Fatal(err)
	}
}

var moment = time.Date(2025, 6, 10, 10, 30, 0, 123456789, time.UTC)

func enrol(t *testing.T, store migrate.Store, application string, n int) face.Session {
	t.Helper()
	random := rand.New(rand.NewPCG(uint64(n), 1))
	id := fmt.Sprintf("session-%d", n)
	enrolment := face.Enrolment{Session: face.Session{
		ID: id, Status: []face.Status{face.Approved, face.Approved, face.InReview, face.Declined}[n%4], Blocklisted: n%9 == 0,
		VendorData: fmt.Sprint("vendor ", n%50), Details: face.Details{Name: "Ærø " + id}, Fingerprint: "of " + id,
		CreatedAt: moment, VerifiedAt: moment,
	}}
	enrolment.Template = make(face.Template, face.TemplateDim)
	for i := range enrolment.Template {
		enrolment.Template[i] = float32(random.NormFloat64() * 0.86 / 16)
	}
	if n%3 == 0 {
		enrolment.Session.PictureID = "picture-" + id
		enrolment.Picture = face.Picture{ContentType: "image/jpeg", Data: []byte("picture of " + id)}
	}
	session, created, err := store.Enrol(t.Context(), application, enrolment)
	if err != nil || !created {
		t.Fatalf("created %v, %v", created, err)
	}
	return session
}

// populate fills a store with something of everything. The session with the last number is
// erased, and one in the middle.
func populate(t *testing.T, store migrate.Store) {
	t.Helper()
	ctx := t.Context()
	for _, application := range []string{"one", "two"} {
		createApplication(t, store, application)
		for i := range 2 {
			digest := sha256.Sum256([]byte(fmt.Sprint(application, " ", i)))
			key := face.Key{ID: fmt.Sprint("key-", i), Application: application, Scope: face.ScopeEnrol, Digest: digest, CreatedAt: moment.Add(time.Duration(i))}
			if err := store.CreateKey(ctx, key); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 2 {
			search := face.SavedSearch{
				ID: fmt.Sprint("search-", i), CreatedAt: moment, VendorData: "vendor 7", Status: face.Approved, Result: json.RawMessage(`{"total":0}`),
			}
			var picture face.Picture
			if i == 1 {
				search.PictureID, search.Template = "picture-of-search", face.Template{1, 2}
				picture = face.Picture{ContentType: "image/png", Data: []byte("picture of a search")}
			}
			if err := store.SaveSearch(ctx, application, search, picture); err != nil {
				t.Fatal(err)
			}
		}
	}
	populateAccounts(t, store)
	settings := face.DefaultSettings()
	settings.MaxMatches = 17
	_, creditsErr := store.AddCredits(ctx, "one", 12)
	_, reviewErr := store.ReviewSearch(ctx, "two", "search-1", face.Review{Status: face.Declined, Comment: "seen", At: moment})
	err := errors.Join(store.PutSettings(ctx, "one", settings), store.RevokeKey(ctx, "one", "key-1"), creditsErr, reviewErr)
	if err != nil {
		t.Fatal(err)
	}
	for n := range sessionsEach {
		enrol(t, store, "one", n)
	}
	enrol(t, store, "two", 1)
	if _, err := store.Erase(ctx, "one", []string{fmt.Sprint("session-", sessionsEach-1), "session-100"}); err != nil {
		t.Fatal(err)
	}
}

var errFault = errors.New("a fault")

// faulty fails at the write after some, when half of a batch is stored.
type faulty struct {
	migrate.Store
	left int
}

func (f *faulty) fault() error {
	if f.left--; f.left == 0 {
		return errFault
	}
	return nil
}

func (f *faulty) Restore(ctx context.Context, application string, sessions []face.Enrolment) error {
	if err := f.fault(); err != nil {
		return errors.Join(f.Store.Restore(ctx, application, sessions[:len(sessions)/2]), err)
	}
	return f.Store.Restore(ctx, application, sessions)
}

func (f *faulty) RestoreAudit(ctx context.Context, entries []face.AuditEntry, own func(face.AuditEntry) bool) error {
	if err := f.fault(); err != nil {
		return errors.Join(f.Store.RestoreAudit(ctx, entries[:len(entries)/2], own), err)
	}
	return f.Store.RestoreAudit(ctx, entries, own)
}

func (f *faulty) SaveSearch(ctx context.Context, application string, search face.SavedSearch, picture face.Picture) error {
	return errors.Join(f.Store.SaveSearch(ctx, application, search, picture), f.fault())
}

func (f *faulty) CreateKey(ctx context.Context, key face.Key) error {
	return errors.Join(f.Store.CreateKey(ctx, key), f.fault())
}

// testVerify spoils a moved store in one way after the other.
func testVerify(t *testing.T, from migrate.Store, openTo func(*testing.T) migrate.Store) {
	to := openTo(t)
	move(t, from, to)
	ctx := t.Context()
	settings := face.DefaultSettings()
	secrets, err := to.Secrets(ctx)
	if err != nil {
		t.Fatal(err)
	}
	restore := func() error { return to.RestoreSecrets(ctx, secrets) }
	account := func(email string, account face.Account) func() error {
		return func() error { putAccount(t, to, email, account); return nil }
	}
	for _, each := range []struct {
		words       string
		spoil, mend func() error
	}{
		{"the settings", func() error { return to.PutSettings(ctx, "one", settings) },
			func() error { settings.MaxMatches = 17; return to.PutSettings(ctx, "one", settings) }},
		{"is another one", change(to, func(s *face.Session) { s.Comment = "new" }), change(to, func(s *face.Session) { s.Comment = "" })},
		{"the numbers of", change(to, func(s *face.Session) { s.Blocklisted = true }), change(to, func(s *face.Session) { s.Blocklisted = false })},
		{"the secrets for addresses", func() error { return to.RotateMediaSecret(ctx, false) }, restore},
		{"the keys that sign receipts", func() error {
			return to.RestoreSecrets(ctx, face.Secrets{Accounts: secrets.Accounts, Receipt: secrets.Accounts, Media: secrets.Media})
		}, restore},
		{"the secrets that hide", func() error {
			return to.RestoreSecrets(ctx, face.Secrets{Accounts: secrets.Receipt, Receipt: secrets.Receipt, Media: secrets.Media})
		}, restore},
		{"an account is another one", account(registered, face.Account{CodeTries: 1}), account(registered, accounts[registered])},
		{"the numbers of accounts", account("new@example.org", face.Account{CodeTries: 1}),
			account("new@example.org", face.Account{ForgetAt: moment})},
		{"the numbers of saved searches", func() error {
			_, err := to.Erase(ctx, "two", []string{"search-1"})
			return err
		}, nil},
	} {
		if err := each.spoil(); err != nil {
			t.Fatal(err)
		}
		if _, err := migrate.Verify(ctx, from, to, 1000); err == nil || !strings.Contains(err.Error(), each.words) {
			t.Errorf("%v, want a difference: %s", err, each.words)
		}
		if each.mend != nil {
			if err := each.mend(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func change(store migrate.Store, change func(*face.Session)) func() error {
	return func() error {
		_, err := store.Change(context.Background(), "one", "session-10", change)
		return err
	}
}
