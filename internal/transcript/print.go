package transcript

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"rsc.io/qr"

	"github.com/testamur/testamur/internal/spec/pdf"
	"github.com/testamur/testamur/internal/typeface"
)

// The measures of a sheet, in points.
const (
	margin  = 54.0
	foot    = 58.0 // from below, free for the running foot
	body    = 9.0
	small   = 7.5
	leading = 1.38
	pad     = 4.0 // within a cell
	code    = 78.0
)

// papers are sizes in points.
var papers = map[string][2]float64{Letter: {612, 792}, A4: {595.276, 841.89}}

// The colours: dark enough on white for 4.5 to 1, WCAG 2.2 §1.4.3.
var (
	ink   = pdf.Color{R: 0.09, G: 0.11, B: 0.14}
	faint = pdf.Color{R: 0.36, G: 0.39, B: 0.43}
	brand = pdf.Color{R: 0.11, G: 0.22, B: 0.38}
	line  = pdf.Color{R: 0.78, G: 0.80, B: 0.83}
	wash  = pdf.Color{R: 0.945, G: 0.953, B: 0.965}
)

// Signature is who seals a print, with what.
type Signature struct {
	Certificates [][]byte // DER, the signer's first
	// Sign signs by the certificate's key, ECDSA over SHA-256: r and s.
	Sign func(message []byte) ([]byte, error)
}

// PDF is a sheet as a tagged, archival PDF with the signed record attached. It
// is signed where there is a signature. The same sheet and certificate give the
// same bytes.
func PDF(s Sheet, by *Signature) ([]byte, error) {
	size, ok := papers[s.Paper]
	if !ok {
		size = papers[Letter]
	}
	v := newView(s)
	setter, giveBack := typeface.Borrow()
	defer giveBack()
	l := &layout{view: v, width: size[0], height: size[1], setter: setter, fonts: map[*typeface.Font]*pdf.Font{},
		doc: pdf.New(pdf.Info{Title: v.Title + ": " + v.Facts[0].Value, Author: v.Institution, Subject: "Record " + s.Record.CredentialID, Producer: "Testamur", Lang: lang, Created: s.At})}
	if len(s.Credential) > 0 {
		l.doc.Attach(pdf.Attachment{Name: "record.json", Description: "The signed record that this document shows (CLR 2.0)", Media: "application/ld+json", Relationship: "Source", Modified: s.At, Data: s.Credential})
	}
	if err := l.all(by != nil); err != nil {
		return nil, err
	}
	raw, err := l.doc.Bytes()
	if err != nil || by == nil {
		return raw, err
	}
	return pdf.Seal(raw, by.Certificates, by.Sign)
}

// layout puts a view on pages.
type layout struct {
	view          view
	doc           *pdf.Document
	page          *pdf.Page
	width, height float64
	y             float64 // down to which the page is full
	top           float64 // where it began
	setter        *typeface.Setter
	fonts         map[*typeface.Font]*pdf.Font
	err           error // the first
}

func (l *layout) right() float64 { return l.width - margin }
func (l *layout) room() float64  { return l.y - foot }
func (l *layout) inner() float64 { return l.width - 2*margin }

// all is the whole document.
func (l *layout) all(signed bool) error {
	l.newPage()
	l.head()
	l.facts()
	if l.view.Notice != nil {
		l.notice(*l.view.Notice)
	}
	for _, t := range l.view.Tables {
		l.table(t)
	}
	l.closing(signed)
	l.running()
	return l.err
}

func (l *layout) newPage() {
	l.page = l.doc.Page(l.width, l.height)
	l.y = l.height - margin
	if l.doc.Pages() > 1 {
		l.y -= 16
	}
	l.top = l.y
}

// need begins a page where less than this is left of the present one.
func (l *layout) need(height float64) bool {
	if l.room() >= height {
		return false
	}
	l.newPage()
	return true
}

// text sets one line and gives its width.
func (l *layout) text(s string, style typeface.Style, size, x, y float64, c pdf.Color) float64 {
	set := l.setter.Set(s, style)
	within, tagged := l.page.Tagged()
	spans := false
	for _, p := range placed(set, size, x) {
		f, err := l.font(p.run.Font)
		if err != nil {
			l.err = cmp.Or(l.err, err)
			return 0
		}
		switch told := p.run.Joined || p.run.RTL; {
		case tagged && told:
			l.page.InSpan(within, p.run.Text, !p.run.RTL)
			spans = true
		case tagged && spans:
			l.page.In(within)
			spans = false
		}
		l.page.Text(f, p.run.Glyphs, p.x, y, size, c)
	}
	if spans {
		l.page.In(within)
	}
	return set.Width * size
}

// standing is a run with where it stands.
type standing struct {
	run typeface.Run
	x   float64
}

// placed are the runs of a line in the order in which they are read: those that
// read from right to left follow each other in that direction.
func placed(set typeface.Line, size, x float64) []standing {
	all := make([]standing, len(set.Runs))
	for i, run := range set.Runs {
		all[i] = standing{run, x}
		x += run.Width * size
	}
	for i := 0; i < len(all); {
		n := 1
		for all[i].run.RTL && i+n < len(all) && all[i+n].run.RTL {
			n++
		}
		slices.Reverse(all[i : i+n])
		i += n
	}
	return all
}

// font is a font of the document, put in when it is first used.
func (l *layout) font(of *typeface.Font) (*pdf.Font, error) {
	if f, ok := l.fonts[of]; ok {
		return f, nil
	}
	f, err := l.doc.Font(of.Name, of.Data)
	l.fonts[of] = f
	return f, err
}

func (l *layout) textWidth(s string, style typeface.Style, size float64) float64 {
	return l.setter.Set(s, style).Width * size
}

// textRight sets one line that ends at x.
func (l *layout) textRight(s string, style typeface.Style, size, x, y float64, c pdf.Color) {
	l.text(s, style, size, x-l.textWidth(s, style, size), y, c)
}

// paragraph sets text over the whole width, from page to page.
func (l *layout) paragraph(in *pdf.Element, kind, s string, style typeface.Style, size float64, c pdf.Color) {
	e := in.Add(kind)
	step := size * leading
	for i, part := range l.setter.Lines(s, style, l.inner()/size) {
		if l.need(step) || i == 0 {
			l.page.In(e)
		}
		l.y -= step
		l.text(part, style, size, margin, l.y+size*0.3, c)
	}
}

// head is the head of the first page: mark, institution, code.
func (l *layout) head() {
	v, root := l.view, l.doc.Root()
	top, left := l.y, margin
	mark := initials(v.Institution)
	fig := root.Add("Figure")
	fig.Alt = "Mark of " + v.Institution
	fig.Box = &pdf.Rect{Left: left, Bottom: top - 46, Right: left + 46, Top: top}
	l.page.In(fig)
	l.page.Circle(left+23, top-23, 22, 1.4, brand)
	l.page.Circle(left+23, top-23, 19, 0.5, brand)
	size := 15.0
	for l.textWidth(mark, typeface.Title, size) > 30 {
		size--
	}
	l.text(mark, typeface.Title, size, left+23-l.textWidth(mark, typeface.Title, size)/2, top-23-size*0.36, brand)
	textLeft := left + 58
	end := l.right()
	if v.Address != "" {
		end -= code + 16
	}
	p := root.Add("P")
	l.page.In(p)
	y := top - 16
	for _, part := range l.setter.Lines(v.Institution, typeface.Title, (end-textLeft)/15) {
		l.text(part, typeface.Title, 15, textLeft, y, brand)
		y -= 19
	}
	if contact := strings.Join(v.Contact, " · "); contact != "" {
		p = root.Add("P")
		l.page.In(p)
		y += 4
		for _, part := range l.setter.Lines(contact, typeface.Regular, (end-textLeft)/small) {
			l.text(part, typeface.Regular, small, textLeft, y, faint)
			y -= small * leading
		}
	}
	low := min(y, top-52)
	if v.Address != "" {
		low = min(low, l.code(top))
	}
	l.page.Artifact(false)
	l.page.Rule(margin, low, l.right(), low, 1.2, brand)
	l.y = low - 12
	h1 := root.Add("H1")
	l.page.In(h1)
	for _, part := range l.setter.Lines(v.Title, typeface.Title, l.inner()/19) {
		l.y -= 22
		l.text(part, typeface.Title, 19, margin, l.y, ink)
	}
	l.y -= 12
}

// code is the code that leads to the verify page, and gives where it ends below.
func (l *layout) code(top float64) float64 {
	q, err := qr.Encode(l.view.Address, qr.M)
	if err != nil {
		l.err = fmt.Errorf("code for %s: %w", l.view.Address, err)
		return top
	}
	left := l.right() - code
	fig := l.doc.Root().Add("Figure")
	fig.Alt = "Code to scan: it leads to " + l.view.Address
	fig.Box = &pdf.Rect{Left: left, Bottom: top - code, Right: l.right(), Top: top}
	l.page.In(fig)
	step := code / float64(q.Size)
	for y := range q.Size {
		for x := 0; x < q.Size; {
			n := 0
			for x+n < q.Size && q.Black(x+n, y) {
				n++
			}
			if n > 0 {
				l.page.Fill(pdf.Rect{Left: left + float64(x)*step, Bottom: top - float64(y+1)*step, Right: left + float64(x+n)*step, Top: top - float64(y)*step}, pdf.Color{})
			}
			x += max(n, 1)
		}
	}
	p := l.doc.Root().Add("P")
	link := p.Add("Link")
	l.page.In(link)
	y := top - code - 9
	const says = "Is it still current?"
	w := l.textWidth(says, typeface.Bold, small)
	l.text(says, typeface.Bold, small, l.right()-code/2-w/2, y, brand)
	l.page.Link(link, pdf.Rect{Left: l.right() - code/2 - w/2, Bottom: y - 2, Right: l.right() - code/2 + w/2, Top: y + small}, l.view.Address, "Verify page of this document")
	return y - 7
}

// initials are at most three letters of a name.
func initials(name string) string {
	var all []rune
	for word := range strings.FieldsSeq(name) {
		r, _ := utf8.DecodeRuneInString(word)
		if unicode.IsUpper(r) || unicode.IsLetter(r) && !unicode.IsLower(r) {
			all = append(all, r)
		}
	}
	if len(all) == 0 {
		r, _ := utf8.DecodeRuneInString(name)
		all = []rune{unicode.ToUpper(r)}
	}
	return string(all[:min(len(all), 3)])
}

// facts are two to a row.
func (l *layout) facts() { l.pairs(l.view.Facts, "What this record is about", 2) }

// pairs sets names with their values in columns; a value that is longer than a
// column has a row for itself.
func (l *layout) pairs(all []fact, summary string, columns int) {
	table := l.doc.Root().Add("Table")
	table.Summary = summary
	width := l.inner() / float64(columns)
	fits := func(f fact) bool { return l.textWidth(f.Value, typeface.Bold, body+1) <= width-12 }
	for len(all) > 0 {
		n := 0
		for n < min(columns, len(all)) && fits(all[n]) {
			n++
		}
		var lines []string
		if n == 0 {
			n, lines = 1, l.setter.Lines(all[0].Value, typeface.Bold, l.inner()/(body+1))
		}
		some := all[:n]
		all = all[n:]
		most := float64(max(len(lines), 1)) * (body + 1) * leading
		l.need(small*leading + most + 4)
		tr := table.Add("TR")
		for i, f := range some {
			x := margin + float64(i)*width
			th := tr.Add("TH")
			th.Scope = "Row"
			l.page.In(th)
			l.text(f.Name, typeface.Regular, small, x, l.y-small, faint)
			td := tr.Add("TD")
			if i == n-1 { // all rows have as many columns, ISO 14289-1 §7.2
				td.Span = 2*(columns-n) + 1
			}
			l.page.In(td)
			if lines == nil {
				lines = []string{f.Value}
			}
			for j, part := range lines {
				l.text(part, typeface.Bold, body+1, x, l.y-small-(float64(j)+1)*(body+1)*leading+2, ink)
			}
			lines = nil
		}
		l.y -= small + most + 6
	}
	l.y -= 4
}

// notice is a box that nobody overlooks.
func (l *layout) notice(n notice) {
	inside := l.inner() - 24
	title := l.setter.Lines(n.Title, typeface.Bold, inside/body)
	var items [][]string
	height := 14 + float64(len(title))*body*leading
	for _, s := range n.Items {
		some := l.setter.Lines(s, typeface.Regular, (inside-10)/body)
		items = append(items, some)
		height += float64(len(some)) * body * leading
	}
	if height > l.height-margin-foot-20 { // longer than a page: as paragraphs
		l.paragraph(l.doc.Root(), "P", n.Title, typeface.Bold, body, ink)
		for _, s := range n.Items {
			l.paragraph(l.doc.Root(), "P", s, typeface.Regular, body, ink)
		}
		return
	}
	l.need(height)
	l.page.Artifact(false)
	l.page.Fill(pdf.Rect{Left: margin, Bottom: l.y - height, Right: l.right(), Top: l.y}, wash)
	l.page.Fill(pdf.Rect{Left: margin, Bottom: l.y - height, Right: margin + 3, Top: l.y}, brand)
	y := l.y - 7
	p := l.doc.Root().Add("P")
	l.page.In(p)
	for _, part := range title {
		y -= body * leading
		l.text(part, typeface.Bold, body, margin+14, y+3, ink)
	}
	if len(items) > 0 {
		list := l.doc.Root().Add("L")
		for _, some := range items {
			li := list.Add("LI")
			label := li.Add("Lbl")
			l.page.In(label)
			l.text("•", typeface.Regular, body, margin+14, y-body*leading+3, ink)
			l.page.In(li.Add("LBody"))
			for _, part := range some {
				y -= body * leading
				l.text(part, typeface.Regular, body, margin+24, y+3, ink)
			}
		}
	}
	l.y -= height + 6
}

// heading is a heading that stays with what follows it.
func (l *layout) heading(s string, with float64) {
	lines := l.setter.Lines(s, typeface.Title, l.inner()/12)
	l.need(18 + float64(len(lines))*16 + with)
	if l.y < l.top {
		l.y -= 12
	}
	h := l.doc.Root().Add("H2")
	l.page.In(h)
	for _, part := range lines {
		l.y -= 16
		l.text(part, typeface.Title, 12, margin, l.y+4, brand)
	}
	l.y -= 2
}

// grid is a table as it stands: its columns with their places.
type grid struct {
	table table
	left  []float64
	width []float64
	size  float64
}

// end is where the text of a column of numbers ends: not close to the next one.
func (g grid) end(i int) float64 {
	if i == len(g.left)-1 {
		return g.left[i] + g.width[i] - pad
	}
	return g.left[i] + g.width[i] - 3*pad
}

func (l *layout) grid(t table) grid {
	g := grid{table: t, size: body}
	if t.Compact {
		g.size = small
	}
	rest, open := l.inner(), 0
	for _, c := range t.Columns {
		rest -= c.Share * l.inner()
		if c.Share == 0 {
			open++
		}
	}
	x := margin
	for _, c := range t.Columns {
		w := c.Share * l.inner()
		if c.Share == 0 {
			w = rest / float64(open)
		}
		g.left, g.width = append(g.left, x), append(g.width, w)
		x += w
	}
	return g
}

// table is a heading with its rows; the row of column names stands again on
// every page.
func (l *layout) table(t table) {
	g := l.grid(t)
	first := 0.0
	for _, r := range t.Rows[:min(2, len(t.Rows))] {
		first += height(l.cells(g, r))
	}
	l.heading(t.Title, 16+min(first, 120))
	for _, s := range t.Before {
		l.paragraph(l.doc.Root(), "P", s, typeface.Regular, small+0.5, faint)
		l.y -= 2
	}
	e := l.doc.Root().Add("Table")
	e.Summary = t.Title
	l.names(g, e)
	total := l.total(t)
	for i, r := range t.Rows {
		after := 0.0 // what is to stay with the row: no row, and no total, stands alone
		switch i {
		case len(t.Rows) - 1:
			after = total
		case len(t.Rows) - 2:
			after = min(height(l.cells(g, t.Rows[i+1])), 60) + total
		}
		l.row(g, e, r, after)
	}
	if t.Total != "" {
		style, c := typeface.Bold, ink
		if t.Compact || strings.HasSuffix(t.Total, ".") {
			style, c = typeface.Regular, faint
		}
		l.y -= 2
		l.paragraph(l.doc.Root(), "P", t.Total, style, small+0.5, c)
	}
}

// total is how high the total of a table is; one of many lines need not stay.
func (l *layout) total(t table) float64 {
	if t.Total == "" {
		return 0
	}
	return 2 + float64(min(len(l.setter.Lines(t.Total, typeface.Bold, l.inner()/(small+0.5))), 3))*(small+0.5)*leading
}

// names is the row of column names; without an element it is a repeated one, which
// says of which table.
func (l *layout) names(g grid, e *pdf.Element) {
	height := 15.0
	if e == nil {
		l.page.Artifact(true)
		l.text(l.fit(g.table.Title+", continued", typeface.Regular, small+0.5, l.inner()), typeface.Regular, small+0.5, margin, l.y-small-0.5, faint)
		l.y -= small + 6
	}
	l.page.Artifact(false)
	l.page.Fill(pdf.Rect{Left: margin, Bottom: l.y - height, Right: l.right(), Top: l.y}, wash)
	l.page.Rule(margin, l.y-height, l.right(), l.y-height, 0.8, brand)
	var tr *pdf.Element
	if e != nil {
		tr = e.Add("TR")
	} else {
		l.page.Artifact(true)
	}
	for i, c := range g.table.Columns {
		if tr != nil {
			th := tr.Add("TH")
			th.Scope = "Column"
			l.page.In(th)
		}
		if c.Right {
			l.textRight(c.Name, typeface.Bold, small, g.end(i), l.y-10.5, ink)
		} else {
			l.text(c.Name, typeface.Bold, small, g.left[i]+pad, l.y-10.5, ink)
		}
	}
	l.y -= height
}

// set is one line of a cell.
type set struct {
	text  string
	size  float64
	under bool
}

// cells are the lines of each cell of a row.
func (l *layout) cells(g grid, r row) [][]set {
	all := make([][]set, len(r.Cells))
	for i, s := range r.Cells {
		width := g.width[i] - 2*pad
		head := g.table.Columns[i].Head
		if head {
			width -= float64(r.Depth) * 10
		}
		for _, part := range l.setter.Lines(s, typeface.Regular, width/g.size) {
			all[i] = append(all[i], set{part, g.size, false})
		}
		for _, u := range r.Under {
			if head {
				for _, part := range l.setter.Lines(u, typeface.Regular, width/small) {
					all[i] = append(all[i], set{part, small, true})
				}
			}
		}
	}
	return all
}

// height is how high a row of cells is.
func height(cells [][]set) (most float64) {
	for _, lines := range cells {
		h := 0.0
		for _, x := range lines {
			h += x.size * leading
		}
		most = max(most, h)
	}
	return most + 5
}

// together is how many lines of a row stay on one page.
const together = 40

// row sets a row with room after it; one with more lines than stay together goes
// on on the next page.
func (l *layout) row(g grid, e *pdf.Element, r row, after float64) {
	tr := e.Add("TR")
	elements := make([]*pdf.Element, len(r.Cells))
	for i := range r.Cells {
		elements[i] = tr.Add("TD")
		if g.table.Columns[i].Head {
			elements[i].Kind, elements[i].Scope = "TH", "Row"
		}
	}
	cells := l.cells(g, r)
	for more := true; more; {
		more = false
		part := make([][]set, len(cells))
		for i := range cells {
			n := min(len(cells[i]), together)
			part[i], cells[i] = cells[i][:n], cells[i][n:]
			more = more || len(cells[i]) > 0
		}
		room := height(part)
		if !more {
			room += after
		}
		if l.need(room) {
			l.names(g, nil)
		}
		l.part(g, r, elements, part)
	}
	l.page.Artifact(false)
	l.page.Rule(margin, l.y, l.right(), l.y, 0.4, line)
}

// part sets the lines of a row that stand on one page.
func (l *layout) part(g grid, r row, elements []*pdf.Element, cells [][]set) {
	c, style := ink, typeface.Regular
	if r.Faint {
		c = faint
	}
	if r.Strong {
		style = typeface.Bold
	}
	low := l.y
	for i, lines := range cells {
		col := g.table.Columns[i]
		x := g.left[i] + pad
		if col.Head {
			x += float64(r.Depth) * 10
		}
		l.page.In(elements[i])
		y := l.y - 2.5
		for _, one := range lines {
			y -= one.size * leading
			switch {
			case one.under:
				l.text(one.text, typeface.Regular, one.size, x, y+one.size*0.34, faint)
			case col.Right:
				l.textRight(one.text, style, one.size, g.end(i), y+one.size*0.34, c)
			default:
				l.text(one.text, style, one.size, x, y+one.size*0.34, c)
			}
		}
		low = min(low, y)
	}
	l.y = low - 2.5
}

// closing is how to check the document, and the place of the signature.
func (l *layout) closing(signed bool) {
	l.heading("To compare", 40)
	l.paragraph(l.doc.Root(), "P", "The verify page tells which of these stand in the record as they stand here.", typeface.Regular, small+0.5, faint)
	l.y -= 4
	l.pairs(l.view.Check, "What a reader compares with the verify page", 3)
	l.heading("About this document", min(l.about(signed), l.height-margin-foot-80))
	for _, s := range l.view.About {
		l.paragraph(l.doc.Root(), "P", s, typeface.Regular, small+0.5, ink)
		l.y -= 3
	}
	if a := l.view.Address; a != "" {
		l.need(small * 2)
		link := l.doc.Root().Add("P").Add("Link")
		l.page.In(link)
		l.y -= small * leading
		size := small + 0.5
		if w := l.textWidth(a, typeface.Regular, size); w > l.inner() {
			size *= l.inner() / w
		}
		w := l.text(a, typeface.Regular, size, margin, l.y+2, brand)
		l.page.Link(link, pdf.Rect{Left: margin, Bottom: l.y, Right: margin + w, Top: l.y + small + 2}, a, "Verify page of this document")
		l.y -= 4
	}
	if signed {
		l.signature()
	}
}

// about is how high what stands beneath the last heading is.
func (l *layout) about(signed bool) (h float64) {
	for _, s := range l.view.About {
		h += float64(len(l.setter.Lines(s, typeface.Regular, l.inner()/(small+0.5))))*(small+0.5)*leading + 3
	}
	if l.view.Address != "" {
		h += small*leading + 4
	}
	if signed {
		h += signatureHeight + 12
	}
	return h
}

const signatureHeight = 40.0

func (l *layout) signature() {
	l.need(signatureHeight + 12)
	l.y -= 10
	box := pdf.Rect{Left: margin, Bottom: l.y - signatureHeight, Right: l.right(), Top: l.y}
	l.page.Artifact(false)
	l.page.Fill(box, wash)
	l.page.Rule(margin, l.y, l.right(), l.y, 0.8, brand)
	form := l.doc.Root().Add("Form")
	form.Alt = "Digital signature of " + l.view.Institution
	p := l.doc.Root().Add("P")
	l.page.In(p)
	l.text(l.fit("Digitally signed by "+l.view.Institution, typeface.Bold, body, l.inner()-30), typeface.Bold, body, margin+12, l.y-16, ink)
	l.text("on "+l.view.At.UTC().Format("2 January 2006, 15:04 UTC")+". Whoever changes this file breaks the signature.", typeface.Regular, small, margin+12, l.y-29, faint)
	l.doc.Field(l.page, form, box, pdf.Signing{Name: l.view.Institution, Reason: "The institution issues this document", At: l.view.At})
	l.y -= signatureHeight
}

// fit is text cut to one line of a width.
func (l *layout) fit(s string, style typeface.Style, size, width float64) string {
	if l.textWidth(s, style, size) <= width {
		return s
	}
	return l.setter.Lines(s, style, width/size-1)[0] + "…"
}

// running puts heads and feet on the pages, now that their number is known.
func (l *layout) running() {
	n := l.doc.Pages()
	for i := range n {
		l.page = l.doc.PageAt(i)
		l.page.Artifact(true)
		if i > 0 {
			y := l.height - margin + 2
			said := l.view.Institution + " · " + l.view.Title
			l.text(l.fit(said, typeface.Regular, small, l.inner()*0.6), typeface.Regular, small, margin, y, faint)
			l.textRight(l.fit(l.view.Facts[0].Value, typeface.Bold, small, l.inner()*0.36), typeface.Bold, small, l.right(), y, ink)
			l.page.Rule(margin, y-6, l.right(), y-6, 0.4, line)
		}
		l.page.Rule(margin, foot-14, l.right(), foot-14, 0.4, line)
		if l.view.Number != "" {
			l.text("Document "+l.view.Number, typeface.Regular, small, margin, foot-26, faint)
		}
		l.textRight("Page "+strconv.Itoa(i+1)+" of "+strconv.Itoa(n), typeface.Regular, small, l.right(), foot-26, faint)
	}
}
