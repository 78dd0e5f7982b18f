package credential

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/event"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/once"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/spec/vc"
)

// Service issues and keeps credentials.
type Service struct {
	DB     *pg.DB
	Now    func() time.Time
	NewID  id.Source
	Keys   *keyring.Service
	Outbox *event.Outbox // nil: nobody is told of changes
	Origin string        // the https origin that ids begin with, without a slash at the end

	// Step is told of every step of issuing and may stop it there. Tests set
	// it, to show what a crash leaves; the service leaves it nil.
	Step func(step string) error

	published published
}

// The steps of issuing, in their order. What each names has been done, but for
// sealing, which lies inside the transaction that seals.
const (
	StepTaken   = "taken"   // places in the status list
	StepDrafted = "drafted" // and committed
	StepSigned  = "signed"
	StepProved  = "proved"
	StepSealing = "sealing"
	StepSealed  = "sealed" // and committed
)

// Steps are all steps.
func Steps() []string {
	return []string{StepTaken, StepDrafted, StepSigned, StepProved, StepSealing, StepSealed}
}

func (s *Service) step(name string) error {
	if s.Step == nil {
		return nil
	}
	return s.Step(name)
}

// Order asks for the credential of an assertion.
type Order struct {
	AssertionID string     // id or ref:SYSTEM:VALUE
	ValidUntil  *time.Time // nil: it does not expire
}

// Issue is the signed credential of an assertion: the one that tells what the
// assertion tells now, made if there is none. What told something else before
// is superseded. State when the assertion was withdrawn, and when its credential
// is suspended or was revoked: that is for Lift and Reissue.
func (s *Service) Issue(ctx context.Context, who access.Actor, key *string, o Order) (Credential, error) {
	if err := access.Check(who, access.Issue); err != nil {
		return Credential{}, err
	}
	if err := s.checkUntil(o.ValidUntil); err != nil {
		return Credential{}, err
	}
	request := once.Request{Key: key, Operation: "issueCredential", Input: o}
	var drafts []Draft
	var replayed *Credential
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		target, replay, err := once.Find(ctx, tx, who, request)
		if err != nil {
			return err
		}
		if replay {
			c, err := find(ctx, tx, who, target)
			replayed = &c
			return err
		}
		drafts, err = s.draftOfOne(ctx, tx, who, o.AssertionID, o.ValidUntil)
		return err
	})
	if err != nil || replayed != nil {
		return deref(replayed), err
	}
	all, err := s.Seal(ctx, who, drafts, func(tx pgx.Tx, all []Credential) error {
		if err := s.asOrdered(all[0], o); err != nil {
			return err
		}
		return once.Keep(ctx, tx, s.Now(), who, request, string(all[0].ID))
	})
	if err != nil {
		return Credential{}, err
	}
	return all[0], nil
}

func (s *Service) checkUntil(until *time.Time) error {
	if until != nil && !until.After(s.Now()) {
		return fault.At("validUntil", "in-the-future", "The credential would have expired already.")
	}
	return nil
}

// asOrdered is why a credential that was there before is not what was ordered.
func (s *Service) asOrdered(c Credential, o Order) error {
	switch {
	case c.Status == Revoked:
		return &fault.Error{Kind: fault.State, Field: "assertionId", Rule: "not-revoked", Message: "The credential of this award was revoked. Reissue it, which says that you mean to; or withdraw the award."}
	case c.Status == Suspended:
		return &fault.Error{Kind: fault.State, Field: "assertionId", Rule: "not-suspended", Message: "The credential of this award is suspended. Lift the suspension first."}
	case o.ValidUntil != nil && (c.ValidUntil == nil || !c.ValidUntil.Equal(pg.Instant(*o.ValidUntil).Truncate(time.Second))):
		return &fault.Error{Kind: fault.State, Field: "validUntil", Rule: "not-issued", Message: "This award has a credential with another end. Reissue it to give it a new one."}
	case o.ValidUntil == nil && c.Expired(s.Now()):
		return &fault.Error{Kind: fault.State, Field: "assertionId", Rule: "not-expired", Message: "The credential of this award has expired. Reissue it to give it a new end."}
	}
	return nil
}

// draftOfOne is the draft of one assertion that was not withdrawn.
func (s *Service) draftOfOne(ctx context.Context, tx pgx.Tx, who access.Actor, name string, until *time.Time) ([]Draft, error) {
	a, err := assertion.InTx(ctx, tx, who, name)
	if err != nil {
		return nil, err
	}
	if a.WithdrawnAt != nil {
		return nil, &fault.Error{Kind: fault.State, Field: "assertionId", Rule: "not-withdrawn", Message: "This assertion was withdrawn; a withdrawn award gets no credential."}
	}
	l, err := learner.InTx(ctx, tx, who, string(a.LearnerID))
	if err != nil {
		return nil, err
	}
	drafts, err := s.draftsOf(ctx, tx, who, map[learner.ID]learner.Learner{l.ID: l}, []assertion.Assertion{a})
	if err == nil && until != nil {
		end := until.UTC().Truncate(time.Second)
		drafts[0].ValidUntil = &end
	}
	return drafts, err
}

func deref(c *Credential) Credential {
	if c == nil {
		return Credential{}
	}
	return *c
}

// Earned is everything that a learner has earned: the signed credentials, oldest
// first, and the version of the achievement behind each.
type Earned struct {
	Credentials []Credential
	Pins        []achievement.Pin
	Awards      []assertion.Assertion // what each is the credential of, without results and evidence
}

// IssueEarned are the signed credentials of everything that learners have
// earned; those that are not there yet are made. Some may not stand: they were
// suspended, revoked, or have expired. It takes the same few statements for any
// number of learners.
func (s *Service) IssueEarned(ctx context.Context, who access.Actor, learners ...learner.Learner) (map[learner.ID]Earned, error) {
	if err := access.Check(who, access.Issue); err != nil {
		return nil, err
	}
	people, ids := make(map[learner.ID]learner.Learner, len(learners)), make([]learner.ID, len(learners))
	for i, l := range learners {
		people[l.ID], ids[i] = l, l.ID
	}
	var earned []assertion.Assertion
	var fresh []int // among earned: what is to be signed
	var drafts []Draft
	var made []Credential
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
		if earned, err = assertion.EarnedByAll(ctx, tx, who, ids); err != nil {
			return err
		}
		if made, fresh, err = standing(ctx, tx, who, s.Now(), people, earned); err != nil || len(fresh) == 0 {
			return err
		}
		some, err := whole(ctx, tx, who, earned, fresh)
		if err != nil {
			return err
		}
		drafts, err = s.draftsOf(ctx, tx, who, people, some)
		return err
	})
	if err != nil {
		return nil, err
	}
	sealed, err := s.Seal(ctx, who, drafts, nil)
	if err != nil {
		return nil, err
	}
	for n, i := range fresh {
		made[i] = sealed[n]
	}
	all := make(map[learner.ID]Earned, len(learners))
	for from := 0; from < len(made); { // each learner's lie together
		of, until := earned[from].LearnerID, from+1
		for until < len(made) && earned[until].LearnerID == of {
			until++
		}
		e := Earned{made[from:until:until], make([]achievement.Pin, until-from), earned[from:until:until]}
		for i, a := range e.Awards {
			e.Pins[i] = a.Pin()
		}
		all[of], from = e, until
	}
	return all, nil
}

// standing are the credentials of assertions that need nothing done, in their
// place, and the places of those that do: nothing that they are made of has to be
// read for the others.
func standing(ctx context.Context, tx pgx.Tx, who access.Actor, now time.Time, people map[learner.ID]learner.Learner, earned []assertion.Assertion) (all []Credential, fresh []int, err error) {
	in, err := institution.InTx(ctx, tx, who)
	if err != nil {
		return nil, nil, err
	}
	ids := make([]assertion.ID, len(earned))
	for i, a := range earned {
		ids[i] = a.ID
	}
	heads, _, err := onFile(ctx, tx, who, ids, nil)
	if err != nil {
		return nil, nil, err
	}
	all = make([]Credential, len(earned))
	for i, a := range earned {
		head, ok := heads[a.ID]
		if !ok || !head.tells(Award{Learner: people[a.LearnerID], Assertion: a}.basis(in.Version), now) {
			fresh = append(fresh, i)
			continue
		}
		all[i] = head
	}
	return all, fresh, nil
}

// whole are some of the assertions with their results and evidence.
func whole(ctx context.Context, tx pgx.Tx, who access.Actor, all []assertion.Assertion, some []int) ([]assertion.Assertion, error) {
	ids, places := make([]assertion.ID, len(some)), make(map[assertion.ID]int, len(some))
	for n, i := range some {
		ids[n], places[all[i].ID] = all[i].ID, n
	}
	found, err := assertion.ByIDsInTx(ctx, tx, who, ids)
	out := make([]assertion.Assertion, len(some))
	for _, a := range found {
		out[places[a.ID]] = a
	}
	return out, err
}

// tells reports whether the issued credential of an award is taken as it is,
// without a look at what it tells: it is of the same basis, or it does not stand
// any more, and then only an order replaces it.
func (c Credential) tells(basis string, now time.Time) bool {
	return c.Status != Active || c.Expired(now) || basis != "" && c.Basis == basis
}

// draftsOf are the drafts of assertions of these learners, in order.
func (s *Service) draftsOf(ctx context.Context, tx pgx.Tx, who access.Actor, learners map[learner.ID]learner.Learner, all []assertion.Assertion) ([]Draft, error) {
	in, err := institution.InTx(ctx, tx, who)
	if err != nil {
		return nil, err
	}
	did, err := in.DID(s.Origin)
	if err != nil {
		return nil, err
	}
	var pins []achievement.Pin
	var ids []achievement.ID
	seen := map[achievement.Pin]bool{}
	for _, a := range all {
		if p := a.Pin(); !seen[p] {
			seen[p] = true
			pins, ids = append(pins, p), append(ids, a.AchievementID)
		}
	}
	versions, err := achievement.VersionsInTx(ctx, tx, who, pins)
	if err != nil {
		return nil, err
	}
	achievements, err := achievement.ByIDsInTx(ctx, tx, who, ids)
	if err != nil {
		return nil, err
	}
	drafts := make([]Draft, len(all))
	for i, a := range all {
		award := Award{Issuer: in.Issuer(did), Base: in.Base(s.Origin), Learner: learners[a.LearnerID], Assertion: a,
			Achievement: achievements[a.AchievementID], Definition: versions[a.Pin()].Definition}
		drafts[i] = Draft{Kind: OfAchievement, LearnerID: a.LearnerID, AssertionID: &all[i].ID, AssertionVersion: &all[i].Version, Compose: award.Compose,
			Basis: award.basis(in.Version)}
	}
	return drafts, nil
}

// Seal makes signed credentials of drafts, in their order: those that were
// issued with the same content before are taken as they are. then runs in the
// transaction that seals, with all of them, and may be nil.
func (s *Service) Seal(ctx context.Context, who access.Actor, drafts []Draft, then func(pgx.Tx, []Credential) error) ([]Credential, error) {
	if err := access.Check(who, access.Issue); err != nil {
		return nil, err
	}
	all, in, err := s.draft(ctx, who, drafts)
	if err != nil {
		return nil, err
	}
	fresh, parts := unsealed(all, drafts)
	if err := s.sign(ctx, who, in, fresh, parts); err != nil {
		return nil, err
	}
	if len(fresh) == 0 && then == nil {
		return all, nil
	}
	err = s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		sealed := make([]Credential, len(fresh))
		for i, c := range fresh {
			sealed[i] = *c
		}
		if err := seal(ctx, tx, who, sealed); err != nil {
			return err
		}
		if err := s.supersede(ctx, tx, who, sealed); err != nil {
			return err
		}
		if then != nil {
			if err := then(tx, all); err != nil {
				return err
			}
		}
		if err := s.step(StepSealing); err != nil {
			return err
		}
		return s.account(ctx, tx, who, "issued", fresh)
	})
	if err != nil {
		return nil, err
	}
	return all, s.step(StepSealed)
}

// account writes one audit line for the credentials.
func (s *Service) account(ctx context.Context, tx pgx.Tx, who access.Actor, what string, all []*Credential) error {
	if len(all) == 0 {
		return nil
	}
	ids := make([]ID, len(all))
	for i, c := range all {
		ids[i] = c.ID
	}
	return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.Issue, Target: string(all[0].LearnerID), Detail: map[string]any{what: ids}})
}

// unsealed are what is to be signed, with what each embeds.
func unsealed(all []Credential, drafts []Draft) (out []*Credential, parts [][]vc.Part) {
	for i := range all {
		if all[i].State == Drafted {
			out, parts = append(out, &all[i]), append(parts, drafts[i].Parts)
		}
	}
	return out, parts
}

// draft stores what is to be signed, and finds what was issued or drafted
// before.
func (s *Service) draft(ctx context.Context, who access.Actor, drafts []Draft) ([]Credential, institution.Institution, error) {
	var in institution.Institution
	if len(drafts) == 0 {
		return nil, in, nil
	}
	key, err := s.Keys.Ensure(ctx, who)
	if err != nil {
		return nil, in, err
	}
	all := make([]Credential, len(drafts))
	made := make([]content, len(drafts))
	err = s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		if in, err = institution.InTx(ctx, tx, who); err != nil {
			return err
		}
		return before(ctx, tx, who, s.Now(), drafts, made, all)
	})
	if err != nil {
		return nil, in, err
	}
	var fresh []int
	for i := range all {
		switch {
		case all[i].ID == "":
			fresh = append(fresh, i)
		case all[i].State == Drafted:
			all[i].KeyID = key.ID // the key of the draft may have been retired since
			if err := s.restore(in, &all[i], made[i]); err != nil {
				return nil, in, err
			}
		}
	}
	if len(fresh) == 0 {
		return all, in, nil
	}
	places, err := s.take(ctx, who, ownPurpose, len(fresh))
	if err != nil {
		return nil, in, err
	}
	if err := s.step(StepTaken); err != nil {
		return nil, in, err
	}
	now := pg.Instant(s.Now())
	written := make([]Credential, len(fresh))
	told := make([]*Credential, len(fresh))
	for n, i := range fresh {
		d, c, place := drafts[i], &all[i], places[n]
		c.ID, c.Kind, c.State, c.Status, c.KeyID, c.ContentHash = ID(s.NewID("crd")), d.Kind, Drafted, Active, key.ID, made[i].hash
		c.LearnerID, c.AssertionID, c.AssertionVersion = d.LearnerID, d.AssertionID, d.AssertionVersion
		c.ValidUntil, c.DraftedAt, c.IssuedBy = d.ValidUntil, now, who.ID
		c.StatusList, c.StatusIndex = &place.List, &place.Index
		c.Basis = d.Basis
		if err := s.restore(in, c, made[i]); err != nil {
			return nil, in, err
		}
		written[n], told[n] = *c, c
	}
	err = s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		if err := insert(ctx, tx, who, written); err != nil {
			return err
		}
		return s.account(ctx, tx, who, "drafted", told)
	})
	if err != nil {
		return nil, in, err
	}
	return all, in, s.step(StepDrafted)
}

// restore makes the draft of a credential from its content, if it is not there:
// its id, instant and place say everything else.
func (s *Service) restore(in institution.Institution, c *Credential, made content) error {
	if c.Draft != "" {
		return nil
	}
	st := stamp{id: address(in, s.Origin, c.ID), validFrom: c.DraftedAt, validUntil: c.ValidUntil}
	if c.StatusList != nil {
		entry := place{*c.StatusList, *c.StatusIndex}.entry(in.Base(s.Origin), ownPurpose)
		st.status = &entry
	}
	var err error
	if c.Draft, err = st.on(made.bytes); err != nil {
		return fmt.Errorf("compose credential: %w", err)
	}
	return nil
}

// content is what a draft says, apart from id, dates and place.
type content struct{ bytes, hash []byte }

func (d Draft) content() (content, error) {
	raw, err := d.Compose("", "")
	if err != nil {
		return content{}, fmt.Errorf("compose credential: %w", err)
	}
	if d.Hash != nil {
		return content{raw, d.Hash}, nil
	}
	sum := sha256.Sum256(raw)
	return content{raw, sum[:]}, nil
}

// before finds what was issued or drafted for drafts, and composes those for
// which that does not show by their basis. What is left empty is to be made, and
// says what it replaces. A badge that does not stand is taken as it is: only an
// order replaces it. What replaces one without an order ends when that one would
// have: only an order gives another end.
func before(ctx context.Context, tx pgx.Tx, who access.Actor, now time.Time, drafts []Draft, made []content, all []Credential) error {
	var assertions []assertion.ID
	var learners []learner.ID
	for _, d := range drafts {
		if d.Kind == OfAchievement {
			assertions = append(assertions, *d.AssertionID)
			continue
		}
		learners = append(learners, d.LearnerID)
	}
	heads, open, err := onFile(ctx, tx, who, assertions, learners)
	if err != nil {
		return err
	}
	for i, d := range drafts {
		head, ok := Credential{}, false
		if d.Kind == OfAchievement {
			head, ok = heads[*d.AssertionID]
		}
		if ok && d.Supersedes == nil && head.tells(d.Basis, now) {
			all[i] = head
			continue
		}
		if made[i], err = d.content(); err != nil {
			return err
		}
		if ok && d.Supersedes == nil && bytes.Equal(head.ContentHash, made[i].hash) {
			all[i] = head
			continue
		}
		if d.Kind == OfAchievement && d.Supersedes != nil && (!ok || head.ID != *d.Supersedes) {
			return &fault.Error{Kind: fault.State, Field: "id", Rule: "not-superseded", Message: "This credential was replaced already. Reissue the one that replaced it."}
		}
		if all[i].Supersedes = d.Supersedes; ok {
			all[i].Supersedes = &head.ID
			if d.Supersedes == nil && d.ValidUntil == nil {
				d.ValidUntil, drafts[i].ValidUntil = head.ValidUntil, head.ValidUntil
			}
		}
		for _, c := range open[d.target()] {
			if bytes.Equal(c.ContentHash, made[i].hash) && same(c.Supersedes, all[i].Supersedes) && sameTime(c.ValidUntil, d.ValidUntil) {
				all[i] = c
			}
		}
	}
	return nil
}

// target is what a draft is of.
func (d Draft) target() string { return target(d.AssertionID, d.LearnerID) }

func target(a *assertion.ID, l learner.ID) string {
	if a != nil {
		return string(*a)
	}
	return string(l)
}

// onFile are the badges that are present, by their assertions, and the drafts by
// what they are of.
func onFile(ctx context.Context, tx pgx.Tx, who access.Actor, assertions []assertion.ID, learners []learner.ID) (map[assertion.ID]Credential, map[string][]Credential, error) {
	heads, open := map[assertion.ID]Credential{}, map[string][]Credential{}
	var found []Credential
	if len(assertions) > 0 {
		badges, err := present(ctx, tx, who, assertions)
		if err != nil {
			return nil, nil, err
		}
		found = badges
	}
	if len(learners) > 0 {
		records, err := recordDrafts(ctx, tx, who, learners)
		if err != nil {
			return nil, nil, err
		}
		found = append(found, records...)
	}
	for _, c := range found {
		if c.State == Issued {
			heads[*c.AssertionID] = c
			continue
		}
		t := target(c.AssertionID, c.LearnerID)
		open[t] = append(open[t], c)
	}
	return heads, open, nil
}

func same(a, b *ID) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

func sameTime(a, b *time.Time) bool { return (a == nil) == (b == nil) && (a == nil || a.Equal(*b)) }

// sign signs drafts and proves each signature before anything is stored.
func (s *Service) sign(ctx context.Context, who access.Actor, in institution.Institution, all []*Credential, parts [][]vc.Part) error {
	if len(all) == 0 {
		return nil
	}
	did, err := in.DID(s.Origin)
	if err != nil {
		return err
	}
	method := keyring.Method(did, all[0].KeyID)
	prepared := make([][]vc.Draft, len(all))
	var hashes [][]byte
	for i, c := range all {
		prepared[i], err = vc.PrepareAll(c.Draft, suites(c.Kind), method, c.DraftedAt, parts[i]...)
		if err != nil {
			return &fault.Error{Kind: fault.Invalid, Rule: "signable", Err: err,
				Message: "This cannot be signed as it stands, because a verifier could not read all of it: " + err.Error()}
		}
		for _, d := range prepared[i] {
			hashes = append(hashes, d.Hash)
		}
	}
	signatures, err := s.Keys.Sign(ctx, who, all[0].KeyID, hashes...)
	if err != nil {
		return err
	}
	if err := s.step(StepSigned); err != nil {
		return err
	}
	keys, err := s.Keys.List(ctx, who)
	if err != nil {
		return err
	}
	p := prover{keys: keyring.Resolver(did, keys), method: method, now: pg.Instant(s.Now())}
	for i, c := range all {
		n := len(prepared[i])
		signed, err := p.prove(c, prepared[i], signatures[:n])
		if err != nil {
			return fmt.Errorf("credential %s was not issued: %w", c.ID, err)
		}
		signatures = signatures[n:]
		c.Document, c.State, c.IssuedAt, c.IssuedBy, c.Draft = &signed, Issued, &p.now, who.ID, ""
		if c.Kind == OfAchievement {
			if c.Kept, err = vc.Keep([]byte(signed)); err != nil {
				c.Kept = nil // a record that embeds it is signed at its full cost
			}
		}
	}
	return s.step(StepProved)
}

// prover proves what was signed, with the public key as others will have it.
type prover struct {
	keys    vc.Resolver
	method  string
	now     time.Time
	records int // that were proved so far
}

// fully is how many records are signed for each that is read from its bytes
// again: the first, and then each such.
const fully = 16

// prove is the signed document. A badge is verified from its bytes, as others
// will do it. Reading a record of a hundred credentials again costs more than
// making it, so of those that are made together each sixteenth is; the others
// are proved by their signatures over what was canonicalized, and by their bytes.
func (p *prover) prove(c *Credential, prepared []vc.Draft, signatures [][]byte) (string, error) {
	proofs := make([]vc.Proof, len(prepared))
	for i := range proofs {
		proofs[i] = prepared[i].Attach(signatures[i])
	}
	document, err := vc.SecureText(c.Draft, proofs...)
	if err != nil {
		return "", err
	}
	if c.Kind == OfRecord {
		if p.records++; p.records%fully != 1 {
			return document, p.quickly(document, c.Draft, prepared, signatures)
		}
	}
	return document, prove([]byte(document), []byte(c.Draft), len(proofs), p.keys, p.now)
}

// quickly checks each signature, and that the document is the draft with
// something behind its last member.
func (p *prover) quickly(document, draft string, prepared []vc.Draft, signatures [][]byte) error {
	key, err := p.keys(p.method, "assertionMethod")
	if err != nil {
		return err
	}
	for i, d := range prepared {
		if !vc.Signed(key.Public, d.Hash, signatures[i]) {
			return errors.New("a signature does not fit")
		}
	}
	if body := strings.TrimSuffix(draft, "}"); !strings.HasPrefix(document, body) || !strings.HasPrefix(document[len(body):], `,"proof":[`) {
		return errors.New("what was signed is not the draft")
	}
	return nil
}

// prove verifies what was signed with the public key, and that apart from the
// proofs it is the draft.
func prove(document, draft []byte, proofs int, keys vc.Resolver, now time.Time) error {
	checked, err := vc.Verify(document, keys, now)
	if err != nil {
		return err
	}
	if len(checked) != proofs {
		return errors.New("a proof is missing")
	}
	for _, c := range checked {
		if c.Err != nil {
			return c.Err
		}
	}
	unsecured, _, err := vc.Split(document)
	if err != nil {
		return err
	}
	if want, _, err := vc.Split(draft); err != nil || !bytes.Equal(unsecured, want) {
		return errors.New("what was signed is not the draft")
	}
	return nil
}

// Find is one credential by id, without what was signed.
func (s *Service) Find(ctx context.Context, who access.Actor, credential string) (Credential, error) {
	var c Credential
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		c, err = find(ctx, tx, who, credential)
		return err
	})
	return c, err
}

// ByIDs are credentials by id, without what was signed.
func (s *Service) ByIDs(ctx context.Context, who access.Actor, ids []ID) (map[ID]Credential, error) {
	all := make(map[ID]Credential, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := byIDs(ctx, tx, who, ids)
		for _, c := range rows {
			all[c.ID] = c
		}
		return err
	})
	return all, err
}

// OfAssertions are the issued credentials of each assertion, newest first, without
// what was signed.
func (s *Service) OfAssertions(ctx context.Context, who access.Actor, ids []assertion.ID) (map[assertion.ID][]Credential, error) {
	all := make(map[assertion.ID][]Credential, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := ofAssertions(ctx, tx, who, ids)
		for _, c := range rows {
			all[*c.AssertionID] = append(all[*c.AssertionID], c)
		}
		return err
	})
	return all, err
}

func (s *Service) read(ctx context.Context, who access.Actor, fn func(pgx.Tx) error) error {
	if err := access.Check(who, access.ReadLearner); err != nil {
		return err
	}
	return s.DB.Snapshot(ctx, who, fn)
}
