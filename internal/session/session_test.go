package session_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/session"
	"github.com/testamur/testamur/internal/testbed"
)

const callback = "https://records.example/sign-in/back/aldersound"

// house is an institution with one member of staff and one learner.
type house struct {
	*testbed.Bed
	now      time.Time
	system   access.Actor
	staff    institution.Staff
	learner  learner.Learner
	sessions *session.Service
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{Bed: testbed.New(t)}
	h.now, h.system, h.sessions = h.Now(), h.As(access.System), h.Sessions
	h.sessions.Now = func() time.Time { return h.now }
	ctx := context.Background()
	st, err := h.Institutions.AddStaff(ctx, h.system, institution.NewStaff{Name: "Rosa Diaz", Email: "Rosa.Diaz@college.example", Roles: []access.Role{access.Registrar}})
	h.staff = testbed.Must(t, st, err)
	l, err := h.Learners.Define(ctx, h.Registrar(), learner.Definition{DisplayName: "Ada Byron", Identifiers: []learner.Identifier{{Type: "emailAddress", Value: "ada@college.example"}}})
	h.learner = testbed.Must(t, l, err)
	return h
}

func (h *house) begin(t *testing.T, p session.Person) string {
	t.Helper()
	cookie, err := h.sessions.Begin(context.Background(), h.system, p, session.ByOIDC)
	return testbed.Must(t, cookie, err)
}

func (h *house) refused(t *testing.T, cookie, why string) {
	t.Helper()
	if _, err := h.sessions.Authenticate(context.Background(), cookie); fault.KindOf(err) != fault.Unauthenticated {
		t.Errorf("%s: %v", why, err)
	}
}

func TestASessionIsWhoSignedIn(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), context.Background()
	in, err := h.sessions.Authenticate(ctx, h.begin(t, session.Person{StaffID: h.staff.ID}))
	if err != nil || !in.Staff() || in.Actor.ID != h.staff.ID || !in.Actor.Has(access.Registrar) || in.Name != "Rosa Diaz" || in.InstitutionName != h.Home.Name {
		t.Errorf("staff: %+v %v", in, err)
	}
	in, err = h.sessions.Authenticate(ctx, h.begin(t, session.Person{LearnerID: string(h.learner.ID)}))
	if err != nil || in.Staff() || in.Actor.LearnerID != string(h.learner.ID) || len(in.Actor.Roles) != 1 || !in.Actor.Has(access.Learner) {
		t.Errorf("learner: %+v %v", in, err)
	}
	if _, err := h.sessions.Begin(ctx, h.Registrar(), session.Person{StaffID: h.staff.ID}, session.ByOIDC); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a registrar signs somebody in: %v", err)
	}
	if _, err := h.sessions.Begin(ctx, access.SystemOf(string(h.Neighbour.ID), "test"), session.Person{StaffID: h.staff.ID}, session.ByOIDC); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a neighbour signs our staff in: %v", err)
	}
}

func TestASessionEnds(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), context.Background()
	of := session.Person{StaffID: h.staff.ID}
	start := h.now

	idle := h.begin(t, of)
	h.now = start.Add(session.IdleFor)
	h.refused(t, idle, "idle for an hour")

	h.now = start
	busy := h.begin(t, of)
	for h.now.Sub(start) < session.LastsAtMost {
		if _, err := h.sessions.Authenticate(ctx, busy); err != nil {
			t.Fatalf("after %s: %v", h.now.Sub(start), err)
		}
		h.now = h.now.Add(session.IdleFor / 2)
	}
	h.refused(t, busy, "longer than its whole time")

	h.now = start
	one, two := h.begin(t, of), h.begin(t, of)
	if err := h.sessions.End(ctx, one); err != nil {
		t.Fatal(err)
	}
	h.refused(t, one, "ended")
	in, err := h.sessions.Authenticate(ctx, two)
	if err != nil {
		t.Fatalf("the other one ended too: %v", err)
	}
	other := h.begin(t, session.Person{LearnerID: string(h.learner.ID)})
	if n, err := h.sessions.EndAll(ctx, in.Actor); err != nil || n < 1 {
		t.Errorf("EndAll: %d %v", n, err)
	}
	h.refused(t, two, "ended everywhere")
	if _, err := h.sessions.Authenticate(ctx, other); err != nil {
		t.Errorf("somebody else's session ended too: %v", err)
	}

	last := h.begin(t, of)
	if _, err := h.Institutions.DeactivateStaff(ctx, h.system, h.staff.ID); err != nil {
		t.Fatal(err)
	}
	h.refused(t, last, "deactivated")
}

func TestACookieCannotBeMadeUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	cookie := h.begin(t, session.Person{StaffID: h.staff.ID})
	parts := strings.Split(cookie, ".")
	neighbour := strings.TrimPrefix(string(h.Neighbour.ID), "ins_")
	for why, c := range map[string]string{
		"nothing": "", "no parts": "x", "another secret": parts[0] + "." + parts[1] + "." + strings.Repeat("A", 43),
		"another institution": neighbour + "." + parts[1] + "." + parts[2], "a short secret": parts[0] + "." + parts[1] + ".AAAA",
		"a quote": parts[0] + "'." + parts[1] + "." + parts[2], "two secrets": cookie + "." + parts[2],
	} {
		h.refused(t, c, why)
	}
	var kept int
	err := h.DB.Pool.QueryRow(context.Background(), `select count(*) from session`).Scan(&kept)
	if err != nil || kept != 0 {
		t.Errorf("without an actor %d sessions are seen: %v", kept, err)
	}
}

func FuzzAuthenticateReadsAnyCookie(f *testing.F) {
	f.Add("a.b.c")
	f.Add("06h13k64jhrv1c29abhnmdpppw.06h13k6fdssj39yqjwm26msysr.P-3wc2Ymt7IVhHsHi-LpzKT2ls-QJUM9R8i9d93QPjo")
	f.Add("..")
	s := &session.Service{Now: time.Now}
	f.Fuzz(func(t *testing.T, cookie string) {
		if len(cookie) > 20 {
			return // a whole one goes to the database
		}
		if _, err := s.Authenticate(context.Background(), cookie); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("%q: %v", cookie, err)
		}
	})
}

// signIn goes to the provider and comes back.
func (h *house) signIn(t *testing.T, p *provider, learner bool, change func(*session.Attempt)) (session.Session, error) {
	t.Helper()
	ctx := context.Background()
	settings, err := session.ParseSettings([]byte(`[{"institution": "aldersound", "label": "College account", "issuer": "` + p.URL + `", "clientId": "testamur", "clientSecret": "s"}]`))
	if err != nil {
		t.Fatal(err)
	}
	client := &session.Provider{Settings: settings[0], Service: h.sessions, Callback: callback}
	a, address, err := client.Start(ctx, learner, "/desk")
	if err != nil {
		t.Fatal(err)
	}
	answer := p.visit(t, address)
	if change != nil {
		change(&a)
	}
	cookie, err := client.Finish(ctx, h.system, a, answer)
	if err != nil {
		return session.Session{}, err
	}
	return h.sessions.Authenticate(ctx, cookie)
}

func TestSignInByOpenIDConnect(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := newProvider(t, func() time.Time { return h.now })

	p.claims = map[string]any{"email": "rosa.diaz@college.example", "email_verified": true}
	if in, err := h.signIn(t, p, false, nil); err != nil || in.Actor.ID != h.staff.ID {
		t.Errorf("staff by a verified address: %+v %v", in, err)
	}
	p.claims = map[string]any{"email": "ada@college.example", "email_verified": true}
	if in, err := h.signIn(t, p, true, nil); err != nil || in.Actor.LearnerID != string(h.learner.ID) {
		t.Errorf("a learner by an identifier: %+v %v", in, err)
	}
	for name, c := range map[string]struct {
		claims  map[string]any
		learner bool
		change  func(*session.Attempt)
		forge   bool
		want    fault.Kind
	}{
		"an address that is not verified": {map[string]any{"email": "rosa.diaz@college.example", "email_verified": false}, false, nil, false, fault.Forbidden},
		"verified as text":                {map[string]any{"email": "rosa.diaz@college.example", "email_verified": "true"}, false, nil, false, fault.Forbidden},
		"a learner to the desk":           {map[string]any{"email": "ada@college.example", "email_verified": true}, false, nil, false, fault.Forbidden},
		"staff as a learner":              {map[string]any{"email": "rosa.diaz@college.example", "email_verified": true}, true, nil, false, fault.Forbidden},
		"a stranger":                      {map[string]any{"email": "eve@college.example", "email_verified": true}, false, nil, false, fault.Forbidden},
		"no address":                      {map[string]any{}, true, nil, false, fault.Forbidden},
		"a key that is not published":     {map[string]any{"email": "rosa.diaz@college.example", "email_verified": true}, false, nil, true, fault.Forbidden},
		"another state":                   {map[string]any{"email": "rosa.diaz@college.example", "email_verified": true}, false, func(a *session.Attempt) { a.State = "x" }, false, fault.Invalid},
		"asked of another institution":    {map[string]any{"email": "rosa.diaz@college.example", "email_verified": true}, false, func(a *session.Attempt) { a.For = "hillside" }, false, fault.Invalid},
		"no attempt":                      {map[string]any{"email": "rosa.diaz@college.example", "email_verified": true}, false, func(a *session.Attempt) { *a = session.Attempt{} }, false, fault.Invalid},
		"another nonce":                   {map[string]any{"email": "rosa.diaz@college.example", "email_verified": true}, false, func(a *session.Attempt) { a.Nonce = "x" }, false, fault.Invalid},
		"another verifier":                {map[string]any{"email": "rosa.diaz@college.example", "email_verified": true}, false, func(a *session.Attempt) { a.Verifier = "x" }, false, fault.Forbidden},
		"another audience":                {map[string]any{"aud": "somebody", "email": "rosa.diaz@college.example", "email_verified": true}, false, nil, false, fault.Forbidden},
		"an old token":                    {map[string]any{"exp": h.now.Add(-time.Hour).Unix(), "email": "rosa.diaz@college.example", "email_verified": true}, false, nil, false, fault.Forbidden},
	} {
		p.claims, p.forge = c.claims, c.forge
		if _, err := h.signIn(t, p, c.learner, c.change); fault.KindOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func TestSettingsThatCannotWork(t *testing.T) {
	for want, text := range map[string]string{
		"JSON array":      `{}`,
		"needed":          `[{"issuer": "https://id.example", "label": "x", "institution": "y"}]`,
		"https":           `[{"issuer": "http://id.example", "label": "x", "institution": "y", "clientId": "z"}]`,
		"unknown field":   `[{"isuer": "https://id.example"}]`,
		"one already":     `[{"issuer": "https://id.example", "label": "x", "institution": "y", "clientId": "z"}, {"issuer": "https://other.example", "label": "o", "institution": "y", "clientId": "z"}]`,
		"belong together": `[{"issuer": "https://id.example", "label": "x", "institution": "y", "clientId": "z", "claim": "sub"}]`,
	} {
		if _, err := session.ParseSettings([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// A provider that is silent is asked once for all who come, and nobody waits for
// it longer than they wish.
func TestAProviderThatIsSilentIsNotWaitedForInARow(t *testing.T) {
	t.Parallel()
	came, release := make(chan struct{}, 10), make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		came <- struct{}{}
		<-release
	}))
	t.Cleanup(silent.Close)
	client := &session.Provider{Settings: session.Settings{Institution: "aldersound", Label: "College", Issuer: silent.URL, ClientID: "x"}}
	first := make(chan error)
	go func() {
		_, _, err := client.Start(context.Background(), false, "/")
		first <- err
	}()
	<-came
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := client.Start(impatient, false, "/"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("who went away: %v", err)
	}
	close(release)
	if err := <-first; fault.KindOf(err) != fault.Unavailable {
		t.Errorf("who asked: %v", err)
	}
	if n := len(came); n != 0 {
		t.Errorf("the provider was asked %d times more", n)
	}
}
