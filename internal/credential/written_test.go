package credential

import (
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/assertion"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/spec/openbadges"
)

const writtenBadge = `{"type":["VerifiableCredential","AchievementCredential"],"awardedDate":"2026-05-31T10:00:00Z","evidence":{"id":"https://x.example/e","type":"Evidence"},
	"credentialSubject":{"creditsEarned":1.50,"result":[{"type":"Result","resultDescription":"https://x.example/a#grade","value":"A"}],
	"achievement":{"id":"https://x.example/a","name":"A","description":"D","criteria":{"narrative":"N"},
	"resultDescription":[{"id":"https://x.example/a#grade","type":["ResultDescription"],"name":"Grade","resultType":"LetterGrade"}]}}}`

// TestWhatIsWrittenIsToldOrRefused: every member of a file is in what would be
// signed, or the fault names it.
func TestWhatIsWrittenIsToldOrRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ old, new, at string }{
		{"", "", ""},
		{`1.50`, `1.5e0`, ""},
		{`"type":"Evidence"`, `"type":["Evidence"]`, ""},
		{`"awardedDate":"2026-05-31T10:00:00Z"`, `"awardedDate":"2026-05-31"`, ""},
		{`"awardedDate":"2026-05-31T10:00:00Z",`, ``, "awardedDate"},
		{`{"type":["Veri`, `{"id":"urn:x:1","type":["Veri`, "id"},
		{`{"type":["Veri`, `{"validFrom":"2026-05-31T10:00:00Z","type":["Veri`, "validFrom"},
		{`{"type":["Veri`, `{"@context":["https://www.w3.org/ns/credentials/v2","https://x.example/c"],"type":["Veri`, "@context"},
		{`{"type":["Veri`, `{"issuer":"did:web:x.example","type":["Veri`, "issuer"},
		{`{"type":["Veri`, `{"name":"Another","type":["Veri`, "name"},
		{`{"type":["Veri`, `{"termsOfUse":{"type":"X"},"type":["Veri`, "termsOfUse"},
		{`"AchievementCredential"`, `"EndorsementCredential"`, "type"},
		{`{"creditsEarned"`, `{"id":"did:example:eve","creditsEarned"`, "credentialSubject.id"},
		{`{"creditsEarned"`, `{"source":{"id":"urn:x:1"},"creditsEarned"`, "credentialSubject.source"},
		{`1.50`, `"three"`, "credentialSubject.creditsEarned"},
		{`"value":"A"`, `"value":"A","alignment":{"targetName":"T"}`, "credentialSubject.result.0.alignment"},
		{`"name":"A"`, `"name":"A","unheardOf":1`, "credentialSubject.achievement.unheardOf"},
		{`"id":"https://x.example/a",`, ``, "credentialSubject.achievement.id"},
	} {
		if !strings.Contains(writtenBadge, c.old) {
			t.Fatalf("%s is not in it", c.old)
		}
		w, err := ReadWritten([]byte(strings.Replace(writtenBadge, c.old, c.new, 1)))
		if err == nil {
			err = told(t, w)
		}
		f, _ := fault.Of(err)
		if (err == nil) != (c.at == "") || err != nil && (f == nil || f.Field != c.at) {
			t.Errorf("%s: %v, want it at %q", c.new, err, c.at)
		}
	}
}

func told(t testing.TB, w Written) error {
	t.Helper()
	facts, err := w.Facts(*w.Definition, w.URI)
	if err != nil {
		return err
	}
	a := Award{Issuer: openbadges.Profile{ID: "did:web:home.example"}, Assertion: facts.Of(assertion.Assertion{}), Definition: *w.Definition}
	a.Achievement.URI = &w.URI
	return w.Told(a)
}

// FuzzReadWritten: whatever a file holds, it is read or refused by a sentence.
func FuzzReadWritten(f *testing.F) {
	f.Add([]byte(writtenBadge))
	f.Add([]byte(`{"type":"OpenBadgeCredential","awardedDate":["2026-05-31"],"credentialSubject":[{"achievement":[{"id":"urn:x:1"}]}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		w, err := ReadWritten(raw)
		if err == nil && w.Definition != nil {
			err = told(t, w)
		}
		if fl, ok := fault.Of(err); err != nil && (!ok || fl.Message == "") {
			t.Errorf("%q: %v", raw, err)
		}
	})
}
