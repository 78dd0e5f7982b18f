// Package id makes the names of things: a prefix that says what it is and
// time-ordered text, such as lrn_01jd4w9rk8e2v9z6m3q5t7x1ab.
//
// The text is the 128 bits of a version 7 UUID in lower-case Crockford base 32,
// so ids sort by the time they were made and can be written as a UUID where a
// standard wants one. Clients treat them as opaque.
package id

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

var encoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// textLen is the length of 16 bytes in base 32 without padding.
const textLen = 26

// Source makes ids. Services hold one, so that tests can fix them.
type Source func(prefix string) string

// New is the Source of the running service.
func New(prefix string) string {
	return prefix + "_" + text(uuid.Must(uuid.NewV7()))
}

// At makes an id whose time part is t, for rows that are made in bulk.
func At(prefix string, t time.Time) string {
	var u uuid.UUID
	if _, err := rand.Read(u[6:]); err != nil {
		panic(err) // crypto/rand does not fail on supported systems
	}
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(t.UnixMilli()))
	copy(u[:6], ms[2:])
	u[6] = u[6]&0x0f | 0x70
	u[8] = u[8]&0x3f | 0x80
	return prefix + "_" + text(u)
}

// Sequence is a Source for tests: lrn_00000000000000000000000001 and so on,
// counted for each prefix.
func Sequence() Source {
	count := map[string]uint64{}
	return func(prefix string) string {
		count[prefix]++
		var u uuid.UUID
		binary.BigEndian.PutUint64(u[8:], count[prefix])
		return prefix + "_" + text(u)
	}
}

func text(u uuid.UUID) string { return encoding.EncodeToString(u[:]) }

// Prefix is the part before the underscore, or "" when s is not an id.
func Prefix(s string) string {
	p, rest, ok := strings.Cut(s, "_")
	if !ok || len(rest) != textLen {
		return ""
	}
	return p
}

// Valid reports whether s is an id with the given prefix.
func Valid(prefix, s string) bool {
	if Prefix(s) != prefix {
		return false
	}
	_, err := encoding.DecodeString(s[len(prefix)+1:])
	return err == nil
}

// UUID is the id's UUID, for documents whose standard wants one.
func UUID(s string) (uuid.UUID, error) {
	p := Prefix(s)
	if p == "" {
		return uuid.UUID{}, fmt.Errorf("%q is not an id", s)
	}
	b, err := encoding.DecodeString(s[len(p)+1:])
	if err != nil {
		return uuid.UUID{}, fmt.Errorf("%q is not an id: %w", s, err)
	}
	return uuid.FromBytes(b)
}

// Of is the id with a prefix whose UUID is u.
func Of(prefix string, u uuid.UUID) string { return prefix + "_" + text(u) }

// Ref is a name that another system gave a thing: unique in an institution by
// system and value, and accepted wherever an id is, written ref:SYSTEM:VALUE.
type Ref struct {
	System string `json:"system"`
	Value  string `json:"value"`
}

// ParseRef reads ref:SYSTEM:VALUE. The value may hold colons; ok is false for
// anything else.
func ParseRef(s string) (Ref, bool) {
	rest, ok := strings.CutPrefix(s, "ref:")
	if !ok {
		return Ref{}, false
	}
	system, value, ok := strings.Cut(rest, ":")
	if !ok || system == "" || value == "" {
		return Ref{}, false
	}
	return Ref{System: system, Value: value}, true
}

// String writes ref:SYSTEM:VALUE.
func (r Ref) String() string { return "ref:" + r.System + ":" + r.Value }
