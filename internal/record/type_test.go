package record_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/testbed"
)

// college is a whole service with courses, and a learner who took some of them.
type college struct {
	*testbed.Bed
	ada learner.ID
}

func newCollege(t testing.TB) *college {
	t.Helper()
	b := testbed.New(t)
	for _, f := range []struct {
		kind exchange.Kind
		data string
	}{
		{exchange.Courses, "code,title,credits\nENG101,Writing,3\nMAT101,Calculus,4\nBIO101,Biology,4\nHIS101,History,3\n"},
		{exchange.Learners, "learner_id,display_name\nA1,Ada Byron\nB1,Bo Quist\n"},
		{exchange.Results, "result_id,learner_id,course_code,term,completed_on,grade,credits_earned\n" +
			"r1,A1,ENG101,Fall 2025,2025-12-15,B,3\nr2,A1,MAT101,Fall 2025,2025-12-15,F,0\nr3,A1,MAT101,Spring 2026,2026-05-20,A-,4\nr4,A1,BIO101,Spring 2026,2026-05-20,P,4\n"},
		{exchange.Achievements, `[{"id":"https://b.example/debate","type":["Achievement"],"achievementType":"CoCurricular","name":"Debate","description":"Spoke.","criteria":{"narrative":"Speak."}},
			{"id":"https://b.example/think","type":["Achievement"],"achievementType":"Competency","name":"Thinks","description":"Thinks.","criteria":{"narrative":"Think."},
			"alignment":[{"type":["Alignment"],"targetName":"Critical thinking","targetUrl":"https://f.example/ct"}]}]`},
		{exchange.Awards, "award_id,learner_id,achievement,achieved_on,term\na1,A1,https://b.example/debate,2026-03-01,Spring 2026\na2,A1,https://b.example/think,2026-04-01,Spring 2026\n"},
	} {
		if j := b.Import(t, f.kind, []byte(f.data), exchange.Options{System: "sis"}); j.State != exchange.Succeeded || j.FailedCount > 0 {
			page, err := b.Exchange.OutcomesOf(t.Context(), b.Registrar(), j.ID, true, page.Args{})
			t.Fatalf("%s: %+v %+v %v", f.kind, j, page.Nodes, err)
		}
	}
	l, err := b.Learners.Find(t.Context(), b.Registrar(), "ref:sis:A1")
	return &college{b, testbed.Must(t, l, err).ID}
}

func (c *college) assemble(t testing.TB, w record.Want) record.Record {
	t.Helper()
	r, err := c.Records.AssembleAs(t.Context(), c.Registrar(), nil, string(c.ada), w)
	return testbed.Must(t, r, err)
}

func (c *college) model(t testing.TB, r record.Record) record.Model {
	t.Helper()
	m, err := c.Records.Model(t.Context(), c.Registrar(), string(r.ID))
	return testbed.Must(t, m, err)
}

// outline is a model's headings with the titles under them.
func outline(m record.Model) string {
	var b strings.Builder
	for _, s := range m.Sections {
		b.WriteString(s.Title + ":")
		for _, l := range s.Lines {
			b.WriteString(" " + l.Title)
			if l.Grade != "" {
				b.WriteString("=" + l.Grade)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestEachTypeHoldsWhatItSaysAndExplainsTheRest(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	for _, x := range []struct {
		kind    string
		partial bool
		outline string
		omitted []string
	}{
		{"", false, "Course: Calculus=F Writing=B Biology=P Calculus=A-\nCompetency: Thinks\nCoCurricular: Debate\n", nil},
		{record.Transcript, true, "Fall 2025: Calculus=F Writing=B\nSpring 2026: Biology=P Calculus=A-\n", []string{"type Co curricular", "type Competency"}},
		{record.Skills, true, "Critical thinking: Thinks\n", []string{"type Course", "type Co curricular"}},
		{record.CoCurricular, true, "Spring 2026: Debate\n", []string{"type Course", "type Competency"}},
	} {
		r := c.assemble(t, record.Want{Type: x.kind})
		m := c.model(t, r)
		if got := outline(m); got != x.outline || m.Partial != x.partial || r.Partial != x.partial {
			t.Errorf("%s: partial %v\n%s", x.kind, m.Partial, got)
		}
		for _, o := range x.omitted {
			if !slices.ContainsFunc(m.Omissions, func(m record.Omission) bool { return strings.Contains(m.Reason, o) && m.Count > 0 }) {
				t.Errorf("%s: %q is not explained: %+v", x.kind, o, m.Omissions)
			}
		}
		if m.Learner.Name != "Ada Byron" || m.Version != 1 || m.Supersedes != nil || !strings.HasSuffix(m.Name, "of Ada Byron") {
			t.Errorf("%+v", m)
		}
	}
}

// TestAPartialRecordLeavesTheFullOneAlone is scenario 8.
func TestAPartialRecordLeavesTheFullOneAlone(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	full := c.assemble(t, record.Want{})
	before := c.document(t, full)
	skills := c.assemble(t, record.Want{Type: record.Skills})
	chosen := c.assemble(t, record.Want{Chosen: record.LeftOut{Terms: []string{"Fall 2025"}}})
	held := c.assemble(t, record.Want{Type: record.Transcript, Held: record.LeftOut{Terms: []string{"Spring 2026"}}})
	for _, r := range []record.Record{skills, chosen, held} {
		if !r.Partial || r.Version != 1 || len(r.Omissions) == 0 || !bytes.Contains(c.document(t, r), []byte(`"partial":true`)) {
			t.Errorf("%+v", r)
		}
	}
	if o := chosen.Omissions[0]; o.Count != 2 || !strings.Contains(o.Reason, "learner chose") {
		t.Errorf("%+v", o)
	}
	if got := outline(c.model(t, held)); got != "Fall 2025: Calculus=F Writing=B\n" {
		t.Error(got)
	}
	again := c.assemble(t, record.Want{Type: "full"})
	if again.ID != full.ID || !bytes.Equal(c.document(t, again), before) {
		t.Error("the full record is another one")
	}
	credential, err := c.Credentials.Find(t.Context(), c.Registrar(), string(full.CredentialID))
	if testbed.Must(t, credential, err).SupersededBy != nil {
		t.Error("the full record was replaced by a partial one")
	}
	if twice := c.assemble(t, record.Want{Chosen: record.LeftOut{Terms: []string{"Fall 2025", "Fall 2025"}}}); twice.ID != chosen.ID {
		t.Error("the same choice made another version")
	}
	of, err := c.Records.OfLearners(t.Context(), c.Registrar(), []learner.ID{c.ada}, record.Filter{Type: ptr(record.Full)}, page.Args{First: ptr(1)})
	first := testbed.Must(t, of, err)[c.ada]
	of, err = c.Records.OfLearners(t.Context(), c.Registrar(), []learner.ID{c.ada}, record.Filter{Type: ptr(record.Full)}, page.Args{After: first.PageInfo.EndCursor})
	if rest := testbed.Must(t, of, err)[c.ada].Nodes; len(first.Nodes) != 1 || len(rest) != 1 || rest[0].ID == first.Nodes[0].ID {
		t.Errorf("%+v, then %+v", first.Nodes, rest)
	}
}

func ptr[T any](v T) *T { return &v }

func (c *college) document(t testing.TB, r record.Record) []byte {
	t.Helper()
	return []byte(*testbed.Whole(t, c.Credentials, c.Registrar(), string(r.CredentialID)).Document)
}

func TestATypeIsRevisedInVersions(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	ctx, who := t.Context(), c.Registrar()
	first := c.assemble(t, record.Want{Type: record.CoCurricular})
	content := record.Content{Title: "Beside the courses", AchievementTypes: []string{"CoCurricular", "Competency"}, Headings: record.ByType, Order: record.NewestFirst}
	two, err := c.Records.ReviseType(ctx, who, record.CoCurricular, ptr(1), content)
	if testbed.Must(t, two, err).Version != 2 {
		t.Errorf("%+v", two)
	}
	if same, err := c.Records.ReviseType(ctx, who, record.CoCurricular, nil, content); testbed.Must(t, same, err).Version != 2 {
		t.Error("the same content made a version")
	}
	if _, err := c.Records.ReviseType(ctx, who, record.CoCurricular, ptr(1), content); fault.KindOf(err) != fault.Conflict {
		t.Error(err)
	}
	second := c.assemble(t, record.Want{Type: record.CoCurricular})
	if second.Version != 2 || second.TypeVersion != 2 || c.model(t, second).Supersedes.RecordID != first.ID || c.model(t, second).Title != content.Title {
		t.Errorf("%+v", second)
	}
	if got := c.model(t, first); got.Title != "Co-Curricular Record" || got.TypeVersion != 1 {
		t.Errorf("%+v", got)
	}
	own, err := c.Records.ReviseType(ctx, who, "writing", ptr(0), record.Content{Title: "Writing", AchievementTypes: []string{"Course"}, Headings: record.ByTerm, Order: record.ByTitle})
	testbed.Must(t, own, err)
	if got := outline(c.model(t, c.assemble(t, record.Want{Type: "writing"}))); got != "Fall 2025: Calculus=F Writing=B\nSpring 2026: Biology=P Calculus=A-\n" {
		t.Error(got)
	}
	types, err := c.Records.Types(ctx, who)
	if all := testbed.Must(t, types, err); len(all) != 6 || all[0].Key != record.Full || all[4].Version != 2 || all[5].Key != "writing" {
		t.Errorf("%+v", all)
	}
	if neighbours, err := c.Records.Types(ctx, access.Actor{ID: "cli_n", InstitutionID: string(c.Neighbour.ID), Roles: who.Roles}); len(testbed.Must(t, neighbours, err)) != 5 {
		t.Error("a neighbour sees another's types")
	}
	for _, bad := range []struct {
		key string
		c   record.Content
	}{{"Bad Key", content}, {"x", record.Content{Headings: record.ByTerm, Order: record.ByTitle}}, {"x", record.Content{Title: "X", Headings: "year", Order: record.ByTitle}}} {
		if _, err := c.Records.ReviseType(ctx, who, bad.key, nil, bad.c); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := c.Records.ReviseType(ctx, c.As(access.Assessor), "x", nil, content); fault.KindOf(err) != fault.Forbidden {
		t.Error(err)
	}
	if _, err := c.Records.AssembleAs(ctx, who, nil, string(c.ada), record.Want{Type: "none"}); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
}

// enrol puts Ada into a program that asks for three courses.
func (c *college) enrol(t testing.TB) program.Program {
	t.Helper()
	ctx, who := t.Context(), c.Registrar()
	var parts []program.Requirement
	for _, code := range []string{"ENG101", "MAT101", "HIS101"} {
		course, err := c.Courses.Find(ctx, who, code)
		parts = append(parts, program.Requirement{Title: code, Kind: program.Course, CourseID: testbed.Must(t, course, err).ID})
	}
	p, err := c.Programs.Define(ctx, who, "BA", program.Content{Definition: program.Definition{Title: "Bachelor of Arts", Requirement: program.Requirement{Title: "All", Kind: program.All, Parts: parts}}})
	testbed.Must(t, p, err)
	e, err := c.Programs.Enrol(ctx, who, program.NewEnrollment{LearnerID: string(c.ada), ProgramID: "BA"})
	testbed.Must(t, e, err)
	return p
}

func TestAProgramRecordShowsWhatIsOpen(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	p := c.enrol(t)
	r := c.assemble(t, record.Want{Type: record.OfProgram, Program: "BA"})
	m := c.model(t, r)
	if got := outline(m); got != "Course: Writing=B Calculus=A-\n" || m.Program == nil || m.Program.ID != p.ID || !m.Partial {
		t.Errorf("%+v\n%s", m.Program, got)
	}
	var got []string
	for _, l := range m.Programs[0].Lines {
		got = append(got, l.Title+" "+l.Status)
	}
	if strings.Join(got, ", ") != "All in_progress, ENG101 earned, MAT101 earned, HIS101 open" || m.Programs[0].Lines[3].Reason == "" {
		t.Errorf("%q", got)
	}
	for _, w := range []record.Want{{Type: record.OfProgram}, {Type: record.OfProgram, Program: "none"}, {Program: p.ID}} {
		if _, err := c.Records.AssembleAs(t.Context(), c.Registrar(), nil, string(c.ada), w); err == nil {
			t.Errorf("%+v was assembled", w)
		}
	}
	// What is open is earned, and the next version says so.
	c.Import(t, exchange.Results, []byte("result_id,learner_id,course_code,term,completed_on,grade,credits_earned\nr9,A1,HIS101,Spring 2026,2026-06-01,A,3\n"), exchange.Options{System: "sis"})
	next := c.assemble(t, record.Want{Type: record.OfProgram, Program: p.ID})
	if m := c.model(t, next); next.Version != 2 || m.Programs[0].Status != record.Earned {
		t.Errorf("%+v", m.Programs)
	}
}

// How far a learner is with a program names the evidence for each requirement,
// also what was left out of the record.
func TestAProgramDoesNotTellOfWhatWasLeftOut(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	c.enrol(t)
	for _, w := range []record.Want{{Type: record.Transcript}, {Type: record.Transcript, Chosen: record.LeftOut{Terms: []string{"Fall 2025"}}},
		{Type: record.Transcript, Held: record.LeftOut{Terms: []string{"Fall 2025"}}}} {
		r := c.assemble(t, w)
		document := string(c.document(t, r))
		whole := len(w.Chosen.Terms)+len(w.Held.Terms) == 0
		if m := c.model(t, r); (len(m.Programs) > 0) != whole || strings.Contains(document, "HIS101") != whole {
			t.Errorf("%+v: programs %+v, told in the document: %v", w, m.Programs, strings.Contains(document, "HIS101"))
		}
	}
}
