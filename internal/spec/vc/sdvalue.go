package vc

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// The proof values of ecdsa-sd-2023 are CBOR behind three bytes that tell which
// they are, in multibase base64url: VC-DI-ECDSA 1.0 §3.4.4 and §3.4.6.
var (
	baseHeader    = []byte{0xd9, 0x5d, 0x00}
	derivedHeader = []byte{0xd9, 0x5d, 0x01}
)

// The sizes of the parts of a proof value, in bytes.
const (
	sdSignature = 64
	sdPublic    = 35
	sdLabel     = 32
	maxSDValue  = 32 << 20
)

// baseProof is the value of a base proof.
type baseProof struct {
	_          struct{} `cbor:",toarray"`
	Signature  []byte
	PublicKey  []byte // one-time, as the bytes of a Multikey
	HMAC       []byte
	Signatures [][]byte
	Mandatory  []string // JSON pointers
}

// derivedProof is the value of a derived proof.
type derivedProof struct {
	_          struct{} `cbor:",toarray"`
	Signature  []byte
	PublicKey  []byte
	Signatures [][]byte
	Labels     map[int][]byte // of blank nodes, by their canonical number
	Mandatory  []int          // places of the mandatory statements among all
}

// toCBOR writes maps in the order of their keys; fromCBOR is strict and bounded.
var toCBOR, fromCBOR = func() (cbor.EncMode, cbor.DecMode) {
	enc, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(err) // constant options
	}
	dec, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
		MaxNestedLevels: 4, MaxArrayElements: 1 << 20, MaxMapPairs: 1 << 20, ExtraReturnErrors: cbor.ExtraDecErrorUnknownField}.DecMode()
	if err != nil {
		panic(err) // constant options
	}
	return enc, dec
}()

func encodeSD(header []byte, v any) (string, error) {
	raw, err := toCBOR.Marshal(v)
	if err != nil {
		return "", err
	}
	return "u" + base64.RawURLEncoding.EncodeToString(slices.Concat(header, raw)), nil
}

func decodeBase64(value string) ([]byte, error) {
	if len(value) < 2 || value[0] != 'u' || len(value) > maxSDValue {
		return nil, errors.New("not base64url, which begins with u")
	}
	return base64.RawURLEncoding.Strict().DecodeString(value[1:])
}

func decodeSD(value string, header []byte, to any) error {
	raw, err := decodeBase64(value)
	if err == nil && !bytes.HasPrefix(raw, header) {
		err = errors.New("not a proof value of ecdsa-sd-2023")
	}
	if err == nil {
		err = fromCBOR.Unmarshal(raw[len(header):], to)
	}
	if err != nil {
		return &Failure{Code: Malformed, Reason: "The value of the selective disclosure proof cannot be read.", Err: err}
	}
	return nil
}

func (b baseProof) encode() (string, error) {
	if err := sdSizes(b.Signature, b.PublicKey, b.Signatures); err != nil {
		return "", err
	}
	return encodeSD(baseHeader, b)
}

func decodeBase(value string) (b baseProof, err error) {
	if err := decodeSD(value, baseHeader, &b); err != nil {
		return b, err
	}
	if len(b.HMAC) != sdLabel {
		return b, &Failure{Code: Malformed, Reason: "The base proof has no key for its labels."}
	}
	return b, sdSizes(b.Signature, b.PublicKey, b.Signatures)
}

func (d derivedProof) encode() (string, error) {
	if err := sdSizes(d.Signature, d.PublicKey, d.Signatures); err != nil {
		return "", err
	}
	return encodeSD(derivedHeader, d)
}

func decodeDerived(value string) (d derivedProof, err error) {
	if err := decodeSD(value, derivedHeader, &d); err != nil {
		return d, err
	}
	seen := map[string]bool{}
	for n, label := range d.Labels {
		if n < 0 || len(label) != sdLabel || seen[string(label)] {
			return d, &Failure{Code: Malformed, Reason: "The labels of the selective disclosure proof are malformed."}
		}
		seen[string(label)] = true
	}
	last := -1
	for _, i := range d.Mandatory {
		if i <= last {
			return d, &Failure{Code: Malformed, Reason: "The mandatory statements of the proof are not in order."}
		}
		last = i
	}
	return d, sdSizes(d.Signature, d.PublicKey, d.Signatures)
}

func sdSizes(signature, public []byte, signatures [][]byte) error {
	ok := len(signature) == sdSignature && len(public) == sdPublic
	for _, s := range signatures {
		ok = ok && len(s) == sdSignature
	}
	if !ok {
		return &Failure{Code: Malformed, Reason: "A part of the selective disclosure proof has the wrong length."}
	}
	return nil
}
