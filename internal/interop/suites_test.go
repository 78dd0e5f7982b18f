package interop

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/vc"
)

// ring is a key of a kind, published by a did:key.
type ring struct {
	signer      crypto.Signer
	key         Key
	controllers map[string][]byte
}

func newRing(t testing.TB, secret string) ring {
	t.Helper()
	signer, err := vc.ParseSecretMultikey(secret)
	if err != nil {
		t.Fatal(err)
	}
	did, method := vc.DIDKeyOf(signer.Public())
	m := vc.Method{ID: method, Type: "Multikey", Controller: did, PublicKey: vc.Multikey(signer.Public())}
	doc, err := json.Marshal(vc.NewController(did, []vc.Method{m}))
	if err != nil {
		t.Fatal(err)
	}
	return ring{signer, Key{ID: method, Type: "Multikey", Controller: did, Public: m.PublicKey, Secret: secret}, map[string][]byte{did: doc}}
}

// document is a credential of the ring's, with parts that have no id, alike
// ones, text that JSON and N-Quads escape, and, with lists, what only we can
// take apart.
func (r ring) document(contexts string, lists bool) []byte {
	allowed := ``
	if lists {
		allowed = `,"allowedValue":["C","B","A"]`
	}
	return []byte(`{"@context":["https://www.w3.org/ns/credentials/v2","https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"` + contexts + `],
"id":"urn:uuid:0f6b5b0a-3a5e-4d7e-9b1a-000000000002","type":["VerifiableCredential","OpenBadgeCredential"],
"issuer":{"id":"` + r.key.Controller + `","type":["Profile"],"name":"X \"<é>\" & 😀"},"validFrom":"2026-01-01T00:00:00Z","name":"Badge",
"credentialSubject":{"type":["AchievementSubject"],"identifier":[{"type":"IdentityObject","hashed":false,"identityHash":"a@x.example","identityType":"emailAddress"}],
"achievement":{"id":"https://x.example/a","type":["Achievement"],"name":"Achievement","description":"Of something.","criteria":{"narrative":"Do it.\nTwice."},"creditsAvailable":3.5,
"resultDescription":[{"id":"urn:uuid:0f6b5b0a-3a5e-4d7e-9b1a-000000000003","type":["ResultDescription"],"name":"Grade","resultType":"LetterGrade"` + allowed + `}],
"alignment":[{"type":["Alignment"],"targetName":"One","targetUrl":"https://x.example/1"},{"type":["Alignment"],"targetName":"Two","targetUrl":"https://x.example/2"}]},
"result":[{"type":["Result"],"value":"A"},{"type":["Result"],"status":"Completed"},{"type":["Result"],"value":"B"}]}}`)
}

var secrets = map[string]string{
	vc.Ed25519: "z3u2en7t5LR2WtQH5PfFqMqwVHBeXouLzo6haApm8XHqvjxq",
	vc.P256:    "z42twTcNeSYcnqg1FLuSFs2bsGH3ZqbRHFmvS9XMsYhjxvHN",
	vc.P384:    "z2fanyY7zgwNpZGxX5fXXibvScNaUWNprHU9dKx7qpVj7mws9J8LLt4mDB5TyH2GLHWkUc",
}

// created is when we sign.
var created = time.Date(2026, 5, 22, 12, 0, 0, 0, time.UTC)

func didKey(method, _ string) (vc.Key, error) { return vc.DIDKey(method) }

// sealed is a document signed by us.
func (r ring) sealed(t testing.TB, document []byte, suite string) []byte {
	t.Helper()
	signed, err := vc.Secure(document, proofOf(t, r, document, suite))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func (r ring) sealedInParts(t testing.TB, document []byte, mandatory ...string) []byte {
	t.Helper()
	once, err := vc.NewOneTime(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d, err := vc.PrepareSelective(document, vc.Options{Key: r.signer.Public(), VerificationMethod: r.key.ID, Created: created}, mandatory, once)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := vc.Sign(r.signer, d.Hash)
	if err != nil {
		t.Fatal(err)
	}
	p, err := d.Attach(signature)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := vc.SecureOne(document, p)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func theyAccept(t *testing.T, v *Verifier, signed []byte, r ring, suite string) {
	t.Helper()
	got := v.Verify(t, signed, r.controllers)
	if len(got.Proofs) != 1 || !got.Verified() || got.Proofs[0].Cryptosuite != suite {
		t.Errorf("they refuse ours: %+v\n%s", got, signed)
	}
}

func weAccept(t *testing.T, signed []byte, suite string) {
	t.Helper()
	all, err := vc.Verify(signed, didKey, time.Now())
	if err != nil || len(all) != 1 || all[0].Err != nil {
		t.Errorf("%s: we refuse theirs: %+v, %v\n%s", suite, all, err, signed)
	}
	changed := bytes.Replace(signed, []byte(`"value":"B"`), []byte(`"value":"F"`), 1)
	if all, err = vc.Verify(changed, didKey, time.Now()); err == nil && all[0].Err == nil && !bytes.Equal(changed, signed) {
		t.Errorf("%s: we accept theirs after a change", suite)
	}
}

// TestSuitesBothWays: for each suite that Digital Bazaar has, they verify what we
// signed and we verify what they signed.
func TestSuitesBothWays(t *testing.T) {
	v := Node(t)
	for _, c := range []struct{ suite, kind string }{
		{vc.EdDSARDFC, vc.Ed25519}, {vc.EdDSAJCS, vc.Ed25519}, {vc.ECDSARDFC, vc.P256}, {vc.ECDSARDFC, vc.P384},
	} {
		t.Run(c.suite+" "+c.kind, func(t *testing.T) {
			r := newRing(t, secrets[c.kind])
			document := r.document("", true)
			signed := r.sealed(t, document, c.suite)
			theyAccept(t, v, signed, r, c.suite)
			changed := bytes.Replace(signed, []byte(`"value":"B"`), []byte(`"value":"F"`), 1)
			if got := v.Verify(t, changed, r.controllers); got.Verified() {
				t.Error("they accept ours after a change")
			}
			weAccept(t, v.Sign(t, document, c.suite, r.key, r.controllers), c.suite)
		})
	}
	t.Run(vc.Ed25519Signature2020, func(t *testing.T) {
		r := newRing(t, secrets[vc.Ed25519])
		document := r.document(`,"https://w3id.org/security/suites/ed25519-2020/v1"`, true)
		theirs := v.Sign(t, document, vc.Ed25519Signature2020, r.key, r.controllers)
		weAccept(t, theirs, vc.Ed25519Signature2020)
	})
}

// TestSelectiveDisclosureBothWays: whoever signs, whoever derives, the other
// verifies.
func TestSelectiveDisclosureBothWays(t *testing.T) {
	v := Node(t)
	r := newRing(t, secrets[vc.P256])
	document := r.document("", false)
	mandatory := []string{"/issuer", "/validFrom", "/credentialSubject/achievement/name"}
	bases := map[string][]byte{"ours": r.sealedInParts(t, document, mandatory...), "theirs": v.Sign(t, document, vc.ECDSASD, r.key, r.controllers, mandatory...)}
	pointers := [][]string{
		{"/name"}, {"/credentialSubject/result/2"}, {"/credentialSubject/result/0/value", "/credentialSubject/result/1"},
		{"/credentialSubject/achievement/alignment/1/targetName", "/credentialSubject/identifier"}, {"/credentialSubject"}, {"/credentialSubject/achievement/creditsAvailable"},
	}
	for whose, base := range bases {
		for _, p := range pointers {
			ours, err := vc.Derive(base, p, nil)
			if err != nil {
				t.Errorf("%s %v: %v", whose, p, err)
				continue
			}
			theirs := v.Derive(t, base, r.controllers, p...)
			for _, derived := range [][]byte{ours, theirs} {
				weAccept(t, derived, vc.ECDSASD)
				theyAccept(t, v, derived, r, vc.ECDSASD)
			}
			// Nothing in a derivation is random: both are the same document.
			if a, b := canonicalJSON(t, ours), canonicalJSON(t, theirs); a != b {
				t.Errorf("%s %v:\nours   %s\ntheirs %s", whose, p, a, b)
			}
		}
	}
	// They cannot take a list apart; what we derive of one they verify.
	listed := r.sealedInParts(t, r.document("", true), mandatory...)
	derived, err := vc.Derive(listed, []string{"/credentialSubject/achievement/resultDescription"}, nil)
	if err != nil || !strings.Contains(string(derived), `["C","B","A"]`) {
		t.Fatalf("%v %s", err, derived)
	}
	theyAccept(t, v, derived, r, vc.ECDSASD)
	if got := v.Verify(t, listed, r.controllers); got.Verified() {
		t.Error("they accept a base proof")
	}
	if all, err := vc.Verify(bases["theirs"], didKey, time.Now()); err != nil || slices.ContainsFunc(all, func(c vc.Checked) bool { return c.Err == nil }) {
		t.Errorf("we accept a base proof: %v", err)
	}
}

func canonicalJSON(t testing.TB, document []byte) string {
	t.Helper()
	out, err := jsonld.JCS(document)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
