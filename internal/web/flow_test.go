package web_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/interop"
)

// TestPagesInUse does in Chromium what people do: find a learner by typing, check
// a file.
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
	for _, s := range said() {
		t.Errorf("the browser says: %s", s)
	}
}
