package cost

import (
	"testing"
	"time"
)

// told is a test that hears of its failures.
type told struct {
	testing.TB
	failed bool
}

func (t *told) Helper()               {}
func (t *told) Errorf(string, ...any) { t.failed = true }

// busy keeps the processor busy for about a number of rounds.
func busy(rounds int) (sum int) {
	for i := range rounds {
		sum += i * i % 7
	}
	return sum
}

var sink int

func TestWhatGrowsWithTheSquareIsFound(t *testing.T) {
	linear, square := &told{TB: t}, &told{TB: t}
	Linear(linear, "linear", 15, func(n int) { sink = busy(n * 1e6) })
	Linear(square, "square", 14, func(n int) { sink = busy(n * n * 1e5) })
	if linear.failed || !square.failed {
		t.Errorf("linear work fails: %v, square work fails: %v", linear.failed, square.failed)
	}
	small, large := &told{TB: t}, &told{TB: t}
	little, much := func() { sink = busy(20e6) }, func() { sink = busy(100e6) }
	Share(small, "little", 0.5, little, much)
	Share(large, "much", 0.5, much, little)
	if small.failed || !large.failed {
		t.Errorf("a tenth is too much: %v, ten times too much: %v", small.failed, large.failed)
	}
	if d := Spent(func() { time.Sleep(50 * time.Millisecond) }); d > 40*time.Millisecond {
		t.Errorf("sleeping takes %v", d)
	}
}
