package pg

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
)

// View is the moment that one request is answered from: a read-only transaction
// that begins with the first statement that Snapshot reads, in the same round
// trip, and that the request's end ends.
type View struct {
	db    *DB
	who   access.Actor
	terms Terms
	ctx   context.Context

	mu sync.Mutex // held by whoever reads; a second reader takes a moment of its own
	tx *viewTx

	begun  int // transactions
	trips  int // messages that were sent and waited for
	number int64
	asked  bool

	wrote, broken atomic.Bool
}

// Terms are what a view is begun on. What is read is good for an answer only if
// they held until the end, which Kept says.
type Terms struct {
	// Also is one more query, without parameters and of one number, that is asked
	// in the round trip that begins the view; Also has its answer. "" is none.
	Also string
	// Only is what Also must answer; nil is anything. Nothing else is read, and
	// nothing is written, before it has.
	Only *int64
	// Once has the transaction end in the round trip that begins it: there is one
	// message to the database and nothing to end later. A second one is refused,
	// and so is a Tenant.
	Once bool
}

// errTerms is of what a view's terms do not allow. Its answer is thrown away, as
// that of a request that was given up.
var errTerms = fmt.Errorf("the terms of the view do not hold: %w", context.Canceled)

type viewKey struct{}

func viewOf(ctx context.Context) *View {
	v, _ := ctx.Value(viewKey{}).(*View)
	return v
}

// View gives a context in which every Snapshot of the actor sees the same
// moment and shares one transaction, so that an answer put together from many
// reads is true as a whole. It costs nothing before the first read. The view
// must be ended, after which the context reads as any other; only reads one
// after the other share it, and a Tenant in between ends the moment. also is as
// in Terms.
func (db *DB) View(ctx context.Context, who access.Actor, also string) (context.Context, func()) {
	ctx, v := db.ViewOn(ctx, who, Terms{Also: also})
	return ctx, v.End
}

// ViewOn is View on terms. It is ended with End.
func (db *DB) ViewOn(ctx context.Context, who access.Actor, terms Terms) (context.Context, *View) {
	v := &View{db: db, who: who, terms: terms}
	v.ctx = context.WithValue(ctx, viewKey{}, v)
	return v.ctx, v
}

// End ends the view for good.
func (v *View) End() {
	v.mu.Lock()
	v.end(v.ctx)
}

// Kept reports of an ended view whether its terms held for all that was read.
func (v *View) Kept() bool {
	return !v.broken.Load() && (v.terms.Only == nil || v.asked && v.number == *v.terms.Only)
}

// Plain reports of an ended view whether anything was read in it, and nothing
// written beside it; and whether one message to the database was all.
func (v *View) Plain() (read, once bool) {
	read = v.begun > 0 && !v.wrote.Load()
	return read, read && v.trips == 1
}

// Answer is what Also answered in the last moment of an ended view.
func (v *View) Answer() (int64, bool) { return v.number, v.asked }

// refuse notes that the terms do not hold.
func (v *View) refuse() error {
	v.broken.Store(true)
	return errTerms
}

// Also is what the view of this transaction was asked besides; false for no row,
// and when the transaction is not a view's.
func Also(ctx context.Context, tx pgx.Tx) (int64, bool) {
	v := viewOf(ctx)
	own, ok := tx.(*viewTx)
	if !ok || v == nil || v.tx != own || own.begin(ctx) != nil || v.broken.Load() {
		return 0, false
	}
	return v.number, v.asked
}

// Asked is Also for the moment that the context's view reads now; false before
// its first read, after its end, and while another reader reads.
func Asked(ctx context.Context) (int64, bool) {
	v := viewOf(ctx)
	if v == nil || !v.mu.TryLock() {
		return 0, false
	}
	defer v.mu.Unlock()
	if v.broken.Load() || v.tx == nil && !(v.terms.Once && v.begun == 1) {
		return 0, false
	}
	return v.number, v.asked
}

// read runs fn in the view's transaction. One that a statement broke is given
// up; the next read begins another.
func (v *View) read(ctx context.Context, fn func(pgx.Tx) error) error {
	if v.tx == nil {
		if v.terms.Once && v.begun > 0 {
			return v.refuse()
		}
		conn, err := v.db.Pool.Acquire(ctx)
		if err != nil {
			return Fault(err)
		}
		v.tx = &viewTx{view: v}
		v.tx.soon = soon{on: conn, send: v.tx.send, more: v.tx.more}
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

// leave is called before another transaction is begun in the view's context. It
// gives the view's connection back: if every request held one and waited for a
// second, none would get it. What is read afterwards is of another moment. An
// error forbids the transaction.
func (v *View) leave(ctx context.Context, o pgx.TxOptions) error {
	if o.AccessMode != pgx.ReadOnly {
		v.wrote.Store(true)
		if v.terms.Only != nil || v.terms.Once {
			return v.refuse()
		}
	}
	if !v.mu.TryLock() {
		if v.terms.Only != nil {
			return v.refuse() // whether they hold, the other reader is finding out
		}
		return nil
	}
	defer v.mu.Unlock()
	if !v.Kept() {
		return v.refuse()
	}
	v.end(ctx)
	return nil
}

// end ends the transaction; there is nothing to commit. A connection that does
// not answer is closed by the pool.
func (v *View) end(ctx context.Context) {
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
	soon
	view *View
}

const (
	beginView = "begin isolation level repeatable read read only"
	endView   = "commit"
)

// send sends what begins the transaction, puts the actor in force and asks what
// is asked besides, together with what is queued behind it.
func (t *viewTx) send(ctx context.Context, behind ...*pgx.QueuedQuery) (pgx.BatchResults, error) {
	v := t.view
	b := &pgx.Batch{}
	b.Queue(beginView)
	if err := v.db.enter(b, v.who, entering(v.terms.Also)); err != nil {
		return nil, err
	}
	b.QueuedQueries = append(b.QueuedQueries, behind...)
	if v.terms.Once {
		b.Queue(endView)
	}
	v.begun++
	v.trips++
	all := t.on.SendBatch(ctx, b)
	if _, err := all.Exec(); err != nil {
		return nil, errors.Join(err, all.Close())
	}
	var number *int64
	if err := all.QueryRow().Scan(nil, nil, nil, &number); err != nil {
		return nil, errors.Join(err, all.Close())
	}
	v.number, v.asked = 0, number != nil
	if v.asked {
		v.number = *number
	}
	if !v.Kept() {
		return nil, errors.Join(v.refuse(), all.Close())
	}
	return all, nil
}

// more is asked before every message behind the first.
func (t *viewTx) more() error {
	if t.view.terms.Once || t.view.broken.Load() {
		return t.view.refuse()
	}
	t.view.trips++
	return nil
}
