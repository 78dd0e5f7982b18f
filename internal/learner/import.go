package learner

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/pg"
)

// The fields that a row may leave alone.
const (
	NoDisplayName bulk.Absent = 1 << iota
	NoGivenName
	NoFamilyName
	NoAdditionalName
	NoEmail
	NoBirthOn
	NoDID

	noName = NoDisplayName | NoGivenName | NoFamilyName | NoAdditionalName
)

// Row is one learner of an import. What is absent stays as it is; identifiers
// are only ever added. The parts of a name stay only with the display name that
// they belong to: one that is new has the parts that come with it.
type Row struct {
	Definition
	Absent bulk.Absent
}

// Import adds or updates many learners in the caller's transaction, found by
// external reference, which every row must have and no two share. A changed
// name goes behind the others in the history. It takes the same few statements
// for any number of rows and writes no audit line: the job does.
func Import(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, rows []Row) ([]bulk.Outcome, error) {
	if err := access.Check(who, access.ManageLearner); err != nil {
		return nil, err
	}
	out := make([]bulk.Outcome, len(rows))
	for i, r := range rows {
		rows[i].Definition = r.Whole()
		if err := rows[i].check(); err != nil {
			out[i] = bulk.Fail(err)
		}
	}
	if err := stage(ctx, tx, b, rows, out); err != nil {
		return nil, err
	}
	return out, bulk.Hashed(ctx, tx, func() error {
		if err := fill(ctx, tx, who, out); err != nil {
			return err
		}
		if err := refuseTaken(ctx, tx, who, out); err != nil {
			return err
		}
		return merge(ctx, tx, who, b, out)
	})
}

// check leaves the name to fill, where the row says nothing of it.
func (r Row) check() *fault.Error {
	if r.Absent&noName == noName {
		return r.checkDetails()
	}
	return r.Check()
}

// fill takes what the rows leave alone from what is there, and fails those that
// then have no name.
func fill(ctx context.Context, tx pgx.Tx, who access.Actor, out []bulk.Outcome) error {
	_, err := tx.Exec(ctx, `
		with kept as (
			select p.n, p.absent, p.display_name, l.display_name as old,
				case when p.absent & 2 <> 0 then l.given_name else p.given_name end as given_name,
				case when p.absent & 4 <> 0 then l.family_name else p.family_name end as family_name,
				case when p.absent & 8 <> 0 then l.additional_name else p.additional_name end as additional_name,
				case when p.absent & 16 <> 0 then l.email else p.email end as email,
				case when p.absent & 32 <> 0 then l.birth_on else p.birth_on end as birth_on,
				case when p.absent & 64 <> 0 then l.did else p.did end as did,
				l.given_name as old_given, l.family_name as old_family, l.additional_name as old_additional
			from import_learner p
			join learner l on l.institution_id = @institution and l.ref_system = p.ref_system and l.ref_value = p.ref_value
			where p.absent <> 0),
		named as (
			select k.*, case
				when absent & 1 = 0 then display_name
				when (given_name, family_name, additional_name) is distinct from (old_given, old_family, old_additional)
					then coalesce(nullif(concat_ws(' ', given_name, additional_name, family_name), ''), old)
				else old end as name
			from kept k)
		update import_learner p set display_name = k.name, email = k.email, birth_on = k.birth_on, did = k.did,
			given_name = case when p.absent & 1 <> 0 or k.name = k.old then k.given_name else p.given_name end,
			family_name = case when p.absent & 1 <> 0 or k.name = k.old then k.family_name else p.family_name end,
			additional_name = case when p.absent & 1 <> 0 or k.name = k.old then k.additional_name else p.additional_name end
		from named k
		where p.n = k.n`, pgx.NamedArgs{"institution": who.InstitutionID})
	if err != nil {
		return err
	}
	rows, err := tx.Query(ctx, `
		with nameless as (delete from import_learner where display_name = '' returning n),
		gone as (delete from import_identifier where n in (select n from nameless))
		select n from nameless`)
	if err != nil {
		return err
	}
	var n int
	_, err = pgx.ForEachRow(rows, []any{&n}, func() error {
		out[n] = bulk.Fail(nameless())
		return nil
	})
	return err
}

// stage copies the rows that hold into temporary tables.
func stage(ctx context.Context, tx pgx.Tx, b bulk.Batch, rows []Row, out []bulk.Outcome) error {
	_, err := tx.Exec(ctx, `
		create temp table if not exists import_learner (n int primary key, id text collate "C", ref_system text, ref_value text,
			display_name text, given_name text, family_name text, additional_name text, email text, birth_on date, did text, absent int) on commit drop;
		create temp table if not exists import_identifier (n int, type text, value text) on commit drop;
		truncate import_learner, import_identifier`)
	if err != nil {
		return err
	}
	var people, identifiers [][]any
	for i, d := range rows {
		if out[i].Change == bulk.Failed {
			continue
		}
		people = append(people, []any{i, b.NewID("lrn"), d.Ref.System, d.Ref.Value, d.DisplayName, d.GivenName, d.FamilyName,
			d.AdditionalName, d.Email, d.BirthOn, d.DID, int32(d.Absent)})
		for _, x := range d.Identifiers {
			identifiers = append(identifiers, []any{i, x.Type, x.Value})
		}
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"import_learner"}, []string{"n", "id", "ref_system", "ref_value", "display_name",
		"given_name", "family_name", "additional_name", "email", "birth_on", "did", "absent"}, pgx.CopyFromRows(people))
	if err != nil {
		return err
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"import_identifier"}, []string{"n", "type", "value"}, pgx.CopyFromRows(identifiers))
	return err
}

// refuseTaken fails the rows that claim an identifier of somebody else, in the
// database or in an earlier row.
func refuseTaken(ctx context.Context, tx pgx.Tx, who access.Actor, out []bulk.Outcome) error {
	rows, err := tx.Query(ctx, `
		with taken as (
			select i.n
			from import_identifier i
			join import_learner p using (n)
			join learner_identifier have on have.institution_id = @institution and have.type = i.type and have.value = i.value
			join learner owner on owner.institution_id = have.institution_id and owner.id = have.learner_id
			where i.type <> 'emailAddress' and (owner.ref_system, owner.ref_value) is distinct from (p.ref_system, p.ref_value)
			union
			select i.n
			from import_identifier i
			join import_identifier earlier on earlier.type = i.type and earlier.value = i.value and earlier.n < i.n
			where i.type <> 'emailAddress'),
		gone as (delete from import_learner where n in (select n from taken))
		delete from import_identifier where n in (select n from taken) returning n`,
		pgx.NamedArgs{"institution": who.InstitutionID})
	if err != nil {
		return err
	}
	var n int
	_, err = pgx.ForEachRow(rows, []any{&n}, func() error {
		out[n] = bulk.Fail(&fault.Error{Kind: fault.Conflict, Field: "identifiers", Rule: "identifier-once",
			Message: "One of these identifiers belongs to another learner."})
		return nil
	})
	return err
}

// merge writes names, learners and identifiers set by set and notes what each
// row became.
func merge(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, out []bulk.Outcome) error {
	now := pg.Instant(b.Now)
	args := pgx.NamedArgs{"institution": who.InstitutionID, "now": now, "today": day.On(now), "by": who.ID}
	for _, step := range []struct {
		change bulk.Change
		sql    string
	}{
		{bulk.Unchanged, `
			select p.n, l.id from import_learner p
			join learner l on l.institution_id = @institution and l.ref_system = p.ref_system and l.ref_value = p.ref_value`},
		{bulk.Updated, `
			insert into learner_name (institution_id, learner_id, position, display_name, given_name, family_name,
				additional_name, effective_on, recorded_at, recorded_by, reason)
			select @institution, l.id, (select coalesce(max(position), 0) + 1 from learner_name h
					where h.institution_id = @institution and h.learner_id = l.id),
				p.display_name, p.given_name, p.family_name, p.additional_name, @today, @now, @by, 'import'
			from import_learner p
			join learner l on l.institution_id = @institution and l.ref_system = p.ref_system and l.ref_value = p.ref_value
			where (l.display_name, l.given_name, l.family_name, l.additional_name)
				is distinct from (p.display_name, p.given_name, p.family_name, p.additional_name)
			returning -1, learner_id`},
		{bulk.Updated, `
			update learner l set display_name = p.display_name, given_name = p.given_name, family_name = p.family_name,
				additional_name = p.additional_name, email = p.email, birth_on = p.birth_on, did = p.did,
				version = l.version + 1, updated_at = @now
			from import_learner p
			where l.institution_id = @institution and l.ref_system = p.ref_system and l.ref_value = p.ref_value
			  and (l.display_name, l.given_name, l.family_name, l.additional_name, l.email, l.birth_on, l.did)
				is distinct from (p.display_name, p.given_name, p.family_name, p.additional_name, p.email, p.birth_on, p.did)
			returning p.n, l.id`},
		{bulk.Created, `
			insert into learner (institution_id, id, ref_system, ref_value, display_name, given_name, family_name,
				additional_name, email, birth_on, did, version, created_at, updated_at)
			select @institution, p.id, p.ref_system, p.ref_value, p.display_name, p.given_name, p.family_name,
				p.additional_name, p.email, p.birth_on, p.did, 1, @now, @now
			from import_learner p
			on conflict (institution_id, ref_system, ref_value) do nothing
			returning (select n from import_learner p where p.id = learner.id), id`},
		{bulk.Created, `
			insert into learner_name (institution_id, learner_id, position, display_name, given_name, family_name,
				additional_name, effective_on, recorded_at, recorded_by, reason)
			select @institution, p.id, 1, p.display_name, p.given_name, p.family_name, p.additional_name, @today, @now, @by, 'import'
			from import_learner p
			join learner l on l.institution_id = @institution and l.id = p.id
			returning -1, learner_id`},
		{bulk.Updated, `
			with added as (
				insert into learner_identifier (institution_id, learner_id, type, value)
				select distinct @institution, l.id, i.type, i.value
				from import_identifier i
				join import_learner p using (n)
				join learner l on l.institution_id = @institution and l.ref_system = p.ref_system and l.ref_value = p.ref_value
				on conflict do nothing
				returning learner_id)
			select p.n, l.id
			from added
			join learner l on l.institution_id = @institution and l.id = added.learner_id
			join import_learner p on l.ref_system = p.ref_system and l.ref_value = p.ref_value`},
	} {
		if err := bulk.Note(ctx, tx, step.sql, args, step.change, out); err != nil {
			return err
		}
	}
	return nil
}
