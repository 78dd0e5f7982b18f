package once_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/once"
	"github.com/testamur/testamur/internal/testbed"
)

func TestAKeyMeansOneRequestOfOneActor(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	key, long, none := "key-1", strings.Repeat("k", 256), ""
	first := once.Request{Key: &key, Operation: "awardAchievement", Input: map[string]string{"a": "1"}}
	who := b.Registrar()
	in := func(who access.Actor, fn func(pgx.Tx) error) error { return b.DB.Tenant(t.Context(), who, fn) }
	if err := in(who, func(tx pgx.Tx) error { return once.Keep(t.Context(), tx, time.Now(), who, first, "asn_1") }); err != nil {
		t.Fatal(err)
	}
	colleague := who
	colleague.ID = "cli_colleague"
	neighbour := who
	neighbour.InstitutionID = string(b.Neighbour.ID)
	for _, c := range []struct {
		name   string
		who    access.Actor
		r      once.Request
		target string
		kind   fault.Kind
	}{
		{"a replay", who, first, "asn_1", ""},
		{"no key", who, once.Request{Operation: first.Operation, Input: first.Input}, "", ""},
		{"another input", who, once.Request{Key: &key, Operation: first.Operation, Input: map[string]string{"a": "2"}}, "", fault.Conflict},
		{"another operation", who, once.Request{Key: &key, Operation: "withdraw", Input: first.Input}, "", fault.Conflict},
		{"a colleague's key", colleague, first, "", ""},
		{"a neighbour's key", neighbour, first, "", ""},
		{"an empty key", who, once.Request{Key: &none}, "", fault.Invalid},
		{"a long key", who, once.Request{Key: &long}, "", fault.Invalid},
	} {
		var target string
		var ok bool
		err := in(c.who, func(tx pgx.Tx) (err error) {
			target, ok, err = once.Find(t.Context(), tx, c.who, c.r)
			return err
		})
		if target != c.target || ok != (c.target != "") || (err == nil) != (c.kind == "") || err != nil && fault.KindOf(err) != c.kind {
			t.Errorf("%s: %q, %v, %v", c.name, target, ok, err)
		}
	}
	err := in(who, func(tx pgx.Tx) error { return once.Keep(t.Context(), tx, time.Now(), who, first, "asn_2") })
	if fault.KindOf(err) != fault.Conflict {
		t.Errorf("two first requests: %v", err)
	}
}
