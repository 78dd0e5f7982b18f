// Package clr is the Comprehensive Learner Record 2.0: composing a
// ClrCredential around credentials that are signed already, and checking one.
//
// The embedded credentials go in byte for byte. The outer signature over the
// canonical form does not bind them to their places, so each must carry its own
// proof and be verified on its own; a second outer proof over the whole document
// binds the rest. Sources: CLR Standard 2.0 JSON schemas, §ClrCredential,
// §ClrSubject, §Association.
package clr

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/testamur/testamur/internal/spec/openbadges"
)

// Context is the CLR context; it stands between the two of a badge.
const Context = "https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json"

// Association links two achievements, read as source type target.
type Association struct {
	Type            string `json:"type"`
	AssociationType string `json:"associationType"`
	SourceID        string `json:"sourceId"`
	TargetID        string `json:"targetId"`
}

// AssociationTypes are all there are; the list is closed.
func AssociationTypes() []string { return slices.Clone(associationTypes) }

var associationTypes = []string{"exactMatchOf", "isChildOf", "isParentOf", "isPartOf", "isPeerOf", "isRelatedTo", "precedes", "replacedBy"}

// Subject is the learner and what is told of them.
type Subject struct {
	ID                   string                                     `json:"id,omitempty"`
	Type                 []string                                   `json:"type"`
	Identifier           openbadges.List[openbadges.IdentityObject] `json:"identifier,omitempty"`
	Achievement          openbadges.List[openbadges.Achievement]    `json:"achievement,omitempty"`
	VerifiableCredential []json.RawMessage                          `json:"verifiableCredential"`
	Association          openbadges.List[Association]               `json:"association,omitempty"`
}

// Credential is a ClrCredential without its proofs.
type Credential struct {
	Context           []string           `json:"@context"`
	ID                string             `json:"id"`
	Type              []string           `json:"type"`
	Name              string             `json:"name"`
	Description       string             `json:"description,omitempty"`
	Issuer            openbadges.Profile `json:"issuer"`
	ValidFrom         string             `json:"validFrom"`
	AwardedDate       string             `json:"awardedDate,omitempty"`
	CredentialSubject Subject            `json:"credentialSubject"`
	Partial           bool               `json:"partial"` // true: the issuer holds more of this learner than this
}

// Compose is the document of a record. The embedded credentials keep their
// bytes, whose blanks apart JSON leaves as they are.
func Compose(c Credential) ([]byte, error) {
	c.Context = []string{openbadges.ContextCredentials, Context, openbadges.ContextOpenBadges}
	c.Type = []string{"VerifiableCredential", "ClrCredential"}
	c.CredentialSubject.Type = []string{"ClrSubject"}
	if len(c.CredentialSubject.VerifiableCredential) == 0 {
		return nil, errors.New("a record holds at least one credential")
	}
	for _, a := range c.CredentialSubject.Association {
		if !slices.Contains(associationTypes, a.AssociationType) {
			return nil, fmt.Errorf("%q is not an association of the standard", a.AssociationType)
		}
	}
	return json.Marshal(c)
}

// Embedded are the credentials of a record, as they stand in it.
func Embedded(document []byte) ([]json.RawMessage, error) {
	var d struct {
		CredentialSubject struct {
			VerifiableCredential openbadges.List[json.RawMessage] `json:"verifiableCredential"`
		} `json:"credentialSubject"`
	}
	err := json.Unmarshal(document, &d)
	return d.CredentialSubject.VerifiableCredential, err
}

// Dangling are the association ends that are no achievement of the record,
// neither of an embedded credential nor of the list beside them.
func Dangling(document []byte) ([]string, error) {
	type achievement struct {
		ID string `json:"id"`
	}
	var d struct {
		CredentialSubject struct {
			Achievement          openbadges.List[achievement] `json:"achievement"`
			Association          openbadges.List[Association] `json:"association"`
			VerifiableCredential openbadges.List[struct {
				CredentialSubject openbadges.List[struct {
					Achievement achievement `json:"achievement"`
				}] `json:"credentialSubject"`
			}] `json:"verifiableCredential"`
		} `json:"credentialSubject"`
	}
	if err := json.Unmarshal(document, &d); err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, a := range d.CredentialSubject.Achievement {
		known[a.ID] = true
	}
	for _, c := range d.CredentialSubject.VerifiableCredential {
		for _, s := range c.CredentialSubject {
			known[s.Achievement.ID] = true
		}
	}
	var out []string
	for _, a := range d.CredentialSubject.Association {
		for _, end := range []string{a.SourceID, a.TargetID} {
			if !known[end] && !slices.Contains(out, end) {
				out = append(out, end)
			}
		}
	}
	return out, nil
}
