package course

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/shelves"
)

// Service keeps courses.
type Service struct {
	DB    *pg.DB
	Now   func() time.Time
	NewID id.Source

	known      shelves.Shelf[ID, Course]
	mapped     shelves.Shelf[ID, []Mapping]
	Frameworks *framework.Service // for the graphs that a coverage is worked out on
}

// Define adds a course; Conflict when the code or reference is taken.
func (s *Service) Define(ctx context.Context, who access.Actor, d Definition) (Course, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Course{}, err
	}
	if err := d.Check(); err != nil {
		return Course{}, err
	}
	now := pg.Instant(s.Now())
	c := d.of(Course{ID: ID(s.NewID("crs")), Version: 1, CreatedAt: now, UpdatedAt: now})
	if d.Ref != nil {
		c.RefSystem, c.RefValue = &d.Ref.System, &d.Ref.Value
	}
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		if err := insert(ctx, tx, who, c); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.DefineCatalog, Target: string(c.ID), Detail: map[string]any{"code": c.Code}})
	})
	return c, err
}

// of is the course with the definition put on it, the reference aside.
func (d Definition) of(c Course) Course {
	c.Code, c.Title, c.Description, c.Credits = d.Code, d.Title, d.Description, d.Credits
	c.Level, c.FieldOfStudy, c.Language = d.Level, d.FieldOfStudy, d.Language
	return c
}

func (c Course) same(o Course) bool {
	return c.Code == o.Code && c.Title == o.Title && equal(c.Description, o.Description) && equal(c.Credits, o.Credits) &&
		equal(c.Level, o.Level) && equal(c.FieldOfStudy, o.FieldOfStudy) && equal(c.Language, o.Language) && equal(c.RetiredAt, o.RetiredAt)
}

func equal[T comparable](a, b *T) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

// Revise replaces the definition. Conflict when expected is given and is not
// the present version.
func (s *Service) Revise(ctx context.Context, who access.Actor, course string, expected *int, d Definition) (Course, error) {
	return s.change(ctx, who, course, expected, func(c *Course) error {
		if err := d.Check(); err != nil {
			return err
		}
		*c = d.of(*c)
		return nil
	})
}

// Retire takes a course out of use; what was completed stays.
func (s *Service) Retire(ctx context.Context, who access.Actor, course string) (Course, error) {
	now := pg.Instant(s.Now())
	return s.change(ctx, who, course, nil, func(c *Course) error {
		if c.RetiredAt == nil {
			c.RetiredAt = &now
		}
		return nil
	})
}

func (s *Service) change(ctx context.Context, who access.Actor, course string, expected *int, decide func(*Course) error) (Course, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Course{}, err
	}
	var c Course
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if c, err = find(ctx, tx, who, course, " for update"); err != nil {
			return err
		}
		if expected != nil && *expected != c.Version {
			return &fault.Error{Kind: fault.Conflict, Field: "expectedVersion", Rule: "version", Message: "This course was changed since you read it. Read it again and decide."}
		}
		old := c
		if err := decide(&c); err != nil || c.same(old) {
			return err
		}
		c.Version, c.UpdatedAt = c.Version+1, pg.Instant(s.Now())
		if err := update(ctx, tx, who, c); err != nil {
			return err
		}
		return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.DefineCatalog, Target: string(c.ID), Detail: map[string]any{"version": c.Version}})
	})
	return c, err
}

// Map says that a course touches a competency; a cell that is there already
// takes the new target level.
func (s *Service) Map(ctx context.Context, who access.Actor, course, item, stage string, target *string) (Mapping, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Mapping{}, err
	}
	var m Mapping
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		c, err := find(ctx, tx, who, course, "")
		if err != nil {
			return err
		}
		i, err := framework.ItemInTx(ctx, tx, who, item)
		if err != nil {
			return err
		}
		levels, err := framework.LevelNames(ctx, tx, who, []framework.ItemID{i.ID})
		if err != nil {
			return err
		}
		if err := checkMapping(stage, target, levels[i.ID]); err != nil {
			return err
		}
		m = Mapping{c.ID, i.ID, stage, target}
		changed, err := putMapping(ctx, tx, who, s.Now(), m)
		if err != nil || !changed {
			return err
		}
		return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.DefineCatalog, Target: string(c.ID), Detail: map[string]any{"mapped": i.ID, "stage": stage}})
	})
	return m, err
}

// Unmap takes a cell out of the curriculum map; NotFound when it is not there. A
// state as known before does not change by it.
func (s *Service) Unmap(ctx context.Context, who access.Actor, course, item, stage string) error {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return err
	}
	return s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		c, err := find(ctx, tx, who, course, "")
		if err != nil {
			return err
		}
		i, err := framework.ItemInTx(ctx, tx, who, item)
		if err != nil {
			return err
		}
		if err := deleteMapping(ctx, tx, who, s.Now(), Mapping{CourseID: c.ID, ItemID: i.ID, Stage: stage}); err != nil {
			return err
		}
		return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.DefineCatalog, Target: string(c.ID), Detail: map[string]any{"unmapped": i.ID, "stage": stage}})
	})
}

// Find is one course by id, code or ref:SYSTEM:VALUE.
func (s *Service) Find(ctx context.Context, who access.Actor, course string) (Course, error) {
	var c Course
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		c, err = find(ctx, tx, who, course, "")
		return err
	})
	return c, err
}

// Filter narrows a list.
type Filter struct {
	Text    *string // part of code or title
	Retired bool    // retired courses as well
}

type cursor struct {
	Code string `json:"c"`
	ID   ID     `json:"i"`
}

// List are courses by code.
func (s *Service) List(ctx context.Context, who access.Actor, f Filter, a page.Args) (page.Connection[Course], error) {
	var c page.Connection[Course]
	limit, after, _, err := page.Start[cursor](a)
	if err != nil {
		return c, err
	}
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := list(ctx, tx, who, f, after, limit+1)
		c = page.Of(rows, limit, a, func(c Course) cursor { return cursor{c.Code, c.ID} })
		return err
	})
	return c, err
}

// ByIDs are courses by id.
func (s *Service) ByIDs(ctx context.Context, who access.Actor, ids []ID) (map[ID]Course, error) {
	var all map[ID]Course
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		all, err = s.known.Take(ctx, tx, who, ids, func(ids []ID) (map[ID]Course, error) {
			rows, err := byIDs(ctx, tx, who, ids)
			all := make(map[ID]Course, len(rows))
			for _, c := range rows {
				all[c.ID] = c
			}
			return all, err
		})
		return err
	})
	return all, err
}

// CompetenciesOf are the cells of the map for each course.
func (s *Service) CompetenciesOf(ctx context.Context, who access.Actor, ids []ID) (map[ID][]Mapping, error) {
	var all map[ID][]Mapping
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		all, err = s.mapped.Take(ctx, tx, who, ids, func(ids []ID) (map[ID][]Mapping, error) {
			rows, err := mappingsOfCourses(ctx, tx, who, ids)
			all := make(map[ID][]Mapping, len(rows))
			for _, m := range rows {
				all[m.CourseID] = append(all[m.CourseID], m)
			}
			return all, err
		})
		return err
	})
	return all, err
}

// CoursesOf are the cells of the map for each competency.
func (s *Service) CoursesOf(ctx context.Context, who access.Actor, ids []framework.ItemID) (map[framework.ItemID][]Mapping, error) {
	all := make(map[framework.ItemID][]Mapping, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := mappingsOfItems(ctx, tx, who, ids)
		for _, m := range rows {
			all[m.ItemID] = append(all[m.ItemID], m)
		}
		return err
	})
	return all, err
}

func (s *Service) read(ctx context.Context, who access.Actor, fn func(pgx.Tx) error) error {
	if err := access.Check(who, access.ReadCatalog); err != nil {
		return err
	}
	return s.DB.Snapshot(ctx, who, fn)
}
