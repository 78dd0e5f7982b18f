package demo

// standard is an item of the second framework: of a state, which the college's
// competencies are mapped to.
type standard struct {
	code, title, statement string
	same                   string // the college's competency that matches it, by code; or empty
	related                string // one that is only related to it, or empty
}

// standards are the state's framework, one level deep.
var standards = []standard{
	{"W.1", "Data acquisition", "Obtains data from documented sources and assesses fitness for use.", "A.1", ""},
	{"W.2", "Data quality", "Detects and treats errors in data and documents every treatment.", "A.2", ""},
	{"W.3", "Statistical inference", "Applies inferential statistics and states their assumptions.", "B.2", ""},
	{"W.4", "Machine learning operations", "Deploys, watches and retires predictive models in production.", "", "B.3"},
	{"W.5", "Relational databases", "Designs and queries relational databases.", "", "C.1"},
	{"W.6", "Visual communication", "Presents quantitative findings in accessible graphics.", "D.1", ""},
	{"W.7", "Privacy and protection", "Handles personal data lawfully and keeps it safe.", "E.1", ""},
	{"W.8", "Work with customers", "Agrees, delivers and hands over work to a customer.", "F.1", ""},
}

const (
	stateTitle = "Coastal States Workforce Standard: Data Occupations"
	stateBase  = "https://workforce.coastal-states.example/ims/case/v1p1/"
)

// StateFramework is a second CASE package, of another body.
func StateFramework() []byte {
	id := identifier("state", "document")
	document := link(stateTitle, id, stateBase+"CFDocuments/"+id)
	var items, links []object
	for n, s := range standards {
		self := StateItem(s.code)
		uri := stateBase + "CFItems/" + self
		items = append(items, object{"identifier": self, "uri": uri, "fullStatement": s.statement, "abbreviatedStatement": s.title, "humanCodingScheme": s.code,
			"CFItemType": "Standard", "language": "en", "lastChangeDateTime": changed})
		as := identifier("state", "association", s.code)
		links = append(links, object{"identifier": as, "uri": stateBase + "CFAssociations/" + as, "associationType": "isChildOf", "sequenceNumber": n + 1,
			"originNodeURI": link(s.statement, self, uri), "destinationNodeURI": document, "lastChangeDateTime": changed})
	}
	return encode(object{
		"CFDocument": object{"identifier": id, "uri": document["uri"], "creator": "Coastal States Workforce Board", "title": stateTitle, "lastChangeDateTime": changed,
			"caseVersion": "1.1", "publisher": "Coastal States Workforce Board", "language": "en", "version": "4", "adoptionStatus": "Implemented",
			"description": "What employers of the coastal states expect of people who work with data. Invented, as the states are."},
		"CFItems": items, "CFAssociations": links,
	})
}

// StateItem is the CASE identifier of an item of the state's framework.
func StateItem(code string) string { return identifier("state", "item", code) }

// Competency is the CASE identifier of an item of the college's framework, by
// its code: A of an area, A.1 of a competency.
func Competency(code string) string {
	if len(code) == 1 {
		return identifier("item", code)
	}
	return competencyIdentifier(int(code[0]-'A'), int(code[2]-'1'))
}

// Framework is the CASE identifier of the college's framework.
func Framework() string { return identifier("document") }

// AchievementURI is where the college publishes an achievement.
func AchievementURI(code string) string { return achievementURI(code) }

// Crossing is what the college says that one of its competencies and an item of
// the state's framework have to do with each other, by their identifiers.
type Crossing struct{ From, To, Type string }

// Crossings are all of them.
func Crossings() []Crossing {
	var all []Crossing
	for _, s := range standards {
		if s.same != "" {
			all = append(all, Crossing{Competency(s.same), StateItem(s.code), "exactMatchOf"})
		}
		if s.related != "" {
			all = append(all, Crossing{Competency(s.related), StateItem(s.code), "isRelatedTo"})
		}
	}
	return all
}

// Area is an area of the framework with its competencies, by their codes.
type Area struct {
	Code, Title  string
	Competencies []Named
}

// Named is a thing by its code and title.
type Named struct{ Code, Title string }

// Areas are the areas of the college's framework.
func Areas() []Area {
	var all []Area
	for i, a := range areas {
		out := Area{Code: a.code, Title: a.title}
		for j, c := range a.competencies {
			out.Competencies = append(out.Competencies, Named{competencyCode(i, j), c.title})
		}
		all = append(all, out)
	}
	return all
}

// Advanced are the courses of the third and fourth year.
func Advanced() []Named {
	var all []Named
	for _, c := range courses {
		if c.year >= 3 {
			all = append(all, Named{c.code, c.title})
		}
	}
	return all
}

// Student is a student's number in the college's system, with the year of entry.
type Student struct {
	Number string
	Year   int
}

// Students are all students.
func Students() []Student {
	all := make([]Student, learnerCount)
	for i := range all {
		all[i] = Student{studentNumber(i), entry(i)}
	}
	return all
}
