// Package credential is what was signed: a badge for an assertion, or a
// learner's record, with the exact bytes that left the house.
//
// Nothing is signed that was not checked. A credential is drafted and stored,
// signed by a key that never leaves the keyring, verified against the public
// key and compared with its draft, and only then sealed as issued. A crash in
// between leaves a draft that the next attempt takes up. Issuing the same
// content twice gives the credential that is there. Standards: Open Badges 3.0,
// VC Data Integrity with eddsa-rdfc-2022 and, on records, eddsa-jcs-2022.
package credential

import (
	"crypto/sha256"
	"time"

	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/vc"
)

// ID names a credential: crd_ and text.
type ID string

// The kinds and states of a credential.
const (
	OfAchievement = "achievement" // an AchievementCredential, of one assertion
	OfRecord      = "record"      // a ClrCredential
	Drafted       = "drafted"
	Issued        = "issued"
)

// Credential is one signed document, or the draft of one.
type Credential struct {
	ID               ID
	Kind             string
	State            string
	LearnerID        learner.ID
	AssertionID      *assertion.ID // nil for a record
	AssertionVersion *int
	KeyID            string
	ContentHash      []byte
	Draft            string // what is or was to be signed
	Document         *string
	DraftedAt        time.Time
	IssuedAt         *time.Time
	IssuedBy         string
}

// Draft is a document to be signed.
type Draft struct {
	Kind             string
	LearnerID        learner.ID
	AssertionID      *assertion.ID
	AssertionVersion *int
	// Compose makes the document under an id and from an instant. With neither
	// it is the content, whose hash says whether it was issued before.
	Compose func(id, validFrom string) ([]byte, error)
}

// hash is the hash of a draft's content.
func (d Draft) hash() ([]byte, error) {
	content, err := d.Compose("", "")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	return sum[:], nil
}

// suites are the proofs that a kind carries. A record's first proof does not
// bind the embedded credentials to their places; the second binds every byte.
func suites(kind string) []string {
	if kind == OfRecord {
		return []string{vc.EdDSARDFC, vc.EdDSAJCS}
	}
	return []string{vc.EdDSARDFC}
}

// Instant is a time as credentials write it.
func Instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// Day is a day as credentials write it: its beginning in UTC.
func Day(d day.Date) string { return d.String() + "T00:00:00Z" }

// Award is everything that the credential of one assertion tells.
type Award struct {
	Issuer      openbadges.Profile
	Base        string // of the institution
	Learner     learner.Learner
	Assertion   assertion.Assertion
	Achievement achievement.Achievement
	Definition  achievement.Definition // of the version that was awarded
}

// Compose is the credential of an award, OB 3.0 §B.1.1.
func (a Award) Compose(id, validFrom string) ([]byte, error) {
	s, uri := a.Assertion, a.Achievement.PublishedURI(a.Base)
	c := openbadges.Credential{ID: id, Name: a.Definition.Name, Issuer: a.Issuer, ValidFrom: validFrom, AwardedDate: Day(s.AchievedOn),
		CredentialSubject: openbadges.Subject{ID: a.Learner.SubjectID(), Type: openbadges.List[string]{"AchievementSubject"},
			Achievement: achievement.Published(a.Definition, uri), Identifier: Named(a.Learner), CreditsEarned: s.CreditsEarned,
			Term: s.Term, Narrative: text(s.Narrative), Role: text(s.Role), LicenseNumber: text(s.LicenseNumber)}}
	if s.ActivityStartOn != nil {
		c.CredentialSubject.ActivityStartDate = Day(*s.ActivityStartOn)
	}
	if s.ActivityEndOn != nil {
		c.CredentialSubject.ActivityEndDate = Day(*s.ActivityEndOn)
	}
	for _, r := range s.Results {
		c.CredentialSubject.Result = append(c.CredentialSubject.Result, openbadges.Result{Type: openbadges.List[string]{"Result"},
			ResultDescription: achievement.Complete(uri, r.Description), AchievedLevel: achievement.Complete(uri, r.Level), Value: r.Value, Status: r.Status})
	}
	for _, e := range s.Evidence {
		c.Evidence = append(c.Evidence, openbadges.Evidence{ID: e.URL, Type: openbadges.List[string]{"Evidence"}, Name: e.Name,
			Description: e.Description, Narrative: e.Narrative, Genre: e.Genre})
	}
	return openbadges.Compose(c)
}

// Named is the learner by name, for people who read a credential.
func Named(l learner.Learner) openbadges.List[openbadges.IdentityObject] {
	return openbadges.List[openbadges.IdentityObject]{{Type: "IdentityObject", IdentityHash: l.DisplayName, IdentityType: "name"}}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// address is the id of a credential in its document.
func address(in institution.Institution, origin string, id ID) string {
	return in.Base(origin) + "/credentials/" + string(id)
}
