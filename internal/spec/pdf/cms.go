package pdf

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha256" // the digests of signatures
	_ "crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
)

// ErrForm is a signature in a form that is not read here; it may be good.
var ErrForm = errors.New("the signature has a form that is not read here")

// The digests that are trusted, RFC 5754.
var digests = map[string]crypto.Hash{"2.16.840.1.101.3.4.2.1": crypto.SHA256, "2.16.840.1.101.3.4.2.2": crypto.SHA384, "2.16.840.1.101.3.4.2.3": crypto.SHA512}

// The structure of a CMS signature, RFC 5652 §5.
type (
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"explicit,tag:0"`
	}
	cmsSigned struct {
		Version      int
		Digests      asn1.RawValue
		Content      encapsulated
		Certificates asn1.RawValue `asn1:"optional,tag:0"`
		CRLs         asn1.RawValue `asn1:"optional,tag:1"`
		Signers      []signerInfo  `asn1:"set"`
	}
	encapsulated struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"optional,explicit,tag:0"`
	}
	signerInfo struct {
		Version    int
		Signer     issuerAndSerial
		Digest     pkix.AlgorithmIdentifier
		Attributes asn1.RawValue `asn1:"optional,tag:0"`
		Algorithm  pkix.AlgorithmIdentifier
		Signature  []byte
		Unsigned   asn1.RawValue `asn1:"optional,tag:1"`
	}
	issuerAndSerial struct {
		Issuer asn1.RawValue
		Serial *big.Int
	}
	attribute struct {
		Type   asn1.ObjectIdentifier
		Values asn1.RawValue `asn1:"set"`
	}
)

// Check verifies a signature over what it covers and gives the certificate of its
// signer. Whether to believe that certificate is the caller's to decide. ErrForm
// when it is of a kind that is not read here.
func (s Signed) Check() (*x509.Certificate, error) {
	if s.Form != "ETSI.CAdES.detached" && s.Form != "adbe.pkcs7.detached" {
		return nil, ErrForm
	}
	var outer contentInfo
	rest, err := asn1.Unmarshal(s.CMS, &outer)
	if err != nil || len(bytes.Trim(rest, "\x00")) > 0 || !outer.Type.Equal(oidSignedData) {
		return nil, ErrForm
	}
	var signed cmsSigned
	if _, err := asn1.Unmarshal(outer.Content.Bytes, &signed); err != nil || len(signed.Signers) != 1 || len(signed.Content.Content.Bytes) > 0 {
		return nil, ErrForm
	}
	certificates, err := x509.ParseCertificates(signed.Certificates.Bytes)
	if err != nil {
		return nil, ErrForm
	}
	info := signed.Signers[0]
	for _, c := range certificates {
		if bytes.Equal(c.RawIssuer, info.Signer.Issuer.FullBytes) && c.SerialNumber.Cmp(info.Signer.Serial) == 0 {
			return c, s.by(c, info)
		}
	}
	return nil, errors.New("the certificate of the signer is not in the signature")
}

// by verifies one signer, RFC 5652 §5.4.
func (s Signed) by(c *x509.Certificate, info signerInfo) error {
	hash, ok := digests[info.Digest.Algorithm.String()]
	if !ok || len(info.Attributes.Bytes) == 0 {
		return ErrForm
	}
	h := hash.New()
	h.Write(s.parts[0])
	h.Write(s.parts[1])
	digest := h.Sum(nil)
	attributes := map[string][]byte{}
	for rest := info.Attributes.Bytes; len(rest) > 0; {
		var a attribute
		var err error
		if rest, err = asn1.Unmarshal(rest, &a); err != nil {
			return ErrForm
		}
		if _, twice := attributes[a.Type.String()]; twice {
			return errors.New("the signature says the same twice")
		}
		attributes[a.Type.String()] = a.Values.Bytes
	}
	var kind asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(attributes[oidContentType.String()], &kind); err != nil || !kind.Equal(oidData) {
		return errors.New("the signature does not say what it signs")
	}
	var told []byte
	if _, err := asn1.Unmarshal(attributes[oidDigest.String()], &told); err != nil || !bytes.Equal(told, digest) {
		return errors.New("the file was changed after it was signed")
	}
	h = hash.New()
	h.Write([]byte{tagSet}) // §5.4: as a SET, not with the tag that it has here
	h.Write(info.Attributes.FullBytes[1:])
	if !fits(c.PublicKey, hash, h.Sum(nil), info, info.Attributes) {
		return errors.New("the signature is not of this certificate's key")
	}
	return nil
}

func fits(key crypto.PublicKey, hash crypto.Hash, sum []byte, info signerInfo, attributes asn1.RawValue) bool {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, sum, info.Signature)
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 || k.N.BitLen() > 8192 {
			return false
		}
		if info.Algorithm.Algorithm.String() == "1.2.840.113549.1.1.10" { // RFC 8017: PSS
			return rsa.VerifyPSS(k, hash, sum, info.Signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto, Hash: hash}) == nil
		}
		return rsa.VerifyPKCS1v15(k, hash, sum, info.Signature) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(k, append([]byte{tagSet}, attributes.FullBytes[1:]...), info.Signature)
	}
	return false
}

// Method is the verification method that a certificate names as its own: the
// address of the same key in the issuer's DID document. Empty where there is none.
func Method(c *x509.Certificate) string {
	for _, u := range c.URIs {
		if u.Scheme == "did" && strings.Contains(u.String(), "#") {
			return u.String()
		}
	}
	return ""
}
