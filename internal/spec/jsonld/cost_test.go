package jsonld

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// repeat joins n texts with commas.
func repeat(n int, f func(i int) string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(f(i))
	}
	return b.String()
}

// attacks are documents that a stranger sends to cost us time, by their number of
// parts.
var attacks = []struct {
	name string
	doc  func(n int) string
}{
	{"arrays as deep as is read", func(n int) string {
		return `{"@context":{"p":"urn:p"},"p":[` + repeat(n/100, func(int) string { return strings.Repeat("[", 150) + "1" + strings.Repeat("]", 150) }) + `]}`
	}},
	{"objects as deep as is read", func(n int) string {
		return `{"@context":{"p":"urn:p"},"p":[` + repeat(n/100, func(int) string { return strings.Repeat(`{"p":`, 150) + "1" + strings.Repeat("}", 150) }) + `]}`
	}},
	{"deeper than is read", func(n int) string { return strings.Repeat(`{"a":[`, n) }},
	{"members of one node", func(n int) string {
		return `{"@context":{"@vocab":"urn:"},` + repeat(n, func(i int) string { return fmt.Sprintf(`"p%d":%d`, i, i) }) + `}`
	}},
	{"values of one member", func(n int) string {
		return `{"@context":{"@vocab":"urn:"},"p":[` + repeat(n, func(i int) string { return fmt.Sprintf(`"v%d"`, n-i) }) + `]}`
	}},
	{"like values", func(n int) string {
		return `{"@context":{"@vocab":"urn:"},"p":[` + repeat(n, func(int) string { return `"v"` }) + `]}`
	}},
	{"types of one node", func(n int) string {
		return `{"@context":{"@vocab":"urn:"},"@type":[` + repeat(n, func(i int) string { return fmt.Sprintf(`"T%d"`, n-i) }) + `]}`
	}},
	{"types with contexts", func(n int) string {
		return `{"@context":["https://www.w3.org/ns/credentials/v2","https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"],"type":[` +
			repeat(n, func(i int) string { return []string{`"Achievement"`, `"Profile"`, `"Result"`, `"Alignment"`}[i%4] }) + `]}`
	}},
	{"contexts by name", func(n int) string {
		return `{"@context":[` + repeat(n, func(i int) string {
			return []string{`"https://www.w3.org/ns/credentials/v2"`, `"https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"`}[i%2]
		}) + `],"id":"urn:x","name":"x"}`
	}},
	{"contexts of its own in a list", func(n int) string {
		return `{"@context":[` + repeat(n, func(i int) string { return fmt.Sprintf(`{"t%d":"urn:t"}`, i) }) + `],"t1":1}`
	}},
	{"a context in every node", func(n int) string {
		return `{"@context":["https://www.w3.org/ns/credentials/v2",{"q":"urn:q"}],"q":[` + repeat(n, func(i int) string { return fmt.Sprintf(`{"@context":{"t%d":"urn:t"},"t%d":1}`, i, i) }) + `]}`
	}},
	{"a large context and small ones in every node", func(n int) string {
		return `{"@context":{"q":"urn:q",` + repeat(n, func(i int) string { return fmt.Sprintf(`"t%d":"urn:t"`, i) }) + `},"q":[` + repeat(n, func(i int) string { return fmt.Sprintf(`{"@context":{"s%d":"urn:s"},"s%d":1}`, i, i) }) + `]}`
	}},
	{"terms that stand for one another", func(n int) string {
		return `{"@context":{"t0":"urn:t",` + repeat(n/40, func(i int) string { return fmt.Sprintf(`"t%d":"t%d"`, i+1, i) }) + `},"t1":1}`
	}},
	{"prefixes of prefixes", func(n int) string {
		return `{"@context":{"t0":"urn:t:",` + repeat(n/40, func(i int) string { return fmt.Sprintf(`"t%d":"t%d:x"`, i+1, i) }) + `},"t1":1}`
	}},
	{"scoped contexts in turn", func(n int) string {
		return `{"@context":{"@version":1.1,"A":{"@id":"urn:A","@context":{"x":"urn:x"}},"B":{"@id":"urn:B","@context":{"x":"urn:y"}},"q":{"@id":"urn:q","@context":{"z":"urn:z"}}},"@type":[` +
			repeat(n, func(i int) string { return []string{`"A"`, `"B"`}[i%2] }) + `],"q":[` + repeat(n, func(int) string { return `{"@type":["A","B"],"x":1}` }) + `]}`
	}},
	{"like blank nodes", func(n int) string {
		return `{"@context":{"@vocab":"urn:"},"@id":"urn:a","p":[` + repeat(n, func(int) string { return `{"q":"x"}` }) + `]}`
	}},
	{"like lists", func(n int) string {
		return `{"@context":{"l":{"@id":"urn:l","@container":"@list"},"p":"urn:p"},"@id":"urn:a","p":[` + repeat(n/8, func(int) string { return `{"l":[1,2,3,4,5]}` }) + `]}`
	}},
	{"one long list of like items", func(n int) string {
		return `{"@context":{"l":{"@id":"urn:l","@container":"@list"}},"@id":"urn:a","l":[` + repeat(n, func(int) string { return `1` }) + `]}`
	}},
	{"a chain of blank nodes", func(n int) string {
		return `{"@context":{"p":{"@id":"urn:p","@type":"@id"}},"@graph":[` + repeat(n, func(i int) string { return fmt.Sprintf(`{"@id":"_:n%d","p":"_:n%d"}`, i, i+1) }) + `]}`
	}},
	{"a ring of blank nodes", func(n int) string {
		return `{"@context":{"p":{"@id":"urn:p","@type":"@id"}},"@graph":[` + repeat(n, func(i int) string { return fmt.Sprintf(`{"@id":"_:n%d","p":"_:n%d"}`, i, (i+1)%n) }) + `]}`
	}},
	{"blank nodes that all name one another", func(n int) string {
		k := min(n/20, 60)
		return `{"@context":{"p":{"@id":"urn:p","@type":"@id"}},"@graph":[` + repeat(k, func(i int) string {
			return fmt.Sprintf(`{"@id":"_:n%d","p":[%s]}`, i, repeat(k, func(j int) string { return fmt.Sprintf(`"_:n%d"`, j) }))
		}) + `]}`
	}},
	{"one long text", func(n int) string {
		return `{"@context":{"p":"urn:p"},"@id":"urn:a","p":"` + strings.Repeat(`\u00e9\n x`, 4*n) + `"}`
	}},
	{"one long name", func(n int) string { return `{"` + strings.Repeat("a", 20*n) + `":1}` }},
	{"one long IRI", func(n int) string {
		return `{"@context":{"p":{"@id":"urn:p","@type":"@id"}},"@id":"urn:a","p":"urn:` + strings.Repeat("a:", 10*n) + `"}`
	}},
	{"a number of many digits", func(n int) string {
		return `{"@context":{"p":"urn:p"},"@id":"urn:a","p":0.` + strings.Repeat("1234567890", 2*n) + `}`
	}},
	{"numbers with huge exponents", func(n int) string {
		return `{"@context":{"p":{"@id":"urn:p","@type":"@json"}},"@id":"urn:a","p":[` + repeat(n, func(i int) string { return []string{"1e-4000000", "0e999999999", "1e22", "123e305"}[i%2*2] }) + `]}`
	}},
	{"an exponent without end", func(n int) string {
		return `{"@context":{"p":"urn:p"},"@id":"urn:a","p":1e` + strings.Repeat("9", 20*n) + `}`
	}},
	{"a name twice, last", func(n int) string {
		return `{` + repeat(n, func(i int) string { return fmt.Sprintf(`"p%d":1`, i) }) + `,"p0":1}`
	}},
	{"JSON literals", func(n int) string {
		return `{"@context":{"j":{"@id":"urn:j","@type":"@json"}},"@id":"urn:a","j":{` + repeat(n, func(i int) string { return fmt.Sprintf(`"%d":[{}]`, n-i) }) + `}}`
	}},
	{"graphs in graphs", func(n int) string {
		return `{"@context":{"g":{"@id":"urn:g","@container":"@graph"},"p":"urn:p"},"@id":"urn:a","g":[` + repeat(n, func(i int) string { return fmt.Sprintf(`{"p":%d}`, i) }) + `]}`
	}},
	{"maps by language, id, type and index", func(n int) string {
		return `{"@context":{"l":{"@id":"urn:l","@container":"@language"},"i":{"@id":"urn:i","@container":"@id"},"p":"urn:p","x":{"@id":"urn:x","@container":"@index","@index":"urn:k"}},"@id":"urn:a","l":{` +
			repeat(n/3, func(i int) string { return fmt.Sprintf(`"en-%d":"t"`, i) }) + `},"i":{` + repeat(n/3, func(i int) string { return fmt.Sprintf(`"urn:n%d":{"p":1}`, i) }) + `},"x":{` + repeat(n/3, func(i int) string { return fmt.Sprintf(`"k%d":{"p":1}`, i) }) + `}}`
	}},
}

// TestNothingCostsMoreThanItsLength: every document is read or refused in time
// that grows with its length and no faster, a second for a megabyte at most;
// four times the document takes at most eight times as long.
func TestNothingCostsMoreThanItsLength(t *testing.T) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			took := func(doc []byte) time.Duration {
				best := time.Hour
				for range 2 {
					start := processorTime()
					_, err := Canonize(doc)
					d := time.Duration(processorTime() - start)
					var refusal *Error
					if err != nil && !errors.As(err, &refusal) {
						t.Fatal(err)
					}
					if err != nil && len(err.Error()) > 1000+2*len(refusal.Term) {
						t.Errorf("the refusal has %d bytes", len(err.Error()))
					}
					best = min(best, d)
				}
				return best
			}
			small, large := []byte(a.doc(1_000)), []byte(a.doc(4_000))
			first, second := took(small), took(large)
			if per := second / time.Duration(len(large)/1000+1); per > slower*time.Millisecond && second > slower*400*time.Millisecond {
				t.Errorf("%d bytes take %v", len(large), second)
			}
			if second > 8*first+slower*20*time.Millisecond {
				t.Errorf("%d bytes take %v, %d take %v", len(small), first, len(large), second)
			}
		})
	}
}
