package graph_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/testamur/testamur/graph"
	"github.com/testamur/testamur/internal/access"
)

// withTrusted is the handler with documents registered, and the ids of these.
func withTrusted(t *testing.T, only bool, documents ...string) (*api, []string) {
	t.Helper()
	a := open(t)
	named, ids := map[string]string{}, []string{}
	for _, d := range documents {
		named[d], ids = d, append(ids, graph.DocumentID(d))
	}
	c := a.config()
	var err error
	c.Trusted, err = graph.Trust(named, only)
	if err != nil {
		t.Fatal(err)
	}
	a.handler = graph.NewHandler(c)
	return a, ids
}

func (a *api) get(query string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/graphql?"+query, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return w
}

func TestATrustedDocumentIsAskedForByItsHash(t *testing.T) {
	t.Parallel()
	a, ids := withTrusted(t, false, `query One($id: ID!) { learner(id: $id) { displayName } }`, `{ institution { name } }`,
		`mutation { defineLearner(input: {displayName: "Ada"}) { learner { id } } }`)
	at := "documentId=" + url.QueryEscape(ids[1])
	first := a.get(at)
	tag := first.Header().Get("ETag")
	if first.Code != http.StatusOK || !strings.Contains(first.Body.String(), a.Home.Name) || tag == "" || first.Header().Get("Cache-Control") != "private, no-cache" {
		t.Fatalf("%d %v %s", first.Code, first.Header(), first.Body)
	}
	if again := a.get(at, "If-None-Match", `"other", W/`+tag); again.Code != http.StatusNotModified || again.Body.Len() != 0 || again.Header().Get("ETag") != tag {
		t.Errorf("what the client has: %d %v %s", again.Code, again.Header(), again.Body)
	}
	if other := a.get(at, "If-None-Match", `"other"`); other.Code != http.StatusOK {
		t.Errorf("what the client has is another: %d", other.Code)
	}
	if untrusted := a.get("query=" + url.QueryEscape("{ institution { name } }")); untrusted.Header().Get("ETag") != "" || untrusted.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("a query that was sent whole is kept: %v", untrusted.Header())
	}

	// Variables go with it, and a caller gets what is theirs.
	id, _ := a.ask(t, `mutation { defineLearner(input: {displayName: "Grace"}) { learner { id } } }`).Data["defineLearner"].(map[string]any)["learner"].(map[string]any)["id"].(string)
	with := "documentId=" + url.QueryEscape(ids[0]) + "&variables=" + url.QueryEscape(`{"id":"`+id+`"}`)
	mine := a.get(with)
	if !strings.Contains(mine.Body.String(), "Grace") {
		t.Fatalf("%s", mine.Body)
	}
	a.who = access.Actor{ID: "neighbour", InstitutionID: string(a.Neighbour.ID), Roles: []access.Role{access.Registrar}}
	if theirs := a.get(with, "If-None-Match", mine.Header().Get("ETag")); theirs.Code != http.StatusOK || strings.Contains(theirs.Body.String(), "Grace") {
		t.Errorf("a neighbour who knows the tag: %d %s", theirs.Code, theirs.Body)
	}
	a.who = a.Registrar()

	// What changes something is not asked for with GET, by whatever name.
	if w := a.get("documentId=" + url.QueryEscape(ids[2])); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("a mutation: %d %s", w.Code, w.Body)
	}
	posted := a.post(t, map[string]any{"documentId": ids[2]})
	if posted.Code != http.StatusOK || !strings.Contains(posted.Body.String(), `"lrn_`) || posted.Header().Get("ETag") != "" {
		t.Errorf("a mutation with POST: %d %v %s", posted.Code, posted.Header(), posted.Body)
	}
	for name, w := range map[string]*httptest.ResponseRecorder{
		"unknown":     a.get("documentId=sha256:00"),
		"posted":      a.post(t, map[string]any{"documentId": "sha256:00"}),
		"both":        a.post(t, map[string]any{"documentId": ids[1], "query": "{ institution { slug } }"}),
		"neither":     a.get("operationName=One"),
		"null query":  a.post(t, map[string]any{"query": nil}),
		"bad varname": a.get("documentId=" + url.QueryEscape(ids[0]) + "&variables=[]"),
	} {
		if want := map[string]int{"unknown": 404, "posted": 404}[name]; w.Code != max(want, 400) || !json.Valid(w.Body.Bytes()) || !strings.Contains(w.Body.String(), `"message"`) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func (a *api) post(t *testing.T, form map[string]any) *httptest.ResponseRecorder {
	t.Helper()
	raw, err := json.Marshal(form)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/graphql", strings.NewReader(string(raw)))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return w
}

func TestOnlyTrustedDocumentsWhenThatIsAskedFor(t *testing.T) {
	t.Parallel()
	a, _ := withTrusted(t, true, "{ institution { name } }")
	if w := a.post(t, map[string]any{"query": "{ institution { name } }"}); w.Code != http.StatusOK {
		t.Errorf("its text is the document too: %d %s", w.Code, w.Body)
	}
	for _, query := range []string{"{ institution { name slug } }", "{ institution { name } } ", "{ __schema { types { name } } }"} {
		if w := a.post(t, map[string]any{"query": query}); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "registered") {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
}

// A member that stands twice is one thing to who looks at it first and another
// to who runs it; only what is registered is run all the same.
func TestOnlyTrustedDocumentsWhateverStandsTwice(t *testing.T) {
	t.Parallel()
	a, ids := withTrusted(t, true, "query One($id: ID!) { learner(id: $id) { displayName } }")
	for _, body := range []string{
		`{"documentId": "ID", "query": "{ institution { slug } }", "query": null}`,
		`{"documentId": "ID", "query": "{ institution { slug } }", "Query": null}`,
		`{"documentId": "ID", "variables": {"id": "x"}, "QUERY": "{ institution { slug } }", "query": null}`,
		`{"query": "query One($id: ID!) { learner(id: $id) { displayName } }", "Query": "{ institution { slug } }"}`,
		`{"query": "{ institution { slug } }", "Query": null}`,
	} {
		r := httptest.NewRequest("POST", "/graphql", strings.NewReader(strings.Replace(body, "ID", ids[0], 1)))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		a.handler.ServeHTTP(w, r)
		if strings.Contains(w.Body.String(), `"slug"`) {
			t.Errorf("%s: what nobody registered was run: %d %s", body, w.Code, w.Body)
		}
	}
}

func TestWhatCannotBeTrusted(t *testing.T) {
	t.Parallel()
	if _, err := graph.Trust(map[string]string{"list.graphql": "{ institution { colour } }"}, false); err == nil || !strings.Contains(err.Error(), "list.graphql") || !strings.Contains(err.Error(), "colour") {
		t.Errorf("a document that does not fit: %v", err)
	}
	if _, err := graph.Trust(nil, true); err == nil {
		t.Error("nothing at all would be answered")
	}
	if _, err := graph.Manifest([]byte(`{"00": "{ institution { name } }"}`)); err == nil || !strings.Contains(err.Error(), "hash") {
		t.Errorf("a hash of something else: %v", err)
	}
	if _, err := graph.Manifest([]byte(`["{ institution { name } }"]`)); err == nil {
		t.Error("a list is no manifest")
	}
	text := "{ institution { name } }"
	for _, hash := range []string{graph.DocumentID(text), strings.TrimPrefix(graph.DocumentID(text), "sha256:")} {
		raw, _ := json.Marshal(map[string]string{hash: text})
		if got, err := graph.Manifest(raw); err != nil || got[hash] != text {
			t.Errorf("%s: %v %v", hash, got, err)
		}
	}
}
