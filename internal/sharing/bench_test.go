package sharing_test

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/sharing"
)

// together is how many visitors open at once.
const together = 16

// BenchmarkOpen opens links, each with its line on file in its own transaction,
// and in turns writes the same lines in transactions of their own and nothing
// else: what the log costs by itself.
func BenchmarkOpen(b *testing.B) {
	w := setup(b)
	var links []sharing.Opening
	for range 64 {
		links = append(links, opening(w.share(nil)))
	}
	o, err := w.open(links[0])
	w.ok(err)
	line := w.told(o.Share)
	system := access.SystemOf(string(w.Home.ID), "bench")
	ctx := context.Background()
	open := func(n int) error {
		in := links[n%len(links)]
		in.From = netip.AddrFrom4([4]byte{198, 51, byte(n >> 8), byte(n)})
		_, err := w.Shares.Open(ctx, access.Anonymous(), in)
		return err
	}
	insert := func(int) error {
		l := line[0]
		l.ID = disclosure.ID(id.New("dsc"))
		return w.DB.Tenant(ctx, system, func(tx pgx.Tx) error { return disclosure.Write(ctx, tx, system, l) })
	}
	const each = 2000
	var opened, inserted time.Duration
	rounds := 0
	for b.Loop() {
		opened += many(b, each, open)
		inserted += many(b, each, insert)
		rounds++
	}
	n := float64(rounds * each)
	b.ReportMetric(n/opened.Seconds(), "openings/s")
	b.ReportMetric(n/inserted.Seconds(), "inserts/s")
	b.ReportMetric(opened.Seconds()/inserted.Seconds(), "openings/inserts")
	b.ReportMetric(0, "ns/op")
}

// many does something n times, several at once, and tells how long that took.
func many(b *testing.B, n int, do func(int) error) time.Duration {
	b.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	start := time.Now()
	for range together {
		all.Go(func() {
			for {
				i := int(next.Add(1))
				if i > n {
					return
				}
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	return time.Since(start)
}
