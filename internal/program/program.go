// Package program is credential programs: what has to be shown for a degree, a
// certificate or a job role, as a tree of requirements over competencies, courses,
// achievements and credits, and how far a learner is with it.
//
// A program is kept in versions, each with the day from which it holds; a learner
// who is enrolled is held to the version of that day. What counts in place of
// something else (transfer, prior learning, a competency unit that is worth a
// course) is data with an approver. Progress is a pure function of the version,
// the states of competencies, the awards and the equivalencies; each part of it
// says why. An award counts its credits once, however many requirements it meets.
package program

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/mastery"
)

// ID names a program: prg_ and text.
type ID string

// The kinds of requirements. The first three are groups.
const (
	All         = "all"         // every part
	Any         = "any"         // so many of the parts
	Credits     = "credits"     // at least so many credits, of the parts, or without any of all that counts
	Competency  = "competency"  // a competency, at a level
	Course      = "course"      // a course, with a grade
	Achievement = "achievement" // an achievement, with a grade
)

// Requirement is one node of the tree.
type Requirement struct {
	Key           string           `json:"key"` // by which others and reasons name it, once in the tree
	Title         string           `json:"title"`
	Kind          string           `json:"kind"`
	Count         int              `json:"count,omitempty"`      // any: how many
	Credits       float64          `json:"credits,omitempty"`    // credits: at least; competency: what the unit is worth
	ClockHours    float64          `json:"clockHours,omitempty"` // competency: what the unit is worth; by HoursPerCredit unless said
	Resident      bool             `json:"resident,omitempty"`   // credits: only those earned here
	CompetencyID  framework.ItemID `json:"competencyId,omitempty"`
	CourseID      course.ID        `json:"courseId,omitempty"`
	AchievementID achievement.ID   `json:"achievementId,omitempty"`
	Level         string           `json:"level,omitempty"` // competency: at this level or above; that of its rule unless said
	Grade         string           `json:"grade,omitempty"` // course, achievement: at least; one that passes unless said
	After         []string         `json:"after,omitempty"` // keys of requirements that have to be met before
	Parts         []Requirement    `json:"parts,omitempty"`

	Depth int     `json:"-"` // where it stands, when it is told: 0 at the root
	Above *string `json:"-"` // the key of its group; nil at the root
}

// Group reports whether the requirement is about its parts.
func (r Requirement) Group() bool { return r.Kind == All || r.Kind == Any || r.Kind == Credits }

// The policies of a rule that awards.
const (
	Propose = "propose" // a person decides
	Award   = "award"   // it is awarded at once
)

// AwardRule says which achievement follows from a requirement. That the
// requirement stops being met is always put to a person.
type AwardRule struct {
	Requirement   string         `json:"requirement"` // a key
	AchievementID achievement.ID `json:"achievementId"`
	Policy        string         `json:"policy"`
}

// Definition is what a version of a program says.
type Definition struct {
	Title          string      `json:"title"`
	Description    string      `json:"description,omitempty"`
	Grades         []string    `json:"grades,omitempty"`         // from best to worst; A+ to F unless said
	Pass           string      `json:"pass,omitempty"`           // the lowest that passes; D- unless said
	HoursPerCredit float64     `json:"hoursPerCredit,omitempty"` // clock hours that make a credit; 0: none are told
	Awards         []AwardRule `json:"awards,omitempty"`
	Requirement    Requirement `json:"requirement"`
}

// Program is a program in one of its versions.
type Program struct {
	ID          ID
	Code        string
	Version     int
	EffectiveOn day.Date // the first day on which it holds
	Definition  Definition
	RecordedAt  time.Time
	RecordedBy  string
	RetiredAt   *time.Time
}

// Title is what the program is called.
func (p Program) Title() string { return p.Definition.Title }

// Description is more about it, or nil.
func (p Program) Description() *string {
	if p.Definition.Description == "" {
		return nil
	}
	return &p.Definition.Description
}

// Awards are its rules that award.
func (p Program) Awards() []AwardRule { return p.Definition.Awards }

// The bounds of a definition.
const (
	maxNodes = 1000
	maxDepth = 12
	maxText  = 400
	maxRules = 50
	maxAfter = 20
)

// Whole is the definition with a key for every requirement that has none: its
// place, such as 1.2.
func (d Definition) Whole() Definition {
	d.Requirement = named(d.Requirement, "1")
	return d
}

func named(r Requirement, place string) Requirement {
	if r.Key == "" {
		r.Key = place
	}
	if len(r.Parts) == 0 {
		r.Parts = nil // as it is read back, so that the same definition is no change
		return r
	}
	parts := make([]Requirement, len(r.Parts))
	for i, p := range r.Parts {
		parts[i] = named(p, place+"."+strconv.Itoa(i+1))
	}
	r.Parts = parts
	return r
}

// Check is the first thing that is wrong with a whole definition, or nil.
func (d Definition) Check() *fault.Error {
	switch {
	case strings.TrimSpace(d.Title) == "":
		return fault.At("title", "required", "A program needs a title.")
	case len(d.Title) > maxText:
		return fault.At("title", "too-long", "A title has at most %d characters.", maxText)
	case len(d.Description) > 10_000:
		return fault.At("description", "too-long", "A description has at most 10000 characters.")
	case len(d.Grades) > 100:
		return fault.At("grades", "too-many", "A scale has at most 100 grades.")
	case d.Pass != "" && !d.scale().known(d.Pass):
		return fault.At("pass", "grade-known", "%q is no grade of this program's scale.", d.Pass)
	case d.HoursPerCredit < 0 || d.HoursPerCredit > 1000:
		return fault.At("hoursPerCredit", "range", "A credit is worth between 0 and 1000 clock hours.")
	case len(d.Awards) > maxRules:
		return fault.At("awards", "too-many", "A program has at most %d rules that award.", maxRules)
	}
	c := checker{def: d, nodes: map[string]*Requirement{}, above: map[string]string{}}
	if err := c.walk(&d.Requirement, "requirement", "", 1); err != nil {
		return err
	}
	if err := c.order(); err != nil {
		return err
	}
	for i, a := range d.Awards {
		at := fmt.Sprintf("awards.%d.", i)
		switch {
		case c.nodes[a.Requirement] == nil:
			return fault.At(at+"requirement", "key-known", "No requirement has the key %q.", a.Requirement)
		case a.AchievementID == "":
			return fault.At(at+"achievementId", "required", "Say which achievement is awarded.")
		case a.Policy != Propose && a.Policy != Award:
			return fault.At(at+"policy", "policy", "%q is no policy: use propose or award.", a.Policy)
		case slices.ContainsFunc(d.Awards[:i], func(b AwardRule) bool { return b.AchievementID == a.AchievementID }):
			return fault.At(at+"achievementId", "once", "This achievement follows from another requirement already.")
		}
	}
	return nil
}

type checker struct {
	def   Definition
	nodes map[string]*Requirement
	above map[string]string // the key of the group
	count int
}

func (c *checker) walk(r *Requirement, at, above string, depth int) *fault.Error {
	if c.count++; c.count > maxNodes {
		return fault.At("requirement", "too-many", "A program has at most %d requirements.", maxNodes)
	}
	if depth > maxDepth {
		return fault.At(at, "too-deep", "Requirements stand at most %d deep.", maxDepth)
	}
	if c.nodes[r.Key] != nil {
		return fault.At(at+".key", "key-once", "Two requirements have the key %q.", r.Key)
	}
	c.nodes[r.Key], c.above[r.Key] = r, above
	if err := c.one(r); err != nil {
		return err.Within(at)
	}
	for i := range r.Parts {
		if err := c.walk(&r.Parts[i], fmt.Sprintf("%s.parts.%d", at, i), r.Key, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) one(r *Requirement) *fault.Error {
	if !slices.Contains([]string{All, Any, Credits, Competency, Course, Achievement}, r.Kind) {
		return fault.At("kind", "kind", "%q is no kind of requirement: use all, any, credits, competency, course or achievement.", r.Kind)
	}
	targets := 0
	for _, id := range []string{string(r.CompetencyID), string(r.CourseID), string(r.AchievementID)} {
		if id != "" {
			targets++
		}
	}
	switch {
	case len(r.Key) > 64 || len(r.Title) > maxText:
		return fault.At("title", "too-long", "A key has at most 64 characters and a title at most %d.", maxText)
	case r.Group() && targets > 0:
		return fault.At("kind", "target", "A group has parts and names nothing itself.")
	case !r.Group() && len(r.Parts) > 0:
		return fault.At("parts", "group", "Only all, any and credits have parts.")
	case (r.Kind == All || r.Kind == Any) && len(r.Parts) == 0:
		return fault.At("parts", "required", "A group needs parts.")
	case r.Kind == Any && (r.Count < 1 || r.Count > len(r.Parts)):
		return fault.At("count", "range", "Say how many of the %d parts are needed.", len(r.Parts))
	case r.Kind == Credits && (r.Credits <= 0 || r.Credits > 9999):
		return fault.At("credits", "range", "Say how many credits are needed, more than 0 and at most 9999.")
	case r.Resident && r.Kind != Credits:
		return fault.At("resident", "credits", "Only credits can be asked to be earned here.")
	case r.Credits < 0 || r.Credits > 9999 || r.ClockHours < 0 || r.ClockHours > 99_999:
		return fault.At("credits", "range", "Credits and clock hours are not below 0.")
	case r.Credits > 0 && (r.Kind == Course || r.Kind == Achievement || r.Kind == All || r.Kind == Any):
		return fault.At("credits", "kind", "Courses and achievements bring their own credits; to ask for credits use the kind credits.")
	case !r.Group() && targets != 1, r.Kind == Competency && r.CompetencyID == "", r.Kind == Course && r.CourseID == "", r.Kind == Achievement && r.AchievementID == "":
		return fault.At("kind", "target", "A requirement of this kind names one %s.", r.Kind)
	case r.Level != "" && r.Kind != Competency:
		return fault.At("level", "competency", "Only a competency has a level.")
	case r.Grade != "" && r.Kind != Course && r.Kind != Achievement:
		return fault.At("grade", "kind", "Only a course or an achievement has a grade.")
	case r.Grade != "" && !c.def.scale().known(r.Grade):
		return fault.At("grade", "grade-known", "%q is no grade of this program's scale.", r.Grade)
	case len(r.After) > maxAfter:
		return fault.At("after", "too-many", "A requirement comes after at most %d others.", maxAfter)
	}
	return nil
}

// order refuses prerequisites that are unknown, that stand above or below what
// they come before, and that run in a circle.
func (c *checker) order() *fault.Error {
	done := map[string]int{} // 1: on the way, 2: done
	var visit func(key string) *fault.Error
	visit = func(key string) *fault.Error {
		done[key] = 1
		for k := key; k != ""; k = c.above[k] { // what holds a group up holds up its parts
			for _, before := range c.nodes[k].After {
				if c.nodes[before] == nil {
					return fault.At("requirement", "key-known", "%q comes after %q, which no requirement is called.", k, before)
				}
				if c.within(before, k) || c.within(k, before) {
					return fault.At("requirement", "order", "%q cannot come after %q: one is part of the other.", k, before)
				}
				if done[before] == 1 {
					return fault.At("requirement", "order", "%q and %q come after each other.", k, before)
				}
				if done[before] == 0 {
					if err := visit(before); err != nil {
						return err
					}
				}
			}
		}
		for _, p := range c.nodes[key].Parts { // a group is met by its parts
			if done[p.Key] == 1 {
				return fault.At("requirement", "order", "%q and %q come after each other.", key, p.Key)
			}
			if done[p.Key] == 0 {
				if err := visit(p.Key); err != nil {
					return err
				}
			}
		}
		done[key] = 2
		return nil
	}
	for _, key := range c.keys() {
		if done[key] == 0 {
			if err := visit(key); err != nil {
				return err
			}
		}
	}
	return nil
}

// keys are the keys, those of parts before those of their groups.
func (c *checker) keys() []string {
	var all []string
	var walk func(r *Requirement)
	walk = func(r *Requirement) {
		for i := range r.Parts {
			walk(&r.Parts[i])
		}
		all = append(all, r.Key)
	}
	walk(&c.def.Requirement)
	return all
}

// within reports whether a stands in b.
func (c *checker) within(a, b string) bool {
	for ; a != ""; a = c.above[a] {
		if a == b {
			return true
		}
	}
	return false
}

// The grades of a program that says none.
var usual = []string{"A+", "A", "A-", "B+", "B", "B-", "C+", "C", "C-", "D+", "D", "D-", "F"}

type scale struct {
	rank map[string]int // 0 is the best
	pass int
}

func (d Definition) scale() scale {
	all, pass := d.Grades, d.Pass
	if len(all) == 0 {
		all = usual
		if pass == "" {
			pass = "D-"
		}
	}
	s := scale{rank: make(map[string]int, len(all)), pass: len(all) - 1}
	for i, g := range all {
		s.rank[strings.ToUpper(g)] = i
	}
	if n, ok := s.rank[strings.ToUpper(pass)]; ok {
		s.pass = n
	}
	return s
}

func (s scale) known(grade string) bool {
	if _, err := strconv.ParseFloat(grade, 64); err == nil {
		return true
	}
	_, ok := s.rank[strings.ToUpper(grade)]
	return ok
}

// reaches reports whether a grade is at least another; without another, whether
// it passes. Numbers compare with numbers, grades of the scale with each other.
// A mark that cannot be compared, such as P, passes and reaches no grade, unless
// it is one with which a course is not completed.
func (s scale) reaches(grade, least string) bool {
	grade = strings.ToUpper(strings.TrimSpace(grade))
	n, on := s.rank[grade]
	v, err := strconv.ParseFloat(grade, 64)
	if least == "" {
		if on {
			return n <= s.pass
		}
		return !mastery.Unfinished(grade)
	}
	want, wants := strconv.ParseFloat(least, 64)
	if err == nil && wants == nil {
		return v >= want
	}
	m, ok := s.rank[strings.ToUpper(least)]
	return on && ok && n <= m
}

// reached reports whether an award is done and its grade reaches another.
func (s scale) reached(a *Earned, least string) bool {
	return !a.Open && !a.Failed && s.reaches(a.Grade, least)
}

// Requirements are the requirements of the program, depth first, without their
// parts.
func (p Program) Requirements() []Requirement {
	plan := NewPlan(p.Definition, nil, nil)
	out := make([]Requirement, len(plan.nodes))
	for i := range plan.nodes {
		out[i] = plan.told(int32(i))
	}
	return out
}

// told is a requirement without its parts.
func (p *Plan) told(i int32) Requirement {
	n := &p.nodes[i]
	out := *n.Requirement
	out.Parts, out.Depth = nil, n.depth
	if n.above >= 0 {
		out.Above = &p.nodes[n.above].Key
	}
	return out
}
