package framework

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/shelves"
	"github.com/testamur/testamur/internal/spec/imscase"
)

// Service keeps frameworks.
type Service struct {
	DB     *pg.DB
	Now    func() time.Time
	NewID  id.Source
	Origin string // https origin of the addresses of what is made here

	known shelves.Shelf[ID, Framework]
	items shelves.Shelf[ItemID, Item]
	paths shelves.Shelf[ItemID, []Item]

	graphs    shelf[*Graph]
	crossings shelf[*Crossings]
}

// Import reads one CASE package, whole or not at all. *imscase.Refused says by
// name of rule why not.
func (s *Service) Import(ctx context.Context, who access.Actor, r io.Reader) (Loaded, error) {
	var l Loaded
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if l, err = Load(ctx, tx, who, bulk.Batch{Now: s.Now(), NewID: s.NewID}, r); err != nil {
			return err
		}
		if l.Created+l.Updated+l.Retired == 0 {
			return nil
		}
		return audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.DefineCatalog, Target: string(l.Framework),
			Detail: map[string]any{"created": l.Created, "updated": l.Updated, "retired": l.Retired}})
	})
	return l, err
}

// Export writes a version of the framework, 0 the present one, as the CASE
// package that it came in as.
func (s *Service) Export(ctx context.Context, who access.Actor, framework string, version int, w io.Writer) error {
	return s.read(ctx, who, func(tx pgx.Tx) error {
		f, err := openTo(ctx, tx, who, framework)
		if err != nil {
			return err
		}
		v, err := versionInTx(ctx, tx, who, f.ID, version)
		if err != nil {
			return err
		}
		parts, err := sources(ctx, tx, who, f.ID, v.Version)
		if err != nil {
			return err
		}
		return imscase.Write(w, parts)
	})
}

// sources are the objects of a version as they came in. A member that the
// package did not have stays out.
func sources(ctx context.Context, tx pgx.Tx, who access.Actor, f ID, version int) (imscase.Parts, error) {
	var p imscase.Parts
	args := pgx.NamedArgs{"institution": who.InstitutionID, "framework": f, "version": version}
	var document string
	var items, links, rubrics bool
	err := tx.QueryRow(ctx, `
		select (select source from (`+documentAt+`) as o), exists (`+itemsAt+`), exists (`+linksAt+`), exists (`+rubricsAt+`)`,
		args).Scan(&document, &items, &links, &rubrics)
	if err != nil {
		return p, err
	}
	var whole struct {
		Document    json.RawMessage `json:"CFDocument"`
		Definitions json.RawMessage `json:"CFDefinitions"`
		Extensions  json.RawMessage `json:"extensions"`
	}
	if err := json.Unmarshal([]byte(document), &whole); err != nil {
		return p, err
	}
	p.Document, p.Definitions, p.Extensions = whole.Document, whole.Definitions, whole.Extensions
	for _, list := range []struct {
		any  bool
		sql  string
		into *iter.Seq2[json.RawMessage, error]
	}{{items, itemsAt, &p.Items}, {links, linksAt, &p.Associations}, {rubrics, rubricsAt, &p.Rubrics}} {
		if list.any {
			*list.into = each(ctx, tx, `select source from (`+list.sql+`) as o order by position, object_id`, args)
		}
	}
	return p, nil
}

func each(ctx context.Context, tx pgx.Tx, sql string, args pgx.NamedArgs) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		rows, err := tx.Query(ctx, sql, args)
		if err != nil {
			yield(nil, err)
			return
		}
		defer rows.Close()
		var raw string
		for rows.Next() {
			if err := rows.Scan(&raw); err != nil || !yield(json.RawMessage(raw), nil) {
				yieldError(yield, err)
				return
			}
		}
		yieldError(yield, rows.Err())
	}
}

func yieldError(yield func(json.RawMessage, error) bool, err error) {
	if err != nil {
		yield(nil, err)
	}
}

// Find is one framework by id, CASE identifier or ref:SYSTEM:VALUE.
func (s *Service) Find(ctx context.Context, who access.Actor, framework string) (Framework, error) {
	var f Framework
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		f, err = find(ctx, tx, who, framework)
		return err
	})
	return f, err
}

// Filter narrows a list of frameworks.
type Filter struct {
	Text *string // part of the title
}

type frameworkCursor struct {
	Title string `json:"t"`
	ID    ID     `json:"i"`
}

// List are the frameworks by title.
func (s *Service) List(ctx context.Context, who access.Actor, f Filter, a page.Args) (page.Connection[Framework], error) {
	var c page.Connection[Framework]
	limit, after, _, err := page.Start[frameworkCursor](a)
	if err != nil {
		return c, err
	}
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := listFrameworks(ctx, tx, who, f, after, limit+1)
		c = page.Of(rows, limit, a, func(f Framework) frameworkCursor { return frameworkCursor{f.Title, f.ID} })
		return err
	})
	return c, err
}

// ItemFilter narrows a list of items.
type ItemFilter struct {
	Text    *string // part of a statement, or the whole coding scheme
	Type    *string // CFItemType
	Retired bool    // retired items as well
}

type itemCursor struct {
	Position int    `json:"p"`
	ID       ItemID `json:"i"`
}

// ItemsOf are the items of each framework in the package's order, one page of
// each.
func (s *Service) ItemsOf(ctx context.Context, who access.Actor, ids []ID, f ItemFilter, a page.Args) (map[ID]page.Connection[Item], error) {
	return pages(ctx, s, who, ids, a, func(tx pgx.Tx, after itemCursor, limit int) ([]Item, error) {
		return itemsOf(ctx, tx, who, ids, f, after, limit)
	}, func(i Item) ID { return i.FrameworkID })
}

// Child is an item below another.
type Child struct {
	Item
	ParentID ItemID
}

// ChildrenOf are the items below each item, one page of each.
func (s *Service) ChildrenOf(ctx context.Context, who access.Actor, ids []ItemID, a page.Args) (map[ItemID]page.Connection[Item], error) {
	all, err := pages(ctx, s, who, ids, a, func(tx pgx.Tx, after itemCursor, limit int) ([]Child, error) {
		return childrenOf(ctx, tx, who, ids, after, limit)
	}, func(c Child) ItemID { return c.ParentID })
	out := make(map[ItemID]page.Connection[Item], len(all))
	for k, c := range all {
		out[k] = items(c)
	}
	return out, err
}

func items(c page.Connection[Child]) page.Connection[Item] {
	return page.Map(c, func(c Child) Item { return c.Item })
}

// pages cuts one statement's rows, at most limit+1 for each key, into a page
// for each key.
func pages[K comparable, T interface{ cursor() itemCursor }](ctx context.Context, s *Service, who access.Actor, keys []K, a page.Args,
	query func(pgx.Tx, itemCursor, int) ([]T, error), key func(T) K) (map[K]page.Connection[T], error) {
	limit, after, _, err := page.Start[itemCursor](a)
	if err != nil {
		return nil, err
	}
	var out map[K]page.Connection[T]
	err = s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := query(tx, after, limit+1)
		out = page.Each(keys, rows, limit, a, key, T.cursor)
		return err
	})
	return out, err
}

func (i Item) cursor() itemCursor { return itemCursor{i.Position, i.ID} }

// ParentsOf are the items directly above each item.
func (s *Service) ParentsOf(ctx context.Context, who access.Actor, ids []ItemID) (map[ItemID][]Item, error) {
	out := make(map[ItemID][]Item, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := parentsOf(ctx, tx, who, ids)
		for _, r := range rows {
			out[r.ParentID] = append(out[r.ParentID], r.Item)
		}
		return err
	})
	return out, err
}

// PathsOf are the items from the top of the framework down to each item, the
// item itself last. Where an item has several parents the first in the package
// counts; a cycle ends the path.
func (s *Service) PathsOf(ctx context.Context, who access.Actor, ids []ItemID) (map[ItemID][]Item, error) {
	var all map[ItemID][]Item
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		all, err = s.paths.Take(ctx, tx, who, ids, func(ids []ItemID) (map[ItemID][]Item, error) {
			rows, err := pathsOf(ctx, tx, who, ids)
			all := make(map[ItemID][]Item, len(rows))
			for _, r := range rows {
				all[r.ParentID] = append(all[r.ParentID], r.Item)
			}
			return all, err
		})
		return err
	})
	return all, err
}

// ByIDs are frameworks by id.
func (s *Service) ByIDs(ctx context.Context, who access.Actor, ids []ID) (map[ID]Framework, error) {
	var all map[ID]Framework
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		all, err = s.known.Take(ctx, tx, who, ids, func(ids []ID) (map[ID]Framework, error) {
			rows, err := byIDs(ctx, tx, who, ids)
			all := make(map[ID]Framework, len(rows))
			for _, f := range rows {
				all[f.ID] = f
			}
			return all, err
		})
		return err
	})
	return all, err
}

// FindItem is one item by id or CASE identifier.
func (s *Service) FindItem(ctx context.Context, who access.Actor, item string) (Item, error) {
	var i Item
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		i, err = ItemInTx(ctx, tx, who, item)
		return err
	})
	return i, err
}

// ItemsByIDs are items by id.
func (s *Service) ItemsByIDs(ctx context.Context, who access.Actor, ids []ItemID) (map[ItemID]Item, error) {
	var all map[ItemID]Item
	err := s.read(ctx, who, func(tx pgx.Tx) (err error) {
		all, err = s.items.Take(ctx, tx, who, ids, func(ids []ItemID) (map[ItemID]Item, error) {
			rows, err := itemsByIDs(ctx, tx, who, ids)
			all := make(map[ItemID]Item, len(rows))
			for _, i := range rows {
				all[i.ID] = i
			}
			return all, err
		})
		return err
	})
	return all, err
}

// AssociationsOf are the associations with each item at either end.
func (s *Service) AssociationsOf(ctx context.Context, who access.Actor, ids []ItemID) (map[ItemID][]Association, error) {
	out := make(map[ItemID][]Association, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := associationsOf(ctx, tx, who, ids)
		for _, a := range rows {
			out[a.ItemID] = append(out[a.ItemID], a)
		}
		return err
	})
	return out, err
}

// RubricsOf are the rubrics of each framework.
func (s *Service) RubricsOf(ctx context.Context, who access.Actor, ids []ID) (map[ID][]Rubric, error) {
	out := make(map[ID][]Rubric, len(ids))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := rubricsOf(ctx, tx, who, ids)
		for _, r := range rows {
			out[r.FrameworkID] = append(out[r.FrameworkID], r)
		}
		return err
	})
	return out, err
}

// CriteriaOf are the criteria of each rubric.
func (s *Service) CriteriaOf(ctx context.Context, who access.Actor, rubrics []string) (map[string][]Criterion, error) {
	out := make(map[string][]Criterion, len(rubrics))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := criteriaOf(ctx, tx, who, rubrics)
		for _, c := range rows {
			out[c.RubricID] = append(out[c.RubricID], c)
		}
		return err
	})
	return out, err
}

// LevelsOf are the levels of each criterion, lowest first.
func (s *Service) LevelsOf(ctx context.Context, who access.Actor, criteria []string) (map[string][]Level, error) {
	out := make(map[string][]Level, len(criteria))
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		rows, err := levelsOf(ctx, tx, who, criteria)
		for _, l := range rows {
			out[l.CriterionID] = append(out[l.CriterionID], l)
		}
		return err
	})
	return out, err
}

func (s *Service) read(ctx context.Context, who access.Actor, fn func(pgx.Tx) error) error {
	if err := access.Check(who, access.ReadCatalog); err != nil {
		return err
	}
	return s.DB.Snapshot(ctx, who, fn)
}
