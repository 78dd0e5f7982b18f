package framework

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/spec/ctdlasn"
	"github.com/testamur/testamur/internal/spec/imscase"
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
	Framework string // that a table is of
	Table     tabular.Options
	Open      func(pgx.Tx) io.Reader // in the transaction that the file is read into
}

// LoadFile reads a file into the caller's transaction, as Load reads a package.
// A *tabular.Error says what is wrong with a table. It writes no audit line.
func (s *Service) LoadFile(ctx context.Context, who access.Actor, tx pgx.Tx, f File) (Loaded, error) {
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return Loaded{}, err
	}
	b := bulk.Batch{Now: s.Now(), NewID: s.NewID}
	switch f.Form {
	case CASE:
		return Load(ctx, tx, who, b, f.Open(tx))
	case CTDL:
		pkg, losses, err := ctdlasn.Read(f.Open(tx))
		var bad *ctdlasn.Error
		if errors.As(err, &bad) {
			return Loaded{}, &imscase.Refused{Violations: []imscase.Violation{{Rule: bad.Rule, Pointer: bad.Node, Message: bad.Message}}}
		}
		if err != nil {
			return Loaded{}, err
		}
		l, err := Load(ctx, tx, who, b, bytes.NewReader(pkg))
		for _, x := range losses {
			l.Notices = append(l.Notices, fmt.Sprintf("CASE has no exact place for %s (%d times); it is kept beside and goes out again as CTDL-ASN.", x.Member, x.Count))
		}
		return l, err
	case Table:
		return s.loadTable(ctx, tx, who, b, f)
	}
	return Loaded{}, fmt.Errorf("load framework: unknown form %q", f.Form)
}

// WriteCTDL writes a framework as CTDL-ASN JSON-LD.
func (s *Service) WriteCTDL(ctx context.Context, who access.Actor, framework string, w io.Writer) error {
	var pkg bytes.Buffer
	if err := s.Export(ctx, who, framework, 0, &pkg); err != nil {
		return err
	}
	return ctdlasn.Write(w, pkg.Bytes())
}
