package openbadges2

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/openbadges"
	"github.com/testamur/testamur/internal/spec/shape"
	"github.com/testamur/testamur/internal/standards"
)

var now = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)

// web is a small World Wide Web.
type site map[string]string

func (s site) fetch(address string) (Answer, error) {
	switch body, ok := s[address]; {
	case !ok:
		return Answer{}, errors.New("there is no such host")
	case strings.HasPrefix(body, "410 "):
		return Answer{410, []byte(body[4:])}, nil
	case strings.HasPrefix(body, "404"):
		return Answer{404, nil}, nil
	default:
		return Answer{200, []byte(body)}, nil
	}
}

// official serves the documents that 1EdTech's validator is tested with. It
// serves them under addresses that are not always their ids, which the standard
// forbids: here each has the address it is asked at as its id.
func official(t testing.TB) site {
	s := site{}
	for _, f := range standards.Glob(t, "examples/ob2/validator/assets/*.json") {
		var doc map[string]any
		if err := json.Unmarshal(standards.Read(t, "examples/ob2/validator/assets/"+filepath.Base(f)), &doc); err != nil {
			t.Fatal(err)
		}
		for _, scheme := range []string{"http", "https"} {
			address := scheme + "://example.org/" + filepath.Base(f)
			if id, ok := doc["id"].(string); ok && !strings.HasPrefix(id, "urn:") {
				doc["id"] = address
			}
			raw, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			s[address] = string(raw)
		}
	}
	return s
}

// steps are the findings by name; the worst of a name counts.
func steps(r Result) map[string]Found {
	out := map[string]Found{}
	for _, s := range r.Steps {
		if old, ok := out[s.Name]; !ok || s.Found == Broken || old == Held {
			out[s.Name] = s.Found
		}
	}
	return out
}

func TestOfficialHostedBadges(t *testing.T) {
	for name, broken := range map[string]string{
		"basic-assertion.json":                                                   "",
		"assertion-with-data-image.json":                                         "",
		"assertion-with-extension-node-basic.json":                               "",
		"assertion-with-multiple-extensions.json":                                "",
		"basic-assertion-with-allowed-origins.json":                              "",
		"basic-assertion-with-allowed-origins-valid-multiple-starts-with.json":   "",
		"basic-assertion-with-allowed-origins-invalid-multiple-starts-with.json": "issuer",
		"basic-assertion-in-future.json":                                         "period",
		"basic-assertion-expired-before-issued.json":                             "shape",
		"basic-assertion-invalid-type.json":                                      "shape",
		"warning-issuer-non-http.json":                                           "issuer", // a name that is no address can host nothing
	} {
		raw := standards.Read(t, "examples/ob2/validator/"+name)
		s := official(t)
		v, err := jsonld.Read(raw)
		if err != nil {
			t.Fatal(err)
		}
		s[text(v, "id")] = string(raw)
		for form, input := range map[string][]byte{"copy": raw, "address": []byte(text(v, "id"))} {
			if broken == "shape" && form == "copy" && Kind(v) == "" {
				if got := steps(Verify(input, s.fetch, now)); got["shape"] != Broken {
					t.Errorf("%s: %v", name, got)
				}
				continue
			}
			r := Verify(input, s.fetch, now)
			for step, found := range steps(r) {
				if found != Held && step != broken {
					t.Errorf("%s as %s: %+v", name, form, r.Steps)
				}
			}
			if broken != "" && steps(r)[broken] != Broken {
				t.Errorf("%s as %s: %+v, want %s broken", name, form, r.Steps, broken)
			}
		}
	}
}

func TestOfficialSignedBadges(t *testing.T) {
	for name, broken := range map[string]string{"simple.jwt.json": "", "simple-not-revoked.jwt.json": ""} {
		var w struct {
			CompactJws string `json:"compactJws"`
		}
		if err := json.Unmarshal(standards.Read(t, "examples/ob2/validator/"+name), &w); err != nil {
			t.Fatal(err)
		}
		s := official(t)
		r := Verify([]byte(w.CompactJws), s.fetch, now)
		for step, found := range steps(r) {
			if found != Held && step != broken {
				t.Errorf("%s: %+v", name, r.Steps)
			}
		}
		if !r.Signed || steps(r)["proof"] != Held || steps(r)["issuer"] != Held {
			t.Errorf("%s: %+v", name, r.Steps)
		}
		at := len(w.CompactJws) - 20
		other := byte('A')
		if w.CompactJws[at] == 'A' {
			other = 'B'
		}
		tampered := w.CompactJws[:at] + string(other) + w.CompactJws[at+1:]
		if got := steps(Verify([]byte(tampered), s.fetch, now)); got["proof"] != Broken {
			t.Errorf("%s holds after a change: %v", name, got)
		}
	}
}

// signer is a key of an issuer.
type signer struct{ key *rsa.PrivateKey }

var oneKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func newSigner(t testing.TB) signer {
	t.Helper()
	k, err := oneKey()
	if err != nil {
		t.Fatal(err)
	}
	return signer{k}
}

func (s signer) pem(t testing.TB) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&s.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func (s signer) sign(t testing.TB, header, payload string) string {
	t.Helper()
	enc := base64.RawURLEncoding.EncodeToString
	text := enc([]byte(header)) + "." + enc([]byte(payload))
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + enc(sig)
}

// signedSite is an issuer with a signed badge.
func signedSite(t testing.TB) (site, signer, string) {
	k := newSigner(t)
	s := site{
		"https://i.example/key": `{"@context":"https://w3id.org/openbadges/v2","type":"CryptographicKey","id":"https://i.example/key","owner":"https://i.example/","publicKeyPem":` + k.pem(t) + `}`,
		"https://i.example/": `{"@context":"https://w3id.org/openbadges/v2","type":"Issuer","id":"https://i.example/","name":"I","url":"https://i.example/","email":"i@i.example",
			"publicKey":["https://i.example/other","https://i.example/key"],"revocationList":"https://i.example/revoked"}`,
		"https://i.example/revoked": `{"type":"RevocationList","id":"https://i.example/revoked","revokedAssertions":["urn:uuid:2",{"id":"urn:uuid:3","revocationReason":"Mistake."}]}`,
		"https://i.example/b":       `{"@context":"https://w3id.org/openbadges/v2","type":"BadgeClass","id":"https://i.example/b","name":"B","description":"B.","image":"https://i.example/b.png","criteria":{"narrative":"n"},"issuer":"https://i.example/"}`,
	}
	payload := `{"@context":"https://w3id.org/openbadges/v2","type":"Assertion","id":"urn:uuid:1","recipient":{"type":"email","hashed":false,"identity":"ada@x.example"},
		"badge":"https://i.example/b","issuedOn":"2020-01-01T00:00Z","verification":{"type":"signed","creator":"https://i.example/key"}}`
	return s, k, payload
}

const rs256 = `{"alg":"RS256"}`

func TestSignedBadges(t *testing.T) {
	good, k, payload := signedSite(t)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	swap := func(of, old, new string) func(site) {
		return func(s site) {
			changed := strings.Replace(s[of], old, new, 1)
			if changed == s[of] {
				panic(old)
			}
			s[of] = changed
		}
	}
	enc := base64.RawURLEncoding.EncodeToString
	for _, c := range []struct {
		name   string
		change func(site)
		token  string
		step   string
		found  Found
	}{
		{"good", nil, k.sign(t, rs256, payload), "proof", Held},
		{"not revoked", nil, k.sign(t, rs256, payload), "status", Held},
		{"another key signed it", nil, signer{other}.sign(t, rs256, payload), "proof", Broken},
		{"alg none", nil, enc([]byte(`{"alg":"none"}`)) + "." + enc([]byte(payload)) + "." + enc([]byte("x")), "proof", Broken},
		{"HMAC with the public key", nil, enc([]byte(`{"alg":"HS256"}`)) + "." + enc([]byte(payload)) + "." + enc(make([]byte, 32)), "proof", Broken},
		{"weak key", swap("https://i.example/key", k.pem(t), signer{weak}.pem(t)), signer{weak}.sign(t, rs256, payload), "proof", Unknown},
		{"key of another", swap("https://i.example/key", `"owner":"https://i.example/"`, `"owner":"https://e.example/"`), k.sign(t, rs256, payload), "issuer", Broken},
		{"key that is not listed", swap("https://i.example/", `,"https://i.example/key"`, ``), k.sign(t, rs256, payload), "issuer", Broken},
		{"key that cannot be had", func(s site) { delete(s, "https://i.example/key") }, k.sign(t, rs256, payload), "proof", Unknown},
		{"profile that cannot be had", func(s site) { s["https://i.example/"] = "404" }, k.sign(t, rs256, payload), "proof", Unknown},
		{"profile of another", swap("https://i.example/", `"id":"https://i.example/"`, `"id":"https://e.example/"`), k.sign(t, rs256, payload), "issuer", Broken},
		{"revoked", nil, k.sign(t, rs256, strings.Replace(payload, "urn:uuid:1", "urn:uuid:2", 1)), "status", Broken},
		{"revoked for a reason", nil, k.sign(t, rs256, strings.Replace(payload, "urn:uuid:1", "urn:uuid:3", 1)), "status", Broken},
		{"list that cannot be had", func(s site) { delete(s, "https://i.example/revoked") }, k.sign(t, rs256, payload), "status", Unknown},
		{"list that is none", func(s site) { s["https://i.example/revoked"] = "{}" }, k.sign(t, rs256, payload), "status", Unknown},
		{"expired", nil, k.sign(t, rs256, strings.Replace(payload, `"issuedOn"`, `"expires":"2021-01-01T00:00:00Z","issuedOn"`, 1)), "period", Broken},
		{"hosted as a token", nil, k.sign(t, rs256, strings.Replace(payload, `"signed"`, `"hosted"`, 1)), "proof", Broken},
		{"no creator", nil, k.sign(t, rs256, strings.Replace(payload, `"creator"`, `"x"`, 1)), "shape", Broken},
		{"the payload alone", nil, payload, "proof", Broken},
		// The profile inside the badge is the attacker's own word.
		{"profile within", nil, k.sign(t, rs256, strings.Replace(payload, `"badge":"https://i.example/b"`,
			`"badge":{"type":"BadgeClass","id":"https://i.example/b","name":"B","description":"B.","criteria":"https://i.example/c","issuer":{"type":"Issuer","id":"https://mit.example/","name":"M","url":"https://m.example/","email":"e","publicKey":"https://i.example/key"}}`, 1)), "proof", Unknown},
	} {
		s := maps.Clone(good)
		if c.change != nil {
			c.change(s)
		}
		r := Verify([]byte(c.token), s.fetch, now)
		if got, ok := steps(r)[c.step]; !ok || got != c.found {
			t.Errorf("%s: %+v", c.name, r.Steps)
		}
	}
}

// TestKeysWithinTheProfile finds a key that the profile holds itself.
func TestKeysWithinTheProfile(t *testing.T) {
	s, k, payload := signedSite(t)
	s["https://i.example/"] = strings.Replace(s["https://i.example/"], `"https://i.example/key"]`,
		`{"type":"CryptographicKey","id":"https://i.example/#k","owner":"https://i.example/","publicKeyPem":`+k.pem(t)+`}]`, 1)
	token := k.sign(t, rs256, strings.Replace(payload, `"https://i.example/key"`, `"https://i.example/#k"`, 1))
	if got := steps(Verify([]byte(token), s.fetch, now)); got["proof"] != Held || got["issuer"] != Held {
		t.Errorf("%v", got)
	}
}

func hostedSite() site {
	return site{
		"https://i.example/a": `{"@context":"https://w3id.org/openbadges/v2","type":"Assertion","id":"https://i.example/a","recipient":{"type":"email","hashed":false,"identity":"ada@x.example"},
			"badge":"https://i.example/b","issuedOn":"2020-01-01T00:00:00Z","verify":{"type":"hosted"}}`,
		"https://i.example/b": `{"type":"BadgeClass","id":"https://i.example/b","name":"B","description":"B.","criteria":"https://i.example/c","issuer":"https://i.example/","tags":["t"],
			"alignment":{"targetName":"T","targetUrl":"https://t.example/"},"endorsement":["https://e.example/1","https://e.example/2"]}`,
		"https://i.example/":  `{"type":"Issuer","id":"https://i.example/","name":"I","url":"https://i.example/","email":"i@i.example"}`,
		"https://e.example/":  `{"type":"Issuer","id":"https://e.example/","name":"E","url":"https://e.example/","email":"e@e.example"}`,
		"https://e.example/1": `{"type":"Endorsement","id":"https://e.example/1","claim":{"id":"https://i.example/b","endorsementComment":"Good"},"issuer":"https://e.example/","issuedOn":"2020-01-01T00:00:00Z","verification":{"type":"hosted"}}`,
		"https://e.example/2": `{"type":"Endorsement","id":"https://e.example/2","claim":{"id":"https://i.example/other"},"issuer":"https://e.example/","issuedOn":"2020-01-01T00:00:00Z","verification":{"type":"hosted"}}`,
	}
}

func TestHostedBadges(t *testing.T) {
	set := func(at, old, new string) func(site) {
		return func(s site) { s[at] = strings.ReplaceAll(s[at], old, new) }
	}
	for _, c := range []struct {
		name   string
		change func(site)
		step   string
		found  Found
	}{
		{"good", nil, "proof", Held},
		{"its own origin", nil, "issuer", Held},
		{"gone", func(s site) {
			s["https://i.example/a"] = `410 {"id":"https://i.example/a","revoked":true,"revocationReason":"Cheated."}`
		}, "status", Broken},
		{"gone without a word", func(s site) { s["https://i.example/a"] = `410 ` }, "status", Broken},
		{"revoked", func(s site) {
			s["https://i.example/a"] = `{"id":"https://i.example/a","type":"Assertion","revoked":true}`
		}, "status", Broken},
		{"not there", func(s site) { s["https://i.example/a"] = `404` }, "proof", Unknown},
		{"another lies there", set("https://i.example/a", `"id":"https://i.example/a"`, `"id":"https://i.example/z"`), "proof", Broken},
		{"a hosted issuer elsewhere", func(s site) {
			s["https://i.example/b"] = strings.Replace(s["https://i.example/b"], `"issuer":"https://i.example/"`, `"issuer":"https://e.example/"`, 1)
		}, "issuer", Broken},
		{"badge class not there", func(s site) { delete(s, "https://i.example/b") }, "badge", Unknown},
		{"badge class is none", set("https://i.example/b", `"BadgeClass"`, `"Badge"`), "badge", Broken},
		{"issuer without an address for mail", set("https://i.example/", `"email"`, `"mail"`), "issuer", Broken},
		{"origins that are allowed", set("https://i.example/", `"name"`, `"verification":{"allowedOrigins":["i.example","x.example"]},"name"`), "issuer", Held},
		{"origins that are not", set("https://i.example/", `"name"`, `"verification":{"allowedOrigins":"x.example"},"name"`), "issuer", Broken},
		{"prefix that fits", set("https://i.example/", `"name"`, `"verification":{"startsWith":["https://i.example/a"]},"name"`), "issuer", Held},
		{"prefix that does not", set("https://i.example/", `"name"`, `"verification":{"startsWith":["https://i.example/badges/"]},"name"`), "issuer", Broken},
		{"prefix of another host", set("https://i.example/", `"name"`, `"verification":{"startsWith":["https://i.exam"]},"name"`), "issuer", Broken},
	} {
		s := hostedSite()
		if c.change != nil {
			c.change(s)
		}
		r := Verify([]byte("https://i.example/a"), s.fetch, now)
		if got, ok := steps(r)[c.step]; !ok || got != c.found {
			t.Errorf("%s: %+v", c.name, r.Steps)
		}
	}
}

// TestThePresentedCopyIsNotBelieved shows what the issuer serves.
func TestThePresentedCopyIsNotBelieved(t *testing.T) {
	s := hostedSite()
	forged := strings.Replace(s["https://i.example/a"], "ada@x.example", "eve@x.example", 1)
	r := Verify([]byte(forged), s.fetch, now)
	if Identity(r.Document).IdentityHash != "ada@x.example" {
		t.Errorf("%s", r.Document.Raw())
	}
	r = Verify([]byte(forged), nil, now)
	if got := steps(r); got["proof"] != Unknown {
		t.Errorf("%v", got)
	}
}

func TestEndorsementsStandOnTheirOwn(t *testing.T) {
	r := Verify([]byte("https://i.example/a"), hostedSite().fetch, now)
	if len(r.Endorsement) != 2 || steps(r.Endorsement[0])["proof"] != Held || steps(r.Endorsement[0])["issuer"] != Held {
		t.Fatalf("%+v", r.Endorsement)
	}
	if steps(r.Endorsement[1])["subject"] != Broken {
		t.Errorf("an endorsement of another badge: %+v", r.Endorsement[1].Steps)
	}
}

// TestFetchesAreBounded follows a badge that is made of endless endorsements.
func TestFetchesAreBounded(t *testing.T) {
	s, n := hostedSite(), 0
	var all []string
	for i := range 500 {
		all = append(all, fmt.Sprintf(`"https://e%d.example/"`, i))
	}
	s["https://i.example/b"] = strings.Replace(s["https://i.example/b"], `["https://e.example/1","https://e.example/2"]`, "["+strings.Join(all, ",")+"]", 1)
	Verify([]byte("https://i.example/a"), func(a string) (Answer, error) { n++; return s.fetch(a) }, now)
	if n > maxFetches || n < 3 {
		t.Errorf("%d fetches", n)
	}
}

func TestUpgradeCanBeIssued(t *testing.T) {
	r := Verify([]byte("https://i.example/a"), hostedSite().fetch, now)
	c := Upgrade(r.Document, r.Badge, r.Issuer)
	raw, err := openbadges.Compose(c)
	if err != nil {
		t.Fatal(err)
	}
	if p := openbadges.CheckDocument(raw, shape.Canonical); len(p) > 0 {
		t.Errorf("%v\n%s", p, raw)
	}
	if a := c.CredentialSubject.Achievement; a.Tag[0] != "t" || a.Alignment[0].TargetName != "T" || c.CredentialSubject.Identifier[0].IdentityType != "emailAddress" {
		t.Errorf("%s", raw)
	}
	if is, ok := Identity(r.Document).Is("emailAddress", "ada@x.example"); !is || !ok {
		t.Error("the recipient is not known again")
	}
}

// TestOfficialDocuments holds what is said of the documents of the standard.
func TestOfficialDocuments(t *testing.T) {
	for name, wants := range map[string]bool{
		"spec-00-Assertion.json": true, "spec-01-BadgeClass.json": true, "spec-05-RevocationList.json": true, "spec-17-Endorsement.json": true,
		"spec-19-Endorsement.json": true, "spec-index-00.json": true, "validator/assets/key1.json": true, "validator/assets/organization.json": true,
		"validator/rdf-validation/valid-badge-class.json": true, "validator/rdf-validation/valid-issuer-extension.json": true,
		"validator/rdf-validation/invalid-empty-type.json": false, "validator/basic-assertion-invalid-type.json": false,
		"validator/basic-assertion-expired-before-issued.json": false,
	} {
		v, err := jsonld.Read(standards.Read(t, "examples/ob2/"+name))
		if err != nil {
			t.Fatal(err)
		}
		kind := Kind(v)
		if kind == "" {
			kind = "Assertion"
		}
		if p := Check(kind, v); (len(p) == 0) != wants {
			t.Errorf("%s: %v", name, p)
		}
	}
}

func FuzzVerify(f *testing.F) {
	s, k, payload := signedSite(f)
	f.Add([]byte(k.sign(f, rs256, payload)))
	f.Add([]byte(hostedSite()["https://i.example/a"]))
	f.Add([]byte("https://i.example/a"))
	f.Fuzz(func(t *testing.T, input []byte) {
		before := bytes.Clone(input)
		r := Verify(input, s.fetch, now)
		if len(r.Steps) == 0 {
			t.Error("nothing was said")
		}
		if !bytes.Equal(before, input) {
			t.Error("the input was changed")
		}
		Upgrade(r.Document, r.Badge, r.Issuer)
	})
}
