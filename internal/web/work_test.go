package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/testbed"
)

// TestAPrintIsMadeCheckedAndWithdrawn is scenario 7 on the pages: whoever holds the
// paper is told whether it stands, before and after it was withdrawn.
func TestAPrintIsMadeCheckedAndWithdrawn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	me, of := w.staff[access.Registrar], "/desk/records/"+string(w.record.ID)
	if a := w.post(t, me, of+"/print", url.Values{"paper": {"a4"}, "recipient": {"Harbour <i>Analytics</i>"}}); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("make: %d\n%s", a.StatusCode, a.body)
	}
	page := w.get(t, me, of).body
	if !strings.Contains(page, "Harbour &lt;i&gt;Analytics") || strings.Count(page, "/document.pdf") != 2 {
		t.Errorf("the prints are not on the page\n%s", page)
	}
	if a := w.get(t, me, "/documents/"+string(w.print.ID)+"/document.pdf"); a.StatusCode != http.StatusOK || !strings.HasPrefix(a.body, "%PDF-") {
		t.Errorf("the PDF: %d", a.StatusCode)
	}
	to := w.get(t, me, "/desk/documents/"+string(w.print.ID)+"/check").Header.Get("Location")
	if !strings.HasSuffix(to, w.checked) {
		t.Errorf("its page is at %s, want %s", to, w.checked)
	}
	if a := w.get(t, "", w.checked); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "is current") || strings.Contains(a.body, w.learner.DisplayName) {
		t.Errorf("checked by a stranger: %d\n%s", a.StatusCode, a.body)
	}
	r := w.request(t, http.MethodGet, "", w.checked, nil)
	r.Header.Set("Accept-Language", "es-MX")
	if a := w.send(t, r); !strings.Contains(a.body, `<html lang="es">`) || !strings.Contains(a.body, "Este documento está vigente.") || !strings.Contains(a.body, "se hizo el") || strings.Contains(a.body, "This") || a.Header.Get("Content-Language") != "es" {
		t.Errorf("in Spanish: %v\n%s", a.Header, a.body)
	}
	if a := w.post(t, w.staff[access.Assessor], "/desk/documents/"+string(w.print.ID)+"/revoke", url.Values{"reason": {"Lost"}}); a.StatusCode != http.StatusForbidden {
		t.Errorf("an assessor withdraws: %d", a.StatusCode)
	}
	if a := w.post(t, me, "/desk/documents/"+string(w.print.ID)+"/revoke", url.Values{"reason": {"Lost"}}); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("withdraw: %d\n%s", a.StatusCode, a.body)
	}
	if a := w.get(t, "", w.checked); strings.Contains(a.body, "is current") || !strings.Contains(a.body, "revoked") {
		t.Errorf("after it was withdrawn\n%s", a.body)
	}
	mine := "/me/records/" + string(w.record.ID)
	if a := w.post(t, w.student, mine+"/print", url.Values{"paper": {"letter"}}); a.StatusCode != http.StatusForbidden || !strings.Contains(a.body, "holds this back") {
		t.Errorf("a learner on hold: %d", a.StatusCode)
	}
}

// TestACohortGraduates is scenario 2 on the pages: started by numbers, its
// progress and the rows that were refused are on the job's page, and once more
// changes nothing.
func TestACohortGraduates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	me := w.staff[access.Registrar]
	for _, want := range []string{"2</dd>", "0</dd>"} { // records that are new
		a := w.post(t, me, "/desk/graduation", url.Values{"learnerIds": {"S100003\r\nS100004\r\nS999999"}, "system": {demo.System}, "type": {"full"}})
		at, _, _ := strings.Cut(a.Header.Get("Location"), "?")
		if a.StatusCode != http.StatusSeeOther {
			t.Fatalf("start: %d\n%s", a.StatusCode, a.body)
		}
		if page := w.get(t, me, at).body; !strings.Contains(page, "Waiting") || !strings.Contains(page, `data-again="1000"`) || !strings.Contains(page, `http-equiv="refresh"`) {
			t.Errorf("before it has begun\n%s", page)
		}
		if err := w.Exchange.Run(t.Context(), w.As(access.System), strings.TrimPrefix(at, "/desk/imports/")); err != nil {
			t.Fatal(err)
		}
		page := w.get(t, me, at).body
		if !strings.Contains(page, "<dt>Added</dt><dd>"+want) || !strings.Contains(page, "S999999") || strings.Contains(page, "data-again") || !strings.Contains(page, "Done, with refusals") {
			t.Errorf("when it is done, %s new\n%s", want, page)
		}
	}
	if a := w.post(t, me, "/desk/graduation", url.Values{"system": {demo.System}, "type": {"full"}}); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "Say whose records") || !strings.Contains(a.body, `aria-invalid="true"`) {
		t.Errorf("of nobody: %d", a.StatusCode)
	}
	if a := w.get(t, w.staff[access.Designer], "/desk/graduation"); a.StatusCode != http.StatusForbidden {
		t.Errorf("a designer graduates: %d", a.StatusCode)
	}
}

// TestAProposalIsDecided: what follows from the rules of a program waits for a
// person who may decide it.
func TestAProposalIsDecided(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	me := w.staff[access.Registrar]
	ids := regexp.MustCompile(`/desk/proposals/(app_[a-z0-9]+)/accept`).FindAllStringSubmatch(w.get(t, me, "/desk/proposals").body, -1)
	if len(ids) < 2 {
		t.Fatal("fewer than two proposals are on the page")
	}
	first, second := "/desk/proposals/"+ids[0][1], "/desk/proposals/"+ids[1][1]
	if page := w.get(t, w.staff[access.Designer], "/desk/proposals").body; strings.Contains(page, first) || !strings.Contains(page, "Proposals") {
		t.Error("a designer is offered to decide")
	}
	if a := w.post(t, w.staff[access.Designer], first+"/accept", nil); a.StatusCode != http.StatusForbidden {
		t.Errorf("a designer accepts: %d", a.StatusCode)
	}
	if a := w.post(t, me, first+"/accept", url.Values{"note": {"Seen"}}); a.StatusCode != http.StatusSeeOther {
		t.Errorf("accept: %d\n%s", a.StatusCode, a.body)
	}
	if a := w.post(t, me, second+"/decline", url.Values{"reason": {""}}); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, `href="#f-reason"`) {
		t.Errorf("declined without a reason: %d", a.StatusCode)
	}
	if a := w.post(t, me, second+"/decline", url.Values{"reason": {"<b>Not</b> yet"}}); a.StatusCode != http.StatusSeeOther {
		t.Errorf("decline: %d", a.StatusCode)
	}
	if a := w.post(t, me, second+"/accept", nil); a.StatusCode != http.StatusConflict {
		t.Errorf("decided twice: %d", a.StatusCode)
	}
	if page := w.get(t, me, "/desk/proposals?show=decided").body; !strings.Contains(page, "Seen") || !strings.Contains(page, "&lt;b&gt;Not") {
		t.Errorf("what was decided is not told\n%s", page)
	}
}

// TestAnImportTellsEachRow is scenario 1 on the pages: sent in chunks, read, and
// each refused row with its line, column, value and reason.
func TestAnImportTellsEachRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	me := w.staff[access.Registrar]
	rows := "learner_id,given_name,family_name,email\nS910001,Ana,<script>alert(1)</script>,ana@students.aldersound.example\nS910002,Bo,Lind,not an address\n"
	a := w.upload(t, me, "/desk/imports/new", [][2]string{{"kind", string(exchange.Learners)}, {"system", demo.System}, {"policy", exchange.RejectFailedRows}}, "learners.csv", rows)
	at, _, _ := strings.Cut(a.Header.Get("Location"), "?")
	if a.StatusCode != http.StatusSeeOther {
		t.Fatalf("send: %d\n%s", a.StatusCode, a.body)
	}
	if err := w.Exchange.Run(t.Context(), w.As(access.System), strings.TrimPrefix(at, "/desk/imports/")); err != nil {
		t.Fatal(err)
	}
	page := w.get(t, me, at).body
	for _, want := range []string{">3</th>", `data-l="Column">email`, "not an address", "Download as CSV"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q\n%s", want, page)
		}
	}
	if a := w.get(t, me, at+"/errors.csv"); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "not an address") {
		t.Errorf("the file of errors: %d %s", a.StatusCode, a.body)
	}
	if a := w.upload(t, me, "/desk/imports/new", [][2]string{{"kind", "NONSENSE"}}, "x.csv", rows); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "Say what the file holds") {
		t.Errorf("of no kind: %d", a.StatusCode)
	}
}

// TestAVersionTellsWhatChanged: the page of a record says in what it differs from
// the version before it, and a designer sees how far the cohort is.
func TestAVersionTellsWhatChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	of := "/desk/learners/" + string(w.learner.ID)
	w.post(t, w.staff[access.Registrar], of+"/name", url.Values{"displayName": {"Umar Ashdown"}, "reason": {"Marriage"}})
	if a := w.post(t, w.staff[access.Registrar], of+"/assemble", url.Values{"type": {"full"}}); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("assemble: %d\n%s", a.StatusCode, a.body)
	}
	next := regexp.MustCompile(`/desk/records/rec_[a-z0-9]+`).FindString(w.get(t, w.staff[access.Registrar], of).body)
	if page := w.get(t, w.staff[access.Registrar], next).body; !strings.Contains(page, "name is now Umar Ashdown") || strings.Contains(page, w.learner.DisplayName) {
		t.Errorf("what changed is not told\n%s", page)
	}
	page := w.get(t, w.staff[access.Designer], "/curriculum/programs/BAS-DA/cohort").body
	if strings.Count(page, "<progress") != 50 || !strings.Contains(page, "?after=lrn_") || strings.Contains(page, "/desk/graduation") {
		t.Errorf("the cohort: %d learners", strings.Count(page, "<progress"))
	}
}

// TestAnOrderWaitsForAHold is scenario 6 on the pages: what a learner orders waits
// among the exceptions with its reason, and goes out when the hold is lifted.
func TestAnOrderWaitsForAHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	me := w.staff[access.Registrar]
	a := w.post(t, w.student, "/me/orders/new", url.Values{"type": {"full"}, "recipient": {"<b>Harbour</b> College"}, "purpose": {"Transfer"}, "wait": {"now"}})
	if a.StatusCode != http.StatusSeeOther {
		t.Fatalf("order: %d\n%s", a.StatusCode, a.body)
	}
	page := w.get(t, me, "/desk/orders").body
	if !strings.Contains(page, "&lt;b&gt;Harbour") || !strings.Contains(page, "Kept back") || !strings.Contains(page, "The learner has to do something first") || !strings.Contains(page, "/desk/holds/"+string(w.hold.ID)+"/lift") {
		t.Errorf("the exceptions\n%s", page)
	}
	if a := w.post(t, w.student, "/me/orders/"+w.order+"/cancel", nil); a.StatusCode != http.StatusSeeOther {
		t.Errorf("take back: %d", a.StatusCode)
	}
	w.post(t, me, "/desk/holds/"+string(w.hold.ID)+"/lift", url.Values{"reason": {"Returned"}})
	if n, err := w.Shares.SettleFor(t.Context(), w.As(access.System), w.learner.ID); n != 1 || err != nil {
		t.Errorf("%d went out: %v", n, err)
	}
	if page := w.get(t, me, "/desk/orders").body; !strings.Contains(page, "Nothing is kept back") {
		t.Error("an exception is left")
	}
	page = w.get(t, w.student, "/me/orders").body
	share := regexp.MustCompile(`/me/shares/shr_[a-z0-9]+`).FindString(page)
	if !strings.Contains(page, "Gone out") || share == "" || strings.Count(page, "Taken back") != 1 {
		t.Errorf("the learner's orders\n%s", page)
	}
	if a := w.post(t, w.student, share+"/renew", nil); a.StatusCode != http.StatusOK || !strings.Contains(a.body, `id="link"`) {
		t.Errorf("its link: %d", a.StatusCode)
	}
	a = w.post(t, me, "/desk/learners/"+string(w.learner.ID)+"/order", url.Values{"type": {"full"}, "recipient": {"Harbour"}, "purpose": {"Transfer"}, "wait": {"now"}, "method": {"signature"}, "signedOn": {"2026-11-20"}})
	if a.StatusCode != http.StatusOK || !strings.Contains(a.body, "/s/") {
		t.Errorf("ordered at the desk: %d\n%s", a.StatusCode, a.body)
	}
	if a := w.post(t, w.student, "/me/orders/new", url.Values{"wait": {"date"}, "recipient": {"x"}, "purpose": {"x"}}); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, `href="#f-waitOn"`) {
		t.Errorf("a wait without a day: %d", a.StatusCode)
	}
	if a := w.get(t, w.staff[access.Assessor], "/desk/orders"); a.StatusCode != http.StatusForbidden {
		t.Errorf("an assessor looks at orders: %d", a.StatusCode)
	}
}

// TestAKeyIsWithdrawn: what a key signed since does not verify, for an
// administrator alone to say.
func TestAKeyIsWithdrawn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	keys, err := w.Keys.List(t.Context(), w.Registrar())
	key := ""
	for _, k := range testbed.Must(t, keys, err) {
		if k.Algorithm == keyring.Ed25519 {
			key = k.ID
		}
	}
	at := "/desk/institution/keys/" + key + "/withdraw"
	if a := w.post(t, w.staff[access.Registrar], at, nil); a.StatusCode != http.StatusForbidden {
		t.Errorf("a registrar withdraws a key: %d", a.StatusCode)
	}
	if a := w.post(t, w.staff[access.Administrator], at, url.Values{"from": {"2031-01-01"}}); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, `href="#f-from"`) {
		t.Errorf("from a day to come: %d", a.StatusCode)
	}
	badge := w.document(t, w.badge)
	if a := w.post(t, w.staff[access.Administrator], at, nil); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("withdraw: %d\n%s", a.StatusCode, a.body)
	}
	if page := w.get(t, w.staff[access.Administrator], "/desk/institution").body; !strings.Contains(page, "Compromised") || strings.Contains(page, at) {
		t.Errorf("the keys\n%s", page)
	}
	if a := w.bring(t, map[string][]byte{"badge.json": badge}); !strings.Contains(a.body, "Do not rely on this") {
		t.Error("what it signed still holds")
	}
}

// TestALearnerBringsACredential of another issuer: it is kept byte for byte, and
// what is not the learner's is refused with the reason.
func TestALearnerBringsACredential(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), testbed.NewAbroad(1)
	mine := other.Signed(t, other.Badge(1, "urn:uuid:00000000-0000-4000-8000-0000000000fe", openbadges.NewIdentity("emailAddress", *w.learner.Email, "salt")))
	theirs := other.Signed(t, other.Badge(2, "urn:uuid:00000000-0000-4000-8000-0000000000ff", openbadges.NewIdentity("emailAddress", "somebody@else.example", "salt")))
	if a := w.upload(t, w.student, "/me/brought", nil, "badge.json", string(mine)); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("bring: %d\n%s", a.StatusCode, a.body)
	}
	page := w.get(t, w.student, "/me/brought").body
	at := regexp.MustCompile(`/me/brought/dep_[a-z0-9]+/file`).FindString(page)
	if a := w.get(t, w.student, at); a.body != string(mine) || !strings.HasPrefix(a.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("its file at %q is another\n%s", at, page)
	}
	if a := w.upload(t, w.student, "/me/brought", nil, "badge.json", string(theirs)); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, `id="wrong"`) {
		t.Errorf("somebody else's: %d", a.StatusCode)
	}
	if a := w.upload(t, w.student, "/me/brought", nil, "badge.json", string(w.document(t, w.badge))); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "issued this credential itself") && !strings.Contains(a.body, "This institution") {
		t.Errorf("the institution's own: %d\n%s", a.StatusCode, a.body)
	}
	if a := w.upload(t, w.staff[access.Registrar], "/me/brought", nil, "badge.json", string(mine)); a.StatusCode != http.StatusForbidden {
		t.Errorf("a registrar brings: %d", a.StatusCode)
	}
}
