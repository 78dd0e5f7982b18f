// Package verify says whether a credential can be relied on, and why: a report
// of named checks, each passed, failed or not checked, with a sentence and the
// clause it follows.
//
// It takes whatever a person holds: a credential or record as JSON or as a
// signed token, a PDF or a picture with one in it, an Open Badges 2.0 assertion or its
// address, an endorsement, a presentation, a ZIP of many. A record is checked as
// a whole and each credential in it on its own, because the outer signature over
// its canonical form does not bind them to their places. "Not checked" never
// reads as passed. The Examiner is pure; the service brings keys and status:
// those of its own institutions from the database, others' over guarded https,
// and no context from the network. It protects nothing about a document it is
// shown: it keeps no copy and logs none. Standards: VCDM 1.1 and 2.0, VC Data
// Integrity 1.0, VC-JOSE-COSE, Bitstring Status List 1.0, Open Badges 2.0 and
// 3.0, CLR 2.0.
package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/shape"
	"github.com/testamur/testamur/internal/spec/vc"
	"github.com/testamur/testamur/internal/spec/vcdm"
)

// Outcome of a check or of a report.
type Outcome string

// The outcomes.
const (
	Passed     Outcome = "passed"
	Failed     Outcome = "failed"
	NotChecked Outcome = "not_checked" // it could not be found out
)

// Check is one thing that was looked at.
type Check struct {
	Name    string // shape, context, proof, issuer, status, dates, recipient, audience, schema, embedded, endorsements, associations, binding, pages or refresh
	Outcome Outcome
	Reason  string // a sentence
	Clause  string // of the standard
}

// Report is everything that was found about one credential.
type Report struct {
	Outcome      Outcome // failed when any check failed, passed when all passed
	Kind         string  // AchievementCredential, ClrCredential, Assertion, VerifiablePresentation, Bundle or another type
	Format       string  // how it was given: json, jwt, png, svg, pdf, zip, address
	ID           string
	Name         string // of a file in a bundle: its path there, where the file has no name of its own
	IssuerID     string
	IssuerName   string
	SubjectID    string
	ValidFrom    *time.Time
	ValidUntil   *time.Time
	Checks       []Check
	Embedded     []Report // the credentials of a record or presentation, the files of a bundle
	Endorsements []Report
}

// Status says whether an issuer that is known here still stands by a credential
// whose proof held. ok is false when that is not known here.
type Status func(issuer, id string) (c Check, ok bool)

// Examiner checks what it is given, with what it is given: it has no clock and
// no network of its own.
type Examiner struct {
	Keys      vc.Resolver
	Status    Status                           // nil: no issuer is known here
	Get       func(want Want) (Fetched, error) // of lists, tokens' keys, hosted badges and newer copies; nil: nothing is asked
	Recipient *Recipient                       // nil: whose it is is not looked at
	Contexts  map[string][]byte                // that the operator pinned, besides those that are compiled in
	Audience  string                           // who looks at a presentation; empty: that is not known
	Now       time.Time
	read      func(jsonld.Value) // hears of each document that was read, before it is examined; may be nil
	depth     int
	settled   bool // no newer copy is asked for
	budget    *budget
}

// Recipient is the person that somebody says a credential is about.
type Recipient struct {
	Type  string // of identifier, such as emailAddress; "id" for the id of the subject
	Value string
}

// The limits of one examination.
const (
	maxNesting      = 3      // records in records, bundles in bundles
	maxCredentials  = 20_000 // credentials of every kind
	maxEndorsements = 500
)

// budget is what is left of one examination, and what was read for it: however
// many credentials point to one document, it is read once.
type budget struct {
	credentials, endorsements int
	files                     int   // of bundles, those within bundles too
	expanded                  int64 // bytes of them
	lists                     map[listKey]*openList
	revocations               map[string]*openRevocations
	documents                 map[string]jsonld.Value
}

// Examine checks whatever a person holds, and all that is in it.
func (x Examiner) Examine(material []byte) Report {
	x.budget = &budget{maxCredentials, maxEndorsements, maxFiles, maxExpanded, map[listKey]*openList{}, map[string]*openRevocations{}, map[string]jsonld.Value{}}
	return x.material(material)
}

func (r *Report) add(c Check) { r.Checks = append(r.Checks, c) }

func (r *Report) close() Report {
	r.Outcome = overall(r.Checks)
	return *r
}

// overall is the outcome of many: one failure fails, one unknown leaves open.
func overall(all []Check) Outcome {
	out := Passed
	for _, c := range all {
		if c.Outcome == Failed {
			return Failed
		}
		if c.Outcome == NotChecked {
			out = NotChecked
		}
	}
	return out
}

// refused is the report of what cannot be examined.
func refused(format, clause, reason string, args ...any) Report {
	return Report{Outcome: Failed, Format: format, Checks: []Check{{"shape", Failed, fmt.Sprintf(reason, args...), clause}}}
}

// kind is the most telling of a credential's types.
func kind(types []string) string {
	for _, t := range []string{"ClrCredential", "AchievementCredential", "OpenBadgeCredential", "EndorsementCredential"} {
		if slices.Contains(types, t) {
			return t
		}
	}
	for _, t := range types {
		if t != "VerifiableCredential" {
			return t
		}
	}
	return "VerifiableCredential"
}

func text(v jsonld.Value, member string) string {
	s, _ := v.Member(member).One().Text()
	return s
}

func instant(v jsonld.Value) *time.Time {
	s, _ := v.Text()
	if t, ok := shape.Instant(s); ok {
		return &t
	}
	return nil
}

// identity is the id of an issuer, an object or its id alone.
func identity(v jsonld.Value) string {
	v = v.One()
	if v.IsObject() {
		v = v.Member("id")
	}
	id, _ := v.Text()
	return id
}

// signature is a proof in a document, or of a token around it.
type signature struct {
	suite      string
	controller string // of the key, "" where it is nobody's
	err        error  // nil: it fits the document
	whole      bool   // it covers every byte, not what the document says as RDF
}

// credential checks one credential and all it embeds. The signatures are those
// of the token around it, or nil: then its own proofs are checked.
func (x Examiner) credential(v jsonld.Value, token []signature) Report {
	x.budget.credentials--
	from, until := openbadges.Dates(v)
	r := Report{Kind: kind(v.Member("type").Texts()), Format: "json", ID: text(v, "id"), Name: text(v, "name"), IssuerID: identity(v.Member("issuer")),
		IssuerName: text(v.Member("issuer").One(), "name"), ValidFrom: instant(v.Member(from)), ValidUntil: instant(v.Member(until))}
	for _, s := range v.Member("credentialSubject").Elements() {
		r.SubjectID = text(s, "id")
		break
	}
	r.add(shapeOf(v))
	signatures := token
	if token == nil {
		signatures = x.proofs(v)
	}
	r.context(x, v, signatures)
	held := r.proofs(signatures)
	if newer, ok := x.refreshed(&r, v, held); ok {
		return newer
	}
	r.add(x.status(v, &r, held))
	r.add(dates(v, x.Now))
	r.recipient(x, v)
	r.schemas(v)
	if clr.IsRecord(v) {
		x.embedded(&r, v)
	}
	x.endorsements(&r, v)
	if clr.IsRecord(v) {
		r.add(associations(v))
		r.add(r.binding(signatures, held))
	}
	return r.close()
}

// shapeOf is whether a credential has the form of its class.
func shapeOf(v jsonld.Value) Check {
	var problems []shape.Problem
	clause := "VCDM 2.0 §4"
	switch {
	case clr.IsRecord(v):
		problems, clause = clr.Check(v, shape.Compact), "CLR 2.0 §ClrCredential"
	case openbadges.Kind(v) != "":
		problems, clause = openbadges.Check(v, shape.Compact), "OB 3.0 §B.1"
	default:
		problems = vcdm.Credential(v)
	}
	if len(problems) == 0 {
		return Check{"shape", Passed, "It has the form of a credential of the kind " + kind(v.Member("type").Texts()) + ".", clause}
	}
	return Check{"shape", Failed, shape.Told(problems), problems[0].Clause}
}

// proofs checks every proof within a credential, and takes them off it: what it
// embeds is looked at after it.
func (x Examiner) proofs(v jsonld.Value) []signature {
	checked, err := vc.Verifier{Keys: x.Keys, Now: x.Now, Contexts: x.Contexts}.VerifyValue(v)
	if err != nil {
		return []signature{{suite: "The proof", err: err}}
	}
	return signaturesOf(checked)
}

func signaturesOf(checked []vc.Checked) []signature {
	all := make([]signature, 0, len(checked))
	for _, c := range checked {
		suite := c.Proof.Cryptosuite
		if suite == "" {
			suite = c.Proof.Type
		}
		all = append(all, signature{suite, c.Key.Controller, c.Err, strings.Contains(suite, "-jcs-")})
	}
	return all
}

// context tells whether every member means what its contexts say: the proofs
// over RDF have looked at each.
func (r *Report) context(x Examiner, v jsonld.Value, all []signature) {
	const clause = "VCDM 2.0 §4.3"
	for _, s := range all {
		var e *jsonld.Error
		if !errors.As(s.err, &e) {
			continue
		}
		if e.Code == jsonld.UnknownContext {
			r.add(Check{"context", NotChecked, fmt.Sprintf("It uses a context that is not known here, %s. What its members mean is not asked of the network.", e.Term), clause})
		} else {
			r.add(Check{"context", Failed, strings.TrimPrefix(e.Error(), "JSON-LD: ") + ".", clause})
		}
		return
	}
	for _, s := range all {
		if s.err == nil && !s.whole {
			r.add(Check{"context", Passed, "Every member is defined by its contexts, all of which are known here.", clause})
			return
		}
	}
	for _, c := range v.Member("@context").Elements() {
		if url, ok := c.Text(); ok && !jsonld.KnownContext(url) && x.Contexts[url] == nil {
			r.add(Check{"context", NotChecked, fmt.Sprintf("It uses a context that is not known here, %s.", url), clause})
			return
		}
	}
	r.add(Check{"context", Passed, "Its contexts are known here.", clause})
}

// proofs tells of each signature and of whose key made it, and gives the suites
// that held for the issuer.
func (r *Report) proofs(all []signature) (held []string) {
	const issuer = "VC-DI 1.0 §2.1"
	if len(all) == 0 {
		r.add(Check{"proof", Failed, "It carries no proof, so anyone may have written it.", "VC-DI 1.0 §4.3"})
	}
	var foreign []Check
	for _, s := range all {
		if s.err != nil {
			r.add(proofFailed(s))
			continue
		}
		r.add(Check{"proof", Passed, fmt.Sprintf("The %s signature fits this document: it is as the holder of the key signed it.", s.suite), "VC-DI 1.0 §4.3"})
		switch {
		case s.controller == r.IssuerID && r.IssuerID != "":
			held = append(held, s.suite)
		case s.controller == "":
			foreign = append(foreign, Check{"issuer", NotChecked, fmt.Sprintf("The key came with the document itself; that it belongs to the issuer, %s, was not found out.", r.IssuerID), issuer})
		default:
			foreign = append(foreign, Check{"issuer", Failed, fmt.Sprintf("The key belongs to %s, and the credential says it is issued by %s.", s.controller, r.IssuerID), issuer})
		}
	}
	if len(held) > 0 {
		r.add(Check{"issuer", Passed, fmt.Sprintf("The key is published by the issuer, %s.", r.IssuerID), issuer})
	}
	r.Checks = append(r.Checks, foreign...)
	return held
}

func proofFailed(s signature) Check {
	c := Check{"proof", Failed, fmt.Sprintf("%s: %v", s.suite, s.err), "VC-DI 1.0 §4.3"}
	var f *vc.Failure
	if errors.As(s.err, &f) {
		c.Reason = fmt.Sprintf("%s: %s", s.suite, f.Reason)
		if f.Code == vc.NoKey || f.Code == vc.UnknownSuite {
			c.Outcome = NotChecked
		}
	}
	var e *jsonld.Error
	switch {
	case !errors.As(s.err, &e):
	case e.Code == jsonld.UnknownContext:
		c.Outcome, c.Reason = NotChecked, s.suite+": What was signed depends on a context that is not known here."
	case e.Code == jsonld.TooComplex:
		c.Reason = s.suite + ": The parts of the document are so entangled that telling them apart takes more work than is spent on any: no issuer has reason to make such a one."
	}
	return c
}

// dates checks the period of a credential against the clock.
func dates(v jsonld.Value, now time.Time) Check {
	const clause = "VCDM 2.0 §4.9"
	a, b := openbadges.Dates(v)
	from, until := instant(v.Member(a)), instant(v.Member(b))
	switch {
	case from != nil && now.Before(*from):
		return Check{"dates", Failed, "It is not valid before " + from.Format(time.RFC3339) + ".", clause}
	case until != nil && now.After(*until):
		return Check{"dates", Failed, "It was valid until " + until.Format(time.RFC3339) + ".", clause}
	case until != nil:
		return Check{"dates", Passed, "It is valid until " + until.Format(time.RFC3339) + ".", clause}
	}
	return Check{"dates", Passed, "It does not expire.", clause}
}

// recipient tells whether the credential is about the person that was named,
// OB 3.0 §8.2 (recipient verification).
func (r *Report) recipient(x Examiner, v jsonld.Value) {
	if x.Recipient == nil {
		return
	}
	s := v.Member("credentialSubject").One()
	r.add(x.Recipient.of(text(s, "id"), openbadges.Identities(s)))
}

func (k Recipient) of(id string, all []openbadges.IdentityObject) Check {
	const clause = "OB 3.0 §8.2"
	if k.Type == "id" {
		if id == k.Value {
			return Check{"recipient", Passed, "It is about the one that was named.", clause}
		}
		return Check{"recipient", Failed, "It is about another than the one that was named.", clause}
	}
	known := false
	for _, o := range all {
		is, ok := o.Is(k.Type, k.Value)
		if is {
			return Check{"recipient", Passed, "It names the one that was named, by " + k.Type + ".", clause}
		}
		known = known || ok
	}
	if known {
		return Check{"recipient", Failed, "It names another than the one that was named, by " + k.Type + ".", clause}
	}
	return Check{"recipient", NotChecked, "It does not name anybody by " + k.Type + ".", clause}
}

// schemas tells whether the schemas that it names are kept. Those of the
// standards are: their classes are what shape has looked at.
func (r *Report) schemas(v jsonld.Value) {
	const clause = "VCDM 2.0 §4.11"
	for _, s := range v.Member("credentialSchema").Elements() {
		id := text(s, "id")
		switch {
		case text(s, "type") != openbadges.SchemaValidator || !official(id):
			r.add(Check{"schema", NotChecked, fmt.Sprintf("It names the schema %s, which is not known here.", id), clause})
		case r.Checks[0].Outcome == Passed:
			r.add(Check{"schema", Passed, "It keeps the schema of its standard.", clause})
		default:
			r.add(Check{"schema", Failed, "It does not keep the schema of its standard: see its shape.", clause})
		}
	}
}

// official reports whether a schema is one of the standards that are known here.
func official(id string) bool {
	for _, of := range []string{"https://purl.imsglobal.org/spec/ob/v3p0/schema/", "https://purl.imsglobal.org/spec/clr/v2p0/schema/"} {
		rest, ok := strings.CutPrefix(id, of)
		_, name, _ := strings.Cut(rest, "/")
		for _, class := range []string{"achievementcredential", "anyachievementcredential", "endorsementcredential", "anyendorsementcredential", "clrcredential", "anyclrcredential"} {
			if ok && (name == "ob_v3p0_"+class+"_schema.json" || name == "clr_v2p0_"+class+"_schema.json") {
				return true
			}
		}
	}
	return false
}
