package mastery_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/testbed"
)

// college is the demonstration institution with its framework, courses,
// achievements and no learners' work.
type college struct {
	*testbed.Bed
	t *testing.T
}

func open(t *testing.T) *college {
	t.Helper()
	c := &college{testbed.New(t), t}
	for _, f := range demo.Files()[:4] {
		if j := c.Import(t, exchange.Kind(f.Kind), f.Data, exchange.Options{System: demo.System}); j.FailedCount > 0 {
			t.Fatalf("%s: %+v", f.Name, j)
		}
	}
	return c
}

func (c *college) learner(name string) learner.ID {
	l, err := c.Learners.Define(c.t.Context(), c.Registrar(), learner.Definition{DisplayName: name})
	return testbed.Must(c.t, l, err).ID
}

func (c *college) item(code string) framework.ItemID {
	var found framework.ItemID
	err := c.DB.Snapshot(c.t.Context(), c.Registrar(), func(tx pgx.Tx) error {
		all, err := framework.Resolve(c.t.Context(), tx, c.Registrar(), []string{code})
		found = all[code]
		return err
	})
	return testbed.Must(c.t, found, err)
}

// award is an award of the achievement of a competency at a level of its rubric.
func (c *college) award(l learner.ID, code, level, on string) assertion.Assertion {
	c.t.Helper()
	uri := "https://aldersound.example/achievements/COMP-" + code
	f := assertion.Facts{AchievedOn: must(day.Parse(on))}
	if level != "" {
		f.Results = []assertion.Result{{Description: uri + "#mastery", Level: uri + "#level-" + level}}
	}
	a, err := c.Assertions.Award(c.t.Context(), c.Registrar(), nil, assertion.Award{LearnerID: string(l), AchievementID: uri, Facts: f})
	return testbed.Must(c.t, a, err)
}

func (c *college) state(l learner.ID, code string, w mastery.When) mastery.State {
	c.t.Helper()
	all, err := c.Mastery.Of(c.t.Context(), c.Registrar(), []learner.ID{l}, w)
	held := testbed.Must(c.t, all, err)[l]
	i, ok := held.Basis.Find(c.item(code))
	if !ok {
		c.t.Fatalf("%s is not in the basis", code)
	}
	return held.States.Of(i)
}

func (c *college) explain(l learner.ID, code string, w mastery.When) string {
	c.t.Helper()
	ask := mastery.Ask{Learner: l, Item: c.item(code)}
	all, err := c.Mastery.Explain(c.t.Context(), c.Registrar(), []mastery.Ask{ask}, w)
	x, ok := testbed.Must(c.t, all, err)[ask]
	if !ok {
		c.t.Fatalf("%s is not explained", code)
	}
	return x.Reason.Text()
}

func TestEvidenceComesFromTheRubricOfTheAward(t *testing.T) {
	t.Parallel()
	c := open(t)
	ada := c.learner("Ada")
	c.award(ada, "B.1", "2", "2026-03-01")
	if got := say(c.state(ada, "B.1", mastery.When{})); got != "in_progress 2" {
		t.Errorf("Developing, where Proficient is required: %s", got)
	}
	c.award(ada, "B.1", "4", "2026-05-01")
	if got := say(c.state(ada, "B.1", mastery.When{})); got != "met 4 since 2026-05-01" {
		t.Error(got)
	}
	if got := say(c.state(ada, "B", mastery.When{})); got != "in_progress" {
		t.Errorf("the area: %s", got)
	}
	text := c.explain(ada, "B.1", mastery.When{})
	for _, want := range []string{"B.1 Exploring is met at Advanced since 1 May 2026.", "Exploring was awarded on 1 March 2026, recorded on 24 November 2026, and shows Developing. It is below what is asked for."} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestACourseShowsWhatItAssesses(t *testing.T) {
	t.Parallel()
	c := open(t)
	ada, bob := c.learner("Ada"), c.learner("Bob")
	grade := func(l learner.ID, g string) {
		a, err := c.Assertions.Award(t.Context(), c.Registrar(), nil, assertion.Award{LearnerID: string(l), CourseID: "DB 310", Facts: assertion.Facts{AchievedOn: day.Of(2026, 5, 1), Grade: &g}})
		testbed.Must(t, a, err)
	}
	grade(ada, "B+")
	grade(bob, "F")
	if got := say(c.state(ada, "C.2", mastery.When{})); got != "met 3 since 2026-05-01" {
		t.Error(got)
	}
	if got := say(c.state(bob, "C.2", mastery.When{})); got != "blocked" {
		t.Errorf("a failed course: %s", got)
	}
	if text := c.explain(ada, "C.2", mastery.When{}); !strings.Contains(text, "Advanced Querying was completed on 1 May 2026 with the grade B+, recorded on 24 November 2026, and shows Proficient. It counts.") {
		t.Error(text)
	}
	designer := c.As(access.Designer)
	if err := c.Courses.Unmap(t.Context(), designer, "DB 310", string(c.item("C.2")), "assessed"); err != nil {
		t.Fatal(err)
	}
	if got := say(c.state(ada, "C.2", mastery.When{})); got != "blocked" {
		t.Errorf("a course that does not assess it any more: %s", got)
	}
}

func TestRulesAreVersionsAndHoldFromTheirDay(t *testing.T) {
	t.Parallel()
	c := open(t)
	ada := c.learner("Ada")
	c.award(ada, "A.1", "2", "2026-03-01")
	designer, code := c.As(access.Designer), string(c.item("A.1"))
	content := mastery.Content{Name: "Developing is enough", Definition: mastery.Definition{Level: "Developing"}}
	r, err := c.Mastery.Define(t.Context(), designer, mastery.NewRule{ItemID: &code, Content: content})
	testbed.Must(t, r, err)
	if got := say(c.state(ada, "A.1", mastery.When{})); got != "met 2 since 2026-03-01" {
		t.Error(got)
	}
	later := day.Of(2026, 12, 1)
	content.Definition.Level, content.EffectiveOn = "Advanced", &later
	r, err = c.Mastery.Revise(t.Context(), designer, string(r.ID), &r.Version, content)
	testbed.Must(t, r, err)
	if got := say(c.state(ada, "A.1", mastery.When{})); got != "met 2 since 2026-03-01" || r.Version != 2 {
		t.Errorf("version %d, before it holds: %s", r.Version, got)
	}
	if got := say(c.state(ada, "A.1", mastery.When{AsOf: &later})); got != "in_progress 2" {
		t.Errorf("from its day on: %s", got)
	}
	if text := c.explain(ada, "A.1", mastery.When{}); !strings.Contains(text, `By the rule "Developing is enough", version 1, which holds from 24 November 2026`) {
		t.Error(text)
	}
	r, err = c.Mastery.Retire(t.Context(), designer, string(r.ID), nil)
	testbed.Must(t, r, err)
	if got := say(c.state(ada, "A.1", mastery.When{})); got != "in_progress 2" {
		t.Errorf("retired: %s", got)
	}
	versions, err := c.Mastery.VersionsOf(t.Context(), designer, []mastery.RuleID{r.ID})
	if n := len(testbed.Must(t, versions, err)[r.ID]); n != 3 {
		t.Errorf("%d versions", n)
	}
	if _, err := c.Mastery.Define(t.Context(), c.As(access.Assessor), mastery.NewRule{Content: content}); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("an assessor: %v", err)
	}
	if _, err := c.Mastery.Revise(t.Context(), designer, string(r.ID), nil, content); fault.KindOf(err) != fault.State {
		t.Errorf("a retired rule: %v", err)
	}
}

func TestOneThingHasOneRule(t *testing.T) {
	t.Parallel()
	c := open(t)
	designer := c.As(access.Designer)
	content := mastery.Content{Name: "all", Definition: mastery.Definition{}}
	first, err := c.Mastery.Define(t.Context(), designer, mastery.NewRule{Content: content})
	testbed.Must(t, first, err)
	if _, err := c.Mastery.Define(t.Context(), designer, mastery.NewRule{Content: content}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a second: %v", err)
	}
	if _, err := c.Mastery.Retire(t.Context(), designer, string(first.ID), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Mastery.Define(t.Context(), designer, mastery.NewRule{Content: content}); err != nil {
		t.Errorf("after the first was retired: %v", err)
	}
	all, err := c.Mastery.Rules(t.Context(), designer, mastery.RuleFilter{Retired: true}, page.Args{})
	if n := len(testbed.Must(t, all, err).Nodes); n != 2 {
		t.Errorf("%d rules", n)
	}
	neighbour := access.Actor{ID: "cli_n", InstitutionID: string(c.Neighbour.ID), Roles: access.Grantable()}
	if all, err := c.Mastery.Rules(t.Context(), neighbour, mastery.RuleFilter{}, page.Args{}); err != nil || len(all.Nodes) > 0 {
		t.Errorf("a neighbour sees %d rules, %v", len(all.Nodes), err)
	}
	if _, err := c.Mastery.Rule(t.Context(), neighbour, string(first.ID)); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a neighbour: %v", err)
	}
}

// TestEveryClockHasItsAnswer moves the service's own clock: an award of May that
// was entered in July, corrected in August and withdrawn in September.
func TestEveryClockHasItsAnswer(t *testing.T) {
	t.Parallel()
	c := open(t)
	now := time.Date(2026, 6, 15, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	c.Assertions.Now, c.Mastery.Now, c.Learners.Now = clock, clock, clock
	ada := c.learner("Ada")
	at := func(m time.Month, d int) *time.Time { x := time.Date(2026, m, d, 12, 0, 0, 0, time.UTC); return &x }
	now = *at(7, 3)
	a := c.award(ada, "B.1", "3", "2026-05-20")
	now = *at(8, 1)
	f := assertion.Facts{AchievedOn: a.AchievedOn, Results: []assertion.Result{{Description: a.Results[0].Description, Level: strings.TrimSuffix(a.Results[0].Level, "3") + "4"}}}
	corrected, err := c.Assertions.Correct(t.Context(), c.Registrar(), string(a.ID), nil, "the panel's decision", f)
	testbed.Must(t, corrected, err)
	now = *at(9, 1)
	withdrawn, err := c.Assertions.Withdraw(t.Context(), c.Registrar(), string(a.ID), "entered for the wrong learner")
	testbed.Must(t, withdrawn, err)
	now = *at(11, 1)
	june := day.Of(2026, 6, 30)
	for _, x := range []struct {
		when mastery.When
		want string
		why  string
	}{
		{mastery.When{}, "not_met", "withdrawn on 1 September 2026 (entered for the wrong learner)"},
		{mastery.When{KnownAt: at(8, 15)}, "met 4 since 2026-05-20", "shows Advanced"},
		{mastery.When{KnownAt: at(7, 15)}, "met 3 since 2026-05-20", "It was changed on 1 August 2026"},
		{mastery.When{AsOf: &june, KnownAt: at(7, 15)}, "met 3 since 2026-05-20", "recorded on 3 July 2026"},
		{mastery.When{AsOf: &june, KnownAt: at(6, 30)}, "not_met", "it was recorded on 3 July 2026, and what is asked for is what was known by 30 June 2026"},
	} {
		if got := say(c.state(ada, "B.1", x.when)); strings.Replace(got, "blocked", "not_met", 1) != x.want {
			t.Errorf("%v: %s, by hand %s", x.when, got, x.want)
		}
		if text := c.explain(ada, "B.1", x.when); !strings.Contains(text, x.why) {
			t.Errorf("%v: %q is not in\n%s", x.when, x.why, text)
		}
	}
}

// TestAChangeOfTheCurriculumMapLeavesThePastAsItWas asks as known before and after
// a cell was taken out, put back and given another level.
func TestAChangeOfTheCurriculumMapLeavesThePastAsItWas(t *testing.T) {
	t.Parallel()
	c := open(t)
	now := c.Now()
	day0 := now
	clock := func() time.Time { return now }
	c.Assertions.Now, c.Mastery.Now, c.Courses.Now = clock, clock, clock
	ada, designer, item := c.learner("Ada"), c.As(access.Designer), string(c.item("C.2"))
	grade := "B+"
	a, err := c.Assertions.Award(t.Context(), c.Registrar(), nil, assertion.Award{LearnerID: string(ada), CourseID: "DB 310", Facts: assertion.Facts{AchievedOn: day.Of(2026, 5, 1), Grade: &grade}})
	testbed.Must(t, a, err)
	after := func(days int) *time.Time { x := day0.AddDate(0, 0, days); return &x }
	level := func(name string) {
		m, err := c.Courses.Map(t.Context(), designer, "DB 310", item, course.Assessed, &name)
		testbed.Must(t, m, err)
	}
	now = *after(10)
	if err := c.Courses.Unmap(t.Context(), designer, "DB 310", item, course.Assessed); err != nil {
		t.Fatal(err)
	}
	now = *after(20)
	level("Advanced")
	now = *after(30)
	level("Developing")
	now = *after(35)
	row := course.MapRow{Course: "DB 310", Item: item, Stage: course.Assessed, TargetLevel: ptr("Proficient")}
	err = c.DB.Tenant(t.Context(), designer, func(tx pgx.Tx) error {
		_, err := course.ImportMap(t.Context(), tx, designer, bulk.Batch{Now: now, NewID: id.New}, demo.System, []course.MapRow{row})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	now = *after(40)
	for _, x := range []struct {
		days int
		want string
	}{{5, "met 3 since 2026-05-01"}, {15, "blocked"}, {25, "met 4 since 2026-05-01"}, {32, "met 2 since 2026-05-01"}, {40, "met 3 since 2026-05-01"}} {
		for range 2 { // the second answer comes from what is kept
			if got := say(c.state(ada, "C.2", mastery.When{KnownAt: after(x.days)})); got != x.want {
				t.Errorf("as known after %d days: %s, by hand %s", x.days, got, x.want)
			}
		}
	}
	if _, err := c.Courses.Map(t.Context(), designer, "DB 310", item, course.Assessed, ptr("Proficient")); err != nil {
		t.Fatal(err)
	}
	if err := c.DB.Tenant(t.Context(), designer, func(tx pgx.Tx) error {
		rows, _ := tx.Query(t.Context(), `select count(*) from course_competency_past where institution_id = @institution`, pgx.NamedArgs{"institution": designer.InstitutionID})
		if n, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[int]); err != nil || n != 3 {
			t.Errorf("%d earlier forms are kept, %v; a cell that says the same again leaves none", n, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestCrosswalksAndTheirRemovalAreInverse approves and withdraws crosswalks at
// random, one a day. When none is left every state is what it was, and what was
// known on each day stays what it was on that day.
func TestCrosswalksAndTheirRemovalAreInverse(t *testing.T) {
	t.Parallel()
	c := open(t)
	now := c.Now()
	clock := func() time.Time { return now }
	c.Assertions.Now, c.Mastery.Now, c.Frameworks.Now = clock, clock, clock
	ctx, designer, ada := t.Context(), c.As(access.Designer), c.learner("Ada")
	for code, level := range map[string]string{"A.1": "4", "A.2": "3", "B.1": "3", "C.1": "2"} {
		c.award(ada, code, level, "2026-05-01")
	}
	state, err := c.Frameworks.Create(ctx, designer, framework.Document{Title: "State", Creator: "The state"})
	testbed.Must(t, state, err)
	ours := []string{"A.1", "A.2", "B.1", "C.1"}
	var theirs []framework.ItemID
	for i := range 4 {
		var at framework.Place
		if i > 0 {
			at.Parent = ptr(string(theirs[0]))
		}
		item, err := c.Frameworks.AddItem(ctx, designer, string(state.ID), nil, at, framework.Statement{FullStatement: fmt.Sprint("State ", i)})
		theirs = append(theirs, testbed.Must(t, item, err).ID)
	}
	states := func(w mastery.When) string {
		all, err := c.Mastery.Of(ctx, c.Registrar(), []learner.ID{ada}, w)
		held := testbed.Must(t, all, err)[ada]
		var out []string
		for _, id := range theirs {
			i, ok := held.Basis.Find(id)
			if !ok {
				t.Fatalf("%s is not in the basis", id)
			}
			out = append(out, say(held.States.Of(i)))
		}
		return strings.Join(out, ", ")
	}
	r := rand.New(rand.NewPCG(4, 2))
	var open []string
	before := states(mastery.When{})
	seen := map[time.Time]string{}
	different := 0
	for day := 0; day < 14 || len(open) > 0; day++ {
		now = now.AddDate(0, 0, 1)
		if len(open) > 0 && (day >= 14 || r.IntN(3) == 0) {
			n := r.IntN(len(open))
			x, err := c.Frameworks.WithdrawCrosswalk(ctx, designer, open[n], "revised", nil)
			testbed.Must(t, x, err)
			open = slices.Delete(open, n, n+1)
		} else {
			p := framework.Proposal{OriginID: string(c.item(ours[r.IntN(4)])), DestinationID: string(theirs[1+r.IntN(3)]), Type: []string{"exactMatchOf", "isPartOf", "isRelatedTo"}[r.IntN(3)], Direction: framework.Forward, Strength: 1}
			x, err := c.Frameworks.ProposeCrosswalk(ctx, designer, p)
			if fault.KindOf(err) == fault.Conflict {
				continue
			}
			x, err = c.Frameworks.ApproveCrosswalk(ctx, designer, testbed.Must(t, x, err).ID, "Dr. Ito", nil)
			open = append(open, testbed.Must(t, x, err).ID)
		}
		now = now.Add(time.Hour)
		if seen[now] = states(mastery.When{}); seen[now] != before {
			different++
		}
	}
	if got := states(mastery.When{}); got != before {
		t.Errorf("after every crosswalk was withdrawn: %s, before the first: %s", got, before)
	}
	if different < 5 {
		t.Errorf("on %d days only did a crosswalk make a difference", different)
	}
	now = now.AddDate(0, 1, 0)
	for at, want := range seen {
		if got := states(mastery.When{KnownAt: &at}); got != want {
			t.Errorf("as known on %s: %s, on that day: %s", at.Format(time.DateOnly), got, want)
		}
	}
}

func ptr[T any](v T) *T { return &v }

func TestOneAndAHundredAreTheSame(t *testing.T) {
	t.Parallel()
	c := &college{testbed.New(t), t}
	c.Load(t)
	first := 100
	people, err := c.Learners.List(t.Context(), c.Registrar(), learner.Filter{}, page.Args{First: &first})
	var ids []learner.ID
	for _, l := range testbed.Must(t, people, err).Nodes {
		ids = append(ids, l.ID)
	}
	together, err := c.Mastery.Of(t.Context(), c.Registrar(), ids, mastery.When{})
	testbed.Must(t, together, err)
	met := 0
	for _, l := range ids {
		alone, err := c.Mastery.Of(t.Context(), c.Registrar(), []learner.ID{l}, mastery.When{})
		a, b := testbed.Must(t, alone, err)[l], together[l]
		if !slices.Equal(a.States.Changed(), b.States.Changed()) {
			t.Fatalf("%s: other competencies alone", l)
		}
		for _, i := range a.States.Changed() {
			if say(a.States.Of(i)) != say(b.States.Of(i)) {
				t.Errorf("%s: alone %s, together %s", l, say(a.States.Of(i)), say(b.States.Of(i)))
			}
			if a.States.Of(i).Status == mastery.Met {
				met++
			}
		}
	}
	if met < 500 {
		t.Errorf("only %d competencies are met in all", met)
	}
}

func TestOnlyTheLearnerAndStaffAreTold(t *testing.T) {
	t.Parallel()
	c := open(t)
	ada := c.learner("Ada")
	c.award(ada, "A.1", "4", "2026-05-01")
	own := c.As(access.Learner)
	own.LearnerID = string(ada)
	other := own
	other.LearnerID = string(c.learner("Bob"))
	neighbour := access.Actor{ID: "cli_n", InstitutionID: string(c.Neighbour.ID), Roles: access.Grantable(), LearnerID: string(ada)}
	for name, x := range map[string]struct {
		who  access.Actor
		sees bool
	}{"own": {own, true}, "other": {other, false}, "neighbour": {neighbour, false}} {
		all, err := c.Mastery.Of(context.Background(), x.who, []learner.ID{ada}, mastery.When{})
		if err != nil {
			t.Fatal(err)
		}
		if saw := len(all[ada].States.Changed()) > 0; saw != x.sees {
			t.Errorf("%s sees: %v", name, saw)
		}
	}
	if _, err := c.Mastery.Of(context.Background(), c.As(access.Reader), []learner.ID{ada}, mastery.When{}); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a reader: %v", err)
	}
}
