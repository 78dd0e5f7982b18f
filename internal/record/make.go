package record

import (
	"bytes"
	"context"
	"crypto/sha256"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/pg"
)

// Assembled is what became of one learner's record.
type Assembled struct {
	LearnerID learner.ID
	Record    *Record      // nil when there is none
	New       bool         // it was made now
	Err       *fault.Error // why there is none
}

// one is a record on its way.
type one struct {
	Facts
	omissions []Omission
	latest    latest
	content   []byte
	out       *Assembled
}

// latest is a learner's newest version, with what its credential is worth.
type latest struct {
	Record
	Status string // of its credential; empty when there is no version
}

// make assembles the records of learners together, in the same few statements
// for any number of them. A learner for whom there is nothing to assemble holds
// up no other. then runs in the transaction that keeps a new version.
func (s *Service) make(ctx context.Context, who access.Actor, learners []learner.Learner, then func(pgx.Tx, Record) error) ([]Assembled, error) {
	earned, err := s.Credentials.IssueEarned(ctx, who, learners...)
	if err != nil {
		return nil, err
	}
	out := make([]Assembled, len(learners))
	var open []*one
	for i, l := range learners {
		out[i].LearnerID = l.ID
		o := &one{out: &out[i]}
		o.Facts, o.omissions = s.standing(l, earned[l.ID])
		switch {
		case len(earned[l.ID].Credentials) == 0:
			out[i].Err = nothing("Nothing has been recorded for this learner yet, so there is nothing to put into a record. Award something first.")
		case len(o.Credentials) == 0:
			out[i].Err = nothing("None of this learner's credentials stands: each was suspended or revoked, or has expired. There is nothing to put into a record.")
		default:
			open = append(open, o)
		}
	}
	if len(open) == 0 {
		return out, nil
	}
	if err := s.complete(ctx, who, open); err != nil {
		return nil, err
	}
	fresh, err := s.changed(who, open)
	if err != nil || len(fresh) == 0 {
		return out, err
	}
	return out, s.seal(ctx, who, fresh, then)
}

func nothing(message string) *fault.Error {
	return &fault.Error{Kind: fault.State, Field: "learnerId", Rule: "something-earned", Message: message}
}

// standing are the credentials that the institution stands by, and what is left
// out because it does not. A record without what is on hold, or has ended, is a
// partial one; what was revoked was not earned.
func (s *Service) standing(l learner.Learner, all credential.Earned) (Facts, []Omission) {
	f, omissions := Facts{Learner: l}, []Omission{}
	var suspended, revoked, expired int
	for i, c := range all.Credentials {
		switch {
		case c.Status == credential.Suspended:
			suspended++
		case c.Status == credential.Revoked:
			revoked++
		case c.Expired(s.Now()):
			expired++
		default:
			f.Credentials, f.Pins = append(f.Credentials, c), append(f.Pins, all.Pins[i])
		}
	}
	f.Partial = suspended+expired > 0
	for _, o := range []Omission{{"Credentials that are suspended are not part of a record.", suspended},
		{"Credentials that were revoked are not part of a record.", revoked}, {"Credentials that have expired are not part of a record.", expired}} {
		if o.Count > 0 {
			omissions = append(omissions, o)
		}
	}
	return f, omissions
}

// complete reads what records tell besides their credentials, in one moment,
// and the versions before them.
func (s *Service) complete(ctx context.Context, who access.Actor, all []*one) error {
	known, ids := aligned{}, make([]learner.ID, len(all))
	targets := make([][]string, len(all))
	for i, o := range all {
		o.known, ids[i] = known, o.Learner.ID
		seen := map[string]bool{}
		for n, c := range o.Credentials {
			a, err := known.of(o.pin(n), *c.Document)
			if err != nil {
				return err
			}
			for _, t := range a.targets {
				if !seen[t] {
					seen[t] = true
					targets[i] = append(targets[i], t)
				}
			}
		}
	}
	return s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		in, err := institution.InTx(ctx, tx, who)
		if err != nil {
			return err
		}
		did, err := in.DID(s.Credentials.Origin)
		if err != nil {
			return err
		}
		gone, err := withdrawn(ctx, tx, who, ids)
		if err != nil {
			return err
		}
		versions, err := newest(ctx, tx, who, ids)
		if err != nil {
			return err
		}
		around := map[string]*one{} // those who reached the same competencies have the same around them
		for i, o := range all {
			o.Issuer, o.latest = in.Issuer(did), versions[o.Learner.ID]
			if n := gone[o.Learner.ID]; n > 0 {
				o.omissions = append(o.omissions, Omission{Reason: "Awards that were withdrawn are not part of a record.", Count: n})
			}
			key := strings.Join(targets[i], "\n")
			if like := around[key]; like != nil {
				o.Items, o.Links = like.Items, like.Links
				continue
			}
			if o.Items, o.Links, err = framework.Around(ctx, tx, who, targets[i]); err != nil {
				return err
			}
			around[key] = o
		}
		return nil
	})
}

// changed are those of the records that tell something else than the version
// before, or whose version before does not stand.
func (s *Service) changed(who access.Actor, all []*one) ([]*one, error) {
	var fresh []*one
	for _, o := range all {
		if o.latest.Status == credential.Suspended { // another version would go around the hold
			o.out.Err = &fault.Error{Kind: fault.State, Field: "learnerId", Rule: "not-suspended",
				Message: "The latest version of this record is suspended. Lift the suspension, or revoke it, before another is made."}
			continue
		}
		content, err := o.Compose("", "")
		if err != nil {
			return nil, err
		}
		hash := sha256.Sum256(content)
		if o.latest.Status == credential.Active && bytes.Equal(hash[:], o.latest.ContentHash) {
			o.out.Record = &o.latest.Record
			continue
		}
		o.out.Record = &Record{ID: ID(s.NewID("rec")), LearnerID: o.Learner.ID, Version: o.latest.Version + 1, ContentHash: hash[:], Partial: o.Partial,
			Omissions: o.omissions, AssembledAt: pg.Instant(s.Now()), AssembledBy: who.ID}
		o.out.New = true
		o.content = content
		fresh = append(fresh, o)
	}
	return fresh, nil
}

// seal signs records and keeps each as its learner's next version. A learner
// for whom somebody else made one meanwhile is a Conflict of all.
func (s *Service) seal(ctx context.Context, who access.Actor, all []*one, then func(pgx.Tx, Record) error) error {
	drafts := make([]credential.Draft, len(all))
	learners := make([]learner.ID, len(all))
	for i, o := range all {
		learners[i] = o.Learner.ID
		drafts[i] = credential.Draft{Kind: credential.OfRecord, LearnerID: o.Learner.ID, Parts: o.parts(),
			Compose: func(string, string) ([]byte, error) { return o.content, nil }}
		if o.latest.ID != "" {
			drafts[i].Supersedes = &o.latest.CredentialID
		}
	}
	_, err := s.Credentials.Seal(ctx, who, drafts, func(tx pgx.Tx, sealed []credential.Credential) error {
		if err := lock(ctx, tx, who, learners); err != nil {
			return err
		}
		now, err := newest(ctx, tx, who, learners)
		if err != nil {
			return err
		}
		ids := make([]ID, len(all))
		for i, o := range all {
			if now[o.Learner.ID].ID != o.latest.ID {
				return &fault.Error{Kind: fault.Conflict, Rule: "issued-at-once", Message: "Somebody else assembled a record of the same learner at this moment. Try again."}
			}
			o.out.Record.CredentialID, ids[i] = sealed[i].ID, o.out.Record.ID
		}
		if err := insert(ctx, tx, who, all); err != nil {
			return err
		}
		if then != nil {
			for _, o := range all {
				if err := then(tx, *o.out.Record); err != nil {
					return err
				}
			}
		}
		return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.Assemble, Target: string(ids[0]), Detail: account(all)})
	})
	return err
}

// account is what the audit says of records that were assembled together.
func account(all []*one) map[string]any {
	if r := all[0].out.Record; len(all) == 1 {
		return map[string]any{"learner": r.LearnerID, "version": r.Version, "credential": r.CredentialID, "credentials": len(all[0].Credentials)}
	}
	records := make([]ID, len(all))
	for i, o := range all {
		records[i] = o.out.Record.ID
	}
	return map[string]any{"records": records}
}
