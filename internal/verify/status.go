package verify

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/spec/bitstring"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/vc"
)

const statusClause = "VCDM 2.0 §4.10"

// maxStatuses is how many statuses of one credential are asked for.
const maxStatuses = 8

// status asks whether the issuer still stands by it. Only for a document whose
// proof held: nothing is told to somebody who made an id up, and no list is
// fetched for one.
func (x Examiner) status(v jsonld.Value, r *Report, held []string) Check {
	if len(held) > 0 && x.Status != nil {
		if c, ok := x.Status(r.IssuerID, r.ID); ok {
			return c
		}
	}
	all := v.Member("credentialStatus")
	if all.IsZero() || all.IsArray() && all.Len() == 0 {
		return Check{"status", Passed, "It names no status list: its issuer does not revoke it through one.", statusClause}
	}
	if len(held) == 0 {
		return Check{"status", NotChecked, "It names a status list, which is not asked for a credential whose proof does not hold.", statusClause}
	}
	if all.IsArray() && all.Len() > maxStatuses {
		return Check{"status", NotChecked, fmt.Sprintf("It names more than %d status lists.", maxStatuses), statusClause}
	}
	var worst Check
	for i, entry := range slices.Collect(elements(all)) {
		c := x.entry(entry, r)
		if i == 0 || c.Outcome == Failed || c.Outcome == NotChecked && worst.Outcome == Passed {
			worst = c
		}
		if c.Outcome == Failed {
			break
		}
	}
	return worst
}

func elements(v jsonld.Value) func(yield func(jsonld.Value) bool) {
	return func(yield func(jsonld.Value) bool) {
		for _, e := range v.Elements() {
			if !yield(e) {
				return
			}
		}
	}
}

// entry asks one status.
func (x Examiner) entry(v jsonld.Value, r *Report) Check {
	switch {
	case bitstring.IsEntry(v):
		return x.bit(v)
	case slices.Contains(v.Member("type").Texts(), bitstring.TypeRevocationList):
		return x.revoked(text(v, "id"), r)
	}
	return Check{"status", NotChecked, fmt.Sprintf("Its status is told in a way that is not known here: %s.", strings.Join(v.Member("type").Texts(), ", ")), statusClause}
}

// bit looks an entry up in its list, whose own proof has to hold.
func (x Examiner) bit(v jsonld.Value) Check {
	const clause = "Bitstring Status List 1.0 §3.2"
	unknown := func(err error) Check {
		return Check{"status", NotChecked, "Its status could not be found out: " + strings.TrimSuffix(lower(err), ".") + ".", clause}
	}
	e, err := bitstring.ParseEntry(v)
	if err != nil {
		return unknown(err)
	}
	list, err := x.opened(e)
	if err != nil {
		return unknown(err)
	}
	found, err := e.In(list)
	if err != nil {
		return unknown(err)
	}
	switch {
	case found.Status == 0 && found.Message == "":
		return Check{"status", Passed, fmt.Sprintf("The issuer's list of %ss does not have it.", e.Purpose), clause}
	case e.Purpose == bitstring.Revocation:
		return Check{"status", Failed, "The issuer revoked it.", clause}
	case e.Purpose == bitstring.Suspension:
		return Check{"status", Failed, "The issuer suspended it: it is not to be relied on until that is lifted.", clause}
	case e.Purpose == bitstring.Message:
		return Check{"status", Passed, fmt.Sprintf("The issuer says of it: %s.", strings.TrimSuffix(found.Message, ".")), clause}
	case e.Purpose == bitstring.Refresh:
		return Check{"status", Passed, "The issuer has a newer one.", clause}
	}
	return Check{"status", NotChecked, fmt.Sprintf("The issuer marks it for %q, which is not known here.", e.Purpose), clause}
}

func lower(err error) string {
	s := err.Error()
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// listKey is a status list, read in entries of one size.
type listKey struct {
	address string
	size    int
}

// openList is a status list that was read, or why not.
type openList struct {
	list bitstring.Credential
	err  error
}

// opened is the list of an entry, expanded.
func (x Examiner) opened(e bitstring.Entry) (bitstring.Credential, error) {
	key := listKey{e.Credential, max(e.Size, 1)}
	if known, ok := x.budget.lists[key]; ok {
		return known.list, known.err
	}
	o := &openList{}
	x.budget.lists[key] = o
	document, err := x.list(e.Credential)
	if err == nil {
		o.list, err = bitstring.Parse(document)
	}
	if err == nil {
		err = o.list.Open(key.size)
	}
	o.err = err
	return o.list, o.err
}

// openRevocations are the entries of a revocation list that revoke, by
// credential, or why it was not read.
type openRevocations struct {
	issuer string
	all    map[string]bitstring.Revoked
	err    error
}

// revocations is a revocation list of 1EdTech.
func (x Examiner) revocations(address string) *openRevocations {
	if known, ok := x.budget.revocations[address]; ok {
		return known
	}
	o := &openRevocations{all: map[string]bitstring.Revoked{}}
	x.budget.revocations[address] = o
	got, err := x.Get(Want{URL: address})
	if err == nil && got.Status != 200 {
		err = fmt.Errorf("the server answered %d", got.Status)
	}
	var l bitstring.RevocationList
	if err == nil {
		l, err = bitstring.ParseRevocationList(got.Body)
	}
	o.issuer, o.err = l.Issuer, err
	for _, e := range l.Revoked {
		if e.Revoked {
			o.all[e.ID] = e
		}
	}
	return o
}

// list fetches a status list and checks that its issuer signed it and that it
// still holds.
func (x Examiner) list(address string) ([]byte, error) {
	if x.Get == nil {
		return nil, errors.New("the list was not asked")
	}
	got, err := x.Get(Want{URL: address, Accept: "application/vc, application/vc+jwt, application/vc+ld+json, application/ld+json, application/json"})
	if err != nil {
		return nil, err
	}
	if got.Status != 200 {
		return nil, fmt.Errorf("the list's server answered %d", got.Status)
	}
	document, signatures := trimmed(got.Body), []signature(nil)
	isToken := !bytes.HasPrefix(document, []byte("{"))
	if isToken {
		t, err := vc.ParseJWT(string(document))
		if err != nil || t.Presentation {
			return nil, errors.New("what lies at the address of the list is no list")
		}
		signatures, document = []signature{x.signed(t)}, t.Document
	}
	v, err := jsonld.Read(document)
	if err != nil {
		return nil, errors.New("the list cannot be read as JSON")
	}
	if !isToken {
		signatures = x.proofs(v)
	}
	issuer := identity(v.Member("issuer"))
	if !slices.ContainsFunc(signatures, func(s signature) bool { return s.err == nil && s.controller == issuer && issuer != "" }) {
		return nil, errors.New("the signature of the list does not hold")
	}
	from, until := openbadges.Dates(v)
	if end := instant(v.Member(until)); end != nil && x.Now.After(*end) {
		return nil, errors.New("the list is out of date")
	}
	if begin := instant(v.Member(from)); begin != nil && begin.After(x.Now.Add(skew)) {
		return nil, errors.New("the list is not valid yet")
	}
	return document, nil
}

// skew is how far ahead the clock of whoever publishes a list may be. A list that
// is made when it is asked for begins after the examination did.
const skew = 10 * time.Minute

// revoked asks a revocation list of 1EdTech, which is believed because of where
// it lies.
func (x Examiner) revoked(address string, r *Report) Check {
	const clause = "1EdTech VCRL 1.0"
	if x.Get == nil {
		return Check{"status", NotChecked, "It names a revocation list, which was not asked.", clause}
	}
	l := x.revocations(address)
	if l.err != nil {
		return Check{"status", NotChecked, "The issuer's revocation list could not be read: " + strings.TrimSuffix(lower(l.err), ".") + ".", clause}
	}
	if l.issuer != "" && l.issuer != r.IssuerID {
		return Check{"status", NotChecked, "The revocation list is of another issuer, " + l.issuer + ".", clause}
	}
	if e, ok := l.all[r.ID]; ok {
		why := ""
		if e.Reason != "" {
			why = ": " + strings.TrimSuffix(e.Reason, ".")
		}
		return Check{"status", Failed, "The issuer revoked it" + why + ".", clause}
	}
	return Check{"status", Passed, "It is not on the issuer's revocation list.", clause}
}

// refreshed asks for a newer copy of a credential whose proof held, OB 3.0 §8.2
// step 3: once, and only where the copy is of the same issuer and id does it
// count. Otherwise the original goes on.
func (x Examiner) refreshed(r *Report, v jsonld.Value, held []string) (Report, bool) {
	const clause = "1EdTech VCCR 1.0"
	service := v.Member("refreshService").One()
	if x.Get == nil || len(held) == 0 || x.settled || !slices.Contains(service.Member("type").Texts(), bitstring.TypeCredentialRefresh) {
		return Report{}, false
	}
	got, err := x.Get(Want{URL: text(service, "id")})
	if err != nil || got.Status != 200 {
		r.add(Check{"refresh", NotChecked, "A newer copy could not be had; this is about the one that was given.", clause})
		return Report{}, false
	}
	x.settled = true
	x.depth++
	newer := x.material(got.Body)
	fits := newer.ID == r.ID && newer.IssuerID == r.IssuerID && newer.ID != "" && newer.ValidFrom != nil && r.ValidFrom != nil && !newer.ValidFrom.Before(*r.ValidFrom)
	sound := newer.has("issuer", Passed)
	if !fits || !sound {
		r.add(Check{"refresh", NotChecked, "What the issuer gives as a newer copy is not one; this is about the one that was given.", clause})
		return Report{}, false
	}
	if newer.ValidFrom.Equal(*r.ValidFrom) {
		r.add(Check{"refresh", Passed, "The issuer has no newer copy.", clause})
		return Report{}, false
	}
	newer.add(Check{"refresh", Passed, "The issuer gives a newer copy, and this is about it.", clause})
	newer.Outcome = overall(newer.Checks)
	return newer, true
}

// failureCode is the code of a failure of a proof, or "".
func failureCode(err error) string {
	var f *vc.Failure
	if errors.As(err, &f) {
		return f.Code
	}
	return ""
}
