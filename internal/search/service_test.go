package search_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/search"
	"github.com/testamur/testamur/internal/testbed"
)

// market is the demonstration institution with its catalogue, whose learners
// are made by each test, and an employer.
type market struct {
	*testbed.Bed
	t        *testing.T
	employer access.Actor
}

func open(t *testing.T) *market {
	t.Helper()
	m := &market{Bed: testbed.New(t), t: t}
	for _, f := range demo.Files()[:4] {
		if j := m.Import(t, exchange.Kind(f.Kind), f.Data, exchange.Options{System: demo.System}); j.FailedCount > 0 {
			t.Fatalf("%s: %+v", f.Name, j)
		}
	}
	m.employer = m.As(access.Reader, access.Employer)
	m.employer.Name = "Acme Analytics"
	return m
}

func (m *market) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *market) learner(name string) learner.ID {
	l, err := m.Learners.Define(m.t.Context(), m.Registrar(), learner.Definition{DisplayName: name})
	m.must(err)
	return l.ID
}

// own is the learner's own token.
func (m *market) own(l learner.ID) access.Actor {
	a := m.As(access.Learner)
	a.LearnerID = string(l)
	return a
}

func (m *market) consent(l learner.ID, until *time.Time) consent.Consent {
	m.t.Helper()
	c, err := m.Consents.Give(m.t.Context(), m.own(l), consent.Grant{LearnerID: string(l), Scope: consent.ToSearch, ExpiresAt: until})
	m.must(err)
	return c
}

// award is an award of the achievement of a competency at a level of its rubric.
func (m *market) award(l learner.ID, code, level, on string) assertion.Assertion {
	m.t.Helper()
	a, err := m.Assertions.Award(m.t.Context(), m.As(access.Assessor), nil, assertion.Award{LearnerID: string(l), AchievementID: achievement(code), Facts: facts(code, level, on)})
	m.must(err)
	return a
}

func achievement(code string) string { return "https://aldersound.example/achievements/COMP-" + code }

func facts(code, level, on string) assertion.Facts {
	d, err := day.Parse(on)
	if err != nil {
		panic(err)
	}
	uri := achievement(code)
	return assertion.Facts{AchievedOn: d, Results: []assertion.Result{{Description: uri + "#mastery", Level: uri + "#level-" + level}}}
}

func (m *market) item(code string) string {
	m.t.Helper()
	var found framework.ItemID
	m.must(m.DB.Snapshot(m.t.Context(), m.Registrar(), func(tx pgx.Tx) error {
		all, err := framework.Resolve(m.t.Context(), tx, m.Registrar(), []string{code})
		found = all[code]
		return err
	}))
	return string(found)
}

func wants(code, level string) search.Query {
	return search.Query{Competency: code, Level: &level, Crosswalks: true}
}

func (m *market) find(q search.Query) []search.Match {
	m.t.Helper()
	c, err := m.Search.Find(m.t.Context(), m.employer, q, page.Args{})
	m.must(err)
	return c.Nodes
}

func names(all []search.Match) string {
	var out []string
	for _, m := range all {
		out = append(out, m.Name)
	}
	return strings.Join(out, " ")
}

func (m *market) expect(what, want string, q search.Query) {
	m.t.Helper()
	if got := names(m.find(q)); got != want {
		m.t.Errorf("%s: found %q, not %q", what, got, want)
	}
}

func TestOnlyThoseAreFoundWhoConsentNow(t *testing.T) {
	t.Parallel()
	m := open(t)
	q := wants(m.item("B.1"), "Proficient")
	ada, bob, eve := m.learner("Ada"), m.learner("Bob"), m.learner("Eve")
	m.award(ada, "B.1", "4", "2026-03-01")
	m.award(bob, "B.1", "3", "2026-04-01")
	m.award(eve, "B.1", "2", "2026-05-01")
	m.expect("nobody consented", "", q)

	given := m.consent(ada, nil)
	m.consent(eve, nil)
	m.expect("one consented, another did not reach the level", "Ada", q)
	m.consent(bob, nil)
	m.expect("the newest evidence first", "Bob Ada", q)
	m.award(ada, "B.1", "3", "2026-06-01")
	m.expect("each once, by the newest", "Ada Bob", q)

	// Another process has an index and a model of its own.
	other := &search.Service{DB: m.DB, Now: m.Now, NewID: id.New, Mastery: &mastery.Service{DB: m.DB, Now: m.Now, NewID: id.New, Frameworks: m.Frameworks}}
	elsewhere := func() string {
		c, err := other.Find(t.Context(), m.employer, q, page.Args{})
		m.must(err)
		return names(c.Nodes)
	}
	if got := elsewhere(); got != "Ada Bob" {
		t.Errorf("another process finds %q", got)
	}
	_, err := m.Consents.Withdraw(t.Context(), m.own(ada), string(given.ID), "")
	m.must(err)
	if got := elsewhere(); got != "Bob" {
		t.Errorf("after a withdrawal another process finds %q", got)
	}
	m.expect("after a withdrawal", "Bob", q)
	_, err = m.Consents.Choose(t.Context(), m.own(bob), string(bob), true, "")
	m.must(err)
	m.expect("after a block", "", q)
	if got := elsewhere(); got != "" {
		t.Errorf("after a block another process finds %q", got)
	}
	_, err = m.Consents.Choose(t.Context(), m.own(bob), string(bob), false, "")
	m.must(err)
	m.expect("after the block was lifted", "Bob", q)

	end := m.Now().Add(time.Hour)
	m.consent(ada, &end)
	m.expect("for an hour", "Ada Bob", q)
	m.Search.Now = func() time.Time { return end }
	m.expect("an hour later", "Bob", q)
}

func TestWhatChangesOnFileChangesWhatIsFound(t *testing.T) {
	t.Parallel()
	m := open(t)
	q := wants(m.item("B.1"), "Proficient")
	ada := m.learner("Ada")
	m.consent(ada, nil)
	a := m.award(ada, "B.1", "4", "2026-03-01")
	m.expect("an award", "Ada", q)
	if got := m.find(q)[0]; *got.Level != "Advanced" || got.Sentence != "Ada showed B.1 Exploring at Advanced on 2026-03-01, by an achievement that is aligned to it." && !strings.Contains(got.Sentence, "rubric level") {
		t.Errorf("%s: %s", *got.Level, got.Sentence)
	}
	_, err := m.Learners.Rename(t.Context(), m.Registrar(), string(ada), nil, learner.Renaming{DisplayName: "Augusta", Reason: "marriage"})
	m.must(err)
	m.expect("another name", "Augusta", q)
	_, err = m.Assertions.Correct(t.Context(), m.Registrar(), string(a.ID), nil, "mistyped", facts("B.1", "2", "2026-03-01"))
	m.must(err)
	m.expect("a level too low", "", q)
	m.expect("also for who asks for less: the award itself asks for more", "", wants(m.item("B.1"), "Beginning"))
	_, err = m.Assertions.Correct(t.Context(), m.Registrar(), string(a.ID), nil, "as it was", facts("B.1", "3", "2026-02-01"))
	m.must(err)
	m.expect("a level that is enough", "Augusta", q)
	since := day.Of(2026, time.February, 2)
	q.Since = &since
	m.expect("evidence that is too old", "", q)
	q.Since = nil
	_, err = m.Assertions.Withdraw(t.Context(), m.Registrar(), string(a.ID), "issued in error")
	m.must(err)
	m.expect("a withdrawn award", "", q)
}

func TestApprovedCrosswalksCarryAndSayTheWay(t *testing.T) {
	t.Parallel()
	m := open(t)
	ctx, designer := t.Context(), m.As(access.Designer)
	state, err := m.Frameworks.Create(ctx, designer, framework.Document{Title: "State skills", Creator: "The State"})
	m.must(err)
	add := func(code, text string) framework.Item {
		i, err := m.Frameworks.AddItem(ctx, designer, string(state.ID), nil, framework.Place{}, framework.Statement{FullStatement: text, HumanCodingScheme: &code})
		m.must(err)
		return i
	}
	same, related := add("S.1", "Explores data"), add("S.2", "Reads reports")
	ada := m.learner("Ada")
	m.consent(ada, nil)
	m.award(ada, "B.1", "3", "2026-03-01")
	walk := func(to framework.Item, kind string) framework.Crosswalk {
		c, err := m.Frameworks.ProposeCrosswalk(ctx, designer, framework.Proposal{OriginID: m.item("B.1"), DestinationID: string(to.ID), Type: kind, Direction: framework.Forward, Strength: 1})
		m.must(err)
		return c
	}
	q := search.Query{Competency: string(same.ID), Crosswalks: true}
	c := walk(same, "exactMatchOf")
	m.expect("proposed only", "", q)
	for _, x := range []framework.Crosswalk{c, walk(related, "isRelatedTo")} {
		_, err = m.Frameworks.ApproveCrosswalk(ctx, designer, x.ID, "The committee", nil)
		m.must(err)
	}
	m.expect("by crosswalk", "Ada", q)
	got := m.find(q)[0]
	if string(got.ItemID) != m.item("B.1") || len(got.Path) != 1 || *got.Path[0].Approver != "The committee" || *got.Path[0].CrosswalkID != c.ID ||
		!strings.Contains(got.Sentence, "this counts as S.1 Explores data by crosswalk (exactMatchOf, approved by The committee on 2026-11-24).") {
		t.Errorf("%+v\n%s", got.Path, got.Sentence)
	}
	m.expect("what is merely related", "", search.Query{Competency: string(related.ID), Crosswalks: true})
	m.expect("without crosswalks", "", search.Query{Competency: string(same.ID)})
	_, err = m.Frameworks.WithdrawCrosswalk(ctx, designer, c.ID, "not the same", nil)
	m.must(err)
	m.expect("a crosswalk that was withdrawn", "", q)
}

func TestEachOneWhoIsShownIsTold(t *testing.T) {
	t.Parallel()
	m := open(t)
	ada, bob := m.learner("Ada"), m.learner("Bob")
	given := m.consent(ada, nil)
	m.consent(bob, nil)
	a := m.award(ada, "B.1", "4", "2026-03-01")
	m.award(bob, "B.1", "4", "2026-02-01")
	one := 1
	q := wants(m.item("B.1"), "Proficient")
	q.Purpose = "Hiring an analyst"
	c, err := m.Search.Find(t.Context(), m.employer, q, page.Args{First: &one})
	m.must(err)
	if names(c.Nodes) != "Ada" || !c.PageInfo.HasNextPage {
		t.Fatalf("%+v", c)
	}
	lines := func(l learner.ID) []string {
		all, err := m.Disclosures.OfLearners(t.Context(), m.own(l), []learner.ID{l}, page.Args{})
		m.must(err)
		var out []string
		for _, d := range all[l].Nodes {
			out = append(out, fmt.Sprint(d.Party, "; ", d.Purpose, "; ", d.Basis, "; ", *d.ConsentID == given.ID, "; ", d.Items[0] == string(a.ID)))
		}
		return out
	}
	if got := lines(ada); !slices.Equal(got, []string{"Acme Analytics; Hiring an analyst; consent; true; true"}) {
		t.Errorf("Ada is told %q", got)
	}
	if got := lines(bob); len(got) != 0 {
		t.Errorf("Bob, who was not shown, is told %q", got)
	}
	if _, err := m.Search.Count(t.Context(), m.employer, q); err != nil {
		t.Fatal(err)
	}
	if got := lines(bob); len(got) != 0 {
		t.Errorf("Bob, who was counted, is told %q", got)
	}
}

func TestPagesHaveEachOnceAndCountsAreInTens(t *testing.T) {
	t.Parallel()
	m := open(t)
	q := wants(m.item("B.1"), "Beginning")
	people := map[string]bool{}
	for i := range 23 {
		l := m.learner(fmt.Sprintf("L%02d", i))
		people[fmt.Sprintf("L%02d", i)] = true
		m.consent(l, nil)
		m.award(l, "B.1", fmt.Sprint(3+i%2), fmt.Sprintf("2026-03-%02d", 1+i%3)) // many of one day
		m.award(l, "B.1", fmt.Sprint(4-i%2), fmt.Sprintf("2026-02-%02d", 1+i%5))
		if i == 8 {
			if c, err := m.Search.Count(t.Context(), m.employer, q); err != nil || c.AtLeast != nil || c.More {
				t.Errorf("nine: %+v, %v", c, err)
			}
		}
	}
	five := 5
	a := page.Args{First: &five}
	var last search.Match
	for n := 0; ; n++ {
		c, err := m.Search.Find(t.Context(), m.employer, q, a)
		m.must(err)
		for _, x := range c.Nodes {
			if !people[x.Name] {
				t.Errorf("%s comes again", x.Name)
			}
			delete(people, x.Name)
			if !last.AchievedOn.IsZero() && x.AchievedOn.After(last.AchievedOn) {
				t.Errorf("%s after %s", x.AchievedOn, last.AchievedOn)
			}
			last = x
		}
		if !c.PageInfo.HasNextPage {
			break
		}
		a.After = c.PageInfo.EndCursor
	}
	if len(people) > 0 {
		t.Errorf("not found: %v", people)
	}
	if c, err := m.Search.Count(t.Context(), m.employer, q); err != nil || c.AtLeast == nil || *c.AtLeast != 20 || c.More {
		t.Errorf("23: %+v, %v", c, err)
	}
}

func TestWhoMaySearch(t *testing.T) {
	t.Parallel()
	m := open(t)
	q := wants(m.item("B.1"), "Proficient")
	ada := m.learner("Ada")
	m.consent(ada, nil)
	m.award(ada, "B.1", "4", "2026-03-01")
	for _, r := range []access.Role{access.Reader, access.Learner, access.Designer, access.Assessor, access.Visitor} {
		if _, err := m.Search.Find(t.Context(), m.As(r), q, page.Args{}); fault.KindOf(err) != fault.Forbidden && fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("%s: %v", r, err)
		}
	}
	neighbour := access.Actor{ID: "cli_n", InstitutionID: string(m.Neighbour.ID), Roles: []access.Role{access.Employer, access.Reader}}
	if _, err := m.Search.Find(t.Context(), neighbour, q, page.Args{}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a neighbour's employer: %v", err)
	}
	for what, bad := range map[string]search.Query{"no competency": {}, "unknown level": wants(q.Competency, "Perfect"), "long purpose": {Competency: q.Competency, Purpose: strings.Repeat("x", 301)}} {
		if _, err := m.Search.Find(t.Context(), m.employer, bad, page.Args{}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}

	// The database by itself shows an employer who may be found, and no learner.
	eve := m.learner("Eve")
	m.award(eve, "B.1", "4", "2026-03-01")
	count := func(who access.Actor, sql string) (n int) {
		m.must(m.DB.Tenant(t.Context(), who, func(tx pgx.Tx) error { return tx.QueryRow(t.Context(), sql).Scan(&n) }))
		return n
	}
	for sql, want := range map[string]int{"select count(*) from learner": 0, "select count(*) from assertion": 0, "select count(*) from consent": 0,
		"select count(*) from disclosure": 0, "select count(*) from search_person": 1, "select count(*) from search_award": 1} {
		if got := count(m.employer, sql); got != want {
			t.Errorf("an employer: %s: %d, not %d", sql, got, want)
		}
		if got := count(neighbour, sql); got != 0 {
			t.Errorf("a neighbour's employer: %s: %d", sql, got)
		}
	}
	err := m.DB.Tenant(t.Context(), m.employer, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `delete from search_person`)
		return err
	})
	m.must(err)
	m.expect("an employer removes nobody", "Ada", q)
}

// TestTheIndexIsWhatAReaderOfTheFilesWouldFind does anything to anybody in any
// order, several at once, and compares what is kept with what is on file.
func TestTheIndexIsWhatAReaderOfTheFilesWouldFind(t *testing.T) {
	t.Parallel()
	m := open(t)
	var people []learner.ID
	for i := range 8 {
		people = append(people, m.learner(fmt.Sprintf("L%d", i)))
	}
	codes := []string{"B.1", "B.2", "C.1"}
	var wg sync.WaitGroup
	for worker := range uint64(4) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(7, worker))
			var mine []assertion.ID
			var given []consent.ID
			for range 40 {
				l := people[r.IntN(len(people))]
				ctx := context.Background()
				code, on := codes[r.IntN(len(codes))], day.Of(2020, time.January, 1).AddDays(r.IntN(2000)).String()
				switch r.IntN(6) {
				case 0:
					if c, err := m.Consents.Give(ctx, m.own(l), consent.Grant{LearnerID: string(l), Scope: consent.ToSearch}); err == nil {
						given = append(given, c.ID)
					}
				case 1:
					if len(given) > 0 {
						_, _ = m.Consents.Withdraw(ctx, m.Registrar(), string(given[r.IntN(len(given))]), "")
					}
				case 2:
					_, _ = m.Consents.Choose(ctx, m.Registrar(), string(l), r.IntN(2) == 0, "")
				case 3:
					if len(mine) > 0 {
						_, _ = m.Assertions.Withdraw(ctx, m.Registrar(), string(mine[r.IntN(len(mine))]), "error")
					}
				default:
					a, err := m.Assertions.Award(ctx, m.Registrar(), nil, assertion.Award{LearnerID: string(l), AchievementID: achievement(code), Facts: facts(code, fmt.Sprint(1+r.IntN(4)), on)})
					if err == nil {
						mine = append(mine, a.ID)
					}
				}
			}
		}()
	}
	wg.Wait()
	const differs = `
		with expected as (
			select a.institution_id, search_said(a.achievement_id, a.achievement_version, a.grade, a.credits_earned, a.results) as said, a.achieved_on, a.learner_id, a.id
			from assertion a join learner_release r on r.institution_id = a.institution_id and r.learner_id = a.learner_id
			where a.withdrawn_at is null and not r.blocked and r.search_consent_id is not null)
		select (select count(*) from expected),
			(select count(*) from (table expected except table search_award) as x) + (select count(*) from (table search_award except table expected) as x)
			+ (select count(*) from search_award a where not exists (select from search_saying s where s.institution_id = a.institution_id and s.said = a.said))
			+ (select abs(c.sayings - count(*)) + abs(c.sayings - max(s.number)) from search_count c join search_saying s using (institution_id) group by c.sayings)`
	var n, wrong int
	m.must(m.DB.Tenant(t.Context(), m.As(access.System), func(tx pgx.Tx) error { return tx.QueryRow(t.Context(), differs).Scan(&n, &wrong) }))
	if n == 0 || wrong != 0 {
		t.Errorf("of %d awards that are to be found, %d are not as they should be", n, wrong)
	}
}
