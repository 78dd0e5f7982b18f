package pg

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
)

// view is the moment that one request is answered from: a read-only transaction
// that Snapshot begins when it first reads and that the request's end ends.
type view struct {
	db  *DB
	who access.Actor

	mu   sync.Mutex // held by whoever reads; a second reader takes a moment of its own
	conn pgx.Tx
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
func (db *DB) View(ctx context.Context, who access.Actor) (context.Context, func()) {
	v := &view{db: db, who: who}
	return context.WithValue(ctx, viewKey{}, v), func() {
		v.mu.Lock() // for good
		v.end(ctx)
	}
}

// read runs fn in the view's transaction. One that a statement broke is given
// up; the next read begins another.
func (v *view) read(ctx context.Context, fn func(pgx.Tx) error) error {
	if v.conn == nil {
		o, err := v.db.inForce(snapshot, v.who)
		if err != nil {
			return err
		}
		if v.conn, err = v.db.Pool.BeginTx(ctx, o); err != nil {
			v.conn = nil
			return Fault(err)
		}
	}
	whole := false
	defer func() {
		if !whole {
			v.end(ctx)
		}
	}()
	err := fn(v.conn)
	whole = v.conn.Conn().PgConn().TxStatus() == 'T'
	return Fault(err)
}

// end ends the transaction; there is nothing to commit.
func (v *view) end(ctx context.Context) {
	if v.conn == nil {
		return
	}
	_ = v.conn.Rollback(context.WithoutCancel(ctx)) // a connection that is gone has nothing to roll back
	v.conn = nil
}
