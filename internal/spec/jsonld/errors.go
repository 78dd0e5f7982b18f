package jsonld

import "fmt"

// Code says of what kind a refusal is. Codes are stable: they may be stored and
// shown.
type Code string

// The kinds of refusal.
const (
	InvalidJSON    Code = "invalid-json"    // not strict JSON
	InvalidText    Code = "invalid-text"    // not Unicode text that all processors keep
	DuplicateKey   Code = "duplicate-key"   // a member name used twice in an object
	InvalidNumber  Code = "invalid-number"  // not finite, or not the same number everywhere
	TooLarge       Code = "too-large"       // more bytes than are read
	TooDeep        Code = "too-deep"        // nested deeper than is read
	TooComplex     Code = "too-complex"     // blank nodes too entangled
	UnknownContext Code = "unknown-context" // a context that is not pinned
	InvalidContext Code = "invalid-context" // a malformed context
	ProtectedTerm  Code = "protected-term"  // a definition against a protected term
	UndefinedTerm  Code = "undefined-term"  // a member that no context defines
	UndefinedType  Code = "undefined-type"  // a type that no context defines
	RelativeIRI    Code = "relative-iri"    // an identifier that is not absolute
	MalformedIRI   Code = "malformed-iri"   // an identifier with characters an IRI may not hold
	InvalidValue   Code = "invalid-value"   // a value of the wrong kind for its term
	UnsignedValue  Code = "unsigned-value"  // a value that would not reach the signature
	Unsupported    Code = "unsupported"     // JSON-LD that credentials do not use
)

// Error is a refusal.
type Error struct {
	Code    Code
	Pointer string // JSON Pointer (RFC 6901) to the place; "" is the whole document
	Term    string // the member, type, IRI or context URL at fault, where there is one
	Reason  string // a sentence for the one who made the document
	placed  bool
	cause   error
}

// Error is the code, the place and the reason in one line.
func (e *Error) Error() string {
	if e.Pointer == "" {
		return fmt.Sprintf("JSON-LD: %s (%s)", e.Reason, e.Code)
	}
	return fmt.Sprintf("JSON-LD: at %s: %s (%s)", e.Pointer, e.Reason, e.Code)
}

// Unwrap is the error of another package that led to the refusal.
func (e *Error) Unwrap() error { return e.cause }

// refuse makes a refusal whose place is not yet known.
func refuse(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Reason: fmt.Sprintf(format, args...)}
}

// of names the term at fault.
func (e *Error) of(term string) *Error {
	e.Term = term
	return e
}
