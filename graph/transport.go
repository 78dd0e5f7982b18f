package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/testamur/testamur/graph/plan"
	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
)

// The media types of an answer, GraphQL over HTTP §6.
const (
	mediaGraphQL = "application/graphql-response+json"
	mediaJSON    = "application/json"
	mediaStream  = "text/event-stream"
)

// overHTTP answers a query or mutation with one JSON document, GraphQL over HTTP
// §5 to §7, and a subscription with a stream of events. What admit lets pass is
// well-formed.
type overHTTP struct {
	config Config
	habits habits

	streams streams
}

// Supports says that there is no other transport.
func (*overHTTP) Supports(*http.Request) bool { return true }

// Do runs the operation of the request.
func (t *overHTTP) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	op, problems, ok := operation(w, r, exec)
	if !ok {
		return
	}
	tried, done := false, false
	if len(problems) == 0 && oneMoment(op) && r.Header.Get("Accept") != mediaStream {
		tried, done = t.attempt(w, r, exec, op)
	}
	if done {
		return
	}
	if tried || callerOf(r.Context()).only != nil {
		if r, ok = t.assured(w, r); !ok {
			return
		}
		if op, problems, ok = operation(w, r, exec); !ok {
			return
		}
	}
	if len(problems) > 0 {
		answer(w, r, statusOf(r), exec.DispatchError(graphql.WithOperationContext(r.Context(), op), problems).Errors)
		return
	}
	stream := strings.Contains(r.Header.Get("Accept"), mediaStream)
	switch kind := op.Operation.Operation; {
	case kind == ast.Subscription && stream && r.Method == http.MethodPost:
		var err error
		if r.Body, err = r.GetBody(); err == nil {
			leave, ok := t.streams.enter(actor(r.Context()))
			if !ok {
				refuseForm(w, r, http.StatusTooManyRequests, "streams", fmt.Sprintf("You follow %d jobs at this moment. End one of these streams before you begin another.", maxStreams))
				return
			}
			defer leave()
			placeOf(r.Context()).leave() // it may go on for an hour
			transport.SSE{KeepAlivePingInterval: 15 * time.Second}.Do(w, r, exec)
		}
		return
	case kind == ast.Subscription:
		refuseForm(w, r, http.StatusNotAcceptable, "stream", "A subscription is answered as text/event-stream. Accept that, and send it with POST.")
		return
	case r.Header.Get("Accept") == mediaStream:
		refuseForm(w, r, http.StatusNotAcceptable, "accept", "Only a subscription is answered as text/event-stream. Accept application/graphql-response+json as well.")
		return
	case kind != ast.Query && r.Method != http.MethodPost:
		w.Header().Set("Allow", "POST")
		refuseForm(w, r, http.StatusMethodNotAllowed, "method", "Send what changes something with POST.")
		return
	}
	ctx, out := withOutgoing(r.Context())
	a, view := t.run(ctx, exec, op, nil, false)
	if view != nil {
		t.habits.learn(op, view)
		if count, ok := view.Answer(); ok && t.config.Confirm != nil {
			t.config.Confirm(r, count)
		}
	}
	t.send(w, r, a, out)
}

// send hands out the documents that an answer holds, and writes it.
func (t *overHTTP) send(w http.ResponseWriter, r *http.Request, a *graphql.Response, out *outgoing) {
	defer plan.Sent(a.Data)
	resolver := t.config.Resolver
	if err := out.settle(r.Context(), actor(r.Context()), resolver.Holds); err != nil {
		answer(w, r, statusOf(r), gqlerror.List{resolver.present(r.Context(), err)})
		return
	}
	respond(w, r, a, !out.any())
}

// operation is what the request asks to be run, and what is wrong with it; false
// when its form was refused.
func operation(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) (*graphql.OperationContext, gqlerror.List, bool) {
	params, err := parameters(r)
	if err != nil {
		refuseForm(w, r, http.StatusBadRequest, "json", "The parameters are not what GraphQL over HTTP says: variables and extensions are JSON objects.")
		return nil, nil, false
	}
	op, problems := exec.CreateOperationContext(r.Context(), params)
	return op, problems, true
}

// run answers an operation, a query from one moment on the terms of
// audit.Attempt. What it read from is given back before the answer is sent, which
// may take a client long to take.
func (t *overHTTP) run(ctx context.Context, exec graphql.GraphExecutor, op *graphql.OperationContext, only *int64, once bool) (a *graphql.Response, view *audit.Moment) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if oneMoment(op) {
		r := t.config.Resolver
		ctx, view = r.Audit.Attempt(ctx, actor(ctx), only, once)
		defer view.End()
		ctx = r.fragments.with(ctx, actor(ctx))
	}
	responses, ctx := exec.DispatchOperation(ctx, op)
	if a = responses(ctx); a == nil { // given up before anything was resolved
		a = exec.DispatchError(ctx, gqlerror.List{gqlerror.WrapPath(nil, context.Canceled)})
	}
	return a, view
}

// maxStreams is how many jobs one caller follows at a moment: each is looked at
// several times a second.
const maxStreams = 10

// streams counts the streams of each caller. The zero value is ready.
type streams struct {
	mu   sync.Mutex
	each map[string]int
}

// enter takes one of a caller's streams, until it is left; false when there is none.
func (s *streams) enter(who access.Actor) (leave func(), ok bool) {
	key := who.InstitutionID + " " + who.ID
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.each[key] >= maxStreams {
		return nil, false
	}
	if s.each == nil {
		s.each = map[string]int{}
	}
	s.each[key]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.each[key]--; s.each[key] == 0 {
			delete(s.each, key)
		}
	}, true
}

// oneMoment reports whether the operation is answered from one moment of the
// database. Verifying may wait for another server, and holds no transaction
// open meanwhile.
func oneMoment(o *graphql.OperationContext) bool {
	return o.Operation.Operation == ast.Query && !strings.Contains(o.RawQuery, "verify")
}

// parameters are the query and what belongs to it, of either method.
func parameters(r *http.Request) (*graphql.RawParams, error) {
	now := graphql.Now()
	read := graphql.TraceTiming{Start: now, End: now}
	if r.Method == http.MethodPost {
		p := *wantedOf(r).params
		p.Headers, p.ReadTime = r.Header, read
		return &p, nil
	}
	p := &graphql.RawParams{Headers: r.Header, ReadTime: read}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	p.Query, p.OperationName = wantedOf(r).text, q.Get("operationName")
	for name, place := range map[string]*map[string]any{"variables": &p.Variables, "extensions": &p.Extensions} {
		if text := q.Get(name); text != "" {
			if err := decode(strings.NewReader(text), place); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

func decode(r io.Reader, v any) error {
	d := json.NewDecoder(r)
	d.UseNumber()
	return d.Decode(v)
}

// whole decodes one document with nothing behind it.
func whole(raw []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something stands behind the document")
	}
	return nil
}

// statusOf is the status of an operation that was not run: §6.4 has 200 for
// clients that only know application/json, which they must not take for a
// failure of the transport.
func statusOf(r *http.Request) int {
	if mediaOf(r) == mediaGraphQL {
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// mediaOf is the media type that the client is answered in.
func mediaOf(r *http.Request) string {
	if strings.Contains(r.Header.Get("Accept"), mediaGraphQL) {
		return mediaGraphQL
	}
	return mediaJSON
}

// answer says why nothing was run; there is no data, not even null, §6.4.2.
func answer(w http.ResponseWriter, r *http.Request, status int, problems gqlerror.List) {
	write(w, r, status, struct {
		Errors gqlerror.List `json:"errors"`
	}{problems})
}

// respond writes an answer, which a cache may keep where that is said. Its data is
// JSON as it stands, and is not gone through again.
func respond(w http.ResponseWriter, r *http.Request, a *graphql.Response, kept bool) {
	head := []byte("{")
	if len(a.Errors) > 0 {
		raw, err := json.Marshal(a.Errors)
		if err != nil {
			unwritable(w)
			return
		}
		head = append(append(append(head, `"errors":`...), raw...), ',')
	}
	head = append(head, `"data":`...)
	tail := []byte("}\n")
	if len(a.Extensions) > 0 {
		raw, err := json.Marshal(a.Extensions)
		if err != nil {
			unwritable(w)
			return
		}
		tail = append(append([]byte(`,"extensions":`), raw...), tail...)
	}
	data := []byte(a.Data)
	if data == nil {
		data = []byte("null")
	}
	if r.Method == http.MethodGet && len(a.Errors) == 0 && kept && wantedOf(r).named && tagged(w, r, head, data, tail) {
		return
	}
	w.Header().Set("Content-Type", mediaOf(r)+"; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(head)+len(data)+len(tail)))
	for _, part := range [][]byte{head, data, tail} {
		if _, err := w.Write(part); err != nil {
			return // the client has gone
		}
	}
}

func write(w http.ResponseWriter, r *http.Request, status int, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		unwritable(w)
		return
	}
	w.Header().Set("Content-Type", mediaOf(r)+"; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(raw, '\n'))
}

func unwritable(w http.ResponseWriter) {
	http.Error(w, "The answer could not be written.", http.StatusInternalServerError)
}
