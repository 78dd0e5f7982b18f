package web_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/sharing"
	"github.com/testamur/testamur/internal/verify"
)

// BenchmarkVerifyPage is the verify page beside a bare handler that reads the
// same bytes, has them verified and answers with the outcome.
func BenchmarkVerifyPage(b *testing.B) {
	w := newWorld(b)
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	part, err := m.CreateFormFile("file", "badge.json")
	if err != nil {
		b.Fatal(err)
	}
	_, _ = part.Write(w.document(b, w.badge))
	_ = m.Close()
	bare := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		parts, err := r.MultipartReader()
		if err != nil {
			b.Fatal(err)
		}
		one, err := parts.NextPart()
		if err != nil {
			b.Fatal(err)
		}
		raw, err := io.ReadAll(one)
		if err != nil {
			b.Fatal(err)
		}
		reports, err := w.Verifier.Reports(r.Context(), access.Anonymous(), []verify.File{{Raw: raw}}, nil)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.WriteString(rw, string(reports[0].Outcome))
	})
	request := func() *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/verify", bytes.NewReader(form.Bytes()))
		r.Header.Set("Content-Type", m.FormDataContentType())
		return r
	}
	beside(b, bare, w.server.Config.Handler, request)
}

// BenchmarkSharePage is an opened link beside a bare handler that opens the same
// link, with its line in the account, and has what is behind it verified.
func BenchmarkSharePage(b *testing.B) {
	w := newWorld(b)
	if _, err := w.Holds.Lift(b.Context(), w.Registrar(), string(w.hold.ID), "Returned"); err != nil {
		b.Fatal(err)
	}
	token := strings.TrimPrefix(path(w.open), "/s/")
	bare := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		o, err := w.Shares.Open(r.Context(), access.Anonymous(), sharing.Opening{Token: token, From: netip.MustParseAddr("192.0.2.1")})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := w.Shares.Verdict(r.Context(), access.Anonymous(), o); err != nil {
			b.Fatal(err)
		}
		_, _ = rw.Write(o.Record)
	})
	beside(b, bare, w.server.Config.Handler, func() *http.Request {
		return httptest.NewRequest(http.MethodPost, path(w.open), nil)
	})
}

// beside measures two handlers with the same requests in turn, so that both have
// the same neighbours.
func beside(b *testing.B, bare, page http.Handler, request func() *http.Request) {
	b.Helper()
	for _, h := range []struct {
		name string
		http.Handler
	}{{"bare", bare}, {"page", page}, {"bare-again", bare}, {"page-again", page}} {
		b.Run(h.name, func(b *testing.B) {
			for b.Loop() {
				a := httptest.NewRecorder()
				h.ServeHTTP(a, request())
				if a.Code != http.StatusOK {
					b.Fatalf("%d %s", a.Code, a.Body)
				}
			}
		})
	}
}
