package page

import (
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/fault"
)

type key struct {
	Name string
	ID   string
}

func TestOfDropsTheExtraRow(t *testing.T) {
	rows := []key{{"a", "1"}, {"b", "2"}, {"c", "3"}}
	c := Of(rows, 2, Args{}, func(k key) key { return k })
	if len(c.Nodes) != 2 || !c.PageInfo.HasNextPage || c.PageInfo.HasPreviousPage {
		t.Fatalf("page %+v", c.PageInfo)
	}
	got, ok, err := Key[key](Args{After: c.PageInfo.EndCursor})
	if err != nil || !ok || got != rows[1] {
		t.Errorf("end cursor is %+v, %v, %v; want %+v", got, ok, err, rows[1])
	}
}

func TestEmptyPageHasNoNulls(t *testing.T) {
	c := Of(nil, 2, Args{}, func(k key) key { return k })
	if c.Nodes == nil || c.Edges() == nil || c.PageInfo.HasNextPage || c.PageInfo.EndCursor != nil {
		t.Errorf("%+v", c)
	}
}

func TestBadArgumentsAreInvalid(t *testing.T) {
	for _, after := range []string{"!", "e30x", strings.Repeat("a", 513), Cursor(map[string]string{"Other": "x"})} {
		if _, _, err := Key[key](Args{After: &after}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("cursor %.20q: %v", after, err)
		}
	}
	for _, first := range []int{0, -1, 101} {
		if _, err := (Args{First: &first}).Limit(); fault.KindOf(err) != fault.Invalid {
			t.Errorf("first %d: %v", first, err)
		}
	}
}

func FuzzKey(f *testing.F) {
	f.Add(Cursor(key{"a", "b"}))
	f.Fuzz(func(t *testing.T, after string) {
		if _, _, err := Key[key](Args{After: &after}); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%v", err)
		}
	})
}
