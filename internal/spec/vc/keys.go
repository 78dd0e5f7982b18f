package vc

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/mr-tron/base58"
)

// ed25519Public is the multicodec prefix of an Ed25519 public key.
var ed25519Public = []byte{0xed, 0x01}

// Multikey is a public key in multibase, CID §2.2.2.
func Multikey(k ed25519.PublicKey) string {
	return "z" + base58.Encode(append(append([]byte{}, ed25519Public...), k...))
}

// ParseMultikey reads an Ed25519 public key.
func ParseMultikey(s string) (ed25519.PublicKey, error) {
	raw, err := decode(s, len(ed25519Public)+ed25519.PublicKeySize)
	if err != nil {
		return nil, err
	}
	if raw[0] != ed25519Public[0] || raw[1] != ed25519Public[1] {
		return nil, errors.New("not an Ed25519 public key")
	}
	return raw[2:], nil
}

// decode reads base58btc with its multibase prefix, of exactly n bytes.
func decode(s string, n int) ([]byte, error) {
	rest, ok := strings.CutPrefix(s, "z")
	if !ok || len(rest) > 2*n {
		return nil, errors.New("not base58btc, which begins with z, of the right length")
	}
	raw, err := base58.Decode(rest)
	if err != nil {
		return nil, err
	}
	if len(raw) != n {
		return nil, fmt.Errorf("%d bytes, want %d", len(raw), n)
	}
	return raw, nil
}

// Method is a verification method of type Multikey.
type Method struct {
	ID         string `json:"id"`
	Type       string `json:"type"`
	Controller string `json:"controller"`
	PublicKey  string `json:"publicKeyMultibase"`
	Revoked    string `json:"revoked,omitempty"`
}

// Controller is a controlled identifier document.
type Controller struct {
	Context         []string          `json:"@context"`
	ID              string            `json:"id"`
	Methods         []Method          `json:"verificationMethod"`
	AssertionMethod []json.RawMessage `json:"assertionMethod"`
}

// NewController is the document of an id with its keys; every key may make
// assertions.
func NewController(id string, methods []Method) Controller {
	c := Controller{Context: []string{"https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1"}, ID: id,
		Methods: []Method{}, AssertionMethod: []json.RawMessage{}}
	for _, m := range methods {
		c.Methods = append(c.Methods, m)
		ref, err := json.Marshal(m.ID)
		if err != nil {
			panic(err) // text
		}
		c.AssertionMethod = append(c.AssertionMethod, ref)
	}
	return c
}

// maxController is the largest controller document in bytes.
const maxController = 1 << 20

// KeyOf retrieves a method from its controller's document, CID §3.3: the
// document must be that of the method's address, list the method, and allow it
// the purpose.
func KeyOf(document []byte, method, purpose string) (Key, error) {
	if len(document) > maxController {
		return Key{}, &Failure{Code: NoKey, Reason: "The issuer's key document is too large."}
	}
	var c Controller
	if err := json.Unmarshal(document, &struct {
		*Controller
		Context json.RawMessage `json:"@context"`
	}{Controller: &c}); err != nil {
		return Key{}, &Failure{Code: NoKey, Reason: "The issuer's key document cannot be read.", Err: err}
	}
	base, _, ok := strings.Cut(method, "#")
	if !ok || c.ID != base {
		return Key{}, &Failure{Code: WrongKey, Reason: fmt.Sprintf("The key document says it is of %q, and the proof names a key of %q.", c.ID, base)}
	}
	m, ok := c.find(method)
	if !ok || m.Type != "Multikey" || m.Controller != c.ID {
		return Key{}, &Failure{Code: WrongKey, Reason: fmt.Sprintf("The issuer does not publish the key %q.", method)}
	}
	if purpose != "assertionMethod" || !c.allows(method) {
		return Key{}, &Failure{Code: WrongKey, Reason: fmt.Sprintf("The issuer does not let the key %q make assertions.", method)}
	}
	k, err := ParseMultikey(m.PublicKey)
	if err != nil {
		return Key{}, &Failure{Code: NoKey, Reason: "The issuer's key is not an Ed25519 Multikey.", Err: err}
	}
	key := Key{Controller: m.Controller, Ed25519: k}
	if m.Revoked != "" {
		at, err := time.Parse(time.RFC3339, m.Revoked)
		if err != nil {
			return Key{}, &Failure{Code: WrongKey, Reason: fmt.Sprintf("The issuer revoked the key %q, on a day that cannot be read.", method), Err: err}
		}
		key.Revoked = &at
	}
	return key, nil
}

func (c Controller) find(method string) (Method, bool) {
	for _, m := range c.Methods {
		if m.ID == method || strings.HasPrefix(m.ID, "#") && c.ID+m.ID == method {
			return m, true
		}
	}
	return Method{}, false
}

// allows reports whether a method may make assertions: named, or embedded.
func (c Controller) allows(method string) bool {
	for _, raw := range c.AssertionMethod {
		var ref string
		var m Method
		if json.Unmarshal(raw, &ref) == nil && (ref == method || c.ID+ref == method) {
			return true
		}
		if json.Unmarshal(raw, &m) == nil && m.ID == method {
			return true
		}
	}
	return false
}

// DIDKey is the key that a did:key method is.
func DIDKey(method string) (Key, error) {
	did, fragment, ok := strings.Cut(method, "#")
	multibase, isKey := strings.CutPrefix(did, "did:key:")
	if !ok || !isKey || fragment != multibase {
		return Key{}, &Failure{Code: WrongKey, Reason: fmt.Sprintf("%q is not the key of a did:key.", method)}
	}
	k, err := ParseMultikey(multibase)
	if err != nil {
		return Key{}, &Failure{Code: NoKey, Reason: "Only Ed25519 keys are supported in did:key.", Err: err}
	}
	return Key{Controller: did, Ed25519: k}, nil
}

// DIDWeb is the did:web of an address such as https://host:1/i/slug.
func DIDWeb(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("%q is not a web address", base)
	}
	did := "did:web:" + strings.ReplaceAll(u.Host, ":", "%3A")
	for _, part := range strings.Split(strings.Trim(u.Path, "/"), "/") {
		if part != "" {
			did += ":" + url.PathEscape(part)
		}
	}
	return did, nil
}

// DIDWebURL is where the document of a did:web lies, always https.
func DIDWebURL(did string) (string, error) {
	rest, ok := strings.CutPrefix(did, "did:web:")
	if !ok || rest == "" || strings.ContainsAny(rest, "/?#") {
		return "", fmt.Errorf("%q is not a did:web", did)
	}
	parts := strings.Split(rest, ":")
	host, err := url.PathUnescape(parts[0])
	if err != nil || host == "" || strings.ContainsAny(host, "/?#@") {
		return "", fmt.Errorf("%q names no host", did)
	}
	if len(parts) == 1 {
		return "https://" + host + "/.well-known/did.json", nil
	}
	for _, p := range parts[1:] {
		if p == "" || p == "." || p == ".." {
			return "", fmt.Errorf("%q has an empty part", did)
		}
	}
	return "https://" + host + "/" + strings.Join(parts[1:], "/") + "/did.json", nil
}

// JWK is an Ed25519 public key in a JWKS, RFC 8037.
type JWK struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	X   string `json:"x"`
	Kid string `json:"kid"`
	Alg string `json:"alg"`
	Use string `json:"use"`
}

// NewJWK is the JWK of a method.
func NewJWK(m Method) (JWK, error) {
	k, err := ParseMultikey(m.PublicKey)
	return JWK{Kty: "OKP", Crv: "Ed25519", X: base64.RawURLEncoding.EncodeToString(k), Kid: m.ID, Alg: "EdDSA", Use: "sig"}, err
}
