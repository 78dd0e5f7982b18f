package framework

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/page"
)

// Version is one state that a framework was in, from RecordedAt until the next.
type Version struct {
	FrameworkID ID
	Version     int
	ID          string  // fwv_ and text; names this state for good
	Label       *string // the maker's own version
	Reason      string  // such as imported or edited
	Added       int     // objects: the document, items, associations, rubrics
	Changed     int
	Retired     int
	RecordedAt  time.Time
	RecordedBy  string
}

const versionColumns = `framework_id, version, id, label, reason, added, changed, retired, recorded_at, recorded_by`

// versionInTx is one version of a framework; 0 is the present one.
func versionInTx(ctx context.Context, tx pgx.Tx, who access.Actor, f ID, version int) (Version, error) {
	rows, _ := tx.Query(ctx, `
		select `+versionColumns+`
		from framework_version
		where institution_id = @institution and framework_id = @framework
		  and version = case when @version = 0 then (select version from framework where institution_id = @institution and id = @framework) else @version end`,
		pgx.NamedArgs{"institution": who.InstitutionID, "framework": f, "version": version})
	v, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Version])
	if errors.Is(err, pgx.ErrNoRows) {
		return v, fault.Missing("framework version")
	}
	return v, err
}

// object is an item, association or rubric as it stood in a version.
type object struct {
	Identifier string
	ObjectID   string
	Position   int
	Source     string
}

// The objects of one kind as they stood in @version, from the table of the
// present and from the past.
const (
	itemsAt = `
		select identifier, id as object_id, position, source
		from framework_item
		where institution_id = @institution and framework_id = @framework and since_version <= @version
		  and (until_version is null or until_version > @version)
		union all ` + pastAt + `'item'`
	linksAt = `
		select identifier, id as object_id, position, source
		from framework_association
		where institution_id = @institution and framework_id = @framework and since_version <= @version
		union all ` + pastAt + `'association'`
	rubricsAt = `
		select identifier, id as object_id, position, source
		from rubric
		where institution_id = @institution and framework_id = @framework and since_version <= @version
		union all ` + pastAt + `'rubric'`
	// the document with its definitions and extensions, as framework_past has it
	documentAt = `
		select identifier, id as object_id, 0 as position, '{"CFDocument":' || source || coalesce(',"CFDefinitions":' || definitions, '')
			|| coalesce(',"extensions":' || extensions, '') || '}' as source
		from framework
		where institution_id = @institution and id = @framework and since_version <= @version
		union all ` + pastAt + `'document'`
	pastAt = `
		select identifier, object_id, position, source
		from framework_past
		where institution_id = @institution and framework_id = @framework and since_version <= @version and until_version > @version and kind = `

	// items that had been in the framework before, as they last were
	retiredAt = `
		select distinct on (identifier) identifier, object_id, position, source
		from (
			select identifier, id as object_id, position, source, until_version
			from framework_item
			where institution_id = @institution and framework_id = @framework and until_version <= @version
			union all
			select identifier, object_id, position, source, until_version
			from framework_past
			where institution_id = @institution and framework_id = @framework and until_version <= @version and kind = 'item') as before
		where identifier not in (select identifier from (` + itemsAt + `) as live)
		order by identifier, until_version desc`
)

func objects(ctx context.Context, tx pgx.Tx, who access.Actor, sql string, f ID, version int) ([]object, error) {
	rows, _ := tx.Query(ctx, `select * from (`+sql+`) as o order by position, object_id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "framework": f, "version": version})
	return pgx.CollectRows(rows, pgx.RowToStructByName[object])
}

type versionCursor struct {
	Version int `json:"v"`
}

// VersionsOf are the versions of each framework, newest first, one page of
// each.
func (s *Service) VersionsOf(ctx context.Context, who access.Actor, ids []ID, a page.Args) (map[ID]page.Connection[Version], error) {
	limit, after, more, err := page.Start[versionCursor](a)
	if err != nil {
		return nil, err
	}
	var before *int
	if more {
		before = &after.Version
	}
	out := make(map[ID]page.Connection[Version], len(ids))
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, `
			select v.*
			from unnest(@ids::text[]) as f (id)
			cross join lateral (
				select `+versionColumns+`
				from framework_version
				where institution_id = @institution and framework_id = f.id and (@before::int is null or version < @before)
				order by version desc
				limit @limit) as v`,
			pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids, "before": before, "limit": limit + 1})
		all, err := pgx.CollectRows(rows, pgx.RowToStructByName[Version])
		byFramework := map[ID][]Version{}
		for _, v := range all {
			byFramework[v.FrameworkID] = append(byFramework[v.FrameworkID], v)
		}
		for _, id := range ids {
			out[id] = page.Of(byFramework[id], limit, a, func(v Version) versionCursor { return versionCursor{v.Version} })
		}
		return err
	})
	return out, err
}

// ProblemsOf are the cycles and orphans of each framework.
func (s *Service) ProblemsOf(ctx context.Context, who access.Actor, ids []ID) (map[ID][]Problem, error) {
	all := make(map[ID][]Problem, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		graphs, err := s.GraphsInTx(ctx, who, tx, ids)
		for id, g := range graphs {
			all[id] = g.Problems()
		}
		return err
	})
	return all, err
}
