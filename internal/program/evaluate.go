package program

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
)

// Status is how far a learner is with a requirement.
type Status int8

// The states, the nearest to met last.
const (
	Missing    Status = iota // nothing speaks for it
	Blocked                  // something has to be met before
	InProgress               // something speaks for it, not enough
	Met
)

// String is the status as it is written in files.
func (s Status) String() string {
	return [...]string{"missing", "blocked", "in_progress", "met"}[s]
}

// States are one learner's states of competencies.
type States interface {
	State(item int32) mastery.State
}

// node is a requirement, ready to evaluate. Nodes stand depth first, so that the
// part of the tree below one is the range up to end.
type node struct {
	*Requirement
	above int32 // -1 at the root
	end   int32
	depth int
	item  int32 // in the basis; -1 when it is no competency there
	after []int32
}

// Plan is a version of a program, ready to evaluate learners by.
type Plan struct {
	Definition Definition
	basis      *mastery.Basis
	nodes      []node
	keys       map[string]int32
	courses    map[course.ID][]int32
	badges     map[achievement.ID][]int32
	items      []int32
	scale      scale
	general    []*Equivalency
	own        map[learner.ID][]*Equivalency
	given      map[*Equivalency]int32 // the competency that is given
}

// NewPlan prepares a whole definition. Equivalencies are those that hold on the
// day; basis is nil where there are no competencies.
func NewPlan(d Definition, basis *mastery.Basis, equivalencies []Equivalency) *Plan {
	p := &Plan{Definition: d, basis: basis, keys: map[string]int32{}, courses: map[course.ID][]int32{}, badges: map[achievement.ID][]int32{},
		scale: d.scale(), own: map[learner.ID][]*Equivalency{}, given: map[*Equivalency]int32{}}
	p.add(&p.Definition.Requirement, -1, 0)
	for i := range p.nodes {
		for _, key := range p.nodes[i].After {
			p.nodes[i].after = append(p.nodes[i].after, p.keys[key])
		}
	}
	ordered := slices.Clone(equivalencies)
	slices.SortFunc(ordered, func(a, b Equivalency) int { return cmp.Compare(a.ID, b.ID) })
	for i := range ordered {
		e := &ordered[i]
		if e.Given.CompetencyID != "" {
			item, ok := p.find(string(e.Given.CompetencyID))
			if !ok {
				continue
			}
			p.given[e] = item
			p.items = append(p.items, item)
		}
		if e.LearnerID == nil {
			p.general = append(p.general, e)
			continue
		}
		p.own[*e.LearnerID] = append(p.own[*e.LearnerID], e)
	}
	slices.Sort(p.items)
	p.items = slices.Compact(p.items)
	return p
}

func (p *Plan) find(item string) (int32, bool) {
	if p.basis == nil {
		return -1, false
	}
	return p.basis.Find(framework.ItemID(item))
}

func (p *Plan) add(r *Requirement, above int32, depth int) {
	at := int32(len(p.nodes))
	p.keys[r.Key] = at
	n := node{Requirement: r, above: above, depth: depth, item: -1}
	switch r.Kind {
	case Competency:
		if i, ok := p.find(string(r.CompetencyID)); ok {
			n.item = i
			p.items = append(p.items, i)
		}
	case Course:
		p.courses[r.CourseID] = append(p.courses[r.CourseID], at)
	case Achievement:
		p.badges[r.AchievementID] = append(p.badges[r.AchievementID], at)
	}
	p.nodes = append(p.nodes, n)
	for i := range r.Parts {
		p.add(&r.Parts[i], at, depth+1)
	}
	p.nodes[at].end = int32(len(p.nodes))
}

// Items are the competencies that the plan asks about.
func (p *Plan) Items() []int32 { return p.items }

// line is something that brings credits, once.
type line struct {
	key      string
	credits  float64
	hours    float64
	resident bool
	from     int32 // the award that brings it, or -1 minus the node of a competency
}

// result is what was found of a node.
type result struct {
	status  Status
	held    bool // something has to be met before, of it or of a group above
	share   float64
	credits float64
	hours   float64
	line    int32 // of a leaf: what it brings; -1
	award   int32 // of a leaf: what meets it, or comes nearest; -1
	by      *Equivalency
}

// Evaluator evaluates one learner after the other. It is not for use by several
// at once.
type Evaluator struct {
	p       *Plan
	states  States
	awards  []Earned
	results []result
	lines   []line
	place   map[string]int32
	marks   []int32
	mark    int32
	rank    []float64
}

// NewEvaluator is an evaluator of a plan.
func NewEvaluator(p *Plan) *Evaluator {
	return &Evaluator{p: p, results: make([]result, len(p.nodes)), place: map[string]int32{}}
}

// Run evaluates a learner's awards and states. The order of the awards does not
// matter. states is nil for a learner of whom no competency is known.
func (e *Evaluator) Run(who learner.ID, awards []Earned, states States) {
	e.states, e.lines = states, e.lines[:0]
	e.awards = append(e.awards[:0], awards...)
	clear(e.place)
	for i := range e.results {
		e.results[i] = result{line: -1, award: -1}
	}
	units := e.equivalents(who)
	for i := range e.awards {
		e.count(int32(i))
	}
	for i := range e.p.nodes {
		if n := &e.p.nodes[i]; n.Kind == Competency {
			e.competency(int32(i), n, units)
		}
	}
	e.up()
	e.down()
}

// equivalents adds what stands in the place of something else. It gives the
// courses that competency units are worth, by competency, so that a unit and its
// course bring their credits once. Equivalents of equivalents are not looked for.
func (e *Evaluator) equivalents(who learner.ID) map[int32]string {
	var units map[int32]string
	have := len(e.awards)
	for _, list := range [][]*Equivalency{e.p.general, e.p.own[who]} {
		for _, q := range list {
			on, planned, ok := e.given(q, have)
			if !ok {
				continue
			}
			a := Earned{AchievementID: q.Instead.AchievementID, CourseID: q.Instead.CourseID, Grade: q.Instead.Grade, Credits: q.Instead.Credits, On: on, Planned: planned, By: q}
			if q.Instead.CompetencyID == "" {
				if item, ok := e.p.given[q]; ok {
					if units == nil {
						units = map[int32]string{}
					}
					units[item] = a.key()
				}
			}
			e.awards = append(e.awards, a)
		}
	}
	return units
}

// given reports whether what an equivalency asks for is there, since when, and
// whether that is only planned.
func (e *Evaluator) given(q *Equivalency, have int) (on day.Date, planned, ok bool) {
	switch g := q.Given; {
	case g.CompetencyID != "":
		item, ok := e.p.given[q]
		if !ok || e.states == nil {
			return on, false, false
		}
		s := e.states.State(item)
		return s.On.Date(), false, e.p.basis.Reaches(item, s, g.Level)
	case g.CourseID != "" || g.AchievementID != "":
		var first *Earned
		for i := range e.awards[:have] {
			a := &e.awards[i]
			if (g.CourseID != "" && a.CourseID == g.CourseID || g.AchievementID != "" && a.AchievementID == g.AchievementID) && e.p.scale.reached(a, g.Grade) &&
				(first == nil || earlier(a, first)) {
				first = a
			}
		}
		if first == nil {
			return on, false, false
		}
		return first.On, first.Planned, true
	}
	return q.EffectiveOn, false, true
}

// key is what an award counts as once: its course, or its achievement.
func (e *Earned) key() string {
	switch {
	case e.CourseID != "":
		return string(e.CourseID)
	case e.AchievementID != "":
		return string(e.AchievementID)
	}
	return string(e.By.Instead.CompetencyID)
}

// count enters an award: its credits, and the leaves that it meets or comes near.
func (e *Evaluator) count(i int32) {
	a := &e.awards[i]
	if a.CourseID == "" && a.AchievementID == "" {
		return
	}
	at := int32(-1)
	if e.p.scale.reached(a, "") {
		at = e.bring(line{a.key(), a.Credits, e.hours(a), a.resident(), i})
	}
	if a.CourseID != "" {
		for _, n := range e.p.courses[a.CourseID] {
			e.leaf(n, i, at)
		}
	}
	if a.AchievementID != "" {
		for _, n := range e.p.badges[a.AchievementID] {
			e.leaf(n, i, at)
		}
	}
}

func (e *Evaluator) hours(a *Earned) float64 {
	if a.By != nil && a.By.Instead.ClockHours > 0 {
		return a.By.Instead.ClockHours
	}
	return a.Credits * e.p.Definition.HoursPerCredit
}

// bring enters credits; of what is the same the most counts.
func (e *Evaluator) bring(l line) int32 {
	at, ok := e.place[l.key]
	if !ok {
		at = int32(len(e.lines))
		e.place[l.key], e.lines = at, append(e.lines, l)
		return at
	}
	if old := &e.lines[at]; l.credits > old.credits || l.credits == old.credits && l.resident && !old.resident {
		*old = l
	}
	return at
}

func (e *Evaluator) leaf(n, award, at int32) {
	r := &e.results[n]
	a := &e.awards[award]
	met := at >= 0 && (a.Planned && a.Grade == "" || e.p.scale.reached(a, e.p.nodes[n].Grade))
	if r.award >= 0 {
		old, now := &e.awards[r.award], &e.awards[award]
		if r.status == Met && !met || (r.status == Met) == met && !earlier(now, old) {
			return
		}
	}
	r.award, r.status = award, InProgress
	if met {
		r.status, r.line, r.by = Met, at, a.By
	}
}

// earlier is an order of awards that does not depend on how they come: what was
// earned before what stands in its place, and that before what is planned.
func earlier(a, b *Earned) bool {
	if a.Planned != b.Planned {
		return b.Planned
	}
	if (a.By == nil) != (b.By == nil) {
		return a.By == nil
	}
	if a.On != b.On {
		return a.On.Before(b.On)
	}
	if a.ID != b.ID {
		return a.ID < b.ID
	}
	return a.By != nil && b.By != nil && a.By.ID < b.By.ID
}

// competency finds the state of a leaf that names a competency.
func (e *Evaluator) competency(i int32, n *node, units map[int32]string) {
	r := &e.results[i]
	for k := range e.awards {
		a := &e.awards[k]
		if a.By != nil && a.By.Instead.CompetencyID != "" && a.By.Instead.CompetencyID == n.CompetencyID {
			if r.award < 0 || earlier(a, &e.awards[r.award]) {
				r.award = int32(k)
			}
		}
	}
	credits, resident, key := n.Requirement.Credits, true, string(n.CompetencyID)
	if n.item >= 0 && e.states != nil {
		s := e.states.State(n.item)
		switch {
		case e.p.basis.Reaches(n.item, s, n.Level):
			r.status = Met
		case s.Status == mastery.Blocked:
			r.status = Blocked
		case s.Status != mastery.NotMet:
			r.status = InProgress
		}
	}
	if r.status == Met {
		r.award = -1
		if k, ok := units[n.item]; ok {
			key = k
		}
	} else if r.award >= 0 {
		r.status, r.by = Met, e.awards[r.award].By
		resident = r.by.Instead.Resident
		if r.by.Instead.Credits > 0 {
			credits = r.by.Instead.Credits
		}
		if r.by.Given.CourseID != "" { // the course brought its credits already
			key = string(r.by.Given.CourseID)
		}
	}
	if r.status == Met && (credits > 0 || n.ClockHours > 0) {
		hours := n.ClockHours
		if hours == 0 {
			hours = credits * e.p.Definition.HoursPerCredit
		}
		r.line = e.bring(line{key, credits, hours, resident, -1 - i})
	}
}

// up finds which groups are met, and how far the others are, the parts before
// their groups.
func (e *Evaluator) up() {
	for i := len(e.p.nodes) - 1; i >= 0; i-- {
		n, r := &e.p.nodes[i], &e.results[i]
		if !n.Group() {
			r.share = map[bool]float64{true: 1}[r.status == Met]
			if r.line >= 0 {
				r.credits, r.hours = e.lines[r.line].credits, e.lines[r.line].hours
			}
			continue
		}
		e.sum(int32(i), n, r)
		e.rank = e.rank[:0]
		met := 0
		for k := int32(i) + 1; k < n.end; k = e.p.nodes[k].end {
			e.rank = append(e.rank, e.results[k].share)
			if e.results[k].status == Met {
				met++
			}
		}
		need := len(e.rank)
		switch n.Kind {
		case Any:
			need = n.Count
		case Credits:
			r.share = math.Min(1, r.credits/n.Requirement.Credits)
			r.status = standing(r.credits >= n.Requirement.Credits-1e-9, r.credits > 0)
			continue
		}
		slices.SortFunc(e.rank, func(a, b float64) int { return cmp.Compare(b, a) })
		for _, share := range e.rank[:need] {
			r.share += share / float64(need)
		}
		r.status = standing(met >= need, false)
		for k := int32(i) + 1; k < n.end && r.status != Met; k = e.p.nodes[k].end {
			if s := e.results[k].status; s >= InProgress {
				r.status = InProgress
			}
		}
	}
}

func standing(met, begun bool) Status {
	switch {
	case met:
		return Met
	case begun:
		return InProgress
	}
	return Missing
}

// sum adds up the credits below a group, each thing that brings some once; of
// credits without parts, all that there are.
func (e *Evaluator) sum(i int32, n *node, r *result) {
	resident := n.Kind == Credits && n.Resident
	if n.Kind == Credits && len(n.Parts) == 0 {
		for _, l := range e.lines {
			e.enter(r, l, resident)
		}
		return
	}
	for len(e.marks) < len(e.lines) {
		e.marks = append(e.marks, 0)
	}
	e.mark++
	for k := i + 1; k < n.end; k++ {
		at := e.results[k].line
		if at < 0 || e.results[k].status != Met || e.marks[at] == e.mark {
			continue
		}
		e.marks[at] = e.mark
		e.enter(r, e.lines[at], resident)
	}
}

func (e *Evaluator) enter(r *result, l line, resident bool) {
	if resident && !l.resident {
		return
	}
	r.credits += l.credits
	r.hours += l.hours
}

// since is the day from which a requirement that is met has been met by what
// meets it now; the zero date where nothing says so.
func (e *Evaluator) since(i int32) day.Date {
	n, r := &e.p.nodes[i], &e.results[i]
	switch {
	case r.status != Met:
		return day.Date{}
	case n.Kind == Credits:
		return e.sinceCredits(i, n)
	case !n.Group():
		return e.leafSince(i)
	}
	var days []day.Date
	for k := i + 1; k < n.end; k = e.p.nodes[k].end {
		if e.results[k].status == Met {
			days = append(days, e.since(k))
		}
	}
	slices.SortFunc(days, sooner)
	if n.Kind == Any {
		return days[n.Count-1]
	}
	return days[len(days)-1]
}

// sinceCredits is the day on which the credits that a group needs were there.
func (e *Evaluator) sinceCredits(i int32, n *node) day.Date {
	lines := slices.Clone(e.lines)
	if len(n.Parts) > 0 {
		once := map[int32]bool{}
		lines = lines[:0]
		for k := i + 1; k < n.end; k++ {
			if r := &e.results[k]; r.line >= 0 && r.status == Met && !once[r.line] {
				once[r.line] = true
				lines = append(lines, e.lines[r.line])
			}
		}
	}
	slices.SortFunc(lines, func(a, b line) int { return sooner(e.came(a), e.came(b)) })
	sum := result{}
	for _, l := range lines {
		if e.enter(&sum, l, n.Resident); sum.credits >= n.Requirement.Credits-1e-9 {
			return e.came(l)
		}
	}
	return day.Date{}
}

func sooner(a, b day.Date) int { return a.Midnight().Compare(b.Midnight()) }

// came is the day on which what brings credits was earned.
func (e *Evaluator) came(l line) day.Date {
	if l.from >= 0 {
		return e.awards[l.from].On
	}
	return e.leafSince(-1 - l.from)
}

// leafSince is the day of what meets a requirement that is no group.
func (e *Evaluator) leafSince(i int32) day.Date {
	if at := e.results[i].award; at >= 0 {
		return e.awards[at].On
	}
	return e.states.State(e.p.nodes[i].item).On.Date()
}

// down finds what is held up by what has to be met before, groups before their
// parts. What is met stays met.
func (e *Evaluator) down() {
	for i := range e.p.nodes {
		n, r := &e.p.nodes[i], &e.results[i]
		r.held = n.above >= 0 && e.results[n.above].held
		for _, b := range n.after {
			r.held = r.held || e.results[b].status != Met
		}
	}
	for i := len(e.p.nodes) - 1; i >= 0; i-- {
		n, r := &e.p.nodes[i], &e.results[i]
		switch {
		case r.status == Met:
		case r.held:
			r.status = Blocked
		case n.Group() && r.status == Missing && len(n.Parts) > 0:
			if e.blocked(int32(i), n) {
				r.status = Blocked
			}
		}
	}
}

// blocked reports whether all that is not met of a group is blocked.
func (e *Evaluator) blocked(i int32, n *node) bool {
	for k := i + 1; k < n.end; k = e.p.nodes[k].end {
		if s := e.results[k].status; s != Blocked && s != Met {
			return false
		}
	}
	return true
}

// Status is the state of the node of a place after Run.
func (e *Evaluator) Status(i int32) Status { return e.results[i].status }

// Size is how many requirements there are.
func (p *Plan) Size() int { return len(p.nodes) }

// Progress is how far a learner is with one requirement, and why.
type Progress struct {
	Requirement  Requirement // without its parts
	Status       Status
	Share        float64 // from 0 to 1
	Credits      float64
	ClockHours   float64
	AssertionIDs []assertion.ID // what meets it, or comes nearest
	Equivalency  *EquivalencyID // what it rests on
	Planned      bool           // it is so only because of what is planned
	Reason       string
}

// Line is the progress with the requirement of a place after Run.
func (e *Evaluator) Line(i int32) Progress {
	n, r := &e.p.nodes[i], &e.results[i]
	out := Progress{Requirement: e.p.told(i), Status: r.status, Share: r.share, Credits: round(r.credits), ClockHours: round(r.hours), Reason: e.reason(n, r)}
	if r.award >= 0 {
		if a := &e.awards[r.award]; a.ID != "" {
			out.AssertionIDs = []assertion.ID{a.ID}
		}
		out.Planned = r.status == Met && e.awards[r.award].Planned
	}
	if r.by != nil {
		out.Equivalency = &r.by.ID
	}
	return out
}

func round(v float64) float64 { return math.Round(v*1000) / 1000 }

func number(v float64) string { return strconv.FormatFloat(round(v), 'f', -1, 64) }

// reason is why a requirement has its state, in a sentence.
func (e *Evaluator) reason(n *node, r *result) string {
	said := e.own(n, r)
	if r.status == Blocked && r.held {
		return said + " " + e.holding(n)
	}
	return said
}

// holding names what has to be met before.
func (e *Evaluator) holding(n *node) string {
	var names []string
	for at := n; ; at = &e.p.nodes[at.above] {
		for _, b := range at.after {
			if e.results[b].status != Met {
				names = append(names, title(e.p.nodes[b].Requirement))
			}
		}
		if at.above < 0 {
			break
		}
	}
	return listed(names) + " must be met first."
}

// listed is names as a sentence lists them.
func listed(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

func title(r *Requirement) string {
	if r.Title != "" {
		return r.Title
	}
	return r.Key
}

func (e *Evaluator) own(n *node, r *result) string {
	switch n.Kind {
	case All, Any:
		return e.parts(n)
	case Credits:
		where := ""
		if n.Resident {
			where = " earned here"
		}
		return fmt.Sprintf("%s of %s credits%s.", number(r.credits), number(n.Requirement.Credits), where)
	case Competency:
		return e.held(n, r)
	}
	return e.taken(n, r)
}

func (e *Evaluator) parts(n *node) string {
	met, all := 0, 0
	var open []string
	for k := e.p.keys[n.Key] + 1; k < n.end; k = e.p.nodes[k].end {
		all++
		if e.results[k].status == Met {
			met++
		} else if len(open) < 3 {
			open = append(open, title(e.p.nodes[k].Requirement))
		}
	}
	need := all
	if n.Kind == Any {
		need = n.Count
	}
	said := fmt.Sprintf("%d of %d met.", met, need)
	if n.Kind == Any {
		said = fmt.Sprintf("%d met; %d of the %d %s needed.", met, need, all, map[bool]string{true: "is", false: "are"}[need == 1])
	}
	if met < need {
		said += " Open: " + strings.Join(open, ", ")
		if all-met > len(open) {
			said += fmt.Sprintf(" and %d more", all-met-len(open))
		}
		said += "."
	}
	return said
}

func (e *Evaluator) taken(n *node, r *result) string {
	want := "a passing grade is needed"
	switch {
	case n.Grade != "":
		want = "a grade of " + n.Grade + " or better is needed"
	case n.Kind == Achievement:
		want = "it must be awarded"
	}
	if r.award < 0 {
		return "Nothing is on file yet; " + want + "."
	}
	a := &e.awards[r.award]
	with := ""
	if a.Grade != "" {
		with = " with " + a.Grade
	}
	switch {
	case a.By != nil && r.status == Met:
		return e.instead(a.By, with)
	case a.Planned:
		return "Planned" + with + "."
	case r.status == Met:
		return "Earned on " + a.On.String() + with + "."
	}
	taken := "Taken on "
	if a.Open {
		taken = "In progress, on file since "
	}
	return taken + a.On.String() + with + "; " + want + "."
}

// instead says what an equivalency rests on.
func (e *Evaluator) instead(q *Equivalency, with string) string {
	on := map[string]string{Transfer: "By transfer", PriorLearning: "By prior learning", Unit: "By a competency unit", Substitution: "By substitution", Waiver: "Waived"}[q.Ground]
	what := q.Given.Text
	if what != "" {
		what = " of " + what
	}
	return fmt.Sprintf("%s%s%s: %s Approved by %s, in force from %s.", on, what, with, sentence(q.Reason), q.ApprovedBy, q.EffectiveOn)
}

func sentence(s string) string {
	if s = strings.TrimSpace(s); strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

func (e *Evaluator) held(n *node, r *result) string {
	want := "its rule must be met"
	if n.Level != "" {
		want = n.Level + " or above is needed"
	}
	nothing := "Nothing is on file yet; " + want + "."
	if r.by != nil {
		return e.instead(r.by, "")
	}
	if n.item < 0 || e.states == nil {
		return nothing
	}
	s := e.states.State(n.item)
	at := ""
	if level := e.p.basis.LevelName(n.item, s.Value); level != "" && s.Value == s.Value {
		at = " at " + level
	}
	switch {
	case r.status == Met:
		return "Held" + at + " since " + s.On.Date().String() + "."
	case s.Status == mastery.Met:
		return "Held" + at + "; " + want + "."
	case s.Status == mastery.Lapsed:
		return "Held until " + s.Until.Date().String() + ", when it lapsed."
	case s.Status == mastery.InProgress:
		return "In progress" + at + "; " + want + "."
	case s.Status == mastery.Blocked:
		return "A competency that must come before it is not held yet."
	}
	return nothing
}
