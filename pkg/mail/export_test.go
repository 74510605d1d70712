package mail

import gomail "github.com/wneessen/go-mail"

// PolicyFor is policyFor.
func PolicyFor(host string) gomail.TLSPolicy { return policyFor(host) }

// RequireTLS makes a sender treat its mail server as if it were another machine.
func (s *Sender) RequireTLS() { s.common = append(s.common, gomail.WithTLSPolicy(gomail.TLSMandatory)) }
