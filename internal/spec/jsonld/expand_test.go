package jsonld

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/testamur/testamur/internal/spec/rdfc"
	"github.com/testamur/testamur/internal/standards"
)

// TestExpandedSaysTheSame: a document that was expanded is read as the same
// statements, for every official document that is read at all.
func TestExpandedSaysTheSame(t *testing.T) {
	n := 0
	for _, pattern := range []string{"examples/ob3/*.json", "examples/clr2/*.json", "examples/w3c/*.json"} {
		for _, file := range standards.Glob(t, pattern) {
			doc := standards.Read(t, "examples/"+filepath.Base(filepath.Dir(file))+"/"+filepath.Base(file))
			n += sameWhenExpanded(t, file, doc)
		}
	}
	if n < 15 {
		t.Errorf("only %d documents", n)
	}
	// Lists: of lists' own forms, shared, in a graph.
	sameWhenExpanded(t, "lists", []byte(`{"@context":{"l":{"@id":"https://x.example/l","@container":"@list"},"g":{"@id":"https://x.example/g","@container":"@graph"},"p":"https://x.example/p"},
		"@id":"urn:x:1","l":["a",{"@value":"b","@language":"en"},{"@id":"urn:x:2","l":[]},{"p":{"@value":"c \"<é>\n","@type":"urn:x:t"}}],"g":[{"@id":"urn:x:1","l":[1,2.5,true]},{"p":"x"}]}`))
}

func sameWhenExpanded(t *testing.T, name string, doc []byte) int {
	t.Helper()
	opts := Options{Direction: I18NDatatype}
	ds, err := ToRDF(doc, opts)
	if err != nil || len(ds) == 0 {
		return 0
	}
	expanded, err := Expanded(ds)
	if err != nil || !json.Valid(expanded) || strings.Contains(string(expanded), "@context") {
		t.Fatalf("%s: %v %s", name, err, expanded)
	}
	again, err := ToRDF(expanded, opts)
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, expanded)
	}
	want, err := rdfc.Canonicalize(ds, rdfc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := rdfc.Canonicalize(again, rdfc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want.NQuads), string(got.NQuads)); diff != "" {
		t.Errorf("%s: %s\n%s", name, diff, expanded)
	}
	return 1
}
