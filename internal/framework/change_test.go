package framework_test

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
)

func of(text string) framework.File {
	return framework.File{Form: framework.CASE, Open: func(pgx.Tx) io.Reader { return strings.NewReader(text) }}
}

func said(c framework.Comparison) string {
	var b strings.Builder
	for _, i := range c.Items {
		fmt.Fprintf(&b, "%s %s", i.Kind, i.Statement)
		for _, m := range i.Members {
			fmt.Fprintf(&b, " %s", m.Name)
		}
		for _, r := range i.ReplacedBy {
			fmt.Fprintf(&b, " by %s", r[len(r)-2:])
		}
		b.WriteString("; ")
	}
	for _, l := range c.Associations {
		fmt.Fprintf(&b, "%s %s %s-%s; ", l.Kind, l.Type, l.OriginIdentifier[34:], l.DestinationIdentifier[34:])
	}
	for _, m := range c.Document {
		fmt.Fprintf(&b, "document %s; ", m.Name)
	}
	return strings.TrimSuffix(b.String(), "; ")
}

func replacedBy(n, old, by string) string {
	return strings.Replace(below(n, old, by), "isChildOf", "replacedBy", 1)
}

func TestPreviewSaysWhatApplyDoes(t *testing.T) {
	b := setup(t)
	first := pkg([]string{item("11", "top"), item("12", "stays"), item("13", "changes"), item("14", "goes"), item("15", "is replaced"), item("16", "moves")},
		[]string{below("21", "11", "01"), below("22", "12", "11"), below("23", "13", "11"), below("24", "14", "11"), below("25", "15", "11"), below("26", "16", "11")})
	second := pkg([]string{item("17", "is new"), item("11", "top"), item("12", "stays"), item("13", "changes a word"), item("16", "moves")},
		[]string{below("21", "11", "01"), below("22", "12", "11"), below("23", "13", "11"), below("26", "16", "12"), below("27", "17", "11"), replacedBy("28", "15", "17")})
	second = strings.Replace(second, `"title":"T"`, `"title":"T, second edition"`, 1)

	preview := func(text string) framework.Comparison {
		t.Helper()
		c, err := b.Preview(t.Context(), b.designer, of(text))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := preview(first)
	if c.FromVersion != 0 || c.ToVersion != 1 || c.Count(framework.Added) != 6 || len(c.Associations) != 6 {
		t.Errorf("first: %+v", c)
	}
	zero := 0
	f, _, err := b.Apply(t.Context(), b.designer, &zero, of(first))
	if err != nil {
		t.Fatal(err)
	}
	want := "added is new; changed changes a word fullStatement; retired goes; replaced is replaced by 17; changed moves parents; " +
		"added isChildOf 17-11; changed isChildOf 16-12; added replacedBy 15-17; retired isChildOf 14-11; retired isChildOf 15-11; document title"
	c = preview(second)
	if got := sortedSaid(c); got != sortParts(want) || c.FromVersion != 1 || c.ToVersion != 2 {
		t.Errorf("preview:\n%s\nwant\n%s", got, sortParts(want))
	}
	var before bytes.Buffer
	if err := b.Export(t.Context(), b.designer, string(f.ID), 0, &before); err != nil || !equalJSON(t, before.Bytes(), []byte(first)) {
		t.Errorf("the preview changed something: %v", err)
	}
	if _, _, err := b.Apply(t.Context(), b.designer, &zero, of(second)); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a stale version: %v", err)
	}
	one := 1
	f, done, err := b.Apply(t.Context(), b.designer, &one, of(second))
	if err != nil || sortedSaid(done) != sortedSaid(c) || f.Version != 2 || f.Title != "T, second edition" {
		t.Errorf("applied: %v\n%s", err, said(done))
	}
	then, err := b.Compare(t.Context(), b.designer, string(f.ID), 1, 0)
	if err != nil || sortedSaid(then) != sortedSaid(c) {
		t.Errorf("compared afterwards: %v\n%s", err, said(then))
	}
	back, err := b.Compare(t.Context(), b.designer, string(f.ID), 2, 1)
	if err != nil || back.Count(framework.Added) != 2 || back.Count(framework.Retired) != 1 {
		t.Errorf("backwards: %v\n%s", err, said(back))
	}
	if same := preview(second); said(same) != "" || same.FromVersion != 2 || same.ToVersion != 2 {
		t.Errorf("the same again: %s", said(same))
	}

	for version, want := range map[int]string{1: first, 2: second, 0: second} {
		var out bytes.Buffer
		if err := b.Export(t.Context(), b.designer, string(f.ID), version, &out); err != nil || !equalJSON(t, out.Bytes(), []byte(want)) {
			t.Errorf("version %d comes out different: %v", version, err)
		}
	}
	if _, err := b.Compare(t.Context(), b.neighbour, string(f.ID), 1, 2); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a neighbour compares: %v", err)
	}
	assessor := b.designer
	assessor.Roles = []access.Role{access.Assessor}
	if _, err := b.Preview(t.Context(), assessor, of(second)); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("an assessor previews: %v", err)
	}
}

func sortedSaid(c framework.Comparison) string { return sortParts(said(c)) }

func sortParts(s string) string {
	parts := strings.Split(s, "; ")
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}

// rubricOf is a rubric with one criterion about an item and levels by name.
func rubricOf(n, about string, names ...string) string {
	var levels []string
	for i, name := range names {
		levels = append(levels, fmt.Sprintf(`{"identifier":"%s","uri":"https://x.example/l/%s%d","quality":"%s%s}`, uuid(fmt.Sprint(70+i)), n, i, name, tail))
	}
	return `{"identifier":"` + uuid(n) + `","uri":"https://x.example/r/` + n + tail + `,"CFRubricCriteria":[{"identifier":"` + uuid("61") +
		`","uri":"https://x.example/c/61` + tail + `,"CFItemURI":{"title":"i","identifier":"` + uuid(about) + `","uri":"https://x.example/i/` + about +
		`"},"CFRubricCriterionLevels":[` + strings.Join(levels, ",") + `]}]}`
}

func TestAChangedRubricKeepsItsIds(t *testing.T) {
	b := setup(t)
	with := func(rubrics ...string) string {
		return strings.TrimSuffix(pkg([]string{item("11", "one")}, nil), "}") + `,"CFRubrics":[` + strings.Join(rubrics, ",") + `]}`
	}
	levels := func(f framework.ID, version int) (ids, names string) {
		t.Helper()
		g, err := b.Graph(t.Context(), b.designer, string(f), version)
		if err != nil {
			t.Fatal(err)
		}
		i, _ := g.ByIdentifier(uuid("11"))
		for _, l := range g.Levels(i) {
			ids, names = ids+l.ID+" ", names+*l.Quality+" "
		}
		return ids, names
	}
	l := b.load(t, with(rubricOf("60", "11", "low", "high")))
	ids, _ := levels(l.Framework, 0)
	l = b.load(t, with(rubricOf("60", "11", "low", "higher", "highest")))
	if l.Created != 0 || l.Updated != 1 || l.Retired != 0 {
		t.Errorf("%+v", l)
	}
	after, names := levels(l.Framework, 0)
	if !strings.HasPrefix(after, ids) || names != "low higher highest " {
		t.Errorf("%s then %s (%s)", ids, after, names)
	}
	if _, names := levels(l.Framework, 1); names != "low high " {
		t.Errorf("before: %s", names)
	}
	if l = b.load(t, with(rubricOf("62", "11", "other"))); l.Created != 1 || l.Retired != 1 || l.Updated != 0 {
		t.Errorf("another in its place: %+v", l)
	}
}
