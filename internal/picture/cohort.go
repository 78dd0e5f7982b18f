package picture

import (
	"fmt"
	"strings"
)

// Cohort is how far the learners of a program are with each requirement.
type Cohort struct {
	Program  string
	AsOf     string
	Learners int
	Hidden   bool // there are too few learners to tell how many
	Least    int  // neither this nor a smaller number is told, other than 0
	Rows     []Spread
}

// Spread is how many learners are how far with a requirement.
type Spread struct {
	Title string
	Depth int
	Group bool
	Cells []Cell // over the columns: met, in progress, blocked, not met
}

// columns are the statuses of a spread.
var columns = [4]Status{Met, Progress, Blocked, None}

// Cell is a count of learners in one column, or in several that are told
// together.
type Cell struct {
	Span   int // how many columns; four in all
	Count  int
	Hidden bool // not told
}

// Title is what the picture is called.
func (m Cohort) Title() string { return m.Program + ": the cohort" }

// Description is the gist of the picture.
func (m Cohort) Description() string {
	who := count(m.Learners, "learner is", "learners are") + " enrolled"
	if m.Hidden {
		who = fmt.Sprintf("%d learners or fewer are enrolled", m.Least)
	}
	s := fmt.Sprintf("As of %s %s. How many have met, are working on, are held up in or have nothing for each requirement. ", m.AsOf, who)
	return s + fmt.Sprintf("Numbers from 1 to %d are not shown by themselves, nor what would give them away.", m.Least)
}

// SVG draws the picture for a width.
func (m Cohort) SVG(id string, width int) []byte {
	c := newCanvas(width)
	c.heading(m.Title(), m.Description())
	right := float64(c.width - margin)
	cell := 62.0
	if c.wide() {
		cell = 104
	}
	titled := c.inner() - 4*cell
	above := !c.wide() // the title has a line of its own
	if above {
		titled = c.inner()
		cell = c.inner() / 4
	}
	x := func(n int) float64 { return right - float64(4-n)*cell }
	c.y += 14
	for n, s := range columns {
		c.symbol(s, x(n)+cell/2, c.y)
		c.text(x(n)+cell/2, c.y+20, "s c", s.String(), 12, cell)
	}
	c.y += 30
	hatched := false
	for _, r := range m.Rows {
		class, size := "", 13.0
		if r.Group {
			class, size = "t", 13.5
			c.y += 6
		}
		left := margin + float64(min(max(r.Depth-1, 0), 6))*14
		const height = 24
		if above {
			c.y += 16
			c.y += lineStep*float64(c.lines(left, c.y, class, r.Title, size, titled-(left-margin), 2)-1) + 5
		} else {
			c.text(left, c.y+16, class, r.Title, size, titled-(left-margin)-10)
		}
		n := 0
		for _, v := range r.Cells {
			hatched = hatched || v.Hidden
			m.cell(c, id, columns[n], v, x(n)+1, c.y, cell*float64(v.Span)-2, height)
			n += v.Span
		}
		c.y += height + 3
	}
	c.y += 10
	if hatched {
		c.printf(`<rect fill="url(#%s-x)" x="%d" y="%.1f" width="24" height="14"/><rect class="e" x="%d" y="%.1f" width="24" height="14"/>`, id, margin, c.y, margin, c.y)
		c.text(margin+32, c.y+11, "s", "Not shown: it would tell of too few learners", 12, c.inner()-32)
		c.y += 16
	}
	return c.document(id, m.Title(), m.Description())
}

func (m Cohort) cell(c *canvas, id string, s Status, v Cell, x, y, w, h float64) {
	if v.Hidden {
		c.printf(`<rect fill="url(#%s-x)" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/><rect class="e" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, id, x, y, w, h, x, y, w, h)
		c.printf(`<rect class="g" x="%.1f" y="%.1f" width="66" height="%.1f" rx="3"/>`, x+w/2-33, y+4, h-8)
		c.text(x+w/2, y+16, "s c", "not shown", 12, w)
		return
	}
	share := 0.0
	if m.Learners > 0 {
		share = float64(v.Count) / float64(m.Learners)
	}
	class := classes[s]
	if v.Span > 1 {
		class = classes[None] // several states: the colour of none of them
	}
	c.printf(`<g class="%s"><rect class="q" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, class, x, y, w, h)
	if share > 0 {
		c.printf(`<rect class="f" fill-opacity="%.2f" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/><rect class="f" x="%.1f" y="%.1f" width="%.1f" height="3"/>`, 0.06+0.34*share, x, y, w, h, x, y+h-3, share*w)
	}
	c.printf(`</g>`)
	label := fmt.Sprint(v.Count)
	if c.wide() && v.Count > 0 {
		label += " (" + percent(share) + ")"
	}
	c.text(x+w/2, y+16, "s c", label, 12, w)
}

// Table is the same to be read.
func (m Cohort) Table() Table {
	t := Table{Caption: m.Title() + ", as of " + m.AsOf, Head: []string{"Requirement"}}
	for _, s := range columns {
		t.Head = append(t.Head, s.String())
	}
	for _, r := range m.Rows {
		row := []string{strings.Repeat("— ", max(r.Depth-1, 0)) + r.Title}
		for _, v := range r.Cells {
			text := fmt.Sprint(v.Count)
			switch {
			case v.Hidden:
				text = "not shown"
			case v.Span > 1:
				text += " together"
			}
			for range v.Span {
				row = append(row, text)
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
