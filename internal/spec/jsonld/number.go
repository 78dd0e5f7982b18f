package jsonld

import (
	"math"
	"strconv"
	"strings"
)

const (
	xsd     = "http://www.w3.org/2001/XMLSchema#"
	rdf     = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
	rdfJSON = rdf + "JSON"
)

// parseNumber is the value of a JSON number that every processor reads alike:
// finite, and if it will be written as a whole number then exactly that number.
// (Beyond 2^53 some keep the digits and some round; zero with a sign is written
// with it or without; below a millionth jsonld.js writes 1e-7 as the integer 0.)
func parseNumber(text string) (float64, *Error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(v, 0) {
		return 0, refuse(InvalidNumber, "the number %s is too large to be finite", shortened(text))
	}
	if v == 0 && text[0] == '-' {
		return 0, refuse(InvalidNumber, "the number %s is a zero with a sign", shortened(text))
	}
	if math.Abs(v) < 1e-6 && strings.ContainsAny(mantissa(text), "123456789") {
		return 0, refuse(InvalidNumber, "the number %s is so small that some processors take it for zero; write it as a string", shortened(text))
	}
	if abs := math.Abs(v); abs >= 1<<53 && abs < 1e21 && !exact(text, v) {
		return 0, refuse(InvalidNumber, "the number %s has more digits than processors keep; write it as a string", shortened(text))
	}
	return v, nil
}

func mantissa(text string) string {
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		return text[:i]
	}
	return text
}

// exact reports whether a large number is written as the value it is read as.
// Only plain digits and exponents are compared: large fractions are refused.
func exact(text string, v float64) bool {
	digits, exp, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(text, "-")), "e")
	whole, fraction, _ := strings.Cut(digits, ".")
	n, err := strconv.Atoi("0" + strings.TrimPrefix(exp, "+"))
	if err != nil && exp != "" || n < len(fraction) || n > 30 {
		return false
	}
	plain := whole + fraction + strings.Repeat("0", n-len(fraction))
	return strings.TrimLeft(plain, "0") == strconv.FormatFloat(math.Abs(v), 'f', 0, 64)
}

// numberLiteral is the lexical form of a number and the datatype it has when
// the term names none: JSON-LD API 1.1 §8.2.2, object to RDF conversion.
func numberLiteral(v float64, datatype string) (lexical, natural string) {
	if v != math.Trunc(v) || math.Abs(v) >= 1e21 || datatype == xsd+"double" {
		return canonicalDouble(v), xsd + "double"
	}
	return strconv.FormatFloat(v, 'f', 0, 64), xsd + "integer"
}

// canonicalDouble is the canonical form of xsd:double with 15 decimals at most:
// 3.5E0.
func canonicalDouble(v float64) string {
	m, e, _ := strings.Cut(strconv.FormatFloat(v, 'E', 15, 64), "E")
	m = strings.TrimRight(m, "0")
	if strings.HasSuffix(m, ".") {
		m += "0"
	}
	n, err := strconv.Atoi(e)
	if err != nil {
		return m // FormatFloat always writes an exponent
	}
	return m + "E" + strconv.Itoa(n)
}
