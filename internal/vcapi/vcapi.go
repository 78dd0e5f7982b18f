// Package vcapi issues and verifies any verifiable credential for programs that
// speak the VC API of the W3C Credentials Community Group: interoperability
// suites, and other people's wallets and verifiers.
//
// It is apart from what a registrar issues. One institution, which the operator
// names for it, lends its keys; each issuer of an instance is the did:key of the
// key for its suite, sealed in the keyring as every other, or the institution's
// did:web. It signs whatever a
// permitted caller sends in good form, so it must never lend the keys of an
// institution whose word counts. Of what was issued
// nothing is kept but its place in a status list. Standards: VC
// API (VCALM), VCDM 2.0 and 1.1, VC Data Integrity 1.0, VC-JOSE-COSE 1.0.
package vcapi

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/spec/bitstring"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/shape"
	"github.com/testamur/testamur/internal/spec/vc"
	"github.com/testamur/testamur/internal/spec/vcdm"
	"github.com/testamur/testamur/internal/verify"
)

// Service issues with the keys of one institution, and verifies.
type Service struct {
	Now         func() time.Time
	Keys        *keyring.Service
	Credentials *credential.Service // whose status lists are used
	Verifier    *verify.Service
	Institution institution.ID // whose keys sign
	Open        bool           // anyone may issue: for tests on one machine
}

// Instance is one issuer: a suite, a kind of key and a form.
type Instance struct {
	Name      string
	Suite     string // empty: a JWT
	Algorithm string // of the keyring
	Status    bool   // places in status lists are put into each credential, one for each purpose
	Web       bool   // the institution signs as its did:web, not the key as its did:key
}

// purposes are those of the status lists that credentials are put into. VCDM 2.0
// §4.10 allows several entries; Open Badges allow one, and are not issued here.
var purposes = []string{bitstring.Revocation, bitstring.Suspension}

// Instances are the issuers, by the names that their addresses have: each key as
// its did:key, and, as web-NAME, the institution as its did:web.
var Instances = append(keyInstances, asWeb(keyInstances)...)

var keyInstances = []Instance{
	{Name: "eddsa-rdfc-2022", Suite: vc.EdDSARDFC, Algorithm: keyring.Ed25519},
	{Name: "eddsa-rdfc-2022-status", Suite: vc.EdDSARDFC, Algorithm: keyring.Ed25519, Status: true},
	{Name: "eddsa-jcs-2022", Suite: vc.EdDSAJCS, Algorithm: keyring.Ed25519},
	{Name: "ecdsa-rdfc-2019-p256", Suite: vc.ECDSARDFC, Algorithm: keyring.P256},
	{Name: "ecdsa-rdfc-2019-p384", Suite: vc.ECDSARDFC, Algorithm: keyring.P384},
	{Name: "ecdsa-jcs-2019-p256", Suite: vc.ECDSAJCS, Algorithm: keyring.P256},
	{Name: "ecdsa-jcs-2019-p384", Suite: vc.ECDSAJCS, Algorithm: keyring.P384},
	{Name: "ecdsa-sd-2023", Suite: vc.ECDSASD, Algorithm: keyring.P256},
	{Name: "vc-jose-cose-eddsa", Algorithm: keyring.Ed25519},
	{Name: "vc-jose-cose-p256", Algorithm: keyring.P256},
	{Name: "vc-jose-cose-p384", Algorithm: keyring.P384},
}

func asWeb(all []Instance) (web []Instance) {
	for _, i := range all {
		i.Name, i.Web = "web-"+i.Name, true
		web = append(web, i)
	}
	return web
}

// Find is the instance of a name. NotFound when there is none.
func Find(name string) (Instance, error) {
	i := slices.IndexFunc(Instances, func(i Instance) bool { return i.Name == name })
	if i < 0 {
		return Instance{}, fault.New(fault.NotFound, "There is no issuer %q here. There are: %s.", name, strings.Join(names(), ", "))
	}
	return Instances[i], nil
}

func names() (all []string) {
	for _, i := range Instances {
		all = append(all, i.Name)
	}
	return all
}

// Options are those of an issue request.
type Options struct {
	CredentialID      string   // put into a credential without an id
	MandatoryPointers []string // of ecdsa-sd-2023
	PreviousProof     []string // ids of proofs of the credential that this one confirms
	ProofID           string
}

// Problem is something wrong with what was sent, RFC 9457.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Field  string `json:"field,omitempty"`
	Rule   string `json:"rule,omitempty"`
	Clause string `json:"clause,omitempty"`
}

// The types of problems: VCDM 2.0 §7.1 and Bitstring Status List 1.0 §3.5.
const (
	vcdmProblem   = "https://www.w3.org/TR/vc-data-model#"
	statusProblem = "https://www.w3.org/ns/credentials/status-list#"

	Parsing       = vcdmProblem + "PARSING_ERROR"
	Cryptographic = vcdmProblem + "CRYPTOGRAPHIC_SECURITY_ERROR"
	Malformed     = vcdmProblem + "MALFORMED_VALUE_ERROR"
	OutOfRange    = vcdmProblem + "RANGE_ERROR"
)

// Refusal is what is wrong with what was to be issued or derived.
type Refusal struct{ Problems []Problem }

// Error is the first of the problems.
func (r *Refusal) Error() string { return r.Problems[0].Detail }

func refuse(typ, title, format string, args ...any) *Refusal {
	return &Refusal{[]Problem{{Type: typ, Title: title, Detail: fmt.Sprintf(format, args...)}}}
}

// Issue signs a credential by an instance: the signed credential, or an envelope
// with it as a JWT. A missing issuer is filled in; another's is refused. What is
// wrong with the credential is a *Refusal. Forbidden when the actor may not
// issue for the institution.
func (s *Service) Issue(ctx context.Context, who access.Actor, by Instance, credential []byte, o Options) ([]byte, error) {
	if err := s.mayIssue(who); err != nil {
		return nil, err
	}
	system := access.SystemOf(string(s.Institution), "vc-api")
	key, err := s.Keys.EnsureOf(ctx, system, by.Algorithm)
	if err != nil {
		return nil, err
	}
	public, err := vc.ParseMultikey(key.PublicKeyMultibase)
	if err != nil {
		return nil, err
	}
	did, method := vc.DIDKeyOf(public)
	keys := vc.Resolver(func(method, _ string) (vc.Key, error) { return vc.DIDKey(method) })
	if by.Web {
		if did, method, keys, err = s.asInstitution(ctx, system, key); err != nil {
			return nil, err
		}
	}
	document, err := s.complete(credential, by, did, o)
	if err == nil && by.Status {
		document, err = s.withStatus(ctx, system, document)
	}
	if err != nil {
		return nil, err
	}
	sign := func(message []byte) ([]byte, error) {
		signatures, err := s.Keys.Sign(ctx, system, key.ID, message)
		if err != nil {
			return nil, err
		}
		return signatures[0], nil
	}
	options := vc.Options{Suite: by.Suite, Key: public, VerificationMethod: method, Created: s.Now(), ID: o.ProofID, PreviousProof: o.PreviousProof, Contexts: s.Verifier.Contexts}
	var signed []byte
	switch by.Suite {
	case "":
		signed, err = asJWT(document, options, sign)
	case vc.ECDSASD:
		signed, err = inParts(document, options, o.MandatoryPointers, sign)
	default:
		signed, err = whole(document, options, sign)
	}
	if err != nil {
		return nil, asRefusal(err)
	}
	return signed, s.prove(signed, by, keys)
}

// asInstitution is the institution as an issuer: its did:web, the method of a
// key in its document, and the keys that it publishes.
func (s *Service) asInstitution(ctx context.Context, system access.Actor, key keyring.Key) (did, method string, keys vc.Resolver, err error) {
	in, err := s.Verifier.Institutions.Find(ctx, system)
	if err != nil {
		return "", "", nil, err
	}
	if did, err = in.DID(s.Verifier.Origin); err != nil {
		return "", "", nil, err
	}
	all, err := s.Keys.List(ctx, system)
	return did, keyring.Method(did, key.ID), keyring.Resolver(did, all), err
}

func (s *Service) mayIssue(who access.Actor) error {
	if s.Open {
		return nil
	}
	if who.InstitutionID != string(s.Institution) {
		return fault.New(fault.Forbidden, "Issuing by this address needs a bearer token of the institution that lends its keys to it.")
	}
	return access.Check(who, access.Issue)
}

// complete puts into a credential what the caller may leave to the issuer, and
// refuses one that is not in form.
func (s *Service) complete(credential []byte, by Instance, did string, o Options) ([]byte, error) {
	v, err := jsonld.Read(credential)
	if err != nil {
		return nil, asRefusal(err)
	}
	if !v.IsObject() {
		return nil, refuse(Parsing, "Not a credential", "A credential is a JSON object.")
	}
	values := map[string]json.RawMessage{}
	switch issuer := v.Member("issuer"); {
	case issuer.IsZero():
		values["issuer"] = text(did)
	case issuer.IsObject() && issuer.Member("id").IsZero():
		values["issuer"] = vc.Rewrite(issuer, map[string]json.RawMessage{"id": text(did)})
	}
	if o.CredentialID != "" && v.Member("id").IsZero() {
		values["id"] = text(o.CredentialID)
	}
	if vcdm.Generation(v) == vcdm.Context11 {
		if v.Member("issuanceDate").IsZero() {
			values["issuanceDate"] = text(s.Now().UTC().Format("2006-01-02T15:04:05Z"))
		}
		if by.Suite != "" {
			values["@context"] = withDataIntegrity(v.Member("@context"))
		}
	}
	document := vc.Rewrite(v, values)
	if v, err = jsonld.Read(document); err != nil {
		return nil, asRefusal(err)
	}
	if problems := vcdm.Credential(v); len(problems) > 0 {
		return nil, &Refusal{described(problems)}
	}
	if id := issuerOf(v); id != did {
		return nil, refuse(Malformed, "Another's issuer", "The credential says that it is issued by %s; this issuer is %s. Leave the issuer out to have it filled in.", id, did)
	}
	return document, nil
}

// withStatus puts a place in a status list of each purpose into a credential that names none.
func (s *Service) withStatus(ctx context.Context, system access.Actor, document []byte) ([]byte, error) {
	v, err := jsonld.Read(document)
	if err != nil {
		return nil, err
	}
	if !v.Member("credentialStatus").IsZero() {
		return document, nil
	}
	if vcdm.Generation(v) != vcdm.Context {
		return nil, refuse(Malformed, "Not of VCDM 2.0", "A status list is named by credentials of the data model 2.0: its first @context is %s.", vcdm.Context)
	}
	id, _ := v.Member("id").Text()
	var entries []bitstring.Entry
	for _, p := range purposes {
		entry, err := s.Credentials.Lend(ctx, system, id, p)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	raw, err := json.Marshal(entries)
	if err != nil {
		return nil, err
	}
	return vc.Rewrite(v, map[string]json.RawMessage{"credentialStatus": raw}), nil
}

// SetStatus revokes or suspends a credential that was issued with a place in a
// status list, or lifts its suspension. A revocation is final: State when it is
// to be lifted. NotFound for a place that was not lent for this credential.
func (s *Service) SetStatus(ctx context.Context, who access.Actor, credentialID string, status []byte, set bool) error {
	if err := s.mayIssue(who); err != nil {
		return err
	}
	v, err := jsonld.Read(status)
	if err != nil {
		return asRefusal(err)
	}
	entry, err := bitstring.ParseEntry(v.One())
	if err != nil {
		return refuse(Malformed, "No status list entry", "%v", err)
	}
	if !slices.Contains(purposes, entry.Purpose) {
		return refuse(Malformed, "Another purpose", "The lists here are of the purposes %s, not of %q.", strings.Join(purposes, " and "), entry.Purpose)
	}
	return s.Credentials.MarkLent(ctx, access.SystemOf(string(s.Institution), "vc-api"), credentialID, entry, set)
}

// dataIntegrity defines the terms of proofs for credentials of the data model
// 1.1: VC-DI 1.0 §2.4.1.
const dataIntegrity = "https://w3id.org/security/data-integrity/v2"

func withDataIntegrity(contexts jsonld.Value) json.RawMessage {
	if slices.ContainsFunc(contexts.Texts(), func(c string) bool { return strings.HasPrefix(c, "https://w3id.org/security/data-integrity/") }) {
		return contexts.Raw()
	}
	var all []json.RawMessage
	for _, c := range contexts.Elements() {
		all = append(all, c.Raw())
	}
	raw, err := json.Marshal(append(all, text(dataIntegrity)))
	if err != nil {
		panic(err) // text and what was read
	}
	return raw
}

func text(s string) json.RawMessage {
	return jsonld.AppendText(nil, s)
}

func issuerOf(v jsonld.Value) string {
	issuer := v.Member("issuer")
	if issuer.IsObject() {
		issuer = issuer.Member("id")
	}
	id, _ := issuer.Text()
	return id
}

type signer func(message []byte) ([]byte, error)

func whole(document []byte, o vc.Options, sign signer) ([]byte, error) {
	d, err := vc.PrepareWith(document, o)
	if err != nil {
		return nil, err
	}
	signature, err := sign(d.Hash)
	if err != nil {
		return nil, err
	}
	return attach(document, d.Attach(signature))
}

// attach adds a proof to those there are; the first stands alone.
func attach(document []byte, p vc.Proof) ([]byte, error) {
	_, proofs, err := vc.Split(document)
	if err != nil {
		return nil, err
	}
	if len(proofs) > 0 {
		return vc.Add(document, p)
	}
	return vc.SecureOne(document, p)
}

func inParts(document []byte, o vc.Options, mandatory []string, sign signer) ([]byte, error) {
	once, err := vc.NewOneTime(rand.Reader)
	if err != nil {
		return nil, err
	}
	d, err := vc.PrepareSelective(document, o, mandatory, once)
	if err != nil {
		return nil, err
	}
	signature, err := sign(d.Hash)
	if err != nil {
		return nil, err
	}
	p, err := d.Attach(signature)
	if err != nil {
		return nil, err
	}
	return attach(document, p)
}

func asJWT(document []byte, o vc.Options, sign signer) ([]byte, error) {
	if v, err := jsonld.Read(document); err != nil || vcdm.Generation(v) != vcdm.Context {
		return nil, refuse(Malformed, "Not of VCDM 2.0", "An enveloped credential is of the data model 2.0: its first @context is %s.", vcdm.Context)
	}
	d, err := vc.PrepareJWT(document, vc.FormW3C, o.Key, o.VerificationMethod)
	if err != nil {
		return nil, err
	}
	signature, err := sign(d.Message)
	if err != nil {
		return nil, err
	}
	return vc.Envelope(vc.MediaVCJWT, d.Attach(signature)), nil
}

// prove verifies what was just signed: a signer that erred is found out before
// anybody relies on it.
func (s *Service) prove(signed []byte, by Instance, keys vc.Resolver) error {
	v := vc.Verifier{Keys: keys, Now: s.Now(), Contexts: s.Verifier.Contexts}
	switch by.Suite {
	case "":
		compact, _, err := vc.Enveloped(signed)
		if err != nil {
			return err
		}
		_, c, err := v.VerifyJWT(compact)
		return errors.Join(err, c.Err)
	case vc.ECDSASD:
		derived, err := vc.Derive(signed, []string{""}, s.Verifier.Contexts)
		if err != nil {
			return err
		}
		signed = derived
	}
	all, err := v.Verify(signed)
	if err != nil || len(all) == 0 {
		return errors.Join(err, errors.New("what was signed carries no proof"))
	}
	return all[len(all)-1].Err
}

// Derive discloses of a credential with an ecdsa-sd-2023 base proof what is
// mandatory and what the pointers name. What is wrong is a *Refusal.
func (s *Service) Derive(_ context.Context, who access.Actor, credential []byte, pointers []string) ([]byte, error) {
	if err := access.Check(who, access.Verify); err != nil {
		return nil, err
	}
	derived, err := vc.Derive(credential, pointers, s.Verifier.Contexts)
	if err != nil {
		return nil, asRefusal(err)
	}
	return derived, nil
}

// asRefusal is what was found wrong with a document as problems; other errors
// stay what they are.
func asRefusal(err error) error {
	var r *Refusal
	var e *jsonld.Error
	var f *vc.Failure
	switch {
	case errors.As(err, &r):
		return r
	case errors.As(err, &e):
		typ := Malformed
		if e.Code == jsonld.InvalidJSON || e.Code == jsonld.DuplicateKey || e.Code == jsonld.InvalidText {
			typ = Parsing
		}
		return &Refusal{[]Problem{{Type: typ, Title: "The document cannot be signed as it stands", Detail: e.Reason, Field: e.Pointer, Rule: string(e.Code), Clause: "JSON-LD 1.1"}}}
	case errors.As(err, &f):
		return &Refusal{[]Problem{{Type: Cryptographic, Title: "No proof can be made of this", Detail: f.Error(), Rule: f.Code}}}
	}
	return err
}

func described(all []shape.Problem) (out []Problem) {
	for _, p := range all {
		typ := Malformed
		if p.Rule == "date-order" {
			typ = OutOfRange
		}
		out = append(out, Problem{Type: typ, Title: "Not in form", Detail: p.Message, Field: p.Field, Rule: p.Rule, Clause: p.Clause})
	}
	return out
}
