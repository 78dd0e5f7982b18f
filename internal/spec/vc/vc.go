// Package vc is the security layer of verifiable credentials: Data Integrity
// proofs, Multikey, did:key, did:web and controller documents.
//
// It is pure: bytes and values in, bytes and values out; keys are resolved by a
// function that is passed in, time is an argument. A proof is put into the
// document as text, so what was signed keeps its bytes. Sources: VC Data
// Integrity 1.0, EdDSA Cryptosuites 1.0, Controlled Identifiers 1.0.
package vc

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/mr-tron/base58"

	"github.com/testamur/testamur/internal/spec/jsonld"
)

// The cryptosuites.
const (
	EdDSARDFC = "eddsa-rdfc-2022"
	EdDSAJCS  = "eddsa-jcs-2022"
)

// Proof is a Data Integrity proof, VC-DI §2.1.
type Proof struct {
	Context            json.RawMessage `json:"@context,omitempty"`
	ID                 string          `json:"id,omitempty"`
	Type               string          `json:"type"`
	Cryptosuite        string          `json:"cryptosuite,omitempty"`
	Created            string          `json:"created,omitempty"`
	Expires            string          `json:"expires,omitempty"`
	VerificationMethod string          `json:"verificationMethod"`
	ProofPurpose       string          `json:"proofPurpose"`
	Domain             json.RawMessage `json:"domain,omitempty"`
	Challenge          string          `json:"challenge,omitempty"`
	Nonce              string          `json:"nonce,omitempty"`
	PreviousProof      json.RawMessage `json:"previousProof,omitempty"`
	ProofValue         string          `json:"proofValue,omitempty"`
}

// Draft is a document that was canonicalized and waits for its signature.
type Draft struct {
	document []byte
	proof    Proof
	Hash     []byte // what is signed: the hash of the proof options, then that of the document
}

// Part is an embedded credential with what Keep gave when it was signed.
type Part = jsonld.Part

// Keep is the kept form of a secured credential, to be stored beside it for the
// records that will embed it: see jsonld.Keep. The error is jsonld.ErrNotKept
// where there is none; a record is then signed at its full cost.
func Keep(document []byte) ([]byte, error) { return jsonld.Keep(document) }

// Prepare canonicalizes an unsigned document for one proof by one key. The
// error is what the canonicalization refuses: an undefined term, a relative
// IRI.
func Prepare(document []byte, suite, verificationMethod string, created time.Time) (Draft, error) {
	all, err := PrepareAll(document, []string{suite}, verificationMethod, created)
	if err != nil {
		return Draft{}, err
	}
	return all[0], nil
}

// PrepareAll canonicalizes an unsigned document for proofs of several suites by
// one key, reading it once. Parts are the credentials that stand in the
// document, in their order; their kept forms spare work and change nothing.
func PrepareAll(document []byte, suites []string, verificationMethod string, created time.Time, parts ...Part) ([]Draft, error) {
	doc, err := jsonld.Open(document, jsonld.Options{}, parts...)
	if err != nil {
		return nil, err
	}
	context := doc.Root().Member("@context")
	if context.IsZero() {
		return nil, &Failure{Code: Malformed, Reason: "The document has no @context."}
	}
	drafts := make([]Draft, 0, len(suites))
	for _, suite := range suites {
		p := Proof{Type: "DataIntegrityProof", Cryptosuite: suite, Created: created.UTC().Format("2006-01-02T15:04:05Z"),
			VerificationMethod: verificationMethod, ProofPurpose: "assertionMethod"}
		if suite == EdDSAJCS {
			p.Context = context.Raw()
		}
		raw, err := json.Marshal(p)
		if err != nil {
			return nil, err
		}
		options, err := jsonld.Open(raw, jsonld.Options{})
		if err != nil {
			return nil, err
		}
		hash, err := hashesOf(doc, options, suite)
		if err != nil {
			return nil, err
		}
		drafts = append(drafts, Draft{document: document, proof: p, Hash: hash})
	}
	return drafts, nil
}

// hashesOf are the 64 bytes that a suite signs, VC-DI-EDDSA §3.2 and §3.3.
func hashesOf(doc, options *jsonld.Document, suite string) ([]byte, error) {
	var config, whole []byte
	var err error
	switch suite {
	case EdDSARDFC:
		if config, err = options.In(doc).Canonize(); err != nil {
			return nil, fmt.Errorf("proof options: %w", err)
		}
		whole, err = doc.Canonize()
	case EdDSAJCS:
		if config, err = options.JCS(); err != nil {
			return nil, fmt.Errorf("proof options: %w", err)
		}
		whole, err = doc.JCS()
	default:
		return nil, &Failure{Code: UnknownSuite, Reason: fmt.Sprintf("The cryptosuite %q is not one this can check.", suite)}
	}
	if err != nil {
		return nil, err
	}
	a, b := sha256.Sum256(config), sha256.Sum256(whole)
	return append(a[:], b[:]...), nil
}

// Attach is the proof with the signature over the draft's hash.
func (d Draft) Attach(signature []byte) Proof {
	p := d.proof
	p.ProofValue = "z" + base58.Encode(signature)
	return p
}

// Secure is the document with the proofs as its last member, its own bytes
// unchanged.
func Secure(document []byte, proofs ...Proof) ([]byte, error) {
	raw, err := json.Marshal(proofs)
	if err != nil {
		return nil, err
	}
	end := bytes.LastIndexByte(document, '}')
	if end < 0 {
		return nil, errors.New("a document is a JSON object")
	}
	out := make([]byte, 0, len(document)+len(raw)+16)
	out = append(out, document[:end]...)
	out = append(out, `,"proof":`...)
	out = append(out, raw...)
	return append(out, document[end:]...), nil
}

// The ways a proof fails.
const (
	Malformed    = "malformed"     // not a document or proof at all
	UnknownSuite = "unknown-suite" // a kind of proof this cannot check
	NoKey        = "no-key"        // the key could not be had
	WrongKey     = "wrong-key"     // the key is not for this purpose or issuer
	Mismatch     = "mismatch"      // the signature is not of this document by this key
	Expired      = "expired"       // the proof's own expiry has passed
)

// Failure is why a proof does not hold.
type Failure struct {
	Code   string
	Reason string // a sentence
	Err    error
}

// Error is the reason, with its cause.
func (f *Failure) Error() string {
	if f.Err != nil {
		return f.Reason + " (" + f.Err.Error() + ")"
	}
	return f.Reason
}

// Unwrap is the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Split takes the proofs off a document. The unsecured document is compact JSON
// with the members in their order.
func Split(document []byte) (unsecured []byte, proofs []json.RawMessage, err error) {
	doc, err := open(document)
	if err != nil {
		return nil, nil, err
	}
	unsecured = []byte{'{'}
	for name, v := range doc.Root().Members() {
		if name == "proof" {
			for _, p := range v.Elements() {
				proofs = append(proofs, p.Raw())
			}
			continue
		}
		if len(unsecured) > 1 {
			unsecured = append(unsecured, ',')
		}
		key, err := json.Marshal(name)
		if err != nil {
			return nil, nil, err
		}
		unsecured = append(append(append(unsecured, key...), ':'), v.Raw()...)
	}
	return append(unsecured, '}'), proofs, nil
}

// open reads a document that is to carry proofs.
func open(document []byte) (*jsonld.Document, error) {
	doc, err := jsonld.Open(document, jsonld.Options{})
	if err != nil {
		return nil, &Failure{Code: Malformed, Reason: "This is not a document that can be read in one way only.", Err: err}
	}
	if !doc.Root().IsObject() {
		return nil, &Failure{Code: Malformed, Reason: "This is not a JSON object."}
	}
	return doc, nil
}

// Resolver gives the public key of a verification method, with its controller,
// if it is listed for the purpose. A *Failure says why not.
type Resolver func(method, purpose string) (Key, error)

// Key is a public key that a controller has listed.
type Key struct {
	Controller string
	Ed25519    ed25519.PublicKey
	Revoked    *time.Time // what it signed from then on does not hold, CID 1.0 §2.2
}

// holds reports why the key was not good when a proof says it was created.
func (k Key) holds(created string) error {
	if k.Revoked == nil {
		return nil
	}
	if at, err := time.Parse(time.RFC3339, created); err == nil && at.Before(*k.Revoked) {
		return nil
	}
	return &Failure{Code: WrongKey, Reason: "The issuer withdrew this key from " + k.Revoked.UTC().Format(time.RFC3339) + " on, and this was not signed before."}
}

// Checked is the outcome of one proof.
type Checked struct {
	Proof Proof
	Key   Key   // of the method, where it could be had
	Err   error // nil: the proof holds; usually a *Failure
}

// Verify checks every proof of a document on its own.
func Verify(document []byte, keys Resolver, now time.Time) ([]Checked, error) {
	doc, err := open(document)
	if err != nil {
		return nil, err
	}
	v := verification{doc: doc, keys: keys, now: now, wholes: map[string]whole{}}
	proofs := doc.Cut("proof")
	if proofs.IsArray() && proofs.Len() > maxProofs {
		return nil, &Failure{Code: Malformed, Reason: fmt.Sprintf("The document carries %d proofs; at most %d are checked.", proofs.Len(), maxProofs)}
	}
	var all []Checked
	for _, p := range proofs.Elements() {
		all = append(all, v.proof(p))
	}
	return all, nil
}

// maxProofs is how many proofs of one document are checked; a set or chain has a
// handful. maxWholes is how many canonical forms are made of it for them: each
// suite has one, and eddsa-jcs-2022 one for each part of the @context.
const (
	maxProofs = 32
	maxWholes = 6
)

// verification is one document whose proofs are checked.
type verification struct {
	doc    *jsonld.Document // without its proofs
	keys   Resolver
	now    time.Time
	wholes map[string]whole // of the document, by suite: proofs share it
}

// whole is the hash of the canonical document, or why there is none.
type whole struct {
	hash [sha256.Size]byte
	err  error
}

// proof checks one proof.
func (v *verification) proof(raw jsonld.Value) Checked {
	var c Checked
	if c.Proof, c.Err = readProof(raw); c.Err != nil {
		return c
	}
	p := c.Proof
	if p.Type != "DataIntegrityProof" || p.Cryptosuite != EdDSARDFC && p.Cryptosuite != EdDSAJCS {
		c.Err = &Failure{Code: UnknownSuite, Reason: fmt.Sprintf("This cannot check a proof of type %q with the suite %q.", p.Type, p.Cryptosuite)}
		return c
	}
	if p.ProofPurpose != "assertionMethod" {
		c.Err = &Failure{Code: WrongKey, Reason: fmt.Sprintf("The proof is for %q, not for making assertions.", p.ProofPurpose)}
		return c
	}
	if p.Expires != "" {
		if at, err := time.Parse(time.RFC3339, p.Expires); err != nil || v.now.After(at) {
			c.Err = &Failure{Code: Expired, Reason: "The proof has expired, or its expiry cannot be read."}
			return c
		}
	}
	signature, err := decode(p.ProofValue, ed25519.SignatureSize)
	if err != nil {
		c.Err = &Failure{Code: Malformed, Reason: "The proof value is not an Ed25519 signature in base58.", Err: err}
		return c
	}
	if c.Key, c.Err = v.keys(p.VerificationMethod, p.ProofPurpose); c.Err != nil {
		return c
	}
	if c.Err = c.Key.holds(p.Created); c.Err != nil {
		return c
	}
	hash, err := v.hash(raw, p)
	if err != nil {
		c.Err = asMismatch(err)
		return c
	}
	if !ed25519.Verify(c.Key.Ed25519, hash, signature) {
		c.Err = &Failure{Code: Mismatch, Reason: "The signature does not fit: the document was changed after it was signed, or another key signed it."}
	}
	return c
}

// asMismatch keeps what canonicalization says: such a document cannot have been
// signed as it stands.
func asMismatch(err error) error {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Code: Mismatch, Reason: "The document cannot be what was signed.", Err: err}
}

// readProof reads a proof. Its members are text, but for those that may be
// lists; names are taken as they are written.
func readProof(v jsonld.Value) (p Proof, err error) {
	malformed := &Failure{Code: Malformed, Reason: "The proof is not an object of text members."}
	if !v.IsObject() {
		return p, malformed
	}
	for name, m := range v.Members() {
		var to *string
		switch name {
		case "id":
			to = &p.ID
		case "type":
			to = &p.Type
		case "cryptosuite":
			to = &p.Cryptosuite
		case "created":
			to = &p.Created
		case "expires":
			to = &p.Expires
		case "verificationMethod":
			to = &p.VerificationMethod
		case "proofPurpose":
			to = &p.ProofPurpose
		case "challenge":
			to = &p.Challenge
		case "nonce":
			to = &p.Nonce
		case "proofValue":
			to = &p.ProofValue
		case "@context":
			p.Context = m.Raw()
		case "domain":
			p.Domain = m.Raw()
		case "previousProof":
			p.PreviousProof = m.Raw()
		}
		if to == nil {
			continue
		}
		var ok bool
		if *to, ok = m.Text(); !ok {
			return p, malformed
		}
	}
	return p, nil
}

// hash is the hash for a proof as it was received, VC-DI-EDDSA §3.2 and §3.3.
func (v *verification) hash(raw jsonld.Value, p Proof) ([]byte, error) {
	if v.doc.Root().Member("@context").IsZero() {
		return nil, &Failure{Code: Malformed, Reason: "The document has no @context."}
	}
	options := v.doc.At(raw)
	options.Cut("proofValue")
	doc := v.doc
	var config []byte
	var err error
	if p.Cryptosuite == EdDSAJCS {
		if context := raw.Member("@context"); !context.IsZero() {
			if !startsWith(doc.Root().Member("@context"), context) {
				return nil, &Failure{Code: Mismatch, Reason: "The document's @context does not begin with the proof's."}
			}
			doc = doc.WithContext(context)
		}
		config, err = options.JCS()
	} else {
		options.Cut("@context") // the document's takes its place
		config, err = options.In(doc).Canonize()
	}
	if err != nil {
		return nil, fmt.Errorf("proof options: %w", err)
	}
	sum, err := v.whole(doc, p)
	if err != nil {
		return nil, err
	}
	hash := make([]byte, 0, 2*sha256.Size)
	first := sha256.Sum256(config)
	return append(append(hash, first[:]...), sum[:]...), nil
}

// whole is the hash of the canonical document for a suite and, with JCS, the
// @context that the proof has it in.
func (v *verification) whole(doc *jsonld.Document, p Proof) ([sha256.Size]byte, error) {
	key := p.Cryptosuite
	if key == EdDSAJCS {
		key += string(p.Context)
	}
	w, ok := v.wholes[key]
	if !ok && len(v.wholes) == maxWholes {
		return w.hash, &Failure{Code: Malformed, Reason: "The proofs of this document are over too many forms of it."}
	}
	if !ok {
		var canonical []byte
		if p.Cryptosuite == EdDSAJCS {
			canonical, w.err = doc.JCS()
		} else {
			canonical, w.err = doc.Canonize()
		}
		w.hash = sha256.Sum256(canonical)
		v.wholes[key] = w
	}
	return w.hash, w.err
}

// startsWith reports whether the entries of one @context begin with another's.
func startsWith(document, proof jsonld.Value) bool {
	if document.IsArray() && document.Len() < proof.Len() {
		return false
	}
	next, stop := iter.Pull2(document.Elements())
	defer stop()
	for _, p := range proof.Elements() {
		_, d, ok := next()
		if !ok {
			return false
		}
		a, err1 := d.JCS()
		b, err2 := p.JCS()
		if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
			return false
		}
	}
	return true
}
