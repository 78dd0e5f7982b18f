package record

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges"
)

func person(subject string, all []openbadges.IdentityObject) Person {
	p := Person{Subject: subject}
	for _, i := range all {
		switch {
		case i.Hashed:
		case i.IdentityType == "name" && p.Name == "":
			p.Name = i.IdentityHash
		default:
			p.Identifiers = append(p.Identifiers, Identifier{i.IdentityType, i.IdentityHash})
		}
	}
	return p
}

// text is a member that holds text, as others may write it: a string, a list of
// one, or the same in several languages, of which English comes before the first.
func text(v jsonld.Value, name string) string {
	v = v.Member(name).One()
	if s, ok := v.Text(); ok {
		return s
	}
	for _, tag := range []string{"@value", "en", "en-US", "en-GB"} {
		if s, ok := v.Member(tag).Text(); ok {
			return s
		}
	}
	for _, m := range v.Members() {
		if s, ok := m.Text(); ok {
			return s
		}
	}
	return ""
}

// party reads an issuer: a profile, or its id alone.
func party(v jsonld.Value) Party {
	v = v.One()
	if id, ok := v.Text(); ok {
		return Party{ID: id}
	}
	p := Party{ID: text(v, "id"), Name: text(v, "name"), URL: text(v, "url"), Email: text(v, "email"), Phone: text(v, "phone"), Official: text(v, "official"),
		Image: idOf(v.Member("image"))}
	a := v.Member("address").One()
	place := text(a, "addressLocality") + " " + text(a, "addressRegion") + " " + text(a, "postalCode")
	for _, line := range []string{text(a, "streetAddress"), strings.Join(strings.Fields(place), " "), cmp.Or(text(a, "addressCountry"), text(a, "addressCountryCode"))} {
		if line != "" {
			p.Address = append(p.Address, line)
		}
	}
	return p
}

// idOf is the id of an object, or the id that stands in its place.
func idOf(v jsonld.Value) string {
	v = v.One()
	if id, ok := v.Text(); ok {
		return id
	}
	return text(v, "id")
}

// lineOf is an embedded credential as a line. It may be another issuer's, in any
// form that JSON-LD and the data models 1.1 and 2.0 leave it, so nothing in it is
// an error: what is not there, or not so, is empty.
func lineOf(c jsonld.Value, issuer string, names map[string]Aligned) Line {
	s := c.Member("credentialSubject").One()
	a := s.Member("achievement").One()
	from, until := openbadges.Dates(c)
	l := Line{CredentialID: text(c, "id"), Title: cmp.Or(text(a, "name"), text(c, "name")), Code: text(a, "humanCode"), Type: cmp.Or(text(a, "achievementType"), "Achievement"),
		Term: text(s, "term"), Credits: number(s.Member("creditsEarned")), Status: Earned, AwardedOn: dayOf(cmp.Or(text(c, "awardedDate"), text(c, from))),
		StartedOn: dayOf(text(s, "activityStartDate")), EndedOn: dayOf(text(s, "activityEndDate")), ValidUntil: dayOf(text(c, until)), Issuer: party(c.Member("issuer")),
		Narrative: text(s, "narrative"), Role: text(s, "role"), License: text(s, "licenseNumber")}
	l.Other = l.Issuer.ID != issuer
	if clr.IsRecord(c) {
		l.Type = "ext:Record"
	}
	met := map[string]bool{}
	for _, x := range a.Member("alignment").Elements() {
		n := Aligned{URI: text(x, "targetUrl"), Code: text(x, "targetCode"), Name: text(x, "targetName")}
		if known, ok := names[n.URI]; ok {
			n = known
		}
		if n.URI != "" && !met[n.URI] {
			met[n.URI] = true
			l.Competencies = append(l.Competencies, n)
		}
	}
	kinds, levels := map[string]jsonld.Value{}, map[string]string{}
	for _, d := range a.Member("resultDescription").Elements() {
		kinds[text(d, "id")] = d
		for _, level := range d.Member("rubricCriterionLevel").Elements() {
			levels[text(level, "id")] = cmp.Or(text(level, "level"), text(level, "name"))
		}
	}
	for _, r := range s.Member("result").Elements() {
		l.result(r, kinds[text(r, "resultDescription")], levels)
	}
	for _, e := range c.Member("evidence").Elements() {
		l.Evidence = append(l.Evidence, EvidenceLine{URL: idOf(e), Name: text(e, "name"), Text: cmp.Or(text(e, "narrative"), text(e, "description"))})
	}
	return l
}

// number is a number, or nil.
func number(v jsonld.Value) *float64 {
	written, ok := v.One().Number()
	if n, err := strconv.ParseFloat(written, 64); ok && err == nil {
		return &n
	}
	return nil
}

// result puts a result on a line, with its description where there is one.
func (l *Line) result(r, described jsonld.Value, levels map[string]string) {
	level, status, kind := text(r, "achievedLevel"), text(r, "status"), text(described, "resultType")
	value := cmp.Or(text(r, "value"), levels[level], status)
	switch {
	case kind == "LetterGrade" && l.Grade == "":
		l.Grade = value
	case level != "" && l.Level == "":
		l.Level = cmp.Or(levels[level], level)
	}
	l.Status = further(l.Status, status)
	l.Results = append(l.Results, ResultLine{Name: text(described, "name"), Type: kind, Value: value})
}

// further is the state of a line after another result: what was not
// passed stays so, and what is open is not earned yet. Competencies are reckoned
// by the same states.
func further(state, status string) string {
	switch status {
	case "Failed":
		return NotPassed
	case "Withdrew":
		if state != NotPassed {
			return Withdrew
		}
	case "InProgress", "Enrolled", "OnHold", "Provisional":
		if state == Earned {
			return InProgress
		}
	}
	return state
}

// dayOf is the day of an instant as credentials write it.
func dayOf(instant string) string {
	if len(instant) < len("2006-01-02") {
		return instant
	}
	return instant[:len("2006-01-02")]
}
