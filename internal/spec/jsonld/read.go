package jsonld

import (
	"encoding/json"
	"iter"
)

// Value is one value of a JSON document that Read has read.
type Value struct {
	tree *tree
	at   int32
}

// Read reads strict JSON as ToRDF does: valid UTF-8, no member twice, at most
// 200 deep. Every refusal is an *Error.
func Read(doc []byte) (Value, error) {
	if len(doc) > defaultMaxBytes {
		return Value{}, refuse(TooLarge, "the document has %d bytes; at most %d are read", len(doc), defaultMaxBytes)
	}
	t, err := parseJSON(string(doc), nil)
	return Value{t, 0}, err
}

// Document is the value by itself, as a document: an embedded credential, or all
// that was read.
func (v Value) Document(opts Options) *Document { return &Document{tree: v.tree, at: v.at, opts: opts} }

func (v Value) node() *node { return &v.tree.nodes[v.at] }

// IsZero reports whether there is no value at all, as of a member that is not
// there.
func (v Value) IsZero() bool { return v.tree == nil }

// IsObject reports whether it is an object.
func (v Value) IsObject() bool { return !v.IsZero() && v.node().kind == kindObject }

// IsArray reports whether it is an array.
func (v Value) IsArray() bool { return !v.IsZero() && v.node().kind == kindArray }

// IsNull reports whether it is null.
func (v Value) IsNull() bool { return !v.IsZero() && v.node().kind == kindNull }

// Text is a string, and whether it is one.
func (v Value) Text() (string, bool) {
	if v.IsZero() || v.node().kind != kindString {
		return "", false
	}
	return v.node().text, true
}

// Number is the text of a number, and whether it is one.
func (v Value) Number() (string, bool) {
	if v.IsZero() || v.node().kind != kindNumber {
		return "", false
	}
	return v.node().text, true
}

// Bool is true or false, and whether it is either.
func (v Value) Bool() (value, ok bool) {
	if v.IsZero() {
		return false, false
	}
	k := v.node().kind
	return k == kindTrue, k == kindTrue || k == kindFalse
}

// Len is how many members an object or elements an array has.
func (v Value) Len() int {
	if v.IsZero() {
		return 0
	}
	return int(v.node().count)
}

// Member is a member of an object, or nothing.
func (v Value) Member(name string) Value {
	if !v.IsObject() {
		return Value{}
	}
	if c := v.tree.member(v.at, name); c != 0 {
		return Value{v.tree, c}
	}
	return Value{}
}

// Members are the members of an object, in their order.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if !v.IsObject() {
			return
		}
		for c := v.node().child; c != 0; c = v.tree.nodes[c].next {
			if !yield(v.tree.nodes[c].key, Value{v.tree, c}) {
				return
			}
		}
	}
}

// Elements are the elements of an array; of anything else, itself alone, as
// JSON-LD reads one value in a list's place; of nothing, none.
func (v Value) Elements() iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) {
		if v.IsZero() {
			return
		}
		if !v.IsArray() {
			yield(0, v)
			return
		}
		i := 0
		for c := v.node().child; c != 0; c = v.tree.nodes[c].next {
			if !yield(i, Value{v.tree, c}) {
				return
			}
			i++
		}
	}
}

// One is the value, or the only element of an array of one: JSON-LD reads both
// alike.
func (v Value) One() Value {
	if v.IsArray() && v.Len() == 1 {
		return Value{v.tree, v.node().child}
	}
	return v
}

// Texts are the strings among the elements.
func (v Value) Texts() []string {
	var out []string
	for _, e := range v.Elements() {
		if s, ok := e.Text(); ok {
			out = append(out, s)
		}
	}
	return out
}

// Raw is an object or array as it stands in the document, byte for byte; of
// other values it is their JSON.
func (v Value) Raw() json.RawMessage {
	if v.IsZero() {
		return nil
	}
	switch n := v.node(); n.kind {
	case kindString:
		return AppendText(make([]byte, 0, len(n.text)+2), n.text)
	case kindNull:
		return json.RawMessage("null")
	case kindTrue:
		return json.RawMessage("true")
	case kindFalse:
		return json.RawMessage("false")
	default:
		return json.RawMessage(n.text)
	}
}
