// Package shelves keeps in memory what all readers of an institution share: its
// achievements, courses and competencies, and what links them. It never keeps
// anything of a learner.
//
// What is kept is exact, in every process: the database counts the changes of
// the catalogue (audit.Generation), a reader asks for the count in the same
// snapshot as everything else, and what is on the shelf belongs to one count.
// There is nothing to invalidate and nobody to be told. Reads outside of a view
// (audit.View) go past the shelf. Values are shared by
// requests and must not be changed.
package shelves

import (
	"context"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
)

// How much is kept of one kind of thing.
const (
	institutions = 64 // with their roles
	things       = 50_000
)

// Shelf keeps things of one kind by key. The zero Shelf is empty and ready.
type Shelf[K comparable, V any] struct {
	mu    sync.Mutex
	books *simplelru.LRU[string, *book[K, V]]
}

// book is what was read at one count of an institution's changes.
type book[K comparable, V any] struct {
	generation int64
	known      map[K]entry[V]
}

// entry is a thing, or that there is none.
type entry[V any] struct {
	value V
	there bool
}

// Take is what belongs to the keys, as the transaction sees it: from the shelf,
// or from fetch, which is asked for what is not there. A key without anything
// is missing from the answer.
func (s *Shelf[K, V]) Take(ctx context.Context, tx pgx.Tx, who access.Actor, keys []K, fetch func([]K) (map[K]V, error)) (map[K]V, error) {
	generation, ok := audit.Generation(ctx, tx)
	if !ok {
		return fetch(keys)
	}
	out := make(map[K]V, len(keys))
	name := who.InstitutionID + rights(who)
	missing := s.take(name, generation, keys, out)
	if len(missing) == 0 {
		return out, nil
	}
	got, err := fetch(missing)
	if err != nil {
		return nil, err
	}
	for k, v := range got {
		out[k] = v
	}
	s.put(name, generation, missing, got)
	return out, nil
}

// rights are what row security may look at besides the institution.
func rights(who access.Actor) string {
	var b strings.Builder
	for _, r := range who.Roles {
		b.WriteByte(' ')
		b.WriteString(string(r))
	}
	return b.String()
}

// take puts what is kept into out and gives the keys of the rest.
func (s *Shelf[K, V]) take(name string, generation int64, keys []K, out map[K]V) (missing []K) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.book(name)
	if b == nil || b.generation != generation {
		return keys
	}
	for _, k := range keys {
		e, ok := b.known[k]
		if !ok {
			missing = append(missing, k)
		} else if e.there {
			out[k] = e.value
		}
	}
	return missing
}

// put keeps what was read. A reader of a moment that has passed leaves what is
// newer alone.
func (s *Shelf[K, V]) put(name string, generation int64, keys []K, got map[K]V) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.book(name)
	if len(keys) > things || b != nil && b.generation > generation {
		return
	}
	if b == nil || b.generation < generation || len(b.known)+len(keys) > things {
		b = &book[K, V]{generation, make(map[K]entry[V], len(keys))}
		s.books.Add(name, b)
	}
	for _, k := range keys {
		v, ok := got[k]
		b.known[k] = entry[V]{v, ok}
	}
}

func (s *Shelf[K, V]) book(name string) *book[K, V] {
	if s.books == nil {
		books, err := simplelru.NewLRU[string, *book[K, V]](institutions, nil)
		if err != nil {
			panic(err) // the size is not positive
		}
		s.books = books
	}
	b, _ := s.books.Get(name)
	return b
}
