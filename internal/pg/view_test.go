package pg_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/pgtest"
)

var who = access.Actor{ID: "cli_x", InstitutionID: "ins_01jdq9r4m0e9v8k7n6p5q4r3s2", Roles: []access.Role{access.Registrar}}

// moment is the transaction that a snapshot of the context reads in.
func moment(ctx context.Context, db *pg.DB, who access.Actor) (id, backend int64, err error) {
	err = db.Snapshot(ctx, who, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `select extract(epoch from transaction_timestamp())*1000000, pg_backend_pid()`).Scan(&id, &backend)
	})
	return id, backend, err
}

func TestReadsOfAViewSeeOneMoment(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ctx, end := db.View(t.Context(), who, "select 1")
	first, _, err := moment(ctx, db, who)
	if err != nil {
		t.Fatal(err)
	}
	if second, _, err := moment(ctx, db, who); err != nil || second != first {
		t.Errorf("the second read saw %d, the first %d: %v", second, first, err)
	}
	other := who
	other.Roles = []access.Role{access.Learner}
	if third, _, err := moment(ctx, db, other); err != nil || third == first {
		t.Errorf("another actor read in the view's transaction: %v", err)
	}
	end()
	if after, _, err := moment(ctx, db, who); err != nil || after == first {
		t.Errorf("the view was read after its end: %v", err)
	}
	if n := db.Pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections are still taken", n)
	}
}

func TestAViewOutlivesAStatementThatFails(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ctx, end := db.View(t.Context(), who, "select 1")
	defer end()
	before, _, err := moment(ctx, db, who)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Snapshot(ctx, who, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "select 1/0")
		return err
	})
	if err == nil {
		t.Fatal("one by zero is no error")
	}
	if after, _, err := moment(ctx, db, who); err != nil || after == before {
		t.Errorf("the broken transaction was read again: %v", err)
	}
	if err := db.Snapshot(ctx, who, func(pgx.Tx) error { return errors.New("no statement") }); err == nil {
		t.Error("the reader's own error was lost")
	}
}

// A read inside a read, as of two goroutines, takes a moment of its own instead
// of waiting for itself.
func TestAReadInsideAReadTakesItsOwnMoment(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ctx, end := db.View(t.Context(), who, "select 1")
	defer end()
	err := db.Snapshot(ctx, who, func(tx pgx.Tx) error {
		var outer int64
		if err := tx.QueryRow(ctx, "select pg_backend_pid()").Scan(&outer); err != nil {
			return err
		}
		_, inner, err := moment(ctx, db, who)
		if err == nil && inner == outer {
			t.Error("both read in one transaction")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAViewIsAskedSomethingBesides(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	for also, want := range map[string]int64{"select 7 where app_institution() = '" + who.InstitutionID + "'": 7, "select 7 where app_learner() = 'lrn_x'": 0} {
		ctx, end := db.View(t.Context(), who, also)
		err := db.Snapshot(ctx, who, func(tx pgx.Tx) error {
			if got, ok := pg.Also(ctx, tx); got != want || ok != (want != 0) {
				t.Errorf("%s: %d, %v", also, got, ok)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		end()
	}
	err := db.Snapshot(t.Context(), who, func(tx pgx.Tx) error {
		if _, ok := pg.Also(t.Context(), tx); ok {
			t.Error("a transaction without a view was asked something")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A request never holds one connection while it waits for another: as many
// requests as there are connections would wait for each other.
func TestAViewGivesItsConnectionToATransaction(t *testing.T) {
	t.Parallel()
	db := pgtest.Open(t, pgtest.URL(t), pg.Options{MaxConns: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ctx, end := db.View(ctx, who, "select 1")
	defer end()
	before, _, err := moment(ctx, db, who)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Tenant(ctx, who, func(tx pgx.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if after, _, err := moment(ctx, db, who); err != nil || after == before {
		t.Errorf("the moment did not end with the transaction: %v", err)
	}
}

// However a view's first statement is sent, it sees the moment that the next
// ones see, with the actor in force, and leaves the connection ready.
func TestAViewBeginsWithItsFirstStatement(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	const sql = "select app_institution() || $1::text where current_setting('transaction_isolation') = 'repeatable read' and current_setting('transaction_read_only') = 'on'"
	want := who.InstitutionID + "x"
	first := map[string]func(context.Context, pgx.Tx) (string, error){
		"query": func(ctx context.Context, tx pgx.Tx) (string, error) {
			rows, _ := tx.Query(ctx, sql, "x")
			return pgx.CollectExactlyOneRow(rows, pgx.RowTo[string])
		},
		"row": func(ctx context.Context, tx pgx.Tx) (got string, err error) {
			err = tx.QueryRow(ctx, sql, "x").Scan(&got)
			return got, err
		},
		"named": func(ctx context.Context, tx pgx.Tx) (got string, err error) {
			err = tx.QueryRow(ctx, strings.ReplaceAll(sql, "$1", "@x"), pgx.NamedArgs{"x": "x"}).Scan(&got)
			return got, err
		},
		"rows that are left": func(ctx context.Context, tx pgx.Tx) (got string, err error) {
			rows, err := tx.Query(ctx, sql+" or true", "x")
			if err != nil {
				return "", err
			}
			defer rows.Close()
			rows.Next()
			return got, rows.Scan(&got)
		},
		"batch": func(ctx context.Context, tx pgx.Tx) (got string, err error) {
			b := &pgx.Batch{}
			b.Queue(sql, "x").QueryRow(func(r pgx.Row) error { return r.Scan(&got) })
			b.Queue("select 1")
			return got, tx.SendBatch(ctx, b).Close()
		},
		"exec": func(ctx context.Context, tx pgx.Tx) (got string, err error) {
			if _, err := tx.Exec(ctx, "select 1"); err != nil {
				return "", err
			}
			err = tx.QueryRow(ctx, sql, "x").Scan(&got)
			return got, err
		},
	}
	for name, read := range first {
		ctx, end := db.View(t.Context(), who, "select 7")
		err := db.Snapshot(ctx, who, func(tx pgx.Tx) error {
			got, err := read(ctx, tx)
			if got != want {
				t.Errorf("%s: %q, %v", name, got, err)
			}
			return err
		})
		if n, ok := pg.Asked(ctx); n != 7 || !ok || err != nil {
			t.Errorf("%s: asked %d, %v, %v", name, n, ok, err)
		}
		again, _, err := moment(ctx, db, who)
		if third, _, _ := moment(ctx, db, who); err != nil || again != third {
			t.Errorf("%s: then %v", name, err)
		}
		end()
	}
	if n := db.Pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections are still taken", n)
	}
}

// A first statement that fails is an error of the statement however it is sent,
// and the next read has another moment.
func TestAViewWhoseFirstStatementFails(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	for _, sql := range []string{"select 1/0", "select nothing_of_the_kind()", "selekt"} {
		for name, read := range map[string]func(context.Context, pgx.Tx) error{
			"query": func(ctx context.Context, tx pgx.Tx) error {
				rows, _ := tx.Query(ctx, sql)
				_, err := pgx.CollectRows(rows, pgx.RowTo[int])
				return err
			},
			"returned": func(ctx context.Context, tx pgx.Tx) error {
				rows, err := tx.Query(ctx, sql)
				if err == nil {
					for rows.Next() {
					}
					err = rows.Err()
				}
				return err
			},
			"row": func(ctx context.Context, tx pgx.Tx) error { return tx.QueryRow(ctx, sql).Scan(new(int)) },
			"batch": func(ctx context.Context, tx pgx.Tx) error {
				b := &pgx.Batch{}
				b.Queue(sql)
				return tx.SendBatch(ctx, b).Close()
			},
		} {
			ctx, end := db.View(t.Context(), who, "select 7")
			if err := db.Snapshot(ctx, who, func(tx pgx.Tx) error { return read(ctx, tx) }); err == nil {
				t.Errorf("%s, %s: no error", sql, name)
			}
			if _, _, err := moment(ctx, db, who); err != nil {
				t.Errorf("%s, %s: the next read fails: %v", sql, name, err)
			}
			end()
		}
	}
	ctx, end := db.View(t.Context(), access.Actor{InstitutionID: "x'; drop table learner"}, "select 7")
	defer end()
	if _, _, err := moment(ctx, db, access.Actor{InstitutionID: "x'; drop table learner"}); err == nil {
		t.Error("an actor of no institution read")
	}
	if n := db.Pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections are still taken", n)
	}
}

func TestOneReadsWithTheActorInForceAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	read := func(rows pgx.Rows) error {
		got, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[*string])
		if err == nil && (got == nil || *got != who.InstitutionID) {
			t.Errorf("the institution in force is %v", got)
		}
		return err
	}
	if err := db.One(t.Context(), who, read, "select app_institution() where $1::int = 1", 1); err != nil {
		t.Fatal(err)
	}
	if err := db.One(t.Context(), who, func(rows pgx.Rows) error { rows.Close(); return rows.Err() }, "select 1/0"); err == nil {
		t.Error("one by zero is no error")
	}
	if err := db.One(t.Context(), access.Actor{LearnerID: "'"}, read, "select app_institution()"); err == nil {
		t.Error("an actor who is no learner read")
	}
	err := db.Pool.AcquireFunc(t.Context(), func(c *pgxpool.Conn) error {
		var left *string
		err := c.QueryRow(t.Context(), "select app_institution()").Scan(&left)
		if left != nil {
			t.Errorf("%s is still in force", *left)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// number reads one number in the view of the context.
func number(ctx context.Context, db *pg.DB, sql string) (n int, err error) {
	err = db.Snapshot(ctx, who, func(tx pgx.Tx) error { return tx.QueryRow(ctx, sql).Scan(&n) })
	return n, err
}

func TestAViewIsReadOnlyOnItsTerms(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	seven, eight := int64(7), int64(8)
	ctx, v := db.ViewOn(t.Context(), who, pg.Terms{Also: "select 7", Only: &seven})
	for range 2 {
		if n, err := number(ctx, db, "select 3"); n != 3 || err != nil {
			t.Errorf("on terms that hold: %d %v", n, err)
		}
	}
	v.End()
	if read, once := v.Plain(); !v.Kept() || !read || once {
		t.Errorf("two messages on terms that hold: %v %v %v", v.Kept(), read, once)
	}
	for also, only := range map[string]*int64{"select 7": &eight, "select 7 where false": &seven} {
		ctx, v := db.ViewOn(t.Context(), who, pg.Terms{Also: also, Only: only})
		before := v.Kept()
		for _, sql := range []string{"select 3", "select 4"} {
			if n, err := number(ctx, db, sql); n != 0 || !errors.Is(err, context.Canceled) {
				t.Errorf("%s, not %d: %d %v", also, *only, n, err)
			}
		}
		err := db.Snapshot(ctx, who, func(tx pgx.Tx) error {
			if _, ok := pg.Also(ctx, tx); ok {
				t.Error("what is kept by the answer of the wrong moment would be wrong")
			}
			_, err := tx.Exec(ctx, "select 1")
			_, queried := tx.Query(ctx, "select 1")
			if sent := tx.SendBatch(ctx, &pgx.Batch{}).Close(); err == nil || queried == nil || sent == nil {
				t.Errorf("a statement was run: %v %v %v", err, queried, sent)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		v.End()
		if before || v.Kept() {
			t.Errorf("%s, not %d, is kept", also, *only)
		}
	}
	if n := db.Pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections are still taken", n)
	}
}

func TestNothingIsWrittenBesideAViewOnTerms(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	seven := int64(7)
	for name, terms := range map[string]pg.Terms{"only": {Also: "select 7", Only: &seven}, "once": {Also: "select 7", Once: true}} {
		ctx, v := db.ViewOn(t.Context(), who, terms)
		if _, err := number(ctx, db, "select 3"); err != nil {
			t.Fatal(err)
		}
		called := false
		err := db.Tenant(ctx, who, func(pgx.Tx) error { called = true; return nil })
		v.End()
		if read, _ := v.Plain(); called || !errors.Is(err, context.Canceled) || v.Kept() || read {
			t.Errorf("%s: written: %v %v, kept: %v", name, called, err, v.Kept())
		}
	}
	ctx, v := db.ViewOn(t.Context(), who, pg.Terms{Also: "select 7", Only: &seven})
	other := who
	other.Roles = []access.Role{access.System}
	if _, _, err := moment(ctx, db, other); !errors.Is(err, context.Canceled) {
		t.Errorf("before it was known that the terms hold somebody else read: %v", err)
	}
	v.End()
}

func TestAViewOfOneMessage(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ctx, v := db.ViewOn(t.Context(), who, pg.Terms{Also: "select 7", Once: true})
	if n, err := number(ctx, db, "select 3"); n != 3 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	if n := db.Pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections are still taken", n)
	}
	if n, ok := pg.Asked(ctx); n != 7 || !ok {
		t.Errorf("asked besides: %d %v", n, ok)
	}
	if read, once := v.Plain(); !v.Kept() || !read || !once {
		t.Errorf("one message: %v %v %v", v.Kept(), read, once)
	}
	if n, err := number(ctx, db, "select 4"); n != 0 || !errors.Is(err, context.Canceled) || v.Kept() {
		t.Errorf("a second message: %d %v, kept: %v", n, err, v.Kept())
	}
	v.End()

	ctx, v = db.ViewOn(t.Context(), who, pg.Terms{Once: true})
	err := db.Snapshot(ctx, who, func(tx pgx.Tx) error {
		var n int
		return errors.Join(tx.QueryRow(ctx, "select 1").Scan(&n), tx.QueryRow(ctx, "select 2").Scan(&n))
	})
	v.End()
	if !errors.Is(err, context.Canceled) || v.Kept() {
		t.Errorf("two messages in one read: %v, kept: %v", err, v.Kept())
	}

	ctx, v = db.ViewOn(t.Context(), who, pg.Terms{Also: "select 7", Once: true})
	if _, err := number(ctx, db, "select 1/0"); err == nil || !v.Kept() {
		t.Errorf("one by zero: %v, kept: %v", err, v.Kept())
	}
	v.End()
}
