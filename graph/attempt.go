package graph

import (
	"net/http"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/testamur/testamur/graph/plan"
	"github.com/testamur/testamur/internal/audit"
)

// A query that is asked again and again is answered with one message to the
// database. Two things are taken for granted for that, and asked in the same
// message: that the caller's token still stands for whom this process remembers,
// and that what was read by one message last time is read by one again. When
// either is not so the answer is thrown away, and the query is run as if nothing
// had been remembered: the token is looked at first, and the transaction stays
// open until the end. Nothing leaves, and nothing is written, on what is
// remembered alone.

// attempt answers a query by what is remembered; false when it must be run the
// ordinary way.
func (t *overHTTP) attempt(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor, op *graphql.OperationContext) (tried, done bool) {
	c, h := callerOf(r.Context()), t.habits.of(op)
	if !h.reads || c.only == nil && !h.once {
		return false, false
	}
	ctx, out := withOutgoing(r.Context())
	a, view := t.run(ctx, exec, op, c.only, h.once)
	if view.Kept() {
		if c.only != nil {
			t.config.Confirm(r, *c.only)
		}
		t.send(w, r, a, out)
		return true, true
	}
	plan.Sent(a.Data)
	forget(r.Context())
	if count, ok := view.Answer(); c.only == nil || ok && count == *c.only {
		t.habits.refused(op) // it was not the token
	}
	return true, false
}

// assured is the request with a caller whose token was looked at for it; false
// when the token does not hold and that was answered.
func (t *overHTTP) assured(w http.ResponseWriter, r *http.Request) (*http.Request, bool) {
	c := callerOf(r.Context())
	if c.only == nil {
		return r, true
	}
	who, err := t.config.Actor(r)
	if err != nil {
		refuse(w, r, t.config.Resolver.present(r.Context(), err))
		return r, false
	}
	return r.WithContext(t.config.Resolver.as(r.Context(), who)), true
}

// maxHabits is of how many operations it is known what they do.
const maxHabits = maxCached

// habits are what operations did when they were run last. The zero value knows
// none.
type habits struct {
	mu    sync.Mutex
	known *simplelru.LRU[*ast.OperationDefinition, habit]
}

// habit is what an operation did.
type habit struct {
	reads bool // and writes nothing
	once  bool // with one message to the database
	more  bool // it was taken for one that needs no second, and did: for good
}

func (h *habits) of(op *graphql.OperationContext) habit {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known == nil {
		return habit{}
	}
	known, _ := h.known.Get(op.Operation)
	return known
}

// learn notes what an operation did when it was run the ordinary way.
func (h *habits) learn(op *graphql.OperationContext, view *audit.Moment) {
	if len(op.RawQuery) > maxKept {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known == nil {
		known, err := simplelru.NewLRU[*ast.OperationDefinition, habit](maxHabits, nil)
		if err != nil {
			panic(err) // the size is not positive
		}
		h.known = known
	}
	was, _ := h.known.Peek(op.Operation)
	reads, once := view.Plain()
	h.known.Add(op.Operation, habit{reads: reads, once: once && !was.more, more: was.more})
}

// refused notes that an operation did more than was taken for granted.
func (h *habits) refused(op *graphql.OperationContext) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.known.Add(op.Operation, habit{more: true})
}
