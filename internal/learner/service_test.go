package learner_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pgtest"
)

type bench struct {
	*learner.Service
	registrar, neighbour access.Actor
}

func setup(t *testing.T) *bench {
	t.Helper()
	db := pgtest.New(t)
	now := func() time.Time { return time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC) }
	found := &institution.Service{DB: db, Now: now, NewID: id.New}
	b := &bench{Service: &learner.Service{DB: db, Now: now, NewID: id.New}}
	for slug, who := range map[string]*access.Actor{"lakeview": &b.registrar, "hillside": &b.neighbour} {
		in, err := found.Found(t.Context(), slug, institution.Profile{Name: slug})
		if err != nil {
			t.Fatal(err)
		}
		*who = access.Actor{ID: "cli_" + slug, InstitutionID: string(in.ID), Roles: []access.Role{access.Registrar}}
	}
	return b
}

func ptr[T any](v T) *T { return &v }

func wantKind(t *testing.T, err error, k fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != k {
		t.Errorf("got %v, want %s", err, k)
	}
}

func ada() learner.Definition {
	return learner.Definition{Ref: &id.Ref{System: "sis", Value: "S1"}, GivenName: ptr("Ada"), FamilyName: ptr("Okonkwo"),
		Email: ptr("ada@lakeview.example"), Identifiers: []learner.Identifier{{Type: "sisSourcedId", Value: "S1"}}}
}

func TestDefineAndFind(t *testing.T) {
	b := setup(t)
	l, err := b.Define(t.Context(), b.registrar, ada())
	if err != nil || l.DisplayName != "Ada Okonkwo" {
		t.Fatalf("%+v, %v", l, err)
	}
	for _, name := range []string{string(l.ID), "ref:sis:S1"} {
		if got, err := b.Find(t.Context(), b.registrar, name); err != nil || got.ID != l.ID {
			t.Errorf("Find(%s) = %v, %v", name, got.ID, err)
		}
		_, err := b.Find(t.Context(), b.neighbour, name)
		wantKind(t, err, fault.NotFound)
	}
	_, err = b.Define(t.Context(), b.registrar, ada())
	wantKind(t, err, fault.Conflict)
	other := ada()
	other.Ref = nil
	_, err = b.Define(t.Context(), b.registrar, other)
	wantKind(t, err, fault.Conflict) // the identifier
	if _, err := b.Define(t.Context(), b.neighbour, ada()); err != nil {
		t.Errorf("the same person elsewhere: %v", err)
	}
}

func TestALearnerSeesOnlyItself(t *testing.T) {
	b := setup(t)
	l, err := b.Define(t.Context(), b.registrar, ada())
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.Define(t.Context(), b.registrar, learner.Definition{DisplayName: "Grace"})
	if err != nil {
		t.Fatal(err)
	}
	self := access.Actor{ID: "cli_ada", InstitutionID: b.registrar.InstitutionID, Roles: []access.Role{access.Learner}, LearnerID: string(l.ID)}
	if got, err := b.Find(t.Context(), self, string(l.ID)); err != nil || got.ID != l.ID {
		t.Errorf("%v, %v", got, err)
	}
	_, err = b.Find(t.Context(), self, string(second.ID))
	wantKind(t, err, fault.NotFound)
	all, err := b.List(t.Context(), self, learner.Filter{}, page.Args{})
	if err != nil || len(all.Nodes) != 1 {
		t.Errorf("%v, %v", all.Nodes, err)
	}
	_, err = b.Rename(t.Context(), self, string(l.ID), nil, learner.Renaming{DisplayName: "Her Majesty", Reason: "why not"})
	wantKind(t, err, fault.Forbidden)
}

func TestRenameKeepsTheFormerName(t *testing.T) {
	b := setup(t)
	l, err := b.Define(t.Context(), b.registrar, ada())
	if err != nil {
		t.Fatal(err)
	}
	l, err = b.Rename(t.Context(), b.registrar, "ref:sis:S1", ptr(1), learner.Renaming{GivenName: ptr("Ada"), FamilyName: ptr("Byron"), Reason: "marriage"})
	if err != nil || l.DisplayName != "Ada Byron" || l.Version != 2 {
		t.Fatalf("%+v, %v", l, err)
	}
	names, err := b.NamesOf(t.Context(), b.registrar, []learner.ID{l.ID})
	if err != nil || len(names[l.ID]) != 2 || names[l.ID][0].DisplayName != "Ada Okonkwo" || names[l.ID][1].Reason != "marriage" {
		t.Errorf("%+v, %v", names, err)
	}
	_, err = b.Rename(t.Context(), b.registrar, string(l.ID), ptr(1), learner.Renaming{DisplayName: "Ada", Reason: "late"})
	wantKind(t, err, fault.Conflict)
	_, err = b.Rename(t.Context(), b.registrar, string(l.ID), nil, learner.Renaming{DisplayName: "Ada"})
	wantKind(t, err, fault.Invalid)
}

func TestIdentifiers(t *testing.T) {
	b := setup(t)
	l, err := b.Define(t.Context(), b.registrar, ada())
	if err != nil {
		t.Fatal(err)
	}
	card := learner.Identifier{Type: "ext:card", Value: "77"}
	for range 2 {
		if _, err := b.AddIdentifier(t.Context(), b.registrar, string(l.ID), card); err != nil {
			t.Fatal(err)
		}
	}
	_, err = b.AddIdentifier(t.Context(), b.registrar, string(l.ID), learner.Identifier{Type: "shoe", Value: "42"})
	wantKind(t, err, fault.Invalid)
	all, err := b.List(t.Context(), b.registrar, learner.Filter{Identifier: &card}, page.Args{})
	if err != nil || len(all.Nodes) != 1 {
		t.Errorf("%v, %v", all.Nodes, err)
	}
	if _, err := b.RemoveIdentifier(t.Context(), b.registrar, string(l.ID), card); err != nil {
		t.Fatal(err)
	}
	_, err = b.RemoveIdentifier(t.Context(), b.registrar, string(l.ID), card)
	wantKind(t, err, fault.NotFound)
}

func TestListPagesByName(t *testing.T) {
	b := setup(t)
	for _, n := range []string{"Zoë", "Ada", "100%", "ada"} {
		if _, err := b.Define(t.Context(), b.registrar, learner.Definition{DisplayName: n}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	a := page.Args{First: ptr(3)}
	for {
		c, err := b.List(t.Context(), b.registrar, learner.Filter{}, a)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range c.Nodes {
			got = append(got, l.DisplayName)
		}
		if !c.PageInfo.HasNextPage {
			break
		}
		a.After = c.PageInfo.EndCursor
	}
	if len(got) != 4 || got[0] != "100%" || got[3] != "ada" && got[3] != "Zoë" {
		t.Errorf("%q", got)
	}
	c, err := b.List(t.Context(), b.registrar, learner.Filter{Text: ptr("0%")}, page.Args{})
	if err != nil || len(c.Nodes) != 1 {
		t.Errorf("%v, %v", c.Nodes, err)
	}
}

func TestImport(t *testing.T) {
	b := setup(t)
	run := func(defs ...learner.Definition) []bulk.Outcome {
		t.Helper()
		rows := make([]learner.Row, len(defs))
		for i, d := range defs {
			rows[i].Definition = d
		}
		var out []bulk.Outcome
		err := b.DB.Tenant(t.Context(), b.registrar, func(tx pgx.Tx) (err error) {
			out, err = learner.Import(t.Context(), tx, b.registrar, bulk.Batch{Now: b.Now(), NewID: id.New}, rows)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	want := func(got []bulk.Outcome, changes ...bulk.Change) {
		t.Helper()
		for i, c := range changes {
			if got[i].Change != c {
				t.Errorf("row %d: %s (%v), want %s", i, got[i].Change, got[i].Err, c)
			}
		}
	}
	grace := learner.Definition{Ref: &id.Ref{System: "sis", Value: "S2"}, DisplayName: "Grace"}
	nameless := learner.Definition{Ref: &id.Ref{System: "sis", Value: "S3"}}
	thief := learner.Definition{Ref: &id.Ref{System: "sis", Value: "S4"}, DisplayName: "Thief", Identifiers: ada().Identifiers}
	want(run(ada(), grace, nameless, thief), bulk.Created, bulk.Created, bulk.Failed, bulk.Failed)
	want(run(ada(), grace, thief), bulk.Unchanged, bulk.Unchanged, bulk.Failed)
	renamed := ada()
	renamed.FamilyName = ptr("Byron")
	grace.Identifiers = []learner.Identifier{{Type: "ext:card", Value: "5"}}
	got := run(renamed, grace)
	want(got, bulk.Updated, bulk.Updated)
	names, err := b.NamesOf(t.Context(), b.registrar, []learner.ID{learner.ID(got[0].ID)})
	if err != nil || len(names[learner.ID(got[0].ID)]) != 2 {
		t.Errorf("%+v, %v", names, err)
	}
	err = b.DB.Tenant(t.Context(), b.registrar, func(tx pgx.Tx) error {
		found, err := learner.Resolve(t.Context(), tx, b.registrar, "sis", []string{"S1", "5", "nobody", got[0].ID})
		if len(found) != 3 || found["S1"] != learner.ID(got[0].ID) || found["5"] != learner.ID(got[1].ID) {
			t.Errorf("%v", found)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestRowSecurityAloneKeepsNeighboursApart(t *testing.T) {
	b := setup(t)
	l, err := b.Define(t.Context(), b.registrar, ada())
	if err != nil {
		t.Fatal(err)
	}
	b.DB.As = func(access.Actor) access.Actor { return b.neighbour }
	_, err = b.Find(t.Context(), b.registrar, string(l.ID))
	wantKind(t, err, fault.NotFound)
	_, err = b.Define(t.Context(), b.registrar, learner.Definition{DisplayName: "Intruder"})
	wantKind(t, err, fault.Forbidden)
}
