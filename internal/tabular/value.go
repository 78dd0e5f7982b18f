package tabular

import (
	"encoding/csv"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// layouts are the ways to write a day.
var layouts = map[string]string{"": "2006-01-02", "YYYY-MM-DD": "2006-01-02", "MM/DD/YYYY": "1/2/2006", "DD/MM/YYYY": "2/1/2006",
	"DD.MM.YYYY": "2.1.2006", "YYYYMMDD": "20060102"}

// clock is a time behind a day, as databases export them.
var clock = regexp.MustCompile(`^[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?( ?(Z|UTC|[+-]\d\d(:?\d\d)?))?$`)

// Date reads a day: format is empty for YYYY-MM-DD, or one of MM/DD/YYYY,
// DD/MM/YYYY, DD.MM.YYYY, YYYYMMDD. A time of day may follow and is left out:
// the day is the one that is written.
func Date(text, format string) (year, month, day int, ok bool) {
	layout, known := layouts[format]
	if !known {
		return 0, 0, 0, false
	}
	if i := strings.IndexAny(text, "T "); i >= 0 && clock.MatchString(text[i:]) {
		text = text[:i]
	}
	t, err := time.Parse(layout, text)
	if err != nil || t.Year() < 1000 {
		return 0, 0, 0, false
	}
	return t.Year(), int(t.Month()), t.Day(), true
}

// Number reads a decimal number. A comma is taken for the decimal point where
// it cannot group thousands: 3,5 and 12,75 and 0,125 but not 1,234.
func Number(text string) (float64, bool) {
	if whole, fraction, ok := strings.Cut(text, ","); ok {
		digits := strings.TrimLeft(whole, "+-")
		groups := len(fraction) == 3 && len(digits) < 4 && !strings.HasPrefix(digits, "0")
		if strings.ContainsAny(whole+fraction, ".,") || groups || fraction == "" || digits == "" {
			return 0, false
		}
		text = whole + "." + fraction
	}
	if strings.Trim(text, "+-0123456789.") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil && !math.IsInf(n, 0)
}

// WriteErrors writes errors as CSV with a header, until next says that there
// are no more. A cell that a spreadsheet would take for a formula gets an
// apostrophe in front.
func WriteErrors(w io.Writer, next func() (Error, bool, error)) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"line", "column", "rule", "value", "message"}); err != nil {
		return err
	}
	for {
		e, ok, err := next()
		if err != nil {
			return err
		}
		if !ok {
			out.Flush()
			return out.Error()
		}
		if err := out.Write([]string{strconv.Itoa(e.Line), inert(e.Column), inert(e.Rule), inert(e.Value), inert(e.Message)}); err != nil {
			return err
		}
	}
}

// formulas are the characters with which a spreadsheet's formula can begin.
const formulas = "=+-@\t\r\n＝＋－＠"

func inert(s string) string {
	if first, _ := utf8.DecodeRuneInString(s); s != "" && strings.ContainsRune(formulas, first) {
		return "'" + s
	}
	return s
}
