// Package cost holds what a stranger may send to work that grows with its length
// and no faster. Only tests import it.
//
// It measures the time that this process has had of the processors, which does
// not go on while neighbours work, and it compares: what a machine takes for a
// document, or the race detector, says nothing about either.
package cost

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Spent is the processor time of some work. Tests that run beside it in the same
// process are counted with it.
func Spent(work func()) time.Duration {
	before := used()
	work()
	return used() - before
}

func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Used is the processor time that this process has had so far, and that of the
// processes below it: a test's database. The latter is known to a hundredth of a
// second, on Linux; elsewhere it is 0.
func Used() (own, below time.Duration) {
	parents, ticks := map[int]int{}, map[int]int64{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return used(), 0
	}
	for _, name := range stats {
		raw, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		pid, _, _ := strings.Cut(string(raw), " ")
		f := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
		number := func(s string) int64 { n, _ := strconv.ParseInt(s, 10, 64); return n }
		parents[int(number(pid))], ticks[int(number(pid))] = int(number(f[1])), number(f[11])+number(f[12])
	}
	var sum int64
	for pid := range ticks {
		for at, hops := parents[pid], 0; at > 1 && hops < 20; at, hops = parents[at], hops+1 {
			if at == os.Getpid() {
				sum += ticks[pid]
				break
			}
		}
	}
	return used(), time.Duration(sum) * 10 * time.Millisecond
}

// tries are how often something is measured before it counts as too slow: what
// grows with the square of its length does so each time.
const tries = 4

// unseen is what is too short to compare.
const unseen = 20 * time.Millisecond

// Linear fails where four times as much takes more than eight times the work; by
// the square of its length it would take sixteen times.
func Linear(t testing.TB, what string, n int, work func(n int)) {
	t.Helper()
	var small, large time.Duration
	for range tries {
		small, large = Spent(func() { work(n) }), Spent(func() { work(4 * n) })
		if large <= 8*max(small, unseen) {
			return
		}
	}
	t.Errorf("%s: %v for %d, and %v for %d", what, small, n, large, 4*n)
}

// Share fails where some work takes more than a share of other work.
func Share(t testing.TB, what string, share float64, some, other func()) {
	t.Helper()
	least := math.Inf(1)
	for range tries {
		a := Spent(some)
		if a <= unseen {
			return
		}
		if least = min(least, float64(a)/float64(max(Spent(other), 1))); least <= share {
			return
		}
	}
	t.Errorf("%s takes %.2f of what it is held against; at most %.2f", what, least, share)
}
