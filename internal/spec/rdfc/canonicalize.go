package rdfc

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
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
	if opts.Hash == 0 {
		opts.Hash = crypto.SHA256
	}
	if opts.Hash != crypto.SHA256 && opts.Hash != crypto.SHA384 {
		return Result{}, fmt.Errorf("canonicalization hashes with SHA-256 or SHA-384, not %v", opts.Hash)
	}
	c := load(ds)
	c.hash = opts.Hash
	c.work = opts.WorkLimit
	if c.work == 0 {
		c.work = defaultWork(len(c.quads))
	}
	c.link()
	if err := c.issueAll(); err != nil {
		return Result{}, err
	}
	return Result{NQuads: c.write(), labels: c.labels, ids: c.ids}, nil
}

// defaultWork allows 100 steps a statement, and a good start. A transcript of a
// thousand credentials whose results all repeat takes 5 to 50 a statement; a
// small poisoned graph is stopped within a fraction of a second.
func defaultWork(quads int) int { return 300_000 + 100*quads }

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
	start, end int32
	blanks     bool // an object or graph name is blank: order waits for labels
}

type canonicalizer struct {
	ds     Dataset
	hash   crypto.Hash
	work   int
	quads  []quad
	groups []group

	labels []Term // by blank node number
	names  map[Term]int32
	ids    []int32  // canonical number, or none
	first  []string // first degree hash, hexadecimal
	next   int32

	// mentions[at[n]:at[n+1]] are the statements in which blank node n occurs.
	at       []int32
	mentions []int32

	buf   []byte
	lines []span
	order []byte
}

// load sorts the statements into groups by subject, each sorted and without
// repetition: a statement made twice must be hashed once.
func load(ds Dataset) *canonicalizer {
	c := &canonicalizer{ds: ds, names: map[Term]int32{}, buf: make([]byte, 0, 1024), order: make([]byte, 0, 1024)}
	bySubject := make(map[Term]int32, len(ds)/3+1)
	which := make([]int32, len(ds))
	var sizes []int32
	var last Term
	lastAt := int32(none)
	for i := range ds {
		if s := ds[i].Subject; lastAt == none || s != last {
			at, ok := bySubject[s]
			if !ok {
				at = int32(len(c.groups))
				bySubject[s] = at
				c.groups = append(c.groups, group{subject: s})
				sizes = append(sizes, 0)
			}
			last, lastAt = s, at
		}
		which[i] = lastAt
		sizes[lastAt]++
	}
	start := int32(0)
	for i := range c.groups {
		c.groups[i].start, c.groups[i].end = start, start
		start += sizes[i]
	}
	c.quads = make([]quad, len(ds))
	for i := range ds {
		g := &c.groups[which[i]]
		c.quads[g.end].at = int32(i)
		g.end++
	}
	for i := range c.groups {
		c.settle(&c.groups[i])
	}
	return c
}

// settle sorts a group, drops repetitions and numbers its blank nodes.
func (c *canonicalizer) settle(g *group) {
	qs := c.quads[g.start:g.end]
	slices.SortFunc(qs, func(a, b quad) int { return compareTail(&c.ds[a.at], &c.ds[b.at]) })
	qs = slices.CompactFunc(qs, func(a, b quad) bool { return c.ds[a.at] == c.ds[b.at] })
	g.end = g.start + int32(len(qs))
	subject := c.number(g.subject)
	for i := range qs {
		q := &qs[i]
		src := &c.ds[q.at]
		q.s, q.o, q.g = subject, c.number(src.Object), c.number(src.Graph)
		if q.o != none || q.g != none {
			g.blanks = true
		}
	}
}

// compareTail orders the statements of one subject. Comparing terms in turn is
// comparing lines: no term is a prefix of another but where the line would have
// a space, which sorts below all that may follow.
func compareTail(a, b *Quad) int {
	if n := cmp.Compare(a.Predicate, b.Predicate); n != 0 {
		return n
	}
	if n := cmp.Compare(a.Object, b.Object); n != 0 {
		return n
	}
	return cmp.Compare(a.Graph, b.Graph)
}

// number gives a blank node its number, in order of appearance.
func (c *canonicalizer) number(t Term) int32 {
	if !t.IsBlank() {
		return none
	}
	n, ok := c.names[t]
	if !ok {
		n = int32(len(c.labels))
		c.names[t] = n
		c.labels = append(c.labels, t)
	}
	return n
}

// link lists the statements that mention each blank node.
func (c *canonicalizer) link() {
	c.at = make([]int32, len(c.labels)+1)
	c.eachMention(func(n, _ int32) { c.at[n+1]++ })
	for i := range c.labels {
		c.at[i+1] += c.at[i]
	}
	c.mentions = make([]int32, c.at[len(c.labels)])
	fill := slices.Clone(c.at)
	c.eachMention(func(n, quad int32) {
		c.mentions[fill[n]] = quad
		fill[n]++
	})
}

// eachMention calls f once for each blank node of each statement.
func (c *canonicalizer) eachMention(f func(node, quad int32)) {
	for _, g := range c.groups {
		for i := g.start; i < g.end; i++ {
			q := &c.quads[i]
			if q.s != none {
				f(q.s, i)
			}
			if q.o != none && q.o != q.s {
				f(q.o, i)
			}
			if q.g != none && q.g != q.s && q.g != q.o {
				f(q.g, i)
			}
		}
	}
}

// mentionsOf are the statements in which a blank node occurs.
func (c *canonicalizer) mentionsOf(n int32) []int32 { return c.mentions[c.at[n]:c.at[n+1]] }

// issueAll gives every blank node its canonical identifier: RDFC-1.0 §4.4.3,
// steps 3 to 5.
func (c *canonicalizer) issueAll() error {
	c.ids = make([]int32, len(c.labels))
	c.first = make([]string, len(c.labels))
	byHash := make([]int32, len(c.labels))
	for n := range c.ids {
		c.ids[n] = none
		byHash[n] = int32(n)
		c.first[n] = c.firstDegree(int32(n))
	}
	slices.SortFunc(byHash, func(a, b int32) int { return cmp.Compare(c.first[a], c.first[b]) })
	var shared [][]int32
	for len(byHash) > 0 {
		n := 1
		for n < len(byHash) && c.first[byHash[n]] == c.first[byHash[0]] {
			n++
		}
		if n == 1 {
			c.issue(byHash[0])
		} else {
			shared = append(shared, byHash[:n])
		}
		byHash = byHash[n:]
	}
	for _, nodes := range shared {
		if err := c.issueShared(nodes); err != nil {
			return err
		}
	}
	return nil
}

// issueShared tells apart the nodes that share one first degree hash.
func (c *canonicalizer) issueShared(nodes []int32) error {
	type path struct {
		hash   string
		issuer issuer
	}
	var paths []path
	for _, n := range nodes {
		if c.ids[n] != none {
			continue
		}
		var start issuer
		start.issue(n)
		hash, iss, err := c.nDegree(n, start, 0)
		if err != nil {
			return err
		}
		paths = append(paths, path{hash, iss})
	}
	slices.SortStableFunc(paths, func(a, b path) int { return cmp.Compare(a.hash, b.hash) })
	for _, p := range paths {
		for _, n := range p.issuer.order {
			c.issue(n)
		}
	}
	return nil
}

// issue gives a node the next canonical identifier, unless it has one.
func (c *canonicalizer) issue(n int32) {
	if c.ids[n] == none {
		c.ids[n] = c.next
		c.next++
	}
}

// span is a stretch of the line buffer.
type span struct{ from, to int }

// firstDegree is the Hash First Degree Quads algorithm, §4.6.3: the node's own
// statements, with itself written _:a and any other blank node _:z.
func (c *canonicalizer) firstDegree(n int32) string {
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
	if len(c.lines) == 1 {
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

// sum is a hash in hexadecimal.
func (c *canonicalizer) sum(b []byte) string {
	var text [2 * sha512.Size384]byte
	if c.hash == crypto.SHA384 {
		h := sha512.Sum384(b)
		return string(hex.AppendEncode(text[:0], h[:]))
	}
	h := sha256.Sum256(b)
	return string(hex.AppendEncode(text[:0], h[:]))
}

// write is the dataset with its canonical labels, as sorted lines.
func (c *canonicalizer) write() []byte {
	names := make([]Term, len(c.labels))
	for n, id := range c.ids {
		names[n] = Term("_:c14n" + strconv.Itoa(int(id)))
	}
	size := 0
	for i := range c.groups {
		size += c.relabel(&c.groups[i], names)
	}
	slices.SortFunc(c.groups, func(a, b group) int { return cmp.Compare(a.subject, b.subject) })
	out := make([]byte, 0, size)
	for i := range c.groups {
		g := &c.groups[i]
		for _, q := range c.quads[g.start:g.end] {
			final := c.final(q, names)
			out = appendQuad(out, g.subject, final.Predicate, final.Object, final.Graph)
		}
	}
	return out
}

// relabel gives a group its canonical subject, restores its order and returns
// the bytes it will take.
func (c *canonicalizer) relabel(g *group, names []Term) int {
	qs := c.quads[g.start:g.end]
	if qs[0].s != none {
		g.subject = names[qs[0].s]
	}
	if g.blanks {
		slices.SortFunc(qs, func(a, b quad) int {
			x, y := c.final(a, names), c.final(b, names)
			return compareTail(&x, &y)
		})
	}
	size := 0
	for _, q := range qs {
		final := c.final(q, names)
		size += len(g.subject) + len(final.Predicate) + len(final.Object) + len(final.Graph) + 6
	}
	return size
}

// final is a statement with canonical labels, but for its subject.
func (c *canonicalizer) final(q quad, names []Term) Quad {
	final := c.ds[q.at]
	if q.o != none {
		final.Object = names[q.o]
	}
	if q.g != none {
		final.Graph = names[q.g]
	}
	return final
}
