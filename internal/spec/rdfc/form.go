package rdfc

import (
	"bytes"
	"cmp"
	"crypto"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"iter"
	"slices"
	"strconv"
)

// hashSize is the size of a first degree hash with SHA-256.
const hashSize = 32

// Form is a dataset half way to its canonical form: sorted, its blank nodes
// hashed. Forms of several datasets that have no blank node in common can be
// merged into the canonical form of their union, at the cost of little more
// than copying it. It is how a transcript is signed from what was kept of its
// credentials when they were signed.
//
// A form is one piece of bytes, to be stored as it is:
//
//	form  = uvarint(blank nodes) { hash leaf } { group }
//	hash  = 32 bytes, the first degree hash (SHA-256)
//	leaf  = 1 byte, 1 where no statement of the node names another blank node
//	group = uvarint(length of subject, or 0 for a blank one)
//	        subject, or uvarint(number of the blank node)
//	        uvarint(2 × lines, + 1 where a line names a blank node)
//	        uvarint(length of lines) lines
//
// Groups are sorted by subject, those of blank nodes last. Lines end in " .\n".
// They begin with the subject where it is an IRI and no line of the group names
// a blank node, else with the predicate; a blank node stands in them as four
// bytes, a zero and three times seven bits with the high bit set.
type Form struct {
	data   []byte
	blanks int
	groups int // where the groups begin in data
}

// errForm is the error of bytes that are not a form.
var errForm = errors.New("these bytes are not a kept form")

// maxFormBlanks is how many blank nodes a form can number.
const maxFormBlanks = 1 << 21

// NewForm is the form of a dataset.
func NewForm(ds Dataset) (Form, error) {
	c := load(ds)
	c.hash = crypto.SHA256
	c.link()
	if len(c.labels) >= maxFormBlanks {
		return Form{}, ErrTooComplex
	}
	b := binary.AppendUvarint(make([]byte, 0, 128*len(ds)+64), uint64(len(c.labels)))
	for n := range c.labels {
		sum, err := hex.DecodeString(c.firstDegree(int32(n)))
		if err != nil {
			return Form{}, err
		}
		b = append(b, sum...)
		b = append(b, c.leaf(int32(n)))
	}
	f := Form{blanks: len(c.labels), groups: len(b)}
	slices.SortFunc(c.groups, func(x, y group) int { return cmp.Compare(x.subject, y.subject) })
	var lines []byte
	for _, g := range c.groups {
		lines = c.formLines(lines[:0], g)
		b = appendFormGroup(b, c, g, lines)
	}
	f.data = b
	return f, nil
}

// leaf is 1 where no statement of a node names another blank node.
func (c *canonicalizer) leaf(n int32) byte {
	for _, i := range c.mentionsOf(n) {
		for _, other := range []int32{c.quads[i].s, c.quads[i].o, c.quads[i].g} {
			if other != none && other != n {
				return 0
			}
		}
	}
	return 1
}

// formLines are the lines of a group as a form holds them.
func (c *canonicalizer) formLines(b []byte, g group) []byte {
	whole := !g.subject.IsBlank() && !g.blanks
	for _, q := range c.quads[g.start:g.end] {
		src := &c.ds[q.at]
		if whole {
			b = append(append(b, g.subject...), ' ')
		}
		b = append(append(b, src.Predicate...), ' ')
		b = appendFormTerm(b, src.Object, q.o)
		if src.Graph != "" {
			b = append(b, ' ')
			b = appendFormTerm(b, src.Graph, q.g)
		}
		b = append(b, " .\n"...)
	}
	return b
}

func appendFormTerm(b []byte, t Term, n int32) []byte {
	if n == none {
		return append(b, t...)
	}
	return append(b, 0, 0x80|byte(n>>14), 0x80|byte(n>>7), 0x80|byte(n))
}

func appendFormGroup(b []byte, c *canonicalizer, g group, lines []byte) []byte {
	if g.subject.IsBlank() {
		b = append(b, 0)
		b = binary.AppendUvarint(b, uint64(c.names[g.subject]))
	} else {
		b = binary.AppendUvarint(b, uint64(len(g.subject)))
		b = append(b, g.subject...)
	}
	n := uint64(g.end-g.start) << 1
	if g.blanks {
		n |= 1
	}
	b = binary.AppendUvarint(b, n)
	b = binary.AppendUvarint(b, uint64(len(lines)))
	return append(b, lines...)
}

// Bytes is the form as it is stored. The caller does not change it.
func (f Form) Bytes() []byte { return f.data }

// ParseForm reads a stored form. That it is the form of what it is said to be,
// the caller must know.
func ParseForm(data []byte) (Form, error) {
	n, size := binary.Uvarint(data)
	if size <= 0 || n >= maxFormBlanks || uint64(len(data)-size) < n*(hashSize+1) {
		return Form{}, errForm
	}
	f := Form{data: data, blanks: int(n), groups: size + int(n)*(hashSize+1)}
	subjects := make([]bool, f.blanks)
	last := []byte(nil)
	for rest := data[f.groups:]; len(rest) > 0; {
		g, more, ok := cutGroup(rest)
		if !ok || !g.sound(f.blanks) {
			return Form{}, errForm
		}
		if g.subject == nil {
			if subjects[g.blank] {
				return Form{}, errForm
			}
			subjects[g.blank] = true
			last = blanksLast
		} else if bytes.Compare(last, g.subject) >= 0 {
			return Form{}, errForm
		} else {
			last = g.subject
		}
		rest = more
	}
	return f, nil
}

// blanksLast sorts after every IRI.
var blanksLast = []byte("_")

// formGroup is a group of a form.
type formGroup struct {
	subject []byte // nil for a blank one
	blank   int32
	count   int
	names   bool // lines name blank nodes
	lines   []byte
}

// whole reports whether the lines begin with the subject.
func (g *formGroup) whole() bool { return g.subject != nil && !g.names }

// cutGroup reads the group that data begins with.
func cutGroup(data []byte) (g formGroup, rest []byte, ok bool) {
	number := func() uint64 {
		n, size := binary.Uvarint(data)
		if size <= 0 {
			ok = false
			return 0
		}
		data = data[size:]
		return n
	}
	text := func(n uint64) []byte {
		if n > uint64(len(data)) {
			ok = false
			return nil
		}
		t := data[:n:n]
		data = data[n:]
		return t
	}
	ok = true
	if n := number(); n > 0 {
		g.subject = text(n)
	} else {
		g.blank = int32(min(number(), maxFormBlanks))
	}
	n := number()
	g.count, g.names = int(n>>1), n&1 != 0
	g.lines = text(number())
	return g, data, ok
}

// sound reports whether the head of a group is what it should be. Its lines are
// looked at when they are needed.
func (g *formGroup) sound(blanks int) bool {
	if g.subject == nil {
		return int(g.blank) < blanks && g.count > 0 && len(g.lines) > 0
	}
	return g.subject[0] == '<' && g.count > 0 && len(g.lines) > 0
}

// blankIn is the number of the blank node written at the beginning of b.
func blankIn(b []byte) int32 {
	return int32(b[1]&0x7F)<<14 | int32(b[2]&0x7F)<<7 | int32(b[3]&0x7F)
}

// merger puts forms together.
type merger struct {
	forms  []Form
	base   []int32 // number of the first blank node of each form, in all
	ids    []int32 // canonical number, by number in all
	next   int32
	limit  int
	buf    []byte
	lines  []span
	name   []byte // of the subject being written
	broken bool   // a line is not one
}

// placedGroup is a group with the place of its form.
type placedGroup struct {
	formGroup
	form int32
}

// Merge is the canonical form (SHA-256) of the union of datasets, given as
// forms; blank nodes of different forms are different. The bytes are those that
// Canonicalize gives for the union, after those of dst. It returns ErrTooComplex
// above the work limit, which is as in Options, and another error for a form
// that is broken inside.
func Merge(dst []byte, forms []Form, workLimit int) ([]byte, error) {
	m := merger{forms: forms, base: make([]int32, len(forms)+1), limit: workLimit}
	size := 0
	for i, f := range forms {
		m.base[i+1] = m.base[i] + int32(f.blanks)
		size += len(f.data)
	}
	if err := m.label(); err != nil {
		return nil, err
	}
	if cap(dst)-len(dst) < size {
		dst = append(make([]byte, 0, len(dst)+size+size/8), dst...)
	}
	dst = m.write(dst)
	if m.broken {
		return nil, errForm
	}
	return dst, nil
}

// labelled is a blank node with its hash.
type labelled struct {
	hash [hashSize]byte
	n    int32
	form int32
	leaf bool
}

// label numbers the blank nodes: RDFC-1.0 §4.4.3, steps 4 and 5.
func (m *merger) label() error {
	total := int(m.base[len(m.forms)])
	all := make([]labelled, 0, total)
	for i, f := range m.forms {
		table := f.data[f.groups-f.blanks*(hashSize+1) : f.groups]
		for n := range f.blanks {
			row := table[n*(hashSize+1):]
			all = append(all, labelled{hash: [hashSize]byte(row), n: m.base[i] + int32(n), form: int32(i), leaf: row[hashSize] == 1})
		}
	}
	slices.SortFunc(all, func(a, b labelled) int {
		// The first bytes nearly always decide.
		if x, y := binary.BigEndian.Uint64(a.hash[:]), binary.BigEndian.Uint64(b.hash[:]); x != y {
			return cmp.Compare(x, y)
		}
		if c := bytes.Compare(a.hash[:], b.hash[:]); c != 0 {
			return c
		}
		return cmp.Compare(a.n, b.n)
	})
	m.ids = make([]int32, total)
	for i := range m.ids {
		m.ids[i] = none
	}
	var shared [][]labelled
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].hash == all[0].hash {
			n++
		}
		if n == 1 {
			m.issue(all[0].n)
		} else {
			shared = append(shared, all[:n])
		}
		all = all[n:]
	}
	return m.labelShared(shared)
}

func (m *merger) issue(n int32) {
	if m.ids[n] == none {
		m.ids[n] = m.next
		m.next++
	}
}

// labelShared numbers the nodes that share a hash. Where no statement of such
// nodes names another blank node, nothing can tell them apart and any order
// gives the same bytes. The others go through the algorithm for like nodes,
// with the statements of their own forms.
func (m *merger) labelShared(shared [][]labelled) error {
	var c *canonicalizer
	for _, group := range shared {
		if !slices.ContainsFunc(group, func(l labelled) bool { return !l.leaf }) {
			for _, l := range group {
				m.issue(l.n)
			}
			continue
		}
		if c == nil {
			var err error
			if c, err = m.entangled(shared); err != nil {
				return err
			}
		}
		nodes := make([]int32, 0, len(group))
		for _, l := range group {
			n, ok := c.names[mergedLabel(l.n)]
			if !ok {
				return errForm
			}
			nodes = append(nodes, n)
		}
		c.next = m.next
		if err := c.issueShared(nodes); err != nil {
			return err
		}
		m.next = c.next
	}
	if c == nil {
		return nil
	}
	for n, label := range c.labels {
		if all := mergedNumber(label); m.ids[all] == none {
			m.ids[all] = c.ids[n]
		}
	}
	return nil
}

// mergedLabel is a blank node by its number in all forms.
func mergedLabel(n int32) Term { return Term("_:" + strconv.Itoa(int(n))) }

func mergedNumber(label Term) int {
	n, err := strconv.Atoi(string(label[2:]))
	if err != nil {
		panic(err) // mergedLabel wrote it
	}
	return n
}

// entangled is the canonicalizer of the forms in which like nodes name other
// blank nodes, as it stands after all other nodes are numbered.
func (m *merger) entangled(shared [][]labelled) (*canonicalizer, error) {
	wanted := make([]bool, len(m.forms))
	for _, group := range shared {
		for _, l := range group {
			wanted[l.form] = wanted[l.form] || !l.leaf
		}
	}
	var ds Dataset
	for i, f := range m.forms {
		var ok bool
		if !wanted[i] {
			continue
		}
		if ds, ok = f.statements(ds, m.base[i]); !ok {
			return nil, errForm
		}
	}
	c := load(ds)
	c.hash, c.work = crypto.SHA256, m.limit
	if c.work == 0 {
		c.work = defaultWork(len(c.quads))
	}
	c.link()
	c.ids = make([]int32, len(c.labels))
	c.first = make([]string, len(c.labels))
	for n, label := range c.labels {
		c.ids[n] = m.ids[mergedNumber(label)]
		c.first[n] = c.firstDegree(int32(n))
	}
	return c, nil
}

// statements adds the statements of a form, its blank nodes numbered from base.
func (f Form) statements(ds Dataset, base int32) (_ Dataset, ok bool) {
	term := func(text []byte) (Term, bool) {
		if text[0] != 0 {
			return Term(text), true
		}
		if len(text) != 4 || int(blankIn(text)) >= f.blanks {
			return "", false
		}
		return mergedLabel(base + blankIn(text)), true
	}
	for rest := f.data[f.groups:]; len(rest) > 0; {
		var g formGroup
		g, rest, _ = cutGroup(rest)
		subject := Term(g.subject)
		if g.subject == nil {
			subject = mergedLabel(base + g.blank)
		}
		for lines := g.lines; len(lines) > 0; {
			var line []byte
			if line, lines, ok = g.cutLine(lines); !ok {
				return nil, false
			}
			predicate, object, _ := bytes.Cut(line[:len(line)-3], []byte{' '})
			n := termLen(object)
			if n == 0 {
				return nil, false
			}
			q := Quad{Subject: subject, Predicate: Term(predicate)}
			if q.Object, ok = term(object[:n]); !ok {
				return nil, false
			}
			if n+1 < len(object) {
				if q.Graph, ok = term(object[n+1:]); !ok {
					return nil, false
				}
			}
			ds = append(ds, q)
		}
	}
	return ds, true
}

// cutLine takes the first line, less its subject, off the lines of a group.
func (g *formGroup) cutLine(lines []byte) (line, rest []byte, ok bool) {
	end := bytes.IndexByte(lines, '\n') + 1
	line, rest = lines[:end], lines[end:]
	if g.whole() {
		if len(line) < len(g.subject)+1 {
			return nil, nil, false
		}
		line = line[len(g.subject)+1:]
	}
	return line, rest, len(line) > 3
}

// termLen is the length of the object that b begins with, which a graph name
// may follow after a space.
func termLen(b []byte) int {
	end := 0
	if len(b) > 0 && b[0] == '"' {
		for end = 1; end < len(b) && b[end] != '"'; end++ {
			if b[end] == '\\' {
				end++
			}
		}
	}
	if end >= len(b) {
		return len(b)
	}
	if i := bytes.IndexByte(b[end:], ' '); i >= 0 {
		return end + i
	}
	return len(b)
}

// write writes all statements with their canonical labels, sorted.
func (m *merger) write(dst []byte) []byte {
	var iris []placedGroup
	blank := make([]placedGroup, len(m.ids)) // by canonical number
	for i, f := range m.forms {
		for rest := f.data[f.groups:]; len(rest) > 0; {
			var g formGroup
			g, rest, _ = cutGroup(rest)
			if g.subject != nil {
				iris = append(iris, placedGroup{g, int32(i)})
			} else if id := m.ids[m.base[i]+g.blank]; uint(id) < uint(len(blank)) {
				blank[id] = placedGroup{g, int32(i)}
			} else {
				m.broken = true // a node was called a leaf that is none
			}
		}
	}
	slices.SortStableFunc(iris, func(a, b placedGroup) int { return bytes.Compare(a.subject, b.subject) })
	for len(iris) > 0 {
		n := 1
		for n < len(iris) && bytes.Equal(iris[n].subject, iris[0].subject) {
			n++
		}
		dst = m.about(dst, iris[0].subject, iris[:n])
		iris = iris[n:]
	}
	for n := range inTextOrder(len(blank)) {
		if blank[n].count > 0 { // a node may be no subject
			m.name = appendLabel(m.name[:0], int32(n))
			dst = m.about(dst, m.name, blank[n:n+1])
		}
	}
	return dst
}

// about writes the groups of one subject.
func (m *merger) about(dst, subject []byte, groups []placedGroup) []byte {
	if g := &groups[0]; len(groups) == 1 && g.whole() {
		return append(dst, g.lines...)
	}
	m.buf, m.lines = m.buf[:0], m.lines[:0]
	sorted := len(groups) == 1
	for i := range groups {
		g := &groups[i]
		if g.whole() && i > 0 && bytes.Equal(g.lines, groups[0].lines) {
			continue // what many credentials say alike of their issuer
		}
		m.tails(g)
		sorted = sorted && !g.names
	}
	if !sorted {
		slices.SortFunc(m.lines, func(a, b span) int { return bytes.Compare(m.buf[a.from:a.to], m.buf[b.from:b.to]) })
	}
	var last []byte
	for _, l := range m.lines {
		tail := m.buf[l.from:l.to]
		if !bytes.Equal(tail, last) {
			dst = append(dst, subject...)
			dst = append(dst, ' ')
			dst = append(dst, tail...)
		}
		last = tail
	}
	return dst
}

// tails puts the lines of a group, less their subject, on the line buffer.
func (m *merger) tails(g *placedGroup) {
	for lines := g.lines; len(lines) > 0; {
		var line []byte
		var ok bool
		if line, lines, ok = g.cutLine(lines); !ok {
			m.broken = true
			return
		}
		from := len(m.buf)
		for g.names {
			i := bytes.IndexByte(line, 0)
			if i < 0 {
				break
			}
			if len(line) < i+4 || int(blankIn(line[i:])) >= m.forms[g.form].blanks {
				m.broken = true
				return
			}
			m.buf = append(m.buf, line[:i]...)
			m.buf = appendLabel(m.buf, m.ids[m.base[g.form]+blankIn(line[i:])])
			line = line[i+4:]
		}
		m.buf = append(m.buf, line...)
		m.lines = append(m.lines, span{from, len(m.buf)})
	}
}

func appendLabel(b []byte, id int32) []byte {
	return strconv.AppendInt(append(b, "_:c14n"...), int64(id), 10)
}

// inTextOrder yields the numbers below n as their decimal texts sort.
func inTextOrder(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		if n > 0 && !yield(0) {
			return
		}
		for i := 1; i < n; {
			if !yield(i) {
				return
			}
			if 10*i < n {
				i *= 10
				continue
			}
			for i%10 == 9 || i+1 >= n {
				i /= 10
			}
			if i == 0 {
				return
			}
			i++
		}
	}
}
