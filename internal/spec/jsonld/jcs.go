package jsonld

import (
	"crypto"
	"math"
	"slices"
	"strconv"
	"strings"
)

// JCS is the document by the JSON Canonicalization Scheme, RFC 8785: no blanks,
// members in the order of their names, numbers as JavaScript writes them.
// Refused is a number that is not finite.
func (d *Document) JCS() ([]byte, error) {
	return d.appendJCS(make([]byte, 0, d.expectedJCS()))
}

// expectedJCS is about how large the canonical JSON is.
func (d *Document) expectedJCS() int { return len(d.tree.src) + len(d.tree.src)/16 }

func (d *Document) appendJCS(b []byte) ([]byte, error) {
	if d.context.IsZero() {
		return d.tree.appendJCS(b, d.at, false)
	}
	// The member is written from where it is, under the name it has here.
	kept := d.tree.member(d.at, "@context")
	if kept == 0 || d.context.tree != d.tree {
		return nil, refuse(InvalidContext, "there is no @context to take the place of")
	}
	n, with := &d.tree.nodes[kept], d.tree.nodes[d.context.at]
	was := *n
	n.kind, n.text, n.child, n.count = with.kind, with.text, with.child, with.count
	defer func() { *n = was }()
	return d.tree.appendJCS(b, d.at, false)
}

// DigestJCS is the hash of the document's canonical JSON.
func (d *Document) DigestJCS(h crypto.Hash) ([]byte, error) {
	room := pooledText.Get().(*[]byte)
	defer pooledText.Put(room)
	b, err := d.appendJCS(slices.Grow((*room)[:0], d.expectedJCS()))
	if err != nil {
		return nil, err
	}
	if cap(b) <= maxPooledText {
		*room = b
	}
	w := h.New()
	w.Write(b)
	return w.Sum(nil), nil
}

// JCS is a value's canonical JSON.
func (v Value) JCS() ([]byte, error) { return v.tree.appendJCS(nil, v.at, false) }

// JCS is the canonical JSON of a text, by RFC 8785. It refuses what Open does.
func JCS(doc []byte) ([]byte, error) {
	d, err := Open(doc, Options{})
	if err != nil {
		return nil, err
	}
	return d.JCS()
}

// appendJCS writes a value. With strict, numbers that processors read
// differently are refused, as in the rest of a document that becomes RDF.
func (t *tree) appendJCS(b []byte, at int32, strict bool) ([]byte, error) {
	switch n := &t.nodes[at]; n.kind {
	case kindNull:
		return append(b, "null"...), nil
	case kindFalse:
		return append(b, "false"...), nil
	case kindTrue:
		return append(b, "true"...), nil
	case kindString:
		return AppendText(b, n.text), nil
	case kindNumber:
		b, err := appendNumber(b, n.text, strict)
		if err != nil {
			err.Pointer, err.placed = t.pointer(at), true
			return nil, err
		}
		return b, nil
	case kindArray:
		b = append(b, '[')
		for c := n.child; c != 0; c = t.nodes[c].next {
			if c != n.child {
				b = append(b, ',')
			}
			var err error
			if b, err = t.appendJCS(b, c, strict); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case kindPart:
		p := &t.parts[n.count]
		if p.order != nil {
			return p.order.appendTo(b, p.text), nil
		}
		whole, err := parseJSON(p.text, nil)
		if err != nil {
			return nil, err
		}
		return whole.appendJCS(b, 0, strict)
	}
	return t.appendJCSObject(b, at, strict)
}

func (t *tree) appendJCSObject(b []byte, at int32, strict bool) ([]byte, error) {
	var few [24]int32
	b = append(b, '{')
	for i, c := range t.sorted(at, few[:0]) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(AppendText(b, t.nodes[c].key), ':')
		var err error
		if b, err = t.appendJCS(b, c, strict); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// compareUTF16 orders texts by their UTF-16 code units, RFC 8785 §3.2.3. That is
// the order of their bytes, but for characters above U+FFFF, which are written
// in units below U+E000.
func compareUTF16(x, y string) int {
	i := 0
	for i < len(x) && i < len(y) && x[i] == y[i] {
		i++
	}
	if i == len(x) || i == len(y) {
		return len(x) - len(y)
	}
	a, b := x[i], y[i]
	if a >= 0xEE && b >= 0xEE && (a >= 0xF0) != (b >= 0xF0) {
		a, b = b, a
	}
	return int(a) - int(b)
}

// AppendText adds a text, which is valid UTF-8, as a JSON string: RFC 8785
// §3.2.2.2.
func AppendText(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		if c == '"' || c == '\\' {
			b = append(b, '\\', c)
		} else if j := strings.IndexByte("\b\t\n\f\r", c); j >= 0 {
			b = append(b, '\\', "btnfr"[j])
		} else {
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(b, s[from:]...), '"')
}

// appendNumber writes a number as JavaScript does, RFC 8785 §3.2.2.3.
func appendNumber(b []byte, digits string, strict bool) ([]byte, *Error) {
	v, err := strconv.ParseFloat(digits, 64)
	if strict {
		var refusal *Error
		if v, refusal = parseNumber(digits); refusal != nil {
			return nil, refusal
		}
	}
	if err != nil {
		return nil, refuse(InvalidNumber, "the number %s is too large to be finite", shortened(digits))
	}
	abs := math.Abs(v)
	switch {
	case v == 0:
		return append(b, '0'), nil // also for a zero with a sign
	case 1e-6 <= abs && abs < 1e21:
		return strconv.AppendFloat(b, v, 'f', -1, 64), nil
	}
	m, e, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
	b = append(append(b, m...), 'e', e[0])
	return append(b, strings.TrimLeft(e[1:], "0")...), nil
}

// shortened is a text that is not too long to be shown.
func shortened(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}
