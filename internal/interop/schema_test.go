package interop

import (
	"bytes"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/standards"
)

func TestSchemasRefuse(t *testing.T) {
	i := newIssuer(t, college)
	badge, record := i.badge(t, 1), i.record(t, lean(badgeOf(i.did, 1)))
	tests := map[string]struct {
		document []byte
		schemas  []string
		old, new string
		want     string
		misfits  int // of how many schemas
	}{
		"a date without its offset": {badge, obSchemas, `"2026-05-22T00:00:00Z"`, `"2026-05-22"`, "date-time", 3},
		"a status of our own":       {badge, obSchemas, `"status":"Completed"`, `"status":"Done"`, "status", 3},
		"one type out of its list":  {badge, obSchemas, `"type":["Profile"]`, `"type":"Profile"`, "array", 1},
		"no criteria":               {badge, obSchemas, `"criteria":`, `"criterion":`, "criteria", 3},
		"an association of our own": {record, clrSchemas, `"isChildOf"`, `"extends"`, "associationType", 1},
		"a record without a name":   {record, clrSchemas, `"name":"Record of Ada"`, `"title":"Record of Ada"`, "name", 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if !bytes.Contains(test.document, []byte(test.old)) {
				t.Fatalf("no %s in %s", test.old, test.document)
			}
			changed := bytes.Replace(test.document, []byte(test.old), []byte(test.new), 1)
			got := misfits(t, [][]byte{test.document, changed}, test.schemas)
			if len(got) != test.misfits {
				t.Errorf("%d misfits, want %d: %q", len(got), test.misfits, got)
			}
			for _, g := range got {
				if !strings.HasPrefix(g, "1 ") || !strings.Contains(g, test.want) {
					t.Errorf("%s: want %q", g, test.want)
				}
			}
		})
	}
}

// TestSchemasTakeTheOfficialExamples holds the schemas as read here against
// 1EdTech's own documents.
func TestSchemasTakeTheOfficialExamples(t *testing.T) {
	for _, name := range []string{"ob3/spec-basicOpenBadgeCredential.json", "ob3/spec-fullOpenBadge.json"} {
		for _, m := range misfits(t, [][]byte{standards.Read(t, "examples/"+name)}, obSchemas[:2]) {
			t.Errorf("%s: %s", name, m)
		}
	}
	for _, m := range misfits(t, [][]byte{standards.Read(t, "examples/clr2/validator-simple.json")}, clrSchemas) {
		t.Error(m)
	}
}
