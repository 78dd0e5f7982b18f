// Package release is what the institution holds back of a learner's records,
// and why: institutional holds, for the whole record or for payment periods.
//
// A hold says nothing about a credential, which stays valid; it says that the
// institution does not hand it out. Holds are added and lifted, never changed.
//
// What a hold reaches is whatever the institution signed and would hand out anew,
// to the learner or to others: badges and records, as files, by every API, in
// prints and exports of a record, by new links and by orders. A hold of everything
// reaches all of it. One that names payment periods reaches each award of these,
// and each record, summary and print that tells of one of them; the rest goes out.
// A link that was given out before shows what is not held back, and the rest again
// when the hold is lifted. Not reached are what was handed out before; what
// learners look at of their own, on pages and as data, which is theirs to inspect
// (34 CFR 99.10); what others issued and the learner brought; and whoever works at
// the institution, but for what is their own.
//
// Signed bytes come out of the nouns Sealed and are opened with what HandOut gives:
// it asks for holds and writes the account in one transaction, so no way out can
// forget either. Law: 34 CFR 668.14(b)(33) and (34): what was earned in payment
// periods that were paid for is released on request, so a hold for money names the
// periods. Standard: PESC TranscriptResponse, HoldReason.
package release

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/event"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/wording"
)

// ID names a hold: hld_ and text.
type ID string

// The reasons of a hold, as PESC names them.
const (
	Financial       = "financial"
	TranscriptFee   = "transcript_fee"
	RequestedAction = "requested_action" // the learner has to do something first
	Other           = "other"
)

// Hold is something that keeps records from being handed out.
type Hold struct {
	ID        ID
	LearnerID learner.ID
	Reason    string
	Terms     []string // the payment periods that are held back; none: everything
	Note      string   // what the learner can do about it
	PlannedOn *day.Date
	PlacedAt  time.Time
	PlacedBy  string
	LiftedAt  *time.Time
	LiftedBy  *string
	Lift      *string // why it was lifted
}

// Open reports whether the hold was not lifted.
func (h Hold) Open() bool { return h.LiftedAt == nil }

// Withholds reports whether what was earned in a term is held back.
func (h Hold) Withholds(term string) bool {
	return h.Open() && (len(h.Terms) == 0 || slices.Contains(h.Terms, term))
}

// Withheld is the first of the holds that keeps something that tells of these
// terms, or nil; without any it tells of none, and only a hold of everything
// keeps it.
func Withheld(holds []Hold, terms ...string) *Hold {
	for i := range holds {
		if holds[i].Withholds("") || slices.ContainsFunc(terms, holds[i].Withholds) {
			return &holds[i]
		}
	}
	return nil
}

// Placement is a hold to be placed.
type Placement struct {
	LearnerID string
	Reason    string
	Terms     []string
	Note      string
	PlannedOn *day.Date
}

// The limits of a placement.
const (
	maxNote  = 500
	maxTerms = 100
	maxTerm  = 100
)

func (p *Placement) check() (no *fault.Error) {
	if !slices.Contains([]string{Financial, TranscriptFee, RequestedAction, Other}, p.Reason) {
		return fault.At("reason", "reason-known", "%q is not a reason for a hold.", p.Reason)
	}
	if p.Note, no = wording.Lines("note", p.Note, maxNote); no != nil {
		return no
	}
	if len(p.Terms) > maxTerms {
		return fault.At("terms", "too-many", "A hold names at most %d payment periods.", maxTerms)
	}
	p.Terms = slices.Clone(p.Terms)
	for i, t := range p.Terms {
		if p.Terms[i], no = wording.Line("terms", t, maxTerm); no != nil {
			return no
		}
	}
	if p.Reason == Financial && len(p.Terms) == 0 && p.Note == "" {
		return fault.At("terms", "payment-periods", "Name the payment periods that are not paid for: what was earned in the others is released on request (34 CFR 668.14(b)(34)). If none was paid for, say so in the note.")
	}
	return nil
}

// Service keeps holds.
type Service struct {
	DB     *pg.DB
	Now    func() time.Time
	NewID  id.Source
	Outbox *event.Outbox
}

// Place holds a learner's records back from now on. What has been handed out
// stays where it is; links to it show nothing until the hold is lifted.
func (s *Service) Place(ctx context.Context, who access.Actor, p Placement) (Hold, error) {
	if err := access.Check(who, access.ManageHolds); err != nil {
		return Hold{}, err
	}
	if no := p.check(); no != nil {
		return Hold{}, no
	}
	now := pg.Instant(s.Now())
	h := Hold{ID: ID(s.NewID("hld")), Reason: p.Reason, Terms: p.Terms, Note: p.Note, PlannedOn: p.PlannedOn, PlacedAt: now, PlacedBy: who.ID}
	if h.Terms == nil {
		h.Terms = []string{}
	}
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		l, err := learner.InTx(ctx, tx, who, p.LearnerID)
		if err != nil {
			return err
		}
		h.LearnerID = l.ID
		if err := insert(ctx, tx, who, h); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.ManageHolds, Target: string(h.ID),
			Detail: map[string]any{"learner": h.LearnerID, "placed": h.Reason, "terms": h.Terms}})
	})
	return h, err
}

// Lift ends a hold; orders that waited for it go out without being ordered
// again. State when it was lifted before.
func (s *Service) Lift(ctx context.Context, who access.Actor, hold, reason string) (Hold, error) {
	if err := access.Check(who, access.ManageHolds); err != nil {
		return Hold{}, err
	}
	reason, no := wording.Lines("reason", reason, maxNote)
	if no == nil && strings.TrimSpace(reason) == "" {
		no = fault.At("reason", "required", "Say why the hold is lifted: it is kept with it.")
	}
	if no != nil {
		return Hold{}, no
	}
	var h Hold
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		all, err := byIDs(ctx, tx, who, []ID{ID(hold)})
		if err == nil && len(all) == 0 {
			err = fault.Missing("hold")
		}
		if err != nil {
			return err
		}
		if h = all[0]; !h.Open() {
			return lifted(nil)
		}
		now := pg.Instant(s.Now())
		h.LiftedAt, h.LiftedBy, h.Lift = &now, &who.ID, &reason
		if err := insertLift(ctx, tx, who, h); err != nil {
			return err
		}
		if err := s.Outbox.Emit(ctx, tx, event.HoldLifted{InstitutionID: who.InstitutionID, LearnerID: string(h.LearnerID)}); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.ManageHolds, Target: string(h.ID), Detail: map[string]any{"learner": h.LearnerID, "lifted": true}})
	})
	if pg.Constraint(err) == "release_hold_lift_pkey" {
		err = lifted(err)
	}
	return h, err
}

func lifted(err error) *fault.Error {
	return &fault.Error{Kind: fault.State, Field: "id", Rule: "open", Message: "This hold was lifted already.", Err: err}
}

// ByIDs are holds by id.
func (s *Service) ByIDs(ctx context.Context, who access.Actor, ids []ID) (map[ID]Hold, error) {
	all := make(map[ID]Hold, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := byIDs(ctx, tx, who, ids)
		for _, h := range rows {
			all[h.ID] = h
		}
		return err
	})
	return all, err
}

// OfLearners are the holds of each learner, newest first, those that were lifted
// too, one page of each.
func (s *Service) OfLearners(ctx context.Context, who access.Actor, ids []learner.ID, a page.Args) (map[learner.ID]page.Connection[Hold], error) {
	limit, after, _, err := page.Start[page.Moment](a)
	if err != nil {
		return nil, err
	}
	var out map[learner.ID]page.Connection[Hold]
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := ofLearners(ctx, tx, who, ids, after, limit+1)
		out = page.Each(ids, rows, limit, a, func(h Hold) learner.ID { return h.LearnerID }, keyOf)
		return err
	})
	return out, err
}

// The states of a hold, for a filter.
const (
	StateOpen   = "open"
	StateLifted = "lifted"
)

// Filter narrows a list.
type Filter struct {
	State  *string // open or lifted
	Reason *string
	Term   *string // of what is kept back: holds that name it, and those of everything
}

// List is what is held back, newest first: registrars see all, learners their
// own.
func (s *Service) List(ctx context.Context, who access.Actor, f Filter, a page.Args) (page.Connection[Hold], error) {
	var c page.Connection[Hold]
	limit, after, _, err := page.Start[page.Moment](a)
	if err != nil {
		return c, err
	}
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := list(ctx, tx, who, f, after, limit+1)
		c = page.Of(rows, limit, a, keyOf)
		return err
	})
	return c, err
}

func keyOf(h Hold) page.Moment { return page.Moment{At: h.PlacedAt, ID: string(h.ID)} }

func (s *Service) read(ctx context.Context, who access.Actor, fn func(pgx.Tx) error) error {
	if err := access.Check(who, access.ReadRelease); err != nil {
		return err
	}
	return s.DB.Snapshot(ctx, who, fn)
}

const columns = `h.id, h.learner_id, h.reason, h.terms, h.note, h.planned_on, h.placed_at, h.placed_by, f.lifted_at, f.lifted_by, f.reason as lift`

func insert(ctx context.Context, tx pgx.Tx, who access.Actor, h Hold) error {
	_, err := tx.Exec(ctx, `
		insert into release_hold (institution_id, id, learner_id, reason, terms, note, planned_on, placed_at, placed_by)
		values (@institution, @id, @learner, @reason, @terms, @note, @planned, @placed, @by)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": h.ID, "learner": h.LearnerID, "reason": h.Reason, "terms": h.Terms, "note": h.Note,
			"planned": h.PlannedOn, "placed": h.PlacedAt, "by": h.PlacedBy})
	return err
}

func insertLift(ctx context.Context, tx pgx.Tx, who access.Actor, h Hold) error {
	_, err := tx.Exec(ctx, `
		insert into release_hold_lift (institution_id, hold_id, learner_id, lifted_at, lifted_by, reason)
		values (@institution, @hold, @learner, @at, @by, @reason)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "hold": h.ID, "learner": h.LearnerID, "at": h.LiftedAt, "by": h.LiftedBy, "reason": h.Lift})
	return err
}

func byIDs(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Hold, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from release_hold h
		left join release_hold_lift f on f.institution_id = h.institution_id and f.hold_id = h.id
		where h.institution_id = @institution and h.id = any(@ids) and (@only::text is null or h.learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Hold])
}

func ofLearners(ctx context.Context, tx pgx.Tx, who access.Actor, ids []learner.ID, before page.Moment, limit int) ([]Hold, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from unnest(@ids::text[]) as k (id)
		cross join lateral (
			select * from release_hold
			where institution_id = @institution and learner_id = k.id and (@only::text is null or learner_id = @only)
			  and (@before::timestamptz is null or (placed_at, id) < (@before, @id))
			order by placed_at desc, id desc
			limit @limit) as h
		left join release_hold_lift f on f.institution_id = h.institution_id and f.hold_id = h.id
		order by k.id, h.placed_at desc, h.id desc`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner(), "before": before.When(), "id": before.ID, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Hold])
}

func list(ctx context.Context, tx pgx.Tx, who access.Actor, f Filter, before page.Moment, limit int) ([]Hold, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from release_hold h
		left join release_hold_lift f on f.institution_id = h.institution_id and f.hold_id = h.id
		where h.institution_id = @institution and (@only::text is null or h.learner_id = @only)
		  and (@state::text is null or (f.hold_id is null) = (@state = 'open'))
		  and (@reason::text is null or h.reason = @reason)
		  and (@term::text is null or h.terms = '{}' or @term = any(h.terms))
		  and (@before::timestamptz is null or (h.placed_at, h.id) < (@before, @id))
		order by h.placed_at desc, h.id desc
		limit @limit`,
		pgx.NamedArgs{"institution": who.InstitutionID, "only": who.OnlyLearner(), "state": f.State, "reason": f.Reason, "term": f.Term,
			"before": before.When(), "id": before.ID, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Hold])
}

// InTx are a learner's open holds, oldest first, in the transaction that hands
// something out.
func InTx(ctx context.Context, tx pgx.Tx, who access.Actor, l learner.ID) ([]Hold, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from release_hold h
		left join release_hold_lift f on f.institution_id = h.institution_id and f.hold_id = h.id
		where h.institution_id = @institution and h.learner_id = @learner and f.hold_id is null
		order by h.placed_at, h.id`, pgx.NamedArgs{"institution": who.InstitutionID, "learner": l})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Hold])
}
