package framework

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/spec/imscase"
)

// maxKept is how many items the graphs that are kept in memory have together.
const maxKept = 500_000

// shelf keeps what was made under names that never mean anything else, the
// least lately used making room. A zero shelf is empty.
type shelf[V any] struct {
	mu   sync.Mutex
	all  map[string]*kept[V]
	time uint64
	cost int
}

type kept[V any] struct {
	value V
	cost  int
	used  uint64
}

func (s *shelf[V]) find(name string) (V, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.all[name]
	if !ok {
		var none V
		return none, false
	}
	s.time++
	k.used = s.time
	return k.value, true
}

func (s *shelf[V]) keep(name string, v V, cost int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]*kept[V]{}
	}
	if _, ok := s.all[name]; ok {
		return
	}
	s.time++
	s.all[name], s.cost = &kept[V]{v, cost, s.time}, s.cost+cost
	for s.cost > maxKept && len(s.all) > 1 {
		oldest := ""
		for n, k := range s.all {
			if oldest == "" || k.used < s.all[oldest].used {
				oldest = n
			}
		}
		s.cost -= s.all[oldest].cost
		delete(s.all, oldest)
	}
}

// Graph is a framework in memory, at a version; 0 is the present one.
func (s *Service) Graph(ctx context.Context, who access.Actor, framework string, version int) (*Graph, error) {
	var g *Graph
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		f, err := find(ctx, tx, who, framework)
		if err != nil {
			return err
		}
		g, err = s.GraphInTx(ctx, who, tx, f.ID, version)
		return err
	})
	return g, err
}

// GraphInTx is Graph in another noun's transaction. It costs one statement that
// asks for the name of the version; the graph itself is read once and kept
// under that name, which is never used again, so that a change made by another
// process, or rolled back, is never served from memory.
func (s *Service) GraphInTx(ctx context.Context, who access.Actor, tx pgx.Tx, f ID, version int) (*Graph, error) {
	if err := access.Check(who, access.ReadCatalog); err != nil {
		return nil, err
	}
	v, err := versionInTx(ctx, tx, who, f, version)
	if err != nil {
		return nil, err
	}
	return s.graph(ctx, tx, who, v)
}

// GraphsInTx are the present graphs of some frameworks, or of all when there
// are no ids. One statement asks for the names of all versions.
func (s *Service) GraphsInTx(ctx context.Context, who access.Actor, tx pgx.Tx, ids []ID) (map[ID]*Graph, error) {
	if err := access.Check(who, access.ReadCatalog); err != nil {
		return nil, err
	}
	rows, _ := tx.Query(ctx, `
		select v.framework_id, v.version, v.id, v.label, v.reason, v.added, v.changed, v.retired, v.recorded_at, v.recorded_by
		from framework f
		join framework_version v on v.institution_id = f.institution_id and v.framework_id = f.id and v.version = f.version
		where f.institution_id = @institution and (@ids::text[] is null or f.id = any(@ids))`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	present, err := pgx.CollectRows(rows, pgx.RowToStructByName[Version])
	if err != nil {
		return nil, err
	}
	all := make(map[ID]*Graph, len(present))
	for _, v := range present {
		if all[v.FrameworkID], err = s.graph(ctx, tx, who, v); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (s *Service) graph(ctx context.Context, tx pgx.Tx, who access.Actor, v Version) (*Graph, error) {
	name := who.InstitutionID + "/" + v.ID
	if g, ok := s.graphs.find(name); ok {
		return g, nil
	}
	g, err := readGraph(ctx, tx, who, v)
	if err != nil {
		return nil, fmt.Errorf("read graph of %s at %d: %w", v.FrameworkID, v.Version, err)
	}
	s.graphs.keep(name, g, len(g.Nodes)+1)
	return g, nil
}

// readGraph reads the present from its columns and the past from what was kept
// of it.
func readGraph(ctx context.Context, tx pgx.Tx, who access.Actor, v Version) (*Graph, error) {
	all, err := byIDs(ctx, tx, who, []ID{v.FrameworkID})
	if err != nil || len(all) == 0 {
		return nil, cmp.Or(err, pgx.ErrNoRows)
	}
	f := all[0]
	read := readPast
	if f.Version == v.Version {
		read = readPresent
	}
	items, links, levels, err := read(ctx, tx, who, v)
	if err != nil {
		return nil, err
	}
	f.Version = v.Version
	g := newGraph(f, items, links)
	for identifier, l := range levels {
		if i, ok := g.byIdentifier[identifier]; ok {
			g.levels[i] = l
		}
	}
	return g, nil
}

func readPresent(ctx context.Context, tx pgx.Tx, who access.Actor, v Version) ([]Node, []graphLink, map[string][]Level, error) {
	args := pgx.NamedArgs{"institution": who.InstitutionID, "framework": v.FrameworkID}
	rows, _ := tx.Query(ctx, `
		select id, identifier, uri, coalesce(human_coding_scheme, ''), coalesce(abbreviated_statement, full_statement), coalesce(item_type, ''),
			retired_at is not null
		from framework_item
		where institution_id = @institution and framework_id = @framework
		order by position, id`, args)
	items, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (i Node, err error) {
		err = r.Scan(&i.ID, &i.Identifier, &i.URI, &i.Code, &i.Statement, &i.Type, &i.Retired)
		return i, err
	})
	if err != nil {
		return nil, nil, nil, err
	}
	rows, _ = tx.Query(ctx, `
		select type, origin_identifier, destination_identifier, origin_uri, destination_uri, sequence_number, position
		from framework_association
		where institution_id = @institution and framework_id = @framework
		order by position, id`, args)
	links, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (l graphLink, err error) {
		err = r.Scan(&l.kind, &l.origin, &l.destination, &l.originURI, &l.destURI, &l.sequence, &l.position)
		return l, err
	})
	if err != nil {
		return nil, nil, nil, err
	}
	rows, err = tx.Query(ctx, `
		select c.item_identifier, l.criterion_id, l.id, l.identifier, l.uri, l.quality, l.description, l.feedback, l.score, l.position
		from rubric r
		join rubric_criterion c on c.institution_id = r.institution_id and c.rubric_id = r.id
		join rubric_level l on l.institution_id = c.institution_id and l.criterion_id = c.id
		where r.institution_id = @institution and r.framework_id = @framework and c.item_identifier is not null
		order by r.position, c.position, l.position, l.id`, args)
	if err != nil {
		return nil, nil, nil, err
	}
	levels := map[string][]Level{}
	var item string
	var l Level
	_, err = pgx.ForEachRow(rows, []any{&item, &l.CriterionID, &l.ID, &l.Identifier, &l.URI, &l.Quality, &l.Description, &l.Feedback, &l.Score, &l.Position},
		func() error { levels[item] = append(levels[item], l); return nil })
	return items, links, levels, err
}

func readPast(ctx context.Context, tx pgx.Tx, who access.Actor, v Version) (items []Node, links []graphLink, levels map[string][]Level, err error) {
	for _, part := range []struct {
		sql     string
		retired bool
	}{{itemsAt, false}, {retiredAt, true}} {
		all, err := objects(ctx, tx, who, part.sql, v.FrameworkID, v.Version)
		if err != nil {
			return nil, nil, nil, err
		}
		for _, o := range all {
			var i imscase.Item
			if err := json.Unmarshal([]byte(o.Source), &i); err != nil {
				return nil, nil, nil, err
			}
			items = append(items, Node{ID: ItemID(o.ObjectID), Identifier: i.Identifier, URI: i.URI, Code: i.HumanCodingScheme,
				Statement: cmp.Or(i.AbbreviatedStatement, i.FullStatement), Type: i.ItemType, Retired: part.retired})
		}
	}
	all, err := objects(ctx, tx, who, linksAt, v.FrameworkID, v.Version)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, o := range all {
		var a imscase.Association
		if err := json.Unmarshal([]byte(o.Source), &a); err != nil {
			return nil, nil, nil, err
		}
		links = append(links, graphLink{kind: a.Type, origin: a.Origin.Identifier, destination: a.Destination.Identifier,
			originURI: a.Origin.URI, destURI: a.Destination.URI, sequence: (*int)(a.SequenceNumber), position: o.Position})
	}
	if all, err = objects(ctx, tx, who, rubricsAt, v.FrameworkID, v.Version); err != nil {
		return nil, nil, nil, err
	}
	levels = map[string][]Level{}
	for _, o := range all {
		var r imscase.Rubric
		if err := json.Unmarshal([]byte(o.Source), &r); err != nil {
			return nil, nil, nil, err
		}
		for _, c := range r.Criteria {
			if c.Item == nil {
				continue
			}
			for n, l := range c.Levels {
				levels[c.Item.Identifier] = append(levels[c.Item.Identifier], Level{Identifier: l.Identifier, URI: l.URI, Quality: text(l.Quality),
					Description: text(l.Description), Feedback: text(l.Feedback), Score: l.Score, Position: n + 1})
			}
		}
	}
	return items, links, levels, nil
}

// Crossing is one way from an item of one framework to an item of another.
type Crossing struct {
	ID            string // of the crosswalk, or of the association in a package
	Type          string // such as exactMatchOf
	From, To      ItemID
	FromFramework ID
	ToFramework   ID
	Both          bool    // what holds of either end holds of the other
	Strength      float64 // from above 0 to 1
	Approver      string  // who stands for it
	ApprovedAt    time.Time
	WithdrawnAt   *time.Time
	Published     bool // an association of a package, not a crosswalk of ours
}

// InForce reports whether the crossing counted at an instant.
func (c Crossing) InForce(at time.Time) bool {
	return !c.ApprovedAt.After(at) && (c.WithdrawnAt == nil || c.WithdrawnAt.After(at))
}

// Crossings are the ways between the frameworks of an institution: approved
// crosswalks, those withdrawn since included, and the associations that the
// present packages have with items of other frameworks here. They never change
// and may be shared.
type Crossings struct {
	All  []Crossing // by id
	from map[ItemID][]int32
	to   map[ItemID][]int32
}

// From are the places in All of the crossings that begin at an item.
func (c *Crossings) From(item ItemID) []int32 { return c.from[item] }

// To are the places in All of the crossings that lead to an item.
func (c *Crossings) To(item ItemID) []int32 { return c.to[item] }

// CrossingsInTx are the crossings in another noun's transaction. It costs one
// statement when nothing has changed since it was last asked.
func (s *Service) CrossingsInTx(ctx context.Context, who access.Actor, tx pgx.Tx) (*Crossings, error) {
	if err := access.Check(who, access.ReadCatalog); err != nil {
		return nil, err
	}
	var stamp string
	err := tx.QueryRow(ctx, `
		select coalesce((select stamp from crosswalk_stamp where institution_id = @institution), '') || ' ' || coalesce(md5(string_agg(v.id, ' ' order by v.id)), '')
		from framework f
		join framework_version v on v.institution_id = f.institution_id and v.framework_id = f.id and v.version = f.version
		where f.institution_id = @institution`, pgx.NamedArgs{"institution": who.InstitutionID}).Scan(&stamp)
	if err != nil {
		return nil, err
	}
	name := who.InstitutionID + "/" + stamp
	if c, ok := s.crossings.find(name); ok {
		return c, nil
	}
	rows, _ := tx.Query(ctx, `
		select c.id, c.type, c.origin_item_id, c.destination_item_id, o.framework_id, d.framework_id, c.direction = 'both', c.strength,
			coalesce(c.approver, c.approved_by), c.approved_at, c.withdrawn_at, false
		from crosswalk c
		join framework_item o on o.institution_id = c.institution_id and o.id = c.origin_item_id
		join framework_item d on d.institution_id = c.institution_id and d.id = c.destination_item_id
		where c.institution_id = @institution and c.approved_at is not null
		union all
		select a.id, a.type, o.id, d.id, o.framework_id, d.framework_id, a.type = 'exactMatchOf', 1, coalesce(f.publisher, f.creator), v.recorded_at, null, true
		from framework_association a
		join framework_item o on o.institution_id = a.institution_id and o.identifier = a.origin_identifier
		join framework_item d on d.institution_id = a.institution_id and d.identifier = a.destination_identifier
		join framework f on f.institution_id = a.institution_id and f.id = a.framework_id
		join framework_version v on v.institution_id = a.institution_id and v.framework_id = a.framework_id and v.version = a.since_version
		where a.institution_id = @institution and a.type <> 'isChildOf' and o.framework_id <> d.framework_id
		  and a.framework_id in (o.framework_id, d.framework_id)`, pgx.NamedArgs{"institution": who.InstitutionID})
	all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (c Crossing, err error) {
		err = r.Scan(&c.ID, &c.Type, &c.From, &c.To, &c.FromFramework, &c.ToFramework, &c.Both, &c.Strength, &c.Approver, &c.ApprovedAt, &c.WithdrawnAt, &c.Published)
		return c, err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b Crossing) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	c := &Crossings{All: all, from: map[ItemID][]int32{}, to: map[ItemID][]int32{}}
	for i, x := range all {
		c.from[x.From] = append(c.from[x.From], int32(i))
		c.to[x.To] = append(c.to[x.To], int32(i))
	}
	s.crossings.keep(name, c, len(all)+1)
	return c, nil
}
