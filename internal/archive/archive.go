// Package archive is an institution as a folder that outlives it: what was signed,
// byte for byte, with the keys, the status lists, the accounts of what was done
// and told as they stood at one moment, and pages that open in a browser without
// a network or a script.
//
// Every file stands with its SHA-256 in SHA256SUMS, in the form of sha256sum, and
// the manifest, a Verifiable Credential of the institution with a proof by
// eddsa-jcs-2022, holds the hash of that list: whoever changes, adds or takes away
// anything is found out. Check needs the archive and nothing else. What it cannot
// know from the archive alone is whose the keys are: an archive brings its own, so
// a reader compares its fingerprint, or the institution's key document, with what
// they have from elsewhere. Statuses are those of the day of the archive.
//
// It is the institution's own copy: names and accounts of disclosure stand in it,
// its files are for their owner alone to read, and handing it on is the
// institution's to decide. No private key leaves with it.
package archive

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/spec/jsonld"
)

// The files at the top of an archive.
const (
	manifestFile    = "manifest.json"
	sumsFile        = "SHA256SUMS"
	indexFile       = "index.html"
	readmeFile      = "README.txt"
	keysFile        = "did.json"
	profileFile     = "institution.json"
	auditFile       = "audit.ndjson"
	disclosuresFile = "disclosures.ndjson"
	learnersFolder  = "learners"
	statusFolder    = "status"
	frameworkFolder = "frameworks"
	pagesFolder     = "pages"
	personFile      = "learner.json"
)

// kind is the type of a manifest besides VerifiableCredential.
const kind = "InstitutionArchive"

// Manifest says what an archive is. The members that are not of VCDM 2.0 are
// under its context for undefined terms.
type Manifest struct {
	Context   []string `json:"@context"`
	Type      []string `json:"type"`
	Issuer    string   `json:"issuer"`
	ValidFrom string   `json:"validFrom"` // the moment of the archive
	Subject   Contents `json:"credentialSubject"`
}

// Contents are what an archive holds.
type Contents struct {
	Type          string `json:"type"`
	ID            string `json:"id"`   // the institution's DID
	Name          string `json:"name"` // the institution's
	InstitutionID string `json:"institutionId"`
	Base          string `json:"base"`  // the address that ids of its credentials begin with
	Whole         bool   `json:"whole"` // the institution; otherwise some of its learners
	Learners      int    `json:"learners"`
	Credentials   int    `json:"credentials"`
	Deposits      int    `json:"deposits"`
	Disclosures   int    `json:"disclosures"`
	AuditLines    int64  `json:"auditLines"`
	AuditHead     string `json:"auditHead,omitempty"` // hash of the last line, in hexadecimal
	Files         int    `json:"files"`               // of SHA256SUMS
	Bytes         int64  `json:"bytes"`               // of them together
	Sums          string `json:"sha256sums"`          // SHA-256 of SHA256SUMS, in hexadecimal
	Application   string `json:"application"`
	FormatNumber  int    `json:"formatVersion"`
}

// format is the number of this layout.
const format = 1

// contexts of a manifest.
var contexts = []string{"https://www.w3.org/ns/credentials/v2", "https://www.w3.org/ns/credentials/undefined-terms/v2"}

// written is a signed manifest as it stands in its file: canonical, but for the
// line breaks that let a person read it. One form, so that no byte of it can
// change unseen.
func written(signed []byte) ([]byte, error) {
	canonical, err := jsonld.JCS(signed)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, canonical, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// Person is learner.json: one learner, and what stands in the folder beside it.
type Person struct {
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	Reference   string     `json:"reference,omitempty"` // in the institution's own system: SYSTEM:VALUE
	Email       string     `json:"email,omitempty"`
	BirthOn     string     `json:"birthOn,omitempty"`
	Names       []Named    `json:"names"` // the first first
	Identifiers []Known    `json:"identifiers"`
	Credentials []Held     `json:"credentials"`
	Deposits    []Brought  `json:"deposits"`
	Pages       []RecordAs `json:"pages"`
}

// Named is a name that a learner has or had.
type Named struct {
	Name string `json:"name"`
	From string `json:"from"` // day
}

// Known is what somebody calls a learner.
type Known struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// The states of what was issued.
const (
	Active    = "active"
	Suspended = "suspended"
	Revoked   = "revoked"
)

// Held is one signed credential, and what the institution said of it at the
// moment of the archive.
type Held struct {
	File         string `json:"file"` // in the folder of the learner
	ID           string `json:"id"`   // its address, which is its id
	Kind         string `json:"kind"` // achievement, record or summary
	Name         string `json:"name"`
	IssuedAt     string `json:"issuedAt"`
	ValidUntil   string `json:"validUntil,omitempty"`
	Status       string `json:"status"`
	Since        string `json:"since,omitempty"` // of a status that is not active
	Cause        string `json:"cause,omitempty"`
	WithdrawnAt  string `json:"withdrawnAt,omitempty"` // when the award was taken back
	SupersededBy string `json:"supersededBy,omitempty"`
	SupersededAt string `json:"supersededAt,omitempty"`
	Record       string `json:"record,omitempty"` // id of the record that it is
	Version      int    `json:"version,omitempty"`
}

// stands reports whether the institution stood by it at the moment of the archive.
func (h Held) stands(at time.Time) bool {
	until, err := time.Parse(time.RFC3339, h.ValidUntil)
	return h.Status == Active && h.WithdrawnAt == "" && (h.ValidUntil == "" || err == nil && !at.After(until))
}

// Brought is a credential of another issuer that the learner brought.
type Brought struct {
	File       string `json:"file"`
	ID         string `json:"id"`
	Issuer     string `json:"issuer"`
	IssuerName string `json:"issuerName"`
	Name       string `json:"name"`
	VerifiedAt string `json:"verifiedAt"`
	Outcome    string `json:"outcome"` // what verifying came to then: passed or not_checked
}

// RecordAs is a record as a page.
type RecordAs struct {
	File   string `json:"file"`
	Record string `json:"record"`
}

// instant is a time as the files of an archive write it.
func instant(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// before orders paths as a folder is walked: by their parts, so that what lies in
// a folder stays together.
func before(a, b string) bool {
	return strings.ReplaceAll(a, "/", "\x00") < strings.ReplaceAll(b, "/", "\x00")
}
