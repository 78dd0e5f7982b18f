package framework_test

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/spec/imscase"
	"github.com/testamur/testamur/internal/standards"
	"github.com/testamur/testamur/internal/tabular"
)

func tableOf(f framework.ID, text string) framework.File {
	return framework.File{Form: framework.Table, Framework: string(f), Open: func(pgx.Tx) io.Reader { return strings.NewReader(text) }}
}

func (b *bench) table(t *testing.T, f framework.ID) string {
	t.Helper()
	var out bytes.Buffer
	if err := b.WriteTable(t.Context(), b.designer, string(f), &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestATableThatComesOutChangesNothingWhenItComesIn tries every example, with
// whatever their hierarchies have: several parents, circles, orphans.
func TestATableThatComesOutChangesNothingWhenItComesIn(t *testing.T) {
	b := setup(t)
	packages := []string{pkg([]string{item("11", "=a"), item("12", "b"), item("13", "c"), item("14", "no place"), item("15", "orphan"), item("16", "'quoted")},
		[]string{below("21", "11", "12"), below("22", "12", "11"), below("23", "13", "12"), below("24", "13", "01"), below("25", "15", "99"), below("26", "16", "13"), below("27", "16", "12")})}
	for _, f := range standards.Glob(t, "examples/case/v1p0-*.json") {
		packages = append(packages, string(standards.Read(t, "examples/case/"+filepath.Base(f))))
	}
	for _, text := range packages {
		l := b.load(t, text)
		out := b.table(t, l.Framework)
		c, err := b.Preview(t.Context(), b.designer, tableOf(l.Framework, out))
		if err != nil || c.FromVersion != c.ToVersion {
			t.Errorf("%v: %s\n%s", err, said(c), out)
		}
	}
}

func TestATableChangesAFramework(t *testing.T) {
	b := setup(t)
	f := b.create(t, "Nursing")
	const head = "identifier,parent,code,statement,type,level\n"
	first := head + ",,A,Area,Area,13|14\n,A,A.1,First,Skill,13\n,A,A.2,Second,Skill,\n,A.2,A.2.1,Deep,Skill,\n"
	one := 1
	if _, _, err := b.Apply(t.Context(), b.designer, &one, tableOf(f.ID, first)); err != nil {
		t.Fatal(err)
	}
	if got := b.tree(t, f.ID); got != "Area First<Area Second<Area Deep<Second" {
		t.Errorf("%s", got)
	}
	// without identifiers, rows are known by their codes
	second := head + ",,A,Area,Area,13|14\n,A,A.2,Second,Skill,\n,A,A.1,First!,Skill,13\n,A.1,A.1.1,New,Skill,\n"
	c, err := b.Preview(t.Context(), b.designer, tableOf(f.ID, second))
	if err != nil || c.Count(framework.Added) != 1 || c.Count(framework.Retired) != 1 || c.Count(framework.Changed) != 1 {
		t.Errorf("%v: %s", err, said(c))
	}
	if _, _, err := b.Apply(t.Context(), b.designer, nil, tableOf(f.ID, second)); err != nil {
		t.Fatal(err)
	}
	if got := b.tree(t, f.ID); got != "Area Second<Area First!<Area New<First! Deep!" {
		t.Errorf("%s", got)
	}
	for name, text := range map[string]string{
		"required":                "identifier,parent,code,statement,type,level\n,,A,,Area,\n",
		"case-identifier-pattern": head + "x,,A,s,Area,\n",
		"once":                    head + uuid("11") + ",,A,s,,\n" + uuid("11") + ",,B,s,,\n",
		"parent-known":            head + ",nowhere,A,s,,\n",
		"no-cycle":                head + ",A,A,s,,\n",
	} {
		var bad *tabular.Error
		if _, err := b.Preview(t.Context(), b.designer, tableOf(f.ID, text)); !errors.As(err, &bad) || bad.Rule != name || bad.Line == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	var bad *tabular.Error
	if _, err := b.Preview(t.Context(), b.designer, tableOf("", first)); !errors.As(err, &bad) {
		t.Errorf("of no framework: %v", err)
	}
	if _, err := b.Preview(t.Context(), b.designer, tableOf(f.ID, "identifier,statement\n,s\n")); !errors.As(err, &bad) {
		t.Errorf("without its columns: %v", err)
	}
}

func TestCTDLComesInAndGoesOut(t *testing.T) {
	b := setup(t)
	const text = `{"@graph":[{"@id":"https://r.example/ce-11111111-1111-4111-8111-111111111111","@type":"ceasn:CompetencyFramework","ceasn:name":{"en":"F"},"ceasn:description":{"en":"D"},"ceasn:inLanguage":["en"],"ceasn:hasTopChild":["https://r.example/ce-22222222-2222-4222-8222-222222222222"],"ceasn:rights":{"en":"R"}},
	{"@id":"https://r.example/ce-22222222-2222-4222-8222-222222222222","@type":"ceasn:Competency","ceasn:competencyText":{"en":"Does"},"ceasn:inLanguage":["en"],"ceasn:weight":0.25}]}`
	file := func(text string) framework.File {
		return framework.File{Form: framework.CTDL, Open: func(pgx.Tx) io.Reader { return strings.NewReader(text) }}
	}
	f, c, err := b.Apply(t.Context(), b.designer, nil, file(text))
	if err != nil || c.Count(framework.Added) != 1 || !strings.Contains(strings.Join(c.Notices, " "), "ceasn:weight") || f.CaseVersion != imscase.V11 {
		t.Fatalf("%v %+v", err, c)
	}
	var out bytes.Buffer
	if err := b.WriteCTDL(t.Context(), b.designer, string(f.ID), &out); err != nil || !strings.Contains(out.String(), `"ceasn:weight":0.25`) || !strings.Contains(out.String(), `"ceasn:rights":{"en":"R"}`) {
		t.Errorf("%v\n%s", err, out.String())
	}
	if c, err := b.Preview(t.Context(), b.designer, file(out.String())); err != nil || c.FromVersion != c.ToVersion {
		t.Errorf("its own export changes it: %v %s", err, said(c))
	}
	var refused *imscase.Refused
	if _, err := b.Preview(t.Context(), b.designer, file(`{}`)); !errors.As(err, &refused) {
		t.Error(err)
	}
}
