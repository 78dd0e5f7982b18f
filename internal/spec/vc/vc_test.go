package vc

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/standards"
)

var now = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// didKeys resolves did:key methods, and the OB vector's http method, whose
// fragment is the key itself.
func didKeys(method, _ string) (Key, error) {
	if base, fragment, ok := strings.Cut(method, "#"); ok && strings.HasPrefix(base, "https://") {
		k, err := ParseMultikey(fragment)
		return Key{Controller: base, Public: k}, err
	}
	return DIDKey(method)
}

func TestOfficialVectorsVerify(t *testing.T) {
	for name, member := range map[string]string{
		"w3c-vectors/eddsa-jcs-2022.json":         "signedJCS.json",
		"w3c-vectors/eddsa-rdfc-2022-alumni.json": "signedDataInt.json",
		"ob3/vector-eddsa-rdfc-2022-ob.json":      "signedCredential",
	} {
		var file map[string]json.RawMessage
		if err := json.Unmarshal(standards.Read(t, "examples/"+name), &file); err != nil {
			t.Fatal(err)
		}
		all, err := Verify(file[member], didKeys, now)
		if err != nil || len(all) != 1 || all[0].Err != nil {
			t.Errorf("%s: %v %v", name, err, all)
		}
		changed := bytes.Replace(file[member], []byte("202"), []byte("203"), 1)
		if bytes.Equal(changed, file[member]) {
			changed = bytes.Replace(file[member], []byte("2010"), []byte("2011"), 1)
		}
		all, err = Verify(changed, didKeys, now)
		if err != nil || all[0].Err == nil {
			t.Errorf("%s verifies after a change", name)
		}
	}
}

const document = `{"@context":["https://www.w3.org/ns/credentials/v2"],"id":"urn:uuid:0f6b5b0a-3a5e-4d7e-9b1a-000000000001","type":["VerifiableCredential"],"issuer":"https://x.example","name":"A \u003cb\u003e <c> & é 😀","validFrom":"2026-01-01T00:00:00Z","credentialSubject":{"id":"did:example:1"}}`

func key() (ed25519.PrivateKey, string) {
	k := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	m := Multikey(k.Public().(ed25519.PublicKey))
	return k, "did:key:" + m + "#" + m
}

func sign(t testing.TB, suites ...string) []byte {
	t.Helper()
	k, method := key()
	var proofs []Proof
	for _, s := range suites {
		d, err := Prepare([]byte(document), s, method, now)
		if err != nil {
			t.Fatal(err)
		}
		proofs = append(proofs, d.Attach(ed25519.Sign(k, d.Hash)))
	}
	out, err := Secure([]byte(document), proofs...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestProofSetVerifiesAndKeepsTheBytes(t *testing.T) {
	signed := sign(t, EdDSARDFC, EdDSAJCS)
	if !bytes.HasPrefix(signed, []byte(document[:len(document)-1])) {
		t.Error("the document's bytes were changed")
	}
	all, err := Verify(signed, didKeys, now)
	if err != nil || len(all) != 2 || all[0].Err != nil || all[1].Err != nil {
		t.Fatalf("%v %v", err, all)
	}
}

func TestEveryChangedValueIsFound(t *testing.T) {
	signed := sign(t, EdDSARDFC, EdDSAJCS)
	for _, old := range []string{"000000000001", "x.example", "name\":\"A", "2026-01-01", "did:example:1", "VerifiableCredential", "assertionMethod", "2026-11-24"} {
		changed := strings.Replace(string(signed), old, old[:len(old)-1]+"2", 1)
		all, err := Verify([]byte(changed), didKeys, now)
		if err == nil && (all[0].Err == nil || all[1].Err == nil) && old != "assertionMethod" && old != "2026-11-24" {
			t.Errorf("%s: %v", old, all)
		}
		if err == nil && all[0].Err == nil {
			t.Errorf("%s: the first proof still holds", old)
		}
	}
}

// codeOf is the code of a failure.
func codeOf(err error) string {
	var f *Failure
	errors.As(err, &f)
	if f == nil {
		return ""
	}
	return f.Code
}

func TestFailuresHaveTheirCode(t *testing.T) {
	signed := string(sign(t, EdDSARDFC))
	for _, c := range []struct{ old, new, want string }{
		{`"cryptosuite":"eddsa-rdfc-2022"`, `"cryptosuite":"rot13"`, UnknownSuite},
		{`"proofPurpose":"assertionMethod"`, `"proofPurpose":"authentication"`, WrongKey},
		{`"proofValue":"z`, `"proofValue":"u`, Malformed},
		{`"proofPurpose"`, `"expires":"2020-01-01T00:00:00Z","proofPurpose"`, Expired},
		{`did:key:z6`, `did:key:z7`, WrongKey},
		{`"name"`, `"unheardOf"`, Mismatch},
	} {
		changed := strings.Replace(signed, c.old, c.new, 1)
		if changed == signed {
			t.Fatalf("%s does not occur", c.old)
		}
		all, err := Verify([]byte(changed), didKeys, now)
		if err != nil || codeOf(all[0].Err) != c.want {
			t.Errorf("%s: %v %v, want %s", c.new, err, all, c.want)
		}
	}
	if _, err := Verify([]byte(`{"a":1,"a":2}`), didKeys, now); codeOf(err) != Malformed {
		t.Errorf("a member twice: %v", err)
	}
}

func TestPrepareRefusesWhatCannotBeSigned(t *testing.T) {
	_, method := key()
	for _, bad := range []string{
		strings.Replace(document, `"name"`, `"undefinedTerm"`, 1),
		strings.Replace(document, `"did:example:1"`, `"relative"`, 1),
		strings.Replace(document, `["VerifiableCredential"]`, `["VerifiableCredential","Unheard"]`, 1),
		`{"id":"urn:x:1"}`,
	} {
		if _, err := Prepare([]byte(bad), EdDSARDFC, method, now); err == nil {
			t.Errorf("prepared %s", bad)
		}
	}
}

func TestDIDWeb(t *testing.T) {
	for base, want := range map[string][2]string{
		"https://x.example":             {"did:web:x.example", "https://x.example/.well-known/did.json"},
		"http://localhost:8080/i/alder": {"did:web:localhost%3A8080:i:alder", "https://localhost:8080/i/alder/did.json"},
	} {
		did, err := DIDWeb(base)
		if err != nil || did != want[0] {
			t.Errorf("%s, %v; want %s", did, err, want[0])
		}
		url, err := DIDWebURL(did)
		if err != nil || url != want[1] {
			t.Errorf("%s, %v; want %s", url, err, want[1])
		}
	}
	for _, bad := range []string{"did:key:z6", "did:web:", "did:web:a/b", "did:web:a::b", "did:web:x%2Fy", "did:web:x%40y", "did:web:x:.."} {
		if u, err := DIDWebURL(bad); err == nil {
			t.Errorf("%s is %s", bad, u)
		}
	}
}

func TestKeyOf(t *testing.T) {
	k, _ := key()
	m := Method{ID: "did:web:x.example#k1", Type: "Multikey", Controller: "did:web:x.example", PublicKey: Multikey(k.Public().(ed25519.PublicKey))}
	doc, err := json.Marshal(NewController("did:web:x.example", []Method{m}))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := KeyOf(doc, m.ID, "assertionMethod"); err != nil || got.Controller != "did:web:x.example" {
		t.Errorf("%v, %v", got, err)
	}
	for _, c := range []struct{ doc, method, purpose string }{
		{string(doc), "did:web:y.example#k1", "assertionMethod"},
		{string(doc), "did:web:x.example#k2", "assertionMethod"},
		{string(doc), m.ID, "keyAgreement"},
		{strings.Replace(string(doc), `"authentication":["did:web:x.example#k1"]`, `"authentication":[]`, 1), m.ID, "authentication"},
		{strings.Replace(string(doc), `"assertionMethod":["did:web:x.example#k1"]`, `"assertionMethod":[]`, 1), m.ID, "assertionMethod"},
		{strings.Replace(string(doc), `"controller":"did:web:x.example"`, `"controller":"did:web:y.example"`, 1), m.ID, "assertionMethod"},
		{"[]", m.ID, "assertionMethod"},
	} {
		if _, err := KeyOf([]byte(c.doc), c.method, c.purpose); err == nil {
			t.Errorf("accepted %+v", c)
		}
	}
	if j, err := NewJWK(m); err != nil || j.Kty != "OKP" || len(j.X) != 43 {
		t.Errorf("%+v, %v", j, err)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(sign(f, EdDSARDFC, EdDSAJCS))
	f.Add([]byte(`{"proof":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := Verify(data, didKeys, now)
		for _, c := range all {
			if err == nil && c.Err == nil && !bytes.Contains(data, []byte(c.Proof.ProofValue)) {
				t.Errorf("verified %q", data)
			}
		}
	})
}

// TestProofIsWrittenAsJSON holds the proof's own writer against encoding/json,
// member by member.
func TestProofIsWrittenAsJSON(t *testing.T) {
	full := Proof{Context: json.RawMessage(`["https://x.example"]`), ID: "urn:1", Type: "DataIntegrityProof", Cryptosuite: "s", Created: "c",
		Expires: "e", VerificationMethod: "did:x#é", ProofPurpose: "p\"q\\", Domain: json.RawMessage(`["a","b"]`), Challenge: "ch\n", Nonce: "n",
		PreviousProof: json.RawMessage(`"urn:0"`), ProofValue: "z"}
	for _, p := range []Proof{full, {}, {Type: "T", ProofValue: "z"}} {
		want, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.appendJSON(nil); !bytes.Equal(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
