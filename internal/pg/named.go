package pg

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5"
)

// placed is a statement with its named parameters numbered.
type placed struct {
	sql   string
	names []string // in the order of their numbers
}

// numbered are the statements of named parameters that were read before. There
// are as many as the nouns have, and no more than maxNumbered.
var numbered = struct {
	sync.RWMutex
	known map[string]placed
}{known: map[string]placed{}}

const maxNumbered = 2_000

// inOrder is a statement and its arguments as pgx would make them of named ones,
// which reads the whole statement each time. Other arguments stay as they are.
func inOrder(ctx context.Context, sql string, args []any) (string, []any) {
	if len(args) != 1 {
		return sql, args
	}
	given, ok := args[0].(pgx.NamedArgs)
	if !ok {
		return sql, args
	}
	numbered.RLock()
	p, ok := numbered.known[sql]
	numbered.RUnlock()
	if !ok {
		if p, ok = number(ctx, sql, given); !ok {
			return sql, args // pgx says what is wrong with it
		}
	}
	values := make([]any, len(p.names))
	for i, name := range p.names {
		values[i] = given[name]
	}
	return p.sql, values
}

// number reads a statement; false when a parameter has no value, or it cannot be
// read.
func number(ctx context.Context, sql string, given pgx.NamedArgs) (placed, bool) {
	names := make(pgx.NamedArgs, len(given))
	for name := range given {
		names[name] = name
	}
	text, order, err := names.RewriteQuery(ctx, nil, sql, nil)
	if err != nil {
		return placed{}, false
	}
	p := placed{sql: text, names: make([]string, len(order))}
	for i, name := range order {
		var ok bool
		if p.names[i], ok = name.(string); !ok {
			return placed{}, false
		}
	}
	numbered.Lock()
	defer numbered.Unlock()
	if len(numbered.known) < maxNumbered {
		numbered.known[sql] = p
	}
	return p, true
}
