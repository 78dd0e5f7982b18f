package jsonld

import (
	"strings"

	"github.com/testamur/testamur/internal/spec/rdfc"
)

// i18nBase is the namespace of datatypes that hold a language and a direction.
const i18nBase = "https://www.w3.org/ns/i18n#"

// validLanguage reports whether s has the form of a language tag.
func validLanguage(s string) bool { return s != "" && rdfc.LangLen(s) == len(s) }

// scalar is the term of a plain value, as its property has it: value expansion,
// JSON-LD API §5.3.2.
func (w *walker) scalar(ac *active, def *term, at int32) (rdfc.Term, error) {
	n := &w.nodes[at]
	if n.kind == kindString {
		return w.textScalar(ac, def, at, n.text)
	}
	datatype, suffix := "", ""
	if def.coerce == coerceDatatype {
		datatype, suffix = def.typ, def.suffix
	}
	return w.plainLiteral(at, datatype, suffix)
}

func (w *walker) textScalar(ac *active, def *term, at int32, s string) (rdfc.Term, error) {
	switch def.coerce {
	case coerceID:
		return w.reference(at, ac, s, false)
	case coerceVocab:
		return w.reference(at, ac, s, true)
	case coerceDatatype:
		return w.text.literal(s, def.suffix), nil
	}
	lang, dir := ac.language, ac.direction
	if def.language.state != unset {
		lang = def.language.text
	}
	if def.direction.state != unset {
		dir = def.direction.text
	}
	return w.textLiteral(at, s, lang, dir)
}

// textLiteral is a text with a language and a direction, either may be "".
func (w *walker) textLiteral(at int32, s, lang, dir string) (rdfc.Term, error) {
	lang = strings.ToLower(lang)
	switch {
	case dir == "" && lang == "":
		return w.text.literal(s, `"`), nil
	case dir == "":
		return rdfc.LangLiteral(s, lang), nil
	case w.direction == I18NDatatype:
		return rdfc.Literal(s, i18nBase+lang+"_"+dir), nil
	}
	return "", w.refuse(at, UnsignedValue, "the text has a base direction, which would not be signed")
}

// plainLiteral is a number or boolean, with a datatype or its natural one.
func (w *walker) plainLiteral(at int32, datatype, suffix string) (rdfc.Term, error) {
	n := &w.nodes[at]
	var lexical string
	natural := xsd + "boolean"
	switch n.kind {
	case kindTrue:
		lexical = "true"
	case kindFalse:
		lexical = "false"
	case kindNumber:
		v, err := parseNumber(n.text)
		if err != nil {
			return "", w.fail(at, err)
		}
		lexical, natural = numberLiteral(v, datatype)
	default:
		return "", w.refuse(at, InvalidValue, "a string, number or boolean is due here")
	}
	if suffix != "" {
		return w.text.literal(lexical, suffix), nil
	}
	return rdfc.Literal(lexical, natural), nil
}

// valueObject writes {"@value": …}.
func (n *nodeWalk) valueObject(p place, e mapEntry) error {
	if !n.seen.only(kwValue, kwType, kwLanguage, kwDirection, kwIndex) {
		return n.refuse(n.at, InvalidValue, "a value has members that belong to a node")
	}
	if n.seen.any(kwIndex) {
		return n.refuse(n.first(kwIndex), UnsignedValue, "an @index is a mere annotation and would not be signed")
	}
	if p.def == nil || e.id != "" || e.typ != "" || e.more.Predicate != "" {
		return n.refuse(n.at, UnsignedValue, "a value stands where only a node can, and would not be signed")
	}
	o, err := n.value()
	if err != nil {
		return err
	}
	return n.put(n.at, p, o)
}

// value is the term of a value object.
func (n *nodeWalk) value() (rdfc.Term, error) {
	at := n.first(kwValue)
	v := &n.nodes[at]
	if n.seen.any(kwType) {
		if n.seen.any(kwLanguage, kwDirection) {
			return "", n.refuse(n.at, InvalidValue, "a value has a type and a language or direction")
		}
		return n.typedValue(at)
	}
	if v.kind == kindNull {
		return "", n.refuse(at, UnsignedValue, "null says nothing and would not be signed; leave the member out")
	}
	lang, err := n.annotation(kwLanguage)
	if err != nil {
		return "", err
	}
	if lang != "" && !validLanguage(lang) {
		return "", n.refuse(n.first(kwLanguage), InvalidValue, "%q is not a language tag", lang)
	}
	dir, err := n.annotation(kwDirection)
	if err != nil {
		return "", err
	}
	if dir != "" && dir != "ltr" && dir != "rtl" {
		return "", n.refuse(n.first(kwDirection), InvalidValue, "@direction is ltr or rtl")
	}
	if v.kind == kindString {
		return n.textLiteral(n.at, v.text, lang, dir)
	}
	if lang != "" || dir != "" {
		return "", n.refuse(at, InvalidValue, "only a text has a language or direction")
	}
	return n.plainLiteral(at, "", "")
}

// annotation is the text of @language or @direction, or "".
func (n *nodeWalk) annotation(k keyword) (string, error) {
	at := n.first(k)
	if at == 0 {
		return "", nil
	}
	if v := &n.nodes[at]; v.kind == kindString && v.text != "" {
		return v.text, nil
	}
	return "", n.refuse(at, InvalidValue, "%q is a text", n.nodes[at].key)
}

// typedValue is the term of {"@value": …, "@type": …}.
func (n *nodeWalk) typedValue(at int32) (rdfc.Term, error) {
	ty := n.first(kwType)
	if n.nodes[ty].kind == kindArray && n.nodes[ty].count == 1 {
		ty = n.nodes[ty].child
	}
	if n.nodes[ty].kind != kindString {
		return "", n.refuse(ty, InvalidValue, "the type of a value is a string")
	}
	name := n.nodes[ty].text
	datatype := n.typed.expand(name, true)
	if datatype == "@json" {
		return n.jsonLiteral(at)
	}
	if err := checkIRI(name, datatype); err != nil {
		return "", n.fail(ty, err)
	}
	if n.nodes[at].kind == kindString {
		return rdfc.Literal(n.nodes[at].text, datatype), nil
	}
	return n.plainLiteral(at, datatype, datatypeSuffix(datatype))
}

// jsonLiteral is a value kept as JSON: its text by RFC 8785.
func (w *walker) jsonLiteral(at int32) (rdfc.Term, error) {
	b, err := w.appendJCS(nil, at, true)
	if err != nil {
		return "", w.fail(at, err)
	}
	return rdfc.Literal(string(b), rdfJSON), nil
}
