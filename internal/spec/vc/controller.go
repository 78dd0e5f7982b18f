package vc

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/spec/jsonld"
)

// Method is a verification method, CID 1.0 §2.2: a Multikey with PublicKey, or a
// JsonWebKey with PublicKeyJWK.
type Method struct {
	ID           string `json:"id"`
	Type         string `json:"type"`
	Controller   string `json:"controller"`
	PublicKey    string `json:"publicKeyMultibase,omitempty"`
	PublicKeyJWK *JWK   `json:"publicKeyJwk,omitempty"`
	Expires      string `json:"expires,omitempty"`
	Revoked      string `json:"revoked,omitempty"`
}

// Controller is a controlled identifier document.
type Controller struct {
	Context         []string          `json:"@context"`
	ID              string            `json:"id"`
	Methods         []Method          `json:"verificationMethod"`
	AssertionMethod []json.RawMessage `json:"assertionMethod"`
	Authentication  []json.RawMessage `json:"authentication,omitempty"`
}

// NewController is the document of an id with its keys; every key may make
// assertions, and present what was asserted.
func NewController(id string, methods []Method) Controller {
	c := Controller{Context: []string{"https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"}, ID: id,
		Methods: []Method{}, AssertionMethod: []json.RawMessage{}}
	for _, m := range methods {
		c.Methods = append(c.Methods, m)
		c.AssertionMethod = append(c.AssertionMethod, oneOrMore([]string{m.ID}))
		c.Authentication = append(c.Authentication, oneOrMore([]string{m.ID}))
	}
	return c
}

// maxController is the largest controller document in bytes.
const maxController = 1 << 20

// relationships are the members of a controller document that list methods by
// purpose, CID 1.0 §2.3.
var relationships = map[string]bool{AssertionMethod: true, Authentication: true, "keyAgreement": true,
	"capabilityInvocation": true, "capabilityDelegation": true}

// KeyOf retrieves a method from its controller's document, CID 1.0 §3.3: the
// document must be that of the method's address, have the method, and list it
// under the purpose.
func KeyOf(document []byte, method, purpose string) (Key, error) {
	if len(document) > maxController {
		return Key{}, &Failure{Code: NoKey, Reason: "The issuer's key document is too large."}
	}
	d, err := jsonld.Read(document)
	if err != nil {
		return Key{}, &Failure{Code: NoKey, Reason: "The issuer's key document cannot be read.", Err: err}
	}
	base, _, ok := strings.Cut(method, "#")
	id, _ := d.Member("id").Text()
	if !ok || id != base {
		return Key{}, &Failure{Code: WrongKey, Reason: fmt.Sprintf("The key document says it is of %q, and the proof names a key of %q.", id, base)}
	}
	m, listed := findMethod(d, id, method, purpose)
	controller, _ := m.Member("controller").Text()
	if m.IsZero() {
		return Key{}, &Failure{Code: MissingKey, Reason: fmt.Sprintf("The issuer does not publish the key %q.", method)}
	}
	if controller != id {
		return Key{}, &Failure{Code: WrongKey, Reason: fmt.Sprintf("The issuer does not publish the key %q.", method)}
	}
	if !listed || !relationships[purpose] {
		return Key{}, &Failure{Code: WrongKey, Reason: fmt.Sprintf("The issuer does not let the key %q be used for %s.", method, purpose)}
	}
	k := Key{Controller: controller}
	if k.Public, err = publicOf(m); err != nil {
		return Key{}, &Failure{Code: NoKey, Reason: fmt.Sprintf("The issuer's key %q cannot be used.", method), Err: err}
	}
	if k.Expires, err = instantOf(m, "expires"); err == nil {
		k.Revoked, err = instantOf(m, "revoked")
	}
	if err != nil {
		return Key{}, &Failure{Code: WrongKey, Reason: fmt.Sprintf("The issuer put a day to the key %q that cannot be read.", method), Err: err}
	}
	return k, nil
}

// findMethod is a method of a document, and whether it is listed under a
// purpose, by its id or as a whole.
func findMethod(d jsonld.Value, id, method, purpose string) (m jsonld.Value, listed bool) {
	is := func(v jsonld.Value) bool {
		name, ok := v.Text()
		if v.IsObject() {
			name, ok = v.Member("id").Text()
		}
		return ok && (name == method || strings.HasPrefix(name, "#") && id+name == method)
	}
	for _, v := range d.Member("verificationMethod").Elements() {
		if v.IsObject() && is(v) {
			m = v
			break
		}
	}
	for _, v := range d.Member(purpose).Elements() {
		if !is(v) {
			continue
		}
		listed = true
		if v.IsObject() && m.IsZero() {
			m = v
		}
	}
	return m, listed
}

// publicOf is the public key of a method.
func publicOf(m jsonld.Value) (crypto.PublicKey, error) {
	typ, _ := m.Member("type").Text()
	if !m.Member("secretKeyMultibase").IsZero() || !m.Member("privateKeyMultibase").IsZero() {
		return nil, errors.New("its private half is published")
	}
	switch typ {
	case "Multikey", "Ed25519VerificationKey2020":
		text, _ := m.Member("publicKeyMultibase").Text()
		k, err := ParseMultikey(text)
		if err == nil && typ != "Multikey" && KindOf(k) != Ed25519 {
			err = errors.New("not an Ed25519 key")
		}
		return k, err
	case "JsonWebKey", "JsonWebKey2020":
		return ParseJWK(m.Member("publicKeyJwk").Raw())
	}
	return nil, fmt.Errorf("keys of type %q are not supported", typ)
}

func instantOf(v jsonld.Value, name string) (*time.Time, error) {
	m := v.Member(name)
	if m.IsZero() {
		return nil, nil
	}
	text, _ := m.Text()
	at, err := Instant(text)
	return &at, err
}
