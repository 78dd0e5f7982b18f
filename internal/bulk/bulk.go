// Package bulk is what the set-wise imports of the nouns share: what they write
// with, and what became of each row of many.
package bulk

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
)

// Change is what a row did.
type Change string

// The four changes.
const (
	Created   Change = "created"
	Updated   Change = "updated"
	Unchanged Change = "unchanged"
	Failed    Change = "failed"
)

// Outcome is what became of one row, in the order the rows came.
type Outcome struct {
	Change Change
	ID     string       // of what was created, updated or found; empty when failed
	Err    *fault.Error // why, when failed; Field is the column
}

// Fail is the outcome of a row that broke a rule.
func Fail(err *fault.Error) Outcome { return Outcome{Change: Failed, Err: err} }

// Count tallies outcomes.
type Count struct {
	Created, Updated, Unchanged, Failed int
}

// Add counts one outcome.
func (c *Count) Add(o Outcome) {
	switch o.Change {
	case Created:
		c.Created++
	case Updated:
		c.Updated++
	case Unchanged:
		c.Unchanged++
	default:
		c.Failed++
	}
}

// Batch is what an import writes with: the clock and the source of ids.
type Batch struct {
	Now   time.Time
	NewID id.Source
}

// Absent are the fields, one bit each, of which a file says nothing: what is
// there stays. Each noun names its bits.
type Absent int32

// Planned, given before the arguments of a query, has it planned for the values
// that it is given. A list of thousands of names is then looked up by hash or
// index; a plan kept for any list would compare each row with each name.
const Planned = pgx.QueryExecModeCacheDescribe

// Hashed runs fn, whose statements join sets by hash or by order alone. What the
// planner believes of a table that is growing in this transaction is out of
// date; where it believes it empty it would walk through it once for each row.
func Hashed(ctx context.Context, tx pgx.Tx, fn func() error) error {
	if _, err := tx.Exec(ctx, "set local enable_nestloop = off"); err != nil {
		return err
	}
	if err := fn(); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "set local enable_nestloop to default")
	return err
}

// Note runs one statement that returns the number and id of rows, and marks
// those rows. A negative number is of no row; what was created stays created.
func Note(ctx context.Context, tx pgx.Tx, sql string, args pgx.NamedArgs, change Change, out []Outcome) error {
	rows, err := tx.Query(ctx, sql, args)
	if err != nil {
		return err
	}
	var n int
	var what string
	_, err = pgx.ForEachRow(rows, []any{&n, &what}, func() error {
		if n >= 0 && out[n].Change != Created {
			out[n] = Outcome{Change: change, ID: what}
		}
		return nil
	})
	return err
}
