package rdfc

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"iter"
	"math"
	"slices"
	"sync"
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
//	form  = uvarint(blank nodes) { hash alone }
//	        uvarint(links) uvarint(length of links) { link } { group }
//	hash  = 32 bytes, the first degree hash (SHA-256)
//	alone = 1 byte, 1 where no statement of the node names another blank node
//	link  = a statement that names two blank nodes: uvarint(number + 1), or 0 for
//	        none, of subject, object and graph name; uvarint(length) predicate;
//	        uvarint(length) of the one that is not blank, which follows
//	group = uvarint(length of subject, or 0 for a blank one)
//	        subject, or uvarint(number of the blank node)
//	        uvarint(2 × lines, + 1 where a line names a blank node)
//	        uvarint(length of lines) lines
//
// Groups are sorted by subject, those of blank nodes last, by number. Lines end in " .\n".
// They begin with the subject where it is an IRI and no line of the group names
// a blank node, else with the predicate; a blank node stands in them as four
// bytes, a zero and three times seven bits with the high bit set.
type Form struct {
	data   []byte
	blanks int
	links  int // where the links begin in data
	groups int // where the groups begin
}

// errForm is the error of bytes that are not a form.
var errForm = errors.New("these bytes are not a kept form")

// maxFormBlanks is how many blank nodes a form can number.
const maxFormBlanks = 1 << 21

// NewForm is the form of a dataset.
func NewForm(ds Dataset) (Form, error) {
	c := load(ds, crypto.SHA256)
	defer c.release()
	if len(c.labels) >= maxFormBlanks {
		return Form{}, ErrTooComplex
	}
	b := binary.AppendUvarint(make([]byte, 0, 128*len(ds)+64), uint64(len(c.labels)))
	for n := range c.labels {
		sum := c.firstDegree(int32(n))
		b = append(b, sum[:hashSize]...)
		b = append(b, flag(c.alone[n]))
	}
	c.ids = resize(c.ids, len(c.labels))
	c.linked()
	f := Form{blanks: len(c.labels)}
	b, f.links = appendLinks(b, c.links)
	f.groups = len(b)
	slices.SortFunc(c.groups, func(x, y group) int {
		if x.number != none && y.number != none {
			return cmp.Compare(x.number, y.number)
		}
		return cmp.Compare(x.subject, y.subject)
	})
	var lines []byte
	for _, g := range c.groups {
		lines = c.formLines(lines[:0], g)
		b = appendFormGroup(b, g, lines)
	}
	f.data = b
	return f, nil
}

func flag(is bool) byte {
	if is {
		return 1
	}
	return 0
}

// appendLinks adds links, and tells where they begin.
func appendLinks(b []byte, links []link) (_ []byte, start int) {
	var text []byte
	for _, l := range links {
		for _, n := range [...]int32{l.s, l.o, l.g} {
			text = binary.AppendUvarint(text, uint64(n+1))
		}
		for _, t := range [...]Term{l.predicate, l.third} {
			text = binary.AppendUvarint(text, uint64(len(t)))
			text = append(text, t...)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(links)))
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...), len(b)
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

func appendFormGroup(b []byte, g group, lines []byte) []byte {
	if g.number != none {
		b = append(b, 0)
		b = binary.AppendUvarint(b, uint64(g.number))
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
	r := cutter{data, true}
	n := r.number()
	if n >= maxFormBlanks {
		return Form{}, errForm
	}
	f := Form{data: data, blanks: int(n)}
	r.text(n * (hashSize + 1))
	r.number() // of links
	length := r.number()
	f.links = len(data) - len(r.rest)
	r.text(length)
	f.groups = len(data) - len(r.rest)
	if !r.ok {
		return Form{}, errForm
	}
	var last []byte
	lastBlank := int32(none)
	for rest := data[f.groups:]; len(rest) > 0; {
		g, more, ok := cutGroup(rest)
		if !ok || !g.sound(f.blanks) {
			return Form{}, errForm
		}
		switch {
		case g.subject == nil && g.blank > lastBlank:
			lastBlank = g.blank
		case g.subject != nil && lastBlank == none && bytes.Compare(last, g.subject) < 0:
			last = g.subject
		default:
			return Form{}, errForm
		}
		rest = more
	}
	return f, nil
}

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

// cutter reads the front of a form. What it cannot read makes ok false.
type cutter struct {
	rest []byte
	ok   bool
}

func (r *cutter) number() uint64 {
	if len(r.rest) > 0 && r.rest[0] < 0x80 {
		n := uint64(r.rest[0])
		r.rest = r.rest[1:]
		return n
	}
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.ok, r.rest = false, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *cutter) text(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.ok, r.rest = false, nil
		return nil
	}
	t := r.rest[:n:n]
	r.rest = r.rest[n:]
	return t
}

// cutGroup reads the group that data begins with.
func cutGroup(data []byte) (g formGroup, rest []byte, ok bool) {
	r := cutter{data, true}
	if n := r.number(); n > 0 {
		g.subject = r.text(n)
	} else {
		g.blank = int32(min(r.number(), maxFormBlanks))
	}
	n := r.number()
	g.count, g.names = int(min(n>>1, math.MaxInt32)), n&1 != 0
	g.lines = r.text(r.number())
	return g, r.rest, r.ok
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
	labeler
	forms  []Form
	size   int      // of the forms in bytes
	base   []int32  // number of the first blank node of each form, in all
	alone  []bool   // as the forms have it, by blank node
	groups []placed // of all forms
	iris   []int32  // those about IRIs
	blank  []int32  // those about blank nodes by canonical number, or none
	lines  []span
	tail   []byte // the lines of the subject being written, less the subject
	name   []byte // of the subject being written, where it is blank
	out    []byte // of a digest
	broken bool   // a line is not one
}

// placed is a group and the form that it is of.
type placed struct {
	formGroup
	form int32
}

// Merge is the canonical form (SHA-256) of the union of datasets, given as
// forms; blank nodes of different forms are different. The bytes are those that
// Canonicalize gives for the union, after those of dst. It returns ErrTooComplex
// above the work limit, which is as in Options, and another error for a form
// that is broken inside.
func Merge(dst []byte, forms []Form, workLimit int) ([]byte, error) {
	m := newMerger(forms, workLimit)
	defer m.release()
	if err := m.label(); err != nil {
		return nil, err
	}
	s := sink{out: slices.Grow(dst, m.size+m.size/8)}
	if m.write(&s); m.broken {
		return nil, errForm
	}
	return s.out, nil
}

// MergeDigest is the hash of what Merge gives, which is not kept.
func MergeDigest(forms []Form, workLimit int) ([]byte, error) {
	m := newMerger(forms, workLimit)
	defer m.release()
	if err := m.label(); err != nil {
		return nil, err
	}
	s := sink{out: m.out[:0], hash: sha256.New()}
	m.write(&s)
	if m.out = s.out; m.broken {
		return nil, errForm
	}
	return s.sum(), nil
}

var mergers = sync.Pool{New: func() any { return &merger{} }}

func newMerger(forms []Form, workLimit int) *merger {
	m := mergers.Get().(*merger)
	l := &m.labeler
	m.labeler = labeler{hash: crypto.SHA256, work: workLimit, ids: l.ids, first: l.first, links: l.links[:0], linkAt: l.linkAt, linked: l.linked, buf: l.buf}
	m.forms, m.size, m.broken = forms, 0, false
	m.base = resize(m.base, len(forms)+1)
	m.base[0] = 0
	for i, f := range forms {
		m.base[i+1] = m.base[i] + int32(f.blanks)
		m.size += len(f.data)
	}
	if m.work == 0 {
		m.work = defaultWork(m.size / 128)
	}
	return m
}

// release gives the memory back for the next forms, unless it is very much.
func (m *merger) release() {
	if cap(m.out) > maxOut || cap(m.tail) > maxOut || cap(m.links) > 1<<15 || cap(m.first) > 1<<15 || cap(m.groups) > 1<<15 {
		return
	}
	m.forms = nil
	clear(m.links)
	clear(m.groups)
	mergers.Put(m)
}

// label numbers the blank nodes of all forms.
func (m *merger) label() error {
	total := int(m.base[len(m.forms)])
	m.ids, m.first, m.alone = resize(m.ids, total), resize(m.first, total), resize(m.alone, total)
	clear(m.first) // whose ends stay zero
	for i, f := range m.forms {
		_, size := binary.Uvarint(f.data)
		table := f.data[size:]
		for n := range f.blanks {
			row, all := table[n*(hashSize+1):], m.base[i]+int32(n)
			copy(m.first[all][:], row[:hashSize])
			m.alone[all] = row[hashSize] == 1
			m.ids[all] = none
		}
	}
	return m.issueAll(m.alone, m.linked)
}

// linked gives the labeler the links of all forms.
func (m *merger) linked() error {
	texts := map[string]Term{}
	for i, f := range m.forms {
		r := cutter{f.data[f.links:f.groups], true}
		number := func() int32 {
			n := r.number()
			if n > uint64(f.blanks) {
				r.ok = false
			}
			if n == 0 || !r.ok {
				return none
			}
			return m.base[i] + int32(n) - 1
		}
		term := func() Term {
			text := r.text(r.number())
			t, ok := texts[string(text)]
			if !ok {
				t = Term(text)
				texts[string(text)] = t
			}
			return t
		}
		for len(r.rest) > 0 && r.ok {
			l := link{s: number(), o: number(), g: number()}
			l.predicate, l.third = term(), term()
			m.links = append(m.links, l)
		}
		if !r.ok {
			return errForm
		}
	}
	m.index()
	return nil
}

// write writes all statements with their canonical labels, sorted.
func (m *merger) write(to *sink) {
	m.groups, m.iris, m.blank = m.groups[:0], m.iris[:0], resize(m.blank, len(m.ids))
	for i := range m.blank {
		m.blank[i] = none
	}
	for i, f := range m.forms {
		for rest := f.data[f.groups:]; len(rest) > 0; {
			g, more, _ := cutGroup(rest)
			at := int32(len(m.groups))
			m.groups, rest = append(m.groups, placed{g, int32(i)}), more
			if g.subject != nil {
				m.iris = append(m.iris, at)
			} else if id := m.ids[m.base[i]+g.blank]; uint(id) < uint(len(m.blank)) {
				m.blank[id] = at
			} else {
				m.broken = true // a node was called alone that is not
			}
		}
	}
	iris := m.iris
	slices.SortFunc(iris, func(a, b int32) int {
		if n := bytes.Compare(m.groups[a].subject, m.groups[b].subject); n != 0 {
			return n
		}
		return cmp.Compare(a, b)
	})
	for len(iris) > 0 {
		subject, n := m.groups[iris[0]].subject, 1
		for n < len(iris) && bytes.Equal(m.groups[iris[n]].subject, subject) {
			n++
		}
		to.out = m.about(to.out, subject, iris[:n])
		to.flush()
		iris = iris[n:]
	}
	for n := range inTextOrder(len(m.blank)) {
		if m.blank[n] != none { // a node may be no subject
			m.name = appendLabel(m.name[:0], int32(n))
			to.out = m.about(to.out, m.name, m.blank[n:n+1])
			to.flush()
		}
	}
}

// about writes the groups of one subject.
func (m *merger) about(dst, subject []byte, places []int32) []byte {
	if len(places) == 1 {
		g := &m.groups[places[0]]
		if g.whole() {
			return append(dst, g.lines...)
		}
		if g.count == 1 || !g.names {
			return m.lined(dst, subject, &g.formGroup, g.form)
		}
	}
	m.tail, m.lines = m.tail[:0], m.lines[:0]
	var alike []byte
	for _, at := range places {
		g := &m.groups[at]
		if g.whole() {
			if bytes.Equal(g.lines, alike) {
				continue // what many credentials say alike of their issuer
			}
			alike = g.lines
		}
		m.tail = m.lined(m.tail, nil, &g.formGroup, g.form)
	}
	slices.SortFunc(m.lines, func(a, b span) int { return bytes.Compare(m.tail[a.from:a.to], m.tail[b.from:b.to]) })
	var last []byte
	for _, l := range m.lines {
		tail := m.tail[l.from:l.to]
		if !bytes.Equal(tail, last) {
			dst = append(dst, subject...)
			dst = append(dst, ' ')
			dst = append(dst, tail...)
		}
		last = tail
	}
	return dst
}

// lined adds the lines of a group with canonical labels, each after the subject.
// Without a subject it notes where each line lies.
func (m *merger) lined(dst, subject []byte, g *formGroup, form int32) []byte {
	for lines := g.lines; len(lines) > 0; {
		var line []byte
		var ok bool
		if line, lines, ok = g.cutLine(lines); !ok {
			m.broken = true
			return dst
		}
		from := len(dst)
		if subject != nil {
			dst = append(append(dst, subject...), ' ')
		}
		for g.names {
			i := bytes.IndexByte(line, 0)
			if i < 0 {
				break
			}
			if len(line) < i+4 || int(blankIn(line[i:])) >= m.forms[form].blanks {
				m.broken = true
				return dst
			}
			dst = append(dst, line[:i]...)
			dst = appendLabel(dst, m.ids[m.base[form]+blankIn(line[i:])])
			line = line[i+4:]
		}
		dst = append(dst, line...)
		if subject == nil {
			m.lines = append(m.lines, span{from, len(dst)})
		}
	}
	return dst
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
