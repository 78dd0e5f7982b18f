package web_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/degree"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/pgtest"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/rest"
	"github.com/testamur/testamur/internal/session"
	"github.com/testamur/testamur/internal/sharing"
	"github.com/testamur/testamur/internal/testbed"
	"github.com/testamur/testamur/internal/transcript"
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

	order    string              // of the learner, kept back by the hold
	proposal string              // that waits for a decision
	cohort   string              // the job of a graduation that has not begun
	print    transcript.Document // of the record
	checked  string              // the path of the page that checks it

	told    sharing.Made // of one credential, to somebody who may be told of changes
	watch   string       // the path of the page of somebody who is told
	unwatch string       // and of somebody who was
}

// deaf is a webhook that answers nothing but that it is not available.
type deaf struct{}

func (deaf) CheckAddress(string) error { return nil }
func (deaf) Post(context.Context, string, http.Header, []byte) (int, error) {
	return http.StatusServiceUnavailable, nil
}

const student = "ref:" + demo.System + ":S100001"

// made is the world that those of the tests are copies of, in a database of its
// own.
var made struct {
	once sync.Once
	world
	at   string
	drop func() error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if made.drop != nil {
		if err := made.drop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(code)
}

// newWorld is the demonstration, served, for one test alone.
func newWorld(t testing.TB) *world {
	t.Helper()
	made.once.Do(func() {
		at, drop, err := pgtest.Keep()
		made.at, made.drop = testbed.Must(t, at, err), drop
		w := empty(t, testbed.On(t, pgtest.Open(t, made.at, pg.Options{MaxConns: 8})))
		w.fill(t)
		w.DB.Close()
		made.world = *w
	})
	if made.Bed == nil {
		t.Fatal("the world could not be made; see the test that tried")
	}
	w := made.world
	w.Bed = testbed.Over(t, pgtest.Open(t, pgtest.Copy(t, made.at), pg.Options{MaxConns: 8, Tracer: pg.Counter{}}))
	w.Home, w.Neighbour, w.Keys.Master = made.Home, made.Neighbour, made.Keys.Master
	w.serve(t, func(*web.Services) {})
	return &w
}

// fill loads the demonstration and puts something on each page.
func (w *world) fill(t testing.TB) {
	t.Helper()
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
	_, err = w.Shares.Open(ctx, access.Anonymous(), sharing.Opening{Token: w.open.Link[strings.LastIndexByte(w.open.Link, '/')+1:], Name: "Harbour Library", Purpose: "Research", From: netip.MustParseAddr("192.0.2.9")})
	testbed.Must(t, w.open, err)
	h, err := w.Holds.Place(ctx, w.Registrar(), release.Placement{LearnerID: student, Reason: release.RequestedAction, Note: "Please return the borrowed camera to the media desk."})
	w.hold = testbed.Must(t, h, err)
	_, err = w.Disclosures.Record(ctx, w.Registrar(), disclosure.Manual{LearnerID: student, Party: "Harbour State University", Purpose: "Admission", Basis: disclosure.ForTransfer, Items: []string{"Official transcript"}})
	if err != nil {
		t.Fatal(err)
	}
	bad := "learner_id,given_name,family_name,email\nS900001,Ana,Ruiz,ana.ruiz@students.aldersound.example\nS900002,Bo,Lind,not an address\nS900003,,,\n"
	w.job = w.Import(t, exchange.Learners, []byte(bad), exchange.Options{System: demo.System}).ID
	me := access.Actor{ID: string(l.ID), InstitutionID: string(w.Home.ID), Roles: []access.Role{access.Learner}, LearnerID: string(l.ID)}
	o, err := w.Shares.Order(ctx, me, sharing.Wanted{LearnerID: string(l.ID), Recipient: "Graduate School", Purpose: "Admission"})
	w.order = testbed.Must(t, o, err).Order.ID
	w.enrolled(t)
}

// enrolled has the degree program, what its rules propose, and a graduation that
// waits to be run.
func (w *world) enrolled(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	w.Degree(t)
	if _, err := w.Programs.Reconcile(ctx, w.As(access.System)); err != nil {
		t.Fatal(err)
	}
	all, err := w.Programs.Proposals(ctx, w.Registrar(), program.ProposalFilter{}, page.Args{})
	if len(testbed.Must(t, all, err).Nodes) == 0 {
		t.Fatal("the rules of the program propose nothing")
	}
	w.proposal = string(all.Nodes[0].ID)
	j, err := w.Exchange.Graduate(ctx, w.Registrar(), nil, exchange.Cohort{Learners: []string{"S100003", "S100004", "S999999"}, System: demo.System})
	w.cohort = testbed.Must(t, j, err).ID
	d, err := w.Documents.Make(ctx, w.Registrar(), nil, transcript.Making{RecordID: string(w.record.ID), Recipient: "Harbour State University"})
	w.print = testbed.Must(t, d, err)
	at, err := w.Documents.Address(ctx, w.Registrar(), string(d.ID))
	w.checked = strings.TrimPrefix(testbed.Must(t, at, err), testbed.Origin)
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
	w.watched(t, items[0])
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

// watched has a link whose recipient is told of changes: by a webhook that fails
// for good, by one that is tried again, by mail that waits; and one that was ended.
func (w *world) watched(t testing.TB, item credential.ID) {
	t.Helper()
	ctx := context.Background()
	me := access.Actor{ID: string(w.learner.ID), InstitutionID: string(w.Home.ID), Roles: []access.Role{access.Learner}, LearnerID: string(w.learner.ID)}
	early, days, now, hooks := w.Shares, 9, w.Shares.Now, w.Shares.Webhooks
	early.Now, early.Webhooks = func() time.Time { return now().AddDate(0, 0, -days) }, deaf{}
	defer func() { early.Now, early.Webhooks = now, hooks }()
	made, err := early.Create(ctx, me, sharing.Offer{LearnerID: string(w.learner.ID), Items: []sharing.Item{{CredentialID: string(item)}},
		Recipient: "Sound & Signal", Address: "people@soundandsignal.example", Purpose: "Application for a position", Notify: true})
	w.told = testbed.Must(t, made, err)
	from := netip.MustParseAddr("192.0.2.7")
	by := func(webhook string) sharing.Watched {
		t.Helper()
		x, err := early.Watch(ctx, access.Anonymous(), sharing.Watching{Token: w.told.Link, Webhook: webhook, From: from})
		return testbed.Must(t, x, err)
	}
	ended := by("https://old.soundandsignal.example/changes")
	inPath := strings.NewReplacer("whsec_", "/w/", "+", "-", "/", "_")
	w.unwatch = inPath.Replace(*ended.Secret)
	if _, err := early.EndWatch(ctx, access.Anonymous(), sharing.Ending{Secret: *ended.Secret, From: from}); err != nil {
		t.Fatal(err)
	}
	w.watch = inPath.Replace(*by("https://hooks.soundandsignal.example/changes").Secret)
	for days = 9; days > 0; days-- {
		if _, err := early.Deliver(ctx, w.As(access.System)); err != nil {
			t.Fatal(err)
		}
	}
	by("")
	by("https://new.soundandsignal.example/changes")
	if _, err := early.Deliver(ctx, w.As(access.System)); err != nil {
		t.Fatal(err)
	}
}

// path is the path of a link.
func path(m sharing.Made) string { return strings.TrimPrefix(m.Link, testbed.Origin) }

// empty is the pages over an institution with staff and nothing else.
func empty(t testing.TB, b *testbed.Bed) *world {
	t.Helper()
	w := &world{Bed: b, staff: map[access.Role]string{}}
	ctx := context.Background()
	for _, m := range demo.Staff() {
		st, err := w.Institutions.AddStaff(ctx, w.As(access.System), institution.NewStaff{Name: m.Name, Email: m.Email, Roles: []access.Role{m.Role}})
		if err != nil {
			t.Fatal(err)
		}
		w.staff[m.Role] = w.enter(t, session.Person{StaffID: st.ID})
	}
	return w
}

// serve serves the pages as they are wired in the service.
func (w *world) serve(t testing.TB, change func(*web.Services)) {
	t.Helper()
	s := web.Services{Institutions: w.Institutions, Learners: w.Learners, Sessions: w.Sessions, Consents: w.Consents, Disclosures: w.Disclosures, Holds: w.Holds,
		Frameworks: w.Frameworks, Courses: w.Courses, Achievements: w.Achievements, Assertions: w.Assertions, Mastery: w.Mastery, Programs: w.Programs, Keys: w.Keys,
		Credentials: w.Credentials, Records: w.Records, Documents: w.Documents, Verifier: w.Verifier, Deposits: w.Deposits, Exchange: w.Exchange, Shares: w.Shares, Audit: w.Audit,
		Choose: true, Origin: "http://localhost", Version: "1.0", Now: w.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	change(&s)
	h, err := web.NewHandler(s)
	if err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(w.beside(h, s))
	t.Cleanup(w.server.Close)
}

// beside is the pages with the plain endpoints that they lead to, as the service
// has both.
func (w *world) beside(pages *web.Pages, s web.Services) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", rest.NewHandler(rest.Services{Institutions: w.Institutions, Learners: w.Learners, Achievements: w.Achievements, Keys: w.Keys, Credentials: w.Credentials, Holds: w.Holds,
		Exchange: w.Exchange, Disclosures: w.Disclosures, Extracts: w.Extracts, Deposits: w.Deposits, Shares: w.Shares, Frameworks: w.Frameworks, Documents: w.Documents,
		Origin: s.Origin, Version: s.Version, Now: s.Now, Ready: w.DB.Pool.Ping, Log: s.Log, Browser: web.Browser(w.Sessions, s.Origin), Page: pages.Refuse, Language: web.Language,
		Actor: func(*http.Request) (access.Actor, error) { return access.Anonymous(), nil }}))
	for _, pattern := range append(web.Roots(), "/s/{token}") {
		mux.Handle(pattern, pages)
	}
	return mux
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

// plain are the pages beside those of this package, in English alone: pictures,
// and what stands behind the code on a print.
func (w *world) plain() []place {
	registrar, designer := w.staff[access.Registrar], w.staff[access.Designer]
	return []place{
		{"paper", "", w.checked}, {"paper-unknown", "", "/v/nothing"}, {"nowhere", "", "/nowhere"},
		{"record-alone", registrar, "/records/" + string(w.record.ID) + "/transcript.html"},
		{"picture-competencies", w.student, "/pictures/learners/" + string(w.learner.ID) + "/competencies"},
		{"picture-progress", w.student, "/pictures/learners/" + string(w.learner.ID) + "/programs/" + degree.Code + "/progress"},
		{"picture-cohort", designer, "/pictures/programs/" + degree.Code + "/cohort"},
		{"picture-coverage", designer, "/pictures/frameworks/" + demo.Framework() + "/coverage"},
	}
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
		{"start", "", "/"}, {"sign-in", "", "/sign-in"}, {"verify", "", "/verify"}, {"not-found", "", "/desk/nothing"},
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
		{"holds", registrar, "/desk/holds"}, {"credential-views", registrar, "/desk/credentials/" + w.badge + "/views"}, {"messages", registrar, "/desk/messages"}, {"messages-all", registrar, "/desk/messages?show=all"},
		{"watch", "", w.watch}, {"watch-ended", "", w.unwatch},
		{"shared", "", path(w.share)}, {"my-shares", w.student, "/me/shares"}, {"my-share", w.student, "/me/shares/" + string(w.share.Share.ID)},
		{"my-share-new", w.student, "/me/shares/new"}, {"my-share-end", w.student, "/me/shares/" + string(w.share.Share.ID) + "/end"},
		{"disclosures", registrar, "/desk/disclosures"}, {"disclosure-new", registrar, "/desk/disclosures/new"},
		{"institution", admin, "/desk/institution"}, {"institution-profile", admin, "/desk/institution/profile"}, {"key-rotate", admin, "/desk/institution/keys/rotate"}, {"key-withdraw", admin, "/desk/institution/keys/" + w.print.KeyID + "/withdraw"},
		{"curriculum", designer, "/curriculum"}, {"framework", designer, "/curriculum/frameworks/" + case1}, {"map", designer, "/curriculum/frameworks/" + case1 + "/map"},
		{"me", w.student, "/me"}, {"my-competencies", w.student, "/me/competencies"}, {"my-competency", w.student, "/me/competencies/" + string(held[0].ItemID)},
		{"my-credential", w.student, "/me/credentials/" + w.badge}, {"my-privacy", w.student, "/me/privacy"}, {"my-directory", w.student, "/me/directory"},
	}
	mine := "/curriculum/programs/" + degree.Code
	return append(all, []place{
		{"print-new", registrar, "/desk/records/" + string(w.record.ID) + "/print"}, {"print-withdraw", registrar, "/desk/documents/" + string(w.print.ID) + "/revoke"},
		{"my-record", w.student, "/me/records/" + string(w.record.ID)}, {"my-print-new", w.student, "/me/records/" + string(w.record.ID) + "/print"},
		{"proposals", registrar, "/desk/proposals"}, {"proposal-accept", registrar, "/desk/proposals/" + w.proposal + "/accept"}, {"proposal-decline", registrar, "/desk/proposals/" + w.proposal + "/decline"},
		{"graduation-new", registrar, "/desk/graduation"}, {"graduation", registrar, "/desk/imports/" + w.cohort},
		{"orders", registrar, "/desk/orders"}, {"order-new", registrar, of + "/order"}, {"order-cancel", registrar, "/desk/orders/" + w.order + "/cancel"}, {"order-met", registrar, "/desk/orders/" + w.order + "/met"},
		{"my-orders", w.student, "/me/orders"}, {"my-order-new", w.student, "/me/orders/new"}, {"my-share-renew", w.student, "/me/shares/" + string(w.share.Share.ID) + "/renew"},
		{"brought", w.student, "/me/brought"},
		{"program", designer, mine}, {"cohort", designer, mine + "/cohort"},
	}...)
}
