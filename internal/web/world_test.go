package web_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/session"
	"github.com/testamur/testamur/internal/sharing"
	"github.com/testamur/testamur/internal/testbed"
	"github.com/testamur/testamur/internal/web"
)

// world is the pages over the demonstration, with something on each of them.
type world struct {
	*testbed.Bed
	server  *httptest.Server
	staff   map[access.Role]string // cookies
	learner learner.Learner
	student string // the cookie of the learner
	record  record.Record
	badge   string // id of a credential of the learner
	job     string // of an import with refused rows
	hold    release.Hold
	fix     record.Correction // waits for approval
	share   sharing.Made      // of two credentials, with a PIN
	open    sharing.Made      // of the record, for whoever has the link
}

const student = "ref:" + demo.System + ":S100001"

// newWorld is the demonstration, served.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := empty(t)
	ctx := context.Background()
	w.Load(t)
	l, err := w.Learners.Find(ctx, w.Registrar(), student)
	w.learner = testbed.Must(t, l, err)
	r, err := w.Records.Assemble(ctx, w.Registrar(), nil, student)
	w.record = testbed.Must(t, r, err)
	items, err := w.Records.ItemsOf(ctx, w.Registrar(), []record.ID{r.ID})
	w.badge = string(testbed.Must(t, items, err)[r.ID][2])
	w.student = w.enter(t, session.Person{LearnerID: string(l.ID)})
	w.shared(t, items[r.ID])
	h, err := w.Holds.Place(ctx, w.Registrar(), release.Placement{LearnerID: student, Reason: release.RequestedAction, Note: "Please return the borrowed camera to the media desk."})
	w.hold = testbed.Must(t, h, err)
	_, err = w.Disclosures.Record(ctx, w.Registrar(), disclosure.Manual{LearnerID: student, Party: "Harbour State University", Purpose: "Admission", Basis: disclosure.ForTransfer, Items: []string{"Official transcript"}})
	if err != nil {
		t.Fatal(err)
	}
	bad := "learner_id,given_name,family_name,email\nS900001,Ana,Ruiz,ana.ruiz@students.aldersound.example\nS900002,Bo,Lind,not an address\nS900003,,,\n"
	w.job = w.Import(t, exchange.Learners, []byte(bad), exchange.Options{System: demo.System}).ID
	programs, err := w.Programs.List(ctx, w.Registrar(), program.Filter{}, page.Args{})
	for _, p := range testbed.Must(t, programs, err).Nodes {
		_, _ = w.Programs.Enrol(ctx, w.Registrar(), program.NewEnrollment{ProgramID: string(p.ID), LearnerID: student})
		break
	}
	return w
}

// shared has links of the learner, and somebody else with a new name.
func (w *world) shared(t testing.TB, items []credential.ID) {
	t.Helper()
	ctx := context.Background()
	me := access.Actor{ID: string(w.learner.ID), InstitutionID: string(w.Home.ID), Roles: []access.Role{access.Learner}, LearnerID: string(w.learner.ID)}
	made, err := w.Shares.Create(ctx, me, sharing.Offer{LearnerID: string(w.learner.ID), Items: []sharing.Item{{CredentialID: string(items[0])}, {CredentialID: string(items[1])}},
		Recipient: "Harbour Analytics", Purpose: "Application for a position", PIN: "482913"})
	w.share = testbed.Must(t, made, err)
	id := string(w.record.ID)
	made, err = w.Shares.Create(ctx, me, sharing.Offer{LearnerID: string(w.learner.ID), RecordID: &id, Purpose: "Portfolio"})
	w.open = testbed.Must(t, made, err)
	const other = "ref:" + demo.System + ":S100002"
	if _, err := w.Records.Assemble(ctx, w.Registrar(), nil, other); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Learners.Rename(ctx, w.Registrar(), other, nil, learner.Renaming{DisplayName: "Robin Ashdown", Reason: "Marriage"}); err != nil {
		t.Fatal(err)
	}
	c, err := w.Records.Propose(ctx, w.Registrar(), record.Affected{Learner: other, Reason: "New name"})
	w.fix = testbed.Must(t, c, err)
}

// path is the path of a link.
func path(m sharing.Made) string { return strings.TrimPrefix(m.Link, testbed.Origin) }

// empty is the pages over an institution with staff and nothing else.
func empty(t testing.TB) *world {
	t.Helper()
	w := &world{Bed: testbed.New(t), staff: map[access.Role]string{}}
	ctx := context.Background()
	for _, m := range demo.Staff() {
		st, err := w.Institutions.AddStaff(ctx, w.As(access.System), institution.NewStaff{Name: m.Name, Email: m.Email, Roles: []access.Role{m.Role}})
		if err != nil {
			t.Fatal(err)
		}
		w.staff[m.Role] = w.enter(t, session.Person{StaffID: st.ID})
	}
	w.serve(t, func(*web.Services) {})
	return w
}

// serve serves the pages as they are wired in the service.
func (w *world) serve(t testing.TB, change func(*web.Services)) {
	t.Helper()
	s := web.Services{Institutions: w.Institutions, Learners: w.Learners, Sessions: w.Sessions, Consents: w.Consents, Disclosures: w.Disclosures, Holds: w.Holds,
		Frameworks: w.Frameworks, Courses: w.Courses, Achievements: w.Achievements, Assertions: w.Assertions, Mastery: w.Mastery, Programs: w.Programs, Keys: w.Keys,
		Credentials: w.Credentials, Records: w.Records, Verifier: w.Verifier, Exchange: w.Exchange, Shares: w.Shares, Audit: w.Audit,
		Choose: true, Origin: "http://localhost", Version: "1.0", Now: w.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	change(&s)
	h, err := web.NewHandler(s)
	if err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(h)
	t.Cleanup(w.server.Close)
}

// enter signs somebody in and gives the cookie.
func (w *world) enter(t testing.TB, p session.Person) string {
	t.Helper()
	cookie, err := w.Sessions.Begin(context.Background(), w.As(access.System), p, session.ByDemonstration)
	return testbed.Must(t, cookie, err)
}

// answer is what came back.
type answer struct {
	*http.Response
	body string
}

// get opens a page with a cookie; post sends a form.
func (w *world) get(t testing.TB, cookie, path string) answer {
	t.Helper()
	return w.send(t, w.request(t, http.MethodGet, cookie, path, nil))
}

func (w *world) post(t testing.TB, cookie, path string, form url.Values) answer {
	t.Helper()
	r := w.request(t, http.MethodPost, cookie, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return w.send(t, r)
}

func (w *world) request(t testing.TB, method, cookie, path string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, w.server.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if cookie != "" {
		r.AddCookie(&http.Cookie{Name: "session", Value: cookie})
	}
	return r
}

func (w *world) send(t testing.TB, r *http.Request) answer {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	a, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	raw, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{a, string(raw)}
}

// place is a page of the world: who opens it, and where it is.
type place struct {
	name   string
	cookie string
	path   string
}

// places are every page there is, each with something on it.
func (w *world) places(t testing.TB) []place {
	t.Helper()
	ctx := context.Background()
	registrar, designer, admin := w.staff[access.Registrar], w.staff[access.Designer], w.staff[access.Administrator]
	lists, err := w.Assertions.OfLearners(ctx, w.Registrar(), []learner.ID{w.learner.ID}, assertion.Filter{}, page.Args{})
	awards := testbed.Must(t, lists, err)[w.learner.ID].Nodes
	frameworks, err := w.Frameworks.List(ctx, w.Registrar(), framework.Filter{}, page.Args{})
	case1 := string(testbed.Must(t, frameworks, err).Nodes[0].ID)
	standings, err := w.Mastery.Standings(ctx, w.Registrar(), []learner.ID{w.learner.ID}, mastery.Filter{}, page.Args{})
	held := testbed.Must(t, standings, err)[w.learner.ID].Nodes
	of := "/desk/learners/" + string(w.learner.ID)
	award := "/desk/awards/" + string(awards[0].ID)
	all := []place{
		{"start", "", "/"}, {"sign-in", "", "/sign-in"}, {"verify", "", "/verify"}, {"not-found", "", "/desk-of-nobody"},
		{"account", registrar, "/account"},
		{"desk", registrar, "/desk"}, {"desk-search", registrar, "/desk?q=um"},
		{"learner", registrar, of}, {"learner-new", registrar, "/desk/learners/new"}, {"learner-name", registrar, of + "/name"},
		{"award", registrar, of + "/award"}, {"assemble", registrar, of + "/assemble"}, {"hold", registrar, of + "/hold"}, {"directory", registrar, of + "/directory"},
		{"hold-lift", registrar, "/desk/holds/" + string(w.hold.ID) + "/lift"},
		{"award-correct", registrar, award + "/correct"}, {"award-withdraw", registrar, award + "/withdraw"}, {"award-sign", registrar, award + "/issue"},
		{"credential-revoke", registrar, "/desk/credentials/" + w.badge + "/revoke"}, {"credential-suspend", registrar, "/desk/credentials/" + w.badge + "/suspend"},
		{"credential-reissue", registrar, "/desk/credentials/" + w.badge + "/reissue"},
		{"record", registrar, "/desk/records/" + string(w.record.ID)},
		{"imports", registrar, "/desk/imports"}, {"import-new", registrar, "/desk/imports/new"}, {"import", registrar, "/desk/imports/" + w.job},
		{"corrections", registrar, "/desk/corrections"}, {"correction", registrar, "/desk/corrections/" + string(w.fix.ID)}, {"correction-new", registrar, of + "/correction"},
		{"shared", "", path(w.share)}, {"my-shares", w.student, "/me/shares"}, {"my-share", w.student, "/me/shares/" + string(w.share.Share.ID)},
		{"my-share-new", w.student, "/me/shares/new"}, {"my-share-end", w.student, "/me/shares/" + string(w.share.Share.ID) + "/end"},
		{"disclosures", registrar, "/desk/disclosures"}, {"disclosure-new", registrar, "/desk/disclosures/new"},
		{"institution", admin, "/desk/institution"}, {"institution-profile", admin, "/desk/institution/profile"}, {"key-rotate", admin, "/desk/institution/keys/rotate"},
		{"curriculum", designer, "/curriculum"}, {"framework", designer, "/curriculum/frameworks/" + case1}, {"map", designer, "/curriculum/frameworks/" + case1 + "/map"},
		{"me", w.student, "/me"}, {"my-competencies", w.student, "/me/competencies"}, {"my-competency", w.student, "/me/competencies/" + string(held[0].ItemID)},
		{"my-credential", w.student, "/me/credentials/" + w.badge}, {"my-privacy", w.student, "/me/privacy"}, {"my-directory", w.student, "/me/directory"},
	}
	programs, err := w.Programs.List(ctx, w.Registrar(), program.Filter{}, page.Args{})
	for _, p := range testbed.Must(t, programs, err).Nodes {
		all = append(all, place{"program", designer, "/curriculum/programs/" + string(p.ID)})
		break
	}
	return all
}
