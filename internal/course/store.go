package course

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/pg"
)

const columns = `id, ref_system, ref_value, code, title, description, credits, level, field_of_study, language, version,
	created_at, updated_at, retired_at`

func args(who access.Actor, c Course) pgx.NamedArgs {
	return pgx.NamedArgs{"institution": who.InstitutionID, "id": c.ID, "system": c.RefSystem, "value": c.RefValue, "code": c.Code,
		"title": c.Title, "description": c.Description, "credits": c.Credits, "level": c.Level, "field": c.FieldOfStudy,
		"language": c.Language, "version": c.Version, "now": c.UpdatedAt, "retired": c.RetiredAt}
}

func insert(ctx context.Context, tx pgx.Tx, who access.Actor, c Course) error {
	_, err := tx.Exec(ctx, `
		insert into course (institution_id, id, ref_system, ref_value, code, title, description, credits, level, field_of_study,
			language, version, created_at, updated_at)
		values (@institution, @id, @system, @value, @code, @title, @description, @credits, @level, @field, @language, 1, @now, @now)`,
		args(who, c))
	return taken(err)
}

func update(ctx context.Context, tx pgx.Tx, who access.Actor, c Course) error {
	_, err := tx.Exec(ctx, `
		update course set code = @code, title = @title, description = @description, credits = @credits, level = @level,
			field_of_study = @field, language = @language, version = @version, updated_at = @now, retired_at = @retired
		where institution_id = @institution and id = @id`, args(who, c))
	return taken(err)
}

func taken(err error) error {
	switch pg.Constraint(err) {
	case "course_code_once":
		return &fault.Error{Kind: fault.Conflict, Field: "code", Rule: "code-once", Message: "Another course has this code."}
	case "course_ref_once":
		return &fault.Error{Kind: fault.Conflict, Field: "externalRef", Rule: "ref-once", Message: "Another course has this external reference."}
	}
	return err
}

// InTx is one course in another noun's transaction.
func InTx(ctx context.Context, tx pgx.Tx, who access.Actor, name string) (Course, error) {
	return find(ctx, tx, who, name, "")
}

func find(ctx context.Context, tx pgx.Tx, who access.Actor, name, lock string) (Course, error) {
	ref, _ := id.ParseRef(name)
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from course
		where institution_id = @institution
		  and (id = @name or code = @name or (ref_system = @system and ref_value = @value))`+lock,
		pgx.NamedArgs{"institution": who.InstitutionID, "name": name, "system": ref.System, "value": ref.Value})
	c, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Course])
	if errors.Is(err, pgx.ErrNoRows) {
		return c, fault.Missing("course")
	}
	return c, err
}

func list(ctx context.Context, tx pgx.Tx, who access.Actor, f Filter, after cursor, limit int) ([]Course, error) {
	var text *string
	if f.Text != nil {
		t := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(*f.Text) + "%"
		text = &t
	}
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from course
		where institution_id = @institution and (code collate "C", id) > (@code, @id)
		  and (@retired or retired_at is null)
		  and (@text::text is null or code ilike @text or title ilike @text)
		order by code collate "C", id
		limit @limit`,
		pgx.NamedArgs{"institution": who.InstitutionID, "code": after.Code, "id": after.ID, "retired": f.Retired, "text": text, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Course])
}

func byIDs(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Course, error) {
	rows, _ := tx.Query(ctx, `select `+columns+` from course where institution_id = @institution and id = any(@ids)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Course])
}

// Resolve finds courses for an import: each name is an id, a code or a value of
// the external system.
func Resolve(ctx context.Context, tx pgx.Tx, who access.Actor, system string, names []string) (map[string]Course, error) {
	rows, err := tx.Query(ctx, `
		select `+columns+`
		from course
		where institution_id = @institution
		  and (code = any(@names) or id = any(@names) or (ref_system = @system and ref_value = any(@names)))`,
		bulk.Planned, pgx.NamedArgs{"institution": who.InstitutionID, "system": system, "names": names})
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[Course])
	all := make(map[string]Course, len(found))
	for _, c := range found { // the code is what a file means first
		if c.RefValue != nil && c.RefSystem != nil && *c.RefSystem == system {
			all[*c.RefValue] = c
		}
	}
	for _, c := range found {
		all[string(c.ID)], all[c.Code] = c, c
	}
	return all, err
}

// putCell adds a cell of the map, or gives one another target level; what it said
// before is kept by a trigger. A cell that says so already stays as it is.
const putCell = `
	insert into course_competency as c (institution_id, course_id, item_id, stage, target_level, created_at, known_from)
	values (@institution, @course, @item, @stage, @target, @now, @now)
	on conflict (institution_id, course_id, item_id, stage) do update set target_level = excluded.target_level, known_from = excluded.known_from
	where c.target_level is distinct from excluded.target_level`

func cellArgs(who access.Actor, now time.Time, m Mapping) pgx.NamedArgs {
	return pgx.NamedArgs{"institution": who.InstitutionID, "course": m.CourseID, "item": m.ItemID, "stage": m.Stage, "target": m.TargetLevel, "now": pg.Instant(now)}
}

func putMapping(ctx context.Context, tx pgx.Tx, who access.Actor, now time.Time, m Mapping) (bool, error) {
	tag, err := tx.Exec(ctx, putCell, cellArgs(who, now, m))
	return tag.RowsAffected() > 0, err
}

// deleteMapping takes a cell out of the map; what it said is kept.
func deleteMapping(ctx context.Context, tx pgx.Tx, who access.Actor, now time.Time, m Mapping) error {
	rows, _ := tx.Query(ctx, `
		with gone as (
			delete from course_competency
			where institution_id = @institution and course_id = @course and item_id = @item and stage = @stage
			returning target_level, known_from
		), kept as (
			insert into course_competency_past (institution_id, course_id, item_id, stage, target_level, known_from, known_until)
			select @institution, @course, @item, @stage, target_level, known_from, @now
			from gone
			where known_from < @now
		)
		select count(*) from gone`, cellArgs(who, now, m))
	n, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
	if err == nil && n == 0 {
		return fault.Missing("mapping")
	}
	return err
}

func mappingsOfCourses(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Mapping, error) {
	rows, _ := tx.Query(ctx, `
		select course_id, item_id, stage, target_level
		from course_competency
		where institution_id = @institution and course_id = any(@ids)
		order by course_id, item_id, stage`, pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Mapping])
}

func mappingsOfItems(ctx context.Context, tx pgx.Tx, who access.Actor, ids []framework.ItemID) ([]Mapping, error) {
	rows, _ := tx.Query(ctx, `
		select course_id, item_id, stage, target_level
		from course_competency
		where institution_id = @institution and item_id = any(@ids)
		order by item_id, course_id, stage`, pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Mapping])
}
