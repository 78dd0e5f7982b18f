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
	"time"

	"github.com/gowebpki/jcs"
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

// hashes are the 64 bytes that a suite signs, VC-DI-EDDSA §3.2 and §3.3.
func hashes(document, proof []byte, suite string, context json.RawMessage) ([]byte, error) {
	var config, doc []byte
	var err error
	switch suite {
	case EdDSARDFC:
		if proof, err = withContext(proof, context); err != nil {
			return nil, err
		}
		if config, err = jsonld.Canonize(proof); err != nil {
			return nil, fmt.Errorf("proof options: %w", err)
		}
		doc, err = jsonld.Canonize(document)
	case EdDSAJCS:
		if config, err = jcs.Transform(proof); err != nil {
			return nil, fmt.Errorf("proof options: %w", err)
		}
		doc, err = jcs.Transform(document)
	default:
		return nil, &Failure{Code: UnknownSuite, Reason: fmt.Sprintf("The cryptosuite %q is not one this can check.", suite)}
	}
	if err != nil {
		return nil, err
	}
	a, b := sha256.Sum256(config), sha256.Sum256(doc)
	return append(a[:], b[:]...), nil
}

// withContext puts the document's context on proof options.
func withContext(proof []byte, context json.RawMessage) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(proof, &members); err != nil {
		return nil, err
	}
	members["@context"] = context
	return json.Marshal(members)
}

func contextOf(document []byte) (json.RawMessage, error) {
	var head struct {
		Context json.RawMessage `json:"@context"`
	}
	if err := json.Unmarshal(document, &head); err != nil {
		return nil, &Failure{Code: Malformed, Reason: "This is not a JSON object: " + err.Error() + "."}
	}
	if head.Context == nil {
		return nil, &Failure{Code: Malformed, Reason: "The document has no @context."}
	}
	return head.Context, nil
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
	dec := json.NewDecoder(bytes.NewReader(document))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, &Failure{Code: Malformed, Reason: "This is not a JSON object."}
	}
	out := []byte{'{'}
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, nil, &Failure{Code: Malformed, Reason: "This is not JSON.", Err: err}
		}
		name := t.(string)
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, nil, &Failure{Code: Malformed, Reason: "This is not JSON.", Err: err}
		}
		if seen[name] {
			return nil, nil, &Failure{Code: Malformed, Reason: fmt.Sprintf("The member %q stands in the document twice.", name)}
		}
		seen[name] = true
		if name == "proof" {
			if proofs, err = asList(value); err != nil {
				return nil, nil, err
			}
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		key, err := json.Marshal(name)
		if err != nil {
			return nil, nil, err
		}
		out = append(append(append(out, key...), ':'), value...)
	}
	if _, err := dec.Token(); err != nil {
		return nil, nil, &Failure{Code: Malformed, Reason: "This is not JSON.", Err: err}
	}
	return append(out, '}'), proofs, nil
}

func asList(raw json.RawMessage) ([]json.RawMessage, error) {
	if raw[0] != '[' {
		return []json.RawMessage{raw}, nil
	}
	var all []json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, &Failure{Code: Malformed, Reason: "The proof is neither an object nor a list.", Err: err}
	}
	return all, nil
}

// Resolver gives the public key of a verification method, with its controller,
// if it is listed for the purpose. A *Failure says why not.
type Resolver func(method, purpose string) (Key, error)

// Key is a public key that a controller has listed.
type Key struct {
	Controller string
	Ed25519    ed25519.PublicKey
}

// Checked is the outcome of one proof.
type Checked struct {
	Proof Proof
	Key   Key   // of the method, where it could be had
	Err   error // nil: the proof holds; usually a *Failure
}

// Verify checks every proof of a document on its own.
func Verify(document []byte, keys Resolver, now time.Time) ([]Checked, error) {
	unsecured, raw, err := Split(document)
	if err != nil {
		return nil, err
	}
	all := make([]Checked, len(raw))
	for i, p := range raw {
		all[i] = verifyOne(unsecured, p, keys, now)
	}
	return all, nil
}

func verifyOne(unsecured []byte, raw json.RawMessage, keys Resolver, now time.Time) Checked {
	var c Checked
	if err := json.Unmarshal(raw, &c.Proof); err != nil {
		c.Err = &Failure{Code: Malformed, Reason: "The proof is not an object of text members.", Err: err}
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
		if at, err := time.Parse(time.RFC3339, p.Expires); err != nil || now.After(at) {
			c.Err = &Failure{Code: Expired, Reason: "The proof has expired, or its expiry cannot be read."}
			return c
		}
	}
	signature, err := decode(p.ProofValue, ed25519.SignatureSize)
	if err != nil {
		c.Err = &Failure{Code: Malformed, Reason: "The proof value is not an Ed25519 signature in base58.", Err: err}
		return c
	}
	if c.Key, c.Err = keys(p.VerificationMethod, p.ProofPurpose); c.Err != nil {
		return c
	}
	hash, err := proofHash(unsecured, raw, p)
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

// proofHash is the hash for a proof as it was received.
func proofHash(unsecured []byte, raw json.RawMessage, p Proof) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	delete(members, "proofValue")
	options, err := json.Marshal(members)
	if err != nil {
		return nil, err
	}
	context, err := contextOf(unsecured)
	if err != nil {
		return nil, err
	}
	if p.Cryptosuite == EdDSAJCS && p.Context != nil {
		if !startsWith(context, p.Context) {
			return nil, &Failure{Code: Mismatch, Reason: "The document's @context does not begin with the proof's."}
		}
		if unsecured, err = replaceContext(unsecured, p.Context); err != nil {
			return nil, err
		}
	}
	return hashes(unsecured, options, p.Cryptosuite, context)
}

// startsWith reports whether the entries of one @context begin with another's.
func startsWith(document, proof json.RawMessage) bool {
	d, err1 := asList(document)
	p, err2 := asList(proof)
	if err1 != nil || err2 != nil || len(d) < len(p) {
		return false
	}
	for i := range p {
		a, err1 := jcs.Transform(wrap(d[i]))
		b, err2 := jcs.Transform(wrap(p[i]))
		if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
			return false
		}
	}
	return true
}

func wrap(raw json.RawMessage) []byte { return append(append([]byte{'['}, raw...), ']') }

func replaceContext(document []byte, context json.RawMessage) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(document, &members); err != nil {
		return nil, err
	}
	members["@context"] = context
	return json.Marshal(members)
}
