package course

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/pg"
)

// The fields that a row may leave alone.
const (
	NoDescription bulk.Absent = 1 << iota
	NoCredits
	NoLevel
	NoFieldOfStudy
	NoLanguage
)

// CatalogRow is one course of an import. What is absent stays as it is, and so does an
// external reference when the row has none.
type CatalogRow struct {
	Definition
	Absent bulk.Absent
}

// Import adds or updates courses in the caller's transaction, found by code. No
// two rows may share a code. It writes no audit line: the job does.
func Import(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, rows []CatalogRow) ([]bulk.Outcome, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return nil, err
	}
	_, err := tx.Exec(ctx, `
		create temp table if not exists import_course (n int primary key, id text collate "C", ref_system text, ref_value text, code text, title text,
			description text, credits numeric(8, 3), level text, field_of_study text, language text, absent int) on commit drop;
		truncate import_course`)
	if err != nil {
		return nil, err
	}
	out := make([]bulk.Outcome, len(rows))
	var staged [][]any
	for i, d := range rows {
		if err := d.Check(); err != nil {
			out[i] = bulk.Fail(err)
			continue
		}
		var system, value *string
		if d.Ref != nil {
			system, value = &d.Ref.System, &d.Ref.Value
		}
		staged = append(staged, []any{i, b.NewID("crs"), system, value, d.Code, d.Title, d.Description, d.Credits, d.Level, d.FieldOfStudy, d.Language, int32(d.Absent)})
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"import_course"}, []string{"n", "id", "ref_system", "ref_value", "code", "title", "description",
		"credits", "level", "field_of_study", "language", "absent"}, pgx.CopyFromRows(staged))
	if err != nil {
		return nil, err
	}
	return out, bulk.Hashed(ctx, tx, func() error { return merge(ctx, tx, who, b, out) })
}

func merge(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, out []bulk.Outcome) error {
	args := pgx.NamedArgs{"institution": who.InstitutionID, "now": pg.Instant(b.Now)}
	_, err := tx.Exec(ctx, `
		update import_course p set
			description = case when p.absent & 1 <> 0 then c.description else p.description end,
			credits = case when p.absent & 2 <> 0 then c.credits else p.credits end,
			level = case when p.absent & 4 <> 0 then c.level else p.level end,
			field_of_study = case when p.absent & 8 <> 0 then c.field_of_study else p.field_of_study end,
			language = case when p.absent & 16 <> 0 then c.language else p.language end
		from course c
		where c.institution_id = @institution and c.code = p.code and p.absent <> 0`, args)
	if err != nil {
		return err
	}
	rows, err := tx.Query(ctx, `
		delete from import_course p using course c
		where c.institution_id = @institution and c.ref_system = p.ref_system and c.ref_value = p.ref_value and c.code <> p.code
		returning p.n`, args)
	if err != nil {
		return err
	}
	var n int
	_, err = pgx.ForEachRow(rows, []any{&n}, func() error {
		out[n] = bulk.Fail(&fault.Error{Kind: fault.Conflict, Field: "course_id", Rule: "ref-once", Message: "Another course has this id. A course keeps its code; to give it another, revise it."})
		return nil
	})
	if err != nil {
		return err
	}
	for _, step := range []struct {
		change bulk.Change
		sql    string
	}{
		{bulk.Unchanged, `
			select p.n, c.id from import_course p
			join course c on c.institution_id = @institution and c.code = p.code`},
		{bulk.Updated, `
			update course c set title = p.title, description = p.description, credits = p.credits, level = p.level,
				field_of_study = p.field_of_study, language = p.language, ref_system = coalesce(p.ref_system, c.ref_system),
				ref_value = coalesce(p.ref_value, c.ref_value), version = c.version + 1, updated_at = @now
			from import_course p
			where c.institution_id = @institution and c.code = p.code
			  and (c.title, c.description, c.credits, c.level, c.field_of_study, c.language, coalesce(p.ref_value, c.ref_value))
				is distinct from (p.title, p.description, p.credits, p.level, p.field_of_study, p.language, c.ref_value)
			returning p.n, c.id`},
		{bulk.Created, `
			insert into course (institution_id, id, ref_system, ref_value, code, title, description, credits, level, field_of_study,
				language, version, created_at, updated_at)
			select @institution, id, ref_system, ref_value, code, title, description, credits, level, field_of_study, language, 1, @now, @now
			from import_course
			on conflict (institution_id, code) do nothing
			returning (select n from import_course p where p.id = course.id), id`},
	} {
		if err := bulk.Note(ctx, tx, step.sql, args, step.change, out); err != nil {
			return err
		}
	}
	return nil
}

// MapRow is one cell of the curriculum map as a file names it.
type MapRow struct {
	Course      string // code, id or reference value
	Item        string // CASE identifier, uri, coding scheme or id
	Stage       string
	TargetLevel *string
}

// ImportMap adds or updates cells of the curriculum map.
func ImportMap(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, system string, rows []MapRow) ([]bulk.Outcome, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return nil, err
	}
	var courses, items []string
	for _, r := range rows {
		courses, items = append(courses, r.Course), append(items, r.Item)
	}
	byName, err := Resolve(ctx, tx, who, system, courses)
	if err != nil {
		return nil, err
	}
	itemByName, err := framework.Resolve(ctx, tx, who, items)
	if err != nil {
		return nil, err
	}
	var ids []framework.ItemID
	for _, i := range itemByName {
		ids = append(ids, i)
	}
	levels, err := framework.LevelNames(ctx, tx, who, ids)
	if err != nil {
		return nil, err
	}
	have, err := haveMappings(ctx, tx, who, byName)
	if err != nil {
		return nil, err
	}
	out := make([]bulk.Outcome, len(rows))
	batch := &pgx.Batch{}
	for i, r := range rows {
		m, change, err := decideMapping(r, byName, itemByName, levels, have)
		if err != nil {
			out[i] = bulk.Fail(err)
			continue
		}
		out[i] = bulk.Outcome{Change: change, ID: string(m.CourseID)}
		if change == bulk.Unchanged {
			continue
		}
		have[Mapping{m.CourseID, m.ItemID, m.Stage, nil}] = r.TargetLevel
		batch.Queue(putCell, cellArgs(who, b.Now, m))
	}
	return out, tx.SendBatch(ctx, batch).Close()
}

// haveMappings are the target levels of the cells that are there.
func haveMappings(ctx context.Context, tx pgx.Tx, who access.Actor, courses map[string]Course) (map[Mapping]*string, error) {
	var ids []ID
	for _, c := range courses {
		ids = append(ids, c.ID)
	}
	all, err := mappingsOfCourses(ctx, tx, who, ids)
	have := make(map[Mapping]*string, len(all))
	for _, m := range all {
		have[Mapping{m.CourseID, m.ItemID, m.Stage, nil}] = m.TargetLevel
	}
	return have, err
}

func decideMapping(r MapRow, courses map[string]Course, items map[string]framework.ItemID, levels map[framework.ItemID]map[string]bool,
	have map[Mapping]*string) (Mapping, bulk.Change, *fault.Error) {
	c, ok := courses[r.Course]
	if !ok {
		return Mapping{}, "", fault.At("course_code", "course-known", "There is no course %q.", r.Course)
	}
	i, ok := items[r.Item]
	if !ok {
		return Mapping{}, "", fault.At("competency", "competency-known", "There is no competency %q, or more than one has this coding scheme.", r.Item)
	}
	if err := checkMapping(r.Stage, r.TargetLevel, levels[i]); err != nil {
		if err.Field == "targetLevel" {
			err.Field = "target_level"
		}
		return Mapping{}, "", err
	}
	m := Mapping{c.ID, i, r.Stage, r.TargetLevel}
	old, there := have[Mapping{c.ID, i, r.Stage, nil}]
	switch {
	case !there:
		return m, bulk.Created, nil
	case equal(old, r.TargetLevel):
		return m, bulk.Unchanged, nil
	}
	return m, bulk.Updated, nil
}
