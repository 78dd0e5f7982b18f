package rest_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/rest"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/testbed"
)

// site is what an institution publishes, with a credential or two.
type site struct {
	*testbed.Bed
	t       *testing.T
	handler http.Handler
	who     access.Actor
	ada     learner.Learner
	badge   achievement.Achievement
	now     time.Time
	count   int
}

func newSite(t *testing.T) *site {
	t.Helper()
	b := testbed.New(t)
	s := &site{Bed: b, t: t, who: access.Anonymous(), now: b.Now()}
	clock := func() time.Time { return s.now }
	b.Credentials.Now, b.Keys.Now = clock, clock
	s.handler = rest.NewHandler(rest.Services{Institutions: b.Institutions, Learners: b.Learners, Achievements: b.Achievements, Keys: b.Keys, Credentials: b.Credentials, Disclosures: b.Disclosures, Holds: b.Holds,
		Origin: testbed.Origin, Now: clock, Log: slog.New(slog.DiscardHandler), Actor: func(*http.Request) (access.Actor, error) { return s.who, nil }})
	l, err := b.Learners.Define(t.Context(), b.Registrar(), learner.Definition{DisplayName: "Ada"})
	s.ada = testbed.Must(t, l, err)
	a, err := b.Achievements.Define(t.Context(), b.Registrar(), achievement.Draft{Definition: achievement.Definition{Name: "Badge", Description: "d", Criteria: &openbadges.Criteria{Narrative: "n"}}})
	s.badge = testbed.Must(t, a, err)
	return s
}

func (s *site) issue(until *time.Time) credential.Credential {
	s.t.Helper()
	s.count++
	a, err := s.Assertions.Award(s.t.Context(), s.Registrar(), nil, assertion.Award{LearnerID: string(s.ada.ID), AchievementID: string(s.badge.ID),
		Facts: assertion.Facts{AchievedOn: day.Of(2026, 5, 1), Term: strconv.Itoa(s.count)}})
	c, err2 := s.Credentials.Issue(s.t.Context(), s.Registrar(), nil, credential.Order{AssertionID: string(testbed.Must(s.t, a, err).ID), ValidUntil: until})
	return testbed.Must(s.t, c, err2)
}

func (s *site) ask(method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// TestWhatIsPublishedSpeaksHTTP holds every published document to the same
// manners: each form that it has, a tag that says whether it is known already,
// how long it may be kept, HEAD and the methods that it does not have.
func TestWhatIsPublishedSpeaksHTTP(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.issue(nil)
	home := "/i/" + s.Home.Slug
	signed := []string{"application/vc", "application/vc+ld+json", "application/ld+json", "application/json"}
	own := s.As(access.Learner)
	own.LearnerID = string(s.ada.ID)
	for _, d := range []struct {
		path    string
		who     access.Actor
		media   []string // the first is what is given unasked
		cache   string
		private bool
	}{
		{home + "/status/1", access.Anonymous(), signed, "public, max-age=45", false},
		{home + "/did.json", access.Anonymous(), []string{"application/did+ld+json", "application/did+json", "application/did", "application/cid", "application/ld+json", "application/json"}, "public, max-age=300", false},
		{"/.well-known/did.json", access.Anonymous(), []string{"application/did+ld+json", "application/json"}, "public, max-age=300", false},
		{home + "/jwks.json", access.Anonymous(), []string{"application/jwk-set+json", "application/json"}, "public, max-age=300", false},
		{home, access.Anonymous(), []string{"application/ld+json", "application/json"}, "public, max-age=300", false},
		{home + "/achievements/" + string(s.badge.ID), access.Anonymous(), []string{"application/ld+json", "application/json"}, "public, max-age=300", false},
		{home + "/credentials/" + string(c.ID), own, signed, "private, no-store", true},
		{home + "/credentials/" + string(c.ID), s.Registrar(), signed, "private, no-store", true},
	} {
		s.who = d.who
		tags := map[string]bool{}
		for i, media := range append([]string{""}, d.media...) {
			w := s.ask(http.MethodGet, d.path, "Accept", media)
			h := w.Header()
			tag := h.Get("ETag")
			if w.Code != http.StatusOK || h.Get("Content-Type") != d.media[max(0, i-1)] || h.Get("Cache-Control") != d.cache || tag == "" || !strings.Contains(h.Get("Vary"), "Accept") ||
				(h.Get("Access-Control-Allow-Origin") == "*") == d.private || h.Get("Content-Length") != strconv.Itoa(w.Body.Len()) || !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s as %q: %d %v", d.path, media, w.Code, h)
			}
			tags[tag] = true
			if w := s.ask(http.MethodGet, d.path, "Accept", media, "If-None-Match", tag); w.Code != http.StatusNotModified || w.Body.Len() > 0 || w.Header().Get("ETag") != tag || w.Header().Get("Cache-Control") != d.cache {
				t.Errorf("%s as %q, known: %d %v", d.path, media, w.Code, w.Header())
			}
			if w := s.ask(http.MethodGet, d.path, "Accept", media, "If-None-Match", `"other"`); w.Code != http.StatusOK {
				t.Errorf("%s as %q, another known: %d", d.path, media, w.Code)
			}
			if w := s.ask(http.MethodHead, d.path, "Accept", media); w.Code != http.StatusOK || w.Body.Len() > 0 || w.Header().Get("ETag") != tag {
				t.Errorf("HEAD %s as %q: %d %v", d.path, media, w.Code, w.Header())
			}
		}
		if len(tags) != len(d.media) { // a form is not taken for another
			t.Errorf("%s has %d tags for %d forms", d.path, len(tags), len(d.media))
		}
		if w := s.ask(http.MethodGet, d.path, "Accept", "text/html, application/json;q=0"); w.Code != http.StatusNotAcceptable || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s as a page: %d %v", d.path, w.Code, w.Header())
		}
		if w := s.ask(http.MethodGet, d.path, "Accept", "application/json;q=0.5, */*;q=0.1"); w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s, JSON before anything: %v", d.path, w.Header())
		}
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
			if w := s.ask(method, d.path); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD, OPTIONS" {
				t.Errorf("%s %s: %d %v", method, d.path, w.Code, w.Header())
			}
		}
	}
}

// TestWhatIsNotPublished asks for what is not there, and for what is another's.
func TestWhatIsNotPublished(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	c := s.issue(nil)
	home, next := "/i/"+s.Home.Slug, "/i/"+s.Neighbour.Slug
	neighbour := access.Actor{ID: "n", InstitutionID: string(s.Neighbour.ID), Roles: access.Grantable()}
	bob, err := s.Learners.Define(t.Context(), s.Registrar(), learner.Definition{DisplayName: "Bob"})
	other := s.As(access.Learner)
	other.LearnerID = string(testbed.Must(t, bob, err).ID)
	for _, d := range []struct {
		who  access.Actor
		path string
		want int
	}{
		{access.Anonymous(), home + "/status/0", http.StatusNotFound}, {access.Anonymous(), home + "/status/2", http.StatusNotFound}, {access.Anonymous(), home + "/status/01", http.StatusNotFound},
		{access.Anonymous(), home + "/status/+1", http.StatusNotFound}, {access.Anonymous(), home + "/status/9999999999999999999", http.StatusNotFound}, {access.Anonymous(), home + "/status/x", http.StatusNotFound},
		{access.Anonymous(), next + "/status/1", http.StatusNotFound}, {access.Anonymous(), "/i/nobody/status/1", http.StatusNotFound}, {access.Anonymous(), "/i/nobody/jwks.json", http.StatusNotFound},
		{access.Anonymous(), "/i/nobody/did.json", http.StatusNotFound}, {access.Anonymous(), home + "/credentials/" + string(c.ID), http.StatusUnauthorized},
		{neighbour, home + "/credentials/" + string(c.ID), http.StatusNotFound}, {neighbour, next + "/credentials/" + string(c.ID), http.StatusNotFound},
		{other, home + "/credentials/" + string(c.ID), http.StatusNotFound}, {s.Registrar(), home + "/credentials/crd_nothing", http.StatusNotFound},
	} {
		s.who = d.who
		w := s.ask(http.MethodGet, d.path)
		if w.Code != d.want || w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("ETag") != "" {
			t.Errorf("%s as %s: %d %v", d.path, d.who.ID, w.Code, w.Header())
		}
		if strings.Contains(w.Body.String(), "Ada") {
			t.Errorf("%s tells a name: %s", d.path, w.Body)
		}
	}
}

// TestACredentialsStandingIsTold follows a credential through its life: its
// bytes never change, and what it is worth stands beside them and in the list.
func TestACredentialsStandingIsTold(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	until := s.now.Add(48 * time.Hour)
	c, short := s.issue(nil), s.issue(&until)
	home := "/i/" + s.Home.Slug
	list := func(known string) *httptest.ResponseRecorder {
		s.now = s.now.Add(time.Minute) // a process keeps a list for seconds
		s.who = access.Anonymous()
		return s.ask(http.MethodGet, home+"/status/1", "If-None-Match", known)
	}
	at := func(id credential.ID) *httptest.ResponseRecorder {
		s.who = s.Registrar()
		return s.ask(http.MethodGet, home+"/credentials/"+string(id))
	}
	first := at(c.ID)
	tag := list("").Header().Get("ETag")
	step := func(what, status string, changes bool, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(what, err)
		}
		w := at(c.ID)
		if w.Header().Get("Credential-Status") != status || !bytes.Equal(w.Body.Bytes(), first.Body.Bytes()) || w.Header().Get("ETag") != first.Header().Get("ETag") {
			t.Errorf("%s: %s", what, w.Header())
		}
		now := list(tag)
		if (now.Code == http.StatusOK) != changes {
			t.Errorf("%s: the list is asked for again: %d", what, now.Code)
		}
		if at, err := http.ParseTime(now.Header().Get("Last-Modified")); err != nil || at.After(s.now) {
			t.Errorf("%s: %v %v", what, now.Header(), err)
		}
		tag = now.Header().Get("ETag")
	}
	step("issued", "active", false, nil)
	_, err := s.Credentials.Suspend(t.Context(), s.Registrar(), nil, string(c.ID), "looked into")
	step("suspended", "suspended", true, err)
	_, err = s.Credentials.Lift(t.Context(), s.Registrar(), nil, string(c.ID), "nothing found")
	step("lifted", "active", true, err)
	next, err := s.Credentials.Reissue(t.Context(), s.Registrar(), nil, credential.Reissue{ID: string(c.ID), Reason: "again"})
	step("replaced", "revoked", true, err)
	link := func(id credential.ID, rel string) string {
		return "<" + testbed.Origin + home + "/credentials/" + string(id) + `>; rel="` + rel + `"`
	}
	if got := at(c.ID).Header().Values("Link"); !slices.Equal(got, []string{link(next.ID, "successor-version")}) {
		t.Errorf("%v", got)
	}
	if got := at(next.ID).Header(); !slices.Equal(got.Values("Link"), []string{link(c.ID, "predecessor-version")}) || got.Get("Credential-Status") != "active" {
		t.Errorf("%v", got)
	}
	s.now = until.Add(time.Second)
	if got := at(short.ID).Header().Get("Credential-Status"); got != "expired" {
		t.Errorf("%q after its end", got)
	}
}
