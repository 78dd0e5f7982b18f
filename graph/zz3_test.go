package graph_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/postgres"
)

type tr struct{}

func (tr) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, tr{}, d)
}
func (tr) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryEndData) {}

func TestZZ(t *testing.T) {
	in, _ := postgres.Find(os.Getenv("PATH"), "")
	s, err := postgres.Start(context.Background(), postgres.Options{Dir: "/work/desk/benchgraph/postgres-15", Install: in})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	uu, _ := url.Parse(s.URL())
	uu.Path = "/" + os.Getenv("ZZNAME")
	db, err := pg.Open(context.Background(), uu.String(), pg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()
	var ins string
	db.Pool.QueryRow(ctx, "select institution_id from institution_locator").Scan(&ins)
	who := access.Actor{ID: "cli_x", InstitutionID: ins, Roles: []access.Role{access.Registrar}}
	as := &assertion.Service{DB: db, Now: time.Now}
	first := 100
	l := learner.ID("lrn_00000000000000000000000007")
	var sql string
	for i := 0; i < 3; i++ {
		c, n := pg.Count(ctx)
		_ = n
		_, err := as.OfLearners(c, who, []learner.ID{l}, assertion.Filter{}, page.Args{First: &first})
		if err != nil {
			t.Fatal(err)
		}
	}
	_ = sql
	for _, q := range []string{
		`explain (analyze, buffers, timing off) select k.id as key, a.* from unnest(array['lrn_00000000000000000000000007']::text[]) as k (id) cross join lateral (select * from assertion where institution_id = '` + ins + `' and learner_id = k.id and withdrawn_at is null order by achieved_on desc, id desc limit 101) as a`,
	} {
		db.Snapshot(ctx, who, func(tx pgx.Tx) error {
			for i := 0; i < 3; i++ {
				rows, _ := tx.Query(ctx, q)
				all, err := pgx.CollectRows(rows, pgx.RowTo[string])
				if i == 2 {
					for _, x := range all {
						fmt.Println(x)
					}
				}
				if err != nil {
					t.Log(err)
				}
			}
			return nil
		})
	}
}
