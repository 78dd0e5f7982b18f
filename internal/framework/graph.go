package framework

import (
	"cmp"
	"slices"
)

// Graph is one version of a framework in a form to compute with. Its items are
// numbered depth first: a number is an index into Nodes, and into whatever a
// caller keeps beside it. A Graph never changes and may be shared.
//
// The hierarchy of a Graph has no cycles. Where a package has one, every
// isChildOf among the items of the cycle is left out, whichever came first, and
// the cycle is told of; so nothing that runs along Parents or Children comes
// back to where it was.
type Graph struct {
	Framework  ID
	Version    int
	Identifier string // of the CFDocument
	Title      string
	Nodes      []Node
	BottomUp   []int32    // all numbers, those below before those above
	Tree       bool       // no item has two parents; then i to Nodes[i].Last is i and all below it
	Cycles     [][]string // identifiers of the items of each cycle, in order
	Orphans    []string   // identifiers of the items whose parent is not here, in order

	up, down     lists
	edges        map[string][]Edge
	abroad       []Abroad
	levels       map[int32][]Level
	byID         map[ItemID]int32
	byIdentifier map[string]int32
	byURI        map[string]int32
}

// Node is an item of a Graph.
type Node struct {
	ID         ItemID
	Identifier string
	URI        string
	Code       string // humanCodingScheme, or empty
	Statement  string // abbreviatedStatement, else fullStatement
	Type       string // CFItemType, or empty
	Retired    bool   // not in this version any more; awards may still point at it
	Last       int32  // the last number below it in the numbering, itself when there is none
}

// Edge is an association inside a Graph: Origin Type Destination, as CASE reads
// it. Sequence is 0 where the package has none.
type Edge struct {
	Origin, Destination int32
	Sequence            int32
}

// Abroad is an association of the package that has one end in another
// framework, or nowhere.
type Abroad struct {
	Node       int32
	Type       string
	Outward    bool   // Node is the origin
	Identifier string // of the other end
	URI        string
}

// Problem is a place where a hierarchy is not one.
type Problem struct {
	Kind  string // Cycle or Orphan
	Items []ItemID
}

// The kinds of problems.
const (
	Cycle  = "cycle"  // each item stands below itself, by way of the others
	Orphan = "orphan" // the parent of the item is not in the framework
)

// Problems are the cycles and orphans of the Graph.
func (g *Graph) Problems() []Problem {
	all := []Problem{}
	for _, c := range g.Cycles {
		all = append(all, g.problem(Cycle, c...))
	}
	for _, o := range g.Orphans {
		all = append(all, g.problem(Orphan, o))
	}
	return all
}

func (g *Graph) problem(kind string, identifiers ...string) Problem {
	p := Problem{Kind: kind}
	for _, identifier := range identifiers {
		p.Items = append(p.Items, g.Nodes[g.byIdentifier[identifier]].ID)
	}
	return p
}

// Parents are the numbers directly above, in the package's order.
func (g *Graph) Parents(i int32) []int32 { return g.up.of(i) }

// Children are the numbers directly below, in the package's order.
func (g *Graph) Children(i int32) []int32 { return g.down.of(i) }

// Edges are the associations of a type between two items of the Graph; for the
// hierarchy, Parents and Children are better, because they have no cycles.
func (g *Graph) Edges(typ string) []Edge { return g.edges[typ] }

// Abroad are the associations with an end elsewhere.
func (g *Graph) Abroad() []Abroad { return g.abroad }

// Levels are the levels of the rubric criterion about an item, lowest first;
// nil when no rubric speaks of it.
func (g *Graph) Levels(i int32) []Level { return g.levels[i] }

// Find is the number of an item by id.
func (g *Graph) Find(item ItemID) (int32, bool) { i, ok := g.byID[item]; return i, ok }

// ByIdentifier is the number of an item by its CASE identifier.
func (g *Graph) ByIdentifier(identifier string) (int32, bool) {
	i, ok := g.byIdentifier[identifier]
	return i, ok
}

// ByURI is the number of an item by its address.
func (g *Graph) ByURI(uri string) (int32, bool) { i, ok := g.byURI[uri]; return i, ok }

// lists are a list of numbers for each number, in one piece of memory.
type lists struct{ start, all []int32 }

func (l lists) of(i int32) []int32 { return l.all[l.start[i]:l.start[i+1]:l.start[i+1]] }

// listsOf gathers pairs, which come in order, by their first.
func listsOf(n int, pairs [][2]int32) lists {
	l := lists{start: make([]int32, n+1), all: make([]int32, len(pairs))}
	for _, p := range pairs {
		l.start[p[0]+1]++
	}
	for i := range n {
		l.start[i+1] += l.start[i]
	}
	at := slices.Clone(l.start)
	for _, p := range pairs {
		l.all[at[p[0]]] = p[1]
		at[p[0]]++
	}
	return l
}

// graphLink is an association to make a Graph of.
type graphLink struct {
	kind                string
	origin, destination string // identifiers
	originURI, destURI  string
	sequence            *int
	position            int
	fromItem, toItem    int32 // places in the items; -1 elsewhere
	toDocument          bool
}

// newGraph numbers the items and ties the ends together.
func newGraph(f Framework, items []Node, links []graphLink) *Graph {
	g := &Graph{Framework: f.ID, Version: f.Version, Identifier: f.Identifier, Title: f.Title, Tree: true,
		edges: map[string][]Edge{}, levels: map[int32][]Level{}, byID: make(map[ItemID]int32, len(items)),
		byIdentifier: make(map[string]int32, len(items)), byURI: make(map[string]int32, len(items))}
	place := make(map[string]int32, len(items))
	for i, it := range items {
		place[it.Identifier] = int32(i)
	}
	for i := range links {
		links[i].fromItem, links[i].toItem = at(place, links[i].origin), at(place, links[i].destination)
		links[i].toDocument = links[i].destination == f.Identifier
	}
	slices.SortStableFunc(links, func(a, b graphLink) int {
		return cmp.Or(cmp.Compare(sequence(a), sequence(b)), cmp.Compare(a.position, b.position))
	})
	below, roots := g.hierarchy(items, links)
	number := g.number(items, below, roots)
	g.tie(items, links, below, number)
	return g
}

func at(place map[string]int32, identifier string) int32 {
	if i, ok := place[identifier]; ok {
		return i
	}
	return -1
}

// sequence orders siblings; those without one come last.
func sequence(l graphLink) int {
	if l.sequence == nil {
		return int(^uint32(0) >> 1)
	}
	return *l.sequence
}

// hierarchy are the pairs of parent and child that remain when cycles are left
// out, and the items to begin with, all by place.
func (g *Graph) hierarchy(items []Node, links []graphLink) (below [][2]int32, roots []int32) {
	var pairs [][2]int32
	lost := map[int32]bool{}
	first := make([]int, len(items)) // order among the roots
	for i := range first {
		first[i] = len(links) + i
	}
	seen := map[[2]int32]bool{}
	for n, l := range links {
		if l.kind != "isChildOf" || l.fromItem < 0 {
			continue
		}
		switch {
		case l.toDocument:
			first[l.fromItem] = min(first[l.fromItem], n)
		case l.toItem < 0:
			lost[l.fromItem] = true
		case !seen[[2]int32{l.toItem, l.fromItem}]:
			seen[[2]int32{l.toItem, l.fromItem}] = true
			pairs = append(pairs, [2]int32{l.toItem, l.fromItem})
		}
	}
	group, size := circles(len(items), listsOf(len(items), pairs))
	members := map[int32][]string{}
	hasParent := make([]bool, len(items))
	for _, p := range pairs {
		if group[p[0]] == group[p[1]] {
			members[group[p[0]]] = nil
			continue
		}
		below = append(below, p)
		hasParent[p[1]] = true
	}
	for i, it := range items {
		if _, ok := members[group[i]]; ok && (size[group[i]] > 1 || seen[[2]int32{int32(i), int32(i)}]) {
			members[group[i]] = append(members[group[i]], it.Identifier)
		}
		if !hasParent[i] {
			roots = append(roots, int32(i))
		}
		if lost[int32(i)] && !hasParent[i] {
			g.Orphans = append(g.Orphans, it.Identifier)
		}
	}
	for _, m := range members {
		slices.Sort(m)
		g.Cycles = append(g.Cycles, m)
	}
	slices.SortFunc(g.Cycles, slices.Compare)
	slices.SortStableFunc(roots, func(a, b int32) int {
		if items[a].Retired != items[b].Retired {
			return cmp.Compare(boolInt(items[a].Retired), boolInt(items[b].Retired))
		}
		return cmp.Compare(first[a], first[b])
	})
	return below, roots
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// circles puts the places into groups: two are in one when each can be reached
// from the other (Tarjan 1972, with a stack of its own).
func circles(n int, next lists) (group []int32, size map[int32]int) {
	const fresh = -1
	group = make([]int32, n)
	low, seen := make([]int32, n), make([]int32, n)
	on := make([]bool, n)
	for i := range seen {
		seen[i] = fresh
	}
	size = map[int32]int{}
	type frame struct{ node, i int32 }
	var open []int32
	var stack []frame
	clock := int32(0)
	enter := func(v int32) {
		seen[v], low[v], on[v] = clock, clock, true
		clock++
		open, stack = append(open, v), append(stack, frame{v, 0})
	}
	for root := range int32(n) {
		if seen[root] != fresh {
			continue
		}
		enter(root)
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if to := next.of(top.node); int(top.i) < len(to) {
				w := to[top.i]
				top.i++
				if seen[w] == fresh {
					enter(w)
				} else if on[w] {
					low[top.node] = min(low[top.node], seen[w])
				}
				continue
			}
			v := top.node
			if stack = stack[:len(stack)-1]; len(stack) > 0 {
				above := stack[len(stack)-1].node
				low[above] = min(low[above], low[v])
			}
			if low[v] != seen[v] {
				continue
			}
			for { // v closes its group
				w := open[len(open)-1]
				open = open[:len(open)-1]
				on[w], group[w] = false, v
				size[v]++
				if w == v {
					break
				}
			}
		}
	}
	return group, size
}

// number walks depth first from the roots and gives each place its number.
func (g *Graph) number(items []Node, below [][2]int32, roots []int32) []int32 {
	down := listsOf(len(items), below)
	number := make([]int32, len(items))
	for i := range number {
		number[i] = -1
	}
	g.Nodes = make([]Node, 0, len(items))
	g.BottomUp = make([]int32, 0, len(items))
	type frame struct {
		place int32
		i     int
	}
	var stack []frame
	enter := func(p int32) {
		number[p] = int32(len(g.Nodes))
		g.Nodes = append(g.Nodes, items[p])
		stack = append(stack, frame{p, 0})
	}
	for _, r := range roots {
		enter(r)
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if c := down.of(top.place); top.i < len(c) {
				to := c[top.i]
				top.i++
				if number[to] < 0 {
					enter(to)
				}
				continue
			}
			n := number[top.place]
			g.Nodes[n].Last = int32(len(g.Nodes) - 1)
			g.BottomUp = append(g.BottomUp, n)
			stack = stack[:len(stack)-1]
		}
	}
	return number
}

// tie writes everything by number.
func (g *Graph) tie(items []Node, links []graphLink, below [][2]int32, number []int32) {
	n := len(items)
	up, down := make([][2]int32, len(below)), make([][2]int32, len(below))
	for i, p := range below {
		down[i] = [2]int32{number[p[0]], number[p[1]]}
		up[i] = [2]int32{number[p[1]], number[p[0]]}
	}
	g.up, g.down = listsOf(n, up), listsOf(n, down)
	for i := range int32(n) {
		g.Tree = g.Tree && len(g.up.of(i)) < 2
	}
	for p, it := range items {
		g.byID[it.ID], g.byIdentifier[it.Identifier], g.byURI[it.URI] = number[p], number[p], number[p]
	}
	for _, l := range links {
		switch {
		case l.fromItem >= 0 && l.toItem >= 0:
			e := Edge{Origin: number[l.fromItem], Destination: number[l.toItem]}
			if l.sequence != nil {
				e.Sequence = int32(*l.sequence)
			}
			g.edges[l.kind] = append(g.edges[l.kind], e)
		case l.fromItem >= 0 && !l.toDocument:
			g.abroad = append(g.abroad, Abroad{Node: number[l.fromItem], Type: l.kind, Outward: true, Identifier: l.destination, URI: l.destURI})
		case l.toItem >= 0:
			g.abroad = append(g.abroad, Abroad{Node: number[l.toItem], Type: l.kind, Identifier: l.origin, URI: l.originURI})
		}
	}
}
