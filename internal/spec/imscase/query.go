package imscase

import (
	"cmp"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
)

// The REST binding's query of documents: filter, sort, fields (CASE 1.1 REST
// binding §3.3). Comparison is without regard to case, by the Unicode collation.

// ErrFilterField is the error for a filter on a field that documents do not
// have, and ErrFilter for one that cannot be read.
var (
	ErrFilterField = errors.New("documents have no such field")
	ErrFilter      = errors.New("a filter is a field, one of = != > >= < <= ~, and a value in single quotes; two may be joined by AND or OR with one blank on each side")
)

// Filter chooses documents: one clause, or two that are joined.
type Filter struct {
	clauses []clause
	any     bool
}

type clause struct {
	field, predicate, value string
}

// maxFilter is the longest filter in bytes.
const maxFilter = 1000

var clausePattern = regexp.MustCompile(`^([A-Za-z]+(?:\.[A-Za-z]+)?)(=|!=|>=|<=|>|<|~)'(.*)'$`)

// ParseFilter reads a filter. Values may have quotes in them.
func ParseFilter(text string) (Filter, error) {
	if len(text) > maxFilter {
		return Filter{}, ErrFilter
	}
	if c, err := parseClause(text); err == nil || errors.Is(err, ErrFilterField) {
		if left, right, any, ok := joined(text); ok { // a quote in a value may look like a join
			return pair(left, right, any)
		}
		return Filter{clauses: []clause{c}}, err
	}
	return Filter{}, ErrFilter
}

// joined cuts a filter at its join: a place where both sides are clauses.
func joined(text string) (left, right string, any, ok bool) {
	for _, join := range []string{" AND ", " OR "} {
		for from := 0; ; {
			i := strings.Index(text[from:], "'"+join)
			if i < 0 {
				break
			}
			at := from + i + 1
			if l, r := text[:at], text[at+len(join):]; clausePattern.MatchString(l) && clausePattern.MatchString(r) {
				return l, r, join == " OR ", true
			}
			from = at
		}
	}
	return "", "", false, false
}

func pair(left, right string, any bool) (Filter, error) {
	l, err := parseClause(left)
	if err != nil {
		return Filter{}, err
	}
	r, err := parseClause(right)
	return Filter{clauses: []clause{l, r}, any: any}, err
}

func parseClause(text string) (clause, error) {
	m := clausePattern.FindStringSubmatch(text)
	if m == nil {
		return clause{}, ErrFilter
	}
	if Kind(m[1]) == "" {
		return clause{}, ErrFilterField
	}
	return clause{m[1], m[2], m[3]}, nil
}

// Query chooses and orders documents.
type Query struct {
	Filter     *Filter
	Sort       string // a field; empty leaves the order
	Descending bool
}

// Run gives the documents that the filter chooses, in order.
func (q Query) Run(all []json.RawMessage) []json.RawMessage {
	order := collate.New(language.Und, collate.IgnoreCase)
	parsed := make([]map[string]any, 0, len(all))
	kept := make([]int, 0, len(all))
	for _, raw := range all {
		var m map[string]any
		if json.Unmarshal(raw, &m) != nil {
			m = nil
		}
		parsed = append(parsed, m)
	}
	for i, m := range parsed {
		if q.Filter == nil || q.Filter.match(order, m) {
			kept = append(kept, i)
		}
	}
	if q.Sort != "" {
		slices.SortStableFunc(kept, func(a, b int) int {
			x, y := strings.Join(values(parsed[a], q.Sort), ","), strings.Join(values(parsed[b], q.Sort), ",")
			n := compare(order, x, y)
			if q.Descending {
				return -n
			}
			return n
		})
	}
	out := make([]json.RawMessage, len(kept))
	for i, k := range kept {
		out[i] = all[k]
	}
	return out
}

// compare orders instants by time and everything else by collation.
func compare(order *collate.Collator, a, b string) int {
	x, errX := time.Parse(time.RFC3339, a)
	y, errY := time.Parse(time.RFC3339, b)
	if errX == nil && errY == nil {
		return x.Compare(y)
	}
	return cmp.Or(order.CompareString(a, b), 0)
}

func (f Filter) match(order *collate.Collator, document map[string]any) bool {
	for _, c := range f.clauses {
		if c.match(order, document) == f.any {
			return f.any
		}
	}
	return !f.any
}

func (c clause) match(order *collate.Collator, document map[string]any) bool {
	have := values(document, c.field)
	if c.predicate == "~" {
		return c.contained(have)
	}
	if c.predicate == "!=" && len(have) == 0 {
		return true
	}
	if len(have) == 0 {
		return false
	}
	n := compare(order, strings.Join(have, ","), c.value)
	switch c.predicate {
	case "=":
		return n == 0
	case "!=":
		return n != 0
	case ">":
		return n > 0
	case ">=":
		return n >= 0
	case "<":
		return n < 0
	}
	return n <= 0
}

// contained is the predicate ~: of one text the value is a part; of a list each
// of the given elements is one of it.
func (c clause) contained(have []string) bool {
	if kind := Kind(c.field); kind != "texts" {
		return slices.ContainsFunc(have, func(h string) bool { return strings.Contains(strings.ToLower(h), strings.ToLower(c.value)) })
	}
	for want := range strings.SplitSeq(c.value, ",") {
		if !slices.ContainsFunc(have, func(h string) bool { return strings.EqualFold(h, want) }) {
			return false
		}
	}
	return true
}

// values are what a document has in a field.
func values(document map[string]any, field string) []string {
	name, of, nested := strings.Cut(field, ".")
	var all []string
	var add func(v any)
	add = func(v any) {
		switch v := v.(type) {
		case string:
			all = append(all, v)
		case []any:
			for _, x := range v {
				add(x)
			}
		case map[string]any:
			if nested {
				if s, ok := v[of].(string); ok {
					all = append(all, s)
				}
			}
		}
	}
	add(document[name])
	return all
}

// Select leaves the named members of each document; all of them when a name is
// none of a document's class.
func Select(all []json.RawMessage, fields []string) []json.RawMessage {
	if len(fields) == 0 || slices.ContainsFunc(fields, func(f string) bool { return Kind(f) == "" || strings.Contains(f, ".") }) {
		return all
	}
	out := make([]json.RawMessage, len(all))
	for i, raw := range all {
		var m map[string]json.RawMessage
		if json.Unmarshal(raw, &m) != nil {
			return all
		}
		for name := range m {
			if !slices.Contains(fields, name) {
				delete(m, name)
			}
		}
		out[i], _ = json.Marshal(m) // texts that were parsed
	}
	return out
}
