package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/access"
)

// asked is a service of which only the statuses matter: a token named good is one.
func asked(t *testing.T, q quota, clock *time.Time) func(address, token string, forwarded ...string) *httptest.ResponseRecorder {
	t.Helper()
	h, err := q.limited(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch a := r.Header.Get("Authorization"); a {
		case "Bearer good":
			tokenHeld(r.Context())
		case "", "Bearer unread": // as the pages, which look at no token
		default:
			w.WriteHeader(http.StatusUnauthorized)
		}
	}), func() time.Time { return *clock })
	if err != nil {
		t.Fatal(err)
	}
	return func(address, token string, forwarded ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = address
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		for _, f := range forwarded {
			r.Header.Add("X-Forwarded-For", f)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
}

func TestAnAddressHasAQuotaThatComesBack(t *testing.T) {
	t.Parallel()
	clock := now
	ask := asked(t, quota{VisitorRate: 2, VisitorBurst: 3}, &clock)
	for range 3 {
		if w := ask("198.51.100.7:999", ""); w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	w := ask("198.51.100.7:1000", "")
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "Wait 1 second and") {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := ask("198.51.100.8:1", ""); w.Code != http.StatusOK {
		t.Errorf("a neighbour was refused: %d", w.Code)
	}
	clock = clock.Add(500 * time.Millisecond)
	if w := ask("198.51.100.7:1001", ""); w.Code != http.StatusOK {
		t.Errorf("half a second later: %d", w.Code)
	}
}

func TestTokensPassAndGuessesAreCharged(t *testing.T) {
	t.Parallel()
	clock := now
	ask := asked(t, quota{VisitorRate: 1, VisitorBurst: 5}, &clock)
	for range 50 {
		if w := ask("198.51.100.7:1", "good"); w.Code != http.StatusOK {
			t.Fatalf("a good token: %d", w.Code)
		}
	}
	refused := 0
	for i := range 50 {
		if w := ask("198.51.100.7:1", fmt.Sprintf("guess-%d", i)); w.Code == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused != 45 {
		t.Errorf("of 50 guesses %d were refused unread, not 45", refused)
	}
}

// Where no token is looked at, sending one is no way around the quota.
func TestATokenThatNobodyReadsIsCharged(t *testing.T) {
	t.Parallel()
	clock := now
	ask := asked(t, quota{VisitorRate: 1, VisitorBurst: 5}, &clock)
	served := 0
	for range 50 {
		if ask("198.51.100.7:1", "unread").Code == http.StatusOK {
			served++
		}
	}
	if served != 5 {
		t.Errorf("of 50 requests with a token that nobody read %d were answered, not 5", served)
	}
}

// Many at one moment pass before any of them is charged, and are paid for after.
func TestManyAtOneMomentAreOwed(t *testing.T) {
	t.Parallel()
	const many = 20
	clock := now
	var in sync.WaitGroup
	in.Add(many)
	h, err := quota{VisitorRate: 1, VisitorBurst: 5}.limited(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			in.Done()
			in.Wait()
		}
	}), func() time.Time { return clock })
	if err != nil {
		t.Fatal(err)
	}
	ask := func(path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		r.RemoteAddr = "198.51.100.7:1"
		r.Header.Set("Authorization", "Bearer guess")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	var all sync.WaitGroup
	for range many {
		all.Go(func() { ask("/wait") })
	}
	all.Wait()
	if w := ask("/"); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "16" {
		t.Errorf("after %d at once: %d, Retry-After %s, want 16", many, w.Code, w.Header().Get("Retry-After"))
	}
}

func TestCallersAreToldApart(t *testing.T) {
	t.Parallel()
	clock := now
	for _, c := range []struct {
		name, first, second string
		forwarded, then     []string
		same                bool
	}{
		{"the port is nobody", "198.51.100.7:1", "198.51.100.7:2", nil, nil, true},
		{"a header of a stranger says nothing", "198.51.100.7:1", "198.51.100.7:1", []string{"203.0.113.1"}, []string{"203.0.113.2"}, true},
		{"a proxy on this machine tells", "127.0.0.1:1", "127.0.0.1:1", []string{"203.0.113.1"}, []string{"203.0.113.2"}, false},
		{"what the caller wrote before the proxy did is not believed", "127.0.0.1:1", "127.0.0.1:1", []string{"192.0.2.1, 203.0.113.1"}, []string{"192.0.2.2", "203.0.113.1"}, true},
		{"two proxies", "10.1.2.3:1", "10.1.2.3:1", []string{"203.0.113.1, 10.9.9.9"}, []string{"203.0.113.2, 10.9.9.9"}, false},
		{"a proxy that says nonsense is the caller", "10.1.2.3:1", "10.1.2.3:1", []string{"unknown"}, []string{"hidden"}, true},
		{"one household of IPv6", "[2001:db8:1:2::1]:1", "[2001:db8:1:2:ffff::9]:1", nil, nil, true},
		{"two households", "[2001:db8:1:2::1]:1", "[2001:db8:1:3::1]:1", nil, nil, false},
		{"IPv4 written as IPv6", "[::ffff:198.51.100.7]:1", "198.51.100.7:1", nil, nil, true},
	} {
		ask := asked(t, quota{VisitorRate: 1, VisitorBurst: 1, TrustedProxy: []string{"10.0.0.0/8"}}, &clock)
		ask(c.first, "", c.forwarded...)
		if got := ask(c.second, "", c.then...).Code == http.StatusTooManyRequests; got != c.same {
			t.Errorf("%s: taken for the same: %v", c.name, got)
		}
	}
}

func TestTheMemoryOfQuotasIsBounded(t *testing.T) {
	t.Parallel()
	clock := now
	ask := asked(t, quota{VisitorRate: 1, VisitorBurst: 1}, &clock)
	at := func(i int) string { return fmt.Sprintf("[2001:db8:%x:%x::1]:1", i>>16, i&0xffff) }
	for i := range maxAddresses {
		ask(at(i), "")
	}
	if a, b := ask(at(maxAddresses), "").Code, ask(at(maxAddresses+1), "").Code; a != http.StatusOK || b != http.StatusTooManyRequests {
		t.Errorf("two for whom there is no room share a quota: %d, %d", a, b)
	}
	clock = clock.Add(2 * time.Second)
	if a, b := ask(at(maxAddresses), "").Code, ask(at(maxAddresses+1), "").Code; a != http.StatusOK || b != http.StatusOK {
		t.Errorf("after the others were forgotten: %d, %d", a, b)
	}
}

func TestAQuotaThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	for _, q := range []quota{{VisitorRate: -1, VisitorBurst: 1}, {VisitorRate: 1}, {VisitorRate: 1, VisitorBurst: 1, TrustedProxy: []string{"everyone"}}} {
		if _, err := q.limited(nil, time.Now); err == nil || !strings.Contains(err.Error(), "--") {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

// A token that is remembered is not looked at, and is a token all the same; one
// that is revoked meanwhile is none.
func TestATokenThatIsRememberedIsNotCharged(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	clock := now
	h, err := quota{VisitorRate: 0.001, VisitorBurst: 3}.limited(s.handler, func() time.Time { return clock })
	s.must(err)
	token := s.token("registrar")
	ask := func() int {
		r := httptest.NewRequest("POST", "/graphql", strings.NewReader(`{"query": "{ institution { name } }"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for n := range 20 {
		if code := ask(); code != http.StatusOK {
			t.Fatalf("request %d with a token is answered %d", n, code)
		}
	}
	if _, _, ok := s.all.institutions.Recall(token); !ok {
		t.Error("the token is not remembered")
	}
	registrar, err := s.all.institutions.Authenticate(t.Context(), token)
	s.must(err)
	_, err = s.all.institutions.RevokeClient(t.Context(), access.SystemOf(registrar.InstitutionID, "test"), registrar.ID)
	s.must(err)
	for n, want := range []int{401, 401, 401, 429} {
		if code := ask(); code != want {
			t.Errorf("request %d with a revoked token is answered %d", n, code)
		}
	}
}
