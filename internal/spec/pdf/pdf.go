// Package pdf writes and reads PDF, ISO 32000-1.
//
// What is written is tagged and archival: a structure tree with a language,
// subsets of every font with the text behind the glyphs, an output intent,
// files attached with what they are to the document, and room for a signature.
// The aim is PDF/A-3a (ISO 19005-3) and PDF/UA-1 (ISO 14289-1). The same calls
// give the same bytes: there is no clock and no chance in it.
//
// What is read is what a stranger sent: the attached files and the signatures,
// with what each covers. Reading is bounded in objects, depth and expanded size.
package pdf

import (
	"cmp"
	"compress/zlib"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
)

// Info is what a document says of itself.
type Info struct {
	Title    string
	Author   string
	Subject  string
	Producer string
	Lang     string // BCP 47
	Created  time.Time
}

// Attachment is a file in the document.
type Attachment struct {
	Name         string
	Description  string
	Media        string // media type
	Relationship string // Source, Data, Alternative or Supplement: ISO 19005-3 Annex E
	Modified     time.Time
	Data         []byte
}

// Document is a document that is being made.
type Document struct {
	info  Info
	root  *Element
	pages []*Page
	fonts []*Font
	files []Attachment
	field *field
	spare []Element // for elements to come
}

// New is a document without pages.
func New(info Info) *Document {
	d := &Document{info: info}
	d.root = d.element("Document")
	return d
}

// Root is the element that everything tagged stands in.
func (d *Document) Root() *Element { return d.root }

// Pages is how many pages there are.
func (d *Document) Pages() int { return len(d.pages) }

// PageAt is a page by number, from 0.
func (d *Document) PageAt(i int) *Page { return d.pages[i] }

// Attach puts a file in.
func (d *Document) Attach(a Attachment) { d.files = append(d.files, a) }

// Element is an element of the structure tree, ISO 32000-1 §14.8.
type Element struct {
	Kind    string // H1, P, Table, TR, TH, TD, Figure, Link, ...
	Title   string
	Alt     string // instead of a picture
	Actual  string // the text, where its glyphs do not tell it in its order
	Lang    string // where it differs
	Scope   string // Row or Column, of a TH
	Summary string // of a Table
	Span    int    // columns of a cell; 0 for 1
	Box     *Rect  // of a Figure: where it stands
	doc     *Document
	kids    []kid
	ref     int
}

// kid is what an element has within it: another element, an annotation on a page,
// or content of a page that is marked with a number.
type kid struct {
	element *Element
	page    *Page
	annot   *annotation
	id      int
}

// element is an element that stands nowhere yet. They are made many at a time:
// a record of 100 lines has some thousand.
func (d *Document) element(kind string) *Element {
	if len(d.spare) == 0 {
		d.spare = make([]Element, 64)
	}
	e := &d.spare[0]
	d.spare = d.spare[1:]
	e.Kind, e.doc = kind, d
	return e
}

// Add puts an element at the end of another.
func (e *Element) Add(kind string) *Element {
	k := e.doc.element(kind)
	e.kids = append(e.kids, kid{element: k})
	return k
}

// Rect is a rectangle, in points from the lower left corner.
type Rect struct{ Left, Bottom, Right, Top float64 }

// String is the rectangle as PDF writes it.
func (r Rect) String() string {
	return "[" + string(appendNums(nil, r.Left, r.Bottom, r.Right, r.Top)) + "]"
}

// Color is red, green and blue between 0 and 1.
type Color struct{ R, G, B float64 }

// Page is a page. What is drawn belongs to the element of the last In, or to
// none after Artifact.
type Page struct {
	Width, Height float64
	number        int
	out           []byte
	fill, stroke  *Color // in force; nil: none was said yet
	font          *Font  // likewise
	size          float64
	open          bool
	in            *Element   // that is open; nil in an artifact
	elements      []*Element // by MCID
	annots        []*annotation
	fonts         map[*Font]bool
	ref           int
}

// annotation is a link or the place of the signature.
type annotation struct {
	rect     Rect
	uri      string
	contents string
	element  *Element
	ref      int
	key      int // of the parent tree
}

// Page adds a page, in points.
func (d *Document) Page(width, height float64) *Page {
	p := &Page{Width: width, Height: height, number: len(d.pages), fonts: map[*Font]bool{}, out: make([]byte, 0, 16<<10)}
	d.pages = append(d.pages, p)
	return p
}

// In makes what is drawn from here on part of an element.
func (p *Page) In(e *Element) {
	p.mark(e, e.Kind, "")
	p.in = e
}

// mark begins content of an element, and says of it what is told besides.
func (p *Page) mark(e *Element, kind, told string) {
	p.close()
	p.out = append(append(append(p.out, '/'), kind...), " <</MCID "...)
	p.out = append(strconv.AppendInt(p.out, int64(len(p.elements)), 10), told...)
	p.out = append(p.out, ">> BDC\n"...)
	e.kids = append(e.kids, kid{page: p, id: len(p.elements)})
	p.elements = append(p.elements, e)
	p.open = true
}

// Tagged reports whether what is drawn belongs to an element, and to which.
func (p *Page) Tagged() (*Element, bool) { return p.in, p.in != nil }

// InSpan makes what is drawn from here on a span of an element that is to be read
// as a text. Where the glyphs stand in the order of the text, those who take text
// from pages without the structure are told as well.
func (p *Page) InSpan(e *Element, actual string, ordered bool) {
	span := e.Add("Span")
	span.Actual = actual
	told := ""
	if ordered {
		told = " /ActualText <" + wide("\uFEFF"+actual) + ">"
	}
	p.mark(span, span.Kind, told)
	p.in = e
}

// Artifact makes what is drawn from here on decoration, or where running is said
// a running head or foot: readers pass over it.
func (p *Page) Artifact(running bool) {
	p.close()
	if running {
		p.out = append(p.out, "/Artifact <</Type /Pagination>> BDC\n"...)
	} else {
		p.out = append(p.out, "/Artifact <</Type /Layout>> BDC\n"...)
	}
	p.open = true
}

func (p *Page) close() {
	if p.open {
		p.out = append(p.out, "EMC\n"...)
	}
	p.open, p.in = false, nil
}

// inks says the color that is to fill, where it is not in force.
func (p *Page) inks(c Color) {
	if p.fill == nil || *p.fill != c {
		p.out = append(appendNums(p.out, c.R, c.G, c.B), " rg "...)
		p.fill = &c
	}
}

// draws says the color and the width of lines.
func (p *Page) draws(c Color, width float64) {
	if p.stroke == nil || *p.stroke != c {
		p.out = append(appendNums(p.out, c.R, c.G, c.B), " RG "...)
		p.stroke = &c
	}
	p.out = append(appendNum(p.out, width), " w "...)
}

// Fill fills a rectangle.
func (p *Page) Fill(r Rect, c Color) {
	p.inks(c)
	p.out = append(appendNums(p.out, r.Left, r.Bottom, r.Right-r.Left, r.Top-r.Bottom), " re f\n"...)
}

// Rule draws a line.
func (p *Page) Rule(x1, y1, x2, y2, width float64, c Color) {
	p.draws(c, width)
	p.out = append(appendNums(p.out, x1, y1), " m "...)
	p.out = append(appendNums(p.out, x2, y2), " l S\n"...)
}

// Circle draws a circle of a line.
func (p *Page) Circle(x, y, radius, width float64, c Color) {
	const k = 0.5522847498 // of a quarter as a curve
	r, h := radius, radius*k
	p.draws(c, width)
	p.out = append(appendNums(p.out, x+r, y), " m "...)
	for _, q := range [][6]float64{{x + r, y + h, x + h, y + r, x, y + r}, {x - h, y + r, x - r, y + h, x - r, y},
		{x - r, y - h, x - h, y - r, x, y - r}, {x + h, y - r, x + r, y - h, x + r, y}} {
		p.out = append(appendNums(p.out, q[:]...), " c "...)
	}
	p.out = append(p.out, "s\n"...)
}

// Link makes a rectangle an address to go to, as part of an element.
func (p *Page) Link(e *Element, r Rect, uri, contents string) {
	a := &annotation{rect: r, uri: uri, contents: contents, element: e}
	p.annots = append(p.annots, a)
	e.kids = append(e.kids, kid{page: p, annot: a})
}

// num is a number as PDF writes it: at most three decimals, no exponent.
func num(v float64) string {
	var room [32]byte
	return string(appendNum(room[:0], v))
}

// appendNum adds what num gives.
func appendNum(b []byte, v float64) []byte {
	n := int64(math.Round(v * 1000))
	if n < 0 {
		b, n = append(b, '-'), -n
	}
	b = strconv.AppendInt(b, n/1000, 10)
	if n %= 1000; n > 0 {
		b = append(b, '.', byte('0'+n/100))
		if n %= 100; n > 0 {
			b = append(b, byte('0'+n/10))
			if n %= 10; n > 0 {
				b = append(b, byte('0'+n))
			}
		}
	}
	return b
}

// appendNums adds numbers with spaces between them.
func appendNums(b []byte, all ...float64) []byte {
	for i, v := range all {
		if i > 0 {
			b = append(b, ' ')
		}
		b = appendNum(b, v)
	}
	return b
}

// appendHex adds 16 bits as four hexadecimal digits.
func appendHex(b []byte, v uint16) []byte {
	const digits = "0123456789ABCDEF"
	return append(b, digits[v>>12], digits[v>>8&15], digits[v>>4&15], digits[v&15])
}

// text is a text string, ISO 32000-1 §7.9.2.2.
func text(s string) string {
	plain := true
	for _, r := range s {
		plain = plain && r >= 0x20 && r < 0x7F && r != '(' && r != ')' && r != '\\'
	}
	if plain {
		return "(" + s + ")"
	}
	return "<" + wide("\uFEFF"+s) + ">"
}

// wide is UTF-16 in hexadecimal.
func wide(s string) string {
	b := make([]byte, 0, 4*len(s))
	for _, r := range s {
		if r > 0xFFFF {
			high, low := utf16.EncodeRune(r)
			b = appendHex(appendHex(b, uint16(high)), uint16(low))
			continue
		}
		b = appendHex(b, uint16(r))
	}
	return string(b)
}

// name is a name object.
func name(s string) string {
	var b strings.Builder
	b.WriteByte('/')
	for _, c := range []byte(s) {
		if c > 0x20 && c < 0x7F && !strings.ContainsRune("#/()<>[]{}%", rune(c)) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "#%02X", c)
		}
	}
	return b.String()
}

func date(t time.Time) string { return "(D:" + t.UTC().Format("20060102150405") + "Z)" }

// writer numbers objects and writes them.
type writer struct {
	out     []byte
	offsets []int // by number, from 1
}

// Write adds bytes.
func (w *writer) Write(b []byte) (int, error) {
	w.out = append(w.out, b...)
	return len(b), nil
}

func (w *writer) reserve() int {
	w.offsets = append(w.offsets, 0)
	return len(w.offsets)
}

// begin begins an object.
func (w *writer) begin(ref int) {
	w.offsets[ref-1] = len(w.out)
	w.out = append(strconv.AppendInt(w.out, int64(ref), 10), " 0 obj\n"...)
}

const endObject = "\nendobj\n"

func (w *writer) put(ref int, format string, values ...any) {
	w.begin(ref)
	w.out = append(fmt.Appendf(w.out, format, values...), endObject...)
}

// packers are kept: making one costs more than packing a page.
var packers = sync.Pool{New: func() any {
	z, err := zlib.NewWriterLevel(nil, zlib.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return z
}}

// The ways in which a stream is written.
const (
	asIs    = false
	squeeze = true
)

// stream writes a stream.
func (w *writer) stream(ref int, dict string, data []byte, packed bool) error {
	w.begin(ref)
	w.out = append(append(w.out, "<<"...), dict...)
	if !packed {
		w.out = fmt.Appendf(w.out, " /Length %d>>\nstream\n", len(data))
		w.out = append(append(w.out, data...), "\nendstream"+endObject...)
		return nil
	}
	w.out = append(w.out, " /Filter /FlateDecode /Length "...)
	at := len(w.out) // of the length, which is known when it is packed
	w.out = append(w.out, "          >>\nstream\n"...)
	from := len(w.out)
	z := packers.Get().(*zlib.Writer)
	defer packers.Put(z)
	z.Reset(w)
	if _, err := z.Write(data); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	strconv.AppendInt(w.out[at:at], int64(len(w.out)-from), 10)
	w.out = append(w.out, "\nendstream"+endObject...)
	return nil
}

// appendRef adds a reference to an object.
func appendRef(b []byte, ref int) []byte {
	return append(strconv.AppendInt(b, int64(ref), 10), " 0 R"...)
}

func refs(all []int) string {
	var b []byte
	for i, r := range all {
		if i > 0 {
			b = append(b, ' ')
		}
		b = appendRef(b, r)
	}
	return string(b)
}

// Bytes is the document. With a field for a signature it is to be sealed yet.
func (d *Document) Bytes() ([]byte, error) {
	if len(d.pages) == 0 {
		return nil, errors.New("pdf: a document without pages")
	}
	w := &writer{out: append(make([]byte, 0, d.about()), "%PDF-1.7\n%\xE2\xE3\xCF\xD3\n"...)}
	catalog, pages, info, tree, intent, icc, meta := w.reserve(), w.reserve(), w.reserve(), w.reserve(), w.reserve(), w.reserve(), w.reserve()
	for _, f := range d.fonts {
		f.ref = w.reserve()
	}
	for _, p := range d.pages {
		p.ref = w.reserve()
	}
	d.number(w)
	if err := d.writePages(w, pages); err != nil {
		return nil, err
	}
	for _, f := range d.fonts {
		if err := f.write(w); err != nil {
			return nil, err
		}
	}
	d.writeTree(w, tree)
	files, err := d.writeFiles(w)
	if err != nil {
		return nil, err
	}
	if err := w.stream(icc, "/N 3", sRGB(), squeeze); err != nil {
		return nil, err
	}
	w.put(intent, "<</Type /OutputIntent /S /GTS_PDFA1 /OutputConditionIdentifier (sRGB) /RegistryName (http://www.color.org) /Info (sRGB IEC61966-2.1) /DestOutputProfile %d 0 R>>", icc)
	if err := w.stream(meta, "/Type /Metadata /Subtype /XML", d.xmp(), asIs); err != nil {
		return nil, err
	}
	d.writeCatalog(w, catalog, pages, tree, intent, meta, files)
	w.put(info, "<</Title %s /Author %s /Subject %s /Producer %s /CreationDate %s /ModDate %s>>",
		text(d.info.Title), text(d.info.Author), text(d.info.Subject), text(d.info.Producer), date(d.info.Created), date(d.info.Created))
	return w.end(catalog, info), nil
}

// about is how many bytes the document will have, roughly: it is better to have
// room for all than to move it as it grows.
func (d *Document) about() int {
	n := 64 << 10
	for _, f := range d.files {
		n += len(f.Data) * 2 / 3
	}
	for _, p := range d.pages {
		n += len(p.out)/2 + 160*len(p.elements)
	}
	return n
}

// number gives objects to the elements and annotations.
func (d *Document) number(w *writer) {
	var walk func(e *Element)
	walk = func(e *Element) {
		e.ref = w.reserve()
		for _, k := range e.kids {
			if k.element != nil {
				walk(k.element)
			}
		}
	}
	walk(d.root)
	key := len(d.pages)
	for _, p := range d.pages {
		for _, a := range p.annots {
			a.ref, a.key = w.reserve(), key
			key++
		}
	}
}

func (d *Document) writePages(w *writer, pages int) error {
	kids := make([]int, len(d.pages))
	for i, p := range d.pages {
		p.close()
		kids[i] = p.ref
		body := w.reserve()
		if err := w.stream(body, "", p.out, squeeze); err != nil {
			return err
		}
		var fonts strings.Builder
		for _, f := range d.fonts {
			if p.fonts[f] {
				fmt.Fprintf(&fonts, "/%s %d 0 R ", f.label, f.ref)
			}
		}
		annots := ""
		if len(p.annots) > 0 {
			all := make([]int, len(p.annots))
			for j, a := range p.annots {
				all[j] = a.ref
				d.writeAnnotation(w, p, a)
			}
			annots = " /Annots [" + refs(all) + "] /Tabs /S"
		}
		w.put(p.ref, "<</Type /Page /Parent %d 0 R /MediaBox [0 0 %s %s] /Resources <</Font <<%s>> /ProcSet [/PDF /Text]>> /Contents %d 0 R /StructParents %d%s>>",
			pages, num(p.Width), num(p.Height), fonts.String(), body, i, annots)
	}
	w.put(pages, "<</Type /Pages /Count %d /Kids [%s]>>", len(kids), refs(kids))
	return nil
}

func (d *Document) writeAnnotation(w *writer, p *Page, a *annotation) {
	if d.field != nil && d.field.widget == a {
		d.field.write(w, p, a)
		return
	}
	w.put(a.ref, "<</Type /Annot /Subtype /Link /Rect %s /Border [0 0 0] /F 4 /P %d 0 R /StructParent %d /Contents %s /A <</Type /Action /S /URI /URI %s>>>>",
		a.rect, p.ref, a.key, text(a.contents), text(a.uri))
}

// writeTree writes the structure tree and the way back from content to it.
func (d *Document) writeTree(w *writer, tree int) {
	var walk func(e *Element, parent int)
	walk = func(e *Element, parent int) {
		w.begin(e.ref)
		w.out = append(e.append(w.out, parent), endObject...)
		for _, k := range e.kids {
			if k.element != nil {
				walk(k.element, e.ref)
			}
		}
	}
	walk(d.root, tree)
	parents := w.reserve()
	w.begin(parents)
	w.out = append(w.out, "<</Nums ["...)
	next := 0
	for i, p := range d.pages {
		w.out = append(strconv.AppendInt(w.out, int64(i), 10), " ["...)
		for _, e := range p.elements {
			w.out = append(appendRef(w.out, e.ref), ' ')
		}
		w.out = append(w.out, "] "...)
		next = i + 1
	}
	for _, p := range d.pages {
		for _, a := range p.annots {
			w.out = fmt.Appendf(w.out, "%d %d 0 R ", a.key, a.element.ref)
			next = a.key + 1
		}
	}
	w.out = append(w.out, "]>>"+endObject...)
	w.put(tree, "<</Type /StructTreeRoot /K %d 0 R /ParentTree %d 0 R /ParentTreeNextKey %d>>", d.root.ref, parents, next)
}

// append adds the element as an object. Where all it has is content of one page it
// names the page once, ISO 32000-1 table 323.
func (e *Element) append(b []byte, parent int) []byte {
	b = append(append(b, "<</Type /StructElem /S /"...), e.Kind...)
	b = appendRef(append(b, " /P "...), parent)
	for _, m := range [...]struct{ key, value string }{{" /T ", e.Title}, {" /Alt ", e.Alt}, {" /ActualText ", e.Actual}, {" /Lang ", e.Lang}} {
		if m.value != "" {
			b = append(append(b, m.key...), text(m.value)...)
		}
	}
	if a := e.attributes(); a != "" {
		b = append(append(b, " /A "...), a...)
	}
	if len(e.kids) == 0 {
		return append(b, ">>"...)
	}
	page := e.kids[0].page
	for _, k := range e.kids {
		if k.page != page || k.annot != nil {
			page = nil
		}
	}
	if page != nil {
		b = appendRef(append(b, " /Pg "...), page.ref)
	}
	b = append(b, " /K ["...)
	for i, k := range e.kids {
		if i > 0 {
			b = append(b, ' ')
		}
		switch {
		case k.element != nil:
			b = appendRef(b, k.element.ref)
		case k.annot != nil:
			b = fmt.Appendf(b, "<</Type /OBJR /Pg %d 0 R /Obj %d 0 R>>", k.page.ref, k.annot.ref)
		case page != nil:
			b = strconv.AppendInt(b, int64(k.id), 10)
		default:
			b = fmt.Appendf(b, "<</Type /MCR /Pg %d 0 R /MCID %d>>", k.page.ref, k.id)
		}
	}
	return append(b, "]>>"...)
}

// attributes are the element's attributes, ISO 32000-1 §14.8.5.
func (e *Element) attributes() string {
	if e.Scope == "" && e.Summary == "" && e.Span < 2 && e.Box == nil {
		return ""
	}
	var all []string
	if e.Scope != "" || e.Summary != "" || e.Span > 1 {
		a := "<</O /Table"
		if e.Scope != "" {
			a += " /Scope /" + e.Scope
		}
		if e.Summary != "" {
			a += " /Summary " + text(e.Summary)
		}
		if e.Span > 1 {
			a += " /ColSpan " + strconv.Itoa(e.Span)
		}
		all = append(all, a+">>")
	}
	if e.Box != nil {
		all = append(all, "<</O /Layout /Placement /Block /BBox "+e.Box.String()+">>")
	}
	if len(all) > 1 {
		return "[" + strings.Join(all, " ") + "]"
	}
	return strings.Join(all, "")
}

// writeFiles writes the attached files and gives their specifications.
func (d *Document) writeFiles(w *writer) ([]int, error) {
	var all []int
	for _, f := range d.files {
		body, spec := w.reserve(), w.reserve()
		dict := fmt.Sprintf("/Type /EmbeddedFile /Subtype %s /Params <</Size %d /ModDate %s>>", name(f.Media), len(f.Data), date(f.Modified))
		if err := w.stream(body, dict, f.Data, squeeze); err != nil {
			return nil, err
		}
		w.put(spec, "<</Type /Filespec /F %s /UF %s /Desc %s /AFRelationship /%s /EF <</F %d 0 R /UF %d 0 R>>>>",
			text(f.Name), text(f.Name), text(f.Description), f.Relationship, body, body)
		all = append(all, spec)
	}
	return all, nil
}

func (d *Document) writeCatalog(w *writer, catalog, pages, tree, intent, meta int, files []int) {
	c := fmt.Sprintf("<</Type /Catalog /Version /1.7 /Pages %d 0 R /Lang %s /MarkInfo <</Marked true>> /StructTreeRoot %d 0 R /ViewerPreferences <</DisplayDocTitle true>> /OutputIntents [%d 0 R] /Metadata %d 0 R",
		pages, text(d.info.Lang), tree, intent, meta)
	if len(files) > 0 {
		order := make([]int, len(files))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int { return cmp.Compare(d.files[a].Name, d.files[b].Name) })
		var names strings.Builder
		for _, i := range order {
			fmt.Fprintf(&names, "%s %d 0 R ", text(d.files[i].Name), files[i])
		}
		c += fmt.Sprintf(" /AF [%s] /Names <</EmbeddedFiles <</Names [%s]>>>>", refs(files), names.String())
	}
	if d.field != nil {
		c += fmt.Sprintf(" /AcroForm <</Fields [%d 0 R] /SigFlags 3>>", d.field.widget.ref)
	}
	w.put(catalog, "%s>>", c)
}

// end writes the table of objects and the trailer. The file is named by what is
// in it.
func (w *writer) end(catalog, info int) []byte {
	sum := sha256.Sum256(w.out)
	id := hex.EncodeToString(sum[:16])
	at := len(w.out)
	w.out = fmt.Appendf(w.out, "xref\n0 %d\n0000000000 65535 f \n", len(w.offsets)+1)
	for _, o := range w.offsets {
		line := []byte("0000000000 00000 n \n")
		for i := 9; o > 0; i, o = i-1, o/10 {
			line[i] += byte(o % 10)
		}
		w.out = append(w.out, line...)
	}
	return fmt.Appendf(w.out, "trailer\n<</Size %d /Root %d 0 R /Info %d 0 R /ID [<%s> <%s>]>>\nstartxref\n%d\n%%%%EOF\n", len(w.offsets)+1, catalog, info, id, id, at)
}

// escape is text within XML.
var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

// xmp is the metadata, ISO 16684-1; ISO 19005-3 §6.6 and ISO 14289-1 §5.
func (d *Document) xmp() []byte {
	i := d.info
	at := i.Created.UTC().Format("2006-01-02T15:04:05Z")
	values := map[string]string{"TITLE": i.Title, "AUTHOR": i.Author, "SUBJECT": i.Subject, "PRODUCER": i.Producer, "LANG": i.Lang, "AT": at}
	pairs := make([]string, 0, 2*len(values))
	for _, k := range slices.Sorted(maps.Keys(values)) {
		pairs = append(pairs, "{"+k+"}", escape.Replace(values[k]))
	}
	return []byte(strings.NewReplacer(pairs...).Replace(packet))
}

const packet = "<?xpacket begin=\"\uFEFF\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>" + `
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">
   <dc:format>application/pdf</dc:format>
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">{TITLE}</rdf:li></rdf:Alt></dc:title>
   <dc:creator><rdf:Seq><rdf:li>{AUTHOR}</rdf:li></rdf:Seq></dc:creator>
   <dc:description><rdf:Alt><rdf:li xml:lang="x-default">{SUBJECT}</rdf:li></rdf:Alt></dc:description>
   <dc:language><rdf:Bag><rdf:li>{LANG}</rdf:li></rdf:Bag></dc:language>
  </rdf:Description>
  <rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/">
   <xmp:CreateDate>{AT}</xmp:CreateDate>
   <xmp:ModifyDate>{AT}</xmp:ModifyDate>
   <xmp:MetadataDate>{AT}</xmp:MetadataDate>
   <pdf:Producer>{PRODUCER}</pdf:Producer>
  </rdf:Description>
  <rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">
   <pdfaid:part>3</pdfaid:part>
   <pdfaid:conformance>A</pdfaid:conformance>
  </rdf:Description>
  <rdf:Description rdf:about="" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/">
   <pdfuaid:part>1</pdfuaid:part>
  </rdf:Description>
  <rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/" xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">
   <pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">
    <pdfaSchema:schema>PDF/UA identification schema</pdfaSchema:schema>
    <pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>
    <pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix>
    <pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource">
     <pdfaProperty:name>part</pdfaProperty:name>
     <pdfaProperty:valueType>Integer</pdfaProperty:valueType>
     <pdfaProperty:category>internal</pdfaProperty:category>
     <pdfaProperty:description>Part of ISO 14289 to which the document conforms</pdfaProperty:description>
    </rdf:li></rdf:Seq></pdfaSchema:property>
   </rdf:li></rdf:Bag></pdfaExtension:schemas>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>`
