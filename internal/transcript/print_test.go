package transcript

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/interop"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/spec/vc"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// signature is that of an institution made for the test.
func signature(t testing.TB) *Signature {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	method, _ := url.Parse("did:web:records.example:lakeview#key_1")
	c := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "Lakeview College"}, NotBefore: noon.Add(-time.Hour), NotAfter: noon.AddDate(10, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment, URIs: []*url.URL{method}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	return &Signature{Certificates: [][]byte{der}, Sign: func(m []byte) ([]byte, error) { return vc.Sign(k, m) }}
}

func pointer[T any](v T) *T { return &v }

// sample is a record with something of everything.
func sample() record.Model {
	home := record.Party{ID: "did:web:records.example:lakeview", Name: "Lakeview College of Arts & Sciences", URL: "https://lakeview.example", Email: "registrar@lakeview.example",
		Address: []string{"1 Shore Road", "Madison WI 53703", "US"}, Official: "Dr. Maria Okafor, University Registrar"}
	m := record.Model{RecordID: "rec_1", Version: 3, CredentialID: "https://records.example/lakeview/credentials/crd_01", ValidFrom: "2026-11-24T09:00:00Z", Type: "full",
		Title: "Comprehensive Learner Record", Headings: record.ByTerm, Partial: true, Issuer: home,
		Learner:    record.Person{Name: "Željka Ødegård-Nguyễn (Ζωή, Зоя, زوي عبد الرحمن, זואי, 山田花子, ज़ोया क्षत्रिय)", Subject: "urn:x", Identifiers: []record.Identifier{{Type: "sourcedId", Value: "S-2041877"}}},
		Omissions:  []record.Omission{{Reason: "By the policy of this record type, co-curricular achievements are left out.", Count: 4}, {Reason: "The learner chose to leave out one item.", Count: 1}},
		Supersedes: &record.Other{Version: 2, At: noon.AddDate(0, -3, 0)}}
	for _, term := range []string{"Fall 2024", "Spring 2025", "Fall 2025", "Spring 2026"} {
		s := record.Section{Kind: record.TermSection, Title: term, Credits: 15, Average: &record.Average{Value: "3.61"}}
		for i, name := range []string{"Introduction to Data Analysis with Statistical Computing and Visualisation", "Écriture académique", "Linear Algebra", "Ethics of Artificial Intelligence", "Physical Chemistry Laboratory"} {
			s.Lines = append(s.Lines, record.Line{CredentialID: "c", Title: name, Code: "DAT " + string(rune('1'+i)) + "10", Type: "Course", Term: term, Credits: pointer(3.0), Grade: []string{"A-", "B+", "A", "P", "B"}[i], Status: record.Earned, AwardedOn: "2025-05-20"})
		}
		s.Lines[1].Competencies = []record.Aligned{{Code: "W.1", Name: "Writes for an audience"}, {Code: "W.2", Name: "Cites sources"}}
		s.Lines[2].Replaced = true
		m.Sections = append(m.Sections, s)
	}
	m.Sections[3].Lines[4].Status, m.Sections[3].Lines[4].Grade = record.InProgress, ""
	m.Sections = append(m.Sections, record.Section{Kind: record.OtherIssuers, Lines: []record.Line{{Title: "AWS Cloud Practitioner", Type: "Certification", Other: true, Issuer: record.Party{Name: "Example Cloud Inc."}, AwardedOn: "2026-01-02", Level: "Proficient",
		Evidence: []record.EvidenceLine{{URL: "https://evidence.example/a-very-long-address/that-does-not-break-anywhere/because-it-has-no-spaces-in-it/at-all/0123456789", Name: "Badge page"}}}}})
	m.Programs = []record.ProgramProgress{{Program: record.ProgramName{Code: "BS-DA", Title: "Bachelor of Science in Data Analytics", Version: 2}, Status: record.InProgress, Lines: []record.RequirementLine{
		{Title: "Bachelor of Science in Data Analytics", Status: record.InProgress, Reason: "3 of 4 requirements are met."}, {Title: "Core courses", Depth: 1, Status: record.Earned, Reason: "All five were passed."},
		{Title: "Capstone", Depth: 1, Status: record.Blocked, Reason: "It opens when the core courses and the internship are complete."}}}}
	m.Equivalencies = []record.Equivalent{{Rule: "eqv_1", Given: "Data storytelling, level 4", Code: "CU-12", As: "Technical Communication", AsCode: "COM 210", Grade: "A", Credits: 3, Ground: "unit", Reason: "The unit covers the outcomes of the course.", ApprovedBy: "Faculty senate", InForce: "2025-08-01", On: "2026-02-03", Counted: true}}
	m.Summary = &record.Summary{CreditsEarned: 57, CreditsAttempted: 60, ByEquivalency: 3, Average: &record.Average{Value: "3.58"}, Terms: []record.TermSummary{{Term: "Fall 2024", CreditsEarned: 15, CreditsAttempted: 15, Average: &record.Average{Value: "3.61"}}, {Term: "Spring 2025", CreditsEarned: 12, CreditsAttempted: 15}}}
	m.Legend = &record.Legend{Name: "Lakeview grading scale", Version: 2, Policy: "The average is the sum of grade points times credits divided by the credits that count, to two decimals, rounded half up; of repeated courses the latest counts.",
		Grades: []record.LegendLine{{Mark: "A", Points: "4", Counts: true, Earns: true, Meaning: "Excellent"}, {Mark: "B", Points: "3", Counts: true, Earns: true, Meaning: "Good"}, {Mark: "P", Earns: true, Meaning: "Passed without a grade"}, {Mark: "W", Meaning: "Withdrew"}}}
	return m
}

func sheet() Sheet {
	return Sheet{Record: sample(), Credential: bytes.Repeat([]byte(`{"id":"https://records.example/lakeview/credentials/crd_01"}`), 50), Number: "doc_01k3x9", At: noon,
		Address: "https://records.example/v/Zm9vYmFyYmF6cXV4MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG0"}
}

// printed is the sample as a file.
func printed(t testing.TB, s Sheet) (name string, raw []byte) {
	t.Helper()
	raw, err := PDF(s, signature(t))
	if err != nil {
		t.Fatal(err)
	}
	name = filepath.Join(t.TempDir(), "record.pdf")
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return name, raw
}

func TestTheSameSheetHasTheSameBytes(t *testing.T) {
	by := signature(t)
	a, err := PDF(sheet(), by)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // setters that were used before set the same
		if b, err := PDF(sheet(), by); err != nil || !bytes.Equal(a, b) {
			t.Fatalf("two prints of one sheet differ (%v)", err)
		}
	}
	other := sheet()
	other.At = noon.Add(time.Second)
	if b, err := PDF(other, by); err != nil || bytes.Equal(a, b) {
		t.Errorf("the instant of the signature is not in it (%v)", err)
	}
}

// Other people's programs read the print.
func TestOthersReadThePrint(t *testing.T) {
	file, _ := printed(t, sheet())
	if said, ok := interop.Run(t, "qpdf", "--check", file); !ok || strings.Contains(said, "WARNING") {
		t.Errorf("qpdf: %s", said)
	}
	said, _ := interop.Run(t, "pdfinfo", file)
	for _, want := range []string{"Tagged:          yes", "Suspects:        no", "PDF version:     1.7", "Title:           Comprehensive Learner Record: Željka"} {
		if !strings.Contains(said, want) {
			t.Errorf("pdfinfo does not say %q: %s", want, said)
		}
	}
	said, _ = interop.Run(t, "pdfsig", file)
	for _, want := range []string{"Signature is Valid", "ETSI.CAdES.detached", "Total document signed", "SHA-256"} {
		if !strings.Contains(said, want) {
			t.Errorf("pdfsig does not say %q: %s", want, said)
		}
	}
	out := filepath.Join(t.TempDir(), "record.json")
	if said, ok := interop.Run(t, "pdfdetach", "-save", "1", "-o", out, file); !ok {
		t.Fatalf("pdfdetach: %s", said)
	}
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, sheet().Credential) {
		t.Errorf("what is attached is not the credential (%v)", err)
	}
	said, _ = interop.Run(t, "pdffonts", file)
	for line := range strings.Lines(said) {
		if f := strings.Fields(line); strings.Contains(line, "CID TrueType") && !slices.Equal(f[len(f)-5:len(f)-2], []string{"yes", "yes", "yes"}) {
			t.Errorf("a font is not embedded as a subset with its text: %s", line)
		}
	}
}

func TestTextInReadingOrder(t *testing.T) {
	file, _ := printed(t, sheet())
	said, _ := interop.Run(t, "pdftotext", "-layout", file, "-")
	at := 0
	for _, want := range []string{"Lakeview College of Arts & Sciences", "Comprehensive Learner Record", "S-2041877", "This record is partial", "co-curricular achievements are left out. 4 items.",
		"Fall 2024", "DAT 110", "Introduction to Data Analysis", "3.0", "Credits earned 15.0, grade point average 3.61", "Spring 2025", "Page 1 of 3", "Issued by others",
		"Bachelor of Science in Data Analytics", "What counts as what", "Summary", "57.0", "3.58", "Grades", "Excellent", "To compare", "About this document", "https://records.example/v/", "Digitally signed by Lakeview"} {
		i := strings.Index(said[at:], want)
		if i < 0 {
			t.Fatalf("%q does not follow in the text:\n%s", want, said)
		}
		at += i
	}
	for _, want := range []string{"Ødegård-Nguyễn", "Ζωή", "Зоя", "زوي عبد الرحمن", "זואי", "山田花子", "ज़ोया क्षत्रिय"} {
		if !strings.Contains(said, want) {
			t.Errorf("the name %q is not in the text", want)
		}
	}
	if n := strings.Count(said, "Page "); n != 3 {
		t.Errorf("%d pages are numbered", n)
	}
}

func TestTags(t *testing.T) {
	file, raw := printed(t, sheet())
	said, _ := interop.Run(t, "pdfinfo", "-struct-text", file)
	for _, want := range []string{"H1 (block)\n    \"Comprehensive Learner Record\"", "H2 (block)\n    \"Fall 2024\"", "/Scope /Column", "/Scope /Row", "Link (inline)", "LBody", "Form\n    Object"} {
		if !strings.Contains(said, want) {
			t.Errorf("the structure does not have %q", want)
		}
	}
	if strings.Contains(said, "Page 1 of") {
		t.Error("the running foot is part of the text")
	}
	// ISO 14289-1 and ISO 19005-3, as far as a search tells.
	for _, want := range []string{"/MarkInfo <</Marked true>>", "/Lang (en)", "/DisplayDocTitle true", "<pdfaid:part>3</pdfaid:part>", "<pdfaid:conformance>A</pdfaid:conformance>",
		"<pdfuaid:part>1</pdfuaid:part>", "/S /GTS_PDFA1", "/AFRelationship /Source", "/Tabs /S", "/Subtype /Widget /FT /Sig", "/SigFlags 3"} {
		if !bytes.Contains(raw, []byte(want)) {
			t.Errorf("the file does not have %q", want)
		}
	}
	for _, never := range []string{"/Encrypt", "/JavaScript", "/JS", "/LZWDecode", "/Launch", "/TransferFunction", "/SMask"} {
		if bytes.Contains(raw, []byte(never)) {
			t.Errorf("the file has %q, which ISO 19005-3 does not allow", never)
		}
	}
}

// However long a name, an omission or a table is, everything is on a page.
func TestNothingFallsOffThePage(t *testing.T) {
	s := sheet()
	s.Paper = A4
	s.Record.Learner.Name = strings.Repeat("Wolfeschlegelsteinhausenbergerdorff", 6)
	s.Record.Issuer.Name = strings.Repeat("University of the Northern Territories and Islands ", 4)
	s.Record.Omissions = nil
	for range 120 {
		s.Record.Omissions = append(s.Record.Omissions, record.Omission{Reason: "By the policy of this record type, co-curricular achievements are left out.", Count: 2})
	}
	s.Record.Sections[0].Lines[0].Title = strings.Repeat("A title without an end ", 300)
	s.Record.Sections[0].Lines[1].Title = "Hieroglyphs 𓀀"
	file, _ := printed(t, s)
	said, _ := interop.Run(t, "pdftotext", "-bbox", file, "-")
	words := regexp.MustCompile(`<word xMin="([-0-9.]+)" yMin="([-0-9.]+)" xMax="([-0-9.]+)" yMax="([-0-9.]+)">`).FindAllStringSubmatch(said, -1)
	if len(words) < 1500 {
		t.Fatalf("only %d words", len(words))
	}
	for _, w := range words {
		var at [4]float64
		for i := range at {
			at[i], _ = strconv.ParseFloat(w[i+1], 64)
		}
		if at[0] < 40 || at[1] < 20 || at[2] > 596-40 || at[3] > 842-20 {
			t.Fatalf("a word lies outside of the page: %s", w[0])
		}
	}
	for _, want := range []string{"[U+13000]", "cannot", "printed"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said", want)
		}
	}
}

// A page that goes on with a table says of which, and begins with neither a row
// alone nor a sum.
func TestNoRowStandsAlone(t *testing.T) {
	t.Parallel()
	continued := 0
	for n := 19; n < 28; n++ {
		s := sheet()
		s.Record.Sections = s.Record.Sections[:1]
		term := &s.Record.Sections[0]
		for len(term.Lines) < n {
			term.Lines = append(term.Lines, record.Line{Title: "Seminar", Code: "SEM " + strconv.Itoa(len(term.Lines)), Credits: pointer(1.0), Grade: "A", AwardedOn: "2025-05-20"})
		}
		file, _ := printed(t, s)
		said, _ := interop.Run(t, "pdftotext", "-layout", file, "-")
		for i, page := range strings.Split(said, "\f") {
			if strings.Contains(page, "Fall 2024, continued") {
				continued++
				if rows := strings.Count(page, "SEM "); rows < 2 {
					t.Errorf("of %d rows %d stand on page %d", n, rows, i+1)
				}
			} else if i > 0 && strings.Contains(page, "Credits earned 15.0, grade") {
				t.Errorf("of %d rows the sum alone stands on page %d", n, i+1)
			}
		}
	}
	if continued < 4 {
		t.Errorf("only %d pages go on with the table", continued)
	}
}
