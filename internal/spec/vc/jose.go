package vc

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/testamur/testamur/internal/spec/jsonld"
)

// The forms of a credential or presentation as a JWT.
const (
	// FormIMS has the credential's members beside iss, sub, jti and nbf: Open
	// Badges 3.0 §8.2, CLR 2.0. Its typ is JWT, or is left out.
	FormIMS = "1edtech"
	// FormNested has the document in the claim vc or vp: VCDM 1.1 §6.3.1. Its typ
	// is JWT too.
	FormNested = "vcdm-1.1"
	// FormW3C is the document alone, with typ vc+jwt or vp+jwt: VC-JOSE-COSE 1.0.
	FormW3C = "vc-jose-cose"
)

// The media types of enveloped documents.
const (
	MediaVCJWT = "application/vc+jwt"
	MediaVPJWT = "application/vp+jwt"
)

// maxJWT is the largest JWT in bytes.
const maxJWT = 16 << 20

// JWT is a credential or presentation as a compact JWS, read but not verified.
type JWT struct {
	Form         string
	Presentation bool
	Alg          string
	Kid          string
	Key          crypto.PublicKey // of the header's jwk; nil without one. It binds nobody
	Document     []byte           // the credential or presentation, as VCDM has it
	Issuer       string           // of the credential; of a presentation, its holder
	Nonce        string           // of a presentation: the challenge that it answers
	Audience     []string         // of a presentation: whom it is made for
	Contradicts  error            // in what its claims are not what its document says; nil: in nothing
	notBefore    *time.Time       // of the signature
	expires      *time.Time
	compact      string
}

// ParseJWT reads a compact JWS and the document it carries, and refuses one whose
// claims and document do not agree. It checks no signature. Every error is a
// *Failure.
func ParseJWT(compact string) (JWT, error) {
	t, err := ReadJWT(compact)
	if err == nil {
		err = t.Contradicts
	}
	return t, err
}

// ReadJWT is ParseJWT for whoever wants to tell of a contradiction by itself: it
// is in Contradicts.
func ReadJWT(compact string) (JWT, error) {
	t, err := parseJWT(compact)
	var f *Failure
	if err != nil && !errors.As(err, &f) {
		err = &Failure{Code: Malformed, Reason: "This is not a credential as a signed JWT.", Err: err}
	}
	return t, err
}

// contradicted keeps the first contradiction.
func (t *JWT) contradicted(err error) {
	if t.Contradicts == nil {
		t.Contradicts = err
	}
}

func parseJWT(compact string) (JWT, error) {
	compact = strings.TrimSpace(compact)
	parts := strings.Split(compact, ".")
	if len(compact) > maxJWT || len(parts) != 3 {
		return JWT{}, errors.New("it has not three parts with full stops between, or is too large")
	}
	t := JWT{compact: compact}
	header, err := readPart(parts[0])
	if err != nil {
		return t, fmt.Errorf("header: %w", err)
	}
	claims, err := readPart(parts[1])
	if err != nil {
		return t, fmt.Errorf("claims: %w", err)
	}
	typ, err := t.header(header)
	if err != nil {
		return t, err
	}
	if t.notBefore, err = numericDate(claims, "nbf"); err != nil {
		return t, err
	}
	if t.expires, err = numericDate(claims, "exp"); err != nil {
		return t, err
	}
	t.Nonce, _ = claims.Member("nonce").Text()
	t.Audience = claims.Member("aud").Texts()
	switch typ {
	case "vc+jwt", "vp+jwt":
		t.Form = FormW3C
		err = t.w3c(header, claims, typ)
	case "", "jwt":
		t.Form = FormIMS
		if !claims.Member("vc").IsZero() || !claims.Member("vp").IsZero() {
			t.Form = FormNested
			err = t.nested(claims)
		} else {
			err = t.ims(claims)
		}
	default:
		err = &Failure{Code: UnknownSuite, Reason: fmt.Sprintf("A JWT of typ %q is no credential that this can check.", typ)}
	}
	return t, err
}

func readPart(part string) (jsonld.Value, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return jsonld.Value{}, err
	}
	v, err := jsonld.Read(raw)
	if err == nil && !v.IsObject() {
		err = errors.New("not a JSON object")
	}
	return v, err
}

// header reads the header and gives its typ, in lower case and without
// application/, RFC 7515 §4.1.9.
func (t *JWT) header(h jsonld.Value) (typ string, err error) {
	for _, name := range []string{"alg", "typ", "cty", "kid"} {
		if m := h.Member(name); !m.IsZero() {
			if _, ok := m.Text(); !ok {
				return "", fmt.Errorf("the header's %s is not a text", name)
			}
		}
	}
	if !h.Member("crit").IsZero() || !h.Member("b64").IsZero() || !h.Member("zip").IsZero() {
		return "", errors.New("the header asks for extensions that are not supported")
	}
	t.Alg, _ = h.Member("alg").Text()
	t.Kid, _ = h.Member("kid").Text()
	typ, _ = h.Member("typ").Text()
	if t.Alg == "none" || strings.HasPrefix(t.Alg, "HS") {
		return "", &Failure{Code: Mismatch, Reason: fmt.Sprintf("A JWT signed by %q proves nothing: anybody can make one.", t.Alg)}
	}
	if !slices.Contains([]string{RS256, ES256, ES384, EdDSA}, t.Alg) {
		return "", &Failure{Code: UnknownSuite, Reason: fmt.Sprintf("A JWT signed by %q is not accepted: only RS256, ES256, ES384 and EdDSA are.", t.Alg)}
	}
	if jwk := h.Member("jwk"); !jwk.IsZero() {
		if t.Key, err = ParseJWK(jwk.Raw()); err != nil {
			return "", fmt.Errorf("the header's jwk: %w", err)
		}
	}
	typ = strings.TrimPrefix(strings.ToLower(typ), "application/")
	return strings.Replace(typ, "+ld+json+jwt", "+jwt", 1), nil // as drafts had it
}

// numericDate is a claim that is an instant, RFC 7519 §2.
func numericDate(claims jsonld.Value, name string) (*time.Time, error) {
	m := claims.Member(name)
	if m.IsZero() {
		return nil, nil
	}
	text, ok := m.Number()
	seconds, err := strconv.ParseFloat(text, 64)
	if !ok || err != nil || math.Abs(seconds) > 253402300799 { // the year 9999
		return nil, fmt.Errorf("the claim %s is not a number of seconds", name)
	}
	at := time.Unix(int64(math.Floor(seconds)), 0).UTC()
	return &at, nil
}

// w3c reads the document of VC-JOSE-COSE 1.0 §3.1: the claims are the document.
func (t *JWT) w3c(header, claims jsonld.Value, typ string) error {
	t.Presentation = typ == "vp+jwt"
	want := strings.TrimSuffix(typ, "+jwt")
	if cty, _ := header.Member("cty").Text(); cty != "" && cty != want && cty != "application/"+want {
		return fmt.Errorf("the header's cty is %q, not %q", cty, want)
	}
	if !claims.Member("vc").IsZero() || !claims.Member("vp").IsZero() {
		return &Failure{Code: Malformed, Reason: "The claims vc and vp have no place in a JWT of typ " + typ + "."}
	}
	t.Document = claims.Raw()
	if err := t.party(claims); err != nil {
		return err
	}
	t.contradicted(agree(claims, false, t.claimed(claims)...))
	return nil
}

// ims reads the document of Open Badges 3.0 §8.2.4.
func (t *JWT) ims(claims jsonld.Value) error {
	// Registered claims are no part of the credential, and no @context has them.
	t.Document = Rewrite(claims, map[string]json.RawMessage{"iss": nil, "sub": nil, "jti": nil, "nbf": nil, "exp": nil, "iat": nil, "aud": nil, "nonce": nil})
	if err := t.party(claims); err != nil {
		return err
	}
	t.contradicted(agree(claims, !t.Presentation, t.claimed(claims)...))
	if t.Presentation {
		return nil
	}
	from, until := claims.Member("validFrom"), claims.Member("validUntil")
	if from.IsZero() {
		from, until = claims.Member("issuanceDate"), claims.Member("expirationDate")
	}
	t.contradicted(sameInstant(t.notBefore, from, "nbf", true))
	t.contradicted(sameInstant(t.expires, until, "exp", false))
	return nil
}

// nested reads the document of VCDM 1.1 §6.3.1: what the claims say stands in the
// document too, or is put there.
func (t *JWT) nested(claims jsonld.Value) error {
	document := claims.Member("vc")
	if document.IsZero() {
		document, t.Presentation = claims.Member("vp"), true
	} else if !claims.Member("vp").IsZero() {
		return errors.New("it has both the claims vc and vp")
	}
	if !document.IsObject() {
		return errors.New("the claim vc or vp is not an object")
	}
	values := map[string]json.RawMessage{}
	put := func(claim, member string) {
		if text, ok := claims.Member(claim).Text(); ok && document.Member(member).IsZero() {
			values[member] = oneOrMore([]string{text})
		}
	}
	put("jti", "id")
	if t.Presentation {
		put("iss", "holder")
	} else {
		put("iss", "issuer")
		date := func(at *time.Time, member string) {
			if at != nil && document.Member(member).IsZero() && document.Member("validFrom").IsZero() {
				values[member] = oneOrMore([]string{stamp(*at)})
			}
		}
		date(t.notBefore, "issuanceDate")
		date(t.expires, "expirationDate")
		subject := document.Member("credentialSubject")
		if sub, ok := claims.Member("sub").Text(); ok && subject.IsObject() && subject.Member("id").IsZero() {
			values["credentialSubject"] = Rewrite(subject, map[string]json.RawMessage{"id": oneOrMore([]string{sub})})
		}
	}
	t.Document = Rewrite(document, values)
	read, err := jsonld.Read(t.Document)
	if err != nil {
		return err
	}
	if err := t.party(read); err != nil {
		return err
	}
	t.contradicted(agree(claims, false, t.claimed(read)...))
	if t.Presentation {
		return nil
	}
	t.contradicted(sameInstant(t.notBefore, read.Member("issuanceDate"), "nbf", false))
	t.contradicted(sameInstant(t.expires, read.Member("expirationDate"), "exp", false))
	return nil
}

// party finds what kind of document it is, and whose.
func (t *JWT) party(d jsonld.Value) error {
	types := d.Member("type").Texts()
	vp, vc := slices.Contains(types, "VerifiablePresentation"), slices.Contains(types, "VerifiableCredential")
	if t.Form == FormIMS {
		t.Presentation = vp && !vc
	}
	if t.Presentation && !vp || !t.Presentation && !vc {
		return errors.New("its type is neither VerifiableCredential nor VerifiablePresentation, or not the one that typ says")
	}
	member := "issuer"
	if t.Presentation {
		member = "holder"
	}
	t.Issuer = idOf(d.Member(member))
	if t.Issuer == "" && !t.Presentation {
		return errors.New("the credential names no issuer")
	}
	return nil
}

// idOf is a text, or the id of an object.
func idOf(v jsonld.Value) string {
	if v.IsObject() {
		v = v.Member("id")
	}
	text, _ := v.Text()
	return text
}

// claim is a registered claim with what it must be.
type claim struct{ name, want string }

func (t *JWT) claimed(d jsonld.Value) []claim {
	id, _ := d.Member("id").Text()
	claims := []claim{{"iss", t.Issuer}, {"jti", id}}
	if subject := d.Member("credentialSubject"); subject.IsObject() {
		claims = append(claims, claim{"sub", idOf(subject)})
	} else if subject.IsArray() && subject.Len() == 1 {
		claims = append(claims, claim{"sub", idOf(subject.One())})
	}
	return claims
}

// agree refuses claims that say another thing than the document.
func agree(claims jsonld.Value, required bool, want ...claim) error {
	for _, c := range want {
		m := claims.Member(c.name)
		got, ok := m.Text()
		switch {
		case m.IsZero() && c.want == "": // a subject that is named by identifiers alone has no id to repeat
			continue
		case m.IsZero() && required:
			return &Failure{Code: Malformed, Reason: fmt.Sprintf("The JWT lacks the claim %s, which Open Badges and CLR ask for.", c.name)}
		case m.IsZero() || c.want == "" && !required && c.name != "iss":
			continue
		case !ok || got != c.want:
			return &Failure{Code: Mismatch, Reason: fmt.Sprintf("The claim %s says %q and the document %q.", c.name, got, c.want)}
		}
	}
	return nil
}

// sameInstant refuses a claim that is another second than the document's.
func sameInstant(at *time.Time, m jsonld.Value, name string, required bool) error {
	if m.IsZero() && at == nil || at == nil && !required {
		return nil
	}
	if at == nil {
		return &Failure{Code: Malformed, Reason: fmt.Sprintf("The JWT lacks the claim %s, which Open Badges and CLR ask for.", name)}
	}
	text, _ := m.Text()
	want, err := Instant(text)
	if err != nil || want.Unix() != at.Unix() {
		return &Failure{Code: Mismatch, Reason: fmt.Sprintf("The claim %s says %s and the document %q.", name, stamp(*at), text)}
	}
	return nil
}

// Method is the address of the key that the header names: kid, where it is
// relative then of the issuer. It is empty where the header names none.
func (t JWT) Method() string {
	switch {
	case t.Kid == "" || strings.Contains(t.Kid, ":"):
		return t.Kid
	case strings.HasPrefix(t.Kid, "#"):
		return t.Issuer + t.Kid
	}
	return t.Issuer + "#" + t.Kid
}

// signed checks the signature. The algorithm is the key's one and only, whatever
// the header says.
func (t JWT) signed(k crypto.PublicKey) error {
	alg := algorithmOf(k)
	if alg == "" || alg != t.Alg {
		return &Failure{Code: WrongKey, Reason: fmt.Sprintf("The JWT says that it is signed by %s, and the key is of kind %q.", t.Alg, KindOf(k))}
	}
	if r, ok := k.(*rsa.PublicKey); ok && (r.N.BitLen() < minRSA || r.N.BitLen() > maxRSA) {
		return &Failure{Code: WrongKey, Reason: "The RSA key is too short, or too long, to be relied on."}
	}
	jws, err := jose.ParseSignedCompact(t.compact, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		return &Failure{Code: Malformed, Reason: "The JWT cannot be read.", Err: err}
	}
	if _, err := jws.Verify(k); err != nil {
		return mismatch()
	}
	return nil
}

// VerifyJWT checks a credential or presentation as a JWT: its key, its
// signature, and that its claims agree with its document. Checked.Proof has the
// method and the purpose. The error is of the JWT as a whole, a *Failure.
//
// Where the header has only a key of its own, that key is good if the issuer
// lists it: IssuerKeys is asked, or the did:key that the issuer is.
func (v Verifier) VerifyJWT(compact string) (JWT, Checked, error) {
	t, err := ParseJWT(compact)
	if err != nil {
		return t, Checked{}, err
	}
	return t, v.CheckJWT(t), nil
}

// CheckJWT is VerifyJWT for one that was read.
func (v Verifier) CheckJWT(t JWT) Checked {
	purpose := AssertionMethod
	if t.Presentation {
		purpose = Authentication
	}
	c := Checked{Proof: Proof{Type: "JWT", Cryptosuite: t.Alg, VerificationMethod: t.Method(), ProofPurpose: purpose}}
	if c.Key, c.Err = v.keyOf(t, purpose); c.Err != nil {
		return c
	}
	created := ""
	if t.notBefore != nil {
		created = stamp(*t.notBefore)
	}
	if c.Err = c.Key.holds(created, v.Now); c.Err == nil {
		c.Err = t.signed(c.Key.Public)
	}
	if c.Err == nil {
		c.Err = t.times(v.Now)
	}
	if c.Err == nil && t.Presentation {
		c.Err = v.answers(t)
	}
	return c
}

// answers is whether a presentation was made for the one who asks.
func (v Verifier) answers(t JWT) error {
	if v.Domain != nil && !sameSet(t.Audience, v.Domain) {
		return &Failure{Code: WrongDomain, Reason: fmt.Sprintf("The presentation was not made for %s.", strings.Join(v.Domain, ", "))}
	}
	if v.Challenge != "" && t.Nonce != v.Challenge {
		return &Failure{Code: WrongNonce, Reason: "The presentation does not answer the challenge that was given."}
	}
	return nil
}

// times are those of the signature in W3C's form; in the others they are those of
// the document, which are looked at there.
func (t JWT) times(now time.Time) error {
	if t.Form != FormW3C && !t.Presentation {
		return nil
	}
	if t.expires != nil && now.After(*t.expires) {
		return &Failure{Code: Expired, Reason: "The signature expired on " + stamp(*t.expires) + "."}
	}
	if t.notBefore != nil && t.notBefore.After(now.Add(skew)) {
		return &Failure{Code: NotYet, Reason: "The signature is not valid before " + stamp(*t.notBefore) + "."}
	}
	return nil
}

// keyOf finds the key of a JWT, and refuses one that is not the header's own.
func (v Verifier) keyOf(t JWT, purpose string) (Key, error) {
	if method := t.Method(); method != "" {
		k, err := v.Keys(method, purpose)
		if err == nil && t.Key != nil && !sameKey(k.Public, t.Key) {
			err = &Failure{Code: WrongKey, Reason: "The key in the JWT is not the one that its kid names."}
		}
		return k, err
	}
	if multibase, ok := strings.CutPrefix(t.Issuer, "did:key:"); ok && t.Key != nil {
		k, err := v.Keys(t.Issuer+"#"+multibase, purpose)
		if err == nil && !sameKey(k.Public, t.Key) {
			err = notListed(t.Issuer)
		}
		return k, err
	}
	if t.Key == nil {
		return Key{}, &Failure{Code: NoKey, Reason: "The JWT does not say which key signed it."}
	}
	if v.IssuerKeys == nil || t.Issuer == "" {
		return Key{}, &Failure{Code: NoKey, Reason: "The JWT brings its own key, which anybody can, and the issuer's keys were not asked for."}
	}
	all, err := v.IssuerKeys(t.Issuer, purpose)
	if err != nil {
		return Key{}, err
	}
	for _, k := range all {
		if sameKey(k.Public, t.Key) {
			return k, nil
		}
	}
	return Key{}, notListed(t.Issuer)
}

func notListed(issuer string) error {
	return &Failure{Code: WrongKey, Reason: fmt.Sprintf("%s does not publish the key that signed this.", issuer)}
}

func sameKey(a, b crypto.PublicKey) bool {
	x, err1 := JWKOf(a)
	y, err2 := JWKOf(b)
	return err1 == nil && err2 == nil && x.Thumbprint() == y.Thumbprint()
}

// JWTDraft is a JWT that waits for its signature.
type JWTDraft struct {
	Message []byte // what is signed: ECDSA and RSA over its SHA-2 hash
}

// PrepareJWT is a credential or presentation without proof as a JWT in a form,
// FormIMS or FormW3C, by the key of a verification method.
func PrepareJWT(document []byte, form string, key crypto.PublicKey, method string) (JWTDraft, error) {
	doc, err := openDocument(document, nil)
	if err != nil {
		return JWTDraft{}, err
	}
	d := doc.Root()
	t := JWT{Form: form}
	types := d.Member("type").Texts()
	t.Presentation = slices.Contains(types, "VerifiablePresentation")
	if err := t.party(d); err != nil {
		return JWTDraft{}, &Failure{Code: Malformed, Reason: "This is no credential or presentation.", Err: err}
	}
	header := struct {
		Alg string `json:"alg"`
		Kid string `json:"kid,omitempty"`
		Typ string `json:"typ,omitempty"`
		Cty string `json:"cty,omitempty"`
	}{Alg: algorithmOf(key), Kid: method}
	if header.Alg == "" {
		return JWTDraft{}, &Failure{Code: WrongKey, Reason: "Keys of this kind sign no JWTs."}
	}
	claims := json.RawMessage(d.Raw())
	switch form {
	case FormW3C:
		header.Cty = "vc"
		if t.Presentation {
			header.Cty = "vp"
		}
		header.Typ = header.Cty + "+jwt"
	case FormIMS:
		header.Typ = "JWT"
		if claims, err = t.imsClaims(d); err != nil {
			return JWTDraft{}, err
		}
	default:
		return JWTDraft{}, &Failure{Code: UnknownSuite, Reason: fmt.Sprintf("No JWTs are made in the form %q.", form)}
	}
	raw, err := json.Marshal(header)
	if err != nil {
		return JWTDraft{}, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, claims); err != nil {
		return JWTDraft{}, err
	}
	b64 := base64.RawURLEncoding
	return JWTDraft{Message: []byte(b64.EncodeToString(raw) + "." + b64.EncodeToString(compact.Bytes()))}, nil
}

// imsClaims are a credential's members and the claims of Open Badges 3.0 §8.2.4.1.
func (t JWT) imsClaims(d jsonld.Value) (json.RawMessage, error) {
	values := map[string]json.RawMessage{}
	for _, c := range t.claimed(d) {
		if c.want == "" {
			return nil, &Failure{Code: Malformed, Reason: fmt.Sprintf("As a JWT, a credential needs what the claim %s says: the credential and its subject have ids.", c.name)}
		}
		values[c.name] = oneOrMore([]string{c.want})
	}
	for name, members := range map[string][2]string{"nbf": {"validFrom", "issuanceDate"}, "exp": {"validUntil", "expirationDate"}} {
		text, ok := d.Member(members[0]).Text()
		if !ok {
			text, ok = d.Member(members[1]).Text()
		}
		if !ok {
			continue
		}
		at, err := Instant(text)
		if err != nil {
			return nil, &Failure{Code: Malformed, Reason: fmt.Sprintf("The member %s is not an instant.", members[0]), Err: err}
		}
		values[name] = json.RawMessage(strconv.FormatInt(at.Unix(), 10))
	}
	if values["nbf"] == nil || values["sub"] == nil {
		return nil, &Failure{Code: Malformed, Reason: "As a JWT, a credential needs the instant it is valid from and the id of its one subject."}
	}
	return Rewrite(d, values), nil
}

// Attach is the JWT with the signature of its message.
func (d JWTDraft) Attach(signature []byte) string {
	return string(d.Message) + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// Envelope is a JWT as an EnvelopedVerifiableCredential or, of media type
// application/vp+jwt, an EnvelopedVerifiablePresentation: VCDM 2.0 §4.13.
func Envelope(media, compact string) []byte {
	kind := "EnvelopedVerifiableCredential"
	if media == MediaVPJWT {
		kind = "EnvelopedVerifiablePresentation"
	}
	raw, err := json.Marshal(struct {
		Context string `json:"@context"`
		ID      string `json:"id"`
		Type    string `json:"type"`
	}{"https://www.w3.org/ns/credentials/v2", "data:" + media + "," + compact, kind})
	if err != nil {
		panic(err) // text
	}
	return raw
}

// Enveloped is the JWT in an envelope. ok is false for a document that is none;
// an envelope that cannot be opened is a *Failure.
func Enveloped(document []byte) (compact string, ok bool, err error) {
	v, err := jsonld.Read(document)
	if err != nil || !v.IsObject() {
		return "", false, nil
	}
	types := v.Member("type").Texts()
	media := MediaVCJWT
	switch {
	case slices.Contains(types, "EnvelopedVerifiableCredential"):
	case slices.Contains(types, "EnvelopedVerifiablePresentation"):
		media = MediaVPJWT
	default:
		return "", false, nil
	}
	malformed := func(reason string) (string, bool, error) { return "", true, &Failure{Code: Malformed, Reason: reason} }
	if c := v.Member("@context").Texts(); len(c) == 0 || c[0] != "https://www.w3.org/ns/credentials/v2" {
		return malformed("The @context of an envelope is that of VCDM 2.0.")
	}
	id, _ := v.Member("id").Text()
	head, body, comma := strings.Cut(id, ",")
	head, isData := strings.CutPrefix(head, "data:")
	if !comma || !isData {
		return malformed("The id of an envelope is a data: URL with what it envelops.")
	}
	// A JWT of before VC-JOSE-COSE has no media type of its own; its typ says what it is.
	if got := strings.TrimSpace(strings.Split(head, ";")[0]); got != media && got != "application/jwt" {
		return malformed(fmt.Sprintf("An envelope of %q is not one that this can check: %s is.", got, media))
	}
	if strings.HasSuffix(head, ";base64") {
		raw, err := base64.StdEncoding.DecodeString(body)
		if err != nil {
			return malformed("The data: URL of the envelope is not base64.")
		}
		body = string(raw)
	}
	return body, true, nil
}
