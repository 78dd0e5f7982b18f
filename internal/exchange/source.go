package exchange

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/testamur/testamur/internal/tabular"
)

// source gives the lines of a file one after the other, then io.EOF. A line
// that cannot be read says so itself; an error is of the whole file.
type source interface{ next() (line, error) }

// open begins to read a job's file. A *tabular.Error says what is wrong with
// the file as a whole.
func open(j Job, r io.Reader) (source, error) {
	if j.Kind == Achievements {
		return newDefinitions(r), nil
	}
	t, err := tabular.NewReader(r, j.Options.table(j.Kind))
	if err != nil {
		return nil, err
	}
	return table{t}, nil
}

// table is a CSV or NDJSON file.
type table struct{ *tabular.Reader }

func (t table) next() (line, error) {
	row, err := t.Next()
	return line{first: row.Line, last: max(row.Line, row.LastLine), offset: row.Offset, row: row, bad: row.Err}, err
}

// definitions are the objects of a JSON file: one, a list of them, or one after
// the other.
type definitions struct {
	lines  *lineCounter
	dec    *json.Decoder
	begun  bool
	inList bool
	broken bool
}

// maxDefinition is how much is read for one definition, in bytes: it is held in
// memory whole.
const maxDefinition = 8 << 20

var errLarge = errors.New("more than one definition may have")

func newDefinitions(r io.Reader) *definitions {
	b := bufio.NewReader(r)
	if bom, err := b.Peek(3); err == nil && bytes.Equal(bom, []byte("\xef\xbb\xbf")) {
		b.Discard(3) // was peeked
	}
	counter := &lineCounter{r: b, room: maxDefinition}
	return &definitions{lines: counter, dec: json.NewDecoder(counter)}
}

func (d *definitions) next() (line, error) {
	if d.broken {
		return line{}, io.EOF
	}
	if !d.begun {
		d.begun = true
		if err := d.begin(); err != nil {
			return d.fail(err)
		}
	}
	if d.inList && !d.dec.More() {
		if _, err := d.dec.Token(); err != nil {
			return d.fail(err)
		}
		d.inList = false
		if d.dec.More() {
			return d.fail(errors.New("something follows the list"))
		}
		d.broken = true
		return line{}, io.EOF
	}
	d.lines.room = maxDefinition
	before := d.dec.InputOffset()
	var raw json.RawMessage
	err := d.dec.Decode(&raw)
	if errors.Is(err, io.EOF) && !d.inList {
		return line{}, io.EOF
	}
	if err != nil {
		return d.fail(err)
	}
	after := d.dec.InputOffset()
	first := d.lines.at(max(before, after-int64(len(raw))))
	return line{first: first, last: d.lines.at(after), offset: after, raw: raw}, nil
}

// begin steps into a list, if the file is one.
func (d *definitions) begin() error {
	for {
		c, err := d.lines.peek()
		if err != nil {
			return err
		}
		switch c {
		case ' ', '\t', '\r', '\n':
			d.lines.skip()
		case '[':
			_, err := d.dec.Token()
			d.inList = true
			return err
		default:
			return nil
		}
	}
}

// fail ends the file: JSON that does not parse cannot be taken up again behind
// the place, so what comes after it is said not to have been read.
func (d *definitions) fail(err error) (line, error) {
	if errors.Is(err, io.EOF) && !d.inList {
		return line{}, io.EOF
	}
	var syntax *json.SyntaxError
	if errors.Is(err, errLarge) {
		d.broken = true
		n := d.lines.at(d.dec.InputOffset())
		return line{first: n, last: n, offset: d.dec.InputOffset(), bad: &tabular.Error{Line: n, Rule: "size",
			Message: fmt.Sprintf("The definition that begins here is larger than %d MB, so nothing behind this line was read.", maxDefinition>>20)}}, nil
	}
	if !errors.As(err, &syntax) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) && err.Error() != "something follows the list" {
		return line{}, err
	}
	d.broken = true
	rest, err2 := io.ReadAll(d.dec.Buffered())
	if err2 != nil {
		return line{}, err2
	}
	blank := len(rest) - len(bytes.TrimLeft(rest, " \t\r\n"))
	n := d.lines.at(d.dec.InputOffset() + int64(blank))
	return line{first: n, last: n, offset: d.dec.InputOffset(), bad: &tabular.Error{Line: n, Rule: "json",
		Message: fmt.Sprintf("The file is not JSON from here on (%v), so nothing behind this line was read.", err)}}, nil
}

// lineCounter remembers where lines begin, as far back as it is asked.
type lineCounter struct {
	r       *bufio.Reader
	read    int64   // bytes given
	room    int     // bytes that may still be given
	skipped int64   // bytes before the decoder's first
	line    int     // lines that end before breaks
	breaks  []int64 // offsets of line ends, in the decoder's count
}

func (c *lineCounter) Read(p []byte) (int, error) {
	if c.room <= 0 {
		return 0, errLarge
	}
	n, err := c.r.Read(p[:min(len(p), c.room)])
	c.room -= n
	for i, b := range p[:n] {
		if b == '\n' {
			c.breaks = append(c.breaks, c.read+int64(i))
		}
	}
	c.read += int64(n)
	return n, err
}

func (c *lineCounter) peek() (byte, error) {
	b, err := c.r.Peek(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// skip leaves out one blank before the decoder begins.
func (c *lineCounter) skip() {
	if b, err := c.r.ReadByte(); err == nil && b == '\n' {
		c.line++
	}
	c.skipped++
}

// at is the line of an offset, which must not go back.
func (c *lineCounter) at(offset int64) int {
	n := 0
	for n < len(c.breaks) && c.breaks[n] < offset {
		n++
	}
	c.line += n
	c.breaks = c.breaks[n:]
	return c.line + 1
}
