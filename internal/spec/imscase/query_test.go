package imscase

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestFilters(t *testing.T) {
	documents := []json.RawMessage{
		json.RawMessage(`{"title":"Élan","creator":"O'Neil","subject":["Care","Law"],"lastChangeDateTime":"2026-01-01T00:00:00Z","licenseURI":{"title":"CC"}}`),
		json.RawMessage(`{"title":"Zeal","creator":"Ames","lastChangeDateTime":"2026-06-01T00:00:00+02:00"}`),
	}
	for text, want := range map[string]string{
		`title='élan'`: "Élan", `title!='zeal'`: "Élan", `title>'f'`: "Zeal", `title<'f'`: "Élan",
		`creator='o'neil'`: "Élan", `creator~'o'n'`: "Élan", `creator='' AND title='x'`: "",
		`subject='care,law'`: "Élan", `subject~'LAW'`: "Élan", `subject~'law,art'`: "", `subject!='care'`: "Élan Zeal",
		`lastChangeDateTime<'2026-06-01T00:00:00Z'`: "Élan Zeal", `lastChangeDateTime<='2026-05-31T22:00:00Z'`: "Élan Zeal",
		`licenseURI.title='cc'`: "Élan", `title='élan' OR title='zeal'`: "Élan Zeal", `title~'e' AND creator~'a'`: "Zeal",
	} {
		f, err := ParseFilter(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var got []string
		for _, raw := range (Query{Filter: &f}).Run(documents) {
			var d Document
			if err := json.Unmarshal(raw, &d); err != nil {
				t.Fatal(err)
			}
			got = append(got, d.Title)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]error{`colour='red'`: ErrFilterField, `title='a' AND colour='b'`: ErrFilterField, `title`: ErrFilter, `title=red`: ErrFilter, ``: ErrFilter, `title.of='a'`: ErrFilterField} {
		if _, err := ParseFilter(text); !errors.Is(err, want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzFilter(f *testing.F) {
	f.Add(`title='a' OR subject~'b,c'`)
	f.Add(`title='it's AND creator='x' AND y'`)
	f.Fuzz(func(t *testing.T, text string) {
		q, err := ParseFilter(text)
		if err != nil {
			return
		}
		Query{Filter: &q, Sort: "title"}.Run([]json.RawMessage{json.RawMessage(`{"title":"a","subject":["b","c"]}`), json.RawMessage(`[]`)})
	})
}

func FuzzPresent(f *testing.F) {
	f.Add("CFItem", `{"identifier":"A","CFItemType":null,"conceptKeywords":"x","colour":{"a":1},"statusStartDate":"2026-01-01T00:00:00Z","extensions":7}`)
	f.Add("CFAssociation", `{"associationType":"ext:a","sequenceNumber":"7"}`)
	f.Add("CFRubric", `{"CFRubricCriteria":[{"CFRubricCriterionLevels":[null]}]}`)
	f.Fuzz(func(t *testing.T, class, text string) {
		for _, v := range []string{V10, V11} {
			if out, ok := Present(v, class, json.RawMessage(text), nil); ok && !json.Valid(out) {
				t.Errorf("%s", out)
			}
		}
	})
}
