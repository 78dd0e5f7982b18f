package search

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/wording"
)

// Service finds learners.
type Service struct {
	DB      *pg.DB
	Now     func() time.Time
	NewID   id.Source
	Mastery *mastery.Service

	mu      sync.Mutex
	indexes map[string]*index // by institution
}

// maxIndexes is of how many institutions what awards say is kept in memory.
const maxIndexes = 64

func (s *Service) index(institution string) *index {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.indexes[institution]
	if x == nil {
		if s.indexes == nil || len(s.indexes) >= maxIndexes {
			s.indexes = map[string]*index{}
		}
		x = &index{}
		s.indexes[institution] = x
	}
	return x
}

// Find lists the learners who showed what is asked for, the newest evidence
// first, and writes down that they were shown. NotFound for a competency that
// the actor may not see, Invalid for a level that it does not have.
func (s *Service) Find(ctx context.Context, who access.Actor, q Query, a page.Args) (page.Connection[Match], error) {
	none := page.Connection[Match]{}
	if err := access.Check(who, access.SearchLearners); err != nil {
		return none, err
	}
	limit, after, more, err := page.Start[cursor](a)
	if err != nil {
		return none, err
	}
	purpose, no := wording.Optional("purpose", q.Purpose, maxPurpose)
	if no != nil {
		return none, no
	}
	x := asking{s: s, who: who, q: q, now: pg.Instant(s.Now())}
	if more {
		x.after = &after
	}
	var all []Match
	err = x.within(ctx, func(tx pgx.Tx, w wanted) error {
		rows, err := list(ctx, tx, who, w, x.now, x.after, limit+1)
		if err != nil {
			return err
		}
		all = all[:0]
		for _, r := range rows {
			all = append(all, x.match(r, w))
		}
		shown := all[:min(limit, len(all))]
		return disclosure.Write(ctx, tx, who, x.lines(shown, purpose)...)
	})
	if err != nil {
		return none, err
	}
	return page.Of(all, limit, a, func(m Match) cursor { return cursor{m.AchievedOn, m.LearnerID} }), nil
}

// Count tells how many learners match, in tens. Nobody is shown by it.
func (s *Service) Count(ctx context.Context, who access.Actor, q Query) (Count, error) {
	if err := access.Check(who, access.SearchLearners); err != nil {
		return Count{}, err
	}
	x := asking{s: s, who: who, q: q, now: pg.Instant(s.Now())}
	var c Count
	err := x.within(ctx, func(tx pgx.Tx, w wanted) error {
		n, err := counted(ctx, tx, who, w, x.now, maxCount+1)
		c = told(n)
		return err
	})
	return c, err
}

// asking is one search on its way.
type asking struct {
	s     *Service
	who   access.Actor
	q     Query
	now   time.Time
	after *cursor
	basis *mastery.Basis
	item  int32
}

// within runs fn with what matches, in one transaction that sees every change
// that was committed before.
func (x *asking) within(ctx context.Context, fn func(pgx.Tx, wanted) error) error {
	if no := x.q.check(); no != nil {
		return no
	}
	if err := x.s.DB.Snapshot(ctx, x.who, func(tx pgx.Tx) (err error) {
		x.basis, err = x.s.Mastery.Basis(ctx, x.who, tx, mastery.When{})
		return err
	}); err != nil {
		return err
	}
	t, no := x.target()
	if no != nil {
		return no
	}
	x.item = t.item
	return x.s.DB.Tenant(ctx, x.who, func(tx pgx.Tx) error {
		n, err := count(ctx, tx, x.who)
		if err != nil {
			return err
		}
		w, err := x.s.index(x.who.InstitutionID).wanted(ctx, x.s, x.who, tx, x.basis, n, func(all *index) wanted {
			return all.matching(x.carriers(t.item), t)
		})
		if err != nil || len(w.said) == 0 {
			return err
		}
		return fn(tx, w)
	})
}

// target finds the competency, and the level on its scale; without one, the
// level of its rule, or none.
func (x *asking) target() (target, *fault.Error) {
	m := x.basis.Model
	item, ok := m.Find(framework.ItemID(x.q.Competency))
	if !ok {
		item, ok = m.Named(x.q.Competency)
	}
	if !ok {
		return target{}, fault.Missing("competency")
	}
	t := target{item: item, since: x.since(), scaled: len(m.Levels(item)) > 0}
	var v float32
	switch {
	case x.q.Level != nil && !t.scaled:
		t.named = x.q.Level
		for _, c := range x.carriers(item) {
			if _, ok = m.LevelOf(c.Item, *t.named); ok {
				break
			}
		}
	case x.q.Level != nil:
		v, ok = m.LevelOf(item, *x.q.Level)
		t.level = &v
	default:
		if v, cut := m.Cut(item); cut {
			t.level = &v
		}
	}
	if !ok {
		return t, fault.At("level", "level-known", "This competency has no level of that name. Its levels are %s.", levels(m, item))
	}
	return t, nil
}

// earliest is the day from which on evidence counts that does not lapse.
var earliest = mastery.DayOf(day.Of(1900, time.January, 1))

func (x *asking) since() mastery.Day {
	if x.q.Since == nil {
		return earliest
	}
	return max(earliest, mastery.DayOf(*x.q.Since))
}

func (x *asking) carriers(item int32) []mastery.Carrier {
	all := x.basis.Carriers(item, mastery.DayOf(day.On(x.now)))
	if !x.q.Crosswalks {
		return all[:1]
	}
	return all
}

func (x *asking) match(r found, w wanted) Match {
	why := w.by[r.Said]
	items := x.basis.Graph.Items
	m := Match{LearnerID: r.LearnerID, Name: r.Name, ItemID: items[why.item].ID, AchievedOn: r.AchievedOn, AssertionID: r.AssertionID,
		AchievementID: why.achievement, Path: []Step{}, consent: r.ConsentID}
	var b strings.Builder
	fmt.Fprintf(&b, "%s showed %s", m.Name, items[why.item].Name())
	if name := x.basis.LevelName(why.scale, why.value); name != "" {
		m.Level = &name
		fmt.Fprintf(&b, " at %s", name)
	}
	fmt.Fprintf(&b, " on %s, %s", m.AchievedOn, ways[why.way])
	var by []string
	for _, mapping := range why.path {
		s := step(mapping)
		m.Path, by = append(m.Path, s), append(by, s.words())
	}
	if len(by) > 0 {
		fmt.Fprintf(&b, "; this counts as %s by crosswalk (%s)", items[x.item].Name(), strings.Join(by, "; then "))
	}
	b.WriteByte('.')
	m.Sentence = b.String()
	return m
}

// lines are what the account of disclosures says of those who are shown.
func (x *asking) lines(shown []Match, purpose string) []disclosure.Line {
	if purpose == "" {
		purpose = "As the learner consented: to be found by competency"
	}
	party := x.who.Name
	if party == "" {
		party = x.who.ID
	}
	all := make([]disclosure.Line, len(shown))
	for i, m := range shown {
		all[i] = disclosure.Line{ID: disclosure.ID(x.s.NewID("dsc")), LearnerID: m.LearnerID, At: x.now, Outcome: disclosure.Granted, Channel: disclosure.BySearch,
			Party: party, Purpose: purpose, Basis: disclosure.OnConsent, ConsentID: &m.consent, Items: []string{string(m.AssertionID)}, ActorID: x.who.ID}
	}
	return all
}

func levels(m *mastery.Model, item int32) string {
	var text string
	for i, l := range m.Levels(item) {
		if i > 0 {
			text += ", "
		}
		text += l.Name
	}
	if text == "" {
		return "none: ask without one"
	}
	return text
}
