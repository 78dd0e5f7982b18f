package jsonld

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/piprate/json-gold/ld"

	"github.com/testamur/testamur/internal/standards"
)

// badge is a signed Open Badge with results and rubric levels, about 3 KB, in
// the manner of a registrar who names every node. Badges differ by n.
func badge(n int) string {
	level := func(i int) string {
		return fmt.Sprintf(`{"id":"https://registrar.example.edu/achievements/%d#level-%d","type":["RubricCriterionLevel"],"name":"Level %d","description":"Work at level %d of the rubric.","points":"%d"}`, n, i, i, i, i)
	}
	return fmt.Sprintf(`{"@context":["https://www.w3.org/ns/credentials/v2","https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"],
"id":"https://registrar.example.edu/credentials/%[1]d","type":["VerifiableCredential","OpenBadgeCredential"],"name":"Course %[1]d — Méthodes de recherche",
"issuer":{"id":"did:web:registrar.example.edu","type":["Profile"],"name":"Example State University","url":"https://example.edu","email":"registrar@example.edu","address":{"type":["Address"],"addressCountry":"US","addressCountryCode":"US","addressRegion":"Oregon","addressLocality":"Salem"}},
"validFrom":"2026-06-%02[2]dT00:00:00Z","awardedDate":"2026-06-01T00:00:00Z",
"credentialSubject":{"id":"did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK","type":["AchievementSubject"],"activityStartDate":"2026-01-10T00:00:00Z","activityEndDate":"2026-05-30T00:00:00Z","creditsEarned":%[3]s,
"identifier":[{"type":"IdentityObject","hashed":true,"identityHash":"sha256$6ca3f6e0a1b4e6b9ff1e6d0c53d6f0f4bb3f1bb2d8c4a1e5f6a7b8c9d0e1f2a%[1]d","identityType":"emailAddress","salt":"s%[1]d"}],
"achievement":{"id":"https://registrar.example.edu/achievements/%[1]d","type":["Achievement"],"achievementType":"Course","creditsAvailable":4,"humanCode":"RM-%[1]d","name":"Research methods %[1]d","description":"Designs a study, gathers data and reports on it.","criteria":{"narrative":"Passed the examination of course %[1]d and handed in the report."},"fieldOfStudy":"Social science","tag":["research","methods"],
"alignment":[{"type":["Alignment"],"targetName":"Designs a study","targetUrl":"https://case.example.edu/items/%[1]d-1","targetCode":"RM.%[1]d.1","targetType":"CFItem"}],
"resultDescription":[{"id":"https://registrar.example.edu/achievements/%[1]d#grade","type":["ResultDescription"],"name":"Final grade","resultType":"LetterGrade","allowedValue":["F","D","C","B","A"]},{"id":"https://registrar.example.edu/achievements/%[1]d#rubric","type":["ResultDescription"],"name":"Report","resultType":"RubricCriterionLevel","rubricCriterionLevel":[%[4]s,%[5]s]}]},
"result":[{"type":["Result"],"resultDescription":"https://registrar.example.edu/achievements/%[1]d#grade","value":"A"},{"type":["Result"],"resultDescription":"https://registrar.example.edu/achievements/%[1]d#rubric","achievedLevel":"https://registrar.example.edu/achievements/%[1]d#level-2"}]},
"proof":[{"type":"DataIntegrityProof","cryptosuite":"eddsa-rdfc-2022","created":"2026-06-02T00:00:00Z","verificationMethod":"did:web:registrar.example.edu#key-1","proofPurpose":"assertionMethod","proofValue":"z5x9aCBYovW3CQCbKdNyhEm7ffYSw1YpEdPywQJoNbzDD2gkzQDKJ1sYKJaWvqZtkMtSbz35HcbgXVEDYHxCzg%[1]d"}]}`,
		n, n%28+1, []string{"3.5", "4", "1.25"}[n%3], level(1), level(2))
}

// transcript is a CLR of n signed badges, not itself signed.
func transcript(n int) []byte {
	var badges, links strings.Builder
	for i := range n {
		if i > 0 {
			badges.WriteString(",\n")
			links.WriteString(",")
		}
		badges.WriteString(badge(i + 1))
		fmt.Fprintf(&links, `{"type":["Association"],"associationType":"precedes","sourceId":"https://registrar.example.edu/achievements/%d","targetId":"https://registrar.example.edu/achievements/%d"}`, i+1, i+2)
	}
	return fmt.Appendf(nil, `{"@context":["https://www.w3.org/ns/credentials/v2","https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json","https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"],
"id":"https://registrar.example.edu/records/1","type":["VerifiableCredential","ClrCredential"],"name":"Official record","issuer":{"id":"did:web:registrar.example.edu","type":["Profile"],"name":"Example State University"},
"validFrom":"2026-06-30T00:00:00Z","partial":false,
"credentialSubject":{"id":"did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK","type":["ClrSubject"],"verifiableCredential":[%s],"association":[%s]}}`, badges.String(), links.String())
}

// peer canonicalizes with json-gold, contexts in memory.
func peer(t testing.TB) func(doc []byte) (string, error) {
	loader := ld.NewCachingDocumentLoader(nil)
	for _, o := range official {
		var doc any
		if err := json.Unmarshal(standards.Read(t, "contexts/"+o.file), &doc); err != nil {
			t.Fatal(err)
		}
		for _, url := range o.urls {
			loader.AddDocument(url, doc)
		}
	}
	opts := ld.NewJsonLdOptions("")
	opts.DocumentLoader = loader
	opts.Format = "application/n-quads"
	opts.Algorithm = ld.AlgorithmURDNA2015
	opts.ProcessingMode = ld.JsonLd_1_1
	proc := ld.NewJsonLdProcessor()
	return func(doc []byte) (string, error) {
		var in any
		if err := json.Unmarshal(doc, &in); err != nil {
			return "", err
		}
		out, err := proc.Normalize(in, opts)
		if err != nil {
			return "", err
		}
		return out.(string), nil
	}
}

// metered reports the processor's time for one operation too, which neighbours
// on a shared machine do not change.
func metered(b *testing.B) {
	b.ReportAllocs()
	start := processorTime()
	b.Cleanup(func() {
		b.ReportMetric(float64(processorTime()-start)/float64(b.N), "cpu-ns/op")
	})
}

func processorTime() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func benchOurs(b *testing.B, doc []byte) {
	b.SetBytes(int64(len(doc)))
	metered(b)
	for b.Loop() {
		out, err := Canonize(doc)
		if err != nil {
			b.Fatal(err)
		}
		sha256.Sum256(out)
	}
}

// BenchmarkCanonize measures canonicalization and the hash of its result: a
// badge, then transcripts of growing size, with json-gold on the same input.
func BenchmarkCanonize(b *testing.B) {
	one := []byte(badge(1))
	b.Run("badge/testamur", func(b *testing.B) { benchOurs(b, one) })
	b.Run("badge/json-gold", func(b *testing.B) {
		canon := peer(b)
		for b.Loop() {
			if _, err := canon(one); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, n := range []int{10, 100, 400, 1000} {
		doc := transcript(n)
		b.Run(fmt.Sprintf("transcript-%d/testamur", n), func(b *testing.B) { benchOurs(b, doc) })
	}
	hundred := transcript(100)
	b.Run("transcript-100/json-gold", func(b *testing.B) {
		canon := peer(b)
		for b.Loop() {
			if _, err := canon(hundred); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkStages measures what the parts of canonicalization take.
func BenchmarkStages(b *testing.B) {
	for _, f := range []struct {
		name string
		doc  []byte
	}{{"badge", []byte(badge(1))}, {"transcript-100", transcript(100)}} {
		b.Run(f.name+"/json", func(b *testing.B) {
			for b.Loop() {
				if _, err := parseJSON(string(f.doc), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(f.name+"/rdf", func(b *testing.B) {
			for b.Loop() {
				if _, err := ToRDF(f.doc, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkKept measures the canonical form of a transcript that is made of the
// kept forms of its credentials.
func BenchmarkKept(b *testing.B) {
	for _, n := range []int{100, 400, 1000} {
		b.Run(fmt.Sprintf("transcript-%d", n), func(b *testing.B) {
			var documents [][]byte
			for i := range n {
				documents = append(documents, []byte(badge(i+1)))
			}
			doc := transcript(n)
			all, kept := keepAll(b, documents)
			if kept != n {
				b.Fatalf("%d of %d were kept", kept, n)
			}
			metered(b)
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				d, err := Open(doc, Options{}, all...)
				if err != nil {
					b.Fatal(err)
				}
				out, err := d.Canonize()
				if err != nil {
					b.Fatal(err)
				}
				sha256.Sum256(out)
				d.Close()
			}
		})
	}
}
