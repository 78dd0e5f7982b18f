package achievement

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/shelves"
	"github.com/testamur/testamur/internal/spec/openbadges"
)

// Service keeps achievements.
type Service struct {
	DB    *pg.DB
	Now   func() time.Time
	NewID id.Source

	known   shelves.Shelf[ID, Achievement]
	pinned  shelves.Shelf[Pin, Version]
	aligned shelves.Shelf[ID, []Alignment]
}

// Define adds an achievement in its first version.
func (s *Service) Define(ctx context.Context, who access.Actor, d Draft) (Achievement, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Achievement{}, err
	}
	d = d.whole()
	if err := d.check(); err != nil {
		return Achievement{}, err
	}
	var a Achievement
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if a, err = add(ctx, tx, who, s.Now(), ID(s.NewID("ach")), d, nil); err != nil {
			return err
		}
		return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.DefineCatalog, Target: string(a.ID), Detail: map[string]any{"version": 1}})
	})
	return a, err
}

// Revise adds a version; a definition that is the same adds none.
func (s *Service) Revise(ctx context.Context, who access.Actor, achievement string, expected *int, d Definition) (Achievement, error) {
	return s.change(ctx, who, achievement, expected, func(pgx.Tx, Achievement) (Definition, error) { return d, nil })
}

// Align adds an alignment to a competency of ours, as a new version. Stated
// twice it is there once.
func (s *Service) Align(ctx context.Context, who access.Actor, achievement, item string) (Achievement, error) {
	return s.change(ctx, who, achievement, nil, func(tx pgx.Tx, a Achievement) (Definition, error) {
		i, err := framework.ItemInTx(ctx, tx, who, item)
		if err != nil {
			return Definition{}, err
		}
		to := openbadges.Alignment{TargetType: "CFItem", TargetURL: i.URI, TargetCode: i.Identifier, TargetName: i.FullStatement}
		if i.AbbreviatedStatement != nil {
			to.TargetName, to.TargetDescription = *i.AbbreviatedStatement, i.FullStatement
		}
		return aligned(a.Definition, to), nil
	})
}

// AlignCourse adds an alignment to a course of ours, as a new version.
func (s *Service) AlignCourse(ctx context.Context, who access.Actor, achievement, name string) (Achievement, error) {
	return s.change(ctx, who, achievement, nil, func(tx pgx.Tx, a Achievement) (Definition, error) {
		c, err := course.InTx(ctx, tx, who, name)
		if err != nil {
			return Definition{}, err
		}
		return aligned(a.Definition, openbadges.Alignment{TargetType: "ext:Course", TargetURL: courseURN(c.ID), TargetCode: c.Code, TargetName: c.Title}), nil
	})
}

func aligned(d Definition, to openbadges.Alignment) Definition {
	if !slices.ContainsFunc(d.Alignment, func(a openbadges.Alignment) bool { return a.TargetURL == to.TargetURL }) {
		d.Alignment = append(slices.Clone(d.Alignment), to)
	}
	return d
}

// Unalign takes the alignments to a target out, as a new version; NotFound when
// there is none.
func (s *Service) Unalign(ctx context.Context, who access.Actor, achievement, targetURL string) (Achievement, error) {
	return s.change(ctx, who, achievement, nil, func(_ pgx.Tx, a Achievement) (Definition, error) {
		d := a.Definition
		d.Alignment = slices.DeleteFunc(slices.Clone(d.Alignment), func(x openbadges.Alignment) bool { return x.TargetURL == targetURL })
		if len(d.Alignment) == len(a.Definition.Alignment) {
			return d, fault.Missing("alignment")
		}
		return d, nil
	})
}

func (s *Service) change(ctx context.Context, who access.Actor, achievement string, expected *int, decide func(pgx.Tx, Achievement) (Definition, error)) (Achievement, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Achievement{}, err
	}
	var a Achievement
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if a, err = find(ctx, tx, who, achievement, " for update of a"); err != nil {
			return err
		}
		if expected != nil && *expected != a.Version {
			return &fault.Error{Kind: fault.Conflict, Field: "expectedVersion", Rule: "version", Message: "This achievement was changed since you read it. Read it again and decide."}
		}
		next, err := decide(tx, a)
		if err != nil {
			return err
		}
		d := Draft{URI: a.URI, Definition: next}.whole()
		if err := d.check(); err != nil {
			return err
		}
		if bytes.Equal(hash(d.Definition), hash(a.Definition)) {
			return nil
		}
		if a, err = revise(ctx, tx, who, s.Now(), a, d.Definition); err != nil {
			return err
		}
		return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.DefineCatalog, Target: string(a.ID), Detail: map[string]any{"version": a.Version}})
	})
	return a, err
}

// Retire takes an achievement out of use: it is awarded no more, and what was
// awarded stays.
func (s *Service) Retire(ctx context.Context, who access.Actor, achievement string) (Achievement, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Achievement{}, err
	}
	var a Achievement
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if a, err = find(ctx, tx, who, achievement, " for update of a"); err != nil || a.RetiredAt != nil {
			return err
		}
		now := pg.Instant(s.Now())
		a.RetiredAt = &now
		if err := retire(ctx, tx, who, a.ID, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.DefineCatalog, Target: string(a.ID), Detail: map[string]any{"retired": true}})
	})
	return a, err
}

// Find is one achievement by id, uri or ref:SYSTEM:VALUE.
func (s *Service) Find(ctx context.Context, who access.Actor, achievement string) (Achievement, error) {
	var a Achievement
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		a, err = find(ctx, tx, who, achievement, "")
		return err
	})
	return a, err
}

// Filter narrows a list.
type Filter struct {
	Text    *string           // part of the name
	Type    *string           // achievementType
	ItemID  *framework.ItemID // aligned to this competency
	Aligned *bool             // to a competency that is here, or to none
	Retired bool              // retired achievements as well
}

type cursor struct {
	Name string `json:"n"`
	ID   ID     `json:"i"`
}

// List are achievements by name.
func (s *Service) List(ctx context.Context, who access.Actor, f Filter, a page.Args) (page.Connection[Achievement], error) {
	var c page.Connection[Achievement]
	limit, after, _, err := page.Start[cursor](a)
	if err != nil {
		return c, err
	}
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := list(ctx, tx, who, f, after, limit+1)
		c = page.Of(rows, limit, a, func(x Achievement) cursor { return cursor{x.Definition.Name, x.ID} })
		return err
	})
	return c, err
}

// ByIDs are achievements by id.
func (s *Service) ByIDs(ctx context.Context, who access.Actor, ids []ID) (map[ID]Achievement, error) {
	var all map[ID]Achievement
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		all, err = s.known.Take(ctx, tx, who, ids, func(ids []ID) (map[ID]Achievement, error) {
			rows, err := byIDs(ctx, tx, who, ids)
			all := make(map[ID]Achievement, len(rows))
			for _, a := range rows {
				all[a.ID] = a
			}
			return all, err
		})
		return err
	})
	return all, err
}

// Versions are the pinned versions.
func (s *Service) Versions(ctx context.Context, who access.Actor, pins []Pin) (map[Pin]Version, error) {
	var all map[Pin]Version
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		all, err = s.pinned.Take(ctx, tx, who, pins, func(pins []Pin) (map[Pin]Version, error) {
			return VersionsInTx(ctx, tx, who, pins)
		})
		return err
	})
	return all, err
}

// VersionsOf are all versions of each achievement, newest first.
func (s *Service) VersionsOf(ctx context.Context, who access.Actor, ids []ID) (map[ID][]Version, error) {
	all := make(map[ID][]Version, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := versionsOf(ctx, tx, who, ids)
		for _, v := range rows {
			all[v.AchievementID] = append(all[v.AchievementID], v)
		}
		return err
	})
	return all, err
}

// AlignmentsOf are the alignments of each achievement's present version.
func (s *Service) AlignmentsOf(ctx context.Context, who access.Actor, ids []ID) (map[ID][]Alignment, error) {
	var all map[ID][]Alignment
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		all, err = s.aligned.Take(ctx, tx, who, ids, func(ids []ID) (map[ID][]Alignment, error) {
			rows, err := alignmentsOfAchievements(ctx, tx, who, ids)
			all := make(map[ID][]Alignment, len(rows))
			for _, a := range rows {
				all[a.AchievementID] = append(all[a.AchievementID], a)
			}
			return all, err
		})
		return err
	})
	return all, err
}

// OfItems are the alignments that point to each competency, whichever part of
// an achievement they belong to.
func (s *Service) OfItems(ctx context.Context, who access.Actor, ids []framework.ItemID) (map[framework.ItemID][]Alignment, error) {
	all := make(map[framework.ItemID][]Alignment, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := alignmentsOfItems(ctx, tx, who, ids)
		for _, a := range rows {
			all[*a.ItemID] = append(all[*a.ItemID], a)
		}
		return err
	})
	return all, err
}

// OfCourses are the alignments that point to each course.
func (s *Service) OfCourses(ctx context.Context, who access.Actor, ids []course.ID) (map[course.ID][]Alignment, error) {
	all := make(map[course.ID][]Alignment, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := alignmentsOfCourses(ctx, tx, who, ids)
		for _, a := range rows {
			all[*a.CourseID] = append(all[*a.CourseID], a)
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
