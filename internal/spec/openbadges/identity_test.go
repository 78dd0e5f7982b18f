package openbadges

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/testamur/testamur/internal/spec/jsonld"
	"github.com/testamur/testamur/internal/spec/shape"
	"github.com/testamur/testamur/internal/standards"
)

func TestIdentities(t *testing.T) {
	for _, c := range []struct {
		o         IdentityObject
		kind, who string
		is, ok    bool
	}{
		{NewIdentity("emailAddress", "ada@x.example", "s"), "emailAddress", "ada@x.example", true, true},
		{NewIdentity("emailAddress", "ada@x.example", "s"), "emailAddress", "Ada@X.example", true, true},
		{NewIdentity("emailAddress", "Ada@X.example", "s"), "emailAddress", "Ada@X.example", true, true},
		{NewIdentity("emailAddress", "ada@x.example", "s"), "emailAddress", "eve@x.example", false, true},
		{NewIdentity("emailAddress", "ada@x.example", "s"), "sisSourcedId", "ada@x.example", false, false},
		{NewIdentity("sisSourcedId", "A1", ""), "sisSourcedId", "a1", false, true},
		{IdentityObject{IdentityType: "name", IdentityHash: "Ada"}, "name", "Ada", true, true},
		{IdentityObject{IdentityType: "name", IdentityHash: "Ada"}, "name", "ada", false, true},
		{IdentityObject{IdentityType: "emailAddress", IdentityHash: "Ada@x.example"}, "emailAddress", "ada@X.example", true, true},
		{IdentityObject{IdentityType: "emailAddress", Hashed: true, IdentityHash: "md5$0bc83cb571cd1c50ba6f3e8a78ef1346"}, "emailAddress", "MyEmailAddress@example.com", true, true},
		{IdentityObject{IdentityType: "emailAddress", Hashed: true, IdentityHash: "md5$0BC83CB571CD1C50BA6F3E8A78EF1346"}, "emailAddress", "myemailaddress@example.com", true, true},
		{IdentityObject{IdentityType: "emailAddress", Hashed: true, IdentityHash: "sha1$00"}, "emailAddress", "x", false, false},
		{IdentityObject{IdentityType: "emailAddress", Hashed: true, IdentityHash: "00"}, "emailAddress", "x", false, false},
		{IdentityObject{IdentityType: "emailAddress", Hashed: true, Salt: "deadsea", IdentityHash: "sha256$26315b40a238af34dff25751630796dcd27d9342cda6bb63b7af096f73df148d"}, "emailAddress", "mayze@example.com", true, true},
	} {
		if is, ok := c.o.Is(c.kind, c.who); is != c.is || ok != c.ok {
			t.Errorf("%+v of %s: %v %v", c.o, c.who, is, ok)
		}
	}
}

// TestEqualityExamples reads the two samples of the standard, which are the same
// credential, and one with escapes.
func TestEqualityExamples(t *testing.T) {
	key := func(name string) Key {
		v, err := jsonld.Read(standards.Read(t, "examples/ob3/"+name))
		if err != nil {
			t.Fatal(err)
		}
		k, from, ok := KeyOf(v)
		if !ok || from.IsZero() {
			t.Errorf("%s: %v %v", name, from, ok)
		}
		return k
	}
	if a, b := key("spec-equality-0.json"), key("spec-equality-2.json"); a != b {
		t.Errorf("%v and %v are not the same", a, b)
	}
	v, _ := jsonld.Read([]byte(`{"@context":"https://www.w3.org/2018/credentials/v1","issuer":{"id":" https://x.example/a%20b"},"id":"urn:a:%41","issuanceDate":"2026-01-01T00:00:00Z"}`))
	if k, _, ok := KeyOf(v); !ok || k != (Key{"https://x.example/a b", "urn:a:A"}) {
		t.Errorf("%v %v", k, ok)
	}
}

func TestComposedFitsItsOwnCheck(t *testing.T) {
	c := whole()
	c.CredentialStatus = json.RawMessage(`{"id":"https://x.example/r","type":"1EdTechRevocationList"}`)
	c.RefreshService = &Reference{"https://x.example/c/1", "1EdTechCredentialRefresh"}
	c.CredentialSchema = List[Reference]{{"https://purl.imsglobal.org/spec/ob/v3p0/schema/json/ob_v3p0_achievementcredential_schema.json", SchemaValidator}}
	c.Issuer.ParentOrg = &Profile{ID: "https://y.example", Type: List[string]{"Profile"}, GivenName: "Y", DateOfBirth: "1990-01-01"}
	c.Issuer.Address.Geo = &GeoCoordinates{"GeoCoordinates", 1.5, -2.25}
	e, err := ComposeEndorsement(Endorsement{ID: "urn:e:1", Name: "E", Issuer: Profile{ID: "https://e.example", Type: List[string]{"Profile"}}, ValidFrom: "2026-01-01T00:00:00Z",
		CredentialSubject: EndorsementSubject{ID: c.ID, EndorsementComment: "Good."}})
	if err != nil {
		t.Fatal(err)
	}
	c.Endorsement = List[json.RawMessage]{e}
	raw, err := Compose(c)
	if err != nil {
		t.Fatal(err)
	}
	for name, doc := range map[string][]byte{"credential": raw, "endorsement": e} {
		if p := CheckDocument(doc, shape.Canonical); len(p) > 0 {
			t.Errorf("%s: %v", name, p)
		}
		if _, err := jsonld.Canonize(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !bytes.Contains(raw, []byte(ContextExtensions)) || bytes.Contains(e, []byte(ContextExtensions)) {
		t.Error("the context of the extensions stands where its types stand, and only there")
	}
}

// TestWhatTheMembersSayOfOneAnother breaks each rule that is not of one value.
func TestWhatTheMembersSayOfOneAnother(t *testing.T) {
	raw, err := Compose(whole())
	if err != nil {
		t.Fatal(err)
	}
	if p := CheckDocument(raw, shape.Canonical); len(p) > 0 {
		t.Fatal(p)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"validFrom":"2026-05-22T00:00:00Z"`, `"validFrom":"2026-05-22T00:00:00Z","validUntil":"2026-05-21T00:00:00Z"`, "validUntil date-order"},
		{`"2026-05-22T00:00:00Z","credentialSubject"`, `"2026-05-22","credentialSubject"`, "awardedDate instant"},
		{`"validFrom":"2026-05-22T00:00:00Z"`, `"issuanceDate":"2026-05-22T00:00:00Z"`, "validFrom required"},
		{`https://www.w3.org/ns/credentials/v2`, `https://www.w3.org/2018/credentials/v1`, "issuanceDate required"},
		{`context-3.0.3.json`, `context-9.json`, "@context.1 context"},
		{`"achievedLevel":"https://x.example/a#l1"`, `"achievedLevel":"https://x.example/a#l2"`, "credentialSubject.result.0.achievedLevel level-known"},
		{`"resultDescription":"https://x.example/a#r"`, `"resultDescription":"https://x.example/a#q"`, "credentialSubject.result.0.resultDescription description-known"},
		{`"requiredLevel":"https://x.example/a#l1"`, `"requiredLevel":"https://x.example/a#l9"`, "credentialSubject.achievement.resultDescription.0.requiredLevel level-known"},
		{`"resultType":"RubricCriterionLevel"`, `"resultType":"ext:mine"`, ""},
		{`"resultType":"RubricCriterionLevel"`, `"resultType":"mine"`, "credentialSubject.achievement.resultDescription.0.resultType result-type"},
		{`"type":["Profile"]`, `"type":["Profile","https://x.example/Org"]`, ""},
		{`"type":["Profile"]`, `"type":"Profile"`, "issuer.type list"},
		{`"inLanguage":"en"`, `"inLanguage":"english"`, "credentialSubject.achievement.inLanguage language"},
		{`"IdentityObject"`, `"IdentityObject","note":"x"`, "credentialSubject.identifier.0.note unknown-member"},
		{`"name":"X"`, `"name":"X","note":"x"`, ""},
		{`"creditsEarned":3.5`, `"creditsEarned":"3.5"`, "credentialSubject.creditsEarned number"},
		{`"targetUrl":"https://x.example/i"`, `"targetUrl":"i"`, "credentialSubject.achievement.alignment.0.targetUrl uri"},
		{`{"@context"`, `{"id":"urn:x:1","@context"`, " json"},
	} {
		changed := bytes.Replace(raw, []byte(c.old), []byte(c.new), 1)
		if bytes.Equal(changed, raw) {
			t.Errorf("%s does not occur in %s", c.old, raw)
		}
		got := rules(CheckDocument(changed, shape.Canonical))
		if c.want == "" && len(got) > 0 || c.want != "" && !slices.Contains(got, c.want) {
			t.Errorf("%s: %v, want %q", c.new, got, c.want)
		}
	}
}

func FuzzCheckDocument(f *testing.F) {
	raw, err := Compose(whole())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"type":"EndorsementCredential","credentialSubject":[[{}]],"issuer":[null]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		compact, canonical := CheckDocument(doc, shape.Compact), CheckDocument(doc, shape.Canonical)
		if len(canonical) == 0 && len(compact) > 0 {
			t.Errorf("the stricter form takes what the other refuses: %v", compact)
		}
	})
}
