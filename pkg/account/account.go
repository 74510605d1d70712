// Package account registers people by e-mail: a one-time code proves the address, and an
// application of its own with a key is what it leads to. Nobody is told whether an address is
// known: every answer is the same, and only the mail says it.
package account

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"facesearch/pkg/face"
	"facesearch/pkg/search"
)

// The bounds of a registration.
const (
	CodeLength   = 6
	CodeLifetime = 10 * time.Minute
	CodeTriesMax = 5
	// unverifiedLifetime is when an account is forgotten that was never verified.
	unverifiedLifetime = 24 * time.Hour

	PasswordMin = 8   // characters
	PasswordMax = 256 // bytes
	emailMax    = 254 // bytes, of RFC 5321
)

// How often something may be done in an hour.
const (
	CodesPerEmail       = 5
	RegistersPerClient  = 20
	VerifiesPerClient   = 60
	RegistersOfEveryone = 1000
)

// codeAlphabet has 32 letters and digits, none of which is taken for another.
const codeAlphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

// A Mail is what is sent to somebody who registers.
type Mail struct {
	To, Subject, Text string
	// Code is the one-time code in the text; empty when there is none.
	Code string
}

// A Sender sends mail; pkg/mail has one. Its errors must not hold the address.
type Sender interface {
	Send(ctx context.Context, mail Mail) error
}

// LogSender is the Sender of a server that has no mail: it writes codes to the log, without the
// address.
type LogSender struct{ Log *slog.Logger }

// Send writes one line.
func (s LogSender) Send(ctx context.Context, mail Mail) error {
	if mail.Code == "" {
		s.Log.InfoContext(ctx, "somebody registered with an e-mail address that has an account already; nothing was changed")
		return nil
	}
	s.Log.InfoContext(ctx, "the one-time code of a registration; configure SMTP to send it by mail", "code", mail.Code)
	return nil
}

// A Service registers people. It is safe for concurrent use.
type Service struct {
	gallery face.Gallery
	sender  Sender
	now     func() time.Time
	hasher  hasher
	// stranger is a hash that no code has: it is compared with where there is none, so that this
	// takes as long.
	stranger string

	emails, registers, verifies, everyone *limit
}

// New makes a Service; now is the clock.
func New(ctx context.Context, gallery face.Gallery, sender Sender, now func() time.Time) (*Service, error) {
	s := &Service{
		gallery: gallery, sender: sender, now: now, hasher: newHasher(),
		emails: newLimit(CodesPerEmail, now), registers: newLimit(RegistersPerClient, now),
		verifies: newLimit(VerifiesPerClient, now), everyone: newLimit(RegistersOfEveryone, now),
	}
	var err error
	s.stranger, err = s.hasher.hash(ctx, rand.Text())
	return s, err
}

// normalEmail is how an address is compared: without space around it, in small letters.
func normalEmail(given string) (string, error) {
	email := strings.ToLower(strings.TrimSpace(given))
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email || len(email) > emailMax {
		return "", face.Invalid("email is not an e-mail address such as somebody@example.org.")
	}
	return email, nil
}

func checkPassword(password string) error {
	if utf8.RuneCountInString(password) < PasswordMin || len(password) > PasswordMax {
		return face.Invalid("password has to have at least %d characters, and at most %d bytes.", PasswordMin, PasswordMax)
	}
	return nil
}

// Register sends a one-time code to an address, or says there that it has an account already;
// client names who asks, for the limits. CodeInvalid: the address or the password cannot be one;
// CodeRateLimited, as a *LimitError; CodeBusy: the mail could not be sent.
func (s *Service) Register(ctx context.Context, client, email, password string) error {
	ctx = face.WithActor(ctx, face.RegistrationActor)
	email, err := normalEmail(email)
	if err != nil {
		return err
	}
	if err := checkPassword(password); err != nil {
		return err
	}
	if err := s.admit(client, email); err != nil {
		return err
	}
	code := newCode()
	hashedCode, err := s.hasher.hash(ctx, code)
	if err != nil {
		return err
	}
	hashedPassword, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	account, err := s.gallery.ChangeAccount(ctx, email, func(account *face.Account) error {
		if !account.VerifiedAt.IsZero() {
			return nil
		}
		now := s.now().UTC()
		if account.CreatedAt.IsZero() {
			account.CreatedAt = now
		}
		account.Password = hashedPassword
		account.Code, account.CodeTries, account.CodeExpiresAt = hashedCode, 0, now.Add(CodeLifetime)
		account.ForgetAt = now.Add(unverifiedLifetime)
		return nil
	})
	if err != nil {
		return err
	}
	return s.send(ctx, email, code, !account.VerifiedAt.IsZero())
}

// admit asks the limits one after the other: who is over his own uses up nobody else's.
func (s *Service) admit(client, email string) error {
	if err := s.registers.take(client); err != nil {
		return err
	}
	if err := s.emails.take(email); err != nil {
		return err
	}
	return s.everyone.take("")
}

func (s *Service) send(ctx context.Context, email, code string, known bool) error {
	mail := Mail{
		To: email, Code: code, Subject: "Your code for facesearch",
		Text: "Your one-time code is " + code + ". It is valid for 10 minutes.\n\n" +
			"If you did not register, somebody else gave your address, and you need do nothing.\n",
	}
	if known {
		mail = Mail{
			To: email, Subject: "You have an account with facesearch",
			Text: "Somebody registered with your address, which has an account already. Nothing was changed.\n\n" +
				"If this was you and you have lost your API key, ask the owner of the server for a new one.\n",
		}
	}
	if err := s.sender.Send(ctx, mail); err != nil {
		return &face.Error{
			Code: face.CodeBusy, RetryAfter: time.Minute, Cause: err,
			Detail: "The mail with the code could not be sent: try again later.",
		}
	}
	return nil
}

func newCode() string {
	code := make([]byte, CodeLength)
	rand.Read(code)
	for i, each := range code {
		code[i] = codeAlphabet[each%byte(len(codeAlphabet))] // 256 is a multiple of 32
	}
	return string(code)
}

// Credentials are what a registration leads to.
type Credentials struct{ Application, Name, Secret string }

// errRefused ends a change of an account that is not to be changed.
var errRefused = errors.New("refused")

func wrongCode() error {
	return face.Invalid("The code is wrong, was used, or has expired: after %d tries or %d minutes, register again to get a new one.",
		CodeTriesMax, int(CodeLifetime.Minutes()))
}

// Verify makes the application of an account when the code is the one that was sent.
// CodeInvalid: it is not, or not any more; CodeRateLimited, as a *LimitError.
func (s *Service) Verify(ctx context.Context, client, email, code string) (Credentials, error) {
	ctx = face.WithActor(ctx, face.RegistrationActor)
	email, err := normalEmail(email)
	if err != nil {
		return Credentials{}, err
	}
	if err := s.verifies.take(client); err != nil {
		return Credentials{}, err
	}
	hashed, err := s.try(ctx, email)
	if err != nil {
		return Credentials{}, err
	}
	right, err := s.hasher.matches(ctx, hashed, strings.ToUpper(strings.TrimSpace(code)))
	if err != nil {
		return Credentials{}, err
	}
	if !right {
		return Credentials{}, wrongCode()
	}
	application, err := s.claim(ctx, email, hashed)
	if err != nil {
		return Credentials{}, err
	}
	return s.provide(ctx, email, application)
}

// try counts a try before it is made, and returns what the code has to match.
func (s *Service) try(ctx context.Context, email string) (hashed string, err error) {
	account, err := s.gallery.ChangeAccount(ctx, email, func(account *face.Account) error {
		if account.Code == "" || account.CodeTries >= CodeTriesMax || !s.now().Before(account.CodeExpiresAt) {
			return errRefused
		}
		account.CodeTries++
		return nil
	})
	if errors.Is(err, errRefused) {
		return s.stranger, nil
	}
	return account.Code, err
}

// claim uses a code up, and says which application the account is to have.
func (s *Service) claim(ctx context.Context, email, hashed string) (application string, err error) {
	account, err := s.gallery.ChangeAccount(ctx, email, func(account *face.Account) error {
		if account.Code != hashed {
			return errRefused
		}
		account.Code = ""
		if account.Application == "" { // else a crash came in between, last time
			account.Application = uuid.NewString()
		}
		return nil
	})
	if errors.Is(err, errRefused) {
		return "", wrongCode()
	}
	return account.Application, err
}

// provide makes the application and its key. Whoever is interrupted in here registers again.
func (s *Service) provide(ctx context.Context, email, id string) (Credentials, error) {
	application := face.Application{ID: id, Name: "registered", CreatedAt: s.now().UTC()}
	if err := s.gallery.CreateApplication(ctx, application); err != nil && face.CodeOf(err) != face.CodeConflict {
		return Credentials{}, err
	}
	secret := search.NewSecret()
	if _, err := search.CreateKey(ctx, s.gallery, id, "first", secret); err != nil {
		return Credentials{}, err
	}
	_, err := s.gallery.ChangeAccount(ctx, email, func(account *face.Account) error {
		account.Code = ""
		account.VerifiedAt, account.ForgetAt = s.now().UTC(), time.Time{}
		return nil
	})
	return Credentials{id, application.Name, secret}, err
}
