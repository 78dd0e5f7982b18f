package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	_ "crypto/sha512" // SHA-384
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/mr-tron/base58"

	"github.com/testamur/testamur/internal/spec/vc"
)

// curve is what the two ECDSA algorithms differ in.
type curve struct {
	curve  elliptic.Curve
	hash   crypto.Hash
	prefix [2]byte // multicodec of the compressed public key, CID 1.0 §2.2.2
}

var curves = map[string]curve{
	P256: {elliptic.P256(), crypto.SHA256, [2]byte{0x80, 0x24}},
	P384: {elliptic.P384(), crypto.SHA384, [2]byte{0x81, 0x24}},
}

// generate makes a key: the public half as a Multikey, the private half as the
// bytes that are sealed.
func generate(algorithm string) (public string, private []byte, err error) {
	if algorithm == Ed25519 {
		pub, priv, err := ed25519.GenerateKey(rand.Reader)
		return vc.Multikey(pub), priv, err
	}
	c, ok := curves[algorithm]
	if !ok {
		return "", nil, fmt.Errorf("no algorithm %q", algorithm)
	}
	k, err := ecdsa.GenerateKey(c.curve, rand.Reader)
	if err != nil {
		return "", nil, err
	}
	private, err = k.Bytes()
	return c.multikey(&k.PublicKey), private, err
}

// multikey is a public key in multibase.
func (c curve) multikey(k *ecdsa.PublicKey) string {
	return "z" + base58.Encode(append(c.prefix[:], elliptic.MarshalCompressed(c.curve, k.X, k.Y)...))
}

// private is an opened private key.
type private struct {
	ed25519 ed25519.PrivateKey
	ecdsa   *ecdsa.PrivateKey
	curve   curve
}

func parsePrivate(algorithm string, raw []byte) (private, error) {
	if algorithm == Ed25519 {
		if len(raw) != ed25519.PrivateKeySize {
			return private{}, fmt.Errorf("a sealed Ed25519 key of %d bytes", len(raw))
		}
		return private{ed25519: raw}, nil
	}
	c, ok := curves[algorithm]
	if !ok {
		return private{}, fmt.Errorf("no algorithm %q", algorithm)
	}
	k, err := ecdsa.ParseRawPrivateKey(c.curve, raw)
	return private{ecdsa: k, curve: c}, err
}

// sign signs data. ECDSA hashes it first and is deterministic, RFC 6979; its
// signature is the two numbers side by side, VC-DI-ECDSA 1.0 §3.1.
func (p private) sign(data []byte) ([]byte, error) {
	if p.ed25519 != nil {
		return ed25519.Sign(p.ed25519, data), nil
	}
	h := p.curve.hash.New()
	h.Write(data)
	der, err := p.ecdsa.Sign(nil, h.Sum(nil), p.curve.hash)
	if err != nil {
		return nil, err
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &pair); err != nil {
		return nil, err
	}
	n := p.curve.curve.Params().BitSize / 8
	out := make([]byte, 2*n)
	pair.R.FillBytes(out[:n])
	pair.S.FillBytes(out[n:])
	return out, nil
}
