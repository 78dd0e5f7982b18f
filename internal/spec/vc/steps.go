package vc

import (
	"crypto"
	"encoding/hex"

	"github.com/testamur/testamur/internal/spec/jsonld"
)

// Steps are the values on the way to a signature, for somebody whose own program
// comes to another one.
type Steps struct {
	Options      string // canonical proof options: N-Quads, or JSON for the JCS suites
	Document     string // the canonical document, likewise
	OptionsHash  string // hexadecimal
	DocumentHash string // hexadecimal
	Signed       string // the bytes that are signed, in hexadecimal
}

func stepsOf(config, whole []byte, h crypto.Hash) Steps {
	a, b := sum(h, config), sum(h, whole)
	return Steps{Options: string(config), Document: string(whole), OptionsHash: hex.EncodeToString(a), DocumentHash: hex.EncodeToString(b),
		Signed: hex.EncodeToString(append(a, b...))}
}

// StepsOf are the values on the way of PrepareWith.
func StepsOf(document []byte, o Options) (Steps, error) {
	doc, err := o.open(document)
	if err != nil {
		return Steps{}, err
	}
	_, config, whole, h, err := o.forms(doc)
	if err != nil {
		return Steps{}, err
	}
	return stepsOf(config, whole, h), nil
}

// StepsOfProofs are the values that each proof of a signed document leads to,
// with the hash that goes with its key: SHA-384 for P-384, else SHA-256. A
// did:key tells its hash itself. Selective disclosure has none of these values.
func StepsOfProofs(document []byte, h crypto.Hash, contexts map[string][]byte) ([]Steps, error) {
	doc, err := openDocument(document, contexts)
	if err != nil {
		return nil, err
	}
	v := verification{Verifier: Verifier{Contexts: contexts}, doc: doc, proofs: doc.Cut("proof")}
	var all []Steps
	for _, raw := range v.proofs.Elements() {
		s, err := v.steps(raw, h)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (v *verification) steps(raw jsonld.Value, h crypto.Hash) (Steps, error) {
	p, err := readProof(raw)
	if err != nil {
		return Steps{}, err
	}
	s, err := suiteOf(p.Type, p.Cryptosuite)
	if err == nil && s.selective {
		err = &Failure{Code: UnknownSuite, Reason: "A proof of selective disclosure signs each statement by itself; it has no one hash of the document."}
	}
	if err != nil {
		return Steps{}, err
	}
	if k, err := DIDKey(p.VerificationMethod); err == nil {
		if h, err = s.hashFor(k.Public); err != nil {
			return Steps{}, err
		}
	}
	doc, options, err := v.inputs(s, raw, p)
	if err != nil {
		return Steps{}, err
	}
	config, err := s.config(options, doc, h)
	if err != nil {
		return Steps{}, err
	}
	whole, err := s.whole(doc, h)
	return stepsOf(config, whole, h), err
}
