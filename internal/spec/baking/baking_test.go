package baking

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"image"
	"image/png"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/cost"
	"github.com/testamur/testamur/internal/standards"
)

const (
	jsonCredential = `{"a":"]]> é < & \u0000 '\""}`
	jwsCredential  = "eyJhbGciOiJub25lIn0.e30.c2ln"
	urlCredential  = "https://x.example/assertion.json?a=1&b=2"
)

func rule(err error) string {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Rule
	}
	return ""
}

// sample is an official picture, wrapped in JSON.
func sample(t testing.TB, name string) (picture []byte, chunkText string) {
	t.Helper()
	var w struct {
		Base64     string `json:"base64"`
		TextChunks []struct{ Keyword, Text string }
	}
	if err := json.Unmarshal(standards.Read(t, "examples/"+name), &w); err != nil {
		t.Fatal(err)
	}
	picture, err := base64.StdEncoding.DecodeString(w.Base64)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range w.TextChunks {
		if _, ok := keywords[c.Keyword]; ok {
			chunkText = c.Text
		}
	}
	return picture, chunkText
}

func TestOfficialPictures(t *testing.T) {
	for _, c := range []struct {
		name, media string
		standard    Standard
		form        Form
	}{
		{"ob3/baked/simple-json.png.json", "image/png", OpenBadges3, JSON},
		{"ob3/baked/simple-jwt_v1.png.json", "image/png", OpenBadges3, JWS},
		{"ob3/baked/simple-jwt.svg.json", "image/svg+xml", OpenBadges3, JWS},
		{"ob3/baked/simple-jwt_v1.svg.json", "image/svg+xml", OpenBadges3, JWS},
		{"ob2/baked-simple-badge.png.json", "image/png", OpenBadges2, JSON},
	} {
		file, text := sample(t, c.name)
		if got := Picture(file); got != c.media {
			t.Errorf("%s: %s", c.name, got)
		}
		b, err := Extract(file)
		if err != nil || b.Standard != c.standard || b.Form != c.form {
			t.Errorf("%s: %v %v %v", c.name, b.Standard, b.Form, err)
		}
		if text != "" && string(b.Payload) != strings.TrimSpace(text) {
			t.Errorf("%s: another text than its chunk has", c.name)
		}
		plain, err := Strip(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Extract(plain); rule(err) != Nothing {
			t.Errorf("%s: still there after stripping: %v", c.name, err)
		}
		again, err := Bake(plain, b.Standard, b.Payload)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Extract(again); err != nil || !bytes.Equal(back.Payload, b.Payload) {
			t.Errorf("%s: baked again it is another: %v", c.name, err)
		}
	}
}

// TestSmallOfficialPictureKeepsItsPixels decodes a stripped and a baked picture.
func TestSmallOfficialPictureKeepsItsPixels(t *testing.T) {
	file, _ := sample(t, "ob2/baked-simple-badge.png.json")
	want, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	baked, err := Bake(file, OpenBadges3, []byte(jwsCredential))
	if err != nil {
		t.Fatal(err)
	}
	got, err := png.Decode(bytes.NewReader(baked))
	if err != nil {
		t.Fatal(err)
	}
	b := want.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if got.At(x, y) != want.At(x, y) {
				t.Fatalf("the pixel at %d,%d changed", x, y)
			}
		}
	}
	// Version 3.0 goes before 2.0, which is still there.
	if e, err := Extract(baked); err != nil || e.Standard != OpenBadges3 {
		t.Errorf("%v %v", e, err)
	}
}

func blank(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// with puts a chunk behind the header of a picture.
func with(file []byte, kind, data string) []byte {
	c := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	c = append(append(c, kind...), data...)
	c = binary.BigEndian.AppendUint32(c, crc32.ChecksumIEEE(c[4:]))
	return append(append(append([]byte{}, file[:33]...), c...), file[33:]...)
}

func deflate(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPNGChunks(t *testing.T) {
	for _, c := range []struct {
		name string
		file []byte
		want string // payload, or rule
	}{
		{"nothing", blank(t), Nothing},
		{"text of version 1", with(blank(t), "tEXt", "openbadges\x00"+urlCredential), urlCredential},
		{"text is for version 1 alone", with(blank(t), "tEXt", "openbadgecredential\x00"+jwsCredential), Nothing},
		{"compressed", with(blank(t), "iTXt", "clrcredential\x00\x01\x00\x00\x00"+deflate(t, jsonCredential)), jsonCredential},
		{"compressed of version 1", with(blank(t), "zTXt", "openbadges\x00\x00"+deflate(t, urlCredential)), urlCredential},
		{"with a language", with(blank(t), "iTXt", "openbadges\x00\x00\x00en\x00Abzeichen\x00"+jsonCredential), jsonCredential},
		{"international before version 1", with(with(blank(t), "tEXt", "openbadges\x00"+urlCredential), "iTXt", "openbadges\x00\x00\x00\x00\x00"+jwsCredential), jwsCredential},
		{"two", with(with(blank(t), "iTXt", "openbadgecredential\x00\x00\x00\x00\x00"+jwsCredential), "iTXt", "openbadgecredential\x00\x00\x00\x00\x00"+jwsCredential), Twice},
		{"two of version 1", with(with(blank(t), "tEXt", "openbadges\x00"+urlCredential), "tEXt", "openbadges\x00"+urlCredential), Twice},
		{"empty", with(blank(t), "iTXt", "openbadges\x00\x00\x00\x00\x00 "), Unreadable},
		{"an address in 3.0", with(blank(t), "iTXt", "openbadgecredential\x00\x00\x00\x00\x00"+urlCredential), Unreadable},
		{"neither", with(blank(t), "iTXt", "openbadgecredential\x00\x00\x00\x00\x00hello"), Unreadable},
		{"cut text", with(blank(t), "iTXt", "openbadges\x00\x00\x00en"), Malformed},
		{"cut language", with(blank(t), "iTXt", "openbadges\x00\x00\x00en\x00x"), Malformed},
		{"unknown compression", with(blank(t), "iTXt", "openbadges\x00\x01\x01\x00\x00x"), Malformed},
		{"unknown flag", with(blank(t), "iTXt", "openbadges\x00\x02\x00\x00\x00x"), Malformed},
		{"bad deflate", with(blank(t), "iTXt", "openbadges\x00\x01\x00\x00\x00x"), Malformed},
		{"bomb", with(blank(t), "iTXt", "openbadges\x00\x01\x00\x00\x00"+deflate(t, strings.Repeat("{", MaxCredential+1))), TooLarge},
		{"wrong checksum", bytes.Replace(blank(t), []byte("IHDR\x00\x00\x00\x02"), []byte("IHDR\x00\x00\x00\x03"), 1), Malformed},
		{"cut", blank(t)[:40], Malformed},
		{"no end", blank(t)[:len(blank(t))-12], Malformed},
		{"a length beyond the file", append(append([]byte{}, blank(t)[:33]...), 0xff, 0xff, 0xff, 0xff, 'I', 'D', 'A', 'T', 0, 0, 0, 0), Malformed},
		{"no header", append(append([]byte{}, signature...), blank(t)[33:]...), Malformed},
		{"two headers", append(append([]byte{}, blank(t)[:33]...), blank(t)[8:]...), Malformed},
		{"no picture", []byte("GIF89a"), NotAPicture},
		{"too large", append(blank(t), make([]byte, MaxPicture)...), TooLarge},
	} {
		b, err := Extract(c.file)
		if got := string(b.Payload); err != nil && rule(err) != c.want || err == nil && got != c.want {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}

func TestSVG(t *testing.T) {
	const ns3, ns2 = `xmlns:o="https://purl.imsglobal.org/ob/v3p0"`, `xmlns:openbadges="http://openbadges.org"`
	for _, c := range []struct{ name, file, want string }{
		{"nothing", `<svg xmlns="http://www.w3.org/2000/svg"/>`, Nothing},
		{"token", `<?xml version="1.0"?><svg ` + ns3 + `><o:credential verify="` + jwsCredential + `"/></svg>`, jwsCredential},
		{"JSON", `<svg ` + ns3 + `><o:credential><![CDATA[{"a":"]]]]><![CDATA[>"}]]></o:credential></svg>`, `{"a":"]]>"}`},
		{"namespace beside", `<svg><c:credential xmlns:c="https://purl.imsglobal.org/clr/v2p0">{}</c:credential></svg>`, `{}`},
		{"version 2 with both", `<svg ` + ns2 + `><openbadges:assertion verify="https://x.example/a"><![CDATA[{"id":"https://x.example/a"}]]></openbadges:assertion></svg>`, `{"id":"https://x.example/a"}`},
		{"version 2 address", `<svg ` + ns2 + `><g><openbadges:assertion verify="https://x.example/a?b&amp;c"/></g></svg>`, `https://x.example/a?b&c`},
		{"two", `<svg ` + ns3 + `><o:credential verify="a.b.c"/><g><o:credential verify="a.b.c"/></g></svg>`, Twice},
		{"another namespace", `<svg xmlns:o="https://x.example/"><o:credential verify="a.b.c"/></svg>`, Nothing},
		{"elements within", `<svg ` + ns3 + `><o:credential><o:credential verify="a.b.c"/></o:credential></svg>`, Malformed},
		{"an entity", `<!DOCTYPE svg [<!ENTITY e "{}">]><svg ` + ns3 + `><o:credential>&e;</o:credential></svg>`, Malformed},
		{"not closed", `<svg ` + ns3 + `><o:credential verify="a.b.c">`, Malformed},
		{"another encoding", `<?xml version="1.0" encoding="UTF-16"?><svg/>`, Malformed},
		{"another root", `<?xml version="1.0"?><html><svg/></html>`, NotAPicture},
		{"no root", `<?xml version="1.0"?>`, Malformed},
		{"deep", `<svg>` + strings.Repeat("<g>", 600) + strings.Repeat("</g>", 600) + `</svg>`, TooLarge},
	} {
		b, err := Extract([]byte(c.file))
		if got := string(b.Payload); err != nil && rule(err) != c.want || err == nil && got != c.want {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}

func TestBakeIntoEverything(t *testing.T) {
	for name, file := range map[string][]byte{
		"png":              blank(t),
		"svg":              []byte("<?xml version='1.0' encoding='UTF-8'?>\n<svg xmlns='http://www.w3.org/2000/svg' width='1'><g/></svg>\n"),
		"empty svg":        []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`),
		"prefixed":         []byte(`<s:svg xmlns:s="http://www.w3.org/2000/svg" />`),
		"prefix is taken":  []byte(`<svg xmlns:openbadges="http://x.example" xmlns:clr='http://x.example' xmlns:openbadges3="http://y.example"></svg>`),
		"bom":              []byte("\xef\xbb\xbf<svg></svg>"),
		"with a > in text": []byte(`<svg a="x>y"><t>/></t></svg>`),
	} {
		for _, s := range []Standard{OpenBadges2, OpenBadges3, CLR2} {
			for _, credential := range []string{jsonCredential, jwsCredential, urlCredential} {
				if credential == urlCredential && s != OpenBadges2 {
					if _, err := Bake(file, s, []byte(credential)); rule(err) != Unreadable {
						t.Errorf("%s, %s: an address was baked: %v", name, s, err)
					}
					continue
				}
				baked, err := Bake(file, s, []byte(credential))
				if err != nil {
					t.Errorf("%s, %s: %v", name, s, err)
					continue
				}
				b, err := Extract(baked)
				if err != nil || string(b.Payload) != credential || b.Standard != s {
					t.Errorf("%s, %s: %q %s %v", name, s, b.Payload, b.Standard, err)
				}
				replaced, err := Bake(baked, s, []byte(`{"new":1}`))
				if err != nil {
					t.Fatal(err)
				}
				if b, err := Extract(replaced); err != nil || string(b.Payload) != `{"new":1}` {
					t.Errorf("%s, %s: not replaced: %q %v", name, s, b.Payload, err)
				}
			}
		}
	}
}

// TestWorkIsLinear reads hostile pictures of the largest size: many chunks, many
// baked elements, many attributes.
func TestWorkIsLinear(t *testing.T) {
	elements := func(n int) []byte {
		return []byte(`<svg xmlns:o="https://purl.imsglobal.org/ob/v3p0">` + strings.Repeat(`<o:credential verify="a.b.c"/>`, n) + `</svg>`)
	}
	for name, c := range map[string]struct {
		n    int
		file func(n int) []byte
		want string
	}{
		"elements":   {60_000, elements, Twice},
		"attributes": {75_000, func(n int) []byte { return []byte(`<svg ` + strings.Repeat(`xmlns:a="b" `, n) + `></svg>`) }, Nothing},
		"chunks": {maxChunks, func(n int) []byte {
			return append(blank(t)[:33:33], bytes.Repeat(with(blank(t), "teSt", "")[33:45], n)...)
		}, TooLarge},
	} {
		cost.Linear(t, name, c.n, func(n int) {
			if _, err := Extract(c.file(n)); rule(err) != c.want && n > c.n {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	cost.Linear(t, "taking elements out", 60_000, func(n int) {
		if _, err := Strip(elements(n)); err != nil {
			t.Error(err)
		}
	})
}

func FuzzExtract(f *testing.F) {
	f.Add(blank(f))
	f.Add(with(blank(f), "iTXt", "openbadgecredential\x00\x00\x00\x00\x00"+jwsCredential))
	f.Add(with(blank(f), "iTXt", "clrcredential\x00\x01\x00\x00\x00"+deflate(f, jsonCredential)))
	f.Add([]byte(`<svg xmlns:o="https://purl.imsglobal.org/ob/v3p0"><o:credential><![CDATA[{}]]></o:credential></svg>`))
	f.Add([]byte(`<svg/>`))
	f.Fuzz(func(t *testing.T, file []byte) {
		before := bytes.Clone(file)
		if _, err := Extract(file); err != nil && rule(err) == "" {
			t.Errorf("%v is no refusal", err)
		}
		baked, err := Bake(file, OpenBadges3, []byte(jsonCredential))
		if err != nil {
			return
		}
		b, err := Extract(baked)
		if err != nil || string(b.Payload) != jsonCredential {
			t.Errorf("baked and not found again: %v\n%q", err, baked)
		}
		if plain, err := Strip(baked); err != nil {
			t.Errorf("%v", err)
		} else if _, err := Extract(plain); rule(err) != Nothing {
			t.Errorf("stripped and still there: %v", err)
		}
		if !bytes.Equal(before, file) {
			t.Error("the picture passed in was changed")
		}
	})
}
