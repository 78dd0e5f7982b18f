package rest_test

import (
	"bytes"
	"encoding/xml"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/interop"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/release"
	"github.com/testamur/testamur/internal/rest"
	"github.com/testamur/testamur/internal/spec/pdf"
	"github.com/testamur/testamur/internal/testbed"
	"github.com/testamur/testamur/internal/transcript"
	"github.com/testamur/testamur/internal/verify"
)

// press is a registrar's desk with a printer.
type press struct {
	*testbed.Bed
	t       *testing.T
	handler http.Handler
	actors  map[string]access.Actor
	student learner.Learner
	record  record.Record
}

func newPress(t *testing.T) *press {
	t.Helper()
	p := &press{Bed: testbed.New(t), t: t}
	p.Load(t)
	ref := "ref:" + demo.System + ":" + demo.Students()[0].Number
	var err error
	if p.student, err = p.Learners.Find(t.Context(), p.Registrar(), ref); err != nil {
		t.Fatal(err)
	}
	url, email := demo.URL, demo.Email
	_, err = p.Institutions.Revise(t.Context(), p.As(access.Administrator), nil, institution.Profile{Name: demo.Name, URL: &url, Email: &email, OtherIdentifier: []institution.Identifier{{Type: "ext:OPEID", Value: "99999900"}}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Records.Assemble(t.Context(), p.Registrar(), nil, ref)
	p.record = testbed.Must(t, r, err)
	other := p.As(access.Registrar)
	other.InstitutionID = string(p.Neighbour.ID)
	of := func(id string) access.Actor {
		return access.Actor{ID: id, InstitutionID: string(p.Home.ID), Roles: []access.Role{access.Learner}, LearnerID: id}
	}
	fellow, err := p.Learners.Find(t.Context(), p.Registrar(), "ref:"+demo.System+":"+demo.Students()[1].Number)
	if err != nil {
		t.Fatal(err)
	}
	p.actors = map[string]access.Actor{"registrar": p.Registrar(), "reader": p.As(access.Reader), "neighbour": other, "learner": of(string(p.student.ID)), "fellow": of(string(fellow.ID))}
	p.handler = rest.NewHandler(rest.Services{Documents: p.Documents, Origin: testbed.Origin, Now: p.Now, Log: slog.New(slog.DiscardHandler),
		Actor: func(r *http.Request) (access.Actor, error) {
			if name := r.Header.Get("Authorization"); name != "" {
				return p.actors[name], nil
			}
			return access.Anonymous(), nil
		}})
	return p
}

func (p *press) ask(method, who, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if who != "" {
		r.Header.Set("Authorization", who)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w
}

func (p *press) print() []byte {
	p.t.Helper()
	w := p.ask(http.MethodGet, "registrar", "/records/"+string(p.record.ID)+"/transcript.pdf", "")
	if w.Code != http.StatusOK {
		p.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// The parts share one desk and follow each other.
func TestDocuments(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	t.Run("who may read", p.whoMayRead)
	t.Run("a print verifies", p.verifies)
	t.Run("the page and the XML", p.otherFaces)
	t.Run("a rotated key signs no more", p.rotated)
	t.Run("a revoked record has revoked prints", p.revokedRecord)
	t.Run("paper", p.paper)
}

// page is the path of the verify page of a print: what its code leads to.
func (p *press) page(d transcript.Document) string {
	p.t.Helper()
	address, err := p.Documents.Address(p.t.Context(), p.Registrar(), string(d.ID))
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.TrimPrefix(address, testbed.Origin)
}

func (p *press) whoMayRead(t *testing.T) {
	p.t = t
	for _, face := range []string{"pdf", "html", "xml"} {
		path := "/records/" + string(p.record.ID) + "/transcript." + face
		for who, want := range map[string]int{"registrar": 200, "learner": 200, "reader": 403, "neighbour": 404, "fellow": 404, "": 401} {
			if w := p.ask(http.MethodGet, who, path, ""); w.Code != want {
				t.Errorf("%s asks for %s: %d, want %d: %.200s", who, face, w.Code, want, w.Body)
			}
		}
	}
	first, second := p.print(), p.print()
	if !bytes.Equal(first, second) {
		t.Error("two prints of one record differ")
	}
	all, err := p.Documents.OfRecords(t.Context(), p.Registrar(), []record.ID{p.record.ID})
	if err != nil || len(all[p.record.ID]) != 1 {
		t.Fatalf("%d documents are on file (%v)", len(all[p.record.ID]), err)
	}
	d := all[p.record.ID][0]
	for who, want := range map[string]int{"registrar": 200, "learner": 200, "reader": 403, "neighbour": 404, "fellow": 404, "": 401} {
		if w := p.ask(http.MethodGet, who, "/documents/"+string(d.ID)+"/document.pdf", ""); w.Code != want {
			t.Errorf("%s asks for the document: %d, want %d", who, w.Code, want)
		}
	}
	hold, err := p.Holds.Place(t.Context(), p.Registrar(), release.Placement{LearnerID: string(p.student.ID), Reason: release.Other, Note: "See the library."})
	if err != nil {
		t.Fatal(err)
	}
	if w := p.ask(http.MethodGet, "learner", "/records/"+string(p.record.ID)+"/transcript.pdf", ""); w.Code != http.StatusForbidden {
		t.Errorf("a learner is handed what is held back: %d", w.Code)
	}
	if _, err := p.Holds.Lift(t.Context(), p.Registrar(), string(hold.ID), "It was returned."); err != nil {
		t.Fatal(err)
	}
}

// What is attached verifies here and with somebody else's verifier; the pages are
// those that the institution signed; one changed byte is refused.
func (p *press) verifies(t *testing.T) {
	p.t = t
	raw := p.print()
	x := func(file []byte) verify.Report {
		r, err := p.Verifier.Report(t.Context(), access.Anonymous(), file)
		return testbed.Must(t, r, err)
	}
	whole := x(raw)
	for _, c := range whole.Checks {
		if c.Outcome == verify.Failed || c.Name == "pages" && c.Outcome != verify.Passed {
			t.Errorf("%s: %s %s", c.Name, c.Outcome, c.Reason)
		}
	}
	changed := bytes.Clone(raw)
	changed[bytes.Index(changed, []byte("/MediaBox"))+1]++
	if got := x(changed); got.Outcome != verify.Failed {
		t.Errorf("a changed byte: %s", got.Outcome)
	}
	f, err := pdf.Read(raw)
	if err != nil {
		t.Fatal(err)
	}
	files := f.Files()
	if len(files) != 1 {
		t.Fatalf("%d files are attached", len(files))
	}
	name := filepath.Join(t.TempDir(), "print.pdf")
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if said, _ := interop.Run(t, "pdfsig", name); !strings.Contains(said, "Signature is Valid") || !strings.Contains(said, "Total document signed") {
		t.Errorf("pdfsig: %s", said)
	}
	if said, ok := interop.Run(t, "qpdf", "--check", name); !ok {
		t.Errorf("qpdf: %s", said)
	}
}

func (p *press) rotated(t *testing.T) {
	p.t = t
	p.print()
	admin := p.As(access.Administrator)
	if _, err := p.Keys.Rotate(t.Context(), admin, keyring.P256); err != nil {
		t.Fatal(err)
	}
	r, err := p.Verifier.Report(t.Context(), access.Anonymous(), p.print())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Checks {
		if c.Name == "pages" && c.Outcome != verify.Passed {
			t.Errorf("the print was not signed again: %s", c.Reason)
		}
	}
}

// Scenario 7: a print is scanned long after. The page tells what became of it and
// whether what somebody reads is what was printed, and nothing else.
func (p *press) paper(t *testing.T) {
	p.t = t
	p.print()
	all, err := p.Documents.OfRecords(t.Context(), p.Registrar(), []record.ID{p.record.ID})
	if err != nil {
		t.Fatal(err)
	}
	d := all[p.record.ID][0]
	path := p.page(d)
	w := p.ask(http.MethodGet, "", path, "")
	if w.Code != 200 || !strings.Contains(w.Body.String(), "This document is current.") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for _, never := range []string{p.student.DisplayName, string(p.student.ID), string(p.record.ID), string(d.ID), demo.Students()[0].Number} {
		if strings.Contains(w.Body.String(), never) {
			t.Errorf("the page tells %q", never)
		}
	}
	for header, want := range map[string]string{"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Robots-Tag": "noindex"} {
		if got := w.Header().Get(header); got != want {
			t.Errorf("%s: %q", header, got)
		}
	}
	if got := w.Header().Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'none'") || !strings.Contains(got, "frame-ancestors 'none'") {
		t.Errorf("policy: %q", got)
	}
	compare := func(values ...string) string {
		form := url.Values{}
		for i := 0; i < len(values); i += 2 {
			form.Set(values[i], values[i+1])
		}
		return p.ask(http.MethodPost, "", path, form.Encode()).Body.String()
	}
	if got := compare("name", "  "+strings.ToUpper(p.student.DisplayName)+" ", "issued", "2026-11-24"); strings.Count(got, "This is what was printed.") != 2 || strings.Contains(got, "not what was printed") {
		t.Errorf("what was printed is not known: %s", got)
	}
	if got := compare("name", p.student.DisplayName+" Jr.", "entries", "9999"); strings.Count(got, "This is not what was printed.") != 2 {
		t.Errorf("what was not printed is not told: %s", got)
	}
	for _, wrong := range []string{"/v/x", "/v/" + demo.Slug + "." + strings.Repeat("A", 32), strings.Replace(path, "/v/"+demo.Slug, "/v/hillside", 1), path[:len(path)-1], "/v/" + strings.Repeat("a", 4000)} {
		if w := p.ask(http.MethodGet, "", wrong, ""); w.Code != 404 || !strings.Contains(w.Body.String(), "No such document") {
			t.Errorf("%s: %d", wrong, w.Code)
		}
	}

	// Scenario 3: a new name. The former one is not printed any more, and the old
	// print is superseded.
	former := p.student.DisplayName
	if _, err := p.Learners.Rename(t.Context(), p.Registrar(), string(p.student.ID), nil, learner.Renaming{DisplayName: "Robin Newname", Reason: "court order"}); err != nil {
		t.Fatal(err)
	}
	for _, face := range []string{"pdf", "html", "xml"} {
		if w := p.ask(http.MethodGet, "registrar", "/records/"+string(p.record.ID)+"/transcript."+face, ""); w.Code != http.StatusConflict || strings.Contains(w.Body.String(), former) {
			t.Errorf("the former name is printed: %s %d", face, w.Code)
		}
	}
	if _, err := p.Records.Assemble(t.Context(), p.Registrar(), nil, string(p.student.ID)); err != nil {
		t.Fatal(err)
	}
	if got := p.ask(http.MethodGet, "", path, "").Body.String(); !strings.Contains(got, "This document was superseded on 24 November 2026.") || !strings.Contains(got, "Ask the holder for the current record") ||
		strings.Contains(got, former) || strings.Contains(got, "Newname") {
		t.Errorf("after a new name: %s", got)
	}

	if _, err := p.Documents.Revoke(t.Context(), p.Registrar(), string(d.ID), "Lost in the mail."); err != nil {
		t.Fatal(err)
	}
	if got := p.ask(http.MethodGet, "", path, "").Body.String(); !strings.Contains(got, "This document was revoked on 24 November 2026.") || strings.Contains(got, "mail") {
		t.Errorf("after it was revoked: %s", got)
	}
	if _, err := p.Documents.Revoke(t.Context(), p.Registrar(), string(d.ID), "Again."); err == nil {
		t.Error("a document was revoked twice")
	}
}

func (p *press) revokedRecord(t *testing.T) {
	p.t = t
	r, err := p.Records.Assemble(t.Context(), p.Registrar(), nil, "ref:"+demo.System+":"+demo.Students()[1].Number)
	if err != nil {
		t.Fatal(err)
	}
	d, err := p.Documents.Make(t.Context(), p.Registrar(), nil, transcript.Making{RecordID: string(r.ID), Paper: transcript.A4, Recipient: "Acme Inc."})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Credentials.Revoke(t.Context(), p.Registrar(), nil, string(r.CredentialID), credential.Revocation{Cause: credential.IssuedInError, Reason: "wrong person"}); err != nil {
		t.Fatal(err)
	}
	if got := p.ask(http.MethodGet, "", p.page(d), "").Body.String(); !strings.Contains(got, "This document was revoked on") {
		t.Errorf("%s", got)
	}
}

func (p *press) otherFaces(t *testing.T) {
	p.t = t
	w := p.ask(http.MethodGet, "learner", "/records/"+string(p.record.ID)+"/transcript.html", "")
	for _, want := range []string{`<html lang="en">`, "<h1", `scope="col"`, `scope="row"`, p.Home.Name} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the page does not have %q", want)
		}
	}
	if strings.Contains(w.Body.String(), "<script") {
		t.Error("the page has script")
	}
	w = p.ask(http.MethodGet, "learner", "/records/"+string(p.record.ID)+"/transcript.xml", "")
	dec := xml.NewDecoder(w.Body)
	n := 0
	for {
		token, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			if n++; (e.Name.Space != "") != (n == 1) {
				t.Errorf("%s is in the namespace %q", e.Name.Local, e.Name.Space)
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d elements", n)
	}
	for to, want := range map[string]int{"IPEDS:240444": 200, "IPEDS:24044": 400, "nobody": 400} {
		w := p.ask(http.MethodGet, "learner", "/records/"+string(p.record.ID)+"/transcript.xml?to="+to+"&name=Elsewhere", "")
		if w.Code != want || (want == 200) != strings.Contains(w.Body.String(), "<IPEDS>240444</IPEDS>") {
			t.Errorf("to %s: %d %.200s", to, w.Code, w.Body)
		}
	}
}
