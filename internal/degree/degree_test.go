package degree_test

import (
	"testing"

	"github.com/testamur/testamur/internal/degree"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/testbed"
)

// The demonstration has something to show of everything: graduates and
// beginners, what has lapsed, what is blocked, and what counts by crosswalk and
// in place of something else.
func TestDegree(t *testing.T) {
	b := testbed.New(t)
	b.Load(t)
	b.Degree(t)
	b.Degree(t) // changes nothing
	ctx, who := t.Context(), b.Registrar()
	p, err := b.Programs.Find(ctx, who, degree.Code)
	if err != nil || p.Version != 2 {
		t.Fatalf("version %d, %v", p.Version, err)
	}
	met, almost, blocked, lapsed, crossed, replaced := 0, 0, 0, 0, 0, 0
	versions := map[int]int{}
	a := page.Args{}
	for more := true; more; {
		all, err := b.Learners.List(ctx, who, learner.Filter{}, a)
		if err != nil {
			t.Fatal(err)
		}
		var ids []learner.ID
		for _, l := range all.Nodes {
			ids = append(ids, l.ID)
		}
		progress, err := b.Programs.ProgressOf(ctx, who, ids, program.Question{})
		if err != nil {
			t.Fatal(err)
		}
		first := 100
		standings, err := b.Mastery.Standings(ctx, who, ids, mastery.Filter{}, page.Args{First: &first})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range ids {
			if len(progress[l]) != 1 {
				t.Fatalf("%s is in %d programs", l, len(progress[l]))
			}
			r := progress[l][0]
			versions[r.Version]++
			switch {
			case r.Status == program.Met:
				met++
			case r.Share >= 0.9:
				almost++
			}
			if r.Blocked > 0 {
				blocked++
			}
			for _, line := range r.Requirements {
				if line.Equivalency != nil {
					replaced++
					break
				}
			}
			for _, s := range standings[l].Nodes {
				if s.Status == mastery.Lapsed {
					lapsed++
				}
				if s.ByCrosswalk {
					crossed++
				}
			}
		}
		if more = all.PageInfo.HasNextPage; more {
			a.After = all.PageInfo.EndCursor
		}
	}
	t.Logf("%d met, %d almost, %d blocked, %d lapsed, %d by crosswalk, %d by equivalency, versions %v", met, almost, blocked, lapsed, crossed, replaced, versions)
	for name, n := range map[string]int{"met": met, "almost": almost, "blocked": blocked, "lapsed": lapsed, "by crosswalk": crossed, "by equivalency": replaced, "first version": versions[1], "second version": versions[2]} {
		if n == 0 {
			t.Errorf("nobody is %s", name)
		}
	}
	eq, err := b.Programs.Equivalencies(ctx, who, program.EquivalencyFilter{}, page.Args{})
	if err != nil || len(eq.Nodes) != 3 {
		t.Errorf("%d equivalencies, %v", len(eq.Nodes), err)
	}
}
