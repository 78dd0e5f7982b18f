package vc

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/testamur/testamur/internal/spec/jsonld"
)

// citizenship stands in for the context of the vector's credential, which is not
// among the official files here: it has the meaning that the vector's own
// N-Quads show.
var citizenship = map[string][]byte{"https://w3id.org/citizenship/v4rc1": []byte(`{"@context":{
	"c":"https://w3id.org/citizenship#","s":"https://schema.org/","xsd":"http://www.w3.org/2001/XMLSchema#",
	"PermanentResidentCardCredential":"c:PermanentResidentCardCredential","PermanentResident":"c:PermanentResident",
	"PermanentResidentCard":"c:PermanentResidentCard","Person":"s:Person",
	"image":{"@id":"s:image","@type":"@id"},"givenName":"s:givenName","familyName":"s:familyName","gender":"s:gender","identifier":"s:identifier",
	"birthDate":{"@id":"s:birthDate","@type":"xsd:dateTime"},"residentSince":{"@id":"c:residentSince","@type":"xsd:dateTime"},
	"birthCountry":"c:birthCountry","commuterClassification":"c:commuterClassification","lprCategory":"c:lprCategory","lprNumber":"c:lprNumber",
	"permanentResidentCard":{"@id":"c:permanentResidentCard","@type":"@id"}}}`)}

// TestSelectiveDisclosureVector makes the W3C vector of ecdsa-sd-2023 again: base
// proof, derived proof, and each value on the way.
func TestSelectiveDisclosureVector(t *testing.T) {
	v := readVector(t, "w3c-vectors/ecdsa-sd-2023-prc.json")
	var material struct {
		BaseKeyPair, ProofKeyPair struct{ SecretKeyMultibase string }
		HmacKeyString             string
	}
	v.into(t, "SDKeyMaterial.json", &material)
	once := OneTime{Proof: secret(t, material.ProofKeyPair.SecretKeyMultibase).(*ecdsa.PrivateKey)}
	if _, err := hex.Decode(once.HMAC[:], []byte(material.HmacKeyString)); err != nil {
		t.Fatal(err)
	}
	k := secret(t, material.BaseKeyPair.SecretKeyMultibase)
	// The vector's unsigned document has another description than its signed one.
	document, _, err := Split(v.raw(t, "addSignedSDBase.json"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openDocument(document, citizenship)
	if err != nil {
		t.Fatal(err)
	}
	canonical, err := doc.Canonize()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Join(lines(t, v, "addBaseDocCanon.json"), ""), string(canonical)); diff != "" {
		t.Error(diff)
	}
	all, err := takeApart(doc, once.HMAC[:])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lines(t, v, "addBaseDocHMACCanon.json"), all.lines); diff != "" {
		t.Error(diff)
	}
	var indexes struct{ CombinedIndexes, MandatoryIndexes, SelectiveIndexes []int }
	v.into(t, "derivedGroupIndexes.json", &indexes)
	mandatory, chosen := lines(t, v, "prCredMandatory.json"), lines(t, v, "prCredSelective.json")
	for _, c := range []struct {
		pointers []string
		want     []int
	}{{mandatory, indexes.MandatoryIndexes}, {chosen, indexes.SelectiveIndexes}, {slices.Concat(mandatory, chosen), indexes.CombinedIndexes}} {
		group, err := all.group(doc, c.pointers)
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for i := range all.lines {
			if group[i] {
				got = append(got, i)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%v: %s", c.pointers, diff)
		}
	}

	var config Proof
	v.into(t, "addProofConfig.json", &config)
	created, err := time.Parse(time.RFC3339, config.Created)
	if err != nil {
		t.Fatal(err)
	}
	d, err := PrepareSelective(document, Options{Key: k.Public(), VerificationMethod: config.VerificationMethod, Created: created, Contexts: citizenship}, mandatory, once)
	if err != nil {
		t.Fatal(err)
	}
	var hashes struct{ ProofHash, MandatoryHash string }
	v.into(t, "addHashData.json", &hashes)
	if got := hex.EncodeToString(d.Hash); !strings.HasPrefix(got, hashes.ProofHash) || !strings.HasSuffix(got, hashes.MandatoryHash) || len(d.Hash) != 32+35+32 {
		t.Errorf("signed %s", got)
	}
	var base struct {
		BaseSignature string
		Signatures    []string
	}
	v.into(t, "addRawBaseSignatureInfo.json", &base)
	signature, err := Sign(k, d.Hash)
	if err != nil || hex.EncodeToString(signature) != base.BaseSignature {
		t.Errorf("base signature %x, %v", signature, err)
	}
	for i, s := range d.base.Signatures {
		if hex.EncodeToString(s) != base.Signatures[i] {
			t.Errorf("signature %d is %x", i, s)
		}
	}
	proof, err := d.Attach(signature)
	if err != nil {
		t.Fatal(err)
	}
	if want := proofOf(t, v.raw(t, "addSignedSDBase.json")); proof.ProofValue != want.ProofValue {
		t.Errorf("base proof value %s, want %s", proof.ProofValue, want.ProofValue)
	}
	signed, err := SecureOne(document, proof)
	if err != nil {
		t.Fatal(err)
	}
	derived, err := Derive(signed, chosen, citizenship)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := canonicalOf(t, json.RawMessage(derived)), canonicalOf(t, json.RawMessage(v.raw(t, "derivedRevealDocument.json"))); got != want {
		t.Error(cmp.Diff(want, got))
	}
	w := Verifier{Keys: didKeys, Now: now, Contexts: citizenship}
	checked, err := w.Verify(v.raw(t, "derivedRevealDocument.json"))
	if err != nil || len(checked) != 1 || checked[0].Err != nil {
		t.Errorf("%+v, %v", checked, err)
	}
	// The base proof is not for a verifier.
	if checked, err = w.Verify(signed); err != nil || codeOf(checked[0].Err) != Malformed {
		t.Errorf("a base proof: %+v, %v", checked, err)
	}
}

func lines(t *testing.T, v vector, name string) (all []string) {
	t.Helper()
	v.into(t, name, &all)
	return all
}

func proofOf(t testing.TB, signed []byte) Proof {
	t.Helper()
	var d struct{ Proof Proof }
	if err := json.Unmarshal(signed, &d); err != nil {
		t.Fatal(err)
	}
	return d.Proof
}

// badge has what is hard to take apart: nodes without ids, alike ones, a list, a
// name with a language, a part with a context of its own.
const badge = `{"@context":["https://www.w3.org/ns/credentials/v2","https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"],
"id":"urn:uuid:0f6b5b0a-3a5e-4d7e-9b1a-000000000002","type":["VerifiableCredential","OpenBadgeCredential"],
"issuer":{"id":"did:web:x.example","type":["Profile"],"name":"X"},"validFrom":"2026-01-01T00:00:00Z","name":"Badge",
"credentialSubject":{"type":["AchievementSubject"],"identifier":[{"type":"IdentityObject","hashed":false,"identityHash":"a@x.example","identityType":"emailAddress"}],
"achievement":{"id":"https://x.example/a","type":["Achievement"],"name":"Achievement","description":"Of something.","criteria":{"narrative":"Do it."},
"resultDescription":[{"id":"urn:uuid:0f6b5b0a-3a5e-4d7e-9b1a-000000000003","type":["ResultDescription"],"name":"Grade","resultType":"LetterGrade","allowedValue":["C","B","A"]}],
"alignment":[{"type":["Alignment"],"targetName":"One","targetUrl":"https://x.example/1"},{"type":["Alignment"],"targetName":"Two","targetUrl":"https://x.example/2"}]},
"result":[{"type":["Result"],"resultDescription":"urn:uuid:0f6b5b0a-3a5e-4d7e-9b1a-000000000003","value":"A"},{"type":["Result"],"status":"Completed"},{"type":["Result"],"value":"B"}]}}`

func signSelective(t testing.TB, document string, mandatory ...string) []byte {
	t.Helper()
	k := secret(t, "z42twTcNeSYcnqg1FLuSFs2bsGH3ZqbRHFmvS9XMsYhjxvHN")
	_, method := DIDKeyOf(k.Public())
	once, err := NewOneTime(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d, err := PrepareSelective([]byte(document), Options{Key: k.Public(), VerificationMethod: method, Created: now}, mandatory, once)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := Sign(k, d.Hash)
	if err != nil {
		t.Fatal(err)
	}
	p, err := d.Attach(signature)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := Secure([]byte(document), p)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestDeriveShowsWhatIsAskedForAndMandatory(t *testing.T) {
	signed := signSelective(t, badge, "/issuer", "/validFrom", "/credentialSubject/achievement/name")
	for name, c := range map[string]struct {
		pointers []string
		has, not []string
	}{
		"nothing more":    {nil, []string{`"name":"X"`, `"Achievement"`}, []string{`"name":"Badge"`, "Of something", "allowedValue", "a@x.example"}},
		"one result":      {[]string{"/credentialSubject/result/2"}, []string{`"value":"B"`}, []string{`"value":"A"`, "Completed"}},
		"two results":     {[]string{"/credentialSubject/result/2", "/credentialSubject/result/0/value"}, []string{`"value":"B"`, `"value":"A"`}, []string{"Completed", "a@x.example"}},
		"a list":          {[]string{"/credentialSubject/achievement/resultDescription/0/allowedValue"}, []string{`["C","B","A"]`}, []string{"LetterGrade"}},
		"within a node":   {[]string{"/credentialSubject/achievement/alignment/1/targetName"}, []string{`"Two"`}, []string{`"One"`, "https://x.example/2"}},
		"the identity":    {[]string{"/credentialSubject/identifier"}, []string{"a@x.example"}, []string{"Completed"}},
		"whole":           {[]string{""}, []string{"a@x.example", "Completed", "allowedValue", `"Badge"`}, nil},
		"a parent, child": {[]string{"/credentialSubject", "/credentialSubject/result/0"}, []string{"a@x.example", "Completed"}, []string{`"Badge"`}},
	} {
		t.Run(name, func(t *testing.T) {
			derived, err := Derive(signed, c.pointers, nil)
			if err != nil {
				t.Fatal(err)
			}
			unsecured, _, err := Split(derived)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range c.has {
				if !strings.Contains(string(unsecured), s) {
					t.Errorf("%s is not shown: %s", s, unsecured)
				}
			}
			for _, s := range c.not {
				if strings.Contains(string(unsecured), s) {
					t.Errorf("%s is shown: %s", s, unsecured)
				}
			}
			all, err := Verify(derived, didKeys, now)
			if err != nil || len(all) != 1 || all[0].Err != nil {
				t.Errorf("%+v, %v", all, err)
			}
		})
	}
}

// TestDerivedIsBound: nothing can be changed, left out or put into a derived
// document, and no part of its proof.
func TestDerivedIsBound(t *testing.T) {
	derived, err := Derive(signSelective(t, badge, "/issuer", "/validFrom"), []string{"/credentialSubject/result", "/name"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Derive(signSelective(t, strings.Replace(badge, `"value":"B"`, `"value":"F"`, 1), "/issuer", "/validFrom"), []string{"/credentialSubject/result", "/name"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	change := func(old, new string) []byte {
		t.Helper()
		changed := bytes.Replace(derived, []byte(old), []byte(new), 1)
		if bytes.Equal(changed, derived) {
			t.Fatalf("%s does not occur", old)
		}
		return changed
	}
	d, err := decodeDerived(proofOf(t, derived).ProofValue)
	if err != nil {
		t.Fatal(err)
	}
	value := func(edit func(d *derivedProof)) []byte {
		t.Helper()
		e := d
		e.Signatures, e.Mandatory = slices.Clone(d.Signatures), slices.Clone(d.Mandatory)
		e.Labels = map[int][]byte{}
		for n, l := range d.Labels {
			e.Labels[n] = slices.Clone(l)
		}
		edit(&e)
		text, err := e.encode()
		if err != nil {
			t.Fatal(err)
		}
		return change(proofOf(t, derived).ProofValue, text)
	}
	for name, changed := range map[string][]byte{
		"a value":            change(`"value":"B"`, `"value":"C"`),
		"mandatory":          change(`"name":"X"`, `"name":"Y"`),
		"values exchanged":   bytes.Replace(bytes.Replace(bytes.Replace(derived, []byte(`"value":"B"`), []byte(`"value":"?"`), 1), []byte(`"value":"A"`), []byte(`"value":"B"`), 1), []byte(`"value":"?"`), []byte(`"value":"A"`), 1),
		"left out":           change(`,"name":"Badge"`, ``),
		"mandatory left out": change(`"validFrom":"2026-01-01T00:00:00Z",`, ``),
		"put in":             change(`,"name":"Badge"`, `,"name":"Badge","description":"More."`),
		"a node put in":      change(`{"type":["Result"],"status":"Completed"}`, `{"type":["Result"],"status":"Completed"},{"type":["Result"],"value":"Z"}`),
		"made later":         change(`"created":"2026-11-24T09:00:00Z"`, `"created":"2026-11-24T09:00:01Z"`),
		"another's proof":    change(proofOf(t, derived).ProofValue, proofOf(t, other).ProofValue),
		"base signature":     value(func(d *derivedProof) { d.Signature = d.Signatures[0] }),
		"a signature twice":  value(func(d *derivedProof) { d.Signatures[1] = d.Signatures[0] }),
		"a signature less":   value(func(d *derivedProof) { d.Signatures = d.Signatures[1:] }),
		"all mandatory":      value(func(d *derivedProof) { d.Mandatory = append(d.Mandatory, 99) }),
		"one mandatory less": value(func(d *derivedProof) { d.Mandatory = d.Mandatory[1:] }),
		"labels exchanged":   value(func(d *derivedProof) { d.Labels[0], d.Labels[1] = d.Labels[1], d.Labels[0] }),
		"a label less":       value(func(d *derivedProof) { delete(d.Labels, 0) }),
		"the wrong key": value(func(d *derivedProof) {
			d.PublicKey = publicBytes(secret(t, "z42twTcNeSYcnqg1FLuSFs2bsGH3ZqbRHFmvS9XMsYhjxvHN").Public())
		}),
	} {
		all, err := Verify(changed, didKeys, now)
		if err == nil && (len(all) != 1 || all[0].Err == nil) {
			t.Errorf("%s: verifies: %s", name, changed)
		} else if err == nil && codeOf(all[0].Err) != Mismatch && codeOf(all[0].Err) != Malformed {
			t.Errorf("%s: %v", name, all[0].Err)
		}
	}
}

func TestPointersThatMatchNothingAreRefused(t *testing.T) {
	signed := signSelective(t, badge, "/issuer")
	for _, p := range []string{"/nothing", "/issuer/nothing", "/issuer/id/deeper", "/type/7", "/type/-1", "/type/01", "/type/+1", "issuer", "/a~2", "/a~", "#/issuer", strings.Repeat("/a", 2000)} {
		if _, err := Derive(signed, []string{p}, nil); err == nil {
			t.Errorf("derived %q", p)
		}
		k := secret(t, "z42twTcNeSYcnqg1FLuSFs2bsGH3ZqbRHFmvS9XMsYhjxvHN")
		once, err := NewOneTime(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := PrepareSelective([]byte(badge), Options{Key: k.Public(), VerificationMethod: "did:example:1#1", Created: now}, []string{p}, once); err == nil {
			t.Errorf("made %q mandatory", p)
		}
	}
	// A list in part, and something that is not there to derive from.
	if _, err := Derive(signed, []string{"/credentialSubject/achievement/resultDescription/0/allowedValue/0"}, nil); codeOf(err) != Malformed {
		t.Errorf("a part of a list: %v", err)
	}
	if _, err := Derive(sign(t, EdDSARDFC), []string{"/issuer"}, nil); codeOf(err) != UnknownSuite {
		t.Errorf("no base proof: %v", err)
	}
}

// TestEachPartCanBeShownAlone derives each part of a badge alone, and verifies it.
func TestEachPartCanBeShownAlone(t *testing.T) {
	signed := signSelective(t, badge)
	n := 0
	for _, pointer := range pointersOf(t, badge) {
		derived, err := Derive(signed, []string{pointer}, nil)
		if err != nil {
			if !strings.Contains(pointer, "/allowedValue/") {
				t.Errorf("%s: %v", pointer, err)
			}
			continue
		}
		n++
		if all, err := Verify(derived, didKeys, now); err != nil || all[0].Err != nil {
			t.Errorf("%s: %+v, %v", pointer, all, err)
		}
	}
	if n < 50 {
		t.Errorf("only %d parts", n)
	}
}

// pointersOf are pointers to every value of a document but its @context.
func pointersOf(t testing.TB, document string) (all []string) {
	t.Helper()
	v, err := jsonld.Read([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	var walk func(v jsonld.Value, at string)
	walk = func(v jsonld.Value, at string) {
		for name, m := range v.Members() {
			if name != "@context" {
				all = append(all, at+"/"+name)
				walk(m, at+"/"+name)
			}
		}
		if v.IsArray() {
			for i, e := range v.Elements() {
				all = append(all, fmt.Sprintf("%s/%d", at, i))
				walk(e, fmt.Sprintf("%s/%d", at, i))
			}
		}
	}
	walk(v, "")
	return all
}

func FuzzSelectiveValues(f *testing.F) {
	derived, err := Derive(signSelective(f, badge, "/issuer"), []string{"/name"}, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(proofOf(f, derived).ProofValue)
	f.Add("u2V0BhA")
	f.Add("u2V0AhUA")
	f.Fuzz(func(t *testing.T, value string) {
		if d, err := decodeDerived(value); err == nil {
			again, err := d.encode()
			if err != nil {
				t.Fatal(err)
			}
			e, err := decodeDerived(again)
			if err != nil || !cmp.Equal(d.Labels, e.Labels) || !cmp.Equal(d.Mandatory, e.Mandatory) || !cmp.Equal(d.Signatures, e.Signatures) {
				t.Errorf("%q is read as %+v, then as %+v (%v)", value, d, e, err)
			}
		}
		if b, err := decodeBase(value); err == nil {
			if _, err := b.encode(); err != nil {
				t.Error(err)
			}
		}
	})
}

func FuzzPointers(f *testing.F) {
	for _, p := range []string{"", "/issuer", "/credentialSubject/result/0/value", "/type/1", "/a~1b~0", "//", "/credentialSubject/achievement/alignment"} {
		f.Add(p, "/name")
	}
	signed := signSelective(f, badge, "/issuer")
	f.Fuzz(func(t *testing.T, a, b string) {
		derived, err := Derive(signed, []string{a, b}, nil)
		if err != nil {
			return
		}
		if all, err := Verify(derived, didKeys, now); err != nil || all[0].Err != nil {
			t.Errorf("%q, %q: %+v, %v", a, b, all, err)
		}
	})
}
