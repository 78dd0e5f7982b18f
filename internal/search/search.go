// Package search finds, for an employer, learners by what they can do: those,
// and only those, who consented to it, block nothing and have not withdrawn.
//
// A search is a disclosure. It names one competency, the level wanted and how
// recent the evidence is to be, and is answered with who showed it, by which
// award and, where the award was for another competency, by which approved
// mappings. Each learner who is shown is written to the account of disclosures
// in the transaction that shows them, resting on their consent. How many were
// found is told in tens, and not at all below ten.
//
// What awards have on file is kept in the database in the order of a search, by
// the transactions that change awards, consents, blocks and names; what it says
// about competencies is worked out here, from the catalogue as it is now.
package search

import (
	"strings"
	"time"

	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
)

// Query is what an employer looks for.
type Query struct {
	Competency string    // id, CASE identifier or address
	Level      *string   // this or above, by its name or value on the competency's scale or, where it has none, on the award's; nil: as its rule asks for
	Since      *day.Date // evidence of this day or later; nil: whatever has not lapsed
	Crosswalks bool      // evidence of a competency that an approved mapping carries to this one counts as well
	Purpose    string    // what for; empty: as the learners consented
}

// maxPurpose is the longest purpose in characters.
const maxPurpose = 300

// maxName is the longest name of a competency or level in bytes.
const maxName = 2000

func (q Query) check() *fault.Error {
	switch {
	case strings.TrimSpace(q.Competency) == "":
		return fault.At("competency", "required", "Name the competency by its id, its CASE identifier or its address.")
	case len(q.Competency) > maxName:
		return fault.At("competency", "too-long", "A competency's name has at most %d bytes.", maxName)
	case q.Level != nil && len(*q.Level) > maxName:
		return fault.At("level", "too-long", "A level's name has at most %d bytes.", maxName)
	}
	return nil
}

// Match is a learner who showed what was asked for, by the newest award that
// does.
type Match struct {
	LearnerID     learner.ID
	Name          string
	ItemID        framework.ItemID // what the award is for: the competency asked for, or one that is mapped to it
	Level         *string          // reached, on the scale of the competency asked for or, where it has none, of the award's
	AchievedOn    day.Date
	AssertionID   assertion.ID
	AchievementID achievement.ID
	Path          []Step // from what the award is for to what was asked for; none when they are the same
	Sentence      string // all of this in words

	consent consent.ID
}

// Step is a mapping by which who holds one competency holds another.
type Step struct {
	CrosswalkID *string // nil: what a framework itself says
	Type        string
	Strength    float64
	Approver    *string
	ApprovedOn  *day.Date
	BothWays    bool
}

func step(m *mastery.Mapping) Step {
	s := Step{Type: m.Type, Strength: m.Strength, BothWays: m.Both}
	if m.ID != "" {
		s.CrosswalkID = &m.ID
	}
	if m.Approver != "" {
		s.Approver = &m.Approver
	}
	if !m.On.IsZero() {
		s.ApprovedOn = &m.On
	}
	return s
}

// words are a mapping within a sentence.
func (s Step) words() string {
	text := s.Type
	if s.BothWays {
		text += ", which holds both ways"
	}
	if s.Approver != nil {
		text += ", approved by " + *s.Approver
		if s.ApprovedOn != nil {
			text += " on " + s.ApprovedOn.String()
		}
	}
	return text
}

// ways are how an award reaches a competency, within a sentence.
var ways = map[mastery.Way]string{
	mastery.ByCourse:      "by a course that teaches it",
	mastery.ByAchievement: "by an achievement that is aligned to it",
	mastery.ByResult:      "by a result that is aligned to it",
	mastery.ByLevel:       "by a rubric level that is aligned to it",
}

// Count is how many learners match, told so that nobody is singled out.
type Count struct {
	AtLeast *int // in tens; nil below ten
	More    bool // there are more than were counted
}

// The bounds of what a count tells.
const (
	fewest   = 10    // below it nothing is told
	maxCount = 1_000 // counted up to
)

// told is the count of n matches, of which maxCount+1 at most were counted.
func told(n int) Count {
	if n < fewest {
		return Count{}
	}
	atLeast := min(n, maxCount) / fewest * fewest
	return Count{AtLeast: &atLeast, More: n > maxCount}
}

// wanted is what in the index matches: each saying with the day from which on
// awards of it count, and what it says.
type wanted struct {
	said  [][16]byte
	since []time.Time
	by    map[[16]byte]reason
}

// reason is why a saying matches.
type reason struct {
	item        int32
	value       float32
	scale       int32 // the competency on whose scale that is
	way         mastery.Way
	path        []*mastery.Mapping
	achievement achievement.ID
}
