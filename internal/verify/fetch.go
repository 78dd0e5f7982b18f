package verify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Fetch reads a public document over the network.
type Fetch func(ctx context.Context, address string) ([]byte, error)

// Want is what is to be fetched.
type Want struct {
	URL      string
	Accept   string // media types; empty: any JSON
	SameHost bool   // follow no redirect to another host: what is asked for speaks for its host, as a key document does
}

// Fetched is what a server answered.
type Fetched struct {
	URL         string // after redirects
	Status      int    // 200, or 410 for what is gone
	ContentType string
	Body        []byte
}

// The limits of one fetch.
const (
	fetchWithin = 5 * time.Second
	maxFetched  = 4 << 20 // bytes, expanded
	maxHops     = 3
	maxAtOnce   = 16 // requests to one server at one moment
	maxHeader   = 64 << 10
	anyJSON     = "application/did+json, application/cid, application/vc, application/vc+ld+json, application/ld+json, application/json"
)

// The limits of one verification.
const (
	maxFetches    = 60
	maxFetchedAll = 24 << 20
	fetchAll      = 20 * time.Second
)

// Fetcher is the one client for everything that a stranger's document makes the
// service ask for: keys, DIDs, status lists, schemas, refreshed credentials,
// hosted badges.
//
// It speaks https to public addresses on ports 443 and 8443, and to nothing
// else. The address is looked at when the connection is made, after redirects
// and names were resolved, so nothing that a name turns into leads inside. It
// sends no cookies, no credentials and no referrer, uses no proxy, and reads a
// bounded number of bytes, which counts what gzip expands to. Answers are kept
// as long as their Cache-Control allows.
//
// Of one server only so much is asked at one moment, whoever's documents name it:
// nobody makes this service flood another.
type Fetcher struct {
	client *http.Client
	doors  doors
	now    func() time.Time
	dev    bool
	cache  cache
}

// Options of a Fetcher. The zero value is right for the service.
type Options struct {
	Now func() time.Time // nil: the clock
	// Development permits plain http, and the loopback with any port. It is for
	// tests on one machine: whoever may verify can then reach what listens there.
	Development bool
	Roots       *x509.CertPool // nil: those of the system
	Log         *slog.Logger   // nil: none
}

// NewFetcher is a Fetcher with an empty cache.
func NewFetcher(o Options) *Fetcher {
	f := &Fetcher{now: o.Now, dev: o.Development}
	if f.now == nil {
		f.now = time.Now
	}
	if o.Development && o.Log != nil {
		o.Log.Warn("DEVELOPMENT: documents may be fetched over plain http and from this machine itself; never run like this where strangers can verify")
	}
	guard := checkAddress
	if o.Development {
		guard = checkDevelopment
	}
	f.client = newClient(guard, o.Roots, o.Development)
	return f
}

// Guarded is a Fetch of a new Fetcher.
func Guarded() Fetch { return NewFetcher(Options{}).Fetch }

func newClient(guard func(address string) error, roots *x509.CertPool, dev bool) *http.Client {
	dialer := &net.Dialer{Timeout: fetchWithin, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		return guard(address)
	}}
	return &http.Client{
		Transport: &http.Transport{Proxy: nil, DialContext: dialer.DialContext, TLSHandshakeTimeout: fetchWithin, ResponseHeaderTimeout: fetchWithin,
			MaxResponseHeaderBytes: maxHeader, DisableKeepAlives: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if via[0].Context().Value(noRedirect{}) != nil {
				return http.ErrUseLastResponse
			}
			if err := checkURL(r.URL, dev); err != nil {
				return err
			}
			if len(via) > maxHops {
				return errors.New("it leads elsewhere too often")
			}
			if first := via[0]; first.Context().Value(sameHost{}) != nil && r.URL.Host != first.URL.Host {
				return errors.New("it leads to another host, which cannot speak for this one")
			}
			r.Header.Del("Referer")
			return spend(r.Context())
		},
	}
}

type (
	sameHost   struct{}
	noRedirect struct{}
	anew       struct{}
)

// Anew is a context in which whoever has a document at hand, or keeps answers,
// asks for it once more.
func Anew(ctx context.Context) context.Context { return context.WithValue(ctx, anew{}, true) }

// IsAnew reports whether a document is asked for once more.
func IsAnew(ctx context.Context) bool { return ctx.Value(anew{}) != nil }

// Fetch is the body of what an address answers with 200, for key documents: no
// redirect to another host is followed.
func (f *Fetcher) Fetch(ctx context.Context, address string) ([]byte, error) {
	got, err := f.Get(ctx, Want{URL: address, SameHost: true})
	if err == nil && got.Status != http.StatusOK {
		err = fmt.Errorf("the server answered %d", got.Status)
	}
	return got.Body, err
}

// Get asks for a document, or has it from the cache. An error is a sentence
// without a capital: any other status than 200 or 410, a forbidden address, a
// limit.
func (f *Fetcher) Get(ctx context.Context, w Want) (Fetched, error) {
	u, err := url.Parse(w.URL)
	if err != nil {
		return Fetched{}, errors.New("the address cannot be read")
	}
	u.Fragment = ""
	if err := checkURL(u, f.dev); err != nil {
		return Fetched{}, err
	}
	if w.Accept == "" {
		w.Accept = anyJSON
	}
	key := cacheKey{u.String(), w.Accept, w.SameHost}
	if known, ok := f.cache.find(key, f.now()); ok && !IsAnew(ctx) {
		return known, nil
	}
	if err := spend(ctx); err != nil {
		return Fetched{}, err
	}
	got, header, err := f.ask(ctx, u, w)
	if err != nil {
		return Fetched{}, plainError(err)
	}
	if err := spendBytes(ctx, len(got.Body)); err != nil {
		return Fetched{}, err
	}
	f.cache.keep(key, got, freshFor(header), f.now())
	return got, nil
}

func (f *Fetcher) ask(ctx context.Context, u *url.URL, w Want) (Fetched, http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	leave, err := f.doors.enter(ctx, u.Host)
	if err != nil {
		return Fetched{}, nil, err
	}
	defer leave()
	if w.SameHost {
		ctx = context.WithValue(ctx, sameHost{}, true)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Fetched{}, nil, err
	}
	r.Header.Set("Accept", w.Accept)
	r.Header.Set("User-Agent", "Testamur")
	answer, err := f.client.Do(r)
	if err != nil {
		return Fetched{}, nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusGone {
		return Fetched{}, nil, fmt.Errorf("the server answered %d", answer.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxFetched+1))
	switch {
	case err == nil && ctx.Err() != nil: // a server may end its answer when it sees us leave
		err = ctx.Err()
	case err == nil && len(body) > maxFetched:
		err = fmt.Errorf("the document is larger than %d MB", maxFetched>>20)
	}
	return Fetched{URL: answer.Request.URL.String(), Status: answer.StatusCode, ContentType: answer.Header.Get("Content-Type"), Body: body}, answer.Header, err
}

// doors are the servers that are asked at this moment. The zero value is ready.
type doors struct {
	mu   sync.Mutex
	each map[string]*door
}

// door is one of them: its places, and how many requests are there or wait.
type door struct {
	places chan struct{}
	n      int
}

var errCrowded = errors.New("too much is asked of its server at this moment")

// enter waits for a place at a server, until the context ends.
func (d *doors) enter(ctx context.Context, host string) (leave func(), err error) {
	d.mu.Lock()
	if d.each == nil {
		d.each = map[string]*door{}
	}
	one := d.each[host]
	if one == nil {
		one = &door{places: make(chan struct{}, maxAtOnce)}
		d.each[host] = one
	}
	one.n++
	d.mu.Unlock()
	left := func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if one.n--; one.n == 0 {
			delete(d.each, host)
		}
	}
	select {
	case one.places <- struct{}{}:
		return func() { <-one.places; left() }, nil
	case <-ctx.Done():
		left()
		return nil, errCrowded
	}
}

// Post sends a body to an address that somebody named, and gives the status that
// was answered. Nothing of the answer is read, and no redirect is followed: what
// is sent is for that address. The same addresses are out of reach as for Get.
func (f *Fetcher) Post(ctx context.Context, address string, header http.Header, body []byte) (int, error) {
	u, err := url.Parse(address)
	if err != nil {
		return 0, errors.New("the address cannot be read")
	}
	u.Fragment = ""
	if err := checkURL(u, f.dev); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, noRedirect{}, true), fetchWithin)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.Header = header.Clone()
	r.Header.Set("User-Agent", "Testamur")
	answer, err := f.client.Do(r)
	if err != nil {
		return 0, plainError(err)
	}
	return answer.StatusCode, answer.Body.Close()
}

// CheckAddress is whether an address could be asked, as far as it says itself.
func (f *Fetcher) CheckAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return errors.New("the address cannot be read")
	}
	if err := checkURL(u, f.dev); err != nil {
		return err
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !(f.dev && ip.IsLoopback()) {
		return checkPublic(ip)
	}
	return nil
}

// plainError takes the address, which the caller knows, off an error of http.
func plainError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		if u.Timeout() {
			return fmt.Errorf("there was no answer within %s", fetchWithin)
		}
		err = u.Err
	}
	var refused *refusal
	if errors.As(err, &refused) {
		return refused // not what a name turned into
	}
	return err
}

// checkURL refuses what is not https to a plain port, without a user.
func checkURL(u *url.URL, dev bool) error {
	if u.Scheme != "https" && (!dev || u.Scheme != "http") || u.Hostname() == "" || u.User != nil || u.Opaque != "" {
		return errors.New("this is not an https address")
	}
	if p := u.Port(); p != "" && p != "443" && p != "8443" && !dev {
		return fmt.Errorf("port %s is not one that is asked", p)
	}
	return nil
}

// refusal is an address that is not asked.
type refusal struct{ reason string }

// Error is the reason.
func (r *refusal) Error() string { return r.reason }

var notPublic = &refusal{"this address is not a public one"}

// checkAddress refuses every address but public unicast ones, and every port
// but those of https.
func checkAddress(address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return notPublic
	}
	if ap.Port() != 443 && ap.Port() != 8443 {
		return &refusal{fmt.Sprintf("port %d is not one that is asked", ap.Port())}
	}
	return checkPublic(ap.Addr())
}

// checkDevelopment lets the loopback through besides, and port 80, where plain
// http is spoken.
func checkDevelopment(address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return notPublic
	}
	if ap.Addr().Unmap().IsLoopback() {
		return nil
	}
	if ap.Port() == 80 {
		return checkPublic(ap.Addr())
	}
	return checkAddress(address)
}

func checkPublic(a netip.Addr) error {
	a = a.WithZone("")
	if a.Is4In6() || !a.IsGlobalUnicast() || a.IsPrivate() || reserved(a) {
		return notPublic
	}
	return nil
}

// special are the ranges of the IANA registries that are not for the public
// Internet, or lead into other address spaces, besides those that netip knows.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.31.196.0/24"), netip.MustParsePrefix("192.52.193.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("192.175.48.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("::ffff:0:0:0/96"), netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2620:4f:8000::/48"),
	netip.MustParsePrefix("3fff::/20"), netip.MustParsePrefix("5f00::/16"), netip.MustParsePrefix("fec0::/10"),
}

func reserved(a netip.Addr) bool {
	for _, p := range special {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// purse is what one verification may still fetch.
type purse struct{ fetches, bytes atomic.Int64 }

type purseKey struct{}

// Budgeted bounds everything that is fetched under the context: how often, how
// much and how long. Every verification runs under one.
func Budgeted(ctx context.Context) (context.Context, context.CancelFunc) {
	p := &purse{}
	p.fetches.Store(maxFetches)
	p.bytes.Store(maxFetchedAll)
	return context.WithTimeout(context.WithValue(ctx, purseKey{}, p), fetchAll)
}

// spend takes one request off the budget, if there is one.
func spend(ctx context.Context) error {
	if p, ok := ctx.Value(purseKey{}).(*purse); ok && p.fetches.Add(-1) < 0 {
		return fmt.Errorf("this document makes more than %d requests, which is the limit", maxFetches)
	}
	return nil
}

func spendBytes(ctx context.Context, n int) error {
	if p, ok := ctx.Value(purseKey{}).(*purse); ok && p.bytes.Add(int64(-n)) < 0 {
		return fmt.Errorf("this document makes more than %d MB be fetched, which is the limit", maxFetchedAll>>20)
	}
	return nil
}
