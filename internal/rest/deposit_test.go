package rest_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/interop"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/rest"
	"github.com/testamur/testamur/internal/spec/clr"
	"github.com/testamur/testamur/internal/testbed"
)

// TestUpsertCredential posts what others issued, as a wallet does, and reads it
// again: OB 3.0 §6.2 and the CLR 2.0 API.
func TestUpsertCredential(t *testing.T) {
	t.Parallel()
	b, a := testbed.New(t), testbed.NewAbroad(1)
	did := "did:example:ada"
	ada, err := b.Learners.Define(t.Context(), b.Registrar(), learner.Definition{DisplayName: "Ada", DID: &did})
	own := b.As(access.Learner)
	own.LearnerID = string(testbed.Must(t, ada, err).ID)
	who := own
	handler := rest.NewHandler(rest.Services{Institutions: b.Institutions, Learners: b.Learners, Credentials: b.Credentials, Disclosures: b.Disclosures, Holds: b.Holds, Deposits: b.Deposits, Origin: testbed.Origin, Now: b.Now,
		Log: slog.New(slog.DiscardHandler), Actor: func(*http.Request) (access.Actor, error) { return who, nil }})
	send := func(method, path, media string, body []byte) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/ims"+path, bytes.NewReader(body))
		r.Header.Set("Content-Type", media)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	const badges, records = "/ob/v3p0/credentials", "/clr/v2p0/credentials"
	badge, token := a.Signed(t, a.Badge(1, did)), a.Token(t, a.Badge(2, did))
	doc, err := clr.Compose(clr.Credential{ID: "urn:uuid:00000000-0000-4000-8000-00000000000a", Name: "Record", Issuer: a.Badge(1, "").Issuer, ValidFrom: "2026-03-01T00:00:00Z",
		CredentialSubject: clr.Subject{ID: did, VerifiableCredential: []json.RawMessage{badge}}})
	record := a.Sign(t, testbed.Must(t, doc, err))
	errors := interop.Schema(t, "ob3/ob_v3p0_imsx_statusinfo_schema.json")
	for i, c := range []struct {
		who    access.Actor
		path   string
		media  string
		body   []byte
		status int
	}{
		{own, badges, "application/vc+ld+json", badge, http.StatusCreated},
		{own, badges, "application/json; charset=utf-8", badge, http.StatusOK},
		{own, badges, "text/plain", token, http.StatusCreated},
		{own, badges, "text/plain", token, http.StatusOK},
		{own, records, "application/json", record, http.StatusCreated},
		{own, records, "application/json", badge, http.StatusBadRequest},
		{own, badges, "application/json", record, http.StatusBadRequest},
		{own, badges, "application/json", []byte("{}"), http.StatusBadRequest},
		{own, badges, "application/json", bytes.Replace(badge, []byte("two"), []byte("ten"), 1), http.StatusBadRequest},
		{own, badges, "application/xml", badge, http.StatusUnsupportedMediaType},
		{own, badges, "application/json", bytes.Repeat([]byte(" "), 5<<20), http.StatusRequestEntityTooLarge},
		{b.Registrar(), badges, "application/json", badge, http.StatusForbidden},
		{access.Anonymous(), badges, "application/json", badge, http.StatusUnauthorized},
	} {
		who = c.who
		w := send(http.MethodPost, c.path, c.media, c.body)
		if w.Code != c.status {
			t.Errorf("%d: %d, want %d: %s", i, w.Code, c.status, w.Body)
			continue
		}
		if w.Code < 300 {
			if !bytes.Equal(w.Body.Bytes(), c.body) || w.Header().Get("Content-Type") != c.media {
				t.Errorf("%d: the answer is not what was sent: %s", i, w.Header())
			}
			continue
		}
		fits(t, errors, c.path, w)
	}
	who = own
	for _, c := range []struct {
		path, schema  string
		total         string
		json, compact int
		document      string
	}{
		{badges, "ob3/ob_v3p0_getopenbadgecredentialsresponse_schema.json", "2", 1, 1, string(badge)},
		{badges + "?limit=1", "", "2", 1, 0, string(badge)},
		{badges + "?limit=1&offset=1", "", "2", 0, 1, ""},
		{badges + "?since=2026-01-01T00:00:00Z", "", "0", 0, 0, ""},
		{records, "clr2/json-ld-variant/clr_v2p0_getclrcredentialsresponse_schema.json", "1", 1, 0, string(record)},
	} {
		w := send(http.MethodGet, c.path, "", nil)
		var page struct {
			Credential       []json.RawMessage
			CompactJwsString []string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != http.StatusOK {
			t.Fatal(err, w.Body)
		}
		if w.Header().Get("X-Total-Count") != c.total || len(page.Credential) != c.json || len(page.CompactJwsString) != c.compact {
			t.Errorf("%s: %s, %d and %d", c.path, w.Header().Get("X-Total-Count"), len(page.Credential), len(page.CompactJwsString))
			continue
		}
		if c.document != "" && string(page.Credential[0]) != c.document {
			t.Errorf("%s: not byte for byte: %s", c.path, page.Credential[0])
		}
		if c.schema != "" {
			fits(t, interop.Schema(t, c.schema), c.path, w)
		}
	}
}
