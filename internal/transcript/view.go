package transcript

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/typeface"
)

// Sheet is a record with what is printed around it.
type Sheet struct {
	Record     record.Model
	Credential []byte // the signed record, attached to a PDF
	Number     string // of the document; empty: none is printed
	Address    string // of its verify page; empty: none is printed
	Recipient  string // whom it was made for; empty: nobody in particular
	Paper      string // Letter or A4; Letter unless said
	At         time.Time
	To         *Registered // the institution that an export goes to; nil: the student takes it
}

// Registered is an institution by its number in a register.
type Registered struct{ Register, Number, Name string }

// ParseRegistered reads REGISTER:NUMBER, with the name of the institution; nil for
// an empty text.
func ParseRegistered(text, name string) *Registered {
	register, number, _ := strings.Cut(text, ":")
	if text == "" {
		return nil
	}
	return &Registered{register, number, name}
}

// The papers.
const (
	Letter = "letter"
	A4     = "a4"
)

// lang is the language of what is printed around a record.
const lang = "en"

// view is a record in words, in reading order. The page and the print are two
// settings of it, so that they say the same.
type view struct {
	Title       string
	Institution string
	Contact     []string
	Facts       []fact
	Notice      *notice // what the record leaves out
	Tables      []table
	Check       []fact   // what a reader of paper compares with the verify page
	About       []string // paragraphs
	Address     string
	Number      string
	At          time.Time
}

// fact is a value with its name.
type fact struct {
	Key   string
	Name  string
	Value string
}

type notice struct {
	Title string
	Items []string
}

// table is a heading with rows. A table without columns is paragraphs.
type table struct {
	Title   string
	Before  []string // paragraphs
	Columns []column
	Rows    []row
	Total   string // a sentence beneath
	Compact bool   // set small: the legend
}

type column struct {
	Name  string
	Right bool
	Share float64 // of the width; 0: what is left
	Head  bool    // its cells name the row
}

type row struct {
	Cells  []string
	Under  []string // lines beneath the cell that names the row
	Depth  int
	Faint  bool // it does not count
	Strong bool // a sum
}

// newView puts a sheet into words.
func newView(s Sheet) view {
	m := s.Record
	v := view{Title: m.Title, Institution: m.Issuer.Name, Address: s.Address, Number: s.Number, At: s.At}
	v.Contact = append(v.Contact, m.Issuer.Address...)
	for _, c := range []string{m.Issuer.URL, m.Issuer.Email, m.Issuer.Phone} {
		if c != "" {
			v.Contact = append(v.Contact, c)
		}
	}
	v.Facts = facts(s)
	v.Notice = partial(m)
	decimals := places(m)
	for _, sec := range m.Sections {
		v.Tables = append(v.Tables, sectionTable(m, sec, decimals))
	}
	v.Tables = append(v.Tables, programTables(m)...)
	v.Tables = append(v.Tables, tables(equivalencies(m, decimals), summary(m, decimals), legend(m))...)
	v.Check = Printed(m)
	v.About = about(s)
	if len(v.missing()) > 0 {
		v.About = append(v.About, unprintable)
	}
	return v
}

func tables(all ...*table) (out []table) {
	for _, t := range all {
		if t != nil {
			out = append(out, *t)
		}
	}
	return out
}

// facts are what the head of a record says.
func facts(s Sheet) []fact {
	m := s.Record
	name := m.Learner.Name
	if name == "" {
		name = "Holder of " + m.Learner.Subject
	}
	all := []fact{{Name: "Name", Value: name}}
	for _, i := range m.Learner.Identifiers {
		if label, ok := identifiers[i.Type]; ok {
			all = append(all, fact{Name: label, Value: i.Value})
		}
	}
	if p := m.Program; p != nil {
		all = append(all, fact{Name: "Program", Value: coded(p.Code, p.Title)})
	}
	issued := day(m.ValidFrom)
	if m.Version > 0 {
		issued += " (version " + strconv.Itoa(m.Version) + ")"
	}
	all = append(all, fact{Name: "Issued", Value: issued})
	if o := m.Supersedes; o != nil {
		all = append(all, fact{Name: "Replaces", Value: fmt.Sprintf("version %d of %s", o.Version, date(o.At))})
	}
	if s.Recipient != "" {
		all = append(all, fact{Name: "Made for", Value: s.Recipient})
	}
	if s.Number != "" {
		all = append(all, fact{Name: "Document", Value: s.Number})
	}
	return all
}

// identifiers are the numbers of a learner that a record prints, by the kind that
// Open Badges gives them. Addresses and system keys are left to the signed record.
var identifiers = map[string]string{"systemId": "Student number", "sourcedId": "Student number", "nationalIdentityNumber": "Identity number", "ext:studentId": "Student number", "identifier": "Number"}

func partial(m record.Model) *notice {
	if !m.Partial {
		return nil
	}
	n := &notice{Title: "This record is partial: the institution holds more of this learner than it tells."}
	for _, o := range m.Omissions {
		item := o.Reason
		if o.Count == 1 {
			item += " One item."
		} else if o.Count > 1 {
			item += " " + strconv.Itoa(o.Count) + " items."
		}
		n.Items = append(n.Items, item)
	}
	return n
}

// places is with how many decimals credits are printed: all alike.
func places(m record.Model) int {
	n := 1
	for _, s := range m.Sections {
		for _, l := range s.Lines {
			if l.Credits != nil {
				text := strconv.FormatFloat(*l.Credits, 'f', -1, 64)
				if i := strings.IndexByte(text, '.'); i >= 0 {
					n = max(n, min(len(text)-i-1, 3))
				}
			}
		}
	}
	return n
}

func number(v float64, decimals int) string { return strconv.FormatFloat(v, 'f', decimals, 64) }

// untitled are the headings of sections without a title of their own.
var untitled = map[string]string{record.TermSection: "Without a term", record.CompetencySection: "Aligned to no competency", record.TypeSection: "Achievements",
	record.OtherIssuers: "Issued by others and brought by the learner"}

// filled reports whether any line of the sections of a kind, which have the same
// columns, says something in one.
func filled(m *record.Model, kind string, says func(record.Line) string) bool {
	for i := range m.Sections {
		o := &m.Sections[i]
		if o.Kind == kind && slices.ContainsFunc(o.Lines, func(l record.Line) bool { return says(l) != "" }) {
			return true
		}
	}
	return false
}

// sectionTable is a heading with its lines. A column that no line of such
// sections fills is not there.
func sectionTable(m record.Model, s record.Section, decimals int) table {
	t := table{Title: s.Title}
	switch {
	case s.Kind == record.OtherIssuers || s.Title == "":
		t.Title = untitled[s.Kind]
	case s.Kind == record.TypeSection:
		t.Title = plural(words(s.Title))
	}
	if s.Kind == record.OtherIssuers {
		t.Before = []string{"Those named here issued and signed these. " + m.Issuer.Name + " did not: it checked the signature of each when the learner brought it, and grants no credit by it here."}
	}
	type made struct {
		column
		of func(record.Line) string
	}
	all := []made{{column{Name: "Code", Share: 0.13}, func(l record.Line) string { return l.Code }},
		{column{Name: "Title", Head: true}, func(l record.Line) string { return l.Title }},
		{column{Name: "Kind", Share: 0.15}, func(l record.Line) string {
			if s.Kind == record.TypeSection || l.Type == "Course" && s.Kind == record.TermSection {
				return ""
			}
			return words(l.Type)
		}},
		{column{Name: "Level", Share: 0.14}, func(l record.Line) string { return l.Level }},
		{column{Name: "Credits", Share: 0.09, Right: true}, func(l record.Line) string {
			if l.Credits == nil {
				return ""
			}
			return number(*l.Credits, decimals)
		}},
		{column{Name: "Grade", Share: 0.12}, func(l record.Line) string {
			if l.Grade == "" && l.Status != record.Earned {
				return states[l.Status]
			}
			return l.Grade
		}},
		{column{Name: "Awarded", Share: 0.13}, func(l record.Line) string { return l.AwardedOn }}}
	shown := slices.DeleteFunc(all, func(c made) bool {
		return !c.Head && !filled(&m, s.Kind, c.of)
	})
	for _, c := range shown {
		t.Columns = append(t.Columns, c.column)
	}
	for _, l := range s.Lines {
		r := row{Under: under(m, s, l), Faint: l.Replaced}
		for _, c := range shown {
			r.Cells = append(r.Cells, c.of(l))
		}
		t.Rows = append(t.Rows, r)
	}
	t.Total = total(s, decimals)
	return t
}

func total(s record.Section, decimals int) string {
	var all []string
	if s.Credits > 0 {
		all = append(all, "Credits earned "+number(s.Credits, decimals))
	}
	if s.Average != nil {
		all = append(all, "grade point average "+s.Average.Value)
	}
	return upper(strings.Join(all, ", "))
}

// under is what a line says beneath its title.
func under(m record.Model, s record.Section, l record.Line) []string {
	var all []string
	add := func(format string, values ...any) { all = append(all, fmt.Sprintf(format, values...)) }
	if l.Other {
		add("Issued by %s", cmp.Or(l.Issuer.Name, l.Issuer.ID))
	}
	if l.Status != record.Earned && l.Grade != "" {
		add("%s", upper(states[l.Status]))
	}
	if l.Replaced {
		add("Repeated: another attempt counts in its place")
	}
	if l.Repeated {
		add("Listed above as well; counted once")
	}
	if s.Kind != record.TermSection && l.Term != "" {
		add("%s", l.Term)
	}
	if l.Role != "" {
		add("Role: %s", l.Role)
	}
	if l.License != "" {
		add("Licence %s", l.License)
	}
	for _, r := range l.Results {
		if r.Value != "" && r.Value != l.Grade && r.Value != l.Level && r.Name != "" {
			add("%s: %s", r.Name, r.Value)
		}
	}
	if s.Kind != record.CompetencySection && len(l.Competencies) > 0 {
		add("Competencies: %s", strings.Join(competencies(l), "; "))
	}
	if l.ValidUntil != "" {
		add("Valid until %s", l.ValidUntil)
	}
	for _, e := range l.Evidence {
		if said := evidence(e); said != "" {
			add("Evidence: %s", said)
		}
	}
	return all
}

func competencies(l record.Line) []string {
	all := make([]string, len(l.Competencies))
	for i, c := range l.Competencies {
		all[i] = coded(c.Code, c.Name)
	}
	return all
}

func evidence(e record.EvidenceLine) string {
	var all []string
	for _, p := range []string{e.Name, e.URL} {
		if p != "" && !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return strings.Join(all, ", ")
}

// states are the states of lines and of requirements in words.
var states = map[string]string{record.Earned: "earned", record.InProgress: "in progress", record.NotPassed: "not passed", record.Withdrew: "withdrew", record.Open: "not earned", record.Blocked: "not yet open"}

// programTables is how far the learner was with each program.
func programTables(m record.Model) []table {
	var all []table
	for _, p := range m.Programs {
		t := table{Title: "Program: " + coded(p.Program.Code, p.Program.Title), Columns: []column{{Name: "Requirement", Share: 0.46, Head: true}, {Name: "State", Share: 0.14}, {Name: "Why"}}}
		for _, l := range p.Lines {
			t.Rows = append(t.Rows, row{Cells: []string{l.Title, states[l.Status], l.Reason}, Depth: l.Depth})
		}
		t.Total = fmt.Sprintf("Version %d of the program; as of the day of this record: %s.", p.Program.Version, states[p.Status])
		all = append(all, t)
	}
	return all
}

// equivalencies is what was shown with what it counts as.
func equivalencies(m record.Model, decimals int) *table {
	if len(m.Equivalencies) == 0 {
		return nil
	}
	t := &table{Title: "What counts as what", Before: []string{"These were shown by other means than the course, and count as it does by a rule of the institution."},
		Columns: []column{{Name: "Shown", Head: true}, {Name: "Counts as", Share: 0.3}, {Name: "Credits", Share: 0.09, Right: true}, {Name: "Grade", Share: 0.09}, {Name: "Since", Share: 0.13}}}
	for _, e := range m.Equivalencies {
		r := row{Cells: []string{coded(e.Code, e.Given), coded(e.AsCode, e.As), "", e.Grade, e.On}}
		if e.Credits > 0 {
			r.Cells[2] = number(e.Credits, decimals)
		}
		if e.Level != "" {
			r.Under = append(r.Under, "At level "+e.Level)
		}
		if e.ClockHours > 0 {
			r.Under = append(r.Under, strconv.FormatFloat(e.ClockHours, 'f', -1, 64)+" clock hours")
		}
		r.Under = append(r.Under, fmt.Sprintf("Rule %s (%s), in force from %s, approved by %s: %s", e.Rule, strings.ReplaceAll(e.Ground, "_", " "), e.InForce, e.ApprovedBy, e.Reason))
		if e.Credits > 0 && !e.Counted {
			r.Under = append(r.Under, "Its credits stand elsewhere in this record and are counted once")
		}
		t.Rows = append(t.Rows, r)
	}
	return t
}

// summary is what the record adds up to.
func summary(m record.Model, decimals int) *table {
	s := m.Summary
	if s == nil {
		return nil
	}
	t := &table{Title: "Summary", Columns: []column{{Name: "Period", Head: true}, {Name: "Credits attempted", Share: 0.2, Right: true}, {Name: "Credits earned", Share: 0.2, Right: true}}}
	averages := s.Average != nil || slices.ContainsFunc(s.Terms, func(x record.TermSummary) bool { return x.Average != nil })
	if averages {
		t.Columns = append(t.Columns, column{Name: "Grade point average", Share: 0.22, Right: true})
	}
	add := func(name string, attempted, earned float64, a *record.Average) {
		r := row{Cells: []string{name, number(attempted, decimals), number(earned, decimals)}}
		if averages && a != nil {
			r.Cells = append(r.Cells, a.Value)
		} else if averages {
			r.Cells = append(r.Cells, "")
		}
		t.Rows = append(t.Rows, r)
	}
	for _, x := range s.Terms {
		name := x.Term
		if name == "" {
			name = "Without a term"
		}
		add(name, x.CreditsAttempted, x.CreditsEarned, x.Average)
	}
	add("All", s.CreditsAttempted, s.CreditsEarned, s.Average)
	t.Rows[len(t.Rows)-1].Strong = true
	if s.ByEquivalency > 0 {
		t.Total = number(s.ByEquivalency, decimals) + " of the credits earned count by equivalency."
	}
	return t
}

// legend is what the grades mean.
func legend(m record.Model) *table {
	l := m.Legend
	if l == nil {
		return nil
	}
	t := &table{Title: "Grades", Compact: true, Columns: []column{{Name: "Grade", Share: 0.1, Head: true}, {Name: "Points", Share: 0.1, Right: true}, {Name: "Earns credit", Share: 0.14}, {Name: "In the average", Share: 0.16}, {Name: "Meaning"}}}
	yes := map[bool]string{true: "yes", false: "no"}
	for _, g := range l.Grades {
		t.Rows = append(t.Rows, row{Cells: []string{g.Mark, g.Points, yes[g.Earns], yes[g.Counts], g.Meaning}})
	}
	t.Total = strings.TrimSpace(fmt.Sprintf("%s, version %d. %s", l.Name, l.Version, l.Policy))
	return t
}

// about is how a reader finds out whether to believe the document.
func about(s Sheet) []string {
	m := s.Record
	signer := m.Issuer.Name
	if m.Issuer.Official != "" {
		signer = m.Issuer.Official + ", " + m.Issuer.Name
	}
	all := []string{fmt.Sprintf("Issued by %s. The signed record that this document shows is %s.", signer, m.CredentialID)}
	if s.Address != "" {
		all = append(all, "To learn whether this document is still current, scan the code on its first page or open the address below. That page compares what is printed under “To compare” with the record and tells nothing else. It stays when a share ends.")
	}
	return all
}

// unprintable is said where the fonts lack a character.
const unprintable = "Some characters of this record cannot be printed and stand as their code points in brackets; the signed record has them as they are."

// Printed is what a reader of paper compares: few facts that nobody can change on
// the sheet without contradicting the record. The keys are those of the check.
func Printed(m record.Model) []fact {
	all := []fact{{"name", "Name", m.Learner.Name}, {"issued", "Issued", day(m.ValidFrom)}, {"entries", "Entries", strconv.Itoa(entries(m))}}
	if s := m.Summary; s != nil {
		all = append(all, fact{"credits", "Credits earned", number(s.CreditsEarned, places(m))})
		if s.Average != nil {
			all = append(all, fact{"average", "Grade point average", s.Average.Value})
		}
	}
	return slices.DeleteFunc(all, func(f fact) bool { return f.Value == "" })
}

// entries is how many credentials a record tells of, each counted once.
func entries(m record.Model) int {
	n := 0
	for _, s := range m.Sections {
		for _, l := range s.Lines {
			if !l.Repeated {
				n++
			}
		}
	}
	return n
}

// missing are the characters of a view that cannot be printed.
func (v view) missing() []rune {
	var b strings.Builder
	for _, f := range v.Facts {
		b.WriteString(f.Value)
	}
	for _, t := range v.Tables {
		b.WriteString(t.Title)
		for _, r := range t.Rows {
			b.WriteString(strings.Join(r.Cells, ""))
			b.WriteString(strings.Join(r.Under, ""))
		}
	}
	return typeface.Missing(b.String())
}

// day is a day as it is printed, of an instant as credentials write it.
func day(instant string) string {
	if t, err := time.Parse(time.RFC3339, instant); err == nil {
		return date(t)
	}
	return instant
}

func date(t time.Time) string { return t.UTC().Format("2 January 2006") }

func coded(code, name string) string { return strings.TrimSpace(code + " " + name) }

// words is a type of achievement in words: CertificateOfCompletion becomes
// Certificate of completion.
func words(kind string) string {
	kind = strings.TrimPrefix(kind, "ext:")
	var b strings.Builder
	for i, r := range kind {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte(' ')
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return upper(b.String())
}

func plural(s string) string {
	switch {
	case strings.HasSuffix(s, "y"):
		return s[:len(s)-1] + "ies"
	case s == "" || strings.HasSuffix(s, "s"):
		return s
	}
	return s + "s"
}

func upper(s string) string {
	for i, r := range s {
		return s[:i] + string(unicode.ToUpper(r)) + s[i+len(string(r)):]
	}
	return s
}
