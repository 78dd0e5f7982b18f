package jsonld

import (
	"strings"

	"github.com/testamur/testamur/internal/spec/rdfc"
)

// arena joins the texts of terms in large pieces of memory: a transcript has
// thousands of terms that live and die together.
type arena struct{ piece strings.Builder }

// pieceSize is the least size of a piece.
const pieceSize = 4 << 10

// join is a term made of three texts.
func (a *arena) join(open, text, end string) rdfc.Term {
	size := len(open) + len(text) + len(end)
	if a.piece.Cap()-a.piece.Len() < size {
		// A new piece, larger each time; the old one stays with its terms.
		next := max(pieceSize, size, min(2*a.piece.Cap(), 64*pieceSize))
		a.piece = strings.Builder{}
		a.piece.Grow(next)
	}
	start := a.piece.Len()
	a.piece.WriteString(open)
	a.piece.WriteString(text)
	a.piece.WriteString(end)
	return rdfc.Term(a.piece.String()[start:])
}

// iri is the term of an IRI.
func (a *arena) iri(iri string) rdfc.Term { return a.join("<", iri, ">") }

// literal is the literal of a text, whose end is ready made.
func (a *arena) literal(text, end string) rdfc.Term {
	if !rdfc.Plain(text) {
		return rdfc.LiteralSuffix(text, end)
	}
	return a.join(`"`, text, end)
}
