package pgtest

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
)

func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	who := access.SystemOf("ins_01jd4w9rk8e2v9z6m3q5t7x1ab", "test")
	for range 2 {
		db := New(t)
		err := db.Tenant(t.Context(), who, func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), `insert into institution (institution_id, slug, name, created_at, updated_at)
				values ('ins_01jd4w9rk8e2v9z6m3q5t7x1ab', 'one', 'One', '2026-01-01', '2026-01-01')`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
