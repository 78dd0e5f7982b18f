package record_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/testbed"
)

func (c *college) changes(t testing.TB, x record.Span) []string {
	t.Helper()
	all, err := c.Records.ChangesOf(t.Context(), c.Registrar(), []record.Span{x})
	testbed.Must(t, all, err)
	out := []string{}
	for _, x := range all[x] {
		out = append(out, x.Kind+" "+x.Sentence)
	}
	return out
}

func TestVersionsTellWhatChanged(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	ctx, who := t.Context(), c.Registrar()
	c.grade(t)
	first := c.assemble(t, record.Want{})
	if got := c.changes(t, record.Span{Of: first.ID}); len(got) != 0 {
		t.Errorf("a first version changed %q", got)
	}
	// A grade is corrected, a name changes, an award is taken back and another made.
	c.Import(t, exchange.Results, []byte("result_id,learner_id,course_code,term,completed_on,grade,credits_earned\n"+
		"r1,A1,ENG101,Fall 2025,2025-12-15,A,3\nr5,A1,HIS101,Spring 2026,2026-05-20,B,3\n"), exchange.Options{System: "sis"})
	_, err := c.Assertions.Withdraw(ctx, who, "ref:sis:a1", "Entered for the wrong learner.")
	testbed.Must(t, 0, err)
	_, err = c.Learners.Rename(ctx, who, string(c.ada), nil, learner.Renaming{DisplayName: "Ada Lovelace", Reason: "marriage"})
	testbed.Must(t, 0, err)
	second := c.assemble(t, record.Want{})
	want := []string{
		"changed The learner: name is now Ada Lovelace.",
		"changed MAT101 Calculus: the credential was issued anew; what it says of the award is the same.",
		"changed ENG101 Writing: grade changed from B to A.",
		"changed BIO101 Biology: the credential was issued anew; what it says of the award is the same.",
		"changed MAT101 Calculus: the credential was issued anew; what it says of the award is the same.",
		"added HIS101 History was added: Spring 2026, grade B, 3 credits, earned on 2026-05-20.",
		"changed Thinks: the credential was issued anew; what it says of the award is the same.",
		"changed The credits earned: total changed from 11 to 14.",
		"changed The grade point average: value changed from 3.40 to 3.58.", // (3*4 + 4*3.7 + 3*3) / 10
		"removed Debate was removed: Spring 2026, earned on 2026-03-01. The award was withdrawn: Entered for the wrong learner.",
	}
	if diff := cmp.Diff(want, c.changes(t, record.Span{Of: second.ID})); diff != "" {
		t.Error(diff)
	}
	third := c.assemble(t, record.Want{Chosen: record.LeftOut{Terms: []string{"Spring 2026"}}})
	if got := c.changes(t, record.Span{Of: third.ID, Since: first.ID}); len(got) == 0 || !strings.Contains(strings.Join(got, "\n"), "removed BIO101 Biology") {
		t.Errorf("%q", got)
	}
	transcript := c.assemble(t, record.Want{Type: record.Transcript})
	for _, x := range []record.Span{{Of: second.ID, Since: transcript.ID}, {Of: second.ID, Since: "rec_none"}} {
		if _, err := c.Records.ChangesOf(ctx, who, []record.Span{x}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", x, err)
		}
	}
	neighbour := access.Actor{ID: "cli_n", InstitutionID: string(c.Neighbour.ID), Roles: who.Roles}
	if _, err := c.Records.ChangesOf(ctx, neighbour, []record.Span{{Of: second.ID}}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a neighbour: %v", err)
	}
	// The old one verifies as authentic and superseded.
	report, err := c.Verifier.Report(ctx, who, c.document(t, first))
	testbed.Must(t, report, err)
	said := ""
	for _, x := range report.Checks {
		if x.Name == "status" {
			said = x.Reason
		}
	}
	if !strings.Contains(said, "superseded it on 24 November 2026") {
		t.Errorf("%q in %+v", said, report)
	}
	around, err := c.Records.AroundOf(ctx, who, []record.ID{first.ID, second.ID})
	if a := testbed.Must(t, around, err); a[first.ID].After == nil || *a[first.ID].After != second.ID || a[first.ID].Before != nil || *a[second.ID].Before != first.ID {
		t.Errorf("%+v", a)
	}
}

func TestCompareIsEmptyForTheSame(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	c.enrol(t)
	m := c.model(t, c.assemble(t, record.Want{}))
	same := func(l record.Line) string { return l.CredentialID }
	nothing := func(record.Line) string { return "" }
	if got := record.Compare(m, m, same, nothing); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
