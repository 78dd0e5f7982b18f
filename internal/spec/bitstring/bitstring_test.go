package bitstring

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/cost"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/standards"
)

func code(err error) string {
	var f *Failure
	if errors.As(err, &f) {
		return f.Code
	}
	return ""
}

// TestIndexZeroIsTheLeftMostBit is the bit order of §3.2.
func TestIndexZeroIsTheLeftMostBit(t *testing.T) {
	for _, c := range []struct {
		size, index int
		status      uint
		at          int
		want        byte
	}{
		{1, 0, 1, 0, 0x80}, {1, 7, 1, 0, 0x01}, {1, 8, 1, 1, 0x80}, {1, 131071, 1, 16383, 0x01},
		{2, 0, 2, 0, 0x80}, {2, 0, 1, 0, 0x40}, {2, 3, 3, 0, 0x03}, {2, 4, 1, 1, 0x40},
		{3, 0, 4, 0, 0x80}, {3, 1, 1, 0, 0x04}, {8, 1, 0xA5, 1, 0xA5},
	} {
		l, err := New(MinEntries, c.size)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Set(c.index, c.status); err != nil {
			t.Fatal(err)
		}
		if l.Bits()[c.at] != c.want {
			t.Errorf("%+v: byte is %#x", c, l.Bits()[c.at])
		}
		if v, err := l.Get(c.index); err != nil || v != c.status {
			t.Errorf("%+v: read %d, %v", c, v, err)
		}
		if err := l.Set(c.index, 0); err != nil || l.Bits()[c.at] != 0 {
			t.Errorf("%+v: not lifted", c)
		}
	}
}

// TestEntriesAcrossBytes writes every status of three bits next to one another.
func TestEntriesAcrossBytes(t *testing.T) {
	l, err := New(MinEntries, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 64 {
		if err := l.Set(i, uint(i%8)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 64 {
		if v, _ := l.Get(i); v != uint(i%8) {
			t.Errorf("%d: %d", i, v)
		}
	}
}

func TestBounds(t *testing.T) {
	if _, err := New(MinEntries-1, 1); err == nil {
		t.Error("a short list was made")
	}
	if _, err := New(MinEntries, 9); err == nil {
		t.Error("an entry of nine bits was made")
	}
	if _, err := New(MaxBytes*8+1, 1); err == nil {
		t.Error("a huge list was made")
	}
	l, _ := New(MinEntries, 1)
	for _, i := range []int{-1, MinEntries} {
		if _, err := l.Get(i); code(err) != RangeError {
			t.Errorf("%d: %v", i, err)
		}
		if err := l.Set(i, 1); code(err) != RangeError {
			t.Errorf("%d: %v", i, err)
		}
	}
	if err := l.Set(0, 2); code(err) != RangeError {
		t.Errorf("%v", err)
	}
}

// TestTheStandardsExampleOpens reads the empty list printed in the standard and
// used by 1EdTech's validator, and finds the status it has there.
func TestTheStandardsExampleOpens(t *testing.T) {
	c, err := Parse(standards.Read(t, "examples/ob3/validator-bitstring-list-testlist.json"))
	if err != nil {
		t.Fatal(err)
	}
	badge, err := jsonld.Read(standards.Read(t, "examples/ob3/validator-bit-string-list-credential-status-revoked.json"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := ParseEntry(badge.Member("credentialStatus"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.In(c); code(err) != VerificationError {
		t.Errorf("the list of another address was taken: %v", err)
	}
	c.ID = e.Credential
	r, err := e.In(c)
	if err != nil || r.Purpose != Revocation {
		t.Fatalf("%+v %v", r, err)
	}
	if err := c.Open(1); err != nil || c.List.Len() != MinEntries {
		t.Errorf("%d %v", c.List.Len(), err)
	}
}

func TestComposedListIsReadBack(t *testing.T) {
	l, _ := New(MinEntries, 1)
	if err := l.Set(94567, 1); err != nil {
		t.Fatal(err)
	}
	const at = "https://x.example/status/1"
	doc, err := Compose(Credential{ID: at, Issuer: "did:web:x.example", ValidFrom: "2026-01-01T00:00:00Z", ValidUntil: "2026-01-02T00:00:00Z",
		Purposes: []string{Revocation}, List: l, TTL: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jsonld.Canonize(doc); err != nil {
		t.Errorf("it could not be signed: %v", err)
	}
	c, err := Parse(doc)
	if err != nil || c.ID != at || c.Issuer != "did:web:x.example" || c.TTL != 5*time.Minute {
		t.Fatalf("%+v %v", c, err)
	}
	for i, want := range map[int]uint{94567: 1, 94566: 0, 94568: 0} {
		if r, err := NewEntry(at, Revocation, i).In(c); err != nil || r.Status != want {
			t.Errorf("%d: %+v %v", i, r, err)
		}
	}
	if _, err := NewEntry(at, Suspension, 1).In(c); code(err) != VerificationError {
		t.Errorf("another purpose: %v", err)
	}
	if _, err := NewEntry(at, Revocation, MinEntries).In(c); code(err) != RangeError {
		t.Errorf("beyond the end: %v", err)
	}
	again, _ := Compose(Credential{ID: at, Issuer: "did:web:x.example", ValidFrom: "2026-01-01T00:00:00Z", ValidUntil: "2026-01-02T00:00:00Z",
		Purposes: []string{Revocation}, List: l, TTL: 5 * time.Minute})
	if !bytes.Equal(doc, again) {
		t.Error("the same list gave other bytes")
	}
}

func entry(t *testing.T, raw string) (Entry, error) {
	t.Helper()
	v, err := jsonld.Read([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return ParseEntry(v)
}

func TestMessages(t *testing.T) {
	const head = `{"type":"BitstringStatusListEntry","statusPurpose":"message","statusListIndex":"5","statusListCredential":"https://x.example/l","statusSize":2,"statusMessage":[`
	e, err := entry(t, head+`{"status":"0x0","message":"pending"},{"status":"0x1","message":"accepted"},{"status":"0x2","message":"rejected"},{"status":"0x3","message":"open"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	l, _ := New(MinEntries, 2)
	if err := l.Set(5, 2); err != nil {
		t.Fatal(err)
	}
	text, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.In(Credential{Type: TypeCredential, Purposes: []string{Message}, encoded: text})
	if err != nil || r.Status != 2 || r.Message != "rejected" {
		t.Errorf("%+v %v", r, err)
	}
	for _, bad := range []string{
		`]}`, // one for each value
		`{"status":"0x0","message":"a"},{"status":"0x0","message":"b"},{"status":"0x2","message":"c"},{"status":"0x3","message":"d"}]}`,
		`{"status":"0x0","message":"a"},{"status":"0x1","message":"b"},{"status":"0x2","message":"c"},{"status":"0x4","message":"d"}]}`,
		`{"status":"0","message":"a"},{"status":"0x1","message":"b"},{"status":"0x2","message":"c"},{"status":"0x3","message":"d"}]}`,
	} {
		if _, err := entry(t, head+bad); code(err) != MalformedError {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestBadEntries(t *testing.T) {
	const good = `{"id":"https://x.example/l#1","type":"BitstringStatusListEntry","statusPurpose":"revocation","statusListIndex":"1","statusListCredential":"https://x.example/l"}`
	if _, err := entry(t, good); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{`"1"`, `"-1"`}, {`"1"`, `"+1"`}, {`"1"`, `"1.0"`}, {`"1"`, `"9999999999"`}, {`"1"`, `""`}, {`"1"`, `true`},
		{`"revocation"`, `""`}, {`l#1"`, `l"`}, {`"BitstringStatusListEntry"`, `"Other"`}, {`"https://x.example/l"}`, `7}`},
		{`"id"`, `"statusSize":0,"id"`}, {`"id"`, `"statusSize":"1","id"`}, {`"id"`, `"statusSize":9,"id"`},
	} {
		if _, err := entry(t, strings.Replace(good, c[0], c[1], 1)); code(err) != MalformedError {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// bomb is a text that expands to n bytes of zeros.
func bomb(n int) string {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	piece := make([]byte, 1<<20)
	for range n >> 20 {
		_, _ = z.Write(piece)
	}
	_ = z.Close()
	return "u" + base64.RawURLEncoding.EncodeToString(b.Bytes())
}

func TestAGzipBombIsRefusedCheaply(t *testing.T) {
	text := bomb(512 << 20)
	refuse := func() {
		if _, err := Decode(text, 1); code(err) != MalformedError || !errors.Is(err, errTooLarge) {
			t.Errorf("%v", err)
		}
	}
	cost.Share(t, "refusing it", 0.5, refuse, func() {
		raw, err := base64.RawURLEncoding.DecodeString(text[1:])
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, z); err != nil || n != 512<<20 {
			t.Fatal(n, err)
		}
	})
	allocated := testing.AllocsPerRun(1, refuse)
	if allocated > 1000 {
		t.Errorf("%v allocations", allocated)
	}
}

func TestBadListsAreRefused(t *testing.T) {
	short := func() string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(make([]byte, MinEntries/8-1))
		_ = z.Close()
		return "u" + base64.RawURLEncoding.EncodeToString(b.Bytes())
	}()
	l, _ := New(MinEntries, 1)
	good, _ := l.Encode()
	for text, want := range map[string]string{
		"":                                      MalformedError,
		"u":                                     MalformedError,
		good[1:]:                                MalformedError,
		"z" + good[1:]:                          MalformedError,
		good[:len(good)-6]:                      MalformedError,
		good + "=":                              MalformedError,
		"u!!!!":                                 MalformedError,
		short:                                   LengthError,
		"u" + strings.Repeat("A", maxEncoded+1): MalformedError,
	} {
		if _, err := Decode(text, 1); code(err) != want {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if _, err := Decode(good, 2); code(err) != LengthError {
		t.Errorf("half the entries: %v", err)
	}
}

// TestStatusList2021IsRead takes lists with and without padding, which have no
// prefix.
func TestStatusList2021IsRead(t *testing.T) {
	l, _ := New(MinEntries, 1)
	_ = l.Set(3, 1)
	text, _ := l.Encode()
	e, err := entry(t, `{"id":"https://x.example/l#3","type":"StatusList2021Entry","statusPurpose":"revocation","statusListIndex":"3","statusListCredential":"https://x.example/l"}`)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(text[1:])
	for _, enc := range []string{text[1:], base64.URLEncoding.EncodeToString(raw), base64.StdEncoding.EncodeToString(raw)} {
		c, err := Parse([]byte(fmt.Sprintf(`{"type":["VerifiableCredential","StatusList2021Credential"],"id":"https://x.example/l","issuer":{"id":"did:x:1"},
			"credentialSubject":{"statusPurpose":"revocation","encodedList":%q}}`, enc)))
		if err != nil {
			t.Fatal(err)
		}
		if r, err := e.In(c); err != nil || r.Status != 1 {
			t.Errorf("%+v %v", r, err)
		}
		if _, err := NewEntry("https://x.example/l", Revocation, 3).In(c); code(err) != VerificationError {
			t.Errorf("mixed standards: %v", err)
		}
	}
}

func TestRevocationList(t *testing.T) {
	l, err := ParseRevocationList([]byte(`{"id":"https://x.example/r","issuer":"https://x.example","revokedCredential":[
		{"id":"urn:a:1","revocationReason":"Withdrawn."},{"id":"urn:a:2","revoked":false},{"id":"urn:a:3","revoked":true}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]bool{"urn:a:1": true, "urn:a:2": false, "urn:a:3": true, "urn:a:4": false} {
		if _, got := l.Find(id); got != want {
			t.Errorf("%s: %v", id, got)
		}
	}
	doc, err := ComposeRevocationList(l)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseRevocationList(doc)
	if err != nil || len(again.Revoked) != 3 || again.Revoked[0] != l.Revoked[0] {
		t.Errorf("%+v %v", again, err)
	}
	for _, bad := range []string{`{}`, `[]`, `{"id":"x","revokedCredential":[{}]}`, `{"id":"x","revokedCredential":[{"id":"a","revoked":"no"}]}`, `{"id":"x"`} {
		if _, err := ParseRevocationList([]byte(bad)); code(err) != MalformedError {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	l, _ := New(MinEntries, 1)
	good, _ := l.Encode()
	f.Add(good, 1)
	f.Add("u", 3)
	f.Fuzz(func(t *testing.T, text string, size int) {
		l, err := Decode(text, size)
		if err == nil && (l.Len() < MinEntries || len(l.Bits()) > MaxBytes) {
			t.Errorf("a list of %d entries", l.Len())
		}
		if err != nil && code(err) == "" {
			t.Errorf("%v is no failure", err)
		}
	})
}

func FuzzEntryAndList(f *testing.F) {
	f.Add([]byte(`{"type":"BitstringStatusListEntry","statusPurpose":"revocation","statusListIndex":"1","statusListCredential":"https://x.example/l"}`),
		[]byte(`{"type":["BitstringStatusListCredential"],"credentialSubject":{"statusPurpose":"revocation","encodedList":"uH4sI","ttl":1}}`))
	f.Fuzz(func(t *testing.T, rawEntry, rawList []byte) {
		v, err := jsonld.Read(rawEntry)
		if err != nil {
			return
		}
		e, err := ParseEntry(v)
		if err != nil {
			return
		}
		if again, err := json.Marshal(e); err != nil {
			t.Error(err)
		} else if w, err := jsonld.Read(again); err != nil {
			t.Error(err)
		} else if _, err := ParseEntry(w); err != nil {
			t.Errorf("%s: %v", again, err)
		}
		c, err := Parse(rawList)
		if err != nil {
			return
		}
		if _, err := e.In(c); err != nil && code(err) == "" {
			t.Errorf("%v is no failure", err)
		}
	})
}
