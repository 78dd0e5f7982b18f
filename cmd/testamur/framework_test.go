package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/testamur/testamur/internal/interop"
)

// packageItems is how many competencies the framework of an import has.
const packageItems = 3_000

// caseName is a CASE identifier that follows from what it names.
func caseName(what string, n int) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "https://standards.example/%s/%d", what, n)).String()
}

// linked is a link to an object of a package.
func linked(what string, n int) map[string]any {
	return map[string]any{"title": fmt.Sprint(what, " ", n), "identifier": caseName(what, n), "uri": fmt.Sprintf("https://standards.example/%s/%d", what, n)}
}

// object is an object of a package with what every one of them has.
func object(what string, n int, more map[string]any) map[string]any {
	o := map[string]any{"identifier": caseName(what, n), "uri": fmt.Sprintf("https://standards.example/%s/%d", what, n), "lastChangeDateTime": "2026-02-03T04:05:06Z"}
	for k, v := range more {
		o[k] = v
	}
	return o
}

// bigPackage is a framework with everything that CASE 1.1 has in it: groupings,
// rubrics, definitions, extensions, and associations with what others publish.
func bigPackage(t *testing.T) []byte {
	t.Helper()
	var items, links, groups, rubrics []any
	link := func(kind string, from, to map[string]any, more map[string]any) {
		n := len(links)
		links = append(links, object("association", n, map[string]any{"associationType": kind, "originNodeURI": from, "destinationNodeURI": to}))
		for k, v := range more {
			links[n].(map[string]any)[k] = v
		}
	}
	for n := range 30 {
		groups = append(groups, object("grouping", n, map[string]any{"title": fmt.Sprint("Strand ", n), "description": "A strand."}))
	}
	for n := range packageItems {
		i := object("item", n, map[string]any{"fullStatement": fmt.Sprintf("Does thing %d, as “agreed” – ½ × ☂.", n), "humanCodingScheme": fmt.Sprintf("S.%d", n), "CFItemType": "Competency",
			"CFItemTypeURI": linked("type", 0), "conceptKeywords": []any{"data", "craft"}, "conceptKeywordsURI": linked("concept", 0), "language": "en", "educationLevel": []any{"UG"},
			"listEnumeration": fmt.Sprint(n % 10), "abbreviatedStatement": fmt.Sprint("Thing ", n), "notes": "See **the guide**.", "licenseURI": linked("licence", 0), "statusStartDate": "2026-01-01",
			"extensions": map[string]any{"ext:hours": n % 7}})
		items = append(items, i)
		up := linked("document", 0)
		if n > 0 {
			up = linked("item", (n-1)/10)
		}
		link("isChildOf", linked("item", n), up, map[string]any{"sequenceNumber": n % 10, "CFAssociationGroupingURI": linked("grouping", n%30)})
		switch {
		case n%10 == 3:
			link("exactMatchOf", linked("item", n), map[string]any{"title": "theirs", "identifier": fmt.Sprint("STATE-", n), "uri": fmt.Sprint("https://state.example/s/", n), "targetType": "ext:state"}, map[string]any{"notes": "Agreed in 2026."})
		case n%10 == 7:
			link("ext:prepares", linked("item", n), linked("item", n-1), map[string]any{"extensions": map[string]any{"ext:by": []any{1.5, nil, true}}})
		case n%100 == 9:
			link("precedes", linked("item", n-1), linked("item", n), nil)
		}
	}
	for n := range 40 {
		var levels []any
		for l := range 4 {
			levels = append(levels, object("level", 4*n+l, map[string]any{"quality": []string{"Beginning", "Developing", "Proficient", "Advanced"}[l], "score": float64(l) + 0.5, "position": l, "rubricCriterionId": caseName("criterion", n)}))
		}
		rubrics = append(rubrics, object("rubric", n, map[string]any{"title": fmt.Sprint("Rubric ", n), "CFRubricCriteria": []any{
			object("criterion", n, map[string]any{"category": "c", "CFItemURI": linked("item", n), "weight": 0.25, "position": 1, "rubricId": caseName("rubric", n), "CFRubricCriterionLevels": levels})}}))
	}
	raw, err := json.Marshal(map[string]any{
		"CFDocument": object("document", 0, map[string]any{"creator": "The Board", "title": "Craft", "frameworkType": "ext:craft", "caseVersion": "1.1", "publisher": "The Board", "description": "All of it.",
			"subject": []any{"Craft"}, "subjectURI": []any{linked("subject", 0)}, "language": "en", "version": "1", "adoptionStatus": "Implemented", "licenseURI": linked("licence", 0), "officialSourceURL": "https://standards.example/",
			"extensions": map[string]any{"ext:series": "C"}}),
		"CFItems": items, "CFAssociations": links, "CFRubrics": rubrics,
		"CFDefinitions": map[string]any{
			"CFAssociationGroupings": groups,
			"CFConcepts":             []any{object("concept", 0, map[string]any{"title": "Data", "hierarchyCode": "1", "keywords": "data"})},
			"CFSubjects":             []any{object("subject", 0, map[string]any{"title": "Craft", "hierarchyCode": "1"})},
			"CFItemTypes":            []any{object("type", 0, map[string]any{"title": "Competency", "description": "What somebody can do.", "hierarchyCode": "1", "typeCode": "C"})},
			"CFLicenses":             []any{object("licence", 0, map[string]any{"title": "CC BY 4.0", "licenseText": "Attribution"})},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// unordered is a value with every list of objects in the order of their
// identifiers, because the order of a package's lists says nothing.
func unordered(t *testing.T, raw []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	name := func(v any) string {
		o, _ := v.(map[string]any)
		id, _ := o["identifier"].(string)
		return id
	}
	var sort func(any)
	sort = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, x := range v {
				sort(x)
			}
		case []any:
			for _, x := range v {
				sort(x)
			}
			slices.SortStableFunc(v, func(a, b any) int { return strings.Compare(name(a), name(b)) })
		}
	}
	sort(v)
	return v
}

// TestABigFrameworkGoesOutAsItCameIn is a designer's day: a package of 3,000
// competencies with groupings, rubrics and associations with others' is imported,
// and what the CASE provider serves to anyone is equal. Importing that again
// changes nothing.
func TestABigFrameworkGoesOutAsItCameIn(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.given("catalogue")
	ask := func(who, text string, want int) []byte {
		t.Helper()
		w := s.ask(who, text)
		if w.Code != want {
			t.Fatalf("%.80s: %d %.300s", text, w.Code, w.Body)
		}
		return w.Body.Bytes()
	}
	load := func(name string, raw []byte) (out struct {
		Data struct {
			Job struct {
				State                                   string
				CreatedCount, UpdatedCount, FailedCount int
			}
		}
	}) {
		var upload struct{ ID string }
		var job struct {
			Data struct {
				StartImport struct{ Job struct{ ID string } }
			}
		}
		s.must(json.Unmarshal(ask("program_designer", "POST /imports/uploads?name="+name+"\nContent-Type: application/json\n\n"+string(raw), http.StatusCreated), &upload))
		s.must(json.Unmarshal(ask("program_designer", `mutation { startImport(input: {kind: CASE_PACKAGE, uploadId: "`+upload.ID+`"}) { job { id } userErrors { message } } }`, 200), &job))
		s.work()
		s.must(json.Unmarshal(ask("program_designer", `{ job(id: "`+job.Data.StartImport.Job.ID+`") { state createdCount updatedCount failedCount } }`, 200), &out))
		return out
	}
	raw := bigPackage(t)
	first := load("craft.json", raw)
	if j := first.Data.Job; j.State != "SUCCEEDED" || j.FailedCount > 0 || j.CreatedCount < packageItems {
		t.Fatalf("%+v", j)
	}
	served := ask("visitor", "GET /i/aldersound/ims/case/v1p1/CFPackages/"+caseName("document", 0)+"\n", 200)
	if diff := cmp.Diff(unordered(t, raw), unordered(t, served)); diff != "" {
		t.Fatalf("it comes out different: %.2000s", diff)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(served))
	s.must(err)
	if err := interop.Schema(t, "case/json-schema/case_v1p1_cfpackage-jsonschema1.json").Validate(v); err != nil {
		t.Errorf("the official schema: %.500v", err)
	}
	again := load("craft-again.json", served)
	if j := again.Data.Job; j.State != "SUCCEEDED" || j.CreatedCount+j.UpdatedCount+j.FailedCount > 0 {
		t.Errorf("what was served, imported again: %+v", j)
	}
}
