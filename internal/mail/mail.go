// Package mail sends plain letters through the operator's mail server.
//
// It promises a connection that is encrypted, or is to this machine itself; a
// bounded time; and that nothing in a letter becomes a header. It keeps nothing:
// whoever sends writes down what is to be sent, and tries again. Standards: RFC
// 5321, RFC 5322; RFC 8058 for ending what comes again.
package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Settings are where letters are handed over, and who they are from.
type Settings struct {
	Server   string // HOST:PORT; on port 465 by TLS from the start, else by STARTTLS
	From     string // address, or NAME <address>
	User     string // empty: without signing in
	Password string
	TLS      *tls.Config // nil: the roots of the system
}

// Letter is one mail.
type Letter struct {
	ID       string // the same each time that it is tried; it becomes the Message-ID
	To       string // an address alone
	FromName string // shown in place of the name in Settings; empty: that
	ReplyTo  string // empty: nobody
	Subject  string
	Text     string
	End      string // https address at which no more such letters are wished; empty: none
	Language string
	Date     time.Time
}

// Sender sends letters.
type Sender struct {
	Settings
	host    string
	port    int
	address *netmail.Address
	local   bool
}

// within is how long one letter may take.
const within = 20 * time.Second

// New checks the settings.
func New(s Settings) (*Sender, error) {
	host, port, err := net.SplitHostPort(s.Server)
	if err != nil {
		return nil, fmt.Errorf("the mail server %q is not HOST:PORT", s.Server)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 {
		return nil, fmt.Errorf("the mail server %q has no port", s.Server)
	}
	from, err := netmail.ParseAddress(s.From)
	if err != nil {
		return nil, fmt.Errorf("%q is not the address of a sender: write it as records@example.edu", s.From)
	}
	ip := net.ParseIP(host)
	return &Sender{Settings: s, host: host, port: n, address: from, local: host == "localhost" || ip != nil && ip.IsLoopback()}, nil
}

// Send hands a letter over. An error is a sentence without a capital that names
// neither the recipient nor the password.
func (s *Sender) Send(ctx context.Context, l Letter) error {
	m, err := s.message(l)
	if err != nil {
		return err
	}
	options := []gomail.Option{gomail.WithPort(s.port), gomail.WithTimeout(within), gomail.WithTLSPolicy(gomail.TLSMandatory), gomail.WithoutNoop()}
	if s.local {
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	}
	if s.port == 465 {
		options = append(options, gomail.WithSSL())
	}
	if s.TLS != nil {
		options = append(options, gomail.WithTLSConfig(s.TLS))
	}
	if s.User != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.User), gomail.WithPassword(s.Password))
	}
	c, err := gomail.NewClient(s.host, options...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return told(c.DialAndSendWithContext(ctx, m))
}

// message is a letter in the form of RFC 5322.
func (s *Sender) message(l Letter) (*gomail.Msg, error) {
	for _, line := range []string{l.To, l.ReplyTo, l.Subject, l.FromName, l.End} {
		if strings.ContainsAny(line, "\r\n") {
			return nil, errors.New("a line of the letter's head has a break in it")
		}
	}
	m := gomail.NewMsg(gomail.WithCharset(gomail.CharsetUTF8), gomail.WithEncoding(gomail.EncodingQP), gomail.WithNoDefaultUserAgent())
	name := s.address.Name
	if l.FromName != "" {
		name = l.FromName
	}
	if err := m.FromFormat(name, s.address.Address); err != nil {
		return nil, errors.New("the address of the sender is not one")
	}
	if err := m.To(l.To); err != nil {
		return nil, errors.New("the address of the recipient is not one")
	}
	if l.ReplyTo != "" {
		if err := m.ReplyTo(l.ReplyTo); err != nil {
			return nil, errors.New("the address for answers is not one")
		}
	}
	m.Subject(l.Subject)
	m.SetMessageIDWithValue(l.ID + "@" + s.address.Address[strings.LastIndexByte(s.address.Address, '@')+1:])
	m.SetDateWithValue(l.Date)
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834
	if l.Language != "" {
		m.SetGenHeader(gomail.HeaderContentLang, l.Language)
	}
	if l.End != "" {
		m.SetGenHeader(gomail.HeaderListUnsubscribe, "<"+l.End+">")
		m.SetGenHeader(gomail.HeaderListUnsubscribePost, "List-Unsubscribe=One-Click")
	}
	m.SetBodyString(gomail.TypeTextPlain, l.Text)
	return m, nil
}

// told is what an operator is told of a failure: the server's code and whether it
// is worth trying again, not the address that it repeats.
func told(err error) error {
	var sent *gomail.SendError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &sent) && sent.ErrorCode() > 0:
		return fmt.Errorf("the mail server answered %d", sent.ErrorCode())
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the mail server did not answer within %s", within)
	}
	var n net.Error
	if errors.As(err, &n) {
		return errors.New("the mail server cannot be reached")
	}
	return fmt.Errorf("the mail server took no letter: %s", reason(err))
}

// reason is the last part of an error, which is the library's own.
func reason(err error) string {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	text := err.Error()
	if strings.Contains(text, "@") || len(text) > 200 {
		return "see its log"
	}
	return text
}
