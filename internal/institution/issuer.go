package institution

import (
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/vc"
)

// Base is where the institution's things are published: origin is the https
// origin of the service, such as https://records.example.
func (i Institution) Base(origin string) string { return origin + "/i/" + i.Slug }

// DID is the institution as an issuer: the did:web of its base.
func (i Institution) DID(origin string) (string, error) { return vc.DIDWeb(i.Base(origin)) }

// Issuer is the profile that the institution's credentials carry.
func (i Institution) Issuer(did string) openbadges.Profile {
	p := openbadges.Profile{ID: did, Type: openbadges.List[string]{"Profile"}, Name: i.Name, URL: text(i.URL), Phone: text(i.Phone),
		Description: text(i.Description), Email: text(i.Email), Official: text(i.Official)}
	if i.ImageURL != nil {
		p.Image = &openbadges.Image{ID: *i.ImageURL, Type: "Image"}
	}
	if a := i.Address; a != nil {
		p.Address = &openbadges.Address{Type: openbadges.List[string]{"Address"}, AddressCountry: text(a.Country), AddressCountryCode: text(a.CountryCode),
			AddressRegion: text(a.Region), AddressLocality: text(a.Locality), StreetAddress: text(a.Street), PostalCode: text(a.PostalCode)}
	}
	for _, o := range i.OtherIdentifier {
		p.OtherIdentifier = append(p.OtherIdentifier, openbadges.IdentifierEntry{Type: "IdentifierEntry", Identifier: o.Value, IdentifierType: o.Type})
	}
	return p
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
