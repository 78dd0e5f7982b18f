package vc

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"
)

// TestRecordOfKeptCredentials: a record that is signed from the kept forms of
// its credentials carries the proofs that the whole of it would.
func TestRecordOfKeptCredentials(t *testing.T) {
	k, method := key()
	var parts []Part
	var texts []string
	for i := range 5 {
		draft := strings.Replace(document, "000000000001", fmt.Sprintf("00000000000%d", i+2), 1)
		d, err := Prepare([]byte(draft), EdDSARDFC, method, now)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := Secure([]byte(draft), d.Attach(ed25519.Sign(k, d.Hash)))
		if err != nil {
			t.Fatal(err)
		}
		kept, err := Keep(signed)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, Part{Document: string(signed), Kept: kept})
		texts = append(texts, string(signed))
	}
	record := fmt.Appendf(nil, `{"@context":["https://www.w3.org/ns/credentials/v2","https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json","https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"],"id":"urn:uuid:0f6b5b0a-3a5e-4d7e-9b1a-000000000009","type":["VerifiableCredential","ClrCredential"],"name":"Record","issuer":"https://x.example","validFrom":"2026-01-01T00:00:00Z","credentialSubject":{"id":"did:example:1","type":["ClrSubject"],"verifiableCredential":[%s]}}`, strings.Join(texts, ","))
	suites := []string{EdDSARDFC, EdDSAJCS}
	cold, err := PrepareAll(string(record), suites, method, now)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := PrepareAll(string(record), suites, method, now, parts...)
	if err != nil {
		t.Fatal(err)
	}
	var proofs []Proof
	for i := range suites {
		if !bytes.Equal(cold[i].Hash, kept[i].Hash) {
			t.Errorf("%s: the hashes differ", suites[i])
		}
		proofs = append(proofs, kept[i].Attach(ed25519.Sign(k, kept[i].Hash)))
	}
	signed, err := Secure(record, proofs...)
	if err != nil {
		t.Fatal(err)
	}
	all, err := Verify(signed, didKeys, now)
	if err != nil || len(all) != 2 || all[0].Err != nil || all[1].Err != nil {
		t.Errorf("%v, %v", all, err)
	}
}
