package bitstring

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/spec/jsonld"
)

// The types of the standard.
const (
	TypeCredential     = "BitstringStatusListCredential"
	TypeList           = "BitstringStatusList"
	TypeEntry          = "BitstringStatusListEntry"
	TypeCredential2021 = "StatusList2021Credential"
	TypeEntry2021      = "StatusList2021Entry"
)

// The purposes of the standard, §2.1.
const (
	Revocation = "revocation" // it stays so
	Suspension = "suspension" // it may be lifted
	Refresh    = "refresh"
	Message    = "message"
)

// Entry is the credentialStatus of a credential, §2.1.
type Entry struct {
	ID         string          `json:"id,omitempty"` // not the list's own address; Open Badges asks for one
	Type       string          `json:"type"`
	Purpose    string          `json:"statusPurpose"`
	Index      string          `json:"statusListIndex"`      // decimal
	Credential string          `json:"statusListCredential"` // address of the list
	Size       int             `json:"statusSize,omitempty"` // in bits; 0 means 1
	Messages   []StatusMessage `json:"statusMessage,omitempty"`
	Reference  string          `json:"statusReference,omitempty"` // of several, the first
}

// StatusMessage says what a status means.
type StatusMessage struct {
	Status  string `json:"status"` // hexadecimal, such as 0x1
	Message string `json:"message"`
}

// NewEntry is the entry of a credential in a list of one bit.
func NewEntry(list, purpose string, index int) Entry {
	n := strconv.Itoa(index)
	return Entry{ID: list + "#" + n, Type: TypeEntry, Purpose: purpose, Index: n, Credential: list}
}

// IsEntry reports whether a credentialStatus is one that this package reads.
func IsEntry(status jsonld.Value) bool {
	t := status.Member("type").Texts()
	return slices.Contains(t, TypeEntry) || slices.Contains(t, TypeEntry2021)
}

// ParseEntry reads a credentialStatus. An index written as a number, which the
// standard does not allow but verifiers meet, is taken.
func ParseEntry(status jsonld.Value) (Entry, error) {
	e := Entry{Type: TypeEntry}
	if slices.Contains(status.Member("type").Texts(), TypeEntry2021) {
		e.Type = TypeEntry2021
	} else if !IsEntry(status) {
		return e, fail(MalformedError, "This is no entry of a status list.")
	}
	e.ID, _ = status.Member("id").Text()
	e.Purpose, _ = status.Member("statusPurpose").Text()
	e.Credential, _ = status.Member("statusListCredential").Text()
	e.Index, _ = status.Member("statusListIndex").Text()
	if n, ok := status.Member("statusListIndex").Number(); ok {
		e.Index = n
	}
	if refs := status.Member("statusReference").Texts(); len(refs) > 0 {
		e.Reference = refs[0]
	}
	if e.Purpose == "" || e.Credential == "" {
		return e, fail(MalformedError, "The entry names no purpose or no list.")
	}
	if e.ID == e.Credential {
		return e, fail(MalformedError, "The entry has the address of its list as its own id.")
	}
	if _, err := e.index(); err != nil {
		return e, err
	}
	return e, e.messages(status)
}

// messages reads statusSize and statusMessage: with the purpose message there is
// one for each value (§2.1).
func (e *Entry) messages(status jsonld.Value) error {
	e.Size = 1
	if size := status.Member("statusSize"); !size.IsZero() {
		text, _ := size.Number()
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > MaxSize {
			return fail(MalformedError, "The statusSize %s is not a whole number from 1 to %d.", size.Raw(), MaxSize)
		}
		e.Size = n
	}
	seen := map[uint64]bool{}
	for _, m := range status.Member("statusMessage").Elements() {
		var one StatusMessage
		one.Status, _ = m.Member("status").Text()
		one.Message, _ = m.Member("message").Text()
		v, err := one.value()
		if err != nil || v >= 1<<e.Size || seen[v] {
			return fail(MalformedError, "The status message %q is for no status of %d bits, or a second one for it.", one.Status, e.Size)
		}
		seen[v] = true
		e.Messages = append(e.Messages, one)
	}
	if e.Purpose == Message && len(e.Messages) != 1<<e.Size {
		return fail(MalformedError, "An entry for messages has one for each of its %d values; this one has %d.", 1<<e.Size, len(e.Messages))
	}
	return nil
}

func (m StatusMessage) value() (uint64, error) {
	hex, ok := strings.CutPrefix(m.Status, "0x")
	if !ok {
		return 0, errors.New("a status begins with 0x")
	}
	return strconv.ParseUint(hex, 16, 32)
}

func (e Entry) index() (int, error) {
	n, err := strconv.ParseUint(e.Index, 10, 31)
	if err != nil || strings.HasPrefix(e.Index, "+") {
		return 0, &Failure{MalformedError, fmt.Sprintf("The statusListIndex %q is not a whole number.", e.Index), err}
	}
	return int(n), nil
}

// Credential is a published list, without its proof.
type Credential struct {
	ID         string   // its address
	Type       string   // TypeCredential when composed; either when read
	Issuer     string   // who may be another than the credential's
	ValidFrom  string   // RFC 3339
	ValidUntil string   // RFC 3339, or "": bounds how long a copy may be kept
	Purposes   []string // one, as we compose it
	List       List     // read with Open, because the bits of an entry are the entry's to say
	TTL        time.Duration
	encoded    string
}

// Compose is the document of a list with the one purpose, §2.2.
func Compose(c Credential) ([]byte, error) {
	if len(c.Purposes) != 1 {
		return nil, errors.New("a list has one purpose")
	}
	if c.List.Len() < MinEntries {
		return nil, fmt.Errorf("a list has at least %d entries", MinEntries)
	}
	encoded, err := c.List.Encode()
	if err != nil {
		return nil, err
	}
	type subject struct {
		ID      string `json:"id"`
		Type    string `json:"type"`
		Purpose string `json:"statusPurpose"`
		Encoded string `json:"encodedList"`
		TTL     int64  `json:"ttl,omitempty"` // milliseconds
	}
	return json.Marshal(struct {
		Context    []string `json:"@context"`
		ID         string   `json:"id"`
		Type       []string `json:"type"`
		Issuer     string   `json:"issuer"`
		ValidFrom  string   `json:"validFrom"`
		ValidUntil string   `json:"validUntil,omitempty"`
		Subject    subject  `json:"credentialSubject"`
	}{[]string{"https://www.w3.org/ns/credentials/v2"}, c.ID, []string{"VerifiableCredential", TypeCredential}, c.Issuer, c.ValidFrom, c.ValidUntil,
		subject{c.ID + "#list", TypeList, c.Purposes[0], encoded, c.TTL.Milliseconds()}})
}

// Parse reads a published list, of this standard or of StatusList2021. Its
// proof is the caller's to verify.
func Parse(document []byte) (Credential, error) {
	v, err := jsonld.Read(document)
	if err != nil {
		return Credential{}, &Failure{MalformedError, "The status list is not JSON that can be read.", err}
	}
	var c Credential
	types := v.Member("type").Texts()
	switch {
	case slices.Contains(types, TypeCredential):
		c.Type = TypeCredential
	case slices.Contains(types, TypeCredential2021):
		c.Type = TypeCredential2021
	default:
		return c, fail(VerificationError, "What lies at the address is no status list credential.")
	}
	c.ID, _ = v.Member("id").Text()
	issuer := v.Member("issuer")
	if issuer.IsObject() {
		issuer = issuer.Member("id")
	}
	c.Issuer, _ = issuer.Text()
	c.ValidFrom, _ = v.Member("validFrom").Text()
	c.ValidUntil, _ = v.Member("validUntil").Text()
	s := v.Member("credentialSubject")
	c.Purposes = s.Member("statusPurpose").Texts()
	if c.encoded, _ = s.Member("encodedList").Text(); c.encoded == "" || len(c.Purposes) == 0 {
		return c, fail(MalformedError, "The status list has no list or no purpose.")
	}
	if ttl := s.Member("ttl"); !ttl.IsZero() {
		text, _ := ttl.Number()
		ms, err := strconv.ParseInt(text, 10, 64)
		if err != nil || ms < 0 || ms > int64(365*24*time.Hour/time.Millisecond) {
			return c, fail(MalformedError, "The ttl %s of the status list is not a number of milliseconds.", ttl.Raw())
		}
		c.TTL = time.Duration(ms) * time.Millisecond
	}
	return c, nil
}

// Open expands the list of a parsed credential into entries of size bits. It is
// done once for a size.
func (c *Credential) Open(size int) error {
	if c.List.size == size && len(c.List.bits) > 0 {
		return nil
	}
	var err error
	if c.Type == TypeCredential2021 {
		c.List, err = decode2021(c.encoded)
	} else {
		c.List, err = Decode(c.encoded, size)
	}
	return err
}

// Result is the status of one credential.
type Result struct {
	Purpose string
	Status  uint   // 0: the purpose does not apply
	Message string // of the status, where the entry has messages
}

// In finds the status of an entry in a list whose proof was verified, §3.3.
func (e Entry) In(c Credential) (Result, error) {
	r := Result{Purpose: e.Purpose}
	if c.ID != "" && c.ID != e.Credential {
		// The list says where it belongs: another list of the same issuer says nothing here.
		return r, fail(VerificationError, "The list is of %s, and the credential names %s.", c.ID, e.Credential)
	}
	if (e.Type == TypeEntry2021) != (c.Type == TypeCredential2021) {
		return r, fail(VerificationError, "The entry and the list are of different standards.")
	}
	if !slices.Contains(c.Purposes, e.Purpose) {
		return r, fail(VerificationError, "The list is for %s, not for %s.", strings.Join(c.Purposes, ", "), e.Purpose)
	}
	i, err := e.index()
	if err != nil {
		return r, err
	}
	if err := c.Open(max(e.Size, 1)); err != nil {
		return r, err
	}
	if r.Status, err = c.List.Get(i); err != nil {
		return r, err
	}
	for _, m := range e.Messages {
		if v, err := m.value(); err == nil && v == uint64(r.Status) {
			r.Message = m.Message
		}
	}
	return r, nil
}
