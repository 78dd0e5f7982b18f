package rdfc

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// relabelled gives the blank nodes of a dataset labels that no other dataset has.
func relabelled(ds Dataset, mark int) Dataset {
	rename := func(t Term) Term {
		if t.IsBlank() {
			return t + Term(fmt.Sprintf("x%d", mark))
		}
		return t
	}
	out := make(Dataset, len(ds))
	for i, q := range ds {
		out[i] = Quad{rename(q.Subject), q.Predicate, rename(q.Object), rename(q.Graph)}
	}
	return out
}

// merged is the merge of datasets by way of stored forms.
func merged(t testing.TB, parts []Dataset) string {
	t.Helper()
	forms := make([]Form, len(parts))
	for i, ds := range parts {
		made, err := NewForm(ds)
		if err != nil {
			t.Fatal(err)
		}
		if forms[i], err = ParseForm(bytes.Clone(made.Bytes())); err != nil {
			t.Fatal(err)
		}
	}
	out, err := Merge(nil, forms, 0)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// randomParts are datasets that share IRIs, say some things alike, and whose
// blank nodes are often alike: chains, twins, rings, named graphs.
func randomParts(rnd *rand.Rand) []Dataset {
	parts := make([]Dataset, 1+rnd.IntN(5))
	for i := range parts {
		term := func() Term {
			switch rnd.IntN(5) {
			case 0:
				return IRI(fmt.Sprint("urn:s", rnd.IntN(3)))
			case 1:
				return Literal(fmt.Sprint("a \"b\" \n", rnd.IntN(3)), "")
			default:
				return Blank(fmt.Sprint("n", rnd.IntN(5)))
			}
		}
		for range 1 + rnd.IntN(12) {
			q := Quad{Subject: term(), Predicate: IRI(fmt.Sprint("urn:p", rnd.IntN(2))), Object: term()}
			for q.Subject.IsLiteral() {
				q.Subject = term()
			}
			if rnd.IntN(4) == 0 {
				q.Graph = Blank(fmt.Sprint("n", rnd.IntN(5)))
			} else if rnd.IntN(6) == 0 {
				q.Graph = IRI("urn:g")
			}
			parts[i] = append(parts[i], q)
		}
		if i > 0 && rnd.IntN(3) == 0 {
			parts[i] = parts[i-1]
		}
	}
	return parts
}

// TestMergeIsTheCanonicalFormOfTheUnion: for datasets of every shape, what is
// made of kept forms is what is made of all statements at once.
func TestMergeIsTheCanonicalFormOfTheUnion(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		parts := randomParts(rnd)
		var union Dataset
		for i, ds := range parts {
			union = append(union, relabelled(ds, i)...)
		}
		if diff := cmp.Diff(canon(t, union), merged(t, parts)); diff != "" {
			t.Fatalf("%v\n%s", parts, diff)
		}
	}
}

func TestMergeOfNothing(t *testing.T) {
	if out, err := Merge(nil, nil, 0); err != nil || len(out) != 0 {
		t.Errorf("%q, %v", out, err)
	}
	if got := merged(t, []Dataset{nil, parse(t, "<urn:a> <urn:p> \"x\" .\n"), nil}); got != "<urn:a> <urn:p> \"x\" .\n" {
		t.Errorf("%q", got)
	}
}

func TestMergeRefusesPoison(t *testing.T) {
	f, err := NewForm(clique(12))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Merge(nil, []Form{f, f}, 0); !errors.Is(err, ErrTooComplex) {
		t.Errorf("%v", err)
	}
}

// TestBrokenFormsAreRefused: no bytes that are not a form lead to more than an
// error, cut short or changed anywhere.
func TestBrokenFormsAreRefused(t *testing.T) {
	ds := parse(t, "<urn:a> <urn:p> _:x .\n<urn:a> <urn:q> \"y\" _:x .\n<urn:b> <urn:p> \"1\" .\n<urn:b> <urn:p> \"2\" .\n_:x <urn:p> _:y _:g .\n_:y <urn:p> _:x .\n_:z <urn:p> _:w .\n_:w <urn:p> _:z .\n")
	made, err := NewForm(ds)
	if err != nil {
		t.Fatal(err)
	}
	for i := range made.Bytes() {
		if _, err := ParseForm(made.Bytes()[:i]); err == nil && i > 0 {
			f, _ := ParseForm(made.Bytes()[:i])
			mustNotPanic(t, f)
		}
		for _, b := range []byte{0, 1, 0x7F, 0x80, 0xFF, '\n', ' '} {
			changed := bytes.Clone(made.Bytes())
			changed[i] = b
			if f, err := ParseForm(changed); err == nil {
				mustNotPanic(t, f)
			}
		}
	}
}

func mustNotPanic(t *testing.T, f Form) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%v on %q", p, f.Bytes())
		}
	}()
	if out, err := Merge(nil, []Form{f, f}, 0); err == nil && len(out) == 0 && f.groups < len(f.data) {
		t.Errorf("a form with statements came to nothing: %q", f.Bytes())
	}
}

func FuzzParseForm(f *testing.F) {
	made, err := NewForm(parse(f, "<urn:a> <urn:p> _:x .\n_:x <urn:p> _:y _:g .\n_:y <urn:p> _:x .\n"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(made.Bytes())
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if form, err := ParseForm(data); err == nil {
			mustNotPanic(t, form)
		}
	})
}

func TestTextOrder(t *testing.T) {
	for _, n := range []int{0, 1, 2, 9, 10, 11, 15, 100, 101, 150, 1234} {
		var got []string
		for i := range inTextOrder(n) {
			got = append(got, fmt.Sprint(i))
		}
		want := make([]string, n)
		for i := range want {
			want[i] = fmt.Sprint(i)
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, got); n > 0 && diff != "" {
			t.Errorf("%d: %s", n, diff)
		}
	}
}
