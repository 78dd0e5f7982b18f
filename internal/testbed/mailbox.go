package testbed

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Mailbox is a mail server on this machine that keeps what it is handed.
type Mailbox struct {
	Address string // HOST:PORT

	t        testing.TB
	mu       sync.Mutex
	refusing int // the code with which it answers; 0: it takes what comes
	letters  []Received
	signedIn []string
}

// Received is a letter as it came.
type Received struct {
	From, To string
	Raw      string
	Header   mail.Header
	TLS      bool
}

// NewMailbox starts a mail server. With a configuration it speaks STARTTLS and
// wants its sender to sign in with any name and the password "secret".
func NewMailbox(t testing.TB, secured *tls.Config) *Mailbox {
	t.Helper()
	b := &Mailbox{t: t}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	b.Address = Must(t, listener, err).Addr().String()
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		_, encrypted := c.TLSConnectionState()
		return &handover{box: b, tls: encrypted, strict: secured != nil}, nil
	}))
	s.Domain, s.TLSConfig, s.ReadTimeout, s.WriteTimeout = "mail.example", secured, 10*time.Second, 10*time.Second
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(listener) }()
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), <-ended); err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			t.Error(err)
		}
	})
	return b
}

// Refuse has every letter answered with a code; 0 takes them again.
func (b *Mailbox) Refuse(code int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refusing = code
}

// Letters are what was taken, in its order.
func (b *Mailbox) Letters() []Received {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Received(nil), b.letters...)
}

// SignedIn are the names with which senders signed in.
func (b *Mailbox) SignedIn() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.signedIn...)
}

// handover is one connection.
type handover struct {
	box         *Mailbox
	tls, strict bool
	in          bool
	from, to    string
}

// AuthMechanisms are the ways to sign in.
func (h *handover) AuthMechanisms() []string {
	if !h.strict {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth signs in.
func (h *handover) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, name, password string) error {
		if password != "secret" {
			return smtp.ErrAuthFailed
		}
		h.in = true
		h.box.mu.Lock()
		defer h.box.mu.Unlock()
		h.box.signedIn = append(h.box.signedIn, name)
		return nil
	}), nil
}

// Mail is who it is from.
func (h *handover) Mail(from string, _ *smtp.MailOptions) error {
	if h.strict && !h.in {
		return smtp.ErrAuthRequired
	}
	h.from = from
	return nil
}

// Rcpt is who it is for.
func (h *handover) Rcpt(to string, _ *smtp.RcptOptions) error {
	h.box.mu.Lock()
	defer h.box.mu.Unlock()
	if h.box.refusing != 0 {
		return &smtp.SMTPError{Code: h.box.refusing, EnhancedCode: smtp.EnhancedCode{h.box.refusing / 100, 1, 1}, Message: "No such mailbox " + to}
	}
	h.to = to
	return nil
}

// Data is the letter.
func (h *handover) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := mail.ReadMessage(strings.NewReader(string(raw)))
	if err != nil {
		return err
	}
	h.box.mu.Lock()
	defer h.box.mu.Unlock()
	h.box.letters = append(h.box.letters, Received{h.from, h.to, string(raw), m.Header, h.tls})
	return nil
}

// Reset begins anew.
func (h *handover) Reset() { h.from, h.to = "", "" }

// Logout ends.
func (h *handover) Logout() error { return nil }
