package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestAnEmployerOpensALink is scenarios 21 and 25 on the pages: what is behind a
// link is shown after a PIN, with five steps; the learner sees the opening, ends
// the link, and it is gone.
func TestAnEmployerOpensALink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := path(w.share)
	if a := w.get(t, "", at); a.StatusCode != http.StatusOK || strings.Contains(a.body, w.learner.DisplayName) || !strings.Contains(a.body, `name="pin"`) {
		t.Errorf("before it is opened: %d", a.StatusCode)
	}
	if a := w.post(t, "", at, url.Values{"pin": {"000000"}, "name": {"Harbour <script>alert(1)</script>"}}); a.StatusCode != http.StatusForbidden || strings.Contains(a.body, w.learner.DisplayName) || strings.Contains(a.body, "<script>alert") {
		t.Errorf("with a wrong PIN: %d", a.StatusCode)
	}
	a := w.post(t, "", at, url.Values{"pin": {"482913"}, "name": {"Dana <b>Reyes</b>"}})
	if a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "does not release") {
		t.Errorf("while the learner is on hold: %d", a.StatusCode)
	}
	if a := w.post(t, w.staff["registrar"], "/desk/holds/"+string(w.hold.ID)+"/lift", url.Values{"reason": {"Returned"}}); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("lift: %d", a.StatusCode)
	}
	a = w.post(t, "", at, url.Values{"pin": {"482913"}, "name": {"Dana <b>Reyes</b>"}})
	if a.StatusCode != http.StatusOK || !strings.Contains(a.body, w.learner.DisplayName) || strings.Count(a.body, `<div class="question">`) != 5 || strings.Count(a.body, `<article class="panel">`) != 2 {
		t.Errorf("opened: %d\n%s", a.StatusCode, a.body)
	}
	whole := w.post(t, "", path(w.open), nil)
	if whole.StatusCode != http.StatusOK || !strings.Contains(whole.body, "Competencies") || strings.Count(whole.body, `<div class="question">`) != 5 {
		t.Errorf("the whole record: %d", whole.StatusCode)
	}
	of := "/me/shares/" + string(w.share.Share.ID)
	if a := w.get(t, w.student, of); !strings.Contains(a.body, "Dana &lt;b&gt;Reyes") || !strings.Contains(a.body, "Refused") {
		t.Error("the learner does not see who opened it")
	}
	if a := w.post(t, w.student, of+"/end", nil); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("end: %d\n%s", a.StatusCode, a.body)
	}
	for _, a := range []answer{w.get(t, "", at), w.post(t, "", at, url.Values{"pin": {"482913"}})} {
		if a.StatusCode != http.StatusGone || strings.Contains(a.body, w.learner.DisplayName) {
			t.Errorf("after it was ended: %d", a.StatusCode)
		}
	}
	if a := w.get(t, "", "/s/nothing"); a.StatusCode != http.StatusNotFound {
		t.Errorf("a link that leads nowhere: %d", a.StatusCode)
	}
}

// TestALearnerMakesALink shares two awards with somebody who is named; what is
// wrong with an offer is said on the page that it was made on.
func TestALearnerMakesALink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.post(t, w.staff["registrar"], "/desk/holds/"+string(w.hold.ID)+"/lift", url.Values{"reason": {"Returned"}})
	a := w.post(t, w.student, "/me/shares/new", url.Values{"item": {w.badge}, "purpose": {"A position"}, "recipient": {"Harbour"}, "pin": {"1234567"}, "maxOpenings": {"3"}})
	if a.StatusCode != http.StatusOK || !strings.Contains(a.body, `id="link"`) {
		t.Fatalf("%d\n%s", a.StatusCode, a.body)
	}
	a = w.post(t, w.student, "/me/shares/new", url.Values{"item": {w.badge}, "purpose": {"A position"}, "pin": {"12"}})
	if a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "PIN has between") || !strings.Contains(a.body, `value="A position"`) || !strings.Contains(a.body, `value="`+w.badge+`" checked`) {
		t.Errorf("a short PIN: %d", a.StatusCode)
	}
	if a := w.post(t, w.staff["registrar"], "/me/shares/new", url.Values{"item": {w.badge}, "purpose": {"A position"}}); a.StatusCode != http.StatusForbidden {
		t.Errorf("a registrar shares: %d", a.StatusCode)
	}
}

// TestARegistrarApprovesACorrection is scenario 4 on the pages.
func TestARegistrarApprovesACorrection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := "/desk/corrections/" + string(w.fix.ID)
	page := w.get(t, w.staff["registrar"], at).body
	if !strings.Contains(page, "Robin Ashdown") || strings.Count(page, `type="checkbox"`) < 2 {
		t.Errorf("the list is not on the page\n%s", page)
	}
	if a := w.post(t, w.staff["registrar"], at, url.Values{"do": {"approve"}}); a.StatusCode != http.StatusBadRequest {
		t.Errorf("nothing marked: %d", a.StatusCode)
	}
	if a := w.post(t, w.staff["assessor"], at, url.Values{"do": {"approve"}, "position": {"1"}}); a.StatusCode != http.StatusForbidden {
		t.Errorf("an assessor approves: %d", a.StatusCode)
	}
	if a := w.post(t, w.staff["registrar"], at, url.Values{"do": {"approve"}, "position": {"1"}}); a.StatusCode != http.StatusSeeOther {
		t.Errorf("approve: %d\n%s", a.StatusCode, a.body)
	}
	if page := w.get(t, w.staff["registrar"], at).body; strings.Contains(page, `type="checkbox"`) || !strings.Contains(page, "Declined") {
		t.Error("it can be decided twice")
	}
}
