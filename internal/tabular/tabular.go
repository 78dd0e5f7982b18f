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
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
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

	h      *header
	cells  []string
	object map[string]json.RawMessage
}

// header is what the rows of a file have in common.
type header struct {
	place map[string]int    // CSV: field to cell
	name  map[string]string // field to the header in the file
}

// Text is the value of a field without blanks around it, "" when it is absent.
// In NDJSON numbers and booleans are as they are written.
func (r Row) Text(field string) string {
	if r.object != nil {
		return scalar(r.object[field])
	}
	if r.h == nil {
		return ""
	}
	if i, ok := r.h.place[field]; ok && i < len(r.cells) {
		return strings.TrimSpace(r.cells[i])
	}
	return ""
}

// Has reports whether the field has a value.
func (r Row) Has(field string) bool {
	return r.Text(field) != "" || r.Raw(field) != nil
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
func (r Row) Raw(field string) json.RawMessage { return r.object[field] }

// scalar is a JSON text, number or boolean as text.
func scalar(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	switch raw[0] {
	case '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return ""
		}
		return strings.TrimSpace(s)
	case '{', '[':
		return ""
	}
	return string(raw)
}

// Reader reads rows.
type Reader struct {
	format    string
	encoding  string
	delimiter byte
	ignored   []string
	next      func() (Row, error)
}

// defaultRow is the longest row unless said otherwise.
const defaultRow = 1 << 20

// NewReader reads the header. An *Error says what is wrong with the file as a
// whole: it is empty, or no table, or lacks a required column.
func NewReader(r io.Reader, o Options) (*Reader, error) {
	if o.MaxRowBytes == 0 {
		o.MaxRowBytes = defaultRow
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	counted := &counter{r: r}
	text, encoding, err := decode(counted, o.Encoding)
	if err != nil {
		return nil, err
	}
	out := &Reader{format: o.Format, encoding: encoding}
	s := newScanner(text, counted, o.MaxRowBytes)
	if err := s.skipBlank(); err != nil {
		if err == io.EOF {
			return nil, &Error{Rule: "not-empty", Message: "The file is empty."}
		}
		return nil, err
	}
	if out.format == "" {
		out.format = "csv"
		if l, err := s.next(); err == nil {
			if s.back(l); first(l) == '{' {
				out.format = "ndjson"
			}
		}
	}
	if out.format == "ndjson" {
		out.next = newObjects(s, o).next
		return out, nil
	}
	t := &table{s: s, o: o}
	if err := t.readHeader(); err != nil {
		return nil, err
	}
	out.delimiter, out.ignored, out.next = t.delimiter, t.ignored, t.next
	return out, nil
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
func (r *Reader) Next() (Row, error) { return r.next() }

// Format is "csv" or "ndjson".
func (r *Reader) Format() string { return r.format }

// Encoding is the encoding that was found or asked for.
func (r *Reader) Encoding() string { return r.encoding }

// Delimiter is what stands between cells; empty for NDJSON.
func (r *Reader) Delimiter() string {
	if r.delimiter == 0 {
		return ""
	}
	return string(rune(r.delimiter))
}

// Ignored are the columns of a CSV file that no field takes.
func (r *Reader) Ignored() []string { return r.ignored }

// folded is a header as it is compared: letters and digits in lower case.
func folded(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// wanted is what each field is called in the file, folded.
func (o Options) wanted() map[string]string {
	all := map[string]string{}
	for _, f := range o.Fields {
		name := f.Name
		if mapped, ok := o.Columns[f.Name]; ok {
			name = mapped
		}
		all[folded(name)] = f.Name
	}
	return all
}

// short is at most 100 characters of a value.
func short(s string) string {
	if r := []rune(s); len(r) > 100 {
		return string(r[:99]) + "…"
	}
	return s
}

// counter counts the bytes of the input.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// buffered is how much is read at once.
const buffered = 64 << 10
