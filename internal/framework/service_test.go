package framework_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/bulk"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pgtest"
	"github.com/testamur/testamur/internal/spec/imscase"
	"github.com/testamur/testamur/internal/standards"
)

type bench struct {
	*framework.Service
	designer, neighbour access.Actor
}

func setup(t testing.TB) *bench {
	t.Helper()
	db := pgtest.New(t)
	now := func() time.Time { return time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC) }
	found := &institution.Service{DB: db, Now: now, NewID: id.New}
	b := &bench{Service: &framework.Service{DB: db, Now: now, NewID: id.New, Origin: "https://records.example"}}
	for slug, who := range map[string]*access.Actor{"lakeview": &b.designer, "hillside": &b.neighbour} {
		in, err := found.Found(t.Context(), slug, institution.Profile{Name: slug})
		if err != nil {
			t.Fatal(err)
		}
		*who = access.Actor{ID: "cli_" + slug, InstitutionID: string(in.ID), Roles: []access.Role{access.Designer}}
	}
	return b
}

func (b *bench) batch() bulk.Batch { return bulk.Batch{Now: b.Now(), NewID: b.NewID} }

func equalJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(unsorted(x), unsorted(y))
}

// whole makes a package of an example that is one object.
func whole(data []byte) []byte {
	var head struct {
		Statement *string `json:"fullStatement"`
		Type      *string `json:"associationType"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return data
	}
	switch {
	case head.Statement != nil:
		return []byte(`{` + doc + `,"CFItems":[` + string(data) + `]}`)
	case head.Type != nil:
		return []byte(`{` + doc + `,"CFAssociations":[` + string(data) + `]}`)
	}
	return data
}

// unsorted is a value with every list of objects in the order of their
// identifiers, because the order of a package's lists says nothing.
func unsorted(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			v[k] = unsorted(x)
		}
	case []any:
		for i, x := range v {
			v[i] = unsorted(x)
		}
		slices.SortStableFunc(v, func(a, b any) int { return strings.Compare(identifierOf(a), identifierOf(b)) })
	}
	return v
}

func identifierOf(v any) string {
	if o, ok := v.(map[string]any); ok {
		id, _ := o["identifier"].(string)
		return id
	}
	return ""
}

func TestOfficialExamplesRoundTripThroughTheDatabase(t *testing.T) {
	b := setup(t)
	for _, f := range standards.Glob(t, "examples/case/*.json") {
		name := filepath.Base(f)
		data := whole(standards.Read(t, "examples/case/"+name))
		l, err := b.Import(t.Context(), b.designer, bytes.NewReader(data))
		if name == "v1p1-implguide-371996.json" { // no identifier of it is a UUID, and its items stand inside the document
			var refused *imscase.Refused
			if !errors.As(err, &refused) || refused.Violations[0].Rule != "case-required-member" {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var out bytes.Buffer
		if err := b.Export(t.Context(), b.designer, string(l.Framework), 0, &out); err != nil {
			t.Fatal(err)
		}
		if !equalJSON(t, data, out.Bytes()) {
			t.Errorf("%s came out different", name)
		}
		again, err := b.Import(t.Context(), b.designer, bytes.NewReader(reordered(t, data)))
		if err != nil || again.Created+again.Updated+again.Retired != 0 || again.Version != l.Version {
			t.Errorf("%s, again with its members in another order: %+v, %v", name, again, err)
		}
		if err := b.Export(t.Context(), b.neighbour, string(l.Framework), 0, &out); fault.KindOf(err) != fault.NotFound {
			t.Errorf("a neighbour exports: %v", err)
		}
	}
}

// reordered is the same JSON with other blanks, and members by name.
func reordered(t *testing.T, data []byte) []byte {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	out, err := json.MarshalIndent(v, "", "   ")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const (
	doc  = `"CFDocument":{"identifier":"0f6b5b0a-3a5e-4d7e-9b1a-000000000001","uri":"https://x.example/d","creator":"X","title":"T","lastChangeDateTime":"2026-01-01T00:00:00Z"}`
	tail = `","lastChangeDateTime":"2026-01-01T00:00:00Z"`
)

func uuid(n string) string { return "0f6b5b0a-3a5e-4d7e-9b1a-0000000000" + n }

func item(n, statement string) string {
	return `{"identifier":"` + uuid(n) + `","uri":"https://x.example/i/` + n + `","fullStatement":"` + statement + tail + `}`
}

func below(n, child, parent string) string {
	return `{"identifier":"` + uuid(n) + `","uri":"https://x.example/a/` + n + `","associationType":"isChildOf","originNodeURI":{"title":"c","identifier":"` + uuid(child) +
		`","uri":"https://x.example/i/` + child + `"},"destinationNodeURI":{"title":"p","identifier":"` + uuid(parent) + `","uri":"https://x.example/i/` + parent + `"}` + tail[1:] + `}`
}

func pkg(items, links []string) string {
	return `{` + doc + `,"CFItems":[` + strings.Join(items, ",") + `],"CFAssociations":[` + strings.Join(links, ",") + `]}`
}

func (b *bench) load(t *testing.T, text string) framework.Loaded {
	t.Helper()
	l, err := b.Import(t.Context(), b.designer, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestANewerPackageChangesWhatChanged(t *testing.T) {
	b := setup(t)
	l := b.load(t, pkg([]string{item("11", "one"), item("12", "two")}, []string{below("21", "11", "01"), below("22", "12", "11")}))
	if l.Created != 5 || l.Updated+l.Unchanged+l.Retired != 0 {
		t.Errorf("first: %+v", l)
	}
	l = b.load(t, pkg([]string{item("11", "one, better"), item("13", "three")}, []string{below("21", "11", "01"), below("23", "13", "11")}))
	if l.Created != 2 || l.Updated != 1 || l.Retired != 2 || l.Unchanged != 2 {
		t.Errorf("second: %+v", l)
	}
	items, err := b.ItemsOf(t.Context(), b.designer, []framework.ID{l.Framework}, framework.ItemFilter{Retired: true}, page.Args{})
	if err != nil || len(items[l.Framework].Nodes) != 3 {
		t.Fatalf("%+v, %v", items, err)
	}
	l = b.load(t, pkg([]string{item("11", "one"), item("12", "two")}, []string{below("21", "11", "01"), below("22", "12", "11")}))
	if l.Updated != 2 || l.Created != 1 || l.Retired != 2 {
		t.Errorf("back again: %+v", l)
	}
}

func TestHierarchyWithACycleEnds(t *testing.T) {
	b := setup(t)
	l := b.load(t, pkg([]string{item("11", "a"), item("12", "b"), item("13", "c")},
		[]string{below("21", "11", "12"), below("22", "12", "11"), below("23", "13", "12"), below("24", "99", "98")}))
	if len(l.Notices) != 2 || !strings.Contains(l.Notices[0]+l.Notices[1], uuid("11")) {
		t.Errorf("notices %q", l.Notices)
	}
	items, err := b.ItemsOf(t.Context(), b.designer, []framework.ID{l.Framework}, framework.ItemFilter{}, page.Args{})
	if err != nil {
		t.Fatal(err)
	}
	var ids []framework.ItemID
	for _, i := range items[l.Framework].Nodes {
		ids = append(ids, i.ID)
	}
	paths, err := b.PathsOf(t.Context(), b.designer, ids)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range paths[ids[2]] {
		got = append(got, i.FullStatement)
	}
	if strings.Join(got, " ") != "a b c" {
		t.Errorf("path %q", got)
	}
	children, err := b.ChildrenOf(t.Context(), b.designer, ids, page.Args{})
	if err != nil || len(children[ids[1]].Nodes) != 2 || len(children[ids[2]].Nodes) != 0 {
		t.Errorf("%+v, %v", children, err)
	}
	parents, err := b.ParentsOf(t.Context(), b.designer, ids)
	if err != nil || len(parents[ids[2]]) != 1 {
		t.Errorf("%+v, %v", parents, err)
	}
	links, err := b.AssociationsOf(t.Context(), b.designer, ids[2:])
	if err != nil || len(links[ids[2]]) != 1 || *links[ids[2]][0].OtherID != ids[1] {
		t.Errorf("%+v, %v", links, err)
	}
}

func TestOnlyDesignersImport(t *testing.T) {
	b := setup(t)
	assessor := b.designer
	assessor.Roles = []access.Role{access.Assessor}
	_, err := b.Import(t.Context(), assessor, strings.NewReader(pkg(nil, nil)))
	if fault.KindOf(err) != fault.Forbidden {
		t.Error(err)
	}
}

func TestARefusedPackageLeavesNothing(t *testing.T) {
	b := setup(t)
	_, err := b.Import(t.Context(), b.designer, strings.NewReader(pkg([]string{item("11", "a"), `{}`}, nil)))
	var refused *imscase.Refused
	if !errors.As(err, &refused) {
		t.Fatal(err)
	}
	all, err := b.List(t.Context(), b.designer, framework.Filter{}, page.Args{})
	if err != nil || len(all.Nodes) != 0 {
		t.Errorf("%v, %v", all.Nodes, err)
	}
}
