package web_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/archive"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/interop"
)

// The pages of an archive are opened from a disk, with neither a server nor a
// network nor a script.
func TestAnArchiveOpens(t *testing.T) {
	source := interop.Axe(t)
	ctx := browser(t)
	w := newWorld(t)
	if _, err := w.Credentials.Revoke(t.Context(), w.Registrar(), nil, w.badge, credential.Revocation{Cause: credential.IssuedInError, Reason: "A mistake."}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "archive")
	if _, err := w.Archives.Write(t.Context(), w.As(access.System), archive.Order{To: dir}, nil); err != nil {
		t.Fatal(err)
	}
	said := complaints(ctx)
	person := "learners/" + string(w.learner.ID) + "/"
	for name, path := range map[string]string{"archive": "index.html", "archive-learner": person + "index.html", "archive-record": person + "records/" + string(w.record.ID) + ".html"} {
		t.Run(name, func(t *testing.T) {
			at := filepath.Join(dir, path)
			if _, err := os.Stat(at); err != nil {
				t.Fatal(err)
			}
			err := chromedp.Run(ctx, emulation.SetScriptExecutionDisabled(false), emulation.SetDeviceMetricsOverride(1280, 900, 1, false), scheme("light"), chromedp.Navigate("file://"+at))
			if err != nil {
				t.Fatal(err)
			}
			report(t, ctx, source, "light")
			picture(t, ctx, name, 1280)
			if err := chromedp.Run(ctx, scheme("dark")); err != nil {
				t.Fatal(err)
			}
			report(t, ctx, source, "dark", "color-contrast")
			if err := chromedp.Run(ctx, scheme("light"), emulation.SetDeviceMetricsOverride(390, 844, 1, true)); err != nil {
				t.Fatal(err)
			}
			fits(t, ctx, "phone")
			report(t, ctx, source, "phone", "target-size", "scrollable-region-focusable", "color-contrast")
			picture(t, ctx, name, 390)
			for _, s := range said() {
				t.Errorf("the browser says: %s", s)
			}
		})
	}
	t.Run("every link leads to a file of the archive", func(t *testing.T) {
		for _, path := range []string{"index.html", person + "index.html"} {
			var links []string
			err := chromedp.Run(ctx, chromedp.Navigate("file://"+filepath.Join(dir, path)),
				chromedp.Evaluate(`[...document.querySelectorAll('a')].map(a => a.href.split('#')[0])`, &links))
			if err != nil || len(links) < 5 {
				t.Fatal(err, links)
			}
			for _, l := range links {
				if _, err := os.Stat(filepath.FromSlash(l[len("file://"):])); err != nil {
					t.Errorf("%s: %v", path, err)
				}
			}
		}
	})
}
