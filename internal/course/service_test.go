package course_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pgtest"
)

type bench struct {
	*course.Service
	designer, neighbour access.Actor
}

func setup(t *testing.T) *bench {
	t.Helper()
	db := pgtest.New(t)
	now := func() time.Time { return time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC) }
	found := &institution.Service{DB: db, Now: now, NewID: id.New}
	b := &bench{Service: &course.Service{DB: db, Now: now, NewID: id.New}}
	for slug, who := range map[string]*access.Actor{"lakeview": &b.designer, "hillside": &b.neighbour} {
		in, err := found.Found(t.Context(), slug, institution.Profile{Name: slug})
		if err != nil {
			t.Fatal(err)
		}
		*who = access.Actor{ID: "cli_" + slug, InstitutionID: string(in.ID), Roles: []access.Role{access.Designer}}
	}
	frameworks := &framework.Service{DB: db, Now: now, NewID: id.New}
	if _, err := frameworks.Import(t.Context(), b.designer, bytes.NewReader(demo.Files()[0].Data)); err != nil {
		t.Fatal(err)
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

func TestDefineReviseRetire(t *testing.T) {
	b := setup(t)
	c, err := b.Define(t.Context(), b.designer, course.Definition{Code: "DA 101", Title: "Data", Credits: ptr(4.0), Ref: &id.Ref{System: "sis", Value: "9"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Define(t.Context(), b.designer, course.Definition{Code: "DA 101", Title: "Other"})
	wantKind(t, err, fault.Conflict)
	_, err = b.Define(t.Context(), b.designer, course.Definition{Code: "DA 102", Title: "Other", Credits: ptr(-1.0)})
	wantKind(t, err, fault.Invalid)
	c, err = b.Revise(t.Context(), b.designer, "ref:sis:9", ptr(1), course.Definition{Code: "DA 101", Title: "Data, again"})
	if err != nil || c.Version != 2 || c.Credits != nil {
		t.Fatalf("%+v, %v", c, err)
	}
	_, err = b.Revise(t.Context(), b.designer, string(c.ID), ptr(1), course.Definition{Code: "DA 101", Title: "Data"})
	wantKind(t, err, fault.Conflict)
	if _, err = b.Retire(t.Context(), b.designer, "DA 101"); err != nil {
		t.Fatal(err)
	}
	if all, err := b.List(t.Context(), b.designer, course.Filter{}, page.Args{}); err != nil || len(all.Nodes) != 0 {
		t.Errorf("%v, %v", all.Nodes, err)
	}
	_, err = b.Find(t.Context(), b.neighbour, string(c.ID))
	wantKind(t, err, fault.NotFound)
	assessor := b.designer
	assessor.Roles = []access.Role{access.Assessor}
	_, err = b.Define(t.Context(), assessor, course.Definition{Code: "X", Title: "X"})
	wantKind(t, err, fault.Forbidden)
}

func TestMapFromBothEnds(t *testing.T) {
	b := setup(t)
	c, err := b.Define(t.Context(), b.designer, course.Definition{Code: "DA 101", Title: "Data"})
	if err != nil {
		t.Fatal(err)
	}
	var item framework.ItemID
	err = b.DB.Tenant(t.Context(), b.designer, func(tx pgx.Tx) error {
		found, err := framework.Resolve(t.Context(), tx, b.designer, []string{"A.1", "Z.9"})
		if len(found) != 1 {
			t.Errorf("found %v", found)
		}
		item = found["A.1"]
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := b.Map(t.Context(), b.designer, "DA 101", string(item), course.Assessed, ptr("Proficient"))
	if err != nil || m.CourseID != c.ID {
		t.Fatalf("%+v, %v", m, err)
	}
	_, err = b.Map(t.Context(), b.designer, "DA 101", string(item), course.Assessed, ptr("Superb"))
	wantKind(t, err, fault.Invalid)
	_, err = b.Map(t.Context(), b.designer, "DA 101", string(item), "repeated", nil)
	wantKind(t, err, fault.Invalid)
	fromCourse, err := b.CompetenciesOf(t.Context(), b.designer, []course.ID{c.ID})
	if err != nil || len(fromCourse[c.ID]) != 1 || fromCourse[c.ID][0].ItemID != item {
		t.Errorf("%v, %v", fromCourse, err)
	}
	fromItem, err := b.CoursesOf(t.Context(), b.designer, []framework.ItemID{item})
	if err != nil || len(fromItem[item]) != 1 || fromItem[item][0].CourseID != c.ID {
		t.Errorf("%v, %v", fromItem, err)
	}
	if err := b.Unmap(t.Context(), b.designer, "DA 101", string(item), course.Assessed); err != nil {
		t.Fatal(err)
	}
	wantKind(t, b.Unmap(t.Context(), b.designer, "DA 101", string(item), course.Assessed), fault.NotFound)
}

func TestImports(t *testing.T) {
	b := setup(t)
	in := func(fn func(tx pgx.Tx) ([]bulk.Outcome, error), want ...bulk.Change) {
		t.Helper()
		var out []bulk.Outcome
		if err := b.DB.Tenant(t.Context(), b.designer, func(tx pgx.Tx) (err error) { out, err = fn(tx); return err }); err != nil {
			t.Fatal(err)
		}
		for i, w := range want {
			if out[i].Change != w {
				t.Errorf("row %d: %s (%v), want %s", i, out[i].Change, out[i].Err, w)
			}
		}
	}
	batch := bulk.Batch{Now: b.Now(), NewID: id.New}
	courses := func(defs ...course.Definition) func(pgx.Tx) ([]bulk.Outcome, error) {
		rows := make([]course.CatalogRow, len(defs))
		for i, d := range defs {
			rows[i].Definition = d
		}
		return func(tx pgx.Tx) ([]bulk.Outcome, error) {
			return course.Import(t.Context(), tx, b.designer, batch, rows)
		}
	}
	one := course.Definition{Code: "DA 101", Title: "Data", Ref: &id.Ref{System: "sis", Value: "1"}}
	two := course.Definition{Code: "DA 102", Title: "More", Credits: ptr(3.5)}
	in(courses(one, two, course.Definition{Code: "DA 103"}), bulk.Created, bulk.Created, bulk.Failed)
	two.Credits = ptr(4.0)
	thief := course.Definition{Code: "DA 104", Title: "Thief", Ref: one.Ref}
	in(courses(one, two, thief), bulk.Unchanged, bulk.Updated, bulk.Failed)
	cells := func(rows ...course.MapRow) func(pgx.Tx) ([]bulk.Outcome, error) {
		return func(tx pgx.Tx) ([]bulk.Outcome, error) {
			return course.ImportMap(t.Context(), tx, b.designer, batch, "sis", rows)
		}
	}
	a1 := course.MapRow{Course: "DA 101", Item: "A.1", Stage: "assessed", TargetLevel: ptr("Proficient")}
	in(cells(a1, course.MapRow{Course: "DA 999", Item: "A.1", Stage: "assessed"}, course.MapRow{Course: "1", Item: "A.2", Stage: "introduced"},
		course.MapRow{Course: "DA 101", Item: "Q", Stage: "assessed"}), bulk.Created, bulk.Failed, bulk.Created, bulk.Failed)
	changed := a1
	changed.TargetLevel = ptr("Advanced")
	in(cells(a1, changed, changed), bulk.Unchanged, bulk.Updated, bulk.Unchanged)
}
