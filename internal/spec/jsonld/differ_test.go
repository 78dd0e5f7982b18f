package jsonld

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/piprate/json-gold/ld"

	"github.com/testamur/testamur/internal/standards"
)

// spoil changes a document so that it is often wrong: names, types and
// identifiers become the texts given, values change their kind.
func (m mutator) spoil(v any, name, value string) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			switch {
			case m.IntN(60) == 0:
				out[name] = x
			case k != "@context" && m.IntN(60) == 0:
				out[k] = value
			case k != "@context" && m.IntN(80) == 0:
				out[k] = map[string]any{"@value": value, "@language": []any{"en", "de-AT", name}[m.IntN(3)]}
			case k != "@context" && m.IntN(80) == 0:
				out[k] = map[string]any{[]string{"@id", "@type", "@list", "@set", "@graph", "@reverse", "@included", "@nest", "@none"}[m.IntN(9)]: x}
			default:
				out[k] = m.spoil(x, name, value)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = m.spoil(x, name, value)
		}
		return out
	}
	return v
}

// difference is one that json-gold is known to be wrong about. Its rewrite says
// the same, by its clause, in a way that json-gold has right; then both must
// agree. What no rewrite explains is a failure.
type difference struct {
	name, clause string
	rewrite      func(v any) any
	kept         bool // what we make of it is the same to the byte before and after
	// a document that shows it by itself, and what is right about it
	doc, want string
}

var differences = []difference{
	{"controls are escaped", "RDFC-1.0 §5.2: canonical N-Quads escapes controls, \\b and \\f among them; json-gold leaves all but four as they are",
		withoutControls, false,
		`{"@context":{"p":"urn:p"},"@id":"urn:a","p":"\u0001\b\f\u007f"}`,
		`<urn:a> <urn:p> "\u0001\b\f\u007F" .` + "\n"},
	{"types under two names join", "JSON-LD API 1.1 §5.1.2 step 13.4.4: types given under two names join; json-gold keeps those of one",
		typesJoined, true,
		`{"@context":{"type":"@type"},"@id":"urn:a","@type":"urn:t1","type":["urn:t2","urn:t3"]}`,
		"<urn:a> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <urn:t1> .\n<urn:a> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <urn:t2> .\n<urn:a> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <urn:t3> .\n"},
	{"an address with signs in its host", "RFC 3987 §2.2: the name of a host may hold signs and letters of any script; json-gold leaves out what is said of or by such an address",
		withoutStrangeHosts, false,
		`{"@context":{"p":"urn:p"},"@id":"https://$1é","p":"v"}`,
		"<https://$1é> <urn:p> \"v\" .\n"},
	// No credential that is changed here has one of these: distinct and
	// interop.TestPresentationsAgreeWithJSONLDJS hold us to them.
	{"a graph container with a context", "JSON-LD API 1.1 §5.1.2 step 13.12: a value of a graph container that brings a context stands in the graph; json-gold has it in the default graph",
		nil, true,
		`{"@context":"https://www.w3.org/ns/credentials/v2","id":"urn:vp","type":"VerifiablePresentation","verifiableCredential":{"@context":"https://www.w3.org/ns/credentials/v2","id":"urn:vc","type":"VerifiableCredential"}}`,
		"<urn:vc> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <https://www.w3.org/2018/credentials#VerifiableCredential> _:c14n0 .\n" +
			"<urn:vp> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <https://www.w3.org/2018/credentials#VerifiablePresentation> .\n" +
			"<urn:vp> <https://www.w3.org/2018/credentials#verifiableCredential> _:c14n0 .\n"},
	{"said twice is said once", "RDF 1.1 Concepts §4: a dataset is a set, so what is said twice is said once; json-gold keeps both",
		nil, true,
		`{"@context":{"p":{"@id":"urn:p","@type":"http://www.w3.org/2001/XMLSchema#double"}},"@id":"urn:a","p":[1,"1.0E0"]}`,
		"<urn:a> <urn:p> \"1.0E0\"^^<http://www.w3.org/2001/XMLSchema#double> .\n"},
}

// withoutControls has a letter of a private use in the place of each control.
func withoutControls(v any) any {
	return eachText(v, func(s string) string {
		return strings.Map(func(r rune) rune {
			if r < 0x20 || r == 0x7F {
				return 0xE000 + r
			}
			return r
		}, s)
	})
}

// withoutStrangeHosts has another scheme in the place of https, where json-gold
// does not take the address for one.
func withoutStrangeHosts(v any) any {
	return eachText(v, func(s string) string {
		if (strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")) && !ld.IsURL(s) {
			return "x-" + s
		}
		return s
	})
}

// eachText is a value with each of its texts changed, names as well.
func eachText(v any, change func(string) string) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			out[change(k)] = eachText(x, change)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = eachText(x, change)
		}
		return out
	case string:
		return change(v)
	}
	return v
}

// typesJoined has the types of each object under one name.
func typesJoined(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			out[k] = typesJoined(x)
		}
		a, isA := out["@type"]
		b, isB := out["type"]
		if isA && isB {
			delete(out, "type")
			out["@type"] = append(listOf(a), listOf(b)...)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = typesJoined(x)
		}
		return out
	}
	return v
}

func listOf(v any) []any {
	if all, ok := v.([]any); ok {
		return all
	}
	return []any{v}
}

// differ canonicalizes with both and tells of a difference that is not
// explained. What we refuse says why, which TestRefusals holds to its clauses.
func differ(t *testing.T, gold func([]byte) (string, error), doc []byte) (accepted bool) {
	t.Helper()
	got, err := Canonize(doc)
	var refusal *Error
	if errors.As(err, &refusal) && refusal.Code != "" {
		return false
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, doc)
	}
	want, err := gold(doc)
	if err == nil && string(got) == distinct(want) {
		return true
	}
	var v any
	if bad := json.Unmarshal(doc, &v); bad != nil {
		t.Fatalf("%v\n%s", bad, doc)
	}
	for _, d := range differences {
		if d.rewrite == nil {
			continue
		}
		v = d.rewrite(v)
		rewritten, bad := json.Marshal(v)
		if bad != nil {
			t.Fatal(bad)
		}
		before := got
		if got, bad = Canonize(rewritten); bad != nil {
			t.Fatalf("%s: after the rewrite we refuse: %v\n%s", d.name, bad, doc)
		}
		if d.kept && string(before) != string(got) {
			t.Fatalf("%s: the rewrite changes what we make of it\n%s\n%s", d.name, doc, cmp.Diff(string(before), string(got)))
		}
		want, err = gold(rewritten)
		if err == nil && string(got) == distinct(want) {
			return true
		}
	}
	if err != nil {
		t.Fatalf("json-gold refuses what we accept: %v\n%s", err, doc)
	}
	t.Fatalf("%s\n%s", doc, cmp.Diff(want, string(got)))
	return true
}

func differSeeds(t testing.TB) []any {
	var seeds []any
	add := func(doc []byte) {
		var v any
		if err := json.Unmarshal(doc, &v); err != nil {
			t.Fatal(err)
		}
		seeds = append(seeds, v)
	}
	add([]byte(badge(1)))
	add(transcript(2))
	for _, f := range []string{"ob3/vector-eddsa-rdfc-2022-ob.json", "w3c-vectors/eddsa-rdfc-2022-alumni.json"} {
		var file map[string]json.RawMessage
		if err := json.Unmarshal(standards.Read(t, "examples/"+f), &file); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"signedCredential", "signedDataInt.json"} {
			if file[name] != nil {
				add(file[name])
			}
		}
	}
	if len(seeds) < 4 {
		t.Fatalf("only %d documents to change", len(seeds))
	}
	return seeds
}

// FuzzAgreesWithJSONGold changes credentials by what the fuzzer gives, into valid
// and invalid ones. go test -fuzz runs on and on; without, its seeds and
// TestSpoiltAgreesWithJSONGold are the bounded run.
func FuzzAgreesWithJSONGold(f *testing.F) {
	seeds, gold := differSeeds(f), peer(f)
	f.Add(uint64(1), uint8(0), "name", "Zoë")
	f.Add(uint64(2), uint8(1), "@id", "urn:x y")
	f.Add(uint64(3), uint8(2), "urn:a:b", "\U0001F600\"\\")
	f.Add(uint64(4), uint8(3), "https://x.example/é", "did:key:z6Mk")
	f.Fuzz(func(t *testing.T, seed uint64, which uint8, name, value string) {
		if strings.ContainsFunc(name+value, func(r rune) bool { return r == unicode.ReplacementChar }) {
			return // encoding/json replaces what is not UTF-8
		}
		m := mutator{rand.New(rand.NewPCG(seed, 1))}
		v := m.spoil(seeds[int(which)%len(seeds)], name, value)
		if seed%2 == 0 {
			v = m.change(v)
		}
		doc, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		differ(t, gold, doc)
	})
}

// TestSpoiltAgreesWithJSONGold is a bounded run of the same with names and
// values that are likely to trip a processor up.
func TestSpoiltAgreesWithJSONGold(t *testing.T) {
	seeds, gold := differSeeds(t), peer(t)
	names := []string{"name", "urn:a:b", "@id", "id", "type", "undefined", "https://x.example/#é", "_:b", "cred:x", "xsd:date", "@type", "@foo", "", "a b", "description", "rdf:type", "did:x"}
	m := mutator{rand.New(rand.NewPCG(31, 32))}
	rounds, accepted := 600, 0
	if testing.Short() {
		rounds = 100
	}
	for i := range rounds {
		doc, err := json.Marshal(m.spoil(seeds[i%len(seeds)], names[m.IntN(len(names))], m.word()))
		if err != nil {
			t.Fatal(err)
		}
		if differ(t, gold, doc) {
			accepted++
		}
	}
	if accepted < rounds/20 {
		t.Errorf("only %d of %d were accepted", accepted, rounds)
	}
}

// TestExplainedDifferences: where json-gold and we differ and why we are right,
// each by its clause. If json-gold mends one, it goes from here.
func TestExplainedDifferences(t *testing.T) {
	gold := peer(t)
	for _, d := range differences {
		t.Run(d.name, func(t *testing.T) {
			if got := canonical(t, []byte(d.doc), Options{}); got != d.want {
				t.Errorf("%s:\n%s", d.clause, cmp.Diff(d.want, got))
			}
			if peer, err := gold([]byte(d.doc)); err == nil && peer == d.want {
				t.Errorf("json-gold agrees now: %s", d.clause)
			}
			if d.rewrite != nil {
				differ(t, gold, []byte(d.doc))
			}
		})
	}
}
