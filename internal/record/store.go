package record

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/pg"
)

const columns = `r.id, r.learner_id, r.type, r.type_version, r.series, r.version, r.credential_id, r.content_hash, r.partial, r.omissions, r.assembled_at, r.assembled_by`

func byIDs(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Record, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from record r
		where institution_id = @institution and id = any(@ids) and (@only::text is null or learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Record])
}

// InTx is one record in another noun's transaction.
func InTx(ctx context.Context, tx pgx.Tx, who access.Actor, record ID) (Record, error) {
	all, err := byIDs(ctx, tx, who, []ID{record})
	if err == nil && len(all) == 0 {
		err = fault.Missing("record")
	}
	if err != nil {
		return Record{}, err
	}
	return all[0], nil
}

// newest are the latest versions of a series, of learners who have one.
func newest(ctx context.Context, tx pgx.Tx, who access.Actor, series string, learners []learner.ID) (map[learner.ID]latest, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`, c.status
		from unnest(@learners::text[]) as k (id)
		cross join lateral (
			select * from record
			where institution_id = @institution and learner_id = k.id and series = @series
			order by version desc
			limit 1) as r
		join credential c on c.institution_id = @institution and c.id = r.credential_id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "series": series, "learners": learners})
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[latest])
	all := make(map[learner.ID]latest, len(found))
	for _, l := range found {
		all[l.LearnerID] = l
	}
	return all, err
}

func ofLearners(ctx context.Context, tx pgx.Tx, who access.Actor, ids []learner.ID, f Filter, before cursor, limit int) ([]Record, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from unnest(@ids::text[]) as k (id)
		cross join lateral (
			select * from record
			where institution_id = @institution and learner_id = k.id and (@before::text = '' or (assembled_at, id) < (@at, @before))
			  and (@type::text is null or type = @type)
			  and (@only::text is null or learner_id = @only)
			order by assembled_at desc, id desc
			limit @limit) as r
		order by k.id, r.assembled_at desc, r.id desc`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "type": f.Type, "before": before.ID, "at": before.At, "limit": limit, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Record])
}

func itemsOf(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) (map[ID][]credential.ID, error) {
	rows, err := tx.Query(ctx, `
		select r.id, i.id
		from record r
		cross join unnest(r.items) with ordinality as i (id, position)
		where r.institution_id = @institution and r.id = any(@ids) and (@only::text is null or r.learner_id = @only)
		order by r.id, i.position`,
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
		select r.id, i.id
		from record r
		cross join unnest(r.items) with ordinality as i (id, position)
		join credential c on c.institution_id = r.institution_id and c.id = i.id
		where r.institution_id = @institution and r.id = any(@ids) and (@only::text is null or r.learner_id = @only)
		  and (c.status <> 'active' or exists (
			select from credential n where n.institution_id = c.institution_id and n.supersedes = c.id and n.state = 'issued'))
		order by r.id, i.position`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return grouped(rows, err)
}

// containingRow is a record with the credential that it embeds.
type containingRow struct {
	Item credential.ID
	Record
}

// containing are records of the learner of each credential.
func containing(ctx context.Context, tx pgx.Tx, who access.Actor, ids []credential.ID, limit int) ([]containingRow, error) {
	rows, _ := tx.Query(ctx, `
		select k.id as item, `+columns+`
		from unnest(@ids::text[]) as k (id)
		join credential c on c.institution_id = @institution and c.id = k.id and (@only::text is null or c.learner_id = @only)
		cross join lateral (
			select * from record
			where institution_id = @institution and learner_id = c.learner_id and items @> array[c.id] and (@only::text is null or learner_id = @only)
			order by assembled_at desc, id desc
			limit @limit) as r
		order by k.id, r.assembled_at desc, r.id desc`,
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

// insert writes versions with what they embed.
func insert(ctx context.Context, tx pgx.Tx, who access.Actor, all []*one) error {
	var ids, learners, credentials, omissions, frames, items []string
	var versions []int
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
		frames, items = append(frames, string(o.framed)), append(items, o.names())
	}
	first := all[0].out.Record
	_, err := tx.Exec(ctx, `
		insert into record (institution_id, id, learner_id, type, type_version, series, version, content_hash, credential_id, partial, omissions, frame, items,
			assembled_at, assembled_by)
		select @institution, id, learner, @type, @type_version, @series, version, hash, credential, partial, omissions::jsonb, frame::jsonb, string_to_array(items, ','),
			@at, @by
		from unnest(@ids::text[], @learners::text[], @versions::int[], @hashes::bytea[], @credentials::text[], @partial::bool[], @omissions::text[],
			@frames::text[], @items::text[]) as r (id, learner, version, hash, credential, partial, omissions, frame, items)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "learners": learners, "versions": versions, "hashes": hashes, "credentials": credentials,
			"partial": partial, "omissions": omissions, "frames": frames, "items": items, "type": first.Type, "type_version": first.TypeVersion, "series": first.Series, "at": first.AssembledAt, "by": who.ID})
	return err
}

// names are the ids of what a record embeds, with commas between them.
func (o *one) names() string {
	all := make([]string, len(o.Credentials))
	for i, c := range o.Credentials {
		all[i] = string(c.ID)
	}
	return strings.Join(all, ",")
}

// lock takes the rows of learners, in the order of their ids, so that two
// versions are made one after the other.
func lock(ctx context.Context, tx pgx.Tx, who access.Actor, learners []learner.ID) error {
	_, err := tx.Exec(ctx, `select from learner where institution_id = @institution and id = any(@learners) order by id for update`,
		pgx.NamedArgs{"institution": who.InstitutionID, "learners": learners})
	return err
}

// ownTypes are the record types that the institution has versions of, each in
// its latest.
func ownTypes(ctx context.Context, tx pgx.Tx, who access.Actor) ([]Type, error) {
	rows, _ := tx.Query(ctx, `
		select distinct on (key) key, version, definition as content, recorded_at, recorded_by
		from record_type
		where institution_id = @institution
		order by key, version desc`, pgx.NamedArgs{"institution": who.InstitutionID})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Type])
}

func insertType(ctx context.Context, tx pgx.Tx, who access.Actor, t Type) error {
	_, err := tx.Exec(ctx, `
		insert into record_type (institution_id, key, version, definition, recorded_at, recorded_by)
		values (@institution, @key, @version, @definition, @at, @by)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "key": t.Key, "version": t.Version, "definition": t.Content, "at": t.RecordedAt, "by": t.RecordedBy})
	if pg.Constraint(err) == "record_type_pkey" {
		return &fault.Error{Kind: fault.Conflict, Rule: "version", Message: "Somebody else changed this record type at this moment. Read it again and decide."}
	}
	return err
}

// Around are the versions before and after a record; nil where there is none.
type Around struct {
	Of     ID
	Before *ID
	After  *ID
}

func around(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Around, error) {
	rows, _ := tx.Query(ctx, `
		select r.id as of, b.id as before, a.id as after
		from record r
		left join record b on b.institution_id = r.institution_id and b.learner_id = r.learner_id and b.series = r.series and b.version = r.version - 1
		left join record a on a.institution_id = r.institution_id and a.learner_id = r.learner_id and a.series = r.series and a.version = r.version + 1
		where r.institution_id = @institution and r.id = any(@ids) and (@only::text is null or r.learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Around])
}

// shown is a record with what its model is made of.
type shown struct {
	Record
	Frame    *Frame
	Document string
	Before   *ID
	BeforeAt *time.Time
}

func shownOf(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]shown, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`, r.frame, c.document, b.id as before, b.assembled_at as before_at
		from record r
		join credential c on c.institution_id = r.institution_id and c.id = r.credential_id
		left join record b on b.institution_id = r.institution_id and b.learner_id = r.learner_id and b.series = r.series and b.version = r.version - 1
		where r.institution_id = @institution and r.id = any(@ids) and (@only::text is null or r.learner_id = @only)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "only": who.OnlyLearner()})
	return pgx.CollectRows(rows, pgx.RowToStructByName[shown])
}
