package extract

import (
	"context"
	"slices"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/picture"
	"github.com/testamur/testamur/internal/program"
)

// Whoever may read something in the API may see the picture of it.

// maxTiles is how many competencies of a framework a map shows.
const maxTiles = 240

// statuses are the engine's as pictures have them.
var statuses = map[mastery.Status]picture.Status{mastery.NotMet: picture.None, mastery.Blocked: picture.Blocked, mastery.InProgress: picture.Progress,
	mastery.Lapsed: picture.Lapsed, mastery.Met: picture.Met}

var steps = map[program.Status]picture.Status{program.Missing: picture.None, program.Blocked: picture.Blocked, program.InProgress: picture.Progress, program.Met: picture.Met}

// Map is what a learner holds, as a picture: of each framework of which anything
// speaks for the learner, its branches with the competencies straight below them,
// and whatever else something speaks for.
func (s *Service) Map(ctx context.Context, who access.Actor, name string, when mastery.When) (picture.Competencies, error) {
	l, err := s.Learners.Find(ctx, who, name)
	if err != nil {
		return picture.Competencies{}, err
	}
	when = s.moment(when)
	out := picture.Competencies{Learner: l.DisplayName, AsOf: when.AsOf.String()}
	m := mapping{found: map[framework.ItemID]mastery.Standing{}}
	var frameworks []framework.ID
	err = s.states(ctx, who, l, Want{When: when}, func(i framework.Item, st mastery.Standing) error {
		m.found[i.ID] = st
		if !slices.Contains(frameworks, i.FrameworkID) {
			frameworks = append(frameworks, i.FrameworkID)
		}
		return nil
	})
	if err != nil || len(frameworks) == 0 {
		return out, err
	}
	held, err := s.Mastery.Of(ctx, who, []learner.ID{l.ID}, when)
	if err != nil {
		return out, err
	}
	m.held = held[l.ID]
	titles, err := s.Frameworks.ByIDs(ctx, who, frameworks)
	if err != nil {
		return out, err
	}
	for _, id := range frameworks {
		g, err := s.Frameworks.Graph(ctx, who, string(id), 0)
		if err != nil {
			return out, err
		}
		m.graph = g
		ids := m.shown()
		if m.items, err = s.Frameworks.ItemsByIDs(ctx, who, ids); err != nil {
			return out, err
		}
		f := m.framework()
		f.Title = titles[id].Title
		out.Frameworks = append(out.Frameworks, f)
	}
	return out, nil
}

// mapping makes the map of one framework.
type mapping struct {
	graph *framework.Graph
	held  mastery.Held
	found map[framework.ItemID]mastery.Standing // what something speaks for
	items map[framework.ItemID]framework.Item
}

// top are the branches of the framework and what stands alone.
func (m *mapping) top() []int32 {
	var all []int32
	for i, n := range m.graph.Nodes {
		if !n.Retired && len(m.graph.Parents(int32(i))) == 0 {
			all = append(all, int32(i))
		}
	}
	return all
}

// below are the tiles of a branch: what stands straight below it, and of what
// stands deeper that which something speaks for.
func (m *mapping) below(top int32) []int32 {
	var all []int32
	seen := map[int32]bool{top: true}
	var walk func(i int32, depth int)
	walk = func(i int32, depth int) {
		for _, child := range m.graph.Children(i) {
			n := m.graph.Nodes[child]
			if seen[child] || n.Retired {
				continue
			}
			seen[child] = true
			if _, spoken := m.found[n.ID]; depth == 0 || spoken {
				all = append(all, child)
			}
			walk(child, depth+1)
		}
	}
	walk(top, 0)
	return all
}

func (m *mapping) shown() []framework.ItemID {
	var all []framework.ItemID
	for _, i := range m.top() {
		all = append(all, m.graph.Nodes[i].ID)
		for _, child := range m.below(i) {
			all = append(all, m.graph.Nodes[child].ID)
		}
	}
	return all
}

func (m *mapping) framework() picture.Framework {
	var f picture.Framework
	var alone picture.Area
	shown := 0
	add := func(a *picture.Area, i int32) {
		if shown++; shown > maxTiles {
			f.More++
			return
		}
		a.Tiles = append(a.Tiles, m.tile(i))
	}
	for _, i := range m.top() {
		children := m.below(i)
		if len(children) == 0 {
			add(&alone, i)
			continue
		}
		t := m.tile(i)
		a := picture.Area{Name: label(m.items[m.graph.Nodes[i].ID]), Status: t.Status}
		for _, child := range children {
			add(&a, child)
		}
		f.Areas = append(f.Areas, a)
	}
	if len(alone.Tiles) > 0 {
		f.Areas = append(f.Areas, alone)
	}
	return f
}

func (m *mapping) tile(i int32) picture.Tile {
	id := m.graph.Nodes[i].ID
	item := m.items[id]
	t := picture.Tile{Code: text(item.HumanCodingScheme), Name: item.FullStatement}
	if item.AbbreviatedStatement != nil && *item.AbbreviatedStatement != "" {
		t.Name = *item.AbbreviatedStatement
	}
	place, ok := m.held.Basis.Find(id)
	if !ok {
		return t
	}
	t.Status = statuses[m.held.States.Of(place).Status]
	levels := m.held.Basis.Levels(place)
	st, spoken := m.found[id]
	if !spoken {
		return t
	}
	t.Level, t.Since, t.Until, t.Crosswalk = text(st.Level), date(st.AchievedOn), date(st.LapsesOn), st.ByCrosswalk
	if st.Value != nil {
		t.Steps = len(levels)
		for _, l := range levels {
			if *st.Value >= l.Value {
				t.Step++
			}
		}
	}
	return t
}

// Path is how far a learner is with a program, as a picture.
func (s *Service) Path(ctx context.Context, who access.Actor, name, in string, when mastery.When) (picture.Program, error) {
	var out picture.Program
	l, err := s.Learners.Find(ctx, who, name)
	if err != nil {
		return out, err
	}
	p, err := s.Programs.Find(ctx, who, in)
	if err != nil {
		return out, err
	}
	all, err := s.Programs.ProgressOf(ctx, who, []learner.ID{l.ID}, program.Question{When: s.moment(when), ProgramID: &p.ID})
	if err != nil {
		return out, err
	}
	for _, r := range all[l.ID] {
		out = picture.Program{Learner: l.DisplayName, Program: p.Title(), Version: r.Version, AsOf: r.AsOf.String(), Status: steps[r.Status], Share: r.Share,
			Credits: r.Credits, ClockHours: r.ClockHours}
		for _, x := range r.Requirements {
			out.Lines = append(out.Lines, picture.Requirement{Title: titled(x.Requirement), Depth: x.Requirement.Depth, Group: x.Requirement.Group(), Status: steps[x.Status],
				Share: x.Share, Credits: x.Credits, Reason: x.Reason})
		}
	}
	return out, nil
}

// titled is what a requirement is called: its title, or else its key.
func titled(r program.Requirement) string {
	if r.Title == "" {
		return r.Key
	}
	return r.Title
}

// Cohort is how far the learners of a program are with each requirement, as a
// picture: what program.Cohort tells.
func (s *Service) Cohort(ctx context.Context, who access.Actor, name string, when mastery.When) (picture.Cohort, error) {
	p, err := s.Programs.Find(ctx, who, name)
	if err != nil {
		return picture.Cohort{}, err
	}
	c, err := s.Programs.Cohort(ctx, who, string(p.ID), s.moment(when))
	if err != nil {
		return picture.Cohort{}, err
	}
	out := picture.Cohort{Program: p.Title(), AsOf: c.AsOf.String(), Hidden: c.Learners == nil, Least: program.Protected}
	if c.Learners != nil {
		out.Learners = *c.Learners
	}
	for _, r := range c.Requirements {
		row := picture.Spread{Title: titled(r.Requirement), Depth: r.Requirement.Depth, Group: r.Requirement.Group()}
		for _, n := range r.Counts {
			cell := picture.Cell{Span: len(n.Statuses), Hidden: n.Learners == nil}
			if n.Learners != nil {
				cell.Count = *n.Learners
			}
			row.Cells = append(row.Cells, cell)
		}
		out.Rows = append(out.Rows, row)
	}
	return out, nil
}

var nearness = map[string]picture.Near{course.Direct: picture.Direct, course.Below: picture.Below, course.Above: picture.Above, course.Never: picture.Never}

// Matrix is the coverage of a framework by the curriculum, as a picture.
func (s *Service) Matrix(ctx context.Context, who access.Actor, name string) (picture.Coverage, error) {
	c, err := s.Courses.Coverage(ctx, who, name)
	if err != nil {
		return picture.Coverage{}, err
	}
	titles, err := s.Frameworks.ByIDs(ctx, who, []framework.ID{c.Framework})
	if err != nil {
		return picture.Coverage{}, err
	}
	courses, err := s.Courses.ByIDs(ctx, who, c.Courses)
	if err != nil {
		return picture.Coverage{}, err
	}
	ids := make([]framework.ItemID, len(c.Rows))
	for i, r := range c.Rows {
		ids[i] = r.Item
	}
	items, err := s.Frameworks.ItemsByIDs(ctx, who, ids)
	if err != nil {
		return picture.Coverage{}, err
	}
	out := picture.Coverage{Framework: titles[c.Framework].Title, Version: c.Version}
	place := map[course.ID]int{}
	for i, id := range c.Courses {
		place[id] = i
		out.Courses = append(out.Courses, courses[id].Code)
	}
	for _, r := range c.Rows {
		i := items[r.Item]
		row := picture.Covered{Code: text(i.HumanCodingScheme), Name: i.FullStatement, Depth: r.Depth, By: make([][3]bool, len(c.Courses)), Achievements: r.Badges,
			Stages: [3]picture.Near{nearness[r.Introduced], nearness[r.Practised], nearness[r.Assessed]}}
		if i.AbbreviatedStatement != nil && *i.AbbreviatedStatement != "" {
			row.Name = *i.AbbreviatedStatement
		}
		for _, m := range r.Mappings {
			stage := slices.Index([]string{course.Introduced, course.Practised, course.Assessed}, m.Stage)
			row.By[place[m.CourseID]][stage] = true
			row.Names[stage] = append(row.Names[stage], courses[m.CourseID].Code)
		}
		out.Rows = append(out.Rows, row)
	}
	return out, nil
}
