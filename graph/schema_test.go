package graph_test

import (
	"bytes"
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

	"github.com/google/go-cmp/cmp"
	gql "github.com/vektah/gqlparser/v2/ast"

	"github.com/testamur/testamur/graph/gen"
	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/keyring"
)

func sdl() *gql.Schema { return gen.NewExecutableSchema(gen.Config{}).Schema() }

// ours are the types that the schema's own files define.
func ours(s *gql.Schema) map[string]*gql.Definition {
	all := map[string]*gql.Definition{}
	for name, d := range s.Types {
		if !d.BuiltIn && !strings.HasPrefix(name, "__") {
			all[name] = d
		}
	}
	return all
}

func TestEverythingInTheSchemaIsDescribed(t *testing.T) {
	t.Parallel()
	for name, d := range ours(sdl()) {
		if d.Description == "" {
			t.Errorf("%s is not described", name)
		}
		for _, f := range d.Fields {
			if f.Description == "" && !strings.HasPrefix(f.Name, "__") {
				t.Errorf("%s.%s is not described", name, f.Name)
			}
			for _, a := range f.Arguments {
				if a.Description == "" && !strings.HasPrefix(f.Name, "__") {
					t.Errorf("%s.%s(%s) is not described", name, f.Name, a.Name)
				}
			}
		}
		for _, v := range d.EnumValues {
			if v.Description == "" {
				t.Errorf("%s.%s is not described", name, v.Name)
			}
		}
	}
}

func TestMutationsHaveOneForm(t *testing.T) {
	t.Parallel()
	s := sdl()
	for _, f := range s.Mutation.Fields {
		title := strings.ToUpper(f.Name[:1]) + f.Name[1:]
		if len(f.Arguments) != 1 || f.Arguments[0].Name != "input" || f.Arguments[0].Type.String() != title+"Input!" {
			t.Errorf("%s does not take input: %sInput!", f.Name, title)
		}
		if f.Type.String() != title+"Payload!" {
			t.Errorf("%s gives %s", f.Name, f.Type)
		}
		payload := s.Types[f.Type.Name()]
		if e := payload.Fields.ForName("userErrors"); e == nil || e.Type.String() != "[UserError!]!" {
			t.Errorf("%s has no userErrors", payload.Name)
		}
		for _, p := range payload.Fields {
			if p.Type.NonNull && p.Name != "userErrors" && p.Name != "results" {
				t.Errorf("%s.%s must be null when there are userErrors", payload.Name, p.Name)
			}
		}
	}
}

func TestListsThatMayBeLongArePaged(t *testing.T) {
	t.Parallel()
	for name, d := range ours(sdl()) {
		for _, f := range d.Fields {
			if !strings.HasSuffix(f.Type.Name(), "Connection") {
				continue
			}
			if f.Arguments.ForName("first") == nil || f.Arguments.ForName("after") == nil {
				t.Errorf("%s.%s has no first and after", name, f.Name)
			}
		}
	}
}

func TestEnumsAreThoseOfTheDomain(t *testing.T) {
	t.Parallel()
	upper := func(words ...string) []string {
		for i, w := range words {
			words[i] = strings.ToUpper(strings.NewReplacer(":", "_").Replace(w))
		}
		return words
	}
	var kinds, roles, scopes, imports []string
	for _, k := range fault.Kinds() {
		kinds = append(kinds, string(k))
	}
	for _, r := range append(access.Grantable(), access.Visitor, access.System) {
		roles = append(roles, string(r))
	}
	for _, s := range access.Scopes() {
		scopes = append(scopes, string(s))
	}
	for _, k := range exchange.Kinds() {
		imports = append(imports, string(k))
	}
	for name, want := range map[string][]string{
		"ErrorCode": kinds, "Role": upper(roles...), "Scope": upper(scopes...), "ImportKind": imports,
		"ErrorPolicy":     {exchange.RejectAll, exchange.RejectFailedRows},
		"SigningKeyState": upper(keyring.Active, keyring.Retired, keyring.Compromised),
		"JobState":        upper(exchange.Queued, exchange.Running, exchange.Succeeded, exchange.Stopped, exchange.Cancelled),
	} {
		var got []string
		for _, v := range sdl().Types[name].EnumValues {
			got = append(got, v.Name)
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-domain +schema):\n%s", name, diff)
		}
	}
}

func TestResolversOnlyTranslate(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.resolvers.go")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := set.Position(f.Body.Rbrace).Line - set.Position(f.Body.Lbrace).Line - 1; n > 12 {
				t.Errorf("%s: %s has %d lines; a resolver has at most 12", name, f.Name.Name, n)
			}
		}
	}
}

// TestGeneratedCodeIsFresh generates in a copy of the module and compares.
func TestGeneratedCodeIsFresh(t *testing.T) {
	if testing.Short() {
		t.Skip("generates code")
	}
	t.Parallel()
	root, copied := "..", t.TempDir()
	copyModule(t, root, copied)
	cmd := exec.CommandContext(t.Context(), "go", "run", "./graph/generate")
	cmd.Dir = copied
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	compare(t, root, copied)
}

// copyModule copies what generation reads: the schema and the Go code.
func copyModule(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains([]string{".git", "testdata", "node_modules", "bin", "data", ".cache"}, d.Name()) {
				return filepath.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		wanted := strings.Contains(path, "graphiql") || slices.Contains([]string{".go", ".mod", ".sum", ".yml", ".graphqls", ".gotpl", ".sql"}, filepath.Ext(path)) && !strings.HasSuffix(path, "_test.go")
		if !wanted {
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), raw, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// compare reports every generated file that is not as it was.
func compare(t *testing.T, root, copied string) {
	t.Helper()
	for _, dir := range []string{"graph", "graph/gen", "graph/model"} {
		made, err := os.ReadDir(filepath.Join(copied, dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range made {
			if f.IsDir() {
				continue
			}
			name := filepath.Join(dir, f.Name())
			want, err := os.ReadFile(filepath.Join(copied, name))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(filepath.Join(root, name)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s is not what the schema gives: run go generate ./graph", name)
			}
		}
	}
}
