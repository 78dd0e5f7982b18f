package exchange_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/pgtest"
	"github.com/testamur/testamur/internal/testbed"
)

const (
	benchRows     = 100_000
	benchLearners = 2_000
)

// BenchmarkImportOfResults is a registrar's file of 100,000 results, from its
// bytes to committed rows with an outcome each, against a bare COPY, by the
// owner and in one go, of the very rows that the import left. Both begin with
// an empty table. of-copy is the import's rate as a part of COPY's;
// unchanged-rows/s is the rate of the same file read once more.
func BenchmarkImportOfResults(b *testing.B) {
	var ours, bare, again time.Duration
	for b.Loop() {
		imported, url := newCollege(b)
		file := benchFile(codesOf(b, imported))
		start := time.Now()
		j := imported.Import(b, exchange.Results, file, exchange.Options{System: demo.System})
		ours += time.Since(start)
		if j.CreatedCount != benchRows {
			b.Fatal(counts(j))
		}
		bare += copied(b, url)
		start = time.Now()
		if j = imported.Import(b, exchange.Results, file, exchange.Options{System: demo.System}); j.UnchangedCount != benchRows {
			b.Fatal(counts(j))
		}
		again += time.Since(start)
	}
	n := float64(b.N) * benchRows
	b.ReportMetric(n/ours.Seconds(), "rows/s")
	b.ReportMetric(n/bare.Seconds(), "copy-rows/s")
	b.ReportMetric(n/again.Seconds(), "unchanged-rows/s")
	b.ReportMetric(bare.Seconds()/ours.Seconds(), "of-copy")
	b.ReportMetric(0, "ns/op") // a run is of setting up as well
}

// newCollege has a catalogue and learners, and nobody who earned anything.
func newCollege(b *testing.B) (*testbed.Bed, string) {
	b.Helper()
	url := pgtest.URL(b)
	bed := testbed.On(b, pgtest.Open(b, url, pg.Options{MaxConns: 8}))
	for _, f := range demo.Files()[:2] {
		bed.Import(b, exchange.Kind(f.Kind), f.Data, exchange.Options{System: demo.System})
	}
	var people bytes.Buffer
	people.WriteString("learner_id,display_name\n")
	for i := range benchLearners {
		fmt.Fprintf(&people, "L%05d,Person %d\n", i, i)
	}
	bed.Import(b, exchange.Learners, people.Bytes(), exchange.Options{System: demo.System})
	return bed, url
}

// benchFile is a registrar's export: every learner in every term, some with a
// course repeated.
func benchFile(codes []string) []byte {
	var file bytes.Buffer
	file.WriteString("result_id,learner_id,course_code,completed_on,term,grade,credits_earned\n")
	first := time.Date(1999, 12, 17, 0, 0, 0, 0, time.UTC)
	for i := range benchRows {
		term := i / benchLearners
		fmt.Fprintf(&file, "R-%06d,L%05d,%s,%s,%dT%d,%s,4\n", i, i%benchLearners, codes[i%len(codes)],
			first.AddDate(0, 6*term, i%5).Format(time.DateOnly), 2000+term/2, 1+term%2, []string{"A", "A-", "B+", "B"}[i%4])
	}
	return file.Bytes()
}

// written are the rows that an import left, and the names of their columns.
func written(b *testing.B, owner *pgx.Conn) (columns []string, rows [][]any) {
	b.Helper()
	found := must(owner.Query(context.Background(), `select * from assertion order by id`))
	for _, f := range found.FieldDescriptions() {
		columns = append(columns, f.Name)
	}
	for found.Next() {
		row := must(found.Values())
		for i, c := range columns {
			if c == "results" || c == "evidence" {
				row[i] = bytes.Clone(bytes.TrimPrefix(found.RawValues()[i], []byte{1})) // without the version of a binary jsonb
			}
		}
		rows = append(rows, row)
	}
	if found.Err() != nil {
		b.Fatal(found.Err())
	}
	return columns, rows
}

// copied is how long a bare COPY takes for the rows that an import left, into
// the same table, emptied.
func copied(b *testing.B, url string) time.Duration {
	b.Helper()
	ctx := context.Background()
	owner := must(pgx.Connect(ctx, url))
	defer owner.Close(ctx)
	columns, rows := written(b, owner)
	must(owner.Exec(ctx, `truncate assertion cascade`))
	start := time.Now()
	n := must(owner.CopyFrom(ctx, pgx.Identifier{"assertion"}, columns, pgx.CopyFromRows(rows)))
	took := time.Since(start)
	if n != benchRows {
		b.Fatalf("%d rows copied", n)
	}
	return took
}
