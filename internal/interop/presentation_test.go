package interop

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/spec/bitstring"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/vc"
	"github.com/testamur/testamur/internal/standards"
)

// presentation is one of the ring's, without its proof.
func (r ring) presentation(credentials ...[]byte) []byte {
	return []byte(fmt.Sprintf(`{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiablePresentation"],"holder":"%s","verifiableCredential":[%s]}`,
		r.key.Controller, bytes.Join(credentials, []byte(","))))
}

// presented is a presentation signed by us, for a challenge and a domain.
func (r ring) presented(t testing.TB, document []byte, suite, challenge, domain string) []byte {
	t.Helper()
	d, err := vc.PrepareWith(document, vc.Options{Suite: suite, Key: r.signer.Public(), VerificationMethod: r.key.ID, Created: created, Purpose: vc.Authentication,
		Challenge: challenge, Domain: []string{domain}})
	if err != nil {
		t.Fatal(err)
	}
	signature, err := vc.Sign(r.signer, d.Hash)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := vc.SecureOne(document, d.Attach(signature))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// TestPresentationsBothWays: what we present they verify and what they present we
// verify, each only for the challenge and the domain that it was made for, and
// not after a change of the credential in it.
func TestPresentationsBothWays(t *testing.T) {
	const challenge, domain = "d436f0c8-fbd9-4e48-bbb2-55fc5d0920a8", "employer.example"
	bazaar, dcc := Node(t), DCC(t)
	for _, c := range []struct {
		who         string
		v           *Verifier
		suite, kind string
	}{
		{"Digital Bazaar", bazaar, vc.EdDSARDFC, vc.Ed25519},
		{"Digital Bazaar", bazaar, vc.EdDSAJCS, vc.Ed25519},
		{"Digital Bazaar", bazaar, vc.ECDSARDFC, vc.P256},
		{"Digital Bazaar", bazaar, vc.ECDSARDFC, vc.P384},
		{"DCC", dcc, vc.EdDSARDFC, vc.Ed25519},
	} {
		t.Run(c.who+" "+c.suite+" "+c.kind, func(t *testing.T) {
			r, in := newRing(t, secrets[c.kind]), newRing(t, secrets[vc.Ed25519])
			controllers := map[string][]byte{}
			for _, k := range []ring{r, in} {
				for id, doc := range k.controllers {
					controllers[id] = doc
				}
			}
			document := r.presentation(in.sealed(t, in.document("", true), vc.EdDSARDFC))
			ours := r.presented(t, document, c.suite, challenge, domain)
			theirs := c.v.Present(t, document, c.suite, r.key, controllers, challenge, domain)
			for whose, signed := range map[string][]byte{"ours": ours, "theirs": theirs} {
				changed := bytes.Replace(signed, []byte(`"value":"B"`), []byte(`"value":"F"`), 1)
				for _, x := range []struct {
					what              string
					document          []byte
					challenge, domain string
					holds             bool
				}{
					{"as it is", signed, challenge, domain, true},
					{"for another challenge", signed, "another", domain, false},
					{"for another domain", signed, challenge, "another.example", false},
					{"changed", changed, challenge, domain, false},
				} {
					if got := c.v.VerifyPresented(t, x.document, controllers, x.challenge, x.domain); got.Verified() != x.holds {
						t.Errorf("%s %s: they say %+v", whose, x.what, got)
					}
					v := vc.Verifier{Keys: didKey, Now: time.Now(), Purpose: vc.Authentication, Challenge: x.challenge, Domain: []string{x.domain}}
					all, err := v.Verify(x.document)
					if err != nil || len(all) != 1 || (all[0].Err == nil) != x.holds {
						t.Errorf("%s %s: we say %+v, %v", whose, x.what, all, err)
					}
				}
			}
		})
	}
}

// TestTheyReadOurStatusLists: a credential stands by their reading of a list of
// ours exactly as long as its bit is not set.
func TestTheyReadOurStatusLists(t *testing.T) {
	v, r := DCC(t), newRing(t, secrets[vc.Ed25519])
	const address = "https://x.example/status/1"
	list, err := bitstring.New(bitstring.MinEntries, 1)
	if err != nil {
		t.Fatal(err)
	}
	credential := bytes.Replace(r.document("", true), []byte(`"name":"Badge",`), []byte(`"name":"Badge","credentialStatus":{"id":"`+address+`#94567","type":"BitstringStatusListEntry","statusPurpose":"revocation","statusListIndex":"94567","statusListCredential":"`+address+`"},`), 1)
	signed := r.sealed(t, credential, vc.EdDSARDFC)
	for _, c := range []struct {
		set    int
		stands bool
	}{{94566, true}, {94568, true}, {0, true}, {94567, false}} {
		if err := list.Set(c.set, 1); err != nil {
			t.Fatal(err)
		}
		doc, err := bitstring.Compose(bitstring.Credential{ID: address, Issuer: r.key.Controller, Purposes: []string{bitstring.Revocation}, List: list, ValidFrom: "2026-05-22T12:00:00Z"})
		if err != nil {
			t.Fatal(err)
		}
		published := r.sealed(t, doc, vc.EdDSARDFC)
		if got := v.Status(t, signed, published, r.controllers); got.Verified() != c.stands {
			t.Errorf("with %d set: %+v", c.set, got)
		}
		if !c.stands {
			continue
		}
		forged := bytes.Replace(published, []byte(`"encodedList":"uH`), []byte(`"encodedList":"uI`), 1)
		if got := v.Status(t, signed, forged, r.controllers); got.Verified() || bytes.Equal(forged, published) {
			t.Errorf("a list that is not signed is relied on: %+v", got)
		}
	}
}

// TestPresentationsAgreeWithJSONLDJS: where json-gold is no judge, because it has
// what stands in a graph container with a context of its own in the default
// graph, jsonld.js is. Whatever of a presentation is changed, what we accept it
// canonicalizes to the same bytes.
func TestPresentationsAgreeWithJSONLDJS(t *testing.T) {
	v := Node(t)
	i := newIssuer(t, college)
	r := newRing(t, secrets[vc.Ed25519])
	documents := [][]byte{
		standards.Read(t, "examples/w3c/verifiable-presentation-example-2.json"),
		standards.Read(t, "examples/w3c/verifiable-presentation-example-45.json"),
		r.presentation(i.issue(t, lean(badgeOf(i.did, 0)))),
	}
	agreed, refused := 0, 0
	for _, document := range documents {
		compare := func(path string, changed []byte) {
			got, err := jsonld.Canonize(changed)
			if err != nil {
				refused++
				return
			}
			want, err := v.Canonize(t, changed)
			if err != nil || want != string(got) {
				t.Errorf("%s: %v\nours\n%s\ntheirs\n%s", path, err, got, want)
			}
			agreed++
		}
		compare("as it is", document)
		if err := EachFieldChanged(document, compare); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d compared, %d refused", agreed, refused)
	if agreed < 150 || refused < 50 {
		t.Errorf("only %d changed presentations were compared, %d were refused", agreed, refused)
	}
}
