// Package imscase reads and writes 1EdTech CASE packages, versions 1.0 and 1.1.
//
// A package is read as a stream: items, associations and rubrics are handed on
// one at a time, each with the bytes it was written in, so that it can go out
// again equal. What the standard forbids is reported by name of rule, with a
// pointer to the place and the value found; the caller decides what to do with
// what it was handed before. Sources: CASE 1.1 information model and JSON
// schema, CASE 1.0 package schema.
package imscase

import (
	"encoding/json"
	"fmt"
	"strings"
)

// The versions of the standard.
const (
	V10 = "1.0"
	V11 = "1.1"
)

// Link is a LinkURI or LinkGenURI: a reference to another object.
type Link struct {
	Title      string `json:"title"`
	Identifier string `json:"identifier"`
	URI        string `json:"uri"`
	TargetType string `json:"targetType,omitempty"` // 1.1; empty stands for CASE
}

// Texts is a list of text that version 1.0 also lets be one text.
type Texts []string

// UnmarshalJSON reads a list or one text.
func (t *Texts) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var one string
		if err := json.Unmarshal(b, &one); err != nil {
			return err
		}
		*t = Texts{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// Int is a whole number, which publishers of 1.0 also write in quotation marks.
type Int int

// UnmarshalJSON reads a number, in quotation marks or not.
func (i *Int) UnmarshalJSON(b []byte) error {
	if Quoted.Match(b) {
		b = b[1 : len(b)-1]
	}
	return json.Unmarshal(b, (*int)(i))
}

// Document is a CFDocument: the framework itself.
type Document struct {
	Identifier         string `json:"identifier"`
	URI                string `json:"uri"`
	Creator            string `json:"creator"`
	Title              string `json:"title"`
	LastChangeDateTime string `json:"lastChangeDateTime"`
	CaseVersion        string `json:"caseVersion"`
	FrameworkType      string `json:"frameworkType"`
	Publisher          string `json:"publisher"`
	Description        string `json:"description"`
	Language           string `json:"language"`
	Version            string `json:"version"`
	AdoptionStatus     string `json:"adoptionStatus"`
	StatusStartDate    string `json:"statusStartDate"`
	StatusEndDate      string `json:"statusEndDate"`
	LicenseURI         *Link  `json:"licenseURI"`

	Raw json.RawMessage `json:"-"` // as it was written
}

// Item is a CFItem: a competency, a standard, a heading.
type Item struct {
	Identifier           string `json:"identifier"`
	URI                  string `json:"uri"`
	FullStatement        string `json:"fullStatement"`
	AbbreviatedStatement string `json:"abbreviatedStatement"`
	HumanCodingScheme    string `json:"humanCodingScheme"`
	ListEnumeration      string `json:"listEnumeration"`
	ItemType             string `json:"CFItemType"`
	ConceptKeywords      Texts  `json:"conceptKeywords"`
	EducationLevel       Texts  `json:"educationLevel"`
	Language             string `json:"language"`
	Notes                string `json:"notes"`
	StatusStartDate      string `json:"statusStartDate"`
	StatusEndDate        string `json:"statusEndDate"`
	LastChangeDateTime   string `json:"lastChangeDateTime"`

	Raw json.RawMessage `json:"-"`
}

// Association is a CFAssociation: origin, type, destination, read in that order.
// For isChildOf the origin is the child.
type Association struct {
	Identifier         string `json:"identifier"`
	URI                string `json:"uri"`
	Type               string `json:"associationType"`
	Origin             Link   `json:"originNodeURI"`
	Destination        Link   `json:"destinationNodeURI"`
	SequenceNumber     *Int   `json:"sequenceNumber"`
	LastChangeDateTime string `json:"lastChangeDateTime"`

	Raw json.RawMessage `json:"-"`
}

// Rubric is a CFRubric with its criteria and their levels.
type Rubric struct {
	Identifier  string      `json:"identifier"`
	URI         string      `json:"uri"`
	Title       string      `json:"title"`
	Description string      `json:"description"`
	Criteria    []Criterion `json:"CFRubricCriteria"`

	Raw json.RawMessage `json:"-"`
}

// Criterion is a CFRubricCriterion.
type Criterion struct {
	Identifier  string   `json:"identifier"`
	URI         string   `json:"uri"`
	Category    string   `json:"category"`
	Description string   `json:"description"`
	Item        *Link    `json:"CFItemURI"`
	Weight      *float64 `json:"weight"`
	Position    *Int     `json:"position"`
	Levels      []Level  `json:"CFRubricCriterionLevels"`
}

// Level is a CFRubricCriterionLevel.
type Level struct {
	Identifier  string   `json:"identifier"`
	URI         string   `json:"uri"`
	Description string   `json:"description"`
	Quality     string   `json:"quality"`
	Score       *float64 `json:"score"`
	Feedback    string   `json:"feedback"`
	Position    *Int     `json:"position"`
}

// Package is what Read knows of a package when it has read all of it.
type Package struct {
	Version     string // V10 or V11
	Document    Document
	Definitions json.RawMessage // CFDefinitions as written, or nil
	Extensions  json.RawMessage // extensions as written, or nil
	Items       int
	Links       int // associations
	Rubrics     int
	Liberties   []string // sentences about what 1.0 does not allow and was taken all the same
}

// Violation is one place where a package breaks the standard.
type Violation struct {
	Rule    string // such as case-identifier-pattern
	Pointer string // JSON pointer
	Value   string // what was found, cut short
	Message string // a sentence
}

// Error makes a violation an error.
func (v Violation) Error() string {
	return fmt.Sprintf("%s (%s): %s", v.Pointer, v.Rule, v.Message)
}

// Refused is the error for a package that the standard does not allow.
type Refused struct {
	Violations []Violation // at most maxViolations
	More       int         // how many beyond those
}

// Error is the first violation and how many there are.
func (r *Refused) Error() string {
	if n := len(r.Violations) + r.More - 1; n > 0 {
		return fmt.Sprintf("%v (and %d more)", r.Violations[0], n)
	}
	return r.Violations[0].Error()
}

// maxViolations bounds what is kept of a file that is wrong everywhere.
const maxViolations = 100

// short cuts a value for a message.
func short(s string) string {
	s = strings.ToValidUTF8(s, "�")
	if r := []rune(s); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return s
}
