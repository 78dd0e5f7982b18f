// Package consent is what a learner allows to be told, to whom and what for, and
// what the institution may tell without asking.
//
// A consent names the records, the purpose and the party, keeps the very
// sentence that was agreed to with its version, and how the person was known to
// be the one. It is never changed: its withdrawal is a second entry. Directory
// information is what the institution designated by public notice; a learner
// who blocks it is left out wherever no consent to a named party stands. Law:
// 34 CFR 99.30 (consent), 99.3 and 99.37 (directory information).
package consent

import (
	"slices"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/wording"
)

// ID names a consent: cns_ and text.
type ID string

// What a consent is to.
const (
	ToSearch = "search" // that employers find the learner by competency
	ToRecord = "record" // that a whole record is shown
	ToItems  = "items"  // that chosen credentials are shown
)

// How the person was known to be the one who signed.
const (
	BySignIn     = "sign_in"              // the learner's own session or token
	BySignature  = "signature"            // on paper, which the registrar holds
	ByElectronic = "electronic_signature" // by another system, which the registrar names
)

// Consent is something that a learner allowed.
type Consent struct {
	ID          ID
	LearnerID   learner.ID
	Scope       string
	Items       []string // ids of what is to be shown; none for a search
	Purpose     string
	Party       string // who may see it, or which class of parties
	Open        bool   // the party is a class: whoever has a link, whoever searches
	Language    string
	TextVersion string
	Statement   string // what was agreed to, word for word
	Method      string
	SignedAt    time.Time
	ExpiresAt   *time.Time // nil: until it is withdrawn
	RecordedAt  time.Time
	RecordedBy  string
	WithdrawnAt *time.Time
	WithdrawnBy *string
	Withdrawal  *string // why, in the words of who withdrew it
}

// InForce reports whether the consent holds at an instant.
func (c Consent) InForce(now time.Time) bool {
	return c.WithdrawnAt == nil && !now.Before(c.SignedAt) && (c.ExpiresAt == nil || now.Before(*c.ExpiresAt))
}

// Held reports whether the consent held at an instant of the past.
func (c Consent) Held(at time.Time) bool {
	return !at.Before(c.SignedAt) && (c.ExpiresAt == nil || at.Before(*c.ExpiresAt)) && (c.WithdrawnAt == nil || at.Before(*c.WithdrawnAt))
}

// Grant is a consent to be given.
type Grant struct {
	LearnerID string
	Scope     string
	Items     []string
	Purpose   string
	Party     string
	Open      bool
	Language  string     // en or es; en unless said
	Method    string     // nil for the learner's own
	SignedOn  *day.Date  // of a signature on paper; nil: now
	ExpiresAt *time.Time // nil: until it is withdrawn
}

// The longest texts in characters.
const (
	maxPurpose = 300
	maxParty   = 200
	maxReason  = 500
)

// maxItems is how many credentials one consent names.
const maxItems = 200

// check fills in what was left out, and says what is wrong.
func (g *Grant) check(own bool, now time.Time) *fault.Error {
	if !slices.Contains([]string{ToSearch, ToRecord, ToItems}, g.Scope) {
		return fault.At("scope", "scope-known", "A consent is to SEARCH, RECORD or ITEMS.")
	}
	if g.Scope == ToSearch {
		g.Open, g.Items = true, nil
		everybody := word(g.Language, "Employers who search by competency", "Empleadores que buscan por competencia")
		if g.Party = strings.TrimSpace(g.Party); g.Party != "" && g.Party != everybody {
			return fault.At("party", "every-employer", "Whoever consents to be found is found by every employer who searches here, not by %s alone: leave the party out, or share credentials with that party.", g.Party)
		}
		g.Party = everybody
		if g.Purpose == "" {
			g.Purpose = word(g.Language, "Recruiting", "Contratación")
		}
	}
	var no *fault.Error
	if g.Purpose, no = wording.Line("purpose", g.Purpose, maxPurpose); no != nil {
		return no
	}
	if g.Party, no = wording.Line("party", g.Party, maxParty); no != nil {
		return no
	}
	switch {
	case len(g.Items) > maxItems:
		return fault.At("items", "too-many", "A consent names at most %d credentials.", maxItems)
	case g.Scope != ToSearch && len(g.Items) == 0:
		return fault.At("items", "required", "Name what may be shown.")
	case g.Language != "" && g.Language != English && g.Language != Spanish:
		return fault.At("language", "language", "The statement is to be had in en and es.")
	case g.ExpiresAt != nil && !g.ExpiresAt.After(now):
		return fault.At("expiresAt", "in-the-future", "A consent that has ended allows nothing. Choose a later end.")
	}
	if g.Language == "" {
		g.Language = English
	}
	return g.checkMethod(own, now)
}

// checkMethod is about how the signature came here: a learner signs by being
// signed in, a registrar records what was signed elsewhere.
func (g *Grant) checkMethod(own bool, now time.Time) *fault.Error {
	if own {
		g.Method, g.SignedOn = BySignIn, nil
		return nil
	}
	if g.Method != BySignature && g.Method != ByElectronic {
		return fault.At("method", "method-known", "Say how the learner signed: SIGNATURE for one on paper that you hold, ELECTRONIC_SIGNATURE for one in another system.")
	}
	if g.SignedOn != nil && g.SignedOn.After(day.On(now)) {
		return fault.At("signedOn", "not-in-the-future", "A signature is of today or earlier.")
	}
	return nil
}

// Categories of directory information, as an institution may designate them:
// 34 CFR 99.3. Grades, averages and identity numbers can never be among them.
const (
	Name       = "name"
	Address    = "address"
	Telephone  = "telephone"
	Email      = "email"
	Photograph = "photograph"
	Birth      = "birth" // date and place
	Field      = "field_of_study"
	Level      = "grade_level"
	Enrollment = "enrollment_status"
	Attendance = "dates_of_attendance"
	Activities = "activities"
	Athletics  = "athletics"
	Degrees    = "degrees"
	Honors     = "honors"
	Previous   = "previous_institution"
)

// Categories are all that can be designated.
func Categories() []string {
	return []string{Name, Address, Telephone, Email, Photograph, Birth, Field, Level, Enrollment, Attendance, Activities, Athletics, Degrees, Honors, Previous}
}

// Notice is what the institution designated as directory information, from a
// day on and until the next notice.
type Notice struct {
	Version     int
	Categories  []string
	Where       string // how it was made public, such as an address
	EffectiveOn day.Date
	PublishedAt time.Time
	PublishedBy string
}

// Choice is one time that a learner blocked directory information, or allowed
// it again.
type Choice struct {
	LearnerID learner.ID
	Blocked   bool
	At        time.Time
	ByID      string
	Reason    string
}

// Standing is what may be told of a learner now.
type Standing struct {
	LearnerID learner.ID
	Blocked   bool       // nothing rests on the directory, nor on a consent to whoever asks
	SearchID  *ID        // the consent by which employers find the learner; nil: they do not
	Until     *time.Time // the end of that consent
}

// Searchable reports whether an employer who searches may find the learner.
func (s Standing) Searchable(now time.Time) bool {
	return !s.Blocked && s.SearchID != nil && (s.Until == nil || now.Before(*s.Until))
}

// May reports whether a category is told of the learner without consent.
func (s Standing) May(n Notice, category string) bool {
	return !s.Blocked && slices.Contains(n.Categories, category)
}
