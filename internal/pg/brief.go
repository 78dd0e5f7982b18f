package pg

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/testamur/testamur/internal/access"
)

// Brief is Tenant for what is done often and is short: it takes as many round
// trips as fn asks and one. What begins the transaction goes with the first that
// fn asks, and what fn queues for the end with the commit: either all of that is
// done and committed, or nothing of the transaction is. What is queued may have a
// callback, which runs behind the commit.
func (db *DB) Brief(ctx context.Context, who access.Actor, fn func(tx pgx.Tx, end *pgx.Batch) error) error {
	if v := viewOf(ctx); v != nil && v.db == db {
		if err := v.leave(ctx, pgx.TxOptions{}); err != nil {
			return err
		}
	}
	conn, err := db.Pool.Acquire(ctx)
	if err != nil {
		return Fault(err)
	}
	defer func() {
		if conn.Conn().PgConn().TxStatus() != 'I' {
			_, _ = conn.Conn().PgConn().Exec(context.WithoutCancel(ctx), "rollback").ReadAll()
		}
		conn.Release()
	}()
	tx := &soon{on: conn, more: func() error { return nil }}
	tx.send = func(ctx context.Context, behind ...*pgx.QueuedQuery) (pgx.BatchResults, error) {
		b := &pgx.Batch{}
		b.Queue("begin")
		if err := db.enter(b, who, prepared+besides); err != nil {
			return nil, err
		}
		b.QueuedQueries = append(b.QueuedQueries, behind...)
		all := conn.SendBatch(ctx, b)
		for range 2 {
			if _, err := all.Exec(); err != nil {
				return nil, errors.Join(err, all.Close())
			}
		}
		return all, nil
	}
	end := &pgx.Batch{}
	if err := fn(tx, end); err != nil {
		return Fault(err)
	}
	end.Queue("commit").Exec(func(done pgconn.CommandTag) error {
		if done.String() != "COMMIT" { // a statement had failed before, and nobody said so
			return pgx.ErrTxCommitRollback
		}
		return nil
	})
	return Fault(tx.SendBatch(ctx, end).Close())
}

// soon is a connection as a transaction that begins with the first statement, in
// the same round trip. Whoever made it ends it.
type soon struct {
	on    *pgxpool.Conn
	begun bool
	// send sends what begins the transaction and what is queued behind it, and reads
	// the answers to the former.
	send func(ctx context.Context, behind ...*pgx.QueuedQuery) (pgx.BatchResults, error)
	more func() error // is asked before every message behind the first
}

// begin begins the transaction, if nothing did.
func (t *soon) begin(ctx context.Context) error {
	if t.begun {
		return nil
	}
	all, err := t.send(ctx)
	t.begun = err == nil
	if err != nil {
		return err
	}
	return all.Close()
}

var errSoon = errors.New("this transaction is ended by whoever began it")

// Begin is refused: it has no parts.
func (t *soon) Begin(context.Context) (pgx.Tx, error) { return nil, errSoon }

// Commit is refused.
func (t *soon) Commit(context.Context) error { return errSoon }

// Rollback is refused.
func (t *soon) Rollback(context.Context) error { return errSoon }

// CopyFrom is refused.
func (t *soon) CopyFrom(context.Context, pgx.Identifier, []string, pgx.CopyFromSource) (int64, error) {
	return 0, errSoon
}

// SendBatch sends statements together.
func (t *soon) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	for _, q := range b.QueuedQueries {
		q.SQL, q.Arguments = inOrder(ctx, q.SQL, q.Arguments)
	}
	if t.begun {
		if err := t.more(); err != nil {
			return pgx.FailedBatchResults(b, err)
		}
		return t.on.SendBatch(ctx, b)
	}
	all, err := t.send(ctx, b.QueuedQueries...)
	t.begun = err == nil
	if err != nil {
		return pgx.FailedBatchResults(b, err)
	}
	return all
}

// LargeObjects are none.
func (t *soon) LargeObjects() pgx.LargeObjects { return pgx.LargeObjects{} }

// Prepare prepares a statement on its connection.
func (t *soon) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	return t.on.Conn().Prepare(ctx, name, sql)
}

// Exec runs a statement.
func (t *soon) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if err := t.begin(ctx); err != nil {
		return pgconn.CommandTag{}, err
	}
	if err := t.more(); err != nil {
		return pgconn.CommandTag{}, err
	}
	return t.on.Exec(ctx, sql, args...)
}

// Query reads rows.
func (t *soon) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if t.begun {
		if err := t.more(); err != nil {
			return pgx.FailedBatchResults(&pgx.Batch{}, err).Query()
		}
		sql, args = inOrder(ctx, sql, args)
		return t.on.Query(ctx, sql, args...)
	}
	rest := &pgx.Batch{}
	rest.Queue(sql, args...)
	all := t.SendBatch(ctx, rest)
	rows, err := all.Query()
	last := &lastRows{rows, all}
	if err != nil {
		last.Close()
	}
	return last, err
}

// QueryRow reads one row.
func (t *soon) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if t.begun {
		if err := t.more(); err != nil {
			return pgx.FailedBatchResults(&pgx.Batch{}, err).QueryRow()
		}
		sql, args = inOrder(ctx, sql, args)
		return t.on.QueryRow(ctx, sql, args...)
	}
	rest := &pgx.Batch{}
	rest.Queue(sql, args...)
	return &lastRow{t.SendBatch(ctx, rest)}
}

// Conn is its connection.
func (t *soon) Conn() *pgx.Conn { return t.on.Conn() }

// lastRows are the rows of the last statement of a batch, which ends with them.
type lastRows struct {
	pgx.Rows
	all pgx.BatchResults
}

// Next goes to the next row; behind the last, the batch is closed.
func (r *lastRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

// Close ends the rows and the batch.
func (r *lastRows) Close() {
	r.Rows.Close()
	_ = r.all.Close() // what went wrong is the rows' error
}

// lastRow is the row of the last statement of a batch.
type lastRow struct{ all pgx.BatchResults }

// Scan reads the row and ends the batch.
func (r *lastRow) Scan(into ...any) error {
	err := r.all.QueryRow().Scan(into...)
	_ = r.all.Close() // what went wrong is the row's error
	return err
}
