package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/archive"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/testbed"
)

// person is somebody at a browser.
type person struct {
	*testing.T
	ctx context.Context
	w   *world
}

// open becomes somebody and opens a page.
func (p person) open(cookie, path string) {
	p.Helper()
	if err := chromedp.Run(p.ctx, as(p.w.server.URL, cookie, "en"), chromedp.Navigate(p.w.server.URL+path)); err != nil {
		p.Fatalf("open %s: %v", path, err)
	}
}

// script runs something on the page that leads to another one.
func (p person) script(what, script string) {
	p.Helper()
	if _, err := chromedp.RunResponse(p.ctx, chromedp.Evaluate(script, nil)); err != nil {
		p.Fatalf("%s: %v; the page is\n%s", what, err, p.text())
	}
}

// send fills the form on the page by the names of its fields, and sends it with
// the button that says so.
func (p person) send(button string, fields map[string]string) {
	p.Helper()
	in, err := json.Marshal(fields)
	if err != nil {
		p.Fatal(err)
	}
	p.script("send "+button, fmt.Sprintf(`(() => {
		const button = [...document.querySelectorAll('main button')].find(b => b.textContent.trim() === %q)
		for (const [name, value] of Object.entries(%s ?? {})) {
			const all = [...button.form.elements].filter(e => e.name === name)
			const one = all.find(e => e.type === 'radio' || e.type === 'checkbox' ? e.value === value : true)
			if (one.type === 'radio' || one.type === 'checkbox') one.checked = true; else one.value = value
		}
		button.form.requestSubmit(button)
	})()`, button, in))
}

// follow presses the first link that says so.
func (p person) follow(text string) {
	p.Helper()
	p.script("follow "+text, fmt.Sprintf(`[...document.querySelectorAll('main a')].find(a => a.textContent.trim().startsWith(%q)).click()`, text))
}

func (p person) text() (all string) {
	p.Helper()
	if err := chromedp.Run(p.ctx, chromedp.Evaluate(`document.body.innerText`, &all)); err != nil {
		p.Fatal(err)
	}
	return all
}

// reads fails unless the page says all of it, and nothing of what begins with a
// dash.
func (p person) reads(what string, words ...string) {
	p.Helper()
	all := p.text()
	for _, word := range words {
		word, not := strings.CutPrefix(word, "-")
		if strings.Contains(all, word) == not {
			p.Errorf("%s: %q is there: %v\n%s", what, word, !not, all)
		}
	}
}

// bring has a file verified.
func (p person) bring(name string, raw []byte) {
	p.Helper()
	at := filepath.Join(p.TempDir(), name)
	if err := os.WriteFile(at, raw, 0o600); err != nil {
		p.Fatal(err)
	}
	p.open("", "/verify")
	if _, err := chromedp.RunResponse(p.ctx, chromedp.SetUploadFiles("#file", []string{at}), chromedp.Submit("#file")); err != nil {
		p.Fatalf("verify %s: %v", name, err)
	}
}

// link is the address that the page shows once, and where it leads here.
func (p person) link() string {
	p.Helper()
	at := regexp.MustCompile(`/s/\S+`).FindString(p.text())
	if at == "" {
		p.Fatalf("no link is shown\n%s", p.text())
	}
	return at
}

// TestScenariosInABrowser does what the scenarios say in Chromium, by the pages
// alone: one after the other, each by the people that it names.
func TestScenariosInABrowser(t *testing.T) {
	ctx := browser(t)
	w := newWorld(t)
	p := person{t, ctx, w}
	if err := chromedp.Run(ctx, emulation.SetDeviceMetricsOverride(1280, 900, 1, false)); err != nil {
		t.Fatal(err)
	}
	registrar, of := w.staff[access.Registrar], "/desk/learners/"+string(w.learner.ID)

	// 7: a print with a page of its own, which says no more than the paper.
	p.open(registrar, "/desk/records/"+string(w.record.ID))
	p.follow("Make a print")
	p.send("Make the PDF", map[string]string{"paper": "a4", "recipient": "Harbour State University"})
	p.open("", w.checked)
	p.send("Compare", map[string]string{"name": w.learner.DisplayName, "credits": "1"})
	p.reads("7, compared", "This document is current", "This is what was printed", "This is not what was printed", "-"+w.learner.DisplayName)

	// 6: the order that was made while a hold is in force waits with its reason,
	// and goes out when it is lifted.
	p.open(registrar, "/desk/orders")
	p.reads("6, the queue", "Graduate School", "Kept back", "The learner has to do something first")
	p.follow("Lift the hold")
	p.send("Lift the hold", map[string]string{"reason": "Returned"})
	if _, err := w.Shares.SettleFor(ctx, w.As(access.System), w.learner.ID); err != nil {
		t.Fatal(err)
	}
	p.open(w.student, "/me/orders")
	p.reads("6, afterwards", "Graduate School", "Gone out")

	// 25 and 21: two awards for one recipient with a PIN; who, what, level, evidence
	// and five steps; the learner sees the view and ends it.
	p.open(w.student, "/me/shares/new")
	p.send("Agree and make the link", map[string]string{"item": w.badge, "recipient": "Harbour Analytics", "purpose": "A position", "pin": "482913", "expiresAt": "2026-12-24"})
	link := p.link()
	p.open("", link)
	p.reads("25, before the PIN", "PIN", "-"+w.learner.DisplayName)
	p.send("Open", map[string]string{"pin": "482913", "name": "Dana Reyes"})
	p.reads("21, opened", w.learner.DisplayName, "Working with Data", "Level or grade", "C+", "This holds", "Is it about one person, and shown to whom it is for?", "It was made for Harbour Analytics", "-Exploratory Analysis")
	p.open(w.student, "/me/shares")
	p.follow("Harbour Analytics")
	p.follow("End this link")
	p.send("End it", nil)
	p.reads("25, ended", "Ended by you")
	p.open("", link)
	p.reads("25, a link that was ended", "has ended it", "-"+w.learner.DisplayName)

	// 8: a record of skills only says what it leaves out; the full one is as it was.
	p.open(registrar, of+"/assemble")
	p.send("Assemble and sign", map[string]string{"type": "skills"})
	p.follow("Skills")
	p.reads("8, skills only", "This record is partial", "-Exploratory Analysis")

	// 19: what counts as what stands in the record with its rule and approver.
	p.open(registrar, of+"/assemble")
	p.send("Assemble and sign", map[string]string{"type": "full"})
	p.follow("Comprehensive Learner Record")
	p.reads("19", "What counts as what", "GV 340", "minute 15")

	// 9: who was told what in a period, on what ground, as a page and as a file.
	p.open(registrar, "/desk/disclosures")
	p.send("Show", map[string]string{"from": "2026-11-01", "until": "2026-11-30"})
	p.reads("9", "Dana Reyes", "Harbour State University", "Transfer to another school", "Consent", "Refused")

	w.correctedInABrowser(p)

	// 5: a badge of the wrong person: revoked, the record that has it is flagged,
	// and every check says so.
	p.open(registrar, of)
	p.script("revoke", `[...document.querySelectorAll('#awards .menu a')].find(a => a.textContent.startsWith('Revoke')).click()`)
	badge := regexp.MustCompile(`crd_[a-z0-9]+`).FindString(p.where())
	raw := w.document(t, badge)
	p.open(w.student, "/me/shares/new")
	p.send("Agree and make the link", map[string]string{"item": badge, "recipient": "Harbour Library", "purpose": "A position", "expiresAt": "2026-12-24"})
	p.open("", p.link())
	p.send("Open", map[string]string{"name": "Dana Reyes"})
	p.reads("5, before", "Umar Ashdown", "This holds")
	p.open(registrar, of)
	p.script("revoke", `[...document.querySelectorAll('#awards .menu a')].find(a => a.textContent.startsWith('Revoke')).click()`)
	p.send("Revoke it for good", map[string]string{"cause": "issued_in_error", "reason": "Wrong learner"})
	p.reads("5, who was shown it", "The credential is revoked.", "Who was shown it", "Dana Reyes", "-Nobody has been shown it.")
	p.open(registrar, of)
	p.reads("5, the records", "1 item changed since")
	p.bring("badge.json", raw)
	p.reads("5, verified", "Do not rely on this", "revoked")

	// 10: the archive holds for a stranger.
	name := filepath.Join(t.TempDir(), "archive.zip")
	made, err := w.Archives.Write(ctx, w.As(access.System), archive.Order{To: name, Learners: []string{string(w.learner.ID)}}, nil)
	testbed.Must(t, made, err)
	whole, err := os.ReadFile(name)
	p.bring("archive.zip", testbed.Must(t, whole, err))
	p.reads("10", "Archive of an institution", "-Do not rely on this")
}

// correctedInABrowser is scenarios 3 and 4: a name and a grade are corrected, what
// has to be issued anew is listed and approved, and no live page has the former
// name.
func (w *world) correctedInABrowser(p person) {
	registrar, of := w.staff[access.Registrar], "/desk/learners/"+string(w.learner.ID)
	former := w.document(p, string(w.record.CredentialID))
	p.open(registrar, of+"/name")
	p.send("Record the name", map[string]string{"displayName": "Umar Ashdown", "givenName": "Umar", "familyName": "Ashdown", "reason": "Marriage"})
	p.open(registrar, of+"/correction")
	p.send("List it", map[string]string{"reason": "New name"})
	p.reads("3, what is listed", "Waits for approval", "Comprehensive Learner Record")
	p.send("Approve what is marked", nil)
	fix := regexp.MustCompile(`cor_[a-z0-9]+`).FindString(p.where())
	if err := w.Records.RunCorrection(p.ctx, w.As(access.System), fix); err != nil {
		p.Fatal(err)
	}
	p.open("", path(w.open))
	p.send("Open", nil)
	p.reads("3, the old link", "superseded", "Ask the holder for the current record", "-"+w.learner.DisplayName)
	p.bring("former.json", former)
	p.reads("3, the old file", "superseded")
	p.open(registrar, of)
	p.script("correct an award", `[...document.querySelectorAll('#awards .menu a')].find(a => a.textContent === 'Correct Portfolio and Practice').click()`)
	p.send("Correct it", map[string]string{"grade": "B", "reason": "Wrong grade"})
	p.reads("4, the award", "Signed before it was corrected")
	p.open(registrar, of+"/correction")
	p.send("List it", map[string]string{"reason": "Grade"})
	p.reads("4, what is listed", "Waits for approval")
	items, err := w.Records.CorrectionItemsOf(p.ctx, w.Registrar(), []record.CorrectionID{record.CorrectionID(regexp.MustCompile(`cor_[a-z0-9]+`).FindString(p.where()))})
	for _, all := range testbed.Must(p, items, err) {
		badges := 0
		for _, i := range all {
			if i.RecordID == nil {
				badges++
			}
		}
		if badges != 1 {
			p.Errorf("4: %d badges are listed, want the one whose award was corrected", badges)
		}
	}
}

// where is the address of the page.
func (p person) where() (at string) {
	p.Helper()
	if err := chromedp.Run(p.ctx, chromedp.Location(&at)); err != nil {
		p.Fatal(err)
	}
	return at
}
