package main

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func TestLargeTextIsCompressed(t *testing.T) {
	t.Parallel()
	text := `{"data":"` + strings.Repeat("a learner and what was earned ", 1000) + `"}`
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{kind}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"tag"`)
		if r.Header.Get("If-None-Match") == `"tag"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		body := text
		switch r.PathValue("kind") {
		case "json":
			w.Header().Set("Content-Type", "application/graphql-response+json; charset=utf-8")
		case "picture":
			w.Header().Set("Content-Type", "image/png")
		case "events":
			w.Header().Set("Content-Type", "text/event-stream")
		case "short":
			w.Header().Set("Content-Type", "application/json")
			body = "{}"
		}
		io.WriteString(w, body)
	})
	h, err := compressed(mux)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(path, accept, have string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Accept-Encoding", accept)
		if have != "" {
			r.Header.Set("If-None-Match", have)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for accept, open := range map[string]func(io.Reader) (io.Reader, error){
		"gzip":              func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"gzip, br, zstd":    func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
		"br":                func(r io.Reader) (io.Reader, error) { return r, nil },
		"gzip;q=0, *;q=0.1": func(r io.Reader) (io.Reader, error) { return r, nil },
	} {
		w := ask("/json", accept, "")
		size := w.Body.Len()
		plain, err := open(w.Body)
		if err != nil {
			t.Fatalf("%s: %v", accept, err)
		}
		if raw, err := io.ReadAll(plain); err != nil || string(raw) != text {
			t.Errorf("%s: %d bytes, %v", accept, len(raw), err)
		}
		encoded := w.Header().Get("Content-Encoding") != ""
		if encoded != strings.HasPrefix(accept, "gzip") && accept != "gzip;q=0, *;q=0.1" || encoded && size > len(text)/10 {
			t.Errorf("%s: %q, %d bytes of %d", accept, w.Header().Get("Content-Encoding"), size, len(text))
		}
		if !strings.Contains(w.Header().Get("Vary"), "Accept-Encoding") {
			t.Errorf("%s: Vary %q", accept, w.Header().Get("Vary"))
		}
		if tag := w.Header().Get("ETag"); encoded == (tag == `"tag"`) {
			t.Errorf("%s: tag %s", accept, tag)
		} else if again := ask("/json", accept, tag); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
			t.Errorf("%s: what the client has: %d", accept, again.Code)
		}
	}
	for _, path := range []string{"/picture", "/events", "/short"} {
		if w := ask(path, "gzip", ""); w.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s is compressed", path)
		}
	}
}
