package picture

import (
	"bytes"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// hostile is a name that somebody may have stored.
const hostile = "<script>alert(1)</script>\"'&]]>\x00\u202eمرحبا 王 " +
	"a name that is so long that it fits no tile, no row and no line of any picture, whatever its width"

// pictures are one of each, with something of everything and a hostile name
// wherever a name can stand.
func pictures() map[string]Picture {
	tile := func(s Status) Tile {
		return Tile{Code: "A.1", Name: hostile, Status: s, Level: hostile, Step: 2, Steps: 4, Since: "2024-05-22", Until: "2026-05-22", Crosswalk: true}
	}
	area := Area{Name: hostile, Status: Progress}
	for s := None; s <= Met; s++ {
		area.Tiles = append(area.Tiles, tile(s))
	}
	return map[string]Picture{
		"competencies": Competencies{Learner: hostile, AsOf: "2026-11-24", Frameworks: []Framework{{Title: hostile, Areas: []Area{area, {Tiles: area.Tiles}}, More: 3}}},
		"nothing":      Competencies{Learner: "Ada", AsOf: "2026-11-24"},
		"program": Program{Learner: hostile, Program: hostile, Version: 2, AsOf: "2026-11-24", Status: Progress, Share: 0.999, Credits: 27.5, Lines: []Requirement{
			{Title: hostile, Group: true, Status: Progress, Share: 0.5}, {Title: hostile, Depth: 1, Group: true, Status: Blocked, Share: 0.2},
			{Title: hostile, Depth: 2, Status: Met, Share: 1, Reason: hostile, Credits: 3}, {Title: "deep", Depth: 90, Status: None}}},
		"cohort": Cohort{Program: hostile, AsOf: "2026-11-24", Learners: 40, Least: 10, Rows: []Spread{
			{Title: hostile, Group: true, Cells: []Cell{{Span: 1, Count: 30}, {Span: 3, Hidden: true}}}, {Title: "x", Depth: 3, Cells: []Cell{{Span: 1}, {Span: 1, Count: 12}, {Span: 2, Count: 28}}}}},
		"coverage": Coverage{Framework: hostile, Courses: []string{hostile, "B"}, Rows: []Covered{
			{Code: "A", Name: hostile, Stages: [3]Near{Never, Above, Below}, By: make([][3]bool, 2)},
			{Code: "A.1", Name: "x", Depth: 1, Stages: [3]Near{Direct, Never, Never}, By: [][3]bool{{true, true, true}, {}}, Names: [3][]string{{hostile}}, Achievements: 2}}},
	}
}

// Whatever is in it, a picture is well-formed XML with a title and a
// description, nothing that runs and nothing from elsewhere.
func TestPicturesAreInert(t *testing.T) {
	for name, p := range pictures() {
		for _, width := range []int{Narrow, Wide, 1} {
			raw := p.SVG("x", width)
			check(t, name, raw)
			if !bytes.Equal(raw, p.SVG("x", width)) {
				t.Errorf("%s comes out in two ways", name)
			}
			if !bytes.Contains(raw, []byte(`role="img" aria-labelledby="x-t x-d"`)) {
				t.Errorf("%s has no role or label", name)
			}
		}
		body, err := Page(p, Link{hostile, "/exports/a?format=csv"}, Link{"x", "javascript:alert(1)"})
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(body, []byte("<script")) || bytes.Contains(body, []byte(`"javascript:`)) {
			t.Errorf("%s: its page has a script in it", name)
		}
	}
}

var elements = []string{"svg", "title", "desc", "style", "defs", "pattern", "rect", "g", "path", "circle", "text"}

func check(t *testing.T, name string, raw []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(raw))
	ids := map[string]bool{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s is not well-formed: %v\n%s", name, err, raw)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if !slices.Contains(elements, start.Name.Local) {
			t.Errorf("%s has an element %s", name, start.Name.Local)
		}
		for _, a := range start.Attr {
			if a.Name.Local == "id" {
				if ids[a.Value] {
					t.Errorf("%s has two elements %s", name, a.Value)
				}
				ids[a.Value] = true
			}
			if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "href" || a.Name.Local == "style" || strings.Contains(a.Value, "url(http") {
				t.Errorf("%s has an attribute %s=%q", name, a.Name.Local, a.Value)
			}
		}
	}
}

// A text that does not fit is cut inside its room, and told whole in a title.
func TestTextIsCutAndToldWhole(t *testing.T) {
	raw := string(pictures()["competencies"].SVG("x", Narrow))
	if !strings.Contains(raw, "whatever its width</title>") {
		t.Error("the whole name is nowhere")
	}
	for _, m := range regexp.MustCompile(`<text x="([0-9.]+)"[^>]*>(?:<title>[^<]*</title>)?([^<]*)</text>`).FindAllStringSubmatch(raw, -1) {
		if room(html.UnescapeString(m[2]), 12) > Narrow {
			t.Errorf("%q is wider than the picture", m[2])
		}
	}
	if cut, whole := fit("abc", 13, 1000); cut != "abc" || !whole {
		t.Errorf("%q, %v", cut, whole)
	}
	if cut, whole := fit("abcdefghij", 13, 20); !strings.HasSuffix(cut, "…") || whole {
		t.Errorf("%q, %v", cut, whole)
	}
}

// Nothing that is not whole is told as whole, and nothing that is there as
// nothing.
func TestPercent(t *testing.T) {
	for share, want := range map[float64]string{0: "0%", 0.001: "1%", 0.5: "50%", 0.999: "99%", 1: "100%"} {
		if got := percent(share); got != want {
			t.Errorf("%v: %s, want %s", share, got, want)
		}
	}
}

// A count that is not told is told nowhere: not in the picture, its page or its
// table.
func TestHiddenCountsAreNowhere(t *testing.T) {
	p := Cohort{Program: "P", AsOf: "2026-11-24", Learners: 40, Least: 10, Rows: []Spread{{Title: "x", Cells: []Cell{{Span: 3, Count: 7777, Hidden: true}, {Span: 1, Count: 30}}}}}
	body, err := Page(p)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(body, []byte("7777")) || !bytes.Contains(body, []byte("not shown")) {
		t.Error("a hidden count is told, or not told as hidden")
	}
}

// Every state that a picture shows is in words in its table: colour and sign
// say nothing more.
func TestTablesSayTheSame(t *testing.T) {
	table := pictures()["competencies"].Table()
	for s := None; s <= Met; s++ {
		n := 0
		for _, row := range table.Rows {
			if row[3] == s.String() {
				n++
			}
		}
		if n != 2 {
			t.Errorf("%s stands %d times in the table, want 2", s, n)
		}
	}
	for name, p := range pictures() {
		for _, row := range p.Table().Rows {
			if len(row) != len(p.Table().Head) {
				t.Errorf("%s: a row of %d cells under %d heads", name, len(row), len(p.Table().Head))
			}
		}
	}
}

func FuzzNames(f *testing.F) {
	f.Add(hostile, 360)
	f.Add("\xff\xfe\u0301\u0301", 0)
	f.Fuzz(func(t *testing.T, name string, width int) {
		check(t, "picture", Competencies{Learner: name, AsOf: name, Frameworks: []Framework{{Title: name, Areas: []Area{{Name: name, Tiles: []Tile{{Code: name, Name: name, Level: name}}}}}}}.SVG("x", width))
	})
}
