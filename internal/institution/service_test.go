package institution_test

import (
	"testing"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pgtest"
)

type bench struct {
	*institution.Service
	now   time.Time
	admin access.Actor
	in    institution.Institution
}

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{now: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)}
	b.Service = &institution.Service{DB: pgtest.New(t), Now: func() time.Time { return b.now }, NewID: id.New}
	in, err := b.Found(t.Context(), "lakeview", institution.Profile{Name: "Lakeview"})
	if err != nil {
		t.Fatal(err)
	}
	b.in, b.admin = in, access.Actor{ID: "cli_test", InstitutionID: string(in.ID), Roles: []access.Role{access.Administrator}}
	return b
}

func wantKind(t *testing.T, err error, k fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != k {
		t.Errorf("got %v, want %s", err, k)
	}
}

func TestFoundOnce(t *testing.T) {
	b := setup(t)
	_, err := b.Found(t.Context(), "lakeview", institution.Profile{Name: "Another"})
	wantKind(t, err, fault.Conflict)
	_, err = b.Found(t.Context(), "Lake View", institution.Profile{Name: "Another"})
	wantKind(t, err, fault.Invalid)
	got, err := b.BySlug(t.Context(), "lakeview")
	if err != nil || got != b.in.ID {
		t.Errorf("%v, %v", got, err)
	}
	_, err = b.BySlug(t.Context(), "nowhere")
	wantKind(t, err, fault.NotFound)
}

func TestRevise(t *testing.T) {
	b := setup(t)
	one, url := 1, "https://lakeview.example"
	in, err := b.Revise(t.Context(), b.admin, &one, institution.Profile{Name: "Lakeview College", URL: &url})
	if err != nil || in.Version != 2 {
		t.Fatalf("%+v, %v", in, err)
	}
	same, err := b.Revise(t.Context(), b.admin, nil, institution.Profile{Name: "Lakeview College", URL: &url})
	if err != nil || same.Version != 2 {
		t.Errorf("an unchanged profile became version %d, %v", same.Version, err)
	}
	_, err = b.Revise(t.Context(), b.admin, &one, institution.Profile{Name: "Lake"})
	wantKind(t, err, fault.Conflict)
	bad := "lakeview"
	_, err = b.Revise(t.Context(), b.admin, nil, institution.Profile{Name: "Lake", URL: &bad})
	wantKind(t, err, fault.Invalid)
	registrar := b.admin
	registrar.Roles = []access.Role{access.Registrar}
	_, err = b.Revise(t.Context(), registrar, nil, institution.Profile{Name: "Lake"})
	wantKind(t, err, fault.Forbidden)
}

func TestTokens(t *testing.T) {
	b := setup(t)
	later := b.now.Add(time.Hour)
	c, token, err := b.CreateClient(t.Context(), b.admin, institution.NewClient{Name: "SIS", Roles: []access.Role{access.Registrar},
		Scopes: []access.Scope{access.ScopeImport}, ExpiresAt: &later})
	if err != nil {
		t.Fatal(err)
	}
	who, err := b.Authenticate(t.Context(), token)
	if err != nil || who.ID != c.ID || !who.Has(access.Registrar) || len(who.Scopes) != 1 {
		t.Fatalf("%+v, %v", who, err)
	}
	for _, bad := range []string{"", "tmr1", token + "x", token[:len(token)-2] + "AA", "tmr1.a.b.c", "tmr1." + token} {
		_, err := b.Authenticate(t.Context(), bad)
		wantKind(t, err, fault.Unauthenticated)
	}
	b.now = later
	_, err = b.Authenticate(t.Context(), token)
	wantKind(t, err, fault.Unauthenticated)
	b.now = later.Add(-time.Minute)
	if _, err := b.RevokeClient(t.Context(), b.admin, c.ID); err != nil {
		t.Fatal(err)
	}
	_, err = b.Authenticate(t.Context(), token)
	wantKind(t, err, fault.Unauthenticated)
	all, err := b.ListClients(t.Context(), b.admin, page.Args{})
	if err != nil || len(all.Nodes) != 1 || all.Nodes[0].RevokedAt == nil {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestNobodyGrantsSystem(t *testing.T) {
	b := setup(t)
	for _, r := range []access.Role{access.System, access.Visitor, "emperor", access.Learner} {
		_, _, err := b.CreateClient(t.Context(), b.admin, institution.NewClient{Name: "x", Roles: []access.Role{r}})
		wantKind(t, err, fault.Invalid)
	}
	_, err := b.AddStaff(t.Context(), b.admin, institution.NewStaff{Email: "a@b.example", Name: "A", Roles: []access.Role{access.Learner}})
	wantKind(t, err, fault.Invalid)
}

func TestStaff(t *testing.T) {
	b := setup(t)
	st, err := b.AddStaff(t.Context(), b.admin, institution.NewStaff{Email: "a@b.example", Name: "A", Roles: []access.Role{access.Registrar}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.AddStaff(t.Context(), b.admin, institution.NewStaff{Email: "a@b.example", Name: "B", Roles: []access.Role{access.Registrar}})
	wantKind(t, err, fault.Conflict)
	st, err = b.ReviseStaff(t.Context(), b.admin, st.ID, nil, institution.NewStaff{Email: "a@b.example", Name: "A", Roles: []access.Role{access.Assessor}})
	if err != nil || st.Version != 2 {
		t.Fatalf("%+v, %v", st, err)
	}
	st, err = b.DeactivateStaff(t.Context(), b.admin, st.ID)
	if err != nil || st.DeactivatedAt == nil {
		t.Fatalf("%+v, %v", st, err)
	}
	stranger := b.admin
	other, err := b.Found(t.Context(), "other", institution.Profile{Name: "Other"})
	if err != nil {
		t.Fatal(err)
	}
	stranger.InstitutionID = string(other.ID)
	_, err = b.DeactivateStaff(t.Context(), stranger, st.ID)
	wantKind(t, err, fault.NotFound)
	if all, err := b.ListStaff(t.Context(), stranger, page.Args{}); err != nil || len(all.Nodes) != 0 {
		t.Errorf("a stranger sees %v, %v", all, err)
	}
}
