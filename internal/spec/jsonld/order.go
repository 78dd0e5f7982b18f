package jsonld

import (
	"encoding/binary"
	"slices"
	"strings"
	"unsafe"
)

// order is the canonical JSON of a text as pieces of that text, one after the
// other: each a uvarint where it begins and another of its length. Canonical
// JSON has mostly the members in another order, so few pieces do, and a document
// that is its own is one.
type order []byte

// orderOf finds the pieces; nil where the canonical JSON is not made of any, such
// as where a text is written with other escapes, or a number otherwise.
func (d *Document) orderOf() order {
	want, err := d.JCS()
	if err != nil {
		return nil
	}
	p := pieces{tree: d.tree}
	if !p.value(d.at) {
		return nil
	}
	out := p.order()
	if string(out.appendTo(nil, d.tree.src)) != string(want) {
		return nil
	}
	return out
}

// appendTo adds the canonical JSON of the text that the order is of.
func (o order) appendTo(b []byte, text string) []byte {
	for len(o) > 0 {
		from, n := binary.Uvarint(o)
		length, m := binary.Uvarint(o[n:])
		b, o = append(b, text[from:from+length]...), o[n+m:]
	}
	return b
}

// within reports whether an order, which may be any bytes, is of a text of that
// size and comes to about as much.
func (o order) within(size int) bool {
	total := uint64(0)
	for len(o) > 0 {
		from, n := binary.Uvarint(o)
		if n <= 0 {
			return false
		}
		length, m := binary.Uvarint(o[n:])
		if m <= 0 || from > uint64(size) || length > uint64(size)-from {
			return false
		}
		if total += length; total > 2*uint64(size) {
			return false
		}
		o = o[n+m:]
	}
	return total > 0
}

// pieces are being put together.
type pieces struct {
	tree *tree
	all  []span
}

// span is a piece of the source.
type span struct{ from, to int }

func (p *pieces) order() order {
	var out order
	for _, s := range p.all {
		out = binary.AppendUvarint(out, uint64(s.from))
		out = binary.AppendUvarint(out, uint64(s.to-s.from))
	}
	return out
}

// add adds a piece, which may go on where the one before has ended.
func (p *pieces) add(from, to int) {
	if last := len(p.all) - 1; last >= 0 && p.all[last].to == from {
		p.all[last].to = to
		return
	}
	p.all = append(p.all, span{from, to})
}

// comma adds a comma, wherever there is one.
func (p *pieces) comma() {
	at := p.all[len(p.all)-1].to
	if at >= len(p.tree.src) || p.tree.src[at] != ',' {
		at = strings.IndexByte(p.tree.src, ',')
	}
	p.add(at, at+1)
}

// place is where a text of the tree stands in the source; false for one that
// does not, because it was written with escapes, or is empty.
func (p *pieces) place(text string) (int, bool) {
	at := uintptr(unsafe.Pointer(unsafe.StringData(text))) - uintptr(unsafe.Pointer(unsafe.StringData(p.tree.src)))
	return int(at), text != "" && at < uintptr(len(p.tree.src))
}

// value adds a value.
func (p *pieces) value(at int32) bool {
	n := &p.tree.nodes[at]
	from, ok := p.place(n.text)
	if !ok {
		return false
	}
	to := from + len(n.text)
	switch n.kind {
	case kindArray:
		p.add(from, from+1)
		for c := n.child; c != 0; c = p.tree.nodes[c].next {
			if c != n.child {
				p.comma()
			}
			if !p.value(c) {
				return false
			}
		}
		p.add(to-1, to)
		return true
	case kindObject:
		return p.object(at, from, to)
	case kindString:
		from, to = from-1, to+1
	}
	p.add(from, to)
	return true
}

func (p *pieces) object(at int32, from, to int) bool {
	p.add(from, from+1)
	for i, c := range p.tree.sorted(at, nil) {
		if i > 0 {
			p.comma()
		}
		key := p.tree.nodes[c].key
		name, ok := p.place(key)
		if !ok {
			return false
		}
		p.add(name-1, name+len(key)+2) // with the colon, unless blanks stand before it
		if !p.value(c) {
			return false
		}
	}
	p.add(to-1, to)
	return true
}

// sorted are the members of an object as canonical JSON has them, RFC 8785
// §3.2.3, after those in room.
func (t *tree) sorted(at int32, room []int32) []int32 {
	for c := t.nodes[at].child; c != 0; c = t.nodes[c].next {
		room = append(room, c)
	}
	slices.SortFunc(room, func(x, y int32) int { return compareUTF16(t.nodes[x].key, t.nodes[y].key) })
	return room
}
