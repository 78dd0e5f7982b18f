// Package record assembles a learner's comprehensive record from what is
// stored: one signed credential for each award, the competencies they are
// aligned to, and how those hang together.
//
// A record is an immutable version. Assembling what has not changed gives the
// version that is there. Compose is pure: the same facts give the same document.
// Standard: CLR 2.0, ClrCredential.
package record

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/openbadges"
)

// ID names a record: rec_ and text.
type ID string

// Omission is what a record leaves out, and why.
type Omission struct {
	Reason string `json:"reason"` // a sentence
	Count  int    `json:"count"`
}

// Record is one version of a learner's record.
type Record struct {
	ID           ID
	LearnerID    learner.ID
	Version      int // 1 for the learner's first
	CredentialID credential.ID
	ContentHash  []byte
	Partial      bool // the institution holds more of this learner than this
	Omissions    []Omission
	AssembledAt  time.Time
	AssembledBy  string
}

// Facts are everything that a record tells.
type Facts struct {
	Issuer      openbadges.Profile
	Learner     learner.Learner
	Credentials []credential.Credential // issued, in the order they are to have
	Items       []framework.Item        // that the awards are aligned to, and those above
	Links       []framework.Link        // among the items
	Partial     bool
}

// Compose is the record's document before its proofs.
func (f Facts) Compose(id, validFrom string) ([]byte, error) {
	c := clr.Credential{ID: id, Name: "Comprehensive Learner Record of " + f.Learner.DisplayName, Issuer: f.Issuer, ValidFrom: validFrom,
		Partial: f.Partial, CredentialSubject: clr.Subject{ID: f.Learner.SubjectID(), Identifier: f.identifiers()}}
	known := map[string]bool{}
	aligned, err := f.embed(&c, known)
	if err != nil {
		return nil, err
	}
	for _, i := range f.Items {
		if !known[i.URI] {
			known[i.URI] = true
			c.CredentialSubject.Achievement = append(c.CredentialSubject.Achievement, competency(i))
		}
	}
	add := func(kind, source, target string) {
		if source != target && known[source] && known[target] && slices.Contains(clr.AssociationTypes(), kind) {
			a := clr.Association{Type: "Association", AssociationType: kind, SourceID: source, TargetID: target}
			if !slices.Contains(c.CredentialSubject.Association, a) {
				c.CredentialSubject.Association = append(c.CredentialSubject.Association, a)
			}
		}
	}
	for _, a := range aligned {
		add("isRelatedTo", a[0], a[1])
	}
	for _, l := range f.Links {
		add(l.Type, l.Origin, l.Destination)
	}
	return clr.Compose(c)
}

// embed puts the credentials in, and gives back which achievement is aligned to
// which competency.
func (f Facts) embed(c *clr.Credential, known map[string]bool) (aligned [][2]string, err error) {
	for _, e := range f.Credentials {
		if e.Document == nil {
			return nil, fmt.Errorf("credential %s is not issued", e.ID)
		}
		c.CredentialSubject.VerifiableCredential = append(c.CredentialSubject.VerifiableCredential, json.RawMessage(*e.Document))
		uri, targets, err := alignments(*e.Document)
		if err != nil {
			return nil, err
		}
		if known[uri] {
			continue
		}
		known[uri] = true
		for _, t := range targets {
			aligned = append(aligned, [2]string{uri, t})
		}
	}
	return aligned, nil
}

// alignments are the achievement of an embedded credential, and the addresses
// it is aligned to, those of its results and their levels as well.
func alignments(document string) (uri string, targets []string, err error) {
	var d struct {
		CredentialSubject struct {
			Achievement openbadges.Achievement `json:"achievement"`
		} `json:"credentialSubject"`
	}
	if err := json.Unmarshal([]byte(document), &d); err != nil {
		return "", nil, err
	}
	add := func(all openbadges.List[openbadges.Alignment]) {
		for _, a := range all {
			if !slices.Contains(targets, a.TargetURL) {
				targets = append(targets, a.TargetURL)
			}
		}
	}
	a := d.CredentialSubject.Achievement
	add(a.Alignment)
	for _, r := range a.ResultDescription {
		add(r.Alignment)
		for _, l := range r.RubricCriterionLevel {
			add(l.Alignment)
		}
	}
	return a.ID, targets, nil
}

// identifiers are how people and systems know the learner.
func (f Facts) identifiers() openbadges.List[openbadges.IdentityObject] {
	all := credential.Named(f.Learner)
	if f.Learner.RefValue != nil {
		all = append(all, openbadges.IdentityObject{Type: "IdentityObject", IdentityHash: *f.Learner.RefValue, IdentityType: "sourcedId"})
	}
	return all
}

// competency is a framework's item as an achievement that associations can
// point to. It says what the competency is, not that it was reached.
func competency(i framework.Item) openbadges.Achievement {
	a := openbadges.Achievement{ID: i.URI, Type: openbadges.List[string]{"Achievement"}, AchievementType: "Competency", Name: name(i),
		Description: i.FullStatement, Criteria: &openbadges.Criteria{ID: i.URI}}
	if i.HumanCodingScheme != nil {
		a.HumanCode = *i.HumanCodingScheme
	}
	if i.Language != nil {
		a.InLanguage = *i.Language
	}
	return a
}

// longName is where a statement is too long to be a name.
const longName = 120

func name(i framework.Item) string {
	if i.AbbreviatedStatement != nil && strings.TrimSpace(*i.AbbreviatedStatement) != "" {
		return *i.AbbreviatedStatement
	}
	if r := []rune(i.FullStatement); len(r) > longName {
		return string(r[:longName-1]) + "…"
	}
	return i.FullStatement
}
