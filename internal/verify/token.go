package verify

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges2"
	"github.com/testamur/testamur/internal/spec/vc"
)

// token examines a compact JWS: a credential or presentation in the form of Open
// Badges, of VC-JOSE-COSE or of VCDM 1.1, or a signed badge of version 2.0.
func (x Examiner) token(raw []byte) Report {
	if x.isBadge2(raw) {
		r := x.badge2(raw)
		r.Format = "jwt"
		return r
	}
	t, err := vc.ReadJWT(string(raw))
	if err != nil {
		return unread(err)
	}
	v, err := jsonld.Read(t.Document)
	if err != nil {
		return unread(err)
	}
	if enveloped(v) || x.depth > maxNesting {
		return refused("jwt", "VC-JOSE-COSE §3", "Tokens lie in tokens.")
	}
	s := x.signed(t)
	var r Report
	if t.Presentation {
		r = x.presentation(v, func(r *Report) { r.presented(x, s, t.Audience, t.Nonce) })
	} else {
		r = x.credential(v, []signature{s})
	}
	r.Format = "jwt"
	if t.Contradicts != nil {
		r.add(Check{"binding", Failed, reasonOf(t.Contradicts), "OB 3.0 §8.2.4"})
	} else if !t.Presentation {
		r.add(Check{"binding", Passed, "What the token says of its issuer, its id and its dates is what the credential in it says.", "OB 3.0 §8.2.4"})
	}
	return r.close()
}

// signed checks the signature of a token.
func (x Examiner) signed(t vc.JWT) signature {
	c := vc.Verifier{Keys: x.tokenKeys(t.Issuer), IssuerKeys: x.issuerKeys, Now: x.Now}.CheckJWT(t)
	return signature{suite: "JWS " + t.Alg, controller: c.Key.Controller, err: c.Err, whole: true}
}

// isBadge2 reports whether a token is a signed badge of version 2.0.
func (x Examiner) isBadge2(raw []byte) bool {
	v, err := openbadges2.Payload(raw)
	return err == nil && openbadges2.Kind(v) == "Assertion" && !slices.Contains(v.Member("type").Texts(), "VerifiableCredential") && v.Member("vc").IsZero() && v.Member("vp").IsZero()
}

func enveloped(v jsonld.Value) bool {
	types := v.Member("type").Texts()
	return slices.Contains(types, "EnvelopedVerifiableCredential") || slices.Contains(types, "EnvelopedVerifiablePresentation")
}

// unread is the report of a token that is none, or that is signed in a way that
// proves nothing.
func unread(err error) Report {
	r := refused("jwt", "VC-JOSE-COSE §3", "%s", reasonOf(err))
	var f *vc.Failure
	if errors.As(err, &f) && f.Code != vc.Malformed {
		r.Checks[0] = proofFailed(signature{suite: "JWS", err: err})
		r.Outcome = r.Checks[0].Outcome
	}
	return r
}

// reasonOf is an error as a sentence.
func reasonOf(err error) string {
	var f *vc.Failure
	switch {
	case errors.As(err, &f) && f.Err != nil:
		return fmt.Sprintf("%s %s.", f.Reason, strings.TrimPrefix(f.Err.Error(), "JSON-LD: "))
	case errors.As(err, &f):
		return f.Reason
	}
	return strings.TrimPrefix(err.Error(), "JSON-LD: ") + "."
}

// tokenKeys finds the key that a token of an issuer's names: in the document of
// its controller, or at its own address.
func (x Examiner) tokenKeys(issuer string) vc.Resolver {
	return func(method, purpose string) (vc.Key, error) {
		k, err := x.Keys(method, purpose)
		if err == nil || !strings.HasPrefix(method, "https://") || x.Get == nil {
			return k, err
		}
		if k, ok := x.hostedJWK(method, issuer); ok {
			return k, nil
		}
		return k, err
	}
}

// hostedJWK is a key at its own address, as a JWK or in a set. It is the
// issuer's where the address lies below the issuer's own, or is the well-known
// one of its host; else it is nobody's.
func (x Examiner) hostedJWK(kid, issuer string) (vc.Key, bool) {
	address, fragment, _ := strings.Cut(kid, "#")
	v, ok := x.keyDocument(address)
	if !ok {
		return vc.Key{}, false
	}
	key := v
	for _, k := range v.Member("keys").Elements() {
		if id := text(k, "kid"); id == kid || id == fragment && fragment != "" {
			key = k
		}
	}
	k, err := vc.ParseJWK(key.Raw())
	if err != nil {
		return vc.Key{}, false
	}
	controller := ""
	iss := text(v, "iss")
	if address == issuer || strings.HasPrefix(address, strings.TrimSuffix(issuer, "/")+"/") || address == wellKnown(issuer) && (iss == "" || iss == issuer) {
		controller = issuer
	}
	return vc.Key{Controller: controller, Public: k}, true
}

// maxKeys is how many keys of one set are looked through.
const maxKeys = 100

// keyDocument is a JWK or a set of them, read once.
func (x Examiner) keyDocument(address string) (jsonld.Value, bool) {
	v, known := x.budget.documents[address]
	if !known {
		if got, err := x.Get(Want{URL: address, SameHost: true}); err == nil && got.Status == 200 {
			if v, err = jsonld.Read(got.Body); err != nil || v.Member("keys").Len() > maxKeys {
				v = jsonld.Value{}
			}
		}
		x.budget.documents[address] = v
	}
	return v, !v.IsZero()
}

// wellKnown is where the keys of an issuer's host lie, OB 3.0 §8.2.1, or "".
func wellKnown(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return ""
	}
	return "https://" + u.Host + "/.well-known/jwks.json"
}

// issuerKeys are the keys that an issuer's host publishes, for a token that
// brings its own.
func (x Examiner) issuerKeys(issuer, _ string) ([]vc.Key, error) {
	none := &vc.Failure{Code: vc.NoKey, Reason: "The token brings its own key, which anybody can, and the keys of the issuer could not be had."}
	address := wellKnown(issuer)
	if address == "" || x.Get == nil {
		return nil, none
	}
	v, ok := x.keyDocument(address)
	if iss := text(v, "iss"); !ok || iss != "" && iss != issuer {
		return nil, none
	}
	var all []vc.Key
	for _, one := range v.Member("keys").Elements() {
		if k, err := vc.ParseJWK(one.Raw()); err == nil {
			all = append(all, vc.Key{Controller: issuer, Public: k})
		}
	}
	return all, nil
}
