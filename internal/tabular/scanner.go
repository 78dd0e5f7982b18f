package tabular

import (
	"bytes"
	"io"
)

// scanner gives physical lines; a line ends with LF, CRLF or CR.
type scanner struct {
	r       io.Reader
	counted *counter
	max     int // bytes of a line that are kept

	buf      []byte
	pos, end int
	lf       int // place of the next LF in buf, or end when there is none
	err      error

	line  int      // the last line given, from 1
	long  bool     // that line was cut at max
	ahead []string // lines that were given back, in order
}

func newScanner(r io.Reader, counted *counter, limit int) *scanner {
	return &scanner{r: r, counted: counted, max: limit, buf: make([]byte, buffered)}
}

// next is the next line without its end, then io.EOF.
func (s *scanner) next() (string, error) {
	s.long = false
	if len(s.ahead) > 0 {
		l := s.ahead[0]
		s.ahead = s.ahead[1:]
		s.line++
		return l, nil
	}
	if s.pos == s.end && !s.fill() {
		return "", s.err
	}
	s.line++
	var kept []byte
	for {
		if at := s.lineEnd(); at >= 0 {
			l := s.join(kept, s.buf[s.pos:at])
			cr := s.buf[at] == '\r'
			s.pos = at + 1
			if cr && (s.pos < s.end || s.fill()) && s.buf[s.pos] == '\n' {
				s.pos++
			}
			return l, nil
		}
		if room := s.max - len(kept); s.end-s.pos > room {
			s.long = true
			kept = append(kept, s.buf[s.pos:s.pos+max(room, 0)]...)
		} else {
			kept = append(kept, s.buf[s.pos:s.end]...)
		}
		s.pos = s.end
		if !s.fill() {
			if s.err != io.EOF {
				return "", s.err
			}
			return s.join(kept, nil), nil
		}
	}
}

// lineEnd is the place of the first CR or LF, or -1.
func (s *scanner) lineEnd() int {
	if s.lf < s.pos {
		s.lf = s.end
		if i := bytes.IndexByte(s.buf[s.pos:s.end], '\n'); i >= 0 {
			s.lf = s.pos + i
		}
	}
	if i := bytes.IndexByte(s.buf[s.pos:s.lf], '\r'); i >= 0 {
		return s.pos + i
	}
	if s.lf < s.end {
		return s.lf
	}
	return -1
}

func (s *scanner) join(kept, rest []byte) string {
	if room := s.max - len(kept); len(rest) > room {
		s.long = true
		rest = rest[:max(room, 0)]
	}
	if kept == nil {
		return string(rest)
	}
	return string(append(kept, rest...))
}

// fill reads more when all is given; false at the end or on an error.
func (s *scanner) fill() bool {
	s.pos, s.end, s.lf = 0, 0, -1
	for s.end == 0 && s.err == nil {
		s.end, s.err = s.r.Read(s.buf)
	}
	return s.end > 0
}

// back gives the last lines back, to be given again.
func (s *scanner) back(lines ...string) {
	s.ahead = append(append([]string{}, lines...), s.ahead...)
	s.line -= len(lines)
}

// offset is how much of the input was read for what was given, roughly where
// the encoding is not UTF-8.
func (s *scanner) offset() int64 {
	pending := s.end - s.pos
	for _, l := range s.ahead {
		pending += len(l) + 1
	}
	return max(s.counted.n-int64(pending), 0)
}

// skipBlank leaves out empty lines.
func (s *scanner) skipBlank() error {
	for {
		l, err := s.next()
		if err != nil {
			return err
		}
		if first(l) != 0 {
			s.back(l)
			return nil
		}
	}
}

// first is the first byte of a line that is not a blank, or 0.
func first(l string) byte {
	for i := range len(l) {
		if l[i] != ' ' && l[i] != '\t' {
			return l[i]
		}
	}
	return 0
}
