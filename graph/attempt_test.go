package graph_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/graph"
	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/testbed"
)

// bearer is a process that takes tokens, as the service does.
type bearer struct {
	*api
	token  string
	client institution.Client
}

func remembering(a *api) {
	token := func(r *http.Request) string { return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") }
	c := a.config()
	c.Actor = func(r *http.Request) (access.Actor, error) { return a.Institutions.Authenticate(r.Context(), token(r)) }
	c.Recall = func(r *http.Request) (access.Actor, int64, bool) { return a.Institutions.Recall(token(r)) }
	c.Confirm = func(r *http.Request, n int64) { a.Institutions.Confirm(token(r), n) }
	a.handler = graph.NewHandler(c)
}

// admitted are two processes on one database, and a token that both remember.
func admitted(t *testing.T, n institution.NewClient) (here, there *bearer) {
	t.Helper()
	a := open(t)
	b := a.afresh(t)
	remembering(a)
	remembering(b)
	n.Name = "Desk"
	client, token, err := a.Institutions.CreateClient(t.Context(), a.As(access.System), n)
	testbed.Must(t, client, err)
	here, there = &bearer{a, token, client}, &bearer{b, token, client}
	for _, p := range []*bearer{here, there} {
		p.warm(t)
	}
	return here, there
}

const viewer = `{ viewer { roles } }`

// warm asks until the process remembers the token and what the query does.
func (b *bearer) warm(t *testing.T) {
	t.Helper()
	for range 3 {
		b.sent(t, viewer).good(t)
	}
	if _, n := b.asked(t, viewer); n.Len() != 1 || strings.Contains(n.SQL()[0], "api_client") {
		t.Fatalf("the token is not remembered: %q", n.SQL())
	}
}

func (b *bearer) sent(t *testing.T, query string) answer {
	t.Helper()
	a, _ := b.asked(t, query)
	return a
}

func (b *bearer) asked(t *testing.T, query string) (answer, *pg.Statements) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	ctx, n := pg.Count(t.Context())
	r := httptest.NewRequestWithContext(ctx, "POST", "/graphql", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/graphql-response+json")
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.send(t, r), n
}

func (b *bearer) refused(t *testing.T, why string, a answer) {
	t.Helper()
	if a.Status != http.StatusUnauthorized || a.Data != nil || len(a.Errors) != 1 || a.Errors[0].Extensions["code"] != string(fault.Unauthenticated) {
		t.Errorf("%s: answered %d %s", why, a.Status, a.Raw)
	}
}

// run runs a statement as the operator does, who leaves no line in the account.
func (b *bearer) run(t *testing.T, sql string) {
	t.Helper()
	err := b.DB.Tenant(t.Context(), b.As(access.System), func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), sql, b.client.ID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bearer) number(t *testing.T, sql string) (n int) {
	t.Helper()
	err := b.DB.Snapshot(t.Context(), b.As(access.System), func(tx pgx.Tx) error { return tx.QueryRow(t.Context(), sql).Scan(&n) })
	return testbed.Must(t, n, err)
}

func TestARevokedTokenIsRefusedByTheNextRequestOfEveryProcess(t *testing.T) {
	t.Parallel()
	for how, revoke := range map[string]func(*testing.T, *bearer){
		"by the service": func(t *testing.T, b *bearer) {
			_, err := b.Institutions.RevokeClient(t.Context(), b.As(access.Administrator), b.client.ID)
			testbed.Must(t, 0, err)
		},
		"by a statement":   func(t *testing.T, b *bearer) { b.run(t, `update api_client set revoked_at = created_at where id = $1`) },
		"by taking it out": func(t *testing.T, b *bearer) { b.run(t, `delete from api_client where id = $1`) },
		"by another secret": func(t *testing.T, b *bearer) {
			b.run(t, `update api_client set secret_hash = decode(repeat('00', 32), 'hex') where id = $1`)
		},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			here, there := admitted(t, institution.NewClient{Roles: []access.Role{access.Administrator}})
			revoke(t, here)
			for _, b := range []*bearer{there, here} {
				b.refused(t, "the query that was asked before", b.sent(t, viewer))
				b.refused(t, "and again", b.sent(t, viewer))
			}
		})
	}
}

// What is refused without reading anything is refused after a look at the token.
func TestNothingIsSaidToATokenThatIsOnlyRemembered(t *testing.T) {
	t.Parallel()
	here, there := admitted(t, institution.NewClient{Roles: []access.Role{access.Administrator}})
	revoked := func(b *bearer) {
		t.Helper()
		if _, _, ok := b.Institutions.Recall(b.token); !ok {
			t.Fatal("the token is not remembered any more")
		}
	}
	there.run(t, `update api_client set revoked_at = created_at where id = $1`)
	for why, query := range map[string]string{
		"a field that there is not":    `{ nothing }`,
		"the schema":                   `{ __schema { types { name } } }`,
		"the name of a type":           `{ __typename }`,
		"what costs too much":          `{ learners(first: 100) { nodes { assertions(first: 100) { nodes { achievement { assertions(first: 100) { nodes { id } } } } } } } }`,
		"a change":                     `mutation { defineCourse(input: {code: "X-1", title: "X"}) { course { id } } }`,
		"no document":                  `{`,
		"what may wait for a stranger": `{ verifyCredential(credential: "x", encoding: TEXT) { outcome } }`,
	} {
		other := here.afresh(t)
		remembering(other)
		b := &bearer{other, here.token, here.client}
		b.run(t, `update api_client set revoked_at = null where id = $1`)
		b.warm(t)
		b.run(t, `update api_client set revoked_at = created_at where id = $1`)
		revoked(b)
		b.refused(t, why, b.sent(t, query))
	}
	for why, change := range map[string]func(*http.Request){
		"another method":     func(r *http.Request) { r.Method = http.MethodPut },
		"another media type": func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
		"nothing to accept":  func(r *http.Request) { r.Header.Set("Accept", "image/png") },
		"only a stream":      func(r *http.Request) { r.Header.Set("Accept", "text/event-stream") },
	} {
		other := here.afresh(t)
		remembering(other)
		b := &bearer{other, here.token, here.client}
		b.run(t, `update api_client set revoked_at = null where id = $1`)
		b.warm(t)
		b.run(t, `update api_client set revoked_at = created_at where id = $1`)
		revoked(b)
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/graphql", strings.NewReader(`{"query": "{ __typename }"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+b.token)
		change(r)
		b.refused(t, why, b.send(t, r))
	}
	if n := here.number(t, `select count(*) from course where code = 'X-1'`); n != 0 {
		t.Error("a revoked token changed something")
	}
}

func TestRolesThatWereChangedHoldForTheNextRequest(t *testing.T) {
	t.Parallel()
	here, there := admitted(t, institution.NewClient{Roles: []access.Role{access.Registrar}})
	const learners = `{ learners(first: 1) { nodes { id } } viewer { roles } }`
	for range 3 {
		here.sent(t, learners).good(t)
	}
	there.run(t, `update api_client set roles = '{reader}' where id = $1`)
	if got := here.sent(t, learners); len(got.Errors) != 1 || got.Errors[0].Extensions["code"] != string(fault.Forbidden) {
		t.Errorf("who was a registrar and is a reader is answered %s", got.Raw)
	}
	there.run(t, `update api_client set roles = '{assessor}' where id = $1`)
	if got := here.sent(t, learners).good(t); got.at("viewer", "roles", 0) != "ASSESSOR" {
		t.Errorf("who is an assessor now is answered %s", got.Raw)
	}
}

func TestATokenHoldsUntilItsLastMoment(t *testing.T) {
	t.Parallel()
	a := open(t)
	now := a.Now()
	a.Institutions.Now = func() time.Time { return now }
	remembering(a)
	ends := now.Add(30 * time.Second)
	client, token, err := a.Institutions.CreateClient(t.Context(), a.As(access.System), institution.NewClient{Name: "Desk", Roles: []access.Role{access.Registrar}, ExpiresAt: &ends})
	b := &bearer{a, token, testbed.Must(t, client, err)}
	b.warm(t)
	now = ends.Add(-time.Microsecond)
	if _, n := b.asked(t, viewer); n.Len() != 1 {
		t.Errorf("a moment before its end the token is not remembered: %q", n.SQL())
	}
	now = ends
	b.refused(t, "at its end", b.sent(t, viewer))
}

func TestATokenIsLookedAtAgainAfterAMinute(t *testing.T) {
	t.Parallel()
	here, _ := admitted(t, institution.NewClient{Roles: []access.Role{access.Registrar}})
	now := here.Now().Add(time.Minute)
	here.Institutions.Now = func() time.Time { return now }
	if _, n := here.asked(t, viewer); n.Len() != 2 || !strings.Contains(n.SQL()[0], "api_client") {
		t.Errorf("after a minute the token was not looked at: %q", n.SQL())
	}
	if _, n := here.asked(t, viewer); n.Len() != 1 {
		t.Errorf("and is not remembered from then on: %q", n.SQL())
	}
}

// What one message read last time may take several this time.
func TestAnAnswerIsWholeWhenMoreIsReadThanBefore(t *testing.T) {
	t.Parallel()
	here, _ := admitted(t, institution.NewClient{Roles: []access.Role{access.Registrar}})
	here.Load(t)
	const one = `query($id: ID!) { learner(id: $id) { displayName assertions(first: 2) { nodes { achievedOn achievement { id definition { name } } } } } }`
	ask := func(id string) answer {
		t.Helper()
		body, _ := json.Marshal(map[string]any{"query": one, "variables": map[string]string{"id": id}})
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/graphql", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+here.token)
		return here.send(t, r).good(t)
	}
	for range 3 { // one message says that there is nobody
		if got := ask("ref:sis:nobody"); got.at("learner") != nil {
			t.Fatalf("nobody is answered %s", got.Raw)
		}
	}
	plain := here.afresh(t)
	want := plain.ask(t, one, "id", "ref:sis:S100001").good(t)
	if want.at("learner", "assertions", "nodes", 1, "achievement", "definition", "name") == nil {
		t.Fatalf("not much of a learner: %s", want.Raw)
	}
	for range 3 {
		if got := ask("ref:sis:S100001"); got.Raw != want.Raw {
			t.Errorf("answered\n%s\nand the ordinary way\n%s", got.Raw, want.Raw)
		}
	}
	if n := here.DB.Pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections are still taken", n)
	}
}
