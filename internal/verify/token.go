package verify

import (
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges2"
	"github.com/testamur/testamur/internal/spec/vc"
)

// algorithms are those that a credential may be signed with. What is not here,
// none and the symmetric ones above all, does not hold.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.ES384, jose.EdDSA}

// token examines a compact JWS: a credential or presentation in the form of Open
// Badges or of VC-JOSE-COSE, or a signed badge of version 2.0.
func (x Examiner) token(raw []byte) Report {
	header, payload, err := parts(raw)
	if err != nil {
		return refused("jwt", "VC-JOSE-COSE §3", "This is not a signed token: %v.", err)
	}
	if openbadges2.Kind(payload) == "Assertion" && !slices.Contains(payload.Member("type").Texts(), "VerifiableCredential") && payload.Member("vc").IsZero() {
		r := x.badge2(raw)
		r.Format = "jwt"
		return r
	}
	document, nested := payload, false
	if inner := payload.Member("vc"); inner.IsObject() {
		document, nested = inner, true
	}
	if _, again := enveloped(document); again || x.depth > maxNesting {
		return refused("jwt", "VC-JOSE-COSE §3", "Tokens lie in tokens.")
	}
	if slices.Contains(document.Member("type").Texts(), "VerifiablePresentation") || !payload.Member("vp").IsZero() {
		return refused("jwt", "VC-JOSE-COSE §3.2", "A presentation as a token answers a question of the one it was made for; show its credentials instead.")
	}
	s := x.signed(header, payload, raw, identity(document.Member("issuer")))
	r := x.credential(document, document.Raw(), []signature{s})
	r.Format = "jwt"
	if why := claims(header, payload, document, nested, x); why != "" {
		r.add(Check{"binding", Failed, why, "OB 3.0 §8.2.4"})
	} else {
		r.add(Check{"binding", Passed, "What the token says of its issuer, its id and its dates is what the credential in it says.", "OB 3.0 §8.2.4"})
	}
	return r.close()
}

func enveloped(v jsonld.Value) (string, bool) {
	if slices.Contains(v.Member("type").Texts(), "EnvelopedVerifiableCredential") {
		return text(v, "id"), true
	}
	return "", false
}

// parts are the header and payload of a token, read strictly.
func parts(raw []byte) (header, payload jsonld.Value, err error) {
	all := strings.Split(string(raw), ".")
	if len(all) != 3 {
		return header, payload, errors.New("it has not three parts")
	}
	values := make([]jsonld.Value, 2)
	for i := range values {
		b, err := base64.RawURLEncoding.DecodeString(all[i])
		if err != nil {
			return header, payload, fmt.Errorf("part %d is not base64url", i+1)
		}
		if values[i], err = jsonld.Read(b); err != nil {
			return header, payload, fmt.Errorf("part %d: %w", i+1, err)
		}
		if !values[i].IsObject() {
			return header, payload, fmt.Errorf("part %d is not a JSON object", i+1)
		}
	}
	return values[0], values[1], nil
}

// signed checks the signature of a token, and finds out whose key made it.
func (x Examiner) signed(header, payload jsonld.Value, raw []byte, issuer string) signature {
	s := signature{suite: "JWS " + text(header, "alg"), whole: true}
	j, err := jose.ParseSigned(string(raw), algorithms)
	if err != nil {
		s.err = &vc.Failure{Code: vc.Mismatch, Reason: fmt.Sprintf("The token is signed with %q, which is none of the ways that can be relied on.", text(header, "alg")), Err: err}
		if slices.Contains(algorithms, jose.SignatureAlgorithm(text(header, "alg"))) {
			s.err = &vc.Failure{Code: vc.Malformed, Reason: "The header of the token is not one that a credential may have.", Err: err}
		}
		return s
	}
	k, controller, err := x.tokenKey(header, payload, issuer)
	if err != nil {
		s.err = err
		return s
	}
	if _, err := j.Verify(k); err != nil {
		s.err = &vc.Failure{Code: vc.Mismatch, Reason: "The signature does not fit: the token was changed after it was signed, or another key signed it.", Err: err}
		return s
	}
	s.controller = controller
	return s
}

// tokenKey is the key that a token names, and who publishes it: nobody, for a key
// that came with the token and that the issuer does not show.
func (x Examiner) tokenKey(header, payload jsonld.Value, issuer string) (crypto.PublicKey, string, error) {
	kid := text(header, "kid")
	if iss := text(payload, "iss"); kid != "" && !strings.Contains(kid, ":") && strings.Contains(iss, ":") {
		kid = iss + "#" + strings.TrimPrefix(kid, "#")
	}
	if kid == "" {
		jwk := header.Member("jwk")
		if !jwk.IsObject() {
			return nil, "", &vc.Failure{Code: vc.NoKey, Reason: "The token names no key."}
		}
		k, err := publicJWK(jwk)
		if err != nil {
			return nil, "", &vc.Failure{Code: vc.NoKey, Reason: "The key in the token cannot be used.", Err: err}
		}
		return k, x.publisher(k, issuer), nil
	}
	k, err := x.Keys(kid, vc.AssertionMethod)
	if err == nil {
		if k.Revoked != nil && !x.Now.Before(*k.Revoked) || k.Expires != nil && x.Now.After(*k.Expires) {
			return nil, "", &vc.Failure{Code: vc.WrongKey, Reason: "The issuer withdrew this key, and a token does not say in a way that can be relied on when it was signed."}
		}
		return k.Public, k.Controller, nil
	}
	if strings.HasPrefix(kid, "https://") && x.Get != nil {
		if k, controller, ok := x.hostedJWK(kid, issuer); ok {
			return k, controller, nil
		}
	}
	return nil, "", err
}

// publicJWK reads a key that may not carry its private half.
func publicJWK(jwk jsonld.Value) (crypto.PublicKey, error) {
	for _, secret := range []string{"d", "k", "p", "q"} {
		if !jwk.Member(secret).IsZero() {
			return nil, errors.New("it carries its private half")
		}
	}
	return vc.ParseJWK(jwk.Raw())
}

// hostedJWK is a key at its own address, as a JWK or in a set. It is the
// issuer's where the address lies below the issuer's own, or is the well-known
// one of its host.
func (x Examiner) hostedJWK(kid, issuer string) (crypto.PublicKey, string, bool) {
	address, fragment, _ := strings.Cut(kid, "#")
	v, ok := x.keyDocument(address)
	if !ok {
		return nil, "", false
	}
	key := v
	for _, k := range v.Member("keys").Elements() {
		if id := text(k, "kid"); id == kid || id == fragment && fragment != "" {
			key = k
		}
	}
	k, err := publicJWK(key)
	if err != nil {
		return nil, "", false
	}
	controller := ""
	iss := text(v, "iss")
	if address == issuer || strings.HasPrefix(address, strings.TrimSuffix(issuer, "/")+"/") || address == wellKnown(issuer) && (iss == "" || iss == issuer) {
		controller = issuer
	}
	return k, controller, true
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

// publisher is the issuer if it publishes a key that came with a token.
func (x Examiner) publisher(k crypto.PublicKey, issuer string) string {
	if did, _ := vc.DIDKeyOf(k); did != "" && did == issuer {
		return issuer
	}
	address := wellKnown(issuer)
	if address == "" || x.Get == nil {
		return ""
	}
	v, ok := x.keyDocument(address)
	if iss := text(v, "iss"); !ok || iss != "" && iss != issuer {
		return ""
	}
	for _, one := range v.Member("keys").Elements() {
		if other, err := publicJWK(one); err == nil && equal(k, other) {
			return issuer
		}
	}
	return ""
}

func equal(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// claims is in what the claims of a token contradict the credential in it,
// OB 3.0 §8.2.4 and VC-JOSE-COSE §3.1.3, or "".
func claims(header, payload, v jsonld.Value, nested bool, x Examiner) string {
	from, until := "validFrom", "validUntil"
	if !v.Member("issuanceDate").IsZero() {
		from, until = "issuanceDate", "expirationDate"
	}
	typ := strings.ToLower(text(header, "typ"))
	ours := !strings.HasSuffix(typ, "vc+jwt") && !strings.HasSuffix(typ, "vc+ld+json+jwt")
	if nested && !ours {
		return "The token is of the type vc+jwt, which has no claim vc."
	}
	subject := v.Member("credentialSubject").One()
	for _, c := range []struct{ claim, member, want string }{
		{"iss", "issuer", identity(v.Member("issuer"))}, {"jti", "id", text(v, "id")}, {"sub", "credentialSubject.id", text(subject, "id")},
	} {
		got := payload.Member(c.claim)
		s, _ := got.Text()
		if got.IsZero() && (!ours || c.want == "") {
			continue
		}
		if s != c.want {
			return fmt.Sprintf("The claim %s of the token is not the %s of the credential.", c.claim, c.member)
		}
	}
	if ours {
		if why := sameSecond(payload, "nbf", v, from, true); why != "" {
			return why
		}
		if why := sameSecond(payload, "exp", v, until, false); why != "" {
			return why
		}
		return ""
	}
	if exp := seconds(payload.Member("exp")); exp != nil && exp.Cmp(big.NewInt(x.Now.Unix())) < 0 {
		return "The signature of the token has expired."
	}
	if nbf := seconds(payload.Member("nbf")); nbf != nil && nbf.Cmp(big.NewInt(x.Now.Unix())) > 0 {
		return "The signature of the token is not valid yet."
	}
	return ""
}

// sameSecond compares a claim with a member as instants to the second.
func sameSecond(payload jsonld.Value, claim string, v jsonld.Value, member string, needed bool) string {
	got, at := seconds(payload.Member(claim)), instant(v.Member(member))
	switch {
	case payload.Member(claim).IsZero() && (at == nil || !needed && v.Member(member).IsZero()):
		return ""
	case payload.Member(claim).IsZero() && !needed:
		return fmt.Sprintf("The token has no claim %s, and the credential has a %s.", claim, member)
	case got == nil || at == nil || got.Cmp(big.NewInt(at.Unix())) != 0:
		return fmt.Sprintf("The claim %s of the token is not the %s of the credential.", claim, member)
	}
	return ""
}

// seconds is a NumericDate, cut to seconds.
func seconds(v jsonld.Value) *big.Int {
	s, ok := v.Number()
	if !ok || len(s) > 20 {
		return nil
	}
	f, ok := new(big.Float).SetString(s)
	if !ok || f.MantExp(nil) > 62 {
		return nil
	}
	n, _ := f.Int(nil)
	return n
}
