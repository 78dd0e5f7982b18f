package vc

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/testamur/testamur/internal/spec/jsonld"
)

// previous are the ids of the proofs that a proof confirms.
func (p Proof) previous() ([]string, error) {
	ids, ok := texts(p.PreviousProof)
	if !ok {
		return nil, &Failure{Code: Malformed, Reason: "The proof does not name previous proofs by their ids."}
	}
	return ids, nil
}

// texts reads a text, or a list of them.
func texts(raw json.RawMessage) (all []string, ok bool) {
	if raw == nil {
		return nil, true
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}, true
	}
	return all, json.Unmarshal(raw, &all) == nil
}

// withPrevious is a document, whose proofs were cut off, with those that a proof
// confirms, as it is hashed: VC-DI 1.0 §4.5. A context takes the place of the
// document's.
func withPrevious(doc *jsonld.Document, proofs jsonld.Value, ids []string, context json.RawMessage, pinned map[string][]byte) (*jsonld.Document, error) {
	var matching []json.RawMessage
	for _, id := range ids {
		p, err := findProof(proofs, id)
		if err != nil {
			return nil, err
		}
		matching = append(matching, p.Raw())
	}
	list, err := json.Marshal(matching)
	if err != nil {
		return nil, err
	}
	values := map[string]json.RawMessage{"proof": list}
	if context != nil {
		values["@context"] = context
	}
	return openDocument(Rewrite(doc.Root(), values), pinned)
}

// findProof is the one proof with an id.
func findProof(proofs jsonld.Value, id string) (found jsonld.Value, err error) {
	for _, p := range proofs.Elements() {
		if got, ok := p.Member("id").Text(); !ok || got != id {
			continue
		}
		if !found.IsZero() {
			return found, &Failure{Code: BrokenChain, Reason: fmt.Sprintf("Two proofs have the id %q.", id)}
		}
		found = p
	}
	if found.IsZero() || id == "" {
		return found, &Failure{Code: BrokenChain, Reason: fmt.Sprintf("The proof %q, which another confirms, is not there.", id)}
	}
	return found, nil
}

// breakChains fails the proofs that confirm one that does not hold.
func breakChains(all []Checked) {
	for again := true; again; {
		again = false
		for i := range all {
			if all[i].Err == nil && all[i].confirmsFailed(all) {
				all[i].Err = &Failure{Code: BrokenChain, Reason: "A proof that this one confirms does not hold."}
				again = true
			}
		}
	}
}

func (c Checked) confirmsFailed(all []Checked) bool {
	ids, ok := texts(c.Proof.PreviousProof)
	return !ok || slices.ContainsFunc(all, func(o Checked) bool { return o.Err != nil && slices.Contains(ids, o.Proof.ID) })
}
