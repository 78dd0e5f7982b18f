package web

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/session"
)

// cookieName is the name of the session's cookie. Behind https its prefix keeps
// other hosts of the domain and plain http from setting it.
func (s *site) cookieName() string {
	if s.secureOrigin() {
		return "__Host-session"
	}
	return "session"
}

func (s *site) attemptName() string {
	if s.secureOrigin() {
		return "__Host-sign-in"
	}
	return "sign-in"
}

// set sets a cookie that script does not see and other sites do not send along
// with a form. An age below 0 takes it away.
func (v *visit) set(name, value string, age time.Duration) {
	seconds := int(age / time.Second)
	http.SetCookie(v.w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: seconds, HttpOnly: true, Secure: v.s.secureOrigin(), SameSite: http.SameSiteLaxMode})
}

// forget takes the session's cookie away.
func (v *visit) forget() { v.set(v.s.cookieName(), "", -time.Second) }

// enterAs gives the browser a session in place of the one it had.
func (v *visit) enterAs(cookie, next string) error {
	if old, err := v.r.Cookie(v.s.cookieName()); err == nil {
		if err := v.s.Sessions.End(v.ctx(), old.Value); err != nil {
			return err
		}
	}
	v.set(v.s.cookieName(), cookie, session.LastsAtMost)
	if next == "" {
		next = "/"
	}
	return v.to(next)
}

func (s *site) signIn(mux *http.ServeMux) {
	s.page(mux, "GET /sign-in", anyone, s.doors)
	s.page(mux, "POST /sign-in", anyone, s.choose)
	s.page(mux, "GET /sign-in/start/{slug}", anyone, s.startSignIn)
	s.page(mux, "GET /sign-in/back/{slug}", anyone, s.finishSignIn)
	s.page(mux, "POST /sign-out", anyone, func(v *visit) error {
		if c, err := v.r.Cookie(s.cookieName()); err == nil {
			if err := s.Sessions.End(v.ctx(), c.Value); err != nil {
				return err
			}
		}
		v.forget()
		return v.done("/", "signed-out")
	})
	s.page(mux, "GET /account", someone, func(v *visit) error { return v.show(http.StatusOK, "account", "Your account", nil) })
	s.page(mux, "POST /account/sign-out-everywhere", someone, func(v *visit) error {
		if _, err := s.Sessions.EndAll(v.ctx(), v.who); err != nil {
			return err
		}
		v.forget()
		return v.done("/", "signed-out-everywhere")
	})
	s.page(mux, "POST /language", anyone, func(v *visit) error {
		if err := v.form(); err != nil {
			return err
		}
		lang := v.r.PostForm.Get("to")
		if !slices.Contains(languages, lang) {
			return fault.New(fault.Invalid, "These pages are in English and Spanish.")
		}
		v.set(langCookie, lang, 365*24*time.Hour)
		return v.to(or(ours(v.r.PostForm.Get("next")), "/"))
	})
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// door is where one institution's people sign in.
type door struct {
	Slug  string
	Label string
}

// doors is the page to sign in at.
type doors struct {
	Next     string
	Doors    []door
	Staff    []choice
	Learners []choice
	Search   string
	More     bool // there are more learners than are shown
}

// choice is somebody of the demonstration.
type choice struct {
	Institution string
	ID          string
	Name        string
	Roles       []access.Role
	Number      string
}

// shownToChoose is how many learners of the demonstration are offered.
const shownToChoose = 12

func (s *site) doors(v *visit) error {
	d := doors{Next: ours(v.r.URL.Query().Get("next")), Search: v.r.URL.Query().Get("q")}
	for _, p := range s.Providers {
		d.Doors = append(d.Doors, door{p.Institution, p.Label})
	}
	if s.Choose && s.here(v.r) {
		if err := s.people(v, &d); err != nil {
			return err
		}
	}
	return v.show(http.StatusOK, "signin", "Sign in", d)
}

// people are those who can be chosen in the demonstration.
func (s *site) people(v *visit, d *doors) error {
	all, err := s.Institutions.Slugs(v.ctx())
	if err != nil {
		return err
	}
	for slug, in := range all {
		who := access.SystemOf(string(in), "sign-in")
		members, err := s.Institutions.ListStaff(v.ctx(), who, page.Args{})
		if err != nil {
			return err
		}
		for _, m := range members.Nodes {
			if m.DeactivatedAt == nil {
				d.Staff = append(d.Staff, choice{Institution: slug, ID: m.ID, Name: m.Name, Roles: m.Roles})
			}
		}
		first := shownToChoose
		some, err := s.Learners.Search(v.ctx(), who, d.Search, first+1)
		if err != nil {
			return err
		}
		d.More = d.More || len(some) > first
		for _, l := range some[:min(first, len(some))] {
			d.Learners = append(d.Learners, choice{Institution: slug, ID: string(l.ID), Name: l.DisplayName, Number: deref(l.RefValue)})
		}
	}
	return nil
}

// choose signs in as whoever was chosen, in the demonstration alone.
func (s *site) choose(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	if !s.Choose || !s.here(v.r) {
		return errNoPage
	}
	in, err := s.Institutions.BySlug(v.ctx(), v.r.PostForm.Get("institution"))
	if err != nil {
		return err
	}
	id := v.r.PostForm.Get("person")
	p := session.Person{StaffID: id}
	if strings.HasPrefix(id, "lrn_") {
		p = session.Person{LearnerID: id}
	}
	cookie, err := s.Sessions.Begin(v.ctx(), access.SystemOf(string(in), "sign-in"), p, session.ByDemonstration)
	if err != nil {
		return err
	}
	return v.enterAs(cookie, ours(v.r.PostForm.Get("next")))
}

// provider is that of the institution in the address.
func (s *site) provider(r *http.Request) (*session.Provider, error) {
	for _, p := range s.Providers {
		if p.Institution == r.PathValue("slug") {
			return p, nil
		}
	}
	return nil, errNoPage
}

// attemptFor is how long somebody may take at the provider's page.
const attemptFor = 15 * time.Minute

func (s *site) startSignIn(v *visit) error {
	p, err := s.provider(v.r)
	if err != nil {
		return err
	}
	q := v.r.URL.Query()
	a, address, err := p.Start(v.ctx(), q.Get("as") == "learner", ours(q.Get("next")))
	if err != nil {
		return err
	}
	raw, err := json.Marshal(a)
	if err != nil {
		return err
	}
	v.set(s.attemptName(), base64.RawURLEncoding.EncodeToString(raw), attemptFor)
	return v.to(address)
}

func (s *site) finishSignIn(v *visit) error {
	p, err := s.provider(v.r)
	if err != nil {
		return err
	}
	in, err := s.Institutions.BySlug(v.ctx(), p.Institution)
	if err != nil {
		return err
	}
	a := s.attempt(v)
	v.set(s.attemptName(), "", -time.Second)
	cookie, err := p.Finish(v.ctx(), access.SystemOf(string(in), "sign-in"), a, v.r.URL.Query())
	if err != nil {
		return err
	}
	return v.enterAs(cookie, ours(a.Next))
}

// attempt is what the browser kept; the zero one when it kept none.
func (s *site) attempt(v *visit) (a session.Attempt) {
	c, err := v.r.Cookie(s.attemptName())
	if err != nil {
		return a
	}
	raw, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || json.Unmarshal(raw, &a) != nil {
		return session.Attempt{}
	}
	return a
}

// Callback is the address that a provider of an institution sends browsers back
// to; it is registered there.
func Callback(origin, slug string) string {
	return origin + "/sign-in/back/" + url.PathEscape(slug)
}

// home is the first page of who is signed in.
func (s *site) start(mux *http.ServeMux) {
	s.page(mux, "GET /{$}", anyone, func(v *visit) error {
		return v.show(http.StatusOK, "start", "Testamur", nil)
	})
}
