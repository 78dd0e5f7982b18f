package credential_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/spec/bitstring"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/testbed"
	"github.com/testamur/testamur/internal/verify"
)

// school is a service with a learner and a badge.
type school struct {
	*testbed.Bed
	t     testing.TB
	ada   learner.Learner
	badge achievement.Achievement
	count int
}

func newSchool(t testing.TB) *school {
	t.Helper()
	return at(t, testbed.New(t))
}

func at(t testing.TB, b *testbed.Bed) *school {
	t.Helper()
	s := &school{Bed: b, t: t}
	ctx := context.Background()
	l, err := b.Learners.Define(ctx, b.Registrar(), learner.Definition{DisplayName: `Ada "Byron" & Söhne`})
	s.ada = testbed.Must(t, l, err)
	a, err := b.Achievements.Define(ctx, b.Registrar(), achievement.Draft{Ref: &id.Ref{System: "x", Value: "b"},
		Definition: achievement.Definition{Name: "Badge", Description: "d", Criteria: &openbadges.Criteria{Narrative: "n"}}})
	s.badge = testbed.Must(t, a, err)
	return s
}

// award is a new award of the badge.
func (s *school) award() assertion.Assertion {
	s.t.Helper()
	s.count++
	a, err := s.Assertions.Award(context.Background(), s.Registrar(), nil, assertion.Award{LearnerID: string(s.ada.ID), AchievementID: string(s.badge.ID),
		Facts: assertion.Facts{AchievedOn: day.Of(2026, 5, 1), Term: fmt.Sprint(s.count)}})
	return testbed.Must(s.t, a, err)
}

func (s *school) issue(a assertion.Assertion) credential.Credential {
	s.t.Helper()
	c, err := s.Credentials.Issue(context.Background(), s.Registrar(), nil, credential.Order{AssertionID: string(a.ID)})
	return testbed.Must(s.t, c, err)
}

func (s *school) find(c credential.Credential) credential.Credential {
	s.t.Helper()
	return testbed.Whole(s.t, s.Credentials, s.Registrar(), string(c.ID))
}

// status is what verification says of a credential's status.
func (s *school) status(c credential.Credential) verify.Check {
	s.t.Helper()
	r, err := s.Verifier.Report(context.Background(), access.Anonymous(), []byte(*c.Document))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, c := range r.Checks {
		if c.Name == "status" {
			return c
		}
	}
	s.t.Fatalf("no status in %+v", r)
	return verify.Check{}
}

// entry is what a signed document says of its place.
func entry(t testing.TB, c credential.Credential) bitstring.Entry {
	t.Helper()
	var d struct {
		CredentialStatus bitstring.Entry
	}
	if err := json.Unmarshal([]byte(*c.Document), &d); err != nil {
		t.Fatal(err)
	}
	return d.CredentialStatus
}

func TestACredentialCarriesItsPlaceAndItsEnd(t *testing.T) {
	t.Parallel()
	s := newSchool(t)
	until := time.Date(2028, 1, 2, 3, 4, 5, 600, time.UTC)
	c, err := s.Credentials.Issue(t.Context(), s.Registrar(), nil, credential.Order{AssertionID: string(s.award().ID), ValidUntil: &until})
	if err != nil {
		t.Fatal(err)
	}
	e := entry(t, c)
	list := testbed.Origin + "/i/" + s.Home.Slug + "/status/1"
	want := bitstring.Entry{ID: fmt.Sprintf("%s#%d", list, *c.StatusIndex), Type: "BitstringStatusListEntry", Purpose: "revocation",
		Index: fmt.Sprint(*c.StatusIndex), Credential: list}
	if !reflect.DeepEqual(e, want) {
		t.Errorf("%+v, want %+v", e, want)
	}
	if !strings.Contains(*c.Document, `"validUntil":"2028-01-02T03:04:05Z"`) || !strings.Contains(*c.Document, `Ada \"Byron\"`) {
		t.Errorf("%s", *c.Document)
	}
	if c.Draft != "" {
		if again := s.find(c); again.Draft != "" {
			t.Error("the draft stays on file beside what was signed")
		}
	}
	if got := s.find(c); got.ValidUntil == nil || !got.ValidUntil.Equal(until.Truncate(time.Second)) || *got.Document != *c.Document {
		t.Errorf("%+v", got)
	}
	if _, err := s.Credentials.Issue(t.Context(), s.Registrar(), nil, credential.Order{AssertionID: string(*c.AssertionID), ValidUntil: new(time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC))}); fault.KindOf(err) != fault.State {
		t.Errorf("another end is not told: %v", err)
	}
	if _, err := s.Credentials.Issue(t.Context(), s.Registrar(), nil, credential.Order{AssertionID: string(s.award().ID), ValidUntil: new(s.Now())}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("one that is over is issued: %v", err)
	}
}

func TestRevokeSuspendLift(t *testing.T) {
	t.Parallel()
	s := newSchool(t)
	ctx, who := t.Context(), s.Registrar()
	c := s.issue(s.award())
	if _, err := s.Credentials.Lift(ctx, who, nil, string(c.ID), "x"); fault.KindOf(err) != fault.State {
		t.Errorf("what is not suspended is lifted: %v", err)
	}
	key := "k1"
	held, err := s.Credentials.Suspend(ctx, who, &key, string(c.ID), "fees")
	if err != nil || held.Status != credential.Suspended {
		t.Fatal(held.Status, err)
	}
	if again, err := s.Credentials.Suspend(ctx, who, &key, string(c.ID), "fees"); err != nil || again.ID != c.ID {
		t.Errorf("a replay: %v", err)
	}
	if _, err := s.Credentials.Suspend(ctx, who, &key, string(c.ID), "other"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a key for something else: %v", err)
	}
	if got := s.status(c); got.Outcome != verify.Failed || !strings.Contains(got.Reason, "suspended it on 24 November 2026") {
		t.Errorf("%+v", got)
	}
	if _, err := s.Credentials.Issue(ctx, who, nil, credential.Order{AssertionID: string(*c.AssertionID)}); fault.KindOf(err) != fault.State {
		t.Errorf("a suspension is gone around: %v", err)
	}
	if _, err := s.Credentials.Reissue(ctx, who, nil, credential.Reissue{ID: string(c.ID), Reason: "x"}); fault.KindOf(err) != fault.State {
		t.Errorf("a suspension is gone around: %v", err)
	}
	if _, err := s.Credentials.Lift(ctx, who, nil, string(c.ID), "paid"); err != nil {
		t.Fatal(err)
	}
	if got := s.status(c); got.Outcome != verify.Passed {
		t.Errorf("%+v", got)
	}
	if _, err := s.Credentials.Revoke(ctx, who, nil, string(c.ID), credential.Revocation{Cause: "whim", Reason: "x"}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a made-up cause: %v", err)
	}
	if _, err := s.Credentials.Revoke(ctx, who, nil, string(c.ID), credential.Revocation{Cause: credential.IssuedInError}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("no reason: %v", err)
	}
	if _, err := s.Credentials.Revoke(ctx, who, nil, string(c.ID), credential.Revocation{Cause: credential.IssuedInError, Reason: "another Ada"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Credentials.Lift(ctx, who, nil, string(c.ID), "x"); fault.KindOf(err) != fault.State {
		t.Errorf("a revocation is lifted: %v", err)
	}
	if got := s.status(c); got.Outcome != verify.Failed || !strings.Contains(got.Reason, "issued in error") || strings.Contains(got.Reason, "another Ada") {
		t.Errorf("%+v", got)
	}
	events, err := s.Credentials.EventsOf(ctx, who, []credential.ID{c.ID})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range events[c.ID] {
		kinds = append(kinds, e.Kind+":"+e.Reason)
	}
	if !slices.Equal(kinds, []string{"suspended:fees", "lifted:paid", "revoked:another Ada"}) || *events[c.ID][2].Cause != credential.IssuedInError || events[c.ID][1].Cause != nil {
		t.Errorf("%v", kinds)
	}
}

func TestWhatWasSignedIsFinalInTheDatabase(t *testing.T) {
	t.Parallel()
	s := newSchool(t)
	c := s.issue(s.award())
	if _, err := s.Credentials.Revoke(t.Context(), s.Registrar(), nil, string(c.ID), credential.Revocation{Cause: credential.Other, Reason: "x"}); err != nil {
		t.Fatal(err)
	}
	for _, change := range []string{"document = 'x'", "status = 'active'", "status_index = 1", "valid_until = drafted_at + interval '1 day'", "state = 'drafted', document = null, issued_at = null, status = 'active'"} {
		err := s.DB.Tenant(t.Context(), s.As(access.System), func(tx pgx.Tx) error {
			_, err := tx.Exec(context.Background(), "update credential set "+change+" where id = $1", c.ID)
			return err
		})
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", change, err)
		}
	}
}

func TestReissueMakesAChain(t *testing.T) {
	t.Parallel()
	s := newSchool(t)
	ctx, who := t.Context(), s.Registrar()
	first := s.issue(s.award())
	second, err := s.Credentials.Reissue(ctx, who, nil, credential.Reissue{ID: string(first.ID), Reason: "the paper was lost"})
	if err != nil {
		t.Fatal(err)
	}
	third, err := s.Credentials.Reissue(ctx, who, nil, credential.Reissue{ID: string(second.ID), Reason: "again", Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := s.find(first), s.find(second), s.find(third)
	if *a.SupersededBy != b.ID || *b.Supersedes != a.ID || *b.SupersededBy != c.ID || *c.Supersedes != b.ID || c.SupersededBy != nil {
		t.Errorf("%v %v %v", a, b, c)
	}
	if a.Status != credential.Revoked || b.Status != credential.Active || c.Status != credential.Active {
		t.Errorf("%s %s %s", a.Status, b.Status, c.Status)
	}
	if *a.StatusIndex == *b.StatusIndex || a.ID == b.ID {
		t.Error("a new credential has the old place")
	}
	if got := s.issue(assertion.Assertion{ID: *first.AssertionID}); got.ID != third.ID {
		t.Errorf("issuing again gives %s, want the newest, %s", got.ID, third.ID)
	}
	for _, old := range []credential.Credential{first, second} {
		if _, err := s.Credentials.Reissue(ctx, who, nil, credential.Reissue{ID: string(old.ID), Reason: "x"}); fault.KindOf(err) != fault.State {
			t.Errorf("the chain forks: %v", err)
		}
	}
	if got := s.status(second); got.Outcome != verify.Passed || !strings.Contains(got.Reason, "newer") {
		t.Errorf("%+v", got)
	}
	// A correction is a new content, which replaces what told otherwise and
	// leaves it standing.
	f := assertion.Facts{AchievedOn: day.Of(2026, 5, 2), Term: "corrected"}
	if _, err := s.Assertions.Correct(ctx, who, string(*first.AssertionID), nil, "wrong day", f); err != nil {
		t.Fatal(err)
	}
	fourth := s.issue(assertion.Assertion{ID: *first.AssertionID})
	if *fourth.Supersedes != third.ID || s.find(third).Status != credential.Active {
		t.Errorf("%+v", fourth)
	}
	// What was revoked is issued again only on purpose.
	if _, err := s.Credentials.Revoke(ctx, who, nil, string(fourth.ID), credential.Revocation{Cause: credential.Misconduct, Reason: "x"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Credentials.Issue(ctx, who, nil, credential.Order{AssertionID: string(*first.AssertionID)}); fault.KindOf(err) != fault.State {
		t.Errorf("what was revoked is issued again: %v", err)
	}
	if c, err := s.Credentials.Reissue(ctx, who, nil, credential.Reissue{ID: string(fourth.ID), Reason: "appeal granted"}); err != nil || *c.Supersedes != fourth.ID {
		t.Errorf("%v %v", c, err)
	}
}

func TestTheStatusListIsSignedAndTellsTheTruth(t *testing.T) {
	t.Parallel()
	s := newSchool(t)
	clock := s.Now()
	s.Credentials.Now = func() time.Time { return clock }
	ctx, who := t.Context(), s.Registrar()
	visitor := access.VisitorOf(string(s.Home.ID))
	if _, err := s.Credentials.StatusList(ctx, visitor, 1); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a list that there is not: %v", err)
	}
	var all []credential.Credential
	for range 3 {
		all = append(all, s.issue(s.award()))
	}
	first, err := s.Credentials.StatusList(ctx, visitor, 1)
	if err != nil {
		t.Fatal(err)
	}
	if bits := bitsOf(t, s, first.Document); len(bits) != 0 {
		t.Errorf("set: %v", bits)
	}
	if _, err := s.Credentials.Revoke(ctx, who, nil, string(all[0].ID), credential.Revocation{Cause: credential.Other, Reason: "x"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Credentials.Suspend(ctx, who, nil, string(all[1].ID), "x"); err != nil {
		t.Fatal(err)
	}
	clock = clock.Add(15 * time.Second) // of the 60 in which a change is to be public
	second, err := s.Credentials.StatusList(ctx, visitor, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := []int{*all[0].StatusIndex, *all[1].StatusIndex}
	slices.Sort(want)
	if bits := bitsOf(t, s, second.Document); !slices.Equal(bits, want) || second.ETag == first.ETag {
		t.Errorf("set: %v, want %v", bits, want)
	}
	if 15*time.Second+second.MaxAge > time.Minute {
		t.Errorf("a cache shows the old list for %s", second.MaxAge)
	}
	if _, err := s.Credentials.Lift(ctx, who, nil, string(all[1].ID), "x"); err != nil {
		t.Fatal(err)
	}
	clock = clock.Add(15 * time.Second)
	third, err := s.Credentials.StatusList(ctx, visitor, 1)
	if bits := bitsOf(t, s, testbed.Must(t, third, err).Document); !slices.Equal(bits, []int{*all[0].StatusIndex}) {
		t.Errorf("set: %v", bits)
	}
	clock = clock.Add(time.Hour)
	same, err := s.Credentials.StatusList(ctx, visitor, 1)
	if testbed.Must(t, same, err).ETag != third.ETag {
		t.Error("a list that did not change was signed again")
	}
	clock = clock.Add(6*24*time.Hour + time.Minute)
	renewed, err := s.Credentials.StatusList(ctx, visitor, 1)
	if testbed.Must(t, renewed, err).ETag == third.ETag {
		t.Error("a list that is about to end was not renewed")
	}
}

// bitsOf are the places that are set in a list, whose proof is verified.
func bitsOf(t testing.TB, s *school, document []byte) []int {
	t.Helper()
	r, err := s.Verifier.Report(context.Background(), access.Anonymous(), document)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Checks {
		if (c.Name == "proof" || c.Name == "issuer") && c.Outcome != verify.Passed {
			t.Errorf("%+v", c)
		}
	}
	var d struct {
		CredentialSubject struct {
			ID, Type, StatusPurpose, EncodedList string
			TTL                                  int64
		}
	}
	if err := json.Unmarshal(document, &d); err != nil {
		t.Fatal(err)
	}
	if sub := d.CredentialSubject; sub.Type != "BitstringStatusList" || sub.StatusPurpose != "revocation" || sub.TTL <= 0 || sub.TTL > 60_000 {
		t.Errorf("%+v", sub)
	}
	return decode(t, d.CredentialSubject.EncodedList)
}

func TestPlacesAreHandedOutOnceUnderParallelIssuing(t *testing.T) {
	t.Parallel()
	s := newSchool(t)
	var awards []assertion.Assertion
	for range 48 {
		awards = append(awards, s.award())
	}
	var wg sync.WaitGroup
	for n := range 6 {
		wg.Go(func() {
			for i := n; i < len(awards); i += 6 {
				s.issue(awards[i])
			}
		})
	}
	wg.Wait()
	seen := map[int]bool{}
	rising := 0
	last := -1
	for _, a := range awards {
		c := s.issue(a)
		if seen[*c.StatusIndex] {
			t.Errorf("place %d was given twice", *c.StatusIndex)
		}
		seen[*c.StatusIndex] = true
		if *c.StatusIndex == last+1 {
			rising++
		}
		last = *c.StatusIndex
	}
	if rising > 2 {
		t.Errorf("%d places follow each other: they are not at random", rising)
	}
}

func TestManyAreIssuedAndRevokedWithAnOutcomeEach(t *testing.T) {
	t.Parallel()
	s := newSchool(t)
	ctx, who := t.Context(), s.Registrar()
	a, b, gone := s.award(), s.award(), s.award()
	if _, err := s.Assertions.Withdraw(ctx, who, string(gone.ID), "x"); err != nil {
		t.Fatal(err)
	}
	out, err := s.Credentials.IssueMany(ctx, who, []string{string(a.ID), "asn_none", string(gone.ID), string(b.ID), string(a.ID)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if out[0].Credential == nil || out[3].Credential == nil || out[4].Credential.ID != out[0].Credential.ID {
		t.Errorf("%+v", out)
	}
	if out[1].Err == nil || out[1].Err.Kind != fault.NotFound || out[1].Err.Field != "assertionIds.1" || out[2].Err == nil || out[2].Err.Rule != "not-withdrawn" {
		t.Errorf("%v %v", out[1].Err, out[2].Err)
	}
	ids := []string{string(out[0].Credential.ID), "crd_none", string(out[3].Credential.ID), string(out[0].Credential.ID)}
	took, err := s.Credentials.RevokeMany(ctx, who, ids, credential.Revocation{Cause: credential.IssuedInError, Reason: "wrong file"})
	if err != nil {
		t.Fatal(err)
	}
	if took[0].Credential.Status != credential.Revoked || took[2].Credential.Status != credential.Revoked || took[1].Err.Field != "ids.1" || took[3].Err.Rule != "not-revoked" {
		t.Errorf("%+v", took)
	}
	if _, err := s.Credentials.RevokeMany(ctx, who, make([]string, 101), credential.Revocation{Cause: credential.Other, Reason: "x"}); fault.KindOf(err) != fault.Invalid {
		t.Error("101 in one request")
	}
}

func TestARecordWithARevokedCredentialIsFlagged(t *testing.T) {
	t.Parallel()
	s := newSchool(t)
	ctx, who := t.Context(), s.Registrar()
	bad, held, good := s.issue(s.award()), s.issue(s.award()), s.issue(s.award())
	first, err := s.Records.Assemble(ctx, who, nil, string(s.ada.ID))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Credentials.Revoke(ctx, who, nil, string(bad.ID), credential.Revocation{Cause: credential.IssuedInError, Reason: "x"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Credentials.Suspend(ctx, who, nil, string(held.ID), "x"); err != nil {
		t.Fatal(err)
	}
	out, err := s.Records.OutdatedItemsOf(ctx, who, []recordID{first.ID})
	if err != nil || len(out[first.ID]) != 2 {
		t.Errorf("%v %v", out, err)
	}
	in, err := s.Records.Containing(ctx, who, []credential.ID{bad.ID, good.ID})
	if err != nil || len(in[bad.ID]) != 1 || in[bad.ID][0].ID != first.ID {
		t.Errorf("%v %v", in, err)
	}
	second, err := s.Records.Assemble(ctx, who, nil, string(s.ada.ID))
	if err != nil || second.Version != 2 || !second.Partial || len(second.Omissions) != 2 {
		t.Fatalf("%+v %v", second, err)
	}
	c := testbed.Whole(t, s.Credentials, who, string(second.CredentialID))
	if c.Supersedes == nil || *c.Supersedes != first.CredentialID || c.StatusIndex == nil || entry(t, c).Index == "" {
		t.Errorf("%+v %v", c, err)
	}
	// A record whose credential was revoked is made anew although nothing changed.
	if _, err := s.Credentials.Revoke(ctx, who, nil, string(second.CredentialID), credential.Revocation{Cause: credential.IssuedInError, Reason: "x"}); err != nil {
		t.Fatal(err)
	}
	third, err := s.Records.Assemble(ctx, who, nil, string(s.ada.ID))
	if err != nil || third.Version != 3 {
		t.Errorf("%+v %v", third, err)
	}
	if _, err := s.Credentials.Suspend(ctx, who, nil, string(third.CredentialID), "hold"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Records.Assemble(ctx, who, nil, string(s.ada.ID)); fault.KindOf(err) != fault.State {
		t.Errorf("a hold on a record is gone around: %v", err)
	}
}

type recordID = record.ID

// decode are the bits that are set, read without our own code.
func decode(t testing.TB, list string) []int {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(list, "u"))
	if err != nil || !strings.HasPrefix(list, "u") {
		t.Fatal(list, err)
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	bits, err := io.ReadAll(z)
	if err != nil || len(bits)*8 < 131072 {
		t.Fatal(len(bits), err)
	}
	all := []int{}
	for i := range len(bits) * 8 {
		if bits[i/8]>>(7-i%8)&1 == 1 {
			all = append(all, i)
		}
	}
	return all
}

// TestWhatReplacesWithoutAnOrderEndsAsItWouldHave corrects awards whose
// credentials have an end, and lets a record take them up.
func TestWhatReplacesWithoutAnOrderEndsAsItWouldHave(t *testing.T) {
	t.Parallel()
	s := newSchool(t)
	ctx, who := t.Context(), s.Registrar()
	until := s.Now().Add(48 * time.Hour).UTC().Truncate(time.Second)
	limited, err := s.Credentials.Issue(ctx, who, nil, credential.Order{AssertionID: string(s.award().ID), ValidUntil: &until})
	testbed.Must(t, limited, err)
	correct := func(role string) {
		t.Helper()
		a, err := s.Assertions.Correct(ctx, who, string(*limited.AssertionID), nil, "It was wrong.", assertion.Facts{AchievedOn: day.Of(2026, 5, 1), Term: "1", Role: &role})
		testbed.Must(t, a, err)
	}
	earned := func() credential.Credential {
		t.Helper()
		all, err := s.Credentials.IssueEarned(ctx, who, s.ada)
		return testbed.Must(t, all, err)[s.ada.ID].Credentials[0]
	}
	correct("Tutor")
	next := earned()
	if next.ID == limited.ID || next.ValidUntil == nil || !next.ValidUntil.Equal(until) || !strings.Contains(*next.Document, `"validUntil":"`+credential.Instant(until)) {
		t.Fatalf("what replaced it has another end: %+v", next.ValidUntil)
	}
	s.Credentials.Now = func() time.Time { return until.Add(time.Hour) }
	correct("Mentor")
	if again := earned(); again.ID != next.ID || !again.Expired(s.Credentials.Now()) {
		t.Errorf("what had ended was issued anew by itself, until %v", again.ValidUntil)
	}
	if _, err := s.Credentials.Issue(ctx, who, nil, credential.Order{AssertionID: string(*limited.AssertionID)}); fault.KindOf(err) != fault.State {
		t.Errorf("what had ended was issued anew without an order: %v", err)
	}
	end := until.Add(24 * time.Hour)
	made, err := s.Credentials.Reissue(ctx, who, nil, credential.Reissue{ID: string(next.ID), Reason: "renewed", ValidUntil: &end})
	if testbed.Must(t, made, err); !made.ValidUntil.Equal(end) {
		t.Errorf("the order's end is not there: %v", made.ValidUntil)
	}
}
