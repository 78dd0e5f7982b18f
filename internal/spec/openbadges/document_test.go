package openbadges

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/testamur/testamur/internal/spec/shape"
	"github.com/testamur/testamur/internal/standards"
)

// example is an official document, out of its wrapping where it has one.
func example(t testing.TB, name string) []byte {
	t.Helper()
	raw := standards.Read(t, "examples/"+name)
	var w map[string]json.RawMessage
	if err := json.Unmarshal(raw, &w); err != nil {
		t.Fatal(err)
	}
	for _, member := range []string{"signedCredential", "payload"} {
		if inner, ok := w[member]; ok {
			return inner
		}
	}
	return raw
}

func rules(all []Problem) []string {
	var out []string
	for _, p := range all {
		out = append(out, p.Field+" "+p.Rule)
	}
	return out
}

// TestOfficialExamples holds what is said of every official example.
func TestOfficialExamples(t *testing.T) {
	bad := map[string]string{ // the first thing wrong; others have nothing
		"ob3/impl-extensions-0.json":      "type type", // parts of documents, printed in the guide
		"ob3/impl-getting-started-0.json": "type type",
		"ob3/impl-migrating-0.json":       "type type",
		"ob3/impl-recommended-2.json":     "type type",
		"ob3/impl-recommended-4.json":     "type type",
		// The guide writes a type of identifier and an empty type that the standard does not know.
		"ob3/impl-getting-started-2.json":                            "credentialSubject.identifier.identityType identifier-type",
		"ob3/spec-readme.json":                                       "credentialSubject.type required", // abbreviated
		"ob3/validator-bitstring-list-testlist.json":                 "type type",                       // a status list
		"ob3/validator-simple.jwt.json":                              "type type",                       // a token
		"ob3/err/simple-err-context.json":                            "@context context",
		"ob3/err/simple-err-issuer.json":                             "issuer required",
		"ob3/err/simple-err-type.json":                               "type type",
		"ob3/err/simple-err-issued.json":                             "credentialSubject.achievement required", // and it lies in the future
		"ob3/err/simple-err-evidence-type.json":                      "evidence.1.type type",
		"ob3/err/simple-err-issuer-parentorg-type.json":              "issuer.parentOrg.type type",
		"ob3/err/simple-err-credential-subject-identifier-type.json": "credentialSubject.identifier.0.type type",
		"ob3/err/simple-err-credential-subject-result-type.json":     "credentialSubject.result.1.type type",
	}
	// Their form is right; what is wrong is the key, which verifying finds.
	keys := []string{"ob3/err/simple-err-proof-method.json", "ob3/err/simple-err-proof-method-unknown-did-method.json"}
	for _, pattern := range []string{"ob3/*.json", "ob3/err/*.json"} {
		for _, f := range standards.Glob(t, "examples/"+pattern) {
			name := strings.TrimSuffix(pattern, "*.json") + filepath.Base(f)
			got := rules(CheckDocument(example(t, name), shape.Compact))
			want := bad[name]
			if want == "" && len(got) > 0 || want != "" && !slices.Contains(got, want) {
				t.Errorf("%s: %v, want %q", name, got, want)
			}
			if strings.Contains(name, "/err/") && want == "" && !slices.Contains(keys, name) {
				t.Errorf("%s is accepted", name)
			}
		}
	}
}

// TestIssuedByTheDCC reads the samples of the Digital Credentials Consortium:
// their unsigned templates name nobody yet and write images as addresses.
func TestIssuedByTheDCC(t *testing.T) {
	template := []string{"issuer.image object", "credentialSubject.id recipient"}
	for _, f := range standards.Glob(t, "examples/dcc/*.json") {
		name := filepath.Base(f)
		got := rules(CheckDocument(example(t, "dcc/"+name), shape.Compact))
		signed := strings.Contains(name, "signed-example") && !strings.Contains(name, "unsigned")
		switch {
		case signed && len(got) > 0:
			t.Errorf("%s: %v", name, got)
		case !signed && len(got) > 0 && !slices.Contains(got, template[1]):
			t.Errorf("%s: %v", name, got)
		}
	}
}

// judge is an official schema.
type judge struct {
	name   string
	schema *jsonschema.Schema
	form   shape.Form
}

// TestTheSchemasAreNotKinder changes documents that fit and holds our verdict
// against that of the official schemas: whatever they refuse is refused. What
// we refuse beyond them is named by rule.
func TestTheSchemasAreNotKinder(t *testing.T) {
	judges := []judge{
		{"canonical", schema(t, "schemas/ob3/ob_v3p0_achievementcredential_schema.json"), shape.Canonical},
		{"compact", schema(t, "schemas/ob3/json-ld-variant/ob_v3p0_achievementcredential_schema.json"), shape.Compact},
	}
	// Rules of the text of the standard that the schemas do not write down.
	beyond := []string{"uri", "description-known", "level-known", "value-allowed", "value-range", "recipient", "date-order", "required", "id-once", "context", "null", "type"}
	kinder := map[string]int{}
	n := 0
	for _, name := range []string{"ob3/spec-fullOpenBadge.json", "ob3/spec-skillAssertionCtdl.json"} {
		var doc any
		if err := json.Unmarshal(example(t, name), &doc); err != nil {
			t.Fatal(err)
		}
		each(doc, func(what string, changed any) {
			raw, err := json.Marshal(changed)
			if err != nil {
				t.Fatal(err)
			}
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			n++
			for _, j := range judges {
				if j.form == shape.Compact && n%40 != 0 {
					continue // this schema is slow
				}
				problems := CheckDocument(raw, j.form)
				refused := j.schema.Validate(v) != nil
				if refused && len(problems) == 0 && !tolerated(what) {
					t.Errorf("%s, %s: %s: the schema refuses it and we do not", name, j.name, what)
				}
				if !refused && len(problems) > 0 {
					if !slices.Contains(beyond, problems[0].Rule) {
						t.Errorf("%s, %s: %s: %v, and the schema takes it", name, j.name, what, problems)
					}
					kinder[problems[0].Rule]++
				}
			}
		}, doc)
	}
	if n < 2000 || kinder["recipient"] == 0 {
		t.Errorf("%d changes, beyond the schemas %v", n, kinder)
	}
}

// tolerated are readings of JSON-LD that mean the same: a list of one, and a
// list of statuses, which VCDM 2.0 allows.
func tolerated(what string) bool {
	return strings.HasSuffix(what, "as a list of one") || strings.HasSuffix(what, "/creditsEarned as a list of numbers") || strings.HasSuffix(what, "/credentialStatus as an empty list") ||
		strings.HasSuffix(what, "/domain as an empty list")
}

// each hands on every document that differs in one place: a member taken out, or
// its value exchanged.
func each(doc any, hand func(string, any), root any) {
	var walk func(v any, path string)
	walk = func(v any, path string) {
		switch v := v.(type) {
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) { // in order: the sample is the same each time
				old, at := v[k], path+"/"+k
				delete(v, k)
				hand(at+" taken out", root)
				others := map[string]any{"null": nil, "a number": 1.5, "a word": "zzz", "an object": map[string]any{"x": "y"},
					"an empty list": []any{}, "a list of one": []any{old}, "true": true, "a list of numbers": []any{1.0}}
				for _, what := range slices.Sorted(maps.Keys(others)) {
					v[k] = others[what]
					hand(at+" as "+what, root)
				}
				v[k] = old
				walk(old, at)
			}
		case []any:
			for i, e := range v {
				walk(e, fmt.Sprintf("%s/%d", path, i))
			}
		}
	}
	walk(doc, "")
}
