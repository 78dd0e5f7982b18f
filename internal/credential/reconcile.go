package credential

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/pg"
)

// Mended is what a reconciliation did.
type Mended struct {
	Finished  int // drafts that a process that ended had left
	Discarded int // drafts that something else had overtaken
	Issued    int // credentials of awards that had none
	Revoked   int // credentials of awards that were withdrawn
}

// Zero reports whether nothing was to be done.
func (m Mended) Zero() bool { return m == Mended{} }

// The bounds of a reconciliation.
const (
	leftAfter = time.Minute // a draft that is older is nobody's any more
	atOnceMax = 200         // credentials that are worked on together
)

// Reconcile does what a process that ended left undone: it finishes drafts or
// discards them, issues what the policy wants issued, and revokes what was
// withdrawn. It may run at any time and beside others; running it again changes
// nothing. Only the service's own work runs it.
func (s *Service) Reconcile(ctx context.Context, who access.Actor) (Mended, error) {
	var m Mended
	if err := access.Check(who, access.Reconcile); err != nil {
		return m, err
	}
	return m, errors.Join(s.finishDrafts(ctx, who, &m), s.issueMissing(ctx, who, &m), s.revokeWithdrawn(ctx, who, nil, &m))
}

// finishDrafts takes up the drafts of badges that were left.
func (s *Service) finishDrafts(ctx context.Context, who access.Actor, m *Mended) error {
	for after := ID(""); ; {
		var left []Credential
		err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
			left, err = leftDrafts(ctx, tx, who, OfAchievement, after, s.Now().Add(-leftAfter))
			return err
		})
		if err != nil || len(left) == 0 {
			return err
		}
		after = left[len(left)-1].ID
		if err := s.finish(ctx, who, left, m); err != nil {
			return err
		}
	}
}

func (s *Service) finish(ctx context.Context, who access.Actor, left []Credential, m *Mended) error {
	drafts, err := s.redraft(ctx, who, left)
	if err != nil {
		return err
	}
	sealed := map[ID]bool{}
	for _, d := range drafts { // one by one: one that cannot be finished holds up no other
		all, err := s.Seal(ctx, who, []Draft{d}, nil)
		if err != nil {
			if _, err := row(err, "", 0); err != nil {
				return err
			}
			continue
		}
		sealed[all[0].ID] = true
	}
	var ids []ID
	for _, c := range left {
		if sealed[c.ID] {
			m.Finished++
			continue
		}
		ids = append(ids, c.ID)
	}
	n, err := s.Discard(ctx, who, ids)
	m.Discarded += n
	return err
}

// redraft is what drafts that were left would say today. Those of awards that
// were withdrawn say nothing.
func (s *Service) redraft(ctx context.Context, who access.Actor, left []Credential) ([]Draft, error) {
	ids, until := make([]assertion.ID, len(left)), map[assertion.ID]*time.Time{}
	for i, c := range left {
		ids[i], until[*c.AssertionID] = *c.AssertionID, c.ValidUntil
	}
	drafts, err := s.draftsByID(ctx, who, ids)
	for i := range drafts {
		drafts[i].ValidUntil = until[*drafts[i].AssertionID]
	}
	return drafts, err
}

// draftsByID are the drafts of those assertions that stand.
func (s *Service) draftsByID(ctx context.Context, who access.Actor, ids []assertion.ID) ([]Draft, error) {
	var drafts []Draft
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		found, err := assertion.ByIDsInTx(ctx, tx, who, ids)
		if err != nil {
			return err
		}
		var standing []assertion.Assertion
		var learners []learner.ID
		for _, a := range found {
			if a.WithdrawnAt == nil {
				standing, learners = append(standing, a), append(learners, a.LearnerID)
			}
		}
		people, err := learner.ByIDsInTx(ctx, tx, who, learners)
		if err != nil {
			return err
		}
		drafts, err = s.draftsOf(ctx, tx, who, people, standing)
		return err
	})
	return drafts, err
}

// Discard gives up drafts that were left: nothing was signed for anybody under
// their ids, and nothing will be. Their places in the status list stay taken.
func (s *Service) Discard(ctx context.Context, who access.Actor, ids []ID) (int, error) {
	if err := access.Check(who, access.Reconcile); err != nil {
		return 0, err
	}
	if len(ids) == 0 {
		return 0, nil
	}
	var n int
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		done, err := tx.Exec(ctx, `
			update credential set state = 'discarded', draft = null
			where institution_id = @institution and id = any(@ids) and state = 'drafted' and drafted_at < @before`,
			pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "before": pg.Instant(s.Now().Add(-leftAfter))})
		if n = int(done.RowsAffected()); err != nil || n == 0 {
			return err
		}
		return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.Issue, Target: string(ids[0]), Detail: map[string]any{"discarded": ids}})
	})
	return n, err
}

// LeftRecords are the learners for whom a draft of a record, or of a summary in
// one, was left, with those drafts.
func (s *Service) LeftRecords(ctx context.Context, who access.Actor) (map[learner.ID][]Credential, error) {
	if err := access.Check(who, access.Reconcile); err != nil {
		return nil, err
	}
	all := map[learner.ID][]Credential{}
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		for _, kind := range []string{OfRecord, OfSummary} {
			left, err := leftDrafts(ctx, tx, who, kind, "", s.Now().Add(-leftAfter))
			if err != nil {
				return err
			}
			for _, c := range left {
				all[c.LearnerID] = append(all[c.LearnerID], c)
			}
		}
		return nil
	})
	return all, err
}

// IssueAwarded issues the credentials of assertions that were just recorded, if
// that is the institution's policy.
func (s *Service) IssueAwarded(ctx context.Context, who access.Actor, ids []assertion.ID) (int, error) {
	if err := access.Check(who, access.Issue); err != nil {
		return 0, err
	}
	p, err := s.Policy(ctx, who)
	if err != nil || !p.IssueOnAward {
		return 0, err
	}
	drafts, err := s.draftsByID(ctx, who, ids)
	if err != nil {
		return 0, err
	}
	return s.sealEach(ctx, who, drafts)
}

// sealEach seals drafts together, or one by one when they cannot be sealed
// together. What cannot be signed is left for somebody to correct.
func (s *Service) sealEach(ctx context.Context, who access.Actor, drafts []Draft) (int, error) {
	n := 0
	for len(drafts) > 0 {
		some := drafts[:min(len(drafts), atOnceMax)]
		drafts = drafts[len(some):]
		_, err := s.Seal(ctx, who, some, nil)
		if err == nil {
			n += len(some)
			continue
		}
		if _, err := row(err, "", 0); err != nil {
			return n, err
		}
		for _, d := range some {
			if _, err := s.Seal(ctx, who, []Draft{d}, nil); err == nil {
				n++
			} else if f, ok := fault.Of(err); !ok || f.Kind != fault.Invalid {
				return n, err
			}
		}
	}
	return n, nil
}

// issueMissing issues what the policy wants and no event led to.
func (s *Service) issueMissing(ctx context.Context, who access.Actor, m *Mended) error {
	p, err := s.Policy(ctx, who)
	if err != nil || !p.IssueOnAward {
		return err
	}
	for after := assertion.ID(""); ; {
		var ids []assertion.ID
		err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
			ids, err = unissued(ctx, tx, who, after, *p.UpdatedAt)
			return err
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		after = ids[len(ids)-1]
		drafts, err := s.draftsByID(ctx, who, ids)
		if err != nil {
			return err
		}
		n, err := s.sealEach(ctx, who, drafts)
		m.Issued += n
		if err != nil {
			return err
		}
	}
}

// RevokeWithdrawn revokes the credentials of an assertion that was withdrawn.
func (s *Service) RevokeWithdrawn(ctx context.Context, who access.Actor, a assertion.ID) (int, error) {
	if err := access.Check(who, access.Revoke); err != nil {
		return 0, err
	}
	var m Mended
	err := s.revokeWithdrawn(ctx, who, &a, &m)
	return m.Revoked, err
}

// revokeWithdrawn revokes the credentials of withdrawn assertions, of one or of
// all.
func (s *Service) revokeWithdrawn(ctx context.Context, who access.Actor, only *assertion.ID, m *Mended) error {
	for {
		n := 0
		err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
			all, err := ofWithdrawn(ctx, tx, who, only)
			if err != nil {
				return err
			}
			for _, c := range all {
				_, err := s.changeOne(ctx, tx, who, string(c.id), Revocation{Cause: Withdrawn, Reason: c.reason}.decide)
				if f, ok := fault.Of(err); ok && f.Kind == fault.State {
					continue // somebody else was faster
				}
				if err != nil {
					return err
				}
				n++
			}
			return nil
		})
		m.Revoked += n
		if err != nil || n == 0 {
			return err
		}
	}
}

// leftDrafts are drafts from before an instant, in the order of their ids.
func leftDrafts(ctx context.Context, tx pgx.Tx, who access.Actor, kind string, after ID, before time.Time) ([]Credential, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from credential c
		where c.institution_id = @institution and c.kind = @kind and c.state = 'drafted' and c.drafted_at < @before and c.id > @after
		order by c.id
		limit @limit`, pgx.NamedArgs{"institution": who.InstitutionID, "kind": kind, "before": pg.Instant(before), "after": after, "limit": atOnceMax})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Credential])
}

// unissued are assertions, recorded since an instant, that stand and have no
// credential.
func unissued(ctx context.Context, tx pgx.Tx, who access.Actor, after assertion.ID, since time.Time) ([]assertion.ID, error) {
	rows, _ := tx.Query(ctx, `
		select a.id
		from assertion a
		where a.institution_id = @institution and a.withdrawn_at is null and a.recorded_at >= @since and a.id > @after
		  and not exists (select from credential c where c.institution_id = a.institution_id and c.assertion_id = a.id and c.state <> 'discarded')
		order by a.id
		limit @limit`, pgx.NamedArgs{"institution": who.InstitutionID, "since": since, "after": after, "limit": atOnceMax})
	return pgx.CollectRows(rows, pgx.RowTo[assertion.ID])
}

// taken is a credential of a withdrawn award, with the reason of that.
type taken struct {
	id     ID
	reason string
}

func ofWithdrawn(ctx context.Context, tx pgx.Tx, who access.Actor, only *assertion.ID) ([]taken, error) {
	rows, err := tx.Query(ctx, `
		select c.id, a.withdrawn_reason
		from assertion a
		join credential c on c.institution_id = a.institution_id and c.assertion_id = a.id
		where a.institution_id = @institution and a.withdrawn_at is not null and (@only::text is null or a.id = @only)
		  and c.state = 'issued' and c.status <> 'revoked'
		order by c.id
		limit @limit`, pgx.NamedArgs{"institution": who.InstitutionID, "only": only, "limit": atOnceMax})
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (t taken, err error) {
		err = r.Scan(&t.id, &t.reason)
		return t, err
	})
}
