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
// that begins with the first statement that Snapshot reads, in the same round
// trip, and that the request's end ends.
type view struct {
	db   *DB
	who  access.Actor
	also string

	mu sync.Mutex // held by whoever reads; a second reader takes a moment of its own
	tx *viewTx
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
// after the other share it, and a Tenant in between ends the moment.
//
// also is one more query, without parameters and of one number, that is asked in
// the round trip that begins the view; Also has its answer.
func (db *DB) View(ctx context.Context, who access.Actor, also string) (context.Context, func()) {
	v := &view{db: db, who: who, also: also + besides}
	return context.WithValue(ctx, viewKey{}, v), func() {
		v.mu.Lock() // for good
		v.end(ctx)
	}
}

// Also is what the view of this transaction was asked besides; false for no row,
// and when the transaction is not a view's.
func Also(ctx context.Context, tx pgx.Tx) (int64, bool) {
	v := viewOf(ctx)
	own, ok := tx.(*viewTx)
	if !ok || v == nil || v.tx != own || own.begin(ctx) != nil {
		return 0, false
	}
	return own.number, own.asked
}

// Asked is Also for the moment that the context's view reads now; false before
// its first read, after its end, and while another reader reads.
func Asked(ctx context.Context) (int64, bool) {
	v := viewOf(ctx)
	if v == nil || !v.mu.TryLock() {
		return 0, false
	}
	defer v.mu.Unlock()
	if v.tx == nil {
		return 0, false
	}
	return v.tx.number, v.tx.asked
}

// read runs fn in the view's transaction. One that a statement broke is given
// up; the next read begins another.
func (v *view) read(ctx context.Context, fn func(pgx.Tx) error) error {
	if v.tx == nil {
		conn, err := v.db.Pool.Acquire(ctx)
		if err != nil {
			return Fault(err)
		}
		v.tx = &viewTx{view: v, on: conn}
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

// yield gives the view's connection back to a request that wants another one: if
// every request held one and waited for a second, none would get it. What is
// read afterwards is of another moment.
func (v *view) yield(ctx context.Context) {
	if v.mu.TryLock() {
		defer v.mu.Unlock()
		v.end(ctx)
	}
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
type viewTx struct {
	view   *view
	on     *pgxpool.Conn
	begun  bool
	number int64 // what also was answered, if it was
	asked  bool
}

const beginView = "begin isolation level repeatable read read only"

// send sends what begins the transaction, puts the actor in force and asks what
// is asked besides, together with what is queued behind it.
func (t *viewTx) send(ctx context.Context, behind ...*pgx.QueuedQuery) (pgx.BatchResults, error) {
	b, err := t.view.db.queued(t.view.who, beginView)
	if err != nil {
		return nil, err
	}
	b.Queue(t.view.also)
	b.QueuedQueries = append(b.QueuedQueries, behind...)
	t.begun = true
	all := t.on.SendBatch(ctx, b)
	for range 2 {
		if _, err := all.Exec(); err != nil {
			return nil, errors.Join(err, all.Close())
		}
	}
	err = all.QueryRow().Scan(&t.number)
	if t.asked = err == nil; err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, errors.Join(err, all.Close())
	}
	return all, nil
}

// begin begins the transaction, if nothing did.
func (t *viewTx) begin(ctx context.Context) error {
	if t.begun {
		return nil
	}
	all, err := t.send(ctx)
	if err != nil {
		return err
	}
	return all.Close()
}

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
	if t.begun {
		return t.on.SendBatch(ctx, b)
	}
	all, err := t.send(ctx, b.QueuedQueries...)
	if err != nil {
		return pgx.FailedBatchResults(b, err)
	}
	return all
}

// LargeObjects are none.
func (t *viewTx) LargeObjects() pgx.LargeObjects { return pgx.LargeObjects{} }

// Prepare prepares a statement on the view's connection.
func (t *viewTx) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	return t.on.Conn().Prepare(ctx, name, sql)
}

// Exec runs a statement.
func (t *viewTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if err := t.begin(ctx); err != nil {
		return pgconn.CommandTag{}, err
	}
	return t.on.Exec(ctx, sql, args...)
}

// Query reads rows.
func (t *viewTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if t.begun {
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
func (t *viewTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if t.begun {
		return t.on.QueryRow(ctx, sql, args...)
	}
	rest := &pgx.Batch{}
	rest.Queue(sql, args...)
	return &lastRow{t.SendBatch(ctx, rest)}
}

// Conn is the view's connection.
func (t *viewTx) Conn() *pgx.Conn { return t.on.Conn() }

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
