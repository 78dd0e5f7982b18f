package jsonld

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/testamur/testamur/internal/spec/rdfc"
)

// The terms that the walk itself writes.
const (
	rdfType  rdfc.Term = "<" + rdf + "type>"
	rdfFirst rdfc.Term = "<" + rdf + "first>"
	rdfRest  rdfc.Term = "<" + rdf + "rest>"
	rdfNil   rdfc.Term = "<" + rdf + "nil>"
)

// walker writes the statements of a document, node by node: expansion and
// deserialization to RDF in one pass.
type walker struct {
	*tree
	root int32
	library
	direction Direction
	quads     rdfc.Dataset
	text      arena
	blanks    int
	placed    bool                 // blank nodes are labelled by their place in the tree
	labels    map[string]rdfc.Term // labels of the document, renamed
	made      map[local]*active
	own       int      // contexts made for this document alone
	members   []member // a stack: each node's members above those of its parents

	outer *Document  // in whose @context the document is read
	stand *stand     // where parts are to stand
	keep  *tree      // what stands for the part of a frame
	kept  *keptQuads // what it says there, if it can be kept
}

// local is a derivation that is kept for one document only.
type local struct {
	from *active
	step derivation
}

// member is a member of a node object and what its name means.
type member struct {
	at  int32
	def *term
}

// place is where a value goes.
type place struct {
	subject, graph rdfc.Term
	def            *term        // the property; nil at the top, in @graph and in @included
	scope          *term        // the term whose own context applies to the value
	list           *[]rdfc.Term // collects the items of a list instead
}

// mapEntry is what a container adds to the nodes in it.
type mapEntry struct {
	fromMap bool
	id      rdfc.Term
	typ     rdfc.Term
	more    rdfc.Quad // a statement about the node, but for its subject
}

// fail puts the place to a refusal that has none.
func (w *walker) fail(at int32, err error) error {
	if e, ok := err.(*Error); ok && !e.placed {
		e.Pointer, e.placed = w.pointer(at), true
	}
	return err
}

func (w *walker) refuse(at int32, code Code, format string, args ...any) error {
	return w.fail(at, refuse(code, format, args...).of(w.nodes[at].key))
}

// document walks from the root.
func (w *walker) document() error {
	if err := w.library.check(); err != nil {
		return err
	}
	ac := contexts.initial()
	if w.outer != nil {
		var err error
		if ac, err = w.outer.inside(); err != nil {
			return err
		}
	}
	switch w.nodes[w.root].kind {
	case kindObject:
		return w.object(ac, w.root, place{}, mapEntry{})
	case kindArray:
		return w.each(ac, w.root, place{}, mapEntry{})
	}
	return w.refuse(w.root, InvalidValue, "the document is neither an object nor an array")
}

// What a blank node stands for, when it is labelled by its place.
const (
	ofNode  = 'n'
	ofGraph = 'g'
	ofCell  = 'l' // of a list
	ofLabel = 'd' // a label of the document
)

// blank is a new blank node. Labelled by its place, it is that of a value, and
// of a list the cell of an item.
func (w *walker) blank(what byte, at int32, item int) rdfc.Term {
	if w.placed {
		return rdfc.Term(fmt.Sprintf("_:%c%dx%d", what, at, item))
	}
	var digits [12]byte
	n := strconv.AppendInt(digits[:0], int64(w.blanks), 10)
	w.blanks++
	return w.text.join("_:b", string(n), "")
}

func (w *walker) quad(s, p, o, g rdfc.Term) {
	w.quads = append(w.quads, rdfc.Quad{Subject: s, Predicate: p, Object: o, Graph: g})
}

// put writes a value where it goes.
func (w *walker) put(at int32, p place, o rdfc.Term) error {
	switch {
	case p.list != nil:
		*p.list = append(*p.list, o)
	case p.def.reverse:
		if o.IsLiteral() {
			return w.refuse(at, InvalidValue, "%q is a reverse property, so its values are nodes", p.def.name)
		}
		w.quad(o, p.def.node, p.subject, p.graph)
	default:
		w.quad(p.subject, p.def.node, o, p.graph)
	}
	return nil
}

// each walks a value, or all values of an array.
func (w *walker) each(ac *active, at int32, p place, e mapEntry) error {
	switch n := &w.nodes[at]; n.kind {
	case kindArray:
		for c := n.child; c != 0; c = w.nodes[c].next {
			var err error
			if p.list != nil && w.nodes[c].kind == kindArray {
				if p.def.containers&asList == 0 {
					// By JSON-LD API §5.1.2 step 5.2 the items join the outer list;
					// jsonld.js makes a list of lists of them.
					return w.refuse(c, InvalidValue, "an array stands in a list of a term that is no list container, which processors read differently")
				}
				err = w.list(ac, c, p)
			} else {
				err = w.each(ac, c, p, e)
			}
			if err != nil {
				return err
			}
		}
		return nil
	case kindObject:
		return w.object(ac, at, p, e)
	case kindPart:
		return w.part(ac, at, p, e)
	case kindNull:
		return w.refuse(at, UnsignedValue, "null says nothing and would not be signed; leave the member out")
	}
	if p.def == nil {
		return w.refuse(at, UnsignedValue, "a bare value has no place here and would not be signed")
	}
	if p.def.context != nil {
		var err error
		if ac, err = w.scoped(at, ac, p.def, byProperty); err != nil {
			return err
		}
	}
	o, err := w.scalar(ac, p.def, at)
	if err != nil {
		return err
	}
	if e.typ != "" && !o.IsLiteral() {
		w.quad(o, rdfType, e.typ, p.graph)
		e.typ = ""
	}
	if e.more.Predicate != "" && !o.IsLiteral() {
		w.quad(o, e.more.Predicate, e.more.Object, p.graph)
		e.more = rdfc.Quad{}
	}
	if e.id != "" || e.typ != "" || e.more.Predicate != "" {
		return w.refuse(at, InvalidValue, "the values of this map are nodes")
	}
	return w.put(at, p, o)
}

// property walks the value of a member, as the term's container has it.
func (w *walker) property(ac *active, at int32, p place) error {
	n := &w.nodes[at]
	c := p.def.containers
	switch {
	case p.def.coerce == coerceJSON:
		o, err := w.jsonLiteral(at)
		if err != nil {
			return err
		}
		return w.put(at, p, o)
	case c&asLanguage != 0 && n.kind == kindObject:
		return w.languageMap(ac, at, p)
	case c&(asIndex|asID|asType) != 0 && n.kind == kindObject:
		return w.keyedMap(ac, at, p)
	case c&asList != 0 && !w.isList(ac, at):
		return w.list(ac, at, p)
	case c&asGraph != 0:
		return w.graphs(ac, at, p, mapEntry{})
	}
	return w.each(ac, at, p, mapEntry{})
}

// isList reports whether a value is already a list object.
func (w *walker) isList(ac *active, at int32) bool {
	if w.nodes[at].kind != kindObject {
		return false
	}
	for c := w.nodes[at].child; c != 0; c = w.nodes[c].next {
		key := w.nodes[c].key
		if t := ac.terms[key]; key == "@list" || t != nil && t.keyword == kwList {
			return true
		}
	}
	return false
}

// list writes a value as an RDF list.
func (w *walker) list(ac *active, at int32, p place) error {
	if p.def.reverse {
		return w.refuse(at, InvalidValue, "%q is a reverse property, so its value is no list", p.def.name)
	}
	var items []rdfc.Term
	inner := p
	inner.list = &items
	if err := w.each(ac, at, inner, mapEntry{}); err != nil {
		return err
	}
	head := rdfNil
	for i, item := range slices.Backward(items) {
		cell := w.blank(ofCell, at, i)
		w.quad(cell, rdfFirst, item, p.graph)
		w.quad(cell, rdfRest, head, p.graph)
		head = cell
	}
	return w.put(at, p, head)
}

// graphs puts each value into a graph of its own.
func (w *walker) graphs(ac *active, at int32, p place, e mapEntry) error {
	if w.nodes[at].kind == kindArray {
		for c := w.nodes[at].child; c != 0; c = w.nodes[c].next {
			if err := w.graphs(ac, c, p, e); err != nil {
				return err
			}
		}
		return nil
	}
	if w.nodes[at].kind != kindObject {
		return w.refuse(at, UnsignedValue, "the values of %q are graphs; a bare value in one would not be signed", p.def.name)
	}
	name := e.id
	if name == "" {
		name = w.blank(ofGraph, at, 0)
	}
	if err := w.put(at, p, name); err != nil {
		return err
	}
	// The value stands free in its graph, but the term's own context applies.
	return w.object(ac, at, place{graph: name, scope: p.scope}, mapEntry{fromMap: e.fromMap})
}

// languageMap writes {"en": "text", …}.
func (w *walker) languageMap(ac *active, at int32, p place) error {
	for c := w.nodes[at].child; c != 0; c = w.nodes[c].next {
		lang := w.nodes[c].key
		if ac.expand(lang, true) == "@none" || lang == "@none" {
			lang = ""
		} else if !validLanguage(lang) {
			return w.refuse(c, InvalidValue, "%q is not a language tag", lang)
		}
		if err := w.languageTexts(ac, c, p, lang); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) languageTexts(ac *active, at int32, p place, lang string) error {
	n := &w.nodes[at]
	switch n.kind {
	case kindArray:
		for c := n.child; c != 0; c = w.nodes[c].next {
			if w.nodes[c].kind == kindArray {
				return w.refuse(c, InvalidValue, "an array stands where a text is due")
			}
			if err := w.languageTexts(ac, c, p, lang); err != nil {
				return err
			}
		}
		return nil
	case kindString:
		dir := ac.direction
		if p.def.direction.state != unset {
			dir = p.def.direction.text
		}
		o, err := w.textLiteral(at, n.text, lang, dir)
		if err != nil {
			return err
		}
		return w.put(at, p, o)
	}
	return w.refuse(at, InvalidValue, "the values of a language map are texts")
}

// keyedMap writes the maps by id, type and index.
func (w *walker) keyedMap(ac *active, at int32, p place) error {
	c := p.def.containers
	if c&asIndex != 0 && p.def.index == "" {
		return w.refuse(at, UnsignedValue, "the keys of %q are mere annotations and would not be signed", p.def.name)
	}
	inner := ac
	if c&(asID|asType) != 0 && ac.prev != nil {
		inner = ac.prev
	}
	for v := w.nodes[at].child; v != 0; v = w.nodes[v].next {
		e, use, err := w.mapKey(ac, inner, v, p)
		if err != nil {
			return err
		}
		if c&asGraph != 0 {
			err = w.graphs(use, v, p, e)
		} else {
			err = w.each(use, v, p.within(use), e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mapKey is what a key of a map says about its nodes, and the context they are
// read in.
func (w *walker) mapKey(ac, inner *active, at int32, p place) (e mapEntry, use *active, err error) {
	key := w.nodes[at].key
	e.fromMap = true
	use = inner
	if p.def.containers&asType != 0 {
		if t := inner.terms[key]; t != nil && t.context != nil {
			if use, err = w.scoped(at, inner, t, byType); err != nil {
				return e, nil, err
			}
		}
	}
	if key == "@none" || ac.expand(key, true) == "@none" {
		return e, use, nil
	}
	switch {
	case p.def.containers&asID != 0:
		e.id, err = w.reference(at, ac, key, false)
	case p.def.containers&asType != 0:
		e.typ, err = w.typeTerm(at, ac, key)
	case p.def.containers&asGraph != 0:
		err = w.refuse(at, Unsupported, "a map of graphs by a property is not supported")
	default:
		var prop *term
		if prop, err = w.lookup(at, ac, p.def.index); err != nil {
			return e, nil, err
		}
		if prop.keyword != notKeyword || prop.reverse {
			return e, nil, w.refuse(at, InvalidContext, "the index of %q is not a property", p.def.name)
		}
		e.more.Predicate = prop.node
		e.more.Object, err = w.textScalar(ac, prop, at, key)
	}
	return e, use, err
}

// lookup is what a member name means.
func (w *walker) lookup(at int32, ac *active, key string) (*term, error) {
	if t := ac.terms[key]; t != nil {
		if t.iri == "" {
			return nil, w.refuse(at, UndefinedTerm, "the context takes the meaning from the term %q, so it would not be signed", key)
		}
		return t, nil
	}
	if key == "" {
		return nil, w.refuse(at, UndefinedTerm, "a member has an empty name, which some processors leave out")
	}
	if k := keywordOf(key); k != notKeyword {
		return &term{name: key, iri: key, keyword: k}, nil
	}
	if key[0] == '@' {
		return nil, w.refuse(at, UndefinedTerm, "%q begins as a keyword does but is none; some processors leave it out", key)
	}
	iri := ac.expand(key, true)
	if k := keywordOf(iri); k != notKeyword {
		return &term{name: key, iri: iri, keyword: k}, nil
	}
	if !rdfc.WellFormedIRI(iri) {
		if strings.Contains(iri, ":") {
			return nil, w.refuse(at, MalformedIRI, "the member %q is not a well-formed IRI", key)
		}
		return nil, w.refuse(at, UndefinedTerm, "no context defines the term %q, so it would not be signed", key)
	}
	return &term{name: key, iri: iri, node: rdfc.IRI(iri)}, nil
}

// reference is the term of an identifier.
func (w *walker) reference(at int32, ac *active, id string, vocab bool) (rdfc.Term, error) {
	iri := ac.expand(id, vocab)
	if vocab && (id == "" || id[0] == '@') {
		return "", w.refuse(at, RelativeIRI, "%q stands where a term or an IRI is due", id)
	}
	if strings.HasPrefix(iri, "_:") {
		return w.label(at, iri)
	}
	if err := checkIRI(id, iri); err != nil {
		return "", w.fail(at, err)
	}
	return w.text.iri(iri), nil
}

// label renames a blank node of the document, so that it cannot meet ours.
func (w *walker) label(at int32, label string) (rdfc.Term, error) {
	if len(label) == 2 || strings.ContainsAny(label, " \t\r\n<>\"{}|^`\\") {
		return "", w.refuse(at, MalformedIRI, "%q is not a blank node label", label)
	}
	t, ok := w.labels[label]
	if !ok {
		t = w.blank(ofLabel, 0, 0)
		if w.placed {
			t = rdfc.Term(fmt.Sprintf("_:%c%x", ofLabel, label[2:]))
		}
		if w.labels == nil {
			w.labels = map[string]rdfc.Term{}
		}
		w.labels[label] = t
	}
	return t, nil
}

// typeTerm is the term of a type.
func (w *walker) typeTerm(at int32, ac *active, name string) (rdfc.Term, error) {
	if t := ac.terms[name]; t != nil && t.node != "" {
		return t.node, nil
	}
	if name == "" || name[0] == '@' {
		return "", w.refuse(at, UndefinedType, "%q is no type", name)
	}
	iri := ac.expand(name, true)
	if strings.HasPrefix(iri, "_:") {
		return w.label(at, iri)
	}
	if err := checkIRI(name, iri); err != nil {
		e := err.(*Error)
		if e.Code == RelativeIRI {
			e = refuse(UndefinedType, "no context defines the type %q, so it would not be signed", name).of(name)
		}
		return "", w.fail(at, e)
	}
	return rdfc.IRI(iri), nil
}
