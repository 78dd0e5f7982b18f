package program

import (
	"context"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/event"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
)

// Service keeps programs and says how far learners are with them.
type Service struct {
	DB         *pg.DB
	Now        func() time.Time
	NewID      id.Source
	Mastery    *mastery.Service
	Assertions *assertion.Service
	Outbox     *event.Outbox // nil: nobody is told
}

// Content is what a version of a program says and when it begins.
type Content struct {
	EffectiveOn *day.Date // nil: today
	Definition  Definition
}

// Define adds a program; Conflict when the code is taken.
func (s *Service) Define(ctx context.Context, who access.Actor, code string, c Content) (Program, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Program{}, err
	}
	if code = strings.TrimSpace(code); code == "" || len(code) > 64 {
		return Program{}, fault.At("code", "required", "A program needs a code of at most 64 characters.")
	}
	now := pg.Instant(s.Now())
	p := Program{ID: ID(s.NewID("prg")), Code: code, Version: 1, EffectiveOn: day.On(now), RecordedAt: now, RecordedBy: who.ID}
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if p, err = s.decide(ctx, tx, who, p, c); err != nil {
			return err
		}
		if err := insert(ctx, tx, who, p); err != nil {
			return err
		}
		return tell(ctx, tx, who, p)
	})
	return p, err
}

// decide puts the content on a program, or says what is wrong with it.
func (s *Service) decide(ctx context.Context, tx pgx.Tx, who access.Actor, p Program, c Content) (Program, error) {
	d := c.Definition.Whole()
	if err := d.Check(); err != nil {
		return p, err
	}
	if err := acquainted(ctx, tx, who, d); err != nil {
		return p, err
	}
	p.Definition = d
	if c.EffectiveOn != nil {
		p.EffectiveOn = *c.EffectiveOn
	}
	return p, nil
}

// acquainted refuses a definition that names what is not here.
func acquainted(ctx context.Context, tx pgx.Tx, who access.Actor, d Definition) error {
	var items, courses, badges []string
	for _, n := range NewPlan(d, nil, nil).nodes {
		items, courses, badges = given(items, n.CompetencyID), given(courses, n.CourseID), given(badges, n.AchievementID)
	}
	for _, a := range d.Awards {
		badges = append(badges, string(a.AchievementID))
	}
	return known(ctx, tx, who, "requirement", items, courses, badges)
}

func given[T ~string](all []string, v T) []string {
	if v == "" {
		return all
	}
	return append(all, string(v))
}

func known(ctx context.Context, tx pgx.Tx, who access.Actor, field string, items, courses, badges []string) error {
	unknown, err := strangers(ctx, tx, who, items, courses, badges)
	if err != nil || len(unknown) == 0 {
		return err
	}
	return fault.At(field, "known", "There is no competency, course or achievement %q here.", unknown[0])
}

func tell(ctx context.Context, tx pgx.Tx, who access.Actor, p Program) error {
	return audit.Write(ctx, tx, p.RecordedAt, who, audit.Entry{Action: access.DefineCatalog, Target: string(p.ID),
		Detail: map[string]any{"code": p.Code, "version": p.Version, "effective": p.EffectiveOn}})
}

// Revise adds a version, which holds from its day on for those who enrol then.
// Conflict when expected is given and is not the latest version.
func (s *Service) Revise(ctx context.Context, who access.Actor, program string, expected *int, c Content) (Program, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Program{}, err
	}
	var p Program
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if p, err = find(ctx, tx, who, program, " for update of p"); err != nil {
			return err
		}
		if expected != nil && *expected != p.Version {
			return &fault.Error{Kind: fault.Conflict, Field: "expectedVersion", Rule: "version", Message: "This program was changed since you read it. Read it again and decide."}
		}
		if p.RetiredAt != nil {
			return &fault.Error{Kind: fault.State, Rule: "in-use", Message: "This program is retired. Define another one instead."}
		}
		old, now := p, pg.Instant(s.Now())
		p.EffectiveOn = day.On(now)
		if p, err = s.decide(ctx, tx, who, p, c); err != nil {
			return err
		}
		if reflect.DeepEqual(old, p) {
			return nil
		}
		p.Version, p.RecordedAt, p.RecordedBy = p.Version+1, now, who.ID
		if err := insertVersion(ctx, tx, who, p); err != nil {
			return err
		}
		return tell(ctx, tx, who, p)
	})
	return p, err
}

// Retire takes a program out of use: nobody enrols any more, and those who are
// enrolled go on. Doing it again changes nothing.
func (s *Service) Retire(ctx context.Context, who access.Actor, program string) (Program, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Program{}, err
	}
	var p Program
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if p, err = find(ctx, tx, who, program, " for update of p"); err != nil || p.RetiredAt != nil {
			return err
		}
		now := pg.Instant(s.Now())
		p.RetiredAt = &now
		if err := retire(ctx, tx, who, p, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.DefineCatalog, Target: string(p.ID), Detail: map[string]any{"retired": true}})
	})
	return p, err
}

// Find is one program by id or code, in its latest version.
func (s *Service) Find(ctx context.Context, who access.Actor, program string) (Program, error) {
	var p Program
	err := s.read(ctx, who, access.ReadCatalog, func(tx pgx.Tx) (err error) {
		p, err = find(ctx, tx, who, program, "")
		return err
	})
	return p, err
}

// Filter narrows a list.
type Filter struct {
	Text    *string // part of code or title
	Retired bool    // retired programs as well
}

type cursor struct {
	Code string `json:"c"`
	ID   ID     `json:"i"`
}

// List are programs by code, in their latest versions.
func (s *Service) List(ctx context.Context, who access.Actor, f Filter, a page.Args) (page.Connection[Program], error) {
	var c page.Connection[Program]
	limit, after, _, err := page.Start[cursor](a)
	if err != nil {
		return c, err
	}
	err = s.read(ctx, who, access.ReadCatalog, func(tx pgx.Tx) error {
		rows, err := list(ctx, tx, who, f, after, limit+1)
		c = page.Of(rows, limit, a, func(p Program) cursor { return cursor{p.Code, p.ID} })
		return err
	})
	return c, err
}

// VersionsOf are all versions of each program, the newest first.
func (s *Service) VersionsOf(ctx context.Context, who access.Actor, ids []ID) (map[ID][]Program, error) {
	all := make(map[ID][]Program, len(ids))
	err := s.read(ctx, who, access.ReadCatalog, func(tx pgx.Tx) error {
		rows, err := versionsOf(ctx, tx, who, ids)
		for _, p := range rows {
			all[p.ID] = append(all[p.ID], p)
		}
		return err
	})
	return all, err
}

// ByIDs are programs by id, in their latest versions.
func (s *Service) ByIDs(ctx context.Context, who access.Actor, ids []ID) (map[ID]Program, error) {
	all, err := s.VersionsOf(ctx, who, ids)
	out := make(map[ID]Program, len(all))
	for id, list := range all {
		out[id] = list[0]
	}
	return out, err
}

// Enrollment is that a learner is in a program, held to one of its versions.
type Enrollment struct {
	ProgramID  ID
	LearnerID  learner.ID
	Version    int
	EnrolledOn day.Date
	EndedOn    *day.Date // nil: goes on
	RecordedAt time.Time
	RecordedBy string
}

// NewEnrollment is an enrolment to be, or a change of one.
type NewEnrollment struct {
	LearnerID string // id or reference
	ProgramID string // id or code
	Version   *int   // nil: the one that holds on the day
	On        *day.Date
	EndedOn   *day.Date
}

// Enrol puts a learner into a program, or moves one to another version, or ends
// an enrolment.
func (s *Service) Enrol(ctx context.Context, who access.Actor, in NewEnrollment) (Enrollment, error) {
	if err := access.Check(who, access.ManageLearner); err != nil {
		return Enrollment{}, err
	}
	now := pg.Instant(s.Now())
	e := Enrollment{EnrolledOn: day.On(now), EndedOn: in.EndedOn, RecordedAt: now, RecordedBy: who.ID}
	if in.On != nil {
		e.EnrolledOn = *in.On
	}
	if e.EndedOn != nil && e.EndedOn.Before(e.EnrolledOn) {
		return e, fault.At("endedOn", "order", "An enrolment ends on the day it begins at the earliest.")
	}
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		l, err := learner.InTx(ctx, tx, who, in.LearnerID)
		if err != nil {
			return within(err, "learnerId")
		}
		p, err := find(ctx, tx, who, in.ProgramID, "")
		if err != nil {
			return within(err, "programId")
		}
		all, err := versionsOf(ctx, tx, who, []ID{p.ID})
		if err != nil {
			return err
		}
		e.LearnerID, e.ProgramID, e.Version = l.ID, p.ID, inForce(all, e.EnrolledOn).Version
		if in.Version != nil {
			e.Version = *in.Version
		}
		switch {
		case e.Version < 1 || e.Version > p.Version:
			return fault.At("version", "version-known", "This program has no version %d.", e.Version)
		case p.RetiredAt != nil && in.EndedOn == nil:
			return &fault.Error{Kind: fault.State, Field: "programId", Rule: "in-use", Message: "This program is retired: nobody enrols in it any more."}
		}
		if err := putEnrollment(ctx, tx, who, e); err != nil {
			return err
		}
		if err := s.changed(ctx, tx, who, &l.ID); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.ManageLearner, Target: string(l.ID),
			Detail: map[string]any{"program": p.ID, "version": e.Version, "enrolled": e.EnrolledOn, "ended": e.EndedOn}})
	})
	return e, err
}

// changed tells that a learner stands otherwise with a program. What changes for
// everybody is found by Reconcile.
func (s *Service) changed(ctx context.Context, tx pgx.Tx, who access.Actor, l *learner.ID) error {
	if l == nil {
		return nil
	}
	return s.Outbox.Emit(ctx, tx, event.StandingChanged{InstitutionID: who.InstitutionID, LearnerIDs: []string{string(*l)}})
}

// EnrollmentsOf are the enrolments of each learner, the first one first.
func (s *Service) EnrollmentsOf(ctx context.Context, who access.Actor, learners []learner.ID) (map[learner.ID][]Enrollment, error) {
	all := make(map[learner.ID][]Enrollment, len(learners))
	err := s.read(ctx, who, access.ReadLearner, func(tx pgx.Tx) error {
		rows, err := enrollments(ctx, tx, who, learners)
		for _, e := range rows {
			all[e.LearnerID] = append(all[e.LearnerID], e)
		}
		return err
	})
	return all, err
}

// Approve adds an equivalency in the name of who asks. One for everybody needs
// the right to define the catalogue, one for a learner that to manage learners.
func (s *Service) Approve(ctx context.Context, who access.Actor, in NewEquivalency) (Equivalency, error) {
	do := access.DefineCatalog
	if in.LearnerID != nil {
		do = access.ManageLearner
	}
	if err := access.Check(who, do); err != nil {
		return Equivalency{}, err
	}
	if err := in.check(); err != nil {
		return Equivalency{}, err
	}
	now := pg.Instant(s.Now())
	e := Equivalency{ID: EquivalencyID(s.NewID("eqv")), Ground: in.Ground, Given: in.Given, Instead: in.Instead, Reason: in.Reason,
		EffectiveOn: day.On(now), ApprovedBy: who.ID, RecordedAt: now}
	if in.EffectiveOn != nil {
		e.EffectiveOn = *in.EffectiveOn
	}
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		if in.LearnerID != nil {
			l, err := learner.InTx(ctx, tx, who, *in.LearnerID)
			if err != nil {
				return within(err, "learnerId")
			}
			e.LearnerID = &l.ID
		}
		err := known(ctx, tx, who, "given", given(given(nil, e.Given.CompetencyID), e.Instead.CompetencyID),
			given(given(nil, e.Given.CourseID), e.Instead.CourseID), given(given(nil, e.Given.AchievementID), e.Instead.AchievementID))
		if err != nil {
			return err
		}
		if err := insertEquivalency(ctx, tx, who, e); err != nil {
			return err
		}
		if err := s.changed(ctx, tx, who, e.LearnerID); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: do, Target: string(e.ID), Detail: map[string]any{"ground": e.Ground, "learner": e.LearnerID}})
	})
	return e, err
}

// WithdrawEquivalency ends an equivalency for every question asked from now on;
// doing it again changes nothing.
func (s *Service) WithdrawEquivalency(ctx context.Context, who access.Actor, equivalency string) (Equivalency, error) {
	if !access.Allowed(who, access.ManageLearner) {
		if err := access.Check(who, access.DefineCatalog); err != nil {
			return Equivalency{}, err
		}
	}
	var e Equivalency
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if e, err = findEquivalency(ctx, tx, who, EquivalencyID(equivalency)); err != nil || e.WithdrawnAt != nil {
			return err
		}
		do := access.DefineCatalog
		if e.LearnerID != nil {
			do = access.ManageLearner
		}
		if err := access.Check(who, do); err != nil {
			return err
		}
		now := pg.Instant(s.Now())
		e.WithdrawnAt = &now
		if err := withdrawEquivalency(ctx, tx, who, e.ID, now); err != nil {
			return err
		}
		if err := s.changed(ctx, tx, who, e.LearnerID); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: do, Target: string(e.ID), Detail: map[string]any{"withdrawn": true}})
	})
	return e, err
}

type equivalencyCursor struct {
	ID EquivalencyID `json:"i"`
}

// EquivalencyFilter narrows a list of equivalencies.
type EquivalencyFilter struct {
	LearnerID *learner.ID // only those for this one
	Withdrawn bool        // withdrawn ones as well
}

// Equivalencies are the equivalencies, the oldest first; a learner finds those
// for everybody and its own.
func (s *Service) Equivalencies(ctx context.Context, who access.Actor, f EquivalencyFilter, a page.Args) (page.Connection[Equivalency], error) {
	var c page.Connection[Equivalency]
	limit, after, _, err := page.Start[equivalencyCursor](a)
	if err != nil {
		return c, err
	}
	err = s.read(ctx, who, access.ReadLearner, func(tx pgx.Tx) error {
		rows, err := listEquivalencies(ctx, tx, who, f, after.ID, limit+1)
		c = page.Of(rows, limit, a, func(e Equivalency) equivalencyCursor { return equivalencyCursor{e.ID} })
		return err
	})
	return c, err
}

// EquivalenciesByIDs are equivalencies by id.
func (s *Service) EquivalenciesByIDs(ctx context.Context, who access.Actor, ids []EquivalencyID) (map[EquivalencyID]Equivalency, error) {
	out := make(map[EquivalencyID]Equivalency, len(ids))
	err := s.read(ctx, who, access.ReadLearner, func(tx pgx.Tx) error {
		rows, err := equivalenciesByIDs(ctx, tx, who, ids)
		for _, e := range rows {
			out[e.ID] = e
		}
		return err
	})
	return out, err
}

func within(err error, field string) error {
	if f, ok := fault.Of(err); ok {
		return f.Within(field)
	}
	return err
}

func (s *Service) read(ctx context.Context, who access.Actor, do access.Action, fn func(pgx.Tx) error) error {
	if err := access.Check(who, do); err != nil {
		return err
	}
	return s.DB.Snapshot(ctx, who, fn)
}
