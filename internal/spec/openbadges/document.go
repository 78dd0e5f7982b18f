package openbadges

import (
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/shape"
)

// context is the address of the standard's context in one of its editions.
var context = regexp.MustCompile(`^https://purl\.imsglobal\.org/spec/ob/v3p0/context(-3\.\d\.\d)*\.json$`)

// Kind is what a document is: AchievementCredential (also under its other name
// OpenBadgeCredential), EndorsementCredential, or "".
func Kind(v jsonld.Value) string {
	types := v.Member("type").Texts()
	switch {
	case slices.Contains(types, "AchievementCredential"), slices.Contains(types, "OpenBadgeCredential"):
		return "AchievementCredential"
	case slices.Contains(types, "EndorsementCredential"):
		return "EndorsementCredential"
	}
	return ""
}

// Check is everything that is wrong with an AchievementCredential or
// EndorsementCredential, with or without its proof, of either generation. The
// proofs, the dates against the clock and the status are not looked at, nor is
// what is embedded beyond its form.
func Check(v jsonld.Value, form shape.Form) []Problem {
	p := shape.NewProblems()
	kind := Kind(v)
	if kind == "" {
		p.Add("type", "type", clause("§B.1.1"), "Its type says neither AchievementCredential nor EndorsementCredential.")
		return p.All()
	}
	all := Classes.Check(kind, v, form)
	q := shape.NewProblems()
	Period(q, v)
	if kind == "AchievementCredential" {
		subject(q.At("credentialSubject"), v.Member("credentialSubject").One())
	}
	return append(all, q.All()...)
}

// CheckContexts tells where the contexts do not begin as they must: with that of
// credentials in either generation, then the given ones.
func CheckContexts(p shape.Problems, v jsonld.Value, then ...*regexp.Regexp) {
	all := v.Member("@context")
	if !all.IsArray() || all.Len() <= len(then) {
		p.Add("@context", "context", clause("§B.1.1"), "The contexts are a list of %d or more, in their order.", len(then)+1)
		return
	}
	for i, c := range all.Elements() {
		text, _ := c.Text()
		switch {
		case i == 0 && text != ContextCredentials && text != ContextCredentials11:
			p.Add("@context.0", "context", clause("§B.1.1"), "The first context is %s, or %s of the data model 1.1.", ContextCredentials, ContextCredentials11)
		case i > 0 && i <= len(then) && !then[i-1].MatchString(text):
			p.Add("@context."+strconv.Itoa(i), "context", clause("§B.1.1"), "The context at this place does not belong here; the order of the contexts decides what the members mean.")
		}
	}
}

// Dates are the names of the members that bound a credential, in its
// generation.
func Dates(v jsonld.Value) (from, until string) {
	if Generation(v) == ContextCredentials11 {
		return "issuanceDate", "expirationDate"
	}
	return "validFrom", "validUntil"
}

// Period tells where a credential ends before it begins, VCDM 2.0 §4.9.
func Period(p shape.Problems, v jsonld.Value) {
	from, until := Dates(v)
	inOrder(p, v, from, until, "VCDM 2.0 §4.9")
}

func inOrder(p shape.Problems, v jsonld.Value, from, until, clause string) {
	a, okA := instant(v.Member(from))
	b, okB := instant(v.Member(until))
	if okA && okB && b.Before(a) {
		p.Add(until, "date-order", clause, "%s lies before %s.", until, from)
	}
}

func instant(v jsonld.Value) (t time.Time, ok bool) {
	text, _ := v.Text()
	return shape.Instant(text)
}

// Named tells where a subject is named neither by id nor by identifier.
func Named(p shape.Problems, s jsonld.Value, clause string) {
	if s.IsObject() && s.Member("id").IsZero() && s.Member("identifier").Len() == 0 {
		p.Add("id", "recipient", clause, "It names nobody: a subject has an id or an identifier.")
	}
}

// subject checks what the members of a subject say of one another, §B.1.3.
func subject(p shape.Problems, s jsonld.Value) {
	Named(p, s, clause("§B.1.3"))
	inOrder(p, s, "activityStartDate", "activityEndDate", clause("§B.1.3"))
	a := resultsOf(s.Member("achievement").One())
	known := describe(a).shared()
	seen := map[string]bool{}
	for i, d := range a.ResultDescription {
		q := p.At("achievement.resultDescription." + strconv.Itoa(i))
		if seen[d.ID] {
			q.Add("id", "id-once", clause("§B.1.19"), "Another result description has the id %q.", d.ID)
		}
		seen[d.ID] = true
		if d.RequiredLevel != "" && !slices.ContainsFunc(d.RubricCriterionLevel, func(l RubricCriterionLevel) bool { return l.ID == d.RequiredLevel }) {
			q.Add("requiredLevel", "level-known", clause("§B.1.19"), "The required level %q is none of the rubric's levels.", d.RequiredLevel)
		}
	}
	for i, r := range s.Member("result").Elements() {
		var one Result
		one.ResultDescription, _ = r.Member("resultDescription").Text()
		one.AchievedLevel, _ = r.Member("achievedLevel").Text()
		one.Value, _ = r.Member("value").Text()
		one.Status, _ = r.Member("status").Text()
		if one.Status != "" && !slices.Contains(statuses, one.Status) {
			continue // told already
		}
		for _, f := range known.check(one) {
			p.At("result."+strconv.Itoa(i)).Add(f.Field, f.Rule, f.Clause, "%s", f.Message)
		}
	}
}

// resultsOf reads of an achievement what its results are held against.
func resultsOf(v jsonld.Value) Achievement {
	var a Achievement
	for _, d := range v.Member("resultDescription").Elements() {
		var r ResultDescription
		r.ID, _ = d.Member("id").Text()
		r.Name, _ = d.Member("name").Text()
		r.ResultType, _ = d.Member("resultType").Text()
		r.RequiredLevel, _ = d.Member("requiredLevel").Text()
		r.ValueMin, _ = d.Member("valueMin").Text()
		r.ValueMax, _ = d.Member("valueMax").Text()
		r.AllowedValue = d.Member("allowedValue").Texts()
		for _, l := range d.Member("rubricCriterionLevel").Elements() {
			id, _ := l.Member("id").Text()
			r.RubricCriterionLevel = append(r.RubricCriterionLevel, RubricCriterionLevel{ID: id})
		}
		a.ResultDescription = append(a.ResultDescription, r)
	}
	return a
}

// CheckDocument reads a document and checks it: strict JSON first.
func CheckDocument(document []byte, form shape.Form) []Problem {
	v, err := jsonld.Read(document)
	if err != nil {
		return []Problem{{Rule: "json", Clause: clause("§B.1.1"), Message: err.Error()}}
	}
	return Check(v, form)
}
