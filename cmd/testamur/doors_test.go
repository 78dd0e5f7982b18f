package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/session"
)

// door is a way on which signed bytes of a learner's own go out.
type door struct {
	name string
	of   string // spring or autumn, an award; whole or part, a record
	ask  *http.Request
	// makes is a door behind which nothing is told yet: a print or a link is made.
	makes bool
}

// TestNothingHeldBackGoesOut tries every way out of a learner's records, in every
// state of holds. A refusal is the same everywhere, and each try is in the account.
func TestNothingHeldBackGoesOut(t *testing.T) {
	t.Parallel()
	s := attacked(t)
	w := newHolding(s)
	doors := w.doors()
	spring, summer := []string{"Spring 2026"}, []string{"Summer 2024"}
	for _, c := range []struct {
		name string
		hold *release.Placement
		out  string // what goes out
	}{
		{"nothing is held", nil, "spring autumn whole part"},
		{"everything is held", &release.Placement{Reason: release.Financial, Note: "Nothing was paid."}, ""},
		{"one term is held", &release.Placement{Reason: release.Financial, Terms: spring}, "autumn part"},
		{"another term is held", &release.Placement{Reason: release.Financial, Terms: summer}, "spring autumn whole part"},
		{"the hold was lifted", nil, "spring autumn whole part"},
	} {
		var h release.Hold
		if c.hold != nil {
			c.hold.LearnerID = string(w.learner)
			var err error
			h, err = s.all.holds.Place(t.Context(), w.registrar, *c.hold)
			s.must(err)
		}
		for _, d := range doors {
			before := w.lines(t)
			got := w.through(d.ask)
			after := w.lines(t)
			name := c.name + ": " + d.name + " of " + d.of
			if free := slices.Contains(strings.Fields(c.out), d.of); free {
				w.wentOut(t, name, d, got, after[:len(after)-len(before)])
				continue
			}
			w.stayed(t, name, d, got, after[:len(after)-len(before)])
		}
		w.asks304(t, c.name, slices.Contains(strings.Fields(c.out), "spring"))
		w.lists(t, c.name, c.out)
		w.officials(t, c.name)
		if c.hold != nil {
			_, err := s.all.holds.Lift(t.Context(), w.registrar, string(h.ID), "Paid.")
			s.must(err)
		}
	}
	w.strangers(t, doors)
}

// holding is a learner with awards of two terms, a record of both and one without
// the later.
type holding struct {
	*stage
	registrar, own access.Actor
	learner        string
	cookie         string
	spring, autumn credential.ID
	whole, part    record.Record
	print          string // of the whole record, made when nothing was held
}

func newHolding(s *stage) *holding {
	t, ctx := s.t, context.Background()
	t.Helper()
	h := &holding{stage: s, registrar: access.Actor{ID: "cli_r", InstitutionID: string(s.places[demo.Slug]), Roles: []access.Role{access.Registrar}}}
	s.ask("registrar", `mutation { a: awardAchievement(input: {award: {learnerId: "ref:sis:S100001", courseId: "crs_#3", facts: {achievedOn: "2025-12-19", term: "Fall 2025", grade: "A", creditsEarned: 4}}}) { assertion { id } } }`)
	url, email := demo.URL, demo.Email
	_, err := s.all.institutions.Revise(ctx, access.SystemOf(h.registrar.InstitutionID, "test"), nil, institution.Profile{Name: demo.Name, URL: &url, Email: &email,
		OtherIdentifier: []institution.Identifier{{Type: "ext:OPEID", Value: "99999900"}}})
	s.must(err)
	l, err := s.all.learners.Find(ctx, h.registrar, "ref:sis:S100001")
	s.must(err)
	h.learner = string(l.ID)
	h.own = access.Actor{ID: "cli_l", InstitutionID: h.registrar.InstitutionID, Roles: []access.Role{access.Learner}, LearnerID: h.learner}
	h.whole, err = s.all.records.AssembleAs(ctx, h.registrar, nil, h.learner, record.Want{})
	s.must(err)
	h.part, err = s.all.records.AssembleAs(ctx, h.registrar, nil, h.learner, record.Want{Chosen: record.LeftOut{Terms: []string{"Spring 2026"}}})
	s.must(err)
	items, err := s.all.records.ItemsOf(ctx, h.registrar, []record.ID{h.whole.ID, h.part.ID})
	s.must(err)
	h.autumn = items[h.part.ID][0]
	for _, id := range items[h.whole.ID] {
		if c, err := s.all.credentials.Find(ctx, h.registrar, string(id)); err == nil && c.AssertionID != nil && id != h.autumn {
			h.spring = id
		}
	}
	h.cookie, err = s.all.sessions.Begin(ctx, access.SystemOf(h.registrar.InstitutionID, "test"), session.Person{LearnerID: h.learner}, session.ByDemonstration)
	s.must(err)
	var made struct {
		Data struct {
			PrintRecord struct{ Print struct{ ID string } }
		}
	}
	w := h.through(h.graphql(`mutation { printRecord(input: {recordId: "` + string(h.whole.ID) + `", paper: LETTER}) { print { id } userErrors { message } } }`))
	s.must(json.Unmarshal(w.Body.Bytes(), &made))
	if h.print = made.Data.PrintRecord.Print.ID; h.print == "" {
		t.Fatalf("no print: %s", w.Body)
	}
	return h
}

// doors are all ways out. Whoever makes another one adds it here; what is signed
// cannot be read without release's leave (package release).
func (h *holding) doors() []door {
	get := func(path string, signedIn bool) *http.Request {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		if signedIn {
			r.AddCookie(&http.Cookie{Name: "__Host-session", Value: h.cookie})
		} else {
			r.Header.Set("Authorization", "Bearer "+h.token("learner S100001"))
		}
		return r
	}
	var all []door
	for of, id := range map[string]credential.ID{"spring": h.spring, "autumn": h.autumn, "whole": h.whole.CredentialID, "part": h.part.CredentialID} {
		all = append(all, door{name: "the address of the document", of: of, ask: get("/i/"+demo.Slug+"/credentials/"+string(id), false)},
			door{name: "GraphQL", of: of, ask: h.graphql(`{ credential(id: "` + string(id) + `") { document } }`)},
			door{name: "the file of a page", of: of, ask: get("/me/credentials/"+string(id)+"/file", true)})
	}
	for of, r := range map[string]record.Record{"whole": h.whole, "part": h.part} {
		id := string(r.ID)
		for _, face := range []string{"pdf", "html", "xml"} {
			all = append(all, door{name: "the " + face, of: of, ask: get("/records/"+id+"/transcript."+face, false)})
		}
		all = append(all, door{name: "the PDF in a browser", of: of, ask: get("/records/"+id+"/transcript.pdf", true)},
			door{name: "the record's file of a page", of: of, ask: get("/me/records/"+id+"/file", true)},
			door{name: "the record in GraphQL", of: of, ask: h.graphql(`{ record(id: "` + id + `") { credential { document } } }`)},
			door{name: "a print", of: of, makes: true, ask: h.graphql(`mutation { printRecord(input: {recordId: "` + id + `", paper: LETTER, recipient: "Acme"}) { print { id } userErrors { code message rule } } }`)},
			door{name: "a link to the record", of: of, makes: true, ask: h.graphql(`mutation { createShare(input: {learnerId: "` + h.learner + `", recordId: "` + id + `", recipient: "Acme", purpose: "A job"}) { link userErrors { code message rule } } }`)})
	}
	all = append(all, door{name: "a print that was made before", of: "whole", ask: get("/documents/"+h.print+"/document.pdf", false)})
	for of, id := range map[string]credential.ID{"spring": h.spring, "autumn": h.autumn} {
		all = append(all, door{name: "a link to an award", of: of, makes: true, ask: h.graphql(`mutation { createShare(input: {learnerId: "` + h.learner + `", items: [{credentialId: "` + string(id) + `"}], recipient: "Acme", purpose: "A job"}) { link userErrors { code message rule } } }`)})
	}
	return all
}

// graphql is a request of the learner's own.
func (h *holding) graphql(query string) *http.Request {
	raw, err := json.Marshal(map[string]string{"query": query})
	h.must(err)
	r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(string(raw)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+h.token("learner S100001"))
	r.GetBody = nil
	return r.WithContext(context.WithValue(r.Context(), bodyKey{}, string(raw)))
}

type bodyKey struct{}

// through sends a request, which may be sent again.
func (h *holding) through(r *http.Request, change ...func(*http.Request)) *httptest.ResponseRecorder {
	again := r.Clone(r.Context())
	if text, ok := r.Context().Value(bodyKey{}).(string); ok {
		again = httptest.NewRequest(r.Method, r.URL.String(), strings.NewReader(text))
		again.Header = r.Header.Clone()
	}
	for _, c := range change {
		c(again)
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, again)
	return w
}

func (h *holding) lines(t *testing.T) []disclosure.Line {
	t.Helper()
	all, first := []disclosure.Line(nil), page.MaxFirst
	for a := (page.Args{First: &first}); ; {
		c, err := h.all.disclosures.List(t.Context(), h.registrar, disclosure.Filter{LearnerID: &h.learner}, a)
		h.must(err)
		if all = append(all, c.Nodes...); !c.PageInfo.HasNextPage {
			return all
		}
		a.After = c.PageInfo.EndCursor
	}
}

func (h *holding) wentOut(t *testing.T, name string, d door, w *httptest.ResponseRecorder, lines []disclosure.Line) {
	t.Helper()
	body := w.Body.String()
	if w.Code != http.StatusOK || strings.Contains(body, `"errors"`) || strings.Contains(body, `"code"`) {
		t.Errorf("%s did not go out: %d %.300s", name, w.Code, body)
	}
	want := 1
	if d.makes {
		want = 0
	}
	if len(lines) != want || want == 1 && (lines[0].Outcome != disclosure.Granted || lines[0].Basis != disclosure.ToSubject) {
		t.Errorf("%s: the account says %+v", name, lines)
	}
	if cache := w.Header().Get("Cache-Control"); !strings.Contains(cache, "no-store") {
		t.Errorf("%s may be kept by a cache: %q", name, cache)
	}
}

func (h *holding) stayed(t *testing.T, name string, d door, w *httptest.ResponseRecorder, lines []disclosure.Line) {
	t.Helper()
	body := w.Body.String()
	if strings.Contains(body, "proofValue") || strings.HasPrefix(body, "%PDF") || strings.Contains(body, "/s/") {
		t.Errorf("%s went out: %.200s", name, body)
	}
	if !strings.Contains(body, demo.Name+" holds this back: financial") || !strings.Contains(body, "Ask the registrar ("+demo.Email+")") {
		t.Errorf("%s is refused in other words: %d %.400s", name, w.Code, body)
	}
	if graph := d.ask.URL.Path == "/graphql"; graph && (!strings.Contains(body, `"FORBIDDEN"`) || !strings.Contains(body, `"hold"`)) || !graph && w.Code != http.StatusForbidden {
		t.Errorf("%s: %d %.300s", name, w.Code, body)
	}
	if len(lines) != 1 || lines[0].Outcome != disclosure.Refused || *lines[0].Refusal != disclosure.OnHold || len(lines[0].Items) == 0 {
		t.Errorf("%s: the account says %+v", name, lines)
	}
	if cache := w.Header().Get("Cache-Control"); !strings.Contains(cache, "no-store") {
		t.Errorf("%s: the refusal may be kept by a cache: %q", name, cache)
	}
}

// asks304 asks for what a client has already, for its head and for a part of it.
func (h *holding) asks304(t *testing.T, name string, free bool) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/i/"+demo.Slug+"/credentials/"+string(h.spring), nil)
	r.Header.Set("Authorization", "Bearer "+h.token("learner S100001"))
	for how, change := range map[string]func(*http.Request){
		"If-None-Match": func(r *http.Request) { r.Header.Set("If-None-Match", "*") },
		"HEAD":          func(r *http.Request) { r.Method = http.MethodHead },
		"Range":         func(r *http.Request) { r.Header.Set("Range", "bytes=0-10") },
	} {
		w := h.through(r, change)
		if refused := w.Code == http.StatusForbidden; refused == free || refused && (w.Header().Get("ETag") != "" || w.Header().Get("Credential-Status") != "") {
			t.Errorf("%s: %s: %d %v", name, how, w.Code, w.Header())
		}
	}
}

// lists reads the lists of the Open Badges and CLR APIs, one to a page.
func (h *holding) lists(t *testing.T, name, out string) {
	t.Helper()
	for base, of := range map[string]map[string]credential.ID{
		"/ims/ob/v3p0":  {"spring": h.spring, "autumn": h.autumn},
		"/ims/clr/v2p0": {"whole": h.whole.CredentialID, "part": h.part.CredentialID},
	} {
		want := ""
		var pages strings.Builder
		for offset := range 5 {
			r := httptest.NewRequest(http.MethodGet, base+"/credentials?limit=1&offset="+string(rune('0'+offset)), nil)
			r.Header.Set("Authorization", "Bearer "+h.token("learner S100001"))
			before := h.lines(t)
			w := h.through(r)
			fresh := h.lines(t)
			fresh = fresh[:len(fresh)-len(before)]
			pages.WriteString(w.Body.String())
			held := !strings.Contains(out, "spring")
			if refused := slices.ContainsFunc(fresh, func(l disclosure.Line) bool { return l.Outcome == disclosure.Refused }); refused != (held && (offset == 0 || out == "")) {
				t.Errorf("%s: %s: the account says %+v", name, base, fresh)
			}
			if (w.Header().Get("Credentials-Withheld") != "") != (held && out != "") || (w.Code == http.StatusForbidden) != (out == "") {
				t.Errorf("%s: %s: %d %v", name, base, w.Code, w.Header())
			}
		}
		for what, id := range of {
			address := `credentials/` + string(id) + `","type"`
			if free := slices.Contains(strings.Fields(out), what); strings.Contains(pages.String(), address) != free {
				t.Errorf("%s: %s of %s: %v, want %v %s", name, base, what, !free, free, want)
			}
		}
	}
}

// officials reads as a registrar does, whom no hold concerns.
func (h *holding) officials(t *testing.T, name string) {
	t.Helper()
	if w := h.ask("registrar", "GET /i/"+demo.Slug+"/credentials/"+string(h.spring)+"\n"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "proofValue") {
		t.Errorf("%s: the registrar gets %d %.200s", name, w.Code, w.Body)
	}
}

// strangers try the doors of somebody else's records.
func (h *holding) strangers(t *testing.T, doors []door) {
	t.Helper()
	before := len(h.lines(t))
	for _, who := range []string{"learner S100002", "registrar@hillside", "reader", "visitor"} {
		for _, d := range doors {
			if d.ask.Header.Get("Authorization") == "" {
				continue // of the learner's own browser
			}
			w := h.through(d.ask, func(r *http.Request) {
				r.Header.Del("Authorization")
				if token := h.token(who); token != "" {
					r.Header.Set("Authorization", "Bearer "+token)
				}
			})
			body := w.Body.String()
			if strings.Contains(body, "proofValue") || strings.HasPrefix(body, "%PDF") || strings.Contains(body, "Umar") || strings.Contains(body, `"link":"`) || strings.Contains(body, `"print":{`) {
				t.Errorf("%s through %s: %d %.300s", who, d.name, w.Code, body)
			}
		}
	}
	if after := len(h.lines(t)); after != before {
		t.Errorf("%d lines in the account of somebody whom nobody was told of", after-before)
	}
}
