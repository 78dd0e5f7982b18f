package imscase

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// class is the members of a class of the standard: name, then ! for required
// or : for optional, then kind. Members behind the bar came with 1.1.
type class map[string]member

type member struct {
	kind     string
	required bool
	since11  bool
}

func parseClass(text string) class {
	c := class{}
	before, after, _ := strings.Cut(text, "|")
	for i, part := range []string{before, after} {
		for _, f := range strings.Fields(part) {
			at := strings.IndexAny(f, "!:")
			c[f[:at]] = member{kind: f[at+1:], required: f[at] == '!', since11: i == 1}
		}
	}
	return c
}

// The classes as they stand in a package, CASE 1.1 §5 and the schemas of both
// versions. Kinds: uuid, uri, url, text, texts, datetime, date, link, genlink,
// links, number, integer, object, association, version, list of a class.
var classes = map[string]class{
	"CFDocument": parseClass(`identifier!uuid uri!uri creator!text title!text lastChangeDateTime!datetime officialSourceURL:url
		publisher:text description:text subject:texts subjectURI:links language:text version:text adoptionStatus:text
		statusStartDate:date statusEndDate:date licenseURI:link notes:text | frameworkType:text caseVersion:version extensions:object`),
	"CFItem": parseClass(`identifier!uuid uri!uri fullStatement!text lastChangeDateTime!datetime alternativeLabel:text CFItemType:text
		CFItemTypeURI:link humanCodingScheme:text listEnumeration:text abbreviatedStatement:text conceptKeywords:texts
		conceptKeywordsURI:link notes:text language:text educationLevel:texts licenseURI:link statusStartDate:date statusEndDate:date
		| subject:texts subjectURI:links extensions:object`),
	"CFAssociation": parseClass(`identifier!uuid uri!uri associationType!association originNodeURI!genlink destinationNodeURI!genlink
		lastChangeDateTime!datetime sequenceNumber:integer CFAssociationGroupingURI:link | notes:text extensions:object`),
	"CFRubric": parseClass(`identifier!uuid uri!uri lastChangeDateTime!datetime title:text description:text
		CFRubricCriteria:CFRubricCriterion | extensions:object`),
	"CFRubricCriterion": parseClass(`identifier!uuid uri!uri lastChangeDateTime!datetime category:text description:text CFItemURI:link
		weight:number position:integer rubricId:text CFRubricCriterionLevels:CFRubricCriterionLevel | extensions:object`),
	"CFRubricCriterionLevel": parseClass(`identifier!uuid uri!uri lastChangeDateTime!datetime description:text quality:text score:number
		feedback:text position:integer rubricCriterionId:text | extensions:object`),
	"CFDefinitions": parseClass(`CFConcepts:CFConcept CFSubjects:CFSubject CFLicenses:CFLicense CFItemTypes:CFItemType
		CFAssociationGroupings:CFAssociationGrouping | extensions:object`),
	"CFConcept": parseClass(`identifier!uuid uri!uri title!text hierarchyCode!text lastChangeDateTime!datetime keywords:text
		description:text | extensions:object`),
	"CFSubject": parseClass(`identifier!uuid uri!uri title!text hierarchyCode!text lastChangeDateTime!datetime description:text
		| extensions:object`),
	"CFLicense": parseClass(`identifier!uuid uri!uri title!text licenseText!text lastChangeDateTime!datetime description:text
		| extensions:object`),
	"CFItemType": parseClass(`identifier!uuid uri!uri title!text description!text hierarchyCode!text lastChangeDateTime!datetime
		typeCode:text | extensions:object`),
	"CFAssociationGrouping": parseClass(`identifier!uuid uri!uri title!text lastChangeDateTime!datetime description:text
		| extensions:object`),
	"LinkURI":    parseClass(`title!text identifier!uuid uri!uri`),
	"LinkGenURI": parseClass(`title!text identifier!text uri!uri | targetType:target`),
}

// open are the classes that the schema of 1.0 lets have other members.
var open = []string{"CFDocument", "CFItem", "CFAssociation"}

// associationTypes are those of 1.0; 1.1 adds isTranslationOf and ext:.
var associationTypes = []string{"isChildOf", "isPeerOf", "isPartOf", "exactMatchOf", "precedes", "isRelatedTo", "replacedBy", "exemplar", "hasSkillLevel"}

// The patterns of the two schemas: 1.0 takes any hexadecimal UUID, 1.1 only
// versions 1 to 5 in lower case.
var (
	uuid10    = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	uuid11    = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[8-9a-b][0-9a-f]{3}-[0-9a-f]{12}$`)
	extension = regexp.MustCompile(`^ext:[A-Za-z0-9.\-_]+$`)
)

// Naive is an instant without its offset, one of the liberties.
const Naive = "2006-01-02T15:04:05"

// What well-known publishers of 1.0 write though the standard does not allow
// it. It is clear what they mean, so Read takes it, in 1.0 alone, and says so.
const (
	noOffset      = "%d instants have no offset; they are taken as UTC."
	quoted        = "%d whole numbers stand in quotation marks."
	noDescription = "%d item types have no description."
)

// Quoted is a whole number in quotation marks, one of the liberties.
var Quoted = regexp.MustCompile(`^"-?[0-9]{1,9}"$`)

// checker gathers the violations of one version.
type checker struct {
	v11   bool
	found []Violation
	more  int
	taken map[string]int // liberties, by their sentence
}

// take counts a liberty.
func (c *checker) take(liberty string) {
	if c.taken == nil {
		c.taken = map[string]int{}
	}
	c.taken[liberty]++
}

func (c *checker) refuse(rule, pointer string, value []byte, format string, args ...any) {
	if len(c.found) == maxViolations {
		c.more++
		return
	}
	c.found = append(c.found, Violation{Rule: rule, Pointer: pointer, Value: short(string(value)), Message: fmt.Sprintf(format, args...)})
}

// object checks one object of a class.
func (c *checker) object(name, pointer string, raw json.RawMessage) {
	var members map[string]json.RawMessage
	if len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &members) != nil {
		c.refuse("case-object", pointer, raw, "A %s is a JSON object.", name)
		return
	}
	c.members(name, pointer, members)
}

func (c *checker) members(name, pointer string, members map[string]json.RawMessage) {
	cl := classes[name]
	for m, v := range cl {
		if got, ok := members[m]; v.required && (!ok || string(got) == "null") {
			if name == "CFItemType" && m == "description" && !c.v11 {
				c.take(noDescription)
				continue
			}
			c.refuse("case-required-member", pointer+"/"+m, nil, "A %s has a member %s, and this one has none.", name, m)
		}
	}
	for m, v := range members {
		def, known := cl[m]
		switch {
		case !known || def.since11 && !c.v11:
			if c.v11 || !slices.Contains(open, name) {
				c.refuse("case-unknown-member", pointer+"/"+m, v, "CASE knows no member %s of a %s; other data belong into extensions.", m, name)
			}
		case string(v) == "null":
			if c.v11 {
				c.refuse("case-null", pointer+"/"+m, v, "Leave the member %s out instead of writing null.", m)
			}
		default:
			c.value(def.kind, name, pointer+"/"+m, v)
		}
	}
}

// value checks one member's value against its kind.
func (c *checker) value(kind, owner, pointer string, raw json.RawMessage) {
	switch kind {
	case "texts":
		c.texts(pointer, raw)
	case "links":
		c.list("LinkURI", pointer, raw)
	case "link":
		c.object("LinkURI", pointer, raw)
	case "genlink":
		c.object("LinkGenURI", pointer, raw)
	case "number", "integer":
		c.number(kind, pointer, raw)
	case "object":
		if raw[0] != '{' {
			c.refuse("case-object", pointer, raw, "Extensions are a JSON object.")
		}
	default:
		if _, ok := classes[kind]; ok {
			c.list(kind, pointer, raw)
			return
		}
		c.text(kind, owner, pointer, raw)
	}
}

func (c *checker) list(name, pointer string, raw json.RawMessage) {
	var all []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &all) != nil {
		c.refuse("case-list", pointer, raw, "This is a list of %s.", name)
		return
	}
	for i, o := range all {
		c.object(name, fmt.Sprintf("%s/%d", pointer, i), o)
	}
}

func (c *checker) texts(pointer string, raw json.RawMessage) {
	var all []string
	if raw[0] == '"' && !c.v11 {
		return
	}
	if raw[0] != '[' || json.Unmarshal(raw, &all) != nil {
		c.refuse("case-list", pointer, raw, "This is a list of text.")
	}
}

func (c *checker) number(kind, pointer string, raw json.RawMessage) {
	var f float64
	if kind == "integer" && !c.v11 && Quoted.Match(raw) {
		c.take(quoted)
		return
	}
	if json.Unmarshal(raw, &f) != nil || kind == "integer" && (f != float64(int32(f)) || strings.ContainsAny(string(raw), ".eE")) {
		c.refuse("case-"+kind, pointer, raw, "This is a JSON %s.", kind)
	}
}

func (c *checker) text(kind, owner, pointer string, raw json.RawMessage) {
	var s string
	if raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		c.refuse("case-text", pointer, raw, "This is a JSON string.")
		return
	}
	switch kind {
	case "uuid":
		if p := c.pattern(); !p.MatchString(s) {
			c.refuse("case-identifier-pattern", pointer, raw, "An identifier is a UUID%s.", map[bool]string{true: " of version 1 to 5 in lower case"}[c.v11])
		}
	case "uri", "url":
		if u, err := url.Parse(s); err != nil || !u.IsAbs() || strings.ContainsAny(s, " \t\r\n") {
			c.refuse("case-uri", pointer, raw, "This is an absolute URI.")
		}
	case "datetime":
		if _, err := time.Parse(time.RFC3339, s); err != nil {
			if _, err := time.Parse(Naive, s); err == nil && !c.v11 {
				c.take(noOffset)
				return
			}
			c.refuse("case-date-time", pointer, raw, "This is an instant with its offset, such as 2026-05-31T12:00:00Z.")
		}
	case "date":
		c.date(pointer, s, raw)
	case "association":
		if !slices.Contains(associationTypes, s) && !(c.v11 && (s == "isTranslationOf" || extension.MatchString(s))) {
			c.refuse("case-association-type", pointer, raw, "CASE knows no association of this type.")
		}
	case "target":
		if s != "CASE" && !extension.MatchString(s) {
			c.refuse("case-target-type", pointer, raw, "A target type is CASE or begins with ext:.")
		}
	case "version":
		if s != V11 {
			c.refuse("case-version", pointer, raw, "The member caseVersion of a %s is 1.1 or is left out.", owner)
		}
	}
}

func (c *checker) pattern() *regexp.Regexp {
	if c.v11 {
		return uuid11
	}
	return uuid10
}

// date takes a day; 1.0 takes an instant as well.
func (c *checker) date(pointer, s string, raw json.RawMessage) {
	if _, err := time.Parse(time.DateOnly, s); err == nil {
		return
	}
	if _, err := time.Parse(time.RFC3339, s); err == nil && !c.v11 {
		return
	}
	c.refuse("case-date", pointer, raw, "This is a day, such as 2026-05-31.")
}
