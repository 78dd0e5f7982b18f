package course

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/framework"
)

// How near to a competency the curriculum comes in one stage.
const (
	Direct = "direct" // a course names the competency itself
	Below  = "below"  // a course names one that stands below it
	Above  = "above"  // a course names one that it stands below
	Never  = "never"
)

// Row is one line of a coverage matrix: a competency, how the curriculum
// touches it, and what courses say so.
type Row struct {
	Item       framework.ItemID
	Depth      int // 0 at the top of the framework
	Introduced string
	Practised  string
	Assessed   string
	Mappings   []Mapping // that name it, by course
	Badges     int       // achievements in use that are aligned to it
}

// Coverage is where a curriculum touches the competencies of a framework, in
// the framework's order, retired ones left out.
type Coverage struct {
	Framework framework.ID
	Version   int
	Rows      []Row
	Courses   []ID // that the rows name, by code
}

// Total is how many competencies there are.
func (c Coverage) Total() int { return len(c.Rows) }

// Introduced is how many a course introduces, naming them or one below them.
func (c Coverage) Introduced() int { return c.count(func(r Row) string { return r.Introduced }) }

// Practised is Introduced for practising.
func (c Coverage) Practised() int { return c.count(func(r Row) string { return r.Practised }) }

// Assessed is Introduced for assessing.
func (c Coverage) Assessed() int { return c.count(func(r Row) string { return r.Assessed }) }

func (c Coverage) count(cover func(Row) string) int {
	n := 0
	for _, r := range c.Rows {
		if at := cover(r); at == Direct || at == Below {
			n++
		}
	}
	return n
}

// NeverAssessed is how many no course assesses: neither themselves nor anything
// below or above them.
func (c Coverage) NeverAssessed() int { return len(c.Only(ptr(Never), nil)) }

func ptr[T any](v T) *T { return &v }

// Only are the rows that are assessed so, and that are aligned to some
// achievement or to none; nil asks for nothing.
func (c Coverage) Only(assessed *string, aligned *bool) []Row {
	return slices.DeleteFunc(slices.Clone(c.Rows), func(r Row) bool {
		return assessed != nil && r.Assessed != *assessed || aligned != nil && (r.Badges > 0) != *aligned
	})
}

// Coverage works out the coverage of a framework by the courses in use.
func (s *Service) Coverage(ctx context.Context, who access.Actor, name string) (Coverage, error) {
	var c Coverage
	err := s.read(ctx, who, func(tx pgx.Tx) error {
		f, err := framework.InTx(ctx, tx, who, name)
		if err != nil {
			return err
		}
		g, err := s.Frameworks.GraphInTx(ctx, who, tx, f.ID, 0)
		if err != nil {
			return err
		}
		cells, courses, err := mappingsOfFramework(ctx, tx, who, f.ID)
		if err != nil {
			return err
		}
		badges, err := badgesOfFramework(ctx, tx, who, f.ID)
		if err != nil {
			return err
		}
		c = cover(g, cells, badges)
		c.Courses = courses
		return nil
	})
	return c, err
}

// cover is the matrix of a graph. A stage reaches an item directly, through
// what is below it, or through what is above it, the nearest first.
func cover(g *framework.Graph, cells []Mapping, badges map[framework.ItemID]int) Coverage {
	n := len(g.Nodes)
	own := make([][]Mapping, n)
	for _, m := range cells {
		if i, ok := g.Find(m.ItemID); ok {
			own[i] = append(own[i], m)
		}
	}
	stages := map[string][]string{}
	for _, stage := range []string{Introduced, Practised, Assessed} {
		direct, below, above := make([]bool, n), make([]bool, n), make([]bool, n)
		for i := range own {
			direct[i] = slices.ContainsFunc(own[i], func(m Mapping) bool { return m.Stage == stage })
		}
		for _, i := range g.BottomUp {
			for _, child := range g.Children(i) {
				below[i] = below[i] || direct[child] || below[child]
			}
		}
		for _, i := range slices.Backward(g.BottomUp) {
			for _, parent := range g.Parents(i) {
				above[i] = above[i] || direct[parent] || above[parent]
			}
		}
		all := make([]string, n)
		for i := range all {
			switch {
			case direct[i]:
				all[i] = Direct
			case below[i]:
				all[i] = Below
			case above[i]:
				all[i] = Above
			default:
				all[i] = Never
			}
		}
		stages[stage] = all
	}
	c := Coverage{Framework: g.Framework, Version: g.Version}
	depth := make([]int, n)
	for i, node := range g.Nodes { // numbered depth first: the first parent comes before
		for _, p := range g.Parents(int32(i)) {
			if p < int32(i) {
				depth[i] = depth[p] + 1
				break
			}
		}
		if !node.Retired {
			c.Rows = append(c.Rows, Row{Item: node.ID, Depth: depth[i], Introduced: stages[Introduced][i], Practised: stages[Practised][i],
				Assessed: stages[Assessed][i], Mappings: own[i], Badges: badges[node.ID]})
		}
	}
	return c
}

func mappingsOfFramework(ctx context.Context, tx pgx.Tx, who access.Actor, f framework.ID) ([]Mapping, []ID, error) {
	rows, _ := tx.Query(ctx, `
		select m.course_id, m.item_id, m.stage, m.target_level
		from framework_item i
		join course_competency m on m.institution_id = i.institution_id and m.item_id = i.id
		join course c on c.institution_id = m.institution_id and c.id = m.course_id and c.retired_at is null
		where i.institution_id = @institution and i.framework_id = @framework
		order by c.code collate "C", m.stage, m.item_id`, pgx.NamedArgs{"institution": who.InstitutionID, "framework": f})
	cells, err := pgx.CollectRows(rows, pgx.RowToStructByName[Mapping])
	var courses []ID
	seen := map[ID]bool{}
	for _, m := range cells {
		if !seen[m.CourseID] {
			seen[m.CourseID] = true
			courses = append(courses, m.CourseID)
		}
	}
	return cells, courses, err
}

// badgesOfFramework counts achievements in use by the item they are aligned to.
func badgesOfFramework(ctx context.Context, tx pgx.Tx, who access.Actor, f framework.ID) (map[framework.ItemID]int, error) {
	rows, err := tx.Query(ctx, `
		select l.item_id, count(distinct l.achievement_id)
		from framework_item i
		join achievement_alignment l on l.institution_id = i.institution_id and l.item_id = i.id
		join achievement a on a.institution_id = l.institution_id and a.id = l.achievement_id and a.retired_at is null
		where i.institution_id = @institution and i.framework_id = @framework
		group by l.item_id`, pgx.NamedArgs{"institution": who.InstitutionID, "framework": f})
	if err != nil {
		return nil, err
	}
	all := map[framework.ItemID]int{}
	var item framework.ItemID
	var n int
	_, err = pgx.ForEachRow(rows, []any{&item, &n}, func() error { all[item] = n; return nil })
	return all, err
}
