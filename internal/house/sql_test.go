package house

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// ownMind are the ways in which SQL decides the time or an id for itself. Both
// are passed in, so that a test can hold them and two rows agree.
var ownMind = regexp.MustCompile(`(?i)\b(now|clock_timestamp|statement_timestamp|gen_random_uuid|random)\s*\(|\bcurrent_(timestamp|date|time)\b|\bdefault\s+nextval`)

func TestNoStatementHasAClockOrIdsOfItsOwn(t *testing.T) {
	seen := 0
	eachFile(t, func(path string, file *ast.File, fset *token.FileSet) {
		ast.Inspect(file, func(n ast.Node) bool {
			text, ok := n.(*ast.BasicLit)
			if !ok || text.Kind != token.STRING || !strings.HasPrefix(text.Value, "`") {
				return true
			}
			seen++
			if found := ownMind.FindString(text.Value); found != "" {
				t.Errorf("%s: %s in SQL: pass it in", fset.Position(text.Pos()), found)
			}
			return true
		})
	})
	files, err := filepath.Glob("../../migrations/*.sql")
	if err != nil || len(files) == 0 || seen < 100 {
		t.Fatal(files, err, seen)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(raw), "\n") {
			code, _, _ := strings.Cut(line, "--")
			if found := ownMind.FindString(code); found != "" {
				t.Errorf("%s:%d: %s: pass it in", name, n+1, found)
			}
		}
	}
}
