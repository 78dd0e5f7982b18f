// Package shape holds the classes of a standard as tables and checks JSON
// against them: which members an object has, how many values each, of what
// kind, and under which clause.
//
// A table is text, a class a paragraph:
//
//	Name §clause word...
//		member!kind member:kind member*kind member+kind member?kind
//
// The sign is how many: ! one, : at most one, * any, + at least one; ? at most
// one in the canonical form and any in the compact form; ~ one in the canonical
// form and at most one in the compact form. The words behind the
// clause are "typed" where the member type must hold the name of the class, and
// "closed" where no other members may stand. A kind is one of those below, the
// name of an enumeration, the name of a class, or several joined by a bar. The
// walk is linear in the document, and at most MaxProblems are told.
package shape

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/spec/jsonld"
)

// Problem is one place where a value breaks a standard.
type Problem struct {
	Field   string // path, such as resultDescription.0.valueMin; "" is the whole
	Rule    string // stable name
	Clause  string // of the standard, with its name
	Message string // a sentence
}

// Error makes a problem an error.
func (p Problem) Error() string {
	if p.Field == "" {
		return p.Message + " (" + p.Clause + ")"
	}
	return p.Field + ": " + p.Message + " (" + p.Clause + ")"
}

// Told is what is wrong, in a sentence or two for a person; there is at least one
// problem.
func Told(all []Problem) string {
	s := all[0].Message
	if all[0].Field != "" {
		s = "At " + all[0].Field + ": " + s
	}
	if len(all) > 1 {
		s += fmt.Sprintf(" %d more problems follow it.", len(all)-1)
	}
	return s
}

// MaxProblems is how many problems of one document are told.
const MaxProblems = 100

// Form is how strictly a document is read.
type Form int

// The forms.
const (
	Compact   Form = iota // one value may stand in a list's place, as JSON-LD allows
	Canonical             // what may be many is a list
)

// Enum is a list of words; an open one takes others that begin with ext: too.
type Enum struct {
	Rule  string
	Words []string
	Open  bool
}

// Standard is the classes of one standard.
type Standard struct {
	Name    string // such as OB 3.0
	classes map[string]*class
	enums   map[string]Enum
	// Variant gives the class that is meant where a class is named, for a value:
	// the same class in another generation. nil: the class itself.
	Variant func(class string, v jsonld.Value) string
	// Also checks an object of a class for what its table does not say. nil: nothing.
	Also func(p Problems, class string, v jsonld.Value)
}

type class struct {
	name, clause  string
	typed, closed bool
	members       map[string]member
	required      []string
}

type member struct {
	many  byte
	kinds []string
}

// New reads the table of a standard, beside those of others whose classes it
// names. It panics on a table that is not as described: tables are constants.
func New(name, table string, enums map[string]Enum, others ...*Standard) *Standard {
	s := &Standard{Name: name, classes: map[string]*class{}, enums: map[string]Enum{}}
	for _, o := range others {
		for k, c := range o.classes {
			s.classes[k] = c
		}
		for k, e := range o.enums {
			s.enums[k] = e
		}
	}
	for k, e := range enums {
		s.enums[k] = e
	}
	var c *class
	for line := range strings.Lines(table) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case line[0] != '\t' && line[0] != ' ':
			c = &class{name: words[0], clause: name + " " + words[1], members: map[string]member{}}
			c.typed, c.closed = slices.Contains(words, "typed"), slices.Contains(words, "closed")
			s.classes[c.name] = c
		default:
			for _, w := range words {
				c.read(w)
			}
		}
	}
	s.settle()
	return s
}

func (c *class) read(w string) {
	at := strings.IndexAny(w, "!:*+?~")
	if at < 1 {
		panic("shape: " + w)
	}
	c.members[w[:at]] = member{w[at], strings.Split(w[at+1:], "|")}
	if strings.IndexByte("!+~", w[at]) >= 0 {
		c.required = append(c.required, w[:at])
	}
}

// settle makes sure that every kind is known.
func (s *Standard) settle() {
	for _, c := range s.classes {
		for name, m := range c.members {
			for _, k := range m.kinds {
				if _, ok := s.classes[k]; ok {
					continue
				}
				if _, ok := s.enums[k]; ok {
					continue
				}
				if _, ok := kinds[k]; !ok {
					panic("shape: " + c.name + "." + name + " is of the unknown kind " + k)
				}
			}
		}
	}
}

// Check is what is wrong with a value of a class.
func (s *Standard) Check(name string, v jsonld.Value, form Form) []Problem {
	w := NewProblems()
	(&walk{s, form, w}).object(w, name, v)
	return w.All()
}

type walk struct {
	s    *Standard
	form Form
	root Problems
}

func (w *walk) object(p Problems, name string, v jsonld.Value) {
	if w.s.Variant != nil {
		name = w.s.Variant(name, v)
	}
	c := w.s.classes[name]
	if p.Full() {
		return
	}
	if !v.IsObject() {
		p.Add("", "object", c.clause, "This is a JSON object, of the class %s.", plain(c.name))
		return
	}
	for _, m := range c.required {
		if v.Member(m).IsZero() && !(w.form == Compact && c.members[m].many == '~') {
			p.Add(m, "required", c.clause, "%s has a member %s, and this one has none.", article(c.name), m)
		}
	}
	for m, value := range v.Members() {
		def, known := c.members[m]
		switch {
		case known:
			w.member(p.At(m), c, def, value)
		case c.closed:
			p.Add(m, "unknown-member", c.clause, "%s has no member %s.", article(c.name), m)
		}
	}
	if w.s.Also != nil {
		w.s.Also(p, plain(c.name), v)
	}
	if _, declared := c.members["type"]; c.typed && declared && !v.Member("type").IsZero() && !slices.Contains(v.Member("type").Texts(), plain(c.name)) {
		p.Add("type", "type", c.clause, "Its type does not say that it is %s.", strings.ToLower(article(c.name)[:1])+article(c.name)[1:])
	}
}

// plain is the name of a class without the mark of its generation.
func plain(name string) string {
	name, _, _ = strings.Cut(name, "/")
	return name
}

func article(name string) string {
	name = plain(name)
	if strings.ContainsRune("AEIOU", rune(name[0])) {
		return "An " + name
	}
	return "A " + name
}

func (w *walk) member(p Problems, c *class, m member, v jsonld.Value) {
	if v.IsNull() {
		p.Add("", "null", c.clause, "What is absent is left out, not written as null.")
		return
	}
	list := m.many == '*' || m.many == '+' || m.many == '?' && w.form == Compact
	if !list {
		if v.IsArray() && !slices.Contains(m.kinds, "any") {
			if w.form == Canonical || v.Len() != 1 {
				p.Add("", "one-value", c.clause, "One value stands here, not a list.")
				return
			}
			v = v.One()
		}
		w.value(p, c, m, v)
		return
	}
	if !v.IsArray() && w.form == Canonical && m.many != '?' {
		p.Add("", "list", c.clause, "This is a list, also with one value.")
		return
	}
	if m.many == '+' && v.IsArray() && v.Len() == 0 {
		p.Add("", "required", c.clause, "At least one value stands here.")
	}
	for i, e := range v.Elements() {
		if p.Full() {
			return
		}
		q := p
		if v.IsArray() {
			q = p.At(strconv.Itoa(i))
		}
		w.value(q, c, m, e)
	}
}

// value checks one value against the kinds it may be of: the one that fits its
// JSON form, else the first.
func (w *walk) value(p Problems, c *class, m member, v jsonld.Value) {
	for _, k := range m.kinds {
		if _, isClass := w.s.classes[k]; isClass == v.IsObject() || len(m.kinds) == 1 {
			w.kind(p, c, k, v)
			return
		}
	}
	w.kind(p, c, m.kinds[0], v)
}

func (w *walk) kind(p Problems, c *class, kind string, v jsonld.Value) {
	if _, ok := w.s.classes[kind]; ok {
		w.object(p, kind, v)
		return
	}
	if e, ok := w.s.enums[kind]; ok {
		text, isText := v.Text()
		if !isText {
			p.Add("", "text", c.clause, "This is a JSON string.")
		} else if !slices.Contains(e.Words, text) && !(e.Open && extension.MatchString(text)) {
			p.Add("", e.Rule, c.clause, "%q is not one of the standard's%s.", short(text), map[bool]string{true: ", and does not begin with ext:"}[e.Open])
		}
		return
	}
	kinds[kind](p, c.clause, v, w.form)
}

func short(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}

var (
	extension = regexp.MustCompile(`^ext:[A-Za-z0-9.\-_|]+$`)
	language  = regexp.MustCompile(`^[a-z]{2,4}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$`)
	// languageKey is a key of a language map, or a member of a value object.
	languageKey = regexp.MustCompile(`^([a-z]{2}(-[A-Z]{2})?|@value|@language|@direction)$`)
	compact     = regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+$`)
)

// kinds are the kinds of a value that is of no class.
var kinds = map[string]func(p Problems, clause string, v jsonld.Value, f Form){
	"any":    func(Problems, string, jsonld.Value, Form) {},
	"object": isObject,
	"text":   isText,
	"word":   isWord,
	"uri":    isURI,
	"instant": func(p Problems, clause string, v jsonld.Value, _ Form) {
		if text, ok := v.Text(); !ok {
			p.Add("", "text", clause, "This is a JSON string.")
		} else if _, ok := Instant(text); !ok {
			p.Add("", "instant", clause, "%q is not an instant with its offset, such as 2026-05-31T12:00:00Z.", short(text))
		}
	},
	"iso": func(p Problems, clause string, v jsonld.Value, _ Form) {
		if text, _ := v.Text(); !ISO(text) {
			p.Add("", "instant", clause, "%s is not an instant in ISO 8601 with its offset, such as 2026-05-31T12:00:00Z.", short(string(v.Raw())))
		}
	},
	"day": func(p Problems, clause string, v jsonld.Value, _ Form) {
		text, _ := v.Text()
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			p.Add("", "day", clause, "%s is not a day, such as 2026-05-31.", short(string(v.Raw())))
		}
	},
	"number": func(p Problems, clause string, v jsonld.Value, _ Form) {
		if _, ok := v.Number(); !ok {
			p.Add("", "number", clause, "This is a JSON number.")
		}
	},
	"boolean": func(p Problems, clause string, v jsonld.Value, _ Form) {
		if _, ok := v.Bool(); !ok {
			p.Add("", "boolean", clause, "This is true or false.")
		}
	},
	"language": func(p Problems, clause string, v jsonld.Value, _ Form) {
		if text, ok := v.Text(); !ok || !Language(text) {
			p.Add("", "language", clause, "%s is not a language tag such as en or es-MX.", short(string(v.Raw())))
		}
	},
	"jws": func(p Problems, clause string, v jsonld.Value, _ Form) {
		if text, ok := v.Text(); !ok || !compact.MatchString(text) {
			p.Add("", "jws", clause, "This is not a signed token of three parts.")
		}
	},
}

func isObject(p Problems, clause string, v jsonld.Value, _ Form) {
	if !v.IsObject() {
		p.Add("", "object", clause, "This is a JSON object.")
	}
}

func isWord(p Problems, clause string, v jsonld.Value, _ Form) {
	if _, ok := v.Text(); !ok {
		p.Add("", "text", clause, "This is a JSON string.")
	}
}

// isText takes a string and, in the compact form, the same in several
// languages.
func isText(p Problems, clause string, v jsonld.Value, f Form) {
	if _, ok := v.Text(); ok {
		return
	}
	if f == Canonical || !v.IsObject() {
		p.Add("", "text", clause, "This is a JSON string.")
		return
	}
	for tag, m := range v.Members() {
		if _, ok := m.Text(); !ok || !languageKey.MatchString(tag) {
			p.Add("", "text", clause, "This is a JSON string, or one for each language.")
			return
		}
	}
}

func isURI(p Problems, clause string, v jsonld.Value, _ Form) {
	if text, ok := v.Text(); !ok {
		p.Add("", "text", clause, "This is a JSON string.")
	} else if !URI(text) {
		p.Add("", "uri", clause, "%q is not an absolute URI.", short(text))
	}
}

// URI reports whether a text is an absolute URI or IRI.
func URI(text string) bool {
	if strings.ContainsAny(text, " \t\r\n<>\"{}|\\^`") {
		return false
	}
	scheme, rest, ok := strings.Cut(text, ":")
	if !ok || rest == "" || !schemed(scheme) {
		return false
	}
	if scheme == "data" || len(text) > 4096 {
		return true
	}
	_, err := url.Parse(text)
	return err == nil
}

func schemed(scheme string) bool {
	for i, r := range scheme {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || !('0' <= r && r <= '9' || r == '+' || r == '-' || r == '.')) {
			return false
		}
	}
	return scheme != ""
}

// Language reports whether a text is a language tag, OB 3.0 §B.3.3.
func Language(text string) bool { return language.MatchString(text) }

// Extension reports whether a text is a word of an open enumeration that is not
// the standard's: it begins with ext:.
func Extension(text string) bool { return extension.MatchString(text) }

// Instant is the instant of a text, RFC 3339 with its offset, or false.
func Instant(text string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, strings.ToUpper(text))
	return t, err == nil
}

// isoForms are the forms of ISO 8601 that issuers before RFC 3339 was asked for
// write.
var isoForms = []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07"}

// ISOInstant is the instant of a text in ISO 8601 with its offset, or false.
func ISOInstant(text string) (time.Time, bool) {
	for _, form := range isoForms {
		if t, err := time.Parse(form, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// ISO reports whether a text is such an instant.
func ISO(text string) bool {
	_, ok := ISOInstant(text)
	return ok
}

// Problems gathers what is wrong below one path.
type Problems struct {
	path string
	all  *[]Problem
}

// NewProblems is an empty account of a whole document.
func NewProblems() Problems { return Problems{all: &[]Problem{}} }

// All is everything that was told.
func (p Problems) All() []Problem { return *p.all }

// Full reports whether no more is told.
func (p Problems) Full() bool { return len(*p.all) >= MaxProblems }

// At is the account below one member or element.
func (p Problems) At(part string) Problems {
	if p.path != "" {
		part = p.path + "." + part
	}
	return Problems{part, p.all}
}

// Add tells of a problem with a member; "" is the value itself.
func (p Problems) Add(field, rule, clause, format string, args ...any) {
	if p.Full() {
		return
	}
	if field != "" {
		p = p.At(field)
	}
	*p.all = append(*p.all, Problem{p.path, rule, clause, fmt.Sprintf(format, args...)})
}
