package mastery

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/testamur/testamur/internal/fault"
)

// Scale is the levels of a competency, the lowest first, and what of other
// rubrics, grades and percentages counts as which.
type Scale struct {
	Name   string  `json:"name,omitempty"`
	Levels []Level `json:"levels"`
}

// Level is one step of a scale.
type Level struct {
	Name    string   `json:"name"`
	Value   float64  `json:"value"`             // grows from level to level
	Same    []string `json:"same,omitempty"`    // names, identifiers and addresses of levels elsewhere
	Grades  []string `json:"grades,omitempty"`  // letters
	Percent *float64 `json:"percent,omitempty"` // from how many of a hundred on
}

// The bounds of a scale.
const (
	maxLevels = 30
	maxNames  = 100
	maxText   = 200
)

func (s *Scale) check() *fault.Error {
	if len(s.Levels) == 0 || len(s.Levels) > maxLevels {
		return fault.At("scale.levels", "count", "A scale has between 1 and %d levels.", maxLevels)
	}
	seen := map[string]bool{}
	percent := -1.0
	for i, l := range s.Levels {
		at := fmt.Sprintf("scale.levels.%d", i)
		switch {
		case strings.TrimSpace(l.Name) == "" || len(l.Name) > maxText:
			return fault.At(at+".name", "required", "A level needs a name of at most %d characters.", maxText)
		case seen[fold(l.Name)]:
			return fault.At(at+".name", "once", "Two levels are called %q.", l.Name)
		case !(l.Value > 0 && l.Value <= 1e6):
			return fault.At(at+".value", "range", "The value of a level is more than 0; 0 is what nothing counts.")
		case i > 0 && l.Value <= s.Levels[i-1].Value:
			return fault.At(at+".value", "in-order", "Write the lowest level first: %q does not count more than the level before it.", l.Name)
		case len(l.Same)+len(l.Grades) > maxNames:
			return fault.At(at, "too-many", "At most %d names and grades count as one level.", maxNames)
		case l.Percent != nil && (*l.Percent < 0 || *l.Percent > 100 || *l.Percent <= percent):
			return fault.At(at+".percent", "in-order", "Percentages are between 0 and 100 and grow from level to level.")
		}
		if l.Percent != nil {
			percent = *l.Percent
		}
		for _, name := range append(append([]string{l.Name}, l.Same...), l.Grades...) {
			if seen[fold(name)] {
				return fault.At(at, "once", "%q counts as two levels.", name)
			}
			seen[fold(name)] = true
		}
	}
	return nil
}

func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// ladder is a scale made ready: its values, and what each name counts.
type ladder struct {
	levels  []Level
	byName  map[string]float32 // levels, other levels and grades, folded
	percent []Level            // those with a percentage, the lowest first
}

func newLadder(levels []Level) *ladder {
	if len(levels) == 0 {
		return nil
	}
	l := &ladder{levels: levels, byName: map[string]float32{}}
	for _, x := range levels {
		for _, name := range append(append([]string{x.Name}, x.Same...), x.Grades...) {
			if _, ok := l.byName[fold(name)]; !ok {
				l.byName[fold(name)] = float32(x.Value)
			}
		}
		if x.Percent != nil {
			l.percent = append(l.percent, x)
		}
	}
	return l
}

// named is what a level or grade counts, by any of the names that it has.
func (l *ladder) named(names ...string) float32 {
	if l == nil {
		return none
	}
	for _, n := range names {
		if v, ok := l.byName[fold(n)]; ok && n != "" {
			return v
		}
	}
	return none
}

// ofPercent is what a percentage counts; below the lowest level it is 0.
func (l *ladder) ofPercent(p float64) float32 {
	if l == nil || len(l.percent) == 0 {
		return none
	}
	v := float32(0)
	for _, x := range l.percent {
		if p >= *x.Percent {
			v = float32(x.Value)
		}
	}
	return v
}

// at is the level that a value reaches; ok is false below the lowest.
func (l *ladder) at(v float32) (Level, bool) {
	var found Level
	ok := false
	if l == nil || !known(v) {
		return found, false
	}
	for _, x := range l.levels {
		if v >= float32(x.Value)-slack {
			found, ok = x, true
		}
	}
	return found, ok
}

// slack is how far an average may fall short of a level by rounding alone.
const slack = 1e-4

// onto is what a value of this ladder counts on another: by a level's names, or
// by its place where both have as many levels.
func (l *ladder) onto(v float32, to *ladder) float32 {
	x, ok := l.at(v)
	if !ok || to == nil {
		return none
	}
	if w := to.named(append([]string{x.Name}, x.Same...)...); known(w) {
		return w
	}
	if len(l.levels) == len(to.levels) {
		for i, y := range l.levels {
			if y.Value == x.Value {
				return float32(to.levels[i].Value)
			}
		}
	}
	return none
}

// say is a value in words.
func (l *ladder) say(v float32) string {
	if !known(v) {
		return ""
	}
	number := strconv.FormatFloat(float64(v), 'f', -1, 32)
	if n := float64(v); n != float64(int(n)) {
		number = strconv.FormatFloat(n, 'f', 2, 64)
	}
	if l == nil {
		return number
	}
	x, ok := l.at(v)
	if !ok {
		return number + ", below " + l.levels[0].Name
	}
	if float32(x.Value) == v {
		return x.Name
	}
	return number + " (" + x.Name + ")"
}
