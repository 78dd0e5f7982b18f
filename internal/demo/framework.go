package demo

import (
	"crypto/sha1"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
)

// area is the first level of the framework; its competencies are the second,
// their skills the third.
type area struct {
	code, title, statement string
	competencies           []competency
}

type competency struct {
	title, statement string
	skills           []string
}

// areas are the whole framework: 6 areas, 18 competencies, 54 skills.
var areas = []area{
	{"A", "Data Foundations", "Finds, describes and prepares data so that others can rely on it.", []competency{
		{"Sourcing data", "Finds data that fits a question and judges whether it can be trusted.", []string{
			"Writes a data need as a question that a data set could answer.",
			"Compares sources by coverage, recency, licence and known bias.",
			"Documents where data came from so that another person can obtain it again.",
		}},
		{"Preparing data", "Cleans, joins and reshapes data without losing or inventing facts.", []string{
			"Finds missing, duplicated and impossible values and records what was done about each.",
			"Joins tables on the right keys and proves that no row was lost or multiplied.",
			"Reshapes data between wide and long forms to suit an analysis.",
		}},
		{"Describing data", "Summarises a data set so that a reader knows its shape, limits and quirks.", []string{
			"Chooses summaries of centre and spread that suit a distribution.",
			"Writes a data dictionary that names unit, range and meaning of every field.",
			"Explains sampling and what it allows one to say.",
		}},
	}},
	{"B", "Analysis and Inference", "Draws conclusions from data that hold up to questions.", []competency{
		{"Exploring", "Explores data openly and turns what is seen into testable questions.", []string{
			"Uses graphs to look for pattern, exception and error.",
			"Separates questions that the data raised from questions asked beforehand.",
			"Keeps a notebook from which each figure can be made again.",
		}},
		{"Statistical reasoning", "Chooses, applies and reads statistical methods with their assumptions.", []string{
			"Builds and interprets interval estimates for means, proportions and differences.",
			"Fits a regression model and checks its assumptions with residuals.",
			"Explains in plain words what a result does not show.",
		}},
		{"Predictive modelling", "Builds predictive models and reports honestly how well they work.", []string{
			"Splits data so that a model is tested on cases it has not seen.",
			"Compares models with a measure that suits the cost of each kind of error.",
			"Finds where a model works worse for one group of people than for another.",
		}},
	}},
	{"C", "Data Engineering", "Builds the stores and pipelines that keep data correct and available.", []competency{
		{"Modelling data", "Designs tables and constraints that keep facts consistent.", []string{
			"Designs a relational schema in which each fact has one place.",
			"States rules of the domain as keys, checks and foreign keys.",
			"Explains the trade between normal form and speed for a given load.",
		}},
		{"Querying", "Writes queries that are correct, readable and fast enough.", []string{
			"Writes joins, groupings and window functions that answer a stated question.",
			"Reads a query plan and removes its largest cost.",
			"Tests a query against hand-made cases, with empty and repeated rows among them.",
		}},
		{"Running pipelines", "Builds pipelines that can fail, be run again and still give the right answer.", []string{
			"Makes a load step that can be repeated without changing its result.",
			"Watches a pipeline and is told of late, missing or implausible data.",
			"Keeps code, configuration and data under version control.",
		}},
	}},
	{"D", "Communication", "Makes findings understood by the people who must act on them.", []competency{
		{"Visualising", "Makes graphics that are true, clear and readable by everyone.", []string{
			"Chooses a chart whose form fits the comparison to be made.",
			"Removes whatever distracts from, or distorts, the comparison.",
			"Makes graphics that work without colour and with a screen reader.",
		}},
		{"Writing", "Writes reports that lead a reader from question to decision.", []string{
			"States the finding first and its evidence after it.",
			"Writes methods so that a peer could repeat them.",
			"Fits length and language to the reader.",
		}},
		{"Presenting", "Presents work aloud and answers questions about it.", []string{
			"Plans a talk around what the audience must decide.",
			"Answers questions with evidence, and says so when there is none.",
			"Leads a discussion in which a finding is challenged.",
		}},
	}},
	{"E", "Ethics and Governance", "Uses data lawfully, fairly and with care for the people it describes.", []competency{
		{"Privacy", "Protects the people in the data.", []string{
			"Names the legal basis for holding and using personal data.",
			"Reduces the risk of re-identification and says what risk remains.",
			"Plans how long data are kept, and how they are destroyed.",
		}},
		{"Fairness", "Recognises and reduces unfair outcomes of data work.", []string{
			"Traces how bias enters by collection, labelling and choice of measure.",
			"Discusses a decision with those whom it affects.",
			"Documents the limits of a model and the uses it is not fit for.",
		}},
		{"Stewardship", "Keeps data in good order for those who come after.", []string{
			"Assigns owners, definitions and quality rules to shared data.",
			"Keeps a record of changes to definitions and tells those who depend on them.",
			"Weighs openness against protection and records the decision.",
		}},
	}},
	{"F", "Professional Practice", "Works with others, and for a client, to an agreed standard.", []competency{
		{"Working with clients", "Turns a client's problem into agreed, finished work.", []string{
			"Interviews a client and writes down what would count as success.",
			"Agrees scope, milestones and changes in writing.",
			"Hands over work that the client can run alone.",
		}},
		{"Working in teams", "Contributes to a team and helps it improve.", []string{
			"Reviews the work of others with care and takes review well.",
			"Shares out work and keeps its progress visible.",
			"Settles disagreement by evidence and agreed rules.",
		}},
		{"Learning on purpose", "Plans and shows one's own growth.", []string{
			"Judges own work against a rubric and plans the next step.",
			"Learns a new tool to the level that a task needs.",
			"Keeps a portfolio that shows growth with evidence.",
		}},
	}},
}

// level is a step of the mastery scale that every rubric criterion uses.
type level struct {
	name, description string
	score             float64
}

var levels = []level{
	{"Beginning", "Does parts of the work with close guidance.", 1},
	{"Developing", "Does routine work with some guidance; gaps remain.", 2},
	{"Proficient", "Does the work independently, correctly and to the agreed standard.", 3},
	{"Advanced", "Does the work in new situations, improves the method and guides others.", 4},
}

// The framework's own facts. Changed stands for the day it was adopted.
const (
	changed        = "2023-07-03T15:00:00Z"
	frameworkTitle = "Applied Data Analytics Competency Framework"
	caseBase       = "https://frameworks.aldersound.example/ims/case/v1p1/"
)

// identifier is a stable version 5 UUID for a thing of the framework.
func identifier(parts ...any) string {
	return uuid.NewHash(sha1.New(), uuid.NameSpaceURL, []byte(caseBase+fmt.Sprint(parts...)), 5).String()
}

type object map[string]any

func link(title, id, uri string) object { return object{"title": title, "identifier": id, "uri": uri} }

func documentLink() object {
	id := identifier("document")
	return link(frameworkTitle, id, caseBase+"CFDocuments/"+id)
}

// competencyIdentifier is the CASE identifier of a competency of the second level.
func competencyIdentifier(a, c int) string { return identifier("item", areas[a].code, c+1) }

// competencyCode is its human coding scheme, such as A.2.
func competencyCode(a, c int) string { return fmt.Sprintf("%s.%d", areas[a].code, c+1) }

// levelURI is the address of a rubric level of a competency; n counts from 1.
func levelURI(a, c, n int) string {
	return caseBase + "CFRubrics/" + identifier("rubric") + "#" + identifier("level", competencyCode(a, c), n)
}

func itemURI(id string) string { return caseBase + "CFItems/" + id }

// framework is the CASE 1.1 package.
func framework() []byte {
	b := &casePackage{}
	for i, a := range areas {
		top := b.item(a.code, "Area", a.statement, a.title, nil, i+1)
		for j, c := range a.competencies {
			code := competencyCode(i, j)
			mid := b.item(code, "Competency", c.statement, c.title, &top, j+1)
			for k, s := range c.skills {
				b.item(fmt.Sprintf("%s.%d", code, k+1), "Skill", s, "", &mid, k+1)
			}
		}
	}
	b.precedes("A.2", "B.1")
	b.precedes("B.1", "B.2")
	b.precedes("B.2", "B.3")
	b.precedes("C.1", "C.2")
	b.precedes("C.2", "C.3")
	return encode(object{
		"CFDocument": object{
			"identifier": identifier("document"), "uri": documentLink()["uri"], "creator": "Alder Sound College",
			"title": frameworkTitle, "lastChangeDateTime": changed, "caseVersion": "1.1",
			"publisher": "Alder Sound College", "language": "en", "version": "2023.1", "adoptionStatus": "Implemented",
			"statusStartDate": "2023-08-01", "subject": []string{"Data analytics"},
			"description": "What graduates of the competency-based programme in applied data analytics can do, in three levels.",
			"licenseURI":  link("CC BY 4.0", identifier("license"), caseBase+"CFLicenses/"+identifier("license")),
		},
		"CFItems":        b.items,
		"CFAssociations": b.associations,
		"CFDefinitions":  definitions(),
		"CFRubrics":      []object{rubric()},
	})
}

type casePackage struct {
	items, associations []object
	links               map[string]object
}

// item adds one item below its parent, or below the document.
func (b *casePackage) item(code, kind, statement, short string, parent *object, n int) object {
	id := identifier("item", code)
	if kind == "Competency" {
		id = identifier("item", code[:1], n)
	}
	it := object{
		"identifier": id, "uri": itemURI(id), "fullStatement": statement, "lastChangeDateTime": changed,
		"humanCodingScheme": code, "listEnumeration": fmt.Sprint(n), "CFItemType": kind, "language": "en",
		"CFItemTypeURI":  link(kind, identifier("type", kind), caseBase+"CFItemTypes/"+identifier("type", kind)),
		"educationLevel": []string{"13", "14", "15", "16"},
	}
	if short != "" {
		it["abbreviatedStatement"] = short
	}
	b.items = append(b.items, it)
	self := link(statement, id, itemURI(id))
	if b.links == nil {
		b.links = map[string]object{}
	}
	b.links[code] = self
	to := documentLink()
	if parent != nil {
		to = *parent
	}
	b.associate("isChildOf", self, to, n)
	return self
}

func (b *casePackage) precedes(from, to string) {
	b.associate("precedes", b.links[from], b.links[to], 0)
}

func (b *casePackage) associate(kind string, from, to object, n int) {
	id := identifier("association", kind, from["identifier"], to["identifier"])
	as := object{
		"identifier": id, "uri": caseBase + "CFAssociations/" + id, "associationType": kind,
		"originNodeURI": from, "destinationNodeURI": to, "lastChangeDateTime": changed,
	}
	if n > 0 {
		as["sequenceNumber"] = n
	}
	b.associations = append(b.associations, as)
}

func definitions() object {
	var types []object
	for i, k := range []struct{ name, text string }{
		{"Area", "A field of work of the programme."},
		{"Competency", "What a graduate can do, assessed by rubric."},
		{"Skill", "A part of a competency that can be taught and observed."},
	} {
		id := identifier("type", k.name)
		types = append(types, object{"identifier": id, "uri": caseBase + "CFItemTypes/" + id, "title": k.name,
			"description": k.text, "hierarchyCode": fmt.Sprint(i + 1), "lastChangeDateTime": changed})
	}
	id := identifier("license")
	return object{
		"CFItemTypes": types,
		"CFLicenses": []object{{"identifier": id, "uri": caseBase + "CFLicenses/" + id, "title": "CC BY 4.0",
			"licenseText": "Creative Commons Attribution 4.0 International", "lastChangeDateTime": changed}},
	}
}

// rubric has one criterion for each competency of the second level.
func rubric() object {
	var criteria []object
	for i, a := range areas {
		for j, c := range a.competencies {
			code := competencyCode(i, j)
			id := identifier("criterion", code)
			var steps []object
			for n, l := range levels {
				steps = append(steps, object{"identifier": identifier("level", code, n+1), "uri": levelURI(i, j, n+1),
					"quality": l.name, "description": l.description, "score": l.score, "position": n + 1,
					"lastChangeDateTime": changed, "rubricCriterionId": id})
			}
			item := competencyIdentifier(i, j)
			criteria = append(criteria, object{"identifier": id, "uri": caseBase + "CFRubrics/" + identifier("rubric") + "#" + id,
				"category": a.title, "description": c.statement, "CFItemURI": link(c.statement, item, itemURI(item)),
				"weight": 1.0, "position": len(criteria) + 1, "rubricId": identifier("rubric"),
				"lastChangeDateTime": changed, "CFRubricCriterionLevels": steps})
		}
	}
	return object{"identifier": identifier("rubric"), "uri": caseBase + "CFRubrics/" + identifier("rubric"),
		"title": "Mastery scale", "description": "Four levels, used for every competency of the programme.",
		"lastChangeDateTime": changed, "CFRubricCriteria": criteria}
}

func encode(v any) []byte {
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err) // maps of text and numbers
	}
	return append(out, '\n')
}
