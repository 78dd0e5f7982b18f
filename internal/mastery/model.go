package mastery

import (
	"cmp"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/framework"
)

// Graph is the competencies of an institution and how they hang together, at
// one version of each framework. Links that repeat or lead to themselves do no
// harm.
type Graph struct {
	Items    []Item
	Parts    []Link // From is a part of To: isChildOf, isPartOf
	Precedes []Link // From comes before To
	Same     []Link // who holds From holds To: exactMatchOf, replacedBy, crosswalks
}

// Item is one competency.
type Item struct {
	ID          framework.ItemID
	FrameworkID framework.ID
	Identifier  string // the CASE identifier
	URI         string
	Code        string // such as A.1, or empty
	Statement   string
	Type        string // CFItemType, or empty
	Retired     bool
	Levels      []Level // of its rubric, the lowest first
}

// Name is the statement with its code, as it stands within a sentence.
func (i Item) Name() string {
	name := strings.TrimRight(i.Statement, ". ")
	if i.Code == "" {
		return name
	}
	return i.Code + " " + name
}

// Link joins two items by their places in Items.
type Link struct {
	From, To int32
	Mapping  *Mapping // who says so, of a link that carries a holding
}

// Mapping is an association or crosswalk by which who holds one competency
// holds another.
type Mapping struct {
	ID       string
	Type     string  // exactMatchOf, replacedBy, or the type of a crosswalk
	Strength float64 // 1 unless said
	Approver string  // empty for what a framework's maker says
	On       day.Date
	Both     bool // it holds both ways
}

// Model is a graph with the rules that hold, ready to evaluate. It never changes
// and may be shared.
type Model struct {
	Graph  Graph
	Cycles []Cycle // what runs in a circle and so carries nothing, in order

	rules        []compiled
	nodes        []node
	vertices     []vertex // in an order in which nothing depends on what comes later
	feeds        []list   // of each vertex, the vertices that depend on it
	blank        []State  // of each vertex, without any evidence
	inCycle      map[int32]int
	byID         map[framework.ItemID]int32
	byIdentifier map[string]int32
	byURI        map[string]int32
	byLevel      map[string]rung // addresses and identifiers of rubric levels
}

// Cycle is a circle of competencies that are part of, come before or are the
// same as each other.
type Cycle struct {
	Items       []int32
	Identifiers []string // CASE identifiers, in order
}

// compiled is a rule with its defaults written out.
type compiled struct {
	Rule
	def  Definition
	need int // of parts; needAll, or how many
}

const needAll = -1

// node is what is known of an item beside the graph.
type node struct {
	rule    int32
	ladder  *ladder
	cut     float32 // the least value that is met; unknown: as the award requires
	level   bool    // the rule names a level
	ruled   bool    // the ladder is the rule's, not the rubric's
	parts   []part
	before  []int32 // prerequisites
	sources []source
	counted []int32 // vertices of items that count its pieces as their own
	final   int32   // vertices
	base    int32   // -1 where no holding is carried from or to it
}

type part struct {
	item   int32
	at     int32   // its vertex
	cut    float32 // on the part's own ladder; unknown: that it is met
	weight float32
	begun  bool // what it shows while in progress is a level of it
}

// source is another item whose holding counts as holding this one.
type source struct {
	item     int32
	by       []*Mapping // the way there, the first one at the source
	strength float64
	weak     bool // below what the rule asks for
}

// vertex is one thing to evaluate: the state of an item, or of an item whose
// holding is carried elsewhere, its state by its own means.
type vertex struct {
	item int32
	base bool
}

type list []int32

// rung is a level of a rubric of ours.
type rung struct {
	item  int32
	value float64
}

// maxWay is how many mappings a holding is carried over at most.
const maxWay = 8

// Compile makes a model. Rules that are about items of no graph do nothing.
func Compile(g Graph, rules []Rule) *Model {
	m := &Model{Graph: g, nodes: make([]node, len(g.Items)), byID: make(map[framework.ItemID]int32, len(g.Items)),
		byIdentifier: make(map[string]int32, len(g.Items)), byURI: make(map[string]int32, len(g.Items)), byLevel: map[string]rung{}, inCycle: map[int32]int{}}
	m.index()
	m.compileRules(rules)
	m.tie()
	m.ladders()
	m.carry()
	m.order()
	m.blank = m.evaluateBlank()
	return m
}

// index finds items by their names. Where two share one, the one that is not
// retired and stands first has it.
func (m *Model) index() {
	for _, retired := range []bool{false, true} {
		for i, it := range m.Graph.Items {
			if it.Retired != retired {
				continue
			}
			put(m.byID, it.ID, int32(i))
			put(m.byIdentifier, it.Identifier, int32(i))
			put(m.byURI, it.URI, int32(i))
			for _, l := range it.Levels {
				for _, name := range l.Same {
					put(m.byLevel, name, rung{int32(i), l.Value})
				}
			}
		}
	}
}

func put[K comparable, V any](m map[K]V, k K, v V) {
	if _, ok := m[k]; !ok {
		m[k] = v
	}
}

// Find is the place of an item.
func (m *Model) Find(item framework.ItemID) (int32, bool) { i, ok := m.byID[item]; return i, ok }

// Named is the place of an item by its address or CASE identifier.
func (m *Model) Named(name string) (int32, bool) {
	if i, ok := m.byURI[name]; ok {
		return i, true
	}
	i, ok := m.byIdentifier[name]
	return i, ok
}

// Rule is the rule that an item's state follows from. The built-in one has no
// id and version 0.
func (m *Model) Rule(item int32) Rule { return m.rules[m.nodes[item].rule].Rule }

// LevelOf is what a level's name, identifier, address or number counts for an
// item; ok is false when the item has no such level.
func (m *Model) LevelOf(item int32, name string) (float32, bool) {
	v := m.level(item, name)
	if !known(v) {
		v = m.nodes[item].ladder.value(name)
	}
	return v, known(v)
}

// level is what a level counts for an item, by name or by the address or
// identifier of a level of its rubric.
func (m *Model) level(item int32, name string) float32 {
	n := &m.nodes[item]
	if r, ok := m.byLevel[name]; ok && r.item == item && !n.ruled {
		return float32(r.value)
	}
	return n.ladder.named(name)
}

// LevelName is the name of the level that a value reaches; empty when the item
// has no levels or the value is below them.
func (m *Model) LevelName(item int32, v float32) string {
	l, _ := m.nodes[item].ladder.at(v)
	return l.Name
}

// Levels are the levels that an item's states are told in, the lowest first.
func (m *Model) Levels(item int32) []Level {
	if l := m.nodes[item].ladder; l != nil {
		return l.levels
	}
	return nil
}

// Reaches reports whether a state is met at a level or above; without a level,
// whether it is met.
func (m *Model) Reaches(item int32, s State, level string) bool {
	if level == "" {
		return s.Status == Met
	}
	v, ok := m.LevelOf(item, level)
	return s.Status == Met && (!ok || !known(s.Value) || s.Value >= v-slack)
}

// value is what a level's name or a number counts.
func (l *ladder) value(name string) float32 {
	if v := l.named(name); known(v) {
		return v
	}
	if v, err := strconv.ParseFloat(strings.TrimSpace(name), 32); err == nil && v == v {
		return float32(v)
	}
	return none
}

// compileRules finds the rule of each item: its own, the nearest branch's above,
// its framework's, the institution's, the built-in one.
func (m *Model) compileRules(rules []Rule) {
	m.rules = []compiled{compile(Rule{Name: "Built-in rule"})}
	general := map[framework.ID]int32{}
	own, branch := map[int32]int32{}, map[int32]int32{}
	for _, r := range rules {
		n := int32(len(m.rules))
		m.rules = append(m.rules, compile(r))
		switch {
		case r.ItemID != nil:
			i, ok := m.byID[*r.ItemID]
			if !ok {
				continue
			}
			own[i] = n
			if r.Branch {
				branch[i] = n
			}
		case r.FrameworkID != nil:
			general[*r.FrameworkID] = n
		default:
			general[""] = n
		}
	}
	for i, it := range m.Graph.Items {
		m.nodes[i].rule = general[""]
		if n, ok := general[it.FrameworkID]; ok {
			m.nodes[i].rule = n
		}
	}
	m.branches(branch)
	for i, n := range own {
		m.nodes[i].rule = n
	}
}

// branches lets rules run down from where they stand, level by level, so that
// the nearest one wins; of two that are as near, the first.
func (m *Model) branches(at map[int32]int32) {
	if len(at) == 0 {
		return
	}
	down := lists(len(m.Graph.Items), m.Graph.Parts, func(l Link) (int32, int32) { return l.To, l.From })
	taken := make([]bool, len(m.Graph.Items))
	var level []int32
	for i := range at {
		taken[i] = true
		level = append(level, i)
	}
	slices.SortFunc(level, func(a, b int32) int { return cmp.Compare(at[a], at[b]) })
	for _, i := range level {
		m.nodes[i].rule = at[i]
	}
	for len(level) > 0 {
		var next []int32
		for _, i := range level {
			for _, c := range down[i] {
				if !taken[c] {
					taken[c], m.nodes[c].rule = true, m.nodes[i].rule
					next = append(next, c)
				}
			}
		}
		level = next
	}
}

func compile(r Rule) compiled {
	c := compiled{Rule: r, def: r.Definition.Complete()}
	switch c.def.Parts.Need {
	case All, Mean:
		c.need = needAll
	case Any:
		c.need = 1
	case Nothing:
	default:
		c.need, _ = strconv.Atoi(c.def.Parts.Need)
	}
	return c
}

// lists gathers the second of each pair by the first, each once and in order.
func lists(n int, links []Link, pair func(Link) (int32, int32)) []list {
	all := make([]list, n)
	for _, l := range links {
		a, b := pair(l)
		if a != b && !slices.Contains(all[a], b) {
			all[a] = append(all[a], b)
		}
	}
	return all
}

// tie writes the parts and prerequisites of each item. What is retired is no
// part of anything and no prerequisite.
func (m *Model) tie() {
	active := func(links []Link) []Link {
		return slices.DeleteFunc(slices.Clone(links), func(l Link) bool { return m.Graph.Items[l.From].Retired })
	}
	up := func(l Link) (int32, int32) { return l.To, l.From }
	parts := lists(len(m.nodes), active(m.Graph.Parts), up)
	before := lists(len(m.nodes), active(m.Graph.Precedes), up)
	for i := range m.nodes {
		n := &m.nodes[i]
		if m.rules[n.rule].need != 0 {
			for _, p := range parts[i] {
				n.parts = append(n.parts, part{item: p, weight: 1})
			}
		}
		if m.rules[n.rule].def.Prerequisites != Ignore {
			n.before = before[i]
		}
	}
}

// ladders finds the scale of each item and what its rule's levels count on it.
func (m *Model) ladders() {
	ruled := make([]*ladder, len(m.rules))
	for i, r := range m.rules {
		if r.def.Scale != nil {
			ruled[i] = newLadder(r.def.Scale.Levels)
		}
	}
	shared := map[string]*ladder{}
	for i := range m.nodes {
		n := &m.nodes[i]
		n.ladder = ruled[n.rule]
		if n.ruled = n.ladder != nil; !n.ruled {
			n.ladder = rubric(shared, m.Graph.Items[i].Levels)
		}
		level := m.rules[n.rule].def.Level
		n.level = level != ""
		n.cut, _ = m.LevelOf(int32(i), level)
	}
	for i := range m.nodes {
		p := m.rules[m.nodes[i].rule].def.Parts
		for j := range m.nodes[i].parts {
			q := &m.nodes[i].parts[j]
			q.cut, _ = m.LevelOf(q.item, p.Level)
			q.begun = m.rules[m.nodes[q.item].rule].def.Method != Times
			it := m.Graph.Items[q.item]
			for _, name := range []string{string(it.ID), it.Identifier, it.Code} {
				if w, ok := p.Weights[name]; ok && name != "" {
					q.weight = float32(w)
					break
				}
			}
		}
	}
}

// rubric is the ladder of a rubric's levels. Items whose levels have the same
// names and values share one; the addresses of levels are in byLevel.
func rubric(shared map[string]*ladder, levels []Level) *ladder {
	if len(levels) == 0 {
		return nil
	}
	var key strings.Builder
	plain := make([]Level, len(levels))
	for i, l := range levels {
		plain[i] = Level{Name: l.Name, Value: l.Value}
		key.WriteString(l.Name + "\x00" + strconv.FormatFloat(l.Value, 'g', -1, 64) + "\x00")
	}
	if shared[key.String()] == nil {
		shared[key.String()] = newLadder(plain)
	}
	return shared[key.String()]
}

// carry finds, for each item, the others whose holding counts as holding it: by
// the shortest way, over maxWay mappings at most.
func (m *Model) carry() {
	into := map[int32][]Link{}
	for _, l := range m.Graph.Same {
		if l.From != l.To && l.Mapping != nil {
			into[l.To] = append(into[l.To], l)
		}
	}
	for to := range into {
		least := m.rules[m.nodes[to].rule].def.Strength
		seen := map[int32]bool{to: true}
		level := []source{{item: to, strength: 1}}
		for range maxWay {
			var next []source
			for _, s := range level {
				for _, l := range into[s.item] {
					if seen[l.From] {
						continue
					}
					seen[l.From] = true
					strength := min(s.strength, l.Mapping.Strength)
					next = append(next, source{l.From, append([]*Mapping{l.Mapping}, s.by...), strength, strength < least})
				}
			}
			m.nodes[to].sources = append(m.nodes[to].sources, next...)
			level = next
		}
		slices.SortFunc(m.nodes[to].sources, func(a, b source) int { return cmp.Compare(a.item, b.item) })
	}
}

// counted tells each item of those that count its pieces.
func (m *Model) counted() {
	for i := range m.nodes {
		for _, s := range m.nodes[i].sources {
			if !s.weak && m.rules[m.nodes[i].rule].counting() {
				m.nodes[s.item].counted = append(m.nodes[s.item].counted, m.nodes[i].final)
			}
		}
	}
}

// order numbers the vertices so that each comes after what it depends on, and
// leaves out what would run in a circle.
func (m *Model) order() {
	m.vertices = make([]vertex, 0, len(m.nodes))
	for i := range m.nodes {
		m.nodes[i].final, m.nodes[i].base = int32(i), -1
		m.vertices = append(m.vertices, vertex{item: int32(i)})
	}
	for i := range m.nodes {
		for _, s := range m.nodes[i].sources {
			for _, x := range []int32{int32(i), s.item} {
				if m.nodes[x].base < 0 {
					m.nodes[x].base = int32(len(m.vertices))
					m.vertices = append(m.vertices, vertex{item: x, base: true})
				}
			}
		}
	}
	needs := m.needs()
	group, order := components(needs)
	m.cut(group, needs)
	place := make([]int32, len(order))
	sorted := make([]vertex, len(order))
	for n, v := range order {
		place[v], sorted[n] = int32(n), m.vertices[v]
	}
	m.vertices = sorted
	for i := range m.nodes {
		n := &m.nodes[i]
		n.final = place[n.final]
		if n.base >= 0 {
			n.base = place[n.base]
		}
	}
	for i := range m.nodes {
		for j := range m.nodes[i].parts {
			m.nodes[i].parts[j].at = m.nodes[m.nodes[i].parts[j].item].final
		}
	}
	m.counted()
	m.feeds = make([]list, len(order))
	for v, all := range m.needs() {
		for _, d := range all {
			m.feeds[d] = append(m.feeds[d], int32(v))
		}
	}
}

// needs are, of each vertex, the vertices that it depends on.
func (m *Model) needs() []list {
	needs := make([]list, len(m.vertices))
	for v, x := range m.vertices {
		n := &m.nodes[x.item]
		for _, p := range n.parts {
			needs[v] = append(needs[v], m.nodes[p.item].final)
		}
		for _, b := range n.before {
			needs[v] = append(needs[v], m.nodes[b].final)
		}
		if x.base {
			continue
		}
		for _, s := range n.sources {
			if s.weak {
				continue
			}
			needs[v] = append(needs[v], m.nodes[s.item].base)
			if m.rules[n.rule].counting() {
				for _, p := range m.nodes[s.item].parts {
					needs[v] = append(needs[v], m.nodes[p.item].final)
				}
			}
		}
	}
	return needs
}

// cut leaves out every link inside a circle, and tells of the circle.
func (m *Model) cut(group []int32, needs []list) {
	size := map[int32]int{}
	for _, g := range group {
		size[g]++
	}
	inside := map[int32]bool{}
	for v, all := range needs {
		for _, d := range all {
			if group[d] == group[v] {
				inside[group[v]] = true
			}
		}
	}
	if len(inside) == 0 {
		return
	}
	members := map[int32]map[int32]bool{}
	for v, g := range group {
		if inside[g] {
			if members[g] == nil {
				members[g] = map[int32]bool{}
			}
			members[g][m.vertices[v].item] = true
		}
	}
	for _, set := range members {
		var c Cycle
		for i := range set {
			c.Items = append(c.Items, i)
			c.Identifiers = append(c.Identifiers, m.Graph.Items[i].Identifier)
		}
		slices.Sort(c.Items)
		slices.Sort(c.Identifiers)
		m.Cycles = append(m.Cycles, c)
	}
	slices.SortFunc(m.Cycles, func(a, b Cycle) int { return slices.Compare(a.Identifiers, b.Identifiers) })
	for n, c := range m.Cycles {
		for _, i := range c.Items {
			put(m.inCycle, i, n)
		}
	}
	for i := range m.nodes {
		n := &m.nodes[i]
		at := func(v int32) bool { return group[v] == group[n.final] || n.base >= 0 && group[v] == group[n.base] }
		n.parts = slices.DeleteFunc(n.parts, func(p part) bool { return at(m.nodes[p.item].final) })
		n.before = slices.DeleteFunc(slices.Clone(n.before), func(b int32) bool { return at(m.nodes[b].final) })
		n.sources = slices.DeleteFunc(n.sources, func(s source) bool { return at(m.nodes[s.item].base) })
	}
}

// components puts each vertex into the group of all that depend on each other
// (Tarjan 1972, with a stack of its own), and gives the vertices in an order in
// which each comes after what it depends on, groups aside.
func components(needs []list) (group, order []int32) {
	n := len(needs)
	group, order = make([]int32, n), make([]int32, 0, n)
	low, index := make([]int32, n), make([]int32, n)
	on := make([]bool, n)
	type frame struct{ v, i int32 }
	var open []int32
	var stack []frame
	clock := int32(0)
	enter := func(v int32) {
		clock++
		index[v], low[v], on[v] = clock, clock, true
		open, stack = append(open, v), append(stack, frame{v, 0})
	}
	for root := range int32(n) {
		if index[root] != 0 {
			continue
		}
		enter(root)
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			v := top.v
			if int(top.i) < len(needs[v]) {
				w := needs[v][top.i]
				top.i++
				if index[w] == 0 {
					enter(w)
				} else if on[w] {
					low[v] = min(low[v], index[w])
				}
				continue
			}
			if stack = stack[:len(stack)-1]; len(stack) > 0 {
				above := stack[len(stack)-1].v
				low[above] = min(low[above], low[v])
			}
			if low[v] != index[v] {
				continue
			}
			for closed := false; !closed; {
				w := open[len(open)-1]
				open = open[:len(open)-1]
				on[w], group[w] = false, v
				order = append(order, w)
				closed = w == v
			}
		}
	}
	return group, order
}

// set is a set of small numbers.
type set []uint64

func newSet(n int) set { return make(set, (n+63)/64) }

func (s set) add(i int32)      { s[i>>6] |= 1 << (i & 63) }
func (s set) has(i int32) bool { return s[i>>6]&(1<<(i&63)) != 0 }

// next is the first member from i on, or -1.
func (s set) next(i int32) int32 {
	if int(i>>6) >= len(s) {
		return -1
	}
	w := s[i>>6] >> (i & 63)
	if w != 0 {
		return i + int32(bits.TrailingZeros64(w))
	}
	for n := int(i>>6) + 1; n < len(s); n++ {
		if s[n] != 0 {
			return int32(n<<6 + bits.TrailingZeros64(s[n]))
		}
	}
	return -1
}
