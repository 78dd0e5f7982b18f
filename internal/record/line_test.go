package record

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/shape"
	"github.com/testamur/testamur/internal/standards"
)

// holding is a record of https://home.example with these credentials in it.
func holding(embedded ...string) []byte {
	return []byte(`{"id":"urn:r:1","name":"R","issuer":"https://home.example","validFrom":"2026-05-01T00:00:00Z","credentialSubject":{"id":"did:example:ada","verifiableCredential":[` +
		strings.Join(embedded, ",") + `]}}`)
}

// TestALineOfEveryForm reads what others may write: every form of the same
// credential that JSON-LD and the data models leave it is the same line.
func TestALineOfEveryForm(t *testing.T) {
	t.Parallel()
	plain := `{"@context":["https://www.w3.org/ns/credentials/v2","https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"],"id":"urn:c:1","type":["VerifiableCredential","AchievementCredential"],
		"name":"C","issuer":{"id":"https://aid.example","type":["Profile"]},"validFrom":"2026-01-02T00:00:00Z","validUntil":"2027-01-02T00:00:00Z",
		"evidence":[{"id":"https://aid.example/e","type":["Evidence"],"name":"E","narrative":"Seen."}],
		"credentialSubject":{"type":["AchievementSubject"],"creditsEarned":3,"result":[{"type":["Result"],"resultDescription":"urn:d:1","value":"A"}],
		"achievement":{"id":"urn:a:1","type":["Achievement"],"name":"First aid","description":"D","criteria":{"narrative":"N"},"humanCode":"FA1",
		"alignment":[{"type":["Alignment"],"targetName":"Bandage","targetUrl":"https://f.example/1"}],
		"resultDescription":[{"id":"urn:d:1","type":["ResultDescription"],"name":"Grade","resultType":"LetterGrade"}]}}}`
	credits := 3.0
	want := Line{CredentialID: "urn:c:1", Title: "First aid", Code: "FA1", Type: "Achievement", Credits: &credits, Grade: "A", Results: []ResultLine{{"Grade", "LetterGrade", "A"}}, Status: Earned,
		AwardedOn: "2026-01-02", ValidUntil: "2027-01-02", Issuer: Party{ID: "https://aid.example"}, Other: true, Competencies: []Aligned{{URI: "https://f.example/1", Name: "Bandage"}},
		Evidence: []EvidenceLine{{"https://aid.example/e", "E", "Seen."}}}
	change := func(pairs ...string) string {
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(plain, pairs[i]) {
				t.Fatalf("%s is not in it", pairs[i])
			}
		}
		return strings.NewReplacer(pairs...).Replace(plain)
	}
	for what, c := range map[string]string{
		"as the schema has it":     plain,
		"issuer by its id alone":   change(`{"id":"https://aid.example","type":["Profile"]}`, `"https://aid.example"`),
		"lists of one":             change(`"name":"C"`, `"name":["C"]`, `{"id":"https://aid.example","type":["Profile"]}`, `["https://aid.example"]`, `"creditsEarned":3`, `"creditsEarned":[3]`, `"name":"First aid"`, `"name":["First aid"]`),
		"one value for a list":     change(`[{"type":["Alignment"]`, `{"type":"Alignment"`, `"targetUrl":"https://f.example/1"}]`, `"targetUrl":"https://f.example/1"}`, `"type":["VerifiableCredential","AchievementCredential"]`, `"type":"AchievementCredential"`),
		"in several languages":     change(`"name":"First aid"`, `"name":{"de":"Erste Hilfe","en":"First aid"}`),
		"with its language":        change(`"name":"First aid"`, `"name":{"@value":"First aid","@language":"en"}`),
		"a context of its own":     change(`"https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"]`, `"https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json",{"Name":"https://x.example/Name"}],"Name":{"a":[1]}`),
		"of the data model 1.1":    change(`https://www.w3.org/ns/credentials/v2`, `https://www.w3.org/2018/credentials/v1`, "validFrom", "issuanceDate", "validUntil", "expirationDate"),
		"a picture by its address": change(`"humanCode"`, `"image":"https://aid.example/i.png","humanCode"`),
		"enveloped": fmt.Sprintf(`{"@context":"https://www.w3.org/ns/credentials/v2","type":"EnvelopedVerifiableCredential","id":"data:application/vc+jwt,e30.%s.AAAA"}`,
			base64.RawURLEncoding.EncodeToString([]byte(plain))),
	} {
		m, err := Read(holding(c), Frame{Headings: ByTerm})
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if len(m.Sections) != 1 || m.Sections[0].Kind != OtherIssuers || m.Issuer.ID != "https://home.example" {
			t.Errorf("%s: %+v", what, m)
			continue
		}
		if got := m.Sections[0].Lines[0]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v\n%+v", what, got, want)
		}
	}
}

// TestALineOfEveryOfficialExample holds the reading to the examples of the
// standard: each that its own rules pass is a line that says something.
func TestALineOfEveryOfficialExample(t *testing.T) {
	t.Parallel()
	read := 0
	for _, name := range append(standards.Glob(t, "examples/ob3/*.json"), standards.Glob(t, "examples/dcc/*.json")...) {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(openbadges.CheckDocument(raw, shape.Compact)) > 0 {
			continue
		}
		m, err := Read(holding(string(raw)), Frame{Headings: ByType})
		if err != nil || len(m.Sections) != 1 || m.Sections[0].Lines[0].Title == "" && !strings.Contains(name, "endorsement") || m.Sections[0].Lines[0].Issuer.ID == "" {
			t.Errorf("%s: %v %+v", name, err, m)
		}
		read++
	}
	if read < 8 {
		t.Errorf("%d examples", read)
	}
}

// FuzzLine: no form of a credential is an error, unless its JSON is.
func FuzzLine(f *testing.F) {
	f.Add([]byte(`{"issuer":[["x"]],"credentialSubject":[{"achievement":[{"name":{"en":["a"]}}],"result":[null,1,{"value":{}}]}],"evidence":["u",[]]}`))
	f.Add([]byte(`"text"`))
	f.Add([]byte(`{"type":"EnvelopedVerifiableCredential","id":"data:application/vc+jwt,e30.W10.AAAA"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, bad := jsonld.Read(raw); bad != nil {
			return
		}
		v, bad := jsonld.Read(holding(string(raw)))
		if bad != nil || clr.EmbeddedIn(v) == nil {
			return // it is too deep inside another, or an empty list
		}
		if m, err := Read(holding(string(raw)), Frame{}); err != nil || len(m.Sections) == 0 && !bytes.Contains(raw, []byte("ext:")) {
			t.Errorf("%s: %v %+v", raw, err, m)
		}
	})
}
