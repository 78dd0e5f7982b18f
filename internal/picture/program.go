package picture

import "fmt"

// Program is how far a learner is with a program.
type Program struct {
	Learner    string
	Program    string
	Version    int
	AsOf       string
	Status     Status
	Share      float64 // of what is needed, from 0 to 1
	Credits    float64
	ClockHours float64
	Lines      []Requirement // groups before their parts
}

// Requirement is one requirement of a program with its state.
type Requirement struct {
	Title   string
	Depth   int // 0 is the whole program
	Group   bool
	Status  Status
	Share   float64
	Credits float64
	Reason  string
}

// Title is what the picture is called.
func (m Program) Title() string { return m.Learner + ": " + m.Program }

func (m Program) seen() map[Status]int {
	seen := map[Status]int{}
	for _, l := range m.Lines {
		if !l.Group {
			seen[l.Status]++
		}
	}
	return seen
}

// signs are the statuses that the picture has a sign of.
func (m Program) signs() []Status {
	seen := m.seen()
	for _, l := range m.Lines {
		seen[l.Status]++
	}
	return present(seen)
}

// Description is the gist of the picture.
func (m Program) Description() string {
	s := fmt.Sprintf("As of %s, by version %d: %s of what is needed is met. Requirements: %s.", m.AsOf, m.Version, percent(m.Share), tally(m.seen()))
	if m.Credits > 0 {
		s += " Credits that count: " + number(m.Credits) + "."
	}
	return s
}

// SVG draws the picture for a width.
func (m Program) SVG(id string, width int) []byte {
	c := newCanvas(width)
	c.heading(m.Title(), m.Description())
	c.y += 4
	c.bar(m.Status, margin, c.y, c.inner()-52, 14, m.Share)
	c.text(float64(c.width-margin), c.y+12, "t r", percent(m.Share), 13.5, 50)
	c.y += 20
	c.legend(m.signs())
	for _, l := range m.Lines {
		if l.Depth == 0 {
			continue // it is the bar above
		}
		l.draw(c)
	}
	return c.document(id, m.Title(), m.Description())
}

// draw draws one line: side by side on a desk, one below the other on a phone.
func (l Requirement) draw(c *canvas) {
	const step = 18
	left := margin + float64(min(l.Depth-1, 6))*step
	right := float64(c.width - margin)
	if l.Group {
		c.y += 8
		c.printf(`<path class="e" d="M%d %.1fH%.1f"/>`, margin, c.y, right)
	}
	room := right - left - 22
	bar := 0.0
	if l.Group {
		bar = 120
		if !c.wide() {
			bar = 60
		}
		room -= bar + 50
	}
	c.y += 20
	c.printf(`<g><title>%s</title>`, escape(l.Title+": "+l.Status.String()+". "+l.Reason))
	c.symbol(l.Status, left+8, c.y-4)
	if l.Group {
		c.bar(l.Status, right-bar-44, c.y-11, bar, 9, l.Share)
		c.text(right, c.y-2, "s r", percent(l.Share), 12, 44)
		n := c.lines(left+22, c.y, "t", l.Title, 13.5, room, 2)
		c.printf("</g>")
		c.y += 2 + float64(n-1)*lineStep
		return
	}
	if c.wide() {
		titled := (right - left - 22) * 0.45
		n := c.lines(left+22, c.y, "", l.Title, 13, titled, 2)
		n = max(n, c.lines(left+22+titled+8, c.y, "s u", l.Status.String()+". "+l.Reason, 12, right-left-22-titled-8, 3))
		c.printf("</g>")
		c.y += lineStep * float64(n-1)
		return
	}
	c.y += lineStep * float64(c.lines(left+22, c.y, "", l.Title, 13, room, 2))
	c.y += lineStep * float64(c.lines(left+22, c.y, "s u", l.Status.String()+". "+l.Reason, 12, room, 3)-1)
	c.printf("</g>")
	c.y += 3
}

// Table is the same to be read.
func (m Program) Table() Table {
	t := Table{Caption: m.Title() + ", as of " + m.AsOf, Head: []string{"Requirement", "Within", "State", "Met", "Credits", "Why"}}
	var path [64]string
	for _, l := range m.Lines {
		d := min(l.Depth, len(path)-1)
		path[d] = l.Title
		within := ""
		if d > 0 {
			within = path[d-1]
		}
		credits := ""
		if l.Credits > 0 {
			credits = number(l.Credits)
		}
		t.Rows = append(t.Rows, []string{l.Title, within, l.Status.String(), percent(l.Share), credits, l.Reason})
	}
	return t
}
