package transcript

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/wording"
)

// ID names a document: doc_ and text.
type ID string

// Document is a print that was made of a version of a record.
type Document struct {
	ID         ID
	LearnerID  learner.ID
	RecordID   record.ID
	Paper      string
	Recipient  string // whom it was made for; empty: nobody in particular
	MadeAt     time.Time
	MadeBy     string
	SignedAt   time.Time
	KeyID      string // that signs it
	RevokedAt  *time.Time
	RevokedBy  *string
	RevokedFor *string
	TokenHash  []byte
	Printed    map[string]string // keyed hashes of what is printed, by what it is
}

// Making is a document to be made.
type Making struct {
	RecordID  string
	Paper     string // letter unless said
	Recipient string
}

// maxRecipient is how long the name of a recipient may be.
const maxRecipient = 120

func (m *Making) check() (no *fault.Error) {
	if m.Paper == "" {
		m.Paper = Letter
	}
	if _, ok := papers[m.Paper]; !ok {
		return fault.At("paper", "known", "%q is no paper: use letter or a4.", m.Paper)
	}
	m.Recipient, no = wording.Optional("recipient", m.Recipient, maxRecipient)
	return no
}

// secret is what the address of a verify page is made of: 24 bytes that only the
// master key gives.
type secret []byte

func secretOf(derive func(string) []byte, institution string, id ID) secret {
	return derive("document/" + institution + "/" + string(id))[:24]
}

// token is the secret with the institution's slug, as it stands in the address.
func (s secret) token(slug string) string {
	return slug + "." + base64.RawURLEncoding.EncodeToString(s)
}

// parseToken is the slug and the secret of a token.
func parseToken(token string) (slug string, s secret, ok bool) {
	slug, text, ok := strings.Cut(token, ".")
	if !ok || len(text) != 32 || slug == "" || len(slug) > 63 {
		return "", nil, false
	}
	s, err := base64.RawURLEncoding.DecodeString(text)
	return slug, s, err == nil
}

// hash is what is on file of the secret.
func (s secret) hash() []byte {
	sum := sha256.Sum256(append([]byte("testamur document\n"), s...))
	return sum[:]
}

// mark is what is on file of a printed value: whoever does not hold the address,
// which stands on the paper, cannot try values against it.
func (s secret) mark(key, value string) string {
	h := hmac.New(sha256.New, s)
	h.Write([]byte(key + "\n" + plain(value)))
	return hex.EncodeToString(h.Sum(nil))
}

// plain is a value as it is compared: what a person types for what they see.
func plain(value string) string {
	value = cases.Fold().String(norm.NFKC.String(strings.Join(strings.Fields(value), " ")))
	if v, err := strconv.ParseFloat(strings.ReplaceAll(value, ",", "."), 64); err == nil {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	for _, layout := range []string{"2 January 2006", "January 2 2006", "January 2, 2006", "2006-01-02", "2 Jan 2006"} {
		if t, err := time.Parse(layout, value); err == nil {
			return t.Format("2006-01-02")
		}
	}
	return value
}

// The states of a document, as its verify page tells them.
const (
	Current    = "current"
	Superseded = "superseded"
	Suspended  = "suspended"
	Revoked    = "revoked"
)

// Standing is what a verify page tells: nothing that was not on the paper, but
// what became of it.
type Standing struct {
	Institution string // its name, which is on the paper
	State       string
	At          *time.Time // since when it is not current
	MadeAt      time.Time
	Compared    []Compared
	Address     string // of the verify page; empty where it was asked by that
	File        string // where the PDF is, likewise
}

// Compared is one printed fact.
type Compared struct {
	Key     string
	Name    string
	Given   bool // somebody asked
	Matches bool
}

// asked are the facts that may be asked about, in the order of the print.
var asked = []fact{{Key: "name", Name: "Name"}, {Key: "issued", Name: "Issued"}, {Key: "entries", Name: "Entries"}, {Key: "credits", Name: "Credits earned"}, {Key: "average", Name: "Grade point average"}}

// compare tells which of the given values are those that were printed.
func (s secret) compare(printed, given map[string]string) []Compared {
	var all []Compared
	for _, f := range asked {
		mark, ok := printed[f.Key]
		if !ok {
			continue
		}
		c := Compared{Key: f.Key, Name: f.Name}
		if v := given[f.Key]; strings.TrimSpace(v) != "" && len(v) <= 1000 {
			c.Given = true
			c.Matches = hmac.Equal([]byte(mark), []byte(s.mark(f.Key, v)))
		}
		all = append(all, c)
	}
	return all
}
