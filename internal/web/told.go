package web

import (
	"cmp"
	"fmt"
	"html/template"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/day"
)

// What other packages say — why a competency is met, what was found about a
// credential, what is wrong with a form — comes as sentences in English, some of
// them from records that were signed years ago. A page in another language finds
// the pattern that a sentence was made from, and says it by the pattern of its
// language; names and numbers within stay as they are.

// telling is one pattern: an English sentence, or a part of one, with blanks, and
// the same in another language. The blanks are %s for what somebody wrote, %d for
// a number, %v for a part that is told by a pattern of its own, or a date, and %x
// for what is either.
type telling struct {
	parts  []string // the English between the blanks
	blanks []byte   // their kinds
	other  []piece
	weight int
}

// piece is some text, and behind it a blank by its number; -1: none.
type piece struct {
	text  string
	blank int
}

// teller tells by patterns, those with the most text of their own first.
type teller struct {
	*words
	all []telling
}

var blank = regexp.MustCompile(`%(?:\[(\d)\])?([sdvx])`)

// newTeller reads a catalogue: two lines for a pattern, and an empty one between
// patterns; lines that begin with # are about it.
func newTeller(w *words, catalogue string) (*teller, error) {
	t := &teller{words: w}
	for _, entry := range strings.Split(catalogue, "\n\n") {
		lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(entry), "\n"), func(l string) bool { return l == "" || l[0] == '#' })
		if len(lines) == 0 {
			continue
		}
		if len(lines) != 2 {
			return nil, fmt.Errorf("%d lines where two belong: %q", len(lines), lines)
		}
		x := telling{parts: blank.Split(lines[0], -1)}
		for _, b := range blank.FindAllStringSubmatch(lines[0], -1) {
			x.blanks = append(x.blanks, b[2][0])
		}
		at, n := 0, 0
		for _, b := range blank.FindAllStringSubmatchIndex(lines[1], -1) {
			which := n
			if b[2] >= 0 {
				which = int(lines[1][b[2]] - '1')
			}
			if which < 0 || which >= len(x.blanks) || x.blanks[which] != lines[1][b[4]] {
				return nil, fmt.Errorf("the blanks differ: %q", lines)
			}
			x.other = append(x.other, piece{lines[1][at:b[0]], which})
			at, n = b[1], n+1
		}
		x.other = append(x.other, piece{lines[1][at:], -1})
		for _, p := range x.parts {
			x.weight += len(p)
		}
		t.all = append(t.all, x)
	}
	slices.SortStableFunc(t.all, func(a, b telling) int { return cmp.Or(b.weight-a.weight, len(b.blanks)-len(a.blanks)) })
	return t, nil
}

// The bounds of what is told by patterns; what goes beyond stays English.
const (
	maxTold  = 4000 // bytes
	maxSteps = 20_000
)

// tell is a text of other packages in the reader's language, as HTML: what is not
// known is marked as English, and what somebody wrote as of any language.
func (t *teller) tell(text string) template.HTML {
	if t.by == nil || text == "" {
		return template.HTML(template.HTMLEscapeString(text))
	}
	if len(text) <= maxTold {
		r := &reading{teller: t, left: maxSteps, told: map[string]*string{}, parts: map[string]string{}}
		if told, ok := r.sentences(text); ok {
			return template.HTML(told) // escaped below
		}
	}
	t.unsaid(text)
	return template.HTML(`<span lang="en">` + template.HTMLEscapeString(text) + `</span>`)
}

// unnamed is how a recipient is called whom nobody named.
const unnamed = "whoever has the link"

// party is somebody by name, which is of any language.
func (t *teller) party(name string) template.HTML {
	if strings.HasPrefix(name, unnamed) {
		return t.tell(name) // with who they say they are
	}
	return template.HTML(`<span lang="und">` + template.HTMLEscapeString(name) + `</span>`)
}

// reading is one text being told, with how much may still be tried.
type reading struct {
	*teller
	left  int
	told  map[string]*string // of what was tried; nil: no pattern fits
	parts map[string]string  // the same of parts; empty: no pattern fits
}

// sentences tells a text sentence by sentence: each as short as one is known.
func (r *reading) sentences(text string) (string, bool) {
	if done, ok := r.told[text]; ok {
		if done == nil {
			return "", false
		}
		return *done, true
	}
	r.told[text] = nil
	for at := 0; ; {
		i := strings.IndexAny(text[at:], ".:?")
		end := len(text)
		if i >= 0 {
			end = at + i + 1
		}
		at = end
		if end < len(text) && text[end] != ' ' {
			continue
		}
		if first, ok := r.one(text[:end], false); ok {
			if end == len(text) {
				r.told[text] = &first
				return first, true
			}
			if rest, ok := r.sentences(text[end+1:]); ok {
				all := first + " " + rest
				r.told[text] = &all
				return all, true
			}
		}
		if end == len(text) || r.left <= 0 {
			return "", false
		}
	}
}

// one tells a sentence, or a part of one, by the first pattern that fits.
func (r *reading) one(text string, part bool) (told string, ok bool) {
	if part {
		if done, tried := r.parts[text]; tried {
			return done, done != ""
		}
		defer func() { r.parts[text] = told }()
		if d, ok := r.dated(text); ok {
			return d, true
		}
	}
	for i := range r.all {
		p := &r.all[i]
		rest, ok := strings.CutPrefix(text, p.parts[0])
		if !ok && part && len(p.parts[0]) > 0 { // a part may begin a sentence of its own
			rest, ok = cutLower(text, p.parts[0])
		}
		if !ok {
			continue
		}
		if filled, ok := r.fill(p, 0, rest); ok {
			var b strings.Builder
			for _, x := range p.other {
				b.WriteString(template.HTMLEscapeString(x.text))
				if x.blank >= 0 {
					b.WriteString(filled[x.blank])
				}
			}
			return b.String(), true
		}
	}
	return "", false
}

// cutLower is CutPrefix of a text that begins with a capital.
func cutLower(text, prefix string) (string, bool) {
	if text == "" || text[0] < 'A' || text[0] > 'Z' {
		return "", false
	}
	return strings.CutPrefix(strings.ToLower(text[:1])+text[1:], prefix)
}

// fill fills the blanks of a pattern from the n-th on with what is left of a text.
func (r *reading) fill(p *telling, n int, text string) ([]string, bool) {
	if n == len(p.blanks) {
		return make([]string, n), text == ""
	}
	behind := p.parts[n+1]
	last := n == len(p.blanks)-1
	for at := 1; at <= len(text); at++ {
		if r.left--; r.left <= 0 {
			return nil, false
		}
		if last {
			at = len(text) - len(behind)
			if at < 1 || !strings.HasSuffix(text, behind) {
				return nil, false
			}
		} else if i := strings.Index(text[at:], behind); i >= 0 {
			at += i
		} else {
			return nil, false
		}
		if value, ok := r.value(p.blanks[n], text[:at]); ok {
			if filled, ok := r.fill(p, n+1, text[at+len(behind):]); ok {
				filled[n] = value
				return filled, true
			}
		}
		if last {
			return nil, false
		}
	}
	return nil, false
}

// value is what fills a blank.
func (r *reading) value(kind byte, text string) (string, bool) {
	switch kind {
	case 'd':
		for i, c := range []byte(text) {
			if (c < '0' || c > '9') && (i == 0 || c != '.' && c != ',') {
				return "", false
			}
		}
		return text, true
	case 'v':
		return r.one(text, true)
	case 'x':
		if told, ok := r.one(text, true); ok {
			return told, true
		}
	}
	return `<span lang="und">` + template.HTMLEscapeString(text) + `</span>`, true
}

// dated is a day or an instant, as sentences have them.
func (r *reading) dated(text string) (string, bool) {
	if text == "" || text[0] < '0' || text[0] > '9' {
		return "", false
	}
	if d, err := day.Parse(text); err == nil {
		return string(r.date(d)), true
	}
	if at, err := time.Parse("2 January 2006", text); err == nil {
		return string(r.date(at)), true
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return string(r.moment(at)), true
	}
	return "", false
}
