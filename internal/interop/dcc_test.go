package interop

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/spec/vc"
)

// TestDCCBothWays: for each suite that the Digital Credentials Consortium has,
// they verify what we signed and we verify what they signed, and each refuses it
// after a change.
func TestDCCBothWays(t *testing.T) {
	v := DCC(t)
	r := newRing(t, secrets[vc.Ed25519])
	t.Run(vc.EdDSARDFC, func(t *testing.T) {
		document := r.document("", true)
		signed := r.sealed(t, document, vc.EdDSARDFC)
		theyAccept(t, v, signed, r, vc.EdDSARDFC)
		for what, changed := range map[string][]byte{
			"value": bytes.Replace(signed, []byte(`"value":"B"`), []byte(`"value":"F"`), 1),
			"proof": bytes.Replace(signed, []byte(`"created":"2026-05-22T12:00:00Z"`), []byte(`"created":"2026-05-22T12:00:01Z"`), 1),
		} {
			if got := v.Verify(t, changed, r.controllers); got.Verified() || bytes.Equal(changed, signed) {
				t.Errorf("they accept ours after a change of its %s", what)
			}
		}
		weAccept(t, v.Sign(t, document, vc.EdDSARDFC, r.key, r.controllers), vc.EdDSARDFC)
	})
	t.Run(vc.Ed25519Signature2020, func(t *testing.T) {
		// We sign by it no more; what they sign we verify.
		theirs := v.Sign(t, r.document(`,"https://w3id.org/security/suites/ed25519-2020/v1"`, true), vc.Ed25519Signature2020, r.key, r.controllers)
		weAccept(t, theirs, vc.Ed25519Signature2020)
		theyAccept(t, v, theirs, r, vc.Ed25519Signature2020)
	})
}

// TestWhatDCCCannotDo holds what they have no suite for. When one of these fails,
// they have learned it: it moves to the test above.
func TestWhatDCCCannotDo(t *testing.T) {
	v := DCC(t)
	for _, c := range []struct{ suite, kind string }{{vc.EdDSAJCS, vc.Ed25519}, {vc.ECDSARDFC, vc.P256}, {vc.ECDSARDFC, vc.P384}} {
		r := newRing(t, secrets[c.kind])
		got := v.Verify(t, r.sealed(t, r.document("", true), c.suite), r.controllers)
		if len(got.Proofs) != 1 || got.Verified() || !strings.Contains(got.Proofs[0].Error, "not checked here") {
			t.Errorf("%s with %s: %+v", c.suite, c.kind, got)
		}
	}
	r := newRing(t, secrets[vc.P256])
	derived, err := vc.Derive(r.sealedInParts(t, r.document("", false), "/issuer"), []string{"/name"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := v.Verify(t, derived, r.controllers); got.Verified() || !strings.Contains(got.Proofs[0].Error, "not checked here") {
		t.Errorf("%s: %+v", vc.ECDSASD, got)
	}
}

// TestDCCVerifierCore asks what their wallets and verifier pages ask. It holds
// each step of theirs that does not need their registries of issuers, whom we
// are not among; of two proofs it looks for any that it knows.
func TestDCCVerifierCore(t *testing.T) {
	v := DCC(t)
	r := newRing(t, secrets[vc.Ed25519])
	document := r.document("", true)
	signed := r.sealed(t, document, vc.EdDSARDFC)
	both, err := vc.Secure(document, proofOf(t, r, document, vc.EdDSARDFC), proofOf(t, r, document, vc.EdDSAJCS))
	if err != nil {
		t.Fatal(err)
	}
	expired := bytes.Replace(document, []byte(`"validFrom":"2026-01-01T00:00:00Z"`), []byte(`"validFrom":"2016-01-01T00:00:00Z","validUntil":"2017-01-01T00:00:00Z"`), 1)
	for _, c := range []struct {
		what    string
		in      []byte
		steps   []string // that hold
		refused string   // the error that keeps it from any step
	}{
		{"ours", signed, []string{"valid_signature", "expiration"}, ""},
		{"ours with two proofs", both, []string{"valid_signature", "expiration"}, ""},
		{"expired", r.sealed(t, expired, vc.EdDSARDFC), []string{"valid_signature"}, ""},
		{"changed", bytes.Replace(signed, []byte(`"value":"B"`), []byte(`"value":"F"`), 1), nil, "invalid_signature"},
		{"without a proof", document, nil, "no_proof"},
	} {
		steps, err := v.Core(t, c.in, r.controllers)
		var hold []string
		for name, ok := range steps {
			if ok {
				hold = append(hold, name)
			}
		}
		slices.Sort(hold)
		want := slices.Sorted(slices.Values(c.steps))
		if (err != nil) != (c.refused != "") || err != nil && !strings.HasPrefix(err.Error(), c.refused) || !slices.Equal(hold, want) {
			t.Errorf("%s: %v, %v", c.what, maps.Collect(maps.All(steps)), err)
		}
	}
}

// proofOf is one of the proofs of a document.
func proofOf(t testing.TB, r ring, document []byte, suite string) vc.Proof {
	t.Helper()
	d, err := vc.PrepareWith(document, vc.Options{Suite: suite, Key: r.signer.Public(), VerificationMethod: r.key.ID, Created: created})
	if err != nil {
		t.Fatal(err)
	}
	signature, err := vc.Sign(r.signer, d.Hash)
	if err != nil {
		t.Fatal(err)
	}
	return d.Attach(signature)
}
