// Package deposit keeps what a learner brings: credentials and records that
// others issued, byte for byte as they came.
//
// Nothing is taken on trust. A deposit is verified before it is kept, and what
// was found is kept with it: a check that failed refuses it, and so does a proof
// or an issuer's key that could not be looked at. It has to be about the learner,
// by an id or an identifier that the institution has on file; where it names
// nobody known, a registrar may vouch for it, and a learner may not, since
// anybody can lay hands on what others have published. A deposit is never this
// institution's word: it names its issuer, and what is issued here is refused.
// Standards: Open Badges 3.0 §4.2 (equality) and §6 (upsertCredential), CLR 2.0.
package deposit

import (
	"crypto/sha256"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/spec/baking"
	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/vc"
	"github.com/testamur/testamur/internal/verify"
)

// ID names a deposit: dep_ and text.
type ID string

// The kinds of what is deposited.
const (
	OfAchievement = "achievement" // an AchievementCredential
	OfRecord      = "record"      // a ClrCredential
)

// How a learner was found in a deposit, besides the types of identifiers.
const (
	BySubject = "id"      // of the credential's subject
	Vouched   = "vouched" // a registrar says so
)

// Deposit is a credential of another issuer, as it was brought.
type Deposit struct {
	ID           ID
	LearnerID    learner.ID
	Kind         string
	Format       string // json or jwt
	IssuerID     string // percent-decoded, as ids are compared
	IssuerName   string // that the issuer gives itself
	CredentialID string // that the issuer gave it, likewise
	Name         string
	ValidFrom    time.Time
	ValidUntil   *time.Time
	Identity     string         // BySubject, Vouched or the type of the identifier that the learner was found by
	Vouch        *string        // in the words of the registrar
	Checks       []verify.Check // when it was brought
	VerifiedAt   time.Time
	Document     string // byte for byte
	Version      int    // 1, and one more each time it was replaced
	DepositedAt  time.Time
	DepositedBy  string
	Key          []byte `db:"key_hash"` // of its issuer's and its own id
}

// Outcome is what verifying came to when it was brought: verify.NotChecked where
// something, such as its status, could not be found out.
func (d Deposit) Outcome() verify.Outcome {
	for _, c := range d.Checks {
		if c.Outcome == verify.NotChecked {
			return verify.NotChecked
		}
	}
	return verify.Passed
}

// IssuerKnown reports whether the issuer was on the institution's list of those
// it knows.
func (d Deposit) IssuerKnown() bool {
	return slices.ContainsFunc(d.Checks, func(c verify.Check) bool { return c.Name == "trust" && c.Outcome == verify.Passed })
}

// Brought is what somebody deposits for a learner.
type Brought struct {
	LearnerID string // id or ref:SYSTEM:VALUE
	Material  []byte // JSON, a signed token, or a picture with either in it
	Kind      string // that it has to be of; empty: either
	Vouch     string // why a registrar knows that it is the learner's; empty: it has to say so itself
}

// The limits of deposits.
const (
	maxDocument = 4 << 20
	maxDeposits = 500 // of one learner
	maxVouch    = 500 // characters
	maxText     = 2000
)

// read takes the credential out of what was brought. subject is whom it is
// about.
func (b Brought) read() (d Deposit, subject jsonld.Value, err error) {
	raw := b.Material
	if len(raw) > maxDocument {
		return d, subject, &fault.Error{Kind: fault.Limit, Field: "credential", Rule: "size", Message: "A credential that is deposited has at most 4 MB."}
	}
	if baking.Picture(raw) != "" {
		baked, err := baking.Extract(raw)
		if err != nil {
			return d, subject, fault.At("credential", "picture", "No credential can be taken out of this picture: %v", err)
		}
		raw = baked.Payload
	}
	d.Document, d.Format = string(raw), "json"
	inner := raw
	if form, _ := baking.FormOf([]byte(strings.TrimSpace(d.Document))); form == baking.JWS {
		d.Format = "jwt"
		if inner, err = inToken(d.Document); err != nil {
			return d, subject, err
		}
	}
	v, err := jsonld.Read(inner)
	if token, ok := clr.Enveloped(v); err == nil && ok {
		if inner, err = inToken(token); err != nil {
			return d, subject, err
		}
		v, err = jsonld.Read(inner)
	}
	if err != nil {
		return d, subject, fault.At("credential", "json", "This is not a credential: %s.", strings.TrimPrefix(err.Error(), "JSON-LD: "))
	}
	if d.Kind = kindOf(v); d.Kind == "" || b.Kind != "" && d.Kind != b.Kind {
		return d, subject, fault.At("credential", "kind", "%s is taken here, in the form of Open Badges 3.0 or CLR 2.0.",
			map[string]string{"": "A credential for an achievement or a record", OfAchievement: "A credential for an achievement", OfRecord: "A record"}[b.Kind])
	}
	key, from, ok := openbadges.KeyOf(v)
	if !ok {
		return d, subject, fault.At("credential", "identified", "The credential needs an id, an issuer with an id, and a date from which it is valid: without them a newer copy could not be told from it.")
	}
	if len(key.Issuer) > maxText || len(key.ID) > maxText {
		return d, subject, fault.At("credential", "size", "An id in the credential is longer than %d bytes.", maxText)
	}
	d.IssuerID, d.CredentialID, d.ValidFrom = key.Issuer, key.ID, from
	sum := sha256.Sum256([]byte(key.Issuer + "\x00" + key.ID))
	d.Key = sum[:]
	return d, v.Member("credentialSubject").One(), nil
}

// isBy reports whether a DID, which may be percent-encoded, is the issuer's.
func (d Deposit) isBy(did string) bool {
	plain, err := url.PathUnescape(did)
	return d.IssuerID == did || err == nil && d.IssuerID == plain
}

func inToken(compact string) ([]byte, error) {
	t, err := vc.ParseJWT(compact)
	if err == nil && t.Presentation {
		return nil, fault.At("credential", "kind", "This is a presentation. Deposit the credentials in it, each by itself.")
	}
	if err != nil {
		return nil, fault.At("credential", "token", "%v", err)
	}
	return t.Document, nil
}

func kindOf(v jsonld.Value) string {
	switch {
	case clr.IsRecord(v):
		return OfRecord
	case openbadges.Kind(v) == "AchievementCredential":
		return OfAchievement
	}
	return ""
}

// found is by what a subject is the learner: BySubject or the type of an
// identifier; other when it names somebody else by something that is on file.
func found(subject jsonld.Value, l learner.Learner, all []learner.Identifier) (by string, other bool) {
	if id, _ := subject.Member("id").Text(); id != "" {
		switch {
		case id == l.SubjectID(), l.Email != nil && strings.EqualFold(id, "mailto:"+*l.Email):
			return BySubject, false
		case l.DID != nil && strings.HasPrefix(id, "did:"):
			other = true
		}
	}
	if l.Email != nil {
		all = append(slices.Clone(all), learner.Identifier{Type: "emailAddress", Value: *l.Email})
	}
	for _, o := range openbadges.Identities(subject) {
		for _, i := range all {
			is, ok := o.Is(i.Type, i.Value)
			switch {
			case i.Type == "name": // many are called the same
			case is:
				return i.Type, false
			case ok:
				other = true
			}
		}
	}
	return "", other
}

// judged refuses what verifying did not bear out.
func judged(r verify.Report) error {
	proven, bound := false, false
	for _, c := range r.Checks {
		if c.Outcome == verify.Failed {
			return fault.At("credential", c.Name, "This credential does not hold. %s", c.Reason)
		}
		proven = proven || c.Name == "proof" && c.Outcome == verify.Passed
		bound = bound || c.Name == "issuer" && c.Outcome == verify.Passed
	}
	if proven && bound {
		return nil
	}
	for _, c := range r.Checks {
		if c.Outcome == verify.NotChecked && (c.Name == "proof" || c.Name == "issuer" || c.Name == "context") {
			return fault.At("credential", c.Name, "It could not be found out whether its issuer signed this credential. %s Send it again later.", c.Reason)
		}
	}
	return fault.At("credential", "proof", "It could not be found out whether its issuer signed this credential.")
}
