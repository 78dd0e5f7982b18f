package clr

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/standards"
)

func compose(t *testing.T, change func(*Credential)) ([]byte, error) {
	t.Helper()
	c := Credential{ID: "https://x.example/r/1", Name: "Record", ValidFrom: "2026-01-01T00:00:00Z",
		Issuer: openbadges.Profile{ID: "did:web:x.example", Type: openbadges.List[string]{"Profile"}},
		CredentialSubject: Subject{ID: "urn:uuid:0f6b5b0a-3a5e-4d7e-9b1a-000000000001",
			VerifiableCredential: []json.RawMessage{json.RawMessage(`{"id":"urn:a:1","credentialSubject":{"achievement":{"id":"https://x.example/a"}}}`)},
			Achievement:          openbadges.List[openbadges.Achievement]{{ID: "https://x.example/b", Type: openbadges.List[string]{"Achievement"}}},
			Association:          openbadges.List[Association]{{Type: "Association", AssociationType: "isChildOf", SourceID: "https://x.example/a", TargetID: "https://x.example/b"}}}}
	change(&c)
	return Compose(c)
}

func TestEmbeddedKeepTheirBytes(t *testing.T) {
	doc, err := compose(t, func(*Credential) {})
	if err != nil {
		t.Fatal(err)
	}
	all, err := Embedded(doc)
	if err != nil || len(all) != 1 || !strings.HasPrefix(string(all[0]), `{"id":"urn:a:1"`) {
		t.Errorf("%s, %v", all, err)
	}
	if ends, err := Dangling(doc); err != nil || len(ends) != 0 {
		t.Errorf("%v, %v", ends, err)
	}
}

func TestDanglingAssociationsAreFound(t *testing.T) {
	doc, err := compose(t, func(c *Credential) { c.CredentialSubject.Association[0].TargetID = "https://x.example/z" })
	if err != nil {
		t.Fatal(err)
	}
	if ends, err := Dangling(doc); err != nil || len(ends) != 1 || ends[0] != "https://x.example/z" {
		t.Errorf("%v, %v", ends, err)
	}
}

func TestComposeRefuses(t *testing.T) {
	if _, err := compose(t, func(c *Credential) { c.CredentialSubject.VerifiableCredential = nil }); err == nil {
		t.Error("an empty record was composed")
	}
	if _, err := compose(t, func(c *Credential) { c.CredentialSubject.Association[0].AssociationType = "extends" }); err == nil {
		t.Error("an association outside the standard was composed")
	}
}

func TestAssociationTypesAreTheOfficialOnes(t *testing.T) {
	want, err := json.Marshal(associationTypes)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range standards.Glob(t, "schemas/clr2/*/*clrcredential*.json") {
		name := f[strings.Index(f, "schemas/clr2"):]
		var compact bytes.Buffer
		if err := json.Compact(&compact, standards.Read(t, name)); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(compact.Bytes(), want) {
			return
		}
	}
	t.Error("no official schema has our list of association types")
}

func FuzzDangling(f *testing.F) {
	f.Add([]byte(`{"credentialSubject":{"association":{"sourceId":"x"},"verifiableCredential":{"credentialSubject":[{}]}}}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		if _, err := Dangling(doc); err == nil {
			if _, err := Embedded(doc); err != nil {
				t.Errorf("%q: %v", doc, err)
			}
		}
	})
}
