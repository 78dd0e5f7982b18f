package transcript

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
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

// said is a state in a sentence, with the day and where none is known, and what to
// do about it.
var said = map[string][3]string{
	Current:    {"This document is current.", "This document is current.", "The institution stands by the record that it shows."},
	Superseded: {"This document was superseded on %s.", "This document is superseded.", "It was authentic when it was made. Ask the holder for the current record."},
	Suspended:  {"The record that this document shows is suspended since %s.", "The record that this document shows is suspended.", "Do not rely on it until the institution lifts that."},
	Revoked:    {"This document was revoked on %s.", "This document is revoked.", "Do not rely on it. Ask the institution."},
}

// checked is what a verify page shows.
type checked struct {
	Standing
	Style                                   template.CSS
	Lang                                    speaker
	Sentence, Advice, Made, MadeOn, Unknown string
}

// Say is a sentence of the page in the reader's language.
func (c checked) Say(text string) string { return c.Lang.say(text) }

// Told reports whether a sentence stays English on a page in another language.
func (c checked) Told(text string) bool { return c.Lang != "en" && c.Say(text) == text }

// CheckPage is a verify page in the language of its reader, en or es.
func CheckPage(s Standing, lang string) ([]byte, error) {
	l := speaker(lang)
	sentence := l.say(said[s.State][1])
	if s.State != Current && s.At != nil {
		sentence = fmt.Sprintf(l.say(said[s.State][0]), l.date(*s.At))
	}
	return page("check.html", checked{s, template.CSS(style), l, sentence, l.say(said[s.State][2]), s.MadeAt.UTC().Format(time.RFC3339), l.date(s.MadeAt), ""})
}

// NoPage is a verify page that is none, with the reason.
func NoPage(reason, lang string) ([]byte, error) {
	return page("check.html", checked{Style: template.CSS(style), Lang: speaker(lang), Unknown: reason})
}
