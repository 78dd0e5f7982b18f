package release_test

import (
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pgtest"
	"github.com/testamur/testamur/internal/release"
)

func TestWhatAHoldKeeps(t *testing.T) {
	t.Parallel()
	lifted := time.Now()
	whole, spring := release.Hold{ID: "w"}, release.Hold{ID: "s", Terms: []string{"2026SP"}}
	over := release.Hold{ID: "o", LiftedAt: &lifted}
	for _, c := range []struct {
		holds []release.Hold
		term  string
		want  release.ID
	}{
		{nil, "2026SP", ""}, {[]release.Hold{whole}, "2026SP", "w"}, {[]release.Hold{whole}, "", "w"}, {[]release.Hold{spring}, "2026SP", "s"},
		{[]release.Hold{spring}, "2025FA", ""}, {[]release.Hold{spring}, "", ""}, {[]release.Hold{over}, "2026SP", ""}, {[]release.Hold{over, spring}, "2026SP", "s"},
	} {
		got := release.ID("")
		if h := release.Withheld(c.holds, c.term); h != nil {
			got = h.ID
		}
		if got != c.want {
			t.Errorf("%v in %q: %q, want %q", c.holds, c.term, got, c.want)
		}
	}
}

func TestAHoldIsPlacedAndLiftedOnce(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	clock := func() time.Time { return time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC) }
	in, err := (&institution.Service{DB: db, Now: clock, NewID: id.New}).Found(t.Context(), "lakeview", institution.Profile{Name: "Lakeview"})
	if err != nil {
		t.Fatal(err)
	}
	registrar := access.Actor{ID: "cli_r", InstitutionID: string(in.ID), Roles: []access.Role{access.Registrar}}
	l, err := (&learner.Service{DB: db, Now: clock, NewID: id.New}).Define(t.Context(), registrar, learner.Definition{DisplayName: "Ada"})
	if err != nil {
		t.Fatal(err)
	}
	own := access.Actor{ID: "cli_a", InstitutionID: string(in.ID), Roles: []access.Role{access.Learner}, LearnerID: string(l.ID)}
	s := &release.Service{DB: db, Now: clock, NewID: id.New}
	open := func() (all []release.Hold) {
		err := db.Snapshot(t.Context(), registrar, func(tx pgx.Tx) (err error) {
			all, err = release.InTx(t.Context(), tx, registrar, l.ID)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	for rule, p := range map[string]release.Placement{
		"payment-periods": {Reason: release.Financial},
		"reason-known":    {Reason: "spite"},
		"required":        {Reason: release.Other, Terms: []string{" "}},
	} {
		p.LearnerID = string(l.ID)
		if f, ok := fault.Of(func() error { _, err := s.Place(t.Context(), registrar, p); return err }()); !ok || f.Rule != rule {
			t.Errorf("%s: %v", rule, f)
		}
	}
	h, err := s.Place(t.Context(), registrar, release.Placement{LearnerID: string(l.ID), Reason: release.Financial, Terms: []string{"2026SP"}})
	if err != nil || len(open()) != 1 {
		t.Fatal(err)
	}
	if _, err := s.Lift(t.Context(), own, string(h.ID), "please"); fault.KindOf(err) != fault.Forbidden {
		t.Error("a learner lifted a hold", err)
	}
	if _, err := s.Lift(t.Context(), registrar, string(h.ID), " "); fault.KindOf(err) != fault.Invalid {
		t.Error(err)
	}
	if got, err := s.Lift(t.Context(), registrar, string(h.ID), "paid"); err != nil || got.Open() || len(open()) != 0 {
		t.Error(got, err)
	}
	if _, err := s.Lift(t.Context(), registrar, string(h.ID), "paid"); fault.KindOf(err) != fault.State {
		t.Error(err)
	}
	all, err := s.OfLearners(t.Context(), own, []learner.ID{l.ID}, page.Args{})
	if n := all[l.ID].Nodes; err != nil || len(n) != 1 || *n[0].Lift != "paid" || n[0].Terms[0] != "2026SP" {
		t.Error(n, err)
	}
	whole, err := s.Place(t.Context(), registrar, release.Placement{LearnerID: string(l.ID), Reason: release.Other})
	if err != nil {
		t.Fatal(err)
	}
	opened, lifted, other, spring, autumn := release.StateOpen, release.StateLifted, release.Other, "2026SP", "2025FA"
	grace, err := (&learner.Service{DB: db, Now: clock, NewID: id.New}).Define(t.Context(), registrar, learner.Definition{DisplayName: "Grace"})
	if err != nil {
		t.Fatal(err)
	}
	someone := access.Actor{ID: "cli_b", InstitutionID: string(in.ID), Roles: []access.Role{access.Learner}, LearnerID: string(grace.ID)}
	for name, c := range map[string]struct {
		who  access.Actor
		f    release.Filter
		want []release.ID
	}{
		"all":                  {registrar, release.Filter{}, []release.ID{whole.ID, h.ID}},
		"one's own":            {own, release.Filter{}, []release.ID{whole.ID, h.ID}},
		"another's":            {someone, release.Filter{}, nil},
		"open":                 {registrar, release.Filter{State: &opened}, []release.ID{whole.ID}},
		"lifted":               {registrar, release.Filter{State: &lifted}, []release.ID{h.ID}},
		"by reason":            {registrar, release.Filter{Reason: &other}, []release.ID{whole.ID}},
		"of a term":            {registrar, release.Filter{Term: &spring}, []release.ID{whole.ID, h.ID}},
		"of another":           {registrar, release.Filter{Term: &autumn}, []release.ID{whole.ID}},
		"of a term and lifted": {registrar, release.Filter{Term: &autumn, State: &lifted}, nil},
	} {
		one := 1
		var got []release.ID
		for a := (page.Args{First: &one}); ; {
			c, err := s.List(t.Context(), c.who, c.f, a)
			if err != nil {
				t.Fatal(name, err)
			}
			for _, x := range c.Nodes {
				got = append(got, x.ID)
			}
			if !c.PageInfo.HasNextPage {
				break
			}
			a.After = c.PageInfo.EndCursor
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	assessor := access.Actor{ID: "cli_c", InstitutionID: string(in.ID), Roles: []access.Role{access.Assessor}}
	if _, err := s.List(t.Context(), assessor, release.Filter{}, page.Args{}); fault.KindOf(err) != fault.Forbidden {
		t.Error("an assessor learned who is on hold", err)
	}
	// The database does not let a learner lift or place, either.
	for _, sql := range []string{"insert into release_hold_lift values ($1, $2, $3, now(), 'x', 'x')", "insert into release_hold values ($1, $2 || 'x', $3, 'other', '{}', '', null, now(), 'x')"} {
		err := db.Tenant(t.Context(), own, func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), sql, in.ID, h.ID, l.ID)
			return err
		})
		if fault.KindOf(err) != fault.Forbidden {
			t.Errorf("%s: %v", sql, err)
		}
	}
}
