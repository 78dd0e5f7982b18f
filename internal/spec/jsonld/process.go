package jsonld

import (
	"maps"
	"strings"

	"github.com/testamur/testamur/internal/spec/rdfc"
)

// maxRemote is how deeply pinned contexts may name one another.
const maxRemote = 8

// library finds contexts by URL: compiled ones, and the operator's own.
type library struct {
	extra  map[string][]byte
	parsed map[string]source
	spent  int // terms that contexts were made of, for this document
	allow  int // beyond termAllowance
}

// termAllowance is how many terms the contexts that a document applies may have
// together, each counted as often as a context is made that has it: making one
// takes that much work. Documents are allowed more as they are longer. A record
// of a thousand credentials that each bring a context of their own takes some
// 400,000.
const termAllowance = 500_000

// spend counts the making of a context.
func (l *library) spend(terms int) error {
	if l.spent += 1 + terms; l.spent > termAllowance+l.allow {
		return refuse(TooComplex, "the contexts that the document applies take more work than its length allows")
	}
	return nil
}

// check refuses operator contexts that would replace a compiled one.
func (l *library) check() error {
	for url := range l.extra {
		if KnownContext(url) {
			return refuse(InvalidContext, "the context %s is compiled in and cannot be replaced", url).of(url)
		}
	}
	return nil
}

// find is the context of a URL; shared tells that it is compiled in.
func (l *library) find(url string) (src source, shared bool, err error) {
	if src, ok := known[url]; ok {
		return src, true, nil
	}
	if src, ok := l.parsed[url]; ok {
		return src, false, nil
	}
	doc, ok := l.extra[url]
	if !ok {
		return nil, false, refuse(UnknownContext, "the context %s is not known here, and contexts are not fetched", url).of(url)
	}
	src, err = readContext(doc)
	if err != nil {
		return nil, false, refuse(InvalidContext, "the pinned context %s cannot be used: %v", url, err).of(url)
	}
	if l.parsed == nil {
		l.parsed = map[string]source{}
	}
	l.parsed[url] = src
	return src, false, nil
}

// readContext reads a context document: the value of its @context.
func readContext(doc []byte) (source, error) {
	t, err := parseJSON(string(doc), nil)
	if err != nil {
		return nil, err
	}
	at := int32(0)
	if t.nodes[0].kind == kindObject {
		at = t.member(0, "@context")
	}
	if at == 0 {
		return nil, refuse(InvalidContext, "the document has no @context")
	}
	return reader{t}.source(at)
}

// processor applies contexts to active contexts: JSON-LD API §4.1.2.
type processor struct {
	*library
	how    scoping
	shared bool // all that is applied is compiled in
	depth  int
}

// apply is the active context after a list of contexts.
func (p *processor) apply(ac *active, src source) (*active, error) {
	start := ac
	propagate := p.how != byType
	if len(src) == 1 && src[0].def != nil {
		propagate = src[0].def.propagate.or(propagate)
	}
	prev := ac.prev
	if !propagate && prev == nil {
		prev = start
	}
	var err error
	for _, e := range src {
		switch {
		case e.def != nil:
			ac, err = p.define(ac, e.def, prev)
		case e.url != "":
			ac, err = p.remote(ac, e.url, prev)
		default:
			ac, err = p.nullify(ac, prev)
		}
		if err != nil {
			return nil, err
		}
	}
	return ac, nil
}

// nullify is the initial context, where no protected term stands against it.
func (p *processor) nullify(ac, prev *active) (*active, error) {
	if p.how != byProperty {
		for name, t := range ac.terms {
			if t.protected {
				return nil, refuse(ProtectedTerm, "a null context would take away the protected term %q", name).of(name)
			}
		}
	}
	if prev == nil {
		return contexts.initial(), nil
	}
	fresh := &active{terms: map[string]*term{}, prev: prev}
	return fresh, p.finish(fresh)
}

// finish readies an active context for use.
func (p *processor) finish(ac *active) error {
	ac.index()
	if p.shared {
		ac.derived = &derived{}
	}
	return p.spend(len(ac.terms))
}

// remote applies the context of a URL.
func (p *processor) remote(ac *active, url string, prev *active) (*active, error) {
	src, shared, err := p.find(url)
	if err != nil {
		return nil, err
	}
	if p.depth >= maxRemote {
		return nil, refuse(InvalidContext, "contexts name one another more than %d deep, last %s", maxRemote, url).of(url)
	}
	in := processor{library: p.library, how: byDocument, shared: p.shared && shared, depth: p.depth + 1}
	if p.how == byProperty {
		in.how = byProperty
	}
	p.shared = in.shared
	out, err := in.apply(ac, src)
	if err != nil || out == ac || out.prev == prev {
		return out, err
	}
	kept := *out
	kept.prev = prev
	kept.derived = nil
	return &kept, p.finish(&kept)
}

// builder makes an active context from another and a context object.
type builder struct {
	*processor
	def   *definition
	out   active
	own   bool // out.terms is our own copy
	state map[string]defining
}

type defining uint8

const (
	underway defining = iota + 1
	done
)

// define applies a context object. Where it changes nothing, the active context
// given is returned itself.
func (p *processor) define(ac *active, def *definition, prev *active) (*active, error) {
	if err := p.spend(len(def.terms)); err != nil {
		return nil, err
	}
	if def.imports != "" {
		merged, err := p.merge(def)
		if err != nil {
			return nil, err
		}
		def = merged
	}
	b := builder{processor: p, def: def, out: *ac, state: make(map[string]defining, len(def.terms))}
	b.out.derived, b.out.prev = nil, prev
	if err := b.vocabulary(); err != nil {
		return nil, err
	}
	switch def.language.state {
	case isNull:
		b.out.language = ""
	case isText:
		b.out.language = strings.ToLower(def.language.text)
	}
	if def.direction.state != unset {
		b.out.direction = def.direction.text
	}
	for i := range def.terms {
		if err := b.term(def.terms[i].name); err != nil {
			return nil, err
		}
	}
	if !b.own && b.out.vocab == ac.vocab && b.out.language == ac.language && b.out.direction == ac.direction {
		return ac, nil
	}
	out := b.out
	return &out, p.finish(&out)
}

// merge puts a context object over the one it imports.
func (p *processor) merge(def *definition) (*definition, error) {
	src, shared, err := p.find(def.imports)
	if err != nil {
		return nil, err
	}
	if len(src) != 1 || src[0].def == nil || src[0].def.imports != "" {
		return nil, refuse(InvalidContext, "the imported context %s is not one plain object", def.imports).of(def.imports)
	}
	p.shared = p.shared && shared
	out := *src[0].def
	out.protected = out.protected || def.protected
	for _, s := range []struct{ to, from *setting }{
		{&out.vocab, &def.vocab}, {&out.language, &def.language}, {&out.direction, &def.direction},
	} {
		if s.from.state != unset {
			*s.to = *s.from
		}
	}
	if def.propagate != missing {
		out.propagate = def.propagate
	}
	out.terms = nil
	for _, t := range src[0].def.terms {
		if def.find(t.name) == nil {
			out.terms = append(out.terms, t)
		}
	}
	out.terms = append(out.terms, def.terms...)
	sortTerms(out.terms)
	return &out, nil
}

// vocabulary applies @vocab.
func (b *builder) vocabulary() error {
	switch b.def.vocab.state {
	case isNull:
		b.out.vocab = setting{}
	case isText:
		iri := b.out.expand(b.def.vocab.text, true)
		if !rdfc.WellFormedIRI(iri) {
			return refuse(InvalidContext, "the @vocab %q is not an absolute IRI", b.def.vocab.text).of("@vocab")
		}
		b.out.vocab = text(iri)
	}
	return nil
}

// term defines a term of the context object: JSON-LD API §4.2.2.
func (b *builder) term(name string) error {
	switch b.state[name] {
	case underway:
		return refuse(InvalidContext, "the definition of %q leads back to itself", name).of(name)
	case done:
		return nil
	}
	b.state[name] = underway
	src := b.def.find(name)
	t, err := b.build(src)
	if err != nil {
		return err
	}
	b.state[name] = done
	old := b.out.terms[name]
	if old != nil && old.protected && b.how != byProperty && !old.same(t) {
		return refuse(ProtectedTerm, "the term %q is protected and cannot be defined anew", name).of(name)
	}
	if old != nil && old.same(t) && (old.protected || !t.protected) {
		return nil
	}
	if !b.own {
		b.out.terms, b.own = maps.Clone(b.out.terms), true
	}
	b.out.terms[name] = t
	return nil
}

// build makes a term of its definition.
func (b *builder) build(src *entryTerm) (*term, error) {
	name := src.name
	t := &term{
		name: name, protected: src.protected.or(b.def.protected), containers: src.containers,
		language: src.language, direction: src.direction, nest: src.nest, index: src.index,
		context: src.context, shared: b.shared,
	}
	fail := func(format string, args ...any) (*term, error) {
		return nil, refuse(InvalidContext, format, args...).of(name)
	}
	if name == "" {
		return fail("a context defines a term without a name")
	}
	if name == "@type" {
		if src.containers&^asSet != 0 || src.simple || src.null || src.id.state != unset || src.typ != "" || src.context != nil {
			return fail("@type may only be given the container @set and protection")
		}
		t.iri, t.keyword = "@type", kwType
		return t, nil
	}
	if src.typ != "" {
		if err := b.coerce(t, src.typ); err != nil {
			return nil, err
		}
	}
	if err := b.mapping(t, src); err != nil {
		return nil, err
	}
	if src.containers&asType != 0 {
		if t.coerce == coerceNone && src.typ == "" {
			t.coerce, t.typ = coerceID, "@id"
		}
		if t.coerce != coerceID && t.coerce != coerceVocab {
			return fail("%q is a map by type, so its @type is @id or @vocab", name)
		}
	}
	if src.index != "" && src.containers&asIndex == 0 {
		return fail("%q has an @index but is not a map by index", name)
	}
	if src.nest != "" && (t.reverse || src.nest != "@nest" && src.nest[0] == '@') {
		return fail("%q has an @nest that is not a term", name)
	}
	if src.prefix != missing {
		if strings.ContainsAny(name, ":/") || src.prefix == yes && t.keyword != notKeyword {
			return fail("%q cannot be a prefix", name)
		}
		t.prefix = src.prefix == yes
	}
	if t.keyword == kwContext {
		return fail("%q cannot stand for @context", name)
	}
	if t.iri != "" && t.keyword == notKeyword {
		t.node = rdfc.IRI(t.iri)
	}
	return t, nil
}

// coerce sets what the term makes of plain values.
func (b *builder) coerce(t *term, typ string) error {
	iri, err := b.expandLocal(typ)
	if err != nil {
		return err
	}
	t.typ = iri
	switch iri {
	case "@id":
		t.coerce = coerceID
	case "@vocab":
		t.coerce = coerceVocab
	case "@json":
		t.coerce = coerceJSON
	case "@none":
	default:
		if !rdfc.WellFormedIRI(iri) {
			return refuse(InvalidContext, "the @type of %q, %q, is not an absolute IRI", t.name, typ).of(t.name)
		}
		t.coerce = coerceDatatype
		t.suffix = datatypeSuffix(iri)
	}
	return nil
}

// datatypeSuffix is how a literal of a datatype ends.
func datatypeSuffix(datatype string) string {
	lit := rdfc.Literal("", datatype)
	return string(lit[1:])
}

// mapping sets what the term stands for: steps 13 to 18.
func (b *builder) mapping(t *term, src *entryTerm) error {
	fail := func(format string, args ...any) error {
		return refuse(InvalidContext, format, args...).of(t.name)
	}
	colon := strings.IndexByte(t.name, ':')
	switch {
	case src.reverse != "":
		if src.id.state != unset || src.nest != "" || src.containers&^(asSet|asIndex) != 0 {
			return fail("the reverse term %q has an @id, @nest or container it cannot have", t.name)
		}
		t.reverse = true
		return b.stand(t, src.reverse)
	case src.null || src.id.state == isNull:
		return nil
	case src.id.state == isText && src.id.text != t.name:
		if err := b.stand(t, src.id.text); err != nil {
			return err
		}
		if i := strings.IndexByte(t.name[1:], ':'); i >= 0 && i+2 < len(t.name) || strings.Contains(t.name, "/") {
			if own, err := b.expandOther(t.name); err != nil || own != t.iri {
				return fail("the term %q has the form of an IRI but stands for %s", t.name, t.iri)
			}
		} else if src.simple && colon < 0 {
			t.prefix = t.keyword == notKeyword && strings.IndexByte(":/?#[]@", t.iri[len(t.iri)-1]) >= 0
		}
		return nil
	case colon > 0:
		iri, err := b.expandOther(t.name)
		if err != nil {
			return err
		}
		if !rdfc.WellFormedIRI(iri) {
			return fail("the term %q is not an absolute IRI", t.name)
		}
		t.iri = iri
		return nil
	case b.out.vocab.state == isText:
		t.iri = b.out.vocab.text + t.name
		if !rdfc.WellFormedIRI(t.iri) {
			return fail("the term %q makes no well-formed IRI with the @vocab", t.name)
		}
		return nil
	}
	return fail("the definition of %q says not what it stands for", t.name)
}

// stand sets the IRI or keyword that a term stands for.
func (b *builder) stand(t *term, id string) error {
	iri, err := b.expandLocal(id)
	if err != nil {
		return err
	}
	t.iri, t.keyword = iri, keywordOf(iri)
	switch {
	case t.keyword != notKeyword && !t.reverse:
		return nil
	case !rdfc.WellFormedIRI(iri):
		return refuse(InvalidContext, "the term %q stands for %q, which is not an absolute IRI", t.name, id).of(t.name)
	}
	return nil
}

// expandLocal makes an IRI of a text inside the context object: terms it names
// are defined first.
func (b *builder) expandLocal(s string) (string, error) {
	if keywordOf(s) != notKeyword {
		return s, nil
	}
	if b.def.find(s) != nil {
		if err := b.term(s); err != nil {
			return "", err
		}
	}
	if b.out.terms[s] != nil {
		return b.out.expand(s, true), nil
	}
	return b.expandOther(s)
}

// expandOther is expandLocal for a text that is not to be taken as a term.
func (b *builder) expandOther(s string) (string, error) {
	prefix, rest, ok := strings.Cut(s, ":")
	if !ok || prefix == "" {
		if b.out.vocab.state == isText && keywordOf(s) == notKeyword {
			return b.out.vocab.text + s, nil
		}
		return s, nil
	}
	if prefix != "_" && !strings.HasPrefix(rest, "//") && b.def.find(prefix) != nil {
		if err := b.term(prefix); err != nil {
			return "", err
		}
	}
	return b.out.expand(s, false), nil
}
