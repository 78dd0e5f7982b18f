package framework

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// drawn is a graph from a picture: items in order, and child>parent pairs.
func drawn(items, pairs string) *Graph {
	var all []Node
	for name := range strings.FieldsSeq(items) {
		retired := strings.HasSuffix(name, "!")
		name = strings.TrimSuffix(name, "!")
		all = append(all, Node{ID: ItemID("itm_" + name), Identifier: name, URI: "u:" + name, Retired: retired})
	}
	var links []graphLink
	for i, p := range strings.Fields(pairs) {
		l := graphLink{kind: "isChildOf", position: i}
		if before, after, ok := strings.Cut(p, "#"); ok {
			p = before
			var n int
			fmt.Sscan(after, &n)
			l.sequence = &n
		}
		for typ, sign := range map[string]string{"isChildOf": ">", "precedes": "<", "exactMatchOf": "="} {
			if from, to, ok := strings.Cut(p, sign); ok {
				l.kind, l.origin, l.destination, l.originURI, l.destURI = typ, from, to, "u:"+from, "u:"+to
			}
		}
		links = append(links, l)
	}
	return newGraph(Framework{ID: "fwk_1", Identifier: "doc", Version: 3}, all, links)
}

// picture writes the hierarchy as nested lists, each item at each of its places.
func (g *Graph) picture() string {
	var b strings.Builder
	var walk func(i int32)
	walk = func(i int32) {
		b.WriteString(g.Nodes[i].Identifier)
		if c := g.Children(i); len(c) > 0 {
			b.WriteString("(")
			for k, to := range c {
				if k > 0 {
					b.WriteString(" ")
				}
				walk(to)
			}
			b.WriteString(")")
		}
	}
	for i := range int32(len(g.Nodes)) {
		if len(g.Parents(i)) == 0 {
			b.WriteString(" ")
			walk(i)
		}
	}
	return strings.TrimSpace(b.String())
}

func TestGraphs(t *testing.T) {
	for _, c := range []struct {
		name, items, pairs string
		picture            string
		order              string // by number
		cycles, orphans    string
		tree               bool
	}{
		{"nothing", "", "", "", "", "[]", "[]", true},
		{"the package's order", "a b c d", "c>a b>a d>b a>doc", "a(c b(d))", "a c b d", "[]", "[]", true},
		{"sequence before place", "a b c d", "b>a#2 c>a#1 d>a a>doc", "a(c b d)", "a c b d", "[]", "[]", true},
		{"roots by their sequence in the document", "a b c", "a>doc#2 b>doc#1", "b a c", "b a c", "[]", "[]", true},
		{"two parents", "a b c", "c>a c>b a>doc b>doc", "a(c) b(c)", "a c b", "[]", "[]", false},
		{"the same said twice", "a b", "b>a b>a", "a(b)", "a b", "[]", "[]", true},
		{"a circle of two, and what hangs on it", "a b c", "a>b b>a c>b", "a b(c)", "a b c", "[[a b]]", "[]", true},
		{"an item below itself", "a b", "a>a b>a", "a(b)", "a b", "[[a]]", "[]", true},
		{"two circles", "a b c d e", "a>b b>c c>a d>e e>d", "a b c d e", "a b c d e", "[[a b c] [d e]]", "[]", true},
		{"a circle below a parent", "a b c", "b>a b>c c>b", "a(b) c", "a b c", "[[b c]]", "[]", true},
		{"a parent that is elsewhere", "a b", "a>far b>a", "a(b)", "a b", "[]", "[a]", true},
		{"retired ones come last", "x! a b", "b>a a>doc", "a(b) x", "a b x", "[]", "[]", true},
	} {
		g := drawn(c.items, c.pairs)
		var order []string
		for _, n := range g.Nodes {
			order = append(order, n.Identifier)
		}
		if g.picture() != c.picture || strings.Join(order, " ") != c.order || fmt.Sprint(g.Cycles) != c.cycles || fmt.Sprint(g.Orphans) != c.orphans || g.Tree != c.tree {
			t.Errorf("%s: %s, order %v, cycles %v, orphans %v, tree %v", c.name, g.picture(), order, g.Cycles, g.Orphans, g.Tree)
		}
	}
}

func TestAssociationsOfAGraph(t *testing.T) {
	g := drawn("a b c", "b>a a<b c=far near=c b>doc")
	a, _ := g.Find("itm_a")
	b, _ := g.ByURI("u:b")
	if e := g.Edges("precedes"); len(e) != 1 || e[0] != (Edge{Origin: a, Destination: b}) {
		t.Error(e)
	}
	c, _ := g.ByIdentifier("c")
	want := []Abroad{{c, "exactMatchOf", true, "far", "u:far"}, {c, "exactMatchOf", false, "near", "u:near"}}
	if !slices.Equal(g.Abroad(), want) {
		t.Errorf("%+v", g.Abroad())
	}
	if _, ok := g.ByIdentifier("doc"); ok {
		t.Error("the document is an item")
	}
}

// TestRandomGraphsAreInOrder draws graphs with many circles and holds them to
// what the type promises.
func TestRandomGraphsAreInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 11))
	for range 400 {
		n := 1 + r.IntN(12)
		var items, pairs []string
		for i := range n {
			items = append(items, fmt.Sprint("i", i))
		}
		for range r.IntN(2 * n) {
			pairs = append(pairs, fmt.Sprintf("i%d>i%d", r.IntN(n), r.IntN(n)))
		}
		g := drawn(strings.Join(items, " "), strings.Join(pairs, " "))
		inCircle := func(a, b string) bool {
			return slices.ContainsFunc(g.Cycles, func(c []string) bool { return slices.Contains(c, a) && slices.Contains(c, b) })
		}
		kept := map[string]bool{}
		done := make([]bool, n)
		for _, i := range g.BottomUp {
			for _, c := range g.Children(i) {
				if !done[c] {
					t.Fatalf("%v: %d before its child %d", pairs, i, c)
				}
				if !slices.Contains(g.Parents(c), i) {
					t.Fatalf("%v: %d does not know its parent %d", pairs, c, i)
				}
				kept[g.Nodes[c].Identifier+">"+g.Nodes[i].Identifier] = true
				if g.Tree && (c <= i || c > g.Nodes[i].Last) {
					t.Fatalf("%v: %d is not between %d and %d", pairs, c, i, g.Nodes[i].Last)
				}
			}
			done[i] = true
		}
		for _, p := range pairs {
			child, parent, _ := strings.Cut(p, ">")
			if kept[p] == inCircle(child, parent) {
				t.Fatalf("%v: %s is kept: %v, in a circle: %v", pairs, p, kept[p], inCircle(child, parent))
			}
		}
		if slices.Contains(done, false) || len(g.Nodes) != n {
			t.Fatalf("%v: items are missing", pairs)
		}
		for _, c := range g.Cycles { // every member reaches every other
			for _, a := range c {
				for _, b := range c {
					if !reaches(pairs, a, b) {
						t.Fatalf("%v: %s does not reach %s", pairs, a, b)
					}
				}
			}
		}
	}
}

func reaches(pairs []string, from, to string) bool {
	seen, open := map[string]bool{}, []string{from}
	for len(open) > 0 {
		at := open[0]
		open = open[1:]
		for _, p := range pairs {
			child, parent, _ := strings.Cut(p, ">")
			if child != at || seen[parent] {
				continue
			}
			if parent == to {
				return true
			}
			seen[parent] = true
			open = append(open, parent)
		}
	}
	return false
}

func TestADeepHierarchyIsNoTrouble(t *testing.T) {
	const n = 200_000
	items, links := make([]Node, n), make([]graphLink, 0, 2*n)
	name := func(i int) string { return fmt.Sprint(i) }
	for i := range items {
		items[i] = Node{ID: ItemID(name(i)), Identifier: name(i)}
		links = append(links, graphLink{kind: "isChildOf", origin: name(i), destination: name(i - 1), position: i})
	}
	g := newGraph(Framework{Identifier: "doc"}, items, links)
	if g.Nodes[0].Last != n-1 || g.BottomUp[0] != n-1 || !g.Tree {
		t.Error(g.Nodes[0], g.BottomUp[0])
	}
	links[0].destination = name(n - 1) // all of it one circle
	if g = newGraph(Framework{Identifier: "doc"}, items, links); len(g.Cycles) != 1 || len(g.Cycles[0]) != n {
		t.Error(len(g.Cycles))
	}
}

func TestAShelfMakesRoom(t *testing.T) {
	var s shelf[int]
	s.keep("a", 1, maxKept/2)
	s.keep("b", 2, maxKept/2)
	s.find("a")
	s.keep("c", 3, 10)
	if _, ok := s.find("b"); ok || s.cost != maxKept/2+10 {
		t.Errorf("the least lately used stays; cost %d", s.cost)
	}
	if v, ok := s.find("a"); !ok || v != 1 {
		t.Error("what was used is gone")
	}
}
