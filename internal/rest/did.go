package rest

import (
	"encoding/json"
	"net/http"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/spec/vc"
)

// keysFor is how many seconds a verifier may keep an issuer's keys: a key that
// was withdrawn must not verify for long.
const keysFor = 300

// did registers the documents that say which keys sign: one for each
// institution, and one for the origin, which signs nothing itself.
func (s Services) did(mux *http.ServeMux) {
	s.handle(mux, "/.well-known/did.json", s.problem, methods{http.MethodGet: s.originDID})
	s.handle(mux, "/i/{slug}/did.json", s.problem, methods{http.MethodGet: s.institutionDID})
	s.handle(mux, "/i/{slug}/jwks.json", s.problem, methods{http.MethodGet: s.jwks})
}

// originDID is the did:web of the service: no key stands in it, so that
// whatever claims to be signed by the origin itself is refused.
func (s Services) originDID(w http.ResponseWriter, r *http.Request) error {
	did, err := vc.DIDWeb(s.Origin)
	if err != nil {
		return err
	}
	return serveDID(w, r, vc.NewController(did, nil))
}

func (s Services) institutionDID(w http.ResponseWriter, r *http.Request) error {
	did, keys, err := s.keysOf(r)
	if err != nil {
		return err
	}
	return serveDID(w, r, vc.NewController(did, keyring.Methods(did, keys)))
}

func serveDID(w http.ResponseWriter, r *http.Request, c vc.Controller) error {
	media, err := negotiate(r, "application/did+ld+json", "application/did+json", "application/did", "application/cid", "application/ld+json", "application/json")
	if err != nil {
		return err
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return err
	}
	document{media: media, raw: raw, maxAge: keysFor}.serve(w, r)
	return nil
}

// jwks is the same keys as JSON Web Keys, RFC 7517.
func (s Services) jwks(w http.ResponseWriter, r *http.Request) error {
	did, keys, err := s.keysOf(r)
	if err != nil {
		return err
	}
	media, err := negotiate(r, "application/jwk-set+json", "application/json")
	if err != nil {
		return err
	}
	all, err := keyring.JWKs(did, keys)
	if err != nil {
		return err
	}
	set := struct {
		Issuer string   `json:"iss"`
		Keys   []vc.JWK `json:"keys"`
	}{did, all}
	raw, err := json.Marshal(set)
	if err != nil {
		return err
	}
	document{media: media, raw: raw, maxAge: keysFor}.serve(w, r)
	return nil
}

// keysOf is the institution at the address as an issuer.
func (s Services) keysOf(r *http.Request) (did string, keys []keyring.Key, err error) {
	in, who, err := s.issuerAt(r)
	if err != nil {
		return "", nil, err
	}
	if did, err = in.DID(s.Origin); err != nil {
		return "", nil, err
	}
	keys, err = s.Keys.List(r.Context(), who)
	return did, keys, err
}

// issuerAt is the institution at the address, as a visitor sees it.
func (s Services) issuerAt(r *http.Request) (institution.Institution, access.Actor, error) {
	who, err := s.institutionAt(r)
	if err != nil {
		return institution.Institution{}, who, err
	}
	in, err := s.Institutions.Find(r.Context(), who)
	return in, who, err
}
