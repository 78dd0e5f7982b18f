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
	"github.com/testamur/testamur/internal/cost"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/sharing"
)

// together is how many visitors open at once.
const together = 16

// BenchmarkOpen opens links, each with its line on file in its own transaction,
// and in turns writes the same lines in transactions of their own and nothing
// else: what the log costs by itself. It tells the rates by the clock, and the
// processor time of one of each with the database's, which neighbours disturb less;
// what two cores do in a second follows from that.
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
	var opened, inserted effort
	rounds := 0
	for b.Loop() {
		opened.add(func() time.Duration { return many(b, each, open) })
		inserted.add(func() time.Duration { return many(b, each, insert) })
		rounds++
	}
	n := float64(rounds * each)
	opened.tell(b, n, "opening")
	inserted.tell(b, n, "insert")
	b.ReportMetric(opened.took.Seconds()/inserted.took.Seconds(), "openings/inserts")
	b.ReportMetric(opened.cpu.Seconds()/inserted.cpu.Seconds(), "openings/inserts-cpu")
	b.ReportMetric(0, "ns/op")
}

// effort is how long something took, and the processor time of it.
type effort struct{ took, cpu time.Duration }

func (e *effort) add(do func() time.Duration) {
	own, below := cost.Used()
	e.took += do()
	own1, below1 := cost.Used()
	e.cpu += own1 - own + below1 - below
}

func (e *effort) tell(b *testing.B, n float64, of string) {
	b.ReportMetric(n/e.took.Seconds(), of+"s/s")
	b.ReportMetric(float64(e.cpu.Microseconds())/n, "cpu-us/"+of)
	b.ReportMetric(2*n/e.cpu.Seconds(), of+"s/s-of-2-cores")
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
