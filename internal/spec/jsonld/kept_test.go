package jsonld

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gowebpki/jcs"

	"github.com/testamur/testamur/internal/standards"
)

// record is a CLR around credentials.
func record(documents ...[]byte) []byte {
	return fmt.Appendf(nil, `{"@context":["https://www.w3.org/ns/credentials/v2","https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json","https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"],
"id":"https://registrar.example.edu/records/1","type":["VerifiableCredential","ClrCredential"],"name":"Official record","issuer":{"id":"did:web:registrar.example.edu","type":["Profile"],"name":"Example State University"},
"validFrom":"2026-06-30T00:00:00Z","partial":false,
"credentialSubject":{"id":"did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK","type":["ClrSubject"],"identifier":[{"type":"IdentityObject","hashed":false,"identityHash":"ada","identityType":"name"}],"verifiableCredential":[%s]}}`,
		bytes.Join(documents, []byte(" ,\n")))
}

// keepAll keeps what can be kept.
func keepAll(t testing.TB, documents [][]byte) (parts []Part, kept int) {
	t.Helper()
	for _, d := range documents {
		k, err := Keep(d)
		if err == nil {
			kept++
		} else if !errors.Is(err, ErrNotKept) {
			t.Fatalf("%v\n%s", err, d)
		}
		parts = append(parts, Part{string(d), k})
	}
	return parts, kept
}

// merging canonicalizes with parts and tells how many stood for themselves.
func merging(t testing.TB, doc []byte, parts []Part) (nquads string, folded int) {
	t.Helper()
	d, err := Open(doc, Options{}, parts...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := d.Canonize()
	if err != nil {
		t.Fatal(err)
	}
	return string(out), len(d.tree.parts)
}

// TestKeptFormsChangeNothing: whatever credentials a record is made of, mutated
// at random, it comes to the same bytes from kept forms as from the whole.
func TestKeptFormsChangeNothing(t *testing.T) {
	rnd := mutator{rand.New(rand.NewPCG(21, 22))}
	var seeds [][]byte
	for n := range 6 {
		seeds = append(seeds, []byte(badge(n)))
	}
	seeds = append(seeds, parts(t, "examples/ob3/vector-eddsa-rdfc-2022-ob.json")["signedCredential"])
	rounds, total := 400, 0
	for i := range rounds {
		var documents [][]byte
		for range 1 + rnd.IntN(5) {
			var v any
			if err := json.Unmarshal(seeds[rnd.IntN(len(seeds))], &v); err != nil {
				t.Fatal(err)
			}
			if rnd.IntN(3) > 0 {
				v = rnd.change(v)
			}
			one, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Canonize(record(one)); err == nil {
				documents = append(documents, one)
			}
		}
		if i%7 == 0 && len(documents) > 0 {
			documents = append(documents, documents[0]) // the same twice
		}
		doc := record(documents...)
		want, err := Canonize(doc)
		if err != nil {
			continue // such as two credentials that give one id two meanings
		}
		all, kept := keepAll(t, documents)
		got, folded := merging(t, doc, all)
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Fatalf("%s\n%s", doc, diff)
		}
		wantJCS, err := JCS(doc)
		if err != nil {
			t.Fatal(err)
		}
		d, err := Open(doc, Options{}, all...)
		if err != nil {
			t.Fatal(err)
		}
		if gotJCS, err := d.JCS(); err != nil || !bytes.Equal(gotJCS, wantJCS) {
			t.Fatalf("%v\n%s", err, cmp.Diff(string(wantJCS), string(gotJCS)))
		}
		if folded != kept {
			t.Errorf("%d of %d kept forms were used\n%s", folded, kept, doc)
		}
		total += folded
	}
	if total < rounds {
		t.Errorf("only %d forms were used in %d records", total, rounds)
	}
}

// TestKeptFormIsTiedToItsBytes: a form that was kept of other bytes, was changed
// or cut short, or is of another version is not used, and the result is right.
func TestKeptFormIsTiedToItsBytes(t *testing.T) {
	one, two := []byte(badge(1)), []byte(badge(2))
	doc := record(one, two)
	want := canonical(t, doc, Options{})
	keep := func(d []byte) []byte {
		k, err := Keep(d)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	changed := func(at int) []byte {
		k := keep(one)
		k[at] ^= 1
		return k
	}
	for name, bad := range map[string][]byte{
		"none": nil, "empty": {}, "of another": keep(two), "cut short": keep(one)[:200], "magic alone": []byte(keptMagic),
		"another version": changed(3), "another hash": changed(4), "another sum": changed(keptHead - 1),
		"another id": changed(keptHead + 200), "another statement": changed(len(keep(one)) - 9),
	} {
		got, folded := merging(t, doc, []Part{{string(one), bad}, {string(two), keep(two)}})
		if got != want || folded != 1 {
			t.Errorf("%s: %d forms used\n%s", name, folded, cmp.Diff(want, got))
		}
	}
	// A part that is not in the document is waited for in vain.
	got, folded := merging(t, doc, []Part{{badge(3), keep([]byte(badge(3)))}, {string(one), keep(one)}})
	if got != want || folded != 0 {
		t.Errorf("a part that is not there: %d forms used", folded)
	}
}

// TestPartsInOtherPlaces: a form is for the place it was made for; anywhere else
// the document is read as a whole.
func TestPartsInOtherPlaces(t *testing.T) {
	one := []byte(badge(1))
	kept, err := Keep(one)
	if err != nil {
		t.Fatal(err)
	}
	whole := string(record(one))
	for name, doc := range map[string]string{
		"other contexts":     strings.Replace(whole, "context-2.0.1.json", "context.json", 1),
		"order of contexts":  strings.Replace(whole, `"https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json","https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"`, `"https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json","https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json"`, 1),
		"a presentation":     fmt.Sprintf(`{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiablePresentation"],"verifiableCredential":[%s]}`, one),
		"a context between":  strings.Replace(whole, `"type":["ClrSubject"]`, `"@context":{"x":"urn:x"},"type":["ClrSubject"]`, 1),
		"alone in a list":    fmt.Sprintf("[%s]", one),
		"under another term": strings.Replace(whole, `"partial":false`, fmt.Sprintf(`"relatedResource":[%s],"partial":false`, one), 1),
	} {
		want, err := Canonize([]byte(doc))
		d, readErr := Open([]byte(doc), Options{}, Part{string(one), kept})
		if readErr != nil {
			t.Fatal(readErr)
		}
		got, gotErr := d.Canonize()
		if !bytes.Equal(got, want) || fmt.Sprint(gotErr) != fmt.Sprint(err) {
			t.Errorf("%s: %v, want %v\n%s", name, gotErr, err, cmp.Diff(string(want), string(got)))
		}
	}
}

// TestKeptFormsAreOfOneHash: forms are hashed with SHA-256, so a document that is
// to be hashed otherwise is read as a whole.
func TestKeptFormsAreOfOneHash(t *testing.T) {
	one := []byte(badge(1))
	doc := record(one)
	all, _ := keepAll(t, [][]byte{one})
	d, err := Open(doc, Options{Direction: I18NDatatype}, all...)
	if err != nil || len(d.tree.parts) != 1 {
		t.Fatalf("%v, %d parts", err, len(d.tree.parts))
	}
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
		want := canonical(t, doc, Options{Hash: h})
		got, err := d.Hashing(h).Canonize()
		if err != nil || string(got) != want {
			t.Errorf("%v: %v\n%s", h, err, cmp.Diff(want, string(got)))
		}
		w := h.New()
		w.Write([]byte(want))
		sum, err := d.Hashing(h).Digest()
		if err != nil || !bytes.Equal(sum, w.Sum(nil)) {
			t.Errorf("%v: the digest is %x, want %x (%v)", h, sum, w.Sum(nil), err)
		}
	}
}

// TestAnOrderIsWhole: the pieces of a canonical JSON lie within the text and are
// those of no other; where escapes or numbers are written in another way, or
// something is empty, there are none.
func TestAnOrderIsWhole(t *testing.T) {
	for text, whole := range map[string]bool{
		`{"b":1,"a":[{"d":"x","c":null},true]}`: true, `{"a":1}`: true, `{ "b" :1, "a": 2}`: false, `{"a":"\u0041"}`: false, `{"\u0041":1}`: false,
		`{"a":1.0}`: false, `{"a":""}`: false, `{"":1}`: false, `[1,2]`: true, `{"a":[],"0":{}}`: true, "{\"a\":\n1}": true,
	} {
		d, err := Open([]byte(text), Options{})
		if err != nil {
			t.Fatal(err)
		}
		o, want := d.orderOf(), must(JCS([]byte(text)))
		switch {
		case (o != nil) != whole:
			t.Errorf("%s: %v", text, o)
		case o != nil && (!o.within(len(text)) || !bytes.Equal(o.appendTo(nil, text), want)):
			t.Errorf("%s: %s", text, o.appendTo(nil, text))
		}
	}
	for name, o := range map[string]order{"nothing": {}, "half": {1}, "cut": {0x80}, "beyond": {2, 9}, "after": {11, 1}, "much": {0, 10, 0, 10, 0, 10}} {
		if o.within(10) {
			t.Error(name)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestWhatCannotBeKept(t *testing.T) {
	one := badge(1)
	for name, doc := range map[string]string{
		"no id":             strings.Replace(one, `"id":"https://registrar.example.edu/credentials/1",`, "", 1),
		"a label":           strings.Replace(one, `"id":"https://registrar.example.edu/credentials/1"`, `"id":"_:me"`, 1),
		"a context inline":  strings.Replace(one, `context-3.0.3.json"]`, `context-3.0.3.json",{"x":"urn:x"}]`, 1),
		"a label elsewhere": strings.Replace(one, `"achievement":{"id":"https://registrar.example.edu/achievements/1"`, `"achievement":{"id":"_:a"`, 1),
	} {
		if _, err := Keep([]byte(doc)); !errors.Is(err, ErrNotKept) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var refusal *Error
	if _, err := Keep([]byte(strings.Replace(one, `"name"`, `"unheardOf"`, 1))); !errors.As(err, &refusal) || refusal.Code != UndefinedTerm {
		t.Errorf("an undefined term: %v", err)
	}
	if _, err := Keep([]byte(`{`)); !errors.As(err, &refusal) || refusal.Code != InvalidJSON {
		t.Errorf("no JSON: %v", err)
	}
}

// TestKeptFormOfThisVersion: stored forms live long. If what is kept of these
// bytes changes, the version in keptMagic must go up, so that old ones are not
// used any more.
func TestKeptFormOfThisVersion(t *testing.T) {
	kept, err := Keep(parts(t, "examples/ob3/vector-eddsa-rdfc-2022-ob.json")["signedCredential"])
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(kept)
	const want = "0c9c44f4ddc3b67e62ced1eb56282b7b9d51fd067b60873527a19c56eef114b7"
	if got := hex.EncodeToString(sum[:]); got != want || !bytes.HasPrefix(kept, []byte("TKF\x03")) {
		t.Errorf("the kept form hashes to %s, want %s", got, want)
	}
}

// TestCanonicalJSONOfParts: with parts that are their own canonical JSON and
// with others, the canonical JSON of a record is that of the whole.
func TestCanonicalJSONOfParts(t *testing.T) {
	loose := []byte(badge(1))
	tight, err := JCS([]byte(badge(2)))
	if err != nil {
		t.Fatal(err)
	}
	doc := record(loose, tight)
	all, kept := keepAll(t, [][]byte{loose, tight})
	if kept != 2 {
		t.Fatalf("%d were kept", kept)
	}
	want, err := JCS(doc)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(doc, Options{}, all...)
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.JCS()
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v\n%s", err, cmp.Diff(string(want), string(got)))
	}
	for i, document := range [][]byte{loose, tight} {
		want, err := JCS(document)
		if got := d.tree.parts[i].order.appendTo(nil, string(document)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v\n%s", err, cmp.Diff(string(want), string(got)))
		}
	}
}

// TestCanonicalJSONAgreesWithAnother holds our RFC 8785 against another
// implementation on the official examples.
func TestCanonicalJSONAgreesWithAnother(t *testing.T) {
	for _, f := range append(standards.Glob(t, "examples/*/*.json"), standards.Glob(t, "contexts/*.json*")...) {
		compareJCS(t, readFile(t, f))
	}
	compareJCS(t, []byte(`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`))
	compareJCS(t, []byte(`{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001,-0,0.0,-1e-7,1e21,123456789012345678901,5e-324,1.7976931348623157e308],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`))
}

func compareJCS(t *testing.T, doc []byte) {
	t.Helper()
	got, err := JCS(doc)
	want, peerErr := jcs.Transform(doc)
	if err != nil {
		var refusal *Error
		if !errors.As(err, &refusal) || peerErr == nil && refusal.Code != DuplicateKey && refusal.Code != InvalidText {
			t.Errorf("%v\n%.200s", err, doc)
		}
		return
	}
	if peerErr != nil || !bytes.Equal(got, want) {
		t.Errorf("%v\n%s", peerErr, cmp.Diff(string(want), string(got)))
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
