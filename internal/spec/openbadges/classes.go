package openbadges

import (
	"slices"

	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/shape"
)

// Classes are the classes of the standard, OB 3.0 §B.1. A class with a mark
// behind it is that of credentials of the data model 1.1.
var Classes = shape.New("OB 3.0", `
AchievementCredential §B.1.1
	@context!any id!uri type+word name:text description:text image:Image awardedDate:instant credentialSubject!AchievementSubject
	endorsement*EndorsementCredential endorsementJwt*jws evidence*Evidence issuer!uri|Profile validFrom!instant validUntil:instant
	proof*Proof credentialSchema*CredentialSchema credentialStatus?CredentialStatus refreshService:RefreshService termsOfUse*TermsOfUse
AchievementCredential/1.1 §B.1.1
	@context!any id!uri type+word name!text description:text image:Image awardedDate:instant credentialSubject!AchievementSubject
	endorsement*EndorsementCredential endorsementJwt*jws evidence*Evidence issuer!Profile issuanceDate!instant expirationDate:instant
	proof*Proof credentialSchema*CredentialSchema credentialStatus?CredentialStatus refreshService:RefreshService termsOfUse*TermsOfUse
EndorsementCredential §B.1.9
	@context!any id!uri type+word name!text description:text credentialSubject!EndorsementSubject awardedDate:instant
	issuer!uri|Profile validFrom!instant validUntil:instant
	proof*Proof credentialSchema*CredentialSchema credentialStatus?CredentialStatus refreshService:RefreshService termsOfUse*TermsOfUse
EndorsementCredential/1.1 §B.1.9
	@context!any id!uri type+word name!text description:text credentialSubject!EndorsementSubject awardedDate:instant
	issuer!Profile issuanceDate!instant expirationDate:instant
	proof*Proof credentialSchema*CredentialSchema credentialStatus?CredentialStatus refreshService:RefreshService termsOfUse*TermsOfUse
AchievementSubject §B.1.3 typed
	id:uri type+word activityEndDate:instant activityStartDate:instant creditsEarned:number achievement!Achievement
	identifier*IdentityObject image:Image licenseNumber:text narrative:text result*Result role:text source:Profile term:text
EndorsementSubject §B.1.9 typed
	id!uri type+word endorsementComment:text
Achievement §B.1.2 typed
	id!uri type+word alignment*Alignment achievementType:achievementType creator:Profile creditsAvailable:number criteria!Criteria
	description!text endorsement*EndorsementCredential endorsementJwt*jws fieldOfStudy:text humanCode:text image:Image
	inLanguage:language name!text otherIdentifier*IdentifierEntry related*Related resultDescription*ResultDescription
	specialization:text tag*text version:text
Criteria §B.1.8
	id:uri narrative:text
Alignment §B.1.5 typed
	type+word targetCode:text targetDescription:text targetName!text targetFramework:text targetType:targetType targetUrl!uri
ResultDescription §B.1.19 typed
	id!uri type+word alignment*Alignment allowedValue*text name!text requiredLevel:uri requiredValue:text resultType!resultType
	rubricCriterionLevel*RubricCriterionLevel valueMax:text valueMin:text
RubricCriterionLevel §B.1.20 typed
	id!uri type+word alignment*Alignment description:text level:text name!text points:text
Result §B.1.18 typed
	type+word achievedLevel:uri alignment*Alignment resultDescription:uri status:status value:text
Evidence §B.1.10 typed
	id:uri type+word narrative:text name:text description:text genre:text audience:text
IdentityObject §B.1.13 typed closed
	type!word hashed!boolean identityHash!word identityType!identifierType salt:word
IdentifierEntry §B.1.12 typed closed
	type!word identifier!text identifierType!identifierType
Image §B.1.14 typed closed
	id!uri type!word caption:text
Profile §B.1.16 typed
	id!uri type+word name:text url:uri phone:text description:text endorsement*EndorsementCredential endorsementJwt*jws image:Image
	email:text address:Address otherIdentifier*IdentifierEntry official:text parentOrg:Profile familyName:text givenName:text
	additionalName:text patronymicName:text honorificPrefix:text honorificSuffix:text familyNamePrefix:text dateOfBirth:day
Address §B.1.4 typed
	type+word addressCountry:text addressCountryCode:word addressRegion:text addressLocality:text streetAddress:text
	postOfficeBoxNumber:text postalCode:text geo:GeoCoordinates
GeoCoordinates §B.1.11 typed
	type!word latitude!number longitude!number
Related §B.1.17 typed
	id!uri type+word inLanguage:language version:text
CredentialSchema §B.1.7
	id!uri type!word
CredentialStatus §B.1.6
	id~uri type!word
RefreshService §B.1.15
	id!uri type!word
TermsOfUse §B.1.21
	id:uri type!word
Proof §B.1.22
	type!word created:instant cryptosuite:word challenge:word domain:any nonce:word proofPurpose:word proofValue:word verificationMethod:word
`, map[string]shape.Enum{
	"achievementType": {Rule: "achievement-type", Words: achievementTypes, Open: true},
	"targetType":      {Rule: "target-type", Words: targetTypes, Open: true},
	"resultType":      {Rule: "result-type", Words: resultTypes, Open: true},
	"identifierType":  {Rule: "identifier-type", Words: identifierTypes, Open: true},
	"status":          {Rule: "status", Words: statuses},
})

func init() { Classes.Variant, Classes.Also = variant, also }

// variant is the class of a credential in its generation, which the first
// context decides.
func variant(class string, v jsonld.Value) string {
	if (class == "AchievementCredential" || class == "EndorsementCredential") && Generation(v) == ContextCredentials11 {
		return class + "/1.1"
	}
	return class
}

// also checks what every credential has: its contexts and its types.
func also(p shape.Problems, class string, v jsonld.Value) {
	if class != "AchievementCredential" && class != "EndorsementCredential" {
		return
	}
	if Kind(v) != class && !v.Member("type").IsZero() {
		p.Add("type", "type", clause("§B.1.1"), "Its type does not say that it is an %s.", class)
	}
	if !slices.Contains(v.Member("type").Texts(), "VerifiableCredential") {
		p.Add("type", "type", clause("§B.1.1"), "Its type does not say that it is a VerifiableCredential.")
	}
	CheckContexts(p, v, context)
}

// Generation is the first context of a credential, which decides the generation
// of the data model: ContextCredentials, ContextCredentials11, or another text.
func Generation(v jsonld.Value) string {
	for _, c := range v.Member("@context").Elements() {
		first, _ := c.Text()
		return first
	}
	return ""
}
