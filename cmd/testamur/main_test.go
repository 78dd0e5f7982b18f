package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/testamur/testamur/internal/pgtest"
)

// TestMain lets the test program be the command, for sessions and for a process
// that can be killed.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"testamur": main})
}

// TestSessions runs what a person types, each session on a database of its own.
func TestSessions(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/script/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sessions: %v", err)
	}
	for _, f := range files {
		url := pgtest.URL(t)
		testscript.Run(t, testscript.Params{Files: []string{f}, UpdateScripts: *update, RequireUniqueNames: true, Setup: func(e *testscript.Env) error {
			e.Setenv("TESTAMUR_DATABASE_URL", url)
			e.Setenv("TESTAMUR_DATA", filepath.Join(e.WorkDir, "data"))
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("TZ", "Pacific/Kiritimati") // where it is tomorrow already
			e.Setenv("STANDARDS", os.Getenv("TESTAMUR_STANDARDS"))
			return nil
		}})
	}
}
