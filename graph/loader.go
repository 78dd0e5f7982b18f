package graph

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
)

// A loader fetches things by key and remembers them for the request.
//
// Siblings are resolved in goroutines of their own and nobody knows when the
// last of them has asked. But what they ask for is known as soon as they are
// loaded: a list of assertions names its learners. So keys that were seen
// together are fetched together, by the first that is asked for; nothing waits,
// and a list costs one statement however busy the machine is.
type loader[K comparable, V any] struct {
	kin   func(K) []K // the keys that were seen together with this one
	fetch func(ctx context.Context, keys []K) (map[K]V, error)

	mu    sync.Mutex
	known map[K]*batch[K, V]
}

// batch is one fetch, and what came of it once done is closed.
type batch[K comparable, V any] struct {
	done chan struct{}
	got  map[K]V
	err  error
}

func newLoader[K comparable, V any](kin func(K) []K, fetch func(context.Context, []K) (map[K]V, error)) *loader[K, V] {
	return &loader[K, V]{kin: kin, fetch: fetch}
}

// Load is what belongs to the key; the zero V when there is nothing.
func (l *loader[K, V]) Load(ctx context.Context, key K) (V, error) {
	l.mu.Lock()
	b, ok := l.known[key]
	if !ok {
		b = &batch[K, V]{done: make(chan struct{})}
		keys := l.claim(b, key)
		l.mu.Unlock()
		b.run(ctx, keys, l.fetch)
		return b.got[key], b.err
	}
	l.mu.Unlock()
	select {
	case <-b.done:
		return b.got[key], b.err
	case <-ctx.Done():
		var none V
		return none, ctx.Err()
	}
}

// claim puts the key and its kin into the batch, but for those that are known.
func (l *loader[K, V]) claim(b *batch[K, V], key K) []K {
	if l.known == nil {
		l.known = map[K]*batch[K, V]{}
	}
	keys := []K{key}
	l.known[key] = b
	for _, k := range l.kin(key) {
		if _, ok := l.known[k]; !ok {
			l.known[k] = b
			keys = append(keys, k)
		}
	}
	return keys
}

// run fetches. A panic is an error for all who wait for the batch.
func (b *batch[K, V]) run(ctx context.Context, keys []K, fetch func(context.Context, []K) (map[K]V, error)) {
	defer close(b.done)
	defer func() {
		if v := recover(); v != nil {
			b.err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	b.got, b.err = fetch(ctx, keys)
}

// seen is which ids were seen together in a request.
type seen[K comparable] struct {
	mu    sync.Mutex
	lists [][]K
	first map[K]int   // the list that an id was seen in first
	more  map[K][]int // and the others
}

// add notes ids that stand in one list.
func (s *seen[K]) add(ids []K) {
	if len(ids) < 2 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		s.first = make(map[K]int, len(ids))
	}
	n, list := len(s.lists), make([]K, 0, len(ids))
	for _, id := range ids {
		at, ok := s.first[id]
		if !ok {
			s.first[id] = n
		} else if at == n || slices.Contains(s.more[id], n) {
			continue // twice in this list
		} else {
			if s.more == nil {
				s.more = map[K][]int{}
			}
			s.more[id] = append(s.more[id], n)
		}
		list = append(list, id)
	}
	s.lists = append(s.lists, list)
}

// with are the ids that were seen together with this one.
func (s *seen[K]) with(id K) []K {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.first[id]
	if !ok {
		return nil
	}
	if len(s.more[id]) == 0 {
		return s.lists[at]
	}
	all := slices.Clone(s.lists[at])
	for _, n := range s.more[id] {
		all = append(all, s.lists[n]...)
	}
	return all
}
