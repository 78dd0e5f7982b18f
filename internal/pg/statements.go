package pg

import (
	"strings"
	"sync"
)

// Statements is what was sent to the database for one request, without the
// begin and commit around it.
type Statements struct {
	mu  sync.Mutex
	sql []string
}

func (s *Statements) add(sql string) {
	if strings.HasPrefix(sql, "begin") || sql == "commit" || sql == "rollback" || strings.HasSuffix(sql, besides) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sql = append(s.sql, sql)
}

// Len is how many statements were sent.
func (s *Statements) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sql)
}

// SQL are the statements in order.
func (s *Statements) SQL() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.sql...)
}
