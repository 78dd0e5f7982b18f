package jsonld

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestReadGivesValuesAsTheyStand(t *testing.T) {
	const inner = `{ "b" :[1, "x",true,null] }`
	v, err := Read([]byte(`{"a":` + inner + `,"t":"\u00e9"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(v.Member("a").Raw()); got != inner {
		t.Errorf("raw is %q", got)
	}
	b := v.Member("a").Member("b")
	if !b.IsArray() || b.Len() != 4 || !slices.Equal(b.Texts(), []string{"x"}) {
		t.Errorf("%s", b.Raw())
	}
	if s, ok := v.Member("t").Text(); !ok || s != "é" {
		t.Errorf("%q", s)
	}
	if _, ok := v.Member("nothing").Text(); ok || !v.Member("nothing").IsZero() || v.Member("nothing").Member("x").Len() != 0 {
		t.Error("a member that is not there has a value")
	}
	for i, e := range v.Member("t").Elements() {
		if i != 0 || string(e.Raw()) != `"é"` {
			t.Errorf("%d %s", i, e.Raw())
		}
	}
}

func FuzzReadRaw(f *testing.F) {
	f.Add([]byte(`{"a":[{"b":null},true,false,-1.5e3,"\n"]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		v, err := Read(doc)
		if err != nil {
			return
		}
		var walk func(Value)
		walk = func(v Value) {
			if !json.Valid(v.Raw()) {
				t.Errorf("%q is not JSON", v.Raw())
			}
			for _, m := range v.Members() {
				walk(m)
			}
			if v.IsArray() {
				for _, e := range v.Elements() {
					walk(e)
				}
			}
		}
		walk(v)
	})
}
