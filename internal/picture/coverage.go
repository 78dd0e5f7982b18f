package picture

import (
	"fmt"
	"strings"
)

// Coverage is where a curriculum touches the competencies of a framework.
type Coverage struct {
	Framework string
	Version   int
	Courses   []string // codes, in order
	Rows      []Covered
}

// Near is how near a stage of the curriculum comes to a competency.
type Near int

// How near.
const (
	Never  Near = iota
	Above       // a course names one that it stands below
	Below       // a course names one that stands below it
	Direct      // a course names it
)

var nears = [...]string{"never", "through the branch above", "through what is below", "directly"}

// String is how near in words.
func (n Near) String() string { return nears[n] }

// Covered is one competency with how it is touched.
type Covered struct {
	Code, Name   string
	Depth        int
	Stages       [3]Near     // introduced, practised, assessed
	By           [][3]bool   // of each course: introduces, practises, assesses
	Names        [3][]string // the courses of each stage, by code
	Achievements int
}

// maxRows is how many competencies the picture shows.
const maxRows = 400

var stages = [3]string{"Introduced", "Practised", "Assessed"}

// Title is what the picture is called.
func (m Coverage) Title() string { return "Curriculum coverage: " + m.Framework }

func (m Coverage) neverAssessed() int {
	n := 0
	for _, r := range m.Rows {
		if r.Stages[2] == Never {
			n++
		}
	}
	return n
}

// Description is the gist of the picture.
func (m Coverage) Description() string {
	return fmt.Sprintf("%s by %s. Never assessed, neither themselves nor through the branch above or what is below: %d.",
		count(len(m.Rows), "competency", "competencies"), count(len(m.Courses), "course", "courses"), m.neverAssessed())
}

// SVG draws the picture for a width.
func (m Coverage) SVG(id string, width int) []byte {
	c := newCanvas(width)
	c.heading(m.Title(), m.Description())
	m.key(c)
	right := float64(c.width - margin)
	const course, stage, badge = 24.0, 34.0, 34.0
	courses := m.Courses
	if !c.wide() || 3*stage+badge+float64(len(courses))*course > c.inner()-240 {
		courses = nil // they stand in the table
	}
	matrix := right - float64(len(courses))*course
	first := matrix - badge - 3*stage
	titled := first - margin - 8
	m.head(c, courses, first, stage, matrix, course)
	for n, r := range m.Rows {
		if n == maxRows {
			c.y += 18
			c.text(margin, c.y, "s u", count(len(m.Rows)-n, "more competency", "more competencies")+" in the table.", 12, c.inner())
			break
		}
		left := float64(margin+4) + float64(min(r.Depth, 6))*12
		class, size := "", 13.0
		if r.Depth == 0 {
			class, size = "t", 13.5
		}
		name := strings.TrimSpace(r.Code + " " + r.Name)
		lines, _ := wrap(name, size, titled-(left-margin), 3)
		height := 24 + lineStep*float64(max(1, len(lines))-1)
		if n%2 == 0 {
			c.printf(`<rect class="q" x="%d" y="%.1f" width="%.1f" height="%.0f"/>`, margin, c.y, c.inner(), height)
		}
		c.lines(left, c.y+16, class, name, size, titled-(left-margin), 3)
		for i, near := range r.Stages {
			m.near(c, near, i, first+float64(i)*stage+stage/2, c.y+12)
		}
		c.text(first+3*stage+badge/2, c.y+16, "s c", fmt.Sprint(r.Achievements), 12, badge)
		for i := range courses {
			letters := ""
			for k, on := range r.By[i] {
				if on {
					letters += stages[k][:1]
				}
			}
			if letters != "" {
				c.text(matrix+float64(i)*course+course/2, c.y+16, "s c", letters, 12, course)
			}
		}
		c.y += height
	}
	return c.document(id, m.Title(), m.Description())
}

// key explains the signs.
func (m Coverage) key(c *canvas) {
	c.y += 16
	x := float64(margin)
	for _, k := range []struct {
		near Near
		text string
	}{{Direct, "a course names it"}, {Below, "through what is below"}, {Above, "through the branch above"}, {Never, "never"}} {
		w := room(k.text, 12) + 34
		if x > margin && x+w > float64(c.width-margin) {
			x = margin
			c.y += 20
		}
		m.near(c, k.near, 2, x+9, c.y-4)
		c.text(x+22, c.y, "s", k.text, 12, w)
		x += w + 8
	}
	c.y += 18
	c.y += lineStep*float64(c.lines(margin, c.y, "s u", "I introduced, P practised, A assessed, ★ achievements aligned", 12, c.inner(), 2)-1) + 6
}

// head writes the heads of the columns, those of courses upright.
func (m Coverage) head(c *canvas, courses []string, first, stage, matrix, course float64) {
	tall := 18.0
	for _, name := range courses {
		tall = max(tall, min(room(name, 12), 90)+8)
	}
	c.y += tall
	for i, s := range [4]string{"I", "P", "A", "★"} {
		c.text(first+float64(i)*stage+stage/2, c.y-4, "t c", s, 13.5, stage)
	}
	for i, name := range courses {
		cut, _ := fit(name, 12, 90)
		c.printf(`<text class="s" transform="translate(%.1f %.1f) rotate(-90)">%s</text>`, matrix+float64(i)*course+course/2+4, c.y-4, escape(cut))
	}
}

// near draws the sign of how near a stage comes.
func (m Coverage) near(c *canvas, n Near, stage int, x, y float64) {
	class := classes[[3]Status{Progress, Progress, Met}[stage]]
	if n == Never {
		c.printf(`<g class="l"><path class="o" d="M%.1f %.1fh8" stroke-width="2"/></g>`, x-4, y)
		return
	}
	c.printf(`<g class="%s" transform="translate(%.1f %.1f)"><rect class="o" x="-7" y="-7" width="14" height="14" rx="2"/>`, class, x, y)
	switch n {
	case Direct:
		c.printf(`<rect class="f" x="-7" y="-7" width="14" height="14" rx="2"/>`)
	case Below:
		c.printf(`<rect class="f" x="-7" y="0" width="14" height="7"/>`)
	}
	c.printf(`</g>`)
}

// Table is the same to be read.
func (m Coverage) Table() Table {
	t := Table{Caption: m.Title(), Head: []string{"Competency", "Introduced", "Introduced by", "Practised", "Practised by", "Assessed", "Assessed by", "Achievements"}}
	for _, r := range m.Rows {
		row := []string{strings.TrimSpace(strings.Repeat("— ", r.Depth) + r.Code + " " + r.Name)}
		for i, n := range r.Stages {
			row = append(row, n.String(), strings.Join(r.Names[i], ", "))
		}
		t.Rows = append(t.Rows, append(row, fmt.Sprint(r.Achievements)))
	}
	return t
}
