package typeface

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// names in the scripts that the fonts are for.
var names = map[string]string{
	"Latin": "Željka Ødegård-Nguyễn", "Greek": "Ζωή Παπαδοπούλου", "Cyrillic": "Зоя Хрыстаў", "Arabic": "زوي عبد الرحمن", "Persian": "پژمان گلچین", "Hebrew": "זואי לוי",
	"Devanagari": "ज़ोया क्षत्रिय", "Bengali": "জোয়া চট্টোপাধ্যায়", "Tamil": "ஜோயா", "Telugu": "జోయా", "Gujarati": "ઝોયા", "Gurmukhi": "ਜ਼ੋਇਆ", "Kannada": "ಜೋಯಾ", "Malayalam": "സോയ",
	"Sinhala": "සෝයා", "Thai": "โซย่า", "Lao": "ໂຊຢາ", "Khmer": "ហ្សូយ៉ា", "Burmese": "ဇိုးယာ", "Ethiopic": "ዞያ", "Armenian": "Զոյա", "Georgian": "ზოია",
	"Chinese": "张伟", "Traditional": "張偉龍", "Japanese": "山田花子 ゾーイ", "Korean": "김조이",
}

// said is the text behind the glyphs, in the order of reading.
func said(l Line) string {
	var b strings.Builder
	for _, r := range l.Runs {
		b.WriteString(r.Text)
	}
	return strings.ReplaceAll(b.String(), " ", "")
}

func TestNamesAreSetInTheirScripts(t *testing.T) {
	s := NewSetter()
	for script, name := range names {
		if missing := Missing(name); len(missing) > 0 {
			t.Errorf("%s: no font has %q", script, missing)
		}
		for style := Regular; style < styles; style++ {
			l := s.Set(name, style)
			for _, run := range l.Runs {
				for _, g := range run.Glyphs {
					if g.ID == 0 {
						t.Errorf("%s: a glyph of %s is missing in %q", script, run.Font.Name, run.Text)
					}
				}
			}
			if l.Width <= 0 {
				t.Errorf("%s has no width", script)
			}
		}
	}
}

// Arabic joins: its letters have other forms within a word than alone.
// Devanagari puts its sign i before the letter that it follows.
func TestShapes(t *testing.T) {
	s := NewSetter()
	alone := s.Set("ع", Regular).Runs[0].Glyphs[0].ID
	within := s.Set("ععع", Regular).Runs[0]
	if !within.RTL || len(within.Glyphs) != 3 || within.Glyphs[1].ID == alone {
		t.Errorf("Arabic does not join: %+v", within)
	}
	ka, ki := s.Set("क", Regular).Runs[0].Glyphs, s.Set("कि", Regular).Runs[0].Glyphs
	if len(ki) != 2 || ki[1].ID != ka[0].ID || ki[0].Text != "कि" || ki[1].Text != "" {
		t.Errorf("Devanagari is not reordered: %+v %+v", ka, ki)
	}
}

func TestDirections(t *testing.T) {
	s := NewSetter()
	if got := said(s.Set("אב Ada גד", Regular)); got != "גדAdaאב" {
		t.Errorf("a line from the right stands as %q", got)
	}
	if got := said(s.Set("Ada אב 12 גד 3", Regular)); got != "Adaגד12אב3" {
		t.Errorf("a number within what reads from the right stands as %q", got)
	}
	if got := said(s.Set("Ada אב גד Bo", Regular)); got != "AdaאבגדBo" {
		t.Errorf("a line from the left stands as %q", got)
	}
	if got := said(s.Set("pay\u202Eevil\u202C now", Regular)); got != "payevilnow" {
		t.Errorf("an override of direction came through: %q", got)
	}
}

func TestNothingVanishes(t *testing.T) {
	s := NewSetter()
	const name = "Zoe 𓀀 Lee"
	if got := Missing(name + "\n\u200d"); len(got) != 1 || got[0] != '𓀀' {
		t.Errorf("missing: %q", got)
	}
	if got := said(s.Set(name, Regular)); got != "Zoe[U+13000]Lee" {
		t.Errorf("it is set as %q", got)
	}
}

func TestLinesFit(t *testing.T) {
	s := NewSetter()
	text := strings.Repeat("averylongwordwithoutanyspace", 5) + " and short ones, with ज़ोया क्षत्रिय and זואי לוי and 山田花子"
	lines := s.Lines(text, Regular, 12)
	for _, l := range lines {
		if w := s.Set(l, Regular).Width; w > 12 {
			t.Errorf("%q is %.1f wide", l, w)
		}
	}
	whole := strings.ReplaceAll(strings.ReplaceAll(strings.Join(lines, ""), leftMark, ""), " ", "")
	if want := strings.ReplaceAll(text, " ", ""); whole != want {
		t.Errorf("the lines say %q, want %q", whole, want)
	}
}

func FuzzSet(f *testing.F) {
	for _, n := range names {
		f.Add(n)
	}
	f.Add("a\u0301\u0301\u200d\u202eb\xff\x00\U000E0001")
	f.Fuzz(func(t *testing.T, text string) {
		s := NewSetter()
		text = text[:min(len(text), 400)]
		l := s.Set(text, Title)
		for _, r := range l.Runs {
			if !utf8.ValidString(r.Text) {
				t.Errorf("%q is no text", r.Text)
			}
			for i, g := range r.Glyphs {
				if i == 0 && g.Text == "" {
					t.Errorf("%q: the first glyph stands for nothing", r.Text)
				}
			}
		}
		for _, line := range s.Lines(text, Regular, 9) {
			if w := s.Set(line, Regular).Width; w > 9.01 && strings.ContainsRune(line, ' ') {
				t.Errorf("%q is %.3f wide", line, w)
			}
		}
	})
}
