package record

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/program"
)

// The ways to treat a course that was taken more than once.
const (
	Latest = "latest" // the latest attempt counts
	Best   = "best"   // the attempt with the most grade points counts, of those that earn credits if any does; of equal ones, the latest
	Every  = "every"  // every attempt counts
)

// The ways to round an average.
const (
	HalfUp = "half_up" // to the nearest, a half away from zero
	Cut    = "cut"     // what lies behind the last decimal falls away
)

// Grade is one mark of a scale.
type Grade struct {
	Mark    string   `json:"mark"`
	Points  *float64 `json:"points,omitempty"` // nil: it has none and never counts
	Counts  bool     `json:"counts,omitempty"` // in the average
	Earns   bool     `json:"earns,omitempty"`  // it earns the credits
	Meaning string   `json:"meaning,omitempty"`
}

// AverageRule says how a grade point average is reckoned.
type AverageRule struct {
	Repeats  string   `json:"repeats"`
	Decimals int      `json:"decimals"` // 0 to 4
	Rounding string   `json:"rounding"`
	Types    []string `json:"types,omitempty"`   // of achievements that count; Course unless said
	Grounds  []string `json:"grounds,omitempty"` // of equivalencies whose grades count as well; none unless said
}

// GradingContent is what a version of a grading policy says.
type GradingContent struct {
	Name    string       `json:"name"`
	Grades  []Grade      `json:"grades"`            // in the order of the legend, the best first
	Average *AverageRule `json:"average,omitempty"` // nil: no average is printed
}

// Grading is the grading policy of an institution in one version. The latest
// holds, and stands with its version in each record that was reckoned by it.
type Grading struct {
	Version    int
	Content    GradingContent
	RecordedAt time.Time
	RecordedBy string
}

func (c GradingContent) check() *fault.Error {
	switch {
	case strings.TrimSpace(c.Name) == "" || len(c.Name) > maxTitle:
		return fault.At("name", "required", "A grading policy needs a name of at most %d characters.", maxTitle)
	case len(c.Grades) == 0 || len(c.Grades) > 100:
		return fault.At("grades", "count", "A scale has between 1 and 100 grades.")
	}
	for i, g := range c.Grades {
		at := "grades." + strconv.Itoa(i)
		switch {
		case strings.TrimSpace(g.Mark) == "" || len(g.Mark) > 40:
			return fault.At(at+".mark", "required", "A grade needs a mark of at most 40 characters.")
		case slices.ContainsFunc(c.Grades[:i], func(o Grade) bool { return strings.EqualFold(o.Mark, g.Mark) }):
			return fault.At(at+".mark", "once", "The mark %q stands in the scale twice.", g.Mark)
		case g.Points != nil && (*g.Points < 0 || *g.Points > 1000):
			return fault.At(at+".points", "range", "Grade points are between 0 and 1000.")
		case g.Counts && g.Points == nil:
			return fault.At(at+".points", "required", "A grade that counts in the average has grade points.")
		case len(g.Meaning) > 400:
			return fault.At(at+".meaning", "too-long", "A meaning has at most 400 characters.")
		}
	}
	a := c.Average
	switch {
	case a == nil:
		return nil
	case !slices.Contains([]string{Latest, Best, Every}, a.Repeats):
		return fault.At("average.repeats", "known", "%q is no rule of repeats: use latest, best or every.", a.Repeats)
	case !slices.Contains([]string{HalfUp, Cut}, a.Rounding):
		return fault.At("average.rounding", "known", "%q is no way to round: use half_up or cut.", a.Rounding)
	case a.Decimals < 0 || a.Decimals > 4:
		return fault.At("average.decimals", "range", "An average has between 0 and 4 decimals.")
	case len(a.Types) > maxTypes || len(a.Grounds) > 5:
		return fault.At("average.types", "too-many", "Name at most %d types of achievements.", maxTypes)
	}
	for _, g := range a.Grounds {
		if !slices.Contains([]string{program.Transfer, program.PriorLearning, program.Unit, program.Substitution}, g) {
			return fault.At("average.grounds", "known", "%q is no ground whose grades can count: use transfer, prior_learning, unit or substitution.", g)
		}
	}
	return nil
}

// of is the grade of a mark.
func (c GradingContent) of(mark string) (Grade, bool) {
	i := slices.IndexFunc(c.Grades, func(g Grade) bool { return strings.EqualFold(g.Mark, strings.TrimSpace(mark)) })
	if i < 0 {
		return Grade{}, false
	}
	return c.Grades[i], true
}

// Sentence is the rule of the average in words; empty where there is none.
func (c GradingContent) Sentence() string {
	a := c.Average
	if a == nil {
		return ""
	}
	types := "courses"
	if len(a.Types) > 0 {
		words := make([]string, len(a.Types))
		for i, t := range a.Types {
			words[i] = strings.ToLower(plainType(t))
		}
		types = "achievements of the types " + strings.Join(words, ", ")
	}
	said := "Grade points times credits, over the credits, of " + types + " whose grade counts."
	said += map[string]string{Latest: " Of what was taken more than once the latest attempt counts.", Best: " Of what was taken more than once the best attempt counts.",
		Every: " Every attempt counts."}[a.Repeats]
	if len(a.Grounds) > 0 {
		said += " Grades by equivalency count where they are by " + strings.ReplaceAll(strings.Join(a.Grounds, ", "), "_", " ") + "."
	}
	if a.Rounding == Cut {
		return said + fmt.Sprintf(" Cut off after %d decimals.", a.Decimals)
	}
	return said + fmt.Sprintf(" Rounded to %d decimals.", a.Decimals)
}

// Grading is the institution's grading policy in its latest version, or nil.
func (s *Service) Grading(ctx context.Context, who access.Actor) (*Grading, error) {
	if err := access.Check(who, access.ReadCatalog); err != nil {
		return nil, err
	}
	var g *Grading
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
		g, err = grading(ctx, tx, who)
		return err
	})
	return g, err
}

// ReviseGrading adds a version of the grading policy, the first one as well.
// Records that were made keep what they say. Conflict when expected is given and
// is not the latest version; 0 expects that there is none.
func (s *Service) ReviseGrading(ctx context.Context, who access.Actor, expected *int, c GradingContent) (Grading, error) {
	if err := access.Check(who, access.Assemble); err != nil {
		return Grading{}, err
	}
	if err := c.check(); err != nil {
		return Grading{}, err
	}
	g := Grading{Content: c, RecordedAt: pg.Instant(s.Now()), RecordedBy: who.ID}
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		old, err := grading(ctx, tx, who)
		if err != nil {
			return err
		}
		if old != nil {
			g.Version = old.Version
		}
		if expected != nil && *expected != g.Version {
			return &fault.Error{Kind: fault.Conflict, Field: "expectedVersion", Rule: "version", Message: "The grading policy was changed since you read it. Read it again and decide."}
		}
		if old != nil && reflect.DeepEqual(old.Content, c) {
			g = *old
			return nil
		}
		g.Version++
		if err := insertGrading(ctx, tx, who, g); err != nil {
			return err
		}
		return audit.Write(ctx, tx, g.RecordedAt, who, audit.Entry{Action: access.Assemble, Target: who.InstitutionID, Detail: map[string]any{"gradingPolicy": g.Version}})
	})
	return g, err
}

func grading(ctx context.Context, tx pgx.Tx, who access.Actor) (*Grading, error) {
	rows, _ := tx.Query(ctx, `
		select version, definition as content, recorded_at, recorded_by
		from grading_policy
		where institution_id = @institution
		order by version desc
		limit 1`, pgx.NamedArgs{"institution": who.InstitutionID})
	g, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Grading])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return &g, err
}

func insertGrading(ctx context.Context, tx pgx.Tx, who access.Actor, g Grading) error {
	_, err := tx.Exec(ctx, `
		insert into grading_policy (institution_id, version, definition, recorded_at, recorded_by)
		values (@institution, @version, @definition, @at, @by)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "version": g.Version, "definition": g.Content, "at": g.RecordedAt, "by": g.RecordedBy})
	if pg.Constraint(err) == "grading_policy_pkey" {
		return &fault.Error{Kind: fault.Conflict, Rule: "version", Message: "Somebody else changed the grading policy at this moment. Read it again and decide."}
	}
	return err
}

// Legend is what the grades mean, as a record prints it.
type Legend struct {
	Name    string       `json:"name"`
	Version int          `json:"version"`
	Grades  []LegendLine `json:"grades"`
	Policy  string       `json:"policy,omitempty"` // the rule of the average, in sentences
}

// LegendLine is one grade with what it means.
type LegendLine struct {
	Mark    string `json:"mark"`
	Points  string `json:"points,omitempty"` // empty: it has none
	Counts  bool   `json:"counts"`           // in the average
	Earns   bool   `json:"earns"`            // it earns the credits
	Meaning string `json:"meaning,omitempty"`
}

func (g *Grading) legend() *Legend {
	if g == nil {
		return nil
	}
	l := &Legend{Name: g.Content.Name, Version: g.Version, Policy: g.Content.Sentence()}
	for _, x := range g.Content.Grades {
		line := LegendLine{Mark: x.Mark, Counts: x.Counts, Earns: x.Earns, Meaning: x.Meaning}
		if x.Points != nil {
			line.Points = plainNumber(*x.Points)
		}
		l.Grades = append(l.Grades, line)
	}
	return l
}

// earns reports whether a mark earns credits; one that the legend does not list
// does.
func (l *Legend) earns(mark string) bool {
	if l == nil {
		return true
	}
	i := slices.IndexFunc(l.Grades, func(g LegendLine) bool { return strings.EqualFold(g.Mark, strings.TrimSpace(mark)) })
	return i < 0 || l.Grades[i].Earns
}

func plainNumber(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// Average is a grade point average with what it was reckoned from.
type Average struct {
	Value    string  `json:"value"`    // with the decimals that the policy says
	Credits  float64 `json:"credits"`  // that count in it
	Points   float64 `json:"points"`   // grade points times credits
	Attempts int     `json:"attempts"` // how many lines count
}

// Summary is what a record adds up to.
type Summary struct {
	CreditsEarned    float64       `json:"creditsEarned"`
	CreditsAttempted float64       `json:"creditsAttempted"`
	ByEquivalency    float64       `json:"byEquivalency,omitempty"` // of the credits earned
	Average          *Average      `json:"average,omitempty"`       // nil: no policy says how, or nothing counts
	Terms            []TermSummary `json:"terms,omitempty"`
	Policy           string        `json:"policy,omitempty"` // the rule of the average, in sentences
	PolicyVersion    int           `json:"policyVersion,omitempty"`
	Repeated         []string      `json:"repeated,omitempty"` // the addresses of credentials that another attempt replaces
}

// TermSummary is what a term adds up to.
type TermSummary struct {
	Term             string   `json:"term"`
	CreditsEarned    float64  `json:"creditsEarned"`
	CreditsAttempted float64  `json:"creditsAttempted"`
	Average          *Average `json:"average,omitempty"`
}

// ofTerm is what a section that is a term adds up to; nil where nothing does.
func (s *Summary) ofTerm(of Section) *TermSummary {
	if s == nil || of.Kind != TermSection {
		return nil
	}
	for i, t := range s.Terms {
		if t.Term == of.Title {
			return &s.Terms[i]
		}
	}
	return nil
}

// attempt is one award or equivalent as a summary looks at it. Attempts stand in
// the order in which they were made.
type attempt struct {
	address   string // of the credential; empty of an equivalent
	of        string // what it is an attempt at
	kind      string // the type of the achievement
	term      string
	mark      string
	available *float64 // credits of the achievement
	credits   *float64 // that are on file as earned
	ground    string   // of an equivalent
	state     string   // as of a line; empty: earned
}

// conferring are the types of achievements that are conferred for what else is
// on the record: their credits are those of its courses.
var conferring = []string{"AssociateDegree", "BachelorDegree", "MasterDegree", "DoctoralDegree", "ProfessionalDoctorate", "ResearchDoctorate", "Degree", "Diploma",
	"SecondarySchoolDiploma", "GeneralEducationDevelopment", "LearningProgram", "MasterCertificate", "JourneymanCertificate"}

// attempted are the credits that were tried for: those that are on file, unless
// nothing was earned, else those that the course is worth; none of what is
// in progress.
func (a attempt) attempted() float64 {
	if a.state == InProgress || slices.Contains(conferring, a.kind) {
		return 0
	}
	if a.credits != nil && *a.credits > 0 {
		return *a.credits
	}
	if a.available != nil && (a.kind == "Course" || a.ground != "") {
		return *a.available
	}
	return 0
}

// summary adds up attempts. Without a policy the credits on file are added, and
// no average is reckoned. Numbers are exact: they are sums and one quotient of
// decimal fractions.
func (g *Grading) summary(all []attempt) *Summary {
	out := &Summary{}
	var c GradingContent
	if g != nil {
		c = g.Content
		out.PolicyVersion, out.Policy = g.Version, c.Sentence()
	}
	repeated := c.repeated(all)
	total, terms := sum{}, map[string]*sum{}
	var order []string
	for i, a := range all {
		if repeated[i] && a.address != "" {
			out.Repeated = append(out.Repeated, a.address)
		}
		t := terms[a.term]
		if t == nil {
			t = &sum{}
			terms[a.term], order = t, append(order, a.term)
		}
		total.enter(c, a, repeated[i])
		t.enter(c, a, repeated[i])
	}
	out.CreditsEarned, out.CreditsAttempted, out.ByEquivalency = rounded(total.earned), rounded(total.attempted), rounded(total.equivalent)
	out.Average = total.average(c)
	for _, name := range order {
		if t := terms[name]; t.attempted > 0 && name != "" {
			out.Terms = append(out.Terms, TermSummary{Term: name, CreditsEarned: rounded(t.earned), CreditsAttempted: rounded(t.attempted), Average: t.average(c)})
		}
	}
	if out.CreditsAttempted == 0 && out.Average == nil {
		return nil
	}
	return out
}

// repeated are the attempts that another attempt at the same replaces.
func (c GradingContent) repeated(all []attempt) []bool {
	out := make([]bool, len(all))
	if c.Average == nil || c.Average.Repeats == Every {
		return out
	}
	kept := map[string]int{}
	for i, a := range all {
		g, listed := c.of(a.mark)
		if !c.counts(a) || !listed || !g.Counts && !g.Earns || a.of == "" || a.state == InProgress {
			continue
		}
		k, again := kept[a.of]
		switch {
		case !again:
			kept[a.of] = i
		case c.Average.Repeats == Best && better(c.grade(all[k].mark), g):
			out[i] = true
		default:
			out[k], kept[a.of] = true, i
		}
	}
	return out
}

// weighs reports whether an attempt counts in the average where no other replaces
// it.
func (c GradingContent) weighs(a attempt) bool {
	g, listed := c.of(a.mark)
	return listed && g.Counts && c.counts(a) && a.attempted() > 0
}

// counts reports whether attempts of this kind count in the average.
func (c GradingContent) counts(a attempt) bool {
	if c.Average == nil {
		return false
	}
	if a.ground != "" {
		return slices.Contains(c.Average.Grounds, a.ground)
	}
	if len(c.Average.Types) == 0 {
		return a.kind == "Course"
	}
	return slices.Contains(c.Average.Types, a.kind)
}

func (c GradingContent) grade(mark string) Grade {
	g, _ := c.of(mark)
	return g
}

// better reports whether a grade is better than another: a pass without points
// is better than a failure with them.
func better(a, b Grade) bool {
	if a.Earns != b.Earns {
		return a.Earns
	}
	return points(a) > points(b)
}

func points(g Grade) float64 {
	if g.Points == nil {
		return -1
	}
	return *g.Points
}

// sum is credits and grade points as they add up.
type sum struct {
	earned, attempted, equivalent float64
	credits, points               big.Rat
	attempts                      int
}

func (s *sum) enter(c GradingContent, a attempt, repeated bool) {
	worth, earned := a.attempted(), c.earned(a)
	if repeated {
		earned = 0
	}
	s.earned += earned
	if !repeated {
		s.attempted += worth
	}
	if a.ground != "" {
		s.equivalent += earned
	}
	if repeated || !c.weighs(a) {
		return
	}
	g, _ := c.of(a.mark)
	credits := exact(worth)
	s.credits.Add(&s.credits, credits)
	s.points.Add(&s.points, new(big.Rat).Mul(credits, exact(*g.Points)))
	s.attempts++
}

// earned are the credits that an attempt earned, where no other replaces it.
func (c GradingContent) earned(a attempt) float64 {
	g, listed := c.of(a.mark)
	switch {
	case listed && !g.Earns, a.state == NotPassed, a.state == Withdrew:
		return 0
	case a.credits != nil:
		return min(a.attempted(), *a.credits)
	case !listed && a.ground == "" && a.mark != "": // nothing says that it was passed
		return 0
	}
	return a.attempted()
}

// exact is the decimal fraction that a number was written as.
func exact(v float64) *big.Rat {
	r, ok := new(big.Rat).SetString(strconv.FormatFloat(v, 'f', -1, 64))
	if !ok {
		panic(fmt.Sprintf("%v is no decimal fraction", v)) // finite numbers only
	}
	return r
}

// average is the quotient as the policy writes it.
func (s *sum) average(c GradingContent) *Average {
	if c.Average == nil || s.attempts == 0 || s.credits.Sign() == 0 {
		return nil
	}
	q := new(big.Rat).Quo(&s.points, &s.credits)
	credits, _ := s.credits.Float64()
	points, _ := s.points.Float64()
	return &Average{Value: written(q, c.Average.Decimals, c.Average.Rounding), Credits: rounded(credits), Points: rounded(points), Attempts: s.attempts}
}

// written is a number that is not negative with so many decimals.
func written(q *big.Rat, decimals int, rounding string) string {
	if rounding != Cut {
		return q.FloatString(decimals) // to the nearest, a half away from zero
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)
	n := new(big.Int).Mul(q.Num(), scale)
	n.Quo(n, q.Denom())
	return new(big.Rat).SetFrac(n, scale).FloatString(decimals)
}

func rounded(v float64) float64 {
	r, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'f', 3, 64), 64)
	return r
}

// greatest is the most points of a grade that counts.
func (c GradingContent) greatest() float64 {
	most := 0.0
	for _, g := range c.Grades {
		if g.Counts {
			most = max(most, points(g))
		}
	}
	return most
}
