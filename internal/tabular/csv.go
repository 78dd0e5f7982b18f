package tabular

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// table reads the rows of a CSV file.
type table struct {
	s         *scanner
	o         Options
	delimiter byte
	titles    []string
	h         *header
	ignored   []string
}

// maxLines is how many lines one row may have. An opening quote that is never
// closed is looked for no further.
const maxLines = 1000

// readHeader finds the delimiter and the columns.
func (t *table) readHeader() error {
	l, err := t.s.next()
	if err != nil {
		return err
	}
	if !utf8.ValidString(l) {
		return &Error{Line: t.s.line, Rule: "encoding", Message: "The header is not UTF-8. Say which encoding the file has, for example windows-1252."}
	}
	if rest, ok := strings.CutPrefix(strings.ToLower(l), "sep="); ok && len(rest) == 1 {
		// Excel writes its delimiter on a line of its own.
		t.delimiter = rest[0]
		if l, err = t.s.next(); err != nil {
			return &Error{Rule: "not-empty", Message: "The file has no header."}
		}
	}
	if t.o.Delimiter != "" {
		t.delimiter = t.o.Delimiter[0]
	}
	if t.delimiter == 0 {
		if t.delimiter, err = t.detect(l); err != nil {
			return err
		}
	}
	cells, problem := cut(l, t.delimiter)
	if problem != "" {
		return &Error{Line: t.s.line, Rule: "header", Message: "The header cannot be read: " + problem}
	}
	for len(cells) > 1 && strings.TrimSpace(cells[len(cells)-1]) == "" {
		cells = cells[:len(cells)-1]
	}
	t.titles = cells
	return t.columns()
}

// detect chooses the delimiter under which most columns are known, or else the
// one that is there most.
func (t *table) detect(l string) (byte, error) {
	wanted := t.o.wanted()
	type guess struct {
		delimiter   byte
		known, many int
	}
	var all []guess
	for _, d := range []byte{',', ';', '\t', '|'} {
		cells, problem := cut(l, d)
		if problem != "" {
			continue
		}
		g := guess{delimiter: d, many: len(cells)}
		for _, c := range cells {
			if _, ok := wanted[folded(c)]; ok {
				g.known++
			}
		}
		all = append(all, g)
	}
	if len(all) == 0 {
		return 0, &Error{Line: t.s.line, Rule: "header", Value: short(l), Message: "The header cannot be read: a quote in it is not closed."}
	}
	slices.SortStableFunc(all, func(a, b guess) int {
		if a.known != b.known {
			return b.known - a.known
		}
		return b.many - a.many
	})
	if len(all) > 1 && all[0].known == 0 && all[0].many > 1 && all[0].many == all[1].many {
		return 0, &Error{Line: t.s.line, Rule: "delimiter", Value: short(l), Message: "It is not clear what stands between the columns. Say which delimiter the file has."}
	}
	return all[0].delimiter, nil
}

// columns finds the place of each field.
func (t *table) columns() error {
	wanted := t.o.wanted()
	t.h = &header{place: map[string]int{}, name: map[string]string{}}
	for i, title := range t.titles {
		title = strings.TrimSpace(title)
		field, ok := wanted[folded(title)]
		if !ok {
			if title != "" {
				t.ignored = append(t.ignored, title)
			}
			continue
		}
		if earlier, twice := t.h.name[field]; twice {
			return &Error{Line: t.s.line, Column: title, Rule: "column-once", Message: fmt.Sprintf("Two columns are %s: %q and %q. Leave one out.", field, earlier, title)}
		}
		t.h.place[field], t.h.name[field] = i, title
	}
	for _, f := range t.o.Fields {
		mapped, isMapped := t.o.Columns[f.Name]
		if _, ok := t.h.place[f.Name]; ok || !f.Required && !isMapped {
			continue
		}
		return t.missing(f.Name, mapped)
	}
	return nil
}

// missing says which column is not there, which are, and which one may be meant.
func (t *table) missing(field, mapped string) error {
	name := field
	if mapped != "" {
		name = mapped
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
	message := fmt.Sprintf("The column %q is missing. The file has: %s.", name, strings.Join(found, ", "))
	if near != "" {
		message += fmt.Sprintf(" If %q is meant, map %s to it.", near, field)
	} else if mapped == "" {
		message += fmt.Sprintf(" If one of them is meant, map %s to it.", field)
	}
	return &Error{Line: t.s.line, Column: name, Rule: "column-missing", Message: message}
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

// next is the next row.
func (t *table) next() (Row, error) {
	var l string
	for {
		var err error
		if l, err = t.s.next(); err != nil {
			return Row{}, err
		}
		if first(l) != 0 || len(t.titles) == 1 && l != "" {
			break
		}
		if strings.IndexByte(l, t.delimiter) >= 0 {
			break
		}
	}
	r := Row{Line: t.s.line, LastLine: t.s.line, h: t.h}
	long := t.s.long
	if strings.IndexByte(l, '"') < 0 && !long {
		r.cells = t.split(l)
	} else if err := t.quoted(&r, l, long); err != nil {
		return Row{}, err
	}
	if r.Err == nil {
		r.Err = t.fits(&r)
	}
	if r.Err != nil {
		r.cells = nil
	}
	r.Offset = t.s.offset()
	return r, nil
}

func (t *table) split(l string) []string {
	cells := make([]string, 0, len(t.titles)+1)
	for {
		i := strings.IndexByte(l, t.delimiter)
		if i < 0 {
			return append(cells, l)
		}
		cells = append(cells, l[:i])
		l = l[i+1:]
	}
}

// quoted reads a row with quotes, over as many lines as it has. When the quote
// is not closed, or what comes does not fit, only the first line is lost: the
// others are read again.
func (t *table) quoted(r *Row, l string, long bool) error {
	lines := []string{l}
	text := l
	for !long {
		cells, problem := cut(text, t.delimiter)
		if problem == "" {
			if r.cells = cells; t.fits(r) == nil || len(lines) == 1 {
				r.LastLine = t.s.line
				return nil
			}
			break
		}
		if problem != openQuote {
			if len(lines) == 1 {
				r.Err = &Error{Line: r.Line, Rule: "quote", Value: short(l), Message: "The row cannot be read: " + problem}
				return nil
			}
			break
		}
		next, err := t.s.next()
		if err == io.EOF || err == nil && (len(text)+len(next) > t.o.MaxRowBytes || len(lines) == maxLines || t.s.long) {
			if err == nil {
				t.s.back(next)
			}
			break
		}
		if err != nil {
			return err
		}
		lines = append(lines, next)
		text += "\n" + next
	}
	t.s.back(lines[1:]...)
	r.LastLine = r.Line
	if long {
		r.Err = &Error{Line: r.Line, Rule: "row-size", Value: short(l), Message: fmt.Sprintf("The row is longer than %d bytes.", t.o.MaxRowBytes)}
		return nil
	}
	r.Err = &Error{Line: r.Line, Rule: "quote", Value: short(l), Message: fmt.Sprintf("A quote opens on line %d and is not closed where a cell ends. Close it, or write two quotes where one is meant.", r.Line)}
	return nil
}

// fits is what is wrong with the cells of a row as a whole.
func (t *table) fits(r *Row) *Error {
	n := len(t.titles)
	for len(r.cells) > n && strings.TrimSpace(r.cells[len(r.cells)-1]) == "" {
		r.cells = r.cells[:len(r.cells)-1]
	}
	if len(r.cells) != n {
		return &Error{Line: r.Line, Rule: "cells", Value: short(strings.Join(r.cells, string(rune(t.delimiter)))),
			Message: fmt.Sprintf("The row has %d cells, and the header has %d. A cell that holds the delimiter must stand in quotes.", len(r.cells), n)}
	}
	for i, c := range r.cells {
		if !utf8.ValidString(c) {
			return &Error{Line: r.Line, Column: strings.TrimSpace(t.titles[i]), Rule: "encoding", Value: short(strings.ToValidUTF8(c, "�")),
				Message: "A character of this cell is not UTF-8. Save the file as UTF-8, or say that its encoding is windows-1252."}
		}
		if strings.IndexByte(c, 0) >= 0 {
			return &Error{Line: r.Line, Column: strings.TrimSpace(t.titles[i]), Rule: "nul", Value: short(strings.ReplaceAll(c, "\x00", "␀")),
				Message: "This cell has a NUL character, which no text may have."}
		}
	}
	return nil
}

// openQuote is the problem of a text that ends inside quotes.
const openQuote = "a quote is not closed."

// cut cuts a text into cells, RFC 4180; the problem is a sentence, or empty.
func cut(l string, delimiter byte) (cells []string, problem string) {
	for {
		trimmed := strings.TrimLeft(l, " ")
		if strings.HasPrefix(trimmed, `"`) {
			cell, rest, problem := quotedCell(trimmed[1:], delimiter)
			if problem != "" {
				return nil, problem
			}
			cells = append(cells, cell)
			if rest == "" {
				return cells, ""
			}
			l = rest[1:]
			continue
		}
		i := strings.IndexByte(l, delimiter)
		cell := l
		if i >= 0 {
			cell = l[:i]
		}
		if strings.IndexByte(cell, '"') >= 0 {
			return nil, "a quote stands inside a cell that does not begin with one. Put the cell in quotes and double the quote."
		}
		cells = append(cells, cell)
		if i < 0 {
			return cells, ""
		}
		l = l[i+1:]
	}
}

// quotedCell reads a cell behind its opening quote; rest begins with the
// delimiter, or is empty.
func quotedCell(l string, delimiter byte) (cell, rest, problem string) {
	var whole strings.Builder
	for {
		i := strings.IndexByte(l, '"')
		if i < 0 {
			return "", "", openQuote
		}
		if i+1 < len(l) && l[i+1] == '"' {
			whole.WriteString(l[:i+1])
			l = l[i+2:]
			continue
		}
		if whole.Len() == 0 {
			cell = l[:i]
		} else {
			whole.WriteString(l[:i])
			cell = whole.String()
		}
		rest = strings.TrimLeft(l[i+1:], " ")
		if rest != "" && rest[0] != delimiter {
			return "", "", "something stands behind a closing quote."
		}
		return cell, rest, ""
	}
}
