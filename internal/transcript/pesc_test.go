package transcript

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/record"
)

// element is an XML element that was read.
type element struct {
	name string
	text string
	in   []*element
}

func tree(t *testing.T, raw []byte) *element {
	t.Helper()
	root := &element{}
	open := []*element{root}
	for dec := xml.NewDecoder(strings.NewReader(string(raw))); ; {
		token, err := dec.Token()
		if token == nil {
			if len(root.in) != 1 {
				t.Fatalf("%d roots, %v", len(root.in), err)
			}
			return root.in[0]
		}
		last := open[len(open)-1]
		switch x := token.(type) {
		case xml.StartElement:
			e := &element{name: x.Name.Local}
			last.in, open = append(last.in, e), append(open, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			last.text += string(x)
		}
	}
}

// part is an element that may stand in another: how often, and of what form.
type part struct {
	name        string
	least, most int
	form        string // the name of a form below; empty: nothing more is known of it
}

const many = 1 << 20

// grammar is what of CollegeTranscript 1.6.0, AcademicRecord 1.9.0 and CoreMain
// 1.16.0 an export can have: for each form its parts, in their order.
var grammar = map[string][]part{
	"CollegeTranscript": {{"TransmissionData", 1, 1, "Transmission"}, {"Student", 1, 1, "Student"}, {"NoteMessage", 0, many, "note"}},
	"Transmission": {{"DocumentID", 1, 1, "35"}, {"CreatedDateTime", 1, 1, "instant"}, {"DocumentTypeCode", 1, 1, "document"}, {"TransmissionType", 1, 1, "transmission"}, {"Source", 1, 1, "Party"},
		{"Destination", 1, 1, "Party"}, {"DocumentProcessCode", 0, 1, ""}, {"DocumentOfficialCode", 0, 1, "official"}, {"DocumentCompleteCode", 0, 1, ""}, {"RequestTrackingID", 0, 1, ""}, {"NoteMessage", 0, many, "note"}},
	"Party":        {{"Organization", 1, 1, "Organization"}, {"NoteMessage", 0, many, "note"}},
	"Organization": {{"|registers", 1, 1, ""}, {"LocalOrganizationID", 0, 1, ""}, {"OrganizationName", 0, many, "60"}, {"Contacts", 0, many, "Contacts"}, {"NoteMessage", 0, many, "note"}},
	"Contacts":     {{"Address", 0, many, ""}, {"Phone", 0, many, ""}, {"FaxPhone", 0, many, ""}, {"Email", 0, many, "Email"}, {"URL", 0, many, "URL"}, {"NoteMessage", 0, many, "note"}},
	"Email":        {{"EmailAddress", 1, 1, "some"}},
	"URL":          {{"URLAddress", 1, 1, "some"}},
	"Student":      {{"Person", 1, 1, "Person"}, {"AcademicRecord", 1, many, "Record"}, {"Health", 0, 1, ""}, {"Tests", 0, many, ""}, {"NoteMessage", 0, many, "note"}},
	"Person":       {{"SchoolAssignedPersonID", 0, 1, "20"}, {"AgencyIdentifier", 0, many, ""}, {"Birth", 0, 1, ""}, {"Name", 1, 1, "Name"}, {"AlternateName", 0, many, "Name"}},
	"Name":         {{"NamePrefix", 0, 1, ""}, {"FirstName", 0, 1, "35"}, {"MiddleName", 0, 10, ""}, {"LastName", 0, 1, "35"}, {"NameSuffix", 0, 1, ""}, {"NameTitle", 0, 1, ""}, {"CompositeName", 0, 1, "80"}, {"NoteMessage", 0, many, "note"}},
	"Record": {{"School", 0, 1, "School"}, {"StudentLevel", 0, 1, ""}, {"AcademicAward", 0, many, "Award"}, {"AcademicSummary", 0, many, "Summary"}, {"AcademicSession", 0, many, "Session"}, {"Course", 0, many, "Course"},
		{"AdditionalStudentAchievements", 0, many, ""}, {"NoteMessage", 0, many, "note"}},
	"School": {{"OrganizationName", 1, 1, "60"}, {"|registers", 0, 1, ""}},
	"Award": {{"AcademicAwardLevel", 0, 1, ""}, {"AcademicAwardDate", 0, 1, "day"}, {"AcademicAwardTitle", 0, 1, "400"}, {"AcademicHonors", 0, many, ""}, {"AcademicCompletionIndicator", 0, 1, "yes"},
		{"AcademicCompletionDate", 0, 1, "day"}, {"NoteMessage", 0, many, "note"}},
	"Summary": {{"AcademicSummaryType", 0, 1, "summary"}, {"AcademicSummaryLevel", 0, 1, ""}, {"GPA", 0, 1, "GPA"}, {"NoteMessage", 0, many, "note"}},
	"GPA": {{"CreditHoursAttempted", 0, 1, "number"}, {"CreditHoursEarned", 0, 1, "number"}, {"CreditUnit", 0, 1, "units"}, {"GradePointAverage", 0, 1, "number"}, {"TotalQualityPoints", 0, 1, "number"},
		{"CreditHoursforGPA", 0, 1, "number"}},
	"Session": {{"AcademicSessionDetail", 1, 1, "Detail"}, {"School", 0, 1, "School"}, {"StudentLevel", 0, 1, ""}, {"AcademicProgram", 0, many, ""}, {"AcademicAward", 0, many, "Award"}, {"Course", 0, many, "Course"},
		{"AcademicSummary", 0, many, "Summary"}, {"NoteMessage", 0, many, "note"}},
	"Detail": {{"SessionDesignator", 1, 1, "month"}, {"SessionName", 0, 1, "60"}},
	"Course": {{"CourseCreditBasis", 1, 1, "basis"}, {"CourseCreditUnits", 0, 1, "units"}, {"CourseCreditLevel", 0, 1, ""}, {"CourseCreditValue", 0, 1, "number"}, {"CourseCreditEarned", 0, 1, "number"},
		{"CourseAcademicGradeScaleCode", 0, 1, ""}, {"CourseAcademicGrade", 0, 1, "10"}, {"CourseAcademicGradeStatusCode", 0, 1, "status"}, {"CourseNarrativeExplanationGrade", 0, 1, "200"},
		{"CourseRepeatCode", 0, 1, "repeat"}, {"CourseNumber", 0, 1, "30"}, {"OriginalCourseID", 0, 1, "30"}, {"CourseTitle", 0, 1, "60"}, {"CourseBeginDate", 0, 1, "day"}, {"CourseEndDate", 0, 1, "day"},
		{"Proficiency", 0, many, "Proficiency"}, {"NoteMessage", 0, many, "note"}},
	"Proficiency": {{"RAPCode", 0, 1, "30"}, {"RAPName", 0, 1, "60"}, {"ConditionsMetCode", 0, 1, ""}, {"ConditionsMetDate", 0, 1, "day"}},
}

// forms are what text has to look like.
var forms = map[string]*regexp.Regexp{
	"some": regexp.MustCompile(`^\S.*$`), "note": regexp.MustCompile(`^.{1,80}$`), "number": regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`), "yes": regexp.MustCompile(`^(true|false)$`),
	"day": regexp.MustCompile(`^\d{4}-\d\d-\d\d$`), "month": regexp.MustCompile(`^\d{4}-\d\d$`), "instant": regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`),
	"document": regexp.MustCompile(`^(StudentRequest|InstitutionRequest)$`), "transmission": regexp.MustCompile(`^(Original|Replace)$`), "official": regexp.MustCompile(`^(Official|Unofficial)$`),
	"summary": regexp.MustCompile(`^(All|SenderOnly)$`), "units": regexp.MustCompile(`^(NoCredit|Quarter|Semester|Units|ClockHours)$`), "basis": regexp.MustCompile(`^(Regular|Equivalence)$`),
	"status": regexp.MustCompile(`^(InProgress|Completed)$`), "repeat": regexp.MustCompile(`^ReplacedNotCounted$`),
}

// sizes are the registers of organizations with the sizes of their numbers.
var sizes = map[string]string{"OPEID": "3,8", "NCHELPID": "3,8", "IPEDS": "6", "ATP": "6", "FICE": "6", "ACT": "4", "CCD": "12", "CEEBACT": "6", "CSIS": "6", "USIS": "6", "ESIS": "8", "APAS": "9"}

// problems are where an element does not keep to its form.
func problems(e *element, form, at string) (all []string) {
	at += "/" + e.name
	no := func(format string, args ...any) { all = append(all, at+": "+fmt.Sprintf(format, args...)) }
	parts, complex := grammar[form]
	text := strings.TrimSpace(e.text)
	switch {
	case form == "":
		return nil
	case !complex && len(e.in) > 0:
		no("it holds elements")
	case !complex && forms[form] != nil && !forms[form].MatchString(e.text):
		no("%q is not of the form %s", e.text, form)
	case !complex && forms[form] == nil && !regexp.MustCompile(`^(?s).{1,`+form+`}$`).MatchString(e.text):
		no("%q is empty or has more than %s characters", e.text, form)
	case complex && text != "":
		no("it holds text")
	}
	rest := e.in
	for _, p := range parts {
		n := 0
		for len(rest) > 0 && (rest[0].name == p.name || p.name == "|registers" && sizes[rest[0].name] != "") {
			if size := sizes[rest[0].name]; p.name == "|registers" && !regexp.MustCompile(`^[0-9A-Z]{`+size+`}$`).MatchString(rest[0].text) {
				no("%s %q is no number of that register", rest[0].name, rest[0].text)
			}
			all = append(all, problems(rest[0], p.form, at)...)
			rest, n = rest[1:], n+1
		}
		if n < p.least || n > p.most {
			no("%d of %s", n, p.name)
		}
	}
	if complex && len(rest) > 0 {
		no("%s stands where it may not", rest[0].name)
	}
	return all
}

// registeredSheet is the sample of an institution that is in a register.
func registeredSheet() Sheet {
	s := sheet()
	s.Credential = []byte(`{"id":"x","issuer":{"id":"did:web:x","otherIdentifier":[{"type":"IdentifierEntry","identifier":"LEI","identifierType":"identifier"},{"type":"IdentifierEntry","identifier":"00388700","identifierType":"ext:OPEID"}]}}`)
	return s
}

func TestAnExportKeepsToTheSchemaOfPESC(t *testing.T) {
	t.Parallel()
	long := registeredSheet()
	long.Record.Learner.Name = strings.Repeat("Nöël ", 60)
	long.Record.Issuer.Name = strings.Repeat("University ", 20)
	for i := range long.Record.Sections {
		for j := range long.Record.Sections[i].Lines {
			l := &long.Record.Sections[i].Lines[j]
			l.Title, l.Code, l.Grade, l.Term = strings.Repeat(l.Title+"\n", 20), strings.Repeat("X", 40), strings.Repeat("satisfactory ", 30), "T"
			l.Competencies = append(l.Competencies, record.Aligned{Code: strings.Repeat("c", 99), Name: strings.Repeat("n", 999)})
		}
	}
	undated := registeredSheet()
	for i := range undated.Record.Sections {
		for j := range undated.Record.Sections[i].Lines {
			undated.Record.Sections[i].Lines[j].AwardedOn = ""
		}
	}
	addressed := registeredSheet()
	addressed.To = ParseRegistered("ipeds:240444", "University of Wisconsin")
	for name, s := range map[string]Sheet{"the sample": registeredSheet(), "long texts": long, "no dates": undated, "for an institution": addressed} {
		raw, err := XML(s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		root := tree(t, raw)
		for _, p := range problems(root, "CollegeTranscript", "") {
			t.Errorf("%s: %s", name, p)
		}
	}
	raw, err := XML(addressed)
	if err != nil || !strings.Contains(string(raw), "<IPEDS>240444</IPEDS>") || !strings.Contains(string(raw), "InstitutionRequest") {
		t.Errorf("%v", err)
	}
}

// The grammar is no use if it lets everything through.
func TestTheGrammarRefuses(t *testing.T) {
	t.Parallel()
	raw, err := XML(registeredSheet())
	if err != nil {
		t.Fatal(err)
	}
	good := string(raw)
	for name, bad := range map[string]string{
		"no destination number":   strings.Replace(good, "<OPEID>00388700</OPEID>", "", 2),
		"a number too long":       strings.ReplaceAll(good, "00388700", "003887001"),
		"a designator without":    regexp.MustCompile(`<SessionDesignator>[^<]*<`).ReplaceAllString(good, "<SessionDesignator><"),
		"parts out of order":      strings.Replace(good, "<TransmissionType>", "<DocumentID>x</DocumentID><TransmissionType>", 1),
		"an element of its own":   strings.Replace(good, "<Student>", "<Testamur/><Student>", 1),
		"a basis that is not":     strings.Replace(good, ">Regular<", ">Ordinary<", 1),
		"a note that is too long": strings.Replace(good, "<NoteMessage>", "<NoteMessage>"+strings.Repeat("x", 80), 1),
	} {
		if bad == good || len(problems(tree(t, []byte(bad)), "CollegeTranscript", "")) == 0 {
			t.Errorf("%s is let through", name)
		}
	}
}

func TestNoExportWithoutANumber(t *testing.T) {
	t.Parallel()
	if _, err := XML(sheet()); fault.KindOf(err) != fault.State {
		t.Error(err)
	}
	for _, to := range []string{"OPEID", "OPEID:", "OPEID:1234567890", "ROR:01y2jtd41", "ACT:4567<"} {
		s := registeredSheet()
		s.To = ParseRegistered(to, "")
		if _, err := XML(s); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", to, err)
		}
	}
}
