package sharing_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/sharing"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/vc"
	"github.com/testamur/testamur/internal/testbed"
	"github.com/testamur/testamur/internal/verify"

	"github.com/testamur/testamur/internal/achievement"
)

// bench is a learner with badges of two terms, a record, and a clock that can be
// moved.
type bench struct {
	*testbed.Bed
	t      testing.TB
	own    access.Actor
	ada    learner.ID
	badges []credential.ID
	record record.Record
	clock  time.Time
}

func setup(t testing.TB) *bench {
	t.Helper()
	return over(t, testbed.New(t))
}

func over(t testing.TB, bed *testbed.Bed) *bench {
	t.Helper()
	b := &bench{Bed: bed, t: t, clock: bed.Now()}
	ctx := context.Background()
	b.Shares.Now = func() time.Time { return b.clock }
	l, err := b.Learners.Define(ctx, b.Registrar(), learner.Definition{DisplayName: "Ada <b>Byron</b>", Email: new("ada@learners.example")})
	b.ok(err)
	b.ada = l.ID
	b.own = b.As(access.Learner)
	b.own.LearnerID = string(l.ID)
	for i, term := range []string{"2025FA", "2026SP", "2026SP"} {
		a, err := b.Achievements.Define(ctx, b.Registrar(), achievement.Draft{Definition: achievement.Definition{Name: fmt.Sprintf("Badge %d", i), Description: "d",
			AchievementType: "Badge", Criteria: &openbadges.Criteria{Narrative: "n"}}})
		b.ok(err)
		asn, err := b.Assertions.Award(ctx, b.Registrar(), nil, assertion.Award{LearnerID: string(l.ID), AchievementID: string(a.ID),
			Facts: assertion.Facts{AchievedOn: day.Of(2026, 5, 1+i), Term: term, Evidence: []assertion.Evidence{{URL: "https://work.example/secret", Name: "Portfolio"}}}})
		b.ok(err)
		c, err := b.Credentials.Issue(ctx, b.Registrar(), nil, credential.Order{AssertionID: string(asn.ID)})
		b.ok(err)
		b.badges = append(b.badges, c.ID)
	}
	b.record, err = b.Records.Assemble(ctx, b.Registrar(), nil, string(l.ID))
	b.ok(err)
	return b
}

func (b *bench) ok(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// share makes a link; change may change the offer.
func (b *bench) share(change func(*sharing.Offer)) sharing.Made {
	b.t.Helper()
	o := sharing.Offer{LearnerID: string(b.ada), Recipient: "Acme", Address: "hr@acme.example", Purpose: "A job"}
	if change != nil {
		change(&o)
	}
	if o.RecordID == nil && o.Items == nil {
		id := string(b.record.ID)
		o.RecordID = &id
	}
	m, err := b.Shares.Create(context.Background(), b.own, o)
	b.ok(err)
	return m
}

func (b *bench) items(ids ...int) func(*sharing.Offer) {
	return func(o *sharing.Offer) {
		for _, i := range ids {
			o.Items = append(o.Items, sharing.Item{CredentialID: string(b.badges[i])})
		}
	}
}

var visitor = netip.MustParseAddr("203.0.113.7")

func opening(m sharing.Made) sharing.Opening {
	return sharing.Opening{Token: m.Link[strings.LastIndex(m.Link, "/")+1:], From: visitor}
}

func (b *bench) open(in sharing.Opening) (sharing.Opened, error) {
	return b.Shares.Open(context.Background(), access.Anonymous(), in)
}

// rule is the rule of an opening that is refused; "" when it is not.
func (b *bench) rule(in sharing.Opening) string {
	b.t.Helper()
	_, err := b.open(in)
	if err == nil {
		return ""
	}
	f, ok := fault.Of(err)
	if !ok {
		b.t.Fatal(err)
	}
	if f.Kind == fault.NotFound {
		return "not-found"
	}
	return f.Rule
}

// told are the lines of a share, newest first.
func (b *bench) told(s sharing.Share) []disclosure.Line {
	b.t.Helper()
	all, err := b.Disclosures.OfSources(context.Background(), b.own, []string{string(s.ID)}, page.Args{})
	b.ok(err)
	return all[string(s.ID)].Nodes
}

func TestARecordIsShownInItsStoredBytesAndEachOpeningIsOnFile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.share(nil)
	in := opening(m)
	in.Name, in.Purpose = "Grace <script>alert(1)</script>", "Hiring"
	o, err := b.open(in)
	b.ok(err)
	c := testbed.Whole(t, b.Credentials, b.Registrar(), string(b.record.CredentialID))
	if string(o.Record) != *c.Document || o.Holder != "Ada <b>Byron</b>" || o.Institution.ID != b.Home.ID || o.Notice == "" {
		t.Errorf("%+v", o)
	}
	report, err := b.Shares.Verdict(t.Context(), access.Anonymous(), o)
	b.ok(err)
	for _, s := range report.Steps() {
		if s.Outcome != verify.Passed && s.Name != verify.StepIssuer {
			t.Errorf("%+v", s)
		}
	}
	if len(report.Steps()) != 5 {
		t.Error(report.Steps())
	}
	l := b.told(m.Share)
	if len(l) != 1 || l[0].ID != o.DisclosureID || l[0].Outcome != disclosure.Granted || l[0].Basis != disclosure.OnConsent || *l[0].ConsentID != m.Share.ConsentID ||
		l[0].Items[0] != string(b.record.ID) || l[0].Network != "203.0.113.0/24" || !strings.Contains(l[0].Party, "Acme (hr@acme.example) (says: Grace <script>") || !strings.Contains(l[0].Purpose, "Hiring") {
		t.Errorf("%+v", l)
	}
	given, err := b.Consents.Find(t.Context(), b.own, string(m.Share.ConsentID))
	b.ok(err)
	if given.Scope != consent.ToRecord || given.Items[0] != string(b.record.ID) || given.SignedAt.After(l[0].At) || given.Method != consent.BySignIn {
		t.Errorf("%+v", given)
	}
}

// TestOnlyTheChosenVerifyAndOnlyForTheRecipient is scenario 25.
func TestOnlyTheChosenVerifyAndOnlyForTheRecipient(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.share(b.items(0, 2))
	o, err := b.open(opening(m))
	b.ok(err)
	if o.Record != nil || len(o.Items) != 2 || o.Items[0].CredentialID != b.badges[0] || o.Items[1].CredentialID != b.badges[2] || bytes.Contains(o.Presentation, []byte(b.badges[1])) {
		t.Fatalf("%+v", o)
	}
	outcome := func(document []byte, audience string) verify.Outcome {
		r, err := b.Verifier.ReportPresented(t.Context(), access.Anonymous(), document, audience)
		b.ok(err)
		for _, e := range r.Embedded {
			if e.Outcome == verify.Failed {
				t.Errorf("%+v", e)
			}
		}
		for _, c := range r.Checks {
			if c.Name == "audience" || c.Name == "binding" || c.Outcome == verify.Failed {
				return c.Outcome
			}
		}
		return ""
	}
	if got := outcome(o.Presentation, "hr@acme.example"); got != verify.Passed {
		t.Error(got)
	}
	if got := outcome(o.Presentation, "somebody@else.example"); got != verify.Failed {
		t.Error("another recipient", got)
	}
	if got := outcome(o.Presentation, ""); got != verify.NotChecked {
		t.Error("nobody in particular", got)
	}
	taken := bytes.Replace(o.Presentation, []byte(`"domain":"hr@acme.example"`), []byte(`"domain":"somebody@else.example"`), 1)
	if got := outcome(taken, "somebody@else.example"); got != verify.Failed {
		t.Error("with the audience exchanged", got)
	}
	if got := outcome(bytes.Replace(o.Presentation, []byte(`,"domain":"hr@acme.example"`), nil, 1), "somebody@else.example"); got != verify.Failed {
		t.Error("with the audience taken out", got)
	}
}

func TestAPartIsShownByADerivedProofThatHoldsForNothingElse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.share(func(o *sharing.Offer) {
		o.Items = []sharing.Item{{CredentialID: string(b.badges[0]), Parts: []string{sharing.PartTerm}}, {CredentialID: string(b.badges[1]), Parts: []string{}}}
	})
	o, err := b.open(opening(m))
	b.ok(err)
	first, second := o.Items[0].Document, o.Items[1].Document
	if !o.Items[0].Derived || !bytes.Contains(first, []byte(`"term":"2025FA"`)) || bytes.Contains(first, []byte("secret")) || bytes.Contains(first, []byte("Byron")) ||
		bytes.Contains(second, []byte("2026SP")) || !bytes.Contains(second, []byte("Badge 1")) {
		t.Fatalf("%s\n%s", first, second)
	}
	checked := func(document []byte) error {
		t.Helper()
		did, err := b.Home.DID(testbed.Origin)
		b.ok(err)
		keys, err := b.Keys.List(t.Context(), b.Registrar())
		b.ok(err)
		all, err := vc.Verifier{Keys: keyring.Resolver(did, keys), Now: b.clock}.Verify(document)
		if err != nil {
			return err
		}
		if len(all) != 1 || all[0].Proof.Cryptosuite != vc.ECDSASD {
			t.Errorf("%+v", all)
		}
		return all[0].Err
	}
	if err := checked(first); err != nil {
		t.Error(err)
	}
	report, err := b.Shares.Verdict(t.Context(), access.Anonymous(), o)
	b.ok(err)
	if report.Outcome == verify.Failed {
		t.Errorf("%+v", report)
	}
	// A part of one credential in another, a value exchanged, the base proof: none holds.
	for name, changed := range map[string][]byte{
		"value":    bytes.Replace(first, []byte("2025FA"), []byte("2026SP"), 1),
		"added":    bytes.Replace(first, []byte(`"term":"2025FA"`), []byte(`"term":"2025FA","narrative":"Best of all"`), 1),
		"removed":  bytes.Replace(first, []byte(`"term":"2025FA",`), nil, 1),
		"removed2": bytes.Replace(first, []byte(`,"term":"2025FA"`), nil, 1),
		"proof":    exchangeProof(t, first, second),
	} {
		if bytes.Equal(changed, first) {
			continue
		}
		if checked(changed) == nil {
			t.Errorf("%s is not found out", name)
		}
	}
	if bytes.Contains(o.Presentation, []byte("secret")) || bytes.Contains(o.Presentation, []byte("Byron")) {
		t.Error("the presentation shows what was left out")
	}
}

// exchangeProof is one document with the other's proof.
func exchangeProof(t *testing.T, a, b []byte) []byte {
	t.Helper()
	var x, y map[string]json.RawMessage
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		t.Fatal("not JSON")
	}
	x["proof"] = y["proof"]
	raw, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestALinkThatHasEndedShowsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one := 1
	for want, how := range map[string]func(sharing.Made){
		disclosure.Ended: func(m sharing.Made) { _, err := b.Shares.End(t.Context(), b.own, string(m.Share.ID)); b.ok(err) },
		disclosure.NoConsent: func(m sharing.Made) {
			_, err := b.Consents.Withdraw(t.Context(), b.own, string(m.Share.ConsentID), "")
			b.ok(err)
		},
		disclosure.UsedUp:  func(m sharing.Made) { _, err := b.open(opening(m)); b.ok(err) },
		disclosure.Expired: func(sharing.Made) { b.clock = b.clock.Add(31 * 24 * time.Hour) },
		"not-found":        func(m sharing.Made) { _, err := b.Shares.Renew(t.Context(), b.own, string(m.Share.ID)); b.ok(err) },
	} {
		b.clock = b.Now()
		m := b.share(func(o *sharing.Offer) { o.MaxOpenings = &one })
		how(m)
		for range 3 { // and stays so
			if got := b.rule(opening(m)); got != want {
				t.Errorf("%s: %q", want, got)
			}
		}
		if lines := b.told(m.Share); want != "not-found" && (*lines[0].Refusal != want || lines[0].Outcome != disclosure.Refused || len(lines[0].Items) != 0) {
			t.Errorf("%s: %+v", want, lines[0])
		}
	}
	b.clock = b.Now()
	m := b.share(nil)
	_, err := b.Shares.End(t.Context(), b.own, string(m.Share.ID))
	b.ok(err)
	if _, err := b.Shares.End(t.Context(), b.own, string(m.Share.ID)); fault.KindOf(err) != fault.State {
		t.Error(err)
	}
	if given, err := b.Consents.Find(t.Context(), b.own, string(m.Share.ConsentID)); err != nil || given.WithdrawnAt == nil {
		t.Error("the consent outlives the share", err)
	}
	c, err := b.Credentials.Find(t.Context(), b.Registrar(), string(b.record.CredentialID))
	if b.ok(err); c.Status != credential.Active {
		t.Error("the registrar's copy was touched")
	}
}

// TestALinkForOneOpensOnce has many open at one moment.
func TestALinkForOneOpensOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, most := range []int{1, 3} {
		m := b.share(func(o *sharing.Offer) { o.MaxOpenings = &most })
		var all sync.WaitGroup
		var mu sync.Mutex
		opened := 0
		for range 24 {
			all.Go(func() {
				if o, err := b.open(opening(m)); err == nil && o.Record != nil {
					mu.Lock()
					opened++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		granted := 0
		for _, l := range b.told(m.Share) {
			if l.Outcome == disclosure.Granted {
				granted++
			}
		}
		if opened != most || granted != most || len(b.told(m.Share)) != 24 {
			t.Errorf("opened %d times, %d on file, %d lines", opened, granted, len(b.told(m.Share)))
		}
	}
}

func TestAPINIsTriedAFewTimes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.share(func(o *sharing.Offer) { o.PIN = "482913" })
	with := func(pin string) sharing.Opening {
		in := opening(m)
		in.PIN = pin
		return in
	}
	if got := b.rule(with("")); got != "pin_required" {
		t.Error(got)
	}
	if got := b.rule(with("482913")); got != "" {
		t.Error(got)
	}
	// Many at one moment are no more than so many one after the other.
	var all sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	for i := range 20 {
		all.Go(func() {
			r := b.rule(with(fmt.Sprintf("00000%d", i)))
			mu.Lock()
			got[r]++
			mu.Unlock()
		})
	}
	all.Wait()
	if got[disclosure.WrongPIN] != 5 || got[disclosure.Locked] != 15 {
		t.Errorf("%v", got)
	}
	if r := b.rule(with("482913")); r != disclosure.Locked {
		t.Error("the right one opens a locked share", r)
	}
	b.clock = b.clock.Add(16 * time.Minute)
	if r := b.rule(with("482913")); r != "" {
		t.Error("after a while", r)
	}
	// In the end for good.
	wrong := 0
	for range 12 {
		for range 5 {
			if in := with("nope00"); b.rule(in) == disclosure.WrongPIN {
				wrong++
			}
		}
		b.clock = b.clock.Add(time.Hour)
	}
	if r := b.rule(with("482913")); wrong != 25 || r != disclosure.Locked {
		t.Errorf("%d wrong ones, then %q", wrong, r)
	}
	again, err := b.Shares.Renew(t.Context(), b.own, string(m.Share.ID))
	b.ok(err)
	in := opening(again)
	if in.PIN = "482913"; b.rule(in) != "" {
		t.Error("a new link does not open with the PIN")
	}
	err = b.DB.Snapshot(t.Context(), b.own, func(tx pgx.Tx) error {
		var kept, token string
		if err := tx.QueryRow(t.Context(), `select pin_hash, encode(token_hash, 'base64') from share where id = $1`, m.Share.ID).Scan(&kept, &token); err != nil {
			return err
		}
		if !strings.HasPrefix(kept, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(kept, "482913") {
			t.Error(kept)
		}
		return nil
	})
	b.ok(err)
}

func TestGuessingIsSlow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.share(nil)
	good := opening(m)
	raw, err := base64.RawURLEncoding.DecodeString(good.Token)
	b.ok(err)
	if len(raw) != 36 {
		t.Fatal("a token has other than 160 random bits")
	}
	refused := map[string]int{}
	for i := range 40 {
		in := good
		other := bytes.Clone(raw)
		other[35] ^= byte(i + 1)
		in.Token = base64.RawURLEncoding.EncodeToString(other)
		refused[b.rule(in)]++
	}
	if refused["not-found"] != 30 || refused["too-many-tries"] != 10 {
		t.Errorf("%v", refused)
	}
	if _, err := b.Shares.Peek(t.Context(), access.Anonymous(), good.Token, visitor); fault.KindOf(err) != fault.Limit {
		t.Error("what cannot be opened can be peeked at", err)
	}
	good.From = netip.MustParseAddr("198.51.100.1")
	if got := b.rule(good); got != "" {
		t.Error("another address suffers for it", got)
	}
	good.From = visitor
	b.clock = b.clock.Add(time.Minute)
	if got := b.rule(good); got != "" {
		t.Error("after a while", got)
	}
	for _, token := range []string{"", "x", strings.Repeat("A", 48), good.Token + "A", good.Token[:47], good.Token[:47] + "=", "../../etc/passwd", strings.Repeat("é", 24)} {
		in := sharing.Opening{Token: token, From: netip.MustParseAddr("192.0.2.9")}
		if got := b.rule(in); got != "not-found" {
			t.Errorf("%q: %s", token, got)
		}
	}
	for range 200 { // who is right is never slowed
		if got := b.rule(opening(m)); got != "" {
			t.Fatal(got)
		}
	}
}

func TestWhatTheInstitutionHoldsBackIsNotShown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	whole, chosen, spring := b.share(nil), b.share(b.items(0, 1)), b.share(b.items(1))
	hold, err := b.Holds.Place(t.Context(), b.Registrar(), release.Placement{LearnerID: string(b.ada), Reason: release.Financial, Terms: []string{"2026SP"}, Note: "Pay at the bursar's."})
	b.ok(err)
	o, err := b.open(opening(whole))
	b.ok(err)
	if o.Record != nil || !o.Partial || len(o.Items) != 3 || o.Items[0].Document == nil || o.Items[1].Document != nil || o.Items[1].State != sharing.Withheld {
		t.Errorf("a record with a held term: %+v", o)
	}
	if l := b.told(whole.Share); len(l[0].Items) != 1 || l[0].Items[0] != string(b.badges[0]) {
		t.Errorf("%+v", l[0])
	}
	if o, err = b.open(opening(chosen)); err != nil || o.Presentation != nil || o.Items[0].Document == nil || o.Items[1].Document != nil {
		t.Errorf("items with a held term: %+v %v", o, err)
	}
	report, err := b.Shares.Verdict(t.Context(), access.Anonymous(), o)
	if b.ok(err); report.Outcome == verify.Failed || len(report.Embedded) != 1 {
		t.Errorf("%+v", report)
	}
	_, err = b.open(opening(spring))
	if f, _ := fault.Of(err); f == nil || f.Rule != disclosure.OnHold || strings.Contains(f.Message, "financial") || strings.Contains(f.Message, "bursar") {
		t.Error("a visitor learns why", err)
	}
	_, err = b.Shares.Create(t.Context(), b.own, sharing.Offer{LearnerID: string(b.ada), Items: []sharing.Item{{CredentialID: string(b.badges[1])}}, Purpose: "x"})
	if f, _ := fault.Of(err); f == nil || f.Rule != "hold" || !strings.Contains(f.Message, "financial, for 2026SP. Pay at the bursar's.") {
		t.Error("the learner does not learn why", err)
	}
	all, err := b.Holds.Place(t.Context(), b.Registrar(), release.Placement{LearnerID: string(b.ada), Reason: release.Other})
	b.ok(err)
	for _, m := range []sharing.Made{whole, chosen, spring} {
		if got := b.rule(opening(m)); got != disclosure.OnHold {
			t.Error(got)
		}
	}
	for _, h := range []release.Hold{hold, all} {
		_, err := b.Holds.Lift(t.Context(), b.Registrar(), string(h.ID), "paid")
		b.ok(err)
	}
	if o, err := b.open(opening(whole)); err != nil || o.Record == nil {
		t.Error("lifted", err)
	}
}

func TestADirectoryBlockEndsLinksForEverybody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	anybody := b.share(func(o *sharing.Offer) { o.Recipient, o.Address = "", "" })
	named := b.share(nil)
	if o, err := b.open(opening(anybody)); err != nil || o.Audience != "" {
		t.Fatal(err)
	}
	_, err := b.Consents.Choose(t.Context(), b.own, string(b.ada), true, "")
	b.ok(err)
	if got := b.rule(opening(anybody)); got != disclosure.Blocked {
		t.Error(got)
	}
	if got := b.rule(opening(named)); got != "" {
		t.Error("consent to a named party is not directory information", got)
	}
	_, err = b.Shares.Create(t.Context(), b.own, sharing.Offer{LearnerID: string(b.ada), Items: []sharing.Item{{CredentialID: string(b.badges[1])}}, Purpose: "x"})
	if f, _ := fault.Of(err); f == nil || f.Rule != "directory" {
		t.Error(err)
	}
}

// TestAFormerNameIsOnNoLink is the part of scenario 3 that is about links.
func TestAFormerNameIsOnNoLink(t *testing.T) {
	t.Parallel()
	b := setup(t)
	whole, chosen := b.share(nil), b.share(b.items(0))
	_, err := b.Learners.Rename(t.Context(), b.Registrar(), string(b.ada), nil, learner.Renaming{DisplayName: "Ada Lovelace", Reason: "marriage"})
	b.ok(err)
	gone := func(when string) {
		t.Helper()
		for _, m := range []sharing.Made{whole, chosen} {
			o, err := b.open(opening(m))
			if f, _ := fault.Of(err); f == nil || f.Rule != disclosure.Outdated || f.Message != "This was superseded on 24 November 2026. Ask the holder for the current record." || o.Record != nil || o.Items != nil || o.Holder != "" {
				t.Errorf("%s: %+v %v", when, o, err)
			}
		}
	}
	gone("before anything is issued again")
	next, err := b.Records.Assemble(t.Context(), b.Registrar(), nil, string(b.ada))
	b.ok(err)
	gone("after it")
	_, err = b.Shares.Create(t.Context(), b.own, sharing.Offer{LearnerID: string(b.ada), Items: []sharing.Item{{CredentialID: string(b.badges[0])}}, Purpose: "x"})
	if fault.KindOf(err) != fault.State {
		t.Error("a credential with a former name is shared", err)
	}
	id := string(next.ID)
	o, err := b.open(opening(b.share(func(o *sharing.Offer) { o.RecordID = &id })))
	if err != nil || bytes.Contains(o.Record, []byte("Byron")) || o.Holder != "Ada Lovelace" {
		t.Error(err)
	}
	old := testbed.Whole(t, b.Credentials, b.Registrar(), string(b.record.CredentialID))
	report, err := b.Verifier.Report(t.Context(), access.Anonymous(), []byte(*old.Document))
	b.ok(err)
	for _, c := range report.Checks {
		if c.Name == "status" && !strings.Contains(c.Reason, "newer one") {
			t.Error(c)
		}
		if c.Name == "proof" && c.Outcome != verify.Passed {
			t.Error("the old file is not authentic any more", c)
		}
	}
}

func TestANewerVersionIsToldAndARevokedOneIsNotShown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	whole, chosen := b.share(nil), b.share(b.items(0, 1))
	_, err := b.Credentials.Reissue(t.Context(), b.Registrar(), nil, credential.Reissue{ID: string(b.badges[0]), Reason: "again", Keep: true})
	b.ok(err)
	_, err = b.Records.Assemble(t.Context(), b.Registrar(), nil, string(b.ada))
	b.ok(err)
	o, err := b.open(opening(whole))
	if err != nil || o.SupersededOn == nil || o.Record == nil {
		t.Errorf("a record of which there is a newer version: %+v %v", o, err)
	}
	o, err = b.open(opening(chosen))
	if err != nil || o.Items[0].State != sharing.Superseded || o.Items[0].Document == nil || o.Presentation == nil {
		t.Errorf("a credential of which there is a newer version: %+v %v", o.Items, err)
	}
	second := o.Items[1].Document
	_, err = b.Credentials.Revoke(t.Context(), b.Registrar(), nil, string(b.badges[1]), credential.Revocation{Cause: credential.IssuedInError, Reason: "wrong person"})
	b.ok(err)
	o, err = b.open(opening(chosen))
	if err != nil || o.Items[1].State != sharing.Revoked || o.Items[1].Document != nil || o.Presentation != nil || !o.Partial {
		t.Errorf("a revoked credential: %+v %v", o.Items, err)
	}
	if len(o.LeftOut) != 1 || o.LeftOut[0].Count != 1 || !strings.Contains(o.LeftOut[0].Reason, "took this back") {
		t.Errorf("what is left out of it: %+v", o.LeftOut)
	}
	report, err := b.Shares.Verdict(t.Context(), access.Anonymous(), o)
	b.ok(err)
	if five := report.Steps(); five[4].Outcome != verify.Passed || !strings.Contains(five[4].Reason, "made for "+o.Share.Recipient+" alone") {
		t.Errorf("whom it is for, when a part is gone: %+v", five[4])
	}
	o.Items[0].Document = bytes.ReplaceAll(o.Items[0].Document, []byte(`"credentialSubject":{"id":"`), []byte(`"credentialSubject":{"id":"urn:x:`))
	o.Items[1].Document, o.Items[1].State = second, sharing.Current
	report, err = b.Shares.Verdict(t.Context(), access.Anonymous(), o)
	b.ok(err)
	if five := report.Steps(); report.Outcome != verify.Failed || five[4].Outcome != verify.Failed {
		t.Errorf("two learners: %+v", five[4])
	}
	_, err = b.Credentials.Revoke(t.Context(), b.Registrar(), nil, string(b.record.CredentialID), credential.Revocation{Cause: credential.Superseded, Reason: "x"})
	b.ok(err)
	if got := b.rule(opening(whole)); got != disclosure.Unavailable {
		t.Error(got)
	}
}

func TestNobodySharesWhatIsNotTheirs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other, err := b.Learners.Define(t.Context(), b.Registrar(), learner.Definition{DisplayName: "Bob"})
	b.ok(err)
	bob := b.As(access.Learner)
	bob.LearnerID = string(other.ID)
	m := b.share(nil)
	id, item := string(b.record.ID), []sharing.Item{{CredentialID: string(b.badges[0])}}
	for _, o := range []sharing.Offer{
		{LearnerID: string(b.ada), RecordID: &id, Purpose: "x"}, {LearnerID: string(other.ID), RecordID: &id, Purpose: "x"},
		{LearnerID: string(other.ID), Items: item, Purpose: "x"}, {LearnerID: string(b.ada), Items: item, Purpose: "x"},
	} {
		if _, err := b.Shares.Create(t.Context(), bob, o); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := b.Shares.End(t.Context(), bob, string(m.Share.ID)); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
	for _, who := range []access.Actor{b.Registrar(), b.As(access.Reader), access.Anonymous()} {
		if _, err := b.Shares.Create(t.Context(), who, sharing.Offer{LearnerID: string(b.ada), Items: item, Purpose: "x"}); err == nil {
			t.Errorf("%v shares", who.Roles)
		}
	}
	if _, err := b.Shares.Create(t.Context(), b.own, sharing.Offer{LearnerID: string(b.ada), Items: []sharing.Item{{CredentialID: string(b.record.CredentialID)}}, Purpose: "x"}); fault.KindOf(err) != fault.NotFound {
		t.Error("a record is shared as an item", err)
	}
}

func TestOffersThatCannotBe(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id, zero, past, far := string(b.record.ID), 0, b.clock, b.clock.Add(3*366*24*time.Hour)
	item := sharing.Item{CredentialID: string(b.badges[0])}
	for rule, o := range map[string]sharing.Offer{
		"record-or-items": {RecordID: &id, Items: []sharing.Item{item}},
		"openings":        {RecordID: &id, MaxOpenings: &zero},
		"once":            {Items: []sharing.Item{item, item}},
		"part-known":      {Items: []sharing.Item{{CredentialID: item.CredentialID, Parts: []string{"issuer"}}}},
		"plain-text":      {RecordID: &id, Recipient: "Acme\u202egnp.exe"},
		"email":           {RecordID: &id, Address: "hr@acme.example\r\nBcc: all@acme.example"},
		"length":          {RecordID: &id, PIN: "12345"},
		"end":             {RecordID: &id, ExpiresAt: &past},
		"named-recipient": {RecordID: &id, Notify: true},
		"too-many":        {Items: make([]sharing.Item, 51)},
	} {
		o.LearnerID, o.Purpose = string(b.ada), "x"
		if f, ok := fault.Of(func() error { _, err := b.Shares.Create(t.Context(), b.own, o); return err }()); !ok || f.Rule != rule {
			t.Errorf("%s: %v", rule, f)
		}
	}
	long := sharing.Offer{LearnerID: string(b.ada), Purpose: "x", RecordID: &id, ExpiresAt: &far}
	if _, err := b.Shares.Create(t.Context(), b.own, long); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
}

// TestNoLineNoBytes has the account of disclosures refuse: nothing is shown.
func TestNoLineNoBytes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	two := 2
	m := b.share(func(o *sharing.Offer) { o.MaxOpenings = &two })
	b.Shares.NewID = func(string) string { return "dsc_the_same" }
	_, err := b.open(opening(m))
	b.ok(err)
	if o, err := b.open(opening(m)); err == nil || o.Record != nil {
		t.Error("shown without a line")
	}
	b.Shares.NewID = func(string) string { return "dsc_another" }
	if _, err := b.open(opening(m)); err != nil {
		t.Error("an opening that failed was counted", err)
	}
}
