package rest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestNegotiate(t *testing.T) {
	t.Parallel()
	offers := []string{"application/vc", "application/ld+json", "application/json"}
	for _, c := range []struct{ accept, want string }{
		{"", "application/vc"},
		{"*/*", "application/vc"},
		{"application/*", "application/vc"},
		{"application/json", "application/json"},
		{"text/html, application/json;q=0.5, application/ld+json;q=0.7", "application/ld+json"},
		{"application/vc;q=0, */*;q=0.1", "application/ld+json"},
		{"application/json;q=nonsense", ""},
		{"application/json;q=7", ""},
		{"application/json;q=-1", ""},
		{"text/html", ""},
		{"text/*;q=1, image/png", ""},
		{";;;,,,=", ""},
		{"APPLICATION/JSON; charset=utf-8", "application/json"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept", c.accept)
		got, err := negotiate(r, offers...)
		if got != c.want || (c.want == "") != errors.Is(err, errNotAcceptable) {
			t.Errorf("%q: %q, %v; want %q", c.accept, got, err, c.want)
		}
	}
}

func FuzzNegotiate(f *testing.F) {
	for _, s := range []string{"", "*/*", "a/b;q=0.5,c/d", ";;;,,,", "application/json;q=1e400", "\x00/\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Accept"] = []string{accept}
		got, err := negotiate(r, "application/vc", "application/json")
		if (got == "") != (err != nil) {
			t.Errorf("%q: %q, %v", accept, got, err)
		}
	})
}

func TestDocumentsAreSentOnce(t *testing.T) {
	t.Parallel()
	d := document{media: "application/json", raw: []byte(`{}`), maxAge: 60}
	ask := func(method, header string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/", nil)
		r.Header.Set("If-None-Match", header)
		w := httptest.NewRecorder()
		d.serve(w, r)
		return w
	}
	first := ask(http.MethodGet, "")
	tag := first.Header().Get("ETag")
	if first.Code != http.StatusOK || first.Body.String() != "{}" || tag == "" {
		t.Fatalf("%d %q %q", first.Code, first.Body, tag)
	}
	for _, header := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
		if w := ask(http.MethodGet, header); w.Code != http.StatusNotModified || w.Body.Len() > 0 || w.Header().Get("ETag") != tag {
			t.Errorf("%s: %d %q", header, w.Code, w.Body)
		}
	}
	if w := ask(http.MethodGet, `"x"`); w.Code != http.StatusOK {
		t.Errorf("another tag: %d", w.Code)
	}
	if w := ask(http.MethodHead, ""); w.Body.Len() > 0 || w.Header().Get("Content-Length") != "2" {
		t.Errorf("HEAD: %q", w.Body)
	}
	other := document{media: "application/vc", raw: d.raw, private: true}
	w := httptest.NewRecorder()
	other.serve(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Header().Get("ETag") == tag || w.Header().Get("Cache-Control") != "private, no-cache" || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a private document: %v", w.Header())
	}
}
