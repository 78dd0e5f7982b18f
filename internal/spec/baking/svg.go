package baking

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// The limits of an SVG.
const (
	maxDepth    = 500
	maxElements = 500_000
)

// found is a baked element in an SVG and where it lies.
type found struct {
	Baked
	start, end int
}

// drawing is what was read of an SVG.
type drawing struct {
	rootStart, rootEnd int               // of the root's start tag
	rootName           int               // end of the root's name
	prefixes           map[string]string // namespaces that the root declares
	baked              []found
}

// read walks the elements of an SVG. Entities are not resolved and nothing is
// loaded: an SVG that needs either is refused as malformed.
func read(file []byte) (drawing, error) {
	d := drawing{prefixes: map[string]string{}}
	dec := xml.NewDecoder(bytes.NewReader(file))
	depth, n := 0, 0
	for {
		start := int(dec.InputOffset())
		t, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return d, refuse(Malformed, "The SVG is not well-formed XML in UTF-8: %v.", err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			depth++
			if n++; n > maxElements || depth > maxDepth {
				return d, refuse(TooLarge, "The SVG has more than %d elements, or lies more than %d deep.", maxElements, maxDepth)
			}
			if depth == 1 {
				if err := d.root(file, t, start, int(dec.InputOffset())); err != nil {
					return d, err
				}
				continue
			}
			s, ok := standardOf(t.Name.Space, t.Name.Local)
			if !ok {
				continue
			}
			b, err := d.credential(dec, t, s)
			if err != nil {
				return d, err
			}
			depth--
			d.baked = append(d.baked, found{b, start, int(dec.InputOffset())})
		case xml.EndElement:
			depth--
		}
	}
	if d.rootEnd == 0 {
		return d, refuse(Malformed, "The SVG has no element.")
	}
	return d, nil
}

func (d *drawing) root(file []byte, t xml.StartElement, start, end int) error {
	if d.rootEnd != 0 || t.Name.Local != "svg" {
		return refuse(NotAPicture, "The root of this XML is not an svg element, or there are two.")
	}
	d.rootStart, d.rootEnd = start, end
	name := bytes.IndexAny(file[start:end], " \t\r\n/>")
	if file[start] != '<' || name < 0 {
		return refuse(Malformed, "The svg element cannot be read.")
	}
	d.rootName = start + name
	for _, a := range t.Attr {
		if a.Name.Space == "xmlns" {
			d.prefixes[a.Name.Local] = a.Value
		}
	}
	return nil
}

// credential reads a baked element to its end: the attribute verify holds a
// token or an address, the content JSON.
func (d *drawing) credential(dec *xml.Decoder, t xml.StartElement, s Standard) (Baked, error) {
	b := Baked{Standard: s}
	var attribute string
	for _, a := range t.Attr {
		if a.Name.Local == "verify" && a.Name.Space == "" {
			attribute = strings.TrimSpace(a.Value)
		}
	}
	var text strings.Builder
	for {
		t, err := dec.Token()
		if err != nil {
			return b, refuse(Malformed, "The SVG is not well-formed XML in UTF-8: %v.", err)
		}
		switch t := t.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.StartElement:
			return b, refuse(Malformed, "The credential in the SVG holds other elements.")
		case xml.EndElement:
			b.Payload = []byte(attribute)
			if body := strings.TrimSpace(text.String()); body != "" {
				b.Payload, b.Also = []byte(body), attribute
			}
			return b, nil
		}
	}
}

func svgBaked(file []byte) ([]Baked, error) {
	d, err := read(file)
	if err != nil {
		return nil, err
	}
	out := make([]Baked, len(d.baked))
	for i, f := range d.baked {
		out[i] = f.Baked
	}
	return out, nil
}

// svgBake writes the credential as the first child of the root, which declares
// its namespace.
func svgBake(file []byte, s Standard, form Form, credential string) ([]byte, error) {
	file, err := svgStrip(file, func(of Standard) bool { return of == s })
	if err != nil {
		return nil, err
	}
	d, err := read(file)
	if err != nil {
		return nil, err
	}
	e := elements[s]
	prefix, declared := d.prefix(e)
	body, err := written(prefix+":"+e.local, form, credential)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Write(file[:d.rootName])
	if !declared {
		out.WriteString(" xmlns:" + prefix + `="` + e.namespace + `"`)
	}
	tag := file[d.rootName:d.rootEnd]
	if open, ok := bytes.CutSuffix(tag, []byte("/>")); ok {
		name := file[d.rootStart+1 : d.rootName]
		out.Write(open)
		out.WriteString(">" + body + "</" + string(name) + ">")
	} else {
		out.Write(tag)
		out.WriteString(body)
	}
	out.Write(file[d.rootEnd:])
	return out.Bytes(), nil
}

// prefix is one that is bound to the standard's namespace, or is free.
func (d *drawing) prefix(e element) (prefix string, declared bool) {
	prefix = e.prefix
	for n := 3; ; n++ {
		bound, taken := d.prefixes[prefix]
		if !taken || bound == e.namespace {
			return prefix, taken
		}
		prefix = e.prefix + string(rune('0'+n%10)) + strings.Repeat("x", n/10)
	}
}

// written is the element of a credential.
func written(name string, form Form, credential string) (string, error) {
	if form == JSON {
		for _, r := range credential {
			if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
				return "", refuse(Unreadable, "The credential holds a character that XML does not allow.")
			}
		}
		// A CDATA section cannot hold its own end: it is split in two.
		return "<" + name + "><![CDATA[" + strings.ReplaceAll(credential, "]]>", "]]]]><![CDATA[>") + "]]></" + name + ">", nil
	}
	var attribute bytes.Buffer
	if err := xml.EscapeText(&attribute, []byte(credential)); err != nil {
		return "", err
	}
	return "<" + name + ` verify="` + attribute.String() + `"/>`, nil
}

// svgStrip leaves out the credentials of the standards.
func svgStrip(file []byte, which func(Standard) bool) ([]byte, error) {
	d, err := read(file)
	if err != nil {
		return nil, err
	}
	out, at := make([]byte, 0, len(file)), 0
	for _, f := range d.baked {
		if which(f.Standard) {
			out, at = append(out, file[at:f.start]...), f.end
		}
	}
	return append(out, file[at:]...), nil
}
