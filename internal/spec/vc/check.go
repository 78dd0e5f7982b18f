package vc

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/spec/jsonld"
)

// Resolver gives the public key of a verification method, with its controller,
// if it is listed for the purpose. A *Failure says why not.
type Resolver func(method, purpose string) (Key, error)

// Key is a public key that a controller has listed.
type Key struct {
	Controller string
	Public     crypto.PublicKey // ed25519.PublicKey, *ecdsa.PublicKey or *rsa.PublicKey
	Expires    *time.Time       // what it signed is not relied on any more after it, CID 1.0 §2.2
	Revoked    *time.Time       // what it signed from then on does not hold, CID 1.0 §2.2
}

// holds reports why the key is not good for a proof created when it says.
func (k Key) holds(created string, now time.Time) error {
	if k.Expires != nil && now.After(*k.Expires) {
		return &Failure{Code: WrongKey, Reason: "The key expired on " + k.Expires.UTC().Format(time.RFC3339) + "."}
	}
	if k.Revoked == nil || now.Before(*k.Revoked) {
		return nil
	}
	if at, err := Instant(created); err == nil && at.Before(*k.Revoked) {
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

// Verifier checks proofs.
type Verifier struct {
	Keys Resolver
	// IssuerKeys gives all keys that an issuer lists for a purpose, for JWTs that
	// bring their key; nil: such JWTs are not verified.
	IssuerKeys func(issuer, purpose string) ([]Key, error)
	Now        time.Time
	Purpose    string            // that proofs must have; empty: assertionMethod
	Domain     []string          // that proofs must be made for, all of them; nil: not looked at
	Challenge  string            // that proofs must answer; empty: not looked at
	Contexts   map[string][]byte // pinned by the operator, see jsonld.Options
}

// The limits of what is checked.
const (
	// maxProofs is how many proofs of one document are checked; a set or chain
	// has a handful.
	maxProofs = 32
	// maxWholes is how many canonical forms are made of it for them: each suite
	// has one, those with JCS one for each part of the @context, a chain one for
	// each link.
	maxWholes = 8
	// skew is how far ahead another's clock may be.
	skew = 10 * time.Minute
)

// Verify checks every assertion of a document on its own.
func Verify(document []byte, keys Resolver, now time.Time) ([]Checked, error) {
	return Verifier{Keys: keys, Now: now}.Verify(document)
}

// Verify checks every proof of a document. One that confirms previous proofs
// holds only if those do. The error is of the document as a whole, a *Failure.
func (v Verifier) Verify(document []byte) ([]Checked, error) {
	doc, err := openDocument(document, v.Contexts)
	if err != nil {
		return nil, err
	}
	defer doc.Close()
	return v.VerifyOpen(doc)
}

// VerifyOpen is Verify for a document that is open already, alone or as a part
// of another: doc.At of an embedded credential. It cuts the proofs off the
// document, so a record is verified before the credentials that it embeds.
func (v Verifier) VerifyOpen(doc *jsonld.Document) ([]Checked, error) {
	if !doc.Root().IsObject() {
		return nil, &Failure{Code: Malformed, Reason: "This is not a JSON object."}
	}
	w := verification{Verifier: v, doc: doc, proofs: doc.Cut("proof"), wholes: map[string]whole{}}
	if w.proofs.IsArray() && w.proofs.Len() > maxProofs {
		return nil, &Failure{Code: Malformed, Reason: fmt.Sprintf("The document carries %d proofs; at most %d are checked.", w.proofs.Len(), maxProofs)}
	}
	var all []Checked
	for _, p := range w.proofs.Elements() {
		all = append(all, w.proof(p))
	}
	breakChains(all)
	return all, nil
}

// VerifyValue is VerifyOpen for a value that was read already, alone or within
// another document.
func (v Verifier) VerifyValue(value jsonld.Value) ([]Checked, error) {
	return v.VerifyOpen(value.Document(readAs(v.Contexts)))
}

// Domains are those that a proof was made for.
func (p Proof) Domains() []string {
	all, _ := texts(p.Domain)
	return all
}

// verification is one document whose proofs are checked.
type verification struct {
	Verifier
	doc    *jsonld.Document // without its proofs
	proofs jsonld.Value
	wholes map[string]whole // of the document: proofs share it
}

// whole is the hash of the canonical document, or why there is none.
type whole struct {
	hash []byte
	err  error
}

// proof checks one proof.
func (v *verification) proof(raw jsonld.Value) Checked {
	var c Checked
	if c.Proof, c.Err = readProof(raw); c.Err != nil {
		return c
	}
	s, err := suiteOf(c.Proof.Type, c.Proof.Cryptosuite)
	if err != nil {
		c.Err = err
		return c
	}
	if c.Err = v.expected(c.Proof); c.Err != nil {
		return c
	}
	if c.Key, c.Err = v.Keys(c.Proof.VerificationMethod, c.Proof.ProofPurpose); c.Err != nil {
		return c
	}
	if c.Err = c.Key.holds(c.Proof.Created, v.Now); c.Err != nil {
		return c
	}
	c.Err = v.signed(s, raw, c.Proof, c.Key.Public)
	return c
}

// signed checks the signature of a proof.
func (v *verification) signed(s suite, raw jsonld.Value, p Proof, k crypto.PublicKey) error {
	h, err := s.hashFor(k)
	if err != nil {
		return err
	}
	if s.selective {
		return v.derived(raw, p, k)
	}
	signature, err := decodeBase58(p.ProofValue, signatureSize(k))
	if err != nil || len(signature) != signatureSize(k) {
		return &Failure{Code: Malformed, Reason: "The proof value is not a signature of this suite in base58.", Err: err}
	}
	hash, err := v.hash(s, h, raw, p)
	if err != nil {
		return asMismatch(err)
	}
	if !Signed(k, hash, signature) {
		return mismatch()
	}
	return nil
}

func mismatch() error {
	return &Failure{Code: Mismatch, Reason: "The signature does not fit: the document was changed after it was signed, or another key signed it."}
}

// expected reports in what a proof is not the one that is wanted: VC-DI 1.0
// §4.3.
func (v Verifier) expected(p Proof) error {
	want := v.Purpose
	if want == "" {
		want = AssertionMethod
	}
	if p.ProofPurpose != want {
		return &Failure{Code: WrongKey, Reason: fmt.Sprintf("The proof is for %q, not for %q.", p.ProofPurpose, want)}
	}
	if err := p.times(v.Now); err != nil {
		return err
	}
	if v.Domain != nil {
		got, ok := texts(p.Domain)
		if !ok || !sameSet(got, v.Domain) {
			return &Failure{Code: WrongDomain, Reason: fmt.Sprintf("The proof was not made for %s.", strings.Join(v.Domain, ", "))}
		}
	}
	if v.Challenge != "" && p.Challenge != v.Challenge {
		return &Failure{Code: WrongNonce, Reason: "The proof does not answer the challenge that was given."}
	}
	return nil
}

// times reports what is wrong with the instants of a proof.
func (p Proof) times(now time.Time) error {
	var created, expires time.Time
	var err error
	if p.Created != "" {
		if created, err = Instant(p.Created); err != nil {
			return &Failure{Code: Malformed, Reason: "The proof does not say in a readable way when it was created.", Err: err}
		}
		if created.After(now.Add(skew)) {
			return &Failure{Code: NotYet, Reason: "The proof says that it was created in the future, on " + p.Created + "."}
		}
	}
	if p.Expires == "" {
		return nil
	}
	if expires, err = Instant(p.Expires); err != nil {
		return &Failure{Code: Malformed, Reason: "The expiry of the proof cannot be read.", Err: err}
	}
	if now.After(expires) {
		return &Failure{Code: Expired, Reason: "The proof expired on " + p.Expires + "."}
	}
	if expires.Before(created) {
		return &Failure{Code: Malformed, Reason: "The proof expires before it was created."}
	}
	return nil
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

// hash is the hash for a proof as it was received.
func (v *verification) hash(s suite, h crypto.Hash, raw jsonld.Value, p Proof) ([]byte, error) {
	doc, options, err := v.inputs(s, raw, p)
	if err != nil {
		return nil, err
	}
	config, err := s.digest(options, doc, h)
	if err != nil {
		return nil, err
	}
	w, err := v.whole(doc, s, h, p)
	return append(config, w...), err
}

// inputs are what a proof as it was received is made over: the document with the
// proofs that it confirms, and the proof's options.
func (v *verification) inputs(s suite, raw jsonld.Value, p Proof) (doc, options *jsonld.Document, err error) {
	doc = v.doc
	if doc.Root().Member("@context").IsZero() {
		return nil, nil, noContext()
	}
	ids, err := p.previous()
	if err != nil {
		return nil, nil, err
	}
	context := raw.Member("@context")
	options = v.doc.At(raw)
	options.Cut("proofValue")
	if !s.jcs {
		options.Cut("@context") // the document's takes its place
		context = jsonld.Value{}
	}
	if !context.IsZero() && !startsWith(doc.Root().Member("@context"), context) {
		return nil, nil, &Failure{Code: Mismatch, Reason: "The document's @context does not begin with the proof's."}
	}
	if len(ids) > 0 {
		doc, err = withPrevious(doc, v.proofs, ids, context.Raw(), v.Contexts)
		return doc, options, err
	}
	if !context.IsZero() {
		doc = doc.WithContext(context)
	}
	return doc, options, nil
}

// whole is the hash of the canonical document for a suite.
func (v *verification) whole(doc *jsonld.Document, s suite, h crypto.Hash, p Proof) ([]byte, error) {
	key := h.String() + string(p.PreviousProof)
	if s.jcs {
		key += "JCS" + string(p.Context)
	}
	w, ok := v.wholes[key]
	if !ok && len(v.wholes) == maxWholes {
		return nil, &Failure{Code: Malformed, Reason: "The proofs of this document are over too many forms of it."}
	}
	if !ok {
		w.hash, w.err = s.digestWhole(doc, h)
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

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}
