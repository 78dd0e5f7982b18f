package house

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestWhatShowsTheScenariosIsThere holds the table of scenarios to what it names.
func TestWhatShowsTheScenariosIsThere(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/scenarios.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	for _, pattern := range []string{"../*/*_test.go", "../../cmd/testamur/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
				tests[string(m[1])] = true
			}
		}
	}
	n := 0
	for _, m := range regexp.MustCompile("`(Test\\w+|[a-z_]+\\.txt)`").FindAllStringSubmatch(string(raw), -1) {
		n++
		there := tests[m[1]]
		if strings.HasSuffix(m[1], ".txt") {
			found, err := filepath.Glob("../../cmd/testamur/testdata/*/" + m[1])
			there = err == nil && len(found) == 1
		}
		if !there {
			t.Errorf("%s is not there", m[1])
		}
	}
	if n < 30 {
		t.Errorf("only %d are named", n)
	}
}
