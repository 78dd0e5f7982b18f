// Package pgtest gives a test a fresh, migrated database of its own.
//
// The server is the one that TESTAMUR_TEST_DATABASE_URL names (as a superuser),
// else a private one that this process starts and that ends with it. The
// migrated template is made once for each state of the migrations; a test gets
// a copy, which takes some 30 ms, and the copy goes when the test ends.
package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/postgres"
	"github.com/testamur/testamur/migrations"
)

// New is a pool on a fresh database, as the service would open it, counting
// statements.
func New(t testing.TB) *pg.DB {
	t.Helper()
	return Open(t, URL(t), pg.Options{MaxConns: 8, Tracer: pg.Counter{}})
}

// Open is a pool on a database that URL gave, closed when the test ends.
func Open(t testing.TB, url string, o pg.Options) *pg.DB {
	t.Helper()
	db, err := pg.Open(context.Background(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

var copies atomic.Int64

// URL is a fresh migrated database, for its owner, who bypasses row security.
func URL(t testing.TB) string {
	t.Helper()
	return copied(t, template())
}

// Copy is a fresh database with all that is in one of this package's, for tests
// that begin with the same rows. Nothing may be connected to that one meanwhile.
func Copy(t testing.TB, of string) string {
	t.Helper()
	u, err := url.Parse(of)
	if err != nil {
		t.Fatal(err)
	}
	return copied(t, strings.TrimPrefix(u.Path, "/"))
}

func copied(t testing.TB, from string) string {
	t.Helper()
	at, drop, err := create(from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := drop(); err != nil {
			t.Error(err)
		}
	})
	return at
}

// Keep is a fresh migrated database that outlives the test, to be filled once and
// copied; drop it before the process ends.
func Keep() (at string, drop func() error, err error) { return create(template()) }

func create(from string) (at string, drop func() error, err error) {
	server, err := start()
	if err != nil {
		return "", nil, err
	}
	name := fmt.Sprintf("testamur_test_%d_%d", os.Getpid(), copies.Add(1))
	if err := server.exec(fmt.Sprintf("create database %s template %s strategy file_copy", name, from)); err != nil {
		return "", nil, err
	}
	return server.database(name), func() error { return server.exec("drop database if exists " + name + " with (force)") }, nil
}

// template is named after the state of the migrations.
func template() string { return "testamur_template_" + migrations.Hash()[:16] }

// server is where the databases live.
type server struct {
	url  *url.URL
	slot *os.File // locked as long as it is open, and kept from being collected
}

// start finds or starts the server once for the process, and makes the template.
var start = sync.OnceValues(func() (*server, error) {
	s, err := open()
	if err != nil {
		return nil, err
	}
	return s, s.makeTemplate()
})

func open() (*server, error) {
	text := os.Getenv("TESTAMUR_TEST_DATABASE_URL")
	var slot *os.File
	if text == "" {
		private, taken, err := startPrivate()
		if err != nil {
			return nil, err
		}
		text, slot = private.URL(), taken
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("TESTAMUR_TEST_DATABASE_URL is not a URL")
	}
	return &server{u, slot}, nil
}

// startPrivate starts a server in the first free of a few places, so that the
// packages tested side by side each have one and later runs find it made. The
// place is taken while the file is open; the kernel ends the server with this
// process.
func startPrivate() (*postgres.Server, *os.File, error) {
	in, err := postgres.Find(os.Getenv("PATH"), os.Getenv("TESTAMUR_POSTGRES_BIN"))
	if err != nil {
		return nil, nil, err
	}
	base := filepath.Join(os.TempDir(), fmt.Sprintf("testamur-pgtest-%d-%d", os.Geteuid(), in.Major))
	for n := range 64 {
		dir := filepath.Join(base, fmt.Sprint(n))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, nil, err
		}
		slot, err := os.OpenFile(filepath.Join(base, fmt.Sprintf("%d.slot", n)), os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			return nil, nil, err
		}
		if syscall.Flock(int(slot.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
			slot.Close()
			continue
		}
		private, err := postgres.Start(context.Background(), postgres.Options{Dir: dir, Install: in, Volatile: true})
		return private, slot, err
	}
	return nil, nil, fmt.Errorf("no free place for a test database below %s", base)
}

func (s *server) database(name string) string {
	u := *s.url
	u.Path = "/" + name
	return u.String()
}

func (s *server) exec(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url.String())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// templateLock lets one process at a time make the template.
const templateLock = 7_364_151_201

func (s *server) makeTemplate() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url.String())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "select pg_advisory_lock($1)", int64(templateLock)); err != nil {
		return err
	}
	var ready bool
	if err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", template()).Scan(&ready); err != nil || ready {
		return err
	}
	return s.fillTemplate(ctx, conn)
}

// fillTemplate migrates under another name and renames, so that a template
// that exists is whole.
func (s *server) fillTemplate(ctx context.Context, conn *pgx.Conn) error {
	half := template() + "_half"
	if _, err := conn.Exec(ctx, "drop database if exists "+half+" with (force)"); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "create database "+half); err != nil {
		return err
	}
	inside, err := pgx.Connect(ctx, s.database(half))
	if err != nil {
		return err
	}
	err = migrations.Up(ctx, inside)
	inside.Close(ctx)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "alter database "+half+" rename to "+template())
	return err
}
