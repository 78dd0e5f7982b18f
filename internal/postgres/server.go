package postgres

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Options of a private server.
type Options struct {
	Dir      string  // the data directory; made when it is not there
	Install  Install // the programs
	Volatile bool    // tests only: do not wait for the disk
}

// Server is a running private PostgreSQL.
type Server struct {
	dir, sockets string
	ownSockets   bool // sockets is a temporary folder to remove
	password     string
	lock         *os.File
	cmd          *exec.Cmd
	done         chan struct{} // closed when the server has ended
	ended        error         // why, once done is closed
}

// The names of what lies in a data directory.
const (
	lockName     = "lock"
	clusterName  = "postgres"
	passwordName = "postgres.password"
	logName      = "postgres.log"
	login        = "testamur"
)

// Limits of starting and stopping.
const (
	startWithin = 60 * time.Second
	stopWithin  = 30 * time.Second
	maxSocket   = 107 // bytes of a Unix socket's path
)

// Start makes the cluster if there is none and starts it. The error is a
// sentence when the directory is in use, unreachable for the unprivileged user,
// or was made by another version.
func Start(ctx context.Context, o Options) (*Server, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	s := &Server{dir: dir, done: make(chan struct{})}
	if err := s.takeLock(); err != nil {
		return nil, err
	}
	if err := s.start(ctx, o); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, o Options) error {
	owner, err := unprivileged()
	if err != nil {
		return err
	}
	if err := owner.reaches(s.dir); err != nil {
		return err
	}
	if err := owner.reaches(o.Install.Bin); err != nil {
		return err
	}
	if err := s.readPassword(); err != nil {
		return err
	}
	if err := s.makeCluster(o.Install, owner); err != nil {
		return err
	}
	if err := s.endLeftover(); err != nil {
		return err
	}
	if err := s.makeSockets(owner); err != nil {
		return err
	}
	if err := s.run(o, owner); err != nil {
		return err
	}
	if err := s.await(ctx); err != nil {
		return err
	}
	return s.makeDatabase(ctx)
}

// takeLock makes this process the only one at work in the directory.
func (s *Server) takeLock() error {
	f, err := os.OpenFile(filepath.Join(s.dir, lockName), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("open the data directory's lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder := make([]byte, 32)
		n, _ := f.Read(holder)
		f.Close()
		return fmt.Errorf("the data directory %s is in use by process %s: stop that process, or choose another directory with --data", s.dir, strings.TrimSpace(string(holder[:n])))
	}
	f.Truncate(0)
	fmt.Fprintf(f, "%d\n", os.Getpid())
	s.lock = f
	return nil
}

// readPassword reads the login's password, or makes it the first time.
func (s *Server) readPassword() error {
	name := filepath.Join(s.dir, passwordName)
	b, err := os.ReadFile(name)
	if err == nil {
		s.password = strings.TrimSpace(string(b))
		return nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read the database password: %w", err)
	}
	raw := make([]byte, 24)
	if _, err := rand.Read(raw); err != nil {
		return err
	}
	s.password = hex.EncodeToString(raw)
	if err := os.WriteFile(name, []byte(s.password+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep the database password: %w", err)
	}
	return nil
}

// makeCluster runs initdb into a folder beside the final one and renames it, so
// that an interrupted first start leaves nothing half made.
func (s *Server) makeCluster(in Install, owner user) error {
	final := filepath.Join(s.dir, clusterName)
	version, err := os.ReadFile(filepath.Join(final, "PG_VERSION"))
	if err == nil {
		if v := strings.TrimSpace(string(version)); v != strconv.Itoa(in.Major) {
			return fmt.Errorf("the data directory %s was made by PostgreSQL %s and the one found is %s (%s): install PostgreSQL %s, or move the data with pg_upgrade", s.dir, v, in.Version, in.Bin, v)
		}
		return nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read the cluster's version: %w", err)
	}
	fresh := final + ".new"
	for _, locale := range []string{"C.UTF-8", "C"} {
		if err = s.initdb(in, owner, fresh, locale); err == nil {
			return os.Rename(fresh, final)
		}
	}
	return err
}

func (s *Server) initdb(in Install, owner user, dir, locale string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := owner.makeDir(dir); err != nil {
		return err
	}
	secret := dir + ".password"
	if err := os.WriteFile(secret, []byte(s.password), 0o600); err != nil {
		return err
	}
	defer os.Remove(secret)
	if err := owner.give(secret); err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(in.Bin, "initdb"), "-D", dir, "-U", login, "--auth=scram-sha-256", "--pwfile="+secret,
		"--encoding=UTF8", "--locale="+locale, "--data-checksums", "--no-instructions")
	owner.become(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make the database cluster in %s: %w\n%s", dir, err, out)
	}
	return nil
}

// endLeftover waits for a server whose service was killed, and helps it along.
func (s *Server) endLeftover() error {
	name := filepath.Join(s.dir, clusterName, "postmaster.pid")
	deadline := time.Now().Add(stopWithin)
	for asked := false; ; {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil // it ended and cleared up
		}
		first, _, _ := strings.Cut(string(b), "\n")
		pid, err := strconv.Atoi(strings.TrimSpace(first))
		if err != nil || !isPostgres(pid) {
			return nil // a file left by a crash: the server deals with it
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("a PostgreSQL (process %d) is still at work in %s and does not stop", pid, s.dir)
		}
		if !asked {
			syscall.Kill(pid, syscall.SIGINT)
			asked = true
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// isPostgres tells a leftover server from a stranger that was given its number.
func isPostgres(pid int) bool {
	if syscall.Kill(pid, 0) == syscall.ESRCH {
		return false
	}
	out, err := exec.Command("ps", "-o", "comm=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		return err == nil && strings.Contains(string(comm), "postgres")
	}
	return strings.Contains(string(out), "postgres")
}

// makeSockets is a folder for the socket that only the owner and root enter:
// in the data directory, or in a temporary one where that path is too long.
func (s *Server) makeSockets(owner user) error {
	s.sockets = filepath.Join(s.dir, "socket")
	if len(s.sockets)+len("/.s.PGSQL.5432") > maxSocket {
		dir, err := os.MkdirTemp("", "testamur-")
		if err != nil {
			return err
		}
		s.sockets, s.ownSockets = dir, true
	}
	return owner.makeDir(s.sockets)
}

// run starts the server. The goroutine keeps its thread, because the kernel
// sends the parent's death signal when the thread that forked ends.
func (s *Server) run(o Options, owner user) error {
	log, err := os.OpenFile(filepath.Join(s.dir, logName), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return fmt.Errorf("open the database log: %w", err)
	}
	cmd := exec.Command(filepath.Join(o.Install.Bin, "postgres"), "-D", filepath.Join(s.dir, clusterName))
	for _, v := range s.settings(o) {
		cmd.Args = append(cmd.Args, "-c", v)
	}
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, "/"
	owner.become(cmd)
	dieWithParent(cmd)
	started, done := make(chan error), s.done
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			s.ended = cmd.Wait()
			close(done)
		}
		log.Close()
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	s.cmd = cmd
	return nil
}

func (s *Server) settings(o Options) []string {
	all := []string{
		"listen_addresses=", "unix_socket_directories=" + s.sockets, "unix_socket_permissions=0700", "port=5432",
		"max_connections=100", "shared_buffers=256MB", "effective_cache_size=1GB", "work_mem=16MB",
		"maintenance_work_mem=128MB", "max_wal_size=2GB", "wal_compression=on", "random_page_cost=1.1",
		"log_min_messages=warning", "log_statement=none", "log_min_error_statement=panic", "log_parameter_max_length_on_error=0",
		"logging_collector=off", "log_line_prefix=%m [%p] ",
	}
	if o.Volatile {
		all = append(all, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}
	return all
}

// await returns when the server answers.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, s.url("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.done:
			return fmt.Errorf("PostgreSQL ended at once (%v); the end of %s:\n%s", s.ended, filepath.Join(s.dir, logName), s.logTail())
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not answer within %s: %w", startWithin, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *Server) logTail() string {
	b, err := os.ReadFile(filepath.Join(s.dir, logName))
	if err != nil {
		return ""
	}
	return string(b[max(0, len(b)-1500):])
}

func (s *Server) makeDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		return fmt.Errorf("connect to the private database: %w", err)
	}
	defer conn.Close(ctx)
	var there bool
	if err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", login).Scan(&there); err != nil {
		return err
	}
	if !there {
		_, err = conn.Exec(ctx, "create database "+login)
	}
	return err
}

func (s *Server) url(database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(login, s.password), Path: "/" + database,
		RawQuery: url.Values{"host": {s.sockets}, "port": {"5432"}}.Encode()}
	return u.String()
}

// URL connects to the service's database as the owner of everything in it.
func (s *Server) URL() string { return s.url(login) }

// Done is closed when the server has ended, wanted or not.
func (s *Server) Done() <-chan struct{} { return s.done }

// Stop ends the server, open transactions included, and gives the directory
// free. It may be called twice.
func (s *Server) Stop() error {
	var err error
	if s.cmd != nil {
		s.cmd.Process.Signal(syscall.SIGINT)
		select {
		case <-s.done:
		case <-time.After(stopWithin):
			s.cmd.Process.Signal(syscall.SIGQUIT)
			<-s.done
			err = errors.New("PostgreSQL did not stop in time and was made to; it will recover at the next start")
		}
		s.cmd = nil
	}
	if s.ownSockets {
		os.RemoveAll(s.sockets)
	}
	if s.lock != nil {
		s.lock.Close()
		s.lock = nil
	}
	return err
}
