package record_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/deposit"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/interop"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/vc"
	"github.com/testamur/testamur/internal/testbed"
	"github.com/testamur/testamur/internal/verify"
)

const student = "ref:" + demo.System + ":S100001"

// traveller is a student of the demonstration who has been elsewhere.
type traveller struct {
	*testbed.Bed
	abroad testbed.Abroad
	own    access.Actor
	person learner.Learner
}

func newTraveller(t *testing.T) *traveller {
	t.Helper()
	b := &traveller{Bed: testbed.New(t), abroad: testbed.NewAbroad(9)}
	b.Load(t)
	l, err := b.Learners.Find(t.Context(), b.Registrar(), student)
	b.person = testbed.Must(t, l, err)
	b.own = b.As(access.Learner)
	b.own.LearnerID = string(l.ID)
	return b
}

func (b *traveller) bring(t *testing.T, material []byte) deposit.Deposit {
	t.Helper()
	d, _, err := b.Deposits.Bring(t.Context(), b.own, deposit.Brought{LearnerID: string(b.person.ID), Material: material})
	return testbed.Must(t, d, err)
}

func (b *traveller) record(t *testing.T, w record.Want) (record.Record, []byte, record.Model) {
	t.Helper()
	r, err := b.Records.AssembleAs(t.Context(), b.Registrar(), nil, student, w)
	testbed.Must(t, r, err)
	c := testbed.Whole(t, b.Credentials, b.Registrar(), string(r.CredentialID))
	m, err := b.Records.Model(t.Context(), b.Registrar(), string(r.ID))
	return r, []byte(*c.Document), testbed.Must(t, m, err)
}

// others are the lines of a model that other issuers wrote.
func others(m record.Model) (all []record.Line) {
	for _, s := range m.Sections {
		for _, l := range s.Lines {
			if l.Other {
				all = append(all, l)
			}
			if l.Other != (s.Kind == record.OtherIssuers) {
				all = append(all, record.Line{Title: "a line of another issuer under " + s.Kind})
			}
		}
	}
	return all
}

func TestWhatALearnerBroughtStandsInTheRecord(t *testing.T) {
	b := newTraveller(t)
	subject := b.person.SubjectID()
	_, _, before := b.record(t, record.Want{})
	spaced := append([]byte("\n "), b.abroad.Signed(t, b.abroad.Badge(1, subject))...)
	badge := b.bring(t, spaced)
	credits := b.abroad.Badge(2, subject)
	ten := 10.0
	credits.CredentialSubject.CreditsEarned = &ten
	credits.CredentialSubject.Achievement.CreditsAvailable = &ten
	b.bring(t, b.abroad.Signed(t, credits))
	inner, err := clr.Compose(clr.Credential{ID: "urn:uuid:00000000-0000-4000-8000-00000000000a", Name: "Record of the Red Cross", Issuer: b.abroad.Badge(1, "").Issuer, ValidFrom: "2026-03-01T00:00:00Z",
		CredentialSubject: clr.Subject{ID: subject, VerifiableCredential: []json.RawMessage{b.abroad.Signed(t, b.abroad.Badge(3, subject))}}})
	whole := b.abroad.Sign(t, testbed.Must(t, inner, err))
	b.bring(t, whole)
	r, document, m := b.record(t, record.Want{})
	if r.Version != 2 || r.Partial != before.Partial {
		t.Errorf("version %d, partial %v", r.Version, r.Partial)
	}
	t.Run("byte for byte", func(t *testing.T) {
		for _, want := range [][]byte{bytes.TrimSpace(spaced), whole} {
			if bytes.Count(document, want) != 1 {
				t.Errorf("not in the record: %.200s", want)
			}
		}
	})
	t.Run("as another issuer's", func(t *testing.T) {
		all := others(m)
		if len(all) != 3 {
			t.Fatalf("%+v", all)
		}
		for _, l := range all {
			if l.Issuer.Name != "Red Cross" || l.Issuer.ID != b.abroad.DID {
				t.Errorf("%+v", l)
			}
		}
		for _, s := range m.Sections {
			if s.Kind == record.OtherIssuers && s.Credits != 0 {
				t.Errorf("they bring %v credits here", s.Credits)
			}
		}
		if m.Summary.CreditsEarned != before.Summary.CreditsEarned {
			t.Errorf("%v credits, %v without them", m.Summary.CreditsEarned, before.Summary.CreditsEarned)
		}
	})
	t.Run("it verifies, and each of them alone", func(t *testing.T) {
		interop.ValidateCLR(t, document)
		got, err := b.Verifier.Report(t.Context(), access.Anonymous(), document)
		if err != nil || got.Outcome != verify.Passed {
			t.Fatalf("%v %+v", err, got.Checks)
		}
		n := 0
		for _, e := range got.Embedded {
			if e.IssuerID == b.abroad.DID {
				n++
			}
		}
		if n != 3 {
			t.Errorf("%d are of the other issuer", n)
		}
	})
	t.Run("a type without them is partial, and says so", func(t *testing.T) {
		r, document, m := b.record(t, record.Want{Type: record.Transcript})
		if !r.Partial || bytes.Contains(document, []byte(b.abroad.DID)) || len(others(m)) != 0 ||
			!slices.ContainsFunc(m.Omissions, func(o record.Omission) bool {
				return o.Count == 3 && strings.Contains(o.Reason, "does not hold what others issued")
			}) {
			t.Errorf("%v %+v", r.Partial, m.Omissions)
		}
	})
	t.Run("the learner leaves one out", func(t *testing.T) {
		r, document, m := b.record(t, record.Want{Chosen: record.LeftOut{Credentials: []credential.ID{credential.ID(badge.ID)}}})
		if !r.Partial || bytes.Contains(document, bytes.TrimSpace(spaced)) || len(others(m)) != 2 {
			t.Errorf("%v %+v", r.Partial, m.Omissions)
		}
		_, err := b.Records.AssembleAs(t.Context(), b.Registrar(), nil, student, record.Want{Chosen: record.LeftOut{Credentials: []credential.ID{"dep_none"}}})
		if f, ok := fault.Of(err); !ok || f.Rule != "known" {
			t.Error(err)
		}
	})
	t.Run("a newer copy makes a new version", func(t *testing.T) {
		newer := b.abroad.Badge(1, subject)
		newer.ValidFrom = "2026-05-01T00:00:00Z"
		b.bring(t, b.abroad.Signed(t, newer))
		if r, _, _ := b.record(t, record.Want{}); r.Version != 3 {
			t.Errorf("version %d", r.Version)
		}
		if r, _, _ := b.record(t, record.Want{}); r.Version != 3 {
			t.Errorf("nothing changed, and version %d", r.Version)
		}
	})
}

// One whose terms nobody here knows was signed by its issuer, byte for byte, and is
// kept; a record that had it could not be signed.
func TestWhatCannotStandInARecordIsLeftOut(t *testing.T) {
	b := newTraveller(t)
	doc, err := openbadges.Compose(b.abroad.Badge(1, b.person.SubjectID()))
	strange := strings.Replace(string(testbed.Must(t, doc, err)), `]`, `,"https://strange.example/context"]`, 1)
	d, err := vc.Prepare([]byte(strange), vc.EdDSAJCS, b.abroad.Method, time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC))
	testbed.Must(t, d, err)
	signed, err := vc.Secure([]byte(strange), d.Attach(ed25519.Sign(b.abroad.Key, d.Hash)))
	b.bring(t, testbed.Must(t, signed, err))
	b.bring(t, b.abroad.Token(t, b.abroad.Badge(3, b.person.SubjectID()))) // the schema of CLR 2.0 has no place for an envelope
	ended := b.abroad.Badge(2, b.person.SubjectID())
	ended.ValidUntil = "2026-11-24T09:00:01Z"
	b.bring(t, b.abroad.Signed(t, ended))
	later := b.Now().Add(time.Hour)
	b.Records.Now = func() time.Time { return later }
	r, document, m := b.record(t, record.Want{})
	if !r.Partial || bytes.Contains(document, []byte("strange.example")) || len(others(m)) != 0 || len(r.Omissions) != 3 {
		t.Errorf("%v %+v", r.Partial, r.Omissions)
	}
}
