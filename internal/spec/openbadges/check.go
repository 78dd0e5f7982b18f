package openbadges

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/testamur/testamur/internal/spec/shape"
)

// Problem is one place where a value breaks the standard.
type Problem = shape.Problem

// problems gathers what is wrong below one path of an achievement.
type problems struct{ shape.Problems }

func (p problems) at(part string) problems { return problems{p.At(part)} }

// clause is a clause of this standard with its name.
func clause(section string) string { return "OB 3.0 " + section }

func (p problems) add(field, rule, section, format string, args ...any) {
	p.Add(field, rule, clause(section), format, args...)
}

func (p problems) text(field, section, v string) {
	if strings.TrimSpace(v) == "" {
		p.add(field, "required", section, "This may not be empty.")
	}
}

func (p problems) uri(field, section, v string) {
	if !shape.URI(v) {
		p.add(field, "uri", section, "%q is not an absolute URI.", v)
	}
}

func (p problems) oneOf(field, rule, section, v string, known []string) {
	if v != "" && !slices.Contains(known, v) && !shape.Extension(v) {
		p.add(field, rule, section, "%q is not one of the standard's, and does not begin with ext:.", v)
	}
}

// CheckAchievement is everything that is wrong with an achievement. Ids of
// result descriptions and levels may be fragments that the publisher completes.
func CheckAchievement(a Achievement) []Problem {
	p := problems{shape.NewProblems()}
	p.text("name", "§B.1.2", a.Name)
	p.text("description", "§B.1.2", a.Description)
	p.oneOf("achievementType", "achievement-type", "§B.2.1", a.AchievementType, achievementTypes)
	if a.Criteria == nil || a.Criteria.ID == "" && strings.TrimSpace(a.Criteria.Narrative) == "" {
		p.add("criteria", "criteria", "§B.1.8", "Say how it is earned: a narrative, the address of one, or both.")
	} else if a.Criteria.ID != "" {
		p.uri("criteria.id", "§B.1.8", a.Criteria.ID)
	}
	if a.CreditsAvailable != nil && *a.CreditsAvailable < 0 {
		p.add("creditsAvailable", "not-negative", "§B.1.2", "Credits are not negative.")
	}
	if a.InLanguage != "" && !shape.Language(a.InLanguage) {
		p.add("inLanguage", "language", "§B.1.2", "%q is not a language tag such as en or es-MX.", a.InLanguage)
	}
	if a.Image != nil {
		p.uri("image.id", "§B.1.14", a.Image.ID)
	}
	for i, o := range a.OtherIdentifier {
		p.at(fmt.Sprintf("otherIdentifier.%d", i)).oneOf("identifierType", "identifier-type", "§B.2.3", o.IdentifierType, identifierTypes)
	}
	for i, r := range a.Related {
		p.uri(fmt.Sprintf("related.%d.id", i), "§B.1.17", r.ID)
	}
	if len(a.EndorsementJWT) > 0 {
		p.add("endorsementJwt", "endorsement-jwt", "§B.1.2", "No published context defines this member, so a credential that holds it could not be signed. Put endorsements with their own proof into endorsement.")
	}
	alignments(p, a.Alignment)
	seen := map[string]bool{}
	for i, r := range a.ResultDescription {
		q := p.at(fmt.Sprintf("resultDescription.%d", i))
		if seen[r.ID] {
			q.add("id", "id-once", "§B.1.19", "Another result description has the id %q.", r.ID)
		}
		seen[r.ID] = true
		resultDescription(q, r)
	}
	return p.All()
}

func alignments(p problems, all List[Alignment]) {
	for i, a := range all {
		q := p.at(fmt.Sprintf("alignment.%d", i))
		q.text("targetName", "§B.1.5", a.TargetName)
		q.uri("targetUrl", "§B.1.5", a.TargetURL)
		q.oneOf("targetType", "target-type", "§B.2.2", a.TargetType, targetTypes)
	}
}

func resultDescription(p problems, r ResultDescription) {
	p.text("id", "§B.1.19", r.ID)
	p.text("name", "§B.1.19", r.Name)
	p.text("resultType", "§B.1.19", r.ResultType)
	p.oneOf("resultType", "result-type", "§B.2.4", r.ResultType, resultTypes)
	alignments(p, r.Alignment)
	levels := map[string]bool{}
	for i, l := range r.RubricCriterionLevel {
		q := p.at(fmt.Sprintf("rubricCriterionLevel.%d", i))
		q.text("id", "§B.1.20", l.ID)
		q.text("name", "§B.1.20", l.Name)
		if levels[l.ID] {
			q.add("id", "id-once", "§B.1.20", "Another level has the id %q.", l.ID)
		}
		levels[l.ID] = true
		alignments(q, l.Alignment)
	}
	if r.RequiredLevel != "" && !levels[r.RequiredLevel] {
		p.add("requiredLevel", "level-known", "§B.1.19", "The required level %q is none of the rubric's levels.", r.RequiredLevel)
	}
	low, errLow := number(r.ValueMin)
	high, errHigh := number(r.ValueMax)
	switch {
	case errLow != nil:
		p.add("valueMin", "number", "§B.1.19", "%q is not a number.", r.ValueMin)
	case errHigh != nil:
		p.add("valueMax", "number", "§B.1.19", "%q is not a number.", r.ValueMax)
	case r.ValueMin != "" && r.ValueMax != "" && low > high:
		p.add("valueMin", "range", "§B.1.19", "The least value %s is above the greatest %s.", r.ValueMin, r.ValueMax)
	}
	if r.RequiredValue != "" && len(r.AllowedValue) > 0 && !slices.Contains(r.AllowedValue, r.RequiredValue) {
		p.add("requiredValue", "value-allowed", "§B.1.19", "The required value %q is none of the allowed ones.", r.RequiredValue)
	}
}

func number(s string) (float64, error) {
	if s == "" {
		return 0, nil
	}
	return strconv.ParseFloat(s, 64)
}

// CheckResult is what is wrong with a result of an achievement, OB 3.0 §B.1.18:
// it must fit one of the achievement's descriptions.
func CheckResult(a Achievement, r Result) []Problem { return describe(a).check(r) }

// described is what results are held against, by id, so that many results of
// many descriptions stay cheap.
type described map[string]description

type description struct {
	ResultDescription
	levels, allowed map[string]bool
}

func describe(a Achievement) described {
	all := make(described, len(a.ResultDescription))
	for _, d := range a.ResultDescription {
		if _, again := all[d.ID]; !again {
			all[d.ID] = description{d, set(d.RubricCriterionLevel, func(l RubricCriterionLevel) string { return l.ID }), set(d.AllowedValue, func(v string) string { return v })}
		}
	}
	return all
}

func set[T any](all []T, key func(T) string) map[string]bool {
	out := make(map[string]bool, len(all))
	for _, v := range all {
		out[key(v)] = true
	}
	return out
}

// shared lets a level of any description fit a result, as documents of others
// have it: the standard asks for the id of a level of this achievement, not of
// the same description.
func (all described) shared() described {
	levels := map[string]bool{}
	for _, d := range all {
		for l := range d.levels {
			levels[l] = true
		}
	}
	for id, d := range all {
		d.levels = levels
		all[id] = d
	}
	return all
}

func (all described) check(r Result) []Problem {
	p := problems{shape.NewProblems()}
	if r.Status != "" && !slices.Contains(statuses, r.Status) {
		p.add("status", "status", "§B.2.5", "%q is not a status: use one of %s.", r.Status, strings.Join(statuses, ", "))
	}
	if r.ResultDescription == "" {
		if r.AchievedLevel != "" {
			p.add("resultDescription", "required", "§B.1.18", "Name the result description that the level belongs to.")
		}
		if r.AchievedLevel == "" && r.Value == "" && r.Status == "" {
			p.add("value", "required", "§B.1.18", "A result has a value, a level or a status.")
		}
		return p.All()
	}
	d, ok := all[r.ResultDescription]
	if !ok {
		p.add("resultDescription", "description-known", "§B.1.18", "This achievement has no result description %q.", r.ResultDescription)
		return p.All()
	}
	if d.ResultType == "Status" && r.Status == "" {
		p.add("status", "required", "§B.1.18", "A result of type Status has a status.")
	}
	if r.AchievedLevel != "" && !d.levels[r.AchievedLevel] {
		p.add("achievedLevel", "level-known", "§B.1.18", "%q is none of the levels of %q.", r.AchievedLevel, d.Name)
	}
	if r.Value != "" {
		value(p, d, r.Value)
	}
	return p.All()
}

func value(p problems, d description, v string) {
	if len(d.allowed) > 0 {
		if !d.allowed[v] {
			p.add("value", "value-allowed", "§B.1.18", "%q is none of the values that %q allows: %s.", v, d.Name, some(d.AllowedValue))
		}
		return
	}
	if d.ValueMin == "" && d.ValueMax == "" {
		return
	}
	n, err := strconv.ParseFloat(v, 64)
	low, _ := number(d.ValueMin)
	high, _ := number(d.ValueMax)
	if err != nil || d.ValueMin != "" && n < low || d.ValueMax != "" && n > high {
		p.add("value", "value-range", "§B.1.18", "%q is not a number from %s to %s.", v, orAny(d.ValueMin), orAny(d.ValueMax))
	}
}

// some names the first values of a list.
func some(all []string) string {
	if len(all) > 20 {
		return strings.Join(all[:20], ", ") + ", …"
	}
	return strings.Join(all, ", ")
}

func orAny(s string) string {
	if s == "" {
		return "any"
	}
	return s
}
