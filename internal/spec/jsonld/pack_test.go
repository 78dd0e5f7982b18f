package jsonld

import (
	"bytes"
	"strings"
	"testing"
)

// TestPackedComesBack: what is packed comes back whole, and a kept form takes no more
// room than the credential it is of.
func TestPackedComesBack(t *testing.T) {
	document := []byte(badge(1))
	for name, body := range map[string]string{
		"nothing": "", "short": "ab", "alone": "as it stands", "of the document": string(document[100:900]), "of the usual": usual[40:4000],
		"itself": strings.Repeat("0123456789 ", 50), "long": strings.Repeat("x", 70_000) + usual, "over the edges": usual[len(usual)-30:] + string(document[:30]) + string(document[len(document)-30:]) + "end",
	} {
		for _, of := range [][]byte{document, nil, []byte("{}")} {
			packed := pack([]byte("before"), []byte(body), of)[len("before"):]
			got, ok := unpack([]byte("room"), packed, string(of), len(body))
			if !ok || string(got) != "room"+body {
				t.Errorf("%s: %v %q", name, ok, got)
			}
			if _, ok := unpack(nil, packed, string(of), len(body)+1); ok {
				t.Errorf("%s: another size", name)
			}
		}
	}
	kept, err := Keep(document)
	if err != nil || len(kept) > len(document) {
		t.Errorf("%d bytes of %d, %v", len(kept), len(document), err)
	}
}

// FuzzUnpack: no bytes do harm, or come to more than was said; any bytes come
// back from being packed.
func FuzzUnpack(f *testing.F) {
	document := badge(1)
	f.Add([]byte(nil), 0)
	f.Add([]byte{0, 8, 0, 0, 0, 8, 0xFF, 0xFF}, 16)
	f.Add([]byte{1, 9, 1, 0, 'a'}, 10)
	f.Add(pack(nil, []byte(document[50:700]+usual[:300]), []byte(document)), 950)
	f.Fuzz(func(t *testing.T, raw []byte, size int) {
		size = max(0, min(size, 1<<16))
		out, ok := unpack(nil, raw, document, size)
		if ok && len(out) != size || len(out) > size {
			t.Fatalf("%d bytes of %d, %v", len(out), size, ok)
		}
		back, ok := unpack(nil, pack(nil, raw, []byte(document)), document, len(raw))
		if !ok || !bytes.Equal(back, raw) {
			t.Fatalf("%q comes back as %q", raw, back)
		}
	})
}
