package framework_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/pg"
)

// outline is what a graph says, by statement.
func outline(g *framework.Graph) string {
	var b strings.Builder
	for i, n := range g.Nodes {
		fmt.Fprintf(&b, "%s", n.Statement)
		if n.Retired {
			b.WriteString("!")
		}
		for _, p := range g.Parents(int32(i)) {
			fmt.Fprintf(&b, "<%s", g.Nodes[p].Statement)
		}
		b.WriteString(" ")
	}
	return strings.TrimSpace(b.String())
}

func TestEveryVersionHasItsGraph(t *testing.T) {
	b := setup(t)
	var f framework.ID
	for _, text := range []string{
		pkg([]string{item("11", "one"), item("12", "two")}, []string{below("21", "11", "01"), below("22", "12", "11")}),
		pkg([]string{item("11", "better"), item("13", "three")}, []string{below("21", "11", "01"), below("23", "13", "11")}),
		pkg([]string{item("11", "better"), item("13", "three")}, []string{below("21", "11", "01"), below("23", "13", "11")}),
		pkg([]string{item("12", "two again"), item("11", "better")}, []string{below("21", "11", "01"), below("22", "12", "11")}),
		pkg([]string{item("11", "better"), item("12", "two again")}, []string{below("21", "11", "01"), below("22", "12", "11")}),
	} {
		f = b.load(t, text).Framework
	}
	for version, want := range map[int]string{
		1: "one two<one", 2: "better three<better two!", 3: "better two again<better three!", 4: "better two again<better three!", 0: "better two again<better three!",
	} {
		g, err := b.Graph(t.Context(), b.designer, string(f), version)
		if err != nil {
			t.Fatal(err)
		}
		if got := outline(g); got != want {
			t.Errorf("version %d: %s, want %s", version, got, want)
		}
	}
	if _, err := b.Graph(t.Context(), b.designer, string(f), 5); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a version that is not: %v", err)
	}
	if _, err := b.Graph(t.Context(), b.neighbour, string(f), 1); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a neighbour: %v", err)
	}
}

func TestGraphsComeFromMemoryUntilTheyChange(t *testing.T) {
	b := setup(t)
	f := b.load(t, pkg([]string{item("11", "one")}, nil)).Framework
	ask := func(who access.Actor) (*framework.Graph, int) {
		t.Helper()
		var g *framework.Graph
		ctx, n := pg.Count(context.Background())
		err := b.DB.Snapshot(ctx, who, func(tx pgx.Tx) error {
			all, err := b.GraphsInTx(ctx, who, tx, nil)
			g = all[f]
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return g, n.Len()
	}
	first, _ := ask(b.designer)
	if again, n := ask(b.designer); again != first || n != 1 {
		t.Errorf("it was read again in %d statements", n)
	}
	if g, _ := ask(b.neighbour); g != nil {
		t.Error("a neighbour has it")
	}
	b.load(t, pkg([]string{item("11", "two")}, nil))
	if g, _ := ask(b.designer); outline(g) != "two" || outline(first) != "one" {
		t.Errorf("after a change: %s, %s", outline(g), outline(first))
	}

	// what is rolled back is never seen
	undo := errors.New("undo")
	err := b.DB.Tenant(t.Context(), b.designer, func(tx pgx.Tx) error {
		if _, err := framework.Load(t.Context(), tx, b.designer, b.batch(), strings.NewReader(pkg([]string{item("11", "dreamt")}, nil))); err != nil {
			return err
		}
		if g, err := b.GraphInTx(t.Context(), b.designer, tx, f, 0); err != nil || outline(g) != "dreamt" {
			t.Errorf("inside: %v", err)
		}
		return undo
	})
	if !errors.Is(err, undo) {
		t.Fatal(err)
	}
	b.load(t, pkg([]string{item("11", "three")}, nil))
	if g, _ := ask(b.designer); outline(g) != "three" {
		t.Errorf("after a rollback: %s", outline(g))
	}
}

func TestPublishedCrossings(t *testing.T) {
	b := setup(t)
	b.load(t, pkg([]string{item("11", "ours")}, []string{strings.Replace(below("21", "11", "55"), "isChildOf", "exactMatchOf", 1)}))
	crossings := func() (c *framework.Crossings) {
		t.Helper()
		err := b.DB.Snapshot(t.Context(), b.designer, func(tx pgx.Tx) (err error) {
			c, err = b.CrossingsInTx(t.Context(), b.designer, tx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := crossings(); len(c.All) != 0 || c != crossings() {
		t.Errorf("%+v", c.All)
	}
	b.load(t, strings.Replace(pkg([]string{item("55", "theirs")}, nil), uuid("01"), uuid("02"), 1))
	c := crossings()
	if len(c.All) != 1 || !c.All[0].Published || !c.All[0].Both || c.All[0].Approver != "X" || len(c.From(c.All[0].From)) != 1 || len(c.To(c.All[0].To)) != 1 {
		t.Errorf("%+v", c.All)
	}
}
