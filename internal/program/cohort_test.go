package program

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/course"
)

// leafs are the courses A, B, … as requirements.
func leafs(names string) []Requirement {
	var all []Requirement
	for _, n := range names {
		all = append(all, Requirement{Kind: Course, CourseID: course.ID("crs_" + string(n))})
	}
	return all
}

// kinds are what somebody can be with one course: as many bits as there are
// courses, met or not, and with split each way in which one is not met.
func statusesOf(n int, split bool) [][]Status {
	each := []Status{Missing, Met}
	if split {
		each = []Status{Missing, Blocked, InProgress, Met}
	}
	all := [][]Status{nil}
	for range n {
		var next [][]Status
		for _, have := range all {
			for _, s := range each {
				next = append(next, append(slices.Clone(have), s))
			}
		}
		all = next
	}
	return all
}

// worlds hands over every way in which so many learners can be of some kinds.
func worlds(learners, kinds int, each func([]int)) {
	world := make([]int, kinds)
	var rec func(left, k int)
	rec = func(left, k int) {
		if k == kinds-1 {
			world[k] = left
			each(world)
			return
		}
		for n := range left + 1 {
			world[k] = n
			rec(left-n, k+1)
		}
	}
	rec(learners, 0)
}

// TestNoCombinationOfWhatIsToldGivesASmallNumberAway plays somebody who knows the
// program and the rules, and goes through every cohort there can be: for no
// answer do all cohorts that give it agree on a number from 1 to least - 1.
func TestNoCombinationOfWhatIsToldGivesASmallNumberAway(t *testing.T) {
	t.Parallel()
	group := func(kind string, count int, parts ...Requirement) Requirement {
		return Requirement{Kind: kind, Count: count, Parts: parts}
	}
	all := func(parts ...Requirement) Requirement { return group(All, 0, parts...) }
	any := func(n int, parts ...Requirement) Requirement { return group(Any, n, parts...) }
	a, b, c := leafs("A")[0], leafs("B")[0], leafs("C")[0]
	later := b
	later.After = []string{"1"}
	programs := map[string]Requirement{
		"all of two": all(a, b), "any of two": any(1, a, b), "all of three": all(leafs("ABC")...), "any of three": any(1, leafs("ABC")...),
		"two of three": any(2, leafs("ABC")...), "nested": all(a, any(1, b, c)), "nested deeper": any(1, a, all(b, c)), "all within all": all(a, all(b, c)),
		"two of three within": all(any(2, leafs("ABC")...)), "asked for twice": all(all(a, b), any(1, a, b)), "twice and once": all(all(a, b), any(1, a, c)),
		"credits": all(a, b, Requirement{Kind: Credits, Credits: 3}), "credits of parts": all(a, group(Credits, 0, b, c)),
		"in turn": all(a, later), "alone": all(a),
	}
	tried := 0
	for name, root := range programs {
		for _, x := range []struct {
			learners, least int
			split           bool
		}{{7, 2, false}, {9, 2, false}, {10, 3, false}, {6, 2, true}, {8, 2, true}} {
			root.Credits, root.Resident = 0, false
			d := Definition{Title: "t", Requirement: creditsOf(root)}.Whole()
			p := NewPlan(d, nil, nil)
			courses := coursesOf(p)
			if x.split && (len(courses) > 2 || x.learners > 6 && name != "all of two") {
				continue // too many to go through
			}
			kinds := kindsOf(p, courses, x.split)
			answers := map[string][][Met + 1]uint32{} // which numbers are possible, as bits
			worlds(x.learners, len(kinds), func(world []int) {
				counts := make([]spread, len(p.nodes))
				for k, n := range world {
					for i, s := range kinds[k] {
						counts[i].of[s] += n
					}
				}
				said := answerOf(disclose(p, counts, x.least))
				if answers[said] == nil {
					answers[said] = make([][Met + 1]uint32, len(p.nodes))
				}
				for i := range counts {
					for s, n := range counts[i].of {
						answers[said][i][s] |= 1 << n
					}
				}
			})
			for said, possible := range answers {
				for i := range possible {
					for s, numbers := range possible[i] {
						if p.nodes[i].Group() && s != int(Met) {
							continue // a group's own spread is of no interest: nobody is told of it
						}
						if n := bits.TrailingZeros32(numbers); bits.OnesCount32(numbers) == 1 && n > 0 && n < x.least {
							t.Errorf("%s, %d learners, least %d: %v says that %d are %s in requirement %d", name, x.learners, x.least, []byte(said), n, Status(s), i)
						}
					}
				}
			}
			tried += len(answers)
			if len(answers) < 2 && x.learners > 8 && name != "credits" {
				t.Errorf("%s: nothing is ever told", name)
			}
		}
	}
	if tried < 1000 {
		t.Errorf("only %d answers were looked at", tried)
	}
}

// creditsOf gives credits to what asks for them: enough for any two courses of 3.
func creditsOf(r Requirement) Requirement {
	if r.Kind == Credits {
		r.Credits = 3
	}
	r.Parts = slices.Clone(r.Parts)
	for i := range r.Parts {
		r.Parts[i] = creditsOf(r.Parts[i])
	}
	return r
}

func coursesOf(p *Plan) []string {
	var all []string
	for i := range p.nodes {
		if n := &p.nodes[i]; n.Kind == Course && !slices.Contains(all, string(n.CourseID)) {
			all = append(all, string(n.CourseID))
		}
	}
	return all
}

// kindsOf are what a learner can be: the status of each requirement. What has to
// wait is blocked until what comes before is met, unless it is met itself.
func kindsOf(p *Plan, courses []string, split bool) [][]Status {
	var out [][]Status
	for _, of := range statusesOf(len(courses), split) {
		kind := make([]Status, len(p.nodes))
		possible := true
		for i := len(p.nodes) - 1; i >= 0; i-- {
			n := &p.nodes[i]
			met, begun := 0, 0
			switch {
			case n.Kind == Course:
				kind[i] = of[slices.Index(courses, string(n.CourseID))]
				continue
			case n.Kind == Credits && len(n.Parts) == 0:
				for _, s := range of {
					if s == Met {
						met++
					}
				}
				kind[i] = standing(met >= 1, false)
				continue
			}
			parts := 0
			for k := int32(i) + 1; k < n.end; k = p.nodes[k].end {
				parts++
				switch {
				case kind[k] == Met:
					met++
				case kind[k] == InProgress:
					begun++
				}
			}
			need := map[string]int{All: parts, Any: n.Count, Credits: 1}[n.Kind]
			kind[i] = standing(met >= need, met+begun > 0)
		}
		for i := range p.nodes {
			for _, before := range p.nodes[i].after {
				if split && kind[i] != Met && (kind[i] == Blocked) == (kind[before] == Met) {
					possible = false
				}
			}
		}
		if possible {
			out = append(out, kind)
		}
	}
	return out
}

// answerOf is what is told, one byte for each number.
func answerOf(told [][]Count) string {
	var b []byte
	for _, counts := range told {
		for _, c := range counts {
			if b = append(b, byte(len(c.Statuses))); c.Learners == nil {
				b = append(b, 255)
				continue
			}
			b = append(b, byte(*c.Learners))
		}
		b = append(b, 254)
	}
	return string(b)
}

func TestWhatIsToldOfACohort(t *testing.T) {
	t.Parallel()
	d := Definition{Title: "t", Requirement: Requirement{Kind: All, Parts: leafs("AB")}}.Whole()
	p := NewPlan(d, nil, nil)
	spreadOf := func(met, begun, blocked, missing int) spread {
		return spread{of: [Met + 1]int{Met: met, InProgress: begun, Blocked: blocked, Missing: missing}}
	}
	for _, x := range []struct {
		leaf, group spread
		want        string
	}{
		{spreadOf(100, 50, 20, 30), spreadOf(60, 140, 0, 0), "met 60, not met 140 | met 100, in progress 50, blocked 20, missing 30"},
		{spreadOf(100, 50, 5, 45), spreadOf(5, 195, 0, 0), " | met 100, in progress 50, blocked or missing 50"},
		{spreadOf(100, 95, 5, 0), spreadOf(0, 200, 0, 0), "met 0, not met 200 | met 100, not met 100"},
		{spreadOf(5, 95, 0, 100), spreadOf(0, 200, 0, 0), "met 0, not met 200 | begun 100, not begun 100"},
		{spreadOf(10, 190, 0, 0), spreadOf(200, 0, 0, 0), "met 200, not met 0 | begun 200, not begun 0"},
		{spreadOf(195, 0, 0, 5), spreadOf(195, 0, 0, 5), " | "},
	} {
		told := disclose(p, []spread{x.group, x.leaf, x.leaf}, Protected)
		words := map[string]string{"[met]": "met", "[in_progress]": "in progress", "[blocked]": "blocked", "[missing]": "missing", "[blocked missing]": "blocked or missing",
			"[in_progress blocked missing]": "not met", "[met in_progress]": "begun"}
		var rows []string
		for _, counts := range told[:2] {
			var cells []string
			for _, c := range counts {
				if c.Learners != nil {
					cells = append(cells, fmt.Sprintf("%s %d", words[fmt.Sprint(c.Statuses)], *c.Learners))
				}
			}
			rows = append(rows, strings.Join(cells, ", "))
		}
		got := strings.Join(rows, " | ")
		if got = strings.Replace(got, "begun 100, blocked or missing", "begun 100, not begun", 1); strings.Replace(got, "begun 200, blocked or missing", "begun 200, not begun", 1) != x.want {
			t.Errorf("%v of %v: %s, by hand %s", x.leaf.of, x.group.of, got, x.want)
		}
	}
}
