package exchange

import (
	"context"
	"errors"
	"io"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/tabular"
)

// framework is the file of a framework, to be read as the options say.
func (o Options) framework(ctx context.Context, who access.Actor, k Kind, upload string) framework.File {
	return framework.File{Form: k.framework(), Framework: o.Framework, Table: o.table(k), Open: func(tx pgx.Tx) io.Reader {
		return &chunks{next: func(position int) ([]byte, error) { return chunkAt(ctx, tx, who, upload, position) }}
	}}
}

func (o Options) table(k Kind) tabular.Options {
	columns := map[string]string{}
	for _, c := range o.Columns {
		columns[c.Field] = c.Header
	}
	return tabular.Options{Format: o.Format, Encoding: o.Encoding, Delimiter: o.Delimiter, Columns: columns, Fields: fields[k]}
}

// PreviewFramework says what an upload of a framework would change, and writes
// nothing. Limit when it is larger than MaxPreview: import it as a job.
func (s *Service) PreviewFramework(ctx context.Context, who access.Actor, o Order) (framework.Comparison, error) {
	file, err := s.frameworkFile(ctx, who, o)
	if err != nil {
		return framework.Comparison{}, err
	}
	c, err := s.Frameworks.Preview(ctx, who, file)
	return c, frameworkFault(err)
}

// ApplyFramework imports an upload of a framework at once, whole or not at all.
func (s *Service) ApplyFramework(ctx context.Context, who access.Actor, expected *int, o Order) (framework.Framework, framework.Comparison, error) {
	file, err := s.frameworkFile(ctx, who, o)
	if err != nil {
		return framework.Framework{}, framework.Comparison{}, err
	}
	f, c, err := s.Frameworks.Apply(ctx, who, expected, file)
	return f, c, frameworkFault(err)
}

// MaxPreview is the largest file, in bytes, that is compared while a caller
// waits.
const MaxPreview = 64 << 20

func (s *Service) frameworkFile(ctx context.Context, who access.Actor, o Order) (framework.File, error) {
	if err := access.Check(who, access.Import); err != nil {
		return framework.File{}, err
	}
	if err := access.Check(who, access.DefineCatalog); err != nil {
		return framework.File{}, err
	}
	if err := o.check(); err != nil {
		return framework.File{}, err
	}
	if o.Kind.framework() == "" {
		return framework.File{}, fault.At("kind", "kind", "%s is not a file of a framework.", o.Kind)
	}
	var u Upload
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
		u, err = findUpload(ctx, tx, who, o.UploadID)
		return err
	})
	if f, ok := fault.Of(err); ok {
		return framework.File{}, f.Within("uploadId")
	}
	if err == nil && u.Size > MaxPreview {
		err = &fault.Error{Kind: fault.Limit, Field: "uploadId", Rule: "size", Message: "This file is too large to be compared while you wait. Import it as a job."}
	}
	return o.Options.framework(ctx, who, o.Kind, u.ID), err
}

// frameworkFault is a file that was refused as a fault.
func frameworkFault(err error) error {
	var bad *tabular.Error
	if errors.As(err, &bad) {
		return &fault.Error{Kind: fault.Invalid, Field: bad.Column, Rule: bad.Rule, Message: bad.Error()}
	}
	return framework.Refusal(err)
}
