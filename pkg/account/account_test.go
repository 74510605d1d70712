package account_test

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"facesearch/pkg/account"
	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// A fixture is a service over a real store, whose mails stay here. With fails, the store cannot
// make keys.
type fixture struct {
	face.Gallery
	service *account.Service
	mails   []account.Mail
	fails   bool
}

var errBroken = errors.New("the disk is full")

func (f *fixture) Send(_ context.Context, mail account.Mail) error {
	f.mails = append(f.mails, mail)
	return nil
}

func (f *fixture) CreateKey(ctx context.Context, key face.Key) error {
	if f.fails {
		return errBroken
	}
	return f.Gallery.CreateKey(ctx, key)
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	store, err := bolt.Open(t.TempDir(), bolt.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	f := &fixture{Gallery: store}
	if f.service, err = account.New(t.Context(), f, f, time.Now); err != nil {
		t.Fatal(err)
	}
	return f
}

// register returns the code that was sent.
func (f *fixture) register(t *testing.T, email string) string {
	t.Helper()
	if err := f.service.Register(t.Context(), "client", email, "MyStr0ng!Pass"); err != nil {
		t.Fatal(err)
	}
	return f.mails[len(f.mails)-1].Code
}

const email = "somebody@example.org"

// TestInterrupted: whoever was interrupted between his code and his key registers again, and no
// second application is made.
func TestInterrupted(t *testing.T) {
	f := newFixture(t)
	f.fails = true
	code := f.register(t, email)
	if _, err := f.service.Verify(t.Context(), "client", email, code); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	f.fails = false
	if _, err := f.service.Verify(t.Context(), "client", email, code); face.CodeOf(err) != face.CodeInvalid {
		t.Errorf("a code was used twice: %v", err)
	}
	made, err := f.service.Verify(t.Context(), "client", email, f.register(t, email))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.KeyByDigest(t.Context(), search.Digest(made.Secret)); err != nil {
		t.Error(err)
	}
	if list, err := f.Applications(t.Context()); err != nil || len(list) != 1 || list[0].ID != made.Application {
		t.Errorf("%v, %v", list, err)
	}
}

func TestCodes(t *testing.T) {
	f := newFixture(t)
	form, seen := regexp.MustCompile(`^[A-HJ-NP-Z2-9]{6}$`), map[string]bool{}
	for _, name := range strings.Split("abcdefghijklmnopqrst", "") {
		code := f.register(t, name+"@example.org")
		if !form.MatchString(code) || seen[code] {
			t.Errorf("code %q", code)
		}
		seen[code] = true
	}
}

// TestSameAddress: the same address in other letters is the same account, and another is not.
func TestSameAddress(t *testing.T) {
	f := newFixture(t)
	if _, err := f.service.Verify(t.Context(), "client", email, f.register(t, email)); err != nil {
		t.Fatal(err)
	}
	for other, known := range map[string]bool{" SomeBody@Example.ORG\n": true, "somebody@example.com": false, "some.body@example.org": false, "somebody+1@example.org": false} {
		if code := f.register(t, other); (code == "") != known {
			t.Errorf("%q: code %q", other, code)
		}
	}
}

// TestAudited: the log says what a registration has done, and nothing of whose it is.
func TestAudited(t *testing.T) {
	f := newFixture(t)
	f.register(t, email)
	made, err := f.service.Verify(t.Context(), "client", email, f.register(t, email))
	if err != nil {
		t.Fatal(err)
	}
	f.register(t, email)
	list, _, err := f.AuditWhole(t.Context(), face.AuditPage{Limit: 100, OldestFirst: true})
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for i, entry := range list {
		actions = append(actions, entry.Action)
		if entry.Actor != face.RegistrationActor.ID || i > 0 && entry.Application != made.Application || strings.Contains(string(entry.Encode()), "example") {
			t.Errorf("%+v", entry)
		}
	}
	if got := strings.Join(actions, " "); got != "account_register application_create key_create account_verify" {
		t.Error(got)
	}
}

// TestDamaged: what is damaged in the store is an error, not a way in.
func TestDamaged(t *testing.T) {
	f := newFixture(t)
	whole := strings.Repeat("A", 43) // 32 bytes
	for _, damaged := range []string{
		"x", "$argon2id$v=19$m=19456,t=2,p=1$$", "$argon2id$v=18$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$" + whole, "$argon2id$v=19$m=0,t=2,p=1$c2FsdA$" + whole,
		"$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$!", "$argon2id$v=19$m=99999999,t=0,p=1$c2FsdA$" + whole, "$argon2id$v=19$m=2000000,t=2,p=1$c2FsdA$" + whole, "$argon2i$v=19$m=19456,t=2,p=1$c2FsdA$" + whole,
	} {
		_, err := f.ChangeAccount(t.Context(), email, func(account *face.Account) error {
			*account = face.Account{Code: damaged, CodeExpiresAt: time.Now().Add(time.Minute)}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.service.Verify(t.Context(), "client", email, "")
		if err == nil || face.CodeOf(err) != "" {
			t.Errorf("%s: %v", damaged, err)
		}
	}
}

// TestLimitsAreApart: who is over his own limit uses up nobody else's.
func TestLimitsAreApart(t *testing.T) {
	f := newFixture(t)
	for range account.RegistersPerClient + account.CodesPerEmail {
		f.service.Register(t.Context(), "attacker", "x@", "MyStr0ng!Pass") // not an address: not counted
	}
	for i := range account.RegistersPerClient {
		if err := f.service.Register(t.Context(), "attacker", strings.Repeat("y", i+1)+"@example.org", "MyStr0ng!Pass"); err != nil {
			t.Fatal(err)
		}
	}
	var limited *account.LimitError
	for range account.CodesPerEmail {
		if err := f.service.Register(t.Context(), "attacker", email, "MyStr0ng!Pass"); !errors.As(err, &limited) || limited.Max != account.RegistersPerClient {
			t.Fatal(err)
		}
	}
	if f.register(t, email) == "" {
		t.Error("no code")
	}
}
