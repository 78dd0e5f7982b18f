// Package rdfc puts an RDF dataset into its canonical form: RDF Dataset
// Canonicalization (RDFC-1.0), the W3C Recommendation behind the *-rdfc-* Data
// Integrity proofs.
//
// Two documents that say the same thing, whatever their blank node labels and
// the order of their statements, come out as the same bytes, so a signature can
// be made over what is said and not over how it was written.
//
// A term is kept as its canonical N-Quads text from the start: nothing is
// formatted twice, and comparing terms is comparing strings. The work spent on
// telling blank nodes apart is limited, so no document can stop the service;
// like parts that merely repeat do not count against the limit.
package rdfc

import (
	"strings"
	"unicode/utf8"
)

// The datatype IRIs that have their own form in N-Quads.
const (
	XSDString     = "http://www.w3.org/2001/XMLSchema#string"
	RDFLangString = "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString"
)

// Term is one RDF term as its canonical N-Quads text: <iri>, _:label or
// "text", "text"@lang, "text"^^<datatype>. The empty Term, used as a graph
// name, is the default graph.
type Term string

// Quad is one statement. Graph is empty in the default graph.
type Quad struct {
	Subject, Predicate, Object, Graph Term
}

// Dataset is a set of statements. Order and repetition mean nothing.
type Dataset []Quad

// IRI is the term of an absolute IRI. The caller has checked it with ValidIRI.
func IRI(iri string) Term { return Term("<" + iri + ">") }

// Blank is the term of a blank node label, given without "_:".
func Blank(label string) Term { return Term("_:" + label) }

// Literal is the term of a text with a datatype IRI; the empty datatype is
// xsd:string.
func Literal(text, datatype string) Term {
	suffix := `"`
	if datatype != "" && datatype != XSDString {
		suffix = `"^^<` + datatype + `>`
	}
	return LiteralSuffix(text, suffix)
}

// LangLiteral is the term of a text in a language.
func LangLiteral(text, lang string) Term { return LiteralSuffix(text, `"@`+lang) }

// LiteralSuffix is the literal of a text whose closing quote, with what follows
// it, is ready made: a processor writes many literals of few datatypes.
func LiteralSuffix(text, suffix string) Term {
	if Plain(text) {
		return Term(`"` + text + suffix)
	}
	b := make([]byte, 0, len(text)+len(suffix)+16)
	b = append(b, '"')
	b = appendEscaped(b, text)
	return Term(append(b, suffix...))
}

// IsBlank reports whether t is a blank node.
func (t Term) IsBlank() bool { return len(t) > 1 && t[0] == '_' }

// IsIRI reports whether t is an IRI.
func (t Term) IsIRI() bool { return len(t) > 0 && t[0] == '<' }

// IsLiteral reports whether t is a literal.
func (t Term) IsLiteral() bool { return len(t) > 0 && t[0] == '"' }

// ValidIRI reports whether s is absolute (has a scheme) and holds nothing that
// N-Quads leaves out: no control or space, none of <>"{}|^` and backslash.
func ValidIRI(s string) bool { return scanIRI(s, false) }

// WellFormedIRI is ValidIRI, and what RFC 3987 §2.2 asks for besides: a percent
// sign begins an octet of two hexadecimal digits, a fragment holds no number
// sign, and brackets stand around the address of a host only. Others' processors
// leave out what is not so.
func WellFormedIRI(s string) bool { return scanIRI(s, true) }

func scanIRI(s string, strict bool) bool {
	colon := schemeEnd(s)
	if colon < 0 {
		return false
	}
	fragment := false
	for i := colon + 1; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			switch iriClass[c] {
			case excluded:
				return false
			case special:
				if strict && (c == '#' && fragment || c != '#' && !mayStand(s, colon, i)) {
					return false
				}
				fragment = fragment || c == '#'
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || r < 0xA0 {
			return false
		}
		i += n
	}
	return true
}

// mayStand reports whether a percent sign or bracket may stand where it does.
func mayStand(s string, colon, i int) bool {
	if s[i] == '%' {
		return i+2 < len(s) && hexadecimal(s[i+1]) && hexadecimal(s[i+2])
	}
	authority, ok := strings.CutPrefix(s[colon+1:], "//")
	end := strings.IndexAny(authority, "/?#")
	if end < 0 {
		end = len(authority)
	}
	return ok && i < colon+3+end
}

func hexadecimal(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// schemeEnd is the place of the colon after a scheme, or -1.
func schemeEnd(s string) int {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z':
		case i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		case i > 0 && c == ':':
			return i
		default:
			return -1
		}
	}
	return -1
}

// The classes of ASCII in an IRI.
const (
	excluded = 1 + iota // the IRIREF production of N-Quads leaves it out
	special             // it may stand in some places only
)

var iriClass = func() (t [utf8.RuneSelf]uint8) {
	for c := 0; c <= 0x20; c++ {
		t[c] = excluded
	}
	for _, c := range "<>\"{}|^`\\\x7f" {
		t[c] = excluded
	}
	for _, c := range "%#[]" {
		t[c] = special
	}
	return t
}()

// String is the statement as one N-Quads line without its line end.
func (q Quad) String() string {
	var b strings.Builder
	b.Grow(len(q.Subject) + len(q.Predicate) + len(q.Object) + len(q.Graph) + 5)
	for _, t := range []Term{q.Subject, q.Predicate, q.Object, q.Graph} {
		if t != "" {
			b.WriteString(string(t))
			b.WriteByte(' ')
		}
	}
	b.WriteByte('.')
	return b.String()
}

// appendQuad writes a statement and its line end.
func appendQuad(b []byte, s, p, o, g Term) []byte {
	b = append(b, s...)
	b = append(b, ' ')
	b = append(b, p...)
	b = append(b, ' ')
	b = append(b, o...)
	if g != "" {
		b = append(b, ' ')
		b = append(b, g...)
	}
	return append(b, " .\n"...)
}
