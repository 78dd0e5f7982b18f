package pg_test

import (
	"reflect"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/pgtest"
)

type base struct {
	ID       string
	MadeOn   *string
	Skipped  int `db:"-"`
	internal int
}

type thing struct {
	Key string
	base
	Score int `db:"points"`
}

// Rows are read as pgx reads them, into fields of what is embedded too.
func TestRowsAreCollectedAsPgxCollectsThem(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ask := func(sql string, fn func(pgx.Rows)) {
		t.Helper()
		err := db.Tenant(t.Context(), who, func(tx pgx.Tx) error {
			rows, _ := tx.Query(t.Context(), sql)
			fn(rows)
			return nil
		})
		if err != nil {
			t.Log(err) // a statement that was to fail
		}
	}
	const sql = "select 'k' || n as key, 'i' || n as id, case when n % 2 = 0 then 'on' end as made_on, n as points from generate_series(1, 5) as n order by n"
	var got, want []thing
	var gotErr, wantErr error
	ask(sql, func(rows pgx.Rows) { got, gotErr = pg.Collect[thing](rows, 2) })
	ask(sql, func(rows pgx.Rows) { want, wantErr = pgx.CollectRows(rows, pgx.RowToStructByName[thing]) })
	if gotErr != nil || wantErr != nil || len(got) != 5 || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v\n%v, %v", got, gotErr, want, wantErr)
	}
	for _, sql := range []string{
		"select 'k' as key, 'i' as id, 'on' as made_on",
		"select 'k' as key, 'i' as id, 'on' as made_on, 1 as points, 2 as more",
		"select 'k' as key, 'i' as id, 'on' as made_on, 1 as skipped",
		"select 'k' as key, 'i' as id, 'on' as made_on, 'x' as points",
		"select 'k' as key, null as id, 'on' as made_on, 1 as points",
		"select 1/0 as key",
		"select",
		"selekt",
	} {
		ask(sql, func(rows pgx.Rows) {
			if got, err := pg.Collect[thing](rows, 0); err == nil {
				t.Errorf("%s: %v", sql, got)
			}
		})
	}
}
