package imscase

import (
	"bufio"
	"encoding/json"
	"io"
	"iter"
)

// Parts are the objects of a package as they were written.
type Parts struct {
	Document     json.RawMessage
	Items        iter.Seq2[json.RawMessage, error]
	Associations iter.Seq2[json.RawMessage, error]
	Definitions  json.RawMessage // nil: left out
	Rubrics      iter.Seq2[json.RawMessage, error]
	Extensions   json.RawMessage // nil: left out
}

// Write writes a package object by object.
func Write(w io.Writer, p Parts) error {
	out := &writer{w: bufio.NewWriter(w)}
	out.text(`{"CFDocument":`)
	out.text(string(p.Document))
	out.list("CFItems", p.Items)
	out.list("CFAssociations", p.Associations)
	if p.Definitions != nil {
		out.text(`,"CFDefinitions":` + string(p.Definitions))
	}
	out.list("CFRubrics", p.Rubrics)
	if p.Extensions != nil {
		out.text(`,"extensions":` + string(p.Extensions))
	}
	out.text("}\n")
	if out.err != nil {
		return out.err
	}
	return out.w.Flush()
}

type writer struct {
	w   *bufio.Writer
	err error
}

func (o *writer) text(s string) {
	if o.err == nil {
		_, o.err = o.w.WriteString(s)
	}
}

// list writes one member; nil, or one without elements, is left out.
func (o *writer) list(name string, all iter.Seq2[json.RawMessage, error]) {
	if all == nil {
		return
	}
	first := true
	for raw, err := range all {
		if err != nil && o.err == nil {
			o.err = err
		}
		if o.err != nil {
			return
		}
		if first {
			o.text(`,"` + name + `":[`)
		} else {
			o.text(",")
		}
		first = false
		o.text(string(raw))
	}
	if !first {
		o.text("]")
	}
}
