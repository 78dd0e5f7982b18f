package tabular

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// buffered is how much is read at once, and how much is looked at.
const buffered = 64 << 10

// input is the text of a file as UTF-8; where the file says it is UTF-8 it is
// passed on as it is, and checked row by row.
type input struct {
	io.Reader
	encoding string
	mark     int64              // bytes of the byte order mark
	measure  func([]byte) int64 // bytes of the file that a text stands for
	read     int64              // bytes of the file that were read
}

// foreign are the beginnings of files that people send instead of a table.
var foreign = []struct{ magic, what string }{
	{"PK\x03\x04", "an Excel workbook or another zip file"}, {"PK\x05\x06", "an empty zip file"}, {"\xd0\xcf\x11\xe0", "an old Excel workbook"},
	{"%PDF", "a PDF"}, {"\x1f\x8b", "a gzip file"}, {"\x89PNG", "a picture"}, {"\xff\xd8\xff", "a picture"}, {"{\\rtf", "an RTF document"},
	{"7z\xbc\xaf", "a 7-Zip file"}, {"\x28\xb5\x2f\xfd", "a Zstandard file"}, {"<", "a web page or XML"},
}

const (
	markUTF8     = "\xef\xbb\xbf"
	markUTF16LE  = "\xff\xfe"
	markUTF16BE  = "\xfe\xff"
	leadingSpace = " \t\r\n"
)

// decode finds the encoding by the beginning of a file, and reads it as UTF-8.
func decode(r io.Reader, asked string) (*input, error) {
	in := &input{measure: func(text []byte) int64 { return int64(len(text)) }}
	b := bufio.NewReaderSize(&counter{r, &in.read}, buffered)
	head, err := b.Peek(buffered)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if err := refuse(head); err != nil {
		return nil, err
	}
	whole := err == io.EOF
	if in.encoding, err = encodingOf(head, whole, asked); err != nil {
		return nil, err
	}
	switch in.encoding {
	case "utf-16":
		in.Reader, in.mark, in.measure = unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Reader(b), 2, inUTF16
	case "windows-1252":
		in.Reader, in.measure = charmap.Windows1252.NewDecoder().Reader(b), inRunes
	default:
		if in.Reader = b; bytes.HasPrefix(head, []byte(markUTF8)) {
			in.mark = 3
			b.Discard(3) // cannot fail: it was peeked
		}
	}
	return in, nil
}

// refuse tells what a file is that is no table.
func refuse(head []byte) error {
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte(markUTF8)), leadingSpace)
	for _, f := range foreign {
		if bytes.HasPrefix(text, []byte(f.magic)) {
			return &Error{Rule: "table", Message: fmt.Sprintf("This is %s, not a table as text. Save it as CSV (UTF-8) and send that.", f.what)}
		}
	}
	if list, ok := bytes.CutPrefix(text, []byte("[")); ok {
		if list = bytes.TrimLeft(list, leadingSpace); len(list) > 0 && (list[0] == '{' || list[0] == ']') {
			return &Error{Rule: "table", Message: "This is one JSON list. Write each of its objects on a line of its own, without brackets around them and commas between them (NDJSON)."}
		}
	}
	return nil
}

// encodingOf is the encoding of a file that begins with head. A byte order mark
// decides, and must not contradict what was asked for.
func encodingOf(head []byte, whole bool, asked string) (string, error) {
	marked := ""
	switch {
	case bytes.HasPrefix(head, []byte(markUTF8)):
		marked = "utf-8"
	case bytes.HasPrefix(head, []byte(markUTF16LE)), bytes.HasPrefix(head, []byte(markUTF16BE)):
		marked = "utf-16"
	}
	switch {
	case marked != "" && asked != "" && marked != asked:
		return "", &Error{Rule: "encoding", Value: asked, Message: fmt.Sprintf("The file says by its byte order mark that it is %s, not %s. Leave the encoding out.", marked, asked)}
	case marked != "":
		return marked, nil
	case asked == "utf-16":
		return "", &Error{Rule: "encoding", Value: asked, Message: "This is not UTF-16 with a byte order mark. Leave the encoding out, or save the file as UTF-8."}
	case bytes.Count(head, []byte{0})*3 > len(head):
		return "", &Error{Rule: "encoding", Message: "This looks like UTF-16 without a byte order mark, or is no text. Save the file as CSV (UTF-8)."}
	case asked != "":
		return asked, nil
	case looksUTF8(head, whole):
		return "utf-8", nil
	}
	return "windows-1252", nil
}

// looksUTF8 reports whether a beginning is UTF-8. Where letters beyond ASCII
// are mostly UTF-8 the others are damage, to be told row by row: taking all for
// Windows-1252 would spoil the good ones without a word. The last character may
// be cut off unless the beginning is the whole.
func looksUTF8(head []byte, whole bool) bool {
	if utf8.Valid(head) {
		return true
	}
	good, bad := 0, 0
	for len(head) > 0 {
		r, n := utf8.DecodeRune(head)
		switch {
		case n > 1:
			good++
		case r == utf8.RuneError && (whole || utf8.FullRune(head)):
			bad++
		}
		head = head[n:]
	}
	return bad == 0 || good > bad
}

// inRunes measures an encoding of one byte a character.
func inRunes(text []byte) int64 { return int64(utf8.RuneCount(text)) }

// inUTF16 measures UTF-16: characters beyond U+FFFF, four bytes in UTF-8, are
// pairs.
func inUTF16(text []byte) int64 {
	n := 2 * int64(utf8.RuneCount(text))
	for _, c := range text {
		if c >= 0xf0 {
			n += 2
		}
	}
	return n
}

// counter counts the bytes that are read.
type counter struct {
	r    io.Reader
	read *int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	*c.read += int64(n)
	return n, err
}
