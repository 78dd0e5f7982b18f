package mastery_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/mastery"
)

const most = 9 // competencies of a drawn graph

// drawGraph is a graph with parts, prerequisites and mappings in any direction,
// circles among them.
func drawGraph(t *rapid.T) mastery.Graph {
	g := graph(most, four)
	pair := rapid.Custom(func(t *rapid.T) mastery.Link {
		return mastery.Link{From: rapid.Int32Range(0, most-1).Draw(t, "from"), To: rapid.Int32Range(0, most-1).Draw(t, "to")}
	})
	g.Parts = rapid.SliceOfN(pair, 0, 12).Draw(t, "parts")
	g.Precedes = rapid.SliceOfN(pair, 0, 3).Draw(t, "precedes")
	for _, l := range rapid.SliceOfN(pair, 0, 4).Draw(t, "same") {
		l.Mapping = &mastery.Mapping{Type: "exactMatchOf", Strength: rapid.SampledFrom([]float64{1, 1, 0.5}).Draw(t, "strength")}
		g.Same = append(g.Same, l)
	}
	for i := range g.Items {
		if rapid.IntRange(0, 4).Draw(t, "rubric") == 0 {
			g.Items[i].Levels = nil
		}
	}
	return g
}

// drawRule is a rule by one of some methods, with everything that a rule can say.
func drawRule(t *rapid.T, methods ...mastery.Method) mastery.Definition {
	d := mastery.Definition{
		Method:        rapid.SampledFrom(methods).Draw(t, "method"),
		Level:         rapid.SampledFrom([]string{"Developing", "Proficient"}).Draw(t, "level"),
		Negative:      rapid.SampledFrom([]string{mastery.Cancels, mastery.Counts, mastery.Ignored}).Draw(t, "negative"),
		Combine:       rapid.SampledFrom([]string{mastery.Either, mastery.Both}).Draw(t, "combine"),
		Prerequisites: rapid.SampledFrom([]string{mastery.Guide, mastery.Require, mastery.Ignore}).Draw(t, "prerequisites"),
		Months:        rapid.SampledFrom([]int{0, 0, 6}).Draw(t, "months"),
		Parts: &mastery.Parts{Need: rapid.SampledFrom([]string{mastery.All, mastery.Any, "2", mastery.Mean}).Draw(t, "need"),
			Level: rapid.SampledFrom([]string{"", "Proficient"}).Draw(t, "part level")},
	}
	switch d.Method {
	case mastery.Times:
		d.Times = rapid.IntRange(1, 3).Draw(t, "times")
		if slices.Contains(methods, mastery.Latest) { // those who ask for this method alone want it without an order
			d.Among = rapid.SampledFrom([]int{0, d.Times, d.Times + 1}).Draw(t, "among")
		}
	case mastery.Decaying, mastery.RecentAverage:
		d.Weight = rapid.SampledFrom([]float64{0, 0.25, 1}).Draw(t, "weight")
	}
	if d.Method != mastery.NoEvidence && rapid.IntRange(0, 4).Draw(t, "no parts") == 0 {
		d.Parts = &mastery.Parts{Need: mastery.Nothing}
	}
	if d.Parts.Need == mastery.Mean && rapid.Bool().Draw(t, "weighted") {
		d.Parts.Weights = map[string]float64{"A": 0, "B": 2, "id-C": 0.5}
	}
	if rapid.IntRange(0, 4).Draw(t, "scale") == 0 {
		d.Scale = &mastery.Scale{Levels: []mastery.Level{{Name: "Developing", Value: 1.5}, {Name: "Proficient", Value: 2.5, Same: []string{"four"}}}}
	}
	d.Strength = rapid.SampledFrom([]float64{0, 0, 0.75}).Draw(t, "least strength")
	if err := d.Check(); err != nil {
		t.Fatal(err)
	}
	return d
}

func drawRules(t *rapid.T, methods ...mastery.Method) []mastery.Rule {
	all := []mastery.Rule{rule(drawRule(t, methods...))}
	for range rapid.IntRange(0, 3).Draw(t, "rules") {
		id := framework.ItemID("itm_" + string(rapid.SampledFrom([]rune("ABCDEFGHI")).Draw(t, "of")))
		r := rule(drawRule(t, methods...))
		r.ID, r.ItemID, r.Branch = mastery.RuleID("mru_"+id), &id, rapid.Bool().Draw(t, "branch")
		all = append(all, r)
	}
	return all
}

// drawPieces are awards of one to three competencies each.
func drawPieces(t *rapid.T, n int, verdicts ...mastery.Verdict) []mastery.Piece {
	var all []mastery.Piece
	for i := range rapid.IntRange(0, n).Draw(t, "pieces") {
		on := day.Of(2025, 1, 1).AddDays(rapid.SampledFrom([]int{0, 0, 1, 100, 300, 500, 700}).Draw(t, "on"))
		p := shown(fmt.Sprintf("asn_%02d_%d", i, n), 'A', on.String(), 0, mastery.Passed)
		p.Hits = nil
		for _, item := range rapid.SliceOfNDistinct(rapid.Int32Range(0, most-1), 1, 3, func(i int32) int32 { return i }).Draw(t, "items") {
			v := rapid.SampledFrom([]float32{unknown, 1, 2, 3, 4}).Draw(t, "value")
			p.Hits = append(p.Hits, mastery.Hit{Item: item, Value: v, Weight: rapid.SampledFrom([]float32{1, 1, 0, 2.5}).Draw(t, "weighs"), Pass: rapid.SampledFrom(verdicts).Draw(t, "pass")})
		}
		all = append(all, p)
		if rapid.IntRange(0, 5).Draw(t, "corrected") == 0 { // what was on file before was another piece of the same award
			all[len(all)-1].From = p.From + 1000
			old := p
			old.Until, old.Hits = p.From+1000, []mastery.Hit{{Item: p.Hits[0].Item, Value: 4, Weight: 1, Pass: mastery.Passed}}
			all = append(all, old)
		}
	}
	return all
}

func statesOf(m *mastery.Model, all []mastery.Piece) []mastery.State {
	e := mastery.NewEvaluator(m, noon("2026-12-01"))
	e.Run(all)
	return read(e)
}

func read(e *mastery.Evaluator) []mastery.State {
	var out []mastery.State
	for i := range int32(most) {
		out = append(out, e.State(i))
	}
	return out
}

var nan = cmpopts.EquateNaNs()

func TestTheOrderOfEvidenceDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := mastery.Compile(drawGraph(t), drawRules(t, mastery.Methods()...))
		all := drawPieces(t, 8, mastery.Passed, mastery.Short, mastery.Failed)
		other := rapid.Permutation(all).Draw(t, "order")
		if diff := cmp.Diff(statesOf(m, all), statesOf(m, other), nan); diff != "" {
			t.Fatal(diff)
		}
	})
}

// rank is how far a state is; a prerequisite that is met turns blocked into not
// met, which is no step back.
func rank(s mastery.State) int {
	return map[mastery.Status]int{mastery.NotMet: 0, mastery.Blocked: 0, mastery.InProgress: 1, mastery.Lapsed: 2, mastery.Met: 3}[s.Status]
}

func TestMorePositiveEvidenceNeverLowersAStateUnderAMonotoneRule(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t, mastery.Highest, mastery.Times, mastery.NoEvidence)
		if !mastery.Monotone(rules) {
			t.Skip("parts by level, and evidence that lapses")
		}
		m := mastery.Compile(drawGraph(t), rules)
		all := drawPieces(t, 6, mastery.Passed, mastery.Short)
		more := slices.Concat(all, drawPieces(t, 3, mastery.Passed))
		before, after := statesOf(m, all), statesOf(m, more)
		for i := range before {
			if rank(after[i]) < rank(before[i]) {
				t.Fatalf("%c went from %s to %s", 'A'+i, say(before[i]), say(after[i]))
			}
			if before[i].Status == mastery.Met && after[i].Until < before[i].Until {
				t.Fatalf("%c lapses sooner: from %s to %s", 'A'+i, say(before[i]), say(after[i]))
			}
		}
	})
}

// TestWhenItWasAchievedDoesNotMatterWhereTheRuleSaysSo gives the awards each
// other's days: under rules that ask for no order nothing changes but the days.
func TestWhenItWasAchievedDoesNotMatterWhereTheRuleSaysSo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t, mastery.Highest, mastery.Times, mastery.WeightedMean, mastery.NoEvidence)
		for i := range rules {
			rules[i].Definition.Months = 0
			if rules[i].Definition.Negative == mastery.Cancels {
				rules[i].Definition.Negative = mastery.Counts
			}
		}
		m := mastery.Compile(drawGraph(t), rules)
		all := drawPieces(t, 8, mastery.Passed, mastery.Short, mastery.Failed)
		for i := range all { // nothing is yet to come
			all[i].On = min(all[i].On, mastery.DayOf(day.Of(2026, 11, 1)))
		}
		other := slices.Clone(all)
		for i, n := range rapid.Permutation(places(len(all))).Draw(t, "days") {
			other[i].On = all[n].On
		}
		for i, s := range statesOf(m, all) {
			now := statesOf(m, other)[i]
			if s.Status != now.Status || cmp.Diff(s.Value, now.Value, nan, cmpopts.EquateApprox(0, 1e-4)) != "" {
				t.Fatalf("%c went from %s to %s", 'A'+i, say(s), say(now))
			}
		}
	})
	// Where a rule asks for the latest it does matter.
	m := mastery.Compile(graph(1, four), []mastery.Rule{rule(mastery.Definition{Method: mastery.Latest, Level: "Proficient"})})
	up := []mastery.Piece{shown("a", 'A', "2026-01-01", 1, mastery.Passed), shown("b", 'A', "2026-02-01", 3, mastery.Passed)}
	down := []mastery.Piece{shown("a", 'A', "2026-02-01", 1, mastery.Passed), shown("b", 'A', "2026-01-01", 3, mastery.Passed)}
	if statesOf1(m, up).Status != mastery.Met || statesOf1(m, down).Status == mastery.Met {
		t.Error("the latest does not count")
	}
}

func statesOf1(m *mastery.Model, all []mastery.Piece) mastery.State {
	e := mastery.NewEvaluator(m, noon("2026-12-01"))
	e.Run(all)
	return e.State(0)
}

// places are the numbers from 0 on.
func places(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func TestABatchEqualsEachAlone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := mastery.Compile(drawGraph(t), drawRules(t, mastery.Methods()...))
		together := mastery.NewEvaluator(m, noon("2026-12-01"))
		one := rapid.Int32Range(0, most-1).Draw(t, "one")
		narrow := mastery.NewEvaluator(m, noon("2026-12-01"), one)
		for range 4 {
			all := drawPieces(t, 6, mastery.Passed, mastery.Short, mastery.Failed)
			together.Run(all)
			narrow.Run(all)
			alone := statesOf(m, all)
			if diff := cmp.Diff(alone, read(together), nan); diff != "" {
				t.Fatal(diff)
			}
			if diff := cmp.Diff(alone[one], narrow.State(one), nan); diff != "" {
				t.Fatalf("looked at alone: %s", diff)
			}
			kept := together.States()
			for i := range int32(most) {
				if diff := cmp.Diff(alone[i], kept.Of(i), nan); diff != "" {
					t.Fatalf("kept: %s", diff)
				}
			}
		}
	})
}

func TestEveryCircleEndsAndEveryStateIsExplained(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := mastery.Compile(drawGraph(t), drawRules(t, mastery.Methods()...))
		for i, s := range statesOf(m, nil) {
			if s.Status > mastery.Blocked {
				t.Fatalf("%c is %s out of nothing", 'A'+i, say(s))
			}
		}
		e := mastery.NewEvaluator(m, noon("2026-12-01"))
		e.Run(drawPieces(t, 8, mastery.Passed, mastery.Short, mastery.Failed))
		for i := range int32(most) {
			before := e.State(i)
			r := e.Explain(i, nil)
			if diff := cmp.Diff(before, r.State, nan); diff != "" {
				t.Fatal(diff)
			}
			if (before.Status == mastery.Met) != (len(r.Missing) == 0) {
				t.Fatalf("%c is %s and misses %q\n%s", 'A'+i, say(before), r.Missing, r.Text())
			}
			if diff := cmp.Diff(before, e.State(i), nan); diff != "" {
				t.Fatalf("explaining changed it: %s", diff)
			}
		}
	})
}

func TestAMappingAndItsRemovalAreInverse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g, rules := drawGraph(t), drawRules(t, mastery.Methods()...)
		all := drawPieces(t, 8, mastery.Passed, mastery.Short)
		before := statesOf(mastery.Compile(g, rules), all)
		l := mastery.Link{From: rapid.Int32Range(0, most-1).Draw(t, "a"), To: rapid.Int32Range(0, most-1).Draw(t, "b"), Mapping: &mastery.Mapping{Type: "exactMatchOf", Strength: 1}}
		kept := len(g.Same)
		g.Same = append(g.Same, l)
		with := statesOf(mastery.Compile(g, rules), all)
		if h := with[l.To]; rank(h) < rank(before[l.To]) && mastery.Monotone(rules) && len(mastery.Compile(g, rules).Cycles) == 0 {
			t.Fatalf("a mapping lowered %c from %s to %s", 'A'+l.To, say(before[l.To]), say(h))
		}
		g.Same = g.Same[:kept]
		if diff := cmp.Diff(before, statesOf(mastery.Compile(g, rules), all), nan); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestALapseComesOnItsDay: what is met until a day is met the day before, and not
// on it, if nothing is shown again. What depends on the levels of parts, or on
// what comes before, may end sooner; and what is carried by a mapping is as old as
// when it was first shown, however often it was shown again.
func TestALapseComesOnItsDay(t *testing.T) {
	t.Parallel()
	asked := day.Of(2025, 8, 1)
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t, mastery.Methods()...)
		for i := range rules {
			d := &rules[i].Definition
			d.Months, d.Prerequisites, d.Parts.Level = 6, mastery.Ignore, ""
			if d.Parts.Need == mastery.Mean {
				d.Parts = &mastery.Parts{Need: mastery.All}
			}
			if d.Negative == mastery.Counts { // a failure that is too old makes an average better
				d.Negative = mastery.Ignored
			}
		}
		g := drawGraph(t)
		g.Same = nil
		m := mastery.Compile(g, rules)
		all := drawPieces(t, 8, mastery.Passed, mastery.Short)
		for i := range all { // nothing is shown later
			all[i].On = min(all[i].On, mastery.DayOf(asked))
		}
		on := func(d mastery.Day) []mastery.State {
			at := noon("2026-12-01")
			at.AsOf = d
			e := mastery.NewEvaluator(m, at)
			e.Run(all)
			return read(e)
		}
		for i, s := range on(mastery.DayOf(asked)) {
			if s.Status != mastery.Met || s.Until == mastery.Never {
				continue
			}
			if before := on(s.Until - 1)[i]; before.Status != mastery.Met {
				t.Fatalf("%c is %s, and the day before it ends %s", 'A'+i, say(s), say(before))
			}
			if then := on(s.Until)[i]; then.Status == mastery.Met {
				t.Fatalf("%c is %s, and on that day %s", 'A'+i, say(s), say(then))
			}
		}
	})
}
