package framework

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
)

const frameworkColumns = `id, ref_system, ref_value, identifier, uri, case_version, title, creator, publisher, description, language,
	framework_version, adoption_status, status_start_on, status_end_on, changed_at, license_uri, publication, home, version, created_at, updated_at`

const itemColumnsOf = `i.framework_id, i.id, i.identifier, i.uri, i.full_statement, i.abbreviated_statement, i.human_coding_scheme,
	i.list_enumeration, i.item_type, i.education_level, i.concept_keywords, i.language, i.notes, i.status_start_on,
	i.status_end_on, i.changed_at, i.position, i.retired_at`

func find(ctx context.Context, tx pgx.Tx, who access.Actor, name string) (Framework, error) {
	ref, _ := id.ParseRef(name)
	rows, _ := tx.Query(ctx, `
		select `+frameworkColumns+`
		from framework
		where institution_id = @institution
		  and (id = @name or identifier = @name or (ref_system = @system and ref_value = @value))`,
		pgx.NamedArgs{"institution": who.InstitutionID, "name": name, "system": ref.System, "value": ref.Value})
	f, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Framework])
	if errors.Is(err, pgx.ErrNoRows) {
		return f, fault.Missing("framework")
	}
	return f, err
}

// InTx is one framework by id, CASE identifier or ref:SYSTEM:VALUE in another
// noun's transaction.
func InTx(ctx context.Context, tx pgx.Tx, who access.Actor, name string) (Framework, error) {
	return find(ctx, tx, who, name)
}

func listFrameworks(ctx context.Context, tx pgx.Tx, who access.Actor, f Filter, after frameworkCursor, limit int) ([]Framework, error) {
	rows, _ := tx.Query(ctx, `
		select `+frameworkColumns+`
		from framework
		where institution_id = @institution and (title collate "C", id) > (@title, @id)
		  and (@text::text is null or title ilike @text)
		order by title collate "C", id
		limit @limit`,
		pgx.NamedArgs{"institution": who.InstitutionID, "title": after.Title, "id": after.ID, "text": like(f.Text), "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Framework])
}

// like is a pattern that finds the text anywhere.
func like(text *string) *string {
	if text == nil {
		return nil
	}
	p := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(*text) + "%"
	return &p
}

func byIDs(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Framework, error) {
	rows, _ := tx.Query(ctx, `
		select `+frameworkColumns+`
		from framework
		where institution_id = @institution and id = any(@ids)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Framework])
}

func itemsOf(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID, f ItemFilter, after itemCursor, limit int) ([]Item, error) {
	rows, _ := tx.Query(ctx, `
		select `+itemColumnsOf+`
		from unnest(@ids::text[]) as f (id)
		cross join lateral (
			select * from framework_item
			where institution_id = @institution and framework_id = f.id and (position, id) > (@position, @id)
			  and (@retired or retired_at is null)
			  and (@type::text is null or item_type = @type)
			  and (@text::text is null or full_statement ilike @text or abbreviated_statement ilike @text or human_coding_scheme = @exact)
			order by position, id
			limit @limit) as i
		order by i.framework_id, i.position, i.id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "position": after.Position, "id": after.ID, "retired": f.Retired,
			"type": f.Type, "text": like(f.Text), "exact": f.Text, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Item])
}

func childrenOf(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ItemID, after itemCursor, limit int) ([]Child, error) {
	rows, _ := tx.Query(ctx, `
		select `+itemColumnsOf+`, p.id as parent_id
		from framework_item p
		cross join lateral (
			select c.* from framework_association a
			join framework_item c on c.institution_id = a.institution_id and c.framework_id = a.framework_id and c.identifier = a.origin_identifier
			where a.institution_id = p.institution_id and a.framework_id = p.framework_id and a.type = 'isChildOf'
			  and a.destination_identifier = p.identifier and (c.position, c.id) > (@position, @id) and c.retired_at is null
			order by c.position, c.id
			limit @limit) as i
		where p.institution_id = @institution and p.id = any(@ids)
		order by p.id, i.position, i.id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "position": after.Position, "id": after.ID, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Child])
}

func parentsOf(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ItemID) ([]Child, error) {
	rows, _ := tx.Query(ctx, `
		select `+itemColumnsOf+`, c.id as parent_id
		from framework_item c
		join framework_association a on a.institution_id = c.institution_id and a.framework_id = c.framework_id
			and a.type = 'isChildOf' and a.origin_identifier = c.identifier
		join framework_item i on i.institution_id = a.institution_id and i.framework_id = a.framework_id and i.identifier = a.destination_identifier
		where c.institution_id = @institution and c.id = any(@ids)
		order by c.id, a.position`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Child])
}

func pathsOf(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ItemID) ([]Child, error) {
	rows, _ := tx.Query(ctx, `
		with recursive up as (
			select i.id as wanted, i.id as step, i.framework_id, i.identifier, 0 as depth, array[i.identifier] as seen
			from framework_item i
			where i.institution_id = @institution and i.id = any(@ids)
			union all
			select up.wanted, p.id, up.framework_id, p.identifier, up.depth + 1, up.seen || p.identifier
			from up
			cross join lateral (
				select q.id, q.identifier
				from framework_association a
				join framework_item q on q.institution_id = a.institution_id and q.framework_id = a.framework_id and q.identifier = a.destination_identifier
				where a.institution_id = @institution and a.framework_id = up.framework_id and a.type = 'isChildOf'
				  and a.origin_identifier = up.identifier and q.identifier <> all (up.seen)
				order by a.position
				limit 1) as p
			where up.depth < 50)
		select `+itemColumnsOf+`, up.wanted as parent_id
		from up
		join framework_item i on i.institution_id = @institution and i.id = up.step
		order by up.wanted, up.depth desc`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Child])
}

func itemsByIDs(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ItemID) ([]Item, error) {
	rows, _ := tx.Query(ctx, `
		select `+itemColumnsOf+`
		from framework_item i
		where i.institution_id = @institution and i.id = any(@ids)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Item])
}

// ItemInTx is one item by id or CASE identifier in another noun's transaction.
func ItemInTx(ctx context.Context, tx pgx.Tx, who access.Actor, name string) (Item, error) {
	rows, _ := tx.Query(ctx, `
		select `+itemColumnsOf+`
		from framework_item i
		where i.institution_id = @institution and (i.id = @name or i.identifier = @name)
		order by i.retired_at is not null, i.id
		limit 1`, pgx.NamedArgs{"institution": who.InstitutionID, "name": name})
	i, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Item])
	if errors.Is(err, pgx.ErrNoRows) {
		return i, fault.Missing("competency")
	}
	return i, err
}

// Resolve finds items for an import or an alignment: each name is an id, a CASE
// identifier, a uri or a human coding scheme. A coding scheme that several
// items share finds none of them.
func Resolve(ctx context.Context, tx pgx.Tx, who access.Actor, names []string) (map[string]ItemID, error) {
	rows, err := tx.Query(ctx, `
		select name, min(id collate "C")
		from (
			select n.name, i.id,
				rank() over (partition by n.name order by case n.name when i.id then 0 when i.identifier then 1 when i.uri then 2 else 3 end,
					i.retired_at is not null) as closeness,
				n.name = i.human_coding_scheme and n.name <> i.uri and n.name <> i.identifier as by_code
			from (select distinct unnest(@names::text[])) as n (name)
			join framework_item i on i.institution_id = @institution
				and (i.id = n.name or i.identifier = n.name or i.uri = n.name or i.human_coding_scheme = n.name)) as found
		where closeness = 1
		group by name
		having not bool_or(by_code) or count(distinct id) = 1`,
		pgx.NamedArgs{"institution": who.InstitutionID, "names": names})
	if err != nil {
		return nil, err
	}
	all := make(map[string]ItemID, len(names))
	var name string
	var i ItemID
	_, err = pgx.ForEachRow(rows, []any{&name, &i}, func() error { all[name] = i; return nil })
	return all, err
}

func associationsOf(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ItemID) ([]Association, error) {
	rows, _ := tx.Query(ctx, `
		select a.id, a.identifier, a.type, a.origin_identifier, a.origin_uri, a.destination_identifier, a.destination_uri,
			a.sequence_number, i.id as item_id, (
				select o.id from framework_item o
				where o.institution_id = a.institution_id
				  and o.identifier = case when a.origin_identifier = i.identifier then a.destination_identifier else a.origin_identifier end
				order by o.framework_id <> a.framework_id, o.id
				limit 1) as other_id
		from framework_item i
		join framework_association a on a.institution_id = i.institution_id
			and (a.origin_identifier = i.identifier or a.destination_identifier = i.identifier)
		where i.institution_id = @institution and i.id = any(@ids)
		order by i.id, a.type, a.position, a.id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Association])
}

func rubricsOf(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Rubric, error) {
	rows, _ := tx.Query(ctx, `
		select framework_id, id, identifier, uri, title, description, position
		from rubric
		where institution_id = @institution and framework_id = any(@ids)
		order by framework_id, position`, pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Rubric])
}

func criteriaOf(ctx context.Context, tx pgx.Tx, who access.Actor, rubrics []string) ([]Criterion, error) {
	rows, _ := tx.Query(ctx, `
		select rubric_id, id, identifier, uri, category, description, item_identifier, weight, position
		from rubric_criterion
		where institution_id = @institution and rubric_id = any(@ids)
		order by rubric_id, position`, pgx.NamedArgs{"institution": who.InstitutionID, "ids": rubrics})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Criterion])
}

func levelsOf(ctx context.Context, tx pgx.Tx, who access.Actor, criteria []string) ([]Level, error) {
	rows, _ := tx.Query(ctx, `
		select criterion_id, id, identifier, uri, quality, description, feedback, score, position
		from rubric_level
		where institution_id = @institution and criterion_id = any(@ids)
		order by criterion_id, position`, pgx.NamedArgs{"institution": who.InstitutionID, "ids": criteria})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Level])
}

// LevelNames are, for each item with a rubric, the names by which a level of it
// may be called: quality, identifier and uri.
func LevelNames(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ItemID) (map[ItemID]map[string]bool, error) {
	rows, err := tx.Query(ctx, `
		select i.id, n.name
		from framework_item i
		join rubric_criterion c on c.institution_id = i.institution_id and c.item_identifier = i.identifier
		join rubric_level l on l.institution_id = c.institution_id and l.criterion_id = c.id
		cross join lateral (values (l.quality), (l.identifier), (l.uri)) as n (name)
		where i.institution_id = @institution and i.id = any(@ids) and n.name is not null`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	if err != nil {
		return nil, err
	}
	all := map[ItemID]map[string]bool{}
	var i ItemID
	var name string
	_, err = pgx.ForEachRow(rows, []any{&i, &name}, func() error {
		if all[i] == nil {
			all[i] = map[string]bool{}
		}
		all[i][name] = true
		return nil
	})
	return all, err
}
