package demo

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/day"
)

// term is one of the two terms of a year; work is graded on its last day.
type term struct {
	name string
	ends day.Date
}

// terms are those a learner has completed by the end of the data, Spring 2026,
// at most eight.
func (l learner) terms() []term {
	var all []term
	for y := l.startYear; y < 2026; y++ {
		all = append(all,
			term{fmt.Sprintf("Fall %d", y), day.Of(y, time.December, 15)},
			term{fmt.Sprintf("Spring %d", y+1), day.Of(y+1, time.May, 22)})
	}
	return all[:min(8, len(all))]
}

// earned is everything that the learners earned, as rows of the two files.
type earned struct {
	results, awards [][]string
}

func earn(all []learner, r *rand.Rand) earned {
	e := earned{
		results: [][]string{{"result_id", "learner_id", "course_code", "term", "completed_on", "grade", "credits_earned"}},
		awards: [][]string{{"award_id", "learner_id", "achievement", "achieved_on", "term", "level", "value", "credits_earned",
			"narrative", "evidence_url", "evidence_name"}},
	}
	for _, l := range all {
		e.learner(l, r)
	}
	return e
}

// learner adds what one learner earned: courses in the order of their years,
// the competencies those assess, and what follows from the competencies.
func (e *earned) learner(l learner, r *rand.Rand) {
	attained := map[string]int{}
	queue := courses
	terms := l.terms()
	for n, t := range terms {
		load := 3
		if l.strength < 0.55 || n%3 == 2 {
			load = 2
		}
		for ; load > 0 && len(queue) > 0; load-- {
			c := queue[0]
			queue = queue[1:]
			e.course(l, c, t, attained, r)
		}
		if n == len(terms)/2 {
			e.coCurricular(l, t, r)
		}
		e.practice(l, t, attained, r)
	}
	if len(terms) > 0 {
		e.credentials(l, terms[len(terms)-1], attained, len(queue) == 0)
	}
}

// course adds a completion, and the assessed competencies with their level.
func (e *earned) course(l learner, c course, t term, attained map[string]int, r *rand.Rand) {
	mark := min(1, max(0, l.strength+0.12*r.NormFloat64()))
	grade, passed := gradeOf(mark)
	credits := "0"
	if passed {
		credits = fmt.Sprint(c.credits)
	}
	id := fmt.Sprintf("R-%s-%s", l.number, strings.ReplaceAll(c.code, " ", ""))
	e.results = append(e.results, []string{id, l.number, c.code, t.name, t.ends.String(), grade, credits})
	if !passed {
		return
	}
	for _, m := range c.teaches {
		if m.stage == "assessed" {
			e.competency(l, m.competency, levelOf(mark, r), t.ends.AddDays(-r.IntN(12)), t, attained)
		}
	}
}

// practice adds a later, higher demonstration of one competency now and then.
func (e *earned) practice(l learner, t term, attained map[string]int, r *rand.Rand) {
	for i, a := range areas {
		for j := range a.competencies {
			code := competencyCode(i, j)
			if n := attained[code]; n > 0 && n < 4 && r.Float64() < 0.12*l.strength {
				e.competency(l, code, n+1, t.ends.AddDays(-20-r.IntN(30)), t, attained)
				continue
			}
			if attained[code] == 0 && r.Float64() < 0.02 {
				e.competency(l, code, 1+r.IntN(2), t.ends.AddDays(-50-r.IntN(20)), t, attained)
			}
		}
	}
}

func (e *earned) competency(l learner, code string, n int, on day.Date, t term, attained map[string]int) {
	attained[code] = max(attained[code], n)
	e.award(l, "COMP-"+code, on, t, row{level: levels[n-1].name,
		evidence: "Assessed work for " + code, narrative: "Assessed against the mastery scale by two assessors."})
}

func (e *earned) coCurricular(l learner, t term, r *rand.Rand) {
	on := t.ends.AddDays(-r.IntN(40))
	if r.Float64() < 0.25 {
		e.award(l, "COCUR-PEER", on, t, row{narrative: "Tutored in the data studio."})
	}
	if r.Float64() < 0.2 {
		e.award(l, "SERV-OPEN", on, t, row{evidence: "Published data set"})
	}
}

// credentials adds what follows from the competencies a learner holds.
func (e *earned) credentials(l learner, t term, attained map[string]int, done bool) {
	holds := func(codes ...string) bool {
		for _, c := range codes {
			if attained[c] < 3 {
				return false
			}
		}
		return true
	}
	on := t.ends.AddDays(7)
	if holds("A.1", "A.2", "A.3") {
		e.award(l, "CERT-FOUND", on, t, row{credits: "12"})
	}
	if holds("C.1", "C.2") {
		e.award(l, "MICRO-SQL", on, t, row{credits: "8", value: fmt.Sprint(70 + int(l.strength*29))})
	}
	if attained["F.1"] >= 3 {
		e.award(l, "FIELD-150", on, t, row{credits: "5", evidence: "Placement report"})
	}
	if attained["E.2"] == 4 && l.strength > 0.93 {
		e.award(l, "AWARD-FAIR", on, t, row{})
	}
	if done && len(attained) == 18 && l.strength > 0.6 {
		e.award(l, "BAS-ADA", on, t, row{credits: "120", narrative: "Conferred by the Senate of the college."})
	}
}

type row struct{ level, value, credits, narrative, evidence string }

// award adds one row; a second award of one achievement on one day in one term
// would be the same award, so the day moves on.
func (e *earned) award(l learner, code string, on day.Date, t term, v row) {
	id := fmt.Sprintf("A-%s-%s-%s", l.number, code, on)
	link := ""
	if v.evidence != "" {
		link = fmt.Sprintf("https://portfolio.aldersound.example/%s/%s/%s", l.number, code, on)
	}
	for _, seen := range e.awards[max(1, len(e.awards)-40):] {
		if seen[0] == id {
			return
		}
	}
	e.awards = append(e.awards, []string{id, l.number, achievementURI(code), on.String(), t.name, v.level, v.value, v.credits,
		v.narrative, link, v.evidence})
}

// gradeOf is the letter for a mark from 0 to 1, and whether it passes.
func gradeOf(mark float64) (string, bool) {
	for _, g := range []struct {
		from  float64
		grade string
	}{{0.93, "A"}, {0.88, "A-"}, {0.83, "B+"}, {0.77, "B"}, {0.71, "B-"}, {0.65, "C+"}, {0.58, "C"}, {0.5, "D"}} {
		if mark >= g.from {
			return g.grade, true
		}
	}
	return "F", false
}

// levelOf is the level that goes with a mark, a little noisy.
func levelOf(mark float64, r *rand.Rand) int {
	n := int(math.Round(mark*4 + 0.15 + 0.35*r.NormFloat64()))
	return min(4, max(2, n))
}
