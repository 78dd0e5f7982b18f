package rdfc

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// ErrTooComplex is returned for a dataset whose blank nodes are so alike and so
// entangled that telling them apart would take more than the work limit: a
// poisoned document, made to stop the machine that checks it.
var ErrTooComplex = errors.New("the blank nodes of this document are too entangled to be told apart within the work limit")

// Options chooses the hash and the work limit.
type Options struct {
	// Hash is crypto.SHA256 (the default, for zero) or crypto.SHA384.
	Hash crypto.Hash
	// WorkLimit is how many steps may go into telling like blank nodes apart, a
	// step being one statement looked at or one place filled in a permutation.
	// Zero sets a limit that grows with the dataset; see defaultWork.
	WorkLimit int
}

// Result is a canonical dataset.
type Result struct {
	// NQuads is the canonical form: sorted, without repetition, each line ended.
	NQuads []byte
	labels []Term
	ids    []int32
}

// Issued maps each blank node label of the input to its canonical one, both
// without "_:".
func (r Result) Issued() map[string]string {
	m := make(map[string]string, len(r.labels))
	for i, l := range r.labels {
		m[string(l[2:])] = "c14n" + strconv.Itoa(int(r.ids[i]))
	}
	return m
}

// Canonicalize puts a dataset into canonical form. The dataset is not changed.
// It returns ErrTooComplex above the work limit, and an error for a hash that
// RDFC-1.0 does not allow.
func Canonicalize(ds Dataset, opts Options) (Result, error) {
	c, err := labelled(ds, opts)
	if err != nil {
		return Result{}, err
	}
	defer c.release()
	var s sink
	c.write(&s)
	return Result{NQuads: s.out, labels: slices.Clone(c.labels), ids: slices.Clone(c.ids)}, nil
}

// Digest is the hash of the canonical form, which is not kept.
func Digest(ds Dataset, opts Options) ([]byte, error) {
	c, err := labelled(ds, opts)
	if err != nil {
		return nil, err
	}
	defer c.release()
	s := sink{out: c.out[:0], hash: c.hash.New()}
	c.write(&s)
	sum := s.sum()
	c.out = s.out
	return sum, nil
}

// sink takes canonical lines: it keeps them, or with a hash it puts them into
// that, a piece at a time, so that a large form passes through little memory.
type sink struct {
	out  []byte
	hash hash.Hash
}

// pieceSize is how much is hashed at once.
const pieceSize = 64 << 10

// flush hashes what is there, when it is a piece.
func (s *sink) flush() {
	if s.hash != nil && len(s.out) >= pieceSize {
		s.hash.Write(s.out)
		s.out = s.out[:0]
	}
}

// sum is the hash of all that the sink took.
func (s *sink) sum() []byte {
	s.hash.Write(s.out)
	return s.hash.Sum(nil)
}

// labelled is a canonicalizer that has named every blank node.
func labelled(ds Dataset, opts Options) (*canonicalizer, error) {
	if opts.Hash == 0 {
		opts.Hash = crypto.SHA256
	}
	if opts.Hash != crypto.SHA256 && opts.Hash != crypto.SHA384 {
		return nil, fmt.Errorf("canonicalization hashes with SHA-256 or SHA-384, not %v", opts.Hash)
	}
	c := load(ds, opts.Hash)
	c.work = opts.WorkLimit
	if c.work == 0 {
		c.work = defaultWork(len(c.quads))
	}
	if err := c.label(); err != nil {
		c.release()
		return nil, err
	}
	return c, nil
}

// defaultWork allows 100 steps a statement, and a good start. A transcript of a
// thousand credentials whose results all repeat takes 5 to 50 a statement; a
// small poisoned graph is stopped within a fraction of a second.
func defaultWork(quads int) int { return 150_000 + 100*quads }

// none marks a component that is not a blank node, and a blank node without a
// canonical identifier.
const none = -1

// quad is a statement, by its place in the dataset, with the numbers of its
// blank nodes. It holds no pointers, so that sorting and collecting are cheap.
type quad struct {
	at      int32
	s, o, g int32
}

// group is the run of statements about one subject.
type group struct {
	subject    Term
	number     int32 // of a blank subject
	start, end int32
	blanks     bool // an object or graph name is blank: order waits for labels
}

// canonicalizer is one dataset on its way. It is used again for the next, with
// the memory it has.
type canonicalizer struct {
	labeler
	ds     Dataset
	quads  []quad
	groups []group
	which  []int32 // group of each statement of ds

	labels []Term // by blank node number
	names  map[Term]int32
	made   []int32 // number of the blank node _:bN, + 1, by N
	about  map[Term]int32
	alone  []bool // by blank node: no statement of it names another

	// mentions[at[n]:at[n+1]] are the statements in which blank node n occurs.
	at       []int32
	mentions []int32

	buf   []byte
	lines []span
	order []byte
	out   []byte
	text  []byte // canonical labels, one after the other
	ends  []int32
	iris  []int32 // groups of IRIs, sorted
	byID  []int32 // group of each canonical number, or none
	named Term    // text, as terms are cut from it
}

var canonicalizers = sync.Pool{New: func() any {
	return &canonicalizer{names: map[Term]int32{}, about: map[Term]int32{}}
}}

// release gives the memory back for the next dataset, unless it is very much.
func (c *canonicalizer) release() {
	if cap(c.quads) > 1<<17 || cap(c.out) > maxOut {
		return
	}
	c.ds, c.named = nil, ""
	clear(c.groups)
	clear(c.labels)
	clear(c.names)
	clear(c.about)
	c.labeler.links = nil
	canonicalizers.Put(c)
}

// maxOut is how large an output is kept for the next dataset.
const maxOut = 1 << 20

// resize is a slice of n elements, in the memory of s where that is enough. The
// elements are not cleared.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}

// load sorts the statements into groups by subject, each sorted and without
// repetition: a statement made twice must be hashed once.
func load(ds Dataset, hash crypto.Hash) *canonicalizer {
	c := canonicalizers.Get().(*canonicalizer)
	c.ds, c.labeler = ds, labeler{hash: hash, ids: c.ids[:0], first: c.first[:0]}
	c.groups, c.labels, c.made = c.groups[:0], c.labels[:0], c.made[:0]
	c.which = resize(c.which, len(ds))
	c.quads = resize(c.quads, len(ds))
	var last Term
	lastAt := int32(none)
	for i := range ds {
		if s := ds[i].Subject; lastAt == none || s != last {
			last, lastAt = s, c.groupOf(s)
		}
		c.which[i] = lastAt
		c.groups[lastAt].end++
	}
	start := int32(0)
	for i := range c.groups {
		g := &c.groups[i]
		start, g.start, g.end = start+g.end, start, start
	}
	for i := range ds {
		g := &c.groups[c.which[i]]
		c.quads[g.end] = quad{int32(i), g.number, none, none}
		g.end++
	}
	for i := range c.groups {
		c.settle(&c.groups[i])
	}
	c.link()
	return c
}

// groupOf is the group of a subject, made if there is none.
func (c *canonicalizer) groupOf(subject Term) int32 {
	at, ok := c.about[subject]
	if !ok {
		at = int32(len(c.groups))
		c.about[subject] = at
		c.groups = append(c.groups, group{subject: subject, number: c.number(subject)})
	}
	return at
}

// settle sorts a group, drops repetitions and numbers its blank nodes.
func (c *canonicalizer) settle(g *group) {
	qs := c.quads[g.start:g.end]
	slices.SortFunc(qs, func(a, b quad) int { return compareTail(&c.ds[a.at], &c.ds[b.at]) })
	keep := 0
	for i := range qs {
		if i > 0 && compareTail(&c.ds[qs[i].at], &c.ds[qs[keep-1].at]) == 0 {
			continue
		}
		q := qs[i]
		src := &c.ds[q.at]
		q.o, q.g = c.number(src.Object), c.number(src.Graph)
		if q.o != none || q.g != none {
			g.blanks = true
		}
		qs[keep] = q
		keep++
	}
	g.end = g.start + int32(keep)
}

// compareTail orders the statements of one subject. Comparing terms in turn is
// comparing lines: no term is a prefix of another but where the line would have
// a space, which sorts below all that may follow.
func compareTail(a, b *Quad) int {
	if n := strings.Compare(string(a.Predicate), string(b.Predicate)); n != 0 {
		return n
	}
	if n := strings.Compare(string(a.Object), string(b.Object)); n != 0 {
		return n
	}
	return strings.Compare(string(a.Graph), string(b.Graph))
}

// number gives a blank node its number, in order of appearance.
func (c *canonicalizer) number(t Term) int32 {
	if !t.IsBlank() {
		return none
	}
	at := place(t)
	if at < 0 || at > 4*len(c.ds) {
		n, ok := c.names[t]
		if !ok {
			n = int32(len(c.labels))
			c.names[t] = n
			c.labels = append(c.labels, t)
		}
		return n
	}
	for at >= len(c.made) {
		c.made = append(c.made, 0)
	}
	if c.made[at] == 0 {
		c.labels = append(c.labels, t)
		c.made[at] = int32(len(c.labels))
	}
	return c.made[at] - 1
}

// place is the number N of the label _:bN, as processors name the nodes that
// have no name, or none.
func place(t Term) int {
	if len(t) < 4 || len(t) > 11 || t[2] != 'b' || t[3] == '0' && len(t) > 4 {
		return none
	}
	n := 0
	for i := 3; i < len(t); i++ {
		if t[i] < '0' || t[i] > '9' {
			return none
		}
		n = 10*n + int(t[i]-'0')
	}
	return n
}

// link lists the statements that mention each blank node.
func (c *canonicalizer) link() {
	c.at = resize(c.at, len(c.labels)+2)
	clear(c.at)
	c.alone = resize(c.alone, len(c.labels))
	for i := range c.alone {
		c.alone[i] = true
	}
	c.eachMention(func(n, _ int32, with bool) {
		c.at[n+2]++
		c.alone[n] = c.alone[n] && !with
	})
	for i := range c.labels {
		c.at[i+2] += c.at[i+1]
	}
	c.mentions = resize(c.mentions, int(c.at[len(c.labels)+1]))
	// at[n+1] moves from the beginning of n's mentions to their end, where those
	// of n+1 begin.
	c.eachMention(func(n, quad int32, _ bool) {
		c.mentions[c.at[n+1]] = quad
		c.at[n+1]++
	})
}

// eachMention calls f once for each blank node of each statement; with tells
// that the statement names another one too.
func (c *canonicalizer) eachMention(f func(node, quad int32, with bool)) {
	for _, g := range c.groups {
		if g.number == none && !g.blanks {
			continue
		}
		for i := g.start; i < g.end; i++ {
			q := &c.quads[i]
			with := q.links()
			if q.s != none {
				f(q.s, i, with)
			}
			if q.o != none && q.o != q.s {
				f(q.o, i, with)
			}
			if q.g != none && q.g != q.s && q.g != q.o {
				f(q.g, i, with)
			}
		}
	}
}

// links reports whether a statement names two blank nodes or more.
func (q *quad) links() bool {
	return q.s != none && q.o != none && q.s != q.o || q.s != none && q.g != none && q.s != q.g ||
		q.o != none && q.g != none && q.o != q.g
}

// mentionsOf are the statements in which a blank node occurs.
func (c *canonicalizer) mentionsOf(n int32) []int32 { return c.mentions[c.at[n]:c.at[n+1]] }

// label gives every blank node its canonical identifier.
func (c *canonicalizer) label() error {
	n := len(c.labels)
	c.ids, c.first = resize(c.ids, n), resize(c.first, n)
	if n == 1 { // whatever its hash
		c.ids[0], c.next = 0, 1
		return nil
	}
	for n := range c.ids {
		c.ids[n] = none
		c.first[n] = c.firstDegree(int32(n))
	}
	return c.issueAll(c.alone, c.linked)
}

// linked gives the labeler the statements that link blank nodes.
func (c *canonicalizer) linked() error {
	for _, g := range c.groups {
		for _, q := range c.quads[g.start:g.end] {
			if !q.links() {
				continue
			}
			l := link{predicate: c.ds[q.at].Predicate, s: q.s, o: q.o, g: q.g}
			switch {
			case q.s == none:
				l.third = c.ds[q.at].Subject
			case q.o == none:
				l.third = c.ds[q.at].Object
			case q.g == none:
				l.third = c.ds[q.at].Graph
			}
			c.links = append(c.links, l)
		}
	}
	c.index()
	return nil
}

// span is a stretch of the line buffer.
type span struct{ from, to int }

// firstDegree is the Hash First Degree Quads algorithm, §4.6.3: the node's own
// statements, with itself written _:a and any other blank node _:z.
func (c *canonicalizer) firstDegree(n int32) digest {
	c.buf, c.lines = c.buf[:0], c.lines[:0]
	for _, i := range c.mentionsOf(n) {
		q := c.quads[i]
		src := &c.ds[q.at]
		from := len(c.buf)
		c.buf = appendQuad(c.buf, mask(src.Subject, q.s, n), src.Predicate, mask(src.Object, q.o, n), mask(src.Graph, q.g, n))
		c.lines = append(c.lines, span{from, len(c.buf)})
	}
	return c.sum(c.sortedLines())
}

// mask is a term as the first degree hash of node n sees it.
func mask(t Term, number, n int32) Term {
	switch number {
	case none:
		return t
	case n:
		return "_:a"
	default:
		return "_:z"
	}
}

// sortedLines is the line buffer in code point order.
func (c *canonicalizer) sortedLines() []byte {
	sorted := true
	for i := 1; i < len(c.lines) && sorted; i++ {
		a, b := c.lines[i-1], c.lines[i]
		sorted = bytes.Compare(c.buf[a.from:a.to], c.buf[b.from:b.to]) <= 0
	}
	if sorted {
		return c.buf
	}
	slices.SortFunc(c.lines, func(a, b span) int {
		return bytes.Compare(c.buf[a.from:a.to], c.buf[b.from:b.to])
	})
	c.order = c.order[:0]
	for _, l := range c.lines {
		c.order = append(c.order, c.buf[l.from:l.to]...)
	}
	return c.order
}

// write adds the dataset with its canonical labels, as sorted lines: what is
// said of IRIs in their order, then what is said of blank nodes in that of their
// labels, which needs no sorting.
func (c *canonicalizer) write(to *sink) {
	c.nameAll()
	c.byID = resize(c.byID, len(c.ids))
	for i := range c.byID {
		c.byID[i] = none
	}
	size := 0
	iris := c.iris[:0]
	for i := range c.groups {
		g := &c.groups[i]
		c.relabel(g)
		if to.hash == nil {
			size += c.size(g)
		}
		if g.number == none {
			iris = append(iris, int32(i))
		} else {
			c.byID[c.ids[g.number]] = int32(i)
		}
	}
	c.iris = iris
	slices.SortFunc(iris, func(a, b int32) int {
		return strings.Compare(string(c.groups[a].subject), string(c.groups[b].subject))
	})
	to.out = slices.Grow(to.out, size)
	for _, i := range iris {
		c.writeGroup(to, &c.groups[i])
	}
	for id := range inTextOrder(len(c.byID)) {
		if i := c.byID[id]; i != none { // a node may be no subject
			c.writeGroup(to, &c.groups[i])
		}
	}
}

func (c *canonicalizer) writeGroup(to *sink, g *group) {
	out := to.out
	for _, q := range c.quads[g.start:g.end] {
		src := &c.ds[q.at]
		out = appendQuad(out, g.subject, src.Predicate, c.final(src.Object, q.o), c.final(src.Graph, q.g))
	}
	to.out = out
	to.flush()
}

// nameAll writes the canonical labels of all nodes into one piece.
func (c *canonicalizer) nameAll() {
	c.text, c.ends = c.text[:0], append(c.ends[:0], 0)
	for _, id := range c.ids {
		c.text = appendLabel(c.text, id)
		c.ends = append(c.ends, int32(len(c.text)))
	}
	c.named = Term(c.text)
}

// final is a term with its canonical label.
func (c *canonicalizer) final(t Term, n int32) Term {
	if n == none {
		return t
	}
	return c.named[c.ends[n]:c.ends[n+1]]
}

func appendLabel(b []byte, id int32) []byte {
	return strconv.AppendInt(append(b, "_:c14n"...), int64(id), 10)
}

// relabel gives a group its canonical subject and restores its order.
func (c *canonicalizer) relabel(g *group) {
	qs := c.quads[g.start:g.end]
	g.subject = c.final(g.subject, g.number)
	if g.blanks && len(qs) > 1 {
		slices.SortFunc(qs, func(a, b quad) int {
			x, y := &c.ds[a.at], &c.ds[b.at]
			if n := strings.Compare(string(x.Predicate), string(y.Predicate)); n != 0 {
				return n
			}
			if n := strings.Compare(string(c.final(x.Object, a.o)), string(c.final(y.Object, b.o))); n != 0 {
				return n
			}
			return strings.Compare(string(c.final(x.Graph, a.g)), string(c.final(y.Graph, b.g)))
		})
	}
}

// size is the bytes that a group takes.
func (c *canonicalizer) size(g *group) (size int) {
	for _, q := range c.quads[g.start:g.end] {
		src := &c.ds[q.at]
		size += len(g.subject) + len(src.Predicate) + len(c.final(src.Object, q.o)) + len(c.final(src.Graph, q.g)) + 6
	}
	return size
}
