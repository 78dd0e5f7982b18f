package tabular

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// objects reads the rows of an NDJSON file: one object a line.
type objects struct {
	s       *scanner
	wanted  map[string][]string
	fields  int
	place   map[string]int
	shapes  map[string]*shape // by their names
	names   []byte            // of the row that is read, as written
	members []member
	ignored []string
	cells   arena
}

// member is a name and a value, as written.
type member struct{ name, value string }

// shape is a sequence of names, of which a file has few: what they mean is
// found once.
type shape struct {
	h      *header
	places [][]int // of each member's fields
}

// maxShapes are kept, lest a file of ever new names fills the memory.
const maxShapes = 1000

func newObjects(s *scanner, o Options) *objects {
	t := &objects{s: s, wanted: o.wanted(), fields: len(o.Fields), place: map[string]int{}, shapes: map[string]*shape{}}
	for i, f := range o.Fields {
		t.place[f.Name] = i
	}
	return t
}

func (t *objects) next() (Row, error) {
	for {
		to, next, err := t.s.line(0)
		r := Row{Line: t.s.lines + 1, LastLine: t.s.lines + 1}
		switch {
		case err == errLong:
			r.Err = tooLong(t.s)
			t.s.takeLong()
		case err != nil:
			return Row{}, err
		case blank(t.s.text(0, to), ' '):
			t.s.take(next, 1)
			continue
		default:
			r.h, r.cells, r.Err = t.read(t.s.row(to), t.s.text(0, to))
			t.s.take(next, 1)
		}
		if r.Err != nil {
			r.Err.Line = r.Line
		}
		r.Offset = t.s.offset()
		return r, nil
	}
}

// read finds the values of a line's object.
func (t *objects) read(text string, l []byte) (*header, []string, *Error) {
	if at := t.invalid(text); at >= 0 {
		return nil, nil, &Error{Rule: "encoding", Value: short(text), Message: fmt.Sprintf("The byte 0x%02X, character %d of the line, is not UTF-8, which JSON must be.", text[at], utf8.RuneCountInString(text[:at])+1)}
	}
	if !json.Valid(l) {
		return nil, nil, notJSON(text)
	}
	if text = strings.Trim(text, leadingSpace); text[0] != '{' {
		return nil, nil, &Error{Rule: "json", Value: short(text), Message: "The line is not a JSON object. Each line holds one object."}
	}
	t.split(text)
	if err := t.check(text); err != nil {
		return nil, nil, err
	}
	is := t.shapes[string(t.names)]
	if is == nil {
		var err *Error
		if is, err = t.shape(); err != nil {
			return nil, nil, err
		}
	}
	cells := t.cells.room(t.fields)[:t.fields]
	clear(cells)
	for i, m := range t.members {
		for _, p := range is.places[i] {
			if m.value != "null" {
				cells[p] = m.value
			}
		}
	}
	t.cells.keep(cells)
	return is.h, cells, nil
}

// invalid is the place of the first byte that is not UTF-8, or -1.
func (t *objects) invalid(text string) int {
	if t.s.sound() {
		return -1
	}
	return invalid(text)
}

// split finds the members of an object, which is known to be JSON.
func (t *objects) split(text string) {
	t.names, t.members = t.names[:0], t.members[:0]
	for i := 1; ; {
		i = blanks(text, i)
		if text[i] == ',' {
			i = blanks(text, i+1)
		}
		if text[i] == '}' {
			return
		}
		m := member{name: text[i:stringEnd(text, i)]}
		i = blanks(text, blanks(text, i+len(m.name))+1) // over the colon
		m.value = text[i:valueEnd(text, i)]
		i += len(m.value)
		t.names = append(t.names, m.name...)
		t.members = append(t.members, m)
	}
}

// check finds what JSON allows and a value may not have.
func (t *objects) check(text string) *Error {
	escapes := strings.Contains(text, `\u`)
	for _, m := range t.members {
		if escapes {
			if rule, message := badEscape(m.name + m.value); rule != "" {
				return &Error{Column: short(unquoted(m.name)), Rule: rule, Value: short(m.value), Message: message}
			}
		}
		if m.value[0] != '{' && m.value[0] != '[' {
			continue
		}
		if name, twice := repeated(m.value); twice {
			return &Error{Column: short(unquoted(m.name)), Rule: "column-once", Value: short(m.value), Message: fmt.Sprintf("The member %q within it is there twice.", short(name))}
		}
	}
	return nil
}

// shape finds which fields the names of this row are.
func (t *objects) shape() (*shape, *Error) {
	is := &shape{h: &header{json: true, place: t.place, name: map[string]string{}}}
	seen := map[string]bool{}
	for _, m := range t.members {
		name := unquoted(m.name)
		fields := t.wanted[folded(name)]
		for _, f := range fields {
			if earlier, twice := is.h.name[f]; twice && earlier != name {
				return nil, &Error{Column: short(name), Rule: "column-once", Value: short(m.value), Message: fmt.Sprintf("Two members are %s: %q and %q. Leave one out.", f, short(earlier), short(name))}
			}
			is.h.name[f] = name
		}
		if seen[name] {
			return nil, &Error{Column: short(name), Rule: "column-once", Value: short(m.value), Message: fmt.Sprintf("The member %q is there twice.", short(name))}
		}
		seen[name] = true
		is.places = append(is.places, t.placesOf(fields))
		if fields == nil && len(t.ignored) < 100 && !slices.Contains(t.ignored, short(name)) {
			t.ignored = append(t.ignored, short(name))
		}
	}
	if len(t.shapes) == maxShapes {
		clear(t.shapes)
	}
	t.shapes[string(t.names)] = is
	return is, nil
}

func (t *objects) placesOf(fields []string) []int {
	var all []int
	for _, f := range fields {
		all = append(all, t.place[f])
	}
	return all
}

// notJSON says where a line ceases to be JSON.
func notJSON(text string) *Error {
	e := &Error{Rule: "json", Value: short(text)}
	var raw json.RawMessage
	var syntax *json.SyntaxError
	if !errors.As(json.Unmarshal([]byte(text), &raw), &syntax) {
		e.Message = "The line is not JSON."
		return e
	}
	at := utf8.RuneCountInString(text[:min(int(syntax.Offset), len(text))])
	switch {
	case strings.Contains(syntax.Error(), "unexpected end"):
		e.Message = fmt.Sprintf("The JSON of this line is cut off behind character %d. Each line holds one whole object.", at)
	case strings.Contains(syntax.Error(), "after top-level value"):
		e.Message = fmt.Sprintf("Something follows the object on its line, from character %d on. Each line holds one object.", at)
	default:
		e.Message = fmt.Sprintf("The line is not JSON from its character %d on.", at)
	}
	return e
}

// blanks is the first place from i on that is no blank.
func blanks(s string, i int) int {
	for strings.IndexByte(leadingSpace, s[i]) >= 0 {
		i++
	}
	return i
}

// stringEnd is the place behind a JSON string that begins at i.
func stringEnd(s string, i int) int {
	for i++; s[i] != '"'; i++ {
		if s[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// valueEnd is the place behind a JSON value that begins at i, inside an object.
func valueEnd(s string, i int) int {
	for depth := 0; ; {
		switch s[i] {
		case '"':
			i = stringEnd(s, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			i++
		default:
			i++
		}
		if depth == 0 && strings.IndexByte(",}]"+leadingSpace, s[i]) >= 0 {
			return i
		}
	}
}

// repeated finds a name that an object within a JSON value has twice.
func repeated(v string) (string, bool) {
	var within []map[string]bool
	for i := 0; i < len(v); {
		switch v[i] {
		case '{', '[':
			within = append(within, nil)
		case '}', ']':
			within = within[:len(within)-1]
		case '"':
			end := stringEnd(v, i)
			if at := blanks(v, end); v[at] == ':' {
				name, names := unquoted(v[i:end]), &within[len(within)-1]
				if (*names)[name] {
					return name, true
				}
				if *names == nil {
					*names = map[string]bool{}
				}
				(*names)[name] = true
			}
			i = end
			continue
		}
		i++
	}
	return "", false
}

// badEscape finds an escape that stands for no character, or for NUL.
func badEscape(v string) (rule, message string) {
	for {
		i := strings.IndexByte(v, '\\')
		if i < 0 {
			return "", ""
		}
		if v[i+1] != 'u' {
			v = v[i+2:]
			continue
		}
		code := strings.ToLower(v[i+2 : i+6])
		v = v[i+6:]
		low := len(v) >= 4 && strings.EqualFold(v[:2], `\u`) && strings.Contains("cdef", strings.ToLower(v[3:4])) && (v[2] == 'd' || v[2] == 'D')
		switch {
		case code == "0000":
			return "nul", "This value has a NUL character, which no text may have."
		case code[0] != 'd' || code[1] < '8':
		case code[1] <= 'b' && low:
			v = v[6:]
		default:
			return "encoding", fmt.Sprintf(`The escape \u%s in this value is half a character.`, code)
		}
	}
}

// unquoted is a JSON string as text.
func unquoted(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s[1 : len(s)-1]
	}
	var text string
	if json.Unmarshal([]byte(s), &text) != nil {
		return ""
	}
	return text
}

// scalar is a JSON text, number or boolean as text, and "" for others.
func scalar(v string) string {
	switch v[0] {
	case '"':
		return unquoted(v)
	case '{', '[':
		return ""
	}
	return v
}
