package rest

import (
	"encoding/json"
	"net/http"

	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/spec/openbadges"
)

// publishedFor is how many seconds a cache may keep a public document.
const publishedFor = 300

// published registers the addresses that ids name: the institution's profile,
// its achievements, and its credentials for those who may see them.
func (s Services) published(mux *http.ServeMux) {
	s.handle(mux, "/i/{slug}", s.problem, methods{http.MethodGet: s.profile})
	s.handle(mux, "/i/{slug}/achievements/{id}", s.problem, methods{http.MethodGet: s.achievement})
	s.handle(mux, "/i/{slug}/credentials/{id}", s.problem, methods{http.MethodGet: s.credential})
}

func (s Services) profile(w http.ResponseWriter, r *http.Request) error {
	in, _, err := s.issuerAt(r)
	if err != nil {
		return err
	}
	did, err := in.DID(s.Origin)
	if err != nil {
		return err
	}
	return servePublic(w, r, in.Issuer(did))
}

// achievement is the present version of an achievement of ours. One that is
// published elsewhere is not here, because its id is not this address.
func (s Services) achievement(w http.ResponseWriter, r *http.Request) error {
	in, who, err := s.issuerAt(r)
	if err != nil {
		return err
	}
	a, err := s.Achievements.Find(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err
	}
	uri := in.Base(s.Origin) + "/achievements/" + r.PathValue("id")
	if a.PublishedURI(in.Base(s.Origin)) != uri {
		return fault.Missing("achievement")
	}
	return servePublic(w, r, achievement.Published(a.Definition, uri))
}

// servePublic answers with a value of Open Badges as JSON-LD that stands on its
// own.
func servePublic(w http.ResponseWriter, r *http.Request, v any) error {
	media, err := negotiate(r, "application/ld+json", "application/json")
	if err != nil {
		return err
	}
	context, err := json.Marshal(map[string]any{"@context": []string{openbadges.ContextCredentials, openbadges.ContextOpenBadges}})
	if err != nil {
		return err
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	raw = append(append(context[:len(context)-1], ','), raw[1:]...)
	document{media: media, raw: raw, maxAge: publishedFor}.serve(w, r)
	return nil
}

// credential is the signed bytes, for staff and for the learner they are of.
func (s Services) credential(w http.ResponseWriter, r *http.Request) error {
	who, err := s.signedIn(r)
	if err != nil {
		return err
	}
	in, err := s.Institutions.BySlug(r.Context(), r.PathValue("slug"))
	if err != nil {
		return err
	}
	if string(in) != who.InstitutionID {
		return fault.Missing("credential")
	}
	media, err := negotiate(r, credentialMedia...)
	if err != nil {
		return err
	}
	c, err := s.Credentials.Find(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return err
	}
	sealed, err := s.Credentials.Sealed(r.Context(), who, []credential.ID{c.ID})
	if err != nil {
		return err
	}
	raw, err := s.Holds.HandOver(r.Context(), who, release.Taking{Channel: disclosure.ByDocument, Purpose: "a signed document by its address"}, sealed[c.ID])
	if err != nil {
		return err
	}
	s.standing(w, r, c)
	document{media: media, raw: raw, unkept: true}.serve(w, r)
	return nil
}

// standing says beside the bytes, which never change, what they are worth now:
// the status, and what the credential replaced or was replaced by (RFC 5829).
func (s Services) standing(w http.ResponseWriter, r *http.Request, c credential.Credential) {
	h, base := w.Header(), s.Origin+"/i/"+r.PathValue("slug")
	h.Set("Credential-Status", c.Status)
	if c.Expired(s.Now()) {
		h.Set("Credential-Status", "expired")
	}
	if c.Supersedes != nil {
		h.Add("Link", "<"+credential.URL(base, *c.Supersedes)+`>; rel="predecessor-version"`)
	}
	if c.SupersededBy != nil {
		h.Add("Link", "<"+credential.URL(base, *c.SupersededBy)+`>; rel="successor-version"`)
	}
}

// credentialMedia are the forms of a signed credential; the bytes are the same.
// VCDM 2.0 §C.2, and OB 3.0 §5.1, which has the older name.
var credentialMedia = []string{"application/vc", "application/vc+ld+json", "application/ld+json", "application/json"}
