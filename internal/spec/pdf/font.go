package pdf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Glyph is one glyph of a line. Lengths are in units of its font.
type Glyph struct {
	ID      uint16
	Advance int
	X, Y    int // by which it stands off
	// Text is what the glyph stands for; empty where the glyph before it stands
	// for the whole of a cluster.
	Text string
}

// Font is a TrueType font of which the glyphs that are shown are embedded.
type Font struct {
	name    string
	label   string
	upem    int
	tables  map[string][]byte
	hmtx    []byte // the table
	metrics int    // how many advances stand in it
	codes   map[code]uint16
	first   []uint16 // of each glyph that was shown, its first code
	order   []code   // by code, from 1
	ref     int
}

// code is a glyph with what it stands for: a glyph that stands for two texts has
// two codes, so that each says what it is.
type code struct {
	glyph uint16
	text  string
}

// Font adds a font. Only TrueType outlines are taken.
func (d *Document) Font(postscript string, data []byte) (*Font, error) {
	tables, err := tablesOf(data)
	if err != nil {
		return nil, fmt.Errorf("font %s: %w", postscript, err)
	}
	f := &Font{name: postscript, label: "F" + strconv.Itoa(len(d.fonts)+1), upem: int(binary.BigEndian.Uint16(tables["head"][18:])), tables: tables,
		hmtx: tables["hmtx"], metrics: int(binary.BigEndian.Uint16(tables["hhea"][34:])), codes: map[code]uint16{}}
	if f.upem == 0 {
		return nil, fmt.Errorf("font %s has no em", postscript)
	}
	d.fonts = append(d.fonts, f)
	return f, nil
}

// tablesOf are the tables of a font that a document needs.
func tablesOf(data []byte) (map[string][]byte, error) {
	if len(data) < 12 {
		return nil, errors.New("too short")
	}
	all := map[string][]byte{}
	for i := range int(binary.BigEndian.Uint16(data[4:])) {
		at := 12 + 16*i
		if at+16 > len(data) {
			return nil, errors.New("table directory is cut off")
		}
		from, size := int(binary.BigEndian.Uint32(data[at+8:])), int(binary.BigEndian.Uint32(data[at+12:]))
		if from > len(data) || size > len(data)-from {
			return nil, errors.New("a table is cut off")
		}
		all[string(data[at:at+4])] = data[from : from+size]
	}
	for table, least := range map[string]int{"head": 54, "hhea": 36, "maxp": 32, "hmtx": 4, "loca": 4, "glyf": 1} {
		if len(all[table]) < least {
			return nil, fmt.Errorf("no TrueType outlines: table %s", table)
		}
	}
	return all, nil
}

// code gives a glyph's code in this document.
func (f *Font) code(glyph uint16, text string) uint16 {
	if int(glyph) >= len(f.first) {
		f.first = append(f.first, make([]uint16, int(glyph)+1-len(f.first))...)
	}
	if n := f.first[glyph]; n > 0 && f.order[n-1].text == text { // as nearly always
		return n
	}
	c := code{glyph, text}
	n, ok := f.codes[c]
	if !ok {
		f.order = append(f.order, c)
		n = uint16(len(f.order))
		f.codes[c] = n
		if f.first[glyph] == 0 {
			f.first[glyph] = n
		}
	}
	return n
}

// width is the advance of a glyph as the font has it, in its units.
func (f *Font) width(glyph uint16) int {
	hmtx := f.hmtx
	at := 4 * min(int(glyph), f.metrics-1)
	if at < 0 || at+2 > len(hmtx) {
		return 0
	}
	return int(binary.BigEndian.Uint16(hmtx[at:]))
}

// Text sets glyphs from a point on, in points, and gives the width.
func (p *Page) Text(f *Font, glyphs []Glyph, x, y, size float64, c Color) float64 {
	if len(glyphs) == 0 {
		return 0
	}
	p.inks(c)
	b := append(p.out, "BT "...)
	if p.font != f || p.size != size {
		p.fonts[f] = true
		p.font, p.size = f, size
		b = append(append(append(b, '/'), f.label...), ' ')
		b = append(appendNum(b, size), " Tf "...)
	}
	b = append(appendNums(b, x, y), " Td "...)
	b, total := f.show(b, glyphs, size)
	p.out = append(b, "ET\n"...)
	return float64(total) * size / float64(f.upem)
}

// show adds glyphs with what moves them.
func (f *Font) show(b []byte, glyphs []Glyph, size float64) (_ []byte, total int) {
	em := float64(f.upem)
	rise, text, pending := 0, false, 0.0 // pending: what the next glyph is to be moved back by
	b = append(b, '[')
	closeText := func() {
		if text {
			b = append(b, '>')
		}
		text = false
	}
	for _, g := range glyphs {
		if g.Y != rise {
			closeText()
			b = append(appendNum(append(b, "] TJ "...), float64(g.Y)*size/em), " Ts ["...)
			rise = g.Y
		}
		if move := pending - float64(g.X); move != 0 {
			closeText()
			b = appendNum(b, move*1000/em)
		}
		if !text {
			b = append(b, '<')
			text = true
		}
		behind := g.Text
		if behind == "" {
			behind = "\u200B"
		}
		b = appendHex(b, f.code(g.ID, behind))
		pending = float64(f.width(g.ID) - g.Advance + g.X)
		total += g.Advance
	}
	closeText()
	if pending != 0 {
		b = appendNum(b, pending*1000/em)
	}
	b = append(b, "] TJ "...)
	if rise != 0 {
		b = append(b, "0 Ts "...)
	}
	return b, total
}

// write writes the font with its glyphs, ISO 32000-1 §9.7.
func (f *Font) write(w *writer) error {
	data, err := f.subset()
	if err != nil {
		return fmt.Errorf("font %s: %w", f.name, err)
	}
	tag := []byte("AAAAAA")
	for i, sum := 0, checksum(data); i < len(tag); i, sum = i+1, sum/26 {
		tag[i] += byte(sum % 26)
	}
	base := string(tag) + "+" + f.name
	descendant, descriptor, file, cmap := w.reserve(), w.reserve(), w.reserve(), w.reserve()
	em := float64(f.upem)
	thousandth := func(v int) string { return num(float64(v) * 1000 / em) }
	var widths strings.Builder
	for _, c := range f.order {
		widths.WriteString(thousandth(f.width(c.glyph)))
		widths.WriteByte(' ')
	}
	w.put(f.ref, "<</Type /Font /Subtype /Type0 /BaseFont /%s /Encoding /Identity-H /DescendantFonts [%d 0 R] /ToUnicode %d 0 R>>", base, descendant, cmap)
	w.put(descendant, "<</Type /Font /Subtype /CIDFontType2 /BaseFont /%s /CIDSystemInfo <</Registry (Adobe) /Ordering (Identity) /Supplement 0>> /FontDescriptor %d 0 R /CIDToGIDMap /Identity /DW %s /W [1 [%s]]>>",
		base, descriptor, thousandth(f.width(0)), widths.String())
	signed := func(table string, at int) int { return int(int16(binary.BigEndian.Uint16(f.tables[table][at:]))) }
	caps := signed("hhea", 4)
	if len(f.tables["OS/2"]) >= 90 {
		caps = signed("OS/2", 88)
	}
	w.put(descriptor, "<</Type /FontDescriptor /FontName /%s /Flags 4 /FontBBox [%s %s %s %s] /ItalicAngle 0 /Ascent %s /Descent %s /CapHeight %s /StemV 80 /FontFile2 %d 0 R>>",
		base, thousandth(signed("head", 36)), thousandth(signed("head", 38)), thousandth(signed("head", 40)), thousandth(signed("head", 42)),
		thousandth(signed("hhea", 4)), thousandth(signed("hhea", 6)), thousandth(caps), file)
	if err := w.stream(file, "/Length1 "+strconv.Itoa(len(data)), data, squeeze); err != nil {
		return err
	}
	return w.stream(cmap, "", f.unicode(), squeeze)
}

// unicode is what each code stands for, ISO 32000-1 §9.10.3.
func (f *Font) unicode() []byte {
	var b bytes.Buffer
	b.WriteString("/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n")
	n := 1
	for chunk := range slices.Chunk(f.order, 100) {
		fmt.Fprintf(&b, "%d beginbfchar\n", len(chunk))
		for _, c := range chunk {
			b.Write(append(appendHex(append(b.AvailableBuffer(), '<'), uint16(n)), "> <"...))
			b.WriteString(wide(c.text))
			b.WriteString(">\n")
			n++
		}
		b.WriteString("endbfchar\n")
	}
	b.WriteString("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n")
	return b.Bytes()
}

// outline is the outline of a glyph, as the font has it.
func (f *Font) outline(glyph uint16) ([]byte, error) {
	loca, glyf := f.tables["loca"], f.tables["glyf"]
	var from, to int
	if binary.BigEndian.Uint16(f.tables["head"][50:]) == 0 {
		if 2*int(glyph)+4 > len(loca) {
			return nil, errors.New("no such glyph")
		}
		from, to = 2*int(binary.BigEndian.Uint16(loca[2*int(glyph):])), 2*int(binary.BigEndian.Uint16(loca[2*int(glyph)+2:]))
	} else {
		if 4*int(glyph)+8 > len(loca) {
			return nil, errors.New("no such glyph")
		}
		from, to = int(binary.BigEndian.Uint32(loca[4*int(glyph):])), int(binary.BigEndian.Uint32(loca[4*int(glyph)+4:]))
	}
	if from > to || to > len(glyf) {
		return nil, errors.New("an outline is cut off")
	}
	return glyf[from:to], nil
}

// subset is a font of the glyphs that are shown, numbered by their codes, those
// they are put together from behind them, and no instructions: nothing that
// shows a PDF needs those.
func (f *Font) subset() ([]byte, error) {
	glyphs := []uint16{0}
	for _, c := range f.order {
		glyphs = append(glyphs, c.glyph)
	}
	parts := map[uint16]int{}
	var glyf, loca, hmtx bytes.Buffer
	for i := 0; i < len(glyphs); i++ {
		_ = binary.Write(&loca, binary.BigEndian, uint32(glyf.Len()))
		raw, err := f.outline(glyphs[i])
		if err != nil {
			return nil, err
		}
		raw, err = bare(raw, func(part uint16) uint16 {
			if _, ok := parts[part]; !ok {
				parts[part] = len(glyphs)
				glyphs = append(glyphs, part)
			}
			return uint16(parts[part])
		})
		if err != nil {
			return nil, err
		}
		glyf.Write(raw)
		for glyf.Len()%4 != 0 {
			glyf.WriteByte(0)
		}
	}
	_ = binary.Write(&loca, binary.BigEndian, uint32(glyf.Len()))
	for _, g := range glyphs {
		_ = binary.Write(&hmtx, binary.BigEndian, uint16(f.width(g)))
		_ = binary.Write(&hmtx, binary.BigEndian, f.bearing(g))
	}
	head, hhea, maxp := slices.Clone(f.tables["head"]), slices.Clone(f.tables["hhea"]), slices.Clone(f.tables["maxp"])
	binary.BigEndian.PutUint32(head[8:], 0)
	binary.BigEndian.PutUint16(head[50:], 1)
	binary.BigEndian.PutUint16(hhea[34:], uint16(len(glyphs)))
	binary.BigEndian.PutUint16(maxp[4:], uint16(len(glyphs)))
	binary.BigEndian.PutUint16(maxp[26:], 0) // no instructions
	return assemble([]table{{"glyf", glyf.Bytes()}, {"head", head}, {"hhea", hhea}, {"hmtx", hmtx.Bytes()}, {"loca", loca.Bytes()}, {"maxp", maxp}}), nil
}

// bearing is the left side bearing of a glyph.
func (f *Font) bearing(glyph uint16) uint16 {
	hmtx := f.hmtx
	at := 4*int(glyph) + 2
	if int(glyph) >= f.metrics {
		at = 4*f.metrics + 2*(int(glyph)-f.metrics)
	}
	if at+2 > len(hmtx) {
		return 0
	}
	return binary.BigEndian.Uint16(hmtx[at:])
}

// bare is an outline without instructions, its parts renumbered.
func bare(raw []byte, renumber func(uint16) uint16) ([]byte, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	cut := errors.New("an outline is cut off")
	if len(raw) < 12 {
		return nil, cut
	}
	contours := int(int16(binary.BigEndian.Uint16(raw)))
	if contours >= 0 {
		at := 10 + 2*contours
		if at+2 > len(raw) {
			return nil, cut
		}
		n := int(binary.BigEndian.Uint16(raw[at:]))
		if at+2+n > len(raw) {
			return nil, cut
		}
		out := append(slices.Clone(raw[:at]), 0, 0)
		return append(out, raw[at+2+n:]...), nil
	}
	out := slices.Clone(raw)
	for at := 10; ; {
		if at+4 > len(out) {
			return nil, cut
		}
		flags := binary.BigEndian.Uint16(out[at:])
		binary.BigEndian.PutUint16(out[at:], flags&^0x0100)
		binary.BigEndian.PutUint16(out[at+2:], renumber(binary.BigEndian.Uint16(out[at+2:])))
		at += 4 + 2
		if flags&0x0001 != 0 {
			at += 2
		}
		switch {
		case flags&0x0008 != 0:
			at += 2
		case flags&0x0040 != 0:
			at += 4
		case flags&0x0080 != 0:
			at += 8
		}
		if flags&0x0020 == 0 {
			if at > len(out) {
				return nil, cut
			}
			return out[:at], nil
		}
	}
}

type table struct {
	name string
	data []byte
}

// assemble puts tables together as a font file.
func assemble(tables []table) []byte {
	n := len(tables)
	log := 0
	for 2<<log <= n {
		log++
	}
	var out bytes.Buffer
	_ = binary.Write(&out, binary.BigEndian, []uint16{1, 0, uint16(n), uint16(16 << log), uint16(log), uint16(16*n - 16<<log)})
	at, head := 12+16*n, 0
	for _, t := range tables {
		out.WriteString(t.name)
		_ = binary.Write(&out, binary.BigEndian, []uint32{checksum(t.data), uint32(at), uint32(len(t.data))})
		if t.name == "head" {
			head = at
		}
		at += (len(t.data) + 3) &^ 3
	}
	for _, t := range tables {
		out.Write(t.data)
		for out.Len()%4 != 0 {
			out.WriteByte(0)
		}
	}
	raw := out.Bytes()
	binary.BigEndian.PutUint32(raw[head+8:], 0xB1B0AFBA-checksum(raw))
	return raw
}

func checksum(data []byte) (sum uint32) {
	for len(data) >= 4 {
		sum += binary.BigEndian.Uint32(data)
		data = data[4:]
	}
	if len(data) > 0 {
		var last [4]byte
		copy(last[:], data)
		sum += binary.BigEndian.Uint32(last[:])
	}
	return sum
}
