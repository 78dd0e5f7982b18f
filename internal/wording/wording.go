// Package wording takes the texts that people write into a form: trimmed,
// normalized, of a bounded length, and without characters that change how what
// stands around them is read. It does not escape: that is for whoever prints.
package wording

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/testamur/testamur/internal/fault"
)

// Line is a text of one line with between 1 and limit characters. The fault
// names the field.
func Line(field, text string, limit int) (string, *fault.Error) {
	text, err := clean(field, text, limit, false)
	if err == nil && text == "" {
		err = fault.At(field, "required", "Fill this in: it is kept and read by others.")
	}
	return text, err
}

// Optional is Line for a text that may be left out.
func Optional(field, text string, limit int) (string, *fault.Error) {
	return clean(field, text, limit, false)
}

// Lines is Optional with line breaks.
func Lines(field, text string, limit int) (string, *fault.Error) {
	return clean(field, text, limit, true)
}

func clean(field, text string, limit int, breaks bool) (string, *fault.Error) {
	if len(text) > 4*limit+64 || !utf8.ValidString(text) {
		return "", tooLong(field, limit)
	}
	text = norm.NFC.String(strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")))
	if utf8.RuneCountInString(text) > limit {
		return "", tooLong(field, limit)
	}
	for _, r := range text {
		if r == '\n' && breaks || r == '\t' && breaks {
			continue
		}
		if unicode.IsControl(r) || deceptive(r) {
			return "", fault.At(field, "plain-text", "This holds a character that is not seen or turns the text around. Write it in plain words.")
		}
	}
	return text, nil
}

func tooLong(field string, limit int) *fault.Error {
	return fault.At(field, "too-long", "This has at most %d characters of text.", limit)
}

// deceptive are the characters that reorder or hide text: those of the Unicode
// Bidirectional Algorithm that embed, override and isolate, and separators of
// lines and paragraphs. Joiners stay, because scripts need them.
func deceptive(r rune) bool {
	switch {
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x2028, r == 0x2029, r == 0xfeff, r == utf8.RuneError:
		return true
	case r >= 0xe0000 && r <= 0xe007f, r >= 0xfff9 && r <= 0xfffb:
		return true
	}
	return false
}
