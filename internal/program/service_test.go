package program_test

import (
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/testbed"
)

// TestProgressOfALearner enrols a learner of the demonstration in a program over
// its courses and follows progress, a plan, the short way, a transfer and a
// withdrawal.
func TestProgressOfALearner(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	b.Load(t)
	ctx, who := t.Context(), b.Registrar()
	page1, err := b.Courses.List(ctx, who, course.Filter{}, page.Args{})
	courses := testbed.Must(t, page1, err).Nodes
	if len(courses) < 3 {
		t.Fatalf("%d courses", len(courses))
	}
	ada, err := b.Learners.Define(ctx, who, learner.Definition{DisplayName: "Ada Quist"})
	testbed.Must(t, ada, err)
	need := func(i int, after ...string) program.Requirement {
		return program.Requirement{Key: courses[i].Code, Title: courses[i].Title, Kind: program.Course, CourseID: courses[i].ID, Grade: "C", After: after}
	}
	p, err := b.Programs.Define(ctx, b.As(access.Designer), "BSC", program.Content{Definition: program.Definition{Title: "Bachelor",
		Requirement: program.Requirement{Kind: program.All, Title: "Bachelor", Parts: []program.Requirement{need(0), need(1, courses[0].Code), need(2)}}}})
	testbed.Must(t, p, err)
	_, err = b.Programs.Define(ctx, b.As(access.Designer), "BSC", program.Content{Definition: p.Definition})
	if fault.KindOf(err) != fault.Conflict {
		t.Errorf("a second program of the code: %v", err)
	}
	_, err = b.Programs.Enrol(ctx, who, program.NewEnrollment{LearnerID: string(ada.ID), ProgramID: "BSC"})
	testbed.Must(t, 0, err)
	award := func(i int, grade string) assertion.Assertion {
		a, err := b.Assertions.Award(ctx, who, nil, assertion.Award{LearnerID: string(ada.ID), CourseID: courses[i].Code, Facts: assertion.Facts{AchievedOn: day.Of(2026, 5, 1), Grade: &grade}})
		return testbed.Must(t, a, err)
	}
	ask := program.Ask{Learner: ada.ID, Program: p.ID}
	states := func(w program.WhatIf) (program.Report, string) {
		all, err := b.Programs.Of(ctx, who, []program.Ask{ask}, mastery.When{}, w)
		r := testbed.Must(t, all, err)[ask]
		out := ""
		for _, l := range r.Requirements {
			out += string("-bpm"[l.Status])
		}
		return r, out
	}
	if r, got := states(program.WhatIf{}); got != "--b-" || r.Missing != 2 || r.Blocked != 1 {
		t.Errorf("at first %s %+v", got, r)
	}
	earned := award(0, "B")
	if _, got := states(program.WhatIf{}); got != "pm--" {
		t.Errorf("with one %s", got)
	}
	r, got := states(program.WhatIf{Courses: []string{courses[1].Code}, Grade: "A"})
	if got != "pmm-" || strings.Join(r.Changed, " ") != courses[1].Code {
		t.Errorf("planned %s %v", got, r.Changed)
	}
	if _, got := states(program.WhatIf{}); got != "pm--" {
		t.Errorf("a plan was written: %s", got)
	}
	_, err = b.Programs.Approve(ctx, b.As(access.Designer), program.NewEquivalency{})
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("an empty equivalency: %v", err)
	}
	id := string(ada.ID)
	_, err = b.Programs.Approve(ctx, b.As(access.Designer), program.NewEquivalency{LearnerID: &id})
	if fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a designer approves for a learner: %v", err)
	}
	q, err := b.Programs.Approve(ctx, who, program.NewEquivalency{LearnerID: &id, Ground: program.Transfer, Given: program.Given{Text: "MATH 9 at Hillside"},
		Instead: program.Instead{CourseID: courses[2].ID, Grade: "B", Credits: 3}, Reason: "Same syllabus"})
	testbed.Must(t, q, err)
	if r, got := states(program.WhatIf{}); got != "pm-m" || r.Requirements[3].Equivalency == nil || *r.Requirements[3].Equivalency != q.ID {
		t.Errorf("with transfer %s %+v", got, r.Requirements[3])
	}
	_, err = b.Assertions.Withdraw(ctx, who, string(earned.ID), "entered for the wrong person")
	testbed.Must(t, 0, err)
	if _, got := states(program.WhatIf{}); got != "p-bm" {
		t.Errorf("withdrawn %s", got)
	}
	stranger := b.As(access.Learner)
	bob, err := b.Learners.Define(ctx, who, learner.Definition{DisplayName: "Bob Quist"})
	stranger.LearnerID = string(testbed.Must(t, bob, err).ID)
	if all, err := b.Programs.Of(ctx, stranger, []program.Ask{ask}, mastery.When{}, program.WhatIf{}); err != nil || len(all) > 0 {
		t.Errorf("another learner reads %v %v", all, err)
	}
	neighbour := who
	neighbour.InstitutionID = string(b.Neighbour.ID)
	if _, err := b.Programs.Find(ctx, neighbour, string(p.ID)); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a neighbour finds it: %v", err)
	}
	way, err := b.Programs.Shortest(ctx, who, ask, mastery.When{})
	if testbed.Must(t, way, err); len(way.Steps) != 2 || !way.Complete || *way.Steps[0].CourseID != courses[0].ID || *way.Steps[1].CourseID != courses[1].ID {
		t.Errorf("the way is %+v", way)
	}
}
