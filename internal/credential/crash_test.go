package credential_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/pgtest"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/testbed"
	"github.com/testamur/testamur/internal/verify"
)

// The things that are cut off.
const (
	issuing    = "issue"
	reissuing  = "reissue"
	assembling = "assemble"
	graduating = "graduate" // the target is learners, with commas between
)

// TestDies is the process that is killed: it does one thing and takes its own
// life at one step.
func TestDies(t *testing.T) {
	step := os.Getenv("TESTAMUR_TEST_DIES_AT")
	if step == "" {
		t.Skip("run by TestAKillAtAnyStepLosesNothing")
	}
	b := testbed.Over(t, pgtest.Open(t, os.Getenv("TESTAMUR_TEST_URL"), pg.Options{}))
	raw, err := hex.DecodeString(os.Getenv("TESTAMUR_TEST_MASTER"))
	if err != nil {
		t.Fatal(err)
	}
	copy(b.Keys.Master[:], raw)
	b.Home.ID = institution.ID(os.Getenv("TESTAMUR_TEST_INSTITUTION"))
	left, err := strconv.Atoi(os.Getenv("TESTAMUR_TEST_DIES_THE"))
	if err != nil {
		t.Fatal(err)
	}
	b.Credentials.Step = func(now string) error {
		if now == step {
			left--
		}
		if left == 0 {
			return syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		return nil
	}
	t.Error(do(b, os.Getenv("TESTAMUR_TEST_DOES"), os.Getenv("TESTAMUR_TEST_TARGET")), "and lived")
}

func do(b *testbed.Bed, what, target string) error {
	ctx, who := context.Background(), b.Registrar()
	var err error
	switch what {
	case issuing:
		_, err = b.Credentials.Issue(ctx, who, nil, credential.Order{AssertionID: target})
	case reissuing:
		_, err = b.Credentials.Reissue(ctx, who, nil, credential.Reissue{ID: target, Reason: "again"})
	case assembling:
		_, err = b.Records.Assemble(ctx, who, nil, target)
	case graduating:
		var all []learner.ID
		for _, l := range strings.Split(target, ",") {
			all = append(all, learner.ID(l))
		}
		err = b.Records.Graduate(ctx, who, all, 1, func(a record.Assembled) error {
			if a.Err != nil {
				return a.Err
			}
			return nil
		})
	}
	return err
}

// TestAKillAtAnyStepLosesNothing kills a process at every step of issuing,
// reissuing and assembling. After a restart every award has one credential that
// holds, nothing was signed twice with different content, and no place was given
// twice.
func TestAKillAtAnyStepLosesNothing(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	s := at(t, testbed.On(t, pgtest.Open(t, url, pg.Options{})))
	clock := s.Now()
	now := func() time.Time { return clock }
	s.Credentials.Now, s.Records.Now, s.Verifier.Now = now, now, now
	admin, system := s.As(access.Administrator), s.As(access.System)
	if _, err := s.Credentials.SetPolicy(t.Context(), admin, true); err != nil {
		t.Fatal(err)
	}
	var awards []assertion.Assertion
	for _, what := range []string{issuing, reissuing, assembling} {
		for _, step := range credential.Steps() {
			a := s.award()
			awards = append(awards, a)
			target := string(a.ID)
			var before credential.Credential
			switch what {
			case reissuing:
				before = s.issue(a)
				target = string(before.ID)
			case assembling:
				s.issue(a) // so that the step is one of the record
				target = string(s.ada.ID)
			}
			die(t, s, url, what, target, step, 1)
			clock = clock.Add(2 * time.Minute)
			if _, err := s.Credentials.Reconcile(t.Context(), system); err != nil {
				t.Fatal(what, step, err)
			}
			if _, err := s.Records.Reconcile(t.Context(), system); err != nil {
				t.Fatal(what, step, err)
			}
			whole(t, s, what+" killed at "+step)
			if c := s.issue(a); !s.holds(c) { // what is on file, or a new one
				t.Errorf("%s killed at %s: the credential of the award does not hold", what, step)
			}
			if what == assembling {
				if r, err := s.Records.Assemble(t.Context(), s.Registrar(), nil, target); err != nil || !s.holds(s.find(credential.Credential{ID: r.CredentialID})) {
					t.Errorf("%s killed at %s: %v", what, step, err)
				}
			}
		}
	}
	again, err := s.Credentials.Reconcile(t.Context(), system)
	if err != nil || !again.Zero() {
		t.Errorf("a second look finds %+v, %v", again, err)
	}
	places := map[[2]int]credential.ID{}
	for _, c := range everything(t, s) {
		if c.StatusIndex == nil {
			t.Errorf("%s has no place", c.ID)
			continue
		}
		p := [2]int{*c.StatusList, *c.StatusIndex}
		if other, ok := places[p]; ok {
			t.Errorf("%s and %s have the place %v", c.ID, other, p)
		}
		places[p] = c.ID
	}
	if len(places) < len(awards) {
		t.Errorf("%d places for %d awards", len(places), len(awards))
	}
}

// TestAKillLosesNothingOfAGraduation is the same for a graduation run: it dies at
// a step of the badges of its first batch, or of the records that embed them.
// The run that follows gives each learner one record, and the second finds it.
func TestAKillLosesNothingOfAGraduation(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	s := at(t, testbed.On(t, pgtest.Open(t, url, pg.Options{})))
	clock := s.Now()
	now := func() time.Time { return clock }
	s.Credentials.Now, s.Records.Now, s.Verifier.Now = now, now, now
	system := s.As(access.System)
	for n, step := range credential.Steps() {
		for _, the := range []int{1, 2} { // of the badges, and of the records
			what := fmt.Sprintf("graduation killed at %s, the %d. time", step, the)
			var names []string
			for i := range 2 {
				l, err := s.Learners.Define(t.Context(), s.Registrar(), learner.Definition{DisplayName: fmt.Sprintf("Learner %d-%d-%d", n, the, i)})
				s.ada = testbed.Must(t, l, err)
				s.award()
				names = append(names, string(s.ada.ID))
			}
			target := strings.Join(names, ",")
			die(t, s, url, graduating, target, step, the)
			clock = clock.Add(2 * time.Minute)
			if _, err := s.Credentials.Reconcile(t.Context(), system); err != nil {
				t.Fatal(what, err)
			}
			if _, err := s.Records.Reconcile(t.Context(), system); err != nil {
				t.Fatal(what, err)
			}
			for range 2 {
				if err := do(s.Bed, graduating, target); err != nil {
					t.Fatal(what, err)
				}
			}
			whole(t, s, what)
			records := map[string]credential.Credential{}
			for _, c := range everything(t, s) {
				if c.Kind != credential.OfRecord || c.State != credential.Issued || !slices.Contains(names, string(c.LearnerID)) {
					continue
				}
				if other, twice := records[string(c.LearnerID)]; twice {
					t.Errorf("%s: %s and %s are both records of %s", what, c.ID, other.ID, c.LearnerID)
				}
				records[string(c.LearnerID)] = c
			}
			for _, l := range names {
				if c, ok := records[l]; !ok || !s.holds(c) {
					t.Errorf("%s: %s has no record that holds", what, l)
				}
			}
		}
	}
	places := map[[2]int]credential.ID{}
	for _, c := range everything(t, s) {
		p := [2]int{*c.StatusList, *c.StatusIndex}
		if other, ok := places[p]; ok {
			t.Errorf("%s and %s have the place %v", c.ID, other, p)
		}
		places[p] = c.ID
	}
}

// die starts a process that does something and ends at a step, the n-th time it
// comes to it.
func die(t *testing.T, s *school, url, what, target, step string, the int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestDies$", "-test.count=1")
	cmd.Env = append(os.Environ(), "TESTAMUR_TEST_DIES_AT="+step, "TESTAMUR_TEST_DIES_THE="+strconv.Itoa(the), "TESTAMUR_TEST_URL="+url, "TESTAMUR_TEST_MASTER="+hex.EncodeToString(s.Keys.Master[:]),
		"TESTAMUR_TEST_INSTITUTION="+string(s.Home.ID), "TESTAMUR_TEST_DOES="+what, "TESTAMUR_TEST_TARGET="+target)
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("%s was not killed at %s: %v\n%s", what, step, err, out)
	}
}

// everything is all credentials on file, drafts as well.
func everything(t *testing.T, s *school) []credential.Credential {
	t.Helper()
	var ids []credential.ID
	err := s.DB.Tenant(t.Context(), s.Registrar(), func(tx pgx.Tx) error {
		rows, _ := tx.Query(context.Background(), "select id from credential order by id")
		var err error
		ids, err = pgx.CollectRows(rows, pgx.RowTo[credential.ID])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var out []credential.Credential
	for _, id := range ids {
		out = append(out, testbed.Whole(t, s.Credentials, s.Registrar(), string(id)))
	}
	return out
}

// whole looks at everything on file: no draft is left, each issued document is
// what its row says, and of each award one credential is present.
func whole(t *testing.T, s *school, after string) {
	t.Helper()
	present := map[assertion.ID]int{}
	for _, c := range everything(t, s) {
		switch {
		case c.State == credential.Drafted:
			t.Errorf("%s: %s is still a draft", after, c.ID)
		case c.State == credential.Discarded && (c.Document != nil || c.Draft != ""):
			t.Errorf("%s: %s was discarded and is there", after, c.ID)
		case c.State == credential.Issued && !strings.Contains(*c.Document, string(c.ID)):
			t.Errorf("%s: %s holds another document", after, c.ID)
		case c.State == credential.Issued && c.Kind == credential.OfAchievement && c.SupersededBy == nil:
			present[*c.AssertionID]++
		}
	}
	for a, n := range present {
		if n != 1 {
			t.Errorf("%s: %s has %d credentials", after, a, n)
		}
	}
}

// holds reports whether everything about a credential passes.
func (s *school) holds(c credential.Credential) bool {
	s.t.Helper()
	r, err := s.Verifier.Report(context.Background(), access.Anonymous(), []byte(*c.Document))
	if err != nil {
		s.t.Fatal(err)
	}
	if r.Outcome != verify.Passed {
		s.t.Logf("%+v", r.Checks)
	}
	return r.Outcome == verify.Passed
}

// TestAnErrorAtAnyStepIsMadeGoodByTheNextAttempt is the same without the end of
// the process: the next attempt takes up what is there, under the same id.
func TestAnErrorAtAnyStepIsMadeGoodByTheNextAttempt(t *testing.T) {
	t.Parallel()
	s := newSchool(t)
	broken := errors.New("broken")
	for _, step := range credential.Steps() {
		a := s.award()
		s.Credentials.Step = func(now string) error {
			if now == step {
				return broken
			}
			return nil
		}
		if err := do(s.Bed, issuing, string(a.ID)); !errors.Is(err, broken) {
			t.Fatalf("%s: %v", step, err)
		}
		s.Credentials.Step = nil
		left := everything(t, s)
		c := s.issue(a)
		if step != credential.StepTaken && left[len(left)-1].ID != c.ID {
			t.Errorf("broken at %s: %s was left, and %s issued", step, left[len(left)-1].ID, c.ID)
		}
		if !s.holds(c) {
			t.Errorf("broken at %s: it does not hold", step)
		}
		whole(t, s, "broken at "+step)
	}
}

func TestTheJobsAnswerAwardsAndWithdrawals(t *testing.T) {
	t.Parallel()
	s := newSchool(t)
	ctx, system := t.Context(), s.As(access.System)
	early := s.award()
	if n, err := s.Credentials.IssueAwarded(ctx, system, []assertion.ID{early.ID}); n != 0 || err != nil {
		t.Errorf("without a policy: %d %v", n, err)
	}
	clock := s.Now().Add(time.Hour)
	s.Credentials.Now, s.Assertions.Now = func() time.Time { return clock }, func() time.Time { return clock }
	if _, err := s.Credentials.SetPolicy(ctx, s.As(access.Administrator), true); err != nil {
		t.Fatal(err)
	}
	told, missed, gone := s.award(), s.award(), s.award()
	if n, err := s.Credentials.IssueAwarded(ctx, system, []assertion.ID{told.ID, told.ID}); n != 1 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	c := s.issue(gone)
	if _, err := s.Assertions.Withdraw(ctx, s.Registrar(), string(gone.ID), "copied"); err != nil {
		t.Fatal(err)
	}
	m, err := s.Credentials.Reconcile(ctx, system)
	if err != nil || m != (credential.Mended{Issued: 1, Revoked: 1}) {
		t.Errorf("%+v %v", m, err)
	}
	issued, err := s.Credentials.OfAssertions(ctx, s.Registrar(), []assertion.ID{early.ID, told.ID, missed.ID})
	if err != nil || len(issued[early.ID]) != 0 || len(issued[told.ID]) != 1 || len(issued[missed.ID]) != 1 {
		t.Errorf("%v %v", issued, err)
	}
	events, err := s.Credentials.EventsOf(ctx, s.Registrar(), []credential.ID{c.ID})
	if err != nil || len(events[c.ID]) != 1 || *events[c.ID][0].Cause != credential.Withdrawn || events[c.ID][0].Reason != "copied" {
		t.Errorf("%+v %v", events, err)
	}
	if n, err := s.Credentials.RevokeWithdrawn(ctx, system, gone.ID); n != 0 || err != nil {
		t.Errorf("a second time: %d %v", n, err)
	}
	for _, r := range access.Grantable() {
		if _, err := s.Credentials.Reconcile(ctx, s.As(r)); err == nil {
			t.Errorf("a %s reconciles", r)
		}
	}
}
