package framework_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/spec/imscase"
)

// large is a package of items in a tree, one isChildOf for each and some
// precedes besides, with statements as long as real ones.
func large(items, links, edition int) []byte {
	var b bytes.Buffer
	id := func(kind, n int) string { return fmt.Sprintf("0f6b5b0a-3a5e-4%03d-8%03d-%012d", kind, edition, n) }
	tail := `","lastChangeDateTime":"2026-01-01T00:00:00Z"`
	node := func(n int) string {
		if n == 0 {
			return `{"title":"d","identifier":"` + id(0, 0) + `","uri":"https://x.example/d"}`
		}
		return fmt.Sprintf(`{"title":"Explains what a competency of number %d asks","identifier":"%s","uri":"https://x.example/CFItems/%s"}`, n, id(1, n), id(1, n))
	}
	fmt.Fprintf(&b, `{"CFDocument":{"identifier":"%s","uri":"https://x.example/d","creator":"X","title":"Large%s,"caseVersion":"1.1"},"CFItems":[`, id(0, 0), tail)
	for n := 1; n <= items; n++ {
		fmt.Fprintf(&b, `%s{"identifier":"%s","uri":"https://x.example/CFItems/%s","fullStatement":"Explains what a competency of number %d asks, with examples from at least two fields of work, and applies it to a case that is new.","humanCodingScheme":"X.%d","CFItemType":"Competency","educationLevel":["13","14"],"language":"en%s}`,
			strings.Repeat(",", min(1, n-1)), id(1, n), id(1, n), n, n, tail)
	}
	b.WriteString(`],"CFAssociations":[`)
	for n := 1; n <= links; n++ {
		typ, origin, destination := "isChildOf", n, n/8
		if n > items {
			typ, origin, destination = "precedes", n-items, n-items+1
		}
		fmt.Fprintf(&b, `%s{"identifier":"%s","uri":"https://x.example/CFAssociations/%s","associationType":"%s","originNodeURI":%s,"destinationNodeURI":%s,"sequenceNumber":%d%s}`,
			strings.Repeat(",", min(1, n-1)), id(2, n), id(2, n), typ, node(origin), node(destination), n, tail[1:])
	}
	b.WriteString("]}")
	return b.Bytes()
}

// BenchmarkImport compares the import of a package of 10,000 items and 12,000
// associations with parsing it and copying its rows to tables without indexes,
// in turns.
func BenchmarkImport(b *testing.B) {
	s := setup(b)
	const items, links = 10_000, 12_000
	var floor, whole time.Duration
	b.SetBytes(int64(len(large(items, links, 0))))
	for n := 0; b.Loop(); n++ {
		data := large(items, links, n+1)
		start := time.Now()
		var rows, ties [][]any
		if _, err := imscase.Read(bytes.NewReader(data), imscase.Sink{
			Item: func(i imscase.Item) error {
				rows = append(rows, []any{i.Identifier, i.URI, i.FullStatement, i.HumanCodingScheme, i.ItemType, []string(i.EducationLevel), i.Language, string(i.Raw)})
				return nil
			},
			Association: func(a imscase.Association) error {
				ties = append(ties, []any{a.Identifier, a.Type, a.Origin.Identifier, a.Origin.URI, a.Destination.Identifier, a.Destination.URI, string(a.Raw)})
				return nil
			}}); err != nil {
			b.Fatal(err)
		}
		err := s.DB.Tenant(b.Context(), s.designer, func(tx pgx.Tx) error {
			if _, err := tx.Exec(b.Context(), `
				create temp table bare_item (a text, b text, c text, d text, e text, f text[], g text, h text) on commit drop;
				create temp table bare_link (a text, b text, c text, d text, e text, f text, g text) on commit drop`); err != nil {
				return err
			}
			if _, err := tx.CopyFrom(b.Context(), pgx.Identifier{"bare_item"}, strings.Split("abcdefgh", ""), pgx.CopyFromRows(rows)); err != nil {
				return err
			}
			_, err := tx.CopyFrom(b.Context(), pgx.Identifier{"bare_link"}, strings.Split("abcdefg", ""), pgx.CopyFromRows(ties))
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		floor += time.Since(start)
		start = time.Now()
		l, err := s.Import(b.Context(), s.designer, bytes.NewReader(data))
		if err != nil || l.Created != items+links+1 {
			b.Fatal(l, err)
		}
		whole += time.Since(start)
	}
	b.ReportMetric(float64(whole.Milliseconds())/float64(b.N), "import-ms")
	b.ReportMetric(float64(floor.Milliseconds())/float64(b.N), "parse+copy-ms")
	b.ReportMetric(float64(whole)/float64(floor), "ratio")
}
