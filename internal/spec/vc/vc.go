// Package vc is the security layer of verifiable credentials: Data Integrity
// proofs, Multikey, did:key, did:web and controller documents.
//
// It is pure: bytes and values in, bytes and values out; keys are resolved by a
// function that is passed in, time and randomness are arguments. Private keys
// stay outside: what is to be signed is handed out and the signature taken back.
// A proof is put into the document as text, so what was signed keeps its bytes.
// Sources: VC Data Integrity 1.0, EdDSA and ECDSA Cryptosuites 1.0, Controlled
// Identifiers 1.0, VC-JOSE-COSE 1.0.
package vc

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"
	"unsafe"

	"github.com/mr-tron/base58"

	"github.com/testamur/testamur/internal/spec/jsonld"
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

// Options are the choices of a proof.
type Options struct {
	Suite              string
	Key                crypto.PublicKey // that will sign; its curve chooses the hash. Nil: Ed25519
	VerificationMethod string
	Purpose            string    // empty: assertionMethod
	Created, Expires   time.Time // zero: left out
	ID                 string
	Domain             []string
	Challenge, Nonce   string
	PreviousProof      []string          // ids of proofs of the document that this one confirms
	Contexts           map[string][]byte // pinned by the operator, see jsonld.Options
}

// Draft is a document that was canonicalized and waits for its signature.
type Draft struct {
	proof Proof
	Hash  []byte // what is signed: the hash of the proof options, then that of the document
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
	all, err := PrepareAll(string(document), []string{suite}, verificationMethod, created)
	if err != nil {
		return Draft{}, err
	}
	return all[0], nil
}

// PrepareAll canonicalizes an unsigned document for proofs of several suites by
// one Ed25519 key, reading it once. Parts are the credentials that stand in the
// document, in their order; their kept forms spare work and change nothing.
func PrepareAll(document string, suites []string, verificationMethod string, created time.Time, parts ...Part) ([]Draft, error) {
	doc, err := jsonld.OpenText(document, readAs(nil), parts...)
	if err != nil {
		return nil, err
	}
	defer doc.Close()
	drafts := make([]Draft, 0, len(suites))
	for _, suite := range suites {
		d, err := prepare(doc, Options{Suite: suite, VerificationMethod: verificationMethod, Created: created})
		if err != nil {
			return nil, err
		}
		drafts = append(drafts, d)
	}
	return drafts, nil
}

// PrepareWith canonicalizes a document for one proof by one key. The document
// may have proofs: they are not signed, but for those named as previous.
func PrepareWith(document []byte, o Options) (Draft, error) {
	doc, err := o.open(document)
	if err != nil {
		return Draft{}, err
	}
	return prepare(doc, o)
}

// open reads a document without its proofs, but for those to be confirmed.
func (o Options) open(document []byte) (*jsonld.Document, error) {
	doc, err := openDocument(document, o.Contexts)
	if err != nil {
		return nil, err
	}
	proofs := doc.Cut("proof")
	if len(o.PreviousProof) == 0 {
		return doc, nil
	}
	return withPrevious(doc, proofs, o.PreviousProof, nil, o.Contexts)
}

// prepare canonicalizes a document for one proof.
func prepare(doc *jsonld.Document, o Options) (Draft, error) {
	p, options, s, h, err := o.begin(doc)
	if err != nil {
		return Draft{}, err
	}
	defer options.Close()
	hash, err := s.digest(options, doc, h)
	if err != nil {
		return Draft{}, err
	}
	whole, err := s.digestWhole(doc, h)
	return Draft{proof: p, Hash: append(hash, whole...)}, err
}

// begin is the proof without its value, read as options of a document, with the
// suite and the hash that goes with the key.
func (o Options) begin(doc *jsonld.Document) (p Proof, options *jsonld.Document, s suite, h crypto.Hash, err error) {
	context := doc.Root().Member("@context")
	if context.IsZero() {
		return p, nil, s, 0, noContext()
	}
	s, h, err = o.suite()
	if err == nil && s.selective {
		err = &Failure{Code: UnknownSuite, Reason: "A document is prepared for selective disclosure by PrepareSelective."}
	}
	if err != nil {
		return p, nil, s, 0, err
	}
	p = o.proof()
	if s.jcs {
		p.Context = context.Raw()
	}
	options, err = jsonld.Open(p.appendJSON(make([]byte, 0, 400+len(p.Context))), readAs(o.Contexts))
	return p, options, s, h, err
}

// forms are the proof without its value, what it is made over in canonical form,
// and the hash that goes with the key.
func (o Options) forms(doc *jsonld.Document) (p Proof, config, whole []byte, h crypto.Hash, err error) {
	p, options, s, h, err := o.begin(doc)
	if err != nil {
		return p, nil, nil, 0, err
	}
	defer options.Close()
	if config, err = s.config(options, doc, h); err == nil {
		whole, err = s.whole(doc, h)
	}
	return p, config, whole, h, err
}

func (o Options) suite() (suite, crypto.Hash, error) {
	if o.Key == nil {
		o.Key = ed25519.PublicKey(nil)
	}
	s, err := suiteOf("DataIntegrityProof", o.Suite)
	if err != nil {
		return s, 0, err
	}
	h, err := s.hashFor(o.Key)
	return s, h, err
}

// proof is the proof without its value.
func (o Options) proof() Proof {
	p := Proof{ID: o.ID, Type: "DataIntegrityProof", Cryptosuite: o.Suite, Created: stamp(o.Created), Expires: stamp(o.Expires),
		VerificationMethod: o.VerificationMethod, ProofPurpose: o.Purpose, Domain: oneOrMore(o.Domain), Challenge: o.Challenge,
		Nonce: o.Nonce, PreviousProof: oneOrMore(o.PreviousProof)}
	if p.ProofPurpose == "" {
		p.ProofPurpose = AssertionMethod
	}
	return p
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// oneOrMore is JSON of one text alone, or of several in a list.
func oneOrMore(all []string) json.RawMessage {
	var v any = all
	switch len(all) {
	case 0:
		return nil
	case 1:
		v = all[0]
	}
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // text
	}
	return raw
}

// Attach is the proof with the signature over the draft's hash.
func (d Draft) Attach(signature []byte) Proof {
	p := d.proof
	p.ProofValue = "z" + base58.Encode(signature)
	return p
}

// Secure is the document with the proofs as its last member, its own bytes
// unchanged. A document that has proofs already gets one more by Add.
func Secure(document []byte, proofs ...Proof) ([]byte, error) {
	return insert(document, "proof", list(proofs))
}

// SecureText is Secure of a document that is text.
func SecureText(document string, proofs ...Proof) (string, error) {
	out, err := insert(unsafe.Slice(unsafe.StringData(document), len(document)), "proof", list(proofs))
	return unsafe.String(unsafe.SliceData(out), len(out)), err // insert only reads the one and forgets the other
}

// list is proofs as a document has them.
func list(proofs []Proof) []byte {
	raw := append(make([]byte, 0, 400*len(proofs)+2), '[')
	for i, p := range proofs {
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = p.appendJSON(raw)
	}
	return append(raw, ']')
}

// appendJSON writes the proof as encoding/json would, without the detour.
func (p Proof) appendJSON(b []byte) []byte {
	open := byte('{')
	member := func(name string) {
		b = append(append(append(b, open, '"'), name...), '"', ':')
		open = ','
	}
	raw := func(name string, value json.RawMessage) {
		if len(value) > 0 {
			member(name)
			b = append(b, value...)
		}
	}
	text := func(name, value string) {
		if value != "" {
			member(name)
			b = jsonld.AppendText(b, value)
		}
	}
	raw("@context", p.Context)
	text("id", p.ID)
	member("type")
	b = jsonld.AppendText(b, p.Type)
	text("cryptosuite", p.Cryptosuite)
	text("created", p.Created)
	text("expires", p.Expires)
	member("verificationMethod")
	b = jsonld.AppendText(b, p.VerificationMethod)
	member("proofPurpose")
	b = jsonld.AppendText(b, p.ProofPurpose)
	raw("domain", p.Domain)
	text("challenge", p.Challenge)
	text("nonce", p.Nonce)
	raw("previousProof", p.PreviousProof)
	text("proofValue", p.ProofValue)
	return append(b, '}')
}

// Add is the document with one more proof after those it has.
func Add(document []byte, p Proof) ([]byte, error) {
	unsecured, proofs, err := Split(document)
	if err != nil {
		return nil, err
	}
	one, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(append(proofs, one))
	if err != nil {
		return nil, err
	}
	return insert(unsecured, "proof", raw)
}

// insert puts a member last into an object.
func insert(object []byte, name string, value []byte) ([]byte, error) {
	end := bytes.LastIndexByte(object, '}')
	if end < 0 {
		return nil, errors.New("a document is a JSON object")
	}
	out := make([]byte, 0, len(object)+len(value)+len(name)+4)
	out = append(out, object[:end]...)
	if !bytes.HasSuffix(bytes.TrimRight(out, " \t\r\n"), []byte{'{'}) {
		out = append(out, ',')
	}
	out = append(append(append(out, '"'), name...), `":`...)
	out = append(out, value...)
	return append(out, object[end:]...), nil
}

// The ways a proof fails.
const (
	Malformed    = "malformed"     // not a document or proof at all
	UnknownSuite = "unknown-suite" // a kind of proof this cannot check
	NoKey        = "no-key"        // the key could not be had
	MissingKey   = "missing-key"   // the issuer's key document does not have the key
	WrongKey     = "wrong-key"     // the key is not for this purpose or issuer
	Mismatch     = "mismatch"      // the signature is not of this document by this key
	Expired      = "expired"       // the proof's own expiry has passed
	NotYet       = "not-yet"       // the proof was made in the future
	WrongDomain  = "wrong-domain"  // the proof was made for another verifier
	WrongNonce   = "wrong-nonce"   // the proof does not answer the challenge
	BrokenChain  = "broken-chain"  // a proof that it confirms is not there or does not hold
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
	doc, err := openDocument(document, nil)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range doc.Cut("proof").Elements() {
		proofs = append(proofs, p.Raw())
	}
	return Rewrite(doc.Root(), nil), proofs, nil
}

// Rewrite is an object with other values for some of its members, which come
// last, and without those whose value is nil; the other members in their order.
func Rewrite(object jsonld.Value, values map[string]json.RawMessage) []byte {
	out := []byte{'{'}
	member := func(name string, value json.RawMessage) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, oneOrMore([]string{name})...), ':'), value...)
	}
	for name, v := range object.Members() {
		if _, other := values[name]; !other {
			member(name, v.Raw())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if values[name] != nil {
			member(name, values[name])
		}
	}
	return append(out, '}')
}

// openDocument reads a document that has proofs or is to have some.
func openDocument(document []byte, contexts map[string][]byte) (*jsonld.Document, error) {
	doc, err := jsonld.Open(document, readAs(contexts))
	if err != nil {
		return nil, &Failure{Code: Malformed, Reason: "This is not a document that can be read in one way only.", Err: err}
	}
	if !doc.Root().IsObject() {
		return nil, &Failure{Code: Malformed, Reason: "This is not a JSON object."}
	}
	return doc, nil
}

// readAs are the choices of reading. A base direction of text is signed as
// deployed verifiers have it.
func readAs(contexts map[string][]byte) jsonld.Options {
	return jsonld.Options{Contexts: contexts, Direction: jsonld.I18NDatatype}
}

func noContext() error {
	return &Failure{Code: Malformed, Reason: "The document has no @context."}
}
