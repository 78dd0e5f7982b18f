package jsonld

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/testamur/testamur/internal/spec/rdfc"
)

// keyword is a member that JSON-LD itself gives a meaning.
type keyword uint8

const (
	notKeyword keyword = iota
	kwContext
	kwID
	kwType
	kwValue
	kwLanguage
	kwDirection
	kwIndex
	kwList
	kwSet
	kwReverse
	kwGraph
	kwIncluded
	kwNest
	kwOther // has no place among the members of a document
)

// keywordOf is the keyword of a text.
func keywordOf(s string) keyword {
	if len(s) == 0 || s[0] != '@' {
		return notKeyword
	}
	switch s {
	case "@context":
		return kwContext
	case "@id":
		return kwID
	case "@type":
		return kwType
	case "@value":
		return kwValue
	case "@language":
		return kwLanguage
	case "@direction":
		return kwDirection
	case "@index":
		return kwIndex
	case "@list":
		return kwList
	case "@set":
		return kwSet
	case "@reverse":
		return kwReverse
	case "@graph":
		return kwGraph
	case "@included":
		return kwIncluded
	case "@nest":
		return kwNest
	case "@base", "@container", "@default", "@embed", "@explicit", "@import", "@json", "@none",
		"@null", "@omitDefault", "@prefix", "@preserve", "@propagate", "@protected", "@requireAll",
		"@version", "@vocab":
		return kwOther
	}
	return notKeyword
}

// coercion is what a term's @type makes of a plain value.
type coercion uint8

const (
	coerceNone coercion = iota
	coerceID
	coerceVocab
	coerceJSON
	coerceDatatype
)

// term is a term of an active context.
type term struct {
	name       string
	iri        string  // "" where the term is defined as null
	keyword    keyword // of an alias
	node       rdfc.Term
	reverse    bool
	prefix     bool
	protected  bool
	coerce     coercion
	typ        string
	suffix     string // how a literal of the datatype ends
	containers containers
	language   setting
	direction  setting
	nest       string
	index      string
	context    source
	shared     bool // from a compiled context
}

// same reports whether two definitions are equal but for their protection.
func (t *term) same(o *term) bool {
	return t.iri == o.iri && t.reverse == o.reverse && t.prefix == o.prefix && t.typ == o.typ &&
		t.containers == o.containers && t.language == o.language && t.direction == o.direction &&
		t.nest == o.nest && t.index == o.index && t.context.equal(o.context)
}

// active is an active context. It does not change once made.
type active struct {
	terms     map[string]*term
	vocab     setting
	language  string
	direction string
	prev      *active // to return to in nodes below, after a type-scoped context
	ids       []string
	types     []string // names that mean @type, with @type itself first
	values    []string
	derived   *derived // nil in contexts that live for one document
}

// derived keeps the contexts made from a shared one.
type derived struct {
	sync.Mutex
	made    atomic.Pointer[map[derivation]*active]
	options atomic.Pointer[optionsForm]
}

// derivation is a step from one active context to the next.
type derivation struct {
	url   string // of a compiled context, or
	scope *entry // the first entry of a scoped one
	how   scoping
}

// scoping is how a context comes to apply.
type scoping uint8

const (
	byDocument scoping = iota
	byType
	byProperty
)

func (d *derived) get(step derivation) *active {
	if m := d.made.Load(); m != nil {
		return (*m)[step]
	}
	return nil
}

func (d *derived) put(step derivation, ac *active) {
	d.Lock()
	defer d.Unlock()
	m := map[derivation]*active{}
	if old := d.made.Load(); old != nil {
		m = maps.Clone(*old)
	}
	m[step] = ac
	d.made.Store(&m)
}

// memo holds the active contexts made from compiled contexts, so that the next
// document finds them ready. What it holds never changes an answer. It starts
// anew when full, so that no series of odd documents can make it grow.
type memo struct {
	root  atomic.Pointer[active]
	count atomic.Int32
}

// memoLimit is far above the contexts that the field's documents lead to.
const memoLimit = 1024

// contexts is the memo of this process.
var contexts memo

// initial is the active context before any @context.
func (m *memo) initial() *active {
	if ac := m.root.Load(); ac != nil {
		return ac
	}
	ac := newInitial()
	if !m.root.CompareAndSwap(nil, ac) {
		return m.root.Load()
	}
	return ac
}

// kept counts a context that was put in the memo.
func (m *memo) kept() {
	if m.count.Add(1) > memoLimit {
		m.count.Store(0)
		m.root.Store(newInitial())
	}
}

func newInitial() *active {
	ac := &active{terms: map[string]*term{}, derived: &derived{}}
	ac.index()
	return ac
}

// index lists the aliases that are asked for before a node is read.
func (ac *active) index() {
	ac.ids, ac.types, ac.values = []string{"@id"}, []string{"@type"}, []string{"@value"}
	for name, t := range ac.terms {
		switch t.keyword {
		case kwID:
			ac.ids = append(ac.ids, name)
		case kwType:
			ac.types = append(ac.types, name)
		case kwValue:
			ac.values = append(ac.values, name)
		}
	}
	slices.Sort(ac.types)
}

// expand makes an IRI of a text, as terms and prefixes have it: JSON-LD API
// §5.2.2. With vocab, terms and @vocab apply. What cannot be expanded comes back
// as it is.
func (ac *active) expand(s string, vocab bool) string {
	if vocab {
		if t := ac.terms[s]; t != nil {
			return t.iri
		}
	}
	if i := strings.IndexByte(s, ':'); i > 0 {
		if s[:i] == "_" || strings.HasPrefix(s[i+1:], "//") {
			return s
		}
		if t := ac.terms[s[:i]]; t != nil && t.prefix && t.iri != "" {
			return t.iri + s[i+1:]
		}
		return s
	}
	if vocab && ac.vocab.state == isText && keywordOf(s) == notKeyword {
		return ac.vocab.text + s
	}
	return s
}

// checkIRI refuses what is not an absolute, well-formed IRI.
func checkIRI(written, iri string) error {
	switch {
	case keywordShaped(iri):
		return refuse(MalformedIRI, "%q has the form of a keyword", written).of(written)
	case rdfc.WellFormedIRI(iri):
		return nil
	case !strings.Contains(iri, ":"):
		return refuse(RelativeIRI, "%q is neither an absolute IRI nor a term that a context defines", written).of(written)
	}
	return refuse(MalformedIRI, "%q is not a well-formed absolute IRI", written).of(written)
}
