package institution

import (
	"strconv"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/access"
)

func TestOnlySoManyTokensAreRemembered(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	s := &Service{Now: func() time.Time { return now }}
	if _, _, ok := s.Recall("0"); ok {
		t.Error("a token is recalled that nobody sent")
	}
	s.Confirm("0", 1)
	who := access.Actor{ID: "cli_x", Roles: []access.Role{access.Registrar}}
	for n := range maxTokens + 100 {
		s.tokens.keep(strconv.Itoa(n), remembered{who: who, generation: 1, at: now})
	}
	if n := s.tokens.known.Len(); n != maxTokens {
		t.Errorf("%d tokens are remembered", n)
	}
	last := strconv.Itoa(maxTokens + 99)
	if _, _, ok := s.Recall(last); ok {
		t.Error("a token is recalled whose actor has not read the count")
	}
	s.Confirm(last, 2)
	if _, _, ok := s.Recall(last); ok {
		t.Error("a token is recalled that was looked at in another state")
	}
	s.Confirm(last, 1)
	if got, n, ok := s.Recall(last); !ok || n != 1 || !got.Equal(who) {
		t.Errorf("recalled %v %d %v", got, n, ok)
	}
	s.tokens.keep(last, remembered{who: access.Actor{ID: "cli_x"}, generation: 3, at: now})
	if _, _, ok := s.Recall(last); ok {
		t.Error("with other roles it is not known whether the actor reads the count")
	}
	s.tokens.forget(last)
	s.Confirm(last, 3)
	if _, _, ok := s.Recall(last); ok {
		t.Error("a token is recalled that was forgotten")
	}
	now = now.Add(-time.Second)
	s.Confirm("5000", 1)
	if _, _, ok := s.Recall("5000"); ok {
		t.Error("a token is recalled that was looked at in the future: the clock was set back")
	}
}
