package demo

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
)

func TestFilesAreTheSameEachTime(t *testing.T) {
	a, b := Files(), Files()
	for i := range a {
		if !bytes.Equal(a[i].Data, b[i].Data) {
			t.Errorf("%s differs between two runs", a[i].Name)
		}
	}
}

func rowsOf(t *testing.T, name string) [][]string {
	t.Helper()
	for _, f := range Files() {
		if f.Name == name {
			rows, err := csv.NewReader(bytes.NewReader(f.Data)).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			return rows[1:]
		}
	}
	t.Fatalf("no file %s", name)
	return nil
}

func TestSizes(t *testing.T) {
	courses, learners := rowsOf(t, "courses.csv"), rowsOf(t, "learners.csv")
	results, awards := rowsOf(t, "results.csv"), rowsOf(t, "awards.csv")
	if len(courses) != 20 || len(learners) != 200 {
		t.Errorf("%d courses and %d learners, want 20 and 200", len(courses), len(learners))
	}
	if n := len(results) + len(awards); n < 4500 || n > 5500 {
		t.Errorf("%d results and %d awards; want some 5,000 together", len(results), len(awards))
	}
	t.Logf("%d results, %d awards", len(results), len(awards))
}

func TestFrameworkHasThreeLevelsAndRubrics(t *testing.T) {
	var pkg struct {
		CFItems        []struct{ Identifier, CFItemType string }
		CFAssociations []struct{ Identifier string }
		CFRubrics      []struct {
			CFRubricCriteria []struct{ CFRubricCriterionLevels []any }
		}
	}
	if err := json.Unmarshal(framework(), &pkg); err != nil {
		t.Fatal(err)
	}
	kinds, ids := map[string]int{}, map[string]bool{}
	for _, it := range pkg.CFItems {
		kinds[it.CFItemType]++
		ids[it.Identifier] = true
	}
	if kinds["Area"] != 6 || kinds["Competency"] != 18 || kinds["Skill"] != 54 || len(ids) != 78 {
		t.Errorf("items %v, %d identifiers", kinds, len(ids))
	}
	if n := len(pkg.CFRubrics[0].CFRubricCriteria); n != 18 {
		t.Errorf("%d criteria, want 18", n)
	}
}

func TestAchievementsAreOfManyTypes(t *testing.T) {
	var all []struct{ ID, AchievementType string }
	if err := json.Unmarshal(achievements(), &all); err != nil {
		t.Fatal(err)
	}
	types := map[string]bool{}
	for _, a := range all {
		types[a.AchievementType] = true
	}
	if len(all) != 25 || len(types) < 6 {
		t.Errorf("%d achievements of %d types", len(all), len(types))
	}
}

func TestNobodyIsReal(t *testing.T) {
	for _, f := range Files() {
		for _, word := range strings.Fields(string(f.Data)) {
			if strings.Contains(word, "@") && !strings.Contains(word, ".example") {
				t.Errorf("%s: %s is an address outside .example", f.Name, word)
			}
		}
	}
}

func TestAwardsHappenOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range rowsOf(t, "awards.csv") {
		if key := strings.Join([]string{a[1], a[2], a[3], a[4]}, " "); seen[key] {
			t.Errorf("awarded twice: %s", key)
		} else {
			seen[key] = true
		}
	}
}
