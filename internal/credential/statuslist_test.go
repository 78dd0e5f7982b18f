package credential

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/spec/bitstring"
)

func TestTheOrderOfPlacesIsAPermutationAndSecret(t *testing.T) {
	a := newOrder(bytes.Repeat([]byte{1}, 32), listSize)
	b := newOrder(bytes.Repeat([]byte{2}, 32), listSize)
	seen := make([]bool, listSize)
	same, following := 0, 0
	for i := range listSize {
		p := a.at(i)
		if p < 0 || p >= listSize || seen[p] {
			t.Fatalf("place %d comes twice or does not exist", p)
		}
		seen[p] = true
		if p == b.at(i) {
			same++
		}
		if i > 0 && p == a.at(i-1)+1 {
			following++
		}
	}
	if same > 12 || following > 12 { // of 131,072, where one is expected
		t.Errorf("%d places are the same under another secret, %d follow each other", same, following)
	}
}

func TestStamp(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	content := `{"@context":["x"],"id":"","name":"\"id\":\"\"","validFrom":"","in":{"id":"y","validFrom":"z"}}`
	got, err := stamp{id: `https://x.example/"`, validFrom: at, validUntil: &at, status: &bitstring.Entry{Index: "7"}}.on([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	var d map[string]any
	if err := json.Unmarshal([]byte(got), &d); err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	if d["id"] != `https://x.example/"` || d["validFrom"] != "2026-01-02T03:04:05Z" || d["validUntil"] != d["validFrom"] || d["name"] != `"id":""` ||
		!strings.HasSuffix(string(got), `"statusListIndex":"7","statusListCredential":""}}`) {
		t.Errorf("%s", got)
	}
	for _, bad := range []string{``, `{}`, `{"id":""}`, `{"id":"","validFrom":""`} {
		if out, err := (stamp{}).on([]byte(bad)); err == nil {
			t.Errorf("%q became %s", bad, out)
		}
	}
}
