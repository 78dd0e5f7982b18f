package tabular

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// objects reads the rows of an NDJSON file: one object a line.
type objects struct {
	s      *scanner
	wanted map[string]string
	limit  int
}

func newObjects(s *scanner, o Options) *objects { return &objects{s, o.wanted(), o.MaxRowBytes} }

func (o *objects) next() (Row, error) {
	for {
		l, err := o.s.next()
		if err != nil {
			return Row{}, err
		}
		if first(l) == 0 {
			continue
		}
		r := Row{Line: o.s.line, LastLine: o.s.line, h: &header{name: map[string]string{}}, object: map[string]json.RawMessage{}}
		if o.s.long {
			r.Err = &Error{Rule: "row-size", Value: short(l), Message: fmt.Sprintf("The row is longer than %d bytes.", o.limit)}
		} else {
			r.Err = o.read(&r, l)
		}
		if r.Err != nil {
			r.Err.Line, r.object = r.Line, map[string]json.RawMessage{}
		}
		r.Offset = o.s.offset()
		return r, nil
	}
}

func (o *objects) read(r *Row, l string) *Error {
	if !utf8.ValidString(l) {
		return &Error{Rule: "encoding", Value: short(strings.ToValidUTF8(l, "�")), Message: "The line is not UTF-8, which JSON must be."}
	}
	dec := json.NewDecoder(strings.NewReader(l))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return &Error{Rule: "json", Value: short(l), Message: "The line is not a JSON object. Each line holds one object."}
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return notJSON(l, dec, err)
		}
		name, ok := key.(string)
		if !ok {
			return notJSON(l, dec, nil)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return notJSON(l, dec, err)
		}
		field, known := o.wanted[folded(name)]
		if !known {
			continue
		}
		if _, twice := r.h.name[field]; twice {
			return &Error{Column: name, Rule: "column-once", Value: short(string(value)), Message: fmt.Sprintf("The member %q is there twice.", name)}
		}
		r.h.name[field] = name
		if string(value) == "null" {
			continue
		}
		if strings.Contains(string(value), `\u0000`) && strings.IndexByte(scalar(value), 0) >= 0 {
			return &Error{Column: name, Rule: "nul", Value: short(string(value)), Message: "This value has a NUL character, which no text may have."}
		}
		r.object[field] = value
	}
	if _, err := dec.Token(); err != nil {
		return notJSON(l, dec, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return &Error{Rule: "json", Value: short(l), Message: "Something follows the object on its line. Each line holds one object."}
	}
	return nil
}

func notJSON(l string, dec *json.Decoder, err error) *Error {
	at := dec.InputOffset()
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at = syntax.Offset
	}
	return &Error{Rule: "json", Value: short(l), Message: fmt.Sprintf("The line is not JSON from its character %d on.", utf8.RuneCountInString(l[:min(int(at), len(l))]))}
}
