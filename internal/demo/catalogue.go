package demo

import "fmt"

// course is one of the twenty; teaches are the competencies it touches, by
// code, with the stage and the level it aims at (0: none).
type course struct {
	code, title, description string
	credits                  float64
	level, field             string
	year                     int // of study, 1 to 4
	teaches                  []teaches
}

type teaches struct {
	competency, stage string
	target            int
}

var courses = []course{
	{"DA 101", "Working with Data", "What data are, where they come from and how they mislead. Spreadsheets and a first script.", 4, "100", "Data analytics", 1,
		[]teaches{{"A.1", "introduced", 0}, {"A.2", "introduced", 0}, {"A.3", "practised", 2}}},
	{"DA 110", "Data Preparation Studio", "Cleaning, joining and reshaping real files, with a written account of every step.", 4, "100", "Data analytics", 1,
		[]teaches{{"A.1", "practised", 2}, {"A.2", "assessed", 3}, {"A.3", "assessed", 3}}},
	{"ST 120", "Statistics I", "Describing and comparing groups; probability and sampling.", 4, "100", "Statistics", 1,
		[]teaches{{"A.3", "practised", 3}, {"B.1", "introduced", 0}, {"B.2", "introduced", 0}}},
	{"CS 115", "Programming for Analysts", "Reading and writing small programs that others can run.", 4, "100", "Computing", 1,
		[]teaches{{"C.3", "introduced", 0}, {"F.3", "introduced", 0}}},
	{"WR 105", "Writing for Decisions", "Reports, memos and summaries for people who must act.", 3, "100", "Communication", 1,
		[]teaches{{"D.2", "practised", 2}, {"D.3", "introduced", 0}}},
	{"DA 201", "Exploratory Analysis", "Questions, graphs and notebooks.", 4, "200", "Data analytics", 2,
		[]teaches{{"B.1", "assessed", 3}, {"D.1", "introduced", 0}}},
	{"ST 220", "Statistics II", "Estimation, tests and regression, with their assumptions.", 4, "200", "Statistics", 2,
		[]teaches{{"B.2", "assessed", 3}, {"B.1", "practised", 3}}},
	{"DB 210", "Databases", "Relational design, constraints and SQL.", 4, "200", "Computing", 2,
		[]teaches{{"C.1", "assessed", 3}, {"C.2", "practised", 2}}},
	{"VI 230", "Visualisation", "Graphics that are true, clear and readable by everyone.", 3, "200", "Communication", 2,
		[]teaches{{"D.1", "assessed", 3}}},
	{"ET 240", "Data, Law and Ethics", "Privacy, fairness and the people in the data.", 3, "200", "Ethics", 2,
		[]teaches{{"E.1", "assessed", 3}, {"E.2", "introduced", 0}}},
	{"DB 310", "Advanced Querying", "Window functions, plans, tests and speed.", 4, "300", "Computing", 3,
		[]teaches{{"C.2", "assessed", 3}}},
	{"ML 320", "Predictive Modelling", "Models that are tested on what they have not seen.", 4, "300", "Statistics", 3,
		[]teaches{{"B.3", "assessed", 3}, {"E.2", "practised", 2}}},
	{"DE 330", "Data Pipelines", "Loads that can fail and be run again.", 4, "300", "Computing", 3,
		[]teaches{{"C.3", "assessed", 3}, {"E.3", "introduced", 0}}},
	{"CM 315", "Presenting Evidence", "Talks, questions and challenge.", 3, "300", "Communication", 3,
		[]teaches{{"D.3", "assessed", 3}, {"D.2", "assessed", 3}}},
	{"GV 340", "Data Governance", "Owners, definitions, quality and openness.", 3, "300", "Ethics", 3,
		[]teaches{{"E.3", "assessed", 3}, {"E.1", "practised", 3}}},
	{"PP 350", "Client Studio", "A term's work for an outside client.", 6, "300", "Professional practice", 3,
		[]teaches{{"F.1", "assessed", 3}, {"F.2", "practised", 3}, {"A.1", "assessed", 3}}},
	{"ML 420", "Fair and Accountable Models", "Measuring and mending unfair outcomes.", 4, "400", "Statistics", 4,
		[]teaches{{"E.2", "assessed", 4}, {"B.3", "practised", 4}}},
	{"DE 430", "Data Platforms", "Designing stores and pipelines for an organisation.", 4, "400", "Computing", 4,
		[]teaches{{"C.1", "practised", 4}, {"C.3", "practised", 4}}},
	{"PP 450", "Capstone Project", "A complete piece of analytical work, defended before a panel.", 8, "400", "Professional practice", 4,
		[]teaches{{"F.2", "assessed", 3}, {"F.1", "practised", 4}, {"D.3", "practised", 4}}},
	{"PP 460", "Portfolio and Practice", "Judging one's own work and planning what comes next.", 2, "400", "Professional practice", 4,
		[]teaches{{"F.3", "assessed", 3}}},
}

// extra is an achievement that is not a competency's own.
type extra struct {
	code, kind, name, description, criteria string
	aligned                                 []string // competencies, by code
	credits                                 float64
	tags                                    []string
}

var extras = []extra{
	{"CERT-FOUND", "Certificate", "Certificate in Data Foundations", "Awarded for mastery of the three foundation competencies.",
		"Proficient or above in A.1, A.2 and A.3, assessed by rubric.", []string{"A.1", "A.2", "A.3"}, 12, []string{"data foundations"}},
	{"MICRO-SQL", "MicroCredential", "SQL and Data Modelling", "Designs relational schemas and queries them well.",
		"Proficient or above in C.1 and C.2, and a graded practical of three hours.", []string{"C.1", "C.2"}, 8, []string{"SQL", "databases"}},
	{"BAS-ADA", "BachelorDegree", "Bachelor of Applied Science in Data Analytics", "The degree of the competency-based programme in applied data analytics.",
		"All eighteen competencies at Proficient or above and 120 credits or their equivalent.",
		[]string{"A.1", "A.2", "A.3", "B.1", "B.2", "B.3", "C.1", "C.2", "C.3", "D.1", "D.2", "D.3", "E.1", "E.2", "E.3", "F.1", "F.2", "F.3"}, 120, nil},
	{"FIELD-150", "Fieldwork", "Community Data Placement", "One hundred and fifty hours of supervised analytical work for a community organisation.",
		"150 hours signed off by the host, and a reflective report.", []string{"F.1", "E.1"}, 5, []string{"placement"}},
	{"COCUR-PEER", "CoCurricular", "Peer Data Tutor", "Tutored fellow students in the data studio for a term.",
		"At least twenty hours of tutoring, observed twice by staff.", []string{"F.2"}, 0, []string{"tutoring"}},
	{"SERV-OPEN", "CommunityService", "Open Data Volunteer", "Prepared and documented a public data set with a local partner.",
		"A data set with a dictionary, accepted by the partner.", []string{"A.3", "E.3"}, 0, []string{"volunteering", "open data"}},
	{"AWARD-FAIR", "Award", "Alder Prize for Fair Analytics", "Given each year for work that makes data practice fairer.",
		"Chosen by a panel of staff and community partners.", []string{"E.2"}, 0, nil},
}

const site = "https://aldersound.example/"

// achievementURI is where the college publishes an achievement.
func achievementURI(code string) string { return site + "achievements/" + code }

// achievements are all 25 as Open Badges 3.0: one for each competency, with
// its rubric as a result description, and the seven extras.
func achievements() []byte {
	var all []object
	for i, a := range areas {
		for j, c := range a.competencies {
			all = append(all, competencyAchievement(i, j, c))
		}
	}
	for _, e := range extras {
		o := achievement(e.code, e.kind, e.name, e.description, e.criteria)
		for _, code := range e.aligned {
			o["alignment"] = append(asList(o["alignment"]), alignmentTo(code))
		}
		if e.credits > 0 {
			o["creditsAvailable"] = e.credits
		}
		if len(e.tags) > 0 {
			o["tag"] = e.tags
		}
		if e.code == "MICRO-SQL" {
			o["resultDescription"] = []object{{"id": achievementURI(e.code) + "#practical", "type": []string{"ResultDescription"},
				"name": "Practical examination", "resultType": "Percent", "valueMin": "0", "valueMax": "100", "requiredValue": "70"}}
		}
		all = append(all, o)
	}
	return encode(all)
}

func achievement(code, kind, name, description, criteria string) object {
	return object{
		"id": achievementURI(code), "type": []string{"Achievement"}, "achievementType": kind, "name": name,
		"description": description, "humanCode": code, "inLanguage": "en", "fieldOfStudy": "Data analytics",
		"criteria": object{"id": achievementURI(code) + "/criteria", "narrative": criteria},
	}
}

func competencyAchievement(i, j int, c competency) object {
	code := competencyCode(i, j)
	o := achievement("COMP-"+code, "Competency", c.title, c.statement,
		"Assessed by two assessors against the mastery scale; Proficient or above counts as mastery.")
	o["alignment"] = []object{alignmentTo(code)}
	o["tag"] = []string{areas[i].title}
	var steps []object
	for n, l := range levels {
		steps = append(steps, object{"id": rubricLevel(code, n+1), "type": []string{"RubricCriterionLevel"}, "name": l.name,
			"description": l.description, "level": fmt.Sprint(n + 1), "points": fmt.Sprint(l.score),
			"alignment": []object{{"type": []string{"Alignment"}, "targetType": "CFRubricCriterionLevel",
				"targetName": l.name, "targetUrl": levelURI(i, j, n+1), "targetFramework": frameworkTitle}}})
	}
	o["resultDescription"] = []object{{"id": achievementURI("COMP-"+code) + "#mastery", "type": []string{"ResultDescription"},
		"name": "Mastery level", "resultType": "RubricCriterionLevel", "requiredLevel": rubricLevel(code, 3),
		"rubricCriterionLevel": steps}}
	return o
}

// rubricLevel is the id of a level within a competency's own achievement.
func rubricLevel(code string, n int) string {
	return fmt.Sprintf("%s#level-%d", achievementURI("COMP-"+code), n)
}

func alignmentTo(code string) object {
	i, j := int(code[0]-'A'), int(code[2]-'1')
	c := areas[i].competencies[j]
	id := competencyIdentifier(i, j)
	return object{"type": []string{"Alignment"}, "targetType": "CFItem", "targetName": code + " " + c.title,
		"targetUrl": itemURI(id), "targetCode": id, "targetFramework": frameworkTitle, "targetDescription": c.statement}
}

func asList(v any) []object {
	l, _ := v.([]object)
	return l
}

func courseRows() [][]string {
	rows := [][]string{{"code", "title", "description", "credits", "level", "field_of_study", "language"}}
	for _, c := range courses {
		rows = append(rows, []string{c.code, c.title, c.description, fmt.Sprint(c.credits), c.level, c.field, "en"})
	}
	return rows
}

func courseMapRows() [][]string {
	rows := [][]string{{"course_code", "competency", "stage", "target_level"}}
	for _, c := range courses {
		for _, t := range c.teaches {
			target := ""
			if t.target > 0 {
				target = levels[t.target-1].name
			}
			rows = append(rows, []string{c.code, t.competency, t.stage, target})
		}
	}
	return rows
}
