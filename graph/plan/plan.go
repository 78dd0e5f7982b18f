// Package plan answers GraphQL queries the short way: the selections of an
// operation are collected once, and its answer is written straight into one
// buffer, value by value, in the order of the query.
//
// What a field means is not decided here. The writers of every type are
// generated (graph/gen/writers.generated.go) from the same schema, the same
// models and the same resolvers as gqlgen's own executor, which stays in use for
// whatever is not a plain query; a test holds the two equal byte for byte. This
// package is what all writers share: the collected plan, the buffer, the path to
// where an error happened, and the rule that a null where none may be takes its
// parent with it (GraphQL October 2021 §6.4.4).
//
// One goroutine writes one answer. Nothing waits for siblings: the loaders of
// package graph know beforehand what siblings will ask for.
package plan

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/vektah/gqlparser/v2/ast"
)

// Typename is the Index of the field __typename, which every type has.
const Typename = -1

// Table is what is known of a type: its name and those of the abstract types
// that it stands for, and the place of each field in its generated writer.
type Table struct {
	Satisfies []string
	Fields    map[string]int
}

// Tables are the types of a schema by name.
type Tables map[string]Table

// Shared are the types whose values are the same for all who may read them.
type Shared map[string]bool

// Field is one field of the answer, merged from everywhere the query asks for
// it.
type Field struct {
	Index     int // in the generated writer of its object
	Type      string
	Key       []byte // "alias": as JSON
	Collected graphql.CollectedField
	Sub       Selections // what is asked of its value; nil for a leaf
	Closed    bool       // whether all of its value is of shared types and depends on no variable
	Number    uint64     // by which its values are kept, unlike that of every other; 0: they are not
	slot      int        // where its arguments are kept during an answer
}

// Selections are the fields asked of each type that a value may have, sorted by
// the type's name: one for an object, several for an interface.
type Selections []Selection

// Selection is what is asked of one type.
type Selection struct {
	Type   string
	Fields []Field
}

// Of is what is asked of a type.
func (s Selections) Of(name string) []Field {
	if len(s) == 1 && s[0].Type == name {
		return s[0].Fields
	}
	i, ok := slices.BinarySearchFunc(s, name, func(s Selection, name string) int { return strings.Compare(s.Type, name) })
	if !ok {
		return nil
	}
	return s[i].Fields
}

// Plan is an operation whose selections are collected. It serves many requests
// at once.
type Plan struct {
	Root  []Field
	slots int
	last  atomic.Int64 // bytes of the last answer
}

// room is how large a buffer the next answer is given: an operation that is
// asked again is answered at much the same length.
func (p *Plan) room() int { return int(p.last.Load())*9/8 + 512 }

func (p *Plan) took(n int) { p.last.Store(int64(min(n, 4<<20))) }

// Make plans a query. It declines, with false, what the writers do not know:
// introspection, and answers that come in parts.
func Make(o *graphql.OperationContext, schema *ast.Schema, tables Tables, shared Shared) (*Plan, bool) {
	return (&maker{o: o, schema: schema, tables: tables, shared: shared}).plan()
}

type maker struct {
	o        *graphql.OperationContext
	schema   *ast.Schema
	tables   Tables
	shared   Shared
	numbers  *atomic.Uint64 // the last that was given; nil: none is
	slots    int
	declined bool
}

func (m *maker) plan() (*Plan, bool) {
	root := m.of(m.schema.Query.Name, m.o.Operation.SelectionSet)
	if m.declined {
		return nil, false
	}
	return &Plan{Root: root, slots: m.slots}, true
}

// of are the fields that a set asks of a type.
func (m *maker) of(name string, set ast.SelectionSet) []Field {
	table, ok := m.tables[name]
	if !ok {
		m.declined = true
		return nil
	}
	collected := graphql.CollectFields(m.o, set, table.Satisfies)
	fields := make([]Field, 0, len(collected))
	for _, c := range collected {
		key, err := json.Marshal(c.Alias)
		if err != nil || len(c.Deferrables) > 0 {
			m.declined = true
			return nil
		}
		f := Field{Index: Typename, Type: name, Key: append(key, ':'), Collected: c, slot: -1}
		if c.Name != "__typename" {
			if f.Index, ok = table.Fields[c.Name]; !ok {
				m.declined = true
				return nil
			}
			if len(c.Definition.Arguments) > 0 {
				f.slot, m.slots = m.slots, m.slots+1
			}
			f.Sub = m.below(c)
			if f.Closed = m.closed(&f); f.Closed && m.numbers != nil {
				f.Number = m.numbers.Add(1)
			}
		}
		fields = append(fields, f)
	}
	return fields
}

// below is what is asked of the value of a field.
func (m *maker) below(c graphql.CollectedField) Selections {
	if len(c.Selections) == 0 {
		return nil
	}
	var all Selections
	for _, d := range m.schema.GetPossibleTypes(m.schema.Types[c.Definition.Type.Name()]) {
		all = append(all, Selection{Type: d.Name, Fields: m.of(d.Name, c.Selections)})
	}
	slices.SortFunc(all, func(a, b Selection) int { return strings.Compare(a.Type, b.Type) })
	return all
}

// closed reports whether a value is the same whenever the field is asked of the
// same object, by whoever may.
func (m *maker) closed(f *Field) bool {
	for _, a := range f.Collected.Arguments {
		if variable(a.Value) {
			return false
		}
	}
	for _, s := range f.Sub {
		if !m.shared[s.Type] {
			return false
		}
		for i := range s.Fields {
			if s.Fields[i].Index != Typename && !s.Fields[i].Closed {
				return false
			}
		}
	}
	return true
}

func variable(v *ast.Value) bool {
	return v != nil && (v.Kind == ast.Variable || slices.ContainsFunc(v.Children, func(c *ast.ChildValue) bool { return variable(c.Value) }))
}

// Cache keeps the plans of the documents that are asked again and again.
//
// One whose document is long is made anew each time: a plan is many times as large
// as its text, and the handler does not keep such a document either, so that
// nobody would find it again.
type Cache struct {
	shared  Shared
	numbers atomic.Uint64

	mu    sync.Mutex
	known *simplelru.LRU[key, *Plan]
}

// maxText is how long a document is whose plans are kept, in bytes.
const maxText = 8 << 10

// key is what a plan depends on. The document is one of the parsed documents
// that the handler keeps by their text.
type key struct {
	operation *ast.OperationDefinition
	choices   string
}

// NewCache keeps up to n plans.
func NewCache(n int, shared Shared) *Cache {
	known, err := simplelru.NewLRU[key, *Plan](n, nil)
	if err != nil {
		panic(err) // a size of nothing
	}
	return &Cache{shared: shared, known: known}
}

// Of is the plan of the operation that a request runs; false when it is to be
// run by gqlgen's own executor.
func (c *Cache) Of(o *graphql.OperationContext, schema *ast.Schema, tables Tables) (*Plan, bool) {
	if len(o.RawQuery) > maxText {
		return Make(o, schema, tables, c.shared)
	}
	k := key{o.Operation, choices(o)}
	c.mu.Lock()
	p, ok := c.known.Get(k)
	c.mu.Unlock()
	if ok {
		return p, p != nil
	}
	p, ok = (&maker{o: o, schema: schema, tables: tables, shared: c.shared, numbers: &c.numbers}).plan()
	c.mu.Lock()
	c.known.Add(k, p)
	c.mu.Unlock()
	return p, ok
}

// choices are the values of the variables by which @skip and @include may leave
// parts of the operation out: its Boolean ones.
func choices(o *graphql.OperationContext) string {
	var b strings.Builder
	for _, v := range o.Operation.VariableDefinitions {
		if v.Type.NamedType != "Boolean" {
			continue
		}
		switch set, given := o.Variables[v.Variable].(bool); {
		case set:
			b.WriteByte('t')
		case given:
			b.WriteByte('f')
		default:
			b.WriteByte('n')
		}
	}
	return b.String()
}
