// Package institution is the tenant: its issuer profile, its staff and their
// roles, and the API clients that act for it with bearer tokens.
//
// A token is shown once, when the client is created; only the SHA-256 of its
// secret is kept. Authenticate says the same sentence for a token that is
// unknown, expired or revoked.
package institution

import (
	"encoding/json"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
)

// ID names an institution: ins_ and text.
type ID string

// Institution is the issuer profile that its credentials carry.
type Institution struct {
	ID              ID `db:"institution_id"`
	Slug            string
	Name            string
	URL             *string
	Email           *string
	Phone           *string
	Description     *string
	ImageURL        *string
	Official        *string // the named official who attests
	Address         *Address
	OtherIdentifier []Identifier
	Version         int
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// Address is a postal address, as Open Badges 3.0 writes it.
type Address struct {
	Country     *string `json:"addressCountry,omitempty"`
	CountryCode *string `json:"addressCountryCode,omitempty"` // ISO 3166-1 alpha-2
	Region      *string `json:"addressRegion,omitempty"`
	Locality    *string `json:"addressLocality,omitempty"`
	Street      *string `json:"streetAddress,omitempty"`
	PostalCode  *string `json:"postalCode,omitempty"`
}

// Identifier is what another body calls the institution.
type Identifier struct {
	Type  string `json:"identifierType"`
	Value string `json:"identifier"`
}

// Profile is what may be said of an institution. Nil leaves a field out.
type Profile struct {
	Name            string
	URL             *string
	Email           *string
	Phone           *string
	Description     *string
	ImageURL        *string
	Official        *string
	Address         *Address
	OtherIdentifier []Identifier
}

var slugForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Check is the first rule that the profile breaks, or nil.
func (p Profile) Check() error {
	if strings.TrimSpace(p.Name) == "" {
		return fault.At("name", "required", "An institution needs a name.")
	}
	if err := checkURL("url", p.URL); err != nil {
		return err
	}
	if err := checkURL("imageUrl", p.ImageURL); err != nil {
		return err
	}
	if p.Email != nil {
		if _, err := mail.ParseAddress(*p.Email); err != nil {
			return fault.At("email", "email", "%q is not an e-mail address.", *p.Email)
		}
	}
	for _, i := range p.OtherIdentifier {
		if i.Type == "" || i.Value == "" {
			return fault.At("otherIdentifier", "required", "An identifier needs a type and a value.")
		}
	}
	return nil
}

func checkURL(field string, v *string) error {
	if v == nil {
		return nil
	}
	u, err := url.Parse(*v)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return fault.At(field, "url", "%q is not a web address: write it with https:// in front.", *v)
	}
	return nil
}

// Staff is somebody who works for the institution.
type Staff struct {
	ID            string
	Email         string
	Name          string
	Roles         []access.Role
	Version       int
	CreatedAt     time.Time
	UpdatedAt     time.Time
	DeactivatedAt *time.Time
}

// Client is a program, or a person at a terminal, that acts with a token.
type Client struct {
	ID        string
	Name      string
	Roles     []access.Role
	Scopes    []access.Scope // empty: all that the roles allow
	LearnerID *string        // whose client this is, for the role learner
	CreatedAt time.Time
	ExpiresAt *time.Time
	RevokedAt *time.Time
}

// NewClient is what a client is to be.
type NewClient struct {
	Name      string
	Roles     []access.Role
	Scopes    []access.Scope
	LearnerID *string
	ExpiresAt *time.Time
}

func (c NewClient) check(now time.Time) error {
	if strings.TrimSpace(c.Name) == "" {
		return fault.At("name", "required", "Name the client, so that its lines in the audit can be told apart.")
	}
	if err := checkRoles(c.Roles, access.Grantable()); err != nil {
		return err
	}
	for _, s := range c.Scopes {
		if !slices.Contains(access.Scopes(), s) {
			return fault.At("scopes", "scope-known", "%q is not a scope.", s)
		}
	}
	if slices.Contains(c.Roles, access.Learner) != (c.LearnerID != nil) {
		return fault.At("learnerId", "learner-named", "A client with the role learner names its learner, and no other client does.")
	}
	if c.ExpiresAt != nil && !c.ExpiresAt.After(now) {
		return fault.At("expiresAt", "in-the-future", "The client would have expired already.")
	}
	return nil
}

func checkRoles(roles, allowed []access.Role) error {
	if len(roles) == 0 {
		return fault.At("roles", "required", "Give at least one role.")
	}
	for _, r := range roles {
		if !slices.Contains(allowed, r) {
			return fault.At("roles", "role-known", "%q is not a role that can be given here.", r)
		}
	}
	return nil
}

// NewStaff is what a member of staff is to be.
type NewStaff struct {
	Email string
	Name  string
	Roles []access.Role
}

func (n NewStaff) check() error {
	if strings.TrimSpace(n.Name) == "" {
		return fault.At("name", "required", "A member of staff needs a name.")
	}
	if a, err := mail.ParseAddress(n.Email); err != nil || a.Address != n.Email {
		return fault.At("email", "email", "%q is not an e-mail address.", n.Email)
	}
	staff := slices.DeleteFunc(access.Grantable(), func(r access.Role) bool { return r == access.Learner })
	return checkRoles(n.Roles, staff)
}

// jsonText is a value for a jsonb column.
func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain structs of text
	}
	return string(b)
}
