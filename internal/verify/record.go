package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/vc"
)

// embedded checks each credential in a record on its own.
func (x Examiner) embedded(r *Report, v jsonld.Value) {
	const clause = "CLR 2.0 §ClrSubject"
	all := clr.EmbeddedIn(v)
	if len(all) == 0 {
		r.add(Check{"embedded", Failed, "The record holds no credential.", clause})
		return
	}
	if x.depth >= maxNesting || len(all) > x.budget.credentials {
		r.add(Check{"embedded", NotChecked, "There are too many credentials, or records lie too deep in records, to look at each.", clause})
		return
	}
	x.depth++
	x.settled, x.Recipient = true, nil
	for _, e := range all {
		r.Embedded = append(r.Embedded, x.value(e))
	}
	r.add(r.credentials())
	r.add(r.sameLearner())
}

// credentials tells what came of the embedded credentials.
func (r *Report) credentials() Check {
	const clause = "CLR 2.0 §ClrSubject"
	n := map[Outcome]int{}
	seen := map[string]bool{}
	for _, e := range r.Embedded {
		n[e.Outcome]++
		if e.ID != "" && seen[e.ID] {
			return Check{"embedded", Failed, "Two of the embedded credentials have the same id: " + e.ID + ".", clause}
		}
		seen[e.ID] = true
	}
	total := len(r.Embedded)
	if n[Failed] > 0 {
		return Check{"embedded", Failed, fmt.Sprintf("%d of %d embedded credentials do not hold.", n[Failed], total), clause}
	}
	if n[NotChecked] > 0 {
		return Check{"embedded", NotChecked, fmt.Sprintf("%d of %d embedded credentials could not be checked.", n[NotChecked], total), clause}
	}
	return Check{"embedded", Passed, fmt.Sprintf("Each of the %d embedded credentials holds on its own.", total), clause}
}

// sameLearner is whether everything is about one learner.
func (r *Report) sameLearner() Check {
	const clause = "CLR 2.0 §ClrSubject"
	others := 0
	for _, e := range r.Embedded {
		if e.SubjectID != r.SubjectID && e.Kind != "EndorsementCredential" {
			others++
		}
	}
	if others == 0 {
		return Check{"recipient", Passed, "Every embedded credential is about the same learner as the record.", clause}
	}
	return Check{"recipient", NotChecked, fmt.Sprintf("%d embedded credentials name the learner otherwise than the record; that it is the same person was not found out.", others), clause}
}

func associations(v jsonld.Value) Check {
	const clause = "CLR 2.0 §Association"
	if dangling := clr.Dangling(v); len(dangling) > 0 {
		return Check{"associations", Failed, "Associations point to achievements that are not in the record: " + strings.Join(dangling[:min(3, len(dangling))], ", ") + ".", clause}
	}
	return Check{"associations", Passed, "Every association links two achievements of the record.", clause}
}

// binding is whether the embedded credentials are bound to this record: by a
// signature over every byte, or each by its own. The proof over the canonical
// form leaves them exchangeable; where that one holds and the one over every
// byte does not, this is what was done.
func (r *Report) binding(all []signature, held []string) Check {
	const clause = "CLR 2.0 §ClrSubject"
	broken := func(s signature) bool {
		return s.whole && s.err != nil && failureCode(s.err) == vc.Mismatch
	}
	for _, s := range all {
		if s.whole && s.err == nil && slices.Contains(held, s.suite) {
			return Check{"binding", Passed, "A signature covers every byte of the record, the order of its credentials too.", "VC-DI-EDDSA 1.0 §3.3"}
		}
	}
	if i := slices.IndexFunc(all, broken); i >= 0 && len(held) > 0 {
		return Check{"binding", Failed, fmt.Sprintf("The %s signature holds and the %s one, which covers every byte, does not: values were exchanged between the embedded credentials, or moved, after the record was signed.",
			held[0], all[i].suite), "VC-DI-EDDSA 1.0 §3.3"}
	}
	unknown := 0
	for _, e := range r.Embedded {
		switch {
		case e.has("issuer", Passed):
		case e.has("proof", NotChecked):
			unknown++
		default:
			return Check{"binding", Failed, "An embedded credential without a proof of its own is not bound by the record's: it may have been exchanged.", clause}
		}
	}
	if unknown > 0 {
		return Check{"binding", NotChecked, fmt.Sprintf("%d embedded credentials carry a signature that could not be checked, and the record's own does not bind them.", unknown), clause}
	}
	return Check{"binding", Passed, "Each embedded credential carries its issuer's own signature; their order is not signed.", clause}
}

// has reports whether a check of this name had this outcome.
func (r *Report) has(name string, o Outcome) bool {
	return slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Name == name && c.Outcome == o })
}

// endorsements checks those at every level, each on its own. A credential does
// not fail by what others say of it: endorsements that do not hold leave it as it
// would be without them, and are told.
func (x Examiner) endorsements(r *Report, v jsonld.Value) {
	s := v.Member("credentialSubject").One()
	achievement := s.Member("achievement").One()
	x.depth++
	x.settled, x.Recipient = true, nil
	endorsed(v, x, r)
	for _, p := range []jsonld.Value{v.Member("issuer").One(), achievement, achievement.Member("creator").One(), s.Member("source").One()} {
		for p.IsObject() {
			endorsed(p, x, r)
			p = p.Member("parentOrg").One()
		}
	}
	for _, a := range s.Member("achievement").Elements() {
		if clr.IsRecord(v) && achievement.IsArray() {
			endorsed(a, x, r)
		}
	}
	if len(r.Endorsements) == 0 {
		return
	}
	holding := 0
	for _, e := range r.Endorsements {
		if e.Outcome == Passed {
			holding++
		}
	}
	const clause = "OB 3.0 §8.3"
	if holding == len(r.Endorsements) {
		r.add(Check{"endorsements", Passed, fmt.Sprintf("Each of the %d endorsements holds on its own.", holding), clause})
		return
	}
	r.add(Check{"endorsements", NotChecked, fmt.Sprintf("%d of %d endorsements do not hold or could not be checked: give those no weight.", len(r.Endorsements)-holding, len(r.Endorsements)), clause})
}

// endorsed examines the endorsements that one object carries. Each has to be of
// that object.
func endorsed(thing jsonld.Value, x Examiner, r *Report) {
	id := text(thing, "id")
	one := func(e Report) {
		if e.SubjectID != id {
			e.add(Check{"recipient", Failed, fmt.Sprintf("It endorses %s, not what it stands at.", e.SubjectID), "OB 3.0 §B.1.9"})
			e.Outcome = Failed
		}
		r.Endorsements = append(r.Endorsements, e)
	}
	for _, e := range thing.Member("endorsement").Elements() {
		if x.budget.endorsements--; x.budget.endorsements < 0 || x.depth > maxNesting+1 {
			return
		}
		one(x.value(e))
	}
	for _, token := range thing.Member("endorsementJwt").Texts() {
		if x.budget.endorsements--; x.budget.endorsements < 0 || x.depth > maxNesting+1 {
			return
		}
		one(x.token([]byte(token)))
	}
}
