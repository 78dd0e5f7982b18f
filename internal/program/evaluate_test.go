package program

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/learner"
)

var may = day.Of(2026, 5, 1)

func taken(c course.ID, grade string, credits float64) Earned {
	return Earned{ID: assertion.ID("asn_" + string(c) + grade), CourseID: c, AchievementID: achievement.ID("ach_" + string(c)), Grade: grade, Credits: credits, On: may}
}

func wants(c course.ID, grade string, after ...string) Requirement {
	return Requirement{Key: string(c), Title: "Course " + string(c), Kind: Course, CourseID: c, Grade: grade, After: after}
}

func all(parts ...Requirement) Requirement {
	return Requirement{Key: "all", Kind: All, Parts: parts}
}

func someOf(n int, parts ...Requirement) Requirement {
	return Requirement{Key: "any", Kind: Any, Count: n, Parts: parts}
}

func credits(n float64, resident bool, parts ...Requirement) Requirement {
	return Requirement{Key: "credits", Kind: Credits, Credits: n, Resident: resident, Parts: parts}
}

func transfer(to course.ID, resident bool) Equivalency {
	return Equivalency{ID: "eqv_1", Ground: Transfer, Given: Given{Text: "ENG 1 at Hillside"}, Instead: Instead{CourseID: to, Credits: 3, Grade: "B", Resident: resident},
		Reason: "The same syllabus", EffectiveOn: may, ApprovedBy: "cli_registrar"}
}

func TestEvaluate(t *testing.T) {
	ada := learner.ID("lrn_ada")
	for _, c := range []struct {
		name    string
		tree    Requirement
		awards  []Earned
		equals  []Equivalency
		status  string // the letters of the states, depth first: m, p, -, b
		credits float64
		reason  string // a part of the root's or, after a key and a colon, of another's
	}{
		{"nothing", all(wants("A", "")), nil, nil, "--", 0, "0 of 1 met. Open: Course A."},
		{"one of two", all(wants("A", ""), wants("B", "")), []Earned{taken("A", "A", 3)}, nil, "pm-", 3, "Open: Course B."},
		{"both", all(wants("A", ""), wants("B", "")), []Earned{taken("A", "A", 3), taken("B", "C", 4)}, nil, "mmm", 7, "2 of 2 met."},
		{"failed", all(wants("A", "")), []Earned{taken("A", "F", 0)}, nil, "pp", 0, "A:Taken on 2026-05-01 with F"},
		{"under way", all(wants("A", "")), []Earned{func() Earned { a := taken("A", "", 3); a.Open = true; return a }()}, nil, "pp", 0, "A:In progress, on file since 2026-05-01; a passing grade is needed."},
		{"failed by its result", all(wants("A", ""), credits(3, false)), []Earned{func() Earned { a := taken("A", "", 3); a.Failed = true; return a }()}, nil, "pp-", 0, "A:Taken on 2026-05-01; a passing"},
		{"withdrawn from, passing", all(wants("A", "")), []Earned{taken("A", "WP", 3)}, nil, "pp", 0, ""},
		{"what stands for a course that is under way does not yet", all(wants("B", "")), []Earned{func() Earned { a := taken("A", "", 3); a.Open = true; return a }()},
			[]Equivalency{{ID: "eqv_1", Ground: Substitution, Given: Given{CourseID: "A"}, Instead: Instead{CourseID: "B", Credits: 3}}}, "--", 0, ""},
		{"too low a grade", all(wants("A", "B")), []Earned{taken("A", "B-", 3)}, nil, "pp", 0, "A:Taken on 2026-05-01 with B-; a grade of B or better is needed."},
		{"the grade itself", all(wants("A", "B")), []Earned{taken("A", "B", 3)}, nil, "mm", 3, "A:Earned on 2026-05-01 with B."},
		{"a pass is no grade", all(wants("A", "B")), []Earned{taken("A", "P", 3)}, nil, "pp", 0, ""},
		{"numbers compare", all(wants("A", "70")), []Earned{taken("A", "70.5", 3)}, nil, "mm", 3, ""},
		{"repeated, the better counts, once", all(wants("A", "C")), []Earned{taken("A", "D", 3), taken("A", "B", 3)}, nil, "mm", 3, "A:with B."},
		{"two of three", someOf(2, wants("A", ""), wants("B", ""), wants("C", "")), []Earned{taken("C", "A", 3), taken("A", "A", 3)}, nil, "mm-m", 6, "2 met; 2 of the 3 are needed."},
		{"credits of parts", credits(6, false, wants("A", ""), wants("B", "")), []Earned{taken("A", "A", 3), taken("X", "A", 30)}, nil, "pm-", 3, "3 of 6 credits."},
		{"credits of all that counts", credits(6, false), []Earned{taken("A", "A", 3), taken("X", "B", 3), taken("Y", "F", 3)}, nil, "m", 6, "6 of 6 credits."},
		{"an award that meets two requirements brings its credits once", all(credits(3, false, wants("A", "")),
			Requirement{Key: "badge", Kind: Achievement, AchievementID: "ach_A"}), []Earned{taken("A", "A", 3)}, nil, "mmmm", 3, ""},
		{"transfer", all(wants("A", "C")), nil, []Equivalency{transfer("A", false)}, "mm", 3, "A:By transfer of ENG 1 at Hillside with B: The same syllabus. Approved by cli_registrar"},
		{"transfer is not earned here", credits(6, true), []Earned{taken("B", "A", 3)}, []Equivalency{transfer("A", false)}, "p", 3, "3 of 6 credits earned here."},
		{"unless it counts so", credits(6, true), []Earned{taken("B", "A", 3)}, []Equivalency{transfer("A", true)}, "m", 6, ""},
		{"one for somebody else", all(wants("A", "")), nil, []Equivalency{func() Equivalency { e, bob := transfer("A", true), learner.ID("lrn_bob"); e.LearnerID = &bob; return e }()}, "--", 0, ""},
		{"held up", all(wants("A", ""), wants("B", "", "A")), nil, nil, "--b", 0, "B:Course A must be met first."},
		{"met all the same", all(wants("A", ""), wants("B", "", "A")), []Earned{taken("B", "A", 3)}, nil, "p-m", 3, ""},
		{"held up with its group", all(wants("A", ""), Requirement{Key: "later", Kind: All, After: []string{"A"}, Parts: []Requirement{wants("B", "")}}), nil, nil, "--bb", 0, "B:Course A must be met first."},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Definition{Title: "T", Requirement: c.tree}.Whole()
			if err := d.Check(); err != nil {
				t.Fatal(err)
			}
			e := NewEvaluator(NewPlan(d, nil, c.equals))
			for range 5 { // the order does not matter, and nothing is left of the one before
				rand.Shuffle(len(c.awards), func(i, j int) { c.awards[i], c.awards[j] = c.awards[j], c.awards[i] })
				e.Run(ada, c.awards, nil)
				got := ""
				for i := range e.p.nodes {
					got += string("-bpm"[e.Status(int32(i))])
				}
				if got != c.status {
					t.Fatalf("states %s, want %s", got, c.status)
				}
				if root := e.Line(0); root.Credits != c.credits {
					t.Errorf("%v credits, want %v", root.Credits, c.credits)
				}
				key, want, ok := strings.Cut(c.reason, ":")
				if at, there := e.p.keys[key]; !ok || !there {
					if said := e.Line(0).Reason; !strings.Contains(said, c.reason) {
						t.Errorf("reason %q, want %q", said, c.reason)
					}
				} else if said := e.Line(at).Reason; !strings.Contains(said, want) {
					t.Errorf("reason %q, want %q", said, want)
				}
			}
		})
	}
}

// TestMoreNeverLowers adds awards one by one: no requirement leaves met, no share
// and no credits fall, whatever the tree; and the tree is the same after another
// learner.
func TestMoreNeverLowers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		d := Definition{Title: "T", Requirement: tree(r, 3)}.Whole()
		if err := d.Check(); err != nil {
			t.Fatal(err)
		}
		e := NewEvaluator(NewPlan(d, nil, nil))
		var awards []Earned
		before := slices.Clone(e.results)
		e.Run("lrn_1", nil, nil)
		copy(before, e.results)
		for range 12 {
			c := course.ID("C" + string(rune('0'+r.IntN(8))))
			awards = append(awards, taken(c, []string{"A", "C", "F", "P", ""}[r.IntN(5)], float64(r.IntN(5))))
			e.Run("lrn_2", nil, nil)
			e.Run("lrn_1", awards, nil)
			for i, was := range before {
				if now := e.results[i]; was.status == Met && now.status != Met || now.share < was.share-1e-9 || now.credits < was.credits-1e-9 {
					t.Fatalf("%+v became %+v by %+v", was, now, awards)
				}
			}
			copy(before, e.results)
		}
	}
}

func tree(r *rand.Rand, depth int) Requirement {
	if depth == 0 || r.IntN(4) == 0 {
		return Requirement{Kind: Course, CourseID: course.ID("C" + string(rune('0'+r.IntN(8)))), Grade: []string{"", "B"}[r.IntN(2)]}
	}
	g := Requirement{Kind: []string{All, Any, Credits}[r.IntN(3)]}
	for range 1 + r.IntN(4) {
		g.Parts = append(g.Parts, tree(r, depth-1))
	}
	switch g.Kind {
	case Any:
		g.Count = 1 + r.IntN(len(g.Parts))
	case Credits:
		g.Credits = float64(1 + r.IntN(12))
	}
	return g
}

func TestCheckRefuses(t *testing.T) {
	for _, c := range []struct {
		rule string
		tree Requirement
	}{
		{"order", all(wants("A", "", "B"), wants("B", "", "A"))},
		{"order", all(wants("A", "", "all"))},
		{"order", all(Requirement{Key: "G", Kind: All, Parts: []Requirement{wants("B", "", "A")}}, wants("A", "", "G"))},
		{"order", all(wants("A", "", "G"), Requirement{Key: "G", Kind: All, Parts: []Requirement{wants("B", "", "A")}})},
		{"key-known", all(wants("A", "", "Z"))},
		{"key-once", all(wants("A", ""), wants("A", ""))},
		{"range", someOf(3, wants("A", ""))},
		{"range", credits(0, false)},
		{"required", all()},
		{"target", Requirement{Key: "x", Kind: Course}},
		{"kind", Requirement{Key: "x", Kind: "magic"}},
		{"grade-known", all(wants("A", "splendid"))},
	} {
		err := (Definition{Title: "T", Requirement: c.tree}).Check()
		if err == nil || err.Rule != c.rule {
			t.Errorf("%+v: %v, want %s", c.tree, err, c.rule)
		}
	}
	if err := (Definition{Title: "T", Requirement: all(wants("A", ""), wants("B", "", "A"), wants("C", "", "A", "B"))}).Check(); err != nil {
		t.Error(err)
	}
}
