package main

import (
	"errors"
	"log/slog"

	"facesearch/pkg/account"
	"facesearch/pkg/mail"
)

// registrationFlags say whether anybody may register, and how the codes reach them.
type registrationFlags struct {
	Registration bool   `help:"Let anybody make an application of his own by e-mail."`
	SMTPAddress  string `help:"Mail server that sends the one-time codes of registrations; without it, they are written to the log. It has to know STARTTLS, unless it is on this machine." name:"smtp-address" placeholder:"HOST:PORT"`
	SMTPUser     string `help:"Name to log in with at the mail server; without it, nobody logs in." name:"smtp-user" placeholder:"NAME"`
	SMTPPassword string `help:"Password for the mail server; better set in the environment or the config file than here." name:"smtp-password" placeholder:"PASSWORD"`
	SMTPFrom     string `help:"E-mail address that mails are sent from." name:"smtp-from" placeholder:"ADDRESS"`
}

func (f registrationFlags) sender(log *slog.Logger) (account.Sender, error) {
	if f.SMTPAddress == "" {
		if f.SMTPUser != "" || f.SMTPPassword != "" || f.SMTPFrom != "" {
			return nil, errors.New("--smtp-user, --smtp-password and --smtp-from need --smtp-address")
		}
		return account.LogSender{Log: log}, nil
	}
	sender, err := mail.New(mail.Options{Address: f.SMTPAddress, User: f.SMTPUser, Password: f.SMTPPassword, From: f.SMTPFrom})
	if err != nil {
		return nil, errors.Join(errors.New("--smtp-address or --smtp-from is wrong"), err)
	}
	return sender, nil
}
