package exchange_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/testbed"
)

// year is n learners of whom each but every tenth passed the one course there is.
func year(t testing.TB, n int) *testbed.Bed {
	t.Helper()
	b := testbed.New(t)
	var people, results strings.Builder
	people.WriteString("learner_id,display_name\n")
	results.WriteString("result_id,learner_id,course_code,term,completed_on,grade,credits_earned\n")
	for i := range n {
		fmt.Fprintf(&people, "G%d,Graduate %d\n", i, i)
		if i%10 != 9 {
			fmt.Fprintf(&results, "r%d,G%d,ENG101,Fall 2025,2025-12-15,B,3\n", i, i)
		}
	}
	o := exchange.Options{System: "sis"}
	b.Import(t, exchange.Courses, []byte("code,title,credits\nENG101,Writing,3\n"), o)
	b.Import(t, exchange.Learners, []byte(people.String()), o)
	b.Import(t, exchange.Results, []byte(results.String()), o)
	return b
}

// TestAGraduationGoesOnWhereItWasCutOff is scenario 2 for the job: a file with a
// stranger and a learner twice, cut off in the middle, leaves one record each.
func TestAGraduationGoesOnWhereItWasCutOff(t *testing.T) {
	t.Parallel()
	const n = 80
	b := year(t, n)
	ctx, who := t.Context(), b.Registrar()
	names := []string{"ref:sis:G0", "G1", "nobody"}
	for i := 2; i < n; i++ {
		names = append(names, fmt.Sprintf("G%d", i))
	}
	names = append(names, "G3")
	key := "graduation-2026"
	cohort := exchange.Cohort{Learners: names, System: "sis"}
	j, err := b.Exchange.Graduate(ctx, who, &key, cohort)
	testbed.Must(t, j, err)
	if again, err := b.Exchange.Graduate(ctx, who, &key, cohort); testbed.Must(t, again, err).ID != j.ID {
		t.Error("a replay started another job")
	}
	sealed, cut := 0, errors.New("cut off")
	b.Credentials.Step = func(step string) error {
		if step == credential.StepSealed {
			if sealed++; sealed == 7 { // behind records of the first lines that no line tells of yet
				return cut
			}
		}
		return nil
	}
	if err := b.Exchange.Run(ctx, b.As(access.System), j.ID); !errors.Is(err, cut) {
		t.Fatal(err)
	}
	if now, err := b.Exchange.Find(ctx, who, j.ID); testbed.Must(t, now, err).State != exchange.Running {
		t.Errorf("%+v", now)
	}
	if err := b.Exchange.Run(ctx, b.As(access.System), j.ID); err != nil {
		t.Fatal(err)
	}
	done, err := b.Exchange.Find(ctx, who, j.ID)
	testbed.Must(t, done, err)
	failed := 1 + n/10 // the stranger, and those who have earned nothing
	if done.State != exchange.Succeeded || done.FailedCount != failed || done.CreatedCount+done.UnchangedCount != n-n/10+1 || done.LineDone != len(names)+1 {
		t.Errorf("%+v", done)
	}
	out, err := b.Exchange.OutcomesOf(ctx, who, j.ID, true, page.Args{})
	if first := testbed.Must(t, out, err).Nodes[0]; first.FirstLine != 4 || *first.Column != "learner_id" || *first.Value != "nobody" || *first.Message == "" {
		t.Errorf("%+v", first)
	}
	for _, name := range []string{"G0", "G3", "G61", "G64", "G78"} {
		l, err := b.Learners.Find(ctx, who, "ref:sis:"+name)
		r, err2 := b.Records.OfLearners(ctx, who, []learner.ID{testbed.Must(t, l, err).ID}, record.Filter{}, page.Args{})
		if all := testbed.Must(t, r, err2)[l.ID].Nodes; len(all) != 1 || all[0].Version != 1 {
			t.Errorf("%s has %d records", name, len(all))
		}
	}
}

func TestThoseWhoCompletedAProgramGraduate(t *testing.T) {
	t.Parallel()
	b := year(t, 20)
	ctx, who := t.Context(), b.Registrar()
	course, err := b.Courses.Find(ctx, who, "ENG101")
	testbed.Must(t, course, err)
	p, err := b.Programs.Define(ctx, who, "CERT", program.Content{Definition: program.Definition{Title: "Certificate",
		Requirement: program.Requirement{Title: "All", Kind: program.All, Parts: []program.Requirement{{Title: "Writing", Kind: program.Course, CourseID: course.ID}}}}})
	testbed.Must(t, p, err)
	cohort := exchange.Cohort{Completers: "CERT", Type: record.OfProgram, Program: "CERT"}
	if _, err := b.Exchange.Graduate(ctx, who, nil, cohort); fault.KindOf(err) != fault.State {
		t.Errorf("nobody is enrolled: %v", err)
	}
	today := day.On(b.Now().UTC())
	for i := range 20 {
		in := program.NewEnrollment{LearnerID: fmt.Sprintf("ref:sis:G%d", i), ProgramID: "CERT"}
		if i%2 == 1 { // the enrolment ends with the day on which the degree is conferred
			in.EndedOn = &today
		}
		e, err := b.Programs.Enrol(ctx, who, in)
		testbed.Must(t, e, err)
	}
	j, err := b.Exchange.Graduate(ctx, who, nil, cohort)
	testbed.Must(t, j, err)
	if err := b.Exchange.Run(ctx, b.As(access.System), j.ID); err != nil {
		t.Fatal(err)
	}
	if done, err := b.Exchange.Find(ctx, who, j.ID); testbed.Must(t, done, err).CreatedCount != 18 || done.FailedCount != 0 {
		t.Errorf("%+v", done)
	}
	// A job of a type that is not there says so, and does nothing.
	j, err = b.Exchange.Graduate(ctx, who, nil, exchange.Cohort{Learners: []string{"G1"}, System: "sis", Type: "none"})
	testbed.Must(t, j, err)
	if err := b.Exchange.Run(ctx, b.As(access.System), j.ID); err != nil {
		t.Fatal(err)
	}
	if done, err := b.Exchange.Find(ctx, who, j.ID); testbed.Must(t, done, err).State != exchange.Stopped || !strings.Contains(*done.Failure, "none") {
		t.Errorf("%+v", done)
	}
	for _, c := range []exchange.Cohort{{}, {Learners: []string{"G1"}, Completers: "CERT"}} {
		if _, err := b.Exchange.Graduate(ctx, who, nil, c); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := b.Exchange.Graduate(ctx, b.As(access.Designer), nil, cohort); fault.KindOf(err) != fault.Forbidden {
		t.Error(err)
	}
}
