// Package tabular reads the tables that registrars export, CSV or NDJSON, as a
// stream of rows.
//
// It looks at the file to find its encoding and delimiter, finds columns by
// their header, whatever its case and spacing, and goes on behind a row that
// cannot be read: the error names line, column, rule and value, and no other
// row is lost. Memory does not grow with the file. It knows nothing of what the
// rows mean.
package tabular

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Options say how to read; the zero value of each looks at the file.
type Options struct {
	Format      string            // "csv" or "ndjson"
	Encoding    string            // "utf-8", "utf-16" or "windows-1252"
	Delimiter   string            // one of , ; | and a tab
	Columns     map[string]string // our field to the header in the file
	Fields      []Field           // what is known
	MaxRowBytes int               // 0: 1 MiB
}

// Field is a column by our name for it.
type Field struct {
	Name     string
	Required bool // the column must be there; its cells may still be empty
}

// Error is what is wrong with a row, or with the file. Message is a sentence;
// Value has at most 100 characters.
type Error struct {
	Line    int
	Column  string
	Rule    string
	Value   string
	Message string
}

// Error is the message with its line.
func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d: %s", e.Line, e.Message)
	}
	return e.Message
}

// Row is one row. When Err is set the row cannot be read and has no values.
type Row struct {
	Line     int   // physical line on which it begins, from 1
	LastLine int   // and ends
	Offset   int64 // bytes of the input up to its end
	Err      *Error

	h     *header
	cells []string // CSV: values; NDJSON: values as JSON, "" when absent or null
}

// Text is the value of a field without blanks around it, "" when it is absent.
// In NDJSON numbers and booleans are as they are written.
func (r Row) Text(field string) string {
	switch c := r.cell(field); {
	case c == "":
		return ""
	case r.h.json:
		return strings.TrimSpace(scalar(c))
	default:
		return strings.TrimSpace(c)
	}
}

// Has reports whether the field has a value.
func (r Row) Has(field string) bool {
	if r.Text(field) != "" {
		return true
	}
	raw := r.Raw(field)
	return raw != nil && raw[0] != '"'
}

// Given reports whether the file has the field for this row, be it empty or null:
// a column that is not there says nothing, an empty one says that there is no value.
func (r Row) Given(field string) bool {
	if r.h == nil {
		return false
	}
	_, ok := r.h.name[field]
	return ok
}

// Header is what the file calls a field, or the field itself.
func (r Row) Header(field string) string {
	if r.h != nil {
		if n, ok := r.h.name[field]; ok {
			return n
		}
	}
	return field
}

// Raw is the value of a field as JSON: NDJSON only, nil when absent or null.
func (r Row) Raw(field string) json.RawMessage {
	if c := r.cell(field); c != "" && r.h.json {
		return json.RawMessage(c)
	}
	return nil
}

func (r Row) cell(field string) string {
	if r.h == nil {
		return ""
	}
	if i, ok := r.h.place[field]; ok && i < len(r.cells) {
		return r.cells[i]
	}
	return ""
}

// Reader reads rows.
type Reader struct {
	rows      interface{ next() (Row, error) }
	format    string
	encoding  string
	delimiter string
	ignored   *[]string
}

// defaultRow is the longest row unless said otherwise.
const defaultRow = 1 << 20

// NewReader reads the header. An *Error says what is wrong with the file as a
// whole: it is empty, or no table, or lacks a required column.
func NewReader(r io.Reader, o Options) (*Reader, error) {
	if o.MaxRowBytes <= 0 {
		o.MaxRowBytes = defaultRow
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	in, err := decode(r, o.Encoding)
	if err != nil {
		return nil, err
	}
	out := &Reader{format: o.Format, encoding: in.encoding}
	s := newScanner(in, o.MaxRowBytes)
	if out.format, err = formatOf(s, o.Format); err != nil {
		return nil, err
	}
	if out.format == "ndjson" {
		t := newObjects(s, o)
		out.rows, out.ignored = t, &t.ignored
		return out, nil
	}
	t := &table{s: s, o: o}
	if err := t.readHeader(); err != nil {
		return nil, err
	}
	out.rows, out.ignored, out.delimiter = t, &t.ignored, string(rune(t.delimiter))
	return out, nil
}

// formatOf tells NDJSON, which begins with an object, from CSV.
func formatOf(s *scanner, asked string) (string, error) {
	if err := s.skipBlank(); err != nil {
		return "", beginning(err, s)
	}
	to, _, err := s.line(0)
	if err == errLong {
		to, err = s.max, nil // its beginning is enough
	}
	if err != nil {
		return "", err
	}
	l := bytes.TrimSpace(s.text(0, to))
	switch {
	case asked == "csv" || asked == "" && (len(l) == 0 || l[0] != '{'):
		return "csv", nil
	case string(l) == "{":
		return "", &Error{Line: s.lines + 1, Rule: "table", Message: "This is JSON over several lines. Write each row as one object on a line of its own (NDJSON)."}
	}
	return "ndjson", nil
}

func (o Options) check() error {
	for _, x := range []struct {
		name, value string
		known       []string
	}{{"format", o.Format, []string{"", "csv", "ndjson"}}, {"encoding", o.Encoding, []string{"", "utf-8", "utf-16", "windows-1252"}},
		{"delimiter", o.Delimiter, []string{"", ",", ";", "\t", "|"}}} {
		if !slices.Contains(x.known, x.value) {
			return &Error{Rule: x.name, Value: short(x.value), Message: fmt.Sprintf("%q is not a known %s. Known are: %q.", short(x.value), x.name, x.known[1:])}
		}
	}
	for field := range o.Columns {
		if !slices.ContainsFunc(o.Fields, func(f Field) bool { return f.Name == field }) {
			return &Error{Rule: "column-mapping", Column: field, Message: fmt.Sprintf("The column mapping names a field %q, which there is not.", field)}
		}
	}
	return nil
}

// Next is the next row, then io.EOF. A row that cannot be read has its Err; an
// error is the stream's own.
func (r *Reader) Next() (Row, error) { return r.rows.next() }

// Format is "csv" or "ndjson".
func (r *Reader) Format() string { return r.format }

// Encoding is the encoding that was found or asked for.
func (r *Reader) Encoding() string { return r.encoding }

// Delimiter is what stands between cells; empty for NDJSON.
func (r *Reader) Delimiter() string { return r.delimiter }

// Ignored are the columns that no field takes; of NDJSON, those met so far, a
// hundred at most.
func (r *Reader) Ignored() []string { return *r.ignored }

// short is at most 100 characters of a value, and none that a database or a
// page cannot hold.
func short(s string) string {
	n := 0
	for i := range s {
		if n++; n == 100 && utf8.RuneCountInString(s[i:min(len(s), i+8)]) > 1 {
			s = s[:i] + "…"
			break
		}
	}
	return strings.ReplaceAll(strings.ToValidUTF8(strings.Clone(s), "�"), "\x00", "␀")
}
