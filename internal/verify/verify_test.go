package verify

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/spec/baking"
	"github.com/testamur/testamur/internal/spec/bitstring"
	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/vc"
	"github.com/testamur/testamur/internal/standards"
)

var now = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)

// issuer signs as a did:key.
type issuer struct {
	key         ed25519.PrivateKey
	did, method string
}

func newIssuer(seed byte) issuer {
	k := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32))
	did, method := vc.DIDKeyOf(k.Public())
	return issuer{k, did, method}
}

func (i issuer) sign(t testing.TB, doc []byte, suites ...string) []byte {
	t.Helper()
	var proofs []vc.Proof
	for _, s := range suites {
		d, err := vc.Prepare(doc, s, i.method, now.Add(-time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		proofs = append(proofs, d.Attach(ed25519.Sign(i.key, d.Hash)))
	}
	out, err := vc.Secure(doc, proofs...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (i issuer) token(t testing.TB, header, payload string) []byte {
	t.Helper()
	enc := base64.RawURLEncoding.EncodeToString
	text := enc([]byte(header)) + "." + enc([]byte(payload))
	return []byte(text + "." + enc(ed25519.Sign(i.key, []byte(text))))
}

type list = openbadges.List[string]

const learner = "did:example:ada"

func badge(did string, n int) openbadges.Credential {
	credits := float64(n)
	return openbadges.Credential{ID: fmt.Sprintf("urn:uuid:00000000-0000-4000-8000-%012d", n), Name: "Badge", ValidFrom: "2026-01-01T00:00:00Z",
		Issuer: openbadges.Profile{ID: did, Type: list{"Profile"}, Name: "X"},
		CredentialSubject: openbadges.Subject{ID: learner, Type: list{"AchievementSubject"}, CreditsEarned: &credits,
			Identifier: openbadges.List[openbadges.IdentityObject]{openbadges.NewIdentity("emailAddress", "ada@x.example", "s")},
			Achievement: openbadges.Achievement{ID: fmt.Sprintf("https://x.example/a/%d", n), Type: list{"Achievement"}, Name: "A", Description: "A.",
				Criteria: &openbadges.Criteria{Narrative: "n"}}}}
}

func compose(t testing.TB, c openbadges.Credential) []byte {
	t.Helper()
	doc, err := openbadges.Compose(c)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// world is what can be fetched.
type world map[string][]byte

func (w world) get(want Want) (Fetched, error) {
	body, ok := w[want.URL]
	if !ok {
		return Fetched{}, errors.New("there is no such host")
	}
	return Fetched{URL: want.URL, Status: 200, Body: body}, nil
}

func examiner(w world) Examiner {
	x := Examiner{Now: now, Keys: func(method, purpose string) (vc.Key, error) {
		if doc, ok := w[strings.Split(method, "#")[0]]; ok {
			return vc.KeyOf(doc, method, purpose)
		}
		return vc.DIDKey(method)
	}}
	if w != nil {
		x.Get = w.get
	}
	return x
}

// find is the outcome and the reasons of the checks of a name, the worst first.
func find(r Report, name string) (Outcome, string) {
	out, why := Outcome(""), ""
	for _, c := range r.Checks {
		if c.Name == name {
			why += c.Reason + " "
			if out == "" || c.Outcome == Failed || c.Outcome == NotChecked && out == Passed {
				out = c.Outcome
			}
		}
	}
	return out, why
}

func want(t *testing.T, what string, r Report, checks map[string]Outcome) {
	t.Helper()
	for name, outcome := range checks {
		if name == "" {
			if r.Outcome != outcome {
				t.Errorf("%s: the report %s, want %s: %+v", what, r.Outcome, outcome, r.Checks)
			}
			continue
		}
		if got, why := find(r, name); got != outcome {
			t.Errorf("%s: %s is %q, want %s: %s", what, name, got, outcome, why)
		}
	}
}

func TestABadgeHolds(t *testing.T) {
	i := newIssuer(1)
	r := examiner(nil).Examine(i.sign(t, compose(t, badge(i.did, 1)), vc.EdDSARDFC))
	want(t, "badge", r, map[string]Outcome{"": Passed, "shape": Passed, "context": Passed, "proof": Passed, "issuer": Passed, "status": Passed, "dates": Passed})
	var order []string
	for _, c := range r.Checks {
		order = append(order, c.Name)
		if c.Reason == "" || c.Clause == "" {
			t.Errorf("%+v says nothing", c)
		}
	}
	if !slices.Equal(order, []string{"shape", "context", "proof", "issuer", "status", "dates"}) {
		t.Errorf("the checks come in the order %v", order)
	}
}

// TestWhatIsWrongEndsInItsCheck changes a badge in every way that the issue
// names, and some more.
func TestWhatIsWrongEndsInItsCheck(t *testing.T) {
	i, other := newIssuer(1), newIssuer(2)
	good := i.sign(t, compose(t, badge(i.did, 1)), vc.EdDSARDFC)
	changed := func(old, new string) []byte {
		out := bytes.Replace(good, []byte(old), []byte(new), 1)
		if bytes.Equal(out, good) {
			t.Fatalf("%s does not occur in %s", old, good)
		}
		return out
	}
	expired, future := badge(i.did, 1), badge(i.did, 1)
	expired.ValidUntil, future.ValidFrom = "2026-02-01T00:00:00Z", "2027-01-01T00:00:00Z"
	signed := func(c openbadges.Credential) []byte { return i.sign(t, compose(t, c), vc.EdDSARDFC) }
	foreign := signed(badge("https://mit.example/", 1))
	for _, c := range []struct {
		what  string
		doc   []byte
		check string
		out   Outcome
	}{
		{"a value", changed(`"Badge"`, `"Fudge"`), "proof", Failed},
		{"the subject", changed(learner, "did:example:eve"), "proof", Failed},
		{"another's key", bytes.ReplaceAll(good, []byte(i.method), []byte(other.method)), "proof", Failed},
		{"the key of another than the issuer", foreign, "issuer", Failed},
		{"the purpose of the proof", changed(`"assertionMethod"`, `"authentication"`), "proof", Failed},
		{"the cryptosuite", changed(`"eddsa-rdfc-2022"`, `"rot13"`), "proof", NotChecked},
		{"no proof", compose(t, badge(i.did, 1)), "proof", Failed},
		{"an undefined member", changed(`"name":"Badge"`, `"name":"Badge","grade":"A"`), "context", Failed},
		{"an unknown context", changed(`context-3.0.3.json"`, `context-3.0.3.json","https://evil.example/c"`), "context", NotChecked},
		{"and its proof", changed(`context-3.0.3.json"`, `context-3.0.3.json","https://evil.example/c"`), "proof", NotChecked},
		{"a member twice", changed(`"name":"Badge"`, `"name":"Badge","name":"Badge"`), "shape", Failed},
		{"no achievement", changed(`"achievement":`, `"achievment":`), "shape", Failed},
		{"expired", signed(expired), "dates", Failed},
		{"not yet", signed(future), "dates", Failed},
		{"poison", poison(t, good), "proof", Failed},
		{"not JSON", []byte(`{"type":`), "shape", Failed},
		{"nothing known", []byte(`hello`), "shape", Failed},
	} {
		r := examiner(nil).Examine(c.doc)
		want(t, c.what, r, map[string]Outcome{c.check: c.out})
		if r.Outcome == Passed {
			t.Errorf("%s: it passes", c.what)
		}
	}
}

// poison hangs a graph into a document that is hard to canonicalize: many blank
// nodes that all look alike.
func poison(t testing.TB, good []byte) []byte {
	t.Helper()
	const n = 14
	var nodes []string
	for a := range n {
		var others []string
		for b := range n {
			if a != b {
				others = append(others, fmt.Sprintf(`{"id":"_:b%d"}`, b))
			}
		}
		nodes = append(nodes, fmt.Sprintf(`{"id":"_:b%d","https://x.example/p":[%s]}`, a, strings.Join(others, ",")))
	}
	return bytes.Replace(good, []byte(`"name":"Badge"`), []byte(`"name":"Badge","https://x.example/q":[`+strings.Join(nodes, ",")+`]`), 1)
}

// inFragment finds the key in the fragment of its name, as the examples have it.
func inFragment(method, _ string) (vc.Key, error) {
	base, fragment, _ := strings.Cut(method, "#")
	k, err := vc.ParseMultikey(fragment)
	if err != nil {
		err = &vc.Failure{Code: vc.NoKey, Reason: "There is no such key.", Err: err}
	}
	return vc.Key{Controller: base, Public: k}, err
}

func TestOfficialErrors(t *testing.T) {
	x := Examiner{Keys: inFragment, Now: now}
	for name, check := range map[string]string{
		"simple-err-context.json": "shape", "simple-err-type.json": "context", "simple-err-issuer.json": "shape", "simple-err-issued.json": "dates",
		"simple-err-evidence-type.json": "shape", "simple-err-issuer-parentorg-type.json": "shape",
		"simple-err-credential-subject-identifier-type.json": "shape", "simple-err-credential-subject-result-type.json": "shape",
	} {
		want(t, name, x.Examine(standards.Read(t, "examples/ob3/err/"+name)), map[string]Outcome{check: Failed, "": Failed})
	}
	// Their keys cannot be had, so nothing can be said of their proofs.
	for _, name := range []string{"simple-err-proof-method.json", "simple-err-proof-method-unknown-did-method.json"} {
		want(t, name, x.Examine(standards.Read(t, "examples/ob3/err/"+name)), map[string]Outcome{"proof": NotChecked, "shape": Passed, "": NotChecked})
	}
	if n := len(standards.Glob(t, "examples/ob3/err/*.json")); n != 10 {
		t.Errorf("%d official errors, and 10 are held here", n)
	}
	// The same keys verify the official vector.
	var vector map[string]json.RawMessage
	if err := json.Unmarshal(standards.Read(t, "examples/ob3/vector-eddsa-rdfc-2022-ob.json"), &vector); err != nil {
		t.Fatal(err)
	}
	want(t, "vector", x.Examine(vector["signedCredential"]), map[string]Outcome{"": Passed, "proof": Passed, "issuer": Passed})
}

func record(t testing.TB, i issuer, embedded ...[]byte) []byte {
	t.Helper()
	c := clr.Credential{ID: "urn:uuid:00000000-0000-4000-8000-00000000ffff", Name: "Record", ValidFrom: "2026-01-01T00:00:00Z",
		Issuer: openbadges.Profile{ID: i.did, Type: list{"Profile"}}, CredentialSubject: clr.Subject{ID: learner}}
	for _, e := range embedded {
		c.CredentialSubject.VerifiableCredential = append(c.CredentialSubject.VerifiableCredential, e)
	}
	c.CredentialSubject.Association = openbadges.List[clr.Association]{{Type: "Association", AssociationType: "precedes", SourceID: "https://x.example/a/1", TargetID: "https://x.example/a/2"}}
	doc, err := clr.Compose(c)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestRecordsAndTheSwap(t *testing.T) {
	i := newIssuer(1)
	a, b := i.sign(t, compose(t, badge(i.did, 1)), vc.EdDSARDFC), i.sign(t, compose(t, badge(i.did, 2)), vc.EdDSARDFC)
	both := i.sign(t, record(t, i, a, b), vc.EdDSARDFC, vc.EdDSAJCS)
	want(t, "record", examiner(nil).Examine(both), map[string]Outcome{"": Passed, "embedded": Passed, "recipient": Passed, "associations": Passed, "binding": Passed, "proof": Passed})

	swap := func(doc []byte) []byte {
		s := strings.Replace(string(doc), `"creditsEarned":1`, `"creditsEarned":X`, 1)
		s = strings.Replace(s, `"creditsEarned":2`, `"creditsEarned":1`, 1)
		return []byte(strings.Replace(s, `"creditsEarned":X`, `"creditsEarned":2`, 1))
	}
	r := examiner(nil).Examine(swap(both))
	want(t, "swap", r, map[string]Outcome{"": Failed, "binding": Failed, "embedded": Failed, "proof": Failed})
	// The attack works on the outer proof over RDF alone: it still holds, and the report says which did.
	held := slices.ContainsFunc(r.Checks, func(c Check) bool {
		return c.Name == "proof" && c.Outcome == Passed && strings.Contains(c.Reason, vc.EdDSARDFC)
	})
	if _, why := find(r, "binding"); !held || !strings.Contains(why, vc.EdDSAJCS) || !strings.Contains(why, "exchanged") {
		t.Errorf("%+v", r.Checks)
	}
	// Two whole credentials change places: only the order is another.
	moved := bytes.Replace(both, append(append(slices.Clone(a), ','), b...), append(append(slices.Clone(b), ','), a...), 1)
	want(t, "moved", examiner(nil).Examine(moved), map[string]Outcome{"": Failed, "binding": Failed, "embedded": Passed})
	// With one outer proof the embedded ones have to hold, and do.
	want(t, "one proof", examiner(nil).Examine(i.sign(t, record(t, i, a, b), vc.EdDSARDFC)), map[string]Outcome{"": Passed, "binding": Passed})
	want(t, "one proof, swapped", examiner(nil).Examine(swap(i.sign(t, record(t, i, a, b), vc.EdDSARDFC))), map[string]Outcome{"": Failed, "embedded": Failed})
	// Embedded credentials without proofs are bound by nothing but the proof over every byte.
	bare := record(t, i, compose(t, badge(i.did, 1)), compose(t, badge(i.did, 2)))
	want(t, "bare", examiner(nil).Examine(i.sign(t, bare, vc.EdDSARDFC)), map[string]Outcome{"": Failed, "binding": Failed})
	want(t, "twice", examiner(nil).Examine(i.sign(t, record(t, i, a, a, b), vc.EdDSARDFC, vc.EdDSAJCS)), map[string]Outcome{"": Failed, "embedded": Failed})
}

func withStatus(t testing.TB, i issuer, status any) []byte {
	t.Helper()
	c := badge(i.did, 1)
	raw, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	c.CredentialStatus = raw
	return i.sign(t, compose(t, c), vc.EdDSARDFC)
}

func statusList(t testing.TB, i issuer, purpose string, set ...int) []byte {
	t.Helper()
	return statusListOf(t, i, purpose, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", set...)
}

// statusListOf is a list that is valid for a period.
func statusListOf(t testing.TB, i issuer, purpose, from, until string, set ...int) []byte {
	t.Helper()
	l, err := bitstring.New(bitstring.MinEntries, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range set {
		if err := l.Set(n, 1); err != nil {
			t.Fatal(err)
		}
	}
	doc, err := bitstring.Compose(bitstring.Credential{ID: "https://x.example/s", Issuer: i.did, ValidFrom: from, ValidUntil: until,
		Purposes: []string{purpose}, List: l})
	if err != nil {
		t.Fatal(err)
	}
	return i.sign(t, doc, vc.EdDSARDFC)
}

func TestStatusLists(t *testing.T) {
	i, other := newIssuer(1), newIssuer(2)
	const at = "https://x.example/s"
	revocable := withStatus(t, i, bitstring.NewEntry(at, bitstring.Revocation, 7))
	suspendable := withStatus(t, i, bitstring.NewEntry(at, bitstring.Suspension, 7))
	listed := withStatus(t, i, map[string]string{"id": at, "type": bitstring.TypeRevocationList})
	late := bytes.Replace(statusList(t, i, bitstring.Revocation), []byte(`2027-01-01`), []byte(`2026-02-01`), 1)
	for _, c := range []struct {
		what  string
		doc   []byte
		world world
		out   Outcome
	}{
		{"not revoked", revocable, world{at: statusList(t, i, bitstring.Revocation, 6, 8)}, Passed},
		{"revoked", revocable, world{at: statusList(t, i, bitstring.Revocation, 7)}, Failed},
		{"suspended", suspendable, world{at: statusList(t, i, bitstring.Suspension, 7)}, Failed},
		{"not suspended", suspendable, world{at: statusList(t, i, bitstring.Suspension)}, Passed},
		{"the list of another purpose", revocable, world{at: statusList(t, i, bitstring.Suspension)}, NotChecked},
		{"a list that cannot be had", revocable, world{}, NotChecked},
		{"no network", revocable, nil, NotChecked},
		{"a list whose signature does not hold", revocable, world{at: late}, NotChecked},
		{"a list that is over", revocable, world{at: statusListOf(t, i, bitstring.Revocation, "2026-01-01T00:00:00Z", "2026-11-25T08:59:59Z")}, NotChecked},
		{"a list that was made when it was asked for", revocable, world{at: statusListOf(t, i, bitstring.Revocation, "2026-11-25T09:00:01Z", "2027-01-01T00:00:00Z", 7)}, Failed},
		{"a list that is not valid yet", revocable, world{at: statusListOf(t, i, bitstring.Revocation, "2026-11-25T09:10:01Z", "2027-01-01T00:00:00Z")}, NotChecked},
		{"a list signed by another than its issuer", revocable, world{at: bytes.Replace(statusList(t, other, bitstring.Revocation), []byte(`"issuer":"`+other.did), []byte(`"issuer":"`+i.did), 1)}, NotChecked},
		{"a list of another service", revocable, world{at: statusList(t, other, bitstring.Revocation)}, Passed},
		{"a gzip bomb", revocable, world{at: bombList(t, i)}, NotChecked},
		{"not on the list of 1EdTech", listed, world{at: []byte(`{"id":"` + at + `","revokedCredential":[{"id":"urn:x:1"}]}`)}, Passed},
		{"on the list of 1EdTech", listed, world{at: []byte(`{"id":"` + at + `","revokedCredential":[{"id":"urn:uuid:00000000-0000-4000-8000-000000000001","revocationReason":"Error."}]}`)}, Failed},
		{"the list of another issuer", listed, world{at: []byte(`{"id":"` + at + `","issuer":"https://y.example","revokedCredential":[]}`)}, NotChecked},
		{"a way that is not known", withStatus(t, i, map[string]string{"id": at, "type": "https://x.example/OtherStatus"}), world{}, NotChecked},
	} {
		r := examiner(c.world).Examine(c.doc)
		want(t, c.what, r, map[string]Outcome{"status": c.out, "": c.out, "proof": Passed})
	}
	// Nobody's list is asked for a credential whose proof does not hold.
	asked := 0
	x := examiner(world{})
	x.Get = func(Want) (Fetched, error) { asked++; return Fetched{}, errors.New("no") }
	want(t, "forged", x.Examine(bytes.Replace(revocable, []byte(learner), []byte("did:example:eve"), 1)), map[string]Outcome{"status": NotChecked, "": Failed})
	if asked > 0 {
		t.Errorf("%d fetches for a forged credential", asked)
	}
}

// TestOneListForMany reads the list that a whole record points to once.
func TestOneListForMany(t *testing.T) {
	i := newIssuer(1)
	const at = "https://x.example/s"
	var all [][]byte
	for n := range 20 {
		c := badge(i.did, n+1)
		raw, err := json.Marshal(bitstring.NewEntry(at, bitstring.Revocation, n))
		if err != nil {
			t.Fatal(err)
		}
		c.CredentialStatus = raw
		all = append(all, i.sign(t, compose(t, c), vc.EdDSARDFC))
	}
	asked, list := 0, statusList(t, i, bitstring.Revocation, 3)
	x := examiner(world{})
	x.Get = func(Want) (Fetched, error) { asked++; return Fetched{Status: 200, Body: list}, nil }
	r := x.Examine(i.sign(t, record(t, i, all...), vc.EdDSARDFC, vc.EdDSAJCS))
	if asked != 1 {
		t.Errorf("the list was asked for %d times", asked)
	}
	for n, e := range r.Embedded {
		if got, _ := find(e, "status"); (got == Failed) != (n == 3) {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func bombList(t testing.TB, i issuer) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(make([]byte, 64<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	doc := []byte(`{"@context":["https://www.w3.org/ns/credentials/v2"],"id":"https://x.example/s","type":["VerifiableCredential","BitstringStatusListCredential"],"issuer":"` + i.did +
		`","validFrom":"2026-01-01T00:00:00Z","credentialSubject":{"id":"https://x.example/s#list","type":"BitstringStatusList","statusPurpose":"revocation","encodedList":"u` + base64.RawURLEncoding.EncodeToString(b.Bytes()) + `"}}`)
	return i.sign(t, doc, vc.EdDSARDFC)
}

// jwtPayload is a badge with the claims that Open Badges asks for.
func jwtPayload(t testing.TB, i issuer, change func(map[string]any)) string {
	t.Helper()
	var p map[string]any
	if err := json.Unmarshal(compose(t, badge(i.did, 1)), &p); err != nil {
		t.Fatal(err)
	}
	p["iss"], p["jti"], p["sub"], p["nbf"] = i.did, p["id"], learner, now.Unix()-int64(now.Sub(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).Seconds())
	if change != nil {
		change(p)
	}
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestTokens(t *testing.T) {
	i, other := newIssuer(1), newIssuer(2)
	enc := base64.RawURLEncoding.EncodeToString
	jwk := func(i issuer) string {
		return `{"kty":"OKP","crv":"Ed25519","x":"` + enc(i.key.Public().(ed25519.PublicKey)) + `"}`
	}
	head := `{"alg":"EdDSA","typ":"JWT","kid":"` + i.method + `"}`
	set := func(claim string, v any) func(map[string]any) { return func(p map[string]any) { p[claim] = v } }
	web := func(p map[string]any) {
		p["iss"] = "https://x.example/i"
		p["issuer"].(map[string]any)["id"] = "https://x.example/i"
	}
	good := jwtPayload(t, i, nil)
	for _, c := range []struct {
		what   string
		token  []byte
		world  world
		checks map[string]Outcome
	}{
		{"good", i.token(t, head, good), nil, map[string]Outcome{"": Passed, "proof": Passed, "issuer": Passed, "binding": Passed}},
		{"vc+jwt without claims", i.token(t, `{"alg":"EdDSA","typ":"vc+jwt","kid":"`+i.method+`"}`, string(compose(t, badge(i.did, 1)))), nil, map[string]Outcome{"": Passed}},
		{"the key in the token, of the issuer", i.token(t, `{"alg":"EdDSA","jwk":`+jwk(i)+`}`, good), nil, map[string]Outcome{"": Passed}},
		{"the key in the token, of another", other.token(t, `{"alg":"EdDSA","jwk":`+jwk(other)+`}`, good), nil, map[string]Outcome{"": Failed, "issuer": "", "proof": Failed}},
		{"a private key in the token", i.token(t, `{"alg":"EdDSA","jwk":`+strings.Replace(jwk(i), `{`, `{"d":"AA",`, 1)+`}`, good), nil, map[string]Outcome{"": Failed, "shape": Failed}},
		{"published by the host", i.token(t, `{"alg":"EdDSA","jwk":`+jwk(i)+`}`, jwtPayload(t, i, web)), world{"https://x.example/.well-known/jwks.json": []byte(`{"keys":[` + jwk(other) + `,` + jwk(i) + `]}`)}, map[string]Outcome{"": Passed, "issuer": Passed}},
		{"published by the host for another", i.token(t, `{"alg":"EdDSA","jwk":`+jwk(i)+`}`, jwtPayload(t, i, web)), world{"https://x.example/.well-known/jwks.json": []byte(`{"iss":"https://x.example/j","keys":[` + jwk(i) + `]}`)}, map[string]Outcome{"": NotChecked, "proof": NotChecked, "issuer": ""}},
		{"published by the host, and not this one", i.token(t, `{"alg":"EdDSA","jwk":`+jwk(i)+`}`, jwtPayload(t, i, web)), world{"https://x.example/.well-known/jwks.json": []byte(`{"keys":[` + jwk(other) + `]}`)}, map[string]Outcome{"": Failed, "proof": Failed}},
		{"a key below the issuer", i.token(t, `{"alg":"EdDSA","kid":"https://x.example/i/key"}`, jwtPayload(t, i, web)), world{"https://x.example/i/key": []byte(jwk(i))}, map[string]Outcome{"": Passed, "issuer": Passed}},
		{"a key beside the issuer", i.token(t, `{"alg":"EdDSA","kid":"https://x.example/eve/key"}`, jwtPayload(t, i, web)), world{"https://x.example/eve/key": []byte(jwk(i))}, map[string]Outcome{"issuer": NotChecked}},
		{"alg none", []byte(enc([]byte(`{"alg":"none"}`)) + "." + enc([]byte(good)) + "."), nil, map[string]Outcome{"": Failed}},
		{"alg none with a signature", []byte(enc([]byte(`{"alg":"none","kid":"`+i.method+`"}`)) + "." + enc([]byte(good)) + ".AA"), nil, map[string]Outcome{"proof": Failed}},
		{"key confusion", i.token(t, strings.Replace(head, "EdDSA", "HS256", 1), good), nil, map[string]Outcome{"proof": Failed}},
		{"another algorithm", i.token(t, strings.Replace(head, "EdDSA", "ES256", 1), good), nil, map[string]Outcome{"proof": Failed}},
		{"another's signature", other.token(t, head, good), nil, map[string]Outcome{"proof": Failed}},
		{"another's key", other.token(t, strings.Replace(head, i.method, other.method, 1), good), nil, map[string]Outcome{"issuer": Failed}},
		{"iss of another", i.token(t, head, jwtPayload(t, i, set("iss", other.did))), nil, map[string]Outcome{"binding": Failed}},
		{"sub of another", i.token(t, head, jwtPayload(t, i, set("sub", "did:example:eve"))), nil, map[string]Outcome{"binding": Failed}},
		{"jti of another", i.token(t, head, jwtPayload(t, i, set("jti", "urn:x:9"))), nil, map[string]Outcome{"binding": Failed}},
		{"nbf of another", i.token(t, head, jwtPayload(t, i, set("nbf", 1))), nil, map[string]Outcome{"binding": Failed}},
		{"no nbf", i.token(t, head, jwtPayload(t, i, func(p map[string]any) { delete(p, "nbf") })), nil, map[string]Outcome{"binding": Failed}},
		{"exp without validUntil", i.token(t, head, jwtPayload(t, i, set("exp", 2000000000))), nil, map[string]Outcome{"binding": Failed}},
		{"vc in vc+jwt", i.token(t, strings.Replace(head, "JWT", "vc+jwt", 1), `{"vc":`+string(compose(t, badge(i.did, 1)))+`}`), nil, map[string]Outcome{"": Failed, "shape": Failed}},
		{"expired signature", i.token(t, strings.Replace(head, "JWT", "vc+jwt", 1), jwtPayload(t, i, set("exp", 1700000000))), nil, map[string]Outcome{"": Failed, "proof": Failed}},
		{"an algorithm that is not checked here", i.token(t, strings.Replace(head, "EdDSA", "ES256K", 1), good), nil, map[string]Outcome{"": NotChecked, "proof": NotChecked}},
		{"the type of a draft of VC-JOSE-COSE", i.token(t, strings.Replace(head, "JWT", "vc+ld+json+jwt", 1), string(compose(t, badge(i.did, 1)))), nil, map[string]Outcome{"": Passed}},
	} {
		r := examiner(c.world).Examine(c.token)
		want(t, c.what, r, c.checks)
	}
}

func blank(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 2, 2))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPictures(t *testing.T) {
	i := newIssuer(1)
	good := i.sign(t, compose(t, badge(i.did, 1)), vc.EdDSARDFC)
	for name, picture := range map[string][]byte{"png": blank(t), "svg": []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`)} {
		baked, err := baking.Bake(picture, baking.OpenBadges3, good)
		if err != nil {
			t.Fatal(err)
		}
		r := examiner(nil).Examine(baked)
		want(t, name, r, map[string]Outcome{"": Passed})
		if r.Format != name {
			t.Errorf("%s: %s", name, r.Format)
		}
		want(t, name+" without one", examiner(nil).Examine(picture), map[string]Outcome{"": Failed, "shape": Failed})
	}
	twice := []byte(`<svg xmlns:o="https://purl.imsglobal.org/ob/v3p0"><o:credential verify="a.b.c"/><o:credential verify="a.b.c"/></svg>`)
	want(t, "two", examiner(nil).Examine(twice), map[string]Outcome{"": Failed, "binding": Failed})
	for _, f := range standards.Glob(t, "examples/ob3/baked/*.json") {
		var w struct{ Base64 []byte }
		if err := json.Unmarshal(standards.Read(t, "examples/ob3/baked/"+filepath.Base(f)), &w); err != nil {
			t.Fatal(err)
		}
		if r := examiner(nil).Examine(w.Base64); r.Kind != "AchievementCredential" && r.Kind != "OpenBadgeCredential" {
			t.Errorf("%s: %+v", f, r)
		}
	}
}

func endorsement(t testing.TB, i issuer, of string) json.RawMessage {
	t.Helper()
	doc, err := openbadges.ComposeEndorsement(openbadges.Endorsement{ID: "urn:e:" + of, Name: "E", Issuer: openbadges.Profile{ID: i.did, Type: list{"Profile"}},
		ValidFrom: "2026-01-01T00:00:00Z", CredentialSubject: openbadges.EndorsementSubject{ID: of}})
	if err != nil {
		t.Fatal(err)
	}
	return i.sign(t, doc, vc.EdDSARDFC)
}

func TestEndorsementsAtEveryLevel(t *testing.T) {
	i, e := newIssuer(1), newIssuer(3)
	c := badge(i.did, 1)
	c.Endorsement = openbadges.List[json.RawMessage]{endorsement(t, e, c.ID)}
	c.Issuer.Endorsement = openbadges.List[json.RawMessage]{endorsement(t, e, i.did)}
	c.CredentialSubject.Achievement.Endorsement = openbadges.List[json.RawMessage]{endorsement(t, e, "https://x.example/a/1")}
	c.CredentialSubject.Achievement.Creator = &openbadges.Profile{ID: "https://f.example/", Type: list{"Profile"},
		Endorsement: openbadges.List[json.RawMessage]{endorsement(t, e, "https://f.example/")}}
	r := examiner(nil).Examine(i.sign(t, compose(t, c), vc.EdDSARDFC))
	want(t, "four", r, map[string]Outcome{"": Passed, "endorsements": Passed})
	if len(r.Endorsements) != 4 {
		t.Errorf("%d endorsements", len(r.Endorsements))
	}
	c.Endorsement[0] = endorsement(t, e, "urn:of:another")
	r = examiner(nil).Examine(i.sign(t, compose(t, c), vc.EdDSARDFC))
	want(t, "of another", r, map[string]Outcome{"": NotChecked, "endorsements": NotChecked, "proof": Passed})
	want(t, "itself", r.Endorsements[0], map[string]Outcome{"recipient": Failed, "proof": Passed})
}

func TestRecipients(t *testing.T) {
	i := newIssuer(1)
	good := i.sign(t, compose(t, badge(i.did, 1)), vc.EdDSARDFC)
	for who, out := range map[Recipient]Outcome{
		{"emailAddress", "Ada@x.example"}: Passed, {"emailAddress", "eve@x.example"}: Failed, {"id", learner}: Passed, {"id", "did:example:eve"}: Failed,
		{"sisSourcedId", "1"}: NotChecked,
	} {
		x := examiner(nil)
		x.Recipient = &who
		want(t, fmt.Sprint(who), x.Examine(good), map[string]Outcome{"recipient": out, "": out})
	}
}

func TestANewerCopy(t *testing.T) {
	i := newIssuer(1)
	const at = "https://x.example/newer"
	old, newer := badge(i.did, 1), badge(i.did, 1)
	old.RefreshService = &openbadges.Reference{ID: at, Type: bitstring.TypeCredentialRefresh}
	newer.ValidFrom, newer.Name = "2026-06-01T00:00:00Z", "Newer"
	given := i.sign(t, compose(t, old), vc.EdDSARDFC)
	signed := i.sign(t, compose(t, newer), vc.EdDSARDFC)
	r := examiner(world{at: signed}).Examine(given)
	want(t, "newer", r, map[string]Outcome{"": Passed, "refresh": Passed})
	if r.Name != "Newer" {
		t.Errorf("%s", r.Name)
	}
	r = examiner(world{at: given}).Examine(given)
	want(t, "the same", r, map[string]Outcome{"": Passed, "refresh": Passed})
	another := i.sign(t, compose(t, badge(i.did, 2)), vc.EdDSARDFC)
	forged := bytes.Replace(signed, []byte("Newer"), []byte("Forged"), 1)
	for what, w := range map[string]world{"gone": {}, "another": {at: another}, "forged": {at: forged}} {
		r := examiner(w).Examine(given)
		want(t, what, r, map[string]Outcome{"refresh": NotChecked, "proof": Passed})
		if r.Name != "Badge" {
			t.Errorf("%s: it is about %s", what, r.Name)
		}
	}
}

func TestPresentationsAndBundles(t *testing.T) {
	i, holder := newIssuer(1), newIssuer(4)
	good := i.sign(t, compose(t, badge(i.did, 1)), vc.EdDSARDFC)
	bad := bytes.Replace(good, []byte(learner), []byte("did:example:eve"), 1)
	token := i.token(t, `{"alg":"EdDSA","typ":"vc+jwt","kid":"`+i.method+`"}`, string(compose(t, badge(i.did, 2))))
	vp := func(all ...string) []byte {
		return []byte(`{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiablePresentation"],"holder":"` + holder.did + `","verifiableCredential":[` + strings.Join(all, ",") + `]}`)
	}
	presentationsAsTokens(t, i, holder, string(good), string(token), string(bad))
	enveloped := `{"@context":"https://www.w3.org/ns/credentials/v2","type":"EnvelopedVerifiableCredential","id":"data:application/vc+jwt,` + string(token) + `"}`
	r := examiner(nil).Examine(vp(string(good), enveloped))
	want(t, "unsigned", r, map[string]Outcome{"": NotChecked, "embedded": Passed, "proof": NotChecked})
	want(t, "one is forged", examiner(nil).Examine(vp(string(good), string(bad))), map[string]Outcome{"": Failed, "embedded": Failed})
	want(t, "empty", examiner(nil).Examine(vp()), map[string]Outcome{"": Failed})

	doc := vp(string(good))
	d, err := vc.PrepareWith(doc, vc.Options{Suite: vc.EdDSARDFC, VerificationMethod: holder.method, Purpose: vc.Authentication, Created: now.Add(-time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := vc.Secure(doc, d.Attach(ed25519.Sign(holder.key, d.Hash)))
	if err != nil {
		t.Fatal(err)
	}
	want(t, "signed", examiner(nil).Examine(signed), map[string]Outcome{"": Passed, "proof": Passed})
	want(t, "presented by another", examiner(nil).Examine(bytes.Replace(signed, []byte(`"holder":"`+holder.did), []byte(`"holder":"`+i.did), 1)), map[string]Outcome{"": Failed})

	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, raw := range map[string][]byte{"a/badge.json": good, "badge.jwt": token, "note.txt": []byte("hello"), "a/.DS_Store": []byte("x")} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(raw); err != nil {
			t.Fatal(err)
		}
	}
	w, err := z.Create("bomb.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(append([]byte("{"), make([]byte, maxDocument)...)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	r = examiner(nil).Examine(b.Bytes())
	want(t, "zip", r, map[string]Outcome{"": Failed, "embedded": Failed})
	outcomes := map[string]Outcome{}
	for _, e := range r.Embedded {
		outcomes[e.Name] = e.Outcome
	}
	if len(r.Embedded) != 4 || outcomes["note.txt"] != Failed || outcomes["bomb.json"] != Failed || outcomes["Badge"] != Passed {
		t.Errorf("%v", outcomes)
	}
}

// TestBundlesOfBundlesShareOneBudget opens a small ZIP that would expand to
// hundreds of times what is read.
func TestBundlesOfBundlesShareOneBudget(t *testing.T) {
	pack := func(n int, raw []byte) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for i := range n {
			w, err := z.Create(fmt.Sprint(i))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(raw); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	inner := pack(12, make([]byte, 15<<20))
	x := examiner(nil)
	x.budget = &budget{credentials: maxCredentials, files: maxFiles, expanded: maxExpanded, documents: nil}
	r := x.material(pack(40, inner))
	if r.Outcome != Failed || x.budget.expanded < -int64(len(inner))*40 || x.budget.expanded > 1<<20 {
		t.Errorf("%s, %d bytes left", r.Outcome, x.budget.expanded)
	}
}

func TestVersionsBefore(t *testing.T) {
	w := world{
		"https://i.example/a": []byte(`{"@context":"https://w3id.org/openbadges/v2","type":"Assertion","id":"https://i.example/a","recipient":{"type":"email","hashed":false,"identity":"ada@x.example"},
			"badge":"https://i.example/b","issuedOn":"2020-01-01T00:00:00Z","verification":{"type":"hosted"}}`),
		"https://i.example/b": []byte(`{"type":"BadgeClass","id":"https://i.example/b","name":"B","description":"B.","criteria":"https://i.example/c","issuer":"https://i.example/"}`),
		"https://i.example/":  []byte(`{"type":"Issuer","id":"https://i.example/","name":"I","url":"https://i.example/","email":"i@i.example"}`),
	}
	x := examiner(w)
	x.Recipient = &Recipient{"emailAddress", "ada@x.example"}
	baked, err := baking.Bake(blank(t), baking.OpenBadges2, w["https://i.example/a"])
	if err != nil {
		t.Fatal(err)
	}
	for what, material := range map[string][]byte{"address": []byte("https://i.example/a"), "copy": w["https://i.example/a"], "picture": baked} {
		r := x.Examine(material)
		want(t, what, r, map[string]Outcome{"": Passed, "shape": Passed, "proof": Passed, "issuer": Passed, "dates": Passed, "recipient": Passed})
		if r.Kind != "Assertion" || r.Name != "B" || r.IssuerName != "I" {
			t.Errorf("%s: %+v", what, r)
		}
	}
	want(t, "no network", examiner(nil).Examine([]byte("https://i.example/a")), map[string]Outcome{"": NotChecked})
	want(t, "version 1.0 of a record", examiner(nil).Examine([]byte(`{"@context":"https://purl.imsglobal.org/spec/clr/v1p0/context/clr_v1p0.jsonld","id":"urn:a:1","type":"Clr","issuedOn":"2021-06-01T00:00:00Z",
		"learner":{"id":"urn:a:2","name":"Ada"},"publisher":{"id":"https://u.example"}}`)), map[string]Outcome{"": NotChecked, "shape": Passed, "proof": NotChecked})
}

func FuzzExamine(f *testing.F) {
	i := newIssuer(1)
	good := i.sign(f, compose(f, badge(i.did, 1)), vc.EdDSARDFC)
	f.Add(good)
	f.Add(i.sign(f, record(f, i, good), vc.EdDSARDFC, vc.EdDSAJCS))
	f.Add(i.token(f, `{"alg":"EdDSA","kid":"`+i.method+`"}`, jwtPayload(f, i, nil)))
	f.Add([]byte(`{"type":["VerifiablePresentation"],"verifiableCredential":[{"type":"VerifiableCredential"},"a.b.c"]}`))
	f.Add([]byte(`{"type":"Clr"}`))
	f.Add([]byte("https://i.example/"))
	f.Fuzz(func(t *testing.T, material []byte) {
		r := examiner(world{}).Examine(material)
		if len(r.Checks) == 0 {
			t.Error("nothing was said")
		}
		if r.Outcome != overall(r.Checks) {
			t.Errorf("the report is %s and its checks say otherwise: %+v", r.Outcome, r.Checks)
		}
	})
}

// presentationsAsTokens examines vp+jwt of VC-JOSE-COSE and the older form with a
// claim vp.
func presentationsAsTokens(t *testing.T, i, holder issuer, good, token, bad string) {
	t.Helper()
	vp := func(all string, more string) string {
		return `{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiablePresentation"],"holder":"` + holder.did + `"` + more + `,"verifiableCredential":[` + all + `]}`
	}
	head := func(typ string) string { return `{"alg":"EdDSA","typ":"` + typ + `","kid":"` + holder.method + `"}` }
	quoted := `"` + token + `"`
	enveloped := `{"@context":"https://www.w3.org/ns/credentials/v2","type":"EnvelopedVerifiableCredential","id":"data:application/vc+jwt,` + token + `"}`
	old := func(claims, all string) string {
		return `{"iss":"` + holder.did + `"` + claims + `,"vp":{"@context":["https://www.w3.org/2018/credentials/v1"],"type":["VerifiablePresentation"],"verifiableCredential":[` + all + `]}}`
	}
	for _, c := range []struct {
		what   string
		in     []byte
		checks map[string]Outcome
	}{
		{"vp+jwt", holder.token(t, head("vp+jwt"), vp(good+","+enveloped, "")), map[string]Outcome{"": Passed, "proof": Passed, "embedded": Passed}},
		{"vp+jwt made for somebody", holder.token(t, head("vp+jwt"), vp(good, `,"aud":"https://hr.example","nonce":"n"`)), map[string]Outcome{"": NotChecked, "proof": Passed, "audience": NotChecked}},
		{"the old form", holder.token(t, head("JWT"), old(`,"nonce":"n"`, quoted)), map[string]Outcome{"": NotChecked, "proof": Passed, "embedded": Passed, "audience": NotChecked}},
		{"the old form for anybody", holder.token(t, head("JWT"), old("", quoted+","+good)), map[string]Outcome{"": Passed, "embedded": Passed}},
		{"a forged credential in it", holder.token(t, head("vp+jwt"), vp(bad, "")), map[string]Outcome{"": Failed, "proof": Passed, "embedded": Failed}},
		{"presented by another", i.token(t, `{"alg":"EdDSA","typ":"vp+jwt","kid":"`+i.method+`"}`, vp(good, "")), map[string]Outcome{"": Failed, "issuer": Failed}},
		{"signed by another", i.token(t, head("vp+jwt"), vp(good, "")), map[string]Outcome{"": Failed, "proof": Failed}},
		{"expired", holder.token(t, head("JWT"), old(`,"exp":1700000000`, quoted)), map[string]Outcome{"": Failed, "proof": Failed}},
		{"a claim vp in vp+jwt", holder.token(t, head("vp+jwt"), old("", quoted)), map[string]Outcome{"": Failed, "shape": Failed}},
		{"iss of another", holder.token(t, head("vp+jwt"), vp(good, `,"iss":"did:example:eve"`)), map[string]Outcome{"": Failed, "binding": Failed}},
		{"empty", holder.token(t, head("vp+jwt"), vp("", "")), map[string]Outcome{"": Failed, "shape": Failed}},
		{"signed by nobody", []byte(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"vp+jwt"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(vp(good, ""))) + "."), map[string]Outcome{"": Failed}},
		{"in an envelope", vc.Envelope(vc.MediaVPJWT, string(holder.token(t, head("vp+jwt"), vp(good, "")))), map[string]Outcome{"": Passed, "proof": Passed}},
	} {
		r := examiner(nil).Examine(c.in)
		want(t, c.what, r, c.checks)
		if len(r.Embedded) > 0 && r.Kind != "VerifiablePresentation" {
			t.Errorf("%s: it is told to be a %s", c.what, r.Kind)
		}
	}
}
