package extract

import (
	"math/rand/v2"
	"testing"
)

// From what is told of a row, with the whole and the bound known, no count from
// 1 to least-1 can be worked out: those hidden are two at least, and together
// least at least, so that none follows from the others.
func TestSuppressed(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var n [4]int
		total := 0
		for i := range n {
			switch r.IntN(3) {
			case 0:
				n[i] = r.IntN(12)
			case 1:
				n[i] = r.IntN(80)
			}
			total += n[i]
		}
		cells := suppressed(n, smallest)
		hidden, sum, left := 0, 0, 0
		for i, c := range cells {
			switch {
			case c.Hidden && c.Count != 0:
				t.Fatalf("%v: a hidden cell still has its count", n)
			case c.Hidden:
				hidden, sum = hidden+1, sum+n[i]
			case c.Count != n[i]:
				t.Fatalf("%v: %v", n, cells)
			case c.Count > 0 && c.Count < smallest:
				t.Fatalf("%v: %d is told", n, c.Count)
			case c.Count > 0:
				left++
			}
		}
		if total < smallest && hidden != 4 {
			t.Fatalf("%v: so few learners are told of", n)
		}
		if total >= smallest && hidden > 0 && (hidden == 1 || sum < smallest) && left > 0 {
			t.Fatalf("%v: what is hidden can be worked out: %v", n, cells)
		}
	}
	if got := suppressed([4]int{195, 5, 0, 0}, 10); !got[0].Hidden || !got[1].Hidden || got[2].Hidden {
		t.Errorf("%v", got)
	}
}
