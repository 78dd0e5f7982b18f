// Package day is the date of a day without a time or a zone, which is what a
// diploma, a term and a birthday have.
package day

import (
	"database/sql/driver"
	"fmt"
	"io"
	"strconv"
	"time"
)

// Date is a day of the proleptic Gregorian calendar. The zero Date is no day.
type Date struct {
	t time.Time // midnight UTC
}

// layout is ISO 8601, the one form in which a Date is read and written.
const layout = "2006-01-02"

// Of is a year, month and day; days past the end of a month run on.
func Of(year int, month time.Month, d int) Date {
	return Date{time.Date(year, month, d, 0, 0, 0, 0, time.UTC)}
}

// On is the day of an instant, in that instant's zone.
func On(t time.Time) Date { return Of(t.Date()) }

// Parse reads YYYY-MM-DD with a year from 1000 to 9999.
func Parse(s string) (Date, error) {
	t, err := time.Parse(layout, s)
	if err != nil || t.Year() < 1000 {
		return Date{}, fmt.Errorf("%q is not a date: write it as YYYY-MM-DD", s)
	}
	return Date{t}, nil
}

// String writes YYYY-MM-DD; no day is "".
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return d.t.Format(layout)
}

// IsZero reports whether d is no day.
func (d Date) IsZero() bool { return d.t.IsZero() }

// Midnight is the instant the day begins in UTC.
func (d Date) Midnight() time.Time { return d.t }

// Before reports whether d is earlier than o.
func (d Date) Before(o Date) bool { return d.t.Before(o.t) }

// After reports whether d is later than o.
func (d Date) After(o Date) bool { return d.t.After(o.t) }

// AddDays is the day n days later.
func (d Date) AddDays(n int) Date { return Date{d.t.AddDate(0, 0, n)} }

// MarshalText writes YYYY-MM-DD.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads YYYY-MM-DD.
func (d *Date) UnmarshalText(b []byte) error {
	v, err := Parse(string(b))
	if err == nil {
		*d = v
	}
	return err
}

// Scan reads a date column.
func (d *Date) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*d = Date{}
		return nil
	case time.Time:
		*d = Of(v.Date())
		return nil
	case string:
		return d.UnmarshalText([]byte(v))
	}
	return fmt.Errorf("cannot read a date from %T", src)
}

// Value writes a date column; no day is null.
func (d Date) Value() (driver.Value, error) {
	if d.IsZero() {
		return nil, nil
	}
	return d.t, nil
}

// MarshalGQL writes the GraphQL scalar Date.
func (d Date) MarshalGQL(w io.Writer) { io.WriteString(w, strconv.Quote(d.String())) }

// UnmarshalGQL reads the GraphQL scalar Date.
func (d *Date) UnmarshalGQL(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("a Date is a string in the form YYYY-MM-DD")
	}
	return d.UnmarshalText([]byte(s))
}
