package imscase

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/testamur/testamur/internal/standards"
)

// verdicts are what becomes of each official example: "" is imported, else the
// rule that refuses it.
var verdicts = map[string]string{
	"v1p0-opensalt-AdoptedTestFramework.json": "",
	"v1p0-opensalt-MarkdownFramework.json":    "",
	"v1p0-opensalt-Ordering.json":             "",
	"v1p0-opensalt-Utf8TestFramework.json":    "",
	"v1p0-opensalt-sample-framework.json":     "",
	"v1p1-implguide-351237.json":              "",
	"v1p1-implguide-371996.json":              "case-required-member",
	"v1p1-implguide-390610.json":              "case-package",
	"v1p1-implguide-583296.json":              "case-package",
	"v1p1-implguide-875109.json":              "case-package",
}

func TestOfficialExamples(t *testing.T) {
	files := standards.Glob(t, "examples/case/*.json")
	if len(files) != len(verdicts) {
		t.Errorf("%d examples, %d verdicts", len(files), len(verdicts))
	}
	for _, f := range files {
		name := filepath.Base(f)
		t.Run(name, func(t *testing.T) {
			data := standards.Read(t, "examples/case/"+name)
			pkg, err := Read(bytes.NewReader(data), Sink{})
			want, known := verdicts[name]
			if !known {
				t.Fatalf("no verdict for this example; reading it gives %v", err)
			}
			var refused *Refused
			switch {
			case want == "" && err != nil:
				t.Error(err)
			case want != "" && (!errors.As(err, &refused) || !slices.ContainsFunc(refused.Violations, func(v Violation) bool { return v.Rule == want })):
				t.Errorf("got %v, want %s", err, want)
			}
			if allowed := schemaAllows(t, pkg.Version, data); allowed != (want == "" && pkg.Liberties == nil) {
				t.Errorf("the official schema of %s says allowed=%v, the verdict is %q", pkg.Version, allowed, want)
			}
		})
	}
}

// schemaAllows asks the official schema of a version, with formats asserted.
func schemaAllows(t *testing.T, version string, data []byte) bool {
	t.Helper()
	name := "schemas/case/case-v1p0-cfpackage-schema.json"
	if version == V11 {
		name = "schemas/case/json-schema/case_v1p1_cfpackage-jsonschema1.json"
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(standards.Read(t, name)))
	if err != nil {
		t.Fatal(err)
	}
	delete(doc.(map[string]any), "$id")
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.DefaultDraft(jsonschema.Draft2019)
	if err := c.AddResource("mem:///case.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mem:///case.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return false
	}
	err = s.Validate(v)
	if err != nil {
		t.Logf("schema: %.300v", err)
	}
	return err == nil
}

// gather reads a package into memory and writes it again.
func gather(t *testing.T, data []byte) []byte {
	t.Helper()
	var items, links, rubrics []json.RawMessage
	pkg, err := Read(bytes.NewReader(data), Sink{
		Item:        func(i Item) error { items = append(items, i.Raw); return nil },
		Association: func(a Association) error { links = append(links, a.Raw); return nil },
		Rubric:      func(r Rubric) error { rubrics = append(rubrics, r.Raw); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	p := Parts{Document: pkg.Document.Raw, Items: seq(items), Associations: seq(links), Definitions: pkg.Definitions, Extensions: pkg.Extensions}
	if rubrics != nil {
		p.Rubrics = seq(rubrics)
	}
	if err := Write(&out, p); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func seq(all []json.RawMessage) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		for _, raw := range all {
			if !yield(raw, nil) {
				return
			}
		}
	}
}

func TestWhatComesInGoesOutEqual(t *testing.T) {
	for name, verdict := range verdicts {
		if verdict != "" {
			continue
		}
		data := standards.Read(t, "examples/case/"+name)
		var before, after any
		if err := json.Unmarshal(data, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(gather(t, data), &after); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(before, after) {
			t.Errorf("%s changed on its way", name)
		}
	}
}

const good = `{"CFDocument":{"identifier":"0f6b5b0a-3a5e-4d7e-9b1a-000000000001","uri":"https://x.example/d","creator":"X","title":"T",
	"lastChangeDateTime":"2026-01-01T00:00:00Z","caseVersion":"1.1"},
	"CFItems":[{"identifier":"0f6b5b0a-3a5e-4d7e-9b1a-000000000002","uri":"https://x.example/i","fullStatement":"S","lastChangeDateTime":"2026-01-01T00:00:00Z"}]}`

func TestEachRuleHasItsName(t *testing.T) {
	if _, err := Read(strings.NewReader(good), Sink{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, rule string }{
		{`"fullStatement":"S"`, `"fullStatement":7`, "case-text"},
		{`"fullStatement":"S",`, ``, "case-required-member"},
		{`000000000002"`, `00000000000Z"`, "case-identifier-pattern"},
		{`0f6b5b0a-3a5e-4d7e-9b1a-000000000002`, `0f6b5b0a-3a5e-7d7e-9b1a-000000000002`, "case-identifier-pattern"},
		{`0f6b5b0a-3a5e-4d7e-9b1a-000000000002","uri"`, `0f6b5b0a-3a5e-4d7e-9b1a-000000000002","colour":"red","uri"`, "case-unknown-member"},
		{`"caseVersion":"1.1"`, `"caseVersion":"2.0"`, "case-version"},
		{`"uri":"https://x.example/i"`, `"uri":"not a uri"`, "case-uri"},
		{`"title":"T"`, `"title":"T","statusStartDate":"soon"`, "case-date"},
		{`"title":"T"`, `"title":"T","subject":"one"`, "case-list"},
		{`"CFItems":[`, `"CFItems":[5,`, "case-object"},
		{`"CFItems":[`, `"CFStuff":[],"CFItems":[`, "case-unknown-member"},
		{`}]}`, `}]`, "json"},
		{`}]}`, `}]}{}`, "case-package"},
		{`"CFItems":[`, `"CFItems":[],"CFItems":[`, "case-package"},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if text == good {
			t.Fatalf("%q does not occur", c.old)
		}
		_, err := Read(strings.NewReader(text), Sink{})
		var refused *Refused
		if !errors.As(err, &refused) || refused.Violations[0].Rule != c.rule {
			t.Errorf("%s: %v, want %s", c.new, err, c.rule)
		}
	}
}

func TestSinkErrorsComeBack(t *testing.T) {
	stop := errors.New("stop")
	if _, err := Read(strings.NewReader(good), Sink{Item: func(Item) error { return stop }}); !errors.Is(err, stop) {
		t.Error(err)
	}
	if _, err := Read(io.MultiReader(strings.NewReader(good[:200]), failing{stop}), Sink{}); !errors.Is(err, stop) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// generate writes a package of n items and as many associations.
func generate(w io.Writer, n int) {
	id := func(kind, i int) string { return fmt.Sprintf("%08d-%04d-4000-8000-%012d", kind, kind, i) }
	fmt.Fprintf(w, `{"CFDocument":{"identifier":%q,"uri":"https://x.example/d","creator":"X","title":"T","lastChangeDateTime":"2026-01-01T00:00:00Z","caseVersion":"1.1"},"CFItems":[`, id(1, 0))
	for i := range n {
		fmt.Fprintf(w, `%s{"identifier":%q,"uri":"https://x.example/i/%d","fullStatement":"Explains, with evidence, statement number %d of a framework that is as long as frameworks are.","humanCodingScheme":"A.%d","CFItemType":"Competency","educationLevel":["09","10"],"lastChangeDateTime":"2026-01-01T00:00:00Z"}`,
			comma(i), id(2, i), i, i, i)
	}
	fmt.Fprint(w, `],"CFAssociations":[`)
	for i := range n {
		fmt.Fprintf(w, `%s{"identifier":%q,"uri":"https://x.example/a/%d","associationType":"isChildOf","originNodeURI":{"title":"x","identifier":%q,"uri":"https://x.example/i/%d"},"destinationNodeURI":{"title":"y","identifier":%q,"uri":"https://x.example/d"},"sequenceNumber":%d,"lastChangeDateTime":"2026-01-01T00:00:00Z"}`,
			comma(i), id(3, i), i, id(2, i), i, id(1, 0), i)
	}
	fmt.Fprint(w, `]}`)
}

func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

func TestMemoryDoesNotGrowWithTheFile(t *testing.T) {
	heap := func(n int) uint64 {
		r, w := io.Pipe()
		go func() { generate(w, n); w.Close() }()
		var peak uint64
		count := 0
		_, err := Read(r, Sink{Item: func(Item) error {
			if count++; count%(n/4) == 0 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		return peak
	}
	small, large := heap(2_000), heap(40_000)
	// what grows is the set of identifiers, some 100 bytes each
	if grown := int64(large) - int64(small); grown > 12<<20 {
		t.Errorf("the heap grew by %d bytes between 2,000 and 40,000 items", grown)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"CFDefinitions":[],"CFDocument":{}}`))
	f.Add([]byte(`{"CFRubrics":[{"CFRubricCriteria":[{"CFRubricCriterionLevels":[{}]}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := Read(bytes.NewReader(data), Sink{})
		var refused *Refused
		if err != nil && (!errors.As(err, &refused) || len(refused.Violations) == 0) {
			t.Errorf("%v", err)
		}
	})
}

// BenchmarkRead compares reading and checking with a bare Unmarshal of the same.
func BenchmarkRead(b *testing.B) {
	var buf bytes.Buffer
	generate(&buf, 11_000)
	b.Run("imscase", func(b *testing.B) {
		b.SetBytes(int64(buf.Len()))
		for b.Loop() {
			if _, err := Read(bytes.NewReader(buf.Bytes()), Sink{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(buf.Len()))
		for b.Loop() {
			var v any
			if err := json.Unmarshal(buf.Bytes(), &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
