package graph_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/testamur/testamur/graph"
	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pgtest"
	"github.com/testamur/testamur/internal/testbed"
)

func TestAListIsReadPageByPage(t *testing.T) {
	t.Parallel()
	a := open(t)
	for i := range 7 {
		l, err := a.Learners.Define(t.Context(), a.Registrar(), learner.Definition{DisplayName: fmt.Sprintf("Learner %d", 6-i)})
		testbed.Must(t, l, err)
	}
	var names []string
	after := any(nil)
	for pages := 1; ; pages++ {
		got := a.ask(t, `query($after: String) { learners(first: 3, after: $after) { nodes { displayName } edges { cursor node { displayName } } pageInfo { hasNextPage endCursor } } }`, "after", after).good(t)
		for i := range 3 {
			if n, ok := got.at("learners", "nodes", i, "displayName").(string); ok {
				names = append(names, n)
			}
		}
		after = got.at("learners", "pageInfo", "endCursor")
		if got.at("learners", "pageInfo", "hasNextPage") == false {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
	}
	if got := strings.Join(names, ","); got != "Learner 0,Learner 1,Learner 2,Learner 3,Learner 4,Learner 5,Learner 6" {
		t.Error(got)
	}
}

func TestAnIdOfAnotherSystemIsTakenWhereverAnIdIs(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.ask(t, `mutation { defineLearner(input: {displayName: "Ada", externalRef: {system: "sis", value: "S:1"}}) { learner { externalRef { system value } } userErrors { message } } }`).good(t)
	a.ask(t, `mutation { defineAchievement(input: {externalRef: {system: "sis", value: "A1"}, definition: {name: "Badge", description: "d", criteria: {narrative: "n"}}}) { achievement { id } userErrors { message } } }`).good(t)
	a.ask(t, `mutation { reviseLearner(input: {id: "ref:sis:S:1", email: "ada@x.example"}) { learner { id } userErrors { message } } }`).good(t)
	got := a.ask(t, `mutation { awardAchievement(input: {award: {learnerId: "ref:sis:S:1", achievementId: "ref:sis:A1", externalRef: {system: "sis", value: "W1"}, facts: {achievedOn: "2026-05-01"}}}) {
		assertion { id learner { email } externalRef { value } } userErrors { message } } }`).good(t)
	if got.at("awardAchievement", "assertion", "learner", "email") != "ada@x.example" || got.at("awardAchievement", "assertion", "externalRef", "value") != "W1" {
		t.Error(got.Raw)
	}
	found := a.ask(t, `{ assertion(id: "ref:sis:W1") { id } nothing: assertion(id: "ref:sis:W2") { id } learner(id: "ref:sis:S:1") { displayName } }`).good(t)
	if found.at("assertion", "id") != got.at("awardAchievement", "assertion", "id") || found.at("nothing") != nil {
		t.Error(found.Raw)
	}
}

func TestARequestThatIsSentTwiceHappensOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pgtest.New(t))
	v := w.newAchievement()
	award := func(day string) answer {
		v["day"] = day
		return w.send(t, `mutation($learner: ID!, $id: ID!, $day: Date!) { awardAchievement(input: {idempotencyKey: "k1", award: {learnerId: $learner, achievementId: $id, facts: {achievedOn: $day}}}) {
			assertion { id } userErrors { code path rule } } }`, v)
	}
	first, again, other := award("2026-05-01").good(t), award("2026-05-01").good(t), award("2026-05-02")
	if a, b := first.at("awardAchievement", "assertion", "id"), again.at("awardAchievement", "assertion", "id"); a == nil || a != b {
		t.Errorf("%v and %v", a, b)
	}
	if other.at("awardAchievement", "userErrors", 0, "code") != "CONFLICT" || other.at("awardAchievement", "userErrors", 0, "path", 0) != "idempotencyKey" {
		t.Error(other.Raw)
	}
	for name, mutation := range map[string]string{
		"credential": `mutation($id: ID!) { it: issueCredential(input: {idempotencyKey: "k2", assertionId: $id}) { of: credential { id } userErrors { code } } }`,
		"record":     `mutation($learner: ID!) { it: assembleRecord(input: {idempotencyKey: "k3", learnerId: $learner}) { of: record { id } userErrors { code } } }`,
		"job":        `mutation($upload: ID!) { it: startImport(input: {idempotencyKey: "k4", kind: COURSES, uploadId: $upload}) { of: job { id } userErrors { code } } }`,
	} {
		v := w.newAssertion()
		v["upload"] = w.newUpload()["id"]
		first, again := w.send(t, mutation, v).good(t), w.send(t, mutation, v).good(t)
		if a, b := first.at("it", "of", "id"), again.at("it", "of", "id"); a == nil || a != b {
			t.Errorf("%s: %v and %v", name, a, b)
		}
	}
}

func TestManyAwardsAreOneRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pgtest.New(t))
	v := w.newAchievement()
	ask := func(policy string) answer {
		return w.send(t, `mutation($learner: ID!, $id: ID!) { awardAchievements(input: {errorPolicy: `+policy+`, awards: [
			{learnerId: $learner, achievementId: $id, facts: {achievedOn: "2026-01-01"}},
			{learnerId: $learner, achievementId: $id, facts: {achievedOn: "2030-01-01"}},
			{learnerId: $learner, achievementId: $id, facts: {achievedOn: "2026-01-03"}}]}) {
			results { assertion { id achievement { uri } } userErrors { code path rule message } } userErrors { code path } } }`, v)
	}
	none := ask("REJECT_ALL")
	if none.at("awardAchievements", "results", 0, "assertion") != nil || !strings.Contains(none.Raw, `"path":["awards","1",`) {
		t.Error(none.Raw)
	}
	some := ask("REJECT_FAILED_ROWS")
	if some.at("awardAchievements", "results", 0, "assertion", "id") == nil || some.at("awardAchievements", "results", 1, "assertion") != nil || some.at("awardAchievements", "results", 2, "assertion", "id") == nil {
		t.Error(some.Raw)
	}
}

func TestATokenIsShownOnceAndWorks(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.who = a.As(access.Administrator)
	made := a.ask(t, `mutation { createApiClient(input: {name: "SIS", roles: [REGISTRAR], scopes: [LEARNER_READ]}) { apiClient { id scopes } token userErrors { message } } }`).good(t)
	who, err := a.Institutions.Authenticate(t.Context(), made.at("createApiClient", "token").(string))
	if err != nil || !who.Has(access.Registrar) {
		t.Fatalf("%+v, %v", who, err)
	}
	a.who = who
	viewer := a.ask(t, `{ viewer { id roles scopes institution { slug } learner { id } } learners { nodes { id } } }`).good(t)
	if viewer.at("viewer", "roles", 0) != "REGISTRAR" || viewer.at("viewer", "scopes", 0) != "LEARNER_READ" {
		t.Error(viewer.Raw)
	}
	scoped := a.ask(t, `mutation { defineLearner(input: {displayName: "x"}) { learner { id } userErrors { code } } }`)
	if scoped.at("defineLearner", "userErrors", 0, "code") != "FORBIDDEN" {
		t.Errorf("a client goes beyond its scope: %s", scoped.Raw)
	}
	a.who = a.As(access.Administrator)
	a.ask(t, `mutation($id: ID!) { revokeApiClient(input: {id: $id}) { apiClient { revokedAt } userErrors { message } } }`, "id", made.at("createApiClient", "apiClient", "id")).good(t)
	if _, err := a.Institutions.Authenticate(t.Context(), made.at("createApiClient", "token").(string)); err == nil {
		t.Error("a revoked token works")
	}
}

func TestNodesCostOneStatementForEachKind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, pgtest.New(t))
	var all []string
	for range 20 {
		all = append(all, w.newLearner()["id"].(string), w.newCourse()["id"].(string))
	}
	all = append(all, w.ids["record"], w.ids["credential"], w.ids["assertion"], "lrn_none", "nothing", w.ids["job"], w.ids["framework"], w.ids["competency"], w.ids["achievement"], string(w.Home.ID), string(w.Neighbour.ID))
	list := `["` + strings.Join(all, `","`) + `"]`
	got, n := w.api.counted(t, `{ nodes(ids: `+list+`) { id ... on Learner { names { displayName } } } }`)
	for i, id := range all {
		want := any(id)
		if id == "lrn_none" || id == "nothing" || id == string(w.Neighbour.ID) {
			want = nil
		}
		if got.at("nodes", i, "id") != want {
			t.Errorf("%s is %v", id, got.at("nodes", i, "id"))
		}
	}
	if n.Len() > 11 {
		t.Errorf("%d statements:\n%s", n.Len(), repeated(n))
	}
}

// TestAJobIsFollowedOverTheWire reads the stream as a browser would.
func TestAJobIsFollowedOverTheWire(t *testing.T) {
	t.Parallel()
	a := open(t)
	server := httptest.NewServer(a.handler)
	defer server.Close()
	u, err := a.Exchange.Receive(t.Context(), a.Registrar(), "courses.csv", strings.NewReader("code,title\nA1,One\nA2,\nA3,Three\n"))
	testbed.Must(t, u, err)
	j, err := a.Exchange.Start(t.Context(), a.Registrar(), nil, exchange.Order{Kind: exchange.Courses, UploadID: u.ID})
	testbed.Must(t, j, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	body := strings.NewReader(fmt.Sprintf(`{"query":"subscription { jobProgress(id: \"%s\") { state createdCount failedCount outcomes(failedOnly: true) { nodes { firstLine column rule } } } }"}`, j.ID))
	r, err := http.NewRequestWithContext(ctx, "POST", server.URL, body)
	testbed.Must(t, r, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var states []string
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && data != "" {
			states = append(states, data)
			if len(states) == 1 {
				if err := a.Exchange.Run(ctx, a.As(access.System), j.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
		if lines.Text() == "event: complete" {
			break
		}
	}
	if len(states) < 2 || !strings.Contains(states[0], "QUEUED") || !strings.Contains(states[len(states)-1], `"state":"SUCCEEDED","createdCount":2,"failedCount":1`) ||
		!strings.Contains(states[len(states)-1], `"firstLine":3,"column":"title"`) {
		t.Errorf("%s", strings.Join(states, "\n"))
	}
}

// Each stream is looked at several times a second: one caller has few at a moment.
func TestACallerFollowsFewJobsAtAMoment(t *testing.T) {
	t.Parallel()
	a := open(t)
	server := httptest.NewServer(a.handler)
	defer server.Close()
	u, err := a.Exchange.Receive(t.Context(), a.Registrar(), "courses.csv", strings.NewReader("code,title\nA1,One\n"))
	testbed.Must(t, u, err)
	j, err := a.Exchange.Start(t.Context(), a.Registrar(), nil, exchange.Order{Kind: exchange.Courses, UploadID: u.ID})
	testbed.Must(t, j, err)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	follow := func() (*http.Response, func()) {
		ctx, end := context.WithCancel(ctx)
		body := strings.NewReader(fmt.Sprintf(`{"query":"subscription { jobProgress(id: \"%s\") { state } }"}`, j.ID))
		r, err := http.NewRequestWithContext(ctx, "POST", server.URL, body)
		testbed.Must(t, r, err)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "text/event-stream")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return resp, func() { end(); resp.Body.Close() }
	}
	var ends []func()
	defer func() {
		for _, end := range ends {
			end()
		}
	}()
	for i := range 10 {
		resp, end := follow()
		if ends = append(ends, end); resp.StatusCode != http.StatusOK {
			t.Fatalf("stream %d: %d", i, resp.StatusCode)
		}
	}
	resp, end := follow()
	raw, _ := io.ReadAll(resp.Body)
	if end(); resp.StatusCode != http.StatusTooManyRequests || !strings.Contains(string(raw), `"LIMIT"`) {
		t.Errorf("one more: %d %s", resp.StatusCode, raw)
	}
	ends[0]()
	for {
		resp, end := follow()
		code := resp.StatusCode
		end()
		if code == http.StatusOK {
			return
		}
		if ctx.Err() != nil {
			t.Fatal("a stream that ended makes no room for another")
		}
	}
}

func TestTheDemonstrationShowsItsSchemaToEveryone(t *testing.T) {
	t.Parallel()
	h := graph.NewHandler(graph.Config{Resolver: &graph.Resolver{Audit: &audit.Service{}}, Open: true, Actor: func(*http.Request) (access.Actor, error) { return access.Anonymous(), nil }})
	if w := post(h, quoted(`{ __schema { queryType { name } } }`)); !strings.Contains(w.Body.String(), `"Query"`) {
		t.Error(w.Body)
	}
}

func TestAnImportIsOrderedAndToldByTheAPI(t *testing.T) {
	t.Parallel()
	a := open(t)
	u, err := a.Exchange.Receive(t.Context(), a.Registrar(), "l.csv", strings.NewReader("nr;name\n1;Ada\n;Bo\n"))
	testbed.Must(t, u, err)
	made := a.ask(t, `mutation($u: ID!) { startImport(input: {kind: LEARNERS, uploadId: $u, system: "sis", delimiter: ";", columns: [{field: "learner_id", header: "nr"}, {field: "display_name", header: "name"}]}) {
		job { id state } userErrors { code path message } } }`, "u", u.ID).good(t)
	id := made.at("startImport", "job", "id").(string)
	if err := a.Exchange.Run(t.Context(), a.As(access.System), id); err != nil {
		t.Fatal(err)
	}
	got := a.ask(t, `query($id: ID!) { job(id: $id) { state createdCount failedCount bytesDone bytesTotal errorFileUrl outcomes(failedOnly: true) { nodes { firstLine column rule outcome message } } } learner(id: "ref:sis:1") { displayName } }`, "id", id).good(t)
	if got.at("job", "failedCount") != 1.0 || got.at("job", "outcomes", "nodes", 0, "firstLine") != 3.0 || got.at("job", "outcomes", "nodes", 0, "column") != "nr" ||
		got.at("learner", "displayName") != "Ada" || !strings.HasPrefix(got.at("job", "errorFileUrl").(string), testbed.Origin) {
		t.Error(got.Raw)
	}
	bad := a.ask(t, `mutation { startImport(input: {kind: LEARNERS, uploadId: "upl_none"}) { job { id } userErrors { code } } }`)
	if bad.at("startImport", "userErrors", 0, "code") != "NOT_FOUND" {
		t.Error(bad.Raw)
	}
	if first, err := a.Exchange.List(t.Context(), a.Registrar(), page.Args{}); err != nil || len(first.Nodes) != 1 {
		t.Errorf("%d jobs, %v", len(first.Nodes), err)
	}
}
