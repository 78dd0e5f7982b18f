package transcript

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/vc"
)

// hundred is a record of 100 credentials, as its document before the proof.
func hundred(t testing.TB) []byte {
	t.Helper()
	c := clr.Credential{ID: "https://x.example/credentials/all", Name: "Record of Ada", ValidFrom: "2026-01-01T00:00:00Z", Issuer: openbadges.Profile{ID: "did:web:x.example", Type: openbadges.List[string]{"Profile"}, Name: "Lakeview College"},
		CredentialSubject: clr.Subject{ID: "urn:uuid:00000000-0000-4000-8000-000000000000"}}
	for i := range 100 {
		credits := 3.0
		one, err := openbadges.Compose(openbadges.Credential{ID: fmt.Sprintf("https://x.example/credentials/%d", i), Name: "Course", ValidFrom: "2026-01-01T00:00:00Z", Issuer: c.Issuer,
			CredentialSubject: openbadges.Subject{ID: c.CredentialSubject.ID, Type: openbadges.List[string]{"AchievementSubject"}, CreditsEarned: &credits, Term: fmt.Sprintf("Fall %d", 2018+i/12),
				Achievement: openbadges.Achievement{ID: fmt.Sprintf("https://x.example/achievements/%d", i), Type: openbadges.List[string]{"Achievement"}, AchievementType: "Course", HumanCode: fmt.Sprintf("DAT %d", 100+i),
					Name: fmt.Sprintf("Introduction to Data Analysis with Statistical Computing %d", i), Description: "What is learnt in it, in a sentence or two.", Criteria: &openbadges.Criteria{Narrative: "Pass the examination."}}}})
		if err != nil {
			t.Fatal(err)
		}
		c.CredentialSubject.VerifiableCredential = append(c.CredentialSubject.VerifiableCredential, json.RawMessage(one))
	}
	raw, err := clr.Compose(c)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// BenchmarkPrint is a signed print of a record of 100 credentials beside the
// outer signature of that record, which is canonicalized and signed in about a
// millisecond. A print takes some six times that: a third of it sets the lines, a
// quarter packs streams, a tenth reads the record.
func BenchmarkPrint(b *testing.B) {
	raw := hundred(b)
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	sign := func() {
		d, err := vc.Prepare(raw, vc.EdDSARDFC, "did:web:x.example#key", noon)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := vc.Secure(raw, d.Attach(ed25519.Sign(key, d.Hash))); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("sign", func(b *testing.B) {
		for b.Loop() {
			sign()
		}
	})
	by := signature(b)
	b.Run("print", func(b *testing.B) {
		for b.Loop() {
			m, err := record.Read(raw, record.Frame{Title: "Comprehensive Learner Record", Headings: record.ByTerm})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := PDF(Sheet{Record: m, Credential: raw, Number: "doc_1", Address: "https://x.example/v/lakeview.0123456789", At: noon}, by); err != nil {
				b.Fatal(err)
			}
		}
	})
}
