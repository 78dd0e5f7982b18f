package postgres

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Join is the URL of the server that another process runs on the directory, for
// commands beside a running service; ok is false when nobody is at work there.
func Join(dir string) (url string, ok bool, err error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", false, err
	}
	if _, err := os.Stat(filepath.Join(abs, clusterName)); err != nil {
		return "", false, nil
	}
	s := &Server{dir: abs}
	free := s.takeLock()
	if free == nil {
		return "", false, s.lock.Close()
	}
	if _, err := os.Stat(filepath.Join(abs, passwordName)); err != nil {
		return "", false, free
	}
	if err := s.readPassword(); err != nil {
		return "", false, fmt.Errorf("the service at work in %s belongs to another user: %w", abs, err)
	}
	pid, err := os.ReadFile(filepath.Join(abs, clusterName, "postmaster.pid"))
	lines := strings.Split(string(pid), "\n")
	if err != nil || len(lines) < 6 {
		return "", false, fmt.Errorf("the service at work in %s has not started its database yet: try again in a moment", abs)
	}
	s.sockets = lines[4] // the socket's folder, as the server's own file says
	return s.URL(), true, nil
}

// Reaches says why the user that PostgreSQL would run as cannot work in a
// directory, which need not be there yet.
func Reaches(dir string) error {
	owner, err := unprivileged()
	if err != nil {
		return err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	for {
		if _, err := os.Stat(abs); err == nil || abs == filepath.Dir(abs) {
			return owner.reaches(abs)
		}
		abs = filepath.Dir(abs)
	}
}

// Revive starts a server again that ended by itself. Done must have been closed,
// and is a new one afterwards.
func (s *Server) Revive(ctx context.Context, o Options) error {
	owner, err := unprivileged()
	if err != nil {
		return err
	}
	if err := s.endLeftover(); err != nil {
		return err
	}
	s.done = make(chan struct{})
	if err := s.run(o, owner); err != nil {
		return err
	}
	return s.await(ctx)
}
