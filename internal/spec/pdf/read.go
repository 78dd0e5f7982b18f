package pdf

import (
	"bytes"
	"compress/zlib"
	"encoding/ascii85"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// The limits of what is read. They are far above what any document with a
// credential has.
const (
	maxObjects  = 200_000
	maxNesting  = 64
	maxSections = 64       // tables of objects, of a file that was changed again and again
	maxStream   = 32 << 20 // bytes of one stream, expanded
	maxExpanded = 64 << 20 // of all streams together
	maxSteps    = 4 << 20  // objects and members that are read, and bytes that are gone over
	stepBytes   = 64       // that count as one
	maxFiles    = 32
	maxFields   = 2_000
	maxSigned   = 16
)

// Is reports whether a file begins as a PDF does.
func Is(file []byte) bool { return bytes.HasPrefix(file, []byte("%PDF-")) }

// ErrEncrypted is a file that needs a password.
var ErrEncrypted = errors.New("the file is encrypted")

// The kinds of objects, ISO 32000-1 §7.3. Numbers are float64, strings []byte.
type (
	nameObject string
	reference  struct{ number, generation int }
	dictionary map[string]any
	array      []any
	streamed   struct {
		dict dictionary
		raw  []byte
	}
	keyword string
)

// place is where an object is.
type place struct {
	offset int // in the file; or its index in a stream of objects
	within int // number of the stream of objects; 0: none
}

// File is a PDF that was opened.
type File struct {
	data    []byte
	places  map[int]place
	trailer dictionary
	streams map[int][]any // objects of streams of objects, by number
	numbers map[int][]int
	open    map[int]bool // objects that are being read
	left    int          // of the expanded bytes
	steps   int
}

// Read opens a file. An error says in a few words what is wrong with it.
func Read(data []byte) (*File, error) {
	f := &File{data: data, places: map[int]place{}, trailer: dictionary{}, streams: map[int][]any{}, numbers: map[int][]int{}, open: map[int]bool{}, left: maxExpanded, steps: maxSteps}
	at := bytes.LastIndex(data, []byte("startxref"))
	if at < 0 || !Is(data) {
		return nil, errors.New("it has no table of objects")
	}
	p := &parser{file: f, data: data, at: at + len("startxref")}
	start, err := p.whole()
	if err != nil {
		return nil, errors.New("it has no table of objects")
	}
	if err := f.tables(start); err != nil {
		return nil, err
	}
	if f.trailer["Encrypt"] != nil {
		return nil, ErrEncrypted
	}
	return f, nil
}

// tables reads the tables of objects, the newest first.
func (f *File) tables(start int) error {
	seen := map[int]bool{}
	for next := []int{start}; len(next) > 0; {
		at := next[0]
		next = next[1:]
		if seen[at] {
			continue
		}
		if len(seen) >= maxSections {
			return errors.New("it was changed too often to read")
		}
		if at < 0 || at >= len(f.data) {
			return errors.New("its table of objects is not where it says")
		}
		seen[at] = true
		t, err := f.table(at)
		if err != nil {
			return err
		}
		for k, v := range t {
			if _, ok := f.trailer[k]; !ok {
				f.trailer[k] = v
			}
		}
		for _, k := range []string{"XRefStm", "Prev"} {
			if v, ok := t[k].(float64); ok {
				next = append(next, int(v))
			}
		}
	}
	if len(f.places) > maxObjects {
		return errors.New("it has too many objects to read")
	}
	return nil
}

// table reads one table of objects and gives its trailer.
func (f *File) table(at int) (dictionary, error) {
	p := &parser{file: f, data: f.data, at: at}
	p.space()
	if !p.take("xref") {
		return f.tableStream(p)
	}
	for {
		p.space()
		if p.take("trailer") {
			break
		}
		first, err := p.whole()
		if err != nil {
			return nil, err
		}
		n, err := p.whole()
		if err != nil || n > maxObjects || first > maxObjects {
			return nil, errors.New("it has too many objects to read")
		}
		for i := range n {
			offset, err := p.whole()
			if err != nil {
				return nil, err
			}
			if _, err := p.whole(); err != nil {
				return nil, err
			}
			p.space()
			used := p.take("n")
			if !used && !p.take("f") {
				return nil, errors.New("its table of objects is damaged")
			}
			f.note(first+i, place{offset: offset}, used)
		}
	}
	v, err := p.object(0)
	if err != nil {
		return nil, err
	}
	t, ok := v.(dictionary)
	if !ok {
		return nil, errors.New("its table of objects is damaged")
	}
	return t, nil
}

// note keeps the newest place of an object.
func (f *File) note(number int, at place, used bool) {
	if _, ok := f.places[number]; ok {
		return
	}
	if !used {
		at = place{offset: -1}
	}
	f.places[number] = at
}

// tableStream is a table of objects as a stream, ISO 32000-1 §7.5.8.
func (f *File) tableStream(p *parser) (dictionary, error) {
	damaged := errors.New("its table of objects is damaged")
	v, _, err := p.indirect()
	if err != nil {
		return nil, damaged
	}
	s, ok := v.(streamed)
	if !ok || s.dict["Type"] != nameObject("XRef") {
		return nil, damaged
	}
	raw, err := f.expand(s)
	if err != nil {
		return nil, err
	}
	widths, ok := numbers(s.dict["W"], 3)
	if !ok {
		return nil, damaged
	}
	size, _ := s.dict["Size"].(float64)
	index := []int{0, int(size)}
	if _, given := s.dict["Index"]; given {
		all, _ := s.dict["Index"].(array)
		if index, ok = numbers(s.dict["Index"], len(all)); !ok || len(index)%2 != 0 {
			return nil, damaged
		}
	}
	row := widths[0] + widths[1] + widths[2]
	if row <= 0 || row > 24 || slices.Max(widths) > 8 {
		return nil, damaged
	}
	for i := 0; i < len(index); i += 2 {
		if index[i] > maxObjects || index[i+1] > maxObjects {
			return nil, errors.New("it has too many objects to read")
		}
		for j := range index[i+1] {
			if len(raw) < row {
				return s.dict, nil
			}
			kind, second, third := 1, unsigned(raw[widths[0]:widths[0]+widths[1]]), unsigned(raw[widths[0]+widths[1]:row])
			if widths[0] > 0 {
				kind = unsigned(raw[:widths[0]])
			}
			raw = raw[row:]
			switch kind {
			case 1:
				f.note(index[i]+j, place{offset: second}, true)
			case 2:
				f.note(index[i]+j, place{offset: third, within: second}, true)
			default:
				f.note(index[i]+j, place{}, false)
			}
		}
	}
	return s.dict, nil
}

// unsigned is a number of bytes, the first the greatest; one that is too large for any
// file is -1.
func unsigned(b []byte) (n int) {
	for _, c := range b {
		if n > 1<<40 {
			return -1
		}
		n = n<<8 | int(c)
	}
	return n
}

// numbers are the whole numbers of an array that has n of them.
func numbers(v any, n int) ([]int, bool) {
	a, ok := v.(array)
	if !ok || len(a) != n {
		return nil, false
	}
	out := make([]int, n)
	for i, e := range a {
		x, ok := e.(float64)
		if !ok || x < 0 || x > 1<<40 || x != float64(int(x)) {
			return nil, false
		}
		out[i] = int(x)
	}
	return out, true
}

// get is what a value refers to, or the value.
func (f *File) get(v any) any {
	for range 8 {
		r, ok := v.(reference)
		if !ok {
			return v
		}
		v = f.object(r.number)
	}
	return nil
}

func (f *File) dict(v any) dictionary {
	switch v := f.get(v).(type) {
	case dictionary:
		return v
	case streamed:
		return v.dict
	}
	return nil
}

func (f *File) list(v any) array {
	a, _ := f.get(v).(array)
	return a
}

// object is an object by number; nil where it is not there or cannot be read.
func (f *File) object(number int) any {
	at, ok := f.places[number]
	if !ok || at.offset < 0 || f.open[number] || len(f.open) > maxNesting || f.steps < 0 {
		return nil
	}
	f.open[number] = true
	defer delete(f.open, number)
	if at.within > 0 {
		return f.inStream(at.within, number)
	}
	if at.offset >= len(f.data) {
		return nil
	}
	p := &parser{file: f, data: f.data, at: at.offset}
	v, n, err := p.indirect()
	if err != nil || n != number {
		return nil
	}
	return v
}

// inStream is an object in a stream of objects, ISO 32000-1 §7.5.7.
func (f *File) inStream(stream, number int) any {
	if _, ok := f.streams[stream]; !ok {
		f.streams[stream], f.numbers[stream] = f.unpack(stream)
	}
	f.steps -= len(f.numbers[stream]) / stepBytes
	if i := slices.Index(f.numbers[stream], number); i >= 0 {
		return f.streams[stream][i]
	}
	return nil
}

func (f *File) unpack(stream int) (all []any, names []int) {
	if at, ok := f.places[stream]; !ok || at.within > 0 {
		return nil, nil
	}
	s, ok := f.object(stream).(streamed)
	if !ok {
		return nil, nil
	}
	raw, err := f.expand(s)
	if err != nil {
		return nil, nil
	}
	n, _ := f.get(s.dict["N"]).(float64)
	first, _ := f.get(s.dict["First"]).(float64)
	if n < 0 || n > maxObjects || first < 0 || int(first) > len(raw) {
		return nil, nil
	}
	head := &parser{file: f, data: raw[:int(first)]}
	for range int(n) {
		number, err := head.whole()
		if err != nil {
			return all, names
		}
		offset, err := head.whole()
		if err != nil || int(first)+offset > len(raw) {
			return all, names
		}
		p := &parser{file: f, data: raw, at: int(first) + offset}
		v, err := p.object(0)
		if err != nil {
			return all, names
		}
		all, names = append(all, v), append(names, number)
	}
	return all, names
}

// expand is the data of a stream without its filters.
func (f *File) expand(s streamed) ([]byte, error) {
	filters := f.list(s.dict["Filter"])
	if n, ok := f.get(s.dict["Filter"]).(nameObject); ok {
		filters = array{n}
	}
	params := f.list(s.dict["DecodeParms"])
	if d, ok := f.get(s.dict["DecodeParms"]).(dictionary); ok {
		params = array{d}
	}
	if len(filters) > 4 {
		return nil, errors.New("a stream is packed too often")
	}
	raw := s.raw
	for i, v := range filters {
		var param dictionary
		if i < len(params) {
			param = f.dict(params[i])
		}
		var err error
		if raw, err = f.filter(f.get(v), param, raw); err != nil {
			return nil, err
		}
	}
	return raw, nil
}

// filter takes one filter away.
func (f *File) filter(kind any, param dictionary, raw []byte) ([]byte, error) {
	var from io.Reader
	switch kind {
	case nameObject("FlateDecode"), nameObject("Fl"):
		z, err := zlib.NewReader(bytes.NewReader(raw))
		if err != nil {
			return nil, errors.New("a stream is damaged")
		}
		from = z
	case nameObject("ASCIIHexDecode"), nameObject("AHx"):
		p := &parser{data: append([]byte("<"), raw...)}
		v, err := p.hex()
		if err != nil {
			return nil, errors.New("a stream is damaged")
		}
		from = bytes.NewReader(v)
	case nameObject("ASCII85Decode"), nameObject("A85"):
		from = ascii85.NewDecoder(bytes.NewReader(bytes.TrimSuffix(bytes.TrimSpace(raw), []byte("~>"))))
	default:
		return nil, fmt.Errorf("a stream is packed in a way that is not read here: %v", kind)
	}
	limit := min(f.left, maxStream)
	out, err := io.ReadAll(io.LimitReader(from, int64(limit)+1))
	f.left -= len(out)
	switch {
	case len(out) > limit:
		return nil, errors.New("it expands to more than is read")
	case err != nil:
		return nil, errors.New("a stream is damaged")
	}
	return f.predicted(param, out)
}

// predicted undoes the PNG predictors, ISO 32000-1 §7.4.4.4.
func (f *File) predicted(param dictionary, raw []byte) ([]byte, error) {
	kind, _ := f.get(param["Predictor"]).(float64)
	if kind <= 1 {
		return raw, nil
	}
	setting := func(key string, otherwise int) int {
		if v, ok := f.get(param[key]).(float64); ok {
			return int(v)
		}
		return otherwise
	}
	columns, bits, colors := setting("Columns", 1), setting("BitsPerComponent", 8), setting("Colors", 1)
	if kind < 10 || bits != 8 || columns < 1 || columns > 1<<16 || colors < 1 || colors > 8 {
		return nil, errors.New("a stream is packed in a way that is not read here")
	}
	width := columns * colors
	out, before := make([]byte, 0, len(raw)), make([]byte, width)
	for len(raw) > 0 {
		how := raw[0]
		row := slices.Clone(raw[1:min(len(raw), width+1)])
		raw = raw[min(len(raw), width+1):]
		for i := range row {
			var left, corner byte
			if i >= colors {
				left, corner = row[i-colors], before[i-colors]
			}
			switch how {
			case 1:
				row[i] += left
			case 2:
				row[i] += before[i]
			case 3:
				row[i] += byte((int(left) + int(before[i])) / 2)
			case 4:
				row[i] += paeth(left, before[i], corner)
			}
		}
		out = append(out, row...)
		copy(before, row)
	}
	return out, nil
}

func paeth(a, b, c byte) byte {
	away := func(x byte) int {
		d := int(a) + int(b) - int(c) - int(x)
		return max(d, -d)
	}
	switch {
	case away(a) <= away(b) && away(a) <= away(c):
		return a
	case away(b) <= away(c):
		return b
	}
	return c
}

// parser reads objects from bytes.
type parser struct {
	file *File
	data []byte
	at   int
}

func white(c byte) bool {
	return c == 0 || c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == ' '
}

func delimiter(c byte) bool { return bytes.IndexByte([]byte("()<>[]{}/%"), c) >= 0 }

// went takes what was gone over since a place off what may be: an object is read
// as often as it is named.
func (p *parser) went(from int) {
	if p.file != nil {
		p.file.steps -= (p.at - from) / stepBytes
	}
}

// space passes over blanks and comments.
func (p *parser) space() {
	defer p.went(p.at)
	for p.at < len(p.data) {
		switch c := p.data[p.at]; {
		case white(c):
			p.at++
		case c == '%':
			for p.at < len(p.data) && p.data[p.at] != '\n' && p.data[p.at] != '\r' {
				p.at++
			}
		default:
			return
		}
	}
}

func (p *parser) take(s string) bool {
	if !bytes.HasPrefix(p.data[min(p.at, len(p.data)):], []byte(s)) {
		return false
	}
	p.at += len(s)
	return true
}

// word is what stands up to the next blank or delimiter.
func (p *parser) word() string {
	from := p.at
	for p.at < len(p.data) && p.at-from < 64 && !white(p.data[p.at]) && !delimiter(p.data[p.at]) {
		p.at++
	}
	return string(p.data[from:p.at])
}

// whole is a whole number that is not negative.
func (p *parser) whole() (int, error) {
	p.space()
	n, err := strconv.ParseUint(p.word(), 10, 40)
	if err != nil {
		return 0, errors.New("a number is missing")
	}
	return int(n), nil
}

// indirect reads "7 0 obj ... endobj".
func (p *parser) indirect() (v any, number int, err error) {
	if number, err = p.whole(); err != nil {
		return nil, 0, err
	}
	if _, err = p.whole(); err != nil {
		return nil, 0, err
	}
	p.space()
	if !p.take("obj") {
		return nil, 0, errors.New("an object is not where it should be")
	}
	if v, err = p.object(0); err != nil {
		return nil, 0, err
	}
	d, ok := v.(dictionary)
	p.space()
	if !ok || !p.take("stream") {
		return v, number, nil
	}
	if p.take("\r\n") || p.take("\n") || p.take("\r") {
		raw, err := p.stream(d)
		return streamed{d, raw}, number, err
	}
	return nil, 0, errors.New("a stream is damaged")
}

// stream is the raw data of a stream. Where its length is not what it says, it
// ends at the word.
func (p *parser) stream(d dictionary) ([]byte, error) {
	if n, ok := p.file.get(d["Length"]).(float64); ok && n >= 0 && int(n) <= len(p.data)-p.at {
		end := &parser{file: p.file, data: p.data, at: p.at + int(n)}
		end.space()
		if end.take("endstream") {
			return p.data[p.at : p.at+int(n)], nil
		}
	}
	n := bytes.Index(p.data[p.at:], []byte("endstream"))
	if n < 0 {
		p.file.steps -= (len(p.data) - p.at) / (4 * stepBytes) // looking costs as well
		return nil, errors.New("a stream is cut off")
	}
	p.file.steps -= n / (4 * stepBytes)
	return bytes.TrimRight(p.data[p.at:p.at+n], "\r\n"), nil
}

// object reads one object.
func (p *parser) object(depth int) (any, error) {
	if p.file.steps--; p.file.steps < 0 {
		return nil, errors.New("it has too many objects to read")
	}
	if depth > maxNesting {
		return nil, errors.New("objects lie too deep in objects")
	}
	p.space()
	if p.at >= len(p.data) {
		return nil, errors.New("it is cut off")
	}
	switch c := p.data[p.at]; {
	case c == '/':
		return p.name(), nil
	case c == '(':
		return p.literal()
	case p.take("<<"):
		return p.members(depth)
	case c == '<':
		return p.hex()
	case p.take("["):
		return p.elements(depth)
	case c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.':
		return p.number()
	}
	switch w := p.word(); w {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null":
		return nil, nil
	case "":
		return nil, errors.New("an object is damaged")
	default:
		return keyword(w), nil
	}
}

func (p *parser) name() nameObject {
	p.at++
	var b []byte
	for p.at < len(p.data) && len(b) < 256 && !white(p.data[p.at]) && !delimiter(p.data[p.at]) {
		c := p.data[p.at]
		if c == '#' && p.at+2 < len(p.data) {
			if v, err := strconv.ParseUint(string(p.data[p.at+1:p.at+3]), 16, 8); err == nil {
				c = byte(v)
				p.at += 2
			}
		}
		b = append(b, c)
		p.at++
	}
	return nameObject(b)
}

// number is a number, or a reference: two whole numbers and an R.
func (p *parser) number() (any, error) {
	w := p.word()
	v, err := strconv.ParseFloat(w, 64)
	if err != nil {
		return nil, errors.New("a number is damaged")
	}
	if v < 0 || v > maxObjects*10 || v != float64(int(v)) {
		return v, nil
	}
	ahead := &parser{data: p.data, at: p.at}
	generation, err := ahead.whole()
	if err != nil {
		return v, nil
	}
	ahead.space()
	if ahead.take("R") && (ahead.at >= len(p.data) || white(p.data[ahead.at]) || delimiter(p.data[ahead.at])) {
		p.at = ahead.at
		return reference{int(v), generation}, nil
	}
	return v, nil
}

func (p *parser) members(depth int) (any, error) {
	d := dictionary{}
	for {
		p.space()
		if p.take(">>") {
			return d, nil
		}
		if p.at >= len(p.data) || p.data[p.at] != '/' {
			return nil, errors.New("a dictionary is damaged")
		}
		key := p.name()
		v, err := p.object(depth + 1)
		if err != nil {
			return nil, err
		}
		d[string(key)] = v
	}
}

func (p *parser) elements(depth int) (any, error) {
	a := array{}
	for {
		p.space()
		if p.take("]") {
			return a, nil
		}
		v, err := p.object(depth + 1)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
}

// hex is a string in hexadecimal.
func (p *parser) hex() ([]byte, error) {
	defer p.went(p.at)
	p.at++
	var out []byte
	half, high := byte(0), false
	for ; p.at < len(p.data); p.at++ {
		c := p.data[p.at]
		var v byte
		switch {
		case c == '>':
			p.at++
			if high {
				out = append(out, half)
			}
			return out, nil
		case white(c):
			continue
		case c >= '0' && c <= '9':
			v = c - '0'
		case c >= 'a' && c <= 'f':
			v = c - 'a' + 10
		case c >= 'A' && c <= 'F':
			v = c - 'A' + 10
		default:
			return nil, errors.New("a string is damaged")
		}
		if high {
			out = append(out, half|v)
		} else {
			half = v << 4
		}
		high = !high
	}
	return nil, errors.New("a string is cut off")
}

// escapes of a literal string, ISO 32000-1 §7.3.4.2.
var escapes = map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', 'b': '\b', 'f': '\f'}

func (p *parser) literal() ([]byte, error) {
	defer p.went(p.at)
	p.at++
	out := []byte{}
	for depth := 1; p.at < len(p.data); p.at++ {
		c := p.data[p.at]
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				p.at++
				return out, nil
			}
		case '\\':
			if p.at++; p.at >= len(p.data) {
				continue
			}
			c = p.data[p.at]
			if v, ok := escapes[c]; ok {
				c = v
			} else if c >= '0' && c <= '7' {
				n := 0
				for i := 0; i < 3 && p.at < len(p.data) && p.data[p.at] >= '0' && p.data[p.at] <= '7'; i++ {
					n = n*8 + int(p.data[p.at]-'0')
					p.at++
				}
				p.at--
				c = byte(n)
			} else if c == '\r' || c == '\n' {
				if c == '\r' && p.at+1 < len(p.data) && p.data[p.at+1] == '\n' {
					p.at++
				}
				continue
			}
		}
		out = append(out, c)
	}
	return nil, errors.New("a string is cut off")
}
