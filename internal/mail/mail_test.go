package mail_test

import (
	"crypto/tls"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/mail"
	"github.com/testamur/testamur/internal/testbed"
)

func letter() mail.Letter {
	return mail.Letter{ID: "msg_1", To: "hr@acme.example", FromName: "Universität Überlingen", ReplyTo: "office@uni.example", Subject: "Überlingen: 一 ¡se avisó!",
		Text: "Línea uno.\n\nhttps://records.example/s/" + strings.Repeat("a", 120) + "\n.\nEnd\n", End: "https://records.example/w/x", Language: "es",
		Date: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)}
}

func sender(t *testing.T, s mail.Settings) *mail.Sender {
	t.Helper()
	m, err := mail.New(s)
	return testbed.Must(t, m, err)
}

func TestALetterArrivesAsItWasWritten(t *testing.T) {
	t.Parallel()
	box := testbed.NewMailbox(t, nil)
	if err := sender(t, mail.Settings{Server: box.Address, From: "Records <records@uni.example>"}).Send(t.Context(), letter()); err != nil {
		t.Fatal(err)
	}
	got := box.Letters()
	if len(got) != 1 || got[0].From != "records@uni.example" || got[0].To != "hr@acme.example" {
		t.Fatalf("%+v", got)
	}
	head := func(name string) string {
		text, err := new(mime.WordDecoder).DecodeHeader(got[0].Header.Get(name))
		return testbed.Must(t, text, err)
	}
	for name, want := range map[string]string{"Subject": letter().Subject, "From": `"Universität Überlingen" <records@uni.example>`, "Reply-To": "<office@uni.example>",
		"Message-Id": "<msg_1@uni.example>", "Auto-Submitted": "auto-generated", "List-Unsubscribe": "<https://records.example/w/x>",
		"List-Unsubscribe-Post": "List-Unsubscribe=One-Click", "Content-Language": "es", "Date": "Tue, 24 Nov 2026 09:00:00 +0000"} {
		if got := head(name); strings.Trim(got, `"`) != strings.Trim(want, `"`) && strings.ReplaceAll(got, `"`, "") != strings.ReplaceAll(want, `"`, "") {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	_, body, _ := strings.Cut(got[0].Raw, "\r\n\r\n")
	text, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(body)))
	if err != nil || strings.ReplaceAll(strings.TrimSpace(string(text)), "\r\n", "\n") != strings.TrimSpace(letter().Text) {
		t.Errorf("%v %q", err, text)
	}
}

// TestOneThatIsSignedInToIsReachedByTLSAlone hands over with a password, to a
// server whose certificate is not known and to one whose is.
func TestOneThatIsSignedInToIsReachedByTLSAlone(t *testing.T) {
	t.Parallel()
	web := httptest.NewTLSServer(nil)
	defer web.Close()
	box := testbed.NewMailbox(t, &tls.Config{Certificates: web.TLS.Certificates})
	s := mail.Settings{Server: box.Address, From: "records@uni.example", User: "records", Password: "secret"}
	if err := sender(t, s).Send(t.Context(), letter()); err == nil || len(box.Letters()) > 0 || len(box.SignedIn()) > 0 {
		t.Errorf("a server that nobody vouches for was told the password: %v %v", err, box.SignedIn())
	}
	s.TLS = &tls.Config{RootCAs: web.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "example.com"}
	if err := sender(t, s).Send(t.Context(), letter()); err != nil {
		t.Fatal(err)
	}
	if got := box.Letters(); len(got) != 1 || len(box.SignedIn()) != 1 {
		t.Errorf("%d letters, signed in %v", len(got), box.SignedIn())
	}
	s.Password = "guessed"
	if err := sender(t, s).Send(t.Context(), letter()); err == nil || strings.Contains(err.Error(), "guessed") {
		t.Errorf("a wrong password: %v", err)
	}
}

func TestAFailureNamesNobody(t *testing.T) {
	t.Parallel()
	box := testbed.NewMailbox(t, nil)
	box.Refuse(550)
	s := sender(t, mail.Settings{Server: box.Address, From: "records@uni.example"})
	if err := s.Send(t.Context(), letter()); err == nil || err.Error() != "the mail server answered 550" {
		t.Errorf("%v", err)
	}
	nobody := sender(t, mail.Settings{Server: "127.0.0.1:1", From: "records@uni.example"})
	if err := nobody.Send(t.Context(), letter()); err == nil || err.Error() != "the mail server cannot be reached" {
		t.Errorf("%v", err)
	}
	for _, change := range []func(*mail.Letter){func(l *mail.Letter) { l.Subject += "\r\nBcc: all@acme.example" }, func(l *mail.Letter) { l.To = "a@b.example\nRCPT TO:<c@d.example>" },
		func(l *mail.Letter) { l.FromName = "x\n" }, func(l *mail.Letter) { l.To = "nobody" }} {
		l := letter()
		change(&l)
		if err := s.Send(t.Context(), l); err == nil || len(box.Letters()) > 0 {
			t.Errorf("%q %q was sent", l.Subject, l.To)
		}
	}
	for _, bad := range []mail.Settings{{Server: "mail", From: "a@b.example"}, {Server: "mail:0", From: "a@b.example"}, {Server: "mail:25", From: "nobody"}, {Server: "mail:25"}} {
		if _, err := mail.New(bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}
