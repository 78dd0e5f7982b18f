// Package extract is what the competency engine knows as rows, for files and for
// pictures: the competencies of a learner, the holders of a competency, how far
// the learners of a program are, the coverage of a curriculum, and what counts in
// place of something else.
//
// Rows are read a page at a time, all at one moment, and written as they come:
// however many there are, few of them are in memory, and no transaction is held
// open for a slow reader. Whoever may read something in the API may extract it,
// and finds the same. Where rows tell of learners, a line in the audit says who
// took them, before the first is written.
package extract

import (
	"context"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/program"
)

// Service reads rows.
type Service struct {
	DB           *pg.DB
	Now          func() time.Time
	Learners     *learner.Service
	Frameworks   *framework.Service
	Courses      *course.Service
	Achievements *achievement.Service
	Mastery      *mastery.Service
	Programs     *program.Service
}

// Want is what is wanted of learners: as of when, and only those with these
// statuses.
type Want struct {
	When     mastery.When
	Statuses []mastery.Status
}

// pageSize is how many rows, or learners, are read at a time.
const pageSize = 100

// moment is the clock of an extract: one moment for all of its pages.
func (s *Service) moment(w mastery.When) mastery.When {
	now := pg.Instant(s.Now())
	if w.KnownAt == nil {
		w.KnownAt = &now
	}
	if w.AsOf == nil {
		today := day.On(now)
		w.AsOf = &today
	}
	return w
}

// tell writes into the audit that rows about learners were taken.
func (s *Service) tell(ctx context.Context, who access.Actor, what, target string) error {
	if err := access.Check(who, access.ExportLearner); err != nil {
		return err
	}
	return s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.ExportLearner, Target: target, Detail: map[string]any{"extract": what}})
	})
}

// State is a row about a learner and a competency.
type State struct {
	LearnerID    string   `json:"learner_id"`
	LearnerRef   string   `json:"learner_ref,omitempty"` // the number in the institution's own system
	Learner      string   `json:"learner"`
	FrameworkID  string   `json:"framework_id"`
	CompetencyID string   `json:"competency_id"`
	Identifier   string   `json:"identifier"` // of CASE
	Code         string   `json:"code,omitempty"`
	Statement    string   `json:"statement"`
	Status       string   `json:"status"`
	Level        string   `json:"level,omitempty"`
	Value        *float64 `json:"value,omitempty"`
	AchievedOn   string   `json:"achieved_on,omitempty"`
	LapsesOn     string   `json:"lapses_on,omitempty"`
	ByCrosswalk  bool     `json:"by_crosswalk"`
	Rule         string   `json:"rule,omitempty"`
	RuleVersion  *int     `json:"rule_version,omitempty"`
	AsOf         string   `json:"as_of"`
	KnownAt      string   `json:"known_at"`
}

func state(l learner.Learner, i framework.Item, st mastery.Standing) State {
	r := State{LearnerID: string(l.ID), LearnerRef: text(l.RefValue), Learner: l.DisplayName, FrameworkID: string(i.FrameworkID), CompetencyID: string(i.ID),
		Identifier: i.Identifier, Code: text(i.HumanCodingScheme), Statement: i.FullStatement, Status: st.Status.String(), Level: text(st.Level), Value: st.Value,
		AchievedOn: date(st.AchievedOn), LapsesOn: date(st.LapsesOn), ByCrosswalk: st.ByCrosswalk, AsOf: st.AsOf.String(), KnownAt: st.KnownAt.UTC().Format(time.RFC3339Nano)}
	if st.Rule != nil {
		r.Rule, r.RuleVersion = st.Rule.Name, &st.Rule.Version
	}
	return r
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func date(d *day.Date) string {
	if d == nil {
		return ""
	}
	return d.String()
}

// Competencies writes what a learner holds, is working on and has lost, in the
// order of the frameworks.
func (s *Service) Competencies(ctx context.Context, who access.Actor, name string, w Want, form string, to io.Writer) error {
	l, err := s.Learners.Find(ctx, who, name)
	if err != nil {
		return err
	}
	out, err := newSheet[State](form, to)
	if err != nil {
		return err
	}
	if err := s.tell(ctx, who, "competencies", string(l.ID)); err != nil {
		return err
	}
	err = s.states(ctx, who, l, w, func(i framework.Item, st mastery.Standing) error { return out.write(state(l, i, st)) })
	if err != nil {
		return err
	}
	return out.end()
}

// states reads the standings of a learner with their competencies.
func (s *Service) states(ctx context.Context, who access.Actor, l learner.Learner, w Want, each func(framework.Item, mastery.Standing) error) error {
	f := mastery.Filter{When: s.moment(w.When), Statuses: w.Statuses}
	size := pageSize
	for a := (page.Args{First: &size}); ; {
		found, err := s.Mastery.Standings(ctx, who, []learner.ID{l.ID}, f, a)
		if err != nil {
			return err
		}
		c := found[l.ID]
		if err := s.named(ctx, who, c.Nodes, each); err != nil || !c.PageInfo.HasNextPage {
			return err
		}
		a.After = c.PageInfo.EndCursor
	}
}

// named hands over standings with their competencies.
func (s *Service) named(ctx context.Context, who access.Actor, all []mastery.Standing, each func(framework.Item, mastery.Standing) error) error {
	ids := make([]framework.ItemID, len(all))
	for i, st := range all {
		ids[i] = st.ItemID
	}
	items, err := s.Frameworks.ItemsByIDs(ctx, who, ids)
	if err != nil {
		return err
	}
	for _, st := range all {
		if err := each(items[st.ItemID], st); err != nil {
			return err
		}
	}
	return nil
}

// Holders writes the learners in a competency, by id: those who hold it, unless
// other statuses are wanted.
func (s *Service) Holders(ctx context.Context, who access.Actor, name string, w Want, form string, to io.Writer) error {
	i, err := s.Frameworks.FindItem(ctx, who, name)
	if err != nil {
		return err
	}
	out, err := newSheet[State](form, to)
	if err != nil {
		return err
	}
	if err := s.tell(ctx, who, "holders", string(i.ID)); err != nil {
		return err
	}
	f := mastery.Filter{When: s.moment(w.When), Statuses: w.Statuses}
	size := pageSize
	for a := (page.Args{First: &size}); ; {
		found, err := s.Mastery.Holders(ctx, who, []framework.ItemID{i.ID}, f, a)
		if err != nil {
			return err
		}
		c := found[i.ID]
		ids := make([]learner.ID, len(c.Nodes))
		for n, st := range c.Nodes {
			ids[n] = st.LearnerID
		}
		people, err := s.Learners.ByIDs(ctx, who, ids)
		if err != nil {
			return err
		}
		for _, st := range c.Nodes {
			if err := out.write(state(people[st.LearnerID], i, st)); err != nil {
				return err
			}
		}
		if !c.PageInfo.HasNextPage {
			return out.end()
		}
		a.After = c.PageInfo.EndCursor
	}
}

// Step is a row about a learner and a requirement of a program.
type Step struct {
	LearnerID   string  `json:"learner_id"`
	LearnerRef  string  `json:"learner_ref,omitempty"`
	Learner     string  `json:"learner"`
	Program     string  `json:"program"` // its code
	Version     int     `json:"version"` // that the learner is held to
	EnrolledOn  string  `json:"enrolled_on"`
	Requirement string  `json:"requirement"` // its key
	Title       string  `json:"title"`
	Kind        string  `json:"kind"`
	Depth       int     `json:"depth"`
	Status      string  `json:"status"`
	Share       float64 `json:"share"`
	Credits     float64 `json:"credits"`
	ClockHours  float64 `json:"clock_hours"`
	Equivalency string  `json:"equivalency,omitempty"`
	Reason      string  `json:"reason"`
	AsOf        string  `json:"as_of"`
	KnownAt     string  `json:"known_at"`
}

// Progress writes how far each learner of a program is with each requirement,
// learners by id, groups before their parts. The learners are those enrolled on
// the day asked for.
func (s *Service) Progress(ctx context.Context, who access.Actor, name string, w Want, form string, to io.Writer) error {
	p, err := s.Programs.Find(ctx, who, name)
	if err != nil {
		return err
	}
	out, err := newSheet[Step](form, to)
	if err != nil {
		return err
	}
	if err := s.tell(ctx, who, "progress", string(p.ID)); err != nil {
		return err
	}
	err = s.cohort(ctx, who, p, s.moment(w.When), func(l learner.Learner, e program.Enrollment, r program.Report) error {
		for _, line := range r.Requirements {
			if err := out.write(step(l, p, e, r, line)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return out.end()
}

// cohort reads the reports of those who are enrolled, a page at a time.
func (s *Service) cohort(ctx context.Context, who access.Actor, p program.Program, when mastery.When, each func(learner.Learner, program.Enrollment, program.Report) error) error {
	for after, more := learner.ID(""), true; more; {
		all, err := s.Programs.Enrolled(ctx, who, p.ID, *when.AsOf, after, pageSize)
		if err != nil {
			return err
		}
		ids := make([]learner.ID, len(all))
		for i, e := range all {
			ids[i] = e.LearnerID
			after = e.LearnerID
		}
		people, err := s.Learners.ByIDs(ctx, who, ids)
		if err != nil {
			return err
		}
		reports, err := s.Programs.ProgressOf(ctx, who, ids, program.Question{When: when, ProgramID: &p.ID})
		if err != nil {
			return err
		}
		for _, e := range all {
			for _, r := range reports[e.LearnerID] {
				if err := each(people[e.LearnerID], e, r); err != nil {
					return err
				}
			}
		}
		more = len(all) == pageSize
	}
	return nil
}

func step(l learner.Learner, p program.Program, e program.Enrollment, r program.Report, x program.Progress) Step {
	out := Step{LearnerID: string(l.ID), LearnerRef: text(l.RefValue), Learner: l.DisplayName, Program: p.Code, Version: r.Version, EnrolledOn: e.EnrolledOn.String(),
		Requirement: x.Requirement.Key, Title: x.Requirement.Title, Kind: x.Requirement.Kind, Depth: x.Requirement.Depth, Status: x.Status.String(), Share: x.Share,
		Credits: x.Credits, ClockHours: x.ClockHours, Reason: x.Reason, AsOf: r.AsOf.String(), KnownAt: r.KnownAt.UTC().Format(time.RFC3339Nano)}
	if x.Equivalency != nil {
		out.Equivalency = string(*x.Equivalency)
	}
	return out
}

// Covered is a row about a competency and a curriculum.
type Covered struct {
	FrameworkID  string   `json:"framework_id"`
	Version      int      `json:"version"`
	CompetencyID string   `json:"competency_id"`
	Identifier   string   `json:"identifier"`
	Code         string   `json:"code,omitempty"`
	Statement    string   `json:"statement"`
	Depth        int      `json:"depth"`
	Introduced   string   `json:"introduced"` // direct, below, above or never
	Practised    string   `json:"practised"`
	Assessed     string   `json:"assessed"`
	IntroducedBy []string `json:"introduced_by"` // courses, by code
	PractisedBy  []string `json:"practised_by"`
	AssessedBy   []string `json:"assessed_by"`
	Achievements int      `json:"achievements"` // that are aligned to it
}

// Coverage writes where a curriculum introduces, practises and assesses each
// competency of a framework. It tells of no learner.
func (s *Service) Coverage(ctx context.Context, who access.Actor, name, form string, to io.Writer) error {
	c, err := s.Courses.Coverage(ctx, who, name)
	if err != nil {
		return err
	}
	courses, err := s.Courses.ByIDs(ctx, who, c.Courses)
	if err != nil {
		return err
	}
	out, err := newSheet[Covered](form, to)
	if err != nil {
		return err
	}
	for from := 0; from < len(c.Rows); from += pageSize {
		rows := c.Rows[from:min(from+pageSize, len(c.Rows))]
		ids := make([]framework.ItemID, len(rows))
		for i, r := range rows {
			ids[i] = r.Item
		}
		items, err := s.Frameworks.ItemsByIDs(ctx, who, ids)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := out.write(covered(c, r, items[r.Item], courses)); err != nil {
				return err
			}
		}
	}
	return out.end()
}

func covered(c course.Coverage, r course.Row, i framework.Item, courses map[course.ID]course.Course) Covered {
	out := Covered{FrameworkID: string(c.Framework), Version: c.Version, CompetencyID: string(r.Item), Identifier: i.Identifier, Code: text(i.HumanCodingScheme), Statement: i.FullStatement,
		Depth: r.Depth, Introduced: r.Introduced, Practised: r.Practised, Assessed: r.Assessed, Achievements: r.Badges,
		IntroducedBy: []string{}, PractisedBy: []string{}, AssessedBy: []string{}}
	by := map[string]*[]string{course.Introduced: &out.IntroducedBy, course.Practised: &out.PractisedBy, course.Assessed: &out.AssessedBy}
	for _, m := range r.Mappings {
		if list := by[m.Stage]; list != nil {
			*list = append(*list, courses[m.CourseID].Code)
		}
	}
	return out
}

// Instead is a row about what counts in place of something else.
type Instead struct {
	ID          string  `json:"id"`
	Ground      string  `json:"ground"`
	LearnerID   string  `json:"learner_id,omitempty"` // empty: for everybody
	Given       string  `json:"given"`                // a competency, course or achievement by code or name, or a text
	Level       string  `json:"level,omitempty"`
	Grade       string  `json:"grade,omitempty"`
	CountsAs    string  `json:"counts_as"`
	AsGrade     string  `json:"as_grade,omitempty"`
	Credits     float64 `json:"credits"`
	ClockHours  float64 `json:"clock_hours"`
	Resident    bool    `json:"resident"`
	Reason      string  `json:"reason"`
	EffectiveOn string  `json:"effective_on"`
	ApprovedBy  string  `json:"approved_by"`
	RecordedAt  string  `json:"recorded_at"`
	WithdrawnAt string  `json:"withdrawn_at,omitempty"`
}

// Equivalencies writes what counts in place of something else, by id, what was
// withdrawn as well.
func (s *Service) Equivalencies(ctx context.Context, who access.Actor, form string, to io.Writer) error {
	out, err := newSheet[Instead](form, to)
	if err != nil {
		return err
	}
	if err := s.tell(ctx, who, "equivalencies", who.InstitutionID); err != nil {
		return err
	}
	size := pageSize
	for a := (page.Args{First: &size}); ; {
		c, err := s.Programs.Equivalencies(ctx, who, program.EquivalencyFilter{}, a)
		if err != nil {
			return err
		}
		n, err := s.namesIn(ctx, who, c.Nodes)
		if err != nil {
			return err
		}
		for _, e := range c.Nodes {
			if err := out.write(n.instead(e)); err != nil {
				return err
			}
		}
		if !c.PageInfo.HasNextPage {
			return out.end()
		}
		a.After = c.PageInfo.EndCursor
	}
}

// names are what equivalencies name.
type names struct {
	items   map[framework.ItemID]framework.Item
	courses map[course.ID]course.Course
	badges  map[achievement.ID]achievement.Achievement
}

func (s *Service) namesIn(ctx context.Context, who access.Actor, all []program.Equivalency) (n names, err error) {
	var items []framework.ItemID
	var courses []course.ID
	var badges []achievement.ID
	for _, e := range all {
		items = append(items, e.Given.CompetencyID, e.Instead.CompetencyID)
		courses = append(courses, e.Given.CourseID, e.Instead.CourseID)
		badges = append(badges, e.Given.AchievementID, e.Instead.AchievementID)
	}
	if n.items, err = s.Frameworks.ItemsByIDs(ctx, who, items); err != nil {
		return n, err
	}
	if n.courses, err = s.Courses.ByIDs(ctx, who, courses); err != nil {
		return n, err
	}
	n.badges, err = s.Achievements.ByIDs(ctx, who, badges)
	return n, err
}

func (n names) of(i framework.ItemID, c course.ID, a achievement.ID) string {
	switch {
	case i != "":
		return label(n.items[i])
	case c != "":
		return n.courses[c].Code + " " + n.courses[c].Title
	case a != "":
		return n.badges[a].Definition.Name
	}
	return ""
}

// label is a competency by its code and the shortest statement it has.
func label(i framework.Item) string {
	name := i.FullStatement
	if i.AbbreviatedStatement != nil && *i.AbbreviatedStatement != "" {
		name = *i.AbbreviatedStatement
	}
	if i.HumanCodingScheme != nil && *i.HumanCodingScheme != "" {
		return *i.HumanCodingScheme + " " + name
	}
	return name
}

func (n names) instead(e program.Equivalency) Instead {
	out := Instead{ID: string(e.ID), Ground: e.Ground, Given: n.of(e.Given.CompetencyID, e.Given.CourseID, e.Given.AchievementID), Level: e.Given.Level, Grade: e.Given.Grade,
		CountsAs: n.of(e.Instead.CompetencyID, e.Instead.CourseID, e.Instead.AchievementID), AsGrade: e.Instead.Grade, Credits: e.Instead.Credits,
		ClockHours: e.Instead.ClockHours, Resident: e.Instead.Resident, Reason: e.Reason, EffectiveOn: e.EffectiveOn.String(), ApprovedBy: e.ApprovedBy,
		RecordedAt: e.RecordedAt.UTC().Format(time.RFC3339Nano)}
	if out.Given == "" {
		out.Given = e.Given.Text
	}
	if e.LearnerID != nil {
		out.LearnerID = string(*e.LearnerID)
	}
	if e.WithdrawnAt != nil {
		out.WithdrawnAt = e.WithdrawnAt.UTC().Format(time.RFC3339Nano)
	}
	return out
}
