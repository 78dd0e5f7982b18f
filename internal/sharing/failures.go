package sharing

import (
	"net/netip"
	"sync"
	"time"
)

// What one address may try in vain: so many at once, and one more in a while.
const (
	failuresAtOnce = 30
	failureEvery   = 20 * time.Second
	maxAddresses   = 20_000
)

// failures keeps, for each network that a visitor comes from, how often they may
// still be wrong. A try is taken before it is looked at and given back when it
// was right, so that many at one moment are no more than one after the other.
// It is of this process; what a share itself allows is in the database.
type failures struct {
	mu   sync.Mutex
	each map[netip.Prefix]*tries
}

type tries struct {
	left float64
	at   time.Time
}

// take takes one try; false when there is none.
func (f *failures) take(from netip.Prefix, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.of(from, now)
	t.earn(now)
	if t.left < 1 {
		return false
	}
	t.left--
	return true
}

// give gives a try back.
func (f *failures) give(from netip.Prefix, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.of(from, now)
	t.left = min(failuresAtOnce, t.left+1)
}

func (f *failures) of(from netip.Prefix, now time.Time) *tries {
	if t := f.each[from]; t != nil {
		return t
	}
	if f.each == nil {
		f.each = map[netip.Prefix]*tries{}
	}
	if len(f.each) >= maxAddresses {
		for p, t := range f.each { // one that has earned all back is as one that is new
			if t.earn(now); t.left >= failuresAtOnce {
				delete(f.each, p)
			}
		}
	}
	if len(f.each) >= maxAddresses {
		from = netip.Prefix{} // newcomers share one
		if t := f.each[from]; t != nil {
			return t
		}
	}
	t := &tries{failuresAtOnce, now}
	f.each[from] = t
	return t
}

func (t *tries) earn(now time.Time) {
	if d := now.Sub(t.at); d > 0 {
		t.left, t.at = min(failuresAtOnce, t.left+d.Seconds()/failureEvery.Seconds()), now
	}
}

// networkOf is the network of an address, without its host: a household has 2^64
// addresses of IPv6. It is what is kept of where somebody asked from.
func networkOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 24
	switch {
	case !a.IsValid():
		return netip.Prefix{}
	case a.Is6():
		bits = 48
	}
	p, _ := a.Prefix(bits)
	return p
}
