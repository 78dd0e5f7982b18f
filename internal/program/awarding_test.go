package program_test

import (
	"context"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/testbed"
)

// college is a service with courses, badges and a learner in a program.
type college struct {
	*testbed.Bed
	t     *testing.T
	who   access.Actor
	rules access.Actor // what works in the background
	ada   learner.ID
}

func newCollege(t *testing.T) *college {
	c := &college{Bed: testbed.New(t), t: t}
	c.who, c.rules = c.Registrar(), access.SystemOf(string(c.Home.ID), "award")
	l, err := c.Learners.Define(c.ctx(), c.who, learner.Definition{DisplayName: "Ada Quist"})
	c.ada = testbed.Must(t, l, err).ID
	return c
}

func (c *college) ctx() context.Context { return c.t.Context() }

func (c *college) course(code string) course.ID {
	n, err := c.Courses.Define(c.ctx(), c.who, course.Definition{Code: code, Title: code})
	return testbed.Must(c.t, n, err).ID
}

func (c *college) badge(name string) achievement.ID {
	a, err := c.Achievements.Define(c.ctx(), c.who, achievement.Draft{Definition: achievement.Definition{Name: name, Description: name, Criteria: &openbadges.Criteria{Narrative: name}}})
	return testbed.Must(c.t, a, err).ID
}

// program enrols the learner in a program of one requirement for each rule.
func (c *college) program(code string, parts []program.Requirement, rules ...program.AwardRule) program.Program {
	p, err := c.Programs.Define(c.ctx(), c.As(access.Designer), code, program.Content{Definition: program.Definition{Title: code, Awards: rules,
		Requirement: program.Requirement{Key: "whole", Kind: program.All, Parts: parts}}})
	testbed.Must(c.t, p, err)
	_, err = c.Programs.Enrol(c.ctx(), c.who, program.NewEnrollment{LearnerID: string(c.ada), ProgramID: code})
	return testbed.Must(c.t, p, err)
}

func (c *college) earn(code, grade string) assertion.Assertion {
	a, err := c.Assertions.Award(c.ctx(), c.who, nil, assertion.Award{LearnerID: string(c.ada), CourseID: code, Facts: assertion.Facts{AchievedOn: day.Of(2026, 5, 1), Grade: &grade}})
	return testbed.Must(c.t, a, err)
}

func (c *college) regrade(a assertion.Assertion, grade string) {
	_, err := c.Assertions.Correct(c.ctx(), c.who, string(a.ID), nil, "entered wrongly", assertion.Facts{AchievedOn: a.AchievedOn, Grade: &grade})
	testbed.Must(c.t, 0, err)
}

// conclude looks at everybody twice: what is asked for again changes nothing.
func (c *college) conclude() program.Concluded {
	c.t.Helper()
	got, err := c.Programs.Reconcile(c.ctx(), c.rules)
	testbed.Must(c.t, got, err)
	again, err := c.Programs.Conclude(c.ctx(), c.rules, []learner.ID{c.ada, c.ada})
	if testbed.Must(c.t, again, err); !again.Zero() && got.Awarded == 0 {
		c.t.Errorf("looked at again: %+v", again)
	}
	return got
}

func (c *college) proposals(states ...string) []program.Proposal {
	c.t.Helper()
	all, err := c.Programs.Proposals(c.ctx(), c.who, program.ProposalFilter{States: states}, page.Args{})
	return testbed.Must(c.t, all, err).Nodes
}

func (c *college) held(a achievement.ID) []assertion.Assertion {
	c.t.Helper()
	all, err := c.Assertions.OfAchievements(c.ctx(), c.who, []achievement.ID{a}, assertion.Filter{}, page.Args{})
	return testbed.Must(c.t, all, err)[a].Nodes
}

func taking(courses ...course.ID) []program.Requirement {
	var out []program.Requirement
	for _, id := range courses {
		out = append(out, program.Requirement{Kind: program.Course, CourseID: id, Grade: "C"})
	}
	return out
}

func TestARequirementThatIsMetIsProposedAndOneThatStopsBeingMetToo(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	badge := c.badge("Core")
	c.program("BSC", taking(c.course("MATH 1"), c.course("MATH 2")), program.AwardRule{Requirement: "whole", AchievementID: badge, Policy: program.Propose})
	c.earn("MATH 1", "B")
	if got := c.conclude(); !got.Zero() {
		t.Errorf("half of it: %+v", got)
	}
	second := c.earn("MATH 2", "C")
	if got := c.conclude(); got.Proposed != 1 {
		t.Fatalf("all of it: %+v", got)
	}
	p := c.proposals()[0]
	if p.Kind != program.ToAward || *p.MetOn != day.Of(2026, 5, 1) || !strings.Contains(p.Reason, `"whole" of BSC (BSC, version 1) is met: 2 of 2 met.`) {
		t.Errorf("%+v", p)
	}
	if len(c.held(badge)) != 0 {
		t.Error("it was awarded without anybody's decision")
	}
	if _, err := c.Programs.Accept(c.ctx(), c.As(access.Designer), string(p.ID), ""); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a designer accepts: %v", err)
	}
	for range 2 {
		done, err := c.Programs.Accept(c.ctx(), c.As(access.Assessor), string(p.ID), "seen")
		if testbed.Must(t, done, err); done.State != program.Accepted || done.AssertionID == nil {
			t.Errorf("%+v", done)
		}
	}
	if n := len(c.held(badge)); n != 1 {
		t.Fatalf("%d awards", n)
	}
	if got := c.conclude(); !got.Zero() {
		t.Errorf("held: %+v", got)
	}
	c.regrade(second, "D")
	if got := c.conclude(); got.Proposed != 1 {
		t.Fatalf("after the correction: %+v", got)
	}
	p = c.proposals()[0]
	if p.Kind != program.ToWithdraw || !strings.Contains(p.Reason, "not met any more: 1 of 2 met.") || !strings.Contains(p.Reason, "with D; a grade of C or better is needed.") {
		t.Errorf("%+v", p)
	}
	if len(c.held(badge)) != 1 {
		t.Error("it was taken away silently")
	}
	if _, err := c.Programs.Accept(c.ctx(), c.As(access.Assessor), string(p.ID), ""); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("an assessor withdraws: %v", err)
	}
	if _, err := c.Programs.Decline(c.ctx(), c.who, string(p.ID), " "); fault.KindOf(err) != fault.Invalid {
		t.Errorf("declined without a reason: %v", err)
	}
	_, err := c.Programs.Decline(c.ctx(), c.who, string(p.ID), "The committee lets it stand.")
	testbed.Must(t, 0, err)
	if got := c.conclude(); !got.Zero() || len(c.held(badge)) != 1 {
		t.Errorf("proposed again after it was declined: %+v", got)
	}
	c.regrade(second, "A")
	c.conclude()
	c.regrade(second, "F")
	if got := c.conclude(); got.Proposed != 1 {
		t.Fatalf("it was met in between: %+v", got)
	}
	p = c.proposals()[0]
	c.regrade(second, "A") // and no event came
	if _, err := c.Programs.Accept(c.ctx(), c.who, string(p.ID), ""); fault.KindOf(err) != fault.State || !strings.Contains(err.Error(), "met again") {
		t.Errorf("a withdrawal whose cause is over is accepted: %v", err)
	}
	c.regrade(second, "F")
	c.conclude()
	done, err := c.Programs.Accept(c.ctx(), c.who, string(c.proposals()[0].ID), "")
	testbed.Must(t, done, err)
	gone, err := c.Assertions.Find(c.ctx(), c.who, string(*done.AssertionID))
	if testbed.Must(t, gone, err); gone.WithdrawnAt == nil || *gone.WithdrawnReason != done.Reason {
		t.Errorf("%+v", gone)
	}
	if got := c.conclude(); !got.Zero() {
		t.Errorf("withdrawn: %+v", got)
	}
}

func TestARuleThatAwardsByItselfDoesSoOnce(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	badge := c.badge("Core")
	c.program("BSC", taking(c.course("MATH 1")), program.AwardRule{Requirement: "whole", AchievementID: badge, Policy: program.Award})
	c.earn("MATH 1", "B")
	if got := c.conclude(); got.Awarded != 1 {
		t.Fatalf("%+v", got)
	}
	c.conclude()
	given := c.held(badge)
	if len(given) != 1 || given[0].AchievedOn != day.Of(2026, 5, 1) || !strings.Contains(*given[0].Narrative, "is met") {
		t.Fatalf("%+v", given)
	}
	_, err := c.Assertions.Withdraw(c.ctx(), c.who, string(given[0].ID), "copied work")
	testbed.Must(t, 0, err)
	if got := c.conclude(); got.Awarded != 0 || got.Proposed != 1 {
		t.Errorf("what a person took back is given back by itself: %+v", got)
	}
	if p := c.proposals()[0]; p.Obstacle == nil || !strings.Contains(*p.Obstacle, "withdrawn") {
		t.Errorf("%+v", p)
	}
}

func TestWhatStandsInTheWayOfAnAwardIsSaid(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	badge := c.badge("Core")
	c.program("BSC", taking(c.course("MATH 1")), program.AwardRule{Requirement: "whole", AchievementID: badge, Policy: program.Award})
	_, err := c.Achievements.Retire(c.ctx(), c.who, string(badge))
	testbed.Must(t, 0, err)
	c.earn("MATH 1", "B")
	if got := c.conclude(); got.Awarded != 0 || got.Proposed != 1 {
		t.Fatalf("%+v", got)
	}
	if p := c.proposals()[0]; p.Obstacle == nil || !strings.Contains(*p.Obstacle, "retired") {
		t.Errorf("%+v", p)
	}
}

// Two badges that each ask for the other one, or for a course, stand while the
// course does and fall together: neither holds the other one up.
func TestWhatRulesGaveDoesNotHoldItselfUp(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	one, two, after := c.badge("One"), c.badge("Two"), c.badge("After")
	first := c.course("MATH 1")
	either := func(key string, a achievement.ID) program.Requirement {
		return program.Requirement{Key: key, Kind: program.Any, Count: 1, Parts: []program.Requirement{
			{Key: key + " course", Kind: program.Course, CourseID: first}, {Key: key + " badge", Kind: program.Achievement, AchievementID: a}}}
	}
	c.program("BSC", []program.Requirement{either("a", two), either("b", one), {Key: "c", Kind: program.Achievement, AchievementID: one}},
		program.AwardRule{Requirement: "a", AchievementID: one, Policy: program.Award}, program.AwardRule{Requirement: "b", AchievementID: two, Policy: program.Award},
		program.AwardRule{Requirement: "c", AchievementID: after, Policy: program.Award})
	taken := c.earn("MATH 1", "B")
	c.conclude()
	c.conclude()
	if len(c.held(one)) != 1 || len(c.held(two)) != 1 || len(c.held(after)) != 1 {
		t.Fatalf("%d %d %d", len(c.held(one)), len(c.held(two)), len(c.held(after)))
	}
	c.regrade(taken, "F")
	if got := c.conclude(); got.Proposed != 3 {
		t.Fatalf("%+v %+v", got, c.proposals())
	}
	for _, p := range c.proposals() {
		if p.AchievementID == one {
			_, err := c.Programs.Decline(c.ctx(), c.who, string(p.ID), "It stands.")
			testbed.Must(t, 0, err)
		}
	}
	if got := c.conclude(); got.Expired != 2 || len(c.proposals()) != 0 {
		t.Errorf("what rests on what was let stand: %+v %+v", got, c.proposals())
	}
}
