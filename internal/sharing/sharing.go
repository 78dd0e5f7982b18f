// Package sharing is how a learner shows a record, or chosen credentials, to
// somebody: links with a recipient, an end, a PIN and a number of openings.
//
// A link shows what was chosen and nothing else: the stored bytes of a record,
// or chosen credentials, each alone or in part by a derived proof, together in a
// presentation that is made for the recipient. Each opening asks again, in the
// transaction that hands out, whether the learner still agrees, whether the
// institution holds anything back, whether what is shown still stands and still
// calls the learner by their name; and it is on file, granted or refused, in
// that same transaction: without the line there are no bytes.
//
// Protected: a token has 160 random bits and is kept as a hash; a PIN is kept
// with argon2id and tried a few times only, by share and by address; a link that
// may be opened once opens once, however many try at one moment. Not protected:
// what a recipient does with what they were shown. Standards: VCDM 2.0 §4.13,
// VC-DI-ECDSA 1.0 §3.4. Law: 34 CFR 99.30 to 99.33.
package sharing

import (
	"fmt"
	"slices"
	"time"

	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/wording"
)

// ID names a share: shr_ and text.
type ID string

// The kinds of share.
const (
	OfRecord = "record"
	OfItems  = "items"
)

// Share is a link that was given out.
type Share struct {
	ID             ID
	LearnerID      learner.ID
	Kind           string
	RecordID       *record.ID
	CredentialID   *credential.ID // of the record
	Recipient      string         // whom it is for, as the learner calls them
	Address        *string        // their e-mail address
	Open           bool           // it is for whoever has the link
	Purpose        string
	Language       string
	ConsentID      consent.ID
	OrderID        *string
	HasPIN         bool
	PINTries       int // since it was last right
	PINLockedUntil *time.Time
	MaxOpenings    *int // nil: any number
	Openings       int  // counted where there is a number
	Notify         bool // the recipient may watch it
	NotifyOpenings bool // the learner is told by mail when it is opened
	CreatedAt      time.Time
	CreatedBy      string
	ExpiresAt      time.Time
	EndedAt        *time.Time
	EndedBy        *string
}

// The states of a share.
const (
	Live    = "live"
	Ended   = "ended" // by the learner
	Expired = "expired"
	UsedUp  = "used_up" // it was opened as often as it may be
)

// State is what the share is at an instant, as far as it says itself.
func (s Share) State(now time.Time) string {
	switch {
	case s.EndedAt != nil:
		return Ended
	case !now.Before(s.ExpiresAt):
		return Expired
	case s.MaxOpenings != nil && s.Openings >= *s.MaxOpenings:
		return UsedUp
	}
	return Live
}

// Item is one credential that is to be shown.
type Item struct {
	CredentialID string
	Parts        []string // what of it is shown besides the achievement; nil: all of it
}

// Offer is a share to be made.
type Offer struct {
	LearnerID   string
	RecordID    *string // the whole of this record
	Items       []Item  // or these credentials
	Recipient   string  // empty: whoever has the link
	Address     string  // e-mail of the recipient
	Purpose     string
	Language    string     // of the consent, en or es; en unless said
	PIN         string     // empty: none
	ExpiresAt   *time.Time // nil: in 30 days
	MaxOpenings *int       // nil: any number
	Notify      bool       // the recipient may watch it
	// NotifyOpenings has the learner told by mail when it is opened, once an hour
	// at most.
	NotifyOpenings bool
}

// The limits of an offer.
const (
	maxRecipient = 200
	maxPurpose   = 300
	maxItems     = 50
	minPIN       = 6
	maxPIN       = 64
	maxOpenings  = 10_000
	expiresAfter = 30 * 24 * time.Hour
	maxLife      = 2 * 366 * 24 * time.Hour
)

// check fills in what was left out, and says what is wrong.
func (o *Offer) check(now time.Time) (no *fault.Error) {
	switch {
	case (o.RecordID != nil) == (len(o.Items) > 0):
		return fault.At("items", "record-or-items", "Share a whole record, or credentials chosen one by one.")
	case len(o.Items) > maxItems:
		return fault.At("items", "too-many", "At most %d credentials are shared by one link.", maxItems)
	case o.MaxOpenings != nil && (*o.MaxOpenings < 1 || *o.MaxOpenings > maxOpenings):
		return fault.At("maxOpenings", "openings", "A link opens between 1 and %d times; leave it out for any number.", maxOpenings)
	}
	for i, it := range o.Items {
		if slices.ContainsFunc(o.Items[:i], func(x Item) bool { return x.CredentialID == it.CredentialID }) {
			return fault.At(fmt.Sprintf("items.%d", i), "once", "This credential is chosen twice.")
		}
		if no := checkParts(it.Parts); no != nil {
			return no.Within(fmt.Sprintf("items.%d", i))
		}
	}
	if o.Recipient, no = wording.Optional("recipient", o.Recipient, maxRecipient); no != nil {
		return no
	}
	if o.Purpose, no = wording.Line("purpose", o.Purpose, maxPurpose); no != nil {
		return no
	}
	if o.Address, no = address(o.Address); no != nil {
		return no
	}
	if o.Recipient == "" {
		o.Recipient = o.Address
	}
	if o.Notify && o.Recipient == "" {
		return fault.At("notify", "named-recipient", "Only a recipient whom you name can be told of changes.")
	}
	return o.checkEnd(now)
}

func (o *Offer) checkEnd(now time.Time) *fault.Error {
	if o.ExpiresAt == nil {
		until := now.Add(expiresAfter)
		o.ExpiresAt = &until
	}
	if !o.ExpiresAt.After(now) || o.ExpiresAt.After(now.Add(maxLife)) {
		return fault.At("expiresAt", "end", "A link ends in the future, and after two years at the latest.")
	}
	if o.PIN != "" && (len(o.PIN) < minPIN || len(o.PIN) > maxPIN) {
		return fault.At("pin", "length", "A PIN has between %d and %d characters.", minPIN, maxPIN)
	}
	return nil
}

// party is the recipient as the consent and the account name them.
func (o Offer) party() string {
	switch {
	case o.Recipient == "" && o.Language == consent.Spanish:
		return "quien tenga el enlace"
	case o.Recipient == "":
		return "whoever has the link"
	case o.Address != "" && o.Address != o.Recipient:
		return o.Recipient + " (" + o.Address + ")"
	}
	return o.Recipient
}

// refusal is why nothing is shown: what is written down, and what the visitor is
// told, who is not to learn more of the learner from it.
type refusal struct {
	reason string
	fault  *fault.Error
}

func refuse(reason string, kind fault.Kind, format string, args ...any) *refusal {
	f := fault.New(kind, format, args...)
	f.Rule = reason
	return &refusal{reason, f}
}

// The sentences to a visitor.
func ended() *refusal {
	return refuse(disclosure.Ended, fault.State, "The person who gave you this link has ended it. Ask them for another if you still need what it showed.")
}

func expired() *refusal {
	return refuse(disclosure.Expired, fault.State, "This link has expired. Ask the person who gave it to you for another.")
}

func usedUp() *refusal {
	return refuse(disclosure.UsedUp, fault.State, "This link has been opened as often as it may be. Ask the person who gave it to you for another.")
}

func withdrawn() *refusal {
	return refuse(disclosure.NoConsent, fault.State, "The person whose record this is no longer agrees that it is shown. Ask them for another link.")
}

func held() *refusal {
	return refuse(disclosure.OnHold, fault.Forbidden, "The institution does not release this at present. Ask the person who gave you the link.")
}

func blocked() *refusal {
	return refuse(disclosure.Blocked, fault.Forbidden, "This can only be shown to a recipient who is named. Ask the person who gave you the link for one that is made for you.")
}

func outdated(on time.Time) *refusal {
	return refuse(disclosure.Outdated, fault.State, "This was superseded on %s. Ask the holder for the current record.", on.Format("2 January 2006"))
}

func revoked(on *time.Time) *refusal {
	when := ""
	if on != nil {
		when = " on " + on.Format("2 January 2006")
	}
	return refuse(disclosure.Unavailable, fault.State, "The institution took this back%s: it does not stand by it. Ask the holder for the current record.", when)
}

func pinWanted() *refusal {
	r := refuse(disclosure.WrongPIN, fault.Forbidden, "This link opens with a PIN. The person who gave you the link has it.")
	r.fault.Rule = "pin_required"
	return r
}

func wrongPIN() *refusal {
	return refuse(disclosure.WrongPIN, fault.Forbidden, "This is not the PIN of this link. After a few wrong ones it stays closed for a while.")
}

func locked() *refusal {
	return refuse(disclosure.Locked, fault.Limit, "A wrong PIN was given too often. Wait a quarter of an hour, or ask the person who gave you the link for another.")
}
