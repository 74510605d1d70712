package facetest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// A MailServer speaks as much SMTP as these tests need, and keeps what it is told.
type MailServer struct {
	Address string
	offers  []string // after EHLO
	Refuses string   // a recipient that it does not know; set before it is used
	tls     *tls.Config
	told    chan Told // one for each connection
}

// Told is what a client said, and whether the mail came over TLS.
type Told struct {
	Lines     []string
	Encrypted bool
}

// ListenMail makes a server on a free port; with a certificate it can do STARTTLS, when that is
// among its offers.
func ListenMail(t testing.TB, certificate *tls.Config, offers ...string) *MailServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	server := &MailServer{Address: listener.Addr().String(), offers: offers, tls: certificate, told: make(chan Told, 10)}
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

func (s *MailServer) talk(connection net.Conn) {
	defer func() { connection.Close() }()
	var said Told
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
		said.Lines = append(said.Lines, line)
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		switch {
		case inMail && line != ".":
		case inMail:
			inMail = false
			answer("250 taken")
		case verb == "EHLO":
			answer("250-test")
			for _, offer := range s.offers {
				if offer != "STARTTLS" || !said.Encrypted {
					answer("250-" + offer)
				}
			}
			answer("250 8BITMIME")
		case verb == "STARTTLS":
			answer("220 go ahead")
			connection = tls.Server(connection, s.tls)
			reader, said.Encrypted = bufio.NewReader(connection), true
		case verb == "AUTH":
			answer("235 welcome")
		case verb == "RCPT" && s.Refuses != "" && strings.Contains(line, s.Refuses):
			answer("550 " + s.Refuses + " is not known here")
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

// Next is what the next client said that has gone.
func (s *MailServer) Next(t testing.TB) Told {
	t.Helper()
	select {
	case said := <-s.told:
		return said
	case <-time.After(time.Minute):
		t.Fatal("nobody was connected")
		return Told{}
	}
}
