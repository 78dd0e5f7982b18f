// Package openbadges2 is Open Badges 2.0: its classes, checking them by clause,
// verifying hosted and signed badges, and telling them in the classes of 3.0.
//
// A badge of this version is a small web of documents, and only what its issuer
// serves is believed: the presented copy of a hosted badge proves nothing, and
// of a signed badge the signature counts, with a key that the issuer itself
// lists. Verify asks for documents through a function that is passed in, each
// address once and a bounded number of them; it has no clock and no network.
// Sources: Open Badges 2.0 (2018), §Classes and §Verification; Baking 2.0.
package openbadges2

import (
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/shape"
)

// Context is the context of this version.
const Context = "https://w3id.org/openbadges/v2"

// contexts are those of this version and of 2.1, which adds nothing to it.
var contexts = []string{Context, "https://purl.imsglobal.org/spec/ob/v2p1/ob_v2p1.jsonld", "https://openbadgespec.org/v2/context.json"}

// classes are the classes of the standard. An image, evidence or criteria may
// be an address alone.
var classes = shape.New("OB 2.0", `
Assertion §Assertion typed
	@context:any id!uri type+word recipient!IdentityObject badge!uri|BadgeClass verification:Verification verify:Verification issuedOn!iso image:uri|Image
	evidence*uri|Evidence narrative:text expires:iso revoked:boolean revocationReason:text endorsement*uri|Endorsement
BadgeClass §BadgeClass typed
	@context:any id!uri type+word name!text description!text image:uri|Image criteria!uri|Criteria issuer!uri|Profile
	alignment*AlignmentObject tags*text version:any related*object endorsement*uri|Endorsement @language:text
Profile §Profile
	@context:any id!uri type+word name:text url:uri email:text telephone:text description:text image:uri|Image
	publicKey*uri|CryptographicKey verification*PolicyVerification revocationList:uri endorsement*uri|Endorsement related*object
IdentityObject §IdentityObject
	id:uri type!word identity!word hashed:boolean salt:word
Verification §VerificationObject
	id:uri type!verificationType creator:uri startsWith*text allowedOrigins*text verificationProperty:text
PolicyVerification §VerificationObject
	id:uri type:any verificationProperty:text startsWith*text allowedOrigins*text
Evidence §Evidence
	id:word type:any narrative:text name:text description:text genre:text audience:text
Image §Image
	id!uri type:any caption:text author:uri
Criteria §Criteria
	id:word type:any narrative:text
AlignmentObject §AlignmentObject
	id:uri type:any targetName!text targetUrl!uri targetDescription:text targetFramework:text targetCode:text
CryptographicKey §CryptographicKey typed
	@context:any id!uri type+word owner!uri publicKeyPem!word
RevocationList §RevocationList typed
	@context:any id:uri type+word issuer:uri|Profile revokedAssertions!any
Endorsement §Endorsement typed
	@context:any id!uri type+word claim!Claim issuer!uri|Profile issuedOn!iso verification:Verification verify:Verification revoked:boolean
	revocationReason:text expires:iso
Claim §Endorsement
	id!uri endorsementComment:text
Revoked §Assertion
	@context:any id!uri type*word revoked:boolean revocationReason:text
`, map[string]shape.Enum{"verificationType": {Rule: "verification-type", Words: []string{"HostedBadge", "hosted", "SignedBadge", "signed"}}})

// Kind is the class of a document: Assertion, BadgeClass, Profile, Endorsement,
// CryptographicKey, RevocationList or "".
func Kind(v jsonld.Value) string {
	for _, t := range v.Member("type").Texts() {
		switch t {
		case "Issuer":
			return "Profile"
		case "Assertion", "BadgeClass", "Profile", "Endorsement", "CryptographicKey", "RevocationList":
			return t
		}
	}
	return ""
}

// Is reports whether a document is of this version: its context says so.
func Is(v jsonld.Value) bool {
	return slices.ContainsFunc(v.Member("@context").Texts(), func(c string) bool { return slices.Contains(contexts, c) })
}

// Check is everything that is wrong with a document of a class. What is revoked
// needs to say no more than that (§Assertion).
func Check(class string, v jsonld.Value) []shape.Problem {
	if revoked, _ := v.Member("revoked").Bool(); revoked && (class == "Assertion" || class == "Endorsement") {
		return classes.Check("Revoked", v, shape.Compact)
	}
	p := shape.NewProblems()
	if Kind(v) != class {
		p.Add("type", "type", "OB 2.0 §"+class, "Its type does not say that it is of the class %s.", class)
	}
	all := append(p.All(), classes.Check(class, v, shape.Compact)...)
	q := shape.NewProblems()
	if (class == "Assertion" || class == "Endorsement") && verificationOf(v).IsZero() {
		q.Add("verification", "required", "OB 2.0 §"+class, "It does not say how it is verified.")
	}
	switch class {
	case "Assertion":
		from, ok1 := instant(v.Member("issuedOn"))
		until, ok2 := instant(v.Member("expires"))
		if ok1 && ok2 && until.Before(from) {
			q.Add("expires", "date-order", "OB 2.0 §Assertion", "It expires before it was issued.")
		}
		creator, _ := verificationOf(v).Member("creator").Text()
		if signed(v) && creator == "" {
			q.Add("verification.creator", "required", "OB 2.0 §VerificationObject", "A signed badge names the key that signed it.")
		}
	case "RevocationList":
		for i, e := range v.Member("revokedAssertions").Elements() {
			if _, ok := e.Text(); !ok && e.Member("id").IsZero() && e.Member("uid").IsZero() {
				q.Add("revokedAssertions."+strconv.Itoa(i), "required", "OB 2.0 §RevocationList", "An entry is the id of an assertion, or an object with its id or uid.")
			}
		}
	}
	return append(all, q.All()...)
}

// CheckIssuer is what is wrong with a profile that issues, which needs more than
// any other.
func CheckIssuer(v jsonld.Value) []shape.Problem {
	all := Check("Profile", v)
	p := shape.NewProblems()
	for _, m := range []string{"name", "url", "email"} {
		if v.Member(m).IsZero() {
			p.Add(m, "required", "OB 2.0 §Profile", "A profile that issues badges has a member %s.", m)
		}
	}
	return append(all, p.All()...)
}

// verificationOf is how a badge is verified; verify is an older name of the
// member.
func verificationOf(v jsonld.Value) jsonld.Value {
	if m := v.Member("verification").One(); !m.IsZero() {
		return m
	}
	return v.Member("verify").One()
}

// signed reports whether a badge says that it is signed.
func signed(v jsonld.Value) bool {
	t, _ := verificationOf(v).Member("type").One().Text()
	return t == "SignedBadge" || t == "signed"
}

// Payload is what a signed badge says: the assertion in a compact JWS. Nothing
// tells yet that it is true.
func Payload(token []byte) (jsonld.Value, error) {
	parts := strings.Split(string(token), ".")
	if len(parts) != 3 {
		return jsonld.Value{}, errors.New("a signed badge has three parts")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return jsonld.Value{}, errors.New("the second part of the signed badge is not base64url")
	}
	return jsonld.Read(raw)
}

// Identity is whom a badge is about, in the class of 3.0.
func Identity(assertion jsonld.Value) openbadges.IdentityObject {
	r := assertion.Member("recipient").One()
	o := openbadges.IdentityObject{Type: "IdentityObject", IdentityHash: text(r, "identity"), IdentityType: text(r, "type"), Salt: text(r, "salt")}
	o.Hashed, _ = r.Member("hashed").Bool()
	switch o.IdentityType {
	case "email":
		o.IdentityType = "emailAddress"
	case "url", "telephone":
		o.IdentityType = "ext:" + o.IdentityType
	}
	return o
}

func text(v jsonld.Value, member string) string {
	s, _ := v.Member(member).One().Text()
	return s
}
