package graph

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2"

	"github.com/testamur/testamur/graph/gen"
)

// Trusted are the documents that a client's authors registered with the service
// beforehand, by hash. A request may name one as documentId in place of the
// query; asked for with GET its answer has an ETag. The zero value has none.
//
// Documents follow the appendix on persisted documents of GraphQL over HTTP:
// the id is sha256: and the lower-case hex of the document's bytes.
type Trusted struct {
	byID map[string]string
	text map[string]bool
	only bool
}

// idPrefix is what the id of a trusted document begins with.
const idPrefix = "sha256:"

// DocumentID is the id under which a document is registered.
func DocumentID(document string) string {
	sum := sha256.Sum256([]byte(document))
	return idPrefix + hex.EncodeToString(sum[:])
}

// Trust registers documents by the name of the file each came from, which is
// what an error tells. Each must be a valid document of this schema. With only,
// nothing else is answered.
func Trust(documents map[string]string, only bool) (Trusted, error) {
	t := Trusted{byID: map[string]string{}, text: map[string]bool{}, only: only}
	if only && len(documents) == 0 {
		return t, fmt.Errorf("only trusted documents are to be answered, and there are none: name a file or a folder of them")
	}
	full := gen.NewExecutableSchema(gen.Config{}).Schema()
	names := make([]string, 0, len(documents))
	for name := range documents {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		text := documents[name]
		if len(text) > maxQuery {
			return t, fmt.Errorf("the trusted document %s is longer than %d bytes", name, maxQuery)
		}
		if _, problems := gqlparser.LoadQueryWithRules(full, text, nil); len(problems) > 0 {
			return t, fmt.Errorf("the trusted document %s does not fit the schema: %w", name, problems)
		}
		t.byID[DocumentID(text)], t.text[text] = text, true
	}
	return t, nil
}

// Manifest reads a JSON object from hash to document, as the compilers of
// clients write it; the hash may have the prefix sha256:, and must be the
// document's.
func Manifest(raw []byte) (map[string]string, error) {
	var all map[string]string
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, fmt.Errorf("a manifest of trusted documents is one JSON object from SHA-256 to document: %w", err)
	}
	for hash, text := range all {
		if id := DocumentID(text); strings.ToLower(hash) != id && idPrefix+strings.ToLower(hash) != id {
			return nil, fmt.Errorf("the trusted document under %q has the hash %s: write the manifest anew", hash, strings.TrimPrefix(id, idPrefix))
		}
	}
	return all, nil
}

// admit finds what a request is to run: the query that it brought, or the
// trusted document that it names.
func (t Trusted) admit(w http.ResponseWriter, r *http.Request, id, query string) (*http.Request, bool) {
	d := &wanted{text: query}
	switch {
	case id != "" && query != "":
		refuseForm(w, r, http.StatusBadRequest, "document-id", "Send query or documentId, not both.")
		return r, false
	case id != "":
		d = &wanted{text: t.byID[id], named: true}
		if d.text == "" {
			refuseForm(w, r, http.StatusNotFound, "document-id", "No trusted document has this id. Ids are sha256: and the hash of the document, and the operator of the service registers them.")
			return r, false
		}
	case t.only && !t.text[query]:
		refuseForm(w, r, http.StatusForbidden, "trusted-documents", "This service answers only the documents that are registered with it.")
		return r, false
	}
	return r.WithContext(context.WithValue(r.Context(), wantedKey{}, d)), true
}

// wanted is the document that a request is to run, and whether it is trusted and
// was named by its id.
type wanted struct {
	text   string
	named  bool
	params *graphql.RawParams // of a request with a body
}

type wantedKey struct{}

func wantedOf(r *http.Request) *wanted {
	d, _ := r.Context().Value(wantedKey{}).(*wanted)
	return d
}

// body is the body of a request as it was read, with the document in it. It is
// written anew, since a member that stands twice may say something else to who
// reads it next.
func (d *wanted) body() (io.ReadCloser, error) {
	raw, err := json.Marshal(map[string]any{"query": d.text, "operationName": d.params.OperationName, "variables": d.params.Variables, "extensions": d.params.Extensions})
	return io.NopCloser(bytes.NewReader(raw)), err
}

// tagged gives an answer its ETag and reports whether the client has it already.
func tagged(w http.ResponseWriter, r *http.Request, parts ...[]byte) bool {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	tag := `"` + base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18]) + `"`
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "private, no-cache")
	w.Header().Set("Vary", "Authorization, Accept")
	for t := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if t = strings.TrimPrefix(strings.TrimSpace(t), "W/"); t == tag || t == "*" {
			w.WriteHeader(http.StatusNotModified)
			return true
		}
	}
	return false
}
