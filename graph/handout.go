package graph

import (
	"context"
	"sync"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/release"
)

// outgoing are the signed documents that an answer gives out. A list reads and
// weighs them together; what was really asked for is handed out, with its lines in
// the account, before the answer leaves.
type outgoing struct {
	mu     sync.Mutex
	pieces map[string]release.Piece
	no     map[string]bool // the answer says that they are held back
}

type outgoingKey struct{}

// withOutgoing gives a context whose documents are handed out by settle.
func withOutgoing(ctx context.Context) (context.Context, *outgoing) {
	o := &outgoing{}
	return context.WithValue(ctx, outgoingKey{}, o), o
}

// any reports whether the answer has to do with a signed document.
func (o *outgoing) any() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.pieces) > 0
}

func (o *outgoing) add(p release.Piece, held bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pieces == nil {
		o.pieces, o.no = map[string]release.Piece{}, map[string]bool{}
	}
	o.pieces[p.ID], o.no[p.ID] = p, held
}

// viaGraph is how documents leave here.
var viaGraph = release.Taking{Channel: disclosure.ByAPI, Purpose: "the GraphQL API"}

// settle hands out what the answer holds. It is an error where something was held
// back since the answer was made.
func (o *outgoing) settle(ctx context.Context, who access.Actor, holds *release.Service) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.pieces) == 0 {
		return nil
	}
	var given, kept []release.Piece
	for id, p := range o.pieces {
		if o.no[id] {
			kept = append(kept, p)
		} else {
			given = append(given, p)
		}
	}
	if err := holds.Ask(ctx, who, viaGraph, kept...); err != nil && fault.KindOf(err) != fault.Forbidden {
		return err
	}
	cleared, err := holds.HandOut(ctx, who, viaGraph, given...)
	if no := cleared.Refusal(); err == nil && no != nil {
		return no
	}
	return err
}

// weighed is a signed document with what release says of it.
type weighed struct {
	release.Sealed
	release.Cleared
}

// weighing reads signed documents together.
func (r *Resolver) weighing(ctx context.Context, who access.Actor, ids []credential.ID) (map[credential.ID]weighed, error) {
	all, err := r.Credentials.Sealed(ctx, who, ids)
	if err != nil {
		return nil, err
	}
	var pieces []release.Piece
	for _, s := range all {
		pieces = append(pieces, s.Piece)
	}
	cleared, err := r.Holds.Weigh(ctx, who, pieces...)
	out := make(map[credential.ID]weighed, len(all))
	for id, s := range all {
		out[id] = weighed{s, cleared}
	}
	return out, err
}

// document is what was signed, as the answer gives it out.
func (r *Resolver) document(ctx context.Context, id credential.ID) (*string, error) {
	w, err := load(ctx).signed.Load(ctx, id)
	if err != nil || w == nil {
		return nil, err
	}
	var raw []byte
	if o, ok := ctx.Value(outgoingKey{}).(*outgoing); ok {
		raw, err = w.Open(w.Cleared)
		o.add(w.Piece, err != nil)
	} else { // an answer that leaves bit by bit
		raw, err = r.Holds.HandOver(ctx, actor(ctx), viaGraph, w.Sealed)
	}
	if err != nil {
		return nil, err
	}
	text := string(raw)
	return &text, nil
}
