package program

import (
	"time"

	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/learner"
)

// EquivalencyID names an equivalency: eqv_ and text.
type EquivalencyID string

// The grounds of an equivalency.
const (
	Transfer      = "transfer"       // earned elsewhere
	PriorLearning = "prior_learning" // assessed here, learnt anywhere
	Unit          = "unit"           // a competency unit of direct assessment, worth a course
	Substitution  = "substitution"   // one thing in place of another
	Waiver        = "waiver"         // nothing in place of it
)

// Given is what has to be there: something that is on file here or, for one
// learner, a text that names what was shown elsewhere.
type Given struct {
	CompetencyID  framework.ItemID `json:"competencyId,omitempty"`
	Level         string           `json:"level,omitempty"`
	CourseID      course.ID        `json:"courseId,omitempty"`
	AchievementID achievement.ID   `json:"achievementId,omitempty"`
	Grade         string           `json:"grade,omitempty"` // at least
	Text          string           `json:"text,omitempty"`
}

// Instead is what it counts as.
type Instead struct {
	CompetencyID  framework.ItemID `json:"competencyId,omitempty"`
	CourseID      course.ID        `json:"courseId,omitempty"`
	AchievementID achievement.ID   `json:"achievementId,omitempty"`
	Grade         string           `json:"grade,omitempty"`
	Credits       float64          `json:"credits,omitempty"`
	ClockHours    float64          `json:"clockHours,omitempty"`
	Resident      bool             `json:"resident,omitempty"` // the credits count as earned here
}

// Equivalency says that one thing counts as another, for everybody or for one
// learner, from a day on, and who approved it.
type Equivalency struct {
	ID          EquivalencyID
	LearnerID   *learner.ID // nil: for everybody
	Ground      string
	Given       Given
	Instead     Instead
	Reason      string
	EffectiveOn day.Date
	ApprovedBy  string
	RecordedAt  time.Time
	WithdrawnAt *time.Time
}

// NewEquivalency is an equivalency to be.
type NewEquivalency struct {
	LearnerID   *string // id or reference
	Ground      string
	Given       Given
	Instead     Instead
	Reason      string
	EffectiveOn *day.Date // nil: today
}

func (n NewEquivalency) check() *fault.Error {
	given := count(n.Given.CompetencyID != "", n.Given.CourseID != "", n.Given.AchievementID != "", n.Given.Text != "")
	instead := count(n.Instead.CompetencyID != "", n.Instead.CourseID != "", n.Instead.AchievementID != "")
	switch {
	case !oneOf(n.Ground, Transfer, PriorLearning, Unit, Substitution, Waiver):
		return fault.At("ground", "ground", "%q is no ground: use transfer, prior_learning, unit, substitution or waiver.", n.Ground)
	case given > 1, given == 0 && n.Ground != Waiver:
		return fault.At("given", "one-of", "Say what is given: one competency, course, achievement or text.")
	case instead != 1:
		return fault.At("instead", "one-of", "Say what it counts as: one competency, course or achievement.")
	case n.LearnerID == nil && (n.Given.Text != "" || given == 0):
		return fault.At("learnerId", "required", "What rests on a text, or on nothing, is for one learner: say for whom.")
	case len(n.Reason) == 0 || len(n.Reason) > 2000:
		return fault.At("reason", "required", "Say why it is equivalent, in at most 2000 characters.")
	case len(n.Given.Text) > 2000 || len(n.Given.Grade) > 40 || len(n.Instead.Grade) > 40 || len(n.Given.Level) > 200:
		return fault.At("given", "too-long", "A text has at most 2000 characters, a grade 40 and a level 200.")
	case n.Instead.Credits < 0 || n.Instead.Credits > 9999 || n.Instead.ClockHours < 0 || n.Instead.ClockHours > 99_999:
		return fault.At("instead.credits", "range", "Credits and clock hours are not below 0.")
	}
	return nil
}

func count(all ...bool) int {
	n := 0
	for _, v := range all {
		if v {
			n++
		}
	}
	return n
}

func oneOf(v string, all ...string) bool {
	for _, w := range all {
		if v == w {
			return true
		}
	}
	return false
}

// Earned is one award as a program looks at it.
type Earned struct {
	ID            assertion.ID // empty for what is planned or equivalent
	AchievementID achievement.ID
	CourseID      course.ID
	Grade         string
	Credits       float64
	On            day.Date
	Planned       bool
	Open          bool         // by a result it is under way
	Failed        bool         // by a result it was failed, or withdrawn from
	By            *Equivalency // in whose place it stands
}

// resident reports whether its credits were earned here.
func (e *Earned) resident() bool { return e.By == nil || e.By.Instead.Resident }
