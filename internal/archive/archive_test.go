package archive_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/archive"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/day"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/deposit"
	"github.com/testamur/testamur/internal/disclosure"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/testbed"
	"github.com/testamur/testamur/internal/verify"
)

const (
	first  = "ref:" + demo.System + ":S100001"
	second = "ref:" + demo.System + ":S100121"
)

// school is the demonstration with something of each that an archive tells apart.
type school struct {
	*testbed.Bed
	revoked, former credential.ID
}

func newSchool(t *testing.T) *school {
	t.Helper()
	s := &school{Bed: testbed.New(t)}
	s.Load(t)
	ctx, who := t.Context(), s.Registrar()
	r, err := s.Records.Assemble(ctx, who, nil, first)
	one := testbed.Must(t, r, err)
	if _, err = s.Records.Assemble(ctx, who, nil, second); err != nil {
		t.Fatal(err)
	}
	items, err := s.Records.ItemsOf(ctx, who, []record.ID{one.ID})
	s.revoked = testbed.Must(t, items, err)[one.ID][1]
	if _, err = s.Credentials.Revoke(ctx, who, nil, string(s.revoked), credential.Revocation{Cause: credential.IssuedInError, Reason: "The wrong person."}); err != nil {
		t.Fatal(err)
	}
	if _, err = s.Credentials.Suspend(ctx, who, nil, string(items[one.ID][2]), "Under review."); err != nil {
		t.Fatal(err)
	}
	given, family, on := "Ada", "Lovelace-King", day.Of(2026, 11, 20)
	if _, err = s.Learners.Rename(ctx, who, first, nil, learner.Renaming{DisplayName: given + " " + family, GivenName: &given, FamilyName: &family, EffectiveOn: &on, Reason: "Marriage"}); err != nil {
		t.Fatal(err)
	}
	s.former = one.CredentialID
	if _, err = s.Records.Assemble(ctx, who, nil, first); err != nil {
		t.Fatal(err)
	}
	person, err := s.Learners.Find(ctx, who, second)
	abroad := testbed.NewAbroad(3)
	if _, _, err = s.Deposits.Bring(ctx, who, deposit.Brought{LearnerID: second, Material: abroad.Signed(t, abroad.Badge(1, testbed.Must(t, person, err).SubjectID()))}); err != nil {
		t.Fatal(err)
	}
	if _, err = s.Disclosures.Record(ctx, who, disclosure.Manual{LearnerID: first, Party: "Harbour State University", Purpose: "Admission", Basis: disclosure.ForTransfer, Items: []string{"Transcript"}}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *school) write(t *testing.T, o archive.Order) archive.Made {
	t.Helper()
	m, err := s.Archives.Write(t.Context(), s.As(access.System), o, nil)
	return testbed.Must(t, m, err)
}

func check(t *testing.T, name string, a archive.Anchor) archive.Report {
	t.Helper()
	in, closer, err := archive.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	r, err := archive.Check(t.Context(), in, a, nil)
	return testbed.Must(t, r, err)
}

// outcome is that of a check.
func outcome(r archive.Report, name string) (verify.Outcome, string) {
	for _, k := range r.Checks {
		if k.Name == name {
			return k.Outcome, k.Reason
		}
	}
	return "", ""
}

// TestArchives writes archives of one institution and lets strangers look at them.
func TestArchives(t *testing.T) {
	s := newSchool(t)
	t.Run("a stranger checks it", s.stranger)
	t.Run("every change is found, and named", s.tamper)
	t.Run("a forged one is not the institution's", s.forged)
	t.Run("one learner", s.oneLearner)
	t.Run("many learners are listed on pages", s.pages)
	t.Run("whole or not there", s.whole)
	t.Run("the manifest is a credential", s.credential)
}

// A stranger has the archive, and what the institution gave them on paper.
func (s *school) stranger(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "alder sound")
	m := s.write(t, archive.Order{To: dir})
	r := check(t, dir, archive.Anchor{Fingerprint: m.Fingerprint})
	if r.Outcome != verify.Passed {
		t.Fatalf("%+v", r.Checks)
	}
	if n := r.Tally; n.Total != m.Credentials || n.Total == 0 || n.Revoked != 1 || n.Suspended != 1 || n.Superseded == 0 || r.Contents.Learners != 200 || r.Contents.Disclosures != 1 || r.Contents.AuditLines < 5 {
		t.Errorf("%+v %+v", n, r.Contents)
	}
	if o, said := outcome(r, "deposits"); o != verify.Passed || m.Deposits != 1 {
		t.Errorf("%d deposits: %s %s", m.Deposits, o, said)
	}
	for name, a := range map[string]archive.Anchor{"nothing is known": {}, "its keys": {Keys: file(t, dir, "did.json")}} {
		want := map[string]verify.Outcome{"nothing is known": verify.NotChecked, "its keys": verify.Passed}[name]
		if r := check(t, dir, a); r.Outcome != want {
			t.Errorf("%s: %s %+v", name, r.Outcome, r.Checks)
		}
	}
	if r := check(t, dir, archive.Anchor{Fingerprint: strings.Repeat("0", 64)}); r.Outcome != verify.Failed {
		t.Error("another fingerprint was taken for its own")
	}
	t.Run("its files are the bytes that were signed", func(t *testing.T) {
		c := testbed.Whole(t, s.Credentials, s.Registrar(), string(s.former))
		raw := file(t, dir, "learners/"+string(c.LearnerID)+"/credentials/"+string(c.ID)+".json")
		if string(raw) != *c.Document {
			t.Error("the archive has other bytes than were signed")
		}
	})
	t.Run("its files are for their owner alone", func(t *testing.T) {
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err == nil && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %v", name, info.Mode())
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("sha256sum agrees", func(t *testing.T) {
		program, err := exec.LookPath("sha256sum")
		if err != nil {
			t.Skip("sha256sum is not here")
		}
		cmd := exec.Command(program, "--check", "--quiet", "--strict", "SHA256SUMS")
		cmd.Dir = dir
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, said)
		}
	})
	t.Run("no page shows a former name", func(t *testing.T) {
		c, err := s.Credentials.Find(t.Context(), s.Registrar(), string(s.former))
		names, err2 := s.Learners.NamesOf(t.Context(), s.Registrar(), []learner.ID{testbed.Must(t, c, err).LearnerID})
		former := testbed.Must(t, names, err2)[c.LearnerID][0].DisplayName
		pages := 0
		for _, name := range all(t, dir) {
			if strings.HasSuffix(name, ".html") {
				pages++
				if bytes.Contains(file(t, dir, name), []byte(former)) {
					t.Errorf("%s shows %q", name, former)
				}
			}
		}
		if pages != 200+1+2 || !bytes.Contains(file(t, dir, "learners/"+string(c.LearnerID)+"/credentials/"+string(c.ID)+".json"), []byte(former)) {
			t.Errorf("%d pages", pages)
		}
	})
	t.Run("no private key leaves", func(t *testing.T) {
		for _, name := range all(t, dir) {
			if bytes.Contains(file(t, dir, name), []byte("rivate")) || bytes.Contains(file(t, dir, name), []byte("secret")) {
				t.Errorf("%s speaks of something private", name)
			}
		}
	})
	t.Run("as a ZIP, within a folder or not", func(t *testing.T) {
		for _, in := range []string{"", "given/"} {
			if r := check(t, zipOf(t, dir, in), archive.Anchor{Fingerprint: m.Fingerprint}); r.Outcome != verify.Passed {
				t.Errorf("%+v", r.Checks)
			}
		}
	})
}

// tamper changes a byte of every file in turn, takes each away, and puts others in.
func (s *school) tamper(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "one")
	fingerprint := s.write(t, archive.Order{To: dir, Learners: []string{second}}).Fingerprint
	special := []string{"manifest.json", "SHA256SUMS", "did.json", "index.html", "disclosures.ndjson", "status/1.json"}
	found := func(how, name string) {
		t.Helper()
		in, closer, err := archive.Open(dir)
		if err != nil { // the manifest is none any more
			return
		}
		defer closer.Close()
		r, err := archive.Check(t.Context(), in, archive.Anchor{}, nil)
		if err != nil {
			return
		}
		kind, said := outcome(r, "files")
		if name == "manifest.json" {
			kind, said = outcome(r, "manifest")
		}
		if r.Outcome != verify.Failed || kind != verify.Failed || !strings.Contains(said, name) {
			t.Errorf("%s %s: %s: %q", name, how, r.Outcome, said)
		}
	}
	for i, name := range all(t, dir) {
		at := filepath.Join(dir, name)
		raw := file(t, dir, name)
		places := []int{len(raw) / 2}
		if i == 3 || slices.Contains(special, name) { // and one credential
			places = append(places, 0, len(raw)-1)
			put(t, at, append(slices.Clone(raw), '\n'))
			found("made longer", name)
			if err := os.Remove(at); err != nil {
				t.Fatal(err)
			}
			found("taken away", name)
		}
		for _, place := range places {
			if len(raw) == 0 {
				break // of nobody was anything disclosed
			}
			bad := slices.Clone(raw)
			bad[place] ^= 1
			put(t, at, bad)
			found("changed", name)
		}
		put(t, at, raw)
	}
	for _, name := range []string{"added.txt", "zz/last.txt", "learners/added/learner.json", ".hidden", "status/2.json"} {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		put(t, at, []byte("{}"))
		found("added", name)
		os.Remove(at)
		if in := filepath.Dir(at); in == filepath.Join(dir, "learners/added") || in == filepath.Join(dir, "zz") {
			os.Remove(in)
		}
	}
	at := filepath.Join(dir, "did.json")
	raw := file(t, dir, "did.json")
	outside := filepath.Join(t.TempDir(), "did.json")
	put(t, outside, raw)
	os.Remove(at)
	if err := os.Symlink(outside, at); err != nil {
		t.Fatal(err)
	}
	found("made a link", "did.json")
	os.Remove(at)
	put(t, at, raw)
	if program, err := exec.LookPath("mkfifo"); err == nil { // a pipe is not waited for
		sums := filepath.Join(dir, "SHA256SUMS")
		raw := file(t, dir, "SHA256SUMS")
		os.Remove(sums)
		if err := exec.Command(program, sums).Run(); err != nil {
			t.Fatal(err)
		}
		found("made a pipe", "SHA256SUMS")
		os.Remove(sums)
		put(t, sums, raw)
	}
	if r := check(t, dir, archive.Anchor{Fingerprint: fingerprint}); r.Outcome != verify.Passed {
		t.Errorf("what was put back does not pass: %+v", r.Checks)
	}
}

// Whoever changes a file and the list, and signs with a key of their own, is found
// out by what the reader has from elsewhere, and not by less.
func (s *school) forged(t *testing.T) {
	dir := t.TempDir()
	own := s.write(t, archive.Order{To: filepath.Join(dir, "own"), Learners: []string{second}})
	forger := testbed.New(t) // has the same name, and other keys
	forged, err := forger.Archives.Write(t.Context(), forger.As(access.System), archive.Order{To: filepath.Join(dir, "forged")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(dir, "forged")
	if r := check(t, at, archive.Anchor{}); r.Outcome != verify.NotChecked {
		t.Errorf("it reads as %s: %+v", r.Outcome, r.Checks)
	}
	if r := check(t, at, archive.Anchor{Keys: file(t, filepath.Join(dir, "own"), "did.json")}); r.Outcome != verify.Failed {
		t.Errorf("by the institution's keys it reads as %s", r.Outcome)
	}
	if r := check(t, at, archive.Anchor{Fingerprint: own.Fingerprint}); r.Outcome != verify.Failed || forged.Fingerprint == own.Fingerprint {
		t.Errorf("by the fingerprint it reads as %s", r.Outcome)
	}
}

func (s *school) pages(t *testing.T) {
	few := *s.Archives
	few.PerPage = 90
	at := filepath.Join(t.TempDir(), "paged")
	m, err := few.Write(t.Context(), s.As(access.System), archive.Order{To: at}, nil)
	if r := check(t, at, archive.Anchor{Fingerprint: testbed.Must(t, m, err).Fingerprint}); r.Outcome != verify.Passed {
		t.Errorf("%+v", r.Checks)
	}
	listed := 0
	for _, name := range []string{"pages/0001.html", "pages/0002.html", "pages/0003.html"} {
		page := string(file(t, at, name))
		listed += strings.Count(page, `/index.html" dir="auto"`)
		if !strings.Contains(string(file(t, at, "index.html")), `href="`+name+`"`) || strings.Contains(page, `rel="next"`) != (name != "pages/0003.html") || strings.Contains(page, `rel="prev"`) != (name != "pages/0001.html") {
			t.Errorf("%s is not linked as it should be", name)
		}
	}
	if listed != 200 || strings.Contains(string(file(t, at, "index.html")), "learners/lrn_") {
		t.Errorf("%d learners are listed", listed)
	}
}

func (s *school) oneLearner(t *testing.T) {
	at := filepath.Join(t.TempDir(), "one.zip")
	m := s.write(t, archive.Order{To: at, Learners: []string{first}})
	if r := check(t, at, archive.Anchor{Fingerprint: m.Fingerprint}); r.Outcome != verify.Passed || r.Contents.Learners != 1 || r.Contents.Whole || r.Contents.Disclosures != 1 {
		t.Errorf("%+v %+v", r.Contents, r.Checks)
	}
	z, err := zip.OpenReader(at)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		if f.Name == "audit.ndjson" {
			t.Error("the account of everybody is in the archive of one")
		}
		if f.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", f.Name, f.Mode())
		}
	}
	if _, err := s.Archives.Write(t.Context(), s.As(access.System), archive.Order{To: at + "2", Learners: []string{"lrn_none"}}, nil); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
}

// An attempt that ends early leaves nothing, and nothing that is there is touched.
func (s *school) whole(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "archive")
	ctx, stop := context.WithCancel(t.Context())
	_, err := s.Archives.Write(ctx, s.As(access.System), archive.Order{To: at}, func(p archive.Progress) {
		if p.Learners == 3 {
			stop()
		}
	})
	if left, _ := os.ReadDir(dir); err == nil || len(left) != 0 {
		t.Errorf("%v left %v", err, left)
	}
	put(t, at, []byte("mine"))
	if _, err := s.Archives.Write(t.Context(), s.As(access.System), archive.Order{To: at}, nil); err == nil || string(file(t, dir, "archive")) != "mine" {
		t.Errorf("what was there is gone (%v)", err)
	}
	for _, r := range access.Grantable() {
		if _, err := s.Archives.Write(t.Context(), s.As(r), archive.Order{To: at + "2"}, nil); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("%s: %v", r, err)
		}
	}
}

// The manifest is a Verifiable Credential that anybody's software reads.
func (s *school) credential(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	s.write(t, archive.Order{To: dir, Learners: []string{first}})
	r, err := s.Verifier.Report(t.Context(), access.Anonymous(), file(t, dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range r.Checks {
		if k.Outcome != verify.Passed && k.Name != "status" { // it is on file nowhere
			t.Errorf("%+v", k)
		}
	}
	var m archive.Manifest
	sum := sha256.Sum256(file(t, dir, "SHA256SUMS"))
	if err := json.Unmarshal(file(t, dir, "manifest.json"), &m); err != nil || m.Subject.Sums != hex.EncodeToString(sum[:]) {
		t.Errorf("%v %+v", err, m)
	}
}

func file(t *testing.T, dir, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, name))
	return testbed.Must(t, raw, err)
}

func put(t *testing.T, name string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func all(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func zipOf(t *testing.T, dir, in string) string {
	t.Helper()
	at := filepath.Join(t.TempDir(), "archive.zip")
	f, err := os.Create(at)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for _, name := range all(t, dir) {
		w, err := z.Create(in + name)
		if err == nil {
			_, err = io.Copy(w, bytes.NewReader(file(t, dir, name)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	return at
}
