//go:build !race

// The race detector has memory that is kept for the next document thrown away.

package interop

import (
	"runtime"
	"testing"

	"github.com/testamur/testamur/internal/spec/vc"
)

// TestMemoryIsAFewTimesTheDocument: all that is allocated for a record, with
// nothing left from the one before, is at most 20 times its size.
func TestMemoryIsAFewTimesTheDocument(t *testing.T) {
	const most = 20
	s := newSubjects(t, 100, 400)
	suites := []string{vc.EdDSARDFC, vc.EdDSAJCS}
	for _, n := range s.sizes {
		for name, once := range map[string]func(){
			"issued":                  func() { s.issuer.issueOurs(t, s.records[n], suites) },
			"issued with kept forms":  func() { s.issuer.issueOurs(t, s.records[n], suites, s.parts[n]...) },
			"verified with all in it": func() { verifyWhole(t, s.issuer.resolve, s.recordsSigned[n]) },
		} {
			runtime.GC() // twice: what is kept for the next document goes with the second
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			once()
			runtime.ReadMemStats(&after)
			times := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(s.recordsSigned[n]))
			t.Logf("a record of %d, %s: %.1f times its size", n, name, times)
			if times > most {
				t.Errorf("a record of %d takes %.1f times its size to be %s; at most %d", n, times, name, most)
			}
		}
	}
}
