// Package record assembles a learner's comprehensive record from what is
// stored: one signed credential for each award, the competencies they are
// aligned to, and how those hang together.
//
// A record is an immutable version. Assembling what has not changed gives the
// version that is there. Compose is pure: the same facts give the same document.
// Standard: CLR 2.0, ClrCredential.
package record

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/testamur/testamur/internal/achievement"
	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/framework"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/program"
	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/vc"
)

// ID names a record: rec_ and text.
type ID string

// Omission is what a record leaves out, and why.
type Omission struct {
	Reason string `json:"reason"` // a sentence
	Count  int    `json:"count"`
}

// Record is one version of a learner's record.
type Record struct {
	ID           ID
	LearnerID    learner.ID
	Type         string // key of the record type
	TypeVersion  int
	Series       string // versions are counted in it: the type, with the program and the choice if there is one
	Version      int    // 1 for the first of its series
	CredentialID credential.ID
	ContentHash  []byte
	Partial      bool // the institution holds more of this learner than this
	Omissions    []Omission
	AssembledAt  time.Time
	AssembledBy  string
}

// Facts are everything that a record tells.
type Facts struct {
	Issuer      openbadges.Profile
	Learner     learner.Learner
	Credentials []credential.Credential // issued, in the order they are to have
	Brought     []string                // what others issued, as it stands behind them: JSON
	Pins        []achievement.Pin       // what each was earned for; may be left out
	Items       []framework.Item        // that the awards are aligned to, and those above
	Links       []framework.Link        // among the items
	Partial     bool
	Title       string            // what such a record is called; empty: a Comprehensive Learner Record
	Programs    []ProgramProgress // what is told of the learner's programs
	Base        string            // address of the institution, below which its programs are
	known       aligned
}

// pin is what the i-th credential was earned for.
func (f Facts) pin(i int) achievement.Pin {
	if i < len(f.Pins) {
		return f.Pins[i]
	}
	return achievement.Pin{}
}

// Compose is the record's document before its proofs.
func (f Facts) Compose(id, validFrom string) ([]byte, error) {
	c := clr.Credential{ID: id, Name: cmp.Or(f.Title, builtIn[0].Content.Title) + " of " + f.Learner.DisplayName, Issuer: f.Issuer, ValidFrom: validFrom,
		Partial: f.Partial, CredentialSubject: clr.Subject{ID: f.Learner.SubjectID(), Identifier: f.identifiers()}}
	known := map[string]bool{}
	aligned, err := f.embed(&c, known)
	if err != nil {
		return nil, err
	}
	for _, i := range f.Items {
		if !known[i.URI] {
			known[i.URI] = true
			c.CredentialSubject.Achievement = append(c.CredentialSubject.Achievement, competency(i))
		}
	}
	parts := f.structure(&c, known)
	types, there := clr.AssociationTypes(), map[clr.Association]bool{}
	add := func(kind, source, target string) {
		a := clr.Association{Type: "Association", AssociationType: kind, SourceID: source, TargetID: target}
		if source != target && known[source] && known[target] && !there[a] && slices.Contains(types, kind) {
			there[a] = true
			c.CredentialSubject.Association = append(c.CredentialSubject.Association, a)
		}
	}
	for _, a := range aligned {
		add("isRelatedTo", a[0], a[1])
	}
	for _, p := range parts {
		add("isPartOf", p[0], p[1])
	}
	for _, l := range f.Links {
		add(l.Type, l.Origin, l.Destination)
	}
	document, err := clr.Compose(c)
	if err != nil {
		return nil, err
	}
	return f.filled(document)
}

// structure puts the programs of a learner, with the requirements that are not
// met, among the achievements that the record tells of and does not assert. It
// gives what is part of what; what meets a requirement is part of the program.
func (f Facts) structure(c *clr.Credential, known map[string]bool) (parts [][2]string) {
	if len(f.Programs) == 0 {
		return nil
	}
	tell := func(uri, kind, name, description string, code string) {
		if !known[uri] {
			known[uri] = true
			c.CredentialSubject.Achievement = append(c.CredentialSubject.Achievement, openbadges.Achievement{ID: uri, Type: openbadges.List[string]{"Achievement"},
				AchievementType: kind, Name: name, Description: description, HumanCode: code, Criteria: &openbadges.Criteria{ID: uri}})
		}
	}
	awarded := map[assertion.ID]string{}
	for i, e := range f.Credentials {
		if a, err := f.known.of(f.pin(i), *e.Document); err == nil && e.AssertionID != nil { // it was read before
			awarded[*e.AssertionID] = a.uri
		}
	}
	for _, p := range f.Programs {
		whole := f.Base + "/programs/" + string(p.Program.ID)
		tell(whole, "LearningProgram", p.Program.Title, fmt.Sprintf("Version %d of the program.", p.Program.Version), p.Program.Code)
		for _, l := range p.Lines {
			kind, single := map[string]string{program.Course: "Course", program.Competency: "Competency", program.Achievement: "Achievement"}[l.Kind]
			switch {
			case !single:
			case l.Status == Earned:
				for _, a := range l.Awards {
					if uri, ok := awarded[a]; ok {
						parts = append(parts, [2]string{uri, whole})
					}
				}
			default:
				uri := whole + "#" + url.PathEscape(l.Key)
				tell(uri, kind, l.Title, "Not earned yet. "+l.Reason, "")
				parts = append(parts, [2]string{uri, whole})
			}
		}
	}
	return parts
}

// parts are the embedded credentials with their canonical forms.
func (f Facts) parts() []vc.Part {
	all := make([]vc.Part, len(f.Credentials), len(f.Credentials)+len(f.Brought))
	for i, c := range f.Credentials {
		all[i] = vc.Part{Document: *c.Document, Kept: c.Kept}
	}
	for _, b := range f.Brought {
		all = append(all, vc.Part{Document: b})
	}
	return all
}

// placeholder stands for the embedded credentials while the rest is composed:
// they go in as text, byte for byte, and are not read again.
const placeholder = `"embedded"`

// embed puts the credentials' place in, and gives back which achievement is
// aligned to which competency.
func (f Facts) embed(c *clr.Credential, known map[string]bool) (aligned [][2]string, err error) {
	c.CredentialSubject.VerifiableCredential = []json.RawMessage{json.RawMessage(placeholder)}
	for i, e := range f.Credentials {
		if e.Document == nil {
			return nil, fmt.Errorf("credential %s is not issued", e.ID)
		}
		a, err := f.known.of(f.pin(i), *e.Document)
		if err != nil {
			return nil, err
		}
		if known[a.uri] {
			continue
		}
		known[a.uri] = true
		for _, t := range a.targets {
			aligned = append(aligned, [2]string{a.uri, t})
		}
	}
	return aligned, nil
}

// filled is a composed record with its credentials in their place.
func (f Facts) filled(document []byte) ([]byte, error) {
	const member = `"verifiableCredential":[`
	at := bytes.Index(document, []byte(member+placeholder+"]"))
	if at < 0 {
		return nil, errors.New("a record has no place for its credentials")
	}
	at += len(member)
	size := len(document)
	texts := make([]string, 0, len(f.Credentials)+len(f.Brought))
	for _, e := range f.Credentials {
		texts = append(texts, *e.Document)
	}
	texts = append(texts, f.Brought...)
	for _, t := range texts {
		size += len(t) + 1
	}
	out := make([]byte, 0, size)
	out = append(out, document[:at]...)
	for i, t := range texts {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, t...)
	}
	return append(out, document[at+len(placeholder):]...), nil
}

// aligned remembers what the versions of achievements are, and are aligned to:
// many learners have earned the same, and each credential of it says it again.
type aligned map[achievement.Pin]alignment

type alignment struct {
	uri     string
	kind    string   // the type of the achievement
	credits *float64 // it is worth
	targets []string
}

// of is what the achievement in a credential is, and is aligned to.
func (a aligned) of(pin achievement.Pin, document string) (alignment, error) {
	if known, ok := a[pin]; ok {
		return known, nil
	}
	out, err := alignments(document)
	if err == nil && a != nil && pin.Version > 0 {
		a[pin] = out
	}
	return out, err
}

// alignments are the achievement of an embedded credential, and the addresses
// it is aligned to, those of its results and their levels as well.
func alignments(document string) (alignment, error) {
	var d struct {
		CredentialSubject struct {
			Achievement openbadges.Achievement `json:"achievement"`
		} `json:"credentialSubject"`
	}
	if err := json.Unmarshal([]byte(document), &d); err != nil {
		return alignment{}, err
	}
	var targets []string
	add := func(all openbadges.List[openbadges.Alignment]) {
		for _, a := range all {
			if !slices.Contains(targets, a.TargetURL) {
				targets = append(targets, a.TargetURL)
			}
		}
	}
	a := d.CredentialSubject.Achievement
	add(a.Alignment)
	for _, r := range a.ResultDescription {
		add(r.Alignment)
		for _, l := range r.RubricCriterionLevel {
			add(l.Alignment)
		}
	}
	return alignment{a.ID, a.AchievementType, a.CreditsAvailable, targets}, nil
}

// identifiers are how people and systems know the learner.
func (f Facts) identifiers() openbadges.List[openbadges.IdentityObject] {
	all := credential.Named(f.Learner)
	if f.Learner.RefValue != nil {
		all = append(all, openbadges.IdentityObject{Type: "IdentityObject", IdentityHash: *f.Learner.RefValue, IdentityType: "sourcedId"})
	}
	return all
}

// competency is a framework's item as an achievement that associations can
// point to. It says what the competency is, not that it was reached.
func competency(i framework.Item) openbadges.Achievement {
	a := openbadges.Achievement{ID: i.URI, Type: openbadges.List[string]{"Achievement"}, AchievementType: "Competency", Name: name(i),
		Description: i.FullStatement, Criteria: &openbadges.Criteria{ID: i.URI}}
	if i.HumanCodingScheme != nil {
		a.HumanCode = *i.HumanCodingScheme
	}
	if i.Language != nil {
		a.InLanguage = *i.Language
	}
	return a
}

// longName is where a statement is too long to be a name.
const longName = 120

func name(i framework.Item) string {
	if i.AbbreviatedStatement != nil && strings.TrimSpace(*i.AbbreviatedStatement) != "" {
		return *i.AbbreviatedStatement
	}
	if r := []rune(i.FullStatement); len(r) > longName {
		return string(r[:longName-1]) + "…"
	}
	return i.FullStatement
}
