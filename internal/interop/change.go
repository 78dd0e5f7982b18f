package interop

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// EachFieldChanged gives fn the document with one thing changed, again and
// again until every leaf, member and list outside the proofs had its turn; all
// other bytes stay as they are. The path tells what was done and where, as JSON
// pointers:
//
//	changed /a      a text, number or boolean has another value of its kind
//	removed /a      a member or list element is gone
//	added /a        an object has a member more: one no context knows, one that is an absolute IRI
//	reordered /a/0 /a/1      two neighbours in a list changed places
//	swapped /a/0/b /a/1/b    two neighbours in a list exchanged one member, at any depth
//
// A list whose order means nothing to JSON-LD keeps its meaning when reordered.
// The error says that the document is not JSON.
func EachFieldChanged(document []byte, fn func(path string, changed []byte)) error {
	if !json.Valid(document) {
		return errors.New("the document is not JSON")
	}
	c := changer{document: document, fn: fn}
	root, _ := c.scan(c.blank(0))
	c.walk(root, "")
	return nil
}

// node is a value of the document with its place in it.
type node struct {
	start, end int
	parts      []part // of an object or list, in order
}

// part is a member of an object, with its name, or an element of a list, with
// its index.
type part struct {
	name  string
	start int // of the name
	value node
}

type changer struct {
	document []byte
	fn       func(path string, changed []byte)
}

// blank is the first place from at that is not blank.
func (c changer) blank(at int) int {
	for at < len(c.document) && bytes.IndexByte([]byte(" \t\r\n"), c.document[at]) >= 0 {
		at++
	}
	return at
}

// scan reads the value that starts at a place of a valid document, and gives
// the place after it.
func (c changer) scan(at int) (node, int) {
	switch c.document[at] {
	case '{', '[':
		return c.scanParts(at)
	case '"':
		end := c.text(at)
		return node{start: at, end: end}, end
	}
	end := at
	for end < len(c.document) && bytes.IndexByte([]byte(",]} \t\r\n"), c.document[end]) < 0 {
		end++
	}
	return node{start: at, end: end}, end
}

func (c changer) scanParts(at int) (node, int) {
	n := node{start: at}
	object := c.document[at] == '{'
	at = c.blank(at + 1)
	for c.document[at] != '}' && c.document[at] != ']' {
		p := part{name: strconv.Itoa(len(n.parts)), start: at}
		if object {
			end := c.text(at)
			p.name = unquote(c.document[at:end])
			at = c.blank(c.blank(end) + 1) // over the colon
		}
		p.value, at = c.scan(at)
		n.parts = append(n.parts, p)
		if at = c.blank(at); c.document[at] == ',' {
			at = c.blank(at + 1)
		}
	}
	n.end = at + 1
	return n, n.end
}

// text is the place after a quoted text.
func (c changer) text(at int) int {
	for at++; c.document[at] != '"'; at++ {
		if c.document[at] == '\\' {
			at++
		}
	}
	return at + 1
}

func unquote(raw []byte) string {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return string(raw) // not in a valid document
	}
	return s
}

func (c changer) bytes(n node) []byte { return c.document[n.start:n.end] }

// splice gives fn the document with the bytes of a place replaced.
func (c changer) splice(what string, start, end int, with []byte) {
	out := make([]byte, 0, len(c.document)+len(with))
	out = append(out, c.document[:start]...)
	out = append(out, with...)
	c.fn(what, append(out, c.document[end:]...))
}

// exchange gives fn the document with two values in each other's place.
func (c changer) exchange(what string, a, b node) {
	between := c.document[a.end:b.start]
	c.splice(what, a.start, b.end, bytes.Join([][]byte{c.bytes(b), between, c.bytes(a)}, nil))
}

func (c changer) walk(n node, path string) {
	switch c.document[n.start] {
	case '{':
		c.add(n, path)
	case '[':
		c.neighbours(n, path)
	default:
		c.splice("changed "+path, n.start, n.end, other(c.bytes(n)))
		return
	}
	for i, p := range n.parts {
		if p.name == "proof" {
			continue
		}
		at := path + "/" + pointer(p.name)
		start, end := p.start, p.value.end
		if i+1 < len(n.parts) {
			end = n.parts[i+1].start
		} else if i > 0 {
			start = n.parts[i-1].value.end
		}
		c.splice("removed "+at, start, end, nil)
		c.walk(p.value, at)
	}
}

// add puts a member more at the end of an object.
func (c changer) add(n node, path string) {
	comma := ","
	if len(n.parts) == 0 {
		comma = ""
	}
	for _, name := range []string{"addedByNobody", "https://added.example/term"} {
		c.splice("added "+path+"/"+pointer(name), n.end-1, n.end-1, []byte(comma+`"`+name+`":"added"`))
	}
}

// neighbours changes places in a list, of whole elements and of what two of
// them have in common.
func (c changer) neighbours(n node, path string) {
	for i := 1; i < len(n.parts); i++ {
		a, b := n.parts[i-1].value, n.parts[i].value
		at, bt := fmt.Sprintf("%s/%d", path, i-1), fmt.Sprintf("%s/%d", path, i)
		if bytes.Equal(c.bytes(a), c.bytes(b)) {
			continue
		}
		c.exchange("reordered "+at+" "+bt, a, b)
		c.swap(a, b, at, bt)
	}
}

// swap exchanges each part that two values have both, but in different ways.
func (c changer) swap(a, b node, at, bt string) {
	theirs := map[string]node{}
	for _, q := range b.parts {
		theirs[q.name] = q.value
	}
	for _, p := range a.parts {
		v, ok := theirs[p.name]
		if !ok || p.name == "proof" || bytes.Equal(c.bytes(p.value), c.bytes(v)) {
			continue
		}
		pt, qt := at+"/"+pointer(p.name), bt+"/"+pointer(p.name)
		c.exchange("swapped "+pt+" "+qt, p.value, v)
		c.swap(p.value, v, pt, qt)
	}
}

// pointer is a name as a step of a JSON pointer, RFC 6901 §3.
func pointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// other is a leaf of the same kind with another meaning.
func other(leaf []byte) []byte {
	switch {
	case leaf[0] == '"':
		out, err := json.Marshal(otherText(unquote(leaf)))
		if err != nil {
			return []byte(`"other"`) // not for text
		}
		return out
	case string(leaf) == "true":
		return []byte("false")
	case string(leaf) == "false" || string(leaf) == "null":
		return []byte("true")
	}
	f, err := strconv.ParseFloat(string(leaf), 64)
	if err != nil || f+1 == f {
		return []byte("1")
	}
	return strconv.AppendFloat(nil, f+1, 'f', -1, 64)
}

// otherText is another text of the same shape: a later day for an instant or
// date, one more for a number, else one letter more.
func otherText(s string) string {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, s); err == nil {
			return at.AddDate(0, 0, 1).Format(layout)
		}
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f+1 != f {
		return strconv.FormatFloat(f+1, 'f', -1, 64)
	}
	return s + "x"
}
