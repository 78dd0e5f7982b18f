// Package bitstring is the W3C Bitstring Status List 1.0: a list of statuses as
// bits, its compressed form, the credential that publishes it, and the entry of
// a credential in it. StatusList2021 and the revocation list of 1EdTech are
// read as well.
//
// Index 0 is the left-most bit of the first byte. A list never has fewer than
// 131,072 entries, so that one entry hides among many. What is expanded is
// bounded, so that a small list cannot become a large one (§3.2, §4).
package bitstring

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The limits of a list.
const (
	// MinEntries is the least number of entries, Bitstring Status List §3.2.
	MinEntries = 131_072
	// MaxBytes is the largest expanded list that is read or made: 32 Mi entries of one bit.
	MaxBytes = 4 << 20
	// MaxSize is the largest number of bits of one entry.
	MaxSize = 8
)

// The ways a list cannot be used, as the standard names them (§4).
const (
	RetrievalError    = "STATUS_RETRIEVAL_ERROR"    // it could not be had
	VerificationError = "STATUS_VERIFICATION_ERROR" // it is not the list that the entry means
	LengthError       = "STATUS_LIST_LENGTH_ERROR"  // it is shorter than the standard allows
	RangeError        = "RANGE_ERROR"               // the entry lies beyond its end
	MalformedError    = "MALFORMED_VALUE_ERROR"     // it cannot be read
)

// Failure is why a status could not be found out.
type Failure struct {
	Code   string
	Reason string // a sentence
	Err    error
}

// Error is the reason, with its cause.
func (f *Failure) Error() string {
	if f.Err != nil {
		return f.Reason + " (" + f.Err.Error() + ")"
	}
	return f.Reason
}

// Unwrap is the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Type is the problem type of the failure, RFC 9457.
func (f *Failure) Type() string {
	if f.Code == RangeError || f.Code == MalformedError {
		return "https://www.w3.org/TR/vc-data-model#" + f.Code
	}
	return "https://www.w3.org/ns/credentials/status-list#" + f.Code
}

func fail(code, format string, args ...any) *Failure {
	return &Failure{Code: code, Reason: fmt.Sprintf(format, args...)}
}

// List is a list of statuses, each of the same number of bits. The zero value
// is empty.
type List struct {
	bits []byte
	size int
}

// New is a list of zeros, of at least MinEntries entries of size bits each. It
// is made larger to end with a whole byte.
func New(entries, size int) (List, error) {
	if size < 1 || size > MaxSize {
		return List{}, fmt.Errorf("a status has 1 to %d bits, not %d", MaxSize, size)
	}
	if entries < MinEntries {
		return List{}, fmt.Errorf("a list has at least %d entries, not %d", MinEntries, entries)
	}
	if entries > MaxBytes*8/size {
		return List{}, fmt.Errorf("a list has at most %d entries of %d bits, not %d", MaxBytes*8/size, size, entries)
	}
	return List{make([]byte, (entries*size+7)/8), size}, nil
}

// Of is a list of the bits themselves, which it keeps: the first bit is the
// left-most of the first byte.
func Of(bits []byte, size int) (List, error) {
	if size < 1 || size > MaxSize || len(bits) > MaxBytes {
		return List{}, fmt.Errorf("a list has statuses of 1 to %d bits and at most %d bytes", MaxSize, MaxBytes)
	}
	return List{bits, size}, nil
}

// Len is the number of entries.
func (l List) Len() int {
	if l.size == 0 {
		return 0
	}
	return len(l.bits) * 8 / l.size
}

// Bits are the list itself.
func (l List) Bits() []byte { return l.bits }

// Get is the status of an entry: its bits from left to right (§3.2).
func (l List) Get(index int) (uint, error) {
	if index < 0 || index >= l.Len() {
		return 0, fail(RangeError, "The status list has %d entries, and the credential names entry %d.", l.Len(), index)
	}
	var v uint
	for i := index * l.size; i < (index+1)*l.size; i++ {
		v = v<<1 | uint(l.bits[i/8]>>(7-i%8)&1)
	}
	return v, nil
}

// Set gives an entry a status.
func (l List) Set(index int, status uint) error {
	if index < 0 || index >= l.Len() {
		return fail(RangeError, "The status list has %d entries; there is no entry %d.", l.Len(), index)
	}
	if status >= 1<<l.size {
		return fail(RangeError, "The status %d does not fit into %d bits.", status, l.size)
	}
	for n := range l.size {
		i := index*l.size + n
		mask := byte(0x80) >> (i % 8)
		if status>>(l.size-1-n)&1 == 1 {
			l.bits[i/8] |= mask
		} else {
			l.bits[i/8] &^= mask
		}
	}
	return nil
}

// Encode is the list as it is published: gzip, then base64url without padding,
// with the multibase prefix u. The same list always gives the same text.
func (l List) Encode() (string, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return "", err
	}
	if _, err := z.Write(l.bits); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	return "u" + base64.RawURLEncoding.EncodeToString(b.Bytes()), nil
}

// maxEncoded is the longest text of a list of MaxBytes that does not compress.
const maxEncoded = (MaxBytes + MaxBytes/1000 + 1024) * 4 / 3

// Decode expands a published list of statuses of size bits. No more than
// MaxBytes are ever expanded. Failure with MalformedError or LengthError.
func Decode(encoded string, size int) (List, error) {
	rest, ok := strings.CutPrefix(encoded, "u")
	if !ok {
		return List{}, fail(MalformedError, "The status list does not begin with u, which says that it is base64url.")
	}
	return decode(rest, size)
}

// decode2021 expands a list of StatusList2021, which has no prefix and may have
// padding.
func decode2021(encoded string) (List, error) {
	encoded = strings.TrimRight(strings.TrimPrefix(encoded, "u"), "=")
	return decode(strings.NewReplacer("+", "-", "/", "_").Replace(encoded), 1)
}

func decode(text string, size int) (List, error) {
	if size < 1 || size > MaxSize {
		return List{}, fail(MalformedError, "A status of %d bits cannot be read; there may be 1 to %d.", size, MaxSize)
	}
	if len(text) > maxEncoded {
		return List{}, fail(MalformedError, "The status list is too long to read.")
	}
	z, err := gzip.NewReader(base64.NewDecoder(base64.RawURLEncoding, strings.NewReader(text)))
	if err != nil {
		return List{}, &Failure{MalformedError, "The status list is not compressed with gzip.", err}
	}
	bits, err := io.ReadAll(io.LimitReader(z, MaxBytes+1))
	if err != nil {
		return List{}, &Failure{MalformedError, "The status list cannot be expanded.", err}
	}
	if len(bits) > MaxBytes {
		return List{}, &Failure{MalformedError, fmt.Sprintf("The status list expands to more than %d MB.", MaxBytes>>20), errTooLarge}
	}
	l := List{bits, size}
	if l.Len() < MinEntries {
		return List{}, fail(LengthError, "The status list has %d entries; fewer than %d do not hide whose is whose.", l.Len(), MinEntries)
	}
	return l, nil
}

var errTooLarge = errors.New("compressed far beyond what a status list is")
