// Package interop asks other people's programs about our documents: the verifiers
// of Digital Bazaar and of the Digital Credentials Consortium (DCC) on Node.js,
// veraPDF on Java, and the official JSON schemas of Open Badges 3.0 and CLR 2.0.
//
// Only tests import it. Nothing is asked of the network but the packages of
// the lockfile, once, kept in the user's cache folder. Where Node.js, npm or
// the packages cannot be had a test is skipped with a message, or fails when
// TESTAMUR_REQUIRE_INTEROP is 1; where the official files are missing it is
// skipped (see package standards).
package interop

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/standards"
)

//go:embed node/package.json node/package-lock.json node/*.mjs java/Validate.java
var packed embed.FS

// Verifier is the verifier of others in a process of its own. It may be used
// from several goroutines and answers them one after the other; for more speed
// start more of them.
type Verifier struct {
	// Now is the time at which documents are verified; zero is the real one.
	Now time.Time

	mu   sync.Mutex
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	said *bytes.Buffer // what the process wrote beside its answers
}

// ProofResult is what the verifier says of one proof.
type ProofResult struct {
	At          string // JSON pointer to the credential that carries the proof; empty: the document itself
	Credential  string `json:"id"` // the id of that credential
	Cryptosuite string // empty when the credential has no proof at all
	Verified    bool
	Error       string // why not
}

// Result is what the verifier says of a document: each proof of it and of each
// credential it embeds, in document order.
type Result struct {
	Proofs []ProofResult
	Error  string // the document could not be read at all
}

// Verified reports that every proof of the document and of all it embeds holds,
// and that none of them is without.
func (r Result) Verified() bool {
	return r.Error == "" && len(r.Proofs) > 0 && r.Refused() == nil
}

// Refused are the proofs that do not hold.
func (r Result) Refused() []ProofResult {
	var out []ProofResult
	for _, p := range r.Proofs {
		if !p.Verified {
			out = append(out, p)
		}
	}
	return out
}

// Node starts Digital Bazaar's verifier and ends it with the test.
func Node(t testing.TB) *Verifier {
	t.Helper()
	return start(t, "verify")
}

// DCC starts the verifier of the Digital Credentials Consortium and ends it with
// the test. It has the suites eddsa-rdfc-2022 and Ed25519Signature2020.
func DCC(t testing.TB) *Verifier {
	t.Helper()
	return start(t, "dcc")
}

func start(t testing.TB, name string) *Verifier {
	t.Helper()
	contexts := standards.Dir(t)
	dir, err := install()
	if err != nil {
		unavailable(t, err)
	}
	var script []byte
	for _, part := range []string{"common", name} {
		text, err := packed.ReadFile("node/" + part + ".mjs")
		if err != nil {
			t.Fatal(err)
		}
		script = append(script, text...)
	}
	contexts, err = filepath.Abs(contexts)
	if err != nil {
		t.Fatal(err)
	}
	// Run as text, the script finds its packages in the folder it runs in.
	v := &Verifier{cmd: exec.Command("node", "--input-type=module", "--eval", string(script), "--", contexts), said: &bytes.Buffer{}}
	v.cmd.Dir = dir
	v.cmd.Stderr = v.said
	if v.in, err = v.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := v.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	v.out = bufio.NewReader(out)
	if err := v.cmd.Start(); err != nil {
		unavailable(t, err)
	}
	t.Cleanup(func() {
		v.in.Close() // the process ends with its input
		if err := v.cmd.Wait(); err != nil {
			t.Errorf("the verifier ended badly: %v\n%s", err, v.said)
		}
	})
	return v
}

// Verify asks about one document. The controllers are the key documents by
// their id, such as a did:web; no other keys are known.
func (v *Verifier) Verify(t testing.TB, document []byte, controllers map[string][]byte) Result {
	t.Helper()
	r, err := v.ask(document, controllers)
	if err != nil {
		t.Fatalf("ask the verifier: %v", err)
	}
	return r
}

// Time is how long one operation takes them, measured inside the process over
// as many as a quarter of a second holds: "issue" with the key of a seed, or
// "verify" with all that the document embeds, from the document's text.
func (v *Verifier) Time(t testing.TB, operation string, document []byte, controllers map[string][]byte, seed []byte, method string) time.Duration {
	t.Helper()
	r := v.request(document, controllers)
	r.Time, r.Seed, r.Method = operation, hex.EncodeToString(seed), method
	var answer struct {
		Nanoseconds float64 `json:"ns"`
		Error       string  `json:"error"`
	}
	if err := v.exchange(r, &answer); err != nil || answer.Error != "" {
		t.Fatalf("time %s: %v %s", operation, err, answer.Error)
	}
	return time.Duration(answer.Nanoseconds)
}

// request is one line to the process.
type request struct {
	Document    string            `json:"document"`
	Controllers map[string]string `json:"controllers"`
	Now         *time.Time        `json:"now,omitempty"`
	Time        string            `json:"time,omitempty"`   // the operation to measure
	Seed        string            `json:"seed,omitempty"`   // of the key to issue with, hexadecimal
	Method      string            `json:"method,omitempty"` // of that key

	Sign      string   `json:"sign,omitempty"` // the suite to sign by
	Key       *Key     `json:"key,omitempty"`  // to sign with
	Mandatory []string `json:"mandatory,omitempty"`
	Derive    []string `json:"derive,omitempty"` // what to disclose
	Core      bool     `json:"core,omitempty"`
	Challenge string   `json:"challenge,omitempty"` // of a presentation
	Domain    string   `json:"domain,omitempty"`
	List      string   `json:"list,omitempty"` // a status list, as it was fetched
	Canonize  bool     `json:"canonize,omitempty"`
}

// Key is a key pair that signs over there.
type Key struct {
	ID         string `json:"id"`
	Type       string `json:"type"` // Multikey
	Controller string `json:"controller"`
	Public     string `json:"publicKeyMultibase"`
	Secret     string `json:"secretKeyMultibase"`
}

// Sign has a document signed by their library for a suite. Mandatory are the
// pointers of a suite of selective disclosure.
func (v *Verifier) Sign(t testing.TB, document []byte, suite string, key Key, controllers map[string][]byte, mandatory ...string) []byte {
	t.Helper()
	r := v.request(document, controllers)
	r.Sign, r.Key, r.Mandatory = suite, &key, mandatory
	return v.made(t, r)
}

// Present has a presentation signed by their library, for a challenge and a domain.
func (v *Verifier) Present(t testing.TB, presentation []byte, suite string, key Key, controllers map[string][]byte, challenge, domain string) []byte {
	t.Helper()
	r := v.request(presentation, controllers)
	r.Sign, r.Key, r.Challenge, r.Domain = suite, &key, challenge, domain
	return v.made(t, r)
}

// VerifyPresented asks about a presentation that was made for a challenge and a
// domain, and every credential in it: one answer for all.
func (v *Verifier) VerifyPresented(t testing.TB, presentation []byte, controllers map[string][]byte, challenge, domain string) Result {
	t.Helper()
	r := v.request(presentation, controllers)
	r.Challenge, r.Domain = challenge, domain
	return v.told(t, r)
}

// Status asks DCC whether a credential stands, by a status list.
func (v *Verifier) Status(t testing.TB, credential, list []byte, controllers map[string][]byte) Result {
	t.Helper()
	r := v.request(credential, controllers)
	r.List = string(list)
	return v.told(t, r)
}

// Canonize is what jsonld.js, in its safe mode, makes of a document: canonical
// N-Quads, or why it makes none.
func (v *Verifier) Canonize(t testing.TB, document []byte) (string, error) {
	t.Helper()
	r := v.request(document, nil)
	r.Canonize = true
	var answer struct{ Document, Error string }
	if err := v.exchange(r, &answer); err != nil {
		t.Fatalf("ask jsonld.js: %v", err)
	}
	if answer.Error != "" {
		return "", errors.New(answer.Error)
	}
	return answer.Document, nil
}

func (v *Verifier) told(t testing.TB, r request) (answer Result) {
	t.Helper()
	if err := v.exchange(r, &answer); err != nil {
		t.Fatalf("ask the verifier: %v", err)
	}
	return answer
}

// Derive has their library disclose parts of a document with a base proof.
func (v *Verifier) Derive(t testing.TB, document []byte, controllers map[string][]byte, pointers ...string) []byte {
	t.Helper()
	r := v.request(document, controllers)
	r.Derive = pointers
	return v.made(t, r)
}

// Core is what DCC's verifier core says, which its wallets and verifier pages ask:
// each of its steps and whether it holds. It goes by the real clock. The error is
// what keeps it from any step.
func (v *Verifier) Core(t testing.TB, document []byte, controllers map[string][]byte) (steps map[string]bool, err error) {
	t.Helper()
	r := v.request(document, controllers)
	r.Core = true
	var answer struct {
		Log   map[string]bool
		Error string
	}
	if err := v.exchange(r, &answer); err != nil {
		t.Fatalf("ask the verifier: %v", err)
	}
	if answer.Error != "" {
		return answer.Log, errors.New(answer.Error)
	}
	return answer.Log, nil
}

func (v *Verifier) made(t testing.TB, r request) []byte {
	t.Helper()
	var answer struct{ Document, Error string }
	if err := v.exchange(r, &answer); err != nil || answer.Error != "" {
		t.Fatalf("%s%s: %v %s", r.Sign, strings.Join(r.Derive, " "), err, answer.Error)
	}
	return []byte(answer.Document)
}

func (v *Verifier) request(document []byte, controllers map[string][]byte) request {
	r := request{Document: string(document), Controllers: map[string]string{}}
	for id, c := range controllers {
		r.Controllers[id] = string(c)
	}
	if !v.Now.IsZero() {
		r.Now = &v.Now
	}
	return r
}

func (v *Verifier) ask(document []byte, controllers map[string][]byte) (Result, error) {
	var r Result
	err := v.exchange(v.request(document, controllers), &r)
	return r, err
}

// exchange sends one line and reads the answer's.
func (v *Verifier) exchange(r request, answer any) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, err := v.in.Write(append(line, '\n')); err != nil {
		return err
	}
	said, err := v.out.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(said, answer)
}

// unavailable skips the test, or fails it where the verifier is required.
func unavailable(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("TESTAMUR_REQUIRE_INTEROP") == "1" {
		t.Fatalf("the JavaScript verifier cannot be run: %v", err)
	}
	t.Skipf("the JavaScript verifier cannot be run: %v (set TESTAMUR_REQUIRE_INTEROP=1 to make this a failure)", err)
}

// Unavailable is of something else that a test needs and that is not here: it
// skips the test, or fails it where it is required.
func Unavailable(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("TESTAMUR_REQUIRE_INTEROP") == "1" {
		t.Fatal(what)
	}
	t.Skipf("%s (set TESTAMUR_REQUIRE_INTEROP=1 to make this a failure)", what)
}

// Axe is the source of axe-core, which looks for what makes a page hard to use.
func Axe(t testing.TB) string {
	t.Helper()
	dir, err := install()
	if err != nil {
		unavailable(t, err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// install puts the packages of the lockfile into the user's cache folder, once,
// and gives the folder. Each set of packages has a folder of its own, made
// aside and then renamed: whoever finds it finds it whole, and of two that make
// it at once one throws its own away.
func install() (string, error) {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", err
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	key := sha256.New()
	files := map[string][]byte{}
	for _, name := range []string{"package.json", "package-lock.json"} {
		if files[name], err = packed.ReadFile("node/" + name); err != nil {
			return "", err
		}
		key.Write(files[name])
	}
	home := filepath.Join(cache, "testamur-interop")
	dir := filepath.Join(home, hex.EncodeToString(key.Sum(nil))[:16])
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", err
	}
	aside, err := os.MkdirTemp(home, "installing-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(aside)
	if err := fill(aside, files); err != nil {
		return "", err
	}
	if err := os.Rename(aside, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, gone := os.Stat(dir); gone != nil {
			return "", err
		}
	}
	return dir, nil
}

// fill writes the files and lets npm install exactly what they lock, running no
// script of any package.
func fill(dir string, files map[string][]byte) error {
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return nil
}

// Run runs a program that reads our files, such as qpdf or pdfsig, and gives what
// it says and whether it was content. A program that is not here skips the test,
// or fails it where interoperation is required.
func Run(t testing.TB, program string, args ...string) (said string, content bool) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("TESTAMUR_REQUIRE_INTEROP") == "1" {
			t.Fatalf("%s cannot be run: %v", program, err)
		}
		t.Skipf("%s cannot be run: %v (set TESTAMUR_REQUIRE_INTEROP=1 to make this a failure)", program, err)
	}
	out, err := exec.Command(program, args...).CombinedOutput()
	return string(out), err == nil
}
