package verify

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/testamur/testamur/internal/spec/vc"
)

// TestAContextIsKnownWhereTheOperatorPinnedIt: a credential of a context that is
// not compiled in could not be checked; with the bytes that the operator pinned it
// is, and with others its signature does not fit.
func TestAContextIsKnownWhereTheOperatorPinnedIt(t *testing.T) {
	i := newIssuer(1)
	const at = "https://x.example/contexts/v1"
	pinned := map[string][]byte{at: []byte(`{"@context":{"houseNumber":"https://x.example/terms#houseNumber"}}`)}
	document := []byte(`{"@context":["https://www.w3.org/ns/credentials/v2","` + at + `"],"id":"urn:x:1","type":["VerifiableCredential"],"issuer":"` + i.did + `","validFrom":"2026-01-01T00:00:00Z","credentialSubject":{"id":"did:example:1","houseNumber":"7"}}`)
	d, err := vc.PrepareWith(document, vc.Options{Suite: vc.EdDSARDFC, Key: i.key.Public(), VerificationMethod: i.method, Created: now, Contexts: pinned})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := vc.SecureOne(document, d.Attach(ed25519.Sign(i.key, d.Hash)))
	if err != nil {
		t.Fatal(err)
	}
	other := map[string][]byte{at: bytes.Replace(pinned[at], []byte("terms#houseNumber"), []byte("terms#age"), 1)}
	for name, c := range map[string]struct {
		contexts map[string][]byte
		want     map[string]Outcome
	}{
		"not pinned":       {nil, map[string]Outcome{"": NotChecked, "context": NotChecked, "proof": NotChecked}},
		"pinned":           {pinned, map[string]Outcome{"": Passed, "context": Passed, "proof": Passed, "issuer": Passed}},
		"pinned otherwise": {other, map[string]Outcome{"": Failed, "proof": Failed}},
	} {
		x := examiner(nil)
		x.Contexts = c.contexts
		want(t, name, x.Examine(signed), c.want)
	}
}
