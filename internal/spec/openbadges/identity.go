package openbadges

import (
	"crypto/md5" //nolint:gosec // md5$ hashes of others are read, never made
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/spec/jsonld"
)

// HashIdentity is the identityHash of a value, §B.3.2: SHA-256 over the value
// followed by the salt.
func HashIdentity(value, salt string) string {
	sum := sha256.Sum256([]byte(value + salt))
	return "sha256$" + hex.EncodeToString(sum[:])
}

// NewIdentity names a learner without telling who it is to those who do not know
// already.
func NewIdentity(identityType, value, salt string) IdentityObject {
	return IdentityObject{Type: "IdentityObject", Hashed: true, IdentityHash: HashIdentity(value, salt), IdentityType: identityType, Salt: salt}
}

// Is reports whether an identity is of a value of its type. ok is false when it
// cannot be told: another type, or a hash of an unknown kind. An e-mail address
// is compared as it is and in lower case.
func (o IdentityObject) Is(identityType, value string) (is, ok bool) {
	if o.IdentityType != identityType {
		return false, false
	}
	tries := []string{value}
	if identityType == "emailAddress" || identityType == "email" {
		tries = append(tries, strings.ToLower(value))
	}
	if !o.Hashed {
		for _, t := range tries {
			is = is || o.IdentityHash == t || len(tries) > 1 && strings.EqualFold(o.IdentityHash, t)
		}
		return is, true
	}
	algorithm, digest, found := strings.Cut(o.IdentityHash, "$")
	if !found || algorithm != "sha256" && algorithm != "md5" {
		return false, false
	}
	for _, t := range tries {
		is = is || strings.EqualFold(digest, digestOf(algorithm, t+o.Salt))
	}
	return is, true
}

func digestOf(algorithm, text string) string {
	if algorithm == "md5" {
		sum := md5.Sum([]byte(text)) //nolint:gosec // see above
		return hex.EncodeToString(sum[:])
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Identities are the identifiers of a subject.
func Identities(subject jsonld.Value) []IdentityObject {
	var out []IdentityObject
	for _, v := range subject.Member("identifier").Elements() {
		var o IdentityObject
		o.Type = "IdentityObject"
		o.Hashed, _ = v.Member("hashed").Bool()
		o.IdentityHash, _ = v.Member("identityHash").Text()
		o.IdentityType, _ = v.Member("identityType").Text()
		o.Salt, _ = v.Member("salt").Text()
		out = append(out, o)
	}
	return out
}

// Key is what makes two credentials the same one, §4.2 (equality): the ids of
// the issuer and of the credential, percent-decoded and trimmed.
type Key struct{ Issuer, ID string }

// KeyOf is the key of a credential, and the instant that decides which of two
// with the same key replaces the other: the later.
func KeyOf(v jsonld.Value) (k Key, from time.Time, ok bool) {
	issuer := v.Member("issuer")
	if issuer.IsObject() {
		issuer = issuer.Member("id")
	}
	k.Issuer, _ = issuer.Text()
	k.ID, _ = v.Member("id").Text()
	k = Key{decoded(k.Issuer), decoded(k.ID)}
	begin, _ := Dates(v)
	from, ok = instant(v.Member(begin))
	return k, from, ok && k.Issuer != "" && k.ID != ""
}

func decoded(s string) string {
	s = strings.TrimSpace(s)
	if d, err := url.PathUnescape(s); err == nil {
		return d
	}
	return s
}
