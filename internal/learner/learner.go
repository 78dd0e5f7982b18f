// Package learner is the people: what they are called now, what they were
// called before, and what other systems call them.
//
// A name is never overwritten: a new one is added with the day it holds from
// and the reason, and the old one stays in the history. Nothing personal goes
// into the audit or a log; lines there name the learner by id.
package learner

import (
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
)

// ID names a learner: lrn_ and text.
type ID string

// Learner is one person as the institution knows them now.
type Learner struct {
	ID             ID
	RefSystem      *string
	RefValue       *string
	DisplayName    string
	GivenName      *string
	FamilyName     *string
	AdditionalName *string
	Email          *string
	BirthOn        *day.Date
	DID            *string `db:"did"`
	Version        int
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// ExternalRef is what the system of origin calls the learner, or nil.
func (l Learner) ExternalRef() *id.Ref {
	if l.RefSystem == nil || l.RefValue == nil {
		return nil
	}
	return &id.Ref{System: *l.RefSystem, Value: *l.RefValue}
}

// SubjectID is the id of the credential subject: the learner's DID, else a
// urn:uuid of the learner's own id.
func (l Learner) SubjectID() string {
	if l.DID != nil {
		return *l.DID
	}
	u, err := id.UUID(string(l.ID))
	if err != nil {
		u = uuid.Nil // learner ids are made by package id
	}
	return "urn:uuid:" + u.String()
}

// Name is one name a learner has or had.
type Name struct {
	LearnerID      ID
	Position       int
	DisplayName    string
	GivenName      *string
	FamilyName     *string
	AdditionalName *string
	EffectiveOn    day.Date
	RecordedAt     time.Time
	RecordedBy     string
	Reason         string
}

// Identifier is what somebody calls the learner. Type is one of Open Badges'
// IdentifierTypeEnum or an ext: string.
type Identifier struct {
	LearnerID ID `json:"-"`
	Type      string
	Value     string
}

// Definition is what may be said of a learner. Without DisplayName the given
// and family names make it.
type Definition struct {
	Ref            *id.Ref
	DisplayName    string
	GivenName      *string
	FamilyName     *string
	AdditionalName *string
	Email          *string
	BirthOn        *day.Date
	DID            *string
	Identifiers    []Identifier
}

// identifierTypes are those of Open Badges 3.0, IdentifierTypeEnum.
var identifierTypes = []string{"name", "sourcedId", "systemId", "productId", "userName", "accountId", "emailAddress",
	"nationalIdentityNumber", "isbn", "issn", "lisSourcedId", "oneRosterSourcedId", "sisSourcedId", "ltiContextId",
	"ltiDeploymentId", "ltiToolId", "ltiPlatformId", "ltiUserId", "identifier"}

var (
	extension = regexp.MustCompile(`^ext:[A-Za-z0-9.\-_|]+$`)
	didForm   = regexp.MustCompile(`^did:[a-z0-9]+:[A-Za-z0-9._:%-]+$`)
)

// The longest texts.
const (
	maxName       = 200
	maxIdentifier = 400
)

// Whole is the definition with the display name filled in and blanks trimmed.
func (d Definition) Whole() Definition {
	trim := func(p *string) *string {
		if p == nil {
			return nil
		}
		if v := strings.TrimSpace(*p); v != "" {
			return &v
		}
		return nil
	}
	d.GivenName, d.FamilyName, d.AdditionalName = trim(d.GivenName), trim(d.FamilyName), trim(d.AdditionalName)
	d.Email, d.DID = trim(d.Email), trim(d.DID)
	d.DisplayName = strings.TrimSpace(d.DisplayName)
	if d.DisplayName == "" {
		var parts []string
		for _, p := range []*string{d.GivenName, d.AdditionalName, d.FamilyName} {
			if p != nil {
				parts = append(parts, *p)
			}
		}
		d.DisplayName = strings.Join(parts, " ")
	}
	return d
}

// Check is the first rule that a whole definition breaks, or nil.
func (d Definition) Check() *fault.Error {
	if d.DisplayName == "" {
		return nameless()
	}
	return d.checkDetails()
}

func nameless() *fault.Error {
	return fault.At("displayName", "required", "A learner needs a display name, or a given or family name.")
}

// checkDetails checks all but that there is a name.
func (d Definition) checkDetails() *fault.Error {
	for field, v := range map[string]*string{"displayName": &d.DisplayName, "givenName": d.GivenName, "familyName": d.FamilyName, "additionalName": d.AdditionalName} {
		if v != nil && len([]rune(*v)) > maxName {
			return fault.At(field, "too-long", "A name has at most %d characters.", maxName)
		}
	}
	if d.Email != nil {
		if a, err := mail.ParseAddress(*d.Email); err != nil || a.Address != *d.Email {
			return fault.At("email", "email", "%q is not an e-mail address.", *d.Email)
		}
	}
	if d.DID != nil && !didForm.MatchString(*d.DID) {
		return fault.At("did", "did", "%q is not a decentralized identifier: it begins with did: and a method.", *d.DID)
	}
	if d.Ref != nil && (d.Ref.System == "" || d.Ref.Value == "") {
		return fault.At("externalRef", "required", "An external reference has a system and a value.")
	}
	for _, i := range d.Identifiers {
		if err := i.check(); err != nil {
			return err
		}
	}
	return nil
}

func (i Identifier) check() *fault.Error {
	if !slices.Contains(identifierTypes, i.Type) && !extension.MatchString(i.Type) {
		return fault.At("identifiers", "identifier-type", "%q is not a type of identifier: use one of Open Badges 3.0's, or ext: and a name.", i.Type)
	}
	if i.Value == "" || len(i.Value) > maxIdentifier {
		return fault.At("identifiers", "identifier-value", "An identifier has between 1 and %d characters.", maxIdentifier)
	}
	return nil
}

// Renaming is a new name with the day it holds from and why.
type Renaming struct {
	DisplayName    string
	GivenName      *string
	FamilyName     *string
	AdditionalName *string
	EffectiveOn    *day.Date // nil: today
	Reason         string
}
