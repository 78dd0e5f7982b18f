package house

import (
	"context"
	"go/ast"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/pgtest"
)

var (
	statement = regexp.MustCompile(`(?s)^\s*(select\b|insert into\b|update \w+( \w+)? set\b|delete from\b|with (recursive )?\w+( \([^)]*\))? as\b)`)
	staging   = regexp.MustCompile(`(?s)(create temp table.*?) on commit (drop|delete rows)`)
)

// TestEveryStatementPrepares has PostgreSQL plan each statement of ours against
// the migrated schema: a column that was renamed is found here and not by the
// first registrar who needs that statement. A statement that is put together from
// what a function is given is left to the tests of its noun.
func TestEveryStatementPrepares(t *testing.T) {
	consts := texts(t)
	found := map[string]token.Position{}
	var temporary []string
	left := 0
	eachFile(t, func(path string, file *ast.File, fset *token.FileSet) {
		dir := filepath.Dir(path)
		if !strings.HasPrefix(dir, "internal/") || dir == "internal/postgres" || dir == "internal/pgtest" {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 {
				_, _, isText := value(v.Values[0], consts[dir])
				return !isText // met where it is used, which may be in the midst of others
			}
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			text, whole, isText := value(e, consts[dir])
			if !isText {
				return true
			}
			for _, sql := range staging.FindAllStringSubmatch(text, -1) {
				temporary = append(temporary, sql[1])
			}
			switch {
			case !statement.MatchString(text):
			case whole && !strings.Contains(text, "%s"):
				found[text] = fset.Position(e.Pos())
			default:
				left++
			}
			return false
		})
	})
	conn, err := pgx.Connect(t.Context(), pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, sql := range temporary {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
	for text, at := range found {
		sql, _, err := pgx.NamedArgs{}.RewriteQuery(t.Context(), conn, text, nil)
		if err == nil {
			_, err = conn.Prepare(t.Context(), "", sql)
		}
		if err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
	if len(found) < 200 || len(temporary) < 4 || left > len(found)/3 {
		t.Errorf("%d statements and %d temporary tables were found, %d left", len(found), len(temporary), left)
	}
	t.Logf("%d statements, %d put together elsewhere", len(found), left)
}

// texts are the strings that each folder names at its top, by folder and name.
func texts(t *testing.T) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{}
	for range 3 { // one may be made of others that stand behind it
		eachFile(t, func(path string, file *ast.File, _ *token.FileSet) {
			dir := filepath.Dir(path)
			if all[dir] == nil {
				all[dir] = map[string]string{}
			}
			for _, d := range file.Decls {
				g, ok := d.(*ast.GenDecl)
				if !ok {
					continue
				}
				for _, s := range g.Specs {
					v, ok := s.(*ast.ValueSpec)
					if !ok || len(v.Values) != len(v.Names) {
						continue
					}
					for i, name := range v.Names {
						if text, whole, ok := value(v.Values[i], all[dir]); ok && whole {
							all[dir][name.Name] = text
						}
					}
				}
			}
		})
	}
	return all
}

// value is the text of an expression, and whether all of it is known; what is not
// known is empty.
func value(e ast.Expr, named map[string]string) (text string, whole, isText bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, true, e.Kind == token.STRING && err == nil
	case *ast.Ident:
		text, ok := named[e.Name]
		return text, ok, ok
	case *ast.ParenExpr:
		return value(e.X, named)
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			return "", false, false
		}
		left, a, isLeft := value(e.X, named)
		right, b, isRight := value(e.Y, named)
		return left + right, a && b, isLeft || isRight
	}
	return "", false, false
}
