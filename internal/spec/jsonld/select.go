package jsonld

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/testamur/testamur/internal/spec/rdfc"
)

// Statements are what the document says. Its blank nodes are labelled by their
// place in it: a selection of the document has the same labels.
func (d *Document) Statements() (rdfc.Dataset, error) {
	if err := d.tree.whole(); err != nil {
		return nil, err
	}
	return d.say(true)
}

// whole unfolds a tree in which parts stand for themselves.
func (t *tree) whole() error {
	if len(t.parts) == 0 {
		return nil
	}
	return t.unfold()
}

// The limits of a selection.
const (
	maxPointers = 1000
	maxPointer  = 2000 // bytes
)

// Select is the part of a document that JSON pointers (RFC 6901) name: each value
// whole, and of the objects around it what says where it is: the @context, the
// type, and the id unless it is a blank node's label. Arrays close up around
// what is left out. VC-DI-ECDSA 1.0 §3.4.11 to §3.4.13.
//
// A pointer that matches nothing is refused, and so are no pointers at all.
func (d *Document) Select(pointers []string) (*Document, error) {
	if len(pointers) == 0 || len(pointers) > maxPointers {
		return nil, refuse(InvalidValue, "a selection has from 1 to %d pointers", maxPointers)
	}
	if err := d.tree.whole(); err != nil {
		return nil, err
	}
	s := selection{tree: d.tree, marks: make([]mark, len(d.tree.nodes))}
	for _, p := range pointers {
		if err := s.add(d.at, p); err != nil {
			return nil, err
		}
	}
	pruned := *d
	pruned.tree = &tree{src: d.tree.src, nodes: slices.Clone(d.tree.nodes)}
	s.prune(pruned.tree, d.at)
	return &pruned, nil
}

// mark is how much of a value is selected.
type mark uint8

const (
	partly mark = iota + 1
	wholly
)

type selection struct {
	*tree
	marks []mark
}

// add selects what a pointer names.
func (s selection) add(at int32, pointer string) error {
	steps, err := parsePointer(pointer)
	if err != nil {
		return err
	}
	for _, step := range steps {
		s.pass(at)
		next := s.step(at, step)
		if next == 0 {
			return &Error{Code: InvalidValue, Pointer: pointer, Term: step, placed: true,
				Reason: fmt.Sprintf("the pointer %q matches nothing in the document: there is no %q", shortened(pointer), shortened(step))}
		}
		at = next
	}
	s.marks[at] = wholly
	return nil
}

// pass selects of a value on the way what says where it is.
func (s selection) pass(at int32) {
	if s.marks[at] != 0 {
		return
	}
	s.marks[at] = partly
	if s.nodes[at].kind != kindObject {
		return
	}
	for c := s.nodes[at].child; c != 0; c = s.nodes[c].next {
		switch n := &s.nodes[c]; n.key {
		case "id":
			if n.kind == kindString && strings.HasPrefix(n.text, "_:") {
				continue
			}
			s.marks[c] = wholly
		case "type", "@context":
			s.marks[c] = wholly
		}
	}
}

// step is a member of an object or an element of an array, or 0.
func (s selection) step(at int32, step string) int32 {
	switch s.nodes[at].kind {
	case kindObject:
		return s.member(at, step)
	case kindArray:
		i, err := strconv.Atoi(step)
		if err != nil || i < 0 || strconv.Itoa(i) != step {
			return 0
		}
		c := s.nodes[at].child
		for ; c != 0 && i > 0; i-- {
			c = s.nodes[c].next
		}
		return c
	}
	return 0
}

// prune takes what is not selected out of a copy of the tree.
func (s selection) prune(t *tree, at int32) {
	if s.marks[at] != partly {
		return
	}
	last := int32(0)
	n := &t.nodes[at]
	n.count = 0
	first := n.child
	n.child = 0
	for c := first; c != 0; {
		next := s.nodes[c].next
		if s.marks[c] != 0 {
			t.nodes[c].next = 0
			if last == 0 {
				n.child = c
			} else {
				t.nodes[last].next = c
			}
			n.count++
			last = c
			s.prune(t, c)
		}
		c = next
	}
}

// parsePointer is a JSON pointer's steps.
func parsePointer(p string) ([]string, error) {
	if p == "" {
		return nil, nil
	}
	if p[0] != '/' || len(p) > maxPointer {
		return nil, refuse(InvalidValue, "%q is not a JSON pointer, which begins with /", shortened(p))
	}
	steps := strings.Split(p[1:], "/")
	for i, step := range steps {
		rest := strings.NewReplacer("~0", "", "~1", "").Replace(step)
		if strings.Contains(rest, "~") {
			return nil, refuse(InvalidValue, "%q is not a JSON pointer: ~ stands only before 0 or 1", shortened(p))
		}
		steps[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
	}
	return steps, nil
}

// JSON is the document as compact JSON, with the members in their order.
func (d *Document) JSON() []byte {
	return d.tree.appendSource(make([]byte, 0, len(d.tree.src)), d.at)
}

func (t *tree) appendSource(b []byte, at int32) []byte {
	n := &t.nodes[at]
	switch n.kind {
	case kindString:
		return AppendText(b, n.text)
	case kindNumber, kindPart:
		return append(b, n.text...)
	case kindNull:
		return append(b, "null"...)
	case kindTrue:
		return append(b, "true"...)
	case kindFalse:
		return append(b, "false"...)
	}
	brackets := "[]"
	if n.kind == kindObject {
		brackets = "{}"
	}
	b = append(b, brackets[0])
	for c := n.child; c != 0; c = t.nodes[c].next {
		if c != n.child {
			b = append(b, ',')
		}
		if n.kind == kindObject {
			b = append(AppendText(b, t.nodes[c].key), ':')
		}
		b = t.appendSource(b, c)
	}
	return append(b, brackets[1])
}
