package web_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/session"
	"github.com/testamur/testamur/internal/testbed"
)

// neighbour is the cookie of a registrar of another institution.
func (w *world) neighbour(t *testing.T) string {
	t.Helper()
	st, err := w.Institutions.AddStaff(context.Background(), access.SystemOf(string(w.Neighbour.ID), "test"), institution.NewStaff{Name: "Someone Else", Email: "else@neighbour.example", Roles: []access.Role{access.Registrar}})
	testbed.Must(t, st, err)
	cookie, err := w.Sessions.Begin(context.Background(), access.SystemOf(string(w.Neighbour.ID), "test"), session.Person{StaffID: st.ID}, session.ByDemonstration)
	return testbed.Must(t, cookie, err)
}

// TestAFailedMessageIsSentAgain: the desk sees what failed and why, and what
// waits; a registrar sends again what failed, and nobody else does.
func TestAFailedMessageIsSentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	me, other := w.staff[access.Registrar], w.neighbour(t)
	page := w.get(t, me, "/desk/messages").body
	if strings.Count(page, "<tr><th scope=\"row\">") != 1 || !strings.Contains(page, "hooks.soundandsignal.example") || !strings.Contains(page, "the webhook answered 503") || strings.Contains(page, "/changes") {
		t.Fatalf("what failed is not on the page, or more of it than it should be\n%s", page)
	}
	waiting := w.get(t, me, "/desk/messages?show=waiting").body
	if !strings.Contains(waiting, "people@soundandsignal.example") || !strings.Contains(waiting, "No mail server is set up.") || !strings.Contains(waiting, "1 attempt") {
		t.Errorf("what waits\n%s", waiting)
	}
	send := regexp.MustCompile(`action="(/desk/messages/msg_[a-z0-9]+/send)"`).FindStringSubmatch(page)
	if send == nil {
		t.Fatal("there is no button")
	}
	if page := w.get(t, w.staff[access.Administrator], "/desk/messages").body; !strings.Contains(page, "answered 503") || strings.Contains(page, send[1]) {
		t.Error("an administrator does not see it, or is offered to send it")
	}
	for who, want := range map[string]int{w.staff[access.Administrator]: http.StatusForbidden, w.staff[access.Assessor]: http.StatusForbidden, w.student: http.StatusForbidden, "": http.StatusUnauthorized, other: http.StatusNotFound} {
		if a := w.post(t, who, send[1], nil); a.StatusCode != want {
			t.Errorf("%d, want %d", a.StatusCode, want)
		}
	}
	r := w.request(t, http.MethodPost, me, send[1], nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if a := w.send(t, r); a.StatusCode != http.StatusForbidden {
		t.Errorf("from another site: %d", a.StatusCode)
	}
	if a := w.get(t, w.staff[access.Assessor], "/desk/messages"); a.StatusCode != http.StatusForbidden {
		t.Errorf("an assessor reads: %d", a.StatusCode)
	}
	if page := w.get(t, other, "/desk/messages?show=all").body; strings.Contains(page, "soundandsignal") {
		t.Error("another institution's messages")
	}
	a := w.post(t, me, send[1], nil)
	if a.StatusCode != http.StatusSeeOther || !strings.Contains(w.get(t, me, a.Header.Get("Location")).body, "It is sent again now.") {
		t.Errorf("send: %d %s", a.StatusCode, a.body)
	}
	if a := w.post(t, me, send[1], nil); a.StatusCode != http.StatusConflict || !strings.Contains(a.body, "Only a message that failed") {
		t.Errorf("send once more: %d", a.StatusCode)
	}
}

// TestWhoWasShownWhatIsRevoked: who opened it stands on the form before it is
// revoked, and in the report afterwards, as a page and as a file.
func TestWhoWasShownWhatIsRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	me := w.staff[access.Registrar]
	w.post(t, me, "/desk/holds/"+string(w.hold.ID)+"/lift", url.Values{"reason": {"Returned"}})
	if a := w.post(t, "", path(w.open), url.Values{"name": {"Dana <b>Reyes</b>"}}); a.StatusCode != http.StatusOK {
		t.Fatalf("open: %d", a.StatusCode)
	}
	of := "/desk/credentials/" + w.badge
	for _, p := range []string{of + "/revoke", of + "/suspend", of + "/reissue", of + "/views"} {
		if a := w.get(t, me, p); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "Dana &lt;b&gt;Reyes") {
			t.Errorf("%s does not say who was shown it: %d\n%s", p, a.StatusCode, a.body)
		}
	}
	a := w.post(t, me, of+"/revoke", url.Values{"cause": {"issued_in_error"}, "reason": {"Wrong learner"}})
	to := a.Header.Get("Location")
	if page := w.get(t, me, to).body; a.StatusCode != http.StatusSeeOther || !strings.Contains(page, "The credential is revoked.") || !strings.Contains(page, "Dana &lt;b&gt;Reyes") {
		t.Errorf("afterwards: %d %s\n%s", a.StatusCode, to, page)
	}
	if f := w.get(t, me, of+"/views.csv"); f.StatusCode != http.StatusOK || strings.Count(f.body, "\n") != 3 || !strings.Contains(f.body, "Dana <b>Reyes</b>") {
		t.Errorf("as a file: %d\n%s", f.StatusCode, f.body)
	}
	for who, want := range map[string]int{w.staff[access.Assessor]: http.StatusForbidden, w.student: http.StatusForbidden, w.neighbour(t): http.StatusNotFound} {
		for _, p := range []string{of + "/views", of + "/views.csv"} {
			if a := w.get(t, who, p); a.StatusCode != want || strings.Contains(a.body, "Reyes") {
				t.Errorf("%s: %d, want %d", p, a.StatusCode, want)
			}
		}
	}
}

// TestTheHoldsOfTheInstitution: every hold with its reason and the orders that it
// stops, by state, reason and payment period, to who may read them.
func TestTheHoldsOfTheInstitution(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	me := w.staff[access.Registrar]
	lift := "/desk/holds/" + string(w.hold.ID) + "/lift"
	page := w.get(t, me, "/desk/holds").body
	for _, say := range []string{w.learner.DisplayName, "The learner has to do something first", "borrowed camera", "Graduate School", lift} {
		if !strings.Contains(page, say) {
			t.Errorf("the list does not say %q\n%s", say, page)
		}
	}
	if page := w.get(t, w.staff[access.Administrator], "/desk/holds").body; !strings.Contains(page, w.learner.DisplayName) || strings.Contains(page, lift) {
		t.Error("an administrator does not see it, or is offered to lift it")
	}
	for path, listed := range map[string]bool{"?reason=requested_action": true, "?reason=financial": false, "?term=Fall+2026": true, "?show=lifted": false, "?show=all": true} {
		if strings.Contains(w.get(t, me, "/desk/holds"+path).body, "borrowed camera") != listed {
			t.Errorf("%s: listed %v", path, !listed)
		}
	}
	if page := w.get(t, me, "/desk/holds?show=nothing").body; !strings.Contains(page, "borrowed camera") {
		t.Error("what is shown when no state is asked for")
	}
	if a := w.get(t, w.staff[access.Assessor], "/desk/holds"); a.StatusCode != http.StatusForbidden {
		t.Errorf("an assessor: %d", a.StatusCode)
	}
	if page := w.get(t, w.neighbour(t), "/desk/holds?show=all").body; strings.Contains(page, "camera") {
		t.Error("another institution's holds")
	}
	w.post(t, me, lift, url.Values{"reason": {"Returned <b>it</b>"}})
	if page := w.get(t, me, "/desk/holds?show=lifted").body; !strings.Contains(page, "Returned &lt;b&gt;it") {
		t.Errorf("after it was lifted\n%s", page)
	}
}
