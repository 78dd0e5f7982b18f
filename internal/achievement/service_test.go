package achievement_test

import (
	"testing"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/testbed"
)

func badge(name string) achievement.Definition {
	return achievement.Definition{Name: name, Description: "d", Criteria: &openbadges.Criteria{Narrative: "n"}}
}

func TestAVersionStaysAndARevisionIsAnother(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	who := b.As(access.Designer)
	a := testbed.Must(t, must(b.Achievements.Define(t.Context(), who, achievement.Draft{Ref: &id.Ref{System: "x", Value: "1"}, Definition: badge("One")})), nil)
	same := must(b.Achievements.Revise(t.Context(), who, string(a.ID), nil, a.Definition))
	if same.Version != 1 {
		t.Errorf("the same definition made version %d", same.Version)
	}
	one := 1
	next := must(b.Achievements.Revise(t.Context(), who, "ref:x:1", &one, badge("Two")))
	if next.Version != 2 || next.Definition.Name != "Two" {
		t.Errorf("%+v", next)
	}
	if _, err := b.Achievements.Revise(t.Context(), who, string(a.ID), &one, badge("Three")); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a stale revision: %v", err)
	}
	all := must(b.Achievements.VersionsOf(t.Context(), who, []achievement.ID{a.ID}))[a.ID]
	if len(all) != 2 || all[0].Version != 2 || all[1].Definition.Name != "One" {
		t.Errorf("%+v", all)
	}
	if r := must(b.Achievements.Retire(t.Context(), who, string(a.ID))); r.RetiredAt == nil {
		t.Error("retired and in use")
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	who := b.As(access.Designer)
	uri := "https://a.example/1"
	must(b.Achievements.Define(t.Context(), who, achievement.Draft{URI: &uri, Ref: &id.Ref{System: "x", Value: "1"}, Definition: badge("One")}))
	neighbour := access.Actor{ID: "n", InstitutionID: string(b.Neighbour.ID), Roles: []access.Role{access.Designer}}
	define := func(who access.Actor, d achievement.Draft) error {
		_, err := b.Achievements.Define(t.Context(), who, d)
		return err
	}
	for name, c := range map[string]struct {
		err  error
		kind fault.Kind
	}{
		"no name":              {define(who, achievement.Draft{Definition: badge("")}), fault.Invalid},
		"an address twice":     {define(who, achievement.Draft{URI: &uri, Definition: badge("Two")}), fault.Conflict},
		"a reference twice":    {define(who, achievement.Draft{Ref: &id.Ref{System: "x", Value: "1"}, Definition: badge("Two")}), fault.Conflict},
		"an assessor defines":  {define(b.As(access.Assessor), achievement.Draft{Definition: badge("Two")}), fault.Forbidden},
		"a neighbour's own":    {define(neighbour, achievement.Draft{URI: &uri, Definition: badge("One")}), ""},
		"a neighbour retires":  {second(b.Achievements.Retire(t.Context(), neighbour, "ref:x:1")), fault.NotFound},
		"a neighbour revises":  {second(b.Achievements.Revise(t.Context(), neighbour, "ref:x:1", nil, badge("Stolen"))), fault.NotFound},
		"an unknown alignment": {second(b.Achievements.Unalign(t.Context(), who, "ref:x:1", "https://nowhere.example")), fault.NotFound},
		"an unknown item":      {second(b.Achievements.Align(t.Context(), who, "ref:x:1", "itm_nothing")), fault.NotFound},
	} {
		if c.err == nil && c.kind != "" || c.err != nil && fault.KindOf(c.err) != c.kind {
			t.Errorf("%s: %v, want %q", name, c.err, c.kind)
		}
	}
	if a := must(b.Achievements.Find(t.Context(), who, "ref:x:1")); a.Definition.Name != "One" || a.Version != 1 {
		t.Errorf("a refused change was made: %+v", a)
	}
}

func TestAlignmentsAreSeenFromBothEnds(t *testing.T) {
	t.Parallel()
	b := testbed.New(t)
	who := b.As(access.Designer)
	b.Import(t, exchange.CasePackage, demo.Files()[0].Data, exchange.Options{})
	found := must(b.Frameworks.List(t.Context(), who, framework.Filter{}, page.Args{})).Nodes[0]
	item := must(b.Frameworks.ItemsOf(t.Context(), who, []framework.ID{found.ID}, framework.ItemFilter{}, page.Args{}))[found.ID].Nodes[0]
	c := must(b.Courses.Define(t.Context(), who, course.Definition{Code: "A", Title: "A course"}))
	a := must(b.Achievements.Define(t.Context(), who, achievement.Draft{Definition: badge("One")}))
	must(b.Achievements.Align(t.Context(), who, string(a.ID), string(item.ID)))
	must(b.Achievements.Align(t.Context(), who, string(a.ID), string(item.ID)))
	last := must(b.Achievements.AlignCourse(t.Context(), who, string(a.ID), "A"))
	if last.Version != 3 || len(last.Definition.Alignment) != 2 {
		t.Errorf("version %d, %+v", last.Version, last.Definition.Alignment)
	}
	of := must(b.Achievements.OfItems(t.Context(), who, []framework.ItemID{item.ID}))[item.ID]
	ofCourse := must(b.Achievements.OfCourses(t.Context(), who, []course.ID{c.ID}))[c.ID]
	if len(of) != 1 || of[0].AchievementID != a.ID || len(ofCourse) != 1 || ofCourse[0].AchievementID != a.ID {
		t.Errorf("%+v %+v", of, ofCourse)
	}
	must(b.Achievements.Unalign(t.Context(), who, string(a.ID), of[0].TargetURL))
	if left := must(b.Achievements.OfItems(t.Context(), who, []framework.ItemID{item.ID}))[item.ID]; len(left) != 0 {
		t.Errorf("%+v", left)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func second[T any](_ T, err error) error { return err }
