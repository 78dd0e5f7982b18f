// Package credential is what was signed: a badge for an assertion, or a
// learner's record, with the exact bytes that left the house.
//
// Nothing is signed that was not checked. A credential is drafted and stored,
// signed by a key that never leaves the keyring, verified against the public
// key and compared with its draft, and only then sealed as issued. A crash in
// between leaves a draft that the next attempt, or Reconcile, takes up. Issuing
// the same content twice gives the credential that is there; other content
// replaces it, and each points to the other. What was signed is never changed
// and a revocation is final, also in the database. Every credential has a place
// of its own in a public status list. Standards: Open Badges 3.0, Bitstring
// Status List 1.0, VC Data Integrity with eddsa-rdfc-2022 and, on records,
// eddsa-jcs-2022.
package credential

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/spec/bitstring"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/vc"
)

// ID names a credential: crd_ and text.
type ID string

// The kinds and states of a credential.
const (
	OfAchievement = "achievement" // an AchievementCredential, of one assertion
	OfRecord      = "record"      // a ClrCredential
	OfSummary     = "summary"     // an AchievementCredential that a record adds up to
	Drafted       = "drafted"
	Issued        = "issued"
	Discarded     = "discarded" // a draft that was overtaken; it was never shown to anybody
)

// What an issued credential is worth now.
const (
	Active    = "active"
	Suspended = "suspended" // not to be relied on until it is lifted
	Revoked   = "revoked"   // for good
)

// Credential is one signed document, or the draft of one.
type Credential struct {
	ID               ID
	Kind             string
	State            string
	Status           string
	LearnerID        learner.ID
	AssertionID      *assertion.ID // nil for a record
	AssertionVersion *int
	KeyID            string
	ContentHash      []byte
	StatusList       *int // number of the institution's list, with the place in it
	StatusIndex      *int
	Supersedes       *ID
	SupersededBy     *ID        // the issued one, if there is
	Draft            string     // what is to be signed; empty when it was
	Document         *string    // of what was just signed, or is worked on; readers give none: see Sealed
	ValidUntil       *time.Time // nil: it does not expire
	Basis            string     // the versions of what it was composed of; see Draft
	Kept             []byte     // its canonical form for records, where it was read for one
	DraftedAt        time.Time
	IssuedAt         *time.Time
	IssuedBy         string
}

// Expired reports whether the credential has ended by itself.
func (c Credential) Expired(now time.Time) bool {
	return c.ValidUntil != nil && now.After(*c.ValidUntil)
}

// Stands reports whether the issuer stands by the credential.
func (c Credential) Stands(now time.Time) bool {
	return c.State == Issued && c.Status == Active && !c.Expired(now)
}

// Draft is a document to be signed.
type Draft struct {
	Kind             string
	LearnerID        learner.ID
	AssertionID      *assertion.ID
	AssertionVersion *int
	// Compose makes the document under an id and from an instant. It is called
	// with neither: that is the content, whose hash says whether it was issued
	// before, and which is stamped with both.
	Compose    func(id, validFrom string) ([]byte, error)
	Hash       []byte // SHA-256 of the content, from who has it already; nil: it is reckoned
	ValidUntil *time.Time
	// Basis names the versions of everything that the content is made of. What
	// was issued on the same basis has the same content, and is not composed
	// again to see that. Empty: it is always composed.
	Basis string
	// Parts are the credentials that a record embeds, in their order, with their
	// canonical forms.
	Parts      []vc.Part
	Supersedes *ID // what this is to replace, by order; nil: what has another content, if anything
}

// stamp is what makes content a document.
type stamp struct {
	id         string
	validFrom  time.Time
	validUntil *time.Time
	status     *bitstring.Entry
}

// The members of content that a stamp fills in. Quotes inside of text are
// escaped, so these bytes are nothing but members; what is embedded has an id
// and an instant of its own.
var (
	emptyID        = []byte(`"id":""`)
	emptyValidFrom = []byte(`"validFrom":""`)
)

// on is the document: the content with its id, its dates, and as its last
// member its place in a status list.
func (s stamp) on(content []byte) (string, error) {
	id, from := bytes.Index(content, emptyID), bytes.Index(content, emptyValidFrom)
	if id < 0 || from < id || len(content) == 0 || content[len(content)-1] != '}' {
		return "", errors.New("content has no place for an id and an instant")
	}
	name, err := json.Marshal(s.id)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	out.Grow(len(content) + 512)
	out.Write(content[:id+len(emptyID)-2])
	out.Write(name)
	out.Write(content[id+len(emptyID) : from+len(emptyValidFrom)-1])
	out.WriteString(Instant(s.validFrom))
	if s.validUntil != nil {
		out.WriteString(`","validUntil":"`)
		out.WriteString(Instant(*s.validUntil))
	}
	out.Write(content[from+len(emptyValidFrom)-1 : len(content)-1])
	if s.status != nil {
		entry, err := json.Marshal(s.status)
		if err != nil {
			return "", err
		}
		out.WriteString(`,"credentialStatus":`)
		out.Write(entry)
	}
	out.WriteByte('}')
	return out.String(), nil
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

// composed goes up whenever the same award comes to another content.
const composed = 1

// basis names the versions of everything that the credential of an award tells.
// A version of an achievement never changes, and the award names it.
func (a Award) basis(institution int) string {
	return fmt.Sprintf("%d/%d/%d/%d", composed, institution, a.Learner.Version, a.Assertion.Version)
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
	return URL(in.Base(origin), id)
}

// URL is the address of a credential under an institution's.
func URL(base string, id ID) string { return base + "/credentials/" + string(id) }
