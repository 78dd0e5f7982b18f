package postgres

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func install(t *testing.T) Install {
	t.Helper()
	in, err := Find(os.Getenv("PATH"), os.Getenv("TESTAMUR_POSTGRES_BIN"))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// dataDir is a directory that the unprivileged user can reach, which a test's
// own temporary directory is not.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "testamur-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func run(t *testing.T, dir string) *Server {
	t.Helper()
	s, err := Start(t.Context(), Options{Dir: dir, Install: install(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop() })
	return s
}

func query(t *testing.T, s *Server, sql string) string {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var out string
	if err := conn.QueryRow(ctx, sql).Scan(&out); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return out
}

func exec1(t *testing.T, s *Server, sql string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestDataSurvivesARestartAndNothingListensOnTCP(t *testing.T) {
	dir := dataDir(t)
	s := run(t, dir)
	exec1(t, s, "create table kept (n text); insert into kept values ('still here')")
	if got := query(t, s, "select setting from pg_settings where name = 'listen_addresses'"); got != "" {
		t.Errorf("listens on %q", got)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if got := query(t, run(t, dir), "select n from kept"); got != "still here" {
		t.Errorf("read %q", got)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := dataDir(t)
	run(t, dir)
	_, err := Start(t.Context(), Options{Dir: dir, Install: install(t)})
	if err == nil || !strings.Contains(err.Error(), "in use by process") || !strings.Contains(err.Error(), "--data") {
		t.Errorf("second start: %v", err)
	}
}

func TestOtherVersionIsExplained(t *testing.T) {
	dir := dataDir(t)
	if err := os.MkdirAll(filepath.Join(dir, clusterName), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, clusterName, "PG_VERSION"), []byte("9\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Options{Dir: dir, Install: install(t)})
	if err == nil || !strings.Contains(err.Error(), "was made by PostgreSQL 9") {
		t.Errorf("start: %v", err)
	}
}

func TestRootMustBeAbleToDropItsRights(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root drops its rights")
	}
	dir := filepath.Join(t.TempDir(), "closed", "data")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Options{Dir: dir, Install: install(t)})
	if err == nil || !strings.Contains(err.Error(), "cannot enter") {
		t.Errorf("start below a closed folder: %v", err)
	}
	s := run(t, dataDir(t))
	st, err := os.Stat(filepath.Join(s.dir, clusterName))
	if err != nil || st.Sys().(*syscall.Stat_t).Uid == 0 {
		t.Errorf("the cluster belongs to root (%v)", err)
	}
}

// TestKilledParent starts a server in a child that kills itself, and then
// starts another in the same place.
func TestKilledParent(t *testing.T) {
	if dir := os.Getenv("TESTAMUR_TEST_KILL_DIR"); dir != "" {
		s, err := Start(context.Background(), Options{Dir: dir, Install: install(t)})
		if err != nil {
			t.Fatal(err)
		}
		exec1(t, s, "create table kept (n text); insert into kept values ('committed')")
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		time.Sleep(time.Minute)
	}
	dir := dataDir(t)
	child := exec.Command(os.Args[0], "-test.run=^TestKilledParent$")
	child.Env = append(os.Environ(), "TESTAMUR_TEST_KILL_DIR="+dir)
	if out, err := child.CombinedOutput(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the child was not killed: %v\n%s", err, out)
	}
	if got := query(t, run(t, dir), "select n from kept"); got != "committed" {
		t.Errorf("read %q", got)
	}
}

func TestDiagnose(t *testing.T) {
	dir := dataDir(t)
	run(t, dir)
	found := Diagnose(os.Getenv("PATH"), dir, os.Getenv("TESTAMUR_POSTGRES_BIN"))
	var text []string
	for _, f := range found {
		text = append(text, f.Text)
	}
	if all := strings.Join(text, "\n"); !strings.Contains(all, "holds a database of PostgreSQL") || !strings.Contains(all, "is running") {
		t.Errorf("diagnosis:\n%s", all)
	}
	if none := Diagnose("/nowhere", dir); len(none) == 0 {
		t.Error("no findings at all")
	}
}
