package exchange

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/pg"
)

// The limits of an upload.
const (
	MaxUpload = 1 << 30 // bytes
	chunkSize = 1 << 20
	maxName   = 255
)

// Receive keeps a file as it comes in, a megabyte at a time. Limit when it is
// too large; nothing is kept of a file that does not arrive whole.
func (s *Service) Receive(ctx context.Context, who access.Actor, name string, r io.Reader) (Upload, error) {
	if err := access.Check(who, access.Import); err != nil {
		return Upload{}, err
	}
	var u Upload
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		u, err = s.receive(ctx, tx, who, name, r)
		return err
	})
	return u, err
}

// receive is Receive in a transaction.
func (s *Service) receive(ctx context.Context, tx pgx.Tx, who access.Actor, name string, r io.Reader) (Upload, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > maxName || strings.ContainsAny(name, "\x00\r\n") {
		return Upload{}, fault.At("name", "name", "A file has a name of at most %d bytes.", maxName)
	}
	now := pg.Instant(s.Now())
	u := Upload{ID: s.NewID("upl"), Name: name, CreatedBy: who.ID, CreatedAt: now, CompletedAt: &now}
	if err := insertUpload(ctx, tx, who, u); err != nil {
		return u, err
	}
	sum := sha256.New()
	chunk := make([]byte, chunkSize)
	for position := 1; ; position++ {
		n, err := io.ReadFull(r, chunk)
		if n > 0 {
			sum.Write(chunk[:n])
			if u.Size += int64(n); u.Size > MaxUpload {
				return u, &fault.Error{Kind: fault.Limit, Field: "file", Rule: "size", Message: fmt.Sprintf("A file has at most %d MB; cut it into several.", MaxUpload>>20)}
			}
			if err := insertChunk(ctx, tx, who, u.ID, position, chunk[:n]); err != nil {
				return u, err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return u, err
		}
	}
	if u.Size == 0 {
		return u, fault.At("file", "not-empty", "The file is empty.")
	}
	u.Sha256 = sum.Sum(nil)
	if err := completeUpload(ctx, tx, who, u); err != nil {
		return u, err
	}
	return u, audit.Write(ctx, tx, now, who, audit.Entry{Action: access.Import, Target: u.ID, Detail: map[string]any{"bytes": u.Size}})
}

// chunks reads an upload, one chunk at a time.
type chunks struct {
	next     func(position int) ([]byte, error) // pgx.ErrNoRows behind the last
	position int
	rest     []byte
}

// inShort reads each chunk in a short transaction of its own.
func (s *Service) inShort(ctx context.Context, who access.Actor, upload string) *chunks {
	return &chunks{next: func(position int) (b []byte, err error) {
		err = s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
			b, err = chunkAt(ctx, tx, who, upload, position)
			return err
		})
		return b, err
	}}
}

// Read gives the next bytes.
func (c *chunks) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		c.position++
		var err error
		c.rest, err = c.next(c.position)
		if errors.Is(err, pgx.ErrNoRows) {
			return 0, io.EOF
		}
		if err != nil {
			return 0, err
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}
