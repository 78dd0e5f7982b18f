package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

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
