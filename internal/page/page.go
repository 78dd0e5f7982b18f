// Package page is keyset pagination: a page of nodes, forward only, with opaque
// cursors that hold the sort key of the last node.
package page

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/testamur/testamur/internal/fault"
)

// The bounds of a page, and of a cursor a client may send.
const (
	DefaultFirst = 50
	MaxFirst     = 100
	maxCursor    = 512
)

// Args are what a client asks of a list.
type Args struct {
	First *int    // how many; nil is DefaultFirst
	After *string // the cursor to go on from; nil is the start
}

// Info says whether there is more.
type Info struct {
	HasNextPage     bool
	HasPreviousPage bool
	StartCursor     *string
	EndCursor       *string
}

// Edge is one node with its cursor.
type Edge[T any] struct {
	Cursor string
	Node   T
}

// Connection is one page of a list.
type Connection[T any] struct {
	Nodes    []T
	PageInfo Info

	cursor func(i int) string // of the i-th node
}

// Edges are the nodes, each with its cursor.
func (c Connection[T]) Edges() []Edge[T] {
	all := make([]Edge[T], len(c.Nodes))
	for i, n := range c.Nodes {
		all[i] = Edge[T]{Cursor: c.cursor(i), Node: n}
	}
	return all
}

// Map is the page with other nodes in the places of its own.
func Map[T, U any](c Connection[T], f func(T) U) Connection[U] {
	out := Connection[U]{Nodes: make([]U, len(c.Nodes)), PageInfo: c.PageInfo, cursor: c.cursor}
	for i, n := range c.Nodes {
		out.Nodes[i] = f(n)
	}
	return out
}

// Limit is the number of nodes asked for. Below 1 or above MaxFirst is Invalid.
func (a Args) Limit() (int, error) {
	if a.First == nil {
		return DefaultFirst, nil
	}
	if *a.First < 1 || *a.First > MaxFirst {
		return 0, fault.At("first", "page-size", "Ask for between 1 and %d at a time.", MaxFirst)
	}
	return *a.First, nil
}

// Key decodes the cursor into the sort keys of type K. The zero K and false
// stand for the start of the list.
func Key[K any](a Args) (K, bool, error) {
	var k K
	if a.After == nil || *a.After == "" {
		return k, false, nil
	}
	bad := fault.At("after", "cursor", "This cursor is not one that this list gave out. Start again without it.")
	if len(*a.After) > maxCursor {
		return k, false, bad
	}
	raw, err := base64.RawURLEncoding.DecodeString(*a.After)
	if err != nil {
		return k, false, bad
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&k); err != nil || dec.More() {
		return k, false, bad
	}
	return k, true, nil
}

// Cursor is the opaque form of a sort key.
func Cursor[K any](k K) string {
	raw, err := json.Marshal(k)
	if err != nil {
		panic(err) // keys are structs of text, numbers and times
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// place is the key of a list that is at hand whole: how many came before.
type place struct {
	N int `json:"n"`
}

// Slice is one page of a list that is at hand whole and is the same each time.
func Slice[T any](all []T, a Args) (Connection[T], error) {
	limit, err := a.Limit()
	if err != nil {
		return Connection[T]{}, err
	}
	from, _, err := Key[place](a)
	if err != nil {
		return Connection[T]{}, err
	}
	at := max(0, min(from.N, len(all)))
	c := Of(all[at:min(len(all), at+limit+1)], limit, a, func(T) place { return place{} })
	c.cursor = func(i int) string { return Cursor(place{at + i + 1}) }
	if len(c.Nodes) > 0 {
		first, last := c.cursor(0), c.cursor(len(c.Nodes)-1)
		c.PageInfo.StartCursor, c.PageInfo.EndCursor = &first, &last
	}
	return c, nil
}

// Start is Limit and Key: how many are asked for, and behind what.
func Start[K any](a Args) (limit int, after K, more bool, err error) {
	if limit, err = a.Limit(); err != nil {
		return 0, after, false, err
	}
	after, more, err = Key[K](a)
	return limit, after, more, err
}

// Moment is the sort key of a list by time and, within one moment, by id.
type Moment struct {
	At time.Time `json:"t"`
	ID string    `json:"i"`
}

// When is nil at the beginning of a list.
func (m Moment) When() *time.Time {
	if m.ID == "" {
		return nil
	}
	return &m.At
}

// Each makes one page of each of several lists, from rows of which each list has
// limit+1 at most. of says which list a row is of; key gives its sort key.
func Each[L comparable, T, K any](lists []L, rows []T, limit int, a Args, of func(T) L, key func(T) K) map[L]Connection[T] {
	by := make(map[L][]T, len(lists))
	for _, r := range rows {
		by[of(r)] = append(by[of(r)], r)
	}
	out := make(map[L]Connection[T], len(lists))
	for _, l := range lists {
		out[l] = Of(by[l], limit, a, key)
	}
	return out
}

// Of makes the page from limit+1 rows: the extra row only says that there is
// more. key gives a node's sort key.
func Of[T, K any](rows []T, limit int, a Args, key func(T) K) Connection[T] {
	more := len(rows) > limit
	if more {
		rows = rows[:limit]
	}
	c := Connection[T]{Nodes: rows, cursor: func(i int) string { return Cursor(key(rows[i])) },
		PageInfo: Info{HasNextPage: more, HasPreviousPage: a.After != nil && *a.After != ""}}
	if rows == nil {
		c.Nodes = []T{}
	}
	if len(rows) > 0 {
		first, last := c.cursor(0), c.cursor(len(rows)-1)
		c.PageInfo.StartCursor, c.PageInfo.EndCursor = &first, &last
	}
	return c
}
