// Package baking puts a credential into a picture and takes it out again: PNG
// and SVG, for Open Badges 2.0 and 3.0 and the CLR 2.0.
//
// Nothing is decoded but the frame of the file: the chunks of a PNG with their
// checksums, the elements of an SVG. Pixels are never expanded, entities never
// resolved, and the work is linear in the bytes. A picture with two credentials
// is refused, because two readers could take different ones. Sources: Open
// Badges 3.0 §5.3 (file format and baking), Open Badges Baking 2.0, PNG (third
// edition) §11.3.3.
package baking

import (
	"bytes"
	"fmt"
	"strings"
)

// Standard is the standard of a baked credential.
type Standard string

// The standards.
const (
	OpenBadges2 Standard = "open-badges-2"
	OpenBadges3 Standard = "open-badges-3"
	CLR2        Standard = "clr-2"
)

// Form is how a credential is written.
type Form string

// The forms.
const (
	JSON Form = "json" // an object, with its proof inside or, in version 2.0, hosted
	JWS  Form = "jws"  // compact, signed
	URL  Form = "url"  // of a hosted assertion, version 2.0 and before
)

// The limits of a picture.
const (
	MaxPicture    = 16 << 20 // bytes
	MaxCredential = 16 << 20 // bytes, also when it was compressed
)

// Baked is a credential in a picture.
type Baked struct {
	Standard Standard
	Form     Form
	Payload  []byte
	Also     string // in an SVG of version 2.0: the address beside the JSON
}

// Refusal is why a picture was not read or written.
type Refusal struct {
	Rule   string // stable
	Reason string // a sentence
}

// The rules.
const (
	NotAPicture = "not-a-picture" // neither PNG nor SVG
	Malformed   = "malformed"     // it breaks its format
	TooLarge    = "too-large"
	Nothing     = "nothing-baked" // it holds no credential
	Twice       = "baked-twice"   // it holds more than one
	Unreadable  = "unreadable"    // what it holds is no credential
)

// Error is the reason.
func (r *Refusal) Error() string { return r.Reason }

func refuse(rule, format string, args ...any) *Refusal {
	return &Refusal{rule, fmt.Sprintf(format, args...)}
}

// Picture is the media type of a picture, by its first bytes: image/png,
// image/svg+xml or "".
func Picture(file []byte) string {
	if bytes.HasPrefix(file, signature) {
		return "image/png"
	}
	head := file[:min(len(file), 4096)]
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if bytes.HasPrefix(head, []byte("<")) && (bytes.Contains(head, []byte("svg")) || bytes.HasPrefix(head, []byte("<?xml"))) {
		return "image/svg+xml"
	}
	return ""
}

// Extract takes the credential out of a picture. Where there are several, of
// different standards, the newest counts: 3.0, then the CLR, then 2.0 (OB 3.0
// §5.3). A *Refusal says why there is none.
func Extract(file []byte) (Baked, error) {
	found, err := each(file)
	if err != nil {
		return Baked{}, err
	}
	for _, s := range []Standard{OpenBadges3, CLR2, OpenBadges2} {
		var of []Baked
		for _, b := range found {
			if b.Standard == s {
				of = append(of, b)
			}
		}
		if len(of) > 1 {
			return Baked{}, refuse(Twice, "The picture holds %d credentials; only one may be in it, or nobody knows which is meant.", len(of))
		}
		if len(of) == 1 {
			return of[0].read()
		}
	}
	return Baked{}, refuse(Nothing, "There is no credential in this picture. Pictures lose it when they are edited or sent through a service that shrinks them.")
}

func each(file []byte) ([]Baked, error) {
	if len(file) > MaxPicture {
		return nil, refuse(TooLarge, "A picture has at most %d MB.", MaxPicture>>20)
	}
	switch Picture(file) {
	case "image/png":
		return pngBaked(file)
	case "image/svg+xml":
		return svgBaked(file)
	}
	return nil, refuse(NotAPicture, "This is neither a PNG nor an SVG picture.")
}

// read decides by content what was baked.
func (b Baked) read() (Baked, error) {
	text := bytes.TrimSpace(b.Payload)
	if len(text) == 0 {
		return b, refuse(Unreadable, "The place for a credential in this picture is empty.")
	}
	b.Payload = text
	form, ok := FormOf(text)
	if !ok || form == URL && b.Standard != OpenBadges2 {
		return b, refuse(Unreadable, "What is in this picture is neither JSON, nor a signed token, nor an address.")
	}
	b.Form = form
	return b, nil
}

// FormOf is how a text is a credential: by its first character and its dots.
func FormOf(text []byte) (Form, bool) {
	switch {
	case len(text) > 0 && text[0] == '{':
		return JSON, true
	case bytes.HasPrefix(text, []byte("http://")) || bytes.HasPrefix(text, []byte("https://")):
		return URL, !bytes.ContainsAny(text, " \t\r\n<>\"")
	case bytes.Count(text, []byte(".")) == 2 && !bytes.ContainsFunc(text, func(r rune) bool { return !base64url(r) && r != '.' }):
		return JWS, true
	}
	return "", false
}

func base64url(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_'
}

// Bake puts a credential into a picture. A credential of the same standard that
// is in it already is replaced; one of another standard stays.
func Bake(file []byte, s Standard, credential []byte) ([]byte, error) {
	credential = bytes.TrimSpace(credential)
	form, ok := FormOf(credential)
	if !ok || form == URL && s != OpenBadges2 {
		return nil, refuse(Unreadable, "What is to be baked is neither JSON nor a signed token.")
	}
	if len(credential) > MaxCredential {
		return nil, refuse(TooLarge, "A credential to bake has at most %d MB.", MaxCredential>>20)
	}
	if _, err := each(file); err != nil {
		return nil, err // a picture that could not be read again
	}
	out, err := bake(file, s, form, credential)
	if err == nil && len(out) > MaxPicture {
		return nil, refuse(TooLarge, "With the credential the picture would have more than %d MB.", MaxPicture>>20)
	}
	return out, err
}

func bake(file []byte, s Standard, form Form, credential []byte) ([]byte, error) {
	if Picture(file) == "image/png" {
		return pngBake(file, s, credential)
	}
	return svgBake(file, s, form, string(credential))
}

// Strip takes every credential out of a picture.
func Strip(file []byte) ([]byte, error) {
	if _, err := each(file); err != nil {
		return nil, err
	}
	all := func(Standard) bool { return true }
	if Picture(file) == "image/png" {
		return pngStrip(file, all), nil
	}
	return svgStrip(file, all)
}

// keywords are the PNG keywords of the standards.
var keywords = map[string]Standard{"openbadgecredential": OpenBadges3, "clrcredential": CLR2, "openbadges": OpenBadges2}

func keyword(s Standard) string {
	for k, of := range keywords {
		if of == s {
			return k
		}
	}
	return ""
}

// element is where a standard bakes in SVG.
type element struct{ prefix, namespace, local string }

var elements = map[Standard]element{
	OpenBadges2: {"openbadges", "http://openbadges.org", "assertion"},
	OpenBadges3: {"openbadges", "https://purl.imsglobal.org/ob/v3p0", "credential"},
	CLR2:        {"clr", "https://purl.imsglobal.org/clr/v2p0", "credential"},
}

// standardOf is the standard whose element a name is.
func standardOf(namespace, local string) (Standard, bool) {
	for s, e := range elements {
		if e.local == local && strings.TrimSuffix(e.namespace, "/") == strings.TrimSuffix(namespace, "/") {
			return s, true
		}
	}
	return "", false
}
