package exchange

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

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

// abandonedAfter is longer than any file takes to arrive.
const abandonedAfter = 2 * time.Hour

// Receive keeps a file as it comes in, a megabyte at a time. Limit when it is
// too large; nothing is kept of a file that does not arrive whole. No connection
// to the database is held while the sender takes its time.
func (s *Service) Receive(ctx context.Context, who access.Actor, name string, r io.Reader) (Upload, error) {
	if err := access.Check(who, access.Import); err != nil {
		return Upload{}, err
	}
	in := func(ctx context.Context, do func(pgx.Tx) error) error { return s.DB.Tenant(ctx, who, do) }
	u, err := s.receive(ctx, in, who, name, r)
	if err != nil && u.ID != "" {
		ctx, done := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer done()
		err = errors.Join(err, in(ctx, func(tx pgx.Tx) error { return removeUpload(ctx, tx, who, u.ID) }))
	}
	return u, err
}

// transacting runs something in a transaction: one of its own, or one that is
// under way.
type transacting func(context.Context, func(pgx.Tx) error) error

func under(tx pgx.Tx) transacting {
	return func(_ context.Context, do func(pgx.Tx) error) error { return do(tx) }
}

// receive is Receive in the transactions that it is given.
func (s *Service) receive(ctx context.Context, in transacting, who access.Actor, name string, r io.Reader) (Upload, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > maxName || strings.ContainsAny(name, "\x00\r\n") {
		return Upload{}, fault.At("name", "name", "A file has a name of at most %d bytes.", maxName)
	}
	now := pg.Instant(s.Now())
	u := Upload{ID: s.NewID("upl"), Name: name, CreatedBy: who.ID, CreatedAt: now, CompletedAt: &now}
	err := in(ctx, func(tx pgx.Tx) error {
		if err := forgetUploads(ctx, tx, who, now.Add(-abandonedAfter)); err != nil {
			return err
		}
		return insertUpload(ctx, tx, who, u)
	})
	if err != nil {
		return Upload{}, err
	}
	sum := sha256.New()
	chunk := make([]byte, chunkSize)
	for position := 1; ; position++ {
		n, ended := fill(r, chunk)
		if n > 0 {
			sum.Write(chunk[:n])
			if u.Size += int64(n); u.Size > MaxUpload {
				return u, &fault.Error{Kind: fault.Limit, Field: "file", Rule: "size", Message: fmt.Sprintf("A file has at most %d MB; cut it into several.", MaxUpload>>20)}
			}
			if err := in(ctx, func(tx pgx.Tx) error { return insertChunk(ctx, tx, who, u.ID, position, chunk[:n]) }); err != nil {
				return u, err
			}
		}
		if ended == io.EOF {
			break
		}
		if ended != nil {
			return u, ended
		}
	}
	if u.Size == 0 {
		return u, fault.At("file", "not-empty", "The file is empty.")
	}
	u.Sha256 = sum.Sum(nil)
	return u, in(ctx, func(tx pgx.Tx) error {
		if err := completeUpload(ctx, tx, who, u); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.Import, Target: u.ID, Detail: map[string]any{"bytes": u.Size}})
	})
}

// fill reads until a chunk is full. Unlike io.ReadFull it tells a file that has
// come to its end, by io.EOF, from a connection that was cut off.
func fill(r io.Reader, chunk []byte) (n int, err error) {
	for n < len(chunk) && err == nil {
		var m int
		m, err = r.Read(chunk[n:])
		n += m
	}
	return n, err
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
