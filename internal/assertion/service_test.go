package assertion_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/pgtest"
	"github.com/testamur/testamur/internal/spec/openbadges"
)

type bench struct {
	*assertion.Service
	url                  string
	registrar, neighbour access.Actor
	achievements         *achievement.Service
	comp, course         achievement.Achievement
	ada, grace           learner.Learner
	many                 []learner.ID
}

func ptr[T any](v T) *T { return &v }

func wantKind(t *testing.T, err error, k fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != k {
		t.Errorf("got %v, want %s", err, k)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// setup is an institution with the demonstration's framework and achievements,
// one course and two learners.
func setup(t testing.TB) *bench {
	t.Helper()
	ctx := context.Background()
	b := &bench{url: pgtest.URL(t)}
	db := pgtest.Open(t, b.url, pg.Options{MaxConns: 8})
	now := func() time.Time { return time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC) }
	found := &institution.Service{DB: db, Now: now, NewID: id.New}
	for slug, who := range map[string]*access.Actor{"lakeview": &b.registrar, "hillside": &b.neighbour} {
		in := must(found.Found(ctx, slug, institution.Profile{Name: slug}))
		*who = access.Actor{ID: "cli_" + slug, InstitutionID: string(in.ID), Roles: []access.Role{access.Registrar}}
	}
	b.Service = &assertion.Service{DB: db, Now: now, NewID: id.New}
	b.achievements = &achievement.Service{DB: db, Now: now, NewID: id.New}
	files := demo.Files()
	must((&framework.Service{DB: db, Now: now, NewID: id.New}).Import(ctx, b.registrar, bytes.NewReader(files[0].Data)))
	var raw []json.RawMessage
	if err := json.Unmarshal(files[3].Data, &raw); err != nil {
		t.Fatal(err)
	}
	for _, r := range raw {
		d, problems := openbadges.ParseAchievement(r)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		must(b.achievements.Define(ctx, b.registrar, achievement.Draft{Definition: d}))
	}
	b.comp = must(b.achievements.Find(ctx, b.registrar, "https://aldersound.example/achievements/COMP-A.1"))
	c := must((&course.Service{DB: db, Now: now, NewID: id.New}).Define(ctx, b.registrar, course.Definition{Code: "DA 101", Title: "Data", Credits: ptr(4.0)}))
	err := db.Tenant(ctx, b.registrar, func(tx pgx.Tx) error {
		all, err := achievement.ForCourses(ctx, tx, b.registrar, bulk.Batch{Now: now(), NewID: id.New}, []course.Course{c})
		b.course = all[c.ID]
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	learners := &learner.Service{DB: db, Now: now, NewID: id.New}
	b.ada = must(learners.Define(ctx, b.registrar, learner.Definition{DisplayName: "Ada", Ref: &id.Ref{System: "sis", Value: "S1"}}))
	b.grace = must(learners.Define(ctx, b.registrar, learner.Definition{DisplayName: "Grace", Ref: &id.Ref{System: "sis", Value: "S2"}}))
	return b
}

func on(s string) day.Date { return must(day.Parse(s)) }

func (b *bench) mastery(level string) assertion.Facts {
	d := b.comp.Definition.ResultDescription[0]
	return assertion.Facts{AchievedOn: on("2026-05-22"), Term: "Spring 2026", Results: []assertion.Result{{Description: d.ID, Level: level}}}
}

func (b *bench) level(n int) string {
	return b.comp.Definition.ResultDescription[0].RubricCriterionLevel[n].ID
}

func TestAwardPinsTheVersion(t *testing.T) {
	b := setup(t)
	a, err := b.Award(t.Context(), b.registrar, nil, assertion.Award{LearnerID: "ref:sis:S1", AchievementID: string(b.comp.ID), Facts: b.mastery(b.level(2))})
	if err != nil {
		t.Fatal(err)
	}
	revised := b.comp.Definition
	revised.Description = "Finds and judges data."
	v2, err := b.achievements.Revise(t.Context(), b.registrar, string(b.comp.ID), nil, revised)
	if err != nil || v2.Version != 2 {
		t.Fatalf("%d, %v", v2.Version, err)
	}
	got, err := b.Find(t.Context(), b.registrar, string(a.ID))
	if err != nil || got.AchievementVersion != 1 || got.Results[0].Level != b.level(2) {
		t.Errorf("%+v, %v", got, err)
	}
	pins, err := b.achievements.Versions(t.Context(), b.registrar, []achievement.Pin{got.Pin()})
	if err != nil || pins[got.Pin()].Definition.Description != b.comp.Definition.Description {
		t.Errorf("%+v, %v", pins, err)
	}
}

func TestAwardRefuses(t *testing.T) {
	b := setup(t)
	good := assertion.Award{LearnerID: string(b.ada.ID), AchievementID: string(b.comp.ID), Facts: b.mastery(b.level(2))}
	if _, err := b.Award(t.Context(), b.registrar, nil, good); err != nil {
		t.Fatal(err)
	}
	_, err := b.Award(t.Context(), b.registrar, nil, good)
	wantKind(t, err, fault.Conflict)
	for name, c := range map[string]struct {
		change func(*assertion.Award)
		want   fault.Kind
	}{
		"level of another rubric": {func(a *assertion.Award) { a.Facts = b.mastery("x") }, fault.Invalid},
		"future":                  {func(a *assertion.Award) { a.Facts.AchievedOn = on("2027-01-01") }, fault.Invalid},
		"no day":                  {func(a *assertion.Award) { a.Facts.AchievedOn = day.Date{} }, fault.Invalid},
		"no learner":              {func(a *assertion.Award) { a.LearnerID = "lrn_x" }, fault.NotFound},
		"both":                    {func(a *assertion.Award) { a.CourseID = "DA 101" }, fault.Invalid},
		"negative credits":        {func(a *assertion.Award) { a.Facts.CreditsEarned = ptr(-1.0) }, fault.Invalid},
		"evidence without either": {func(a *assertion.Award) { a.Facts.Evidence = []assertion.Evidence{{Name: "x"}} }, fault.Invalid},
		"evidence with a bad url": {func(a *assertion.Award) { a.Facts.Evidence = []assertion.Evidence{{URL: "a b"}} }, fault.Invalid},
	} {
		in := good
		c.change(&in)
		_, err := b.Award(t.Context(), b.registrar, nil, in)
		if fault.KindOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	_, err = b.Award(t.Context(), b.neighbour, nil, good)
	wantKind(t, err, fault.NotFound)
	designer := b.registrar
	designer.Roles = []access.Role{access.Designer}
	_, err = b.Award(t.Context(), designer, nil, good)
	wantKind(t, err, fault.Forbidden)
	if _, err := b.achievements.Retire(t.Context(), b.registrar, string(b.comp.ID)); err != nil {
		t.Fatal(err)
	}
	good.LearnerID = string(b.grace.ID)
	_, err = b.Award(t.Context(), b.registrar, nil, good)
	wantKind(t, err, fault.State)
}

func TestAnIdempotencyKeyAwardsOnce(t *testing.T) {
	b := setup(t)
	in := assertion.Award{LearnerID: string(b.ada.ID), AchievementID: string(b.comp.ID), Facts: b.mastery(b.level(1))}
	first, err := b.Award(t.Context(), b.registrar, ptr("k1"), in)
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.Award(t.Context(), b.registrar, ptr("k1"), in)
	if err != nil || again.ID != first.ID {
		t.Errorf("%v, %v", again.ID, err)
	}
	in.Facts.Term = "Fall 2026"
	_, err = b.Award(t.Context(), b.registrar, ptr("k1"), in)
	wantKind(t, err, fault.Conflict)
}

func TestCorrectAndWithdraw(t *testing.T) {
	b := setup(t)
	a, err := b.Award(t.Context(), b.registrar, nil, assertion.Award{LearnerID: string(b.ada.ID), CourseID: "DA 101",
		Facts: assertion.Facts{AchievedOn: on("2026-05-22"), Grade: ptr("B"), CreditsEarned: ptr(4.0)}})
	if err != nil || len(a.Results) != 1 || a.Results[0].Value != "B" {
		t.Fatalf("%+v, %v", a, err)
	}
	f := assertion.Facts{AchievedOn: on("2026-05-22"), Grade: ptr("A-"), CreditsEarned: ptr(4.0)}
	_, err = b.Correct(t.Context(), b.registrar, string(a.ID), nil, "", f)
	wantKind(t, err, fault.Invalid)
	a, err = b.Correct(t.Context(), b.registrar, string(a.ID), ptr(1), "misread", f)
	if err != nil || a.Version != 2 || a.Results[0].Value != "A-" {
		t.Fatalf("%+v, %v", a, err)
	}
	_, err = b.Correct(t.Context(), b.registrar, string(a.ID), ptr(1), "late", f)
	wantKind(t, err, fault.Conflict)
	assessor := b.registrar
	assessor.Roles = []access.Role{access.Assessor}
	_, err = b.Withdraw(t.Context(), assessor, string(a.ID), "x")
	wantKind(t, err, fault.Forbidden)
	a, err = b.Withdraw(t.Context(), b.registrar, string(a.ID), "issued in error")
	if err != nil || a.WithdrawnAt == nil || a.Version != 3 {
		t.Fatalf("%+v, %v", a, err)
	}
	_, err = b.Correct(t.Context(), b.registrar, string(a.ID), nil, "again", f)
	wantKind(t, err, fault.State)
	if _, err := b.Award(t.Context(), b.registrar, nil, assertion.Award{LearnerID: string(b.ada.ID), CourseID: "DA 101", Facts: f}); err != nil {
		t.Errorf("after a withdrawal: %v", err)
	}
}

func TestAwardManyByPolicy(t *testing.T) {
	b := setup(t)
	good := assertion.Award{LearnerID: string(b.ada.ID), AchievementID: string(b.comp.ID), Facts: b.mastery(b.level(2))}
	bad := good
	bad.LearnerID = "ref:sis:none"
	out, err := b.AwardMany(t.Context(), b.registrar, true, []assertion.Award{good, bad})
	if err != nil || out[0].Assertion != nil || out[1].Err == nil || out[1].Err.Field != "awards.1.learnerId" {
		t.Fatalf("%+v, %v", out, err)
	}
	if all, err := b.List(t.Context(), b.registrar, assertion.Filter{}, page.Args{}); err != nil || len(all.Nodes) != 0 {
		t.Errorf("REJECT_ALL left %d, %v", len(all.Nodes), err)
	}
	out, err = b.AwardMany(t.Context(), b.registrar, false, []assertion.Award{good, bad})
	if err != nil || out[0].Assertion == nil || out[1].Err == nil {
		t.Fatalf("%+v, %v", out, err)
	}
}

func TestListsFromEveryEnd(t *testing.T) {
	b := setup(t)
	for i, l := range []learner.ID{b.ada.ID, b.ada.ID, b.grace.ID} {
		f := b.mastery(b.level(1))
		f.AchievedOn = on(fmt.Sprintf("2026-0%d-01", i+1))
		if _, err := b.Award(t.Context(), b.registrar, nil, assertion.Award{LearnerID: string(l), AchievementID: string(b.comp.ID), Facts: f}); err != nil {
			t.Fatal(err)
		}
	}
	ids := []learner.ID{b.ada.ID, b.grace.ID}
	of, err := b.OfLearners(t.Context(), b.registrar, ids, assertion.Filter{}, page.Args{First: ptr(1)})
	if err != nil || len(of[b.ada.ID].Nodes) != 1 || !of[b.ada.ID].PageInfo.HasNextPage || of[b.grace.ID].PageInfo.HasNextPage {
		t.Fatalf("%+v, %v", of, err)
	}
	next, err := b.OfLearners(t.Context(), b.registrar, ids[:1], assertion.Filter{}, page.Args{First: ptr(1), After: of[b.ada.ID].PageInfo.EndCursor})
	if err != nil || len(next[b.ada.ID].Nodes) != 1 || next[b.ada.ID].PageInfo.HasNextPage || next[b.ada.ID].Nodes[0].ID == of[b.ada.ID].Nodes[0].ID {
		t.Errorf("%+v, %v", next, err)
	}
	byAch, err := b.OfAchievements(t.Context(), b.registrar, []achievement.ID{b.comp.ID}, assertion.Filter{}, page.Args{})
	if err != nil || len(byAch[b.comp.ID].Nodes) != 3 {
		t.Errorf("%+v, %v", byAch, err)
	}
	alignments, err := b.achievements.AlignmentsOf(t.Context(), b.registrar, []achievement.ID{b.comp.ID})
	if err != nil || alignments[b.comp.ID][0].ItemID == nil {
		t.Fatalf("%+v, %v", alignments, err)
	}
	item := *alignments[b.comp.ID][0].ItemID
	behind, err := b.OfItems(t.Context(), b.registrar, []framework.ItemID{item, "itm_none"}, assertion.Filter{}, page.Args{})
	if err != nil || len(behind[item].Nodes) != 3 || len(behind["itm_none"].Nodes) != 0 {
		t.Errorf("%+v, %v", behind, err)
	}
	back, err := b.achievements.OfItems(t.Context(), b.registrar, []framework.ItemID{item})
	if err != nil || len(back[item]) == 0 {
		t.Errorf("%+v, %v", back, err)
	}
	self := access.Actor{ID: "cli_g", InstitutionID: b.registrar.InstitutionID, Roles: []access.Role{access.Learner}, LearnerID: string(b.grace.ID)}
	if own, err := b.OfItems(t.Context(), self, []framework.ItemID{item}, assertion.Filter{}, page.Args{}); err != nil || len(own[item].Nodes) != 1 {
		t.Errorf("a learner sees %d behind a competency, %v", len(own[item].Nodes), err)
	}
	if none, err := b.List(t.Context(), b.neighbour, assertion.Filter{}, page.Args{}); err != nil || len(none.Nodes) != 0 {
		t.Errorf("a neighbour sees %d, %v", len(none.Nodes), err)
	}
}

func (b *bench) load(t testing.TB, rows []assertion.Row) []bulk.Outcome {
	t.Helper()
	var out []bulk.Outcome
	err := b.DB.Tenant(context.Background(), b.registrar, func(tx pgx.Tx) (err error) {
		out, err = assertion.Import(context.Background(), tx, b.registrar, bulk.Batch{Now: b.Now(), NewID: id.New}, "sis", rows)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestImport(t *testing.T) {
	b := setup(t)
	want := func(got []bulk.Outcome, changes ...bulk.Change) {
		t.Helper()
		for i, c := range changes {
			if got[i].Change != c {
				t.Errorf("row %d: %s (%v), want %s", i, got[i].Change, got[i].Err, c)
			}
		}
	}
	graded := func(ref, grade string) assertion.Row {
		return assertion.Row{RefValue: ref, LearnerID: b.ada.ID, Achievement: b.course, Facts: assertion.Facts{AchievedOn: on("2026-05-22"), Term: "S", Grade: &grade}}
	}
	comp := func(l learner.ID, f assertion.Facts) assertion.Row {
		return assertion.Row{LearnerID: l, Achievement: b.comp, Facts: f}
	}
	rows := []assertion.Row{graded("R1", "B"), comp(b.ada.ID, b.mastery(b.level(2))), comp(b.grace.ID, b.mastery("no level")), comp(b.grace.ID, b.mastery(b.level(1)))}
	first := b.load(t, rows)
	want(first, bulk.Created, bulk.Created, bulk.Failed, bulk.Created)
	want(b.load(t, rows), bulk.Unchanged, bulk.Unchanged, bulk.Failed, bulk.Unchanged)
	moved := graded("R1", "B")
	moved.LearnerID = b.grace.ID
	want(b.load(t, []assertion.Row{graded("R1", "A"), comp(b.ada.ID, b.mastery(b.level(3)))}), bulk.Updated, bulk.Updated)
	want(b.load(t, []assertion.Row{moved, graded("R2", "A")}), bulk.Failed, bulk.Failed)
	got, err := b.Find(t.Context(), b.registrar, "ref:sis:R1")
	if err != nil || *got.Grade != "A" || got.Version != 2 || got.Results[0].Value != "A" || string(got.ID) != first[0].ID {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAlignFromBothEnds(t *testing.T) {
	b := setup(t)
	a, err := b.achievements.Align(t.Context(), b.registrar, string(b.course.ID), alignmentCode(b.comp))
	if err != nil || a.Version != b.course.Version+1 {
		t.Fatalf("%+v, %v", a.Version, err)
	}
	same, err := b.achievements.Align(t.Context(), b.registrar, string(b.course.ID), alignmentCode(b.comp))
	if err != nil || same.Version != a.Version {
		t.Errorf("aligned twice: version %d, %v", same.Version, err)
	}
	a, err = b.achievements.AlignCourse(t.Context(), b.registrar, string(b.comp.ID), "DA 101")
	if err != nil {
		t.Fatal(err)
	}
	of, err := b.achievements.OfCourses(t.Context(), b.registrar, []course.ID{*b.course.CourseID})
	if err != nil || len(of[*b.course.CourseID]) != 1 || of[*b.course.CourseID][0].AchievementID != b.comp.ID {
		t.Errorf("%+v, %v", of, err)
	}
	a, err = b.achievements.Unalign(t.Context(), b.registrar, string(b.comp.ID), a.Definition.Alignment[len(a.Definition.Alignment)-1].TargetURL)
	if err != nil || a.Version != 3 {
		t.Errorf("%d, %v", a.Version, err)
	}
	_, err = b.achievements.Unalign(t.Context(), b.registrar, string(b.comp.ID), "https://nowhere.example")
	wantKind(t, err, fault.NotFound)
	versions, err := b.achievements.VersionsOf(t.Context(), b.registrar, []achievement.ID{b.comp.ID})
	if err != nil || len(versions[b.comp.ID]) != 3 {
		t.Errorf("%d versions, %v", len(versions[b.comp.ID]), err)
	}
}

func alignmentCode(a achievement.Achievement) string { return a.Definition.Alignment[0].TargetCode }

// crowd adds n learners.
func (b *bench) crowd(t testing.TB, n int) {
	t.Helper()
	var rows []learner.Row
	for i := range n {
		rows = append(rows, learner.Row{Definition: learner.Definition{DisplayName: fmt.Sprint("Learner ", i), Ref: &id.Ref{System: "sis", Value: fmt.Sprint("C", i)}}})
	}
	err := b.DB.Tenant(context.Background(), b.registrar, func(tx pgx.Tx) error {
		out, err := learner.Import(context.Background(), tx, b.registrar, bulk.Batch{Now: b.Now(), NewID: id.New}, rows)
		for _, o := range out {
			b.many = append(b.many, learner.ID(o.ID))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// rows makes n awards to the crowd, each on another day.
func (b *bench) rows(n, from int) []assertion.Row {
	all := make([]assertion.Row, n)
	grade := "A"
	for i := range all {
		all[i] = assertion.Row{RefValue: fmt.Sprintf("R-%09d", from+i), LearnerID: b.many[(from+i)%len(b.many)], Achievement: b.course,
			Facts: assertion.Facts{AchievedOn: on("1990-01-01").AddDays((from + i) / len(b.many) % 13000), Term: "Fall", Grade: &grade}}
	}
	return all
}

// BenchmarkImport compares the set-wise import with a bare COPY, as the owner,
// of the same rows into the same table; both in batches of 5,000.
func BenchmarkImport(b *testing.B) {
	const batch, batches = 5000, 10
	s := setup(b)
	s.crowd(b, 2000)
	owner := must(pgx.Connect(context.Background(), s.url))
	defer owner.Close(context.Background())
	var ours, bare time.Duration
	from := 0
	for b.Loop() {
		for range batches {
			rows := s.rows(batch, from)
			start := time.Now()
			s.load(b, rows)
			ours += time.Since(start)
			from += batch
			next := s.rows(batch, from)
			start = time.Now()
			_, err := owner.CopyFrom(context.Background(), pgx.Identifier{"assertion"}, []string{"institution_id", "id", "learner_id", "achievement_id",
				"achievement_version", "ref_system", "ref_value", "achieved_on", "recorded_at", "recorded_by", "updated_at", "term", "grade", "results", "evidence"},
				pgx.CopyFromSlice(len(next), func(i int) ([]any, error) {
					r := next[i]
					return []any{s.registrar.InstitutionID, id.New("asn"), r.LearnerID, r.Achievement.ID, r.Achievement.Version, "sis", r.RefValue,
						r.Facts.AchievedOn.Midnight(), s.Now(), "x", s.Now(), r.Facts.Term, r.Facts.Grade, []byte(`[{"resultDescription":"rd-grade","value":"A"}]`), []byte(`[]`)}, nil
				}))
			if err != nil {
				b.Fatal(err)
			}
			bare += time.Since(start)
			from += batch
		}
	}
	b.ReportMetric(float64(b.N)*batch*batches/ours.Seconds(), "rows/s")
	b.ReportMetric(float64(b.N)*batch*batches/bare.Seconds(), "copy-rows/s")
	b.ReportMetric(bare.Seconds()/ours.Seconds(), "of-copy")
}

// TestAnAwardKeepsTheCompetencyAsItStood: what an award was made against is read
// in the version of the framework that was in force.
func TestAnAwardKeepsTheCompetencyAsItStood(t *testing.T) {
	b := setup(t)
	a, err := b.Award(t.Context(), b.registrar, nil, assertion.Award{LearnerID: string(b.ada.ID), AchievementID: string(b.comp.ID), Facts: b.mastery(b.level(1))})
	if err != nil {
		t.Fatal(err)
	}
	of, err := b.AgainstOf(t.Context(), b.registrar, []assertion.ID{a.ID})
	if err != nil || len(of[a.ID]) != 1 {
		t.Fatalf("%+v, %v", of, err)
	}
	alignments, err := b.achievements.AlignmentsOf(t.Context(), b.registrar, []achievement.ID{b.comp.ID})
	if got := of[a.ID][0]; err != nil || got.ItemID != *alignments[b.comp.ID][0].ItemID || got.Version != 1 || got.FullStatement == "" || got.ChangedSince {
		t.Errorf("%+v, %v", got, err)
	}
	if of, err := b.AgainstOf(t.Context(), b.neighbour, []assertion.ID{a.ID}); err != nil || len(of) != 0 {
		t.Errorf("a neighbour sees %+v, %v", of, err)
	}
}

// TestTheGradeAndTheResultThatTellsItAreOne: what is signed has the result, and
// averages are reckoned by the grade.
func TestTheGradeAndTheResultThatTellsItAreOne(t *testing.T) {
	b := setup(t)
	ctx := t.Context()
	facts := func(grade *string, results ...assertion.Result) assertion.Facts {
		return assertion.Facts{AchievedOn: on("2026-05-22"), Grade: grade, CreditsEarned: ptr(4.0), Results: results}
	}
	grade := func(v string) assertion.Result {
		return assertion.Result{Description: achievement.GradeResult, Value: v}
	}
	told := func(a assertion.Assertion) string {
		t.Helper()
		if len(a.Results) != 1 || a.Grade == nil {
			t.Fatalf("%+v", a)
		}
		return *a.Grade + a.Results[0].Value
	}
	in := assertion.Award{LearnerID: string(b.ada.ID), CourseID: "DA 101", Facts: facts(nil, grade("B"))}
	a, err := b.Award(ctx, b.registrar, nil, in)
	if err != nil || told(a) != "BB" {
		t.Errorf("a result alone: %+v %v", a, err)
	}
	in.LearnerID, in.Facts = string(b.grace.ID), facts(ptr("A"), grade("B"))
	_, err = b.Award(ctx, b.registrar, nil, in)
	if f, ok := fault.Of(err); !ok || f.Rule != "one-grade" || f.Field != "results.0.value" {
		t.Errorf("two grades: %v", err)
	}
	// Who sends back what was read with another grade means the grade.
	a, err = b.Correct(ctx, b.registrar, string(a.ID), nil, "recount", facts(ptr("A"), a.Results...))
	if err != nil || told(a) != "AA" {
		t.Errorf("corrected: %+v %v", a, err)
	}
	// A file that gives results and has no column of grades.
	row := assertion.Row{LearnerID: b.ada.ID, Achievement: b.course, Facts: facts(nil, grade("C")), Absent: assertion.NoGrade | assertion.NoNarrative}
	err = b.DB.Tenant(ctx, b.registrar, func(tx pgx.Tx) error {
		out, err := assertion.Import(ctx, tx, b.registrar, bulk.Batch{Now: b.Now(), NewID: id.New}, "sis", []assertion.Row{row})
		if err == nil && out[0].Change != bulk.Updated {
			t.Errorf("%+v", out)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if a, err = b.Find(ctx, b.registrar, string(a.ID)); err != nil || told(a) != "CC" {
		t.Errorf("imported: %+v %v", a, err)
	}
}

// TestTwoRowsOfOneAward: two names of one award in a file do not take turns.
func TestTwoRowsOfOneAward(t *testing.T) {
	b := setup(t)
	ctx := t.Context()
	a, err := b.Award(ctx, b.registrar, nil, assertion.Award{LearnerID: string(b.ada.ID), CourseID: "DA 101", Facts: assertion.Facts{AchievedOn: on("2026-05-22"), Grade: ptr("B")}})
	if err != nil {
		t.Fatal(err)
	}
	row := func(grade string) assertion.Row {
		return assertion.Row{LearnerID: b.ada.ID, Achievement: b.course, Facts: assertion.Facts{AchievedOn: on("2026-05-22"), Grade: &grade}}
	}
	err = b.DB.Tenant(ctx, b.registrar, func(tx pgx.Tx) error {
		out, err := assertion.Import(ctx, tx, b.registrar, bulk.Batch{Now: b.Now(), NewID: id.New}, "sis", []assertion.Row{row("A"), row("C")})
		if err == nil && (out[0].Change != bulk.Updated || out[1].Change != bulk.Failed || out[1].Err.Rule != "once-in-file") {
			t.Errorf("%+v", out)
		}
		return err
	})
	if got, err2 := b.Find(ctx, b.registrar, string(a.ID)); err != nil || err2 != nil || *got.Grade != "A" {
		t.Errorf("%v %v %v", *got.Grade, err, err2)
	}
}

// TestAGradeByFileLeavesTheOtherResults corrects the grade of an award that has
// another result as well.
func TestAGradeByFileLeavesTheOtherResults(t *testing.T) {
	b := setup(t)
	ctx := t.Context()
	studio := must(b.achievements.Define(ctx, b.registrar, achievement.Draft{Definition: achievement.Definition{Name: "Studio", Description: "d", AchievementType: "Course",
		Criteria: &openbadges.Criteria{Narrative: "n"}, ResultDescription: openbadges.List[openbadges.ResultDescription]{
			{ID: "score", Type: openbadges.List[string]{"ResultDescription"}, Name: "Score", ResultType: "RawScore"}, {ID: "final", Type: openbadges.List[string]{"ResultDescription"}, Name: "Final", ResultType: "LetterGrade"}}}}))
	a, err := b.Award(ctx, b.registrar, nil, assertion.Award{LearnerID: string(b.ada.ID), AchievementID: string(studio.ID), Facts: assertion.Facts{AchievedOn: on("2026-05-22"),
		Results: []assertion.Result{{Description: "final", Value: "B"}, {Description: "score", Value: "71"}}}})
	if err != nil || a.Grade == nil || *a.Grade != "B" {
		t.Fatalf("%+v %v", a, err)
	}
	row := func(grade *string) []assertion.Row {
		return []assertion.Row{{LearnerID: b.ada.ID, Achievement: studio, Facts: assertion.Facts{AchievedOn: on("2026-05-22"), Grade: grade}, Absent: assertion.NoResults}}
	}
	for _, x := range []struct {
		grade   *string
		change  bulk.Change
		results string
	}{{ptr("B"), bulk.Unchanged, "[{final  B } {score  71 }]"}, {ptr("A"), bulk.Updated, "[{score  71 } {final  A }]"}, {ptr("A"), bulk.Unchanged, "[{score  71 } {final  A }]"},
		{nil, bulk.Updated, "[{score  71 }]"}} {
		out := b.load(t, row(x.grade))
		got, err := b.Find(ctx, b.registrar, string(a.ID))
		if err != nil || out[0].Change != x.change || fmt.Sprint(got.Results) != x.results {
			t.Errorf("%v: %s %v %v", x.grade, out[0].Change, got.Results, err)
		}
	}
}
