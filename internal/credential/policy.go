package credential

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/pg"
)

// Policy is what an institution wants done by itself. The zero value is that of
// an institution that never said anything.
type Policy struct {
	IssueOnAward bool       // sign a credential for each award, as soon as it is recorded
	UpdatedAt    *time.Time // since when; awards before it are left as they are
}

// Policy is the institution's.
func (s *Service) Policy(ctx context.Context, who access.Actor) (Policy, error) {
	if err := access.Check(who, access.ReadLearner); err != nil {
		return Policy{}, err
	}
	var p Policy
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
		p, err = policy(ctx, tx, who)
		return err
	})
	return p, err
}

func policy(ctx context.Context, tx pgx.Tx, who access.Actor) (p Policy, err error) {
	err = tx.QueryRow(ctx, `select issue_on_award, updated_at from issuing_policy where institution_id = @institution`,
		pgx.NamedArgs{"institution": who.InstitutionID}).Scan(&p.IssueOnAward, &p.UpdatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return p, nil
	}
	return p, err
}

// SetPolicy says what is done by itself from now on.
func (s *Service) SetPolicy(ctx context.Context, who access.Actor, issueOnAward bool) (Policy, error) {
	if err := access.Check(who, access.ManageInstitution); err != nil {
		return Policy{}, err
	}
	var p Policy
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if p, err = policy(ctx, tx, who); err != nil || p.UpdatedAt != nil && p.IssueOnAward == issueOnAward {
			return err
		}
		now := pg.Instant(s.Now())
		p = Policy{IssueOnAward: issueOnAward, UpdatedAt: &now}
		_, err = tx.Exec(ctx, `
			insert into issuing_policy (institution_id, issue_on_award, updated_at, updated_by)
			values (@institution, @award, @now, @by)
			on conflict (institution_id) do update set issue_on_award = @award, updated_at = @now, updated_by = @by`,
			pgx.NamedArgs{"institution": who.InstitutionID, "award": issueOnAward, "now": now, "by": who.ID})
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.ManageInstitution, Target: who.InstitutionID, Detail: map[string]any{"issueOnAward": issueOnAward}})
	})
	return p, err
}
