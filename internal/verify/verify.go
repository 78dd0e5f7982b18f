// Package verify says whether a credential can be relied on, and why: a report
// of named checks, each passed, failed or not checked, with a sentence and the
// clause it follows.
//
// A record is checked as a whole and each credential in it on its own, because
// the outer signature over its canonical form does not bind them to their
// places. "Not checked" never reads as passed. Examine is pure; the service
// brings keys and status: those of its own institutions from the database,
// others' over guarded https, and no context from the network. It protects
// nothing about a document it is shown: it keeps no copy and logs none.
// Standards: VCDM 2.0, VC Data Integrity 1.0, Open Badges 3.0, CLR 2.0.
package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/vc"
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
	Name    string // structure, proof, issuer, period, status, subject, associations, binding, embedded
	Outcome Outcome
	Reason  string // a sentence
	Clause  string // of the standard
}

// Report is everything that was found about one credential.
type Report struct {
	Outcome    Outcome // failed when any check failed, passed when all passed
	Kind       string  // AchievementCredential, ClrCredential, or another type of credential
	ID         string
	Name       string
	IssuerID   string
	IssuerName string
	SubjectID  string
	ValidFrom  *time.Time
	ValidUntil *time.Time
	Checks     []Check
	Embedded   []Report
}

// Status says whether the issuer still stands by a credential whose proof held.
// ok is false when that is not known here.
type Status func(issuer, id string) (c Check, ok bool)

// credential is what a report reads of any credential.
type credential struct {
	ID                string                  `json:"id"`
	Type              openbadges.List[string] `json:"type"`
	Name              string                  `json:"name"`
	Issuer            party                   `json:"issuer"`
	ValidFrom         string                  `json:"validFrom"`
	ValidUntil        string                  `json:"validUntil"`
	CredentialStatus  json.RawMessage         `json:"credentialStatus"`
	CredentialSubject openbadges.List[struct {
		ID          string          `json:"id"`
		Type        json.RawMessage `json:"type"`
		Achievement json.RawMessage `json:"achievement"`
	}] `json:"credentialSubject"`
}

// party is an issuer, as an object or as its id alone.
type party struct{ ID, Name string }

// UnmarshalJSON reads an id or an object that has one.
func (p *party) UnmarshalJSON(b []byte) error {
	if b[0] == '"' {
		return json.Unmarshal(b, &p.ID)
	}
	var v struct {
		ID   string          `json:"id"`
		Name json.RawMessage `json:"name"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	p.ID = v.ID
	if json.Unmarshal(v.Name, &p.Name) != nil {
		p.Name = "" // a language map: shown by the page that knows languages
	}
	return nil
}

// Examine checks a credential and all it embeds.
func Examine(document []byte, keys vc.Resolver, status Status, now time.Time) Report {
	return examine(document, keys, status, now, 0)
}

// maxNesting is how deep records may lie in records.
const maxNesting = 3

func examine(document []byte, keys vc.Resolver, status Status, now time.Time, depth int) Report {
	var c credential
	if err := json.Unmarshal(document, &c); err != nil {
		return Report{Outcome: Failed, Checks: []Check{{"structure", Failed, "This is not a credential: " + err.Error() + ".", "VCDM 2.0 §4"}}}
	}
	r := Report{Kind: kind(c.Type), ID: c.ID, Name: c.Name, IssuerID: c.Issuer.ID, IssuerName: c.Issuer.Name,
		ValidFrom: instant(c.ValidFrom), ValidUntil: instant(c.ValidUntil)}
	if len(c.CredentialSubject) > 0 {
		r.SubjectID = c.CredentialSubject[0].ID
	}
	r.add(structure(c))
	held := r.proofs(document, keys, now)
	r.add(period(c, now))
	r.status(c, status, held)
	if r.Kind == "ClrCredential" {
		r.record(document, keys, status, now, held, depth)
	}
	r.Outcome = overall(r.Checks)
	return r
}

func (r *Report) add(c Check) { r.Checks = append(r.Checks, c) }

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

func instant(s string) *time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return nil
	}
	return &t
}

// structure is what every credential has.
func structure(c credential) Check {
	fail := func(clause, format string, args ...any) Check {
		return Check{"structure", Failed, fmt.Sprintf(format, args...), clause}
	}
	switch {
	case !slices.Contains(c.Type, "VerifiableCredential"):
		return fail("VCDM 2.0 §4.5", "Its type does not say that it is a VerifiableCredential.")
	case c.Issuer.ID == "":
		return fail("VCDM 2.0 §4.7", "It names no issuer.")
	case len(c.CredentialSubject) == 0:
		return fail("VCDM 2.0 §4.8", "It says nothing of anybody: credentialSubject is missing.")
	case c.ValidFrom != "" && instant(c.ValidFrom) == nil:
		return fail("VCDM 2.0 §4.9", "validFrom is not an instant: %q.", c.ValidFrom)
	case c.ValidUntil != "" && instant(c.ValidUntil) == nil:
		return fail("VCDM 2.0 §4.9", "validUntil is not an instant: %q.", c.ValidUntil)
	}
	k := kind(c.Type)
	if k == "AchievementCredential" || k == "OpenBadgeCredential" {
		for _, s := range c.CredentialSubject {
			if s.Achievement == nil {
				return fail("OB 3.0 §B.1.3", "It does not say what was achieved.")
			}
		}
	}
	if (k == "AchievementCredential" || k == "OpenBadgeCredential" || k == "ClrCredential") && (c.ID == "" || c.ValidFrom == "") {
		return fail("OB 3.0 §B.1.1", "It lacks its id or the instant it is valid from.")
	}
	return Check{"structure", Passed, "It has the form of a " + k + ".", "VCDM 2.0 §4"}
}

// proofs checks every proof and whose key made it, and gives the suites that
// held.
func (r *Report) proofs(document []byte, keys vc.Resolver, now time.Time) []string {
	checked, err := vc.Verify(document, keys, now)
	if err != nil {
		r.add(Check{"proof", Failed, err.Error(), "VC-DI 1.0 §4.3"})
		return nil
	}
	if len(checked) == 0 {
		r.add(Check{"proof", Failed, "It carries no proof, so anyone may have written it.", "VC-DI 1.0 §4.3"})
		return nil
	}
	var held []string
	for _, p := range checked {
		suite := p.Proof.Cryptosuite
		if suite == "" {
			suite = p.Proof.Type
		}
		if p.Err != nil {
			r.add(proofFailed(suite, p.Err))
			continue
		}
		r.add(Check{"proof", Passed, fmt.Sprintf("The %s signature fits this document: it is as the holder of the key signed it.", suite), "VC-DI 1.0 §4.3"})
		if p.Key.Controller != r.IssuerID {
			r.add(Check{"issuer", Failed, fmt.Sprintf("The key belongs to %s, and the credential says it is issued by %s.", p.Key.Controller, r.IssuerID), "VC-DI 1.0 §2.1"})
			continue
		}
		held = append(held, suite)
	}
	if len(held) > 0 {
		r.add(Check{"issuer", Passed, fmt.Sprintf("The key is published by the issuer, %s.", r.IssuerID), "VC-DI 1.0 §2.1"})
	}
	return held
}

func proofFailed(suite string, err error) Check {
	c := Check{"proof", Failed, fmt.Sprintf("%s: %v", suite, err), "VC-DI 1.0 §4.3"}
	var f *vc.Failure
	if errors.As(err, &f) {
		c.Reason = fmt.Sprintf("%s: %s", suite, f.Reason)
		if f.Code == vc.NoKey || f.Code == vc.UnknownSuite {
			c.Outcome = NotChecked
		}
	}
	return c
}

func period(c credential, now time.Time) Check {
	from, until := instant(c.ValidFrom), instant(c.ValidUntil)
	switch {
	case from != nil && now.Before(*from):
		return Check{"period", Failed, "It is not valid before " + from.Format(time.RFC3339) + ".", "VCDM 2.0 §4.9"}
	case until != nil && now.After(*until):
		return Check{"period", Failed, "It was valid until " + until.Format(time.RFC3339) + ".", "VCDM 2.0 §4.9"}
	case until != nil:
		return Check{"period", Passed, "It is valid until " + until.Format(time.RFC3339) + ".", "VCDM 2.0 §4.9"}
	}
	return Check{"period", Passed, "It does not expire.", "VCDM 2.0 §4.9"}
}

// status asks whether the issuer still stands by it. Only for a document whose
// proof held: nothing is told to somebody who made an id up.
func (r *Report) status(c credential, status Status, held []string) {
	if len(held) > 0 && status != nil {
		if s, ok := status(r.IssuerID, r.ID); ok {
			r.add(s)
			return
		}
	}
	if len(c.CredentialStatus) > 0 {
		r.add(Check{"status", NotChecked, "It names a status list, which was not read.", "VCDM 2.0 §4.10"})
		return
	}
	r.add(Check{"status", Passed, "It names no status list: its issuer does not revoke it through one.", "VCDM 2.0 §4.10"})
}

// record checks what only a record has.
func (r *Report) record(document []byte, keys vc.Resolver, status Status, now time.Time, held []string, depth int) {
	embedded, err := clr.Embedded(document)
	if err != nil || len(embedded) == 0 {
		r.add(Check{"embedded", Failed, "The record holds no credential.", "CLR 2.0 ClrSubject"})
		return
	}
	if depth >= maxNesting {
		r.add(Check{"embedded", NotChecked, "Records lie too deep in records to look at.", "CLR 2.0 ClrSubject"})
		return
	}
	for _, e := range embedded {
		r.Embedded = append(r.Embedded, examine(e, keys, status, now, depth+1))
	}
	r.add(r.embedded())
	r.add(r.subject())
	r.add(associations(document))
	r.add(r.binding(held))
}

func (r *Report) embedded() Check {
	n := map[Outcome]int{}
	seen := map[string]bool{}
	for _, e := range r.Embedded {
		n[e.Outcome]++
		if e.ID != "" && seen[e.ID] {
			return Check{"embedded", Failed, "Two of the embedded credentials have the same id: " + e.ID + ".", "CLR 2.0 ClrSubject"}
		}
		seen[e.ID] = true
	}
	total := len(r.Embedded)
	if n[Failed] > 0 {
		return Check{"embedded", Failed, fmt.Sprintf("%d of %d embedded credentials do not hold.", n[Failed], total), "CLR 2.0 ClrSubject"}
	}
	if n[NotChecked] > 0 {
		return Check{"embedded", NotChecked, fmt.Sprintf("%d of %d embedded credentials could not be checked.", n[NotChecked], total), "CLR 2.0 ClrSubject"}
	}
	return Check{"embedded", Passed, fmt.Sprintf("Each of the %d embedded credentials holds on its own.", total), "CLR 2.0 ClrSubject"}
}

// has reports whether a check of this name had this outcome.
func (r *Report) has(name string, o Outcome) bool {
	return slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Name == name && c.Outcome == o })
}

// subject is whether everything is about one learner.
func (r *Report) subject() Check {
	others := 0
	for _, e := range r.Embedded {
		if e.SubjectID != r.SubjectID {
			others++
		}
	}
	if others == 0 {
		return Check{"subject", Passed, "Every embedded credential is about the same learner as the record.", "CLR 2.0 ClrSubject"}
	}
	return Check{"subject", NotChecked, fmt.Sprintf("%d embedded credentials name the learner otherwise than the record; that it is the same person was not found out.", others), "CLR 2.0 ClrSubject"}
}

func associations(document []byte) Check {
	v, err := jsonld.Read(document)
	if err != nil {
		return Check{"associations", Failed, "The associations cannot be read: " + err.Error() + ".", "CLR 2.0 Association"}
	}
	dangling := clr.Dangling(v)
	if len(dangling) > 0 {
		return Check{"associations", Failed, "Associations point to achievements that are not in the record: " + strings.Join(dangling[:min(3, len(dangling))], ", ") + ".", "CLR 2.0 Association"}
	}
	return Check{"associations", Passed, "Every association links two achievements of the record.", "CLR 2.0 Association"}
}

// binding is whether the embedded credentials are bound to this record: by a
// proof over every byte, or each by its own.
func (r *Report) binding(held []string) Check {
	if slices.Contains(held, vc.EdDSAJCS) {
		return Check{"binding", Passed, "A second signature covers every byte of the record, the order of its credentials too.", "VC-DI-EDDSA 1.0 §3.3"}
	}
	unknown := 0
	for _, e := range r.Embedded {
		switch {
		case e.has("issuer", Passed):
		case e.has("proof", NotChecked):
			unknown++
		default:
			return Check{"binding", Failed, "An embedded credential without a proof of its own is not bound by the record's: it may have been exchanged.", "CLR 2.0 §ClrSubject"}
		}
	}
	if unknown > 0 {
		return Check{"binding", NotChecked, fmt.Sprintf("%d embedded credentials carry a signature that could not be checked, and the record's own does not bind them.", unknown), "CLR 2.0 §ClrSubject"}
	}
	return Check{"binding", Passed, "Each embedded credential carries its issuer's own signature; their order is not signed.", "CLR 2.0 §ClrSubject"}
}
