package vc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes of the suites
	_ "crypto/sha512"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"github.com/mr-tron/base58"
)

// The kinds of keys.
const (
	Ed25519 = "Ed25519"
	P256    = "P-256"
	P384    = "P-384"
	RSA     = "RSA" // in JWTs only
)

// kind is what the keys that have a Multikey form differ in.
type kind struct {
	name           string
	public, secret [2]byte // multicodec prefixes, CID 1.0 §2.2.2
	publicSize     int     // bytes; of a curve, the compressed point
	secretSize     int
	curve          elliptic.Curve // nil: Ed25519
	hash           crypto.Hash    // that signatures use, 0: none
}

var kinds = []kind{
	{Ed25519, [2]byte{0xed, 0x01}, [2]byte{0x80, 0x26}, 32, 32, nil, 0},
	{P256, [2]byte{0x80, 0x24}, [2]byte{0x86, 0x26}, 33, 32, elliptic.P256(), crypto.SHA256},
	{P384, [2]byte{0x81, 0x24}, [2]byte{0x87, 0x26}, 49, 48, elliptic.P384(), crypto.SHA384},
}

// KindOf is the kind of a public key, empty for one that is not used here.
func KindOf(k crypto.PublicKey) string {
	switch k := k.(type) {
	case ed25519.PublicKey:
		return Ed25519
	case *rsa.PublicKey:
		return RSA
	case *ecdsa.PublicKey:
		return k.Params().Name
	}
	return ""
}

func kindOf(k crypto.PublicKey) (kind, bool) {
	name := KindOf(k)
	for _, kd := range kinds {
		if kd.name == name {
			return kd, true
		}
	}
	return kind{}, false
}

// Multikey is a public key in multibase, CID 1.0 §2.2.2. It is empty for a kind
// of key that has no such form: all but Ed25519, P-256 and P-384.
func Multikey(k crypto.PublicKey) string {
	kd, ok := kindOf(k)
	if !ok {
		return ""
	}
	return kd.multibase(kd.public, kd.publicBytes(k))
}

func (kd kind) multibase(prefix [2]byte, raw []byte) string {
	return "z" + base58.Encode(append(prefix[:], raw...))
}

// publicBytes are a key's bytes in a Multikey: of a curve, the compressed point.
func (kd kind) publicBytes(k crypto.PublicKey) []byte {
	if kd.curve == nil {
		return k.(ed25519.PublicKey)
	}
	point := k.(*ecdsa.PublicKey)
	return elliptic.MarshalCompressed(kd.curve, point.X, point.Y)
}

// ParseMultikey reads a public key: an ed25519.PublicKey or an *ecdsa.PublicKey.
func ParseMultikey(s string) (crypto.PublicKey, error) {
	raw, err := decodeBase58(s, maxMultikey)
	if err != nil {
		return nil, err
	}
	return parsePublic(raw)
}

// maxMultikey is the most bytes that a key of any kind has, with its prefix.
const maxMultikey = 51

// parsePublic reads the bytes of a public Multikey.
func parsePublic(raw []byte) (crypto.PublicKey, error) {
	for _, kd := range kinds {
		if len(raw) != 2+kd.publicSize || [2]byte(raw) != kd.public {
			continue
		}
		if kd.curve == nil {
			return ed25519.PublicKey(raw[2:]), nil
		}
		x, y := elliptic.UnmarshalCompressed(kd.curve, raw[2:])
		if x == nil {
			return nil, fmt.Errorf("not a point of %s", kd.name)
		}
		return &ecdsa.PublicKey{Curve: kd.curve, X: x, Y: y}, nil
	}
	return nil, errors.New("neither an Ed25519 nor a P-256 or P-384 public key")
}

// SecretMultikey is a private key in multibase. It is empty for a kind of key
// that has no such form.
func SecretMultikey(k crypto.Signer) string {
	kd, ok := kindOf(k.Public())
	if !ok {
		return ""
	}
	switch k := k.(type) {
	case ed25519.PrivateKey:
		return kd.multibase(kd.secret, k.Seed())
	case *ecdsa.PrivateKey:
		return kd.multibase(kd.secret, k.D.FillBytes(make([]byte, kd.secretSize)))
	}
	return ""
}

// ParseSecretMultikey reads a private key: an ed25519.PrivateKey or an
// *ecdsa.PrivateKey. Of an Ed25519 key the 64 bytes with the public half are
// read too.
func ParseSecretMultikey(s string) (crypto.Signer, error) {
	raw, err := decodeBase58(s, 2+ed25519.PrivateKeySize)
	if err != nil {
		return nil, err
	}
	for _, kd := range kinds {
		if len(raw) < 2+kd.secretSize || [2]byte(raw) != kd.secret {
			continue
		}
		switch raw = raw[2:]; {
		case kd.curve != nil && len(raw) == kd.secretSize:
			return ecdsa.ParseRawPrivateKey(kd.curve, raw)
		case kd.curve == nil && len(raw) == ed25519.SeedSize:
			return ed25519.NewKeyFromSeed(raw), nil
		case kd.curve == nil && len(raw) == ed25519.PrivateKeySize:
			k := ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
			if string(k) != string(raw) {
				return nil, errors.New("the two halves of the key do not belong together")
			}
			return k, nil
		}
	}
	return nil, errors.New("neither an Ed25519 nor a P-256 or P-384 private key")
}

// decodeBase58 reads base58btc with its multibase prefix, of at most n bytes.
func decodeBase58(s string, n int) ([]byte, error) {
	if len(s) < 2 || s[0] != 'z' || len(s) > 2*n {
		return nil, errors.New("not base58btc, which begins with z, of the right length")
	}
	raw, err := base58.Decode(s[1:])
	if err == nil && len(raw) > n {
		err = fmt.Errorf("%d bytes, at most %d", len(raw), n)
	}
	if err == nil && len(raw) < 2 {
		err = errors.New("too short")
	}
	return raw, err
}

// Sign signs a message, such as Draft.Hash, in the form that proofs carry:
// Ed25519 as it is; ECDSA over the curve's hash of the message, by RFC 6979,
// its two numbers side by side (VC-DI-ECDSA 1.0 §3.1).
func Sign(k crypto.Signer, message []byte) ([]byte, error) {
	kd, ok := kindOf(k.Public())
	if !ok {
		return nil, errors.New("keys of this kind make no proofs")
	}
	if kd.curve == nil {
		return k.Sign(nil, message, crypto.Hash(0))
	}
	return kd.signDigest(k, kd.hash, message)
}

func (kd kind) signDigest(k crypto.Signer, hash crypto.Hash, message []byte) ([]byte, error) {
	h := hash.New()
	h.Write(message)
	der, err := k.Sign(nil, h.Sum(nil), hash) // no randomness: RFC 6979
	if err != nil {
		return nil, err
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &pair); err != nil {
		return nil, err
	}
	n := kd.secretSize
	out := make([]byte, 2*n)
	pair.R.FillBytes(out[:n])
	pair.S.FillBytes(out[n:])
	return out, nil
}

// Signed reports whether a signature made by Sign is of this message by this
// key. A signature of the wrong length never is.
func Signed(k crypto.PublicKey, message, signature []byte) bool {
	kd, ok := kindOf(k)
	if !ok {
		return false
	}
	if kd.curve == nil {
		return ed25519.Verify(k.(ed25519.PublicKey), message, signature)
	}
	n := kd.secretSize
	if len(signature) != 2*n {
		return false
	}
	h := kd.hash.New()
	h.Write(message)
	r, s := new(big.Int).SetBytes(signature[:n]), new(big.Int).SetBytes(signature[n:])
	return ecdsa.Verify(k.(*ecdsa.PublicKey), h.Sum(nil), r, s)
}
