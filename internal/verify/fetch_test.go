package verify

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// server is a real listener with TLS on the loopback, and a Fetcher that trusts
// its certificate and takes the loopback for a public address.
func server(t *testing.T, h http.HandlerFunc) (*httptest.Server, *Fetcher, *time.Time) {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s, NewFetcher(Options{Now: func() time.Time { return now }, Development: true, Roots: roots}), &now
}

func TestOnlyPublicAddressesAreAsked(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"93.184.216.34:443", "[2606:2800:220:1:248:1893:25c8:1946]:443", "1.1.1.1:8443", "192.0.1.1:443"} {
		if err := checkAddress(address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{
		"127.0.0.1:443", "127.1.2.3:443", "[::1]:443", "0.0.0.0:443", "[::]:443", // this host
		"10.0.0.1:443", "172.16.9.9:443", "172.31.255.255:443", "192.168.1.1:443", "[fd00::1]:443", "[fc00::1]:443", // private
		"169.254.169.254:443", "[fe80::1]:443", "[fe80::1%eth0]:443", // link-local, where clouds tell their secrets
		"100.64.0.1:443", "100.127.255.254:443", // carrier-grade NAT
		"224.0.0.1:443", "239.1.1.1:443", "[ff02::1]:443", "255.255.255.255:443", // multicast, broadcast
		"[::ffff:127.0.0.1]:443", "[::ffff:10.0.0.1]:443", "[::ffff:93.184.216.34]:443", "[::ffff:0:127.0.0.1]:443", "[::127.0.0.1]:443", // IPv4 in IPv6
		"[64:ff9b::7f00:1]:443", "[64:ff9b:1::a00:1]:443", // NAT64
		"[2002:7f00:1::]:443", "[2001:0:53aa:64c:0:0:80ff:fffe]:443", "[fec0::1]:443", "[2001:db8::1]:443", "198.18.0.1:443", "192.0.0.8:443", "203.0.113.9:443",
		"93.184.216.34:80", "93.184.216.34:22", "93.184.216.34:5432", "93.184.216.34:6379", "x", "",
	} {
		if err := checkAddress(address); err == nil {
			t.Errorf("%q would be asked", address)
		}
	}
	for _, address := range []string{"127.0.0.1:1", "[::1]:8080", "93.184.216.34:80", "93.184.216.34:443"} {
		if err := checkDevelopment(address); err != nil {
			t.Errorf("the development switch does not open %s: %v", address, err)
		}
	}
	for _, address := range []string{"10.0.0.1:80", "169.254.169.254:80", "[fd00::1]:80", "93.184.216.34:22", "10.0.0.1:443"} {
		if checkDevelopment(address) == nil {
			t.Errorf("the development switch opens %s", address)
		}
	}
}

func FuzzCheckAddress(f *testing.F) {
	for _, s := range []string{"127.0.0.1:443", "[::ffff:10.0.0.1]:443", "[fe80::1%1]:443", "1.1.1.1:443"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if checkAddress(address) != nil {
			return
		}
		a := netip.MustParseAddrPort(address).Addr()
		if a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() || a.Is4In6() {
			t.Errorf("%s would be asked", address)
		}
	})
}

// TestAGuardedFetchReachesNothingInside has real listeners that must not be
// reached, by address and by name.
func TestAGuardedFetchReachesNothingInside(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	plain, secure := httptest.NewServer(h), httptest.NewTLSServer(h)
	defer plain.Close()
	defer secure.Close()
	port := secure.URL[strings.LastIndex(secure.URL, ":")+1:]
	for _, address := range []string{plain.URL, secure.URL, "https://localhost:" + port, "https://127.0.0.1:8443", "https://[::1]:8443", "https://[::ffff:127.0.0.1]:8443",
		"https://localhost:8443/x", "https://0x7f.1:8443/", "https://2130706433:8443/", "http://example.org/", "ftp://example.org/", "file:///etc/passwd", "https://user@example.org/",
		"https://example.org:22/", "https://", "https:example.org", "//example.org/", "gopher://127.0.0.1/", "https://127.0.0.1\x00.example.org/"} {
		if body, err := Guarded()(t.Context(), address); err == nil {
			t.Errorf("%q gives %q", address, body)
		}
	}
	if reached.Load() > 0 {
		t.Errorf("%d requests came through", reached.Load())
	}
}

// TestTheGuardLooksAtWhatANameTurnsInto binds the guard to a real dial: a name
// of the loopback is refused where the connection is made.
func TestTheGuardLooksAtWhatANameTurnsInto(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:8443")
	if err != nil {
		t.Skip("port 8443 is taken:", err)
	}
	defer l.Close()
	var accepted atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			c.Close()
		}
	}()
	_, err = Guarded()(t.Context(), "https://localhost:8443/did.json")
	if err == nil || err.Error() != notPublic.reason {
		t.Errorf("%v, want %s", err, notPublic.reason)
	}
	if accepted.Load() != 0 {
		t.Error("a connection was made")
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "inside") }))
	defer inside.Close()
	s, f, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/once":
			http.Redirect(w, r, "/end", http.StatusMovedPermanently)
		case "/away":
			http.Redirect(w, r, "https://localhost:"+r.Host[strings.Index(r.Host, ":")+1:]+"/end", http.StatusFound)
		case "/metadata":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/end":
			if r.Header.Get("Referer") != "" || r.Header.Get("Cookie") != "" {
				t.Error("the request tells where it comes from")
			}
			fmt.Fprint(w, "end")
		}
	})
	if body, err := f.Fetch(t.Context(), s.URL+"/once"); err != nil || string(body) != "end" {
		t.Errorf("%q %v", body, err)
	}
	for _, path := range []string{"/loop", "/away", "/metadata", "/file"} {
		if body, err := f.Fetch(t.Context(), s.URL+path); err == nil {
			t.Errorf("%s gives %q", path, body)
		}
	}
	strict := newClient(checkAddress, nil, false)
	r := httptest.NewRequest("GET", inside.URL, nil)
	if err := strict.CheckRedirect(r, []*http.Request{r}); err == nil {
		t.Error("a redirect to plain http is followed")
	}
}

func TestAnAnswerIsBounded(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	zeros := make([]byte, 1<<20)
	for range 200 {
		z.Write(zeros)
	}
	z.Close()
	s, f, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(bomb.Bytes())
		case "/large":
			for range 5 {
				w.Write(zeros)
			}
		case "/slow":
			w.Write([]byte("x"))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/gone":
			w.WriteHeader(http.StatusGone)
			fmt.Fprint(w, `{"revoked":true}`)
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
		case "/header":
			w.Header().Set("X", strings.Repeat("x", maxHeader))
		}
	})
	for _, path := range []string{"/bomb", "/large", "/missing", "/header"} {
		if got, err := f.Get(t.Context(), Want{URL: s.URL + path}); err == nil {
			t.Errorf("%s gives %d bytes", path, len(got.Body))
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := f.Get(short, Want{URL: s.URL + "/slow"}); err == nil {
		t.Error("a server that never ends is waited for")
	}
	if got, err := f.Get(t.Context(), Want{URL: s.URL + "/gone"}); err != nil || got.Status != 410 || string(got.Body) != `{"revoked":true}` {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := f.Fetch(t.Context(), s.URL+"/gone"); err == nil {
		t.Error("a key document that is gone is taken")
	}
}

func TestAVerificationHasABudget(t *testing.T) {
	t.Parallel()
	s, f, _ := server(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 3<<20)) })
	ctx, cancel := Budgeted(t.Context())
	defer cancel()
	if _, ok := ctx.Deadline(); !ok {
		t.Error("a verification may take for ever")
	}
	n := 0
	for ; n < 100; n++ {
		if _, err := f.Get(ctx, Want{URL: fmt.Sprint(s.URL, "/", n)}); err != nil {
			break
		}
	}
	if n != maxFetchedAll/(3<<20) {
		t.Errorf("%d documents of 3 MB were fetched", n)
	}
	s2, f2, _ := server(t, func(http.ResponseWriter, *http.Request) {})
	ctx, cancel = Budgeted(t.Context())
	defer cancel()
	for n = 0; n < 100; n++ {
		if _, err := f2.Get(ctx, Want{URL: fmt.Sprint(s2.URL, "/", n)}); err != nil {
			break
		}
	}
	if n != maxFetches {
		t.Errorf("%d requests were made, want %d", n, maxFetches)
	}
}

// However many ask for documents of one server, it is not flooded.
func TestOneServerIsNotFlooded(t *testing.T) {
	t.Parallel()
	const many = 3 * maxAtOnce
	var now, most atomic.Int64
	release := make(chan struct{})
	s, f, _ := server(t, func(w http.ResponseWriter, _ *http.Request) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		<-release
		w.Write([]byte("{}"))
	})
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			if _, err := f.Get(t.Context(), Want{URL: fmt.Sprint(s.URL, "/", i)}); err != nil && err.Error() != errCrowded.Error() && !strings.Contains(err.Error(), "no answer") {
				t.Error(err)
			}
		})
	}
	for asked := 0; asked < many && now.Load() < maxAtOnce; { // all have come, or as many as may
		f.doors.mu.Lock()
		asked = 0
		for _, d := range f.doors.each {
			asked += d.n
		}
		f.doors.mu.Unlock()
		runtime.Gosched()
	}
	close(release)
	all.Wait()
	if most.Load() > maxAtOnce {
		t.Errorf("%d at one moment", most.Load())
	}
	if len(f.doors.each) != 0 {
		t.Errorf("%d servers are remembered when nothing is asked", len(f.doors.each))
	}
}

func TestTheCacheKeepsWhatItMay(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		control, other string
		after          time.Duration
		asked          int64
	}{
		{"max-age=60", "", 59 * time.Second, 1},
		{"max-age=60", "", 60 * time.Second, 2},
		{"max-age=60", "Age: 30", 31 * time.Second, 2},
		{"max-age=60, s-maxage=10", "", 11 * time.Second, 2},
		{"public, Max-Age=\"60\"", "", 30 * time.Second, 1},
		{"max-age=99999999", "", 59 * time.Minute, 1},
		{"max-age=99999999", "", 61 * time.Minute, 2},
		{"", "", 0, 2},
		{"no-store, max-age=60", "", 0, 2},
		{"private, max-age=60", "", 0, 2},
		{"no-cache", "", 0, 2},
		{"max-age=-1", "", 0, 2},
		{"max-age=60", "Vary: *", 0, 2},
		{"", "Expires: Tue, 24 Nov 2026 09:01:00 GMT", 30 * time.Second, 1},
		{"", "Expires: Tue, 24 Nov 2026 09:01:00 GMT", 61 * time.Second, 2},
		{"", "Expires: 0", 0, 2},
	} {
		var asked atomic.Int64
		s, f, now := server(t, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.Header().Set("Date", "Tue, 24 Nov 2026 09:00:00 GMT")
			if x.control != "" {
				w.Header().Set("Cache-Control", x.control)
			}
			if name, value, ok := strings.Cut(x.other, ": "); ok {
				w.Header().Set(name, value)
			}
			fmt.Fprint(w, "x")
		})
		for range 2 {
			got, err := f.Get(t.Context(), Want{URL: s.URL + "/#fragment"})
			if err != nil || string(got.Body) != "x" {
				t.Fatal(err)
			}
			got.Body[0] = 'y' // ours: it must not reach the next
			*now = now.Add(x.after)
		}
		if asked.Load() != x.asked {
			t.Errorf("%q %q, %s later: asked %d times, want %d", x.control, x.other, x.after, asked.Load(), x.asked)
		}
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	t.Parallel()
	var c cache
	now := time.Now()
	for i := range 2 * maxKept {
		c.keep(cacheKey{url: fmt.Sprint(i)}, Fetched{Body: make([]byte, 1<<17)}, time.Duration(i)*time.Second, now)
		if len(c.all) > maxKept || c.bytes > maxKeptBytes {
			t.Fatalf("%d answers, %d bytes", len(c.all), c.bytes)
		}
	}
	if _, ok := c.find(cacheKey{url: fmt.Sprint(2*maxKept - 1)}, now); !ok {
		t.Error("the newest is gone")
	}
	sum := 0
	for _, k := range c.all {
		sum += len(k.answer.Body)
	}
	if sum != c.bytes {
		t.Errorf("%d bytes are kept, counted %d", sum, c.bytes)
	}
}

func TestTheDevelopmentSwitchIsLoud(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	defer s.Close()
	f := NewFetcher(Options{Development: true, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if body, err := f.Fetch(t.Context(), s.URL); err != nil || string(body) != "ok" {
		t.Errorf("%q %v", body, err)
	}
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "DEVELOPMENT") {
		t.Errorf("%s", log.String())
	}
}

func TestNoProxyIsUsed(t *testing.T) {
	if tr := newClient(checkAddress, nil, false).Transport.(*http.Transport); tr.Proxy != nil {
		t.Error("a proxy of the environment would be asked")
	}
}
