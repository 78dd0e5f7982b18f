package jsonld

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/testamur/testamur/internal/standards"
)

// mutator changes a document at random while it stays JSON.
type mutator struct{ *rand.Rand }

// words are texts of many scripts, and what canonicalizers trip over. Controls
// that json-gold leaves unescaped are not among them; TestFeatures has those.
var words = []string{
	"", "Ada", "Zoë Ångström", "李小龍", "محمد", "שלום עולם", "\u202eabc", "👩‍🎓🏽", "e\u0301", "\u00e9",
	"a\"b\\c", "line\nline\r", "\u0080", "\u2028\u2029", "urn:x", "https://example.org/é?q=1#f",
	"did:key:z6Mk", "true", "3.50", "2026-01-01T00:00:00Z", "@", "_:x", "a:b", "\U0001F600 <b>&amp;</b>",
}

func (m mutator) word() string { return words[m.IntN(len(words))] }

func (m mutator) scalar() any {
	switch m.IntN(5) {
	case 0:
		return float64(m.IntN(2000)-1000) / []float64{1, 2, 7, 1000}[m.IntN(4)]
	case 1:
		return m.IntN(2) == 0
	default:
		return m.word()
	}
}

// change returns a value with some of its parts changed.
func (m mutator) change(v any) any {
	switch m.IntN(40) {
	case 0:
		return []any{v}
	case 1:
		return []any{v, v}
	case 2:
		return []any{[]any{v}, []any{}}
	}
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			switch {
			case k == "@context" || k == "type" || k == "@type":
				out[k] = x
			case m.IntN(25) == 0 && k != "id":
			case k == "id":
				if m.IntN(12) > 0 {
					out[k] = x
				}
			default:
				out[k] = m.change(x)
			}
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, x := range v {
			out = append(out, m.change(x))
		}
		m.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
		return out
	}
	if m.IntN(6) == 0 {
		return m.scalar()
	}
	return v
}

// TestAgreesWithJSONGold changes credentials at random: what we accept, json-gold
// must canonicalize to the same bytes.
func TestAgreesWithJSONGold(t *testing.T) {
	gold := peer(t)
	rnd := mutator{rand.New(rand.NewPCG(11, 12))}
	seeds := [][]byte{[]byte(badge(1)), []byte(badge(2)), transcript(1), transcript(2)}
	for _, f := range standards.Glob(t, "examples/ob3/*.json") {
		if doc, err := os.ReadFile(f); err == nil {
			if _, err := Canonize(doc); err == nil {
				seeds = append(seeds, doc)
			}
		}
	}
	rounds := 1500
	if testing.Short() {
		rounds = 150
	}
	accepted := 0
	for i := range rounds {
		var doc any
		if err := json.Unmarshal(seeds[i%len(seeds)], &doc); err != nil {
			t.Fatal(err)
		}
		in, err := json.Marshal(rnd.change(doc))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Canonize(in)
		if err != nil {
			var refusal *Error
			if !errors.As(err, &refusal) {
				t.Fatalf("%v\n%s", err, in)
			}
			continue
		}
		accepted++
		want, err := gold(in)
		if err != nil {
			t.Errorf("json-gold refuses what we accept: %v\n%s", err, in)
			continue
		}
		if string(got) != distinct(want) {
			t.Fatalf("%s\n%s", in, cmp.Diff(want, string(got)))
		}
	}
	if accepted < rounds/4 {
		t.Errorf("only %d of %d changed documents were accepted", accepted, rounds)
	}
}

// distinct drops repeated lines: json-gold keeps a statement twice when two
// values that differ as JSON-LD are the same in RDF (1 and "1" as a float). A
// dataset is a set.
func distinct(nquads string) string {
	var out []string
	for line := range strings.Lines(nquads) {
		if len(out) == 0 || out[len(out)-1] != line {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

// TestExamples walks the published examples: those that say something undefined
// are listed with the term at fault, all others agree with json-gold.
func TestExamples(t *testing.T) {
	gold := peer(t)
	agreed := 0
	for _, dir := range []string{"ob3", "clr2", "w3c", "dcc", "ob2"} {
		for _, f := range standards.Glob(t, "examples/"+dir+"/*.json") {
			doc, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			name := dir + "/" + filepath.Base(f)
			got, err := Canonize(doc)
			var refusal *Error
			switch {
			case errors.As(err, &refusal):
				if want, ok := refusedExamples[name]; !ok || want != fmt.Sprintf("%s %s", refusal.Code, refusal.Term) {
					t.Errorf("%q: %q,", name, fmt.Sprintf("%s %s", refusal.Code, refusal.Term))
				}
			case err != nil:
				t.Errorf("%s: %v", name, err)
			case presentations[name] != "":
				if sum := fmt.Sprintf("%x", sha256.Sum256(got)); sum != presentations[name] {
					t.Errorf("%s: %s", name, sum)
				}
			default:
				want, err := gold(doc)
				if err != nil {
					t.Errorf("%s: json-gold: %v", name, err)
				} else if diff := cmp.Diff(distinct(want), string(got)); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
				agreed++
			}
		}
	}
	if agreed < 40 {
		t.Errorf("only %d examples were compared", agreed)
	}
}

// refusedExamples are the published examples that cannot be signed as they are.
var refusedExamples = map[string]string{
	"ob3/impl-extensions-0.json":                "unsigned-value ",
	"ob3/impl-getting-started-0.json":           "undefined-term publicKeyMultibase",
	"ob3/impl-getting-started-2.json":           "undefined-term achievementType",
	"ob3/impl-migrating-2.json":                 "undefined-term alsoKnownAs",
	"ob3/impl-recommended-2.json":               "undefined-term credentialSubject",
	"ob3/impl-recommended-4.json":               "undefined-term credentialSubject",
	"ob3/spec-equality-0.json":                  "unknown-context https://www.w3.org/2018/credentials/examples/v2",
	"ob3/spec-equality-2.json":                  "unknown-context https://www.w3.org/2018/credentials/examples/v2",
	"ob3/spec-readme.json":                      "unknown-context https://www.w3.org/2018/credentials/examples/v2",
	"ob3/validator-simple-multiple-proofs.json": "undefined-term created",
	"ob3/validator-simple.jwt.json":             "undefined-term compactJws",
	"ob3/vector-eddsa-rdfc-2022-ob.json":        "undefined-term description",
	"clr2/validator-simple.jwt.json":            "undefined-term compactJws",
	"dcc/test-files-example-credentials-unsigned-degree-mock-tec-de-monterrey-bachelors-credential-template.json": "undefined-type SvgRenderingTemplate2023",
	"dcc/test-files-example-credentials-unsigned-render-method-tec-de-monterrey-unsigned-html-template.json":      "undefined-type SvgRenderingTemplate2023",
	"dcc/test-files-example-credentials-unsigned-svg-templates-tec-de-monterrey-pdf-sample-2-svg.json":            "undefined-type SvgRenderingTemplate2023",
	"dcc/test-files-signed-example-credentials-svg-templates-tec-de-monterrey-pdf-sample-1-svg-signed.json":       "undefined-type SvgRenderingTemplate2023",
	"ob2/baked-simple-badge.png.json": "undefined-term mediaType",
	"ob2/ob21-02.json":                "undefined-term status",
	"ob2/ob21-04.json":                "undefined-term status",
	"ob2/ob21-06.json":                "undefined-term status",
	"ob2/spec-15-object.json":         "invalid-value ",
	"ob2/spec-ext-00.json":            "unknown-context https://openbadgespec.org/extensions/exampleExtension/context.json",
	"ob2/spec-ext-02.json":            "undefined-term name",
	"ob2/spec-ext-04.json":            "unknown-context https://openbadgespec.org/extensions/originalCreatorExtension/context.json",
}

// presentations are the examples that json-gold reads otherwise: it puts what
// stands in a graph container with a context of its own into the default graph.
// The SHA-256 of their canonical forms is that of jsonld.js.
var presentations = map[string]string{
	"w3c/verifiable-presentation-example-2.json":  "9c3673f5e5528b225e352a35217a7de90a6eeea033a121bb4441cf99fa081f45",
	"w3c/verifiable-presentation-example-45.json": "d4a1114931bb764dd70397d29a877de7ec3043e1f1a99cdde1ca926e56c785d6",
}
