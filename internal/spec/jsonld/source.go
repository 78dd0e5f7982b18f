package jsonld

import (
	"slices"
	"strings"
)

// A context as it is written, before it is applied: what the tables of the
// compiled contexts hold and what an inline context is read into.

// source is a list of contexts, applied in turn. nil is no context at all.
type source []entry

// entry is one context: a URL, a definition, or null when both are missing.
type entry struct {
	url string
	def *definition
}

// definition is a context object.
type definition struct {
	vocab, language, direction setting
	nullBase                   bool
	imports                    string
	propagate                  tristate
	protected                  bool
	terms                      []entryTerm // by name
}

// entryTerm is one term of a context object.
type entryTerm struct {
	name       string
	null       bool    // "name": null
	simple     bool    // "name": "iri"
	id         setting // @id
	reverse    string
	typ        string
	containers containers
	language   setting
	direction  setting
	nest       string
	index      string
	prefix     tristate
	protected  tristate
	context    source
}

// setting is a text that may be missing, null or there.
type setting struct {
	state setState
	text  string
}

type setState uint8

const (
	unset setState = iota
	isNull
	isText
)

func text(s string) setting { return setting{isText, s} }

// tristate is a boolean that may be missing.
type tristate uint8

const (
	missing tristate = iota
	yes
	no
)

// or is the flag, or what it is where missing.
func (f tristate) or(otherwise bool) bool {
	if f == missing {
		return otherwise
	}
	return f == yes
}

// containers is a set of @container values.
type containers uint8

const (
	asSet containers = 1 << iota
	asList
	asLanguage
	asIndex
	asID
	asType
	asGraph
)

// containerOf is the bit of a container keyword, or 0.
func containerOf(keyword string) containers {
	switch keyword {
	case "@set":
		return asSet
	case "@list":
		return asList
	case "@language":
		return asLanguage
	case "@index":
		return asIndex
	case "@id":
		return asID
	case "@type":
		return asType
	case "@graph":
		return asGraph
	}
	return 0
}

// valid reports whether a set of containers is one that JSON-LD 1.1 allows.
func (c containers) valid() bool {
	switch c &^ asSet {
	case 0, asLanguage, asIndex, asID, asType, asGraph, asGraph | asID, asGraph | asIndex:
		return true
	}
	return c == asList
}

// find is a term of the definition, or nil.
func (d *definition) find(name string) *entryTerm {
	i, ok := slices.BinarySearchFunc(d.terms, name, func(t entryTerm, n string) int { return strings.Compare(t.name, n) })
	if !ok {
		return nil
	}
	return &d.terms[i]
}

func (s source) equal(o source) bool {
	return (s == nil) == (o == nil) && slices.EqualFunc(s, o, func(a, b entry) bool {
		if a.def == nil || b.def == nil || a.def == b.def {
			return a == b
		}
		return a.url == b.url && a.def.equal(b.def)
	})
}

func (d *definition) equal(o *definition) bool {
	return d.vocab == o.vocab && d.language == o.language && d.direction == o.direction &&
		d.nullBase == o.nullBase && d.imports == o.imports && d.propagate == o.propagate &&
		d.protected == o.protected && slices.EqualFunc(d.terms, o.terms, entryTerm.equal)
}

func (t entryTerm) equal(o entryTerm) bool {
	return t.name == o.name && t.null == o.null && t.simple == o.simple && t.id == o.id &&
		t.reverse == o.reverse && t.typ == o.typ && t.containers == o.containers &&
		t.language == o.language && t.direction == o.direction && t.nest == o.nest &&
		t.index == o.index && t.prefix == o.prefix && t.protected == o.protected && t.context.equal(o.context)
}

// reader reads contexts from a JSON tree.
type reader struct{ *tree }

// fail is a refusal of a context at a node.
func (r reader) fail(at int32, term, format string, args ...any) error {
	e := refuse(InvalidContext, format, args...).of(term)
	e.Pointer, e.placed = r.pointer(at), true
	return e
}

// source reads the value of an @context.
func (r reader) source(at int32) (source, error) {
	if r.nodes[at].kind != kindArray {
		e, err := r.entry(at)
		return source{e}, err
	}
	s := source{}
	for c := r.nodes[at].child; c != 0; c = r.nodes[c].next {
		e, err := r.entry(c)
		if err != nil {
			return nil, err
		}
		s = append(s, e)
	}
	return s, nil
}

func (r reader) entry(at int32) (entry, error) {
	switch n := &r.nodes[at]; n.kind {
	case kindNull:
		return entry{}, nil
	case kindString:
		if n.text == "" {
			return entry{}, r.fail(at, "", "a context's URL is empty")
		}
		return entry{url: n.text}, nil
	case kindObject:
		def, err := r.definition(at)
		return entry{def: def}, err
	}
	return entry{}, r.fail(at, "", "a context is a URL, an object or null")
}

func (r reader) definition(at int32) (*definition, error) {
	d := &definition{terms: make([]entryTerm, 0, r.nodes[at].count)}
	for c := r.nodes[at].child; c != 0; c = r.nodes[c].next {
		if err := r.member(d, c); err != nil {
			return nil, err
		}
	}
	sortTerms(d.terms)
	return d, nil
}

// member reads one member of a context object: a keyword, or a term.
func (r reader) member(d *definition, at int32) (err error) {
	n := &r.nodes[at]
	switch n.key {
	case "@version":
		if n.kind != kindNumber || n.text != "1.1" {
			return r.fail(at, n.key, "a context's @version is the number 1.1")
		}
	case "@protected":
		var f tristate
		f, err = r.flag(at)
		d.protected = f == yes
	case "@propagate":
		d.propagate, err = r.flag(at)
	case "@vocab":
		d.vocab, err = r.setting(at)
	case "@language":
		d.language, err = r.setting(at)
		if err == nil && d.language.state == isText && !validLanguage(d.language.text) {
			return r.fail(at, n.key, "%q is not a language tag", d.language.text)
		}
	case "@direction":
		d.direction, err = r.direction(at)
	case "@import":
		d.imports, err = r.text(at)
	case "@base":
		if n.kind != kindNull {
			e := refuse(Unsupported, "a context sets @base; write identifiers as absolute IRIs").of(n.key)
			e.Pointer, e.placed = r.pointer(at), true
			return e
		}
		d.nullBase = true
	default:
		var t entryTerm
		t, err = r.term(at)
		d.terms = append(d.terms, t)
	}
	return err
}

func (r reader) flag(at int32) (tristate, error) {
	switch r.nodes[at].kind {
	case kindTrue:
		return yes, nil
	case kindFalse:
		return no, nil
	}
	return missing, r.fail(at, r.nodes[at].key, "%s is true or false", r.nodes[at].key)
}

func (r reader) text(at int32) (string, error) {
	if r.nodes[at].kind != kindString {
		return "", r.fail(at, r.nodes[at].key, "%s is a string", r.nodes[at].key)
	}
	return r.nodes[at].text, nil
}

func (r reader) setting(at int32) (setting, error) {
	if r.nodes[at].kind == kindNull {
		return setting{state: isNull}, nil
	}
	s, err := r.text(at)
	return text(s), err
}

func (r reader) direction(at int32) (setting, error) {
	s, err := r.setting(at)
	if err == nil && s.state == isText && s.text != "ltr" && s.text != "rtl" {
		return s, r.fail(at, "@direction", "@direction is ltr, rtl or null")
	}
	return s, err
}

// term reads a term definition.
func (r reader) term(at int32) (entryTerm, error) {
	n := &r.nodes[at]
	t := entryTerm{name: n.key}
	if keywordShaped(n.key) && n.key != "@type" {
		return t, r.fail(at, n.key, "a context defines %s, which is kept for keywords", n.key)
	}
	switch n.kind {
	case kindNull:
		t.null = true
	case kindString:
		t.simple, t.id = true, text(n.text)
	case kindObject:
		for c := n.child; c != 0; c = r.nodes[c].next {
			if err := r.detail(&t, c); err != nil {
				return t, err
			}
		}
	default:
		return t, r.fail(at, n.key, "the definition of %q is a string, an object or null", n.key)
	}
	return t, nil
}

// detail reads one member of an expanded term definition.
func (r reader) detail(t *entryTerm, at int32) (err error) {
	switch key := r.nodes[at].key; key {
	case "@id":
		t.id, err = r.setting(at)
	case "@reverse":
		t.reverse, err = r.text(at)
	case "@type":
		t.typ, err = r.text(at)
	case "@container":
		t.containers, err = r.containers(at, t.name)
	case "@language":
		t.language, err = r.setting(at)
		if err == nil && t.language.state == isText && !validLanguage(t.language.text) {
			return r.fail(at, t.name, "%q is not a language tag", t.language.text)
		}
	case "@direction":
		t.direction, err = r.direction(at)
	case "@nest":
		t.nest, err = r.text(at)
	case "@index":
		t.index, err = r.text(at)
	case "@prefix":
		t.prefix, err = r.flag(at)
	case "@protected":
		t.protected, err = r.flag(at)
	case "@context":
		t.context, err = r.source(at)
	default:
		return r.fail(at, t.name, "the definition of %q has a member %q that JSON-LD does not know", t.name, key)
	}
	return err
}

func (r reader) containers(at int32, term string) (containers, error) {
	var c containers
	add := func(at int32) error {
		bit := containers(0)
		if r.nodes[at].kind == kindString {
			bit = containerOf(r.nodes[at].text)
		}
		if bit == 0 {
			return r.fail(at, term, "the container of %q is not one of JSON-LD's", term)
		}
		c |= bit
		return nil
	}
	switch r.nodes[at].kind {
	case kindNull:
		return 0, nil
	case kindArray:
		for i := r.nodes[at].child; i != 0; i = r.nodes[i].next {
			if err := add(i); err != nil {
				return 0, err
			}
		}
	default:
		if err := add(at); err != nil {
			return 0, err
		}
	}
	if !c.valid() {
		return 0, r.fail(at, term, "the containers of %q do not go together", term)
	}
	return c, nil
}

// keywordShaped reports whether s looks like a keyword: @ and letters.
func keywordShaped(s string) bool {
	if len(s) < 2 || s[0] != '@' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

func sortTerms(terms []entryTerm) {
	slices.SortFunc(terms, func(a, b entryTerm) int { return strings.Compare(a.name, b.name) })
}
