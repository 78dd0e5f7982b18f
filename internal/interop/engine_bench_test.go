package interop

import (
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/spec/vc"
)

// BenchmarkEngine measures the operations of the table beside bare signatures
// made in between, so that neighbours on a shared machine slow down both.
func BenchmarkEngine(b *testing.B) {
	t := &testing.T{}
	s := newSubjects(t, 100, 400, 1000)
	i := s.issuer
	suite := []string{vc.EdDSARDFC}
	for _, c := range []struct {
		name  string
		bares int // bare signatures for one operation
		once  func()
	}{
		{"issue", 1, func() { i.issueOurs(t, s.badge, suite) }},
		{"verify", 1, func() { verifyOurs(t, i.resolve, s.signed) }},
		{"record-100-cold", 100, func() { i.issueOurs(t, s.records[100], suite) }},
		{"record-100-kept", 100, func() { i.issueOurs(t, s.records[100], suite, s.parts[100]...) }},
		{"record-100-verify", 100, func() { verifyWhole(t, i.resolve, s.recordsSigned[100]) }},
		{"record-400-cold", 100, func() { i.issueOurs(t, s.records[400], suite) }},
		{"record-1000-cold", 100, func() { i.issueOurs(t, s.records[1000], suite) }},
		{"record-1000-kept", 100, func() { i.issueOurs(t, s.records[1000], suite, s.parts[1000]...) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var ours, bare time.Duration
			message := make([]byte, 64)
			for b.Loop() {
				start := time.Now()
				c.once()
				middle := time.Now()
				for range c.bares {
					ed25519.Sign(i.key, message)
				}
				ours += middle.Sub(start)
				bare += time.Since(middle)
			}
			b.ReportMetric(float64(ours)/float64(bare)*float64(c.bares), "signs/op")
		})
	}
}
