// Package clr is the Comprehensive Learner Record 2.0: composing a
// ClrCredential around credentials that are signed already, and checking one by
// clause. A record of version 1.0 is read and told in the classes of 2.0.
//
// The embedded credentials go in byte for byte. The outer signature over the
// canonical form does not bind them to their places, so each must carry its own
// proof and be verified on its own; a second outer proof over the whole document
// binds the rest. Sources: CLR Standard 2.0 JSON schemas, §ClrCredential,
// §ClrSubject, §Association.
package clr

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/testamur/testamur/internal/spec/jsonld"
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
	Context           []string                             `json:"@context"`
	ID                string                               `json:"id"`
	Type              []string                             `json:"type"`
	Name              string                               `json:"name"`
	Description       string                               `json:"description,omitempty"`
	Endorsement       openbadges.List[json.RawMessage]     `json:"endorsement,omitempty"`
	EndorsementJWT    openbadges.List[string]              `json:"endorsementJwt,omitempty"`
	Image             *openbadges.Image                    `json:"image,omitempty"`
	Issuer            openbadges.Profile                   `json:"issuer"`
	ValidFrom         string                               `json:"validFrom"`
	ValidUntil        string                               `json:"validUntil,omitempty"`
	AwardedDate       string                               `json:"awardedDate,omitempty"`
	CredentialSubject Subject                              `json:"credentialSubject"`
	Partial           bool                                 `json:"partial"` // true: the issuer holds more of this learner than this
	Evidence          openbadges.List[openbadges.Evidence] `json:"evidence,omitempty"`
	openbadges.Attached
}

// Compose is the document of a record. The embedded credentials keep their
// bytes, whose blanks apart JSON leaves as they are.
func Compose(c Credential) ([]byte, error) {
	c.Context = c.Contexts(openbadges.ContextCredentials, Context, openbadges.ContextOpenBadges)
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
	v, err := jsonld.Read(document)
	if err != nil {
		return nil, err
	}
	var all []json.RawMessage
	for _, e := range EmbeddedIn(v) {
		all = append(all, e.Raw())
	}
	return all, nil
}

// EmbeddedIn are the credentials of a record that was read.
func EmbeddedIn(v jsonld.Value) []jsonld.Value {
	var all []jsonld.Value
	for _, e := range v.Member("credentialSubject").One().Member("verifiableCredential").Elements() {
		all = append(all, e)
	}
	return all
}

// Dangling are the association ends that are no achievement of the record,
// neither of an embedded credential nor of the list beside them.
func Dangling(v jsonld.Value) []string {
	s := v.Member("credentialSubject").One()
	known := map[string]bool{}
	note := func(v jsonld.Value) {
		if id, ok := v.Member("id").Text(); ok {
			known[id] = true
		}
	}
	for _, a := range s.Member("achievement").Elements() {
		note(a)
	}
	for _, e := range EmbeddedIn(v) {
		for _, s := range Opened(e).Member("credentialSubject").Elements() {
			note(s.Member("achievement").One())
			for _, a := range s.Member("achievement").Elements() { // of a record in the record
				note(a)
			}
		}
	}
	var out []string
	for _, a := range s.Member("association").Elements() {
		for _, end := range []string{"sourceId", "targetId"} {
			if id, ok := a.Member(end).Text(); ok && !known[id] {
				known[id] = true // told once
				out = append(out, id)
			}
		}
	}
	return out
}

// Opened is what an embedded credential says: the document in an envelope, whose
// signature is another's to check, and any other credential as it is.
func Opened(e jsonld.Value) jsonld.Value {
	token, ok := Enveloped(e)
	if !ok {
		return e
	}
	v, err := payload(token)
	if err != nil {
		return e
	}
	return v
}

// payload is what a compact JWS says; nothing tells that it is true.
func payload(token string) (jsonld.Value, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return jsonld.Value{}, errors.New("a token has three parts")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return jsonld.Value{}, err
	}
	return jsonld.Read(raw)
}

// Enveloped is the token of an EnvelopedVerifiableCredential, VCDM 2.0 §4.13.
func Enveloped(v jsonld.Value) (token string, ok bool) {
	if !slices.Contains(v.Member("type").Texts(), "EnvelopedVerifiableCredential") {
		return "", false
	}
	id, _ := v.Member("id").Text()
	for _, prefix := range []string{"data:application/vc+jwt,", "data:application/jwt,"} {
		if token, ok := strings.CutPrefix(id, prefix); ok {
			return token, true
		}
	}
	return "", false
}
