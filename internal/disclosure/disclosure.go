// Package disclosure is the account of what was told of whom: every request for
// a learner's data and every time it was given out, granted or refused.
//
// A line is written in the transaction that gives the data out: without the
// line there are no bytes. Each granted one names the consent that it rests on,
// or the exception of the law. Lines are added and never changed or removed,
// also not in the database, and outlive the share, the consent and the order
// behind them. The learner sees their own; the registrar exports them. What the
// law does not ask to be recorded is recorded with its reason as well: what
// learners take of their own with a program or as a file, and school officials
// likewise. What they look at on pages is not, nor that the verify page of a print
// says whether it stands, which tells nothing that is not on the paper. Law: 34
// CFR 99.32, and 99.31 for the exceptions.
package disclosure

import (
	"slices"
	"time"

	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
)

// ID names a line: dsc_ and text.
type ID string

// What came of a request.
const (
	Granted = "granted"
	Refused = "refused"
)

// The ways in which data goes out.
const (
	ByShare    = "share"
	ByOrder    = "order"
	ByWatch    = "watch" // a message that something in a share was changed
	ByAPI      = "api"   // the Open Badges and CLR APIs
	ByDocument = "document"
	BySearch   = "search"
	ByExport   = "export"
	ByHand     = "manual" // outside of this service, entered by a registrar
)

// What a disclosure rests on: consent, or an exception of 34 CFR 99.31.
const (
	OnConsent      = "consent"
	ToSubject      = "subject"         // the learner: no disclosure at all, kept for completeness
	ToOfficial     = "school_official" // with a legitimate educational interest, (a)(1)
	OfDirectory    = "directory"       // (a)(11)
	ForTransfer    = "transfer"        // another school where the learner enrols, (a)(2)
	ToAuthorities  = "authorities"     // audit and evaluation of public programmes, (a)(3)
	ForAid         = "financial_aid"   // (a)(4)
	ForStudies     = "studies"         // on behalf of the institution, (a)(6)
	ToAccreditor   = "accreditor"      // (a)(7)
	ToParents      = "parents"         // of a dependent student, (a)(8)
	ByJudge        = "judicial_order"  // a court order or subpoena, (a)(9)
	InAnEmergency  = "emergency"       // health or safety, (a)(10) and 99.36
	OnNothing      = "none"            // of what was refused
	redistribution = "This is part of an education record. You may use it only for the purpose for which it was shown to you, and may not pass it on without the learner's consent (34 CFR 99.33)."
)

// Exceptions are the bases that a registrar may enter by hand.
func Exceptions() []string {
	return []string{OnConsent, OfDirectory, ForTransfer, ToAuthorities, ForAid, ForStudies, ToAccreditor, ToParents, ByJudge, InAnEmergency}
}

// Notice is what every recipient is told of passing on what they were shown.
const Notice = redistribution

// The reasons of a refusal.
const (
	NoConsent   = "consent"    // it was withdrawn, or has ended
	Ended       = "ended"      // by the learner
	Expired     = "expired"    // by its date
	UsedUp      = "used_up"    // it was opened as often as it may be
	WrongPIN    = "wrong_pin"  // or none where one is asked for
	Locked      = "locked"     // too many wrong ones
	OnHold      = "hold"       // by the institution
	Blocked     = "directory"  // the learner blocked what is told without a named party
	Outdated    = "superseded" // it names the learner as they are no longer called, or does not stand
	Unavailable = "gone"       // nothing of it stands
)

// Line is one time that something was asked for.
type Line struct {
	ID        ID
	LearnerID learner.ID
	At        time.Time
	Outcome   string
	Refusal   *string // why, of what was refused
	Channel   string
	Party     string // who asked, as they are known
	Purpose   string // what they want it for; as the consent says, or in their words
	Basis     string
	ConsentID *consent.ID
	Items     []string // ids of what was told
	SourceID  *string  // of the share or order
	ActorID   string
	Network   string // the network that it was asked from, without the host; empty where there is none
	Note      string // more that the law asks to be recorded, such as the threat of an emergency
}

// Manual is a disclosure that was made outside of this service.
type Manual struct {
	LearnerID  string
	At         *time.Time // nil: now
	Party      string
	Purpose    string
	Basis      string
	ConsentID  *consent.ID
	Items      []string // in words, or ids
	Categories []string // of directory information, where that is the basis
	Refusal    *string  // it was asked for and refused, in the words of the registrar
	Note       string
}

// check says what is wrong with an entry.
func (m Manual) check(now time.Time) *fault.Error {
	switch {
	case m.At != nil && m.At.After(now):
		return fault.At("at", "not-in-the-future", "Enter what has been disclosed, not what is to be.")
	case m.Refusal == nil && !slices.Contains(Exceptions(), m.Basis):
		return fault.At("basis", "basis", "Name the consent or the exception on which this was disclosed.")
	case m.Refusal == nil && (m.Basis == OnConsent) != (m.ConsentID != nil):
		return fault.At("consentId", "consent", "Name the consent where that is the basis, and only there.")
	case m.Refusal == nil && m.Basis == OfDirectory && len(m.Categories) == 0:
		return fault.At("categories", "required", "Say which categories of directory information were disclosed.")
	case m.Refusal == nil && m.Basis != OfDirectory && len(m.Items) == 0:
		return fault.At("items", "required", "Say what was disclosed.")
	case m.Refusal == nil && m.Basis == InAnEmergency && m.Note == "":
		return fault.At("note", "emergency-explained", "Say what threatened whom, and to whom else this was told (34 CFR 99.32(a)(5)).")
	case len(m.Items) > maxItems:
		return fault.At("items", "too-many", "At most %d things are entered at once.", maxItems)
	}
	return nil
}

// maxItems is how many things one line names.
const maxItems = 500
