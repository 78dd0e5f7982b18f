// Package jsonld turns the JSON of a credential into what it says: RDF
// statements, and from them the canonical N-Quads that are signed (JSON-LD 1.1
// expansion and deserialization to RDF, then RDFC-1.0).
//
// It is safe by construction. Nothing in a document is dropped in silence: what
// would not reach the signature, or would be read differently by another
// processor, is refused with an Error that names the place, a stable code and
// the reason. Contexts are never fetched: those of the field are compiled in,
// and an operator can pin more.
//
// The JSON is read once into a flat tree, active contexts are kept between
// documents, and statements are written straight from the tree.
package jsonld

import (
	"crypto"

	"github.com/testamur/testamur/internal/spec/rdfc"
)

// Options are the choices of one canonicalization; the zero value is the usual
// one.
type Options struct {
	// Hash is crypto.SHA256 (also for zero) or crypto.SHA384.
	Hash crypto.Hash
	// Contexts are JSON-LD contexts pinned by the operator, by URL. A URL that
	// is compiled in cannot be given another meaning: it is refused.
	Contexts map[string][]byte
	// Direction says how text with a base direction is written in RDF. The zero
	// value refuses such text, since the direction would not be signed.
	Direction Direction
	// MaxBytes limits the document's size; zero means 64 MiB.
	MaxBytes int
	// WorkLimit is that of rdfc.Options.
	WorkLimit int
}

// Direction is a way to write the base direction of text in RDF.
type Direction string

// I18NDatatype writes the direction into the datatype, as the rdfDirection
// option "i18n-datatype" of JSON-LD 1.1 does.
const I18NDatatype Direction = "i18n-datatype"

const (
	defaultMaxBytes = 64 << 20
	// maxDepth is how deeply arrays and objects may nest. A transcript within a
	// transcript, with endorsed achievements, takes some 30.
	maxDepth = 200
)

// Canonize is the canonical form of a JSON-LD document, by RDFC-1.0 with
// SHA-256: CanonizeWith with no options. The configuration of a proof, with its
// @context, is canonicalized by the same call.
func Canonize(doc []byte) ([]byte, error) { return CanonizeWith(doc, Options{}) }

// CanonizeWith is the canonical form of a JSON-LD document. It refuses what
// ToRDF refuses, and a document whose blank nodes are too entangled (code
// TooComplex).
func CanonizeWith(doc []byte, opts Options) ([]byte, error) {
	d, err := Open(doc, opts)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Canonize()
}

// ToRDF is what a JSON-LD document says, as RDF statements. Every refusal is an
// *Error. Refused are:
//
//   - text that is not strict JSON: invalid UTF-8, unpaired surrogates,
//     non-characters, a member name used twice, numbers that are not finite or
//     that processors would round differently, documents too large or too deep;
//   - contexts that are neither compiled in nor pinned, malformed definitions,
//     and definitions against a protected term;
//   - a term or type that no context defines, a relative or malformed IRI;
//   - whatever JSON-LD would drop: null, free-floating values, a reference
//     inside a graph that says nothing, @index annotations, a base direction
//     without Options.Direction;
//   - what credentials do not use: a base IRI, framing keywords, blank node
//     predicates, keywords inside @nest.
//
// An empty array says nothing in JSON-LD and is let through.
func ToRDF(doc []byte, opts Options) (rdfc.Dataset, error) {
	d, err := Open(doc, opts)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.statements()
}

// KnownContext reports whether the context of a URL is compiled in.
func KnownContext(url string) bool {
	_, ok := known[url]
	return ok
}
