package achievement

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/pg"
)

const columns = `a.id, a.ref_system, a.ref_value, a.uri, a.course_id, a.version, a.created_at, a.updated_at, a.retired_at, v.definition`

const joined = `achievement a
	join achievement_version v on v.institution_id = a.institution_id and v.achievement_id = a.id and v.version = a.version`

// add writes a new achievement with its first version and its alignments.
func add(ctx context.Context, tx pgx.Tx, who access.Actor, now time.Time, newID ID, d Draft, c *course.ID) (Achievement, error) {
	at := pg.Instant(now)
	a := Achievement{ID: newID, URI: d.URI, CourseID: c, Version: 1, CreatedAt: at, UpdatedAt: at, Definition: d.Definition}
	if d.Ref != nil {
		a.RefSystem, a.RefValue = &d.Ref.System, &d.Ref.Value
	}
	_, err := tx.Exec(ctx, `
		insert into achievement (institution_id, id, ref_system, ref_value, uri, course_id, version, name, achievement_type, human_code,
			content_hash, created_at, updated_at)
		values (@institution, @id, @system, @value, @uri, @course, 1, @name, @type, @code, @hash, @now, @now)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": a.ID, "system": a.RefSystem, "value": a.RefValue, "uri": a.URI, "course": c,
			"name": d.Definition.Name, "type": d.Definition.AchievementType, "code": optional(d.Definition.HumanCode), "hash": hash(d.Definition), "now": at})
	switch pg.Constraint(err) {
	case "achievement_uri_once":
		return a, &fault.Error{Kind: fault.Conflict, Field: "uri", Rule: "uri-once", Message: "Another achievement is published at this address."}
	case "achievement_ref_once":
		return a, &fault.Error{Kind: fault.Conflict, Field: "externalRef", Rule: "ref-once", Message: "Another achievement has this external reference."}
	}
	if err != nil {
		return a, err
	}
	return a, addVersion(ctx, tx, who, a)
}

// revise writes the next version and puts its alignments in place of the last.
func revise(ctx context.Context, tx pgx.Tx, who access.Actor, now time.Time, a Achievement, d Definition) (Achievement, error) {
	a.Version, a.UpdatedAt, a.Definition = a.Version+1, pg.Instant(now), d
	_, err := tx.Exec(ctx, `
		update achievement set version = @version, name = @name, achievement_type = @type, human_code = @code, content_hash = @hash, updated_at = @now
		where institution_id = @institution and id = @id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": a.ID, "version": a.Version, "name": d.Name, "type": d.AchievementType,
			"code": optional(d.HumanCode), "hash": hash(d), "now": a.UpdatedAt})
	if err != nil {
		return a, err
	}
	return a, addVersion(ctx, tx, who, a)
}

func addVersion(ctx context.Context, tx pgx.Tx, who access.Actor, a Achievement) error {
	_, err := tx.Exec(ctx, `
		insert into achievement_version (institution_id, achievement_id, version, definition, content_hash, recorded_at, recorded_by)
		values (@institution, @id, @version, @definition, @hash, @now, @by)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": a.ID, "version": a.Version, "definition": a.Definition, "hash": hash(a.Definition),
			"now": a.UpdatedAt, "by": who.ID})
	if err != nil {
		return err
	}
	return putAlignments(ctx, tx, who, a)
}

// putAlignments writes the alignments of the present version, resolved to our
// own items and courses.
func putAlignments(ctx context.Context, tx pgx.Tx, who access.Actor, a Achievement) error {
	args := pgx.NamedArgs{"institution": who.InstitutionID, "id": a.ID}
	if _, err := tx.Exec(ctx, `delete from achievement_alignment where institution_id = @institution and achievement_id = @id`, args); err != nil {
		return err
	}
	all := alignmentsOf(a.Definition)
	if len(all) == 0 {
		return nil
	}
	var names []string
	for _, x := range all {
		names = append(names, x.TargetURL)
		if x.TargetCode != nil {
			names = append(names, *x.TargetCode)
		}
	}
	items, err := framework.Resolve(ctx, tx, who, names)
	if err != nil {
		return err
	}
	courses, err := course.Resolve(ctx, tx, who, "", courseNames(all))
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	for _, x := range all {
		resolve(&x, items, courses)
		batch.Queue(`
			insert into achievement_alignment (institution_id, achievement_id, position, part, target_type, target_url, target_name, target_code, item_id, course_id)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			who.InstitutionID, a.ID, x.Position, x.Part, x.TargetType, x.TargetURL, x.TargetName, x.TargetCode, x.ItemID, x.CourseID)
	}
	return tx.SendBatch(ctx, batch).Close()
}

func courseNames(all []Alignment) []string {
	var names []string
	for _, x := range all {
		if c, ok := courseOf(x.TargetURL); ok {
			names = append(names, string(c))
		}
	}
	return names
}

func resolve(x *Alignment, items map[string]framework.ItemID, courses map[string]course.Course) {
	if i, ok := items[x.TargetURL]; ok {
		x.ItemID = &i
	} else if x.TargetCode != nil && strings.Count(*x.TargetCode, "-") == 4 {
		if i, ok := items[*x.TargetCode]; ok {
			x.ItemID = &i
		}
	}
	if name, ok := courseOf(x.TargetURL); ok {
		if c, ok := courses[string(name)]; ok {
			x.CourseID = &c.ID
		}
	}
}

func retire(ctx context.Context, tx pgx.Tx, who access.Actor, a ID, now time.Time) error {
	_, err := tx.Exec(ctx, `update achievement set retired_at = @now, updated_at = @now where institution_id = @institution and id = @id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": a, "now": now})
	return err
}

// InTx is one achievement in another noun's transaction.
func InTx(ctx context.Context, tx pgx.Tx, who access.Actor, name string) (Achievement, error) {
	return find(ctx, tx, who, name, "")
}

func find(ctx context.Context, tx pgx.Tx, who access.Actor, name, lock string) (Achievement, error) {
	ref, _ := id.ParseRef(name)
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from `+joined+`
		where a.institution_id = @institution
		  and (a.id = @name or a.uri = @name or (a.ref_system = @system and a.ref_value = @value))`+lock,
		pgx.NamedArgs{"institution": who.InstitutionID, "name": name, "system": ref.System, "value": ref.Value})
	a, err := pg.CollectOne[Achievement](rows)
	if errors.Is(err, pgx.ErrNoRows) {
		return a, fault.Missing("achievement")
	}
	return a, err
}

func list(ctx context.Context, tx pgx.Tx, who access.Actor, f Filter, after cursor, limit int) ([]Achievement, error) {
	var text *string
	if f.Text != nil {
		t := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(*f.Text) + "%"
		text = &t
	}
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from `+joined+`
		where a.institution_id = @institution and (a.name collate "C", a.id) > (@name, @id)
		  and (@retired or a.retired_at is null)
		  and (@type::text is null or a.achievement_type = @type)
		  and (@text::text is null or a.name ilike @text)
		  and (@item::text is null or exists (select from achievement_alignment l
			where l.institution_id = a.institution_id and l.achievement_id = a.id and l.item_id = @item))
		  and (@aligned::bool is null or @aligned = exists (select from achievement_alignment l
			where l.institution_id = a.institution_id and l.achievement_id = a.id and l.item_id is not null))
		order by a.name collate "C", a.id
		limit @limit`,
		pgx.NamedArgs{"institution": who.InstitutionID, "name": after.Name, "id": after.ID, "retired": f.Retired, "type": f.Type, "text": text,
			"item": f.ItemID, "aligned": f.Aligned, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Achievement])
}

func byIDs(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Achievement, error) {
	rows, _ := tx.Query(ctx, `select `+columns+` from `+joined+` where a.institution_id = @institution and a.id = any(@ids)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Achievement])
}

// VersionsInTx are pinned versions in another noun's transaction.
func VersionsInTx(ctx context.Context, tx pgx.Tx, who access.Actor, pins []Pin) (map[Pin]Version, error) {
	var ids []ID
	var versions []int
	for _, p := range pins {
		ids, versions = append(ids, p.AchievementID), append(versions, p.Version)
	}
	rows, _ := tx.Query(ctx, `
		select v.achievement_id, v.version, v.definition, v.recorded_at, v.recorded_by
		from unnest(@ids::text[], @versions::int[]) as p (id, version)
		join achievement_version v on v.institution_id = @institution and v.achievement_id = p.id and v.version = p.version`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "versions": versions})
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[Version])
	all := make(map[Pin]Version, len(found))
	for _, v := range found {
		all[Pin{v.AchievementID, v.Version}] = v
	}
	return all, err
}

// ByIDsInTx are achievements by id in another noun's transaction.
func ByIDsInTx(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) (map[ID]Achievement, error) {
	rows, err := byIDs(ctx, tx, who, ids)
	all := make(map[ID]Achievement, len(rows))
	for _, a := range rows {
		all[a.ID] = a
	}
	return all, err
}

func versionsOf(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Version, error) {
	rows, _ := tx.Query(ctx, `
		select achievement_id, version, definition, recorded_at, recorded_by
		from achievement_version
		where institution_id = @institution and achievement_id = any(@ids)
		order by achievement_id, version desc`, pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Version])
}

const alignmentColumns = `achievement_id, position, part, target_type, target_url, target_name, target_code, item_id, course_id`

func alignmentsOfAchievements(ctx context.Context, tx pgx.Tx, who access.Actor, ids []ID) ([]Alignment, error) {
	rows, _ := tx.Query(ctx, `
		select `+alignmentColumns+`
		from achievement_alignment
		where institution_id = @institution and achievement_id = any(@ids)
		order by achievement_id, position`, pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Alignment])
}

func alignmentsOfItems(ctx context.Context, tx pgx.Tx, who access.Actor, ids []framework.ItemID) ([]Alignment, error) {
	rows, _ := tx.Query(ctx, `
		select `+alignmentColumns+`
		from achievement_alignment
		where institution_id = @institution and item_id = any(@ids)
		order by item_id, achievement_id, position`, pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Alignment])
}

func alignmentsOfCourses(ctx context.Context, tx pgx.Tx, who access.Actor, ids []course.ID) ([]Alignment, error) {
	rows, _ := tx.Query(ctx, `
		select `+alignmentColumns+`
		from achievement_alignment
		where institution_id = @institution and course_id = any(@ids)
		order by course_id, achievement_id, position`, pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Alignment])
}

// Resolve finds achievements for an import: each name is an id, a uri, a value
// of the external system or a human code that only one has.
func Resolve(ctx context.Context, tx pgx.Tx, who access.Actor, system string, names []string) (map[string]Achievement, error) {
	rows, _ := tx.Query(ctx, `
		select `+columns+`
		from `+joined+`
		where a.institution_id = @institution
		  and (a.id = any(@names) or a.uri = any(@names) or a.human_code = any(@names) or (a.ref_system = @system and a.ref_value = any(@names)))`,
		bulk.Planned, pgx.NamedArgs{"institution": who.InstitutionID, "system": system, "names": names})
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[Achievement])
	if err != nil {
		return nil, err
	}
	all, codes := make(map[string]Achievement, len(found)), map[string]int{}
	for _, a := range found {
		if code := a.Definition.HumanCode; code != "" && a.RetiredAt == nil {
			all[code] = a
			codes[code]++
		}
	}
	for code, n := range codes {
		if n > 1 {
			delete(all, code)
		}
	}
	for _, a := range found {
		if a.RefValue != nil && *a.RefSystem == system {
			all[*a.RefValue] = a
		}
		if a.URI != nil {
			all[*a.URI] = a
		}
		all[string(a.ID)] = a
	}
	return all, nil
}
