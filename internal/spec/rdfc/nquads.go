package rdfc

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrSyntax is wrapped by every error of ParseNQuads.
var ErrSyntax = errors.New("not N-Quads")

// ParseNQuads reads an N-Quads document, with comments, escapes and any white
// space the grammar allows, into terms in canonical form. It refuses relative
// or malformed IRIs, unpaired surrogates and invalid UTF-8; the error names the
// line and wraps ErrSyntax.
func ParseNQuads(doc []byte) (Dataset, error) {
	var ds Dataset
	for n := 1; len(doc) > 0; n++ {
		var line []byte
		end := bytes.IndexAny(doc, "\r\n")
		if end < 0 {
			line, doc = doc, nil
		} else {
			line = doc[:end]
			if doc[end] == '\r' && end+1 < len(doc) && doc[end+1] == '\n' {
				end++
			}
			doc = doc[end+1:]
		}
		q, ok, err := parseLine(string(line))
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrSyntax, n, err)
		}
		if ok {
			ds = append(ds, q)
		}
	}
	return ds, nil
}

// parseLine reads one line; ok is false where it holds no statement.
func parseLine(line string) (q Quad, ok bool, err error) {
	if !utf8.ValidString(line) {
		return q, false, errors.New("the text is not valid UTF-8")
	}
	l := lexer{rest: line}
	if l.blank() {
		return q, false, nil
	}
	if q.Subject, err = l.term("subject", false); err != nil {
		return q, false, err
	}
	if q.Predicate, err = l.iri("predicate"); err != nil {
		return q, false, err
	}
	if q.Object, err = l.term("object", true); err != nil {
		return q, false, err
	}
	l.space()
	if !strings.HasPrefix(l.rest, ".") {
		if q.Graph, err = l.term("graph name", false); err != nil {
			return q, false, err
		}
		l.space()
	}
	if !strings.HasPrefix(l.rest, ".") {
		return q, false, errors.New("the statement does not end in a full stop")
	}
	l.rest = l.rest[1:]
	if !l.blank() {
		return q, false, errors.New("something follows the statement")
	}
	return q, true, nil
}

// lexer reads terms off the front of a line.
type lexer struct{ rest string }

func (l *lexer) space() { l.rest = strings.TrimLeft(l.rest, " \t") }

// blank reports whether nothing but white space and a comment is left.
func (l *lexer) blank() bool {
	l.space()
	return l.rest == "" || l.rest[0] == '#'
}

// term reads an IRI, a blank node or, where allowed, a literal.
func (l *lexer) term(what string, literal bool) (Term, error) {
	l.space()
	switch {
	case strings.HasPrefix(l.rest, "_:"):
		return l.label()
	case literal && strings.HasPrefix(l.rest, `"`):
		return l.literal()
	default:
		return l.iri(what)
	}
}

func (l *lexer) iri(what string) (Term, error) {
	l.space()
	if !strings.HasPrefix(l.rest, "<") {
		return "", fmt.Errorf("the %s is missing or of the wrong kind", what)
	}
	end := strings.IndexByte(l.rest, '>')
	if end < 0 {
		return "", fmt.Errorf("the IRI of the %s is not closed", what)
	}
	iri, err := unescape(l.rest[1:end], false)
	if err != nil {
		return "", err
	}
	if !ValidIRI(iri) {
		return "", fmt.Errorf("the %s %q is not an absolute IRI", what, iri)
	}
	l.rest = l.rest[end+1:]
	return IRI(iri), nil
}

// label reads a blank node: BLANK_NODE_LABEL of the grammar, so a full stop may
// stand inside but not at the end.
func (l *lexer) label() (Term, error) {
	end := 2
	for i, r := range l.rest[2:] {
		if !labelRune(r, i == 0) {
			break
		}
		end = 2 + i + utf8.RuneLen(r)
	}
	label := strings.TrimRight(l.rest[:end], ".")
	if len(label) == 2 {
		return "", errors.New("a blank node has no label")
	}
	l.rest = l.rest[len(label):]
	return Term(label), nil
}

func labelRune(r rune, first bool) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_', r == ':':
		return true
	case r == '-', r == '.', r == 0xB7, 0x300 <= r && r <= 0x36F, 0x203F <= r && r <= 0x2040:
		return !first
	}
	return 0xC0 <= r && r != 0xD7 && r != 0xF7 && r <= 0x1FFF && r != 0x37E ||
		0x200C <= r && r <= 0x200D || 0x2070 <= r && r <= 0x218F || 0x2C00 <= r && r <= 0x2FEF ||
		0x3001 <= r && r <= 0xD7FF || 0xF900 <= r && r <= 0xFDCF || 0xFDF0 <= r && r <= 0xFFFD ||
		0x10000 <= r && r <= 0xEFFFF
}

func (l *lexer) literal() (Term, error) {
	end := 1
	for end < len(l.rest) && l.rest[end] != '"' {
		if l.rest[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(l.rest) {
		return "", errors.New("a literal is not closed")
	}
	text, err := unescape(l.rest[1:end], true)
	if err != nil {
		return "", err
	}
	l.rest = l.rest[end+1:]
	switch {
	case strings.HasPrefix(l.rest, "^^"):
		l.rest = l.rest[2:]
		if !strings.HasPrefix(l.rest, "<") {
			return "", errors.New("a datatype is not an IRI")
		}
		dt, err := l.iri("datatype")
		if err != nil {
			return "", err
		}
		return Literal(text, string(dt[1:len(dt)-1])), nil
	case strings.HasPrefix(l.rest, "@"):
		n := LangLen(l.rest[1:])
		if n == 0 {
			return "", errors.New("a language tag is malformed")
		}
		lang := l.rest[1 : 1+n]
		l.rest = l.rest[1+n:]
		return LangLiteral(text, lang), nil
	}
	return Literal(text, ""), nil
}

// LangLen is the length of the language tag that s begins with, by the grammar
// of N-Quads: letters, then parts of letters and digits after hyphens.
func LangLen(s string) int {
	n := 0
	for n < len(s) && 'a' <= s[n]|0x20 && s[n]|0x20 <= 'z' {
		n++
	}
	for n > 0 && n+1 < len(s) && s[n] == '-' && alnum(s[n+1]) {
		for n++; n < len(s) && alnum(s[n]); n++ {
		}
	}
	return n
}

func alnum(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
}

// unescape resolves \u and \U, and in literals the one-letter escapes.
func unescape(s string, literal bool) (string, error) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			return "", errors.New("an escape is cut short")
		}
		if at := strings.IndexByte(`tbnrf"'\`, s[i]); literal && at >= 0 {
			b.WriteByte("\t\b\n\r\f\"'\\"[at])
			continue
		}
		r, n, err := uchar(s[i:])
		if err != nil {
			return "", err
		}
		b.WriteRune(r)
		i += n - 1
	}
	return b.String(), nil
}

// Unescaped is a literal's text, from its canonical form between the quotes.
func Unescaped(canonical string) string {
	text, err := unescape(canonical, true)
	if err != nil {
		return canonical // not reached: terms are in canonical form
	}
	return text
}

// uchar reads uXXXX or UXXXXXXXX.
func uchar(s string) (rune, int, error) {
	n := 5
	if s[0] == 'U' {
		n = 9
	}
	if s[0] != 'u' && s[0] != 'U' || len(s) < n {
		return 0, 0, errors.New("an escape is unknown or cut short")
	}
	v, err := strconv.ParseUint(s[1:n], 16, 32)
	if err != nil || v > utf8.MaxRune || 0xD800 <= v && v <= 0xDFFF {
		return 0, 0, fmt.Errorf("the escape \\%s is not a character", s[:n])
	}
	return rune(v), n, nil
}

// Plain reports whether a literal's text stands in its canonical form as it is,
// without an escape.
func Plain(text string) bool {
	for i := 0; i < len(text); i++ {
		if c := text[i]; c < 0x20 || c == '"' || c == '\\' || c == 0x7F || c == 0xEF && nonChar(text[i:]) {
			return false
		}
	}
	return true
}

// nonChar reports whether s begins with U+FFFE or U+FFFF, which XML 1.1 does
// not count as characters.
func nonChar(s string) bool {
	return strings.HasPrefix(s, "\uFFFE") || strings.HasPrefix(s, "\uFFFF")
}

const upperHex = "0123456789ABCDEF"

// appendEscaped writes a literal's text by the canonical form of N-Quads: the
// short escapes where there are any, \uXXXX for other controls and
// non-characters, everything else as it is.
func appendEscaped(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\b':
			b = append(b, `\b`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\f':
			b = append(b, `\f`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c < 0x20 || c == 0x7F:
			b = append(b, '\\', 'u', '0', '0', upperHex[c>>4], upperHex[c&15])
		case c == 0xEF && nonChar(s[i:]):
			b = append(b, `\uFFF`...)
			b = append(b, upperHex[s[i+2]&15])
			i += 2
		default:
			b = append(b, c)
		}
	}
	return b
}
