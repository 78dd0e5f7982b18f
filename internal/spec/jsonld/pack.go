package jsonld

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
)

// A kept form repeats the document it is of, and terms that are in every
// credential. It is packed as pieces, one after the other:
//
//	1 byte   how many bytes follow the piece that stand as they are
//	1 byte   how many bytes come after them that are copied
//	2 bytes  the place that those are copied from, the lowest byte first
//
// Places count through the usual terms, the document and what was unpacked so
// far; a copy lies in one of the three.

// usual are the terms that most credentials use. They belong to the version of
// the kept form: with other ones it goes up.
var usual = strings.Join([]string{
	`"^^<http://www.w3.org/2001/XMLSchema#dateTime> `, `"^^<https://www.w3.org/2001/XMLSchema#anyURI> .`, `"^^<https://www.w3.org/2001/XMLSchema#float> .`,
	`"^^<https://www.w3.org/2001/XMLSchema#boolean> .`, `"^^<https://www.w3.org/2001/XMLSchema#date> .`, `"^^<xsd:dateTime> .`,
	`<http://www.w3.org/1999/02/22-rdf-syntax-ns#first> "`, `<http://www.w3.org/1999/02/22-rdf-syntax-ns#rest> <http://www.w3.org/1999/02/22-rdf-syntax-ns#nil> .`,
	`<http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <https://purl.imsglobal.org/spec/vc/ob/vocab.html#AchievementSubject> .`,
	`<https://purl.imsglobal.org/spec/vc/ob/vocab.html#achievement> <`, `<https://purl.imsglobal.org/spec/vc/ob/vocab.html#activityEndDate> "`,
	`<https://purl.imsglobal.org/spec/vc/ob/vocab.html#activityStartDate> "`, `<https://purl.imsglobal.org/spec/vc/ob/vocab.html#creditsEarned> "`,
	`<https://purl.imsglobal.org/spec/vc/ob/vocab.html#identifier> `, `<https://purl.imsglobal.org/spec/vc/ob/vocab.html#result> `,
	`<https://purl.imsglobal.org/spec/vc/ob/vocab.html#term> "`, `<https://purl.imsglobal.org/spec/vc/ob/vocab.html#role> "`,
	`<http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <https://purl.imsglobal.org/spec/vc/ob/vocab.html#Profile> .`,
	`<http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <https://purl.imsglobal.org/spec/vc/ob/vocab.html#ResultDescription> .`,
	`<https://purl.imsglobal.org/spec/vc/ob/vocab.html#allowedValue> `, `<https://purl.imsglobal.org/spec/vc/ob/vocab.html#resultType> "`,
	`<https://purl.imsglobal.org/spec/vc/ob/vocab.html#valueMax> "`, `<https://purl.imsglobal.org/spec/vc/ob/vocab.html#valueMin> "`,
	`<http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <https://purl.imsglobal.org/spec/vc/ob/vocab.html#RubricCriterionLevel> .`,
	`<https://purl.imsglobal.org/spec/vc/ob/vocab.html#rubricCriterionLevel> <`, `<https://purl.imsglobal.org/spec/vc/ob/vocab.html#points> "`,
	`<https://purl.imsglobal.org/spec/vc/ob/vocab.html#level> "`,
	`<http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <https://purl.imsglobal.org/spec/vc/ob/vocab.html#Achievement> .`,
	`<https://purl.imsglobal.org/spec/vc/ob/vocab.html#Criteria> `, `<https://purl.imsglobal.org/spec/vc/ob/vocab.html#narrative> "`,
	`<https://purl.imsglobal.org/spec/vc/ob/vocab.html#achievementType> "`, `<https://purl.imsglobal.org/spec/vc/ob/vocab.html#alignment> `,
	`<https://purl.imsglobal.org/spec/vc/ob/vocab.html#creditsAvailable> "`, `<https://purl.imsglobal.org/spec/vc/ob/vocab.html#fieldOfStudy> "`,
	`<https://purl.imsglobal.org/spec/vc/ob/vocab.html#humanCode> "`, `<https://purl.imsglobal.org/spec/vc/ob/vocab.html#specialization> "`,
	`<https://purl.imsglobal.org/spec/vc/ob/vocab.html#resultDescription> <`, `<https://purl.imsglobal.org/spec/vc/ob/vocab.html#achievedLevel> "`,
	`<http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <https://purl.imsglobal.org/spec/vc/ob/vocab.html#Result> .`,
	`<http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <https://purl.imsglobal.org/spec/vc/ob/vocab.html#Evidence> .`,
	`<https://purl.imsglobal.org/spec/vc/ob/vocab.html#evidence> <`, `<https://purl.imsglobal.org/spec/vc/ob/vocab.html#genre> "`,
	`<https://www.w3.org/2018/credentials#evidence> <`, `<https://www.w3.org/2018/credentials#credentialStatus> <`,
	`<https://www.w3.org/ns/credentials/status#statusListCredential> <`, `<https://www.w3.org/ns/credentials/status#statusListIndex> "`,
	`<https://www.w3.org/ns/credentials/status#statusPurpose> "revocation" .`,
	`<http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <https://www.w3.org/ns/credentials/status#BitstringStatusListEntry> .`,
	`<http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <https://purl.imsglobal.org/spec/vc/ob/vocab.html#IdentityObject> .`,
	`<https://purl.imsglobal.org/spec/vc/ob/vocab.html#hashed> "false"^^<https://www.w3.org/2001/XMLSchema#boolean> .`,
	`<https://purl.imsglobal.org/spec/vc/ob/vocab.html#identityHash> "`, `<https://purl.imsglobal.org/spec/vc/ob/vocab.html#identityType> "`,
	`<https://purl.imsglobal.org/spec/vc/ob/vocab.html#salt> "`,
	`<http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <https://schema.org/AlignmentObject> .`,
	`<https://purl.imsglobal.org/spec/vc/ob/vocab.html#targetCode> "`, `<https://purl.imsglobal.org/spec/vc/ob/vocab.html#targetFramework> "`,
	`<https://purl.imsglobal.org/spec/vc/ob/vocab.html#targetType> "`, `<https://schema.org/targetName> "`, `<https://schema.org/targetUrl> "`,
	`<http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <https://purl.imsglobal.org/spec/vc/ob/vocab.html#Address> .`,
	`<http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <https://purl.imsglobal.org/spec/vc/ob/vocab.html#OpenBadgeCredential> .`,
	`<http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <https://www.w3.org/2018/credentials#VerifiableCredential> .`,
	`<https://purl.imsglobal.org/spec/vc/ob/vocab.html#awardedDate> "`, `<https://schema.org/name> "`, `<https://schema.org/description> "`,
	`<https://schema.org/keywords> "`, `<https://schema.org/value> "`, `<https://schema.org/url> "`, `<https://schema.org/email> "`, `<https://schema.org/inLanguage> "`,
	`<https://w3id.org/security#proof> `, `<https://www.w3.org/2018/credentials#credentialSubject> <`, `<https://www.w3.org/2018/credentials#issuer> <`,
	`<https://www.w3.org/2018/credentials#validFrom> "`, `<https://www.w3.org/2018/credentials#validUntil> "`, `<http://purl.org/dc/terms/created> "`,
	`<http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <https://w3id.org/security#DataIntegrityProof> `,
	`<https://w3id.org/security#cryptosuite> "eddsa-rdfc-2022"^^<https://w3id.org/security#cryptosuiteString> `,
	`<https://w3id.org/security#proofPurpose> <https://w3id.org/security#assertionMethod> `, `<https://w3id.org/security#proofValue> "`,
	`"^^<https://w3id.org/security#multibase> `, `<https://w3id.org/security#verificationMethod> <`,
}, "\n")

// The least that is worth a copy, and how many places are remembered.
const (
	minCopy   = 10
	copyTable = 1 << 13
)

// pack adds body, which is of a document, in fewer bytes.
func pack(dst, body, document []byte) []byte {
	all := make([]byte, 0, len(usual)+len(document)+len(body))
	all = append(append(append(all, usual...), document...), body...)
	base := len(all) - len(body)
	var places [copyTable]int32 // plus one, of eight bytes by their hash
	note := func(at int) *int32 {
		return &places[binary.LittleEndian.Uint64(all[at:])*0x9E3779B97F4A7C15>>(64-13)]
	}
	for at := 0; at+minCopy <= min(base, math.MaxUint16); at++ {
		*note(at) = int32(at + 1)
	}
	end := func(from, at int) int { // of the part that a copy may come from
		switch {
		case from < len(usual):
			return len(usual)
		case from < base:
			return base
		}
		return at
	}
	stands := base
	piece := func(until, n, from int) {
		for until-stands > math.MaxUint8 {
			dst = append(append(dst, math.MaxUint8, 0, 0, 0), all[stands:stands+math.MaxUint8]...)
			stands += math.MaxUint8
		}
		dst = append(append(dst, byte(until-stands), byte(n), byte(from), byte(from>>8)), all[stands:until]...)
		stands = until + n
	}
	for at := base; at+minCopy <= len(all); {
		place := note(at)
		from, n := int(*place)-1, 0
		if at <= math.MaxUint16 {
			*place = int32(at + 1)
		}
		for from >= 0 && n < min(len(all)-at, math.MaxUint8, end(from, at)-from) && all[from+n] == all[at+n] {
			n++
		}
		if n < minCopy {
			at++
			continue
		}
		piece(at, n, from)
		at += n
	}
	if stands < len(all) {
		piece(len(all), 0, 0)
	}
	return dst
}

// unpack adds what pack made of a body of that size. It tells when these bytes
// are not of that document.
func unpack(dst, packed []byte, document string, size int) (out []byte, ok bool) {
	start, inDocument := len(dst), len(usual)+len(document)
	dst = slices.Grow(dst, size)
	room := dst[start : start+size]
	at := 0
	for len(packed) >= 4 {
		stand, n, from := int(packed[0]), int(packed[1]), int(packed[2])|int(packed[3])<<8
		if packed = packed[4:]; stand > len(packed) || stand+n > len(room)-at {
			return dst, false
		}
		copy(room[at:], packed[:stand])
		at, packed = at+stand, packed[stand:]
		switch until := from + n; {
		case n == 0:
		case until <= len(usual):
			copy(room[at:], usual[from:until])
		case from >= len(usual) && until <= inDocument:
			copy(room[at:], document[from-len(usual):until-len(usual)])
		case from >= inDocument && until-inDocument <= at:
			copy(room[at:], room[from-inDocument:until-inDocument])
		default:
			return dst, false
		}
		at += n
	}
	return dst[:start+size], at == size && len(packed) == 0
}
