package achievement

import (
	"bytes"
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/fault"
)

// Import adds or revises achievements in the caller's transaction, found by uri
// or external reference, one of which every row must have. It writes no audit
// line: the job does.
func Import(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, rows []Draft) ([]bulk.Outcome, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return nil, err
	}
	out := make([]bulk.Outcome, len(rows))
	for i, d := range rows {
		d = d.whole()
		if err := d.check(); err != nil {
			out[i] = bulk.Fail(err)
			continue
		}
		name, ok := d.name()
		if !ok {
			out[i] = bulk.Fail(fault.At("id", "required", "An imported achievement needs an id that is an address, so that the next import finds it again."))
			continue
		}
		o, err := importOne(ctx, tx, who, b, name, d)
		if err != nil {
			return nil, err
		}
		out[i] = o
	}
	return out, nil
}

// name is what an imported achievement is found by.
func (d Draft) name() (string, bool) {
	switch {
	case d.URI != nil:
		return *d.URI, true
	case d.Ref != nil:
		return d.Ref.String(), true
	}
	return "", false
}

func importOne(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, name string, d Draft) (bulk.Outcome, error) {
	old, err := find(ctx, tx, who, name, " for update of a")
	if fault.KindOf(err) == fault.NotFound {
		a, err := add(ctx, tx, who, b.Now, ID(b.NewID("ach")), d, nil)
		return bulk.Outcome{Change: bulk.Created, ID: string(a.ID)}, err
	}
	if err != nil {
		return bulk.Outcome{}, err
	}
	if bytes.Equal(hash(old.Definition), hash(d.Definition)) {
		return bulk.Outcome{Change: bulk.Unchanged, ID: string(old.ID)}, nil
	}
	_, err = revise(ctx, tx, who, b.Now, old, d.Definition)
	return bulk.Outcome{Change: bulk.Updated, ID: string(old.ID)}, err
}

// ForCourses is the achievement that each course's completion is, made or
// brought up to date where it is missing or behind. The system does it on
// behalf of whoever awards, who need not be able to define achievements.
func ForCourses(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, courses []course.Course) (map[course.ID]Achievement, error) {
	var ids []course.ID
	for _, c := range courses {
		ids = append(ids, c.ID)
	}
	rows, _ := tx.Query(ctx, `select `+columns+` from `+joined+` where a.institution_id = @institution and a.course_id = any(@ids)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[Achievement])
	if err != nil {
		return nil, err
	}
	all := make(map[course.ID]Achievement, len(courses))
	for _, a := range found {
		all[*a.CourseID] = a
	}
	for _, c := range courses {
		a, there := all[c.ID]
		d := ofCourse(c)
		switch {
		case !there:
			a, err = add(ctx, tx, who, b.Now, ID(b.NewID("ach")), Draft{Definition: d}, &c.ID)
		case a.Definition.Name != d.Name || a.Definition.HumanCode != d.HumanCode:
			d.Alignment = a.Definition.Alignment
			a, err = revise(ctx, tx, who, b.Now, a, d)
		}
		if err != nil {
			return nil, err
		}
		all[c.ID] = a
	}
	return all, nil
}
