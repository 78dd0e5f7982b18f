package rdfc

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/testamur/testamur/internal/cost"
)

func parse(t testing.TB, nquads string) Dataset {
	t.Helper()
	ds, err := ParseNQuads([]byte(nquads))
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

func canon(t testing.TB, ds Dataset) string {
	t.Helper()
	res, err := Canonicalize(ds, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return string(res.NQuads)
}

// TestCanonicalForms: what each rule of RDFC-1.0 comes to.
func TestCanonicalForms(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"only a comment", "# nothing said\n\n", ""},
		{"lines are sorted", "<urn:b> <urn:p> \"1\" .\n<urn:a> <urn:p> \"2\" .\n", "<urn:a> <urn:p> \"2\" .\n<urn:b> <urn:p> \"1\" .\n"},
		{"a statement made twice counts once", "<urn:a> <urn:p> _:x .\n<urn:a> <urn:p> _:x .\n", "<urn:a> <urn:p> _:c14n0 .\n"},
		{"white space and escapes go", "<urn:a>\t<urn:p>   \"\\u0041\\U0001F600\\'\" . # said\r\n", "<urn:a> <urn:p> \"A😀'\" .\n"},
		{"xsd:string is not written", "<urn:a> <urn:p> \"x\"^^<http://www.w3.org/2001/XMLSchema#string> .\n", "<urn:a> <urn:p> \"x\" .\n"},
		{"the default graph comes first", "<urn:a> <urn:p> \"x\" <urn:g> .\n<urn:a> <urn:p> \"x\" .\n", "<urn:a> <urn:p> \"x\" .\n<urn:a> <urn:p> \"x\" <urn:g> .\n"},
		{"plain, language, datatype", "<urn:a> <urn:p> \"x\"^^<urn:d> .\n<urn:a> <urn:p> \"x\"@en .\n<urn:a> <urn:p> \"x\" .\n", "<urn:a> <urn:p> \"x\" .\n<urn:a> <urn:p> \"x\"@en .\n<urn:a> <urn:p> \"x\"^^<urn:d> .\n"},
		{"a graph named by a blank node", "<urn:a> <urn:p> \"x\" _:g .\n", "<urn:a> <urn:p> \"x\" _:c14n0 .\n"},
		{"input labels of the canonical kind mean nothing", "_:c14n1 <urn:p> _:c14n0 .\n_:c14n0 <urn:q> \"x\" .\n", canonChain},
		{"any other label does as well", "_:a <urn:p> _:zz.z .\n_:zz.z <urn:q> \"x\" .\n", canonChain},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, canon(t, parse(t, c.in))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

const canonChain = "_:c14n0 <urn:q> \"x\" .\n_:c14n1 <urn:p> _:c14n0 .\n"

// TestEscapes holds every low character against the canonical N-Quads form.
func TestEscapes(t *testing.T) {
	short := map[rune]string{'\b': `\b`, '\t': `\t`, '\n': `\n`, '\f': `\f`, '\r': `\r`, '"': `\"`, '\\': `\\`}
	for r := rune(0); r < 0x100; r++ {
		want := string(r)
		if s, ok := short[r]; ok {
			want = s
		} else if r < 0x20 || r == 0x7F {
			want = fmt.Sprintf(`\u%04X`, r)
		}
		if got := Literal(string(r), ""); got != Term(`"`+want+`"`) {
			t.Errorf("U+%04X is written %s, want %s", r, got, want)
		}
		back := parse(t, "<urn:a> <urn:p> "+string(Literal(string(r), ""))+" .")
		if back[0].Object != Literal(string(r), "") {
			t.Errorf("U+%04X comes back as %s", r, back[0].Object)
		}
	}
	if got := Literal("a\uFFFEb\uFFFFc", ""); got != `"a\uFFFEb\uFFFFc"` {
		t.Errorf("non-characters are written %s", got)
	}
	if got := LangLiteral("a\nb", "en"); got != `"a\nb"@en` {
		t.Errorf("a text in a language is written %s", got)
	}
}

// TestAlike: blank nodes that only their surroundings tell apart.
func TestAlike(t *testing.T) {
	data, err := os.ReadFile("testdata/alike.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, cases, _ := strings.Cut(string(data), "\n\n")
	n := 0
	for c := range strings.SplitSeq(strings.TrimSpace(cases), "\n\n") {
		alg, rest, _ := strings.Cut(c, "\n")
		in, want, ok := strings.Cut(rest, "=>\n")
		hash, known := map[string]crypto.Hash{"sha256": crypto.SHA256, "sha384": crypto.SHA384}[alg]
		if !ok || !known {
			t.Fatalf("malformed case:\n%s", c)
		}
		res, err := Canonicalize(parse(t, in), Options{Hash: hash})
		if err != nil {
			t.Errorf("%v\n%s", err, in)
			continue
		}
		if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(string(res.NQuads))); diff != "" {
			t.Errorf("%s\n%s%s", alg, in, diff)
		}
		n++
	}
	if n < 40 {
		t.Errorf("only %d cases were read", n)
	}
}

// disguise gives a dataset new labels and another order.
func disguise(ds Dataset, rnd *rand.Rand) Dataset {
	labels := map[Term]Term{}
	number := rnd.Perm(4 * len(ds))
	rename := func(t Term) Term {
		if !t.IsBlank() {
			return t
		}
		if labels[t] == "" {
			labels[t] = Blank(fmt.Sprintf("c14n%d", number[len(labels)]))
		}
		return labels[t]
	}
	out := make(Dataset, len(ds))
	for i, at := range rnd.Perm(len(ds)) {
		q := ds[at]
		out[i] = Quad{rename(q.Subject), q.Predicate, rename(q.Object), rename(q.Graph)}
	}
	return out
}

// TestDisguiseChangesNothing: labels and order never reach the canonical form,
// and a canonical form is its own.
func TestDisguiseChangesNothing(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var ds Dataset
		node := func() Term { return Blank(fmt.Sprint("n", rnd.IntN(6))) }
		for range 2 + rnd.IntN(12) {
			q := Quad{Subject: node(), Predicate: IRI(fmt.Sprint("urn:p", rnd.IntN(2))), Object: node()}
			if rnd.IntN(4) == 0 {
				q.Graph = node()
			}
			ds = append(ds, q)
		}
		want := canon(t, ds)
		if got := canon(t, disguise(ds, rnd)); got != want {
			t.Fatalf("disguised:\n%s\nwant:\n%s", got, want)
		}
		if got := canon(t, parse(t, want)); got != want {
			t.Fatalf("canonicalized again:\n%s\nwant:\n%s", got, want)
		}
	}
}

// TestIssued: the map of labels leads from the input to its canonical form.
func TestIssued(t *testing.T) {
	ds := parse(t, "_:x <urn:p> _:y .\n_:y <urn:q> \"1\" _:z .\n")
	res, err := Canonicalize(ds, Options{})
	if err != nil {
		t.Fatal(err)
	}
	issued := res.Issued()
	renamed := make(Dataset, len(ds))
	rename := func(t Term) Term {
		if t.IsBlank() {
			return Blank(issued[string(t[2:])])
		}
		return t
	}
	for i, q := range ds {
		renamed[i] = Quad{rename(q.Subject), q.Predicate, rename(q.Object), rename(q.Graph)}
	}
	var lines []string
	for _, q := range renamed {
		lines = append(lines, q.String()+"\n")
	}
	for _, l := range lines {
		if !bytes.Contains(res.NQuads, []byte(l)) {
			t.Errorf("%q is not in\n%s", l, res.NQuads)
		}
	}
	if len(issued) != 3 {
		t.Errorf("issued %v", issued)
	}
}

// clique has n blank nodes, each related to each other: the classic poison.
func clique(n int) Dataset {
	var ds Dataset
	for i := range n {
		for j := range n {
			if i != j {
				ds = append(ds, Quad{Subject: Blank(fmt.Sprint("n", i)), Predicate: "<urn:p>", Object: Blank(fmt.Sprint("n", j))})
			}
		}
	}
	return ds
}

// forest has hubs, themselves alike, each with branches that are alike, each
// with leaves that are alike.
func forest(hubs, branches, leaves int) Dataset {
	var ds Dataset
	for h := range hubs {
		hub := Blank(fmt.Sprint("h", h))
		ds = append(ds, Quad{Subject: "<urn:root>", Predicate: "<urn:has>", Object: hub})
		for b := range branches {
			branch := Blank(fmt.Sprintf("h%db%d", h, b))
			ds = append(ds, Quad{Subject: hub, Predicate: "<urn:result>", Object: branch})
			for l := range leaves {
				leaf := Blank(fmt.Sprintf("h%db%dl%d", h, b, l))
				ds = append(ds, Quad{Subject: branch, Predicate: "<urn:alignment>", Object: leaf},
					Quad{Subject: leaf, Predicate: "<urn:name>", Object: `"Designs a study"`})
			}
		}
	}
	return ds
}

func TestPoisonIsRefused(t *testing.T) {
	if _, err := Canonicalize(clique(14), Options{}); !errors.Is(err, ErrTooComplex) {
		t.Errorf("a clique of 14: %v", err)
	}
	if _, err := Canonicalize(clique(4), Options{}); err != nil {
		t.Errorf("a clique of 4: %v", err)
	}
	if _, err := Canonicalize(clique(4), Options{WorkLimit: 10}); !errors.Is(err, ErrTooComplex) {
		t.Errorf("a clique of 4 in 10 steps: %v", err)
	}
}

// TestRepetitionIsNoPoison: like parts, however many, are cheap.
func TestRepetitionIsNoPoison(t *testing.T) {
	for _, f := range [][3]int{{1000, 3, 0}, {1000, 5, 2}, {2, 60, 1}, {3, 12, 12}, {1, 1000, 2}} {
		ds := forest(f[0], f[1], f[2])
		res, err := Canonicalize(ds, Options{})
		if err != nil {
			t.Errorf("%d hubs of %d branches of %d leaves: %v", f[0], f[1], f[2], err)
			continue
		}
		again, err := Canonicalize(disguise(ds, rand.New(rand.NewPCG(3, 4))), Options{})
		if err != nil || !bytes.Equal(res.NQuads, again.NQuads) {
			t.Errorf("%v: disguised, it comes out otherwise (%v)", f, err)
		}
	}
}

// TestWideNodesAreCheap: like subjects with thousands of parts, alike or not.
func TestWideNodesAreCheap(t *testing.T) {
	var ds Dataset
	for h := range 2 {
		for i := range 5000 {
			part := Blank(fmt.Sprintf("h%dp%d", h, i))
			ds = append(ds, Quad{Subject: Blank(fmt.Sprint("h", h)), Predicate: "<urn:p>", Object: part},
				Quad{Subject: part, Predicate: "<urn:n>", Object: Literal(fmt.Sprint(h, i), "")})
		}
	}
	if _, err := Canonicalize(ds, Options{}); err != nil {
		t.Errorf("two subjects of 5,000 different parts: %v", err)
	}
	cost.Linear(t, "two subjects of like parts", 1250, func(n int) {
		if _, err := Canonicalize(forest(2, n, 0), Options{}); err != nil && !errors.Is(err, ErrTooComplex) {
			t.Error(err)
		}
	})
}

func TestHashIsChecked(t *testing.T) {
	if _, err := Canonicalize(nil, Options{Hash: crypto.SHA512}); err == nil {
		t.Error("SHA-512 is let through")
	}
	a, err := Canonicalize(forest(2, 2, 1), Options{Hash: crypto.SHA384})
	if err != nil {
		t.Fatal(err)
	}
	if len(a.NQuads) == 0 {
		t.Error("SHA-384 gives nothing")
	}
}

func TestParseRefuses(t *testing.T) {
	for name, line := range map[string]string{
		"a relative IRI":            `<a> <urn:p> "x" .`,
		"a space in an IRI":         `<urn:a b> <urn:p> "x" .`,
		"an escaped space":          `<urn:a\u0020b> <urn:p> "x" .`,
		"a literal subject":         `"a" <urn:p> "x" .`,
		"a blank predicate":         `<urn:a> _:p "x" .`,
		"a literal graph":           `<urn:a> <urn:p> "x" "g" .`,
		"no full stop":              `<urn:a> <urn:p> "x"`,
		"two statements":            `<urn:a> <urn:p> "x" . <urn:a> <urn:p> "y" .`,
		"an open literal":           `<urn:a> <urn:p> "x .`,
		"an open IRI":               `<urn:a> <urn:p .`,
		"half a surrogate pair":     `<urn:a> <urn:p> "\uD800" .`,
		"an unknown escape":         `<urn:a> <urn:p> "\x" .`,
		"a short escape":            `<urn:a> <urn:p> "\u12" .`,
		"beyond Unicode":            `<urn:a> <urn:p> "\U00110000" .`,
		"a language without a name": `<urn:a> <urn:p> "x"@ .`,
		"a datatype that is blank":  `<urn:a> <urn:p> "x"^^_:d .`,
		"a comma after a language":  `<urn:a> <urn:p> "x"@en-GB, .`,
		"a label without a name":    `_: <urn:p> "x" .`,
		"invalid UTF-8":             "<urn:a> <urn:p> \"\xff\" .",
		"a missing object":          `<urn:a> <urn:p> .`,
	} {
		if ds, err := ParseNQuads([]byte(line)); !errors.Is(err, ErrSyntax) {
			t.Errorf("%s: %v, %v", name, ds, err)
		}
	}
}

// FuzzParseNQuads: whatever is read can be written, read again and
// canonicalized to the same.
func FuzzParseNQuads(f *testing.F) {
	f.Add("<urn:a> <urn:p> \"x\\n\"@en-GB <urn:g> .\n_:a.b <urn:p> \"1\"^^<urn:d> _:g . # c\r\n")
	f.Add("_:a <urn:p> _:b .\n_:b <urn:p> _:a .\n")
	f.Add("<urn:\u00e9> <urn:p> \"\\U0001F600\\u0041\" .")
	f.Fuzz(func(t *testing.T, in string) {
		ds, err := ParseNQuads([]byte(in))
		if err != nil {
			if !errors.Is(err, ErrSyntax) {
				t.Fatal(err)
			}
			return
		}
		opts := Options{WorkLimit: 20_000}
		res, err := Canonicalize(ds, opts)
		if err != nil {
			return
		}
		again, err := ParseNQuads(res.NQuads)
		if err != nil {
			t.Fatalf("%v\n%s", err, res.NQuads)
		}
		res2, err := Canonicalize(again, opts)
		if err == nil && !bytes.Equal(res.NQuads, res2.NQuads) {
			t.Fatalf("%q, then %q", res.NQuads, res2.NQuads)
		}
	})
}

// BenchmarkAlike measures the telling apart of repeated structures.
func BenchmarkAlike(b *testing.B) {
	for _, f := range [][3]int{{100, 3, 2}, {1000, 3, 2}} {
		ds := forest(f[0], f[1], f[2])
		b.Run(fmt.Sprint(f[0]), func(b *testing.B) {
			for b.Loop() {
				if _, err := Canonicalize(ds, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestWellFormedIRI: RFC 3987 §2.2, beside what N-Quads takes.
func TestWellFormedIRI(t *testing.T) {
	for iri, want := range map[string][2]bool{ // valid, well-formed
		"https://x.example/a?b=c#d":      {true, true},
		"https://x.example/a%20b#%c3%A9": {true, true},
		"https://[2001:db8::1]:8080/a":   {true, true},
		"urn:uuid:1":                     {true, true},
		"did:web:x.example%3A8080:i":     {true, true},
		"https://例え.example/é":           {true, true},
		"x:":                             {true, true},
		"https://x.example/%0":           {true, false},
		"https://x.example/%zz":          {true, false},
		"https://x.example/100%":         {true, false},
		"https://x.example/a#b#c":        {true, false},
		"https://x.example/a[0]":         {true, false},
		"https://x.example#[":            {true, false},
		"https://x.example?]":            {true, false},
		"urn:x[0]":                       {true, false},
		"https://x.example/a b":          {false, false},
		"https://x.example/<a>":          {false, false},
		"https://x.example/\u0080":       {false, false},
		"https://x.example/\xff":         {false, false},
		"relative/path":                  {false, false},
		"1x:a":                           {false, false},
		"":                               {false, false},
	} {
		if got := [2]bool{ValidIRI(iri), WellFormedIRI(iri)}; got != want {
			t.Errorf("%q: %v", iri, got)
		}
	}
}
