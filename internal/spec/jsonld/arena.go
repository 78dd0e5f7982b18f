package jsonld

import (
	"unsafe"

	"github.com/testamur/testamur/internal/spec/rdfc"
)

// arena joins the texts of terms in large pieces of memory: a transcript has
// thousands of terms that live and die together.
type arena struct{ piece []byte }

// pieceSize is the least size of a piece.
const pieceSize = 4 << 10

// join is a term made of three texts.
func (a *arena) join(open, text, end string) rdfc.Term {
	size := len(open) + len(text) + len(end)
	if cap(a.piece)-len(a.piece) < size {
		// A new piece, larger each time; the old one stays with its terms.
		a.piece = make([]byte, 0, max(pieceSize, size, min(2*cap(a.piece), 256*pieceSize)))
	}
	start := len(a.piece)
	a.piece = append(append(append(a.piece, open...), text...), end...)
	// What was written is not written again while its terms live: see reuse.
	return rdfc.Term(unsafe.String(&a.piece[start], size))
}

// reuse has the piece written anew. No term that was made before may be in use.
func (a *arena) reuse() { a.piece = a.piece[:0] }

// iri is the term of an IRI.
func (a *arena) iri(iri string) rdfc.Term { return a.join("<", iri, ">") }

// literal is the literal of a text, whose end is ready made.
func (a *arena) literal(text, end string) rdfc.Term {
	if !rdfc.Plain(text) {
		return rdfc.LiteralSuffix(text, end)
	}
	return a.join(`"`, text, end)
}
