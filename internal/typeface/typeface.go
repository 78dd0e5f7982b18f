// Package typeface is the fonts that documents are set in, and how text becomes
// glyphs: which font has a character, in which order glyphs stand in a line that
// mixes directions, how Arabic joins and Devanagari reorders.
//
// The fonts are part of the program (9 MB, free licences beside them): Noto for
// Latin, Greek and Cyrillic and for 18 other scripts, Droid Sans Fallback for
// Chinese and Japanese, Nanum for Korean. A character that none of them has is shown as its
// code point in brackets and named by Missing; nothing vanishes.
// Standards: OpenType 1.9, Unicode UAX #9; shaping as HarfBuzz does it.
package typeface

import (
	"bytes"
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/harfbuzz"
	"github.com/go-text/typesetting/language"
	"golang.org/x/text/unicode/bidi"

	"github.com/testamur/testamur/internal/spec/pdf"
)

//go:embed font/*.ttf
var files embed.FS

// Style is how text is set. Scripts other than Latin, Greek and Cyrillic have
// one font for all styles.
type Style int

// The styles.
const (
	Regular Style = iota
	Bold
	Title // bold, with serifs
	styles
)

// primary are the fonts of the styles.
var primary = [styles]string{"NotoSans-Regular", "NotoSans-Bold", "NotoSerif-Bold"}

// others are the fonts that are asked, in order, for what the primary lacks.
var others = []string{"NotoNaskhArabic-Regular", "NotoSansHebrew-Regular", "NotoSansDevanagari-Regular", "NotoSansBengali-Regular", "NotoSansTamil-Regular",
	"NotoSansThai-Regular", "NotoSansTelugu-Regular", "NotoSansGujarati-Regular", "NotoSansGurmukhi-Regular", "NotoSansKannada-Regular", "NotoSansMalayalam-Regular",
	"NotoSansSinhala-Regular", "NotoSansEthiopic-Regular", "NotoSansArmenian-Regular", "NotoSansGeorgian-Regular", "NotoSansKhmer-Regular", "NotoSansLao-Regular",
	"NotoSansMyanmar-Regular", "DroidSansFallbackFull", "NanumSquareR"}

// Font is one font file, read once.
type Font struct {
	Name string // as PostScript knows it
	Data []byte // TrueType
	Upem int    // units of an em
	face *font.Font
}

// read reads a font.
func read(name string) *Font {
	data, err := files.ReadFile("font/" + name + ".ttf")
	if err != nil {
		panic(err) // it is part of the program
	}
	face, err := font.ParseTTF(bytes.NewReader(data))
	if err != nil {
		panic(name + ": " + err.Error())
	}
	return &Font{Name: name, Data: data, Upem: int(face.Upem()), face: face.Font}
}

// primaries and fallbacks are the fonts, each read the first time it is asked for.
var primaries, fallbacks = once(primary[:]), once(others)

func once(names []string) []func() *Font {
	all := make([]func() *Font, len(names))
	for i, name := range names {
		all[i] = sync.OnceValue(func() *Font { return read(name) })
	}
	return all
}

// Of is the font of a style.
func Of(s Style) *Font { return primaries[s]() }

// Glyph is one glyph of a run. Lengths are in units of the run's font.
type Glyph = pdf.Glyph

// Run is glyphs of one font in the order in which they stand, left to right.
type Run struct {
	Font   *Font
	RTL    bool
	Glyphs []Glyph
	Text   string  // in the order in which it is read
	Width  float64 // in ems
	Joined bool    // some glyphs stand for more than one character
}

// Line is text as it is set in one line.
type Line struct {
	Runs  []Run
	Width float64 // in ems
}

// key is what a line is remembered by; with a width, what a text comes to in lines
// of that.
type key struct {
	text  string
	style Style
	width float64
}

// Setter sets lines. It is for one goroutine.
type Setter struct {
	shapers map[*Font]*shaper
	lines   map[key]Line
	broken  map[key][]string
	bidi    bidi.Paragraph
}

// shaper is a font ready to shape with.
type shaper struct {
	font   *harfbuzz.Font
	face   *font.Face
	buffer *harfbuzz.Buffer
}

// NewSetter is a setter that has set nothing yet.
func NewSetter() *Setter {
	return &Setter{shapers: map[*Font]*shaper{}, lines: map[key]Line{}, broken: map[key][]string{}}
}

// pool keeps setters with what they have prepared for the next document.
var pool = sync.Pool{New: func() any { return NewSetter() }}

// maxKept is how many lines a setter remembers from one document to the next, some
// 5 MB of them.
const maxKept = 4000

// Borrow gives a setter that may have been used before, and what gives it back.
// What it sets does not depend on that.
func Borrow() (*Setter, func()) {
	s := pool.Get().(*Setter)
	return s, func() {
		if len(s.lines)+len(s.broken) > maxKept {
			clear(s.lines)
			clear(s.broken)
		}
		pool.Put(s)
	}
}

func (s *Setter) shaper(f *Font) *shaper {
	sh, ok := s.shapers[f]
	if !ok {
		face := font.NewFace(f.face)
		sh = &shaper{font: harfbuzz.NewFont(face), face: face, buffer: harfbuzz.NewBuffer()}
		s.shapers[f] = sh
	}
	return sh
}

// Set is text as one line. Line breaks and other controls become spaces; those
// that only say how to join or order characters do their work and show nothing.
func (s *Setter) Set(text string, style Style) Line {
	k := key{text: text, style: style}
	if l, ok := s.lines[k]; ok {
		return l
	}
	l := s.set(printable(text, style), style)
	s.lines[k] = l
	return l
}

// ignorable are controls that show nothing themselves.
func ignorable(r rune) bool {
	return r == 0x00AD || r >= 0x200B && r <= 0x200F || r >= 0x202A && r <= 0x202E || r >= 0x2060 && r <= 0x206F || r >= 0xFE00 && r <= 0xFE0F || r == 0xFEFF
}

// Missing are the characters of a text that no font has, each once.
func Missing(text string) []rune {
	var all []rune
	for _, r := range text {
		if r < 0x7F { // the fonts of all styles have these, and none has a control
			continue
		}
		if !unicode.IsControl(r) && !ignorable(r) && fontFor(r, Regular) == nil && !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	return all
}

// printable is text with what cannot be shown replaced by what can. An override
// of direction would let a document read otherwise than its text says, UTR #36
// §2.7: those are left out.
func printable(text string, style Style) string {
	plain := true
	for _, r := range text {
		if r < 0x20 || r >= 0x7F {
			plain = false
			break
		}
	}
	if plain {
		return text
	}
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		switch {
		case r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069, r == 0xFEFF, r == 0x00AD:
		case unicode.IsControl(r), r == 0x2028, r == 0x2029:
			b.WriteByte(' ')
		case !ignorable(r) && fontFor(r, style) == nil:
			fmt.Fprintf(&b, "[U+%04X]", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// fontFor is the first font that has a character, or nil.
func fontFor(r rune, style Style) *Font {
	if f := Of(style); has(f, r) {
		return f
	}
	if r < 0x370 {
		return nil
	}
	for _, read := range fallbacks {
		if f := read(); has(f, r) {
			return f
		}
	}
	return nil
}

func has(f *Font, r rune) bool { _, ok := f.face.NominalGlyph(r); return ok }

// set orders, cuts and shapes a line.
func (s *Setter) set(text string, style Style) Line {
	var l Line
	for _, part := range s.ordered(text) {
		pieces := cut([]rune(part.text), style)
		if part.rtl {
			slices.Reverse(pieces)
		}
		for _, p := range pieces {
			run := s.shape(p, part.rtl)
			l.Width += run.Width
			l.Runs = append(l.Runs, run)
		}
	}
	return l
}

// directed is a piece of a line that reads in one direction.
type directed struct {
	text string
	rtl  bool
}

// oneFont reports whether all of a text is of scripts that are written from the left
// and that the fonts of the styles have: Latin, Greek, Cyrillic.
func oneFont(text string) bool {
	for _, r := range text {
		if r >= 0x530 {
			return false
		}
	}
	return true
}

// leftMark makes a line begin from the left, UAX #9 §2.6.
const leftMark = "\u200E"

// marks only tell directions; when that is done they are not needed.
var marks = strings.NewReplacer(leftMark, "", "\u200F", "")

// ordered are the pieces of a line as they stand from left to right, UAX #9.
func (s *Setter) ordered(text string) []directed {
	if oneFont(text) {
		return []directed{{text, false}}
	}
	if _, err := s.bidi.SetString(text, bidi.DefaultDirection(bidi.LeftToRight)); err != nil {
		return []directed{{text, false}}
	}
	order, err := s.bidi.Order()
	if err != nil {
		return []directed{{text, false}}
	}
	all := make([]directed, 0, order.NumRuns())
	for i := range order.NumRuns() {
		r := order.Run(i)
		all = append(all, directed{marks.Replace(r.String()), r.Direction() == bidi.RightToLeft})
	}
	turn(all, fromRight(text))
	return all
}

// turn brings pieces from the order of reading into the order of standing, UAX #9
// L2: all of a line from the right, and in a line from the left what reads from
// the right together with the numbers within it.
func turn(all []directed, line bool) {
	if line {
		slices.Reverse(all)
		return
	}
	for i := 0; i < len(all); i++ {
		last := i
		for j := i; all[i].rtl && j < len(all) && (all[j].rtl || !strings.ContainsFunc(all[j].text, unicode.IsLetter)); j++ {
			if all[j].rtl {
				last = j
			}
		}
		slices.Reverse(all[i : last+1])
		i = last
	}
}

// piece is text of one font and script.
type piece struct {
	font   *Font
	script language.Script
	text   []rune
}

// cut cuts text where its font or script changes. What belongs to every script
// stays with what stands before it.
func cut(text []rune, style Style) []piece {
	var all []piece
	for _, r := range text {
		script := language.LookupScript(r)
		n := len(all)
		shared := script == language.Common || script == language.Inherited
		switch {
		case n > 0 && (ignorable(r) || unicode.Is(unicode.M, r) && has(all[n-1].font, r)):
			all[n-1].text = append(all[n-1].text, r)
			continue
		case n > 0 && shared && r != ' ' && has(all[n-1].font, r) && all[n-1].font == Of(style),
			n > 0 && r == ' ' && has(all[n-1].font, r):
			all[n-1].text = append(all[n-1].text, r)
			continue
		}
		f := fontFor(r, style)
		if f == nil {
			f = Of(style)
		}
		if n > 0 && all[n-1].font == f && (shared || all[n-1].script == script || all[n-1].script == language.Common) {
			if !shared {
				all[n-1].script = script
			}
			all[n-1].text = append(all[n-1].text, r)
			continue
		}
		all = append(all, piece{f, script, []rune{r}})
	}
	return all
}

// shape makes glyphs of a piece.
func (s *Setter) shape(p piece, rtl bool) Run {
	sh := s.shaper(p.font)
	b := sh.buffer
	b.Clear()
	b.Props = harfbuzz.SegmentProperties{Script: p.script, Direction: harfbuzz.LeftToRight, Language: "en"}
	if rtl {
		b.Props.Direction = harfbuzz.RightToLeft
	}
	b.AddRunes(p.text, 0, -1)
	b.Shape(sh.font, nil)
	run := Run{Font: p.font, RTL: rtl, Glyphs: make([]Glyph, len(b.Info)), Text: string(p.text)}
	starts := make([]int, len(b.Info))
	for i, g := range b.Info {
		starts[i] = g.Cluster
	}
	slices.Sort(starts)
	starts = slices.Compact(starts)
	end := func(from int) int {
		if i, _ := slices.BinarySearch(starts, from); i+1 < len(starts) {
			return starts[i+1]
		}
		return len(p.text)
	}
	total := 0
	for i, g := range b.Info {
		pos := b.Pos[i]
		total += int(pos.XAdvance)
		run.Glyphs[i] = Glyph{ID: uint16(g.Glyph), Advance: int(pos.XAdvance), X: int(pos.XOffset), Y: int(pos.YOffset)}
		if i > 0 && b.Info[i-1].Cluster == g.Cluster {
			run.Joined = true
			continue
		}
		run.Glyphs[i].Text = string(p.text[g.Cluster:end(g.Cluster)])
	}
	run.Width = float64(total) / float64(p.font.Upem)
	return run
}

// Lines breaks text into lines of at most a width in ems, at spaces, and within a
// word that is longer than that. All have the direction of the whole.
func (s *Setter) Lines(text string, style Style, width float64) []string {
	k := key{text, style, width}
	all, ok := s.broken[k]
	if !ok {
		all = s.breaks(text, style, width)
		s.broken[k] = all
	}
	return all
}

func (s *Setter) breaks(text string, style Style, width float64) []string {
	text = strings.Join(strings.Fields(text), " ")
	if s.Set(text, style).Width <= width {
		return []string{text}
	}
	var all []string
	line, wide, space, one := "", 0.0, s.Set(" ", style).Width, oneFont(text)
	for word := range strings.SplitSeq(text, " ") {
		w := s.Set(word, style).Width
		if line != "" {
			joined := wide + space + w // words are as wide together as alone, and stand in many a line
			if !one {
				joined = s.Set(line+" "+word, style).Width // the space between may be of another font
			}
			if joined <= width {
				line, wide = line+" "+word, joined
				continue
			}
		}
		if line != "" {
			all = append(all, line)
		}
		line, wide = word, w
		for wide > width {
			n := s.fits(line, style, width)
			all, line = append(all, line[:n]), line[n:]
			wide = s.Set(line, style).Width
		}
	}
	all = append(all, line)
	if !fromRight(text) {
		for i, line := range all {
			if fromRight(line) {
				all[i] = leftMark + line
			}
		}
	}
	return all
}

// fromRight reports whether a text begins from the right, UAX #9 P2 and P3.
func fromRight(text string) bool {
	for _, r := range text {
		switch p, _ := bidi.LookupRune(r); p.Class() {
		case bidi.L:
			return false
		case bidi.R, bidi.AL:
			return true
		}
	}
	return false
}

// fits is how many bytes of a word go into a width; at least one character. A
// mark stays with its letter.
func (s *Setter) fits(word string, style Style, width float64) int {
	last := 0
	for i, r := range word {
		if i == 0 || unicode.Is(unicode.M, r) || ignorable(r) {
			continue
		}
		if last > 0 && s.Set(word[:i], style).Width > width {
			return last
		}
		last = i
	}
	if last == 0 {
		return len(word)
	}
	return last
}
