package openbadges2

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/shape"
)

// Answer is what an address answered.
type Answer struct {
	Status int
	Body   []byte
}

// gone is the status of what was taken back, RFC 9110 §15.5.11.
const gone = 410

// Fetch asks an address. An error means that it could not be asked.
type Fetch func(address string) (Answer, error)

// Found is what came of one step.
type Found int

// The findings.
const (
	Held Found = iota
	Broken
	Unknown // it could not be found out
)

// Step is one thing that was looked at.
type Step struct {
	Name   string // shape, proof, issuer, status, period
	Found  Found
	Reason string // a sentence
	Clause string
}

// Result is everything that was found about a badge or an endorsement.
type Result struct {
	Steps       []Step
	Document    jsonld.Value // the assertion or endorsement that is believed, else the presented one
	Badge       jsonld.Value
	Issuer      jsonld.Value
	IssuerID    string // the address that the issuer's profile lies at
	Signed      bool
	Endorsement []Result
}

// The limits of one badge.
const (
	maxFetches      = 24
	maxDocument     = 4 << 20
	maxEndorsements = 8
	minRSA          = 2048 // bits
)

// Verify verifies a badge: the address of a hosted one, a presented copy, or a
// signed one as a compact JWS (§Verification).
func Verify(input []byte, fetch Fetch, now time.Time) Result {
	g := &gatherer{fetch: fetch, known: map[string]got{}}
	text := strings.TrimSpace(string(input))
	switch {
	case strings.HasPrefix(text, "https://"), strings.HasPrefix(text, "http://"):
		return g.hosted("Assertion", text, now, true)
	case strings.HasPrefix(text, "{"):
		return g.presented([]byte(text), now)
	}
	return g.signed(text, now)
}

// gatherer fetches each document once, and not too many.
type gatherer struct {
	fetch Fetch
	known map[string]got
	count int
}

type got struct {
	v    jsonld.Value
	gone bool // 410
	err  error
}

var (
	errNoFetch = errors.New("it was not asked")
	errTooMany = errors.New("this badge is made of more documents than are fetched")
)

// document is what lies at an address.
func (g *gatherer) document(address string) got {
	address, _, _ = strings.Cut(address, "#")
	if k, ok := g.known[address]; ok {
		return k
	}
	k := g.ask(address)
	g.known[address] = k
	return k
}

func (g *gatherer) ask(address string) got {
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return got{err: errors.New("it is no web address")}
	}
	if g.fetch == nil {
		return got{err: errNoFetch}
	}
	if g.count++; g.count > maxFetches {
		return got{err: errTooMany}
	}
	a, err := g.fetch(address)
	switch {
	case err != nil:
		return got{err: err}
	case a.Status == gone:
		v, _ := jsonld.Read(a.Body) // may tell the reason
		return got{v: v, gone: true}
	case a.Status != 200:
		return got{err: fmt.Errorf("the server answered %d", a.Status)}
	case len(a.Body) > maxDocument:
		return got{err: errors.New("the document is too large")}
	}
	v, err := jsonld.Read(a.Body)
	return got{v: v, err: err}
}

func (r *Result) step(name string, found Found, clause, format string, args ...any) {
	r.Steps = append(r.Steps, Step{name, found, fmt.Sprintf(format, args...), "OB 2.0 §" + clause})
}

// presented is a copy that somebody holds. It says where the badge lies; a
// hosted badge is what lies there.
func (g *gatherer) presented(document []byte, now time.Time) Result {
	v, err := jsonld.Read(document)
	if err != nil {
		r := Result{}
		r.step("shape", Broken, "Assertion", "This cannot be read as JSON: %v.", err)
		return r
	}
	kind := Kind(v)
	if kind != "Assertion" && kind != "Endorsement" {
		r := Result{Document: v}
		r.step("shape", Broken, "Assertion", "This is neither an assertion nor an endorsement of Open Badges 2.0.")
		return r
	}
	if signed(v) {
		r := Result{Document: v, Signed: true}
		r.shape(kind, v)
		r.step("proof", Broken, "SignedBadge", "It says that it is signed, and this is only what was signed. The badge is the token of three parts, or the picture that holds it.")
		return r
	}
	id := text(v, "id")
	r := g.hosted(kind, id, now, kind == "Assertion")
	if r.Document.IsZero() {
		r.Document = v
		r.Steps = slices.Insert(r.Steps, 0, shapeStep(kind, v))
	}
	return r
}

func (r *Result) shape(kind string, v jsonld.Value) bool {
	s := shapeStep(kind, v)
	r.Steps = append(r.Steps, s)
	return s.Found == Held
}

func shapeStep(kind string, v jsonld.Value) Step {
	if p := Check(kind, v); len(p) > 0 {
		return Step{"shape", Broken, shape.Told(p), p[0].Clause}
	}
	return Step{"shape", Held, "It has the form of an Open Badges 2.0 " + kind + ".", "OB 2.0 §" + kind}
}

// hosted verifies what lies at an address (§HostedBadge).
func (g *gatherer) hosted(kind, address string, now time.Time, deep bool) Result {
	var r Result
	d := g.document(address)
	switch {
	case d.gone:
		r.Document = d.v
		r.step("status", Broken, "HostedBadge", "The issuer took it back: its address answers that it is gone%s.", because(d.v))
		return r
	case d.err != nil:
		r.step("proof", Unknown, "HostedBadge", "A hosted badge is what lies at its address %s, which did not give it: %v.", address, d.err)
		return r
	}
	r.Document = d.v
	if revoked, _ := d.v.Member("revoked").Bool(); revoked {
		r.step("status", Broken, "HostedBadge", "The issuer revoked it%s.", because(d.v))
		return r
	}
	if !r.shape(kind, d.v) {
		return r
	}
	if id := text(d.v, "id"); id != address {
		r.step("proof", Broken, "HostedBadge", "What lies at %s says that it is %s.", address, id)
		return r
	}
	if signed(d.v) {
		r.step("proof", Broken, "HostedBadge", "What lies at its address says that it is signed, and a signed badge is a token.")
		return r
	}
	r.step("proof", Held, "HostedBadge", "It is what its issuer's server gives at %s.", address)
	g.parties(&r, kind)
	if !r.Issuer.IsZero() {
		r.scope(address)
	}
	r.step("status", Held, "HostedBadge", "It is not marked as revoked where it is hosted.")
	r.period(now)
	if deep {
		g.endorsements(&r, now)
	}
	return r
}

func because(v jsonld.Value) string {
	if reason := text(v, "revocationReason"); reason != "" {
		return ": " + reason
	}
	return ""
}

// parties finds the badge class and the issuer. A profile is believed only as
// its own address gives it.
func (g *gatherer) parties(r *Result, kind string) {
	holder := r.Document
	if kind == "Assertion" {
		b, err := g.linked(r.Document.Member("badge").One())
		if err != nil {
			r.step("badge", Unknown, "BadgeClass", "What the badge stands for could not be read: %v.", err)
			return
		}
		if p := Check("BadgeClass", b); len(p) > 0 {
			r.step("badge", Broken, "BadgeClass", "%s", shape.Told(p))
			return
		}
		r.Badge, holder = b, b
		r.step("badge", Held, "BadgeClass", "It stands for “%s”.", text(b, "name"))
	}
	issuer := holder.Member("issuer").One()
	id, ok := issuer.Text()
	if !ok {
		id = text(issuer, "id")
	}
	d := g.document(id)
	if d.err != nil || d.gone {
		r.step("issuer", Unknown, "Profile", "The issuer's profile at %s could not be read: %v.", id, cause(d))
		return
	}
	if p := CheckIssuer(d.v); len(p) > 0 {
		r.step("issuer", Broken, "Profile", "%s", shape.Told(p))
		return
	}
	if own := text(d.v, "id"); own != id {
		r.step("issuer", Broken, "Profile", "The profile at %s says that it is %s.", id, own)
		return
	}
	r.Issuer, r.IssuerID = d.v, id
}

func cause(d got) error {
	if d.gone {
		return errors.New("it is gone")
	}
	return d.err
}

// linked is an object that stands in a document, or lies at the address that
// stands there and says that it is the one.
func (g *gatherer) linked(v jsonld.Value) (jsonld.Value, error) {
	if v.IsObject() {
		return v, nil
	}
	id, _ := v.Text()
	d := g.document(id)
	if d.err != nil || d.gone {
		return d.v, fmt.Errorf("%s: %w", id, cause(d))
	}
	if own := text(d.v, "id"); own != id {
		return d.v, fmt.Errorf("what lies at %s says that it is %s", id, own)
	}
	return d.v, nil
}

// scope checks that the issuer lets badges be hosted where this one is
// (§VerificationObject): where its policy says, else at its own origin.
func (r *Result) scope(address string) {
	policy := r.Issuer.Member("verification").One()
	starts, origins := policy.Member("startsWith").Texts(), policy.Member("allowedOrigins").Texts()
	places := []string{address}
	if id := text(r.Badge, "id"); id != "" && web(id) {
		places = append(places, id)
	}
	for i, place := range places {
		if i == 0 && len(starts) > 0 && !slices.ContainsFunc(starts, func(s string) bool { return within(place, s) }) {
			r.step("issuer", Broken, "VerificationObject", "The issuer's badges begin with %s, and this one lies at %s.", strings.Join(starts, " or "), place)
			return
		}
		if len(origins) > 0 && !slices.Contains(origins, host(place)) {
			r.step("issuer", Broken, "VerificationObject", "The issuer lets badges be hosted at %s, and this one lies at %s.", strings.Join(origins, " or "), place)
			return
		}
		if len(origins) == 0 && len(starts) == 0 && origin(place) != origin(r.IssuerID) {
			r.step("issuer", Broken, "VerificationObject", "It is hosted at %s, and its issuer is %s: another host cannot speak for an issuer that does not say so.", origin(place), origin(r.IssuerID))
			return
		}
	}
	r.step("issuer", Held, "VerificationObject", "It is hosted where its issuer, %s, lets it be.", r.IssuerID)
}

// within reports whether an address begins with a prefix, host for host: the
// prefix https://a.example is not one of https://a.example.evil/.
func within(address, prefix string) bool {
	return strings.HasPrefix(address, prefix) && origin(address) == origin(prefix)
}

func web(id string) bool {
	return strings.HasPrefix(id, "https://") || strings.HasPrefix(id, "http://")
}

func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// origin is the scheme, host and port of an address. Both schemes of one host
// without a port count as one: issuers moved from one to the other, and ids did
// not.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return "https://" + strings.ToLower(u.Host)
}

// period checks the dates against the clock.
func (r *Result) period(now time.Time) {
	from, ok := instant(r.Document.Member("issuedOn"))
	until, ends := instant(r.Document.Member("expires"))
	switch {
	case ok && now.Before(from):
		r.step("period", Broken, "Assertion", "It says that it was issued on %s, which is in the future.", from.Format(time.RFC3339))
	case ends && now.After(until):
		r.step("period", Broken, "Assertion", "It expired on %s.", until.Format(time.RFC3339))
	case ends:
		r.step("period", Held, "Assertion", "It is valid until %s.", until.Format(time.RFC3339))
	default:
		r.step("period", Held, "Assertion", "It does not expire.")
	}
}

// algorithms are those of a signed badge: the standard asks for RS256.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.ES256, jose.ES384, jose.EdDSA}

// signed verifies a badge in a compact JWS (§SignedBadge).
func (g *gatherer) signed(token string, now time.Time) Result {
	r := Result{Signed: true}
	v, err := Payload([]byte(token))
	if err != nil {
		r.step("shape", Broken, "SignedBadge", "This is no signed badge: %v.", err)
		return r
	}
	r.Document = v
	if !r.shape("Assertion", v) {
		return r
	}
	if !signed(v) {
		r.step("proof", Broken, "SignedBadge", "It says that it is hosted, and was given as a signed token.")
		return r
	}
	g.parties(&r, "Assertion")
	if r.Issuer.IsZero() {
		r.step("proof", Unknown, "SignedBadge", "Without the issuer's profile there is no key to check the signature with.")
		return r
	}
	key := text(verificationOf(v), "creator")
	if !r.key(g, key, token) {
		return r
	}
	r.revocation(g, text(v, "id"))
	r.period(now)
	g.endorsements(&r, now)
	return r
}

// key checks that the key is the issuer's, and that the signature is the key's.
func (r *Result) key(g *gatherer, id, token string) bool {
	v, listed, err := g.find(r.Issuer, id)
	if err != nil {
		r.step("proof", Unknown, "SignedBadge", "The key %s could not be read: %v.", id, err)
		return false
	}
	if p := Check("CryptographicKey", v); len(p) > 0 {
		r.step("proof", Broken, "CryptographicKey", "%s", shape.Told(p))
		return false
	}
	public, err := publicKey(text(v, "publicKeyPem"))
	if err != nil {
		r.step("proof", Unknown, "CryptographicKey", "The key %s cannot be used: %v.", id, err)
		return false
	}
	s, err := jose.ParseSigned(token, algorithms)
	if err == nil {
		_, err = s.Verify(public)
	}
	if err != nil {
		r.step("proof", Broken, "SignedBadge", "The signature does not fit: the badge was changed after it was signed, or another key signed it, or it is signed in a way that is not safe.")
		return false
	}
	r.step("proof", Held, "SignedBadge", "The signature fits this badge: it is as the holder of the key signed it.")
	switch owner := text(v, "owner"); {
	case text(v, "id") != id || owner != r.IssuerID:
		r.step("issuer", Broken, "CryptographicKey", "The key belongs to %s, and the badge says it is issued by %s.", owner, r.IssuerID)
		return false
	case !listed:
		r.step("issuer", Broken, "Profile", "The issuer, %s, does not list the key that signed it.", r.IssuerID)
		return false
	}
	r.step("issuer", Held, "Profile", "The key is listed by the issuer, %s.", r.IssuerID)
	return true
}

// find is a key by its id, and whether the issuer lists it: within the profile,
// or as a document of its own.
func (g *gatherer) find(issuer jsonld.Value, id string) (key jsonld.Value, listed bool, err error) {
	for _, k := range issuer.Member("publicKey").Elements() {
		own, ok := k.Text()
		if !ok && text(k, "id") == id {
			return k, true, nil
		}
		listed = listed || own == id
	}
	d := g.document(id)
	if d.err != nil || d.gone {
		return d.v, listed, cause(d)
	}
	return d.v, listed, nil
}

// publicKey reads a key in PEM.
func publicKey(text string) (crypto.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("it is not in PEM")
	}
	k, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		if k, err := x509.ParsePKCS1PublicKey(block.Bytes); err == nil {
			return strong(k)
		}
		return nil, errors.New("it is no public key")
	}
	return strong(k)
}

func strong(k any) (crypto.PublicKey, error) {
	switch k := k.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < minRSA {
			return nil, fmt.Errorf("it has %d bits, which is too few to rely on", k.N.BitLen())
		}
		return k, nil
	case *ecdsa.PublicKey:
		return k, nil
	case ed25519.PublicKey:
		return k, nil
	}
	return nil, errors.New("it is of a kind that badges are not signed with")
}

// revocation asks the issuer's list, if there is one (§RevocationList).
func (r *Result) revocation(g *gatherer, id string) {
	address := text(r.Issuer, "revocationList")
	if address == "" {
		r.step("status", Held, "SignedBadge", "Its issuer keeps no list of revoked badges.")
		return
	}
	d := g.document(address)
	if d.err != nil || d.gone {
		r.step("status", Unknown, "RevocationList", "The issuer's list of revoked badges at %s could not be read: %v.", address, cause(d))
		return
	}
	if p := Check("RevocationList", d.v); len(p) > 0 {
		r.step("status", Unknown, "RevocationList", "The issuer's list of revoked badges cannot be read. %s", shape.Told(p))
		return
	}
	uid := text(r.Document, "uid")
	for _, e := range d.v.Member("revokedAssertions").Elements() {
		one, ok := e.Text()
		if !ok {
			one = text(e, "id")
		}
		if one == id || uid != "" && text(e, "uid") == uid {
			r.step("status", Broken, "RevocationList", "The issuer revoked it%s.", because(e))
			return
		}
	}
	r.step("status", Held, "RevocationList", "It is not on the issuer's list of revoked badges.")
}

// endorsements verifies those of the badge, its class and its issuer, each on
// its own.
func (g *gatherer) endorsements(r *Result, now time.Time) {
	for _, thing := range []jsonld.Value{r.Document, r.Badge, r.Issuer} {
		for _, e := range thing.Member("endorsement").Elements() {
			if len(r.Endorsement) == maxEndorsements {
				return
			}
			id, ok := e.Text()
			if !ok {
				id = text(e, "id")
			}
			one := g.hosted("Endorsement", id, now, false)
			if claim := text(one.Document.Member("claim"), "id"); claim != "" && claim != text(thing, "id") {
				one.step("subject", Broken, "Endorsement", "It endorses %s, not what it stands at.", claim)
			}
			r.Endorsement = append(r.Endorsement, one)
		}
	}
}

func instant(v jsonld.Value) (time.Time, bool) {
	s, _ := v.Text()
	return shape.ISOInstant(s)
}

// Upgrade is a badge in the classes of 3.0, as the implementation guide maps
// it, unsigned: to be issued by the one who vouches for it. What 3.0 asks for
// and this version has not is left empty.
func Upgrade(assertion, badge, issuer jsonld.Value) openbadges.Credential {
	list := func(s string) openbadges.List[string] { return openbadges.List[string]{s} }
	a := openbadges.Achievement{ID: text(badge, "id"), Type: list("Achievement"), AchievementType: "Badge", Name: text(badge, "name"),
		Description: text(badge, "description"), Tag: badge.Member("tags").Texts(), Image: image(badge), Criteria: criteria(badge), Version: text(badge, "version")}
	for _, l := range badge.Member("alignment").Elements() {
		a.Alignment = append(a.Alignment, openbadges.Alignment{Type: list("Alignment"), TargetName: text(l, "targetName"), TargetURL: text(l, "targetUrl"),
			TargetDescription: text(l, "targetDescription"), TargetFramework: text(l, "targetFramework"), TargetCode: text(l, "targetCode")})
	}
	c := openbadges.Credential{ID: text(assertion, "id"), Name: a.Name, Image: image(assertion), ValidFrom: canonical(text(assertion, "issuedOn")),
		AwardedDate: canonical(text(assertion, "issuedOn")), ValidUntil: canonical(text(assertion, "expires")),
		Issuer: openbadges.Profile{ID: text(issuer, "id"), Type: list("Profile"), Name: text(issuer, "name"), URL: text(issuer, "url"), Phone: text(issuer, "telephone"),
			Description: text(issuer, "description"), Image: image(issuer), Email: text(issuer, "email")},
		CredentialSubject: openbadges.Subject{Type: list("AchievementSubject"), Identifier: openbadges.List[openbadges.IdentityObject]{Identity(assertion)},
			Achievement: a, Narrative: text(assertion, "narrative")}}
	for _, e := range assertion.Member("evidence").Elements() {
		if id, ok := e.Text(); ok {
			c.Evidence = append(c.Evidence, openbadges.Evidence{ID: id, Type: list("Evidence")})
			continue
		}
		id := text(e, "id")
		if strings.HasPrefix(id, "_:") {
			id = ""
		}
		c.Evidence = append(c.Evidence, openbadges.Evidence{ID: id, Type: list("Evidence"), Name: text(e, "name"), Narrative: text(e, "narrative"),
			Description: text(e, "description"), Genre: text(e, "genre"), Audience: text(e, "audience")})
	}
	return c
}

// canonical is an instant as 3.0 writes it.
func canonical(s string) string {
	if t, ok := shape.ISOInstant(s); ok {
		return t.Format(time.RFC3339)
	}
	return s
}

func criteria(badge jsonld.Value) *openbadges.Criteria {
	c := badge.Member("criteria").One()
	if id, ok := c.Text(); ok {
		return &openbadges.Criteria{ID: id}
	}
	return &openbadges.Criteria{ID: text(c, "id"), Narrative: text(c, "narrative")}
}

func image(v jsonld.Value) *openbadges.Image {
	m := v.Member("image").One()
	id, ok := m.Text()
	if !ok {
		id = text(m, "id")
	}
	if id == "" {
		return nil
	}
	return &openbadges.Image{ID: id, Type: "Image", Caption: text(m, "caption")}
}
