package exchange_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/testbed"
)

// awarded is a service with n awards of a badge, and their ids.
func awarded(t *testing.T, n int) (*testbed.Bed, []string) {
	t.Helper()
	b := testbed.New(t)
	l := must(b.Learners.Define(t.Context(), b.Registrar(), learner.Definition{DisplayName: "Ada"}))
	a := must(b.Achievements.Define(t.Context(), b.Registrar(), achievement.Draft{Definition: achievement.Definition{Name: "Badge", Description: "d", Criteria: &openbadges.Criteria{Narrative: "n"}}}))
	var ids []string
	for i := range n {
		made := must(b.Assertions.Award(t.Context(), b.Registrar(), nil, assertion.Award{LearnerID: string(l.ID), AchievementID: string(a.ID),
			Facts: assertion.Facts{AchievedOn: day.Of(2026, 5, 1), Term: fmt.Sprint(i)}}))
		ids = append(ids, string(made.ID))
	}
	return b, ids
}

// act does one thing to many and gives the job when it has ended.
func act(t *testing.T, b *testbed.Bed, key string, a exchange.Acts) exchange.Job {
	t.Helper()
	j := testbed.Must(t, must(b.Exchange.Act(t.Context(), b.Registrar(), &key, a)), nil)
	if err := b.Exchange.Run(t.Context(), b.As(access.System), j.ID); err != nil {
		t.Fatal(err)
	}
	return must(b.Exchange.Find(t.Context(), b.Registrar(), j.ID))
}

// credentialsOf are the credentials of awards, and how many events they have.
func credentialsOf(t *testing.T, b *testbed.Bed, awards []string) (ids []string, status map[string]int) {
	t.Helper()
	status = map[string]int{}
	var all []assertion.ID
	for _, a := range awards {
		all = append(all, assertion.ID(a))
	}
	for _, cs := range must(b.Credentials.OfAssertions(t.Context(), b.Registrar(), all)) {
		for _, c := range cs {
			ids, status[c.Status] = append(ids, string(c.ID)), status[c.Status]+1
		}
	}
	slices.Sort(ids)
	return ids, status
}

func TestManyCredentialsAreChangedAsAJob(t *testing.T) {
	t.Parallel()
	const n = 120
	b, awards := awarded(t, n)
	want(t, act(t, b, "1", exchange.Acts{Kind: exchange.IssueCredentials, IDs: append(slices.Clone(awards), "asn_nothing", "elsewhere")}), fmt.Sprintf("succeeded: %d created, 0 updated, 0 unchanged, 2 failed", n))
	ids, status := credentialsOf(t, b, awards)
	if len(ids) != n || status[credential.Active] != n {
		t.Fatalf("%d credentials, %v", len(ids), status)
	}
	// The same key answers as the first, and does nothing again.
	j := act(t, b, "1", exchange.Acts{Kind: exchange.IssueCredentials, IDs: append(slices.Clone(awards), "asn_nothing", "elsewhere")})
	if got := failures(t, b, j); len(got) != 2 || !strings.HasPrefix(got[0], fmt.Sprintf("%d assertion_id", n+1)) {
		t.Errorf("%q", got)
	}
	suspended := append(slices.Clone(ids[:110]), ids[0], "crd_nothing")
	j = act(t, b, "2", exchange.Acts{Kind: exchange.SuspendCredentials, IDs: suspended, Reason: "looked into"})
	want(t, j, "succeeded: 0 created, 110 updated, 0 unchanged, 2 failed")
	if got := failures(t, b, j); len(got) != 2 || got[0] != "111 credential_id active "+ids[0] {
		t.Errorf("%q", got)
	}
	want(t, act(t, b, "3", exchange.Acts{Kind: exchange.LiftSuspensions, IDs: ids[:105], Reason: "nothing found"}), "succeeded: 0 created, 105 updated, 0 unchanged, 0 failed")
	want(t, act(t, b, "4", exchange.Acts{Kind: exchange.RevokeCredentials, IDs: ids[:3], Cause: "misconduct", Reason: "copied"}), "succeeded: 0 created, 3 updated, 0 unchanged, 0 failed")
	want(t, act(t, b, "5", exchange.Acts{Kind: exchange.ReissueCredentials, IDs: ids[3:6], Reason: "a misprint"}), "succeeded: 0 created, 3 updated, 0 unchanged, 0 failed")
	all, status := credentialsOf(t, b, awards)
	if len(all) != n+3 || status[credential.Suspended] != 5 || status[credential.Revoked] != 6 {
		t.Errorf("%d credentials, %v", len(all), status)
	}
	// As a file, with rows that break rules.
	file := "credential_id,cause,reason\n" + ids[6] + ",MISCONDUCT,copied\n" + ids[7] + ",spite,copied\n" + ids[8] + ",other,\n"
	j = b.Import(t, exchange.RevokeCredentials, []byte(file), exchange.Options{})
	want(t, j, "succeeded: 0 created, 1 updated, 0 unchanged, 2 failed")
	if got := failures(t, b, j); len(got) != 2 || !strings.HasPrefix(got[0], "3 cause ") || !strings.HasPrefix(got[1], "4 reason required") {
		t.Errorf("%q", got)
	}
}

// TestAJobOfActsThatIsCutOffDoesEachOnce stops the process in the middle: what
// was done and not yet told of is told of by the next run, and not done again.
func TestAJobOfActsThatIsCutOffDoesEachOnce(t *testing.T) {
	t.Parallel()
	const n = 6
	b, awards := awarded(t, n)
	act(t, b, "1", exchange.Acts{Kind: exchange.IssueCredentials, IDs: awards})
	ids, _ := credentialsOf(t, b, awards)
	j := must(b.Exchange.Act(t.Context(), b.Registrar(), nil, exchange.Acts{Kind: exchange.ReissueCredentials, IDs: ids, Reason: "a misprint"}))
	sealed := 0
	b.Credentials.Step = func(step string) error {
		if step == credential.StepSealed {
			sealed++
		}
		if step == credential.StepDrafted && sealed == 3 {
			return errors.New("the process ends here")
		}
		return nil
	}
	if err := b.Exchange.Run(t.Context(), b.As(access.System), j.ID); err == nil {
		t.Fatal("it was not cut off")
	}
	b.Credentials.Step = nil
	if err := b.Exchange.Run(t.Context(), b.As(access.System), j.ID); err != nil {
		t.Fatal(err)
	}
	want(t, must(b.Exchange.Find(t.Context(), b.Registrar(), j.ID)), fmt.Sprintf("succeeded: 0 created, %d updated, 0 unchanged, 0 failed", n))
	all, status := credentialsOf(t, b, awards)
	if len(all) != 2*n || status[credential.Revoked] != n || status[credential.Active] != n {
		t.Errorf("%d credentials, %v", len(all), status)
	}
	err := b.DB.Snapshot(t.Context(), b.As(access.System), func(tx pgx.Tx) error {
		var events int
		err := tx.QueryRow(t.Context(), `select count(*) from credential_event where kind = 'superseded'`).Scan(&events)
		if events != n {
			t.Errorf("%d credentials were replaced, and there are %d", events, n)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWhoMayChangeMany(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	for _, c := range []struct {
		who  access.Actor
		acts exchange.Acts
		kind fault.Kind
	}{
		{b.As(access.Designer), exchange.Acts{Kind: exchange.IssueCredentials, IDs: []string{"x"}}, fault.Forbidden},
		{b.As(access.Assessor), exchange.Acts{Kind: exchange.RevokeCredentials, IDs: []string{"x"}, Cause: "other", Reason: "x"}, fault.Forbidden},
		{access.Anonymous(), exchange.Acts{Kind: exchange.IssueCredentials, IDs: []string{"x"}}, fault.Unauthenticated},
		{b.Registrar(), exchange.Acts{Kind: exchange.Learners, IDs: []string{"x"}}, fault.Invalid},
		{b.Registrar(), exchange.Acts{Kind: exchange.IssueCredentials}, fault.Invalid},
		{b.Registrar(), exchange.Acts{Kind: exchange.IssueCredentials, IDs: make([]string, 10_001)}, fault.Invalid},
	} {
		if _, err := b.Exchange.Act(t.Context(), c.who, nil, c.acts); fault.KindOf(err) != c.kind {
			t.Errorf("%s as %v: %v", c.acts.Kind, c.who.Roles, err)
		}
	}
	_, err := b.Exchange.Start(t.Context(), b.Registrar(), nil, exchange.Order{Kind: exchange.IssueCredentials, Options: exchange.Options{ErrorPolicy: exchange.RejectAll}})
	if f, ok := fault.Of(err); !ok || f.Rule != "row-by-row" {
		t.Error(err)
	}
}
