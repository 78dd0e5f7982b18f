package web_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/archive"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/learner"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/session"
	"github.com/testamur/testamur/internal/spec/baking"
	"github.com/testamur/testamur/internal/testbed"
	"github.com/testamur/testamur/internal/web"
)

// inline finds script and style within a page, and handlers in attributes.
var inline = regexp.MustCompile(`(?i)<script(?:[^>]*)>[^<]|<style|\sstyle=|\son[a-z]+=|javascript:`)

// TestEveryPageIsWhole opens each page in both languages: it answers, says
// everything in the language that was asked for, has nothing inline, and has the
// headers that protect it; and nobody else may open it.
func TestEveryPageIsWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var unsaid sync.Map
	w.serve(t, func(s *web.Services) { s.Unsaid = func(text string) { unsaid.Store(text, true) } })
	for _, p := range w.places(t) {
		for _, lang := range []string{"en", "es"} {
			r := w.request(t, http.MethodGet, p.cookie, p.path, nil)
			r.Header.Set("Accept-Language", lang+"-US, "+lang+";q=0.9")
			a := w.send(t, r)
			want := http.StatusOK
			if p.name == "not-found" {
				want = http.StatusNotFound
			}
			h := a.Header
			policy := h.Get("Content-Security-Policy")
			switch {
			case a.StatusCode != want:
				t.Errorf("%s: %d\n%s", p.path, a.StatusCode, a.body)
			case !strings.Contains(a.body, `<html lang="`+lang+`">`) || h.Get("Content-Language") != lang:
				t.Errorf("%s: not in %s", p.path, lang)
			case inline.MatchString(strings.ReplaceAll(a.body, `<script src=`, "")):
				t.Errorf("%s: inline: %s", p.path, inline.FindString(a.body))
			case strings.Contains(a.body, "%!") || strings.Contains(a.body, "ZgotmplZ") || strings.Contains(a.body, "<nil>"):
				t.Errorf("%s: a blank was not filled\n%s", p.path, a.body)
			case !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe"):
				t.Errorf("%s: policy %q", p.path, policy)
			case h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cache-Control") != "no-store":
				t.Errorf("%s: headers %v", p.path, h)
			}
		}
		if p.cookie == "" {
			continue
		}
		if a := w.get(t, "", p.path); a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/sign-in?next=") {
			t.Errorf("%s for a stranger: %d %s", p.path, a.StatusCode, a.Header.Get("Location"))
		}
		other := w.student
		if p.cookie == w.student {
			other = w.staff[access.Registrar]
		}
		if a := w.get(t, other, p.path); a.StatusCode != http.StatusForbidden && p.path != "/account" {
			t.Errorf("%s for who has no business there: %d", p.path, a.StatusCode)
		}
	}
	unsaid.Range(func(text, _ any) bool {
		t.Errorf("not in Spanish: %q", text)
		return true
	})
}

// TestABrowserIsToldOnAPage: an address that is no page answers a browser in its
// reader's language, with who is signed in, and a program in JSON.
func TestABrowserIsToldOnAPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		path, accept string
		cookie       string
		code         int
		media        string
		says         []string
	}{
		{"/nowhere", "text/html,*/*;q=0.8", "", http.StatusNotFound, "text/html", []string{"No encontrado", `lang="es"`, "/sign-in"}},
		{"/i/nobody", "text/html", w.student, http.StatusNotFound, "text/html", []string{"No encontrado", w.learner.DisplayName}},
		{"/records/" + string(w.record.ID) + "/transcript.html?x=1", "text/html", "", http.StatusUnauthorized, "text/html", []string{"/sign-in?next=%2frecords%2f" + string(w.record.ID) + "%2ftranscript.html%3fx%3d1"}},
		{"/nowhere", "*/*", "", http.StatusNotFound, "application/problem+json", []string{`"code":"NOT_FOUND"`}},
		{"/nowhere", "", "", http.StatusNotFound, "application/problem+json", []string{`"status":404`}},
	} {
		r := w.request(t, http.MethodGet, c.cookie, c.path, nil)
		r.Header.Set("Accept", c.accept)
		r.Header.Set("Accept-Language", "es")
		a := w.send(t, r)
		if a.StatusCode != c.code || !strings.HasPrefix(a.Header.Get("Content-Type"), c.media) || !slices.Contains(a.Header.Values("Vary"), "Accept") {
			t.Errorf("%s for %q: %d %v", c.path, c.accept, a.StatusCode, a.Header)
		}
		for _, s := range c.says {
			if !strings.Contains(a.body, s) {
				t.Errorf("%s for %q does not say %q\n%s", c.path, c.accept, s, a.body)
			}
		}
	}
	r := w.request(t, http.MethodPost, "", "/nowhere", strings.NewReader("{}"))
	r.Header.Set("Accept", "text/html")
	if a := w.send(t, r); a.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("a form: %v", a.Header)
	}
}

// TestACatalogueHasNoMoreThanIsSaid looks for sentences that stand in no page any
// more, and for blanks that differ between the languages.
func TestACatalogueHasNoMoreThanIsSaid(t *testing.T) {
	raw, err := os.ReadFile("message/es.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]string
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, pattern := range []string{"*.go", "template/*.html"} {
		names, err := fs.Glob(os.DirFS("."), pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			text, err := os.ReadFile(n)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(text)
		}
	}
	for en, es := range all {
		if !strings.Contains(source.String(), `"`+en+`"`) {
			t.Errorf("said nowhere: %q", en)
		}
		if strings.Count(en, "%d") != strings.Count(es, "%d") {
			t.Errorf("the blanks differ: %q, %q", en, es)
		}
	}
	for _, m := range regexp.MustCompile(`\bt "([^"]+)"`).FindAllStringSubmatch(source.String(), -1) {
		if _, ok := all[m[1]]; !ok {
			t.Errorf("not in Spanish: %q", m[1])
		}
	}
}

func TestAFormFromAnotherSiteIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := "/desk/learners/" + string(w.learner.ID) + "/name"
	form := url.Values{"displayName": {"Mallory"}, "reason": {"none"}}
	r := w.request(t, http.MethodPost, w.staff[access.Registrar], path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Origin", "https://evil.example")
	if a := w.send(t, r); a.StatusCode != http.StatusForbidden {
		t.Errorf("%d", a.StatusCode)
	}
	l, err := w.Learners.Find(context.Background(), w.Registrar(), student)
	if err != nil || l.DisplayName != w.learner.DisplayName {
		t.Errorf("the name is %q: %v", l.DisplayName, err)
	}
}

func TestSignInMakesANewSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.enter(t, session.Person{LearnerID: string(w.learner.ID)})
	a := w.post(t, old, "/sign-in", url.Values{"institution": {w.Home.Slug}, "person": {string(w.learner.ID)}, "next": {"/me/privacy"}})
	var fresh string
	for _, c := range a.Cookies() {
		if c.Name == "session" {
			fresh = c.Value
			if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" {
				t.Errorf("cookie %+v", c)
			}
		}
	}
	if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/me/privacy" || fresh == "" || fresh == old {
		t.Fatalf("%d %s %q", a.StatusCode, a.Header.Get("Location"), fresh)
	}
	if a := w.get(t, old, "/me"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("the old session still opens: %d", a.StatusCode)
	}
	if a := w.get(t, fresh, "/me"); a.StatusCode != http.StatusOK {
		t.Errorf("the new session: %d", a.StatusCode)
	}
	for _, next := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, "javascript:alert(1)"} {
		a := w.post(t, "", "/sign-in", url.Values{"institution": {w.Home.Slug}, "person": {string(w.learner.ID)}, "next": {next}})
		if to := a.Header.Get("Location"); to != "/" {
			t.Errorf("after sign-in to %q", to)
		}
	}
	w.post(t, fresh, "/account/sign-out-everywhere", nil)
	if a := w.get(t, fresh, "/me"); a.StatusCode != http.StatusSeeOther {
		t.Errorf("after signing out everywhere: %d", a.StatusCode)
	}
}

// TestOnlyTheDemonstrationLetsPeopleChoose asks at a service that is none, and at
// the demonstration under a name that somebody else points to this machine.
func TestOnlyTheDemonstrationLetsPeopleChoose(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := url.Values{"institution": {w.Home.Slug}, "person": {string(w.learner.ID)}}
	r := w.request(t, http.MethodPost, "", "/sign-in", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Host = "evil.example"
	if a := w.send(t, r); a.StatusCode != http.StatusNotFound {
		t.Errorf("by another name: %d", a.StatusCode)
	}
	w.serve(t, func(s *web.Services) { s.Choose, s.Origin = false, "https://records.example" })
	if a := w.post(t, "", "/sign-in", form); a.StatusCode != http.StatusNotFound || len(a.Cookies()) > 0 {
		t.Errorf("in earnest: %d", a.StatusCode)
	}
	if a := w.get(t, "", "/sign-in"); strings.Contains(a.body, w.learner.DisplayName) || strings.Contains(a.body, "Ingrid") {
		t.Error("the page to sign in at names people")
	}
	r = w.request(t, http.MethodPost, "", "/language", strings.NewReader("to=es"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range w.send(t, r).Cookies() {
		if !c.Secure {
			t.Errorf("%s is not secure behind https", c.Name)
		}
	}
}

// TestARoleSeesItsOwnDesk: what the pages offer is what the roles allow, and a
// form that is not allowed is refused also when it is sent.
func TestARoleSeesItsOwnDesk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	of := "/desk/learners/" + string(w.learner.ID)
	page := w.get(t, w.staff[access.Assessor], of).body
	if !strings.Contains(page, of+"/award") || strings.Contains(page, of+"/name") || strings.Contains(page, of+"/hold") {
		t.Error("an assessor is offered something else than to award")
	}
	for _, path := range []string{of + "/name", of + "/hold", of + "/assemble", "/desk/credentials/" + w.badge + "/revoke", "/desk/institution/profile", "/desk/imports/new"} {
		if a := w.get(t, w.staff[access.Assessor], path); a.StatusCode != http.StatusForbidden {
			t.Errorf("GET %s: %d", path, a.StatusCode)
		}
		if a := w.post(t, w.staff[access.Assessor], path, url.Values{"reason": {"x"}, "displayName": {"x"}, "cause": {"other"}, "name": {"x"}, "type": {"full"}}); a.StatusCode != http.StatusForbidden {
			t.Errorf("POST %s: %d", path, a.StatusCode)
		}
	}
	stranger, err := w.Learners.Define(context.Background(), access.Actor{ID: "x", InstitutionID: string(w.Neighbour.ID), Roles: []access.Role{access.Registrar}}, learner.Definition{DisplayName: "Not Ours"})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", "/name", "/award"} {
		if a := w.get(t, w.staff[access.Registrar], "/desk/learners/"+string(stranger.ID)+path); a.StatusCode != http.StatusNotFound || strings.Contains(a.body, "Not Ours") {
			t.Errorf("a neighbour's learner%s: %d", path, a.StatusCode)
		}
	}
	if a := w.get(t, w.student, "/me/records/"+string(w.othersRecord(t))); a.StatusCode != http.StatusNotFound {
		t.Errorf("another learner's record: %d", a.StatusCode)
	}
}

func (w *world) othersRecord(t *testing.T) record.ID {
	t.Helper()
	r, err := w.Records.Assemble(context.Background(), w.Registrar(), nil, "ref:sis:S100002")
	return testbed.Must(t, r, err).ID
}

// TestARegistrarsDay follows one learner through the desk: found by a prefix,
// awarded, corrected, signed, renamed, assembled, revoked.
func TestARegistrarsDay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	me := w.staff[access.Registrar]
	if a := w.get(t, me, "/desk?q="+url.QueryEscape("joaquin")); !strings.Contains(a.body, "Joaquín") {
		t.Error("an accent hides somebody")
	}
	if a := w.get(t, me, "/desk?q=s100001"); !strings.Contains(a.body, w.learner.DisplayName) || strings.Count(a.body, `<a href="/desk/learners/lrn_`) != 1 {
		t.Error("a number finds somebody else")
	}
	a := w.post(t, me, "/desk/learners/new", url.Values{"givenName": {"<script>alert(1)</script>"}, "familyName": {"Tables"}, "system": {"sis"}, "number": {"S990001"}})
	of, _, _ := strings.Cut(a.Header.Get("Location"), "?")
	if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(of, "/desk/learners/lrn_") {
		t.Fatalf("add: %d %s\n%s", a.StatusCode, of, a.body)
	}
	if page := w.get(t, me, of).body; strings.Contains(page, "<script>alert") || !strings.Contains(page, "&lt;script&gt;alert") {
		t.Error("a name is script")
	}
	award := w.post(t, me, of+"/award", url.Values{"achievedOn": {"2026-10-01"}, "term": {"Fall 2026"}, "achievementId": {w.achievement(t)}})
	if award.StatusCode != http.StatusSeeOther {
		t.Fatalf("award: %d\n%s", award.StatusCode, award.body)
	}
	future := w.post(t, me, of+"/award", url.Values{"achievedOn": {"2031-01-01"}, "achievementId": {w.achievement(t)}})
	if future.StatusCode != http.StatusBadRequest || !strings.Contains(future.body, `href="#f-achievedOn"`) || !strings.Contains(future.body, `value="2031-01-01"`) {
		t.Errorf("an award of the future: %d", future.StatusCode)
	}
	id := regexp.MustCompile(`/desk/awards/(asn_[a-z0-9]+)/correct`).FindStringSubmatch(w.get(t, me, of).body)
	if id == nil {
		t.Fatal("the award is not on the page")
	}
	steps := []struct {
		path string
		form url.Values
		say  string
	}{
		{"/desk/awards/" + id[1] + "/issue", nil, "The credential is signed."},
		{"/desk/awards/" + id[1] + "/correct", url.Values{"achievedOn": {"2026-10-02"}, "term": {"Fall 2026"}, "reason": {"Wrong day"}}, "Signed before it was corrected"},
		{of + "/name", url.Values{"displayName": {"Robin Tables"}, "reason": {"Marriage"}}, "Robin Tables"},
		{of + "/assemble", url.Values{"type": {"full"}}, "version 1"},
		{of + "/hold", url.Values{"reason": {"financial"}, "terms": {"Fall 2026"}}, "Money is owed"},
		{of + "/directory", url.Values{"blocked": {"yes"}, "reason": {"asked"}}, "Directory information is blocked"},
		{"/desk/awards/" + id[1] + "/withdraw", url.Values{"reason": {"Wrong learner"}}, "Nobody has been shown it."},
	}
	for _, s := range steps {
		a := w.post(t, me, s.path, s.form)
		to, _, _ := strings.Cut(a.Header.Get("Location"), "#")
		if a.StatusCode != http.StatusSeeOther {
			t.Fatalf("%s: %d\n%s", s.path, a.StatusCode, a.body)
		}
		if page := w.get(t, me, to).body; !strings.Contains(page, s.say) {
			t.Errorf("%s: the page does not say %q", s.path, s.say)
		}
	}
}

func (w *world) achievement(t *testing.T) string {
	t.Helper()
	page := w.get(t, w.staff[access.Registrar], "/desk/learners/"+string(w.learner.ID)+"/award").body
	m := regexp.MustCompile(`<option value="(ach_[a-z0-9]+)"`).FindStringSubmatch(page)
	if m == nil {
		t.Fatal("no achievement is offered")
	}
	return m[1]
}

// bring posts files to the verify page.
func (w *world) bring(t testing.TB, files map[string][]byte) answer {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for name, raw := range files {
		attach(t, m, name, raw)
	}
	_ = m.WriteField("text", "")
	return w.sendForm(t, "", "/verify", m, &b)
}

// upload posts fields and a file after them.
func (w *world) upload(t testing.TB, cookie, path string, fields [][2]string, name, raw string) answer {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for _, f := range fields {
		_ = m.WriteField(f[0], f[1])
	}
	attach(t, m, name, []byte(raw))
	return w.sendForm(t, cookie, path, m, &b)
}

func attach(t testing.TB, m *multipart.Writer, name string, raw []byte) {
	t.Helper()
	part, err := m.CreateFormFile("file", name)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(raw)
}

func (w *world) sendForm(t testing.TB, cookie, path string, m *multipart.Writer, b *bytes.Buffer) answer {
	t.Helper()
	_ = m.Close()
	r := w.request(t, http.MethodPost, cookie, path, b)
	r.Header.Set("Content-Type", m.FormDataContentType())
	return w.send(t, r)
}

// document is a signed document of the learner's.
func (w *world) document(t testing.TB, id string) []byte {
	t.Helper()
	return []byte(*testbed.Whole(t, w.Credentials, w.Registrar(), id).Document)
}

func TestAnyoneVerifies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.document(t, w.badge)
	whole := w.bring(t, map[string][]byte{"badge.json": good})
	if whole.StatusCode != http.StatusOK || strings.Count(whole.body, "<div class=\"question\">") != 5 || !strings.Contains(whole.body, "Is it unchanged since it was signed?") {
		t.Errorf("one badge: %d\n%s", whole.StatusCode, whole.body)
	}
	bad := bytes.Replace(good, []byte("Alder Sound"), []byte("Older Sound"), 1)
	if a := w.bring(t, map[string][]byte{"bad.json": bad}); !strings.Contains(a.body, "Do not rely on this") {
		t.Error("changed bytes hold")
	}
	if a := w.bring(t, map[string][]byte{}); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.body, "Choose a file") {
		t.Errorf("nothing: %d", a.StatusCode)
	}
	_, err := w.Credentials.Revoke(context.Background(), w.Registrar(), nil, w.badge, credential.Revocation{Cause: credential.IssuedInError, Reason: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if a := w.bring(t, map[string][]byte{"badge.json": good}); !strings.Contains(a.body, "Do not rely on this") {
		t.Error("a revoked badge holds")
	}
}

// TestEveryFormOfACredential brings the same badge and record in each form that
// people are given: all hold, in the same five steps.
func TestEveryFormOfACredential(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.document(t, w.badge)
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	inPNG, err := baking.Bake(picture.Bytes(), baking.OpenBadges3, good)
	testbed.Must(t, inPNG, err)
	inSVG, err := baking.Bake([]byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"></svg>`), baking.OpenBadges3, good)
	testbed.Must(t, inSVG, err)
	print, err := w.Documents.PDF(context.Background(), w.Registrar(), string(w.print.ID))
	testbed.Must(t, print, err)
	forms := map[string][]byte{"badge.json": good, "badge.jwt": w.token(t, good), "badge.png": inPNG, "badge.svg": inSVG, "record.json": w.document(t, string(w.record.CredentialID)), "record.pdf": print}
	var all bytes.Buffer
	z := zip.NewWriter(&all)
	for name, raw := range forms {
		part, err := z.Create(name)
		testbed.Must(t, part, err)
		_, _ = part.Write(raw)
	}
	testbed.Must(t, 0, z.Close())
	forms["all.zip"] = all.Bytes()
	for name, raw := range forms {
		a := w.bring(t, map[string][]byte{name: raw})
		top, _, _ := strings.Cut(a.body, `<ul class="verdicts">`)
		if a.StatusCode != http.StatusOK || strings.Count(top, `<div class="question">`) != 5 || !strings.Contains(a.body, "<h1>This holds</h1>") {
			t.Errorf("%s: %d\n%s", name, a.StatusCode, top)
		}
	}
}

// TestAnArchiveIsVerified brings the archive of a learner, whole, and with a byte
// changed.
func TestAnArchiveIsVerified(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := filepath.Join(t.TempDir(), "umar.zip")
	made, err := w.Archives.Write(t.Context(), w.As(access.System), archive.Order{To: name, Learners: []string{string(w.learner.ID)}}, nil)
	testbed.Must(t, made, err)
	raw, err := os.ReadFile(name)
	testbed.Must(t, raw, err)
	w.serve(t, func(s *web.Services) { s.Origin = testbed.Origin })
	if a := w.bring(t, map[string][]byte{"umar.zip": raw}); !strings.Contains(a.body, "<h1>This holds</h1>") || !strings.Contains(a.body, "Archive of an institution") || !strings.Contains(a.body, "The keys of the archive are those") {
		t.Errorf("the archive: %d\n%s", a.StatusCode, a.body)
	}
	if a := w.bring(t, map[string][]byte{"umar.zip": rezipped(t, raw, ".json", func(b []byte) []byte { return append(b, ' ') })}); !strings.Contains(a.body, "Do not rely on this") {
		t.Errorf("with changed files: %d\n%s", a.StatusCode, a.body)
	}
	if a := w.bring(t, map[string][]byte{"umar.zip": rezipped(t, raw, ".txt", func([]byte) []byte { return make([]byte, 17<<20) })}); !strings.Contains(a.body, "This is more than is checked on a page") {
		t.Errorf("one that unpacks to more than is looked at: %d\n%s", a.StatusCode, a.body)
	}
}

// TestManyArchivesAreNotAllLookedAt: what a request has unpacked is bounded.
func TestManyArchivesAreNotAllLookedAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var small bytes.Buffer
	z := zip.NewWriter(&small)
	part, err := z.Create("manifest.json")
	testbed.Must(t, part, err)
	_, _ = part.Write([]byte(`{"type":["VerifiableCredential","InstitutionArchive"]}`))
	testbed.Must(t, 0, z.Close())
	files := map[string][]byte{}
	for n := range 30 {
		files[fmt.Sprintf("%d.zip", n)] = small.Bytes()
	}
	if a := w.bring(t, files); strings.Count(a.body, "This is more than is checked on a page") != 22 {
		t.Errorf("%d of 30 archives were left", strings.Count(a.body, "This is more than is checked on a page"))
	}
}

// rezipped is a ZIP with the files of one kind changed.
func rezipped(t *testing.T, raw []byte, suffix string, change func([]byte) []byte) []byte {
	t.Helper()
	old, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	testbed.Must(t, old, err)
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range old.File {
		if !strings.HasSuffix(f.Name, suffix) || strings.HasSuffix(f.Name, "manifest.json") {
			testbed.Must(t, 0, z.Copy(f))
			continue
		}
		from, err := f.Open()
		testbed.Must(t, from, err)
		all, err := io.ReadAll(from)
		testbed.Must(t, all, err)
		to, err := z.Create(f.Name)
		testbed.Must(t, to, err)
		_, _ = to.Write(change(all))
	}
	testbed.Must(t, 0, z.Close())
	return out.Bytes()
}

// token is a document as a signed token instead, VC-JOSE-COSE §3.1.1, by the key
// that signed it.
func (w *world) token(t *testing.T, document []byte) []byte {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(document, &doc); err != nil {
		t.Fatal(err)
	}
	proof := doc["proof"]
	if list, ok := proof.([]any); ok {
		proof = list[0]
	}
	method := proof.(map[string]any)["verificationMethod"].(string)
	delete(doc, "proof")
	payload, err := json.Marshal(doc)
	testbed.Must(t, payload, err)
	_, key, _ := strings.Cut(method, "#")
	head := fmt.Sprintf(`{"alg":"EdDSA","typ":"vc+jwt","kid":%q}`, method)
	text := base64.RawURLEncoding.EncodeToString([]byte(head)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	signed, err := w.Keys.Sign(context.Background(), w.As(access.System), key, []byte(text))
	return []byte(text + "." + base64.RawURLEncoding.EncodeToString(testbed.Must(t, signed, err)[0]))
}

// TestFiveHundredFiles is scenario 22: badges and records as JSON, tokens and PDFs,
// five steps each. One bad file does not stop the rest, and an issuer that nobody
// knows is no failure.
func TestFiveHundredFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	print, err := w.Documents.PDF(context.Background(), w.Registrar(), string(w.print.ID))
	testbed.Must(t, print, err)
	good, abroad := w.document(t, w.badge), testbed.NewAbroad(1)
	kinds := []struct {
		name string
		raw  []byte
	}{{"badge.json", good}, {"badge.jwt", w.token(t, good)}, {"record.json", w.document(t, string(w.record.CredentialID))}, {"record.pdf", print},
		{"stranger.json", abroad.Signed(t, abroad.Badge(1, "urn:uuid:00000000-0000-4000-8000-000000000009"))}}
	files := map[string][]byte{"broken.json": []byte("{"), "notes.txt": []byte("hello")}
	for n := range 498 {
		k := kinds[n%5]
		if n%5 > 1 && n >= 100 { // records and strangers among the first hundred
			k = kinds[n%2]
		}
		files[fmt.Sprintf("%03d-%s", n, k.name)] = k.raw
	}
	a := w.bring(t, files)
	tally := regexp.MustCompile(`<p class="tally">.*`).FindString(a.body)
	if a.StatusCode != http.StatusOK || strings.Count(a.body, `class="file"><span lang="und">`) < 500 || strings.Count(a.body, `<ol class="steps">`) < 500 {
		t.Errorf("%d, %d files with %d times five steps", a.StatusCode, strings.Count(a.body, `class="file"`), strings.Count(a.body, `<ol class="steps">`))
	}
	for _, want := range []string{">478 passed", ">2 failed", ">20 could not be checked"} {
		if !strings.Contains(tally, want) {
			t.Errorf("no %q in %s", want, tally)
		}
	}
	if strings.Count(a.body, "The issuer is not in any registry you trust") < 20 {
		t.Error("a stranger is not called one")
	}
}
