package transcript

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/cost"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/vc"
)

// signing is how an institution signs in a bench: from the bytes of a document to
// those with its proofs.
func signing(t testing.TB, key ed25519.PrivateKey, raw []byte, suites []string, parts ...vc.Part) []byte {
	t.Helper()
	drafts, err := vc.PrepareAll(string(raw), suites, "did:web:x.example#key", noon, parts...)
	if err != nil {
		t.Fatal(err)
	}
	proofs := make([]vc.Proof, len(drafts))
	for i, d := range drafts {
		proofs[i] = d.Attach(ed25519.Sign(key, d.Hash))
	}
	out, err := vc.Secure(raw, proofs...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// hundred is a record of 100 signed courses of some 3 KB each, as its document
// before the proof, with the forms of the courses that are kept when they are
// issued.
func hundred(t testing.TB, key ed25519.PrivateKey) (record []byte, kept []vc.Part) {
	t.Helper()
	home := openbadges.Profile{ID: "did:web:x.example", Type: openbadges.List[string]{"Profile"}, Name: "Lakeview College", URL: "https://lakeview.example", Email: "registrar@lakeview.example",
		Address: &openbadges.Address{Type: openbadges.List[string]{"Address"}, StreetAddress: "1 Shore Road", AddressLocality: "Madison", AddressRegion: "WI", PostalCode: "53703", AddressCountryCode: "US"}}
	c := clr.Credential{ID: "https://x.example/credentials/all", Name: "Record of Ada", ValidFrom: "2026-01-01T00:00:00Z", Issuer: home,
		CredentialSubject: clr.Subject{ID: "urn:uuid:00000000-0000-4000-8000-000000000000"}}
	aligned := func(n int) openbadges.Alignment {
		return openbadges.Alignment{Type: openbadges.List[string]{"Alignment"}, TargetName: fmt.Sprintf("Judges what data can bear, part %d", n), TargetURL: fmt.Sprintf("https://x.example/competencies/%d", n), TargetCode: fmt.Sprintf("RM.%d", n), TargetFramework: "Research methods", TargetType: "CFItem"}
	}
	for i := range 100 {
		credits, at := 3.0, fmt.Sprintf("https://x.example/achievements/%d", i)
		one, err := openbadges.Compose(openbadges.Credential{ID: fmt.Sprintf("https://x.example/credentials/%d", i), Name: "Course", AwardedDate: "2025-12-20T00:00:00Z", ValidFrom: "2026-01-01T00:00:00Z", Issuer: home,
			CredentialSubject: openbadges.Subject{ID: c.CredentialSubject.ID, Type: openbadges.List[string]{"AchievementSubject"}, CreditsEarned: &credits, Term: fmt.Sprintf("Fall %d", 2018+i/12),
				Result: openbadges.List[openbadges.Result]{{Type: openbadges.List[string]{"Result"}, ResultDescription: at + "#grade", Value: []string{"A", "B", "C"}[i%3]}},
				Achievement: openbadges.Achievement{ID: at, Type: openbadges.List[string]{"Achievement"}, AchievementType: "Course", HumanCode: fmt.Sprintf("DAT %d", 100+i), CreditsAvailable: &credits,
					Name: fmt.Sprintf("Introduction to Data Analysis with Statistical Computing %d", i), Description: "Designs a study, gathers data, judges what they can bear, and reports on it for readers of other fields.",
					Criteria: &openbadges.Criteria{Narrative: fmt.Sprintf("Pass the examination of course %d and hand in the report.", i)}, Alignment: openbadges.List[openbadges.Alignment]{aligned(i), aligned(i + 1)},
					ResultDescription: openbadges.List[openbadges.ResultDescription]{{ID: at + "#grade", Type: openbadges.List[string]{"ResultDescription"}, Name: "Final grade", ResultType: "LetterGrade", AllowedValue: []string{"F", "D", "C", "B", "A"}}}}}})
		if err != nil {
			t.Fatal(err)
		}
		one = signing(t, key, one, []string{vc.EdDSARDFC})
		form, err := vc.Keep(one)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, vc.Part{Document: string(one), Kept: form})
		c.CredentialSubject.VerifiableCredential = append(c.CredentialSubject.VerifiableCredential, json.RawMessage(one))
	}
	raw, err := clr.Compose(c)
	if err != nil {
		t.Fatal(err)
	}
	return raw, kept
}

// BenchmarkPrint is a signed print of a record of 100 credentials, read from the
// signed record to the signed file, beside signing that record: cold, with the
// forms of what it embeds kept from when that was issued, and so with the second
// proof over every byte that the service adds. They take turns, and what counts is
// the processor time, which neighbours on a shared machine disturb least.
func BenchmarkPrint(b *testing.B) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	raw, kept := hundred(b, key)
	both := []string{vc.EdDSARDFC, vc.EdDSAJCS}
	signed := signing(b, key, raw, both)
	by := signature(b)
	size := 0
	steps := []func(){
		func() {
			m, err := record.Read(signed, record.Frame{Title: "Comprehensive Learner Record", Headings: record.ByTerm})
			if err != nil {
				b.Fatal(err)
			}
			file, err := PDF(Sheet{Record: m, Credential: signed, Number: "doc_1", Address: "https://x.example/v/lakeview.0123456789", At: noon}, by)
			if err != nil {
				b.Fatal(err)
			}
			size = len(file)
		},
		func() { signing(b, key, raw, both[:1]) },
		func() { signing(b, key, raw, both) },
		func() { signing(b, key, raw, both[:1], kept...) },
		func() { signing(b, key, raw, both, kept...) },
	}
	took := make([]time.Duration, len(steps))
	b.ReportAllocs()
	for b.Loop() {
		for i, step := range steps {
			took[i] += cost.Spent(step)
		}
	}
	b.ReportMetric(float64(took[0].Microseconds())/1000/float64(b.N), "cpu-ms/print")
	b.ReportMetric(float64(size)/1024, "KB/print")
	b.ReportMetric(float64(len(signed))/1024, "KB/record")
	for i, name := range []string{"x-cold", "x-cold-both", "x-kept", "x-kept-both"} {
		b.ReportMetric(float64(took[0])/float64(took[i+1]), name)
	}
	b.ReportMetric(0, "ns/op")
}
