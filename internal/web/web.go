// Package web is the pages for people: the registrar's desk, the designer's
// curriculum, the learner's own record, and for anyone the check of a credential
// and what somebody shared.
//
// Every page is HTML that the service writes. It is read and used without
// script; script only makes it quicker. No page has script or style within, takes
// anything from another origin, or can be framed. English or Spanish is what the
// reader asks for; what institutions and learners wrote stays in its own
// language. A page asks the nouns' services, in the name of who is signed in, and
// has no rules of its own. Aim: WCAG 2.2 AA.
package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/consent"
	"github.com/testamur/testamur/internal/course"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/deposit"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/mastery"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/session"
	"github.com/testamur/testamur/internal/sharing"
	"github.com/testamur/testamur/internal/transcript"
	"github.com/testamur/testamur/internal/verify"
)

// Services are what the pages ask.
type Services struct {
	Institutions *institution.Service
	Learners     *learner.Service
	Sessions     *session.Service
	Consents     *consent.Service
	Disclosures  *disclosure.Service
	Holds        *release.Service
	Frameworks   *framework.Service
	Courses      *course.Service
	Achievements *achievement.Service
	Assertions   *assertion.Service
	Mastery      *mastery.Service
	Programs     *program.Service
	Keys         *keyring.Service
	Credentials  *credential.Service
	Records      *record.Service
	Documents    *transcript.Service
	Verifier     *verify.Service
	Deposits     *deposit.Service
	Exchange     *exchange.Service
	Shares       *sharing.Service
	Audit        *audit.Service

	Providers []*session.Provider // to sign in with
	Choose    bool                // anyone may be anybody: the demonstration alone
	Origin    string              // of this service
	Version   string
	Caller    func(*http.Request) netip.Addr // where a request comes from; nil: its peer
	Now       func() time.Time
	Log       *slog.Logger

	// Unsaid hears of sentences that a page asks for and no catalogue has. Tests
	// set it.
	Unsaid func(text string)
}

// Roots are the addresses that belong to this package, as patterns of a mux.
func Roots() []string {
	return []string{"GET /{$}", "/verify", "/sign-in", "/sign-in/", "/sign-out", "/language", "/account", "/account/", "/desk", "/desk/",
		"/me", "/me/", "/curriculum", "/curriculum/", "/assets/", "/w/", "/s/{token}/mail"}
}

// need is who may open a page.
type need int

const (
	anyone need = iota
	someone
	staff
	student
)

// visit is one request for a page.
type visit struct {
	w    http.ResponseWriter
	r    *http.Request
	s    *site
	lang string
	in   *session.Session // nil: nobody is signed in
	who  access.Actor
}

// site is the services with the pages parsed.
type site struct {
	Services
	sets   map[string]*set // by language
	assets assets
	origin *http.CrossOriginProtection
	checks chan struct{} // room for verifications of many files
}

type handler func(v *visit) error

// Pages serves them.
type Pages struct {
	http.Handler
	site *site
}

// Refuse shows as a page what went wrong at an address that is no page.
func (p *Pages) Refuse(w http.ResponseWriter, r *http.Request, code int, f *fault.Error) {
	p.site.secure(w)
	w.Header().Add("Vary", "Accept")
	v := &visit{w: w, r: r, s: p.site, lang: Language(r), who: access.Anonymous()}
	if err := v.enter(anyone, func(v *visit) error { return v.show(code, "error", refusals[f.Kind], f) }); err != nil {
		v.refuse(err)
	}
}

// NewHandler is the pages.
func NewHandler(s Services) (*Pages, error) {
	all := &site{Services: s, origin: http.NewCrossOriginProtection(), checks: make(chan struct{}, maxChecks)}
	if err := all.parse(); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /assets/{name}", all.assets.serve)
	all.start(mux)
	all.signIn(mux)
	all.verifying(mux)
	all.desk(mux)
	all.learners(mux)
	all.documents(mux)
	all.orders(mux)
	all.holds(mux)
	all.messages(mux)
	all.viewing(mux)
	all.imports(mux)
	all.graduations(mux)
	all.proposals(mux)
	all.corrections(mux)
	all.house(mux)
	all.student(mux)
	all.shares(mux)
	all.deposits(mux)
	all.curriculum(mux)
	all.page(mux, "/", anyone, func(*visit) error { return errNoPage })
	return &Pages{mux, all}, nil
}

var errNoPage = fault.New(fault.NotFound, "There is no page at this address.")

// maxForm is how large a form may be that carries no file.
const maxForm = 1 << 20

// page registers a handler for those who may open it.
func (s *site) page(mux *http.ServeMux, pattern string, who need, h handler) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		s.secure(w)
		v := &visit{w: w, r: r, s: s, lang: Language(r), who: access.Anonymous()}
		if err := v.enter(who, h); err != nil {
			v.refuse(err)
		}
	})
}

// secure sets the headers of every page.
func (s *site) secure(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Cookie, Accept-Language")
}

// enter finds out who asks, and lets in who may.
func (v *visit) enter(who need, h handler) error {
	if err := v.s.origin.Check(v.r); err != nil {
		return fault.New(fault.Forbidden, "This form was sent from another site. Open the page here and send it again.")
	}
	if c, err := v.r.Cookie(v.s.cookieName()); err == nil {
		in, err := v.s.Sessions.Authenticate(v.r.Context(), c.Value)
		switch fault.KindOf(err) {
		case fault.Unauthenticated:
			v.forget()
		default:
			if err != nil {
				return err
			}
			v.in, v.who = &in, in.Actor
		}
	}
	switch {
	case who == anyone:
		return h(v)
	case v.in == nil && v.r.Method == http.MethodGet:
		return v.to("/sign-in?next=" + url.QueryEscape(v.r.URL.RequestURI()))
	case v.in == nil:
		return fault.New(fault.Unauthenticated, "You are not signed in, or your session has ended. Sign in again.")
	case who == staff && !v.in.Staff(), who == student && v.in.Staff():
		return fault.New(fault.Forbidden, "This page is not for you. Sign in as somebody else to open it.")
	}
	return h(v)
}

// Browser is who a browser is signed in as, by its cookie, for what other parts
// of the service show to people; false for nobody. It is for reading only: a form
// of another site could come with the cookie.
func Browser(sessions *session.Service, origin string) func(*http.Request) (access.Actor, bool, error) {
	name := (&site{Services: Services{Origin: origin}}).cookieName()
	return func(r *http.Request) (access.Actor, bool, error) {
		c, err := r.Cookie(name)
		if err != nil {
			return access.Actor{}, false, nil
		}
		in, err := sessions.Authenticate(r.Context(), c.Value)
		if fault.KindOf(err) == fault.Unauthenticated {
			return access.Actor{}, false, nil
		}
		return in.Actor, err == nil, err
	}
}

// to sends the browser to another page of ours.
func (v *visit) to(address string) error {
	http.Redirect(v.w, v.r, address, http.StatusSeeOther)
	return nil
}

// done is to with a word about what was done.
func (v *visit) done(address, what string) error {
	mark := ""
	if i := strings.IndexByte(address, '#'); i >= 0 {
		address, mark = address[:i], address[i:]
	}
	sign := "?"
	if strings.Contains(address, "?") {
		sign = "&"
	}
	return v.to(address + sign + "done=" + what + mark)
}

// ctx is the request's.
func (v *visit) ctx() context.Context { return v.r.Context() }

// secureOrigin reports whether browsers reach the service by https.
func (s *site) secureOrigin() bool { return strings.HasPrefix(s.Origin, "https://") }

// statusOf is the HTTP status of a kind of fault.
var statusOf = map[fault.Kind]int{
	fault.Invalid: http.StatusBadRequest, fault.NotFound: http.StatusNotFound, fault.Unauthenticated: http.StatusUnauthorized,
	fault.Forbidden: http.StatusForbidden, fault.Conflict: http.StatusConflict, fault.State: http.StatusConflict,
	fault.Limit: http.StatusRequestEntityTooLarge, fault.Unavailable: http.StatusServiceUnavailable, fault.Internal: http.StatusInternalServerError,
}

// understood is the fault of an error: what nobody foresaw goes to the log, and
// the reader gets the request's id.
func (v *visit) understood(err error) *fault.Error {
	f, ok := fault.Of(err)
	var large *http.MaxBytesError
	id := v.w.Header().Get("X-Request-Id")
	switch {
	case errors.As(err, &large):
		return fault.New(fault.Limit, "That is too large to send: at most %d MB are taken here.", large.Limit>>20)
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return fault.New(fault.Unavailable, "The request took too long or was given up.")
	case !ok || f.Kind == fault.Internal:
		v.s.Log.Error("page failed", "request", id, "route", v.r.Pattern, "error", err)
		return fault.New(fault.Internal, "Something went wrong in the service. Tell its operator this request id: %s.", id)
	case f.Kind == fault.Unavailable:
		v.s.Log.Error("page failed", "request", id, "route", v.r.Pattern, "error", err)
	}
	return f
}

// refuse shows what went wrong.
func (v *visit) refuse(err error) {
	f := v.understood(err)
	if f.Kind == fault.Unavailable {
		v.w.Header().Set("Retry-After", "5")
	}
	code := statusOf[f.Kind]
	if err := v.show(code, "error", refusals[f.Kind], f); err != nil {
		v.s.Log.Error("error page failed", "error", err)
		http.Error(v.w, f.Message, code)
	}
}

// refusals are the headings of error pages.
var refusals = map[fault.Kind]string{
	fault.Invalid: "That cannot be done", fault.NotFound: "Not found", fault.Unauthenticated: "Please sign in", fault.Forbidden: "Not allowed",
	fault.Conflict: "Somebody was faster", fault.State: "Not possible now", fault.Limit: "Too much at once",
	fault.Unavailable: "Not available now", fault.Internal: "Something went wrong",
}

// form reads a form without files.
func (v *visit) form() error {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	if err := v.r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return err
		}
		return fault.New(fault.Invalid, "The form could not be read. Open the page and send it again.")
	}
	return nil
}

// ours is an address to go on to, if it is one of this service's pages.
func ours(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return ""
	}
	return next
}

// here reports whether the request's Host is this service's own name, or this
// machine: a name that somebody else points here is neither.
func (s *site) here(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	u, err := url.Parse(s.Origin)
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return err == nil && strings.EqualFold(host, u.Hostname()) || strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
