package migrations

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

// TestFilesAreNumberedWithoutGaps keeps two changes that were written side by
// side from taking one number, which no database would open with.
func TestFilesAreNumberedWithoutGaps(t *testing.T) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	for i, n := range names {
		if want := fmt.Sprintf("%04d_", i+1); !strings.HasPrefix(n, want) {
			t.Errorf("%s stands where a file %s… is expected: give it the next free number", n, want)
		}
	}
}
