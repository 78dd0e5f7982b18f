package program

import (
	"cmp"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
)

// Step is one course or achievement on a way through a program.
type Step struct {
	CourseID      *course.ID
	AchievementID *achievement.ID // also of a course, when its completion is one
	Name          string
	Closes        []string // keys of the requirements that are met with it and were not before
	Share         float64  // of the program, after it
	Credits       float64  // of the program, after it
}

// Way is a short way through a program from where a learner stands.
type Way struct {
	LearnerID learner.ID
	ProgramID ID
	Version   int
	Steps     []Step
	Complete  bool     // the program is met at its end
	Open      []string // keys of what is not met at its end and is no group
}

// The bounds of a way.
const (
	maxSteps      = 40
	maxCandidates = 300
)

// Shortest is a short way: at each step whatever brings the learner furthest.
// Where all requirements are needed and each is met by one thing, the steps are at
// most 1 + ln n times those of the shortest way there is, for n requirements that
// are closed; nothing better can be found in a time that does not double with
// every course. What has to be done before comes first. Each course and
// achievement is taken as passed, without results, so that what needs several
// awards or a rubric level stays open.
func (s *Service) Shortest(ctx context.Context, who access.Actor, a Ask, w mastery.When) (Way, error) {
	var out Way
	err := s.read(ctx, who, access.ReadLearner, func(tx pgx.Tx) error {
		all, err := versionsOf(ctx, tx, who, []ID{a.Program})
		if err != nil {
			return err
		}
		held, err := enrollments(ctx, tx, who, []learner.ID{a.Learner})
		if err != nil {
			return err
		}
		on := day.On(s.Now())
		if w.AsOf != nil {
			on = *w.AsOf
		}
		asked, ok := versionFor(all, held, a, on)
		if !ok {
			return nil
		}
		x, r, pieces, err := s.one(ctx, who, tx, a.Learner, asked.Definition, w)
		if err != nil {
			return err
		}
		candidates, err := x.candidates(ctx, r, a.Learner, pieces)
		if err != nil {
			return err
		}
		out = Way{LearnerID: a.Learner, ProgramID: asked.ID, Version: asked.Version}
		return x.walk(ctx, r, a.Learner, pieces, candidates, &out)
	})
	return out, err
}

// candidates are the courses and achievements that could close something that is
// open: those that are named, and those that show a competency or what makes it
// up. It costs four statements.
func (x *session) candidates(ctx context.Context, r *runner, l learner.ID, pieces []mastery.Piece) ([]offering, error) {
	e := r.run(l, pieces, nil)
	var items []int32
	var courses, badges []string
	for i := range e.p.nodes {
		n := &e.p.nodes[i]
		if e.results[i].status == Met {
			continue
		}
		courses, badges = given(courses, n.CourseID), given(badges, n.AchievementID)
		if n.item >= 0 {
			items = append(items, n.item)
		}
	}
	below := x.below(items)
	for _, c := range x.basis.Teaching(below) {
		courses = given(courses, c)
	}
	more, err := aligned(ctx, x.tx, x.who, below)
	if err != nil {
		return nil, err
	}
	for _, m := range more {
		courses, badges = given(courses, course.ID(m.Course)), given(badges, achievement.ID(m.Badge))
	}
	taught, err := course.Resolve(ctx, x.tx, x.who, "", courses)
	if err != nil {
		return nil, err
	}
	made, err := achievement.Resolve(ctx, x.tx, x.who, "", badges)
	if err != nil {
		return nil, err
	}
	have := map[string]bool{}
	for _, a := range r.awards {
		if e.p.scale.reached(&a, "") {
			have[string(a.AchievementID)] = a.CourseID == ""
		}
	}
	var out []offering
	once := map[string]bool{}
	add := func(key string, o offering) {
		if !once[key] && len(out) < maxCandidates {
			once[key] = true
			out = append(out, o)
		}
	}
	for _, name := range courses {
		if c, ok := taught[name]; ok && c.RetiredAt == nil {
			add(string(c.ID), x.course(c))
		}
	}
	for _, name := range badges {
		a, ok := made[name]
		if !ok || a.RetiredAt != nil || have[string(a.ID)] {
			continue
		}
		if a.CourseID != nil {
			if c, ok := taught[string(*a.CourseID)]; ok {
				add(string(c.ID), x.course(c))
				continue
			}
		}
		add(string(a.ID), badge(a))
	}
	return out, nil
}

const maxBelow = 5000

// below are competencies with all that makes them up or counts as them.
func (x *session) below(items []int32) []framework.ItemID {
	from := map[int32][]int32{}
	for _, links := range [][]mastery.Link{x.basis.Graph.Parts, x.basis.Graph.Same} {
		for _, k := range links {
			from[k.To] = append(from[k.To], k.From)
		}
	}
	reached := map[int32]bool{}
	var out []framework.ItemID
	for len(items) > 0 && len(out) < maxBelow {
		i := items[0]
		items = items[1:]
		if reached[i] {
			continue
		}
		reached[i] = true
		out = append(out, x.basis.Graph.Items[i].ID)
		items = append(items, from[i]...)
	}
	return out
}

type offer struct {
	Course string // empty where the achievement is no completion of a course
	Badge  string
}

// aligned are the achievements in use that are aligned to items.
func aligned(ctx context.Context, tx pgx.Tx, who access.Actor, items []framework.ItemID) ([]offer, error) {
	rows, _ := tx.Query(ctx, `
		select distinct coalesce(a.course_id, '') as course, a.id as badge
		from achievement_alignment l
		join achievement a on a.institution_id = l.institution_id and a.id = l.achievement_id and a.retired_at is null
		where l.institution_id = @institution and l.item_id = any(@items)
		order by 1, 2`, pgx.NamedArgs{"institution": who.InstitutionID, "items": items})
	return pgx.CollectRows(rows, pgx.RowToStructByName[offer])
}

// walk takes one step after the other while one leads further.
func (x *session) walk(ctx context.Context, r *runner, l learner.ID, pieces []mastery.Piece, candidates []offering, out *Way) error {
	shown, err := x.show(ctx, candidates, "")
	if err != nil {
		return err
	}
	taken := &planned{}
	e := r.run(l, pieces, nil)
	for len(out.Steps) < maxSteps && e.results[0].status != Met {
		before := e.statuses()
		share := e.results[0].share
		best, found := -1, gain{}
		for i := range candidates {
			if candidates[i].name == "" {
				continue
			}
			g := r.gain(l, pieces, taken, shown, i, before, share)
			if g.share > 1e-9 && (best < 0 || found.less(g)) {
				best, found = i, g
			}
		}
		if best < 0 {
			break
		}
		taken = taken.with(shown, best)
		e = r.run(l, pieces, taken)
		out.Steps = append(out.Steps, candidates[best].step(e, before))
		candidates[best].name = ""
	}
	e = r.run(l, pieces, taken)
	out.Complete = e.results[0].status == Met
	for i := range e.p.nodes {
		if n := &e.p.nodes[i]; !n.Group() && e.results[i].status != Met {
			out.Open = append(out.Open, n.Key)
		}
	}
	return nil
}

// gain is how far a step leads.
type gain struct {
	free   bool // nothing that it closes has to wait for something else
	share  float64
	closed int
}

// less reports whether another leads further.
func (g gain) less(o gain) bool {
	if g.free != o.free {
		return o.free
	}
	if c := cmp.Compare(g.share, o.share); g.share < o.share-1e-9 || g.share > o.share+1e-9 {
		return c < 0
	}
	return g.closed < o.closed
}

func (r *runner) gain(l learner.ID, pieces []mastery.Piece, taken, shown *planned, i int, before []Status, share float64) gain {
	e := r.run(l, pieces, taken.with(shown, i))
	g := gain{free: true, share: e.results[0].share - share}
	for k, s := range before {
		if s != Met && e.results[k].status == Met {
			g.closed++
			g.free = g.free && s != Blocked
		}
	}
	return g
}

// with is what is taken and one more.
func (p *planned) with(shown *planned, i int) *planned {
	return &planned{append(slices.Clip(p.awards), shown.awards[i]), append(slices.Clip(p.pieces), shown.pieces[i])}
}

func (o offering) step(e *Evaluator, before []Status) Step {
	s := Step{Name: o.name, Share: e.results[0].share, Credits: round(e.results[0].credits)}
	if o.award.CourseID != "" {
		s.CourseID = &o.award.CourseID
	}
	if o.award.AchievementID != "" {
		s.AchievementID = &o.award.AchievementID
	}
	for k, was := range before {
		if was != Met && e.results[k].status == Met {
			s.Closes = append(s.Closes, e.p.nodes[k].Key)
		}
	}
	return s
}
