package session

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/pg"
)

func insert(ctx context.Context, tx pgx.Tx, who access.Actor, id string, hash []byte, p Person, way string, now time.Time) error {
	_, err := tx.Exec(ctx, `
		insert into session (institution_id, id, secret_hash, staff_id, learner_id, way, began_at, seen_at)
		values (@institution, @id, @hash, nullif(@staff, ''), nullif(@learner, ''), @way, @now, @now)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": id, "hash": hash, "staff": p.StaffID, "learner": p.LearnerID, "way": way, "now": now})
	switch pg.Constraint(err) {
	case "session_institution_id_staff_id_fkey", "session_institution_id_learner_id_fkey":
		return errStranger
	}
	return err
}

func find(ctx context.Context, tx pgx.Tx, institution, id string) (row, error) {
	rows, _ := tx.Query(ctx, `
		select s.id, s.secret_hash, s.staff_id, s.learner_id, s.way, s.began_at, s.seen_at, s.ended_at,
			coalesce(p.roles, '{}') as roles, coalesce(p.name, l.display_name) as name,
			i.name as institution_name, i.slug as institution_slug
		from session s
		join institution i on i.institution_id = s.institution_id
		left join staff p on p.institution_id = s.institution_id and p.id = s.staff_id and p.deactivated_at is null
		left join learner l on l.institution_id = s.institution_id and l.id = s.learner_id
		where s.institution_id = @institution and s.id = @id`, pgx.NamedArgs{"institution": institution, "id": id})
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[row])
	if errors.Is(err, pgx.ErrNoRows) {
		return r, errNone
	}
	return r, err
}

func touch(ctx context.Context, tx pgx.Tx, institution, id string, now time.Time) error {
	_, err := tx.Exec(ctx, `update session set seen_at = @now where institution_id = @institution and id = @id and seen_at < @now`,
		pgx.NamedArgs{"institution": institution, "id": id, "now": now})
	return err
}

func end(ctx context.Context, tx pgx.Tx, institution, id string, now time.Time) error {
	_, err := tx.Exec(ctx, `update session set ended_at = @now where institution_id = @institution and id = @id and ended_at is null`,
		pgx.NamedArgs{"institution": institution, "id": id, "now": now})
	return err
}

func endAll(ctx context.Context, tx pgx.Tx, who access.Actor, now time.Time) (int, error) {
	tag, err := tx.Exec(ctx, `
		update session set ended_at = @now
		where institution_id = @institution and ended_at is null
		  and case when @learner = '' then staff_id = @actor else learner_id = @learner end`,
		pgx.NamedArgs{"institution": who.InstitutionID, "actor": who.ID, "learner": who.LearnerID, "now": now})
	return int(tag.RowsAffected()), err
}

// forget takes out what ended long ago.
func forget(ctx context.Context, tx pgx.Tx, institution string, before time.Time) error {
	_, err := tx.Exec(ctx, `delete from session where institution_id = @institution and began_at < @before`,
		pgx.NamedArgs{"institution": institution, "before": before})
	return err
}

// staffAt is the member of staff with an address, whatever its case; "" for
// none, and for two.
func staffAt(ctx context.Context, tx pgx.Tx, institution, email string) (string, error) {
	return only(tx.Query(ctx, `
		select id from staff
		where institution_id = @institution and lower(email) = lower(@email) and deactivated_at is null
		limit 2`, pgx.NamedArgs{"institution": institution, "email": email}))
}

// learnerWith is the learner with an identifier; "" for none.
func learnerWith(ctx context.Context, tx pgx.Tx, institution, typ, value string) (string, error) {
	return only(tx.Query(ctx, `
		select distinct learner_id from learner_identifier
		where institution_id = @institution and type = @type and value = @value
		limit 2`, pgx.NamedArgs{"institution": institution, "type": typ, "value": value}))
}

// only is the one there is.
func only(rows pgx.Rows, _ error) (string, error) {
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(all) != 1 {
		return "", err
	}
	return all[0], nil
}
