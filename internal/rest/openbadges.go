package rest

import (
	"encoding/json"
	"net/http"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/spec/openbadges"
)

// openBadges registers the Open Badges 3.0 API, §6.
func (s Services) openBadges(mux *http.ServeMux) {
	s.mount(mux, service{base: "/ims/ob/v3p0", scope: "https://purl.imsglobal.org/spec/ob/v3p0/scope/", title: "Open Badges 3.0", kind: credential.OfAchievement})
}

// ownProfile is the profile of whoever the token belongs to: a learner's own, or
// the institution's for those who work in it.
func (s Services) ownProfile(w http.ResponseWriter, r *http.Request) error {
	who, err := s.signedIn(r)
	if err != nil {
		return err
	}
	if _, err := negotiate(r, "application/json"); err != nil {
		return err
	}
	if who.Has(access.Learner) {
		l, err := s.Learners.Find(r.Context(), who, who.LearnerID)
		if err != nil {
			return err
		}
		writeJSON(w, http.StatusOK, "application/json", personal(l))
		return nil
	}
	in, err := s.Institutions.Find(r.Context(), who)
	if err != nil {
		return err
	}
	return s.writeIssuer(w, in)
}

func (s Services) writeIssuer(w http.ResponseWriter, in institution.Institution) error {
	did, err := in.DID(s.Origin)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, "application/json", in.Issuer(did))
	return nil
}

// personal is a learner as a Profile, OB 3.0 §B.1.7.
func personal(l learner.Learner) openbadges.Profile {
	p := openbadges.Profile{ID: l.SubjectID(), Type: openbadges.List[string]{"Profile"}, Name: l.DisplayName}
	for _, f := range []struct {
		from *string
		to   *string
	}{{l.GivenName, &p.GivenName}, {l.FamilyName, &p.FamilyName}, {l.AdditionalName, &p.AdditionalName}, {l.Email, &p.Email}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	return p
}

// maxProfile is the largest profile in bytes.
const maxProfile = 256 << 10

// reviseProfile replaces the institution's profile, for its administrators. A
// learner's name is the registrar's to change, with its history.
func (s Services) reviseProfile(w http.ResponseWriter, r *http.Request) error {
	who, err := s.signedIn(r)
	if err != nil {
		return err
	}
	if err := access.Check(who, access.ManageInstitution); err != nil {
		return err
	}
	raw, err := body(w, r, maxProfile, "application/json", "application/ld+json")
	if err != nil {
		return err
	}
	var p openbadges.Profile
	if err := json.Unmarshal(raw, &p); err != nil {
		return fault.At("profile", "json", "This is not a Profile of Open Badges 3.0: %s.", err)
	}
	in, err := s.Institutions.Revise(r.Context(), who, nil, profileOf(p))
	if err != nil {
		return err
	}
	return s.writeIssuer(w, in)
}

func profileOf(p openbadges.Profile) institution.Profile {
	out := institution.Profile{Name: p.Name, URL: optional(p.URL), Email: optional(p.Email), Phone: optional(p.Phone),
		Description: optional(p.Description), Official: optional(p.Official)}
	if p.Image != nil {
		out.ImageURL = optional(p.Image.ID)
	}
	if a := p.Address; a != nil {
		out.Address = &institution.Address{Country: optional(a.AddressCountry), CountryCode: optional(a.AddressCountryCode), Region: optional(a.AddressRegion),
			Locality: optional(a.AddressLocality), Street: optional(a.StreetAddress), PostalCode: optional(a.PostalCode)}
	}
	for _, o := range p.OtherIdentifier {
		out.OtherIdentifier = append(out.OtherIdentifier, institution.Identifier{Type: o.IdentifierType, Value: o.Identifier})
	}
	return out
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
