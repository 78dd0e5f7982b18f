package imscase

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"unicode/utf8"
)

// Sink takes the parts of a package as they are read. A nil function drops its
// part. An error ends the reading and is returned.
type Sink struct {
	Item        func(Item) error
	Association func(Association) error
	Rubric      func(Rubric) error
}

// maxObject is the largest single object of a package in bytes.
const maxObject = 4 << 20

// Read reads a package and hands on its parts. It returns *Refused for what the
// standard forbids, at the end, when everything was seen; whoever wrote the
// parts away undoes that. Any other error is of the reader or the sink.
func Read(r io.Reader, sink Sink) (Package, error) {
	p := &reader{dec: json.NewDecoder(r), sink: sink, v10: &checker{}, v11: &checker{v11: true},
		identifiers: map[string]bool{}}
	if err := p.read(); err != nil {
		return Package{}, err
	}
	p.settle()
	check := p.v10
	if p.pkg.Version == V11 {
		check = p.v11
	}
	for _, sentence := range slices.Sorted(maps.Keys(check.taken)) {
		p.pkg.Liberties = append(p.pkg.Liberties, fmt.Sprintf(sentence, check.taken[sentence]))
	}
	if len(check.found) > 0 {
		return p.pkg, &Refused{Violations: check.found, More: check.more}
	}
	return p.pkg, nil
}

type reader struct {
	dec         *json.Decoder
	sink        Sink
	v10, v11    *checker
	wants11     bool
	pkg         Package
	seen        map[string]bool
	identifiers map[string]bool
}

// read walks the members of the package object.
func (p *reader) read() error {
	if t, err := p.dec.Token(); err != nil || t != json.Delim('{') {
		return p.broken(err, "A CASE package is a JSON object with a CFDocument.")
	}
	p.seen = map[string]bool{}
	for p.dec.More() {
		t, err := p.dec.Token()
		if err != nil {
			return p.broken(err, "")
		}
		name := t.(string)
		if p.seen[name] {
			return p.broken(nil, fmt.Sprintf("The member %s stands in this package twice.", name))
		}
		p.seen[name] = true
		if err := p.member(name); err != nil {
			return err
		}
	}
	if _, err := p.dec.Token(); err != nil {
		return p.broken(err, "")
	}
	if _, err := p.dec.Token(); !errors.Is(err, io.EOF) {
		return p.broken(nil, "Something follows the end of the package.")
	}
	return nil
}

// broken is the refusal of what is not JSON, or not a package at all.
func (p *reader) broken(err error, message string) error {
	var syntax *json.SyntaxError
	if err != nil && !errors.As(err, &syntax) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	rule := "case-package"
	if err != nil {
		rule, message = "json", "This is not JSON: "+err.Error()+"."
	}
	return &Refused{Violations: []Violation{{Rule: rule, Pointer: fmt.Sprintf("byte %d", p.dec.InputOffset()), Message: message}}}
}

func (p *reader) member(name string) error {
	switch name {
	case "CFDocument":
		raw, err := p.value()
		if err != nil {
			return err
		}
		p.check("CFDocument", "/CFDocument", raw)
		p.pkg.Document.Raw = raw
		return p.decode(raw, &p.pkg.Document)
	case "CFItems":
		return p.each(name, &p.pkg.Items, p.item)
	case "CFAssociations":
		return p.each(name, &p.pkg.Links, p.association)
	case "CFRubrics":
		return p.each(name, &p.pkg.Rubrics, p.rubric)
	case "CFDefinitions":
		return p.definitions()
	case "extensions":
		raw, err := p.value()
		p.pkg.Extensions, p.wants11 = raw, true
		return err
	}
	raw, err := p.value()
	for _, c := range []*checker{p.v10, p.v11} {
		c.refuse("case-unknown-member", "/"+name, raw, "A CASE package has no member %s.", name)
	}
	return err
}

func (p *reader) value() (json.RawMessage, error) {
	var raw json.RawMessage
	if err := p.dec.Decode(&raw); err != nil {
		return nil, p.broken(err, "")
	}
	if len(raw) > maxObject {
		return nil, p.broken(nil, fmt.Sprintf("One object of the package is larger than %d bytes.", maxObject))
	}
	if !utf8.Valid(raw) {
		return nil, p.broken(nil, "The package is not in UTF-8.")
	}
	if hasNUL(raw) {
		return nil, p.broken(nil, "A text of the package has the character U+0000, which no text may have.")
	}
	return raw, nil
}

// hasNUL reports whether a text has the escape of U+0000; one whose backslash
// is itself escaped is none.
func hasNUL(raw []byte) bool {
	for from := 0; ; {
		i := bytes.Index(raw[from:], []byte(`\u0000`))
		if i < 0 {
			return false
		}
		at, slashes := from+i, 0
		for at-slashes > 0 && raw[at-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return true
		}
		from = at + 1
	}
}

// each reads a list element by element.
func (p *reader) each(name string, count *int, one func(pointer string, raw json.RawMessage) error) error {
	t, err := p.dec.Token()
	if err != nil {
		return p.broken(err, "")
	}
	if t != json.Delim('[') {
		return p.broken(nil, name+" is a list.")
	}
	for ; p.dec.More(); *count++ {
		raw, err := p.value()
		if err != nil {
			return err
		}
		if err := one(fmt.Sprintf("/%s/%d", name, *count), raw); err != nil {
			return err
		}
	}
	_, err = p.dec.Token()
	return err
}

func (p *reader) item(pointer string, raw json.RawMessage) error {
	p.check("CFItem", pointer, raw)
	it := Item{Raw: raw}
	if err := p.decode(raw, &it); err != nil {
		return err
	}
	p.once(pointer, it.Identifier)
	if p.sink.Item == nil {
		return nil
	}
	return p.sink.Item(it)
}

func (p *reader) association(pointer string, raw json.RawMessage) error {
	p.check("CFAssociation", pointer, raw)
	as := Association{Raw: raw}
	if err := p.decode(raw, &as); err != nil {
		return err
	}
	p.once(pointer, as.Identifier)
	if p.sink.Association == nil {
		return nil
	}
	return p.sink.Association(as)
}

func (p *reader) rubric(pointer string, raw json.RawMessage) error {
	p.check("CFRubric", pointer, raw)
	ru := Rubric{Raw: raw}
	if err := p.decode(raw, &ru); err != nil {
		return err
	}
	p.once(pointer, ru.Identifier)
	for i, c := range ru.Criteria {
		p.once(fmt.Sprintf("%s/CFRubricCriteria/%d", pointer, i), c.Identifier)
		for k, l := range c.Levels {
			p.once(fmt.Sprintf("%s/CFRubricCriteria/%d/CFRubricCriterionLevels/%d", pointer, i, k), l.Identifier)
		}
	}
	if p.sink.Rubric == nil {
		return nil
	}
	return p.sink.Rubric(ru)
}

func (p *reader) definitions() error {
	raw, err := p.value()
	if err != nil {
		return err
	}
	p.pkg.Definitions = raw
	if bytes.Equal(bytes.TrimSpace(raw), []byte("[]")) {
		p.v11.refuse("case-object", "/CFDefinitions", raw, "CFDefinitions is a JSON object.") // 1.0 lets it be an empty list
		return nil
	}
	p.check("CFDefinitions", "/CFDefinitions", raw)
	return nil
}

// signs are the members that only 1.1 has; one of them makes a package 1.1.
var signs = regexp.MustCompile(`"(?:extensions|frameworkType|caseVersion|targetType)"\s*:|"(?:isTranslationOf|ext:[^"]*)"`)

func (p *reader) check(name, pointer string, raw json.RawMessage) {
	p.wants11 = p.wants11 || signs.Match(raw)
	var members map[string]json.RawMessage
	if len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &members) != nil {
		p.v10.object(name, pointer, raw)
		p.v11.object(name, pointer, raw)
		return
	}
	// what 1.1 allows without a member of its own, 1.0 allows too
	before := len(p.v11.found) + p.v11.more
	p.v11.members(name, pointer, members)
	if len(p.v11.found)+p.v11.more > before {
		p.v10.members(name, pointer, members)
	}
}

// decode fills the fields; what does not fit was reported by check.
func (p *reader) decode(raw json.RawMessage, into any) error {
	var misfit *json.UnmarshalTypeError
	if err := json.Unmarshal(raw, into); err != nil && !errors.As(err, &misfit) {
		return nil //nolint:nilerr // a value that refuses itself was reported by check
	}
	return nil
}

func (p *reader) once(pointer, identifier string) {
	if identifier == "" {
		return
	}
	if p.identifiers[identifier] {
		for _, c := range []*checker{p.v10, p.v11} {
			c.refuse("case-identifier-once", pointer+"/identifier", []byte(identifier), "Another object of this package has the same identifier.")
		}
	}
	p.identifiers[identifier] = true
}

// settle decides the version: 1.1 when the document says so or a member of 1.1
// occurs, else 1.0.
func (p *reader) settle() {
	p.pkg.Version = V10
	if p.pkg.Document.CaseVersion != "" || p.wants11 {
		p.pkg.Version = V11
	}
	if !p.seen["CFDocument"] {
		for _, c := range []*checker{p.v10, p.v11} {
			c.refuse("case-package", "", nil, "A CASE package has a CFDocument; this is another object. Fetch the package from its CFPackages address.")
		}
	}
}
