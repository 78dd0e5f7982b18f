// Package course is the catalogue of courses and the curriculum map: where a
// course introduces, practises or assesses a competency, and to what level.
package course

import (
	"slices"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
)

// ID names a course: crs_ and text.
type ID string

// Course is one course of the catalogue.
type Course struct {
	ID           ID
	RefSystem    *string
	RefValue     *string
	Code         string
	Title        string
	Description  *string
	Credits      *float64
	Level        *string
	FieldOfStudy *string
	Language     *string
	Version      int
	CreatedAt    time.Time
	UpdatedAt    time.Time
	RetiredAt    *time.Time
}

// ExternalRef is what the system of origin calls the course, or nil.
func (c Course) ExternalRef() *id.Ref {
	if c.RefSystem == nil || c.RefValue == nil {
		return nil
	}
	return &id.Ref{System: *c.RefSystem, Value: *c.RefValue}
}

// Definition is what may be said of a course.
type Definition struct {
	Ref          *id.Ref
	Code         string
	Title        string
	Description  *string
	Credits      *float64
	Level        *string
	FieldOfStudy *string
	Language     *string
}

// The longest texts, and the most credits.
const (
	maxCode    = 64
	maxTitle   = 400
	maxCredits = 9999
)

// Check is the first rule that the definition breaks, or nil.
func (d Definition) Check() *fault.Error {
	switch {
	case strings.TrimSpace(d.Code) == "":
		return fault.At("code", "required", "A course needs a code.")
	case len(d.Code) > maxCode:
		return fault.At("code", "too-long", "A course code has at most %d characters.", maxCode)
	case strings.TrimSpace(d.Title) == "":
		return fault.At("title", "required", "A course needs a title.")
	case len(d.Title) > maxTitle:
		return fault.At("title", "too-long", "A course title has at most %d characters.", maxTitle)
	case d.Credits != nil && (*d.Credits < 0 || *d.Credits > maxCredits):
		return fault.At("credits", "range", "Credits are between 0 and %d.", maxCredits)
	case d.Ref != nil && (d.Ref.System == "" || d.Ref.Value == ""):
		return fault.At("externalRef", "required", "An external reference has a system and a value.")
	}
	return nil
}

// The stages of a competency in a course.
const (
	Introduced = "introduced"
	Practised  = "practised"
	Assessed   = "assessed"
)

// Mapping is one cell of the curriculum map.
type Mapping struct {
	CourseID    ID
	ItemID      framework.ItemID
	Stage       string
	TargetLevel *string // quality, identifier or uri of a rubric level
}

// checkMapping says whether the stage is known and the target level is one that
// the competency's rubric has; a competency without a rubric has none.
func checkMapping(stage string, target *string, levels map[string]bool) *fault.Error {
	if !slices.Contains([]string{Introduced, Practised, Assessed}, stage) {
		return fault.At("stage", "stage", "%q is not a stage: use introduced, practised or assessed.", stage)
	}
	if target != nil && !levels[*target] {
		return fault.At("targetLevel", "level-known", "%q is no level of this competency's rubric.", *target)
	}
	return nil
}
