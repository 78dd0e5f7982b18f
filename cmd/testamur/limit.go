package main

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// quota is how much somebody without an account may ask of this process.
type quota struct {
	VisitorRate  float64  `name:"visitor-rate" help:"Requests a second that one address may send without a valid token; 0 sets no limit." env:"TESTAMUR_VISITOR_RATE" default:"50"`
	VisitorBurst int      `name:"visitor-burst" help:"Requests that such an address may send at once." env:"TESTAMUR_VISITOR_BURST" default:"300"`
	TrustedProxy []string `name:"trusted-proxy" help:"Addresses or networks of the proxies in front; the address of a caller is the last in X-Forwarded-For that is none of them. This machine is always one." env:"TESTAMUR_TRUSTED_PROXY" placeholder:"CIDR"`
}

// maxAddresses bounds the memory of the quotas. When as many addresses ask at
// once, those who have been away longest than it takes to earn everything back
// are forgotten, and if none has, newcomers share one quota.
const maxAddresses = 50_000

// limiter gives each address its quota. A request with a token passes free and
// is charged afterwards unless the token turned out to be one, so that guessing
// tokens, and sending one where none is looked at, is as limited as coming
// without. What is charged afterwards may leave an address owing: many requests
// at one moment cost what they would have cost one after the other.
type limiter struct {
	rate    rate.Limit
	burst   int
	proxies proxies
	now     func() time.Time
	mu      sync.Mutex
	each    map[netip.Addr]*rate.Limiter
	rest    *rate.Limiter // of those for whom there is no room
	cleared time.Time     // when the quotas were last looked through
}

// limited stands in front of every way in; next itself where there is no limit.
func (q quota) limited(next http.Handler, now func() time.Time) (http.Handler, error) {
	if q.VisitorRate == 0 {
		return next, nil
	}
	if q.VisitorRate < 0 || math.IsNaN(q.VisitorRate) || math.IsInf(q.VisitorRate, 0) || q.VisitorBurst < 1 {
		return nil, fmt.Errorf("--visitor-rate %v and --visitor-burst %d are no quota: the first is 0 or more requests a second, the second at least 1", q.VisitorRate, q.VisitorBurst)
	}
	trusted, err := q.trusted()
	if err != nil {
		return nil, err
	}
	l := &limiter{rate: rate.Limit(q.VisitorRate), burst: q.VisitorBurst, proxies: trusted, now: now, each: map[netip.Addr]*rate.Limiter{}}
	l.rest = rate.NewLimiter(l.rate, l.burst)
	return l.before(next), nil
}

// proxies are the networks of the proxies in front.
type proxies []netip.Prefix

// trusted are the proxies that are trusted, this machine among them.
func (q quota) trusted() (proxies, error) {
	var all proxies
	for _, text := range append([]string{"127.0.0.0/8", "::1/128"}, q.TrustedProxy...) {
		p, err := prefix(text)
		if err != nil {
			return nil, fmt.Errorf("--trusted-proxy %q is neither an address nor a network such as 10.0.0.0/8", text)
		}
		all = append(all, p)
	}
	return all, nil
}

func prefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	return netip.ParsePrefix(text)
}

func (l *limiter) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		quota := l.of(l.proxies.caller(r))
		known := r.Header.Get("Authorization") != ""
		if wait := l.wait(quota, !known); wait > 0 {
			refuse(w, wait)
			return
		}
		if !known {
			next.ServeHTTP(w, r)
			return
		}
		var shown atomic.Bool
		defer func() {
			if !shown.Load() {
				quota.ReserveN(l.now(), 1)
			}
		}()
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), shownKey{}, &shown)))
	})
}

type shownKey struct{}

// tokenHeld notes that the request's token is one.
func tokenHeld(ctx context.Context) {
	if shown, ok := ctx.Value(shownKey{}).(*atomic.Bool); ok {
		shown.Store(true)
	}
}

// wait is how long the caller must wait; 0 when the request may pass, which
// takes one from the quota if it is to be charged.
func (l *limiter) wait(q *rate.Limiter, charge bool) time.Duration {
	now := l.now()
	if charge && q.AllowN(now, 1) {
		return 0
	}
	missing := 1 - q.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing / float64(l.rate) * float64(time.Second))
}

func refuse(w http.ResponseWriter, wait time.Duration) {
	seconds := max(1, int(math.Ceil(wait.Seconds())))
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Retry-After", strconv.Itoa(seconds))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusTooManyRequests)
	unit := "seconds"
	if seconds == 1 {
		unit = "second"
	}
	fmt.Fprintf(w, `{"title":"Too Many Requests","status":429,"code":"LIMIT","rule":"visitor-rate","detail":"Too many requests came from your address. Wait %d %s and try again."}`+"\n", seconds, unit)
}

// caller is the address that asked: the peer, or the last address that a proxy
// we trust says it forwarded for. What stands before that anyone can write.
// Addresses of IPv6 count by their network, since a household has 2^64 of them.
func (p proxies) caller(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	at := peer.Addr().Unmap()
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(forwarded) - 1; i >= 0 && p.trusts(at); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(forwarded[i]))
		if err != nil {
			break
		}
		at = next.Unmap()
	}
	if at.Is6() {
		network, _ := at.WithZone("").Prefix(64)
		return network.Addr()
	}
	return at
}

func (p proxies) trusts(a netip.Addr) bool {
	for _, n := range p {
		if n.Contains(a.WithZone("")) {
			return true
		}
	}
	return false
}

// of is the quota of an address.
func (l *limiter) of(a netip.Addr) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if q := l.each[a]; q != nil {
		return q
	}
	if now := l.now(); len(l.each) >= maxAddresses && now.Sub(l.cleared) > time.Second {
		l.cleared = now
		l.forget(now)
	}
	if len(l.each) >= maxAddresses {
		return l.rest
	}
	q := rate.NewLimiter(l.rate, l.burst)
	l.each[a] = q
	return q
}

// forget drops the quotas that are whole again: a new one is the same.
func (l *limiter) forget(now time.Time) {
	for a, q := range l.each {
		if q.TokensAt(now) >= float64(l.burst) {
			delete(l.each, a)
		}
	}
}
