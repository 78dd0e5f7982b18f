package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/spec/vc"
	"github.com/testamur/testamur/internal/testbed"
)

// given are files of one learner that somebody was given, and the key document of
// their issuer from before and after the print was signed.
type given struct {
	dir                       string
	badge, record, jwt, print []byte
	before, after             string
}

// givenAway makes them on a stage whose clock is that of this machine.
func givenAway(t *testing.T) given {
	t.Helper()
	s := newStage(t)
	s.passed.Store(int64(time.Now().Add(-time.Hour).Truncate(time.Second).Sub(now)))
	s.given("catalogue")
	answer := func(who, query string) string { return s.ask(who, query).Body.String() }
	answer("registrar", `mutation { a: awardAchievement(input: {award: {learnerId: "ref:sis:S100001", courseId: "crs_#1", facts: {achievedOn: "2020-05-29", term: "Spring 2020", grade: "A"}}}) { userErrors { message } }
		b: assembleRecord(input: {learnerId: "ref:sis:S100001"}) { userErrors { message } } }`)
	g := given{dir: t.TempDir()}
	keys := func(name string) string {
		at := filepath.Join(g.dir, name)
		s.must(os.WriteFile(at, s.ask("visitor", "GET /i/aldersound/did.json\n").Body.Bytes(), 0o600))
		return at
	}
	get := func(path string) []byte {
		w := s.ask("learner S100001", "GET "+path+"\n")
		if w.Code != 200 {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		return w.Body.Bytes()
	}
	g.badge, g.record = get("/i/aldersound/credentials/crd_#1"), get("/i/aldersound/credentials/crd_#2")
	g.jwt = s.asToken(g.badge)
	g.before = keys("before.json")
	made := answer("learner S100001", `mutation { printRecord(input: {recordId: "rec_#1"}) { print { file } userErrors { message } } }`)
	file := regexp.MustCompile(`/documents/[^"]+`).FindString(made)
	if file == "" {
		t.Fatal(made)
	}
	g.print, g.after = get(file), keys("after.json")
	return g
}

// verified is how `testamur verify` ends, and what it prints.
func verified(t *testing.T, args ...string) (ended int, out, told string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), append([]string{"verify"}, args...), os.Getenv, strings.NewReader(""), &stdout, &stderr)
	return code(err, &stderr), stdout.String(), stderr.String()
}

// TestAKeyDocumentThatIsOlderThanTheKey: what signed the pages is missing from the
// copy at hand, which is no word against the pages.
func TestAKeyDocumentThatIsOlderThanTheKey(t *testing.T) {
	t.Parallel()
	g := givenAway(t)
	whole, changed := filepath.Join(g.dir, "record.pdf"), filepath.Join(g.dir, "changed.pdf")
	write(t, whole, g.print)
	write(t, changed, bytes.Replace(g.print, []byte("%PDF-1.7"), []byte("%PDF-1.6"), 1))
	for _, c := range []struct {
		name, file, keys string
		lines            []string
	}{
		{"a copy of today", whole, g.after, []string{"passed          pages"}},
		{"a copy from before the key", whole, g.before, []string{"could not check pages", "may be older than the key. Get the document anew from https://records.example/i/aldersound/did.json", "passed          proof"}},
		{"a changed page and the old copy", changed, g.before, []string{"FAILED          pages"}},
	} {
		_, out, _ := verified(t, "--with", c.keys, c.file)
		for _, line := range c.lines {
			if !strings.Contains(out, line) {
				t.Errorf("%s: no %q in\n%s", c.name, line, out)
			}
		}
	}
}

func write(t *testing.T, name string, raw []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestAFolderOf500Files is scenario 22 at a terminal: badges and records as JSON,
// tokens and PDFs, with a changed one, one of a stranger and one that is nothing
// among them.
func TestAFolderOf500Files(t *testing.T) {
	t.Parallel()
	g := givenAway(t)
	abroad := testbed.NewAbroad(1)
	stranger := abroad.Signed(t, abroad.Badge(1, "urn:uuid:00000000-0000-4000-8000-000000000009"))
	folder := filepath.Join(g.dir, "applicants")
	kinds := []struct {
		name string
		raw  []byte
	}{{"badge.json", g.badge}, {"badge.jwt", g.jwt}, {"record.json", g.record}, {"record.pdf", g.print}, {"stranger.json", stranger}}
	for n := range 497 {
		k := kinds[n%len(kinds)]
		write(t, filepath.Join(folder, fmt.Sprint("batch", n/100), fmt.Sprintf("%03d-%s", n, k.name)), k.raw)
	}
	write(t, filepath.Join(folder, "a-broken.json"), []byte("{"))
	write(t, filepath.Join(folder, "a-changed.json"), bytes.Replace(g.badge, []byte("Spring 2020"), []byte("Autumn 2020"), 1))
	write(t, filepath.Join(folder, "a-note.txt"), []byte("Dear Sir or Madam"))
	write(t, filepath.Join(folder, ".DS_Store"), []byte("of something else"))
	ended, out, told := verified(t, "--json", "--with", g.after, folder)
	if ended != exitFailed || !strings.Contains(told, "500 files:") || !strings.Contains(told, "3 failed") {
		t.Errorf("exit %d: %s", ended, told)
	}
	outcomes, last := map[string]map[string]int{}, ""
	for line := range strings.Lines(out) {
		var r printed
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if r.File <= last || len(r.Steps) != 5 {
			t.Fatalf("%s comes after %s, with %d steps", r.File, last, len(r.Steps))
		}
		last = r.File
		_, kind, _ := strings.Cut(filepath.Base(r.File), "-")
		if outcomes[kind] == nil {
			outcomes[kind] = map[string]int{}
		}
		outcomes[kind][string(r.Steps[0].Outcome)]++
	}
	for kind, want := range map[string]string{"badge.json": "passed", "badge.jwt": "passed", "record.json": "passed", "record.pdf": "passed", "stranger.json": "passed",
		"broken.json": "failed", "changed.json": "failed", "note.txt": "failed"} {
		if len(outcomes[kind]) != 1 || outcomes[kind][want] == 0 {
			t.Errorf("%s: %v, want all %s", kind, outcomes[kind], want)
		}
	}
	// At a terminal the same, as text; several names are as good as a folder, and
	// what is not there stops no other.
	_, out, _ = verified(t, "--with", g.after, filepath.Join(folder, "batch0"), filepath.Join(folder, "a-changed.json"))
	for _, want := range []string{"FAILED: " + filepath.Join(folder, "a-changed.json"), "FAILED          intact", "could not check status"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%.3000s", want, out)
		}
	}
	if ended, _, told := verified(t, "--with", g.after, filepath.Join(folder, "none.json"), filepath.Join(folder, "batch0", "000-badge.json")); ended != exitUnreadable || !strings.Contains(told, "2 files:") {
		t.Errorf("exit %d: %s", ended, told)
	}
}

// TestWhomYouKnow: with a list of known issuers a stranger's good signature is not
// enough, and is no failure either.
func TestWhomYouKnow(t *testing.T) {
	t.Parallel()
	g := givenAway(t)
	abroad := testbed.NewAbroad(1)
	badge, stranger, list := filepath.Join(g.dir, "badge.json"), filepath.Join(g.dir, "stranger.json"), filepath.Join(g.dir, "known.json")
	write(t, badge, g.badge)
	write(t, stranger, abroad.Signed(t, abroad.Badge(1, "urn:uuid:00000000-0000-4000-8000-000000000009")))
	write(t, list, []byte(`[{"name": "Alder Sound College", "issuer": "did:web:records.example:i:aldersound", "since": "2019-01-01", "source": "ministry's register"}]`))
	const stranded = "The issuer is not in any registry you trust"
	if ended, out, told := verified(t, stranger); ended != 0 || strings.Contains(out, stranded) || !strings.Contains(told, "was not looked up") {
		t.Errorf("without a list: exit %d\n%s%s", ended, out, told)
	}
	if ended, out, told := verified(t, "--trusted", list, stranger); ended != exitNotChecked || !strings.Contains(out, "could not check trust") || !strings.Contains(out, stranded) || strings.Contains(told, "looked up") {
		t.Errorf("a stranger: exit %d\n%s%s", ended, out, told)
	}
	if _, out, _ := verified(t, "--trusted", list, "--with", g.after, badge); !strings.Contains(out, "The issuer is known to you as Alder Sound College.") {
		t.Errorf("one who is known:\n%s", out)
	}
	if _, out, _ := verified(t, "--trusted", list, "--with", g.after, badge, stranger); strings.Count(out, "could not check issuer") != 1 || !strings.Contains(out, "passed          issuer") {
		t.Errorf("both:\n%s", out)
	}
	for text, want := range map[string]string{
		`{}`: "is a JSON array", `[{"name": "x", "did": "did:web:x"}]`: "unknown field", `[] []`: "something follows",
		`[{"name": "x", "issuer": "did:web:x.example"}, {"issuer": "did:web:y.example"}]`:              "entry 2, name: Say who it is.",
		`[{"name": "x", "issuer": "did:web:x.example"}, {"name": "y", "issuer": "did:web:x.example"}]`: "stands in the list twice",
		`[{"name": "x", "issuer": "did:web:x.example", "since": "2020-02-30"}]`:                        "2020-02-30",
	} {
		write(t, list, []byte(text))
		if ended, _, told := verified(t, "--trusted", list, badge); ended != exitUnreadable || !strings.Contains(told, want) {
			t.Errorf("%s: exit %d, %q, want %q", text, ended, told, want)
		}
	}
}

// asToken is a document as a signed token of Open Badges instead, by the key that
// signed it.
func (s *stage) asToken(document []byte) []byte {
	s.t.Helper()
	var doc map[string]json.RawMessage
	var proofs []struct{ VerificationMethod string }
	s.must(json.Unmarshal(document, &doc))
	s.must(json.Unmarshal(doc["proof"], &proofs))
	delete(doc, "proof")
	bare, err := json.Marshal(doc)
	s.must(err)
	who, method := access.SystemOf(string(s.places[demo.Slug]), "story"), proofs[0].VerificationMethod
	d, err := vc.PrepareJWT(bare, vc.FormIMS, ed25519.PublicKey{}, method)
	s.must(err)
	_, key, _ := strings.Cut(method, "#")
	signed, err := s.all.keys.Sign(s.t.Context(), who, key, d.Message)
	s.must(err)
	return []byte(d.Attach(signed[0]))
}
