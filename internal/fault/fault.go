// Package fault says what can go wrong, in nine kinds.
//
// Every operation answers with a *fault.Error for what a caller can act on: the
// message is a sentence to the person who asked, the field is the path into
// their input, the rule names what was broken. Any other error is Internal:
// transports log it and show nothing of it, so a leak is impossible by
// construction.
package fault

import (
	"errors"
	"fmt"
)

// Kind is the class of a fault. The GraphQL enum ErrorCode lists the same nine.
type Kind string

// The nine kinds.
const (
	Invalid         Kind = "INVALID"         // the input breaks a rule
	NotFound        Kind = "NOT_FOUND"       // there is none, or the caller may not know of it
	Unauthenticated Kind = "UNAUTHENTICATED" // no token, or one that is unknown, expired or revoked
	Forbidden       Kind = "FORBIDDEN"       // the caller's roles or scopes do not allow the action
	Conflict        Kind = "CONFLICT"        // it exists already, or has changed since it was read
	State           Kind = "STATE"           // the thing is not in a state that allows it
	Limit           Kind = "LIMIT"           // too large, too many, too deep or too often
	Unavailable     Kind = "UNAVAILABLE"     // something this needs is away; trying again may help
	Internal        Kind = "INTERNAL"        // a bug or a broken part; no detail is shown
)

// Kinds are all nine, in the order above.
func Kinds() []Kind {
	return []Kind{Invalid, NotFound, Unauthenticated, Forbidden, Conflict, State, Limit, Unavailable, Internal}
}

// Error is a fault a caller can act on.
type Error struct {
	Kind    Kind
	Field   string // path into the input, such as "results.0.value"; empty when no one field is at fault
	Rule    string // stable kebab-case name of the rule, such as "achieved-before-recorded"; may be empty
	Message string // a sentence to the person who asked
	Err     error  // the cause, for the log; never shown
}

// Error is the message, with the field before it and the cause behind it.
func (e *Error) Error() string {
	s := e.Message
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// New is a fault of a kind with a formatted sentence.
func New(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...)}
}

// At is an Invalid fault of one field of the input.
func At(field, rule, format string, args ...any) *Error {
	return &Error{Kind: Invalid, Field: field, Rule: rule, Message: fmt.Sprintf(format, args...)}
}

// Missing is the one NotFound fault for a noun. It does not say whether the
// thing exists elsewhere.
func Missing(noun string) *Error {
	return &Error{Kind: NotFound, Message: fmt.Sprintf("There is no such %s, or you may not see it.", noun)}
}

// Because attaches the cause for the log.
func (e *Error) Because(err error) *Error {
	c := *e
	c.Err = err
	return &c
}

// Within prefixes the field, so that a rule of a part can be reported against
// the whole input.
func (e *Error) Within(prefix string) *Error {
	c := *e
	switch {
	case c.Field == "":
		c.Field = prefix
	case prefix != "":
		c.Field = prefix + "." + c.Field
	}
	return &c
}

// Of is the fault in an error's chain; ok is false when there is none, which
// callers must treat as Internal.
func Of(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}

// KindOf is the kind of an error: Internal for anything that is not a fault.
func KindOf(err error) Kind {
	if e, ok := Of(err); ok {
		return e.Kind
	}
	return Internal
}
