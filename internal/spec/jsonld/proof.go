package jsonld

import (
	"bytes"
	"strings"

	"github.com/testamur/testamur/internal/spec/rdfc"
)

// The options of nearly every proof are the same five texts in the same context,
// so their canonical form is made once for a context, with holes where the texts
// go. Anything else is canonicalized as other documents are.

// optionsForm is the canonical form of proof options in one context.
type optionsForm struct {
	inner  *active   // in which the members of the proof are read
	around [4]string // texts around created, cryptosuite and verification method
}

// The texts that are put into the holes when a form is made.
const (
	holeCreated = "2000-01-01T00:00:00Z"
	holeSuite   = "hole-of-the-suite"
	holeMethod  = "urn:hole:of-the-method"
)

// options are the texts of usual proof options.
type options struct{ created, suite, method string }

// usual reports whether the document is the options of a usual proof: an
// assertion by a DataIntegrityProof, with the members that every suite asks for
// and no more.
func (d *Document) usual() (o options, ok bool) {
	root := &d.tree.nodes[d.at]
	if d.outer == nil || root.kind != kindObject || root.count != 5 {
		return o, false
	}
	for c := root.child; c != 0; c = d.tree.nodes[c].next {
		n := &d.tree.nodes[c]
		if n.kind != kindString {
			return o, false
		}
		switch n.key {
		case "type":
			ok = n.text == "DataIntegrityProof"
		case "proofPurpose":
			ok = n.text == "assertionMethod"
		case "created":
			o.created, ok = n.text, rdfc.Plain(n.text)
		case "cryptosuite":
			o.suite, ok = n.text, rdfc.Plain(n.text)
		case "verificationMethod":
			o.method, ok = n.text, rdfc.WellFormedIRI(n.text)
		default:
			ok = false
		}
		if !ok {
			return o, false
		}
	}
	return o, true // five members, none twice, are these five
}

// usualOptions adds the canonical form of usual proof options; ok is false where
// the document is something else.
func (d *Document) usualOptions(b []byte) (_ []byte, ok bool) {
	o, ok := d.usual()
	if !ok {
		return b, false
	}
	ac, err := d.outer.inside()
	if err != nil || ac.derived == nil {
		return b, false
	}
	form := ac.derived.options.Load()
	if form == nil {
		form = makeOptionsForm(ac)
		ac.derived.options.Store(form)
	}
	if form.inner == nil {
		return b, false
	}
	// A prefix of this name would make another IRI of the method.
	if scheme, _, _ := strings.Cut(o.method, ":"); form.inner.terms[scheme] != nil {
		return b, false
	}
	b = append(append(b, form.around[0]...), o.created...)
	b = append(append(b, form.around[1]...), o.suite...)
	b = append(append(b, form.around[2]...), o.method...)
	return append(b, form.around[3]...), true
}

// makeOptionsForm makes the form for a context the long way, with texts that
// cannot be mistaken. It has no inner context where that does not come out as
// expected, such as in a context that does not know proofs.
func makeOptionsForm(ac *active) *optionsForm {
	const text = `{"type":"DataIntegrityProof","cryptosuite":"` + holeSuite + `","created":"` + holeCreated + `","verificationMethod":"` + holeMethod + `","proofPurpose":"assertionMethod"}`
	none := &optionsForm{}
	t, err := parseJSON(text, nil)
	if err != nil {
		return none
	}
	w := walker{tree: t}
	if err := w.object(ac, 0, place{}, mapEntry{}); err != nil {
		return none
	}
	inner, err := w.applyTypes(ac, 0)
	if err != nil {
		return none
	}
	all, err := rdfc.Canonicalize(w.quads, rdfc.Options{})
	if err != nil {
		return none
	}
	form := optionsForm{inner: inner}
	rest := all.NQuads
	for i, hole := range []string{holeCreated, holeSuite, holeMethod} {
		before, after, found := bytes.Cut(rest, []byte(hole))
		if !found || bytes.Count(all.NQuads, []byte(hole)) != 1 {
			return none
		}
		form.around[i], rest = string(before), after
	}
	form.around[3] = string(rest)
	return &form
}
