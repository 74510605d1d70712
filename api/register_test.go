package api_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"facesearch/api"
	"facesearch/pkg/account"
	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// A mailbox is a Sender that keeps mails by address.
type mailbox struct {
	mu    sync.Mutex
	mails map[string][]account.Mail
	fails error
}

func (m *mailbox) Send(_ context.Context, mail account.Mail) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mails == nil {
		m.mails = map[string][]account.Mail{}
	}
	if m.fails != nil {
		return m.fails
	}
	m.mails[mail.To] = append(m.mails[mail.To], mail)
	return nil
}

// last is the mail that somebody got last.
func (m *mailbox) last(t *testing.T, email string) account.Mail {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.mails[email]) == 0 {
		t.Fatal("no mail was sent")
	}
	return m.mails[email][len(m.mails[email])-1]
}

const (
	registerPath = "/auth/v2/programmatic/register/"
	verifyPath   = "/auth/v2/programmatic/verify-email/"
)

// registrar is a server with registration, asked without a key.
func registrar(t *testing.T, options api.Options) (*tenant, *mailbox) {
	t.Helper()
	w := open(t)
	box := &mailbox{}
	options.Registration, options.Mail = true, box
	return &tenant{world: w, url: w.serve(t, options, w.engine, 1, 10)}, box
}

func newEmail() string { return confide("somebody-" + uuid.NewString() + "@example.org") }

func (a *tenant) register(t *testing.T, email string) answer {
	t.Helper()
	return a.json(t, http.MethodPost, registerPath, `{"email": "`+email+`", "password": "`+confide("MyStr0ng!Pass")+`"}`)
}

func (a *tenant) verify(t *testing.T, email, code string) answer {
	t.Helper()
	return a.json(t, http.MethodPost, verifyPath, `{"email": "`+email+`", "code": "`+code+`"}`)
}

type verified struct {
	APIKey      string `json:"api_key"`
	Application struct {
		UUID   string `json:"uuid"`
		APIKey string `json:"api_key"`
	} `json:"application"`
}

// wrong is a code that differs from the right one in one character.
func wrong(code string) string {
	if strings.HasSuffix(code, "A") {
		return code[:len(code)-1] + "B"
	}
	return code[:len(code)-1] + "A"
}

// registrations gets every answer of registration that the document has.
func registrations(t *testing.T, a, starting *tenant) {
	t.Helper()
	r, box := registrar(t, api.Options{})
	stranger := &tenant{world: a.world, url: a.url} // whose server has it switched off
	for _, each := range []*tenant{starting, stranger} {
		each.register(t, newEmail())
		each.verify(t, newEmail(), "A3K9F2")
	}
	email := newEmail()
	r.register(t, "nobody")
	r.register(t, email)
	r.verify(t, email, "A3K9F2")
	r.verify(t, email, box.last(t, email).Code)
	for range account.RegistersPerClient {
		r.register(t, newEmail())
	}
	for range account.VerifiesPerClient {
		r.verify(t, email, "A3K9F2")
	}
}

func TestRegister(t *testing.T) {
	r, box := registrar(t, api.Options{})
	email := newEmail()
	var said struct{ Message, Email string }
	r.register(t, email).decode(t, http.StatusCreated, &said)
	if said.Email != email || said.Message == "" {
		t.Errorf("%+v", said)
	}
	mail := box.last(t, email)
	if len(mail.Code) != 6 || !strings.Contains(mail.Text, mail.Code) || strings.ToUpper(mail.Code) != mail.Code {
		t.Fatalf("%+v", mail)
	}
	r.verify(t, email, wrong(mail.Code)).refused(t, 400, "invalid_request", "The code is wrong")
	r.verify(t, newEmail(), mail.Code).refused(t, 400, "invalid_request", "The code is wrong")
	var made verified
	r.verify(t, " "+strings.ToUpper(email), strings.ToLower(mail.Code)).decode(t, http.StatusOK, &made)
	confide(made.APIKey)
	if made.APIKey == "" || made.APIKey != made.Application.APIKey {
		t.Fatalf("%+v", made)
	}
	key, err := r.gallery.KeyByDigest(t.Context(), search.Digest(made.APIKey))
	if err != nil || key.Scope != face.ScopeManage || key.Application != made.Application.UUID {
		t.Fatalf("%+v, %v", key, err)
	}
	t.Run("TheKeyWorks", func(t *testing.T) {
		mine := &tenant{world: r.world, id: made.Application.UUID, key: made.APIKey, url: r.url}
		if got := mine.list(t, "/v3/sessions/"); got.Count != 0 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("ErrUsed", func(t *testing.T) {
		r.verify(t, email, mail.Code).refused(t, 400, "invalid_request", "was used")
	})
	t.Run("KnownAddress", func(t *testing.T) {
		stranger := newEmail()
		known, unknown := r.register(t, email), r.register(t, stranger)
		if known.status != unknown.status || strings.ReplaceAll(string(known.body), email, stranger) != string(unknown.body) {
			t.Errorf("%d %s, and for an address that is not known %d %s", known.status, known.body, unknown.status, unknown.body)
		}
		if mail := box.last(t, email); mail.Code != "" || !strings.Contains(mail.Text, "has an account already") {
			t.Errorf("%+v", mail)
		}
		r.verify(t, email, mail.Code).refused(t, 400, "invalid_request", "")
		kept, err := r.gallery.ChangeAccount(t.Context(), email, func(*face.Account) error { return nil })
		if err != nil || kept.VerifiedAt.IsZero() || kept.Code != "" || !kept.ForgetAt.IsZero() || kept.Application != made.Application.UUID {
			t.Errorf("the account was changed: %+v, %v", kept, err)
		}
	})
	t.Run("AfterItsApplicationWasDeleted", func(t *testing.T) {
		if err := r.gallery.DeleteApplication(t.Context(), made.Application.UUID); err != nil {
			t.Fatal(err)
		}
		r.register(t, email)
		var again verified
		r.verify(t, email, box.last(t, email).Code).decode(t, http.StatusOK, &again)
		if again.Application.UUID == made.Application.UUID {
			t.Error("it has the application that was deleted")
		}
	})
}

func TestCodeTries(t *testing.T) {
	r, box := registrar(t, api.Options{})
	email := newEmail()
	r.register(t, email)
	first := box.last(t, email).Code
	for range account.CodeTriesMax {
		r.verify(t, email, wrong(first)).refused(t, 400, "invalid_request", "The code is wrong")
	}
	r.verify(t, email, first).refused(t, 400, "invalid_request", "The code is wrong")
	r.register(t, email)
	second := box.last(t, email).Code
	if first == second {
		t.Fatal("the code is the same")
	}
	r.verify(t, email, first).refused(t, 400, "invalid_request", "The code is wrong")
	for range account.CodeTriesMax - 2 {
		r.verify(t, email, wrong(second)).refused(t, 400, "invalid_request", "")
	}
	if got := r.verify(t, email, second); got.status != 200 {
		t.Errorf("the last try: %d %s", got.status, got.body)
	}
}

func TestCodeExpires(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	after := func(passed time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(passed)
	}
	r, box := registrar(t, api.Options{Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	email := newEmail()
	r.register(t, email)
	after(account.CodeLifetime)
	r.verify(t, email, box.last(t, email).Code).refused(t, 400, "invalid_request", "has expired")
	r.register(t, email)
	after(account.CodeLifetime - time.Second)
	if got := r.verify(t, email, box.last(t, email).Code); got.status != 200 {
		t.Errorf("in time: %d %s", got.status, got.body)
	}
}

// TestVerifyTwiceAtOnce: one code makes one application.
func TestVerifyTwiceAtOnce(t *testing.T) {
	r, box := registrar(t, api.Options{})
	email := newEmail()
	r.register(t, email)
	code := box.last(t, email).Code
	before, err := r.gallery.Applications(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	statuses := make([]int, account.CodeTriesMax)
	for i := range statuses {
		group.Go(func() { statuses[i] = r.verify(t, email, code).status })
	}
	group.Wait()
	after, err := r.gallery.Applications(t.Context())
	if err != nil || len(after) != len(before)+1 {
		t.Errorf("%d applications were made, %v, with the answers %v", len(after)-len(before), err, statuses)
	}
}

func TestRegistrationLimits(t *testing.T) {
	t.Run("OneAddress", func(t *testing.T) {
		r, _ := registrar(t, api.Options{})
		email := newEmail()
		for i := range account.CodesPerEmail {
			if got := r.register(t, email); got.status != http.StatusCreated {
				t.Fatalf("%d: %d %s", i, got.status, got.body)
			}
		}
		got := r.register(t, strings.ToUpper(email))
		got.refused(t, 429, "rate_limited", "at most 5 an hour")
		if got.header.Get("X-RateLimit-Limit") != "5" || got.header.Get("X-RateLimit-Remaining") != "0" || got.header.Get("Retry-After") == "" {
			t.Errorf("%v", got.header)
		}
		if got := r.register(t, newEmail()); got.status != http.StatusCreated {
			t.Errorf("another address: %d %s", got.status, got.body)
		}
	})
	t.Run("OneClient", func(t *testing.T) {
		var mu sync.Mutex
		now := time.Now()
		r, _ := registrar(t, api.Options{Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
		for range account.RegistersPerClient {
			r.register(t, newEmail())
		}
		r.register(t, newEmail()).refused(t, 429, "rate_limited", "at most 20 an hour")
		for range account.VerifiesPerClient {
			r.verify(t, newEmail(), "A3K9F2").refused(t, 400, "invalid_request", "")
		}
		r.verify(t, newEmail(), "A3K9F2").refused(t, 429, "rate_limited", "at most 60 an hour")
		mu.Lock()
		now = now.Add(time.Hour)
		mu.Unlock()
		if got := r.register(t, newEmail()); got.status != http.StatusCreated {
			t.Errorf("an hour later: %d %s", got.status, got.body)
		}
	})
}

func TestRegistrationOff(t *testing.T) {
	w := open(t)
	a := &tenant{world: w, url: w.url}
	for _, dev := range []bool{false, true} { // --dev is what the command makes of it
		a.url = w.serve(t, api.Options{Dev: dev}, w.engine, 1, 10)
		a.register(t, newEmail()).refused(t, 403, "forbidden", "switched off")
		a.verify(t, newEmail(), "A3K9F2").refused(t, 403, "forbidden", "switched off")
	}
}

func TestBadRegistrations(t *testing.T) {
	r, box := registrar(t, api.Options{})
	for body, words := range map[string]string{
		`{"email": "somebody@example.org"}`:                                                 "password is missing",
		`{"password": "MyStr0ng!Pass"}`:                                                     "email is missing",
		`{"email": "", "password": "MyStr0ng!Pass"}`:                                        "email is missing",
		`{"email": 7, "password": "MyStr0ng!Pass"}`:                                         "email is missing",
		`{"email": "somebody@example.org", "password": "short12"}`:                          "at least 8 characters",
		`{"email": "somebody@example.org", "password": "` + strings.Repeat("x", 257) + `"}`: "at most 256 bytes",
		`{"email": "somebody", "password": "MyStr0ng!Pass"}`:                                "not an e-mail address",
		`{"email": "Some Body <somebody@example.org>", "password": "12345678"}`:             "not an e-mail address",
		`{"email": "a@b.org\r\nBcc: c@d.org", "password": "12345678"}`:                      "not an e-mail address",
		`{"email": "a@b.org, c@d.org", "password": "12345678"}`:                             "not an e-mail address",
		`{"email": "` + strings.Repeat("x", 250) + `@example.org", "password": "12345678"}`: "not an e-mail address",
		`{"email": "somebody@example.org", "password": "12345678", "name": "x"}`:            "not known here",
		`[]`: "not a JSON object",
	} {
		r.json(t, http.MethodPost, registerPath, body).refused(t, 400, "invalid_request", words)
	}
	r.json(t, http.MethodPost, verifyPath, `{"email": "somebody@example.org"}`).refused(t, 400, "invalid_request", "code is missing")
	r.json(t, http.MethodPost, verifyPath, `{"email": "nobody", "code": "A3K9F2"}`).refused(t, 400, "invalid_request", "not an e-mail address")
	if len(box.mails) != 0 {
		t.Errorf("%d mails were sent", len(box.mails))
	}
	t.Run("MailFails", func(t *testing.T) {
		box.fails = errors.New("the mail server is away")
		got := r.register(t, newEmail())
		got.refused(t, 503, "busy", "could not be sent")
		if got.header.Get("Retry-After") != "60" || !strings.Contains(logged.String(), "the mail server is away") {
			t.Errorf("%v, or the log does not have the reason", got.header)
		}
	})
}

// TestCodeInLog: without mail the log has the code, and nothing else of who registers.
func TestCodeInLog(t *testing.T) {
	w := open(t)
	a := &tenant{world: w, url: w.serve(t, api.Options{Registration: true}, w.engine, 1, 10)}
	email := newEmail()
	before := len(logged.String())
	a.register(t, email)
	_, line, found := strings.Cut(logged.String()[before:], `"code":"`)
	if !found {
		t.Fatal("no code is logged")
	}
	if got := a.verify(t, email, line[:6]); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	a.register(t, email)
	if !strings.Contains(logged.String()[before:], "has an account already") {
		t.Error("that the address is known is not logged")
	}
}

// TestClientName: limits are those of a client, not of each of its addresses.
func TestClientName(t *testing.T) {
	handler := api.New(api.Options{Registration: true, Mail: &mailbox{}, Log: testLog()})
	if err := handler.Ready(t.Context(), open(t).gallery, nil); err != nil {
		t.Fatal(err)
	}
	register := func(from string) int {
		request := httptest.NewRequest(http.MethodPost, registerPath, strings.NewReader(`{"email": "`+newEmail()+`", "password": "12345678"}`))
		request.Header.Set("Content-Type", "application/json")
		request.RemoteAddr = from
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		return recorder.Code
	}
	for range account.RegistersPerClient / 2 {
		for _, from := range []string{"192.0.2.1:1234", "[::ffff:192.0.2.1]:99", "[2001:db8::1]:1", "[2001:db8::ffff:2]:2"} {
			if got := register(from); got != http.StatusCreated {
				t.Fatalf("%s: %d", from, got)
			}
		}
	}
	for from, want := range map[string]int{
		"192.0.2.1:5": 429, "[2001:db8::3]:3": 429, "192.0.2.2:5": 201, "[2001:db8:0:1::3]:3": 201,
	} {
		if got := register(from); got != want {
			t.Errorf("%s: %d", from, got)
		}
	}
}
