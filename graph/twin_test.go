package graph_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/testamur/testamur/graph"
	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/pgtest"
)

// A random query over the whole schema gets the same bytes from the generated
// writers and from gqlgen's executor, whoever asks.
func TestWritersAnswerAsTheExecutorDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pgtest.New(t))
	w.enough(t)
	c := newCorpus(w, 1)
	c.compare(t, 700, false)
}

// The same where tables cannot be read, so that fields of every kind fail and
// nulls take their parents with them.
func TestWritersFailAsTheExecutorDoes(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	w := newWorld(t, pgtest.Open(t, url, pg.Options{MaxConns: 4}))
	w.enough(t)
	owner, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close(t.Context())
	if _, err := owner.Exec(t.Context(), `
		revoke select on achievement_alignment, course, rubric_criterion, learner_name, achievement_version from testamur_app`); err != nil {
		t.Fatal(err)
	}
	c := newCorpus(w, 2)
	c.compare(t, 500, true)
}

// enough is some more learners with what they earned.
func (w *world) enough(t testing.TB) {
	t.Helper()
	for range 3 {
		w.newAssertion()
		w.newLearner()
		w.newJob()
	}
}

// corpus makes queries.
type corpus struct {
	*world
	schema  *ast.Schema
	r       *rand.Rand
	vars    map[string]any
	varDefs []string
	parts   []string // fragments
}

func newCorpus(w *world, seed uint64) *corpus {
	return &corpus{world: w, schema: graph.Schema(), r: rand.New(rand.NewPCG(seed, 7))}
}

func (c *corpus) one(n int) bool { return c.r.IntN(n) == 0 }

// query is a random valid document.
func (c *corpus) query() (text string, variables map[string]any) {
	c.vars, c.varDefs, c.parts = map[string]any{}, nil, nil
	body := c.selection(c.schema.Query, 4)
	head := ""
	if len(c.varDefs) > 0 {
		head = "query(" + strings.Join(c.varDefs, ", ") + ") "
	}
	return head + body + "\n" + strings.Join(c.parts, "\n"), c.vars
}

// selection is what is asked of a type.
func (c *corpus) selection(d *ast.Definition, depth int) string {
	var b strings.Builder
	b.WriteString("{ ")
	some := 0
	for range 1 + c.r.IntN(4) {
		some += c.field(&b, d, depth)
	}
	if some == 0 || c.one(8) {
		b.WriteString("__typename ")
	}
	if d.Kind == ast.Interface {
		for _, p := range c.schema.GetPossibleTypes(d) {
			if c.one(3) {
				fmt.Fprintf(&b, "... on %s %s ", p.Name, c.selection(p, depth-1))
			}
		}
	} else if d != c.schema.Query && c.one(6) {
		if c.one(2) {
			fmt.Fprintf(&b, "...%s %s ", c.condition(), c.selection(d, depth-1))
		} else {
			name := fmt.Sprintf("f%d", len(c.parts))
			c.parts = append(c.parts, "")
			c.parts[len(c.parts)-1] = ""
			at := len(c.parts) - 1
			c.parts[at] = fmt.Sprintf("fragment %s on %s %s", name, d.Name, c.selection(d, depth-1))
			fmt.Fprintf(&b, "...%s%s ", name, c.condition())
		}
	}
	b.WriteString("}")
	return b.String()
}

// field asks one field, under an alias of its own unless it has no arguments.
func (c *corpus) field(b *strings.Builder, d *ast.Definition, depth int) int {
	f := d.Fields[c.r.IntN(len(d.Fields))]
	of := c.schema.Types[f.Type.Name()]
	leaf := len(of.Fields) == 0
	if strings.HasPrefix(f.Name, "__") || strings.HasPrefix(f.Name, "verifyCredential") || depth <= 0 && !leaf {
		return 0
	}
	if d == c.schema.Query && leaf {
		return 0
	}
	if len(f.Arguments) > 0 || c.one(9) || !leaf {
		fmt.Fprintf(b, "a%d: ", c.r.IntN(1_000_000))
	}
	b.WriteString(f.Name)
	c.arguments(b, f)
	b.WriteString(c.condition())
	if !leaf {
		b.WriteString(" " + c.selection(of, depth-1))
	}
	b.WriteString(" ")
	return 1
}

// condition is a directive, now and then.
func (c *corpus) condition() string {
	if !c.one(10) {
		return ""
	}
	name := []string{"skip", "include"}[c.r.IntN(2)]
	if c.one(2) {
		return fmt.Sprintf(" @%s(if: %v)", name, c.one(2))
	}
	return fmt.Sprintf(" @%s(if: $%s)", name, c.variable("Boolean!", c.one(2)))
}

func (c *corpus) variable(kind string, v any) string {
	name := fmt.Sprintf("v%d", len(c.varDefs))
	c.varDefs, c.vars[name] = append(c.varDefs, "$"+name+": "+kind), v
	return name
}

func (c *corpus) arguments(b *strings.Builder, f *ast.FieldDefinition) {
	var given []string
	for _, a := range f.Arguments {
		if !a.Type.NonNull && !c.one(3) && a.Name != "first" {
			continue
		}
		if a.Type.NamedType == "Int" && c.one(4) {
			given = append(given, a.Name+": $"+c.variable("Int", 1+c.r.IntN(3)))
			continue
		}
		given = append(given, a.Name+": "+c.literal(a.Type, a.Name))
	}
	if len(given) > 0 {
		b.WriteString("(" + strings.Join(given, ", ") + ")")
	}
}

// literal is a value for an argument; some are wrong in what they say, none in
// their form.
func (c *corpus) literal(t *ast.Type, name string) string {
	if !t.NonNull && c.one(12) {
		return "null"
	}
	if t.Elem != nil {
		return "[" + c.literal(t.Elem, name) + ", " + c.literal(t.Elem, name) + "]"
	}
	switch t.NamedType {
	case "ID":
		return fmt.Sprintf("%q", c.id())
	case "Int":
		return []string{"1", "2", "3", "100", "0", "1000"}[c.r.IntN(6)]
	case "Float":
		return "2.5"
	case "Boolean":
		return fmt.Sprint(c.one(2))
	case "Date":
		return `"2026-05-01"`
	case "DateTime":
		return `"2026-05-01T00:00:00Z"`
	case "String":
		return []string{`"a"`, `"Data"`, `""`, `"eyJ2IjoxfQ"`, `"é"`}[c.r.IntN(5)]
	}
	d := c.schema.Types[t.NamedType]
	if d.Kind == ast.Enum {
		return d.EnumValues[c.r.IntN(len(d.EnumValues))].Name
	}
	if d.Kind == ast.Scalar {
		return `"x"`
	}
	var given []string
	for _, f := range d.Fields {
		if f.Type.NonNull || c.one(3) {
			given = append(given, f.Name+": "+c.literal(f.Type, f.Name))
		}
	}
	return "{" + strings.Join(given, ", ") + "}"
}

// id is one that there is, more often than not.
func (c *corpus) id() string {
	names := make([]string, 0, len(c.ids))
	for name := range c.ids {
		if name != "document" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if c.one(8) {
		return "lrn_nobody"
	}
	return c.ids[names[c.r.IntN(len(names))]]
}

var requestID = regexp.MustCompile(`[a-z2-7]{16}\b`)

// parts are the data of an answer, byte for byte, and its errors in an order.
func parted(t testing.TB, a answer) (data string, errors []string) {
	t.Helper()
	var p struct {
		Data   json.RawMessage
		Errors []json.RawMessage
	}
	if err := json.Unmarshal([]byte(a.Raw), &p); err != nil {
		t.Fatal(err)
	}
	for _, e := range p.Errors {
		text := string(e)
		if strings.Contains(text, `"INTERNAL"`) {
			text = requestID.ReplaceAllString(text, "x")
		}
		errors = append(errors, text)
	}
	slices.Sort(errors)
	return string(p.Data), errors
}

// compare asks n queries both ways, and again when it is remembered who asks and
// what the query reads.
func (c *corpus) compare(t *testing.T, n int, failing bool) {
	a := c.api
	ordinary := graph.NewOrdinaryHandler(a.config())
	asked, quick := 0, a.config()
	quick.Actor = func(*http.Request) (access.Actor, error) { asked++; return a.who, nil }
	counts := map[string]int64{}
	quick.Recall = func(*http.Request) (access.Actor, int64, bool) {
		n, ok := counts[a.who.ID+a.who.InstitutionID]
		return a.who, n, ok
	}
	quick.Confirm = func(_ *http.Request, n int64) { counts[a.who.ID+a.who.InstitutionID] = n }
	remembering := graph.NewHandler(quick)
	learner := access.Actor{ID: "cli_self", InstitutionID: string(c.Home.ID), Roles: []access.Role{access.Learner}, LearnerID: c.ids["learner"]}
	callers := []access.Actor{c.As(access.Registrar, access.Administrator), c.As(access.Registrar), c.As(access.Reader), learner, access.Anonymous(),
		{ID: "cli_x", InstitutionID: string(c.Neighbour.ID), Roles: []access.Role{access.Registrar}}}
	withData, withErrors, spared := 0, 0, 0
	for i := range n {
		text, vars := c.query()
		var args []any
		for name, v := range vars {
			args = append(args, name, v)
		}
		a.who = callers[0]
		if i%3 == 0 {
			a.who = callers[i/3%len(callers)]
		}
		a.handler = remembering
		got := a.ask(t, text, args...)
		before := asked
		again := a.ask(t, text, args...)
		if asked == before {
			spared++
		}
		a.handler = ordinary
		want := a.ask(t, text, args...)
		gotData, gotErrors := parted(t, got)
		wantData, wantErrors := parted(t, want)
		if data, errors := parted(t, again); data != gotData || !slices.Equal(errors, gotErrors) || again.Status != got.Status {
			t.Fatalf("as %v\n%s\n%v\nat first: %d %s %s\nand again: %d %s %s", a.who.Roles, text, vars, got.Status, gotData, gotErrors, again.Status, data, errors)
		}
		if gotData != wantData || !slices.Equal(gotErrors, wantErrors) || got.Status != want.Status {
			t.Fatalf("as %v\n%s\n%v\nwriters:  %d %s %s\nexecutor: %d %s %s", a.who.Roles, text, vars, got.Status, gotData, gotErrors, want.Status, wantData, wantErrors)
		}
		if strings.Contains(gotData, `":"`) {
			withData++
		}
		if len(gotErrors) > 0 {
			withErrors++
		}
	}
	t.Logf("%d queries, %d with data, %d with errors, %d asked again by what is remembered", n, withData, withErrors, spared)
	if withData < n/5 || spared < n/8 || failing && withErrors < n/8 {
		t.Errorf("of %d queries %d had data and %d errors: this compares little", n, withData, withErrors)
	}
}
