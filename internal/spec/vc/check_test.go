package vc

import (
	"bytes"
	"crypto"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// testKeys are a key of each kind that makes proofs.
var testKeys = map[string]string{
	Ed25519: "z3u2en7t5LR2WtQH5PfFqMqwVHBeXouLzo6haApm8XHqvjxq",
	P256:    "z42twTcNeSYcnqg1FLuSFs2bsGH3ZqbRHFmvS9XMsYhjxvHN",
	P384:    "z2fanyY7zgwNpZGxX5fXXibvScNaUWNprHU9dKx7qpVj7mws9J8LLt4mDB5TyH2GLHWkUc",
}

// addProof signs a document, whatever proofs it has, with a key of a kind.
func addProof(t testing.TB, document []byte, kind string, o Options) []byte {
	t.Helper()
	k := secret(t, testKeys[kind])
	o.Key = k.Public()
	_, o.VerificationMethod = DIDKeyOf(k.Public())
	if o.Created.IsZero() {
		o.Created = now
	}
	d, err := PrepareWith(document, o)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := Sign(k, d.Hash)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := Add(document, d.Attach(signature))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func codes(all []Checked) (out []string) {
	for _, c := range all {
		out = append(out, codeOf(c.Err))
	}
	return out
}

func TestEverySuiteAndKind(t *testing.T) {
	for suite, kinds := range map[string][]string{EdDSARDFC: {Ed25519}, EdDSAJCS: {Ed25519}, ECDSARDFC: {P256, P384}, ECDSAJCS: {P256, P384}} {
		for _, kind := range kinds {
			signed := addProof(t, []byte(document), kind, Options{Suite: suite})
			all, err := Verify(signed, didKeys, now)
			if err != nil || len(all) != 1 || all[0].Err != nil {
				t.Errorf("%s by %s: %+v, %v", suite, kind, all, err)
			}
			for _, changed := range [][]byte{
				bytes.Replace(signed, []byte("did:example:1"), []byte("did:example:2"), 1),
				bytes.Replace(signed, []byte("2026-11-24T09:00:00Z"), []byte("2026-11-24T09:00:01Z"), 1),
			} {
				if all, err = Verify(changed, didKeys, now); err != nil || codeOf(all[0].Err) != Mismatch {
					t.Errorf("%s by %s after a change: %+v, %v", suite, kind, all, err)
				}
			}
			for _, other := range []string{Ed25519, P256, P384} {
				if slices.Contains(kinds, other) {
					continue
				}
				// The suite's name is exchanged, and the key is of a kind that it has not.
				k := secret(t, testKeys[other])
				_, method := DIDKeyOf(k.Public())
				if _, err := PrepareWith([]byte(document), Options{Suite: suite, Key: k.Public(), VerificationMethod: method, Created: now}); codeOf(err) != WrongKey {
					t.Errorf("%s prepared for %s: %v", suite, other, err)
				}
				_, was := DIDKeyOf(secret(t, testKeys[kind]).Public())
				confused := bytes.ReplaceAll(signed, []byte(was), []byte(method))
				if all, err = Verify(confused, didKeys, now); err != nil || codeOf(all[0].Err) != WrongKey {
					t.Errorf("%s by %s: %+v, %v", suite, other, all, err)
				}
			}
		}
	}
}

// TestOlderSignature: Ed25519Signature2020 signs what eddsa-rdfc-2022 does, with
// other words in its options.
func TestOlderSignature(t *testing.T) {
	k := secret(t, testKeys[Ed25519])
	_, method := DIDKeyOf(k.Public())
	unsigned := strings.Replace(document, `"https://www.w3.org/ns/credentials/v2"`, `"https://www.w3.org/ns/credentials/v2","https://w3id.org/security/suites/ed25519-2020/v1"`, 1)
	doc, err := openDocument([]byte(unsigned), nil)
	if err != nil {
		t.Fatal(err)
	}
	p := Proof{Type: Ed25519Signature2020, Created: "2026-11-24T09:00:00Z", VerificationMethod: method, ProofPurpose: AssertionMethod}
	config, err := p.selectiveConfig(doc, nil)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := doc.Canonize()
	if err != nil {
		t.Fatal(err)
	}
	signature, err := Sign(k, append(sum(crypto.SHA256, config), sum(crypto.SHA256, whole)...))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := SecureOne([]byte(unsigned), Draft{proof: p}.Attach(signature))
	if err != nil {
		t.Fatal(err)
	}
	all, err := Verify(signed, didKeys, now)
	if err != nil || len(all) != 1 || all[0].Err != nil {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := PrepareWith([]byte(document), Options{Suite: Ed25519Signature2020}); codeOf(err) != UnknownSuite {
		t.Errorf("made anew: %v", err)
	}
}

func TestDomainChallengeAndPurpose(t *testing.T) {
	signed := addProof(t, []byte(document), P256, Options{Suite: ECDSARDFC, Purpose: Authentication, Domain: []string{"a.example", "b.example"}, Challenge: "c1"})
	for _, c := range []struct {
		v    Verifier
		want string
	}{
		{Verifier{Purpose: Authentication}, ""},
		{Verifier{Purpose: Authentication, Domain: []string{"b.example", "a.example"}, Challenge: "c1"}, ""},
		{Verifier{Purpose: Authentication, Domain: []string{"a.example"}}, WrongDomain},
		{Verifier{Purpose: Authentication, Domain: []string{"a.example", "b.example", "c.example"}}, WrongDomain},
		{Verifier{Purpose: Authentication, Domain: []string{}}, WrongDomain},
		{Verifier{Purpose: Authentication, Challenge: "c2"}, WrongNonce},
		{Verifier{}, WrongKey},
		{Verifier{Purpose: "keyAgreement"}, WrongKey},
	} {
		c.v.Keys, c.v.Now = didKeys, now
		all, err := c.v.Verify(signed)
		if err != nil || codeOf(all[0].Err) != c.want {
			t.Errorf("%+v: %+v, %v; want %q", c.v, all, err, c.want)
		}
	}
	// Without any, what is wanted is not there.
	all, err := Verifier{Keys: didKeys, Now: now, Challenge: "c1", Domain: []string{"a.example"}}.Verify(sign(t, EdDSARDFC))
	if err != nil || codeOf(all[0].Err) != WrongDomain {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestTimesOfProofs(t *testing.T) {
	for _, c := range []struct {
		created, expires time.Time
		want             string
	}{
		{now.Add(-time.Hour), now.Add(time.Hour), ""},
		{now.Add(-time.Hour), now.Add(-time.Second), Expired},
		{now.Add(5 * time.Minute), time.Time{}, ""},
		{now.Add(time.Hour), time.Time{}, NotYet},
		{now.Add(5 * time.Minute), now.Add(4 * time.Minute), Malformed},
	} {
		signed := addProof(t, []byte(document), Ed25519, Options{Suite: EdDSARDFC, Created: c.created, Expires: c.expires})
		if all, err := Verify(signed, didKeys, now); err != nil || codeOf(all[0].Err) != c.want {
			t.Errorf("%+v: %+v, %v", c, all, err)
		}
	}
	for _, bad := range []string{"2026-11-24", "2026-11-24T09:00:00", "2026-11-24 09:00:00Z", "2026-02-30T09:00:00Z", "yesterday", "2026-11-24T09:00:00,5Z"} {
		if _, err := Instant(bad); err == nil {
			t.Errorf("%q is an instant", bad)
		}
		changed := strings.Replace(string(sign(t, EdDSARDFC)), `"2026-11-24T09:00:00Z"`, `"`+bad+`"`, 1)
		if all, err := Verify([]byte(changed), didKeys, now); err != nil || codeOf(all[0].Err) != Malformed {
			t.Errorf("created %q: %+v, %v", bad, all, err)
		}
	}
}

func TestChainsOfProofs(t *testing.T) {
	first := addProof(t, []byte(document), Ed25519, Options{Suite: EdDSARDFC, ID: "urn:uuid:1"})
	second := addProof(t, first, P256, Options{Suite: ECDSARDFC, ID: "urn:uuid:2", PreviousProof: []string{"urn:uuid:1"}})
	third := addProof(t, second, P384, Options{Suite: ECDSAJCS, ID: "urn:uuid:3", PreviousProof: []string{"urn:uuid:1", "urn:uuid:2"}})
	set := addProof(t, third, Ed25519, Options{Suite: EdDSAJCS})
	all, err := Verify(set, didKeys, now)
	if err != nil || !slices.Equal(codes(all), []string{"", "", "", ""}) {
		t.Fatalf("%v, %q %v", err, codes(all), all[2].Err)
	}
	proof := func(i int) string {
		_, proofs, err := Split(set)
		if err != nil {
			t.Fatal(err)
		}
		return string(proofs[i])
	}
	replaceProof := func(i int, with string) []byte {
		return []byte(strings.Replace(string(set), proof(i), with, 1))
	}
	other := addProof(t, []byte(document), Ed25519, Options{Suite: EdDSARDFC, ID: "urn:uuid:1", Created: now.Add(-time.Hour)})
	_, others, err := Split(other)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		document []byte
		want     []string
	}{
		// A proof that is good in itself takes the place of the one confirmed.
		"exchanged":          {replaceProof(0, string(others[0])), []string{"", Mismatch, Mismatch, ""}},
		"the first is bad":   {replaceProof(0, strings.Replace(proof(0), "09:00:00", "09:00:01", 1)), []string{Mismatch, Mismatch, Mismatch, ""}},
		"the second is gone": {[]byte(strings.Replace(string(set), proof(1)+",", "", 1)), []string{"", BrokenChain, ""}},
		"an id twice":        {[]byte(strings.Replace(string(set), proof(0), proof(0)+","+proof(0), 1)), []string{"", "", BrokenChain, BrokenChain, ""}},
		"itself":             {replaceProof(1, strings.Replace(proof(1), `"previousProof":"urn:uuid:1"`, `"previousProof":"urn:uuid:2"`, 1)), []string{"", Mismatch, Mismatch, ""}},
		"not by ids":         {replaceProof(1, strings.Replace(proof(1), `"previousProof":"urn:uuid:1"`, `"previousProof":7`, 1)), []string{"", Malformed, Mismatch, ""}},
		"no chain any more":  {replaceProof(1, strings.Replace(proof(1), `,"previousProof":"urn:uuid:1"`, ``, 1)), []string{"", Mismatch, Mismatch, ""}},
	} {
		all, err := Verify(c.document, didKeys, now)
		if err != nil || !slices.Equal(codes(all), c.want) {
			t.Errorf("%s: %q, %v; want %q", name, codes(all), err, c.want)
		}
	}
	// The first holds, but expired: what confirms it does not hold either.
	short := addProof(t, []byte(document), Ed25519, Options{Suite: EdDSARDFC, ID: "urn:uuid:1", Expires: now.Add(time.Minute)})
	short = addProof(t, short, P256, Options{Suite: ECDSARDFC, PreviousProof: []string{"urn:uuid:1"}})
	if all, err := Verify(short, didKeys, now.Add(time.Hour)); err != nil || !slices.Equal(codes(all), []string{Expired, BrokenChain}) {
		t.Errorf("%q, %v", codes(all), err)
	}
	if _, err := PrepareWith([]byte(document), Options{Suite: EdDSARDFC, PreviousProof: []string{"urn:uuid:9"}}); codeOf(err) != BrokenChain {
		t.Errorf("confirmed nothing: %v", err)
	}
}

func TestTooManyProofsAreNotChecked(t *testing.T) {
	_, proofs, err := Split(sign(t, EdDSARDFC))
	if err != nil {
		t.Fatal(err)
	}
	many := strings.TrimSuffix(strings.Repeat(string(proofs[0])+",", maxProofs+1), ",")
	asked := 0
	count := func(method, purpose string) (Key, error) { asked++; return didKeys(method, purpose) }
	if _, err := Verify([]byte(document[:len(document)-1]+`,"proof":[`+many+`]}`), count, now); codeOf(err) != Malformed || asked > 0 {
		t.Errorf("%v, after asking for %d keys", err, asked)
	}
}

func TestControllersListTheirKeys(t *testing.T) {
	const id = "did:web:x.example"
	k := secret(t, testKeys[P384])
	jwk, err := JWKOf(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(jwk)
	if err != nil {
		t.Fatal(err)
	}
	multikey := func(more string) string {
		return fmt.Sprintf(`{"id":"%s#1","type":"Multikey","controller":"%s","publicKeyMultibase":"%s"%s}`, id, id, Multikey(k.Public()), more)
	}
	doc := func(methods, rest string) string {
		return fmt.Sprintf(`{"@context":"https://www.w3.org/ns/cid/v1","id":"%s","verificationMethod":[%s]%s}`, id, methods, rest)
	}
	listed := `,"assertionMethod":["` + id + `#1"]`
	asJWK := fmt.Sprintf(`{"id":"#1","type":"JsonWebKey","controller":"%s","publicKeyJwk":%s}`, id, raw)
	for name, c := range map[string]struct{ document, purpose, want string }{
		"a multikey":        {doc(multikey(""), listed), AssertionMethod, ""},
		"one, not a list":   {strings.NewReplacer("[", "", "]", "").Replace(doc(multikey(""), listed)), AssertionMethod, ""},
		"embedded":          {doc("", `,"assertionMethod":[`+multikey("")+`]`), AssertionMethod, ""},
		"a JWK by fragment": {doc(asJWK, `,"authentication":["#1"]`), Authentication, ""},
		"not listed":        {doc(multikey(""), ``), AssertionMethod, WrongKey},
		"another purpose":   {doc(multikey(""), listed), Authentication, WrongKey},
		"no purpose":        {doc(multikey(""), listed), "verificationMethod", WrongKey},
		"another's":         {doc(strings.Replace(multikey(""), `"controller":"did:web:x`, `"controller":"did:web:y`, 1), listed), AssertionMethod, WrongKey},
		"of another":        {strings.Replace(doc(multikey(""), listed), `"id":"did:web:x.example","ver`, `"id":"did:web:y.example","ver`, 1), AssertionMethod, WrongKey},
		"private":           {doc(multikey(`,"secretKeyMultibase":"`+testKeys[P384]+`"`), listed), AssertionMethod, NoKey},
		"private JWK":       {doc(strings.Replace(asJWK, `"kty"`, `"d":"AA","kty"`, 1), listed), AssertionMethod, NoKey},
		"symmetric":         {doc(fmt.Sprintf(`{"id":"#1","type":"JsonWebKey","controller":"%s","publicKeyJwk":{"kty":"oct","k":"AAAA"}}`, id), listed), AssertionMethod, NoKey},
		"unknown type":      {doc(strings.Replace(multikey(""), "Multikey", "MultiKey", 1), listed), AssertionMethod, NoKey},
		"of another kind":   {doc(strings.Replace(multikey(""), "Multikey", "Ed25519VerificationKey2020", 1), listed), AssertionMethod, NoKey},
		"revoked some day":  {doc(multikey(`,"revoked":"some day"`), listed), AssertionMethod, WrongKey},
		"a member twice":    {doc(multikey(""), listed+`,"assertionMethod":[]`), AssertionMethod, NoKey},
		"no document":       {`[]`, AssertionMethod, WrongKey},
		"too large":         {strings.Repeat(" ", maxController+1), AssertionMethod, NoKey},
	} {
		got, err := KeyOf([]byte(c.document), id+"#1", c.purpose)
		if codeOf(err) != c.want || err == nil && (got.Controller != id || Multikey(got.Public) != Multikey(k.Public())) {
			t.Errorf("%s: %+v, %v; want %q", name, got, err, c.want)
		}
	}
	signed := addProof(t, []byte(document), P384, Options{Suite: ECDSARDFC})
	for more, want := range map[string]string{
		`,"expires":"2026-11-25T00:00:00Z"`: "",
		`,"expires":"2026-11-23T00:00:00Z"`: WrongKey,
		`,"revoked":"2026-11-25T00:00:00Z"`: "",
		`,"revoked":"2026-11-24T00:00:00Z"`: WrongKey,
	} {
		keys := func(_, purpose string) (Key, error) {
			return KeyOf([]byte(doc(multikey(more), listed)), id+"#1", purpose)
		}
		if all, err := Verify(signed, keys, now); err != nil || codeOf(all[0].Err) != want {
			t.Errorf("%s: %+v, %v", more, all, err)
		}
	}
}

func FuzzKeyOf(f *testing.F) {
	k := secret(f, testKeys[P256])
	jwk, err := JWKOf(k.Public())
	if err != nil {
		f.Fatal(err)
	}
	m := Method{ID: "did:web:x#1", Type: "Multikey", Controller: "did:web:x", PublicKey: Multikey(k.Public())}
	for _, m := range []Method{m, {ID: m.ID, Type: "JsonWebKey", Controller: m.Controller, PublicKeyJWK: &jwk}} {
		raw, err := json.Marshal(NewController("did:web:x", []Method{m}))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := KeyOf(data, "did:web:x#1", AssertionMethod)
		if err == nil && (KindOf(k.Public) == "" || k.Controller != "did:web:x") {
			t.Errorf("%q has the key %+v", data, k)
		}
	})
}

func FuzzMultikey(f *testing.F) {
	for _, s := range testKeys {
		f.Add(s)
		f.Add(Multikey(secret(f, s).Public()))
	}
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := ParseMultikey(s); err == nil && Multikey(k) != s {
			t.Errorf("%q is %v, which is %q", s, k, Multikey(k))
		}
		if k, err := ParseSecretMultikey(s); err == nil && SecretMultikey(k) != s && KindOf(k.Public()) != Ed25519 {
			t.Errorf("%q is a secret key that is %q", s, SecretMultikey(k))
		}
	})
}
