// Package openbadges is Open Badges 3.0: its classes as Go values, composing an
// AchievementCredential or EndorsementCredential from them, reading an
// Achievement or an Open Badges 2.0 BadgeClass, checking any of them by clause,
// and telling whether a recipient is the one it names.
//
// Documents are written in the canonical JSON form: what may be many is a list
// even when it is one, what is absent is left out, members stand in the order
// of the standard. Reading takes one value where a list may stand, and refuses
// members that no context defines, because they could not be signed. Sources:
// Open Badges 3.0 §B (data model), 2.0 §BadgeClass.
package openbadges

import (
	"encoding/json"
	"slices"
	"strings"
)

// The contexts of a credential, in the order they must have. The first decides
// the generation of the data model; the extensions are those of 1EdTech's
// status, refresh and schema types.
const (
	ContextCredentials   = "https://www.w3.org/ns/credentials/v2"
	ContextCredentials11 = "https://www.w3.org/2018/credentials/v1"
	ContextOpenBadges    = "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"
	ContextExtensions    = "https://purl.imsglobal.org/spec/ob/v3p0/extensions.json"
)

// List is a list that JSON-LD lets be written as its only element.
type List[T any] []T

// UnmarshalJSON reads a list or one element.
func (l *List[T]) UnmarshalJSON(b []byte) error {
	if b[0] == '[' || string(b) == "null" {
		return json.Unmarshal(b, (*[]T)(l))
	}
	var one T
	if err := json.Unmarshal(b, &one); err != nil {
		return err
	}
	*l = List[T]{one}
	return nil
}

// Achievement is what can be earned, OB 3.0 §B.1.2.
type Achievement struct {
	ID                string                  `json:"id"`
	Type              List[string]            `json:"type"`
	Alignment         List[Alignment]         `json:"alignment,omitempty"`
	AchievementType   string                  `json:"achievementType,omitempty"`
	Creator           *Profile                `json:"creator,omitempty"`
	CreditsAvailable  *float64                `json:"creditsAvailable,omitempty"`
	Criteria          *Criteria               `json:"criteria"`
	Description       string                  `json:"description"`
	Endorsement       List[json.RawMessage]   `json:"endorsement,omitempty"`
	EndorsementJWT    List[string]            `json:"endorsementJwt,omitempty"` // in no published context: only where a token secures the whole
	FieldOfStudy      string                  `json:"fieldOfStudy,omitempty"`
	HumanCode         string                  `json:"humanCode,omitempty"`
	Image             *Image                  `json:"image,omitempty"`
	InLanguage        string                  `json:"inLanguage,omitempty"`
	Name              string                  `json:"name"`
	OtherIdentifier   List[IdentifierEntry]   `json:"otherIdentifier,omitempty"`
	Related           List[Related]           `json:"related,omitempty"`
	ResultDescription List[ResultDescription] `json:"resultDescription,omitempty"`
	Specialization    string                  `json:"specialization,omitempty"`
	Tag               List[string]            `json:"tag,omitempty"`
	Version           string                  `json:"version,omitempty"`
}

// Criteria is how an achievement is earned, §B.1.8; one of the two is given.
type Criteria struct {
	ID        string `json:"id,omitempty"`
	Narrative string `json:"narrative,omitempty"` // Markdown
}

// Alignment points to a node of a framework, §B.1.5.
type Alignment struct {
	Type              List[string] `json:"type"`
	TargetCode        string       `json:"targetCode,omitempty"`
	TargetDescription string       `json:"targetDescription,omitempty"`
	TargetName        string       `json:"targetName"`
	TargetFramework   string       `json:"targetFramework,omitempty"`
	TargetType        string       `json:"targetType,omitempty"`
	TargetURL         string       `json:"targetUrl"`
}

// ResultDescription is a kind of result an achievement can have, §B.1.19.
type ResultDescription struct {
	ID                   string                     `json:"id"`
	Type                 List[string]               `json:"type"`
	Alignment            List[Alignment]            `json:"alignment,omitempty"`
	AllowedValue         List[string]               `json:"allowedValue,omitempty"` // low to high
	Name                 string                     `json:"name"`
	RequiredLevel        string                     `json:"requiredLevel,omitempty"`
	RequiredValue        string                     `json:"requiredValue,omitempty"`
	ResultType           string                     `json:"resultType"`
	RubricCriterionLevel List[RubricCriterionLevel] `json:"rubricCriterionLevel,omitempty"` // low to high
	ValueMax             string                     `json:"valueMax,omitempty"`
	ValueMin             string                     `json:"valueMin,omitempty"`
}

// RubricCriterionLevel is one step of a rubric, §B.1.20.
type RubricCriterionLevel struct {
	ID          string          `json:"id"`
	Type        List[string]    `json:"type"`
	Alignment   List[Alignment] `json:"alignment,omitempty"`
	Description string          `json:"description,omitempty"`
	Level       string          `json:"level,omitempty"`
	Name        string          `json:"name"`
	Points      string          `json:"points,omitempty"`
}

// Result is what was reached, §B.1.18.
type Result struct {
	Type              List[string]    `json:"type"`
	AchievedLevel     string          `json:"achievedLevel,omitempty"`
	Alignment         List[Alignment] `json:"alignment,omitempty"`
	ResultDescription string          `json:"resultDescription,omitempty"`
	Status            string          `json:"status,omitempty"`
	Value             string          `json:"value,omitempty"`
}

// Evidence is what shows that it was earned, §B.1.10.
type Evidence struct {
	ID          string       `json:"id,omitempty"`
	Type        List[string] `json:"type"`
	Narrative   string       `json:"narrative,omitempty"`
	Name        string       `json:"name,omitempty"`
	Description string       `json:"description,omitempty"`
	Genre       string       `json:"genre,omitempty"`
	Audience    string       `json:"audience,omitempty"`
}

// IdentityObject says who the learner is, §B.1.13.
type IdentityObject struct {
	Type         string `json:"type"`
	Hashed       bool   `json:"hashed"`
	IdentityHash string `json:"identityHash"`
	IdentityType string `json:"identityType"`
	Salt         string `json:"salt,omitempty"`
}

// IdentifierEntry is another name of a thing, §B.1.12.
type IdentifierEntry struct {
	Type           string `json:"type"`
	Identifier     string `json:"identifier"`
	IdentifierType string `json:"identifierType"`
}

// Image is a picture, §B.1.14.
type Image struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Caption string `json:"caption,omitempty"`
}

// UnmarshalJSON reads an Image, or the bare address that Open Badges 2.0 has.
func (i *Image) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		i.Type = "Image"
		return json.Unmarshal(b, &i.ID)
	}
	type plain Image
	return json.Unmarshal(b, (*plain)(i))
}

// Related points to another achievement, §B.1.17.
type Related struct {
	ID         string       `json:"id"`
	Type       List[string] `json:"type"`
	InLanguage string       `json:"inLanguage,omitempty"`
	Version    string       `json:"version,omitempty"`
}

// Profile is an issuer, a creator or another party, §B.1.16.
type Profile struct {
	ID               string                `json:"id"`
	Type             List[string]          `json:"type"`
	Name             string                `json:"name,omitempty"`
	URL              string                `json:"url,omitempty"`
	Phone            string                `json:"phone,omitempty"`
	Description      string                `json:"description,omitempty"`
	Endorsement      List[json.RawMessage] `json:"endorsement,omitempty"`
	EndorsementJWT   List[string]          `json:"endorsementJwt,omitempty"`
	Image            *Image                `json:"image,omitempty"`
	Email            string                `json:"email,omitempty"`
	Address          *Address              `json:"address,omitempty"`
	OtherIdentifier  List[IdentifierEntry] `json:"otherIdentifier,omitempty"`
	Official         string                `json:"official,omitempty"`
	ParentOrg        *Profile              `json:"parentOrg,omitempty"`
	FamilyName       string                `json:"familyName,omitempty"`
	GivenName        string                `json:"givenName,omitempty"`
	AdditionalName   string                `json:"additionalName,omitempty"`
	PatronymicName   string                `json:"patronymicName,omitempty"`
	HonorificPrefix  string                `json:"honorificPrefix,omitempty"`
	HonorificSuffix  string                `json:"honorificSuffix,omitempty"`
	FamilyNamePrefix string                `json:"familyNamePrefix,omitempty"`
	DateOfBirth      string                `json:"dateOfBirth,omitempty"` // a day
}

// Address is a postal address, §B.1.4.
type Address struct {
	Type                List[string]    `json:"type"`
	AddressCountry      string          `json:"addressCountry,omitempty"`
	AddressCountryCode  string          `json:"addressCountryCode,omitempty"` // ISO 3166-1 alpha-2
	AddressRegion       string          `json:"addressRegion,omitempty"`
	AddressLocality     string          `json:"addressLocality,omitempty"`
	StreetAddress       string          `json:"streetAddress,omitempty"`
	PostOfficeBoxNumber string          `json:"postOfficeBoxNumber,omitempty"`
	PostalCode          string          `json:"postalCode,omitempty"`
	Geo                 *GeoCoordinates `json:"geo,omitempty"`
}

// GeoCoordinates is a place on the Earth in degrees, §B.1.11.
type GeoCoordinates struct {
	Type      string  `json:"type"`
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

// Subject is the learner and what was earned, §B.1.3.
type Subject struct {
	ID                string               `json:"id,omitempty"`
	Type              List[string]         `json:"type"`
	ActivityEndDate   string               `json:"activityEndDate,omitempty"`
	ActivityStartDate string               `json:"activityStartDate,omitempty"`
	CreditsEarned     *float64             `json:"creditsEarned,omitempty"`
	Achievement       Achievement          `json:"achievement"`
	Identifier        List[IdentityObject] `json:"identifier,omitempty"`
	Image             *Image               `json:"image,omitempty"` // into which it is baked
	LicenseNumber     string               `json:"licenseNumber,omitempty"`
	Narrative         string               `json:"narrative,omitempty"`
	Result            List[Result]         `json:"result,omitempty"`
	Role              string               `json:"role,omitempty"`
	Source            *Profile             `json:"source,omitempty"`
	Term              string               `json:"term,omitempty"`
}

// Credential is an AchievementCredential without its proof, §B.1.1.
type Credential struct {
	Context           []string              `json:"@context"`
	ID                string                `json:"id"`
	Type              List[string]          `json:"type"`
	Name              string                `json:"name"`
	Description       string                `json:"description,omitempty"`
	Image             *Image                `json:"image,omitempty"`
	AwardedDate       string                `json:"awardedDate,omitempty"` // RFC 3339, as all of them; it stays when validFrom moves
	CredentialSubject Subject               `json:"credentialSubject"`
	Endorsement       List[json.RawMessage] `json:"endorsement,omitempty"`
	EndorsementJWT    List[string]          `json:"endorsementJwt,omitempty"`
	Evidence          List[Evidence]        `json:"evidence,omitempty"`
	Issuer            Profile               `json:"issuer"`
	ValidFrom         string                `json:"validFrom"`
	ValidUntil        string                `json:"validUntil,omitempty"`
	Attached
}

// Attached is what a credential of any kind says about itself.
type Attached struct {
	CredentialSchema List[Reference] `json:"credentialSchema,omitempty"`
	CredentialStatus json.RawMessage `json:"credentialStatus,omitempty"` // one object, of bitstring or of 1EdTech
	RefreshService   *Reference      `json:"refreshService,omitempty"`
	TermsOfUse       List[Reference] `json:"termsOfUse,omitempty"`
}

// Reference is an address with the type of what lies there: a schema, a refresh
// service, terms of use.
type Reference struct {
	ID   string `json:"id,omitempty"`
	Type string `json:"type"`
}

// SchemaValidator is the type of credentialSchema that 1EdTech defines.
const SchemaValidator = "1EdTechJsonSchemaValidator2019"

// Contexts are the contexts of a credential behind the given ones: the
// extensions of 1EdTech where it has one of their types, which no other context
// defines.
func (a Attached) Contexts(first ...string) []string {
	types := []string{}
	for _, s := range a.CredentialSchema {
		types = append(types, s.Type)
	}
	for _, t := range a.TermsOfUse {
		types = append(types, t.Type)
	}
	if a.RefreshService != nil {
		types = append(types, a.RefreshService.Type)
	}
	var status struct {
		Type List[string] `json:"type"`
	}
	if a.CredentialStatus != nil && json.Unmarshal(a.CredentialStatus, &status) == nil {
		types = append(types, status.Type...)
	}
	if slices.ContainsFunc(types, func(t string) bool { return strings.HasPrefix(t, "1EdTech") }) {
		first = append(first, ContextExtensions)
	}
	return first
}

// Compose is the document of a credential, in the standard's member order.
func Compose(c Credential) ([]byte, error) {
	c.Context = c.Contexts(ContextCredentials, ContextOpenBadges)
	c.Type = List[string]{"VerifiableCredential", "AchievementCredential"}
	return json.Marshal(c)
}

// Endorsement is an EndorsementCredential without its proof, §B.1.9: one party
// stands by a credential, an achievement or a profile of another.
type Endorsement struct {
	Context           []string           `json:"@context"`
	Type              List[string]       `json:"type"`
	ID                string             `json:"id"`
	Name              string             `json:"name"`
	Description       string             `json:"description,omitempty"`
	CredentialSubject EndorsementSubject `json:"credentialSubject"`
	AwardedDate       string             `json:"awardedDate,omitempty"`
	Issuer            Profile            `json:"issuer"`
	ValidFrom         string             `json:"validFrom"`
	ValidUntil        string             `json:"validUntil,omitempty"`
	Attached
}

// EndorsementSubject is what is endorsed, by its id.
type EndorsementSubject struct {
	ID                 string       `json:"id"`
	Type               List[string] `json:"type"`
	EndorsementComment string       `json:"endorsementComment,omitempty"` // Markdown
}

// ComposeEndorsement is the document of an endorsement.
func ComposeEndorsement(e Endorsement) ([]byte, error) {
	e.Context = e.Contexts(ContextCredentials, ContextOpenBadges)
	e.Type = List[string]{"VerifiableCredential", "EndorsementCredential"}
	e.CredentialSubject.Type = List[string]{"EndorsementSubject"}
	return json.Marshal(e)
}

// AchievementTypes are those of the standard, §B.2.1; others begin with ext:.
func AchievementTypes() []string { return slices.Clone(achievementTypes) }

// ResultTypes are those of the standard, §B.2.4; others begin with ext:.
func ResultTypes() []string { return slices.Clone(resultTypes) }

// TargetTypes are those of the standard, §B.2.2; others begin with ext:.
func TargetTypes() []string { return slices.Clone(targetTypes) }

// IdentifierTypes are those of the standard, §B.2.3; others begin with ext:.
func IdentifierTypes() []string { return slices.Clone(identifierTypes) }

// Statuses are all there are, §B.2.5.
func Statuses() []string { return slices.Clone(statuses) }

var (
	achievementTypes = []string{"Achievement", "ApprenticeshipCertificate", "Assessment", "Assignment", "AssociateDegree", "Award",
		"Badge", "BachelorDegree", "Certificate", "CertificateOfCompletion", "Certification", "CommunityService", "Competency",
		"Course", "CoCurricular", "Degree", "Diploma", "DoctoralDegree", "Fieldwork", "GeneralEducationDevelopment",
		"JourneymanCertificate", "LearningProgram", "License", "Membership", "ProfessionalDoctorate", "QualityAssuranceCredential",
		"MasterCertificate", "MasterDegree", "MicroCredential", "ResearchDoctorate", "SecondarySchoolDiploma"}
	targetTypes = []string{"ceasn:Competency", "ceterms:Credential", "CFItem", "CFRubric", "CFRubricCriterion", "CFRubricCriterionLevel", "CTDL"}
	resultTypes = []string{"GradePointAverage", "LetterGrade", "Percent", "PerformanceLevel", "PredictedScore", "RawScore", "Result",
		"RubricCriterion", "RubricCriterionLevel", "RubricScore", "ScaledScore", "Status"}
	statuses        = []string{"Completed", "Enrolled", "Failed", "InProgress", "OnHold", "Provisional", "Withdrew"}
	identifierTypes = []string{"name", "sourcedId", "systemId", "productId", "userName", "accountId", "emailAddress",
		"nationalIdentityNumber", "isbn", "issn", "lisSourcedId", "oneRosterSourcedId", "sisSourcedId", "ltiContextId",
		"ltiDeploymentId", "ltiToolId", "ltiPlatformId", "ltiUserId", "identifier"}
)
