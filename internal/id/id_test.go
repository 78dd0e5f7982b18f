package id

import (
	"testing"
	"time"
)

func TestNewIsOrderedAndReadable(t *testing.T) {
	a, b := New("lrn"), New("lrn")
	if !Valid("lrn", a) || Valid("ach", a) || Prefix(a) != "lrn" {
		t.Fatalf("%q is not a learner id", a)
	}
	if b <= a {
		t.Errorf("%q does not sort after %q", b, a)
	}
	if _, err := UUID(a); err != nil {
		t.Error(err)
	}
}

func TestAtKeepsTheTime(t *testing.T) {
	early := At("asn", time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
	late := At("asn", time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC))
	if early >= late {
		t.Errorf("%q does not sort before %q", early, late)
	}
	u, err := UUID(early)
	if err != nil || u.Version() != 7 {
		t.Errorf("version %d, %v; want 7", u.Version(), err)
	}
}

func TestParseRef(t *testing.T) {
	for in, want := range map[string]Ref{
		"ref:sis:S1":           {"sis", "S1"},
		"ref:sis:urn:person:1": {"sis", "urn:person:1"},
	} {
		got, ok := ParseRef(in)
		if !ok || got != want || got.String() != in {
			t.Errorf("ParseRef(%q) = %v, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "ref:", "ref:sis", "ref::x", "ref:sis:", "lrn_01", "refx:sis:1"} {
		if _, ok := ParseRef(in); ok {
			t.Errorf("ParseRef(%q) was accepted", in)
		}
	}
}
