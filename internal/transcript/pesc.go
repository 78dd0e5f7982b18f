package transcript

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/spec/pesc"
)

// XML is a sheet as a PESC College Transcript. What that has no place for, such as
// evidence and the signatures, stays with the signed record, which a note names.
func XML(s Sheet) ([]byte, error) {
	m := s.Record
	issuer := organization(m.Issuer)
	if issuer.ID = registered(s.Credential); issuer.ID == nil {
		return nil, &fault.Error{Kind: fault.State, Rule: "registered", Message: "A PESC College Transcript names its sender by a number in a register, and the signed record has none. Enter one in the profile of the institution, such as ext:OPEID or ext:IPEDS, assemble the record again and export that one."}
	}
	t := pesc.Transcript{Transmission: pesc.Transmission{DocumentID: pesc.Text(string(m.RecordID), 35), Created: s.At.UTC().Format(time.RFC3339), Document: "StudentRequest",
		Type: "Original", Source: issuer, Destination: pesc.Organization{ID: issuer.ID, Name: "Bearer: the student who asked for it"}, OfficialCode: "Unofficial"}}
	if s.To != nil {
		t.Transmission.Document, t.Transmission.Destination = "InstitutionRequest", pesc.Organization{ID: pesc.NumberOf(s.To.Register, s.To.Number), Name: pesc.Text(s.To.Name, 60)}
		if t.Transmission.Destination.ID == nil {
			return nil, fault.At("to", "registered", "%q is no number in the register %q. Registers are: %s.", s.To.Number, s.To.Register, strings.Join(pesc.Registers(), ", "))
		}
	}
	if m.Supersedes != nil {
		t.Transmission.Type = "Replace"
	}
	if m.Partial {
		t.Transmission.Notes = append(t.Transmission.Notes, "This record is partial")
		for _, o := range m.Omissions {
			t.Transmission.Notes = append(t.Transmission.Notes, pesc.Note(pesc.Text("Left out: "+o.Reason, 80)))
		}
	}
	t.Student.Person = pesc.Person{AssignedID: studentNumber(m), Name: pesc.Name{Last: pesc.Text(m.Learner.Name, 35), Composite: pesc.Text(m.Learner.Name, 80)}}
	if first, last, ok := strings.Cut(m.Learner.Name, " "); ok && !strings.Contains(last, " ") {
		t.Student.Person.Name = pesc.Name{First: pesc.Text(first, 35), Last: pesc.Text(last, 35)}
	}
	r := &t.Student.Record
	r.School = &pesc.School{Name: issuer.Name}
	for _, sec := range m.Sections {
		addSection(r, m, sec)
	}
	for _, e := range m.Equivalencies {
		r.Courses = append(r.Courses, equivalentCourse(e))
	}
	if sum := m.Summary; sum != nil {
		r.Summaries = []pesc.Summary{summed("All", sum.CreditsAttempted, sum.CreditsEarned, sum.Average)}
	}
	r.Notes = append(r.Notes, pesc.Note(pesc.Text("Signed record: "+tail(m.CredentialID), 80)))
	return t.Encode()
}

func tail(address string) string { return address[strings.LastIndexByte(address, '/')+1:] }

func organization(p record.Party) pesc.Organization {
	o := pesc.Organization{Name: pesc.Text(p.Name, 60)}
	c := pesc.Contacts{}
	if p.Email != "" {
		c.Email = &pesc.Email{Address: pesc.Text(p.Email, 128)}
	}
	if p.URL != "" {
		c.URL = &pesc.URL{Address: p.URL}
	}
	if c.Email != nil || c.URL != nil {
		o.Contacts = &c
	}
	return o
}

// registered is the number of the issuer in a register, as the signed record says.
func registered(credential []byte) *pesc.Number {
	var d struct {
		Issuer struct {
			Others []struct {
				Value string `json:"identifier"`
				Type  string `json:"identifierType"`
			} `json:"otherIdentifier"`
		} `json:"issuer"`
	}
	if json.Unmarshal(credential, &d) != nil {
		return nil
	}
	for _, o := range d.Issuer.Others {
		if n := pesc.NumberOf(o.Type, o.Value); n != nil {
			return n
		}
	}
	return nil
}

func studentNumber(m record.Model) string {
	for _, i := range m.Learner.Identifiers {
		if identifiers[i.Type] == "Student number" {
			return pesc.Text(i.Value, 20)
		}
	}
	return ""
}

// addSection puts the lines of a section where PESC has them: courses and units in
// their term, degrees and certificates as awards. A line that stood under a
// heading before is there already.
func addSection(r *pesc.Record, m record.Model, s record.Section) {
	session := pesc.Session{}
	for _, l := range s.Lines {
		switch {
		case l.Repeated:
		case l.Other: // it brings no credit here
			r.Notes = append(r.Notes, pesc.Note(pesc.Text("Brought by the student, issued by "+cmp.Or(l.Issuer.Name, l.Issuer.ID)+": "+l.Title, 80)))
		case award(l.Type):
			session.Awards = append(session.Awards, awarded(l))
		default:
			session.Courses = append(session.Courses, course(l))
		}
	}
	if s.Kind != record.TermSection || s.Title == "" || began(s) == "" {
		r.Awards, r.Courses = append(r.Awards, session.Awards...), append(r.Courses, session.Courses...)
		return
	}
	session.Detail = pesc.SessionDetail{Designator: began(s), Name: pesc.Text(s.Title, 60)}
	if m.Summary != nil {
		for _, t := range m.Summary.Terms {
			if t.Term == s.Title {
				session.Summaries = []pesc.Summary{summed("SenderOnly", t.CreditsAttempted, t.CreditsEarned, t.Average)}
			}
		}
	}
	r.Sessions = append(r.Sessions, session)
}

// began is the month of the first day that is known of a term.
func began(s record.Section) string {
	first := ""
	for _, l := range s.Lines {
		for _, d := range []string{l.StartedOn, l.AwardedOn} {
			if len(d) >= 7 && (first == "" || d < first) {
				first = d
			}
		}
	}
	return first[:min(len(first), 7)]
}

// award reports whether a type of achievement is conferred and not taken.
func award(kind string) bool {
	return strings.Contains(kind, "Degree") || strings.Contains(kind, "Diploma") || strings.HasPrefix(kind, "Certificat") || strings.HasSuffix(kind, "Doctorate") || kind == "License"
}

func awarded(l record.Line) pesc.Award {
	a := pesc.Award{Date: l.AwardedOn, Title: pesc.Text(l.Title, 400), Completed: "true", On: l.AwardedOn}
	if l.Status != record.Earned {
		a.Date, a.Completed, a.On = "", "false", ""
	}
	return a
}

func course(l record.Line) pesc.Course {
	c := pesc.Course{Basis: "Regular", Grade: l.Grade, Status: "Completed", Title: pesc.Text(l.Title, 60), Begin: l.StartedOn, End: l.EndedOn}
	if l.Type != "Course" {
		c.Notes = append(c.Notes, pesc.Note(pesc.Text("Kind: "+words(l.Type), 80)))
	}
	if status, ok := map[string]string{record.InProgress: "InProgress", record.Withdrew: "Withdrew"}[l.Status]; ok {
		c.Status = status
	}
	if len([]rune(l.Grade)) > 10 {
		c.Grade, c.Narrative = "", pesc.Text(l.Grade, 200)
	}
	if l.Level != "" && c.Narrative == "" && l.Grade == "" {
		c.Narrative = pesc.Text(l.Level, 200)
	}
	if l.Replaced {
		c.Repeat = "ReplacedNotCounted"
	}
	if n := []rune(l.Code); len(n) <= 30 {
		c.OriginalID = l.Code
	}
	c.Units = "NoCredit"
	if l.Credits != nil {
		c.Units, c.Value, c.Earned = "Units", pesc.Decimal(*l.Credits), pesc.Decimal(*l.Credits)
		if l.Status != record.Earned {
			c.Earned = "0"
		}
	}
	for _, x := range l.Competencies {
		p := pesc.Proficiency{Code: pesc.Text(x.Code, 30), Name: pesc.Text(x.Name, 60), On: l.AwardedOn}
		if l.Status != record.Earned {
			p.On = ""
		}
		c.Proficiencies = append(c.Proficiencies, p)
	}
	return c
}

// equivalentCourse is what something else counts as, with its rule.
func equivalentCourse(e record.Equivalent) pesc.Course {
	c := pesc.Course{Basis: "Equivalence", Grade: pesc.Text(e.Grade, 10), Status: "Completed", Title: pesc.Text(e.As, 60), OriginalID: pesc.Text(e.AsCode, 30), Units: "NoCredit",
		Notes: []pesc.Note{pesc.Note(pesc.Text("Shown by "+coded(e.Code, e.Given), 80)), pesc.Note(pesc.Text("Rule "+string(e.Rule)+" in force from "+e.InForce, 80))}}
	if e.Credits > 0 {
		c.Units, c.Value, c.Earned = "Units", pesc.Decimal(e.Credits), pesc.Decimal(e.Credits)
	}
	if e.Credits > 0 && !e.Counted {
		c.Earned = "0"
		c.Notes = append(c.Notes, "Its credits stand elsewhere in this record")
	}
	return c
}

func summed(kind string, attempted, earned float64, a *record.Average) pesc.Summary {
	g := &pesc.GPA{Attempted: pesc.Decimal(attempted), Earned: pesc.Decimal(earned), Unit: "Units"}
	if a != nil {
		g.Average, g.Points, g.Counted = a.Value, pesc.Decimal(a.Points), pesc.Decimal(a.Credits)
	}
	return pesc.Summary{Type: kind, GPA: g}
}
