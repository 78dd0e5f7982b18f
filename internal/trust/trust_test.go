package trust_test

import (
	"fmt"
	"testing"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/testbed"
	"github.com/testamur/testamur/internal/trust"
	"github.com/testamur/testamur/internal/verify"
)

func TestTheListIsKept(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	ctx, who := t.Context(), b.Registrar()
	since, until := day.Of(2020, 1, 1), day.Of(2024, 12, 31)
	i, err := b.Trust.Add(ctx, who, trust.Entry{Name: " Hillside ", Issuer: "did:web:hillside.example", Since: &since, Until: &until, Source: "ministry's register"})
	if err != nil || i.Name != "Hillside" {
		t.Fatal(i, err)
	}
	for on, want := range map[day.Date]bool{day.Of(2019, 12, 31): false, since: true, until: true, day.Of(2025, 1, 1): false} {
		if i.Knows(on) != want {
			t.Errorf("on %s: %v", on, !want)
		}
	}
	if _, err := b.Trust.Add(ctx, who, trust.Entry{Name: "Twice", Issuer: "did:web:hillside.example"}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("twice: %v", err)
	}
	for _, bad := range []trust.Entry{{Issuer: "did:web:x.example"}, {Name: "x"}, {Name: "x", Issuer: "http://x.example"}, {Name: "x", Issuer: "did:web"}, {Name: "x", Issuer: "did:web:x#k"},
		{Name: "x", Issuer: "x"}, {Name: "x", Issuer: "did:web:y.example", Since: &until, Until: &since}} {
		if _, err := b.Trust.Add(ctx, who, bad); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	wrong := 7
	if _, err := b.Trust.Revise(ctx, who, i.ID, &wrong, trust.Entry{Name: "H", Issuer: "https://hillside.example/issuer"}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("%v", err)
	}
	r, err := b.Trust.Revise(ctx, who, i.ID, &i.Version, trust.Entry{Name: "H", Issuer: "https://hillside.example/issuer"})
	if err != nil || r.Version != 2 || r.Since != nil {
		t.Errorf("%+v %v", r, err)
	}
	neighbour := who
	neighbour.InstitutionID = string(b.Neighbour.ID)
	if _, err := b.Trust.Find(ctx, neighbour, i.ID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a neighbour reads it: %v", err)
	}
	if known, err := b.Trust.Known(ctx, neighbour, []string{r.Issuer}); err != nil || len(known) != 0 {
		t.Errorf("a neighbour knows them: %v %v", known, err)
	}
	for n := range 3 {
		if _, err := b.Trust.Add(ctx, who, trust.Entry{Name: "A", Issuer: fmt.Sprintf("did:web:a%d.example", n)}); err != nil {
			t.Fatal(err)
		}
	}
	two := 2
	seen := 0
	for a := (page.Args{First: &two}); ; {
		c, err := b.Trust.List(ctx, who, a)
		if err != nil {
			t.Fatal(err)
		}
		seen += len(c.Nodes)
		if !c.PageInfo.HasNextPage {
			break
		}
		a.After = c.PageInfo.EndCursor
	}
	if seen != 4 {
		t.Errorf("%d of 4 on the pages", seen)
	}
	if _, err := b.Trust.Remove(ctx, who, i.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Trust.Remove(ctx, who, i.ID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("%v", err)
	}
}

// foreign is a badge of somebody else, whose proof cannot be checked here.
const foreign = `{"@context":["https://www.w3.org/ns/credentials/v2"],"id":"urn:uuid:1","type":["VerifiableCredential"],"issuer":"did:web:far.example",
	"validFrom":"2026-01-01T00:00:00Z","credentialSubject":{"id":"urn:x"}}`

func TestAnUnknownIssuerIsNoFailure(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	ctx, who := t.Context(), b.Registrar()
	find := func(who access.Actor) *verify.Check {
		t.Helper()
		r, err := b.Verifier.Report(ctx, who, []byte(foreign))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range r.Checks {
			if c.Name == "trust" {
				return &c
			}
		}
		return nil
	}
	if c := find(who); c == nil || c.Outcome != verify.NotChecked {
		t.Errorf("without a list: %+v", c)
	}
	if _, err := b.Trust.Add(ctx, who, trust.Entry{Name: "Near", Issuer: "did:web:near.example"}); err != nil {
		t.Fatal(err)
	}
	if c := find(who); c == nil || c.Outcome != verify.NotChecked {
		t.Errorf("not on the list: %+v", c)
	}
	since := day.Of(2026, 2, 1)
	i, err := b.Trust.Add(ctx, who, trust.Entry{Name: "Far", Issuer: "did:web:far.example", Since: &since})
	if err != nil {
		t.Fatal(err)
	}
	if c := find(who); c == nil || c.Outcome != verify.NotChecked {
		t.Errorf("not for that day: %+v", c)
	}
	if _, err := b.Trust.Revise(ctx, who, i.ID, nil, trust.Entry{Name: "Far", Issuer: "did:web:far.example"}); err != nil {
		t.Fatal(err)
	}
	if c := find(who); c == nil || c.Outcome != verify.Passed {
		t.Errorf("known: %+v", c)
	}
	if c := find(access.Anonymous()); c == nil || c.Outcome != verify.NotChecked {
		t.Errorf("a stranger is told about our list: %+v", c)
	}
}
