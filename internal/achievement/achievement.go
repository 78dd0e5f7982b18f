// Package achievement is what can be earned: competencies, badges, degrees and
// the completion of courses, each with criteria, alignments and the kinds of
// results it can have.
//
// A definition is the Open Badges 3.0 Achievement. It is kept in versions: a
// revision adds one, an award points at the one it was made under, and nothing
// changes a version afterwards. Ids of result descriptions and rubric levels
// are addresses as imported, or fragments that publishing completes.
package achievement

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/spec/openbadges"
)

// ID names an achievement: ach_ and text.
type ID string

// Definition is all that Open Badges 3.0 says of an achievement; its own id is
// empty, because where it is published is kept beside it.
type Definition = openbadges.Achievement

// Achievement is one achievement in its present version.
type Achievement struct {
	ID         ID
	RefSystem  *string
	RefValue   *string
	URI        *string    `db:"uri"` // where it is published, if not here
	CourseID   *course.ID // whose completion it is
	Version    int
	CreatedAt  time.Time
	UpdatedAt  time.Time
	RetiredAt  *time.Time
	Definition Definition
}

// ExternalRef is what the system of origin calls the achievement, or nil.
func (a Achievement) ExternalRef() *id.Ref {
	if a.RefSystem == nil || a.RefValue == nil {
		return nil
	}
	return &id.Ref{System: *a.RefSystem, Value: *a.RefValue}
}

// PublishedURI is the achievement's id in credentials: where it is published
// elsewhere, or its address below the institution's.
func (a Achievement) PublishedURI(base string) string {
	if a.URI != nil {
		return *a.URI
	}
	return base + "/achievements/" + string(a.ID)
}

// Published is the definition as it stands in a credential: with its id, and
// every fragment completed.
func Published(d Definition, uri string) Definition {
	d.ID, d.Type = uri, openbadges.List[string]{"Achievement"}
	d.Alignment = typed(d.Alignment)
	rds := make(openbadges.List[openbadges.ResultDescription], len(d.ResultDescription))
	for i, r := range d.ResultDescription {
		r.ID, r.Type, r.Alignment = Complete(uri, r.ID), openbadges.List[string]{"ResultDescription"}, typed(r.Alignment)
		if r.RequiredLevel != "" {
			r.RequiredLevel = Complete(uri, r.RequiredLevel)
		}
		levels := make(openbadges.List[openbadges.RubricCriterionLevel], len(r.RubricCriterionLevel))
		for j, l := range r.RubricCriterionLevel {
			l.ID, l.Type, l.Alignment = Complete(uri, l.ID), openbadges.List[string]{"RubricCriterionLevel"}, typed(l.Alignment)
			levels[j] = l
		}
		if r.RubricCriterionLevel = levels; len(levels) == 0 {
			r.RubricCriterionLevel = nil
		}
		rds[i] = r
	}
	if d.ResultDescription = rds; len(rds) == 0 {
		d.ResultDescription = nil
	}
	return d
}

func typed(all openbadges.List[openbadges.Alignment]) openbadges.List[openbadges.Alignment] {
	out := make(openbadges.List[openbadges.Alignment], 0, len(all))
	for _, a := range all {
		a.Type = openbadges.List[string]{"Alignment"}
		out = append(out, a)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// Complete is the address of a part: the part's own, or a fragment of uri.
func Complete(uri, part string) string {
	if part == "" || strings.Contains(part, ":") {
		return part
	}
	return uri + "#" + part
}

// Version is one version of an achievement, for good.
type Version struct {
	AchievementID ID
	Version       int
	Definition    Definition
	RecordedAt    time.Time
	RecordedBy    string
}

// Pin names one version of an achievement.
type Pin struct {
	AchievementID ID
	Version       int
}

// Alignment is one alignment of the present version, with our own thing at its
// end where there is one. Part is empty for the achievement itself, else the id
// of the result description or level it belongs to.
type Alignment struct {
	AchievementID ID
	Position      int
	Part          string
	TargetType    *string
	TargetURL     string `db:"target_url"`
	TargetName    string
	TargetCode    *string
	ItemID        *framework.ItemID
	CourseID      *course.ID
}

// Draft is what an achievement is to be.
type Draft struct {
	Ref        *id.Ref
	URI        *string // where it is published, if not here
	Definition Definition
}

// whole is the draft in the form that is kept: id and types aside.
func (d Draft) whole() Draft {
	if d.URI == nil && strings.Contains(d.Definition.ID, ":") {
		uri := d.Definition.ID
		d.URI = &uri
	}
	d.Definition.ID, d.Definition.Type = "", nil
	if d.Definition.AchievementType == "" {
		d.Definition.AchievementType = "Achievement"
	}
	return d
}

// check is the first rule that the draft breaks, or nil.
func (d Draft) check() *fault.Error {
	for _, p := range openbadges.CheckAchievement(d.Definition) {
		return &fault.Error{Kind: fault.Invalid, Field: p.Field, Rule: p.Rule, Message: p.Message}
	}
	if d.Ref != nil && (d.Ref.System == "" || d.Ref.Value == "") {
		return fault.At("externalRef", "required", "An external reference has a system and a value.")
	}
	return nil
}

// hash is of everything that makes a version another one.
func hash(d Definition) []byte {
	raw, err := json.Marshal(d)
	if err != nil {
		panic(err) // plain values
	}
	sum := sha256.Sum256(raw)
	return sum[:]
}

// courseURN is how an alignment names one of our courses.
func courseURN(c course.ID) string {
	u, err := id.UUID(string(c))
	if err != nil {
		u = uuid.Nil // course ids are made by package id
	}
	return "urn:uuid:" + u.String()
}

// courseOf is the course that an alignment's target may be.
func courseOf(target string) (course.ID, bool) {
	rest, ok := strings.CutPrefix(target, "urn:uuid:")
	u, err := uuid.Parse(rest)
	if !ok || err != nil {
		return "", false
	}
	return course.ID(id.Of("crs", u)), true
}

// alignmentsOf are all alignments of a definition, each with its part.
func alignmentsOf(d Definition) []Alignment {
	var all []Alignment
	add := func(part string, list openbadges.List[openbadges.Alignment]) {
		for _, a := range list {
			all = append(all, Alignment{Position: len(all) + 1, Part: part, TargetType: optional(a.TargetType), TargetURL: a.TargetURL,
				TargetName: a.TargetName, TargetCode: optional(a.TargetCode)})
		}
	}
	add("", d.Alignment)
	for _, r := range d.ResultDescription {
		add(r.ID, r.Alignment)
		for _, l := range r.RubricCriterionLevel {
			add(l.ID, l.Alignment)
		}
	}
	return all
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// GradeResult is the result description that the completion of a course has.
const GradeResult = "rd-grade"

// ofCourse is the achievement that is the completion of a course.
func ofCourse(c course.Course) Definition {
	d := Definition{AchievementType: "Course", Name: c.Title, HumanCode: c.Code, CreditsAvailable: c.Credits,
		Description: fmt.Sprintf("Completion of %s, %s.", c.Code, c.Title),
		Criteria:    &openbadges.Criteria{Narrative: "The course was completed as its syllabus requires."},
		ResultDescription: openbadges.List[openbadges.ResultDescription]{
			{ID: GradeResult, Name: "Final grade", ResultType: "LetterGrade"}}}
	if c.Description != nil {
		d.Description = *c.Description
	}
	if c.FieldOfStudy != nil {
		d.FieldOfStudy = *c.FieldOfStudy
	}
	if c.Language != nil {
		d.InLanguage = *c.Language
	}
	return d
}
