// Package vcdm checks the form of any verifiable credential or presentation
// against the clauses of the Verifiable Credentials Data Model, 2.0 and 1.1.
//
// It is pure, looks at no proof and at no clock, and tells each problem by its
// place, a stable rule, the clause and a sentence. What a credential says beyond
// the data model is left to the standards of its kind; whether every term is
// defined is found out by jsonld. The first @context decides the generation.
package vcdm

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/spec/bitstring"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/shape"
	"github.com/testamur/testamur/internal/spec/vc"
)

// The contexts that a document of the data model begins with.
const (
	Context   = "https://www.w3.org/ns/credentials/v2"
	Context11 = "https://www.w3.org/2018/credentials/v1"
)

// model is one document on its way.
type model struct {
	old bool // of the data model 1.1
}

// clause is a section of the document's own generation.
func (m model) clause(in20, in11 string) string {
	if m.old {
		return "VCDM 1.1 §" + in11
	}
	return "VCDM 2.0 §" + in20
}

// Generation is the first @context of a document, where it is one of the data
// model; else empty.
func Generation(v jsonld.Value) string {
	for _, c := range v.Member("@context").Elements() {
		text, _ := c.Text()
		if text == Context || text == Context11 {
			return text
		}
		break
	}
	return ""
}

// Credential is everything that is wrong with the form of a credential.
func Credential(v jsonld.Value) []shape.Problem {
	p := shape.NewProblems()
	m := model{old: Generation(v) == Context11}
	if !v.IsObject() {
		p.Add("", "object", m.clause("4.3", "4.1"), "A credential is a JSON object.")
		return p.All()
	}
	m.contexts(p, v)
	m.types(p, v, "VerifiableCredential")
	m.id(p, v, false)
	m.issuer(p, v.Member("issuer"))
	m.texts(p, v)
	m.period(p, v)
	m.subjects(p, v.Member("credentialSubject"))
	m.statuses(p, v)
	m.typed(p, v, "credentialSchema", m.clause("4.11", "5.4"), true)
	m.typed(p, v, "refreshService", m.clause("5.4", "5.5"), m.old)
	m.typed(p, v, "termsOfUse", m.clause("5.5", "5.6"), false)
	m.typed(p, v, "evidence", m.clause("5.6", "5.7"), false)
	m.typed(p, v, "renderMethod", "VCDM 2.0 §5.7", false)
	m.typed(p, v, "proof", m.clause("4.12", "4.7"), false)
	if !m.old {
		resources(p, v)
	}
	return p.All()
}

// Presentation is everything that is wrong with the form of a presentation, but
// for what is wrong with the credentials in it.
func Presentation(v jsonld.Value) []shape.Problem {
	p := shape.NewProblems()
	m := model{old: Generation(v) == Context11}
	if !v.IsObject() {
		p.Add("", "object", m.clause("4.13", "4.10"), "A presentation is a JSON object.")
		return p.All()
	}
	m.contexts(p, v)
	m.types(p, v, "VerifiablePresentation")
	m.id(p, v, false)
	if holder := v.Member("holder"); !holder.IsZero() {
		m.party(p.At("holder"), holder, m.clause("4.13", "4.10"))
	}
	for i, c := range v.Member("verifiableCredential").Elements() {
		if _, text := c.Text(); !c.IsObject() && !(m.old && text) {
			p.At("verifiableCredential").Add(strconv.Itoa(i), "object", m.clause("4.13", "4.10"), "A credential in a presentation is a JSON object; a JWT stands in an EnvelopedVerifiableCredential.")
		}
	}
	m.typed(p, v, "proof", m.clause("4.12", "4.7"), false)
	return p.All()
}

// contexts: VCDM 2.0 §4.3.
func (m model) contexts(p shape.Problems, v jsonld.Value) {
	clause := m.clause("4.3", "4.1")
	if Generation(v) == "" {
		p.Add("@context", "context", clause, "The first @context is %s, or %s of the data model 1.1.", Context, Context11)
		return
	}
	seen := map[string]bool{}
	for i, c := range v.Member("@context").Elements() {
		q := p.At("@context").At(strconv.Itoa(i))
		text, isText := c.Text()
		switch {
		case !isText && !c.IsObject():
			q.Add("", "context", clause, "A context is an address or an object.")
		case isText && !shape.URI(text):
			q.Add("", "context", clause, "%q is not the address of a context.", text)
		case isText && seen[text]:
			q.Add("", "context-once", clause, "The contexts are a set: this one stands in it twice.")
		}
		seen[text] = isText
	}
}

// types: VCDM 2.0 §4.5.
func (m model) types(p shape.Problems, v jsonld.Value, must string) {
	clause := m.clause("4.5", "4.3")
	texts(p, v.Member("type"), "type", clause)
	if !slices.Contains(v.Member("type").Texts(), must) {
		p.Add("type", "type", clause, "Its type does not say that it is a %s.", must)
	}
}

// texts tells where a member is not one text or several.
func texts(p shape.Problems, v jsonld.Value, name, clause string) {
	for i, t := range v.Elements() {
		if text, ok := t.Text(); !ok || text == "" {
			p.At(name).Add(strconv.Itoa(i), "text", clause, "This is a JSON string.")
		}
	}
}

// id: VCDM 2.0 §4.4. One URL, not a list of them.
func (m model) id(p shape.Problems, v jsonld.Value, required bool) {
	clause := m.clause("4.4", "4.2")
	id := v.Member("id")
	if id.IsZero() {
		if required {
			p.Add("id", "required", clause, "The id is missing.")
		}
		return
	}
	url(p.At("id"), id, clause)
}

func url(p shape.Problems, v jsonld.Value, clause string) {
	if text, ok := v.Text(); !ok || !shape.URI(text) {
		p.Add("", "uri", clause, "This is one absolute URL, as a JSON string.")
	}
}

// issuer: VCDM 2.0 §4.7.
func (m model) issuer(p shape.Problems, v jsonld.Value) {
	clause := m.clause("4.7", "4.5")
	if v.IsZero() {
		p.Add("issuer", "required", clause, "The credential names no issuer.")
		return
	}
	m.party(p.At("issuer"), v, clause)
	if v.IsObject() {
		m.texts(p.At("issuer"), v)
	}
}

// party is a URL, or an object with one as its id.
func (m model) party(p shape.Problems, v jsonld.Value, clause string) {
	if v.IsObject() {
		m.id(p, v, true)
		return
	}
	url(p, v, clause)
}

// direction and language of a text in a language.
var languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)

// texts are the name and the description, each a text or the same in languages:
// VCDM 2.0 §4.6 and §11.1.
func (m model) texts(p shape.Problems, v jsonld.Value) {
	if m.old {
		return
	}
	for _, name := range []string{"name", "description"} {
		member := v.Member(name)
		if member.IsArray() && member.Len() == 0 {
			continue
		}
		for i, one := range member.Elements() {
			q := p.At(name)
			if member.IsArray() {
				q = q.At(strconv.Itoa(i))
			}
			inLanguage(q, one)
		}
	}
}

func inLanguage(p shape.Problems, v jsonld.Value) {
	const clause = "VCDM 2.0 §11.1"
	if _, ok := v.Text(); ok {
		return
	}
	if !v.IsObject() {
		p.Add("", "language-value", clause, "This is a text, or an object with @value, @language and @direction.")
		return
	}
	if _, ok := v.Member("@value").Text(); !ok {
		p.Add("@value", "language-value", clause, "A text in a language stands in @value.")
	}
	for name, one := range v.Members() {
		text, _ := one.Text()
		switch name {
		case "@value":
		case "@language":
			if !languageTag.MatchString(text) {
				p.Add(name, "language", clause, "This is not a language tag such as en or es-MX.")
			}
		case "@direction":
			if text != "ltr" && text != "rtl" {
				p.Add(name, "direction", clause, "The base direction is ltr or rtl.")
			}
		default:
			p.Add(name, "language-value", clause, "A text in a language has @value, @language and @direction, and nothing else.")
		}
	}
}

// period: VCDM 2.0 §4.9, VCDM 1.1 §4.6.
func (m model) period(p shape.Problems, v jsonld.Value) {
	from, until := "validFrom", "validUntil"
	if m.old {
		from, until = "issuanceDate", "expirationDate"
		if v.Member(from).IsZero() {
			p.Add(from, "required", "VCDM 1.1 §4.6", "The credential does not say when it was issued.")
		}
	}
	clause := m.clause("4.9", "4.6")
	a, okA := instant(p, v, from, clause)
	b, okB := instant(p, v, until, clause)
	if okA && okB && b.Before(a) {
		p.Add(until, "date-order", clause, "%s lies before %s.", until, from)
	}
}

func instant(p shape.Problems, v jsonld.Value, name, clause string) (at time.Time, ok bool) {
	m := v.Member(name)
	if m.IsZero() {
		return at, false
	}
	text, _ := m.Text()
	at, err := vc.Instant(text)
	if err != nil {
		p.Add(name, "instant", clause, "This is not an instant with its offset, such as 2026-05-31T12:00:00Z.")
	}
	return at, err == nil
}

// subjects: VCDM 2.0 §4.8.
func (m model) subjects(p shape.Problems, v jsonld.Value) {
	clause := m.clause("4.8", "4.4")
	if v.IsZero() || v.IsArray() && v.Len() == 0 {
		p.Add("credentialSubject", "required", clause, "The credential says nothing of anybody: it has no subject.")
	}
	for i, s := range v.Elements() {
		q := p.At("credentialSubject")
		if v.IsArray() {
			q = q.At(strconv.Itoa(i))
		}
		if !s.IsObject() || s.Len() == 0 {
			q.Add("", "subject", clause, "A subject is a JSON object that says something.")
			continue
		}
		m.id(q, s, false)
	}
}

// statuses: VCDM 2.0 §4.10.
func (m model) statuses(p shape.Problems, v jsonld.Value) {
	clause := m.clause("4.10", "4.9")
	m.typed(p, v, "credentialStatus", clause, m.old)
	for i, s := range v.Member("credentialStatus").Elements() {
		if !s.IsObject() || !slices.Contains(s.Member("type").Texts(), bitstring.TypeEntry) {
			continue
		}
		if _, err := bitstring.ParseEntry(s); err != nil {
			p.At("credentialStatus").Add(strconv.Itoa(i), "status-entry", "Bitstring Status List 1.0 §2.1", "%s.", strings.TrimSuffix(err.Error(), "."))
		}
	}
}

// typed are members that are objects with a type, and with an id where they must
// have one: VCDM 2.0 §4.5 lists which.
func (m model) typed(p shape.Problems, v jsonld.Value, name, clause string, id bool) {
	for i, one := range v.Member(name).Elements() {
		q := p.At(name)
		if v.Member(name).IsArray() {
			q = q.At(strconv.Itoa(i))
		}
		if !one.IsObject() {
			q.Add("", "object", clause, "This is a JSON object.")
			continue
		}
		if len(one.Member("type").Texts()) == 0 {
			q.Add("type", "required", clause, "Its type is missing.")
		}
		texts(q, one.Member("type"), "type", clause)
		m.id(q, one, id)
	}
}

// resources: VCDM 2.0 §5.3.
func resources(p shape.Problems, v jsonld.Value) {
	const clause = "VCDM 2.0 §5.3"
	all := v.Member("relatedResource")
	seen := map[string]bool{}
	for i, r := range all.Elements() {
		q := p.At("relatedResource").At(strconv.Itoa(i))
		if !r.IsObject() {
			q.Add("", "object", clause, "A related resource is a JSON object.")
			continue
		}
		url(q.At("id"), r.Member("id"), clause)
		id, _ := r.Member("id").Text()
		if seen[id] {
			q.Add("id", "resource-once", clause, "Another related resource has the same id.")
		}
		seen[id] = true
		if media := r.Member("mediaType"); !media.IsZero() {
			if text, ok := media.Text(); !ok || !strings.Contains(text, "/") {
				q.Add("mediaType", "media-type", clause, "This is not a media type such as image/png.")
			}
		}
		digests(q, r, clause)
	}
}
