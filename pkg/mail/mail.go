// Package mail sends mail over SMTP. It uses go-mail because the standard library's net/smtp
// takes no context and no timeout, and is frozen.
package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"

	"facesearch/pkg/account"
)

// timeout is the patience with a mail server, for each step.
const timeout = 15 * time.Second

// Options say which mail server sends, and as whom.
type Options struct {
	Address        string // host:port
	User, Password string // both empty: without logging in
	From           string // address of the sender
	// TLS is used instead of the default when not nil.
	TLS *tls.Config
}

// A Sender is an account.Sender. It is safe for concurrent use.
type Sender struct {
	from   string
	host   string
	common []gomail.Option
}

// New checks the options; it does not connect.
func New(options Options) (*Sender, error) {
	host, portText, err := net.SplitHostPort(options.Address)
	if err != nil || host == "" {
		return nil, errors.New("the address of the mail server is not host:port")
	}
	port, err := strconv.Atoi(portText)
	if err != nil || port < 1 || port > 65535 {
		return nil, errors.New("the port of the mail server is not a number from 1 to 65535")
	}
	if err := gomail.NewMsg().From(options.From); err != nil {
		return nil, errors.New("the sender of mails is not an e-mail address")
	}
	s := &Sender{from: options.From, host: host, common: []gomail.Option{
		gomail.WithPort(port), gomail.WithTimeout(timeout), gomail.WithTLSPolicy(policyFor(host)),
	}}
	if options.TLS != nil {
		s.common = append(s.common, gomail.WithTLSConfig(options.TLS))
	}
	if options.User != "" {
		s.common = append(s.common, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover),
			gomail.WithUsername(options.User), gomail.WithPassword(options.Password))
	}
	_, err = gomail.NewClient(host, s.common...)
	return s, err
}

// policyFor asks for STARTTLS, but of a mail server on the same machine, which often has none.
func policyFor(host string) gomail.TLSPolicy {
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return gomail.TLSOpportunistic
	}
	return gomail.TLSMandatory
}

// Send sends one mail. Its errors name the step that failed and the mail server's code, and not
// what it said, which may hold the address.
func (s *Sender) Send(ctx context.Context, mail account.Mail) error {
	message := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if message.From(s.from) != nil || message.To(mail.To) != nil {
		return errors.New("the mail has no address that can be sent to")
	}
	message.Subject(mail.Subject)
	message.SetBodyString(gomail.TypeTextPlain, mail.Text)
	// go-mail leaves a connection open on which TLS or the login failed.
	var connection net.Conn
	defer func() {
		if connection != nil {
			connection.Close()
		}
	}()
	dial := gomail.WithDialContextFunc(func(ctx context.Context, network, address string) (_ net.Conn, err error) {
		connection, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return connection, err
	})
	client, err := gomail.NewClient(s.host, append(s.common[:len(s.common):len(s.common)], dial)...)
	if err != nil {
		return err
	}
	err = client.DialAndSendWithContext(ctx, message)
	var refused *gomail.SendError
	if errors.As(err, &refused) {
		return fmt.Errorf("the mail server refused the mail: %s, code %d", refused.Reason, refused.ErrorCode())
	}
	return err
}
