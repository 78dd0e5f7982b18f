package verify

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/spec/baking"
	"github.com/testamur/testamur/internal/spec/bitstring"
	"github.com/testamur/testamur/internal/spec/vc"
)

// TestEachAttackEndsInItsCheck is the list of the attacks that a verifier has to
// withstand: each ends in the check that is its own, for its own reason, and the
// same without the attack passes.
func TestEachAttackEndsInItsCheck(t *testing.T) {
	i, eve := newIssuer(1), newIssuer(2)
	const at = "https://x.example/s"
	enc := base64.RawURLEncoding.EncodeToString
	signed := func(change func(b []byte) []byte) []byte {
		return i.sign(t, change(compose(t, badge(i.did, 1))), vc.EdDSARDFC)
	}
	as := func(old, new string) func([]byte) []byte {
		return func(b []byte) []byte {
			out := bytes.ReplaceAll(b, []byte(old), []byte(new))
			if bytes.Equal(out, b) {
				t.Fatalf("%s does not occur in %s", old, b)
			}
			return out
		}
	}
	same := func(b []byte) []byte { return b }
	good := signed(same)
	both := i.sign(t, record(t, i, good, i.sign(t, compose(t, badge(i.did, 2)), vc.EdDSARDFC)), vc.EdDSARDFC, vc.EdDSAJCS)
	swapped := as(`"creditsEarned":9`, `"creditsEarned":2`)(as(`"creditsEarned":2`, `"creditsEarned":1`)(as(`"creditsEarned":1`, `"creditsEarned":9`)(both)))

	token := func(header string, sign func(message []byte) []byte) []byte {
		message := enc([]byte(header)) + "." + enc([]byte(jwtPayload(t, i, nil)))
		return []byte(message + "." + enc(sign([]byte(message))))
	}
	own := func(message []byte) []byte { return ed25519.Sign(i.key, message) }
	head := func(alg string) string { return `{"alg":"` + alg + `","typ":"JWT","kid":"` + i.method + `"}` }
	// What is published, taken for a secret that both sides share.
	der, err := x509.MarshalPKIXPublicKey(i.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	withPublicKey := func(key []byte) func([]byte) []byte {
		return func(message []byte) []byte {
			h := hmac.New(sha256.New, key)
			h.Write(message)
			return h.Sum(nil)
		}
	}

	bake := func(picture []byte, times int) []byte {
		one, err := baking.Bake(picture, baking.OpenBadges3, good)
		if err != nil {
			t.Fatal(err)
		}
		begin, end := bytes.Index(one, []byte("iTXt"))-4, bytes.Index(one, []byte("IDAT"))-4
		return slices.Concat(one[:begin], bytes.Repeat(one[begin:end], times), one[end:])
	}
	for _, c := range []struct {
		attack       string
		doc, without []byte
		world, quiet world // with the attack and without
		check        string
		out          Outcome
		reason       string
	}{
		{attack: "the swap attack", doc: swapped, without: both, check: "binding", out: Failed, reason: "were exchanged between the embedded credentials"},
		{attack: "a wrong key", doc: as(i.method, eve.method)(good), without: good, check: "proof", out: Failed, reason: "another key signed it"},
		{attack: "a key of somebody else", doc: signed(as(i.did, "https://mit.example/")), without: good, check: "issuer", out: Failed, reason: "The key belongs to did:key:"},
		{attack: "a foreign proofPurpose", doc: as(`"assertionMethod"`, `"authentication"`)(good), without: good, check: "proof", out: Failed, reason: "not for \"assertionMethod\""},
		{attack: "expired", doc: signed(as(`"validFrom":"2026-01-01T00:00:00Z"`, `"validFrom":"2026-01-01T00:00:00Z","validUntil":"2026-02-01T00:00:00Z"`)),
			without: signed(as(`"validFrom":"2026-01-01T00:00:00Z"`, `"validFrom":"2026-01-01T00:00:00Z","validUntil":"2027-02-01T00:00:00Z"`)), check: "dates", out: Failed, reason: "It was valid until"},
		{attack: "revoked", doc: withStatus(t, i, bitstring.NewEntry(at, bitstring.Revocation, 7)), without: withStatus(t, i, bitstring.NewEntry(at, bitstring.Revocation, 7)),
			world: world{at: statusList(t, i, bitstring.Revocation, 7)}, quiet: world{at: statusList(t, i, bitstring.Revocation)}, check: "status", out: Failed, reason: "revoked"},
		{attack: "suspended", doc: withStatus(t, i, bitstring.NewEntry(at, bitstring.Suspension, 7)), without: withStatus(t, i, bitstring.NewEntry(at, bitstring.Suspension, 7)),
			world: world{at: statusList(t, i, bitstring.Suspension, 7)}, quiet: world{at: statusList(t, i, bitstring.Suspension)}, check: "status", out: Failed, reason: "suspended"},
		{attack: "alg none", doc: token(head("none"), func([]byte) []byte { return []byte{0} }), without: token(head("EdDSA"), own), check: "proof", out: Failed, reason: "proves nothing"},
		{attack: "key confusion, the raw key", doc: token(head("HS256"), withPublicKey(i.key.Public().(ed25519.PublicKey))), without: token(head("EdDSA"), own), check: "proof", out: Failed, reason: "proves nothing"},
		{attack: "key confusion, the key as PEM", doc: token(head("HS256"), withPublicKey(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))), without: token(head("EdDSA"), own), check: "proof", out: Failed, reason: "proves nothing"},
		{attack: "key confusion, another kind of key", doc: token(head("ES256"), own), without: token(head("EdDSA"), own), check: "proof", out: Failed, reason: "the key is of kind"},
		{attack: "two baked chunks", doc: bake(blank(t), 2), without: bake(blank(t), 1), check: "binding", out: Failed, reason: "holds 2 credentials"},
		{attack: "a gzip bomb in a status list", doc: withStatus(t, i, bitstring.NewEntry(at, bitstring.Revocation, 7)), without: withStatus(t, i, bitstring.NewEntry(at, bitstring.Revocation, 7)),
			world: world{at: bombList(t, i)}, quiet: world{at: statusList(t, i, bitstring.Revocation)}, check: "status", out: NotChecked, reason: "expands to more"},
		{attack: "a poison graph", doc: poison(t, good), without: good, check: "proof", out: Failed, reason: "takes more work"},
	} {
		want(t, c.attack+", without it", examiner(c.quiet).Examine(c.without), map[string]Outcome{"": Passed, c.check: map[bool]Outcome{true: Passed}[c.check != "binding" || c.attack == "the swap attack"]})
		r := examiner(c.world).Examine(c.doc)
		want(t, c.attack, r, map[string]Outcome{c.check: c.out, "": c.out})
		if _, why := find(r, c.check); !strings.Contains(why, c.reason) {
			t.Errorf("%s: the reason is %q, not %q", c.attack, why, c.reason)
		}
	}

	// A tampered byte anywhere: each byte of a badge in turn, each ends in a check
	// of what it broke.
	for at := range good {
		tampered := slices.Clone(good)
		tampered[at] ^= 1
		r := examiner(nil).Examine(tampered)
		named := slices.ContainsFunc(r.Checks, func(c Check) bool {
			return c.Outcome != Passed && slices.Contains([]string{"shape", "context", "proof", "issuer"}, c.Name)
		})
		if r.Outcome == Passed || !named {
			t.Errorf("byte %d can be changed: %s\n%+v", at, tampered[max(0, at-20):at+20], r.Checks)
		}
	}
}
