package pg

import (
	"context"
	"errors"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/testamur/testamur/internal/access"
)

// view is the moment that one request is answered from: a read-only transaction
// that Snapshot begins when it first reads and that the request's end ends.
type view struct {
	db   *DB
	who  access.Actor
	also string

	mu    sync.Mutex // held by whoever reads; a second reader takes a moment of its own
	tx    *viewTx
	asked string // what also was answered; empty for no row
}

type viewKey struct{}

func viewOf(ctx context.Context) *view {
	v, _ := ctx.Value(viewKey{}).(*view)
	return v
}

// View gives a context in which every Snapshot of the actor sees the same
// moment and shares one transaction, so that an answer put together from many
// reads is true as a whole. It costs nothing before the first read. The view
// must be ended, after which the context reads as any other; only reads one
// after the other share it.
//
// also is one more query, without parameters and of one value, that is asked in
// the round trip that begins the view; Also has its answer.
func (db *DB) View(ctx context.Context, who access.Actor, also string) (context.Context, func()) {
	v := &view{db: db, who: who, also: also}
	return context.WithValue(ctx, viewKey{}, v), func() {
		v.mu.Lock() // for good
		v.end(ctx)
	}
}

// Also is what the view of this transaction was asked besides, empty for no row;
// false when the transaction is not a view's.
func Also(ctx context.Context, tx pgx.Tx) (string, bool) {
	v := viewOf(ctx)
	if own, ok := tx.(*viewTx); !ok || v == nil || v.tx != own {
		return "", false
	}
	return v.asked, true
}

// Asked is Also for the moment that the context's view reads now; false before
// its first read, after its end, and while another reader reads.
func Asked(ctx context.Context) (string, bool) {
	v := viewOf(ctx)
	if v == nil || !v.mu.TryLock() {
		return "", false
	}
	defer v.mu.Unlock()
	return v.asked, v.tx != nil
}

// read runs fn in the view's transaction. One that a statement broke is given
// up; the next read begins another.
func (v *view) read(ctx context.Context, fn func(pgx.Tx) error) error {
	if v.tx == nil {
		if err := v.begin(ctx); err != nil {
			return Fault(err)
		}
	}
	whole := false
	defer func() {
		if !whole {
			v.end(ctx)
		}
	}()
	err := fn(v.tx)
	whole = v.tx.on.Conn().PgConn().TxStatus() == 'T'
	return Fault(err)
}

// begin begins the transaction, puts the actor in force and asks what is asked
// besides, in one round trip.
func (v *view) begin(ctx context.Context) error {
	o, err := v.db.inForce(snapshot, v.who)
	if err != nil {
		return err
	}
	conn, err := v.db.Pool.Acquire(ctx)
	if err != nil {
		return err
	}
	v.tx = &viewTx{conn}
	all, err := conn.Conn().PgConn().Exec(ctx, o.BeginQuery+"; "+v.also).ReadAll()
	if err != nil {
		v.end(ctx)
		return err
	}
	v.asked = ""
	if rows := all[len(all)-1].Rows; len(rows) == 1 {
		v.asked = string(rows[0][0])
	}
	return nil
}

// end ends the transaction; there is nothing to commit. A connection that does
// not answer is closed by the pool.
func (v *view) end(ctx context.Context) {
	if v.tx == nil {
		return
	}
	conn := v.tx.on
	v.tx = nil
	if status := conn.Conn().PgConn().TxStatus(); status != 'I' {
		_, _ = conn.Conn().PgConn().Exec(context.WithoutCancel(ctx), "rollback").ReadAll()
	}
	conn.Release()
}

// viewTx is a view's connection as a transaction. It is ended by the view.
type viewTx struct{ on *pgxpool.Conn }

var errView = errors.New("a view is only read, and ended by its request")

// Begin is refused: a view has no parts.
func (t *viewTx) Begin(context.Context) (pgx.Tx, error) { return nil, errView }

// Commit is refused: the view is ended by its request.
func (t *viewTx) Commit(context.Context) error { return errView }

// Rollback is refused: the view is ended by its request.
func (t *viewTx) Rollback(context.Context) error { return errView }

// CopyFrom is refused: a view is only read.
func (t *viewTx) CopyFrom(context.Context, pgx.Identifier, []string, pgx.CopyFromSource) (int64, error) {
	return 0, errView
}

// SendBatch sends statements together.
func (t *viewTx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return t.on.SendBatch(ctx, b)
}

// LargeObjects are none.
func (t *viewTx) LargeObjects() pgx.LargeObjects { return pgx.LargeObjects{} }

// Prepare prepares a statement on the view's connection.
func (t *viewTx) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	return t.on.Conn().Prepare(ctx, name, sql)
}

// Exec runs a statement.
func (t *viewTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return t.on.Exec(ctx, sql, args...)
}

// Query reads rows.
func (t *viewTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return t.on.Query(ctx, sql, args...)
}

// QueryRow reads one row.
func (t *viewTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return t.on.QueryRow(ctx, sql, args...)
}

// Conn is the view's connection.
func (t *viewTx) Conn() *pgx.Conn { return t.on.Conn() }
