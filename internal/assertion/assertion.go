// Package assertion is who earned what, when, with which results and evidence:
// badge awards and course completions alike.
//
// An assertion points at the version of the achievement it was made under, for
// good. When it was achieved and when it was recorded are different dates. What
// was asserted is corrected or withdrawn with a reason, never deleted.
package assertion

import (
	"slices"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/spec/openbadges"
)

// ID names an assertion: asn_ and text.
type ID string

// Result is what was reached; its ids are those of the achievement's version.
type Result struct {
	Description string `json:"resultDescription,omitempty"`
	Level       string `json:"achievedLevel,omitempty"`
	Value       string `json:"value,omitempty"`
	Status      string `json:"status,omitempty"`
}

// Evidence is what shows that it was earned. URL and Narrative: at least one.
type Evidence struct {
	URL         string `json:"id,omitempty"`
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
	Narrative   string `json:"narrative,omitempty"`
	Genre       string `json:"genre,omitempty"`
}

// Assertion is one award.
type Assertion struct {
	ID                 ID
	LearnerID          learner.ID
	AchievementID      achievement.ID
	AchievementVersion int
	RefSystem          *string
	RefValue           *string
	AchievedOn         day.Date
	RecordedAt         time.Time
	RecordedBy         string
	UpdatedAt          time.Time
	Version            int
	Term               string
	Grade              *string
	CreditsEarned      *float64
	Narrative          *string
	Role               *string
	LicenseNumber      *string
	ActivityStartOn    *day.Date
	ActivityEndOn      *day.Date
	Results            []Result
	Evidence           []Evidence
	WithdrawnAt        *time.Time
	WithdrawnBy        *string
	WithdrawnReason    *string
}

// Pin is the version of the achievement that was awarded.
func (a Assertion) Pin() achievement.Pin {
	return achievement.Pin{AchievementID: a.AchievementID, Version: a.AchievementVersion}
}

// ExternalRef is what the system of origin calls the assertion, or nil.
func (a Assertion) ExternalRef() *id.Ref {
	if a.RefSystem == nil || a.RefValue == nil {
		return nil
	}
	return &id.Ref{System: *a.RefSystem, Value: *a.RefValue}
}

// Facts are what an award says besides who and what.
type Facts struct {
	AchievedOn      day.Date
	Term            string
	Grade           *string
	CreditsEarned   *float64
	Narrative       *string
	Role            *string
	LicenseNumber   *string
	ActivityStartOn *day.Date
	ActivityEndOn   *day.Date
	Results         []Result
	Evidence        []Evidence
}

// The bounds of an award.
const (
	maxCredits  = 9999
	maxResults  = 100
	maxEvidence = 50
	maxText     = 10_000
	maxLine     = 500
	maxReason   = 2000
)

// Check is the first rule that the facts break under a version of an
// achievement, or nil. today is the day on which they are recorded.
func (f Facts) Check(d achievement.Definition, today day.Date) *fault.Error {
	switch {
	case f.AchievedOn.IsZero():
		return fault.At("achievedOn", "required", "Say on which day it was achieved.")
	case f.AchievedOn.After(today):
		return fault.At("achievedOn", "achieved-before-recorded", "%s lies in the future: an award is recorded when it has been achieved.", f.AchievedOn)
	case f.CreditsEarned != nil && (*f.CreditsEarned < 0 || *f.CreditsEarned > maxCredits):
		return fault.At("creditsEarned", "range", "Credits are between 0 and %d.", maxCredits)
	case f.ActivityStartOn != nil && f.ActivityEndOn != nil && f.ActivityEndOn.Before(*f.ActivityStartOn):
		return fault.At("activityEndOn", "activity-in-order", "The activity ends before it begins.")
	case f.Narrative != nil && len(*f.Narrative) > maxText:
		return fault.At("narrative", "too-long", "A narrative has at most %d characters.", maxText)
	case len(f.Term) > maxLine:
		return fault.At("term", "too-long", "A term has at most %d characters.", maxLine)
	case f.Grade != nil && len(*f.Grade) > maxLine:
		return fault.At("grade", "too-long", "A grade has at most %d characters.", maxLine)
	case f.Role != nil && len(*f.Role) > maxLine:
		return fault.At("role", "too-long", "A role has at most %d characters.", maxLine)
	case f.LicenseNumber != nil && len(*f.LicenseNumber) > maxLine:
		return fault.At("licenseNumber", "too-long", "A license number has at most %d characters.", maxLine)
	case len(f.Results) > maxResults:
		return fault.At("results", "too-many", "An award has at most %d results.", maxResults)
	case len(f.Evidence) > maxEvidence:
		return fault.At("evidence", "too-many", "An award has at most %d pieces of evidence.", maxEvidence)
	}
	for i, r := range f.Results {
		for _, p := range openbadges.CheckResult(d, r.standard()) {
			return fault.At(p.Field, p.Rule, "%s", p.Message).Within("results." + itoa(i))
		}
	}
	for i, e := range f.Evidence {
		if e.URL == "" && strings.TrimSpace(e.Narrative) == "" {
			return fault.At("evidence."+itoa(i), "required", "Evidence has an address or a narrative.")
		}
		if e.URL != "" && !absolute(e.URL) {
			return fault.At("evidence."+itoa(i)+".url", "uri", "%q is not a web address.", e.URL)
		}
	}
	return f.checkGrade(d)
}

// absolute is a cheap test for an address; the signer checks the whole of it.
func absolute(s string) bool {
	scheme, rest, ok := strings.Cut(s, ":")
	return ok && scheme != "" && rest != "" && !strings.ContainsAny(s, " \t\r\n<>\"{}|\\^`")
}

func (r Result) standard() openbadges.Result {
	return openbadges.Result{ResultDescription: r.Description, AchievedLevel: r.Level, Value: r.Value, Status: r.Status}
}

// Of is the assertion with the facts put on it.
func (f Facts) Of(a Assertion) Assertion {
	a.AchievedOn, a.Term, a.Grade, a.CreditsEarned = f.AchievedOn, f.Term, f.Grade, f.CreditsEarned
	a.Narrative, a.Role, a.LicenseNumber = f.Narrative, f.Role, f.LicenseNumber
	a.ActivityStartOn, a.ActivityEndOn = f.ActivityStartOn, f.ActivityEndOn
	a.Results, a.Evidence = f.Results, f.Evidence
	if a.Results == nil {
		a.Results = []Result{}
	}
	if a.Evidence == nil {
		a.Evidence = []Evidence{}
	}
	return a
}

// withGrade makes the grade and the result that tells it one: what is signed
// says the grade that records are reckoned by, and the other way round. Which
// result that is says gradeOf.
func (f Facts) withGrade(d achievement.Definition) Facts {
	of := gradeOf(d)
	if of == "" {
		return f
	}
	for _, r := range f.Results {
		if r.Description == of {
			if f.Grade == nil && r.Value != "" {
				f.Grade = &r.Value
			}
			return f
		}
	}
	if f.Grade != nil {
		f.Results = append(f.Results[:len(f.Results):len(f.Results)], Result{Description: of, Value: *f.Grade})
	}
	return f
}

// gradeOf is the description of the result that is the grade of an achievement:
// that of a course, or the first letter grade; empty where it has none.
func gradeOf(d achievement.Definition) (id string) {
	for _, r := range d.ResultDescription {
		switch {
		case r.ID == achievement.GradeResult:
			return r.ID
		case r.ResultType == "LetterGrade" && len(r.RubricCriterionLevel) == 0 && id == "":
			id = r.ID
		}
	}
	return id
}

// following has a result that repeats the grade as it was follow the new one, for
// whoever sends back what they read with another grade.
func (f Facts) following(was *string, d achievement.Definition) Facts {
	of := gradeOf(d)
	if of == "" || was == nil || f.Grade == nil {
		return f
	}
	f.Results = slices.Clone(f.Results)
	for i, r := range f.Results {
		if r.Description == of && r.Value == *was {
			f.Results[i].Value = *f.Grade
		}
	}
	return f
}

// checkGrade refuses a grade that a result contradicts.
func (f Facts) checkGrade(d achievement.Definition) *fault.Error {
	of := gradeOf(d)
	for i, r := range f.Results {
		if of != "" && r.Description == of && f.Grade != nil && r.Value != *f.Grade {
			return fault.At("results."+itoa(i)+".value", "one-grade", "The grade is %q, and this result gives %q as the same grade: send one of them, or both alike.", *f.Grade, r.Value)
		}
	}
	return nil
}
