// Package graphiql is a page in which to write queries, read the schema and see
// the answers, served from the binary: it needs nothing from elsewhere.
//
// The page may load scripts from here and ask this service, and nothing else; it
// holds no cookie and sends only the headers that its reader types or that the
// configuration gives to an example. Never give it a token that is not for
// everyone who can open the page.
package graphiql

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// Tab is an example the page opens with.
type Tab struct {
	Query     string // GraphQL; the name of its operation is the tab's title
	Variables string // a JSON object, or empty
	Headers   string // a JSON object, or empty
}

// Config is what the page shows and whom it asks.
type Config struct {
	Title    string
	Base     string // where the page is served, such as /graphiql
	Endpoint string // where it sends queries, such as /graphql
	Headers  string // of new tabs: a JSON object, or empty
	Tabs     []Tab
}

//go:embed dist
var dist embed.FS

// Handler serves the page at c.Base and its files below it.
func Handler(c Config) (http.Handler, error) {
	c.Base = strings.TrimSuffix(c.Base, "/")
	page, err := template.ParseFS(dist, "dist/page.html")
	if err != nil {
		return nil, fmt.Errorf("read the query page: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+c.Base, c.page(page))
	for _, name := range []string{"graphiql.min.css", "start.css", "react.production.min.js", "react-dom.production.min.js", "graphiql.min.js", "start.js"} {
		raw, err := fs.ReadFile(dist, "dist/"+name)
		if err != nil {
			return nil, fmt.Errorf("read the query page: %w", err)
		}
		mux.Handle("GET "+c.Base+"/"+name, file(name, raw))
	}
	return mux, nil
}

// settings are what start.js reads.
type settings struct {
	Endpoint string        `json:"endpoint"`
	Nonce    string        `json:"nonce"`
	Storage  string        `json:"storage"` // changes with the tabs
	Headers  string        `json:"headers,omitempty"`
	Tabs     []settingsTab `json:"tabs"`
}

type settingsTab struct {
	Query     string `json:"query"`
	Variables string `json:"variables,omitempty"`
	Headers   string `json:"headers,omitempty"`
}

func (c Config) settings() settings {
	s := settings{Endpoint: c.Endpoint, Headers: c.Headers, Tabs: []settingsTab{}}
	h := sha256.New()
	for _, t := range c.Tabs {
		s.Tabs = append(s.Tabs, settingsTab(t))
		fmt.Fprintf(h, "%q %q %q\n", t.Query, t.Variables, t.Headers)
	}
	s.Storage = base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:9])
	return s
}

// page is the document, with a policy that names its one nonce.
func (c Config) page(t *template.Template) http.Handler {
	s := c.settings()
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s := s
		s.Nonce = rand.Text()
		config, err := json.Marshal(s) // escapes < > &, so it cannot end its element
		if err != nil {
			http.Error(w, "The page could not be made.", http.StatusInternalServerError)
			return
		}
		var b bytes.Buffer
		if err := t.Execute(&b, map[string]any{"Title": c.Title, "Base": c.Base, "Endpoint": c.Endpoint, "Config": template.JS(config)}); err != nil {
			http.Error(w, "The page could not be made.", http.StatusInternalServerError)
			return
		}
		protect(w, s.Nonce)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(b.Bytes())
	})
}

// protect sets the policy of the page: scripts and styles from here, fonts and
// pictures that the style sheet holds, requests to here.
func protect(w http.ResponseWriter, nonce string) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-"+nonce+"'; "+
		"connect-src 'self'; img-src 'self' data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}

// file is one embedded file; a browser asks again with the tag of what it has.
func file(name string, raw []byte) http.Handler {
	kinds := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
	sum := sha256.Sum256(raw)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", kinds[path.Ext(name)])
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write(raw)
	})
}
