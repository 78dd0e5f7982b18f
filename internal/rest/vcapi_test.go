package rest_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/rest"
	"github.com/testamur/testamur/internal/spec/vc"
	"github.com/testamur/testamur/internal/testbed"
	"github.com/testamur/testamur/internal/vcapi"
)

// vcAPI is the service with the VC API on.
type vcAPI struct {
	*testbed.Bed
	service *vcapi.Service
	handler http.Handler
	actor   access.Actor
}

func newVCAPI(t *testing.T) *vcAPI {
	t.Helper()
	a := &vcAPI{Bed: testbed.New(t)}
	a.service = &vcapi.Service{Now: a.Now, Keys: a.Keys, Credentials: a.Credentials, Verifier: a.Verifier, Institution: a.Home.ID}
	a.actor = a.Registrar()
	a.Verifier.Unfiled = a.Home.ID
	a.handler = rest.NewHandler(rest.Services{Institutions: a.Institutions, Keys: a.Keys, Credentials: a.Credentials, Frameworks: a.Frameworks,
		VCAPI: a.service, Origin: testbed.Origin, Now: a.Now, Log: slog.New(slog.DiscardHandler),
		Actor: func(*http.Request) (access.Actor, error) { return a.actor, nil }})
	// What others would fetch from the origin is served by itself.
	a.Verifier.Fetch = func(ctx context.Context, address string) ([]byte, error) {
		path, ok := strings.CutPrefix(address, testbed.Origin)
		if !ok {
			return nil, errors.New("there is no network here")
		}
		w := httptest.NewRecorder()
		a.handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil))
		return w.Body.Bytes(), nil
	}
	return a
}

func (a *vcAPI) post(t *testing.T, path string, request any) (int, map[string]json.RawMessage) {
	t.Helper()
	raw, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/vc-api"+path, bytes.NewReader(raw))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	var out map[string]json.RawMessage
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("%s: %v %s", path, err, w.Body)
	}
	return w.Code, out
}

type object = map[string]any

// minimal is a credential that leaves its issuer to the issuer.
func minimal(with object) object {
	c := object{"@context": []string{"https://www.w3.org/ns/credentials/v2", "https://www.w3.org/ns/credentials/examples/v2"}, "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
		"type": []string{"VerifiableCredential", "AlumniCredential"}, "credentialSubject": object{"id": "did:example:1", "alumniOf": "The School of Examples"}}
	for name, v := range with {
		if c[name] = v; v == nil {
			delete(c, name)
		}
	}
	return c
}

func (a *vcAPI) issue(t *testing.T, instance string, credential, options object) json.RawMessage {
	t.Helper()
	code, out := a.post(t, "/issuers/"+instance+"/credentials/issue", object{"credential": credential, "options": options})
	if code != http.StatusCreated {
		t.Fatalf("%s: %d %s", instance, code, out)
	}
	return out["verifiableCredential"]
}

func (a *vcAPI) verify(t *testing.T, credential any, options object) (int, map[string]json.RawMessage) {
	t.Helper()
	return a.post(t, "/credentials/verify", object{"verifiableCredential": credential, "options": options})
}

func TestVCAPIIssuesAndVerifies(t *testing.T) {
	a := newVCAPI(t)
	for _, i := range vcapi.Instances {
		t.Run(i.Name, func(t *testing.T) {
			options := object{}
			if i.Suite == vc.ECDSASD {
				options["mandatoryPointers"] = []string{"/issuer"}
			}
			signed := a.issue(t, i.Name, minimal(nil), options)
			if i.Suite == vc.ECDSASD {
				if code, out := a.verify(t, signed, nil); code != http.StatusUnprocessableEntity {
					t.Errorf("a base proof verifies: %d %s", code, out)
				}
				code, out := a.post(t, "/credentials/derive", object{"verifiableCredential": signed, "options": object{"selectivePointers": []string{"/credentialSubject/alumniOf"}}})
				if code != http.StatusCreated {
					t.Fatalf("%d %s", code, out)
				}
				signed = out["verifiableCredential"]
			}
			if code, out := a.verify(t, signed, object{"returnCredential": true, "unheardOf": 1}); code != http.StatusOK || string(out["verified"]) != "true" || out["credential"] == nil {
				t.Errorf("%d %s", code, out)
			}
			changed := bytes.Replace(signed, []byte("The School of Examples"), []byte("The School of Samples"), 1)
			if bytes.Equal(changed, signed) { // within a token
				changed = bytes.Replace(signed, []byte("ey"), []byte("ez"), 1)
			}
			if code, out := a.verify(t, json.RawMessage(changed), nil); code == http.StatusOK || len(out["problemDetails"]) < 10 {
				t.Errorf("after a change: %d %s", code, out)
			}
		})
	}
	// VCDM 1.1, with the context for the proof put in, and an issuer that is an
	// object and keeps its members.
	old := minimal(object{"@context": []string{"https://www.w3.org/2018/credentials/v1"}, "type": []string{"VerifiableCredential"}, "issuer": object{},
		"credentialSubject": object{"id": "did:example:1"}})
	signed := a.issue(t, "eddsa-rdfc-2022", old, nil)
	if !bytes.Contains(signed, []byte("data-integrity/v2")) || !bytes.Contains(signed, []byte(`"issuanceDate"`)) {
		t.Errorf("%s", signed)
	}
	if code, out := a.verify(t, signed, nil); code != http.StatusOK {
		t.Errorf("%d %s", code, out)
	}
	named := a.issue(t, "ecdsa-rdfc-2019-p384", minimal(object{"issuer": object{"name": "X"}, "id": nil}), object{"credentialId": "urn:uuid:7"})
	if !bytes.Contains(named, []byte(`"name":"X"`)) || !bytes.Contains(named, []byte(`"urn:uuid:7"`)) {
		t.Errorf("%s", named)
	}
}

func TestVCAPIRefusesWhatIsNotInForm(t *testing.T) {
	a := newVCAPI(t)
	long := object{"id": "https://x.example/a", "digestSRI": "sha384-S57yQDg1MTzF56Oi9DbSQ14u7jBy0RDdx0YbeV7shwhCS88G8SCXeFq82PafhCrW"}
	for name, c := range map[string]struct {
		credential object
		rule       string
	}{
		"undefined term":    {minimal(object{"unheardOf": 1, "@context": []string{"https://www.w3.org/ns/credentials/v2"}, "type": []string{"VerifiableCredential"}, "credentialSubject": object{"id": "did:example:1"}}), "undefined-term"},
		"dates":             {minimal(object{"validFrom": "2026-02-01T00:00:00Z", "validUntil": "2026-01-01T00:00:00Z"}), "date-order"},
		"schema":            {minimal(object{"credentialSchema": object{"type": "JsonSchema"}}), "required"},
		"refresh":           {minimal(object{"refreshService": object{"id": "https://x.example"}}), "required"},
		"terms":             {minimal(object{"termsOfUse": object{"id": "https://x.example"}}), "required"},
		"evidence":          {minimal(object{"evidence": object{"id": "https://x.example"}}), "required"},
		"resource":          {minimal(object{"relatedResource": []object{{"id": "https://x.example/a"}}}), "digest"},
		"resource twice":    {minimal(object{"relatedResource": []object{long, long}}), "resource-once"},
		"language":          {minimal(object{"name": object{"@value": "X", "@direction": "up"}}), "direction"},
		"no type":           {minimal(object{"type": nil}), "type"},
		"no context":        {minimal(object{"@context": nil}), "context"},
		"no subject":        {minimal(object{"credentialSubject": object{}}), "subject"},
		"id":                {minimal(object{"id": "not a url"}), "uri"},
		"another's":         {minimal(object{"issuer": "did:example:other"}), ""},
		"issuer of no kind": {minimal(object{"issuer": 7}), "uri"},
		"unknown context":   {minimal(object{"@context": []string{"https://www.w3.org/ns/credentials/v2", "https://x.example/unknown"}}), "unknown-context"},
	} {
		code, out := a.post(t, "/issuers/eddsa-rdfc-2022/credentials/issue", object{"credential": c.credential})
		var problems []vcapi.Problem
		if err := json.Unmarshal(out["problemDetails"], &problems); err != nil || code != http.StatusBadRequest || len(problems) == 0 ||
			!slices.ContainsFunc(problems, func(p vcapi.Problem) bool { return p.Rule == c.rule }) {
			t.Errorf("%s: %d %s, want %s", name, code, out, c.rule)
		}
	}
	for _, bad := range []any{object{}, object{"credential": 7}, object{"credential": nil}, object{"credential": "x"}, []int{1}} {
		if code, out := a.post(t, "/issuers/eddsa-rdfc-2022/credentials/issue", bad); code != http.StatusBadRequest {
			t.Errorf("%v: %d %s", bad, code, out)
		}
	}
	if code, out := a.post(t, "/issuers/ecdsa-sd-2023/credentials/issue", object{"credential": minimal(nil), "options": object{"mandatoryPointers": []string{"/nothing"}}}); code != http.StatusBadRequest {
		t.Errorf("a pointer to nothing: %d %s", code, out)
	}
	if code, _ := a.post(t, "/issuers/rot13/credentials/issue", object{"credential": minimal(nil)}); code != http.StatusNotFound {
		t.Errorf("an issuer that is not there: %d", code)
	}
	for _, bad := range []any{nil, 7, "x", object{}, []string{"x"}, object{"type": "VerifiableCredential"}} {
		if code, out := a.verify(t, bad, nil); code != http.StatusBadRequest && code != http.StatusUnprocessableEntity {
			t.Errorf("verify %v: %d %s", bad, code, out)
		}
	}
}

func TestVCAPIIssuesForNobodyElse(t *testing.T) {
	a := newVCAPI(t)
	for _, who := range []access.Actor{access.Anonymous(), a.As(access.Learner), {ID: "n", InstitutionID: string(a.Neighbour.ID), Roles: []access.Role{access.Registrar}}} {
		a.actor = who
		code, _ := a.post(t, "/issuers/eddsa-rdfc-2022/credentials/issue", object{"credential": minimal(nil)})
		status, _ := a.post(t, "/credentials/status", object{"credentialId": "urn:x:1", "credentialStatus": object{}})
		if code != http.StatusForbidden && code != http.StatusUnauthorized || status != code {
			t.Errorf("%+v: %d, %d", who, code, status)
		}
	}
	a.service.Open = true // as --vc-api-open has it
	a.actor = access.Anonymous()
	a.issue(t, "eddsa-rdfc-2022", minimal(nil), nil)
}

func TestVCAPIChainsOfProofs(t *testing.T) {
	a := newVCAPI(t)
	first := a.issue(t, "eddsa-rdfc-2022", minimal(nil), object{"proofId": "urn:uuid:1"})
	// The chain is made by the same issuer: the credential names one.
	var credential object
	if err := json.Unmarshal(first, &credential); err != nil {
		t.Fatal(err)
	}
	second := a.issue(t, "eddsa-jcs-2022", credential, object{"previousProof": "urn:uuid:1"})
	if code, out := a.verify(t, second, nil); code != http.StatusOK {
		t.Errorf("%d %s", code, out)
	}
	broken := bytes.Replace(second, []byte("urn:uuid:1"), []byte("urn:uuid:2"), 1)
	if code, out := a.verify(t, json.RawMessage(broken), nil); code != http.StatusUnprocessableEntity {
		t.Errorf("%d %s", code, out)
	}
	if code, _ := a.post(t, "/issuers/eddsa-rdfc-2022/credentials/issue", object{"credential": credential, "options": object{"previousProof": "urn:uuid:9"}}); code != http.StatusBadRequest {
		t.Errorf("confirmed nothing: %d", code)
	}
}

func TestVCAPIStatus(t *testing.T) {
	a := newVCAPI(t)
	const instance = "eddsa-rdfc-2022-status"
	signed := a.issue(t, instance, minimal(nil), nil)
	if code, out := a.verify(t, signed, nil); code != http.StatusOK {
		t.Fatalf("%d %s", code, out)
	}
	var in struct {
		ID               string
		CredentialStatus []json.RawMessage // of revocation and of suspension
	}
	if err := json.Unmarshal(signed, &in); err != nil || len(in.CredentialStatus) != 2 {
		t.Fatal(err, len(in.CredentialStatus))
	}
	revocation, suspension := in.CredentialStatus[0], in.CredentialStatus[1]
	ask := func(id string, entry any, status any) int {
		code, _ := a.post(t, "/credentials/status", object{"credentialId": id, "credentialStatus": entry, "status": status})
		return code
	}
	as := func(entry json.RawMessage, old, new string) json.RawMessage {
		return json.RawMessage(bytes.ReplaceAll(entry, []byte(old), []byte(new)))
	}
	later := a.Now()
	a.Credentials.Now = func() time.Time { return later }
	a.Verifier.Now = a.Credentials.Now
	step := func(what string, status, want int, refused string) {
		t.Helper()
		if status != http.StatusOK {
			t.Errorf("%s: %d", what, status)
		}
		later = later.Add(time.Minute)
		if code, out := a.verify(t, signed, nil); code != want || refused != "" && !(bytes.Contains(out["problemDetails"], []byte("STATUS_VERIFICATION_ERROR")) && bytes.Contains(out["problemDetails"], []byte(refused))) {
			t.Errorf("%s: %d %s", what, code, out)
		}
	}
	step("suspend", ask(in.ID, suspension, true), http.StatusUnprocessableEntity, "suspended")
	step("lift", ask(in.ID, suspension, false), http.StatusOK, "")
	for what, c := range map[string]struct {
		id    string
		entry any
		want  int
	}{
		"another's place":        {"urn:uuid:another", revocation, http.StatusNotFound},
		"another purpose":        {in.ID, as(revocation, "revocation", "message"), http.StatusBadRequest},
		"the other's list":       {in.ID, as(revocation, `"revocation"`, `"suspension"`), http.StatusNotFound},
		"a list of somebody":     {in.ID, as(revocation, "/status/", "/x/status/"), http.StatusNotFound},
		"no entry":               {in.ID, object{}, http.StatusBadRequest},
		"an entry of no list":    {in.ID, object{"type": "BitstringStatusListEntry", "statusPurpose": "revocation"}, http.StatusBadRequest},
		"a place that is no one": {in.ID, as(revocation, `"statusListIndex":"`, `"statusListIndex":"9`), http.StatusNotFound},
	} {
		if code := ask(c.id, c.entry, true); code != c.want && !(c.want == http.StatusNotFound && code == http.StatusBadRequest && what == "a place that is no one") {
			t.Errorf("%s: %d, want %d", what, code, c.want)
		}
	}
	step("revoke", ask(in.ID, revocation, true), http.StatusUnprocessableEntity, "revoked")
	step("revoke again", ask(in.ID, revocation, true), http.StatusUnprocessableEntity, "revoked")
	if code := ask(in.ID, revocation, false); code != http.StatusConflict {
		t.Errorf("a revocation is lifted: %d", code)
	}
	if code := ask(in.ID, as(revocation, `"revocation"`, `"suspension"`), false); code != http.StatusNotFound {
		t.Errorf("a revocation is lifted as if it were a suspension: %d", code)
	}
	step("still revoked", http.StatusOK, http.StatusUnprocessableEntity, "revoked")
	if code, out := a.verify(t, signed, object{"checks": []string{"proof"}}); code != http.StatusOK {
		t.Errorf("only the proof: %d %s", code, out)
	}
	// Lists are public, each of its purpose and at the public origin.
	for i, entry := range in.CredentialStatus {
		var e struct{ StatusListCredential, StatusPurpose string }
		if err := json.Unmarshal(entry, &e); err != nil {
			t.Fatal(err)
		}
		a.actor = access.Anonymous()
		raw, err := a.Verifier.Fetch(t.Context(), e.StatusListCredential)
		a.actor = a.Registrar()
		if err != nil || !strings.HasPrefix(e.StatusListCredential, testbed.Origin+"/i/") || !bytes.Contains(raw, []byte(`"statusPurpose":"`+e.StatusPurpose+`"`)) || e.StatusPurpose != []string{"revocation", "suspension"}[i] {
			t.Errorf("%+v: %v %.300s", e, err, raw)
		}
	}
	// No place is lent twice, however many ask at once.
	var group sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]bool{}
	for n := range 20 {
		group.Go(func() {
			raw, err := a.service.Issue(t.Context(), a.actor, vcapi.Instances[1], []byte(fmt.Sprintf(`{"@context":["https://www.w3.org/ns/credentials/v2"],"id":"urn:x:%d","type":["VerifiableCredential"],"credentialSubject":{"id":"did:example:1"}}`, n)), vcapi.Options{})
			var c struct {
				CredentialStatus []struct{ StatusListIndex, StatusListCredential string }
			}
			if err == nil {
				err = json.Unmarshal(raw, &c)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil || len(c.CredentialStatus) != 2 {
				t.Error(len(c.CredentialStatus), err)
			}
			for _, e := range c.CredentialStatus {
				place := e.StatusListCredential + "#" + e.StatusListIndex
				if seen[place] || e.StatusListIndex == "" {
					t.Error(place)
				}
				seen[place] = true
			}
		})
	}
	group.Wait()
}

func TestVCAPIPresentations(t *testing.T) {
	a := newVCAPI(t)
	holder := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))
	did, method := vc.DIDKeyOf(holder.Public())
	signed := a.issue(t, "eddsa-rdfc-2022", minimal(nil), nil)
	enveloped := a.issue(t, "vc-jose-cose-p256", minimal(nil), nil)
	unsigned := fmt.Sprintf(`{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiablePresentation"],"holder":"%s","verifiableCredential":[%s,%s]}`, did, signed, enveloped)
	d, err := vc.PrepareWith([]byte(unsigned), vc.Options{Suite: vc.EdDSARDFC, Key: holder.Public(), VerificationMethod: method, Purpose: vc.Authentication,
		Created: a.Now(), Domain: []string{"a.example"}, Challenge: "c1"})
	if err != nil {
		t.Fatal(err)
	}
	presented, err := vc.Secure([]byte(unsigned), d.Attach(ed25519.Sign(holder, d.Hash)))
	if err != nil {
		t.Fatal(err)
	}
	j, err := vc.PrepareJWT([]byte(unsigned), vc.FormW3C, holder.Public(), method)
	if err != nil {
		t.Fatal(err)
	}
	token := j.Attach(ed25519.Sign(holder, j.Message))
	old := strings.Replace(string(presented), did, "did:example:other", 1)
	for name, c := range map[string]struct {
		presentation any
		options      object
		want         int
	}{
		"unsigned":            {json.RawMessage(unsigned), nil, http.StatusOK},
		"unsigned, asked for": {json.RawMessage(unsigned), object{"challenge": "c1"}, http.StatusUnprocessableEntity},
		"signed":              {json.RawMessage(presented), object{"challenge": "c1", "domain": "a.example"}, http.StatusOK},
		"another challenge":   {json.RawMessage(presented), object{"challenge": "c2", "domain": "a.example"}, http.StatusUnprocessableEntity},
		"another domain":      {json.RawMessage(presented), object{"challenge": "c1", "domain": "b.example"}, http.StatusUnprocessableEntity},
		"another holder":      {json.RawMessage(old), object{"challenge": "c1", "domain": "a.example"}, http.StatusUnprocessableEntity},
		"as a token":          {token, nil, http.StatusOK},
		"in an envelope":      {json.RawMessage(vc.Envelope(vc.MediaVPJWT, token)), nil, http.StatusOK},
		"a token, asked for":  {token, object{"challenge": "c1"}, http.StatusUnprocessableEntity},
		"a credential in it":  {json.RawMessage(strings.Replace(unsigned, "The School of Examples", "The School of Samples", 1)), nil, http.StatusUnprocessableEntity},
		"no presentation":     {json.RawMessage(signed), nil, http.StatusUnprocessableEntity},
		"a JWT among them":    {object{"@context": []string{"https://www.w3.org/ns/credentials/v2"}, "type": "VerifiablePresentation", "verifiableCredential": []string{token}}, nil, http.StatusUnprocessableEntity},
		"nothing in it":       {object{"@context": []string{"https://www.w3.org/ns/credentials/v2"}, "type": "VerifiablePresentation"}, nil, http.StatusOK},
		"holder of no kind":   {object{"@context": []string{"https://www.w3.org/ns/credentials/v2"}, "type": "VerifiablePresentation", "holder": 7}, nil, http.StatusUnprocessableEntity},
		"something else":      {7, nil, http.StatusUnprocessableEntity},
	} {
		code, out := a.post(t, "/presentations/verify", object{"verifiablePresentation": c.presentation, "options": c.options})
		if code != c.want {
			t.Errorf("%s: %d %s, want %d", name, code, out, c.want)
		}
	}
}
