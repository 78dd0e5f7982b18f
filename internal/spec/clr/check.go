package clr

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/shape"
)

// classes are those of the standard, beside those of Open Badges. What is
// embedded is of any class and is checked on its own.
var classes = shape.New("CLR 2.0", `
ClrCredential §ClrCredential
	@context!any id!uri type+word name!text description:text endorsement*EndorsementCredential endorsementJwt*jws image:Image
	partial:boolean credentialSubject!ClrSubject awardedDate:instant issuer!uri|Profile validFrom!instant validUntil:instant
	proof*Proof credentialSchema*CredentialSchema credentialStatus?CredentialStatus refreshService:RefreshService
	termsOfUse*TermsOfUse evidence*Evidence
ClrCredential/1.1 §ClrCredential
	@context!any id!uri type+word name!text description:text endorsement*EndorsementCredential endorsementJwt*jws image:Image
	partial:boolean credentialSubject!ClrSubject awardedDate:instant issuer!Profile issuanceDate!instant expirationDate:instant
	proof*Proof credentialSchema*CredentialSchema credentialStatus?CredentialStatus refreshService:RefreshService
	termsOfUse*TermsOfUse evidence*Evidence
ClrSubject §ClrSubject typed
	id:uri type+word identifier*IdentityObject achievement*Achievement verifiableCredential+object association*Association
Association §Association typed closed
	type!word associationType!associationType sourceId!uri targetId!uri
`, map[string]shape.Enum{"associationType": {Rule: "association-type", Words: associationTypes}}, openbadges.Classes)

func init() {
	classes.Also = openbadges.Classes.Also
	classes.Variant = func(class string, v jsonld.Value) string {
		if class == "ClrCredential" && openbadges.Generation(v) == openbadges.ContextCredentials11 {
			return "ClrCredential/1.1"
		}
		return openbadges.Classes.Variant(class, v)
	}
}

var (
	context   = regexp.MustCompile(`^https://purl\.imsglobal\.org/spec/clr/v2p0/context(-2\.\d\.\d)*\.json$`)
	obContext = regexp.MustCompile(`^https://purl\.imsglobal\.org/spec/ob/v3p0/context(-3\.\d\.\d)*\.json$`)
)

// IsRecord reports whether a document is a ClrCredential.
func IsRecord(v jsonld.Value) bool { return slices.Contains(v.Member("type").Texts(), "ClrCredential") }

// Check is everything that is wrong with the form of a ClrCredential of either
// generation. The proofs, the dates against the clock, the status and the
// credentials that it embeds are not looked at, nor where its associations lead:
// that is CheckLinks.
func Check(v jsonld.Value, form shape.Form) []shape.Problem {
	p := shape.NewProblems()
	types := v.Member("type").Texts()
	if !slices.Contains(types, "VerifiableCredential") || !slices.Contains(types, "ClrCredential") {
		p.Add("type", "type", "CLR 2.0 §ClrCredential", "Its type does not say that it is a VerifiableCredential and a ClrCredential.")
		return p.All()
	}
	openbadges.CheckContexts(p, v, context, obContext)
	all := append(p.All(), classes.Check("ClrCredential", v, form)...)
	q := shape.NewProblems()
	openbadges.Period(q, v)
	openbadges.Named(q.At("credentialSubject"), v.Member("credentialSubject").One(), "CLR 2.0 §ClrSubject")
	return append(all, q.All()...)
}

// CheckLinks tells where a record embeds a credential twice, and which
// associations do not link achievements of the record.
func CheckLinks(v jsonld.Value) []shape.Problem {
	s := shape.NewProblems().At("credentialSubject")
	seen := map[string]bool{}
	for i, e := range EmbeddedIn(v) {
		id, ok := Opened(e).Member("id").Text()
		if ok && seen[id] {
			s.Add("verifiableCredential."+strconv.Itoa(i)+".id", "embedded-once", "CLR 2.0 §ClrSubject", "Another embedded credential has the id %s.", id)
		}
		seen[id] = true
	}
	if d := Dangling(v); len(d) > 0 {
		s.Add("association", "association-ends", "CLR 2.0 §Association", "Associations point to achievements that are not in the record: %s.", strings.Join(d[:min(3, len(d))], ", "))
	}
	return s.All()
}
