package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// Fetch reads a public document over the network.
type Fetch func(ctx context.Context, address string) ([]byte, error)

// The limits of one fetch.
const (
	fetchWithin = 5 * time.Second
	maxFetched  = 1 << 20
	maxHops     = 2
)

// Guarded fetches over https from public addresses only: the address is looked
// at when the connection is made, so a name that resolves to the inside of a
// network leads nowhere. No cookies, no credentials, no proxy.
func Guarded() Fetch {
	dialer := &net.Dialer{Timeout: fetchWithin, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		return checkAddress(address)
	}}
	client := &http.Client{
		Timeout: fetchWithin,
		Transport: &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: fetchWithin, MaxResponseHeaderBytes: 64 << 10,
			DisableKeepAlives: true},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if r.URL.Scheme != "https" || len(via) > maxHops {
				return errors.New("the address leads elsewhere, and not over https or too often")
			}
			return nil
		},
	}
	return func(ctx context.Context, address string) ([]byte, error) {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
			return nil, fmt.Errorf("%q is not an https address", address)
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Accept", "application/did+json, application/cid, application/json")
		answer, err := client.Do(r)
		if err != nil {
			return nil, err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("the server answered %s", answer.Status)
		}
		body, err := io.ReadAll(io.LimitReader(answer.Body, maxFetched+1))
		if err == nil && len(body) > maxFetched {
			err = errors.New("the document is too large")
		}
		return body, err
	}
}

// checkAddress refuses everything that is not a public unicast address.
func checkAddress(address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	a := ap.Addr().Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || reserved(a) {
		return errors.New("this address is not a public one")
	}
	return nil
}

// special are the ranges of the IANA registries that are not for the public
// Internet, besides those that netip knows.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

func reserved(a netip.Addr) bool {
	for _, p := range special {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
