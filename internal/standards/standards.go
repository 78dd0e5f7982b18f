// Package standards finds the official files that tests are held against.
//
// The contexts, schemas, examples and vectors of W3C and 1EdTech are not part
// of this project: a test reads them from the folder named by
// TESTAMUR_STANDARDS, else from shared/standards beside the checkout, and is
// skipped with a message where neither is there. Only tests import it.
package standards

import (
	"os"
	"path/filepath"
	"testing"
)

// Dir is the folder of official files. It skips the test when there is none.
func Dir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("TESTAMUR_STANDARDS")
	if dir == "" {
		dir = filepath.Join(moduleRoot(t), "..", "shared", "standards")
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		t.Skipf("no official files at %s: set TESTAMUR_STANDARDS to the folder that holds contexts, schemas and examples", dir)
	}
	return dir
}

// Read is one official file, named by its path below Dir.
func Read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(Dir(t), filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Glob lists the official files that match a pattern below Dir, as full paths.
// An official set that is missing is a failure, not an empty loop.
func Glob(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(Dir(t), filepath.FromSlash(pattern)))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no official file matches %s", pattern)
	}
	return files
}

// moduleRoot walks up from the test's folder to the one that holds go.mod.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = parent
	}
}
