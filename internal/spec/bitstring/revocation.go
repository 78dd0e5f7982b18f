package bitstring

import (
	"encoding/json"

	"github.com/testamur/testamur/internal/spec/jsonld"
)

// The types of 1EdTech. A credential that has one names the context
// https://purl.imsglobal.org/spec/ob/v3p0/extensions.json.
const (
	TypeRevocationList    = "1EdTechRevocationList"
	TypeCredentialRefresh = "1EdTechCredentialRefresh"
)

// RevocationList is the list that a credentialStatus of type
// 1EdTechRevocationList points to (VCRL 1.0). It is no credential and carries
// no proof: it is believed because of where it lies.
type RevocationList struct {
	ID      string    `json:"id"`
	Issuer  string    `json:"issuer,omitempty"`
	Revoked []Revoked `json:"revokedCredential"`
}

// Revoked is one entry of a revocation list.
type Revoked struct {
	ID      string `json:"id"` // of the credential
	Revoked bool   `json:"revoked"`
	Reason  string `json:"revocationReason,omitempty"`
}

// ComposeRevocationList is the document of a list.
func ComposeRevocationList(l RevocationList) ([]byte, error) {
	if l.Revoked == nil {
		l.Revoked = []Revoked{}
	}
	return json.Marshal(l)
}

// ParseRevocationList reads a list. An entry counts unless it says that it does
// not: revoked is true where it is left out.
func ParseRevocationList(document []byte) (RevocationList, error) {
	var l RevocationList
	v, err := jsonld.Read(document)
	if err != nil {
		return l, &Failure{MalformedError, "The revocation list is not JSON that can be read.", err}
	}
	l.ID, _ = v.Member("id").Text()
	issuer := v.Member("issuer")
	if issuer.IsObject() {
		issuer = issuer.Member("id")
	}
	l.Issuer, _ = issuer.Text()
	all := v.Member("revokedCredential")
	if all.IsZero() {
		all = v.Member("revokedCredentials")
	}
	if all.IsZero() && l.ID == "" {
		return l, fail(MalformedError, "What lies at the address is no revocation list.")
	}
	for _, e := range all.Elements() {
		r := Revoked{Revoked: true}
		if r.ID, _ = e.Member("id").Text(); r.ID == "" {
			return l, fail(MalformedError, "An entry of the revocation list has no id.")
		}
		if flag := e.Member("revoked"); !flag.IsZero() {
			is, ok := flag.Bool()
			if !ok {
				return l, fail(MalformedError, "An entry of the revocation list says neither that it is revoked nor that it is not.")
			}
			r.Revoked = is
		}
		r.Reason, _ = e.Member("revocationReason").Text()
		l.Revoked = append(l.Revoked, r)
	}
	return l, nil
}

// Find is the entry of a credential that is revoked. The same credential may
// stand there twice; one that says revoked counts.
func (l RevocationList) Find(credential string) (Revoked, bool) {
	for _, r := range l.Revoked {
		if r.ID == credential && r.Revoked {
			return r, true
		}
	}
	return Revoked{}, false
}
