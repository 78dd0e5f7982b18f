package mastery

import (
	"cmp"
	"slices"
	"sort"

	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
)

// Piece is one version of one award as evidence: what it says, from when to
// when it was what was on file, and whether it was withdrawn then.
type Piece struct {
	ID        assertion.ID
	Of        achievement.Pin
	On        Day     // achieved
	Recorded  Instant // first
	From      Instant // this version came on file
	Until     Instant // it was corrected or withdrawn; Ever while it is what is on file
	Withdrawn bool
	Hits      []Hit  // shared: not to be changed
	Grade     string // for sentences, as is Why
	Credits   *float64
	Open      bool   // by a result it is under way
	Failed    bool   // by a result it was failed, or withdrawn from
	Why       string // it was withdrawn
}

// counts reports whether the piece is evidence at a clock.
func (p *Piece) counts(at Clock) bool {
	return !p.Withdrawn && p.On <= at.AsOf && p.From <= at.KnownAt && at.KnownAt < p.Until
}

// Evaluator finds states, one learner after the other, at one clock. It is not
// for use by several at once; make one for each.
type Evaluator struct {
	m  *Model
	at Clock

	expired []Day // of each rule: evidence of this day or before it has lapsed
	focus   set   // vertices to look at; nil: all
	pieces  []Piece
	order   []int32 // places of the pieces that count, by day
	links   []link
	head    []int32 // of each item, its newest link
	touched []int32 // items with a link
	dirty   set
	cells   []State // of each vertex in changed
	changed set
	list    []int32 // vertices in changed
	marks   []contribution
	last    int
	numbers []float32
	days    []Day
	ends    []Day
	held    []State
}

// link is a hit in the list of its item.
type link struct {
	next  int32
	piece int32
	hit   Hit
}

// contribution is something that speaks for or against an item: a piece of
// evidence, or a holding that is carried from another item.
type contribution struct {
	on      Day
	value   float32
	weight  float32
	pass    Verdict
	current bool
	ends    Day   // when a holding lapses where it comes from; Never
	piece   int32 // -1 for a holding
	source  int32 // place among the item's sources; -1 for what reaches the item itself
}

// NewEvaluator is an Evaluator at a clock. With items it looks at those and at
// what they depend on; without any, at all.
func NewEvaluator(m *Model, at Clock, items ...int32) *Evaluator {
	e := &Evaluator{m: m, at: at, head: make([]int32, len(m.nodes)), dirty: newSet(len(m.vertices)), changed: newSet(len(m.vertices)),
		cells: make([]State, len(m.vertices)), expired: make([]Day, len(m.rules))}
	for i := range e.head {
		e.head[i] = -1
	}
	for i, r := range m.rules {
		e.expired[i] = lastExpired(at.AsOf, r.def.Months)
	}
	if len(items) > 0 {
		e.look(items)
	}
	return e
}

// lastExpired is the latest day whose evidence counts no more on a day: the
// evidence of a day counts until the same day so many months later.
func lastExpired(asOf Day, months int) Day {
	if months == 0 {
		return -Never
	}
	return Day(sort.Search(int(asOf)+1<<20, func(i int) bool { return addMonths(Day(i-1<<20), months) > asOf }) - 1 - 1<<20)
}

// look narrows to items and what they depend on.
func (e *Evaluator) look(items []int32) {
	e.focus = newSet(len(e.m.vertices))
	needs := e.m.needs()
	stack := make([]int32, 0, len(items))
	push := func(v int32) {
		if v >= 0 && !e.focus.has(v) {
			e.focus.add(v)
			stack = append(stack, v)
		}
	}
	for _, i := range items {
		push(e.m.nodes[i].final)
	}
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, d := range needs[v] {
			push(d)
		}
	}
}

// Run evaluates one learner's evidence. The order of the pieces does not
// matter; several versions of one award may be among them.
func (e *Evaluator) Run(pieces []Piece) {
	e.reset()
	e.pieces = pieces
	for i := range pieces {
		if pieces[i].counts(e.at) {
			e.order = append(e.order, int32(i))
		}
	}
	if !slices.IsSortedFunc(e.order, e.compare) {
		slices.SortFunc(e.order, e.compare)
	}
	for _, p := range e.order { // the newest comes to stand first in each list
		for _, h := range pieces[p].Hits {
			if e.head[h.Item] < 0 {
				e.touched = append(e.touched, h.Item)
				e.mark(h.Item)
			}
			e.links = append(e.links, link{e.head[h.Item], p, h})
			e.head[h.Item] = int32(len(e.links) - 1)
		}
	}
	for v := e.dirty.next(0); v >= 0; v = e.dirty.next(v + 1) {
		x := e.m.vertices[v]
		s := e.state(x)
		if same(s, e.m.blank[v]) {
			continue
		}
		e.cells[v] = s
		e.changed.add(v)
		e.list = append(e.list, v)
		for _, f := range e.m.feeds[v] {
			e.need(f)
		}
	}
}

func (e *Evaluator) compare(a, b int32) int {
	p, q := &e.pieces[a], &e.pieces[b]
	if p.On != q.On {
		return cmp.Compare(p.On, q.On)
	}
	if p.Recorded != q.Recorded {
		return cmp.Compare(p.Recorded, q.Recorded)
	}
	return cmp.Compare(p.ID, q.ID)
}

func (e *Evaluator) mark(item int32) {
	n := &e.m.nodes[item]
	e.need(n.final)
	if n.base >= 0 {
		e.need(n.base)
	}
	for _, v := range n.counted {
		e.need(v)
	}
}

func (e *Evaluator) need(v int32) {
	if e.focus == nil || e.focus.has(v) {
		e.dirty.add(v)
	}
}

func (e *Evaluator) reset() {
	for _, i := range e.touched {
		e.head[i] = -1
	}
	for _, v := range e.list {
		e.changed[v>>6] = 0
	}
	clear(e.dirty)
	e.order, e.links, e.touched, e.list = e.order[:0], e.links[:0], e.touched[:0], e.list[:0]
}

// evaluateBlank is the state of every vertex without any evidence.
func (m *Model) evaluateBlank() []State {
	m.blank = make([]State, len(m.vertices))
	for v := range m.blank {
		m.blank[v] = nothing
	}
	e := NewEvaluator(m, Clock{})
	for v, x := range m.vertices {
		m.blank[v] = e.state(x)
	}
	return m.blank
}

// State is the state of an item after Run.
func (e *Evaluator) State(item int32) State { return e.vertex(e.m.nodes[item].final) }

func (e *Evaluator) vertex(v int32) State {
	if e.changed.has(v) {
		return e.cells[v]
	}
	return e.m.blank[v]
}

// States are the states of all items after Run, for keeping.
func (e *Evaluator) States() States {
	s := States{m: e.m}
	for _, v := range e.list {
		if x := e.m.vertices[v]; !x.base {
			s.items = append(s.items, x.item)
		}
	}
	slices.Sort(s.items)
	s.states = make([]State, len(s.items))
	for i, item := range s.items {
		s.states[i] = e.State(item)
	}
	return s
}

// States are a learner's states, kept as those that evidence changed.
type States struct {
	m      *Model
	items  []int32
	states []State
}

// Of is the state of an item.
func (s States) Of(item int32) State {
	if i, ok := slices.BinarySearch(s.items, item); ok {
		return s.states[i]
	}
	return s.m.blank[s.m.nodes[item].final]
}

// Changed are the items that evidence bears on, in the order of the model.
func (s States) Changed() []int32 { return s.items }

// state is the state of a vertex from what it depends on.
func (e *Evaluator) state(x vertex) State {
	n := &e.m.nodes[x.item]
	r := &e.m.rules[n.rule]
	s := nothing
	if r.def.Method != NoEvidence {
		s = e.judge(n, r, e.contributions(n, x))
	}
	p, parts := nothing, len(n.parts) > 0
	if parts {
		p = e.parts(n, r)
	}
	if !x.base && r.counting() && (parts || r.def.Combine == Either) {
		for i := range n.sources {
			if q := e.carryParts(n, &n.sources[i]); better(q, p) {
				p, parts = q, true
			}
		}
	}
	switch {
	case r.def.Method == NoEvidence:
		s = p
	case parts:
		s = combine(r.def.Combine, s, p)
	}
	for _, b := range n.before {
		if e.vertex(e.m.nodes[b].final).Status == Met {
			continue
		}
		if r.def.Prerequisites == Require || s.Status == NotMet {
			s.Status = Blocked
		}
		break
	}
	return s
}

// contributions are what speaks for or against an item, the newest first.
func (e *Evaluator) contributions(n *node, x vertex) []contribution {
	e.marks = e.marks[:0]
	for l := e.head[x.item]; l >= 0; l = e.links[l].next {
		e.marks = append(e.marks, e.contribution(n, e.links[l]))
	}
	if x.base || len(n.sources) == 0 {
		return e.marks
	}
	own := len(e.marks)
	if e.m.rules[n.rule].counting() {
		e.carryPieces(n)
	} else {
		for i := range n.sources {
			e.carryHolding(n, int32(i))
		}
	}
	if len(e.marks) > own {
		slices.SortStableFunc(e.marks, func(a, b contribution) int { return cmp.Compare(b.on, a.on) })
	}
	return e.marks
}

// contribution is a piece that reaches the item of n.
func (e *Evaluator) contribution(n *node, k link) contribution {
	on := e.pieces[k.piece].On
	return contribution{on, k.hit.Value, k.hit.Weight, k.hit.Pass, on > e.expired[n.rule], Never, k.piece, -1}
}

// counting reports whether a rule counts pieces, so that the same piece counted
// twice would make a difference.
func (c *compiled) counting() bool { return c.def.Method == Times || c.def.Method.average() }

// carryHolding adds the holding of a source as one contribution.
func (e *Evaluator) carryHolding(n *node, place int32) {
	s := &n.sources[place]
	from := &e.m.nodes[s.item]
	held := e.vertex(from.base)
	if s.weak || held.Status < InProgress {
		return
	}
	c := contribution{on: held.On, value: from.onto(held.Value, n), weight: 1, pass: Passed, current: held.Status != Lapsed && held.On > e.expired[n.rule],
		ends: held.Until, piece: -1, source: place}
	if held.Status == InProgress {
		c.pass, c.ends = Short, Never
	}
	e.marks = append(e.marks, c)
}

// carryPieces adds, for a rule that counts, each piece that reaches a source
// and does not count yet.
func (e *Evaluator) carryPieces(n *node) {
	used := map[int32]bool{}
	for _, c := range e.marks {
		used[c.piece] = true
	}
	for i, s := range n.sources {
		if s.weak {
			continue
		}
		from := &e.m.nodes[s.item]
		for l := e.head[s.item]; l >= 0; l = e.links[l].next {
			if k := e.links[l]; !used[k.piece] {
				used[k.piece] = true
				c := e.contribution(n, k)
				c.value, c.weight, c.source = from.onto(c.value, n), 1, int32(i)
				e.marks = append(e.marks, c)
			}
		}
	}
}

// carryParts is the state that the parts of a source make, for an item whose
// rule counts pieces: the parts of the one are as good as those of the other.
func (e *Evaluator) carryParts(n *node, s *source) State {
	from := &e.m.nodes[s.item]
	if s.weak || len(from.parts) == 0 {
		return nothing
	}
	held := e.parts(from, &e.m.rules[from.rule])
	held.Value = from.onto(held.Value, n)
	return held
}

// onto is a value of one item on the scale of another.
func (n *node) onto(v float32, to *node) float32 {
	if n.ladder == to.ladder {
		return v
	}
	return n.ladder.onto(v, to.ladder)
}

// judge is the state that contributions make under a rule.
func (e *Evaluator) judge(n *node, r *compiled, all []contribution) State {
	all = uncancelled(r.def.Negative, all)
	now := all
	if slices.ContainsFunc(all, func(c contribution) bool { return !c.current }) {
		now = current(all)
	}
	s := e.weigh(n, r, now)
	if s.Status == Met {
		s.Until = r.end(now[e.last])
		return s
	}
	if len(now) == len(all) {
		return s
	}
	old := e.weigh(n, r, all)
	if old.Status == Met {
		old.Status, old.Until = Lapsed, r.end(all[e.last])
		return old
	}
	if better(old, s) {
		return old
	}
	return s
}

// end is the day on which a contribution stops to count.
func (c *compiled) end(x contribution) Day {
	if c.def.Months == 0 {
		return x.ends
	}
	return min(x.ends, addMonths(x.on, c.def.Months))
}

func current(all []contribution) []contribution {
	var out []contribution
	for _, c := range all {
		if c.current {
			out = append(out, c)
		}
	}
	return out
}

// uncancelled is what remains when negative evidence has done what the rule
// says it does.
func uncancelled(negative string, all []contribution) []contribution {
	at := slices.IndexFunc(all, func(c contribution) bool { return c.pass == Failed })
	if at < 0 || negative == Counts {
		return all
	}
	if negative == Cancels {
		return all[:at]
	}
	return slices.DeleteFunc(slices.Clone(all), func(c contribution) bool { return c.pass == Failed })
}

// reaches reports whether a contribution shows what the rule asks for.
func (n *node) reaches(c contribution) bool {
	if known(n.cut) && known(c.value) && c.pass != Failed {
		return c.value >= n.cut-slack
	}
	return c.pass == Passed
}

// worth is what a contribution counts in an average: without a level, the least
// that is met when it passed and nothing when not.
func (n *node) worth(c contribution) float32 {
	switch {
	case c.pass == Failed:
		return 0
	case known(c.value):
		return c.value
	case c.pass == Passed:
		return n.cut
	}
	return 0
}

// weigh is the state by the rule's method. When it is met, last is the place of
// the contribution with whose end it may lapse.
func (e *Evaluator) weigh(n *node, r *compiled, all []contribution) State {
	if len(all) == 0 {
		return nothing
	}
	method := r.def.Method
	if method.average() && !known(n.cut) {
		method = Highest // the item has no level of that name: the awards decide
	}
	switch method {
	case Latest:
		return e.latest(n, all)
	case Times:
		return e.times(n, r, all)
	case Decaying, RecentAverage, WeightedMean:
		return e.average(n, r, all)
	}
	return e.highest(n, r, all)
}

// begun is the state of what was shown and is not enough: the best level so far.
func begun(all []contribution) State {
	s := nothing
	for _, c := range all {
		if c.pass == Failed {
			continue
		}
		s.Status = InProgress
		if !known(s.Value) || c.value > s.Value {
			s.Value = c.value
		}
		s.On = max(s.On, c.on)
	}
	return s
}

func (e *Evaluator) highest(n *node, r *compiled, all []contribution) State {
	s := nothing
	for i, c := range all {
		if !n.reaches(c) {
			continue
		}
		if s.Status != Met || c.ends > all[e.last].ends && r.end(c) > r.end(all[e.last]) {
			s.Status, e.last = Met, i
		}
		s.On = c.on
		if !known(s.Value) || c.value > s.Value {
			s.Value = c.value
		}
	}
	if s.Status != Met {
		return begun(all)
	}
	return s
}

func (e *Evaluator) latest(n *node, all []contribution) State {
	c := all[0]
	s := State{Status: InProgress, Value: c.value, On: c.on, Until: Never}
	switch {
	case c.pass == Failed:
		return nothing
	case n.reaches(c):
		s.Status, e.last = Met, 0
		for _, o := range all { // it has been held since the first of those in a row
			if !n.reaches(o) {
				break
			}
			s.On = o.on
		}
	}
	return s
}

func (e *Evaluator) times(n *node, r *compiled, all []contribution) State {
	if r.def.Among > 0 {
		all = all[:min(len(all), r.def.Among)]
	}
	e.numbers, e.days = e.numbers[:0], e.days[:0]
	for i, c := range all {
		if !n.reaches(c) {
			continue
		}
		e.days, e.numbers = append(e.days, c.on), append(e.numbers, n.worth(c))
		if len(e.days) == r.def.Times {
			e.last = i
		}
	}
	k, t := len(e.days), r.def.Times
	if k < t {
		return begun(all)
	}
	return State{Status: Met, Value: nthHighest(e.numbers, t), On: e.days[k-t], Until: Never}
}

// nthHighest is the n-th highest of numbers, unknown when one of them is.
func nthHighest(all []float32, n int) float32 {
	for _, v := range all {
		if !known(v) {
			return none
		}
	}
	slices.Sort(all)
	return all[len(all)-n]
}

// average is the state by one of the averages.
func (e *Evaluator) average(n *node, r *compiled, all []contribution) State {
	s := State{Status: Met, Value: e.mean(n, r, all), On: all[0].on, Until: Never}
	e.last = 0
	if s.Value >= n.cut-slack {
		if r.def.Months > 0 { // it lapses when what is left by then is not enough, which may be sooner
			for k := len(all) - 1; k > 0; k-- {
				if all[k].on != all[k-1].on && e.mean(n, r, all[:k]) < n.cut-slack {
					e.last = k
					break
				}
			}
		}
		return s
	}
	if s.Status = begun(all).Status; s.Status == NotMet {
		return nothing
	}
	return s
}

// mean is the average of contributions, the newest of which stands first.
func (e *Evaluator) mean(n *node, r *compiled, all []contribution) float32 {
	w := r.def.Weight
	newest := float64(n.worth(all[0]))
	if r.def.Method == RecentAverage && len(all) > 1 {
		sum := 0.0
		for _, c := range all[1:] {
			sum += float64(n.worth(c))
		}
		return float32(w*newest + (1-w)*sum/float64(len(all)-1))
	}
	if r.def.Method == Decaying {
		v := float64(n.worth(all[len(all)-1]))
		for i := len(all) - 2; i >= 0; i-- {
			v = (1-w)*v + w*float64(n.worth(all[i]))
		}
		return float32(v)
	}
	if r.def.Method == RecentAverage {
		return float32(newest)
	}
	sum, weight := 0.0, 0.0
	for _, c := range all {
		x := float64(c.weight)
		sum, weight = sum+x*float64(n.worth(c)), weight+x
	}
	if weight == 0 {
		return 0
	}
	return float32(sum / weight)
}

// parts is the state that the parts of an item make under a rule.
func (e *Evaluator) parts(n *node, r *compiled) State {
	if r.def.Parts.Need == Mean && known(n.cut) {
		return e.meanOfParts(n)
	}
	need := r.need
	if need == needAll {
		need = len(n.parts)
	}
	s := nothing
	met := 0
	last := Day(0)
	e.held = e.held[:0]
	for _, p := range n.parts {
		held := e.vertex(p.at)
		if held.Status < InProgress {
			continue
		}
		s.Status, last = InProgress, max(last, held.On)
		if !p.counts(held) {
			continue
		}
		if held.Value = e.onto(n, p, held.Value); held.Status != Lapsed {
			met++
		}
		e.held = append(e.held, held)
	}
	if len(e.held) < need {
		s.On = last
		return s
	}
	s.Status = Met
	if met < need {
		s.Status = Lapsed
	}
	e.numbers, e.days = e.numbers[:0], e.days[:0]
	ends := e.ends[:0]
	for _, held := range e.held {
		if s.Status == Lapsed || held.Status != Lapsed {
			e.numbers, e.days, ends = append(e.numbers, held.Value), append(e.days, held.On), append(ends, held.Until)
		}
	}
	e.ends = ends
	s.Value = nthHighest(e.numbers, need)
	slices.Sort(e.days)
	slices.Sort(ends)
	s.On, s.Until = e.days[need-1], ends[len(ends)-need]
	return s
}

// counts reports whether a part's state counts for the whole, lapsed or not.
func (p part) counts(held State) bool {
	if known(p.cut) && known(held.Value) {
		return (held.Status > InProgress || held.Status == InProgress && p.begun) && held.Value >= p.cut-slack
	}
	return held.Status == Met || held.Status == Lapsed
}

// onto is the value of a part on the scale of the whole.
func (e *Evaluator) onto(n *node, p part, v float32) float32 {
	return e.m.nodes[p.item].onto(v, n)
}

// meanOfParts is the weighted mean of all parts; one that nothing speaks for
// counts as nothing, and so does, of what is current, one that has lapsed.
func (e *Evaluator) meanOfParts(n *node) State {
	s := nothing
	now, ever, weight := 0.0, 0.0, 0.0
	e.ends, e.numbers = e.ends[:0], e.numbers[:0]
	for _, p := range n.parts {
		weight += float64(p.weight)
		held := e.vertex(p.at)
		if held.Status < InProgress {
			continue
		}
		v := e.onto(n, p, held.Value)
		if !known(v) && held.Status != InProgress {
			v = n.cut
		}
		if !known(v) {
			v = 0
		}
		ever += float64(p.weight) * float64(v)
		s.Status, s.On = InProgress, max(s.On, held.On)
		if held.Status != Lapsed {
			now += float64(p.weight) * float64(v)
			e.ends, e.numbers = append(e.ends, held.Until), append(e.numbers, p.weight*v)
		}
	}
	if s.Status == NotMet || weight == 0 {
		return s
	}
	s.Value = float32(now / weight)
	if s.Value >= n.cut-slack {
		s.Status, s.Until = Met, e.enough(float64(n.cut-slack)*weight)
		return s
	}
	if v := float32(ever / weight); v >= n.cut-slack {
		s.Status, s.Value = Lapsed, v
	}
	return s
}

// enough is the day from which those numbers that have not ended add up to less
// than a sum.
func (e *Evaluator) enough(sum float64) Day {
	for from := Day(0); ; {
		next, left := Never, 0.0
		for i, end := range e.ends {
			if end > from {
				next, left = min(next, end), left+float64(e.numbers[i])
			}
		}
		if left < sum || next == Never {
			if left < sum {
				return from
			}
			return Never
		}
		from = next
	}
}

// combine is the state of an item from its own evidence and from its parts.
func combine(how string, own, parts State) State {
	if how == Either {
		s := own
		if better(parts, own) {
			s = parts
		}
		if own.Status == Met && parts.Status == Met {
			s.On, s.Until = min(own.On, parts.On), max(own.Until, parts.Until)
		}
		return s
	}
	s := own
	if better(own, parts) {
		s = parts
	}
	s.On, s.Until = max(own.On, parts.On), min(own.Until, parts.Until)
	if s.Status == NotMet && max(own.Status, parts.Status) > Blocked {
		s.Status = InProgress
	}
	return s
}
