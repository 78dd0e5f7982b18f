package clr

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/shape"
)

// recordV1 is a record as the publishers of version 1.0 wrote them.
const recordV1 = `{"@context":"https://purl.imsglobal.org/spec/clr/v1p0/context/clr_v1p0.jsonld","id":"urn:uuid:c0000000-0000-4000-8000-000000000001",
"type":"Clr","issuedOn":"2021-06-01T00:00:00Z","name":"Transcript","partial":true,
"learner":{"id":"urn:uuid:c0000000-0000-4000-8000-0000000000aa","type":"Profile","name":"Ada","studentId":"S1","sourcedId":"src-1","email":"ada@x.example"},
"publisher":{"id":"https://u.example","type":"Profile","name":"U","telephone":"1","address":{"addressCountry":"US"},"identifiers":[{"identifier":"003","identifierType":"OPEID"}]},
"assertions":[{"id":"urn:uuid:c0000000-0000-4000-8000-000000000002","type":"Assertion","issuedOn":"2021-05-01T00:00:00Z","creditsEarned":3.5,"term":"F20",
  "recipient":{"type":"id","identity":"x","hashed":false},"evidence":["https://x.example/e"],"source":{"id":"https://dept.example","name":"Dept"},
  "results":[{"resultDescription":"urn:uuid:c0000000-0000-4000-8000-0000000000d1","value":"A"},{"status":"Done"}],
  "achievement":{"id":"urn:uuid:c0000000-0000-4000-8000-0000000000b1","name":"Course 1","achievementType":"Co-Curricular","requirement":{"narrative":"Pass."},
    "issuer":{"id":"https://dept.example","name":"Dept"},"identifiers":[{"identifier":"C1","identifierType":"sourcedId"}],"tags":["a"],
    "alignments":[{"targetName":"T","targetUrl":"https://x.example/t","frameworkName":"F"}],
    "associations":[{"associationType":"isChildOf","targetId":"urn:uuid:c0000000-0000-4000-8000-0000000000b2","title":"Degree"},{"associationType":"exemplar","targetId":"urn:uuid:c0000000-0000-4000-8000-0000000000b2","title":"Degree"}],
    "resultDescriptions":[{"id":"urn:uuid:c0000000-0000-4000-8000-0000000000d1","name":"Grade","resultType":"LetterGrade","allowedValues":["B","A"],
      "rubricCriterionLevels":[{"id":"urn:uuid:c0000000-0000-4000-8000-0000000000e1","name":"L","points":"3"}]}]}}],
"achievements":[{"id":"urn:uuid:c0000000-0000-4000-8000-0000000000b2","name":"Degree","achievementType":"Odd type"}],
"signedAssertions":["TOKEN"]}`

func v1Record() string {
	payload := `{"id":"urn:uuid:c0000000-0000-4000-8000-000000000003","issuedOn":"2021-05-02T00:00:00Z","revoked":true,"revocationReason":"Error.",
		"achievement":{"id":"urn:uuid:c0000000-0000-4000-8000-0000000000b1","name":"Course 1","associations":[{"associationType":"precedes","targetId":"urn:x:1"}]}}`
	return strings.Replace(recordV1, "TOKEN", "e30."+base64.RawURLEncoding.EncodeToString([]byte(payload))+".c2ln", 1)
}

func TestRecordsOfVersion1(t *testing.T) {
	v := read(t, []byte(v1Record()))
	if !IsV1(v) || IsRecord(v) {
		t.Error("it is not known as version 1.0")
	}
	records, problems := ReadV1(v)
	if len(problems) > 0 || len(records) != 1 || len(records[0].Credentials) != 2 {
		t.Fatalf("%v %v", records, problems)
	}
	i := records[0]
	a, b := i.Credentials[0], i.Credentials[1]
	s := a.Credential.CredentialSubject
	if !i.Record.Partial || i.Record.Issuer.Phone != "1" || i.Record.Issuer.OtherIdentifier[0].IdentifierType != "ext:OPEID" || len(s.Identifier) != 4 {
		t.Errorf("%+v", i.Record)
	}
	if s.Achievement.AchievementType != "CoCurricular" || s.Achievement.Creator.ID != "https://dept.example" || s.Source.Name != "Dept" || s.Result[1].Value != "Done" ||
		s.Achievement.ResultDescription[0].RubricCriterionLevel[0].Points != "3" || *s.CreditsEarned != 3.5 || s.Achievement.Alignment[0].TargetFramework != "F" {
		t.Errorf("%+v", s)
	}
	if a.Signed || !b.Signed || !b.Revoked || b.Reason != "Error." || !json.Valid(a.Bytes) {
		t.Errorf("%+v", b)
	}
	links := i.Record.CredentialSubject.Association
	if len(links) != 2 || links[1].AssociationType != "isRelatedTo" || links[0].SourceID != "urn:uuid:c0000000-0000-4000-8000-0000000000b1" {
		t.Errorf("the associations of an achievement are told once, and those of no type of 2.0 as isRelatedTo: %+v", links)
	}
	if len(i.Notes) != 3 {
		t.Errorf("%q", i.Notes)
	}
	// What was read can be issued.
	for _, c := range i.Credentials {
		raw, err := openbadges.Compose(c.Credential)
		if err != nil {
			t.Fatal(err)
		}
		if p := openbadges.CheckDocument(raw, shape.Canonical); len(p) > 0 {
			t.Errorf("%v", p)
		}
		i.Record.CredentialSubject.VerifiableCredential = append(i.Record.CredentialSubject.VerifiableCredential, raw)
	}
	raw, err := Compose(i.Record)
	if err != nil {
		t.Fatal(err)
	}
	if p := rules(all(read(t, raw), shape.Canonical)); len(p) > 0 {
		t.Errorf("%v", p)
	}
}

func TestASetOfVersion1(t *testing.T) {
	token := "e30." + base64.RawURLEncoding.EncodeToString([]byte(v1Record())) + ".c2ln"
	got, problems := ReadV1(read(t, []byte(`{"type":"ClrSet","clrs":[`+v1Record()+`],"signedClrs":["`+token+`"]}`)))
	if len(problems) > 0 || len(got) != 2 {
		t.Errorf("%d %v", len(got), problems)
	}
}

func TestVersion1IsCheckedByClause(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{`"learner"`, `"student"`, "learner required"},
		{`"exemplar"`, `"resembles"`, "assertions.0.achievement.associations.1.associationType association-type"},
		{`"2021-05-01T00:00:00Z"`, `"2021"`, "assertions.0.issuedOn instant"},
	} {
		_, problems := ReadV1(read(t, []byte(strings.Replace(v1Record(), c.old, c.new, 1))))
		if !slices.Contains(rules(problems), c.want) {
			t.Errorf("%s: %v", c.new, problems)
		}
	}
}

func FuzzReadV1(f *testing.F) {
	f.Add([]byte(v1Record()))
	f.Add([]byte(`{"type":"ClrSet","clrs":{"id":"urn:a:b"},"signedClrs":"a.b.c"}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		v, err := jsonld.Read(doc)
		if err != nil {
			return
		}
		got, problems := ReadV1(v)
		if len(problems) > 0 && len(got) > 0 {
			t.Error("a record with problems was imported")
		}
		for _, i := range got {
			for _, c := range i.Credentials {
				if c.Credential.ID == "" || c.Credential.CredentialSubject.Achievement.Criteria == nil {
					t.Errorf("%+v", c)
				}
			}
		}
	})
}
