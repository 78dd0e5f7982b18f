package transcript

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"time"
)

//go:embed template
var files embed.FS

// style is the style of both pages; it stands in them, so that a page that was
// saved is whole.
var style = func() string {
	raw, err := files.ReadFile("template/style.css")
	if err != nil {
		panic(err) // it is part of the program
	}
	return string(raw)
}()

// Style is the style of the pages, for others that are to look like them.
func Style() template.CSS { return template.CSS(style) }

var pages = template.Must(template.ParseFS(files, "template/*.html"))

// Policy is the content security policy of the pages: their own style, a form to
// the same address, and nothing else.
func Policy() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
}

// HTML is a sheet as a page: the same words as the print, in its order.
func HTML(s Sheet) ([]byte, error) {
	v := newView(s)
	for i := range v.Tables {
		for j := range v.Tables[i].Rows {
			v.Tables[i].Rows[j].Depth = min(v.Tables[i].Rows[j].Depth, 3)
		}
	}
	return page("record.html", struct {
		view
		Style template.CSS
	}{v, template.CSS(style)})
}

func page(name string, data any) ([]byte, error) {
	var b bytes.Buffer
	err := pages.ExecuteTemplate(&b, name, data)
	return b.Bytes(), err
}

// said is a state in a sentence, and what to do about it.
var said = map[string][2]string{
	Current:    {"This document is current.", "The institution stands by the record that it shows."},
	Superseded: {"This document was superseded on ", "It was authentic when it was made. Ask the holder for the current record."},
	Suspended:  {"The record that this document shows is suspended since ", "Do not rely on it until the institution lifts that."},
	Revoked:    {"This document was revoked on ", "Do not rely on it. Ask the institution."},
}

// CheckPage is a verify page.
func CheckPage(s Standing) ([]byte, error) {
	sentence := said[s.State][0]
	switch {
	case s.State != Current && s.At != nil:
		sentence += date(*s.At) + "."
	case s.State != Current:
		sentence = "This document is " + s.State + "."
	}
	return page("check.html", struct {
		Standing
		Style                                   template.CSS
		Sentence, Advice, Made, MadeOn, Unknown string
	}{s, template.CSS(style), sentence, said[s.State][1], s.MadeAt.UTC().Format(time.RFC3339), date(s.MadeAt), ""})
}

// NoPage is a verify page that is none, with the reason.
func NoPage(reason string) ([]byte, error) {
	return page("check.html", struct {
		Style   template.CSS
		Unknown string
	}{template.CSS(style), reason})
}
