package credential

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/audit"
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
	Origin string // the https origin that ids begin with, without a slash at the end
}

// Issue is the signed credential of an assertion: the one that tells what the
// assertion tells now, made if there is none. State when it was withdrawn.
func (s *Service) Issue(ctx context.Context, who access.Actor, key *string, name string) (Credential, error) {
	if err := access.Check(who, access.Issue); err != nil {
		return Credential{}, err
	}
	request := once.Request{Key: key, Operation: "issueCredential", Input: name}
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
		a, err := assertion.InTx(ctx, tx, who, name)
		if err != nil {
			return err
		}
		if a.WithdrawnAt != nil {
			return &fault.Error{Kind: fault.State, Field: "assertionId", Rule: "not-withdrawn", Message: "This assertion was withdrawn; a withdrawn award gets no credential."}
		}
		l, err := learner.InTx(ctx, tx, who, string(a.LearnerID))
		if err != nil {
			return err
		}
		drafts, err = s.draftsOf(ctx, tx, who, l, []assertion.Assertion{a})
		return err
	})
	if err != nil || replayed != nil {
		return deref(replayed), err
	}
	all, err := s.Seal(ctx, who, drafts, func(tx pgx.Tx, all []Credential) error {
		return once.Keep(ctx, tx, s.Now(), who, request, string(all[0].ID))
	})
	if err != nil {
		return Credential{}, err
	}
	return all[0], nil
}

func deref(c *Credential) Credential {
	if c == nil {
		return Credential{}
	}
	return *c
}

// IssueEarned are the signed credentials of everything that a learner has
// earned, oldest first; those that are not there yet are made.
func (s *Service) IssueEarned(ctx context.Context, who access.Actor, l learner.Learner) ([]Credential, error) {
	if err := access.Check(who, access.Issue); err != nil {
		return nil, err
	}
	var drafts []Draft
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		earned, err := assertion.EarnedBy(ctx, tx, who, l.ID)
		if err != nil {
			return err
		}
		drafts, err = s.draftsOf(ctx, tx, who, l, earned)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.Seal(ctx, who, drafts, nil)
}

// draftsOf are the drafts of a learner's assertions, in order.
func (s *Service) draftsOf(ctx context.Context, tx pgx.Tx, who access.Actor, l learner.Learner, all []assertion.Assertion) ([]Draft, error) {
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
	for _, a := range all {
		pins, ids = append(pins, a.Pin()), append(ids, a.AchievementID)
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
		award := Award{Issuer: in.Issuer(did), Base: in.Base(s.Origin), Learner: l, Assertion: a,
			Achievement: achievements[a.AchievementID], Definition: versions[a.Pin()].Definition}
		drafts[i] = Draft{Kind: OfAchievement, LearnerID: l.ID, AssertionID: &all[i].ID, AssertionVersion: &all[i].Version, Compose: award.Compose}
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
	fresh := unsealed(all)
	if err := s.sign(ctx, who, in, fresh); err != nil {
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
		if then != nil {
			if err := then(tx, all); err != nil {
				return err
			}
		}
		return s.account(ctx, tx, who, "issued", fresh)
	})
	return all, err
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

func unsealed(all []Credential) []*Credential {
	var out []*Credential
	for i := range all {
		if all[i].State == Drafted {
			out = append(out, &all[i])
		}
	}
	return out
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
	err = s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		if in, err = institution.InTx(ctx, tx, who); err != nil {
			return err
		}
		if err := s.before(ctx, tx, who, drafts, all); err != nil {
			return err
		}
		var fresh []Credential
		var told []*Credential
		for i, d := range drafts {
			if all[i].State == Drafted {
				all[i].KeyID = key.ID // the key of the draft may have been retired since
			}
			if all[i].ID != "" {
				continue
			}
			c := &all[i]
			c.ID, c.Kind, c.State, c.KeyID = ID(s.NewID("crd")), d.Kind, Drafted, key.ID
			c.LearnerID, c.AssertionID, c.AssertionVersion = d.LearnerID, d.AssertionID, d.AssertionVersion
			c.DraftedAt, c.IssuedBy = pg.Instant(s.Now()), who.ID
			document, err := d.Compose(address(in, s.Origin, c.ID), Instant(c.DraftedAt))
			if err != nil {
				return fmt.Errorf("compose credential: %w", err)
			}
			c.Draft = string(document)
			fresh, told = append(fresh, *c), append(told, c)
		}
		if err := insert(ctx, tx, who, fresh); err != nil {
			return err
		}
		return s.account(ctx, tx, who, "drafted", told)
	})
	if pg.Constraint(err) == "credential_once_per_content" || pg.Constraint(err) == "credential_draft_once_per_content" {
		return nil, in, atOnce(err)
	}
	return all, in, err
}

// before fills in the content hashes, and what was issued or drafted for them.
func (s *Service) before(ctx context.Context, tx pgx.Tx, who access.Actor, drafts []Draft, all []Credential) error {
	type content struct {
		assertion assertion.ID
		hash      string
	}
	places := map[content]int{}
	var assertions []assertion.ID
	var hashes [][]byte
	for i, d := range drafts {
		hash, err := d.hash()
		if err != nil {
			return fmt.Errorf("compose credential: %w", err)
		}
		all[i].ContentHash = hash
		if d.Kind == OfRecord {
			c, ok, err := draftOf(ctx, tx, who, d.LearnerID, hash)
			if err != nil {
				return err
			}
			if ok {
				all[i] = c
			}
			continue
		}
		places[content{*d.AssertionID, string(hash)}] = i
		assertions, hashes = append(assertions, *d.AssertionID), append(hashes, hash)
	}
	if len(assertions) == 0 {
		return nil
	}
	found, err := earlier(ctx, tx, who, assertions, hashes)
	for _, c := range found {
		all[places[content{*c.AssertionID, string(c.ContentHash)}]] = c
	}
	return err
}

// sign signs drafts and proves each signature before anything is stored.
func (s *Service) sign(ctx context.Context, who access.Actor, in institution.Institution, all []*Credential) error {
	if len(all) == 0 {
		return nil
	}
	did, err := in.DID(s.Origin)
	if err != nil {
		return err
	}
	method := keyring.Method(did, all[0].KeyID)
	var prepared []vc.Draft
	var hashes [][]byte
	for _, c := range all {
		for _, suite := range suites(c.Kind) {
			d, err := vc.Prepare([]byte(c.Draft), suite, method, c.DraftedAt)
			if err != nil {
				return &fault.Error{Kind: fault.Invalid, Rule: "signable", Err: err,
					Message: "This cannot be signed as it stands, because a verifier could not read all of it: " + err.Error()}
			}
			prepared, hashes = append(prepared, d), append(hashes, d.Hash)
		}
	}
	signatures, err := s.Keys.Sign(ctx, who, all[0].KeyID, hashes...)
	if err != nil {
		return err
	}
	keys, err := s.Keys.List(ctx, who)
	if err != nil {
		return err
	}
	now := pg.Instant(s.Now())
	resolve := keyring.Resolver(did, keys)
	for _, c := range all {
		n := len(suites(c.Kind))
		proofs := make([]vc.Proof, n)
		for i := range proofs {
			proofs[i] = prepared[i].Attach(signatures[i])
		}
		prepared, signatures = prepared[n:], signatures[n:]
		document, err := vc.Secure([]byte(c.Draft), proofs...)
		if err != nil {
			return err
		}
		if err := prove(document, []byte(c.Draft), n, resolve, now); err != nil {
			return fmt.Errorf("credential %s was not issued: %w", c.ID, err)
		}
		signed := string(document)
		c.Document, c.State, c.IssuedAt, c.IssuedBy = &signed, Issued, &now, who.ID
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

// Find is one credential by id.
func (s *Service) Find(ctx context.Context, who access.Actor, credential string) (Credential, error) {
	var c Credential
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		c, err = find(ctx, tx, who, credential)
		return err
	})
	return c, err
}

// ByIDs are credentials by id.
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

// OfAssertions are the issued credentials of each assertion, newest first.
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
