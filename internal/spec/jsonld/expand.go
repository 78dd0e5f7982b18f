package jsonld

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/testamur/testamur/internal/spec/rdfc"
)

// Expanded writes statements as JSON-LD without any context, in the flattened
// form of JSON-LD API 1.1 §8.5 "Serialize RDF as JSON-LD": a list of the nodes,
// each property with its full address. Lists of the default graph and of each
// named one that stand alone are written as lists; values keep their datatype.
func Expanded(ds rdfc.Dataset) ([]byte, error) {
	graphs := map[rdfc.Term]map[rdfc.Term]*expandedNode{"": {}}
	for _, q := range ds {
		nodes := graphs[q.Graph]
		if nodes == nil {
			nodes = map[rdfc.Term]*expandedNode{}
			graphs[q.Graph] = nodes
		}
		s := nodeIn(nodes, q.Subject)
		if q.Predicate == rdfType && !q.Object.IsLiteral() {
			s.types = appendNew(s.types, q.Object)
		} else {
			p := iriOf(q.Predicate)
			s.values[p] = appendNew(s.values[p], q.Object)
		}
		if !q.Object.IsLiteral() && q.Object != rdfNil {
			o := nodeIn(nodes, q.Object)
			o.mentions++
		}
	}
	for g := range graphs {
		if g != "" {
			nodeIn(graphs[""], g)
		}
	}
	out := make([]any, 0, len(graphs[""]))
	for _, t := range sortedNodes(graphs[""]) {
		o := graphs[""][t].object(graphs[""], t)
		if inner, ok := graphs[t]; ok && t != "" {
			all := []any{}
			for _, u := range sortedNodes(inner) {
				if n := inner[u]; n.says() {
					all = append(all, n.object(inner, u))
				}
			}
			o["@graph"] = all
		} else if !graphs[""][t].says() {
			continue
		}
		out = append(out, o)
	}
	return json.MarshalIndent(out, "", "  ")
}

// expandedNode is a node of one graph.
type expandedNode struct {
	types    []rdfc.Term
	values   map[string][]rdfc.Term
	mentions int
	inList   bool // it is a cell that was written as part of a list
}

func nodeIn(nodes map[rdfc.Term]*expandedNode, t rdfc.Term) *expandedNode {
	if nodes[t] == nil {
		nodes[t] = &expandedNode{values: map[string][]rdfc.Term{}}
	}
	return nodes[t]
}

func appendNew(all []rdfc.Term, t rdfc.Term) []rdfc.Term {
	if slices.Contains(all, t) {
		return all
	}
	return append(all, t)
}

func (n *expandedNode) says() bool { return !n.inList && (len(n.types) > 0 || len(n.values) > 0) }

// sortedNodes are the nodes in order, the cells of lists marked first.
func sortedNodes(nodes map[rdfc.Term]*expandedNode) []rdfc.Term {
	all := make([]rdfc.Term, 0, len(nodes))
	for t, n := range nodes {
		all = append(all, t)
		for p, values := range n.values {
			if p == rdf+"rest" {
				continue
			}
			for _, v := range values {
				if cells, ok := listFrom(nodes, v); ok {
					for _, c := range cells {
						nodes[c].inList = true
					}
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b rdfc.Term) int { return cmp.Compare(a, b) })
	return all
}

// listFrom are the cells of a well-formed list that nothing else points into.
func listFrom(nodes map[rdfc.Term]*expandedNode, head rdfc.Term) (cells []rdfc.Term, ok bool) {
	for at := head; at != rdfNil; {
		n := nodes[at]
		if n == nil || !at.IsBlank() || n.mentions != 1 || len(n.types) > 0 || len(n.values) != 2 || len(cells) > len(nodes) ||
			len(n.values[rdf+"first"]) != 1 || len(n.values[rdf+"rest"]) != 1 {
			return nil, false
		}
		cells = append(cells, at)
		at = n.values[rdf+"rest"][0]
	}
	return cells, true
}

func (n *expandedNode) object(nodes map[rdfc.Term]*expandedNode, id rdfc.Term) map[string]any {
	o := map[string]any{"@id": iriOf(id)}
	if len(n.types) > 0 {
		types := make([]string, len(n.types))
		for i, t := range n.types {
			types[i] = iriOf(t)
		}
		slices.Sort(types)
		o["@type"] = types
	}
	for p, values := range n.values {
		all := make([]any, len(values))
		for i, v := range values {
			all[i] = expandedValue(nodes, v)
		}
		o[p] = all
	}
	return o
}

func expandedValue(nodes map[rdfc.Term]*expandedNode, v rdfc.Term) any {
	if v.IsLiteral() {
		return expandedLiteral(v)
	}
	cells, ok := listFrom(nodes, v)
	if !ok {
		return map[string]any{"@id": iriOf(v)}
	}
	items := make([]any, len(cells))
	for i, c := range cells {
		items[i] = expandedValue(nodes, nodes[c].values[rdf+"first"][0])
	}
	return map[string]any{"@list": items}
}

// expandedLiteral is a value object.
func expandedLiteral(v rdfc.Term) map[string]any {
	end := strings.LastIndexByte(string(v), '"')
	text, suffix := rdfc.Unescaped(string(v[1:end])), string(v[end+1:])
	switch {
	case strings.HasPrefix(suffix, "@"):
		return map[string]any{"@value": text, "@language": suffix[1:]}
	case strings.HasPrefix(suffix, "^^<"):
		return map[string]any{"@value": text, "@type": suffix[3 : len(suffix)-1]}
	}
	return map[string]any{"@value": text}
}

// iriOf is the text of an IRI or of a blank node's label.
func iriOf(t rdfc.Term) string {
	if t.IsIRI() {
		return string(t[1 : len(t)-1])
	}
	return string(t)
}
