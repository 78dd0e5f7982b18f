package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/program"
)

// curriculum is what a program designer works on.
func (s *site) curriculum(mux *http.ServeMux) {
	s.page(mux, "GET /curriculum", staff, s.catalogue)
	s.page(mux, "GET /curriculum/frameworks/{id}", staff, s.frameworkPage)
	s.page(mux, "GET /curriculum/frameworks/{id}/map", staff, s.mapPage)
	s.page(mux, "GET /curriculum/programs/{id}", staff, s.programPage)
	s.page(mux, "GET /curriculum/programs/{id}/cohort", staff, s.cohortPage)
}

// offered are the frameworks and programs of an institution.
type offered struct {
	Frameworks []framework.Framework
	Programs   []program.Program
}

func (s *site) catalogue(v *visit) error {
	var d offered
	all, err := s.Frameworks.List(v.ctx(), v.who, framework.Filter{}, many(""))
	if err != nil {
		return err
	}
	d.Frameworks = all.Nodes
	programs, err := s.Programs.List(v.ctx(), v.who, program.Filter{}, many(""))
	if err != nil {
		return err
	}
	d.Programs = programs.Nodes
	return v.show(http.StatusOK, "catalogue", "Curriculum", d)
}

// grown is a competency with those below it.
type grown struct {
	framework.Node
	Levels []framework.Level
	Below  []grown
}

// forest is a framework as a tree.
type forest struct {
	framework.Framework
	Top      []grown
	Count    int
	Problems []framework.Problem
}

// maxTree is how many competencies a page shows; larger frameworks are cut.
const maxTree = 5000

func (s *site) frameworkPage(v *visit) error {
	f, err := s.Frameworks.Find(v.ctx(), v.who, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	g, err := s.Frameworks.Graph(v.ctx(), v.who, string(f.ID), 0)
	if err != nil {
		return err
	}
	d := forest{Framework: f, Problems: g.Problems()}
	seen := map[int32]bool{}
	for i := range g.Nodes {
		if len(g.Parents(int32(i))) == 0 && !g.Nodes[i].Retired {
			d.Top = append(d.Top, grow(g, int32(i), seen))
		}
	}
	d.Count = len(seen)
	return v.showNamed("framework", f.Title, d)
}

// grow is an item with what is below it, each shown once.
func grow(g *framework.Graph, i int32, seen map[int32]bool) grown {
	seen[i] = true
	out := grown{Node: g.Nodes[i], Levels: g.Levels(i)}
	for _, c := range g.Children(i) {
		if !seen[c] && !g.Nodes[c].Retired && len(seen) < maxTree {
			out.Below = append(out.Below, grow(g, c, seen))
		}
	}
	return out
}

// matrix is the curriculum map of a framework: competencies by courses.
type matrix struct {
	Framework framework.Framework
	course.Coverage
	Courses []course.Course
	Rows    []mapped
	Only    string
}

// mapped is one competency with a cell for each course.
type mapped struct {
	course.Row
	Item  framework.Item
	Cells [][]course.Mapping
}

func (s *site) mapPage(v *visit) error {
	f, err := s.Frameworks.Find(v.ctx(), v.who, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	c, err := s.Courses.Coverage(v.ctx(), v.who, string(f.ID))
	if err != nil {
		return err
	}
	courses, err := s.Courses.ByIDs(v.ctx(), v.who, c.Courses)
	if err != nil {
		return err
	}
	d := matrix{Framework: f, Coverage: c, Only: v.r.URL.Query().Get("only")}
	place := map[course.ID]int{}
	for i, id := range c.Courses {
		place[id] = i
		d.Courses = append(d.Courses, courses[id])
	}
	var ids []framework.ItemID
	for _, r := range c.Rows {
		ids = append(ids, r.Item)
	}
	items, err := s.Frameworks.ItemsByIDs(v.ctx(), v.who, ids)
	if err != nil {
		return err
	}
	for _, r := range c.Rows {
		if d.Only == "gaps" && r.Assessed != course.Never {
			continue
		}
		row := mapped{Row: r, Item: items[r.Item], Cells: make([][]course.Mapping, len(c.Courses))}
		for _, m := range r.Mappings {
			row.Cells[place[m.CourseID]] = append(row.Cells[place[m.CourseID]], m)
		}
		d.Rows = append(d.Rows, row)
	}
	p := v.sheet("map", "Curriculum map", d)
	p.Wide = true
	return v.write(http.StatusOK, p)
}

// required is a program with the names of what it asks for.
type required struct {
	program.Program
	Lines    []program.Requirement
	Names    map[string]string
	Versions []program.Program
	Follows  []followed // what is awarded by its rules
}

// Label is what a requirement is called.
func (r required) Label(q program.Requirement) string {
	for _, id := range []string{string(q.CompetencyID), string(q.CourseID), string(q.AchievementID)} {
		if n := r.Names[id]; id != "" && n != "" {
			return n
		}
	}
	return ""
}

func (s *site) programPage(v *visit) error {
	p, err := s.Programs.Find(v.ctx(), v.who, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	d := required{Program: p, Lines: p.Requirements(), Names: map[string]string{}}
	versions, err := s.Programs.VersionsOf(v.ctx(), v.who, []program.ID{p.ID})
	if err != nil {
		return err
	}
	d.Versions = versions[p.ID]
	var items []framework.ItemID
	var courses []course.ID
	for _, q := range d.Lines {
		if q.CompetencyID != "" {
			items = append(items, q.CompetencyID)
		}
		if q.CourseID != "" {
			courses = append(courses, q.CourseID)
		}
	}
	named, err := s.Frameworks.ItemsByIDs(v.ctx(), v.who, slices.Compact(items))
	if err != nil {
		return err
	}
	for id, item := range named {
		d.Names[string(id)] = strings.TrimSpace(deref(item.HumanCodingScheme) + " " + item.FullStatement)
	}
	taught, err := s.Courses.ByIDs(v.ctx(), v.who, slices.Compact(courses))
	if err != nil {
		return err
	}
	for id, c := range taught {
		d.Names[string(id)] = c.Code + " " + c.Title
	}
	if d.Follows, err = s.follows(v, d); err != nil {
		return err
	}
	return v.showNamed("program", p.Title(), d)
}

// followed is a rule of a program that awards, in words.
type followed struct {
	program.AwardRule
	When string // what the requirement is called
	What string // what the achievement is called
}

// follows are the rules of a program that award.
func (s *site) follows(v *visit, d required) ([]followed, error) {
	var ids []achievement.ID
	for _, r := range d.Awards() {
		ids = append(ids, r.AchievementID)
	}
	what, err := s.Achievements.ByIDs(v.ctx(), v.who, ids)
	var all []followed
	for _, r := range d.Awards() {
		one := followed{AwardRule: r, When: d.Title(), What: what[r.AchievementID].Definition.Name}
		for _, q := range d.Lines {
			if q.Key == r.Requirement {
				one.When = or(q.Title, or(d.Label(q), one.When))
			}
		}
		all = append(all, one)
	}
	return all, err
}
