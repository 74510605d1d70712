package mail_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	gomail "github.com/wneessen/go-mail"

	"facesearch/pkg/account"
	"facesearch/pkg/facetest"
	"facesearch/pkg/mail"
)

// certificate is one for 127.0.0.1, with the pool that trusts it.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

func sender(t *testing.T, options mail.Options) *mail.Sender {
	t.Helper()
	options.From = "facesearch@example.org"
	made, err := mail.New(options)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

var letter = account.Mail{To: "somebody@example.com", Subject: "Your code", Text: "Your one-time code is A3K9F2.\n", Code: "A3K9F2"}

func TestSend(t *testing.T) {
	pair, pool := certificate(t)
	trusting := &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
	t.Run("OK with STARTTLS and a login", func(t *testing.T) {
		server := facetest.ListenMail(t, pair, "STARTTLS", "AUTH PLAIN")
		s := sender(t, mail.Options{Address: server.Address, User: "user", Password: "secret", TLS: trusting})
		s.RequireTLS()
		if err := s.Send(t.Context(), letter); err != nil {
			t.Fatal(err)
		}
		said := server.Next(t)
		text := strings.Join(said.Lines, "\n")
		for _, words := range []string{
			"AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00user\x00secret")),
			"MAIL FROM:<facesearch@example.org>", "RCPT TO:<somebody@example.com>", "Subject: Your code", letter.Text[:len(letter.Text)-1],
		} {
			if !strings.Contains(text, words) {
				t.Errorf("no %q in what was said:\n%s", words, text)
			}
		}
		if !said.Encrypted {
			t.Error("it was not encrypted")
		}
	})
	t.Run("OK without TLS on this machine", func(t *testing.T) {
		server := facetest.ListenMail(t, nil)
		if err := sender(t, mail.Options{Address: server.Address}).Send(t.Context(), letter); err != nil {
			t.Fatal(err)
		}
		if said := server.Next(t); said.Encrypted || !strings.Contains(strings.Join(said.Lines, "\n"), letter.Code) {
			t.Errorf("%+v", said)
		}
	})
	requireNoMail := func(t *testing.T, said facetest.Told) {
		t.Helper()
		if text := strings.Join(said.Lines, "\n"); strings.Contains(text, letter.Code) || strings.Contains(text, letter.To) {
			t.Errorf("it was sent all the same:\n%s", text)
		}
	}
	t.Run("ErrNoTLS", func(t *testing.T) {
		server := facetest.ListenMail(t, nil)
		s := sender(t, mail.Options{Address: server.Address})
		s.RequireTLS()
		if err := s.Send(t.Context(), letter); err == nil {
			t.Error("no error")
		}
		requireNoMail(t, server.Next(t))
	})
	t.Run("ErrNotTrusted", func(t *testing.T) {
		server := facetest.ListenMail(t, pair, "STARTTLS")
		if err := sender(t, mail.Options{Address: server.Address}).Send(t.Context(), letter); err == nil {
			t.Error("no error")
		}
		requireNoMail(t, server.Next(t))
	})
	t.Run("ErrRefused", func(t *testing.T) {
		server := facetest.ListenMail(t, nil)
		server.Refuses = letter.To
		err := sender(t, mail.Options{Address: server.Address}).Send(t.Context(), letter)
		if err == nil || !strings.Contains(err.Error(), "550") || strings.Contains(err.Error(), letter.To) {
			t.Errorf("%v", err)
		}
	})
	t.Run("ErrAway", func(t *testing.T) {
		if err := sender(t, mail.Options{Address: "127.0.0.1:1"}).Send(t.Context(), letter); err == nil {
			t.Error("no error")
		}
	})
}

func TestOptions(t *testing.T) {
	for _, bad := range []mail.Options{
		{Address: "mail.example.org", From: "a@example.org"}, {Address: ":25", From: "a@example.org"}, {Address: "mail.example.org:0", From: "a@example.org"},
		{Address: "mail.example.org:smtp", From: "a@example.org"}, {Address: "mail.example.org:587"}, {Address: "mail.example.org:587", From: "nobody"},
	} {
		if _, err := mail.New(bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
	for _, address := range []string{"mail.example.org:587", "mail.example.org:25", "[::1]:25", "localhost:1025"} {
		if _, err := mail.New(mail.Options{Address: address, From: "Face Search <a@example.org>"}); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	for host, want := range map[string]gomail.TLSPolicy{
		"mail.example.org": gomail.TLSMandatory, "192.0.2.1": gomail.TLSMandatory, "localhost.example.org": gomail.TLSMandatory,
		"localhost": gomail.TLSOpportunistic, "127.0.0.2": gomail.TLSOpportunistic, "::1": gomail.TLSOpportunistic,
	} {
		if got := mail.PolicyFor(host); got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
}
