package vc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/testamur/testamur/internal/spec/jsonld"
)

// JWK is a public key as a JSON Web Key, RFC 7517, RFC 7518 §6 and RFC 8037.
type JWK struct {
	Kty string `json:"kty"`
	Crv string `json:"crv,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
	N   string `json:"n,omitempty"`
	E   string `json:"e,omitempty"`
	Kid string `json:"kid,omitempty"`
	Alg string `json:"alg,omitempty"`
	Use string `json:"use,omitempty"`
}

// NewJWK is the JWK of a method, with the method as its id.
func NewJWK(m Method) (JWK, error) {
	k, err := ParseMultikey(m.PublicKey)
	if err != nil {
		return JWK{}, err
	}
	j, err := JWKOf(k)
	j.Kid, j.Use = m.ID, "sig"
	return j, err
}

// JWKOf is a public key as a JWK, with its algorithm.
func JWKOf(k crypto.PublicKey) (JWK, error) {
	b64 := base64.RawURLEncoding.EncodeToString
	switch k := k.(type) {
	case ed25519.PublicKey:
		return JWK{Kty: "OKP", Crv: Ed25519, X: b64(k), Alg: EdDSA}, nil
	case *rsa.PublicKey:
		return JWK{Kty: "RSA", N: b64(k.N.Bytes()), E: b64(big.NewInt(int64(k.E)).Bytes()), Alg: RS256}, nil
	case *ecdsa.PublicKey:
		if kd, ok := kindOf(k); ok {
			n := kd.secretSize
			return JWK{Kty: "EC", Crv: kd.name, X: b64(k.X.FillBytes(make([]byte, n))), Y: b64(k.Y.FillBytes(make([]byte, n))), Alg: algorithmOf(k)}, nil
		}
	}
	return JWK{}, errors.New("keys of this kind are not supported")
}

// Thumbprint is the key's RFC 7638 thumbprint by SHA-256, in base64url.
func (j JWK) Thumbprint() string {
	// §3.2: the required members, in the order of their names.
	var v any
	switch j.Kty {
	case "OKP":
		v = struct {
			Crv string `json:"crv"`
			Kty string `json:"kty"`
			X   string `json:"x"`
		}{j.Crv, j.Kty, j.X}
	case "EC":
		v = struct {
			Crv string `json:"crv"`
			Kty string `json:"kty"`
			X   string `json:"x"`
			Y   string `json:"y"`
		}{j.Crv, j.Kty, j.X, j.Y}
	default:
		v = struct {
			E   string `json:"e"`
			Kty string `json:"kty"`
			N   string `json:"n"`
		}{j.E, j.Kty, j.N}
	}
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // text
	}
	sum := sha256.Sum256(raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// The sizes of RSA keys in bits: below, they can be broken; above, checking one
// takes too long.
const (
	minRSA = 2048
	maxRSA = 8192
)

// ParseJWK reads a public key: an ed25519.PublicKey, an *ecdsa.PublicKey on
// P-256 or P-384, or an *rsa.PublicKey. Refused are symmetric keys, keys with
// their private half, and a key whose alg or use is not that of signatures.
func ParseJWK(raw []byte) (crypto.PublicKey, error) {
	v, err := jsonld.Read(raw)
	if err != nil {
		return nil, err
	}
	if !v.IsObject() {
		return nil, errors.New("a JWK is an object")
	}
	for _, secret := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
		if !v.Member(secret).IsZero() {
			return nil, errors.New("the key has its private half with it")
		}
	}
	if use, _ := v.Member("use").Text(); use != "" && use != "sig" {
		return nil, fmt.Errorf("the key is for %q, not for signatures", use)
	}
	k, err := parsePublicJWK(v)
	if err != nil {
		return nil, err
	}
	if alg, _ := v.Member("alg").Text(); alg != "" && alg != algorithmOf(k) && !(alg == Ed25519 && KindOf(k) == Ed25519) {
		return nil, fmt.Errorf("a key of kind %s does not sign with %q", KindOf(k), alg)
	}
	return k, nil
}

func parsePublicJWK(v jsonld.Value) (crypto.PublicKey, error) {
	kty, _ := v.Member("kty").Text()
	crv, _ := v.Member("crv").Text()
	switch kty {
	case "OKP":
		x, err := bytesOf(v, "x", ed25519.PublicKeySize)
		if err == nil && crv != Ed25519 {
			err = fmt.Errorf("the curve %q does not sign", crv)
		}
		return ed25519.PublicKey(x), err
	case "EC":
		return parseECJWK(v, crv)
	case "RSA":
		n, err := bytesOf(v, "n", 0)
		if err != nil {
			return nil, err
		}
		e, err := bytesOf(v, "e", 0)
		if err != nil {
			return nil, err
		}
		k := &rsa.PublicKey{N: new(big.Int).SetBytes(n)}
		if bits := k.N.BitLen(); bits < minRSA || bits > maxRSA || k.N.Bit(0) == 0 {
			return nil, fmt.Errorf("an RSA key of %d bits: from %d to %d are accepted", bits, minRSA, maxRSA)
		}
		if len(e) > 4 {
			return nil, errors.New("the exponent of the RSA key is too large")
		}
		for _, b := range e {
			k.E = k.E<<8 | int(b)
		}
		if k.E < 3 || k.E&1 == 0 || k.E > 1<<31-1 {
			return nil, errors.New("the exponent of the RSA key is none")
		}
		return k, nil
	}
	return nil, fmt.Errorf("keys of type %q are not supported", kty)
}

func parseECJWK(v jsonld.Value, crv string) (crypto.PublicKey, error) {
	for _, kd := range kinds {
		if kd.curve == nil || kd.name != crv {
			continue
		}
		x, err := bytesOf(v, "x", kd.secretSize)
		if err != nil {
			return nil, err
		}
		y, err := bytesOf(v, "y", kd.secretSize)
		if err != nil {
			return nil, err
		}
		return ecdsa.ParseUncompressedPublicKey(kd.curve, append(append([]byte{4}, x...), y...))
	}
	return nil, fmt.Errorf("the curve %q is not supported", crv)
}

// bytesOf is a member in base64url, of n bytes; n 0 means any number up to a
// large RSA key's.
func bytesOf(v jsonld.Value, name string, n int) ([]byte, error) {
	text, _ := v.Member(name).Text()
	if len(text) > 2*maxRSA/8 {
		return nil, fmt.Errorf("the member %q is too long", name)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("the member %q is not base64url: %w", name, err)
	}
	if n > 0 && len(raw) != n || len(raw) == 0 {
		return nil, fmt.Errorf("the member %q has %d bytes", name, len(raw))
	}
	return raw, nil
}

// KeySet reads the keys of a JWKS, RFC 7517 §5, that sign; those of other kinds
// are passed over, as §5 asks.
func KeySet(raw []byte) (map[string]crypto.PublicKey, error) {
	if len(raw) > maxController {
		return nil, errors.New("the key set is too large")
	}
	v, err := jsonld.Read(raw)
	if err != nil {
		return nil, err
	}
	if !v.Member("keys").IsArray() {
		return nil, errors.New("a key set has a list of keys")
	}
	all := map[string]crypto.PublicKey{}
	for _, e := range v.Member("keys").Elements() {
		kid, _ := e.Member("kid").Text()
		k, err := ParseJWK(e.Raw())
		if err != nil || kid == "" {
			continue
		}
		if _, twice := all[kid]; twice {
			return nil, fmt.Errorf("two keys have the id %q", kid)
		}
		all[kid] = k
	}
	return all, nil
}

// The algorithms of JWTs, RFC 7518 §3.1 and RFC 8037 §3.1.
const (
	RS256 = "RS256"
	ES256 = "ES256"
	ES384 = "ES384"
	EdDSA = "EdDSA"
)

// algorithmOf is the one algorithm that a key signs JWTs with.
func algorithmOf(k crypto.PublicKey) string {
	return map[string]string{Ed25519: EdDSA, P256: ES256, P384: ES384, RSA: RS256}[KindOf(k)]
}
