package vc

import (
	"crypto"
	"fmt"
	"slices"

	"github.com/testamur/testamur/internal/spec/jsonld"
)

// The cryptosuites of Data Integrity.
const (
	EdDSARDFC = "eddsa-rdfc-2022"
	EdDSAJCS  = "eddsa-jcs-2022"
	ECDSARDFC = "ecdsa-rdfc-2019"
	ECDSAJCS  = "ecdsa-jcs-2019"
	ECDSASD   = "ecdsa-sd-2023" // selective disclosure
)

// Ed25519Signature2020 is the type of proof that came before eddsa-rdfc-2022; it
// is checked and not made.
const Ed25519Signature2020 = "Ed25519Signature2020"

// The purposes of proofs.
const (
	AssertionMethod = "assertionMethod"
	Authentication  = "authentication"
)

// suite is what the ways to make a proof differ in.
type suite struct {
	name  string
	kinds []string // of keys
	jcs   bool     // RFC 8785 instead of RDF canonicalization; the proof carries its @context

	selective bool // statements are signed one by one
}

var suites = []suite{
	{name: EdDSARDFC, kinds: []string{Ed25519}},
	{name: EdDSAJCS, kinds: []string{Ed25519}, jcs: true},
	{name: ECDSARDFC, kinds: []string{P256, P384}},
	{name: ECDSAJCS, kinds: []string{P256, P384}, jcs: true},
	selective,
}

var selective = suite{name: ECDSASD, kinds: []string{P256}, selective: true}

// old is Ed25519Signature2020, which signs as eddsa-rdfc-2022 does.
var old = suite{name: Ed25519Signature2020, kinds: []string{Ed25519}}

// suiteOf is the suite of a proof by its type and cryptosuite.
func suiteOf(typ, name string) (suite, error) {
	if typ == Ed25519Signature2020 {
		return old, nil
	}
	i := slices.IndexFunc(suites, func(s suite) bool { return s.name == name })
	if typ != "DataIntegrityProof" || i < 0 {
		return suite{}, &Failure{Code: UnknownSuite, Reason: fmt.Sprintf("This cannot check a proof of type %q with the suite %q.", typ, name)}
	}
	return suites[i], nil
}

// hashFor is the hash that goes with a key: a key of another kind than the
// suite's is refused.
func (s suite) hashFor(k crypto.PublicKey) (crypto.Hash, error) {
	name := KindOf(k)
	if !slices.Contains(s.kinds, name) {
		return 0, &Failure{Code: WrongKey, Reason: fmt.Sprintf("A proof by %s is not made with a key of kind %q.", s.name, name)}
	}
	if name == P384 {
		return crypto.SHA384, nil // VC-DI-ECDSA 1.0 §3.2: also in canonicalization
	}
	return crypto.SHA256, nil
}

// signatureSize is the bytes of a signature by a key.
func signatureSize(k crypto.PublicKey) int {
	kd, _ := kindOf(k)
	if kd.curve == nil {
		return 2 * 32
	}
	return 2 * kd.secretSize
}

func sum(h crypto.Hash, data []byte) []byte {
	w := h.New()
	w.Write(data)
	return w.Sum(nil)
}

// config is the canonical form of a proof's options, read in the context of the
// document: VC-DI-EDDSA 1.0 §3.2.5 and §3.3.5, VC-DI-ECDSA 1.0 likewise.
func (s suite) config(options, doc *jsonld.Document, h crypto.Hash) (out []byte, err error) {
	if s.jcs {
		out, err = options.JCS()
	} else {
		out, err = options.In(doc).Hashing(h).Canonize()
	}
	if err != nil {
		return nil, fmt.Errorf("proof options: %w", err)
	}
	return out, nil
}

// whole is the canonical form of a document.
func (s suite) whole(doc *jsonld.Document, h crypto.Hash) ([]byte, error) {
	if s.jcs {
		return doc.JCS()
	}
	return doc.Hashing(h).Canonize()
}

// digest is the hash of a proof's options, and digestWhole that of the document:
// what config and whole give, hashed without being kept.
func (s suite) digest(options, doc *jsonld.Document, h crypto.Hash) ([]byte, error) {
	if !s.jcs {
		options = options.In(doc)
	}
	d, err := s.digestWhole(options, h)
	if err != nil {
		return nil, fmt.Errorf("proof options: %w", err)
	}
	return d, nil
}

func (s suite) digestWhole(doc *jsonld.Document, h crypto.Hash) ([]byte, error) {
	if s.jcs {
		return doc.DigestJCS(h)
	}
	return doc.Hashing(h).Digest()
}
