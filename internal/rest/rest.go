// Package rest is plain HTTP for whatever others dereference or script against:
// health, files that come in, the addresses that ids name, and the endpoints as
// 1EdTech writes them.
//
// A file stands for one concern and registers its own routes. Nothing here
// decides anything: a handler asks one operation and answers with its bytes, or
// with its fault in the form that the endpoint's standard has for errors. What
// is public may be read by any page; what is not needs a bearer token. Standards:
// Open Badges 3.0 and CLR 2.0 (HTTP API), did:web, RFC 7517, RFC 9110, RFC 9457.
package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/deposit"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/extract"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/sharing"
	"github.com/testamur/testamur/internal/transcript"
	"github.com/testamur/testamur/internal/vcapi"
)

// Services is what the endpoints ask.
type Services struct {
	Institutions *institution.Service
	Learners     *learner.Service
	Achievements *achievement.Service
	Keys         *keyring.Service
	Credentials  *credential.Service
	Exchange     *exchange.Service
	Disclosures  *disclosure.Service
	Holds        *release.Service
	Deposits     *deposit.Service
	Shares       *sharing.Service
	VCAPI        *vcapi.Service   // nil: not served
	Extracts     *extract.Service // nil: not served
	Frameworks   *framework.Service
	Documents    *transcript.Service // nil: not served

	Origin  string // that ids begin with, without a slash at the end
	Version string // of the program
	Now     func() time.Time
	// Ready is nil when the database answers.
	Ready func(context.Context) error
	// Actor is who a request comes from; an error refuses the request.
	Actor func(*http.Request) (access.Actor, error)
	// Browser is who a browser is signed in as, for what people look at and
	// save; nil: nobody is ever.
	Browser func(*http.Request) (access.Actor, bool, error)
	// Caller is the address that a request comes from, behind the proxies that
	// are trusted; nil: the peer's.
	Caller func(*http.Request) netip.Addr
	// Language is the one that somebody reads, of those that the pages are
	// written in; nil: English.
	Language func(*http.Request) string
	// Page answers with what went wrong as a page, to a person who opens an
	// address in a browser; nil: everybody is answered in JSON.
	Page func(w http.ResponseWriter, r *http.Request, code int, f *fault.Error)
	Log  *slog.Logger
}

// NewHandler serves every endpoint of the package.
func NewHandler(s Services) http.Handler {
	mux := http.NewServeMux()
	for _, register := range []func(*http.ServeMux){s.health, s.imports, s.did, s.published, s.statusLists, s.openBadges, s.comprehensive, s.vcAPI, s.cases, s.disclosed, s.extracts, s.pictures, s.transcripts, s.shared} {
		register(mux)
	}
	s.handle(mux, "/", s.problem, methods{http.MethodGet: func(http.ResponseWriter, *http.Request) error {
		return fault.New(fault.NotFound, "There is nothing at this address.")
	}})
	return mux
}

// handler answers a request, or says why not.
type handler func(http.ResponseWriter, *http.Request) error

// methods are the handlers of one address.
type methods map[string]handler

// refuser answers with a fault, in the form of its standard.
type refuser func(w http.ResponseWriter, r *http.Request, status int, f *fault.Error)

// handle registers an address. HEAD is answered as GET; a method that is not
// there with 405 and those that are.
func (s Services) handle(mux *http.ServeMux, pattern string, refuse refuser, by methods) {
	allowed := slices.Sorted(maps.Keys(by))
	if _, ok := by[http.MethodGet]; ok {
		allowed = append(allowed, http.MethodHead)
	}
	allow := strings.Join(append(allowed, http.MethodOptions), ", ")
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		h, ok := by[method]
		switch {
		case ok:
			if err := h(w, r); err != nil {
				s.refuse(w, r, err, refuse)
			}
		case method == http.MethodOptions:
			w.Header().Set("Allow", allow)
			w.WriteHeader(http.StatusNoContent)
		default:
			w.Header().Set("Allow", allow)
			refuse(w, r, http.StatusMethodNotAllowed, fault.New(fault.Invalid, "This address answers to %s.", allow))
		}
	})
}

// status is the HTTP status of a kind of fault.
var status = map[fault.Kind]int{
	fault.Invalid: http.StatusBadRequest, fault.NotFound: http.StatusNotFound, fault.Unauthenticated: http.StatusUnauthorized,
	fault.Forbidden: http.StatusForbidden, fault.Conflict: http.StatusConflict, fault.State: http.StatusConflict,
	fault.Limit: http.StatusRequestEntityTooLarge, fault.Unavailable: http.StatusServiceUnavailable, fault.Internal: http.StatusInternalServerError,
}

// errNotAcceptable is answered with 406.
var errNotAcceptable = fault.New(fault.Invalid, "This is not to be had in the form that the Accept header asks for.")

// errMedia is answered with 415.
var errMedia = fault.New(fault.Invalid, "This address does not take this Content-Type.")

// refuse answers with what went wrong. What nobody foresaw goes to the log
// under the request's id and to nobody else.
func (s Services) refuse(w http.ResponseWriter, r *http.Request, err error, form refuser) {
	f, ok := fault.Of(err)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		f = fault.New(fault.Limit, "The body is too large: at most %d bytes are taken here.", tooLarge.Limit)
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		f = fault.New(fault.Unavailable, "The request took too long or was given up.")
	case !ok || f.Kind == fault.Internal:
		s.Log.Error("request failed", "request", requestID(w), "route", r.Pattern, "error", err)
		f = fault.New(fault.Internal, "Something went wrong in the service. Tell its operator this request id: %s.", requestID(w))
	case f.Kind == fault.Unavailable:
		s.Log.Error("request failed", "request", requestID(w), "route", r.Pattern, "error", err)
	}
	code := status[f.Kind]
	switch {
	case errors.Is(err, errNotAcceptable):
		code = http.StatusNotAcceptable
	case errors.Is(err, errMedia):
		code = http.StatusUnsupportedMediaType
	case f.Kind == fault.Unauthenticated:
		w.Header().Set("WWW-Authenticate", `Bearer realm="testamur"`)
	case f.Kind == fault.Unavailable:
		w.Header().Set("Retry-After", "5")
	}
	form(w, r, code, f)
}

// requestID is the id that the service gave the request.
func requestID(w http.ResponseWriter) string { return w.Header().Get("X-Request-Id") }

// problem is a fault as RFC 9457 writes it, or a page for who asks for HTML.
func (s Services) problem(w http.ResponseWriter, r *http.Request, code int, f *fault.Error) {
	if s.Page != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		if strings.Contains(r.Header.Get("Accept"), "text/html") {
			s.Page(w, r, code, f)
			return
		}
		w.Header().Add("Vary", "Accept")
	}
	writeJSON(w, code, "application/problem+json", struct {
		Title   string     `json:"title"`
		Status  int        `json:"status"`
		Detail  string     `json:"detail"`
		Code    fault.Kind `json:"code"`
		Field   string     `json:"field,omitempty"`
		Rule    string     `json:"rule,omitempty"`
		Request string     `json:"requestId,omitempty"`
	}{http.StatusText(code), code, f.Message, f.Kind, f.Field, f.Rule, requestID(w)})
}

func writeJSON(w http.ResponseWriter, code int, media string, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("marshal an answer: %v", err)) // plain values
	}
	h := w.Header()
	h.Set("Content-Type", media)
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	w.WriteHeader(code)
	_, _ = w.Write(append(raw, '\n'))
}

// body reads at most max bytes of one of the media types.
func body(w http.ResponseWriter, r *http.Request, limit int64, media ...string) ([]byte, error) {
	got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || !slices.Contains(media, got) {
		return nil, errMedia
	}
	return io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
}

// caller is the address that a request comes from.
func (s Services) caller(r *http.Request) netip.Addr {
	if s.Caller != nil {
		return s.Caller(r)
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr()
}

// signedIn is the actor of a request that needs one.
func (s Services) signedIn(r *http.Request) (access.Actor, error) {
	who, err := s.Actor(r)
	if err == nil && who.InstitutionID == "" {
		err = fault.New(fault.Unauthenticated, "Send a bearer token with this request.")
	}
	return who, err
}

// institutionAt is a visitor of the institution that the address names.
func (s Services) institutionAt(r *http.Request) (access.Actor, error) {
	in, err := s.Institutions.BySlug(r.Context(), r.PathValue("slug"))
	return access.VisitorOf(string(in)), err
}
