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

// foreign are the beginnings of files that people send instead of a table.
var foreign = []struct{ magic, what string }{
	{"PK\x03\x04", "an Excel workbook or another zip file"}, {"\xd0\xcf\x11\xe0", "an old Excel workbook"},
	{"%PDF", "a PDF"}, {"\x1f\x8b", "a gzip file"}, {"\x89PNG", "a picture"},
}

// decode gives the input as UTF-8 where its encoding is known; UTF-8 itself is
// passed on as it is and checked row by row.
func decode(r io.Reader, asked string) (io.Reader, string, error) {
	b := bufio.NewReaderSize(r, buffered)
	head, err := b.Peek(buffered)
	if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
		return nil, "", err
	}
	for _, f := range foreign {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return nil, "", &Error{Rule: "table", Message: fmt.Sprintf("This is %s, not a table as text. Save it as CSV (UTF-8) and send that.", f.what)}
		}
	}
	utf16 := bytes.HasPrefix(head, []byte{0xff, 0xfe}) || bytes.HasPrefix(head, []byte{0xfe, 0xff})
	switch {
	case asked == "utf-16" || asked == "" && utf16:
		if !utf16 {
			return nil, "", &Error{Rule: "encoding", Message: "This is not UTF-16 with a byte order mark. Leave the encoding out, or save the file as UTF-8."}
		}
		return unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Reader(b), "utf-16", nil
	case utf16:
		return nil, "", &Error{Rule: "encoding", Message: fmt.Sprintf("The file is UTF-16, not %s. Leave the encoding out.", asked)}
	case asked == "windows-1252" || asked == "" && !plausible(head, err == io.EOF):
		return charmap.Windows1252.NewDecoder().Reader(b), "windows-1252", nil
	}
	if bytes.HasPrefix(head, []byte("\xef\xbb\xbf")) {
		if _, err := b.Discard(3); err != nil {
			return nil, "", err
		}
	}
	return b, "utf-8", nil
}

// plausible reports whether a beginning is UTF-8; its last character may be cut
// off unless it is the whole.
func plausible(head []byte, whole bool) bool {
	if utf8.Valid(head) {
		return true
	}
	if whole {
		return false
	}
	for cut := 1; cut < utf8.UTFMax && cut <= len(head); cut++ {
		if utf8.Valid(head[:len(head)-cut]) {
			return true
		}
	}
	return false
}
