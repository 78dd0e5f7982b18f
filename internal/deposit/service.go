package deposit

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/verify"
	"github.com/testamur/testamur/internal/wording"
)

// Service keeps deposits.
type Service struct {
	DB       *pg.DB
	Now      func() time.Time
	NewID    id.Source
	Verifier *verify.Service
	Origin   string // of this service's own issuers
}

// Bring verifies a credential that another issued and keeps it for the learner.
// created is false when it replaces the copy that was there: the same issuer's
// credential of the same id, valid from then or earlier.
//
// Invalid when it does not hold, cannot be verified, is not about the learner or
// was issued by this institution; Conflict when a later one is here; Limit when
// it is too large or the learner has too many.
func (s *Service) Bring(ctx context.Context, who access.Actor, b Brought) (d Deposit, created bool, err error) {
	if err := access.Check(who, access.Deposit); err != nil {
		return d, false, err
	}
	d, subject, err := b.read()
	if err != nil {
		return d, false, err
	}
	if plain(d.IssuerID) != d.IssuerID || plain(d.CredentialID) != d.CredentialID {
		return d, false, fault.At("credential", "plain-text", "An id in the credential holds a character that is not seen.")
	}
	vouch, no := wording.Lines("vouch", b.Vouch, maxVouch)
	if no != nil {
		return d, false, no
	}
	if vouch != "" && who.OnlyLearner() != nil {
		return d, false, fault.At("vouch", "registrar", "Only a registrar vouches for a credential.")
	}
	err = s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		in, err := institution.InTx(ctx, tx, who)
		if err != nil {
			return err
		}
		if did, err := in.DID(s.Origin); err == nil && d.isBy(did) {
			return fault.At("credential", "another-issuer", "This institution issued this credential itself: it is on file, and a copy is not deposited.")
		}
		l, err := learner.InTx(ctx, tx, who, b.LearnerID)
		if err != nil {
			return err
		}
		all, err := learner.IdentifiersInTx(ctx, tx, who, l.ID)
		if err != nil {
			return err
		}
		d.LearnerID = l.ID
		by, other := found(subject, l, all)
		switch {
		case by != "":
			d.Identity = by
		case vouch != "":
			d.Identity, d.Vouch = Vouched, &vouch
		case other:
			return fault.At("credential", "recipient", "This credential is about somebody else: it names its subject by something that is on file of the learner, and otherwise.")
		default:
			return fault.At("credential", "recipient", "This credential does not say in a way that can be compared that it is about the learner: it names neither an id nor an identifier that is on file. A registrar who knows that it is theirs can vouch for it.")
		}
		return nil
	})
	if err != nil {
		return d, false, err
	}
	r, err := s.Verifier.Report(ctx, who, []byte(d.Document))
	if err == nil {
		err = judged(r)
	}
	if err != nil {
		return d, false, err
	}
	d.IssuerName, d.Name, d.ValidUntil = plain(r.IssuerName), plain(r.Name), r.ValidUntil
	for _, c := range r.Checks {
		c.Reason = plain(c.Reason)
		d.Checks = append(d.Checks, c)
	}
	return s.keep(ctx, who, d)
}

// keep stores a deposit that was verified, or replaces the one that is there.
func (s *Service) keep(ctx context.Context, who access.Actor, d Deposit) (_ Deposit, created bool, err error) {
	now := pg.Instant(s.Now())
	d.VerifiedAt, d.DepositedAt, d.DepositedBy = now, now, who.ID
	d.ValidFrom = pg.Instant(d.ValidFrom)
	if d.ValidUntil != nil {
		until := pg.Instant(*d.ValidUntil)
		d.ValidUntil = &until
	}
	err = s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		old, err := sameForUpdate(ctx, tx, who, d)
		if err != nil {
			return err
		}
		if created = old == nil; created {
			d.ID, d.Version = ID(s.NewID("dep")), 1
			if err := insert(ctx, tx, who, d); err != nil {
				return err
			}
		} else if err := replace(ctx, tx, who, &d, *old); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.Deposit, Target: string(d.ID),
			Detail: map[string]any{"learner": d.LearnerID, "kind": d.Kind, "version": d.Version, "vouched": d.Vouch != nil}})
	})
	if pg.Constraint(err) == "deposit_once" {
		err = &fault.Error{Kind: fault.Conflict, Field: "credential", Rule: "deposited-at-once", Message: "The same credential is being deposited at this moment. Try again.", Err: err}
	}
	return d, created, err
}

// replace decides whether a deposit takes the place of another of the same id,
// OB 3.0 §4.2: the later one stays.
func replace(ctx context.Context, tx pgx.Tx, who access.Actor, d *Deposit, old Deposit) error {
	if d.ValidFrom.Before(old.ValidFrom) {
		return &fault.Error{Kind: fault.Conflict, Field: "credential", Rule: "later",
			Message: fmt.Sprintf("A later copy of this credential is here, valid from %s; an earlier one does not replace it.", old.ValidFrom.Format(time.RFC3339))}
	}
	d.ID, d.Version = old.ID, old.Version
	if !bytes.Equal([]byte(d.Document), []byte(old.Document)) {
		d.Version++
	}
	return update(ctx, tx, who, *d)
}

// plain is a text that others wrote, as it may be shown: cut to a length, and
// without what is not seen.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, text)
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	return text
}

// ByIDs are deposits by id.
func (s *Service) ByIDs(ctx context.Context, who access.Actor, ids []ID) (map[ID]Deposit, error) {
	all := make(map[ID]Deposit, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := byIDs(ctx, tx, who, ids)
		for _, d := range rows {
			all[d.ID] = d
		}
		return err
	})
	return all, err
}

// cursor is where a page of deposits ends.
type cursor struct {
	ValidFrom time.Time `json:"t"`
	ID        ID        `json:"i"`
}

// OfLearners are the deposits of each learner, the latest valid first, one page
// of each.
func (s *Service) OfLearners(ctx context.Context, who access.Actor, ids []learner.ID, a page.Args) (map[learner.ID]page.Connection[Deposit], error) {
	limit, after, more, err := page.Start[cursor](a)
	if err != nil {
		return nil, err
	}
	var before *time.Time
	if more {
		before = &after.ValidFrom
	}
	var out map[learner.ID]page.Connection[Deposit]
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := ofLearners(ctx, tx, who, ids, before, after.ID, limit+1)
		out = page.Each(ids, rows, limit, a, func(d Deposit) learner.ID { return d.LearnerID }, func(d Deposit) cursor { return cursor{d.ValidFrom, d.ID} })
		return err
	})
	return out, err
}

// Listing is a page of deposits by number, as the Open Badges and CLR APIs have
// it.
type Listing struct {
	Kind   string
	Since  *time.Time // valid from after this instant
	Limit  int        // from 0
	Offset int        // from 0
}

// Listed are deposits of a kind, oldest first, and how many there are in all.
func (s *Service) Listed(ctx context.Context, who access.Actor, l Listing) (all []Deposit, total int, err error) {
	err = s.read(ctx, who, func(tx pgx.Tx) (err error) {
		if total, err = count(ctx, tx, who, l); err != nil || l.Limit == 0 {
			return err
		}
		all, err = numbered(ctx, tx, who, l)
		return err
	})
	return all, total, err
}

func (s *Service) read(ctx context.Context, who access.Actor, fn func(pgx.Tx) error) error {
	if err := access.Check(who, access.ReadLearner); err != nil {
		return err
	}
	return s.DB.Snapshot(ctx, who, fn)
}
