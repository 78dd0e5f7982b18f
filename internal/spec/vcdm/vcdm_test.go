package vcdm

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mr-tron/base58"

	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/shape"
	"github.com/testamur/testamur/internal/standards"
)

const good = `{"@context":["https://www.w3.org/ns/credentials/v2"],"id":"urn:uuid:1","type":["VerifiableCredential"],"issuer":"did:example:1","validFrom":"2026-01-01T00:00:00Z","credentialSubject":{"id":"did:example:2"}}`

const good11 = `{"@context":["https://www.w3.org/2018/credentials/v1"],"id":"urn:uuid:1","type":["VerifiableCredential"],"issuer":"did:example:1","issuanceDate":"2026-01-01T00:00:00Z","credentialSubject":{"id":"did:example:2"}}`

func read(t testing.TB, doc string) jsonld.Value {
	t.Helper()
	v, err := jsonld.Read([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func rules(all []shape.Problem) (out []string) {
	for _, p := range all {
		out = append(out, p.Field+" "+p.Rule)
	}
	return out
}

// with puts a member into a document, or takes it out for "".
func with(t testing.TB, doc, name, value string) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(doc), &members); err != nil {
		t.Fatal(err)
	}
	if members[name] = json.RawMessage(value); value == "" {
		delete(members, name)
	}
	raw, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestCredentials(t *testing.T) {
	for _, c := range []struct{ doc, name, value, want string }{
		{good, "id", `"urn:uuid:2"`, ""},
		{good11, "id", ``, ""},
		{good, "validFrom", ``, ""},
		{good, "@context", `"https://www.w3.org/ns/credentials/v2"`, ""},
		{good, "@context", `[]`, "@context context"},
		{good, "@context", ``, "@context context"},
		{good, "@context", `["https://www.w3.org/ns/credentials/examples/v2","https://www.w3.org/ns/credentials/v2"]`, "@context context"},
		{good, "@context", `["https://www.w3.org/ns/credentials/v2",7]`, "@context.1 context"},
		{good, "@context", `["https://www.w3.org/ns/credentials/v2","not an address"]`, "@context.1 context"},
		{good, "@context", `["https://www.w3.org/ns/credentials/v2","https://www.w3.org/ns/credentials/v2"]`, "@context.1 context-once"},
		{good, "@context", `["https://www.w3.org/ns/credentials/v2",{"x":"https://x.example/x"}]`, ""},
		{good, "type", ``, "type type"},
		{good, "type", `["Other"]`, "type type"},
		{good, "type", `["VerifiableCredential",7]`, "type.1 text"},
		{good, "type", `"VerifiableCredential"`, ""},
		{good, "id", `"not a url"`, "id uri"},
		{good, "id", `["urn:uuid:1","urn:uuid:2"]`, "id uri"},
		{good, "id", `null`, "id uri"},
		{good, "issuer", ``, "issuer required"},
		{good, "issuer", `"nobody"`, "issuer uri"},
		{good, "issuer", `["did:example:1"]`, "issuer uri"},
		{good, "issuer", `{"name":"X"}`, "issuer.id required"},
		{good, "issuer", `{"id":"x y"}`, "issuer.id uri"},
		{good, "issuer", `{"id":"did:example:1","name":{"@value":"X","@language":"en","@direction":"ltr"}}`, ""},
		{good, "issuer", `{"id":"did:example:1","name":{"@value":"X","url":"did:example:1"}}`, "issuer.name.url language-value"},
		{good, "name", `[{"@value":"X","@language":"en"},{"@value":"Y","@language":"es-MX","@direction":"ltr"}]`, ""},
		{good, "name", `{"@value":"X","@language":"not a language"}`, "name.@language language"},
		{good, "name", `{"@value":"X","@direction":"up"}`, "name.@direction direction"},
		{good, "name", `{"@language":"en"}`, "name.@value language-value"},
		{good, "name", `7`, "name language-value"},
		{good, "description", `[{"@value":7}]`, "description.0.@value language-value"},
		{good, "credentialSubject", ``, "credentialSubject required"},
		{good, "credentialSubject", `[]`, "credentialSubject required"},
		{good, "credentialSubject", `{}`, "credentialSubject subject"},
		{good, "credentialSubject", `"did:example:2"`, "credentialSubject subject"},
		{good, "credentialSubject", `[{"id":"did:example:2"},{}]`, "credentialSubject.1 subject"},
		{good, "credentialSubject", `{"id":"x"}`, "credentialSubject.id uri"},
		{good, "validFrom", `"2026-01-01"`, "validFrom instant"},
		{good, "validFrom", `"2026-01-01T00:00:00"`, "validFrom instant"},
		{good, "validFrom", `"2026-02-30T00:00:00Z"`, "validFrom instant"},
		{good, "validFrom", `7`, "validFrom instant"},
		{good, "validUntil", `"2025-01-01T00:00:00Z"`, "validUntil date-order"},
		{good, "validUntil", `"2026-01-01T00:00:00.000Z"`, ""},
		{good, "validUntil", `"2026-01-01T00:00:00+01:00"`, "validUntil date-order"},
		{good, "credentialStatus", `{"type":"X"}`, ""},
		{good, "credentialStatus", `{"id":"urn:x:1"}`, "credentialStatus.type required"},
		{good, "credentialStatus", `[{"type":"X"},{"type":"Y","id":"x"}]`, "credentialStatus.1.id uri"},
		{good, "credentialStatus", `{"type":"BitstringStatusListEntry","statusPurpose":"revocation","statusListIndex":"7","statusListCredential":"https://x.example/1"}`, ""},
		{good, "credentialStatus", `{"type":"BitstringStatusListEntry","statusPurpose":"revocation","statusListIndex":"-7","statusListCredential":"https://x.example/1"}`, "credentialStatus.0 status-entry"},
		{good, "credentialSchema", `{"id":"https://x.example/s","type":"JsonSchema"}`, ""},
		{good, "credentialSchema", `{"type":"JsonSchema"}`, "credentialSchema.id required"},
		{good, "credentialSchema", `{"id":"https://x.example/s"}`, "credentialSchema.type required"},
		{good, "credentialSchema", `"https://x.example/s"`, "credentialSchema object"},
		{good, "credentialSchema", `{"id":"x y","type":"JsonSchema"}`, "credentialSchema.id uri"},
		{good, "refreshService", `{"id":"https://x.example/r"}`, "refreshService.type required"},
		{good, "refreshService", `{"type":"X"}`, ""},
		{good11, "refreshService", `{"type":"X"}`, "refreshService.id required"},
		{good, "termsOfUse", `[{"id":"urn:x:1"}]`, "termsOfUse.0.type required"},
		{good, "evidence", `{"id":"urn:x:1"}`, "evidence.type required"},
		{good, "evidence", `[{"type":["Evidence"]},{"type":["Evidence"],"id":"here"}]`, "evidence.1.id uri"},
		{good, "proof", `{"cryptosuite":"x"}`, "proof.type required"},
		{good, "relatedResource", `[{"id":"https://x.example/a","digestSRI":"sha384-S57yQDg1MTzF56Oi9DbSQ14u7jBy0RDdx0YbeV7shwhCS88G8SCXeFq82PafhCrW"},{"id":"https://x.example/b","digestMultibase":"uEiBZlVztZpfWHgPyslv-VWHjCBq29l8-rk7pdc5gIUBSsg","mediaType":"image/png"}]`, ""},
		{good, "relatedResource", `[{"id":"https://x.example/a"}]`, "relatedResource.0 digest"},
		{good, "relatedResource", `[{"digestMultibase":"uAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}]`, "relatedResource.0.id uri"},
		{good, "relatedResource", `["https://x.example/a"]`, "relatedResource.0 object"},
		{good, "relatedResource", `[{"id":"https://x.example/a","digestMultibase":"uAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"},{"id":"https://x.example/a","digestMultibase":"uAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}]`, "relatedResource.1.id resource-once"},
		{good, "relatedResource", `[{"id":"https://x.example/a","digestSRI":"sha384-AAAA"}]`, "relatedResource.0.digestSRI digest"},
		{good, "relatedResource", `[{"id":"https://x.example/a","digestSRI":"md5-AAAA"}]`, "relatedResource.0.digestSRI digest"},
		{good, "relatedResource", `[{"id":"https://x.example/a","digestMultibase":"zl0"}]`, "relatedResource.0.digestMultibase digest"},
		{good11, "issuanceDate", ``, "issuanceDate required"},
		{good11, "expirationDate", `"2025-01-01T00:00:00Z"`, "expirationDate date-order"},
		{good11, "credentialStatus", `{"type":"X"}`, "credentialStatus.id required"},
	} {
		got := strings.Join(rules(Credential(read(t, with(t, c.doc, c.name, c.value)))), ", ")
		if got != c.want {
			t.Errorf("%s %s: %q, want %q", c.name, c.value, got, c.want)
		}
	}
	if got := rules(Credential(read(t, `[]`))); !slices.Equal(got, []string{" object"}) {
		t.Error(got)
	}
}

func TestPresentations(t *testing.T) {
	const vp = `{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiablePresentation"],"verifiableCredential":[` + good + `]}`
	for _, c := range []struct{ name, value, want string }{
		{"id", `"urn:uuid:1"`, ""},
		{"id", `"x"`, "id uri"},
		{"type", `["VerifiableCredential"]`, "type type"},
		{"holder", `"did:example:1"`, ""},
		{"holder", `{"id":"did:example:1"}`, ""},
		{"holder", `{}`, "holder.id required"},
		{"verifiableCredential", ``, ""},
		{"verifiableCredential", `["eyJ.eyJ.x"]`, "verifiableCredential.0 object"},
		{"verifiableCredential", `[null]`, "verifiableCredential.0 object"},
	} {
		got := strings.Join(rules(Presentation(read(t, with(t, vp, c.name, c.value)))), ", ")
		if got != c.want {
			t.Errorf("%s %s: %q, want %q", c.name, c.value, got, c.want)
		}
	}
	old := with(t, with(t, vp, "@context", `["https://www.w3.org/2018/credentials/v1"]`), "verifiableCredential", `["eyJ.eyJ.x"]`)
	if got := rules(Presentation(read(t, old))); got != nil {
		t.Errorf("a JWT in a presentation of 1.1: %v", got)
	}
}

// TestOfficialCredentialsAreSound: what others publish as right has the form.
func TestOfficialCredentialsAreSound(t *testing.T) {
	n := 0
	for _, pattern := range []string{"examples/ob3/spec-*.json", "examples/ob3/validator-simple*.json", "examples/clr2/validator-simple*.json", "examples/w3c/*.json"} {
		for _, file := range standards.Glob(t, pattern) {
			doc := standards.Read(t, "examples/"+strings.SplitN(strings.ReplaceAll(file, "\\", "/"), "/examples/", 2)[1])
			v, err := jsonld.Read(doc)
			if err != nil || !slices.Contains(v.Member("type").Texts(), "VerifiableCredential") || Generation(v) == "" {
				continue
			}
			n++
			for _, p := range Credential(v) {
				t.Errorf("%s: %v", file, p)
			}
		}
	}
	if n < 8 {
		t.Errorf("only %d credentials", n)
	}
}

func FuzzCredential(f *testing.F) {
	f.Add(good)
	f.Add(good11)
	f.Fuzz(func(t *testing.T, doc string) {
		v, err := jsonld.Read([]byte(doc))
		if err != nil {
			return
		}
		for _, p := range append(Credential(v), Presentation(v)...) {
			if p.Rule == "" || p.Clause == "" || p.Message == "" {
				t.Errorf("%q: %+v", doc, fmt.Sprint(p))
			}
		}
	})
}

// TestDigestsOfPublishedResources: the hash of a resource that never changes is
// known here, by any of its algorithms and in any form.
func TestDigestsOfPublishedResources(t *testing.T) {
	files := map[string]string{"https://www.w3.org/ns/credentials/v2": "w3c-credentials-v2.jsonld", "https://w3id.org/security/data-integrity/v2": "w3c-data-integrity-v2.jsonld",
		"https://w3id.org/security/multikey/v1": "w3c-multikey-v1.jsonld"}
	if len(files) != len(published) {
		t.Errorf("%d resources are held against their files, %d are known", len(files), len(published))
	}
	for url, file := range files {
		raw := standards.Read(t, "contexts/"+file)
		a, b, c := sha256.Sum256(raw), sha512.Sum384(raw), sha512.Sum512(raw)
		wrong := sha256.Sum256(raw[1:])
		for _, x := range []struct{ member, value, want string }{
			{"digestSRI", "sha256-" + base64.StdEncoding.EncodeToString(a[:]), ""},
			{"digestSRI", "sha384-" + base64.StdEncoding.EncodeToString(b[:]), ""},
			{"digestSRI", "sha512-" + base64.URLEncoding.EncodeToString(c[:]), ""},
			{"digestSRI", "sha256-" + base64.StdEncoding.EncodeToString(a[:]) + " sha384-" + base64.StdEncoding.EncodeToString(b[:]), ""},
			{"digestMultibase", "u" + base64.RawURLEncoding.EncodeToString(a[:]), ""},
			{"digestMultibase", "z" + base58.Encode(append([]byte{0x12, 0x20}, a[:]...)), ""},
			{"digestMultibase", "u" + base64.RawURLEncoding.EncodeToString(append([]byte{0x20, 0x30}, b[:]...)), ""},
			{"digestSRI", "sha256-" + base64.StdEncoding.EncodeToString(wrong[:]), "digest-match"},
			{"digestSRI", "sha384-" + base64.StdEncoding.EncodeToString(a[:]), "digest"},
			{"digestSRI", "sha256-" + hex.EncodeToString(a[:]), "digest"},
			{"digestSRI", " ", "digest"},
			{"digestSRI", "md5-aaaa", "digest"},
			{"digestMultibase", "u" + base64.RawURLEncoding.EncodeToString(wrong[:]), "digest-match"},
			{"digestMultibase", "z" + base58.Encode(append([]byte{0x12, 0x20}, wrong[:]...)), "digest-match"},
			{"digestMultibase", "u" + base64.RawURLEncoding.EncodeToString(raw[:36]), "digest"},
			{"digestMultibase", "f00", "digest"},
		} {
			doc := with(t, good, "relatedResource", fmt.Sprintf(`[{"id":%q,%q:%q}]`, url, x.member, x.value))
			want := []string{}
			if x.want != "" {
				want = append(want, "relatedResource.0."+x.member+" "+x.want)
			}
			if got := rules(Credential(read(t, doc))); !slices.Equal(got, want) {
				t.Errorf("%s %s %s: %v", url, x.member, x.value, got)
			}
		}
	}
}
