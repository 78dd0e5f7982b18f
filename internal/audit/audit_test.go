package audit_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/testbed"
)

func write(ctx context.Context, b *testbed.Bed, target string, after error) error {
	who := b.Registrar()
	return b.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		err := audit.Write(ctx, tx, time.Date(2026, 11, 24, 9, 0, 0, 123456789, time.UTC), who,
			audit.Entry{Action: access.Award, Target: target, Detail: map[string]any{"b": 1.50, "a": []int{1}}})
		return errors.Join(err, after)
	})
}

func lines(t *testing.T, b *testbed.Bed) []audit.Line {
	t.Helper()
	first := 100
	c, err := b.Audit.List(t.Context(), b.Registrar(), audit.Filter{}, page.Args{First: &first})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(c.Nodes)
	return c.Nodes
}

func TestLinesOfManyAtOnceAreOneChain(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	before := len(lines(t, b))
	undone := errors.New("undone")
	if err := write(t.Context(), b, "never", undone); !errors.Is(err, undone) {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if err := write(t.Context(), b, "asn_x", nil); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	all := lines(t, b)
	if len(all) != before+20 || slices.ContainsFunc(all, func(l audit.Line) bool { return l.Target == "never" }) {
		t.Errorf("%d lines, %d before", len(all), before)
	}
	if err := audit.Chain(string(b.Home.ID), make([]byte, sha256.Size), all); err != nil {
		t.Error(err)
	}
}

func TestChainFindsWhatWasDoneToIt(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	for range 3 {
		if err := write(t.Context(), b, "asn_x", nil); err != nil {
			t.Fatal(err)
		}
	}
	all := lines(t, b)
	for name, change := range map[string]func([]audit.Line) []audit.Line{
		"another time":   func(l []audit.Line) []audit.Line { l[1].At = l[1].At.Add(time.Microsecond); return l },
		"another actor":  func(l []audit.Line) []audit.Line { l[1].ActorID = "cli_other"; return l },
		"another action": func(l []audit.Line) []audit.Line { l[1].Action = access.Withdraw; return l },
		"another target": func(l []audit.Line) []audit.Line { l[1].Target = "asn_y"; return l },
		"another detail": func(l []audit.Line) []audit.Line { l[1].Detail = []byte(`{"a":[2]}`); return l },
		"a line less":    func(l []audit.Line) []audit.Line { return slices.Delete(l, 1, 2) },
		"lines swapped":  func(l []audit.Line) []audit.Line { l[1], l[2] = l[2], l[1]; return l },
		"a moved border": func(l []audit.Line) []audit.Line { l[1].ActorID += "a"; l[1].Action = l[1].Action[1:]; return l },
	} {
		if err := audit.Chain(string(b.Home.ID), make([]byte, sha256.Size), change(slices.Clone(all))); err == nil || !strings.Contains(err.Error(), "line") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := audit.Chain(string(b.Neighbour.ID), make([]byte, sha256.Size), all); err == nil {
		t.Error("the account of one institution passes as another's")
	}
}

func TestNobodyChangesALine(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	for _, sql := range []string{`update audit set actor_id = 'x'`, `delete from audit`} {
		err := b.DB.Tenant(t.Context(), b.As(access.System), func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), sql)
			return err
		})
		if fault.KindOf(err) != fault.Forbidden {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if _, err := b.Audit.List(t.Context(), b.As(access.Assessor), audit.Filter{}, page.Args{}); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("an assessor reads the account: %v", err)
	}
}
