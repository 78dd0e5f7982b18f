package interop

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/mr-tron/base58"
	"github.com/piprate/json-gold/ld"

	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/vc"
	"github.com/testamur/testamur/internal/standards"
)

var (
	benchTable  = flag.Bool("bench-table", false, "measure issuing and verifying beside other people's libraries, and print the table")
	benchRounds = flag.Int("bench-rounds", 5, "rounds of the table; each measures every one in turn")
)

// course is a credential of a usual kind and size: a course with a grade, an
// alignment and a list of the grades there are, in some 3 KB when signed.
func course(did string, n int) openbadges.Credential {
	at := fmt.Sprintf("%s/achievements/ach_%d", college, n)
	available, earned := 4.0, 4.0
	return openbadges.Credential{
		ID: fmt.Sprintf("%s/credentials/crd_%d", college, n), Name: fmt.Sprintf("Research methods %d", n),
		AwardedDate: "2026-05-21T00:00:00Z", ValidFrom: "2026-05-22T00:00:00Z",
		Issuer: openbadges.Profile{ID: did, Type: list{"Profile"}, Name: "Alder Sound College", URL: "https://aldersound.example/",
			Email: "registrar@aldersound.example", Address: &openbadges.Address{Type: list{"Address"}, StreetAddress: "1 Alder Way",
				AddressLocality: "Port Alder", AddressRegion: "WA", PostalCode: "98000", AddressCountry: "United States", AddressCountryCode: "US"}},
		CredentialSubject: openbadges.Subject{ID: learner, Type: list{"AchievementSubject"}, CreditsEarned: &earned, Term: "Spring 2026",
			ActivityStartDate: "2026-01-10T00:00:00Z", ActivityEndDate: "2026-05-20T00:00:00Z",
			Identifier: openbadges.List[openbadges.IdentityObject]{{Type: "IdentityObject", IdentityType: "name", IdentityHash: "Ada Sørensen"}},
			Result:     openbadges.List[openbadges.Result]{{Type: list{"Result"}, ResultDescription: at + "#grade", Value: []string{"A", "B", "C"}[n%3]}},
			Achievement: openbadges.Achievement{ID: at, Type: list{"Achievement"}, AchievementType: "Course", CreditsAvailable: &available,
				HumanCode: fmt.Sprintf("RM-%d", n), Name: fmt.Sprintf("Research methods %d", n), FieldOfStudy: "Social science",
				Description: "Designs a study, gathers data, judges what they can bear, and reports on it for readers of other fields.",
				Criteria:    &openbadges.Criteria{Narrative: fmt.Sprintf("Passed the examination of course %d and handed in the report.", n)},
				Alignment:   openbadges.List[openbadges.Alignment]{alignment(n), alignment(n + 1)},
				ResultDescription: openbadges.List[openbadges.ResultDescription]{{ID: at + "#grade", Type: list{"ResultDescription"}, Name: "Final grade",
					ResultType: "LetterGrade", AllowedValue: []string{"F", "D", "C", "B", "A"}}}}},
	}
}

// subjects are what the table is about.
type subjects struct {
	issuer        issuer
	badge, signed []byte
	sizes         []int
	records       map[int][]byte // unsigned, by number of credentials
	recordsSigned map[int][]byte
	parts         map[int][]vc.Part
}

func newSubjects(t *testing.T, sizes ...int) subjects {
	i := newIssuer(t, college)
	s := subjects{issuer: i, sizes: sizes, records: map[int][]byte{}, recordsSigned: map[int][]byte{}, parts: map[int][]vc.Part{}}
	var err error
	if s.badge, err = openbadges.Compose(course(i.did, 1)); err != nil {
		t.Fatal(err)
	}
	s.signed = i.sign(t, s.badge, vc.EdDSARDFC)
	var documents []json.RawMessage
	var parts []vc.Part
	for n := range slices.Max(sizes) {
		signed := i.issue(t, course(i.did, n+1))
		kept, err := vc.Keep(signed)
		if err != nil {
			t.Fatal(err)
		}
		documents, parts = append(documents, signed), append(parts, vc.Part{Document: string(signed), Kept: kept})
	}
	for _, n := range sizes {
		doc, err := clr.Compose(clr.Credential{ID: college + "/credentials/record", Name: "Comprehensive Learner Record",
			Issuer: openbadges.Profile{ID: i.did, Type: list{"Profile"}, Name: "Alder Sound College"}, ValidFrom: "2026-06-30T00:00:00Z",
			CredentialSubject: clr.Subject{ID: learner, VerifiableCredential: documents[:n]}})
		if err != nil {
			t.Fatal(err)
		}
		s.records[n], s.parts[n] = doc, parts[:n]
		s.recordsSigned[n] = i.sign(t, doc, vc.EdDSARDFC)
	}
	return s
}

var benchTime = time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)

// issueOurs goes from JSON bytes to signed JSON bytes.
func (i issuer) issueOurs(t *testing.T, doc []byte, suites []string, parts ...vc.Part) {
	drafts, err := vc.PrepareAll(string(doc), suites, i.method, benchTime, parts...)
	if err != nil {
		t.Fatal(err)
	}
	proofs := make([]vc.Proof, len(drafts))
	for n, d := range drafts {
		proofs[n] = d.Attach(ed25519.Sign(i.key, d.Hash))
	}
	if _, err := vc.Secure(doc, proofs...); err != nil {
		t.Fatal(err)
	}
}

func (i issuer) resolve(method, purpose string) (vc.Key, error) {
	return vc.Key{Controller: i.did, Public: i.key.Public().(ed25519.PublicKey)}, nil
}

func verifyOurs(t *testing.T, keys vc.Resolver, doc []byte) {
	all, err := vc.Verify(doc, keys, benchTime)
	if err != nil || len(all) == 0 || all[0].Err != nil {
		t.Fatalf("%v %v", err, all)
	}
}

// verifyWhole verifies a record's own proofs and those of all it embeds.
func verifyWhole(t *testing.T, keys vc.Resolver, raw []byte) {
	doc, err := jsonld.Open(raw, jsonld.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	v := vc.Verifier{Keys: keys, Now: benchTime}
	one := func(doc *jsonld.Document) {
		all, err := v.VerifyOpen(doc)
		if err != nil || len(all) == 0 || all[0].Err != nil {
			t.Fatalf("%v %v", err, all)
		}
	}
	one(doc)
	for _, e := range doc.Root().Member("credentialSubject").Member("verifiableCredential").Elements() {
		one(doc.At(e))
	}
}

// gold is json-gold with the contexts in memory, signing in the same way.
type gold struct {
	proc *ld.JsonLdProcessor
	opts *ld.JsonLdOptions
}

func newGold(t *testing.T) gold {
	loader := ld.NewCachingDocumentLoader(nil)
	for url, file := range map[string]string{
		openbadges.ContextCredentials: "w3c-credentials-v2.jsonld", openbadges.ContextOpenBadges: "ob-v3p0-context-3.0.3.json",
		clr.Context: "clr-v2p0-context-2.0.1.json",
	} {
		var doc any
		if err := json.Unmarshal(standards.Read(t, "contexts/"+file), &doc); err != nil {
			t.Fatal(err)
		}
		loader.AddDocument(url, doc)
	}
	g := gold{ld.NewJsonLdProcessor(), ld.NewJsonLdOptions("")}
	g.opts.DocumentLoader, g.opts.Format = loader, "application/n-quads"
	g.opts.Algorithm, g.opts.ProcessingMode = ld.AlgorithmURDNA2015, ld.JsonLd_1_1
	return g
}

func (g gold) hash(t *testing.T, doc, proof map[string]any) []byte {
	proof["@context"] = doc["@context"]
	var sums []byte
	for _, in := range []map[string]any{proof, doc} {
		out, err := g.proc.Normalize(in, g.opts)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(out.(string)))
		sums = append(sums, sum[:]...)
	}
	return sums
}

func (g gold) issue(t *testing.T, i issuer, raw []byte) {
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	proof := map[string]any{"type": "DataIntegrityProof", "cryptosuite": vc.EdDSARDFC, "created": "2026-06-30T12:00:00Z",
		"verificationMethod": i.method, "proofPurpose": "assertionMethod"}
	signature := ed25519.Sign(i.key, g.hash(t, doc, proof))
	delete(proof, "@context")
	proof["proofValue"] = "z" + base58.Encode(signature)
	doc["proof"] = proof
	if _, err := json.Marshal(doc); err != nil {
		t.Fatal(err)
	}
}

func (g gold) verify(t *testing.T, i issuer, raw []byte) {
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	proof := doc["proof"].([]any)[0].(map[string]any)
	delete(doc, "proof")
	value := proof["proofValue"].(string)
	delete(proof, "proofValue")
	signature, err := base58.Decode(value[1:])
	if err != nil || !ed25519.Verify(i.key.Public().(ed25519.PublicKey), g.hash(t, doc, proof), signature) {
		t.Fatalf("%v", err)
	}
}

// column is one of those who do the work of a row.
type column struct {
	name string
	once func() time.Duration // the time of one operation
	took []time.Duration
}

// timed repeats an operation for about a tenth of a second.
func timed(f func()) func() time.Duration {
	return func() time.Duration {
		start := time.Now()
		n := 0
		for n == 0 || time.Since(start) < 100*time.Millisecond {
			f()
			n++
		}
		return time.Since(start) / time.Duration(n)
	}
}

// least is the shortest of all rounds, which is the one that neighbours disturbed
// least.
func (c *column) least() time.Duration { return slices.Min(c.took) }

// TestBenchTable measures issuing and verifying, from JSON bytes to JSON bytes,
// one core each, in one run that takes everybody in turn, and prints a table.
// Other people's programs are those that can be run; ours always is.
func TestBenchTable(t *testing.T) {
	if !*benchTable {
		t.Skip("run with -bench-table to measure")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	s := newSubjects(t, 100, 400, 1000)
	i, g := s.issuer, newGold(t)
	node := Node(t)
	digest := sha256.Sum256(s.badge)
	message := append(digest[:], digest[:]...)
	signature := ed25519.Sign(i.key, message)
	public := i.key.Public().(ed25519.PublicKey)
	both := []string{vc.EdDSARDFC, vc.EdDSAJCS}
	ours := func(doc []byte, suites []string, parts ...vc.Part) func() {
		return func() { i.issueOurs(t, doc, suites, parts...) }
	}
	bazaar := func(op string, doc []byte) func() time.Duration {
		return func() time.Duration { return node.Time(t, op, doc, i.controllers, i.key.Seed(), i.method) }
	}
	type row struct {
		name    string
		columns []*column
	}
	rows := []row{
		{fmt.Sprintf("issue a badge (%d B)", len(s.badge)), []*column{
			{name: "testamur", once: timed(ours(s.badge, both[:1]))},
			{name: "bazaar", once: bazaar("issue", s.badge)},
			{name: "json-gold", once: timed(func() { g.issue(t, i, s.badge) })},
			{name: "bare", once: timed(func() { ed25519.Sign(i.key, message) })},
		}},
		{fmt.Sprintf("verify a badge (%d B)", len(s.signed)), []*column{
			{name: "testamur", once: timed(func() { verifyOurs(t, i.resolve, s.signed) })},
			{name: "bazaar", once: bazaar("verify", s.signed)},
			{name: "json-gold", once: timed(func() { g.verify(t, i, s.signed) })},
			{name: "bare", once: timed(func() { ed25519.Verify(public, message, signature) })},
		}},
		{fmt.Sprintf("issue a record of 100 (%d KB), cold", len(s.records[100])>>10), []*column{
			{name: "testamur", once: timed(ours(s.records[100], both[:1]))},
			{name: "bazaar", once: bazaar("issue", s.records[100])},
			{name: "json-gold", once: timed(func() { g.issue(t, i, s.records[100]) })},
		}},
		{"the same, kept forms", []*column{
			{name: "testamur", once: timed(ours(s.records[100], both[:1], s.parts[100]...))},
			{name: "bazaar", once: bazaar("issue", s.records[100])},
		}},
		{"the same, with a second proof (eddsa-jcs-2022)", []*column{
			{name: "testamur", once: timed(ours(s.records[100], both, s.parts[100]...))},
		}},
		{"verify it and all it embeds", []*column{
			{name: "testamur", once: timed(func() { verifyWhole(t, i.resolve, s.recordsSigned[100]) })},
			{name: "bazaar", once: bazaar("verify", s.recordsSigned[100])},
		}},
		{"issue a record of 400, cold", []*column{{name: "testamur", once: timed(ours(s.records[400], both[:1]))}}},
		{"issue a record of 1000, cold", []*column{{name: "testamur", once: timed(ours(s.records[1000], both[:1]))}}},
		{"issue a record of 1000, kept forms", []*column{{name: "testamur", once: timed(ours(s.records[1000], both[:1], s.parts[1000]...))}}},
	}
	for range *benchRounds {
		for _, r := range rows {
			for _, c := range r.columns {
				c.took = append(c.took, c.once())
			}
		}
	}
	table := &strings.Builder{}
	w := tabwriter.NewWriter(table, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, "| work, one core |\tTestamur |\tDigital Bazaar |\tjson-gold |\tbare Ed25519 |")
	fmt.Fprintln(w, "| --- |\t--- |\t--- |\t--- |\t--- |")
	for _, r := range rows {
		own := r.columns[0].least()
		fmt.Fprintf(w, "| %s |\t%s |", r.name, shown(own))
		for _, name := range []string{"bazaar", "json-gold", "bare"} {
			at := slices.IndexFunc(r.columns, func(c *column) bool { return c.name == name })
			if at < 0 {
				fmt.Fprint(w, "\t |")
				continue
			}
			other := r.columns[at].least()
			fmt.Fprintf(w, "\t%s (%s) |", shown(other), ratio(other, own))
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	io.WriteString(os.Stdout, table.String())
}

func shown(d time.Duration) string {
	if d < time.Millisecond {
		return fmt.Sprintf("%.1f µs", float64(d)/1e3)
	}
	return fmt.Sprintf("%.2f ms", float64(d)/1e6)
}

// ratio is how many times ours another's time is.
func ratio(other, own time.Duration) string {
	r := float64(other) / float64(own)
	if r < 10 {
		return fmt.Sprintf("%.2f×", r)
	}
	return fmt.Sprintf("%.0f×", r)
}
