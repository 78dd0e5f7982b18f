package jsonld

import (
	"slices"

	"github.com/testamur/testamur/internal/spec/rdfc"
)

// has is the set of keywords among an object's members.
type has uint16

func (h has) any(ks ...keyword) bool {
	for _, k := range ks {
		if h&(1<<k) != 0 {
			return true
		}
	}
	return false
}

// only reports whether no keyword but these is there.
func (h has) only(ks ...keyword) bool {
	for _, k := range ks {
		h &^= 1 << k
	}
	return h == 0
}

// object walks a JSON object: JSON-LD API §5.1.2 from step 7 on.
func (w *walker) object(ac *active, at int32, p place, e mapEntry) error {
	ac, typed, err := w.enter(ac, at, p, e)
	if err != nil {
		return err
	}
	// The members' meanings are kept on a stack while the node is walked.
	base := len(w.members)
	defer func() { w.members = w.members[:base] }()
	seen, err := w.resolve(ac, at)
	if err != nil {
		return err
	}
	n := nodeWalk{walker: w, ac: ac, typed: typed, at: at, base: base, end: len(w.members), seen: seen}
	switch {
	case seen.any(kwValue):
		return n.valueObject(p, e)
	case seen.any(kwList):
		if !seen.only(kwList) || p.def == nil {
			return w.refuse(at, InvalidValue, "a list has other members, or stands where none can")
		}
		if p.def.containers&asList != 0 && p.list != nil {
			return w.refuse(at, InvalidValue, "a list stands in a list")
		}
		return w.list(ac, n.first(kwList), p.within(ac))
	case seen.any(kwSet):
		if !seen.only(kwSet) {
			return w.refuse(at, InvalidValue, "a set has other members")
		}
		p.scope = nil
		return w.each(ac, n.first(kwSet), p.within(ac), e)
	}
	return n.node(p, e)
}

// within is the place of what stands in an @list, @set or map by type. Its values
// are expanded as those of the term, but as the context there has the term:
// where that returned from a type-scoped context, the term may mean another
// thing there or nothing (JSON-LD API §5.1.2 steps 7 and 13.4.9, §5.3.2).
func (p place) within(ac *active) place {
	if p.def == nil {
		return p
	}
	there := ac.terms[p.def.name]
	if there == p.def {
		return p
	}
	def := term{name: p.def.name, iri: p.def.iri, node: p.def.node, reverse: p.def.reverse}
	if there != nil {
		def.coerce, def.typ, def.suffix, def.containers = there.coerce, there.typ, there.suffix, there.containers
		def.language, def.direction, def.index = there.language, there.direction, there.index
		def.context, def.shared = there.context, there.shared
	}
	p.def = &def
	if p.scope != nil {
		p.scope = &def
	}
	return p
}

// enter is the active context inside an object, and the one its types are read
// in.
func (w *walker) enter(ac *active, at int32, p place, e mapEntry) (inside, typed *active, err error) {
	if ac.prev != nil && !e.fromMap && !w.staysTyped(ac, at) {
		ac = ac.prev
	}
	if p.scope != nil && p.scope.context != nil {
		if ac, err = w.scoped(at, ac, p.scope, byProperty); err != nil {
			return nil, nil, err
		}
	}
	if c := w.member(at, "@context"); c != 0 {
		if ac, err = w.inline(ac, c); err != nil {
			return nil, nil, err
		}
	}
	typed = ac
	ac, err = w.applyTypes(ac, at)
	return ac, typed, err
}

// staysTyped reports whether an object keeps the type-scoped context of its
// parent: a value object, or a mere reference.
func (w *walker) staysTyped(ac *active, at int32) bool {
	n := &w.nodes[at]
	for c := n.child; c != 0; c = w.nodes[c].next {
		key := w.nodes[c].key
		if slices.Contains(ac.values, key) || n.count == 1 && slices.Contains(ac.ids, key) {
			return true
		}
	}
	return false
}

// inline applies the @context of an object.
func (w *walker) inline(ac *active, at int32) (*active, error) {
	switch n := &w.nodes[at]; n.kind {
	case kindString:
		return w.fromURL(at, ac, n.text)
	case kindArray:
		for c := n.child; c != 0; c = w.nodes[c].next {
			var err error
			if w.nodes[c].kind == kindArray {
				return nil, w.refuse(c, InvalidContext, "a context is a URL, an object or null")
			}
			if ac, err = w.inline(ac, c); err != nil {
				return nil, err
			}
		}
		return ac, nil
	}
	e, err := reader{w.tree}.entry(at)
	if err != nil {
		return nil, err
	}
	w.own++
	p := processor{library: &w.library, how: byDocument}
	next, err := p.apply(ac, source{e})
	return next, w.fail(at, err)
}

// fromURL applies the context of a URL.
func (w *walker) fromURL(at int32, ac *active, url string) (*active, error) {
	return w.derive(at, ac, derivation{url: url}, KnownContext(url), source{{url: url}})
}

// scoped applies the context of a term.
func (w *walker) scoped(at int32, ac *active, t *term, how scoping) (*active, error) {
	if len(t.context) == 0 {
		return ac, nil
	}
	return w.derive(at, ac, derivation{scope: &t.context[0], how: how}, t.shared, t.context)
}

// derive takes a step from an active context, if it was not taken before.
func (w *walker) derive(at int32, ac *active, step derivation, shared bool, src source) (*active, error) {
	shared = shared && ac.derived != nil
	if shared {
		if next := ac.derived.get(step); next != nil {
			return next, nil
		}
	} else if next := w.made[local{ac, step}]; next != nil {
		return next, nil
	} else {
		w.own++
	}
	p := processor{library: &w.library, how: step.how, shared: shared}
	next, err := p.apply(ac, src)
	if err != nil {
		return nil, w.fail(at, err)
	}
	if shared && p.shared {
		ac.derived.put(step, next)
		contexts.kept()
		return next, nil
	}
	if w.made == nil {
		w.made = map[local]*active{}
	}
	w.made[local{ac, step}] = next
	return next, nil
}

// applyTypes applies the contexts of an object's types, in the order of the
// types' names: step 11.
func (w *walker) applyTypes(ac *active, at int32) (*active, error) {
	typed := ac
	for _, alias := range typed.types {
		c := w.member(at, alias)
		if c == 0 {
			continue
		}
		var err error
		switch n := &w.nodes[c]; {
		case n.kind == kindString:
			ac, err = w.applyType(c, typed, ac, n.text)
		case n.kind == kindArray && n.count == 1:
			ac, err = w.applyType(c, typed, ac, w.nodes[n.child].text)
		case n.kind == kindArray:
			ac, err = w.applySorted(c, typed, ac)
		}
		if err != nil {
			return nil, err
		}
	}
	return ac, nil
}

func (w *walker) applySorted(at int32, typed, ac *active) (*active, error) {
	var few [8]string
	names := few[:0]
	for c := w.nodes[at].child; c != 0; c = w.nodes[c].next {
		if t := typed.terms[w.nodes[c].text]; t != nil && t.context != nil {
			names = append(names, w.nodes[c].text)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		var err error
		if ac, err = w.applyType(at, typed, ac, name); err != nil {
			return nil, err
		}
	}
	return ac, nil
}

func (w *walker) applyType(at int32, typed, ac *active, name string) (*active, error) {
	if t := typed.terms[name]; t != nil && t.context != nil {
		return w.scoped(at, ac, t, byType)
	}
	return ac, nil
}

// resolve puts an object's members on the stack with what they mean, and tells
// which keywords are among them.
func (w *walker) resolve(ac *active, at int32) (has, error) {
	var seen has
	for c := w.nodes[at].child; c != 0; c = w.nodes[c].next {
		key := w.nodes[c].key
		if key == "@context" {
			continue
		}
		def, err := w.lookup(c, ac, key)
		if err != nil {
			return 0, err
		}
		k := def.keyword
		bit := has(1) << k
		if seen&bit != 0 && k != notKeyword && k != kwType && k != kwIncluded && k != kwNest {
			return 0, w.refuse(c, InvalidValue, "two members of the object mean %s", def.iri)
		}
		if k == kwOther || k == kwContext {
			return 0, w.refuse(c, Unsupported, "%q has no place in a document", key)
		}
		seen |= bit
		w.members = append(w.members, member{c, def})
	}
	return seen, nil
}

// nodeWalk is one object on its way.
type nodeWalk struct {
	*walker
	ac, typed *active
	at        int32
	base, end int // its members on the stack
	seen      has
}

// first is the member that means a keyword, or 0.
func (n *nodeWalk) first(k keyword) int32 {
	for i := n.base; i < n.end; i++ {
		if n.members[i].def.keyword == k {
			return n.members[i].at
		}
	}
	return 0
}

// node writes a node object.
func (n *nodeWalk) node(p place, e mapEntry) error {
	if n.seen.any(kwLanguage, kwDirection) {
		return n.refuse(n.at, InvalidValue, "@language and @direction stand only beside @value")
	}
	if n.seen.any(kwIndex) {
		return n.refuse(n.first(kwIndex), UnsignedValue, "an @index is a mere annotation and would not be signed")
	}
	subject, err := n.subject(e)
	if err != nil {
		return err
	}
	graph := p.graph
	switch {
	case p.def != nil:
		if err := n.put(n.at, p, subject); err != nil {
			return err
		}
	case n.seen.only(kwID):
		return n.refuse(n.at, UnsignedValue, "an object that says nothing but its id has no place here and would not be signed")
	}
	if n.at == n.root && p.def == nil && n.seen.only(kwGraph) {
		return n.each(n.ac, n.first(kwGraph), place{}, mapEntry{})
	}
	if e.typ != "" {
		n.quad(subject, rdfType, e.typ, graph)
	}
	if e.more.Predicate != "" {
		n.quad(subject, e.more.Predicate, e.more.Object, graph)
	}
	for i := n.base; i < n.end; i++ {
		m := n.members[i]
		if err := n.member(m, place{subject: subject, graph: graph, def: m.def, scope: m.def}); err != nil {
			return err
		}
	}
	return nil
}

// subject is the term of the node: its id, that of the map it is in, or a blank
// node.
func (n *nodeWalk) subject(e mapEntry) (rdfc.Term, error) {
	at := n.first(kwID)
	if at == 0 {
		if e.id != "" {
			return e.id, nil
		}
		return n.blank(ofNode, n.at, 0), nil
	}
	if n.nodes[at].kind != kindString {
		return "", n.refuse(at, InvalidValue, "an identifier is a string")
	}
	return n.reference(at, n.ac, n.nodes[at].text, false)
}

// member writes one member of a node object.
func (n *nodeWalk) member(m member, p place) error {
	switch m.def.keyword {
	case notKeyword:
		return n.property(n.ac, m.at, p)
	case kwType:
		return n.types(m.at, p)
	case kwGraph:
		return n.each(n.ac, m.at, place{graph: p.subject}, mapEntry{})
	case kwIncluded:
		return n.each(n.ac, m.at, place{graph: p.graph}, mapEntry{})
	case kwReverse:
		return n.reverse(m.at, p)
	case kwNest:
		return n.nested(n.ac, m.at, p)
	}
	return nil // @id, written already
}

// types writes the types of a node.
func (n *nodeWalk) types(at int32, p place) error {
	v := &n.nodes[at]
	if v.kind == kindArray {
		for c := v.child; c != 0; c = n.nodes[c].next {
			if n.nodes[c].kind != kindString {
				return n.refuse(c, InvalidValue, "a type is a string")
			}
			if err := n.types(c, p); err != nil {
				return err
			}
		}
		return nil
	}
	if v.kind != kindString {
		return n.refuse(at, InvalidValue, "a type is a string")
	}
	t, err := n.typeTerm(at, n.typed, v.text)
	if err != nil {
		return err
	}
	n.quad(p.subject, rdfType, t, p.graph)
	return nil
}

// reverse writes {"@reverse": {property: nodes}}.
func (n *nodeWalk) reverse(at int32, p place) error {
	if n.nodes[at].kind != kindObject {
		return n.refuse(at, InvalidValue, "@reverse is an object")
	}
	for c := n.nodes[at].child; c != 0; c = n.nodes[c].next {
		def, err := n.lookup(c, n.ac, n.nodes[c].key)
		if err != nil {
			return err
		}
		if def.keyword != notKeyword || def.containers&^asSet != 0 || def.coerce == coerceJSON {
			return n.refuse(c, InvalidValue, "%q cannot be reversed", def.name)
		}
		turned := *def
		turned.reverse = !def.reverse
		p.def, p.scope = &turned, &turned
		if err := n.property(n.ac, c, p); err != nil {
			return err
		}
	}
	return nil
}

// nested writes the members of an @nest object as the node's own.
func (n *nodeWalk) nested(ac *active, at int32, p place) error {
	switch v := &n.nodes[at]; v.kind {
	case kindArray:
		for c := v.child; c != 0; c = n.nodes[c].next {
			if err := n.nested(ac, c, p); err != nil {
				return err
			}
		}
		return nil
	case kindObject:
	default:
		return n.refuse(at, InvalidValue, "the value of @nest is an object")
	}
	if p.scope != nil && p.scope.context != nil {
		var err error
		if ac, err = n.scoped(at, ac, p.scope, byProperty); err != nil {
			return err
		}
	}
	for c := n.nodes[at].child; c != 0; c = n.nodes[c].next {
		def, err := n.lookup(c, ac, n.nodes[c].key)
		if err != nil {
			return err
		}
		inner := place{subject: p.subject, graph: p.graph, def: def, scope: def}
		switch def.keyword {
		case notKeyword:
			err = n.property(ac, c, inner)
		case kwNest:
			err = n.nested(ac, c, inner)
		default:
			err = n.refuse(c, Unsupported, "%s inside @nest is not supported", def.iri)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
