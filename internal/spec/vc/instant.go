package vc

import (
	"fmt"
	"regexp"
	"time"
)

// dateTimeStamp is the form of xsd:dateTimeStamp, XML Schema 1.1 §3.4.28, within
// the years that time has: the offset is required.
var dateTimeStamp = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)

// Instant reads an xsd:dateTimeStamp, the only form that VCDM 2.0 and VC-DI 1.0
// have for instants.
func Instant(s string) (time.Time, error) {
	if !dateTimeStamp.MatchString(s) || len(s) > 64 {
		return time.Time{}, fmt.Errorf("%q is not an instant such as 2026-05-22T12:00:00Z, with its offset", s)
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return t, fmt.Errorf("%q is no instant: such a day or time does not exist", s)
	}
	return t, nil
}
