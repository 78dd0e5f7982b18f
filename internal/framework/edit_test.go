package framework_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/spec/imscase"
)

func ptr[T any](v T) *T { return &v }

func (b *bench) create(t *testing.T, title string) framework.Framework {
	t.Helper()
	f, err := b.Create(t.Context(), b.designer, framework.Document{Title: title, Creator: "Lakeview", Language: ptr("en"), Subject: []string{"Nursing"},
		LicenseTitle: ptr("CC BY 4.0"), LicenseURL: ptr("https://creativecommons.org/licenses/by/4.0/")})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (b *bench) add(t *testing.T, f framework.ID, parent *framework.ItemID, position int, statement string) framework.ItemID {
	t.Helper()
	at := framework.Place{Parent: (*string)(parent)}
	if position > 0 {
		at.Position = &position
	}
	i, err := b.AddItem(t.Context(), b.designer, string(f), nil, at, framework.Statement{FullStatement: statement})
	if err != nil {
		t.Fatal(err)
	}
	return i.ID
}

// tree is the present hierarchy by statement.
func (b *bench) tree(t *testing.T, f framework.ID) string {
	t.Helper()
	g, err := b.Graph(t.Context(), b.designer, string(f), 0)
	if err != nil {
		t.Fatal(err)
	}
	return outline(g)
}

func TestAFrameworkIsMadeByHand(t *testing.T) {
	b := setup(t)
	f := b.create(t, "Nursing")
	a := b.add(t, f.ID, nil, 0, "a")
	c := b.add(t, f.ID, nil, 0, "c")
	bb := b.add(t, f.ID, nil, 2, "b")
	a1 := b.add(t, f.ID, &a, 0, "a1")
	a2 := b.add(t, f.ID, &a, 0, "a2")
	if got := b.tree(t, f.ID); got != "a a1<a a2<a b c" {
		t.Error(got)
	}
	for _, step := range []struct {
		name string
		do   func() error
		want string
	}{
		{"move to another parent", func() error {
			_, err := b.MoveItem(t.Context(), b.designer, string(a2), nil, framework.Place{Parent: (*string)(&c)})
			return err
		}, "a a1<a b c a2<c"},
		{"move to the top, first", func() error {
			_, err := b.MoveItem(t.Context(), b.designer, string(a2), nil, framework.Place{Position: ptr(1)})
			return err
		}, "a2 a a1<a b c"},
		{"move among siblings", func() error {
			_, err := b.MoveItem(t.Context(), b.designer, string(a2), nil, framework.Place{Position: ptr(3)})
			return err
		}, "a a1<a b a2 c"},
		{"order", func() error {
			_, err := b.OrderItems(t.Context(), b.designer, string(f.ID), nil, nil, []string{string(c), string(bb), string(a2), string(a)})
			return err
		}, "c b a2 a a1<a"},
		{"revise", func() error {
			_, err := b.ReviseItem(t.Context(), b.designer, string(bb), nil, framework.Statement{FullStatement: "B!", HumanCodingScheme: ptr("B")})
			return err
		}, "c B! a2 a a1<a"},
		{"replace", func() error {
			_, err := b.ReplaceItem(t.Context(), b.designer, string(c), nil, []string{string(bb)})
			return err
		}, "B! a2 a a1<a c!"},
		{"retire", func() error { _, err := b.RetireItem(t.Context(), b.designer, string(a1), nil); return err }, "B! a2 a c! a1!"},
		{"associate", func() error {
			_, err := b.Associate(t.Context(), b.designer, string(a), "precedes", string(a2), nil)
			return err
		}, "B! a2 a c! a1!"},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := b.tree(t, f.ID); got != step.want {
			t.Errorf("%s: %s, want %s", step.name, got, step.want)
		}
	}

	// what was made by hand is a CASE 1.1 package like any other
	var out bytes.Buffer
	if err := b.Export(t.Context(), b.designer, string(f.ID), 0, &out); err != nil {
		t.Fatal(err)
	}
	read, err := imscase.Read(bytes.NewReader(out.Bytes()), imscase.Sink{})
	if err != nil || read.Version != imscase.V11 || read.Items != 3 || !strings.HasPrefix(read.Document.URI, "https://records.example/i/lakeview/ims/case/v1p1/CFDocuments/") {
		t.Errorf("%+v, %v", read, err)
	}
	again, err := b.Import(t.Context(), b.designer, bytes.NewReader(out.Bytes()))
	if err != nil || again.Created+again.Updated+again.Retired != 0 {
		t.Errorf("its own export changes it: %+v, %v", again, err)
	}

	// each edit is a version, and the past stays
	c1, err := b.Compare(t.Context(), b.designer, string(f.ID), 1, 0)
	if err != nil || c1.Count(framework.Added) != 3 {
		t.Errorf("%s, %v", said(c1), err)
	}
	g, err := b.Graph(t.Context(), b.designer, string(f.ID), 6)
	if err != nil || outline(g) != "a a1<a a2<a b c" {
		t.Errorf("version 6: %v", err)
	}
}

func TestEditsThatAreRefused(t *testing.T) {
	b := setup(t)
	f := b.create(t, "Nursing")
	a := b.add(t, f.ID, nil, 0, "a")
	a1 := b.add(t, f.ID, &a, 0, "a1")
	a11 := b.add(t, f.ID, &a1, 0, "a11")
	other := b.create(t, "Other")
	far := b.add(t, other.ID, nil, 0, "far")
	gone := b.add(t, f.ID, nil, 0, "gone")
	if _, err := b.RetireItem(t.Context(), b.designer, string(gone), nil); err != nil {
		t.Fatal(err)
	}
	ctx, who := t.Context(), b.designer
	assessor := b.designer
	assessor.Roles = []access.Role{access.Assessor}
	version := b.tree(t, f.ID)
	say := framework.Statement{FullStatement: "s"}
	for name, c := range map[string]struct {
		err  error
		kind fault.Kind
		rule string
	}{
		"a title is missing":         {second(b.Create(ctx, who, framework.Document{Creator: "X"})), fault.Invalid, "required"},
		"half a licence":             {second(b.Create(ctx, who, framework.Document{Title: "T", Creator: "X", LicenseTitle: ptr("L")})), fault.Invalid, "license-whole"},
		"a licence that is no place": {second(b.Create(ctx, who, framework.Document{Title: "T", Creator: "X", LicenseTitle: ptr("L"), LicenseURL: ptr("not an address")})), fault.Invalid, "case-uri"},
		"an empty statement":         {second(b.AddItem(ctx, who, string(f.ID), nil, framework.Place{}, framework.Statement{FullStatement: " "})), fault.Invalid, "required"},
		"a stale version":            {second(b.AddItem(ctx, who, string(f.ID), ptr(1), framework.Place{}, say)), fault.Conflict, "version"},
		"a parent elsewhere":         {second(b.AddItem(ctx, who, string(f.ID), nil, framework.Place{Parent: (*string)(&far)}, say)), fault.NotFound, "found"},
		"a place before the first":   {second(b.AddItem(ctx, who, string(f.ID), nil, framework.Place{Position: ptr(0)}, say)), fault.Invalid, "range"},
		"a cycle":                    {second(b.MoveItem(ctx, who, string(a), nil, framework.Place{Parent: (*string)(&a11)})), fault.State, "no-cycle"},
		"below itself":               {second(b.MoveItem(ctx, who, string(a), nil, framework.Place{Parent: (*string)(&a)})), fault.State, "no-cycle"},
		"with children":              {second(b.RetireItem(ctx, who, string(a), nil)), fault.State, "no-children"},
		"retired already":            {second(b.ReviseItem(ctx, who, string(gone), nil, say)), fault.State, "not-retired"},
		"replaced by itself":         {second(b.ReplaceItem(ctx, who, string(a11), nil, []string{string(a11)})), fault.Invalid, "another"},
		"replaced by nothing":        {second(b.ReplaceItem(ctx, who, string(a11), nil, nil)), fault.Invalid, "required"},
		"an order without one":       {second(b.OrderItems(ctx, who, string(f.ID), nil, (*string)(&a), nil)), fault.Invalid, "siblings"},
		"an order with one twice":    {second(b.OrderItems(ctx, who, string(f.ID), nil, (*string)(&a), []string{string(a1), string(a1)})), fault.Invalid, "siblings"},
		"a type of our own":          {second(b.Associate(ctx, who, string(a), "likes", string(a1), nil)), fault.Invalid, "case-association-type"},
		"the hierarchy by hand":      {second(b.Associate(ctx, who, string(a), "isChildOf", string(a1), nil)), fault.Invalid, "hierarchy"},
		"no such association":        {second(b.Dissociate(ctx, who, "asc_1", nil)), fault.NotFound, ""},
		"a neighbour":                {second(b.ReviseItem(ctx, b.neighbour, string(a), nil, say)), fault.NotFound, ""},
		"an assessor":                {second(b.AddItem(ctx, assessor, string(f.ID), nil, framework.Place{}, say)), fault.Forbidden, ""},
		"published somehow":          {second(b.Publish(ctx, who, string(f.ID), "perhaps")), fault.Invalid, "known"},
	} {
		f, _ := fault.Of(c.err)
		if f == nil || f.Kind != c.kind || c.rule != "" && f.Rule != c.rule {
			t.Errorf("%s: %v (%+v)", name, c.err, f)
		}
	}
	if now := b.tree(t, f.ID); now != version {
		t.Errorf("a refused edit changed something: %s, was %s", now, version)
	}
}

func second[T any](_ T, err error) error { return err }

func TestAnEditThatSaysNothingNewMakesNoVersion(t *testing.T) {
	b := setup(t)
	f := b.create(t, "Nursing")
	a := b.add(t, f.ID, nil, 0, "a")
	for range 2 {
		if _, err := b.ReviseItem(t.Context(), b.designer, string(a), nil, framework.Statement{FullStatement: "a"}); err != nil {
			t.Fatal(err)
		}
	}
	now, err := b.Find(t.Context(), b.designer, string(f.ID))
	if err != nil || now.Version != 2 {
		t.Errorf("version %d, %v", now.Version, err)
	}
	d := framework.Document{Title: "Nursing II", Creator: "Lakeview", AdoptionStatus: ptr("Implemented")}
	now, err = b.Revise(t.Context(), b.designer, string(f.ID), ptr(2), d)
	if err != nil || now.Version != 3 || now.Title != "Nursing II" || now.LicenseURI != nil || now.Language != nil {
		t.Errorf("%+v, %v", now, err)
	}
	if now, err = b.Publish(t.Context(), b.designer, string(f.ID), framework.Private); err != nil || now.Publication != framework.Private || now.Version != 3 {
		t.Errorf("%+v, %v", now, err)
	}
}

func TestEditingAFrameworkThatCameInKeepsTheRest(t *testing.T) {
	b := setup(t)
	with := func(statement string) string {
		return strings.Replace(pkg([]string{strings.Replace(item("11", statement), `{`, `{"alternativeLabel":"keep","extensions":{"ours":[1,2]},`, 1)},
			[]string{below("21", "11", "01")}), `{"CFDocument"`, `{"extensions":{"x":1},"CFDefinitions":{"CFSubjects":[]},"CFDocument"`, 1)
	}
	l := b.load(t, with("one"))
	if _, err := b.ReviseItem(t.Context(), b.designer, uuid("11"), nil, framework.Statement{FullStatement: "uno", AlternativeLabel: ptr("keep")}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := b.Export(t.Context(), b.designer, string(l.Framework), 0, &out); err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(out.String(), "2026-11-24T09:00:00Z", "2026-01-01T00:00:00Z") // lastChangeDateTime
	if !equalJSON(t, []byte(got), []byte(with("uno"))) {
		t.Errorf("%s", got)
	}
}

func TestCrosswalks(t *testing.T) {
	b := setup(t)
	ours, state := b.create(t, "Ours"), b.create(t, "State")
	a, x := b.add(t, ours.ID, nil, 0, "a"), b.add(t, state.ID, nil, 0, "x")
	sibling := b.add(t, ours.ID, nil, 0, "b")
	ctx, who := t.Context(), b.designer
	crossings := func() (c *framework.Crossings) {
		t.Helper()
		if err := b.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) { c, err = b.CrossingsInTx(ctx, who, tx); return err }); err != nil {
			t.Fatal(err)
		}
		return c
	}
	p := framework.Proposal{OriginID: string(a), DestinationID: string(x), Type: "exactMatchOf", Direction: framework.Both, Strength: 0.9}
	c, err := b.ProposeCrosswalk(ctx, who, p)
	if err != nil {
		t.Fatal(err)
	}
	if got := crossings(); len(got.All) != 0 {
		t.Errorf("a proposal counts: %+v", got.All)
	}
	if c, err = b.ApproveCrosswalk(ctx, who, c.ID, "Curriculum committee", ptr(1)); err != nil || *c.Approver != "Curriculum committee" || c.Version != 2 {
		t.Fatalf("%+v, %v", c, err)
	}
	first := crossings()
	if len(first.All) != 1 {
		t.Fatalf("%+v", first.All)
	}
	way := first.All[0]
	if way.From != a || way.To != x || way.FromFramework != ours.ID || way.ToFramework != state.ID || !way.Both || way.Strength != 0.9 ||
		way.Approver != "Curriculum committee" || way.Published || !way.InForce(b.Now()) || way.InForce(b.Now().Add(-1)) {
		t.Errorf("%+v", way)
	}
	if again, err := b.ApproveCrosswalk(ctx, who, c.ID, "Somebody else", nil); err != nil || again.Version != 2 || *again.Approver != "Curriculum committee" {
		t.Errorf("approved twice: %+v, %v", again, err)
	}
	assessor := who
	assessor.Roles = []access.Role{access.Assessor}
	with := func(change func(*framework.Proposal)) framework.Proposal { q := p; change(&q); return q }
	for name, c := range map[string]struct {
		err  error
		kind fault.Kind
		rule string
	}{
		"twice":              {second(b.ProposeCrosswalk(ctx, who, p)), fault.Conflict, "crosswalk-once"},
		"in one framework":   {second(b.ProposeCrosswalk(ctx, who, with(func(p *framework.Proposal) { p.DestinationID = string(sibling) }))), fault.Invalid, "another-framework"},
		"of no known type":   {second(b.ProposeCrosswalk(ctx, who, with(func(p *framework.Proposal) { p.Type = "same" }))), fault.Invalid, "case-association-type"},
		"as hierarchy":       {second(b.ProposeCrosswalk(ctx, who, with(func(p *framework.Proposal) { p.Type = "isChildOf" }))), fault.Invalid, "hierarchy"},
		"without strength":   {second(b.ProposeCrosswalk(ctx, who, with(func(p *framework.Proposal) { p.Strength = 0 }))), fault.Invalid, "range"},
		"in no direction":    {second(b.ProposeCrosswalk(ctx, who, with(func(p *framework.Proposal) { p.Direction = "up" }))), fault.Invalid, "known"},
		"to nothing":         {second(b.ProposeCrosswalk(ctx, who, with(func(p *framework.Proposal) { p.DestinationID = "itm_1" }))), fault.NotFound, ""},
		"by nobody":          {second(b.ApproveCrosswalk(ctx, who, c.ID, " ", nil)), fault.Invalid, "required"},
		"stale":              {second(b.ApproveCrosswalk(ctx, who, c.ID, "X", ptr(1))), fault.Conflict, "version"},
		"by a neighbour":     {second(b.ApproveCrosswalk(ctx, b.neighbour, c.ID, "X", nil)), fault.NotFound, ""},
		"by an assessor":     {second(b.ProposeCrosswalk(ctx, assessor, p)), fault.Forbidden, ""},
		"withdrawn silently": {second(b.WithdrawCrosswalk(ctx, who, c.ID, "", nil)), fault.Invalid, "required"},
	} {
		f, _ := fault.Of(c.err)
		if f == nil || f.Kind != c.kind || c.rule != "" && f.Rule != c.rule {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	if c, err = b.WithdrawCrosswalk(ctx, who, c.ID, "the state changed its standard", nil); err != nil || c.WithdrawnAt == nil {
		t.Fatal(err)
	}
	if _, err := b.ApproveCrosswalk(ctx, who, c.ID, "X", nil); fault.KindOf(err) != fault.State {
		t.Errorf("approved after all: %v", err)
	}
	if got := crossings(); got == first || len(got.All) != 1 || got.All[0].InForce(b.Now()) || !first.All[0].InForce(b.Now()) {
		t.Errorf("after its withdrawal: %+v", got.All)
	}
	if _, err := b.ProposeCrosswalk(ctx, who, p); err != nil {
		t.Errorf("proposed again: %v", err)
	}
	of, err := b.CrosswalksOf(ctx, who, []framework.ItemID{a, x, sibling})
	if err != nil || len(of[a]) != 2 || len(of[x]) != 2 || len(of[sibling]) != 0 {
		t.Errorf("%+v, %v", of, err)
	}
	for f, want := range map[framework.CrosswalkFilter]int{{}: 2, {InForce: ptr(true)}: 0, {FrameworkID: &ours.ID}: 2} {
		list, err := b.Crosswalks(ctx, who, f, page.Args{})
		if err != nil || len(list.Nodes) != want {
			t.Errorf("%+v: %d, %v", f, len(list.Nodes), err)
		}
	}
	if list, err := b.Crosswalks(ctx, b.neighbour, framework.CrosswalkFilter{}, page.Args{}); err != nil || len(list.Nodes) != 0 {
		t.Errorf("a neighbour lists %d, %v", len(list.Nodes), err)
	}
}
