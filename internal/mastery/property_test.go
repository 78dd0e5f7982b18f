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
		l.Mapping = &mastery.Mapping{Type: "exactMatchOf", Strength: 1}
		g.Same = append(g.Same, l)
	}
	for i := range g.Items {
		if rapid.IntRange(0, 4).Draw(t, "rubric") == 0 {
			g.Items[i].Levels = nil
		}
	}
	return g
}

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
	if d.Method == mastery.Times {
		d.Times = rapid.IntRange(1, 3).Draw(t, "times")
	}
	if d.Method == mastery.NoEvidence && d.Parts.Need == mastery.Mean {
		d.Parts.Need = mastery.All
	}
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
		on := day.Of(2025, 1, 1).AddDays(rapid.IntRange(0, 500).Draw(t, "on"))
		p := shown(fmt.Sprintf("asn_%02d_%d", i, n), 'A', on.String(), 0, mastery.Passed)
		p.Hits = nil
		for _, item := range rapid.SliceOfNDistinct(rapid.Int32Range(0, most-1), 1, 3, func(i int32) int32 { return i }).Draw(t, "items") {
			v := rapid.SampledFrom([]float32{unknown, 1, 2, 3, 4}).Draw(t, "value")
			p.Hits = append(p.Hits, mastery.Hit{Item: item, Value: v, Weight: 1, Pass: rapid.SampledFrom(verdicts).Draw(t, "pass")})
		}
		all = append(all, p)
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
		}
	})
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
