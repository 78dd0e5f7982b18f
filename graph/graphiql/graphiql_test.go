package graphiql

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

var example = Config{
	Title: "Query <Testamur>", Base: "/graphiql", Endpoint: "/graphql",
	Tabs: []Tab{
		{Query: "query Hello { viewer { id } }", Headers: `{"Authorization":"Bearer </script><script>alert(1)</script>"}`},
		{Query: "query Other($id: ID!) { learner(id: $id) { id } }", Variables: `{"id":"x"}`},
	},
}

func get(t *testing.T, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	h, err := Handler(example)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if len(header) == 2 {
		r.Header.Set(header[0], header[1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestEveryFileThePageNamesIsServedFromHere(t *testing.T) {
	w := get(t, "/graphiql")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("page: %d %v", w.Code, w.Header())
	}
	found := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(w.Body.String(), -1)
	if len(found) != 7 {
		t.Fatalf("the page names %d files: %v", len(found), found)
	}
	for _, f := range found {
		if f[1] == "data:," {
			continue
		}
		if !strings.HasPrefix(f[1], "/graphiql/") {
			t.Errorf("%s is not from here", f[1])
		}
		if a := get(t, f[1]); a.Code != http.StatusOK || a.Body.Len() == 0 || !strings.Contains(a.Header().Get("Content-Type"), "charset=utf-8") {
			t.Errorf("%s: %d, %d bytes, %v", f[1], a.Code, a.Body.Len(), a.Header())
		}
	}
}

func TestStyleSheetsFetchNothing(t *testing.T) {
	for _, name := range []string{"graphiql.min.css", "start.css"} {
		css := get(t, "/graphiql/"+name).Body.String()
		for _, u := range regexp.MustCompile(`url\(["']?([^"')]{0,40})`).FindAllStringSubmatch(css, -1) {
			if !strings.HasPrefix(u[1], "data:") && !strings.HasPrefix(u[1], "#") {
				t.Errorf("%s fetches %s", name, u[1])
			}
		}
		if strings.Contains(css, "@import") {
			t.Errorf("%s imports", name)
		}
	}
}

func TestThePolicyAllowsOnlyThisService(t *testing.T) {
	first, second := get(t, "/graphiql").Header().Get("Content-Security-Policy"), get(t, "/graphiql").Header().Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self';", "connect-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(first, part) {
			t.Errorf("policy lacks %s: %s", part, first)
		}
	}
	if strings.Contains(first, "unsafe") || strings.Contains(first, "http") {
		t.Errorf("policy is open: %s", first)
	}
	if first == second {
		t.Error("two pages have the same nonce")
	}
}

func TestConfigurationCannotLeaveItsElement(t *testing.T) {
	body := get(t, "/graphiql").Body.String()
	if strings.Contains(body, "alert(1)</script>") {
		t.Fatal("a header of an example became markup")
	}
	_, rest, _ := strings.Cut(body, `id="config">`)
	raw, _, _ := strings.Cut(rest, "</script>")
	var s settings
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	if s.Endpoint != "/graphql" || len(s.Tabs) != 2 || s.Tabs[0].Headers != example.Tabs[0].Headers || s.Tabs[1].Variables != `{"id":"x"}` || s.Nonce == "" || s.Storage == "" {
		t.Errorf("settings %+v", s)
	}
}

func TestAFileIsSentOnce(t *testing.T) {
	tag := get(t, "/graphiql/start.js").Header().Get("ETag")
	if w := get(t, "/graphiql/start.js", "If-None-Match", tag); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("%d with %d bytes", w.Code, w.Body.Len())
	}
	if w := get(t, "/graphiql/page.html"); w.Code != http.StatusNotFound {
		t.Errorf("the template is served: %d", w.Code)
	}
}
