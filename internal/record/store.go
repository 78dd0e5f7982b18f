package record

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/learner"
)

const columns = `r.id, r.learner_id, r.version, r.credential_id, r.content_hash, r.partial, r.omissions, r.assembled_at, r.assembled_by`

func byIDs(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Record, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from record r
		where institution_id = @institution and id = any(@ids) and (@only::text is null or learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Record])
}

// newest is a learner's latest version; ok is false when there is none.
func newest(ctx context.Context, tx pgx.Tx, who access.Actor, l learner.ID) (r Record, ok bool, err error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from record r
		where institution_id = @institution and learner_id = @learner
		order by version desc
		limit 1`, pgx.NamedArgs{"institution": who.InstitutionID, "learner": l})
	r, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Record])
	if errors.Is(err, pgx.ErrNoRows) {
		return r, false, nil
	}
	return r, err == nil, err
}

func ofLearners(ctx context.Context, tx pgx.Tx, who access.Actor, ids []learner.ID, before, limit int) ([]Record, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from unnest(@ids::text[]) as k (id)
		cross join lateral (
			select * from record
			where institution_id = @institution and learner_id = k.id and (@before = 0 or version < @before)
			  and (@only::text is null or learner_id = @only)
			order by version desc
			limit @limit) as r
		order by k.id, r.version desc`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "before": before, "limit": limit, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Record])
}

func itemsOf(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) (map[ID][]credential.ID, error) {
	rows, err := tx.Query(ctx, `
		select record_id, credential_id
		from record_item
		where institution_id = @institution and record_id = any(@ids) and (@only::text is null or learner_id = @only)
		order by record_id, position`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return grouped(rows, err)
}

// grouped are the credentials of each record, in the order of the rows.
func grouped(rows pgx.Rows, err error) (map[ID][]credential.ID, error) {
	if err != nil {
		return nil, err
	}
	all := map[ID][]credential.ID{}
	var r ID
	var c credential.ID
	_, err = pgx.ForEachRow(rows, []any{&r, &c}, func() error { all[r] = append(all[r], c); return nil })
	return all, err
}

func outdatedOf(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) (map[ID][]credential.ID, error) {
	rows, err := tx.Query(ctx, `
		select i.record_id, i.credential_id
		from record_item i
		join credential c on c.institution_id = i.institution_id and c.id = i.credential_id
		where i.institution_id = @institution and i.record_id = any(@ids) and (@only::text is null or i.learner_id = @only)
		  and (c.status <> 'active' or exists (
			select from credential n where n.institution_id = c.institution_id and n.supersedes = c.id and n.state = 'issued'))
		order by i.record_id, i.position`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return grouped(rows, err)
}

// containingRow is a record with the credential that it embeds.
type containingRow struct {
	Item credential.ID
	Record
}

func containing(ctx context.Context, tx pgx.Tx, who access.Actor, ids []credential.ID, limit int) ([]containingRow, error) {
	rows, _ := tx.Query(ctx, `
		select k.id as item, `+columns+`
		from unnest(@ids::text[]) as k (id)
		cross join lateral (
			select record.*
			from record_item i
			join record on record.institution_id = i.institution_id and record.id = i.record_id
			where i.institution_id = @institution and i.credential_id = k.id and (@only::text is null or i.learner_id = @only)
			order by record.version desc
			limit @limit) as r
		order by k.id, r.version desc`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "limit": limit, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[containingRow])
}

// withdrawn counts a learner's assertions that were taken back.
func withdrawn(ctx context.Context, tx pgx.Tx, who access.Actor, l learner.ID) (n int, err error) {
	err = tx.QueryRow(ctx, `select count(*) from assertion where institution_id = @institution and learner_id = @learner and withdrawn_at is not null`,
		pgx.NamedArgs{"institution": who.InstitutionID, "learner": l}).Scan(&n)
	return n, err
}

// insert writes a version with what it embeds. The learner's row is locked, so
// that two versions are made one after the other.
func insert(ctx context.Context, tx pgx.Tx, who access.Actor, r Record, embedded []credential.ID) error {
	_, err := tx.Exec(ctx, `
		insert into record (institution_id, id, learner_id, version, content_hash, credential_id, partial, omissions, assembled_at, assembled_by)
		values (@institution, @id, @learner, @version, @hash, @credential, @partial, @omissions, @at, @by)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": r.ID, "learner": r.LearnerID, "version": r.Version, "hash": r.ContentHash,
			"credential": r.CredentialID, "partial": r.Partial, "omissions": r.Omissions, "at": r.AssembledAt, "by": r.AssembledBy})
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		insert into record_item (institution_id, record_id, position, learner_id, credential_id)
		select @institution, @id, position, @learner, credential_id
		from unnest(@embedded::text[]) with ordinality as e (credential_id, position)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": r.ID, "learner": r.LearnerID, "embedded": embedded})
	return err
}

func lock(ctx context.Context, tx pgx.Tx, who access.Actor, l learner.ID) error {
	_, err := tx.Exec(ctx, `select from learner where institution_id = @institution and id = @learner for update`,
		pgx.NamedArgs{"institution": who.InstitutionID, "learner": l})
	return err
}
