package interop

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/vc"
	"github.com/testamur/testamur/internal/standards"
)

// issuer signs the documents of these tests.
type issuer struct {
	did, method string
	key         ed25519.PrivateKey
	controllers map[string][]byte
}

func newIssuer(t *testing.T, base string) issuer {
	t.Helper()
	seed := sha256.Sum256([]byte(base))
	did, err := vc.DIDWeb(base)
	if err != nil {
		t.Fatal(err)
	}
	i := issuer{did: did, method: did + "#key-1", key: ed25519.NewKeyFromSeed(seed[:])}
	doc, err := json.Marshal(vc.NewController(did, []vc.Method{{ID: i.method, Type: "Multikey", Controller: did,
		PublicKey: vc.Multikey(i.key.Public().(ed25519.PublicKey))}}))
	if err != nil {
		t.Fatal(err)
	}
	i.controllers = map[string][]byte{did: doc}
	return i
}

func (i issuer) sign(t *testing.T, document []byte, suites ...string) []byte {
	t.Helper()
	var proofs []vc.Proof
	for _, suite := range suites {
		d, err := vc.Prepare(document, suite, i.method, time.Date(2026, 5, 22, 12, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		proofs = append(proofs, d.Attach(ed25519.Sign(i.key, d.Hash)))
	}
	signed, err := vc.Secure(document, proofs...)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

const (
	college = "https://aldersound.example/i/aldersound"
	learner = "urn:uuid:0f6b5b0a-3a5e-4d7e-9b1a-000000000001"
)

// badge is a signed credential that uses about every member there is.
func (i issuer) badge(t *testing.T, n int) []byte {
	t.Helper()
	return i.issue(t, badgeOf(i.did, n))
}

func (i issuer) issue(t *testing.T, c openbadges.Credential) []byte {
	t.Helper()
	doc, err := openbadges.Compose(c)
	if err != nil {
		t.Fatal(err)
	}
	return i.sign(t, doc, vc.EdDSARDFC)
}

type list = openbadges.List[string]

func badgeOf(did string, n int) openbadges.Credential {
	at := fmt.Sprintf("%s/achievements/ach_%d", college, n)
	available, earned := 4.0, 2.5+float64(n)
	return openbadges.Credential{
		ID: fmt.Sprintf("%s/credentials/crd_%d", college, n), Name: fmt.Sprintf("Sourcing data, part %d", n),
		Description: "Finds and judges data – «ouvert».", Image: &openbadges.Image{ID: at + ".png", Type: "Image", Caption: "A magnifying glass"},
		AwardedDate: "2026-05-21T00:00:00Z", ValidFrom: "2026-05-22T00:00:00Z", ValidUntil: "2036-05-22T00:00:00Z",
		Issuer: openbadges.Profile{ID: did, Type: list{"Profile"}, Name: "Alder Sound College", URL: "https://aldersound.example/",
			Email: "registrar@aldersound.example", Phone: "+1 206 555 0100", Description: "A college on the sound.", Official: "Registrar",
			Image:           &openbadges.Image{ID: college + "/logo.png", Type: "Image"},
			OtherIdentifier: openbadges.List[openbadges.IdentifierEntry]{{Type: "IdentifierEntry", Identifier: "012345", IdentifierType: "ext:OPEID"}},
			Address: &openbadges.Address{Type: list{"Address"}, StreetAddress: "1 Alder Way", AddressLocality: "Port Alder",
				AddressRegion: "WA", PostalCode: "98000", AddressCountry: "United States", AddressCountryCode: "US"}},
		CredentialSubject: openbadges.Subject{ID: learner, Type: list{"AchievementSubject"}, CreditsEarned: &earned,
			ActivityStartDate: "2026-01-10T00:00:00Z", ActivityEndDate: "2026-05-20T00:00:00Z", LicenseNumber: fmt.Sprintf("L-%d", n),
			Narrative: "Did *very* well.", Role: "analyst", Term: fmt.Sprintf("Term %d", n),
			Source: &openbadges.Profile{ID: "https://lab.example/", Type: list{"Profile"}, Name: "The Lab"},
			Identifier: openbadges.List[openbadges.IdentityObject]{{Type: "IdentityObject", Hashed: true, IdentityType: "emailAddress",
				IdentityHash: "sha256$b3d9f0a54a2a1cbf8a5f2b0b8d3c9a1e7f6d5c4b3a291807f6e5d4c3b2a19080", Salt: "deadsea"}},
			Result: openbadges.List[openbadges.Result]{
				{Type: list{"Result"}, ResultDescription: at + "#level", AchievedLevel: fmt.Sprintf("%s#l%d", at, 1+n%2), Status: "Completed",
					Alignment: openbadges.List[openbadges.Alignment]{alignment(n)}},
				{Type: list{"Result"}, ResultDescription: at + "#grade", Value: []string{"A", "B", "C"}[n%3]}},
			Achievement: achievementOf(at, n, &available)},
		Evidence: openbadges.List[openbadges.Evidence]{{ID: fmt.Sprintf("https://portfolio.example/%d", n), Type: list{"Evidence"},
			Name: "Report", Narrative: "What was done.", Description: "A report of ten pages.", Genre: "report", Audience: "public"}},
	}
}

func alignment(n int) openbadges.Alignment {
	return openbadges.Alignment{Type: list{"Alignment"}, TargetCode: fmt.Sprintf("A.%d", n), TargetName: "Data literacy", TargetType: "CFItem",
		TargetFramework: "General education", TargetDescription: "Reads and questions data.",
		TargetURL: fmt.Sprintf("https://case.example/uri/2b1f6a34-0000-4000-8000-00000000000%d", n)}
}

func achievementOf(at string, n int, available *float64) openbadges.Achievement {
	return openbadges.Achievement{ID: at, Type: list{"Achievement"}, AchievementType: "Competency", Name: fmt.Sprintf("Sourcing data, part %d", n),
		Description: "Finds and judges data.", Criteria: &openbadges.Criteria{ID: at + "#criteria", Narrative: "By rubric."},
		CreditsAvailable: available, FieldOfStudy: "Statistics", HumanCode: fmt.Sprintf("DAT 10%d", n), InLanguage: "en-US",
		Specialization: "Sources", Version: "2", Tag: list{"data", "sources"}, Image: &openbadges.Image{ID: at + ".png", Type: "Image"},
		Creator:         &openbadges.Profile{ID: "https://faculty.example/", Type: list{"Profile"}, Name: "The faculty"},
		Alignment:       openbadges.List[openbadges.Alignment]{alignment(n), alignment(n + 4)},
		OtherIdentifier: openbadges.List[openbadges.IdentifierEntry]{{Type: "IdentifierEntry", Identifier: fmt.Sprintf("cat-%d", n), IdentifierType: "identifier"}},
		Related:         openbadges.List[openbadges.Related]{{ID: at + "-v1", Type: list{"Related"}, InLanguage: "en", Version: "1"}},
		ResultDescription: openbadges.List[openbadges.ResultDescription]{
			{ID: at + "#level", Type: list{"ResultDescription"}, Name: "Level", ResultType: "RubricCriterionLevel", RequiredLevel: at + "#l1",
				Alignment: openbadges.List[openbadges.Alignment]{alignment(n)},
				RubricCriterionLevel: openbadges.List[openbadges.RubricCriterionLevel]{
					{ID: at + "#l1", Type: list{"RubricCriterionLevel"}, Name: "Proficient", Level: "1", Points: "3", Description: "Does it."},
					{ID: at + "#l2", Type: list{"RubricCriterionLevel"}, Name: "Expert", Level: "2", Points: "4", Description: "Teaches it."}}},
			{ID: at + "#grade", Type: list{"ResultDescription"}, Name: "Grade", ResultType: "LetterGrade", AllowedValue: list{"C", "B", "A"}, RequiredValue: "C"},
			{ID: at + "#score", Type: list{"ResultDescription"}, Name: "Score", ResultType: "Percent", ValueMin: "0", ValueMax: "100"}}}
}

// lean is a badge of what is most worth changing, since each change of a record
// costs the verifier as many statements as there are in it.
func lean(c openbadges.Credential) openbadges.Credential {
	c.Image, c.Evidence, c.ValidUntil = nil, nil, ""
	c.Issuer = openbadges.Profile{ID: c.Issuer.ID, Type: c.Issuer.Type, Name: c.Issuer.Name}
	s, a := c.CredentialSubject, c.CredentialSubject.Achievement
	description := a.ResultDescription[0]
	description.Alignment = nil
	c.CredentialSubject = openbadges.Subject{ID: s.ID, Type: s.Type, CreditsEarned: s.CreditsEarned, Term: s.Term, Result: s.Result[:1],
		Achievement: openbadges.Achievement{ID: a.ID, Type: a.Type, AchievementType: a.AchievementType, Name: a.Name, Description: a.Description,
			Criteria: a.Criteria, ResultDescription: openbadges.List[openbadges.ResultDescription]{description}}}
	return c
}

// record is a signed CLR of three badges with both outer proofs.
func (i issuer) record(t *testing.T, badges ...openbadges.Credential) []byte {
	t.Helper()
	degree := openbadges.Achievement{ID: college + "/achievements/degree", Type: list{"Achievement"}, AchievementType: "Degree", Name: "Data studies",
		Description: "A degree.", Criteria: &openbadges.Criteria{Narrative: "All three parts."}}
	c := clr.Credential{ID: college + "/credentials/crd_clr", Name: "Record of Ada", Description: "All she earned.",
		Issuer:    openbadges.Profile{ID: i.did, Type: list{"Profile"}, Name: "Alder Sound College"},
		ValidFrom: "2026-06-01T00:00:00Z", AwardedDate: "2026-06-01T00:00:00Z", Partial: true,
		CredentialSubject: clr.Subject{ID: learner, Achievement: openbadges.List[openbadges.Achievement]{degree},
			Identifier: openbadges.List[openbadges.IdentityObject]{{Type: "IdentityObject", IdentityType: "name", IdentityHash: "Ada"}}}}
	for _, b := range badges {
		c.CredentialSubject.VerifiableCredential = append(c.CredentialSubject.VerifiableCredential, i.issue(t, b))
		c.CredentialSubject.Association = append(c.CredentialSubject.Association, clr.Association{Type: "Association", AssociationType: "isChildOf",
			SourceID: b.CredentialSubject.Achievement.ID, TargetID: degree.ID})
	}
	doc, err := clr.Compose(c)
	if err != nil {
		t.Fatal(err)
	}
	return i.sign(t, doc, vc.EdDSARDFC, vc.EdDSAJCS)
}

// verifiers is one for each core that the tests may count on.
func verifiers(t *testing.T) []*Verifier {
	t.Helper()
	now := time.Date(2026, 6, 2, 0, 0, 0, 0, time.UTC)
	all := []*Verifier{Node(t), Node(t)}
	for _, v := range all {
		v.Now = now
	}
	return all
}

func TestBadgeIsGoodElsewhere(t *testing.T) {
	i := newIssuer(t, college)
	signed := i.badge(t, 1)
	r := verifiers(t)[0].Verify(t, signed, i.controllers)
	if !r.Verified() || len(r.Proofs) != 1 || r.Proofs[0].Cryptosuite != vc.EdDSARDFC || r.Proofs[0].At != "" {
		t.Errorf("%+v\n%s", r, signed)
	}
	ValidateOB(t, signed)
}

func TestRecordIsGoodElsewhere(t *testing.T) {
	i := newIssuer(t, college)
	signed := i.record(t, badgeOf(i.did, 0), badgeOf(i.did, 1), badgeOf(i.did, 2))
	r := verifiers(t)[0].Verify(t, signed, i.controllers)
	var got []string
	for _, p := range r.Proofs {
		got = append(got, p.At+" "+p.Cryptosuite)
	}
	want := []string{" eddsa-rdfc-2022", " eddsa-jcs-2022"}
	for n := range 3 {
		want = append(want, fmt.Sprintf("/credentialSubject/verifiableCredential/%d eddsa-rdfc-2022", n))
	}
	if !r.Verified() || !slices.Equal(got, want) {
		t.Errorf("%+v\n%s", r, signed)
	}
	ValidateCLR(t, signed)
}

// change is one document of EachFieldChanged.
type change struct {
	path     string
	document []byte
}

// accepted are the changes that the verifiers find nothing wrong with.
func accepted(t *testing.T, signed []byte, i issuer) (out []change, asked int) {
	t.Helper()
	work := make(chan change)
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, v := range verifiers(t) {
		group.Go(func() {
			for c := range work {
				r, err := v.ask(c.document, i.controllers)
				if err != nil {
					t.Errorf("%s: %v", c.path, err)
				} else if r.Verified() {
					mu.Lock()
					out = append(out, c)
					mu.Unlock()
				}
			}
		})
	}
	work <- change{"unchanged", signed} // or each refusal would prove nothing
	err := EachFieldChanged(signed, func(path string, changed []byte) {
		asked++
		work <- change{path, changed}
	})
	close(work)
	group.Wait()
	if err != nil {
		t.Fatal(err)
	}
	whole := slices.IndexFunc(out, func(c change) bool { return c.path == "unchanged" })
	if whole < 0 {
		t.Fatal("the document itself is refused")
	}
	return slices.Delete(out, whole, whole+1), asked
}

// TestEveryChangeOfABadgeIsRefused also pins down what a canonical proof leaves
// open, for it signs a set of statements: the order of a list that means a set,
// and a statement that is made twice and now only once, such as the type of a
// picture that the credential shows and its achievement too.
func TestEveryChangeOfABadgeIsRefused(t *testing.T) {
	i := newIssuer(t, college)
	signed := i.badge(t, 1)
	passed, asked := accepted(t, signed, i)
	var got []string
	for _, c := range passed {
		got = append(got, c.path)
		if !bytes.Equal(canonical(t, signed), canonical(t, c.document)) {
			t.Errorf("%s was not refused, though it says something else", c.path)
		}
	}
	slices.Sort(got)
	achievement := "/credentialSubject/achievement"
	want := []string{
		"removed " + achievement + "/image/type",
		"reordered " + achievement + "/alignment/0 " + achievement + "/alignment/1",
		"reordered " + achievement + "/resultDescription/0 " + achievement + "/resultDescription/1",
		"reordered " + achievement + "/resultDescription/0/rubricCriterionLevel/0 " + achievement + "/resultDescription/0/rubricCriterionLevel/1",
		"reordered " + achievement + "/resultDescription/1 " + achievement + "/resultDescription/2",
		"reordered " + achievement + "/tag/0 " + achievement + "/tag/1",
		"reordered /credentialSubject/result/0 /credentialSubject/result/1",
		"reordered /type/0 /type/1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("accepted (-want +got):\n%s", diff)
	}
	t.Logf("%d changes", asked)
	if asked < 400 {
		t.Errorf("only %d changes were tried", asked)
	}
}

func canonical(t *testing.T, signed []byte) []byte {
	t.Helper()
	unsecured, _, err := vc.Split(signed)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jsonld.Canonize(unsecured)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEveryChangeOfARecordIsRefused(t *testing.T) {
	i := newIssuer(t, college)
	passed, asked := accepted(t, i.record(t, lean(badgeOf(i.did, 0)), lean(badgeOf(i.did, 1)), lean(badgeOf(i.did, 2))), i)
	for _, c := range passed {
		t.Errorf("%s was not refused", c.path)
	}
	t.Logf("%d changes", asked)
	if asked < 600 {
		t.Errorf("only %d changes were tried", asked)
	}
}

// TestEachProofIsReportedAlone uses what the canonical proof of a record is
// known not to bind: which embedded credential a statement stands in.
func TestEachProofIsReportedAlone(t *testing.T) {
	i := newIssuer(t, college)
	v := verifiers(t)[0]
	embedded := "/credentialSubject/verifiableCredential/"
	seen := false
	err := EachFieldChanged(i.record(t, lean(badgeOf(i.did, 0)), lean(badgeOf(i.did, 1)), lean(badgeOf(i.did, 2))), func(path string, changed []byte) {
		if path != "swapped "+embedded+"0/credentialSubject/creditsEarned "+embedded+"1/credentialSubject/creditsEarned" {
			return
		}
		seen = true
		var refused []string
		for _, p := range v.Verify(t, changed, i.controllers).Refused() {
			refused = append(refused, p.At+" "+p.Cryptosuite)
		}
		want := []string{" eddsa-jcs-2022", embedded + "0 eddsa-rdfc-2022", embedded + "1 eddsa-rdfc-2022"}
		if !slices.Equal(refused, want) {
			t.Errorf("refused %q, want %q", refused, want)
		}
	})
	if err != nil || !seen {
		t.Errorf("no such change, %v", err)
	}
}

func TestWhatIsNotGivenIsNotKnown(t *testing.T) {
	i, stranger := newIssuer(t, college), newIssuer(t, "https://stranger.example")
	v := verifiers(t)[0]
	signed := i.badge(t, 1)
	unsigned, _, err := vc.Split(signed)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		document    []byte
		controllers map[string][]byte
		want        string
	}{
		"no controllers":    {signed, nil, "neither an official context nor given"},
		"another's key":     {stranger.sign(t, unsigned, vc.EdDSARDFC), stranger.controllers, "issuer must match"},
		"another's as ours": {signed, map[string][]byte{i.did: bytes.ReplaceAll(stranger.controllers[stranger.did], []byte(stranger.did), []byte(i.did))}, "Invalid signature"},
		"no proof":          {unsigned, i.controllers, "no proof"},
		"unknown suite":     {bytes.Replace(signed, []byte("eddsa-rdfc-2022"), []byte("eddsa-rdfc-1999"), 1), i.controllers, "not checked here"},
		"unknown context": {bytes.Replace(signed, []byte("context-3.0.3.json"), []byte("context-9.9.9.json"), 1), i.controllers,
			"context-9.9.9.json is neither an official context"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := v.Verify(t, c.document, c.controllers)
			if r.Verified() || len(r.Proofs) != 1 || !strings.Contains(r.Proofs[0].Error, c.want) {
				t.Errorf("%+v, want %q", r, c.want)
			}
		})
	}
	if r := v.Verify(t, []byte("{"), nil); r.Verified() || r.Error == "" {
		t.Errorf("%+v", r)
	}
	if r := v.Verify(t, []byte("null"), nil); r.Verified() {
		t.Errorf("%+v", r)
	}
}

func TestTimeIsTheGivenOne(t *testing.T) {
	i := newIssuer(t, college)
	v := Node(t)
	v.Now = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	if r := v.Verify(t, i.badge(t, 1), i.controllers); r.Verified() || !strings.Contains(r.Proofs[0].Error, "validFrom") {
		t.Errorf("%+v", r)
	}
}

// TestOfficialVectorsHold asks about what others signed: the verifier is not
// only content with us.
func TestOfficialVectorsHold(t *testing.T) {
	var badge struct {
		SignedCredential json.RawMessage `json:"signedCredential"`
	}
	if err := json.Unmarshal(standards.Read(t, "examples/ob3/vector-eddsa-rdfc-2022-ob.json"), &badge); err != nil {
		t.Fatal(err)
	}
	const id, key = "https://example.edu/issuers/565049", "z6MkjZRZv3aez3r18pB1RBFJR1kwUVJ5jHt92JmQwXbd5hwi"
	doc, err := json.Marshal(vc.NewController(id, []vc.Method{{ID: id + "#" + key, Type: "Multikey", Controller: id, PublicKey: key}}))
	if err != nil {
		t.Fatal(err)
	}
	v := Node(t)
	for name, signed := range map[string][]byte{
		"the badge":  badge.SignedCredential,
		"the record": standards.Read(t, "examples/clr2/validator-simple.json"),
	} {
		r := v.Verify(t, signed, map[string][]byte{id: doc})
		if len(r.Proofs) == 0 || !r.Proofs[0].Verified {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestInstallOnce installs into an empty cache twice at once, and then finds it.
func TestInstallOnce(t *testing.T) {
	if _, err := install(); err != nil {
		unavailable(t, err)
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var dirs [2]string
	var errs [2]error
	var group sync.WaitGroup
	for n := range dirs {
		group.Go(func() { dirs[n], errs[n] = install() })
	}
	group.Wait()
	if errs[0] != nil || errs[1] != nil || dirs[0] != dirs[1] {
		t.Fatal(dirs, errs)
	}
	left, err := os.ReadDir(filepath.Dir(dirs[0]))
	if err != nil || len(left) != 1 {
		t.Errorf("%v, %v: want the one folder", left, err)
	}
	t.Setenv("PATH", "")
	if _, err := install(); err == nil {
		t.Error("no node, no error")
	}
}

// TestLockNamesNoRegistry keeps the lockfile good for any registry: versions
// and their hashes are pinned, where they come from is not.
func TestLockNamesNoRegistry(t *testing.T) {
	raw, err := packed.ReadFile("node/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]struct{ Resolved, Integrity string }
	}
	if err := json.Unmarshal(raw, &lock); err != nil {
		t.Fatal(err)
	}
	for name, p := range lock.Packages {
		if p.Resolved != "" || name != "" && !strings.HasPrefix(p.Integrity, "sha512-") {
			t.Errorf("%s: resolved %q, integrity %q", name, p.Resolved, p.Integrity)
		}
	}
}
