package record

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func num(v float64) *float64 { return &v }

// letters is the scale of the tests, with no rule of an average.
func letters() GradingContent {
	return GradingContent{Name: "Letters", Grades: []Grade{{Mark: "A", Points: num(4), Counts: true, Earns: true}, {Mark: "A-", Points: num(3.7), Counts: true, Earns: true},
		{Mark: "B", Points: num(3), Counts: true, Earns: true}, {Mark: "C", Points: num(2), Counts: true, Earns: true}, {Mark: "F", Points: num(0), Counts: true},
		{Mark: "P", Earns: true}, {Mark: "W"}}}
}

func policy(repeats, rounding string, decimals int, grounds ...string) *Grading {
	c := letters()
	c.Average = &AverageRule{Repeats: repeats, Decimals: decimals, Rounding: rounding, Grounds: grounds}
	return &Grading{Version: 3, Content: c}
}

func took(of, mark string, credits float64) attempt {
	return attempt{address: of + "/" + mark, of: of, kind: "Course", term: "T", mark: mark, available: num(credits)}
}

func TestAverages(t *testing.T) {
	t.Parallel()
	twice := []attempt{took("math", "A", 4), took("art", "A-", 3), took("math", "C", 4)}
	for _, x := range []struct {
		name      string
		by        *Grading
		all       []attempt
		average   string // empty: none
		earned    float64
		attempted float64
		repeated  string
	}{
		{"no policy reckons no average", nil, []attempt{{kind: "Course", mark: "A", credits: num(3)}}, "", 3, 3, ""},
		{"without credits on file nothing says that a mark passes", nil, []attempt{took("art", "A", 3)}, "", 0, 3, ""},
		{"a scale alone reckons none", &Grading{Version: 1, Content: letters()}, []attempt{took("art", "A", 3), took("law", "F", 3)}, "", 3, 6, ""},
		{"the latest attempt counts", policy(Latest, HalfUp, 2), twice, "2.73", 7, 7, "math/A"},                                                                // (3*3.7 + 4*2) / 7
		{"the best attempt counts", policy(Best, HalfUp, 2), twice, "3.87", 7, 7, "math/C"},                                                                    // (3*3.7 + 4*4) / 7
		{"every attempt counts", policy(Every, HalfUp, 3), twice, "3.191", 11, 11, ""},                                                                         // (16 + 11.1 + 8) / 11 = 3.1909…
		{"it is cut off", policy(Every, Cut, 3), twice, "3.190", 11, 11, ""},                                                                                   //
		{"a half goes up", policy(Latest, HalfUp, 1), []attempt{took("a", "A-", 1), took("b", "C", 1), took("c", "A", 2), took("d", "B", 2)}, "3.3", 6, 6, ""}, // 19.7 / 6 = 3.283…
		{"exactly a half", policy(Latest, HalfUp, 2), []attempt{took("a", "A", 3), took("b", "B", 1), took("c", "C", 4)}, "2.88", 8, 8, ""},                    // 23/8 = 2.875
		{"exactly a half is cut", policy(Latest, Cut, 2), []attempt{took("a", "A", 3), took("b", "B", 1), took("c", "C", 4)}, "2.87", 8, 8, ""},
		{"a failed course weighs its credits", policy(Latest, HalfUp, 2), []attempt{took("a", "A", 3), {of: "b", kind: "Course", mark: "F", available: num(3), credits: num(0)}}, "2.00", 3, 6, ""},
		{"a pass earns and does not count", policy(Latest, HalfUp, 2), []attempt{took("a", "B", 3), took("b", "P", 4)}, "3.00", 7, 7, ""},
		{"who withdrew earned nothing", policy(Latest, HalfUp, 2), []attempt{took("a", "B", 3), took("b", "W", 4)}, "3.00", 3, 7, ""},
		{"withdrawing replaces no grade", policy(Latest, HalfUp, 2), []attempt{took("a", "B", 3), took("a", "A", 3), took("a", "W", 1)}, "4.00", 3, 4, "a/B"},
		{"nothing that counts is no average", policy(Latest, HalfUp, 2), []attempt{took("b", "P", 4)}, "", 4, 4, ""},
		{"credits of a degree are those of its courses", policy(Latest, HalfUp, 2), []attempt{took("a", "B", 3), {of: "ba", kind: "BachelorDegree", credits: num(120)}}, "3.00", 3, 3, ""},
		{"competencies do not count", policy(Latest, HalfUp, 2), []attempt{took("a", "B", 3), {of: "c", kind: "Competency", mark: "A", credits: num(1)}}, "3.00", 4, 4, ""},
		{"an equivalent brings credits and no grade", policy(Latest, HalfUp, 2), []attempt{took("a", "B", 3), {of: "x", kind: "Course", mark: "A", credits: num(3), ground: "unit"}}, "3.00", 6, 6, ""},
		{"an equivalent counts where its ground does", policy(Latest, HalfUp, 2, "unit"), []attempt{took("a", "B", 3), {of: "x", kind: "Course", mark: "A", credits: num(3), ground: "unit"}}, "3.50", 6, 6, ""},
		{"a pass is better than a failure with points", policy(Best, HalfUp, 2), []attempt{took("a", "F", 3), took("a", "P", 3), took("b", "B", 3)}, "3.00", 6, 6, "a/F"},
		{"a failure after a pass changes nothing by the best", policy(Best, HalfUp, 2), []attempt{took("a", "P", 3), took("a", "F", 3), took("b", "B", 3)}, "3.00", 6, 6, "a/F"},
		{"what is in progress is neither attempted nor earned", policy(Latest, HalfUp, 2), []attempt{took("a", "B", 3), {of: "b", kind: "Course", available: num(4), state: InProgress}}, "3.00", 3, 3, ""},
		{"what was not passed was attempted", policy(Latest, HalfUp, 2), []attempt{took("a", "B", 3), {of: "b", kind: "Course", available: num(4), state: NotPassed}}, "3.00", 3, 7, ""},
		{"who withdrew earned nothing without a grade", policy(Latest, HalfUp, 2), []attempt{took("a", "B", 3), {of: "b", kind: "Course", available: num(4), state: Withdrew}}, "3.00", 3, 7, ""},
		{"nothing adds up to nothing", policy(Latest, HalfUp, 2), []attempt{{of: "c", kind: "Badge"}}, "", 0, 0, ""},
	} {
		s := x.by.summary(x.all)
		if s == nil {
			if x.attempted != 0 {
				t.Errorf("%s: no summary", x.name)
			}
			continue
		}
		got := ""
		if s.Average != nil {
			got = s.Average.Value
		}
		if got != x.average || s.CreditsEarned != x.earned || s.CreditsAttempted != x.attempted || strings.Join(s.Repeated, " ") != x.repeated {
			t.Errorf("%s: average %q, %v of %v credits, repeated %q", x.name, got, s.CreditsEarned, s.CreditsAttempted, s.Repeated)
		}
	}
}

func TestAveragesOfTerms(t *testing.T) {
	t.Parallel()
	all := []attempt{took("a", "B", 3), took("b", "A", 3)}
	all[0].term, all[1].term = "Fall", "Spring"
	want := []TermSummary{{Term: "Fall", CreditsEarned: 3, CreditsAttempted: 3, Average: &Average{"3.00", 3, 9, 1}}, {Term: "Spring", CreditsEarned: 3, CreditsAttempted: 3, Average: &Average{"4.00", 3, 12, 1}}}
	s := policy(Latest, HalfUp, 2).summary(all)
	if diff := cmp.Diff(want, s.Terms); diff != "" || s.PolicyVersion != 3 || !strings.Contains(s.Policy, "latest attempt") {
		t.Error(diff, s.Policy)
	}
}

func TestAPolicyThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*GradingContent){
		"name":             func(c *GradingContent) { c.Name = " " },
		"grades":           func(c *GradingContent) { c.Grades = nil },
		"grades.0.mark":    func(c *GradingContent) { c.Grades[0].Mark = "" },
		"grades.1.mark":    func(c *GradingContent) { c.Grades[1].Mark = "a" },
		"grades.0.points":  func(c *GradingContent) { c.Grades[0].Points = nil },
		"grades.2.points":  func(c *GradingContent) { c.Grades[2].Points = num(-1) },
		"average.repeats":  func(c *GradingContent) { c.Average.Repeats = "first" },
		"average.rounding": func(c *GradingContent) { c.Average.Rounding = "up" },
		"average.decimals": func(c *GradingContent) { c.Average.Decimals = 5 },
		"average.grounds":  func(c *GradingContent) { c.Average.Grounds = []string{"waiver"} },
	} {
		c := policy(Latest, HalfUp, 2).Content
		spoil(&c)
		if err := c.check(); err == nil || err.Field != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := policy(Best, Cut, 4, "unit", "transfer").Content.check(); err != nil {
		t.Error(err)
	}
}
