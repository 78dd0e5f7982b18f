package record_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/testbed"
	"github.com/testamur/testamur/internal/verify"
)

func (c *college) propose(t testing.TB, a record.Affected) (record.Correction, []record.CorrectionItem) {
	t.Helper()
	x, err := c.Records.Propose(t.Context(), c.Registrar(), a)
	testbed.Must(t, x, err)
	return x, c.itemsOf(t, x)
}

func (c *college) itemsOf(t testing.TB, x record.Correction) []record.CorrectionItem {
	t.Helper()
	items, err := c.Records.CorrectionItemsOf(t.Context(), c.Registrar(), []record.CorrectionID{x.ID})
	return testbed.Must(t, items, err)[x.ID]
}

func (c *college) run(t testing.TB, x record.Correction, positions ...int) []record.CorrectionItem {
	t.Helper()
	ctx := t.Context()
	got, err := c.Records.Decide(ctx, c.Registrar(), string(x.ID), positions)
	if testbed.Must(t, got, err).State != record.Running {
		t.Errorf("%+v", got)
	}
	if err := c.Records.RunCorrection(ctx, c.As(access.System), string(x.ID)); err != nil {
		t.Fatal(err)
	}
	done, err := c.Records.Correction(ctx, c.Registrar(), string(x.ID))
	if testbed.Must(t, done, err); done.State != record.Done || done.FinishedAt == nil || *done.DecidedBy != c.Registrar().ID {
		t.Errorf("%+v", done)
	}
	return c.itemsOf(t, x)
}

// said is what each item is about, in short.
func (c *college) said(t testing.TB, items []record.CorrectionItem) string {
	t.Helper()
	var out []string
	for _, i := range items {
		what := ""
		if i.CredentialID != nil {
			what = title(t, testbed.Whole(t, c.Credentials, c.Registrar(), string(*i.CredentialID)))
		} else {
			r, err := c.Records.Find(t.Context(), c.Registrar(), string(*i.RecordID))
			what = testbed.Must(t, r, err).Series
		}
		out = append(out, what+" "+i.State)
	}
	return strings.Join(out, ", ")
}

func title(t testing.TB, c credential.Credential) string {
	t.Helper()
	_, rest, _ := strings.Cut(*c.Document, `"name":"`)
	name, _, _ := strings.Cut(rest, `"`)
	return name
}

// TestAGradeCorrectionTouchesOnlyWhatItMust is scenario 4.
func TestAGradeCorrectionTouchesOnlyWhatItMust(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	ctx, who := t.Context(), c.Registrar()
	full, transcript := c.assemble(t, record.Want{}), c.assemble(t, record.Want{Type: record.Transcript})
	skills := c.assemble(t, record.Want{Type: record.Skills})
	fall := c.assemble(t, record.Want{Type: record.Transcript, Chosen: record.LeftOut{Terms: []string{"Spring 2026"}}})
	spring := c.assemble(t, record.Want{Type: record.Transcript, Chosen: record.LeftOut{Terms: []string{"Fall 2025"}}})
	if _, err := c.Records.Propose(ctx, who, record.Affected{Assertion: "ref:sis:r1", Reason: "recount"}); fault.KindOf(err) != fault.State {
		t.Errorf("nothing is affected yet: %v", err)
	}
	before := map[record.ID][]byte{}
	for _, r := range []record.Record{full, transcript, skills, fall, spring} {
		before[r.ID] = c.document(t, r)
	}
	c.Import(t, exchange.Results, []byte("result_id,learner_id,course_code,term,completed_on,grade,credits_earned\nr1,A1,ENG101,Fall 2025,2025-12-15,A,3\n"), exchange.Options{System: "sis"})
	x, items := c.propose(t, record.Affected{Assertion: "ref:sis:r1", Reason: "The paper was recounted."})
	if got := c.said(t, items); got != "Writing open, full open, transcript open, "+fall.Series+" open" {
		t.Fatal(got)
	}
	if why := items[1].Why; why != "It holds Writing as it was." {
		t.Error(why)
	}
	if _, err := c.Records.Propose(ctx, who, record.Affected{Assertion: "ref:sis:r1", Reason: "again"}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a second list of the same: %v", err)
	}
	if err := c.Records.RunCorrection(ctx, c.As(access.System), string(x.ID)); err != nil || c.said(t, c.itemsOf(t, x)) != c.said(t, items) {
		t.Errorf("something was done before it was approved: %v", err)
	}
	if _, err := c.Records.Decide(ctx, c.As(access.Assessor), string(x.ID), nil); fault.KindOf(err) != fault.Forbidden {
		t.Error(err)
	}
	if _, err := c.Records.Decide(ctx, who, string(x.ID), []int{9}); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
	done := c.run(t, x, 1, 2, 4) // not the transcript
	if got := c.said(t, done); got != "Writing done, full done, transcript declined, "+fall.Series+" done" {
		t.Fatal(got)
	}
	old, err := c.Credentials.Find(ctx, who, string(*items[0].CredentialID))
	if testbed.Must(t, old, err); old.Status != credential.Revoked || *old.SupersededBy != *done[0].NewCredentialID {
		t.Errorf("%+v", old)
	}
	next, err := c.Records.Find(ctx, who, string(*done[3].NewRecordID))
	if testbed.Must(t, next, err); next.Series != fall.Series || next.Version != 2 || outline(c.model(t, next)) != "Fall 2025: Calculus=F Writing=A\n" {
		t.Errorf("%+v", next)
	}
	for _, r := range []record.Record{full, transcript, skills, fall, spring} { // what was made keeps its bytes
		if !bytes.Equal(before[r.ID], c.document(t, r)) {
			t.Errorf("%s has other bytes", r.Series)
		}
	}
	for _, r := range []record.Record{skills, spring} {
		if around, err := c.Records.AroundOf(ctx, who, []record.ID{r.ID}); testbed.Must(t, around, err)[r.ID].After != nil {
			t.Errorf("%s was made anew", r.Series)
		}
	}
	// The transcript that was declined is listed again when somebody asks.
	y, items := c.propose(t, record.Affected{Assertion: "ref:sis:r1", Reason: "The transcript as well."})
	if got := c.said(t, items); got != "transcript open" || items[0].Why != "It holds Writing, which was revoked." {
		t.Fatal(got, items)
	}
	if no, err := c.Records.Decline(ctx, who, string(y.ID)); testbed.Must(t, no, err).State != record.Declined || c.said(t, c.itemsOf(t, y)) != "transcript declined" {
		t.Errorf("%+v", no)
	}
	if _, err := c.Records.Decide(ctx, who, string(y.ID), nil); fault.KindOf(err) != fault.State {
		t.Error(err)
	}
}

// TestANameChangeReissuesEverythingThatNamesTheLearner is scenario 3 for records.
func TestANameChangeReissuesEverythingThatNamesTheLearner(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	ctx, who := t.Context(), c.Registrar()
	c.grade(t)
	full, skills := c.assemble(t, record.Want{}), c.assemble(t, record.Want{Type: record.Skills})
	_, err := c.Learners.Rename(ctx, who, string(c.ada), nil, learner.Renaming{DisplayName: "Ada Lovelace", Reason: "marriage"})
	testbed.Must(t, 0, err)
	x, items := c.propose(t, record.Affected{Learner: string(c.ada), Reason: "Name changed by marriage."})
	if len(items) != 8 { // six awards and two records
		t.Fatal(c.said(t, items))
	}
	for _, i := range c.run(t, x) {
		if i.State != record.Done || i.NewCredentialID == nil && i.NewRecordID == nil {
			t.Errorf("%+v", i)
		}
	}
	for _, old := range []record.Record{full, skills} {
		around, err := c.Records.AroundOf(ctx, who, []record.ID{old.ID})
		next, err2 := c.Records.Find(ctx, who, string(*testbed.Must(t, around, err)[old.ID].After))
		if d := c.document(t, testbed.Must(t, next, err2)); bytes.Contains(d, []byte("Byron")) || !bytes.Contains(d, []byte("Lovelace")) {
			t.Errorf("%s names the learner as before", old.Series)
		}
		// The old file is authentic, and superseded.
		report, err := c.Verifier.Report(ctx, who, c.document(t, old))
		if testbed.Must(t, report, err); report.Outcome != verify.Passed {
			t.Errorf("%+v", report)
		}
	}
	if _, err := c.Records.Propose(ctx, who, record.Affected{Learner: string(c.ada), Reason: "again"}); fault.KindOf(err) != fault.State {
		t.Errorf("something is still affected: %v", err)
	}
}

// TestAnAwardOfTheWrongLearnerIsFlagged is scenario 5 for records.
func TestAnAwardOfTheWrongLearnerIsFlagged(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	ctx, who := t.Context(), c.Registrar()
	full, co := c.assemble(t, record.Want{}), c.assemble(t, record.Want{Type: record.CoCurricular})
	skills := c.assemble(t, record.Want{Type: record.Skills})
	embedded, err := c.Records.ItemsOf(ctx, who, []record.ID{co.ID})
	debate := testbed.Must(t, embedded, err)[co.ID][0]
	revoked, err := c.Credentials.Revoke(ctx, who, nil, string(debate), credential.Revocation{Cause: credential.IssuedInError, Reason: "It was Bo who debated."})
	testbed.Must(t, revoked, err)
	flagged, err := c.Records.OutdatedItemsOf(ctx, who, []record.ID{full.ID, co.ID, skills.ID})
	if f := testbed.Must(t, flagged, err); len(f[full.ID]) != 1 || len(f[co.ID]) != 1 || len(f[skills.ID]) != 0 {
		t.Errorf("%v", f)
	}
	x, items := c.propose(t, record.Affected{Credential: string(debate), Reason: "It was Bo who debated."})
	if got := c.said(t, items); got != "co_curricular open, full open" || items[0].Why != "It holds Debate, which was revoked." {
		t.Fatal(got, items[0].Why)
	}
	done := c.run(t, x)
	if got := c.said(t, done); got != "co_curricular done, full done" || done[0].NewRecordID != nil || !strings.Contains(done[0].Message, "it was revoked") {
		t.Fatal(got, done[0].Message)
	}
	old, err := c.Credentials.Find(ctx, who, string(co.CredentialID))
	if testbed.Must(t, old, err).Status != credential.Revoked {
		t.Error("a record of which nothing is left stands")
	}
	next, err := c.Records.Find(ctx, who, string(*done[1].NewRecordID))
	if m := c.model(t, testbed.Must(t, next, err)); strings.Contains(outline(m), "Debate") || m.Partial {
		t.Errorf("%+v", m.Omissions)
	}
}

// TestACorrectionGoesOnWhereItWasCutOff stops a run behind each credential that
// it issues.
func TestACorrectionGoesOnWhereItWasCutOff(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	ctx, who := t.Context(), c.Registrar()
	c.assemble(t, record.Want{})
	_, err := c.Learners.Rename(ctx, who, string(c.ada), nil, learner.Renaming{DisplayName: "Ada Lovelace", Reason: "marriage"})
	testbed.Must(t, 0, err)
	x, items := c.propose(t, record.Affected{Learner: string(c.ada), Reason: "Name changed."})
	_, err = c.Records.Decide(ctx, who, string(x.ID), nil)
	testbed.Must(t, 0, err)
	sealed, runs := 0, 0
	c.Credentials.Step = func(step string) error {
		if step != credential.StepSealed {
			return nil
		}
		if sealed++; sealed%2 == 1 {
			return errCut
		}
		return nil
	}
	for ; runs < 20; runs++ {
		if err = c.Records.RunCorrection(ctx, c.As(access.System), string(x.ID)); err == nil {
			break
		}
	}
	if err != nil || runs == 0 {
		t.Fatal(runs, err)
	}
	done := c.itemsOf(t, x)
	for n, i := range done {
		if i.State != record.Done || n < 6 && i.NewCredentialID == nil {
			t.Errorf("%+v", i)
		}
	}
	if r, err := c.Records.OfLearners(ctx, who, []learner.ID{c.ada}, record.Filter{}, page.Args{}); len(testbed.Must(t, r, err)[c.ada].Nodes) != 2 || len(items) != len(done) {
		t.Error("a run that was cut off left another version")
	}
}

var errCut = &fault.Error{Kind: fault.Unavailable, Message: "cut off"}

// TestANameChangeDoesNotKeepWhatWasWrongAsWell corrects a grade and a name before
// either is issued anew.
func TestANameChangeDoesNotKeepWhatWasWrongAsWell(t *testing.T) {
	t.Parallel()
	c := newCollege(t)
	ctx, who := t.Context(), c.Registrar()
	c.assemble(t, record.Want{})
	c.Import(t, exchange.Results, []byte("result_id,learner_id,course_code,term,completed_on,grade,credits_earned\nr1,A1,ENG101,Fall 2025,2025-12-15,A,3\n"), exchange.Options{System: "sis"})
	_, err := c.Learners.Rename(ctx, who, string(c.ada), nil, learner.Renaming{DisplayName: "Ada Lovelace", Reason: "marriage"})
	testbed.Must(t, 0, err)
	x, items := c.propose(t, record.Affected{Learner: string(c.ada), Reason: "Name changed by marriage."})
	c.run(t, x)
	for _, i := range items {
		if i.CredentialID == nil {
			continue
		}
		old := testbed.Whole(t, c.Credentials, who, string(*i.CredentialID))
		wrong := title(t, old) == "Writing"
		if (old.Status == credential.Revoked) != wrong || old.SupersededBy == nil {
			t.Errorf("%s is %s", title(t, old), old.Status)
		}
	}
}
