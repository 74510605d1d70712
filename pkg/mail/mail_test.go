package mail_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	gomail "github.com/wneessen/go-mail"

	"facesearch/pkg/account"
	"facesearch/pkg/mail"
)

// A mailServer speaks as much SMTP as these tests need, and keeps what it is told.
type mailServer struct {
	address string
	offers  []string // after EHLO
	refuses string   // the recipient it does not know
	tls     *tls.Config
	told    chan told // one for each connection
}

// told is what a client said, and whether the mail came over TLS.
type told struct {
	lines     []string
	encrypted bool
}

func listen(t *testing.T, certificate *tls.Config, offers ...string) *mailServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	server := &mailServer{address: listener.Addr().String(), offers: offers, tls: certificate, told: make(chan told, 10)}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go server.talk(connection)
		}
	}()
	return server
}

func (s *mailServer) talk(connection net.Conn) {
	defer func() { connection.Close() }()
	var said told
	defer func() { s.told <- said }()
	connection.SetDeadline(time.Now().Add(time.Minute))
	reader := bufio.NewReader(connection)
	answer := func(line string) { fmt.Fprintf(connection, "%s\r\n", line) }
	answer("220 ready")
	inMail := false
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		said.lines = append(said.lines, line)
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		switch {
		case inMail && line != ".":
		case inMail:
			inMail = false
			answer("250 taken")
		case verb == "EHLO":
			answer("250-test")
			for _, offer := range s.offers {
				if offer != "STARTTLS" || !said.encrypted {
					answer("250-" + offer)
				}
			}
			answer("250 8BITMIME")
		case verb == "STARTTLS":
			answer("220 go ahead")
			connection = tls.Server(connection, s.tls)
			reader, said.encrypted = bufio.NewReader(connection), true
		case verb == "AUTH":
			answer("235 welcome")
		case verb == "RCPT" && s.refuses != "" && strings.Contains(line, s.refuses):
			answer("550 " + s.refuses + " is not known here")
		case verb == "DATA":
			inMail = true
			answer("354 go on")
		case verb == "QUIT":
			answer("221 bye")
			return
		default:
			answer("250 fine")
		}
	}
}

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

func (s *mailServer) next(t *testing.T) told {
	t.Helper()
	select {
	case said := <-s.told:
		return said
	case <-time.After(time.Minute):
		t.Fatal("nobody was connected")
		return told{}
	}
}

func TestSend(t *testing.T) {
	pair, pool := certificate(t)
	trusting := &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
	t.Run("OK with STARTTLS and a login", func(t *testing.T) {
		server := listen(t, pair, "STARTTLS", "AUTH PLAIN")
		s := sender(t, mail.Options{Address: server.address, User: "user", Password: "secret", TLS: trusting})
		s.RequireTLS()
		if err := s.Send(t.Context(), letter); err != nil {
			t.Fatal(err)
		}
		said := server.next(t)
		text := strings.Join(said.lines, "\n")
		for _, words := range []string{
			"AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00user\x00secret")),
			"MAIL FROM:<facesearch@example.org>", "RCPT TO:<somebody@example.com>", "Subject: Your code", letter.Text[:len(letter.Text)-1],
		} {
			if !strings.Contains(text, words) {
				t.Errorf("no %q in what was said:\n%s", words, text)
			}
		}
		if !said.encrypted {
			t.Error("it was not encrypted")
		}
	})
	t.Run("OK without TLS on this machine", func(t *testing.T) {
		server := listen(t, nil)
		if err := sender(t, mail.Options{Address: server.address}).Send(t.Context(), letter); err != nil {
			t.Fatal(err)
		}
		if said := server.next(t); said.encrypted || !strings.Contains(strings.Join(said.lines, "\n"), letter.Code) {
			t.Errorf("%+v", said)
		}
	})
	requireNoMail := func(t *testing.T, said told) {
		t.Helper()
		if text := strings.Join(said.lines, "\n"); strings.Contains(text, letter.Code) || strings.Contains(text, letter.To) {
			t.Errorf("it was sent all the same:\n%s", text)
		}
	}
	t.Run("ErrNoTLS", func(t *testing.T) {
		server := listen(t, nil)
		s := sender(t, mail.Options{Address: server.address})
		s.RequireTLS()
		if err := s.Send(t.Context(), letter); err == nil {
			t.Error("no error")
		}
		requireNoMail(t, server.next(t))
	})
	t.Run("ErrNotTrusted", func(t *testing.T) {
		server := listen(t, pair, "STARTTLS")
		if err := sender(t, mail.Options{Address: server.address}).Send(t.Context(), letter); err == nil {
			t.Error("no error")
		}
		requireNoMail(t, server.next(t))
	})
	t.Run("ErrRefused", func(t *testing.T) {
		server := listen(t, nil)
		server.refuses = letter.To
		err := sender(t, mail.Options{Address: server.address}).Send(t.Context(), letter)
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
