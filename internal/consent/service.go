package consent

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/wording"
)

// Service keeps what learners allowed and what is directory information.
type Service struct {
	DB    *pg.DB
	Now   func() time.Time
	NewID id.Source
}

// Give records a consent: a learner's own, or one that a registrar holds on
// paper. NotFound for a learner that the actor may not see.
func (s *Service) Give(ctx context.Context, who access.Actor, g Grant) (Consent, error) {
	if err := access.Check(who, access.GiveConsent); err != nil {
		return Consent{}, err
	}
	var c Consent
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if c, err = GiveInTx(ctx, tx, who, pg.Instant(s.Now()), s.NewID, g); err != nil {
			return err
		}
		return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.GiveConsent, Target: string(c.ID),
			Detail: map[string]any{"learner": c.LearnerID, "scope": c.Scope, "method": c.Method}})
	})
	return c, err
}

// GiveInTx records a consent in another noun's transaction, which writes the
// line of the audit.
func GiveInTx(ctx context.Context, tx pgx.Tx, who access.Actor, now time.Time, newID id.Source, g Grant) (Consent, error) {
	l, err := learner.InTx(ctx, tx, who, g.LearnerID)
	if err != nil {
		return Consent{}, err
	}
	if no := g.check(who.Has(access.Learner) && who.LearnerID == string(l.ID), now); no != nil {
		return Consent{}, no
	}
	in, err := institution.InTx(ctx, tx, who)
	if err != nil {
		return Consent{}, err
	}
	c := Consent{ID: ID(newID("cns")), LearnerID: l.ID, Scope: g.Scope, Items: g.Items, Purpose: g.Purpose, Party: g.Party, Open: g.Open, Language: g.Language,
		TextVersion: TextVersion, Statement: Statement(in.Name, g), Method: g.Method, SignedAt: now, ExpiresAt: g.ExpiresAt, RecordedAt: now, RecordedBy: who.ID}
	if c.Items == nil {
		c.Items = []string{}
	}
	if g.SignedOn != nil {
		c.SignedAt = g.SignedOn.Midnight()
	}
	if err := lock(ctx, tx, who, l.ID); err != nil {
		return c, err
	}
	if err := insert(ctx, tx, who, c); err != nil {
		return c, err
	}
	return c, refresh(ctx, tx, who, l.ID, now)
}

// Withdraw ends a consent from now on. State when it was withdrawn before.
func (s *Service) Withdraw(ctx context.Context, who access.Actor, consent, reason string) (Consent, error) {
	if err := access.Check(who, access.GiveConsent); err != nil {
		return Consent{}, err
	}
	reason, no := wording.Lines("reason", reason, maxReason)
	if no != nil {
		return Consent{}, no
	}
	var c Consent
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		now := pg.Instant(s.Now())
		if c, err = WithdrawInTx(ctx, tx, who, now, ID(consent), reason); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.GiveConsent, Target: string(c.ID), Detail: map[string]any{"learner": c.LearnerID, "withdrawn": true}})
	})
	return c, err
}

// WithdrawInTx is Withdraw in another noun's transaction, which writes the line
// of the audit.
func WithdrawInTx(ctx context.Context, tx pgx.Tx, who access.Actor, now time.Time, consent ID, reason string) (Consent, error) {
	c, err := find(ctx, tx, who, consent)
	if err != nil {
		return c, err
	}
	if err := lock(ctx, tx, who, c.LearnerID); err != nil {
		return c, err
	}
	if c, err = find(ctx, tx, who, consent); err != nil { // as it is now that we have the lock
		return c, err
	}
	if c.WithdrawnAt != nil {
		return c, &fault.Error{Kind: fault.State, Field: "id", Rule: "not-withdrawn", Message: "This consent was withdrawn already."}
	}
	c.WithdrawnAt, c.WithdrawnBy = &now, &who.ID
	if reason != "" {
		c.Withdrawal = &reason
	}
	if err := insertWithdrawal(ctx, tx, who, c); err != nil {
		return c, err
	}
	return c, refresh(ctx, tx, who, c.LearnerID, now)
}

// Preview is what a learner would agree to, word for word, with a number of
// chosen credentials, or what is wrong with the grant. Nothing is kept.
func (s *Service) Preview(ctx context.Context, who access.Actor, items int, g Grant) (string, error) {
	if err := access.Check(who, access.ReadRelease); err != nil {
		return "", err
	}
	if g.Scope != ToSearch {
		g.Items = make([]string, max(1, min(items, maxItems+1)))
	}
	if no := g.check(true, s.Now()); no != nil {
		return "", no
	}
	var text string
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		in, err := institution.InTx(ctx, tx, who)
		text = Statement(in.Name, g)
		return err
	})
	return text, err
}

// Find is one consent by id.
func (s *Service) Find(ctx context.Context, who access.Actor, consent string) (Consent, error) {
	var c Consent
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		c, err = find(ctx, tx, who, ID(consent))
		return err
	})
	return c, err
}

// ByIDs are consents by id.
func (s *Service) ByIDs(ctx context.Context, who access.Actor, ids []ID) (map[ID]Consent, error) {
	all := make(map[ID]Consent, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := byIDs(ctx, tx, who, ids)
		for _, c := range rows {
			all[c.ID] = c
		}
		return err
	})
	return all, err
}

// OfLearners are the consents of each learner, newest first, one page of each.
func (s *Service) OfLearners(ctx context.Context, who access.Actor, ids []learner.ID, a page.Args) (map[learner.ID]page.Connection[Consent], error) {
	limit, after, _, err := page.Start[page.Moment](a)
	if err != nil {
		return nil, err
	}
	var out map[learner.ID]page.Connection[Consent]
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := ofLearners(ctx, tx, who, ids, after, limit+1)
		out = page.Each(ids, rows, limit, a, func(c Consent) learner.ID { return c.LearnerID }, func(c Consent) page.Moment { return page.Moment{At: c.RecordedAt, ID: string(c.ID)} })
		return err
	})
	return out, err
}

// StandingsOf are what may be told of each learner now.
func (s *Service) StandingsOf(ctx context.Context, who access.Actor, ids []learner.ID) (map[learner.ID]Standing, error) {
	var all map[learner.ID]Standing
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		all, err = StandingsInTx(ctx, tx, who, ids)
		return err
	})
	return all, err
}

// StandingsInTx is StandingsOf in the transaction of a disclosure: what is true
// at the moment that something is told.
func StandingsInTx(ctx context.Context, tx pgx.Tx, who access.Actor, ids []learner.ID) (map[learner.ID]Standing, error) {
	rows, err := standings(ctx, tx, who, ids)
	all := make(map[learner.ID]Standing, len(rows))
	for _, r := range rows {
		all[r.LearnerID] = r
	}
	return all, err
}

// Choose blocks directory information of a learner, or allows it again. It
// holds until the learner says otherwise, also after they have left. Saying what
// holds already changes nothing.
func (s *Service) Choose(ctx context.Context, who access.Actor, name string, blocked bool, reason string) (learner.Learner, error) {
	var l learner.Learner
	if err := access.Check(who, access.GiveConsent); err != nil {
		return l, err
	}
	reason, no := wording.Lines("reason", reason, maxReason)
	if no != nil {
		return l, no
	}
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if l, err = learner.InTx(ctx, tx, who, name); err != nil {
			return err
		}
		if err := lock(ctx, tx, who, l.ID); err != nil {
			return err
		}
		now := pg.Instant(s.Now())
		is, err := StandingsInTx(ctx, tx, who, []learner.ID{l.ID})
		if err != nil || is[l.ID].Blocked == blocked {
			return err
		}
		if err := insertChoice(ctx, tx, who, Choice{LearnerID: l.ID, Blocked: blocked, At: now, ByID: who.ID, Reason: reason}); err != nil {
			return err
		}
		if err := refresh(ctx, tx, who, l.ID, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.GiveConsent, Target: string(l.ID), Detail: map[string]any{"directoryBlocked": blocked}})
	})
	return l, err
}

// BlockedInTx reports whether a learner had blocked directory information at an
// instant.
func BlockedInTx(ctx context.Context, tx pgx.Tx, who access.Actor, l learner.ID, at time.Time) (bool, error) {
	all, err := choicesOf(ctx, tx, who, []learner.ID{l})
	for _, c := range all { // the newest first
		if !c.At.After(at) {
			return c.Blocked, err
		}
	}
	return false, err
}

// ChoicesOf are the directory choices of each learner, newest first.
func (s *Service) ChoicesOf(ctx context.Context, who access.Actor, ids []learner.ID) (map[learner.ID][]Choice, error) {
	all := make(map[learner.ID][]Choice, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := choicesOf(ctx, tx, who, ids)
		for _, c := range rows {
			all[c.LearnerID] = append(all[c.LearnerID], c)
		}
		return err
	})
	return all, err
}

// Designation is a notice to be published.
type Designation struct {
	Categories  []string
	Where       string
	EffectiveOn *day.Date // nil: today
}

// Designate makes categories directory information from a day on, as a public
// notice says. It replaces what was designated before.
func (s *Service) Designate(ctx context.Context, who access.Actor, d Designation) (Notice, error) {
	if err := access.Check(who, access.DesignateDirectory); err != nil {
		return Notice{}, err
	}
	for i, c := range d.Categories {
		if !slices.Contains(Categories(), c) {
			return Notice{}, fault.At("categories", "category-known", "%q is not a category of directory information.", c)
		}
		if slices.Contains(d.Categories[:i], c) {
			return Notice{}, fault.At("categories", "once", "%q is named twice.", c)
		}
	}
	where, no := wording.Line("where", d.Where, maxReason)
	if no != nil {
		return Notice{}, no
	}
	now := pg.Instant(s.Now())
	n := Notice{Categories: slices.Clone(d.Categories), Where: where, EffectiveOn: day.On(now), PublishedAt: now, PublishedBy: who.ID}
	if n.Categories == nil {
		n.Categories = []string{}
	}
	slices.Sort(n.Categories)
	if d.EffectiveOn != nil {
		n.EffectiveOn = *d.EffectiveOn
	}
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		if err := insertNotice(ctx, tx, who, &n); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.DesignateDirectory, Target: who.InstitutionID,
			Detail: map[string]any{"notice": n.Version, "categories": n.Categories}})
	})
	if pg.Constraint(err) == "directory_notice_pkey" {
		err = &fault.Error{Kind: fault.Conflict, Rule: "version", Message: "Somebody else published a notice at this moment. Read it and decide."}
	}
	return n, err
}

// Notices are what was designated, newest first. They are public.
func (s *Service) Notices(ctx context.Context, who access.Actor) ([]Notice, error) {
	if err := access.Check(who, access.ReadProfile); err != nil {
		return nil, err
	}
	var all []Notice
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
		all, err = notices(ctx, tx, who)
		return err
	})
	return all, err
}

// NoticeInTx is the notice that counts on a day; without one nothing is
// directory information.
func NoticeInTx(ctx context.Context, tx pgx.Tx, who access.Actor, on day.Date) (Notice, error) {
	all, err := notices(ctx, tx, who)
	for _, n := range all {
		if !n.EffectiveOn.After(on) {
			return n, err
		}
	}
	return Notice{}, err
}

func (s *Service) read(ctx context.Context, who access.Actor, fn func(pgx.Tx) error) error {
	if err := access.Check(who, access.ReadRelease); err != nil {
		return err
	}
	return s.DB.Snapshot(ctx, who, fn)
}
