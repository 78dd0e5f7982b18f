package day

import (
	"encoding/json"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for _, good := range []string{"2026-11-24", "2024-02-29", "1000-01-01", "9999-12-31"} {
		d, err := Parse(good)
		if err != nil || d.String() != good {
			t.Errorf("Parse(%q) = %v, %v", good, d, err)
		}
	}
	for _, bad := range []string{"", "2025-02-29", "24.11.2026", "2026-11-24T00:00:00Z", "2026-1-2", "0999-12-31", "10000-01-01"} {
		if d, err := Parse(bad); err == nil {
			t.Errorf("Parse(%q) = %v", bad, d)
		}
	}
}

func TestRoundTrips(t *testing.T) {
	d := Of(2026, time.May, 31)
	raw, err := json.Marshal(map[string]Date{"on": d})
	if err != nil || string(raw) != `{"on":"2026-05-31"}` {
		t.Fatalf("%s, %v", raw, err)
	}
	var back map[string]Date
	if err := json.Unmarshal(raw, &back); err != nil || back["on"] != d {
		t.Errorf("%v, %v", back, err)
	}
	v, err := d.Value()
	if err != nil {
		t.Fatal(err)
	}
	var scanned Date
	if err := scanned.Scan(v); err != nil || scanned != d {
		t.Errorf("%v, %v", scanned, err)
	}
	if v, _ := (Date{}).Value(); v != nil {
		t.Errorf("no day is stored as %v", v)
	}
}
