package framework

import (
	"context"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/tabular"
)

// The forms of a framework's file.
const (
	CASE  = "case"     // a CFPackage
	CTDL  = "ctdl-asn" // JSON-LD
	Table = "table"    // CSV or NDJSON
)

// File is a framework as it comes in.
type File struct {
	Form      string
	Framework string // that a table is of; empty makes a new one
	Table     tabular.Options
	Open      func(pgx.Tx) io.Reader // in the transaction that the file is read into
}

// LoadFile reads a file into the caller's transaction, as Load reads a package.
// A *tabular.Error says what is wrong with a table.
func LoadFile(ctx context.Context, tx pgx.Tx, who access.Actor, b bulk.Batch, f File) (Loaded, error) {
	switch f.Form {
	case CASE:
		return Load(ctx, tx, who, b, f.Open(tx))
	}
	return Loaded{}, fmt.Errorf("load framework: unknown form %q", f.Form)
}
