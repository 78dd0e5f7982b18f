package pg_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

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
	for also, want := range map[string]string{"select 7 where app_institution() = '" + who.InstitutionID + "'": "7", "select 7 where app_learner() = 'lrn_x'": ""} {
		ctx, end := db.View(t.Context(), who, also)
		err := db.Snapshot(ctx, who, func(tx pgx.Tx) error {
			if got, ok := pg.Also(ctx, tx); got != want || !ok {
				t.Errorf("%s: %q, %v", also, got, ok)
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
