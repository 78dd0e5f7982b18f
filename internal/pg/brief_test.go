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

// system may write the audit of the institution.
var system = access.SystemOf(who.InstitutionID, "brief")

const (
	adds   = `insert into disclosure (institution_id, id, learner_id, at, outcome, refusal, channel, party, purpose, basis, actor_id) select $1, $2, $3, '2026-11-25', 'refused', 'ended', 'share', 'p', 'u', 'none', 'a'`
	counts = `select count(*) from disclosure where institution_id = $1`
)

// kept is how many rows there are, and how many connections are taken.
func kept(t *testing.T, db *pg.DB) (rows int, taken int32) {
	t.Helper()
	err := db.Snapshot(t.Context(), system, func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), counts, who.InstitutionID).Scan(&rows)
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows, db.Pool.Stat().AcquiredConns()
}

// A brief transaction is whole or nothing, however it ends, and gives its
// connection back.
func TestABriefTransactionIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	const somebody = "lrn_01jdq9r4m0e9v8k7n6p5q4r3s2"
	err := db.Tenant(t.Context(), system, func(tx pgx.Tx) error {
		for _, sql := range []string{
			`insert into institution (institution_id, slug, name, url, created_at, updated_at) values ($1, 'x', 'X', 'https://x.example', '2026-11-25', '2026-11-25')`,
			`insert into learner (institution_id, id, display_name, created_at, updated_at) values ($1, '` + somebody + `', 'Ada', '2026-11-25', '2026-11-25')`,
		} {
			if _, err := tx.Exec(t.Context(), sql, who.InstitutionID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	own := errors.New("own")
	var seen int
	steps := []struct {
		name string
		do   func(context.Context, pgx.Tx, *pgx.Batch) error
		rows int
		want error
	}{
		{"reads, and writes at the end", func(ctx context.Context, tx pgx.Tx, end *pgx.Batch) error {
			var n int
			err := tx.QueryRow(ctx, counts, who.InstitutionID).Scan(&n)
			end.Queue(adds, who.InstitutionID, "dsc_1", somebody)
			end.Queue(counts, who.InstitutionID).QueryRow(func(r pgx.Row) error { return r.Scan(&seen) })
			return err
		}, 1, nil},
		{"writes at the end alone", func(_ context.Context, _ pgx.Tx, end *pgx.Batch) error {
			end.Queue(adds, who.InstitutionID, "dsc_2", somebody)
			return nil
		}, 2, nil},
		{"writes in between", func(ctx context.Context, tx pgx.Tx, _ *pgx.Batch) error {
			_, err := tx.Exec(ctx, adds, who.InstitutionID, "dsc_3", somebody)
			return err
		}, 3, nil},
		{"does nothing", func(context.Context, pgx.Tx, *pgx.Batch) error { return nil }, 3, nil},
		{"changes its mind", func(ctx context.Context, tx pgx.Tx, end *pgx.Batch) error {
			_, err := tx.Exec(ctx, adds, who.InstitutionID, "dsc_4", somebody)
			return errors.Join(err, own)
		}, 3, own},
		{"writes what is there at the end", func(ctx context.Context, tx pgx.Tx, end *pgx.Batch) error {
			_, err := tx.Exec(ctx, adds, who.InstitutionID, "dsc_5", somebody)
			end.Queue(adds, who.InstitutionID, "dsc_1", somebody)
			return err
		}, 3, errAny},
		{"hides that something failed", func(ctx context.Context, tx pgx.Tx, end *pgx.Batch) error {
			_, _ = tx.Exec(ctx, adds, who.InstitutionID, "dsc_1", somebody)
			return nil
		}, 3, pgx.ErrTxCommitRollback},
		{"begins with what fails", func(ctx context.Context, tx pgx.Tx, end *pgx.Batch) error {
			var n int
			return tx.QueryRow(ctx, `select 1/0`).Scan(&n)
		}, 3, errAny},
		{"is cut off", func(ctx context.Context, tx pgx.Tx, end *pgx.Batch) error {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			_, err := tx.Exec(ctx, adds, who.InstitutionID, "dsc_6", somebody)
			return err
		}, 3, context.Canceled},
	}
	for _, s := range steps {
		err := db.Brief(t.Context(), system, func(tx pgx.Tx, end *pgx.Batch) error { return s.do(t.Context(), tx, end) })
		if (s.want == nil) != (err == nil) || s.want != nil && s.want != errAny && !errors.Is(err, s.want) {
			t.Errorf("%s: %v", s.name, err)
		}
		if rows, taken := kept(t, db); rows != s.rows || taken != 0 {
			t.Errorf("%s: %d rows, %d connections taken", s.name, rows, taken)
		}
	}
	if seen != 1 {
		t.Errorf("what was queued behind the line saw %d", seen)
	}
	func() {
		defer func() { _ = recover() }()
		_ = db.Brief(t.Context(), system, func(tx pgx.Tx, end *pgx.Batch) error {
			_, _ = tx.Exec(t.Context(), adds, who.InstitutionID, "dsc_7", somebody)
			panic("in the middle")
		})
	}()
	if rows, taken := kept(t, db); rows != 3 || taken != 0 {
		t.Errorf("after a panic: %d rows, %d connections taken", rows, taken)
	}
	// The actor is in force in the database too.
	other := system
	other.InstitutionID = "ins_01jdq9r4m0e9v8k7n6p5q4r3s3"
	err = db.Brief(t.Context(), other, func(tx pgx.Tx, end *pgx.Batch) error {
		var n int
		if err := tx.QueryRow(t.Context(), counts, who.InstitutionID).Scan(&n); err != nil || n != 0 {
			t.Errorf("another institution sees %d rows: %v", n, err)
		}
		end.Queue(adds, who.InstitutionID, "dsc_8", somebody)
		return nil
	})
	if err == nil {
		t.Error("another institution writes")
	}
	if rows, _ := kept(t, db); rows != 3 {
		t.Errorf("%d rows", rows)
	}
}

var errAny = errors.New("some error")
