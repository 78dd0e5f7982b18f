package jsonld

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
)

// TestUsualOptionsAreCanonicalizedAsAnyOther: what the form for usual proof
// options gives is what canonicalization gives, in each context that knows
// proofs and for odd texts; everything unusual goes the long way.
func TestUsualOptionsAreCanonicalizedAsAnyOther(t *testing.T) {
	const v2, v1, di = `"https://www.w3.org/ns/credentials/v2"`, `"https://www.w3.org/2018/credentials/v1"`, `"https://w3id.org/security/data-integrity/v2"`
	const clr, ob, did = `"https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json"`, `"https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"`, `"https://www.w3.org/ns/did/v1"`
	inContext := func(context string) *Document {
		d, err := Open([]byte(`{"@context":`+context+`}`), Options{})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	used := 0
	for _, context := range []string{v2, "[" + v2 + "," + ob + "]", "[" + v2 + "," + clr + "," + ob + "]", "[" + v1 + "," + di + "]", v1, did, "{}",
		"[" + v2 + `,{"did":{"@id":"urn:other:","@prefix":true}}]`, "[" + v2 + `,{"x":"urn:x"}]`} {
		for _, o := range []string{
			`"type":"DataIntegrityProof","cryptosuite":"eddsa-rdfc-2022","created":"2026-06-30T12:00:00Z","verificationMethod":"did:web:x.example#k","proofPurpose":"assertionMethod"`,
			`"created":"2026-06-30T12:00:00Z","type":"DataIntegrityProof","proofPurpose":"assertionMethod","verificationMethod":"urn:é","cryptosuite":"é\u0020x"`,
			`"type":"DataIntegrityProof","cryptosuite":"a\"b","created":"2026","verificationMethod":"did:web:x.example#k","proofPurpose":"assertionMethod"`,
			`"type":"DataIntegrityProof","cryptosuite":"s","created":"c","verificationMethod":"cred:x","proofPurpose":"assertionMethod"`,
			`"type":"DataIntegrityProof","cryptosuite":"s","created":"c","verificationMethod":"relative","proofPurpose":"assertionMethod"`,
			`"type":"DataIntegrityProof","cryptosuite":"s","created":"c","verificationMethod":"urn:m","proofPurpose":"authentication"`,
			`"type":"DataIntegrityProof","cryptosuite":"s","verificationMethod":"urn:m","proofPurpose":"assertionMethod"`,
			`"type":["DataIntegrityProof"],"cryptosuite":"s","created":"c","verificationMethod":"urn:m","proofPurpose":"assertionMethod"`,
			`"type":"DataIntegrityProof","cryptosuite":"s","created":"c","verificationMethod":"urn:m","proofPurpose":"assertionMethod","nonce":"n"`,
			`"type":"DataIntegrityProof","cryptosuite":"s","created":"c","verificationMethod":"urn:m","nonce":"n"`,
		} {
			for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
				d, err := Open([]byte("{"+o+"}"), Options{})
				if err != nil {
					t.Fatal(err)
				}
				d = d.In(inContext(context)).Hashing(h)
				want, wantErr := d.Canonize()
				sum, err := d.Digest()
				if fmt.Sprint(err) != fmt.Sprint(wantErr) {
					t.Errorf("%s %s: %v, want %v", context, o, err, wantErr)
				}
				w := h.New()
				w.Write(want)
				if err == nil && !bytes.Equal(sum, w.Sum(nil)) {
					t.Errorf("%s %s: another digest than that of\n%s", context, o, want)
				}
				if form, ok := d.usualOptions(nil); ok {
					used++
					if string(form) != string(want) {
						t.Errorf("%s %s:\n%s, want\n%s", context, o, form, want)
					}
				}
			}
		}
	}
	if used < 20 {
		t.Errorf("the form was used %d times", used)
	}
}

// TestDigestIsOfTheCanonicalForm: the hash alone is the hash of the whole, also
// when one document after the other uses the same memory.
func TestDigestIsOfTheCanonicalForm(t *testing.T) {
	docs := [][]byte{transcript(3), []byte(badge(1)), []byte(badge(2)), []byte(`{"@context":{"p":"urn:p"},"p":"` + strings.Repeat("x", 10_000) + `"}`), transcript(20)}
	for range 3 {
		for _, doc := range docs {
			want := sha256.Sum256([]byte(canonical(t, doc, Options{})))
			d, err := Open(doc, Options{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := d.Digest()
			d.Close()
			if err != nil || !bytes.Equal(got, want[:]) {
				t.Errorf("%x, want %x (%v)", got, want, err)
			}
		}
	}
}
