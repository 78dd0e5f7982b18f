package mastery

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
)

// Standing is the state of one learner in one competency, as it is told.
type Standing struct {
	LearnerID   learner.ID
	ItemID      framework.ItemID
	Status      Status
	Level       *string   // the name of the level reached
	Value       *float64  // the value on the competency's scale
	AchievedOn  *day.Date // the day from which what counts has been achieved
	LapsesOn    *day.Date // or lapsed
	ByCrosswalk bool
	Rule        *Rule // nil: the built-in one
	AsOf        day.Date
	KnownAt     time.Time
}

// When is the clock of the standing, to ask for its reason.
func (s Standing) When() When { return When{AsOf: &s.AsOf, KnownAt: &s.KnownAt} }

// standing tells a state.
func (b *Basis) standing(l learner.ID, item int32, s State, crosswalk bool) Standing {
	out := Standing{LearnerID: l, ItemID: b.Graph.Items[item].ID, Status: s.Status, ByCrosswalk: crosswalk, AsOf: b.At.AsOf.Date(), KnownAt: b.Asked}
	if known(s.Value) && s.Status > Blocked {
		v := float64(s.Value)
		out.Value = &v
		if name := b.LevelName(item, s.Value); name != "" {
			out.Level = &name
		}
	}
	if s.Status > Blocked && s.On != 0 {
		d := s.On.Date()
		out.AchievedOn = &d
	}
	if s.Until != Never && s.Status >= Lapsed {
		d := s.Until.Date()
		out.LapsesOn = &d
	}
	if r := b.Rule(item); r.ID != "" {
		out.Rule = &r
	}
	return out
}

// Crosswalk reports whether an item's state after Run is so only because of a
// holding elsewhere.
func (e *Evaluator) Crosswalk(item int32) bool {
	n := &e.m.nodes[item]
	return n.base >= 0 && better(e.vertex(n.final), e.vertex(n.base))
}

// Filter narrows a list of standings.
type Filter struct {
	When        When
	FrameworkID *framework.ID
	Items       []framework.ItemID // only these; all unless said
	Statuses    []Status           // only these; unless said, those of competencies that something speaks for
	Level       *string            // met at this level or above
}

const maxAsked = 1000

func (f Filter) check() *fault.Error {
	if len(f.Items) > maxAsked {
		return fault.At("filter.competencyIds", "too-many", "Ask for at most %d competencies at a time.", maxAsked)
	}
	return nil
}

// matches reports whether a state is asked for.
func (f Filter) matches(b *Basis, item int32, s State) bool {
	if f.FrameworkID != nil && b.Graph.Items[item].FrameworkID != *f.FrameworkID {
		return false
	}
	if f.Level != nil && !b.Reaches(item, s, *f.Level) {
		return false
	}
	if len(f.Statuses) == 0 {
		return f.Level != nil || len(f.Items) > 0 || s.Status > Blocked
	}
	return slices.Contains(f.Statuses, s.Status)
}

// standingCursor is the last competency of a page; the next one stands after it
// in the order of the frameworks.
type standingCursor struct {
	Item framework.ItemID `json:"i"`
}

// Standings are what each learner holds, in the order of the frameworks, one page
// of each. It costs the same statements for one learner and for a hundred.
func (s *Service) Standings(ctx context.Context, who access.Actor, learners []learner.ID, f Filter, a page.Args) (map[learner.ID]page.Connection[Standing], error) {
	limit, after, more, err := page.Start[standingCursor](a)
	if err != nil {
		return nil, err
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	out := make(map[learner.ID]page.Connection[Standing], len(learners))
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		b, err := s.Basis(ctx, who, tx, f.When)
		if err != nil {
			return err
		}
		from := int32(0)
		if more {
			i, ok := b.Find(after.Item)
			if !ok {
				return fault.At("after", "cursor", "The competency that this cursor stands at is not here any more. Start again without it.")
			}
			from = i + 1
		}
		e := NewEvaluator(b.Model, b.At, b.places(f.Items)...)
		return s.Evidence(ctx, who, tx, b, learners, Counting, func(l learner.ID, pieces []Piece) error {
			e.Run(pieces)
			out[l] = page.Of(f.some(b, e, l, from, limit+1), limit, a, func(s Standing) standingCursor { return standingCursor{s.ItemID} })
			return nil
		})
	})
	return out, err
}

// places are the places of items by id or CASE identifier; those that are not
// here are left out.
func (b *Basis) places(items []framework.ItemID) []int32 {
	var all []int32
	for _, id := range items {
		i, ok := b.Find(id)
		if !ok {
			i, ok = b.Named(string(id))
		}
		if ok {
			all = append(all, i)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// some are the standings of a learner from a place on, so many at most.
func (f Filter) some(b *Basis, e *Evaluator, l learner.ID, from int32, most int) []Standing {
	var all []Standing
	add := func(i int32) bool {
		if s := e.State(i); i >= from && f.matches(b, i, s) {
			all = append(all, b.standing(l, i, s, e.Crosswalk(i)))
		}
		return len(all) < most
	}
	switch {
	case len(f.Items) > 0:
		for _, i := range b.places(f.Items) {
			if !add(i) {
				break
			}
		}
	case len(f.Statuses) == 0 || !slices.ContainsFunc(f.Statuses, func(s Status) bool { return s <= Blocked }):
		for _, i := range e.States().Changed() { // nothing else has got anywhere
			if !add(i) {
				break
			}
		}
	default:
		for i := from; int(i) < len(b.Graph.Items); i++ {
			if b.Graph.Items[i].Retired && e.State(i).Status <= Blocked {
				continue
			}
			if !add(i) {
				break
			}
		}
	}
	return all
}

// maxScanned is how many learners one request looks through for holders. A page
// may be shorter than asked for and still have a next one.
const maxScanned = 5000

type holderCursor struct {
	Learner learner.ID `json:"l"`
}

// Holders are the learners in each competency whose state is asked for, by id,
// one page of each; unless the filter says another status, those who hold it. Only
// what is on file about the achievements and courses that can reach it is read.
func (s *Service) Holders(ctx context.Context, who access.Actor, items []framework.ItemID, f Filter, a page.Args) (map[framework.ItemID]page.Connection[Standing], error) {
	limit, after, _, err := page.Start[holderCursor](a)
	if err != nil {
		return nil, err
	}
	if len(f.Statuses) == 0 {
		f.Statuses = []Status{Met}
	}
	out := make(map[framework.ItemID]page.Connection[Standing], len(items))
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		b, err := s.Basis(ctx, who, tx, f.When)
		if err != nil {
			return err
		}
		h := &holders{s: s, b: b, f: f, who: who, tx: tx, places: b.places(items), limit: limit, after: after.Learner, found: map[int32][]Standing{}}
		if err := h.find(ctx); err != nil {
			return err
		}
		for _, id := range items {
			out[id] = page.Connection[Standing]{Nodes: []Standing{}}
			if i, ok := b.Find(id); ok {
				out[id] = h.page(i, a)
			}
		}
		return nil
	})
	return out, err
}

type holders struct {
	s      *Service
	b      *Basis
	f      Filter
	who    access.Actor
	tx     pgx.Tx
	places []int32
	limit  int
	after  learner.ID // where the search stands
	ended  bool       // nobody comes after it
	found  map[int32][]Standing
}

// find looks through learners until every competency has a page, or enough have
// been looked through.
func (h *holders) find(ctx context.Context) error {
	if len(h.places) == 0 {
		h.ended = true
		return nil
	}
	e := NewEvaluator(h.b.Model, h.b.At, h.places...)
	reach, err := h.b.reaching(ctx, h.tx, h.who, e)
	if err != nil {
		return err
	}
	for scanned := 0; scanned < maxScanned && !h.full(); scanned += batch {
		some, err := candidates(ctx, h.tx, h.who, reach, h.after, batch)
		if err != nil {
			return err
		}
		if h.ended = len(some) < batch; len(some) == 0 {
			return nil
		}
		err = h.s.Evidence(ctx, h.who, h.tx, h.b, some, Counting, func(l learner.ID, pieces []Piece) error {
			e.Run(pieces)
			for _, i := range h.places {
				if s := e.State(i); h.f.matches(h.b, i, s) {
					h.found[i] = append(h.found[i], h.b.standing(l, i, s, e.Crosswalk(i)))
				}
			}
			return nil
		})
		if err != nil || h.ended {
			return err
		}
		h.after = some[len(some)-1]
	}
	return nil
}

func (h *holders) full() bool {
	return !slices.ContainsFunc(h.places, func(i int32) bool { return len(h.found[i]) <= h.limit })
}

// page is the page of one competency. Where the search was broken off the page
// goes on from where it stood.
func (h *holders) page(item int32, a page.Args) page.Connection[Standing] {
	c := page.Of(h.found[item][:min(len(h.found[item]), h.limit+1)], h.limit, a, func(s Standing) holderCursor { return holderCursor{s.LearnerID} })
	if !c.PageInfo.HasNextPage && !h.ended {
		end := page.Cursor(holderCursor{h.after})
		c.PageInfo.HasNextPage, c.PageInfo.EndCursor = true, &end
	}
	return c
}

// reaching are the achievements of which any version can speak for what an
// evaluator looks at, by an alignment or by the course whose completion it is.
func (b *Basis) reaching(ctx context.Context, tx pgx.Tx, who access.Actor, e *Evaluator) ([]string, error) {
	var names, courses []string
	looked := map[framework.ItemID]bool{}
	for v := e.focus.next(0); v >= 0; v = e.focus.next(v + 1) {
		it := b.Graph.Items[b.vertices[v].item]
		if looked[it.ID] {
			continue
		}
		looked[it.ID] = true
		names = append(names, it.URI, it.Identifier)
		for _, l := range it.Levels {
			names = append(names, l.Same...)
		}
	}
	for c, cells := range b.taught {
		for _, m := range cells {
			if looked[m.ItemID] {
				courses = append(courses, string(c))
				break
			}
		}
	}
	return achievementsOf(ctx, tx, who, names, courses)
}

// RulesFor is the rule that each competency's state follows from; nil for the
// built-in one.
func (s *Service) RulesFor(ctx context.Context, who access.Actor, items []framework.ItemID) (map[framework.ItemID]Rule, error) {
	all := make(map[framework.ItemID]Rule, len(items))
	err := s.readCatalog(ctx, who, func(tx pgx.Tx) error {
		b, err := s.Basis(ctx, who, tx, When{})
		if err != nil {
			return err
		}
		for _, id := range items {
			if i, ok := b.Find(id); ok {
				all[id] = b.Rule(i)
			}
		}
		return nil
	})
	return all, err
}

// statusNames are the statuses by the names that files and filters have.
var statusNames = map[string]Status{"not_met": NotMet, "blocked": Blocked, "in_progress": InProgress, "lapsed": Lapsed, "met": Met}

// StatusNamed is the status of a name such as in_progress.
func StatusNamed(name string) (Status, bool) { s, ok := statusNames[name]; return s, ok }

// MarshalText writes the name of a status.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name of a status.
func (s *Status) UnmarshalText(b []byte) error {
	v, ok := StatusNamed(string(b))
	if !ok {
		return fault.New(fault.Invalid, "%q is not a status.", b)
	}
	*s = v
	return nil
}

// Said is one sentence of an explanation, with what it is about.
type Said struct {
	Depth       int    // 0 for the state that was asked for
	Kind        string // state, rule, evidence, holding, missing, circle
	Sentence    string
	ItemID      framework.ItemID
	AssertionID *assertion.ID // of evidence
	Outcome     *string       // of evidence and holdings
}

// Lines are the sentences from top to bottom.
func (x Explained) Lines() []Said {
	lines := x.Reason.Lines()
	out := make([]Said, len(lines))
	for i, l := range lines {
		out[i] = Said{Depth: l.Depth, Kind: l.Kind, Sentence: l.Sentence, ItemID: x.Basis.Graph.Items[l.Item].ID}
		if l.Assertion != "" {
			out[i].AssertionID = &l.Assertion
		}
		if l.Outcome != "" {
			outcome := string(l.Outcome)
			out[i].Outcome = &outcome
		}
	}
	return out
}

// Text is the explanation as plain text, indented.
func (x Explained) Text() string { return x.Reason.Text() }
