// Package house tests the house itself: which package may import which, and the
// manners that no compiler checks.
package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/testamur/testamur/"

// house is every package in reading order: the standards, the ground, the
// people and what they earned, what is signed and shown, the ways in. A package
// imports only packages that stand before it.
var house = strings.Fields(`
	internal/standards internal/cost
	internal/spec/rdfc internal/spec/jsonld internal/spec/bitstring internal/spec/vc
	internal/spec/imscase internal/spec/ctdlasn internal/spec/baking internal/spec/shape internal/spec/vcdm internal/spec/openbadges internal/spec/openbadges2 internal/spec/clr internal/spec/pdf internal/spec/pesc
	internal/interop
	internal/tabular internal/typeface
	internal/fault internal/wording internal/mail internal/picture internal/id internal/day internal/access internal/page
	migrations internal/pg internal/postgres internal/pgtest
	internal/audit internal/shelves internal/once internal/event internal/bulk
	internal/institution internal/learner internal/consent internal/disclosure internal/release internal/framework internal/course
	internal/session
	internal/achievement internal/assertion internal/mastery internal/program internal/extract internal/search
	internal/keyring internal/credential internal/trust internal/verify internal/deposit internal/record internal/sharing internal/vcapi
	internal/transcript internal/archive
	internal/exchange internal/jobs internal/demo internal/degree internal/testbed
	internal/rest
	internal/web
	schema graph/model graph/plan graph/gen graph/generate graph/graphiql graph
	internal/benchgraph cmd/testamur
	internal/house
`)

// databaseFree are the packages that must not know PostgreSQL.
var databaseFree = []string{"internal/spec/", "internal/tabular", "internal/fault", "internal/id", "internal/day",
	"internal/access", "internal/page", "internal/picture", "internal/demo", "internal/degree", "internal/rest", "internal/web", "graph"}

func TestEachPackageHasOnePlace(t *testing.T) {
	for i, name := range house {
		if slices.Contains(house[:i], name) {
			t.Errorf("%s stands twice in the house", name)
		}
	}
}

func TestImportsPointUpTheList(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		name := strings.TrimPrefix(fields[0], module)
		place := slices.Index(house, name)
		if place < 0 {
			t.Errorf("%s has no place in the house: add it to the list where its imports allow", name)
			continue
		}
		for _, dep := range fields[1:] {
			checkImport(t, name, place, dep)
		}
	}
}

func checkImport(t *testing.T, name string, place int, dep string) {
	if ours, ok := strings.CutPrefix(dep, module); ok && !slices.Contains(house[:place], ours) {
		t.Errorf("%s imports %s, which does not stand above it", name, ours)
	}
	knowsDatabase := strings.HasPrefix(dep, "github.com/jackc/pgx") || dep == "database/sql"
	if knowsDatabase && slices.ContainsFunc(databaseFree, func(p string) bool { return strings.HasPrefix(name, p) }) {
		t.Errorf("%s imports %s: SQL belongs to the nouns", name, dep)
	}
	if strings.HasPrefix(name, "internal/spec/") && (dep == "net/http" || dep == "net" || dep == "os") {
		t.Errorf("%s imports %s: a standard is bytes and values", name, dep)
	}
}

func TestOnlyTheCommandReadsTheEnvironment(t *testing.T) {
	allowed := []string{"cmd/testamur/", "internal/standards/", "internal/pgtest/", "internal/interop/", "internal/benchgraph/"}
	eachFile(t, func(path string, file *ast.File, _ *token.FileSet) {
		if slices.ContainsFunc(allowed, func(p string) bool { return strings.HasPrefix(path, p) }) {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "os" && (sel.Sel.Name == "Getenv" || sel.Sel.Name == "LookupEnv" || sel.Sel.Name == "Environ") {
					t.Errorf("%s reads the environment", path)
				}
			}
			return true
		})
	})
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	documented, seen := map[string]bool{}, map[string]bool{}
	eachFile(t, func(path string, file *ast.File, _ *token.FileSet) {
		dir := filepath.Dir(path)
		seen[dir] = true
		if file.Doc != nil && len(file.Doc.Text()) > 60 {
			documented[dir] = true
		}
	})
	for dir := range seen {
		if !documented[dir] {
			t.Errorf("%s has no package comment of a sentence or more", dir)
		}
	}
}

func TestEveryExportedThingIsDocumented(t *testing.T) {
	eachFile(t, func(path string, file *ast.File, fset *token.FileSet) {
		if strings.HasSuffix(path, ".resolvers.go") {
			return // the schema describes them
		}
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
					t.Errorf("%s: %s has no comment", fset.Position(d.Pos()), d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if ts, ok := s.(*ast.TypeSpec); ok && ts.Name.IsExported() && d.Doc == nil && ts.Doc == nil {
						t.Errorf("%s: type %s has no comment", fset.Position(ts.Pos()), ts.Name.Name)
					}
				}
			}
		}
	})
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	e := d.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

// actorless are the operations that find out who the actor is, or that serve
// what is public before one is known.
var actorless = []string{
	"institution.Authenticate", "institution.Recall", "institution.Confirm", "institution.BySlug", "institution.Slugs", "institution.Found",
	"session.Authenticate", "session.End",
}

func TestEveryOperationTakesAnActor(t *testing.T) {
	eachFile(t, func(path string, file *ast.File, fset *token.FileSet) {
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() || receiver(f) != "Service" || f.Type.Params == nil {
				continue
			}
			if slices.Contains(actorless, file.Name.Name+"."+f.Name.Name) {
				continue
			}
			if !secondIsActor(f) {
				t.Errorf("%s: %s.%s does not take an access.Actor straight after the context", fset.Position(f.Pos()), file.Name.Name, f.Name.Name)
			}
		}
	})
}

func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	if star, ok := f.Recv.List[0].Type.(*ast.StarExpr); ok {
		if id, ok := star.X.(*ast.Ident); ok {
			return id.Name
		}
	}
	return ""
}

func secondIsActor(f *ast.FuncDecl) bool {
	var types []ast.Expr
	for _, p := range f.Type.Params.List {
		for range max(1, len(p.Names)) {
			types = append(types, p.Type)
		}
	}
	if len(types) < 2 {
		return false
	}
	sel, ok := types[1].(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "Actor"
}

// eachFile visits every file of ours that is neither a test nor generated.
func eachFile(t *testing.T, visit func(path string, file *ast.File, fset *token.FileSet)) {
	t.Helper()
	root := filepath.Join("..", "..")
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); n == "node_modules" || n == "testdata" || n == "bin" || (len(n) > 2 && n[0] == '.') {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		if ast.IsGenerated(file) {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		visit(filepath.ToSlash(rel), file, fset)
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
}
