package sharing

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/vc"
)

// The parts of a credential that a learner may show or leave out. What was
// achieved, by whom it was issued, its dates and its status are always shown:
// without them the rest says nothing.
const (
	PartName      = "name"
	PartResults   = "results"
	PartEvidence  = "evidence"
	PartNarrative = "narrative"
	PartCredits   = "credits"
	PartTerm      = "term"
	PartRole      = "role"
	PartLicense   = "license"
	PartActivity  = "activity"
)

// parts are the places of each part, as JSON pointers.
var parts = map[string][]string{
	PartName: {"/credentialSubject/identifier"}, PartResults: {"/credentialSubject/result"}, PartEvidence: {"/evidence"},
	PartNarrative: {"/credentialSubject/narrative"}, PartCredits: {"/credentialSubject/creditsEarned"}, PartTerm: {"/credentialSubject/term"},
	PartRole: {"/credentialSubject/role"}, PartLicense: {"/credentialSubject/licenseNumber"},
	PartActivity: {"/credentialSubject/activityStartDate", "/credentialSubject/activityEndDate"},
}

// always are the places that every derived credential shows, where they are.
var always = []string{"/id", "/type", "/name", "/issuer", "/validFrom", "/validUntil", "/awardedDate", "/credentialStatus", "/credentialSubject/id",
	"/credentialSubject/type", "/credentialSubject/achievement"}

// Parts are the names of all parts.
func Parts() []string { return slices.Sorted(maps.Keys(parts)) }

func checkParts(names []string) *fault.Error {
	for i, n := range names {
		if parts[n] == nil || slices.Contains(names[:i], n) {
			return fault.At("parts", "part-known", "%q is not a part of a credential, or is named twice.", n)
		}
	}
	return nil
}

// there are those of the places that a document has.
func there(document []byte, pointers []string) ([]string, error) {
	v, err := jsonld.Read(document)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, p := range pointers {
		at, ok := v, true
		for _, step := range splitPointer(p) {
			if !at.IsObject() {
				ok = false // a list of subjects, which badges of ours do not have
				break
			}
			at = at.Member(step)
		}
		if ok && !at.IsZero() {
			found = append(found, p)
		}
	}
	return found, nil
}

func splitPointer(p string) (steps []string) {
	for i := 1; i < len(p); {
		end := i
		for end < len(p) && p[end] != '/' {
			end++
		}
		steps = append(steps, p[i:end])
		i = end + 1
	}
	return steps
}

// pointersOf are the places of chosen parts; nil names are all of them.
func pointersOf(document []byte, names []string) ([]string, error) {
	if names == nil {
		return []string{""}, nil
	}
	var all []string
	for _, n := range names {
		all = append(all, parts[n]...)
	}
	return there(document, all)
}

// hasBase reports whether a credential carries a base proof of selective
// disclosure, which is for its holder alone and must not be shown.
func hasBase(document []byte) bool {
	_, proofs, err := vc.Split(document)
	return err == nil && slices.ContainsFunc(proofs, func(p json.RawMessage) bool {
		var one vc.Proof
		return json.Unmarshal(p, &one) == nil && one.Cryptosuite == vc.ECDSASD
	})
}

// sealer signs for an institution what a share shows.
type sealer struct {
	s      *Service
	ctx    context.Context
	system access.Actor
	did    string
	now    time.Time
}

// key is the active key of an algorithm, with the options of a proof by it.
func (z sealer) key(algorithm string) (keyring.Key, vc.Options, error) {
	k, err := z.s.Keys.EnsureOf(z.ctx, z.system, algorithm)
	if err != nil {
		return k, vc.Options{}, err
	}
	public, err := vc.ParseMultikey(k.PublicKeyMultibase)
	return k, vc.Options{Key: public, VerificationMethod: keyring.Method(z.did, k.ID), Created: z.now}, err
}

func (z sealer) sign(key string, hash []byte) ([]byte, error) {
	all, err := z.s.Keys.Sign(z.ctx, z.system, key, hash)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// part is a credential that shows only the chosen parts, with a derived proof
// that holds for just those. A credential without a base proof gets one for this
// occasion, by the issuer, over what was signed before; it is used once and not
// kept.
func (z sealer) part(document []byte, names []string) ([]byte, error) {
	base, theirs := document, hasBase(document)
	if !theirs {
		unsigned, _, err := vc.Split(document)
		if err != nil {
			return nil, err
		}
		if base, err = z.base(unsigned); err != nil {
			return nil, err
		}
	}
	pointers, err := pointersOf(base, names)
	if err != nil {
		return nil, err
	}
	derived, err := vc.Derive(base, pointers, nil)
	if err != nil {
		return nil, fmt.Errorf("derive: %w", err)
	}
	if theirs { // whose key may be another's
		return derived, nil
	}
	return derived, z.prove(derived, "", nil)
}

func (z sealer) base(unsigned []byte) ([]byte, error) {
	key, o, err := z.key(keyring.P256)
	if err != nil {
		return nil, err
	}
	mandatory, err := there(unsigned, always)
	if err != nil {
		return nil, err
	}
	once, err := vc.NewOneTime(rand.Reader)
	if err != nil {
		return nil, err
	}
	d, err := vc.PrepareSelective(unsigned, o, mandatory, once)
	if err != nil {
		return nil, err
	}
	signature, err := z.sign(key.ID, d.Hash)
	if err != nil {
		return nil, err
	}
	p, err := d.Attach(signature)
	if err != nil {
		return nil, err
	}
	return vc.SecureOne(unsigned, p)
}

// presentation is credentials together, signed for one audience and until one
// instant; without an audience it is for whoever has the link.
func (z sealer) presentation(id ID, documents [][]byte, audience string, until time.Time) ([]byte, error) {
	key, o, err := z.key(keyring.Ed25519)
	if err != nil {
		return nil, err
	}
	all := make([]json.RawMessage, len(documents))
	for i, d := range documents {
		all[i] = d
	}
	unsigned, err := marshal(struct {
		Context     []string          `json:"@context"`
		Type        []string          `json:"type"`
		Holder      string            `json:"holder"`
		Credentials []json.RawMessage `json:"verifiableCredential"`
	}{[]string{"https://www.w3.org/ns/credentials/v2"}, []string{"VerifiablePresentation"}, z.did, all})
	if err != nil {
		return nil, err
	}
	o.Suite, o.Purpose, o.Expires = vc.EdDSARDFC, vc.Authentication, until
	if audience != "" {
		o.Domain, o.Challenge = []string{audience}, string(id)
	}
	d, err := vc.PrepareWith(unsigned, o)
	if err != nil {
		return nil, fmt.Errorf("present: %w", err)
	}
	signature, err := z.sign(key.ID, d.Hash)
	if err != nil {
		return nil, err
	}
	signed, err := vc.SecureOne(unsigned, d.Attach(signature))
	if err != nil {
		return nil, err
	}
	return signed, z.prove(signed, vc.Authentication, o.Domain)
}

// prove verifies what was just signed: a signer that erred is found out before
// anybody relies on it.
func (z sealer) prove(signed []byte, purpose string, domain []string) error {
	keys, err := z.s.Keys.List(z.ctx, z.system)
	if err != nil {
		return err
	}
	all, err := vc.Verifier{Keys: keyring.Resolver(z.did, keys), Now: z.now, Purpose: purpose, Domain: domain}.Verify(signed)
	if err != nil || len(all) == 0 {
		return errors.Join(err, errors.New("what was signed carries no proof"))
	}
	return all[0].Err
}

// marshal is JSON whose embedded documents keep their bytes.
func marshal(v any) ([]byte, error) {
	var b buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return b[:len(b)-1], nil
}

type buffer []byte

// Write appends.
func (b *buffer) Write(p []byte) (int, error) { *b = append(*b, p...); return len(p), nil }
