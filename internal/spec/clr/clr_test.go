package clr

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/cost"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/shape"
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
	if ends := Dangling(read(t, doc)); len(ends) != 0 {
		t.Errorf("%v", ends)
	}
}

func TestDanglingAssociationsAreFound(t *testing.T) {
	doc, err := compose(t, func(c *Credential) { c.CredentialSubject.Association[0].TargetID = "https://x.example/z" })
	if err != nil {
		t.Fatal(err)
	}
	if ends := Dangling(read(t, doc)); len(ends) != 1 || ends[0] != "https://x.example/z" {
		t.Errorf("%v", ends)
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

func read(t testing.TB, doc []byte) jsonld.Value {
	t.Helper()
	v, err := jsonld.Read(doc)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func rules(all []shape.Problem) []string {
	var out []string
	for _, p := range all {
		out = append(out, p.Field+" "+p.Rule)
	}
	return out
}

func all(v jsonld.Value, form shape.Form) []shape.Problem {
	return append(Check(v, form), CheckLinks(v)...)
}

// TestOfficialExamples holds what is said of each official record.
func TestOfficialExamples(t *testing.T) {
	for name, want := range map[string][]string{
		"validator-simple.json":         nil,
		"validator-simple_v1.json":      {"credentialSubject.association association-ends"}, // it tells of a part of a programme
		"impl-guide-unsigned-2508.json": nil,
	} {
		if got := rules(all(read(t, standards.Read(t, "examples/clr2/"+name)), shape.Compact)); !slices.Equal(got, want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestRecordsAreCheckedByClause(t *testing.T) {
	doc, err := compose(t, func(c *Credential) {
		c.CredentialSubject.Achievement[0].Name, c.CredentialSubject.Achievement[0].Description = "B", "B."
		c.CredentialSubject.Achievement[0].Criteria = &openbadges.Criteria{Narrative: "n"}
		c.CredentialStatus = json.RawMessage(`{"id":"https://x.example/s","type":"1EdTechRevocationList"}`)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := all(read(t, doc), shape.Canonical); len(got) > 0 {
		t.Fatal(got)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"isChildOf"`, `"extends"`, "credentialSubject.association.0.associationType association-type"},
		{`"isChildOf"`, `"ext:mine"`, "credentialSubject.association.0.associationType association-type"},
		{`"Association"`, `"Association","note":"x"`, "credentialSubject.association.0.note unknown-member"},
		{`"targetId":"https://x.example/b"`, `"targetId":"https://x.example/c"`, "credentialSubject.association association-ends"},
		{`"name":"Record"`, `"title":"Record"`, "name required"},
		{`"partial":false`, `"partial":"no"`, "partial boolean"},
		{`"id":"urn:uuid:0f6b5b0a-3a5e-4d7e-9b1a-000000000001",`, ``, "credentialSubject.id recipient"},
		{`"ClrCredential"`, `"Record"`, "type type"},
		{`"ClrSubject"`, `"Subject"`, "credentialSubject.type type"},
		{`https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json","`, ``, "@context.1 context"},
		{`"verifiableCredential":[`, `"verifiableCredential":[{"id":"urn:a:1"},`, "credentialSubject.verifiableCredential.1.id embedded-once"},
		{`"verifiableCredential":[{`, `"verifiableCredential":["eyJ",{`, "credentialSubject.verifiableCredential.0 object"},
		{`"validFrom":"2026`, `"validUntil":"2020-01-01T00:00:00Z","validFrom":"2026`, "validUntil date-order"},
	} {
		changed := bytes.Replace(doc, []byte(c.old), []byte(c.new), 1)
		if got := rules(all(read(t, changed), shape.Canonical)); bytes.Equal(changed, doc) || !slices.Contains(got, c.want) {
			t.Errorf("%s: %v, want %q", c.new, got, c.want)
		}
	}
}

// TestEnvelopedCredentialsBringTheirAchievements resolves an association into a
// credential in the form of a token.
func TestEnvelopedCredentialsBringTheirAchievements(t *testing.T) {
	payload := base64.RawURLEncoding.EncodeToString([]byte(`{"id":"urn:a:1","credentialSubject":{"achievement":{"id":"https://x.example/a"}}}`))
	doc, err := compose(t, func(c *Credential) {
		c.CredentialSubject.VerifiableCredential = []json.RawMessage{json.RawMessage(`{"type":"EnvelopedVerifiableCredential","id":"data:application/vc+jwt,e30.` + payload + `.c2ln"}`)}
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := Dangling(read(t, doc)); len(d) > 0 {
		t.Errorf("%v", d)
	}
}

// TestWorkIsLinear checks a record with many ends and ids that are all wrong.
func TestWorkIsLinear(t *testing.T) {
	record := func(n int) jsonld.Value {
		var b strings.Builder
		b.WriteString(`{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiableCredential","ClrCredential"],"credentialSubject":{"association":[{}`)
		for i := range n {
			fmt.Fprintf(&b, `,{"sourceId":"urn:x:%d","targetId":"urn:y:%d"}`, i, i)
		}
		b.WriteString(`],"verifiableCredential":[{}`)
		for i := range n {
			fmt.Fprintf(&b, `,{"id":"urn:z:%d"}`, i/2)
		}
		b.WriteString(`]}}`)
		return read(t, []byte(b.String()))
	}
	values := map[int]jsonld.Value{25_000: record(25_000), 100_000: record(100_000)}
	cost.Linear(t, "a record of many ends", 25_000, func(n int) {
		if got := all(values[n], shape.Compact); len(got) < shape.MaxProblems {
			t.Errorf("%d", len(got))
		}
	})
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"@context":[],"type":["VerifiableCredential","ClrCredential"],"credentialSubject":{"association":{"sourceId":"x"},"verifiableCredential":{"credentialSubject":[{}]}}}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		v, err := jsonld.Read(doc)
		if err != nil {
			return
		}
		compact, canonical := all(v, shape.Compact), all(v, shape.Canonical)
		if len(canonical) == 0 && len(compact) > 0 {
			t.Errorf("the stricter form takes what the other refuses: %v", compact)
		}
	})
}
