package verify

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/testamur/testamur/internal/standards"
)

var update = flag.Bool("update", false, "write testdata/examples.txt anew")

// TestEveryExampleIsCounted examines every official document of any standard,
// and holds what comes of it against a list of all of them: none is passed over
// in silence, and each that is wrong fails by the check that is its own.
func TestEveryExampleIsCounted(t *testing.T) {
	root := filepath.Join(standards.Dir(t), "examples")
	var b strings.Builder
	n := map[Outcome]int{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		r := Examiner{Keys: inFragment, Now: now}.Examine(unwrapped(raw))
		n[r.Outcome]++
		var names []string
		for _, c := range r.Checks {
			if c.Outcome == r.Outcome && !slices.Contains(names, c.Name) {
				names = append(names, c.Name)
			}
		}
		fmt.Fprintf(&b, "%s: %s %s by %s\n", filepath.ToSlash(name), r.Kind, r.Outcome, strings.Join(names, ", "))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/examples.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")); diff != "" {
		t.Errorf("what comes of the official examples is not as listed: %s", diff)
	}
	if n[Passed]+n[Failed]+n[NotChecked] < 150 {
		t.Errorf("%v examples", n)
	}
}

// unwrapped is an example out of the JSON that carries it: a picture, a token, or
// the signed credential among other values of a vector.
func unwrapped(raw []byte) []byte {
	var w struct {
		Base64           []byte
		CompactJws       string
		SignedCredential json.RawMessage
	}
	if json.Unmarshal(raw, &w) != nil {
		return raw
	}
	for _, inner := range []string{string(w.Base64), w.CompactJws, string(w.SignedCredential)} {
		if inner != "" {
			return []byte(strings.TrimSpace(inner))
		}
	}
	return raw
}
