package institution

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/testamur/testamur/internal/access"
)

// How many tokens a process remembers, and how long without looking at them.
const (
	maxTokens     = 10_000
	rememberedFor = time.Minute
)

// tokens remembers what tokens stood for, by their hash: it could not tell
// anybody a token. The zero value is empty and ready.
//
// It decides nothing. What is remembered was true in one state of the
// institution, which the database counts (audit.Generation): every change of a
// client counts, by a trigger. Whoever answers by it reads the count together
// with what is answered, and throws the answer away when it is another one.
type tokens struct {
	mu    sync.Mutex
	known *simplelru.LRU[[sha256.Size]byte, remembered]
}

// remembered is what a token stood for when it was looked at.
type remembered struct {
	who        access.Actor
	generation int64
	at         time.Time
	expires    *time.Time
	confirmed  bool // the actor itself sees the count
}

func (t *tokens) keep(bearer string, r remembered) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil {
		known, err := simplelru.NewLRU[[sha256.Size]byte, remembered](maxTokens, nil)
		if err != nil {
			panic(err) // the size is not positive
		}
		t.known = known
	}
	key := sha256.Sum256([]byte(bearer))
	if old, ok := t.known.Peek(key); ok {
		r.confirmed = old.confirmed && old.who.Equal(r.who)
	}
	t.known.Add(key, r)
}

func (t *tokens) forget(bearer string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known != nil {
		t.known.Remove(sha256.Sum256([]byte(bearer)))
	}
}

// Recall is whom a token stood for, and the count of the institution's changes
// (audit.Generation) as long as which it still does; false when this process
// does not remember. The token must be looked at (Authenticate) before anything
// leaves that was not read together with that count.
func (s *Service) Recall(bearer string) (access.Actor, int64, bool) {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	if s.tokens.known == nil {
		return access.Actor{}, 0, false
	}
	r, ok := s.tokens.known.Get(sha256.Sum256([]byte(bearer)))
	now := s.Now()
	if !ok || !r.confirmed || now.Sub(r.at) >= rememberedFor || now.Before(r.at) || r.expires != nil && !now.Before(*r.expires) {
		return access.Actor{}, 0, false
	}
	return r.who, r.generation, true
}

// Confirm says which count the actor of a token that was looked at has read
// itself. From then on it is recalled, if it was that count then.
func (s *Service) Confirm(bearer string, generation int64) {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	if s.tokens.known == nil {
		return
	}
	key := sha256.Sum256([]byte(bearer))
	if r, ok := s.tokens.known.Peek(key); ok && !r.confirmed && r.generation == generation {
		r.confirmed = true
		s.tokens.known.Add(key, r)
	}
}
