package record

import (
	"context"
	"encoding/json"

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

// newest are the latest versions of learners who have one.
func newest(ctx context.Context, tx pgx.Tx, who access.Actor, learners []learner.ID) (map[learner.ID]latest, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`, c.status
		from unnest(@learners::text[]) as k (id)
		cross join lateral (
			select * from record
			where institution_id = @institution and learner_id = k.id
			order by version desc
			limit 1) as r
		join credential c on c.institution_id = @institution and c.id = r.credential_id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "learners": learners})
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[latest])
	all := make(map[learner.ID]latest, len(found))
	for _, l := range found {
		all[l.LearnerID] = l
	}
	return all, err
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

// withdrawn counts the assertions of learners that were taken back.
func withdrawn(ctx context.Context, tx pgx.Tx, who access.Actor, learners []learner.ID) (map[learner.ID]int, error) {
	rows, err := tx.Query(ctx, `
		select learner_id, count(*)
		from assertion
		where institution_id = @institution and learner_id = any(@learners) and withdrawn_at is not null
		group by learner_id`, pgx.NamedArgs{"institution": who.InstitutionID, "learners": learners})
	if err != nil {
		return nil, err
	}
	all := map[learner.ID]int{}
	var l learner.ID
	var n int
	_, err = pgx.ForEachRow(rows, []any{&l, &n}, func() error { all[l] = n; return nil })
	return all, err
}

// insert writes versions with what they embed, in two statements.
func insert(ctx context.Context, tx pgx.Tx, who access.Actor, all []*one) error {
	var ids, learners, credentials, omissions, of, itemLearners, items []string
	var versions, positions []int
	var hashes [][]byte
	var partial []bool
	for _, o := range all {
		r := o.out.Record
		left, err := json.Marshal(r.Omissions)
		if err != nil {
			return err
		}
		ids, learners, credentials = append(ids, string(r.ID)), append(learners, string(r.LearnerID)), append(credentials, string(r.CredentialID))
		versions, hashes, partial, omissions = append(versions, r.Version), append(hashes, r.ContentHash), append(partial, r.Partial), append(omissions, string(left))
		for n, c := range o.Credentials {
			of, itemLearners, items, positions = append(of, string(r.ID)), append(itemLearners, string(r.LearnerID)), append(items, string(c.ID)), append(positions, n+1)
		}
	}
	_, err := tx.Exec(ctx, `
		insert into record (institution_id, id, learner_id, version, content_hash, credential_id, partial, omissions, assembled_at, assembled_by)
		select @institution, id, learner, version, hash, credential, partial, omissions::jsonb, @at, @by
		from unnest(@ids::text[], @learners::text[], @versions::int[], @hashes::bytea[], @credentials::text[], @partial::bool[], @omissions::text[])
			as r (id, learner, version, hash, credential, partial, omissions)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "learners": learners, "versions": versions, "hashes": hashes, "credentials": credentials,
			"partial": partial, "omissions": omissions, "at": all[0].out.Record.AssembledAt, "by": who.ID})
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		insert into record_item (institution_id, record_id, position, learner_id, credential_id)
		select @institution, record, position, learner, item
		from unnest(@of::text[], @positions::int[], @learners::text[], @items::text[]) as i (record, position, learner, item)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "of": of, "positions": positions, "learners": itemLearners, "items": items})
	return err
}

// lock takes the rows of learners, in the order of their ids, so that two
// versions are made one after the other.
func lock(ctx context.Context, tx pgx.Tx, who access.Actor, learners []learner.ID) error {
	_, err := tx.Exec(ctx, `select from learner where institution_id = @institution and id = any(@learners) order by id for update`,
		pgx.NamedArgs{"institution": who.InstitutionID, "learners": learners})
	return err
}
