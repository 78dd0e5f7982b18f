package tabular

import "strings"

// Cell is a text as a cell of a CSV file that people open in a spreadsheet. What
// it would take for a formula is quoted by an apostrophe: a stranger may have
// written it.
func Cell(text string) string {
	if text != "" && strings.IndexByte("=+-@\t\r\n", text[0]) >= 0 {
		return "'" + text
	}
	return text
}
