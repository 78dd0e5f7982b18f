// Package graph is the GraphQL face: it translates requests to operations of
// the nouns and back. It holds no rules and no SQL.
//
// A request passes, in this order: the form that GraphQL over HTTP gives it, the
// limits on its size, depth and cost, the validation against the schema, and
// the resolvers, whose loaders gather what siblings ask for into one statement.
// Specifications: GraphQL October 2021, GraphQL over HTTP, Relay connections.
package graph

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/testamur/testamur/graph/gen"
	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
)

//go:generate go run ./generate

// Config of the handler.
type Config struct {
	Resolver *Resolver
	// Actor is who a request comes from; an error refuses the request.
	Actor func(*http.Request) (access.Actor, error)
	// Recall is who a request came from when Actor was asked last, and the count
	// of changes (audit.Generation) as long as which it still does; Confirm tells
	// which count was read by somebody whom either of them gave, and who therefore
	// is who they said. nil: Actor is asked each time.
	Recall  func(*http.Request) (access.Actor, int64, bool)
	Confirm func(*http.Request, int64)
	// Open lets callers without a token look at the schema, for the
	// demonstration.
	Open bool
	// Trusted are the documents that requests may name by hash.
	Trusted Trusted
	// Ordinary has every query run by gqlgen's own executor instead of the
	// writers. The answers are the same; tests compare them.
	Ordinary bool
}

// The limits of a request.
const (
	maxBody   = 24 << 20 // bytes; a record to verify may be 16 MB, and JSON escapes it
	maxQuery  = 64 << 10 // bytes of the document
	maxCached = 500      // documents of up to
	maxKept   = 8 << 10  // bytes
	within    = 30 * time.Second

	small        = 1 << 20 // bytes of a body up to which nobody waits for others
	largeVisitor = 4       // requests with more than that, at one moment: of all visitors
	largeCaller  = 12      // of all who have a token
)

// NewHandler serves /graphql.
func NewHandler(c Config) http.Handler {
	cfg := gen.Config{Resolvers: c.Resolver}
	cost(&cfg.Complexity)
	schema := gen.NewPlannedSchema(cfg, maxCached, shared)
	if c.Ordinary {
		schema = gen.NewExecutableSchema(cfg)
	}
	s := handler.New(schema)
	s.AddTransport(&overHTTP{config: c})
	s.SetQueryCache(shortOnly{lru.New[*ast.QueryDocument](maxCached), c.Trusted})
	s.SetParserTokenLimit(maxTokens)
	s.SetErrorPresenter(func(ctx context.Context, err error) *gqlerror.Error { return c.Resolver.present(ctx, err) })
	s.SetRecoverFunc(c.Resolver.recovered)
	s.Use(limits{})
	s.Use(&budget{})
	s.Use(introspection{open: c.Open})
	visitors, callers := make(room, largeVisitor), make(room, largeCaller)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := w.Header().Get("X-Request-Id") // as the server names the request
		if id == "" {
			id = newRequestID()
		}
		ctx := context.WithValue(r.Context(), requestKey{}, id)
		w.Header().Set("X-Request-Id", id)
		w.Header().Set("Cache-Control", "no-store")
		from, err := c.caller(r)
		if err != nil {
			refuse(w, r, c.Resolver.present(ctx, err))
			return
		}
		place := &place{room: visitors}
		if from.who.InstitutionID != "" {
			place.room = callers
		}
		defer place.leave()
		ctx = context.WithValue(c.Resolver.with(ctx, from), placeKey{}, place)
		r, ok := admit(w, r.WithContext(ctx), c.Trusted)
		if !ok {
			return
		}
		s.ServeHTTP(w, r)
	})
}

// caller is who a request comes from, as far as is remembered.
func (c Config) caller(r *http.Request) (*caller, error) {
	if c.Recall != nil {
		if who, only, ok := c.Recall(r); ok {
			return &caller{who: who, only: &only, check: func() *gqlerror.Error {
				if _, err := c.Actor(r); err != nil {
					return c.Resolver.present(r.Context(), err)
				}
				return nil
			}}, nil
		}
	}
	who, err := c.Actor(r)
	return &caller{who: who}, err
}

// room is places for requests that take much memory, each several times its body.
type room chan struct{}

// place is one of them, for a request that needs it.
type place struct {
	room  room
	taken bool
}

type placeKey struct{}

// enter takes the place; false when there is none.
func (p *place) enter() bool {
	select {
	case p.room <- struct{}{}:
		p.taken = true
	default:
	}
	return p.taken
}

func (p *place) leave() {
	if p.taken {
		p.taken = false
		<-p.room
	}
}

func placeOf(ctx context.Context) *place {
	p, ok := ctx.Value(placeKey{}).(*place)
	if !ok {
		return &place{}
	}
	return p
}

// admit checks the form of a request, GraphQL over HTTP §5 and §6, and reads
// its body, so that a body that is not JSON is never given back.
func admit(w http.ResponseWriter, r *http.Request, t Trusted) (*http.Request, bool) {
	if !acceptable(r.Header.Get("Accept")) {
		refuseForm(w, r, http.StatusNotAcceptable, "accept", "Accept application/graphql-response+json or application/json.")
		return r, false
	}
	switch r.Method {
	case http.MethodGet:
		if len(r.URL.RawQuery) > maxQuery {
			refuseForm(w, r, http.StatusRequestURITooLong, "query-size", "Send a query as long as this with POST.")
			return r, false
		}
		q := r.URL.Query()
		if q.Get("query") == "" && q.Get("documentId") == "" {
			refuseForm(w, r, http.StatusBadRequest, "query", "The parameter query is missing.")
			return r, false
		}
		return t.admit(w, r, q.Get("documentId"), q.Get("query"))
	case http.MethodPost:
		return admitPost(w, r, t)
	}
	w.Header().Set("Allow", "GET, POST")
	refuseForm(w, r, http.StatusMethodNotAllowed, "method", "Send GraphQL with GET or POST.")
	return r, false
}

func admitPost(w http.ResponseWriter, r *http.Request, t Trusted) (*http.Request, bool) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset := params["charset"]; err != nil || media != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		refuseForm(w, r, http.StatusUnsupportedMediaType, "content-type", "Send the request as application/json in UTF-8.")
		return r, false
	}
	from := http.MaxBytesReader(w, r.Body, maxBody)
	body, err := io.ReadAll(io.LimitReader(from, small+1))
	if len(body) > small {
		if !placeOf(r.Context()).enter() {
			w.Header().Set("Retry-After", "30")
			refuseForm(w, r, http.StatusServiceUnavailable, "large-requests", "Many large requests are being answered at this moment. Send it again in half a minute.")
			return r, false
		}
		var rest []byte
		rest, err = io.ReadAll(from)
		body = append(body, rest...)
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		refuseForm(w, r, http.StatusRequestEntityTooLarge, "body-size", fmt.Sprintf("The request is larger than %d MB. Send a file that is to be imported to /imports/uploads.", maxBody>>20))
		return r, false
	}
	var form struct {
		Query         *string        `json:"query"`
		DocumentID    string         `json:"documentId"`
		OperationName string         `json:"operationName"`
		Variables     map[string]any `json:"variables"`
		Extensions    map[string]any `json:"extensions"`
	}
	if err != nil || whole(body, &form) != nil {
		refuseForm(w, r, http.StatusBadRequest, "json", "The body is not a JSON object with query, variables and operationName. Send one request at a time.")
		return r, false
	}
	if form.Query == nil && form.DocumentID == "" {
		refuseForm(w, r, http.StatusBadRequest, "query", "The member query is missing.")
		return r, false
	}
	var query string
	if form.Query != nil {
		query = *form.Query
	}
	if len(query) > maxQuery {
		refuseForm(w, r, http.StatusRequestEntityTooLarge, "query-size", "The query is too long. Send values as variables.")
		return r, false
	}
	r, ok := t.admit(w, r, form.DocumentID, query)
	if ok {
		d := wantedOf(r)
		d.params = &graphql.RawParams{Query: d.text, OperationName: form.OperationName, Variables: form.Variables, Extensions: form.Extensions}
		r.GetBody = d.body
	}
	return r, ok
}

// acceptable reports whether the client takes an answer that we can give.
func acceptable(accept string) bool {
	if strings.TrimSpace(accept) == "" {
		return true
	}
	for part := range strings.SplitSeq(accept, ",") {
		media, _, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		switch media {
		case "*/*", "application/*", "application/json", "application/graphql-response+json", "text/event-stream":
			return true
		}
	}
	return false
}

// refuseForm answers a request that is not in order, whoever sent it; but first
// those hear that their token does not hold.
func refuseForm(w http.ResponseWriter, r *http.Request, status int, rule, message string) {
	if c := callerOf(r.Context()); c != nil && c.check != nil {
		if e := c.check(); e != nil {
			w.Header().Del("Allow")
			refuse(w, r, e)
			return
		}
	}
	code := fault.Invalid
	switch status {
	case http.StatusNotFound:
		code = fault.NotFound
	case http.StatusForbidden:
		code = fault.Forbidden
	case http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusTooManyRequests:
		code = fault.Limit
	case http.StatusServiceUnavailable:
		code = fault.Unavailable
	}
	answer(w, r, status, gqlerror.List{{Message: message, Extensions: map[string]any{"code": string(code), "rule": rule}}})
}

// refuse answers a request whose caller is not let in.
func refuse(w http.ResponseWriter, r *http.Request, e *gqlerror.Error) {
	status := http.StatusInternalServerError
	switch e.Extensions["code"] {
	case string(fault.Unauthenticated):
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", `Bearer realm="testamur"`)
	case string(fault.Unavailable):
		status = http.StatusServiceUnavailable
	}
	answer(w, r, status, gqlerror.List{e})
}

// shortOnly keeps validated documents, but none that only an attacker would
// write: what is kept is many times as large as its text.
type shortOnly struct {
	graphql.Cache[*ast.QueryDocument]
	trusted Trusted
}

// Add keeps a document under its text.
func (c shortOnly) Add(ctx context.Context, text string, d *ast.QueryDocument) {
	if len(text) <= maxKept || c.trusted.text[text] {
		c.Cache.Add(ctx, text, d)
	}
}

type requestKey struct{}

// RequestID names a request in answers and in the log.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

func newRequestID() string { return strings.ToLower(rand.Text()[:16]) }
