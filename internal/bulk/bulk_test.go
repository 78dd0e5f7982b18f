package bulk_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/testbed"
)

func TestNoteMarksRowsAndKeepsWhatWasCreated(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	failed := bulk.Fail(fault.At("a", "rule", "A sentence."))
	out := []bulk.Outcome{{}, {Change: bulk.Created, ID: "new"}, failed}
	var plan string
	err := b.DB.Tenant(t.Context(), b.As(access.System), func(tx pgx.Tx) error {
		err := bulk.Note(t.Context(), tx, `select n, 'x' || n from unnest(@ns::int[]) as n`, pgx.NamedArgs{"ns": []int{0, 1, -1}}, bulk.Updated, out)
		if err != nil {
			return err
		}
		err = bulk.Hashed(t.Context(), tx, func() error { return tx.QueryRow(t.Context(), `show enable_nestloop`).Scan(&plan) })
		if err != nil || plan != "off" {
			t.Errorf("inside, nested loops are %s, %v", plan, err)
		}
		return tx.QueryRow(t.Context(), `show enable_nestloop`).Scan(&plan)
	})
	if err != nil || plan != "on" {
		t.Errorf("behind it, nested loops are %s, %v", plan, err)
	}
	want := []bulk.Outcome{{Change: bulk.Updated, ID: "x0"}, {Change: bulk.Created, ID: "new"}, failed}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	var n bulk.Count
	for _, o := range append(out, bulk.Outcome{Change: bulk.Unchanged}) {
		n.Add(o)
	}
	if n != (bulk.Count{Created: 1, Updated: 1, Unchanged: 1, Failed: 1}) {
		t.Errorf("%+v", n)
	}
}
