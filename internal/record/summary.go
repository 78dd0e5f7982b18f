package record

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/spec/openbadges"
)

// Equivalent is something that was shown, with what it counts as, and the rule
// that says so.
type Equivalent struct {
	Rule       program.EquivalencyID `json:"rule"`
	Given      string                `json:"given"` // what was shown, by its name
	Code       string                `json:"code,omitempty"`
	Level      string                `json:"level,omitempty"` // that the rule asks for
	On         string                `json:"on,omitempty"`    // since when it is shown, YYYY-MM-DD
	As         string                `json:"as"`              // what it counts as, by its name
	AsCode     string                `json:"asCode,omitempty"`
	Grade      string                `json:"grade,omitempty"`
	Credits    float64               `json:"credits,omitempty"`
	ClockHours float64               `json:"clockHours,omitempty"`
	Ground     string                `json:"ground"`
	Reason     string                `json:"reason"` // a sentence
	ApprovedBy string                `json:"approvedBy"`
	InForce    string                `json:"inForce"` // from this day on, YYYY-MM-DD
	Counted    bool                  `json:"counted"` // its credits are in the summary; not where the same is on file with credits of its own
}

// sums is what records are added up by, the same for all that are made together.
type sums struct {
	grading     *Grading
	equivalents map[learner.ID][]program.Equivalent
	courses     map[achievement.ID]course.ID // that achievements are the completion of
}

// reckon adds up records, tells what counts as what, and signs that beside the
// awards where somebody other than the reader has reckoned it: an average, an
// equivalency, the state of a program.
func (s *Service) reckon(ctx context.Context, who access.Actor, w order, all []*one) error {
	c := w.of.Content
	if !c.Summary && !c.Legend && !c.Requirements {
		return nil
	}
	with, err := s.sums(ctx, who, w, all)
	if err != nil {
		return err
	}
	var signed []*one
	for _, o := range all {
		o.add(w, with)
		if o.frame.reckoned() {
			signed = append(signed, o)
		}
	}
	return s.sealSummaries(ctx, who, w, signed)
}

func (s *Service) sums(ctx context.Context, who access.Actor, w order, all []*one) (with sums, err error) {
	if w.of.Content.Summary && s.Programs != nil {
		ids := make([]learner.ID, len(all))
		for i, o := range all {
			ids[i] = o.Learner.ID
		}
		if with.equivalents, err = s.Programs.EquivalentsOf(ctx, who, ids); err != nil {
			return with, err
		}
	}
	var badges []achievement.ID
	for _, o := range all {
		if len(with.equivalents[o.Learner.ID]) > 0 {
			for _, p := range o.Pins {
				badges = append(badges, p.AchievementID)
			}
		}
	}
	with.courses = map[achievement.ID]course.ID{}
	err = s.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
		if with.grading, err = grading(ctx, tx, who); err != nil || len(badges) == 0 {
			return err
		}
		found, err := achievement.ByIDsInTx(ctx, tx, who, badges)
		for id, a := range found {
			if a.CourseID != nil {
				with.courses[id] = *a.CourseID
			}
		}
		return err
	})
	return with, err
}

// dated is an attempt with the day on which it was made.
type dated struct {
	attempt
	on day.Date
}

// add puts the summary, the equivalencies and the legend into the frame.
func (o *one) add(w order, with sums) {
	if w.of.Content.Legend {
		o.frame.Legend = with.grading.legend()
	}
	if !w.of.Content.Summary {
		return
	}
	var all []dated
	brings := map[string]bool{} // what earned credits of its own
	var c GradingContent
	if with.grading != nil {
		c = with.grading.Content
	}
	for i, a := range o.awards {
		one := dated{o.attempt(a, o.Credentials[i], o.pin(i)), a.AchievedOn}
		if c, ok := with.courses[a.AchievementID]; ok {
			one.of = string(c)
		}
		if c.earned(one.attempt) > 0 {
			brings[one.of], brings[string(a.AchievementID)] = true, true
		}
		all = append(all, one)
	}
	if !w.everything() {
		with.equivalents = nil // what was left out may be behind one
	}
	for _, e := range with.equivalents[o.Learner.ID] {
		source := cmp.Or(string(e.Equivalency.Given.CourseID), string(e.Equivalency.Given.AchievementID))
		line := Equivalent{Rule: e.ID, Given: e.Shown.Name, Code: e.Shown.Code, Level: e.Equivalency.Given.Level, On: on(e.On), As: e.Worth.Name, AsCode: e.Worth.Code,
			Grade: e.Equivalency.Instead.Grade, Credits: e.Equivalency.Instead.Credits, ClockHours: e.Equivalency.Instead.ClockHours, Ground: e.Ground, Reason: e.Reason,
			ApprovedBy: e.ApprovedBy, InForce: on(e.EffectiveOn), Counted: e.Equivalency.Instead.Credits > 0 && !brings[e.Resembles] && !brings[source]}
		o.frame.Equivalencies = append(o.frame.Equivalencies, line)
		if line.Counted {
			brings[e.Resembles] = true
			credits := line.Credits
			all = append(all, dated{attempt{of: e.Resembles, kind: "Course", mark: line.Grade, credits: &credits, ground: e.Ground}, e.On})
		}
	}
	slices.SortStableFunc(all, func(a, b dated) int { return cmp.Compare(a.on.String(), b.on.String()) })
	attempts := make([]attempt, len(all))
	for i, a := range all {
		attempts[i] = a.attempt
	}
	o.greatest = c.greatest()
	o.frame.Summary = with.grading.summary(attempts)
	if slices.ContainsFunc(o.hidden, c.weighs) {
		o.frame.Summary.unaveraged()
	}
}

// chosenAverage stands where an average would: nobody chooses their own.
const chosenAverage = "No grade point average is given, because the learner chose to leave out something that counts in it."

// unaveraged is a summary without its averages.
func (s *Summary) unaveraged() {
	if s == nil {
		return
	}
	s.Average, s.Policy = nil, chosenAverage
	for i := range s.Terms {
		s.Terms[i].Average = nil
	}
}

// attempt is an award of a record as a summary looks at it.
func (o *one) attempt(a assertion.Assertion, signed credential.Credential, pin achievement.Pin) attempt {
	out := attempt{of: string(a.AchievementID), term: a.Term, credits: a.CreditsEarned, address: credential.URL(o.Base, signed.ID)}
	if known, err := o.known.of(pin, *signed.Document); err == nil { // it was read before
		out.kind, out.available = known.kind, known.credits
	}
	if a.Grade != nil {
		out.mark = *a.Grade
	}
	out.state = stateOf(*signed.Document)
	return out
}

// stateOf is how the results of a signed award leave it. Most awards have no
// result with a status, and are not read for that.
func stateOf(document string) string {
	state := Earned
	if strings.Contains(document, `"status":"`) {
		for _, r := range read(document).CredentialSubject.Result {
			state = further(state, r.Status)
		}
	}
	return state
}

// reckoned reports whether a frame tells what does not follow from the awards.
func (f Frame) reckoned() bool {
	return f.Summary != nil && f.Summary.Average != nil || len(f.Programs)+len(f.Equivalencies) > 0
}

// sealSummaries signs what records add up to.
func (s *Service) sealSummaries(ctx context.Context, who access.Actor, w order, all []*one) error {
	return s.sealBeside(ctx, who, "summary/"+w.series(), all, func(o *one) ([]byte, error) { return o.summary(w, "", "") })
}

// sealBeside signs what records tell beside their awards, in the series of a
// basis. What says the same as the one before is that one.
func (s *Service) sealBeside(ctx context.Context, who access.Actor, basis string, all []*one, compose func(*one) ([]byte, error)) error {
	if len(all) == 0 {
		return nil
	}
	ids := make([]learner.ID, len(all))
	for i, o := range all {
		ids[i] = o.Learner.ID
	}
	var before map[learner.ID]credential.Credential
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
		before, err = credential.SummariesInTx(ctx, tx, who, basis, ids)
		return err
	})
	if err != nil {
		return err
	}
	var drafts []credential.Draft
	var fresh []*one
	for _, o := range all {
		content, err := compose(o)
		if err != nil {
			return err
		}
		hash, old := sha256.Sum256(content), before[o.Learner.ID]
		if old.Status == credential.Active && bytes.Equal(old.ContentHash, hash[:]) {
			o.take(old)
			continue
		}
		d := credential.Draft{Kind: credential.OfSummary, LearnerID: o.Learner.ID, Basis: basis, Compose: func(string, string) ([]byte, error) { return content, nil }}
		if old.ID != "" {
			d.Supersedes = &old.ID
		}
		drafts, fresh = append(drafts, d), append(fresh, o)
	}
	sealed, err := s.Credentials.Seal(ctx, who, drafts, nil)
	for i, c := range sealed {
		fresh[i].take(c)
	}
	return err
}

// take puts what was signed beside them behind the awards of a record.
func (o *one) take(c credential.Credential) {
	o.Credentials, o.Pins = append(o.Credentials, c), append(o.Pins, achievement.Pin{})
}

// summary is what a record adds up to as a credential: an achievement of its own
// whose results are the averages, the state of each requirement and what counts
// as what. It says nothing was conferred. Open Badges 3.0 §B.1.18, §B.1.19; a
// requirement for which nothing speaks yet has a description and no result.
func (o *one) summary(w order, id, validFrom string) ([]byte, error) {
	f := o.frame
	uri := o.Base + "/record-types/" + f.Type + "#summary"
	a := openbadges.Achievement{ID: uri, Type: openbadges.List[string]{"Achievement"}, AchievementType: SummaryType, Name: "Summary of the " + f.Title,
		Description: "What the record adds up to, as its issuer reckons it. It confers nothing.", Criteria: &openbadges.Criteria{Narrative: o.rules()}}
	c := openbadges.Credential{ID: id, Name: a.Name, Issuer: o.Issuer, ValidFrom: validFrom, CredentialSubject: openbadges.Subject{ID: o.Learner.SubjectID(),
		Type: openbadges.List[string]{"AchievementSubject"}, Identifier: credential.Named(o.Learner)}}
	r := results{uri: uri}
	if s := f.Summary; s != nil {
		c.CredentialSubject.CreditsEarned = &s.CreditsEarned
		if s.Average != nil {
			r.add(o.average("Grade point average"), openbadges.Result{Value: s.Average.Value})
		}
		for _, t := range s.Terms {
			if t.Average != nil {
				r.add(o.average("Grade point average, "+t.Term), openbadges.Result{Value: t.Average.Value})
			}
		}
	}
	for _, p := range f.Programs {
		for _, l := range p.Lines {
			name := p.Program.Title
			if l.Depth > 0 {
				name += ": " + l.Title
			}
			r.add(openbadges.ResultDescription{Name: name, ResultType: "Status"}, openbadges.Result{Status: map[string]string{Earned: "Completed", InProgress: "InProgress"}[l.Status]})
		}
	}
	for _, e := range f.Equivalencies {
		r.add(openbadges.ResultDescription{Name: fmt.Sprintf("%s as %s, by rule %s", coded(e.Code, e.Given), coded(e.AsCode, e.As), e.Rule), ResultType: "ext:Equivalency"}, openbadges.Result{Value: e.worth()})
	}
	a.ResultDescription, c.CredentialSubject.Result = r.descriptions, r.all
	c.CredentialSubject.Achievement = a
	return openbadges.Compose(c)
}

// average describes a grade point average by the scale of the legend.
func (o *one) average(name string) openbadges.ResultDescription {
	return openbadges.ResultDescription{Name: name, ResultType: "GradePointAverage", ValueMin: "0", ValueMax: plainNumber(o.greatest)}
}

// rules are what a summary was reckoned by, in sentences.
func (o *one) rules() string {
	said := []string{"Reckoned from the credentials of this record."}
	if s := o.frame.Summary; s != nil && s.Policy != "" {
		said = append(said, fmt.Sprintf("Grade point average by version %d of the grading policy: %s", s.PolicyVersion, s.Policy))
	}
	for _, p := range o.frame.Programs {
		said = append(said, fmt.Sprintf("Requirements of %s, version %d.", coded(p.Program.Code, p.Program.Title), p.Program.Version))
	}
	for _, e := range o.frame.Equivalencies {
		said = append(said, fmt.Sprintf("Rule %s, in force from %s, approved by %s: %s", e.Rule, e.InForce, e.ApprovedBy, e.Reason))
	}
	return strings.Join(said, "\n\n")
}

// worth is what an equivalent counts as, in words.
func (e Equivalent) worth() string {
	var all []string
	if e.Credits > 0 {
		all = append(all, plainNumber(e.Credits)+" credits")
	}
	if e.ClockHours > 0 {
		all = append(all, plainNumber(e.ClockHours)+" clock hours")
	}
	if e.Grade != "" {
		all = append(all, "grade "+e.Grade)
	}
	if len(all) == 0 {
		return "counts"
	}
	return strings.Join(all, ", ")
}

func coded(code, name string) string {
	if code == "" {
		return name
	}
	return code + " " + name
}

// results are descriptions with their results, numbered.
type results struct {
	uri          string
	descriptions openbadges.List[openbadges.ResultDescription]
	all          openbadges.List[openbadges.Result]
}

// add adds a description and its result; a result that says nothing is left out.
func (r *results) add(d openbadges.ResultDescription, result openbadges.Result) {
	d.ID, d.Type = r.uri+"-"+strconv.Itoa(len(r.descriptions)+1), openbadges.List[string]{"ResultDescription"}
	r.descriptions = append(r.descriptions, d)
	if result.Value == "" && result.Status == "" {
		return
	}
	result.Type, result.ResultDescription = openbadges.List[string]{"Result"}, d.ID
	r.all = append(r.all, result)
}
