package exchange

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/tabular"
)

func must(names ...string) []tabular.Field { return listed(true, names) }
func may(names ...string) []tabular.Field  { return listed(false, names) }

func listed(required bool, names []string) []tabular.Field {
	all := make([]tabular.Field, len(names))
	for i, n := range names {
		all[i] = tabular.Field{Name: n, Required: required}
	}
	return all
}

// fields are the columns of each kind of table.
var fields = map[Kind][]tabular.Field{
	Table:    framework.TableFields,
	Learners: append(must("learner_id"), may("display_name", "given_name", "family_name", "additional_name", "email", "birth_date", "did", "identifiers")...),
	Courses:  append(must("code", "title"), may("description", "credits", "level", "field_of_study", "language", "course_id")...),
	CourseMap: append(must("course_code", "competency", "stage"),
		may("target_level")...),
	Results: append(must("learner_id", "course_code", "completed_on"),
		may("result_id", "term", "grade", "credits_earned", "status", "narrative")...),
	Awards: append(must("learner_id", "achievement", "achieved_on"),
		may("award_id", "term", "level", "value", "results", "credits_earned", "narrative", "role", "license_number",
			"activity_start", "activity_end", "evidence_url", "evidence_name", "evidence_description")...),
	IssueCredentials:   append(must("assertion_id"), may("valid_until")...),
	ReissueCredentials: append(must("credential_id", "reason"), may("valid_until")...),
	RevokeCredentials:  must("credential_id", "cause", "reason"),
	SuspendCredentials: must("credential_id", "reason"),
	LiftSuspensions:    must("credential_id", "reason"),
	Graduation:         must("learner_id"),
}

// line is one row of a file, or one definition of a JSON file.
type line struct {
	first, last int
	offset      int64 // bytes of the file that are read with it
	row         tabular.Row
	raw         json.RawMessage // of ACHIEVEMENTS
	bad         *tabular.Error  // the row itself cannot be read
}

// load writes lines in the caller's transaction; no two mean the same thing.
type load func(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, j Job, lines []line) ([]bulk.Outcome, error)

var loads = map[Kind]load{
	Learners: loadLearners, Courses: loadCourses, CourseMap: loadCourseMap,
	Results: loadResults, Awards: loadAwards, Achievements: loadAchievements,
}

// met is what the lines of a batch mean, and whether one of them says so without
// an id.
type met map[string]bool

// meets reports whether a line may mean the same as one before it, and so goes
// into the next batch: what the earlier one wrote is then found. An award with an
// id is also met by one without that is for the same activity; that two ids for
// one activity are too many is for the database to say.
func (m met) meets(k Kind, l line) bool {
	key, activity := keyOf(k, l)
	if key == "" && activity == "" {
		return false
	}
	_, twice := m["\x01"+key]
	bare, there := m[activity]
	if key != "" && twice || activity != "" && there && (key == "" || bare) {
		return true
	}
	if key != "" {
		m["\x01"+key] = true
	}
	if activity != "" {
		m[activity] = key == ""
	}
	return false
}

// keyOf is what a line means: by its own name, and of an award by what was done
// as well, which is its name when it has no other. It never has to be exact, only
// never different for the same thing.
func keyOf(k Kind, l line) (key, activity string) {
	t := l.row.Text
	switch k {
	case Learners:
		return t("learner_id"), ""
	case Courses:
		return t("code"), ""
	case CourseMap:
		return t("course_code") + "\x00" + t("competency") + "\x00" + t("stage"), ""
	case Results:
		return t("result_id"), t("learner_id") + "\x00" + t("course_code") + "\x00" + t("completed_on") + "\x00" + t("term")
	case Graduation:
		return t("learner_id"), ""
	case Awards:
		return t("award_id"), t("learner_id") + "\x00" + t("achievement") + "\x00" + t("achieved_on") + "\x00" + t("term")
	}
	var head struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(l.raw, &head) != nil {
		return "", ""
	}
	return head.ID, ""
}

// cells reads the values of one row, and keeps the first thing wrong with them.
type cells struct {
	row    tabular.Row
	format string // of dates
	err    *fault.Error
}

func (c *cells) fail(field, rule, format string, args ...any) {
	if c.err == nil {
		c.err = fault.At(field, rule, format, args...)
	}
}

func (c *cells) required(field string) string {
	v := c.row.Text(field)
	if v == "" {
		c.fail(field, "required", "This may not be empty.")
	}
	return v
}

func (c *cells) optional(field string) *string {
	if v := c.row.Text(field); v != "" {
		return &v
	}
	return nil
}

func (c *cells) date(field string) *day.Date {
	v := c.row.Text(field)
	if v == "" {
		return nil
	}
	y, m, d, ok := tabular.Date(v, c.format)
	if ok {
		out := day.Of(y, time.Month(m), d)
		return &out
	}
	want := c.format
	if want == "" {
		want = "YYYY-MM-DD"
	}
	c.fail(field, "date", "%q is not a day written as %s. If the file writes days otherwise, say so with the date format.", v, want)
	return nil
}

func (c *cells) requiredDate(field string) day.Date {
	if c.required(field) == "" {
		return day.Date{}
	}
	if d := c.date(field); d != nil {
		return *d
	}
	return day.Date{}
}

// absent are the fields of which the row says nothing, the first its lowest bit.
// A field may be said in several columns, with a bar between; one that this kind
// of file has no column for is empty.
func (c *cells) absent(fields ...string) bulk.Absent {
	var all bulk.Absent
	for bit, names := range fields {
		if names == "" || !slices.ContainsFunc(strings.Split(names, "|"), c.row.Given) {
			all |= 1 << bit
		}
	}
	return all
}

func (c *cells) number(field string) *float64 {
	v := c.row.Text(field)
	if v == "" {
		return nil
	}
	n, ok := tabular.Number(v)
	if !ok {
		c.fail(field, "number", "%q is not a number.", v)
		return nil
	}
	return &n
}

// split runs parse on every line, and load on those that hold; the outcomes
// come back in the order of the lines.
func split[T any](lines []line, j Job, parse func(*cells) T, write func([]T) ([]bulk.Outcome, error)) ([]bulk.Outcome, error) {
	out := make([]bulk.Outcome, len(lines))
	var good []T
	var places []int
	for i, l := range lines {
		c := &cells{row: l.row, format: j.Options.DateFormat}
		v := parse(c)
		if c.err != nil {
			out[i] = bulk.Fail(c.err)
			continue
		}
		good, places = append(good, v), append(places, i)
	}
	if len(good) == 0 {
		return out, nil
	}
	written, err := write(good)
	for i, o := range written {
		out[places[i]] = o
	}
	return out, err
}

func loadLearners(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, j Job, lines []line) ([]bulk.Outcome, error) {
	parse := func(c *cells) learner.Row {
		d := learner.Definition{Ref: &id.Ref{System: j.system(), Value: c.required("learner_id")}, DisplayName: c.row.Text("display_name"),
			GivenName: c.optional("given_name"), FamilyName: c.optional("family_name"), AdditionalName: c.optional("additional_name"),
			Email: c.optional("email"), BirthOn: c.date("birth_date"), DID: c.optional("did")}
		for _, part := range strings.Split(c.row.Text("identifiers"), "|") {
			if part = strings.TrimSpace(part); part == "" {
				continue
			}
			kind, value, ok := strings.Cut(part, "=")
			if !ok {
				c.fail("identifiers", "identifiers", "%q is not an identifier: write type=value, and a bar between two of them.", part)
			}
			d.Identifiers = append(d.Identifiers, learner.Identifier{Type: strings.TrimSpace(kind), Value: strings.TrimSpace(value)})
		}
		return learner.Row{Definition: d, Absent: c.absent("display_name", "given_name", "family_name", "additional_name", "email", "birth_date", "did")}
	}
	return split(lines, j, parse, func(rows []learner.Row) ([]bulk.Outcome, error) {
		out, err := learner.Import(ctx, tx, who, b, rows)
		return renamed(out, map[string]string{"displayName": "display_name", "givenName": "given_name", "familyName": "family_name",
			"additionalName": "additional_name", "birthOn": "birth_date", "externalRef": "learner_id"}), err
	})
}

// renamed gives the fields of outcomes the names that they have in a file.
func renamed(out []bulk.Outcome, names map[string]string) []bulk.Outcome {
	for i, o := range out {
		if o.Err == nil {
			continue
		}
		field, _, _ := strings.Cut(o.Err.Field, ".")
		if n, ok := names[field]; ok {
			e := *o.Err
			e.Field = n
			out[i].Err = &e
		}
	}
	return out
}

func loadCourses(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, j Job, lines []line) ([]bulk.Outcome, error) {
	parse := func(c *cells) course.CatalogRow {
		d := course.Definition{Code: c.required("code"), Title: c.required("title"), Description: c.optional("description"), Credits: c.number("credits"),
			Level: c.optional("level"), FieldOfStudy: c.optional("field_of_study"), Language: c.optional("language")}
		if ref := c.row.Text("course_id"); ref != "" {
			d.Ref = &id.Ref{System: j.system(), Value: ref}
		}
		return course.CatalogRow{Definition: d, Absent: c.absent("description", "credits", "level", "field_of_study", "language")}
	}
	return split(lines, j, parse, func(rows []course.CatalogRow) ([]bulk.Outcome, error) {
		out, err := course.Import(ctx, tx, who, b, rows)
		if err != nil {
			return out, err
		}
		return renamed(out, map[string]string{"fieldOfStudy": "field_of_study", "externalRef": "course_id"}), completions(ctx, tx, who, b, rows, out)
	})
}

// completions makes the achievement of each course that came or changed.
func completions(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, rows []course.CatalogRow, out []bulk.Outcome) error {
	var codes []string
	for i, o := range out {
		if o.Change == bulk.Created || o.Change == bulk.Updated {
			codes = append(codes, rows[i].Code)
		}
	}
	byCode, err := course.Resolve(ctx, tx, who, "", codes)
	if err != nil {
		return err
	}
	var all []course.Course
	for _, c := range codes {
		all = append(all, byCode[c])
	}
	_, err = achievement.ForCourses(ctx, tx, who, b, all)
	return err
}

func loadCourseMap(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, j Job, lines []line) ([]bulk.Outcome, error) {
	parse := func(c *cells) course.MapRow {
		return course.MapRow{Course: c.required("course_code"), Item: c.required("competency"), Stage: strings.ToLower(c.required("stage")), TargetLevel: c.optional("target_level")}
	}
	return split(lines, j, parse, func(rows []course.MapRow) ([]bulk.Outcome, error) {
		return course.ImportMap(ctx, tx, who, b, j.system(), rows)
	})
}

func loadResults(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, j Job, lines []line) ([]bulk.Outcome, error) {
	learners, courses, err := known(ctx, tx, who, j, lines)
	if err != nil {
		return nil, err
	}
	var all []course.Course
	for _, c := range courses {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b course.Course) int { return strings.Compare(string(a.ID), string(b.ID)) })
	achievements, err := achievement.ForCourses(ctx, tx, who, b, slices.CompactFunc(all, func(a, b course.Course) bool { return a.ID == b.ID }))
	if err != nil {
		return nil, err
	}
	parse := func(c *cells) assertion.Row {
		r := assertion.Row{RefValue: c.row.Text("result_id"), LearnerID: c.learner(learners), Facts: assertion.Facts{AchievedOn: c.requiredDate("completed_on"),
			Term: c.row.Text("term"), Grade: c.optional("grade"), CreditsEarned: c.number("credits_earned"), Narrative: c.optional("narrative")}}
		code := c.required("course_code")
		co, ok := courses[code]
		if !ok {
			c.fail("course_code", "course-known", "There is no course %q. Import the catalogue first, or correct the code.", code)
		}
		if status := c.row.Text("status"); status != "" && !strings.EqualFold(status, "Completed") {
			c.fail("status", "completed", "%q is not a completion: only completed courses become part of a record. Leave such rows out.", status)
		}
		r.Achievement = achievements[co.ID]
		r.Absent = c.absent("term", "grade", "credits_earned", "narrative", "", "", "", "", "", "")
		return r
	}
	return loadAssertions(ctx, tx, who, b, j, lines, parse, "completed_on", "course_code")
}

func loadAssertions(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, j Job, lines []line, parse func(*cells) assertion.Row, on, what string) ([]bulk.Outcome, error) {
	return split(lines, j, parse, func(rows []assertion.Row) ([]bulk.Outcome, error) {
		out, err := assertion.Import(ctx, tx, who, b, j.system(), rows)
		return renamed(out, map[string]string{"achievedOn": on, "achievement": what, "creditsEarned": "credits_earned", "licenseNumber": "license_number", "activityStartOn": "activity_start",
			"activityEndOn": "activity_end", "evidence": "evidence_url", "results": "results"}), err
	})
}

// known are the learners and courses that lines name.
func known(ctx context.Context, tx pgx.Tx, who access.Actor, j Job, lines []line) (map[string]learner.ID, map[string]course.Course, error) {
	learners, err := learner.Resolve(ctx, tx, who, j.system(), column(lines, "learner_id"))
	if err != nil {
		return nil, nil, err
	}
	courses, err := course.Resolve(ctx, tx, who, j.system(), column(lines, "course_code"))
	return learners, courses, err
}

// column are the different values of a field.
func column(lines []line, field string) []string {
	seen := map[string]bool{}
	var all []string
	for _, l := range lines {
		if v := l.row.Text(field); v != "" && !seen[v] {
			seen[v] = true
			all = append(all, v)
		}
	}
	return all
}

func (c *cells) learner(learners map[string]learner.ID) learner.ID {
	name := c.required("learner_id")
	l, ok := learners[name]
	if !ok {
		c.fail("learner_id", "learner-known", "There is no learner %q. Import the learners first, or correct the id.", name)
	}
	return l
}

func loadAwards(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, j Job, lines []line) ([]bulk.Outcome, error) {
	learners, err := learner.Resolve(ctx, tx, who, j.system(), column(lines, "learner_id"))
	if err != nil {
		return nil, err
	}
	achievements, err := achievement.Resolve(ctx, tx, who, j.system(), column(lines, "achievement"))
	if err != nil {
		return nil, err
	}
	parse := func(c *cells) assertion.Row {
		r := assertion.Row{RefValue: c.row.Text("award_id"), LearnerID: c.learner(learners), Facts: assertion.Facts{AchievedOn: c.requiredDate("achieved_on"),
			Term: c.row.Text("term"), CreditsEarned: c.number("credits_earned"), Narrative: c.optional("narrative"), Role: c.optional("role"),
			LicenseNumber: c.optional("license_number"), ActivityStartOn: c.date("activity_start"), ActivityEndOn: c.date("activity_end")}}
		name := c.required("achievement")
		a, ok := achievements[name]
		if !ok {
			c.fail("achievement", "achievement-known", "There is no achievement %q, or more than one has this code. Import the achievements first, or write the address.", name)
		}
		r.Achievement = a
		c.results(a.Definition, &r.Facts)
		if url, title, text := c.row.Text("evidence_url"), c.row.Text("evidence_name"), c.row.Text("evidence_description"); url+title+text != "" {
			e := assertion.Evidence{URL: url, Name: title, Description: text}
			if url == "" {
				e.Narrative = strings.TrimSpace(title + "\n\n" + text)
			}
			r.Facts.Evidence = []assertion.Evidence{e}
		}
		r.Absent = c.absent("term", "", "credits_earned", "narrative", "role", "license_number", "activity_start", "activity_end",
			"level|value|results", "evidence_url|evidence_name|evidence_description")
		return r
	}
	return loadAssertions(ctx, tx, who, b, j, lines, parse, "achieved_on", "achievement")
}

// results reads the level, the value and, from NDJSON, whole results.
func (c *cells) results(d achievement.Definition, f *assertion.Facts) {
	if raw := c.row.Raw("results"); raw != nil {
		if err := json.Unmarshal(raw, &f.Results); err != nil {
			c.fail("results", "results", "The results are not a list of objects with resultDescription, achievedLevel, value or status.")
		}
	} else if c.row.Has("results") {
		c.fail("results", "results", "A table cannot hold a list of results: use the columns level and value, or NDJSON.")
	}
	if name := c.row.Text("level"); name != "" {
		c.level(d, f, name)
	}
	if value := c.row.Text("value"); value != "" {
		c.value(d, f, value)
	}
}

// level finds the one level with this name, label or id.
func (c *cells) level(d achievement.Definition, f *assertion.Facts, name string) {
	var found []assertion.Result
	var there []string
	for _, r := range d.ResultDescription {
		for _, l := range r.RubricCriterionLevel {
			there = append(there, strconv.Quote(l.Name))
			if l.ID == name || strings.EqualFold(l.Name, name) || l.Level != "" && strings.EqualFold(l.Level, name) {
				found = append(found, assertion.Result{Description: r.ID, Level: l.ID})
			}
		}
	}
	switch len(found) {
	case 1:
		f.Results = append(f.Results, found[0])
	case 0:
		if len(there) == 0 {
			c.fail("level", "level-known", "This achievement has no levels.")
			return
		}
		c.fail("level", "level-known", "This achievement has no level %q. It has: %s.", name, strings.Join(there, ", "))
	default:
		c.fail("level", "level-known", "Several rubrics of this achievement have a level %q: write its id, or use NDJSON.", name)
	}
}

// value goes to the only kind of result that takes one.
func (c *cells) value(d achievement.Definition, f *assertion.Facts, value string) {
	var takes []string
	for _, r := range d.ResultDescription {
		if len(r.RubricCriterionLevel) == 0 {
			takes = append(takes, r.ID)
		}
	}
	if len(takes) != 1 {
		c.fail("value", "result-known", "This achievement has %d kinds of results that take a value, so it is not clear what %q is; use NDJSON.", len(takes), value)
		return
	}
	f.Results = append(f.Results, assertion.Result{Description: takes[0], Value: value})
}

func loadAchievements(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, _ Job, lines []line) ([]bulk.Outcome, error) {
	out := make([]bulk.Outcome, len(lines))
	var good []achievement.Draft
	var places []int
	for i, l := range lines {
		d, problems := openbadges.ParseAchievement(l.raw)
		if len(problems) > 0 {
			p := problems[0]
			out[i] = bulk.Fail(fault.At(p.Field, p.Rule, "%s (%s)", p.Message, p.Clause))
			continue
		}
		good, places = append(good, achievement.Draft{Definition: d}), append(places, i)
	}
	written, err := achievement.Import(ctx, tx, who, b, good)
	for i, o := range written {
		out[places[i]] = o
	}
	return out, err
}
