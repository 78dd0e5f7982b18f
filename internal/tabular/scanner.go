package tabular

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// scanner is a window on the text. It gives physical lines, which end with LF,
// CRLF or CR, by their distance from the start of the row that is being read:
// a row that goes wrong is read again from its second line at no cost.
type scanner struct {
	input *input
	max   int // bytes a line may have

	buf        []byte
	start, end int // what is read and not yet taken
	clear, lf  int // no LF stands in buf from clear to lf
	checked    int // what was read is looked through up to here
	careful    int // up to here something is not UTF-8, or NUL
	returns    int // up to here there are CRs
	err        error

	block   string // a copy of buf from blockAt on, of which rows are parts
	blockAt int

	lines int   // lines that were taken
	taken int64 // bytes of the input that were taken
}

// errLong is the error of a line that is longer than may be.
var errLong = errors.New("line too long")

func newScanner(in *input, limit int) *scanner {
	return &scanner{input: in, max: limit, buf: make([]byte, buffered), taken: in.mark}
}

// line finds the physical line that begins from behind the start: it ends at
// to, and next is where the one behind it begins. The error is io.EOF when
// there is none, and errLong when it does not end within the limit.
func (s *scanner) line(from int) (to, next int, err error) {
	for {
		begin := s.start + from
		at := s.lineEnd(begin)
		if at-begin > s.max {
			return 0, 0, errLong
		}
		if at == s.end {
			switch {
			case s.more():
				continue
			case s.err != io.EOF || at == begin:
				return 0, 0, s.err
			}
			return at - s.start, at - s.start, nil
		}
		if s.buf[at] == '\r' {
			if at+1 == s.end && s.more() {
				continue // the LF that belongs to it may only have come now
			}
			if at+1 < s.end && s.buf[at+1] == '\n' {
				return at - s.start, at + 2 - s.start, nil
			}
		}
		return at - s.start, at + 1 - s.start, nil
	}
}

// lineEnd is the place of the first CR or LF from pos on, or the end.
func (s *scanner) lineEnd(pos int) int {
	if pos < s.clear || pos > s.lf {
		s.clear, s.lf = pos, pos
	}
	if s.lf < s.end && s.buf[s.lf] != '\n' {
		if i := bytes.IndexByte(s.buf[s.lf:s.end], '\n'); i >= 0 {
			s.lf += i
		} else {
			s.lf = s.end
		}
	}
	if pos < s.returns {
		if i := bytes.IndexByte(s.buf[pos:s.lf], '\r'); i >= 0 {
			return pos + i
		}
	}
	return s.lf
}

// text is what stands between two distances from the start, until the next call.
func (s *scanner) text(from, to int) []byte { return s.buf[s.start+from : s.start+to] }

// more reads behind what is there; false at the end or on an error.
func (s *scanner) more() bool {
	if s.err != nil {
		return false
	}
	if s.end == len(s.buf) {
		s.makeRoom()
	}
	before := s.end
	for idle := 0; s.end < len(s.buf) && s.err == nil; idle++ {
		var n int
		if n, s.err = s.input.Read(s.buf[s.end:]); n > 0 {
			s.end, idle = s.end+n, 0
		}
		if idle == 100 {
			s.err = io.ErrNoProgress
		}
	}
	s.look()
	return s.end > before
}

// look looks through what was read, all at once, so that each line need not be.
// A character that is cut off waits for its rest.
func (s *scanner) look() {
	to := s.end
	for cut := 1; s.err == nil && cut < utf8.UTFMax && cut <= to-s.checked; cut++ {
		if utf8.RuneStart(s.buf[to-cut]) {
			if !utf8.FullRune(s.buf[to-cut : to]) {
				to -= cut
			}
			break
		}
	}
	fresh := s.buf[s.checked:to]
	if !utf8.Valid(fresh) || bytes.IndexByte(fresh, 0) >= 0 || s.input.encoding == "utf-16" && bytes.Contains(fresh, []byte("\ufffd")) {
		s.careful = to
	}
	if bytes.IndexByte(fresh, '\r') >= 0 {
		s.returns = to
	}
	s.checked = to
}

// sound reports whether the next line is UTF-8 without NUL. It may be even where
// it is not reported.
func (s *scanner) sound() bool { return s.start >= s.careful }

// makeRoom moves what is not taken to the front, and doubles the window when
// that is more than half of it.
func (s *scanner) makeRoom() {
	into := s.buf
	if s.start < len(s.buf)/2 {
		into = make([]byte, 2*len(s.buf))
	}
	copy(into, s.buf[s.start:s.end])
	for _, place := range []*int{&s.clear, &s.lf, &s.checked, &s.careful, &s.returns} {
		*place = max(*place-s.start, 0)
	}
	s.block, s.blockAt = "", 0
	s.buf, s.start, s.end = into, 0, s.end-s.start
}

// take ends a row: n bytes and their lines are done with.
func (s *scanner) take(n, lines int) {
	s.taken += s.input.measure(s.buf[s.start : s.start+n])
	s.start += n
	s.lines += lines
}

// takeLong takes a line of any length.
func (s *scanner) takeLong() {
	for {
		at := s.lineEnd(s.start)
		found := at < s.end
		s.take(at-s.start, 0)
		if !found && s.more() {
			continue
		}
		_, next, _ := s.line(0) // only the line end is left; an error comes again
		s.take(next, 1)
		return
	}
}

// offset is how much of the input was taken.
func (s *scanner) offset() int64 { return min(s.taken, s.input.read) }

// skipBlank takes the lines that hold nothing but blanks and delimiters, as a
// spreadsheet writes them above a table.
func (s *scanner) skipBlank() error {
	for {
		to, next, err := s.line(0)
		if err == errLong {
			return nil
		}
		if err != nil {
			return err
		}
		if len(bytes.Trim(s.text(0, to), " ,;\t|")) > 0 {
			return nil
		}
		s.take(next, 1)
	}
}

// blank reports whether a line holds nothing but blanks and delimiters.
func blank(l []byte, delimiter byte) bool {
	for _, c := range l {
		if c != ' ' && c != '\t' && c != delimiter {
			return false
		}
	}
	return true
}

// blockSize is how much text is copied at once. Whoever keeps a value keeps the
// block it is a part of.
const blockSize = 4 << 10

// row is the text of the next n bytes, for keeps.
func (s *scanner) row(n int) string {
	if at := s.start - s.blockAt; at+n > len(s.block) {
		s.block, s.blockAt = string(s.buf[s.start:min(s.end, s.start+max(n, blockSize))]), s.start
	}
	at := s.start - s.blockAt
	return s.block[at : at+n]
}

// join is the text of the next n bytes, its lines ended by LF alone.
func (s *scanner) join(n int) string {
	text := string(s.text(0, n))
	if strings.IndexByte(text, '\r') < 0 {
		return text
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
}
