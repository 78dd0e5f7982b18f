package testbed

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/vc"
)

// Abroad is an issuer that no institution here is: a did:key that signs for
// itself.
type Abroad struct {
	Key         ed25519.PrivateKey
	DID, Method string
}

// NewAbroad is an issuer of its own for each seed.
func NewAbroad(seed byte) Abroad {
	k := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32))
	did, method := vc.DIDKeyOf(k.Public())
	return Abroad{k, did, method}
}

// Badge is a credential without its proof, the n-th of the issuer's, about a
// subject; identifiers may be nil.
func (a Abroad) Badge(n int, subject string, identifiers ...openbadges.IdentityObject) openbadges.Credential {
	return openbadges.Credential{ID: fmt.Sprintf("urn:uuid:00000000-0000-4000-8000-%012d", n), Name: "First aid", ValidFrom: "2026-01-01T00:00:00Z",
		Issuer: openbadges.Profile{ID: a.DID, Type: openbadges.List[string]{"Profile"}, Name: "Red Cross"},
		CredentialSubject: openbadges.Subject{ID: subject, Type: openbadges.List[string]{"AchievementSubject"}, Identifier: identifiers,
			Achievement: openbadges.Achievement{ID: "https://aid.example/a/1", Type: openbadges.List[string]{"Achievement"}, Name: "First aid", Description: "Can give first aid.",
				Criteria: &openbadges.Criteria{Narrative: "A course of two days."}}}}
}

// Sign is a document with a proof of the issuer's.
func (a Abroad) Sign(t testing.TB, document []byte) []byte {
	t.Helper()
	d, err := vc.Prepare(document, vc.EdDSARDFC, a.Method, time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	out, err := vc.Secure(document, d.Attach(ed25519.Sign(a.Key, d.Hash)))
	return Must(t, out, err)
}

// Signed is a badge with a proof.
func (a Abroad) Signed(t testing.TB, c openbadges.Credential) []byte {
	t.Helper()
	doc, err := openbadges.Compose(c)
	return a.Sign(t, Must(t, doc, err))
}

// Token is a badge as a signed token of Open Badges.
func (a Abroad) Token(t testing.TB, c openbadges.Credential) []byte {
	t.Helper()
	doc, err := openbadges.Compose(c)
	d, err := vc.PrepareJWT(Must(t, doc, err), vc.FormIMS, a.Key.Public(), a.Method)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(d.Attach(ed25519.Sign(a.Key, d.Message)))
}
