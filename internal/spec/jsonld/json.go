package jsonld

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// kind is what a JSON value is.
type kind uint8

const (
	kindNull kind = iota
	kindFalse
	kindTrue
	kindNumber
	kindString
	kindArray
	kindObject
	kindPart // a credential whose kept form stands for it; count is its place among the parts
)

// node is one JSON value in the tree. The root is node 0, so 0 also means none
// where a child or a next sibling is meant.
type node struct {
	key    string // member name, within an object
	text   string // of a string, its characters; of a number, its digits; else the source
	parent int32
	child  int32 // first
	next   int32 // sibling
	count  int32 // children
	kind   kind
}

// tree is a JSON document.
type tree struct {
	src   string
	nodes []node
	parts []part // those found in the document
	// What their forms are unpacked into; nil where there are none.
	unpacked *[]byte
}

// unfold reads the whole document anew, with no part standing for itself.
func (t *tree) unfold() error {
	whole, err := parseJSON(t.src, nil)
	if err == nil {
		*t = *whole
	}
	return err
}

// pointer is the JSON Pointer of a node.
func (t *tree) pointer(at int32) string {
	if at == 0 {
		return ""
	}
	parent := t.nodes[at].parent
	step := t.nodes[at].key
	if t.nodes[parent].kind == kindArray {
		i := 0
		for c := t.nodes[parent].child; c != at; c = t.nodes[c].next {
			i++
		}
		step = strconv.Itoa(i)
	}
	return t.pointer(parent) + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(step)
}

// member is the value of a member of an object, or 0.
func (t *tree) member(object int32, key string) int32 {
	for c := t.nodes[object].child; c != 0; c = t.nodes[c].next {
		if t.nodes[c].key == key {
			return c
		}
	}
	return 0
}

// parser reads strict JSON (RFC 8259) into a tree.
type parser struct {
	tree
	pos  int
	wait []part // parts that are still to come
}

// parseJSON reads a document; parts that stand in it with a kept form are not
// looked into.
func parseJSON(doc string, parts []part) (*tree, error) {
	if !utf8.ValidString(doc) {
		return nil, refuse(InvalidText, "the document is not valid UTF-8")
	}
	p := &parser{tree: tree{src: doc}, wait: parts}
	p.nodes = *pooledNodes.Get().(*[]node)
	if want := p.expected(); cap(p.nodes) < want {
		p.nodes = make([]node, 0, want)
	}
	err := p.value(0, "", 0)
	if err == nil {
		p.space()
		if p.pos < len(p.src) {
			err = p.fail("something follows the document")
		}
	}
	if err != nil {
		return nil, err
	}
	return &p.tree, nil
}

// expected is about how many values the document has that are looked into.
func (p *parser) expected() int {
	bytes := len(p.src)
	for _, w := range p.wait {
		if w.used {
			bytes -= len(w.text)
		}
	}
	return max(bytes, 0)/24 + 8
}

// fail is a refusal at the place read so far.
func (p *parser) fail(reason string) error {
	return refuse(InvalidJSON, "byte %d: %s", p.pos, reason)
}

func (p *parser) space() {
	for p.pos < len(p.src) {
		switch p.src[p.pos] {
		case ' ', '\n', '\r', '\t':
			p.pos++
		default:
			return
		}
	}
}

// value reads one value as a new node.
func (p *parser) value(parent int32, key string, depth int) error {
	if depth > maxDepth {
		return &Error{Code: TooDeep, Pointer: p.pointer(parent), Reason: "arrays and objects are nested more than " + strconv.Itoa(maxDepth) + " deep"}
	}
	p.space()
	if p.pos >= len(p.src) {
		return p.fail("the document ends where a value is due")
	}
	at := int32(len(p.nodes))
	p.nodes = append(p.nodes, node{key: key, parent: parent})
	switch c := p.src[p.pos]; c {
	case '{':
		p.nodes[at].kind = kindObject
		start := p.pos
		err := p.object(at, depth)
		p.nodes[at].text = p.src[start:p.pos]
		return err
	case '[':
		p.nodes[at].kind = kindArray
		start := p.pos
		err := p.array(at, depth)
		p.nodes[at].text = p.src[start:p.pos]
		return err
	case '"':
		text, err := p.text()
		p.nodes[at].kind, p.nodes[at].text = kindString, text
		return err
	case 't':
		return p.word(at, "true", kindTrue)
	case 'f':
		return p.word(at, "false", kindFalse)
	case 'n':
		return p.word(at, "null", kindNull)
	default:
		text, err := p.number()
		p.nodes[at].kind, p.nodes[at].text = kindNumber, text
		return err
	}
}

func (p *parser) word(at int32, word string, k kind) error {
	if !strings.HasPrefix(p.src[p.pos:], word) {
		return p.fail("a value is none of JSON's")
	}
	p.nodes[at].kind, p.nodes[at].text = k, p.src[p.pos:p.pos+len(word)]
	p.pos += len(word)
	return nil
}

// next reads the comma before the next item, or the closing bracket.
func (p *parser) next(count int32, closing byte) (more bool, err error) {
	p.space()
	if p.pos >= len(p.src) {
		return false, p.fail("the document ends inside an array or object")
	}
	switch c := p.src[p.pos]; {
	case c == closing:
		p.pos++
		return false, nil
	case count == 0:
		return true, nil
	case c == ',':
		p.pos++
		return true, nil
	}
	return false, p.fail("a comma or closing bracket is missing")
}

// adopt hangs the node about to be made under its parent.
func (p *parser) adopt(parent, last int32) int32 {
	at := int32(len(p.nodes))
	if last == 0 {
		p.nodes[parent].child = at
	} else {
		p.nodes[last].next = at
	}
	p.nodes[parent].count++
	return at
}

func (p *parser) array(at int32, depth int) error {
	p.pos++
	last := int32(0)
	for {
		more, err := p.next(p.nodes[at].count, ']')
		if err != nil || !more {
			return err
		}
		last = p.adopt(at, last)
		if p.part(at) {
			continue
		}
		if err := p.value(at, "", depth+1); err != nil {
			return err
		}
	}
}

// part passes over the next part, where it stands here with a form.
func (p *parser) part(parent int32) bool {
	if len(p.wait) == 0 {
		return false
	}
	p.space()
	next := p.wait[0]
	if next.text == "" || !strings.HasPrefix(p.src[p.pos:], next.text) {
		return false
	}
	p.wait = p.wait[1:]
	if !next.used {
		return false
	}
	p.nodes = append(p.nodes, node{kind: kindPart, parent: parent, count: int32(len(p.parts))})
	p.parts = append(p.parts, next)
	p.pos += len(next.text)
	return true
}

func (p *parser) object(at int32, depth int) error {
	p.pos++
	last := int32(0)
	for {
		more, err := p.next(p.nodes[at].count, '}')
		if err != nil {
			return err
		}
		if !more {
			return p.distinct(at)
		}
		p.space()
		if p.pos >= len(p.src) || p.src[p.pos] != '"' {
			return p.fail("a member name is missing")
		}
		key, err := p.text()
		if err != nil {
			return err
		}
		p.space()
		if p.pos >= len(p.src) || p.src[p.pos] != ':' {
			return p.fail("a colon is missing")
		}
		p.pos++
		last = p.adopt(at, last)
		if err := p.value(at, key, depth+1); err != nil {
			return err
		}
	}
}

// distinct refuses an object that uses a name twice.
func (p *parser) distinct(at int32) error {
	var seen map[string]bool
	if p.nodes[at].count > 24 {
		seen = make(map[string]bool, p.nodes[at].count)
	}
	for c := p.nodes[at].child; c != 0; c = p.nodes[c].next {
		key := p.nodes[c].key
		twice := seen[key]
		if seen != nil {
			seen[key] = true
		} else {
			for d := p.nodes[at].child; d != c && !twice; d = p.nodes[d].next {
				twice = p.nodes[d].key == key
			}
		}
		if twice {
			return &Error{Code: DuplicateKey, Pointer: p.pointer(c), Term: key, Reason: "the object has more than one member " + strconv.Quote(key)}
		}
	}
	return nil
}

// text reads a string. Without escapes it is a part of the document's own.
func (p *parser) text() (string, error) {
	p.pos++
	start := p.pos
	odd := false
	for p.pos < len(p.src) {
		switch c := p.src[p.pos]; {
		case c == '"':
			s := p.src[start:p.pos]
			p.pos++
			if odd && nonCharacter(s) {
				return "", p.nonCharacter()
			}
			return s, nil
		case c == '\\':
			return p.escaped(start)
		case c < 0x20:
			return "", p.fail("a string holds a bare control character")
		case c == 0xEF:
			odd = true
		}
		p.pos++
	}
	return "", p.fail("a string is not closed")
}

// nonCharacter is the refusal of U+FFFE and U+FFFF: canonical N-Quads of RDF 1.2
// escapes them and deployed processors do not.
func (p *parser) nonCharacter() error {
	return refuse(InvalidText, "byte %d: a string holds U+FFFE or U+FFFF, which are not characters", p.pos)
}

func nonCharacter(s string) bool {
	return strings.Contains(s, "\uFFFE") || strings.Contains(s, "\uFFFF")
}

// escaped reads the rest of a string from its first escape.
func (p *parser) escaped(start int) (string, error) {
	b := append(make([]byte, 0, 2*(p.pos-start)+32), p.src[start:p.pos]...)
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		switch {
		case c == '"':
			p.pos++
			if s := string(b); !nonCharacter(s) {
				return s, nil
			}
			return "", p.nonCharacter()
		case c < 0x20:
			return "", p.fail("a string holds a bare control character")
		case c != '\\':
			b = append(b, c)
			p.pos++
			continue
		}
		r, err := p.escape()
		if err != nil {
			return "", err
		}
		b = utf8.AppendRune(b, r)
	}
	return "", p.fail("a string is not closed")
}

// escape reads one escape, and the second half of a surrogate pair.
func (p *parser) escape() (rune, error) {
	if p.pos+1 >= len(p.src) {
		return 0, p.fail("an escape is cut short")
	}
	c := p.src[p.pos+1]
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		p.pos += 2
		return rune("\"\\/\b\f\n\r\t"[i]), nil
	}
	r, ok := p.hex()
	if !ok {
		return 0, p.fail("an escape is none of JSON's")
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	low, ok := p.hex()
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, refuse(InvalidText, "byte %d: a string holds half of a surrogate pair", p.pos)
	}
	return r, nil
}

// hex reads \uXXXX.
func (p *parser) hex() (rune, bool) {
	if p.pos+6 > len(p.src) || p.src[p.pos:p.pos+2] != `\u` {
		return 0, false
	}
	v, err := strconv.ParseUint(p.src[p.pos+2:p.pos+6], 16, 16)
	if err != nil {
		return 0, false
	}
	p.pos += 6
	return rune(v), true
}

func (p *parser) digits() bool {
	start := p.pos
	for p.pos < len(p.src) && '0' <= p.src[p.pos] && p.src[p.pos] <= '9' {
		p.pos++
	}
	return p.pos > start
}

func (p *parser) skip(set string) bool {
	if p.pos < len(p.src) && strings.IndexByte(set, p.src[p.pos]) >= 0 {
		p.pos++
		return true
	}
	return false
}

func (p *parser) number() (string, error) {
	start := p.pos
	p.skip("-")
	if !p.skip("0") && !p.digits() {
		return "", p.fail("a value is none of JSON's")
	}
	if p.skip(".") && !p.digits() {
		return "", p.fail("a number is malformed")
	}
	if p.skip("eE") {
		p.skip("+-")
		if !p.digits() {
			return "", p.fail("a number is malformed")
		}
	}
	return p.src[start:p.pos], nil
}
