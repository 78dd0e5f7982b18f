package credential

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/event"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/once"
	"github.com/testamur/testamur/internal/pg"
)

// The causes of a revocation.
const (
	IssuedInError  = "issued_in_error"
	Withdrawn      = "withdrawn"  // the award was taken back
	Superseded     = "superseded" // another credential stands in its place
	KeyCompromised = "key_compromised"
	Misconduct     = "misconduct"
	Other          = "other"
)

// The kinds of events.
const (
	WasSuspended  = "suspended"
	WasLifted     = "lifted"
	WasRevoked    = "revoked"
	WasSuperseded = "superseded"
)

// Event is something that happened to a credential after it was issued.
type Event struct {
	Kind   string
	At     time.Time
	ByID   string
	Cause  *string // of a revocation
	Reason string  // in the words of who did it; may be empty where the service did
}

// maxReason is the longest reason in bytes.
const maxReason = 2000

// Revocation takes a credential back for good.
type Revocation struct {
	Cause  string
	Reason string
}

func (r Revocation) check() *fault.Error {
	switch r.Cause {
	case IssuedInError, Withdrawn, Superseded, KeyCompromised, Misconduct, Other:
		return checkReason(r.Reason)
	}
	return fault.At("cause", "cause-known", "%q is not a cause of a revocation.", r.Cause)
}

func checkReason(reason string) *fault.Error {
	if strings.TrimSpace(reason) == "" {
		return fault.At("reason", "required", "Say why: it is kept with the credential.")
	}
	if len(reason) > maxReason {
		return fault.At("reason", "too-long", "A reason has at most %d bytes.", maxReason)
	}
	return nil
}

// Revoke takes a credential back for good. Within a minute everyone can see in
// its status list that it is not to be relied on. State when it was revoked
// before, or never issued.
func (s *Service) Revoke(ctx context.Context, who access.Actor, key *string, credential string, r Revocation) (Credential, error) {
	if err := r.check(); err != nil {
		return Credential{}, err
	}
	return s.change(ctx, who, key, "revokeCredential", credential, r, r.decide)
}

func (r Revocation) decide(c *Credential) (Event, *fault.Error) {
	if c.Status == Revoked {
		return Event{}, &fault.Error{Kind: fault.State, Field: "id", Rule: "not-revoked", Message: "This credential was revoked already, and stays revoked."}
	}
	c.Status = Revoked
	return Event{Kind: WasRevoked, Cause: &r.Cause, Reason: r.Reason}, nil
}

// Suspend says that a credential is not to be relied on until it is lifted.
// State when it does not stand.
func (s *Service) Suspend(ctx context.Context, who access.Actor, key *string, credential, reason string) (Credential, error) {
	if err := checkReason(reason); err != nil {
		return Credential{}, err
	}
	return s.change(ctx, who, key, "suspendCredential", credential, reason, func(c *Credential) (Event, *fault.Error) {
		if c.Status != Active {
			return Event{}, &fault.Error{Kind: fault.State, Field: "id", Rule: "active", Message: "This credential is " + c.Status + " already."}
		}
		c.Status = Suspended
		return Event{Kind: WasSuspended, Reason: reason}, nil
	})
}

// Lift ends a suspension. State when there is none.
func (s *Service) Lift(ctx context.Context, who access.Actor, key *string, credential, reason string) (Credential, error) {
	if err := checkReason(reason); err != nil {
		return Credential{}, err
	}
	return s.change(ctx, who, key, "liftSuspension", credential, reason, func(c *Credential) (Event, *fault.Error) {
		if c.Status != Suspended {
			return Event{}, &fault.Error{Kind: fault.State, Field: "id", Rule: "suspended", Message: "This credential is not suspended: it is " + c.Status + "."}
		}
		c.Status = Active
		return Event{Kind: WasLifted, Reason: reason}, nil
	})
}

// change changes the status of one issued credential.
func (s *Service) change(ctx context.Context, who access.Actor, key *string, operation, credential string, input any,
	decide func(*Credential) (Event, *fault.Error)) (Credential, error) {
	if err := access.Check(who, access.Revoke); err != nil {
		return Credential{}, err
	}
	request := once.Request{Key: key, Operation: operation, Input: []any{credential, input}}
	var c Credential
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		target, replay, err := once.Find(ctx, tx, who, request)
		if err != nil {
			return err
		}
		if replay {
			c, err = find(ctx, tx, who, target)
			return err
		}
		if c, err = s.changeOne(ctx, tx, who, credential, decide); err != nil {
			return err
		}
		return once.Keep(ctx, tx, s.Now(), who, request, string(c.ID))
	})
	return c, err
}

// changeOne changes one credential in the caller's transaction.
func (s *Service) changeOne(ctx context.Context, tx pgx.Tx, who access.Actor, credential string, decide func(*Credential) (Event, *fault.Error)) (Credential, error) {
	if err := lock(ctx, tx, who, credential); err != nil {
		return Credential{}, err
	}
	c, err := find(ctx, tx, who, credential)
	if err != nil {
		return c, err
	}
	if c.State != Issued {
		return c, &fault.Error{Kind: fault.State, Field: "id", Rule: "issued", Message: "This credential was never issued."}
	}
	e, no := decide(&c)
	if no != nil {
		return c, no
	}
	e.At, e.ByID = pg.Instant(s.Now()), who.ID
	if err := setStatus(ctx, tx, who, c); err != nil {
		return c, err
	}
	if err := insertEvent(ctx, tx, who, c.ID, c.LearnerID, e); err != nil {
		return c, err
	}
	if err := s.changed(ctx, tx, who, string(c.ID)); err != nil {
		return c, err
	}
	detail := map[string]any{"credential": e.Kind}
	if e.Cause != nil {
		detail["cause"] = *e.Cause
	}
	return c, audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.Revoke, Target: string(c.ID), Detail: detail})
}

// supersede notes on what credentials replace that it was replaced.
func (s *Service) supersede(ctx context.Context, tx pgx.Tx, who access.Actor, sealed []Credential) error {
	var old event.IDs
	for _, c := range sealed {
		if c.Supersedes == nil {
			continue
		}
		old = append(old, string(*c.Supersedes))
		e := Event{Kind: WasSuperseded, At: *c.IssuedAt, ByID: who.ID}
		if err := lock(ctx, tx, who, string(*c.Supersedes)); err != nil {
			return err
		}
		if err := insertEvent(ctx, tx, who, *c.Supersedes, c.LearnerID, e); err != nil {
			return err
		}
	}
	return s.changed(ctx, tx, who, old...)
}

// changed has those told who watch these credentials.
func (s *Service) changed(ctx context.Context, tx pgx.Tx, who access.Actor, ids ...string) error {
	if len(ids) == 0 {
		return nil
	}
	return s.Outbox.Emit(ctx, tx, event.CredentialsChanged{InstitutionID: who.InstitutionID, CredentialIDs: ids})
}

// Reissue asks for a credential to be replaced by a new one that tells what the
// assertion tells now.
type Reissue struct {
	ID         string
	Reason     string
	ValidUntil *time.Time // of the new one; nil: it does not expire
	Keep       bool       // leave the old one standing; otherwise it is revoked as superseded
}

// Reissue replaces a credential, also one that was revoked or has expired. The
// new one says what it supersedes, and the old one by what. State when it was
// replaced before, is suspended, or its award was withdrawn; a record is
// replaced by assembling it again.
func (s *Service) Reissue(ctx context.Context, who access.Actor, key *string, r Reissue) (Credential, error) {
	if err := access.Check(who, access.Issue); err != nil {
		return Credential{}, err
	}
	if err := access.Check(who, access.Revoke); err != nil {
		return Credential{}, err
	}
	if err := checkReason(r.Reason); err != nil {
		return Credential{}, err
	}
	if err := s.checkUntil(r.ValidUntil); err != nil {
		return Credential{}, err
	}
	request := once.Request{Key: key, Operation: "reissueCredential", Input: r}
	var drafts []Draft
	var replayed *Credential
	var old Credential
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
		if old, err = find(ctx, tx, who, r.ID); err != nil {
			return err
		}
		if no := reissuable(old); no != nil {
			return no
		}
		if drafts, err = s.draftOfOne(ctx, tx, who, string(*old.AssertionID), r.ValidUntil); err == nil {
			drafts[0].Supersedes = &old.ID
		}
		return err
	})
	if err != nil || replayed != nil {
		return deref(replayed), err
	}
	all, err := s.Seal(ctx, who, drafts, func(tx pgx.Tx, all []Credential) error {
		if err := s.retire(ctx, tx, who, old.ID, r); err != nil {
			return err
		}
		return once.Keep(ctx, tx, s.Now(), who, request, string(all[0].ID))
	})
	if err != nil {
		return Credential{}, err
	}
	return all[0], nil
}

// retire revokes what was replaced, unless it is to be kept or is revoked.
func (s *Service) retire(ctx context.Context, tx pgx.Tx, who access.Actor, old ID, r Reissue) error {
	c, err := find(ctx, tx, who, string(old)) // locked by supersede
	if err != nil {
		return err
	}
	if c.Status == Suspended { // meanwhile
		c.SupersededBy = nil
		return reissuable(c)
	}
	if r.Keep || c.Status == Revoked {
		return nil
	}
	_, err = s.changeOne(ctx, tx, who, string(old), Revocation{Cause: Superseded, Reason: r.Reason}.decide)
	return err
}

func reissuable(c Credential) *fault.Error {
	no := func(rule, message string) *fault.Error {
		return &fault.Error{Kind: fault.State, Field: "id", Rule: rule, Message: message}
	}
	switch {
	case c.Kind != OfAchievement:
		return no("badge", "A record is not reissued: assemble it again, which gives its next version.")
	case c.State != Issued:
		return no("issued", "This credential was never issued.")
	case c.SupersededBy != nil:
		return no("not-superseded", "This credential was replaced already. Reissue the one that replaced it.")
	case c.Status == Suspended:
		return no("not-suspended", "This credential is suspended. Lift the suspension, or revoke it, before it is replaced.")
	}
	return nil
}

// EventsOf are what happened to each credential, oldest first.
func (s *Service) EventsOf(ctx context.Context, who access.Actor, ids []ID) (map[ID][]Event, error) {
	var all map[ID][]Event
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		all, err = eventsOf(ctx, tx, who, ids)
		return err
	})
	return all, err
}

// lock takes the row of an issued credential until the transaction ends.
func lock(ctx context.Context, tx pgx.Tx, who access.Actor, credential string) error {
	_, err := tx.Exec(ctx, `select from credential where institution_id = @institution and id = @id for no key update`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": credential})
	return err
}

func setStatus(ctx context.Context, tx pgx.Tx, who access.Actor, c Credential) error {
	done, err := tx.Exec(ctx, `update credential set status = @status where institution_id = @institution and id = @id and status <> @status`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": c.ID, "status": c.Status})
	if err == nil && done.RowsAffected() == 0 {
		return fault.Missing("credential")
	}
	return err
}

// insertEvent adds an event behind the last. The credential is locked.
func insertEvent(ctx context.Context, tx pgx.Tx, who access.Actor, c ID, l learner.ID, e Event) error {
	_, err := tx.Exec(ctx, `
		insert into credential_event (institution_id, credential_id, position, learner_id, kind, at, by_id, cause, reason)
		select @institution, @id, coalesce(max(position), 0) + 1, @learner, @kind, @at, @by, @cause, @reason
		from credential_event where institution_id = @institution and credential_id = @id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": c, "learner": l, "kind": e.Kind, "at": e.At, "by": e.ByID, "cause": e.Cause, "reason": e.Reason})
	return err
}

func eventsOf(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) (map[ID][]Event, error) {
	rows, err := tx.Query(ctx, `
		select credential_id, kind, at, by_id, cause, reason
		from credential_event
		where institution_id = @institution and credential_id = any(@ids) and (@only::text is null or learner_id = @only)
		order by credential_id, position`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	if err != nil {
		return nil, err
	}
	all := map[ID][]Event{}
	var id ID
	var e Event
	_, err = pgx.ForEachRow(rows, []any{&id, &e.Kind, &e.At, &e.ByID, &e.Cause, &e.Reason}, func() error {
		all[id] = append(all[id], e)
		e.Cause = nil
		return nil
	})
	return all, err
}
