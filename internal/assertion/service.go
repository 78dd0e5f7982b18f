package assertion

import (
	"context"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/event"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/once"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
)

// Service keeps assertions.
type Service struct {
	DB     *pg.DB
	Now    func() time.Time
	NewID  id.Source
	Outbox *event.Outbox // nil: nobody is told
}

// Award says that a learner earned an achievement, or completed a course.
type Award struct {
	LearnerID     string // id or ref:SYSTEM:VALUE
	AchievementID string // id, uri or ref:SYSTEM:VALUE; or
	CourseID      string // id, code or ref:SYSTEM:VALUE
	Ref           *id.Ref
	Facts         Facts
}

// Award records that a learner earned an achievement. The achievement must be
// in use, and every result must fit one of its descriptions; otherwise the fault
// names the field. Awarding the same achievement twice for one activity is a
// Conflict.
func (s *Service) Award(ctx context.Context, who access.Actor, key *string, in Award) (Assertion, error) {
	if err := access.Check(who, access.Award); err != nil {
		return Assertion{}, err
	}
	var a Assertion
	if err := s.prepare(ctx, who, []Award{in}); err != nil {
		return Assertion{}, err
	}
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		a, err = s.AwardInTx(ctx, who, tx, key, in)
		return err
	})
	return a, err
}

// AwardInTx is Award in another noun's transaction. A course has to have its
// achievement already.
func (s *Service) AwardInTx(ctx context.Context, who access.Actor, tx pgx.Tx, key *string, in Award) (Assertion, error) {
	if err := access.Check(who, access.Award); err != nil {
		return Assertion{}, err
	}
	request := once.Request{Key: key, Operation: "awardAchievement", Input: in}
	earlier, replay, err := once.Find(ctx, tx, who, request)
	if err != nil {
		return Assertion{}, err
	}
	if replay {
		return find(ctx, tx, who, earlier, "")
	}
	a, err := s.award(ctx, tx, who, in)
	if err != nil {
		return Assertion{}, err
	}
	if err := once.Keep(ctx, tx, s.Now(), who, request, string(a.ID)); err != nil {
		return Assertion{}, err
	}
	if err := s.Outbox.Emit(ctx, tx, event.Awarded{InstitutionID: who.InstitutionID, AssertionIDs: []string{string(a.ID)}}); err != nil {
		return Assertion{}, err
	}
	return a, audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.Award, Target: string(a.ID),
		Detail: map[string]any{"learner": a.LearnerID, "achievement": a.AchievementID, "version": a.AchievementVersion}})
}

// prepare makes the achievements of the courses that are to be awarded where
// they are missing. The system does it: who awards need not be able to define.
func (s *Service) prepare(ctx context.Context, who access.Actor, rows []Award) error {
	var names []string
	for _, r := range rows {
		if r.CourseID != "" {
			names = append(names, r.CourseID)
		}
	}
	if len(names) == 0 {
		return nil
	}
	system := access.SystemOf(who.InstitutionID, "award")
	return s.DB.Tenant(ctx, system, func(tx pgx.Tx) error {
		var all []course.Course
		for _, name := range names {
			c, err := course.InTx(ctx, tx, system, name)
			if fault.KindOf(err) == fault.NotFound {
				continue // the award that names it says so
			}
			if err != nil {
				return err
			}
			all = append(all, c)
		}
		_, err := achievement.ForCourses(ctx, tx, system, bulk.Batch{Now: s.Now(), NewID: s.NewID}, all)
		return err
	})
}

// award decides on and writes one award.
func (s *Service) award(ctx context.Context, tx pgx.Tx, who access.Actor, in Award) (Assertion, error) {
	l, err := learner.InTx(ctx, tx, who, in.LearnerID)
	if err != nil {
		return Assertion{}, within(err, "learnerId")
	}
	ach, err := s.awarded(ctx, tx, who, in)
	if err != nil {
		return Assertion{}, err
	}
	if ach.RetiredAt != nil {
		return Assertion{}, &fault.Error{Kind: fault.State, Field: "achievementId", Rule: "in-use", Message: "This achievement is retired and is not awarded any more."}
	}
	now := pg.Instant(s.Now())
	f := in.Facts.withGrade(ach.Definition)
	if err := f.Check(ach.Definition, day.On(now)); err != nil {
		return Assertion{}, err
	}
	a := f.Of(Assertion{ID: ID(s.NewID("asn")), LearnerID: l.ID, AchievementID: ach.ID, AchievementVersion: ach.Version,
		RecordedAt: now, RecordedBy: who.ID, UpdatedAt: now, Version: 1})
	if in.Ref != nil {
		a.RefSystem, a.RefValue = &in.Ref.System, &in.Ref.Value
	}
	return a, insert(ctx, tx, who, a)
}

// awarded is the achievement that is meant, or the course's own.
func (s *Service) awarded(ctx context.Context, tx pgx.Tx, who access.Actor, in Award) (achievement.Achievement, error) {
	if (in.AchievementID == "") == (in.CourseID == "") {
		return achievement.Achievement{}, fault.At("achievementId", "one-of", "Name either an achievement or a course.")
	}
	if in.AchievementID != "" {
		a, err := achievement.InTx(ctx, tx, who, in.AchievementID)
		return a, within(err, "achievementId")
	}
	c, err := course.InTx(ctx, tx, who, in.CourseID)
	if err != nil {
		return achievement.Achievement{}, within(err, "courseId")
	}
	all, err := achievement.ForCourses(ctx, tx, who, bulk.Batch{Now: s.Now(), NewID: s.NewID}, []course.Course{c})
	return all[c.ID], err
}

func within(err error, field string) error {
	if f, ok := fault.Of(err); ok {
		return f.Within(field)
	}
	return err
}

// Awarded is what became of one of many awards.
type Awarded struct {
	Assertion *Assertion // nil when it failed
	Err       *fault.Error
}

// MaxInline is how many awards one request may hold; more is an import.
const MaxInline = 100

// AwardMany records up to MaxInline awards. With rejectAll nothing is recorded
// unless every row holds; without it, the rows that hold are.
func (s *Service) AwardMany(ctx context.Context, who access.Actor, rejectAll bool, rows []Award) ([]Awarded, error) {
	if err := access.Check(who, access.Award); err != nil {
		return nil, err
	}
	if len(rows) == 0 || len(rows) > MaxInline {
		return nil, fault.At("awards", "count", "Send between 1 and %d awards; more are an import.", MaxInline)
	}
	if err := s.prepare(ctx, who, rows); err != nil {
		return nil, err
	}
	out := make([]Awarded, len(rows))
	failed := 0
	undo := fault.New(fault.Invalid, "at least one row failed")
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		for i, in := range rows {
			err := pgx.BeginFunc(ctx, tx, func(sub pgx.Tx) error {
				a, err := s.award(ctx, sub, who, in)
				out[i].Assertion = &a
				return pg.Fault(err)
			})
			if f, ok := fault.Of(err); ok && f.Kind != fault.Unavailable && f.Kind != fault.Forbidden {
				out[i] = Awarded{Err: f.Within("awards." + itoa(i))}
				failed++
			} else if err != nil {
				return err
			}
		}
		if failed == len(rows) || rejectAll && failed > 0 {
			return undo
		}
		if err := s.Outbox.Emit(ctx, tx, event.Awarded{InstitutionID: who.InstitutionID, AssertionIDs: madeOf(out)}); err != nil {
			return err
		}
		return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.Award, Target: string(firstOf(out)), Detail: map[string]any{"awarded": len(rows) - failed}})
	})
	if err == error(undo) {
		for i := range out {
			out[i].Assertion = nil
		}
		err = nil
	}
	return out, err
}

func madeOf(all []Awarded) []string {
	var ids []string
	for _, a := range all {
		if a.Assertion != nil {
			ids = append(ids, string(a.Assertion.ID))
		}
	}
	return ids
}

func firstOf(all []Awarded) ID {
	for _, a := range all {
		if a.Assertion != nil {
			return a.Assertion.ID
		}
	}
	return ""
}

// Correct replaces the facts of an assertion under the version it was made
// under, with a reason for the audit.
func (s *Service) Correct(ctx context.Context, who access.Actor, assertion string, expected *int, reason string, f Facts) (Assertion, error) {
	if strings.TrimSpace(reason) == "" || len(reason) > maxReason {
		return Assertion{}, fault.At("reason", "required", "Say why this is corrected, in at most %d characters.", maxReason)
	}
	if err := access.Check(who, access.Award); err != nil {
		return Assertion{}, err
	}
	var a Assertion
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		a, err = s.change(ctx, tx, who, change{do: access.Award, assertion: assertion, expected: expected, detail: map[string]any{"corrected": true, "reason": reason},
			decide: func(a *Assertion) error { return s.correct(ctx, tx, who, a, f) }})
		return err
	})
	return a, err
}

func (s *Service) correct(ctx context.Context, tx pgx.Tx, who access.Actor, a *Assertion, f Facts) error {
	if a.WithdrawnAt != nil {
		return &fault.Error{Kind: fault.State, Rule: "not-withdrawn", Message: "This was withdrawn; award it again instead of correcting it."}
	}
	pins, err := achievement.VersionsInTx(ctx, tx, who, []achievement.Pin{a.Pin()})
	if err != nil {
		return err
	}
	f = f.following(a.Grade, pins[a.Pin()].Definition).withGrade(pins[a.Pin()].Definition)
	if err := f.Check(pins[a.Pin()].Definition, day.On(s.Now())); err != nil {
		return err
	}
	*a = f.Of(*a)
	return nil
}

// Withdraw takes an assertion back with a reason; doing it again changes
// nothing. It stays on file.
func (s *Service) Withdraw(ctx context.Context, who access.Actor, assertion, reason string) (Assertion, error) {
	var a Assertion
	if err := access.Check(who, access.Withdraw); err != nil {
		return a, err
	}
	if len(reason) > maxReason {
		return a, fault.At("reason", "too-long", "A reason has at most %d characters.", maxReason)
	}
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		a, err = s.WithdrawInTx(ctx, who, tx, assertion, reason)
		return err
	})
	return a, err
}

// WithdrawInTx is Withdraw in another noun's transaction.
func (s *Service) WithdrawInTx(ctx context.Context, who access.Actor, tx pgx.Tx, assertion, reason string) (Assertion, error) {
	if err := access.Check(who, access.Withdraw); err != nil {
		return Assertion{}, err
	}
	if strings.TrimSpace(reason) == "" {
		return Assertion{}, fault.At("reason", "required", "Say why this is withdrawn: it is kept with the assertion.")
	}
	now := pg.Instant(s.Now())
	return s.change(ctx, tx, who, change{do: access.Withdraw, assertion: assertion, detail: map[string]any{"withdrawn": true}, decide: func(a *Assertion) error {
		if a.WithdrawnAt == nil {
			a.WithdrawnAt, a.WithdrawnBy, a.WithdrawnReason = &now, &who.ID, &reason
		}
		return nil
	}})
}

// change is what is to become of an assertion that is on file.
type change struct {
	do        access.Action
	assertion string // id or reference
	expected  *int
	detail    map[string]any // for the audit
	decide    func(*Assertion) error
}

func (s *Service) change(ctx context.Context, tx pgx.Tx, who access.Actor, c change) (Assertion, error) {
	a, err := find(ctx, tx, who, c.assertion, " for update")
	if err != nil {
		return a, err
	}
	if c.expected != nil && *c.expected != a.Version {
		return a, &fault.Error{Kind: fault.Conflict, Field: "expectedVersion", Rule: "version", Message: "This assertion was changed since you read it. Read it again and decide."}
	}
	old := a
	if err := c.decide(&a); err != nil || reflect.DeepEqual(old, a) {
		return a, err
	}
	a.Version, a.UpdatedAt = a.Version+1, pg.Instant(s.Now())
	if err := update(ctx, tx, who, a); err != nil {
		return a, err
	}
	if err := s.Outbox.Emit(ctx, tx, told(who, a)); err != nil {
		return a, err
	}
	return a, audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: c.do, Target: string(a.ID), Detail: c.detail})
}

// told is the event of a change.
func told(who access.Actor, a Assertion) river.JobArgs {
	if a.WithdrawnAt != nil {
		return event.Withdrawn{InstitutionID: who.InstitutionID, AssertionID: string(a.ID)}
	}
	return event.StandingChanged{InstitutionID: who.InstitutionID, LearnerIDs: []string{string(a.LearnerID)}}
}

// Find is one assertion by id or ref:SYSTEM:VALUE.
func (s *Service) Find(ctx context.Context, who access.Actor, assertion string) (Assertion, error) {
	var a Assertion
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		a, err = find(ctx, tx, who, assertion, "")
		return err
	})
	return a, err
}

// ByIDs are assertions by id.
func (s *Service) ByIDs(ctx context.Context, who access.Actor, ids []ID) (map[ID]Assertion, error) {
	all := make(map[ID]Assertion, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := byIDs(ctx, tx, who, ids)
		for _, a := range rows {
			all[a.ID] = a
		}
		return err
	})
	return all, err
}

// Filter narrows a list.
type Filter struct {
	Term          *string
	AchievedFrom  *day.Date
	AchievedUntil *day.Date
	Withdrawn     bool // withdrawn ones as well
}

type cursor struct {
	On day.Date `json:"o"`
	ID ID       `json:"i"`
}

func (a Assertion) cursor() cursor { return cursor{a.AchievedOn, a.ID} }

// OfLearners are the assertions of each learner, newest first, one page of each.
func (s *Service) OfLearners(ctx context.Context, who access.Actor, ids []learner.ID, f Filter, a page.Args) (map[learner.ID]page.Connection[Assertion], error) {
	return pages(ctx, s, who, ids, f, a, ofLearners)
}

// OfAchievements are the assertions of each achievement, newest first.
func (s *Service) OfAchievements(ctx context.Context, who access.Actor, ids []achievement.ID, f Filter, a page.Args) (map[achievement.ID]page.Connection[Assertion], error) {
	return pages(ctx, s, who, ids, f, a, ofAchievements)
}

// OfItems are the assertions behind each competency: of every achievement that
// is aligned to it, newest first, one page of each.
func (s *Service) OfItems(ctx context.Context, who access.Actor, ids []framework.ItemID, f Filter, a page.Args) (map[framework.ItemID]page.Connection[Assertion], error) {
	return pages(ctx, s, who, ids, f, a, ofItems)
}

// HoldersOf is how many learners have an award, not withdrawn, of an
// achievement that is aligned to each competency. Staff.
func (s *Service) HoldersOf(ctx context.Context, who access.Actor, ids []framework.ItemID) (map[framework.ItemID]int, error) {
	if err := access.Check(who, access.ReadLearner); err != nil {
		return nil, err
	}
	if !who.Staff() {
		return nil, fault.New(fault.Forbidden, "Only staff may see how many learners hold a competency.")
	}
	all := make(map[framework.ItemID]int, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			select l.item_id, count(distinct a.learner_id)
			from achievement_alignment l
			join assertion a on a.institution_id = l.institution_id and a.achievement_id = l.achievement_id and a.withdrawn_at is null
			where l.institution_id = @institution and l.item_id = any(@ids)
			group by l.item_id`, pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
		if err != nil {
			return err
		}
		var item framework.ItemID
		var n int
		_, err = pgx.ForEachRow(rows, []any{&item, &n}, func() error { all[item] = n; return nil })
		return err
	})
	return all, err
}

// List are all assertions, newest first.
func (s *Service) List(ctx context.Context, who access.Actor, f Filter, a page.Args) (page.Connection[Assertion], error) {
	all, err := pages(ctx, s, who, []string{""}, f, a, everyone)
	return all[""], err
}

type pageQuery func(ctx context.Context, tx pgx.Tx, narrow string, args pgx.NamedArgs) ([]row, error)

// pages cuts one statement's rows, at most limit+1 for each key, into a page
// for each key.
func pages[K ~string](ctx context.Context, s *Service, who access.Actor, keys []K, f Filter, a page.Args, query pageQuery) (map[K]page.Connection[Assertion], error) {
	limit, after, more, err := page.Start[cursor](a)
	if err != nil {
		return nil, err
	}
	var on *day.Date
	if more {
		on = &after.On
	}
	narrow := f.narrow(who.OnlyLearner(), on)
	args := pgx.NamedArgs{"institution": who.InstitutionID, "only": who.OnlyLearner(), "term": f.Term, "from": f.AchievedFrom, "until": f.AchievedUntil,
		"withdrawn": f.Withdrawn, "on": on, "id": after.ID, "limit": limit + 1, "keys": texts(keys)}
	out := make(map[K]page.Connection[Assertion], len(keys))
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := query(ctx, tx, narrow, args)
		byKey := make(map[K][]Assertion, len(keys))
		for len(rows) > 0 { // the rows of a key stand together
			n := 1
			for n < len(rows) && rows[n].Key == rows[0].Key {
				n++
			}
			own := make([]Assertion, n)
			for i := range own {
				own[i] = rows[i].Assertion
			}
			byKey[K(rows[0].Key)], rows = own, rows[n:]
		}
		for _, k := range keys {
			out[k] = page.Of(byKey[k], limit, a, Assertion.cursor)
		}
		return err
	})
	return out, err
}

// texts are ids as the database takes them.
func texts[K ~string](ids []K) []string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = string(id)
	}
	return all
}

func (s *Service) read(ctx context.Context, who access.Actor, fn func(pgx.Tx) error) error {
	if err := access.Check(who, access.ReadLearner); err != nil {
		return err
	}
	return s.DB.Snapshot(ctx, who, fn)
}
