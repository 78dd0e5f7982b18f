package tabular

import (
	"bytes"
	"strings"
)

// openQuote is the problem of a text that ends inside quotes.
const openQuote = "a quote is not closed."

const strayQuote = "a quote stands inside a cell that does not begin with one. Put the cell in quotes and double the quote."

// cut appends the cells of a text, RFC 4180, where blanks may stand around the
// quotes; the problem is a sentence, or empty.
func cut(l string, delimiter byte, cells []string) (_ []string, problem string) {
	for {
		trimmed := l
		if trimmed != "" && trimmed[0] == ' ' {
			trimmed = strings.TrimLeft(l, " ")
		}
		if trimmed != "" && trimmed[0] == '"' {
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
			return nil, strayQuote
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
	doubled := false
	for i := 0; ; i++ {
		n := strings.IndexByte(l[i:], '"')
		if n < 0 {
			return "", "", openQuote
		}
		if i += n; i+1 < len(l) && l[i+1] == '"' {
			doubled = true
			i++
			continue
		}
		cell, rest = l[:i], l[i+1:]
		break
	}
	if rest != "" && rest[0] == ' ' {
		rest = strings.TrimLeft(rest, " ")
	}
	if rest != "" && rest[0] != delimiter {
		return "", "", "something stands behind a closing quote."
	}
	if doubled {
		cell = strings.ReplaceAll(cell, `""`, `"`)
	}
	return cell, rest, ""
}

// state is where a line ends that began inside quotes.
type state int

const (
	open   state = iota // inside quotes still
	closed              // where a cell ends
	broken              // at a quote that cannot stand there
)

// through follows a line that begins inside quotes; again says that it opened
// others.
func through(l []byte, delimiter byte) (s state, again bool) {
	for {
		i := bytes.IndexByte(l, '"')
		if i < 0 {
			return open, again
		}
		if l = l[i+1:]; len(l) > 0 && l[0] == '"' {
			l = l[1:]
			continue
		}
		if l = bytes.TrimLeft(l, " "); len(l) > 0 && l[0] != delimiter {
			return broken, again
		}
		var inside bool
		if l, inside, s = outside(l, delimiter); !inside {
			return s, again
		}
		again = true
	}
}

// outside follows a line from behind a cell to behind the next opening quote.
func outside(l []byte, delimiter byte) (rest []byte, inside bool, s state) {
	for len(l) > 0 {
		l = l[1:]
		if quoted, ok := bytes.CutPrefix(bytes.TrimLeft(l, " "), []byte{'"'}); ok {
			return quoted, true, open
		}
		i := bytes.IndexByte(l, delimiter)
		if i < 0 {
			i = len(l)
		}
		if bytes.IndexByte(l[:i], '"') >= 0 {
			return nil, false, broken
		}
		l = l[i:]
	}
	return nil, false, closed
}
