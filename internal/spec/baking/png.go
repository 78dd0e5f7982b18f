package baking

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"io"
	"slices"
)

var signature = []byte("\x89PNG\r\n\x1a\n")

// maxChunks is how many chunks a PNG has at most. Encoders make one of every 8
// or 32 KB of pixels.
const maxChunks = 100_000

// chunk is one part of a PNG: its type, its data, and where it lies.
type chunk struct {
	kind       string
	data       []byte
	start, end int
}

// chunks reads the frame of a PNG: the header first, every checksum, up to the
// end chunk. What follows the end is not part of the picture.
func chunks(file []byte) ([]chunk, error) {
	var all []chunk
	at := len(signature)
	for {
		if len(file)-at < 12 {
			return nil, refuse(Malformed, "The PNG is cut short.")
		}
		n := binary.BigEndian.Uint32(file[at:])
		if uint64(n) > uint64(len(file)-at-12) {
			return nil, refuse(Malformed, "The PNG is cut short, or the length of a chunk is wrong.")
		}
		end := at + 12 + int(n)
		c := chunk{string(file[at+4 : at+8]), file[at+8 : end-4], at, end}
		if crc32.ChecksumIEEE(file[at+4:end-4]) != binary.BigEndian.Uint32(file[end-4:]) {
			return nil, refuse(Malformed, "The checksum of a chunk of the PNG is wrong: the file was damaged.")
		}
		if first := len(all) == 0; first != (c.kind == "IHDR") {
			return nil, refuse(Malformed, "The PNG does not begin with its header, or has two.")
		}
		if len(all) == maxChunks {
			return nil, refuse(TooLarge, "The PNG has more than %d chunks.", maxChunks)
		}
		all = append(all, c)
		if c.kind == "IEND" {
			return all, nil
		}
		at = end
	}
}

// pngBaked are the credentials in a PNG. A text chunk of version 1 counts only
// where no international one is there.
func pngBaked(file []byte) ([]Baked, error) {
	all, err := chunks(file)
	if err != nil {
		return nil, err
	}
	var found, legacy []Baked
	for _, c := range all {
		s, rest, ok := c.badge()
		if !ok {
			continue
		}
		text, err := c.text(rest)
		if err != nil {
			return nil, err
		}
		b := Baked{Standard: s, Payload: text}
		if c.kind == "iTXt" {
			found = append(found, b)
		} else if s == OpenBadges2 {
			legacy = append(legacy, b)
		}
	}
	if !slices.ContainsFunc(found, func(b Baked) bool { return b.Standard == OpenBadges2 }) {
		found = append(found, legacy...)
	}
	return found, nil
}

// badge is the standard that a text chunk's keyword is of, and what follows it.
func (c chunk) badge() (s Standard, rest []byte, ok bool) {
	if c.kind != "iTXt" && c.kind != "tEXt" && c.kind != "zTXt" {
		return "", nil, false
	}
	word, rest, ok := bytes.Cut(c.data, []byte{0})
	if !ok || len(word) > 79 {
		return "", nil, false
	}
	s, ok = keywords[string(word)]
	return s, rest, ok
}

// text is the text of a chunk behind its keyword, PNG §11.3.3.
func (c chunk) text(rest []byte) ([]byte, error) {
	switch c.kind {
	case "tEXt":
		return rest, nil
	case "zTXt":
		if len(rest) < 1 || rest[0] != 0 {
			return nil, refuse(Malformed, "The compressed text of the PNG cannot be read.")
		}
		return inflate(rest[1:])
	}
	if len(rest) < 2 || rest[0] > 1 {
		return nil, refuse(Malformed, "The text chunk of the PNG cannot be read.")
	}
	compressed := rest[0] == 1
	if compressed && rest[1] != 0 {
		return nil, refuse(Malformed, "The text chunk of the PNG is compressed in a way that PNG does not know.")
	}
	_, rest, ok := bytes.Cut(rest[2:], []byte{0}) // the language
	if !ok {
		return nil, refuse(Malformed, "The text chunk of the PNG cannot be read.")
	}
	if _, rest, ok = bytes.Cut(rest, []byte{0}); !ok { // the translated keyword
		return nil, refuse(Malformed, "The text chunk of the PNG cannot be read.")
	}
	if compressed {
		return inflate(rest)
	}
	return rest, nil
}

// inflate expands what a baker compressed, although it should not have.
func inflate(data []byte) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, refuse(Malformed, "The compressed text of the PNG cannot be read.")
	}
	out, err := io.ReadAll(io.LimitReader(z, MaxCredential+1))
	if err != nil {
		return nil, refuse(Malformed, "The compressed text of the PNG cannot be read.")
	}
	if len(out) > MaxCredential {
		return nil, refuse(TooLarge, "The credential in the PNG expands to more than %d MB.", MaxCredential>>20)
	}
	return out, nil
}

// pngBake writes the credential behind the header, uncompressed.
func pngBake(file []byte, s Standard, credential []byte) ([]byte, error) {
	file = pngStrip(file, func(of Standard) bool { return of == s })
	header, err := chunks(file)
	if err != nil {
		return nil, err
	}
	data := append([]byte("iTXt"+keyword(s)+"\x00\x00\x00\x00\x00"), credential...)
	at := header[0].end
	out := make([]byte, 0, len(file)+len(data)+8)
	out = append(out, file[:at]...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(data)-4))
	out = append(out, data...)
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(data))
	return append(out, file[at:]...), nil
}

// pngStrip leaves out the credentials of a file that chunks has read.
func pngStrip(file []byte, which func(Standard) bool) []byte {
	all, err := chunks(file)
	if err != nil {
		return file
	}
	out := append(make([]byte, 0, len(file)), signature...)
	for _, c := range all {
		if s, _, ok := c.badge(); !ok || !which(s) {
			out = append(out, file[c.start:c.end]...)
		}
	}
	return out
}
