package rdfc

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// maxDepth bounds the recursion through blank nodes. A chain this long of nodes
// that nothing else tells apart is refused.
const maxDepth = 2000

// issuer hands out the temporary identifiers _:b0, _:b1 and so on (§4.5).
type issuer struct {
	order []int32
	place map[int32]int32 // filled once order is long
}

// scanLimit is up to how many identifiers are found by looking at each.
const scanLimit = 16

// find is the place of a node, or none.
func (s *issuer) find(n int32) int32 {
	if s.place == nil {
		return int32(slices.Index(s.order, n))
	}
	if at, ok := s.place[n]; ok {
		return at
	}
	return none
}

// issue is the place of a node, given it now if it had none.
func (s *issuer) issue(n int32) int32 {
	if at := s.find(n); at != none {
		return at
	}
	at := int32(len(s.order))
	s.order = append(s.order, n)
	if s.place != nil {
		s.place[n] = at
	} else if len(s.order) > scanLimit {
		s.place = make(map[int32]int32, 2*scanLimit)
		for i, m := range s.order {
			s.place[m] = int32(i)
		}
	}
	return at
}

func (s *issuer) clone() issuer {
	c := issuer{order: slices.Clone(s.order)}
	if s.place != nil {
		c.place = make(map[int32]int32, len(s.place))
		for i, m := range s.order {
			c.place[m] = int32(i)
		}
	}
	return c
}

// spend counts work against the limit.
func (c *canonicalizer) spend(steps int) error {
	c.work -= steps
	if c.work < 0 {
		return ErrTooComplex
	}
	return nil
}

// nDegree is the Hash N-Degree Quads algorithm, §4.8.3: the hash of a node's
// surroundings and the issuer that named them on the way.
func (c *canonicalizer) nDegree(n int32, iss issuer, depth int) (string, issuer, error) {
	if depth > maxDepth {
		return "", iss, ErrTooComplex
	}
	related, err := c.relatedTo(n, &iss)
	if err != nil {
		return "", iss, err
	}
	data := make([]byte, 0, 256)
	for _, r := range related {
		data = append(data, r.hash...)
		best, err := c.bestPath(r.nodes, iss, depth)
		if err != nil {
			return "", iss, err
		}
		data = append(data, best.text...)
		iss = best.issuer
	}
	return c.sum(data), iss, nil
}

// relation is a way in which nodes are related to another.
type relation struct {
	hash  string
	nodes []int32
}

// relatedTo groups the blank nodes that share a statement with n by how they
// are related to it, in the order of the relations' hashes: steps 2 to 4.
func (c *canonicalizer) relatedTo(n int32, iss *issuer) ([]relation, error) {
	mentions := c.mentionsOf(n)
	if err := c.spend(1 + len(mentions)); err != nil {
		return nil, err
	}
	type pair struct {
		hash string
		node int32
	}
	pairs := make([]pair, 0, len(mentions))
	add := func(node int32, predicate Term, position byte) {
		if node != none && node != n {
			pairs = append(pairs, pair{c.relatedHash(node, predicate, iss, position), node})
		}
	}
	for _, i := range mentions {
		q := c.quads[i]
		predicate := c.ds[q.at].Predicate
		add(q.s, predicate, 's')
		add(q.o, predicate, 'o')
		add(q.g, predicate, 'g')
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(a.hash, b.hash) })
	var related []relation
	for i, p := range pairs {
		if i == 0 || p.hash != pairs[i-1].hash {
			related = append(related, relation{hash: p.hash})
		}
		last := &related[len(related)-1]
		last.nodes = append(last.nodes, p.node)
	}
	return related, nil
}

// relatedHash is the Hash Related Blank Node algorithm, §4.7.3.
func (c *canonicalizer) relatedHash(n int32, predicate Term, iss *issuer, position byte) string {
	c.buf = append(c.buf[:0], position)
	if position != 'g' {
		c.buf = append(c.buf, predicate...)
	}
	if name := c.name(n, iss); name != "" {
		c.buf = append(c.buf, name...)
	} else {
		c.buf = append(c.buf, c.first[n]...)
	}
	return c.sum(c.buf)
}

// name is a node's canonical or else temporary identifier, or "".
func (c *canonicalizer) name(n int32, iss *issuer) string {
	if c.ids[n] != none {
		return "_:c14n" + strconv.Itoa(int(c.ids[n]))
	}
	if at := iss.find(n); at != none {
		return "_:b" + strconv.Itoa(int(at))
	}
	return ""
}

// path is one way to name a group of related nodes.
type path struct {
	text   string
	issuer issuer
}

// bestPath tries the orders of a group and keeps the one with the least path:
// step 5.4. Orders that differ only by swapping twins give equal paths, so one
// of them stands for all.
func (c *canonicalizer) bestPath(nodes []int32, iss issuer, depth int) (path, error) {
	if len(nodes) == 1 {
		if err := c.spend(1); err != nil {
			return path{}, err
		}
		p, _, err := c.follow(nodes, iss, "", depth)
		return p, err
	}
	var best path
	var failed error
	permute(c.twins(nodes, &iss), func(order []int32) bool {
		if failed = c.spend(len(order)); failed != nil {
			return false
		}
		p, ok, err := c.follow(order, iss.clone(), best.text, depth)
		if failed = err; err != nil {
			return false
		}
		if ok && (best.text == "" || p.text < best.text) {
			best = p
		}
		return true
	})
	return best, failed
}

// follow names a group in one order and walks on from the nodes it named. ok is
// false as soon as the path can no longer be the least.
func (c *canonicalizer) follow(order []int32, iss issuer, best string, depth int) (p path, ok bool, err error) {
	var text strings.Builder
	var recurse []int32
	for _, n := range order {
		if name := c.name(n, &iss); name != "" {
			text.WriteString(name)
		} else {
			recurse = append(recurse, n)
			text.WriteString("_:b" + strconv.Itoa(int(iss.issue(n))))
		}
		if worse(text.String(), best) {
			return p, false, nil
		}
	}
	for _, n := range recurse {
		hash, deeper, err := c.nDegree(n, iss, depth+1)
		if err != nil {
			return p, false, err
		}
		text.WriteString("_:b" + strconv.Itoa(int(iss.issue(n))) + "<" + hash + ">")
		iss = deeper
		if worse(text.String(), best) {
			return p, false, nil
		}
	}
	return path{text.String(), iss}, true, nil
}

// worse reports whether a path, even unfinished, already loses to the best.
func worse(text, best string) bool {
	return best != "" && len(text) >= len(best) && text > best
}

// permute calls f with the orders of the nodes of all kinds until it returns
// false. Of the orders that differ only in nodes of one kind, f sees one.
func permute(kinds [][]int32, f func([]int32) bool) {
	total := 0
	for _, k := range kinds {
		total += len(k)
	}
	order := make([]int32, 0, total)
	taken := make([]int, len(kinds))
	var fill func() bool
	fill = func() bool {
		if len(order) == total {
			return f(order)
		}
		for k, nodes := range kinds {
			if taken[k] == len(nodes) {
				continue
			}
			order = append(order, nodes[taken[k]])
			taken[k]++
			more := fill()
			taken[k]--
			order = order[:len(order)-1]
			if !more {
				return false
			}
		}
		return true
	}
	fill()
}

// twins sorts the nodes of a group into kinds that can be swapped without
// changing the dataset, so that a hundred like results under one subject are
// not a hundred factorial orders. Two nodes are twins when all that hangs on
// them, up to nodes already named, are separate trees of the same shape.
// Where that cannot be shown each node is its own kind, which is always right.
func (c *canonicalizer) twins(nodes []int32, iss *issuer) [][]int32 {
	if c.name(nodes[0], iss) != "" {
		return apart(nodes)
	}
	var kinds [][]int32
	shapes := make(map[string]int, 1)
	t := trees{c: c, iss: iss, seen: make(map[int32]bool, 2*len(nodes))}
	for _, n := range nodes {
		shape, ok := t.shape(n, none, 0)
		if !ok {
			return apart(nodes)
		}
		k, ok := shapes[shape]
		if !ok {
			k = len(kinds)
			shapes[shape] = k
			kinds = append(kinds, nil)
		}
		kinds[k] = append(kinds[k], n)
	}
	return kinds
}

// apart makes each node a kind of its own.
func apart(nodes []int32) [][]int32 {
	kinds := make([][]int32, len(nodes))
	for i := range nodes {
		kinds[i] = nodes[i : i+1]
	}
	return kinds
}

// trees walks the unnamed nodes that hang on a group.
type trees struct {
	c    *canonicalizer
	iss  *issuer
	seen map[int32]bool
}

// shape is a text that is equal for like trees; ok is false where the nodes
// reached from n do not form a tree of their own, or it is very deep. Any node
// reached twice, from one root or from two, spoils all: c.twins gives up.
func (t *trees) shape(n, from int32, depth int) (shape string, ok bool) {
	if t.seen[n] || depth > 64 {
		return "", false
	}
	t.seen[n] = true
	mentions := t.c.mentionsOf(n)
	if t.c.spend(len(mentions)) != nil {
		return "", false
	}
	lines := make([]string, 0, len(mentions))
	for _, i := range mentions {
		q := &t.c.quads[i]
		src := &t.c.ds[q.at]
		line := string(src.Predicate)
		branches := 0
		for _, part := range [...]struct {
			term Term
			node int32
		}{{src.Subject, q.s}, {src.Object, q.o}, {src.Graph, q.g}} {
			text, branch, ok := t.part(part.term, part.node, n, from, depth)
			if !ok {
				return "", false
			}
			if branch {
				branches++
			}
			line += " " + text
		}
		if branches > 1 {
			return "", false
		}
		lines = append(lines, line)
	}
	slices.SortFunc(lines, cmp.Compare)
	return t.c.sum([]byte(strings.Join(lines, "\n"))), true
}

// part is one term of a statement of n as its shape has it; branch is true for
// an unnamed node that the walk went on to.
func (t *trees) part(term Term, node, n, from int32, depth int) (text string, branch, ok bool) {
	switch node {
	case none:
		return string(term), false, true
	case n:
		return "_:a", false, true
	case from:
		return "_:p", false, true
	}
	if name := t.c.name(node, t.iss); name != "" {
		return name, false, true
	}
	text, ok = t.shape(node, n, depth+1)
	return "_:" + text, true, ok
}
