package mastery

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
)

// RuleID names a rule: mru_ and text.
type RuleID string

// Rule is one version of how a state follows from evidence and parts. A version
// never changes; it holds from a day on, until a later version does.
type Rule struct {
	ID          RuleID
	Version     int
	FrameworkID *framework.ID     // what it is about: one framework, or
	ItemID      *framework.ItemID // one competency, or with neither all that have no rule of their own
	Branch      bool              // of one competency: everything below it as well
	Name        string
	EffectiveOn day.Date // the first day on which it holds
	RecordedAt  time.Time
	RecordedBy  string
	Retired     bool // from the day on, the rule does not hold any more
	Definition  Definition
}

// Sentence is the rule as a registrar reads it.
func (r Rule) Sentence() string { return r.Definition.Sentence() }

// Method is how several pieces of evidence become one level.
type Method string

// The methods. Pieces stand in the order in which they were achieved; of one day,
// in that in which they were recorded.
const (
	Highest       Method = "highest"          // the best counts
	Latest        Method = "latest"           // the last counts
	Times         Method = "times"            // so many of them, or of the last few, at the level
	Decaying      Method = "decaying_average" // each new one weighs Weight, all before it the rest
	RecentAverage Method = "recent_average"   // the last weighs Weight, the average of all before it the rest
	WeightedMean  Method = "weighted_mean"    // the mean by weight of achievement
	NoEvidence    Method = "none"             // only its parts count
)

// Methods are all methods.
func Methods() []Method {
	return []Method{Highest, Latest, Times, Decaying, RecentAverage, WeightedMean, NoEvidence}
}

func (m Method) average() bool { return m == Decaying || m == RecentAverage || m == WeightedMean }

// What negative evidence does: a result with the status Failed.
const (
	Cancels = "cancels" // what was achieved before it does not count any more
	Counts  = "counts"  // it counts as a piece at nothing
	Ignored = "ignored"
)

// What a prerequisite does that is not met.
const (
	Guide   = "guide"   // a competency that nothing speaks for yet is blocked
	Require = "require" // the competency is blocked, whatever speaks for it
	Ignore  = "ignore"
)

// How evidence and parts go together.
const (
	Either = "either" // evidence of its own or its parts
	Both   = "both"   // evidence of its own and its parts
)

// Definition is the content of a rule. Its zero value, completed, is the built-in
// rule: the highest evidence, judged as the award itself requires, or all parts.
type Definition struct {
	Method        Method             `json:"method,omitempty"`        // highest unless said
	Level         string             `json:"level,omitempty"`         // the least that is met: a level's name or a number; empty: what the award itself requires
	Times         int                `json:"times,omitempty"`         // with times: how many
	Among         int                `json:"among,omitempty"`         // with times: of the last so many; 0: of all
	Weight        float64            `json:"weight,omitempty"`        // of the last, with an average; 0.65 unless said
	Weights       map[string]float64 `json:"weights,omitempty"`       // with weighted_mean: by achievement's id, human code or type; 1 unless said
	Negative      string             `json:"negative,omitempty"`      // cancels unless said
	Parts         *Parts             `json:"parts,omitempty"`         // nil: all of them, met
	Combine       string             `json:"combine,omitempty"`       // either unless said
	Prerequisites string             `json:"prerequisites,omitempty"` // guide unless said
	Months        int                `json:"months,omitempty"`        // how long evidence counts; 0: for good
	Stages        []string           `json:"stages,omitempty"`        // what a course must do with it; assessed unless said
	Strength      float64            `json:"strength,omitempty"`      // the least strength of a crosswalk, 0 to 1
	Scale         *Scale             `json:"scale,omitempty"`         // nil: the competency's own rubric
}

// Parts is how the competencies below carry upward.
type Parts struct {
	Need    string             `json:"need"`              // all, any, none, mean, or how many
	Level   string             `json:"level,omitempty"`   // the least level of a part that counts; empty: that it is met
	Weights map[string]float64 `json:"weights,omitempty"` // with mean: by competency's id, identifier or code; 1 unless said
}

// The words of Parts.Need besides a number.
const (
	All     = "all"
	Any     = "any"
	Nothing = "none"
	Mean    = "mean"
)

const (
	defaultWeight = 0.65
	maxWeights    = 1000
	maxTimes      = 1000
	maxMonths     = 1200
)

// Complete is the definition with every default written out.
func (d Definition) Complete() Definition {
	set := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	if d.Method == "" {
		d.Method = Highest
	}
	if (d.Method == Decaying || d.Method == RecentAverage) && d.Weight == 0 {
		d.Weight = defaultWeight
	}
	if d.Method == Times && d.Times == 0 {
		d.Times = 1
	}
	if d.Parts == nil {
		d.Parts = &Parts{Need: All}
	}
	set(&d.Negative, Cancels)
	set(&d.Combine, Either)
	set(&d.Prerequisites, Guide)
	if d.Stages == nil {
		d.Stages = []string{"assessed"}
	}
	return d
}

// Check is the first thing that is wrong with a definition, or nil.
func (d Definition) Check() *fault.Error {
	d = d.Complete()
	switch {
	case !slices.Contains(Methods(), d.Method):
		return fault.At("method", "method", "%q is not a method.", d.Method)
	case len(d.Level) > maxText:
		return fault.At("level", "too-long", "A level's name has at most %d characters.", maxText)
	case d.Method.average() && d.Level == "":
		return fault.At("level", "required", "An average is compared with a level: name the least that is met.")
	case d.Method == Times && (d.Times < 1 || d.Times > maxTimes || d.Among < 0 || d.Among > maxTimes):
		return fault.At("times", "range", "Say how many times, from 1 to %d.", maxTimes)
	case d.Method == Times && d.Among > 0 && d.Among < d.Times:
		return fault.At("among", "range", "%d times cannot be found among %d.", d.Times, d.Among)
	case d.Method != Times && (d.Times != 0 || d.Among != 0):
		return fault.At("times", "method", "Only the method times counts how many times.")
	case d.Weight < 0 || d.Weight > 1 || math.IsNaN(d.Weight):
		return fault.At("weight", "range", "A weight of the last lies between 0 and 1.")
	case d.Weight != 0 && d.Method != Decaying && d.Method != RecentAverage:
		return fault.At("weight", "method", "Only an average that favours the last has a weight of the last.")
	case d.Method != WeightedMean && len(d.Weights) > 0:
		return fault.At("weights", "method", "Only the weighted mean has weights.")
	case !slices.Contains([]string{Cancels, Counts, Ignored}, d.Negative):
		return fault.At("negative", "negative", "%q is not known: use cancels, counts or ignored.", d.Negative)
	case !slices.Contains([]string{Either, Both}, d.Combine):
		return fault.At("combine", "combine", "%q is not known: use either or both.", d.Combine)
	case !slices.Contains([]string{Guide, Require, Ignore}, d.Prerequisites):
		return fault.At("prerequisites", "prerequisites", "%q is not known: use guide, require or ignore.", d.Prerequisites)
	case d.Months < 0 || d.Months > maxMonths:
		return fault.At("months", "range", "Evidence counts for 0 (for good) to %d months.", maxMonths)
	case d.Strength < 0 || d.Strength > 1 || math.IsNaN(d.Strength):
		return fault.At("strength", "range", "The strength of a crosswalk lies between 0 and 1.")
	case d.Method == NoEvidence && d.Parts.Need == Nothing:
		return fault.At("parts.need", "something", "With neither evidence nor parts nothing is ever met.")
	}
	for _, s := range d.Stages {
		if !slices.Contains([]string{"introduced", "practised", "assessed"}, s) {
			return fault.At("stages", "stage", "%q is not a stage: use introduced, practised or assessed.", s)
		}
	}
	if err := checkWeights("weights", d.Weights); err != nil {
		return err
	}
	if d.Scale != nil {
		if err := d.Scale.check(); err != nil {
			return err
		}
	}
	return d.Parts.check(d)
}

func (p *Parts) check(d Definition) *fault.Error {
	n, err := strconv.Atoi(p.Need)
	switch {
	case !slices.Contains([]string{All, Any, Nothing, Mean}, p.Need) && (err != nil || n < 1 || n > maxTimes):
		return fault.At("parts.need", "need", "%q is not known: use all, any, none, mean or how many parts.", p.Need)
	case p.Need == Mean && d.Level == "":
		return fault.At("level", "required", "A mean of parts is compared with a level: name the least that is met.")
	case p.Need != Mean && len(p.Weights) > 0:
		return fault.At("parts.weights", "need", "Only a mean of parts has weights.")
	case len(p.Level) > maxText:
		return fault.At("parts.level", "too-long", "A level's name has at most %d characters.", maxText)
	}
	return checkWeights("parts.weights", p.Weights)
}

func checkWeights(field string, w map[string]float64) *fault.Error {
	if len(w) > maxWeights {
		return fault.At(field, "too-many", "At most %d weights.", maxWeights)
	}
	for k, v := range w {
		if !(v >= 0 && v <= 1e6) {
			return fault.At(field, "range", "The weight of %q is not a number from 0 on.", k)
		}
	}
	return nil
}

// Monotone reports whether under these rules together more positive evidence
// never lowers a state. Where evidence lapses, a part that was at a level once
// and is too old now counts for less than one that was never there; so rules that
// look at the levels of parts are monotone only where nothing lapses.
func Monotone(rules []Rule) bool {
	lapses, levels := false, false
	for _, r := range rules {
		d := r.Definition.Complete()
		if d.Method != Highest && d.Method != NoEvidence && (d.Method != Times || d.Among > 0) {
			return false
		}
		lapses = lapses || d.Months > 0
		levels = levels || d.Parts.Need == Mean || d.Parts.Level != ""
	}
	return !lapses || !levels
}

// Sentence is the rule as a registrar reads it.
func (d Definition) Sentence() string {
	d = d.Complete()
	var say []string
	if e := d.evidence(); e != "" {
		say = append(say, e)
	}
	if p := d.parts(); p != "" {
		say = append(say, p)
	}
	s := strings.Join(say, map[string]string{Either: "; or ", Both: "; and "}[d.Combine])
	s = strings.ToUpper(s[:1]) + s[1:] + "."
	if d.Months > 0 {
		s += fmt.Sprintf(" Evidence counts for %s.", count(d.Months, "month"))
	}
	if d.Negative == Cancels {
		s += " A failed result cancels what was achieved before it."
	}
	if d.Prerequisites == Require {
		s += " Every prerequisite must be met."
	}
	return s
}

// level is the least level as part of a sentence: what something is at.
func (d Definition) level() string {
	if d.Level == "" {
		return "the level that the award itself requires"
	}
	return d.Level + " or above"
}

// reach is the least level as part of a sentence: what something must reach.
func (d Definition) reach() string {
	if d.Level == "" {
		return "what the award itself requires"
	}
	return d.Level
}

// times is how often, in words.
func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return count(n, "time")
}

func (d Definition) evidence() string {
	percent := strconv.FormatFloat(d.Weight*100, 'f', -1, 64) + " percent"
	switch d.Method {
	case Highest:
		return "the highest evidence counts and must reach " + d.reach()
	case Latest:
		return "the latest evidence counts and must reach " + d.reach()
	case Times:
		among := ""
		if d.Among > 0 {
			among = fmt.Sprintf(" among the latest %d", d.Among)
		}
		return fmt.Sprintf("it must be shown %s%s at %s", times(d.Times), among, d.level())
	case Decaying:
		return fmt.Sprintf("each new piece of evidence weighs %s and everything before it the rest; the result must reach %s", percent, d.reach())
	case RecentAverage:
		return fmt.Sprintf("the latest evidence weighs %s and the average of all before it the rest; the result must reach %s", percent, d.reach())
	case WeightedMean:
		if len(d.Weights) == 0 {
			return "the mean of all evidence must reach " + d.reach()
		}
		return "the weighted mean of all evidence must reach " + d.reach()
	}
	return ""
}

func (d Definition) parts() string {
	at := "be met"
	if d.Parts.Level != "" {
		at = "be at " + d.Parts.Level + " or above"
	}
	switch d.Parts.Need {
	case All:
		return "all its parts must " + at
	case Any:
		return "any of its parts must " + at
	case Nothing:
		return ""
	case Mean:
		mean := "the mean"
		if len(d.Parts.Weights) > 0 {
			mean = "the weighted mean"
		}
		return mean + " of its parts, of which one that nothing speaks for counts as nothing, must reach " + d.reach()
	}
	return d.Parts.Need + " of its parts must " + at
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// InForce are the rules that hold at a clock: of each rule, the version with the
// latest day that has begun and that was known by then.
func InForce(all []Rule, at Clock) []Rule {
	best := map[RuleID]Rule{}
	for _, r := range all {
		if DayOf(r.EffectiveOn) > at.AsOf || InstantOf(r.RecordedAt) > at.KnownAt {
			continue
		}
		old, ok := best[r.ID]
		if !ok || old.EffectiveOn.Before(r.EffectiveOn) || old.EffectiveOn == r.EffectiveOn && old.Version < r.Version {
			best[r.ID] = r
		}
	}
	var out []Rule
	for _, r := range best {
		if !r.Retired {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b Rule) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return out
}
