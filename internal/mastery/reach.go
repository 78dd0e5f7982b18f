package mastery

import (
	"slices"
	"strconv"
	"strings"

	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/spec/openbadges"
)

// Way is how an award reaches a competency.
type Way uint8

// The ways. Where an award reaches a competency by several, the later in this
// list says it best and is the one that counts.
const (
	ByCourse      Way = iota // the curriculum map of the course that was completed
	ByAchievement            // an alignment of the achievement
	ByResult                 // an alignment of a result description
	ByLevel                  // an alignment of the rubric level that was achieved
)

// Hit is what one award says about one competency.
type Hit struct {
	Item   int32
	Value  float32 // on the item's scale; unknown where no level is told
	Weight float32 // in a weighted mean
	Pass   Verdict
	Way    Way
}

// Verdict is what an award's own requirement says.
type Verdict int8

// The verdicts.
const (
	Failed  Verdict = -1 // a result with the status Failed
	Short   Verdict = 0  // under way, or below what is required
	Passed  Verdict = 1
	Nowhere Verdict = 2 // says nothing: withdrawn from, or not passed
)

// Facts are what an award says besides which achievement it is of.
type Facts struct {
	Results []assertion.Result
	Grade   string
	Credits *float64
}

// Offer is the version of an achievement that an award was made under, with the
// curriculum map of the course whose completion it is, if it is one.
type Offer struct {
	AchievementID achievement.ID
	Definition    achievement.Definition
	Taught        []course.Mapping
}

// Reach is what an award says about competencies.
func (m *Model) Reach(o Offer, f Facts) []Hit {
	r, d := reach{m: m, offer: o, facts: f}, o.Definition
	r.results(d)
	for _, a := range d.Alignment {
		if i, ok := m.target(a); ok {
			v, pass := r.overall(d, i)
			r.add(i, v, pass, ByAchievement)
		}
	}
	if r.completed() {
		for _, t := range o.Taught {
			r.course(t)
		}
	}
	return r.hits
}

type reach struct {
	m     *Model
	offer Offer
	facts Facts
	hits  []Hit
}

// add keeps the best that is said about an item.
func (r *reach) add(item int32, v float32, pass Verdict, way Way) {
	if pass == Nowhere {
		return
	}
	h := Hit{item, v, 1, pass, way}
	weights := r.m.rules[r.m.nodes[item].rule].def.Weights
	for _, name := range []string{string(r.offer.AchievementID), r.offer.Definition.HumanCode, r.offer.Definition.AchievementType} {
		if w, ok := weights[name]; ok && name != "" {
			h.Weight = float32(w)
			break
		}
	}
	i := slices.IndexFunc(r.hits, func(o Hit) bool { return o.Item == h.Item })
	switch {
	case i < 0:
		r.hits = append(r.hits, h)
	case r.hits[i].Way < h.Way, r.hits[i].Way == h.Way && !(r.hits[i].Value >= h.Value):
		r.hits[i] = h
	}
}

// target is the item that an alignment points to.
func (m *Model) target(a openbadges.Alignment) (int32, bool) {
	for _, name := range []string{a.TargetURL, a.TargetCode} {
		if name == "" {
			continue
		}
		if i, ok := m.Named(name); ok {
			return i, true
		}
	}
	return 0, false
}

// results follows the alignments of result descriptions and of rubric levels.
func (r *reach) results(d achievement.Definition) {
	for _, res := range r.facts.Results {
		rd, ok := described(d, res)
		if !ok {
			continue
		}
		pass := verdict(rd, res)
		for _, a := range rd.Alignment {
			if i, ok := r.m.target(a); ok {
				r.add(i, r.m.value(i, rd, res), pass, ByResult)
			}
		}
		l, ok := achieved(rd, res)
		if !ok {
			continue
		}
		for _, a := range l.Alignment {
			if g, ok := r.m.byLevel[a.TargetURL]; ok {
				r.add(g.item, r.m.value(g.item, rd, res), pass, ByLevel)
			} else if i, ok := r.m.target(a); ok {
				r.add(i, r.m.value(i, rd, res), pass, ByLevel)
			}
		}
	}
}

func described(d achievement.Definition, res assertion.Result) (openbadges.ResultDescription, bool) {
	i := slices.IndexFunc(d.ResultDescription, func(rd openbadges.ResultDescription) bool { return rd.ID == res.Description })
	if i < 0 {
		return openbadges.ResultDescription{}, false
	}
	return d.ResultDescription[i], true
}

func achieved(rd openbadges.ResultDescription, res assertion.Result) (openbadges.RubricCriterionLevel, bool) {
	i := rungAt(rd, res.Level)
	if i < 0 {
		return openbadges.RubricCriterionLevel{}, false
	}
	return rd.RubricCriterionLevel[i], true
}

// rungAt is the place of a level in its rubric, or -1.
func rungAt(rd openbadges.ResultDescription, level string) int {
	if level == "" {
		return -1
	}
	return slices.IndexFunc(rd.RubricCriterionLevel, func(l openbadges.RubricCriterionLevel) bool { return l.ID == level })
}

// overall is what the award says of what it is aligned to as a whole: by the
// results that are about nothing of their own.
func (r *reach) overall(d achievement.Definition, item int32) (float32, Verdict) {
	v, pass := none, Passed
	for _, res := range r.facts.Results {
		rd, ok := described(d, res)
		if !ok || len(rd.Alignment) > 0 {
			continue
		}
		if p := verdict(rd, res); p == Nowhere {
			return none, Nowhere
		} else {
			pass = min(pass, p)
		}
		if !known(v) {
			v = r.m.value(item, rd, res)
		}
	}
	if !known(v) && r.facts.Grade != "" {
		v = r.m.nodes[item].ladder.named(r.facts.Grade)
	}
	return v, pass
}

// verdict is what the result's own requirement says of it.
func verdict(rd openbadges.ResultDescription, res assertion.Result) Verdict {
	switch res.Status {
	case "Failed":
		return Failed
	case "Withdrew":
		return Nowhere
	case "InProgress", "Enrolled", "OnHold", "Provisional":
		return Short
	}
	if required := rungAt(rd, rd.RequiredLevel); required >= 0 && res.Level != "" && rungAt(rd, res.Level) < required {
		return Short
	}
	if rd.RequiredValue == "" || res.Value == "" {
		return Passed
	}
	got, err1 := strconv.ParseFloat(res.Value, 64)
	want, err2 := strconv.ParseFloat(rd.RequiredValue, 64)
	if err1 == nil && err2 == nil {
		if got < want {
			return Short
		}
		return Passed
	}
	if i, j := slices.Index(rd.AllowedValue, res.Value), slices.Index(rd.AllowedValue, rd.RequiredValue); i >= 0 && i < j {
		return Short
	}
	return Passed
}

// value is what a result counts on an item's scale, or unknown.
func (m *Model) value(item int32, rd openbadges.ResultDescription, res assertion.Result) float32 {
	l := m.nodes[item].ladder
	if at := rungAt(rd, res.Level); at >= 0 {
		return m.rubricValue(item, rd, at)
	}
	if res.Value == "" || l == nil {
		return none
	}
	if v := l.named(res.Value); known(v) {
		return v
	}
	if at := slices.Index(rd.AllowedValue, res.Value); at >= 0 && len(rd.AllowedValue) == len(l.levels) {
		return float32(l.levels[at].Value)
	}
	got, err := strconv.ParseFloat(strings.TrimSuffix(res.Value, "%"), 64)
	if err != nil {
		return none
	}
	if rd.ResultType == "Percent" || strings.HasSuffix(res.Value, "%") {
		return l.ofPercent(got)
	}
	top, err := strconv.ParseFloat(rd.ValueMax, 64)
	low, _ := strconv.ParseFloat(rd.ValueMin, 64)
	if err != nil || top <= low {
		return none
	}
	return l.ofPercent((got - low) / (top - low) * 100)
}

// rubricValue is what the level at a place of an award's rubric counts on an
// item's scale: by what the level is aligned to, by its names, or by its place
// where both have as many levels.
func (m *Model) rubricValue(item int32, rd openbadges.ResultDescription, at int) float32 {
	x := rd.RubricCriterionLevel[at]
	for _, a := range x.Alignment {
		for _, name := range []string{a.TargetURL, a.TargetCode, a.TargetName} {
			if v := m.level(item, name); known(v) && name != "" {
				return v
			}
		}
	}
	l := m.nodes[item].ladder
	if v := l.named(x.Name, x.ID, x.Level); known(v) {
		return v
	}
	if l != nil && len(l.levels) == len(rd.RubricCriterionLevel) {
		return float32(l.levels[at].Value)
	}
	return none
}

// unfinished are the grades with which a course was not completed.
var unfinished = []string{"f", "e", "wf", "nf", "nc", "np", "u", "w", "wp", "i", "ip", "au", "nr", "fail", "no credit", "withdrew", "incomplete", "audit"}

// Unfinished reports whether a grade is one with which a course was not completed.
func Unfinished(grade string) bool { return slices.Contains(unfinished, fold(grade)) }

// completed reports whether a course was completed: no result failed or is
// under way, and the grade is one that passes. A failed course says nothing
// against what it teaches.
func (r *reach) completed() bool {
	for _, res := range r.facts.Results {
		if verdict(openbadges.ResultDescription{}, res) != Passed {
			return false
		}
	}
	if Unfinished(r.facts.Grade) {
		return false
	}
	return r.facts.Credits == nil || *r.facts.Credits > 0 || r.facts.Grade == ""
}

// course follows a cell of the curriculum map. A course shows no more than it
// aims at, and by its grade perhaps less.
func (r *reach) course(t course.Mapping) {
	i, ok := r.m.byID[t.ItemID]
	if !ok || !slices.Contains(r.m.rules[r.m.nodes[i].rule].def.Stages, t.Stage) {
		return
	}
	v, grade := none, r.m.nodes[i].ladder.named(r.facts.Grade)
	if t.TargetLevel != nil {
		v, _ = r.m.LevelOf(i, *t.TargetLevel)
	}
	if known(grade) && !(v < grade) {
		v = grade
	}
	r.add(i, v, Passed, ByCourse)
}
