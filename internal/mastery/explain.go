package mastery

import (
	"fmt"
	"slices"
	"strings"

	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/day"
)

// Reason is why a competency has its state: the rule, each piece of evidence,
// each holding that is carried from elsewhere, each part, and what is missing.
type Reason struct {
	Item          int32
	State         State
	Level         string // the name of the level reached, where there is one
	Crosswalk     bool   // it is so only because of a holding elsewhere
	Rule          Rule
	Sentence      string    // the state
	RuleSentence  string    // the rule, with its version
	Evidence      []Account // the newest first
	Holdings      []Holding
	Parts         []*Reason
	Prerequisites []*Reason // those that are not met, without their own reasons
	Missing       []string
	Cycle         string // empty, or that links are left out because they run in a circle
	Cut           string // empty, or that there is more below than is told
}

// Outcome is what became of a piece of evidence.
type Outcome string

// The outcomes.
const (
	Counted    Outcome = "counted"
	TooLow     Outcome = "too_low"
	Negative   Outcome = "negative"
	Overlooked Outcome = "ignored"     // negative, and the rule ignores that
	Cancelled  Outcome = "cancelled"   // by negative evidence after it
	Superseded Outcome = "superseded"  // later evidence counts instead
	Expired    Outcome = "expired"     // too old
	Withdrawn  Outcome = "withdrawn"   //
	NotYet     Outcome = "not_yet"     // achieved after the day asked for
	NotKnown   Outcome = "not_known"   // recorded after the moment asked for
	Replaced   Outcome = "replaced"    // by a correction
	Twice      Outcome = "counts_once" // the same evidence counts already
)

// Account is one piece of evidence and what became of it.
type Account struct {
	Assertion assertion.ID
	On        Day
	Recorded  Instant
	Level     string
	Way       Way
	Outcome   Outcome
	Sentence  string
}

// Holding is what is carried from another competency.
type Holding struct {
	By       []*Mapping
	Outcome  Outcome
	Sentence string
	Reason   *Reason // of the other, by its own means
}

// Detail is what a sentence says of a piece beside what it shows.
type Detail struct {
	Name      string // of the achievement
	Grade     string
	Withdrawn string // why
}

// The bounds of an explanation.
const (
	maxReasons = 400
	maxDepth   = 12
	maxNamed   = 8
)

// Explain is the reason for an item's state after Run. detail says more about a
// piece; it may be nil.
func (e *Evaluator) Explain(item int32, detail func(*Piece) Detail) *Reason {
	if detail == nil {
		detail = func(*Piece) Detail { return Detail{} }
	}
	x := &explainer{e: e, detail: detail, left: maxReasons}
	return x.reason(vertex{item: item}, 0)
}

// noted begins what is said of a rule for one competency.
const noted = " The competency has no level"

type explainer struct {
	e      *Evaluator
	detail func(*Piece) Detail
	left   int
}

// date is a day as it stands in a sentence.
func date(d day.Date) string { return d.Midnight().Format("2 January 2006") }

func (x *explainer) reason(v vertex, depth int) *Reason {
	e, m := x.e, x.e.m
	n := &m.nodes[v.item]
	r := &m.rules[n.rule]
	s := e.vertex(n.final)
	if v.base {
		s = e.vertex(n.base)
	}
	x.left--
	out := &Reason{Item: v.item, State: s, Level: m.LevelName(v.item, s.Value), Rule: r.Rule, RuleSentence: r.sentence(len(n.parts) > 0)}
	if n.level && !known(n.cut) {
		out.RuleSentence += fmt.Sprintf(noted+" called %q, so what each award requires decides.", r.def.Level)
	}
	if !v.base && n.base >= 0 {
		out.Crosswalk = better(s, e.vertex(n.base))
	}
	if c, ok := m.inCycle[v.item]; ok {
		out.Cycle = fmt.Sprintf("It runs in a circle with other competencies (%s); links within the circle carry nothing until the framework or mapping is mended.",
			strings.Join(m.Cycles[c].Identifiers, ", "))
	}
	list := slices.Clone(e.contributions(n, v))
	if r.def.Method != NoEvidence {
		out.Evidence = x.accounts(n, r, v.item, list)
		x.holdings(out, n, v, list, depth)
	}
	x.parts(out, n, r, depth)
	for _, b := range n.before {
		if r.def.Prerequisites != Ignore && e.State(b).Status != Met {
			out.Prerequisites = append(out.Prerequisites, x.brief(b))
		}
	}
	out.Sentence = x.sentence(out)
	out.Missing = x.missing(out, n, r, list)
	return out
}

// sentence is the rule with its name and version, as far as it is about an item
// with or without parts.
func (c *compiled) sentence(parts bool) string {
	d := c.def
	if !parts && d.Method != NoEvidence {
		d.Parts = &Parts{Need: Nothing}
	}
	if c.ID == "" {
		return "By the built-in rule: " + d.Sentence()
	}
	return fmt.Sprintf("By the rule %q, version %d, which holds from %s: %s", c.Name, c.Version, date(c.EffectiveOn), d.Sentence())
}

// brief is a reason without what is behind it.
func (x *explainer) brief(item int32) *Reason {
	s := x.e.State(item)
	out := &Reason{Item: item, State: s, Level: x.e.m.LevelName(item, s.Value), Rule: x.e.m.Rule(item)}
	out.Sentence = x.sentence(out)
	return out
}

// sentence is the state of an item.
func (x *explainer) sentence(r *Reason) string {
	s := r.State
	var b strings.Builder
	b.WriteString(x.e.m.Graph.Items[r.Item].Name() + " is " + s.Status.Words())
	if level := x.e.m.nodes[r.Item].ladder.say(s.Value); level != "" && s.Status > Blocked {
		b.WriteString(map[Status]string{InProgress: ", so far at ", Lapsed: ", last met at ", Met: " at "}[s.Status] + level)
	}
	if r.Crosswalk {
		b.WriteString(" by crosswalk")
	}
	if s.Status == Met && s.On != 0 {
		b.WriteString(" since " + date(s.On.Date()))
	}
	switch {
	case s.Status == Lapsed && s.Until != Never:
		b.WriteString("; it lapsed on " + date(s.Until.Date()))
	case s.Status == Met && s.Until != Never:
		b.WriteString(" and lapses on " + date(s.Until.Date()) + " unless it is shown again")
	case s.Status == Blocked && len(r.Prerequisites) > 0:
		b.WriteString(" by what comes before it")
	}
	return b.String() + "."
}

// accounts tell of each piece that reaches an item, counted or not.
func (x *explainer) accounts(n *node, r *compiled, item int32, list []contribution) []Account {
	var all []Account
	told := map[assertion.ID]bool{}
	cancelled := cancelledFrom(r.def.Negative, list)
	for i, c := range list {
		if c.piece < 0 {
			continue
		}
		p := &x.e.pieces[c.piece]
		told[p.ID] = true
		at := item
		if c.source >= 0 {
			at = n.sources[c.source].item
		}
		a := x.account(p, at)
		if c.source >= 0 {
			a.Sentence += " It comes by crosswalk from " + x.e.m.Graph.Items[at].Name() + "."
		}
		a.Outcome = x.outcome(n, r, list, i, cancelled)
		a.Sentence += " " + n.became(r, a.Outcome, c)
		if p.Until != Ever {
			a.Sentence += fmt.Sprintf(" It was changed on %s, after the moment asked for.", date(day.On(p.Until.Time())))
		}
		all = append(all, a)
	}
	return append(all, x.leftOut(item, told)...)
}

var outcomes = map[Outcome]string{
	Counted:    "It counts.",
	TooLow:     "It is below what is asked for.",
	Negative:   "It counts against the competency: what was achieved before it does not count.",
	Overlooked: "It does not count: the rule ignores failed results.",
	Cancelled:  "It does not count: a later result was failed.",
	Superseded: "It does not count: later evidence counts instead.",
	Expired:    "It does not count any more: it is too old.",
	Twice:      "It does not count again: the same evidence counts already.",
}

// became says what became of a contribution, with its number where the rule
// reckons with numbers.
func (n *node) became(r *compiled, o Outcome, c contribution) string {
	averaged := r.def.Method.average() && known(n.cut) && (o == Counted || o == Negative)
	switch {
	case averaged && r.def.Method == WeightedMean && c.weight != 1:
		return fmt.Sprintf("It counts as %.4g, with the weight %.4g.", n.worth(c), c.weight)
	case averaged:
		return fmt.Sprintf("It counts as %.4g.", n.worth(c))
	case o == Negative && r.def.Negative == Counts:
		return "It counts as nothing shown."
	}
	return outcomes[o]
}

// cancelledFrom is from where on contributions do not count because of negative
// evidence before them in the list.
func cancelledFrom(negative string, list []contribution) int {
	if negative != Cancels {
		return len(list)
	}
	at := slices.IndexFunc(list, func(c contribution) bool { return c.pass == Failed })
	if at < 0 {
		return len(list)
	}
	return at + 1
}

// outcome is what became of a contribution.
func (x *explainer) outcome(n *node, r *compiled, list []contribution, i, cancelled int) Outcome {
	c := list[i]
	place := 0 // among those that still count
	for _, o := range list[:i] {
		if o.current {
			place++
		}
	}
	switch {
	case c.pass == Failed && r.def.Negative == Ignored:
		return Overlooked
	case c.pass == Failed:
		return Negative
	case i >= cancelled:
		return Cancelled
	case !c.current:
		return Expired
	case r.def.Method == Latest && place > 0, r.def.Method == Times && r.def.Among > 0 && place >= r.def.Among:
		return Superseded
	case r.def.Method.average() && known(n.cut), n.reaches(c):
		return Counted
	}
	return TooLow
}

// account is a piece and what it shows.
func (x *explainer) account(p *Piece, item int32) Account {
	a := Account{Assertion: p.ID, On: p.On, Recorded: p.Recorded}
	i := slices.IndexFunc(p.Hits, func(h Hit) bool { return h.Item == item })
	h := p.Hits[i]
	a.Way, a.Level = h.Way, x.e.m.LevelName(item, h.Value)
	d := x.detail(p)
	name := d.Name
	if name == "" {
		name = string(p.ID)
	}
	verb := "was awarded"
	switch {
	case h.Pass == Failed:
		verb = "was failed"
	case h.Way == ByCourse:
		verb = "was completed"
	}
	a.Sentence = fmt.Sprintf("%s %s on %s", name, verb, date(p.On.Date()))
	if d.Grade != "" {
		a.Sentence += " with the grade " + d.Grade
	}
	if r := day.On(p.Recorded.Time()); DayOf(r) != p.On {
		a.Sentence += ", recorded on " + date(r)
	}
	level := x.e.m.nodes[item].ladder.say(h.Value)
	switch {
	case h.Pass == Failed:
		a.Sentence += "."
	case level != "":
		a.Sentence += ", and shows " + level + "."
	case h.Pass == Short:
		a.Sentence += ", and does not reach what it requires."
	default:
		a.Sentence += ", and names no level."
	}
	return a
}

// leftOut are the pieces that reach an item and are no evidence at the clock.
func (x *explainer) leftOut(item int32, told map[assertion.ID]bool) []Account {
	var all []Account
	for i := range x.e.pieces {
		p := &x.e.pieces[i]
		if told[p.ID] || !slices.ContainsFunc(p.Hits, func(h Hit) bool { return h.Item == item }) {
			continue
		}
		outcome, why := x.excluded(p)
		if outcome == Replaced { // another version of the same award speaks for it
			continue
		}
		told[p.ID] = true
		a := x.account(p, item)
		a.Outcome, a.Sentence = outcome, a.Sentence+" "+why
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b Account) int {
		if a.On != b.On {
			return int(b.On) - int(a.On)
		}
		return strings.Compare(string(a.Assertion), string(b.Assertion))
	})
	return all
}

// excluded says why a piece is no evidence at the clock.
func (x *explainer) excluded(p *Piece) (Outcome, string) {
	at := x.e.at
	switch {
	case p.Recorded > at.KnownAt:
		return NotKnown, fmt.Sprintf("It does not count: it was recorded on %s, and what is asked for is what was known by %s.",
			date(day.On(p.Recorded.Time())), date(day.On(at.KnownAt.Time())))
	case p.From > at.KnownAt || at.KnownAt >= p.Until:
		return Replaced, ""
	case p.Withdrawn:
		why := fmt.Sprintf("It does not count: it was withdrawn on %s", date(day.On(p.From.Time())))
		if reason := x.detail(p).Withdrawn; reason != "" {
			why += " (" + reason + ")"
		}
		return Withdrawn, why + "."
	}
	return NotYet, fmt.Sprintf("It does not count: it was achieved after %s, the day asked for.", date(at.AsOf.Date()))
}

// holdings tell of what is carried from other competencies.
func (x *explainer) holdings(out *Reason, n *node, v vertex, list []contribution, depth int) {
	if v.base {
		return
	}
	for i, s := range n.sources {
		from := x.e.vertex(x.e.m.nodes[s.item].base)
		if from.Status < InProgress {
			continue
		}
		h := Holding{By: s.by, Outcome: Twice}
		if at := slices.IndexFunc(list, func(c contribution) bool { return c.source == int32(i) }); at >= 0 {
			r := &x.e.m.rules[n.rule]
			h.Outcome = x.outcome(n, r, list, at, cancelledFrom(r.def.Negative, list))
		} else if x.e.carryParts(n, &s).Status > NotMet {
			h.Outcome = Counted
		}
		h.Sentence = x.carried(v.item, s, from) + " " + outcomes[h.Outcome]
		if s.weak {
			h.Outcome = TooLow
			h.Sentence = x.carried(v.item, s, from) + fmt.Sprintf(" It does not count: the mapping's strength of %g is below the %g that the rule asks for.",
				s.strength, x.e.m.rules[n.rule].def.Strength)
		}
		if depth < maxDepth && x.left > 0 {
			h.Reason = x.reason(vertex{item: s.item, base: true}, depth+1)
		}
		out.Holdings = append(out.Holdings, h)
	}
}

// wayWords are the types of mappings that carry a holding, in words.
var wayWords = map[string]string{"exactMatchOf": "an exact match", "isTranslationOf": "a translation", "replacedBy": "a replacement"}

// carried is a holding and the way by which it comes.
func (x *explainer) carried(to int32, s source, from State) string {
	m := x.e.m
	var ways []string
	for _, by := range s.by {
		w := wayWords[by.Type]
		if by.Both {
			w += ", which holds both ways"
		}
		if by.Approver != "" {
			w += ", approved by " + by.Approver
			if !by.On.IsZero() {
				w += " on " + date(by.On)
			}
		}
		ways = append(ways, w)
	}
	text := fmt.Sprintf("%s, which is %s", m.Graph.Items[s.item].Name(), from.Status.Words())
	if level := m.nodes[s.item].ladder.say(from.Value); level != "" {
		text += " at " + level
	}
	return text + ", counts as " + m.Graph.Items[to].Name() + " by crosswalk (" + strings.Join(ways, "; then ") + ")."
}

// parts tell of each part, with its own reason where something speaks for it.
func (x *explainer) parts(out *Reason, n *node, r *compiled, depth int) {
	if r.need == 0 {
		return
	}
	untold := 0
	for _, p := range n.parts {
		switch {
		case x.left <= 0:
			untold++
		case depth < maxDepth && (x.e.State(p.item).Status > Blocked || x.e.head[p.item] >= 0):
			out.Parts = append(out.Parts, x.reason(vertex{item: p.item}, depth+1))
		default:
			x.left--
			out.Parts = append(out.Parts, x.brief(p.item))
		}
	}
	if untold > 0 {
		out.Cut = fmt.Sprintf("%s more are not told here; ask for them by themselves.", count(untold, "part"))
	}
}

// missing is what would have to come for the item to be met.
func (x *explainer) missing(out *Reason, n *node, r *compiled, list []contribution) []string {
	if out.State.Status == Met {
		return nil
	}
	var all []string
	for _, p := range out.Prerequisites {
		all = append(all, x.e.m.Graph.Items[p.Item].Name()+" must be met first.")
	}
	judged := x.e.judge(n, r, list)
	own, parts := r.def.Method != NoEvidence && judged.Status != Met, false
	var below string
	if len(n.parts) > 0 && r.need != 0 && x.e.parts(n, r).Status != Met {
		parts, below = true, x.missingParts(n, r)
	}
	either := r.def.Combine == Either && own && parts
	if own && (r.def.Method == NoEvidence || r.def.Combine == Both || len(n.parts) == 0 || either) {
		all = append(all, x.missingEvidence(n, r, list, judged))
	}
	if parts && (r.def.Combine == Both || own || r.def.Method == NoEvidence) {
		if either {
			below = eitherWay + strings.ToLower(below[:1]) + below[1:]
		}
		all = append(all, below)
	}
	if len(n.parts) == 0 && r.def.Method == NoEvidence {
		all = append(all, "The rule counts only its parts, and it has none that could count.")
	}
	return all
}

// eitherWay begins what is missing where something else would be enough.
const eitherWay = "Or instead, as either is enough: "

func (x *explainer) missingEvidence(n *node, r *compiled, list []contribution, judged State) string {
	level := r.def.level()
	if !known(n.cut) {
		level = "the level that the award itself requires"
	}
	have := n.ladder.say(judged.Value)
	switch {
	case judged.Status == Lapsed:
		return fmt.Sprintf("New evidence at %s: what there is has lapsed.", level)
	case r.def.Method == Times:
		counting := current(uncancelled(r.def.Negative, list))
		if r.def.Among > 0 {
			counting = counting[:min(len(counting), r.def.Among)]
		}
		k := 0
		for _, c := range counting {
			if n.reaches(c) {
				k++
			}
		}
		so := "it has been shown " + times(k) + " so far"
		if k == 0 {
			so = "nothing has shown that so far"
		}
		return fmt.Sprintf("It must be shown %s more at %s; %s.", times(max(1, r.def.Times-k)), level, so)
	case r.def.Method.average() && known(n.cut) && have != "":
		least := fmt.Sprintf("%.4g", n.cut)
		if l, _ := n.ladder.at(n.cut); l.Name != "" && l.Name != least {
			least += " (" + l.Name + ")"
		}
		return fmt.Sprintf("An average of at least %s; it is %s.", least, have)
	case have != "":
		return fmt.Sprintf("Evidence of its own at %s; what counts shows %s.", level, have)
	}
	return fmt.Sprintf("Evidence of its own at %s.", level)
}

func (x *explainer) missingParts(n *node, r *compiled) string {
	need := r.need
	if need == needAll {
		need = len(n.parts)
	}
	var open []string
	met := 0
	for _, p := range n.parts {
		s := x.e.State(p.item)
		if p.counts(s) && s.Status != Lapsed {
			met++
			continue
		}
		name := x.e.m.Graph.Items[p.item].Name() + " (" + s.Status.Words()
		if level := x.e.m.nodes[p.item].ladder.say(s.Value); level != "" && s.Status > Blocked {
			name += ", at " + level
		}
		open = append(open, name+")")
	}
	if more := len(open) - maxNamed; more > 0 {
		open = append(open[:maxNamed], fmt.Sprintf("and %d more", more))
	}
	at := "met"
	if r.def.Parts.Level != "" {
		at = "at " + r.def.Parts.Level + " or above"
	}
	if r.def.Parts.Need == Mean && known(n.cut) {
		return fmt.Sprintf("The mean of its parts must reach %s; not met are %s.", n.ladder.say(n.cut), strings.Join(open, ", "))
	}
	if len(n.parts) < need {
		return fmt.Sprintf("The rule asks for %d parts and there are only %d, so that it cannot be satisfied as it stands.", need, len(n.parts))
	}
	if len(open) == need-met {
		return fmt.Sprintf("%d of the %d parts that are needed are %s; still to come: %s.", met, need, at, strings.Join(open, ", "))
	}
	return fmt.Sprintf("%d of the %d parts that are needed are %s; %d more of these: %s.", met, need, at, need-met, strings.Join(open, ", "))
}

// Line is one sentence of an explanation with how deep it stands.
type Line struct {
	Depth     int
	Kind      string // state, rule, evidence, holding, missing, circle
	Sentence  string
	Item      int32
	Assertion assertion.ID // of evidence
	Outcome   Outcome      // of evidence and holdings
}

// Lines is the explanation from top to bottom.
func (r *Reason) Lines() []Line {
	var all []Line
	r.lines(0, nil, &all)
	return all
}

// lines adds the lines of a reason below another one, whose rule is not told again
// where it is the same and was told with all that matters here.
func (r *Reason) lines(depth int, above *Reason, all *[]Line) {
	add := func(depth int, kind, sentence string) *Line {
		*all = append(*all, Line{Depth: depth, Kind: kind, Sentence: sentence, Item: r.Item})
		return &(*all)[len(*all)-1]
	}
	add(depth, "state", r.Sentence)
	if r.RuleSentence == "" {
		return
	}
	sentence := r.RuleSentence
	if above != nil && above.Rule.ID == r.Rule.ID && above.Rule.Version == r.Rule.Version {
		told, _, _ := strings.Cut(above.RuleSentence, noted)
		if rule, more, ok := strings.Cut(sentence, noted); len(rule) <= len(told) {
			if sentence = "By the same rule."; ok {
				sentence += noted + more
			}
		}
	}
	add(depth+1, "rule", sentence)
	for _, a := range r.Evidence {
		l := add(depth+1, "evidence", a.Sentence)
		l.Assertion, l.Outcome = a.Assertion, a.Outcome
	}
	for _, h := range r.Holdings {
		add(depth+1, "holding", h.Sentence).Outcome = h.Outcome
		if h.Reason != nil {
			h.Reason.lines(depth+2, r, all)
		}
	}
	for _, p := range r.Parts {
		p.lines(depth+1, r, all)
	}
	for _, m := range r.Missing {
		if !strings.HasPrefix(m, eitherWay) {
			m = "Missing: " + m
		}
		add(depth+1, "missing", m)
	}
	for _, s := range []string{r.Cycle, r.Cut} {
		if s != "" {
			add(depth+1, "circle", s)
		}
	}
}

// Text is the explanation as plain text, indented.
func (r *Reason) Text() string {
	var b strings.Builder
	for _, l := range r.Lines() {
		b.WriteString(strings.Repeat("  ", l.Depth) + l.Sentence + "\n")
	}
	return b.String()
}
