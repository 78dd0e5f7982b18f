package picture

import (
	"fmt"
	"strings"
)

// Competencies is what a learner holds, as a map.
type Competencies struct {
	Learner    string
	AsOf       string // a date
	Frameworks []Framework
}

// Framework is a framework with its areas.
type Framework struct {
	Title string
	Areas []Area
	More  int // competencies that the picture leaves out
}

// Area is a branch with what stands below it. One without a name is what stands
// on no branch.
type Area struct {
	Name   string
	Status Status
	Tiles  []Tile
}

// Tile is one competency.
type Tile struct {
	Code, Name  string
	Status      Status
	Level       string // reached, or empty
	Step, Steps int    // which of how many levels; 0 where there are none
	Since       string // a date, or empty
	Until       string // the day on which it lapses or lapsed, or empty
	Crosswalk   bool
}

// seen counts the tiles by status.
func (m Competencies) seen() map[Status]int {
	seen := map[Status]int{}
	for _, f := range m.Frameworks {
		for _, a := range f.Areas {
			for _, t := range a.Tiles {
				seen[t.Status]++
			}
		}
	}
	return seen
}

// signs are the statuses that the picture has a sign of.
func (m Competencies) signs() []Status {
	seen := m.seen()
	for _, f := range m.Frameworks {
		for _, a := range f.Areas {
			if a.Name != "" {
				seen[a.Status]++
			}
		}
	}
	return present(seen)
}

// Title is what the picture is called.
func (m Competencies) Title() string { return "Competencies of " + m.Learner }

// Description is the gist of the picture.
func (m Competencies) Description() string {
	if len(m.Frameworks) == 0 {
		return fmt.Sprintf("As of %s nothing is on file that speaks for a competency.", m.AsOf)
	}
	return fmt.Sprintf("As of %s: %s.", m.AsOf, tally(m.seen()))
}

// SVG draws the picture for a width.
func (m Competencies) SVG(id string, width int) []byte {
	c := newCanvas(width)
	c.heading(m.Title(), m.Description())
	if len(m.Frameworks) > 0 {
		c.legend(m.signs())
	}
	for _, f := range m.Frameworks {
		c.y += 10
		lines, _ := wrap(f.Title, 13.5, c.inner(), 2)
		for _, l := range lines {
			c.y += 16
			c.text(margin, c.y, "t", l, 13.5, c.inner())
		}
		c.y += 6
		for _, a := range f.Areas {
			m.area(c, a)
		}
		if f.More > 0 {
			c.y += 16
			c.text(margin, c.y, "s u", fmt.Sprintf("%s more in the table.", count(f.More, "competency", "competencies")), 12, c.inner())
		}
	}
	return c.document(id, m.Title(), m.Description())
}

func (m Competencies) area(c *canvas, a Area) {
	if a.Name != "" {
		c.y += 24
		c.symbol(a.Status, margin+8, c.y-4)
		c.text(margin+22, c.y, "", a.Name, 13, c.inner()-22)
		c.y += 8
	}
	columns := max(1, min(int(c.inner()/260), 4))
	const gap, height = 8, 58
	w := (c.inner() - float64(columns-1)*gap) / float64(columns)
	for i, t := range a.Tiles {
		if i > 0 && i%columns == 0 {
			c.y += height + gap
		}
		t.draw(c, margin+float64(i%columns)*(w+gap), c.y, w, height)
	}
	if len(a.Tiles) > 0 {
		c.y += height + 4
	}
}

func (t Tile) draw(c *canvas, x, y, w, h float64) {
	c.printf(`<g class="%s"><rect class="q" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="6"/><rect class="f" x="%.1f" y="%.1f" width="4" height="%.1f" rx="2"/>`, classes[t.Status], x, y, w, h, x, y, h)
	c.printf("<title>%s</title></g>", escape(t.sentence()))
	c.symbol(t.Status, x+18, y+18)
	name := strings.TrimSpace(t.Code + " " + t.Name)
	c.lines(x+34, y+18, "", name, 13, w-42, 2)
	below := y + h - 8
	meter := 0.0
	if t.Steps > 0 && t.Steps <= 10 {
		meter = float64(t.Steps)*9 + 8
		c.printf(`<g class="%s">`, classes[t.Status])
		for n := range t.Steps {
			class := "o"
			if n < t.Step {
				class = "f"
			}
			c.printf(`<rect class="%s" x="%.1f" y="%.1f" width="6" height="8" stroke-width="1"/>`, class, x+w-meter+float64(n)*9, below-8)
		}
		c.printf(`</g>`)
	}
	c.text(x+34, below, "s k "+classes[t.Status], t.state(), 12, w-42-meter)
}

// state is the state of a tile in a few words.
func (t Tile) state() string {
	s := t.Status.String()
	switch {
	case t.Level != "":
		s += ": " + t.Level
	case t.Status == Lapsed && t.Until != "":
		s += " " + t.Until
	}
	if t.Crosswalk {
		s += ", by crosswalk"
	}
	return s
}

// sentence is all about a tile.
func (t Tile) sentence() string {
	s := strings.TrimSpace(t.Code+" "+t.Name) + ": " + t.state()
	if t.Since != "" {
		s += ", since " + t.Since
	}
	if t.Until != "" && t.Status == Met {
		s += ", until " + t.Until
	}
	return s + "."
}

// Table is the same to be read.
func (m Competencies) Table() Table {
	t := Table{Caption: m.Title() + ", as of " + m.AsOf, Head: []string{"Competency", "Framework", "Area", "State", "Level", "Since", "Lapses", "By crosswalk"}}
	for _, f := range m.Frameworks {
		for _, a := range f.Areas {
			for _, x := range a.Tiles {
				by := ""
				if x.Crosswalk {
					by = "yes"
				}
				t.Rows = append(t.Rows, []string{strings.TrimSpace(x.Code + " " + x.Name), f.Title, a.Name, x.Status.String(), x.Level, x.Since, x.Until, by})
			}
		}
	}
	return t
}
