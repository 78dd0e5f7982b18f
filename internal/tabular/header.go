package tabular

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// header is what rows have in common.
type header struct {
	json  bool              // cells are JSON
	place map[string]int    // field to cell
	name  map[string]string // field to the header in the file
}

// wanted are the fields by what the file calls them, folded. What is mapped
// goes before what is only named alike.
func (o Options) wanted() map[string][]string {
	mapped, named := map[string][]string{}, map[string][]string{}
	for _, f := range o.Fields {
		if h := o.Columns[f.Name]; h != "" {
			mapped[folded(h)] = append(mapped[folded(h)], f.Name)
		} else {
			named[folded(f.Name)] = append(named[folded(f.Name)], f.Name)
		}
	}
	for h, fields := range named {
		if mapped[h] == nil {
			mapped[h] = fields
		}
	}
	return mapped
}

// folded is a header as it is compared: in lower case and without blanks and
// punctuation, but for the signs that tell one column from another.
func folded(s string) string {
	f := strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.L, unicode.M, unicode.N) || strings.ContainsRune("#%&/+@$€", r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
	if f == "" {
		return strings.TrimSpace(s)
	}
	return f
}

// readHeader finds the delimiter and the columns.
func (t *table) readHeader() error {
	l, line, err := t.headerText()
	if err != nil {
		return err
	}
	// Excel writes its delimiter on a line of its own.
	if rest, ok := strings.CutPrefix(strings.ToLower(strings.Trim(l, `"`)), "sep="); ok && len(rest) == 1 {
		if t.delimiter = rest[0]; strings.IndexByte(delimiters, rest[0]) < 0 {
			return &Error{Line: line, Rule: "delimiter", Value: short(l), Message: fmt.Sprintf("The first line says that %q stands between the columns. Only a comma, semicolon, tab or bar may.", rest)}
		}
		if l, line, err = t.headerText(); err != nil {
			return err
		}
	}
	if t.o.Delimiter != "" {
		t.delimiter = t.o.Delimiter[0]
	}
	if t.delimiter == 0 {
		if t.delimiter, err = t.detect(l, line); err != nil {
			return err
		}
	}
	cells, problem := cut(l, t.delimiter, nil)
	if problem != "" {
		return &Error{Line: line, Rule: "header", Value: short(l), Message: "The header cannot be read: " + problem}
	}
	for len(cells) > 1 && strings.TrimSpace(cells[len(cells)-1]) == "" {
		cells = cells[:len(cells)-1]
	}
	t.titles = cells
	return t.columns(line)
}

// headerText takes the header and the blank lines before it. A title in quotes
// may go over several lines; whatever the delimiter, the header ends with the
// first line where every quote has its partner.
func (t *table) headerText() (text string, line int, err error) {
	if err := t.s.skipBlank(); err != nil {
		return "", 0, beginning(err, t.s)
	}
	line = t.s.lines + 1
	to, next, lines, quotes := 0, 0, 0, 0
	for lines == 0 || quotes%2 == 1 {
		from := next
		if to, next, err = t.s.line(from); err == io.EOF || err == nil && to > t.s.max {
			return "", 0, &Error{Line: line, Rule: "header", Value: short(string(t.s.text(0, from))), Message: "The header cannot be read: " + openQuote}
		}
		if err != nil {
			return "", 0, beginning(err, t.s)
		}
		quotes += bytes.Count(t.s.text(from, to), []byte{'"'})
		lines++
	}
	text = t.s.join(to)
	t.s.take(next, lines)
	if !utf8.ValidString(text) {
		return "", 0, &Error{Line: line, Rule: "encoding", Value: short(text), Message: "The header is not UTF-8. Say which encoding the file has, for example windows-1252."}
	}
	if strings.IndexByte(text, 0) >= 0 {
		return "", 0, &Error{Line: line, Rule: "nul", Value: short(text), Message: "The header has a NUL character, which no text may have. Save the file as CSV (UTF-8)."}
	}
	return text, line, nil
}

// beginning tells why there is no header.
func beginning(err error, s *scanner) error {
	switch {
	case err == errLong:
		return tooLong(s)
	case err != io.EOF:
		return err
	case s.lines == 0:
		return &Error{Rule: "not-empty", Message: "The file is empty."}
	}
	return &Error{Rule: "not-empty", Message: "The file has no header and no rows."}
}

// delimiters are what may stand between columns.
const delimiters = ",;\t|"

// detect chooses the delimiter under which most columns are known, or else the
// one that is there most.
func (t *table) detect(l string, line int) (byte, error) {
	wanted := t.o.wanted()
	type guess struct {
		delimiter   byte
		known, many int
	}
	var all []guess
	for _, d := range []byte(delimiters) {
		cells, problem := cut(l, d, nil)
		if problem != "" {
			continue
		}
		g := guess{delimiter: d, many: len(cells)}
		for _, c := range cells {
			if wanted[folded(c)] != nil {
				g.known++
			}
		}
		all = append(all, g)
	}
	if len(all) == 0 {
		return 0, &Error{Line: line, Rule: "header", Value: short(l), Message: "The header cannot be read: a quote stands where no cell begins or ends."}
	}
	slices.SortStableFunc(all, func(a, b guess) int {
		if a.known != b.known {
			return b.known - a.known
		}
		return b.many - a.many
	})
	if len(all) > 1 && all[0].known == 0 && all[0].many > 1 && all[0].many == all[1].many {
		return 0, &Error{Line: line, Rule: "delimiter", Value: short(l),
			Message: fmt.Sprintf("It is not clear what stands between the columns: %q and %q are there as often. Say which delimiter the file has.", all[0].delimiter, all[1].delimiter)}
	}
	return all[0].delimiter, nil
}

// columns finds the place of each field.
func (t *table) columns(line int) error {
	wanted := t.o.wanted()
	t.h = &header{place: map[string]int{}, name: map[string]string{}}
	for i, title := range t.titles {
		title = strings.TrimSpace(title)
		fields := wanted[folded(title)]
		if fields == nil && title != "" {
			t.ignored = append(t.ignored, short(title))
		}
		for _, field := range fields {
			if earlier, twice := t.h.name[field]; twice {
				return &Error{Line: line, Column: short(title), Rule: "column-once", Message: fmt.Sprintf("Two columns are %s: %q and %q. Leave one out.", field, short(earlier), short(title))}
			}
			t.h.place[field], t.h.name[field] = i, title
		}
	}
	for _, f := range t.o.Fields {
		if _, ok := t.h.place[f.Name]; !ok && (f.Required || t.o.Columns[f.Name] != "") {
			return t.missing(f.Name, line)
		}
	}
	return nil
}

// missing says which column is not there, which are, and which one may be meant.
func (t *table) missing(field string, line int) error {
	name, mapped := t.o.Columns[field], true
	if name == "" {
		name, mapped = field, false
	}
	var found []string
	near, best := "", 3
	for _, title := range t.titles {
		if len(found) < 30 {
			found = append(found, fmt.Sprintf("%q", short(strings.TrimSpace(title))))
		}
		if d := distance(folded(title), folded(name)); d < best {
			near, best = strings.TrimSpace(title), d
		}
	}
	message := fmt.Sprintf("The column %q is missing. The file has: %s.", short(name), strings.Join(found, ", "))
	if near != "" {
		message += fmt.Sprintf(" If %q is meant, map %s to it.", near, field)
	} else if !mapped {
		message += fmt.Sprintf(" If one of them is meant, map %s to it.", field)
	}
	return &Error{Line: line, Column: short(name), Rule: "column-missing", Message: message}
}

// distance is how many letters two words differ by; long words are far apart.
func distance(a, b string) int {
	if len(a) > 40 || len(b) > 40 {
		return 40
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
