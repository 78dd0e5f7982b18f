package verify

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The limits of the cache.
const (
	maxKept      = 500
	maxKeptBytes = 32 << 20
	longestKept  = time.Hour // whatever the server says: a key may be withdrawn
)

// cache keeps answers for as long as their servers allow.
type cache struct {
	mu    sync.Mutex
	all   map[cacheKey]keptAnswer
	bytes int
}

// cacheKey is everything that an answer may depend on: no other header varies.
type cacheKey struct {
	url, accept string
	sameHost    bool
}

type keptAnswer struct {
	answer Fetched
	until  time.Time
}

func (c *cache) find(key cacheKey, now time.Time) (Fetched, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.all[key]
	if !ok || !now.Before(k.until) {
		return Fetched{}, false
	}
	k.answer.Body = slices.Clone(k.answer.Body)
	return k.answer, true
}

func (c *cache) keep(key cacheKey, a Fetched, fresh time.Duration, now time.Time) {
	if fresh <= 0 || len(a.Body) > maxKeptBytes/8 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[cacheKey]keptAnswer{}
	}
	c.drop(key)
	for len(c.all) >= maxKept || c.bytes+len(a.Body) > maxKeptBytes {
		c.dropOne()
	}
	a.Body = slices.Clone(a.Body)
	c.all[key] = keptAnswer{a, now.Add(min(fresh, longestKept))}
	c.bytes += len(a.Body)
}

func (c *cache) drop(key cacheKey) {
	if k, ok := c.all[key]; ok {
		c.bytes -= len(k.answer.Body)
		delete(c.all, key)
	}
}

// dropOne makes room: what ends first goes first.
func (c *cache) dropOne() {
	var first cacheKey
	var until time.Time
	for key, k := range c.all {
		if until.IsZero() || k.until.Before(until) {
			first, until = key, k.until
		}
	}
	c.drop(first)
}

// freshFor is how long a shared cache may keep an answer, RFC 9111 §3 and §4.2.
// Without a word from the server it is not kept: what says whether a credential
// holds is rather asked once too often.
func freshFor(h http.Header) time.Duration {
	said := map[string]string{}
	for _, line := range h.Values("Cache-Control") {
		for part := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			said[strings.ToLower(name)] = strings.Trim(value, `"`)
		}
	}
	for _, no := range []string{"no-store", "no-cache", "private"} {
		if _, ok := said[no]; ok {
			return 0
		}
	}
	if slices.ContainsFunc(h.Values("Vary"), func(v string) bool { return strings.Contains(v, "*") }) {
		return 0
	}
	for _, name := range []string{"s-maxage", "max-age"} {
		if v, ok := said[name]; ok {
			seconds, err := strconv.ParseUint(v, 10, 31)
			if err != nil {
				return 0
			}
			return time.Duration(seconds)*time.Second - age(h)
		}
	}
	expires, err1 := http.ParseTime(h.Get("Expires"))
	date, err2 := http.ParseTime(h.Get("Date"))
	if err1 != nil || err2 != nil {
		return 0
	}
	return expires.Sub(date) - age(h)
}

// age is how long the answer was kept by others.
func age(h http.Header) time.Duration {
	seconds, err := strconv.ParseUint(h.Get("Age"), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
