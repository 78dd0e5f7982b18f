// Package pg opens PostgreSQL and runs transactions in which one actor of one
// institution is in force.
//
// Every statement that touches an institution's rows runs inside Tenant: it
// takes a role that owns nothing and may not bypass row security, and sets the
// institution, roles and learner that the policies compare with. pg also turns
// a broken constraint into a fault, and counts statements so that tests can
// hold a request to a budget. It knows no noun.
package pg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
)

// AppRole is the database role of a request. The migrations make it; it owns
// no table and is subject to every policy.
const AppRole = "testamur_app"

// DB is the pool, with what Tenant needs. The zero As is the identity.
type DB struct {
	Pool *pgxpool.Pool

	// As lets a test put another actor in force in the database than the one
	// the application checked, to show that row security holds alone.
	As func(access.Actor) access.Actor
}

// Options of a pool. The zero value is right for the service.
type Options struct {
	MaxConns int32           // 0: what the URL says with pool_max_conns, or 16
	Tracer   pgx.QueryTracer // nil: none
	// Unguarded leaves out the role of a request, so that row security does
	// not apply where the login may bypass it. Only tests set it, to show that
	// the application's own checks hold alone.
	Unguarded bool
}

// defaultConns is more than there are processors: a commit waits for the disk.
const defaultConns = 16

// Open connects to a migrated database. Unavailable when there is no answer.
func Open(ctx context.Context, url string, o Options) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fault.New(fault.Invalid, "The database URL cannot be read; write it as postgres://user@host/name.").Because(errors.New("parse database url"))
	}
	switch {
	case o.MaxConns > 0:
		cfg.MaxConns = o.MaxConns
	case !strings.Contains(url, "pool_max_conns"):
		cfg.MaxConns = defaultConns
	}
	cfg.ConnConfig.Tracer = o.Tracer
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		makingRoom(conn.TypeMap())
		if o.Unguarded {
			return nil
		}
		return takeAppRole(ctx, conn)
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "The database does not answer.").Because(err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fault.New(fault.Unavailable, "The database does not answer.").Because(err)
	}
	return &DB{Pool: pool}, nil
}

// takeAppRole makes every connection of the pool an ordinary one, and refuses
// a role that could look past the policies.
func takeAppRole(ctx context.Context, conn *pgx.Conn) error {
	ctx = context.WithValue(ctx, counterKey{}, nil) // opening a connection is not the request's own work
	if _, err := conn.Exec(ctx, "set role "+AppRole); err != nil {
		return fmt.Errorf("take role %s: %w", AppRole, err)
	}
	var bypass bool
	err := conn.QueryRow(ctx, `select rolsuper or rolbypassrls from pg_roles where rolname = current_user`).Scan(&bypass)
	if err != nil {
		return fmt.Errorf("check role %s: %w", AppRole, err)
	}
	if bypass {
		return fmt.Errorf("role %s may bypass row security: alter role %s nosuperuser nobypassrls", AppRole, AppRole)
	}
	return nil
}

// Close ends the pool.
func (db *DB) Close() { db.Pool.Close() }

// Tenant runs fn in one transaction with the actor in force. It commits when
// fn returns nil. A constraint that fn or the commit breaks comes back as a
// fault; a lost connection as Unavailable.
func (db *DB) Tenant(ctx context.Context, who access.Actor, fn func(pgx.Tx) error) error {
	return db.tenant(ctx, who, pgx.TxOptions{}, fn)
}

// Snapshot is Tenant in a read-only transaction that sees one moment: the
// moment of the context's View, if it has one for this actor.
func (db *DB) Snapshot(ctx context.Context, who access.Actor, fn func(pgx.Tx) error) error {
	if v := viewOf(ctx); v != nil && v.db == db && v.who.Equal(who) && v.mu.TryLock() {
		defer v.mu.Unlock()
		return v.read(ctx, fn)
	}
	return db.tenant(ctx, who, snapshot, fn)
}

var snapshot = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}

func (db *DB) tenant(ctx context.Context, who access.Actor, o pgx.TxOptions, fn func(pgx.Tx) error) error {
	if v := viewOf(ctx); v != nil && v.db == db {
		if err := v.leave(ctx, o); err != nil {
			return err
		}
	}
	o, err := db.inForce(o, who)
	if err != nil {
		return err
	}
	return Fault(pgx.BeginTxFunc(ctx, db.Pool, o, fn))
}

// inForce is the options with an actor in force from the first statement on.
func (db *DB) inForce(o pgx.TxOptions, who access.Actor) (pgx.TxOptions, error) {
	if db.As != nil {
		who = db.As(who)
	}
	set, err := settings(who)
	o.BeginQuery = begin(o) + "; " + set
	return o, err
}

// begin is the statement for the options; pgx would write it itself, but not
// together with the settings in one round trip.
func begin(o pgx.TxOptions) string {
	var b strings.Builder
	b.WriteString("begin")
	if o.IsoLevel != "" {
		b.WriteString(" isolation level " + string(o.IsoLevel))
	}
	if o.AccessMode != "" {
		b.WriteString(" " + string(o.AccessMode))
	}
	return b.String()
}

// settings are the SET LOCALs that the policies read. SET takes no parameters,
// so every value is checked to be an id or a role before it is quoted.
func settings(who access.Actor) (string, error) {
	roles, err := rolesOf(who)
	return "set local app.institution = '" + who.InstitutionID +
		"'; set local app.learner = '" + who.LearnerID +
		"'; set local app.roles = '" + roles + "'", err
}

// rolesOf are the roles of an actor of whom everything is an id or a role.
func rolesOf(who access.Actor) (string, error) {
	if who.InstitutionID != "" && !id.Valid("ins", who.InstitutionID) {
		return "", fmt.Errorf("actor of %q: not an institution", who.InstitutionID)
	}
	if who.LearnerID != "" && !id.Valid("lrn", who.LearnerID) {
		return "", fmt.Errorf("actor for %q: not a learner", who.LearnerID)
	}
	roles := make([]string, len(who.Roles))
	for i, r := range who.Roles {
		if strings.Trim(string(r), "abcdefghijklmnopqrstuvwxyz_") != "" {
			return "", fmt.Errorf("actor with role %q: not a role", r)
		}
		roles[i] = string(r)
	}
	return strings.Join(roles, ","), nil
}

// prepared is settings as a statement that each connection prepares once. It is
// queued before others and sent with them.
const prepared = `select set_config('app.institution', $1, true), set_config('app.learner', $2, true), set_config('app.roles', $3, true)`

// besides marks a statement that is not a request's own, and is not counted.
const besides = ` -- besides`

// entering puts an actor in force, and asks also when that is done: the columns
// of a select are found one after the other.
func entering(also string) string {
	if also == "" {
		also = "null"
	}
	return prepared + ", (" + also + ")" + besides
}

// enter queues what puts the actor in force.
func (db *DB) enter(b *pgx.Batch, who access.Actor, sql string) error {
	if db.As != nil {
		who = db.As(who)
	}
	roles, err := rolesOf(who)
	b.Queue(sql, who.InstitutionID, who.LearnerID, roles)
	return err
}

// One reads with one statement, with the actor in force, in one round trip. What
// the rows are, fn says; its error is One's.
func (db *DB) One(ctx context.Context, who access.Actor, fn func(pgx.Rows) error, sql string, args ...any) error {
	b := &pgx.Batch{}
	if err := db.enter(b, who, prepared+besides); err != nil {
		return err
	}
	b.Queue(sql, args...)
	all := db.Pool.SendBatch(ctx, b) // what is sent together is one transaction
	defer all.Close()
	if _, err := all.Exec(); err != nil {
		return Fault(err)
	}
	rows, err := all.Query()
	if err != nil {
		return Fault(err)
	}
	return Fault(fn(rows))
}

// Fault turns what the database says into a fault where a caller can act on
// it. Nouns translate their own constraints first; what reaches this function
// is the rest.
func Fault(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := fault.Of(err); ok {
		return err
	}
	var broken *pgconn.PgError
	if errors.As(err, &broken) {
		return ofCode(broken)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var dial *pgconn.ConnectError
	if errors.As(err, &dial) || pgconn.SafeToRetry(err) {
		return unavailable(err)
	}
	var cut *net.OpError
	if errors.As(err, &cut) || errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "conn closed") {
		return interrupted(err)
	}
	return err
}

// interrupted is of a connection that broke after something was sent: a commit
// may have arrived.
func interrupted(err error) error {
	return fault.New(fault.Unavailable, "The database went away in the middle. If you changed something, look whether it was done before you send it again.").Because(err)
}

func unavailable(err error) error {
	return fault.New(fault.Unavailable, "The database is away. Nothing was changed; try again in a moment.").Because(err)
}

func ofCode(e *pgconn.PgError) error {
	switch {
	case e.Code == "23505":
		return fault.New(fault.Conflict, "This exists already (%s).", plain(e.ConstraintName)).Because(e)
	case e.Code == "23503":
		return fault.New(fault.Invalid, "This refers to something that does not exist, or is referred to (%s).", plain(e.ConstraintName)).Because(e)
	case e.Code == "23514" || e.Code == "23502":
		return fault.New(fault.Invalid, "This breaks the rule %s.", plain(e.ConstraintName+e.ColumnName)).Because(e)
	case e.Code == "42501":
		return fault.New(fault.Forbidden, "Your roles do not allow this.").Because(e)
	case e.Code == "40001" || e.Code == "40P01":
		return fault.New(fault.Unavailable, "Somebody else changed the same thing at the same moment. Nothing was changed; try again.").Because(e)
	case strings.HasPrefix(e.Code, "08"), strings.HasPrefix(e.Code, "57P"), strings.HasPrefix(e.Code, "53"):
		return unavailable(e)
	}
	return e
}

// plain is a constraint's name as words.
func plain(name string) string { return strings.ReplaceAll(name, "_", " ") }

// Constraint is the name of the constraint that err broke, or "".
func Constraint(err error) string {
	var broken *pgconn.PgError
	if errors.As(err, &broken) {
		return broken.ConstraintName
	}
	return ""
}

// Counter counts the statements of a context, as a tracer of the pool.
type Counter struct{}

type counterKey struct{}

// Count gives a context whose statements are counted, and the count.
func Count(ctx context.Context) (context.Context, *Statements) {
	n := &Statements{}
	return context.WithValue(ctx, counterKey{}, n), n
}

// TraceQueryStart notes a statement.
func (Counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	if n, ok := ctx.Value(counterKey{}).(*Statements); ok {
		n.add(d.SQL)
	}
	return ctx
}

// TraceQueryEnd does nothing.
func (Counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart does nothing: a batch counts by its statements.
func (Counter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

// TraceBatchQuery notes a statement of a batch.
func (Counter) TraceBatchQuery(ctx context.Context, _ *pgx.Conn, d pgx.TraceBatchQueryData) {
	if n, ok := ctx.Value(counterKey{}).(*Statements); ok {
		n.add(d.SQL)
	}
}

// TraceBatchEnd does nothing.
func (Counter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// Instant is t in UTC with the microseconds that PostgreSQL keeps, so that
// what was written equals what is read.
func Instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
