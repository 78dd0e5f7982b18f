// Package pesc is the PESC College Transcript, version 1.6.0, as XML: its elements
// in the order of its schemas (CollegeTranscript 1.6.0, AcademicRecord 1.9.0,
// CoreMain 1.16.0), with the lengths that those allow. Only the root is in the
// namespace. A text that is longer than its element allows is cut, never split.
package pesc

import (
	"bytes"
	"encoding/xml"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Namespace is that of the root element.
const Namespace = "urn:org:pesc:message:CollegeTranscript:v1.6.0"

// Transcript is a college transcript.
type Transcript struct {
	XMLName      xml.Name     `xml:"ColTrn:CollegeTranscript"`
	Namespace    string       `xml:"xmlns:ColTrn,attr"`
	Transmission Transmission `xml:"TransmissionData"`
	Student      Student      `xml:"Student"`
	Notes        []Note       `xml:"NoteMessage,omitempty"`
}

// Note is a message of at most 80 characters.
type Note string

// Transmission says what is sent, by whom, to whom.
type Transmission struct {
	DocumentID   string       `xml:"DocumentID"`
	Created      string       `xml:"CreatedDateTime"` // an instant
	Document     string       `xml:"DocumentTypeCode"`
	Type         string       `xml:"TransmissionType"`
	Source       Organization `xml:"Source>Organization"`
	Destination  Organization `xml:"Destination>Organization"`
	OfficialCode string       `xml:"DocumentOfficialCode,omitempty"`
	Notes        []Note       `xml:"NoteMessage,omitempty"`
}

// Organization is an institution that sends or takes. The schema asks for one of
// its registered numbers; an institution that has none cannot be told validly.
type Organization struct {
	ID       *Number   // of a register
	Name     string    `xml:"OrganizationName"`
	Contacts *Contacts `xml:"Contacts,omitempty"`
}

// Number is a registered number, whose element is named as its register.
type Number struct {
	XMLName xml.Name
	Value   string `xml:",chardata"`
}

// registers are those whose numbers an organization can have, with how many
// characters one has, CoreMain 1.16.0 OrganizationIDGroup.
var registers = map[string][2]int{"OPEID": {3, 8}, "NCHELPID": {3, 8}, "IPEDS": {6, 6}, "ATP": {6, 6}, "FICE": {6, 6}, "ACT": {4, 4}, "CCD": {12, 12}, "CEEBACT": {6, 6},
	"CSIS": {6, 6}, "USIS": {6, 6}, "ESIS": {8, 8}, "APAS": {9, 9}}

// Registers are the names of the registers, in order.
func Registers() []string { return slices.Sorted(maps.Keys(registers)) }

// NumberOf is a number in a register; nil where there is no such register or no
// such number can be in it. The register may be written as Open Badges writes it,
// with ext: before it.
func NumberOf(register, value string) *Number {
	register, value = strings.ToUpper(strings.TrimPrefix(register, "ext:")), strings.TrimSpace(value)
	size, ok := registers[register]
	if n := len(value); !ok || n < size[0] || n > size[1] || strings.Trim(value, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return nil
	}
	return &Number{XMLName: xml.Name{Local: register}, Value: value}
}

// Contacts is how an institution is reached.
type Contacts struct {
	Email *Email `xml:"Email,omitempty"`
	URL   *URL   `xml:"URL,omitempty"`
}

// Email is an address of mail.
type Email struct {
	Address string `xml:"EmailAddress"`
}

// URL is an address of the web.
type URL struct {
	Address string `xml:"URLAddress"`
}

// Student is the person and the record.
type Student struct {
	Person Person `xml:"Person"`
	Record Record `xml:"AcademicRecord"`
}

// Person is the student.
type Person struct {
	AssignedID string `xml:"SchoolAssignedPersonID,omitempty"`
	Name       Name   `xml:"Name"`
}

// Name is a name. One that is not known in parts is a composite one.
type Name struct {
	First     string `xml:"FirstName,omitempty"`
	Last      string `xml:"LastName,omitempty"`
	Composite string `xml:"CompositeName,omitempty"`
}

// Record is what the student did.
type Record struct {
	School    *School   `xml:"School,omitempty"`
	Awards    []Award   `xml:"AcademicAward,omitempty"`
	Summaries []Summary `xml:"AcademicSummary,omitempty"`
	Sessions  []Session `xml:"AcademicSession,omitempty"`
	Courses   []Course  `xml:"Course,omitempty"`
	Notes     []Note    `xml:"NoteMessage,omitempty"`
}

// School is an institution by name.
type School struct {
	Name string `xml:"OrganizationName"`
}

// Award is a degree or certificate.
type Award struct {
	Date      string `xml:"AcademicAwardDate,omitempty"`
	Title     string `xml:"AcademicAwardTitle,omitempty"`
	Completed string `xml:"AcademicCompletionIndicator,omitempty"`
	On        string `xml:"AcademicCompletionDate,omitempty"`
	Notes     []Note `xml:"NoteMessage,omitempty"`
}

// Summary is what a session or the record adds up to.
type Summary struct {
	Type string `xml:"AcademicSummaryType,omitempty"`
	GPA  *GPA   `xml:"GPA,omitempty"`
}

// GPA are the sums.
type GPA struct {
	Attempted string `xml:"CreditHoursAttempted,omitempty"`
	Earned    string `xml:"CreditHoursEarned,omitempty"`
	Unit      string `xml:"CreditUnit,omitempty"`
	Average   string `xml:"GradePointAverage,omitempty"`
	Points    string `xml:"TotalQualityPoints,omitempty"`
	Counted   string `xml:"CreditHoursforGPA,omitempty"`
}

// Session is a term.
type Session struct {
	Detail    SessionDetail `xml:"AcademicSessionDetail"`
	Awards    []Award       `xml:"AcademicAward,omitempty"`
	Courses   []Course      `xml:"Course,omitempty"`
	Summaries []Summary     `xml:"AcademicSummary,omitempty"`
}

// SessionDetail names a term.
type SessionDetail struct {
	Designator string `xml:"SessionDesignator"` // year and month in which it began: YYYY-MM
	Name       string `xml:"SessionName,omitempty"`
}

// Course is a course, or another unit that was learnt.
type Course struct {
	Basis         string        `xml:"CourseCreditBasis"`
	Units         string        `xml:"CourseCreditUnits,omitempty"`
	Value         string        `xml:"CourseCreditValue,omitempty"`
	Earned        string        `xml:"CourseCreditEarned,omitempty"`
	Grade         string        `xml:"CourseAcademicGrade,omitempty"`
	Status        string        `xml:"CourseAcademicGradeStatusCode,omitempty"`
	Narrative     string        `xml:"CourseNarrativeExplanationGrade,omitempty"`
	Repeat        string        `xml:"CourseRepeatCode,omitempty"`
	Number        string        `xml:"CourseNumber,omitempty"`
	OriginalID    string        `xml:"OriginalCourseID,omitempty"`
	Title         string        `xml:"CourseTitle,omitempty"`
	Begin         string        `xml:"CourseBeginDate,omitempty"`
	End           string        `xml:"CourseEndDate,omitempty"`
	Proficiencies []Proficiency `xml:"Proficiency,omitempty"`
	Notes         []Note        `xml:"NoteMessage,omitempty"`
}

// Proficiency is a competency that a course speaks for.
type Proficiency struct {
	Code string `xml:"RAPCode,omitempty"`
	Name string `xml:"RAPName,omitempty"`
	On   string `xml:"ConditionsMetDate,omitempty"`
}

// Encode is the transcript as a file.
func (t Transcript) Encode() ([]byte, error) {
	t.Namespace = Namespace
	b := bytes.NewBufferString(xml.Header)
	e := xml.NewEncoder(b)
	e.Indent("", "  ")
	if err := e.Encode(t); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// Text is a text of at most limit characters, in one line, without what XML 1.0
// does not allow.
func Text(s string, limit int) string {
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))), " ")
	if r := []rune(s); len(r) > limit {
		return string(r[:limit-1]) + "…"
	}
	return s
}

// Decimal is a number of credits or points.
func Decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
