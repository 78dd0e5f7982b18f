package pdf

import (
	"bytes"
	"encoding/binary"
	"math"
	"unicode/utf16"
)

// sRGB is a colour profile of sRGB, IEC 61966-2-1, as ICC.1:2004-10 (version 4.2)
// writes it: three primaries under D50 and the curve of the standard.
func sRGB() []byte {
	fixed := func(b *bytes.Buffer, all ...float64) {
		for _, v := range all {
			_ = binary.Write(b, binary.BigEndian, int32(math.Round(v*65536)))
		}
	}
	xyz := func(x, y, z float64) []byte {
		b := bytes.NewBufferString("XYZ \x00\x00\x00\x00")
		fixed(b, x, y, z)
		return b.Bytes()
	}
	words := func(s string) []byte { // multiLocalizedUnicodeType
		b := bytes.NewBufferString("mluc\x00\x00\x00\x00")
		u := utf16.Encode([]rune(s))
		for _, v := range []uint32{1, 12} {
			_ = binary.Write(b, binary.BigEndian, v)
		}
		b.WriteString("enUS")
		for _, v := range []uint32{uint32(2 * len(u)), 28} {
			_ = binary.Write(b, binary.BigEndian, v)
		}
		_ = binary.Write(b, binary.BigEndian, u)
		return b.Bytes()
	}
	curve := bytes.NewBufferString("para\x00\x00\x00\x00\x00\x03\x00\x00")
	fixed(curve, 2.4, 1/1.055, 0.055/1.055, 1/12.92, 0.04045)
	adapt := bytes.NewBufferString("sf32\x00\x00\x00\x00") // from D65 to D50, by Bradford
	fixed(adapt, 1.0478112, 0.0228866, -0.0501270, 0.0295424, 0.9904844, -0.0170491, -0.0092345, 0.0150436, 0.7521316)
	tags := []struct {
		name string
		data []byte
	}{
		{"desc", words("sRGB IEC61966-2.1")}, {"cprt", words("No copyright, use freely")}, {"wtpt", xyz(0.9642, 1, 0.8249)}, {"chad", adapt.Bytes()},
		{"rXYZ", xyz(0.4360747, 0.2225045, 0.0139322)}, {"gXYZ", xyz(0.3850649, 0.7168786, 0.0971045)}, {"bXYZ", xyz(0.1430804, 0.0606169, 0.7141733)},
		{"rTRC", curve.Bytes()}, {"gTRC", curve.Bytes()}, {"bTRC", curve.Bytes()},
	}
	var table, body bytes.Buffer
	_ = binary.Write(&table, binary.BigEndian, uint32(len(tags)))
	start := 128 + 4 + 12*len(tags)
	for _, t := range tags {
		table.WriteString(t.name)
		_ = binary.Write(&table, binary.BigEndian, []uint32{uint32(start + body.Len()), uint32(len(t.data))})
		body.Write(t.data)
		for body.Len()%4 != 0 {
			body.WriteByte(0)
		}
	}
	head := make([]byte, 128)
	binary.BigEndian.PutUint32(head, uint32(start+body.Len()))
	copy(head[8:], "\x04\x20\x00\x00mntrRGB XYZ ")
	binary.BigEndian.PutUint16(head[24:], 2020)
	head[27], head[29] = 1, 1 // the first of January
	copy(head[36:], "acsp")
	white := bytes.Buffer{}
	fixed(&white, 0.9642, 1, 0.8249)
	copy(head[68:], white.Bytes())
	return append(append(head, table.Bytes()...), body.Bytes()...)
}
