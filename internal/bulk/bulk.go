// Package bulk says what became of each row of many.
package bulk

import "github.com/testamur/testamur/internal/fault"

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
