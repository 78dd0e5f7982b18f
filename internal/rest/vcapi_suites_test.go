package rest_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/spec/vc"
	"github.com/testamur/testamur/internal/vcapi"
)

// What the interoperability suites of the W3C ask of an instance, in our own
// words: vc-data-model-2.0, vc-di-eddsa, vc-di-ecdsa, vc-bitstring-status-list
// and vc-jose-cose.

const (
	baseContext  = "https://www.w3.org/ns/credentials/v2"
	exampleTerms = "https://www.w3.org/ns/credentials/examples/v2"
)

// bare is the least credential there is.
func bare(with object) object {
	c := object{"@context": []any{baseContext}, "type": []string{"VerifiableCredential"}, "credentialSubject": object{"id": "did:example:subject"}}
	for name, v := range with {
		if c[name] = v; v == nil {
			delete(c, name)
		}
	}
	return c
}

// TestVCAPIDataModelSuite: each of these is issued and verifies, or is refused at
// once with a problem that names the place.
func TestVCAPIDataModelSuite(t *testing.T) {
	a := newVCAPI(t)
	language := func(extra ...any) object {
		o := object{"@value": "A name", "@language": "en"}
		for i := 0; i < len(extra); i += 2 {
			o[extra[i].(string)] = extra[i+1]
		}
		return o
	}
	contexts := func(all ...any) object { return object{"@context": append([]any{baseContext}, all...)} }
	typed := func(also ...any) object {
		return object{"@context": []any{baseContext, exampleTerms}, "relatedResource": nil, "termsOfUse": nil, also[0].(string): also[1]}
	}
	resource := func(with object) object {
		r := object{"id": baseContext, "digestMultibase": "uWZVc7WaX1h4D8rJVb-vlMIqxaEKEb1tYbX8fet7JJzQ"}
		for k, v := range with {
			if r[k] = v; v == nil {
				delete(r, k)
			}
		}
		return object{"relatedResource": []any{r}}
	}
	for name, c := range map[string]object{
		"least":                          nil,
		"several addresses of contexts":  contexts(exampleTerms, "https://www.w3.org/ns/credentials/undefined-terms/v2"),
		"an object among the contexts":   contexts(object{"@vocab": "https://x.example/terms#"}),
		"an id of any scheme":            {"id": "did:example:credential"},
		"types in any order":             {"@context": []any{baseContext, exampleTerms}, "type": []string{"RelationshipCredential", "VerifiableCredential"}},
		"a type by its address":          {"type": []string{"VerifiableCredential", "https://x.example/types#T"}},
		"a type of a context of its own": {"@context": []any{baseContext, object{"T": "https://x.example/types#T"}}, "type": []string{"VerifiableCredential", "T"}},
		"a name":                         {"name": "A name"},
		"a name in a language":           {"name": language()},
		"with its direction":             {"name": language("@direction", "ltr")},
		"in several":                     {"description": []any{language(), language("@language", "ar", "@direction", "rtl")}},
		"an issuer with a name":          {"issuer": object{"name": language("@direction", "ltr"), "description": "D"}},
		"several subjects":               {"credentialSubject": []any{object{"id": "did:example:1"}, object{"id": "did:example:2"}}},
		"a period":                       {"validFrom": "2025-01-01T00:00:00Z", "validUntil": "2099-01-01T00:00:00+02:00"},
		"a schema":                       typed("credentialSchema", object{"id": "https://x.example/s.json", "type": "JsonSchema"}),
		"several schemas":                typed("credentialSchema", []any{object{"id": "https://x.example/s.json", "type": "JsonSchema"}, object{"id": "https://x.example/t.json", "type": "JsonSchema"}}),
		"a refresh service":              typed("refreshService", object{"id": "https://x.example/r", "type": "VerifiableCredentialRefreshService2021"}),
		"several refresh services":       typed("refreshService", []any{object{"type": "A"}, object{"type": "B"}}),
		"terms of use":                   typed("termsOfUse", []any{object{"type": "IssuerPolicy", "id": "https://x.example/p"}, object{"type": "IssuerPolicy"}}),
		"evidence":                       typed("evidence", []any{object{"id": "https://x.example/e", "type": []string{"Evidence"}}, object{"type": "Evidence"}}),
		"a related resource":             resource(nil),
		"with its media type":            resource(object{"mediaType": "application/ld+json"}),
		"by another digest":              resource(object{"digestMultibase": nil, "digestSRI": "sha384-l/HrjlBCNWyAX91hr6LFV2Y3heB5Tcr6IeE4/Tje8YyzYBM8IhqjHWiWpr8+ZbYU"}),
	} {
		signed := a.issue(t, "eddsa-rdfc-2022", bare(c), nil)
		if code, out := a.verify(t, signed, object{"checks": []string{"proof"}}); code != http.StatusOK {
			t.Errorf("%s: %d %s", name, code, out)
		}
	}
	for name, c := range map[string]struct {
		credential  object
		field, rule string
	}{
		"no context":                          {object{"@context": nil}, "@context", "context"},
		"the base context is not the first":   {object{"@context": []any{exampleTerms, baseContext}}, "@context", "context"},
		"nor among them":                      {object{"@context": []any{exampleTerms}}, "@context", "context"},
		"a context that is no address":        {contexts("https ://not-a-url/contexts/example/v1"), "@context.1", "context"},
		"a number among them":                 {contexts(123192875), "@context.1", "context"},
		"a context that is not known":         {contexts("https://example.com"), "/@context/1", "unknown-context"},
		"an id that is none":                  {object{"id": "not-a-url"}, "id", "uri"},
		"several ids":                         {object{"id": []string{"urn:x:1", "urn:x:2"}}, "id", "uri"},
		"no type":                             {object{"type": nil}, "type", "type"},
		"another type":                        {object{"type": []string{"https://x.example/types#T"}}, "type", "type"},
		"a type that no context defines":      {object{"type": []string{"VerifiableCredential", "Unmapped"}}, "/type/1", "undefined-type"},
		"a type that is mapped to no address": {object{"@context": []any{baseContext, object{"T": "not a url"}}, "type": []string{"VerifiableCredential", "T"}}, "", ""},
		"a protected type is redefined":       {object{"@context": []any{baseContext, object{"VerifiableCredential": "https://x.example/other"}}}, "", "protected-term"},
		"a protected term is redefined":       {object{"@context": []any{baseContext, object{"name": "https://x.example/name"}}}, "", "protected-term"},
		"an undefined term":                   {object{"credentialSubject": object{"id": "did:example:1", "alumniOf": "X"}}, "/credentialSubject/alumniOf", "undefined-term"},
		"a name with another member":          {object{"name": language("url", "did:example:1")}, "name.url", "language-value"},
		"a description with another":          {object{"description": language("url", "did:example:1")}, "description.url", "language-value"},
		"an issuer's name with another":       {object{"issuer": object{"name": language("url", "did:example:1")}}, "issuer.name.url", "language-value"},
		"an issuer that is no address":        {object{"issuer": "not-a-url"}, "issuer", "uri"},
		"an issuer that is null":              {object{"issuer": json.RawMessage("null")}, "issuer", "uri"},
		"an issuer with an id that is null":   {object{"issuer": object{"id": json.RawMessage("null")}}, "issuer.id", "uri"},
		"no subject":                          {object{"credentialSubject": nil}, "credentialSubject", "required"},
		"a subject without claims":            {object{"credentialSubject": object{}}, "credentialSubject", "subject"},
		"one of several without claims":       {object{"credentialSubject": []any{object{"id": "did:example:1"}, object{}}}, "credentialSubject.1", "subject"},
		"dates out of order":                  {object{"validFrom": "2027-01-01T00:00:00Z", "validUntil": "2025-01-01T00:00:00Z"}, "validUntil", "date-order"},
		"a date without its offset":           {object{"validFrom": "2027-01-01T00:00:00"}, "validFrom", "instant"},
		"a status without type":               {object{"credentialStatus": object{"id": "https://x.example/1"}}, "credentialStatus.type", "required"},
		"a status with an id that is none":    {object{"credentialStatus": object{"id": "not-a-url", "type": "X"}}, "credentialStatus.id", "uri"},
		"a place that is no number":           {object{"credentialStatus": object{"type": "BitstringStatusListEntry", "statusPurpose": "revocation", "statusListIndex": true, "statusListCredential": "https://x.example/1"}}, "credentialStatus.0", "status-entry"},
		"a schema without type":               {object{"credentialSchema": object{"id": "https://x.example/s"}}, "credentialSchema.type", "required"},
		"a schema without id":                 {object{"credentialSchema": object{"type": "JsonSchema"}}, "credentialSchema.id", "required"},
		"a schema whose id is a number":       {object{"credentialSchema": object{"id": 1, "type": "JsonSchema"}}, "credentialSchema.id", "uri"},
		"a refresh service without type":      {object{"refreshService": object{"id": "https://x.example/r"}}, "refreshService.type", "required"},
		"terms of use without type":           {object{"termsOfUse": []any{object{"id": "https://x.example/t"}}}, "termsOfUse.0.type", "required"},
		"evidence without type":               {object{"evidence": object{"id": "https://x.example/e"}}, "evidence.type", "required"},
		"resources that are texts":            {object{"relatedResource": []string{baseContext}}, "relatedResource.0", "object"},
		"a resource without id":               {resource(object{"id": nil}), "relatedResource.0.id", "uri"},
		"a resource twice":                    {object{"relatedResource": []any{resource(nil)["relatedResource"].([]any)[0], resource(nil)["relatedResource"].([]any)[0]}}, "relatedResource.1.id", "resource-once"},
		"a resource without digest":           {resource(object{"digestMultibase": nil}), "relatedResource.0", "digest"},
		"a resource with another's digest":    {resource(object{"digestMultibase": "uWZVc7WaX1h4D8rJVb-vlMIqxaEKEb1tYbX8fet7JJzA"}), "relatedResource.0.digestMultibase", "digest-match"},
		"a digest that is none":               {resource(object{"digestMultibase": nil, "digestSRI": "sha256-ca3d163bab055381827226140568f3bef634ac187cebd76878e0b63e9e442356"}), "relatedResource.0.digestSRI", "digest"},
	} {
		code, out := a.post(t, "/issuers/eddsa-rdfc-2022/credentials/issue", object{"credential": bare(c.credential)})
		var problems []vcapi.Problem
		if err := json.Unmarshal(out["problemDetails"], &problems); err != nil || code != http.StatusBadRequest || !slices.ContainsFunc(problems, func(p vcapi.Problem) bool {
			return (c.rule == "" || p.Rule == c.rule) && (c.field == "" || p.Field == c.field) && p.Detail != "" && strings.HasPrefix(p.Type, "https://www.w3.org/")
		}) {
			t.Errorf("%s: %d %s, want %s at %s", name, code, out, c.rule, c.field)
		}
	}
}

// TestVCAPIEnvelopesOfTheSuites: an envelope is of the base context, of its type
// and a data: URL, and JWTs of before VC-JOSE-COSE are told by their typ.
func TestVCAPIEnvelopesOfTheSuites(t *testing.T) {
	a := newVCAPI(t)
	var envelope object
	if err := json.Unmarshal(a.issue(t, "vc-jose-cose-eddsa", bare(nil), nil), &envelope); err != nil {
		t.Fatal(err)
	}
	token := envelope["id"].(string)[len("data:application/vc+jwt,"):]
	with := func(name string, v any) object {
		o := object{}
		for k, x := range envelope {
			o[k] = x
		}
		if o[name] = v; v == nil {
			delete(o, name)
		}
		return o
	}
	for name, c := range map[string]struct {
		in   any
		want int
	}{
		"as issued":                {envelope, http.StatusOK},
		"several contexts":         {with("@context", []string{baseContext, exampleTerms}), http.StatusOK},
		"types in a list":          {with("type", []string{"EnvelopedVerifiableCredential"}), http.StatusOK},
		"the type of any JWT":      {with("id", "data:application/jwt,"+token), http.StatusOK},
		"no contexts":              {with("@context", []string{}), http.StatusUnprocessableEntity},
		"another context":          {with("@context", exampleTerms), http.StatusUnprocessableEntity},
		"no data: URL":             {with("id", token), http.StatusUnprocessableEntity},
		"of another type of media": {with("id", "data:text/plain,"+token), http.StatusUnprocessableEntity},
		"no type":                  {with("type", nil), http.StatusUnprocessableEntity},
		"another type":             {with("type", "VerifiableCredential"), http.StatusUnprocessableEntity},
		"of a presentation":        {with("type", "EnvelopedVerifiablePresentation"), http.StatusUnprocessableEntity},
	} {
		if code, out := a.verify(t, c.in, nil); code != c.want {
			t.Errorf("%s: %d %s", name, code, out)
		}
	}
	// A vp JWT of before, with a vc JWT of before in it.
	issuer, holder := keyOfSeed(21), keyOfSeed(22)
	credential := issuer.jwt(t, "", object{"iss": issuer.did, "sub": "did:example:alice", "vc": object{"@context": []string{baseContext}, "type": []string{"VerifiableCredential"},
		"issuer": issuer.did, "credentialSubject": object{"id": "did:example:alice", "name": "Alice"}}})
	presented := func(typ, claim string, presented object) string {
		claims := object{"iss": holder.did, "aud": "example.com", "nonce": "123456789", claim: presented}
		if claim == "" {
			delete(claims, claim)
			for k, v := range presented {
				claims[k] = v
			}
		}
		return holder.jwt(t, typ, claims)
	}
	vp := object{"@context": []string{baseContext}, "type": []string{"VerifiablePresentation"}, "holder": holder.did,
		"verifiableCredential": []any{object{"@context": baseContext, "type": "EnvelopedVerifiableCredential", "id": "data:application/jwt," + credential}}}
	enveloped := func(token string) object {
		return object{"@context": baseContext, "type": "EnvelopedVerifiablePresentation", "id": "data:application/vp+jwt," + token}
	}
	broken := strings.Replace(credential, ".", "x.", 1)
	for name, c := range map[string]struct {
		in      any
		options object
		want    int
	}{
		"typ JWT and the claim vp":         {enveloped(presented("JWT", "vp", vp)), nil, http.StatusOK},
		"as the token itself":              {presented("JWT", "vp", vp), object{"challenge": "123456789", "domain": "example.com"}, http.StatusOK},
		"for another":                      {presented("JWT", "vp", vp), object{"challenge": "other", "domain": "example.com"}, http.StatusUnprocessableEntity},
		"without typ":                      {enveloped(presented("", "vp", vp)), nil, http.StatusOK},
		"typ vp+jwt and no claim vp":       {enveloped(presented("vp+jwt", "", vp)), nil, http.StatusOK},
		"typ vp+jwt and the claim vp":      {enveloped(presented("vp+jwt", "vp", vp)), nil, http.StatusUnprocessableEntity},
		"typ vc+jwt and the claim vc":      {enveloped(presented("vc+jwt", "vc", vp)), nil, http.StatusUnprocessableEntity},
		"the credential in it is broken":   {json.RawMessage(bytes.Replace(mustJSON(t, enveloped(presented("JWT", "vp", vp))), []byte("vp+jwt,"), []byte("vp+jwt,x"), 1)), nil, http.StatusUnprocessableEntity},
		"the credential within is another": {enveloped(presented("JWT", "vp", object{"@context": []string{baseContext}, "type": []string{"VerifiablePresentation"}, "holder": holder.did, "verifiableCredential": []any{object{"@context": baseContext, "type": "EnvelopedVerifiableCredential", "id": "data:application/jwt," + broken}}})), nil, http.StatusUnprocessableEntity},
	} {
		if code, out := a.post(t, "/presentations/verify", object{"verifiablePresentation": c.in, "options": c.options}); code != c.want {
			t.Errorf("%s: %d %s", name, code, out)
		}
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// someone has a key, and is the did:key of it.
type someone struct {
	key         ed25519.PrivateKey
	did, method string
}

func keyOfSeed(seed byte) someone {
	k := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32))
	did, method := vc.DIDKeyOf(k.Public())
	return someone{k, did, method}
}

// jwt is a token of claims, of whatever typ, as any program may make it.
func (s someone) jwt(t *testing.T, typ string, claims object) string {
	t.Helper()
	header := object{"alg": "EdDSA", "kid": s.method}
	if typ != "" {
		header["typ"] = typ
	}
	signed := base64.RawURLEncoding.EncodeToString(mustJSON(t, header)) + "." + base64.RawURLEncoding.EncodeToString(mustJSON(t, claims))
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(s.key, []byte(signed)))
}

// present signs a presentation by the holder's key.
func (a *vcAPI) present(t *testing.T, by someone, presentation []byte) json.RawMessage {
	t.Helper()
	d, err := vc.PrepareWith(presentation, vc.Options{Suite: vc.EdDSARDFC, Key: by.key.Public(), VerificationMethod: by.method, Purpose: vc.Authentication, Created: a.Now(), Challenge: "c"})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := vc.SecureOne(presentation, d.Attach(ed25519.Sign(by.key, d.Hash)))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// TestVCAPISelfAsserted: what the holder says of themself needs no proof of its
// own in a presentation that they signed; what another is said to have said does.
func TestVCAPISelfAsserted(t *testing.T) {
	a := newVCAPI(t)
	me, other := keyOfSeed(31), keyOfSeed(32)
	presentation := func(holder, issuer, more string) []byte {
		if holder != "" {
			holder = `"holder":` + holder + `,`
		}
		return []byte(fmt.Sprintf(`{"@context":["%s"],"type":["VerifiablePresentation"],%s"verifiableCredential":[{"@context":["%s"],"type":["VerifiableCredential"],"issuer":%s,"credentialSubject":{"id":"did:example:subject"}%s}]}`,
			baseContext, holder, baseContext, issuer, more))
	}
	quoted := func(s string) string { return `"` + s + `"` }
	for name, c := range map[string]struct {
		in   json.RawMessage
		want int
	}{
		"by the holder":               {a.present(t, me, presentation(quoted(me.did), quoted(me.did), "")), http.StatusOK},
		"both as objects":             {a.present(t, me, presentation(`{"id":"`+me.did+`"}`, `{"id":"`+me.did+`"}`, "")), http.StatusOK},
		"no holder":                   {a.present(t, me, presentation("", quoted(me.did), "")), http.StatusUnprocessableEntity},
		"another holder":              {a.present(t, me, presentation(quoted(other.did), quoted(me.did), "")), http.StatusUnprocessableEntity},
		"another issuer":              {a.present(t, me, presentation(quoted(me.did), quoted(other.did), "")), http.StatusUnprocessableEntity},
		"not signed at all":           {presentation(quoted(me.did), quoted(me.did), ""), http.StatusUnprocessableEntity},
		"over already":                {a.present(t, me, presentation(quoted(me.did), quoted(me.did), `,"validUntil":"2020-01-01T00:00:00Z"`)), http.StatusUnprocessableEntity},
		"changed after it was signed": {json.RawMessage(bytes.Replace(a.present(t, me, presentation(quoted(me.did), quoted(me.did), "")), []byte("did:example:subject"), []byte("did:example:another"), 1)), http.StatusUnprocessableEntity},
		"a holder that has no id":     {json.RawMessage(bytes.Replace(a.present(t, me, presentation(quoted(me.did), quoted(me.did), "")), []byte(`"holder":"`+me.did+`"`), []byte(`"holder":{"name":"X"}`), 1)), http.StatusUnprocessableEntity},
	} {
		if code, out := a.post(t, "/presentations/verify", object{"verifiablePresentation": c.in, "options": object{"checks": []string{}}}); code != c.want {
			t.Errorf("%s: %d %s", name, code, out)
		}
	}
}

// TestVCAPIProofsOfTheSuites: the members that a proof must have, each gone or
// otherwise, of every suite that signs JSON.
func TestVCAPIProofsOfTheSuites(t *testing.T) {
	a := newVCAPI(t)
	for _, i := range vcapi.Instances {
		if i.Suite == "" || i.Web {
			continue
		}
		options := object{}
		if i.Suite == vc.ECDSASD {
			options["mandatoryPointers"] = []string{"/issuer"}
		}
		signed := a.issue(t, i.Name, bare(nil), options)
		if i.Suite == vc.ECDSASD {
			code, out := a.post(t, "/credentials/derive", object{"verifiableCredential": signed, "options": object{"selectivePointers": []string{"/credentialSubject"}}})
			if code != http.StatusCreated {
				t.Fatalf("%d %s", code, out)
			}
			signed = out["verifiableCredential"]
		}
		var whole object
		if err := json.Unmarshal(signed, &whole); err != nil {
			t.Fatal(err)
		}
		proof := whole["proof"].(object)
		if proof["type"] != "DataIntegrityProof" || proof["cryptosuite"] != i.Suite || proof["proofPurpose"] != "assertionMethod" || !strings.HasPrefix(proof["proofValue"].(string), map[bool]string{true: "u", false: "z"}[i.Suite == vc.ECDSASD]) {
			t.Errorf("%s: %v", i.Name, proof)
		}
		for _, change := range []struct {
			name string
			to   any
		}{
			{"type", nil}, {"type", "Unheard"}, {"cryptosuite", nil}, {"cryptosuite", "unheard-2022"}, {"proofPurpose", nil}, {"proofPurpose", "authentication"}, {"proofPurpose", "invalidPurpose"},
			{"verificationMethod", nil}, {"verificationMethod", "::not:a:url"}, {"verificationMethod", keyOfSeed(1).method}, {"proofValue", nil}, {"proofValue", "not-multibase"},
			{"proofValue", "z5nmMBw2u9TGKd9NxxHJtyZKgjN2Eh"}, {"created", "not a date"}, {"created", "2099-01-01T00:00:00Z"}, {"expires", "2020-01-01T00:00:00Z"}, {"domain", "x.example"}, {"challenge", "c"}, {"nonce", "n"},
		} {
			other := object{}
			for k, v := range proof {
				other[k] = v
			}
			if other[change.name] = change.to; change.to == nil {
				delete(other, change.name)
			}
			whole["proof"] = other
			if code, out := a.verify(t, whole, object{"checks": []string{"proof"}}); code != http.StatusUnprocessableEntity {
				t.Errorf("%s with %s %v: %d %s", i.Name, change.name, change.to, code, out)
			}
		}
		whole["proof"] = proof
		if code, out := a.verify(t, whole, nil); code != http.StatusOK {
			t.Errorf("%s again as it was: %d %s", i.Name, code, out)
		}
	}
}
