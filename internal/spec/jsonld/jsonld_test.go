package jsonld

import (
	"bytes"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/testamur/testamur/internal/spec/rdfc"
)

// refusal is the refusal of a document, which there must be.
func refusal(t *testing.T, doc string, opts Options) *Error {
	t.Helper()
	got, err := CanonizeWith([]byte(doc), opts)
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("let through (%v):\n%s", err, got)
	}
	return e
}

func TestOperatorContexts(t *testing.T) {
	opts := Options{Contexts: map[string][]byte{
		"https://ex.example/base":   []byte(`{"@context":{"n":"urn:n","m":"urn:m"}}`),
		"https://ex.example/import": []byte(`{"@context":{"@import":"https://ex.example/base","m":"urn:other-m"}}`),
		"https://ex.example/both":   []byte(`{"@context":["https://ex.example/base",{"m":{"@id":"urn:scoped","@context":"https://ex.example/import"}}]}`),
		"https://ex.example/loop":   []byte(`{"@context":"https://ex.example/loop"}`),
		"https://ex.example/broken": []byte(`{"@context":`),
		"https://ex.example/bare":   []byte(`{"n":"urn:n"}`),
	}}
	for _, c := range []struct{ doc, want string }{
		{`{"@context":"https://ex.example/base","n":"x","m":"y"}`, "_:c14n0 <urn:m> \"y\" .\n_:c14n0 <urn:n> \"x\" .\n"},
		{`{"@context":"https://ex.example/import","n":"x","m":"y"}`, "_:c14n0 <urn:n> \"x\" .\n_:c14n0 <urn:other-m> \"y\" .\n"},
		{`{"@context":"https://ex.example/both","m":{"m":"y"}}`, "_:c14n0 <urn:scoped> _:c14n1 .\n_:c14n1 <urn:other-m> \"y\" .\n"},
		{`{"@context":["https://www.w3.org/ns/credentials/v2","https://ex.example/base"],"name":"x","n":"y"}`, "_:c14n0 <https://schema.org/name> \"x\" .\n_:c14n0 <urn:n> \"y\" .\n"},
	} {
		got, err := CanonizeWith([]byte(c.doc), opts)
		if err != nil {
			t.Errorf("%s: %v", c.doc, err)
		} else if diff := cmp.Diff(c.want, string(got)); diff != "" {
			t.Errorf("%s: %s", c.doc, diff)
		}
	}
	for _, name := range []string{"loop", "broken", "bare"} {
		if e := refusal(t, `{"@context":"https://ex.example/`+name+`","n":"x"}`, opts); e.Code != InvalidContext || e.Pointer != "/@context" {
			t.Errorf("%s: %v", name, e)
		}
	}
	stolen := Options{Contexts: map[string][]byte{"https://www.w3.org/ns/credentials/v2": []byte(`{"@context":{}}`)}}
	if e := refusal(t, `{"@context":"https://www.w3.org/ns/credentials/v2","name":"x"}`, stolen); e.Code != InvalidContext {
		t.Errorf("a compiled context is replaced: %v", e)
	}
	// What an operator pinned for one document is not known to the next.
	if e := refusal(t, `{"@context":"https://ex.example/base","n":"x"}`, Options{}); e.Code != UnknownContext {
		t.Error(e)
	}
}

func TestKnownContext(t *testing.T) {
	for _, url := range []string{
		"https://www.w3.org/ns/credentials/v2", "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json",
		"https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json", "https://purl.imsglobal.org/spec/ob/v3p0/extensions.json",
	} {
		if !KnownContext(url) {
			t.Errorf("%s is not known", url)
		}
	}
	if KnownContext("https://www.w3.org/ns/credentials/v3") {
		t.Error("a context that does not exist is known")
	}
}

func TestLimits(t *testing.T) {
	if e := refusal(t, `{"@id":"urn:a"}`, Options{MaxBytes: 10}); e.Code != TooLarge {
		t.Error(e)
	}
	deep := strings.Repeat(`[`, maxDepth+2) + strings.Repeat(`]`, maxDepth+2)
	if e := refusal(t, deep, Options{}); e.Code != TooDeep {
		t.Error(e)
	}
	var terms strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&terms, `,"t%d":"urn:t"`, i)
	}
	own := `{"@context":{"n":"urn:n"},"n":"x"}`
	if e := refusal(t, `{"@context":{"m":"urn:m"`+terms.String()+`},"m":[`+own+strings.Repeat(","+own, 300)+`]}`, Options{}); e.Code != TooComplex {
		t.Error(e)
	}
	// A thousand credentials that each bring a context of their own are read.
	var many strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, `,{"@context":["https://www.w3.org/ns/credentials/v2","https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json",{"x":"urn:x"}],"id":"urn:uuid:%d","type":["VerifiableCredential","OpenBadgeCredential"],"x":"y"}`, i)
	}
	canonical(t, []byte("["+many.String()[1:]+"]"), Options{})
	var knot strings.Builder
	for i := range 14 {
		fmt.Fprintf(&knot, `{"@id":"_:n%d","urn:p":[`, i)
		for j := range 14 {
			fmt.Fprintf(&knot, `{"@id":"_:n%d"},`, (i+j)%14)
		}
		knot.WriteString(`{"@id":"_:n0"}]},`)
	}
	e := refusal(t, `[`+strings.TrimSuffix(knot.String(), ",")+`]`, Options{})
	if e.Code != TooComplex || !errors.Is(e, rdfc.ErrTooComplex) {
		t.Error(e)
	}
}

func TestDirection(t *testing.T) {
	doc := `{"@context":{"n":"urn:n","m":{"@id":"urn:m","@direction":"rtl","@language":"ar"}},"@id":"urn:a","n":{"@value":"x","@language":"HE","@direction":"rtl"},"m":"y"}`
	got := canonical(t, []byte(doc), Options{Direction: I18NDatatype})
	want := "<urn:a> <urn:m> \"y\"^^<https://www.w3.org/ns/i18n#ar_rtl> .\n<urn:a> <urn:n> \"x\"^^<https://www.w3.org/ns/i18n#he_rtl> .\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if e := refusal(t, doc, Options{Direction: "compound-literal"}); e.Code != Unsupported {
		t.Error(e)
	}
}

// TestRepeatedCredentials: a record of a thousand credentials whose unnamed
// parts repeat word for word is no poison.
func TestRepeatedCredentials(t *testing.T) {
	var all strings.Builder
	for i := range 1000 {
		if i > 0 {
			all.WriteByte(',')
		}
		result := `{"type":["Result"],"value":"A","alignment":[{"type":["Alignment"],"targetName":"Writes","targetUrl":"https://x.example/1"},{"type":["Alignment"],"targetName":"Writes","targetUrl":"https://x.example/1"}]}`
		fmt.Fprintf(&all, `{"@context":["https://www.w3.org/ns/credentials/v2","https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"],"id":"urn:uuid:%d","type":["VerifiableCredential","OpenBadgeCredential"],"credentialSubject":{"type":["AchievementSubject"],"identifier":[{"type":"IdentityObject","hashed":false,"identityHash":"ada","identityType":"name"}],"result":[%s,%s,%s]}}`, i, result, result, result)
	}
	doc := fmt.Sprintf(`{"@context":["https://www.w3.org/ns/credentials/v2","https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json","https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"],"type":["VerifiableCredential","ClrCredential"],"credentialSubject":{"type":["ClrSubject"],"verifiableCredential":[%s]}}`, all.String())
	got := canonical(t, []byte(doc), Options{})
	if lines := strings.Count(got, "\n"); lines < 30_000 {
		t.Errorf("only %d lines", lines)
	}
}

// TestEmbeddedCredentialsShareTheDefaultGraph: CLR 2.0.1 makes verifiableCredential
// a set, not a graph, so a CLR's own statements do not bind which embedded
// credential said what. Whoever verifies must check each embedded proof.
func TestEmbeddedCredentialsShareTheDefaultGraph(t *testing.T) {
	record := func(first, second string) []byte {
		vc := func(n int, term string) string {
			return fmt.Sprintf(`{"@context":["https://www.w3.org/ns/credentials/v2","https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"],"id":"urn:uuid:%d","type":["VerifiableCredential","OpenBadgeCredential"],"credentialSubject":{"id":"did:example:ada","type":["AchievementSubject"],"term":%q}}`, n, term)
		}
		return fmt.Appendf(nil, `{"@context":["https://www.w3.org/ns/credentials/v2","https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json","https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"],"id":"urn:uuid:0","type":["VerifiableCredential","ClrCredential"],"credentialSubject":{"id":"did:example:ada","type":["ClrSubject"],"verifiableCredential":[%s,%s]}}`, vc(1, first), vc(2, second))
	}
	a, b := canonical(t, record("spring", "fall"), Options{}), canonical(t, record("fall", "spring"), Options{})
	if a != b {
		t.Errorf("the trap is gone: %s", cmp.Diff(a, b))
	}
}

// TestTogether canonicalizes from many goroutines: the memo of contexts is
// shared.
func TestTogether(t *testing.T) {
	docs := [][]byte{[]byte(badge(1)), transcript(2), []byte(`{"@context":["https://www.w3.org/ns/did/v1","https://w3id.org/security/multikey/v1"],"id":"did:web:a.example","verificationMethod":[{"id":"did:web:a.example#1","type":"Multikey","controller":"did:web:a.example","publicKeyMultibase":"z6M"}]}`)}
	var want [][]byte
	for _, doc := range docs {
		want = append(want, []byte(canonical(t, doc, Options{})))
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 30 {
				got, err := Canonize(docs[i%len(docs)])
				if err != nil || !bytes.Equal(got, want[i%len(docs)]) {
					t.Errorf("%v\n%s", err, got)
				}
			}
		})
	}
	wg.Wait()
}

// TestMemoStaysSmall: documents that try ever new orders of contexts do not make
// the memo grow.
func TestMemoStaysSmall(t *testing.T) {
	var m memo
	first := m.initial()
	for range memoLimit + 1 {
		m.kept()
	}
	if m.initial() == first {
		t.Error("a full memo was not started anew")
	}
	if m.initial() != m.initial() {
		t.Error("the memo has two beginnings")
	}
}

func TestHash384(t *testing.T) {
	doc := []byte(badge(1))
	a, b := canonical(t, doc, Options{}), canonical(t, doc, Options{Hash: crypto.SHA384})
	if a == b {
		t.Error("the hash makes no difference to labels")
	}
	if _, err := CanonizeWith(doc, Options{Hash: crypto.MD5}); err == nil {
		t.Error("MD5 is let through")
	}
}

// FuzzCanonize: whatever is accepted is canonical N-Quads, and canonicalizing it
// again changes nothing; whatever is refused is refused with a code.
func FuzzCanonize(f *testing.F) {
	f.Add([]byte(badge(1)))
	f.Add([]byte(`{"@context":{"@vocab":"urn:v#","l":{"@container":"@list"},"g":{"@container":["@graph","@id"]},"t":{"@container":"@type","@type":"@id"}},"@id":"_:x","l":[[1,2.5],true],"g":{"urn:1":{"a":"b"}},"t":{"T":"urn:y"},"@reverse":{"r":{"@id":"urn:z"}}}`))
	f.Add([]byte(`{"@context":{"j":{"@id":"urn:j","@type":"@json"},"n":{"@id":"urn:n","@container":"@language"},"x":"@nest","i":{"@id":"urn:i","@container":"@index","@index":"urn:k"}},"j":{"a":[1e3]},"x":{"n":{"en":"x"}},"i":{"k":{}},"@included":[{"urn:p":{"@value":"v","@type":"urn:d"}}]}`))
	f.Add([]byte(`{"@context":[{"@protected":true,"T":{"@id":"urn:T","@context":{"@propagate":true,"p":{"@id":"urn:p","@type":"@vocab"}}}},null],"@type":["T"],"p":"T"}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		opts := Options{WorkLimit: 20_000, Direction: I18NDatatype}
		got, err := CanonizeWith(doc, opts)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Code == "" || e.Reason == "" {
				t.Fatalf("%#v", err)
			}
			return
		}
		ds, err := rdfc.ParseNQuads(got)
		if err != nil {
			t.Fatalf("%v\n%s\n%q", err, doc, got)
		}
		again, err := rdfc.Canonicalize(ds, rdfc.Options{})
		if err != nil || !bytes.Equal(again.NQuads, got) {
			t.Fatalf("%v\n%q\n%q", err, got, again.NQuads)
		}
	})
}

// FuzzParseJSON: we read what the standard library reads, and refuse more only
// for text, repeated names and depth.
func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e+3,true,false,null,"\u00e9\ud83d\ude00\n"]}`, `[]`, ` "x" `, `{"a":{"a":0}}`, `[1,]`, `01`, `"\ud800"`, "\"\x01\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		tree, err := parseJSON(string(doc), nil)
		valid := json.Valid(doc)
		var e *Error
		switch {
		case err == nil && !valid:
			t.Fatalf("%q is read but is not JSON", doc)
		case err == nil:
			out, err := tree.appendJCS(nil, 0, false)
			if errors.As(err, &e) && e.Code == InvalidNumber {
				return
			}
			if err != nil || !sameJSON(t, doc, out) {
				t.Fatalf("%q is read as %q (%v)", doc, out, err)
			}
		case !errors.As(err, &e):
			t.Fatalf("%#v", err)
		case valid && e.Code == InvalidJSON:
			t.Fatalf("%q is JSON: %v", doc, err)
		}
	})
}

// sameJSON reports whether two texts hold the same value.
func sameJSON(t *testing.T, a, b []byte) bool {
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatal(err)
	}
	return json.Unmarshal(b, &y) == nil && cmp.Equal(x, y)
}
