package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/interop"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/rest"
	"github.com/testamur/testamur/internal/standards"
	"github.com/testamur/testamur/internal/testbed"
)

// caseAPI is the provider over frameworks of every kind, all of them published
// but for one that is private and one that is a draft.
type caseAPI struct {
	*testbed.Bed
	handler http.Handler
	ids     map[string]string // identifier by title
}

// defined is a package with every kind of definition, subjects and concepts in
// a hierarchy.
var defined = strings.NewReplacer("ID", "0f6b5b0a-3a5e-4d7e-9b1a-0000000000", "TAIL", `"uri":"https://x.example/x","lastChangeDateTime":"2026-01-01T00:00:00Z"`).Replace(
	`{"CFDocument":{"identifier":"ID01","creator":"X","title":"Defined",TAIL},"CFDefinitions":{
	"CFSubjects":[{"identifier":"ID11","title":"Twelve","hierarchyCode":"12",TAIL},{"identifier":"ID12","title":"One","hierarchyCode":"1",TAIL},{"identifier":"ID13","title":"One and two","hierarchyCode":"1.2",TAIL}],
	"CFConcepts":[{"identifier":"ID21","title":"C","hierarchyCode":"1","keywords":"a|b",TAIL}],
	"CFAssociationGroupings":[{"identifier":"ID31","title":"G",TAIL}]}}`)

func newCaseAPI(t *testing.T) *caseAPI {
	t.Helper()
	a := &caseAPI{Bed: testbed.New(t), ids: map[string]string{}}
	ctx, registrar := t.Context(), a.Registrar()
	packages := [][]byte{demo.Files()[0].Data, []byte(defined)}
	for _, f := range standards.Glob(t, "examples/case/*.json") {
		packages = append(packages, standards.Read(t, "examples/case/"+filepath.Base(f)))
	}
	for _, data := range packages {
		l, err := a.Frameworks.Import(ctx, registrar, bytes.NewReader(data))
		if err != nil {
			continue // single objects, and one that no version allows
		}
		if _, err := a.Frameworks.Publish(ctx, registrar, string(l.Framework), framework.Public); err != nil {
			t.Fatal(err)
		}
	}
	draft := "Draft"
	license, address := "CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/"
	for _, d := range []framework.Document{{Title: "Secret", Creator: "X"}, {Title: "Sketch", Creator: "X", AdoptionStatus: &draft},
		{Title: "Home", Creator: "X", LicenseTitle: &license, LicenseURL: &address, Subject: []string{"Nursing", "Care"}}} {
		f, err := a.Frameworks.Create(ctx, registrar, d)
		if err != nil {
			t.Fatal(err)
		}
		if d.Title == "Secret" {
			if _, err := a.Frameworks.Publish(ctx, registrar, string(f.ID), framework.Private); err != nil {
				t.Fatal(err)
			}
		}
	}
	all, err := a.Frameworks.List(ctx, registrar, framework.Filter{}, page.Args{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all.Nodes {
		a.ids[f.Title] = f.Identifier
	}
	a.handler = rest.NewHandler(rest.Services{Institutions: a.Institutions, Learners: a.Learners, Achievements: a.Achievements, Keys: a.Keys,
		Credentials: a.Credentials, Disclosures: a.Disclosures, Exchange: a.Exchange, Frameworks: a.Frameworks, Origin: testbed.Origin, Now: a.Now, Log: slog.New(slog.DiscardHandler),
		Actor: func(r *http.Request) (access.Actor, error) {
			if r.Header.Get("Authorization") == "Bearer neighbour" {
				return access.Actor{ID: "cli_n", InstitutionID: string(a.Neighbour.ID), Roles: []access.Role{access.Registrar}}, nil
			}
			return registrar, nil
		}})
	return a
}

func (a *caseAPI) get(t *testing.T, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/i/"+a.Home.Slug+"/ims/case/"+path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return w
}

// fits holds an answer against an official schema.
func fits(t *testing.T, schema *jsonschema.Schema, what string, w *httptest.ResponseRecorder) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
	if err == nil {
		err = schema.Validate(v)
	}
	if err != nil {
		t.Errorf("%s does not fit: %.900v\n%.600s", what, err, w.Body)
	}
}

func schema11(t *testing.T, name string) *jsonschema.Schema {
	return interop.Schema(t, "case/json-schema/case_v1p1_"+name+"-jsonschema1.json")
}

type served struct {
	Documents []struct {
		Identifier string `json:"identifier"`
		Title      string `json:"title"`
	} `json:"CFDocuments"`
	Items        []struct{ Identifier string }            `json:"CFItems"`
	Associations []struct{ Identifier string }            `json:"CFAssociations"`
	Rubrics      []struct{ Identifier string }            `json:"CFRubrics"`
	Definitions  map[string][]struct{ Identifier string } `json:"CFDefinitions"`
}

func read(t *testing.T, w *httptest.ResponseRecorder) (s served) {
	t.Helper()
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestTheOfficialSchemasTakeWhatIsServed asks both versions for everything that
// there is, whatever version it came in as.
func TestTheOfficialSchemasTakeWhatIsServed(t *testing.T) {
	t.Parallel()
	a := newCaseAPI(t)
	schemas := map[string]*jsonschema.Schema{}
	for class, name := range map[string]string{"CFDocuments": "cfdocument", "CFItems": "cfitem", "CFAssociations": "cfassociation", "CFRubrics": "cfrubric",
		"CFItemAssociations": "cfassociationset", "CFPackages": "cfpackage", "CFItemTypes": "cfitemtypeset", "CFLicenses": "cflicense",
		"CFSubjects": "cfsubjectset", "CFConcepts": "cfconceptset", "CFAssociationGroupings": "cfassociationgrouping"} {
		schemas[class] = schema11(t, name)
	}
	pkg10 := interop.Schema(t, "case/case-v1p0-cfpackage-schema.json")
	count := map[string]int{}
	list := a.get(t, "v1p1/CFDocuments")
	fits(t, schema11(t, "cfdocumentset"), "v1p1/CFDocuments", list)
	for _, d := range read(t, list).Documents {
		fits(t, pkg10, "v1p0/CFPackages of "+d.Title, a.get(t, "v1p0/CFPackages/"+d.Identifier))
		w := a.get(t, "v1p1/CFPackages/"+d.Identifier)
		whole := read(t, w)
		ids := map[string][]string{"CFDocuments": {d.Identifier}, "CFPackages": {d.Identifier}}
		for _, x := range whole.Items {
			ids["CFItems"], ids["CFItemAssociations"] = append(ids["CFItems"], x.Identifier), append(ids["CFItemAssociations"], x.Identifier)
		}
		for _, x := range whole.Associations {
			ids["CFAssociations"] = append(ids["CFAssociations"], x.Identifier)
		}
		for _, x := range whole.Rubrics {
			ids["CFRubrics"] = append(ids["CFRubrics"], x.Identifier)
		}
		for class, all := range whole.Definitions {
			for _, x := range all {
				ids[class] = append(ids[class], x.Identifier)
			}
		}
		for class, all := range ids {
			for _, id := range all[:min(len(all), 12)] {
				w := a.get(t, "v1p1/"+class+"/"+id)
				if w.Code != http.StatusOK {
					t.Errorf("v1p1/%s/%s of %s: %d %s", class, id, d.Title, w.Code, w.Body)
					continue
				}
				if class == "CFItemAssociations" && len(read(t, w).Associations) == 0 {
					continue // the schema asks for one at least, and there is none
				}
				fits(t, schemas[class], class+" of "+d.Title, w)
				count[class]++
				if w := a.get(t, "v1p0/"+class+"/"+id); w.Code != http.StatusOK || strings.Contains(w.Body.String(), `"caseVersion"`) || strings.Contains(w.Body.String(), `"extensions"`) {
					t.Errorf("v1p0/%s/%s of %s: %d %.300s", class, id, d.Title, w.Code, w.Body)
				}
			}
		}
	}
	for class := range schemas {
		if count[class] == 0 {
			t.Errorf("no %s was asked for", class)
		}
	}
}

func TestDraftsAndThePrivateAreForMembers(t *testing.T) {
	t.Parallel()
	a := newCaseAPI(t)
	titles := func(w *httptest.ResponseRecorder) (all []string) {
		for _, d := range read(t, w).Documents {
			all = append(all, d.Title)
		}
		return all
	}
	everyone, members := titles(a.get(t, "v1p1/CFDocuments")), titles(a.get(t, "v1p1/CFDocuments", "Authorization", "Bearer member"))
	if slices.Contains(everyone, "Secret") || slices.Contains(everyone, "Sketch") || !slices.Contains(everyone, "Home") {
		t.Errorf("everyone: %q", everyone)
	}
	if !slices.Contains(members, "Secret") || !slices.Contains(members, "Sketch") {
		t.Errorf("members: %q", members)
	}
	if neighbours := titles(a.get(t, "v1p1/CFDocuments", "Authorization", "Bearer neighbour")); !slices.Equal(neighbours, everyone) {
		t.Errorf("a neighbour: %q", neighbours)
	}
	for _, path := range []string{"CFDocuments/", "CFPackages/"} {
		for _, title := range []string{"Secret", "Sketch"} {
			if w := a.get(t, "v1p1/"+path+a.ids[title]); w.Code != http.StatusNotFound {
				t.Errorf("%s of %s: %d", path, title, w.Code)
			}
		}
	}
	if w := a.get(t, "v1p1/CFPackages/"+a.ids["Secret"], "Authorization", "Bearer member"); w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Cache-Control"), "private") {
		t.Errorf("a member: %d %v", w.Code, w.Header())
	}
}

func TestDocumentsAreFilteredSortedAndPaged(t *testing.T) {
	t.Parallel()
	a := newCaseAPI(t)
	ask := func(query string) *httptest.ResponseRecorder { return a.get(t, "v1p1/CFDocuments?"+query) }
	count := len(read(t, ask("")).Documents)
	for query, want := range map[string]int{
		"filter=" + url.QueryEscape(`title='HOME'`):                                    1,
		"filter=" + url.QueryEscape(`title!='home'`):                                   count - 1,
		"filter=" + url.QueryEscape(`title~'HOM'`):                                     1,
		"filter=" + url.QueryEscape(`title='home' OR creator~'alder'`):                 2,
		"filter=" + url.QueryEscape(`title='home' AND creator='nobody'`):               0,
		"filter=" + url.QueryEscape(`subject='nursing,care'`):                          1,
		"filter=" + url.QueryEscape(`subject='nursing'`):                               0,
		"filter=" + url.QueryEscape(`subject~'care,nursing'`):                          1,
		"filter=" + url.QueryEscape(`licenseURI.title='cc by 4.0'`):                    2,
		"filter=" + url.QueryEscape(`lastChangeDateTime>='2026-11-24T10:00:00+01:00'`): 1,
		"filter=" + url.QueryEscape(`title='it's AND title='`):                         0,
		"limit=2": 2, "limit=1&offset=1": 1, "offset=1000": 0,
	} {
		if got := read(t, ask(query)); len(got.Documents) != want {
			t.Errorf("%s: %d documents, want %d", query, len(got.Documents), want)
		}
	}
	w := ask("sort=title&orderBy=desc&limit=2&offset=2")
	if w.Header().Get("X-Total-Count") != "" && !strings.Contains(w.Header().Get("Link"), `rel="prev"`) {
		t.Error(w.Header())
	}
	up, down := read(t, ask("sort=title")).Documents, read(t, ask("sort=title&orderBy=desc")).Documents
	if len(up) != count || up[0] != down[count-1] || strings.ToLower(up[0].Title) > strings.ToLower(up[count-1].Title) {
		t.Errorf("%v\n%v", up, down)
	}
	if w := ask("sort=colour"); w.Code != http.StatusOK || !strings.Contains(w.Header().Get("X-Imsx-StatusInfo"), "invalid_sort_field") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w := ask("fields=title,identifier&limit=1"); strings.Contains(w.Body.String(), "creator") || !strings.Contains(w.Body.String(), "title") {
		t.Errorf("%s", w.Body)
	}
	if w := ask("fields=title,colour&limit=1"); !strings.Contains(w.Body.String(), "creator") {
		t.Errorf("%s", w.Body)
	}
}

func TestFrameworksInOtherForms(t *testing.T) {
	t.Parallel()
	a := newCaseAPI(t)
	ask := func(path, token string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/i/"+a.Home.Slug+"/frameworks/"+path, nil)
		if token != "" {
			r.Header.Set("Authorization", token)
		}
		w := httptest.NewRecorder()
		a.handler.ServeHTTP(w, r)
		return w
	}
	id := a.ids["Applied Data Analytics Competency Framework"]
	if w := ask(id+"/table", ""); w.Code != 200 || !strings.HasPrefix(w.Body.String(), "identifier,parent,code,statement,type,level\n") || strings.Count(w.Body.String(), "\n") != 79 {
		t.Errorf("%d %.300s", w.Code, w.Body)
	}
	if w := ask(id+"/ctdl-asn", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"ceasn:CompetencyFramework"`) {
		t.Errorf("%d %.300s", w.Code, w.Body)
	}
	if public, own := ask(a.ids["Secret"]+"/table", ""), ask(a.ids["Secret"]+"/table", "Bearer member"); public.Code != 404 || own.Code != 200 {
		t.Errorf("%d, %d", public.Code, own.Code)
	}
}

func TestErrorsAreThoseOfTheVersion(t *testing.T) {
	t.Parallel()
	a := newCaseAPI(t)
	info := schema11(t, "imsx_statusinfo")
	const nobody = "0f6b5b0a-3a5e-4d7e-9b1a-999999999999"
	for _, c := range []struct {
		path  string
		code  int
		minor string
	}{
		{"v1p1/CFDocuments/not-a-uuid", 404, "invalid_uuid"},
		{"v1p0/CFDocuments/not-a-uuid", 404, "invaliduuid"},
		{"v1p1/CFItems/0192d4a0-0000-7000-8000-000000000000", 404, "invalid_uuid"},
		{"v1p1/CFItems/" + nobody, 404, "unknownobject"},
		{"v1p1/CFPackages/" + nobody, 404, "unknownobject"},
		{"v1p1/CFItemAssociations/" + nobody, 404, "unknownobject"},
		{"v1p1/CFConcepts/" + nobody, 404, "unknownobject"},
		{"v1p1/CFThings/" + nobody, 404, "unknownobject"},
		{"v1p1/CFDocuments?fields=", 400, "invalid_selection_field"},
		{"v1p1/CFDocuments?limit=0", 400, "invalid_selection_field"},
		{"v1p1/CFDocuments?offset=-1", 400, "invalid_selection_field"},
		{"v1p1/CFDocuments?orderBy=up", 400, "invalid_selection_field"},
		{"v1p1/CFDocuments?filter=" + url.QueryEscape(`colour='red'`), 400, "invalid_selection_field"},
		{"v1p1/CFDocuments?filter=" + url.QueryEscape(`title is home`), 400, "invalid_selection_field"},
		{"v1p1/CFDocuments?filter=" + url.QueryEscape(strings.Repeat("x", 2000)), 400, "invalid_selection_field"},
	} {
		w := a.get(t, c.path)
		if w.Code != c.code || !strings.Contains(w.Body.String(), `"`+c.minor+`"`) {
			t.Errorf("%s: %d %s", c.path, w.Code, w.Body)
		}
		if strings.HasPrefix(c.path, "v1p1") {
			fits(t, info, c.path, w)
		}
	}
}

func TestASubjectBringsThoseBelowIt(t *testing.T) {
	t.Parallel()
	a := newCaseAPI(t)
	w := a.get(t, "v1p1/CFSubjects/0f6b5b0a-3a5e-4d7e-9b1a-000000000012")
	if text := w.Body.String(); !strings.Contains(text, `"One"`) || !strings.Contains(text, `"One and two"`) || strings.Contains(text, `"Twelve"`) {
		t.Error(text)
	}
}

func TestAPackageHasATagUntilItChanges(t *testing.T) {
	t.Parallel()
	a := newCaseAPI(t)
	path := "v1p1/CFPackages/" + a.ids["Home"]
	tag := a.get(t, path).Header().Get("ETag")
	if w := a.get(t, path, "If-None-Match", tag); tag == "" || w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("%q: %d", tag, w.Code)
	}
	if other := a.get(t, "v1p0/CFPackages/"+a.ids["Home"]).Header().Get("ETag"); other == tag {
		t.Error("both versions have one tag")
	}
	if _, err := a.Frameworks.AddItem(t.Context(), a.Registrar(), a.ids["Home"], nil, framework.Place{}, framework.Statement{FullStatement: "s"}); err != nil {
		t.Fatal(err)
	}
	if w := a.get(t, path, "If-None-Match", tag); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"fullStatement":"s"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := a.get(t, "v1p1/discovery/imscasev1p1_openapi3_v1p0.json"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "CFItemAssociations") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
