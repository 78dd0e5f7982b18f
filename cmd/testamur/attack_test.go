package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// attacked is a stage with a learner who has two credentials to share.
func attacked(t *testing.T) *stage {
	t.Helper()
	s := newStage(t)
	s.given("catalogue")
	s.ask("registrar", `mutation {
  a: awardAchievement(input: {award: {learnerId: "ref:sis:S100001", courseId: "crs_#1", facts: {achievedOn: "2026-05-29", term: "Spring 2026", grade: "A", creditsEarned: 4}}}) { assertion { id } }
  b: awardAchievement(input: {award: {learnerId: "ref:sis:S100001", courseId: "crs_#2", facts: {achievedOn: "2026-05-29", term: "Spring 2026", grade: "B", creditsEarned: 4}}}) { assertion { id } }
  c: issueCredentials(input: {assertionIds: ["asn_#1", "asn_#2"]}) { userErrors { message } } }`)
	return s
}

// shared makes a link and gives its token and id.
func (s *stage) shared(input string) (token, id string) {
	s.t.Helper()
	w := s.ask("learner S100001", `mutation { createShare(input: {learnerId: "ref:sis:S100001", items: [{credentialId: "crd_#1"}], purpose: "A job", `+input+`}) { link share { id } userErrors { message } } }`)
	var a struct {
		Data struct {
			CreateShare struct {
				Link  string
				Share struct{ ID string }
			}
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || a.Data.CreateShare.Link == "" {
		s.t.Fatalf("%v %s", err, w.Body)
	}
	return a.Data.CreateShare.Link[strings.LastIndex(a.Data.CreateShare.Link, "/")+1:], a.Data.CreateShare.Share.ID
}

// from sends a request of a visitor from an address.
func (s *stage) from(address, method, path, accept, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = address + ":4000"
	r.Header.Set("Accept", accept)
	switch {
	case strings.HasPrefix(body, "{"):
		r.Header.Set("Content-Type", "application/json")
	case method == http.MethodPost:
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	if told := secret.FindAllString(w.Body.String(), -1); len(told) > 0 {
		s.out.secrets = append(s.out.secrets, told...)
	}
	return w
}

const (
	asJSON = "application/json"
	asHTML = "text/html"
)

// TestGuessingALinkIsSlow tries links at one address until it is not let, and sees
// that somebody at another is not kept out.
func TestGuessingALinkIsSlow(t *testing.T) {
	t.Parallel()
	s := attacked(t)
	token, _ := s.shared(`recipient: "Acme"`)
	var last *httptest.ResponseRecorder
	for i := range 31 {
		guess := token[:24] + fmt.Sprintf("%024d", i)
		switch i % 3 { // each face of a link counts
		case 0:
			last = s.from("198.51.100.7", http.MethodGet, "/s/"+guess, asJSON, "")
		case 1:
			last = s.from("198.51.100.8", http.MethodGet, "/s/"+guess, asHTML, "")
		case 2:
			last = s.from("198.51.100.9", http.MethodPost, "/s/"+guess+"/watch", asJSON, `{"webhook": "https://acme.example/"}`)
		}
		if i < 30 && last.Code != http.StatusNotFound {
			t.Fatalf("guess %d: %d %s", i, last.Code, last.Body)
		}
	}
	if last.Code != http.StatusTooManyRequests || last.Header().Get("Retry-After") == "" {
		t.Errorf("after 30 guesses: %d %v %s", last.Code, last.Header(), last.Body)
	}
	if w := s.from("198.51.100.7", http.MethodGet, "/s/"+token, asJSON, ""); w.Code != http.StatusTooManyRequests {
		t.Errorf("who guesses is told that they are right: %d", w.Code)
	}
	if w := s.from("203.0.113.1", http.MethodGet, "/s/"+token, asJSON, ""); w.Code != http.StatusOK {
		t.Errorf("somebody else is kept out: %d %s", w.Code, w.Body)
	}
}

// TestAnEndedLinkSaysSoAtOnce opens a link, ends it, and opens it again in every
// way there is.
func TestAnEndedLinkSaysSoAtOnce(t *testing.T) {
	t.Parallel()
	s := attacked(t)
	token, id := s.shared(`recipient: "Acme", address: "hr@acme.example", notify: true`)
	first := s.from("203.0.113.1", http.MethodGet, "/s/"+token, asJSON, "")
	if first.Code != http.StatusOK || first.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", first.Code, first.Header())
	}
	if w := s.ask("learner S100001", `mutation { endShare(input: {id: "`+id+`"}) { share { state } userErrors { message } } }`); !strings.Contains(w.Body.String(), "ENDED") {
		t.Fatal(w.Body)
	}
	for _, again := range []struct{ method, path, accept, body string }{
		{http.MethodGet, "", asJSON, ""}, {http.MethodGet, "", asHTML, ""}, {http.MethodPost, "", asJSON, "{}"}, {http.MethodPost, "", asHTML, "name=x"},
		{http.MethodPost, "/watch", asJSON, "{}"}, {http.MethodPost, "/mail", asHTML, ""},
	} {
		w := s.from("203.0.113.1", again.method, "/s/"+token+again.path, again.accept, again.body)
		if w.Code != http.StatusGone || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%+v: %d %v", again, w.Code, w.Header())
		}
		if told := w.Body.String(); !strings.Contains(told, "The person who gave you this link has ended it. Ask them for another if you still need what it showed.") || strings.Contains(told, "Rasmussen") || strings.Contains(told, "crd_") {
			t.Errorf("%+v: %s", again, told)
		}
	}
	if w := s.ask("registrar", `{ credential(id: "crd_#1") { status document } }`); !strings.Contains(w.Body.String(), `"ACTIVE"`) || !strings.Contains(w.Body.String(), "proofValue") {
		t.Errorf("the registrar's copy is touched: %s", w.Body)
	}
}

// TestAPINIsNotGuessed tries PINs from many networks: the link itself closes.
func TestAPINIsNotGuessed(t *testing.T) {
	t.Parallel()
	s := attacked(t)
	token, _ := s.shared(`recipient: "Acme", pin: "482913", notify: true`)
	tried := 0
	for i := 0; i < 400; i++ {
		at, body := fmt.Sprintf("198.51.%d.7", i%250), fmt.Sprintf(`{"pin": "%06d", "webhook": "https://acme.example/"}`, i)
		w := s.from(at, http.MethodPost, "/s/"+token+[]string{"", "/watch"}[i%2], asJSON, body)
		switch w.Code {
		case http.StatusForbidden:
			tried++
		case http.StatusTooManyRequests:
			s.passed.Add(int64(16 * time.Minute)) // they have patience
		default:
			t.Fatalf("try %d: %d %s", i, w.Code, w.Body)
		}
	}
	if tried > 25 {
		t.Errorf("%d PINs were tried", tried)
	}
	if w := s.from("203.0.113.1", http.MethodPost, "/s/"+token, asJSON, `{"pin": "482913"}`); w.Code != http.StatusTooManyRequests {
		t.Errorf("it opens after all of them: %d %s", w.Code, w.Body)
	}
}

// TestALinkForOneOpensOnceHoweverManyTry opens at one moment.
func TestALinkForOneOpensOnceHoweverManyTry(t *testing.T) {
	t.Parallel()
	s := attacked(t)
	token, _ := s.shared(`recipient: "Acme", maxOpenings: 1`)
	codes := make([]int, 12)
	var all sync.WaitGroup
	for i := range codes {
		all.Add(1)
		go func() {
			defer all.Done()
			if i%2 == 0 {
				codes[i] = s.from("203.0.113.1", http.MethodGet, "/s/"+token, asJSON, "").Code
			} else {
				codes[i] = s.from("203.0.113.1", http.MethodPost, "/s/"+token, asHTML, "name=x").Code
			}
		}()
	}
	all.Wait()
	opened := 0
	for _, c := range codes {
		switch c {
		case http.StatusOK:
			opened++
		case http.StatusGone:
		default:
			t.Errorf("answered %d", c)
		}
	}
	if opened != 1 {
		t.Errorf("it opened %d times", opened)
	}
}

var outward = regexp.MustCompile(`(?:href|src|action)="(https?:)?//[^"]*"`)

// TestALinkIsToldNobodyElse looks for the link's token, its PIN and the secret of a
// watch in the log, in the headers of every answer, and in what its pages load.
func TestALinkIsToldNobodyElse(t *testing.T) {
	t.Parallel()
	s := attacked(t)
	token, id := s.shared(`recipient: "Acme", address: "hr@acme.example", pin: "482913", notify: true`)
	var made struct{ Secret string }
	watched := s.from("203.0.113.1", http.MethodPost, "/s/"+token+"/watch", asJSON, `{"webhook": "https://acme.example/hook?key=theirs", "pin": "482913"}`)
	if err := json.Unmarshal(watched.Body.Bytes(), &made); err != nil || made.Secret == "" {
		t.Fatalf("%v %s", err, watched.Body)
	}
	s.from("203.0.113.1", http.MethodPost, "/s/"+token+"/mail", asHTML, "")
	s.work()
	var end string
	for _, l := range s.out.box.Letters() {
		end = strings.Trim(l.Header.Get("List-Unsubscribe"), "<>")
	}
	end = strings.TrimPrefix(end, "https://records.example")
	s.ask("registrar", `mutation { revokeCredential(input: {id: "crd_#2", cause: OTHER, reason: "x"}) { userErrors { message } } }`)
	answers := map[string]*httptest.ResponseRecorder{"watch": watched}
	for name, r := range map[string]struct{ method, path, accept, body string }{
		"page before": {http.MethodGet, "/s/" + token, asHTML, ""}, "head": {http.MethodHead, "/s/" + token, asHTML, ""}, "opened page": {http.MethodPost, "/s/" + token, asHTML, "pin=482913&name=x"},
		"opened": {http.MethodPost, "/s/" + token, asJSON, `{"pin": "482913"}`}, "wrong": {http.MethodPost, "/s/" + token, asJSON, `{"pin": "482914"}`}, "not to be": {http.MethodDelete, "/s/" + token, asJSON, ""},
		"broken": {http.MethodPost, "/s/" + token, asJSON, `{"pin`}, "behind": {http.MethodGet, "/s/" + token + "/x", asHTML, ""}, "no such": {http.MethodGet, "/s/" + token + "x", asJSON, ""},
		"end of a watch": {http.MethodGet, end, asHTML, ""}, "at once": {http.MethodPost, end, asHTML, "List-Unsubscribe=One-Click"}, "by secret": {http.MethodPost, "/watch/end", asJSON, `{"secret": "` + made.Secret + `"}`},
	} {
		answers[name] = s.from("203.0.113.1", r.method, r.path, r.accept, r.body)
	}
	for name, want := range map[string]int{"page before": 200, "opened page": 200, "opened": 200, "wrong": 403, "end of a watch": 200, "at once": 200, "by secret": 200} {
		if answers[name].Code != want {
			t.Errorf("%s: %d %s", name, answers[name].Code, answers[name].Body)
		}
	}
	for name, w := range answers {
		h := w.Header()
		if h.Get("Referrer-Policy") != "no-referrer" || h.Get("X-Frame-Options") != "DENY" || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: what follows a link, or frames it, is told of it: %v", name, h)
		}
		if w.Code < 400 && h.Get("Cache-Control") != "no-store" && name != "watch" && name != "by secret" {
			t.Errorf("%s is kept: %v", name, h)
		}
		for key, values := range h {
			if strings.Contains(strings.Join(values, " "), token) {
				t.Errorf("%s: the header %s tells the link", name, key)
			}
		}
		for _, to := range outward.FindAllString(w.Body.String(), -1) {
			if strings.HasPrefix(to, "src") || strings.HasPrefix(to, "action") {
				t.Errorf("%s loads %s from elsewhere", name, to)
			}
		}
	}
	log := s.log.String()
	if !strings.Contains(log, `"route":"POST /s/{token}"`) {
		t.Fatalf("the log is not of this: %s", log)
	}
	for what, private := range map[string]string{"the link": token, "half of the link": token[24:], "the PIN": "482913", "a secret": made.Secret[10:], "an end": end[10:], "a webhook": "theirs", "an address": "hr@", "a share": id} {
		if strings.Contains(log, private) {
			t.Errorf("the log tells %s", what)
		}
	}
}
