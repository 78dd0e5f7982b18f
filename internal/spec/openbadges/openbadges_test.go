package openbadges

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/testamur/testamur/internal/standards"
)

func whole() Credential {
	credits, earned := 3.0, 3.5
	level := "https://x.example/a#l1"
	return Credential{
		ID: "https://x.example/c/1", Name: "Sourcing data", ValidFrom: "2026-05-22T00:00:00Z", AwardedDate: "2026-05-22T00:00:00Z",
		Issuer: Profile{ID: "did:web:x.example", Type: List[string]{"Profile"}, Name: "X", Email: "x@x.example",
			Address: &Address{Type: List[string]{"Address"}, AddressCountryCode: "US"}},
		CredentialSubject: Subject{ID: "urn:uuid:0f6b5b0a-3a5e-4d7e-9b1a-000000000001", Type: List[string]{"AchievementSubject"}, CreditsEarned: &earned,
			Term: "Fall 2025", Narrative: "Did it.", Identifier: List[IdentityObject]{{Type: "IdentityObject", IdentityHash: "Ada", IdentityType: "name"}},
			Result: List[Result]{{Type: List[string]{"Result"}, ResultDescription: "https://x.example/a#r", AchievedLevel: level}},
			Achievement: Achievement{ID: "https://x.example/a", Type: List[string]{"Achievement"}, AchievementType: "Competency", Name: "Sourcing data",
				Description: "Finds data.", Criteria: &Criteria{Narrative: "By rubric."}, CreditsAvailable: &credits, InLanguage: "en",
				Alignment: List[Alignment]{{Type: List[string]{"Alignment"}, TargetName: "A.1", TargetURL: "https://x.example/i", TargetType: "CFItem"}},
				ResultDescription: List[ResultDescription]{{ID: "https://x.example/a#r", Type: List[string]{"ResultDescription"}, Name: "Level",
					ResultType: "RubricCriterionLevel", RequiredLevel: level,
					RubricCriterionLevel: List[RubricCriterionLevel]{{ID: level, Type: List[string]{"RubricCriterionLevel"}, Name: "Proficient"}}}}}},
		Evidence: List[Evidence]{{ID: "https://x.example/e", Type: List[string]{"Evidence"}, Name: "Report"}},
	}
}

func schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(standards.Read(t, name)))
	if err != nil {
		t.Fatal(err)
	}
	delete(doc.(map[string]any), "$id")
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2019)
	c.AssertFormat()
	if err := c.AddResource("mem:///s.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mem:///s.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestComposedCredentialFitsTheOfficialSchema(t *testing.T) {
	raw, err := Compose(whole())
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema(t, "schemas/ob3/ob_v3p0_achievementcredential_schema.json").Validate(v); err != nil {
		t.Errorf("%#v\n%s", err, raw)
	}
}

// TestEnumerationsAreTheOfficialOnes holds our lists equal to the schema's.
func TestEnumerationsAreTheOfficialOnes(t *testing.T) {
	var s map[string]any
	if err := json.Unmarshal(standards.Read(t, "schemas/ob3/ob_v3p0_achievementcredential_schema.json"), &s); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if e, ok := v["enum"].([]any); ok {
				var words []string
				for _, w := range e {
					words = append(words, w.(string))
				}
				found[strings.Join(words, " ")] = true
			}
			for _, c := range v {
				walk(c)
			}
		case []any:
			for _, c := range v {
				walk(c)
			}
		}
	}
	walk(s)
	for _, ours := range [][]string{achievementTypes, targetTypes, resultTypes, statuses, identifierTypes} {
		if !found[strings.Join(ours, " ")] {
			t.Errorf("no enumeration of the schema is %v", ours)
		}
	}
}

func TestParseAchievementRoundTrips(t *testing.T) {
	want := whole().CredentialSubject.Achievement
	raw, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, problems := ParseAchievement(raw)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestParseBadgeClass(t *testing.T) {
	got, problems := ParseAchievement([]byte(`{"@context":"https://w3id.org/openbadges/v2","type":"BadgeClass","id":"https://x.example/b","name":"Tutor",
		"description":"Tutors.","image":"https://x.example/b.png","criteria":"https://x.example/c","issuer":"https://x.example/i",
		"tags":["peer"],"alignment":[{"targetName":"F.2","targetUrl":"https://x.example/f2","targetCode":"F2"}]}`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if got.AchievementType != "Badge" || got.Criteria.ID != "https://x.example/c" || got.Image.ID != "https://x.example/b.png" || got.Tag[0] != "peer" || got.Alignment[0].TargetCode != "F2" {
		t.Errorf("%+v", got)
	}
}

func TestBadDefinitionsNameTheField(t *testing.T) {
	raw, err := json.Marshal(whole().CredentialSubject.Achievement)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, field, rule string }{
		{`"name":"Sourcing data"`, `"name":" "`, "name", "required"},
		{`"Competency"`, `"Skill"`, "achievementType", "achievement-type"},
		{`"narrative":"By rubric."`, `"narrative":""`, "criteria", "criteria"},
		{`"https://x.example/i"`, `"/i"`, "alignment.0.targetUrl", "uri"},
		{`"requiredLevel":"https://x.example/a#l1"`, `"requiredLevel":"x"`, "resultDescription.0.requiredLevel", "level-known"},
		{`"inLanguage":"en"`, `"inLanguage":"English"`, "inLanguage", "language"},
		{`"inLanguage":"en"`, `"colour":"red"`, "colour", "unknown-member"},
		{`"inLanguage":"en"`, `"inLanguage":7`, "inLanguage", "type"},
		{`["Achievement"]`, `["Profile"]`, "type", "type"},
		{`{`, `[`, "", "json"},
	} {
		text := strings.Replace(string(raw), c.old, c.new, 1)
		if text == string(raw) {
			t.Fatalf("%s does not occur", c.old)
		}
		_, problems := ParseAchievement([]byte(text))
		if len(problems) == 0 || !strings.HasSuffix(problems[0].Field, c.field) || problems[0].Rule != c.rule {
			t.Errorf("%s: %v, want %s %s", c.new, problems, c.field, c.rule)
		}
	}
}

func TestResultsFitTheirDescription(t *testing.T) {
	a := whole().CredentialSubject.Achievement
	a.ResultDescription = append(a.ResultDescription,
		ResultDescription{ID: "p", Name: "Percent", ResultType: "Percent", ValueMin: "0", ValueMax: "100"},
		ResultDescription{ID: "g", Name: "Grade", ResultType: "LetterGrade", AllowedValue: List[string]{"C", "B", "A"}})
	for _, c := range []struct {
		r    Result
		rule string
	}{
		{Result{ResultDescription: "p", Value: "99.5"}, ""},
		{Result{ResultDescription: "p", Value: "101"}, "value-range"},
		{Result{ResultDescription: "p", Value: "many"}, "value-range"},
		{Result{ResultDescription: "g", Value: "A"}, ""},
		{Result{ResultDescription: "g", Value: "E"}, "value-allowed"},
		{Result{ResultDescription: "https://x.example/a#r", AchievedLevel: "https://x.example/a#l1"}, ""},
		{Result{ResultDescription: "https://x.example/a#r", AchievedLevel: "l9"}, "level-known"},
		{Result{ResultDescription: "nothing", Value: "1"}, "description-known"},
		{Result{Status: "Done"}, "status"},
		{Result{Status: "Completed"}, ""},
		{Result{}, "required"},
	} {
		got := ""
		if p := CheckResult(a, c.r); len(p) > 0 {
			got = p[0].Rule
		}
		if got != c.rule {
			t.Errorf("%+v: %q, want %q", c.r, got, c.rule)
		}
	}
}

func FuzzParseAchievement(f *testing.F) {
	raw, err := json.Marshal(whole().CredentialSubject.Achievement)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"type":"BadgeClass","criteria":{"narrative":"x"},"image":{"id":"x"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if a, problems := ParseAchievement(raw); len(problems) == 0 && (a.Name == "" || a.Criteria == nil) {
			t.Errorf("accepted %q", raw)
		}
	})
}
