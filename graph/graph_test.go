package graph_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/testamur/testamur/graph"
	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/pgtest"
	"github.com/testamur/testamur/internal/testbed"
)

// api is the handler over a bed, asked as whoever is set.
type api struct {
	*testbed.Bed
	handler http.Handler
	log     bytes.Buffer
	who     access.Actor
	err     error
}

func over(t testing.TB, b *testbed.Bed) *api {
	t.Helper()
	a := &api{Bed: b, who: b.Registrar()}
	a.handler = graph.NewHandler(a.config())
	return a
}

// config is the handler's, with the caller that is set.
func (a *api) config() graph.Config {
	b := a.Bed
	return graph.Config{
		Resolver: &graph.Resolver{
			Institutions: b.Institutions,
			Learners:     b.Learners,
			Consents:     b.Consents,
			Shares:       b.Shares,
			Disclosures:  b.Disclosures,
			Holds:        b.Holds,
			Frameworks:   b.Frameworks,
			Courses:      b.Courses,
			Achievements: b.Achievements,
			Assertions:   b.Assertions,
			Mastery:      b.Mastery,
			Programs:     b.Programs,
			Search:       b.Search,
			Keys:         b.Keys,
			Credentials:  b.Credentials,
			Records:      b.Records,
			Documents:    b.Documents,
			Trust:        b.Trust,
			Verifier:     b.Verifier,
			Deposits:     b.Deposits,
			Exchange:     b.Exchange,
			Audit:        b.Audit,
			Log:          slog.New(slog.NewTextHandler(&a.log, nil)),
		},
		Actor: func(*http.Request) (access.Actor, error) { return a.who, a.err },
	}
}

func open(t testing.TB) *api { return over(t, testbed.New(t)) }

type answer struct {
	Status int
	Data   map[string]any
	Errors []struct {
		Message    string
		Path       []any
		Extensions map[string]any
	}
	Extensions map[string]any
	Raw        string
}

// ask sends a query with variables, as name and value in turn.
func (a *api) ask(t testing.TB, query string, variables ...any) answer {
	t.Helper()
	v := map[string]any{}
	for i := 0; i+1 < len(variables); i += 2 {
		v[variables[i].(string)] = variables[i+1]
	}
	body, err := json.Marshal(map[string]any{"query": query, "variables": v})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/graphql", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/graphql-response+json")
	return a.send(t, r)
}

func (a *api) send(t testing.TB, r *http.Request) answer {
	t.Helper()
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	raw, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := answer{Status: w.Code, Raw: string(raw)}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%d: %s", w.Code, raw)
	}
	return out
}

// good fails the test when the answer has errors or userErrors.
func (a answer) good(t testing.TB) answer {
	t.Helper()
	if len(a.Errors) > 0 || strings.Contains(a.Raw, `"userErrors":[{`) {
		t.Fatalf("%s", a.Raw)
	}
	return a
}

// at is the value at a path of names and indexes.
func (a answer) at(path ...any) any {
	var v any = a.Data
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				return nil
			}
			v = m[p]
		case int:
			l, ok := v.([]any)
			if !ok || p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

// code is the code of the only error.
func (a answer) code() string {
	if len(a.Errors) != 1 {
		return fmt.Sprintf("%d errors: %s", len(a.Errors), a.Raw)
	}
	return fmt.Sprint(a.Errors[0].Extensions["code"])
}

const picture = `
query Picture($first: Int!, $each: Int!) {
  learners(first: $first) { nodes {
    id displayName
    records(first: 1) { nodes { id version } }
    assertions(first: $each) { nodes {
      id achievedOn term grade
      results { value resultDescription { name } achievedLevel { name level } }
      achievement { id alignments { targetName competency { fullStatement path { humanCodingScheme } } } }
    } }
  } }
}`

func TestOneLearnerAndAHundredCostTheSameStatements(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	a := over(t, testbed.On(t, db))
	a.Load(t)
	count := func(first int) int {
		ctx, n := pg.Count(t.Context())
		body, err := json.Marshal(map[string]any{"query": picture, "variables": map[string]any{"first": first, "each": 20}})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(ctx, "POST", "/graphql", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		got := a.send(t, r).good(t)
		if l := got.at("learners", "nodes").([]any); len(l) != first {
			t.Fatalf("%d learners", len(l))
		}
		if got.at("learners", "nodes", 0, "assertions", "nodes", 0, "achievement", "id") == nil || !strings.Contains(got.Raw, "humanCodingScheme") ||
			!strings.Contains(got.Raw, `"achievedLevel":{"name"`) {
			t.Fatalf("not the whole picture: %.500s", got.Raw)
		}
		if first == 1 {
			t.Logf("statements:\n%s", strings.Join(n.SQL(), "\n---\n"))
		}
		return n.Len()
	}
	one, hundred := count(1), count(100)
	if one != hundred || one > 8 {
		t.Errorf("%d statements for one learner, %d for a hundred; at most 8", one, hundred)
	}
}

func TestARecordFromEndToEnd(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.Load(t)
	l := a.ask(t, `{ learners(first: 1, filter: {externalRef: {system: "sis", value: "S100001"}}) { nodes { id displayName externalRef { system value } names { displayName reason } } } }`).good(t)
	learner := l.at("learners", "nodes", 0, "id")
	made := a.ask(t, `mutation ($id: ID!) { assembleRecord(input: {learnerId: $id}) { record { id version partial credential { id document } items { id assertion { achievement { uri } } } } userErrors { message } } }`, "id", learner).good(t)
	document := made.at("assembleRecord", "record", "credential", "document").(string)
	a.who = access.Anonymous()
	report := a.ask(t, `query ($c: String!) { verifyCredential(credential: $c) { outcome kind issuerName checks { name outcome reason clause } embedded { outcome } } }`, "c", document).good(t)
	if report.at("verifyCredential", "outcome") != "PASSED" || report.at("verifyCredential", "kind") != "ClrCredential" {
		t.Errorf("%s", report.Raw)
	}
	changed := strings.Replace(document, `"name":"Alder Sound College"`, `"name":"Elder Sound College"`, 1)
	report = a.ask(t, `query ($c: String!) { verifyCredential(credential: $c) { outcome checks { name outcome reason } } }`, "c", changed).good(t)
	if report.at("verifyCredential", "outcome") != "FAILED" {
		t.Errorf("%s", report.Raw)
	}
	a.who = a.Registrar()
	again := a.ask(t, `mutation ($id: ID!) { assembleRecord(input: {learnerId: $id}) { record { id version } userErrors { message } } }`, "id", learner).good(t)
	if again.at("assembleRecord", "record", "id") != made.at("assembleRecord", "record", "id") {
		t.Errorf("%s", again.Raw)
	}
}

func TestBothEndsOfALink(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.Load(t)
	item := a.ask(t, `{ achievements(first: 1, filter: {type: "Competency"}) { nodes { id alignments { competency { id path { id } } } } } }`).good(t)
	id := item.at("achievements", "nodes", 0, "alignments", 0, "competency", "id")
	back := a.ask(t, `query ($id: ID!) { competency(id: $id) {
		framework { title rubrics { criteria { levels { quality } } } } parents { id } children { nodes { id } } associations { type other { id } }
		achievements { achievement { id definition { name criteria { narrative } resultDescription { rubricCriterionLevel { name } } } versions { version } } }
		courses { stage targetLevel course { code } } assertions(first: 3) { nodes { learner { displayName } } } } }`, "id", id).good(t)
	found := false
	for i := range 10 {
		found = found || back.at("competency", "achievements", i, "achievement", "id") == item.at("achievements", "nodes", 0, "id")
	}
	if !found || back.at("competency", "courses", 0, "course", "code") == nil || back.at("competency", "assertions", "nodes", 0, "learner", "displayName") == nil {
		t.Errorf("%s", back.Raw)
	}
}

func TestMutationsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	a := open(t)
	made := a.ask(t, `mutation { defineLearner(input: {displayName: "Ada", email: "ada@x.example"}) { learner { id version } userErrors { code message path rule } } }`).good(t)
	id := made.at("defineLearner", "learner", "id")
	bad := a.ask(t, `mutation { defineLearner(input: {displayName: " "}) { learner { id } userErrors { code message path } } }`)
	if bad.at("defineLearner", "userErrors", 0, "code") != "INVALID" || bad.at("defineLearner", "userErrors", 0, "path", 0) != "displayName" || bad.at("defineLearner", "learner") != nil {
		t.Errorf("%s", bad.Raw)
	}
	kept := a.ask(t, `mutation ($id: ID!) { reviseLearner(input: {id: $id, birthOn: "1990-01-02"}) { learner { email birthOn version } userErrors { message } } }`, "id", id).good(t)
	if kept.at("reviseLearner", "learner", "email") != "ada@x.example" {
		t.Errorf("a field that was left out was lost: %s", kept.Raw)
	}
	cleared := a.ask(t, `mutation ($id: ID!) { reviseLearner(input: {id: $id, email: null}) { learner { email birthOn } userErrors { message } } }`, "id", id).good(t)
	if cleared.at("reviseLearner", "learner", "email") != nil || cleared.at("reviseLearner", "learner", "birthOn") != "1990-01-02" {
		t.Errorf("%s", cleared.Raw)
	}
	stale := a.ask(t, `mutation ($id: ID!) { reviseLearner(input: {id: $id, expectedVersion: 1, email: null}) { learner { email } userErrors { code path } } }`, "id", id)
	if stale.at("reviseLearner", "userErrors", 0, "code") != "CONFLICT" {
		t.Errorf("%s", stale.Raw)
	}
	many := a.ask(t, `mutation ($id: ID!) { awardAchievements(input: {errorPolicy: REJECT_FAILED_ROWS, awards: [{learnerId: $id, achievementId: "nope", facts: {achievedOn: "2026-01-01"}}]}) {
		results { assertion { id } userErrors { code path } } userErrors { code } } }`, "id", id)
	if many.at("awardAchievements", "results", 0, "userErrors", 0, "path", 0) != "awards" {
		t.Errorf("%s", many.Raw)
	}
	a.who = a.As(access.Reader)
	forbidden := a.ask(t, `mutation { defineLearner(input: {displayName: "Eve"}) { learner { id } userErrors { code } } }`)
	if forbidden.at("defineLearner", "userErrors", 0, "code") != "FORBIDDEN" {
		t.Errorf("%s", forbidden.Raw)
	}
	a.who = access.Anonymous()
	if got := a.ask(t, `mutation { defineLearner(input: {displayName: "Eve"}) { learner { id } userErrors { code } } }`); got.code() != "UNAUTHENTICATED" {
		t.Errorf("%s", got.Raw)
	}
}

func TestBadRequestsAreRefusedWithTheRightStatus(t *testing.T) {
	t.Parallel()
	a := open(t)
	post := func(body, media string) *http.Request {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/graphql", strings.NewReader(body))
		r.Header.Set("Content-Type", media)
		return r
	}
	deep := strings.Repeat("{ learners { nodes ", 1) + strings.Repeat("{ assertions { nodes { learner ", 8) + "{ id }" + strings.Repeat("} } }", 8) + "} }"
	quoted, _ := json.Marshal(deep)
	aliases := "{"
	for i := range 40 {
		aliases += fmt.Sprintf(" a%d: viewer { id }", i)
	}
	spread := "{ ...f0 } " // 2^20 fields when it is written out
	for i := range 20 {
		spread += fmt.Sprintf("fragment f%d on Query { ...f%d ...f%d } ", i, i+1, i+1)
	}
	spread += "fragment f20 on Query { viewer { id } }"
	for name, c := range map[string]struct {
		r      *http.Request
		status int
		code   string
	}{
		"not JSON":          {post("{", "application/json"), 400, "INVALID"},
		"a batch":           {post(`[{"query":"{ viewer { id } }"}]`, "application/json"), 400, "INVALID"},
		"no query":          {post(`{}`, "application/json"), 400, "INVALID"},
		"variables no map":  {post(`{"query":"{ viewer { id } }","variables":3}`, "application/json"), 400, "INVALID"},
		"a form":            {post("query=x", "application/x-www-form-urlencoded"), 415, "INVALID"},
		"multipart":         {post("--x--", "multipart/form-data; boundary=x"), 415, "INVALID"},
		"put":               {httptest.NewRequest("PUT", "/graphql", nil), 405, "INVALID"},
		"get without query": {httptest.NewRequest("GET", "/graphql", nil), 400, "INVALID"},
		"syntax":            {post(`{"query":"{ viewer "}`, "application/json"), 400, "INVALID"},
		"unknown field":     {post(`{"query":"{ nothing }"}`, "application/json"), 400, "INVALID"},
		"wrong type":        {post(`{"query":"{ learners(first: \"x\") { nodes { id } } }"}`, "application/json"), 400, "INVALID"},
		"missing variable":  {post(`{"query":"query($id: ID!) { learner(id: $id) { id } }"}`, "application/json"), 400, "INVALID"},
		"too deep":          {post(`{"query":`+string(quoted)+`}`, "application/json"), 400, "LIMIT"},
		"aliases":           {post(`{"query":"`+aliases+`}"}`, "application/json"), 400, "LIMIT"},
		"fragments":         {post(`{"query":"`+spread+`"}`, "application/json"), 400, "LIMIT"},
		"tokens":            {post(`{"query":"{ `+strings.Repeat("viewer { id } ", 3000)+`}"}`, "application/json"), 400, "LIMIT"},
		"costly":            {post(`{"query":"{ learners(first: 100) { nodes { assertions(first: 100) { nodes { learner { assertions(first: 100) { nodes { id } } } } } } } }"}`, "application/json"), 400, "LIMIT"},
		"page too long":     {post(`{"query":"{ learners(first: 1000) { nodes { id } } }"}`, "application/json"), 200, "INVALID"},
		"a foreign cursor":  {post(`{"query":"{ learners(after: \"zz\") { nodes { id } } }"}`, "application/json"), 200, "INVALID"},
		"long query":        {post(`{"query":"{ viewer { id } }`+strings.Repeat(" ", 70<<10)+`"}`, "application/json"), 413, "LIMIT"},
		"mutation by get":   {httptest.NewRequest("GET", "/graphql?query=mutation%7BrotateSigningKey(input:%7B%7D)%7BuserErrors%7Bcode%7D%7D%7D", nil), 405, "INVALID"},
	} {
		t.Run(name, func(t *testing.T) {
			c.r.Header.Set("Accept", "application/graphql-response+json")
			got := a.send(t, c.r)
			if got.Status != c.status || got.code() != c.code {
				t.Errorf("%d %s; want %d %s: %.300s", got.Status, got.code(), c.status, c.code, got.Raw)
			}
		})
	}
	big := post(`{"query":"{ viewer { id } }","variables":{"x":"`+strings.Repeat("x", 25<<20)+`"}}`, "application/json")
	if got := a.send(t, big); got.Status != 413 {
		t.Errorf("a large body: %d", got.Status)
	}
	odd := post(`{"query":"{ viewer { id } }"}`, "application/json")
	odd.Header.Set("Accept", "image/png")
	if got := a.send(t, odd); got.Status != 406 {
		t.Errorf("a picture: %d", got.Status)
	}
	a.err = fault.New(fault.Unauthenticated, "This token is unknown, expired or revoked.")
	if got := a.send(t, post(`{"query":"{ viewer { id } }"}`, "application/json")); got.Status != 401 || got.code() != "UNAUTHENTICATED" {
		t.Errorf("a bad token: %d %s", got.Status, got.Raw)
	}
}

func TestTheSchemaIsForCallersWithAToken(t *testing.T) {
	t.Parallel()
	a := open(t)
	query := `{ __schema { queryType { name } } }`
	a.ask(t, query).good(t)
	a.who = access.Anonymous()
	if got := a.ask(t, query); len(got.Errors) == 0 || strings.Contains(got.Raw, `"Query"`) {
		t.Errorf("%s", got.Raw)
	}
}

func TestADatabaseThatGoesAwayIsSaidWithoutAStack(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.DB.Close()
	got := a.ask(t, `{ institution { name } }`)
	if c := got.code(); c != "UNAVAILABLE" && c != "INTERNAL" || strings.Contains(got.Raw, ".go") || strings.Contains(got.Raw, "pool") {
		t.Errorf("%s", got.Raw)
	}
	if !strings.Contains(a.log.String(), "request failed") {
		t.Error("nothing is in the log")
	}
}
