package web_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/testamur/testamur/internal/interop"
)

var shots = flag.String("shots", "", "write a picture of each page, at two widths, into this folder, as -shots-as says")
var shotsAs = flag.String("shots-as", "webp", "webp or png")

// browser starts Chromium, or skips the test where there is none.
func browser(t *testing.T) context.Context {
	t.Helper()
	var program string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if at, err := exec.LookPath(name); err == nil {
			program = at
			break
		}
	}
	if program == "" {
		interop.Unavailable(t, "Chromium is not here")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox,
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("font-render-hinting", "none"), chromedp.Flag("force-color-profile", "srgb"))
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(end)
	ctx, done := context.WithTimeout(ctx, 12*time.Minute)
	t.Cleanup(done)
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return ctx
}

// as sets whose cookies the browser has, and the language.
func as(server, cookie, lang string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		if err := network.ClearBrowserCookies().Do(ctx); err != nil {
			return err
		}
		if err := network.SetCookie("lang", lang).WithURL(server).Do(ctx); err != nil {
			return err
		}
		if cookie == "" {
			return nil
		}
		return network.SetCookie("session", cookie).WithURL(server).Do(ctx)
	})
}

// scheme asks for light or dark.
func scheme(name string) chromedp.Action {
	return emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}})
}

// violation is something that axe found.
type violation struct {
	ID    string
	Help  string
	Nodes []struct {
		HTML           string
		FailureSummary string
	}
}

// butContrast is every rule but the one that depends on colours alone.
const butContrast = "-color-contrast"

// axe runs it over the page: every rule of WCAG 2.2 AA and of good practice, or
// only those named.
func axe(ctx context.Context, source string, only ...string) ([]violation, error) {
	options := `{}`
	if len(only) == 1 && only[0] == butContrast {
		options = `{rules:{'color-contrast':{enabled:false}}}`
	} else if len(only) > 0 {
		raw, err := json.Marshal(only)
		if err != nil {
			return nil, err
		}
		options = `{runOnly:{type:'rule',values:` + string(raw) + `}}`
	}
	var out string
	err := chromedp.Run(ctx,
		chromedp.Evaluate(`window.axe ? 0 : (`+"() => {"+source+"}"+`)()`, nil),
		chromedp.Evaluate(`axe.run(document, `+options+`).then(r => JSON.stringify(r.violations.map(v => ({ID: v.id, Help: v.help, Nodes: v.nodes.map(n => ({HTML: n.html, FailureSummary: n.failureSummary}))}))))`, &out,
			func(p *runtimeEvaluate) *runtimeEvaluate { return p.WithAwaitPromise(true) }))
	if err != nil {
		return nil, err
	}
	var all []violation
	return all, json.Unmarshal([]byte(out), &all)
}

// TestEveryPageIsAccessible opens every page in both languages, runs axe-core
// over it in light and dark, and looks for anything wider than the window; or it
// takes pictures, when asked to.
func TestEveryPageIsAccessible(t *testing.T) {
	source := interop.Axe(t)
	ctx := browser(t)
	w := newWorld(t)
	said := complaints(ctx)
	pages := w.places(t)
	for i, p := range append(pages, w.plain()...) {
		t.Run(p.name, func(t *testing.T) {
			for _, lang := range []string{"en", "es"} {
				if lang == "es" && (i >= len(pages) || *shots != "") {
					continue
				}
				if err := chromedp.Run(ctx, emulation.SetDeviceMetricsOverride(1280, 900, 1, false), scheme("light"), as(w.server.URL, p.cookie, lang), chromedp.Navigate(w.server.URL+p.path)); err != nil {
					t.Fatal(err)
				}
				if lang == "es" {
					report(t, ctx, source, "es", butContrast)
				}
				if lang == "en" {
					report(t, ctx, source, "en light")
					picture(t, ctx, p.name, 1280)
					if err := chromedp.Run(ctx, scheme("dark")); err != nil {
						t.Fatal(err)
					}
					report(t, ctx, source, "en dark", "color-contrast")
				}
				if err := chromedp.Run(ctx, scheme("light"), emulation.SetDeviceMetricsOverride(390, 844, 1, true)); err != nil {
					t.Fatal(err)
				}
				fits(t, ctx, lang)
				if lang == "en" {
					report(t, ctx, source, "en phone", "target-size", "scrollable-region-focusable")
					picture(t, ctx, p.name, 390)
				}
			}
			for _, s := range said() {
				t.Errorf("the browser says: %s", s)
			}
		})
	}
}

func report(t *testing.T, ctx context.Context, source, how string, only ...string) {
	t.Helper()
	if *shots != "" {
		return // pictures are taken for themselves
	}
	found, err := axe(ctx, source, only...)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range found {
		for _, n := range v.Nodes[:min(3, len(v.Nodes))] {
			t.Errorf("%s: %s (%s)\n%s\n%s", how, v.Help, v.ID, n.HTML, n.FailureSummary)
		}
	}
}

// fits fails a page that has to be scrolled sideways on a phone.
func fits(t *testing.T, ctx context.Context, how string) {
	t.Helper()
	var wide int
	settled := func(p *runtimeEvaluate) *runtimeEvaluate { return p.WithAwaitPromise(true) }
	if err := chromedp.Run(ctx, chromedp.Evaluate(`new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(document.documentElement.scrollWidth - document.documentElement.clientWidth))))`, &wide, settled)); err != nil {
		t.Fatal(err)
	}
	if wide > 0 {
		var out string
		_ = chromedp.Run(ctx, chromedp.Evaluate(`[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5).map(e => e.outerHTML.slice(0, 150)).slice(-3).join('\n')`, &out))
		t.Errorf("%s: the page is %d pixels wider than a phone, by\n%s", how, wide, out)
	}
}

// tallest is how much of a page a picture shows, in pixels.
const tallest = 1400

// picture keeps what the page looks like.
func picture(t *testing.T, ctx context.Context, name string, width int) {
	t.Helper()
	if *shots == "" {
		return
	}
	var raw []byte
	err := chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		_, _, _, _, _, size, err := page.GetLayoutMetrics().Do(ctx)
		if err != nil {
			return err
		}
		take := page.CaptureScreenshot().WithCaptureBeyondViewport(true).
			WithClip(&page.Viewport{Width: float64(width), Height: math.Min(math.Ceil(size.Height), tallest), Scale: 1})
		if *shotsAs == "webp" {
			take = take.WithFormat(page.CaptureScreenshotFormatWebp).WithQuality(45)
		}
		raw, err = take.Do(ctx)
		return err
	}))
	if err == nil {
		err = os.WriteFile(filepath.Join(*shots, fmt.Sprintf("%s-%d.%s", name, width, *shotsAs)), raw, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
