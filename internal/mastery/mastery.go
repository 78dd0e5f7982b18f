// Package mastery says what a learner holds and why: the state of every
// competency as a function of the evidence, the frameworks, the rules and two
// dates.
//
// Evidence reaches a competency by the alignment of an achievement, of one of
// its results or rubric levels, by the curriculum map of a course, and by
// crosswalks from other competencies. Rules are data in versions and say how
// evidence and parts become a state. Every state can be explained: the rule, each
// piece of evidence and what became of it, each part, and what is missing.
//
// The core is pure and does not depend on the order in which evidence comes, or
// on whether one learner is asked for or many. Nothing gains evidence from
// itself: where frameworks run in a circle the circle carries nothing and is
// told of. One award counts once for a competency, by however many ways it
// comes.
package mastery

import (
	"math"
	"time"

	"github.com/testamur/testamur/internal/day"
)

// Status is how far a learner is with a competency.
type Status uint8

// The statuses, the least first.
const (
	NotMet     Status = iota // nothing speaks for it
	Blocked                  // a prerequisite is not met
	InProgress               // something speaks for it, not enough
	Lapsed                   // it was met; what showed it is too old
	Met
)

// Statuses are all statuses, the least first.
func Statuses() []Status { return []Status{NotMet, Blocked, InProgress, Lapsed, Met} }

// String is the status as it is written in files.
func (s Status) String() string {
	return [...]string{"not_met", "blocked", "in_progress", "lapsed", "met"}[s]
}

// Words is the status within a sentence.
func (s Status) Words() string {
	return [...]string{"not met", "blocked", "in progress", "lapsed", "met"}[s]
}

// Day counts days from 1 January 2000, as PostgreSQL does.
type Day int32

// Never is later than every day.
const Never Day = math.MaxInt32

var epoch = day.Of(2000, time.January, 1)

// DayOf is the number of a date; no date is day 0.
func DayOf(d day.Date) Day {
	if d.IsZero() {
		return 0
	}
	return Day(d.Midnight().Sub(epoch.Midnight()) / (24 * time.Hour))
}

// Date is the date of a number; Never is no date.
func (d Day) Date() day.Date {
	if d == Never {
		return day.Date{}
	}
	return epoch.AddDays(int(d))
}

// Instant counts microseconds from the same midnight, as PostgreSQL does.
type Instant int64

// Ever is later than every instant.
const Ever Instant = math.MaxInt64

// InstantOf is the number of a time.
func InstantOf(t time.Time) Instant { return Instant(t.UnixMicro() - epoch.Midnight().UnixMicro()) }

// Time is the time of a number.
func (i Instant) Time() time.Time {
	return time.UnixMicro(int64(i) + epoch.Midnight().UnixMicro()).UTC()
}

// Clock is what a state is asked as of. Both are always set; At says how.
type Clock struct {
	AsOf    Day     // by the date of achievement: what was achieved after it does not count
	KnownAt Instant // by the date of entry: what was recorded after it does not count
}

// At is the clock at a moment: everything achieved and known by then.
func At(t time.Time) Clock { return Clock{AsOf: DayOf(day.On(t.UTC())), KnownAt: InstantOf(t)} }

// State is how far a learner is with one competency.
type State struct {
	Status Status
	Value  float32 // on the competency's scale; NaN where no level is known
	On     Day     // the day from which what counts has been achieved; 0 where nothing has
	Until  Day     // the day on which it lapses or lapsed; Never
}

// nothing is the state without anything that speaks for it.
var nothing = State{Value: none, Until: Never}

// none is the value where no level is known.
var none = float32(math.NaN())

func known(v float32) bool { return v == v }

// better reports whether a is further than b.
func better(a, b State) bool {
	if a.Status != b.Status {
		return a.Status > b.Status
	}
	if known(a.Value) != known(b.Value) {
		return known(a.Value)
	}
	return a.Value > b.Value
}

// same is equality in which two unknown values are equal.
func same(a, b State) bool {
	return a.Status == b.Status && a.On == b.On && a.Until == b.Until && (a.Value == b.Value || !known(a.Value) && !known(b.Value))
}

// addMonths is the same day so many months later, or the last of a shorter month.
func addMonths(d Day, months int) Day {
	y, m, dom := d.Date().Midnight().Date()
	first := day.Of(y, m+time.Month(months), 1)
	last := day.Of(y, m+time.Month(months)+1, 0)
	return min(DayOf(first)+Day(dom)-1, DayOf(last))
}
