package pg

import (
	"reflect"
	"testing"

	"github.com/jackc/pgx/v5"
)

// A statement is numbered as pgx numbers it, the first time and from then on.
func TestNamedParametersAreInTheOrderOfPgx(t *testing.T) {
	t.Parallel()
	given := pgx.NamedArgs{"a": 1, "b": "two", "none": nil}
	for _, sql := range []string{
		"select @a::int, @b, @a", "select '@b', \"@b\", e'\\'@b', @a -- @b\n, @b /* @a */", "select @none::text, @a",
		"select @missing, @a", "select 1", "select @a::text <@ array['x']", "select @ a",
	} {
		for range 2 {
			got, values := inOrder(t.Context(), sql, []any{given})
			want, wanted, err := given.RewriteQuery(t.Context(), nil, sql, nil)
			if len(values) == 1 && reflect.DeepEqual(values[0], given) { // left to pgx
				got, values = want, wanted
			}
			if err != nil || got != want || len(values) != len(wanted) || len(wanted) > 0 && !reflect.DeepEqual(values, wanted) {
				t.Errorf("%s: %q %v, and pgx makes %q %v %v", sql, got, values, want, wanted, err)
			}
		}
	}
	if sql, args := inOrder(t.Context(), "select $1", []any{7}); sql != "select $1" || args[0] != 7 {
		t.Errorf("a statement by numbers became %q %v", sql, args)
	}
	if sql, args := inOrder(t.Context(), "select @a", []any{given, 7}); sql != "select @a" || len(args) != 2 {
		t.Errorf("more than names became %q %v", sql, args)
	}
	if _, ok := numbered.known["select @missing, @a"]; ok {
		t.Error("a statement was learned of which a parameter was missing")
	}
}
