// Package picture draws what people would rather look at than read: a learner's
// competencies as a map, how far a learner is with a program, how far a cohort
// is, and where a curriculum touches its competencies.
//
// Each picture is a pure function of values and comes out as the same bytes each
// time: SVG 1.1 without script and without anything from elsewhere, with a title
// and a description that say the gist, readable on a phone and on a desk in light
// and in dark. Nothing is told by colour alone: each state has a symbol, a pattern
// or a word as well, and each picture has a table with the same facts. Whatever
// text comes in is text in the picture, however it is written. Aim: WCAG 2.2 AA.
package picture

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The widths that a picture can be drawn for, in CSS pixels.
const (
	Narrow  = 360 // a phone
	Wide    = 960 // a desk
	MinWide = 640 // from here on things stand side by side
)

// The least and the largest width of a picture.
const (
	least   = 320
	largest = 1600
)

// Width is a width that can be drawn, the nearest to the one asked for; Wide for
// 0.
func Width(asked int) int {
	if asked == 0 {
		return Wide
	}
	return min(max(asked, least), largest)
}

// Status is how far something is.
type Status int

// The statuses.
const (
	None     Status = iota // nothing speaks for it
	Blocked                // something has to be met before
	Progress               // something speaks for it, not enough
	Lapsed                 // it was met; what showed it is too old
	Met
)

// words are the statuses as a legend tells them.
var words = [...]string{"Not met", "Blocked", "In progress", "Lapsed", "Met"}

// classes are the statuses as the style knows them.
var classes = [...]string{"n", "b", "p", "l", "m"}

// String is the status as a reader reads it.
func (s Status) String() string { return words[s] }

// style is the style of every picture. It names no element of a page around it.
const style = `.tp{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;font-size:13px;color:#1b1f24;--g:#fff;--q:#f4f6f8;--e:#c9d1d9;--u:#57606a;--m:#1a7f37;--p:#0969da;--l:#8a5a00;--b:#7a3fd0;--n:#57606a}` +
	`@media(prefers-color-scheme:dark){.tp{color:#e6edf3;--g:#0d1117;--q:#171d25;--e:#3d444d;--u:#9aa4af;--m:#3fb950;--p:#58a6ff;--l:#d9a72e;--b:#b48cfa;--n:#9aa4af}}` +
	`.tp text{fill:currentColor}.tp .g{fill:var(--g)}.tp .q{fill:var(--q)}.tp .e{fill:none;stroke:var(--e)}.tp text.u{fill:var(--u)}.tp .h{font-size:16px;font-weight:600}.tp .t{font-weight:600}.tp .s{font-size:12px}.tp .r{text-anchor:end}.tp .c{text-anchor:middle}` +
	`.tp .m{--k:var(--m)}.tp .p{--k:var(--p)}.tp .l{--k:var(--l)}.tp .b{--k:var(--b)}.tp .n{--k:var(--n)}` +
	`.tp .f{fill:var(--k)}.tp .o{fill:none;stroke:var(--k);stroke-width:1.6}.tp .w{fill:none;stroke:var(--g);stroke-width:2}.tp .v{fill:var(--k);fill-opacity:.14}.tp text.k{fill:var(--k)}`

// canvas is a picture that grows downward.
type canvas struct {
	b     bytes.Buffer
	width int
	y     float64
}

// margin is the room at the edges.
const margin = 12

func newCanvas(width int) *canvas { return &canvas{width: Width(width), y: margin} }

// inner is how wide what is within the margins may be.
func (c *canvas) inner() float64 { return float64(c.width - 2*margin) }

// wide reports whether things stand side by side.
func (c *canvas) wide() bool { return c.width >= MinWide }

func (c *canvas) printf(format string, a ...any) { fmt.Fprintf(&c.b, format, a...) }

// document is the finished picture. id tells the names of its elements from
// those of other pictures in one page.
func (c *canvas) document(id, title, description string) []byte {
	var out bytes.Buffer
	h := c.y + margin
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" class="tp" role="img" aria-labelledby="%[1]s-t %[1]s-d" width="%[2]d" height="%.0[3]f" viewBox="0 0 %[2]d %.0[3]f">`, id, c.width, h)
	fmt.Fprintf(&out, `<title id="%[1]s-t">%[2]s</title><desc id="%[1]s-d">%[3]s</desc><style>%[4]s</style>`, id, escape(title), escape(description), style)
	fmt.Fprintf(&out, `<defs><pattern id="%s-x" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="e" d="M0 0v6" stroke-width="3"/></pattern></defs>`, id)
	fmt.Fprintf(&out, `<rect class="g" width="%d" height="%.0f"/>`, c.width, h)
	out.Write(c.b.Bytes())
	out.WriteString("</svg>\n")
	return out.Bytes()
}

// escape is text as XML has it. What XML cannot say is left out.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"':
			b.WriteString("&quot;")
		case r == '\'':
			b.WriteString("&#39;")
		case r == '\t' || r == '\n' || r == '\r':
			b.WriteByte(' ')
		case r < 0x20 || r == 0xFFFE || r == 0xFFFF || r == utf8.RuneError:
			b.WriteRune('\uFFFD')
		case unicode.In(r, unicode.Bidi_Control):
			// the order of what stands beside it is not for a name to change
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// room is about how wide a text is in a size, in CSS pixels: a little more than
// most fonts need.
func room(s string, size float64) float64 {
	w := 0.0
	for _, r := range s {
		w += advance(r)
	}
	return w * size
}

// advance is about how wide a letter is, in ems.
func advance(r rune) float64 {
	switch {
	case strings.ContainsRune("iljtfI.,:;!'|()[] ", r):
		return 0.34
	case strings.ContainsRune("mwMW%@", r):
		return 0.9
	case unicode.Is(unicode.Mn, r):
		return 0
	case unicode.IsUpper(r) || unicode.IsDigit(r):
		return 0.66
	case r >= 0x2E80:
		return 1.05
	}
	return 0.56
}

// fit is a text cut to a width; whole says that nothing was cut.
func fit(s string, size, width float64) (cut string, whole bool) {
	w, end := 0.0, 0 // where it can be cut
	for i, r := range s {
		if w += advance(r) * size; w > width {
			return strings.TrimRight(s[:end], " ") + "…", false
		}
		if w+size <= width { // there is room for the dots behind it
			end = i + utf8.RuneLen(r)
			if r == utf8.RuneError {
				end = i
			}
		}
	}
	return s, true
}

// wrap is a text in so many lines of a width at most; the last one is cut.
func wrap(s string, size, width float64, lines int) (out []string, whole bool) {
	fields := strings.Fields(s)
	line := ""
	for i, f := range fields {
		next := f
		if line != "" {
			next = line + " " + f
		}
		switch {
		case room(next, size) <= width:
			line = next
		case len(out) == lines-1 || line == "":
			cut, _ := fit(strings.Join(append([]string{next}, fields[i+1:]...), " "), size, width)
			return append(out, cut), false
		default:
			out = append(out, line)
			line = f
			if room(f, size) > width {
				cut, _ := fit(strings.Join(fields[i:], " "), size, width)
				return append(out, cut), false
			}
		}
	}
	if line != "" {
		out = append(out, line)
	}
	return out, true
}

// text writes a line of text at a place. A text that is cut has its whole as a
// title.
func (c *canvas) text(x, y float64, class, s string, size, width float64) {
	cut, whole := fit(s, size, width)
	title := ""
	if !whole {
		title = "<title>" + escape(s) + "</title>"
	}
	if class != "" {
		class = ` class="` + class + `"`
	}
	c.printf(`<text x="%.1f" y="%.1f"%s>%s%s</text>`, x, y, class, title, escape(cut))
}

// lines writes a text in so many lines at most, each a step below the one
// before, and gives how many there are. One that is cut has its whole as a title.
func (c *canvas) lines(x, y float64, class, s string, size, width float64, most int) int {
	all, whole := wrap(s, size, width, most)
	title := ""
	if !whole {
		title = "<title>" + escape(s) + "</title>"
	}
	if class != "" {
		class = ` class="` + class + `"`
	}
	for i, l := range all {
		c.printf(`<text x="%.1f" y="%.1f"%s>%s%s</text>`, x, y+float64(i)*lineStep, class, title, escape(l))
	}
	return max(1, len(all))
}

// lineStep is from line to line.
const lineStep = 15

// heading writes the title of the picture and what it is about.
func (c *canvas) heading(title, about string) {
	lines, _ := wrap(title, 16.5, c.inner(), 2)
	for _, l := range lines {
		c.y += 18
		c.text(margin, c.y, "h", l, 16.5, c.inner())
	}
	lines, _ = wrap(about, 13, c.inner(), 6)
	for _, l := range lines {
		c.y += 18
		c.text(margin, c.y, "u", l, 13, c.inner())
	}
	c.y += 8
}

// symbol draws the sign of a status around a point.
func (c *canvas) symbol(s Status, x, y float64) {
	c.printf(`<g class="%s" transform="translate(%.1f %.1f)">`, classes[s], x, y)
	switch s {
	case Met:
		c.printf(`<circle class="f" r="7"/><path class="w" d="M-3.4 .2l2.4 2.6 4.4-5.4"/>`)
	case Progress:
		c.printf(`<circle class="o" r="6.2"/><path class="f" d="M0-6.2a6.2 6.2 0 0 1 0 12.4z"/>`)
	case Lapsed:
		c.printf(`<circle class="o" r="6.2" stroke-dasharray="3 1.9"/><path class="o" d="M0-3.6v4l2.6 1.8"/>`)
	case Blocked:
		c.printf(`<circle class="o" r="6.2"/><path class="o" d="M-3.2 0h6.4" stroke-width="2.6"/>`)
	default:
		c.printf(`<circle class="o" r="6.2"/>`)
	}
	c.printf(`</g>`)
}

// legend explains the signs that occur.
func (c *canvas) legend(all []Status) {
	c.y += 4
	x := float64(margin)
	row := false
	for _, s := range all {
		w := room(s.String(), 12) + 36
		if row && x+w > float64(c.width-margin) {
			x = margin
			c.y += 20
		}
		if !row {
			c.y += 12
			row = true
		}
		c.symbol(s, x+8, c.y)
		c.text(x+20, c.y+4, "s", s.String(), 12, w)
		x += w
	}
	c.y += 14
}

// bar draws how much of something there is, from 0 to 1.
func (c *canvas) bar(s Status, x, y, width, height, share float64) {
	share = min(max(share, 0), 1)
	c.printf(`<g class="%s"><rect class="v" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="3"/>`, classes[s], x, y, width, height)
	if share > 0 {
		c.printf(`<rect class="f" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="3"/>`, x, y, max(3, share*width), height)
	}
	c.printf(`<rect class="o" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="3" stroke-width="1"/></g>`, x, y, width, height)
}

// percent is a share as people read it. What is not whole is never called so.
func percent(share float64) string {
	n := int(share*100 + 0.5)
	if n >= 100 && share < 1 {
		n = 99
	}
	if n == 0 && share > 0 {
		n = 1
	}
	return fmt.Sprintf("%d%%", n)
}

// count is a number of things, of which there may be one.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// number is a number without zeros that say nothing.
func number(f float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") }

// present are the statuses that occur, the best first.
func present(seen map[Status]int) []Status {
	var all []Status
	for s := Met; s >= None; s-- {
		if seen[s] > 0 {
			all = append(all, s)
		}
	}
	return all
}

// tally is how many there are of each status, as a sentence says it.
func tally(seen map[Status]int) string {
	var all []string
	for _, s := range present(seen) {
		all = append(all, fmt.Sprintf("%d %s", seen[s], strings.ToLower(s.String())))
	}
	return strings.Join(all, ", ")
}

// Table is the same facts as a picture, to be read.
type Table struct {
	Caption string
	Head    []string
	Rows    [][]string // the first cell of each is what the row is about
}
