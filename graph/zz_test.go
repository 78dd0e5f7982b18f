package graph_test

import (
	"context"
	"net/url"
	"os"
	"testing"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/postgres"
	"github.com/testamur/testamur/internal/testbed"
)

func BenchmarkZZ(b *testing.B) {
	in, _ := postgres.Find(os.Getenv("PATH"), "")
	s, err := postgres.Start(context.Background(), postgres.Options{Dir: "/work/desk/benchgraph/postgres-15", Install: in})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Stop()
	uu, _ := url.Parse(s.URL())
	uu.Path = "/" + os.Getenv("ZZNAME")
	u := uu.String()
	db, err := pg.Open(context.Background(), u, pg.Options{})
	if err != nil {
		b.Fatal(u, err)
	}
	defer db.Close()
	bed := testbed.Over(b, db)
	all, err := bed.Institutions.Slugs(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	var home institution.ID
	for _, x := range all {
		home = x
	}
	bed.Home.ID = home
	a := over(b, bed)
	a.who = bed.As(access.Registrar)
	q := `query Picture($id: ID!) { learner(id: $id) { id displayName assertions(first: 100) { nodes {
		id achievedOn term grade
		results { resultDescription { name } achievedLevel { name level } }
		achievement { id definition { name description achievementType criteria { narrative } }
			alignments { targetName targetUrl competency { id identifier uri fullStatement abbreviatedStatement humanCodingScheme } } } } } } }`
	for b.Loop() {
		a.quick(b, q, "lrn_00000000000000000000000007")
	}
}

func (a *api) quick(b *testing.B, q, id string) {
	body := `{"query":` + quoteJSON(q) + `,"variables":{"id":"` + id + `"}}`
	r := newReq(body)
	w := newRec()
	a.handler.ServeHTTP(w, r)
	if w.Code != 200 || w.Body.Len() < 50000 {
		b.Fatal(w.Body.String()[:300])
	}
}
