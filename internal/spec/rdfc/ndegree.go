package rdfc

import (
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
func (c *labeler) spend(steps int) error {
	c.work -= steps
	if c.work < 0 {
		return ErrTooComplex
	}
	return nil
}

// nDegree is the Hash N-Degree Quads algorithm, §4.8.3: the hash of a node's
// surroundings and the issuer that named them on the way.
func (c *labeler) nDegree(n int32, iss issuer, depth int) (digest, issuer, error) {
	if depth > maxDepth {
		return digest{}, iss, ErrTooComplex
	}
	related, err := c.relatedTo(n, &iss)
	if err != nil {
		return digest{}, iss, err
	}
	data := make([]byte, 0, 256)
	for _, r := range related {
		data = c.appendHex(data, &r.hash)
		best, err := c.bestPath(r.nodes, iss, depth)
		if err != nil {
			return digest{}, iss, err
		}
		data = append(data, best.text...)
		iss = best.issuer
	}
	return c.sum(data), iss, nil
}

// relation is a way in which nodes are related to another.
type relation struct {
	hash  digest
	nodes []int32
}

// relatedTo groups the blank nodes that share a statement with n by how they
// are related to it, in the order of the relations' hashes: steps 2 to 4.
func (c *labeler) relatedTo(n int32, iss *issuer) ([]relation, error) {
	links := c.linksOf(n)
	if err := c.spend(1 + len(links)); err != nil {
		return nil, err
	}
	type pair struct {
		hash digest
		node int32
	}
	var few [8]pair
	pairs := few[:0]
	for _, i := range links {
		k := &c.links[i]
		for _, other := range [...]struct {
			node     int32
			position byte
		}{{k.s, 's'}, {k.o, 'o'}, {k.g, 'g'}} {
			if other.node != none && other.node != n {
				pairs = append(pairs, pair{c.relatedHash(other.node, k.predicate, iss, other.position), other.node})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return a.hash.compare(&b.hash) })
	related := make([]relation, 0, len(pairs))
	nodes := make([]int32, 0, len(pairs))
	for i, p := range pairs {
		if i == 0 || p.hash != pairs[i-1].hash {
			related = append(related, relation{hash: p.hash, nodes: nodes[len(nodes):]})
		}
		nodes = append(nodes, p.node)
		last := &related[len(related)-1]
		last.nodes = last.nodes[:len(last.nodes)+1]
	}
	return related, nil
}

// relatedHash is the Hash Related Blank Node algorithm, §4.7.3.
func (c *labeler) relatedHash(n int32, predicate Term, iss *issuer, position byte) digest {
	b := append(c.buf[:0], position)
	if position != 'g' {
		b = append(b, predicate...)
	}
	named := len(b)
	if b = c.appendName(b, n, iss); len(b) == named {
		b = c.appendHex(b, &c.first[n])
	}
	c.buf = b
	return c.sum(b)
}

// appendName adds a node's canonical or else temporary identifier, or nothing.
func (c *labeler) appendName(b []byte, n int32, iss *issuer) []byte {
	if c.ids[n] != none {
		return appendLabel(b, c.ids[n])
	}
	if at := iss.find(n); at != none {
		return appendTemporary(b, at)
	}
	return b
}

func appendTemporary(b []byte, at int32) []byte {
	return strconv.AppendInt(append(b, "_:b"...), int64(at), 10)
}

// isNamed reports whether a node has an identifier of either kind.
func (c *labeler) isNamed(n int32, iss *issuer) bool { return c.ids[n] != none || iss.find(n) != none }

// path is one way to name a group of related nodes.
type path struct {
	text   string
	issuer issuer
}

// bestPath tries the orders of a group and keeps the one with the least path:
// step 5.4. Orders that differ only by swapping twins give equal paths, so one
// of them stands for all.
func (c *labeler) bestPath(nodes []int32, iss issuer, depth int) (path, error) {
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
		if failed = c.spend(len(order) + len(iss.order)/8); failed != nil {
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
func (c *labeler) follow(order []int32, iss issuer, best string, depth int) (p path, ok bool, err error) {
	text := make([]byte, 0, 160)
	var few [8]int32
	recurse := few[:0]
	for _, n := range order {
		before := len(text)
		if text = c.appendName(text, n, &iss); len(text) == before {
			recurse = append(recurse, n)
			text = appendTemporary(text, iss.issue(n))
		}
		if worse(text, best) {
			return p, false, nil
		}
	}
	for _, n := range recurse {
		hash, deeper, err := c.nDegree(n, iss, depth+1)
		if err != nil {
			return p, false, err
		}
		text = append(appendTemporary(text, iss.issue(n)), '<')
		text = append(c.appendHex(text, &hash), '>')
		iss = deeper
		if worse(text, best) {
			return p, false, nil
		}
	}
	return path{string(text), iss}, true, nil
}

// worse reports whether a path, even unfinished, already loses to the best.
func worse(text []byte, best string) bool {
	return best != "" && len(text) >= len(best) && string(text) > best
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
func (c *labeler) twins(nodes []int32, iss *issuer) [][]int32 {
	if c.isNamed(nodes[0], iss) {
		return apart(nodes)
	}
	var kinds [][]int32
	shapes := make(map[digest]int, 1)
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
	c    *labeler
	iss  *issuer
	seen map[int32]bool
}

// shape is a hash that is equal for like trees; ok is false where the nodes
// reached from n do not form a tree of their own, or it is very deep. Any node
// reached twice, from one root or from two, spoils all: twins gives up. What a
// node says of itself alone is in its first degree hash.
func (t *trees) shape(n, from int32, depth int) (shape digest, ok bool) {
	if t.seen[n] || depth > 64 {
		return shape, false
	}
	t.seen[n] = true
	links := t.c.linksOf(n)
	if t.c.spend(1+len(links)) != nil {
		return shape, false
	}
	lines := make([]string, 0, len(links))
	for _, i := range links {
		k := &t.c.links[i]
		line := append(append([]byte(k.predicate), ' '), k.third...)
		branches := 0
		for _, node := range [...]int32{k.s, k.o, k.g} {
			var branch bool
			if line, branch, ok = t.part(append(line, ' '), node, n, from, depth); !ok {
				return shape, false
			}
			if branch {
				branches++
			}
		}
		if branches > 1 {
			return shape, false
		}
		lines = append(lines, string(line))
	}
	slices.Sort(lines)
	return t.c.sum([]byte(string(t.c.first[n][:]) + strings.Join(lines, "\n"))), true
}

// part adds one node of a link of n as its shape has it; branch is true for an
// unnamed node that the walk went on to.
func (t *trees) part(line []byte, node, n, from int32, depth int) (_ []byte, branch, ok bool) {
	switch node {
	case none:
		return append(line, '-'), false, true
	case n:
		return append(line, "_:a"...), false, true
	case from:
		return append(line, "_:p"...), false, true
	}
	if t.c.isNamed(node, t.iss) {
		return t.c.appendName(line, node, t.iss), false, true
	}
	shape, ok := t.shape(node, n, depth+1)
	return t.c.appendHex(append(line, "_:"...), &shape), true, ok
}
