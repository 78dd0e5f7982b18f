package record_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/interop"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/shape"
	"github.com/testamur/testamur/internal/testbed"
	"github.com/testamur/testamur/internal/verify"
)

// grade gives the college a grading policy.
func (c *college) grade(t testing.TB, grounds ...string) record.Grading {
	t.Helper()
	g, err := c.Records.ReviseGrading(t.Context(), c.Registrar(), nil, record.GradingContent{Name: "Letter grades", Grades: []record.Grade{
		{Mark: "A", Points: ptr(4.0), Counts: true, Earns: true, Meaning: "Excellent"}, {Mark: "A-", Points: ptr(3.7), Counts: true, Earns: true},
		{Mark: "B", Points: ptr(3.0), Counts: true, Earns: true}, {Mark: "P", Earns: true, Meaning: "Passed"}, {Mark: "F", Points: ptr(0.0), Counts: true, Meaning: "Failed"}},
		Average: &record.AverageRule{Repeats: record.Latest, Decimals: 2, Rounding: record.HalfUp, Grounds: grounds}})
	return testbed.Must(t, g, err)
}

// good takes a record to the schemas, to our own checks and to our own verifier.
func (c *college) good(t testing.TB, r record.Record) []byte {
	t.Helper()
	document := c.document(t, r)
	interop.ValidateCLR(t, document)
	for _, e := range must(clr.Embedded(document)) {
		interop.ValidateOB(t, e)
	}
	v := must(jsonld.Read(document))
	if p := append(clr.Check(v, shape.Canonical), clr.CheckLinks(v)...); len(p) > 0 {
		t.Errorf("it is not as the standard asks: %v", p)
	}
	report, err := c.Verifier.Report(t.Context(), c.Registrar(), document)
	if testbed.Must(t, report, err).Outcome != verify.Passed {
		t.Errorf("%+v", report)
	}
	return document
}

func TestATranscriptAddsUp(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	c.enrol(t)
	bare := c.assemble(t, record.Want{Type: record.Transcript})
	if s := c.model(t, bare).Summary; s == nil || s.Average != nil || s.CreditsEarned != 11 || c.model(t, bare).Legend != nil {
		t.Errorf("without a policy: %+v", s)
	}
	policy := c.grade(t)
	r := c.assemble(t, record.Want{Type: record.Transcript})
	m := c.model(t, r)
	s := m.Summary
	if r.Version != 2 || s.Average == nil || s.Average.Value != "3.40" || s.Average.Credits != 7 || s.CreditsEarned != 11 || s.CreditsAttempted != 11 || s.PolicyVersion != policy.Version {
		t.Fatalf("version %d %+v %+v", r.Version, s, s.Average) // (3*3 + 4*3.7) / 7; the failed attempt at MAT101 is replaced
	}
	if m.Sections[0].Title != "Fall 2025" || m.Sections[0].Average.Value != "3.00" || m.Sections[0].Credits != 3 || !m.Sections[0].Lines[0].Replaced || m.Sections[1].Average.Value != "3.70" {
		t.Errorf("%+v", m.Sections[:2])
	}
	if m.Legend == nil || len(m.Legend.Grades) != 5 || m.Legend.Grades[0].Points != "4" || !strings.Contains(m.Legend.Policy, "latest attempt") {
		t.Errorf("%+v", m.Legend)
	}
	signed := summaryIn(t, c.good(t, r))
	values := map[string]string{}
	for _, rd := range signed.CredentialSubject.Achievement.ResultDescription {
		values[rd.Name] = "nothing"
		for _, x := range signed.CredentialSubject.Result {
			if x.ResultDescription == rd.ID {
				values[rd.Name] = x.Value + x.Status
			}
		}
		if rd.ResultType == "GradePointAverage" && (rd.ValueMin != "0" || rd.ValueMax != "4") {
			t.Errorf("%+v", rd)
		}
	}
	for name, want := range map[string]string{"Grade point average": "3.40", "Grade point average, Spring 2026": "3.70", "Bachelor of Arts": "InProgress",
		"Bachelor of Arts: ENG101": "Completed", "Bachelor of Arts: HIS101": "nothing"} {
		if values[name] != want {
			t.Errorf("%s: %q, want %q in %v", name, values[name], want, values)
		}
	}
	if *signed.CredentialSubject.CreditsEarned != 11 || !strings.Contains(signed.CredentialSubject.Achievement.Criteria.Narrative, "version 1 of the grading policy") {
		t.Errorf("%+v", signed.CredentialSubject)
	}
	// The program stands in the record without being asserted.
	if d := c.document(t, r); !bytes.Contains(d, []byte(`"achievementType":"LearningProgram"`)) || !bytes.Contains(d, []byte("Not earned yet.")) || !bytes.Contains(d, []byte(`"isPartOf"`)) {
		t.Error("the record does not say what is open")
	}
	if again := c.assemble(t, record.Want{Type: record.Transcript}); again.ID != r.ID {
		t.Error("unchanged data made a version")
	}
	// Another policy makes another version; the one before keeps what it says, and
	// its summary tells that it was replaced.
	content := policy.Content
	content.Average.Repeats = record.Every
	two, err := c.Records.ReviseGrading(t.Context(), c.Registrar(), ptr(1), content)
	testbed.Must(t, two, err)
	next := c.assemble(t, record.Want{Type: record.Transcript})
	if m := c.model(t, next); next.Version != 3 || m.Summary.Average.Value != "2.16" || m.Summary.PolicyVersion != 2 { // (9 + 0 + 14.8) / 11
		t.Errorf("%+v %+v", next, m.Summary.Average)
	}
	if c.model(t, r).Summary.Average.Value != "3.40" {
		t.Error("what was made says something else")
	}
	old, err := c.Credentials.Find(t.Context(), c.Registrar(), lastPart(signed.ID))
	if testbed.Must(t, old, err).SupersededBy == nil {
		t.Error("the summary was not replaced")
	}
}

func lastPart(address string) string { return address[strings.LastIndexByte(address, '/')+1:] }

// summaryIn is the summary of a signed record.
func summaryIn(t testing.TB, document []byte) openbadges.Credential {
	t.Helper()
	for _, e := range must(clr.Embedded(document)) {
		var c openbadges.Credential
		if err := json.Unmarshal(e, &c); err != nil {
			t.Fatal(err)
		}
		if c.CredentialSubject.Achievement.AchievementType == record.SummaryType {
			return c
		}
	}
	t.Fatal("the record has no summary")
	panic("unreachable")
}

// TestUnitsReconcileWithCourses is the model of scenario 19.
func TestUnitsReconcileWithCourses(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	c.grade(t, program.Unit)
	ctx, who := t.Context(), c.Registrar()
	badges, err := c.Achievements.List(ctx, who, achievement.Filter{Text: ptr("Thinks")}, page.Args{})
	unit := testbed.Must(t, badges, err).Nodes[0].ID
	approve := func(code string, credits float64) program.Equivalency {
		course, err := c.Courses.Find(ctx, who, code)
		testbed.Must(t, course, err)
		e, err := c.Programs.Approve(ctx, who, program.NewEquivalency{Ground: program.Unit, Given: program.Given{AchievementID: unit},
			Instead: program.Instead{CourseID: course.ID, Grade: "A", Credits: credits}, Reason: "The unit covers the course."})
		return testbed.Must(t, e, err)
	}
	history, writing := approve("HIS101", 3), approve("ENG101", 3)
	r := c.assemble(t, record.Want{Type: record.Transcript})
	m := c.model(t, r)
	if len(m.Equivalencies) != 2 {
		t.Fatalf("%+v", m.Equivalencies)
	}
	byRule := map[program.EquivalencyID]record.Equivalent{}
	for _, e := range m.Equivalencies {
		byRule[e.Rule] = e
	}
	if h := byRule[history.ID]; h.Given != "Thinks" || h.As != "History" || h.AsCode != "HIS101" || h.Credits != 3 || h.Grade != "A" || !h.Counted || h.On != "2026-04-01" ||
		h.ApprovedBy != who.ID || h.Reason == "" || h.InForce != "2026-11-24" {
		t.Errorf("%+v", h)
	}
	if w := byRule[writing.ID]; w.Counted { // she took the course itself
		t.Errorf("%+v", w)
	}
	// 11 credits of courses and 3 by the unit; (3*3 + 4*3.7 + 3*4) / 10
	if s := m.Summary; s.CreditsEarned != 14 || s.ByEquivalency != 3 || s.Average.Value != "3.58" || s.Average.Credits != 10 {
		t.Errorf("%+v %+v", s, s.Average)
	}
	signed := summaryIn(t, c.good(t, r))
	if n := signed.CredentialSubject.Achievement.Criteria.Narrative; !strings.Contains(n, string(history.ID)) || !strings.Contains(n, "The unit covers the course.") {
		t.Error(n)
	}
	// A rule that is withdrawn counts no more.
	_, err = c.Programs.WithdrawEquivalency(ctx, who, string(history.ID))
	testbed.Must(t, 0, err)
	if m := c.model(t, c.assemble(t, record.Want{Type: record.Transcript})); m.Summary.CreditsEarned != 11 || len(m.Equivalencies) != 1 {
		t.Errorf("%+v", m.Summary)
	}
}

// TestAnEquivalencyIsLeftOutWithWhatItIsOf leaves the unit out of a record by each
// of the ways there are: what it counts as would tell of it. On a transcript of
// courses a unit stands as the course that it counts as, and nowhere else.
func TestAnEquivalencyIsLeftOutWithWhatItIsOf(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	c.grade(t, program.Unit)
	ctx, who := t.Context(), c.Registrar()
	badges, err := c.Achievements.List(ctx, who, achievement.Filter{Text: ptr("Thinks")}, page.Args{})
	unit := testbed.Must(t, badges, err).Nodes[0].ID
	course, err := c.Courses.Find(ctx, who, "HIS101")
	testbed.Must(t, course, err)
	e, err := c.Programs.Approve(ctx, who, program.NewEquivalency{Ground: program.Unit, Given: program.Given{AchievementID: unit},
		Instead: program.Instead{CourseID: course.ID, Grade: "A", Credits: 3}, Reason: "The unit covers the course."})
	testbed.Must(t, e, err)
	awards, err := c.Assertions.OfLearners(ctx, who, []learner.ID{c.ada}, assertion.Filter{}, page.Args{})
	var unitOnly record.LeftOut
	for _, a := range testbed.Must(t, awards, err)[c.ada].Nodes {
		if a.AchievementID == unit {
			unitOnly.Awards = append(unitOnly.Awards, a.ID)
		}
	}
	for name, w := range map[string]struct {
		want record.Want
		tell bool
	}{
		"whole":       {record.Want{Type: record.Transcript}, true},
		"by choice":   {record.Want{Type: record.Transcript, Chosen: unitOnly}, false},
		"by a hold":   {record.Want{Type: record.Transcript, Held: record.LeftOut{Terms: []string{"Spring 2026"}}}, false},
		"by a policy": {record.Want{Type: record.CoCurricular}, false}, // which does not add up
	} {
		r := c.assemble(t, w.want)
		m := c.model(t, r)
		document := string(c.document(t, r))
		for _, told := range []string{string(e.ID), "HIS101", "Thinks", "The unit covers"} {
			if strings.Contains(document, told) != w.tell {
				t.Errorf("%s: the document tells %q: %v", name, told, !w.tell)
			}
		}
		if (len(m.Equivalencies) == 1) != w.tell || m.Summary != nil && (m.Summary.ByEquivalency == 3) != w.tell || w.tell && m.Summary == nil {
			t.Errorf("%s: %+v %+v", name, m.Equivalencies, m.Summary)
		}
	}
}

func TestAGradingPolicyIsRevisedInVersions(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	ctx, who := t.Context(), c.Registrar()
	if g, err := c.Records.Grading(ctx, who); err != nil || g != nil {
		t.Errorf("%+v %v", g, err)
	}
	first := c.grade(t)
	if again := c.grade(t); again.Version != 1 || first.Version != 1 {
		t.Error("the same content made a version")
	}
	if _, err := c.Records.ReviseGrading(ctx, who, ptr(0), first.Content); fault.KindOf(err) != fault.Conflict {
		t.Error(err)
	}
	if _, err := c.Records.ReviseGrading(ctx, c.As(access.Assessor), nil, first.Content); fault.KindOf(err) != fault.Forbidden {
		t.Error(err)
	}
	g, err := c.Records.Grading(ctx, c.As(access.Learner))
	if testbed.Must(t, g, err).Content.Name != "Letter grades" {
		t.Errorf("%+v", g)
	}
	neighbour := access.Actor{ID: "cli_n", InstitutionID: string(c.Neighbour.ID), Roles: who.Roles}
	if g, err := c.Records.Grading(ctx, neighbour); err != nil || g != nil {
		t.Errorf("a neighbour reads %+v %v", g, err)
	}
}

// TestWhatIsNotEarnedAddsNothing awards a course that is in progress, one that was
// dropped, and a degree with the credits of its courses.
func TestWhatIsNotEarnedAddsNothing(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	c.grade(t)
	c.enrol(t)
	ctx, who := t.Context(), c.Registrar()
	award := func(a assertion.Award, status string) {
		t.Helper()
		a.LearnerID, a.Facts.AchievedOn, a.Facts.Term = string(c.ada), day.Of(2026, 6, 1), "Spring 2026"
		if status != "" {
			a.Facts.Results = []assertion.Result{{Description: achievement.GradeResult, Status: status}}
		}
		made, err := c.Assertions.Award(ctx, who, nil, a)
		testbed.Must(t, made, err)
	}
	award(assertion.Award{CourseID: "HIS101"}, "InProgress")
	award(assertion.Award{CourseID: "ENG101"}, "Withdrew")
	degree, err := c.Achievements.Define(ctx, who, achievement.Draft{Definition: achievement.Definition{Name: "Bachelor of Arts", AchievementType: "BachelorDegree",
		Description: "d", Criteria: &openbadges.Criteria{Narrative: "n"}}})
	award(assertion.Award{AchievementID: string(testbed.Must(t, degree, err).ID), Facts: assertion.Facts{CreditsEarned: ptr(120.0)}}, "")
	m := c.model(t, c.assemble(t, record.Want{Type: record.Transcript}))
	if s := m.Summary; s.CreditsEarned != 11 || s.CreditsAttempted != 14 || s.Average.Value != "3.40" {
		t.Errorf("%+v %+v", s, s.Average)
	}
	for _, l := range m.Programs[0].Lines {
		if l.Title == "HIS101" && (l.Status != record.InProgress || !strings.HasPrefix(l.Reason, "In progress")) {
			t.Errorf("%+v", l)
		}
	}
	spring := m.Sections[1]
	states := map[string]string{}
	for _, l := range spring.Lines {
		states[l.Title] = l.Status
	}
	if spring.Credits != 8 || states["History"] != record.InProgress || states["Writing"] != record.Withdrew || states["Bachelor of Arts"] != record.Earned {
		t.Errorf("%v credits, %v", spring.Credits, states)
	}
	if signed := summaryIn(t, c.good(t, c.assemble(t, record.Want{}))); *signed.CredentialSubject.CreditsEarned != 11 {
		t.Errorf("%+v", signed.CredentialSubject)
	}
	for _, s := range c.model(t, c.assemble(t, record.Want{})).Sections {
		if s.Title == "BachelorDegree" && s.Credits != 0 || s.Title == "Course" && s.Credits != 11 {
			t.Errorf("%s: %v credits", s.Title, s.Credits)
		}
	}
}

// TestACourseOnFileIsNotCountedAgainByItsEquivalent has the credits of the course
// itself in no file: they are those that it is worth.
func TestACourseOnFileIsNotCountedAgainByItsEquivalent(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	c.grade(t, program.Unit)
	ctx, who := t.Context(), c.Registrar()
	history, err := c.Courses.Find(ctx, who, "HIS101")
	testbed.Must(t, history, err)
	badges, err := c.Achievements.List(ctx, who, achievement.Filter{Text: ptr("Thinks")}, page.Args{})
	e, err := c.Programs.Approve(ctx, who, program.NewEquivalency{Ground: program.Unit, Given: program.Given{AchievementID: testbed.Must(t, badges, err).Nodes[0].ID},
		Instead: program.Instead{CourseID: history.ID, Grade: "A", Credits: 3}, Reason: "The unit covers the course."})
	testbed.Must(t, e, err)
	a, err := c.Assertions.Award(ctx, who, nil, assertion.Award{LearnerID: string(c.ada), CourseID: "HIS101", Facts: assertion.Facts{AchievedOn: day.Of(2026, 6, 1), Grade: ptr("B")}})
	testbed.Must(t, a, err)
	if m := c.model(t, c.assemble(t, record.Want{Type: record.Transcript})); m.Summary.CreditsEarned != 14 || m.Equivalencies[0].Counted {
		t.Errorf("%+v %+v", m.Summary, m.Equivalencies)
	}
}

// TestNobodyChoosesTheirAverage leaves a failed course out by choice, and a badge
// that no average counts.
func TestNobodyChoosesTheirAverage(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	c.grade(t)
	spring := record.LeftOut{Terms: []string{"Spring 2026"}}
	m := c.model(t, c.assemble(t, record.Want{Type: record.Transcript, Chosen: spring}))
	if s := m.Summary; s == nil || s.Average != nil || s.CreditsEarned != 3 || !strings.Contains(s.Policy, "the learner chose to leave out") || m.Sections[0].Average != nil {
		t.Errorf("%+v", s)
	}
	m = c.model(t, c.assemble(t, record.Want{Type: record.Transcript, Held: spring}))
	if s := m.Summary; s == nil || s.Average == nil || s.Average.Value != "1.29" { // (3*3 + 4*0) / 7
		t.Errorf("%+v", s)
	}
	awards, err := c.Assertions.OfLearners(t.Context(), c.Registrar(), []learner.ID{c.ada}, assertion.Filter{}, page.Args{})
	var badges record.LeftOut
	for _, a := range testbed.Must(t, awards, err)[c.ada].Nodes {
		if a.Grade == nil {
			badges.Awards = append(badges.Awards, a.ID)
		}
	}
	if s := c.model(t, c.assemble(t, record.Want{Chosen: badges})).Summary; s == nil || s.Average == nil || s.Average.Value != "3.40" {
		t.Errorf("%+v", s)
	}
}
