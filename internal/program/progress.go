package program

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
)

// Ask is one learner against one program. Version 0 is the one that the learner
// is held to by enrolment, or else the one that holds on the day.
type Ask struct {
	Learner learner.ID
	Program ID
	Version int
}

// WhatIf is what a learner might do, as if it were done and passed today.
type WhatIf struct {
	Courses      []string // ids or codes
	Achievements []string // ids or references
	Grade        string   // that all of it is passed with; whatever is asked for unless said
}

const maxPlanned = 50

func (w WhatIf) empty() bool { return len(w.Courses)+len(w.Achievements) == 0 }

// Report is how far a learner is with a program.
type Report struct {
	LearnerID    learner.ID
	ProgramID    *ID // nil: a list of competencies
	Version      int
	AsOf         day.Date
	KnownAt      time.Time
	Status       Status
	Share        float64 // of what is needed, from 0 to 1
	Credits      float64
	ClockHours   float64
	Met          int // how many requirements that are no groups
	InProgress   int
	Missing      int
	Blocked      int
	Requirements []Progress // depth first
	Changed      []string   // keys whose state what is planned changes
}

// session is a moment at which progress is asked.
type session struct {
	s     *Service
	who   access.Actor
	tx    pgx.Tx
	basis *mastery.Basis
	done  map[achievement.ID]completion
}

func (s *Service) open(ctx context.Context, who access.Actor, tx pgx.Tx, w mastery.When) (*session, error) {
	b, err := s.Mastery.Basis(ctx, who, tx, w)
	if err != nil {
		return nil, err
	}
	done, err := completions(ctx, tx, who)
	return &session{s, who, tx, b, done}, err
}

// earned adds to all what pieces are as awards. Of several versions of an award
// only that counts which was on file.
func (x *session) earned(all []Earned, pieces []mastery.Piece, planned bool) []Earned {
	for i := range pieces {
		p := &pieces[i]
		if !p.Counts(x.basis.At) {
			continue
		}
		a := Earned{ID: p.ID, AchievementID: p.Of.AchievementID, Grade: p.Grade, On: p.On.Date(), Planned: planned, Open: p.Open, Failed: p.Failed}
		if c, ok := x.done[a.AchievementID]; ok {
			a.CourseID, a.Credits = c.CourseID, c.Credits
		}
		if p.Credits != nil {
			a.Credits = *p.Credits
		}
		all = append(all, a)
	}
	return all
}

// runner evaluates one plan.
type runner struct {
	x      *session
	eval   *Evaluator
	states *mastery.Evaluator // nil: the plan asks for no competency
	awards []Earned
	pieces []mastery.Piece
}

func (x *session) runner(p *Plan) *runner {
	r := &runner{x: x, eval: NewEvaluator(p)}
	if len(p.items) > 0 {
		r.states = mastery.NewEvaluator(x.basis.Model, x.basis.At, p.items...)
	}
	return r
}

// run evaluates a learner's evidence and what is planned besides.
func (r *runner) run(l learner.ID, pieces []mastery.Piece, w *planned) *Evaluator {
	r.awards = r.x.earned(r.awards[:0], pieces, false)
	if w != nil {
		r.awards = append(r.awards, w.awards...)
		r.pieces = append(append(r.pieces[:0], pieces...), w.pieces...)
		pieces = r.pieces
	}
	if r.states == nil {
		r.eval.Run(l, r.awards, nil)
		return r.eval
	}
	r.states.Run(pieces)
	r.eval.Run(l, r.awards, r.states)
	return r.eval
}

// planned is what a plan would show.
type planned struct {
	awards []Earned
	pieces []mastery.Piece
}

// plan resolves what a learner might do. It costs three statements at the most.
func (x *session) plan(ctx context.Context, w WhatIf) (*planned, error) {
	if w.empty() {
		return nil, nil
	}
	if len(w.Courses)+len(w.Achievements) > maxPlanned {
		return nil, fault.At("plan", "too-many", "Plan at most %d courses and achievements at a time.", maxPlanned)
	}
	courses, err := course.Resolve(ctx, x.tx, x.who, "", w.Courses)
	if err != nil {
		return nil, err
	}
	badges, err := achievement.Resolve(ctx, x.tx, x.who, "", w.Achievements)
	if err != nil {
		return nil, err
	}
	var all []offering
	for _, name := range w.Courses {
		c, ok := courses[name]
		if !ok {
			return nil, fault.At("plan.courses", "known", "There is no course %q here.", name)
		}
		all = append(all, x.course(c))
	}
	for _, name := range w.Achievements {
		a, ok := badges[name]
		if !ok {
			return nil, fault.At("plan.achievements", "known", "There is no achievement %q here.", name)
		}
		all = append(all, badge(a))
	}
	return x.show(ctx, all, w.Grade)
}

// offering is a course or an achievement that a learner could do.
type offering struct {
	award Earned
	of    mastery.Offering
	name  string
}

func (x *session) course(c course.Course) offering {
	o := offering{award: Earned{CourseID: c.ID, Planned: true}, of: mastery.Offering{Course: &c.ID}, name: c.Code + " " + c.Title}
	if c.Credits != nil {
		o.award.Credits = *c.Credits
	}
	for id, done := range x.done {
		if done.CourseID == c.ID {
			o.award.AchievementID = id
			o.of.Pin = achievement.Pin{AchievementID: id, Version: done.Version}
		}
	}
	return o
}

func badge(a achievement.Achievement) offering {
	o := offering{award: Earned{AchievementID: a.ID, Planned: true}, of: mastery.Offering{Pin: achievement.Pin{AchievementID: a.ID, Version: a.Version}}, name: a.Definition.Name}
	if a.CourseID != nil {
		o.award.CourseID = *a.CourseID
	}
	return o
}

// show is what offerings would show, all passed with a grade.
func (x *session) show(ctx context.Context, all []offering, grade string) (*planned, error) {
	out := &planned{}
	of := make([]mastery.Offering, len(all))
	for i, o := range all {
		o.award.Grade, o.award.On = grade, x.basis.At.AsOf.Date()
		of[i] = o.of
		of[i].Grade = grade
		out.awards = append(out.awards, o.award)
	}
	var err error
	out.pieces, err = x.s.Mastery.Planned(ctx, x.who, x.tx, x.basis, of)
	return out, err
}

// report tells what a run found.
func (x *session) report(l learner.ID, e *Evaluator) Report {
	out := Report{LearnerID: l, AsOf: x.basis.At.AsOf.Date(), KnownAt: x.basis.Asked}
	root := &e.results[0]
	out.Status, out.Share, out.Credits, out.ClockHours = root.status, root.share, round(root.credits), round(root.hours)
	out.Requirements = make([]Progress, e.p.Size())
	for i := range out.Requirements {
		out.Requirements[i] = e.Line(int32(i))
		if e.p.nodes[i].Group() {
			continue
		}
		switch out.Requirements[i].Status {
		case Met:
			out.Met++
		case InProgress:
			out.InProgress++
		case Blocked:
			out.Blocked++
		default:
			out.Missing++
		}
	}
	return out
}

// changed marks what is planned in the report of a run with it, against the
// states of a run without.
func changed(out *Report, before []Status) {
	for i := range out.Requirements {
		if r := &out.Requirements[i]; r.Status != before[i] {
			r.Planned = true
			out.Changed = append(out.Changed, r.Requirement.Key)
		}
	}
}

func (e *Evaluator) statuses() []Status {
	out := make([]Status, len(e.results))
	for i := range out {
		out[i] = e.results[i].status
	}
	return out
}

// Of is the progress of each learner with each program that is asked for; none
// where there is no such program. Nothing is written. It costs the same
// statements for one learner and for a hundred.
func (s *Service) Of(ctx context.Context, who access.Actor, asks []Ask, w mastery.When, what WhatIf) (map[Ask]Report, error) {
	out := make(map[Ask]Report, len(asks))
	var learners []learner.ID
	var programs []ID
	for _, a := range asks {
		learners, programs = append(learners, a.Learner), append(programs, a.Program)
	}
	slices.Sort(learners)
	learners = slices.Compact(learners)
	err := s.read(ctx, who, access.ReadLearner, func(tx pgx.Tx) error {
		if err := seen(ctx, tx, who, &learners); err != nil {
			return err
		}
		x, err := s.open(ctx, who, tx, w)
		if err != nil {
			return err
		}
		all, err := versionsOf(ctx, tx, who, programs)
		if err != nil {
			return err
		}
		held, err := enrollments(ctx, tx, who, learners)
		if err != nil {
			return err
		}
		eq, err := equivalencies(ctx, tx, who, learners, x.basis.At.AsOf.Date(), x.basis.Asked)
		if err != nil {
			return err
		}
		plan, err := x.plan(ctx, what)
		if err != nil {
			return err
		}
		g := &group{x: x, all: all, held: held, equivalencies: eq, runners: map[Ask]*runner{}, of: map[learner.ID][]Ask{}}
		for _, a := range asks {
			g.of[a.Learner] = append(g.of[a.Learner], a)
		}
		return s.Mastery.Evidence(ctx, who, tx, x.basis, learners, mastery.Counting, func(l learner.ID, pieces []mastery.Piece) error {
			for _, a := range g.of[l] {
				if r, ok := g.report(a, pieces, plan); ok {
					out[a] = r
				}
			}
			return nil
		})
	})
	return out, err
}

// seen leaves the learners whom the actor may see.
func seen(ctx context.Context, tx pgx.Tx, who access.Actor, all *[]learner.ID) error {
	there, err := learner.ByIDsInTx(ctx, tx, who, *all)
	*all = slices.DeleteFunc(*all, func(l learner.ID) bool { _, ok := there[l]; return !ok })
	return err
}

// group is several learners against several programs.
type group struct {
	x             *session
	all           []Program
	held          []Enrollment
	equivalencies []Equivalency
	runners       map[Ask]*runner // by program and version
	of            map[learner.ID][]Ask
}

func (g *group) report(a Ask, pieces []mastery.Piece, plan *planned) (Report, bool) {
	p, ok := versionFor(g.all, g.held, a, g.x.basis.At.AsOf.Date())
	if !ok {
		return Report{}, false
	}
	k := Ask{Program: p.ID, Version: p.Version}
	r := g.runners[k]
	if r == nil {
		r = g.x.runner(NewPlan(p.Definition, g.x.basis, g.equivalencies))
		g.runners[k] = r
	}
	before := r.run(a.Learner, pieces, nil).statuses()
	e := r.eval
	if plan != nil {
		e = r.run(a.Learner, pieces, plan)
	}
	out := g.x.report(a.Learner, e)
	out.ProgramID, out.Version = &p.ID, p.Version
	changed(&out, before)
	return out, true
}

// versionFor is the version that an ask is about.
func versionFor(all []Program, held []Enrollment, a Ask, on day.Date) (Program, bool) {
	var of []Program
	for _, p := range all {
		if p.ID == a.Program {
			of = append(of, p)
		}
	}
	if len(of) == 0 {
		return Program{}, false
	}
	version := a.Version
	for _, e := range held {
		if version == 0 && e.ProgramID == a.Program && e.LearnerID == a.Learner {
			version = e.Version
		}
	}
	if version == 0 {
		return inForce(of, on), true
	}
	i := slices.IndexFunc(of, func(p Program) bool { return p.Version == version })
	if i < 0 {
		return Program{}, false
	}
	return of[i], true
}

// Target is a competency that is looked for, at a level or above.
type Target struct {
	CompetencyID framework.ItemID
	Level        string
}

const maxTargets = 500

// Gap is how far a learner is with a list of competencies, such as those of a
// job. Nothing is written.
func (s *Service) Gap(ctx context.Context, who access.Actor, l learner.ID, title string, targets []Target, w mastery.When, what WhatIf) (Report, error) {
	if len(targets) == 0 || len(targets) > maxTargets {
		return Report{}, fault.At("competencies", "range", "Ask for between 1 and %d competencies.", maxTargets)
	}
	d := Definition{Title: title, Requirement: Requirement{Title: title, Kind: All}}
	if title == "" {
		d.Title, d.Requirement.Title = "Competencies", "Competencies"
	}
	var items []string
	for _, t := range targets {
		items = append(items, string(t.CompetencyID))
		d.Requirement.Parts = append(d.Requirement.Parts, Requirement{Kind: Competency, CompetencyID: t.CompetencyID, Level: t.Level})
	}
	if d = d.Whole(); d.Check() != nil {
		return Report{}, d.Check()
	}
	var out Report
	err := s.read(ctx, who, access.ReadLearner, func(tx pgx.Tx) error {
		if err := known(ctx, tx, who, "competencies", items, nil, nil); err != nil {
			return err
		}
		x, r, pieces, err := s.one(ctx, who, tx, l, d, w)
		if err != nil {
			return err
		}
		for i := range r.eval.p.nodes { // they are called what the competencies are called
			if n := &r.eval.p.nodes[i]; n.item >= 0 {
				n.Title = x.basis.Graph.Items[n.item].Name()
			}
		}
		plan, err := x.plan(ctx, what)
		if err != nil {
			return err
		}
		before := r.run(l, pieces, nil).statuses()
		out = x.report(l, r.run(l, pieces, plan))
		changed(&out, before)
		return nil
	})
	return out, err
}

// one prepares the evaluation of one learner by a definition.
func (s *Service) one(ctx context.Context, who access.Actor, tx pgx.Tx, l learner.ID, d Definition, w mastery.When) (*session, *runner, []mastery.Piece, error) {
	learners := []learner.ID{l}
	if err := seen(ctx, tx, who, &learners); err != nil {
		return nil, nil, nil, err
	}
	if len(learners) == 0 {
		return nil, nil, nil, fault.Missing("learner")
	}
	x, err := s.open(ctx, who, tx, w)
	if err != nil {
		return nil, nil, nil, err
	}
	eq, err := equivalencies(ctx, tx, who, learners, x.basis.At.AsOf.Date(), x.basis.Asked)
	if err != nil {
		return nil, nil, nil, err
	}
	var mine []mastery.Piece
	err = s.Mastery.Evidence(ctx, who, tx, x.basis, learners, mastery.Counting, func(_ learner.ID, pieces []mastery.Piece) error {
		mine = slices.Clone(pieces)
		return nil
	})
	return x, x.runner(NewPlan(d, x.basis, eq)), mine, err
}

// Question is what is asked of learners' programs.
type Question struct {
	When      mastery.When
	ProgramID *ID // only this one, enrolled or not; nil: those that they are enrolled in
	Version   int // of it; 0: the one held to
	Plan      WhatIf
}

// ProgressOf is the progress of each learner with the programs that are asked
// for, those enrolled in first one first. It costs the same statements for one
// learner and for a hundred.
func (s *Service) ProgressOf(ctx context.Context, who access.Actor, learners []learner.ID, q Question) (map[learner.ID][]Report, error) {
	var asks []Ask
	if q.ProgramID != nil {
		for _, l := range learners {
			asks = append(asks, Ask{l, *q.ProgramID, q.Version})
		}
	} else {
		held, err := s.EnrollmentsOf(ctx, who, learners)
		if err != nil {
			return nil, err
		}
		for _, l := range learners {
			for _, e := range held[l] {
				asks = append(asks, Ask{l, e.ProgramID, e.Version})
			}
		}
	}
	out := make(map[learner.ID][]Report, len(learners))
	if len(asks) == 0 {
		return out, nil
	}
	all, err := s.Of(ctx, who, asks, q.When, q.Plan)
	for _, a := range asks {
		if r, ok := all[a]; ok {
			out[a.Learner] = append(out[a.Learner], r)
		}
	}
	return out, err
}
