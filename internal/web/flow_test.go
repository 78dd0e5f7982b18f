package web_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/interop"
)

// TestPagesInUse does in Chromium what people do: find a learner by typing, check
// a file, open a link without script.
func TestPagesInUse(t *testing.T) {
	source := interop.Axe(t)
	ctx := browser(t)
	w := newWorld(t)
	said := complaints(ctx)
	do := func(what string, actions ...chromedp.Action) {
		t.Helper()
		if err := chromedp.Run(ctx, actions...); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	var found, focused string
	do("find", emulation.SetDeviceMetricsOverride(1280, 900, 1, false), as(w.server.URL, w.staff[access.Registrar], "en"), chromedp.Navigate(w.server.URL+"/desk"),
		chromedp.SendKeys("#q", "rasmussen um"),
		chromedp.WaitVisible("#hits li:only-child", chromedp.ByQuery),
		chromedp.Text("#hits li", &found), chromedp.KeyEvent(kb.ArrowDown), chromedp.Evaluate(`document.activeElement.href`, &focused),
		chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("#awards"))
	if want := w.server.URL + "/desk/learners/" + string(w.learner.ID); focused != want {
		t.Errorf("found %q, at %s, want %s", found, focused, want)
	}
	name := filepath.Join(t.TempDir(), "badge.json")
	if err := os.WriteFile(name, w.document(t, w.badge), 0o600); err != nil {
		t.Fatal(err)
	}
	do("verify", as(w.server.URL, "", "en"), chromedp.Navigate(w.server.URL+"/verify"), chromedp.SetUploadFiles("#file", []string{name}),
		chromedp.Submit("#file"), chromedp.WaitVisible(".verdict"))
	report(t, ctx, source, "a verdict")
	picture(t, ctx, "verify-result", 1280)
	do("on a phone", emulation.SetDeviceMetricsOverride(390, 844, 1, true))
	fits(t, ctx, "a verdict")
	picture(t, ctx, "verify-result", 390)
	w.linkInUse(t, ctx, source, do)
	w.byKeyboard(t, ctx, do)
	w.withoutScript(t, ctx, do)
	w.progressMoves(t, ctx, source, do)
	w.attacked(t, ctx, do)
	for _, s := range said() {
		t.Errorf("the browser says: %s", s)
	}
	w.framed(t, ctx, said, do)
}

// byKeyboard goes from the top of a learner's page into a form and back, and opens
// a menu, without a mouse.
func (w *world) byKeyboard(t *testing.T, ctx context.Context, do func(string, ...chromedp.Action)) {
	t.Helper()
	var skip, outline, menu string
	do("by keyboard", emulation.SetDeviceMetricsOverride(1280, 900, 1, false), as(w.server.URL, w.staff[access.Registrar], "en"), chromedp.Navigate(w.server.URL+"/desk/learners/"+string(w.learner.ID)),
		chromedp.KeyEvent(kb.Tab), chromedp.Evaluate(`document.activeElement.textContent`, &skip), chromedp.Evaluate(`getComputedStyle(document.activeElement).outlineStyle`, &outline),
		chromedp.KeyEvent(kb.Enter), chromedp.Evaluate(`document.querySelector('#awards .menu summary').focus()`, nil), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("#awards .menu[open] ul"),
		chromedp.KeyEvent(kb.Tab), chromedp.Evaluate(`document.activeElement.textContent.trim()`, &menu), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("#f-achievedOn"))
	if skip != "Skip to the content" || outline != "solid" || !strings.HasPrefix(menu, "Correct") {
		t.Errorf("the first stop is %q, with an outline that is %q; in the menu %q comes first", skip, outline, menu)
	}
	var focused string
	do("what is wrong", chromedp.SetValue("#f-achievedOn", "2031-01-01", chromedp.ByID), chromedp.SetValue("#f-reason", "Wrong day", chromedp.ByID), chromedp.Submit("#f-reason"),
		chromedp.WaitVisible("#wrong"), chromedp.Evaluate(`document.activeElement.id`, &focused))
	if focused != "wrong" {
		t.Errorf("after a refusal the focus is at %q", focused)
	}
}

// withoutScript finds a learner, narrows a list, sends a message again and changes
// the language with forms alone.
func (w *world) withoutScript(t *testing.T, ctx context.Context, do func(string, ...chromedp.Action)) {
	t.Helper()
	var found, held, sent, title string
	do("without script", emulation.SetScriptExecutionDisabled(true), as(w.server.URL, w.staff[access.Registrar], "en"), chromedp.Navigate(w.server.URL+"/desk"),
		chromedp.SendKeys("#q", "rasmussen um"), chromedp.Click("form.search button"), chromedp.WaitVisible("#hits li:only-child"), chromedp.Text("#hits", &found),
		chromedp.Navigate(w.server.URL+"/desk/holds?show=all"), chromedp.SendKeys("#term", "Fall 2026"), chromedp.Click("form.search button"), chromedp.WaitVisible("tbody tr"), chromedp.Text("tbody", &held),
		chromedp.Navigate(w.server.URL+"/desk/messages"), chromedp.Click("td form button"), chromedp.WaitVisible(".done"), chromedp.Text(".done", &sent),
		chromedp.Click(".foot button"), chromedp.WaitVisible("html[lang=es]"), chromedp.Text("h1", &title), emulation.SetScriptExecutionDisabled(false))
	if !strings.Contains(found, w.learner.DisplayName) || !strings.Contains(held, "borrowed camera") || sent != "It is sent again now." || title != "Mensajes" {
		t.Errorf("without script: found %q, held %q, sent %q, then %q", found, held, sent, title)
	}
}

// progressMoves watches a graduation from its start to its end without loading the
// page again.
func (w *world) progressMoves(t *testing.T, ctx context.Context, source string, do func(string, ...chromedp.Action)) {
	t.Helper()
	do("watch a job", chromedp.Navigate(w.server.URL+"/desk/imports/"+w.cohort), chromedp.WaitVisible("#job[data-again]"), chromedp.Evaluate(`window.stayed = true`, nil))
	if err := w.Exchange.Run(ctx, w.As(access.System), w.cohort); err != nil {
		t.Fatal(err)
	}
	var stayed bool
	do("until it is done", chromedp.WaitVisible("#job:not([data-again])"), chromedp.Evaluate(`window.stayed === true`, &stayed))
	if !stayed {
		t.Error("the page was loaded again")
	}
	report(t, ctx, source, "a job that is done")
	picture(t, ctx, "graduation-done", 1280)
}

// linkInUse opens a link with its PIN on a phone, without script.
func (w *world) linkInUse(t *testing.T, ctx context.Context, source string, do func(string, ...chromedp.Action)) {
	t.Helper()
	if _, err := w.Holds.Lift(ctx, w.Registrar(), string(w.hold.ID), "Returned"); err != nil {
		t.Fatal(err)
	}
	var holder string
	do("open a link", emulation.SetScriptExecutionDisabled(true), as(w.server.URL, "", "en"), chromedp.Navigate(w.server.URL+path(w.share)),
		chromedp.SendKeys("#pin", "482913"), chromedp.SendKeys("#name", "Dana Reyes"), chromedp.Click("form.asking button"),
		chromedp.WaitVisible(".verdict"), chromedp.Text("h1", &holder), emulation.SetScriptExecutionDisabled(false))
	if holder != w.learner.DisplayName {
		t.Errorf("the link shows %q", holder)
	}
	report(t, ctx, source, "an opened link")
	fits(t, ctx, "an opened link")
	picture(t, ctx, "shared-open", 390)
	do("on a desk", emulation.SetDeviceMetricsOverride(1280, 900, 1, false))
	picture(t, ctx, "shared-open", 1280)
	do("ask to be told", as(w.server.URL, "", "en"), chromedp.Navigate(w.server.URL+path(w.told)), chromedp.Click("form.asking button"), chromedp.WaitVisible("form[action$='/mail']"))
	report(t, ctx, source, "a link that may be watched")
	picture(t, ctx, "shared-watchable", 1280)
	do("ask to be told, on a phone", emulation.SetDeviceMetricsOverride(390, 844, 1, true))
	fits(t, ctx, "a link that may be watched")
	picture(t, ctx, "shared-watchable", 390)
	do("be told", chromedp.Click("form[action$='/mail'] button"), chromedp.WaitNotPresent("form[action$='/mail']"), chromedp.Text("h1", &holder))
	if holder != "You will be told" {
		t.Errorf("after asking to be told: %q", holder)
	}
	report(t, ctx, source, "a watch that has begun")
	picture(t, ctx, "watch-begun", 390)
	do("on a desk", emulation.SetDeviceMetricsOverride(1280, 900, 1, false))
	picture(t, ctx, "watch-begun", 1280)
}
