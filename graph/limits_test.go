package graph_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/testamur/testamur/graph"
	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/cost"
)

// bare is the API without anything behind it: whatever reaches a service is a
// panic.
func bare(log *bytes.Buffer) http.Handler {
	return graph.NewHandler(graph.Config{Resolver: &graph.Resolver{Audit: &audit.Service{}, Log: slog.New(slog.NewTextHandler(log, nil))},
		Actor: func(*http.Request) (access.Actor, error) {
			return access.Actor{ID: "cli_x", InstitutionID: "ins_x", Roles: []access.Role{access.Registrar}}, nil
		}})
}

func post(h http.Handler, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Large requests take much memory each: there are few of them at one moment, and
// small ones do not wait for them.
func TestLargeRequestsAtOneMomentAreFew(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := bare(&log)
	const more = 40
	var ends []*io.PipeWriter
	var codes sync.Map
	var all, in sync.WaitGroup
	in.Add(more)
	for i := range more {
		body, end := io.Pipe()
		ends = append(ends, end)
		all.Go(func() {
			r := httptest.NewRequest(http.MethodPost, "/graphql", body)
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			codes.Store(i, w)
			body.Close()
		})
		go func() {
			_, _ = end.Write(bytes.Repeat([]byte(" "), 2<<20)) // ends early where it is refused
			in.Done()
		}()
	}
	in.Wait()
	if w := post(h, `{"query": "{ __typename }"}`); w.Code != http.StatusOK {
		t.Errorf("a small request beside many large ones: %d %s", w.Code, w.Body)
	}
	for _, end := range ends {
		end.Close()
	}
	all.Wait()
	refused := 0
	codes.Range(func(_, v any) bool {
		w := v.(*httptest.ResponseRecorder)
		if w.Code == http.StatusServiceUnavailable {
			refused++
			if w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "UNAVAILABLE") {
				t.Errorf("%v %s", w.Header(), w.Body)
			}
		}
		return true
	})
	if refused != more-12 {
		t.Errorf("of %d large requests at one moment %d were refused", more, refused)
	}
	if w := post(h, `{"query": "{ __typename }", "variables": {"x": "`+strings.Repeat("x", 2<<20)+`"}}`); w.Code != http.StatusOK {
		t.Errorf("a large request afterwards: %d %s", w.Code, w.Body)
	}
}

// Documents that nobody sends twice leave nothing behind, however many there are.
func TestLongDocumentsAreNotHeldInMemory(t *testing.T) {
	var log bytes.Buffer
	h := bare(&log)
	held := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	post(h, `{"query": "{ __typename }"}`)
	before := held()
	for i := range 60 {
		query := fmt.Sprintf("{ a%d: __typename ...F } fragment F on Query { ", i) + strings.Repeat("... on Query { __typename } ", 450) + "}"
		if w := post(h, quoted(query)); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"data":{`) {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if now := held(); now > before+4<<20 { // it was 16 MB when they were
		t.Errorf("%d MB are held of documents that nobody sends again", (now-before)>>20)
	}
	runtime.KeepAlive(h)
}

func quoted(query string) string {
	raw, _ := json.Marshal(map[string]string{"query": query})
	return string(raw)
}

// hostile are documents that make a careless validator work for minutes.
func hostile() map[string]string {
	var spreads, overlap, directives, values strings.Builder
	spreads.WriteString("{ ...a0 }")
	for i := range 220 {
		fmt.Fprintf(&spreads, " fragment a%d on Query { ...a%d ...a%d }", i, (i+1)%220, (i+2)%220)
	}
	for range 2600 {
		overlap.WriteString(" __typename")
	}
	for range 480 {
		directives.WriteString(" @skip(if: false)")
	}
	for range 900 {
		values.WriteString("[")
	}
	var deep strings.Builder
	for range 1300 {
		deep.WriteString("{learners{nodes")
	}
	return map[string]string{
		"fragments in circles": spreads.String(),
		"one field repeated":   "{" + overlap.String() + " }",
		"overlapping fields":   "{ learners { nodes { id " + strings.Repeat("assertions { nodes { id } } ", 320) + "} } }",
		"directives":           "{ viewer" + directives.String() + " { id } }",
		"lists in lists":       "{ nodes(ids: " + values.String() + ") { id } }",
		"deep":                 deep.String(),
		"aliases":              "{ " + strings.Repeat("a: viewer { id } ", 480) + "}",
		"variables":            "query(" + strings.Repeat("$a: ID! ", 580) + ") { viewer { id } }",
	}
}

// TestHostileDocumentsAreRefusedAtOnce is not parallel: it counts the time of the
// whole process. Ten times what two hundred plain documents of the same length take is far
// from what work that grows with the square of one of these would.
func TestHostileDocumentsAreRefusedAtOnce(t *testing.T) {
	h := bare(&bytes.Buffer{})
	for name, query := range hostile() {
		ask := func(query string) *httptest.ResponseRecorder {
			return post(h, quoted(query), "Accept", "application/graphql-response+json")
		}
		w := ask(query)
		plain := "{ __typename }" + strings.Repeat(" ", max(0, len(query)-14))
		cost.Share(t, name, 10, func() { ask(query) }, func() {
			for range 200 {
				ask(plain)
			}
		})
		if w.Code < 400 && !strings.Contains(query, "__typename") {
			t.Errorf("%s: %d %.200s", name, w.Code, w.Body)
		}
	}
}

func TestAPanicIsABugAndNotAnAnswer(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	w := post(bare(&log), quoted(`{ learners { nodes { id } } }`))
	var a answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatal(err)
	}
	id, _ := a.Errors[0].Extensions["requestId"].(string)
	if w.Code != 200 || a.Errors[0].Extensions["code"] != "INTERNAL" || id == "" || id != w.Header().Get("X-Request-Id") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if strings.Contains(w.Body.String(), "nil pointer") || strings.Contains(w.Body.String(), ".go") {
		t.Errorf("the answer tells of the inside: %s", w.Body)
	}
	if !strings.Contains(log.String(), id) || !strings.Contains(log.String(), "nil pointer") {
		t.Errorf("the log does not tell what happened: %s", log.String())
	}
}

// TestTheFormOfAnswers is GraphQL over HTTP §6: which media type and status.
func TestTheFormOfAnswers(t *testing.T) {
	t.Parallel()
	h := bare(&bytes.Buffer{})
	const modern, old = "application/graphql-response+json", "application/json"
	for _, c := range []struct {
		name, accept, query, media string
		status                     int
		data                       bool
	}{
		{"the new media type", modern, `{ __typename }`, modern, 200, true},
		{"the old media type", old, `{ __typename }`, old, 200, true},
		{"no preference", "", `{ __typename }`, old, 200, true},
		{"anything", "*/*", `{ __typename }`, old, 200, true},
		{"either", old + ", " + modern, `{ __typename }`, modern, 200, true},
		{"not valid, new", modern, `{ nothing }`, modern, 400, false},
		{"not valid, old", old, `{ nothing }`, old, 200, false},
		{"too costly, old", old, `{ learners(first: 100) { nodes { assertions(first: 100) { nodes { learner { assertions(first: 100) { nodes { id } } } } } } } }`, old, 200, false},
		{"everything, as some clients have it", modern + ", application/json, text/event-stream, multipart/mixed", `{ __typename }`, modern, 200, true},
		{"a query as a stream", "text/event-stream", `{ __typename }`, old, 406, false},
		{"a subscription without a stream", modern, `subscription { jobProgress(id: "x") { id } }`, modern, 406, false},
	} {
		w := post(h, quoted(c.query), "Accept", c.accept)
		var got map[string]json.RawMessage
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		_, data := got["data"]
		if w.Code != c.status || data != c.data || w.Header().Get("Content-Type") != c.media+"; charset=utf-8" {
			t.Errorf("%s: %d %s %s", c.name, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
	}
	r := httptest.NewRequest("GET", "/graphql?query=query(%24a:Boolean!)%7B__typename%20@include(if:%24a)%7D&variables=%7B%22a%22:true%7D", nil)
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != 200 || !strings.Contains(w.Body.String(), `"__typename":"Query"`) {
		t.Errorf("a query by GET: %d %s", w.Code, w.Body)
	}
	r = httptest.NewRequest("GET", "/graphql?query=%7B__typename%7D&variables=3", nil)
	w = httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != 400 {
		t.Errorf("variables that are no object: %d %s", w.Code, w.Body)
	}
}

func TestEveryAnswerTellsItsCost(t *testing.T) {
	t.Parallel()
	var a answer
	if err := json.Unmarshal(post(bare(&bytes.Buffer{}), quoted(`{ __typename }`)).Body.Bytes(), &a); err != nil {
		t.Fatal(err)
	}
	cost, ok := a.Extensions["cost"].(map[string]any)
	if !ok || cost["requested"] == nil || cost["allowed"] == nil {
		t.Errorf("%s", a.Raw)
	}
}

func TestWhoHasNoTokenHasASmallBudget(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		who    access.Actor
		budget string
	}{
		"anonymous": {access.Anonymous(), `"allowed":20000`},
		"visitor":   {access.VisitorOf("ins_x"), `"allowed":20000`},
		"reader":    {access.Actor{ID: "cli_x", InstitutionID: "ins_x", Roles: []access.Role{access.Reader}}, `"allowed":500000`},
	} {
		h := graph.NewHandler(graph.Config{Resolver: &graph.Resolver{Audit: &audit.Service{}}, Actor: func(*http.Request) (access.Actor, error) { return c.who, nil }})
		if w := post(h, quoted(`{ __typename }`)); !strings.Contains(w.Body.String(), c.budget) {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
}

func FuzzRequest(f *testing.F) {
	for _, q := range hostile() {
		if len(q) < 4_000 {
			f.Add([]byte(quoted(q)))
		}
	}
	for _, s := range steps {
		f.Add([]byte(quoted(s.query)))
	}
	f.Add([]byte(`[{"query":"{ __typename }"}]`))
	f.Add([]byte(`{"query":"{ __typename }","variables":{"a":[1e400,null]},"extensions":{}}`))
	h := bare(&bytes.Buffer{})
	f.Fuzz(func(t *testing.T, body []byte) {
		w := post(h, string(body), "Accept", "application/graphql-response+json")
		if !slices.Contains([]int{200, 400, 405, 406, 413}, w.Code) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("not JSON: %s", w.Body)
		}
	})
}
