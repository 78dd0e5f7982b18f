package record

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges"
)

// Model is a record as it is shown: the page, the print, the export and the
// verify page all tell these values and no others. It is made of the signed
// document and the frame that was kept with it, so the same record always gives
// the same model.
type Model struct {
	RecordID      ID        // empty for a document that is not on file
	Version       int       // of its series
	AssembledAt   time.Time // zero for a document that is not on file
	CredentialID  string    // the address of the signed record
	Name          string    // of the signed record
	ValidFrom     string    // as signed
	Type          string    // key of the record type
	TypeVersion   int
	Title         string
	Description   string
	Headings      string // term, competency or type
	Learner       Person
	Issuer        Party
	Program       *ProgramName // of a record that is about one
	Sections      []Section
	Programs      []ProgramProgress // what is in progress or open
	Conclusions   []Conclusion      // competencies that were concluded by rules
	Equivalencies []Equivalent      // competency units with what they count as
	Summary       *Summary          // nil: the type has none
	Legend        *Legend           // nil: the type has none, or no policy says it
	Partial       bool
	Omissions     []Omission
	Supersedes    *Other // the version before
}

// Person is the learner as the signed record names them.
type Person struct {
	Name        string
	Subject     string // the id of the subject
	Identifiers []Identifier
}

// Identifier is a number or name of the learner, with its kind.
type Identifier struct{ Type, Value string }

// Party is an issuer.
type Party struct {
	ID, Name, URL, Email, Phone, Image string
	Address                            []string // lines
	Official                           string   // the person who signs for it
}

// ProgramName names a program.
type ProgramName struct {
	ID      program.ID `json:"id"`
	Code    string     `json:"code"`
	Title   string     `json:"title"`
	Version int        `json:"version"`
}

// The kinds of sections.
const (
	TermSection       = "term"
	CompetencySection = "competency"
	TypeSection       = "type"
	OtherIssuers      = "other_issuers" // what the learner brought, whatever the headings
)

// Section is a heading with its lines.
type Section struct {
	Kind    string
	Title   string // empty: lines without a term, or aligned to no competency
	Lines   []Line
	Credits float64  // that were earned under it: as the summary reckons a term, else of the lines that bring credits and are not repeated
	Average *Average // of a term, where the summary has one
}

// The states of a line, and of a requirement.
const (
	Earned     = "earned"
	InProgress = "in_progress"
	NotPassed  = "not_passed" // of a line: a result says so
	Withdrew   = "withdrew"   // of a line: a result says that the learner did
	Open       = "open"       // nothing speaks for it yet
	Blocked    = "blocked"
)

// Line is one credential of the record.
type Line struct {
	CredentialID string // its address
	Title        string
	Code         string
	Type         string // of the achievement, as Open Badges names it
	Term         string
	Credits      *float64
	Grade        string
	Level        string // the rubric level that was reached
	Results      []ResultLine
	Status       string // earned, unless a result says in_progress, not_passed or withdrew
	AwardedOn    string // YYYY-MM-DD
	StartedOn    string
	EndedOn      string
	ValidUntil   string
	Issuer       Party
	Other        bool // issued by somebody else than this record's issuer
	Competencies []Aligned
	Evidence     []EvidenceLine
	Narrative    string
	Role         string
	License      string
	Repeated     bool // it stands under a heading before; do not count it twice
	Replaced     bool // a later or better attempt counts in its place
}

// ResultLine is one result in words.
type ResultLine struct{ Name, Type, Value string }

// Aligned is a competency that a line speaks for.
type Aligned struct{ URI, Code, Name string }

// EvidenceLine is what shows that it was earned.
type EvidenceLine struct{ URL, Name, Text string }

// Other is another version of a record.
type Other struct {
	RecordID ID
	Version  int
	At       time.Time
}

// ProgramProgress is how far the learner was with a program when the record was made.
type ProgramProgress struct {
	Program ProgramName       `json:"program"`
	Status  string            `json:"status"` // earned, in_progress, open or blocked
	Credits float64           `json:"credits"`
	Lines   []RequirementLine `json:"lines"`
}

// RequirementLine is one requirement of a program.
type RequirementLine struct {
	Key    string         `json:"key"`
	Title  string         `json:"title"`
	Kind   string         `json:"kind"`
	Depth  int            `json:"depth"` // 0: the whole program
	Status string         `json:"status"`
	Reason string         `json:"reason"`           // a sentence
	Awards []assertion.ID `json:"awards,omitempty"` // what meets it, or comes nearest
}

// Frame is what a record is shown with beside what was signed. It is kept with
// the record and never changes.
type Frame struct {
	Type          string            `json:"type"`
	TypeVersion   int               `json:"typeVersion"`
	Title         string            `json:"title"`
	Description   string            `json:"description,omitempty"`
	Headings      string            `json:"headings"`
	Order         string            `json:"order"`
	Program       *ProgramName      `json:"program,omitempty"`
	Programs      []ProgramProgress `json:"programs,omitempty"`
	Equivalencies []Equivalent      `json:"equivalencies,omitempty"`
	Summary       *Summary          `json:"summary,omitempty"`
	Legend        *Legend           `json:"legend,omitempty"`
	Held          *LeftOut          `json:"held,omitempty"`   // what it was made without
	Chosen        *LeftOut          `json:"chosen,omitempty"` // likewise
}

// want is what a record was made of.
func (f Frame) want() Want {
	w := Want{Type: f.Type}
	if f.Program != nil {
		w.Program = f.Program.ID
	}
	if f.Held != nil {
		w.Held = *f.Held
	}
	if f.Chosen != nil {
		w.Chosen = *f.Chosen
	}
	return w
}

// frame is the frame of a type with nothing in it.
func (t Type) frame() Frame {
	return Frame{Type: t.Key, TypeVersion: t.Version, Title: t.Content.Title, Description: t.Content.Description, Headings: t.Content.Headings, Order: t.Content.Order}
}

// unframed is the frame of records that have none.
func unframed() Frame { return builtIn[0].frame() }

// SummaryType is the type of the achievement in a record's summary.
const SummaryType = "ext:RecordSummary"

// Read is the model of a signed record in a frame. It takes what the document
// says as it is: verifying it is another's task. Invalid JSON, and what is no
// ClrCredential, is an error; no form that an embedded credential may have is.
func Read(document []byte, f Frame) (Model, error) {
	v, err := jsonld.Read(document)
	if err != nil {
		return Model{}, fmt.Errorf("read record: %w", err)
	}
	embedded := clr.EmbeddedIn(v)
	if len(embedded) == 0 {
		return Model{}, errors.New("read record: it holds no credential")
	}
	subject := v.Member("credentialSubject").One()
	partial, _ := v.Member("partial").Bool()
	m := Model{CredentialID: text(v, "id"), Name: text(v, "name"), ValidFrom: text(v, "validFrom"), Partial: partial, Type: f.Type, TypeVersion: f.TypeVersion, Title: f.Title,
		Description: f.Description, Headings: f.Headings, Program: f.Program, Programs: f.Programs, Equivalencies: f.Equivalencies, Summary: f.Summary, Legend: f.Legend,
		Learner: person(text(subject, "id"), openbadges.Identities(subject)), Issuer: party(v.Member("issuer")), Omissions: []Omission{}}
	names := map[string]Aligned{}
	for _, a := range subject.Member("achievement").Elements() {
		names[text(a, "id")] = Aligned{URI: text(a, "id"), Code: text(a, "humanCode"), Name: text(a, "name")}
	}
	var lines []Line
	for _, e := range embedded {
		e = clr.Opened(e)
		l := lineOf(e, m.Issuer.ID, names)
		if l.Type == SummaryType && !l.Other {
			continue
		}
		if l.Type == ConclusionType && !l.Other {
			if m.Conclusions, err = conclusionsIn(e.Raw()); err != nil {
				return Model{}, err
			}
			continue
		}
		l.Replaced = f.Summary != nil && slices.Contains(f.Summary.Repeated, l.CredentialID)
		lines = append(lines, l)
	}
	for i := range m.Conclusions {
		c := &m.Conclusions[i]
		c.Asserted = slices.ContainsFunc(lines, func(l Line) bool {
			return l.Status == Earned && slices.ContainsFunc(l.Competencies, func(a Aligned) bool { return a.URI == c.URI })
		})
	}
	m.Sections = sections(lines, f)
	return m, nil
}

// sections puts lines under the headings of a frame.
func sections(lines []Line, f Frame) []Section {
	slices.SortStableFunc(lines, before(f.Order))
	var all []Section
	under := func(kind, title string, l Line) {
		i := slices.IndexFunc(all, func(s Section) bool { return s.Kind == kind && s.Title == title })
		if i < 0 {
			i, all = len(all), append(all, Section{Kind: kind, Title: title})
		}
		all[i].Lines = append(all[i].Lines, l)
		all[i].Credits += f.brings(l)
	}
	for _, l := range lines {
		switch {
		case l.Other:
			under(OtherIssuers, "", l)
		case f.Headings == ByTerm:
			under(TermSection, l.Term, l)
		case f.Headings == ByCompetency:
			if len(l.Competencies) == 0 {
				under(CompetencySection, "", l)
			}
			for _, c := range l.Competencies {
				under(CompetencySection, c.Name, l)
				l.Repeated = true
			}
		default:
			under(TypeSection, l.Type, l)
		}
	}
	slices.SortStableFunc(all, func(a, b Section) int { return cmp.Or(rank(a)-rank(b), chronology(a, b, f.Order)) })
	for i := range all {
		if t := f.Summary.ofTerm(all[i]); t != nil {
			all[i].Credits, all[i].Average = t.CreditsEarned, t.Average
		}
	}
	return all
}

// brings are the credits that a line brings where it stands. Those of a degree are
// those of its courses, and a grade that earns none brings none.
func (f Frame) brings(l Line) float64 {
	if l.Credits == nil || l.Other || l.Repeated || l.Replaced || l.Status != Earned || slices.Contains(conferring, l.Type) || !f.Legend.earns(l.Grade) {
		return 0
	}
	return *l.Credits
}

// typesInOrder is how sections by type stand: what was conferred first.
var typesInOrder = []string{"DoctoralDegree", "ProfessionalDoctorate", "ResearchDoctorate", "MasterDegree", "BachelorDegree", "AssociateDegree", "Degree", "Diploma",
	"SecondarySchoolDiploma", "Certificate", "CertificateOfCompletion", "Certification", "License", "LearningProgram", "Course", "ext:CompetencyUnit", "Assessment",
	"Competency", "MicroCredential", "Badge"}

// rank is where a section stands among others; those of the same rank keep the
// order in which their first line came.
func rank(s Section) int {
	switch {
	case s.Kind == OtherIssuers:
		return 1000
	case s.Title == "":
		return 999
	case s.Kind == TypeSection:
		if i := slices.Index(typesInOrder, s.Title); i >= 0 {
			return i
		}
		return len(typesInOrder)
	}
	return 0
}

// chronology is the order of terms: that of the first day in each.
func chronology(a, b Section, order string) int {
	if a.Kind != TermSection || b.Kind != TermSection {
		return 0
	}
	first := func(s Section) string {
		return slices.MinFunc(s.Lines, func(a, b Line) int { return cmp.Compare(a.AwardedOn, b.AwardedOn) }).AwardedOn
	}
	if order == NewestFirst {
		a, b = b, a
	}
	return cmp.Compare(first(a), first(b))
}

// before is the order of lines.
func before(order string) func(a, b Line) int {
	return func(a, b Line) int {
		byDay := cmp.Compare(a.AwardedOn, b.AwardedOn)
		switch order {
		case NewestFirst:
			byDay = -byDay
		case ByTitle:
			byDay = 0
		}
		return cmp.Or(byDay, cmp.Compare(a.Title, b.Title), cmp.Compare(a.Code, b.Code))
	}
}
