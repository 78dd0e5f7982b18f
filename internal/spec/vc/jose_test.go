package vc

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/standards"
)

const jwtDocument = `{"@context":["https://www.w3.org/ns/credentials/v2","https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"],"id":"urn:uuid:0f6b5b0a-3a5e-4d7e-9b1a-000000000002","type":["VerifiableCredential","OpenBadgeCredential"],"issuer":{"id":"did:web:x.example","type":["Profile"],"name":"X"},"validFrom":"2026-01-01T00:00:00Z","validUntil":"2036-01-01T00:00:00Z","name":"A <b> & é","credentialSubject":{"id":"did:example:1","type":["AchievementSubject"]}}`

// rsaKey signs as an issuer of Open Badges must be able to.
func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func signJWT(t testing.TB, k crypto.Signer, message []byte) []byte {
	t.Helper()
	if _, ok := k.(*rsa.PrivateKey); ok {
		digest := sha256.Sum256(message)
		s, err := k.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s, err := Sign(k, message)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func makeJWT(t testing.TB, document, form string, k crypto.Signer) string {
	t.Helper()
	d, err := PrepareJWT([]byte(document), form, k.Public(), "did:web:x.example#1")
	if err != nil {
		t.Fatal(err)
	}
	return d.Attach(signJWT(t, k, d.Message))
}

// only is a verifier that knows one key, of did:web:x.example.
func only(k crypto.PublicKey) Verifier {
	return Verifier{Now: now,
		Keys: func(method, _ string) (Key, error) {
			if method != "did:web:x.example#1" {
				return Key{}, &Failure{Code: NoKey, Reason: "no such key"}
			}
			return Key{Controller: "did:web:x.example", Public: k}, nil
		},
		IssuerKeys: func(issuer, _ string) ([]Key, error) {
			return []Key{{Controller: issuer, Public: k}}, nil
		}}
}

func TestJWTs(t *testing.T) {
	signers := []crypto.Signer{rsaKey(t, 2048)}
	for _, multibase := range testKeys {
		signers = append(signers, secret(t, multibase))
	}
	for _, k := range signers {
		for _, form := range []string{FormIMS, FormW3C} {
			compact := makeJWT(t, jwtDocument, form, k)
			got, c, err := only(k.Public()).VerifyJWT(compact)
			if err != nil || c.Err != nil {
				t.Fatalf("%s by %s: %v, %v", form, KindOf(k.Public()), err, c.Err)
			}
			if string(got.Document) != jwtDocument || got.Form != form || got.Issuer != "did:web:x.example" || c.Key.Controller != got.Issuer {
				t.Errorf("%s by %s: %+v", form, KindOf(k.Public()), got)
			}
			// Any byte of the three parts.
			for i := 0; i < len(compact); i += 7 {
				b := []byte(compact)
				if b[i] == '.' {
					continue
				}
				b[i] = map[bool]byte{true: 'B', false: 'A'}[b[i] == 'A']
				if _, c, err := only(k.Public()).VerifyJWT(string(b)); err == nil && c.Err == nil {
					t.Errorf("%s by %s verifies with byte %d changed", form, KindOf(k.Public()), i)
				}
			}
			for _, other := range signers {
				if KindOf(other.Public()) == KindOf(k.Public()) {
					continue
				}
				if _, c, err := only(other.Public()).VerifyJWT(compact); err != nil || codeOf(c.Err) != WrongKey {
					t.Errorf("%s by %s is checked with a key of kind %s: %v, %v", form, KindOf(k.Public()), KindOf(other.Public()), err, c.Err)
				}
			}
		}
	}
}

// assemble is a JWT of any header and claims.
func assemble(t testing.TB, header, claims string, k crypto.Signer) string {
	t.Helper()
	b64 := base64.RawURLEncoding
	message := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(claims))
	if k == nil {
		return message + "."
	}
	return message + "." + b64.EncodeToString(signJWT(t, k, []byte(message)))
}

func TestAttacksOnJWTs(t *testing.T) {
	k, stranger := secret(t, testKeys[P256]), secret(t, testKeys[Ed25519])
	jwk, err := JWKOf(stranger.Public())
	if err != nil {
		t.Fatal(err)
	}
	own, err := json.Marshal(jwk)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, der)
	message := strings.TrimSuffix(assemble(t, `{"alg":"HS256","typ":"JWT","kid":"did:web:x.example#1"}`, jwtDocument, nil), ".")
	mac.Write([]byte(message))
	confused := message + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	ims := jwtDocument[:len(jwtDocument)-1] + `,"iss":"did:web:x.example","jti":"urn:uuid:0f6b5b0a-3a5e-4d7e-9b1a-000000000002","sub":"did:example:1","nbf":1767225600,"exp":2082758400}`
	const kid, w3c = `{"alg":"ES256","typ":"JWT","kid":"did:web:x.example#1"}`, `{"alg":"ES256","typ":"vc+jwt","kid":"did:web:x.example#1"}`
	more := func(s string) string { return jwtDocument[:len(jwtDocument)-1] + s + "}" }
	for name, c := range map[string]struct {
		compact string
		want    string
	}{
		"as it should be":          {assemble(t, kid, ims, k), ""},
		"none":                     {assemble(t, `{"alg":"none","typ":"JWT","kid":"did:web:x.example#1"}`, ims, nil), Mismatch},
		"None":                     {assemble(t, `{"alg":"None","typ":"JWT"}`, ims, nil), UnknownSuite},
		"no alg":                   {assemble(t, `{"typ":"JWT"}`, ims, nil), UnknownSuite},
		"HMAC with the public key": {confused, Mismatch},
		"another algorithm":        {assemble(t, `{"alg":"EdDSA","typ":"JWT","kid":"did:web:x.example#1"}`, ims, stranger), WrongKey},
		"PS256":                    {assemble(t, `{"alg":"PS256","typ":"JWT","kid":"did:web:x.example#1"}`, ims, k), UnknownSuite},
		"its own key":              {assemble(t, `{"alg":"EdDSA","typ":"JWT","jwk":`+string(own)+`}`, ims, stranger), WrongKey},
		"its own key and a kid":    {assemble(t, `{"alg":"EdDSA","typ":"JWT","kid":"did:web:x.example#1","jwk":`+string(own)+`}`, ims, stranger), WrongKey},
		"its own private key":      {assemble(t, `{"alg":"EdDSA","typ":"JWT","jwk":`+strings.Replace(string(own), `{`, `{"d":"AA",`, 1)+`}`, ims, stranger), Malformed},
		"no key":                   {assemble(t, `{"alg":"ES256","typ":"JWT"}`, ims, k), NoKey},
		"a key that is not there":  {assemble(t, `{"alg":"ES256","typ":"JWT","kid":"#2"}`, ims, k), NoKey},
		"a relative kid":           {assemble(t, `{"alg":"ES256","typ":"JWT","kid":"#1"}`, ims, k), ""},
		"crit":                     {assemble(t, `{"alg":"ES256","typ":"JWT","kid":"did:web:x.example#1","crit":["x"],"x":1}`, ims, k), Malformed},
		"b64":                      {assemble(t, `{"alg":"ES256","typ":"JWT","kid":"did:web:x.example#1","b64":false}`, ims, k), Malformed},
		"alg twice":                {assemble(t, `{"alg":"none","alg":"ES256","typ":"JWT","kid":"did:web:x.example#1"}`, ims, k), Malformed},
		"another typ":              {assemble(t, `{"alg":"ES256","typ":"at+jwt","kid":"did:web:x.example#1"}`, ims, k), UnknownSuite},
		"issuer twice":             {assemble(t, kid, more(`,"issuer":"did:web:y.example"`), k), Malformed},
		"iss":                      {assemble(t, kid, strings.Replace(ims, `"iss":"did:web:x`, `"iss":"did:web:y`, 1), k), Mismatch},
		"jti":                      {assemble(t, kid, strings.Replace(ims, `"jti":"urn:uuid:0`, `"jti":"urn:uuid:1`, 1), k), Mismatch},
		"sub":                      {assemble(t, kid, strings.Replace(ims, `"sub":"did:example:1`, `"sub":"did:example:2`, 1), k), Mismatch},
		"nbf":                      {assemble(t, kid, strings.Replace(ims, `"nbf":1767225600`, `"nbf":1767225601`, 1), k), Mismatch},
		"exp":                      {assemble(t, kid, strings.Replace(ims, `"exp":2082758400`, `"exp":2082758401`, 1), k), Mismatch},
		"nbf as text":              {assemble(t, kid, strings.Replace(ims, `"nbf":1767225600`, `"nbf":"1767225600"`, 1), k), Malformed},
		"no sub":                   {assemble(t, kid, strings.Replace(ims, `"sub":"did:example:1",`, ``, 1), k), Malformed},
		"no nbf":                   {assemble(t, kid, strings.Replace(ims, `"nbf":1767225600,`, ``, 1), k), Malformed},
		"a fraction of a second":   {assemble(t, kid, strings.Replace(strings.Replace(ims, "1767225600", "1767225600.5", 1), "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z", 1), k), ""},
		"W3C":                      {assemble(t, w3c, jwtDocument, k), ""},
		"W3C, in full":             {assemble(t, strings.Replace(w3c, "vc+jwt", "application/VC+JWT", 1), jwtDocument, k), ""},
		"W3C with the claim vc":    {assemble(t, w3c, more(`,"vc":{}`), k), Malformed},
		"W3C with the claim vp":    {assemble(t, w3c, more(`,"vp":{}`), k), Malformed},
		"W3C with another iss":     {assemble(t, w3c, more(`,"iss":"did:web:y.example"`), k), Mismatch},
		"W3C expired":              {assemble(t, w3c, more(`,"exp":1767225600`), k), Expired},
		"W3C not yet":              {assemble(t, w3c, more(`,"nbf":2082758400`), k), NotYet},
		"W3C of another cty":       {assemble(t, strings.Replace(w3c, `"kid"`, `"cty":"vp","kid"`, 1), jwtDocument, k), Malformed},
		"W3C as a presentation":    {assemble(t, strings.Replace(w3c, "vc+jwt", "vp+jwt", 1), jwtDocument, k), Malformed},
		"nested":                   {assemble(t, kid, `{"iss":"did:web:x.example","vc":`+jwtDocument+`}`, k), ""},
		"nested, another's":        {assemble(t, kid, `{"iss":"did:web:y.example","vc":`+jwtDocument+`}`, k), Mismatch},
		"nested, both":             {assemble(t, kid, `{"iss":"did:web:x.example","vp":{},"vc":`+jwtDocument+`}`, k), Malformed},
		"no credential":            {assemble(t, kid, `{"iss":"did:web:x.example"}`, k), Malformed},
		"not JSON":                 {assemble(t, kid, `{"iss":`, k), Malformed},
		"two parts":                {"e30.e30", Malformed},
		"five parts":               {"e30.e30.e30.e30.e30", Malformed},
	} {
		_, checked, err := only(k.Public()).VerifyJWT(c.compact)
		if err == nil {
			err = checked.Err
		}
		if codeOf(err) != c.want || c.want == "" && err != nil {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
	// Nobody vouches for the key that the JWT brings.
	v := only(k.Public())
	v.IssuerKeys = nil
	if _, c, err := v.VerifyJWT(assemble(t, `{"alg":"EdDSA","typ":"JWT","jwk":`+string(own)+`}`, ims, stranger)); err != nil || codeOf(c.Err) != NoKey {
		t.Errorf("%v, %v", err, c.Err)
	}
	// Short RSA keys are refused where they are read, and where they are used.
	weak := rsaKey(t, 1024)
	short, err := JWKOf(weak.Public())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(short)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseJWK(raw); err == nil {
		t.Error("an RSA key of 1024 bits is read")
	}
	if _, c, err := only(weak.Public()).VerifyJWT(assemble(t, strings.Replace(kid, "ES256", "RS256", 1), ims, weak)); err != nil || codeOf(c.Err) != WrongKey {
		t.Errorf("%v, %v", err, c.Err)
	}
}

// TestNestedJWTIsPutTogether: VCDM 1.1 §6.3.1, what only the claims say.
func TestNestedJWTIsPutTogether(t *testing.T) {
	k := secret(t, testKeys[Ed25519])
	compact := assemble(t, `{"alg":"EdDSA","typ":"JWT","kid":"did:web:x.example#1"}`,
		`{"iss":"did:web:x.example","jti":"urn:uuid:1","sub":"did:example:1","nbf":1262304000,"exp":2082758400,"vc":{"@context":["https://www.w3.org/2018/credentials/v1"],"type":["VerifiableCredential"],"credentialSubject":{"type":"Person"}}}`, k)
	got, c, err := only(k.Public()).VerifyJWT(compact)
	if err != nil || c.Err != nil {
		t.Fatal(err, c.Err)
	}
	want := `{"@context":["https://www.w3.org/2018/credentials/v1"],"type":["VerifiableCredential"],"credentialSubject":{"type":"Person","id":"did:example:1"},"expirationDate":"2036-01-01T00:00:00Z","id":"urn:uuid:1","issuanceDate":"2010-01-01T00:00:00Z","issuer":"did:web:x.example"}`
	if canonicalOf(t, json.RawMessage(got.Document)) != canonicalOf(t, json.RawMessage(want)) {
		t.Errorf("%s", got.Document)
	}
	presentation := `{"@context":["https://www.w3.org/2018/credentials/v1"],"type":["VerifiablePresentation"],"verifiableCredential":["` + compact + `"]}`
	vp := assemble(t, `{"alg":"EdDSA","typ":"JWT","kid":"did:web:x.example#1"}`, `{"iss":"did:web:x.example","aud":"a","nonce":"n","vp":`+presentation+`}`, k)
	if got, c, err = only(k.Public()).VerifyJWT(vp); err != nil || c.Err != nil || !got.Presentation || got.Issuer != "did:web:x.example" || c.Proof.ProofPurpose != Authentication {
		t.Errorf("%+v, %v, %v", got, c.Err, err)
	}
}

// TestOfficialJWTs are the samples of the 1EdTech validator: the record brings
// its key, and that is good only if the issuer lists it.
func TestOfficialJWTs(t *testing.T) {
	for _, name := range []string{"ob3/validator-simple.jwt.json", "clr2/validator-simple.jwt.json"} {
		var file struct{ CompactJws string }
		if err := json.Unmarshal(standards.Read(t, "examples/"+name), &file); err != nil {
			t.Fatal(err)
		}
		got, err := ParseJWT(file.CompactJws)
		if err != nil || got.Form != FormNested || got.Issuer != "https://example.edu/issuers/565049" {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		v := only(secret(t, testKeys[P256]).Public())
		_, c, err := v.VerifyJWT(file.CompactJws)
		if want := map[bool]string{true: NoKey, false: WrongKey}[got.Key == nil]; err != nil || codeOf(c.Err) != want {
			t.Errorf("%s: %v, %v", name, err, c.Err)
		}
		if got.Key == nil {
			continue
		}
		v.IssuerKeys = func(issuer, _ string) ([]Key, error) { return []Key{{Controller: issuer, Public: got.Key}}, nil }
		if _, c, err = v.VerifyJWT(file.CompactJws); err != nil || c.Err != nil {
			t.Errorf("%s: %v, %v", name, err, c.Err)
		}
	}
}

func TestEnvelopes(t *testing.T) {
	k := secret(t, testKeys[P384])
	compact := makeJWT(t, jwtDocument, FormW3C, k)
	got, ok, err := Enveloped(Envelope(MediaVCJWT, compact))
	if err != nil || !ok || got != compact {
		t.Errorf("%q, %v, %v", got, ok, err)
	}
	whole := string(Envelope(MediaVCJWT, compact))
	for _, bad := range []string{
		strings.Replace(whole, "ns/credentials/v2", "2018/credentials/v1", 1),
		strings.Replace(whole, "application/vc+jwt", "application/vc+sd-jwt", 1),
		strings.Replace(whole, "application/vc+jwt", "application/vp+jwt", 1),
		strings.Replace(whole, "data:", "https:", 1),
		strings.Replace(whole, "vc+jwt,", "vc+jwt;", 1),
		strings.Replace(whole, `"id"`, `"ids"`, 1),
	} {
		if _, ok, err := Enveloped([]byte(bad)); !ok || codeOf(err) != Malformed {
			t.Errorf("%s: %v, %v", bad[:120], ok, err)
		}
	}
	if _, ok, err := Enveloped([]byte(document)); ok || err != nil {
		t.Errorf("a credential is an envelope: %v", err)
	}
}

func TestJWKs(t *testing.T) {
	// RFC 7638 §3.1 and RFC 8037 A.3 give these thumbprints.
	for raw, want := range map[string]string{
		`{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`: "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
		`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
	} {
		k, err := ParseJWK([]byte(raw))
		if err != nil {
			t.Error(err)
			continue
		}
		j, err := JWKOf(k)
		if err != nil || j.Thumbprint() != want {
			t.Errorf("%s, %v; want %s", j.Thumbprint(), err, want)
		}
	}
	for _, bad := range []string{`[]`, `{}`, `{"kty":"oct","k":"AAAA"}`, `{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
		`{"kty":"OKP","crv":"Ed25519","x":"11qY"}`, `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=","use":"sig"}`,
		`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","use":"enc"}`,
		`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","alg":"ES256"}`,
		`{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`,
		`{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}`, `{"kty":"RSA","n":"AQAB","e":"AQAB"}`} {
		if k, err := ParseJWK([]byte(bad)); err == nil {
			t.Errorf("%s is %v", bad, k)
		}
	}
	set := `{"keys":[{"kty":"oct","kid":"s","k":"AAAA"},{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
	if all, err := KeySet([]byte(set)); err != nil || len(all) != 1 || all["a"] == nil {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := KeySet([]byte(strings.Replace(set, `{"kty":"oct","kid":"s","k":"AAAA"}`, `{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`, 1))); err == nil {
		t.Error("two keys with one id")
	}
}

func FuzzJWT(f *testing.F) {
	k := secret(f, testKeys[Ed25519])
	f.Add(makeJWT(f, jwtDocument, FormIMS, k))
	f.Add(makeJWT(f, jwtDocument, FormW3C, k))
	f.Add("e30.e30.")
	good := map[string]bool{}
	for _, form := range []string{FormIMS, FormW3C} {
		good[makeJWT(f, jwtDocument, form, k)] = true
	}
	v := only(k.Public())
	v.Now = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, compact string) {
		_, c, err := v.VerifyJWT(compact)
		if err == nil && c.Err == nil && !good[strings.TrimSpace(compact)] {
			t.Errorf("verified %q", compact)
		}
	})
}

func FuzzJWK(f *testing.F) {
	for _, s := range testKeys {
		jwk, err := JWKOf(secret(f, s).Public())
		if err != nil {
			f.Fatal(err)
		}
		raw, err := json.Marshal(jwk)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := ParseJWK(raw)
		if err != nil {
			return
		}
		again, err := JWKOf(k)
		if err != nil {
			t.Fatalf("%q is a key without a JWK: %v", raw, err)
		}
		text, err := json.Marshal(again)
		if err != nil {
			t.Fatal(err)
		}
		if l, err := ParseJWK(text); err != nil || !sameKey(k, l) {
			t.Errorf("%q is written as %s (%v)", raw, text, err)
		}
	})
}
