package tabular

import (
	"bytes"
	"fmt"
	"io"
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
	cells     arena
}

// arena gives rows their cells, many rows at an allocation.
type arena struct{ spare []string }

// room is an empty slice that can hold n cells.
func (a *arena) room(n int) []string {
	if cap(a.spare) < n {
		a.spare = make([]string, 0, 64*n)
	}
	return a.spare[:0:n]
}

// keep makes cells that were put into room a row's own.
func (a *arena) keep(cells []string) {
	if len(cells) <= cap(a.spare) {
		a.spare = a.spare[len(cells):len(cells)]
	}
}

// next is the next row.
func (t *table) next() (Row, error) {
	for {
		to, next, err := t.s.line(0)
		if err == errLong {
			r := Row{Line: t.s.lines + 1, LastLine: t.s.lines + 1, Err: tooLong(t.s)}
			t.s.takeLong()
			r.Offset = t.s.offset()
			return r, nil
		}
		if err != nil {
			return Row{}, err
		}
		l := t.s.text(0, to)
		if blank(l, t.delimiter) {
			t.s.take(next, 1)
			continue
		}
		w := wide{lines: 1, bytes: next}
		if bytes.IndexByte(l, '"') < 0 {
			text := t.s.row(to)
			w.cells = t.trim(t.split(text))
			w.err = t.check(text, w.cells)
		} else if w, err = t.quoted(to, next); err != nil {
			return Row{}, err
		}
		r := Row{Line: t.s.lines + 1, LastLine: t.s.lines + w.lines, Err: w.err, h: t.h}
		t.s.take(w.bytes, w.lines)
		if r.Offset = t.s.offset(); w.err != nil {
			r.Err.Line = r.Line
			return r, nil
		}
		if allBlank(w.cells) {
			continue
		}
		t.cells.keep(w.cells)
		r.cells = w.cells
		return r, nil
	}
}

// wide is what was read as one row, and how much of the text it is.
type wide struct {
	cells        []string
	err          *Error
	lines, bytes int
}

// quoted reads a row with quotes; its first line ends at to.
func (t *table) quoted(to, next int) (wide, error) {
	l := t.s.row(to)
	w := wide{lines: 1, bytes: next}
	cells, problem := cut(l, t.delimiter, t.cells.room(len(t.titles)+1))
	switch problem {
	case "":
		w.cells = t.trim(cells)
		w.err = t.check(l, w.cells)
	case openQuote:
		return t.spanning(l, next)
	default:
		w.err = &Error{Rule: "quote", Value: short(l), Message: "The row cannot be read: " + problem}
	}
	return w, nil
}

// spanning reads a row whose first line ends inside quotes. If the quote never
// closes where a cell ends, it was not meant to open: only the first line is
// lost, and what follows is read as rows. A line is looked at in vain once at
// most, as the search ends at the next line with an opening quote, and the
// limit of a row bounds it.
func (t *table) spanning(first string, from int) (wide, error) {
	wreck := wide{lines: 1, bytes: from}
	opened := t.s.lines + 1
	for lines := 2; ; lines++ {
		to, next, err := t.s.line(from)
		if err != nil && err != io.EOF && err != errLong {
			return wide{}, err
		}
		state := broken
		if err == nil && to <= t.s.max {
			var again bool
			if state, again = through(t.s.text(from, to), t.delimiter); again {
				opened = t.s.lines + lines
			}
		}
		switch state {
		case broken:
			wreck.err = &Error{Rule: "quote", Value: short(first),
				Message: fmt.Sprintf("A quote opens on line %d and is not closed where a cell ends. Close it, or write two quotes where one is meant.", opened)}
			return wreck, nil
		case closed:
			return t.spanned(wide{lines: lines, bytes: next}, to, wreck, first), nil
		}
		from = next
	}
}

// spanned judges a row of several lines whose quotes are all closed. Where it
// has not the cells of a row but one of its lines alone has, the quote was a
// stray one. Where it has, it stands, except when all lines within look like
// rows: then two stray quotes may hide good rows, or a text may quote rows that
// nobody should take for such. It is refused, and said so.
func (t *table) spanned(w wide, to int, wreck wide, first string) wide {
	text := t.s.join(to)
	cells, _ := cut(text, t.delimiter, nil)
	w.cells = t.trim(cells)
	w.err = t.check(text, w.cells)
	lines := strings.Split(text, "\n")[1:]
	alike := 0
	for _, l := range lines {
		if t.isRow(l) {
			alike++
		}
	}
	last := t.s.lines + w.lines
	switch {
	case len(w.cells) != len(t.titles) && alike > 0:
		wreck.err = &Error{Rule: "quote", Value: short(first),
			Message: fmt.Sprintf("A quote opens on line %d and is closed only on line %d, behind other rows. Close it, or write two quotes where one is meant.", t.s.lines+1, last)}
		return wreck
	case w.err == nil && len(t.titles) > 2 && len(lines) > 2 && alike == len(lines)-1:
		w.err = &Error{Rule: "quote", Value: short(first),
			Message: fmt.Sprintf("Lines %d to %d are one row by their quotes, but those between look like rows. None was read. If a quote is not meant to open there, write two.", t.s.lines+1, last)}
	}
	return w
}

// isRow reports whether a line alone has the cells of a row, and a value in
// each required one.
func (t *table) isRow(l string) bool {
	cells, problem := cut(l, t.delimiter, nil)
	if cells = t.trim(cells); problem != "" || len(cells) != len(t.titles) {
		return false
	}
	for _, f := range t.o.Fields {
		if i, ok := t.h.place[f.Name]; f.Required && (!ok || strings.TrimSpace(cells[i]) == "") {
			return false
		}
	}
	return true
}

// split cuts a line without quotes.
func (t *table) split(l string) []string {
	cells := t.cells.room(len(t.titles) + 1)
	for {
		i := strings.IndexByte(l, t.delimiter)
		if i < 0 {
			return append(cells, l)
		}
		cells = append(cells, l[:i])
		l = l[i+1:]
	}
}

// trim leaves out empty cells behind the last column.
func (t *table) trim(cells []string) []string {
	for len(cells) > len(t.titles) && strings.TrimSpace(cells[len(cells)-1]) == "" {
		cells = cells[:len(cells)-1]
	}
	return cells
}

// check is what is wrong with the cells of a row as a whole.
func (t *table) check(text string, cells []string) *Error {
	if len(cells) != len(t.titles) {
		return &Error{Rule: "cells", Value: short(text),
			Message: fmt.Sprintf("The row has %s, and the header has %d. A cell that holds the delimiter must stand in quotes.", count(len(cells), "cell"), len(t.titles))}
	}
	if t.s.sound() {
		return nil
	}
	for i, c := range cells {
		e := &Error{Column: short(strings.TrimSpace(t.titles[i])), Value: short(c)}
		if at := invalid(c); at >= 0 {
			e.Rule, e.Message = "encoding", fmt.Sprintf("The byte 0x%02X, character %d of this cell, is not UTF-8. Save the file as UTF-8, or say that its encoding is windows-1252.", c[at], utf8.RuneCountInString(c[:at])+1)
			return e
		}
		if strings.IndexByte(c, 0) >= 0 {
			e.Rule, e.Message = "nul", "This cell has a NUL character, which no text may have."
			return e
		}
		if t.damaged(c) {
			e.Rule, e.Message = "encoding", "A character of this cell is not UTF-16. Save the file again, as CSV (UTF-8)."
			return e
		}
	}
	return nil
}

// damaged reports whether the decoder found what is not UTF-16.
func (t *table) damaged(text string) bool {
	return t.s.input.encoding == "utf-16" && strings.ContainsRune(text, utf8.RuneError)
}

// invalid is the place of the first byte that is not UTF-8, or -1.
func invalid(s string) int {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return i
			}
		}
	}
	return -1
}

func allBlank(cells []string) bool {
	for _, c := range cells {
		if strings.TrimSpace(c) != "" {
			return false
		}
	}
	return true
}

// tooLong is the error of the line that comes next.
func tooLong(s *scanner) *Error {
	return &Error{Line: s.lines + 1, Rule: "row-size", Value: short(string(s.text(0, min(400, s.max)))), Message: fmt.Sprintf("The row is longer than %d bytes.", s.max)}
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
