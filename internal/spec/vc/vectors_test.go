package vc

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/standards"
)

// vector is one official file: its parts by name.
type vector map[string]json.RawMessage

func readVector(t testing.TB, name string) vector {
	t.Helper()
	var v vector
	if err := json.Unmarshal(standards.Read(t, "examples/"+name), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v vector) raw(t testing.TB, name string) []byte {
	t.Helper()
	if v[name] == nil {
		t.Fatalf("the vector has no %s", name)
	}
	return v[name]
}

func (v vector) into(t testing.TB, name string, to any) {
	t.Helper()
	if err := json.Unmarshal(v.raw(t, name), to); err != nil {
		t.Fatal(err)
	}
}

func (v vector) text(t testing.TB, name string) string {
	t.Helper()
	var s string
	v.into(t, name, &s)
	return s
}

func secret(t testing.TB, multibase string) crypto.Signer {
	t.Helper()
	k, err := ParseSecretMultikey(multibase)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestVectorsReproduce makes the signed documents of the W3C vectors again, with
// each value on the way.
func TestVectorsReproduce(t *testing.T) {
	done := map[string]bool{"ecdsa-sd-2023-prc": true} // by TestSelectiveDisclosureVector
	for _, c := range []struct{ file, suite, suffix, keys, signed string }{
		{"eddsa-rdfc-2022-alumni", EdDSARDFC, "DataInt", "keyPair", "signedDataInt.json"},
		{"eddsa-jcs-2022", EdDSAJCS, "JCS", "keyPair", "signedJCS.json"},
		{"ecdsa-rdfc-2019-p256", ECDSARDFC, "ECDSAP256", "p256KeyPair", "signedECDSAP256.json"},
		{"ecdsa-rdfc-2019-p384", ECDSARDFC, "ECDSAP384", "p384KeyPair", "signedECDSAP384.json"},
	} {
		done[c.file] = true
		t.Run(c.file, func(t *testing.T) {
			v := readVector(t, "w3c-vectors/"+c.file+".json")
			var pair struct{ PublicKeyMultibase, SecretKeyMultibase, PrivateKeyMultibase string }
			v.into(t, c.keys+".json", &pair)
			k := secret(t, pair.SecretKeyMultibase+pair.PrivateKeyMultibase)
			if got := Multikey(k.Public()); got != pair.PublicKeyMultibase {
				t.Fatalf("the public key is %s, want %s", got, pair.PublicKeyMultibase)
			}
			var config Proof
			v.into(t, "proofConfig"+c.suffix+".json", &config)
			created, err := time.Parse(time.RFC3339, config.Created)
			if err != nil {
				t.Fatal(err)
			}
			o := Options{Suite: c.suite, Key: k.Public(), VerificationMethod: config.VerificationMethod, Created: created}
			steps, err := StepsOf(v.raw(t, "unsigned.json"), o)
			if err != nil {
				t.Fatal(err)
			}
			want := Steps{Options: v.text(t, "proofCanon"+c.suffix+".txt"), Document: v.text(t, "canonDoc"+c.suffix+".txt"),
				OptionsHash: v.text(t, "proofHash"+c.suffix+".txt"), DocumentHash: v.text(t, "docHash"+c.suffix+".txt"),
				Signed: v.text(t, "combinedHash"+c.suffix+".txt")}
			if diff := cmp.Diff(want, steps); diff != "" {
				t.Error(diff)
			}
			d, err := PrepareWith(v.raw(t, "unsigned.json"), o)
			if err != nil || hex.EncodeToString(d.Hash) != want.Signed {
				t.Fatalf("%x, %v; want %s", d.Hash, err, want.Signed)
			}
			signature, err := Sign(k, d.Hash)
			if err != nil || hex.EncodeToString(signature) != v.text(t, "sigHex"+c.suffix+".txt") {
				t.Errorf("signature %x, %v", signature, err)
			}
			p := d.Attach(signature)
			if p.ProofValue != v.text(t, "sigBTC58"+c.suffix+".txt") {
				t.Errorf("proof value %s", p.ProofValue)
			}
			var signed struct{ Proof Proof }
			v.into(t, c.signed, &signed)
			if got, want := canonicalOf(t, p), canonicalOf(t, signed.Proof); got != want {
				t.Errorf("proof %s, want %s", got, want)
			}
			checkVector(t, v.raw(t, c.signed))
		})
	}
	// A vector that is added is not passed over in silence.
	for _, f := range standards.Glob(t, "examples/w3c-vectors/*.json") {
		if name := strings.TrimSuffix(filepath.Base(f), ".json"); !done[name] {
			t.Errorf("the vector %s is not reproduced", name)
		}
	}
	if len(done) != 5 {
		t.Errorf("%d vectors are reproduced, and there are 5", len(done))
	}
}

func canonicalOf(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = jsonld.JCS(raw); err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func checkVector(t *testing.T, signed []byte) {
	t.Helper()
	all, err := Verify(signed, didKeys, now)
	if err != nil || len(all) != 1 || all[0].Err != nil {
		t.Errorf("does not verify: %v, %+v", err, all)
	}
	changed := strings.Replace(string(signed), "The School of Examples", "The School of Samples", 1)
	if all, err = Verify([]byte(changed), didKeys, now); err != nil || codeOf(all[0].Err) != Mismatch {
		t.Errorf("after a change: %v, %+v", err, all)
	}
}

// TestOfficialRecordVector: the CLR 2.0 of the implementation guide has these
// hashes, and the signed one of the validator holds.
func TestOfficialRecordVector(t *testing.T) {
	const method = "https://example.edu/issuers/565049#z6MkjZRZv3aez3r18pB1RBFJR1kwUVJ5jHt92JmQwXbd5hwi"
	s, err := StepsOf(standards.Read(t, "examples/clr2/impl-guide-unsigned-2508.json"), Options{Suite: EdDSARDFC, VerificationMethod: method,
		Created: time.Date(2010, 1, 1, 19, 23, 24, 0, time.UTC)})
	if err != nil || !strings.HasPrefix(s.DocumentHash, "768d7015") || !strings.HasSuffix(s.DocumentHash, "85fe") ||
		!strings.HasPrefix(s.OptionsHash, "d34009ce") || !strings.HasSuffix(s.OptionsHash, "5d19") {
		t.Errorf("%s %s %v", s.DocumentHash, s.OptionsHash, err)
	}
	signed := standards.Read(t, "examples/clr2/validator-simple.json")
	all, err := Verify(signed, didKeys, now)
	if err != nil || len(all) != 1 || all[0].Err != nil {
		t.Errorf("%v, %+v", err, all)
	}
	steps, err := StepsOfProofs(signed, crypto.SHA256, nil)
	if err != nil || len(steps) != 1 || steps[0].OptionsHash != s.OptionsHash {
		t.Errorf("%v, %v", steps, err)
	}
}

func TestMultikeys(t *testing.T) {
	// CID 1.0 §2.2.2 and VC-DI-ECDSA 1.0 §2.2: the prefixes show.
	for _, c := range []struct{ secret, public, start string }{
		{"z3u2en7t5LR2WtQH5PfFqMqwVHBeXouLzo6haApm8XHqvjxq", "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2", "z6Mk"},
		{"z42twTcNeSYcnqg1FLuSFs2bsGH3ZqbRHFmvS9XMsYhjxvHN", "zDnaepBuvsQ8cpsWrVKw8fbpGpvPeNSjVPTWoq6cRqaYzBKVP", "zDn"},
		{"z2fanyY7zgwNpZGxX5fXXibvScNaUWNprHU9dKx7qpVj7mws9J8LLt4mDB5TyH2GLHWkUc", "z82LkuBieyGShVBhvtE2zoiD6Kma4tJGFtkAhxR5pfkp5QPw4LutoYWhvQCnGjdVn14kujQ", "z82"},
	} {
		k := secret(t, c.secret)
		if got := SecretMultikey(k); got != c.secret {
			t.Errorf("secret %s, want %s", got, c.secret)
		}
		if got := Multikey(k.Public()); got != c.public || !strings.HasPrefix(got, c.start) {
			t.Errorf("public %s, want %s", got, c.public)
		}
		public, err := ParseMultikey(c.public)
		if err != nil || !cmp.Equal(public, k.Public()) {
			t.Errorf("%s is read as %v, %v", c.public, public, err)
		}
		did, method := DIDKeyOf(public)
		if got, err := DIDKey(method); err != nil || got.Controller != did || !cmp.Equal(got.Public, public) {
			t.Errorf("%s is %+v, %v", method, got, err)
		}
		if _, err := ParseMultikey(c.secret); err == nil {
			t.Error("a private key is read as a public one")
		}
		if _, err := ParseSecretMultikey(c.public); err == nil {
			t.Error("a public key is read as a private one")
		}
	}
	// Compressed, but no point of the curve; and of a curve that is not used.
	for _, bad := range []string{"", "z", "z1", "u7QE",
		kinds[1].multibase(kinds[1].public, append([]byte{2}, bytes.Repeat([]byte{0xff}, 32)...)), kinds[0].multibase([2]byte{0xec, 0x01}, make([]byte, 32)),
		kinds[0].multibase(kinds[0].public, make([]byte, 33)), kinds[0].multibase(kinds[0].public, make([]byte, 31))} {
		if k, err := ParseMultikey(bad); err == nil {
			t.Errorf("%q is the key %v", bad, k)
		}
	}
	if Multikey(nil) != "" || Multikey(ed25519.PrivateKey(nil)) != "" {
		t.Error("what is no public key has a Multikey")
	}
}
