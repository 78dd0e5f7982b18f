package mastery_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/mastery"
)

// four is the scale of the tests: 1 to 4, of which 3 is proficient.
var four = []mastery.Level{{Name: "Beginning", Value: 1}, {Name: "Developing", Value: 2}, {Name: "Proficient", Value: 3}, {Name: "Advanced", Value: 4}}

// seven has numbers for names, as a gradebook has.
var seven = []mastery.Level{{Name: "one", Value: 1}, {Name: "two", Value: 2}, {Name: "three", Value: 3}, {Name: "four", Value: 4}, {Name: "five", Value: 5}, {Name: "six", Value: 6}}

// a map of competencies is drawn by letters: A is item 0, B is 1 and so on.
func graph(n int, levels []mastery.Level) mastery.Graph {
	var g mastery.Graph
	for i := range n {
		c := string(rune('A' + i))
		g.Items = append(g.Items, mastery.Item{ID: framework.ItemID("itm_" + c), FrameworkID: "fwk_1", Identifier: "id-" + c, URI: "https://f.example/" + c,
			Code: c, Statement: "statement " + c, Levels: levels})
	}
	return g
}

// links are pairs of letters, such as "BA CA": B is part of A, C is part of A.
func links(pairs string) []mastery.Link {
	var all []mastery.Link
	for _, p := range strings.Fields(pairs) {
		all = append(all, mastery.Link{From: int32(p[0] - 'A'), To: int32(p[1] - 'A')})
	}
	return all
}

// same are links over which a holding is carried; both ways when said.
func same(both bool, pairs string) []mastery.Link {
	var all []mastery.Link
	for _, l := range links(pairs) {
		by := mastery.Mapping{ID: "cw_" + pairs, Type: "exactMatchOf", Strength: 1, Approver: "Dr. Ito", On: day.Of(2026, 1, 15)}
		all = append(all, mastery.Link{From: l.From, To: l.To, Mapping: &by})
		if both {
			back := by
			back.Both = true
			all = append(all, mastery.Link{From: l.To, To: l.From, Mapping: &back})
		}
	}
	return all
}

func rule(d mastery.Definition) mastery.Rule {
	return mastery.Rule{ID: "mru_1", Version: 2, Name: "test rule", EffectiveOn: day.Of(2020, 1, 1), Definition: d}
}

func ruleOf(item string, d mastery.Definition) mastery.Rule {
	r, id := rule(d), framework.ItemID("itm_"+item)
	r.ID, r.ItemID = mastery.RuleID("mru_"+item), &id
	return r
}

var unknown = float32(math.NaN())

// shown is a piece of evidence for one item, achieved and recorded on a day.
func shown(id string, item rune, on string, value float32, pass mastery.Verdict) mastery.Piece {
	d, err := day.Parse(on)
	if err != nil {
		panic(err)
	}
	at := mastery.InstantOf(d.Midnight().Add(12 * time.Hour))
	return mastery.Piece{ID: assertion.ID(id), On: mastery.DayOf(d), Recorded: at, From: at, Until: mastery.Ever,
		Hits: []mastery.Hit{{Item: item - 'A', Value: value, Weight: 1, Pass: pass, Way: mastery.ByLevel}}}
}

// noon is a clock at noon of a day.
func noon(on string) mastery.Clock {
	d, err := day.Parse(on)
	if err != nil {
		panic(err)
	}
	return mastery.At(d.Midnight().Add(12 * time.Hour))
}

// say is a state in short: met 3 since 2026-05-01 until 2028-05-01.
func say(s mastery.State) string {
	out := s.Status.String()
	if s.Value == s.Value {
		out += fmt.Sprintf(" %.4g", s.Value)
	}
	if s.Status == mastery.Met {
		out += " since " + s.On.Date().String()
	}
	if s.Until != mastery.Never {
		out += " until " + s.Until.Date().String()
	}
	return out
}

// series are pieces for A, one a month from January 2026 on: a number, x for a
// failed one, p for one that passed without a level, s for one that fell short.
func series(text string) []mastery.Piece {
	var all []mastery.Piece
	for i, f := range strings.Fields(text) {
		value, pass := unknown, mastery.Passed
		switch f {
		case "x":
			pass = mastery.Failed
		case "s":
			pass = mastery.Short
		case "p":
		default:
			var v float64
			fmt.Sscan(f, &v)
			value = float32(v)
		}
		all = append(all, shown(fmt.Sprintf("asn_%02d", i), 'A', fmt.Sprintf("2026-%02d-10", i+1), value, pass))
	}
	return all
}

// TestEachMethodByHand has values that were worked out on paper. The decaying
// average is the one that Canvas documents since 2023 (each new score weighs 65
// percent and the average so far 35), the recent average the one that it
// documented before (the latest 65 percent, the mean of all others 35); both are
// in the order of achievement. 0.65 x 4.5 + 0.35 x 5 = 4.675 is a teacher's own sum.
func TestEachMethodByHand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, evidence string
		def            mastery.Definition
		want           string
	}{
		{"highest, one is enough", "1 3 2", mastery.Definition{Level: "three"}, "met 3 since 2026-02-10"},
		{"highest, none is", "1 2 2", mastery.Definition{Level: "three"}, "in_progress 2"},
		{"highest, without a level the award decides", "s p", mastery.Definition{}, "met since 2026-02-10"},
		{"highest, a failure before does nothing", "x 3", mastery.Definition{Level: "three"}, "met 3 since 2026-02-10"},
		{"highest, a failure after cancels", "3 x", mastery.Definition{Level: "three"}, "not_met"},
		{"highest, a failure after is ignored", "3 x", mastery.Definition{Level: "three", Negative: mastery.Ignored}, "met 3 since 2026-01-10"},
		{"nothing at all", "", mastery.Definition{}, "not_met"},
		{"latest is lower", "4 2", mastery.Definition{Method: mastery.Latest, Level: "three"}, "in_progress 2"},
		{"latest in a row", "2 3 4 3", mastery.Definition{Method: mastery.Latest, Level: "three"}, "met 3 since 2026-02-10"},
		{"latest failed, counted", "4 x", mastery.Definition{Method: mastery.Latest, Level: "three", Negative: mastery.Counts}, "not_met"},
		{"three times at three", "3 1 4 2 5", mastery.Definition{Method: mastery.Times, Times: 3, Level: "three"}, "met 3 since 2026-05-10"},
		{"two times: the second highest", "3 1 4 2 5", mastery.Definition{Method: mastery.Times, Times: 2, Level: "three"}, "met 4 since 2026-03-10"},
		{"four times", "3 1 4 2 5", mastery.Definition{Method: mastery.Times, Times: 4, Level: "three"}, "in_progress 5"},
		{"two among the last three", "4 4 1 2 4", mastery.Definition{Method: mastery.Times, Times: 2, Among: 3, Level: "three"}, "in_progress 4"},
		{"two among the last four", "4 4 1 2 4", mastery.Definition{Method: mastery.Times, Times: 2, Among: 4, Level: "three"}, "met 4 since 2026-05-10"},
		{"recent average", "1 4 2 3 5 3 6", mastery.Definition{Method: mastery.RecentAverage, Level: "five"}, "in_progress 4.95"},
		{"recent average of a teacher", "5 5 4.5", mastery.Definition{Method: mastery.RecentAverage, Level: "four"}, "met 4.675 since 2026-03-10"},
		{"recent average of one", "4", mastery.Definition{Method: mastery.RecentAverage, Level: "four"}, "met 4 since 2026-01-10"},
		{"decaying average", "1 4 2 3 5 3 6", mastery.Definition{Method: mastery.Decaying, Level: "five"}, "met 5.099 since 2026-07-10"},
		{"decaying average, half", "2 4 4", mastery.Definition{Method: mastery.Decaying, Weight: 0.5, Level: "4"}, "in_progress 3.5"},
		{"decaying average, a failure counted", "4 x", mastery.Definition{Method: mastery.Decaying, Level: "one", Negative: mastery.Counts}, "met 1.4 since 2026-02-10"},
		{"weighted mean, all alike", "1 2 6", mastery.Definition{Method: mastery.WeightedMean, Level: "three"}, "met 3 since 2026-03-10"},
		{"a third is not less than itself", "1 1 2 1 1 2", mastery.Definition{Method: mastery.WeightedMean, Level: "1.3333333"}, "met 1.333 since 2026-06-10"},
		{"an average of passes counts the level", "p p", mastery.Definition{Method: mastery.Decaying, Level: "two"}, "met 2 since 2026-02-10"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mastery.Compile(graph(1, seven), []mastery.Rule{rule(c.def)})
			e := mastery.NewEvaluator(m, noon("2026-12-01"))
			e.Run(series(c.evidence))
			if got := say(e.State(0)); got != c.want {
				t.Errorf("%s: %s, by hand %s\n%s", c.evidence, got, c.want, e.Explain(0, nil).Text())
			}
		})
	}
}

func TestWeightsAreOfTheAward(t *testing.T) {
	t.Parallel()
	m := mastery.Compile(graph(1, four), []mastery.Rule{rule(mastery.Definition{Method: mastery.WeightedMean, Level: "Proficient"})})
	e := mastery.NewEvaluator(m, noon("2026-12-01"))
	all := series("4 1")
	all[0].Hits[0].Weight = 3 // (3 x 4 + 1 x 1) / 4 = 3.25
	e.Run(all)
	if got := say(e.State(0)); !strings.HasPrefix(got, "met 3.25 ") {
		t.Error(got)
	}
}

func TestEvidenceLapses(t *testing.T) {
	t.Parallel()
	m := mastery.Compile(graph(1, four), []mastery.Rule{rule(mastery.Definition{Level: "Proficient", Months: 24})})
	all := []mastery.Piece{shown("asn_1", 'A', "2024-02-29", 3, mastery.Passed), shown("asn_2", 'A', "2025-06-30", 4, mastery.Passed)}
	for _, c := range [][2]string{
		{"2024-02-28", "not_met"},
		{"2024-02-29", "met 3 since 2024-02-29 until 2026-02-28"},
		{"2025-07-01", "met 4 since 2024-02-29 until 2027-06-30"},
		{"2026-02-28", "met 4 since 2025-06-30 until 2027-06-30"}, // the first one is too old
		{"2027-06-29", "met 4 since 2025-06-30 until 2027-06-30"},
		{"2027-06-30", "lapsed 4 until 2027-06-30"},
	} {
		e := mastery.NewEvaluator(m, noon(c[0]))
		e.Run(all)
		if got := say(e.State(0)); got != c[1] {
			t.Errorf("on %s %s, by hand %s", c[0], got, c[1])
		}
	}
}

// B, C, D, E and F are the parts of A.
func TestPartsByHand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		parts *mastery.Parts
		have  string // level of each part, - for none
		want  string
	}{
		{"all of them", nil, "3 3 4 3 4", "met 3 since 2026-05-10"},
		{"all but one", nil, "3 3 4 - 4", "in_progress"},
		{"four of five at three", &mastery.Parts{Need: "4", Level: "Proficient"}, "3 2 3 4 4", "met 3 since 2026-05-10"},
		{"three of five at four", &mastery.Parts{Need: "3", Level: "Advanced"}, "4 3 4 3 -", "in_progress"},
		{"a part below its own level counts where the whole asks for less", &mastery.Parts{Need: "2", Level: "Developing"}, "2 - 2 - -", "met 2 since 2026-03-10"},
		{"any", &mastery.Parts{Need: mastery.Any}, "- - 4 - 3", "met 4 since 2026-03-10"},
		{"six of five cannot be", &mastery.Parts{Need: "6"}, "4 4 4 4 4", "in_progress"},
		{"none carries", &mastery.Parts{Need: mastery.Nothing}, "4 4 4 4 4", "not_met"},
		{"mean", &mastery.Parts{Need: mastery.Mean}, "3 3 3 3 3", "met 3 since 2026-05-10"},
		{"mean with a gap: 15 of 5", &mastery.Parts{Need: mastery.Mean}, "4 4 4 3 -", "met 3 since 2026-04-10"},
		{"mean below", &mastery.Parts{Need: mastery.Mean}, "4 4 3 3 -", "in_progress 2.8"},
		{"mean by weight: 4x4+0+0+0+1 of 8", &mastery.Parts{Need: mastery.Mean, Weights: map[string]float64{"B": 4, "itm_C": 2}}, "4 4 4 - -", "met 3.111 since 2026-03-10"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := graph(6, four)
			g.Parts = links("BA CA DA EA FA")
			m := mastery.Compile(g, []mastery.Rule{rule(mastery.Definition{Level: "Proficient", Parts: c.parts})})
			e := mastery.NewEvaluator(m, noon("2026-12-01"))
			var all []mastery.Piece
			for i, f := range strings.Fields(c.have) {
				if f != "-" {
					all = append(all, shown("asn_"+f+fmt.Sprint(i), rune('B'+i), fmt.Sprintf("2026-%02d-10", i+1), float32(f[0]-'0'), mastery.Passed))
				}
			}
			e.Run(all)
			if got := say(e.State(0)); got != c.want {
				t.Errorf("%s, by hand %s\n%s", got, c.want, e.Explain(0, nil).Text())
			}
		})
	}
}

func TestOwnEvidenceAndPartsGoTogether(t *testing.T) {
	t.Parallel()
	g := graph(3, four)
	g.Parts = links("BA CA")
	own := shown("asn_own", 'A', "2026-03-10", 4, mastery.Passed)
	parts := []mastery.Piece{shown("asn_b", 'B', "2026-01-10", 3, mastery.Passed), shown("asn_c", 'C', "2026-02-10", 3, mastery.Passed)}
	for _, c := range []struct {
		combine string
		have    []mastery.Piece
		want    string
	}{
		{mastery.Either, []mastery.Piece{own}, "met 4 since 2026-03-10"},
		{mastery.Either, parts, "met 3 since 2026-02-10"},
		{mastery.Either, append(parts, own), "met 4 since 2026-02-10"},
		{mastery.Both, []mastery.Piece{own}, "in_progress"},
		{mastery.Both, parts, "in_progress"},
		{mastery.Both, append(parts, own), "met 3 since 2026-03-10"},
	} {
		m := mastery.Compile(g, []mastery.Rule{rule(mastery.Definition{Level: "Proficient", Combine: c.combine})})
		e := mastery.NewEvaluator(m, noon("2026-12-01"))
		e.Run(c.have)
		if got := say(e.State(0)); got != c.want {
			t.Errorf("%s of %d pieces: %s, by hand %s", c.combine, len(c.have), got, c.want)
		}
	}
}

// A comes before B, B before C.
func TestPrerequisitesBlock(t *testing.T) {
	t.Parallel()
	a, b, c := shown("asn_a", 'A', "2026-01-10", 3, mastery.Passed), shown("asn_b", 'B', "2026-02-10", 3, mastery.Passed), shown("asn_c", 'C', "2026-03-10", 1, mastery.Passed)
	for _, x := range []struct {
		how  string
		have []mastery.Piece
		want string
	}{
		{mastery.Guide, nil, "not_met blocked blocked"},
		{mastery.Guide, []mastery.Piece{a}, "met not_met blocked"},
		{mastery.Guide, []mastery.Piece{b}, "not_met met not_met"},
		{mastery.Guide, []mastery.Piece{c}, "not_met blocked in_progress"},
		{mastery.Require, []mastery.Piece{b, c}, "not_met blocked blocked"},
		{mastery.Require, []mastery.Piece{a, b, c}, "met met in_progress"},
		{mastery.Ignore, []mastery.Piece{b}, "not_met met not_met"},
	} {
		g := graph(3, four)
		g.Precedes = links("AB BC")
		m := mastery.Compile(g, []mastery.Rule{rule(mastery.Definition{Level: "Proficient", Prerequisites: x.how})})
		e := mastery.NewEvaluator(m, noon("2026-12-01"))
		e.Run(x.have)
		var got []string
		for i := range int32(3) {
			got = append(got, e.State(i).Status.String())
		}
		if s := strings.Join(got, " "); s != x.want {
			t.Errorf("%s with %d: %s, by hand %s", x.how, len(x.have), s, x.want)
		}
	}
}

// Scenario 14: A is the same as B and related to C; who holds A holds B.
func TestACrosswalkCarriesAHolding(t *testing.T) {
	t.Parallel()
	g := graph(3, four)
	g.Same = same(false, "AB") // isRelatedTo carries nothing and is no link of a Graph
	m := mastery.Compile(g, []mastery.Rule{rule(mastery.Definition{Level: "Proficient"})})
	e := mastery.NewEvaluator(m, noon("2026-12-01"))
	e.Run([]mastery.Piece{shown("asn_1", 'A', "2026-05-10", 3, mastery.Passed)})
	if got := say(e.State(1)); got != "met 3 since 2026-05-10" {
		t.Error(got)
	}
	if got := say(e.State(2)); got != "not_met" {
		t.Error(got)
	}
	want := "B statement B is met at Proficient by crosswalk since 10 May 2026."
	r := e.Explain(1, nil)
	if r.Sentence != want || !r.Crosswalk {
		t.Errorf("%q", r.Sentence)
	}
	if text := r.Text(); !strings.Contains(text, "an exact match, approved by Dr. Ito on 15 January 2026") || !strings.Contains(text, "A statement A, which is met at Proficient, counts as B") {
		t.Error(text)
	}
	e.Run([]mastery.Piece{shown("asn_1", 'B', "2026-05-10", 3, mastery.Passed)})
	if got := say(e.State(0)); got != "not_met" {
		t.Errorf("against the mapping's direction: %s", got)
	}
	g.Same = nil
	e = mastery.NewEvaluator(mastery.Compile(g, []mastery.Rule{rule(mastery.Definition{Level: "Proficient"})}), noon("2026-12-01"))
	e.Run([]mastery.Piece{shown("asn_1", 'A', "2026-05-10", 3, mastery.Passed)})
	if got := say(e.State(1)); got != "not_met" {
		t.Errorf("without the mapping: %s", got)
	}
}

func TestAHoldingIsCarriedFromPartsAndToWholes(t *testing.T) {
	t.Parallel()
	g := graph(6, four) // B and C are A; A is the same as D, which with E is F
	g.Parts, g.Same = links("BA CA DF EF"), same(true, "AD")
	m := mastery.Compile(g, []mastery.Rule{rule(mastery.Definition{Level: "Proficient"})})
	e := mastery.NewEvaluator(m, noon("2026-12-01"))
	e.Run([]mastery.Piece{shown("asn_b", 'B', "2026-01-10", 3, mastery.Passed), shown("asn_c", 'C', "2026-02-10", 4, mastery.Passed), shown("asn_e", 'E', "2026-03-10", 4, mastery.Passed)})
	if got := say(e.State(5)); got != "met 3 since 2026-03-10" || len(m.Cycles) > 0 {
		t.Errorf("%s, %v\n%s", got, m.Cycles, e.Explain(5, nil).Text())
	}
}

// One award is aligned to A and to B, and A is the same as B: it counts once.
func TestNothingCountsTwice(t *testing.T) {
	t.Parallel()
	g := graph(3, four)
	g.Same = same(true, "AB CB")
	m := mastery.Compile(g, []mastery.Rule{rule(mastery.Definition{Method: mastery.Times, Times: 2, Level: "Proficient"}), ruleOf("A", mastery.Definition{Level: "Proficient"}), ruleOf("C", mastery.Definition{Level: "Proficient"})})
	e := mastery.NewEvaluator(m, noon("2026-12-01"))
	both := shown("asn_1", 'A', "2026-01-10", 3, mastery.Passed)
	both.Hits = append(both.Hits, mastery.Hit{Item: 1, Value: 3, Weight: 1, Pass: mastery.Passed, Way: mastery.ByLevel}, mastery.Hit{Item: 2, Value: 3, Weight: 1, Pass: mastery.Passed})
	e.Run([]mastery.Piece{both})
	if got := say(e.State(1)); got != "in_progress 3" {
		t.Errorf("one award, three ways: %s\n%s", got, e.Explain(1, nil).Text())
	}
	if text := e.Explain(1, nil).Text(); !strings.Contains(text, "the same evidence counts already") {
		t.Error(text)
	}
	e.Run([]mastery.Piece{both, shown("asn_2", 'C', "2026-02-10", 4, mastery.Passed)})
	if got := say(e.State(1)); got != "met 3 since 2026-02-10" {
		t.Errorf("the second award comes from C: %s\n%s", got, e.Explain(1, nil).Text())
	}
	e.Run([]mastery.Piece{shown("asn_1", 'B', "2026-01-10", 3, mastery.Passed), shown("asn_2", 'C', "2026-02-10", 4, mastery.Passed)})
	if got := say(e.State(1)); got != "met 3 since 2026-02-10" {
		t.Errorf("two awards: %s\n%s", got, e.Explain(1, nil).Text())
	}
}

func TestALevelIsCarriedByNameOrPlace(t *testing.T) {
	t.Parallel()
	g := graph(3, four)
	g.Items[1].Levels = []mastery.Level{{Name: "Novice", Value: 10}, {Name: "Apprentice", Value: 20}, {Name: "Competent", Value: 30}, {Name: "Expert", Value: 40}}
	g.Items[2].Levels = []mastery.Level{{Name: "Not yet", Value: 1}, {Name: "Proficient", Value: 2}}
	g.Same = same(false, "AB AC")
	e := mastery.NewEvaluator(mastery.Compile(g, []mastery.Rule{rule(mastery.Definition{}), ruleOf("B", mastery.Definition{Level: "Competent"})}), noon("2026-12-01"))
	e.Run([]mastery.Piece{shown("asn_1", 'A', "2026-05-10", 3, mastery.Passed)})
	if b, c := say(e.State(1)), say(e.State(2)); b != "met 30 since 2026-05-10" || c != "met 2 since 2026-05-10" {
		t.Errorf("B %s, C %s", b, c)
	}
}

func TestAWeakMappingIsNamedAndDoesNotCount(t *testing.T) {
	t.Parallel()
	g := graph(2, four)
	g.Same = same(false, "AB")
	g.Same[0].Mapping.Strength = 0.4
	e := mastery.NewEvaluator(mastery.Compile(g, []mastery.Rule{rule(mastery.Definition{Strength: 0.5})}), noon("2026-12-01"))
	e.Run([]mastery.Piece{shown("asn_1", 'A', "2026-05-10", 3, mastery.Passed)})
	if got := say(e.State(1)); got != "not_met" {
		t.Error(got)
	}
	if text := e.Explain(1, nil).Text(); !strings.Contains(text, "strength of 0.4 is below the 0.5") {
		t.Error(text)
	}
}

// Scenario 15: four of five parts at level 3 or above, the latest evidence counts.
func TestTheReasonNamesRuleEvidenceAndWhatIsMissing(t *testing.T) {
	t.Parallel()
	g := graph(6, four)
	g.Parts = links("BA CA DA EA FA")
	d := mastery.Definition{Method: mastery.Latest, Level: "Proficient", Parts: &mastery.Parts{Need: "4", Level: "Proficient"}}
	m := mastery.Compile(g, []mastery.Rule{ruleOf("A", d), rule(mastery.Definition{Method: mastery.Latest, Level: "Proficient"})})
	e := mastery.NewEvaluator(m, noon("2026-12-01"))
	e.Run([]mastery.Piece{
		shown("asn_b", 'B', "2026-01-10", 3, mastery.Passed), shown("asn_c", 'C', "2026-02-10", 4, mastery.Passed), shown("asn_d", 'D', "2026-03-10", 3, mastery.Passed),
		shown("asn_e1", 'E', "2026-04-10", 4, mastery.Passed), shown("asn_e2", 'E', "2026-05-10", 2, mastery.Passed)})
	got := e.Explain(0, func(p *mastery.Piece) mastery.Detail { return mastery.Detail{Name: "Award " + string(p.ID[4:])} }).Text()
	want := `A statement A is in progress.
  By the rule "test rule", version 2, which holds from 1 January 2020: The latest evidence counts and must reach Proficient; or 4 of its parts must be at Proficient or above. A failed result cancels what was achieved before it.
  B statement B is met at Proficient since 10 January 2026.
    By the rule "test rule", version 2, which holds from 1 January 2020: The latest evidence counts and must reach Proficient. A failed result cancels what was achieved before it.
    Award b was awarded on 10 January 2026, and shows Proficient. It counts.
  C statement C is met at Advanced since 10 February 2026.
    By the rule "test rule", version 2, which holds from 1 January 2020: The latest evidence counts and must reach Proficient. A failed result cancels what was achieved before it.
    Award c was awarded on 10 February 2026, and shows Advanced. It counts.
  D statement D is met at Proficient since 10 March 2026.
    By the rule "test rule", version 2, which holds from 1 January 2020: The latest evidence counts and must reach Proficient. A failed result cancels what was achieved before it.
    Award d was awarded on 10 March 2026, and shows Proficient. It counts.
  E statement E is in progress, so far at Developing.
    By the rule "test rule", version 2, which holds from 1 January 2020: The latest evidence counts and must reach Proficient. A failed result cancels what was achieved before it.
    Award e2 was awarded on 10 May 2026, and shows Developing. It is below what is asked for.
    Award e1 was awarded on 10 April 2026, and shows Advanced. It does not count: later evidence counts instead.
    Missing: Evidence of its own at Proficient or above; what counts shows Developing.
  F statement F is not met.
  Missing: Evidence of its own at Proficient or above.
  Or instead, as either is enough: 3 of the 4 parts that are needed are at Proficient or above; 1 more of these: E statement E (in progress, at Developing), F statement F (not met).
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Scenario 16: an assessment of May, entered in July.
func TestLateEntryHasTwoAnswersAndSaysWhy(t *testing.T) {
	t.Parallel()
	m := mastery.Compile(graph(1, four), []mastery.Rule{rule(mastery.Definition{Level: "Proficient"})})
	p := shown("asn_1", 'A', "2026-05-20", 3, mastery.Passed)
	p.Recorded = mastery.InstantOf(time.Date(2026, 7, 3, 9, 0, 0, 0, time.UTC))
	p.From = p.Recorded
	june, now := noon("2026-06-30"), noon("2026-12-01")
	e := mastery.NewEvaluator(m, mastery.Clock{AsOf: june.AsOf, KnownAt: now.KnownAt})
	e.Run([]mastery.Piece{p})
	if got := say(e.State(0)); got != "met 3 since 2026-05-20" {
		t.Errorf("as of June, as known now: %s", got)
	}
	if text := e.Explain(0, nil).Text(); !strings.Contains(text, "awarded on 20 May 2026, recorded on 3 July 2026, and shows Proficient. It counts.") {
		t.Error(text)
	}
	e = mastery.NewEvaluator(m, june)
	e.Run([]mastery.Piece{p})
	if got := say(e.State(0)); got != "not_met" {
		t.Errorf("as known in June: %s", got)
	}
	if text := e.Explain(0, nil).Text(); !strings.Contains(text, "It does not count: it was recorded on 3 July 2026, and what is asked for is what was known by 30 June 2026.") {
		t.Error(text)
	}
}

func TestCorrectionsAndWithdrawalsAreKnownFromTheirDay(t *testing.T) {
	t.Parallel()
	m := mastery.Compile(graph(1, four), []mastery.Rule{rule(mastery.Definition{Level: "Proficient"})})
	first := shown("asn_1", 'A', "2026-01-10", 3, mastery.Passed)
	second, third := first, first
	second.Hits = []mastery.Hit{{Item: 0, Value: 2, Weight: 1, Pass: mastery.Short}}
	first.Until = noon("2026-03-01").KnownAt
	second.From, second.Until = first.Until, noon("2026-05-01").KnownAt
	third.From, third.Withdrawn = second.Until, true
	for _, c := range [][2]string{{"2026-02-01", "met 3 since 2026-01-10"}, {"2026-04-01", "in_progress 2"}, {"2026-06-01", "not_met"}} {
		e := mastery.NewEvaluator(m, noon(c[0]))
		e.Run([]mastery.Piece{third, first, second})
		if got := say(e.State(0)); got != c[1] {
			t.Errorf("known on %s: %s, by hand %s", c[0], got, c[1])
		}
		if n := len(e.Explain(0, nil).Evidence); n != 1 {
			t.Errorf("known on %s one award is told of %d times", c[0], n)
		}
	}
	e := mastery.NewEvaluator(m, noon("2026-06-01"))
	e.Run([]mastery.Piece{third, first, second})
	text := e.Explain(0, func(*mastery.Piece) mastery.Detail { return mastery.Detail{Withdrawn: "entered for the wrong learner"} }).Text()
	if !strings.Contains(text, "It does not count: it was withdrawn on 1 May 2026 (entered for the wrong learner).") {
		t.Error(text)
	}
}

// Scenario 17: A is part of B and B is part of A.
func TestACircleEndsAndCarriesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		parts, before string
		same          []mastery.Link
		circle        string
	}{
		"parts":                  {"AB BA CA", "", nil, "id-A id-B"},
		"three":                  {"AB BC CA", "", nil, "id-A id-B id-C"},
		"itself":                 {"AA", "", nil, ""},
		"prerequisites":          {"", "AB BA", nil, "id-A id-B"},
		"a part that is a whole": {"AB", "", same(true, "AB"), "id-A id-B"},
		"a mapping both ways":    {"", "", same(true, "AB BC CA"), ""},
	} {
		g := graph(3, four)
		g.Parts, g.Precedes, g.Same = links(c.parts), links(c.before), c.same
		m := mastery.Compile(g, []mastery.Rule{rule(mastery.Definition{Level: "Proficient"})})
		var got []string
		for _, x := range m.Cycles {
			got = append(got, strings.Join(x.Identifiers, " "))
		}
		if s := strings.Join(got, "; "); s != c.circle {
			t.Errorf("%s: the circles are %q, by hand %q", name, s, c.circle)
		}
		e := mastery.NewEvaluator(m, noon("2026-12-01"))
		e.Run(nil)
		for i := range int32(3) {
			if s := e.State(i); s.Status > mastery.Blocked {
				t.Errorf("%s: %s out of nothing", name, say(s))
			}
		}
		e.Run([]mastery.Piece{shown("asn_1", 'A', "2026-01-10", 3, mastery.Passed)})
		if s := e.State(0); s.Status != mastery.Met {
			t.Errorf("%s: its own evidence: %s", name, say(s))
		}
		if c.circle != "" && !strings.Contains(e.Explain(0, nil).Text(), strings.ReplaceAll(c.circle, " ", ", ")) {
			t.Errorf("%s: the circle is not told of: %s", name, e.Explain(0, nil).Text())
		}
	}
}

func TestTheNearestRuleHolds(t *testing.T) {
	t.Parallel()
	g := graph(6, four) // A over B over C over D; E and F beside
	g.Parts = links("BA CB DC EA")
	g.Items[5].FrameworkID = "fwk_2"
	fwk := framework.ID("fwk_1")
	named := func(name string, r mastery.Rule) mastery.Rule {
		r.ID, r.Name = mastery.RuleID("mru_"+name), name
		return r
	}
	branch := named("branch", ruleOf("B", mastery.Definition{}))
	branch.Branch = true
	general := named("framework", rule(mastery.Definition{}))
	general.FrameworkID = &fwk
	m := mastery.Compile(g, []mastery.Rule{named("all", rule(mastery.Definition{})), general, branch, named("own", ruleOf("C", mastery.Definition{}))})
	want := []string{"framework", "branch", "own", "branch", "framework", "all"}
	for i, w := range want {
		if got := m.Rule(int32(i)).Name; got != w {
			t.Errorf("%c: %s, not %s", 'A'+i, got, w)
		}
	}
}

func TestRulesHoldFromTheirDayAndAreKnownFromTheirEntry(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time { return must(time.Parse("2006-01-02", s)) }
	all := []mastery.Rule{
		{ID: "mru_1", Version: 1, EffectiveOn: day.Of(2025, 1, 1), RecordedAt: at("2025-01-01")},
		{ID: "mru_1", Version: 2, EffectiveOn: day.Of(2026, 1, 1), RecordedAt: at("2025-11-01")},
		{ID: "mru_1", Version: 3, EffectiveOn: day.Of(2026, 1, 1), RecordedAt: at("2026-06-01")},
		{ID: "mru_1", Version: 4, EffectiveOn: day.Of(2027, 1, 1), RecordedAt: at("2026-06-02"), Retired: true},
	}
	for _, c := range []struct {
		asOf, known string
		want        int
	}{{"2024-12-31", "2026-12-01", 0}, {"2025-06-01", "2026-12-01", 1}, {"2026-02-01", "2026-02-01", 2}, {"2026-02-01", "2026-12-01", 3}, {"2027-02-01", "2027-02-01", 0}, {"2027-02-01", "2026-06-01", 3}} {
		got := mastery.InForce(all, mastery.Clock{AsOf: noon(c.asOf).AsOf, KnownAt: noon(c.known).KnownAt})
		version := 0
		if len(got) > 0 {
			version = got[0].Version
		}
		if version != c.want || len(got) > 1 {
			t.Errorf("as of %s known on %s: version %d, by hand %d", c.asOf, c.known, version, c.want)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
