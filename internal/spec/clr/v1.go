package clr

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/shape"
)

// v1 are the classes of the version 1.0, which is no verifiable credential. Its
// schemas were closed nowhere, and names are plural.
var v1 = shape.New("CLR 1.0", `
ClrSet §ClrSet
	id:uri type:word clrs*Clr signedClrs*jws
Clr §Clr
	id!uri type:any learner!Profile publisher!Profile issuedOn!instant name:text partial:boolean assertions*Assertion
	signedAssertions*jws achievements*Achievement endorsements*object signedEndorsements*jws verification:object
	revoked:boolean revocationReason:text
Assertion §Assertion
	id!uri type:any achievement:uri|Achievement recipient:Identity issuedOn!instant expires:instant activityStartDate:instant
	activityEndDate:instant creditsEarned:number evidence*uri|Evidence image:any licenseNumber:text narrative:text
	results*Result role:text source:Profile term:text endorsements*object signedEndorsements*jws revoked:boolean
	revocationReason:text verification:object
Achievement §Achievement
	id!uri type:any name!text achievementType:text issuer:Profile alignments*Alignment associations*Association1
	creditsAvailable:number description:text endorsements*object fieldOfStudy:text humanCode:text identifiers*Identifier
	image:any level:text requirement:Requirement resultDescriptions*ResultDescription signedEndorsements*jws
	specialization:text tags*text
Requirement §Criteria
	id:uri narrative:text
Identity §Identity
	id:uri type:word identity:text hashed:boolean salt:text
Evidence §Evidence
	id:uri type:any name:text description:text narrative:text genre:text audience:text artifacts*object
Association1 §Association
	associationType!associationType1 targetId!uri title:text
Alignment §Alignment
	targetName:text targetUrl:uri targetCode:text targetDescription:text frameworkName:text targetFramework:text targetType:text
Result §Result
	resultDescription:uri status:text value:any achievedLevel:uri alignments*Alignment
ResultDescription §ResultDescription
	id!uri name!text resultType!text allowedValues*text requiredLevel:uri requiredValue:text
	rubricCriterionLevels*Level valueMin:text valueMax:text alignments*Alignment
Level §RubricCriterionLevel
	id!uri name!text description:text level:text points:text alignments*Alignment
Profile §Profile
	id!uri name:text sourcedId:text studentId:text identifiers*Identifier email:text telephone:text url:uri birthDate:text
	givenName:text familyName:text additionalName:text description:text address:object official:text parentOrg:Profile
	publicKey:any revocationList:any verification:any
Identifier §Identifier
	identifier!text identifierType!text
`, map[string]shape.Enum{"associationType1": {Rule: "association-type",
	Words: append([]string{"exemplar", "hasSkillLevel"}, associationTypes...)}})

// Imported is a record of version 1.0 in the classes of 2.0. It is unsigned
// until somebody issues it, and its credentials have to be signed before they
// can stand in it.
type Imported struct {
	Record      Credential // with no embedded credential
	Credentials []Original
	Notes       []string // what has no place in 2.0 and how it was told instead
	Revoked     bool
	Reason      string
}

// Original is one assertion of a record of version 1.0.
type Original struct {
	Credential openbadges.Credential
	Bytes      []byte // as it stood in the record: an object or a signed token
	Signed     bool   // a token; its signature is not checked here
	Revoked    bool
	Reason     string
}

// EvidenceOfOriginal is the type of an evidence that is the original assertion,
// as the implementation guide of Open Badges asks.
const EvidenceOfOriginal = "https://w3id.org/openbadges#Assertion"

// IsV1 reports whether a document is a record or a set of records of version
// 1.0.
func IsV1(v jsonld.Value) bool {
	types := v.Member("type").Texts()
	return slices.Contains(types, "Clr") || slices.Contains(types, "ClrSet") ||
		strings.HasPrefix(openbadges.Generation(v), "https://purl.imsglobal.org/spec/clr/v1p0/")
}

// ReadV1 reads a record or a set of records of version 1.0. Problems are told
// by clause of that version; with problems nothing is imported.
func ReadV1(v jsonld.Value) ([]Imported, []shape.Problem) {
	if slices.Contains(v.Member("type").Texts(), "ClrSet") {
		if p := v1.Check("ClrSet", v, shape.Compact); len(p) > 0 {
			return nil, p
		}
		var all []Imported
		for _, c := range v.Member("clrs").Elements() {
			all = append(all, importClr(c))
		}
		for _, token := range v.Member("signedClrs").Texts() {
			c, err := payload(token)
			if err == nil {
				if p := v1.Check("Clr", c, shape.Compact); len(p) > 0 {
					return nil, p
				}
				all = append(all, importClr(c))
			}
		}
		return all, nil
	}
	if p := v1.Check("Clr", v, shape.Compact); len(p) > 0 {
		return nil, p
	}
	return []Imported{importClr(v)}, nil
}

type importer struct {
	Imported
	seen map[string]bool // achievements already told
}

func importClr(v jsonld.Value) Imported {
	i := &importer{seen: map[string]bool{}}
	learner, issued := v.Member("learner"), text(v, "issuedOn")
	i.Revoked, _ = v.Member("revoked").Bool()
	i.Reason = text(v, "revocationReason")
	partial, _ := v.Member("partial").Bool()
	name := text(v, "name")
	if name == "" {
		name = "Record of " + text(learner, "name")
	}
	subject := text(learner, "id")
	i.Record = Credential{ID: text(v, "id"), Name: name, Issuer: *i.profile(v.Member("publisher")), ValidFrom: issued, Partial: partial,
		CredentialSubject: Subject{ID: subject, Identifier: identities(learner)}}
	for _, a := range v.Member("achievements").Elements() {
		one := i.achievement(a)
		i.Record.CredentialSubject.Achievement = append(i.Record.CredentialSubject.Achievement, one)
	}
	for _, a := range v.Member("assertions").Elements() {
		i.assertion(a, a.Raw(), false)
	}
	for _, token := range v.Member("signedAssertions").Texts() {
		a, err := payload(token)
		if err != nil || len(v1.Check("Assertion", a, shape.Compact)) > 0 {
			i.note("A signed assertion cannot be read; it stays in the original.")
			continue
		}
		i.assertion(a, []byte(token), true)
	}
	if n := v.Member("endorsements").Len() + v.Member("signedEndorsements").Len(); n > 0 {
		i.note("Endorsements of version 1.0 stay in the original; their form is not that of 2.0.")
	}
	return i.Imported
}

func (i *importer) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); len(i.Notes) < shape.MaxProblems && !slices.Contains(i.Notes, n) {
		i.Notes = append(i.Notes, n)
	}
}

// assertion tells an assertion as an AchievementCredential of the publisher, or
// of its source.
func (i *importer) assertion(a jsonld.Value, raw []byte, signed bool) {
	o := Original{Bytes: raw, Signed: signed, Reason: text(a, "revocationReason")}
	o.Revoked, _ = a.Member("revoked").Bool()
	earned := a.Member("achievement")
	if !earned.IsObject() {
		if id, ok := earned.Text(); ok {
			i.note("The achievement of %s is named by its address %s alone, and is left out.", text(a, "id"), id)
		} else {
			i.note("The assertion %s names no achievement, and is left out.", text(a, "id"))
		}
		return
	}
	ach := i.achievement(earned)
	subject := openbadges.Subject{ID: i.Record.CredentialSubject.ID, Type: openbadges.List[string]{"AchievementSubject"}, Achievement: ach,
		ActivityStartDate: text(a, "activityStartDate"), ActivityEndDate: text(a, "activityEndDate"), CreditsEarned: float(a, "creditsEarned"),
		LicenseNumber: text(a, "licenseNumber"), Narrative: text(a, "narrative"), Role: text(a, "role"), Term: text(a, "term"),
		Identifier: i.Record.CredentialSubject.Identifier}
	if s := a.Member("source"); s.IsObject() {
		subject.Source = i.profile(s)
	}
	for _, r := range a.Member("results").Elements() {
		subject.Result = append(subject.Result, i.result(r))
	}
	c := openbadges.Credential{ID: text(a, "id"), Name: ach.Name, Issuer: i.Record.Issuer, ValidFrom: text(a, "issuedOn"),
		AwardedDate: text(a, "issuedOn"), ValidUntil: text(a, "expires"), CredentialSubject: subject}
	for _, e := range a.Member("evidence").Elements() {
		c.Evidence = append(c.Evidence, evidence(e))
	}
	if n := a.Member("endorsements").Len() + a.Member("signedEndorsements").Len(); n > 0 {
		i.note("Endorsements of version 1.0 stay in the original; their form is not that of 2.0.")
	}
	o.Credential = c
	i.Credentials = append(i.Credentials, o)
}

func evidence(e jsonld.Value) openbadges.Evidence {
	if id, ok := e.Text(); ok {
		return openbadges.Evidence{ID: id, Type: openbadges.List[string]{"Evidence"}}
	}
	return openbadges.Evidence{ID: text(e, "id"), Type: openbadges.List[string]{"Evidence"}, Name: text(e, "name"),
		Description: text(e, "description"), Narrative: text(e, "narrative"), Genre: text(e, "genre"), Audience: text(e, "audience")}
}

func (i *importer) result(r jsonld.Value) openbadges.Result {
	v := r.Member("value")
	value, ok := v.Text()
	if n, isNumber := v.Number(); !ok && isNumber {
		value = n
	}
	out := openbadges.Result{Type: openbadges.List[string]{"Result"}, ResultDescription: text(r, "resultDescription"),
		AchievedLevel: text(r, "achievedLevel"), Value: value, Status: text(r, "status"), Alignment: alignments(r)}
	if out.Status != "" && !slices.Contains(openbadges.Statuses(), out.Status) {
		i.note("The status %q is none of 2.0; it is told as a value.", out.Status)
		if out.Value == "" {
			out.Value = out.Status
		}
		out.Status = ""
	}
	return out
}

// renamed are the achievement types that have another name in 2.0.
var renamed = map[string]string{"Co-Curricular": "CoCurricular", "AssessmentResult": "Assessment"}

func (i *importer) achievement(a jsonld.Value) openbadges.Achievement {
	kind := text(a, "achievementType")
	if other, ok := renamed[kind]; ok {
		kind = other
	}
	if kind != "" && !slices.Contains(openbadges.AchievementTypes(), kind) && !shape.Extension(kind) {
		i.note("The achievement type %q is none of 2.0; it is told as an extension.", kind)
		kind = "ext:" + strings.Map(word, kind)
	}
	out := openbadges.Achievement{ID: text(a, "id"), Type: openbadges.List[string]{"Achievement"}, AchievementType: kind, Name: text(a, "name"),
		Description: text(a, "description"), FieldOfStudy: text(a, "fieldOfStudy"), HumanCode: text(a, "humanCode"),
		Specialization: text(a, "specialization"), Tag: a.Member("tags").Texts(), CreditsAvailable: float(a, "creditsAvailable"),
		Alignment: alignments(a), OtherIdentifier: i.identifiers(a), Image: image(a)}
	if out.Description == "" {
		out.Description = out.Name // required in 2.0 and not in 1.0
	}
	req := a.Member("requirement")
	out.Criteria = &openbadges.Criteria{ID: text(req, "id"), Narrative: text(req, "narrative")}
	if *out.Criteria == (openbadges.Criteria{}) {
		out.Criteria.Narrative = "The record of version 1.0 does not say how it was earned."
	}
	if p := a.Member("issuer"); p.IsObject() {
		out.Creator = i.profile(p)
	}
	for _, d := range a.Member("resultDescriptions").Elements() {
		out.ResultDescription = append(out.ResultDescription, i.description(d))
	}
	if !i.seen[out.ID] {
		i.seen[out.ID] = true
		i.associations(a)
	}
	return out
}

func word(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".-_", r) {
		return r
	}
	return '_'
}

// associations moves those of an achievement to the subject, with it as their
// source.
func (i *importer) associations(a jsonld.Value) {
	for _, l := range a.Member("associations").Elements() {
		kind := text(l, "associationType")
		if !slices.Contains(associationTypes, kind) {
			i.note("Associations of type %s are none of 2.0; they are told as isRelatedTo.", kind)
			kind = "isRelatedTo"
		}
		i.Record.CredentialSubject.Association = append(i.Record.CredentialSubject.Association,
			Association{Type: "Association", AssociationType: kind, SourceID: text(a, "id"), TargetID: text(l, "targetId")})
	}
}

func (i *importer) description(d jsonld.Value) openbadges.ResultDescription {
	kind := text(d, "resultType")
	if !slices.Contains(openbadges.ResultTypes(), kind) && !shape.Extension(kind) {
		i.note("The result type %q is none of 2.0; it is told as an extension.", kind)
		kind = "ext:" + strings.Map(word, kind)
	}
	out := openbadges.ResultDescription{ID: text(d, "id"), Type: openbadges.List[string]{"ResultDescription"}, Name: text(d, "name"),
		ResultType: kind, AllowedValue: d.Member("allowedValues").Texts(), RequiredLevel: text(d, "requiredLevel"),
		RequiredValue: text(d, "requiredValue"), ValueMin: text(d, "valueMin"), ValueMax: text(d, "valueMax"), Alignment: alignments(d)}
	for _, l := range d.Member("rubricCriterionLevels").Elements() {
		out.RubricCriterionLevel = append(out.RubricCriterionLevel, openbadges.RubricCriterionLevel{ID: text(l, "id"),
			Type: openbadges.List[string]{"RubricCriterionLevel"}, Name: text(l, "name"), Description: text(l, "description"),
			Level: text(l, "level"), Points: text(l, "points"), Alignment: alignments(l)})
	}
	return out
}

func alignments(v jsonld.Value) openbadges.List[openbadges.Alignment] {
	var out openbadges.List[openbadges.Alignment]
	for _, a := range v.Member("alignments").Elements() {
		framework := text(a, "frameworkName")
		if framework == "" {
			framework = text(a, "targetFramework")
		}
		one := openbadges.Alignment{Type: openbadges.List[string]{"Alignment"}, TargetName: text(a, "targetName"), TargetURL: text(a, "targetUrl"),
			TargetCode: text(a, "targetCode"), TargetDescription: text(a, "targetDescription"), TargetFramework: framework}
		if kind := text(a, "targetType"); slices.Contains(openbadges.TargetTypes(), kind) || shape.Extension(kind) {
			one.TargetType = kind
		}
		out = append(out, one)
	}
	return out
}

func (i *importer) profile(v jsonld.Value) *openbadges.Profile {
	p := openbadges.Profile{ID: text(v, "id"), Type: openbadges.List[string]{"Profile"}, Name: text(v, "name"), URL: text(v, "url"),
		Phone: text(v, "telephone"), Description: text(v, "description"), Email: text(v, "email"), OtherIdentifier: i.identifiers(v),
		Official: text(v, "official"), GivenName: text(v, "givenName"), FamilyName: text(v, "familyName"), AdditionalName: text(v, "additionalName"),
		Image: image(v)}
	for _, k := range [][2]string{{"sourcedId", "sourcedId"}, {"studentId", "sisSourcedId"}} {
		if id := text(v, k[0]); id != "" {
			p.OtherIdentifier = append(p.OtherIdentifier, openbadges.IdentifierEntry{Type: "IdentifierEntry", Identifier: id, IdentifierType: k[1]})
		}
	}
	if o := v.Member("parentOrg"); o.IsObject() {
		p.ParentOrg = i.profile(o)
	}
	if a := v.Member("address"); a.IsObject() {
		p.Address = &openbadges.Address{Type: openbadges.List[string]{"Address"}, AddressCountry: text(a, "addressCountry"),
			AddressLocality: text(a, "addressLocality"), AddressRegion: text(a, "addressRegion"), PostalCode: text(a, "postalCode"),
			StreetAddress: text(a, "streetAddress"), PostOfficeBoxNumber: text(a, "postOfficeBoxNumber")}
	}
	return &p
}

func (i *importer) identifiers(v jsonld.Value) openbadges.List[openbadges.IdentifierEntry] {
	var out openbadges.List[openbadges.IdentifierEntry]
	for _, e := range v.Member("identifiers").Elements() {
		kind := text(e, "identifierType")
		if !slices.Contains(openbadges.IdentifierTypes(), kind) && !shape.Extension(kind) {
			kind = "ext:" + strings.Map(word, kind)
		}
		out = append(out, openbadges.IdentifierEntry{Type: "IdentifierEntry", Identifier: text(e, "identifier"), IdentifierType: kind})
	}
	return out
}

// identities are what names the learner beside the id.
func identities(learner jsonld.Value) openbadges.List[openbadges.IdentityObject] {
	var out openbadges.List[openbadges.IdentityObject]
	for _, k := range [][2]string{{"name", "name"}, {"studentId", "sisSourcedId"}, {"sourcedId", "sourcedId"}, {"email", "emailAddress"}} {
		if v := text(learner, k[0]); v != "" {
			out = append(out, openbadges.IdentityObject{Type: "IdentityObject", IdentityHash: v, IdentityType: k[1]})
		}
	}
	return out
}

func image(v jsonld.Value) *openbadges.Image {
	m := v.Member("image")
	id, ok := m.Text()
	if !ok {
		id = text(m, "id")
	}
	if !shape.URI(id) {
		return nil
	}
	return &openbadges.Image{ID: id, Type: "Image", Caption: text(m, "caption")}
}

func text(v jsonld.Value, member string) string {
	s, _ := v.Member(member).Text()
	return s
}

func float(v jsonld.Value, member string) *float64 {
	n, ok := v.Member(member).Number()
	f, err := strconv.ParseFloat(n, 64)
	if !ok || err != nil {
		return nil
	}
	return &f
}
